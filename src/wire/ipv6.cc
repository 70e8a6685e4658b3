#include "wire/ipv6.h"

#include <algorithm>
#include <charconv>

#include "wire/ipv4.h"

namespace sekimori::wire {
namespace {

// Groups of 16 bits, the last of which may be an IPv4 address; none when the text is wrong.
struct Groups {
  std::array<std::uint16_t, 8> values{};
  std::size_t count = 0;
};
std::optional<Groups> groups_of(std::string_view text, bool may_be_ipv4) {
  Groups groups;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view word = text.substr(0, colon);
    if (colon == std::string_view::npos && may_be_ipv4 && word.contains('.')) {
      const auto tail = parse_ipv4(word);
      if (!tail || groups.count > 6) return std::nullopt;
      groups.values[groups.count++] = static_cast<std::uint16_t>(tail->bits >> 16);
      groups.values[groups.count++] = static_cast<std::uint16_t>(tail->bits);
      return groups;
    }
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(word.begin(), word.end(), value, 16);
    if (error != std::errc() || end != word.end() || word.size() > 4 || groups.count == 8)
      return std::nullopt;
    groups.values[groups.count++] = value;
    if (colon == std::string_view::npos) return groups;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;  // ends in a colon
  }
  return groups;
}

}  // namespace

std::optional<Ipv6> parse_ipv6(std::string_view text) {
  const std::size_t gap = text.find("::");
  const bool is_short = gap != std::string_view::npos;
  const auto head = groups_of(text.substr(0, gap), !is_short);
  const auto tail = is_short ? groups_of(text.substr(gap + 2), true) : Groups{};
  if (!head || !tail || text.empty()) return std::nullopt;
  if (is_short ? head->count + tail->count > 7 : head->count != 8) return std::nullopt;
  Ipv6 address;
  const auto put = [&](std::size_t at, std::uint16_t value) {
    address.octets[2 * at] = static_cast<std::uint8_t>(value >> 8);
    address.octets[2 * at + 1] = static_cast<std::uint8_t>(value);
  };
  for (std::size_t i = 0; i < head->count; ++i) put(i, head->values[i]);
  for (std::size_t i = 0; i < tail->count; ++i) put(8 - tail->count + i, tail->values[i]);
  return address;
}

std::optional<Ipv6Prefix> parse_ipv6_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ipv6(text.substr(0, slash));
  if (!address) return std::nullopt;
  Ipv6Prefix prefix{*address, 128};
  if (slash == std::string_view::npos) return prefix;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), prefix.length);
  if (error != std::errc() || end != digits.end() || digits.size() > 3 || prefix.length < 0 ||
      prefix.length > 128)
    return std::nullopt;
  return prefix;
}

std::string_view why_no_interface(const Ipv6Prefix& prefix) {
  constexpr Ipv6 kLoopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  if (prefix.address.is_multicast()) return "is a multicast address";
  if (prefix.address.is_unspecified()) return "is the unspecified address";
  if (prefix.address == kLoopback) return "is the loopback address";
  if (prefix.length < 127 && prefix.address == prefix.network())
    return "is the subnet-router anycast address of its network";
  return "";
}

std::string to_text(const Ipv6Prefix& prefix) {
  return to_text(prefix.address) + "/" + std::to_string(prefix.length);
}

Ipv6 solicited_node(const Ipv6& address) {
  Ipv6 group{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  std::copy(address.octets.begin() + 13, address.octets.end(), group.octets.begin() + 13);
  return group;
}

Group to_group(Ipv4 group) {
  Group mapped;
  mapped.octets[10] = mapped.octets[11] = 0xff;
  for (std::size_t i = 0; i < 4; ++i)
    mapped.octets[12 + i] = static_cast<std::uint8_t>(group.bits >> (24 - 8 * i));
  return mapped;
}

bool is_ipv4(const Group& group) {
  const auto& octets = group.octets;
  return octets[10] == 0xff && octets[11] == 0xff &&
         std::all_of(octets.begin(), octets.begin() + 10, [](std::uint8_t octet) { return octet == 0; });
}

Ipv4 ipv4_of(const Group& group) {
  Ipv4 address;
  for (std::size_t i = 12; i < 16; ++i) address.bits = address.bits << 8 | group.octets[i];
  return address;
}

std::string group_text(const Group& group) {
  return is_ipv4(group) ? to_text(ipv4_of(group)) : to_text(group);
}

Mac group_mac(const Group& group) {
  if (is_ipv4(group)) return Mac{0x0100'5e00'0000u | (ipv4_of(group).bits & 0x7f'ffffu)};
  std::uint64_t bits = 0x3333;
  for (std::size_t i = 12; i < 16; ++i) bits = bits << 8 | group.octets[i];
  return Mac{bits};
}

Ipv6 link_local(Mac mac) {
  Ipv6 address{{0xfe, 0x80}};
  constexpr std::size_t kAt[] = {8, 9, 10, 13, 14, 15};
  for (std::size_t i = 0; i < 6; ++i)
    address.octets[kAt[i]] = static_cast<std::uint8_t>(mac.bits >> (40 - 8 * i));
  address.octets[8] ^= 2;
  address.octets[11] = 0xff;
  address.octets[12] = 0xfe;
  return address;
}

}  // namespace sekimori::wire
