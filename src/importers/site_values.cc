#include "importers/site_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/parse_units.h"
#include "base/text.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

using base::BitRate;
using base::Duration;
using model::Ipv4;
using model::Ipv4Prefix;
using model::Mac;

constexpr std::size_t kMostQuoted = 40;

std::string quote(std::string_view text) {
  if (text.size() <= kMostQuoted) return fmt::format("'{}'", text);
  std::size_t end = kMostQuoted;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return fmt::format("'{}...'", text.substr(0, end));
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string write_bytes(std::int64_t bytes) {
  if (bytes >= 1 << 20 && bytes % (1 << 20) == 0) return fmt::format("{}MiB", bytes >> 20);
  if (bytes >= 1 << 10 && bytes % (1 << 10) == 0) return fmt::format("{}KiB", bytes >> 10);
  return fmt::format("{}B", bytes);
}

std::string write_rate(BitRate rate) {
  constexpr std::int64_t kTera = 1'000'000'000'000;
  if (rate.bits_per_second % kTera == 0) return fmt::format("{}Tbit/s", rate.bits_per_second / kTera);
  std::string text = base::to_text(rate);
  std::erase(text, ' ');
  return text;
}

std::string write_time(Duration time) {
  constexpr Duration kDay = base::seconds(86'400);
  if (time.count() != 0 && time % kDay == Duration{0}) return fmt::format("{}d", time / kDay);
  return base::to_text(time);
}

// 10M, 1G and 64k are short for 10Mbit/s, 1Gbit/s and 64kbit/s.
base::Result<BitRate> parse_site_rate(std::string_view text) {
  constexpr std::string_view kShort = "kMGT";
  if (!text.empty() && kShort.contains(text.back())) return base::parse_rate(fmt::format("{}bit/s", text));
  return base::parse_rate(text);
}

}  // namespace

NodeId Fields::operator[](std::string_view key) const {
  if (!node_.valid()) return {};
  const auto items = tree_->items(node_);
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (tree_->text(items[i]) == key) return items[i + 1];
  }
  return {};
}

std::string Values::found(NodeId node) const {
  switch (tree_.kind(node)) {
    case Kind::kNull:
      return "nothing";
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a mapping";
    default:
      return quote(text(node));
  }
}

std::string Values::hint(std::string_view word, const std::vector<std::string_view>& known) const {
  // Comparing with very many words, or for very many errors, would cost more than it helps.
  constexpr std::size_t kMostCompared = 20'000, kMostHints = 100, kMostListed = 12;
  if (problems_.size() < kMostHints && known.size() <= kMostCompared) {
    const std::string_view nearest = base::nearest_word(word, known);
    if (!nearest.empty()) return fmt::format(", did you mean '{}'?", nearest);
  }
  if (known.empty() || known.size() > kMostListed) return "";
  std::vector<std::string> words(known.begin(), known.end());
  return fmt::format("; known: {}", base::list_words(words, kMostListed));
}

Fields Values::fields(NodeId node, const Section& section) {
  if (!node.valid() || tree_.kind(node) == Kind::kNull) return {tree_, {}};
  if (tree_.kind(node) != Kind::kMapping) {
    wrong(node, fmt::format("expected the keys of a {} ({}), found {}", section.name,
                            fmt::join(section.keys, ", "), found(node)));
    return {tree_, {}};
  }
  const auto items = tree_.items(node);
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const std::string_view key = text(items[i]);
    if (std::ranges::find(section.keys, key) != section.keys.end() || problems_.overflows()) continue;
    const std::vector<std::string_view> known(section.keys.begin(), section.keys.end());
    std::string help = hint(key, known);
    if (help.empty()) help = fmt::format("; known: {}", fmt::join(known, ", "));
    wrong(items[i], fmt::format("unknown key {} in a {}{}", quote(key), section.name, help));
  }
  return {tree_, node};
}

Fields Values::fields(NodeId node, const Section& section, std::string_view example) {
  if (tree_.kind(node) == Kind::kNull)
    wrong(node, fmt::format("found nothing; a {} is {}", section.name, example));
  return fields(node, section);
}

std::vector<Values::Entry> Values::entries(NodeId node, std::string_view what) {
  std::vector<Entry> result;
  if (!node.valid() || tree_.kind(node) == Kind::kNull) return result;
  if (tree_.kind(node) != Kind::kMapping) {
    wrong(node, fmt::format("'{}' must be a mapping of names, as in `{}: {{name: {{...}}}}`, found {}", what,
                            what, found(node)));
    return result;
  }
  const auto items = tree_.items(node);
  result.reserve(items.size() / 2);
  for (std::size_t i = 0; i < items.size(); i += 2) result.push_back({items[i], items[i + 1]});
  return result;
}

