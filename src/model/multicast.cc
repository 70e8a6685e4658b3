#include "model/multicast.h"

#include <algorithm>

namespace sekimori::model {
namespace {

StationId own_station(const Model& m, BridgeId bridge) {
  for (const PortId port : m[bridge].ports) {
    if (m[port].role != PortRole::kHost) continue;
    if (const PortId far = peer(m, port); far.valid()) return m[far].station;
  }
  return {};
}

}  // namespace

std::vector<Group> groups_of(const Model& m, StationId station, bool ipv6) {
  std::vector<Group> groups;
  for (const Group& group : m.group_sets[m[station].groups]) {
    if (wire::is_ipv4(group) != ipv6) groups.push_back(group);
  }
  if (ipv6 && !m[station].ip6.address.is_zero()) {
    const Group own = wire::solicited_node(m[station].ip6.address);
    const auto place = std::ranges::lower_bound(groups, own);
    if (place == groups.end() || *place != own) groups.insert(place, own);
  }
  return groups;
}

bool is_member(const Model& m, StationId station, const Group& group) {
  return std::ranges::binary_search(m.group_sets[m[station].groups], group);
}

bool has_querier(const Model& m) {
  return std::ranges::any_of(m.bridges, &Bridge::querier) ||
         std::ranges::any_of(m.stations, &Station::querier);
}

bool uses_groups(const Model& m) {
  return m.group_sets.size() > 1 || std::ranges::any_of(m.flows, &Flow::is_multicast) || has_querier(m);
}

bool asks_for(const Model& m, BridgeId bridge, bool ipv6) {
  if (!m[bridge].querier) return false;
  if (!ipv6) return true;
  if (m[bridge].kind == BridgeKind::kLinuxBridge) {
    const StationId own = own_station(m, bridge);
    return own.valid() && !m[own].ip6.address.is_zero();
  }
  return std::ranges::any_of(m.stations, [](const Station& s) { return !s.ip6.address.is_zero(); });
}

std::vector<std::uint16_t> vlans_of(const Model& m, BridgeId bridge) {
  if (!m[bridge].vlan_aware) return {0};
  VlanSet used;
  for (const Port& port : m.ports) {
    if (port.bridge.valid()) used.set(port.pvid);
  }
  for (const Station& station : m.stations) used.set(station.vlan);
  std::vector<std::uint16_t> vlans;
  constexpr std::uint16_t kEnd = 4096;
  for (std::uint16_t vlan = 1; vlan < kEnd; ++vlan) {
    if (used[vlan] &&
        std::ranges::any_of(m[bridge].ports, [&](PortId port) { return carries(m, port, vlan); }))
      vlans.push_back(vlan);
  }
  return vlans;
}

std::optional<Mac> own_address(const Model& m, BridgeId bridge) {
  const StationId own = own_station(m, bridge);
  return own.valid() ? std::optional(m[own].mac) : std::nullopt;
}

Mac querier_mac(const Model& m, BridgeId bridge) {
  return own_address(m, bridge).value_or(address_of(bridge));
}

}  // namespace sekimori::model
