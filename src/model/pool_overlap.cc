#include "model/pool_overlap.h"

#include <fmt/format.h>

#include <algorithm>

namespace sekimori::model {

std::uint64_t size_of(Mac first, Mac last) { return last.bits - first.bits + 1; }

std::string range_text(Mac first, Mac last) {
  return fmt::format("{} to {}", wire::to_text(first), wire::to_text(last));
}

void PoolCluster::add(const MacPool& pool) {
  if (!pools.empty()) {
    const Mac last = std::min(reach, pool.last);
    if (one == nullptr || size_of(pool.first, last) > size_of(shared_first, shared_last)) {
      shared_first = pool.first;
      shared_last = last;
      one = far;
      other = &pool;
    }
  }
  if (pools.empty() || pool.last > reach) {
    reach = pool.last;
    far = &pool;
  }
  pools.push_back(&pool);
}

// A sweep over the pools by their first address.
std::vector<PoolCluster> pool_clusters(std::span<const MacPool> pools) {
  std::vector<const MacPool*> by_first;
  for (const MacPool& pool : pools) by_first.push_back(&pool);
  std::ranges::stable_sort(by_first, {}, &MacPool::first);
  std::vector<PoolCluster> clusters;
  for (const MacPool* pool : by_first) {
    if (clusters.empty() || pool->first > clusters.back().reach) clusters.emplace_back();
    clusters.back().add(*pool);
  }
  return clusters;
}

std::string overlap_text(const PoolCluster& cluster) {
  const std::string one = range_text(cluster.one->first, cluster.one->last),
                    other = range_text(cluster.other->first, cluster.other->last);
  if (one == other)
    return fmt::format("{} and {} are both {}. ", cluster.one->name, cluster.other->name, one);
  return fmt::format("{} ({}) and {} ({}) both contain {}. ", cluster.one->name, one, cluster.other->name,
                     other, range_text(cluster.shared_first, cluster.shared_last));
}

}  // namespace sekimori::model
