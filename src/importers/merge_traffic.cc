// Addresses, stations and traffic that only tables know. An ARP entry says that its owner has sent to
// somebody; how much, nothing says. A switch's table says who was heard; whom others send to and who was not
// heard is a suspect.
#include <fmt/format.h>

#include <algorithm>

#include "importers/merge.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::MachineKind;

// The address that a host has at a NIC or a bridge of its.
std::optional<Ipv4Prefix> Merge::address_at(std::size_t machine, std::string_view nic) const {
  if (const DraftSwitch* bridge = switch_of(machine, nic)) return bridge->ip;
  const End end = end_of(machine, nic);
  return end.valid() ? at(machine).nics[end.nic].ip : std::nullopt;
}

// Managers rarely know guests' addresses; the ARP tables of their hosts do.
void Merge::give_addresses() {
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr) continue;
    for (const NeighbourFacts& neighbour : facts->neighbours) {
      const auto own = address_at(m, clean_name(neighbour.nic, ""));
      if (!own || !own->contains(neighbour.ip) || own->address == neighbour.ip) continue;
      const auto owner = only_one_with(neighbour.mac);
      if (!owner) continue;  // of two with one MAC nobody knows whose it is
      const End end = whole(*owner);
      DraftNic& nic = at(end.machine).nics[end.nic];
      const bool is_taken = has_address(end.machine, neighbour.ip) || goes_by(end.machine, neighbour.ip);
      const bool is_bridged = std::ranges::any_of(at(end.machine).switches, [&](const DraftSwitch& s) {
        return s.ip && std::ranges::find(s.uplinks, nic.name) != s.uplinks.end();
      });
      if (nic.ip || is_taken || is_bridged) continue;
      nic.ip = Ipv4Prefix{neighbour.ip, own->length};
      nic.comment +=
          fmt::format("{}address by the ARP table of {}", nic.comment.empty() ? "" : "; ", at(m).name);
    }
  }
}

bool Merge::has_address(std::size_t machine, Ipv4 ip) const {
  const auto is_it = [&](const auto& n) { return n.ip && n.ip->address == ip; };
  return std::ranges::any_of(at(machine).nics, is_it) || std::ranges::any_of(at(machine).switches, is_it);
}

// True when it is the gateway of the machine, or of one of its routes.
bool Merge::goes_by(std::size_t machine, Ipv4 ip) const {
  return at(machine).gateway == ip ||
         std::ranges::any_of(at(machine).routes, [&](const RouteFacts& route) { return route.via == ip; });
}

// True when a machine with this MAC is where the neighbour was heard: in the host, or in the same segment.
bool Merge::is_known_near(std::size_t machine, std::string_view nic, Mac mac) const {
  const DraftSwitch* bridge = switch_of(machine, nic);
  const End own = bridge == nullptr ? end_of(machine, nic) : way_out(machine, *bridge);
  const auto lan = own.valid() ? lan_of_.find(wire_of(own)) : lan_of_.end();
  for (auto [it, stop] = by_mac_.equal_range(mac); it != stop; ++it) {
    const End end = it->second;
    if (end.machine == machine || at(end.machine).host == machine) return true;
    const auto there = lan_of_.find(wire_of(end));
    if (own.valid() && cabled_directly_.contains(wire_of(own))) return true;
    if (lan != lan_of_.end() && there != lan_of_.end() && lan->second == there->second) return true;
  }
  return false;
}

