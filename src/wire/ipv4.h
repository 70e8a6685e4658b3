// IPv4 addresses and prefixes (RFC 791, RFC 4632), in host byte order.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sekimori::wire {

struct Ipv4 {
  std::uint32_t bits = 0;
  constexpr bool is_zero() const { return bits == 0; }
  constexpr bool is_multicast() const { return bits >> 28 == 0xe; }
  friend constexpr auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

// An interface's address with its prefix length ("10.0.0.1/24"), or a network ("10.0.0.0/24").
struct Ipv4Prefix {
  Ipv4 address;
  int length = 32;

  constexpr std::uint32_t mask() const { return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length); }
  constexpr Ipv4 network() const { return {address.bits & mask()}; }
  constexpr bool contains(Ipv4 a) const { return (a.bits & mask()) == network().bits; }
  friend constexpr auto operator<=>(const Ipv4Prefix&, const Ipv4Prefix&) = default;
};

// Why a NIC cannot have the address, as the end of a sentence that begins with it; empty when it can: a
// unicast address (RFC 6890: not 0.0.0.0/8, loopback, multicast or reserved) that is neither the first nor
// the last of its network (RFC 1122 3.2.1.3, RFC 3021 for a /31).
std::string_view why_no_interface(Ipv4Prefix prefix);

std::optional<Ipv4> parse_ipv4(std::string_view text);
// "10.0.0.1/24"; without a length the prefix is a /32.
std::optional<Ipv4Prefix> parse_ipv4_prefix(std::string_view text);
std::string to_text(Ipv4 address);
std::string to_text(Ipv4Prefix prefix);

}  // namespace sekimori::wire

template <>
struct std::hash<sekimori::wire::Ipv4> {
  std::size_t operator()(sekimori::wire::Ipv4 a) const noexcept { return a.bits; }
};
