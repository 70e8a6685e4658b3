// Names as the site file writes them, and the small questions about a model that every engine asks.
#include <fmt/format.h>

#include "model/bond_mode.h"
#include "model/model.h"

namespace sekimori::model {

std::string_view to_text(BridgeKind kind) {
  switch (kind) {
    case BridgeKind::kSwitch:
      return "switch";
    case BridgeKind::kLinuxBridge:
      return "linux-bridge";
    case BridgeKind::kHub:
      return "hub";
    case BridgeKind::kHostedBridge:
      return "hosted-bridge";
    case BridgeKind::kELan:
      return "e-lan";
    case BridgeKind::kOvs:
      return "ovs";
    case BridgeKind::kEsxi:
      return "esxi";
    case BridgeKind::kHyperV:
      return "hyperv";
    case BridgeKind::kMacvlan:
      return "macvlan";
    case BridgeKind::kSriov:
      return "sriov";
    case BridgeKind::kVtep:
      return "vxlan";
    case BridgeKind::kBond:
      return "bond";
    case BridgeKind::kVlanDevices:
      return "vlan-devices";
  }
  return "?";
}

std::string_view to_text(BondMode mode) { return kBondModeWords.begin()[static_cast<std::size_t>(mode)]; }

std::string_view to_text(FlowKind kind) {
  switch (kind) {
    case FlowKind::kUdp:
      return "udp";
    case FlowKind::kRequest:
      return "request";
    case FlowKind::kPing:
      return "ping";
    case FlowKind::kTcp:
      return "tcp";
  }
  return "?";
}

std::string_view to_text(PoolKind kind) {
  switch (kind) {
    case PoolKind::kRange:
      return "range";
    case PoolKind::kHyperV:
      return "hyperv";
    case PoolKind::kVCenter:
      return "vcenter";
    case PoolKind::kOVirt:
      return "ovirt";
    case PoolKind::kKubeMacPool:
      return "kubemacpool";
  }
  return "?";
}

std::string_view to_text(MachineKind kind) {
  switch (kind) {
    case MachineKind::kHost:
      return "host";
    case MachineKind::kGuest:
      return "guest";
    case MachineKind::kRouter:
      return "router";
  }
  return "?";
}

std::string_view to_text(SharedKind kind) {
  switch (kind) {
    case SharedKind::kNlb:
      return "nlb";
    case SharedKind::kVrrp:
      return "vrrp";
    case SharedKind::kHsrp:
      return "hsrp";
  }
  return "?";
}

std::string name_of(const Model& m, MachineId id) { return m[id].name; }

std::string name_of(const Model& m, StationId id) {
  return fmt::format("{}:{}", m[m[id].machine].name, m[id].name);
}

std::string name_of(const Model& m, BridgeId id) {
  const Bridge& bridge = m[id];
  return bridge.machine.valid() ? fmt::format("{}/{}", m[bridge.machine].name, bridge.name) : bridge.name;
}

std::string name_of(const Model& m, PortId id) {
  const Port& port = m[id];
  if (port.station.valid()) return fmt::format("{}:{}", m[m[port.station].machine].name, port.name);
  if (!port.name.empty()) return fmt::format("{}:{}", name_of(m, port.bridge), port.name);
  // The unnamed end of a virtual cable is called after what is on it.
  const PortId far = peer(m, id);
  return fmt::format("{}({})", name_of(m, port.bridge), far.valid() ? name_of(m, far) : "nothing");
}

std::string name_of(const Model& m, LinkId id) {
  return fmt::format("{} - {}", name_of(m, m[id].a), name_of(m, m[id].b));
}

std::string name_of(const Model& m, FlowId id) {
  const Flow& flow = m[id];
  if (flow.is_multicast())
    return fmt::format("{} {} -> {}", to_text(flow.kind), m[flow.from].name, wire::group_text(flow.group));
  const SharedId shared = flow.to_station.valid() ? m[flow.to_station].shared : SharedId{};
  return fmt::format("{} {} -> {}", to_text(flow.kind), m[flow.from].name,
                     shared.valid() ? m[shared].name : m[flow.to].name);
}

Duration interval_of(const Flow& flow) {
  return flow.rate.bits_per_second > 0 ? base::transmission_time(flow.payload, flow.rate) : flow.interval;
}

Mac address_of(BridgeId bridge) { return Mac{0x02'5354'000000u + bridge.value % 0x100'0000u}; }

PortId peer(const Model& m, PortId port) {
  const LinkId link = m[port].link;
  if (!link.valid()) return {};
  return m[link].a == port ? m[link].b : m[link].a;
}

Mac nic_address(const Model& m, PortId bridge_port) {
  const PortId far = peer(m, bridge_port);
  if (!far.valid()) return {};
  if (m[far].station.valid()) return m[m[far].station].mac;
  // The uplink of a guest's own bridge bears the name of the NIC.
  const MachineId owner = m[m[far].bridge].machine;
  if (!owner.valid() || m[far].role != PortRole::kUplink) return {};
  for (const StationId id : m[owner].stations) {
    if (m[id].name == m[far].name) return m[id].mac;
  }
  return {};
}

bool carries(const Model& m, PortId port, std::uint16_t vlan) {
  if (!m[m[port].bridge].vlan_aware) return true;
  return m[port].pvid == vlan || m.vlan_sets[m[port].tagged_vlans].test(vlan);
}

namespace {

// Longest prefix wins, of equal ones the connected network, then the first.
template <class Hop, class Address, class Prefix, class Routes>
Hop best_hop(const Model& m, MachineId machine, const Address& destination, Prefix Station::* ip,
             const Routes& routes) {
  Hop best;
  int best_length = -1;
  const auto on_link = [&](const Address& address) {
    StationId station;
    int length = -1;
    for (const StationId id : m[machine].stations) {
      const Prefix& own = m[id].*ip;
      if (!own.address.is_zero() && own.length > length && own.contains(address)) {
        station = id;
        length = own.length;
      }
    }
    return std::pair(station, length);
  };
  if (const auto [station, length] = on_link(destination); station.valid()) {
    best = {station, destination};
    best_length = length;
  }
  for (const auto& route : routes) {
    if (route.destination.length <= best_length || !route.destination.contains(destination)) continue;
    const auto [station, length] = on_link(route.via);
    if (!station.valid()) continue;
    best = {station, route.via};
    best_length = route.destination.length;
  }
  return best;
}

}  // namespace

NextHop next_hop(const Model& m, MachineId machine, Ipv4 destination) {
  return best_hop<NextHop>(m, machine, destination, &Station::ip, m[machine].routes);
}

NextHop6 next_hop(const Model& m, MachineId machine, const Ipv6& destination) {
  return best_hop<NextHop6>(m, machine, destination, &Station::ip6, m[machine].routes6);
}

}  // namespace sekimori::model