// Stations that no export describes, but an ARP table or a switch's table knows.
void Merge::add_strangers() {
  std::map<std::pair<std::size_t, Mac>, std::size_t> strangers;  // by segment
  std::vector<unsigned> next_port(draft_.gear.size(), 0);
  std::set<Ipv4> gateways;
  for (const DraftMachine& machine : draft_.machines) {
    if (machine.gateway) gateways.insert(*machine.gateway);
  }
  const auto plug_in = [&](std::size_t machine, std::size_t gear, Mac mac) {
    Socket socket{gear, {}};
    if (const auto facts = gear_facts_.find(gear); facts != gear_facts_.end()) {
      std::set<Mac> there;
      for (const FdbFacts& entry : facts->second.fdb) {
        if (entry.mac == mac) socket.port = clean_name(entry.port, "port");
      }
      for (const FdbFacts& entry : facts->second.fdb) {
        if (clean_name(entry.port, "port") == socket.port) there.insert(entry.mac);
      }
      if (there.size() != 1) socket.port.clear();
    }
    while (socket.port.empty() || sockets_.contains(socket))
      socket.port = fmt::format("assumed-{}", 100 + next_port[gear]++);
    connect({machine, 0}, socket, socket.port.starts_with("assumed-") ? "assumed" : "by the table");
  };
  const std::size_t machines = draft_.machines.size();
  for (std::size_t m = 0; m < machines; ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr) continue;
    for (const NeighbourFacts& neighbour : facts->neighbours) {
      const std::string nic = clean_name(neighbour.nic, "");
      if (is_known_near(m, nic, neighbour.mac)) continue;
      const auto own = address_at(m, nic);
      const DraftSwitch* bridge = switch_of(m, nic);
      const End wire = bridge != nullptr ? way_out(m, *bridge) : end_of(m, nic);
      const bool is_inside = bridge != nullptr && !wire.valid();
      if (!is_inside && !(wire.valid() && lan_of_.contains(wire_of(wire)))) continue;
      const std::size_t gear = is_inside ? draft_.gear.size() + m : lan_of_.at(wire_of(wire));
      if (strangers.contains({gear, neighbour.mac})) continue;
      DraftMachine stranger;
      const bool is_gateway = gateways.contains(neighbour.ip);
      stranger.kind = is_inside    ? MachineKind::kGuest
                      : is_gateway ? MachineKind::kRouter
                                   : MachineKind::kHost;
      stranger.name =
          unique_name(fmt::format("{}-{}", is_gateway ? "gateway" : "host", wire::to_text(neighbour.ip)));
      stranger.comment = "known by an ARP table only: " + facts_.text(neighbour.place);
      DraftNic draft;
      draft.name = "eth0";
      draft.mac = neighbour.mac;
      if (own && own->contains(neighbour.ip) && own->address != neighbour.ip)
        draft.ip = Ipv4Prefix{neighbour.ip, own->length};
      if (is_inside) {
        draft.on = bridge->name;
        stranger.host = m;
      }
      stranger.nics.push_back(std::move(draft));
      const std::size_t id = add_machine(std::move(stranger), kNone);
      strangers.emplace(std::pair(gear, neighbour.mac), id);
      by_mac_.emplace(neighbour.mac, End{id, 0});
      if (is_inside) {
        at(m).guests.push_back(id);
      } else {
        plug_in(id, gear, neighbour.mac);
        lan_of_.emplace(End{id, 0}, gear);
      }
    }
  }
  for (const auto& [gear, facts] : gear_facts_) {
    for (const FdbFacts& entry : facts.fdb) {
      if (by_mac_.contains(entry.mac) || strangers.contains({gear, entry.mac})) continue;
      if (sockets_.contains({gear, clean_name(entry.port, "port")})) continue;  // behind the next switch
      DraftMachine station;
      std::string digits = wire::to_text(entry.mac);
      std::erase(digits, ':');
      station.name = unique_name("station-" + digits);
      station.comment = "known by a table only: " + facts_.text(entry.place);
      DraftNic nic;
      nic.name = "eth0";
      nic.mac = entry.mac;
      station.nics.push_back(std::move(nic));
      const std::size_t id = add_machine(std::move(station), kNone);
      strangers.emplace(std::pair(gear, entry.mac), id);
      plug_in(id, gear, entry.mac);
      lan_of_.emplace(End{id, 0}, gear);
    }
  }
  if (!strangers.empty()) {
    assume(fmt::format("{} station{} known by a table only {} taken for hosts beside the others.",
                       strangers.size(), strangers.size() == 1 ? "" : "s",
                       strangers.size() == 1 ? "is" : "are"));
  }
}

