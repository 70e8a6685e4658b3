#include <fmt/format.h>

#include <algorithm>
#include <charconv>

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

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::uint16_t vlan_of(std::string_view text) {
  const auto value = number(text).value_or(0);
  return value >= 1 && value <= 4094 ? static_cast<std::uint16_t>(value) : std::uint16_t{0};
}

// access: tag only; trunk: trunks, all when none are listed; native-*: both.
VlanFacts vlans_of(const Row& row) {
  VlanFacts vlans;
  const std::string mode = Row::first_of(row["vlan_mode"]);
  const std::uint16_t tag = vlan_of(Row::first_of(row["tag"]));
  if (mode.empty() ? tag != 0 : mode != "trunk") vlans.untagged = tag;
  if (mode == "access" || (mode.empty() && tag != 0)) return vlans;
  for (const std::string& trunk : Row::all_of(row["trunks"])) {
    if (const std::uint16_t id = vlan_of(trunk); id != 0) vlans.tagged.emplace_back(id, id);
  }
  return vlans;
}

class Adder {
 public:
  Adder(const OvsTables& tables, const LinuxTables* linux_tables, MachineFacts& host, Facts& facts)
      : in_(tables), linux_(linux_tables), host_(host), facts_(facts) {}

  void add(const OvsBridge& bridge) {
    SwitchFacts out;
    out.name = bridge.name;
    out.kind = SwitchKind::kOvs;
    out.place = bridge.place;
    out.ageing = std::chrono::duration_cast<model::Duration>(std::chrono::seconds(
        std::clamp<std::int64_t>(bridge.ageing.value_or(300), 15, 3600)));  // as OVS clamps it
    const std::int64_t size = bridge.table_size.value_or(8192);
    if (size > 0 && size <= 1 << 24) out.table_size = static_cast<std::uint32_t>(size);
    out.stp = bridge.stp;
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
      } else if (it.type.empty() || it.type == "system" || it.type == "afxdp") {
        const LinuxInterface* known = interface(it.name);
        // A tap or a veth of a guest; the rest are NICs of the host.
        const bool is_outside =
            !it.owner.empty() || (known != nullptr && (known->kind == "tun" || known->kind == "veth") &&
                                  !it.name.starts_with("e"));
        out.to = is_outside ? PortFacts::To::kOutside : PortFacts::To::kNic;
        std::erase_if(host_.nics, [&](const NicFacts& nic) { return is_outside && nic.name == it.name; });
        if (is_outside && !it.attached_mac.empty()) add_guest(it, bridge, port);
        const bool has_nic = std::ranges::find(host_.nics, it.name, &NicFacts::name) != host_.nics.end();
        if (!is_outside && !has_nic) {
          NicFacts nic;
          nic.name = it.name;
          nic.place = port.place;
          host_.nics.push_back(std::move(nic));
        }
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
    const auto found = names_.find(number(word).value_or(-1));
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
      out.fdb.push_back({*mac, port_name(words[0]), vlan_of(words[1]), words[3] == "static", line.place});
    }
  }

  // A flow that outputs by itself teaches the table nothing: the sender stays unknown, and what NORMAL then
  // sends to it is flooded.
  void read_flows(const OvsBridge& bridge, SwitchFacts& out) {
    for (const OvsLine& line : in_.flows) {
      const std::size_t actions = line.text.find("actions=");
      if (!is_of(line, bridge) || actions == std::string::npos) continue;
      const std::string does = line.text.substr(actions + 8);
      const bool outputs = does.contains("output:") || does.contains("LOCAL") || does.contains("IN_PORT") ||
                           number(does.substr(0, does.find(','))).has_value();
      if (!outputs || does.contains("NORMAL") || does.contains("learn(")) continue;
      const std::size_t in = line.text.find("in_port=");
      if (in == std::string::npos) continue;
      const std::size_t from = in + 8;
      const std::string port =
          port_name(std::string_view(line.text).substr(from, line.text.find_first_of(", ", from) - from));
      out.bypasses.push_back({line.place, port});
    }
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
                number(row.mapped("other_config", "mac-aging-time")),
                number(row.mapped("other_config", "mac-table-size")),
                row["stp_enable"].flag() || row["rstp_enable"].flag(),
                place};
    } else if (has("interfaces")) {
      tables.ports[uuid] = {name, Row::all_of(row["interfaces"]), vlans_of(row), place};
    } else if (has("ofport")) {
      tables.interfaces[uuid] = {name,
                                 Row::first_of(row["type"]),
                                 row.mapped("options", "peer"),
                                 row.mapped("external_ids", "attached-mac"),
                                 row.mapped("external_ids", "vm-id"),
                                 number(Row::first_of(row["ofport"])).value_or(0)};
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
