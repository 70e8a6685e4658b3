// Bridges set up and changed: lanes numbered so that floods are sweeps, flood plans, links, options.
#include <algorithm>
#include <deque>
#include <tuple>

#include "base/assert.h"
#include "simulate/fabric.h"
#include "switching/lag.h"
#include "switching/suppression.h"
#include "switching/vlan.h"

namespace sekimori::simulate {

using model::BridgeId;
using model::PortId;

Fabric::Fabric(const model::Model& model, const Addresses& addresses, const Audience& audience, Wires& wires,
               Observer& observer, const std::vector<PortId>& captured)
    : model_(model), addresses_(addresses), audience_(audience), wires_(wires), observer_(observer) {
  ports_.resize(model.ports.size());
  for (std::uint32_t i = 0; i < ports_.size(); ++i) {
    const model::Port& port = model.ports[i];
    ports_[i].bridge = port.bridge.value;
    ports_[i].peer = model::peer(model, PortId(i)).value;
    ports_[i].tunnel = port.tunnel;
    ports_[i].policed = port.storm_control != 0 || port.mac_limit != 0;
  }
  plugs_.resize(ports_.size());
  note_lags();
  for (const model::Station& station : model.stations) station_port_.push_back(station.port.value);
  for (const model::Bridge& b : model.bridges) {
    bridges_.push_back({switching::registrar(b),
                        switching::family(b.kind),
                        b.vlan_aware,
                        b.learning,
                        !b.flow_rules.empty(),
                        switching::suppresses(model, b),
                        false,
                        b.ageing,
                        b.ageing,
                        b.table_size,
                        {},
                        {},
                        {},
                        {},
                        {}});
  }
  for (const model::Link& link : model.links) link_up_.push_back(link.up);
  for (const model::Machine& machine : model.machines) {
    if (machine.running) continue;
    for (const model::StationId station : machine.stations) {
      if (const model::LinkId link = model[model[station].port].link; link.valid())
        link_up_[link.index()] = false;
    }
  }
  captured_.assign(model.links.size(), false);
  for (const PortId port : captured) {
    if (model[port].link.valid()) captured_[model[port].link.index()] = true;
  }
  number_lanes();
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) note_registration(b);
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) {
    for (const model::StaticEntry& entry : model.bridges[b].static_entries) {
      const AddressIndex address = addresses.find(entry.mac);
      if (address == kNone) continue;  // no station has it, so it can never be used
      bridges_[b].fdb.set_static(bridges_[b].vlan_aware ? entry.vlan : 0, address, entry.port.value);
    }
  }
  settle_trees();
  note_bonds();
  note_snooping();
  note_beacons();
}

void Fabric::note_lags() {
  for (const model::Bridge& bridge : model_.bridges) {
    std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> groups;
    for (const PortId port : bridge.ports) {
      if (model_[port].lag != 0 && ports_[port.index()].peer != kNone)
        groups[model_[port].lag].push_back(port.value);
    }
    for (const auto& [number, members] : groups) {
      if (members.size() < 2) continue;
      for (const std::uint32_t member : members) {
        ports_[member].in_lag = true;
        lags_[member] = members;
      }
    }
  }
}

bool Fabric::any_member_up(std::uint32_t port) const {
  const auto up = [&](std::uint32_t p) { return wires_.lane(ports_[p].lane_out).up; };
  return ports_[port].in_lag ? std::ranges::any_of(lags_.at(port), up) : up(port);
}

// The member of the group that a conversation takes (switching/lag.h); the first when all are down.
std::uint32_t Fabric::member_for(std::uint32_t port, const Frame& frame) const {
  const auto& members = lags_.at(port);
  const auto up = [&](std::uint32_t p) { return wires_.lane(ports_[p].lane_out).up; };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(members, up));
  if (count == 0) return port;
  std::size_t chosen = switching::choose_member(addresses_.mac(frame.src), addresses_.mac(frame.dst), count);
  for (const std::uint32_t member : members) {
    if (up(member) && chosen-- == 0) return member;
  }
  return port;
}

