// The virtual switches of VMware ESXi, standard and distributed, and Microsoft's Hyper-V switch.
//
// A vSwitch learns nothing. The hypervisor plugs the virtual NICs in and so knows every address on its ports;
// all else is outside. That makes it simple and free of loops by construction:
//
//   from     for a NIC here   to a group                          to anybody else
//   guest    that port        all other ports and one uplink      one uplink
//   host     (a vmkernel NIC is a port like a guest's)
//   uplink   that port        all ports but uplinks               DROPPED
//
// A frame never goes from one uplink to another, so a team of uplinks needs no spanning tree; BPDUs are
// ignored. A frame that comes in from outside with the address of a guest of this very switch is a reflection
// and dropped. Which uplink of a team a frame takes, and which uplink a port takes group frames from, is in
// teaming.h.
//
// Because unknown addresses from outside are dropped, a guest that is a bridge or a hypervisor itself is cut
// off: frames for the addresses behind its NIC are for nobody here, and its own frames with these addresses
// are forged. Two policies of the port change that: with *promiscuous mode* a NIC that asks for it gets every
// frame of its VLAN on this switch; *forged transmits* lets it send with other addresses than its own. Both
// must be on for nesting.
//
// VLANs: a port group has one (`access`), or hands tags through to the guest (`trunk`); uplinks carry all.
//
// Sources: VMware, "Virtual switches vs. physical switches" (blogs.vmware.com/vsphere/2009/06); vSphere
// Networking 6.7, "Securing vSphere Standard Switch Ports" (promiscuous mode, forged transmits); Pepelnjak,
// blog.ipspace.net/2010/11/vmware-virtual-switch-no-need-for-stp.html (split horizon, reverse path check, no
// BPDUs).
//
// Hyper-V's switch forwards in the same way. Its one policy is *MAC address spoofing* (AllowMacSpoofing, Set-
// VMNetworkAdapter -MacAddressSpoofing): off, a port sends with its own address only and gets what is for
// that; on, it may send with any, and, as is assumed here, unknown unicast is flooded to it. Microsoft
// requires it for nested virtualization, learn.microsoft.com "Run Hyper-V in a Virtual Machine with Nested
// Virtualization"; docs/kernel-differences.md tells what is known and what is not.
#pragma once

#include "switching/destination.h"

namespace sekimori::switching {

constexpr bool esxi_relays(const Passage& p) {
  using enum model::PortRole;
  using enum Destination;
  if (p.in == kUplink && p.reflected) return false;
  switch (p.out) {
    case kUplink:
      return p.in != kUplink && (p.destination == kGroup || p.destination == kElsewhere);
    case kHost:
      return p.destination == kTheHost || p.destination == kGroup;
    case kGuest:
      return p.destination == kThisGuest || p.destination == kGroup;
    case kNetwork:
      return false;
  }
  return false;
}

}  // namespace sekimori::switching
