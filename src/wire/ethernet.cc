#include "wire/ethernet.h"

namespace sekimori::wire {

bool detail::read_further_tags(Bytes frame, Ethernet& header) {
  constexpr int kMostTags = 8;  // more are an attack or a loop, and no header to believe
  while (is_vlan_tpid(header.type) && header.tags < kMostTags) {
    if (frame.size() < header.header_bytes + 4u) return false;
    const std::uint8_t* p = frame.data() + header.header_bytes;
    const VlanTag tag = tag_of(header.type, read_be16(p));
    if (header.tags == 1) header.inner = tag;
    ++header.tags;
    header.type = read_be16(p + 2);
    header.header_bytes += 4;
  }
  return true;
}

Parsed<Llc> parse_llc(Bytes payload) {
  constexpr std::uint8_t kSnapSap = 0xaa;
  Cursor in(payload);
  Llc llc;
  llc.destination_sap = in.u8();
  llc.source_sap = in.u8();
  llc.control = in.u8();
  const bool unnumbered = (llc.control & 3) == 3;
  if (!unnumbered) llc.control = static_cast<std::uint16_t>(llc.control << 8 | in.u8());
  // The least bits of the access points say "group" and "response".
  llc.is_snap = unnumbered && (llc.destination_sap & 0xfe) == kSnapSap && (llc.source_sap & 0xfe) == kSnapSap;
  if (llc.is_snap) {
    llc.organisation = in.u24();
    llc.protocol = in.u16();
  }
  if (!in.ok()) return std::unexpected(Defect::truncated);
  llc.payload = in.rest();
  return llc;
}

}  // namespace sekimori::wire
