#include "wire/ip.h"

#include <fmt/format.h>

#include <algorithm>

namespace sekimori::wire {

Parsed<Ipv4Header> parse_ipv4_header(Bytes packet) {
  Cursor in(packet);
  const std::uint8_t version_and_length = in.u8();
  Ipv4Header ip;
  ip.tos = in.u8();
  ip.total_bytes = in.u16();
  ip.id = in.u16();
  const std::uint16_t fragment = in.u16();
  ip.ttl = in.u8();
  ip.protocol = in.u8();
  in.skip(2);  // checksum: wrong in what a sending machine captures of itself
  ip.source = in.ipv4();
  ip.destination = in.ipv4();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  ip.header_bytes = static_cast<std::uint8_t>((version_and_length & 0xf) * 4);
  if (version_and_length >> 4 != 4 || ip.header_bytes < 20) return std::unexpected(Defect::malformed);
  if (ip.total_bytes != 0 && ip.total_bytes < ip.header_bytes) return std::unexpected(Defect::malformed);
  in.skip(ip.header_bytes - 20u);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  ip.dont_fragment = (fragment & 0x4000) != 0;
  ip.more_fragments = (fragment & 0x2000) != 0;
  ip.fragment_offset = static_cast<std::uint16_t>((fragment & 0x1fff) * 8);
  ip.payload = ip.total_bytes == 0 ? in.rest() : in.take_up_to(std::size_t{ip.total_bytes} - ip.header_bytes);
  return ip;
}

namespace {

bool is_extension(std::uint8_t protocol) {
  switch (protocol) {
    case ip_protocol::kHopByHop:
    case ip_protocol::kRouting:
    case ip_protocol::kFragment:
    case ip_protocol::kAuthentication:
    case ip_protocol::kDestinationOptions:
    case ip_protocol::kMobility:
      return true;
    default:
      return false;
  }
}

Ipv6 read_ipv6(Cursor& in) {
  Ipv6 address;
  const Bytes octets = in.take(16);
  std::copy(octets.begin(), octets.end(), address.octets.begin());
  return address;
}

}  // namespace

Parsed<Ipv6Header> parse_ipv6_header(Bytes packet) {
  Cursor in(packet);
  const std::uint32_t first = in.u32();
  Ipv6Header ip;
  ip.traffic_class = static_cast<std::uint8_t>(first >> 20);
  ip.payload_bytes = in.u16();
  ip.protocol = in.u8();
  ip.hop_limit = in.u8();
  ip.source = read_ipv6(in);
  ip.destination = read_ipv6(in);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (first >> 28 != 6) return std::unexpected(Defect::malformed);
  // A stated length of zero is a jumbogram or the work of a card that segments for the host.
  Cursor rest(ip.payload_bytes == 0 ? in.rest() : in.take_up_to(ip.payload_bytes));
  while (is_extension(ip.protocol) && ip.fragment_offset == 0) {
    const std::uint8_t extension = ip.protocol;
    ip.protocol = rest.u8();
    const std::uint8_t length = rest.u8();
    if (extension == ip_protocol::kFragment) {
      const std::uint16_t fragment = rest.u16();
      ip.fragment_offset = fragment & 0xfff8;
      ip.more_fragments = (fragment & 1) != 0;
      rest.skip(4);
    } else if (extension == ip_protocol::kAuthentication) {
      rest.skip(length * 4u + 6);  // the odd one: counted in words, less two
    } else {
      rest.skip(length * 8u + 6);
    }
    if (!rest.ok()) return std::unexpected(Defect::truncated);
  }
  ip.payload = rest.rest();
  return ip;
}

std::string to_text(const Ipv6& address) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = read_be16(&address.octets[i * 2]);
  // The longest run of two or more zero groups, the first of equals.
  std::size_t best = 8, longest = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > longest) {
      best = i;
      longest = end - i;
    }
  }
  if (best == 8) return fmt::format("{:x}", fmt::join(groups, ":"));
  const auto tail = groups.begin() + static_cast<std::ptrdiff_t>(best + longest);
  return fmt::format("{:x}::{:x}",
                     fmt::join(groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(best), ":"),
                     fmt::join(tail, groups.end(), ":"));
}

}  // namespace sekimori::wire
