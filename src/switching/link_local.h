// Frames for 01-80-C2-00-00-00 to 0F, the addresses of protocols between neighbours on one cable: spanning
// trees (00), pause (01), LACP (02), 802.1X (03), LLDP (0E) and others. A bridge of IEEE 802.1Q-2018 (section
// 8.6.3) keeps all of them to itself. What the kinds of switch make of that:
//
//   address     Linux bridge                                       others that keep a table
//   00          forwarded without a spanning tree, else its own    forwarded without a spanning tree, if the
//                                                                  kind relays BPDUs (kinds.h)
//   01          dropped; teaches nothing                           dropped
//   02          dropped, unless its port's mask has the bit        dropped
//   03 to 0F    dropped, unless its mask or the port's has the     dropped
//               bit
//
// What a Linux bridge does not forward is handed to the programs that listen at the port, such as lldpd, and
// teaches the table its source all the same, also at a locked port. What it forwards goes the way of any
// group: at a locked port the source must be known. Its own host's frames for these addresses leave by all
// ports.
//
// The bits are those of `ip link ... type bridge group_fwd_mask`. A bridge's mask takes none of the first
// three, a port's not the second. Without a bit for LACP an aggregation group can't lead through the bridge;
// with it two switches, or a guest and a switch, may bundle links that end at the bridge.
//
// Source: net/bridge/br_input.c, br_handle_frame, __br_handle_local_finish; br_private.h,
// BR_GROUPFWD_RESTRICTED; br_device.c, br_dev_xmit.
#pragma once

#include "model/group_forward.h"
#include "switching/kinds.h"

namespace sekimori::switching {

enum class LinkLocal : std::uint8_t {
  kForwarded,
  kKept,     // teaches its source, and ends here
  kDropped,  // does not even that
};

// The destination is one of these addresses; the bridge is of a kind that filters them (kinds.h).
inline LinkLocal link_local(const model::Bridge& bridge, const model::Port& in, wire::Mac destination) {
  const unsigned last = destination.bits & 0xf;
  const bool is_tree = last == 0;
  if (is_tree && !bridge.stp && relays_bpdus(bridge.kind)) return LinkLocal::kForwarded;
  if (bridge.kind != model::BridgeKind::kLinuxBridge) return LinkLocal::kDropped;
  if (in.role == model::PortRole::kHost) return LinkLocal::kForwarded;
  if (last == 1) return LinkLocal::kDropped;
  const unsigned mask = in.group_forward_mask | (bridge.group_forward_mask & ~model::kBridgeMayNotForward);
  return (mask >> last & 1) != 0 ? LinkLocal::kForwarded : LinkLocal::kKept;
}

}  // namespace sekimori::switching
