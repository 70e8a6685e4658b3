#include <fmt/format.h>

#include <algorithm>

#include "importers/lines.h"
#include "importers/ovs_tables.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

// A row of a table: the columns' values by name.
class Row {
 public:
  Row(Data headings, Data row) : headings_(headings), row_(row) {}
  Data operator[](std::string_view column) const {
    auto value = row_.begin();
    for (const Data heading : headings_) {
      if (value == row_.end()) break;
      if (heading.text() == column) return *value;
      ++value;
    }
    return {};
  }
  std::string uuid() const { return first_of((*this)["_uuid"]); }
  // Of ["uuid", X], ["set", [...]] and plain values.
  static std::vector<std::string> all_of(Data value) {
    std::vector<std::string> out;
    if (!value.is_list()) {
      if (!value.text().empty()) out.emplace_back(value.text());
      return out;
    }
    const Data tag = *value.begin();
    bool is_first = true;
    for (const Data part : value) {
      if (is_first) {
        is_first = false;
        continue;
      }
      if (tag.text() == "uuid") out.emplace_back(part.text());
      if (tag.text() != "set") continue;
      for (const Data item : part) {
        for (std::string& inner : all_of(item)) out.push_back(std::move(inner));
      }
    }
    return out;
  }
  static std::string first_of(Data value) {
    const auto all = all_of(value);
    return all.empty() ? std::string() : all.front();
  }
  std::string mapped(std::string_view column, std::string_view key) const {
    for (const Data part : (*this)[column]) {
      for (const Data pair : part) {
        auto at = pair.begin();
        if (at == pair.end() || (*at).text() != key) continue;
        ++at;
        if (at != pair.end()) return std::string((*at).text());
      }
    }
    return {};
  }

 private:
  Data headings_, row_;
};

// access: tag only; trunk: trunks, all when none are listed; native-*: both.
VlanFacts vlans_of(const Row& row) {
  VlanFacts vlans;
  const std::string mode = Row::first_of(row["vlan_mode"]);
  const std::uint16_t tag = vlan_number(Row::first_of(row["tag"]));
  if (mode.empty() ? tag != 0 : mode != "trunk") vlans.untagged = tag;
  if (mode == "access" || (mode.empty() && tag != 0)) return vlans;
  for (const std::string& trunk : Row::all_of(row["trunks"])) {
    if (const std::uint16_t id = vlan_number(trunk); id != 0) vlans.tagged.emplace_back(id, id);
  }
  return vlans;
}

// ---------------------------------------------------------------- bonds

bool is_nic(const OvsInterface& it) {
  return it.type.empty() || it.type == "system" || it.type == "afxdp" || it.type == "dpdk";
}

// Bonds of Open vSwitch in the words of Linux'. balance-tcp hashes addresses and ports, and does so only with
// an LACP partner. balance-slb gives each MAC and VLAN above it one NIC: with LACP that is one conversation's
// way as any, and without it needs no group at the other end, as it takes each MAC's frames for granted at
// the NIC that it has.
BondFacts ovs_bond(const OvsPort& port) {
  BondFacts bond;
  bond.name = port.name;
  bond.place = port.place;
  bond.primary = port.primary;
  const bool speaks_lacp = port.lacp == "active" || port.lacp == "passive";
  if (port.bond_mode == "balance-tcp" || port.bond_mode == "balance-slb") {
    bond.mode = speaks_lacp ? model::BondMode::kLacp : model::BondMode::kActiveBackup;
    if (speaks_lacp) bond.primary.clear();
    if (speaks_lacp && port.bond_mode == "balance-tcp") bond.hash_policy = model::HashPolicy::kLayer34;
    if (speaks_lacp && port.bond_mode == "balance-slb")
      bond.not_modelled.emplace_back("bond_mode balance-slb (the MACs of both ends choose the NIC here)");
    if (!speaks_lacp)
      bond.not_modelled.push_back(
          fmt::format("bond_mode {} without LACP ({}one NIC works here, as in active-backup)", port.bond_mode,
                      port.bond_mode == "balance-tcp" ? "by which Open vSwitch sends nothing; " : ""));
  } else if (speaks_lacp) {
    bond.not_modelled.push_back(
        fmt::format("lacp {} in bond_mode active-backup (none is spoken here)", port.lacp));
  }
  return bond;
}

// ---------------------------------------------------------------- bridges

class Adder {
 public:
  Adder(const OvsTables& tables, const LinuxTables* linux_tables, MachineFacts& host, Facts& facts)
      : in_(tables), linux_(linux_tables), host_(host), facts_(facts) {}