void Fabric::number_lanes() {
  // A leaf is a port with one plain station at the other end; what passes is not recorded.
  for (std::uint32_t i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    if (port.bridge == kNone || port.peer == kNone) continue;
    if (ports_[port.peer].bridge != kNone) bridges_[port.bridge].trunks.push_back(i);
    const model::StationId station = model_.ports[port.peer].station;
    port.leaf = station.valid() && !model_[station].next_on_port.valid() && model_[station].vlan == 0 &&
                !model_[station].promiscuous && !captured_[model_.ports[i].link.index()];
  }
  lane_of_.assign(model_.links.size() * 2, kNone);
  const auto add = [&](std::uint32_t from) {
    const model::Link& link = model_[model_.ports[from].link];
    const std::int64_t bits = link.rate.bits_per_second;
    Lane lane;
    lane.ps_per_byte = 8'000'000'000'000 % bits == 0 ? 8'000'000'000'000 / bits : 0;
    lane.bits_per_second = bits;
    lane.delay = link.delay;
    lane.queue = base::transmission_time(link.queue_bytes, link.rate);
    lane.to_port = ports_[from].peer;
    lane.up = link_up_[model_.ports[from].link.index()];
    lane.captured = captured_[model_.ports[from].link.index()];
    ports_[from].lane_out = static_cast<LaneIndex>(wires_.lanes());
    lane_of_[lane_index(model_.ports[from].link, link.a.value == from)] = ports_[from].lane_out;
    wires_.add_lane(lane);
  };
  // First the leaves of each bridge, alike ones side by side; then everything else.
  std::vector<std::uint32_t> leaves;
  for (const model::Bridge& bridge : model_.bridges) {
    leaves.clear();
    for (const PortId port : bridge.ports) {
      if (ports_[port.index()].leaf) leaves.push_back(port.value);
    }
    const auto likeness = [&](std::uint32_t port) {
      const model::Link& link = model_[model_.ports[port].link];
      return std::tuple(model_.ports[port].pvid, link.rate, link.delay, link.queue_bytes);
    };
    std::ranges::stable_sort(leaves, [&](auto a, auto b) { return likeness(a) < likeness(b); });
    for (const std::uint32_t port : leaves) add(port);
  }
  for (std::uint32_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].lane_out == kNone && ports_[i].peer != kNone) add(i);
  }
}

bool Fabric::groupable(std::uint32_t index) const {
  const Port& port = ports_[index];
  const model::Port& settings = model_.ports[index];
  return port.leaf && !port.blocked && wires_.lane(port.lane_out).up && settings.floods_unknown &&
         settings.floods_broadcast && settings.floods_multicast && !settings.neigh_suppress &&
         !settings.isolated && !settings.guard && !settings.hairpin && !port.in_lag &&
         settings.tagged_vlans == 0;
}

Fabric::FloodPlan& Fabric::plan(Bridge& bridge, std::uint32_t index, std::uint16_t vlan) {
  for (FloodPlan& plan : bridge.plans) {
    if (plan.vlan == vlan) return plan;
  }
  FloodPlan plan{vlan, {}, {}};
  std::vector<std::uint32_t> leaves;
  for (const PortId id : model_.bridges[index].ports) {
    const std::uint32_t port = id.value;
    if (ports_[port].lane_out == kNone || ports_[port].blocked || logical(port) != port ||
        !any_member_up(port))
      continue;
    if (!model::carries(model_, id, vlan)) continue;
    (groupable(port) ? leaves : plan.ports).push_back(port);
  }
  // Runs of neighbouring, alike lanes become groups.
  const auto alike = [&](LaneIndex a, LaneIndex b) {
    const Lane &x = wires_.lane(a), &y = wires_.lane(b);
    return a + 1 == b && x.bits_per_second == y.bits_per_second && x.queue == y.queue;
  };
  std::ranges::sort(leaves, {}, [&](std::uint32_t port) { return ports_[port].lane_out; });
  for (std::size_t first = 0; first < leaves.size();) {
    std::size_t end = first + 1;
    while (end < leaves.size() && alike(ports_[leaves[end - 1]].lane_out, ports_[leaves[end]].lane_out))
      ++end;
    plan.groups.push_back(
        wires_.add_group(ports_[leaves[first]].lane_out, static_cast<std::uint32_t>(end - first)));
    first = end;
  }
  bridge.plans.push_back(std::move(plan));
  return bridge.plans.back();
}

