#include "check/groups.h"

#include <algorithm>
#include <array>
#include <deque>

#include "model/multicast.h"
#include "switching/snooping.h"

namespace sekimori::check {

using model::Model;

bool Groups::Ports::lets(PortId port) const {
  return way != Way::kThese || std::ranges::find(ports, port) != ports.end();
}

Groups::Groups(const Model& model, const Forest& forest) : model_(model), forest_(forest) {
  asked_.resize(forest.components().size());
  if (!model::uses_groups(model)) return;
  std::vector<std::vector<StationId>> routers(asked_.size());
  for (std::size_t s = 0; s < model.stations.size(); ++s) {
    const Place& place = forest.place(StationId(s));
    if (!place.plugged()) continue;
    if (model.stations[s].querier && place.node != kNone)
      routers[forest[place.node].component].emplace_back(s);
    if (model.stations[s].querier) routers_.emplace_back(s);
    for (const Group& group : model.group_sets[model.stations[s].groups])
      joined_[group].members.emplace_back(s);
  }
  for (std::uint32_t c = 0; c < asked_.size(); ++c) {
    for (const bool ipv6 : {false, true}) asked_[c][ipv6] = elect(c, routers[c], ipv6);
  }
  for (const model::Flow& flow : model.flows) {
    if (flow.is_multicast()) joined_[flow.group];
  }
  for (const auto& entry : joined_) join(entry.first);
}

// Routers before switches that have no address, the lowest address first (RFC 3376 section 6.6.2); of those
// without, the first to ask.
AskedBy Groups::elect(std::uint32_t c, const std::vector<StationId>& routers, bool ipv6) const {
  AskedBy elected;
  Group lowest;
  const auto stand = [&](const AskedBy& candidate, const Group& address) {
    if (!elected.nobody() && elected.has_address && (!candidate.has_address || lowest <= address)) return;
    if (!elected.nobody() && !candidate.has_address) return;
    elected = candidate;
    lowest = address;
  };
  for (const StationId s : routers) {
    const model::Station& station = model_[s];
    const Place& place = forest_.place(s);
    if (ipv6 ? station.ip6.address.is_zero() : station.ip.address.is_zero()) continue;
    stand({.router = s, .bridge = {}, .node = place.node, .port = place.port, .has_address = true},
          ipv6 ? station.ip6.address : wire::to_group(station.ip.address));
  }
  const Component& component = forest_.components()[c];
  for (NodeIndex n = component.first; n < component.end; ++n) {
    const BridgeId bridge = forest_[n].bridge;
    if (!model::asks_for(model_, bridge, ipv6)) continue;
    const bool has_address = ipv6 || !model_[bridge].querier_ip.is_zero();
    stand({.router = {}, .bridge = bridge, .node = n, .port = {}, .is_old = true, .has_address = has_address},
          ipv6 ? wire::link_local(model::querier_mac(model_, bridge))
               : wire::to_group(model_[bridge].querier_ip));
  }
  return elected;
}

PortId Groups::toward(NodeIndex n, const AskedBy& asked) const {
  if (n == asked.node) return asked.port;
  std::vector<Step> way;
  forest_.way({n, {}}, {asked.node, asked.port}, way);
  return way.empty() ? PortId() : way.front().out;
}

// One of Linux that has no IPv6 address to ask from hears nobody else ask in IPv6 (switching/snooping.h).
bool Groups::hears_nobody(NodeIndex n, bool ipv6) const {
  const BridgeId bridge = forest_[n].bridge;
  return asked_by(forest_[n].component, ipv6).nobody() ||
         (is_linux(n) && ipv6 && model_[bridge].querier && !model::asks_for(model_, bridge, true));
}

std::vector<PortId> Groups::router_ports(NodeIndex n, const AskedBy& asked) const {
  if (asked.nobody() || (!asked.has_address && !is_linux(n))) return {};
  const PortId port = toward(n, asked);
  return port.valid() ? std::vector{port} : std::vector<PortId>{};
}

Groups::Ports Groups::reports_at(NodeIndex n, bool ipv6) const {
  const AskedBy& asked = asked_by(forest_[n].component, ipv6);
  if (!snoops(n) || (is_linux(n) && (hears_nobody(n, ipv6) || !asked.is_old))) return {};
  if (is_uncertain(n)) return {Way::kOpen, {}};
  return {Way::kThese, router_ports(n, asked)};
}

bool Groups::is_uncertain(NodeIndex n) const {
  const Component& component = forest_.components()[forest_[n].component];
  return component.broken() || !component.open || component.bends || component.lossy;
}

// Where its answers come by.
void Groups::report(StationId member, bool ipv6, std::map<NodeIndex, std::vector<PortId>>& known) const {
  struct Copy {
    NodeIndex node;
    PortId in;
  };
  const Place& place = forest_.place(member);
  if (place.node == kNone) return;
  std::deque<Copy> open{{place.node, place.port}};
  while (!open.empty()) {
    const auto [n, in] = open.front();
    open.pop_front();
    const Ports onward = reports_at(n, ipv6);
    if (snoops(n)) known[n].push_back(in);
    for (const Edge& edge : forest_.edges(n)) {
      if (edge.port != in && onward.lets(edge.port)) open.push_back({edge.to, edge.far});
    }
  }
}

void Groups::join(const Group& group) {
  Joined& joined = joined_[group];
  if (switching::is_for_everybody(group)) return;
  const bool ipv6 = !wire::is_ipv4(group);
  std::map<NodeIndex, std::vector<PortId>> known;
  for (const StationId member : joined.members) {
    const NodeIndex n = forest_.place(member).node;
    if (n == kNone || forest_.components()[forest_[n].component].broken()) continue;
    if (!asked_by(forest_[n].component, ipv6).nobody()) report(member, ipv6, known);
  }
  for (NodeIndex n = 0; n < forest_.nodes().size(); ++n) {
    if (!snoops(n)) continue;
    const AskedBy& asked = asked_by(forest_[n].component, ipv6);
    if (is_linux(n) && hears_nobody(n, ipv6)) continue;
    Ports& here = joined.ways[n];
    if (is_uncertain(n)) {
      here.way = Way::kOpen;
      continue;
    }
    const auto members = known.find(n);
    if (!is_linux(n) && members == known.end() && model_[forest_[n].bridge].floods_unregistered) continue;
    here.way = Way::kThese;
    here.ports = router_ports(n, asked);
    if (members != known.end())
      here.ports.insert(here.ports.end(), members->second.begin(), members->second.end());
    std::ranges::sort(here.ports);
    here.ports.erase(std::unique(here.ports.begin(), here.ports.end()), here.ports.end());
  }
}

std::vector<Step> Groups::ways_to_takers(StationId from, const Group& group) const {
  std::vector<Step> ways, way;
  const auto lead_to = [&](StationId taker) {
    if (taker == from || !forest_.place(taker).plugged() || !forest_.connected(from, taker)) return;
    forest_.way(forest_.place(from), forest_.place(taker), way);
    ways.insert(ways.end(), way.begin(), way.end());
  };
  for (const StationId member : members(group)) lead_to(member);
  for (const StationId router : routers_) lead_to(router);
  const auto by_exit = [](const Step& step) { return std::pair(step.node, step.out); };
  std::ranges::sort(ways, {}, by_exit);
  const auto rest = std::ranges::unique(ways, {}, by_exit);
  ways.erase(rest.begin(), rest.end());
  return ways;
}

const Groups::Ports& Groups::at(NodeIndex node, const Group& group) const {
  static const Ports kEverywhere;
  const auto joined = joined_.find(group);
  if (joined == joined_.end()) return kEverywhere;
  const auto way = joined->second.ways.find(node);
  return way == joined->second.ways.end() ? kEverywhere : way->second;
}

const AskedBy& Groups::asked_by(std::uint32_t component, bool ipv6) const { return asked_[component][ipv6]; }

const std::vector<StationId>& Groups::members(const Group& group) const {
  static const std::vector<StationId> kNobody;
  const auto joined = joined_.find(group);
  return joined == joined_.end() ? kNobody : joined->second.members;
}

}  // namespace sekimori::check