  void add(const OvsBridge& bridge) {
    SwitchFacts out;
    out.name = bridge.name;
    out.kind = SwitchKind::kOvs;
    out.place = bridge.place;
    // As OVS bounds them; not set they are what a site file takes for an ovs, too.
    if (bridge.ageing)
      out.ageing = std::chrono::duration_cast<model::Duration>(
          std::chrono::seconds(std::clamp<std::int64_t>(*bridge.ageing, 15, 3600)));
    if (bridge.table_size)
      out.table_size =
          static_cast<std::uint32_t>(std::clamp<std::int64_t>(*bridge.table_size, 10, 1'000'000));
    out.stp = bridge.stp;
    out.snoops = bridge.snoops;
    out.floods_unregistered = bridge.floods_unregistered;
    for (const std::string& uuid : bridge.ports) {
      const auto port = in_.ports.find(uuid);
      if (port != in_.ports.end()) add_port(port->second, out);
    }
    // OVS keeps tags apart always; a site file says so when a port has VLANs.
    out.vlan_aware = std::ranges::any_of(out.ports, [](const PortFacts& p) { return p.vlans.any(); });
    if (out.vlan_aware) {
      for (PortFacts& port : out.ports) {
        if (!port.vlans.any()) port.vlans.tagged.emplace_back(std::uint16_t{1}, std::uint16_t{4094});
      }
    }
    read_fdb(bridge, out);
    read_flows(bridge, out);
    host_.switches.push_back(std::move(out));
  }

 private:
  void add_port(const OvsPort& port, SwitchFacts& bridge) {
    if (port.interfaces.size() > 1) return add_bond(port, bridge);
    for (const std::string& uuid : port.interfaces) {
      const auto found = in_.interfaces.find(uuid);
      if (found == in_.interfaces.end()) continue;
      const OvsInterface& it = found->second;
      names_[it.number] = it.name;
      if (it.name == bridge.name) {
        take_own_interface(bridge);
        continue;
      }
      PortFacts out;
      out.name = it.name;
      out.vlans = port.vlans;
      out.place = port.place;
      if (it.type == "patch") {
        out.to = PortFacts::To::kSwitch;
        out.peer = it.peer;
      } else if (is_nic(it)) {
        const LinuxInterface* known = interface(it.name);
        // A tap or a veth of a guest; the rest are NICs of the host.
        const bool is_outside =
            !it.owner.empty() || (known != nullptr && (known->kind == "tun" || known->kind == "veth") &&
                                  !it.name.starts_with("e"));
        out.to = is_outside ? PortFacts::To::kOutside : PortFacts::To::kNic;
        std::erase_if(host_.nics, [&](const NicFacts& nic) { return is_outside && nic.name == it.name; });
        if (is_outside && !it.attached_mac.empty()) add_guest(it, bridge, port);
        if (!is_outside) host_nic(it, port.place);
      } else {
        if (it.type != "internal")
          facts_.leave_out(
              port.place, fmt::format("the port {} of {}: tunnels between machines are not followed", it.name,
                                      bridge.name));
        continue;
      }
      bridge.ports.push_back(std::move(out));
    }
  }

  // What Open vSwitch has and iproute2 does not tell is a NIC, too: with DPDK the kernel doesn't know it.
  NicFacts& host_nic(const OvsInterface& it, Place place) {
    const auto known = std::ranges::find(host_.nics, it.name, &NicFacts::name);
    if (known != host_.nics.end()) return *known;
    NicFacts& nic = host_.nics.emplace_back();
    nic.name = it.name;
    nic.place = place;
    return nic;
  }

  bool is_in_bond(std::string_view nic) const {
    return std::ranges::any_of(host_.bonds, [&](const BondFacts& bond) {
      return bond.name == nic || std::ranges::find(bond.nics, nic) != bond.nics.end();
    });
  }

