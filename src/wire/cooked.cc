#include "wire/cooked.h"

namespace sekimori::wire {
namespace {

Mac read_address(Cursor& in, std::uint16_t length) {
  const Mac mac = in.mac();
  in.skip(2);
  return length == 6 ? mac : Mac{};
}

}  // namespace

Parsed<Cooked> parse_cooked(Bytes frame) {
  Cursor in(frame);
  Cooked cooked;
  cooked.kind = Cooked::Kind{in.u16()};
  cooked.hardware = in.u16();
  const std::uint16_t length = in.u16();
  cooked.source = read_address(in, length);
  cooked.type = in.u16();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  cooked.payload = in.rest();
  return cooked;
}

Parsed<Cooked> parse_cooked2(Bytes frame) {
  Cursor in(frame);
  Cooked cooked;
  cooked.type = in.u16();
  in.skip(2);
  cooked.interface_index = in.u32();
  cooked.hardware = in.u16();
  cooked.kind = Cooked::Kind{in.u8()};
  const std::uint8_t length = in.u8();
  cooked.source = read_address(in, length);
  if (!in.ok()) return std::unexpected(Defect::truncated);
  cooked.payload = in.rest();
  return cooked;
}

}  // namespace sekimori::wire
