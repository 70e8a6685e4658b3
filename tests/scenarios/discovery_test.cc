// IPv6: Neighbor Discovery's state machine frame by frame, what it does for the tables of switches, and that
// the analysis says the same without a run.
#include <map>

#include "importers/site.h"
#include "load/load.h"
#include "load/proof.h"
#include "wire/decode.h"

#include "structural.h"

namespace sekimori::scenarios {
namespace {

using base::seconds;
using wire::Icmpv6;

struct Seen {
  double at;
  bool inbound;
  wire::Ethernet link;
  wire::Ipv6Header ip;
  Icmpv6 message;
};

// Everything of Neighbor Discovery that passes a port.
std::vector<Seen> discovery_at(const model::Model& m, std::string_view port, base::Time until) {
  simulate::Options options;
  options.until = until;
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    if (name_of(m, model::PortId(p)) == port) options.captures.emplace_back(p);
  }
  EXPECT_EQ(options.captures.size(), 1u) << port;
  std::vector<Seen> seen;
  options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
    const wire::Bytes bytes(reinterpret_cast<const std::uint8_t*>(frame.bytes.data()), frame.bytes.size());
    const auto packet = wire::decode(wire::LinkType::ethernet, bytes);
    EXPECT_FALSE(packet.defect);
    const auto* message = packet.get<Icmpv6>();
    if (message == nullptr || message->is_echo()) return {};
    seen.push_back({base::to_seconds(frame.at), frame.inbound, *packet.get<wire::Ethernet>(),
                    *packet.get<wire::Ipv6Header>(), *message});
    return {};
  };
  EXPECT_TRUE(simulate::run(m, options));
  return seen;
}

constexpr std::string_view kPair = R"(
hosts:
  a: {nics: {eth0: {mac: "02:00:00:00:00:0a", ip: "2001:db8::a/64"}}, nd: {announce: never}}
  b: {nics: {eth0: {mac: "02:00:00:00:00:0b", ip: "2001:db8::b/64"}}, nd: {announce: never}}
switches: {sw1: {}}
links: [[a:eth0, sw1:1], [b:eth0, sw1:2]]
traffic: [{from: a, to: b, kind: udp, every: 100ms}]
)";

// INCOMPLETE: to the solicited-node group; REACHABLE for 30 s; DELAY of 5 s at the next use; PROBE by
// unicast; and again (RFC 4861 sections 7.2.2, 7.3.2, 10).
TEST(NeighborDiscovery, AsksProbesAndIsAnswered) {
  const auto seen = discovery_at(site(kPair), "a:eth0", seconds(80));
  ASSERT_EQ(seen.size(), 6u);
  const auto& question = seen[0];
  EXPECT_FALSE(question.inbound);
  EXPECT_EQ(to_text(question.link.destination), "33:33:ff:00:00:0b");
  EXPECT_EQ(to_text(question.ip.destination), "ff02::1:ff00:b");
  EXPECT_EQ(question.ip.hop_limit, 255);
  EXPECT_EQ(to_text(question.message.target), "2001:db8::b");
  const auto& answer = seen[1];
  EXPECT_TRUE(answer.inbound && answer.message.solicited && answer.message.overrides);
  EXPECT_EQ(to_text(answer.link.destination), "02:00:00:00:00:0a");
  for (const std::size_t probe : {2u, 4u}) {
    EXPECT_EQ(seen[probe].message.type, Icmpv6::kNeighborSolicitation);
    EXPECT_EQ(to_text(seen[probe].link.destination), "02:00:00:00:00:0b") << "by unicast";
    EXPECT_NEAR(seen[probe].at - seen[probe - 1].at, 35.05, 0.1) << "30 s and 5 s, and the next frame";
    EXPECT_TRUE(seen[probe + 1].message.solicited);
  }
}

// Progress of TCP confirms: after the first question there is none.
TEST(NeighborDiscovery, ProgressConfirms) {
  const auto seen = discovery_at(site(with(kPair, "kind: udp, every: 100ms", "kind: tcp, rate: 100kbit/s")),
                                 "a:eth0", seconds(120));
  std::size_t asked_by_a = 0;
  for (const Seen& s : seen) asked_by_a += !s.inbound && s.message.type == Icmpv6::kNeighborSolicitation;
  EXPECT_EQ(asked_by_a, 1u);
}

