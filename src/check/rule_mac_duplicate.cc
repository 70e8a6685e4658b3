// Two stations with one MAC in one segment: a switch can send frames for that MAC to one place only, and
// sends them to whichever of the two spoke last. Each loses what goes to the other; the one that is talked to
// more starves the other.
//
// Judged by segment and power: the same MAC in two segments, or on a clone that is switched off, harms nobody
// yet. It becomes real when the segments are joined, the clone is started, or one of them migrates.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "check/rules.h"
#include "check/words.h"
#include "model/vlan_devices.h"

namespace sekimori::check {
namespace {

using base::Time;
using model::StationId;

std::string origin(const model::Model& m, StationId station) {
  const model::MachineId original = m[m[station].machine].clone_of;
  switch (m[station].mac_origin) {
    case model::MacOrigin::kCloned:
      return original.valid() ? fmt::format("{} is a clone of {} and kept its MAC", name_of(m, station),
                                            name_of(m, original))
                              : fmt::format("{} is a clone and kept its MAC", name_of(m, station));
    case model::MacOrigin::kDrawn:
      return fmt::format("that of {} was drawn at random from a range, without asking whether it was in use",
                         name_of(m, station));
    case model::MacOrigin::kDeclared:
      return fmt::format("that of {} was fixed by hand", name_of(m, station));
    case model::MacOrigin::kAllocated:
      return fmt::format("that of {} was allocated", name_of(m, station));
  }
  return "";
}

// The bridge that a VLAN device is below (switching/vlan_devices.h); invalid when there is none.
model::BridgeId above(const model::Model& m, StationId s) {
  const model::PortId far = peer(m, m[s].port);
  if (!far.valid() || !m[far].bridge.valid() || m[m[far].bridge].kind != model::BridgeKind::kVlanDevices)
    return {};
  return m[peer(m, model::way_up(m, m[far].bridge))].bridge;
}
bool is_above(const model::Model& m, StationId device, StationId interface) {
  const model::PortId far = peer(m, m[interface].port);
  return far.valid() && m[far].bridge.valid() && m[far].bridge == above(m, device);
}

// VLANs of one NIC, and ports of one bond, may share an address: they are one station to a switch. So may a
// bridge's own interface and the VLANs of a NIC below it.
bool same_nic(const model::Model& m, StationId a, StationId b) {
  if (m[a].port == m[b].port) return true;
  if (m[a].machine != m[b].machine) return false;
  return m[m[a].port].name == m[m[b].port].name || is_above(m, a, b) || is_above(m, b, a);
}

// The NIC under a bridge: what the machine says comes from the bridge's own interface, which may have its
// MAC.
bool is_under_a_bridge(const model::Model& m, StationId s) {
  if (m[m[s].port].link.valid()) return false;
  return std::ranges::any_of(m[m[s].machine].bridges, [&](model::BridgeId bridge) {
    return std::ranges::any_of(m[bridge].ports, [&](model::PortId port) {
      return m[port].role == model::PortRole::kUplink && m[port].name == m[m[s].port].name;
    });
  });
}

struct Duplicate {
  std::vector<StationId> real;  // meet in one segment while running
  Time from = base::kNever;
};

Duplicate meet(const Site& site, const std::vector<StationId>& holders) {
  const model::Model& m = site.model;
  Duplicate result;
  const auto add = [&](StationId s) {
    if (std::ranges::find(result.real, s) == result.real.end()) result.real.push_back(s);
  };
  for (std::size_t i = 0; i < holders.size(); ++i) {
    const auto segments = site.segments_of(holders[i]);
    for (std::size_t j = i + 1; j < holders.size(); ++j) {
      if (same_nic(m, holders[i], holders[j])) continue;
      const auto others = site.segments_of(holders[j]);
      const bool shared =
          std::ranges::any_of(segments, [&](auto s) { return std::ranges::find(others, s) != others.end(); });
      Time from;
      if (!shared || !site.together(holders[i], holders[j], from)) continue;
      add(holders[i]);
      add(holders[j]);
      result.from = std::min(result.from, from);
    }
  }
  return result;
}

findings::Finding about(const Site& site, const std::vector<StationId>& stations, findings::Code code) {
  const model::Model& m = site.model;
  findings::Finding f;
  f.code = code;
  f.severity = findings::entry(code).severity;
  f.certainty = findings::Certainty::kProved;
  f.stations = stations;
  f.where = names(m, stations);
  f.line = m[stations.back()].line != 0 ? m[stations.back()].line : m[m[stations.back()].machine].line;
  std::vector<std::string> origins;
  for (const StationId s : stations) origins.push_back(origin(m, s));
  f.cause = fmt::format("{} is the MAC of {}: {}. ", wire::to_text(m[stations.front()].mac), f.where,
                        base::list_words(origins, 4));
  return f;
}

}  // namespace

void rule_mac_duplicate(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::unordered_map<wire::Mac, std::vector<StationId>> by_mac;
  by_mac.reserve(m.stations.size());
  for (std::size_t s = 0; s < m.stations.size(); ++s) by_mac[m.stations[s].mac].emplace_back(s);
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    auto& holders = by_mac[m.stations[s].mac];
    if (holders.size() < 2 || holders.front().index() != s) continue;
    // Shared by design: a cluster hides it, and of routers one has it (rule_shared_address.cc).
    std::erase_if(holders, [&](StationId h) {
      return m[h].hides_its_mac() || m[h].shared.valid() || is_under_a_bridge(m, h);
    });
    if (holders.size() < 2) continue;
    const Duplicate duplicate = meet(site, holders);
    if (!duplicate.real.empty()) {
      findings::Finding f = about(site, duplicate.real, findings::Code::kMacDuplicate);
      f.onset = duplicate.from;
      f.headline =
          fmt::format("{} have the same MAC, {}, in one segment", f.where, wire::to_text(m.stations[s].mac));
      f.cause += "Switches send frames for it to whichever spoke last, and the other gets nothing.";
      if (duplicate.from > Time{0})
        f.cause += fmt::format(" Both run from {} on.", base::to_text(duplicate.from));
      out.push_back(std::move(f));
      continue;
    }
    const bool all_one_nic =
        std::ranges::all_of(holders, [&](StationId h) { return same_nic(m, h, holders.front()); });
    if (all_one_nic) continue;
    findings::Finding f = about(site, holders, findings::Code::kMacDuplicateLatent);
    f.headline = fmt::format("{} have the same MAC, {}; nothing breaks yet", f.where,
                             wire::to_text(m.stations[s].mac));
    const bool same_segment = std::ranges::all_of(holders, [&](StationId h) {
      return site.segments.of_station[h.index()] == site.segments.of_station[holders.front().index()];
    });
    f.cause +=
        same_segment
            ? "They never run at the same time; when they do, both lose their network."
            : "They are in different segments, or do not run at the same time. When the segments are joined, "
              "or one of them moves or is started, both lose their network.";
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
