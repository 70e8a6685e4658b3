// Which address next: the pure half of allocation.
//
// A Proposer lists all addresses of a pool, each once, in the order in which a policy wants them tried; a
// registry takes the first that is free. So "never twice" rests on one thing alone, the registry's atomic
// claim of an address, and not on anybody's view of what is free.
//
//   random    a keyed permutation of the pool: a Feistel network over the next even number of bits, walked
//             until it falls inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA
//             2002). No memory, no repetition, and it ends when all have been tried. It spreads; it hides
//             nothing.
//   sequence  from a given address on, round the end of the pool
//   derived   from h(name) on, round the end. h is FNV-1a of 64 bits over the bytes of the name, then
//             SplitMix64's mix, and the address has the number floor(h * size / 2^64): anybody can work it
//             out without the registry.
//
// A random proposer tries long when a pool is nearly full; then a registry reads what is taken and asks
// draw_free(), which draws among the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "macs/pool.h"

namespace sekimori::macs {

class Proposer {
 public:
  static Proposer random(MacRange range, std::uint64_t seed);
  static Proposer sequence(MacRange range, Mac from);
  static Proposer derived(MacRange range, std::string_view name);

  // Nothing when every address has been proposed.
  std::optional<Mac> next();

 private:
  Proposer(MacRange range, bool permuted, std::uint64_t key)
      : addresses_(range), permuted_(permuted), key_(key) {}
  std::uint64_t permuted(std::uint64_t index) const;

  Addresses addresses_;
  bool permuted_;
  std::uint64_t key_;  // of the permutation, or the number of the first address
  std::uint64_t tried_ = 0;
};

std::uint64_t name_hash(std::string_view name);

// Up to `count` different addresses of the range that are not in `taken`, which is sorted.
std::vector<Mac> draw_free(MacRange range, std::span<const Mac> taken, std::size_t count,
                           base::Random& random);

}  // namespace sekimori::macs
