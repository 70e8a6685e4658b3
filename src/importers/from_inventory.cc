// Lists of NICs that Hyper-V and vCenter export as CSV or JSON: `Get-VMNetworkAdapter * | Select VMName,
// VMId, MacAddress, SwitchName, ComputerName | Export-Csv` (or ConvertTo-Json), PowerCLI's
// Get-NetworkAdapter, and the sheet vNetwork of RVTools. One row is one NIC. Sources: Microsoft's reference
// of the Hyper-V module (Get-VMNetworkAdapter), VMware's PowerCLI reference, the RVTools manual.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "importers/formats.h"
#include "importers/lines.h"
#include "wire/ipv4.h"

namespace sekimori::importers {
namespace {

// The names of a column in the different exports, in lower case and without blanks.
constexpr std::string_view kMachine[] = {"vmname", "vm", "parent", "virtualmachine"};
constexpr std::string_view kId[] = {"vmid", "vmuuid", "vminstanceuuid", "parentid"};
constexpr std::string_view kMac[] = {"macaddress", "mac"};
constexpr std::string_view kNic[] = {"adapter", "niclabel", "nic", "name"};
constexpr std::string_view kNetwork[] = {"switchname", "networkname", "network", "portgroup"};
constexpr std::string_view kHost[] = {"computername", "vmhost", "host", "hostname"};
constexpr std::string_view kPower[] = {"powerstate", "state", "vmstate"};
constexpr std::string_view kVlan[] = {"vlanid", "vlan"};

std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c + 32);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

using Fields = std::map<std::string, std::string, std::less<>>;

std::string get(const Fields& fields, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    const auto found = fields.find(name);
    if (found != fields.end() && !found->second.empty()) return found->second;
  }
  return {};
}

bool is_list_of_nics(const Fields& fields) {
  const auto has = [&](std::span<const std::string_view> names) {
    return std::ranges::any_of(names, [&](std::string_view name) { return fields.contains(name); });
  };
  return has(kMachine) && has(kMac);
}

// RFC 4180: quoted fields have doubled quotes, and may go over lines; such are not expected in names of NICs.
std::vector<std::string> cells(std::string_view line, char separator) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      out.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

struct Header {
  std::vector<std::string> names;
  char separator = ',';
  std::uint32_t line = 0;
};

// The first line that is no comment (#TYPE ... of Export-Csv).
Header header_of(std::string_view text) {
  Header header;
  for_each_line(text.substr(0, 65536), [&](std::string_view line, std::uint32_t number) {
    if (header.line != 0 || line.empty() || line.starts_with('#')) return;
    header.line = number;
    const auto count = [&](char c) { return std::ranges::count(line, c); };
    header.separator = count('\t') > count(',') ? '\t' : count(';') > count(',') ? ';' : ',';
    for (const std::string& name : cells(line, header.separator)) header.names.push_back(plain(name));
  });
  return header;
}

Fields fields_of(Data row) {
  Fields fields;
  for (const Data value : row) {
    const Data first = value.is_list() ? (value.begin() == value.end() ? Data() : *value.begin()) : value;
    fields.try_emplace(plain(value.key()), first.text());
  }
  return fields;
}

Power power_of(std::string_view text) {
  const std::string word = plain(text);
  // ConvertTo-Json writes Hyper-V's enumeration as numbers: 2 is Running, 3 is Off.
  if (word == "running" || word == "poweredon" || word == "on" || word == "2") return Power::kOn;
  if (word == "off" || word == "poweredoff" || word == "saved" || word == "suspended" || word == "3")
    return Power::kOff;
  return Power::kUnknown;
}

class Inventory {
 public:
  Inventory(const Source& source, Facts& facts, std::string_view manager)
      : source_(source), facts_(facts), manager_(manager) {}

  void add(const Fields& fields, std::uint32_t line) {
    const Place place{source_.file, line};
    const std::string name = get(fields, kMachine), host = get(fields, kHost);
    if (name.empty()) return facts_.leave_out(place, "a row without the name of a machine");
    std::string id = get(fields, kId);
    if (id.empty()) id = name;
    const auto [known, is_new] = machines_.try_emplace({host, id}, facts_.machines.size());
    if (is_new) {
      MachineFacts machine;
      machine.manager = manager_;
      machine.id = id;
      machine.name = name;
      machine.uuid = id == name ? std::string() : id;
      machine.group = source_.group;
      machine.host = host;
      machine.power = power_of(get(fields, kPower));
      machine.place = place;
      facts_.machines.push_back(std::move(machine));
    }
    MachineFacts& machine = facts_.machines[known->second];
    NicFacts nic;
    nic.name = get(fields, kNic);
    if (nic.name.empty() || nic.name == name) nic.name = fmt::format("net{}", machine.nics.size());
    nic.place = place;
    nic.mac = nic_mac(facts_, place, get(fields, kMac), fmt::format("{}:{}", name, nic.name));
    nic.to = get(fields, kNetwork);
    nic.plug = nic.to.empty() ? Plug::kNowhere : Plug::kSwitch;
    const std::string vlan = get(fields, kVlan);
    if (!vlan.empty() && vlan.size() <= 4 &&
        std::ranges::all_of(vlan, [](char c) { return c >= '0' && c <= '9'; })) {
      const int id_number = std::stoi(vlan);
      if (id_number >= 1 && id_number <= 4094) nic.vlans.untagged = static_cast<std::uint16_t>(id_number);
    }
    machine.nics.push_back(std::move(nic));
  }

 private:
  const Source& source_;
  Facts& facts_;
  std::string manager_;
  std::map<std::pair<std::string, std::string>, std::size_t> machines_;  // by host and id
};

std::string_view manager_of(const Fields& fields) {
  return fields.contains("switchname") ? "hyperv" : "vcenter";
}

}  // namespace

bool is_inventory_csv(std::string_view text) {
  Fields fields;
  for (const std::string& name : header_of(text).names) fields.try_emplace(name);
  return is_list_of_nics(fields);
}

void read_inventory_csv(const Source& source, Facts& facts) {
  const Header header = header_of(source.text);
  Fields names;
  for (const std::string& name : header.names) names.try_emplace(name);
  Inventory inventory(source, facts, manager_of(names));
  for_each_line(source.text, [&](std::string_view line, std::uint32_t number) {
    if (number <= header.line || base::trim(line).empty()) return;
    const auto row = cells(line, header.separator);
    if (row.size() != header.names.size())
      return facts.leave_out({source.file, number}, fmt::format("a row of {} fields where the header has {}",
                                                                row.size(), header.names.size()));
    Fields fields;
    for (std::size_t i = 0; i < row.size(); ++i)
      fields.try_emplace(header.names[i], std::string(base::trim(row[i])));
    inventory.add(fields, number);
  });
}

bool is_inventory_json(Data root) {
  if (root.is_map()) return is_list_of_nics(fields_of(root));
  for (const Data row : root) return row.is_map() && is_list_of_nics(fields_of(row));
  return false;
}

void read_inventory_json(const Source& source, Data root, Facts& facts) {
  const Data first = root.is_map() ? root : root.begin() == root.end() ? Data() : *root.begin();
  Inventory inventory(source, facts, manager_of(fields_of(first)));
  if (root.is_map()) return inventory.add(fields_of(root), root.line());
  for (const Data row : root) inventory.add(fields_of(row), row.line());
}

}  // namespace sekimori::importers
