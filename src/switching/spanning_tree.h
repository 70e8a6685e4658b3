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
// The exchange of BPDUs in time is not modelled here: engines apply the outcome when the protocol would have
// converged.
#pragma once

#include <vector>

#include "model/model.h"

namespace sekimori::switching {

// Path cost of a port by its link's rate (802.1D-2004 table 17-3).
std::uint32_t path_cost(model::BitRate rate);

// For every port of the model: true when the converged spanning tree blocks it. `link_up` is by link index;
// ports of bridges that run no spanning tree are never blocked.
std::vector<bool> blocked_ports(const model::Model& model, const std::vector<bool>& link_up);

}  // namespace sekimori::switching
