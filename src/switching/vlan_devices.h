// A NIC with VLAN devices (`eth0.10`) that is the uplink of a bridge, too: the devices are *below* the
// bridge. What comes in with the tag of one is the device's, before the bridge is asked; what a device sends
// leaves by the wire and passes no bridge.
//
//   comes in                     goes
//   from the wire, a device's tag     to that device, whomever it is for
//   from the wire, anything else      to the bridge
//   from the bridge                   out of the wire, also with a device's tag
//   from a device                     out of the wire, with its tag
//
// So guests on the bridge in the VLAN of a device are heard outside and hear nothing of it, and host and
// guests never hear each other in that VLAN (`vlan-mismatch`). On the bridge's own interface (`br0.10`) the
// VLAN belongs to both.
//
// The model has a bridge of kind kVlanDevices for it, below the other, as for a bond: with the wire, the way
// to the bridge, and a port for the devices. It learns nothing and hands on all that its ports carry; the way
// to the bridge carries no VLAN of a device, but lets in all (classify() in vlan.h), and is isolated from the
// devices. Untagged frames are in a VLAN of their own there, model::kUntaggedOnly.
//
// So it is where the bridge takes frames by an rx_handler: a Linux bridge, macvlan, Open vSwitch's kernel
// datapath. Hosted hypervisors tap the NIC before. Held against the kernel with Linux bridges
// (tests/guest).
//
// Sources: Linux, net/core/dev.c, __netif_receive_skb_core (vlan_do_receive is before rx_handler);
// net/8021q/vlan_core.c, vlan_do_receive (also when the device is down); net/bridge/br_if.c,
// drivers/net/macvlan.c, net/openvswitch/vport-netdev.c (netdev_rx_handler_register).
#pragma once

#include "model/model.h"

namespace sekimori::switching {

// What the port towards the bridge sends into the wire is not the devices' business, whatever its tag.
constexpr bool lets_in_all_tags(model::BridgeKind kind) { return kind == model::BridgeKind::kVlanDevices; }

}  // namespace sekimori::switching
