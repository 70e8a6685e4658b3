// VXLAN between hosts: what endpoints learn and replicate, what it costs the network below, and that the
// analysis says the same as a run.
#include <algorithm>
#include <set>

#include "importers/site.h"
#include "load/load.h"
#include "load/proof.h"
#include "remedy/remedy.h"
#include "wire/decode.h"

#include "structural.h"

namespace sekimori::scenarios {
namespace {

using base::seconds;

// Three hosts, and a receiver that never says a word.
constexpr std::string_view kThree = R"(
hosts:
  hv1:
    nics: {eth0: 192.0.2.1/24}
    switches: {br0: {kind: linux-bridge}}
    guests:
      app: {nics: {net0: {on: br0, ip: 10.0.0.1/24}}, arp: {timeout: 30d}}
  hv2:
    nics: {eth0: 192.0.2.2/24}
    switches: {br0: {kind: linux-bridge}}
    guests:
      log: {nics: {net0: {on: br0, ip: 10.0.0.2/24}}}
  hv3:
    nics: {eth0: 192.0.2.3/24}
    switches: {br0: {kind: linux-bridge}}
    guests:
      web: {nics: {net0: {on: br0, ip: 10.0.0.3/24}}}
switches: {tor: {}}
links: [[hv1:eth0, tor:1], [hv2:eth0, tor:2], [hv3:eth0, tor:3]]
tunnels: {vx10: {vni: 10, members: [hv1/br0, hv2/br0, hv3/br0]}}
traffic:
  - {from: app, to: log, kind: udp, rate: 8Mbit/s, size: 1000}
)";

findings::Report proof(const model::Model& m) {
  findings::Report report;
  report.findings = check::structural(m);
  load::prove(m, report);
  return report;
}

std::int64_t frames_between(const model::Model& m, const simulate::RunResult& run, std::string_view port,
                            std::size_t from, std::size_t to) {
  return lane_from(m, run.windows[to].lanes, port).frames -
         lane_from(m, run.windows[from].lanes, port).frames;
}

// Known for an ageing time after its answer to the first question: one copy. Then two for each frame.
TEST(Vxlan, UnknownUnicastIsReplicatedToAll) {
  const model::Model m = site(kThree);
  const auto run = play(m, seconds(600), seconds(10));
  const auto second = [&](int at) { return static_cast<std::size_t>(at / 10 - 1); };
  EXPECT_NEAR(static_cast<double>(frames_between(m, run, "hv1:eth0", second(100), second(200))), 100'000, 50);
  EXPECT_LE(frames_between(m, run, "tor:3", second(100), second(200)), 20) << "known";
  EXPECT_NEAR(static_cast<double>(frames_between(m, run, "hv1:eth0", second(400), second(500))), 200'000, 50);
  EXPECT_NEAR(static_cast<double>(frames_between(m, run, "tor:3", second(400), second(500))), 100'000, 50);
  const auto& last = lane_from(m, run.lanes, "tor:3");
  const auto& before = lane_from(m, run.windows[second(500)].lanes, "tor:3");
  EXPECT_EQ(last.flooded_bytes - before.flooded_bytes,
            last.flooded_frames * 1092 - before.flooded_frames * 1092)
      << "1042 bytes and 50 around them";
  EXPECT_GE(run.flows[0].delivered_frames, 599'000);
}

TEST(Vxlan, TheFloodIsProvedWithItsLoadBelow) {
  const model::Model m = site(kThree);
  const auto report = proof(m);
  const Finding* f = find(report, Code::kFloodSilent);
  ASSERT_NE(f, nullptr) << codes(report);
  EXPECT_TRUE(says(*f, "log")) << f->headline;
  const load::Load load = load::work_out(check::Learning(m));
  const auto lane = [&](std::string_view port) {
    for (std::size_t l = 0; l < m.links.size(); ++l) {
      if (name_of(m, m.links[l].a) == port) return load.lanes[simulate::lane_index(model::LinkId(l), true)];
      if (name_of(m, m.links[l].b) == port) return load.lanes[simulate::lane_index(model::LinkId(l), false)];
    }
    ADD_FAILURE() << port;
    return load::Lane{};
  };
  EXPECT_NEAR(lane("tor:3").flooded_frames.least, 1000, 1);
  EXPECT_NEAR(lane("tor:3").flooded_bytes.most, 1'092'000, 1000);
  EXPECT_NEAR(lane("tor:2").wanted_frames.least, 1000, 1);
  EXPECT_NEAR(lane("hv1:eth0").flooded_frames.least, 1000, 1);
}

TEST(Vxlan, RemediesEndIt) {
  auto report = proof(site(kThree));
  remedy::search(site(kThree), {}, report);
  const Finding* f = find(report, Code::kFloodSilent);
  ASSERT_NE(f, nullptr);
  for (const std::string_view word : {"gratuitous-arp", "arp-timeout", "static-entry"}) {
    const auto outcome = std::ranges::find(f->remedies, word, &findings::RemedyOutcome::word);
    ASSERT_NE(outcome, f->remedies.end()) << word;
    EXPECT_TRUE(outcome->ends_fault) << word;
  }
}

// Endpoints that are told, as by EVPN, flood nothing; the bridge of the sender still does, inside its host.
TEST(Vxlan, StaticEntriesInPlaceOfLearning) {
  const model::Model m = site(
      with(kThree, "members:", "learning: off, static: [{station: \"log:net0\", member: hv2}], members:"));
  const auto run = play(m, seconds(600), seconds(100));
  EXPECT_LE(frames_between(m, run, "tor:3", 3, 5), 60);
  EXPECT_GE(frames_between(m, run, "tor:2", 3, 5), 199'000);
  // The bridges of the two hosts know no better, but have nobody else to send it to.
  const auto report = proof(m);
  const Finding* f = find(report, Code::kFloodSilent);
  EXPECT_TRUE(f == nullptr || f->links.empty()) << f->headline;
  EXPECT_EQ(find(report, Code::kAgeingZero), nullptr);
}

TEST(Vxlan, NoStormWithoutASpanningTree) {
  const model::Model m = site(with(kThree, "kind: udp, rate: 8Mbit/s, size: 1000", "kind: ping, every: 1s"));
  EXPECT_FALSE(told(m, Code::kLoop));
  const auto run = play(m, seconds(60));
  EXPECT_TRUE(run.loops.empty());
  EXPECT_GE(run.flows[0].answered, 58);
}

// Two tunnels between the same bridges are a ring.
TEST(Vxlan, TwoTunnelsAreARing) {
  const model::Model m = site(with(kThree, "tunnels: {", "tunnels: {vx20: {members: [hv1/br0, hv2/br0]}, "));
  EXPECT_TRUE(told(m, Code::kLoop));
}

// The packets as RFC 7348 has them, with the frame inside.
TEST(Vxlan, PacketsOfACapture) {
  const model::Model m = site(kThree);
  simulate::Options options;
  options.until = seconds(2);
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    if (name_of(m, model::PortId(p)) == "tor:1") options.captures.emplace_back(p);
  }
  std::set<std::string> inside;
  std::size_t packets = 0;
  options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
    const wire::Bytes bytes(reinterpret_cast<const std::uint8_t*>(frame.bytes.data()), frame.bytes.size());
    const auto packet = wire::decode(wire::LinkType::ethernet, bytes);
    EXPECT_FALSE(packet.defect);
    if (!packet.tunnel) return {};
    ++packets;
    EXPECT_EQ(packet.tunnel->kind, wire::Tunnel::Kind::vxlan);
    EXPECT_EQ(packet.tunnel->id, 10u);
    EXPECT_EQ(packet.get<wire::Udp>()->destination_port, 4789);
    EXPECT_EQ(bytes.size(), packet.tunnel->frame.size() + 50);
    const auto inner = wire::decode(wire::LinkType::ethernet, packet.tunnel->frame);
    EXPECT_FALSE(inner.defect);
    if (const auto* ip = inner.get<wire::Ipv4Header>()) inside.insert(wire::to_text(ip->destination));
    if (inner.get<wire::Arp>() != nullptr) inside.insert("arp");
    return {};
  };
  ASSERT_TRUE(simulate::run(m, options));
  EXPECT_GT(packets, 1900u);
  EXPECT_EQ(inside, (std::set<std::string>{"10.0.0.2", "arp"}));
}

// A slow link below loses packets of the tunnel, and so what is in them.
TEST(Vxlan, TheNetworkBelowIsTheBottleneck) {
  const model::Model m = site(with(kThree, "[hv2:eth0, tor:2]", "[hv2:eth0, tor:2, 4Mbit/s]"));
  const auto run = play(m, seconds(20));
  EXPECT_LT(run.flows[0].delivered_frames, 10'000);
  EXPECT_GT(run.flows[0].delivered_frames, 7'000);
}

// Lane by lane, inside and below, over a router as well.
TEST(Vxlan, LoadsAreProved) {
  const model::Model m = site(R"(
hosts:
  hv1:
    nics: {eth0: 192.0.2.1/24}
    gateway: 192.0.2.254
    switches: {br0: {kind: linux-bridge, ageing: 40s}}
    guests:
      a: {nics: {net0: {on: br0, ip: 10.0.0.1/24}}}
      b: {nics: {net0: {on: br0, ip: 10.0.0.2/24}}, arp: {timeout: 30d, announce: never}}
  hv2:
    nics: {eth0: 192.0.2.2/24}
    gateway: 192.0.2.254
    switches: {br0: {kind: ovs}}
    guests:
      c: {nics: {net0: {on: br0, ip: 10.0.0.3/24}}, arp: {announce: [start, 7s]}}
      d: {nics: {net0: {on: br0, ip: 10.0.0.4/24}}}
  hv3:
    nics: {eth0: 198.51.100.3/24}
    gateway: 198.51.100.254
    switches: {br0: {kind: linux-bridge}}
    guests:
      e: {nics: {net0: {on: br0, ip: 10.0.0.5/24}}}
  hv4:
    nics: {eth0: 198.51.100.4/24}
    gateway: 198.51.100.254
    switches: {br0: {kind: linux-bridge}}
    guests:
      f: {nics: {net0: {on: br0, ip: 10.0.0.6/24}}}
routers: {gw: {nics: {x: 192.0.2.254/24, y: 198.51.100.254/24}}}
switches: {s1: {ageing: 60s}, s2: {ageing: 20s}}
links:
  - [hv1:eth0, s1:1]
  - [hv2:eth0, s1:2]
  - [gw:x, s1:3]
  - [gw:y, s2:3]
  - [hv3:eth0, s2:1]
  - [hv4:eth0, s2:2]
tunnels: {vx: {vni: 7, ageing: 30s, members: [hv1/br0, hv2/br0, hv3/br0, hv4/br0]}}
traffic:
  - {from: a, to: c, kind: ping, every: 100ms}
  - {from: b, to: d, kind: udp, every: 50ms}
  - {from: d, to: e, kind: request, every: 300ms, response: 1400}
  - {from: e, to: a, kind: udp, every: 3s}
  - {from: b, to: f, kind: udp, every: 200ms}
  - {from: f, to: c, kind: tcp, rate: 200kbit/s}
)");
  const check::Learning learning(m);
  for (const auto& component : learning.forest().components()) EXPECT_FALSE(component.broken());
  const load::Load load = load::work_out(learning);
  const auto run = play(m, seconds(1000), seconds(500));
  std::size_t decided = 0;
  for (std::size_t lane = 0; lane < run.lanes.size(); ++lane) {
    const std::string where = name_of(m, m.links[lane / 2].a) + (lane % 2 == 0 ? " out" : " in");
    const auto& before = run.windows[0].lanes[lane];
    const auto& after = run.windows[1].lanes[lane];
    load::Range frames = load.lanes[lane].wanted_frames;
    frames += load.lanes[lane].flooded_frames;
    decided += frames.decided() && frames.most > 0;
    const double played = static_cast<double>(after.frames - before.frames) / 500;
    EXPECT_GE(played, frames.least * 0.99 - 0.1) << where;
    EXPECT_LE(played, frames.most * 1.01 + 0.1) << where;
    const double flooded = static_cast<double>(after.flooded_frames - before.flooded_frames) / 500;
    EXPECT_GE(flooded, load.lanes[lane].flooded_frames.least * 0.99 - 0.1) << where;
    EXPECT_LE(flooded, load.lanes[lane].flooded_frames.most * 1.01 + 0.1) << where;
  }
  EXPECT_GT(decided, 5u);
}

std::string refusal(std::string_view yaml) {
  const auto model = importers::parse_site(std::string("sekimori: 1\n") + std::string(yaml), "test");
  return model ? "" : model.error().text();
}

TEST(Vxlan, MistakesAreNamed) {
  const auto members = [](std::string_view list) {
    return refusal(with(kThree, "members: [hv1/br0, hv2/br0, hv3/br0]", fmt::format("members: {}", list)));
  };
  EXPECT_TRUE(members("[hv1/br0]").contains("joins 2 to 64 virtual switches"));
  EXPECT_TRUE(members("[hv1, hv2/br0]").contains("a member is written host/switch"));
  EXPECT_TRUE(members("[hv1/br1, hv2/br0]").contains("has no virtual switch"));
  EXPECT_TRUE(members("[hv1/br0, hv1/br0]").contains("the name 'vx10' is used twice"))
      << members("[hv1/br0, hv1/br0]");
  EXPECT_TRUE(members("[hv1/br0, {on: hv2/br0, via: eth7}]").contains("no NIC 'eth7' with an IPv4 address"));
  EXPECT_TRUE(members("[hv1/br0, {via: eth0}]").contains("a member as host/switch"))
      << members("[hv1/br0, {via: eth0}]");
  EXPECT_TRUE(refusal(with(kThree, "nics: {eth0: 192.0.2.2/24}", "nics: {eth0: {}}"))
                  .contains("'hv2' has no IPv4 address outside of 'br0'"));
  EXPECT_TRUE(refusal(with(kThree, "nics: {eth0: 192.0.2.2/24}", "nics: {eth0: 198.51.100.2/24}"))
                  .contains("no route from hv1 to hv2"));
  const std::string bridged = with(kThree, "{br0: {kind: linux-bridge}}\n    guests:\n      log",
                                   "{br0: {kind: linux-bridge, uplinks: [eth0]}}\n    guests:\n      log");
  EXPECT_TRUE(refusal(bridged).contains("'hv2' has no IPv4 address outside of 'br0'"));
  EXPECT_TRUE(refusal(with(bridged, "hv2/br0, hv3/br0", "{on: hv2/br0, via: eth0}, hv3/br0"))
                  .contains("itself in a segment that a tunnel carries"));
  EXPECT_TRUE(refusal(with(kThree, "{br0: {kind: linux-bridge}}", "{br0: {kind: linux-bridge, stp: on}}"))
                  .contains("runs a spanning tree"));
  EXPECT_TRUE(refusal(with(kThree, "members:", "static: [{station: \"log:net0\", member: hv9}], members:"))
                  .contains("hv9"));
  EXPECT_TRUE(refusal(with(kThree, "vni: 10", "vni: 16777216")).contains("vni"));
}

}  // namespace
}  // namespace sekimori::scenarios
