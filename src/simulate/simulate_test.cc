#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "base/random.h"
#include "simulate/event_queue.h"
#include "simulate/tcp.h"
#include "simulate/wires.h"

namespace sekimori::simulate {
namespace {

using base::microseconds;
using base::milliseconds;
using base::seconds;

// ---------------------------------------------------------------- events

TEST(EventQueue, AgreesWithASortedSet) {
  base::Random random(3);
  EventQueue queue;
  std::set<std::pair<std::int64_t, Entity>> reference;
  Entity next = 0;
  for (int step = 0; step < 100'000; ++step) {
    if (reference.empty() || random.below(5) < 3) {
      const auto at = static_cast<std::int64_t>(random.below(1000)) + step / 10;
      reference.emplace(at, next);
      queue.push({base::Time{at}, next++});
    } else {
      ASSERT_FALSE(queue.empty());
      const auto event = queue.take();
      ASSERT_EQ(std::pair(event.at.count(), event.entity), *reference.begin());
      reference.erase(reference.begin());
    }
  }
}

// ---------------------------------------------------------------- wires

Lane lane_of(base::BitRate rate, std::int64_t queue_bytes = 10'000, Duration delay = microseconds(1)) {
  Lane lane;
  lane.bits_per_second = rate.bits_per_second;
  lane.ps_per_byte =
      8'000'000'000'000 % rate.bits_per_second == 0 ? 8'000'000'000'000 / rate.bits_per_second : 0;
  lane.queue = base::transmission_time(queue_bytes, rate);
  lane.delay = delay;
  return lane;
}

Frame frame_of(std::uint16_t bytes) {
  Frame frame;
  frame.bytes = bytes;
  return frame;
}

TEST(Wires, AFrameTakesItsTimeOnTheWireAndTheDelay) {
  Wires wires;
  wires.add_lane(lane_of(base::gbit(1)));
  ASSERT_TRUE(wires.send(0, frame_of(1514)));
  ASSERT_TRUE(wires.send(0, frame_of(1514)));
  Wires::Arrival arrival;
  // 1 514 bytes and 24 of preamble, FCS and gap at 8 ns a byte.
  ASSERT_TRUE(wires.next(seconds(1), arrival));
  EXPECT_EQ(wires.now(), base::nanoseconds(1538 * 8 + 1000));
  ASSERT_TRUE(wires.next(seconds(1), arrival));
  EXPECT_EQ(wires.now(), base::nanoseconds(2 * 1538 * 8 + 1000));
  EXPECT_FALSE(wires.next(seconds(1), arrival));
}

TEST(Wires, WhatDoesNotFitInTheQueueIsDropped) {
  Wires wires;
  wires.add_lane(lane_of(base::mbit(10), 10'000));
  int accepted = 0;
  for (int i = 0; i < 20; ++i) accepted += wires.send(0, frame_of(976));  // 1 000 bytes on the wire
  EXPECT_EQ(accepted, 10);
  EXPECT_EQ(wires.lane(0).counters.dropped_frames, 10);
  EXPECT_EQ(wires.lane(0).counters.frames, 10);
}

TEST(Wires, AFrameLargerThanTheQueueGoesOutOfAnIdleLane) {
  Wires wires;
  wires.add_lane(lane_of(base::mbit(10), 500));
  EXPECT_TRUE(wires.send(0, frame_of(1514)));
  EXPECT_FALSE(wires.send(0, frame_of(60)));
}

// A copy to a group must be the same as a copy to each lane.
TEST(Wires, GroupsAreExact) {
  base::Random random(9);
  for (int round = 0; round < 50; ++round) {
    Wires grouped, single;
    constexpr std::uint32_t kLanes = 12;
    for (std::uint32_t i = 0; i < kLanes; ++i) {
      grouped.add_lane(lane_of(base::mbit(100), 3000));
      single.add_lane(lane_of(base::mbit(100), 3000));
    }
    const std::uint32_t group = grouped.add_group(0, kLanes);
    Wires::Arrival arrival;
    for (int step = 0; step < 300; ++step) {
      Frame frame = frame_of(static_cast<std::uint16_t>(60 + random.below(1400)));
      frame.stray = random.below(2) == 0;
      const Time until = grouped.now() + microseconds(static_cast<std::int64_t>(random.below(120)));
      while (grouped.next(until, arrival)) {
      }
      while (single.next(until, arrival)) {
      }
      grouped.advance(until);
      single.advance(until);
      if (random.below(3) == 0) {
        const auto lane = static_cast<LaneIndex>(random.below(kLanes));
        ASSERT_EQ(grouped.send(lane, frame), single.send(lane, frame));
        continue;
      }
      std::vector<LaneIndex> spared;
      for (LaneIndex i = 0; i < kLanes; ++i) {
        if (random.below(8) == 0) spared.push_back(i);
      }
      grouped.send_unseen_to_group(group, frame, spared);
      for (LaneIndex i = 0; i < kLanes; ++i) {
        if (std::ranges::find(spared, i) == spared.end()) single.send_unseen(i, frame);
      }
    }
    grouped.settle();
    for (LaneIndex i = 0; i < kLanes; ++i) {
      const LaneCounters &a = grouped.lane(i).counters, &b = single.lane(i).counters;
      ASSERT_EQ(a.frames, b.frames);
      ASSERT_EQ(a.bytes, b.bytes);
      ASSERT_EQ(a.flooded_bytes, b.flooded_bytes);
      ASSERT_EQ(a.dropped_frames, b.dropped_frames);
    }
  }
}

TEST(Wires, TimersMoveAndStop) {
  Wires wires;
  const TimerIndex a = wires.add_timer(TimerKind::kSource, 1), b = wires.add_timer(TimerKind::kRetransmit, 2);
  wires.arm(a, seconds(5));
  wires.arm(b, seconds(3));
  wires.arm(b, seconds(7));  // later
  wires.arm(a, seconds(2));  // earlier
  Wires::Arrival arrival;
  ASSERT_TRUE(wires.next(seconds(10), arrival));
  EXPECT_EQ(arrival.subject, 1u);
  EXPECT_EQ(wires.now(), seconds(2));
  ASSERT_TRUE(wires.next(seconds(10), arrival));
  EXPECT_EQ(arrival.subject, 2u);
  EXPECT_EQ(wires.now(), seconds(7));
  wires.arm(a, seconds(8));
  wires.disarm(a);
  EXPECT_FALSE(wires.next(seconds(10), arrival));
}

TEST(Wires, ACutLaneForgetsWhatIsInFlight) {
  Wires wires;
  wires.add_lane(lane_of(base::mbit(10)));
  wires.send(0, frame_of(1000));
  wires.cut(0);
  Wires::Arrival arrival;
  EXPECT_FALSE(wires.next(seconds(1), arrival));
  EXPECT_TRUE(wires.send(0, frame_of(1000)));
  EXPECT_TRUE(wires.next(seconds(1), arrival));
}

// ---------------------------------------------------------------- TCP

// A connection over a pipe with a delay that loses what `loses` says.
struct Pipe {
  TcpSender sender;
  TcpReceiver receiver;
  std::vector<std::pair<Time, std::uint32_t>> data;         // arrivals
  std::vector<std::tuple<Time, std::uint32_t, Time>> acks;  // arrival, number, echo
  std::uint32_t delivered = 0;
  Time now{0}, timer = base::kNever;
  static constexpr Duration kOneWay = milliseconds(5);

  template <class Loses>
  void run(std::uint32_t segments, Loses loses) {
    const auto send = [&](std::uint32_t number) {
      if (!loses(number)) data.emplace_back(now + kOneWay, number);
    };
    const auto pump = [&] {
      while (sender.may_send(segments)) send(sender.take_next());
      if (sender.in_flight() && timer == base::kNever) timer = now + sender.timeout();
    };
    pump();
    for (int guard = 0; delivered < segments; ++guard) {
      ASSERT_LT(guard, 2'000'000);
      const Time next_data = data.empty() ? base::kNever : data.front().first;
      const Time next_ack = acks.empty() ? base::kNever : std::get<0>(acks.front());
      now = std::min({next_data, next_ack, timer});
      ASSERT_NE(now, base::kNever) << "stalled";
      if (now == next_data) {
        const auto [at, number] = data.front();
        data.erase(data.begin());
        delivered += receiver.on_segment(number).advanced;
        receiver.acknowledged();
        acks.emplace_back(now + kOneWay, receiver.expected(), at - kOneWay);
      } else if (now == next_ack) {
        const auto [at, number, echo] = acks.front();
        acks.erase(acks.begin());
        const auto reaction = sender.on_ack(number, now - echo);
        if (reaction == TcpSender::Reaction::kRetransmit) send(sender.acknowledged());
        if (reaction != TcpSender::Reaction::kNothing)
          timer = sender.in_flight() ? now + sender.timeout() : base::kNever;
        pump();
      } else {
        timer = base::kNever;
        sender.on_timeout();
        pump();
      }
    }
  }
};

TEST(Tcp, DeliversEverythingOnceWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    base::Random random(seed);
    Pipe pipe;
    const std::uint64_t one_in = 3 + random.below(100);
    pipe.run(2000, [&](std::uint32_t) { return random.below(one_in) == 0; });
    EXPECT_EQ(pipe.delivered, 2000u);
    EXPECT_EQ(pipe.receiver.expected(), 2000u);
  }
}

TEST(Tcp, OneLossIsRepairedWithoutATimeout) {
  Pipe pipe;
  bool lost = false;
  pipe.run(500, [&](std::uint32_t number) { return number == 100 && !std::exchange(lost, true); });
  // Slow start over 10 ms round trips, and one more for the repair; a timeout would cost 200 ms.
  EXPECT_LT(pipe.now, milliseconds(150));
}

TEST(Tcp, LossSlowsItDown) {
  const auto time_for = [](std::uint64_t one_in) {
    base::Random random(4);
    Pipe pipe;
    pipe.run(5000, [&](std::uint32_t) { return one_in != 0 && random.below(one_in) == 0; });
    return pipe.now;
  };
  EXPECT_LT(time_for(0) * 5, time_for(50));
  EXPECT_LT(time_for(50) * 2, time_for(8));
}

TEST(Tcp, ReceiverHoldsWhatComesEarly) {
  TcpReceiver receiver;
  EXPECT_EQ(receiver.on_segment(2).advanced, 0u);
  EXPECT_EQ(receiver.on_segment(1).advanced, 0u);
  EXPECT_EQ(receiver.on_segment(1).advanced, 0u);  // twice
  const auto filled = receiver.on_segment(0);
  EXPECT_EQ(filled.advanced, 3u);
  EXPECT_TRUE(filled.acknowledge_now);
  EXPECT_EQ(receiver.expected(), 3u);
  EXPECT_EQ(receiver.on_segment(0).advanced, 0u);  // old
}

}  // namespace
}  // namespace sekimori::simulate
