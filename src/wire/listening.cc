#include "wire/listening.h"

#include <algorithm>

#include "wire/ethernet.h"
#include "wire/icmpv6.h"
#include "wire/igmp.h"
#include "wire/ip.h"

namespace sekimori::wire {
namespace {

using Kind = Listening::Kind;

// Kinds of record (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12): MODE_IS_INCLUDE and CHANGE_TO_INCLUDE,
// without sources, want nothing.
bool leaves(std::uint8_t kind, std::uint16_t sources) { return sources == 0 && (kind == 1 || kind == 3); }

// RFC 3376 section 4.1.1, RFC 3810 section 5.1.3: from 2^(bits - 1) on a number with an exponent.
std::uint32_t code_value(std::uint32_t code, int bits) {
  if (code >> (bits - 1) == 0) return code;
  const int mantissa_bits = bits - 4;
  const std::uint32_t exponent = code >> mantissa_bits & 7;
  return (1u << mantissa_bits | (code & ((1u << mantissa_bits) - 1))) << (exponent + 3);
}

Group read_address(Cursor& in, bool ipv6) {
  if (!ipv6) return to_group(in.ipv4());
  Group address;
  const Bytes octets = in.take(address.octets.size());
  std::ranges::copy(octets, address.octets.begin());
  return address;
}

bool read_records(Cursor& in, Listening& heard) {
  in.skip(2);
  for (std::uint16_t left = in.u16(); left > 0 && in.ok(); --left) {
    const std::uint8_t kind = in.u8();
    const std::size_t auxiliary = in.u8();
    const std::uint16_t sources = in.u16();
    const Group group = read_address(in, heard.ipv6);
    in.skip(sources * std::size_t{heard.ipv6 ? 16u : 4u} + auxiliary * 4);
    if (in.ok() && kind >= 1 && kind <= 6) heard.records.push_back({group, leaves(kind, sources)});
  }
  return in.ok();
}

bool read_igmp(Bytes message, Listening& heard) {
  Cursor in(message);
  const std::uint8_t type = in.u8(), code = in.u8();
  in.skip(2);
  switch (type) {
    case Igmp::kQuery:
      heard.group = read_address(in, false);
      if (ipv4_of(heard.group).is_zero()) heard.group = {};
      heard.is_old_query = message.size() < 12;
      heard.patience_ms = 100 * (heard.is_old_query ? code : code_value(code, 8));
      // A host of version 1 leaves the field empty and means ten seconds (RFC 2236 section 4).
      if (code == 0 && heard.is_old_query) heard.patience_ms = 10'000;
      return in.ok();
    case Igmp::kReport1:
    case Igmp::kReport2:
      heard.kind = Kind::kOldReport;
      break;
    case Igmp::kLeave:
      heard.kind = Kind::kLeave;
      break;
    case Igmp::kReport3:
      heard.kind = Kind::kReport;
      return read_records(in, heard);
    default:
      return false;
  }
  heard.group = read_address(in, false);
  return in.ok();
}

bool read_mld(Bytes message, Listening& heard) {
  Cursor in(message);
  const std::uint8_t type = in.u8();
  in.skip(3);
  if (type == Icmpv6::kMldReport2) {
    heard.kind = Kind::kReport;
    return read_records(in, heard);
  }
  const std::uint16_t delay = in.u16();
  in.skip(2);
  heard.group = read_address(in, true);
  switch (type) {
    case Icmpv6::kMldQuery:
      heard.is_old_query = message.size() < 28;
      heard.patience_ms = heard.is_old_query ? delay : code_value(delay, 16);
      return in.ok();
    case Icmpv6::kMldReport:
      heard.kind = Kind::kOldReport;
      return in.ok();
    case Icmpv6::kMldDone:
      heard.kind = Kind::kLeave;
      return in.ok();
    default:
      return false;
  }
}

}  // namespace

std::optional<Listening> read_listening(Bytes frame) {
  Cursor in(frame);
  in.skip(12);
  std::uint16_t type = in.u16();
  if (type == ethertype::kCustomerVlan) {
    in.skip(2);
    type = in.u16();
  }
  Listening heard;
  if (type == ethertype::kIpv4) {
    const std::uint8_t first = in.u8();
    in.skip(1);
    const std::size_t length = in.u16(), header = (first & 0xfu) * 4u;
    in.skip(4 + 1);
    const std::uint8_t protocol = in.u8();
    in.skip(2);
    heard.source = to_group(in.ipv4());
    in.skip(4);
    if (!in.ok() || protocol != ip_protocol::kIgmp || header < 20 || length < header) return std::nullopt;
    in.skip(header - 20);
    return read_igmp(in.take_up_to(length - header), heard) ? std::optional(heard) : std::nullopt;
  }
  if (type != ethertype::kIpv6) return std::nullopt;
  heard.ipv6 = true;
  in.skip(4);
  const std::size_t length = in.u16();
  std::uint8_t next = in.u8();
  in.skip(1);
  heard.source = read_address(in, true);
  in.skip(16);
  // MLD has a router alert in front of it, always (RFC 2710 section 3).
  if (!in.ok() || next != ip_protocol::kHopByHop) return std::nullopt;
  Cursor packet(in.take_up_to(length));
  next = packet.u8();
  packet.skip(std::size_t{packet.u8()} * 8 + 6);
  if (!packet.ok() || next != ip_protocol::kIcmpv6) return std::nullopt;
  return read_mld(packet.rest(), heard) ? std::optional(heard) : std::nullopt;
}

}  // namespace sekimori::wire
