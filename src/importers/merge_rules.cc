// What is written about ports, once all ports are known: static entries and flows. And what a kind of switch
// has no word for in a site file is taken away here, in one place.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "importers/merge.h"
#include "wire/mac.h"

namespace sekimori::importers {

void Merge::add_rules() {
  for (const DraftLink& link : draft_.links) {
    link_ends_.insert(link.a);
    link_ends_.insert(link.b);
  }
  for (std::size_t machine = 0; machine < draft_.machines.size(); ++machine) {
    const MachineFacts* facts = facts_of(machine);
    if (facts == nullptr || facts->kind != model::MachineKind::kHost) continue;
    for (const SwitchFacts& bridge : facts->switches) {
      const auto draft =
          std::ranges::find(at(machine).switches, clean_name(bridge.name, "switch"), &DraftSwitch::name);
      if (draft == at(machine).switches.end()) continue;
      add_statics(machine, bridge, *draft);
      add_flow_rules(machine, bridge, *draft);
    }
  }
}

// The ports of the site that are this one: behind a tap of which only the table knows there may be several.
std::vector<std::string> Merge::site_ports(std::size_t machine, const DraftSwitch& bridge,
                                           std::string_view port) const {
  if (port == "LOCAL") return bridge.ip ? std::vector<std::string>{"LOCAL"} : std::vector<std::string>{};
  const std::string name = clean_name(port, "");
  if (std::ranges::find(bridge.uplinks, name) != bridge.uplinks.end()) return {name};
  std::vector<std::string> ports;
  for (const std::size_t guest : at(machine).guests) {
    for (const DraftNic& nic : at(guest).nics) {
      if (nic.on == bridge.name && !nic.tap.empty() && nic.tap == port)
        ports.push_back(fmt::format("{}:{}", at(guest).name, nic.name));
    }
  }
  if (!ports.empty()) return ports;
  const std::string end = fmt::format("{}/{}:{}", at(machine).name, bridge.name, name);
  return link_ends_.contains(end) ? std::vector<std::string>{name} : std::vector<std::string>{};
}

// Entries that somebody wrote into a table.
void Merge::add_statics(std::size_t machine, const SwitchFacts& facts, DraftSwitch& bridge) {
  for (const FdbFacts& entry : facts.fdb) {
    if (!entry.is_static) continue;
    const std::vector<std::string> ports = site_ports(machine, bridge, entry.port);
    const bool is_known = std::ranges::any_of(
        bridge.statics, [&](const DraftStatic& s) { return s.mac == entry.mac && s.vlan == entry.vlan; });
    if (ports.empty() || is_known) {
      facts_.leave_out(entry.place,
                       fmt::format("the static entry for {} at {}", wire::to_text(entry.mac), entry.port));
    } else {
      bridge.statics.push_back({entry.mac, ports.front(), bridge.vlan_aware ? entry.vlan : std::uint16_t{0}});
    }
  }
}

void Merge::add_flow_rules(std::size_t machine, const SwitchFacts& facts, DraftSwitch& bridge) {
  for (const FlowRuleFacts& flow : facts.flow_rules) {
    DraftFlowRule rule{{}, flow.destination, flow.type, {}, flow.normal, facts_.text(flow.place)};
    for (const std::string& port : flow.out) {
      const auto ports = site_ports(machine, bridge, port);
      if (ports.empty())
        facts_.leave_out(flow.place,
                         fmt::format("the output to {} of a flow of {}/{}: nothing is known behind it", port,
                                     at(machine).name, bridge.name));
      rule.out.insert(rule.out.end(), ports.begin(), ports.end());
    }
    if (flow.in.empty()) {
      bridge.flow_rules.push_back(std::move(rule));
      continue;
    }
    const auto ports = site_ports(machine, bridge, flow.in);
    if (ports.empty())
      facts_.leave_out(flow.place, fmt::format("a flow of {}/{}: nothing is known behind {}",
                                               at(machine).name, bridge.name, flow.in));
    for (const std::string& port : ports) {
      rule.in = port;
      bridge.flow_rules.push_back(rule);
    }
  }
  if (facts.unread_flows.empty()) return;
  const std::size_t count = facts.unread_flows.size();
  assume(fmt::format(
      "{} flow{} of {}/{} (the first: {}) match or do what a site file cannot say; the frames are "
      "taken to go by the other flows.",
      count, count == 1 ? "" : "s", at(machine).name, bridge.name, facts_.text(facts.unread_flows.front())));
}

// ---------------------------------------------------------------- what a kind has no word for

namespace {

bool learns(std::string_view kind) {
  constexpr std::array<std::string_view, 5> kLearning = {"", "linux-bridge", "ovs", "routed", "nat"};
  return std::ranges::find(kLearning, kind) != kLearning.end();
}
bool has_vlans(std::string_view kind) { return learns(kind) || kind == "esxi" || kind == "hyperv"; }

}  // namespace

void Merge::fit_to_kinds() {
  for (DraftMachine& machine : draft_.machines) {
    for (DraftSwitch& bridge : machine.switches) fit_to_kind(bridge, machine.name);
    if (machine.host == kNone) continue;
    for (DraftNic& nic : machine.nics) {
      const DraftSwitch* on = switch_of(machine.host, nic.on);
      if (on == nullptr || has_vlans(on->kind) || !nic.port.vlans.any()) continue;
      nic.port.vlans = {};
      assume(fmt::format("The VLANs of {}:{} are not told to {}/{}: a {} passes tags as they are here.",
                         machine.name, nic.name, at(machine.host).name, on->name, on->kind));
    }
  }
}

void Merge::fit_to_kind(DraftSwitch& bridge, std::string_view owner) {
  if (!has_vlans(bridge.kind)) {
    for (DraftPort& port : bridge.ports) {
      if (port.vlans.any())
        assume(fmt::format("The VLANs of the port {} of {}/{} are left out: a {} has none here.", port.name,
                           owner, bridge.name, bridge.kind));
      port.vlans = {};
    }
  }
  if (learns(bridge.kind)) return;
  bridge.ip.reset();
  bridge.mac.reset();
  bridge.ageing.reset();
  bridge.table_size.reset();
  bridge.priority.reset();
  bridge.learning = true;
  bridge.stp = bridge.vlan_aware = false;
}

// What port groups and Hyper-V's ports let their guests do decides whether a bridge or a hypervisor in a
// guest works; the defaults of both products are taken.
void Merge::assume_policies() {
  for (const auto& [kind, hosts] : policies_not_told_) {
    std::vector<std::string> names;
    for (const std::size_t host : hosts) names.push_back(at(host).name);
    assume(fmt::format("What ports of {} let their guests do is not told: {} off.",
                       base::list_words(names, 5),
                       kind == "esxi" ? "promiscuous mode and forged transmits are taken to be"
                                      : "MAC address spoofing is taken to be"));
  }
}

}  // namespace sekimori::importers
