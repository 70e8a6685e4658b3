#include "sys/screen.h"

#include <fmt/format.h>
#include <unistd.h>

namespace sekimori::sys {
namespace {

void put(const std::string& text) {
  // What can't be drawn is not missed.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

// ECMA-48: up so many lines (CUU), erase from the cursor to the end of the screen (ED).
std::string redrawn(std::size_t before, const std::vector<std::string>& lines) {
  std::string text = before == 0 ? "" : fmt::format("\r\x1b[{}A\x1b[J", before);
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void Screen::draw(const std::vector<std::string>& lines) {
  if (!shown_) return;
  put(redrawn(drawn_, lines));
  drawn_ = lines.size();
}

void Screen::erase() {
  if (drawn_ > 0) put(redrawn(drawn_, {}));
  drawn_ = 0;
}

}  // namespace sekimori::sys
