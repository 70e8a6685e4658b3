#include "watch/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/text.h"

namespace sekimori::watch {

using model::PortId;
using model::StationId;

namespace {

void add_at(const model::Model& m, PortId port, std::set<Mac>& out) {
  for (StationId s = m[port].station; s.valid(); s = m[s].next_on_port) out.insert(m[s].mac);
}

// Stations that hang together with what a frame enters through `port`, by whatever cables and VLANs.
std::set<Mac> beyond(const model::Model& m, PortId port) {
  std::set<Mac> out;
  std::set<std::uint32_t> seen{port.value};
  std::deque<PortId> entered{port};
  while (!entered.empty()) {
    const PortId at = entered.front();
    entered.pop_front();
    add_at(m, at, out);
    if (!m[at].bridge.valid()) continue;
    for (const PortId other : m[m[at].bridge].ports) {
      if (!seen.insert(other.value).second) continue;
      const PortId far = peer(m, other);
      if (far.valid() && seen.insert(far.value).second) entered.push_back(far);
    }
  }
  return out;
}

}  // namespace

Site::Site(const Declared& declared, const Observations& o)
    : model_(declared.model), port_(declared.port), segments_(model::segments(*declared.model)) {
  const model::Model& m = *model_;
  for (std::size_t i = 0; i < m.stations.size(); ++i) {
    by_mac_[m.stations[i].mac].emplace_back(i);
    if (!m.stations[i].ip.address.is_zero()) by_ip_[m.stations[i].ip.address].emplace_back(i);
  }
  know_by_address(o);
  if (!port_.valid()) return;
  find_sides();
  find_tags();
}

void Site::know_by_address(const Observations& o) {
  for (const Binding& b : o.bindings) {
    if (!b.ip.is_v4 || b.count != 1) continue;
    const auto& declared = stations(v4_of(b.ip));
    const Mac mac = b.claimants[0].mac;
    if (declared.size() != 1 || by_mac_.contains(mac)) continue;
    const model::MacOrigin origin = (*model_)[declared.front()].mac_origin;
    if (origin == model::MacOrigin::kAllocated || origin == model::MacOrigin::kDrawn)
      by_mac_[mac].push_back(declared.front());
  }
}

void Site::find_sides() {
  std::set<Mac> here = beyond(*model_, port_);
  const PortId far = peer(*model_, port_);
  std::set<Mac> there = far.valid() ? beyond(*model_, far) : std::set<Mac>{};
  // Stations that are known by their addresses stand where the site has them.
  for (const auto& [mac, list] : by_mac_) {
    for (const StationId s : list) {
      if (here.contains((*model_)[s].mac)) here.insert(mac);
      if (there.contains((*model_)[s].mac)) there.insert(mac);
    }
  }
  // With as many on both sides, what is plugged into the bridge's port is near.
  const bool is_bridges = (*model_)[port_].bridge.valid();
  const bool fewer_are_there = there.size() < here.size() || (is_bridges && there.size() == here.size());
  near_ = std::move(fewer_are_there ? there : here);
  far_ = std::move(fewer_are_there ? here : there);
}

void Site::find_tags() {
  const model::Model& m = *model_;
  const auto add = [&](PortId at) {
    const model::Port& port = m[at];
    if (!port.bridge.valid()) {
      for (StationId s = port.station; s.valid(); s = m[s].next_on_port)
        tags_.try_emplace(m[s].vlan, segments_.of_station[s.index()]);
      return;
    }
    if (!m[port.bridge].vlan_aware) {
      for (std::size_t i = 0; i < segments_.list.size(); ++i) {
        for (const auto& [bridge, vlan] : segments_.list[i].bridges) {
          if (bridge == port.bridge) tags_.try_emplace(vlan, static_cast<std::uint32_t>(i));
        }
      }
      return;
    }
    const auto vlan = [&](std::uint16_t tag, std::uint16_t inside) {
      const std::uint32_t segment = segments_.of_bridge(port.bridge, inside);
      if (segment != PortId::kNone) tags_.try_emplace(tag, segment);
    };
    if (port.pvid != 0) vlan(0, port.pvid);
    for (std::uint16_t tag = 1; tag < 4095; ++tag) {
      if (m.vlan_sets[port.tagged_vlans].test(tag)) vlan(tag, tag);
    }
  };
  add(port_);
  if (const PortId far = peer(m, port_); far.valid() && tags_.empty()) add(far);
}

const std::vector<StationId>& Site::stations(Mac mac) const {
  static const std::vector<StationId> kNone;
  const auto found = by_mac_.find(mac);
  return found == by_mac_.end() ? kNone : found->second;
}

const std::vector<StationId>& Site::stations(wire::Ipv4 ip) const {
  static const std::vector<StationId> kNone;
  const auto found = by_ip_.find(ip);
  return found == by_ip_.end() ? kNone : found->second;
}

std::string Site::name(Mac mac) const {
  std::vector<std::string> names;
  for (const StationId s : stations(mac)) names.push_back(name_of(*model_, s));
  return names.empty() ? std::string() : fmt::format("{}", fmt::join(names, " or "));
}

bool Site::hosted_together(Mac a, Mac b) const {
  const model::Model& m = *model_;
  const auto bridge_of = [&](StationId s) {
    const PortId at = m[s].port.valid() ? peer(m, m[s].port) : PortId{};
    return at.valid() ? m[at].bridge : model::BridgeId{};
  };
  for (const StationId x : stations(a)) {
    for (const StationId y : stations(b)) {
      const model::BridgeId bridge = bridge_of(x);
      if (bridge.valid() && bridge == bridge_of(y) && m[bridge].kind == model::BridgeKind::kHostedBridge)
        return true;
    }
  }
  return false;
}

Side Site::side(Mac mac) const {
  const bool near = near_.contains(mac), far = far_.contains(mac);
  return near && far ? Side::kBoth : near ? Side::kNear : far ? Side::kFar : Side::kUnknown;
}

void place_by(const Site& site, const Observations& o, std::vector<View>& views) {
  if (!site.port().valid()) return;
  for (std::size_t i = 0; i < views.size(); ++i) {
    View& view = views[i];
    if (view.place == Place::kCooked) continue;
    std::size_t near_out = 0, near_in = 0;
    for (const Station& s : o.stations) {
      if (o.scopes[s.scope].interface != i || o.scopes[s.scope].tunnel != 0) continue;
      const Side side = site.side(s.mac);
      if (side == Side::kNear || side == Side::kFar) view.declared.emplace(s.mac, side);
      const bool near = side == Side::kNear;
      if (side == Side::kUnknown || side == Side::kBoth || (s.inbound > 0) == (s.outbound > 0)) continue;
      ++(near == (s.outbound > 0) ? near_out : near_in);
    }
    view.place = site.near_stations() <= 1 ? Place::kAccess : Place::kUplink;
    view.told = view.sides = true;
    view.near_is_outbound = near_out >= near_in;
    view.locals = site.near();
    std::vector<std::string> names;
    for (const Mac mac : site.near()) {
      const std::string name = site.name(mac);
      if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    view.why = fmt::format("it is {}, which separates {} from the rest", name_of(site.model(), site.port()),
                           names.empty() ? "nobody" : base::list_words(names, 3));
  }
}

}  // namespace sekimori::watch
