#include "wire/mac.h"

#include <fmt/format.h>

namespace sekimori::wire {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Mac> parse_mac(std::string_view text) {
  // The separator, and after how many digits it stands, follow from the length.
  char separator = 0;
  std::size_t group = 12;
  if (text.size() == 17 && (text[2] == ':' || text[2] == '-')) {
    separator = text[2];
    group = 2;
  } else if (text.size() == 14 && text[4] == '.') {
    separator = '.';
    group = 4;
  } else if (text.size() != 12) {
    return std::nullopt;
  }
  std::uint64_t bits = 0;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (separator != 0 && i % (group + 1) == group) {
      if (text[i] != separator) return std::nullopt;
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0) return std::nullopt;
    bits = bits << 4 | static_cast<std::uint64_t>(digit);
    ++digits;
  }
  if (digits != 12) return std::nullopt;
  return Mac{bits};
}

std::string to_text(Mac mac) { return fmt::format("{:02x}", fmt::join(mac.octets(), ":")); }

}  // namespace sekimori::wire
