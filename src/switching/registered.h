// What the switches of the family `registers` (kinds.h) do with a frame: one decision for each pair of ports.
// Everything that composes them asks here, for every port but the one the frame came in at.
#pragma once

#include "switching/esxi.h"
#include "switching/hosted_bridge.h"
#include "switching/kinds.h"
#include "switching/macvlan.h"
#include "switching/sriov.h"

namespace sekimori::switching {

// What of a switch decides.
struct Registrar {
  model::BridgeKind kind;
  bool filters_local = false;
  model::MacvlanMode macvlan_mode = model::MacvlanMode::kBridge;
};
inline Registrar registrar(const model::Bridge& bridge) {
  return {bridge.kind, bridge.filters_local, bridge.macvlan_mode};
}

// Whether the frame leaves at the other port, as far as addresses decide it.
constexpr bool relays(const Registrar& bridge, const Passage& passage) {
  using enum model::BridgeKind;
  switch (bridge.kind) {
    case kHostedBridge:
      return hosted_bridge_relays(passage, bridge.filters_local);
    case kEsxi:
    case kHyperV:
      return esxi_relays(passage);
    case kMacvlan:
      return macvlan_relays(passage, bridge.macvlan_mode);
    case kSriov:
      return sriov_relays(passage);
    case kSwitch:
    case kLinuxBridge:
    case kHub:
    case kELan:
    case kOvs:
    case kVtep:
    case kBond:
    case kVlanDevices:
      break;
  }
  return false;
}

// Whether relays() is to be asked for the port that the frame came in at, too.
constexpr bool may_return(const Registrar& bridge, Destination destination) {
  return bridge.kind == model::BridgeKind::kMacvlan && macvlan_returns(destination, bridge.macvlan_mode);
}

// Frames for which the NIC at a guest port is not the destination, but which it gets all the same.
enum class Hearing : std::uint8_t { kItsOwn, kUnknown, kEverything };

// `takes_all`: the NIC is promiscuous, as that of a guest that bridges it is.
inline Hearing hears(model::BridgeKind kind, const model::Port& port, bool takes_all) {
  using enum model::BridgeKind;
  if (!takes_all || port.role != model::PortRole::kGuest) return Hearing::kItsOwn;
  if (kind == kHostedBridge) return Hearing::kEverything;  // a hub
  if (kind == kEsxi && port.promiscuous) return Hearing::kEverything;
  if (kind == kHyperV && port.forged_transmits) return Hearing::kUnknown;
  return Hearing::kItsOwn;
}

// The destination as that port sees it. `known`: as the switch has it registered, kOtherGuest for guests.
constexpr Destination seen_from(Destination known, bool registered_here, Hearing hearing) {
  if (known == Destination::kGroup) return known;
  if (registered_here) return Destination::kThisGuest;
  const bool overheard =
      hearing == Hearing::kEverything || (hearing == Hearing::kUnknown && known == Destination::kElsewhere);
  return overheard ? Destination::kThisGuest : known;
}

// A guest may not send with another's address. Others are taken at their word.
inline bool refuses_source(model::BridgeKind kind, const model::Port& in, bool source_is_its_own) {
  using enum model::BridgeKind;
  return (kind == kEsxi || kind == kHyperV) && in.role == model::PortRole::kGuest && !in.forged_transmits &&
         !source_is_its_own;
}

}  // namespace sekimori::switching
