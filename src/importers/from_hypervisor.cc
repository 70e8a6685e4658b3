#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "importers/hypervisor_tables.h"
#include "wire/ipv4.h"

namespace sekimori::importers {
namespace {

constexpr std::string_view kHost[] = {"host", "vmhost", "computername", "hostname"};
constexpr std::string_view kSwitch[] = {"switch", "virtualswitchname", "virtualswitch"};
constexpr std::string_view kPortGroup[] = {"portgroup", "virtualportgroup", "portgroupname"};
constexpr std::string_view kPromiscuous[] = {"promiscuousmode", "allowpromiscuous"};
constexpr std::string_view kForged[] = {"forgedtransmits"};
constexpr std::string_view kPolicy[] = {"policy", "loadbalancingpolicy"};
constexpr std::string_view kNotify[] = {"notifyswitch", "notifyswitches"};
constexpr std::string_view kDetection[] = {"networkfailoverdetectionpolicy"};
constexpr std::string_view kVlan[] = {"vlan", "vlanid"};
constexpr std::string_view kDevice[] = {"networkdevice", "devicename", "device"};
constexpr std::string_view kMac[] = {"macaddress", "mac"};
constexpr std::string_view kIp[] = {"ipaddress", "ip"};
constexpr std::string_view kMask[] = {"subnetmask"};
constexpr std::string_view kSwitchType[] = {"switchtype"};
constexpr std::string_view kDescription[] = {"netadapterinterfacedescriptions",
                                             "netadapterinterfacedescription"};
constexpr std::string_view kName[] = {"name"};
constexpr std::string_view kAlgorithm[] = {"loadbalancingalgorithm"};
constexpr std::string_view kDvPort[] = {"port"};

enum class Table : std::uint8_t { kNone, kHyperVSwitches, kSwitches, kPortGroups, kWires, kOwnNics };

Table table_of(const Columns& columns) {
  const auto has = [&](Names names) { return has_column(columns, names); };
  const bool has_policies = has(kPromiscuous) || has(kForged) || has(kPolicy) || has(kNotify);
  if (columns.contains("vm") || columns.contains("vmname")) return Table::kNone;  // a guest's
  if (has(kSwitchType) && has(kName)) return Table::kHyperVSwitches;
  if (has(kDevice) && has(kMac) && has(kPortGroup)) return Table::kOwnNics;
  if (columns.contains("networkdevice") && has(kSwitch)) return Table::kWires;
  if (has(kPortGroup) && (has(kSwitch) || has_policies)) return Table::kPortGroups;
  if (columns.contains("port") && has(kSwitch) && has(kPromiscuous)) return Table::kPortGroups;  // dvPort
  if (has(kSwitch) && has_policies) return Table::kSwitches;
  return Table::kNone;
}

std::optional<model::Teaming> teaming_of(std::string_view text) {
  const std::string word = plain_word(text);
  using enum model::Teaming;
  // Load-based teaming begins as by port, and moves ports when an uplink is loaded.
  if (word == "loadbalancesrcid" || word == "loadbalanceloadbased" || word == "hypervport") return kPortId;
  if (word == "loadbalancesrcmac") return kMacHash;
  if (word == "loadbalanceip") return kIpHash;
  if (word == "failoverexplicit" || word == "explicitfailover") return kFailover;
  return std::nullopt;
}

// "10"; 4095 hands all tags through; "0-4094", "10, 20-30" of distributed port groups.
VlanFacts vlans_of(std::string_view text) {
  VlanFacts vlans;
  constexpr std::uint16_t kLast = 4094;
  if (base::trim(text) == "4095") {
    vlans.tagged.emplace_back(std::uint16_t{1}, kLast);
    return vlans;
  }
  vlans.untagged = vlan_number(base::trim(text));
  if (vlans.untagged != 0) return vlans;
  for (const std::string_view part : base::split(text, ',')) {
    const std::size_t dash = part.find('-');
    const std::string_view low = base::trim(part.substr(0, dash));
    const std::uint16_t first =
        low == "0" && dash != std::string_view::npos ? std::uint16_t{1} : vlan_number(low);
    const std::uint16_t last =
        dash == std::string_view::npos ? first : vlan_number(base::trim(part.substr(dash + 1)));
    if (first != 0 && last >= first) vlans.tagged.emplace_back(first, last);
  }
  return vlans;
}

PolicyFacts policy_of(const Columns& fields) {
  return {yes_or_no(field(fields, kPromiscuous)), yes_or_no(field(fields, kForged))};
}

class Reader {
 public:
  Reader(const Source& source, Facts& facts, HypervisorTables& tables, Table table)
      : source_(source), facts_(facts), tables_(tables), table_(table) {}

