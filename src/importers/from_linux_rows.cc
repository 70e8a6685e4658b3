// Rows of iproute2 become tables, one row each.
#include <fmt/format.h>

#include <algorithm>

#include "importers/linux_tables.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

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
    if (it.kind == "bond") it.bond = read_bond(info["info_data"]);
    if (it.slave_kind == "bond") it.bond_nic = read_bond_nic(info["info_slave_data"]);
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

}  // namespace sekimori::importers
