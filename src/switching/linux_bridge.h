// The Linux bridge. Out of the box it is a learning switch like any other: entries live 300 s and its table
// is unbounded (fdb.h), tags pass as they are (vlan_filtering 0), no spanning tree runs. This differs from a
// physical switch:
//
// **Ageing 0 does not mean "for ever".** An entry is older than that at once, so the bridge floods every
// unicast frame that is not for itself, also to stations that it has just heard (net/bridge/br_fdb.c,
// has_expired): finding `ageing-zero`.
//
// **Its own interface is a port that needs no learning.** The addresses of the bridge and of its ports are in
// the table as local entries; what is for them is handed up (br_input.c, br_handle_frame_finish). Unless it
// was set by hand, the bridge's address is the lowest of its ports', and changes when a port comes or goes
// (br_stp_if.c, br_stp_recalculate_bridge_id): finding `mac-bridge-changes`.
//
// **Ports have flags** (linux/if_link.h, IFLA_BRPORT_*), which say of a frame
//
//   learning off     its source is not learnt here
//   locked           it is dropped, unless the table has its source at this port already; nor is it learnt
//   flood off        it does not leave here if its destination is unknown
//   bcast_flood off  nor if it is a broadcast,     ) but for those that the bridge's own host sends
//   mcast_flood off  nor if it is for other groups ) (br_forward.c, br_flood; br_device.c)
//   isolated         it does not go from one such port to another
//   hairpin_mode     it may leave by the port that it came in at
//   neigh_suppress   questions whose answers are known do not leave here (suppression.h)
//   group_fwd_mask   frames for 01-80-C2-00-00-0x that come in here are handed on (link_local.h)
//
// With vlan_filtering 1 it is vlan.h; VLAN devices on its ports take frames away below it (vlan_devices.h).
// fdb_max_learned bounds the entries that were learnt (fdb.h). Who listens to IGMP and MLD is snooping.h; its
// spanning tree is stp.h, or, without, BPDUs pass (kinds.h).
//
// Other kinds use the flags for what they have of the same sort: unknown-unicast block, private VLANs, the
// split horizon of an E-LAN.
#pragma once

#include "model/model.h"

namespace sekimori::switching {

// What makes a frame leave by all ports.
enum class FloodOf : std::uint8_t { kUnknownUnicast, kBroadcast, kMulticast };

// The port takes such floods, of what came in at `in`.
constexpr bool takes_flood(const model::Port& in, const model::Port& out, FloodOf what) {
  if (what == FloodOf::kUnknownUnicast) return out.floods_unknown;
  if (in.role == model::PortRole::kHost) return true;
  return what == FloodOf::kBroadcast ? out.floods_broadcast : out.floods_multicast;
}

}  // namespace sekimori::switching
