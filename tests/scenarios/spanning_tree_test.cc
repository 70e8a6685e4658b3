// The spanning tree played in sites: how long failures last, what topology changes make bridges forget, what
// guards and filters do, and what a diagnosis says of it.
#include <algorithm>

#include "remedy/remedy.h"
#include "wire/decode.h"

#include "structural.h"

namespace sekimori::scenarios {
namespace {

using findings::Code;

std::string everywhere(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// A ring of three, the root on top; a link of it fails at 60 s.
constexpr std::string_view kRing = R"(
hosts: {a: {nics: {eth0: 10.0.0.1/24}}, b: {nics: {eth0: 10.0.0.2/24}}}
switches:
  top: {stp: on, priority: 0}
  left: {stp: on, ports: {1: {edge: on}}}
  right: {stp: on, ports: {1: {edge: on}}}
links: [[a:eth0, left:1], [b:eth0, right:1], [top:1, left:2], [top:2, right:2], [left:3, right:3]]
traffic: [{from: a, to: b, kind: udp, every: 100ms}]
changes: [{at: 60s, link-down: [top:2, right:2]}]
)";

findings::Report remedied(const model::Model& m, base::Time until) {
  remedy::Options options;
  options.run = simulate::diagnosing_options(m, until);
  const auto run = simulate::run(m, options.run);
  EXPECT_TRUE(run);
  findings::Report report;
  report.findings = check::structural(m);
  simulate::explain(m, options.run, *run, report);
  EXPECT_TRUE(remedy::work_out(m, *run, options, report));
  return report;
}

std::int64_t lost(const model::Model& m, base::Time until) {
  const auto run = play(m, until);
  return run.flows[0].sent_frames - run.flows[0].delivered_frames;
}

TEST(SpanningTree, AFailedLinkCosts30SecondsWithStpAndNextToNothingWithRstp) {
  // 30 s at ten a second; the first frames of the run wait for ARP.
  EXPECT_NEAR(static_cast<double>(lost(site(kRing), base::seconds(150))), 300, 15);
  EXPECT_LE(lost(site(everywhere(std::string(kRing), "stp: on", "stp: rstp")), base::seconds(150)), 2);
}

TEST(SpanningTree, TheTimersAreTheRoots) {
  const std::string fast = everywhere(std::string(kRing), "priority: 0", "priority: 0, forward-delay: 4s");
  EXPECT_NEAR(static_cast<double>(lost(site(fast), base::seconds(150))), 80, 15);
}

// I-13: a laptop whose port is no edge port comes and goes; the server that nobody hears for a while is
// forgotten with every change, and its stream is flooded to everybody.
constexpr std::string_view kFlapping = R"(
hosts:
  camera: {nics: {eth0: 10.0.0.1/24}}
  recorder: {nics: {eth0: 10.0.0.2/24}}
  laptop: {nics: {eth0: 10.0.0.3/24}}
  desk: {nics: {eth0: 10.0.0.4/24}}
switches: {core: {stp: on, priority: 0}, floor: {stp: on}}
links:
  - [camera:eth0, floor:1]
  - [recorder:eth0, core:1]
  - [laptop:eth0, floor:2]
  - [desk:eth0, core:2]
  - [core:24, floor:24]
traffic: [{from: camera, to: recorder, kind: udp, rate: 4Mbit/s}]
changes:
  - {at: 400s, link-down: laptop:eth0}
  - {at: 405s, link-up: laptop:eth0}
  - {at: 500s, link-down: laptop:eth0}
  - {at: 505s, link-up: laptop:eth0}
  - {at: 600s, link-down: laptop:eth0}
  - {at: 605s, link-up: laptop:eth0}
)";

TEST(SpanningTree, AFlappingPortMakesEverybodyForget) {
  const model::Model m = site(kFlapping);
  const auto report = diagnose(m, base::seconds(700));
  const auto* flood = find(report, Code::kFloodTopologyChange);
  ASSERT_NE(flood, nullptr) << codes(report);
  EXPECT_NE(flood->cause.find("floor:2 began or ceased to forward 3 times"), std::string::npos)
      << flood->cause;
  EXPECT_GE(*flood->onset, base::seconds(435));
  const auto* changes = find(report, Code::kTopologyChanges);
  ASSERT_NE(changes, nullptr);
  EXPECT_EQ(changes->where, "floor:2");
  EXPECT_EQ(changes->severity, findings::Severity::kNote);

  // Declared as an edge port, it changes nothing.
  const auto quiet = diagnose(site(everywhere(std::string(kFlapping), "floor: {stp: on}",
                                              "floor: {stp: on, ports: {2: {edge: on}}}")),
                              base::seconds(700));
  EXPECT_EQ(find(quiet, Code::kFloodTopologyChange), nullptr);
  EXPECT_EQ(find(quiet, Code::kTopologyChanges), nullptr);
}

TEST(SpanningTree, RstpFindsEdgePortsOutAndFlushesWhereItMayNot) {
  const std::string rapid = everywhere(std::string(kFlapping), "stp: on", "stp: rstp");
  const auto quiet = diagnose(site(rapid), base::seconds(700));
  EXPECT_EQ(find(quiet, Code::kTopologyChanges), nullptr);
  const auto flushed =
      diagnose(site(everywhere(rapid, "floor: {stp: rstp}", "floor: {stp: rstp, ports: {2: {edge: off}}}")),
               base::seconds(700));
  EXPECT_NE(find(flushed, Code::kTopologyChanges), nullptr);
  EXPECT_NE(find(flushed, Code::kFloodTopologyChange), nullptr) << codes(flushed);
}

TEST(SpanningTree, EdgePortsAreTheRemedy) {
  const auto report = remedied(site(kFlapping), base::seconds(700));
  const auto* flood = find(report, Code::kFloodTopologyChange);
  ASSERT_NE(flood, nullptr);
  ASSERT_FALSE(flood->remedies.empty());
  EXPECT_EQ(flood->remedies.front().word, "edge-ports");
  EXPECT_TRUE(flood->remedies.front().ends_fault);
}

TEST(SpanningTree, ManyChangesAreAWarning) {
  std::string text(kFlapping);
  for (int i = 0; i < 12; ++i)
    text += "  - {at: " + std::to_string(610 + i * 7) +
            "s, link-down: laptop:eth0}\n  - {at: " + std::to_string(611 + i * 7) +
            "s, link-up: laptop:eth0}\n";
  text = everywhere(text, "stp: on", "stp: rstp");
  // An edge port that is declared as none, and whose owner gave it a forward delay of 0: each time up is a
  // change.
  text = everywhere(text, "priority: 0}", "priority: 0, forward-delay: 0s, max-age: 6s}");
  text = everywhere(text, "floor: {stp: rstp}", "floor: {stp: on, ports: {2: {edge: off}}}");
  text = everywhere(text, "core: {stp: rstp", "core: {stp: on");
  const auto report = diagnose(site(text), base::seconds(800));
  const auto* changes = find(report, Code::kTopologyChanges);
  ASSERT_NE(changes, nullptr);
  EXPECT_EQ(changes->severity, findings::Severity::kWarning);
}

// One guest's bridge speaks, the guard of the host's port hears it, and all guests of the host are off.
constexpr std::string_view kGuard = R"(
hosts:
  hv:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests:
      web: {nics: {net0: {on: br0, ip: 10.0.0.9/24}}}
      fw: {nics: {net0: {on: br0}}, switches: {in: {kind: linux-bridge, uplinks: [net0]}}}
  desk: {nics: {eth0: 10.0.0.1/24}}
switches: {sw1: {stp: on, ports: {1: {bpdu-guard: on, edge: on}, 2: {edge: on}}}}
links: [[hv:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic: [{from: desk, to: web, kind: ping, every: 100ms}]
changes: [{at: 60s, set: fw/in, stp: on}]
)";

TEST(SpanningTree, AGuardShutsThePortOfAHostWhoseGuestSpeaks) {
  const std::string text(kGuard);
  const model::Model m = site(text);
  const auto run = play(m, base::seconds(120));
  ASSERT_EQ(run.shuts.size(), 1u);
  EXPECT_EQ(name_of(m, run.shuts[0].port), "sw1:1");
  EXPECT_NEAR(base::to_seconds(run.shuts[0].at), 60, 0.1);
  EXPECT_NEAR(static_cast<double>(run.flows[0].answered), 600, 5);
  const auto report = diagnose(m, base::seconds(120));
  const auto* guard = find(report, Code::kBpduGuard);
  ASSERT_NE(guard, nullptr);
  EXPECT_EQ(guard->severity, findings::Severity::kError);
  EXPECT_NE(guard->cause.find("fw/in runs a spanning tree"), std::string::npos) << guard->cause;

  // At the guest's own port the guard shuts no more than that one, and a filter there shuts nobody.
  for (const char* own : {"net0: {on: br0, bpdu-guard: on}", "net0: {on: br0, bpdu-filter: on}"}) {
    const auto spared = play(site(everywhere(text, "net0: {on: br0}", own)), base::seconds(120));
    EXPECT_NEAR(static_cast<double>(spared.flows[0].answered), 1200, 5) << own;
    EXPECT_EQ(spared.shuts.size(), std::string_view(own).contains("guard") ? 1u : 0u);
  }
}

TEST(SpanningTree, AGuardThatHearsABridgeFromTheStartIsShutFromTheStart) {
  const auto run = play(site(everywhere(std::string(kGuard), "uplinks: [net0]", "uplinks: [net0], stp: on")),
                        base::seconds(60));
  ASSERT_EQ(run.shuts.size(), 1u);
  EXPECT_EQ(run.shuts[0].at, base::Time{0});
  EXPECT_EQ(run.flows[0].answered, 0);
}

// Two links between two switches; somebody filters BPDUs at one of them "as they fill the log".
constexpr std::string_view kFilter = R"(
hosts: {a: {nics: {eth0: 10.0.0.1/24}}, b: {nics: {eth0: 10.0.0.2/24}}}
switches: {sw1: {stp: on}, sw2: {stp: on, ports: {24: {bpdu-filter: on}}}}
links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [sw1:23, sw2:23], [sw1:24, sw2:24]]
traffic: [{from: a, to: b, kind: ping, every: 100ms}]
)";