  // Several interfaces in a port. What comes of it is a bond of the machine, and the port is the bond's.
  void add_bond(const OvsPort& port, SwitchFacts& bridge) {
    BondFacts bond = ovs_bond(port);
    const bool is_taken =
        std::ranges::find(host_.nics, port.name, &NicFacts::name) != host_.nics.end() ||
        std::ranges::find(host_.switches, port.name, &SwitchFacts::name) != host_.switches.end();
    if (is_taken)
      return facts_.leave_out(
          port.place, fmt::format("the bond {} of {}, as there is another interface of that name", port.name,
                                  bridge.name));
    std::optional<Mac> mac;
    const auto active = wire::parse_mac(port.active_mac);
    for (const std::string& uuid : port.interfaces) {
      const auto found = in_.interfaces.find(uuid);
      if (found == in_.interfaces.end()) continue;
      const OvsInterface& it = found->second;
      names_[it.number] = port.name;
      if (!is_nic(it) || is_in_bond(it.name) || it.name == port.name) {
        facts_.leave_out(port.place,
                         fmt::format("the interface {} of {}: only NICs are in a bond here, each in one",
                                     it.name, port.name));
        continue;
      }
      NicFacts& nic = host_nic(it, port.place);
      if (!nic.ips.empty())
        facts_.leave_out(nic.place, fmt::format("the address of {}, which is in a bond", it.name));
      nic.ips.clear();
      if (!nic.mac) nic.mac = wire::parse_mac(it.mac);
      // The bridge has the lowest address of its NICs.
      if (!mac || nic.mac == bridge.mac) mac = nic.mac;
      bond.nics.insert(active && nic.mac == active ? bond.nics.begin() : bond.nics.end(), it.name);
      if (it.lacp_current && !bond.aggregated) bond.aggregated.emplace();
      if (it.lacp_current.value_or(false)) bond.aggregated->push_back(it.name);
    }
    if (bond.nics.empty()) return;
    NicFacts nic;
    nic.name = port.name;
    nic.mac = mac;
    nic.place = port.place;
    host_.nics.push_back(std::move(nic));
    host_.bonds.push_back(std::move(bond));
    PortFacts out;
    out.name = port.name;
    out.vlans = port.vlans;
    out.place = port.place;
    bridge.ports.push_back(std::move(out));
  }

  // What a manager wrote beside the port: whose NIC it is, and its MAC.
  void add_guest(const OvsInterface& it, const SwitchFacts& bridge, const OvsPort& port) {
    MachineFacts guest;
    guest.manager = "ovs";
    guest.id = guest.name = it.owner.empty() ? it.name : it.owner;
    guest.group = in_.group;
    guest.power = Power::kOn;
    guest.place = port.place;
    NicFacts nic;
    nic.name = "net0";
    nic.tap = it.name;
    nic.plug = Plug::kSwitch;
    nic.to = bridge.name;
    nic.mac = nic_mac(facts_, port.place, it.attached_mac, guest.name);
    nic.place = port.place;
    guest.nics.push_back(std::move(nic));
    guests_.push_back(std::move(guest));
  }

  const LinuxInterface* interface(std::string_view name) const {
    if (linux_ == nullptr) return nullptr;
    const auto found = linux_->interfaces.find(name);
    return found == linux_->interfaces.end() ? nullptr : &found->second;
  }

  void take_own_interface(SwitchFacts& bridge) {
    const LinuxInterface* own = interface(bridge.name);
    if (own == nullptr) return;
    bridge.ips = own->ips;
    bridge.mac = wire::parse_mac(own->mac);
    std::erase_if(host_.nics, [&](const NicFacts& nic) { return nic.name == bridge.name; });
  }

  bool is_of(const OvsLine& line, const OvsBridge& bridge) const {
    return line.bridge == bridge.name || (in_.bridges.size() == 1 && line.bridge.empty());
  }

  std::string port_name(std::string_view word) const {
    const auto found = names_.find(ovs_number(word).value_or(-1));
    return found == names_.end() ? std::string(word) : found->second;
  }

  //  port  VLAN  MAC                Age
  void read_fdb(const OvsBridge& bridge, SwitchFacts& out) {
    for (const OvsLine& line : in_.fdb) {
      const auto words = words_of(line.text);
      if (!is_of(line, bridge)) continue;
      out.has_table = true;
      const auto mac = words.size() >= 4 ? wire::parse_mac(words[2]) : std::nullopt;
      if (!mac || mac->is_group() || words[0] == "LOCAL") continue;
      out.fdb.push_back({*mac, port_name(words[0]), vlan_number(words[1]), words[3] == "static", line.place});
    }
  }

  // The first table, by priority. What a site file can't say is left out, and what it would match goes by the
  // others; so nothing is said then of what no flow matches, which OVS drops.
  void read_flows(const OvsBridge& bridge, SwitchFacts& out) {
    std::vector<OvsFlow> flows;
    for (const OvsLine& line : in_.flows) {
      if (!is_of(line, bridge) || !line.text.contains("actions=")) continue;
      OvsFlow flow = read_ovs_flow(line.text);
      if (flow.table != 0) continue;
      flow.rule.place = line.place;
      flows.push_back(std::move(flow));
    }
    std::ranges::stable_sort(flows, std::ranges::greater(), &OvsFlow::priority);
    bool is_complete = false;
    for (OvsFlow& flow : flows) {
      FlowRuleFacts& rule = flow.rule;
      if (!flow.is_readable) {
        out.unread_flows.push_back(rule.place);
        continue;
      }
      is_complete = rule.in.empty() && !rule.destination && rule.type == model::FlowRuleType::kAny;
      if (is_complete && rule.normal && rule.out.empty()) break;  // as without flows
      if (!rule.in.empty()) rule.in = port_name(rule.in);
      for (std::string& port : rule.out) port = port_name(port);
      out.flow_rules.push_back(std::move(rule));
      if (is_complete) break;
    }
    if (!is_complete && !flows.empty() && out.unread_flows.empty())
      out.flow_rules.push_back({{}, {}, {}, {}, false, flows.back().rule.place});
  }

