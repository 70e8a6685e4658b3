#include "sys/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace sekimori::sys {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 300ms;  // runs that are over sooner draw nothing
constexpr auto kInterval = 100ms;

std::string rough_time(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", std::max(1.0, std::ceil(seconds)));
  if (seconds < 90 * 60) return fmt::format("{:.0f} min", std::ceil(seconds / 60));
  return fmt::format("{:.0f} h", std::ceil(seconds / 3600));
}

void put(std::string_view text) {
  // What can't be drawn is not missed.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

std::string progress_line(std::string_view what, double share, std::chrono::duration<double> elapsed,
                          std::size_t width) {
  share = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
  std::string line = fmt::format("{}  {:.0f} %", what, std::floor(100 * share));
  // A guess from the first moments would jump about.
  if (share < 1 && (share >= 0.01 || (share > 0 && elapsed > 5s))) {
    line += fmt::format("  about {} left", rough_time(elapsed.count() * (1 - share) / share));
  }
  return line.substr(0, width);
}

void Progress::begin() { start_ = Clock::now(); }

void Progress::update(std::string_view what, double share) {
  if (!shown_) return;
  const auto now = Clock::now();
  if (now - start_ < kPatience || now - last_ < kInterval) return;
  last_ = now;
  drawn_ = true;
  put("\r\x1b[K" + progress_line(what, share, now - start_, width_ > 1 ? width_ - 1 : 1));
}

void Progress::erase() {
  if (drawn_) put("\r\x1b[K");
  drawn_ = false;
}

}  // namespace sekimori::sys