  void read(const Columns& fields, std::uint32_t line) {
    place_ = {source_.file, line};
    switch (table_) {
      case Table::kHyperVSwitches:
        return read_hyperv_switch(fields);
      case Table::kSwitches:
        return read_switch(fields);
      case Table::kPortGroups:
        return read_port_group(fields);
      case Table::kWires:
        return read_wire(fields);
      case Table::kOwnNics:
        return read_own_nic(fields);
      case Table::kNone:
        return;
    }
  }

 private:
  HypervisorTables::Host* host(const Columns& fields, std::string_view manager) {
    const std::string name = field(fields, kHost);
    if (name.empty()) {
      facts_.leave_out(place_, "a row without the name of a host");
      return nullptr;
    }
    HypervisorTables::Host& it = tables_.hosts[{source_.group, name}];
    if (it.facts.name.empty()) {
      it.facts.manager = manager;
      it.facts.id = it.facts.name = name;
      it.facts.group = fmt::format("{}/{}", source_.group, name);
      it.facts.kind = model::MachineKind::kHost;
      it.facts.power = Power::kOn;
      it.facts.place = place_;
    }
    return &it;
  }

  SwitchFacts& switch_of(MachineFacts& owner, const std::string& name, SwitchKind kind) {
    for (SwitchFacts& known : owner.switches) {
      if (known.name == name) return known;
    }
    SwitchFacts made;
    made.name = name;
    made.kind = kind;
    made.place = place_;
    return owner.switches.emplace_back(std::move(made));
  }

  void add_uplink(MachineFacts& owner, SwitchFacts& bridge, const std::string& name, std::optional<Mac> mac) {
    if (std::ranges::find(owner.nics, name, &NicFacts::name) != owner.nics.end()) return;
    NicFacts nic;
    nic.name = name;
    nic.mac = mac;
    nic.place = place_;
    owner.nics.push_back(std::move(nic));
    PortFacts port;
    port.name = name;
    port.place = place_;
    bridge.ports.push_back(std::move(port));
  }

  void read_hyperv_switch(const Columns& fields) {
    HypervisorTables::Host* owner = host(fields, "hyperv");
    const std::string name = field(fields, kName);
    if (owner == nullptr || name.empty()) return;
    SwitchFacts& bridge = switch_of(owner->facts, name, SwitchKind::kHyperV);
    bridge.teaming = teaming_of(field(fields, kAlgorithm));
    const std::string type = plain_word(field(fields, kSwitchType));
    if (type != "external" && type != "2") return;  // internal and private ones have no way out
    const std::string wires = field(fields, kDescription);
    for (const std::string_view wire : base::split(wires, ';')) {
      if (!base::trim(wire).empty())
        add_uplink(owner->facts, bridge, std::string(base::trim(wire)), std::nullopt);
    }
  }

  void read_switch(const Columns& fields) {
    const std::string name = field(fields, kSwitch);
    HypervisorTables::Host* owner = host(fields, "vcenter");
    if (owner == nullptr || name.empty()) return;
    SwitchFacts& bridge = switch_of(owner->facts, name, SwitchKind::kEsxi);
    const PolicyFacts policy = policy_of(fields);
    if (policy.promiscuous) bridge.policy.promiscuous = policy.promiscuous;
    if (policy.forged) bridge.policy.forged = policy.forged;
    if (const auto teaming = teaming_of(field(fields, kPolicy))) bridge.teaming = teaming;
    if (const auto notify = yes_or_no(field(fields, kNotify))) bridge.notify_switches = notify;
    if (const std::string how = plain_word(field(fields, kDetection)); !how.empty())
      bridge.beacon_probing = how == "beaconprobing";
  }

