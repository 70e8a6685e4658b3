// A guest with two NICs in one segment: harmless until it bridges them, and then frames go round for ever.
// Firewall and VPN appliances bridge their NICs by default, and who builds the guest is often not who runs
// the host: one such guest took down its hypervisor and all guests of it
// (https://github.com/OpenNebula/one/issues/1500).
//
// Nothing goes round where a spanning tree would block the ring (the guest's bridge relays BPDUs like any
// other frame), or where the ports are isolated from each other. A host is its administrator's own, so for
// hosts it is a note. When a machine does bridge, it is a `loop`.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "check/words.h"

namespace sekimori::check {
namespace {

using model::BridgeId;
using model::MachineId;
using model::MachineKind;
using model::PortId;
using model::StationId;

// Where a machine is plugged into a segment.
struct Way {
  std::uint32_t segment;
  PortId port;  // of the bridge
  StationId nic;
};

// One way a NIC: its VLANs are of one wire, and what the machine's own stack has on a bridge is one
// interface.
std::vector<Way> ways_of(const Site& site, const model::Machine& machine) {
  const model::Model& m = site.model;
  std::vector<Way> ways;
  for (const StationId s : machine.stations) {
    const PortId port = peer(m, m[s].port);
    if (!port.valid() || !m[port].bridge.valid()) continue;
    const std::uint32_t segment = site.segments.of_station[s.index()];
    const bool is_known = std::ranges::any_of(ways, [&](const Way& way) {
      const bool is_same_wire = way.port == port || (m[port].role == model::PortRole::kHost &&
                                                     m[way.port].role == model::PortRole::kHost &&
                                                     m[way.port].bridge == m[port].bridge);
      return way.segment == segment && is_same_wire;
    });
    if (!is_known) ways.push_back({segment, port, s});
  }
  std::ranges::stable_sort(ways, {}, &Way::segment);
  return ways;
}

class Danger {
 public:
  explicit Danger(const Site& site) : m_(site.model), has_tree_(site.segments.list.size()) {
    for (std::size_t i = 0; i < has_tree_.size(); ++i) {
      for (const auto& [bridge, vlan] : site.segments.list[i].bridges) has_tree_[i] |= m_[bridge].stp;
    }
  }

  // Would frames go round if the machine bridged these ways into one segment?
  bool closes_a_ring(std::span<const Way> ways) const {
    std::vector<const Way*> open;
    for (const Way& way : ways) {
      if (!m_[m_[way.port].bridge].stp || m_[way.port].bpdu_filter) open.push_back(&way);
    }
    if (open.size() < 2) return false;
    const BridgeId first = m_[open.front()->port].bridge;
    const bool is_one_bridge =
        std::ranges::all_of(open, [&](const Way* way) { return m_[way->port].bridge == first; });
    if (!is_one_bridge) return !has_tree_[open.front()->segment];
    return !std::ranges::all_of(open, [&](const Way* way) { return m_[way->port].isolated; });
  }

 private:
  const model::Model& m_;
  std::vector<char> has_tree_;  // by segment
};

struct Group {
  std::vector<MachineId> machines;
  std::vector<StationId> nics;
};

findings::Finding tell(const Site& site, std::uint32_t segment, bool is_guest, const Group& group) {
  const model::Model& m = site.model;
  const std::string whose = names(m, group.machines, 3);
  const bool is_one = group.machines.size() == 1;
  findings::Finding f = proved(findings::Code::kLoopPossible);
  if (!is_guest) f.severity = findings::Severity::kNote;
  f.stations = group.nics;
  f.where = whose;
  f.line = m[group.machines.front()].line;
  f.headline =
      is_one
          ? fmt::format("{} are NICs of one {} in one segment; if it bridges them, frames circulate for ever",
                        names(m, group.nics), is_guest ? "guest" : "host")
          : fmt::format(
                "{} have several NICs each in one segment; if one bridges them, frames circulate for ever",
                whose);
  f.cause = fmt::format("{} {} in the segment of {}. No spanning tree would block a ring there. ",
                        names(m, group.nics), is_one && group.nics.size() == 2 ? "are both" : "are all",
                        segment_name(site, segment));
  f.cause +=
      is_guest
          ? "Firewall and other appliances bridge their NICs by default; each broadcast would go round at "
            "the speed of the virtual switch and take the host down with the guest. Isolated ports, a "
            "spanning tree or one NIC fewer rule it out."
          : "Two NICs for one segment are usual for storage and spare ways; a bridge over both, without a "
            "spanning tree or a bond, closes a ring.";
  return f;
}

}  // namespace

void rule_loop_possible(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  const Danger danger(site);
  std::map<std::pair<std::uint32_t, bool>, Group> groups;  // by segment, and guests apart
  for (std::size_t i = 0; i < m.machines.size(); ++i) {
    const model::Machine& machine = m.machines[i];
    if (machine.kind == MachineKind::kRouter || machine.stations.size() < 2) continue;
    const std::vector<Way> ways = ways_of(site, machine);
    for (auto from = ways.begin(); from != ways.end();) {
      const auto to =
          std::find_if(from, ways.end(), [&](const Way& way) { return way.segment != from->segment; });
      if (danger.closes_a_ring({from, to})) {
        Group& group = groups[{from->segment, machine.kind == MachineKind::kGuest}];
        group.machines.emplace_back(i);
        for (auto way = from; way != to; ++way) group.nics.push_back(way->nic);
      }
      from = to;
    }
  }
  for (const auto& [key, group] : groups) out.push_back(tell(site, key.first, key.second, group));
}

}  // namespace sekimori::check
