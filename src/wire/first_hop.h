// First-hop redundancy: several routers share a virtual address so that hosts keep their gateway when one
// fails. VRRP (RFC 3768 and 5798), Cisco's HSRP versions 1 (RFC 2281) and 2, and GLBP.
//
// The virtual MAC is legitimately seen at another port after a takeover, and never sends but from the active
// router: what they announce keeps the detectors from calling it a duplicate or a flood.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/bytes.h"

namespace sekimori::wire {

struct FirstHop {
  enum class Protocol : std::uint8_t { vrrp, hsrp, glbp };
  // HSRP's numbers for its states.
  static constexpr std::uint8_t kHsrpStandby = 8, kHsrpActive = 16;
  // An HSRP opcode: counts the sender's groups; such messages are of no group, and nothing below is set.
  static constexpr std::uint8_t kHsrpAdvertise = 3;

  Protocol protocol = Protocol::vrrp;
  std::uint8_t version = 0;  // VRRP 2 or 3, HSRP 1 or 2, GLBP 1
  std::uint8_t opcode = 0;   // HSRP: 0 hello, 1 coup, 2 resign
  std::uint8_t state = 0;    // HSRP and GLBP; VRRP's advertisements come from the master only
  std::uint16_t group = 0;
  std::uint32_t priority = 0;
  std::uint32_t hello_ms = 0;
  std::optional<Ipv4> virtual_ip{};  // the first; none of IPv6 groups
  std::optional<Mac> virtual_mac{};  // GLBP: the first forwarder's, if told
};

// An IP payload of protocol 112; the virtual MAC depends on the version of IP.
Parsed<FirstHop> parse_vrrp(Bytes message, bool over_ipv6);
// UDP payloads.
Parsed<FirstHop> parse_hsrp(Bytes payload);
Parsed<FirstHop> parse_glbp(Bytes payload);

constexpr std::uint16_t kHsrpPort = 1985, kHsrpIpv6Port = 2029, kGlbpPort = 3222;

}  // namespace sekimori::wire
