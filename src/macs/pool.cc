#include "macs/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "model/pool_overlap.h"

namespace sekimori::macs {

std::string_view to_text(Policy policy) { return kPolicies[static_cast<std::size_t>(policy)]; }

std::optional<Policy> policy_of(std::string_view word) {
  const auto* const at = std::ranges::find(kPolicies, word);
  if (at == std::end(kPolicies)) return std::nullopt;
  return static_cast<Policy>(at - std::begin(kPolicies));
}

base::Result<MacRange> parse_pool_range(std::string_view text) {
  const auto range = wire::parse_mac_range(text);
  if (!range) {
    return base::fail(
        fmt::format("a range of MAC addresses is written 02:ab:00:00:00:00/24 or "
                    "02:ab:00:00:00:00-02:ab:00:00:ff:ff, found \"{}\".",
                    text));
  }
  return *range;
}

base::Result<void> check_pool(const Pool& pool) {
  const auto [first, last] = pool.range;
  const auto wrong = [&](std::string_view what) {
    return base::fail(fmt::format("the pool {} ({}) {}", pool.name, model::range_text(first, last), what));
  };
  if (pool.name.empty() || pool.name.size() > 64 ||
      pool.name.find_first_of(std::string_view(" /,\"\t\r\n\0", 8)) != std::string::npos)
    return base::fail(fmt::format(
        "\"{}\" is no name of a pool: 1 to 64 bytes without spaces, commas, slashes and quotes.", pool.name));
  if (last < first) return wrong("runs backwards.");
  if (first.bits >> 40 != last.bits >> 40)
    return wrong(
        "spans several first octets, so group addresses are in it; both ends begin with the same one.");
  if (first.is_group()) return wrong("holds group addresses: the first octet must be even.");
  const bool of_one_maker = first.bits >> 24 == last.bits >> 24 && wire::is_virtual_maker(first);
  if (!first.is_local() && !of_one_maker)
    return wrong(
        "is not locally administered and not the block of a maker of virtual NICs, so cards may have these "
        "addresses; use a first octet like 02, 06, 0a or 0e.");
  if (Addresses(pool.range).size() == 0) return wrong("holds none that a NIC may have.");
  if (pool.quarantine < 0) return wrong("has a negative quarantine.");
  return {};
}

base::Result<void> check_overlap(const std::vector<Pool>& pools, const Pool& added) {
  for (const Pool& pool : pools) {
    if (pool.name == added.name) return base::fail(fmt::format("there is a pool {} already.", added.name));
    const Mac first = std::max(pool.range.first, added.range.first);
    const Mac last = std::min(pool.range.last, added.range.last);
    if (first > last) continue;
    return base::fail(fmt::format("the pools {} ({}) and {} ({}) overlap in {} addresses, from {} on.",
                                  added.name, model::range_text(added.range.first, added.range.last),
                                  pool.name, model::range_text(pool.range.first, pool.range.last),
                                  model::size_of(first, last), wire::to_text(first)));
  }
  return {};
}

std::string why_not(Mac mac) {
  if (mac.is_zero()) return "it is zero, which is no address";
  if (mac.is_group()) return "it is a group address (the first octet is odd), which no NIC can have";
  if (const auto* known = wire::well_known(mac)) return fmt::format("it is {}", known->what);
  for (const wire::KnownRange& reserved : wire::reserved_ranges()) {
    if (reserved.range.contains(mac)) return fmt::format("it is among {}", reserved.what);
  }
  return "";
}

Addresses::Addresses(MacRange range) {
  std::vector<MacRange> left_out;
  for (const auto& table : {wire::reserved_ranges(), wire::well_known_ranges()}) {
    for (const wire::KnownRange& known : table) left_out.push_back(known.range);
  }
  left_out.push_back({Mac{}, Mac{}});
  std::ranges::sort(left_out, {}, &MacRange::first);
  std::uint64_t next = range.first.bits;
  const auto add = [&](std::uint64_t end) {  // [next, end)
    if (end <= next) return;
    parts_.push_back({Mac{next}, size_, end - next});
    size_ += end - next;
  };
  for (const MacRange& hole : left_out) {
    if (hole.last.bits < next || hole.first > range.last) continue;
    add(hole.first.bits);
    next = std::max(next, hole.last.bits + 1);
  }
  add(range.last.bits + 1);
}

Mac Addresses::operator[](std::uint64_t index) const {
  SEKIMORI_ASSERT(index < size_);
  const auto after = std::ranges::upper_bound(parts_, index, {}, &Part::start);
  const Part& part = *std::prev(after);
  return Mac{part.first.bits + (index - part.start)};
}

std::uint64_t Addresses::index_of(Mac mac) const {
  const auto after = std::ranges::upper_bound(parts_, mac, {}, &Part::first);
  if (after == parts_.begin()) return 0;
  const Part& part = *std::prev(after);
  const std::uint64_t offset = mac.bits - part.first.bits;
  return part.start + std::min(offset, part.size);
}

}  // namespace sekimori::macs
