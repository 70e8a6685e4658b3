// The report for a person at a terminal, perhaps in the middle of an outage: the verdict first, then each
// finding as a short story, the loads at the end.
#pragma once

#include <cstddef>
#include <string>

#include "findings/finding.h"

namespace sekimori::report {

enum class Verbosity : std::uint8_t {
  kQuiet,   // the verdict and one line per finding
  kNormal,  // long lists are cut, and say so
  kAll,     // nothing is cut
};

struct TextOptions {
  std::size_t width =
      80;  // columns; no line is wider. 0 with kQuiet: as wide as it takes, one finding a line
  bool colour = false;
  bool utf8 = true;  // what the terminal's locale can show
  Verbosity verbosity = Verbosity::kNormal;
};

std::string text(const findings::Report& report, const TextOptions& options);

}  // namespace sekimori::report
