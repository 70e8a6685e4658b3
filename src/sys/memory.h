// How much memory this machine has to give.
#pragma once

#include <cstdint>

namespace sekimori::sys {

// Bytes that programs can have without anything being swapped out (MemAvailable of /proc/meminfo); 0: not
// known.
std::uint64_t available_memory();

}  // namespace sekimori::sys
