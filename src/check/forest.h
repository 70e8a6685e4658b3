// The forest of a site: for each VLAN the tree of bridges that its frames can use. What the learning analysis
// and the load model walk on.
//
// A **node** is a bridge in one VLAN (on bridges that know no VLANs: in one tag that passes it). Nodes that
// frames can pass between, both ways, make a **component**; a component without a ring is a tree, and in a
// tree there is one way from a station to another, and at each bridge one port that leads to a station.
// Everything that is proved rests on that, so a component with a ring (no spanning tree runs, or none can),
// or in which a frame crosses into another VLAN on the way out than on the way back, is **broken**: nothing
// is claimed of it. Ports that the converged spanning tree blocks, links that are down and the NICs of
// machines that are off are not part of the forest.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/model.h"

namespace sekimori::check {

using model::BridgeId;
using model::PortId;
using model::StationId;
using NodeIndex = std::uint32_t;
constexpr std::uint32_t kNone = 0xffff'ffffu;

// A way from a node to a neighbouring one.
struct Edge {
  PortId port;   // of this node's bridge
  NodeIndex to;  // the neighbour
  PortId far;    // of the neighbour's bridge
};

struct Node {
  BridgeId bridge;
  std::uint16_t vlan = 0;       // as in the FDB of an aware bridge; else the tag
  std::uint32_t table = kNone;  // its FDB: one per VLAN on aware bridges, one per bridge on others
  std::uint32_t component = 0;
  model::BridgeKind kind = model::BridgeKind::kSwitch;
  bool learns = false;       // its bridge keeps entries: it learns, and its ageing time is not 0
  bool ports_learn = true;   // and learns at every port
  NodeIndex parent = kNone;  // towards the root; parents come before their children
  PortId up, down;           // own port towards the parent, and the parent's port towards this node
  std::uint32_t depth = 0;
};

struct Component {
  NodeIndex first = 0, end = 0;  // its nodes
  std::uint32_t stations = 0;    // running, plugged in
  bool ring = false;             // frames can go round
  bool one_way = false;          // a link changes VLANs on the way back
  // No port blocks, limits or polices anything on its way: what is sent arrives, if no link is overloaded.
  bool open = true;
  // And nothing is special about any of them: it is open, without tunnels.
  bool plain = true;
  // A frame may come back or arrive twice without a ring: teams of uplinks, ports that reflect, some flows of
  // Open vSwitch.
  bool beyond = false;
  // A frame may turn off its way though no port keeps it back: flows of Open vSwitch, a bridge behind a
  // switch that knows by registration.
  bool bends = false;
  // A tunnel is part of it whose packets may not arrive.
  bool lossy = false;
  bool broken() const { return ring || one_way || beyond; }
};

// Where a station is plugged in: a node and the bridge port there; or, without a node, the port of another
// station at the other end of a plain cable. Neither: unplugged or switched off.
struct Place {
  NodeIndex node = kNone;
  PortId port;
  bool plugged() const { return port.valid(); }
};

// One step of a way through the forest: into the node at `in`, out at `out`.
struct Step {
  NodeIndex node;
  PortId in, out;
};

class Forest {
 public:
  explicit Forest(const model::Model& model);

  std::span<const Node> nodes() const { return nodes_; }
  std::span<const Component> components() const { return components_; }
  const Node& operator[](NodeIndex n) const { return nodes_[n]; }
  std::span<const Edge> edges(NodeIndex n) const {
    return {edges_.data() + first_edge_[n], first_edge_[n + 1] - first_edge_[n]};
  }
  const Place& place(StationId s) const { return places_[s.index()]; }
  std::size_t tables() const { return table_bridge_.size(); }
  BridgeId table_bridge(std::uint32_t table) const { return table_bridge_[table]; }
  // kNone when no running station is there.
  NodeIndex node_at(BridgeId bridge, std::uint16_t vlan) const;
  // Frames can leave at this port: plugged in, up, not blocked by the spanning tree, somebody at the far end.
  bool usable(PortId port) const { return usable_[port.index()]; }

  // The way from one station to another of the same, unbroken component; empty for a plain cable. O(its
  // length).
  void way(const Place& from, const Place& to, std::vector<Step>& out) const;
  // What this endpoint of a tunnel sends, or is sent, may not arrive.
  void distrust(BridgeId endpoint);
  // Aliases of a shared address whose member is a backup are not plugged in.
  // Both reach each other at all.
  bool connected(StationId a, StationId b) const;

 private:
  void grow(NodeIndex root, std::vector<std::vector<Edge>>& edges);
  NodeIndex visit(BridgeId bridge, std::uint16_t vlan, std::uint32_t component);
  // Where a frame of `from` gets to over that port; false when it is dropped.
  bool step(NodeIndex from, PortId port, BridgeId& bridge, std::uint16_t& vlan) const;
  bool is_of_mesh(NodeIndex a, PortId port, NodeIndex b) const;
  void straighten(std::vector<Step>& way) const;
  void judge_ports(Component& component);
  void judge_kind(Component& component, NodeIndex n);
  void place_stations();
  void unplace_backups();
  bool hears(StationId speaker, StationId listener) const;

  const model::Model& model_;
  bool has_mesh_ = false;
  std::vector<Node> nodes_;
  std::vector<Component> components_;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> first_edge_;
  std::vector<Place> places_;
  std::vector<bool> usable_;
  std::vector<BridgeId> table_bridge_;
  std::vector<std::uint32_t> bridge_table_;  // of bridges that know no VLANs
  std::unordered_map<std::uint64_t, NodeIndex> index_;
};

}  // namespace sekimori::check
