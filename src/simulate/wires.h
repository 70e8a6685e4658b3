// The wires: every direction of every link (a lane) with its queue, and the clock.
//
// A lane is a FIFO. It transmits at its rate, holds what waits (drop-tail, a bound in bytes) and delivers
// after its delay. Because the rate is constant, the time at which the lane will be idle again says all there
// is to know about its queue: what waits at `now` is what can be sent in (idle_at - now). So a frame's
// departure and arrival are known when it is offered, and a lane has one pending event at most, the arrival
// of its oldest frame.
//
// Timers share the queue of events, so that there is one order of everything.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "simulate/event_queue.h"
#include "simulate/frame.h"
#include "simulate/run.h"

namespace sekimori::simulate {

using LaneIndex = std::uint32_t;
using TimerIndex = std::uint32_t;

// What a timer is for; with an index into the owner's table it says who is to be woken.
enum class TimerKind : std::uint8_t {
  kNeighbour,
  kSource,
  kRetransmit,
  kDelayedAck,
  kAnnounce,
  kAnnounceNd,
  kAdvertiseRouter,
  kChange,
  kSpanningTree,
  kBond,
  kBeacon,
  kFirstHop,
  kReport,   // of a machine that is in multicast groups
  kQuerier,  // a router that asks for them
  kBridgeQuerier
};

struct Lane {
  std::int64_t ps_per_byte = 0;  // 0 when the rate is no whole number of picoseconds a byte
  std::int64_t bits_per_second = 0;
  Duration delay{0};
  Duration queue{0};                         // the bound on the queue, as the time to send it
  std::uint32_t head = kNone, tail = kNone;  // frames in flight, oldest first; indices into the pool
  std::uint32_t to_port = kNone;             // model port at its end
  std::uint32_t group = 0;                   // its LeafGroup; 0: none
  bool up = true;
  bool captured = false;  // somebody records what passes
  LaneCounters counters;

  Duration transmission(std::int64_t bytes) const {
    const std::int64_t on_wire = bytes + kWireOverheadBytes;
    return ps_per_byte != 0 ? Duration{on_wire * ps_per_byte}
                            : base::transmission_time(on_wire, base::BitRate{bits_per_second});
  }
};

// Lanes to stations that will discard what is not for them, side by side in the numbering and alike in rate
// and queue. A flooded copy on such a lane occupies it and is counted, but its arrival can have no effect, so
// it needs no event: a flood over the group is a loop over `idle_at`.
struct LeafGroup {
  LaneIndex first = 0;
  std::uint32_t count = 0;
  Time latest{0};  // no lane of the group is busy beyond this; kept by every send
  // Copies that went to every lane of the group; settle() adds them to the lanes' own counters.
  std::int64_t frames = 0, bytes = 0, flooded_frames = 0, flooded_bytes = 0;
};

class Wires {
 public:
  struct Arrival {
    bool is_timer;
    LaneIndex lane;
    Frame frame;
    TimerKind timer;
    std::uint32_t subject;  // of the timer
  };

  void add_lane(const Lane& lane) {
    lanes_.push_back(lane);
    idle_at_.push_back(Time{0});
  }

  Time now() const { return now_; }
  Lane& lane(LaneIndex i) { return lanes_[i]; }
  const Lane& lane(LaneIndex i) const { return lanes_[i]; }
  std::size_t lanes() const { return lanes_.size(); }

  // Offers a frame to a lane. False when it was dropped: queue full, or the link is down.
  bool send(LaneIndex index, const Frame& frame) {
    Time departure;
    if (!occupy(index, frame.wire_bytes(), frame.stray, departure)) return false;
    Lane& lane = lanes_[index];
    if (lane.captured) [[unlikely]]
      tap(index, frame, false);
    const std::uint32_t slot = allocate();
    pool_[slot].frame = frame;
    pool_[slot].arrival = departure + lane.delay;
    pool_[slot].next = kNone;
    if (lane.head == kNone) {
      lane.head = lane.tail = slot;
      queue_.push({pool_[slot].arrival, index});
    } else {
      pool_[lane.tail].next = slot;
      lane.tail = slot;
    }
    return true;
  }

  // Like send, for a copy that the station at the end will discard unseen.
  void send_unseen(LaneIndex index, const Frame& frame) {
    Time departure;
    occupy(index, frame.wire_bytes(), frame.stray, departure);
  }

