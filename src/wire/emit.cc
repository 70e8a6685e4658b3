#include "wire/emit.h"

#include <algorithm>

#include "base/assert.h"
#include "wire/icmpv6.h"

namespace sekimori::wire {
namespace {

void put_ethernet(Buffer& out, const FrameShape& shape, std::uint16_t type_or_length) {
  put_mac(out, shape.destination);
  put_mac(out, shape.source);
  if (shape.tag) {
    SEKIMORI_ASSERT(shape.tag->vid < 4096 && shape.tag->priority < 8);
    put_be16(out, shape.tag->tpid);
    put_be16(out, static_cast<std::uint16_t>(shape.tag->priority << 13 | shape.tag->drop_eligible << 12 |
                                             shape.tag->vid));
  }
  put_be16(out, type_or_length);
}

// Zeros up to the length of the frame that starts at `start`.
void pad(Buffer& out, std::size_t start, const FrameShape& shape) {
  SEKIMORI_ASSERT(out.size() - start <= shape.bytes);
  out.resize(start + shape.bytes, 0);
}

// The alphabet, as some implementations of ping fill their echo: easy to see in a dump.
void put_pattern(Buffer& out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<std::uint8_t>('a' + i % 26));
}

std::size_t payload_size(const FrameShape& shape, std::size_t headers, std::optional<std::size_t> wanted) {
  SEKIMORI_ASSERT(shape.bytes >= headers && shape.bytes - headers >= wanted.value_or(0));
  return wanted.value_or(shape.bytes - headers);
}

void store_be16(Buffer& out, std::size_t at, std::uint16_t v) {
  out[at] = static_cast<std::uint8_t>(v >> 8);
  out[at + 1] = static_cast<std::uint8_t>(v);
}

void put_ipv4(Buffer& out, const Ipv4Header& ip, std::uint8_t protocol, std::size_t payload,
              bool alerts_routers = false) {
  const std::size_t start = out.size(), header = alerts_routers ? 24 : 20;
  SEKIMORI_ASSERT(payload <= 65511);
  put_be16(out, static_cast<std::uint16_t>(0x4000 | header / 4 << 8 | ip.tos));
  put_be16(out, static_cast<std::uint16_t>(header + payload));
  put_be16(out, ip.id);
  put_be16(out, ip.dont_fragment ? 0x4000 : 0);
  put_be16(out, static_cast<std::uint16_t>(ip.ttl << 8 | protocol));
  put_be16(out, 0);
  put_be32(out, ip.source.bits);
  put_be32(out, ip.destination.bits);
  if (alerts_routers) put_be32(out, 0x9404'0000);  // RFC 2113
  store_be16(out, start + 10, fold_checksum(add_checksum(Bytes(out).subspan(start))));
}

void put(Buffer& out, const Ipv6& address) {
  out.insert(out.end(), address.octets.begin(), address.octets.end());
}

void put_ipv6(Buffer& out, const Ipv6Header& ip, std::uint8_t protocol, std::size_t payload) {
  SEKIMORI_ASSERT(payload <= 65535);
  put_be32(out, 0x6000'0000u | static_cast<std::uint32_t>(ip.traffic_class) << 20);
  put_be16(out, static_cast<std::uint16_t>(payload));
  put_be16(out, static_cast<std::uint16_t>(protocol << 8 | ip.hop_limit));
  put(out, ip.source);
  put(out, ip.destination);
}

// What differs between the two versions, for those who carry segments in either.
void put_network(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, std::uint8_t protocol,
                 std::size_t payload) {
  put_ethernet(out, shape, ethertype::kIpv4);
  put_ipv4(out, ip, protocol, payload);
}
void put_network(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, std::uint8_t protocol,
                 std::size_t payload) {
  put_ethernet(out, shape, ethertype::kIpv6);
  put_ipv6(out, ip, protocol, payload);
}
constexpr std::size_t kIpv6Beyond = 20;  // an IPv6 header is so much longer
constexpr std::size_t beyond_ipv4(const Ipv4Header&) { return 0; }
constexpr std::size_t beyond_ipv4(const Ipv6Header&) { return kIpv6Beyond; }
std::uint32_t sum_of_addresses(const Ipv4Header& ip) {
  return (ip.source.bits >> 16) + (ip.source.bits & 0xffff) + (ip.destination.bits >> 16) +
         (ip.destination.bits & 0xffff);
}
std::uint32_t sum_of_addresses(const Ipv6Header& ip) {
  return add_checksum(ip.destination.octets, add_checksum(ip.source.octets));
}

// The checksum of a segment that ends the buffer, over it and the pseudo header of addresses, protocol and
// length.
std::uint16_t segment_checksum(const Buffer& out, std::size_t segment, const auto& ip,
                               std::uint8_t protocol) {
  const std::uint32_t pseudo =
      sum_of_addresses(ip) + protocol + static_cast<std::uint32_t>(out.size() - segment);
  return fold_checksum(add_checksum(Bytes(out).subspan(segment), pseudo));
}

std::size_t tcp_option_bytes(const Tcp& tcp) {
  return (tcp.mss ? 4u : 0u) + (tcp.window_scale ? 4u : 0u) +
         (tcp.timestamps ? 12u : (tcp.sack_permitted ? 4u : 0u));
}

void put_tcp_options(Buffer& out, const Tcp& tcp) {
  if (tcp.mss) {
    put_be16(out, 0x0204);
    put_be16(out, *tcp.mss);
  }
  // Two bytes of NOP align the timestamps; in a SYN, SACK permitted takes their place.
  if (tcp.sack_permitted) put_be16(out, 0x0402);
  if (tcp.timestamps) {
    if (!tcp.sack_permitted) put_be16(out, 0x0101);
    put_be16(out, 0x080a);
    put_be32(out, tcp.timestamps->value);
    put_be32(out, tcp.timestamps->echo);
  } else if (tcp.sack_permitted) {
    put_be16(out, 0x0101);
  }
  if (tcp.window_scale) put_be32(out, 0x0103'0300u | *tcp.window_scale);
}

// An ICMPv6 message from `message` to the end of the buffer gets its checksum.
void close_icmpv6(Buffer& out, std::size_t message, const Ipv6Header& ip) {
  store_be16(out, message + 2, segment_checksum(out, message, ip, ip_protocol::kIcmpv6));
}

void put_mac_option(Buffer& out, std::uint8_t type, Mac mac) {
  put_be16(out, static_cast<std::uint16_t>(type << 8 | 1));  // one unit of eight bytes
  put_mac(out, mac);
}

// A message of Neighbor Discovery travels with a hop limit that no router can have touched.
Ipv6Header on_link(const Ipv6& source, const Ipv6& destination) {
  return {.source = source, .destination = destination, .hop_limit = 255};
}

void put_bridge(Buffer& out, const BridgeId& id) {
  put_be16(out, id.priority);
  put_mac(out, id.mac);
}

void put_timer(Buffer& out, base::Duration timer) {
  const auto units = timer / Bpdu::kTimerUnit;
  SEKIMORI_ASSERT(units >= 0 && units <= 0xffff);
  put_be16(out, static_cast<std::uint16_t>(units));
}

void put_udp(Buffer& out, const FrameShape& shape, const auto& ip, const Udp& udp,
             std::optional<std::size_t> payload_bytes) {
  const std::size_t start = out.size();
  const std::size_t payload = payload_size(shape, udp_header_bytes(shape) + beyond_ipv4(ip), payload_bytes);
  put_network(out, shape, ip, ip_protocol::kUdp, 8 + payload);
  const std::size_t segment = out.size();
  put_be16(out, udp.source_port);
  put_be16(out, udp.destination_port);
  put_be16(out, static_cast<std::uint16_t>(8 + payload));
  put_be16(out, 0);
  put_pattern(out, payload);
  const std::uint16_t checksum = segment_checksum(out, segment, ip, ip_protocol::kUdp);
  store_be16(out, segment + 6, checksum == 0 ? 0xffff : checksum);  // zero would mean "none"
  pad(out, start, shape);
}

void put_tcp(Buffer& out, const FrameShape& shape, const auto& ip, const Tcp& tcp,
             std::optional<std::size_t> payload_bytes) {
  const std::size_t start = out.size();
  const std::size_t payload =
      payload_size(shape, tcp_header_bytes(shape, tcp) + beyond_ipv4(ip), payload_bytes);
  const std::size_t header = 20 + tcp_option_bytes(tcp);
  put_network(out, shape, ip, ip_protocol::kTcp, header + payload);
  const std::size_t segment = out.size();
  put_be16(out, tcp.source_port);
  put_be16(out, tcp.destination_port);
  put_be32(out, tcp.seq);
  put_be32(out, tcp.ack);
  put_be16(out, static_cast<std::uint16_t>(header / 4 << 12 | tcp.flags));
  put_be16(out, tcp.window);
  put_be32(out, 0);  // checksum, urgent pointer
  put_tcp_options(out, tcp);
  SEKIMORI_ASSERT(out.size() - segment == header);
  put_pattern(out, payload);
  store_be16(out, segment + 16, segment_checksum(out, segment, ip, ip_protocol::kTcp));
  pad(out, start, shape);
}

}  // namespace

std::size_t tcp_header_bytes(const FrameShape& shape, const Tcp& tcp) {
  return ethernet_header_bytes(shape) + 20 + 20 + tcp_option_bytes(tcp);
}

void append_arp(Buffer& out, const FrameShape& shape, const Arp& arp) {
  const std::size_t start = out.size();
  put_ethernet(out, shape, arp.is_reverse() ? ethertype::kRarp : ethertype::kArp);
  put_be16(out, 1);  // Ethernet
  put_be16(out, ethertype::kIpv4);
  put_be16(out, 0x0604);  // lengths of the addresses
  put_be16(out, arp.operation);
  put_mac(out, arp.sender_mac);
  put_be32(out, arp.sender_ip.bits);
  put_mac(out, arp.target_mac);
  put_be32(out, arp.target_ip.bits);
  pad(out, start, shape);
}

void append_udp(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, const Udp& udp,
                std::optional<std::size_t> payload_bytes) {
  put_udp(out, shape, ip, udp, payload_bytes);
}
void append_udp(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, const Udp& udp,
                std::optional<std::size_t> payload_bytes) {
  put_udp(out, shape, ip, udp, payload_bytes);
}

void append_tcp(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, const Tcp& tcp,
                std::optional<std::size_t> payload_bytes) {
  put_tcp(out, shape, ip, tcp, payload_bytes);
}
void append_tcp(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, const Tcp& tcp,
                std::optional<std::size_t> payload_bytes) {
  put_tcp(out, shape, ip, tcp, payload_bytes);
}

void append_icmp_echo(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, const Icmp& echo,
                      std::optional<std::size_t> payload_bytes) {
  const std::size_t start = out.size();
  const std::size_t payload = payload_size(shape, icmp_header_bytes(shape), payload_bytes);
  SEKIMORI_ASSERT(echo.is_echo());
  put_ethernet(out, shape, ethertype::kIpv4);
  put_ipv4(out, ip, ip_protocol::kIcmp, 8 + payload);
  const std::size_t message = out.size();
  put_be16(out, static_cast<std::uint16_t>(echo.type << 8 | echo.code));
  put_be16(out, 0);
  put_be16(out, echo.id);
  put_be16(out, echo.sequence);
  put_pattern(out, payload);
  store_be16(out, message + 2, fold_checksum(add_checksum(Bytes(out).subspan(message))));
  pad(out, start, shape);
}

void append_vxlan(Buffer& out, const FrameShape& shape, const Ipv4Header& ip, std::uint16_t source_port,
                  std::uint32_t vni, Bytes frame) {
  const std::size_t start = out.size();
  constexpr std::size_t kHeaders = 8 + 8;  // UDP, VXLAN
  put_network(out, shape, ip, ip_protocol::kUdp, kHeaders + frame.size());
  put_be16(out, source_port);
  put_be16(out, kVxlanPort);
  put_be16(out, static_cast<std::uint16_t>(kHeaders + frame.size()));
  put_be16(out, 0);
  put_be32(out, 0x0800'0000);  // the VNI is valid
  put_be32(out, vni << 8);
  out.insert(out.end(), frame.begin(), frame.end());
  pad(out, start, shape);
}

void append_icmpv6_echo(Buffer& out, const FrameShape& shape, const Ipv6Header& ip, const Icmpv6& echo,
                        std::optional<std::size_t> payload_bytes) {
  const std::size_t start = out.size();
  const std::size_t payload = payload_size(shape, icmp_header_bytes(shape) + beyond_ipv4(ip), payload_bytes);
  SEKIMORI_ASSERT(echo.is_echo());
  put_network(out, shape, ip, ip_protocol::kIcmpv6, 8 + payload);
  const std::size_t message = out.size();
  put_be16(out, static_cast<std::uint16_t>(echo.type << 8));
  put_be16(out, 0);
  put_be16(out, echo.id);
  put_be16(out, echo.sequence);
  put_pattern(out, payload);
  close_icmpv6(out, message, ip);
  pad(out, start, shape);
}

void append_neighbor(Buffer& out, const FrameShape& shape, const Ipv6& sender, const Ipv6& receiver,
                     const Icmpv6& neighbor) {
  SEKIMORI_ASSERT(neighbor.is_neighbor());
  const std::size_t start = out.size();
  const bool answers = neighbor.type == Icmpv6::kNeighborAdvertisement;
  const auto& mac = answers ? neighbor.target_mac : neighbor.source_mac;
  const Ipv6Header ip = on_link(sender, receiver);
  put_network(out, shape, ip, ip_protocol::kIcmpv6, mac ? 32 : 24);
  const std::size_t message = out.size();
  put_be16(out, static_cast<std::uint16_t>(neighbor.type << 8));
  put_be16(out, 0);
  put_be32(out, static_cast<std::uint32_t>(neighbor.from_router) << 31 |
                    static_cast<std::uint32_t>(neighbor.solicited) << 30 |
                    static_cast<std::uint32_t>(neighbor.overrides) << 29);
  put(out, neighbor.target);
  if (mac) put_mac_option(out, answers ? 2 : 1, *mac);
  close_icmpv6(out, message, ip);
  pad(out, start, shape);
}

void append_router_advertisement(Buffer& out, const FrameShape& shape, const Ipv6& prefix, int length,
                                 std::uint16_t lifetime_s) {
  const std::size_t start = out.size();
  const Ipv6Header ip = on_link(link_local(shape.source), kAllNodes);
  put_network(out, shape, ip, ip_protocol::kIcmpv6, 16 + 8 + 32);
  const std::size_t message = out.size();
  put_be16(out, Icmpv6::kRouterAdvertisement << 8);
  put_be16(out, 0);
  put_be16(out, 64 << 8);  // the hop limit that hosts shall use, and no flags
  put_be16(out, lifetime_s);
  put_be32(out, 0);  // reachable time and retransmission: not told
  put_be32(out, 0);
  put_mac_option(out, 1, shape.source);
  put_be16(out, 0x0304);                                          // option: prefix information, four units
  put_be16(out, static_cast<std::uint16_t>(length << 8 | 0xc0));  // on link, and for addresses
  constexpr std::uint32_t kValidSeconds = 2'592'000, kPreferredSeconds = 604'800;  // RFC 4861 section 6.2.1
  put_be32(out, kValidSeconds);
  put_be32(out, kPreferredSeconds);
  put_be32(out, 0);
  put(out, Ipv6Prefix{prefix, length}.network());
  close_icmpv6(out, message, ip);
  pad(out, start, shape);
}

void append_neighbor_solicitation(Buffer& out, Mac source, const Ipv6& sender, const Ipv6& target) {
  const Ipv6 group = solicited_node(target);
  append_neighbor(out, {.destination = group_mac(group), .source = source, .bytes = 86}, sender, group,
                  {.type = Icmpv6::kNeighborSolicitation, .target = target, .source_mac = source});
}

namespace {

Group receiver_of(const Listening& m) {
  switch (m.kind) {
    case Listening::Kind::kReport:
      return m.ipv6 ? kAllMldv2Routers : to_group(kAllIgmpv3Routers);
    case Listening::Kind::kLeave:
      return m.ipv6 ? Ipv6{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}} : to_group({0xe000'0002});
    case Listening::Kind::kQuery:
      if (m.group.is_zero()) return m.ipv6 ? kAllNodes : to_group(kAllHosts);
      break;
    case Listening::Kind::kOldReport:
    case Listening::Kind::kGarbled:
      break;
  }
  return m.group;
}

void put_group(Buffer& out, const Listening& m, const Group& group) {
  if (m.ipv6)
    put(out, group);
  else
    put_be32(out, group.is_zero() ? 0 : ipv4_of(group).bits);
}

// Type, code, checksum, to be filled in, and what else the version puts before the groups.
void put_listening(Buffer& out, const Listening& m) {
  using Kind = Listening::Kind;
  constexpr std::uint8_t kIgmpTypes[] = {0x11, 0x16, 0x22, 0x17}, kMldTypes[] = {130, 131, 143, 132};
  const auto kind = static_cast<std::size_t>(m.kind);
  const auto patience = static_cast<std::uint16_t>(m.kind == Kind::kQuery ? m.patience_ms : 0);
  put_be16(out, static_cast<std::uint16_t>((m.ipv6 ? kMldTypes : kIgmpTypes)[kind] << 8 |
                                           (m.ipv6 ? 0 : patience / 100)));
  put_be16(out, 0);
  if (m.kind == Kind::kReport) {
    constexpr std::uint32_t kIsExclude = 2, kIsInclude = 1;
    put_be32(out, static_cast<std::uint32_t>(m.records.size()));
    for (const Listening::Record& record : m.records) {
      put_be32(out, (record.leaves ? kIsInclude : kIsExclude) << 24);
      put_group(out, m, record.group);
    }
    return;
  }
  if (m.ipv6) put_be32(out, std::uint32_t{patience} << 16);
  put_group(out, m, m.group);
  constexpr std::uint32_t kRobustness = 2, kInterval = 125;  // and no sources
  if (m.kind == Kind::kQuery && !m.is_old_query) put_be32(out, kRobustness << 24 | kInterval << 16);
}

}  // namespace

void append_listening(Buffer& out, FrameShape shape, const Listening& m) {
  SEKIMORI_ASSERT(m.kind != Listening::Kind::kGarbled);
  const Group to = receiver_of(m);
  shape.destination = group_mac(to);
  Buffer message;
  put_listening(message, m);
  const std::size_t start = out.size();
  if (!m.ipv6) {
    store_be16(message, 2, fold_checksum(add_checksum(message)));
    Ipv4Header ip;
    ip.source = m.source.is_zero() ? Ipv4{} : ipv4_of(m.source);
    ip.destination = ipv4_of(to);
    ip.ttl = 1;
    ip.tos = 0xc0;
    put_ethernet(out, shape, ethertype::kIpv4);
    put_ipv4(out, ip, ip_protocol::kIgmp, message.size(), true);
    out.insert(out.end(), message.begin(), message.end());
  } else {
    const Ipv6Header ip{.source = m.source, .destination = to, .hop_limit = 1};
    put_network(out, shape, ip, ip_protocol::kHopByHop, 8 + message.size());
    // The next header, a router alert (RFC 2711) of MLD, and padding.
    out.insert(out.end(), {ip_protocol::kIcmpv6, 0, 5, 2, 0, 0, 1, 0});
    const std::size_t segment = out.size();
    out.insert(out.end(), message.begin(), message.end());
    close_icmpv6(out, segment, ip);
  }
  shape.bytes = std::max(shape.bytes, out.size() - start);
  pad(out, start, shape);
}

namespace {

void put_vrrp(Buffer& out, const FirstHop& m) {
  constexpr std::uint8_t kVersion3Advertisement = 0x31;
  out.insert(out.end(), {kVersion3Advertisement, static_cast<std::uint8_t>(m.group),
                         static_cast<std::uint8_t>(m.priority), 1});
  put_be16(out, static_cast<std::uint16_t>(m.hello_ms / 10));
  put_be16(out, 0);
  put_be32(out, m.virtual_ip.value_or(Ipv4{}).bits);
}

void put_hsrp1(Buffer& out, const FirstHop& m) {
  const auto hello = static_cast<std::uint8_t>(m.hello_ms / 1000);
  out.insert(out.end(), {0, m.opcode, m.state, hello, static_cast<std::uint8_t>(hello * 10 / 3),
                         static_cast<std::uint8_t>(m.priority), static_cast<std::uint8_t>(m.group), 0});
  for (const char c : std::string_view("cisco\0\0\0", 8)) out.push_back(static_cast<std::uint8_t>(c));
  put_be32(out, m.virtual_ip.value_or(Ipv4{}).bits);
}

// One element, the group's state: 40 bytes.
void put_hsrp2(Buffer& out, const FirstHop& m, Mac own) {
  constexpr std::uint8_t kGroupState = 1, kLength = 40, kIpv4 = 4;
  out.insert(out.end(), {kGroupState, kLength, 2, m.opcode, m.state, kIpv4});
  put_be16(out, m.group);
  put_mac(out, own);
  put_be32(out, m.priority);
  put_be32(out, m.hello_ms);
  put_be32(out, m.hello_ms * 10 / 3);
  put_be32(out, m.virtual_ip.value_or(Ipv4{}).bits);
  out.resize(out.size() + 12);  // room for an IPv6 address
}

}  // namespace

void append_first_hop(Buffer& out, FrameShape shape, Ipv4Header ip, const FirstHop& m) {
  constexpr Ipv4 kVrrpGroup{0xe000'0012}, kAllRouters{0xe000'0002}, kHsrp2Group{0xe000'0066};
  const bool vrrp = m.protocol == FirstHop::Protocol::vrrp, second = m.version == 2;
  ip.destination = vrrp ? kVrrpGroup : second ? kHsrp2Group : kAllRouters;
  ip.ttl = vrrp ? 255 : 1;
  ip.tos = 0xc0;
  shape.destination = Mac{0x0100'5e00'0000u | std::uint64_t{ip.destination.bits & 0x7f'ffffu}};
  const std::size_t start = out.size(), message = vrrp ? 12u : second ? 8u + 42u : 8u + 20u;
  put_ethernet(out, shape, ethertype::kIpv4);
  put_ipv4(out, ip, vrrp ? ip_protocol::kVrrp : ip_protocol::kUdp, message);
  const std::size_t segment = out.size();
  if (vrrp) {
    put_vrrp(out, m);
    store_be16(out, segment + 6, segment_checksum(out, segment, ip, ip_protocol::kVrrp));
  } else {
    put_be16(out, kHsrpPort);
    put_be16(out, kHsrpPort);
    put_be16(out, static_cast<std::uint16_t>(message));
    put_be16(out, 0);
    second ? put_hsrp2(out, m, shape.source) : put_hsrp1(out, m);
    store_be16(out, segment + 6, segment_checksum(out, segment, ip, ip_protocol::kUdp));
  }
  pad(out, start, shape);
}

void append_loopback(Buffer& out, const FrameShape& shape) {
  const std::size_t start = out.size();
  put_ethernet(out, shape, ethertype::kLoopback);
  pad(out, start, shape);
}

void append_beacon(Buffer& out, const FrameShape& shape, std::string_view nic) {
  constexpr std::size_t kMostName = 31;
  const std::size_t start = out.size();
  put_ethernet(out, shape, ethertype::kVmwareBeacon);
  put_mac(out, shape.source);
  for (const char c : nic.substr(0, kMostName)) out.push_back(static_cast<std::uint8_t>(c));
  pad(out, start, shape);
}

void append_bpdu(Buffer& out, const FrameShape& shape, const Bpdu& bpdu) {
  SEKIMORI_ASSERT(!bpdu.mst && !bpdu.pvst_vlan && (bpdu.version == 0 || bpdu.version == 2));
  const bool rapid = bpdu.version == 2 && !bpdu.is_tcn();
  const std::size_t start = out.size();
  const int bytes = bpdu.is_tcn() ? 4 : rapid ? 36 : 35;
  put_ethernet(out, shape, static_cast<std::uint16_t>(3 + bytes));
  put_be16(out, 0x4242);  // LLC: both access points are the bridge's,
  put_u8(out, 0x03);      // unnumbered information
  put_be16(out, 0);       // protocol id
  put_u8(out, bpdu.is_tcn() ? 0 : bpdu.version);
  put_u8(out, bpdu.is_tcn() ? Bpdu::kTcn : rapid ? Bpdu::kRapid : Bpdu::kConfiguration);
  if (!bpdu.is_tcn()) {
    put_u8(out, bpdu.flags);
    put_bridge(out, bpdu.root);
    put_be32(out, bpdu.root_path_cost);
    put_bridge(out, bpdu.bridge);
    put_be16(out, bpdu.port);
    for (const base::Duration timer : {bpdu.message_age, bpdu.max_age, bpdu.hello, bpdu.forward_delay}) {
      put_timer(out, timer);
    }
    if (rapid) put_u8(out, 0);  // version 1 length
  }
  pad(out, start, shape);
}

}  // namespace sekimori::wire
