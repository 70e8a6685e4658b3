// UDP (RFC 768), TCP (RFC 9293) and the echo messages of ICMP (RFC 792).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Udp {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t length = 0;  // as stated: header and payload
  Bytes payload{};
};

struct TcpTimestamps {
  std::uint32_t value = 0;
  std::uint32_t echo = 0;
  friend constexpr bool operator==(const TcpTimestamps&, const TcpTimestamps&) = default;
};

struct Tcp {
  static constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32;

  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
  std::optional<std::uint16_t> mss{};
  std::optional<std::uint8_t> window_scale{};
  bool sack_permitted = false;
  std::optional<TcpTimestamps> timestamps{};
  // The kinds of the options in their order, a hexadecimal digit each (f: any above 14; the first 16 count):
  // 0x24813 is MSS, SACK permitted, timestamps, NOP, window scale, as Linux sends it. In a SYN it tells
  // operating systems apart. Only set by the decoder.
  std::uint64_t option_layout = 0;
  Bytes payload{};

  constexpr bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

struct Icmp {
  static constexpr std::uint8_t kEchoReply = 0, kUnreachable = 3, kRedirect = 5, kEchoRequest = 8;

  std::uint8_t type = kEchoRequest;
  std::uint8_t code = 0;
  std::uint16_t id = 0;        // of echo messages
  std::uint16_t sequence = 0;  // of echo messages
  Bytes payload{};             // behind the first eight bytes

  constexpr bool is_echo() const { return type == kEchoReply || type == kEchoRequest; }
};

Parsed<Udp> parse_udp(Bytes segment);
Parsed<Tcp> parse_tcp(Bytes segment);
Parsed<Icmp> parse_icmp(Bytes message);

// "MSS SACK-permitted TS NOP WS" of a layout.
std::string option_layout_text(std::uint64_t layout);

}  // namespace sekimori::wire
