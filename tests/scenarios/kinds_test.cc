// Incidents on virtual switches of particular kinds: what is proved of them without playing a frame, what a
// run shows, and that the remedy ends it.
#include <algorithm>

#include "load/proof.h"
#include "remedy/remedy.h"

#include "structural.h"

namespace sekimori::scenarios {
namespace {

using findings::Certainty;

findings::Report proof(const model::Model& model) {
  findings::Report report;
  report.findings = check::structural(model);
  load::prove(model, report);
  return report;
}

// Of the lane that leads to the named port.
const simulate::LaneCounters& lane_to(const model::Model& m, const std::vector<simulate::LaneCounters>& lanes,
                                      std::string_view port) {
  for (std::size_t l = 0; l < m.links.size(); ++l) {
    if (name_of(m, m.links[l].a) == port) return lanes[simulate::lane_index(model::LinkId(l), false)];
    if (name_of(m, m.links[l].b) == port) return lanes[simulate::lane_index(model::LinkId(l), true)];
  }
  ADD_FAILURE() << "no port " << port;
  return lanes.front();
}

std::int64_t delivered(const simulate::RunResult& run, std::size_t flow = 0) {
  return run.flows[flow].delivered_frames;
}

// ---------------------------------------------------------------- I-02, ovn-kubernetes 5318

constexpr std::string_view kBypass = R"(
hosts:
  node1:
    nics: {eth0: {}}
    switches:
      breth0:
        kind: ovs
        uplinks: [eth0]
        ip: 10.0.0.1/24
        flows: [{in-port: eth0, station: "node1:breth0", output: [LOCAL]}]
    guests: {pod: {nics: {net0: {on: breth0, ip: 10.0.0.11/24}}}}
  node2: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}}
links: [[node1:eth0, sw1:1], [node2:eth0, sw1:2]]
traffic: [{from: node1, to: node2, kind: tcp, rate: 20Mbit/s}]
)";

TEST(OvsBypass, IsProvedBeforeAnyFrame) {
  const model::Model m = site(kBypass);
  const auto report = proof(m);
  const Finding* f = find(report, Code::kFloodBypass);
  ASSERT_NE(f, nullptr) << codes(report);
  EXPECT_EQ(f->certainty, Certainty::kProved);
  EXPECT_EQ(f->where, "node1/breth0");
  EXPECT_TRUE(says(*f, "Only NORMAL learns")) << f->cause;
  ASSERT_FALSE(f->links.empty());
  EXPECT_NEAR(f->links.front().flooded_mbit, 20.9, 0.5);
}

TEST(OvsBypass, IsWhatARunShows) {
  const model::Model m = site(kBypass);
  const auto run = play(m, base::seconds(400));
  const auto flooded = [&](std::size_t second) {
    return lane_to(m, run.windows[second - 1].lanes, "pod:net0").flooded_bytes;
  };
  EXPECT_LT(flooded(295) - flooded(5), 10'000) << "its announcement is remembered for an ageing time";
  EXPECT_NEAR(static_cast<double>(flooded(390) - flooded(310)) * 8e-6 / 80, 20.9, 0.5);
}

TEST(OvsBypass, NormalEndsIt) {
  const auto repaired = [](std::string_view flows) {
    return proof(site(with(std::string(kBypass), "output: [LOCAL]}]", std::string(flows))));
  };
  EXPECT_EQ(find(repaired("output: [normal]}]"), Code::kFloodBypass), nullptr);
  // A flow that takes something else.
  EXPECT_EQ(find(repaired("output: [LOCAL], type: arp}]"), Code::kFloodBypass), nullptr);
}

// ---------------------------------------------------------------- I-16, SR-IOV and a bridge on the PF

constexpr std::string_view kVeb = R"(
hosts:
  nfv:
    nics: {ens1: {}}
    switches:
      veb: {kind: sriov, uplinks: [ens1]}
      br0: {kind: linux-bridge}
    guests:
      fast: {nics: {net0: {on: veb, ip: 10.0.0.1/24}}}
      old: {nics: {net0: {on: br0, ip: 10.0.0.2/24}}}
  desk: {nics: {eth0: 10.0.0.3/24}}
switches: {sw1: {}}
links: [[nfv:ens1, sw1:1], [desk:eth0, sw1:2], [nfv/veb:pf, nfv/br0:pf]]
traffic: [{from: fast, to: old, kind: udp, rate: 10Mbit/s}]
)";

