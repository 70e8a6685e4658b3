#include "simulate/wires.h"

#include <algorithm>

namespace sekimori::simulate {

std::uint32_t Wires::add_group(LaneIndex first, std::uint32_t count) {
  LeafGroup group{.first = first, .count = count};
  for (LaneIndex i = first; i < first + count; ++i) {
    lanes_[i].group = static_cast<std::uint32_t>(groups_.size());
    group.latest = std::max(group.latest, idle_at_[i]);
  }
  groups_.push_back(group);
  return static_cast<std::uint32_t>(groups_.size() - 1);
}

void Wires::dissolve(std::uint32_t index) {
  settle();
  LeafGroup& group = groups_[index];
  for (LaneIndex i = group.first; i < group.first + group.count; ++i) lanes_[i].group = 0;
  group.count = 0;
}

void Wires::send_unseen_to_group(std::uint32_t index, const Frame& frame, std::span<const LaneIndex> spared) {
  LeafGroup& group = groups_[index];
  const std::uint16_t bytes = frame.wire_bytes();
  const auto mine = [&](LaneIndex lane) { return lanes_[lane].group == index; };
  const Lane& first = lanes_[group.first];  // all alike
  const Duration cost = first.transmission(bytes);
  Time* const idle = idle_at_.data();
  constexpr std::size_t kMostSpared = 8;
  const bool may_drop = group.latest > now_ && group.latest - now_ + cost > first.queue;
  if (may_drop || spared.size() > kMostSpared) {
    group.latest = now_;
    for (LaneIndex i = group.first; i < group.first + group.count; ++i) {
      if (std::ranges::find(spared, i) == spared.end()) send_unseen(i, frame);
      group.latest = std::max(group.latest, idle[i]);
    }
    return;
  }
  // Serve all lanes alike, then undo it for the spared ones.
  Time before[kMostSpared];
  for (std::size_t k = 0; k < spared.size(); ++k) before[k] = idle[spared[k]];
  if (group.latest <= now_) {
    std::fill_n(idle + group.first, group.count, now_ + cost);
    group.latest = now_ + cost;
  } else {
    const Time now = now_;
    for (Time *t = idle + group.first, *end = t + group.count; t != end; ++t)
      *t = (*t > now ? *t : now) + cost;
    group.latest += cost;
  }
  ++group.frames;
  group.bytes += bytes;
  if (frame.stray) {
    ++group.flooded_frames;
    group.flooded_bytes += bytes;
  }
  for (std::size_t k = 0; k < spared.size(); ++k) {
    if (!mine(spared[k])) continue;
    idle[spared[k]] = before[k];
    LaneCounters& c = lanes_[spared[k]].counters;
    c.frames -= 1;
    c.bytes -= bytes;
    c.flooded_frames -= frame.stray;
    c.flooded_bytes -= frame.stray ? bytes : 0;
  }
}

void Wires::settle() {
  for (LeafGroup& group : groups_) {
    if (group.frames == 0) continue;
    for (LaneIndex i = group.first; i < group.first + group.count; ++i) {
      LaneCounters& c = lanes_[i].counters;
      c.frames += group.frames;
      c.bytes += group.bytes;
      c.flooded_frames += group.flooded_frames;
      c.flooded_bytes += group.flooded_bytes;
    }
    group.frames = group.bytes = group.flooded_frames = group.flooded_bytes = 0;
  }
}

TimerIndex Wires::add_timer(TimerKind kind, std::uint32_t subject) {
  timers_.push_back({base::kNever, base::kNever, kind, subject});
  return static_cast<TimerIndex>(timers_.size() - 1);
}

void Wires::arm(TimerIndex index, Time due) {
  Timer& timer = timers_[index];
  timer.due = due;
  if (timer.queued <= due) return;  // an earlier event will find the later time
  timer.queued = due;
  queue_.push({due, static_cast<Entity>(lanes_.size() + index)});
}

void Wires::cut(LaneIndex index) {
  Lane& lane = lanes_[index];
  while (lane.head != kNone) {
    const std::uint32_t slot = lane.head;
    lane.head = pool_[slot].next;
    pool_[slot].next = free_;
    free_ = slot;
  }
  lane.tail = kNone;
  idle_at_[index] = now_;
}

}  // namespace sekimori::simulate
