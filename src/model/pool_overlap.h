// Which MAC pools lie on one another. What follows from that is for rules to say.
#pragma once

#include <span>
#include <vector>

#include "model/model.h"

namespace sekimori::model {

// Pools that hang together by overlaps, and the largest overlap among those that lie side by side.
struct PoolCluster {
  std::vector<const MacPool*> pools;
  Mac reach;             // the last address of any
  const MacPool* far{};  // the pool that has it
  Mac shared_first, shared_last;
  const MacPool* one{};  // of the largest overlap; null while there is a single pool
  const MacPool* other{};

  void add(const MacPool& pool);
};

// Every pool is in exactly one; by first address. O(n log n).
std::vector<PoolCluster> pool_clusters(std::span<const MacPool> pools);

// "a and b are both 02:.. to 02:... " or "a (..) and b (..) both contain ..", with a space at the end.
std::string overlap_text(const PoolCluster& cluster);

std::uint64_t size_of(Mac first, Mac last);
std::string range_text(Mac first, Mac last);  // "02:00:00:00:00:00 to 02:00:00:00:00:ff"

}  // namespace sekimori::model
