#include "sys/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sekimori::sys {
namespace {

std::string_view value(const Environment& environment, const char* name) {
  const char* text = environment(name);
  return text == nullptr ? std::string_view() : text;
}

// 0 when it is no sensible number.
std::size_t columns_variable(const Environment& environment) {
  const std::string_view text = value(environment, "COLUMNS");
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number <= 10'000 ? number : 0;
}

std::size_t width_of(int fd, bool is_terminal, const Environment& environment) {
  winsize size{};
  if (is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const std::size_t told = columns_variable(environment);
  return told > 0 ? told : 80;
}

}  // namespace

const char* process_environment(const char* name) {
  return std::getenv(name);
}  // NOLINT(concurrency-mt-unsafe)

bool wants_colour(ColourChoice choice, bool is_terminal, const Environment& environment) {
  if (choice != ColourChoice::kAuto) return choice == ColourChoice::kAlways;
  if (!value(environment, "NO_COLOR").empty()) return false;
  const std::string_view force = value(environment, "CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return true;
  return is_terminal && value(environment, "TERM") != "dumb" && !value(environment, "TERM").empty();
}

bool locale_is_utf8(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale(value(environment, name));
    if (locale.empty()) continue;
    std::ranges::transform(locale, locale.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return false;
}

Terminal describe_terminal(int fd, ColourChoice choice, const Environment& environment) {
  Terminal terminal;
  terminal.is_terminal = isatty(fd) == 1;
  terminal.width = width_of(fd, terminal.is_terminal, environment);
  terminal.colour = wants_colour(choice, terminal.is_terminal, environment);
  terminal.utf8 = locale_is_utf8(environment);
  return terminal;
}

}  // namespace sekimori::sys
