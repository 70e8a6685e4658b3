#include "importers/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace sekimori::importers {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

unsigned characters(std::string_view text) {
  return static_cast<unsigned>(text.size()) -
         static_cast<unsigned>(std::ranges::count_if(text, continues_character));
}

// Messages quote what was written, which may be long.
constexpr std::size_t kLongestMessage = 600;

// What a terminal can show: control characters become spaces, bytes that are no UTF-8 question marks.
std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const auto c = static_cast<unsigned char>(text[at]);
    const bool is_control = c < 0x20 || c == 0x7f || (c == 0xc2 && text.substr(at, 2) < "\xc2\xa0");
    out += length == 0 ? "?" : is_control ? " " : text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

// The part of a long line around the place at fault.
void show_source(Problem& problem, std::string_view line) {
  constexpr std::size_t kBefore = 60, kAfter = 50, kSlack = 10;
  std::size_t at = 0;
  for (unsigned column = 1; at < line.size() && column < problem.column; ++column) {
    for (++at; at < line.size() && continues_character(line[at]);) ++at;
  }
  std::size_t from = at > kBefore + kSlack ? at - kBefore : 0;
  std::size_t to = line.size() - at > kAfter + kSlack ? at + kAfter : line.size();
  while (from > 0 && continues_character(line[from])) --from;
  while (to < line.size() && continues_character(line[to])) ++to;
  const std::string before = (from > 0 ? "..." : "") + printable(line.substr(from, at - from));
  problem.caret = characters(before);
  problem.source = before + printable(line.substr(at, to - at)) + (to < line.size() ? "..." : "");
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(at), second = byte(at + 1);
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(at + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool is_short = first == 0xe0 && second < 0xa0, is_surrogate = first == 0xed && second > 0x9f;
    return continues(at + 1) && continues(at + 2) && !is_short && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool is_short = first == 0xf0 && second < 0x90, is_beyond = first == 0xf4 && second > 0x8f;
    return continues(at + 1) && continues(at + 2) && continues(at + 3) && !is_short && !is_beyond ? 4 : 0;
  }
  return 0;
}

LineIndex::LineIndex(std::string_view text) : text_(text), starts_{0} {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    starts_.push_back(static_cast<std::uint32_t>(at + 1));
  }
}

unsigned LineIndex::line(std::uint32_t offset) const {
  return static_cast<unsigned>(std::ranges::upper_bound(starts_, offset) - starts_.begin());
}

Position LineIndex::position(std::uint32_t offset) const {
  // In a line of megabytes (a JSON file without line ends) characters are not worth counting.
  constexpr std::uint32_t kCounted = 1 << 16;
  const unsigned at = line(offset);
  const std::uint32_t start = starts_[at - 1];
  if (offset - start > kCounted) return {at, offset - start + 1};
  return {at, characters(text_.substr(start, offset - start)) + 1};
}

std::string_view LineIndex::line_text(unsigned line) const {
  if (line == 0 || line > starts_.size()) return {};
  const std::uint32_t start = starts_[line - 1];
  std::string_view text = text_.substr(start, text_.find('\n', start) - start);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

void Problems::add(std::uint32_t offset, std::string what) {
  if (overflows()) return;
  add_at(lines_.position(offset), std::move(what));
}

void Problems::add_at(Position at, std::string what) {
  if (overflows()) return;
  what = printable(std::string_view(what).substr(0, kLongestMessage));
  if (!seen_.emplace(std::uint64_t{at.line} << 32 | at.column, what).second) return;
  Problem problem{at.line, at.column, std::move(what), {}, 0};
  show_source(problem, lines_.line_text(at.line));
  problems_.push_back(std::move(problem));
}

SiteErrors Problems::finish(std::string file) && {
  std::ranges::stable_sort(problems_, {}, [](const Problem& p) { return std::pair(p.line, p.column); });
  return {std::move(file), std::move(problems_), too_many_};
}

std::string SiteErrors::text(std::size_t most) const {
  std::string out;
  const std::size_t shown = std::min(most, problems.size());
  for (const Problem& problem : std::span(problems).first(shown)) {
    if (problem.line == 0) {
      out += fmt::format("{}: error: {}\n", file, problem.what);
      continue;
    }
    out += fmt::format("{}:{}:{}: error: {}\n", file, problem.line, problem.column, problem.what);
    if (!problem.source.empty())
      out += fmt::format("    {}\n    {:>{}}\n", problem.source, '^', problem.caret + 1);
  }
  if (problems.size() > shown) {
    out += fmt::format("{}: {}{} more errors are not shown\n", file, too_many ? "at least " : "",
                       problems.size() - shown);
  }
  return out;
}

}  // namespace sekimori::importers
