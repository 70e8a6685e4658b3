// Builds a Model and refuses malformed shapes. Importers translate their format into these calls; the rules
// that hold for every site are here, once. Each call that can be refused returns an Error whose text says
// what is wrong in the site's own words; the importer adds file and line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "model/model.h"
#include "model/name_index.h"

namespace sekimori::model {

using base::Result;

// A cable inside a machine. Copies between a guest and its virtual switch cost some microseconds and are fast
// beside any wire.
Link virtual_cable();

// "eth0.10" is VLAN 10 on "eth0"; any other name is the NIC itself, with VLAN 0. Refused when what follows
// the last dot is a number and no VLAN ID.
struct NicName {
  std::string_view parent;
  std::uint16_t vlan = 0;
};
Result<NicName> parse_nic_name(std::string_view name);

class Builder {
 public:
  explicit Builder(std::uint64_t seed = 1) { model_.seed = seed; }

  // Names are unique in the site over machines and bridges without a machine.
  Result<MachineId> add_machine(std::string name, MachineKind kind, MachineId host = {});
  Result<BridgeId> add_bridge(std::string name, BridgeKind kind, MachineId machine = {});

  // A NIC with its port. `mac`: none allocates one (allocate_macs), unique in the site and the same on every
  // run. A name "eth0.10" makes a station of VLAN 10 on the NIC eth0, whether or not eth0 has been added
  // itself.
  Result<StationId> add_station(MachineId machine, std::string name, std::optional<Mac> mac,
                                MacOrigin origin);

  // The named port of a bridge, made when it is first asked for.
  PortId bridge_port(BridgeId bridge, std::string_view name, PortRole role = PortRole::kNetwork);

  // Makes the machine's NIC an uplink of its bridge: the wire side becomes a port of the bridge with role
  // uplink. When the NIC is used by the machine itself (has an address, or is promiscuous), its station moves
  // to a host port (see model.h); otherwise the station is left without a link. So give it its address
  // before.
  Result<PortId> enslave(StationId nic, BridgeId bridge);
  // Puts a station that has no wire (a guest's NIC, a bridge's own interface) on a bridge, by a virtual
  // cable.
  Result<PortId> attach(StationId station, BridgeId bridge, PortRole role);

  // The port that a cable to the machine's NIC plugs into: the station's own, or the bridge's uplink port.
  PortId wire_port(StationId nic) const;

  // Refused when a port is used twice or both ends are the same.
  Result<LinkId> connect(PortId a, PortId b, Link properties);

  std::uint32_t intern(const VlanSet& set);
  std::uint32_t intern(const StormControl& limits);

  // A copy of a machine as hypervisors clone: the same NICs, MACs and addresses, another name, switched off.
  // Bridges inside the machine are not cloned.
  Result<MachineId> clone(MachineId original, std::string name, BridgeId onto);

  // Gets a guest's move to another virtual switch ready: for each NIC a second port, on a virtual cable that
  // is down, with the settings of the port it leaves. The answer is what MigrateMachine needs.
  Result<std::vector<std::pair<StationId, PortId>>> prepare_move(MachineId guest, BridgeId onto,
                                                                 SourceLine line = 0);

  // Gives every station without a MAC one. Call before cloning: a clone copies the addresses. finish() calls
  // it too.
  void allocate_macs();

  MachineId find_machine(std::string_view name) const;
  StationId find_station(MachineId machine, std::string_view name) const;
  BridgeId find_bridge(MachineId machine, std::string_view name) const;  // machine invalid: gear of its own

  // Makes room for that many machines of one NIC each; only saves time.
  void expect(std::size_t machines);

  Model& model() { return model_; }
  const Model& model() const { return model_; }

  // Allocates the MACs left out, sorts the changes, checks that every index is sound. The builder is spent.
  Model finish() &&;

 private:
  void put_vlan_devices_below();  // vlan_devices.cc
  void put_vlan_devices_below(PortId uplink);
  PortId port_of_devices(PortId uplink, BridgeId below);

  Model model_;
  NameIndex machines_;
  NameIndex bridges_;                         // owner: machine
  NameIndex stations_;                        // owner: machine
  NameIndex bridge_ports_;                    // owner: bridge
  NameIndex nic_ports_;                       // owner: machine
  std::unordered_map<PortId, PortId> wires_;  // port of a NIC -> uplink port of the bridge it is enslaved to
  std::vector<StationId> without_mac_;
  std::unordered_map<VlanSet, std::uint32_t> vlan_set_index_;
};

}  // namespace sekimori::model
