// Bonds (switching/bond.h) as hosts have them: which modes go with what at the other end, what the wrong ones
// do, and what a NIC that takes over does to the network.
#include <fmt/format.h>

#include "remedy/remedies.h"
#include "structural.h"

namespace sekimori::scenarios {
namespace {

// `above`: further keys of the host; `address`: of the bond.
std::string bond(std::string_view mode, std::string_view ports = "", std::string_view more = "") {
  return fmt::format(R"(
hosts:
  srv:
    nics: {{eth0: {{}}, eth1: {{}}}}
    bonds: {{bond0: {{mode: {}, nics: [eth0, eth1], ip: 10.0.0.5/24}}}}
  a: {{nics: {{eth0: 10.0.0.1/24}}}}
  b: {{nics: {{eth0: 10.0.0.2/24}}}}
  c: {{nics: {{eth0: 10.0.0.3/24}}}}
switches: {{sw: {{{}}}}}
links: [[srv:eth0, sw:1], [srv:eth1, sw:2], [a:eth0, sw:3], [b:eth0, sw:4], [c:eth0, sw:5]]
traffic:
  - {{from: a, to: srv, kind: ping, every: 100ms}}
  - {{from: b, to: srv, kind: ping, every: 100ms}}
  - {{from: c, to: srv, kind: ping, every: 100ms}}
{})",
                     mode, ports, more);
}
constexpr std::string_view kGroup = "ports: {1: {lag: 1}, 2: {lag: 1}}";

std::int64_t answered(const simulate::RunResult& run) {
  std::int64_t sum = 0;
  for (const auto& flow : run.flows) sum += flow.answered;
  return sum;
}
std::int64_t sent(const simulate::RunResult& run) {
  std::int64_t sum = 0;
  for (const auto& flow : run.flows) sum += flow.sent_frames;
  return sum;
}

// What every mode is meant for loses nothing and moves no entry.
TEST(Bonds, WithTheRightOtherEnd) {
  struct Case {
    const char* mode;
    std::string_view ports;
  };
  for (const auto& [mode, ports] :
       {Case{"active-backup", ""}, Case{"balance-tlb", ""}, Case{"balance-alb", ""},
        Case{"balance-rr", kGroup}, Case{"balance-xor", kGroup}, Case{"802.3ad", kGroup}}) {
    const model::Model m = site(bond(mode, ports));
    EXPECT_FALSE(told(m, Code::kFlapTeaming)) << mode;
    EXPECT_FALSE(told(m, Code::kBondMismatch)) << mode;
    EXPECT_FALSE(told(m, Code::kLoop)) << mode;
    const auto run = play(m, base::seconds(20));
    EXPECT_TRUE(run.moves.empty()) << mode;
    EXPECT_TRUE(run.loops.empty()) << mode;
    EXPECT_GT(sent(run), 590) << mode;
    EXPECT_GE(answered(run), sent(run) - 3) << mode;
  }
}

TEST(Bonds, WithoutAnAggregationGroupTheEntryMoves) {
  for (const char* mode : {"balance-rr", "balance-xor", "broadcast"}) {
    const model::Model m = site(bond(mode));
    const auto f = told(m, Code::kFlapTeaming);
    ASSERT_TRUE(f) << mode;
    EXPECT_TRUE(says(*f, "sw:1 and sw:2")) << f->cause;
    const auto run = play(m, base::seconds(20));
    ASSERT_FALSE(run.moves.empty()) << mode;
    EXPECT_GT(run.moves.front().moves, 100) << mode;
  }
}

TEST(Bonds, BroadcastIntoAGroup) {
  const model::Model m = site(bond("broadcast", kGroup));
  const auto f = told(m, Code::kBondMismatch);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "every frame 2 times")) << f->headline;
  const auto run = play(m, base::seconds(20));
  EXPECT_TRUE(run.moves.empty());
  EXPECT_GT(lane_from(m, run.lanes, "sw:3").frames, 390) << "each answer twice";
}

