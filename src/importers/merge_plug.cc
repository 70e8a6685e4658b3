// What guests' NICs are plugged into. Managers name a bridge, a network of theirs, or a NIC of the host;
// where the host was exported too, the tap tells it for certain.
#include <fmt/format.h>

#include <algorithm>

#include "importers/merge.h"

namespace sekimori::importers {
namespace {

bool has_nic(const DraftMachine& machine, std::string_view name) {
  return std::ranges::find(machine.nics, name, &DraftNic::name) != machine.nics.end();
}

}  // namespace

void Merge::plug(std::size_t guest, const NicFacts& facts, DraftNic& nic) {
  const std::size_t host = at(guest).host;
  const std::string why = fmt::format("{}:{} says so", at(guest).name, nic.name);
  nic.comment = facts_.text(facts.place);
  if (plug_by_tap(host, facts, nic)) {
    if (facts.plug == Plug::kNetwork) {
      const MachineFacts* owner = facts_of(guest);
      if (const NetworkFacts* network = network_of(host, owner == nullptr ? "" : owner->manager, facts.to))
        let_host_route(host, *network, nic.on);
    }
    return;
  }
  if (!facts.up) {
    nic.on = lonely_switch(host, "unplugged", guest, nic);
    return;
  }
  switch (facts.plug) {
    case Plug::kNetwork:
      nic.on = plug_into_network(host, guest, facts, nic);
      return;
    case Plug::kSwitch:
      nic.on = facts.to.empty() ? lonely_switch(host, "unknown", guest, nic)
                                : plug_into_port_group(host, facts, nic, why);
      return;
    case Plug::kHostNic:
      nic.on = switch_above(host, SwitchKind::kHostedBridge, facts.to, why);
      return;
    case Plug::kMacvlan:
      nic.on = switch_above(host, SwitchKind::kMacvlan, facts.to, why, facts.mode);
      return;
    case Plug::kVf:
      nic.on = switch_above(host, SwitchKind::kSriov,
                            facts.to.empty() ? physical_function(host, nic.mac) : facts.to, why);
      return;
    case Plug::kHostOnly:
      nic.on = switch_named(host, facts.to.empty() ? "host-only" : facts.to, SwitchKind::kLinuxBridge, {});
      return;
    case Plug::kNat:
      nic.on = facts.to.empty() ? lonely_switch(host, "nat", guest, nic)
                                : switch_named(host, facts.to, SwitchKind::kNat, {});
      return;
    case Plug::kSocket:
    case Plug::kNowhere:
      nic.on = lonely_switch(host, "unplugged", guest, nic);
      return;
  }
}

// The tap that the manager names is a port of a bridge, or a macvtap, of the exported host.
bool Merge::plug_by_tap(std::size_t host, const NicFacts& facts, DraftNic& nic) {
  if (facts.tap.empty()) return false;
  const auto named = outside_by_name_.find({host, facts.tap});
  for (const std::size_t index :
       named == outside_by_name_.end() ? std::vector<std::size_t>() : named->second) {
    OutsidePort& outside = outside_[index];
    if (outside.claimed) continue;
    outside.claimed = true;
    const DraftSwitch& in = at(host).switches[outside.in_switch];
    nic.on = in.name;
    nic.port.vlans = in.vlan_aware ? outside.port->vlans : VlanFacts{};
    nic.port.learning = outside.port->learning;
    nic.port.flood = outside.port->flood;
    nic.port.isolated = outside.port->isolated;
    return true;
  }
  const MachineFacts* owner = facts_of(host);
  if (owner == nullptr) return false;
  for (const NicFacts& above : owner->nics) {
    if (above.plug != Plug::kMacvlan || above.tap != facts.tap) continue;
    nic.on = switch_above(host, SwitchKind::kMacvlan, above.to, {}, above.mode);
    return true;
  }
  return false;
}

// A bridge of that name, or on ESXi a port group, which is in a switch and has a VLAN and policies.
std::string Merge::plug_into_port_group(std::size_t host, const NicFacts& facts, DraftNic& nic,
                                        std::string_view why) {
  const PortGroupFacts* group = facts.on == SwitchKind::kEsxi ? port_group(host, facts.to) : nullptr;
  const std::string on = switch_named(
      host, group == nullptr || group->in_switch.empty() ? facts.to : group->in_switch, facts.on, why);
  if (facts.on != SwitchKind::kEsxi && facts.on != SwitchKind::kHyperV) return on;
  DraftSwitch* const in = switch_of(host, on);
  PolicyFacts policy = facts.policy;
  if (group != nullptr) {
    if (!nic.port.vlans.any()) nic.port.vlans = group->vlans;
    if (!policy.promiscuous) policy.promiscuous = group->policy.promiscuous;
    if (!policy.forged) policy.forged = group->policy.forged;
    if (group->teaming && !in->teaming) in->teaming = group->teaming;
  }
  if (const MachineFacts* owner = facts_of(host)) {
    const auto told = std::ranges::find_if(
        owner->switches, [&](const SwitchFacts& s) { return clean_name(s.name, "switch") == on; });
    if (told != owner->switches.end() && !policy.promiscuous) policy.promiscuous = told->policy.promiscuous;
    if (told != owner->switches.end() && !policy.forged) policy.forged = told->policy.forged;
  }
  if (in->kind == "esxi") {
    nic.port.promiscuous = policy.promiscuous.value_or(false);
    nic.port.forged = policy.forged.value_or(false);
  } else if (in->kind == "hyperv") {
    nic.port.spoofing = policy.forged.value_or(false);
  }
  if (!policy.forged) policies_not_told_[in->kind].insert(host);
  return on;
}

// Of the host itself, or of a distributed switch.
const PortGroupFacts* Merge::port_group(std::size_t host, std::string_view name) const {
  const MachineFacts* owner = facts_of(host);
  const std::string_view host_name = owner == nullptr ? std::string_view(at(host).name) : owner->name;
  for (const std::string_view of : {host_name, std::string_view()}) {
    const auto found = port_groups_.find({std::string(of), std::string(name)});
    if (found != port_groups_.end()) return &facts_.port_groups[found->second];
  }
  return nullptr;
}

std::string Merge::plug_into_network(std::size_t host, std::size_t guest, const NicFacts& facts,
                                     DraftNic& nic) {
  const MachineFacts* owner = facts_of(guest);
  const NetworkFacts* network = network_of(host, owner == nullptr ? "" : owner->manager, facts.to);
  const std::string why = fmt::format("{}:{} is in the network '{}'", at(guest).name, nic.name, facts.to);
  if (network == nullptr) {
    if (facts.to.empty()) return lonely_switch(host, "unknown", guest, nic);
    return switch_named(host, facts.to, SwitchKind::kLinuxBridge, why + ", which was not exported");
  }
  if (!nic.port.vlans.any()) nic.port.vlans = network->vlans;
  switch (network->kind) {
    case Plug::kMacvlan:
      return switch_above(host, SwitchKind::kMacvlan, network->to, why, network->mode);
    case Plug::kVf:
      return switch_above(host, SwitchKind::kSriov,
                          network->to.empty() ? physical_function(host, nic.mac) : network->to, why);
    case Plug::kHostNic:
      return switch_above(host, SwitchKind::kHostedBridge, network->to, why);
    default:
      break;
  }
  const bool is_behind = network->kind == Plug::kNat;
  const SwitchKind kind = !is_behind ? network->on : network->routed ? SwitchKind::kRouted : SwitchKind::kNat;
  const std::string name = clean_name(network->to.empty() ? network->name : network->to, "network");
  const bool is_new = switch_of(host, name) == nullptr;
  const std::string on = switch_named(
      host, name, kind, network->kind == Plug::kSwitch ? std::string_view(why) : std::string_view());
  DraftSwitch* const made = switch_of(host, on);
  if (is_new && made != nullptr) {
    made->comment = facts_.text(network->place);
    if (network->ip) made->ip = network->ip;
  }
  let_host_route(host, *network, on);
  return on;
}

// The manager's word for a bridge without uplinks is `nat` or `route`: its host is the router of what is on
// it. Without an address it can't be.
void Merge::let_host_route(std::size_t host, const NetworkFacts& network, std::string_view on) {
  DraftSwitch* const bridge = switch_of(host, on);
  if (network.kind != Plug::kNat || bridge == nullptr || !bridge->uplinks.empty() ||
      bridge->kind != site_word(SwitchKind::kLinuxBridge))
    return;
  if (!bridge->ip) bridge->ip = network.ip;
  if (bridge->ip) bridge->kind = network.routed ? "routed" : "nat";
}

const NetworkFacts* Merge::network_of(std::size_t host, std::string_view manager,
                                      std::string_view name) const {
  // Networks of another host have the same names ("default") and are others.
  const std::string key = fmt::format("{}/{}", manager, name);
  if (const auto folder = folder_of_host_.find(host); folder != folder_of_host_.end()) {
    const auto near = networks_by_folder_.find({key, folder->second});
    if (near != networks_by_folder_.end()) return &facts_.networks[near->second];
  }
  const auto named = networks_by_name_.find(key);
  if (named == networks_by_name_.end()) return nullptr;
  for (auto it = named->second.rbegin(); it != named->second.rend(); ++it) {
    if (!hosts_by_group_.contains(facts_.networks[*it].group)) return &facts_.networks[*it];
  }
  return nullptr;
}

// Finds the host's virtual switch, or makes one. `why` is empty when its lack of uplinks is in its nature.
std::string Merge::switch_named(std::size_t host, const std::string& wanted, SwitchKind kind,
                                std::string_view why) {
  std::string name = clean_name(wanted, "switch");
  if (switch_of(host, name) != nullptr) return name;
  while (has_nic(at(host), name)) name += 'x';
  if (switch_of(host, name) != nullptr) return name;
  DraftSwitch made;
  made.name = name;
  made.kind = site_word(kind);
  made.is_guess = !why.empty();
  made.comment = why.empty() ? "a network inside of the host" : why;
  at(host).switches.push_back(std::move(made));
  if (!why.empty())
    assume(fmt::format(
        "{}/{} is taken for {} {} without a way out of the host: {}, and nothing tells more of it.",
        at(host).name, name, kind == SwitchKind::kEsxi || kind == SwitchKind::kOvs ? "an" : "a",
        site_word(kind), why));
  return name;
}

// The virtual switch that a hosted hypervisor, macvlan or an SR-IOV NIC makes above a NIC of the host.
std::string Merge::switch_above(std::size_t host, SwitchKind kind, const std::string& wanted,
                                std::string_view why, std::optional<model::MacvlanMode> mode) {
  if (const std::string name = clean_name(wanted, ""); !name.empty() && switch_of(host, name) != nullptr)
    return name;
  std::string nic = host_nic(host, wanted, why);
  if (const DraftBond* bond = bond_of(end_of(host, nic))) {
    assume(
        fmt::format("Guests on {}:{}, which is in a bond, are put on {}.", at(host).name, nic, bond->name));
    nic = bond->name;
  }
  while (is_vlan_name(nic)) {
    const std::string whole = host_nic(host, nic.substr(0, nic.rfind('.')), why);
    assume(fmt::format("Guests on the VLAN {}:{} are put on {}, untagged.", at(host).name, nic, whole));
    nic = whole;
  }
  DraftSwitch* below = nullptr;
  for (DraftSwitch& s : at(host).switches) {
    if (std::ranges::find(s.uplinks, nic) == s.uplinks.end()) continue;
    if (s.kind == site_word(kind)) {
      if (mode && s.macvlan_mode && s.macvlan_mode != mode)
        assume(fmt::format("{}/{} has macvlans of several modes; that of the first counts here.",
                           at(host).name, s.name));
      return s.name;
    }
    below = &s;
  }
  DraftSwitch made;
  const std::string_view prefix = kind == SwitchKind::kHostedBridge ? "bridged"
                                  : kind == SwitchKind::kMacvlan    ? "macvlan"
                                                                    : "vfs";
  made.name = fmt::format("{}-{}", prefix, nic);
  made.kind = site_word(kind);
  made.uplinks.push_back(nic);
  made.macvlan_mode = mode;
  made.comment = fmt::format("{} above {}", prefix, nic);
  if (below != nullptr) {
    if (kind != SwitchKind::kSriov || (below->kind != "linux-bridge" && below->kind != "ovs") ||
        switch_of(host, made.name) != nullptr) {
      assume(fmt::format("Guests that are bridged to {}:{} are put on {}/{}, which has that NIC.",
                         at(host).name, nic, at(host).name, below->name));
      return below->name;
    }
    put_below(host, *below, made, nic);
  }
  at(host).switches.push_back(made);
  return made.name;
}

// A bridge on the physical function has the switch inside of the NIC below it: its ways out lead through
// that.
void Merge::put_below(std::size_t host, DraftSwitch& bridge, DraftSwitch& veb, const std::string& nic) {
  const std::string port = "to-" + bridge.name;
  std::erase(bridge.uplinks, nic);
  for (DraftPort& settings : bridge.ports) {
    if (settings.name == nic) settings.name = "pf";
  }
  const End physical = end_of(host, nic);
  if (bridge.ip && !bridge.mac && bridge.uplinks.empty()) bridge.mac = at(host).nics[physical.nic].mac;
  veb.ports.emplace_back().name = port;
  draft_.links.push_back({fmt::format("{}/{}:{}", at(host).name, veb.name, port),
                          fmt::format("{}/{}:pf", at(host).name, bridge.name), "the physical function"});
}

// libvirt names a function by its place on the PCI bus; the host's NIC knows which addresses its functions
// have.
std::string Merge::physical_function(std::size_t host, std::optional<Mac> mac) const {
  const MachineFacts* owner = facts_of(host);
  if (owner == nullptr) return {};
  std::string only;
  std::size_t count = 0;
  for (const NicFacts& nic : owner->nics) {
    if (nic.virtual_functions.empty()) continue;
    if (mac && std::ranges::find(nic.virtual_functions, *mac) != nic.virtual_functions.end()) return nic.name;
    only = nic.name;
    ++count;
  }
  return count == 1 ? only : std::string();
}

std::string Merge::host_nic(std::size_t host, const std::string& wanted, std::string_view why) {
  DraftMachine& machine = at(host);
  std::string name = clean_name(wanted, "");
  if (!name.empty() && std::ranges::find(machine.nics, name, &DraftNic::name) != machine.nics.end())
    return name;
  if (name.empty() && !machine.nics.empty()) {
    // What a product bridges to by itself is the NIC that leads out.
    auto best = std::ranges::find_if(machine.nics, [&](const DraftNic& n) {
      return n.ip && machine.gateway && n.ip->contains(*machine.gateway);
    });
    if (best == machine.nics.end())
      best = std::ranges::find_if(machine.nics, [](const DraftNic& n) { return n.ip.has_value(); });
    if (best == machine.nics.end()) best = machine.nics.begin();
    if (machine.nics.size() > 1)
      assume(fmt::format("Guests of {} are bridged to a NIC that is not named; {} is assumed.", machine.name,
                         best->name));
    return best->name;
  }
  DraftNic made;
  made.name = name.empty() ? "eth0" : name;
  made.comment = why;
  machine.nics.push_back(made);
  assume(fmt::format("The NIC {}:{} is made up: {}.", machine.name, made.name,
                     why.empty() ? "a guest is bridged to it" : why));
  return made.name;
}

// A switch for one NIC alone: its MAC counts in no segment but is kept.
std::string Merge::lonely_switch(std::size_t host, std::string_view what, std::size_t guest,
                                 const DraftNic& nic) {
  DraftSwitch made;
  const std::string wanted = clean_name(fmt::format("{}-{}-{}", what, at(guest).name, nic.name), "alone");
  std::string name = wanted;
  for (unsigned number = 2; switch_of(host, name) != nullptr || has_nic(at(host), name); ++number)
    name = fmt::format("{}-{}", wanted, number);
  made.name = name;
  made.kind = "linux-bridge";
  made.comment =
      what == "nat" ? "behind the host's address, alone" : fmt::format("{}: joined to nothing", what);
  at(host).switches.push_back(std::move(made));
  if (what == "unknown")
    assume(fmt::format("What {}:{} is plugged into is not told; it stands alone.", at(guest).name, nic.name));
  return name;
}

}  // namespace sekimori::importers
