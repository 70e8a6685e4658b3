// ICMPv6 (RFC 4443) and what in it does for IPv6 what ARP does for IPv4: Neighbor Discovery (RFC 4861).
#pragma once

#include <cstdint>
#include <optional>

#include "wire/bytes.h"
#include "wire/ip.h"

namespace sekimori::wire {

struct Icmpv6 {
  static constexpr std::uint8_t kEchoRequest = 128, kEchoReply = 129;
  static constexpr std::uint8_t kMldQuery = 130, kMldReport = 131, kMldDone = 132,
                                kMldReport2 = 143;  // listening.h
  static constexpr std::uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134;
  static constexpr std::uint8_t kNeighborSolicitation = 135, kNeighborAdvertisement = 136, kRedirect = 137;

  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t id = 0;                 // of echo messages
  std::uint16_t sequence = 0;           // of echo messages
  Ipv6 target{};                        // of neighbor messages and redirects
  bool from_router = false;             // of neighbor advertisements
  bool solicited = false;               // likewise: an answer, not an announcement
  bool overrides = false;               // likewise: replaces what the receiver knew
  std::uint16_t router_lifetime_s = 0;  // of router advertisements
  std::optional<Mac> source_mac{};      // option 1 of the messages above
  std::optional<Mac> target_mac{};      // option 2

  constexpr bool is_echo() const { return type == kEchoRequest || type == kEchoReply; }
  constexpr bool is_neighbor() const {
    return type == kNeighborSolicitation || type == kNeighborAdvertisement;
  }
};

Parsed<Icmpv6> parse_icmpv6(Bytes message);

}  // namespace sekimori::wire
