#include "lab/readings.h"

#include <algorithm>
#include <sstream>

#include "lab/open_vswitch.h"
#include "lab/tunnels.h"
#include "model/multicast.h"

namespace sekimori::lab {

using base::Duration;
using base::Result;
using model::PortId;

Result<Readings::Counters> Readings::counters() const {
  Counters all(spaces_.size());
  for (SpaceIndex s = 0; s < spaces_.size(); ++s) {
    auto links = links_of(s);
    if (!links) return std::unexpected(links.error());
    const auto list = links->list();
    if (!list) return std::unexpected(list.error());
    for (const sys::LinkState& link : *list) all[s].emplace(link.name, link.counters);
  }
  return all;
}

std::vector<std::optional<LaneCount>> Readings::lanes(const Counters& before, const Counters& after) const {
  std::vector<std::optional<LaneCount>> lanes(2 * site_.links.size());
  const auto gained = [&](const Device& device) -> std::optional<sys::LinkCounters> {
    const auto then = before[device.space].find(device.name), now = after[device.space].find(device.name);
    if (then == before[device.space].end() || now == after[device.space].end()) return std::nullopt;
    const sys::LinkCounters &a = then->second, &b = now->second;
    return sys::LinkCounters{b.rx_frames - a.rx_frames, b.rx_bytes - a.rx_bytes, b.tx_frames - a.tx_frames,
                             b.tx_bytes - a.tx_bytes};
  };
  for (const PlannedLink& planned : plan_.links) {
    if (planned.kind == LinkKind::kMacvlanHost) continue;  // its frames are counted among the guests'
    const model::Link& link = site_[planned.link];
    for (const bool from_a : {true, false}) {
      const PortId from = from_a ? link.a : link.b;
      const auto counted = gained(plan_.ports[from.index()]);
      if (!counted) continue;
      std::optional<LaneCount>& lane = lanes[2 * planned.link.index() + (from_a ? 0 : 1)];
      if (planned.kind == LinkKind::kVxlan) {
        lane = tunnel_lane(from, *counted);
        continue;
      }
      // To a device that is both ends is what that receives; from a guest is what its tap does.
      const bool is_own =
          planned.kind == LinkKind::kTap ? site_[from].station.valid() : site_[from].bridge.valid();
      const bool inward = planned.kind != LinkKind::kVeth && is_own;
      lane = inward ? LaneCount{counted->rx_frames, counted->rx_bytes}
                    : LaneCount{counted->tx_frames, counted->tx_bytes};
    }
  }
  return lanes;
}

// What a VXLAN device receives it counts without the Ethernet header, and what it sends once for each
// remote end (drivers/net/vxlan/vxlan_core.c, vxlan_rcv, vxlan_xmit_one).
std::optional<LaneCount> Readings::tunnel_lane(PortId from, const sys::LinkCounters& counted) const {
  constexpr std::int64_t kEthernetHeader = 14;
  const model::Bridge& bridge = site_[site_[from].bridge];
  if (bridge.kind == model::BridgeKind::kVtep)
    return LaneCount{counted.rx_frames, counted.rx_bytes + kEthernetHeader * counted.rx_frames};
  const model::Bridge& end = site_[site_[model::peer(site_, from)].bridge];
  if (std::ranges::count_if(end.ports, [&](PortId p) { return site_[p].tunnel; }) > 1) return std::nullopt;
  return LaneCount{counted.tx_frames, counted.tx_bytes};
}

Result<std::vector<TableEntry>> Readings::tables(const std::string& live) const {
  std::vector<TableEntry> tables;
  for (const PlannedBridge& bridge : plan_.bridges) {
    if (bridge.engine == Engine::kVxlan && !bridge.device.empty()) {
      auto entries = read_tunnel_end(site_, bridge, spaces_[bridge.space]);
      if (!entries) return std::unexpected(entries.error());
      std::ranges::move(*entries, std::back_inserter(tables));
    }
    if (!bridge.of_the_kernel() || site_[bridge.bridge].kind == model::BridgeKind::kHub) continue;
    if (auto read = read_bridge(bridge, tables); !read) return std::unexpected(read.error());
  }
  read_live(live, tables);
  if (plan_.open_vswitch == kNone) return tables;
  auto entries = OpenVSwitch(site_, plan_).tables();
  if (!entries) return std::unexpected(entries.error());
  std::ranges::move(*entries, std::back_inserter(tables));
  return tables;
}

std::unordered_map<int, PortId> Readings::ports_by_index(const PlannedBridge& bridge,
                                                         sys::Links& links) const {
  std::unordered_map<int, PortId> port_of;
  for (const PortId port : site_[bridge.bridge].ports) {
    const Device& device = plan_.ports[port.index()];
    if (!device.built()) continue;
    if (const auto index = links.index(device.name)) port_of[*index] = port;
  }
  return port_of;
}

// A kernel's machines are also in groups of which the site does not speak, as that of their link-local
// addresses.
Result<std::vector<GroupEntry>> Readings::groups(const std::string& live) const {
  std::vector<GroupEntry> groups;
  if (!model::uses_groups(site_)) return groups;
  for (const PlannedBridge& bridge : plan_.bridges) {
    // Without a querier the model's Linux bridges flood, and take no notes.
    if (!bridge.of_the_kernel() || !site_[bridge.bridge].snoops || !model::has_querier(site_)) continue;
    if (auto read = read_groups(bridge, groups); !read) return std::unexpected(read.error());
  }
  if (plan_.open_vswitch != kNone) {
    auto entries = OpenVSwitch(site_, plan_).groups();
    if (!entries) return std::unexpected(entries.error());
    std::ranges::move(*entries, std::back_inserter(groups));
  }
  std::istringstream lines(live);
  std::uint32_t bridge = 0, port = 0;
  std::uint16_t vlan = 0;
  std::string text;
  while (lines >> bridge >> port >> vlan >> text) {
    const auto group = wire::parse_ipv6(text);
    if (group && bridge < site_.bridges.size() && port < site_.ports.size())
      groups.push_back({model::BridgeId(bridge), vlan, *group, PortId(port)});
  }
  std::erase_if(groups, [&](const GroupEntry& entry) {
    return std::ranges::none_of(
               site_.group_sets,
               [&](const auto& set) { return std::ranges::binary_search(set, entry.group); }) &&
           std::ranges::none_of(site_.stations, [&](const model::Station& s) {
             return !s.ip6.address.is_zero() && wire::solicited_node(s.ip6.address) == entry.group;
           });
  });
  return groups;
}

Result<void> Readings::read_groups(const PlannedBridge& bridge, std::vector<GroupEntry>& into) const {
  auto links = links_of(bridge.space);
  if (!links) return std::unexpected(links.error());
  const auto members = links->group_members(bridge.device);
  if (!members) return std::unexpected(members.error());
  const auto port_of = ports_by_index(bridge, *links);
  for (const sys::GroupMember& member : *members) {
    if (const auto port = port_of.find(member.port); port != port_of.end())
      into.push_back({bridge.bridge, member.vlan, member.group, port->second});
  }
  return {};
}

Result<void> Readings::read_bridge(const PlannedBridge& bridge, std::vector<TableEntry>& into) const {
  auto links = links_of(bridge.space);
  if (!links) return std::unexpected(links.error());
  const auto entries = links->fdb(bridge.device);
  if (!entries) return std::unexpected(entries.error());
  const auto port_of = ports_by_index(bridge, *links);
  for (const sys::FdbEntry& entry : *entries) {
    const auto port = port_of.find(entry.port);
    if (entry.permanent || port == port_of.end()) continue;
    into.push_back({bridge.bridge, entry.mac, entry.vlan, port->second, entry.unheard, entry.is_static});
  }
  return {};
}

void Readings::read_live(const std::string& live, std::vector<TableEntry>& into) const {
  std::istringstream lines(live);
  std::uint32_t bridge = 0, port = 0;
  std::uint16_t vlan = 0;
  std::string mac, seconds;
  while (lines >> bridge >> port >> vlan >> mac >> seconds) {
    const auto address = wire::parse_mac(mac);
    if (!address || bridge >= site_.bridges.size() || port >= site_.ports.size()) continue;
    const bool is_static = seconds == "-";
    into.push_back({model::BridgeId(bridge), *address, vlan, PortId(port),
                    is_static ? Duration{0} : base::from_seconds(std::strtod(seconds.c_str(), nullptr)),
                    is_static});
  }
}

Result<std::vector<NeighbourEntry>> Readings::neighbours() const {
  std::vector<NeighbourEntry> neighbours;
  std::unordered_map<model::Ipv6, model::Ipv6> by_link_local;
  for (const model::Station& station : site_.stations) {
    if (!station.ip6.address.is_zero())
      by_link_local.emplace(wire::link_local(station.mac), station.ip6.address);
  }
  for (std::size_t s = 0; s < site_.stations.size(); ++s) {
    const model::Station& station = site_.stations[s];
    const Device& device = plan_.stations[s];
    if (!device.built() || (station.ip.address.is_zero() && station.ip6.address.is_zero())) continue;
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    const auto index = links->index(device.name);
    const auto all = links->neighbours();
    if (!index) return std::unexpected(index.error());
    if (!all) return std::unexpected(all.error());
    for (const sys::NeighbourState& neighbour : *all) {
      if (neighbour.device != *index || !neighbour.usable || neighbour.permanent) continue;
      // Linux asks from link-local addresses where the model's stations do from their own (build_ip.h).
      const auto known = by_link_local.find(neighbour.ip6);
      neighbours.push_back({model::StationId(s), neighbour.ip, neighbour.mac,
                            known == by_link_local.end() ? neighbour.ip6 : known->second});
    }
  }
  return neighbours;
}

}  // namespace sekimori::lab
