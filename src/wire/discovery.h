// LLDP (IEEE 802.1AB) and Cisco's CDP: bridges tell their neighbours who they are. A capture that holds one
// of them names its own observation point: "port Gi0/3 of switch sw1".
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Discovery {
  enum class Protocol : std::uint8_t { lldp, cdp };

  Protocol protocol = Protocol::lldp;
  std::uint16_t ttl_s = 0;
  std::string_view system_name{};
  std::string_view port_description{};  // LLDP
  Bytes port_id{};                   // text as a rule; six octets where LLDP's port subtype is a MAC address
  Bytes chassis_id{};                // LLDP, likewise
  std::uint8_t port_id_subtype = 0;  // LLDP; 0 of CDP
  std::uint8_t chassis_id_subtype = 0;
  std::uint16_t native_vlan = 0;  // CDP; 0: not told

  static constexpr std::uint8_t kChassisIsMac = 4, kPortIsMac = 3;
};

Parsed<Discovery> parse_lldp(Bytes payload);
// `payload` starts behind the SNAP header (Cisco's protocol 0x2000).
Parsed<Discovery> parse_cdp(Bytes payload);

}  // namespace sekimori::wire
