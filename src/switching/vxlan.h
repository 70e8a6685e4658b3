// VXLAN (RFC 7348; drivers/net/vxlan/vxlan_core.c): a bridge's port whose wire is the IP network between
// hosts.
//
// An endpoint (VTEP) of kind `kVtep` is a bridge of its own with a port to the bridge of its host and one for
// each remote endpoint. A frame that leaves by one of these travels in UDP port 4789 from host to host, 50
// bytes longer (14 Ethernet, 20 IP, 8 UDP, 8 VXLAN), with what routes, switches and links of the network
// below do to it.
//
//   from the bridge    known address -> its endpoint; unknown, or a group -> a copy to each of them
//                      (head-end replication: vxlan_xmit, the all-zeros entry)
//   from an endpoint   the bridge, whatever the table says, and never on to another endpoint (vxlan_rcv hands
//                      it up): the split horizon, without which the full mesh of endpoints would be a ring
//   learns             inner source -> endpoint, from what comes from endpoints only (vxlan_snoop); ageing
//                      300 s; `learning: off` with static entries is what EVPN does
//
// The packets themselves are unicast between hosts. So a frame that an endpoint floods is n - 1 unicast
// frames on the network below, on the links of hosts that have no use for it.
#pragma once

#include <cstdint>

#include "model/model.h"

namespace sekimori::switching {

constexpr std::uint16_t kVxlanBytes = 50;  // around the inner frame, untagged outside
constexpr std::uint16_t kVxlanPort = 4789;

// What comes in there is handed to the bridge, without a look at the table.
inline bool hands_in(const model::Port& in) { return in.tunnel; }

}  // namespace sekimori::switching
