// A few lines on stderr that are redrawn in place. Only a person at a terminal sees them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sekimori::sys {

class Screen {
 public:
  explicit Screen(bool shown) : shown_(shown) {}
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() { erase(); }

  bool shown() const { return shown_; }
  // Instead of the lines before. None may be wider than the terminal.
  void draw(const std::vector<std::string>& lines);
  // Call it before anything else is written to the terminal.
  void erase();

 private:
  bool shown_;
  std::size_t drawn_ = 0;
};

// The bytes that replace `before` lines by these, the cursor standing below them.
std::string redrawn(std::size_t before, const std::vector<std::string>& lines);

}  // namespace sekimori::sys
