// Findings followed from detection to detection.
#include "watch/live.h"

#include <thread>

#include "watch/test_support.h"

namespace sekimori::watch {
namespace {

using Change = FindingLog::Change;

Finding flood(std::uint64_t frame, Code code = Code::kFloodUndecided) {
  Finding f = make(code, Certainty::kObserved, "", "a flood", "");
  f.evidence.push_back({{}, "", "", frame});
  return f;
}

std::vector<std::pair<Change, std::uint64_t>> changes(const std::vector<FindingLog::Event>& events) {
  std::vector<std::pair<Change, std::uint64_t>> out;
  for (const auto& event : events) out.emplace_back(event.change, event.id);
  return out;
}

using Changes = std::vector<std::pair<Change, std::uint64_t>>;

TEST(FindingLog, TellsWhatIsNewChangedAndGone) {
  FindingLog log;
  EXPECT_EQ(changes(log.update({flood(5), flood(9)})), (Changes{{Change::kNew, 1}, {Change::kNew, 2}}));
  // Growing numbers are no news, nor is another order.
  Finding longer = flood(9);
  longer.headline = "a flood, for longer";
  EXPECT_EQ(changes(log.update({longer, flood(5)})), Changes{});
  EXPECT_EQ(log.present().front().id, 2u);
  EXPECT_EQ(log.present().front().finding.headline, "a flood, for longer");
  EXPECT_EQ(changes(log.update({flood(9, Code::kFloodTimers), flood(5)})), (Changes{{Change::kChanged, 2}}));
  EXPECT_EQ(changes(log.update({flood(5)})), (Changes{{Change::kGone, 2}}));
  EXPECT_EQ(changes(log.update({flood(5), flood(9)})), (Changes{{Change::kNew, 3}}));
}

// The first frames may be others when a table keeps only so many; then code and place tell.
TEST(FindingLog, TakesWhatIsLikestForTheSame) {
  FindingLog log;
  log.update({flood(5), flood(9, Code::kLoop)});
  EXPECT_EQ(changes(log.update({flood(9, Code::kStorm), flood(6)})), (Changes{{Change::kChanged, 2}}));
  EXPECT_EQ(log.present().back().id, 1u);
}

TEST(Detections, RunBesideTheObserverWithPausesThatFollowTheirCost) {
  using namespace std::chrono_literals;
  Observer observer;
  std::uint64_t frames = 77;
  Detections detections([&frames](const Observations& o) {
    frames = o.frames;
    std::this_thread::sleep_for(30ms);
    return Detections::Detected{};
  });
  const auto start = Detections::Clock::now();
  EXPECT_FALSE(detections.poll(observer, start));
  wire::Buffer bytes;
  wire::append_arp(bytes, {wire::kBroadcast, testing::kHost},
                   wire::gratuitous_arp(testing::kHost, testing::kHostIp));
  observer.frame({.number = 1, .bytes = bytes});
  while (!detections.poll(observer, start)) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(frames, 0u);  // what had been seen when it began
  // It took 30 ms, so that the next is not before 40 times that.
  EXPECT_FALSE(detections.poll(observer, start + 1190ms));
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(detections.poll(observer, start + 1190ms));
  EXPECT_EQ(frames, 0u);
  EXPECT_FALSE(detections.poll(observer, start + 10s));
  while (!detections.poll(observer, start + 10s)) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(frames, 1u);
  EXPECT_EQ(observer.stations(), 1u);
}

// Looking does not disturb: the observer goes on as if nobody had looked.
TEST(Observer, ShowsWhatItHasSoFar) {
  const auto feed = [](bool look) {
    Observer observer;
    wire::Buffer bytes;
    wire::append_udp(bytes, {testing::kGuest, testing::kHost, {}, 100},
                     {.source = testing::kHostIp, .destination = testing::kGuestIp},
                     {.source_port = 1, .destination_port = 514});
    for (std::uint64_t i = 1; i <= 100; ++i) {
      observer.frame({.number = i,
                      .timestamp_ns = static_cast<Nanos>(i) * kSecond / 4,
                      .original_length = 100,
                      .bytes = bytes});
      if (look) {
        EXPECT_EQ(observer.so_far().frames, i);
      }
    }
    return observer.finish();
  };
  const Observations a = feed(false), b = feed(true);
  ASSERT_EQ(a.spells.size(), 1u);
  ASSERT_EQ(b.spells.size(), 1u);
  EXPECT_EQ(a.spells[0].list.size(), 1u);
  EXPECT_EQ(b.spells[0].list.size(), 1u);
  EXPECT_EQ(a.spells[0].list[0].frames, b.spells[0].list[0].frames);
}

}  // namespace
}  // namespace sekimori::watch