std::vector<NodeId> Values::list(NodeId node, std::string_view what, bool is_lenient) {
  if (!node.valid() || tree_.kind(node) == Kind::kNull) return {};
  if (tree_.kind(node) == Kind::kSequence) {
    const auto items = tree_.items(node);
    return {items.begin(), items.end()};
  }
  if (is_lenient && tree_.is_text(node)) return {node};
  wrong(node, fmt::format("'{}' must be a list, found {}", what, found(node)));
  return {};
}

std::optional<std::string_view> Values::word(NodeId node, std::string_view what) {
  if (!node.valid()) return std::nullopt;
  if (tree_.is_text(node) && !text(node).empty()) return text(node);
  wrong(node, fmt::format("expected {}, found {}", what, found(node)));
  return std::nullopt;
}

bool Values::is_name(NodeId node, std::string_view what) {
  constexpr std::size_t kLongestName = 128;
  const std::string_view name = text(node);
  std::string_view why;
  if (name.empty()) why = "is empty";
  if (name.size() > kLongestName) why = "is longer than 128 bytes";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) why = "has a space or control character in it";
    if (c == ':' || c == '/') why = "has ':' or '/' in it, which separate names in references";
  }
  if (why.empty()) return true;
  wrong(node, fmt::format("the name of a {}, {}, {}", what, quote(name), why));
  return false;
}

std::optional<bool> Values::flag(NodeId node, std::string_view what) {
  if (!node.valid()) return std::nullopt;
  if (tree_.is_text(node)) {
    const std::string_view word = text(node);
    if (word == "on" || word == "true" || word == "yes") return true;
    if (word == "off" || word == "false" || word == "no") return false;
  }
  wrong(node, fmt::format("{} is on or off, found {}", what, found(node)));
  return std::nullopt;
}

std::optional<std::int64_t> Values::integer(NodeId node, const Bounds<std::int64_t>& bounds) {
  if (!node.valid()) return std::nullopt;
  const std::string_view digits = tree_.is_text(node) ? text(node) : std::string_view();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool is_whole =
      !digits.empty() && end == digits.data() + digits.size() && error != std::errc::invalid_argument;
  if (is_whole && error == std::errc() && value >= bounds.least && value <= bounds.most) return value;
  const std::string range = bounds.least == bounds.most
                                ? fmt::format("must be {}", bounds.least)
                                : fmt::format("is a whole number from {} to {}", bounds.least, bounds.most);
  wrong(node, fmt::format("{} {}, found {}", bounds.what, range, found(node)));
  return std::nullopt;
}

template <class T, class Parse, class Write>
std::optional<T> Values::quantity(NodeId node, const Bounds<T>& bounds, std::string_view unit, Parse parse,
                                  Write write) {
  if (!node.valid()) return std::nullopt;
  if (!tree_.is_text(node)) {
    wrong(node,
          fmt::format("expected a {} with its unit, as 10{}, found {}", bounds.what, unit, found(node)));
    return std::nullopt;
  }
  const std::string_view written = text(node);
  const auto value = parse(written);
  if (!value) {
    wrong(node, is_number(written) && written.size() < kMostQuoted
                    ? fmt::format("{} needs a unit: write {}{}, not {}", bounds.what, written, unit, written)
                    : fmt::format("{}: {}", bounds.what, value.error().what));
    return std::nullopt;
  }
  if (*value >= bounds.least && *value <= bounds.most) return *value;
  wrong(node, fmt::format("{} {} is out of range; it may be {} to {}", bounds.what, written,
                          write(bounds.least), write(bounds.most)));
  return std::nullopt;
}

std::optional<Duration> Values::duration(NodeId node, const Bounds<Duration>& bounds) {
  return quantity(node, bounds, "s", base::parse_duration, write_time);
}

std::optional<BitRate> Values::rate(NodeId node, const Bounds<BitRate>& bounds) {
  return quantity(node, bounds, "Mbit/s", parse_site_rate, write_rate);
}

std::optional<std::int64_t> Values::bytes(NodeId node, const Bounds<std::int64_t>& bounds) {
  return quantity(node, bounds, "B", base::parse_bytes, write_bytes);
}

std::optional<Ipv4> Values::address(NodeId node, std::string_view what) {
  const auto written = word(node, fmt::format("an IPv4 address as {}", what));
  if (!written) return std::nullopt;
  if (const auto address = wire::parse_ipv4(*written)) return address;
  wrong(node, fmt::format("{} is an IPv4 address like 10.0.0.254, found {}", what, quote(*written)));
  return std::nullopt;
}

std::optional<Ipv4Prefix> Values::interface_address(NodeId node, std::string_view what) {
  const auto written = word(node, fmt::format("an IPv4 address with its prefix length as {}", what));
  if (!written) return std::nullopt;
  const auto prefix = wire::parse_ipv4_prefix(*written);
  std::string why;
  if (!prefix) {
    why = fmt::format("{} is an IPv4 address with its prefix length, like 10.0.0.1/24", what);
  } else if (!written->contains('/')) {
    why = fmt::format("{} needs its prefix length: write {}/24 (or what the subnet has)", what, *written);
  } else if (const std::string_view no = wire::why_no_interface(*prefix); !no.empty()) {
    why = fmt::format("{} {}", what, no);
  } else {
    return prefix;
  }
  wrong(node, fmt::format("{}, found {}", why, quote(*written)));
  return std::nullopt;
}

