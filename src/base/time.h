// Time is an integer count of picoseconds. One bit at 1 Tbit/s is one picosecond, so serialisation times at
// every rate the project meets are exact or rounded by less than a picosecond, and two runs can never differ
// by a floating-point rounding. The range is +-106 days, ample for any simulated run.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sekimori::base {

using Duration = std::chrono::duration<std::int64_t, std::pico>;
// A point in time is the duration since the start of the run; runs have no calendar.
using Time = Duration;

constexpr Duration picoseconds(std::int64_t n) { return Duration{n}; }
constexpr Duration nanoseconds(std::int64_t n) { return Duration{n * 1'000}; }
constexpr Duration microseconds(std::int64_t n) { return Duration{n * 1'000'000}; }
constexpr Duration milliseconds(std::int64_t n) { return Duration{n * 1'000'000'000}; }
constexpr Duration seconds(std::int64_t n) { return Duration{n * 1'000'000'000'000}; }

constexpr Time kNever = Time::max();

constexpr double to_seconds(Duration d) { return static_cast<double>(d.count()) * 1e-12; }
// Saturates at the range of Duration.
Duration from_seconds(double s);

// For people: "300s", "12.5ms", "8us"; at most three significant decimals, never an exponent.
std::string to_text(Duration d);

}  // namespace sekimori::base
