// The kinds of switch fall into four families, and what composes switches (the simulator, the learning
// analysis, a live switch) need not know more than that:
//
//   learns     keeps a table of what it hears (fdb.h): known -> one port, unknown -> all ports
//   repeats    keeps nothing: all ports (of the frame's VLAN: vlan_devices.h)
//   registers  knows the NICs that are plugged into it, because whoever plugs them in says so, and hears
//              nothing of the world outside: for each pair of ports and each destination it is fixed whether
//              a frame passes (registered.h)
//   bonds      several NICs as one: what comes from above leaves by one of them, and nothing goes from one to
//              another (bond.h)
#pragma once

#include "model/model.h"

namespace sekimori::switching {

enum class Family : std::uint8_t { kLearns, kRepeats, kRegisters, kBonds };

constexpr Family family(model::BridgeKind kind) {
  using enum model::BridgeKind;
  switch (kind) {
    case kSwitch:
    case kLinuxBridge:
    case kELan:
    case kOvs:
    case kVtep:
      return Family::kLearns;
    case kHub:
    case kVlanDevices:
      return Family::kRepeats;
    case kHostedBridge:
    case kEsxi:
    case kHyperV:
    case kMacvlan:
    case kSriov:
      return Family::kRegisters;
    case kBond:
      return Family::kBonds;
  }
  return Family::kLearns;
}

constexpr bool learns(model::BridgeKind kind) { return family(kind) == Family::kLearns; }
constexpr bool registers(model::BridgeKind kind) { return family(kind) == Family::kRegisters; }

// It has no table and asks nobody: what comes in leaves again (of a bond, by the NIC that works).
constexpr bool passes_on(model::BridgeKind kind) {
  return family(kind) == Family::kRepeats || family(kind) == Family::kBonds;
}

// Whether it keeps frames for 01-80-C2-00-00-0x to itself, as an IEEE bridge does (802.1Q-2018 8.6.3). Hubs
// don't look; macvlan takes them for groups like any other (drivers/net/macvlan.c).
constexpr bool filters_link_local(model::BridgeKind kind) {
  using enum model::BridgeKind;
  return kind != kHub && kind != kMacvlan && kind != kBond && kind != kVlanDevices;
}

// Whether a bridge that runs no spanning tree hands BPDUs on like any other frame to a group. A Linux bridge
// does (net/bridge/br_input.c, br_handle_frame: BR_NO_STP), hubs and unmanaged switches do, and so does what
// a hosted hypervisor taps. Open vSwitch drops them unless told otherwise (ovs-vswitchd.conf.db(5),
// other_config:forward-bpdu). The virtual switches of server hypervisors ignore them and never join two
// uplinks (blog.ipspace.net/2010/11/vmware-virtual-switch-no-need-for-stp.html). A provider's E-LAN tunnels
// or drops them by contract; sites with a spanning tree over a WAN say so themselves.
constexpr bool relays_bpdus(model::BridgeKind kind) {
  using enum model::BridgeKind;
  return kind == kSwitch || kind == kLinuxBridge || kind == kHub || kind == kHostedBridge || kind == kELan ||
         kind == kBond || kind == kVlanDevices;
}

}  // namespace sekimori::switching
