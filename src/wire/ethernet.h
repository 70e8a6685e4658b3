// Ethernet II and IEEE 802.3 headers with their VLAN tags: the cheap part of decoding, which most detectors
// pay for on every frame.
//
// After the two addresses stand any number of tags (IEEE 802.1Q; stacked by 802.1ad "QinQ"), each a tag
// protocol id and 16 bits of priority and VLAN id, and then a number: from 0x600 on it is an EtherType, below
// it is the length of an LLC frame (IEEE 802.2), which names its protocol by service access points or by a
// SNAP header.
#pragma once

#include <cstdint>
#include <cstring>

#include "wire/bytes.h"

namespace sekimori::wire {

namespace ethertype {
constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kArp = 0x0806;
constexpr std::uint16_t kTransparentEthernet = 0x6558;  // an Ethernet frame inside GRE (RFC 1701)
constexpr std::uint16_t kRarp = 0x8035;
constexpr std::uint16_t kLoopback = 0x9000;
constexpr std::uint16_t kCustomerVlan = 0x8100;  // 802.1Q C-tag
constexpr std::uint16_t kIpv6 = 0x86dd;
constexpr std::uint16_t kSlow = 0x8809;  // slow protocols: LACP and others (IEEE 802.3 annex 57A)
constexpr std::uint16_t kPppoeDiscovery = 0x8863;
constexpr std::uint16_t kPppoeSession = 0x8864;
constexpr std::uint16_t kVmwareBeacon = 0x8922;  // of a team of uplinks: switching/beacon.h
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

struct Ethernet {
  Mac destination{};
  Mac source{};
  VlanTag outer{};         // of tags > 0
  VlanTag inner{};         // of tags > 1
  std::uint8_t tags = 0;   // all of them; the third and further ones are only counted
  std::uint16_t type = 0;  // behind the tags: EtherType, or the length of an LLC frame
  std::uint8_t header_bytes = 0;

  constexpr bool is_llc() const { return type < ethertype::kLeast; }
  // VLAN ids with 0 for none: a tag with id 0 only carries a priority.
  constexpr std::uint16_t outer_vlan() const { return outer.vid; }
  constexpr std::uint16_t inner_vlan() const { return inner.vid; }
};

constexpr bool is_vlan_tpid(std::uint16_t type) {
  return type == ethertype::kCustomerVlan || type == ethertype::kServiceVlan || type == ethertype::kOldQinq;
}

namespace detail {
// The tags from the second on, if `header.type` is one's TPID; false if they are cut off.
bool read_further_tags(Bytes frame, Ethernet& header);

constexpr VlanTag tag_of(std::uint16_t tpid, std::uint16_t control) {
  return {tpid, static_cast<std::uint16_t>(control & 0xfff), static_cast<std::uint8_t>(control >> 13),
          (control & 0x1000) != 0};
}

inline std::uint64_t load_be64(const std::uint8_t* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}
}  // namespace detail

// False if the header is cut off. For those who read millions; `header` must be fresh.
inline bool read_ethernet(Bytes frame, Ethernet& header) {
  if (frame.size() < 14) [[unlikely]]
    return false;
  const std::uint8_t* p = frame.data();
  // Both loads stay within the 14 bytes; Mac keeps the low 48 bits.
  header.destination = Mac{detail::load_be64(p) >> 16};
  header.source = Mac{detail::load_be64(p + 4)};
  header.type = read_be16(p + 12);
  header.header_bytes = 14;
  if (!is_vlan_tpid(header.type)) return true;
  if (frame.size() < 18) [[unlikely]]
    return false;
  header.outer = detail::tag_of(header.type, read_be16(p + 14));
  header.tags = 1;
  header.type = read_be16(p + 16);
  header.header_bytes = 18;
  return !is_vlan_tpid(header.type) || detail::read_further_tags(frame, header);
}

inline Parsed<Ethernet> parse_ethernet(Bytes frame) {
  Ethernet header;
  if (!read_ethernet(frame, header)) return std::unexpected(Defect::truncated);
  return header;
}

// The captured bytes behind the header: of an LLC frame without the padding that its length shows.
constexpr Bytes ethernet_payload(Bytes frame, const Ethernet& header) {
  const Bytes rest = frame.subspan(header.header_bytes);
  return header.is_llc() && header.type < rest.size() ? rest.first(header.type) : rest;
}

// IEEE 802.2. SNAP (both access points 0xaa) names an organisation and a protocol of it; of organisation 0
// the protocol is an EtherType.
struct Llc {
  std::uint8_t destination_sap = 0;
  std::uint8_t source_sap = 0;
  std::uint16_t control = 0;
  bool is_snap = false;
  std::uint32_t organisation = 0;  // of SNAP: OUI
  std::uint16_t protocol = 0;      // of SNAP
  Bytes payload{};
};

Parsed<Llc> parse_llc(Bytes payload);

}  // namespace sekimori::wire
