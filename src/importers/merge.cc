#include "importers/merge.h"

#include <fmt/format.h>

#include <algorithm>

#include "importers/problems.h"
#include "model/builder.h"
#include "wire/ipv4.h"

namespace sekimori::importers {

using model::MachineKind;

// Networks behind a host's address are bridges without uplinks: the site file has no other word for them.
std::string_view site_word(SwitchKind kind) {
  switch (kind) {
    case SwitchKind::kHostedBridge:
      return "hosted-bridge";
    case SwitchKind::kOvs:
      return "ovs";
    case SwitchKind::kMacvlan:
      return "macvlan";
    case SwitchKind::kSriov:
      return "sriov";
    case SwitchKind::kEsxi:
      return "esxi";
    case SwitchKind::kHyperV:
      return "hyperv";
    case SwitchKind::kLinuxBridge:
    case SwitchKind::kNat:
    case SwitchKind::kRouted:
      break;
  }
  return "linux-bridge";
}

namespace {

constexpr std::size_t kMostAssumptions = 1000;  // told one by one; the rest is counted

}  // namespace

void Merge::assume(std::string text) {
  if (++assumptions_ <= kMostAssumptions) draft_.notes.push_back({false, std::move(text)});
}

void Merge::index_networks() {
  for (std::size_t i = 0; i < facts_.port_groups.size(); ++i)
    port_groups_.try_emplace({facts_.port_groups[i].host, facts_.port_groups[i].name}, i);
  for (std::size_t i = 0; i < facts_.networks.size(); ++i) {
    const NetworkFacts& network = facts_.networks[i];
    const std::string key = fmt::format("{}/{}", network.manager, network.name);
    networks_by_name_[key].push_back(i);
    for (std::string_view group = network.group;;) {
      networks_by_folder_.try_emplace({key, std::string(group)}, i);
      const std::size_t slash = group.rfind('/');
      if (slash == std::string_view::npos) break;
      group = group.substr(0, slash);
    }
  }
}

// Each step rests on those before: guests need their hosts, cables the NICs that guests share, addresses the
// segments that cables make.
Draft Merge::run() && {
  index_networks();
  turn_veths_into_cables();
  take_hosts();
  take_guests();
  take_strays();

  index_macs();
  give_addresses();
  join_veths();
  read_lldp();
  read_tables();
  join_lans();
  aggregate();

  add_strangers();
  add_rules();
  add_traffic();
  add_suspects();
  assume_policies();
  fit_to_kinds();
  if (assumptions_ > kMostAssumptions)
    draft_.notes.push_back(
        {false, fmt::format("{} more things are assumed.", assumptions_ - kMostAssumptions)});
  return std::move(draft_);
}

Draft merge(Facts& facts) { return Merge(facts).run(); }

// ---------------------------------------------------------------- names

// A site file takes such a NIC for a VLAN of another, which can be under no switch.
bool Merge::is_vlan_name(std::string_view nic) {
  const auto name = model::parse_nic_name(nic);
  return name && name->vlan != 0 && !name->parent.empty();
}

// Whether the machine has the NIC of which the name says that this is a VLAN. One in a bond has none, and a
// host's macvtap is no NIC of its.
bool Merge::has_nic_below(const MachineFacts& facts, std::string_view vlan) {
  const std::string_view below = vlan.substr(0, vlan.rfind('.'));
  return std::ranges::any_of(facts.nics, [&](const NicFacts& nic) {
    const bool is_in_bond = std::ranges::any_of(facts.bonds, [&](const BondFacts& bond) {
      return std::ranges::find(bond.nics, nic.name) != bond.nics.end();
    });
    const bool is_a_guests = facts.kind == MachineKind::kHost && nic.plug == Plug::kMacvlan;
    return !is_in_bond && !is_a_guests && clean_name(nic.name, "nic") == below;
  });
}

// A name as a site file allows it. What an export has in its place is replaced, so that it stays
// recognisable.
std::string Merge::clean_name(std::string_view wanted, std::string_view otherwise) {
  constexpr std::size_t kLongest = 100;  // leaves room for a number
  std::string name;
  for (std::size_t i = 0; i < wanted.size() && name.size() < kLongest;) {
    const auto c = static_cast<unsigned char>(wanted[i]);
    const std::size_t length = std::max<std::size_t>(utf8_length(wanted, i), 1);
    const bool is_bad = c <= 0x20 || c == 0x7f || c == ':' || c == '/' || utf8_length(wanted, i) == 0 ||
                        (c == 0xc2 && length == 2 && static_cast<unsigned char>(wanted[i + 1]) <= 0xa0);
    name += is_bad ? std::string_view("-") : wanted.substr(i, length);
    i += length;
  }
  // Linux takes eth0.0 and eth0.5000 for names like others.
  if (!model::parse_nic_name(name)) name[name.rfind('.')] = '-';
  if (name.starts_with('.')) name.front() = '-';  // ".1" would be a VLAN of nothing
  return name.empty() ? std::string(otherwise) : name;
}

std::string Merge::unique_name(std::string_view wanted) {
  std::string name = clean_name(wanted, "machine");
  if (names_.try_emplace(name, 2).second) return name;
  for (;;) {
    const unsigned number = names_[name]++;
    std::string unique = fmt::format("{}-{}", name, number);
    if (names_.try_emplace(unique, 2).second) return unique;
  }
}

std::size_t Merge::add_machine(DraftMachine machine, std::size_t from) {
  machine.facts = from;
  draft_.machines.push_back(std::move(machine));
  from_.push_back(from);
  return draft_.machines.size() - 1;
}

std::string Merge::end_name(End end) const {
  return fmt::format("{}:{}", at(end.machine).name, at(end.machine).nics[end.nic].name);
}

// ---------------------------------------------------------------- hosts

// A bridge's port that leads to another namespace is a container's, unless that namespace was exported as a
// machine of its own: then it is a cable between the two.
void Merge::turn_veths_into_cables() {
  std::set<std::pair<std::uint32_t, std::uint32_t>> ends;
  for (const MachineFacts& machine : facts_.machines) {
    for (const NicFacts& nic : machine.nics) {
      if (nic.index != 0) ends.emplace(nic.peer_index, nic.index);
    }
    for (const SwitchFacts& bridge : machine.switches) {
      for (const PortFacts& port : bridge.ports) {
        if (port.to == PortFacts::To::kOutside && port.index != 0) ends.emplace(port.peer_index, port.index);
      }
    }
  }
  for (MachineFacts& machine : facts_.machines) {
    for (SwitchFacts& bridge : machine.switches) {
      for (PortFacts& port : bridge.ports) {
        if (port.to != PortFacts::To::kOutside || port.index == 0) continue;
        if (!ends.contains({port.index, port.peer_index})) continue;
        port.to = PortFacts::To::kNic;
        NicFacts nic;
        nic.name = port.name;
        nic.mac = port.mac;
        nic.up = port.up;
        nic.index = port.index;
        nic.peer_index = port.peer_index;
        nic.place = port.place;
        machine.nics.push_back(std::move(nic));
      }
    }
  }
}

// The names of a machine's bonds, and of what is in them.
std::set<std::string_view> Merge::bonds_and_nics(const MachineFacts& facts) {
  std::set<std::string_view> names;
  for (const BondFacts& bond : facts.bonds) {
    names.insert(bond.name);
    names.insert(bond.nics.begin(), bond.nics.end());
  }
  return names;
}

void Merge::take_hosts() {
  std::set<std::string_view> told_by_iproute2;
  for (const MachineFacts& machine : facts_.machines) {
    if (machine.manager == "linux") told_by_iproute2.insert(machine.group);
  }
  for (std::size_t i = 0; i < facts_.machines.size(); ++i) {
    const MachineFacts& machine = facts_.machines[i];
    // iproute2 tells what is, this what was meant.
    const bool is_meant = machine.manager == "interfaces" && told_by_iproute2.contains(machine.group);
    if (machine.kind == MachineKind::kHost && !is_meant) take_host(i);
  }
}

void Merge::take_host(std::size_t index) {
  const MachineFacts& facts = facts_.machines[index];
  DraftMachine machine;
  machine.name = unique_name(facts.name);
  machine.running = facts.power != Power::kOff;
  machine.comment = facts_.text(facts.place);
  const std::size_t id = add_machine(std::move(machine), index);
  if (hosts_by_group_.try_emplace(facts.group, id).second) folder_of_host_.emplace(id, facts.group);
  hosts_by_name_.try_emplace(facts.name, id);

  std::set<std::string> taken;
  std::set<Ipv4> addresses;
  std::map<std::string_view, std::string> names;
  const std::set<std::string_view> bonded = bonds_and_nics(facts);
  for (const NicFacts& nic : facts.nics) {
    const bool is_split = std::ranges::any_of(facts.switches, [&](const SwitchFacts& s) {
      return !nic.to.empty() &&
             std::ranges::any_of(s.ports, [&](const PortFacts& p) { return p.name == nic.name; });
    });
    if (is_split || nic.plug == Plug::kMacvlan) continue;
    DraftNic draft;
    draft.name = clean_name(nic.name, "nic");
    // The VLAN of a NIC that is not there is a NIC by itself, and so is what is in a bond.
    if (is_vlan_name(draft.name) && (bonded.contains(nic.name) || !has_nic_below(facts, draft.name)))
      draft.name[draft.name.rfind('.')] = '-';
    if (!taken.insert(draft.name).second) {
      facts_.leave_out(nic.place, fmt::format("a second NIC {} of {}", draft.name, at(id).name));
      continue;
    }
    names.emplace(nic.name, draft.name);
    draft.mac = nic.mac;
    draft.is_down = !nic.up;
    for (const Ipv4Prefix& ip : nic.ips) {
      if (draft.ip) {
        facts_.leave_out(nic.place, fmt::format("{}:{} has a further address {}; a NIC has one here",
                                                at(id).name, nic.name, wire::to_text(ip)));
      } else if (addresses.insert(ip.address).second) {
        draft.ip = ip;
      }
    }
    at(id).nics.push_back(std::move(draft));
  }
  take_bonds(id, facts, names);
  for (const SwitchFacts& bridge : facts.switches) take_switch(id, bridge, facts);
  // A cable between two virtual switches is told by both ends.
  for (const SwitchFacts& bridge : facts.switches) {
    for (const PortFacts& port : bridge.ports) {
      if (port.to != PortFacts::To::kSwitch || port.name > port.peer) continue;
      for (const SwitchFacts& other : facts.switches) {
        const bool is_far = std::ranges::any_of(other.ports, [&](const PortFacts& p) {
          return p.name == port.peer && p.to == PortFacts::To::kSwitch;
        });
        if (!is_far) continue;
        draft_.links.push_back({fmt::format("{}/{}:{}", at(id).name, clean_name(bridge.name, "switch"),
                                            clean_name(port.name, "port")),
                                fmt::format("{}/{}:{}", at(id).name, clean_name(other.name, "switch"),
                                            clean_name(port.peer, "port")),
                                facts_.text(port.place)});
      }
    }
  }
  take_routes(id, facts);
}

void Merge::take_routes(std::size_t id, const MachineFacts& facts) {
  for (const RouteFacts& route : facts.routes) {
    const auto connects = [&](const std::optional<Ipv4Prefix>& ip) {
      return ip && ip->contains(route.via) && ip->address != route.via;
    };
    const bool is_near =
        std::ranges::any_of(at(id).nics, [&](const DraftNic& n) { return connects(n.ip); }) ||
        std::ranges::any_of(at(id).switches, [&](const DraftSwitch& s) { return connects(s.ip); });
    if (has_address(id, route.via)) {
      facts_.leave_out(route.place, fmt::format("a route of {} by {}, which is an address of its own",
                                                at(id).name, wire::to_text(route.via)));
    } else if (!is_near) {
      facts_.leave_out(route.place, fmt::format("a route of {} by {}, which is on none of its networks",
                                                at(id).name, wire::to_text(route.via)));
    } else if (route.to.length == 0) {
      if (!at(id).gateway) at(id).gateway = route.via;
    } else {
      RouteFacts clean = route;
      clean.to.address = route.to.network();
      const bool is_known =
          std::ranges::any_of(at(id).routes, [&](const RouteFacts& r) { return r.to == clean.to; });
      if (!is_known) at(id).routes.push_back(clean);
    }
  }
}

void Merge::take_switch(std::size_t machine, const SwitchFacts& facts, const MachineFacts& owner) {
  DraftSwitch bridge;
  bridge.name = clean_name(facts.name, "switch");
  const auto is_same = [&](const auto& other) { return other.name == bridge.name; };
  if (std::ranges::any_of(at(machine).switches, is_same) || std::ranges::any_of(at(machine).nics, is_same))
    return facts_.leave_out(facts.place,
                            fmt::format("a second interface {} of {}", bridge.name, at(machine).name));
  bridge.kind = site_word(facts.kind);
  if (facts.ageing)
    bridge.ageing = std::clamp(*facts.ageing, model::Duration(0),
                               std::chrono::duration_cast<model::Duration>(std::chrono::hours(24 * 30)));
  bridge.table_size = facts.table_size;
  bridge.priority = facts.priority;
  bridge.learning = facts.learning;
  bridge.stp = facts.stp;
  bridge.vlan_aware = facts.vlan_aware;
  bridge.snoops = facts.snoops;
  bridge.querier = facts.querier;
  bridge.floods_unregistered = facts.floods_unregistered;
  bridge.comment = facts_.text(facts.place);
  bridge.teaming = facts.teaming;
  bridge.notify_switches = facts.notify_switches.value_or(true);
  bridge.beacon_probing = facts.beacon_probing.value_or(false);
  if (facts.kind == SwitchKind::kLinuxBridge || facts.kind == SwitchKind::kOvs) {
    for (const Ipv4Prefix& ip : facts.ips) {
      if (!bridge.ip && !has_address(machine, ip.address)) {
        bridge.ip = ip;
      } else {
        facts_.leave_out(facts.place, fmt::format("{}:{} has a further address {}; a NIC has one here",
                                                  at(machine).name, bridge.name, wire::to_text(ip)));
      }
    }
  }
  const std::string_view name = bridge.name;
  if (bridge.ip && is_vlan_name(name) && end_of(machine, name.substr(0, name.rfind('.'))).valid()) {
    facts_.leave_out(facts.place,
                     fmt::format("the address of {}, a switch that is called as a VLAN of a NIC", name));
    bridge.ip.reset();
  }
  for (const PortFacts& port : facts.ports) {
    if (port.to == PortFacts::To::kNic) take_uplink(machine, bridge, port, owner);
  }
  const bool is_lent = std::ranges::any_of(at(machine).nics, [&](const DraftNic& nic) {
    return nic.mac == facts.mac && std::ranges::find(bridge.uplinks, nic.name) != bridge.uplinks.end();
  });
  if (bridge.ip && !is_lent) bridge.mac = facts.mac;
  const std::size_t index = at(machine).switches.size();
  const std::string bridge_name = bridge.name;
  at(machine).switches.push_back(std::move(bridge));
  for (const PortFacts& port : facts.ports) {
    if (port.to != PortFacts::To::kOutside) continue;
    outside_by_name_[{machine, port.name}].push_back(outside_.size());
    outside_.push_back({machine, index, &port, false});
  }
  for (const PortFacts& port : facts.ports) {
    const auto nic = std::ranges::find(owner.nics, port.name, &NicFacts::name);
    if (port.to != PortFacts::To::kNic || nic == owner.nics.end() || nic->to.empty()) continue;
    const auto below = std::ranges::find(owner.nics, nic->to, &NicFacts::name);
    if (below != owner.nics.end() && !below->to.empty()) {
      facts_.leave_out(port.place, fmt::format("the port {} of {}: a VLAN inside a VLAN is not followed",
                                               port.name, bridge_name));
    } else {
      split_vlans(machine, bridge_name, *nic);
    }
  }
}

void Merge::take_uplink(std::size_t machine, DraftSwitch& bridge, const PortFacts& port,
                        const MachineFacts& owner) {
  const auto facts = std::ranges::find(owner.nics, port.name, &NicFacts::name);
  if (facts != owner.nics.end() && !facts->to.empty()) return;  // a VLAN of a NIC: split_vlans
  const auto nic = std::ranges::find(at(machine).nics, clean_name(port.name, "nic"), &DraftNic::name);
  const auto is_used = [&](const DraftSwitch& s) {
    return std::ranges::find(s.uplinks, nic->name) != s.uplinks.end();
  };
  if (nic == at(machine).nics.end() || is_vlan_name(nic->name) || is_used(bridge) ||
      bond_of(end_of(machine, nic->name)) != nullptr || std::ranges::any_of(at(machine).switches, is_used))
    return facts_.leave_out(port.place, fmt::format("the port {} of {}", port.name, bridge.name));
  if (nic->ip && bridge.ip) {
    facts_.leave_out(port.place,
                     fmt::format("the address of {}, as its bridge {} has one", nic->name, bridge.name));
    nic->ip.reset();
  }
  bridge.uplinks.push_back(nic->name);
  DraftPort draft;
  draft.name = nic->name;
  draft.vlans = port.vlans;
  draft.learning = port.learning;
  draft.flood = port.flood;
  draft.isolated = port.isolated;
  bridge.ports.push_back(std::move(draft));
}

// eth0.10 in a bridge: frames of VLAN 10 are taken out of the wire before the bridge sees them. The site file
// has no such thing; a VLAN-aware switch between the NIC and the bridge does the same to every frame.
void Merge::split_vlans(std::size_t machine, std::string_view bridge, const NicFacts& nic) {
  const std::string below = clean_name(nic.to, "nic");
  const std::string name = below + "-vlans";
  const std::uint16_t vlan = nic.vlans.tagged.empty() ? std::uint16_t{1} : nic.vlans.tagged.front().first;
  if (std::ranges::find(at(machine).nics, below, &DraftNic::name) == at(machine).nics.end()) return;
  auto splitter = std::ranges::find(at(machine).switches, name, &DraftSwitch::name);
  if (splitter == at(machine).switches.end()) {
    DraftSwitch made;
    made.name = name;
    made.kind = site_word(SwitchKind::kLinuxBridge);
    made.vlan_aware = true;
    made.uplinks.push_back(below);
    made.ports.emplace_back().name = below;
    made.comment = fmt::format("stands for the VLAN interfaces of {}", below);
    at(machine).switches.push_back(std::move(made));
    splitter = std::prev(at(machine).switches.end());
    assume(
        fmt::format("The VLAN interfaces of {}:{} that are in bridges are taken for a switch {}/{} that "
                    "takes the tags off.",
                    at(machine).name, below, at(machine).name, name));
  }
  splitter->ports.front().vlans.tagged.emplace_back(vlan, vlan);
  DraftPort access;
  access.name = fmt::format("to-{}", bridge);
  access.vlans.untagged = vlan;
  splitter->ports.push_back(access);
  draft_.links.push_back({fmt::format("{}/{}:{}", at(machine).name, name, access.name),
                          fmt::format("{}/{}:{}", at(machine).name, bridge, clean_name(nic.name, "port")),
                          facts_.text(nic.place)});
}

}  // namespace sekimori::importers
