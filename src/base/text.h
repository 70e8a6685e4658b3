// Small text helpers shared by readers and reporters.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sekimori::base {

// Damerau-Levenshtein distance (adjacent transposition counts one), O(|a|*|b|).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The known word nearest to `word`, or empty when none is near enough to be a likely slip of the pen.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

// A finite number in at most `decimals` decimals, trailing zeros dropped: 5, 9.76, 0.4.
std::string short_number(double value, int decimals = 2);
std::string percent(double share);              // "12.5 %"
std::string mbit_text(double mbit_per_second);  // "9.76 Mbit/s"

// "a, b and c"; with more than `most` items "a, b and 7 more".
std::string list_words(std::span<const std::string> items, std::size_t most = 6);

}  // namespace sekimori::base
