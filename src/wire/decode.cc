#include "wire/decode.h"

#include <algorithm>

namespace sekimori::wire {
namespace {

constexpr std::uint32_t kCisco = 0x00000c;
constexpr std::uint16_t kCiscoPvst = 0x010b, kCiscoCdp = 0x2000;
constexpr std::uint8_t kStpSap = 0x42, kIpSap = 0x06;

// A decoded layer into its place, or why there is none. Null in the latter case.
template <class Layer, class Place>
Layer* keep(Packet& packet, Place& place, Parsed<Layer>&& parsed) {
  if (!parsed) {
    packet.defect = parsed.error();
    return nullptr;
  }
  return &place.template emplace<Layer>(*parsed);
}

void keep_tunnel(Packet& packet, Parsed<Tunnel>&& parsed) {
  if (parsed) {
    packet.tunnel = *parsed;
  } else {
    packet.defect = parsed.error();
  }
}

// Messages that are lists without an end of their own look complete when a capture cuts them between two
// entries; that the packet was longer tells.
template <class Layer, class Place>
void keep_whole(Packet& packet, Place& place, Parsed<Layer>&& parsed, bool whole) {
  if (parsed && !whole) parsed = std::unexpected(Defect::truncated);
  keep(packet, place, std::move(parsed));
}

// Either end of a conversation may own the well-known port.
bool uses(const Udp& udp, std::uint16_t port) {
  return udp.source_port == port || udp.destination_port == port;
}

void decode_udp(Packet& packet, Bytes segment) {
  const Udp* udp = keep(packet, packet.transport, parse_udp(segment));
  if (udp == nullptr) return;
  const bool whole = udp->payload.size() + 8 >= udp->length;
  if (uses(*udp, Dhcp::kServerPort)) {
    keep_whole(packet, packet.application, parse_dhcp(udp->payload), whole);
  } else if (uses(*udp, kHsrpPort) || uses(*udp, kHsrpIpv6Port)) {
    keep(packet, packet.application, parse_hsrp(udp->payload));
  } else if (uses(*udp, kGlbpPort)) {
    keep_whole(packet, packet.application, parse_glbp(udp->payload), whole);
  } else if (udp->destination_port == BfdEcho::kPort) {
    packet.application = BfdEcho{};
  } else if (udp->destination_port == kVxlanPort || udp->destination_port == kLinuxVxlanPort) {
    keep_tunnel(packet, parse_vxlan(udp->payload));
  } else if (udp->destination_port == kGenevePort) {
    keep_tunnel(packet, parse_geneve(udp->payload));
  }
}

void decode_transport(Packet& packet, std::uint8_t protocol, Bytes payload, bool whole, bool over_ipv6) {
  switch (protocol) {
    case ip_protocol::kUdp:
      return decode_udp(packet, payload);
    case ip_protocol::kTcp:
      keep(packet, packet.transport, parse_tcp(payload));
      return;
    case ip_protocol::kIcmp:
      if (!over_ipv6) keep(packet, packet.transport, parse_icmp(payload));
      return;
    case ip_protocol::kIcmpv6:
      if (over_ipv6) keep_whole(packet, packet.transport, parse_icmpv6(payload), whole);
      return;
    case ip_protocol::kIgmp:
      keep(packet, packet.transport, parse_igmp(payload));
      return;
    case ip_protocol::kVrrp:
      keep(packet, packet.application, parse_vrrp(payload, over_ipv6));
      return;
    case ip_protocol::kGre:
      return keep_tunnel(packet, parse_gre(payload));
    default:
      return;
  }
}

// A fragment but the first starts with no header; the first may lack the end of its payload, which is no
// matter.
void decode_ipv4(Packet& packet, Bytes payload) {
  const Ipv4Header* ip = keep(packet, packet.network, parse_ipv4_header(payload));
  if (ip == nullptr || ip->fragment_offset != 0) return;
  const bool whole = ip->payload.size() + ip->header_bytes >= ip->total_bytes;
  decode_transport(packet, ip->protocol, ip->payload, whole, false);
}

void decode_ipv6(Packet& packet, Bytes payload) {
  const Ipv6Header* ip = keep(packet, packet.network, parse_ipv6_header(payload));
  if (ip == nullptr || ip->fragment_offset != 0) return;
  constexpr std::size_t kHeader = 40;
  const bool whole = payload.size() >= kHeader + ip->payload_bytes;
  decode_transport(packet, ip->protocol, ip->payload, whole, true);
}

// A PPP session only wraps IP here: what the session is does not matter.
void decode_pppoe(Packet& packet, Bytes payload) {
  constexpr std::uint16_t kPppIpv4 = 0x0021, kPppIpv6 = 0x0057;
  Cursor in(payload);
  in.skip(4);  // version, code, session
  const std::uint16_t length = in.u16();
  in = Cursor(in.take_up_to(length));
  const std::uint16_t protocol = in.u16();
  if (!in.ok()) {
    packet.defect = Defect::truncated;
  } else if (protocol == kPppIpv4) {
    decode_ipv4(packet, in.rest());
  } else if (protocol == kPppIpv6) {
    decode_ipv6(packet, in.rest());
  }
}

void decode_ethertype(Packet& packet, std::uint16_t type, Bytes payload) {
  switch (type) {
    case ethertype::kIpv4:
      return decode_ipv4(packet, payload);
    case ethertype::kIpv6:
      return decode_ipv6(packet, payload);
    case ethertype::kArp:
    case ethertype::kRarp:
      keep(packet, packet.network, parse_arp(payload));
      return;
    case ethertype::kPppoeSession:
      return decode_pppoe(packet, payload);
    case ethertype::kLldp:
      keep(packet, packet.network, parse_lldp(payload));
      return;
    case ethertype::kSlow:
      keep(packet, packet.network, parse_lacp(payload));
      return;
    case ethertype::kNlbHeartbeat:
      keep(packet, packet.network, parse_nlb_heartbeat(payload));
      return;
    case ethertype::kPbb:
      return keep_tunnel(packet, parse_pbb(payload));
    default:
      return;
  }
}

void decode_llc(Packet& packet, Bytes payload, bool whole) {
  const auto llc = parse_llc(payload);
  if (!llc) {
    packet.defect = llc.error();
  } else if (llc->is_snap && llc->organisation == 0) {
    decode_ethertype(packet, llc->protocol, llc->payload);
  } else if (llc->is_snap && llc->organisation == kCisco && llc->protocol == kCiscoPvst) {
    keep(packet, packet.network, parse_pvst_bpdu(llc->payload));
  } else if (llc->is_snap && llc->organisation == kCisco && llc->protocol == kCiscoCdp) {
    keep_whole(packet, packet.network, parse_cdp(llc->payload), whole);
  } else if (llc->destination_sap == kStpSap) {
    keep(packet, packet.network, parse_bpdu(llc->payload));
  } else if (llc->destination_sap == kIpSap) {
    decode_ipv4(packet, llc->payload);
  }
}

void decode_cooked(Packet& packet, Parsed<Cooked>&& parsed) {
  const Cooked* cooked = keep(packet, packet.link, std::move(parsed));
  if (cooked == nullptr) return;
  constexpr std::uint16_t kLlc = 4;
  std::uint16_t type = cooked->type;
  Cursor in(cooked->payload);
  while (is_vlan_tpid(type)) {
    in.skip(2);
    type = in.u16();
  }
  if (!in.ok()) {
    packet.defect = Defect::truncated;
  } else if (type == kLlc) {
    decode_llc(packet, in.rest(), true);
  } else {
    decode_ethertype(packet, type, in.rest());
  }
}

// BSD loopback: the family as a number of the capturing machine, whose byte order is not known. IPv6 has
// several.
void decode_loopback(Packet& packet, Bytes frame) {
  Cursor in(frame);
  const std::uint32_t family = in.u32();
  const std::uint32_t small = std::min(family, __builtin_bswap32(family));
  if (!in.ok()) {
    packet.defect = Defect::truncated;
  } else if (small == 2) {
    decode_ipv4(packet, in.rest());
  } else if (small == 10 || small == 24 || small == 28 || small == 30) {
    decode_ipv6(packet, in.rest());
  }
}

}  // namespace

Packet decode(LinkType link_type, Bytes frame) {
  Packet packet;
  switch (link_type) {
    case LinkType::ethernet: {
      const Ethernet* ethernet = keep(packet, packet.link, parse_ethernet(frame));
      if (ethernet == nullptr) break;
      const Bytes payload = ethernet_payload(frame, *ethernet);
      if (ethernet->is_llc()) {
        decode_llc(packet, payload, payload.size() >= ethernet->type);
      } else {
        decode_ethertype(packet, ethernet->type, payload);
      }
      break;
    }
    case LinkType::linux_cooked:
      decode_cooked(packet, parse_cooked(frame));
      break;
    case LinkType::linux_cooked2:
      decode_cooked(packet, parse_cooked2(frame));
      break;
    case LinkType::null:
      decode_loopback(packet, frame);
      break;
    case LinkType::raw_ip:
      decode_ethertype(packet, !frame.empty() && frame[0] >> 4 == 6 ? ethertype::kIpv6 : ethertype::kIpv4,
                       frame);
      break;
    default:
      packet.defect = Defect::unsupported;
  }
  return packet;
}

}  // namespace sekimori::wire