// Three times by unicast, a second apart; then the entry is gone and the group is asked.
TEST(NeighborDiscovery, AStationThatIsGone) {
  const auto seen = discovery_at(site(with(kPair, "traffic:", "changes: [{at: 10s, stop: b}]\ntraffic:")),
                                 "a:eth0", seconds(42));
  std::vector<double> unicast, group;
  for (const Seen& s : seen) {
    if (s.inbound || s.at < 10) continue;
    (s.link.destination.is_group() ? group : unicast).push_back(s.at);
  }
  ASSERT_EQ(unicast.size(), 3u);
  EXPECT_NEAR(unicast[2] - unicast[0], 2, 0.01);
  ASSERT_FALSE(group.empty());
  EXPECT_NEAR(group[0] - unicast[2], 1, 0.01);
}

// At its start a machine asks whether somebody has its address, and advertises it to all nodes.
TEST(NeighborDiscovery, AMachineThatStarts) {
  const auto seen = discovery_at(site(R"(
hosts:
  a: {nics: {eth0: "2001:db8::a/64"}}
  late: {nics: {eth0: {mac: "02:00:00:00:00:0c", ip: "2001:db8::c/64"}}, state: stopped}
  clone: {nics: {eth0: {mac: "02:00:00:00:00:0d", ip: "2001:db8::c/64"}}, state: stopped}
switches: {sw1: {}}
links: [[a:eth0, sw1:1], [late:eth0, sw1:2], [clone:eth0, sw1:3]]
changes: [{at: 10s, start: late}, {at: 20s, start: clone}]
)"),
                                 "a:eth0", seconds(30));
  std::vector<Seen> late;
  for (const Seen& s : seen) {
    if (s.inbound) late.push_back(s);
  }
  ASSERT_EQ(late.size(), 5u);
  EXPECT_TRUE(late[0].ip.source.is_unspecified());
  EXPECT_FALSE(late[0].message.source_mac);
  EXPECT_EQ(to_text(late[0].link.destination), "33:33:ff:00:00:0c");
  EXPECT_EQ(late[1].message.type, Icmpv6::kNeighborAdvertisement);
  EXPECT_EQ(to_text(late[1].link.destination), "33:33:00:00:00:01");
  EXPECT_FALSE(late[1].message.solicited);
  EXPECT_TRUE(late[2].ip.source.is_unspecified()) << "the second asks,";
  EXPECT_EQ(late[3].link.source, late[0].link.source) << "and the first tells all that it has the address";
}

// A router is heard by everybody, at random times of 200 to 600 s.
TEST(RouterAdvertisements, ComeAtRandom) {
  const auto seen = discovery_at(site(R"(
hosts: {a: {nics: {eth0: "2001:db8::a/64"}}}
routers: {gw: {nics: {lan: {mac: "02:00:00:00:00:01", ip: "2001:db8::1/64"}}}}
links: [[a:eth0, gw:lan]]
)"),
                                 "a:eth0", seconds(6000));
  double last = 0;
  std::size_t count = 0;
  for (const Seen& s : seen) {
    if (s.message.type != Icmpv6::kRouterAdvertisement) continue;
    EXPECT_GE(s.at - last, 199.9);
    EXPECT_LE(s.at - last, 600.1);
    EXPECT_EQ(to_text(s.ip.source), "fe80::ff:fe00:1");
    EXPECT_EQ(s.message.router_lifetime_s, 1800);
    last = s.at;
    ++count;
  }
  EXPECT_GE(count, 10u);
  EXPECT_LE(count, 30u);
}

// ---------------------------------------------------------------- what switches know

constexpr std::string_view kSilent = R"(
hosts:
  log: {nics: {eth0: {ip: [10.0.0.9/24, "2001:db8::9/64"]}}, arp: {timeout: 30d}}
  sender: {nics: {eth0: {ip: [10.0.0.1/24, "2001:db8::1/64"]}}, arp: {timeout: 30d}}
  other: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}}
links: [[log:eth0, sw1:1], [sender:eth0, sw1:2], [other:eth0, sw1:3]]
traffic: [{from: sender, to: log, kind: udp, rate: 5Mbit/s}]
)";

findings::Report proof(const model::Model& m) {
  findings::Report report;
  report.findings = check::structural(m);
  load::prove(m, report);
  return report;
}

