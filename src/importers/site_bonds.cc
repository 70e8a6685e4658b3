// Bonds: NICs of a machine that are one (switching/bond.h). A bond is a NIC itself, with address and VLANs,
// and may be the uplink of a virtual switch.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "model/bond_mode.h"

namespace sekimori::importers {

using model::BondMode;
using model::BridgeId;
using model::MachineId;
using model::PortId;
using model::StationId;

void SiteReader::read_bonds(MachineId machine, NodeId bonds, const Instance& instance) {
  for (const Entry& entry : in_.entries(bonds, "bonds")) read_bond(machine, entry, instance);
}

void SiteReader::read_bond(MachineId machine, const Entry& entry, const Instance& instance) {
  const Fields fields = in_.fields(entry.value, sections::kBond);
  if (!in_.is_name(entry.name, "bond")) return;
  const std::string name(in_.text(entry.name));
  const auto bridge = build_.add_bridge(name, model::BridgeKind::kBond, machine);
  if (!ok(entry.name, bridge)) return;
  model()[*bridge].line = in_.line(entry.name);
  if (!fields.has("mode"))
    in_.wrong(entry.name,
              fmt::format("the mode of '{}' is missing: {}", name, fmt::join(model::kBondModeWords, ", ")));
  if (const auto mode = in_.choice(fields["mode"], "mode", model::kBondModeWords))
    model()[*bridge].bond_mode = static_cast<BondMode>(*mode);

  const Address address = read_mac(fields["mac"], model()[machine].name, name);
  constexpr model::Mac kFilledInLater{0x02'0000'000000 + 1};
  const auto station =
      build_.add_station(machine, name, address.mac.value_or(kFilledInLater), address.origin);
  if (!ok(entry.name, station)) return;
  model()[*station].drawn_bits = address.drawn_bits;
  model()[*station].line = in_.line(entry.name);
  read_addresses(*station, fields["ip"], instance);

  const StationId first = read_bond_nics(machine, *bridge, entry, fields);
  if (!address.mac && first.valid()) macs_from_nics_.emplace_back(*station, first);
  read_bond_choice(*bridge, fields);
  open_bonds_.push_back({entry.name, *bridge, *station});
}

// The first of them gives the bond its MAC.
StationId SiteReader::read_bond_nics(MachineId machine, BridgeId bridge, const Entry& entry,
                                     const Fields& fields) {
  StationId first;
  const std::vector<NodeId> nics = in_.list(fields["nics"], "nics", true);
  if (nics.empty())
    in_.wrong(entry.name, fmt::format("'{}' has no NICs: write `nics: [eth0, eth1]`", model()[bridge].name));
  for (const NodeId node : nics) {
    const auto name = in_.word(node, "the name of a NIC");
    if (!name) continue;
    const StationId nic = build_.find_station(machine, *name);
    if (!nic.valid() || *name == model()[bridge].name) {
      std::vector<std::string_view> known;
      for (const StationId id : model()[machine].stations) known.emplace_back(model()[id].name);
      std::erase(known, std::string_view(model()[bridge].name));
      in_.wrong(node,
                fmt::format("'{}' has no NIC '{}'{}", model()[machine].name, *name, in_.hint(*name, known)));
      continue;
    }
    const model::Station& station = model()[nic];
    if (station.vlan != 0 || station.next_on_port.valid() || model()[station.port].station != nic) {
      in_.wrong(node, fmt::format("'{}' is a VLAN, or has VLANs of its own; a bond takes whole NICs, and the "
                                  "VLANs go on top of it, as '{}.10'",
                                  *name, model()[bridge].name));
      continue;
    }
    if (!station.ip.address.is_zero() || !station.ip6.address.is_zero() || station.promiscuous) {
      in_.wrong(node, fmt::format("'{}' (line {}) is used by itself; in a bond only the bond has an address: "
                                  "move `ip` and `promiscuous` to '{}'",
                                  *name, station.line, model()[bridge].name));
      continue;
    }
    if (ok(node, build_.enslave(nic, bridge)) && !first.valid()) first = nic;
  }
  return first;
}

void SiteReader::read_bond_choice(BridgeId bridge, const Fields& fields) {
  const BondMode mode = model()[bridge].bond_mode;
  if (const NodeId node = fields["primary"]; node.valid()) {
    const auto name = in_.word(node, "the name of a NIC");
    const auto& ports = model()[bridge].ports;
    const auto port = std::ranges::find_if(ports, [&](PortId p) { return name && model()[p].name == *name; });
    if (!model::has_active(mode))
      in_.wrong(node, fmt::format("all NICs of a bond in mode {} are active; only active-backup, balance-tlb "
                                  "and balance-alb have a `primary`",
                                  to_text(mode)));
    else if (name && port == ports.end())
      in_.wrong(node, fmt::format("'{}' is no NIC of '{}'", *name, model()[bridge].name));
    else if (name)
      model()[bridge].primary = *port;
  }
  if (const NodeId node = fields["hash-policy"]; node.valid()) {
    constexpr model::HashPolicy kPolicies[] = {model::HashPolicy::kLayer2, model::HashPolicy::kLayer23,
                                               model::HashPolicy::kLayer34};
    if (!model::hashes(mode))
      in_.wrong(node, fmt::format("a bond in mode {} chooses by no hash; only balance-xor, 802.3ad, "
                                  "balance-tlb and balance-alb have a `hash-policy`",
                                  to_text(mode)));
    else if (const auto choice = in_.choice(node, "hash-policy", {"layer2", "layer2+3", "layer3+4"}))
      model()[bridge].hash_policy = kPolicies[*choice];
  }
}

// Once the machine's virtual switches have taken their uplinks: the bond's own side is on what is above it.
void SiteReader::close_bonds() {
  for (const auto& [name, bridge, station] : open_bonds_)
    ok(name, build_.attach(station, bridge, model::PortRole::kHost));
  open_bonds_.clear();
}

void SiteReader::give_bonds_their_macs() {
  for (const auto& [bond, nic] : macs_from_nics_) {
    const model::Mac placeholder = model()[bond].mac;
    // Its VLANs have it, too, as far as none is written.
    for (StationId s = model()[model()[bond].port].station; s.valid(); s = model()[s].next_on_port) {
      if (model()[s].mac != placeholder) continue;
      model()[s].mac = model()[nic].mac;
      model()[s].mac_origin = model()[nic].mac_origin;
      model()[s].drawn_bits = model()[nic].drawn_bits;
    }
  }
}

}  // namespace sekimori::importers
