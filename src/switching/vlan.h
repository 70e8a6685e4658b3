// VLANs at a port of a VLAN-aware bridge (IEEE 802.1Q-2018 sections 6.9 and 8.6): on the way in a frame is
// put into one VLAN, by its tag or else by the port's PVID; on the way out it leaves tagged or untagged as
// the port's member sets say. VID 0 stands for "no tag" on the wire and for "the one FDB" of a bridge that
// knows no VLANs.
#pragma once

#include <cstdint>
#include <optional>

#include "model/model.h"

namespace sekimori::switching {

// The VLAN of a frame that came in with this tag (0: untagged); none when ingress filtering drops it.
inline std::optional<std::uint16_t> classify(const model::Port& port, const model::VlanSet& tagged,
                                             std::uint16_t tag) {
  if (tag == 0) return port.pvid != 0 ? std::optional(port.pvid) : std::nullopt;
  return tagged.test(tag) ? std::optional(tag) : std::nullopt;
}

// The tag with which a frame of this VLAN leaves (0: untagged); none when the port is not a member.
inline std::optional<std::uint16_t> egress_tag(const model::Port& port, const model::VlanSet& tagged,
                                               std::uint16_t vlan) {
  if (port.pvid == vlan) return 0;
  return tagged.test(vlan) ? std::optional(vlan) : std::nullopt;
}

}  // namespace sekimori::switching
