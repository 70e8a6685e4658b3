// What links carried and flows got during a part of a run, from the counters at the windows' ends.
#pragma once

#include <vector>

#include "findings/finding.h"
#include "simulate/run.h"

namespace sekimori::simulate {

// The windows [first, last) of a run, and the time they cover.
struct Span {
  std::size_t first = 0, last = 0;
  Time begin{0}, end{0};
  bool empty() const { return first >= last; }
  double seconds() const { return base::to_seconds(end - begin); }
};

class Rates {
 public:
  Rates(const model::Model& model, const RunResult& result) : model_(model), result_(result) {}

  // The windows that lie inside [from, to]; when none does, the one that overlaps it most.
  Span between(Time from, Time to) const;
  Span whole() const { return between(Time{0}, result_.ended); }

  findings::LinkLoad load(model::LinkId link, bool from_a, const Span& span) const;
  // Both directions of every link that carried or dropped anything, by `by`, largest first, at most `most`.
  enum class By { kFlooded, kTotal };
  std::vector<findings::LinkLoad> loads(const Span& span, By by, std::size_t most) const;

  findings::FlowQuality quality(model::FlowId flow, const Span& span) const;
  bool has_lanes() const { return !result_.windows.empty() && !result_.windows.front().lanes.empty(); }

 private:
  LaneCounters lane(std::size_t index, const Span& span) const;

  const model::Model& model_;
  const RunResult& result_;
};

}  // namespace sekimori::simulate
