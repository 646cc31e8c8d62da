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

// Compiles the condition and never evaluates it.
#define COMMY_IGNORE_CHECK(condition) \
  do {                                \
    if (false) {                      \
      (void)(condition);              \
    }                                 \
  } while (false)

// Only in debug builds. A comment behind it names the numbered invariant of docs/concurrency.md.
#ifdef NDEBUG
#define COMMY_DCHECK(condition) COMMY_IGNORE_CHECK(condition)
#else
#define COMMY_DCHECK(condition) COMMY_CHECK(condition)
#endif

// For walks: only where a debug build is slow already, under AddressSanitizer or ThreadSanitizer.
// -DCOMMY_EXPENSIVE_CHECKS asks for them in another debug build. (The hooked engine of the crash
// tests has ThreadSanitizer's flag and counts accesses: not there.)
#if !defined(COMMY_EXPENSIVE_CHECKS) && !defined(COMMY_HOOKED)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COMMY_EXPENSIVE_CHECKS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COMMY_EXPENSIVE_CHECKS
#endif
#endif
#endif
#ifdef COMMY_EXPENSIVE_CHECKS
#define COMMY_DCHECK_EXPENSIVE(condition) COMMY_DCHECK(condition)
#else
#define COMMY_DCHECK_EXPENSIVE(condition) COMMY_IGNORE_CHECK(condition)
#endif
