// DHCP (RFC 2131, options RFC 2132): who hands out addresses, and by which names a station calls itself. Two
// servers that answer one transaction, or two names behind one MAC, are faults that only show here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Dhcp {
  static constexpr std::uint16_t kServerPort = 67, kClientPort = 68;
  static constexpr std::uint8_t kRequestOp = 1, kReplyOp = 2;
  static constexpr std::uint8_t kDiscover = 1, kOffer = 2, kRequest = 3, kDecline = 4, kAck = 5, kNak = 6;
  static constexpr std::uint8_t kRelease = 7, kInform = 8;

  std::uint8_t op = 0;
  std::uint8_t message_type = 0;  // 0: plain BOOTP
  std::uint32_t xid = 0;
  Mac client_mac{};  // chaddr
  Ipv4 client_ip{};  // ciaddr: what the client already uses
  Ipv4 your_ip{};    // yiaddr: what the server gives
  Ipv4 relay_ip{};   // giaddr
  std::optional<Ipv4> server_id{};
  std::optional<Ipv4> requested_ip{};
  std::optional<Ipv4> router{};  // the first
  std::string_view hostname{};
  std::string_view vendor_class{};
  Bytes client_id{};
};

// Of a UDP payload.
Parsed<Dhcp> parse_dhcp(Bytes payload);

}  // namespace sekimori::wire
