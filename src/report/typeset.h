// Text for a terminal: what may be shown, how wide it is, where lines break.
//
// Names come from site files and captures, which strangers write. printable() is the gate: behind it a text
// holds no control character, no invalid UTF-8 and nothing that reorders or hides its neighbours, so it can
// neither move the cursor nor pretend to be another line. Everything else here expects text that passed the
// gate.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sekimori::report {

// With utf8 false everything beyond ASCII is escaped too. Escapes: \x1b, \n, \t, \u{202e}. Overlong texts are
// cut.
std::string printable(std::string_view text, bool utf8);

// Columns that a terminal needs for it: East Asian wide characters take two, combining marks none.
std::size_t columns(std::string_view text);

// At most `width` columns: the middle gives way to "...", as both ends of a name tell more than its middle.
std::string shorten(std::string_view text, std::size_t width, bool utf8);

// The same for sentences: the end gives way.
std::string clip(std::string_view text, std::size_t width, bool utf8);

// Lines of at most `width` columns, broken at spaces; a number stays with its unit; words wider than a line
// are shortened or broken. Always at least one line.
std::vector<std::string> wrap(std::string_view text, std::size_t width, bool utf8);

std::string left(std::string_view text, std::size_t width);   // padded to `width` columns on the right
std::string right(std::string_view text, std::size_t width);  // padded on the left

// `glyph` as often as needed to fill `width` columns.
std::string repeat(std::string_view glyph, std::size_t width);

}  // namespace sekimori::report
