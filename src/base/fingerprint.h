// A fingerprint of a run: feed every observable number into it, and two runs that agree in all of them agree
// in the fingerprint. It shows at a glance whether two builds behave alike.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"

namespace sekimori::base {

class Fingerprint {
 public:
  constexpr void add(std::uint64_t word) { state_ = mix64(state_ ^ word) + word; }
  constexpr void add(std::string_view text) {
    for (const char c : text) add(static_cast<unsigned char>(c));
    add(text.size());
  }
  constexpr std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x73656b696d6f7269;  // "sekimori"
};

}  // namespace sekimori::base
