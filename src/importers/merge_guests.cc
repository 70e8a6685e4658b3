// Guests: on which host each is, which of two exports of one counts, and those that only a bridge's table
// knows.
#include <fmt/format.h>

#include <algorithm>

#include "importers/merge.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::MachineKind;

void Merge::take_guests() {
  // Of two exports of one guest, the one that knows whether it runs counts.
  for (const bool is_known : {true, false}) {
    for (std::size_t i = 0; i < facts_.machines.size(); ++i) {
      const MachineFacts& facts = facts_.machines[i];
      if (facts.kind == MachineKind::kGuest && (facts.power != Power::kUnknown) == is_known) take_guest(i);
    }
  }
}

void Merge::take_guest(std::size_t index) {
  const MachineFacts& facts = facts_.machines[index];
  const std::size_t host = host_for(facts);
  if (is_told_twice(facts, host)) return;
  seen_.try_emplace({facts.manager, facts.id, host}, index);
  DraftMachine guest;
  guest.name = unique_name(facts.name);
  guest.kind = MachineKind::kGuest;
  guest.host = host;
  guest.running = facts.power != Power::kOff;
  guest.comment = fmt::format("{} {}, {}", facts.manager, facts.id, facts_.text(facts.place));
  if (facts.power == Power::kUnknown) guest.comment += "; whether it runs is not told";
  const std::size_t id = add_machine(std::move(guest), index);
  at(host).guests.push_back(id);
  std::set<std::string> taken;
  std::set<Ipv4> addresses;
  std::map<std::string_view, std::string> names;
  const std::set<std::string_view> bonded = bonds_and_nics(facts);
  for (const NicFacts& nic : facts.nics) {
    DraftNic draft;
    draft.name = clean_name(nic.name, "nic");
    const bool is_vlan = is_vlan_name(draft.name) && !bonded.contains(nic.name) &&
                         has_nic_below(facts, draft.name) &&
                         !is_vlan_name(std::string_view(draft.name).substr(0, draft.name.rfind('.')));
    if (is_vlan_name(draft.name) && !is_vlan) draft.name[draft.name.rfind('.')] = '-';
    const std::string name = draft.name;
    for (unsigned number = 2; !taken.insert(draft.name).second; ++number)
      draft.name = fmt::format("{}-{}", name, number);
    draft.mac = nic.mac;
    if (!nic.ips.empty() && addresses.insert(nic.ips.front().address).second) draft.ip = nic.ips.front();
    names.emplace(nic.name, draft.name);
    // What is below is plugged in: the NIC of a VLAN, and those of a bond.
    const bool is_bond = std::ranges::find(facts.bonds, nic.name, &BondFacts::name) != facts.bonds.end();
    if (!is_vlan && !is_bond) {
      draft.port.vlans = nic.vlans;
      draft.tap = nic.tap;
      plug(id, nic, draft);
    }
    at(id).nics.push_back(std::move(draft));
  }
  take_bonds(id, facts, names);
  take_routes(id, facts);
}

// The same guest in two files (what runs, and its configuration) is one. Two that merely have one id are two,
// and the id is evidence that one is a copy of the other.
bool Merge::is_told_twice(const MachineFacts& guest, std::size_t host) {
  const auto before = seen_.find({guest.manager, guest.id, host});
  if (before != seen_.end()) {
    const MachineFacts& first = facts_.machines[before->second];
    const bool is_same = first.name == guest.name &&
                         std::ranges::equal(first.nics, guest.nics, {}, &NicFacts::mac, &NicFacts::mac);
    if (is_same) {
      facts_.leave_out(guest.place,
                       fmt::format("{} is told twice; first in {}", guest.name, facts_.text(first.place)));
      return true;
    }
  }
  if (guest.uuid.empty()) return false;
  for (auto [at, end] = uuids_.equal_range(guest.uuid); at != end; ++at) {
    suspect(fmt::format("{} ({}) and {} ({}) have the machine id {}: one is a copy of the other.",
                        facts_.machines[at->second].name, facts_.text(facts_.machines[at->second].place),
                        guest.name, facts_.text(guest.place), guest.uuid));
    break;
  }
  uuids_.emplace(guest.uuid, static_cast<std::size_t>(&guest - facts_.machines.data()));
  return false;
}

