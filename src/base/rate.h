// Rates are integers of bits per second, as links and traffic state them.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace sekimori::base {

struct BitRate {
  std::int64_t bits_per_second = 0;
  friend constexpr auto operator<=>(const BitRate&, const BitRate&) = default;
};

constexpr BitRate kbit(std::int64_t n) { return {n * 1'000}; }
constexpr BitRate mbit(std::int64_t n) { return {n * 1'000'000}; }
constexpr BitRate gbit(std::int64_t n) { return {n * 1'000'000'000}; }

constexpr double to_mbit(BitRate r) { return static_cast<double>(r.bits_per_second) * 1e-6; }

// Time to send `bytes` at `rate`, rounded down to a picosecond. bytes <= 1 MiB, rate > 0.
constexpr Duration transmission_time(std::int64_t bytes, BitRate rate) {
  return Duration{bytes * 8'000'000'000'000 / rate.bits_per_second};
}

// For people: "20 Mbit/s", "9.76 Mbit/s", "1 Gbit/s".
std::string to_text(BitRate r);

}  // namespace sekimori::base
