#include <fmt/format.h>

#include <algorithm>

#include "importers/linux_tables.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

// ---------------------------------------------------------------- one row each

enum class Row : std::uint8_t { kUnknown, kLink, kBridgeLink, kFdb, kVlan, kNeighbour, kRoute };

Row row_of(Data row) {
  if (!row.is_map()) return Row::kUnknown;
  if (row["addr_info"].is_list() || (row["ifname"].is_text() && row["link_type"].is_text()))
    return Row::kLink;
  if (row["mac"].is_text() && (row["ifname"].is_text() || row["dev"].is_text()) && row["flags"].is_list())
    return Row::kFdb;
  if (row["ifname"].is_text() && row["vlans"].is_list()) return Row::kVlan;
  if (row["ifname"].is_text() && row["ifindex"] && row["flags"].is_list()) return Row::kBridgeLink;
  if (row["dst"].is_text() && row["dev"].is_text() && row["state"].is_list()) return Row::kNeighbour;
  if (row["dst"].is_text() && (row["dev"].is_text() || row["gateway"].is_text() || row["type"].is_text()))
    return Row::kRoute;
  return Row::kUnknown;
}

std::uint16_t vlan_of(Data value) {
  const std::int64_t id = value.integer_or(0);
  return id >= 1 && id <= 4094 ? static_cast<std::uint16_t>(id) : 0;
}

std::uint32_t index_of(Data value) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value.integer_or(0), 0, INT32_MAX));
}

bool has_word(Data list, std::string_view word) {
  for (const Data item : list) {
    if (item.text() == word) return true;
  }
  return false;
}

std::optional<model::MacvlanMode> macvlan_mode(std::string_view word) {
  using enum model::MacvlanMode;
  if (word == "bridge") return kBridge;
  if (word == "vepa") return kVepa;
  if (word == "private") return kPrivate;
  if (word == "passthru") return kPassthru;
  return std::nullopt;
}

class Reader {
 public:
  Reader(std::uint32_t file, Facts& facts, LinuxTables& tables)
      : file_(file), facts_(facts), tables_(tables) {}

  void read(Data row) {
    switch (row_of(row)) {
      case Row::kLink:
        return read_link(row);
      case Row::kBridgeLink:
        return read_port_options(row, interface(row["ifname"]).port);
      case Row::kFdb:
        return read_fdb(row);
      case Row::kVlan:
        return read_vlans(row);
      case Row::kNeighbour:
        return read_neighbour(row);
      case Row::kRoute:
        return read_route(row);
      case Row::kUnknown:
        // `ip` prints {} for what a filter hides.
        if (row.is_map() && row.begin() == row.end()) return;
        return facts_.leave_out(place(row), "this is no row of ip or bridge with -j");
    }
  }

 private:
  Place place(Data row) const { return {file_, row.line()}; }

  LinuxInterface& interface(Data name) {
    auto [at, is_new] = tables_.interfaces.try_emplace(std::string(name.text()));
    if (is_new) {
      at->second.name = name.text();
      at->second.port.name = name.text();
      at->second.place = at->second.port.place = place(name);
    }
    return at->second;
  }

  // `link` and `addr` print the same, and `addr` the addresses as well.
  void read_link(Data row) {
    LinuxInterface& it = interface(row["ifname"]);
    it.place = it.port.place = place(row);
    it.index = index_of(row["ifindex"]);
    it.peer_index = index_of(row["link_index"]);
    it.far_namespace = row["link_netnsid"].integer().has_value();
    it.below = row["link"].text();
    it.is_ethernet = row["link_type"].text() == "ether";
    it.mac = row["address"].text();
    it.master = row["master"].text();
    it.up = has_word(row["flags"], "UP");
    it.port.up = it.up && row["operstate"].text() != "DOWN";
    it.sent =
        static_cast<std::uint64_t>(std::max<std::int64_t>(row["stats64"]["tx"]["packets"].integer_or(0), 0));
    const Data info = row["linkinfo"];
    if (!info["info_kind"].text().empty()) it.kind = info["info_kind"].text();
    if (!info["info_slave_kind"].text().empty()) it.slave_kind = info["info_slave_kind"].text();
    if (it.kind == "bridge") read_bridge(info["info_data"], it);
    if (it.kind == "vlan") it.vlan_id = vlan_of(info["info_data"]["id"]);
    if (it.kind == "macvlan" || it.kind == "macvtap")
      it.mode = macvlan_mode(info["info_data"]["mode"].text());
    it.virtual_functions.clear();  // `link` and `addr` both tell them
    for (const Data function : row["vfinfo_list"]) {
      const auto mac = wire::parse_mac(function["address"].text());
      it.virtual_functions.push_back(mac.value_or(Mac{}));
    }
    if (it.slave_kind == "bridge") read_port_options(info["info_slave_data"], it.port);
    for (const Data address : row["addr_info"]) read_address(address, it);
  }

