// One line on stderr that tells how far a long run is. Only a person at a terminal sees it: it is drawn first
// when a run has lasted a moment, redrawn at most ten times a second, and erased at the end.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace sekimori::sys {

// "simulating  123s of 900s  14 %  about 8s left", at most `width` columns. `share` is 0..1.
std::string progress_line(std::string_view what, double share, std::chrono::duration<double> elapsed,
                          std::size_t width);

class Progress {
 public:
  explicit Progress(bool shown, std::size_t width = 80) : shown_(shown), width_(width) {}
  Progress(const Progress&) = delete;  // callers hold references to it
  Progress& operator=(const Progress&) = delete;
  ~Progress() { erase(); }

  // Begins something new: its time left is reckoned from here.
  void begin();
  void update(std::string_view what, double share);
  // Call it before anything else is written to the terminal.
  void erase();

 private:
  using Clock = std::chrono::steady_clock;
  bool shown_, drawn_ = false;
  std::size_t width_;
  Clock::time_point start_ = Clock::now(), last_{};
};

}  // namespace sekimori::sys
