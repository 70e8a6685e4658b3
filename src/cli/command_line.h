// The command line: the table of verbs, their options, and what goes wrong in using them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/usage.h"

namespace sekimori::cli {

// Runs the program; the arguments do not include its name. Returns the exit code (cli/exit.h).
int run_command_line(std::span<const std::string> arguments);

// All verbs as --help tells them; a test holds docs/cli.md against it.
std::vector<VerbText> describe_verbs();

}  // namespace sekimori::cli
