// Who is cabled to whom. In the order of certainty: indexes of veth pairs, LLDP, tables of switches that
// learnt one machine alone behind a port. What remains is joined by a switch that stands for the unknown:
// NICs of one subnet, or that saw one another's addresses, are taken for one segment.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "importers/merge.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::MachineKind;

namespace {

// Disjoint sets of numbers.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  // The lowest number stands for a set, so that the order of the sources decides nothing else.
  void join(std::size_t a, std::size_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

// ---------------------------------------------------------------- names for things

void Merge::index_macs() {
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    for (std::size_t n = 0; n < at(m).nics.size(); ++n) {
      const auto mac = at(m).nics[n].mac;
      const End bond = whole({m, n});
      // The bond has the address of one of its NICs in most modes.
      const bool is_the_bonds = bond != End{m, n} && at(m).nics[bond.nic].mac == mac;
      if (mac && !is_the_bonds) by_mac_.emplace(*mac, End{m, n});
    }
    for (const DraftSwitch& bridge : at(m).switches) {
      const End out = bridge.mac ? way_out(m, bridge) : End{};
      if (out.valid() && at(m).nics[out.nic].mac != bridge.mac) by_mac_.emplace(*bridge.mac, out);
    }
  }
}

Merge::End Merge::end_of(std::size_t machine, std::string_view nic) const {
  const auto& nics = at(machine).nics;
  const auto found = std::ranges::find(nics, nic, &DraftNic::name);
  if (found == nics.end()) return {};
  return {machine, static_cast<std::size_t>(found - nics.begin())};
}

const DraftSwitch* Merge::switch_of(std::size_t machine, std::string_view name) const {
  const auto& switches = at(machine).switches;
  constexpr std::size_t kMany = 16;
  if (switches.size() < kMany) {
    const auto found = std::ranges::find(switches, name, &DraftSwitch::name);
    return found == switches.end() ? nullptr : &*found;
  }
  SwitchIndex& index = switches_by_name_[machine];
  while (index.names.size() < switches.size()) {
    const std::string& next = index.names.emplace_back(switches[index.names.size()].name);
    index.by_name.try_emplace(next, index.names.size() - 1);
  }
  const auto found = index.by_name.find(name);
  return found == index.by_name.end() ? nullptr : &switches[found->second];
}

// Equal keys stand beside each other, so two are enough to look at.
std::optional<Merge::End> Merge::only_one_with(Mac mac) const {
  const auto first = by_mac_.find(mac);
  if (first == by_mac_.end()) return std::nullopt;
  const auto second = std::next(first);
  if (second != by_mac_.end() && second->first == mac) return std::nullopt;
  return first->second;
}

Merge::End Merge::wire_of(End station) const {
  const DraftMachine& machine = at(station.machine);
  // eth0.10 goes out of eth0.
  const std::string& name = machine.nics[station.nic].name;
  const End parent = end_of(station.machine, std::string_view(name).substr(0, name.rfind('.')));
  const End nic = parent.valid() ? parent : station;
  if (machine.kind != MachineKind::kGuest) return nic;
  const DraftSwitch* on = switch_of(machine.host, machine.nics[cable_ends(nic).front().nic].on);
  if (on == nullptr) return {};
  return on->uplinks.size() > 1 ? End{} : way_out(machine.host, *on);
}

// The first of its uplinks, or that of the switch between it and the NIC.
Merge::End Merge::way_out(std::size_t machine, const DraftSwitch& bridge) const {
  if (!bridge.uplinks.empty()) return end_of(machine, bridge.uplinks.front());
  const std::string between = "to-" + bridge.name;
  for (const DraftSwitch& s : at(machine).switches) {
    if (!s.uplinks.empty() && std::ranges::find(s.ports, between, &DraftPort::name) != s.ports.end())
      return end_of(machine, s.uplinks.front());
  }
  return {};
}

std::size_t Merge::gear_named(const std::string& name, std::string_view comment) {
  const auto known = gear_by_name_.find(name);
  if (known != gear_by_name_.end()) return known->second;
  DraftSwitch gear;
  gear.name = unique_name(name);
  gear.comment = comment;
  draft_.gear.push_back(std::move(gear));
  gear_by_name_.emplace(name, draft_.gear.size() - 1);
  return draft_.gear.size() - 1;
}

std::size_t Merge::lan(std::string_view name, std::string_view comment) {
  DraftSwitch gear;
  gear.name = unique_name(name);
  gear.comment = comment;
  draft_.gear.push_back(std::move(gear));
  return draft_.gear.size() - 1;
}

// Whether tagged frames leave by this NIC: its own VLANs, a trunk of a bridge, port groups.
bool Merge::sends_tags(End wire) const {
  const DraftMachine& machine = at(wire.machine);
  const std::string& name = machine.nics[wire.nic].name;
  const auto is_vlan_of_it = [&](const DraftNic& nic) {
    return nic.name.size() > name.size() && nic.name.starts_with(name) && nic.name[name.size()] == '.';
  };
  if (std::ranges::any_of(machine.nics, is_vlan_of_it)) return true;
  for (const DraftSwitch& bridge : machine.switches) {
    if (std::ranges::find(bridge.uplinks, name) == bridge.uplinks.end()) continue;
    const auto port = std::ranges::find(bridge.ports, name, &DraftPort::name);
    if (port != bridge.ports.end() && !port->vlans.tagged.empty()) return true;
    if (bridge.kind != "esxi" && bridge.kind != "hyperv") return false;
    return std::ranges::any_of(machine.guests, [&](std::size_t guest) {
      return std::ranges::any_of(
          at(guest).nics, [&](const DraftNic& nic) { return nic.on == bridge.name && nic.port.vlans.any(); });
    });
  }
  return false;
}

void Merge::connect(End a, const Socket& to, std::string comment) {
  if (bond_at(a) != nullptr) return connect_bond(a, to, comment);
  cabled_.emplace(a, to);
  sockets_.emplace(to, a);
  draft_.links.push_back(
      {end_name(a), fmt::format("{}:{}", draft_.gear[to.gear].name, to.port), std::move(comment)});
}

// ---------------------------------------------------------------- cables that something tells

// Which ports of hosts' bridges have learnt an address.
std::unordered_map<Mac, std::set<Merge::End>> Merge::heard_at_ports() const {
  std::unordered_map<Mac, std::set<End>> heard;
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr || facts->kind != MachineKind::kHost) continue;
    for (const SwitchFacts& bridge : facts->switches) {
      for (const FdbFacts& entry : bridge.fdb) {
        const End port = end_of(m, clean_name(entry.port, ""));
        if (port.valid()) heard[entry.mac].insert(port);
      }
    }
  }
  return heard;
}

