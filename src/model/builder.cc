#include "model/builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/fingerprint.h"

namespace sekimori::model {

Result<NicName> parse_nic_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return NicName{name, 0};
  std::uint32_t vlan = 0;
  for (const char c : name.substr(dot + 1)) {
    if (c < '0' || c > '9') return NicName{name, 0};
    vlan = std::min(vlan * 10 + static_cast<std::uint32_t>(c - '0'), 100'000u);
  }
  if (vlan < 1 || vlan > 4094) {
    return base::fail(
        fmt::format("NIC '{}' names VLAN {}; a VLAN ID is 1 to 4094", name, name.substr(dot + 1)));
  }
  return NicName{name.substr(0, dot), static_cast<std::uint16_t>(vlan)};
}

namespace {

// A locally administered unicast address (IEEE 802c: 02 is in the AAI quadrant) that depends only on the
// name, so that adding a guest to a site does not change the others' addresses.
Mac mac_from_name(std::string_view machine, std::string_view nic, std::uint64_t attempt) {
  base::Fingerprint print;
  print.add(machine);
  print.add(nic);
  print.add(attempt);
  return Mac{(std::uint64_t{0x02} << 40) | (print.value() & 0xff'ffff'ffffu)};
}

VlanSet all_but(std::uint16_t untagged) {
  VlanSet all;
  all.set();
  all.reset(0).reset(4095).reset(untagged);
  return all;
}

// What is set at a port, as opposed to where it is.
void copy_settings(const Port& from, Port& to) {
  to.pvid = from.pvid;
  to.tagged_vlans = from.tagged_vlans;
  to.floods_unknown = from.floods_unknown;
  to.floods_broadcast = from.floods_broadcast;
  to.floods_multicast = from.floods_multicast;
  to.learning = from.learning;
  to.locked = from.locked;
  to.isolated = from.isolated;
  to.guard = from.guard;
  to.forged_transmits = from.forged_transmits;
  to.promiscuous = from.promiscuous;
  to.hairpin = from.hairpin;
  to.neigh_suppress = from.neigh_suppress;
  to.group_forward_mask = from.group_forward_mask;
  to.bpdu_guard = from.bpdu_guard;
  to.mac_limit = from.mac_limit;
  to.storm_control = from.storm_control;
}

}  // namespace

Link virtual_cable() {
  Link cable;
  cable.rate = base::gbit(10);
  cable.delay = base::microseconds(5);
  cable.queue_bytes = 1024 * 1024;
  cable.is_virtual = true;
  return cable;
}

Result<MachineId> Builder::add_machine(std::string name, MachineKind kind, MachineId host) {
  const auto id = static_cast<std::uint32_t>(model_.machines.size());
  const auto is_it = [&](std::uint32_t other) { return model_.machines[other].name == name; };
  if (find_bridge({}, name).valid() || !machines_.add(NameIndex::hash(0, name), id, is_it).second) {
    return base::fail(
        fmt::format("the name '{}' is used twice; hosts, guests, routers, switches and WANs share one "
                    "name space",
                    name));
  }
  Machine machine;
  machine.name = std::move(name);
  machine.kind = kind;
  machine.host = host;
  if (kind == MachineKind::kRouter) {
    // A router's entries live for hours and are then asked for anew by broadcast (Cisco IOS: `arp timeout
    // 14400`).
    machine.arp.timeout = base::seconds(14'400);
    machine.arp.confirm_by_progress = false;
    machine.arp.confirm_by_probe = false;
  }
  model_.machines.push_back(std::move(machine));
  return MachineId(id);
}

Result<BridgeId> Builder::add_bridge(std::string name, BridgeKind kind, MachineId machine) {
  const BridgeId id(model_.bridges.size());
  const auto is_it = [&](std::uint32_t other) {
    return model_.bridges[other].machine == machine && model_.bridges[other].name == name;
  };
  const bool taken = (!machine.valid() && find_machine(name).valid()) ||
                     !bridges_.add(NameIndex::hash(machine.value, name), id.value, is_it).second;
  if (taken) return base::fail(fmt::format("the name '{}' is used twice", name));
  Bridge bridge;
  bridge.name = std::move(name);
  bridge.kind = kind;
  bridge.machine = machine;
  bridge.vlan_aware = kind == BridgeKind::kSwitch || kind == BridgeKind::kOvs || kind == BridgeKind::kEsxi ||
                      kind == BridgeKind::kHyperV;
  // No bound (fdb_max_learned 0; VXLAN: no `maxaddress`).
  if (kind == BridgeKind::kLinuxBridge || kind == BridgeKind::kVtep) bridge.table_size = 0;
  bridge.snoops = kind == BridgeKind::kLinuxBridge;
  model_.bridges.push_back(std::move(bridge));
  if (machine.valid()) model_[machine].bridges.push_back(id);
  return id;
}

Result<StationId> Builder::add_station(MachineId machine, std::string name, std::optional<Mac> mac,
                                       MacOrigin origin) {
  const StationId id(model_.stations.size());
  const auto nic = parse_nic_name(name);
  if (!nic) return std::unexpected(nic.error());
  const auto is_it = [&](std::uint32_t other) {
    return model_.stations[other].machine == machine && model_.stations[other].name == name;
  };
  if (!stations_.add(NameIndex::hash(machine.value, name), id.value, is_it).second) {
    return base::fail(fmt::format("'{}' has two NICs named '{}'", model_[machine].name, name));
  }
  Station station;
  station.machine = machine;
  station.vlan = nic->vlan;
  station.mac = mac.value_or(Mac{});
  station.mac_origin = mac ? origin : MacOrigin::kAllocated;
  if (!mac) without_mac_.push_back(id);

  const auto is_port = [&](std::uint32_t port) {
    return model_.ports[port].name == nic->parent && model_[model_.ports[port].station].machine == machine;
  };
  const auto [port_index, is_new] = nic_ports_.add(NameIndex::hash(machine.value, nic->parent),
                                                   static_cast<std::uint32_t>(model_.ports.size()), is_port);
  station.port = PortId(port_index);
  if (is_new) {
    Port port;
    port.name = nic->parent;
    port.pvid = 0;
    port.station = id;
    model_.ports.push_back(std::move(port));
  } else {
    station.next_on_port = std::exchange(model_[station.port].station, id);
  }
  station.name = std::move(name);
  model_.stations.push_back(std::move(station));
  model_[machine].stations.push_back(id);
  return id;
}

PortId Builder::bridge_port(BridgeId bridge, std::string_view name, PortRole role) {
  const PortId next(model_.ports.size());
  if (!name.empty()) {
    const auto is_it = [&](std::uint32_t port) {
      return model_.ports[port].bridge == bridge && model_.ports[port].name == name;
    };
    const auto [port, is_new] = bridge_ports_.add(NameIndex::hash(bridge.value, name), next.value, is_it);
    if (!is_new) return PortId(port);
  }
  Port port;
  port.name = name;
  port.bridge = bridge;
  port.role = role;
  const BridgeKind kind = model_[bridge].kind;
  if (kind == BridgeKind::kEsxi || kind == BridgeKind::kHyperV) {
    // Port groups have VLANs; uplinks and the machine's own NICs carry all.
    if (role != PortRole::kGuest) port.tagged_vlans = intern(all_but(port.pvid));
    port.forged_transmits = false;
  }
  model_.ports.push_back(std::move(port));
  model_[bridge].ports.push_back(next);
  return next;
}

Result<PortId> Builder::enslave(StationId nic, BridgeId bridge) {
  const Station& station = model_[nic];
  if (wires_.contains(station.port)) {
    return base::fail(fmt::format("NIC {} is already the uplink of {}; a NIC belongs to one switch",
                                  name_of(model_, nic),
                                  name_of(model_, model_[wires_.at(station.port)].bridge)));
  }
  if (model_[station.port].link.valid()) {
    return base::fail(
        fmt::format("NIC {} is cabled already and cannot become an uplink", name_of(model_, nic)));
  }
  const PortId uplink = bridge_port(bridge, station.name, PortRole::kUplink);
  bool is_used = false;
  for (StationId id = model_[station.port].station; id.valid(); id = model_[id].next_on_port) {
    is_used |=
        model_[id].promiscuous || !model_[id].ip.address.is_zero() || !model_[id].ip6.address.is_zero();
  }
  if (is_used) {
    const auto host_port = attach(nic, bridge, PortRole::kHost);
    if (!host_port) return host_port;
  }
  wires_.emplace(station.port, uplink);
  return uplink;
}

Result<PortId> Builder::attach(StationId station, BridgeId bridge, PortRole role) {
  const PortId port = bridge_port(bridge, {}, role);
  Link cable = virtual_cable();
  cable.line = model_[station].line;
  const auto link = connect(wire_port(station), port, cable);
  if (!link) return std::unexpected(link.error());
  // The kernel keeps a bridge's own addresses as permanent local entries and never floods unknown unicast to
  // the bridge device (net/bridge/br_input.c, br_fdb.c).
  if (role == PortRole::kHost && model_[bridge].kind == BridgeKind::kLinuxBridge)
    model_[port].floods_unknown = false;
  return port;
}

PortId Builder::wire_port(StationId nic) const {
  const auto wire = wires_.find(model_[nic].port);
  return wire != wires_.end() ? wire->second : model_[nic].port;
}

Result<LinkId> Builder::connect(PortId a, PortId b, Link properties) {
  if (a == b) return base::fail(fmt::format("{} cannot be linked to itself", name_of(model_, a)));
  for (const PortId end : {a, b}) {
    if (model_[end].link.valid()) {
      return base::fail(fmt::format("port {} is used twice; it is already in the link {}",
                                    name_of(model_, end), name_of(model_, model_[end].link)));
    }
  }
  properties.a = a;
  properties.b = b;
  model_.links.push_back(properties);
  const LinkId id(model_.links.size() - 1);
  model_[a].link = model_[b].link = id;
  return id;
}

std::uint32_t Builder::intern(const VlanSet& set) {
  if (set.none()) return 0;
  const auto [entry, is_new] = vlan_set_index_.try_emplace(set, model_.vlan_sets.size());
  if (is_new) model_.vlan_sets.push_back(set);
  return entry->second;
}

std::uint32_t Builder::intern(const StormControl& limits) {
  const auto known = std::ranges::find(model_.storm_controls, limits);
  if (known != model_.storm_controls.end())
    return static_cast<std::uint32_t>(known - model_.storm_controls.begin());
  model_.storm_controls.push_back(limits);
  return static_cast<std::uint32_t>(model_.storm_controls.size() - 1);
}

Result<MachineId> Builder::clone(MachineId original, std::string name, BridgeId onto) {
  const Machine source = model_[original];
  if (source.kind != MachineKind::kGuest) {
    return base::fail(
        fmt::format("'{}' is a {}; only guests can be cloned", source.name, to_text(source.kind)));
  }
  const auto copy =
      add_machine(std::move(name), MachineKind::kGuest, onto.valid() ? model_[onto].machine : source.host);
  if (!copy) return copy;
  model_[*copy].running = false;
  model_[*copy].arp = source.arp;
  model_[*copy].nd = source.nd;
  model_[*copy].routes = source.routes;
  model_[*copy].routes6 = source.routes6;
  model_[*copy].clone_of = original;
  model_[*copy].image = source.image;
  for (const StationId id : source.stations) {
    const Station nic = model_[id];
    if (nic.mac_origin == MacOrigin::kAllocated && nic.mac.is_zero()) {
      // The clone brings the original's address along, so the original's must be known now.
      return base::fail(fmt::format("'{}' must have its MACs before it is cloned", source.name));
    }
    const auto twin = add_station(*copy, nic.name, nic.mac, MacOrigin::kCloned);
    if (!twin) return std::unexpected(twin.error());
    model_[*twin].ip = nic.ip;
    model_[*twin].ip6 = nic.ip6;
    const PortId far = peer(model_, wire_port(id));
    const BridgeId bridge = onto.valid() ? onto : far.valid() ? model_[far].bridge : BridgeId{};
    model_[*twin].promiscuous = nic.promiscuous;
    if (bridge.valid() && !model_[model_[*twin].port].link.valid()) {
      const auto port = attach(*twin, bridge, PortRole::kGuest);
      if (!port) return std::unexpected(port.error());
      if (far.valid()) copy_settings(model_[far], model_[*port]);
    }
  }
  return copy;
}

Result<std::vector<std::pair<StationId, PortId>>> Builder::prepare_move(MachineId guest, BridgeId onto,
                                                                        SourceLine line) {
  std::vector<std::pair<StationId, PortId>> moves;
  std::unordered_map<PortId, PortId> standby;  // of each port; VLANs of one NIC share it
  for (const StationId id : model_[guest].stations) {
    const PortId from = model_[id].port;
    const PortId far = peer(model_, from);
    if (wires_.contains(from)) {
      return base::fail(fmt::format("'{}' bridges its own NICs and cannot be moved", model_[guest].name));
    }
    if (!far.valid() || model_[far].role != PortRole::kGuest) continue;  // not on a switch of its host
    auto [entry, is_new] = standby.try_emplace(from, PortId(model_.ports.size()));
    if (is_new) {
      Port port;
      port.name = model_[from].name;
      port.pvid = 0;
      port.station = model_[from].station;
      model_.ports.push_back(std::move(port));
      const PortId to = bridge_port(onto, {}, PortRole::kGuest);
      copy_settings(model_[far], model_[to]);
      Link cable = virtual_cable();
      cable.up = false;
      cable.line = line;
      const auto link = connect(entry->second, to, cable);
      if (!link) return std::unexpected(link.error());
    }
    moves.emplace_back(id, entry->second);
  }
  return moves;
}

void Builder::allocate_macs() {
  NameIndex used;
  // The id of a station with that address; `self` if there was none.
  const auto owner = [&](Mac mac, StationId self) {
    const auto has_it = [&](std::uint32_t other) { return model_.stations[other].mac == mac; };
    return used.add(base::mix64(mac.bits), self.value, has_it).first;
  };
  for (std::size_t i = 0; i < model_.stations.size(); ++i) {
    if (!model_.stations[i].mac.is_zero()) owner(model_.stations[i].mac, StationId(i));
  }
  for (const StationId id : without_mac_) {
    Station& station = model_[id];
    // VLANs of one NIC share its address, as Linux's do.
    Mac mac;
    for (StationId other = model_[station.port].station; other.valid(); other = model_[other].next_on_port) {
      if (!model_[other].mac.is_zero()) mac = model_[other].mac;
    }
    const bool is_shared = !mac.is_zero();
    for (std::uint64_t attempt = 0; !is_shared; ++attempt) {
      mac = mac_from_name(model_[station.machine].name, station.name, attempt);
      if (owner(mac, id) == id.value) break;
    }
    station.mac = mac;
  }
  without_mac_.clear();
}

MachineId Builder::find_machine(std::string_view name) const {
  const auto is_it = [&](std::uint32_t id) { return model_.machines[id].name == name; };
  return MachineId(machines_.find(NameIndex::hash(0, name), is_it));
}

StationId Builder::find_station(MachineId machine, std::string_view name) const {
  const auto is_it = [&](std::uint32_t id) {
    return model_.stations[id].machine == machine && model_.stations[id].name == name;
  };
  return StationId(stations_.find(NameIndex::hash(machine.value, name), is_it));
}

BridgeId Builder::find_bridge(MachineId machine, std::string_view name) const {
  const auto is_it = [&](std::uint32_t id) {
    return model_.bridges[id].machine == machine && model_.bridges[id].name == name;
  };
  return BridgeId(bridges_.find(NameIndex::hash(machine.value, name), is_it));
}

void Builder::expect(std::size_t machines) {
  model_.machines.reserve(machines);
  model_.stations.reserve(machines);
  model_.ports.reserve(2 * machines);
  model_.links.reserve(machines);
  without_mac_.reserve(machines);
}

namespace {

// What Open vSwitch takes of ageing times and table sizes. What is outside of that it takes as the nearest
// (lib/mac-learning.c, normalize_idle_time, mac_learning_set_max_entries), and 0 as its default (vswitchd/
// bridge.c, bridge_configure_mac_table).
std::int64_t ovs_ageing(std::int64_t picoseconds) {
  const Duration ageing = picoseconds == 0 ? base::seconds(300) : Duration{picoseconds};
  return std::clamp(ageing, base::seconds(15), base::seconds(3600)).count();
}
std::int64_t ovs_table_size(std::int64_t entries) {
  return entries == 0 ? 8192 : std::clamp<std::int64_t>(entries, 10, 1'000'000);
}

void bound_as_ovs(Model& model) {
  for (Bridge& bridge : model.bridges) {
    if (bridge.kind != BridgeKind::kOvs) continue;
    const Duration ageing{ovs_ageing(bridge.ageing.count())};
    if (ageing != bridge.ageing) {
      model.notes.push_back(
          {Note::Kind::kAssumed,
           fmt::format("The ageing time of {} is taken as {}, as Open vSwitch does: it knows 15s "
                       "to 3600s",
                       bridge.name, base::to_text(ageing)),
           bridge.line});
    }
    const auto size = static_cast<std::uint32_t>(ovs_table_size(bridge.table_size));
    if (size != bridge.table_size) {
      model.notes.push_back(
          {Note::Kind::kAssumed,
           fmt::format("The table of {} is taken to hold {} entries, as Open vSwitch does: it "
                       "knows 10 to 1000000",
                       bridge.name, size),
           bridge.line});
    }
    bridge.ageing = ageing;
    bridge.table_size = size;
  }
  for (Change& change : model.changes) {
    auto* const set = std::get_if<SetBridge>(&change.what);
    if (set == nullptr || model[set->bridge].kind != BridgeKind::kOvs) continue;
    if (set->option == BridgeOption::kAgeing) set->value = ovs_ageing(set->value);
    if (set->option == BridgeOption::kTableSize) set->value = ovs_table_size(set->value);
  }
}

// A VLAN interface of a Linux bridge with an address of its own. The bridge has no entry for it and learns
// none from what its interface sends; its interface then hears everything (net/core/dev.c, __dev_set_rx_mode:
// a device that filters no addresses becomes promiscuous for them).
bool is_unknown_to_its_bridge(const Model& model, const Station& station) {
  if (station.vlan == 0) return false;
  for (StationId s = model[station.port].station; s.valid(); s = model[s].next_on_port) {
    if (model[s].vlan == 0) return model[s].mac != station.mac;
  }
  return false;
}

// A Linux bridge holds its own stack's address as a permanent entry, in each VLAN that its interface is a
// member of (net/bridge/br_vlan.c, __vlan_add).
void note_own_address(Model& model, BridgeId bridge, PortId port, const Station& station) {
  auto& entries = model[bridge].static_entries;
  const auto note = [&](std::size_t vlan) {
    const auto is_it = [&](const StaticEntry& e) {
      return e.vlan == vlan && e.mac == station.mac && e.port == port;
    };
    if (vlan != 0 && std::ranges::none_of(entries, is_it))
      entries.push_back({static_cast<std::uint16_t>(vlan), station.mac, port});
  };
  if (!model[bridge].vlan_aware) return note(station.vlan != 0 ? station.vlan : model[port].pvid);
  note(model[port].pvid);
  const VlanSet& tagged = model.vlan_sets[model[port].tagged_vlans];
  if (tagged.none()) return;
  for (std::size_t vlan = 1; vlan < tagged.size(); ++vlan) {
    if (tagged.test(vlan)) note(vlan);
  }
}

}  // namespace

Model Builder::finish() && {
  allocate_macs();
  bound_as_ovs(model_);
  put_vlan_devices_below();
  for (const Station& station : model_.stations) {
    const PortId far = peer(model_, station.port);
    if (!far.valid() || model_[far].role != PortRole::kHost) continue;
    const BridgeId bridge = model_[far].bridge;
    if (model_[bridge].kind != BridgeKind::kLinuxBridge) continue;
    if (is_unknown_to_its_bridge(model_, station)) {
      model_[far].learning = false;
      model_[far].floods_unknown = true;
    } else {
      note_own_address(model_, bridge, far, station);
    }
  }
  std::ranges::stable_sort(model_.changes, {}, &Change::at);
  for (const Port& port : model_.ports) SEKIMORI_ASSERT(port.bridge.valid() != port.station.valid());
  for (const Link& link : model_.links) {
    SEKIMORI_ASSERT(link.a.index() < model_.ports.size() && link.b.index() < model_.ports.size());
  }
  return std::move(model_);
}

}  // namespace sekimori::model
