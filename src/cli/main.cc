#include <exception>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/exit.h"
#include "cli/output.h"
#include "sys/signals.h"

int main(int argc, char** argv) {
  namespace cli = sekimori::cli;
  sekimori::sys::catch_interrupts();
  try {
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return cli::run_command_line(arguments);
  } catch (const std::exception& error) {
    cli::complain(std::string("internal error: ") + error.what());
    return cli::kFailed;
  }
}