// Both ends of a veth know the other's interface index. Indexes repeat from namespace to namespace; of
// several that fit, the port is taken that has heard this machine and nobody else. What is joined fits nobody
// else any more, so this goes round until nothing changes.
void Merge::join_veths() {
  constexpr std::size_t kMostAlike = 256;  // ends with the same two indexes; each is held against each
  using Indexes = std::pair<std::uint32_t, std::uint32_t>;
  std::map<Indexes, std::set<End>> ends;
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr || facts->kind != MachineKind::kHost) continue;
    for (const NicFacts& nic : facts->nics) {
      const End end = end_of(m, clean_name(nic.name, "nic"));
      if (nic.index != 0 && end.valid()) ends[{nic.index, nic.peer_index}].insert(end);
    }
  }
  if (ends.empty()) return;
  // By a port that heard it: the wire ends of stations behind which it may lie.
  std::map<End, std::set<End>> hears;
  for (const auto& [mac, ports] : heard_at_ports()) {
    if (const auto owner = only_one_with(mac)) {
      for (const End port : ports) hears[port].insert(whole(wire_of(*owner)));
    }
  }
  const auto hears_only = [&](End port, End station) {
    const auto heard = hears.find(whole(port));
    return heard != hears.end() && heard->second.size() == 1 && heard->second.contains(whole(station));
  };
  const auto fits = [&](End one, End other, bool by_table) {
    return one.machine != other.machine && (!by_table || hears_only(one, other) || hears_only(other, one));
  };
  const auto join = [&](End a, End b, const Indexes& indexes) {
    if (b < a) std::swap(a, b);
    ends[indexes].erase(a);
    ends[indexes].erase(b);
    ends[{indexes.second, indexes.first}].erase(a);
    ends[{indexes.second, indexes.first}].erase(b);
    cabled_directly_.insert({a, b});
    draft_.links.push_back({end_name(a), end_name(b),
                            fmt::format("the ends of a veth, {} and {}", indexes.first, indexes.second)});
  };
  std::vector<Indexes> order;
  for (const auto& [indexes, here] : ends) order.push_back(indexes);
  for (bool by_table : {false, true, false}) {
    for (bool changed = true; changed;) {
      changed = false;
      for (const Indexes& indexes : order) {
        const std::vector<End> here(ends[indexes].begin(), ends[indexes].end());
        if (here.size() > kMostAlike) continue;
        for (const End a : here) {
          if (cabled_directly_.contains(a)) continue;
          std::vector<End> candidates;
          for (const End b : ends[{indexes.second, indexes.first}]) {
            if (a != b && fits(a, b, by_table)) candidates.push_back(b);
          }
          // Without a table the choice has to be the only one from the other side, too.
          if (candidates.size() != 1) continue;
          const auto rivals = std::ranges::count_if(ends[indexes], [&](End other) {
            return other != candidates.front() && fits(other, candidates.front(), by_table);
          });
          if (rivals != 1) continue;
          join(a, candidates.front(), indexes);
          changed = true;
        }
      }
    }
  }
}

