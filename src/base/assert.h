// Assertions state what must hold if the program has no bug. They stay on in release builds: a wrong
// diagnosis is worse than none.
#pragma once

namespace sekimori::base {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace sekimori::base

#define SEKIMORI_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::sekimori::base::assertion_failed(#condition, __FILE__, __LINE__))
