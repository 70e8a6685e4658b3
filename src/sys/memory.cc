#include "sys/memory.h"

#include <fstream>
#include <string>

namespace sekimori::sys {

std::uint64_t available_memory() {
  std::ifstream lines("/proc/meminfo");
  std::string word;
  std::uint64_t kilobytes = 0;
  while (lines >> word) {
    if (word == "MemAvailable:" && lines >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

}  // namespace sekimori::sys
