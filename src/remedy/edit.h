// The changes that remedies make to a copy of a model.
#pragma once

#include <string>
#include <vector>

#include "model/model.h"

namespace sekimori::remedy {

// Ends the segment at this link: a router takes its place, with a leg in the segment on each side. The
// stations on the link's `b` side (seen from `keep`, the end that stays as it is) get addresses of another
// network, host part kept, and every machine a route to the other side. Returns the router's name; empty when
// the link is no bridge between two sides, so that a router in its place would not part them.
std::string insert_router(model::Model& model, model::LinkId link, model::PortId keep);

// Routes what a hosted bridge bridges: the machine's NIC takes the wire, the bridge becomes a Linux bridge
// without uplinks whose own interface routes. Its guests get addresses of another network, host part kept,
// and the interface as their gateway; a `routed` network becomes known to every machine of the NIC's segment.
// Returns the guests' network; length 0 when the bridge is more than guests and the machine's own NIC.
model::Ipv4Prefix route_instead(model::Model& model, model::BridgeId bridge, model::Routing routing);
// Moves the NICs from their ports to a switch of their own, and joins it to `to` by a link. The answer is the
// end of that link at `to`; invalid when a NIC has no cable to a bridge.
model::PortId part(model::Model& model, const std::vector<model::StationId>& nics, model::BridgeId to);

// The port by which the bridge reaches all of the stations; invalid when there is no such one.
model::PortId one_way_to(const model::Model& model, model::BridgeId bridge,
                         const std::vector<model::StationId>& stations);

// A fresh address for the station, unlike any other of the site.
model::Mac assign_fresh_mac(model::Model& model, model::StationId station);
// The next unused address of its subnet; zero when there is none.
model::Ipv4 assign_fresh_ip(model::Model& model, model::StationId station);

}  // namespace sekimori::remedy
