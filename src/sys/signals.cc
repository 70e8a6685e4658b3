#include "sys/signals.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX's
#include <unistd.h>

#include <atomic>

namespace sekimori::sys {
namespace {

// Read from other threads too, hence no sig_atomic_t; lock-free, hence fit for a handler.
std::atomic<bool> asked_to_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  if (asked_to_stop.exchange(true)) _exit(kInterruptedExit);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool end_interrupt() { return asked_to_stop.exchange(false); }

bool interrupted() { return asked_to_stop.load(std::memory_order_relaxed); }

void survive_broken_pipes() {
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  sigemptyset(&action.sa_mask);
  sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace sekimori::sys
