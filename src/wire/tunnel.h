// Ethernet inside something else: VXLAN (RFC 7348), Geneve (RFC 8926), GRE (RFC 2784, 2890), ERSPAN in it,
// which carries what a switch mirrors, and provider backbone bridging (IEEE 802.1ah), "MAC in MAC".
//
// The inner frame is a world of its own: its MACs live in the scope that `id` names, not in the outer VLAN.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Tunnel {
  enum class Kind : std::uint8_t { vxlan, geneve, gre, erspan1, erspan2, erspan3, pbb };

  Kind kind = Kind::vxlan;
  std::uint32_t id = 0;    // VNI, GRE key, ERSPAN session, or I-SID
  std::uint16_t vlan = 0;  // ERSPAN II and III: the VLAN of the mirrored frame, whose tag may be gone
  Bytes frame{};           // from the inner destination MAC on; ERSPAN's may end in an FCS
};

constexpr std::uint16_t kVxlanPort = 4789, kLinuxVxlanPort = 8472, kGenevePort = 6081;

Parsed<Tunnel> parse_vxlan(Bytes payload);   // of UDP
Parsed<Tunnel> parse_geneve(Bytes payload);  // of UDP
Parsed<Tunnel> parse_gre(Bytes packet);      // of IP; other than Ethernet inside is unsupported
Parsed<Tunnel> parse_pbb(Bytes payload);     // behind the EtherType of the I-tag

}  // namespace sekimori::wire
