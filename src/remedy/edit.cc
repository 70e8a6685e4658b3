#include "remedy/edit.h"

#include <algorithm>
#include <deque>
#include <set>

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

}  // namespace

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

  model::Ipv4Prefix near_net;
  for (const StationId s : sides.list[near_side].stations) {
    if (!m[s].ip.address.is_zero()) near_net = m[s].ip;
  }
  if (near_net.address.is_zero() || near_net.length < 8 || near_net.length > 30) return {};
  // The far side's new network: the same host parts in a block that nobody uses (RFC 5735's 198.18/15 is for
  // tests).
  std::uint32_t far_network = 0;
  for (std::uint32_t block = 0; block < 512 && far_network == 0; ++block) {
    const std::uint32_t candidate = (0xac1f'0000u + (block << (32 - near_net.length))) & near_net.mask();
    const bool used = std::ranges::any_of(m.stations, [&](const model::Station& s) {
      return (s.ip.address.bits & near_net.mask()) == candidate;
    });
    if (!used) far_network = candidate;
  }
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

  const model::Ipv4Prefix far_prefix{{far_network}, near_net.length},
      near_prefix{near_net.network(), near_net.length};
  for (const auto& [side, via, destination] :
       {std::tuple(near_side, near_ip, far_prefix), {far_side, far_ip, near_prefix}}) {
    for (const StationId s : sides.list[side].stations) m[m[s].machine].routes.push_back({destination, via});
  }
  return machine.name;
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
