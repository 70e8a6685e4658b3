// A pool that is used up. Hyper-V gives each host 256 addresses; the guest that would need another cannot be
// started ("Attempt to access invalid address"), and who then widens the range by hand runs into the range of
// the next host (Microsoft KB 2804678).
//
// NICs count that have an address of the pool, or none in the site file, on the hosts that the pool serves.
#include <fmt/format.h>

#include "check/words.h"

namespace sekimori::check {
namespace {

constexpr double kNoteFrom = 0.9;

}  // namespace

void rule_mac_pool_full(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  if (m.pools.empty()) return;
  std::vector<std::vector<model::StationId>> nics(m.machines.size());  // of guests, by host
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    const model::Machine& machine = m[m.stations[s].machine];
    if (machine.kind == model::MachineKind::kGuest) nics[machine.host.index()].emplace_back(s);
  }
  for (const model::MacPool& pool : m.pools) {
    const std::uint64_t size = pool.last.bits - pool.first.bits + 1;
    std::uint64_t used = 0;
    for (const model::MachineId host : pool.hosts) {
      for (const model::StationId s : nics[host.index()]) {
        const bool is_inside = pool.first <= m[s].mac && m[s].mac <= pool.last;
        used += is_inside || m[s].mac_origin == model::MacOrigin::kAllocated ? 1u : 0u;
      }
    }
    if (static_cast<double>(used) < kNoteFrom * static_cast<double>(size)) continue;
    findings::Finding f = proved(findings::Code::kMacPoolFull);
    if (used <= size) f.severity = findings::Severity::kNote;
    f.where = pool.name;
    f.line = pool.line;
    f.headline =
        used > size
            ? fmt::format("the MAC pool {} has {} addresses for {} NICs", pool.name, size, used)
            : fmt::format("the MAC pool {} is nearly used up: {} of {} addresses", pool.name, used, size);
    f.cause = fmt::format(
        "{} serves the guests of {}. Without a free address no further NIC can be made or started", pool.name,
        names(m, pool.hosts, 4));
    f.cause += pool.kind == model::PoolKind::kHyperV ? "; a Hyper-V host has 256 unless its range is "
                                                       "widened, which must not reach into another host's."
                                                     : ".";
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
