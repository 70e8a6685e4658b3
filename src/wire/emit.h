// Exact frame bytes for what a simulator sends: addresses, checksums and lengths are right, so that Wireshark
// shows a simulated run as it shows a real one.
//
// Every function appends one whole frame, without the FCS (captures hold none), of exactly `shape.bytes`
// bytes. What the headers leave is payload in a plain pattern; where the caller asks for less payload, zeros
// pad the frame, as a network card would. A frame too short for its headers is our bug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/arp.h"
#include "wire/bytes.h"
#include "wire/ethernet.h"
#include "wire/first_hop.h"
#include "wire/icmpv6.h"
#include "wire/ip.h"
#include "wire/listening.h"
#include "wire/stp.h"
#include "wire/transport.h"
#include "wire/tunnel.h"

namespace sekimori::wire {

constexpr std::size_t kLeastFrame = 60;  // without FCS; IEEE 802.3 pads shorter ones

struct FrameShape {
  Mac destination{};
  Mac source{};
  std::optional<VlanTag> tag{};
  std::size_t bytes = kLeastFrame;
};

// The bytes that headers take, for callers who start from a payload: max(kLeastFrame, headers + payload).
constexpr std::size_t ethernet_header_bytes(const FrameShape& shape) { return shape.tag ? 18 : 14; }
constexpr std::size_t udp_header_bytes(const FrameShape& shape) {
  return ethernet_header_bytes(shape) + 20 + 8;
}
constexpr std::size_t icmp_header_bytes(const FrameShape& shape) { return udp_header_bytes(shape); }
std::size_t tcp_header_bytes(const FrameShape& shape, const Tcp& tcp);

// ARP, or RARP for its two operations.
void append_arp(Buffer& out, const FrameShape& shape, const Arp& arp);

// Of `ip` counts what a sender chooses (addresses, TTL, TOS, id, DF); protocol, lengths and checksum are
// worked out. `payload_bytes`: none means all that fits. Of `udp` and `tcp` likewise: ports, numbers, flags
// and options count.
void append_udp(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, const Udp& udp,
                std::optional<std::size_t> payload_bytes = std::nullopt);
void append_icmp_echo(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, const Icmp& echo,
                      std::optional<std::size_t> payload_bytes = std::nullopt);
// Options stand as Linux puts them: MSS, SACK permitted, timestamps, NOP, window scale in a SYN.
void append_tcp(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, const Tcp& tcp,
                std::optional<std::size_t> payload_bytes = std::nullopt);

// VXLAN around a whole frame, with a UDP checksum of zero (RFC 7348 section 4.3); `shape` has room for 50
// bytes and the frame.
void append_vxlan(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, std::uint16_t source_port,
                  std::uint32_t vni, Bytes frame);

// The same over IPv6, whose header is 20 bytes longer than `..._header_bytes` say.
void append_udp(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, const Udp& udp,
                std::optional<std::size_t> payload_bytes = std::nullopt);
void append_tcp(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, const Tcp& tcp,
                std::optional<std::size_t> payload_bytes = std::nullopt);
void append_icmpv6_echo(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, const Icmpv6& echo,
                        std::optional<std::size_t> payload_bytes = std::nullopt);

// A neighbor solicitation or advertisement (RFC 4861 sections 4.3, 4.4): of `neighbor` the type, flags,
// target and the sender's MAC count; 78 bytes untagged, with a MAC 86.
void append_neighbor(Buffer& out, const FrameShape& shape, const Ipv6& sender, const Ipv6& receiver,
                     const Icmpv6& neighbor);
// From the link-local address of `shape.source` to all nodes, with its MAC and one prefix; 110 bytes untagged
// (section 4.2). Lifetime 0: no default router.
void append_router_advertisement(Buffer& out, const FrameShape& shape, const Ipv6& prefix, int length,
                                 std::uint16_t lifetime_s);

// Asks who has `target` (RFC 4861 section 7.2.2), of the target's solicited-node group (RFC 4291, section
// 2.7.1). Untagged, of 86 bytes; the sender tells its MAC.
void append_neighbor_solicitation(Buffer& out, Mac source, const Ipv6& sender, const Ipv6& target);

// IGMP, or MLD as `message` says, from its source (version 2 of IGMP and 1 of MLD where it is old, else 3 and
// 2). The destination and its MAC are those that the message goes to. 60 bytes, or as many as it takes: 42
// and 8 a record, 70 and 20 a record over IPv6.
void append_listening(Buffer& out, FrameShape shape, const Listening& message);

// An advertisement of VRRP version 3 (RFC 5798 section 5), or a hello of HSRP version 1 (RFC 2281 section 5)
// or 2, as `message` tells; of `ip` the source counts. The destination and its MAC are the protocol's groups.
void append_first_hop(Buffer& out, FrameShape shape, Ipv4Header ip, const FirstHop& message);

// A frame that only shows its source to whoever learns: EtherType 0x9000, nothing in it (Linux:
// ETH_P_LOOPBACK).
void append_loopback(Buffer& out, const FrameShape& shape);
// A beacon of VMware's. What is in one is not published; here its source once more, and the name of the NIC.
void append_beacon(Buffer& out, const FrameShape& shape, std::string_view nic);
// STP configuration (version 0), RSTP (version 2), or TCN, in LLC. The destination is kStpGroup, as a rule.
void append_bpdu(Buffer& out, const FrameShape& shape, const Bpdu& bpdu);

}  // namespace sekimori::wire