// The machine that an LLDP neighbour is, by its name or by an address of its.
std::size_t Merge::machine_of_device(const CableFacts& cable, bool far) const {
  const auto named = hosts_by_name_.find(far ? cable.far_device : cable.device);
  if (!far && cable.device.empty()) return host_of_group(cable.group);
  if (!far) return named == hosts_by_name_.end() ? kNone : named->second;
  // An address says more than a name: whole racks call themselves "localhost".
  std::set<std::size_t> machines;
  for (const auto& mac : {cable.far_device_mac, cable.far_port_mac}) {
    if (!mac) continue;
    for (auto [at, end] = by_mac_.equal_range(*mac); at != end; ++at) machines.insert(at->second.machine);
  }
  if (machines.size() == 1) return *machines.begin();
  return named == hosts_by_name_.end() ? kNone : named->second;
}

void Merge::read_lldp() {
  for (const GearFacts& gear : facts_.gear) {
    if (hosts_by_name_.contains(gear.name)) continue;
    GearFacts& known = gear_facts_[gear_named(gear.name, facts_.text(gear.place))];
    known.fdb.insert(known.fdb.end(), gear.fdb.begin(), gear.fdb.end());
  }
  for (const CableFacts& cable : facts_.cables) {
    const std::string told = facts_.text(cable.place);
    std::vector<End> ends;
    std::vector<Socket> sockets;
    if (cable.device.empty() && machine_of_device(cable, false) == kNone) {
      facts_.leave_out(cable.place, "LLDP neighbours of a machine of which nothing else was exported");
      continue;
    }
    for (const bool far : {false, true}) {
      const std::string& device = far ? cable.far_device : cable.device;
      const std::string& port = far ? cable.far_port : cable.port;
      const std::size_t machine = machine_of_device(cable, far);
      if (machine == kNone) {
        sockets.push_back({gear_named(device, "named in " + told), clean_name(port, "port")});
        continue;
      }
      End end = end_of(machine, clean_name(port, ""));
      if (end.valid()) end = wire_of(end);  // a cable is the NIC's, not a VLAN's
      if (!end.valid() && far && cable.far_port_mac) {
        for (auto [it, stop] = by_mac_.equal_range(*cable.far_port_mac); it != stop; ++it) {
          if (it->second.machine == machine) end = it->second;
        }
      }
      if (end.valid()) {
        ends.push_back(end);
      } else {
        facts_.leave_out(cable.place,
                         fmt::format("a cable of {}, which has no NIC '{}'", at(machine).name, port));
      }
    }
    const auto is_used = [&](End e) { return is_cabled(e); };
    if (ends.size() + sockets.size() != 2 || std::ranges::any_of(ends, is_used) ||
        std::ranges::any_of(sockets, [&](const Socket& s) { return sockets_.contains(s); }))
      continue;  // told by the other end, or more neighbours than one: a hub or a switch that relays LLDP
    if (ends.size() == 1) {
      connect(ends.front(), sockets.front(), told);
    } else if (ends.size() == 2) {
      if (ends[0] == ends[1]) continue;
      cabled_directly_.insert(ends.begin(), ends.end());
      draft_.links.push_back({end_name(ends[0]), end_name(ends[1]), told});
    } else {
      if (sockets[0] == sockets[1]) continue;
      for (const Socket& socket : sockets) sockets_.emplace(socket, End{});
      draft_.links.push_back({fmt::format("{}:{}", draft_.gear[sockets[0].gear].name, sockets[0].port),
                              fmt::format("{}:{}", draft_.gear[sockets[1].gear].name, sockets[1].port),
                              told});
    }
  }
}

// ---------------------------------------------------------------- cables that tables prove

