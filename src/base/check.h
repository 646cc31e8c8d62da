// Assertions about our own mistakes. What the file, the caller or the world may get wrong is an
// absl::Status instead.
#pragma once

namespace commy::base {
// Prints "<file>:<line>: <condition>" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace commy::base

// Always on; for cheap conditions.
#define COMMY_CHECK(condition)                                    \
  do {                                                            \
    if (!(condition)) [[unlikely]] {                              \
      ::commy::base::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                             \
  } while (false)

// Only in debug builds.
#ifdef NDEBUG
#define COMMY_DCHECK(condition) \
  do {                          \
    if (false) {                \
      (void)(condition);        \
    }                           \
  } while (false)
#else
#define COMMY_DCHECK(condition) COMMY_CHECK(condition)
#endif
