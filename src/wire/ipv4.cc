#include "wire/ipv4.h"

#include <fmt/format.h>

namespace sekimori::wire {
namespace {

// A decimal number of at most three digits, no sign and no leading zero (010 is octal to some, decimal to
// others).
std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t most) {
  std::size_t digits = 0;
  std::uint32_t value = 0;
  while (digits < text.size() && digits < 4 && text[digits] >= '0' && text[digits] <= '9') {
    value = value * 10 + static_cast<std::uint32_t>(text[digits++] - '0');
  }
  if (digits == 0 || digits > 3 || value > most || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  Ipv4 address;
  for (int octet = 0; octet < 4; ++octet) {
    if (octet > 0) {
      if (text.empty() || text[0] != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    const auto number = take_number(text, 255);
    if (!number) return std::nullopt;
    address.bits = address.bits << 8 | *number;
  }
  if (!text.empty()) return std::nullopt;
  return address;
}

std::optional<Ipv4Prefix> parse_ipv4_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ipv4(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Ipv4Prefix{*address, 32};
  text.remove_prefix(slash + 1);
  const auto length = take_number(text, 32);
  if (!length || !text.empty()) return std::nullopt;
  return Ipv4Prefix{*address, static_cast<int>(*length)};
}

std::string_view why_no_interface(Ipv4Prefix prefix) {
  const std::uint32_t bits = prefix.address.bits;
  if (bits >> 28 >= 0xe || bits >> 24 == 0 || bits >> 24 == 127)
    return "must be a unicast address that a NIC can have";
  if (prefix.length < 1) return "has a prefix length from 1 to 32";
  if (prefix.length >= 31) return {};
  if (prefix.address == prefix.network())
    return "is the address of the whole network, not of a machine in it";
  if ((bits | prefix.mask()) == ~std::uint32_t{0})
    return "is the broadcast address of its network, not of a machine in it";
  return {};
}

std::string to_text(Ipv4 a) {
  return fmt::format("{}.{}.{}.{}", a.bits >> 24, a.bits >> 16 & 255, a.bits >> 8 & 255, a.bits & 255);
}

std::string to_text(Ipv4Prefix p) { return fmt::format("{}/{}", to_text(p.address), p.length); }

}  // namespace sekimori::wire
