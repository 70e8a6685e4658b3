#include "wire/tunnel.h"

#include "wire/ethernet.h"

namespace sekimori::wire {
namespace {

Parsed<Tunnel> finish(const Cursor& in, Tunnel tunnel) {
  if (!in.ok()) return std::unexpected(Defect::truncated);
  tunnel.frame = in.rest();
  return tunnel;
}

// Types II and III: version, VLAN; priority and flags, session.
Parsed<Tunnel> parse_erspan(Cursor& in, Tunnel tunnel) {
  const std::uint16_t version_and_vlan = in.u16(), flags_and_session = in.u16();
  tunnel.vlan = version_and_vlan & 0xfff;
  tunnel.id = flags_and_session & 0x3ff;
  in.skip(4);  // II: index of the mirroring port; III: timestamp
  if (tunnel.kind == Tunnel::Kind::erspan3) {
    in.skip(2);                                      // security group
    const bool has_subheader = (in.u16() & 1) != 0;  // of the platform
    if (has_subheader) in.skip(8);
  }
  if (!in.ok()) return std::unexpected(Defect::truncated);
  const int version = version_and_vlan >> 12;
  if (version != (tunnel.kind == Tunnel::Kind::erspan2 ? 1 : 2)) return std::unexpected(Defect::unsupported);
  return finish(in, tunnel);
}

}  // namespace

Parsed<Tunnel> parse_vxlan(Bytes payload) {
  constexpr std::uint8_t kHasVni = 0x08;
  Cursor in(payload);
  const std::uint8_t flags = in.u8();
  in.skip(3);
  Tunnel tunnel{.kind = Tunnel::Kind::vxlan, .id = in.u24()};
  in.skip(1);
  if (in.ok() && (flags & kHasVni) == 0) return std::unexpected(Defect::malformed);
  return finish(in, tunnel);
}

Parsed<Tunnel> parse_geneve(Bytes payload) {
  Cursor in(payload);
  const std::uint8_t version_and_options = in.u8();
  in.skip(1);
  const std::uint16_t protocol = in.u16();
  Tunnel tunnel{.kind = Tunnel::Kind::geneve, .id = in.u24()};
  in.skip(1);
  if (in.ok() && (version_and_options >> 6 != 0 || protocol != ethertype::kTransparentEthernet)) {
    return std::unexpected(Defect::unsupported);
  }
  in.skip(std::size_t{version_and_options & 0x3fu} * 4);
  return finish(in, tunnel);
}

Parsed<Tunnel> parse_gre(Bytes packet) {
  constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000,
                          kVersion = 7;
  Cursor in(packet);
  const std::uint16_t flags = in.u16(), protocol = in.u16();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if ((flags & (kRouting | kVersion)) != 0) return std::unexpected(Defect::unsupported);
  Tunnel tunnel{.kind = Tunnel::Kind::gre};
  if (flags & kChecksum) in.skip(4);
  if (flags & kKey) tunnel.id = in.u32();
  if (flags & kSequence) in.skip(4);
  if (protocol == ethertype::kTransparentEthernet) return finish(in, tunnel);
  if (protocol == ethertype::kErspan2) {
    // Types I and II share a number; only II counts its packets.
    tunnel.kind = flags & kSequence ? Tunnel::Kind::erspan2 : Tunnel::Kind::erspan1;
    return tunnel.kind == Tunnel::Kind::erspan1 ? finish(in, tunnel) : parse_erspan(in, tunnel);
  }
  if (protocol == ethertype::kErspan3) {
    tunnel.kind = Tunnel::Kind::erspan3;
    return parse_erspan(in, tunnel);
  }
  return std::unexpected(Defect::unsupported);
}

Parsed<Tunnel> parse_pbb(Bytes payload) {
  Cursor in(payload);
  in.skip(1);  // priority and flags
  const std::uint32_t service = in.u24();
  return finish(in, {.kind = Tunnel::Kind::pbb, .id = service});
}

}  // namespace sekimori::wire