// Two networks that do not meet: there `broadcast` is right.
TEST(Bonds, BroadcastIntoTwoNetworks) {
  const std::string yaml =
      with(with(bond("broadcast"), "sw: {}", "sw: {}, other: {}"), "[srv:eth1, sw:2]", "[srv:eth1, other:2]");
  EXPECT_FALSE(told(site(yaml), Code::kFlapTeaming));
}

TEST(Bonds, OneListensAndTheSwitchSpreads) {
  for (const char* mode : {"active-backup", "balance-tlb", "balance-alb"}) {
    const model::Model m = site(bond(mode, kGroup));
    const auto f = told(m, Code::kBondMismatch);
    ASSERT_TRUE(f) << mode;
    EXPECT_EQ(f->severity, findings::Severity::kError);
    EXPECT_TRUE(says(*f, "sw:1 and sw:2 are one link aggregation group of sw")) << f->cause;
    const auto run = play(m, base::seconds(20));
    EXPECT_LT(answered(run), sent(run) * 3 / 4) << mode;
  }
}

TEST(Bonds, LacpAlone) {
  const model::Model m = site(bond("802.3ad"));
  const auto f = told(m, Code::kBondMismatch);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, findings::Severity::kWarning);
  const auto run = play(m, base::seconds(20));
  EXPECT_TRUE(run.moves.empty());
  EXPECT_GE(answered(run), sent(run) - 3);
  EXPECT_EQ(lane_from(m, run.lanes, "srv/bond0:eth1").frames, 0) << "it stands by";
}

// What ends the finding, worked out on a copy.
TEST(Bonds, Remedies) {
  for (const auto& [mode, ports] :
       {std::pair("balance-xor", std::string_view()), std::pair("active-backup", kGroup)}) {
    findings::Report report;
    const model::Model m = site(bond(mode, ports));
    report.findings = check::structural(m);
    const auto all = remedy::remedies_for(report.findings.front().code);
    int ending = 0;
    for (const auto& make : all) {
      if (const auto trial = make(m, report.findings.front())) {
        const auto after = play(trial->model, base::seconds(20));
        EXPECT_TRUE(after.moves.empty()) << trial->description;
        EXPECT_GE(answered(after), sent(after) - 3) << trial->description;
        ++ending;
      }
    }
    EXPECT_GE(ending, 2) << mode;
  }
}

// The conversations of a bond with a group are on both links; each of one conversation on one.
TEST(Bonds, HashesSpread) {
  model::Model m = site(bond("802.3ad", kGroup));
  for (model::Station& station : m.stations) {
    if (!station.ip.address.is_zero() && station.name == "eth0")
      station.mac.bits = (station.mac.bits & ~std::uint64_t{0xff}) | (station.ip.address.bits & 0xff);
  }
  const auto run = play(m, base::seconds(20));
  EXPECT_GT(lane_from(m, run.lanes, "srv/bond0:eth0").frames, 150);
  EXPECT_GT(lane_from(m, run.lanes, "srv/bond0:eth1").frames, 150);
}

// balance-alb: clients are told different MACs, and come in by different links; balance-tlb tells one.
TEST(Bonds, AlbSpreadsWhatComesIn) {
  for (const bool alb : {true, false}) {
    const model::Model m = site(bond(alb ? "balance-alb" : "balance-tlb"));
    const auto run = play(m, base::seconds(20));
    const auto in = lane_from(m, run.lanes, "sw:2").frames;
    if (alb) {
      EXPECT_GT(in, 150);
    } else {
      EXPECT_LT(in, 60) << "broadcasts and no more";
    }
  }
}

// Another NIC takes over: the bond announces its own address, and hardly a ping is lost.
TEST(Bonds, FailoverIsAnnounced) {
  const std::string down = "changes: [{at: 10s, link-down: [srv:eth0, sw:1]}]\n";
  for (const char* mode : {"active-backup", "balance-tlb", "balance-alb"}) {
    const model::Model m = site(bond(mode, "", down));
    const auto run = play(m, base::seconds(20));
    EXPECT_GE(answered(run), sent(run) - 9) << mode;
    EXPECT_GT(lane_from(m, run.lanes, "srv/bond0:eth1").frames, 250) << mode;
  }
}

