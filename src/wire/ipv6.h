// IPv6 addresses and prefixes (RFC 4291).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::wire {

struct Ipv6 {
  std::array<std::uint8_t, 16> octets{};
  constexpr bool is_unspecified() const { return octets == std::array<std::uint8_t, 16>{}; }
  constexpr bool is_zero() const { return is_unspecified(); }
  constexpr bool is_multicast() const { return octets[0] == 0xff; }
  friend constexpr auto operator<=>(const Ipv6&, const Ipv6&) = default;
};

// An interface's address with its prefix length ("2001:db8::1/64"), or a network.
struct Ipv6Prefix {
  Ipv6 address;
  int length = 128;

  constexpr Ipv6 network() const {
    Ipv6 net = address;
    for (int bit = length; bit < 128; ++bit)
      net.octets[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
    return net;
  }
  constexpr bool contains(const Ipv6& a) const { return Ipv6Prefix{a, length}.network() == network(); }
  friend constexpr auto operator<=>(const Ipv6Prefix&, const Ipv6Prefix&) = default;
};

// Why a NIC cannot have the address, as the end of a sentence that begins with it; empty when it can: a
// unicast address that is neither loopback nor unspecified (RFC 4291 section 2.5).
std::string_view why_no_interface(const Ipv6Prefix& prefix);

std::optional<Ipv6> parse_ipv6(std::string_view text);
// "2001:db8::1/64"; without a length the prefix is a /128.
std::optional<Ipv6Prefix> parse_ipv6_prefix(std::string_view text);
// RFC 5952: lower case, the longest run of zeros shortened.
std::string to_text(const Ipv6& address);
std::string to_text(const Ipv6Prefix& prefix);

// ff02::1, and the group whose members have an address that ends as this one does (RFC 4291 section 2.7.1).
constexpr Ipv6 kAllNodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
Ipv6 solicited_node(const Ipv6& address);
// A multicast group of either version: an IPv4 one as ::ffff:239.1.1.1 (RFC 4291 section 2.5.5.2).
using Group = Ipv6;
constexpr Ipv4 kAllHosts{0xe000'0001}, kAllIgmpv3Routers{0xe000'0016};  // 224.0.0.1, 224.0.0.22
constexpr Ipv6 kAllMldv2Routers{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16}};
Group to_group(Ipv4 group);
bool is_ipv4(const Group& group);
Ipv4 ipv4_of(const Group& group);
std::string group_text(const Group& group);  // "239.1.1.1", "ff15::1"
// The Ethernet group that carries it (RFC 2464 section 7; RFC 1112 section 6.4).
Mac group_mac(const Group& group);
// The link-local address that a NIC makes of its MAC (RFC 4291 appendix A).
Ipv6 link_local(Mac mac);

}  // namespace sekimori::wire

template <>
struct std::hash<sekimori::wire::Ipv6> {
  std::size_t operator()(const sekimori::wire::Ipv6& a) const noexcept {
    std::uint64_t mixed = 0;
    for (const std::uint8_t octet : a.octets) mixed = (mixed ^ octet) * 0x100000001b3u;
    return mixed;
  }
};