void Merge::add_traffic() {
  struct Target {
    std::string name;
    Ipv4Prefix ip;
    std::size_t machine;
    std::optional<Mac> mac;
  };
  std::multimap<Ipv4, Target> targets;
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    if (!at(m).running) continue;
    for (const DraftNic& nic : at(m).nics) {
      if (nic.ip)
        targets.emplace(nic.ip->address,
                        Target{fmt::format("{}:{}", at(m).name, nic.name), *nic.ip, m, nic.mac});
    }
    for (const DraftSwitch& bridge : at(m).switches) {
      if (bridge.ip)
        targets.emplace(bridge.ip->address,
                        Target{fmt::format("{}:{}", at(m).name, bridge.name), *bridge.ip, m, bridge.mac});
    }
  }
  std::set<std::pair<std::string, std::string>> known;
  for (std::size_t m = 0; m < draft_.machines.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr || !at(m).running) continue;
    for (const NeighbourFacts& neighbour : facts->neighbours) {
      const std::string nic = clean_name(neighbour.nic, "");
      const auto own = address_at(m, nic);
      if (!own || !own->contains(neighbour.ip)) continue;
      const Target* target = nullptr;
      for (auto [it, stop] = targets.equal_range(neighbour.ip); it != stop; ++it) {
        if (it->second.machine == m || !it->second.ip.contains(own->address)) continue;
        if (target == nullptr || it->second.mac == neighbour.mac) target = &it->second;
      }
      const std::string from = fmt::format("{}:{}", at(m).name, nic);
      if (target == nullptr || known.contains({target->name, from}) ||
          !known.emplace(from, target->name).second)
        continue;
      draft_.flows.push_back({from, target->name});
    }
  }
  if (!draft_.flows.empty()) {
    assume(
        fmt::format("Who talks to whom is read from ARP tables: {} pair{}. How much is not told; a request a "
                    "second each is assumed.",
                    draft_.flows.size(), draft_.flows.size() == 1 ? "" : "s"));
  }
}

// Somebody has sent to an address for so long that it is in its ARP table, and the switch on the way has not
// heard it. Either it was silent for the ageing time, or its frames take another way: both flood.
void Merge::add_suspects() {
  constexpr std::size_t kMost = 100;
  std::size_t count = 0;
  const auto tell = [&](const std::string& who, const NeighbourFacts& neighbour, std::string_view table) {
    if (++count <= kMost) {
      suspect(fmt::format("{} sends to {} ({}, {}), which {} has not learnt: what it sends there is flooded.",
                          who, wire::to_text(neighbour.ip), wire::to_text(neighbour.mac),
                          facts_.text(neighbour.place), table));
    }
  };
  const auto has = [](const std::vector<FdbFacts>& fdb, Mac mac) {
    return std::ranges::find(fdb, mac, &FdbFacts::mac) != fdb.end();
  };
  for (std::size_t m = 0; m < from_.size(); ++m) {
    const MachineFacts* facts = facts_of(m);
    if (facts == nullptr) continue;
    for (const NeighbourFacts& neighbour : facts->neighbours) {
      const std::string nic = clean_name(neighbour.nic, "");
      const auto own = std::ranges::find_if(
          facts->switches, [&](const SwitchFacts& s) { return clean_name(s.name, "switch") == nic; });
      if (own != facts->switches.end() && own->has_table && own->learning && !has(own->fdb, neighbour.mac)) {
        tell(at(m).name, neighbour, fmt::format("{}/{}", at(m).name, nic));
        continue;
      }
      const DraftSwitch* bridge = switch_of(m, nic);
      const End wire = bridge == nullptr ? end_of(m, nic) : way_out(m, *bridge);
      if (!wire.valid() || !at(m).nics[wire.nic].mac) continue;
      // A guest behind a bridge of this very host is not reached by way of the switch. Above the NIC of a
      // hosted hypervisor or of macvlans it is, and that is the leak.
      bool stays_inside = false;
      for (auto [it, stop] = by_mac_.equal_range(neighbour.mac); it != stop; ++it) {
        const DraftSwitch* on = at(it->second.machine).host == m
                                    ? switch_of(m, at(it->second.machine).nics[it->second.nic].on)
                                    : nullptr;
        stays_inside |= on != nullptr && on->kind != "hosted-bridge" && on->kind != "macvlan";
      }
      const auto lan = lan_of_.find(wire_of(wire));
      if (stays_inside || lan == lan_of_.end()) continue;
      const auto gear = gear_facts_.find(lan->second);
      if (gear == gear_facts_.end()) continue;
      if (has(gear->second.fdb, *at(m).nics[wire.nic].mac) && !has(gear->second.fdb, neighbour.mac))
        tell(at(m).name, neighbour, draft_.gear[gear->first].name);
    }
  }
  if (count > kMost) suspect(fmt::format("{} more destinations are sent to and not learnt.", count - kMost));
}

}  // namespace sekimori::importers
