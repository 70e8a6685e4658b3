#include "wire/listening.h"

#include <algorithm>

#include "wire/ethernet.h"
#include "wire/icmpv6.h"
#include "wire/igmp.h"
#include "wire/ip.h"

namespace sekimori::wire {
namespace {

using Kind = Listening::Kind;

// The least of each; an old query has exactly so many.
constexpr std::size_t kIgmpBytes = 8, kIgmpv3QueryBytes = 12, kMldBytes = 24, kMldv2QueryBytes = 28;

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

// False: it is not to be believed. What makes it so is Linux' (net/ipv4/igmp.c, ip_mc_check_igmp;
// net/ipv6/mcast_snoop.c, ipv6_mc_check_mld), as RFC 4541 does not tell.
bool read_igmp(Bytes message, Ipv4 destination, Listening& heard) {
  Cursor in(message);
  const std::uint8_t type = in.u8(), code = in.u8();
  in.skip(2);
  switch (type) {
    case Igmp::kQuery:
      heard.group = read_address(in, false);
      if (ipv4_of(heard.group).is_zero()) heard.group = {};
      heard.is_old_query = message.size() < kIgmpv3QueryBytes;
      heard.patience_ms = 100 * (heard.is_old_query ? code : code_value(code, 8));
      // A querier of version 1 leaves the field empty, means ten seconds (RFC 2236 section 4), and asks
      // everybody.
      if (code == 0 && heard.is_old_query) {
        heard.patience_ms = 10'000;
        heard.group = {};
      }
      in.skip(2);
      heard.about_sources = in.u16() != 0;
      return (message.size() == kIgmpBytes || !heard.is_old_query) &&
             (read_be32(&message[4]) != 0 || destination == kAllHosts);
    case Igmp::kReport1:
    case Igmp::kReport2:
      heard.kind = Kind::kOldReport;
      break;
    case Igmp::kLeave:
      heard.kind = Kind::kLeave;
      break;
    default:
      heard.kind = Kind::kReport;
      return read_records(in, heard);
  }
  heard.group = read_address(in, false);
  return true;
}

bool read_mld(Bytes message, const Ipv6& destination, Listening& heard) {
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
  if (type == Icmpv6::kMldReport)
    heard.kind = Kind::kOldReport;
  else if (type == Icmpv6::kMldDone)
    heard.kind = Kind::kLeave;
  if (heard.kind != Kind::kQuery) return true;
  heard.is_old_query = message.size() == kMldBytes;
  heard.patience_ms = heard.is_old_query ? delay : code_value(delay, 16);
  in.skip(2);
  heard.about_sources = in.u16() != 0;
  const bool link_local = heard.source.octets[0] == 0xfe && (heard.source.octets[1] & 0xc0) == 0x80;
  return (heard.is_old_query || message.size() >= kMldv2QueryBytes) && link_local &&
         (!heard.group.is_zero() || destination == kAllNodes);
}

bool is_igmp(std::uint8_t type) {
  return type == Igmp::kQuery || type == Igmp::kReport1 || type == Igmp::kReport2 || type == Igmp::kLeave ||
         type == Igmp::kReport3;
}
bool is_mld(std::uint8_t type) {
  return (type >= Icmpv6::kMldQuery && type <= Icmpv6::kMldDone) || type == Icmpv6::kMldReport2;
}

std::optional<Listening> read_ipv4(Bytes packet) {
  Cursor in(packet);
  const std::uint8_t first = in.u8();
  in.skip(1);
  const std::size_t length = in.u16(), header = (first & 0xfu) * std::size_t{4};
  in.skip(4 + 1);
  const std::uint8_t protocol = in.u8();
  in.skip(2);
  Listening heard;
  heard.source = to_group(in.ipv4());
  const Ipv4 destination = in.ipv4();
  if (!in.ok() || protocol != ip_protocol::kIgmp) return std::nullopt;
  const auto garbled = [&] {
    heard.kind = Kind::kGarbled;
    return heard;
  };
  if (first >> 4 != 4 || header < 20 || length < header + kIgmpBytes || length > packet.size() ||
      fold_checksum(add_checksum(packet.first(header))) != 0)
    return garbled();
  const Bytes message = packet.subspan(header, length - header);
  if (fold_checksum(add_checksum(message)) != 0) return garbled();
  if (!is_igmp(message[0])) return std::nullopt;
  return read_igmp(message, destination, heard) ? heard : garbled();
}

std::optional<Listening> read_ipv6(Bytes packet) {
  Cursor in(packet);
  in.skip(4);
  const std::size_t length = in.u16();
  std::uint8_t next = in.u8();
  in.skip(1);
  Listening heard;
  heard.ipv6 = true;
  heard.source = read_address(in, true);
  const Ipv6 destination = read_address(in, true);
  // MLD has a router alert in front of it, always (RFC 2710 section 3).
  if (!in.ok() || next != ip_protocol::kHopByHop || length > in.left()) return std::nullopt;
  Cursor behind(in.take(length));
  next = behind.u8();
  behind.skip(std::size_t{behind.u8()} * 8 + 6);
  const Bytes message = behind.rest();
  if (!behind.ok() || next != ip_protocol::kIcmpv6 || message.size() < kMldBytes || !is_mld(message[0]))
    return std::nullopt;
  const std::uint32_t pseudo_header = add_checksum(destination.octets, add_checksum(heard.source.octets)) +
                                      static_cast<std::uint32_t>(message.size()) + ip_protocol::kIcmpv6;
  if (fold_checksum(add_checksum(message, pseudo_header)) != 0 || !read_mld(message, destination, heard))
    heard.kind = Kind::kGarbled;
  return heard;
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
  if (type == ethertype::kIpv4) return read_ipv4(in.rest());
  if (type == ethertype::kIpv6) return read_ipv6(in.rest());
  return std::nullopt;
}

}  // namespace sekimori::wire
