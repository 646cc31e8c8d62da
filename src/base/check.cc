#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace commy::base {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "commy: %s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace commy::base
