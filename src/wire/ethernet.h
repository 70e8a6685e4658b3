// Ethernet II and IEEE 802.3 headers with their VLAN tags: the cheap part of decoding, which most detectors
// pay for on every frame.
//
// After the two addresses stand any number of tags (IEEE 802.1Q; stacked by 802.1ad "QinQ"), each a tag
// protocol id and 16 bits of priority and VLAN id, and then a number: from 0x600 on it is an EtherType, below
// it is the length of an LLC frame (IEEE 802.2), which names its protocol by service access points or by a
// SNAP header.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/bytes.h"

namespace sekimori::wire {

namespace ethertype {
constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kArp = 0x0806;
constexpr std::uint16_t kTransparentEthernet = 0x6558;  // an Ethernet frame inside GRE (RFC 1701)
constexpr std::uint16_t kRarp = 0x8035;
constexpr std::uint16_t kCustomerVlan = 0x8100;  // 802.1Q C-tag
constexpr std::uint16_t kIpv6 = 0x86dd;
constexpr std::uint16_t kSlow = 0x8809;  // slow protocols: LACP and others (IEEE 802.3 annex 57A)
constexpr std::uint16_t kPppoeDiscovery = 0x8863;
constexpr std::uint16_t kPppoeSession = 0x8864;
constexpr std::uint16_t kNlbHeartbeat = 0x886f;  // Microsoft Network Load Balancing
constexpr std::uint16_t kErspan2 = 0x88be;       // ERSPAN types I and II, inside GRE
constexpr std::uint16_t kServiceVlan = 0x88a8;   // 802.1ad S-tag, and 802.1ah B-tag
constexpr std::uint16_t kLldp = 0x88cc;
constexpr std::uint16_t kPbb = 0x88e7;  // 802.1ah I-tag
constexpr std::uint16_t kErspan3 = 0x22eb;
constexpr std::uint16_t kOldQinq = 0x9100;  // QinQ before 802.1ad
constexpr std::uint16_t kLeast = 0x0600;    // smaller numbers are lengths
}  // namespace ethertype

struct VlanTag {
  std::uint16_t tpid = ethertype::kCustomerVlan;
  std::uint16_t vid = 0;
  std::uint8_t priority = 0;   // 0 to 7
  bool drop_eligible = false;  // DEI, formerly CFI

  friend constexpr bool operator==(const VlanTag&, const VlanTag&) = default;
};

}  // namespace sekimori::wire
