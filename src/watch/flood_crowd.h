// Floods for several stations at once, which have a cause of their own: a switch that learns nobody, a full
// table, a topology change that made it forget all.
#pragma once

#include <vector>

#include "watch/flood.h"

namespace sekimori::watch {

// Unicast between others to a receiver that had spoken moments before, which any switch that learns keeps
// away.
struct Fresh {
  std::set<Mac> receivers;
  std::uint64_t frames = 0, bytes = 0;
  const Pair* busiest = nullptr;
  bool both_ways = false;  // what some of them say to each other, in both directions: neither is known
  bool certain = true;     // or a place where that belongs
};

class FloodCrowd {
 public:
  FloodCrowd(const Case& c, const Results& results);

  // Tells the causes that floods have in common, and leaves the floods that these do not explain.
  void tell_common_causes(Results& r);
  const std::vector<Flood>& left() const { return floods_; }

  std::size_t flooded() const { return floods_.size(); }
  // Whether living receivers are flooded by others than `sender`, too.
  bool other_senders(Mac sender) const;

 private:
  void not_learnt(Results& r);
  bool somebody_is_learnt(std::uint32_t scope) const;
  void doubt(std::uint32_t scope, const Fresh& fresh, bool mac_flooding, Finding& finding) const;
  void table_full(Results& r);
  void flushed(Results& r);
  void flushed_by(const TopologyChange& change, Results& r);

  const Case& c_;
  std::vector<Flood> floods_;
};

}  // namespace sekimori::watch
