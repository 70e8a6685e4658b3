// The problems found in an input file, gathered so that a user sees all of them at once, with the lines at
// fault.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "importers/site.h"

namespace sekimori::importers {

// 1-based; the column counts characters.
struct Position {
  unsigned line = 0, column = 0;
};

// The length of the well-formed UTF-8 sequence (RFC 3629) at `at`; 0 when there is none.
std::size_t utf8_length(std::string_view text, std::size_t at);

// Turns byte offsets of a text into lines and columns.
class LineIndex {
 public:
  explicit LineIndex(std::string_view text);
  unsigned line(std::uint32_t offset) const;
  Position position(std::uint32_t offset) const;
  std::string_view line_text(unsigned line) const;

 private:
  std::string_view text_;
  std::vector<std::uint32_t> starts_;
};

class Problems {
 public:
  // More are counted but not kept. It bounds what a hostile file can cost.
  static constexpr std::size_t kMostKept = 1000;

  explicit Problems(std::string_view text) : lines_(text) {}

  void add(std::uint32_t offset, std::string what);
  void add_at(Position at, std::string what);

  bool empty() const { return problems_.empty(); }
  // True when no more are kept; notes that there was one more. Ask before a message that costs much to write.
  bool overflows() {
    too_many_ |= problems_.size() >= kMostKept;
    return problems_.size() >= kMostKept;
  }
  std::size_t size() const { return problems_.size(); }
  const LineIndex& lines() const { return lines_; }

  // In the order of the file.
  SiteErrors finish(std::string file) &&;

 private:
  LineIndex lines_;
  std::vector<Problem> problems_;
  std::set<std::pair<std::uint64_t, std::string>> seen_;  // a part used by two aliases is read twice
  bool too_many_ = false;
};

}  // namespace sekimori::importers
