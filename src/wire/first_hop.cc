#include "wire/first_hop.h"

namespace sekimori::wire {

Parsed<FirstHop> parse_vrrp(Bytes message, bool over_ipv6) {
  Cursor in(message);
  const std::uint8_t version_and_type = in.u8();
  FirstHop vrrp{.protocol = FirstHop::Protocol::vrrp};
  vrrp.version = version_and_type >> 4;
  vrrp.group = in.u8();
  vrrp.priority = in.u8();
  const std::uint8_t addresses = in.u8();
  const std::uint16_t interval = in.u16();
  in.skip(2);  // checksum
  if (!in.ok()) return std::unexpected(Defect::truncated);
  constexpr int kAdvertisement = 1;
  if ((vrrp.version != 2 && vrrp.version != 3) || (version_and_type & 0xf) != kAdvertisement) {
    return std::unexpected(Defect::unsupported);
  }
  // Version 2: authentication type and seconds; version 3: four reserved bits and centiseconds.
  vrrp.hello_ms = vrrp.version == 2 ? (interval & 0xffu) * 1000 : (interval & 0xfffu) * 10;
  vrrp.virtual_mac = Mac{(over_ipv6 ? 0x0000'5e00'0200u : 0x0000'5e00'0100u) | std::uint64_t{vrrp.group}};
  if (addresses > 0 && !over_ipv6) {
    vrrp.virtual_ip = in.ipv4();
    if (!in.ok()) return std::unexpected(Defect::truncated);
  }
  return vrrp;
}

namespace {

Parsed<FirstHop> parse_hsrp1(Bytes payload) {
  Cursor in(payload);
  FirstHop hsrp{.protocol = FirstHop::Protocol::hsrp, .version = 1};
  in.skip(1);  // version 0
  hsrp.opcode = in.u8();
  if (in.ok() && hsrp.opcode == FirstHop::kHsrpAdvertise) return hsrp;
  if (in.ok() && hsrp.opcode > FirstHop::kHsrpAdvertise) return std::unexpected(Defect::unsupported);
  hsrp.state = in.u8();
  hsrp.hello_ms = in.u8() * 1000u;
  in.skip(1);  // hold time
  hsrp.priority = in.u8();
  hsrp.group = in.u8();
  in.skip(1 + 8);  // reserved; password
  hsrp.virtual_ip = in.ipv4();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  hsrp.virtual_mac = Mac{0x0000'0c07'ac00u | std::uint64_t{hsrp.group}};
  return hsrp;
}

// The value of the group-state element.
Parsed<FirstHop> parse_hsrp2(Bytes value) {
  Cursor in(value);
  FirstHop hsrp{.protocol = FirstHop::Protocol::hsrp, .version = 2};
  in.skip(1);  // version
  hsrp.opcode = in.u8();
  hsrp.state = in.u8();
  const std::uint8_t ip_version = in.u8();
  hsrp.group = in.u16();
  in.skip(6);  // the sender's own MAC
  hsrp.priority = in.u32();
  hsrp.hello_ms = in.u32();
  in.skip(4);  // hold time
  if (ip_version == 4) hsrp.virtual_ip = in.ipv4();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  const std::uint64_t prefix = ip_version == 4 ? 0x0000'0c9f'f000u : 0x0005'73a0'0000u;
  hsrp.virtual_mac = Mac{prefix | (hsrp.group & 0xfffu)};
  return hsrp;
}

}  // namespace

Parsed<FirstHop> parse_hsrp(Bytes payload) {
  if (!payload.empty() && payload[0] == 0) return parse_hsrp1(payload);
  // Version 2 is made of elements, of which the first tells the group's state.
  constexpr std::uint8_t kGroupState = 1;
  Cursor in(payload);
  const std::uint8_t type = in.u8(), length = in.u8();
  const Bytes value = in.take_up_to(length);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (type != kGroupState) return std::unexpected(Defect::unsupported);
  return parse_hsrp2(value);
}

Parsed<FirstHop> parse_glbp(Bytes payload) {
  constexpr std::uint8_t kHello = 1, kForwarder = 2;
  Cursor in(payload);
  FirstHop glbp{.protocol = FirstHop::Protocol::glbp};
  glbp.version = in.u8();
  in.skip(1);
  glbp.group = in.u16();
  in.skip(2 + 6);  // unknown; the sender's own MAC
  if (!in.ok()) return std::unexpected(Defect::truncated);
  while (!in.empty()) {
    const std::uint8_t type = in.u8(), length = in.u8();
    if (in.ok() && length < 2) return std::unexpected(Defect::malformed);
    Cursor value(in.take(length - 2u));
    if (!in.ok()) return std::unexpected(Defect::truncated);
    if (type == kHello) {
      value.skip(1);
      glbp.state = value.u8();
      value.skip(1);
      glbp.priority = value.u8();
      value.skip(2);
      glbp.hello_ms = value.u32();
      value.skip(4 + 2 + 2 + 2);  // hold, redirect and timeout timers; unknown
      constexpr std::uint16_t kIpv4OfFourBytes = 0x0104;
      if (value.u16() == kIpv4OfFourBytes) glbp.virtual_ip = value.ipv4();
    } else if (type == kForwarder && !glbp.virtual_mac) {
      value.skip(1 + 1 + 1 + 1 + 1 + 7);  // number, state, unknown, priority, weight, unknown
      glbp.virtual_mac = value.mac();
    }
    if (!value.ok()) return std::unexpected(Defect::malformed);
  }
  return glbp;
}

}  // namespace sekimori::wire
