// Bonds: which of a machine's NICs are one, where their cables lead, and what is at the other end. Addresses,
// tables and segments know the bond (`whole`); cables are those of its NICs.
//
// Whether the other end takes the NICs for one is told by LACP alone. For balance-rr and balance-xor it is
// assumed, as they need it, and `broadcast` is assumed to be in networks that do not meet, as it is meant to
// be.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "importers/merge.h"
#include "model/bond_mode.h"

namespace sekimori::importers {

using model::BondMode;

const DraftBond* Merge::bond_of(End nic) const {
  const DraftMachine& machine = at(nic.machine);
  for (const DraftBond& bond : machine.bonds) {
    if (std::ranges::find(bond.nics, machine.nics[nic.nic].name) != bond.nics.end()) return &bond;
  }
  return nullptr;
}

const DraftBond* Merge::bond_at(End bond) const {
  const DraftMachine& machine = at(bond.machine);
  const auto found = std::ranges::find(machine.bonds, machine.nics[bond.nic].name, &DraftBond::name);
  return found == machine.bonds.end() ? nullptr : &*found;
}

Merge::End Merge::whole(End nic) const {
  const DraftBond* bond = nic.valid() ? bond_of(nic) : nullptr;
  return bond == nullptr ? nic : end_of(nic.machine, bond->name);
}

std::vector<Merge::End> Merge::cable_ends(End wire) const {
  const DraftBond* bond = bond_at(wire);
  if (bond == nullptr) return {wire};
  std::vector<End> ends;
  for (const std::string& nic : bond->nics) ends.push_back(end_of(wire.machine, nic));
  return ends;
}

bool Merge::is_cabled(End wire) const {
  return std::ranges::any_of(
      cable_ends(wire), [&](End end) { return cabled_.contains(end) || cabled_directly_.contains(end); });
}

std::vector<Merge::End> Merge::open_ends(End wire) const {
  std::vector<End> open;
  for (const End end : cable_ends(wire)) {
    const bool is_lost = end != wire && at(end.machine).nics[end.nic].is_down;
    if (!is_lost && !is_cabled(end)) open.push_back(end);
  }
  return open;
}

// `names`: of NICs of the facts, and what they are called in the site.
void Merge::take_bonds(std::size_t machine, const MachineFacts& facts,
                       const std::map<std::string_view, std::string>& names) {
  for (const BondFacts& bond : facts.bonds) {
    const auto own = names.find(bond.name);
    if (own == names.end()) continue;
    DraftBond draft;
    draft.name = own->second;
    draft.mode = bond.mode;
    draft.hash_policy = bond.hash_policy;
    for (const std::string& nic : bond.nics) {
      const auto name = names.find(nic);
      if (name == names.end()) continue;
      draft.nics.push_back(name->second);
      if (nic == bond.primary) draft.primary = name->second;
    }
    if (draft.nics.empty()) continue;
    if (!bond.not_modelled.empty())
      assume(fmt::format("Settings of the bond {}:{} that are not modelled: {}.", at(machine).name,
                         draft.name, fmt::join(bond.not_modelled, ", ")));
    at(machine).bonds.push_back(std::move(draft));
  }
}

// A table has learnt the bond at one port: that of the active NIC, or of a group of which only the name is
// known.
void Merge::connect_bond(End bond, const Socket& to, const std::string& comment) {
  const std::vector<End> open = open_ends(bond);
  if (open.empty()) return;
  sockets_.emplace(to, bond);
  if (model::has_active(bond_at(bond)->mode) || open.size() == 1) return connect(open.front(), to, comment);
  for (std::size_t n = 0; n < open.size(); ++n)
    connect(open[n], {to.gear, fmt::format("{}-{}", to.port, n + 1)}, comment + ", which is a group");
}

// Of a bond that sends everything by all NICs each is in a network of its own.
bool Merge::connect_apart(End nic) {
  const DraftBond* bond = bond_of(nic);
  if (bond == nullptr || bond->mode != BondMode::kBroadcast || !is_cabled(whole(nic))) return false;
  std::string name = "lan-" + end_name(nic);
  std::ranges::replace(name, ':', '-');
  const std::size_t gear = lan(name, "assumed: a network of its own");
  connect(nic, {gear, "1"}, "assumed");
  assume(fmt::format(
      "The far end of the cable of {} is not told: {} stands for it, a network of its own, as {} is a "
      "bond in mode broadcast.",
      end_name(nic), draft_.gear[gear].name, bond->name));
  return true;
}

DraftPort& Merge::port_of_gear(const Socket& socket) {
  std::vector<DraftPort>& ports = draft_.gear[socket.gear].ports;
  const auto found = std::ranges::find(ports, socket.port, &DraftPort::name);
  if (found != ports.end()) return *found;
  ports.emplace_back().name = socket.port;
  return ports.back();
}

// ---------------------------------------------------------------- the other ends

void Merge::aggregate() {
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr) continue;
    for (const DraftBond& bond : at(m).bonds) {
      const auto told = std::ranges::find_if(
          facts->bonds, [&](const BondFacts& f) { return clean_name(f.name, "nic") == bond.name; });
      if (told != facts->bonds.end()) aggregate(m, bond, *told);
    }
  }
}

void Merge::aggregate(std::size_t machine, const DraftBond& bond, const BondFacts& facts) {
  const bool needs_group = bond.mode == BondMode::kBalanceRr || bond.mode == BondMode::kBalanceXor;
  const bool is_told = bond.mode == BondMode::kLacp && facts.aggregated;
  if (!needs_group && bond.mode != BondMode::kLacp) return;
  std::map<std::size_t, std::vector<Socket>> groups;  // by gear
  for (const std::string& nic : bond.nics) {
    const auto is_it = [&](const std::string& name) { return clean_name(name, "nic") == nic; };
    if (is_told && std::ranges::none_of(*facts.aggregated, is_it)) continue;
    if (const auto cable = cabled_.find(end_of(machine, nic)); cable != cabled_.end())
      groups[cable->second.gear].push_back(cable->second);
  }
  std::vector<std::string> gear;
  for (const auto& [g, sockets] : groups) {
    gear.push_back(draft_.gear[g].name);
    if (sockets.size() < 2) continue;
    const unsigned number = ++last_lag_[g];
    for (const Socket& socket : sockets) port_of_gear(socket).lag = number;
  }
  const std::string name = fmt::format("{}:{}", at(machine).name, bond.name);
  if (gear.size() > 1) {
    assume(fmt::format(
        "The NICs of {} lead to {}, which a site file can't say to be one aggregation group; what is "
        "found of the group may be none.",
        name, base::list_words(gear)));
  } else if (!is_told && gear.size() == 1 && groups.begin()->second.size() > 1) {
    assume(fmt::format(
        "Whether {} takes the NICs of {} for one aggregation group is not told; it is assumed, as {} "
        "needs it.",
        gear.front(), name, to_text(bond.mode)));
  }
}

}  // namespace sekimori::importers