// Behind a port of a switch where only one machine was learnt, that machine is plugged in. Where two switches
// have learnt disjoint halves of all machines behind a port each, these ports are joined.
void Merge::read_tables() {
  std::map<Socket, std::set<End>> seen;
  for (const auto& [gear, facts] : gear_facts_) {
    for (const FdbFacts& entry : facts.fdb) {
      const Socket socket{gear, clean_name(entry.port, "port")};
      if (sockets_.contains(socket)) continue;
      const auto owner = only_one_with(entry.mac);
      if (!owner) continue;  // unknown, or of two: proves no place
      const End wire = wire_of(*owner);
      if (wire.valid()) seen[socket].insert(wire);
    }
  }
  for (const auto& [socket, ends] : seen) {
    const End end = *ends.begin();
    if (ends.size() != 1 || is_cabled(end)) continue;
    connect(end, socket, "alone in the table there");
  }
  for (auto a = seen.begin(); a != seen.end(); ++a) {
    if (sockets_.contains(a->first)) continue;
    for (auto b = std::next(a); b != seen.end(); ++b) {
      if (a->first.gear == b->first.gear || sockets_.contains(a->first) || sockets_.contains(b->first))
        continue;
      const auto leads_to = [&](const std::set<End>& ends, std::size_t gear) {
        return std::ranges::any_of(ends, [&](End wire) {
          return std::ranges::any_of(
              cable_ends(wire), [&](End e) { return cabled_.contains(e) && cabled_.at(e).gear == gear; });
        });
      };
      std::vector<End> both;
      std::ranges::set_intersection(a->second, b->second, std::back_inserter(both));
      if (!both.empty() || !leads_to(a->second, b->first.gear) || !leads_to(b->second, a->first.gear))
        continue;
      sockets_.emplace(a->first, End{});
      sockets_.emplace(b->first, End{});
      draft_.links.push_back({fmt::format("{}:{}", draft_.gear[a->first.gear].name, a->first.port),
                              fmt::format("{}:{}", draft_.gear[b->first.gear].name, b->first.port),
                              "each has learnt what is behind the other"});
      break;
    }
  }
}

// ---------------------------------------------------------------- what nothing tells

// Numbers of the subnets that are on a wire untagged: those of the NIC, of the bridge above it and its
// guests.
std::vector<std::size_t> Merge::subnets_of(End wire) const {
  std::vector<std::size_t> subnets;
  const auto add = [&](const std::optional<Ipv4Prefix>& ip) {
    if (ip && ip->length < 32)
      subnets.push_back(std::size_t{ip->network().bits} << 6 | static_cast<std::size_t>(ip->length));
  };
  const DraftMachine& machine = at(wire.machine);
  add(machine.nics[wire.nic].ip);
  for (const DraftSwitch& bridge : machine.switches) {
    if (std::ranges::find(bridge.uplinks, machine.nics[wire.nic].name) == bridge.uplinks.end() ||
        bridge.vlan_aware)
      continue;
    add(bridge.ip);
    for (const std::size_t guest : machine.guests) {
      for (const DraftNic& nic : at(guest).nics) {
        if (nic.on == bridge.name) add(nic.ip);
      }
    }
  }
  return subnets;
}

