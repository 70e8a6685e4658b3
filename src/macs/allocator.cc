#include "macs/allocator.h"

#include <algorithm>
#include <bit>
#include <unordered_set>
#include <utility>

#include "base/assert.h"

namespace sekimori::macs {

std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3;
  return base::mix64(hash);
}

Proposer Proposer::random(MacRange range, std::uint64_t seed) { return {range, true, seed}; }

Proposer Proposer::sequence(MacRange range, Mac from) {
  Proposer p(range, false, 0);
  if (range.contains(from)) p.key_ = p.addresses_.index_of(from);
  return p;
}

Proposer Proposer::derived(MacRange range, std::string_view name) {
  Proposer p(range, false, 0);
  p.key_ =
      static_cast<std::uint64_t>((static_cast<__uint128_t>(name_hash(name)) * p.addresses_.size()) >> 64);
  return p;
}

std::optional<Mac> Proposer::next() {
  if (tried_ >= addresses_.size()) return std::nullopt;
  const std::uint64_t index = tried_++;
  return addresses_[permuted_ ? permuted(index) : (key_ + index) % addresses_.size()];
}

std::uint64_t Proposer::permuted(std::uint64_t index) const {
  const std::uint64_t size = addresses_.size();
  const std::uint64_t half = std::max<std::uint64_t>(1, (std::bit_width(size - 1) + 1) / 2);
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  constexpr std::uint64_t kRounds = 6;
  do {
    std::uint64_t left = index >> half, right = index & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::uint64_t mixed = base::mix64(base::mix64(key_ + round) ^ right) & mask;
      left = std::exchange(right, left ^ mixed);
    }
    index = left << half | right;
  } while (index >= size);  // less than four turns on average: the domain is at most four times the pool
  return index;
}

std::vector<Mac> draw_free(MacRange range, std::span<const Mac> taken, std::size_t count,
                           base::Random& random) {
  SEKIMORI_ASSERT(std::ranges::is_sorted(taken));
  const Addresses addresses(range);
  std::vector<std::uint64_t> holes;  // numbers of the addresses taken
  for (const Mac mac : taken) {
    if (!range.contains(mac)) continue;
    const std::uint64_t index = addresses.index_of(mac);
    if (index < addresses.size() && addresses[index] == mac) holes.push_back(index);
  }
  const std::uint64_t free = addresses.size() - holes.size();
  count = std::min<std::uint64_t>(count, free);
  std::unordered_set<std::uint64_t> drawn;  // ranks among the free ones (Floyd's sampling)
  std::vector<Mac> result;
  for (std::uint64_t top = free - count; top < free; ++top) {
    std::uint64_t rank = random.below(top + 1);
    if (!drawn.insert(rank).second) drawn.insert(rank = top);
    // The rank-th free number: rank plus the holes at or before it. holes[i] - i free ones lie before hole i.
    std::size_t low = 0, high = holes.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (holes[middle] - middle <= rank)
        low = middle + 1;
      else
        high = middle;
    }
    result.push_back(addresses[rank + low]);
  }
  return result;
}

}  // namespace sekimori::macs
