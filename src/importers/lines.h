// Texts of lines, as consoles and configuration files have them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace sekimori::importers {

// Calls `read(line, number)` for each, numbers from 1, without line ends.
template <class Read>
void for_each_line(std::string_view text, Read read) {
  std::uint32_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    read(line, ++number);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

inline std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlank = " \t";
  for (std::size_t at = line.find_first_not_of(kBlank); at != std::string_view::npos;) {
    const std::size_t end = line.find_first_of(kBlank, at);
    words.push_back(line.substr(at, end - at));
    at = end == std::string_view::npos ? end : line.find_first_not_of(kBlank, end);
  }
  return words;
}

// `key = value`, `key: value`, with quotes taken off. Nothing: both are empty.
struct KeyValue {
  std::string_view key, value;
};
inline KeyValue key_value(std::string_view line, char separator) {
  const std::size_t at = line.find(separator);
  if (at == std::string_view::npos) return {};
  const auto bare = [](std::string_view text) {
    text = base::trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    return text;
  };
  return {bare(line.substr(0, at)), bare(line.substr(at + 1))};
}

}  // namespace sekimori::importers
