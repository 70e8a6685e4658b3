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
  if (plug_by_tap(host, facts, nic)) return;
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
                                : switch_named(host, facts.to, SwitchKind::kLinuxBridge, why);
      return;
    case Plug::kHostNic:
      nic.on = switch_above(host, SwitchKind::kHostedBridge, facts.to, why);
      return;
    case Plug::kMacvlan:
      nic.on = switch_above(host, SwitchKind::kMacvlan, facts.to, why);
      return;
    case Plug::kVf:
      nic.on = switch_above(host, SwitchKind::kSriov, facts.to, why);
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
  for (OutsidePort& outside : outside_) {
    if (outside.machine != host || outside.claimed || outside.port->name != facts.tap) continue;
    outside.claimed = true;
    const DraftSwitch& in = at(host).switches[outside.in_switch];
    nic.on = in.name;
    nic.port = {{},
                in.vlan_aware ? outside.port->vlans : VlanFacts{},
                outside.port->learning,
                outside.port->flood,
                outside.port->isolated};
    return true;
  }
  const MachineFacts* owner = facts_of(host);
  if (owner == nullptr) return false;
  for (const NicFacts& above : owner->nics) {
    if (above.plug != Plug::kMacvlan || above.tap != facts.tap) continue;
    nic.on = switch_above(host, SwitchKind::kMacvlan, above.to, {});
    return true;
  }
  return false;
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
      return switch_above(host, SwitchKind::kMacvlan, network->to, why);
    case Plug::kVf:
      return switch_above(host, SwitchKind::kSriov, network->to, why);
    case Plug::kHostNic:
      return switch_above(host, SwitchKind::kHostedBridge, network->to, why);
    default:
      break;
  }
  const bool is_behind = network->kind == Plug::kNat;
  const SwitchKind kind = !is_behind        ? SwitchKind::kLinuxBridge
                          : network->routed ? SwitchKind::kRouted
                                            : SwitchKind::kNat;
  const std::string name = clean_name(network->to.empty() ? network->name : network->to, "network");
  const bool is_new = switch_of(host, name) == nullptr;
  const std::string on = switch_named(
      host, name, kind, network->kind == Plug::kSwitch ? std::string_view(why) : std::string_view());
  auto made = std::ranges::find(at(host).switches, on, &DraftSwitch::name);
  if (is_new && made != at(host).switches.end()) {
    made->comment = facts_.text(network->place);
    if (network->ip) made->ip = network->ip;
  }
  return on;
}

const NetworkFacts* Merge::network_of(std::size_t host, std::string_view manager,
                                      std::string_view name) const {
  const NetworkFacts* near = nullptr;
  for (const NetworkFacts& network : facts_.networks) {
    if (network.name != name || network.manager != manager) continue;
    // Networks of another host have the same names ("default") and are others.
    for (std::string_view group = network.group;;) {
      if (const auto found = hosts_by_group_.find(group);
          found != hosts_by_group_.end() && found->second == host)
        return &network;
      const std::size_t slash = group.rfind('/');
      if (slash == std::string_view::npos) break;
      group = group.substr(0, slash);
    }
    if (hosts_by_group_.find(network.group) == hosts_by_group_.end()) near = &network;
  }
  return near;
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
  made.comment = why.empty() ? "a network inside of the host" : why;
  at(host).switches.push_back(std::move(made));
  if (!why.empty())
    assume(fmt::format(
        "{}/{} is taken for a {} without a way out of the host: {}, and nothing tells more of it.",
        at(host).name, name, site_word(kind), why));
  return name;
}

// The virtual switch that a hosted hypervisor, macvlan or an SR-IOV NIC makes above a NIC of the host.
std::string Merge::switch_above(std::size_t host, SwitchKind kind, const std::string& wanted,
                                std::string_view why) {
  if (const std::string name = clean_name(wanted, ""); !name.empty() && switch_of(host, name) != nullptr)
    return name;
  const std::string nic = host_nic(host, wanted, why);
  for (const DraftSwitch& s : at(host).switches) {
    if (std::ranges::find(s.uplinks, nic) == s.uplinks.end()) continue;
    if (s.kind != site_word(kind))
      assume(fmt::format("Guests that are bridged to {}:{} are put on {}/{}, which has that NIC.",
                         at(host).name, nic, at(host).name, s.name));
    return s.name;
  }
  DraftSwitch made;
  const std::string_view prefix = kind == SwitchKind::kHostedBridge ? "bridged"
                                  : kind == SwitchKind::kMacvlan    ? "macvlan"
                                                                    : "vfs";
  made.name = fmt::format("{}-{}", prefix, nic);
  made.kind = site_word(kind);
  made.uplinks.push_back(nic);
  made.comment = fmt::format("{} above {}", prefix, nic);
  at(host).switches.push_back(made);
  if (site_word(kind) == "linux-bridge")
    assume(fmt::format("{}/{} ({}) is taken for a linux-bridge.", at(host).name, made.name, prefix));
  return made.name;
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
