// The spanning tree that IEEE 802.1D bridges agree on, as the outcome of the protocol: which ports end up
// blocked.
//
// The bridge with the least identifier (priority, then address) is the root. Every other bridge keeps as its
// root port the one with the best priority vector (root path cost, then the sender's bridge identifier, then
// its port), and each LAN keeps one designated port by the same order; every other port is blocked
// (802.1D-2004 clause 17.6, which gives the same tree as 1998's clause 8.3.2). A "LAN" is whatever joins
// ports of spanning-tree bridges: a link, or several links with bridges between them that run no spanning
// tree and relay BPDUs like any other frame.
//
// The exchange of BPDUs in time is played by stp.h and rstp.h; this is what they come to, which is what the
// simulator starts from and what is proved without a run. A port with a BPDU filter is none of the tree's: it
// says nothing, hears nothing, and forwards.
#pragma once

#include <vector>

#include "model/model.h"
#include "switching/tree.h"

namespace sekimori::switching {

// Path cost of a port by its link's rate (802.1D-2004 table 17-3).
std::uint32_t path_cost(model::BitRate rate);
// Of a port with a link: as it says itself, or by its rate.
std::uint32_t path_cost(const model::Model& model, model::PortId port);

// Bridges are told apart by priority, then by their place in the model, which stands for the address: the
// model has none for switches, and needs none.
tree::Identifier identifier(const model::Model& model, model::BridgeId bridge);
inline model::BridgeId bridge_of(tree::Identifier identifier) {
  return model::BridgeId(identifier & 0xffff'ffffu);
}
tree::Times timers(const model::Bridge& bridge);

// For every port of the model what the converged spanning tree makes of it (kDisabled: no part of it), and in
// short whether that is to discard. `link_up` is by link index. Ports of bridges that run no spanning tree
// are never blocked.
std::vector<tree::Settled> settled_tree(const model::Model& model, const std::vector<bool>& link_up);
std::vector<bool> blocked_ports(const model::Model& model, const std::vector<bool>& link_up);

// Links that BPDU guards shut as soon as bridges speak: a guarded port whose LAN has another bridge of the
// tree on it. Those that stay up are left in `link_up`; the ports that shut the others are returned.
std::vector<model::PortId> shut_by_guards(const model::Model& model, std::vector<bool>& link_up);

}  // namespace sekimori::switching
