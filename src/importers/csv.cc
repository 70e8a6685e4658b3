#include "importers/csv.h"

#include <algorithm>

namespace sekimori::importers {

bool next_record(std::string_view& rest, char separator, std::vector<std::string>& fields,
                 std::uint32_t& lines) {
  std::size_t used = 0;
  lines = 1;
  const auto field = [&]() -> std::string& {
    if (used == fields.size()) fields.emplace_back();
    return fields[used];
  };
  field().clear();
  std::size_t i = 0;
  bool quoted = false;
  for (; i < rest.size(); ++i) {
    const char c = rest[i];
    if (quoted) {
      if (c == '\n') ++lines;
      if (c != '"') {
        field() += c;
      } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
        field() += rest[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && field().empty()) {
      quoted = true;
    } else if (c == separator) {
      ++used;
      field().clear();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      field() += c;
    }
  }
  fields.resize(used + 1);
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return !quoted;
}

std::uint32_t skip_to_head(std::string_view& rest) {
  std::uint32_t lines = 0;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const bool is_empty = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (!is_empty && !line.starts_with('#')) break;
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    ++lines;
  }
  return lines;
}

}  // namespace sekimori::importers