TEST(Sriov, FramesForABridgeOnThePfGoOutOfTheWire) {
  const model::Model m = site(kVeb);
  const auto report = proof(m);
  const Finding* f = find(report, Code::kFloodVeb);
  ASSERT_NE(f, nullptr) << codes(report);
  EXPECT_EQ(f->where, "nfv/veb");
  EXPECT_TRUE(says(*f, "bridge fdb add")) << f->cause;
  const auto run = play(m, base::seconds(700));
  EXPECT_GT(lane_from(m, run.lanes, "sw1:2").flooded_frames, 100'000);
  EXPECT_EQ(delivered(run), 0) << "and nothing arrives";
}

TEST(Sriov, AnEntryForTheGuestEndsIt) {
  const model::Model m = site(with(std::string(kVeb), "uplinks: [ens1]}",
                                   "uplinks: [ens1], static: [{station: \"old:net0\", port: pf}]}"));
  EXPECT_EQ(find(proof(m), Code::kFloodVeb), nullptr);
  const auto run = play(m, base::seconds(20));
  EXPECT_EQ(lane_from(m, run.lanes, "sw1:2").flooded_frames, 0);
  EXPECT_GT(delivered(run), 1000);
}

// ---------------------------------------------------------------- I-26, IP hash without an aggregation

std::string team(std::string_view teaming, std::string_view links) {
  return fmt::format(R"(
hosts:
  esx:
    nics: {{vmnic0: {{}}, vmnic1: {{}}}}
    switches: {{vs0: {{kind: esxi, uplinks: [vmnic0, vmnic1], teaming: {}}}}}
    guests: {{vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.1/24}}}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}}}
  b: {{nics: {{eth0: 10.0.0.3/24}}}}
switches: {{sw1: {{}}, sw2: {{}}}}
links: [[a:eth0, sw1:1], [b:eth0, sw1:2], {}]
traffic: [{{from: vm, to: a, kind: udp, rate: 1Mbit/s}}, {{from: vm, to: b, kind: udp, rate: 1Mbit/s}}]
)",
                     teaming, links);
}
constexpr std::string_view kOneSwitch = "[esx:vmnic0, sw1:3], [esx:vmnic1, sw1:4]";

TEST(Teaming, IpHashWithoutAnAggregationFlaps) {
  const model::Model m = site(team("ip-hash", kOneSwitch));
  const auto f = told(m, Code::kFlapTeaming);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "sw1:3 and sw1:4")) << f->cause;
  // And so it does: the entry moves with the packets.
  const auto run = play(m, base::seconds(10));
  ASSERT_FALSE(run.moves.empty());
  EXPECT_GT(run.moves.front().moves, 500);
  EXPECT_FALSE(told(m, Code::kLoop)) << "a team is no ring";
}

TEST(Teaming, ByPortOrAddressIsQuiet) {
  for (const char* teaming : {"port-id", "mac-hash", "failover"}) {
    const model::Model m = site(team(teaming, kOneSwitch));
    EXPECT_FALSE(told(m, Code::kFlapTeaming)) << teaming;
    EXPECT_FALSE(told(m, Code::kLoop)) << teaming;
    const auto run = play(m, base::seconds(10));
    EXPECT_TRUE(run.moves.empty()) << teaming;
    EXPECT_TRUE(run.loops.empty()) << teaming;
    EXPECT_GT(delivered(run), 800) << teaming;
  }
  EXPECT_FALSE(told(site(team("ip-hash", "[esx:vmnic0, sw1:3], [esx:vmnic1, sw2:4]")), Code::kFlapTeaming))
      << "two networks that do not meet";
}

