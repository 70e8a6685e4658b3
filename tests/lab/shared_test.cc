// Shared addresses in a lab: clusters that hide their MAC, and routers of which one is master. Needs root.
#include <algorithm>

#include "lab/compare.h"
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Outcome {
  Measurement measured;
  Comparison comparison;
};

void play(const TestLab& lab, base::Time time, Outcome& outcome) {
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_TRUE(status(lab.plan())->up(lab.plan()));
  auto measured = run(lab.site(), lab.plan(), {.time = time, .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  outcome.comparison = compare(lab.site(), prediction_of(lab, measured->time), *measured);
  outcome.measured = std::move(*measured);
}

void expect_lanes(const TestLab& lab, const Outcome& outcome, double frames) {
  EXPECT_GT(outcome.comparison.lanes.size(), 4u);
  for (const LaneComparison& lane : outcome.comparison.lanes) {
    const auto predicted = static_cast<double>(lane.predicted.frames);
    EXPECT_NEAR(static_cast<double>(lane.measured.frames), predicted, 0.01 * predicted + frames)
        << name_of(lab.site(), lane.link) << lane.from_a;
  }
}

void expect_tables(const TestLab& lab, const Outcome& outcome) {
  for (const EntryComparison& entry : outcome.comparison.entries) {
    EXPECT_EQ(entry.predicted, entry.measured)
        << name_of(lab.site(), entry.bridge) << " " << wire::to_text(entry.mac);
  }
  for (const NeighbourComparison& n : outcome.comparison.neighbours) {
    // The model's member asks for the client; a kernel's has heard of it when it was asked for the cluster.
    const auto is_hidden = [&](const model::Station& s) { return s.hides_its_mac() && s.ip.address == n.ip; };
    if (!n.measured && std::ranges::any_of(lab.site().stations, is_hidden)) continue;
    EXPECT_EQ(n.predicted, n.measured) << name_of(lab.site(), n.station) << " " << wire::to_text(n.ip);
  }
}

TEST(NlbLab, TheClustersFramesAreFloodedAndOneAnswers) {
  const TestLab lab(site_of(R"(
hosts:
  web1: {nics: {eth0: 10.0.0.11/24}}
  web2: {nics: {eth0: 10.0.0.12/24}}
  web3: {nics: {eth0: 10.0.0.13/24}}
  desk: {nics: {eth0: {ip: 10.0.0.9/24, mac: "02:00:00:00:00:09"}}}
  lamp: {nics: {eth0: 10.0.0.8/24}}
switches: {sw1: {}}
links: [[web1:eth0, sw1:1], [web2:eth0, sw1:2], [web3:eth0, sw1:3], [desk:eth0, sw1:4], [lamp:eth0, sw1:5]]
shared: {web: {kind: nlb, ip: 10.0.0.100, members: [web1:eth0, web2:eth0, web3:eth0]}}
traffic:
  - {from: desk, to: web, kind: request, every: 10ms, size: 200, response: 1000}
)"));
  Outcome outcome;
  play(lab, base::seconds(3), outcome);
  ASSERT_EQ(outcome.measured.flows.size(), 1u);
  EXPECT_GE(outcome.measured.flows[0].answered, outcome.measured.flows[0].sent - 1);
  expect_lanes(lab, outcome, 6);
  expect_tables(lab, outcome);
  // No switch has it, and the lamp hears all of it.
  for (const TableEntry& entry : outcome.measured.tables) EXPECT_NE(entry.mac, lab.site().shared[0].mac);
  EXPECT_THAT(lab.ip("desk", "ip neigh"), HasSubstr("02:bf:0a:00:00:64"));
}

TEST(NlbLab, AnotherServesWhenAMemberIsSwitchedOff) {
  const std::string site = R"(
hosts:
  web1: {nics: {eth0: 10.0.0.11/24}}
  web2: {nics: {eth0: 10.0.0.12/24}}
  desk: {nics: {eth0: 10.0.0.9/24}}
switches: {sw1: {}}
links: [[web1:eth0, sw1:1], [web2:eth0, sw1:2], [desk:eth0, sw1:4]]
shared: {web: {kind: nlb, ip: 10.0.0.100, members: [web1:eth0, web2:eth0]}}
traffic: [{from: desk, to: web, kind: ping, every: 10ms}]
changes: [{at: 1s, stop: WHO}]
)";
  for (const std::string who : {"web1", "web2"}) {
    std::string text = site;
    text.replace(text.find("WHO"), 3, who);
    const TestLab lab(site_of(text));
    Outcome outcome;
    play(lab, base::seconds(2), outcome);
    EXPECT_GT(outcome.measured.flows[0].answered, outcome.measured.flows[0].sent - 20);
    expect_lanes(lab, outcome, 8);
  }
}

model::Model two_routers(const std::string& shared, const std::string& changes) {
  return site_of(R"(
defaults: {arp: {announce: never}}
hosts:
  desk: {nics: {eth0: 10.0.1.9/24}, gateway: 10.0.1.1}
  log: {nics: {eth0: 10.0.2.9/24}, gateway: 10.0.2.2}
routers:
  r1: {nics: {a: {ip: 10.0.1.2/24, mac: "02:00:00:00:01:0a"}, b: 10.0.2.2/24}}
  r2: {nics: {a: {ip: 10.0.1.3/24, mac: "02:00:00:00:02:0a"}, b: 10.0.2.3/24}}
switches: {sw1: {}, sw2: {}}
links: [[desk:eth0, sw1:1], [r1:a, sw1:2], [r2:a, sw1:3], [log:eth0, sw2:1], [r1:b, sw2:2], [r2:b, sw2:3]]
shared: {gw: {)" +
                 shared + R"(, ip: 10.0.1.1, members: [r1:a, r2:a]}}
traffic: [{from: desk, to: log, kind: udp, every: 10ms, size: 100}]
)" + changes);
}

TEST(FirstHopLab, TheMasterSpeaksAndIsTheGateway) {
  for (const std::string shared :
       {"kind: vrrp, vrid: 7, interval: 200ms", "kind: hsrp, group: 3, version: 2, interval: 1s"}) {
    const TestLab lab(two_routers(shared, ""));
    Outcome outcome;
    play(lab, base::milliseconds(3100), outcome);
    EXPECT_GE(outcome.measured.flows[0].received, outcome.measured.flows[0].sent - 1);
    expect_lanes(lab, outcome, 2);
    expect_tables(lab, outcome);
    const auto virtual_mac = lab.site().shared[0].mac;
    EXPECT_THAT(lab.ip("desk", "ip neigh"), HasSubstr(wire::to_text(virtual_mac)));
    EXPECT_THAT(lab.ip("desk", "ping -c 2 -i 0.2 -w 5 10.0.1.1"), HasSubstr("2 received"));
  }
}

TEST(FirstHopLab, AnotherTakesOverWhenTheMasterFails) {
  for (const std::string change : {"{at: 1s, stop: r1}", "{at: 1s, link-down: sw1:2}"}) {
    const TestLab lab(two_routers("kind: vrrp, vrid: 7, interval: 100ms", "changes: [" + change + "]\n"));
    Outcome outcome;
    play(lab, base::seconds(3), outcome);
    // Lost is what was sent in three intervals and a skew.
    const FlowResult& flow = outcome.measured.flows[0];
    EXPECT_LT(flow.received, flow.sent - 25);
    EXPECT_GT(flow.received, flow.sent - 55);
    expect_lanes(lab, outcome, 12);
    bool found = false;
    for (const TableEntry& entry : outcome.measured.tables) {
      if (name_of(lab.site(), entry.bridge) != "sw1" || entry.mac != lab.site().shared[0].mac) continue;
      found = true;
      EXPECT_EQ(name_of(lab.site(), entry.port), "sw1:3");
    }
    EXPECT_TRUE(found);
  }
}

TEST(FirstHopLab, TheBetterOneTakesItBack) {
  const TestLab lab(two_routers("kind: vrrp, vrid: 7, interval: 100ms",
                                "changes: [{at: 500ms, stop: r1}, {at: 1500ms, start: r1}]\n"));
  for (int turn = 0; turn < 2; ++turn) {
    Outcome outcome;
    if (turn == 0) {
      play(lab, base::seconds(3), outcome);
    } else {
      auto again = run(lab.site(), lab.plan(), {.time = base::seconds(3), .progress = {}});
      ASSERT_TRUE(again.has_value());
      outcome.measured = std::move(*again);
      outcome.comparison = compare(lab.site(), prediction_of(lab, outcome.measured.time), outcome.measured);
    }
    expect_lanes(lab, outcome, 12);
    for (const TableEntry& entry : outcome.measured.tables) {
      if (name_of(lab.site(), entry.bridge) == "sw1" && entry.mac == lab.site().shared[0].mac) {
        EXPECT_EQ(name_of(lab.site(), entry.port), "sw1:2") << turn;
      }
    }
  }
}

}  // namespace
}  // namespace sekimori::lab
