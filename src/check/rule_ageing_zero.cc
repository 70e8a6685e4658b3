// A bridge that keeps no entries, because its ageing time is 0 or its learning is off, is a hub: every
// unicast frame goes out of every port. A network plug-in did that to all tenants of a cloud (CVE-2019-15753,
// os-vif: ageing 0 on bridges with many guests; the same call is right for the two-port bridges it was
// written for).
//
// With two ports there is no third to flood, so ageing 0 is a legitimate setting there
// (https://github.com/kubevirt/kubevirt/issues/1620). Static entries for every station do instead of
// learning.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "check/words.h"
#include "switching/kinds.h"

namespace sekimori::check {
namespace {

using base::Time;
using model::BridgeId;
using model::BridgeOption;

// When each bridge begins to keep nothing; kNever: it learns.
std::vector<Time> deaf_from(const model::Model& m) {
  std::vector<Time> deaf;
  for (const model::Bridge& bridge : m.bridges) {
    // Endpoints of tunnels that don't learn are told what they know.
    const bool is_told = bridge.kind == model::BridgeKind::kVtep && !bridge.learning;
    const bool could_learn = switching::learns(bridge.kind) && !is_told;
    const bool is_deaf = could_learn && (bridge.ageing.count() == 0 || !bridge.learning);
    deaf.push_back(is_deaf ? Time{0} : base::kNever);
  }
  for (const model::Change& change : m.changes) {
    const auto* set = std::get_if<model::SetBridge>(&change.what);
    if (set == nullptr || set->value != 0) continue;
    if (set->option != BridgeOption::kAgeing && set->option != BridgeOption::kLearning) continue;
    deaf[set->bridge.index()] = std::min(deaf[set->bridge.index()], change.at);
  }
  return deaf;
}

std::size_t ports_in(const model::Model& m, BridgeId bridge, std::uint16_t vlan) {
  return static_cast<std::size_t>(std::ranges::count_if(m[bridge].ports, [&](model::PortId port) {
    return m[port].link.valid() && m[m[port].link].up && carries(m, port, vlan);
  }));
}

bool has_static_entries_for_all(const model::Model& m, const model::Bridge& bridge,
                                const model::Segment& segment) {
  if (bridge.static_entries.size() < segment.stations.size()) return false;
  std::unordered_set<wire::Mac> known;
  for (const model::StaticEntry& entry : bridge.static_entries) known.insert(entry.mac);
  return std::ranges::all_of(segment.stations, [&](model::StationId s) { return known.contains(m[s].mac); });
}

// What one line of the site file makes of bridges that keep nothing, and their segments of more than two
// ports.
struct Deaf {
  std::vector<BridgeId> bridges;
  Time from{0};
  std::size_t ports = 0, stations = 0;  // of the widest

  void add(BridgeId bridge, std::size_t ports_there, std::size_t stations_there) {
    bridges.push_back(bridge);
    ports = std::max(ports, ports_there);
    stations = std::max(stations, stations_there);
  }
};

findings::Finding tell(const model::Model& m, const Deaf& deaf) {
  const model::Bridge& bridge = m[deaf.bridges.front()];
  const bool is_one = deaf.bridges.size() == 1;
  findings::Finding f = proved(findings::Code::kAgeingZero);
  f.bridge = deaf.bridges.front();
  f.line = bridge.line;
  f.where = names(m, deaf.bridges, 4);
  if (deaf.from > Time{0}) f.onset = deaf.from;
  const std::string why = deaf.from > Time{0}          ? fmt::format("from {} on", base::to_text(deaf.from))
                          : bridge.ageing.count() == 0 ? "ageing time 0"
                                                       : "learning off";
  f.headline = fmt::format("{} {} no entries ({}): what is meant for one of {} goes out of {} ports", f.where,
                           is_one ? "keeps" : "keep", why, count(deaf.stations, "station"), deaf.ports);
  f.cause = fmt::format(
      "{} {} where a station is as soon as it is heard, and so {} like a hub. On a bridge with two ports "
      "that is harmless, and the setting is meant for those; here each of {} ports receives what is meant "
      "for the others.",
      f.where, is_one ? "forgets" : "forget", is_one ? "forwards" : "forward", deaf.ports);
  return f;
}

}  // namespace

void rule_ageing_zero(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  const std::vector<Time> deaf = deaf_from(m);
  std::map<std::pair<model::SourceLine, Time>, Deaf> faults;
  for (const model::Segment& segment : site.segments.list) {
    for (const auto& [bridge, vlan] : segment.bridges) {
      const Time from = deaf[bridge.index()];
      if (from == base::kNever) continue;
      const std::size_t ports = ports_in(m, bridge, vlan);
      if (ports <= 2 || has_static_entries_for_all(m, m[bridge], segment)) continue;
      Deaf& fault = faults[{m[bridge].line, from}];
      fault.from = from;
      fault.add(bridge, ports, segment.stations.size());
    }
  }
  for (auto& [key, fault] : faults) {
    std::ranges::sort(fault.bridges);
    const auto [end, last] = std::ranges::unique(fault.bridges);
    fault.bridges.erase(end, last);
    out.push_back(tell(m, fault));
  }
}

}  // namespace sekimori::check
