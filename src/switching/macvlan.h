// macvlan: several MACs on one NIC (the "lower device"), without a bridge.
//
// A macvlan device has an address of its own; the driver looks at frames that come in at the lower device
// before the host's stack does, and takes those for its devices away. What a device sends goes straight out
// of the lower device, and so does what the host sends: **neither ever sees the other**. Guests and host can
// only meet over a switch outside that sends frames back where they came from (a hairpin or "VEPA" port).
//
//   from    mode               for another guest here    to a group                       to anybody else
//   guest   bridge             that guest alone          other guests and the wire        the wire
//           vepa, private,     the wire                  the wire                         the wire
//           passthru
//   host                       the wire                  the wire                         the wire
//   wire    any                that guest                all guests and the host (1)      the host (2)
//
// (1) A group frame that a guest of this device sent and the switch outside reflects is treated by the mode
// of its sender: bridge: the other bridge guests saw it on its way out and do not get it again; vepa: all but
// the sender get it; private and passthru: it is handed to the sender alone, and the host does not get it
// either. Unicast is not looked at so closely: reflected, it reaches the guest it is for in *every* mode,
// private too. (2) passthru has one guest, which takes over the NIC, whatever the address; the NIC is then
// promiscuous.
//
// In bridge mode the destination is looked up without regard to who sends: a guest that sends to its own
// address gets its frame back. Groups are groups: frames for 01-80-C2-00-00-0x, BPDUs and LLDP among them,
// pass as any other. Nothing is filtered by VLAN.
//
// Source: Linux, drivers/net/macvlan.c, macvlan_handle_frame, macvlan_process_broadcast and
// macvlan_queue_xmit.
#pragma once

#include "switching/destination.h"

namespace sekimori::switching {

constexpr bool macvlan_relays(const Passage& p, model::MacvlanMode mode) {
  using enum model::PortRole;
  using enum Destination;
  using enum model::MacvlanMode;
  const bool for_a_guest = p.destination == kThisGuest || p.destination == kOtherGuest;
  const bool handed_back = p.reflected && (mode == kPrivate || mode == kPassthru);
  switch (p.out) {
    case kUplink:
      return p.in == kHost || (p.in == kGuest && !(mode == kBridge && for_a_guest));
    case kHost:
      if (p.in != kUplink) return false;
      if (p.destination == kGroup) return !handed_back;
      return !for_a_guest && mode != kPassthru;
    case kGuest:
      if (p.in == kHost) return false;
      if (p.in == kGuest) return mode == kBridge && (p.destination == kThisGuest || p.destination == kGroup);
      if (p.destination != kGroup) return p.destination == kThisGuest || mode == kPassthru;
      if (!p.reflected) return true;
      return handed_back ? p.from_this_guest : mode == kVepa && !p.from_this_guest;
    case kNetwork:
      return false;
  }
  return false;
}

// Whether a frame for that may leave where it came in.
constexpr bool macvlan_returns(Destination destination, model::MacvlanMode mode) {
  return mode == model::MacvlanMode::kBridge && destination != Destination::kGroup;
}

}  // namespace sekimori::switching
