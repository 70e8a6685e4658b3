#include "importers/facts.h"

#include <fmt/format.h>

#include <charconv>

#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {

std::string Facts::text(Place place) const {
  const std::string& file = files.at(place.file);
  return place.line == 0 ? file : fmt::format("{}:{}", file, place.line);
}

std::optional<Mac> nic_mac(Facts& facts, Place place, std::string_view written, std::string_view whose) {
  if (written.empty()) return std::nullopt;
  constexpr std::size_t kShown = 40;
  const auto mac = wire::parse_mac(written);
  const char* wrong = !mac              ? "is no MAC address"
                      : mac->is_zero()  ? "is the zero address, which is nobody's"
                      : mac->is_group() ? "is a group address, which no NIC can have"
                                        : nullptr;
  if (wrong == nullptr) return mac;
  facts.leave_out(place, fmt::format("the MAC of {}: '{}' {}", whose, written.substr(0, kShown), wrong));
  return std::nullopt;
}

std::uint16_t vlan_number(std::string_view written) {
  unsigned vlan = 0;
  const auto [stop, error] = std::from_chars(written.data(), written.data() + written.size(), vlan);
  const bool is_one =
      error == std::errc() && stop == written.data() + written.size() && vlan >= 1 && vlan <= 4094;
  return is_one ? static_cast<std::uint16_t>(vlan) : std::uint16_t{0};
}

std::optional<Ipv4Prefix> interface_ip(std::string_view address, int length) {
  const auto ip = wire::parse_ipv4(address);
  if (!ip || length < 1 || length > 32 || !wire::why_no_interface({*ip, length}).empty()) return std::nullopt;
  return Ipv4Prefix{*ip, length};
}

}  // namespace sekimori::importers
