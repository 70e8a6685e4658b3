// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, as far as a layer-2 diagnosis needs them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "wire/bytes.h"
#include "wire/ipv6.h"

namespace sekimori::wire {

namespace ip_protocol {
constexpr std::uint8_t kHopByHop = 0, kIcmp = 1, kIgmp = 2, kTcp = 6, kUdp = 17, kRouting = 43,
                       kFragment = 44;
constexpr std::uint8_t kGre = 47, kAuthentication = 51, kIcmpv6 = 58, kNoNext = 59, kDestinationOptions = 60;
constexpr std::uint8_t kMobility = 135;
constexpr std::uint8_t kVrrp = 112;
}  // namespace ip_protocol

struct Ipv4Header {
  Ipv4 source{};
  Ipv4 destination{};
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;  // DSCP and ECN
  std::uint16_t id = 0;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // bytes
  std::uint8_t header_bytes = 20;     // with options
  std::uint16_t total_bytes = 0;      // header and payload; 0 from cards that segment for the host
  Bytes payload{};                    // captured bytes of it, without Ethernet padding

  constexpr bool is_fragment() const { return more_fragments || fragment_offset != 0; }
};

struct Ipv6Header {
  Ipv6 source{};
  Ipv6 destination{};
  std::uint8_t protocol = 0;  // behind all extension headers that were captured
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
  std::uint16_t payload_bytes = 0;  // as stated: extension headers and payload
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // bytes
  Bytes payload{};                    // behind the extension headers

  constexpr bool is_fragment() const { return more_fragments || fragment_offset != 0; }
};

Parsed<Ipv4Header> parse_ipv4_header(Bytes packet);
Parsed<Ipv6Header> parse_ipv6_header(Bytes packet);

// The Internet checksum (RFC 1071) of `bytes`, continued from `sum`; fold() makes the 16 bits that stand on
// the wire. A packet whose checksum is right folds to zero over all its bytes.
std::uint32_t add_checksum(Bytes bytes, std::uint32_t sum = 0);
std::uint16_t fold_checksum(std::uint32_t sum);

}  // namespace sekimori::wire
