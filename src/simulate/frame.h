// A frame in flight: a plain value that fits a cache line together with its place in a queue. It says what is
// in the frame, not its bytes; encode.h makes the bytes when somebody captures it.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace sekimori::simulate {

using base::Duration;
using base::Time;

// MACs are interned (addresses.h); index 0 is the broadcast address. All multicasts stand under it, too: what
// tells them apart is their IP address, which snooping (fabric_multicast.cc) looks at and encode.cc makes a
// MAC of.
using AddressIndex = std::uint32_t;
constexpr AddressIndex kBroadcastAddress = 0;

constexpr std::uint32_t kNone = 0xffff'ffffu;

// IP addresses are 32 bits: IPv4's own, and of IPv6 the index of an address of the site above this (where
// IPv4 has 240/4, which no interface has).
constexpr std::uint32_t kFirstIpv6 = 0xf000'0000u;
constexpr bool is_ipv6(std::uint32_t ip) { return ip >= kFirstIpv6 && ip != kNone; }

enum class FrameKind : std::uint8_t {
  kArpRequest,  // src_ip asks for dst_ip; both equal: an announcement (gratuitous ARP)
  kArpReply,
  kNeighborSolicitation,   // src_ip (0: nobody yet, RFC 4862) asks for dst_ip
  kNeighborAdvertisement,  // both equal: unsolicited, to all nodes
  kRouterAdvertisement,    // to all nodes
  kGroupQuery,             // who is in which multicast group? src_ip: kNone when the querier has no address
  kGroupReport,  // `number` is the station that is; dst_ip the group, when the querier is an old one (`ack`)
  kRarp,         // says where its source is, and nothing else
  kLearning,     // of a bond's NIC, to itself: switching/bond.h
  kBeacon,       // of the uplink whose port `number` is: switching/beacon.h
  kAdvertisement,  // of VRRP and HSRP; see first_hop.h
  kBpdu,           // for the group of spanning-tree bridges; see fabric_tree.cc
  kUdp,
  kRequest,
  kResponse,
  kEchoRequest,
  kEchoReply,
  kTcpSyn,
  kTcpSynAck,
  kTcpData,
  kTcpAck,
  kVxlan,  // `number` is that of the frame inside: stacks.h
};

struct Frame {
  AddressIndex src = 0, dst = 0;
  std::uint32_t src_ip = 0, dst_ip = 0;
  std::uint32_t flow = kNone;  // index into Model::flows; kNone: ARP
  std::uint32_t number = 0;    // of the packet in its flow; TCP: of the segment; ARP and Neighbor Discovery:
                               // the sender's address as told (sha), an AddressIndex
  std::uint32_t ack = 0;       // TCP: next segment expected
  std::uint16_t bytes = 60;    // without FCS and VLAN tag
  std::uint16_t tag = 0;       // VLAN ID on the wire; 0: untagged
  Time sent{0};                // when its sender made it; TCP ACK, echo reply: of what it answers
  std::uint16_t hops = 0;      // bridges passed since it was put on the wire
  FrameKind kind = FrameKind::kUdp;
  std::uint8_t ttl = 64;
  bool stray = false;  // a flooded or leaked copy that does not lead to its destination

  // In the `ack` of an advertisement, beside the number of the sender among its members.
  static constexpr std::uint32_t kStandby = 1U << 31;

  // As interface counters count it: without FCS, with the tag.
  std::uint16_t wire_bytes() const { return static_cast<std::uint16_t>(bytes + (tag != 0 ? 4 : 0)); }
};

// Preamble and start delimiter 8, FCS 4, inter-packet gap 12: what a frame occupies of a wire beside its
// bytes (IEEE 802.3-2018 clause 4.2.7, 4.4.2).
constexpr std::int64_t kWireOverheadBytes = 24;

constexpr std::uint16_t kLeastFrameBytes = 60;
constexpr std::uint16_t kIpv6Beyond = 20;           // an IPv6 header is so much longer
constexpr std::uint16_t kSolicitationBytes = 86;    // 14 + 40 + 24 + 8: with the MAC; advertisements alike
constexpr std::uint16_t kDuplicateProbeBytes = 78;  // without it
constexpr std::uint16_t kRouterAdvertisementBytes = 110;  // 14 + 40 + 16 + 8 + 32: with the MAC and a prefix

constexpr bool is_discovery(FrameKind kind) {
  return kind == FrameKind::kNeighborSolicitation || kind == FrameKind::kNeighborAdvertisement ||
         kind == FrameKind::kRouterAdvertisement;
}
// To a group of its own, which stands under the broadcast address (see there).
constexpr bool is_multicast(const Frame& frame) {
  return frame.dst == kBroadcastAddress &&
         (is_discovery(frame.kind) || frame.kind == FrameKind::kAdvertisement ||
          frame.kind == FrameKind::kGroupQuery || frame.kind == FrameKind::kGroupReport ||
          frame.kind == FrameKind::kUdp);
}
constexpr std::uint16_t kEthernetIpUdpBytes = 14 + 20 + 8;
constexpr std::uint16_t kEthernetIpTcpBytes = 14 + 20 + 32;  // with timestamps, as Linux sends

}  // namespace sekimori::simulate