TEST(SpanningTree, AFilterClosesARing) {
  const model::Model m = site(kFilter);
  const auto structural = check::structural(m);
  const auto loop = std::ranges::find(structural, Code::kLoop, &findings::Finding::code);
  ASSERT_NE(loop, structural.end());
  EXPECT_NE(loop->cause.find("sw2:24 has a BPDU filter"), std::string::npos) << loop->cause;
  EXPECT_TRUE(play(m, base::seconds(10)).storm);

  const auto report = remedied(m, base::seconds(10));
  const auto* told = find(report, Code::kLoop);
  ASSERT_NE(told, nullptr);
  const auto remedy = std::ranges::find(told->remedies, "no-bpdu-filter", &findings::RemedyOutcome::word);
  ASSERT_NE(remedy, told->remedies.end());
  EXPECT_TRUE(remedy->ends_fault);

  const auto near_miss = site(everywhere(std::string(kFilter), "{bpdu-filter: on}", "{bpdu-filter: off}"));
  EXPECT_FALSE(play(near_miss, base::seconds(10)).storm);
  EXPECT_EQ(find(diagnose(near_miss, base::seconds(10)), Code::kLoop), nullptr);
}

// Bridges without a spanning tree hand BPDUs on, so a ring over one is seen; Open vSwitch does not.
TEST(SpanningTree, ARingOverABridgeThatRelaysIsBlocked) {
  constexpr std::string_view kRelay = R"(
hosts: {a: {nics: {eth0: 10.0.0.1/24}}, b: {nics: {eth0: 10.0.0.2/24}}}
switches: {sw1: {stp: on}, sw2: {stp: on}, plain: {kind: linux-bridge}}
links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [sw1:2, plain:1], [sw2:2, plain:2], [sw1:3, sw2:3]]
traffic: [{from: a, to: b, kind: ping, every: 100ms}]
)";
  const auto run = play(site(kRelay), base::seconds(120));
  EXPECT_FALSE(run.storm);
  EXPECT_GT(run.flows[0].answered, 1190);
}

TEST(SpanningTree, BpdusAreFramesThatOthersCanRead) {
  const model::Model m = site(kRing);
  simulate::Options options;
  options.until = base::seconds(7);
  options.captures = {m.links[3].b};  // right:2, towards the root
  std::size_t bpdus = 0;
  options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
    if (static_cast<unsigned char>(frame.bytes[0]) != 0x01) return {};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.bytes.data());
    const auto bpdu = wire::parse_bpdu(wire::Bytes(bytes + 17, frame.bytes.size() - 17));
    EXPECT_TRUE(bpdu);
    if (!bpdu) return {};
    ++bpdus;
    EXPECT_TRUE(frame.inbound);
    EXPECT_EQ(bpdu->root.priority, 0);
    EXPECT_EQ(bpdu->bridge, bpdu->root);
    EXPECT_EQ(bpdu->root_path_cost, 0u);
    EXPECT_EQ(bpdu->hello, base::seconds(2));
    return {};
  };
  ASSERT_TRUE(simulate::run(m, options));
  EXPECT_EQ(bpdus, 3u);
}

}  // namespace
}  // namespace sekimori::scenarios
