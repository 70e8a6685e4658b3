// Managers that hand out MACs keep account of their own guests only. Two whose pools overlap give the same
// address twice, sooner or later, and cannot notice. It is the usual case, not a rare one, as defaults are
// the same everywhere: oVirt deployed one range in all installations
// (https://www.ovirt.org/develop/release-management/features/sla/scoped-macpoolmanager.html), KubeMacPool's
// default is all of 02, vCenters of equal instance ID share 65 536 addresses, and Hyper-V hosts whose
// addresses end alike, 192.168.1.17 and 10.0.1.17, share all their 256.
//
// The same goes for an address inside a pool that its manager has not given: typed in by hand at a guest that
// it does not manage, or that of a host's own NIC (KubeMacPool #77). Whose guests a pool serves is known
// where it has `hosts`.
#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "check/words.h"
#include "model/pool_overlap.h"

namespace sekimori::check {
namespace {

using model::MachineKind;
using model::MacOrigin;
using model::MacPool;
using model::PoolCluster;
using model::range_text;
using model::size_of;
using model::StationId;
using wire::Mac;

void tell_overlap(const PoolCluster& cluster, std::vector<findings::Finding>& out) {
  std::vector<std::string> pools;
  for (const MacPool* pool : cluster.pools) pools.push_back(pool->name);
  findings::Finding f = proved(findings::Code::kMacPoolOverlap);
  f.where = base::list_words(pools, 5);
  f.line = cluster.other->line;
  const bool is_pair = pools.size() == 2;
  f.headline =
      fmt::format("the MAC pools {} overlap{} {} addresses", f.where, is_pair ? " in" : ", the most by",
                  size_of(cluster.shared_first, cluster.shared_last));
  f.cause = overlap_text(cluster);
  f.cause +=
      "Neither manager knows what the other has given, so the same address is given twice in the end; where "
      "the two guests meet in a segment, both lose their network. Give each manager a range of its own.";
  out.push_back(std::move(f));
}

// Did the pool's manager give this address?
bool is_its_own(const model::Model& m, const MacPool& pool, StationId s) {
  const model::Machine& machine = m[m[s].machine];
  if (machine.kind != MachineKind::kGuest) return false;
  return pool.hosts.empty() || std::ranges::binary_search(pool.hosts, machine.host);
}

void tell_strangers(const model::Model& m, const MacPool& pool, const std::vector<StationId>& strangers,
                    std::vector<findings::Finding>& out) {
  findings::Finding f = proved(findings::Code::kMacPoolOverlap);
  f.stations = strangers;
  f.where = names(m, strangers);
  f.line = m[strangers.front()].line;
  f.headline = fmt::format("{} {} of the MAC pool {}, whose manager does not know of it", f.where,
                           strangers.size() == 1 ? "has an address" : "have addresses", pool.name);
  f.cause = fmt::format(
      "{} is in {} ({}), but not given by its manager, who will give it to a guest in time. Use an address "
      "outside of every pool, or have the manager reserve it.",
      wire::to_text(m[strangers.front()].mac), pool.name, range_text(pool.first, pool.last));
  out.push_back(std::move(f));
}

}  // namespace

void rule_mac_pool_overlap(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  if (m.pools.empty()) return;
  std::vector<StationId> by_mac;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    if (m.stations[s].mac_origin != MacOrigin::kAllocated) by_mac.emplace_back(s);
  }
  std::ranges::stable_sort(by_mac, {}, [&](StationId s) { return m[s].mac; });
  for (const PoolCluster& cluster : model::pool_clusters(m.pools)) {
    if (cluster.pools.size() > 1) {
      tell_overlap(cluster, out);  // whose an address in it is, nobody can tell
      continue;
    }
    const MacPool& pool = *cluster.pools.front();
    const auto mac = [&](StationId s) { return m[s].mac; };
    std::vector<StationId> strangers;
    for (auto at = std::ranges::lower_bound(by_mac, pool.first, {}, mac);
         at != by_mac.end() && m[*at].mac <= pool.last; ++at) {
      if (!is_its_own(m, pool, *at)) strangers.push_back(*at);
    }
    if (!strangers.empty()) tell_strangers(m, pool, strangers, out);
  }
}

}  // namespace sekimori::check
