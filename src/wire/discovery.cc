#include "wire/discovery.h"

namespace sekimori::wire {

Parsed<Discovery> parse_lldp(Bytes payload) {
  enum Tlv { kEnd = 0, kChassisId = 1, kPortId = 2, kTtl = 3, kPortDescription = 4, kSystemName = 5 };
  Cursor in(payload);
  Discovery lldp;
  while (!in.empty()) {
    const std::uint16_t head = in.u16();  // 7 bits of type, 9 of length
    const int type = head >> 9;
    const Bytes value = in.take(head & 0x1ff);
    if (!in.ok()) return std::unexpected(Defect::truncated);
    if (type == kEnd) return lldp;
    Cursor field(value);
    if (type == kChassisId) {
      lldp.chassis_id_subtype = field.u8();
      lldp.chassis_id = field.rest();
    } else if (type == kPortId) {
      lldp.port_id_subtype = field.u8();
      lldp.port_id = field.rest();
    } else if (type == kTtl) {
      lldp.ttl_s = field.u16();
    } else if (type == kPortDescription) {
      lldp.port_description = as_text(value);
    } else if (type == kSystemName) {
      lldp.system_name = as_text(value);
    }
    if (!field.ok()) return std::unexpected(Defect::malformed);
  }
  return std::unexpected(Defect::truncated);  // the end must be marked
}

Parsed<Discovery> parse_cdp(Bytes payload) {
  enum Tlv { kDeviceId = 1, kPortId = 3, kNativeVlan = 10 };
  Cursor in(payload);
  Discovery cdp{.protocol = Discovery::Protocol::cdp};
  in.skip(1);  // version
  cdp.ttl_s = in.u8();
  in.skip(2);  // checksum
  if (!in.ok()) return std::unexpected(Defect::truncated);
  while (!in.empty()) {
    const std::uint16_t type = in.u16(), length = in.u16();
    if (in.ok() && length < 4) return std::unexpected(Defect::malformed);
    const Bytes value = in.take(length - 4u);
    if (!in.ok()) return std::unexpected(Defect::truncated);
    if (type == kDeviceId) cdp.system_name = as_text(value);
    if (type == kPortId) cdp.port_id = value;
    if (type == kNativeVlan && value.size() == 2) cdp.native_vlan = read_be16(value.data());
  }
  return cdp;
}

}  // namespace sekimori::wire