void Merge::join_lans() {
  // The wires that matter: those that carry something.
  std::vector<End> wires;
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    if (at(m).kind == MachineKind::kGuest) continue;
    for (std::size_t n = 0; n < at(m).nics.size(); ++n) {
      const DraftNic& nic = at(m).nics[n];
      if (wire_of({m, n}) != End{m, n} || bond_of({m, n}) != nullptr) continue;
      const bool is_uplink = std::ranges::any_of(at(m).switches, [&](const DraftSwitch& s) {
        return std::ranges::find(s.uplinks, nic.name) != s.uplinks.end();
      });
      const bool has_vlans = std::ranges::any_of(
          at(m).nics, [&](const DraftNic& v) { return v.name.starts_with(nic.name + "."); });
      const bool carries = nic.ip || is_uplink || has_vlans;
      if (is_cabled({m, n}) || (!nic.is_down && carries)) wires.push_back({m, n});
    }
  }
  std::map<End, std::size_t> number;
  for (std::size_t i = 0; i < wires.size(); ++i) {
    number.emplace(wires[i], i);
    for (const End end : cable_ends(wires[i])) number.emplace(end, i);
  }
  const std::size_t first_gear = wires.size();
  Sets sets(first_gear + draft_.gear.size());
  const auto join = [&](End a, End b) {
    if (number.contains(a) && number.contains(b)) sets.join(number[a], number[b]);
  };

  for (const auto& [end, socket] : cabled_) {
    if (number.contains(end)) sets.join(number[end], first_gear + socket.gear);
  }
  std::unordered_map<std::string_view, std::size_t> gear_nodes;
  for (std::size_t g = 0; g < draft_.gear.size(); ++g)
    gear_nodes.emplace(draft_.gear[g].name, first_gear + g);
  for (const auto& link : draft_.links) {  // gear to gear, NIC to NIC
    const auto node = [&](std::string_view name) {
      const auto found = gear_nodes.find(name.substr(0, name.find(':')));
      return found == gear_nodes.end() ? kNone : found->second;
    };
    const std::size_t a = node(link.a), b = node(link.b);
    if (a != kNone && b != kNone) sets.join(a, b);
  }
  std::map<std::string, End> by_name;
  for (const End end : cabled_directly_) by_name.emplace(end_name(end), end);
  for (const auto& link : draft_.links) {
    if (by_name.contains(link.a) && by_name.contains(link.b)) join(by_name[link.a], by_name[link.b]);
  }

  std::map<std::size_t, End> by_subnet;
  for (const End wire : wires) {
    for (const std::size_t subnet : subnets_of(wire)) {
      const auto [first, is_new] = by_subnet.emplace(subnet, wire);
      if (!is_new) join(first->second, wire);
    }
    for (const DraftSwitch& bridge : at(wire.machine).switches) {
      if (std::ranges::find(bridge.uplinks, at(wire.machine).nics[wire.nic].name) == bridge.uplinks.end())
        continue;
      for (const std::string& uplink : bridge.uplinks) join(wire, end_of(wire.machine, uplink));
    }
  }
  // Who has learnt whom is in one segment with them.
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr) continue;
    const auto hears = [&](std::string_view nic, Mac mac) {
      if (const auto owner = only_one_with(mac)) join(end_of(m, clean_name(nic, "")), wire_of(*owner));
    };
    for (const SwitchFacts& bridge : facts->switches) {
      for (const FdbFacts& entry : bridge.fdb) hears(entry.port, entry.mac);
    }
    for (const NeighbourFacts& neighbour : facts->neighbours) hears(neighbour.nic, neighbour.mac);
  }

  std::map<std::size_t, std::size_t> gear_of;  // by set
  for (std::size_t g = 0; g < draft_.gear.size(); ++g) gear_of.try_emplace(sets.find(first_gear + g), g);
  std::map<std::size_t, std::vector<End>> open;
  for (const End wire : wires) {
    for (const End end : open_ends(wire)) open[sets.find(number[wire])].push_back(end);
  }
  for (const auto& [set, ends] : open) {
    const bool is_known = gear_of.contains(set);
    if (!is_known) {
      std::vector<std::size_t> subnets;
      for (const End end : ends) std::ranges::copy(subnets_of(whole(end)), std::back_inserter(subnets));
      std::string name = "lan-" + end_name(whole(ends.front()));
      std::ranges::replace(name, ':', '-');
      if (!subnets.empty()) {
        const std::size_t lowest = std::ranges::min(subnets);
        const Ipv4Prefix subnet{{static_cast<std::uint32_t>(lowest >> 6)}, static_cast<int>(lowest & 63)};
        name = fmt::format("lan-{}-{}", wire::to_text(subnet.network()), subnet.length);
      }
      gear_of[set] = lan(name, "assumed: stands for whatever joins these");
    }
    const std::size_t gear = gear_of[set];
    unsigned port = 0;
    std::vector<std::string> names;
    for (const End end : ends) {
      if (connect_apart(end)) continue;
      names.push_back(end_name(end));
      Socket socket{gear, {}};
      do socket.port = is_known ? fmt::format("assumed-{}", ++port) : fmt::format("{}", ++port);
      while (sockets_.contains(socket));
      if (sends_tags(whole(end)))  // whatever is there, it was set up for them
        port_of_gear(socket).vlans.tagged.emplace_back(std::uint16_t{1}, std::uint16_t{4094});
      connect(end, socket, "assumed");
    }
    if (names.empty()) continue;
    assume(fmt::format("The far end of the cable of {} is not told: {} {}.", base::list_words(names),
                       draft_.gear[gear].name,
                       is_known ? "is assumed, as the same segment is there"
                                : "stands for it, one switch with an ageing time of 300s"));
  }
  for (const auto& [end, n] : number) {
    if (const auto found = gear_of.find(sets.find(n)); found != gear_of.end()) lan_of_[end] = found->second;
  }
}

}  // namespace sekimori::importers
