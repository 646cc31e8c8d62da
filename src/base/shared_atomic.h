// Words of the mapped file that several processes read and write.
//
// SharedAtomic<T> is an aggregate, so it can be laid over mapped bytes and takes part in
// static_asserts about layout. It has no default memory order: each use says what it needs.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "base/check.h"

namespace commy::base {

template <typename T>
struct SharedAtomic {
  static_assert(std::is_integral_v<T> && std::is_unsigned_v<T>);
  static_assert(std::atomic_ref<T>::is_always_lock_free, "a lock in the file is not an option");

  [[nodiscard]] T load(std::memory_order order) const {
    // atomic_ref has no const form in C++20; a load does not change the object.
    return std::atomic_ref<T>(const_cast<T&>(raw)).load(order);
  }
  void store(T value, std::memory_order order) { std::atomic_ref<T>(raw).store(value, order); }
  T exchange(T value, std::memory_order order) {
    return std::atomic_ref<T>(raw).exchange(value, order);
  }
  T fetch_add(T value, std::memory_order order) {
    return std::atomic_ref<T>(raw).fetch_add(value, order);
  }
  T fetch_or(T value, std::memory_order order) {
    return std::atomic_ref<T>(raw).fetch_or(value, order);
  }
  // On failure `expected` holds what was found.
  bool compare_exchange(T& expected, T desired, std::memory_order order) {
    COMMY_DCHECK(reinterpret_cast<std::uintptr_t>(&raw) % sizeof(T) == 0);
    return std::atomic_ref<T>(raw).compare_exchange_strong(expected, desired, order,
                                                           std::memory_order_acquire);
  }
  // The same, for callers that do not need what was found.
  bool CompareAndSet(T expected, T desired, std::memory_order order) {
    return compare_exchange(expected, desired, order);
  }

  T raw;
};

using Shared64 = SharedAtomic<std::uint64_t>;
using Shared32 = SharedAtomic<std::uint32_t>;
using Shared8 = SharedAtomic<std::uint8_t>;

static_assert(sizeof(Shared64) == 8 && alignof(Shared64) == 8);
static_assert(std::is_aggregate_v<Shared64> && std::is_standard_layout_v<Shared64>);

// The real ThreadSanitizer; the hooked engine of the crash tests is compiled with its flag only.
#if defined(__SANITIZE_THREAD__)
#define COMMY_UNDER_TSAN 1
#elif defined(__has_feature) && !defined(COMMY_HOOKED)
#if __has_feature(thread_sanitizer)
#define COMMY_UNDER_TSAN 1
#endif
#endif

// A full fence. Stands in one place because ThreadSanitizer does not model bare fences: there it
// becomes a read-modify-write of a word that all threads share, which orders at least as much.
inline void FullFence() {
#if defined(COMMY_UNDER_TSAN)
  static std::atomic<std::uint32_t> word{0};
  word.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// Orders this thread's accesses for the compiler only. The processor's part is done by the side
// that issues a membarrier.
inline void CompilerFence() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace commy::base