std::size_t Merge::host_of_group(std::string_view group) const {
  for (;;) {
    if (const auto found = hosts_by_group_.find(group); found != hosts_by_group_.end()) return found->second;
    const std::size_t slash = group.rfind('/');
    if (slash == std::string_view::npos) return kNone;
    group = group.substr(0, slash);
  }
}

// The host that the manager names, or the one whose folder the export lies in.
std::size_t Merge::host_for(const MachineFacts& guest) {
  if (!guest.host.empty()) {
    const auto named = hosts_by_name_.find(guest.host);
    if (named != hosts_by_name_.end()) return named->second;
    const std::size_t made = make_host(guest.host, "only its guests were exported");
    hosts_by_name_.emplace(guest.host, made);
    return made;
  }
  if (const std::size_t known = host_of_group(guest.group); known != kNone) return known;
  const std::string_view folder = std::string_view(guest.group).substr(guest.group.rfind('/') + 1);
  const std::size_t made = make_host(clean_name(folder == "." || folder == ".." ? "" : folder, "host"),
                                     "only its guests were exported");
  hosts_by_group_.emplace(guest.group, made);
  folder_of_host_.emplace(made, guest.group);
  return made;
}

std::size_t Merge::make_host(const std::string& name, std::string_view why) {
  DraftMachine host;
  host.name = unique_name(name);
  host.comment = why;
  assume(fmt::format("The host {} is made up: {}.", host.name, why));
  return add_machine(std::move(host), kNone);
}

// ---------------------------------------------------------------- stations that only a table knows

void Merge::take_strays() {
  for (std::size_t i = 0; i < outside_.size(); ++i) {
    if (!outside_[i].claimed) take_stray(outside_[i]);
  }
}

// Somebody sends behind this port, but no export tells who: a container, a guest of another manager.
void Merge::take_stray(const OutsidePort& outside) {
  const MachineFacts* owner = facts_of(outside.machine);
  const DraftSwitch in = at(outside.machine).switches[outside.in_switch];  // a copy: machines are added below
  const auto bridge = std::ranges::find_if(
      owner->switches, [&](const SwitchFacts& s) { return clean_name(s.name, "switch") == in.name; });
  std::set<Mac> macs;
  for (const FdbFacts& entry : bridge->fdb) {
    if (entry.port == outside.port->name && !entry.is_static) macs.insert(entry.mac);
  }
  for (const std::size_t guest : at(outside.machine).guests) {
    for (const DraftNic& nic : at(guest).nics) {
      if (nic.mac && nic.on == in.name) macs.erase(*nic.mac);
    }
  }
  for (const Mac mac : macs) {
    DraftMachine guest;
    guest.name = unique_name("behind-" + outside.port->name);
    guest.kind = MachineKind::kGuest;
    guest.host = outside.machine;
    guest.comment =
        fmt::format("known by the table of {} only: {}", in.name, facts_.text(outside.port->place));
    DraftNic nic;
    nic.name = "net0";
    nic.mac = mac;
    nic.on = in.name;
    nic.tap = outside.port->name;
    nic.port.vlans = outside.port->vlans;
    nic.port.learning = outside.port->learning;
    nic.port.flood = outside.port->flood;
    nic.port.isolated = outside.port->isolated;
    guest.nics.push_back(std::move(nic));
    const std::string name = guest.name;
    const std::size_t id = add_machine(std::move(guest), kNone);
    at(outside.machine).guests.push_back(id);
    assume(fmt::format("{} ({}), learnt by {}/{} at {}, is taken for a guest: no export tells what it is.",
                       name, wire::to_text(mac), at(outside.machine).name, in.name, outside.port->name));
  }
}

}  // namespace sekimori::importers
