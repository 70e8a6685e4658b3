// The switch inside an SR-IOV NIC, in its usual mode (VEB, "legacy"): virtual functions for guests, the
// physical function for the host, the wire.
//
// Its table is filled by the drivers: the addresses of the virtual functions, the address of the physical
// function, and what somebody adds by hand (`bridge fdb add ADDRESS dev PF`; here `static` entries at the
// PF's port). It learns nothing. What is not in the table goes
//
//   from a VF or the PF   out of the wire, and NOT to the PF
//   from the wire         to the PF
//
// So as long as everybody's address is in the table, all is well. But put a software bridge on the PF and a
// guest on that bridge: the guest's address is not in the table. A VF that sends to it sends out of the wire.
// The switch outside either knows that this address is behind the very port the frame came from, and drops
// it; or it has never heard it, because what the guest sends to the VF is found in the table and stays inside
// the NIC: then it floods the frame to everybody but the one it is for (`flood-veb`). Broadcasts go
// everywhere, so address resolution works and hides the cause.
//
// Sources: IEEE 802.1Qbg-2012 clause 5 (VEB); commit text "net/mlx5: E-Switch, Add SR-IOV (FDB) support":
// unmatched traffic goes to the uplink, and from the uplink to the PF; Intel's behaviour is the same for
// addresses that are not the host's own: github.com/canonical/hotsos/issues/365, mlx4_br
// (github.com/yujincheng08/mlx4_br/issues/1).
#pragma once

#include "switching/destination.h"

namespace sekimori::switching {

// The PF is a port of role `host` when the host's own stack is there, `network` when a software bridge is.
constexpr bool sriov_relays(const Passage& p) {
  using enum model::PortRole;
  using enum Destination;
  switch (p.out) {
    case kUplink:
      return p.in != kUplink && (p.destination == kGroup || p.destination == kElsewhere);
    case kHost:
    case kNetwork:
      if (p.destination == kElsewhere) return p.in == kUplink;
      return p.destination == kTheHost || p.destination == kGroup;
    case kGuest:
      return p.destination == kThisGuest || p.destination == kGroup;
  }
  return false;
}

}  // namespace sekimori::switching
