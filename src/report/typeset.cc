#include "report/typeset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

namespace sekimori::report {
namespace {

constexpr std::size_t kLongestText = 4000;  // bytes of one text that are shown
constexpr std::size_t kLongestWord = 60;    // columns

struct Character {
  std::size_t bytes;
  std::optional<char32_t> code;  // empty: not valid UTF-8
};

// The first character of a text that is not empty. Overlong forms and surrogates are not valid (RFC 3629).
Character first(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {1, std::nullopt};
  char32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {1, std::nullopt};
    code = (code << 6) | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {1, std::nullopt};
  return {length, code};
}

struct Range {
  char32_t from, to;
};

bool in(char32_t c, std::span<const Range> ranges) {
  return std::ranges::any_of(ranges, [c](Range r) { return c >= r.from && c <= r.to; });
}

// Controls, and what hides or reorders its neighbours (Unicode 15, general categories Cc, Cf, Zl, Zp, and
// fillers).
bool is_dangerous(char32_t c) {
  static constexpr Range kRanges[] = {
      {0x00, 0x1f},       {0x7f, 0x9f},        {0xad, 0xad},     {0x61c, 0x61c},   {0x115f, 0x1160},
      {0x180b, 0x180f},   {0x200b, 0x200f},    {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
      {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xffff},
      {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
  };
  return in(c, kRanges);
}

std::size_t width_of(char32_t c) {
  static constexpr Range kCombining[] = {
      {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
      {0x93c, 0x93c},   {0x94d, 0x94d},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},
      {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x3099, 0x309a}, {0xfe20, 0xfe2f},
  };
  static constexpr Range kWide[] = {
      {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
      {0x2648, 0x2653},   {0x26a1, 0x26a1},   {0x26bd, 0x26be},   {0x2705, 0x2705},   {0x2728, 0x2728},
      {0x274c, 0x274c},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
      {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
      {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
  };
  if (c < 0x300) return 1;
  if (in(c, kCombining)) return 0;
  return in(c, kWide) ? 2 : 1;
}

std::size_t width_of(const Character& c) { return c.code ? width_of(*c.code) : 1; }

// The longest beginning of at most `width` columns.
std::string_view head(std::string_view text, std::size_t width) {
  std::size_t bytes = 0, used = 0;
  while (bytes < text.size()) {
    const Character c = first(text.substr(bytes));
    if (used + width_of(c) > width) break;
    used += width_of(c);
    bytes += c.bytes;
  }
  return text.substr(0, bytes);
}

// The longest end of at most `width` columns.
std::string_view tail(std::string_view text, std::size_t width) {
  std::size_t excess = columns(text);
  while (excess > width) {
    const Character c = first(text);
    excess -= width_of(c);
    text.remove_prefix(c.bytes);
  }
  return text;
}

bool is_unit(std::string_view word) {
  static constexpr std::string_view kUnits[] = {"%",      "s",     "ms", "us",  "bit/s",  "kbit/s", "Mbit/s",
                                                "Gbit/s", "bytes", "MB", "KiB", "frames", "times",  "ports"};
  while (!word.empty() && std::string_view(".,;:)").contains(word.back())) word.remove_suffix(1);
  return std::ranges::find(kUnits, word) != std::end(kUnits);
}

// Words with what must not be torn from them: "20.9 Mbit/s".
std::vector<std::string_view> unbreakable(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t start = 0;  // of the last word
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (!words.empty() && is_unit(word) && words.back().back() >= '0' && words.back().back() <= '9') {
      words.back() = text.substr(start, end - start);
    } else if (!word.empty()) {
      words.push_back(word);
      start = at;
    }
    at = end + 1;
  }
  return words;
}

}  // namespace

std::string printable(std::string_view text, bool utf8) {
  const bool cut = text.size() > kLongestText;
  if (cut) text = text.substr(0, kLongestText);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first(text);
    if (!c.code) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (*c.code == '\n') {
      out += "\\n";
    } else if (*c.code == '\t') {
      out += "\\t";
    } else if (*c.code < 0x80 && is_dangerous(*c.code)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned>(*c.code));
    } else if (is_dangerous(*c.code) || (!utf8 && *c.code >= 0x80)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", static_cast<unsigned>(*c.code));
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  if (cut) out += utf8 ? "…" : "...";
  return out;
}

std::size_t columns(std::string_view text) {
  std::size_t sum = 0;
  while (!text.empty()) {
    const Character c = first(text);
    sum += width_of(c);
    text.remove_prefix(c.bytes);
  }
  return sum;
}

std::string shorten(std::string_view text, std::size_t width, bool utf8) {
  if (columns(text) <= width) return std::string(text);
  const std::string_view gap = utf8 ? "…" : "...";
  const std::size_t room = width > columns(gap) ? width - columns(gap) : 0;
  if (room == 0) return std::string(head(gap, width));
  return fmt::format("{}{}{}", head(text, room - room / 2), gap, tail(text, room / 2));
}

std::string clip(std::string_view text, std::size_t width, bool utf8) {
  if (columns(text) <= width) return std::string(text);
  const std::string_view gap = utf8 ? "…" : "...";
  const std::size_t room = width > columns(gap) ? width - columns(gap) : 0;
  return std::string(head(text, room)).append(head(gap, width));
}

std::vector<std::string> wrap(std::string_view text, std::size_t width, bool utf8) {
  std::vector<std::string> lines(1);
  std::size_t used = 0;
  for (const std::string_view word : unbreakable(text)) {
    std::string shown = shorten(word, kLongestWord, utf8);
    if (used > 0 && used + 1 + columns(shown) <= width) {
      lines.back() += ' ';
      used += 1;
    } else if (used > 0) {
      lines.emplace_back();
      used = 0;
    }
    while (columns(shown) > width - used) {  // only a word that is wider than a line
      const std::string_view piece = head(shown, width);
      if (piece.empty()) break;  // a wide character in a one-column line
      lines.back() = piece;
      shown.erase(0, piece.size());
      lines.emplace_back();
    }
    lines.back() += shown;
    used += columns(shown);
  }
  return lines;
}

std::string left(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(text).append(used < width ? width - used : 0, ' ');
}

std::string right(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(used < width ? width - used : 0, ' ').append(text);
}

std::string repeat(std::string_view glyph, std::size_t width) {
  std::string out;
  const std::size_t each = std::max<std::size_t>(columns(glyph), 1);
  for (std::size_t used = 0; used + each <= width; used += each) out += glyph;
  return out;
}

}  // namespace sekimori::report
