#include "check/forest.h"

#include <algorithm>

#include "switching/bond.h"
#include "switching/first_hop.h"
#include "switching/kinds.h"
#include "switching/linux_bridge.h"
#include "switching/spanning_tree.h"
#include "switching/vlan.h"

namespace sekimori::check {

using model::BridgeKind;
using model::LinkId;
using model::Model;

namespace {

std::uint64_t key(BridgeId bridge, std::uint16_t vlan) { return std::uint64_t{bridge.value} << 16 | vlan; }

// A NIC whose machine is off has no link.
bool powered(const Model& m, PortId port) {
  const StationId station = m[port].station;
  return !station.valid() || m[m[station].machine].running;
}

std::vector<bool> usable_ports(const Model& m) {
  std::vector<bool> link_up;
  bool any_stp = false;
  for (const model::Link& link : m.links)
    link_up.push_back(link.up && powered(m, link.a) && powered(m, link.b));
  for (const model::Bridge& bridge : m.bridges) any_stp |= bridge.stp;
  switching::shut_by_guards(m, link_up);
  std::vector<bool> usable(m.ports.size(), false);
  for (std::size_t l = 0; l < m.links.size(); ++l) {
    usable[m.links[l].a.index()] = usable[m.links[l].b.index()] = link_up[l];
  }
  std::vector<bool> blocked(m.ports.size(), false);
  if (any_stp) blocked = switching::blocked_ports(m, link_up);
  switching::stand_by(m, link_up, blocked);
  // A blocked port neither sends nor takes. The port at the other end sends all the same, for nothing.
  for (std::size_t p = 0; p < blocked.size(); ++p) {
    if (blocked[p]) usable[p] = false;
  }
  return usable;
}

// The VLAN in which a frame with this tag is on the port's bridge; false when it is not let in.
bool enter(const Model& m, PortId port, std::uint16_t tag, std::uint16_t& vlan) {
  vlan = tag;
  if (!m[m[port].bridge].vlan_aware) return true;
  const auto classified =
      switching::classify(m[m[port].bridge].kind, m[port], m.vlan_sets[m[port].tagged_vlans], tag);
  if (classified) vlan = *classified;
  return classified.has_value();
}

bool leave(const Model& m, PortId port, std::uint16_t vlan, std::uint16_t& tag) {
  tag = vlan;
  if (!m[m[port].bridge].vlan_aware) return true;
  const auto leaving = switching::egress_tag(m[port], m.vlan_sets[m[port].tagged_vlans], vlan);
  if (leaving) tag = *leaving;
  return leaving.has_value();
}

}  // namespace

Forest::Forest(const Model& model) : model_(model), usable_(usable_ports(model)) {
  bridge_table_.assign(model.bridges.size(), kNone);
  std::vector<std::vector<Edge>> edges;
  places_.resize(model.stations.size());
  // Learning bridges first: a virtual switch that registers its NICs then is never a root, and its parent is
  // the way to its uplink.
  for (const bool registers : {false, true}) {
    for (std::size_t s = 0; s < model.stations.size(); ++s) {
      const model::Station& station = model.stations[s];
      if (!usable_[station.port.index()]) continue;
      const PortId far = peer(model, station.port);
      if (!usable_[far.index()]) continue;
      if (!model[far].bridge.valid()) {
        places_[s] = {kNone, far};
        continue;
      }
      if (switching::registers(model[model[far].bridge].kind) != registers) continue;
      std::uint16_t vlan;
      if (!enter(model, far, station.vlan, vlan)) continue;
      places_[s].port = far;
      if (index_.contains(key(model[far].bridge, vlan))) continue;
      components_.push_back({.first = static_cast<NodeIndex>(nodes_.size())});
      grow(visit(model[far].bridge, vlan, static_cast<std::uint32_t>(components_.size() - 1)), edges);
      components_.back().end = static_cast<NodeIndex>(nodes_.size());
    }
  }
  first_edge_.push_back(0);
  edges.resize(nodes_.size());
  for (const auto& list : edges) {
    edges_.insert(edges_.end(), list.begin(), list.end());
    first_edge_.push_back(static_cast<std::uint32_t>(edges_.size()));
  }
  has_mesh_ = std::ranges::any_of(model.ports, &model::Port::tunnel);
  for (Component& component : components_) judge_ports(component);
  place_stations();
  unplace_backups();
}

NodeIndex Forest::visit(BridgeId bridge, std::uint16_t vlan, std::uint32_t component) {
  const auto n = static_cast<NodeIndex>(nodes_.size());
  index_.emplace(key(bridge, vlan), n);
  const auto add_table = [&] {
    table_bridge_.push_back(bridge);
    return static_cast<std::uint32_t>(table_bridge_.size() - 1);
  };
  std::uint32_t table;
  if (model_[bridge].vlan_aware) {
    table = add_table();
  } else {
    if (bridge_table_[bridge.index()] == kNone) bridge_table_[bridge.index()] = add_table();
    table = bridge_table_[bridge.index()];
  }
  const model::Bridge& settings = model_[bridge];
  Node node{.bridge = bridge, .vlan = vlan, .table = table, .component = component, .up = {}, .down = {}};
  node.kind = settings.kind;
  node.learns = settings.learning && settings.ageing.count() > 0 && switching::learns(settings.kind);
  node.ports_learn = std::ranges::all_of(settings.ports, [&](PortId p) { return model_[p].learning; });
  nodes_.push_back(node);
  return n;
}

bool Forest::step(NodeIndex from, PortId port, BridgeId& bridge, std::uint16_t& vlan) const {
  if (!usable_[port.index()]) return false;
  const PortId far = peer(model_, port);
  if (!usable_[far.index()]) return false;
  bridge = model_[far].bridge;
  std::uint16_t tag;
  return bridge.valid() && leave(model_, port, nodes_[from].vlan, tag) && enter(model_, far, tag, vlan);
}

// Breadth first, so that ways are short and parents come before children.
void Forest::grow(NodeIndex root, std::vector<std::vector<Edge>>& edges) {
  Component& component = components_.back();
  for (NodeIndex n = root; n < nodes_.size(); ++n) {
    edges.resize(std::max<std::size_t>(edges.size(), n + 1));
    for (const PortId port : model_[nodes_[n].bridge].ports) {
      BridgeId bridge, back_bridge;
      std::uint16_t vlan, back_vlan;
      if (!step(n, port, bridge, vlan)) continue;
      const PortId far = peer(model_, port);
      const auto known = index_.find(key(bridge, vlan));
      const bool is_new = known == index_.end();
      const NodeIndex to = is_new ? visit(bridge, vlan, nodes_[n].component) : known->second;
      edges[n].push_back({port, to, far});
      if (!step(to, far, back_bridge, back_vlan) ||
          key(back_bridge, back_vlan) != key(nodes_[n].bridge, nodes_[n].vlan)) {
        component.one_way = components_[nodes_[to].component].one_way = true;
      }
      if (is_new) {
        Node& child = nodes_[to];
        child.parent = n;
        child.up = far;
        child.down = port;
        child.depth = nodes_[n].depth + 1;
      } else if (nodes_[to].component == nodes_[n].component && !is_of_mesh(n, port, to) &&
                 !(nodes_[n].parent == to && nodes_[n].up == port) &&
                 !(nodes_[to].parent == n && nodes_[to].up == far)) {
        component.ring = true;
      }
    }
  }
}

// Endpoints of one tunnel are all joined to one another, and hand nothing on from one to the next. The first
// of them that a walk comes to is the parent of the others.
bool Forest::is_of_mesh(NodeIndex a, PortId port, NodeIndex b) const {
  return model_[port].tunnel && nodes_[a].parent != kNone && nodes_[a].parent == nodes_[b].parent &&
         model_[nodes_[a].up].tunnel && model_[nodes_[b].up].tunnel;
}

// Through the tree a way from one endpoint to another would go by way of their parent; they go straight.
void Forest::straighten(std::vector<Step>& way) const {
  for (std::size_t i = 1; i + 1 < way.size(); ++i) {
    if (!model_[way[i].in].tunnel || !model_[way[i].out].tunnel) continue;
    for (const Edge& edge : edges(way[i - 1].node)) {
      if (edge.to != way[i + 1].node) continue;
      way[i - 1].out = edge.port;
      way[i + 1].in = edge.far;
    }
    way.erase(way.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

void Forest::judge_kind(Component& component, NodeIndex n) {
  const model::Bridge& bridge = model_[nodes_[n].bridge];
  // What the flows of Open vSwitch do is in the way; and one that sends a frame to another bridge twice, by
  // itself and by NORMAL, is more than a walk follows.
  for (const model::FlowRule& rule : bridge.flow_rules) {
    component.bends = true;
    const auto leads_on = [&](PortId out) {
      return usable_[out.index()] && model_[peer(model_, out)].bridge.valid();
    };
    component.beyond |= rule.normal && std::ranges::any_of(rule.out, leads_on);
  }
  std::size_t uplinks = 0;
  for (const PortId port : bridge.ports) {
    if (!usable_[port.index()]) continue;
    component.beyond |= model_[port].hairpin || model_[port].lag != 0;
    uplinks += model_[port].role == model::PortRole::kUplink;
    // A bridge behind a switch that knows by registration only hears what is meant for it.
    if (switching::registers(bridge.kind) && bridge.kind != BridgeKind::kHostedBridge &&
        model_[port].role != model::PortRole::kUplink && model_[peer(model_, port)].bridge.valid())
      component.bends = true;
  }
  component.beyond |= uplinks > 1 && (switching::registers(bridge.kind) || bridge.kind == BridgeKind::kBond);
}

void Forest::judge_ports(Component& component) {
  for (NodeIndex n = component.first; n < component.end; ++n) {
    const model::Bridge& bridge = model_[nodes_[n].bridge];
    judge_kind(component, n);
    for (const PortId id : bridge.ports) {
      const model::Port& port = model_[id];
      // A Linux bridge floods nothing to its own host and need not: it always knows it.
      const bool local =
          port.role == model::PortRole::kHost &&
          std::ranges::any_of(bridge.static_entries, [&](const auto& e) { return e.port == id; });
      component.bends |= port.locked;
      component.open &= (port.floods_unknown || local) && port.floods_broadcast && port.floods_multicast &&
                        (!port.isolated || port.tunnel) && !port.guard && port.mac_limit == 0 &&
                        port.storm_control == 0;
      component.plain &= component.open && !port.tunnel;
    }
  }
}

void Forest::place_stations() {
  for (std::size_t s = 0; s < places_.size(); ++s) {
    if (!places_[s].plugged() || model_[places_[s].port].station.valid()) continue;
    std::uint16_t vlan;
    enter(model_, places_[s].port, model_.stations[s].vlan, vlan);
    places_[s].node = node_at(model_[places_[s].port].bridge, vlan);
    ++components_[nodes_[places_[s].node].component].stations;
  }
}

// Whether what a member says to the others of its group gets to that one.
bool Forest::hears(StationId speaker, StationId listener) const {
  const Place &from = place(speaker), &to = place(listener);
  if (!connected(speaker, listener)) return false;
  if (from.node == kNone || components_[nodes_[from.node].component].broken()) return true;
  std::vector<Step> steps;
  way(from, to, steps);
  return std::ranges::all_of(steps, [&](const Step& step) {
    const model::Port &in = model_[step.in], &out = model_[step.out];
    return !(in.isolated && out.isolated) && switching::takes_flood(in, out, switching::FloodOf::kMulticast);
  });
}

// Of routers that share an address, those have it that hear no better one that has it
// (switching/first_hop.h).
void Forest::unplace_backups() {
  for (const model::SharedAddress& shared : model_.shared) {
    if (shared.kind == model::SharedKind::kNlb) continue;
    auto members = shared.members;
    std::ranges::sort(members, [&](const auto& a, const auto& b) {
      return switching::outranks(switching::rank_of(model_, a), switching::rank_of(model_, b));
    });
    std::vector<StationId> masters;
    for (const auto& member : members) {
      Place& own = places_[member.alias.index()];
      if (!own.plugged()) continue;
      if (std::ranges::none_of(masters, [&](StationId master) { return hears(master, member.nic); })) {
        masters.push_back(member.nic);
        continue;
      }
      if (own.node != kNone) --components_[nodes_[own.node].component].stations;
      own = {};
    }
  }
}

void Forest::distrust(BridgeId endpoint) {
  for (const Node& node : nodes_) {
    if (node.bridge != endpoint) continue;
    components_[node.component].lossy = true;
    components_[node.component].open = false;
  }
}

NodeIndex Forest::node_at(BridgeId bridge, std::uint16_t vlan) const {
  const auto found = index_.find(key(bridge, vlan));
  return found == index_.end() ? kNone : found->second;
}

bool Forest::connected(StationId a, StationId b) const {
  const Place &x = place(a), &y = place(b);
  if (!x.plugged() || !y.plugged()) return false;
  if (x.node == kNone || y.node == kNone) {
    return model_[a].vlan == model_[b].vlan && model_[a].port != model_[b].port &&
           model_[x.port].station.valid() && x.port == model_[b].port;
  }
  return nodes_[x.node].component == nodes_[y.node].component;
}

void Forest::way(const Place& from, const Place& to, std::vector<Step>& out) const {
  out.clear();
  if (from.node == kNone || to.node == kNone) return;
  NodeIndex a = from.node, b = to.node, top = a, other = b;
  while (nodes_[top].depth > nodes_[other].depth) top = nodes_[top].parent;
  while (nodes_[other].depth > nodes_[top].depth) other = nodes_[other].parent;
  while (top != other) {
    top = nodes_[top].parent;
    other = nodes_[other].parent;
  }
  PortId in = from.port;
  for (; a != top; a = nodes_[a].parent) {
    out.push_back({a, in, nodes_[a].up});
    in = nodes_[a].down;
  }
  // The way down is found from its end.
  const auto turn = static_cast<std::ptrdiff_t>(out.size());
  PortId leave = to.port;
  for (; b != top; b = nodes_[b].parent) {
    out.push_back({b, nodes_[b].up, leave});
    leave = nodes_[b].down;
  }
  out.push_back({top, in, leave});
  std::reverse(out.begin() + turn, out.end());
  if (has_mesh_) straighten(out);
}

}  // namespace sekimori::check