void Fabric::forget_plans(std::uint32_t index) {
  for (const FloodPlan& plan : bridges_[index].plans) {
    for (const std::uint32_t group : plan.groups) wires_.dissolve(group);
  }
  bridges_[index].plans.clear();
}

void Fabric::set_link(model::LinkId link, bool up) {
  if (link_up_[link.index()] == up || (up && !shut_.empty() && shut_[link.index()])) return;
  // The teams at its ends may choose anew.
  std::vector<std::pair<std::uint32_t, NicsAt>> teams;
  for (const PortId end : {model_[link].a, model_[link].b}) {
    const std::uint32_t bridge = ports_[end.index()].bridge;
    if (bridge != kNone && bridges_[bridge].uplinks.size() > 1 &&
        model_[end].role == model::PortRole::kUplink && model_.bridges[bridge].notify_switches)
      teams.emplace_back(bridge, nics_at_uplinks(bridge));
  }
  link_up_[link.index()] = up;
  forget_ways();
  for (const bool from_a : {true, false}) {
    const LaneIndex lane = lane_of(link, from_a);
    wires_.lane(lane).up = up;
    if (!up) wires_.cut(lane);
  }
  for (const PortId end : {model_[link].a, model_[link].b}) {
    if (const auto play = beacons_.find(ports_[end.index()].bridge); play != beacons_.end())
      play->second.beacons.set_carrier(end, up);
  }
  for (const PortId end : {model_[link].a, model_[link].b}) {
    const std::uint32_t bridge = ports_[end.index()].bridge;
    if (bridge == kNone) continue;
    forget_plans(bridge);
    // Addresses learnt on a port go with its carrier (Linux: br_fdb_delete_by_port).
    if (!up && !(ports_[end.index()].in_lag && any_member_up(end.value)))
      bridges_[bridge].fdb.flush_port(logical(end.value));
    if (!up && bridges_[bridge].snoops) snooping_.at(bridge).state.forget_port(logical(end.value));
  }
  for (const auto& [bridge, before] : teams) notify_switches(bridge, before);
  for (const PortId end : {model_[link].a, model_[link].b}) {
    if (bonds_.contains(ports_[end.index()].bridge)) set_bond_link(end.value, up);
  }
  if (trees_.empty()) return;
  set_tree_port(model_[link].a.value);
  set_tree_port(model_[link].b.value);
}

void Fabric::forget_ways() {
  towards_.clear();
  towards_member_.clear();
  for (auto& [key, state] : flood_states_) state.towards = kUnknown;
}

void Fabric::move_station(std::uint32_t station, std::uint32_t port) {
  station_port_[station] = port;
  forget_ways();
}

void Fabric::set_option(BridgeId id, model::BridgeOption option, std::int64_t value) {
  Bridge& bridge = bridges_[id.index()];
  switch (option) {
    case model::BridgeOption::kAgeing:
      bridge.ageing = bridge.configured_ageing = Duration{value};
      break;
    case model::BridgeOption::kLearning:
      bridge.learns = value != 0;
      break;
    case model::BridgeOption::kTableSize:
      bridge.table_size = static_cast<std::uint32_t>(value);
      break;
    case model::BridgeOption::kFiltersLocal:
      bridge.registrar.filters_local = value != 0;
      break;
    case model::BridgeOption::kStp:
      set_tree(id.value, value != 0);
      break;
  }
}

namespace {
std::uint64_t node_of(std::uint32_t bridge, std::uint16_t vlan) { return std::uint64_t{bridge} << 16 | vlan; }
}  // namespace

