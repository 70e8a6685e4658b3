// What the interfaces of a machine are, from the tables.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "importers/linux_tables.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

// Interfaces whose other end is in another namespace may be containers or, in labs, cables. The name decides,
// as it does for people.
bool is_named_as_nic(std::string_view name) {
  for (const std::string_view start : {"eth", "en", "wl", "uplink", "bond"}) {
    if (name.starts_with(start)) return true;
  }
  return false;
}

bool is_tunnel(std::string_view kind) {
  constexpr std::string_view kTunnels[] = {"vxlan", "geneve", "gretap", "erspan", "ip6gretap", "batadv"};
  return std::ranges::find(kTunnels, kind) != std::end(kTunnels);
}

class Machine {
 public:
  Machine(const LinuxTables& tables, Facts& facts) : in_(tables), facts_(facts) {}

  MachineFacts build() && {
    out_.manager = "linux";
    out_.id = out_.name = in_.name;
    out_.group = in_.group;
    out_.kind = model::MachineKind::kHost;
    out_.power = Power::kOn;
    out_.place = in_.place;
    for (const auto& [name, it] : in_.interfaces) {
      if (it.kind == "bridge" && it.is_ethernet) add_bridge(it);
    }
    add_bonds();
    for (const auto& [name, it] : in_.interfaces) {
      if (it.kind != "bridge" && it.is_ethernet && name != "lo") add(it);
    }
    // What stays in the machine and has an address is a way for its own frames that the model does not know.
    out_.neighbours = in_.neighbours;
    out_.routes = in_.routes;
    return std::move(out_);
  }

 private:
  const LinuxInterface* find(std::string_view name) const {
    const auto found = in_.interfaces.find(name);
    return found == in_.interfaces.end() ? nullptr : &found->second;
  }
  SwitchFacts* bridge(std::string_view name) {
    const auto found = std::ranges::find(out_.switches, name, &SwitchFacts::name);
    return found == out_.switches.end() ? nullptr : &*found;
  }

  void add_bridge(const LinuxInterface& it) {
    SwitchFacts bridge;
    bridge.name = it.name;
    bridge.kind = SwitchKind::kLinuxBridge;
    bridge.place = it.place;
    if (it.ageing_centiseconds && *it.ageing_centiseconds >= 0) {
      constexpr std::int64_t kMost = std::int64_t{100} * 86'400 * 30;  // what a site file can say
      bridge.ageing = std::chrono::duration_cast<model::Duration>(
          std::chrono::milliseconds(10 * std::min(*it.ageing_centiseconds, kMost)));
    }
    if (it.table_size > 0 && it.table_size <= 1 << 24)
      bridge.table_size = static_cast<std::uint32_t>(it.table_size);
    if (it.priority != 32768 && it.priority >= 0 && it.priority <= 65535)
      bridge.priority = static_cast<std::uint16_t>(it.priority);
    bridge.stp = it.stp;
    bridge.vlan_aware = it.vlan_filtering;
    bridge.snoops = it.snoops;
    bridge.querier = it.querier;
    bridge.ips = it.ips;
    bridge.has_table = in_.has_fdb;
    bridge.mac = nic_mac(facts_, it.place, it.mac, it.name);
    for (const LinuxFdbEntry& entry : in_.fdb) {
      if (entry.bridge == it.name) bridge.fdb.push_back(entry.entry);
    }
    out_.switches.push_back(std::move(bridge));
  }

  void add(const LinuxInterface& it) {
    SwitchFacts* master = bridge(it.master);
    const LinuxInterface* above = find(it.master);
    if (in_bonds_.contains(it.name)) return add_bond_nic(it, *above);
    if (above != nullptr && (above->kind == "bond" || above->kind == "team")) return;  // that stands for it
    if (it.slave_kind == "bond" && above == nullptr)
      leave_out(it,
                fmt::format("its bond {} is not in the export; it is taken for a NIC by itself", it.master));
    if (is_tunnel(it.kind)) {
      if (master != nullptr)
        leave_out(it, "tunnels between machines are not followed; what lies behind it is missing");
    } else if (it.kind == "vlan") {
      add_vlan(it, master);
    } else if (it.kind == "macvlan" || it.kind == "macvtap") {
      add_macvlan(it);
    } else if (it.kind == "veth" && !it.far_namespace) {
      add_inner_veth(it, master);
    } else if (is_outside(it)) {
      if (master != nullptr) add_port(it, *master, PortFacts::To::kOutside);
    } else if (it.kind == "bond" && !used_.contains(it.name)) {
      return;
    } else if (it.kind != "dummy" && it.kind != "ifb" && it.kind != "openvswitch") {
      add_nic(it);
      if (master != nullptr) add_port(it, *master, PortFacts::To::kNic);
    }
  }

