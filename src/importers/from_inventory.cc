// Lists of NICs that Hyper-V and vCenter export as CSV or JSON: `Get-VMNetworkAdapter * | Select VMName,
// VMId, MacAddress, SwitchName, ComputerName | Export-Csv` (or ConvertTo-Json), PowerCLI's
// Get-NetworkAdapter, and the sheet vNetwork of RVTools. One row is one NIC. Sources: Microsoft's reference
// of the Hyper-V module (Get-VMNetworkAdapter), VMware's PowerCLI reference, the RVTools manual.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "importers/table_rows.h"

namespace sekimori::importers {
namespace {

// The names of a column in the different exports, as plain words.
constexpr std::string_view kMachine[] = {"vmname", "vm", "parent", "virtualmachine"};
constexpr std::string_view kId[] = {"vmid", "vmuuid", "vminstanceuuid", "parentid"};
constexpr std::string_view kUuid[] = {"vmuuid", "uuid", "biosuuid", "smbiosuuid"};
constexpr std::string_view kMac[] = {"macaddress", "mac"};
constexpr std::string_view kNic[] = {"niclabel", "adapter", "nic", "name"};
constexpr std::string_view kNetwork[] = {"switchname", "networkname", "network", "portgroup"};
constexpr std::string_view kHost[] = {"computername", "vmhost", "host", "hostname"};
constexpr std::string_view kPower[] = {"powerstate", "state", "vmstate"};
constexpr std::string_view kVlan[] = {"vlanid", "vlan"};
constexpr std::string_view kConnected[] = {"connected"};
constexpr std::string_view kSpoofing[] = {"macaddressspoofing"};
constexpr std::string_view kVCenterOnly[] = {"networkname", "niclabel", "portgroup",   "vmhost",
                                             "parent",      "vmuuid",   "visdkserver", "powerstate"};

bool is_list_of_nics(const Fields& fields) {
  return has_column(fields, kMachine) && has_column(fields, kMac);
}

Power power_of(std::string_view text) {
  const std::string word = plain_word(text);
  // ConvertTo-Json writes Hyper-V's enumeration as numbers: 2 is Running, 3 is Off.
  if (word == "running" || word == "poweredon" || word == "on" || word == "2") return Power::kOn;
  if (word == "off" || word == "poweredoff" || word == "saved" || word == "suspended" || word == "3")
    return Power::kOff;
  return Power::kUnknown;
}

// Hyper-V's OnOffState as a number: 0 is On, 1 is Off.
std::optional<bool> spoofing_of(std::string_view text) {
  if (text == "0") return true;
  if (text == "1") return false;
  return yes_or_no(text);
}

// xxxxxxxx-xxxx-..., and not a number that other inventories use again.
bool is_uuid(std::string_view text) { return text.size() >= 32 && text.contains('-'); }

struct Manager {
  std::string_view name;
  SwitchKind kind;
};

Manager manager_of(const Fields& columns) {
  if (columns.contains("switchname")) return {"hyperv", SwitchKind::kHyperV};
  if (has_column(columns, kVCenterOnly)) return {"vcenter", SwitchKind::kEsxi};
  return {"inventory", SwitchKind::kLinuxBridge};
}

class Inventory {
 public:
  Inventory(const Source& source, Facts& facts, Manager manager)
      : source_(source), facts_(facts), manager_(manager) {}

  void add(const Fields& fields, std::uint32_t line) {
    const Place place{source_.file, line};
    const std::string name = field(fields, kMachine), host = field(fields, kHost);
    if (name.empty()) return facts_.leave_out(place, "a row without the name of a machine");
    std::string id = field(fields, kId);
    if (id.empty()) id = name;
    const auto [known, is_new] = machines_.try_emplace({host, id}, facts_.machines.size());
    if (is_new) {
      MachineFacts machine;
      machine.manager = manager_.name;
      machine.id = id;
      machine.name = name;
      machine.uuid = field(fields, kUuid);
      if (machine.uuid.empty() && is_uuid(id)) machine.uuid = id;
      machine.group = source_.group;
      machine.host = host;
      machine.power = power_of(field(fields, kPower));
      machine.place = place;
      facts_.machines.push_back(std::move(machine));
    }
    MachineFacts& machine = facts_.machines[known->second];
    NicFacts nic;
    nic.name = field(fields, kNic);
    if (nic.name.empty() || nic.name == name) nic.name = fmt::format("net{}", machine.nics.size());
    nic.place = place;
    nic.mac = nic_mac(facts_, place, field(fields, kMac), fmt::format("{}:{}", name, nic.name));
    nic.to = field(fields, kNetwork);
    nic.plug = nic.to.empty() ? Plug::kNowhere : Plug::kSwitch;
    nic.on = manager_.kind;
    nic.up = yes_or_no(field(fields, kConnected)).value_or(true);
    if (manager_.kind == SwitchKind::kHyperV) nic.policy.forged = spoofing_of(field(fields, kSpoofing));
    nic.vlans.untagged = vlan_number(field(fields, kVlan));
    machine.nics.push_back(std::move(nic));
  }

 private:
  const Source& source_;
  Facts& facts_;
  Manager manager_;
  std::map<std::pair<std::string, std::string>, std::size_t> machines_;  // by host and id
};

}  // namespace

bool is_inventory(std::string_view text, Data json) {
  return is_list_of_nics(json ? columns_of(json) : columns_of(text));
}

void read_inventory(const Source& source, Data json, Facts& facts) {
  Inventory inventory(source, facts, manager_of(json ? columns_of(json) : columns_of(source.text)));
  for_each_row(source, json, facts,
               [&](const Fields& fields, std::uint32_t line) { inventory.add(fields, line); });
}

}  // namespace sekimori::importers
