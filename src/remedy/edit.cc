#include "remedy/edit.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "base/random.h"
#include "model/segments.h"

namespace sekimori::remedy {

using model::LinkId;
using model::MachineId;
using model::Model;
using model::PortId;
using model::StationId;

namespace {

StationId add_leg(Model& m, MachineId router, std::string name, model::Ipv4Prefix ip, model::Mac mac) {
  model::Port port;
  port.name = name;
  port.pvid = 0;
  port.station = StationId(m.stations.size());
  model::Station station;
  station.machine = router;
  station.name = std::move(name);
  station.mac = mac;
  station.ip = ip;
  station.port = PortId(m.ports.size());
  m.ports.push_back(std::move(port));
  m.stations.push_back(std::move(station));
  m[router].stations.emplace_back(m.stations.size() - 1);
  return StationId(m.stations.size() - 1);
}

model::Mac fresh_mac(const Model& m, std::uint64_t salt) {
  std::set<model::Mac> used;
  for (const model::Station& s : m.stations) used.insert(s.mac);
  for (std::uint64_t attempt = 0;; ++attempt) {
    const model::Mac mac{std::uint64_t{0x02} << 40 | (base::mix64(salt + attempt) & 0xff'ffff'ffffu)};
    if (!used.contains(mac)) return mac;
  }
}

model::Ipv4 free_address(const Model& m, model::Ipv4Prefix subnet) {
  std::set<std::uint32_t> used;
  for (const model::Station& s : m.stations) used.insert(s.ip.address.bits);
  const std::uint32_t network = subnet.network().bits;
  // From the top, where gateways often are and guests seldom.
  for (std::uint32_t host = ~subnet.mask() - 1; host > 0 && host < ~subnet.mask(); --host) {
    if (!used.contains(network | host)) return {network | host};
  }
  return {};
}

// A network that nobody uses, as large as that one: from 172.31.0.0 on (RFC 1918).
std::uint32_t free_network(const Model& m, model::Ipv4Prefix like) {
  for (std::uint32_t block = 0; block < 512; ++block) {
    const std::uint32_t candidate = (0xac1f'0000u + (block << (32 - like.length))) & like.mask();
    const bool used = std::ranges::any_of(
        m.stations, [&](const model::Station& s) { return (s.ip.address.bits & like.mask()) == candidate; });
    if (!used) return candidate;
  }
  return 0;
}

bool speaks_ipv6(const Model& m, const std::vector<StationId>& stations) {
  return std::ranges::any_of(stations, [&](StationId s) { return !m[s].ip6.address.is_zero(); });
}

bool is_ordinary(model::Ipv4Prefix net) {
  return !net.address.is_zero() && net.length >= 8 && net.length <= 30;
}

// The guests' NICs, when nothing else is on the bridge but the machine's own use of one NIC.
struct Hosted {
  PortId host, uplink;
  std::vector<StationId> guests;
};
std::optional<Hosted> hosted(const Model& m, model::BridgeId bridge) {
  Hosted found;
  for (const PortId port : m[bridge].ports) {
    const PortId far = peer(m, port);
    if (m[port].role == model::PortRole::kUplink) {
      if (found.uplink.valid()) return std::nullopt;
      found.uplink = port;
      continue;
    }
    if (!far.valid()) continue;
    if (!m[far].station.valid() || m[port].role == model::PortRole::kNetwork) return std::nullopt;
    if (m[port].role == model::PortRole::kHost) {
      if (found.host.valid()) return std::nullopt;
      found.host = port;
      continue;
    }
    for (StationId s = m[far].station; s.valid(); s = m[s].next_on_port) found.guests.push_back(s);
  }
  if (!found.host.valid() || !found.uplink.valid() || !m[found.uplink].link.valid()) return std::nullopt;
  return found;
}

bool migrates(const Model& m, StationId station) {
  return std::ranges::any_of(m.changes, [&](const model::Change& change) {
    const auto* move = std::get_if<model::MigrateMachine>(&change.what);
    return move != nullptr && move->machine == m[station].machine;
  });
}

// The NIC's station back on the wire, and a new one of the bridge's own where it was.
StationId swap_wire(Model& m, model::BridgeId bridge, const Hosted& parts, model::Ipv4Prefix ip) {
  const PortId nic = peer(m, parts.host);
  const LinkId wire = m[parts.uplink].link, cable = m[parts.host].link;
  const StationId own = add_leg(m, m[bridge].machine, m[bridge].name, ip, fresh_mac(m, bridge.value));
  (m[wire].a == parts.uplink ? m[wire].a : m[wire].b) = nic;
  (m[cable].a == nic ? m[cable].a : m[cable].b) = m[own].port;
  m[nic].link = wire;
  m[m[own].port].link = cable;
  m[parts.uplink].link = {};
  return own;
}

}  // namespace

model::Ipv4Prefix route_instead(Model& m, model::BridgeId id, model::Routing routing) {
  const auto parts = hosted(m, id);
  if (!parts || parts->guests.empty()) return {};
  const StationId host = m[peer(m, parts->host)].station;
  const model::Ipv4Prefix outside = m[host].ip;
  if (m[host].next_on_port.valid() || !is_ordinary(outside) || speaks_ipv6(m, parts->guests)) return {};
  for (const StationId s : parts->guests) {
    const bool fits = m[s].ip.address.is_zero() || m[s].ip.network() == outside.network();
    if (!fits || m[s].vlan != 0 || migrates(m, s)) return {};
  }
  const model::Segments segments = model::segments(m);
  const auto& neighbours = segments.list[segments.of_station[host.index()]].stations;
  const model::Ipv4Prefix inside{{free_network(m, outside)}, outside.length};
  if (inside.address.is_zero()) return {};
  for (const StationId s : parts->guests) {
    if (!m[s].ip.address.is_zero())
      m[s].ip.address.bits = inside.address.bits | (m[s].ip.address.bits & ~inside.mask());
  }
  const model::Ipv4 gateway = free_address(m, inside);
  const StationId own = swap_wire(m, id, *parts, {gateway, inside.length});
  for (const StationId s : parts->guests) m[m[s].machine].routes.push_back({{{}, 0}, gateway});
  for (const StationId s : neighbours) {
    const bool is_inside = m[s].machine == m[host].machine || m[s].ip.network() == inside.network();
    if (!is_inside && routing == model::Routing::kRouted)
      m[m[s].machine].routes.push_back({inside, outside.address});
  }
  model::Bridge& bridge = m[id];
  bridge.kind = model::BridgeKind::kLinuxBridge;
  bridge.routing = routing;
  bridge.mac_is_set = true;
  bridge.table_size = 0;
  bridge.static_entries.push_back({m[parts->host].pvid, m[own].mac, parts->host});
  m[parts->host].floods_unknown = false;
  return inside;
}

std::string insert_router(Model& m, LinkId link, PortId keep) {
  const PortId far = m[link].a == keep ? m[link].b : m[link].a;
  // What is on the far side once the link is cut? Walk from its port through all bridges.
  Model cut = m;
  cut[link].up = false;
  const model::Segments sides = model::segments(cut);
  const auto side_of = [&](PortId port) {
    return m[port].bridge.valid()
               ? sides.of_bridge(m[port].bridge, m[m[port].bridge].vlan_aware ? m[port].pvid : 0)
               : sides.of_station[m[port].station.index()];
  };
  const std::uint32_t near_side = side_of(keep), far_side = side_of(far);
  if (near_side == far_side || near_side == StationId::kNone || far_side == StationId::kNone) return {};

  // Only IPv4 is renumbered.
  for (const std::uint32_t side : {near_side, far_side}) {
    if (speaks_ipv6(m, sides.list[side].stations)) return {};
  }
  model::Ipv4Prefix near_net;
  for (const StationId s : sides.list[near_side].stations) {
    if (!m[s].ip.address.is_zero() && !m[s].shared.valid()) near_net = m[s].ip;
  }
  if (!is_ordinary(near_net)) return {};
  const std::uint32_t far_network = free_network(m, near_net);
  for (const StationId s : sides.list[far_side].stations) {
    if (!m[s].ip.address.is_zero())
      m[s].ip.address.bits = far_network | (m[s].ip.address.bits & ~near_net.mask());
  }

  const MachineId router(m.machines.size());
  model::Machine machine;
  machine.name = "router-" + m[keep].name;
  machine.kind = model::MachineKind::kRouter;
  machine.arp = {base::seconds(14'400), false, false, true, base::Duration{0}};
  m.machines.push_back(machine);
  const model::Ipv4 near_ip = free_address(m, {near_net.network(), near_net.length});
  const StationId near_leg = add_leg(m, router, "lan", {near_ip, near_net.length}, fresh_mac(m, 1));
  const model::Ipv4 far_ip = free_address(m, {{far_network}, near_net.length});
  const StationId far_leg = add_leg(m, router, "wan", {far_ip, near_net.length}, fresh_mac(m, 2));

  // keep - [lan router wan] - far: the old link becomes the far one, with its rate.
  model::Link near_link = m[link];
  near_link.a = keep;
  near_link.b = m[near_leg].port;
  near_link.delay = base::microseconds(1);
  near_link.rate = std::max(near_link.rate, base::gbit(1));
  m.links.push_back(near_link);
  m[keep].link = m[m[near_leg].port].link = LinkId(m.links.size() - 1);
  m[link].a = m[far_leg].port;
  m[link].b = far;
  m[m[far_leg].port].link = m[far].link = link;

  // Addresses that are shared moved along; and what the far side sent by a gateway of the near one, or of its
  // own, goes by this router now, or by the gateway's new address.
  for (model::SharedAddress& shared : m.shared) shared.ip = m[shared.members.front().alias].ip.address;
  const model::Ipv4Prefix old{near_net.network(), near_net.length};
  for (const StationId s : sides.list[far_side].stations) {
    for (model::Route& route : m[m[s].machine].routes) {
      if (!old.contains(route.via)) continue;
      const model::Ipv4 moved{far_network | (route.via.bits & ~near_net.mask())};
      const bool is_far = std::ranges::any_of(sides.list[far_side].stations,
                                              [&](StationId o) { return m[o].ip.address == moved; });
      if (!is_far) m[router].routes.push_back(route);
      route.via = is_far ? moved : far_ip;
    }
  }

  const model::Ipv4Prefix far_prefix{{far_network}, near_net.length},
      near_prefix{near_net.network(), near_net.length};
  for (const auto& [side, via, destination] :
       {std::tuple(near_side, near_ip, far_prefix), {far_side, far_ip, near_prefix}}) {
    for (const StationId s : sides.list[side].stations) m[m[s].machine].routes.push_back({destination, via});
  }
  return machine.name;
}

PortId part(Model& m, const std::vector<StationId>& nics, model::BridgeId to) {
  const auto port_on = [&](model::BridgeId bridge, std::string name) {
    model::Port port;
    port.name = std::move(name);
    port.bridge = bridge;
    m.ports.push_back(std::move(port));
    m[bridge].ports.emplace_back(m.ports.size() - 1);
    return PortId(m.ports.size() - 1);
  };
  const model::BridgeId own(m.bridges.size());
  model::Bridge bridge;
  bridge.name = "own-segment";
  bridge.vlan_aware = true;
  m.bridges.push_back(std::move(bridge));
  const PortId near = port_on(to, "to-own-segment"), far = port_on(own, "uplink");
  for (const StationId nic : nics) {
    const PortId here = m[nic].port, there = peer(m, here);
    if (!there.valid() || !m[there].bridge.valid()) return {};
    if (m[there].bridge == to) m[near].pvid = m[there].pvid;
    const PortId at = port_on(own, std::to_string(m[own].ports.size()));
    model::Link& link = m[m[here].link];
    (link.a == here ? link.b : link.a) = at;
    m[at].link = std::exchange(m[there].link, {});
  }
  model::Link link;
  link.a = near;
  link.b = far;
  m.links.push_back(link);
  m[near].link = m[far].link = LinkId(m.links.size() - 1);
  return near;
}

PortId one_way_to(const Model& m, model::BridgeId bridge, const std::vector<StationId>& stations) {
  for (const PortId port : m[bridge].ports) {
    if (!m[port].link.valid() || !m[peer(m, port)].bridge.valid()) continue;
    Model cut = m;
    cut[m[port].link].up = false;
    const model::Segments sides = model::segments(cut);
    const auto is_here = [&](StationId s) {
      const auto& bridges = sides.list[sides.of_station[s.index()]].bridges;
      return std::ranges::any_of(bridges, [&](const auto& b) { return b.first == bridge; });
    };
    if (std::ranges::none_of(stations, is_here)) return port;
  }
  return {};
}

model::Mac assign_fresh_mac(Model& m, StationId station) {
  const model::Mac old = m[station].mac;
  m[station].mac = fresh_mac(m, base::mix64(station.value));
  m[station].mac_origin = model::MacOrigin::kAllocated;
  for (model::Bridge& bridge : m.bridges) {
    for (model::StaticEntry& entry : bridge.static_entries) {
      if (entry.mac == old && m[entry.port].link.valid() && peer(m, entry.port) == m[station].port)
        entry.mac = m[station].mac;
    }
  }
  return m[station].mac;
}

model::Ipv4 assign_fresh_ip(Model& m, StationId station) {
  const model::Ipv4 address = free_address(m, m[station].ip);
  if (!address.is_zero()) m[station].ip.address = address;
  return address;
}

}  // namespace sekimori::remedy
