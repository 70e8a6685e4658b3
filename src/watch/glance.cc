#include "watch/glance.h"

#include "wire/dhcp.h"
#include "wire/first_hop.h"
#include "wire/icmpv6.h"
#include "wire/ip.h"
#include "wire/transport.h"
#include "wire/tunnel.h"

namespace sekimori::watch {
namespace {

using wire::Bytes;
using wire::Ethernet;

constexpr bool is_control_port(std::uint16_t port) {
  return port == wire::Dhcp::kServerPort || port == wire::Dhcp::kClientPort || port == wire::kHsrpPort ||
         port == wire::kHsrpIpv6Port || port == wire::kGlbpPort || port == wire::kVxlanPort ||
         port == wire::kLinuxVxlanPort || port == wire::kGenevePort;
}

// Connections that begin or are reset.
bool is_tcp_control(const std::uint8_t* tcp, std::size_t left) {
  return left >= 20 && (tcp[13] & (wire::Tcp::kSyn | wire::Tcp::kRst)) != 0;
}

bool is_ipv4_control(const std::uint8_t* ip, std::size_t left) {
  if (left < 24) return false;
  if (ip[9] == wire::ip_protocol::kTcp) {
    const std::size_t tcp = std::size_t{ip[0] & 0xfu} * 4;
    return tcp < left && is_tcp_control(ip + tcp, left - tcp);
  }
  if (ip[9] != wire::ip_protocol::kUdp)
    return ip[9] == wire::ip_protocol::kVrrp || ip[9] == wire::ip_protocol::kGre;
  const std::size_t udp = std::size_t{ip[0] & 0xfu} * 4;
  return udp + 4 <= left && is_control_port(wire::read_be16(ip + udp + 2));
}

bool is_ipv6_control(const std::uint8_t* ip, std::size_t left) {
  using wire::Icmpv6;
  if (left < 44) return false;
  if (ip[6] == wire::ip_protocol::kIcmpv6)
    return ip[40] >= Icmpv6::kRouterSolicitation && ip[40] <= Icmpv6::kRedirect;
  if (ip[6] == wire::ip_protocol::kTcp) return is_tcp_control(ip + 40, left - 40);
  if (ip[6] == wire::ip_protocol::kUdp) return is_control_port(wire::read_be16(ip + 42));
  return ip[6] == wire::ip_protocol::kVrrp || ip[6] == wire::ip_protocol::kGre;
}

bool is_control(const Ethernet& header, const std::uint8_t* payload, std::size_t left) {
  switch (header.type) {
    case wire::ethertype::kIpv4:
      return is_ipv4_control(payload, left);
    case wire::ethertype::kIpv6:
      return is_ipv6_control(payload, left);
    case wire::ethertype::kArp:
    case wire::ethertype::kRarp:
    case wire::ethertype::kSlow:
    case wire::ethertype::kNlbHeartbeat:
    case wire::ethertype::kLldp:
    case wire::ethertype::kPbb:
      return true;
    default:
      return header.is_llc();
  }
}

// Of a whole header.
void complete(Glance& glance, std::uint64_t scope_key, Bytes bytes) {
  const Ethernet& header = glance.header;
  glance.scope_key = scope_key;
  glance.hash = pair_hash(scope_key, header.source, header.destination);
  glance.whole = true;
  const std::uint8_t* payload = bytes.data() + header.header_bytes;
  const std::size_t left = bytes.size() - header.header_bytes;
  glance.control = is_control(header, payload, left);
  if (header.type != wire::ethertype::kIpv4 || left < 20) return;
  if (payload[9] != wire::ip_protocol::kTcp && payload[9] != wire::ip_protocol::kIcmp) return;
  glance.ip = wire::read_be32(payload + 12);
  glance.ttl = payload[8];
  glance.protocol = payload[9];
}

}  // namespace

void take_glance(const wire::Frame& frame, Glance& glance) {
  if (frame.link_type != wire::LinkType::ethernet) [[unlikely]]
    return;
  Ethernet& header = glance.header;
  if (!wire::read_ethernet(frame.bytes, header)) [[unlikely]]
    return;
  complete(glance, scope_key({frame.interface, header.outer_vlan(), header.inner_vlan(), 0}), frame.bytes);
}

Glance glance_at(const wire::Frame& frame) {
  Glance glance;
  take_glance(frame, glance);
  return glance;
}

Glance glance_at(std::uint64_t scope_key, const Ethernet& header, Bytes bytes) {
  Glance glance{.header = header};
  complete(glance, scope_key, bytes);
  return glance;
}

}  // namespace sekimori::watch