 public:
  std::vector<MachineFacts> guests_;

 private:
  const OvsTables& in_;
  const LinuxTables* linux_;
  MachineFacts& host_;
  Facts& facts_;
  std::map<std::int64_t, std::string> names_;
};

}  // namespace

bool is_ovs_list(Data root) { return root["headings"].is_list() && root["data"].is_list(); }

void read_ovs_list(Data root, std::uint32_t file, OvsTables& tables) {
  const Data headings = root["headings"];
  const auto has = [&](std::string_view column) {
    for (const Data heading : headings) {
      if (heading.text() == column) return true;
    }
    return false;
  };
  for (const Data data : root["data"]) {
    const Row row(headings, data);
    const Place place{file, data.line()};
    const std::string uuid = row.uuid(), name = Row::first_of(row["name"]);
    if (uuid.empty() || name.empty()) continue;
    if (has("datapath_type")) {
      OvsBridge& bridge = tables.bridges[uuid];
      bridge = {name,
                Row::all_of(row["ports"]),
                ovs_number(row.mapped("other_config", "mac-aging-time")),
                ovs_number(row.mapped("other_config", "mac-table-size")),
                row["stp_enable"].flag() || row["rstp_enable"].flag(),
                row["mcast_snooping_enable"].flag(),
                row.mapped("other_config", "mcast-snooping-disable-flood-unregistered") != "true",
                place};
    } else if (has("interfaces")) {
      tables.ports[uuid] = {name,
                            Row::all_of(row["interfaces"]),
                            Row::first_of(row["bond_mode"]),
                            Row::first_of(row["lacp"]),
                            row.mapped("other_config", "bond-primary"),
                            Row::first_of(row["bond_active_slave"]),
                            vlans_of(row),
                            place};
    } else if (has("ofport")) {
      const std::string heard = Row::first_of(row["lacp_current"]);
      const auto current = heard.empty() ? std::nullopt : std::optional(heard == "true");
      tables.interfaces[uuid] = {name,
                                 Row::first_of(row["type"]),
                                 row.mapped("options", "peer"),
                                 row.mapped("external_ids", "attached-mac"),
                                 row.mapped("external_ids", "vm-id"),
                                 Row::first_of(row["mac_in_use"]),
                                 current,
                                 ovs_number(Row::first_of(row["ofport"])).value_or(0)};
    }
  }
}

bool is_ovs_fdb(std::string_view text) {
  const auto words = words_of(text.substr(0, text.find('\n')));
  return words.size() >= 4 && words[0] == "port" && words[1] == "VLAN" && words[2] == "MAC" &&
         words[3].starts_with("Age");
}

bool is_ovs_flows(std::string_view text) {
  const std::string_view head = text.substr(0, 4096);
  return head.contains("actions=") && (head.contains("cookie=") || head.contains("priority="));
}

// The bridge is in the name of the file: fdb-br0.txt, ovs-flows-br0.txt.
void read_ovs_lines(const Source& source, std::string_view file_name, std::vector<OvsLine>& lines) {
  std::string_view stem = file_name.substr(file_name.rfind('/') + 1);
  stem = stem.substr(0, stem.rfind('.'));
  for (const std::string_view word : {"fdb-", "flows-"}) {
    if (const std::size_t at = stem.find(word); at != std::string_view::npos)
      stem = stem.substr(at + word.size());
  }
  const bool is_word = stem.contains("fdb") || stem.contains("flows");
  for_each_line(source.text, [&](std::string_view line, std::uint32_t number) {
    lines.push_back({is_word ? std::string() : std::string(stem), std::string(line), {source.file, number}});
  });
}

void add_ovs(const OvsTables& tables, const LinuxTables* linux_tables, MachineFacts& host, Facts& facts) {
  std::vector<MachineFacts> guests;
  for (const auto& [uuid, bridge] : tables.bridges) {
    const bool is_known =
        std::ranges::find(host.switches, bridge.name, &SwitchFacts::name) != host.switches.end();
    if (is_known) continue;
    Adder adder(tables, linux_tables, host, facts);
    adder.add(bridge);
    std::ranges::move(adder.guests_, std::back_inserter(guests));
  }
  std::ranges::move(guests, std::back_inserter(facts.machines));  // `host` may be gone from here on
}

}  // namespace sekimori::importers
