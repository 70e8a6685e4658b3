#include "wire/lacp.h"

namespace sekimori::wire {
namespace {

constexpr std::uint16_t kActor = 0x0114, kPartner = 0x0214;  // type and length, 20

Lacp::Side read_side(Cursor& in) {
  Lacp::Side side;
  side.system_priority = in.u16();
  side.system = in.mac();
  side.key = in.u16();
  side.port_priority = in.u16();
  side.port = in.u16();
  side.state = in.u8();
  in.skip(3);
  return side;
}

}  // namespace

Parsed<Lacp> parse_lacp(Bytes payload) {
  constexpr std::uint8_t kLacp = 1;
  Cursor in(payload);
  const std::uint8_t subtype = in.u8();
  in.skip(1);  // version; later ones only append
  if (in.ok() && subtype != kLacp) return std::unexpected(Defect::unsupported);
  Lacp lacp;
  const std::uint16_t actor_head = in.u16();
  lacp.actor = read_side(in);
  const std::uint16_t partner_head = in.u16();
  lacp.partner = read_side(in);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  if (actor_head != kActor || partner_head != kPartner) return std::unexpected(Defect::malformed);
  return lacp;
}

}  // namespace sekimori::wire