// The learning packets of balance-tlb go to the NIC itself, so they turn round at the first switch, and the
// one behind it goes on sending to where the bond's MAC was.
TEST(Bonds, LearningPacketsTeachOneSwitch) {
  const auto lost = [](std::string_view mode) {
    const model::Model m = site(fmt::format(R"(
hosts:
  srv:
    nics: {{eth0: {{}}, eth1: {{}}}}
    bonds: {{bond0: {{mode: {}, nics: [eth0, eth1], ip: 10.0.0.5/24}}}}
    arp: {{timeout: 1h}}
  a: {{nics: {{eth0: 10.0.0.1/24}}, arp: {{timeout: 1h}}}}
switches: {{left: {{}}, right: {{}}, core: {{}}}}
links: [[srv:eth0, left:1], [srv:eth1, right:1], [left:2, core:1], [right:2, core:2], [a:eth0, core:3]]
traffic: [{{from: a, to: srv, kind: udp, every: 100ms}}]
changes: [{{at: 10s, link-down: [srv:eth0, left:1]}}]
)",
                                            mode));
    return play(m, base::seconds(30)).flows.front().lost_frames;
  };
  EXPECT_LT(lost("active-backup"), 3);
  EXPECT_GT(lost("balance-tlb"), 190);
}

// But nobody announces guests on a bridge above it: two switches, and the far one keeps sending to where the
// silent guest was.
TEST(Bonds, FailoverForgetsGuests) {
  const auto lost = [](std::string_view guest_talks) {
    const model::Model m = site(fmt::format(R"(
hosts:
  srv:
    nics: {{eth0: {{}}, eth1: {{}}}}
    bonds: {{bond0: {{mode: active-backup, nics: [eth0, eth1]}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [bond0]}}}}
    guests: {{vm: {{nics: {{net0: {{on: br0, ip: 10.0.0.9/24}}}}, arp: {{timeout: 1h}}}}}}
  a: {{nics: {{eth0: 10.0.0.1/24}}, arp: {{timeout: 1h}}}}
switches: {{left: {{}}, right: {{}}, core: {{}}}}
links: [[srv:eth0, left:1], [srv:eth1, right:1], [left:2, core:1], [right:2, core:2], [a:eth0, core:3]]
traffic:
  - {{from: a, to: vm, kind: udp, every: 100ms}}
  {}
changes: [{{at: 10s, link-down: [srv:eth0, left:1]}}]
)",
                                            guest_talks));
    const auto run = play(m, base::seconds(30));
    return run.flows.front().lost_frames;
  };
  EXPECT_GT(lost(""), 190) << "the entry at the core says: left";
  EXPECT_LT(lost("- {from: vm, to: a, kind: udp, every: 200ms}"), 5);
}

// VLANs on a bond, and a bond that bridges: the bridge takes the bond's MAC.
TEST(Bonds, AreNicsLikeOthers) {
  const model::Model m = site(R"(
hosts:
  srv:
    nics: {eth0: {mac: "02:00:00:00:00:0a"}, eth1: {mac: "02:00:00:00:00:0b"}, bond0.10: 10.0.0.5/24}
    bonds: {bond0: {mode: active-backup, nics: [eth0, eth1], primary: eth1}}
    switches: {br0: {kind: linux-bridge, uplinks: [bond0], ip: 10.0.1.5/24}}
  a: {nics: {eth0: 10.0.1.1/24}}
switches: {sw: {}}
links: [[srv:eth0, sw:1], [srv:eth1, sw:2], [a:eth0, sw:3]]
traffic: [{from: a, to: "srv:br0", kind: ping, every: 100ms}]
)");
  for (const model::Station& station : m.stations) {
    if (station.name == "br0" || station.name == "bond0") {
      EXPECT_EQ(wire::to_text(station.mac), "02:00:00:00:00:0a");
    }
  }
  const auto run = play(m, base::seconds(10));
  EXPECT_GE(answered(run), sent(run) - 1);
  EXPECT_GT(lane_from(m, run.lanes, "srv/bond0:eth1").frames, 90) << "the primary";
}

}  // namespace
}  // namespace sekimori::scenarios
