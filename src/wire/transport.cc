#include "wire/transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sekimori::wire {
namespace {

enum TcpOption : std::uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8
};

// The known option's value into `tcp`. A value of an odd length is left out.
void read_option(Tcp& tcp, std::uint8_t kind, Bytes value) {
  Cursor in(value);
  if (kind == kMss && value.size() == 2) tcp.mss = in.u16();
  if (kind == kWindowScale && value.size() == 1) tcp.window_scale = in.u8();
  if (kind == kSackPermitted && value.empty()) tcp.sack_permitted = true;
  if (kind == kTimestamps && value.size() == 8) {
    tcp.timestamps.emplace();
    tcp.timestamps->value = in.u32();
    tcp.timestamps->echo = in.u32();
  }
}

// Options are hints: a broken one ends the list, and the header is good without the rest.
void read_options(Tcp& tcp, Bytes options) {
  Cursor in(options);
  for (int count = 0; !in.empty(); ++count) {
    const std::uint8_t kind = in.u8();
    if (kind == kEnd) return;
    if (kind != kNop) {
      const std::uint8_t length = in.u8();
      if (!in.ok() || length < 2 || in.left() < length - 2u) return;
      read_option(tcp, kind, in.take(length - 2u));
    }
    if (count < 16) tcp.option_layout = tcp.option_layout << 4 | std::min<std::uint8_t>(kind, 0xf);
  }
}

}  // namespace

Parsed<Udp> parse_udp(Bytes segment) {
  Cursor in(segment);
  Udp udp;
  udp.source_port = in.u16();
  udp.destination_port = in.u16();
  udp.length = in.u16();
  in.skip(2);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (udp.length != 0 && udp.length < 8) return std::unexpected(Defect::malformed);
  udp.payload = udp.length == 0 ? in.rest() : in.take_up_to(udp.length - 8u);
  return udp;
}

Parsed<Tcp> parse_tcp(Bytes segment) {
  Cursor in(segment);
  Tcp tcp;
  tcp.source_port = in.u16();
  tcp.destination_port = in.u16();
  tcp.seq = in.u32();
  tcp.ack = in.u32();
  const std::uint16_t offset_and_flags = in.u16();
  tcp.flags = static_cast<std::uint8_t>(offset_and_flags);
  tcp.window = in.u16();
  in.skip(4);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  const unsigned header = (offset_and_flags >> 12) * 4u;
  if (header < 20) return std::unexpected(Defect::malformed);
  const Bytes options = in.take(header - 20);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  read_options(tcp, options);
  tcp.payload = in.rest();
  return tcp;
}

Parsed<Icmp> parse_icmp(Bytes message) {
  Cursor in(message);
  Icmp icmp;
  icmp.type = in.u8();
  icmp.code = in.u8();
  in.skip(2);
  icmp.id = in.u16();
  icmp.sequence = in.u16();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  icmp.payload = in.rest();
  return icmp;
}

std::string option_layout_text(std::uint64_t layout) {
  static constexpr std::array<const char*, 16> kNames = {
      "?",  "NOP", "MSS", "WS", "SACK-permitted", "SACK", "6", "7", "TS", "9", "10",
      "11", "12",  "13",  "14", "other"};
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) {
    const std::size_t kind = layout >> shift & 0xf;
    if (kind != 0) text += fmt::format("{}{}", text.empty() ? "" : " ", kNames[kind]);
  }
  return text;
}

}  // namespace sekimori::wire