std::optional<Ipv4Prefix> Values::network(NodeId node, std::string_view what) {
  const auto written = word(node, fmt::format("a network as {}", what));
  if (!written) return std::nullopt;
  if (*written == "default") return Ipv4Prefix{{}, 0};
  const auto prefix = wire::parse_ipv4_prefix(*written);
  if (prefix && prefix->address == prefix->network()) return prefix;
  if (prefix) {
    wrong(node, fmt::format("{} {} has bits set beyond its prefix length; the network is {}", what, *written,
                            wire::to_text(Ipv4Prefix{prefix->network(), prefix->length})));
  } else {
    wrong(node, fmt::format("{} is a network like 10.1.0.0/16, or default, found {}", what, quote(*written)));
  }
  return std::nullopt;
}

std::optional<Mac> Values::mac(NodeId node) {
  const auto written = word(node, "a MAC address");
  if (!written) return std::nullopt;
  const auto mac = wire::parse_mac(*written);
  if (!mac) {
    wrong(node, fmt::format("{} is not a MAC address like 02:00:00:00:00:01", quote(*written)));
  } else if (mac->is_group()) {
    wrong(node,
          fmt::format("{} is a group (multicast) address, as its first octet is odd; a NIC has a unicast one",
                      quote(*written)));
  } else if (mac->is_zero()) {
    wrong(node, "00:00:00:00:00:00 is no NIC's address");
  } else {
    return mac;
  }
  return std::nullopt;
}

std::optional<MacRange> Values::mac_range(NodeId node) {
  const auto written = word(node, "a range of MAC addresses");
  if (!written) return std::nullopt;
  const auto range = wire::parse_mac_range(*written);
  if (!range) {
    wrong(node, fmt::format("a range of MAC addresses is written 02:00:00:00:00:00-02:00:00:00:ff:ff or "
                            "02:00:00:00:00:00/32 (prefix length 8 to 48), found {}",
                            quote(*written)));
  } else if (range->last < range->first) {
    wrong(node, fmt::format("the range {} runs backwards", quote(*written)));
  } else if (range->first.is_group() || range->first.bits >> 40 != range->last.bits >> 40) {
    wrong(node,
          fmt::format("the range {} has group addresses in it; both ends begin with the same even octet",
                      quote(*written)));
  } else {
    return range;
  }
  return std::nullopt;
}

std::optional<std::int64_t> Values::vlan_number(NodeId node, std::string_view written) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  const bool is_vlan = error == std::errc() && end == written.data() + written.size() &&
                       value >= kVlanBounds.least && value <= kVlanBounds.most;
  if (is_vlan) return value;
  wrong(node, fmt::format("a VLAN is a number from 1 to 4094 or a range like 20-30, found {}", found(node)));
  return std::nullopt;
}

std::optional<model::VlanSet> Values::vlan_set(NodeId node) {
  if (!node.valid()) return std::nullopt;
  model::VlanSet set;
  if (tree_.is_text(node) && text(node) == "all") {
    for (std::size_t vlan = 1; vlan <= 4094; ++vlan) set.set(vlan);
    return set;
  }
  for (const NodeId item : list(node, "trunk", true)) {
    if (!tree_.is_text(item)) {
      wrong(item,
            fmt::format("a VLAN is a number from 1 to 4094 or a range like 20-30, found {}", found(item)));
      return std::nullopt;
    }
    const std::string_view written = text(item);
    const std::size_t dash = written.find('-', 1);
    const auto first = vlan_number(item, written.substr(0, dash));
    if (!first) return std::nullopt;
    const auto last = dash == std::string_view::npos ? first : vlan_number(item, written.substr(dash + 1));
    if (!last) return std::nullopt;
    if (*last < *first) wrong(item, fmt::format("the range {} runs backwards", quote(written)));
    for (auto vlan = *first; vlan <= *last; ++vlan) set.set(static_cast<std::size_t>(vlan));
  }
  return set;
}

std::optional<std::size_t> Values::choice(NodeId node, std::string_view what,
                                          std::initializer_list<std::string_view> choices) {
  if (!node.valid()) return std::nullopt;
  const std::string_view written = tree_.is_text(node) ? text(node) : std::string_view();
  const auto* const at = std::ranges::find(choices, written);
  if (at != choices.end()) return static_cast<std::size_t>(at - choices.begin());
  const std::vector<std::string_view> known(choices);
  const std::string_view nearest = base::nearest_word(written, known);
  wrong(node, fmt::format("{} is one of {}, found {}{}", what, fmt::join(choices, ", "), found(node),
                          nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
  return std::nullopt;
}

}  // namespace sekimori::importers