// A receiver that never answers is flooded where ARP never asks again. Over IPv6 it is asked every 35 s.
TEST(NeighborDiscovery, KeepsASilentReceiverKnown) {
  const model::Model by_arp = site(kSilent);
  EXPECT_NE(find(proof(by_arp), Code::kFloodSilent), nullptr);
  const model::Model by_nd = site(with(kSilent, "rate: 5Mbit/s", "rate: 5Mbit/s, family: ipv6"));
  EXPECT_EQ(codes(proof(by_nd)), "");
  const auto run = play(by_nd, seconds(1000), seconds(100));
  EXPECT_EQ(lane_from(by_nd, run.lanes, "sw1:3").flooded_frames, 0);
  // With a reachable time beyond the ageing time it is as with ARP's timers.
  const model::Model slow = site(with(with(kSilent, "rate: 5Mbit/s", "rate: 5Mbit/s, family: ipv6"),
                                      "ip: [10.0.0.1/24, \"2001:db8::1/64\"]}}, ",
                                      "ip: [10.0.0.1/24, \"2001:db8::1/64\"]}}, nd: {reachable: 1h}, "));
  const auto report = proof(slow);
  const Finding* f = find(report, Code::kFloodTimers);
  ASSERT_NE(f, nullptr) << codes(report);
  const auto shown = diagnose(slow);
  EXPECT_NE(find(shown, Code::kFloodTimers), nullptr) << codes(shown);
}

// Two routers, and answers that take the other one: with ARP's four hours a flood for nearly all of the time;
// by ND no frame of it (I-04).
TEST(NeighborDiscovery, AsymmetricRoutingDoesNoHarm) {
  const auto text = [](std::string_view family, std::string_view other) {
    return fmt::format(R"(
hosts:
  server: {{nics: {{eth0: {{ip: [10.1.0.9/24, "2001:db8:1::9/64"]}}}}, gateway: [10.1.0.2, "2001:db8:1::2"]}}
  client: {{nics: {{eth0: {{ip: [10.2.0.9/24, "2001:db8:2::9/64"]}}}}, gateway: [10.2.0.1, "2001:db8:2::1"]}}
  third: {{nics: {{eth0: 10.1.0.8/24}}}}
routers:
  r1: {{nics: {{a: {{ip: [10.1.0.1/24, "2001:db8:1::1/64"]}}, b: {{ip: [10.2.0.1/24, "2001:db8:2::1/64"]}}}}}}
  r2: {{nics: {{a: {{ip: [10.1.0.2/24, "2001:db8:1::2/64"]}}, b: {{ip: [10.2.0.2/24, "2001:db8:2::2/64"]}}}}}}
switches: {{core: {{}}, sw1: {{}}, sw2: {{}}, far: {{}}}}
links:
  - [server:eth0, sw2:1]
  - [sw2:24, core:2]
  - [sw1:24, core:1]
  - [third:eth0, sw1:3]
  - [r1:a, sw1:1]
  - [r2:a, sw2:2]
  - [r1:b, far:1]
  - [r2:b, far:2]
  - [client:eth0, far:3]
traffic: [{{from: client, to: server, kind: udp, rate: 800kbit/s, family: {}}}, {{from: server, to: client, kind: udp, rate: 100kbit/s, family: {}}}]
{})",
                       family, family, other);
  };
  const model::Model by_arp = site(text("ipv4", "")), by_nd = site(text("ipv6", ""));
  EXPECT_NE(find(proof(by_arp), Code::kFloodTimers), nullptr) << codes(proof(by_arp));
  EXPECT_EQ(codes(proof(by_nd)), "ageing-below-arp") << "ARP's timers remain";
  const auto run = play(by_nd, seconds(1000), seconds(500));
  EXPECT_EQ(lane_from(by_nd, run.windows[1].lanes, "sw1:3").flooded_frames,
            lane_from(by_nd, run.windows[0].lanes, "sw1:3").flooded_frames);
}

