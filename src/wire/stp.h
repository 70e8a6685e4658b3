// Spanning-tree BPDUs: STP and RSTP (IEEE 802.1D-2004 section 9), MSTP (802.1Q-2018 section 14), and Cisco's
// PVST+, which sends one BPDU per VLAN to a group address of its own inside SNAP.
//
// A bridge that sees the topology change sends a TCN towards the root (STP) or sets the TC flag (RSTP); all
// bridges that hear of it age their FDB quickly, and what they forgot they flood. Hence the interest in them
// here.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"
#include "wire/bytes.h"

namespace sekimori::wire {

constexpr Mac kStpGroup{0x0180'c200'0000};   // no bridge relays it
constexpr Mac kPvstGroup{0x0100'0ccc'cccd};  // PVST+; other vendors' bridges relay it like any multicast

struct BridgeId {
  std::uint16_t priority = 0x8000;  // the low 12 bits are the VLAN or MST instance, where bridges use that
  Mac mac{};
  friend constexpr auto operator<=>(const BridgeId&, const BridgeId&) = default;
};

// What an MST BPDU adds for the common tree, and messages on the instances.
struct MstConfiguration {
  std::string_view region{};  // name, trailing zeros cut
  std::uint16_t revision = 0;
  std::uint32_t internal_root_path_cost = 0;
  BridgeId bridge{};
  std::uint8_t remaining_hops = 0;
  std::uint16_t instances = 0;
  Bytes messages{};  // 16 bytes an instance, see mst_instance()
};

struct MstInstance {
  std::uint8_t flags = 0;    // as a Bpdu's
  BridgeId regional_root{};  // the instance's number is in the priority
  std::uint32_t internal_root_path_cost = 0;
};

struct Bpdu {
  static constexpr std::uint8_t kConfiguration = 0x00, kRapid = 0x02, kTcn = 0x80;           // types
  static constexpr std::uint8_t kTopologyChange = 0x01, kProposal = 0x02, kLearning = 0x10;  // flags
  static constexpr std::uint8_t kForwarding = 0x20, kAgreement = 0x40, kTopologyChangeAck = 0x80;
  static constexpr base::Duration kTimerUnit = base::Duration{1'000'000'000'000 / 256};

  std::uint8_t version = 0;  // 0 STP, 2 RSTP, 3 MSTP, 4 SPB
  std::uint8_t type = kConfiguration;
  std::uint8_t flags = 0;
  BridgeId root{};
  std::uint32_t root_path_cost = 0;
  BridgeId bridge{};             // the sender; of MSTP the regional root
  std::uint16_t port = 0x8001;   // priority and number
  base::Duration message_age{};  // multiples of 1/256 s
  base::Duration max_age = base::seconds(20);
  base::Duration hello = base::seconds(2);
  base::Duration forward_delay = base::seconds(15);
  std::optional<std::uint16_t> pvst_vlan{};  // PVST+: the VLAN whose tree this is
  std::optional<MstConfiguration> mst{};

  constexpr bool is_tcn() const { return type == kTcn; }
  constexpr bool topology_change() const { return is_tcn() || (flags & kTopologyChange) != 0; }
  constexpr bool topology_change_ack() const { return !is_tcn() && (flags & kTopologyChangeAck) != 0; }
};

// `payload` starts behind the LLC header.
Parsed<Bpdu> parse_bpdu(Bytes payload);
// index < configuration.instances.
MstInstance mst_instance(const MstConfiguration& configuration, std::size_t index);
// PVST+: `payload` starts behind the SNAP header (Cisco's protocol 0x010b). A TCN does not name its VLAN; its
// tag does.
Parsed<Bpdu> parse_pvst_bpdu(Bytes payload);

}  // namespace sekimori::wire