// From the stations outwards over everything that is up, VLAN by VLAN. A bridge that knows no VLANs hands
// tags on.
void Fabric::find_ways(const std::vector<std::uint32_t>& stations, Ways& ways) {
  std::deque<std::uint64_t> open;
  const auto reach = [&](std::uint32_t port, std::uint16_t tag) {
    const Port& p = ports_[port];
    if (p.bridge == kNone || p.blocked) return;
    const auto v = bridges_[p.bridge].vlan_aware ? classify(port, tag) : tag;
    if (v && ways.try_emplace(node_of(p.bridge, *v), logical(port)).second)
      open.push_back(node_of(p.bridge, *v));
  };
  for (const std::uint32_t station : stations) {
    if (!mute_.empty() && mute_[station]) continue;
    const std::uint32_t at = attachment(station);
    if (at != kNone && wires_.lane(ports_[at].lane_out).up) reach(at, model_.stations[station].vlan);
  }
  while (!open.empty()) {
    const auto b = static_cast<std::uint32_t>(open.front() >> 16);
    const auto v = static_cast<std::uint16_t>(open.front());
    open.pop_front();
    for (const std::uint32_t port : bridges_[b].trunks) {
      const Port& p = ports_[port];
      if (p.blocked || !wires_.lane(p.lane_out).up) continue;
      std::uint16_t tag = v;
      if (bridges_[b].vlan_aware) {
        const model::Port& settings = model_.ports[port];
        const auto out = switching::egress_tag(settings, model_.vlan_sets[settings.tagged_vlans], v);
        if (!out) continue;
        tag = *out;
      }
      reach(p.peer, tag);
    }
  }
}

std::uint32_t Fabric::towards(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address) {
  const auto [entry, is_new] = towards_.try_emplace(address);
  if (is_new) find_ways(addresses_.stations_with(address), entry->second);
  const auto way = entry->second.find(node_of(bridge, vlan));
  return way == entry->second.end() ? kNone : way->second;
}

bool Fabric::leads_to_a_member(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address,
                               std::uint32_t port) {
  return std::ranges::any_of(addresses_.stations_with(address), [&](std::uint32_t station) {
    const Ways& ways = ways_to(station);
    const auto way = ways.find(node_of(bridge, vlan));
    return way != ways.end() && way->second == port;
  });
}

const Fabric::Ways& Fabric::ways_to(std::uint32_t station) {
  const auto [entry, is_new] = towards_member_.try_emplace(station);
  if (is_new) find_ways({station}, entry->second);
  return entry->second;
}

bool Fabric::reaches(std::uint32_t from, std::uint32_t to) {
  const std::uint32_t at = attachment(from);
  if (at == kNone || ports_[at].bridge == kNone) return has_carrier(to);
  const std::uint16_t tag = model_.stations[from].vlan;
  const auto vlan = bridges_[ports_[at].bridge].vlan_aware ? classify(at, tag) : tag;
  return vlan && ways_to(to).contains(node_of(ports_[at].bridge, *vlan));
}

std::vector<TableEntry> Fabric::tables() const {
  std::vector<TableEntry> entries;
  for (std::size_t b = 0; b < bridges_.size(); ++b) {
    for (const auto& slot : bridges_[b].fdb.entries()) {
      const Duration unheard = slot.is_static ? Duration{0} : wires_.now() - slot.seen;
      if (slot.key == 0 || (!slot.is_static && unheard >= bridges_[b].ageing)) continue;
      entries.push_back({BridgeId(b), addresses_.mac(switching::Fdb::address_of(slot)),
                         switching::Fdb::vlan_of(slot), PortId(slot.port), unheard, slot.is_static});
    }
  }
  return entries;
}

Time Fabric::last_heard(BridgeId bridge, std::uint16_t vlan, wire::Mac mac) const {
  const auto* slot = bridges_[bridge.index()].fdb.find(vlan, addresses_.find(mac));
  return slot == nullptr || slot->is_static ? Time{-1} : switching::Fdb::heard(*slot);
}

}  // namespace sekimori::simulate
