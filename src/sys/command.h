// Runs another program and keeps what it prints.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace sekimori::sys {

struct CommandOutput {
  int exit = 0;  // 127: there is no such program
  std::string out;
};

// The program is looked for in PATH, reads nothing, and writes its errors where ours go, unless `quiet`. One
// that takes longer than `patience` or prints more than `most` bytes is ended, and that is an error.
base::Result<CommandOutput> run_command(const std::vector<std::string>& words, std::chrono::seconds patience,
                                        std::size_t most, bool quiet);

// The name of this machine.
std::string host_name();

}  // namespace sekimori::sys
