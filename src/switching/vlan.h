// VLANs at a port of a VLAN-aware bridge (IEEE 802.1Q-2018 sections 6.9 and 8.6): on the way in a frame is
// put into one VLAN, by its tag or else by the port's PVID; on the way out it leaves tagged or untagged as
// the port's member sets say. A port is a member of its PVID's VLAN, so a frame that bears the PVID as a tag
// is let in (8.6.2; Linux: net/bridge/br_vlan.c, __allowed_ingress), unless the port admits untagged frames
// only: an access port of Open vSwitch (ofproto/ofproto-dpif-xlate.c, input_vid_is_valid) and of the
// hypervisors' switches, which take tags off a guest's hands (vSphere Networking, "virtual switch tagging").
// VID 0 stands for "no tag" on the wire and for "the one FDB" of a bridge that knows no VLANs.
#pragma once

#include <cstdint>
#include <optional>

#include "model/model.h"
#include "switching/vlan_devices.h"

namespace sekimori::switching {

// Whether a port without tagged VLANs lets in what bears its PVID as a tag.
constexpr bool admits_tagged_pvid(model::BridgeKind kind) {
  using enum model::BridgeKind;
  return kind != kOvs && kind != kEsxi && kind != kHyperV;
}

// The VLAN of a frame that came in with this tag (0: untagged); none when ingress filtering drops it.
inline std::optional<std::uint16_t> classify(model::BridgeKind kind, const model::Port& port,
                                             const model::VlanSet& tagged, std::uint16_t tag) {
  if (tag == 0) return port.pvid != 0 ? std::optional(port.pvid) : std::nullopt;
  if (lets_in_all_tags(kind)) return tag;
  const bool is_member =
      tag == port.pvid ? admits_tagged_pvid(kind) || port.tagged_vlans != 0 : tagged.test(tag);
  return is_member ? std::optional(tag) : std::nullopt;
}

// The tag with which a frame of this VLAN leaves (0: untagged); none when the port is not a member.
inline std::optional<std::uint16_t> egress_tag(const model::Port& port, const model::VlanSet& tagged,
                                               std::uint16_t vlan) {
  if (port.pvid == vlan) return 0;
  return tagged.test(vlan) ? std::optional(vlan) : std::nullopt;
}

// The same for a known destination. Open vSwitch does not ask whether the port of the entry is a member
// (ofproto/ofproto-dpif-xlate.c, xlate_normal, xvlan_output_translate).
inline std::optional<std::uint16_t> egress_tag_when_known(model::BridgeKind kind, const model::Port& port,
                                                          const model::VlanSet& tagged, std::uint16_t vlan) {
  if (kind != model::BridgeKind::kOvs) return egress_tag(port, tagged, vlan);
  return port.pvid == vlan || port.tagged_vlans == 0 ? std::uint16_t{0} : vlan;
}

}  // namespace sekimori::switching