  void read_bridge(Data data, LinuxInterface& bridge) {
    if (!data.is_map()) return;
    bridge.ageing_centiseconds = data["ageing_time"].integer();
    bridge.stp = data["stp_state"].integer_or(0) != 0;
    bridge.priority = data["priority"].integer_or(32768);
    bridge.vlan_filtering = data["vlan_filtering"].integer_or(0) != 0;
    bridge.table_size = data["fdb_max_learned"].integer_or(0);
    bridge.snoops = data["mcast_snooping"].integer_or(1) != 0;
    bridge.querier = bridge.snoops && data["mcast_querier"].integer_or(0) != 0;
  }

  static void read_port_options(Data data, PortFacts& port) {
    port.learning = data["learning"].flag(port.learning);
    port.flood = data["flood"].flag(port.flood);
    port.isolated = data["isolated"].flag(port.isolated);
  }

  // Addresses that are no unicast of IPv4 are no concern of layer 2 here.
  void read_address(Data address, LinuxInterface& it) {
    if (address["family"].text() != "inet" || !it.is_ethernet) return;
    const auto ip =
        interface_ip(address["local"].text(),
                     static_cast<int>(std::clamp<std::int64_t>(address["prefixlen"].integer_or(0), 0, 99)));
    if (!ip)
      return facts_.leave_out(place(address),
                              fmt::format("an address of {} is none that a NIC can have", it.name));
    if (std::ranges::find(it.ips, *ip) == it.ips.end()) it.ips.push_back(*ip);
  }

  void read_fdb(Data row) {
    tables_.has_fdb = true;
    const Data name = row["ifname"].is_text() ? row["ifname"] : row["dev"];
    const std::string_view state = row["state"].text();
    // Entries of the device itself (its multicast filter), and the bridge's own addresses.
    if (row["master"].text().empty() || has_word(row["flags"], "self") || state == "permanent") return;
    const auto mac = wire::parse_mac(row["mac"].text());
    if (!mac || mac->is_zero()) {
      return facts_.leave_out(
          place(row), fmt::format("an entry of the table of {} has no MAC address", row["master"].text()));
    }
    if (mac->is_group()) return;
    const bool is_static = state == "static" || has_word(row["flags"], "sticky");
    tables_.fdb.push_back({{*mac, std::string(name.text()), vlan_of(row["vlan"]), is_static, place(row)},
                           std::string(row["master"].text())});
  }

  void read_vlans(Data row) {
    VlanFacts vlans;
    vlans.untagged_dropped = true;
    for (const Data vlan : row["vlans"]) {
      const std::uint16_t first = vlan_of(vlan["vlan"]);
      const std::uint16_t last = vlan["vlanEnd"] ? vlan_of(vlan["vlanEnd"]) : first;
      if (first == 0 || last < first) {
        facts_.leave_out(place(vlan), fmt::format("a VLAN of {} is none", row["ifname"].text()));
        continue;
      }
      if (has_word(vlan["flags"], "PVID")) {
        vlans.untagged = first;
        vlans.untagged_dropped = false;
      }
      if (!has_word(vlan["flags"], "Egress Untagged")) vlans.tagged.emplace_back(first, last);
    }
    interface(row["ifname"]).port.vlans = std::move(vlans);
  }

  // Entries that nobody answered, and those of IPv6, prove no traffic.
  void read_neighbour(Data row) {
    const auto ip = wire::parse_ipv4(row["dst"].text());
    const auto mac = wire::parse_mac(row["lladdr"].text());
    if (!ip || !mac || mac->is_zero() || mac->is_group() || has_word(row["state"], "FAILED")) return;
    tables_.neighbours.push_back({*ip, *mac, std::string(row["dev"].text()), place(row)});
  }

  void read_route(Data row) {
    const auto via = wire::parse_ipv4(row["gateway"].text());
    if (!via) return;  // to a network of its own: follows from the addresses
    const bool is_default = row["dst"].text() == "default";
    const auto to = is_default ? Ipv4Prefix{{}, 0} : wire::parse_ipv4_prefix(row["dst"].text());
    if (to) tables_.routes.push_back({*to, *via, place(row)});
  }

  std::uint32_t file_;
  Facts& facts_;
  LinuxTables& tables_;
};

// ---------------------------------------------------------------- what the interfaces are

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
    if (above != nullptr && (above->kind == "bond" || above->kind == "team"))
      return;  // the bond stands for it
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
    } else if (it.kind != "dummy" && it.kind != "ifb" && it.kind != "openvswitch") {
      add_nic(it);
      if (master != nullptr) add_port(it, *master, PortFacts::To::kNic);
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
};

}  // namespace

bool is_iproute(Data root) {
  if (!root.is_list()) return false;
  if (root.begin() == root.end()) return true;
  for (const Data row : root) {
    if (row_of(row) != Row::kUnknown) return true;
  }
  return false;
}

void read_iproute(Data root, std::uint32_t file, Facts& facts, LinuxTables& tables) {
  Reader reader(file, facts, tables);
  for (const Data row : root) reader.read(row);
}

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
