// VLAN devices of a NIC that is a bridge's uplink, put below the bridge (switching/vlan_devices.h): what was
// cabled to the uplink is cabled to a bridge of their own, which has the uplink above it.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "model/builder.h"

namespace sekimori::model {
namespace {

// Of those that take what comes in at their uplinks by an rx_handler.
bool is_above_vlan_devices(BridgeKind kind) {
  return kind == BridgeKind::kLinuxBridge || kind == BridgeKind::kMacvlan || kind == BridgeKind::kOvs;
}

// The stations of the NIC that is this uplink: its VLAN devices, or itself (and what shares its address).
std::vector<StationId> of_nic(const Model& m, PortId uplink, bool devices) {
  std::vector<StationId> list;
  for (const StationId id : m[m[m[uplink].bridge].machine].stations) {
    if (m[m[id].port].name == m[uplink].name && (m[id].vlan != 0) == devices) list.push_back(id);
  }
  return list;
}

bool is_used(const Model& m, const std::vector<StationId>& stations) {
  return std::ranges::any_of(stations, [&](StationId id) {
    return m[id].promiscuous || !m[id].ip.address.is_zero() || !m[id].ip6.address.is_zero();
  });
}

void plug_in(Model& m, PortId port, const std::vector<StationId>& stations) {
  m[port].station = {};
  for (const StationId id : stations) {
    m[id].port = port;
    m[id].next_on_port = std::exchange(m[port].station, id);
  }
}

PortId add_nic_port(Model& m, std::string name) {
  Port port;
  port.name = std::move(name);
  port.pvid = 0;
  m.ports.push_back(std::move(port));
  return PortId(m.ports.size() - 1);
}

void move_cable(Model& m, PortId from, PortId to) {
  const LinkId link = std::exchange(m[from].link, {});
  if (!link.valid()) return;
  (m[link].a == from ? m[link].a : m[link].b) = to;
  m[to].link = link;
}

}  // namespace

void Builder::put_vlan_devices_below() {
  std::vector<PortId> uplinks;
  for (const Bridge& bridge : model_.bridges) {
    if (!bridge.machine.valid() || !is_above_vlan_devices(bridge.kind)) continue;
    std::ranges::copy_if(bridge.ports, std::back_inserter(uplinks), [&](PortId port) {
      return model_[port].role == PortRole::kUplink && !of_nic(model_, port, true).empty();
    });
  }
  for (const PortId uplink : uplinks) put_vlan_devices_below(uplink);
}

void Builder::put_vlan_devices_below(PortId uplink) {
  const std::string nic = model_[uplink].name, above = model_[model_[uplink].bridge].name;
  const MachineId machine = model_[model_[uplink].bridge].machine;
  auto below = add_bridge(nic + ".vlans", BridgeKind::kVlanDevices, machine);
  for (int n = 2; !below; ++n)
    below = add_bridge(nic + ".vlans" + std::to_string(n), BridgeKind::kVlanDevices, machine);
  model_[*below].vlan_aware = true;
  model_[*below].line = model_[model_[uplink].bridge].line;

  const PortId wire = bridge_port(*below, nic, PortRole::kUplink), up = bridge_port(*below, above);
  move_cable(model_, uplink, wire);
  SEKIMORI_ASSERT(connect(uplink, up, virtual_cable()).has_value());
  const PortId devices = port_of_devices(uplink, *below);

  VlanSet all, tags;
  all.set().reset(0).reset(kUntaggedOnly);
  for (const StationId id : of_nic(model_, uplink, true)) tags.set(model_[id].vlan);
  model_[wire].pvid = model_[up].pvid = kUntaggedOnly;
  model_[devices].pvid = 0;
  model_[wire].tagged_vlans = intern(all);
  model_[up].tagged_vlans = intern(all & ~tags);
  model_[devices].tagged_vlans = intern(tags);
  model_[up].isolated = model_[devices].isolated = true;
}

// The NIC's own station stays on the bridge when it is used. Else only its devices were the reason for its
// port there, and that moves down with them.
PortId Builder::port_of_devices(PortId uplink, BridgeId below) {
  const std::vector<StationId> devices = of_nic(model_, uplink, true), own = of_nic(model_, uplink, false);
  const PortId nic = model_[devices.front()].port, spare = add_nic_port(model_, model_[nic].name);
  PortId host;
  if (is_used(model_, own)) {
    plug_in(model_, nic, own);
    plug_in(model_, spare, devices);
  } else {
    plug_in(model_, spare, own);
    plug_in(model_, nic, devices);
    host = peer(model_, nic);
  }
  if (!host.valid()) {
    host = bridge_port(below, {}, PortRole::kHost);
    SEKIMORI_ASSERT(connect(model_[devices.front()].port, host, virtual_cable()).has_value());
    return host;
  }
  std::erase(model_[model_[uplink].bridge].ports, host);
  model_[host].bridge = below;
  model_[host].floods_unknown = true;
  model_[below].ports.push_back(host);
  return host;
}

}  // namespace sekimori::model
