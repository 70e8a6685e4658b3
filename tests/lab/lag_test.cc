// Link aggregation groups and teams of uplinks in a lab, between live switches. Needs root.
#include "lab/compare.h"
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

void expect_as_predicted(const TestLab& lab, base::Time time, double frames) {
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = time, .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto comparison = compare(lab.site(), prediction_of(lab, measured->time), *measured);
  EXPECT_GT(comparison.lanes.size(), 8u);
  for (const LaneComparison& lane : comparison.lanes) {
    const auto predicted = static_cast<double>(lane.predicted.frames);
    EXPECT_NEAR(static_cast<double>(lane.measured.frames), predicted, 0.01 * predicted + frames)
        << name_of(lab.site(), lane.link) << lane.from_a;
  }
  for (const EntryComparison& entry : comparison.entries) {
    EXPECT_EQ(entry.predicted, entry.measured)
        << name_of(lab.site(), entry.bridge) << " " << wire::to_text(entry.mac);
  }
}

// Three conversations over two links; `changes` may cut one of them.
model::Model two_switches(const std::string& more, const std::string& changes) {
  return site_of(R"(
hosts:
  a: {nics: {e: {ip: 10.0.0.1/24, mac: "02:00:00:00:00:01"}}}
  b: {nics: {e: {ip: 10.0.0.2/24, mac: "02:00:00:00:00:02"}}}
  c: {nics: {e: {ip: 10.0.0.3/24, mac: "02:00:00:00:00:03"}}}
  d: {nics: {e: {ip: 10.0.0.4/24, mac: "02:00:00:00:00:04"}}}
switches:
  s1: {ports: {1: {lag: 1}, 2: {lag: 1}})" +
                 more + R"(}
  s2: {ports: {1: {lag: 4}, 2: {lag: 4}})" +
                 more + R"(}
links: [[s1:1, s2:1], [s1:2, s2:2], [a:e, s1:3], [b:e, s1:4], [c:e, s2:3], [d:e, s2:4]]
traffic:
  - {from: a, to: c, kind: ping, every: 20ms}
  - {from: a, to: d, kind: ping, every: 20ms}
  - {from: b, to: c, kind: udp, every: 10ms, size: 200}
)" + changes);
}

TEST(LagLab, ConversationsShareTheLinksAsPredicted) {
  const TestLab lab(two_switches("", ""));
  for (const PlannedBridge& bridge : lab.plan().bridges)
    EXPECT_THAT(bridge.live_because, HasSubstr("aggregation group"));
  expect_as_predicted(lab, base::seconds(2), 3);
}

TEST(LagLab, TheOtherTakesAllWhenOneLinkIsCut) {
  expect_as_predicted(TestLab(two_switches("", "changes: [{at: 1s, link-down: s1:1}]\n")), base::seconds(2),
                      6);
}

TEST(LagLab, ASpanningTreeTakesTheGroupForOneLink) {
  expect_as_predicted(TestLab(two_switches(", stp: rstp", "changes: [{at: 1s, link-down: s1:1}]\n")),
                      base::seconds(2), 6);
}

// A host's team of two uplinks, of which one fails: its NICs are announced at the other.
TEST(TeamLab, NicsAreAnnouncedWhereTheirFramesLeaveFromNowOn) {
  expect_as_predicted(TestLab(site_of(R"(
hosts:
  esx:
    nics: {vmnic0: {}, vmnic1: {}}
    switches: {vs: {kind: esxi, uplinks: [vmnic0, vmnic1]}}
    guests:
      a: {nics: {net0: {on: vs, ip: 10.0.0.1/24}}}
      b: {nics: {net0: {on: vs, ip: 10.0.0.2/24}}}
  desk: {nics: {e: 10.0.0.9/24}}
switches: {sw: {}}
links: [[esx:vmnic0, sw:1], [esx:vmnic1, sw:2], [desk:e, sw:3]]
traffic:
  - {from: desk, to: a, kind: udp, every: 20ms, size: 100}
  - {from: desk, to: b, kind: udp, every: 20ms, size: 100}
changes: [{at: 1s, link-down: sw:1}]
)")),
                      base::seconds(2), 4);
}

}  // namespace
}  // namespace sekimori::lab
