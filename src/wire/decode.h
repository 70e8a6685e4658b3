// The deep path: one captured frame taken apart, layer by layer, as far as this project understands it.
//
// Detectors that only need addresses and VLANs call parse_ethernet() and stop there; decode() costs more.
// Nothing is allocated, nothing past the captured bytes is read, and views into them live as long as the
// frame does.
//
//   const Packet packet = decode(frame.link_type, frame.bytes);
//   if (const Arp* arp = packet.get<Arp>()) ...
//   if (packet.tunnel) decode(LinkType::ethernet, packet.tunnel->frame) ...    // the inner frame, on wish
#pragma once

#include <optional>
#include <type_traits>
#include <variant>

#include "wire/arp.h"
#include "wire/bytes.h"
#include "wire/cooked.h"
#include "wire/dhcp.h"
#include "wire/discovery.h"
#include "wire/ethernet.h"
#include "wire/first_hop.h"
#include "wire/icmpv6.h"
#include "wire/igmp.h"
#include "wire/ip.h"
#include "wire/lacp.h"
#include "wire/link_type.h"
#include "wire/nlb.h"
#include "wire/stp.h"
#include "wire/transport.h"
#include "wire/tunnel.h"

namespace sekimori::wire {

// An echo of BFD (RFC 5881): sent to the sender's own address, so that it comes back, which is no loop.
struct BfdEcho {
  static constexpr std::uint16_t kPort = 3785;
};

struct Packet {
  std::variant<std::monostate, Ethernet, Cooked> link;
  std::variant<std::monostate, Arp, Ipv4Header, Ipv6Header, Bpdu, Discovery, Lacp, NlbHeartbeat> network;
  std::variant<std::monostate, Udp, Tcp, Icmp, Icmpv6, Igmp> transport;
  std::variant<std::monostate, Dhcp, FirstHop, BfdEcho> application;
  std::optional<Tunnel> tunnel;
  // Why the layer behind the last good one could not be decoded; none where it is of no known protocol.
  std::optional<Defect> defect;

  // The layer of that type, or null.
  template <class Layer>
  const Layer* get() const;
};

Packet decode(LinkType link_type, Bytes frame);

namespace detail {
template <class Layer, class Variant>
constexpr bool kHolds = false;
template <class Layer, class... Layers>
constexpr bool kHolds<Layer, std::variant<Layers...>> = (std::is_same_v<Layer, Layers> || ...);
}  // namespace detail

template <class Layer>
const Layer* Packet::get() const {
  if constexpr (detail::kHolds<Layer, decltype(link)>) {
    return std::get_if<Layer>(&link);
  } else if constexpr (detail::kHolds<Layer, decltype(network)>) {
    return std::get_if<Layer>(&network);
  } else if constexpr (detail::kHolds<Layer, decltype(transport)>) {
    return std::get_if<Layer>(&transport);
  } else {
    return std::get_if<Layer>(&application);
  }
}

}  // namespace sekimori::wire