std::string aggregated(std::string_view teaming, std::string_view more = "") {
  std::string yaml = with(team(teaming, kOneSwitch), "sw1: {}", "sw1: {ports: {3: {lag: 1}, 4: {lag: 1}}}");
  return with(std::move(yaml), "teaming:", std::string(more) + "teaming:");
}

TEST(Teaming, AnAggregationOutsideMakesIpHashRight) {
  const model::Model m = site(aggregated("ip-hash"));
  EXPECT_FALSE(told(m, Code::kFlapTeaming));
  EXPECT_FALSE(told(m, Code::kLoop));
  const auto run = play(m, base::seconds(10));
  EXPECT_TRUE(run.moves.empty());
  EXPECT_GT(delivered(run), 800);
  EXPECT_GT(delivered(run, 1), 800);
  for (const char* uplink : {"esx/vs0:vmnic0", "esx/vs0:vmnic1"})
    EXPECT_GT(lane_from(m, run.lanes, uplink).frames, 800) << "each peer has an uplink of its own";
}

// I-27
TEST(Teaming, BeaconsDoNotGoWithAnAggregation) {
  const auto f = told(site(aggregated("ip-hash", "beacon-probing: on, ")), Code::kFlapTeaming);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "sw1:3 and sw1:4 are one link aggregation group")) << f->cause;
  const std::string alone = with(team("port-id", kOneSwitch), "teaming:", "beacon-probing: on, teaming:");
  const auto few = told(site(alone), Code::kFlapTeaming);
  ASSERT_TRUE(few);
  EXPECT_EQ(few->severity, Severity::kNote) << few->headline;
  EXPECT_TRUE(says(*few, "probes two uplinks")) << few->headline;
  std::string three = with(alone, "vmnic1: {}}", "vmnic1: {}, vmnic2: {}}");
  three = with(with(three, "vmnic1],", "vmnic1, vmnic2],"), "links: [[", "links: [[esx:vmnic2, sw1:5], [");
  EXPECT_FALSE(told(site(three), Code::kFlapTeaming));
}

// When an uplink goes down, the network outside learns the new way by RARP; without, it waits for the guest.
TEST(Teaming, SwitchesAreNotified) {
  const auto lost_after_failure = [](bool notify) {
    std::string yaml = fmt::format(R"(
hosts:
  esx:
    nics: {{vmnic0: {{}}, vmnic1: {{}}}}
    switches: {{vs0: {{kind: esxi, uplinks: [vmnic0, vmnic1], teaming: failover, notify-switches: {}}}}}
    guests: {{vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.1/24}}}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}, arp: {{timeout: 1h}}}}
switches: {{sw1: {{}}, sw2: {{}}, sw3: {{}}}}
links:
  - [sw1:1, sw2:1]
  - [sw1:2, sw3:1]
  - [a:eth0, sw1:3]
  - [esx:vmnic0, sw2:2]
  - [esx:vmnic1, sw3:2]
traffic: [{{from: a, to: vm, kind: udp, every: 10ms}}]
changes: [{{at: 20s, link-down: "esx:vmnic0"}}]
)",
                                   notify ? "on" : "off");
    const auto run = play(site(yaml), base::seconds(60));
    return run.flows[0].sent_frames - run.flows[0].delivered_frames;
  };
  EXPECT_LT(lost_after_failure(true), 5);
  EXPECT_GT(lost_after_failure(false), 3900) << "sw1 still sends to sw2";
}

// ---------------------------------------------------------------- link aggregation

constexpr std::string_view kAggregation = R"(
hosts:
  a: {nics: {eth0: 10.0.0.1/24}}
  b: {nics: {eth0: 10.0.0.2/24}}
  c: {nics: {eth0: 10.0.0.3/24}}