  void read_port_group(const Columns& fields) {
    PortGroupFacts group;
    group.name = field(fields, kPortGroup);
    if (group.name.empty()) group.name = field(fields, kDvPort);
    group.in_switch = field(fields, kSwitch);
    group.host = field(fields, kHost);
    group.vlans = vlans_of(field(fields, kVlan));
    group.policy = policy_of(fields);
    group.teaming = teaming_of(field(fields, kPolicy));
    group.place = place_;
    if (group.name.empty()) return facts_.leave_out(place_, "a row without the name of a port group");
    facts_.port_groups.push_back(std::move(group));
  }

  void read_wire(const Columns& fields) {
    const std::string name = field(fields, kDevice), on = field(fields, kSwitch);
    HypervisorTables::Host* owner = host(fields, "vcenter");
    if (owner == nullptr || name.empty()) return;
    const auto mac =
        nic_mac(facts_, place_, field(fields, kMac), fmt::format("{}:{}", owner->facts.name, name));
    if (!on.empty())
      return add_uplink(owner->facts, switch_of(owner->facts, on, SwitchKind::kEsxi), name, mac);
    NicFacts nic;
    nic.name = name;
    nic.mac = mac;
    nic.up = false;  // on no switch, it does nothing
    nic.place = place_;
    owner->facts.nics.push_back(std::move(nic));
  }

  void read_own_nic(const Columns& fields) {
    HypervisorTables::Host* owner = host(fields, "vcenter");
    if (owner == nullptr) return;
    HypervisorTables::OwnNic nic;
    nic.name = field(fields, kDevice);
    nic.port_group = field(fields, kPortGroup);
    nic.mac = nic_mac(facts_, place_, field(fields, kMac), fmt::format("{}:{}", owner->facts.name, nic.name));
    const auto mask = wire::parse_ipv4(field(fields, kMask));
    nic.ip = interface_ip(field(fields, kIp), mask ? std::popcount(mask->bits) : 0);
    nic.place = place_;
    owner->own.push_back(std::move(nic));
  }

  const Source& source_;
  Facts& facts_;
  HypervisorTables& tables_;
  Table table_;
  Place place_;
};

using PortGroups = std::map<std::pair<std::string, std::string>, std::size_t>;  // by host and name

// The site file has a host's own address on a vSwitch at an uplink of it.
void place_own_nics(HypervisorTables::Host& host, const PortGroups& groups, Facts& facts) {
  for (const HypervisorTables::OwnNic& own : host.own) {
    auto found = groups.find({host.facts.name, own.port_group});
    if (found == groups.end()) found = groups.find({std::string(), own.port_group});
    const PortGroupFacts* const group = found == groups.end() ? nullptr : &facts.port_groups[found->second];
    const auto bridge = std::ranges::find_if(host.facts.switches, [&](const SwitchFacts& s) {
      return group != nullptr && s.name == group->in_switch;
    });
    const bool has_vlan = group != nullptr && group->vlans.any();
    auto nic = host.facts.nics.end();
    if (bridge != host.facts.switches.end() && !bridge->ports.empty() && !has_vlan)
      nic = std::ranges::find(host.facts.nics, bridge->ports.front().name, &NicFacts::name);
    if (nic == host.facts.nics.end() || !nic->ips.empty() || !own.ip) {
      facts.leave_out(own.place,
                      fmt::format("{} of {}: a site file has one address of the host at an uplink, untagged",
                                  own.name, host.facts.name));
      continue;
    }
    nic->ips.push_back(*own.ip);
    if (own.mac) nic->mac = own.mac;
  }
}

}  // namespace

bool is_hypervisor_table(std::string_view text, Data json) {
  return table_of(json ? columns_of(json) : columns_of(text)) != Table::kNone;
}

void read_hypervisor_table(const Source& source, Data json, Facts& facts, HypervisorTables& tables) {
  Reader reader(source, facts, tables, table_of(json ? columns_of(json) : columns_of(source.text)));
  for_each_row(source, json, facts,
               [&](const Columns& fields, std::uint32_t line) { reader.read(fields, line); });
}

void add_hypervisors(HypervisorTables tables, Facts& facts) {
  PortGroups groups;
  for (std::size_t i = 0; i < facts.port_groups.size(); ++i)
    groups.try_emplace({facts.port_groups[i].host, facts.port_groups[i].name}, i);
  for (auto& [key, host] : tables.hosts) {
    place_own_nics(host, groups, facts);
    facts.machines.push_back(std::move(host.facts));
  }
}

}  // namespace sekimori::importers
