#include "sys/entropy.h"

#include <fmt/format.h>
#include <sys/random.h>

#include "base/assert.h"

namespace sekimori::sys {

// getrandom(2): up to 256 bytes come whole, and without flags it waits until the kernel has its seed.
std::uint64_t random_number() {
  std::uint64_t value = 0;
  ssize_t got = 0;
  do {
    got = getrandom(&value, sizeof value, 0);
  } while (got < 0);  // a signal came first
  SEKIMORI_ASSERT(got == sizeof value);
  return value;
}

std::string random_token() { return fmt::format("{:016x}{:016x}", random_number(), random_number()); }

}  // namespace sekimori::sys