// What is worked out without a run is what the run counts, ND included.
TEST(NeighborDiscovery, LoadsAreProved) {
  const model::Model m = site(R"(
hosts:
  a: {nics: {eth0: "2001:db8:1::a/64"}, gateway: "2001:db8:1::1", nd: {announce: [start, 20s]}}
  b: {nics: {eth0: "2001:db8:2::b/64"}, gateway: "2001:db8:2::1"}
  c: {nics: {eth0: "2001:db8:1::c/64"}, gateway: "2001:db8:1::1", nd: {reachable: 5s}}
routers: {gw: {nics: {x: "2001:db8:1::1/64", y: "2001:db8:2::1/64"}, nd: {advertise: 9s}}}
switches: {sw1: {ageing: 60s}, sw2: {ageing: 10s}}
links: [[a:eth0, sw1:1], [c:eth0, sw1:2], [gw:x, sw1:3], [gw:y, sw2:1], [b:eth0, sw2:2]]
traffic:
  - {from: a, to: b, kind: udp, every: 200ms}
  - {from: c, to: b, kind: request, every: 500ms}
  - {from: b, to: c, kind: ping, every: 3s}
  - {from: a, to: c, kind: tcp, rate: 200kbit/s}
)");
  const check::Learning learning(m);
  const load::Load load = load::work_out(learning);
  const auto run = play(m, seconds(600), seconds(300));
  for (std::size_t lane = 0; lane < run.lanes.size(); ++lane) {
    const std::string where = name_of(m, m.links[lane / 2].a) + (lane % 2 == 0 ? " out" : " in");
    const auto& before = run.windows[0].lanes[lane];
    const auto& after = run.windows[1].lanes[lane];
    load::Range frames = load.lanes[lane].wanted_frames, bytes = load.lanes[lane].wanted_bytes;
    frames += load.lanes[lane].flooded_frames;
    bytes += load.lanes[lane].flooded_bytes;
    const double played = static_cast<double>(after.frames - before.frames) / 300;
    EXPECT_GE(played, frames.least * 0.99 - 0.05) << where;
    EXPECT_LE(played, frames.most * 1.01 + 0.05) << where;
    const double played_bytes = static_cast<double>(after.bytes - before.bytes) / 300;
    EXPECT_GE(played_bytes, bytes.least * 0.99 - 50) << where;
    EXPECT_LE(played_bytes, bytes.most * 1.01 + 50) << where;
  }
}

TEST(Ipv6Site, TwoMachinesWithOneAddress) {
  const auto f = told(R"(
hosts:
  a: {nics: {eth0: "2001:db8::1/64"}}
  b: {nics: {eth0: "2001:db8::1/64"}}
switches: {sw1: {}}
links: [[a:eth0, sw1:1], [b:eth0, sw1:2]]
)",
                      Code::kIpDuplicate);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "2001:db8::1")) << f->headline;
  EXPECT_TRUE(says(*f, "Neighbor Discovery")) << f->cause;
}

std::string refusal(std::string_view yaml) {
  const auto model = importers::parse_site(std::string("sekimori: 1\n") + std::string(yaml), "test");
  return model ? "" : model.error().text();
}

TEST(Ipv6Site, MistakesAreNamed) {
  const auto nic = [](std::string_view ip) {
    return refusal(fmt::format("hosts: {{a: {{nics: {{eth0: {{ip: {}}}}}}}}}\n", ip));
  };
  EXPECT_TRUE(nic("\"2001:db8::1\"").contains("needs its prefix length: write 2001:db8::1/64"));
  EXPECT_TRUE(nic("\"2001:db8::g/64\"").contains("like 2001:db8::1/64"));
  EXPECT_TRUE(nic("\"ff02::1/64\"").contains("multicast"));
  EXPECT_TRUE(nic("[\"2001:db8::1/64\", \"2001:db8::2/64\"]").contains("one IPv4 and one IPv6 address"));
  EXPECT_TRUE(nic("[10.0.0.1/24, 10.0.0.2/24]").contains("one IPv4 and one IPv6 address"));
  EXPECT_TRUE(nic("[[10.0.0.1/24]]").contains("ip")) << nic("[[10.0.0.1/24]]");
  EXPECT_TRUE(refusal("hosts: {a: {nics: {eth0: \"2001:db8::1/64\"}, gateway: \"2001:db9::1\"}}\n")
                  .contains("in none of the networks of 'a' (2001:db8::/64)"));
  EXPECT_TRUE(refusal("hosts: {a: {nics: {eth0: 10.0.0.1/24}, gateway: \"2001:db9::1\"}}\n")
                  .contains("has no IPv6 address"));
  EXPECT_TRUE(refusal("hosts: {a: {nics: {eth0: \"2001:db8::1/64\"}, nd: {advertise: 200s}}}\n")
                  .contains("only a router advertises itself"));
  const std::string pair =
      "hosts:\n  a: {nics: {eth0: \"2001:db8::1/64\"}}\n  b: {nics: {eth0: 10.0.0.1/24}}\n"
      "traffic: [{from: a, to: b, kind: udp, every: 1s, family: ipv6}]\n";
  EXPECT_TRUE(refusal(pair).contains("'b' has no IPv6 address to send to")) << refusal(pair);
  const std::string large =
      "hosts:\n  a: {nics: {eth0: \"2001:db8::1/64\"}}\n  b: {nics: {eth0: \"2001:db8::2/64\"}}\n"
      "traffic: [{from: a, to: b, kind: udp, every: 1s, size: 1453}]\n";
  EXPECT_TRUE(refusal(large).contains("1452")) << refusal(large);
}

}  // namespace
}  // namespace sekimori::scenarios
