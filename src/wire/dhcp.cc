#include "wire/dhcp.h"

namespace sekimori::wire {
namespace {

enum Option : std::uint8_t {
  kPad = 0,
  kRouter = 3,
  kHostName = 12,
  kRequestedAddress = 50,
  kMessageType = 53,
  kServerId = 54,
  kVendorClass = 60,
  kClientId = 61,
  kEnd = 255,
};

void read_option(Dhcp& dhcp, std::uint8_t code, Bytes value) {
  Cursor in(value);
  const bool holds_address = value.size() >= 4;
  if (code == kMessageType && value.size() == 1) dhcp.message_type = in.u8();
  if (code == kServerId && holds_address) dhcp.server_id = in.ipv4();
  if (code == kRequestedAddress && holds_address) dhcp.requested_ip = in.ipv4();
  if (code == kRouter && holds_address) dhcp.router = in.ipv4();
  if (code == kHostName) dhcp.hostname = as_text(value);
  if (code == kVendorClass) dhcp.vendor_class = as_text(value);
  if (code == kClientId) dhcp.client_id = value;
}

}  // namespace

Parsed<Dhcp> parse_dhcp(Bytes payload) {
  Cursor in(payload);
  Dhcp dhcp;
  dhcp.op = in.u8();
  const std::uint8_t hardware = in.u8(), hardware_length = in.u8();
  in.skip(1);
  dhcp.xid = in.u32();
  in.skip(4);
  dhcp.client_ip = in.ipv4();
  dhcp.your_ip = in.ipv4();
  in.skip(4);  // next server of a boot
  dhcp.relay_ip = in.ipv4();
  dhcp.client_mac = in.mac();
  in.skip(10 + 64 + 128);  // rest of chaddr, server name, boot file
  const std::uint32_t magic = in.u32();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  constexpr std::uint32_t kDhcpMagic = 0x63825363;
  if (magic != kDhcpMagic || hardware != 1 || hardware_length != 6)
    return std::unexpected(Defect::unsupported);
  while (!in.empty()) {
    const std::uint8_t code = in.u8();
    if (code == kPad) continue;
    if (code == kEnd) break;
    const Bytes value = in.take(in.u8());
    if (!in.ok()) return std::unexpected(Defect::truncated);
    read_option(dhcp, code, value);
  }
  return dhcp;
}

}  // namespace sekimori::wire
