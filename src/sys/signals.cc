#include "sys/signals.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX's
#include <unistd.h>

namespace sekimori::sys {
namespace {

volatile sig_atomic_t asked_to_stop = 0;

void on_signal(int) {
  if (asked_to_stop != 0) _exit(kInterruptedExit);
  asked_to_stop = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return asked_to_stop != 0; }

}  // namespace sekimori::sys
