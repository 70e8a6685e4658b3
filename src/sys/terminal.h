// What the other end of stdout or stderr is: a person's terminal or a pipe, how wide, which characters and
// colours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace sekimori::sys {

enum class ColourChoice : std::uint8_t { kAuto, kAlways, kNever };

// As getenv: the value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;
const char* process_environment(const char* name);

struct Terminal {
  bool is_terminal = false;
  std::size_t width = 80;  // columns; 80 when nobody knows
  bool colour = false;
  bool utf8 = false;
};

Terminal describe_terminal(int fd, ColourChoice choice, const Environment& environment = process_environment);

// The user's choice, then NO_COLOR (no-color.org), then CLICOLOR_FORCE, then TERM=dumb, then whether it is a
// terminal.
bool wants_colour(ColourChoice choice, bool is_terminal, const Environment& environment);

// The character set of the locale: the first of LC_ALL, LC_CTYPE and LANG that is set decides (POSIX, 8.2).
bool locale_is_utf8(const Environment& environment);

}  // namespace sekimori::sys
