// A ring of bridges in which no spanning tree blocks a port: a broadcast goes round for ever, multiplied at
// each turn.
//
// A bridge forwards between any two of its ports of a VLAN, so a ring exists when a walk over links, VLAN by
// VLAN, comes back to a bridge by another link than it left it. Ports that the converged spanning tree blocks
// are left out.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "check/rules.h"
#include "check/words.h"
#include "switching/kinds.h"
#include "switching/spanning_tree.h"
#include "switching/vlan.h"

namespace sekimori::check {
namespace {

using model::BridgeId;
using model::LinkId;
using model::PortId;

using Node = std::pair<BridgeId, std::uint16_t>;

class RingSearch {
 public:
  RingSearch(const model::Model& m, const std::vector<bool>& up, const std::vector<bool>& blocked)
      : m_(m), up_(up), blocked_(blocked) {}

  // The bridges of a ring in the segment; empty when it is a tree.
  std::vector<BridgeId> find(const std::vector<Node>& nodes) {
    for (const Node& start : nodes) {
      if (came_by_.contains(start)) continue;
      came_by_[start] = {start, LinkId{}};
      std::vector<Node> open{start};
      while (!open.empty()) {
        const Node at = open.back();
        open.pop_back();
        for (const PortId port : m_[at.first].ports) {
          Node to;
          if (!cross(at, port, to)) continue;
          const LinkId link = m_[port].link;
          const auto [entry, is_new] = came_by_.try_emplace(to, at, link);
          if (is_new) {
            open.push_back(to);
          } else if (link != came_by_[at].second && link != entry->second.second &&
                     !is_of_mesh(port, came_by_[at].first, entry->second.first)) {
            return ring(at, to);
          }
        }
      }
    }
    return {};
  }

 private:
  // Endpoints of a tunnel, found from one and the same of them: nothing goes from one to the next.
  bool is_of_mesh(PortId port, const Node& before, const Node& before_other) const {
    return m_[port].tunnel && before == before_other && m_[before.first].kind == model::BridgeKind::kVtep;
  }

  bool cross(const Node& at, PortId port, Node& to) const {
    const LinkId link = m_[port].link;
    if (!link.valid() || !up_[link.index()] || blocked_[port.index()]) return false;
    const PortId far = peer(m_, port);
    if (is_of_team(port) || is_of_team(far)) return false;
    if (!m_[far].bridge.valid() || blocked_[far.index()]) return false;
    std::uint16_t tag = at.second;
    if (m_[at.first].vlan_aware) {
      const auto out = switching::egress_tag(m_[port], m_.vlan_sets[m_[port].tagged_vlans], at.second);
      if (!out) return false;
      tag = *out;
    }
    std::uint16_t vlan = tag;
    if (m_[m_[far].bridge].vlan_aware) {
      const auto in =
          switching::classify(m_[m_[far].bridge].kind, m_[far], m_.vlan_sets[m_[far].tagged_vlans], tag);
      if (!in) return false;
      vlan = *in;
    }
    to = {m_[far].bridge, vlan};
    return true;
  }

  // Nothing goes from one uplink of a bond, or of a virtual switch that registers its NICs, to another, and
  // of a link aggregation group one link counts.
  bool is_of_team(PortId port) const {
    if (m_[port].lag != 0) {
      const auto& ports = m_[m_[port].bridge].ports;
      return port != *std::ranges::find_if(
                         ports, [&](PortId p) { return m_[p].lag == m_[port].lag && m_[p].link.valid(); });
    }
    if (m_[port].role != model::PortRole::kUplink) return false;
    const model::Bridge& bridge = m_[m_[port].bridge];
    const bool is_team = switching::registers(bridge.kind) || bridge.kind == model::BridgeKind::kBond;
    return is_team && std::ranges::count_if(
                          bridge.ports, [&](PortId p) { return m_[p].role == model::PortRole::kUplink; }) > 1;
  }

  std::vector<Node> way_back(Node node) {
    std::vector<Node> way{node};
    while (came_by_[node].first != node) way.push_back(node = came_by_[node].first);
    return way;
  }

