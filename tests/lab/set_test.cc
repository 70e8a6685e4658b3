// Changes of switches in the timeline of a lab. Needs root.
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// a is silent, b sends to it, c is where floods can be seen; w is a switch of that kind.
model::Model flooding(const std::string& kind, const std::string& change, const std::string& more = "",
                      const std::string& flow = "") {
  return site_of(R"(
defaults: {arp: {announce: never, timeout: 1h}}
hosts:
  a: {nics: {e: {ip: 10.0.0.1/24, mac: "02:00:00:00:00:0a"}}}
  b: {nics: {e: {ip: 10.0.0.2/24, mac: "02:00:00:00:00:0b"}}}
  c: {nics: {e: {ip: 10.0.0.3/24, mac: "02:00:00:00:00:0c"}}}
switches: {w: {kind: )" +
                 kind + more + R"(}}
links: [[a:e, w:1], [b:e, w:2], [c:e, w:3]]
traffic:
  - {from: b, to: a, kind: udp, every: 10ms, size: 100}
)" + flow + "changes:\n" +
                 change);
}

// `seen`: a link at whose machine the flood is seen for a part of the time.
void expect_frames_as_predicted(const TestLab& lab, base::Time time, const std::string& seen) {
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  for (int turn = 0; turn < 2; ++turn) {  // the second run begins as the first did
    const auto measured = run(lab.site(), lab.plan(), {.time = time, .progress = {}});
    ASSERT_TRUE(measured.has_value()) << measured.error().what;
    const auto predicted = predict(lab, measured->time);
    for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
      const std::string name = name_of(lab.site(), model::LinkId(lane / 2));
      ASSERT_TRUE(measured->lanes[lane].has_value());
      EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                  static_cast<double>(predicted.lanes[lane].frames), 6)
          << name << " " << lane % 2 << " " << turn;
      if (name != seen || lane % 2 == 0) continue;
      EXPECT_GT(predicted.lanes[lane].frames, 20);
      EXPECT_LT(predicted.lanes[lane].frames, static_cast<std::int64_t>(base::to_seconds(time) * 100));
    }
  }
}

constexpr const char* kLive = ", ports: {3: {mac-limit: 5}}";

TEST(SetLab, AgeingIsChangedInUse) {
  for (const std::string more : {"", kLive}) {
    const TestLab lab(flooding("switch", "  - {at: 1s, set: w, ageing: 0}\n", more));
    EXPECT_EQ(lab.plan().bridges[0].live(), !more.empty());
    expect_frames_as_predicted(lab, base::seconds(2), "c:e - w:3");
  }
}

TEST(SetLab, WhatWasLearntAgesWhenLearningIsSwitchedOff) {
  for (const std::string more : {"", kLive}) {
    const TestLab lab(flooding("linux-bridge", "  - {at: 500ms, set: w, learning: off}\n",
                               ", ageing: 300ms" + more,
                               "  - {from: a, to: b, kind: udp, every: 50ms, size: 100}\n"));
    EXPECT_EQ(lab.plan().bridges[0].live(), !more.empty());
    expect_frames_as_predicted(lab, base::milliseconds(1800), "c:e - w:3");
  }
}

// Only one address has room when the silent station answers.
TEST(SetLab, TheTablesSizeIsChanged) {
  for (const std::string more : {"", kLive}) {
    const TestLab lab(
        flooding("switch", "  - {at: 1ms, set: w, table-size: 1}\n  - {at: 1s, set: w, table-size: 100}\n",
                 more, "  - {from: a, to: b, kind: udp, every: 200ms, size: 100, start: 1200ms}\n"));
    EXPECT_EQ(lab.plan().bridges[0].live(), !more.empty());
    expect_frames_as_predicted(lab, base::seconds(2), "c:e - w:3");
  }
}

TEST(SetLab, AHostedBridgeBeginsToFilter) {
  expect_frames_as_predicted(TestLab(site_of(R"(
defaults: {arp: {announce: never, timeout: 1h}}
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}}}
  desk: {nics: {eth0: 10.0.0.2/24}}
switches: {sw1: {}}
links: [[server:eth0, sw1:1], [desk:eth0, sw1:2]]
traffic: [{from: server, to: app, kind: udp, every: 10ms, size: 100}]
changes: [{at: 1s, set: server/vmnet0, filters-local: on}]
)")),
                             base::seconds(2), "desk:eth0 - sw1:2");
}

// Its ports listen and learn first, for as long as its forward delay says.
TEST(SetLab, ASpanningTreeIsSwitchedOnAndOff) {
  const TestLab lab(flooding("switch", "  - {at: 1s, set: w, stp: on}\n  - {at: 2s, set: w, stp: off}\n"));
  EXPECT_THAT(lab.plan().bridges[0].live_because, HasSubstr("spanning tree"));
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(3), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                static_cast<double>(predicted.lanes[lane].frames), 6)
        << lane;
  }
  EXPECT_NEAR(static_cast<double>(measured->flows[0].received), 200, 10);
}

}  // namespace
}  // namespace sekimori::lab
