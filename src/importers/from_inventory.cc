// Lists of NICs that Hyper-V and vCenter export as CSV or JSON: `Get-VMNetworkAdapter * | Select VMName,
// VMId, MacAddress, SwitchName, ComputerName | Export-Csv` (or ConvertTo-Json), PowerCLI's
// Get-NetworkAdapter, and the sheet vNetwork of RVTools. One row is one NIC. Sources: Microsoft's reference
// of the Hyper-V module (Get-VMNetworkAdapter), VMware's PowerCLI reference, the RVTools manual.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "importers/nic_rows.h"
#include "importers/table_rows.h"

namespace sekimori::importers {
namespace {

using enum NicColumn;

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

Manager manager_of(const NicTable& table) {
  switch (table.maker()) {
    case NicTableOf::kHyperV:
      return {"hyperv", SwitchKind::kHyperV};
    case NicTableOf::kVCenter:
      return {"vcenter", SwitchKind::kEsxi};
    case NicTableOf::kAnybody:
      break;
  }
  return {"inventory", SwitchKind::kLinuxBridge};
}

// A list of devices' MACs is an inventory for the audit, but tells nothing of who is on what.
std::optional<NicTable> table_of(std::string_view text, Data json) {
  auto table = json ? NicTable::of_json(json) : NicTable::of_csv(text);
  if (table && !table->names_guests()) table.reset();
  return table;
}

class Inventory {
 public:
  Inventory(const Source& source, Facts& facts, Manager manager)
      : source_(source), facts_(facts), manager_(manager) {}

  void add(const NicRow& row) {
    const Place place{source_.file, row.line};
    const std::string name(row[kGuest]);
    std::string host(row[kComputer].empty() ? row[kHost] : row[kComputer]);
    if (name.empty()) return facts_.leave_out(place, "a row without the name of a machine");
    if (host == name) host.clear();
    const std::string id = row[kId].empty() ? name : std::string(row[kId]);
    const auto [known, is_new] = machines_.try_emplace({host, id}, facts_.machines.size());
    if (is_new) {
      MachineFacts machine;
      machine.manager = manager_.name;
      machine.id = id;
      machine.name = name;
      machine.uuid = row[kUuid];
      if (machine.uuid.empty() && is_uuid(id)) machine.uuid = id;
      machine.group = source_.group;
      machine.host = std::move(host);
      machine.power = power_of_word(row[kPower]);
      machine.place = place;
      facts_.machines.push_back(std::move(machine));
    }
    MachineFacts& machine = facts_.machines[known->second];
    NicFacts nic;
    nic.name = row[kNic];
    if (nic.name.empty() || nic.name == name) nic.name = fmt::format("net{}", machine.nics.size());
    nic.place = place;
    nic.mac = nic_mac(facts_, place, row[kMac], fmt::format("{}:{}", name, nic.name));
    nic.to = row[kNetwork];
    nic.plug = nic.to.empty() ? Plug::kNowhere : Plug::kSwitch;
    nic.on = manager_.kind;
    nic.up = yes_or_no(row[kConnected]).value_or(true);
    if (manager_.kind == SwitchKind::kHyperV) nic.policy.forged = spoofing_of(row[kSpoofing]);
    nic.vlans.untagged = vlan_number(row[kVlan]);
    machine.nics.push_back(std::move(nic));
  }

 private:
  const Source& source_;
  Facts& facts_;
  Manager manager_;
  std::map<std::pair<std::string, std::string>, std::size_t> machines_;  // by host and id
};

}  // namespace

bool is_inventory(std::string_view text, Data json) { return table_of(text, json).has_value(); }

void read_inventory(const Source& source, Data json, Facts& facts) {
  const auto table = table_of(source.text, json);
  if (!table)
    return facts.leave_out({source.file, 0}, "no table of NICs: it has no columns of machines and MACs");
  Inventory inventory(source, facts, manager_of(*table));
  table->read(
      [&](const NicRow& row) { inventory.add(row); },
      [&](std::uint32_t line, std::string what) { facts.leave_out({source.file, line}, std::move(what)); });
}

}  // namespace sekimori::importers
