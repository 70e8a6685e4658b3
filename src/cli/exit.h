// How the program ends, and how a step says that it can't go on.
#pragma once

#include <expected>
#include <string>

#include "sys/signals.h"

namespace sekimori::cli {

// docs/cli.md and --help tell the same; scripts rely on it.
enum Exit : int {
  kClean = 0,                            // nothing above a note (see --fail-on); for other verbs: done
  kFindings = 1,                         // something is broken or will break
  kBadInput = 2,                         // the command line or an input can't be understood
  kFailed = 3,                           // an output can't be written, or the program itself failed
  kInterrupted = sys::kInterruptedExit,  // stopped by the user; what was known by then has been told
};

struct Stop {
  int exit = kFailed;
  std::string message;  // a whole sentence for the user, or several lines
};

template <class T>
using Step = std::expected<T, Stop>;

inline std::unexpected<Stop> stop(int exit, std::string message) {
  return std::unexpected(Stop{exit, std::move(message)});
}

}  // namespace sekimori::cli
