#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace sekimori::base {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr,
               "sekimori: internal error: %s does not hold (%s:%d). Please report this with the input.\n",
               condition, file, line);
  std::abort();
}

}  // namespace sekimori::base
