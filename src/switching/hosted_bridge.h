// The bridge of a hosted hypervisor: VMware Workstation, Player and Server on Linux ("vmnet"), and in the
// same spirit VirtualBox without its transmit filter.
//
// It is not a bridge in the sense of IEEE 802.1D: it learns nothing and sits *beside* the host's stack, not
// under it. The hypervisor's module attaches to the physical NIC like a packet sniffer (dev_add_pack,
// ETH_P_ALL) and so gets a copy of every frame the host sends or the NIC receives; that copy goes to the
// virtual hub on which the guests are. The original goes its usual way. What guests send is put on the wire
// unless it is for the host, and handed up to the host if it is for the host or a group:
//
//   from     to the wire                       to the host             to the guests
//   guest    unless the destination is the     destination is the      as on a hub
//            host's own MAC                    host's MAC or a group
//   host     ALWAYS, also when the             -                       copy
//            destination is one of its guests
//   wire     -                                 yes                     copy
//
// So guest -> host never appears outside, and host -> guest always does: the switch outside sees the guest as
// a destination but, as far as this traffic goes, never as a source, and has to flood (landmine 1 of the
// project). Note that guest -> guest goes out too; there the switch does learn both, and filters the frames.
//
// Source of the semantics: github.com/mkubecek/vmware-host-modules, vmnet-only/bridge.c, functions
// VNetBridgeReceiveFromVNet (`MAC_EQ(dest, dev->dev_addr)` decides against DEV_QUEUE_XMIT; VNetPacketMatch
// for the way up) and VNetBridgeReceiveFromDev (VNetSend of every frame); hub.c, VNetHubReceive. VirtualBox
// filters the host's frames where it can (vboxNetFltLinuxStartXmitFilter overrides ndo_start_xmit): the
// option `filters-local`.
#pragma once

#include "switching/destination.h"

namespace sekimori::switching {

// "As on a hub" is decided by address here, since a guest's NIC discards what is not for it; a guest that
// bridges has a NIC that takes everything (registered.h, hears).
constexpr bool hosted_bridge_relays(const Passage& p, bool filters_local) {
  using enum model::PortRole;
  using enum Destination;
  const bool is_guest = p.destination == kThisGuest || p.destination == kOtherGuest;
  switch (p.out) {
    case kUplink:
      if (p.in == kHost) return !(filters_local && is_guest);
      return p.in == kGuest && p.destination != kTheHost;
    case kHost:
      return p.in == kUplink || p.destination == kTheHost || p.destination == kGroup;
    case kGuest:
      return p.destination == kThisGuest || p.destination == kGroup;
    case kNetwork:
      return false;
  }
  return false;
}

}  // namespace sekimori::switching
