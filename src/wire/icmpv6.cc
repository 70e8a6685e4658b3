#include "wire/icmpv6.h"

#include <algorithm>

namespace sekimori::wire {
namespace {

void read_target(Cursor& in, Icmpv6& message) {
  const Bytes octets = in.take(16);
  std::copy(octets.begin(), octets.end(), message.target.octets.begin());
}

// Each a type and a length in units of eight bytes, both counted in.
std::optional<Defect> read_options(Cursor& in, Icmpv6& message) {
  while (!in.empty()) {
    const std::uint8_t type = in.u8(), units = in.u8();
    if (in.ok() && units == 0) return Defect::malformed;
    Cursor value(in.take(units * 8u - 2));
    if (!in.ok()) return Defect::truncated;
    if (type == 1) message.source_mac = value.mac();
    if (type == 2) message.target_mac = value.mac();
  }
  return std::nullopt;
}

}  // namespace

Parsed<Icmpv6> parse_icmpv6(Bytes bytes) {
  Cursor in(bytes);
  Icmpv6 message;
  message.type = in.u8();
  message.code = in.u8();
  in.skip(2);
  bool has_options = true;
  if (message.type == Icmpv6::kRouterSolicitation) {
    in.skip(4);
  } else if (message.type == Icmpv6::kRouterAdvertisement) {
    in.skip(2);
    message.router_lifetime_s = in.u16();
    in.skip(8);
  } else if (message.is_neighbor()) {
    const std::uint32_t flags = in.u32();
    if (message.type == Icmpv6::kNeighborAdvertisement) {
      message.from_router = (flags >> 31 & 1) != 0;
      message.solicited = (flags >> 30 & 1) != 0;
      message.overrides = (flags >> 29 & 1) != 0;
    }
    read_target(in, message);
  } else if (message.type == Icmpv6::kRedirect) {
    in.skip(4);
    read_target(in, message);
    in.skip(16);
  } else {
    has_options = false;
    if (message.is_echo()) {
      message.id = in.u16();
      message.sequence = in.u16();
    }
  }
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (has_options) {
    if (const auto defect = read_options(in, message)) return std::unexpected(*defect);
  }
  return message;
}

}  // namespace sekimori::wire
