// The pending events: a 4-ary heap of (time, entity), an entity being a lane or a timer that has at most one
// event pending. So the heap is as large as the number of busy lanes, not of frames, and ties are broken by
// entity: the order is total and the same in every run.
//
// Taking an event usually leads to a new one (the frame's next hop, the lane's next frame). `take` therefore
// leaves a hole at the root, which the next `push` fills with one sift instead of two.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"

namespace sekimori::simulate {

using Entity = std::uint32_t;

class EventQueue {
 public:
  struct Event {
    base::Time at;
    Entity entity;
    friend constexpr bool operator<(const Event& a, const Event& b) {
      return a.at != b.at ? a.at < b.at : a.entity < b.entity;
    }
  };

  bool empty() {
    fill_hole();
    return heap_.empty();
  }
  // Only after empty() said no.
  const Event& next() const { return heap_.front(); }
  Event take() {
    hole_ = true;
    return heap_.front();
  }
  void push(Event event) {
    if (hole_) {
      hole_ = false;
      sift_down(event);
      return;
    }
    std::size_t i = heap_.size();
    heap_.push_back(event);
    while (i > 0) {
      const std::size_t parent = (i - 1) / 4;
      if (!(event < heap_[parent])) break;
      heap_[i] = heap_[parent];
      i = parent;
    }
    heap_[i] = event;
  }

 private:
  void fill_hole() {
    if (!hole_) return;
    hole_ = false;
    const Event last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sift_down(last);
  }

  // Puts `event` where it belongs, starting from the root, whose place is free.
  void sift_down(Event event) {
    const std::size_t size = heap_.size();
    std::size_t i = 0;
    for (;;) {
      const std::size_t first = 4 * i + 1;
      if (first >= size) break;
      std::size_t least = first;
      const std::size_t end = first + 4 < size ? first + 4 : size;
      for (std::size_t child = first + 1; child < end; ++child) {
        if (heap_[child] < heap_[least]) least = child;
      }
      if (!(heap_[least] < event)) break;
      heap_[i] = heap_[least];
      i = least;
    }
    heap_[i] = event;
  }

  std::vector<Event> heap_;
  bool hole_ = false;
};

}  // namespace sekimori::simulate
