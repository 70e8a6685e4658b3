#include "check/rules.h"

#include <algorithm>

namespace sekimori::check {

using base::Time;
using model::StationId;

Site::Site(const model::Model& m) : model(m), segments(model::segments(m)) {
  for (const model::Machine& machine : m.machines) {
    starts.push_back(machine.running ? Time{0} : base::kNever);
    stops.push_back(base::kNever);
  }
  for (const model::Change& change : m.changes) {
    if (const auto* start = std::get_if<model::StartMachine>(&change.what)) {
      Time& at = starts[start->machine.index()];
      at = std::min(at, change.at);
    } else if (const auto* stop = std::get_if<model::StopMachine>(&change.what)) {
      stops[stop->machine.index()] = change.at;
    }
  }
}

std::vector<std::uint32_t> Site::segments_of(StationId station) const {
  std::vector<std::uint32_t> list{segments.of_station[station.index()]};
  for (const model::Change& change : model.changes) {
    const auto* migration = std::get_if<model::MigrateMachine>(&change.what);
    if (migration == nullptr) continue;
    for (const auto& [moved, port] : migration->moves) {
      const model::PortId far = peer(model, port);
      if (moved != station || !far.valid()) continue;
      const model::Port& settings = model[far];
      list.push_back(
          segments.of_bridge(settings.bridge, model[settings.bridge].vlan_aware ? settings.pvid : 0));
    }
  }
  return list;
}

bool Site::together(StationId a, StationId b, Time& from) const {
  const std::size_t x = model[a].machine.index(), y = model[b].machine.index();
  from = std::max(starts[x], starts[y]);
  return from < std::min(stops[x], stops[y]);
}

namespace {

// The rules, in the order in which they are applied.
constexpr void (*kRules[])(const Site&, std::vector<findings::Finding>&) = {
    // rings
    rule_loop,
    rule_loop_possible,
    rule_bpdu_guard,
    // segments
    rule_vlan_mismatch,
    rule_segment_over_wan,
    rule_segment_large,
    rule_segment_mixed,
    // addresses
    rule_ip_duplicate,
    rule_mac_duplicate,
    rule_shared_address,
    rule_mac_well_known,
    rule_mac_invalid,
    rule_mac_birthday,
    rule_mac_pool_overlap,
    rule_mac_pool_full,
    rule_mac_bridge_changes,
    // learning
    rule_flap_teaming,
    rule_bond_mismatch,
    rule_blackhole_nested,
    rule_blackhole_neighbour,
    rule_multicast,
    rule_ageing_below_arp,
    rule_ageing_zero,
};

}  // namespace

std::vector<findings::Finding> structural(const model::Model& model) {
  const Site site(model);
  std::vector<findings::Finding> found;
  for (const auto rule : kRules) rule(site, found);
  findings::sort_findings(found);
  return found;
}

}  // namespace sekimori::check