switches:
  sw1: {ports: {10: {lag: 7}, 11: {lag: 7}}}
  sw2: {ports: {10: {lag: 7}, 11: {lag: 7}}}
links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [c:eth0, sw2:2], [sw1:10, sw2:10], [sw1:11, sw2:11]]
traffic: [{from: a, to: b, kind: ping, every: 10ms}, {from: a, to: c, kind: ping, every: 10ms}]
changes: [{at: 10s, link-down: "sw1:10"}]
)";

TEST(Aggregation, IsOneLinkAndSurvivesOneOfIts) {
  const model::Model m = site(kAggregation);
  EXPECT_FALSE(told(m, Code::kLoop));
  const auto run = play(m, base::seconds(20));
  EXPECT_TRUE(run.loops.empty());
  EXPECT_TRUE(run.moves.empty());
  for (const std::size_t flow : {0, 1}) EXPECT_GT(run.flows[flow].answered, 1980) << flow;
  // Broadcasts take one member: nobody gets them twice.
  EXPECT_LT(lane_from(m, run.lanes, "sw2:1").frames, 2100);
}

TEST(Aggregation, WithoutItTwoLinksAreARing) {
  std::string yaml = with(std::string(kAggregation), "sw1: {ports: {10: {lag: 7}, 11: {lag: 7}}}", "sw1: {}");
  yaml = with(yaml, "sw2: {ports: {10: {lag: 7}, 11: {lag: 7}}}", "sw2: {}");
  EXPECT_TRUE(told(yaml, Code::kLoop));
}

TEST(Aggregation, ASpanningTreeLeavesItWhole) {
  std::string yaml = with(std::string(kAggregation), "sw1: {ports:", "sw1: {stp: on, ports:");
  yaml = with(yaml, "sw2: {ports:", "sw2: {stp: on, ports:");
  const model::Model m = site(yaml);
  const auto run = play(m, base::seconds(10));
  for (const std::size_t flow : {0, 1}) EXPECT_GT(run.flows[flow].answered, 900) << flow;
}

// ---------------------------------------------------------------- flags of a Linux bridge's ports

std::string bridge_with(std::string_view flags, std::string_view more = "") {
  return fmt::format(R"(
hosts:
  h:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24{}}}}}
    guests: {{vm: {{nics: {{net0: {{on: br0, ip: 10.0.0.2/24, {}}}}}}}}}
  desk: {{nics: {{eth0: 10.0.0.3/24}}}}
switches: {{sw1: {{}}}}
links: [[h:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic: [{{from: desk, to: vm, kind: ping, every: 10ms}}, {{from: h, to: vm, kind: ping, every: 10ms}}]
)",
                     more, flags);
}

TEST(LinuxBridge, ALockedPortTakesWhomTheTableHas) {
  const auto locked = play(site(bridge_with("locked: on")), base::seconds(10));
  EXPECT_EQ(locked.flows[0].answered, 0);
  const auto known =
      play(site(bridge_with("locked: on", ", static: [{station: \"vm:net0\"}]")), base::seconds(10));
  EXPECT_GT(known.flows[0].answered, 900);
}

TEST(LinuxBridge, BroadcastsOfTheHostAlone) {
  const auto run = play(site(bridge_with("broadcast-flood: off")), base::seconds(10));
  EXPECT_EQ(run.flows[0].answered, 0) << "the question does not get there";
  EXPECT_GT(run.flows[1].answered, 900) << "that of the host does";
}

// ---------------------------------------------------------------- nested hypervisors