  void add_bonds() {
    std::map<std::string_view, std::vector<const LinuxInterface*>> inside;
    for (const auto& [name, it] : in_.interfaces) {
      if (!it.master.empty() && it.master != name) inside[it.master].push_back(&it);
      // One that has neither an address nor anything above or below it: bonding makes one when it is loaded.
      used_.insert(it.below);
      if (!it.ips.empty() || !it.master.empty()) used_.insert(name);
    }
    for (const auto& [name, it] : in_.interfaces) {
      const auto nics = inside.find(name);
      if (it.kind != "bond" || !it.is_ethernet || nics == inside.end()) continue;
      used_.insert(name);
      auto bond = linux_bond(it, nics->second, facts_);
      if (!bond) continue;
      in_bonds_.insert(bond->nics.begin(), bond->nics.end());
      out_.bonds.push_back(std::move(*bond));
    }
  }

  void add_bond_nic(const LinuxInterface& it, const LinuxInterface& bond) {
    if (it.kind == "macvlan") {
      add_macvlan(it);
    } else {
      add_nic(it);
    }
    NicFacts& nic = out_.nics.back();
    if (!nic.ips.empty()) leave_out(it, "its address, as only the bond above it has one");
    nic.ips.clear();
    // The address that it has now is the bond's in most modes.
    if (!it.bond_nic.mac.empty()) {
      nic.mac = nic_mac(facts_, it.place, it.bond_nic.mac, fmt::format("{}:{}", in_.name, it.name));
    } else if (it.mac == bond.mac) {
      nic.mac.reset();
    }
  }

  static bool is_outside(const LinuxInterface& it) {
    return it.kind == "tun" || (it.kind == "veth" && !is_named_as_nic(it.name) && !it.master.empty());
  }

  void add_nic(const LinuxInterface& it) {
    NicFacts nic;
    nic.name = it.name;
    nic.mac = nic_mac(facts_, it.place, it.mac, fmt::format("{}:{}", in_.name, it.name));
    nic.ips = it.ips;
    nic.up = it.port.up;
    nic.place = it.place;
    nic.virtual_functions = it.virtual_functions;
    if (it.far_namespace) {
      nic.index = it.index;
      nic.peer_index = it.peer_index;
    }
    out_.nics.push_back(std::move(nic));
  }

  void add_port(const LinuxInterface& it, SwitchFacts& bridge, PortFacts::To to) {
    PortFacts port = it.port;
    port.name = it.name;
    port.to = to;
    port.mac = wire::parse_mac(it.mac);
    port.index = it.far_namespace ? it.index : 0;
    port.peer_index = it.peer_index;
    port.sent = it.sent;
    if (!bridge.vlan_aware) port.vlans = {};
    bridge.ports.push_back(std::move(port));
  }

