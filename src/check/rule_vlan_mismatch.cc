// The two ends of a link disagree about the VLANs on it (IEEE 802.1Q-2018 sections 6.9 and 8.6: a frame is
// untagged for the VLAN of the port it comes in at, and dropped when it is tagged for one that the port does
// not carry). Two faults come of it:
//
//   vlan-leak      untagged frames of VLAN 10 at one end are of VLAN 20 at the other: two VLANs become one
//                  segment, unseen, with the broadcasts and the duplicates of both
//   vlan-mismatch  a VLAN is carried at one end only: its frames are dropped there
//
// And a VLAN of a bridge can be taken from it below: by a VLAN device of its uplink's own NIC
// (switching/vlan_devices.h).
//
// What is no fault: a switch on which no VLAN has been configured, plugged into an access port, as it is all
// of that VLAN; `trunk: all` against a list, as long as nothing is dropped that has somebody waiting for it;
// and whatever passes a bridge that knows no VLANs. The leak is therefore seen segment by segment, so that it
// is found through hubs and E-LANs as well, and told with the links where it happens.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "check/words.h"
#include "model/vlan_devices.h"

namespace sekimori::check {
namespace {

using model::BridgeId;
using model::LinkId;
using model::PortId;

constexpr std::size_t kAll = 4000;  // a set this large was not chosen VLAN by VLAN

// By bridge: somebody has configured VLANs there.
std::vector<bool> bridges_with_vlans(const model::Model& m) {
  std::vector<bool> has(m.bridges.size());
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    has[b] = m.bridges[b].vlan_aware && m.bridges[b].kind != model::BridgeKind::kVlanDevices &&
             std::ranges::any_of(m.bridges[b].ports,
                                 [&](PortId port) { return m[port].pvid != 1 || m[port].tagged_vlans != 0; });
  }
  return has;
}

// ---------------------------------------------------------------- leaks

// The links of the segment at whose ends untagged frames are of two VLANs.
std::vector<LinkId> hops(const model::Model& m, const std::vector<bool>& has_vlans,
                         const model::Segment& segment) {
  std::vector<LinkId> links;
  for (const auto& [bridge, vlan] : segment.bridges) {
    if (!has_vlans[bridge.index()]) continue;
    for (const PortId port : m[bridge].ports) {
      const PortId far = peer(m, port);
      if (!far.valid() || port > far || m[port].pvid != vlan || !m[m[port].link].up) continue;
      if (!m[far].bridge.valid() || !has_vlans[m[far].bridge.index()]) continue;
      if (m[far].pvid != 0 && m[far].pvid != vlan) links.push_back(m[port].link);
    }
  }
  return links;
}

void tell_leaks(const Site& site, const std::vector<bool>& has_vlans, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (const model::Segment& segment : site.segments.list) {
    std::map<std::uint16_t, BridgeId> vlans;  // with a bridge where it is called so
    for (const auto& [bridge, vlan] : segment.bridges) {
      if (has_vlans[bridge.index()]) vlans.try_emplace(vlan, bridge);
    }
    if (vlans.size() < 2) continue;
    std::vector<std::string> called;
    for (const auto& [vlan, bridge] : vlans)
      called.push_back(fmt::format("{} at {}", vlan, name_of(m, bridge)));
    const std::vector<LinkId> links = hops(m, has_vlans, segment);
    findings::Finding f = proved(findings::Code::kVlanLeak);
    f.bridge = vlans.rbegin()->second;
    if (!links.empty()) f.link = links.front();
    f.where = links.empty() ? names(m, std::vector{vlans.begin()->second, f.bridge}) : names(m, links, 3);
    f.line = links.empty() ? m[f.bridge].line : m[links.front()].line;
    f.headline = fmt::format("VLANs {} are one segment", base::list_words(called, 4));
    if (links.empty()) {
      f.cause =
          "Frames leave the one untagged and come in at the other, by way of bridges that know no VLANs. ";
    } else {
      const model::Link& link = m[links.front()];
      f.cause = fmt::format("At {} untagged frames are of VLAN {}, at {} of VLAN {}. ", name_of(m, link.a),
                            m[link.a].pvid, name_of(m, link.b), m[link.b].pvid);
    }
    f.cause += fmt::format(
        "What the two VLANs were to keep apart is together: {} take each other's broadcasts, floods and "
        "duplicate addresses, and whoever looks at one switch sees nothing of it.",
        count(segment.stations.size(), "station"));
    out.push_back(std::move(f));
  }
}

// The same at a link whose VLANs have no stations yet, and so no segment.
void tell_empty_leak(const Site& site, const std::vector<bool>& has_vlans, const model::Link& link,
                     std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  const model::Port &a = m[link.a], &b = m[link.b];
  if (!has_vlans[a.bridge.index()] || !has_vlans[b.bridge.index()]) return;
  if (a.pvid == 0 || b.pvid == 0 || a.pvid == b.pvid) return;
  if (site.segments.of_bridge(a.bridge, a.pvid) != BridgeId::kNone) return;  // told with its segment
  findings::Finding f = proved(findings::Code::kVlanLeak);
  f.severity = findings::Severity::kWarning;
  f.bridge = a.bridge;
  f.link = a.link;
  f.line = link.line;
  f.where = name_of(m, f.link);
  f.headline = fmt::format("{} joins VLAN {} at {} and VLAN {} at {}; no station is in them yet", f.where,
                           a.pvid, name_of(m, a.bridge), b.pvid, name_of(m, b.bridge));
  f.cause = "Untagged frames of the one VLAN come in as frames of the other, so the two will be one segment.";
  out.push_back(std::move(f));
}

// ---------------------------------------------------------------- what is dropped

// VLANs on `from` that its frames carry to `to` in vain.
struct Dropped {
  std::set<std::uint16_t> missed;      // and stations of it are behind `to` as well
  std::set<std::uint16_t> for_nobody;  // nobody is known to wait, but it was asked for
};

std::uint32_t segment_at(const Site& site, PortId port, std::uint16_t vlan) {
  return site.segments.of_bridge(site.model[port].bridge, vlan);
}

void find_dropped(const Site& site, PortId from, PortId to, Dropped& dropped) {
  const model::Model& m = site.model;
  const model::VlanSet& sent = m.vlan_sets[m[from].tagged_vlans];
  const model::VlanSet& taken = m.vlan_sets[m[to].tagged_vlans];
  const bool was_chosen = sent.count() < kAll;
  const auto judge = [&](std::uint16_t vlan, bool is_asked_for) {
    const std::uint32_t here = segment_at(site, from, vlan), there = segment_at(site, to, vlan);
    if (here == model::BridgeId::kNone || here == there) return;
    if (there != model::BridgeId::kNone) {
      dropped.missed.insert(vlan);
    } else if (is_asked_for) {
      dropped.for_nobody.insert(vlan);
    }
  };
  if (sent.any()) {
    const model::VlanSet lost = sent & ~taken;
    for (std::uint16_t vlan = 1; lost.any() && vlan <= 4094; ++vlan) {
      if (lost.test(vlan)) judge(vlan, was_chosen);
    }
  }
  if (m[from].pvid != 0 && m[to].pvid == 0) judge(m[from].pvid, m[from].pvid != 1);
}

findings::Finding mismatch(const model::Model& m, const model::Link& link) {
  findings::Finding f = proved(findings::Code::kVlanMismatch);
  f.line = link.line;
  f.link = m[link.a].link;
  f.where = name_of(m, f.link);
  return f;
}

std::string vlans_text(const std::set<std::uint16_t>& vlans) {
  std::vector<std::string> list;
  for (const std::uint16_t vlan : vlans) list.push_back(std::to_string(vlan));
  return fmt::format("VLAN{} {}", vlans.size() == 1 ? "" : "s", base::list_words(list, 8));
}

void tell_dropped(const Site& site, const model::Link& link, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  Dropped dropped;
  find_dropped(site, link.a, link.b, dropped);
  find_dropped(site, link.b, link.a, dropped);
  const bool is_missed = !dropped.missed.empty();
  const auto& vlans = is_missed ? dropped.missed : dropped.for_nobody;
  if (vlans.empty()) return;
  const PortId has = carries(m, link.a, *vlans.begin()) ? link.a : link.b;
  const PortId lacks = has == link.a ? link.b : link.a;
  findings::Finding f = mismatch(m, link);
  if (!is_missed) f.severity = findings::Severity::kWarning;
  f.bridge = m[lacks].bridge;
  f.headline = fmt::format("{} {} on one end only of {}", vlans_text(vlans), vlans.size() == 1 ? "is" : "are",
                           f.where);
  f.cause =
      fmt::format("{} carries {}, {} drops it. ", name_of(m, has), vlans_text(vlans), name_of(m, lacks));
  f.cause +=
      is_missed ? "Stations of it are on both sides and cannot reach each other this way."
                : "No station of it is known behind that port; if there should be one, it is cut off, and if "
                  "not, the broadcasts of it are sent over the link for nothing.";
  out.push_back(std::move(f));
}

// A NIC whose frames its port does not let in: tagged for a VLAN that is not there, or untagged where none
// is.
void tell_cut_off(const Site& site, const model::Link& link, PortId nic, PortId port,
                  std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::vector<model::StationId> cut_off;
  for (model::StationId s = m[nic].station; s.valid(); s = m[s].next_on_port) {
    if (m[s].ip.address.is_zero() && m[s].ip6.address.is_zero()) continue;
    const bool is_let_in =
        m[s].vlan == 0 ? m[port].pvid != 0 : m.vlan_sets[m[port].tagged_vlans].test(m[s].vlan);
    if (!is_let_in) cut_off.push_back(s);
  }
  if (cut_off.empty()) return;
  const model::Station& first = m[cut_off.front()];
  findings::Finding f = mismatch(m, link);
  f.stations = cut_off;
  f.bridge = m[port].bridge;
  f.where = names(m, cut_off);
  f.headline = fmt::format("{} {} cut off: {} does not let {} in", f.where,
                           cut_off.size() == 1 ? "is" : "are", name_of(m, port),
                           first.vlan == 0 ? "untagged frames" : fmt::format("VLAN {} tagged", first.vlan));
  f.cause = fmt::format(
      "{} sends frames {}, and {} has {}.", name_of(m, cut_off.front()),
      first.vlan == 0 ? "without a tag" : fmt::format("with the tag {}", first.vlan), name_of(m, port),
      m[port].pvid == 0 ? "no VLAN for untagged ones"
                        : fmt::format("VLAN {} untagged and not that one tagged", m[port].pvid));
  out.push_back(std::move(f));
}

// All of them are on the machine itself, or its guests: no other way leads out.
bool are_inside(const model::Model& m, model::MachineId machine,
                const std::vector<model::StationId>& stations) {
  return std::ranges::all_of(stations, [&](model::StationId s) {
    return m[s].machine == machine || m[m[s].machine].host == machine;
  });
}

// Stations on the bridge in the VLAN of a device below it.
void tell_taken(const Site& site, BridgeId devices, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  const PortId up = model::way_up(m, devices), uplink = peer(m, up);
  for (std::uint16_t vlan = 1; vlan < model::kUntaggedOnly; ++vlan) {
    if (carries(m, up, vlan) || !carries(m, uplink, vlan)) continue;
    const std::uint32_t segment = segment_at(site, uplink, vlan);
    if (segment == BridgeId::kNone ||
        !are_inside(m, m[devices].machine, site.segments.list[segment].stations))
      continue;
    const std::string device = fmt::format("{}.{}", m[uplink].name, vlan), bridge = m[m[uplink].bridge].name;
    findings::Finding f = mismatch(m, m[m[up].link]);
    f.bridge = m[uplink].bridge;
    f.line = m[f.bridge].line;
    f.stations = site.segments.list[segment].stations;
    f.where = name_of(m, f.bridge);
    f.headline =
        fmt::format("{} {} cut off: {} takes what comes in for VLAN {} before {} sees it",
                    names(m, f.stations, 3), f.stations.size() == 1 ? "is" : "are", device, vlan, bridge);
    f.cause = fmt::format(
        "{} is a VLAN device of {}, the uplink of {}, and so below it: frames with the tag {} are the "
        "device's, "
        "whomever they are for, and what it sends passes no bridge. What is on {} in VLAN {} is heard "
        "outside, "
        "hears nothing from there, and never hears the machine itself. Put the address on {}.{} instead.",
        device, m[uplink].name, f.where, vlan, bridge, vlan, bridge, vlan);
    out.push_back(std::move(f));
  }
}

}  // namespace

void rule_vlan_mismatch(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  const std::vector<bool> has_vlans = bridges_with_vlans(m);
  tell_leaks(site, has_vlans, out);
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    if (m.bridges[b].kind == model::BridgeKind::kVlanDevices) tell_taken(site, BridgeId(b), out);
  }
  const auto is_aware = [&](PortId port) {
    const BridgeId bridge = m[port].bridge;
    return bridge.valid() && m[bridge].vlan_aware && m[bridge].kind != model::BridgeKind::kVlanDevices;
  };
  for (const model::Link& link : m.links) {
    if (!link.up) continue;
    if (is_aware(link.a) && is_aware(link.b)) {
      tell_empty_leak(site, has_vlans, link, out);
      tell_dropped(site, link, out);
    } else if (is_aware(link.a) && m[link.b].station.valid()) {
      tell_cut_off(site, link, link.b, link.a, out);
    } else if (is_aware(link.b) && m[link.a].station.valid()) {
      tell_cut_off(site, link, link.a, link.b, out);
    }
  }
}

}  // namespace sekimori::check