std::string nested(std::string_view kind, std::string_view policies) {
  return fmt::format(R"(
hosts:
  outer:
    nics: {{eth0: {{}}, eth1: {{}}}}
    switches: {{vs0: {{kind: {}, uplinks: [eth0]}}, vs1: {{kind: linux-bridge, uplinks: [eth1]}}}}
    guests:
      inner:
        nics: {{net0: {{on: vs0, {}}}, net1: {{on: vs1}}}}
        switches: {{br: {{kind: linux-bridge, uplinks: [net0, net1], ip: 10.0.0.9/24}}}}
  behind: {{nics: {{eth0: 10.0.0.1/24}}}}
  desk: {{nics: {{eth0: 10.0.0.2/24}}}}
switches: {{sw1: {{}}, sw2: {{}}}}
links: [[outer:eth0, sw1:1], [outer:eth1, sw2:1], [desk:eth0, sw1:2], [behind:eth0, sw2:2]]
traffic: [{{from: desk, to: behind, kind: udp, rate: 1Mbit/s}}]
)",
                     kind, policies);
}

TEST(Nested, WithoutPoliciesNothingBehindTheGuestIsReached) {
  for (const char* kind : {"esxi", "hyperv", "sriov", "macvlan"}) {
    const model::Model m = site(nested(kind, "promiscuous: on"));
    EXPECT_TRUE(told(m, Code::kBlackholeNested)) << kind;
    const auto run = play(m, base::seconds(10));
    EXPECT_EQ(delivered(run), 0) << kind;
  }
}

TEST(Nested, PoliciesOpenTheWay) {
  for (const auto& [kind, policies] : {std::pair("esxi", "promiscuous-mode: on, forged-transmits: on"),
                                       std::pair("hyperv", "mac-spoofing: on")}) {
    const model::Model m = site(nested(kind, policies));
    EXPECT_FALSE(told(m, Code::kBlackholeNested)) << kind;
    const auto run = play(m, base::seconds(10));
    EXPECT_GT(delivered(run), 800) << kind;
  }
  const auto half = told(site(nested("esxi", "forged-transmits: on")), Code::kBlackholeNested);
  ASSERT_TRUE(half);
  EXPECT_TRUE(says(*half, "lacks promiscuous-mode: on.")) << half->cause;
}

// ---------------------------------------------------------------- macvlan

std::string macvlan(std::string_view mode, std::string_view port, std::string_view traffic) {
  return fmt::format(R"(
hosts:
  h:
    nics: {{eth0: {{ip: 10.0.0.1/24}}}}
    switches: {{mv: {{kind: macvlan, uplinks: [eth0], mode: {}}}}}
    guests: {{a: {{nics: {{net0: {{on: mv, ip: 10.0.0.2/24}}}}}}, b: {{nics: {{net0: {{on: mv, ip: 10.0.0.3/24}}}}}}}}
  desk: {{nics: {{eth0: 10.0.0.4/24}}}}
switches: {{sw1: {{ports: {{1: {{{}}}}}}}}}
links: [[h:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic: [{{{}, kind: udp, rate: 1Mbit/s}}]
)",
                     mode, port, traffic);
}

std::int64_t delivered(const std::string& yaml) { return delivered(play(site(yaml), base::seconds(10))); }

TEST(Macvlan, WhoReachesWhom) {
  constexpr const char *kOff = "hairpin: off", *kOn = "hairpin: on";
  EXPECT_GT(delivered(macvlan("bridge", kOff, "from: a, to: b")), 800);
  EXPECT_EQ(delivered(macvlan("vepa", kOff, "from: a, to: b")), 0);
  EXPECT_GT(delivered(macvlan("vepa", kOn, "from: a, to: b")), 800);
  EXPECT_EQ(delivered(macvlan("private", kOn, "from: a, to: b")), 0) << "the question is not handed on";
  for (const char* mode : {"bridge", "vepa", "private"}) {
    EXPECT_EQ(delivered(macvlan(mode, kOff, "from: h, to: a")), 0) << mode << ": host and guest never meet";
    EXPECT_GT(delivered(macvlan(mode, kOff, "from: desk, to: a")), 800) << mode;
    EXPECT_GT(delivered(macvlan(mode, kOff, "from: desk, to: h")), 800) << mode;
  }
  EXPECT_GT(delivered(macvlan("vepa", kOn, "from: h, to: a")), 800) << "over the switch outside";
}

}  // namespace
}  // namespace sekimori::scenarios
