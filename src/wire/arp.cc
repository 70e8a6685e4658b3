#include "wire/arp.h"

#include "wire/ethernet.h"

namespace sekimori::wire {

Parsed<Arp> parse_arp(Bytes payload) {
  Cursor in(payload);
  const std::uint16_t hardware = in.u16(), protocol = in.u16(), lengths = in.u16();
  Arp arp;
  arp.operation = in.u16();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  constexpr std::uint16_t kEthernet = 1, kIeee802 = 6, kMacAndIpv4 = 0x0604;
  if ((hardware != kEthernet && hardware != kIeee802) || protocol != ethertype::kIpv4 ||
      lengths != kMacAndIpv4) {
    return std::unexpected(Defect::unsupported);
  }
  arp.sender_mac = in.mac();
  arp.sender_ip = in.ipv4();
  arp.target_mac = in.mac();
  arp.target_ip = in.ipv4();
  if (!in.ok()) return std::unexpected(Defect::truncated);
  return arp;
}

}  // namespace sekimori::wire