  // Makes the lanes [first, first + count) a group; they must be alike in rate, delay and queue.
  std::uint32_t add_group(LaneIndex first, std::uint32_t count);
  void dissolve(std::uint32_t group);
  // A copy of the frame to every lane of the group except those of it that are in `spared`.
  void send_unseen_to_group(std::uint32_t group, const Frame& frame, std::span<const LaneIndex> spared);
  const LeafGroup& group(std::uint32_t index) const { return groups_[index]; }
  // Adds what groups counted to their lanes. Call before reading counters.
  void settle();

  // A timer fires once at `due`; arming it anew moves it.
  TimerIndex add_timer(TimerKind kind, std::uint32_t subject);
  void arm(TimerIndex timer, Time due);
  void disarm(TimerIndex timer) { timers_[timer].due = base::kNever; }
  bool armed(TimerIndex timer) const { return timers_[timer].due != base::kNever; }

  // The next thing that happens up to `limit`; moves the clock. False when nothing does.
  bool next(Time limit, Arrival& arrival);
  // Called for what passes lanes marked as captured: when it is sent, and (inbound) when it arrives.
  std::function<void(LaneIndex, const Frame&, bool inbound)> tap;

  // The clock, when nothing happened until then.
  void advance(Time to) { now_ = to; }

  // Forgets what is in flight on a lane whose link went down.
  void cut(LaneIndex index);

 private:
  struct Slot {
    Frame frame;
    Time arrival;
    std::uint32_t next;
  };
  struct Timer {
    Time due = base::kNever;
    Time queued = base::kNever;  // of its event that counts; other ones are stale
    TimerKind kind;
    std::uint32_t subject;
  };

  bool occupy(LaneIndex index, std::uint16_t bytes, bool stray, Time& departure) {
    Lane& lane = lanes_[index];
    if (!lane.up) [[unlikely]]
      return false;
    const Duration cost = lane.transmission(bytes);
    const Time start = idle_at_[index] > now_ ? idle_at_[index] : now_;
    if (start > now_ && start - now_ + cost > lane.queue) [[unlikely]] {
      ++lane.counters.dropped_frames;
      lane.counters.dropped_bytes += bytes;
      return false;
    }
    departure = idle_at_[index] = start + cost;
    if (departure > groups_[lane.group].latest) groups_[lane.group].latest = departure;
    ++lane.counters.frames;
    lane.counters.bytes += bytes;
    if (stray) {
      ++lane.counters.flooded_frames;
      lane.counters.flooded_bytes += bytes;
    }
    return true;
  }

  std::uint32_t allocate() {
    if (free_ == kNone) {
      pool_.emplace_back();
      return static_cast<std::uint32_t>(pool_.size() - 1);
    }
    const std::uint32_t slot = free_;
    free_ = pool_[slot].next;
    return slot;
  }

  Time now_{0};
  EventQueue queue_;
  std::vector<Lane> lanes_;
  std::vector<Time> idle_at_;                   // beside the lanes: floods touch nothing else
  std::vector<LeafGroup> groups_{LeafGroup{}};  // 0 stands for "in no group"
  std::vector<Slot> pool_;
  std::uint32_t free_ = kNone;
  std::vector<Timer> timers_;
};

inline bool Wires::next(Time limit, Arrival& arrival) {
  while (!queue_.empty() && queue_.next().at <= limit) {
    const auto [at, entity] = queue_.take();
    if (entity < lanes_.size()) [[likely]] {
      Lane& lane = lanes_[entity];
      const std::uint32_t slot = lane.head;
      if (slot == kNone || pool_[slot].arrival != at) continue;  // cut meanwhile
      now_ = at;
      arrival.is_timer = false;
      arrival.lane = entity;
      arrival.frame = pool_[slot].frame;
      lane.head = pool_[slot].next;
      pool_[slot].next = free_;
      free_ = slot;
      if (lane.head != kNone) queue_.push({pool_[lane.head].arrival, entity});
      if (lane.captured) [[unlikely]]
        tap(entity, arrival.frame, true);
      return true;
    }
    Timer& timer = timers_[entity - lanes_.size()];
    if (timer.queued != at) continue;
    timer.queued = base::kNever;
    if (timer.due == base::kNever) continue;
    if (timer.due > at) {
      timer.queued = timer.due;
      queue_.push({timer.due, entity});
      continue;
    }
    timer.due = base::kNever;
    now_ = at;
    arrival.is_timer = true;
    arrival.timer = timer.kind;
    arrival.subject = timer.subject;
    return true;
  }
  return false;
}

}  // namespace sekimori::simulate
