#include "base/parse_units.h"

#include <fmt/format.h>

#include <limits>
#include <span>
#include <vector>

#include "base/text.h"

namespace sekimori::base {
namespace {

__extension__ using Int128 = __int128;  // of GCC and Clang, not of ISO C++

struct Unit {
  std::string_view word;
  std::int64_t size;
};

struct Quantity {
  std::string_view article;  // "a duration"
  std::string_view example;
  std::span<const Unit> units;
};

constexpr Unit kTimes[] = {
    {"ps", 1},
    {"ns", 1'000},
    {"us", 1'000'000},
    {"ms", 1'000'000'000},
    {"s", 1'000'000'000'000},
    {"min", 60'000'000'000'000},
    {"h", 3'600'000'000'000'000},
    {"d", 86'400'000'000'000'000},
};
constexpr Unit kRates[] = {
    {"bit/s", 1},
    {"kbit/s", 1'000},
    {"Mbit/s", 1'000'000},
    {"Gbit/s", 1'000'000'000},
    {"Tbit/s", 1'000'000'000'000},
};
constexpr Unit kBytes[] = {
    {"B", 1},         {"kB", 1'000},    {"MB", 1'000'000}, {"GB", 1'000'000'000},
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
};

constexpr Quantity kDuration{"a duration", "300s, 12.5ms or 30min", kTimes};
constexpr Quantity kRate{"a rate", "10Mbit/s or 1Gbit/s", kRates};
constexpr Quantity kSize{"a size", "1500B or 64KiB", kBytes};

constexpr std::size_t kLongestNumber = 30;  // digits and point; more is nonsense and would overflow

// At most this much of what was written is quoted.
std::string quote(std::string_view text) {
  constexpr std::size_t kMost = 40;
  return text.size() <= kMost ? fmt::format("\"{}\"", text) : fmt::format("\"{}...\"", text.substr(0, kMost));
}

std::unexpected<Error> expected(const Quantity& q, std::string_view text, std::string_view why) {
  return fail(
      fmt::format("{} is not {}: {} (write for example {}).", quote(text), q.article, why, q.example));
}

std::string unknown_unit(const Quantity& q, std::string_view unit) {
  std::vector<std::string_view> known;
  std::vector<std::string> words;
  for (const Unit& u : q.units) {
    known.push_back(u.word);
    words.emplace_back(u.word);
  }
  const std::string_view nearest = nearest_word(unit, known);
  if (!nearest.empty()) return fmt::format("there is no unit {}, did you mean {}?", quote(unit), nearest);
  return fmt::format("there is no unit {}, the units are {}", quote(unit), list_words(words, 10));
}

Result<std::int64_t> parse(const Quantity& q, std::string_view text) {
  const std::string_view whole = trim(text);
  if (whole.starts_with('-')) return expected(q, text, "it is negative");
  std::size_t end = whole.find_first_not_of("0123456789.");
  if (end == std::string_view::npos) end = whole.size();
  const std::string_view number = whole.substr(0, end);
  const std::string_view word = trim(whole.substr(end));
  const std::size_t point = number.find('.');
  const std::string_view integer = number.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? "" : number.substr(point + 1);
  const bool is_number = !integer.empty() && fraction.find('.') == std::string_view::npos &&
                         (point == std::string_view::npos || !fraction.empty());
  if (!is_number) return expected(q, text, "it does not begin with a number");
  if (number.find_first_not_of("0.") == std::string_view::npos && word.empty()) return 0;
  if (word.empty()) return expected(q, text, "the unit is missing");

  const Unit* unit = nullptr;
  for (const Unit& u : q.units) {
    if (u.word == word) unit = &u;
  }
  if (unit == nullptr) return expected(q, text, unknown_unit(q, word));
  if (number.size() > kLongestNumber) return expected(q, text, "it has too many digits");

  constexpr Int128 kFinest = 1'000'000'000'000'000'000;  // times the largest unit stays within 128 bits
  constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
  Int128 value = 0;
  for (const char c : integer) {
    value = value * 10 + (c - '0');
    if (value * unit->size > kMost) return expected(q, text, "it is too big");
  }
  Int128 part = 0, parts = 1;  // the fraction is part/parts
  for (const char c : fraction.substr(0, fraction.find_last_not_of('0') + 1)) {
    part = part * 10 + (c - '0');
    parts *= 10;
    if (parts > kFinest) return expected(q, text, "it is finer than can be told apart");
  }
  if (part * unit->size % parts != 0) return expected(q, text, "it is finer than can be told apart");
  value = value * unit->size + part * unit->size / parts;
  if (value > kMost) return expected(q, text, "it is too big");
  return static_cast<std::int64_t>(value);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const Result<std::int64_t> picos = parse(kDuration, text);
  if (!picos) return std::unexpected(picos.error());
  return Duration{*picos};
}

Result<BitRate> parse_rate(std::string_view text) {
  const Result<std::int64_t> bits = parse(kRate, text);
  if (!bits) return std::unexpected(bits.error());
  return BitRate{*bits};
}

Result<std::int64_t> parse_bytes(std::string_view text) { return parse(kSize, text); }

}  // namespace sekimori::base