  // eth0.10 with an address is a station of VLAN 10 on eth0. As a port of a bridge it takes VLAN 10 out of
  // the wire: merge makes a switch of it that splits the VLANs.
  void add_vlan(const LinuxInterface& it, SwitchFacts* master) {
    const LinuxInterface* below = find(it.below);
    if (it.vlan_id == 0 || below == nullptr)
      return leave_out(it, "the interface below this VLAN is not in the export");
    if (in_bonds_.contains(below->name)) {
      if (master != nullptr || !it.ips.empty())
        leave_out(it, fmt::format("a VLAN on {}, which is in a bond, is not followed", it.below));
      return;
    }
    if (below->kind == "bridge" || below->kind == "vlan" || !bridge_of(*below).empty()) {
      if (master != nullptr || !it.ips.empty())
        leave_out(it,
                  fmt::format("a VLAN on {}, which is a bridge or a part of one, is not followed", it.below));
      return;
    }
    if (master == nullptr && it.ips.empty()) return;
    NicFacts nic;
    nic.name = fmt::format("{}.{}", it.below, it.vlan_id);
    nic.mac = nic_mac(facts_, it.place, it.mac, fmt::format("{}:{}", in_.name, it.name));
    nic.ips = it.ips;
    nic.place = it.place;
    nic.to = it.below;
    nic.vlans.tagged.emplace_back(it.vlan_id, it.vlan_id);
    out_.nics.push_back(std::move(nic));
    if (master == nullptr) return;
    add_port(it, *master, PortFacts::To::kNic);
    master->ports.back().name = out_.nics.back().name;
  }

  std::string_view bridge_of(const LinuxInterface& it) {
    return bridge(it.master) != nullptr ? std::string_view(it.master) : std::string_view();
  }

  // A macvtap is the guest's NIC itself: the guest's MAC is on it.
  void add_macvlan(const LinuxInterface& it) {
    if (it.kind == "macvlan" && it.far_namespace) {  // of a container: what it is on is in the host
      add_nic(it);
      out_.nics.back().plug = Plug::kMacvlan;
      out_.nics.back().mode = it.mode;
      return;
    }
    if (it.kind == "macvlan") {
      if (!it.ips.empty()) leave_out(it, "the host's own address on a macvlan is not followed");
      return;
    }
    NicFacts nic;
    nic.name = it.name;
    nic.plug = Plug::kMacvlan;
    nic.to = it.below;
    nic.mode = it.mode;
    nic.tap = it.name;
    nic.mac = nic_mac(facts_, it.place, it.mac, it.name);
    nic.place = it.place;
    out_.nics.push_back(std::move(nic));
  }

  // Both ends in this machine: a cable between two of its bridges.
  void add_inner_veth(const LinuxInterface& it, SwitchFacts* master) {
    const LinuxInterface* far = find(it.below);
    const bool joins_bridges = master != nullptr && far != nullptr && bridge(far->master) != nullptr;
    if (!joins_bridges) {
      if (!it.ips.empty() || (master != nullptr && far != nullptr && !far->ips.empty()))
        leave_out(it, "a pair of veths that leads back to the machine's own stack is not followed");
      return;
    }
    add_port(it, *master, PortFacts::To::kSwitch);
    master->ports.back().peer = it.below;
  }

  void leave_out(const LinuxInterface& it, std::string_view why) {
    facts_.leave_out(it.place, fmt::format("the interface {}: {}", it.name, why));
  }

  const LinuxTables& in_;
  Facts& facts_;
  MachineFacts out_;
  std::set<std::string_view> used_;              // names of interfaces
  std::set<std::string, std::less<>> in_bonds_;  // of NICs
};

}  // namespace

MachineFacts linux_machine(const LinuxTables& tables, Facts& facts) { return Machine(tables, facts).build(); }

void make_container(MachineFacts& machine, const LinuxTables& host_tables, MachineFacts& host) {
  machine.kind = model::MachineKind::kGuest;
  machine.switches.clear();
  for (NicFacts& nic : machine.nics) {
    if (nic.index == 0) continue;
    if (nic.plug == Plug::kMacvlan) {
      for (const auto& [name, interface] : host_tables.interfaces) {
        if (interface.index == nic.peer_index) nic.to = name;
      }
    } else {
      nic.plug = Plug::kSwitch;
      for (SwitchFacts& bridge : host.switches) {
        for (PortFacts& port : bridge.ports) {
          if (port.index == 0 || port.index != nic.peer_index || port.peer_index != nic.index) continue;
          nic.to = bridge.name;
          nic.on = bridge.kind;
          nic.tap = port.name;
          port.to = PortFacts::To::kOutside;
          port.index = 0;  // the cable is known
        }
      }
    }
    nic.index = 0;
  }
}

}  // namespace sekimori::importers
