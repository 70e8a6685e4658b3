// Who is in which multicast groups, and who asks for it.
#pragma once

#include <optional>
#include <vector>

#include "model/model.h"

namespace sekimori::model {

// The groups of one IP version that the station says it is in: those it has joined, and of an IPv6 address
// the solicited-node group that Neighbor Discovery asks (RFC 4861 section 7.2.1). In order.
std::vector<Group> groups_of(const Model& m, StationId station, bool ipv6);
bool is_member(const Model& m, StationId station, const Group& group);

// Somebody in the site asks who is in which group.
bool has_querier(const Model& m);
// Somebody joins a group, sends to one, or asks.
bool uses_groups(const Model& m);

// Whether a bridge that is a querier asks in that IP version: IPv6 where the site has it, and a Linux bridge
// where it has an address (net/bridge/br_multicast.c, BROPT_HAS_IPV6_ADDR).
bool asks_for(const Model& m, BridgeId bridge, bool ipv6);
// The VLANs of a bridge's untagged ports, and of tagged stations of the site that it carries; 0 where it
// knows none.
std::vector<std::uint16_t> vlans_of(const Model& m, BridgeId bridge);
// The address of the bridge's own interface; none when it has none.
std::optional<Mac> own_address(const Model& m, BridgeId bridge);
// What a querier's questions come from: the bridge's own interface where it has one.
Mac querier_mac(const Model& m, BridgeId bridge);

}  // namespace sekimori::model