  // Two ways from the start meet; what they do not share is the ring, with the node where they part.
  std::vector<BridgeId> ring(const Node& a, const Node& b) {
    std::vector<Node> first = way_back(a), second = way_back(b);
    while (first.size() > 1 && second.size() > 1 && first[first.size() - 2] == second[second.size() - 2]) {
      first.pop_back();
      second.pop_back();
    }
    std::vector<BridgeId> bridges;
    for (const Node& node : first) bridges.push_back(node.first);
    for (const Node& node : second) {
      if (std::ranges::find(bridges, node.first) == bridges.end()) bridges.push_back(node.first);
    }
    return bridges;
  }

  const model::Model& m_;
  const std::vector<bool>& up_;  // links
  const std::vector<bool>& blocked_;
  std::map<Node, std::pair<Node, LinkId>> came_by_;  // where each was entered from, and by which link
};

// Ports of the ring where a BPDU filter keeps the spanning tree out: it would block one of them.
std::vector<PortId> filtered_ports(const model::Model& m, const std::vector<BridgeId>& ring) {
  std::vector<PortId> ports;
  const auto in_ring = [&](BridgeId bridge) { return std::ranges::find(ring, bridge) != ring.end(); };
  for (const BridgeId bridge : ring) {
    for (const PortId port : m[bridge].ports) {
      const PortId far = peer(m, port);
      if (m[port].bpdu_filter && far.valid() && m[far].bridge.valid() && in_ring(m[far].bridge))
        ports.push_back(port);
    }
  }
  return ports;
}

bool runs_a_tree(const model::Model& m, const std::vector<BridgeId>& ring) {
  return std::ranges::all_of(ring, [&](BridgeId bridge) { return m[bridge].stp; });
}

}  // namespace

void rule_loop(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::vector<bool> up;
  for (const model::Link& link : m.links) up.push_back(link.up);
  switching::shut_by_guards(m, up);
  const std::vector<bool> blocked = switching::blocked_ports(m, up);
  for (const model::Segment& segment : site.segments.list) {
    if (segment.bridges.empty()) continue;
    const auto ring = RingSearch(m, up, blocked).find(segment.bridges);
    if (ring.empty()) continue;
    std::vector<std::string> members;
    BridgeId inside;
    for (const BridgeId b : ring) {
      members.push_back(name_of(m, b));
      if (m[b].machine.valid() && m[m[b].machine].kind == model::MachineKind::kGuest) inside = b;
    }
    findings::Finding f;
    f.code = findings::Code::kLoop;
    f.severity = findings::entry(f.code).severity;
    f.certainty = findings::Certainty::kProved;
    f.bridge = inside.valid() ? inside : ring.front();
    f.line = m[f.bridge].line;
    f.where = base::list_words(members);
    const auto filtered = filtered_ports(m, ring);
    const bool by_filter = !filtered.empty() && runs_a_tree(m, ring);
    f.headline = by_filter ? fmt::format("{} form a ring that the spanning tree cannot see", f.where)
                           : fmt::format("{} form a ring without a spanning tree", f.where);
    f.cause = inside.valid()
                  ? fmt::format(
                        "{} bridges two of its NICs that are in one segment, and so closes a ring with {}. ",
                        name_of(m, m[inside].machine), f.where)
                  : fmt::format("{} are joined in a ring. ", f.where);
    if (by_filter) {
      f.cause += fmt::format(
          "All of them run a spanning tree, but {} {} a BPDU filter: the tree neither says nor hears "
          "anything "
          "there, takes it for a port towards machines, and blocks nothing. ",
          names(m, filtered, 4), filtered.size() == 1 ? "has" : "have");
    }
    f.cause += by_filter
                   ? "A frame to everybody, or to a station nobody has learnt, goes round for ever and is "
                     "copied out of every port at each turn."
                   : "No spanning tree blocks any link of it: a frame to everybody, or to a station nobody "
                     "has learnt, goes round for ever and is copied out of every port at each turn.";
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
