// MAC addresses (IEEE 802 EUI-48), kept as the low 48 bits of an integer, first octet most significant.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace sekimori::wire {

struct Mac {
  std::uint64_t bits = 0;

  constexpr Mac() = default;
  constexpr explicit Mac(std::uint64_t b) : bits(b & 0xffff'ffff'ffffu) {}

  // IEEE 802-2014 section 8.2: I/G is the least significant bit of the first octet, U/L the next.
  constexpr bool is_group() const { return (bits >> 40) & 1; }
  constexpr bool is_local() const { return (bits >> 41) & 1; }
  constexpr bool is_broadcast() const { return bits == 0xffff'ffff'ffffu; }
  constexpr bool is_zero() const { return bits == 0; }
  // 01-80-C2-00-00-00 to -0F, which no bridge relays (IEEE 802.1Q table 8-1).
  constexpr bool is_link_local_group() const { return (bits & ~std::uint64_t{0xf}) == 0x0180'c200'0000u; }

  constexpr std::array<std::uint8_t, 6> octets() const {
    return {static_cast<std::uint8_t>(bits >> 40), static_cast<std::uint8_t>(bits >> 32),
            static_cast<std::uint8_t>(bits >> 24), static_cast<std::uint8_t>(bits >> 16),
            static_cast<std::uint8_t>(bits >> 8),  static_cast<std::uint8_t>(bits)};
  }
  static constexpr Mac from_octets(const std::uint8_t* p) {
    std::uint64_t b = 0;
    for (int i = 0; i < 6; ++i) b = b << 8 | p[i];
    return Mac{b};
  }

  friend constexpr auto operator<=>(const Mac&, const Mac&) = default;
};

constexpr Mac kBroadcast{0xffff'ffff'ffffu};

// Every usual notation: 02:00:5e:10:00:01, 02-00-5E-10-00-01, 0200.5e10.0001 (Cisco), 02005e100001.
std::optional<Mac> parse_mac(std::string_view text);
// 02:00:5e:10:00:01
std::string to_text(Mac mac);

}  // namespace sekimori::wire

template <>
struct std::hash<sekimori::wire::Mac> {
  std::size_t operator()(sekimori::wire::Mac mac) const noexcept { return sekimori::base::mix64(mac.bits); }
};
