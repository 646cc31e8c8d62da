#include "support/hook_runtime.h"

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// No function here may call one that it supplies, so there are no containers, and copies are loops.

namespace commy::test::hooks {
namespace {

struct Mapping {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
};
constexpr int kMappingsMax = 16;
Mapping mappings[kMappingsMax];

struct State {
  unsigned kinds = 0;  // 0: not armed.
  Action action = Action::kCount;
  std::uint64_t at = 0;
  std::uint64_t count = 0;
  std::uint64_t then = 0;
  Call call = nullptr;
  void* with = nullptr;
};
thread_local State state;

bool IsMapped(const volatile void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const Mapping& mapping : mappings) {
    if (at >= mapping.begin.load(std::memory_order_relaxed) &&
        at < mapping.end.load(std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

[[gnu::noinline]] void Act() {
  if (state.action == Action::kCall) {
    const State parked = state;
    state.kinds = 0;
    state.at = 0;
    parked.call(parked.with);
    const std::uint64_t next = state.at;
    state = parked;
    state.at = next != 0 ? state.count + 1 : 0;
    return;
  }
  const long self = syscall(SYS_getpid);
  (void)syscall(SYS_kill, self, state.action == Action::kKill ? SIGKILL : SIGSTOP);
  if (state.action == Action::kStopThenKill) {
    state.action = Action::kKill;
    state.kinds = kStores;
    state.count = 1;  // The point that it stopped at.
    state.at = state.then;
  }
}

inline void Point() {
  if (++state.count == state.at && state.action != Action::kCount) {
    Act();
  }
}

inline void Touch(unsigned kind, const volatile void* address) {
  if ((state.kinds & kind) != 0 && IsMapped(address)) [[unlikely]] {
    Point();
  }
}

void AddMapping(void* address, std::size_t size) {
  for (Mapping& mapping : mappings) {
    if (mapping.end.load(std::memory_order_relaxed) == 0) {
      mapping.begin.store(reinterpret_cast<std::uintptr_t>(address), std::memory_order_relaxed);
      mapping.end.store(reinterpret_cast<std::uintptr_t>(address) + size,
                        std::memory_order_relaxed);
      return;
    }
  }
}

void RemoveMapping(const void* address) {
  for (Mapping& mapping : mappings) {
    if (mapping.begin.load(std::memory_order_relaxed) ==
        reinterpret_cast<std::uintptr_t>(address)) {
      mapping.end.store(0, std::memory_order_relaxed);
      mapping.begin.store(0, std::memory_order_relaxed);
    }
  }
}

void* Map(void* address, std::size_t size, int protection, int flags, int fd, off_t offset) {
  void* const mapped =
      reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, fd, offset));
  if (mapped != MAP_FAILED && fd >= 0 && (flags & MAP_SHARED) != 0) {
    AddMapping(mapped, size);
  }
  return mapped;
}

void PlainCopy(void* to, const void* from, std::size_t size) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

void PlainCopyBack(void* to, const void* from, std::size_t size) {
  auto* last_to = static_cast<char*>(to) + size - 1;
  const auto* last_from = static_cast<const char*>(from) + size - 1;
  __asm__ volatile("std\n\trep movsb\n\tcld"
                   : "+D"(last_to), "+S"(last_from), "+c"(size)
                   :
                   : "memory");
}

void PlainFill(void* to, int value, std::size_t size) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
}

// One hook each 8 bytes, before they are copied.
void CountedCopy(char* to, const char* from, std::size_t size) {
  for (std::size_t done = 0; done < size; done += 8) {
    Touch(kLoads, from + done);
    Touch(kStores, to + done);
    PlainCopy(to + done, from + done, size - done < 8 ? size - done : 8);
  }
}

}  // namespace

void Arm(unsigned kinds, Action action, std::uint64_t at, std::uint64_t then) {
  state = {kinds, action, at, 0, then, nullptr, nullptr};
}

void ArmCall(unsigned kinds, std::uint64_t at, Call call, void* with) {
  state = {kinds, Action::kCall, at, 0, 0, call, with};
}

void CallAgain() {
  state.at = 1;
}

std::uint64_t Disarm() {
  if (state.action != Action::kCount && state.at == state.count + 1) {
    Act();  // The point at the end.
  }
  state.kinds = 0;
  return state.count;
}

void ForgetMappings() {
  for (Mapping& mapping : mappings) {
    mapping.end.store(0, std::memory_order_relaxed);
    mapping.begin.store(0, std::memory_order_relaxed);
  }
}

}  // namespace commy::test::hooks

// --- The symbols that the compiler and the linker look for ---------------------------------------

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): names of the ABI.
using commy::test::hooks::kCalls;
using commy::test::hooks::kLoads;
using commy::test::hooks::kStores;
using commy::test::hooks::kSwaps;
using commy::test::hooks::Point;
using commy::test::hooks::Touch;

extern "C" {

// <sys/mman.h> may give mmap the symbol of mmap64, so both are named by their symbols.
void* MapHook(void* address, std::size_t size, int protection, int flags, int fd,
              off_t offset) noexcept __asm__("mmap");
void* MapHook(void* address, std::size_t size, int protection, int flags, int fd,
              off_t offset) noexcept {
  return commy::test::hooks::Map(address, size, protection, flags, fd, offset);
}
void* MapHook64(void* address, std::size_t size, int protection, int flags, int fd,
                off_t offset) noexcept __asm__("mmap64");
void* MapHook64(void* address, std::size_t size, int protection, int flags, int fd,
                off_t offset) noexcept {
  return commy::test::hooks::Map(address, size, protection, flags, fd, offset);
}
int munmap(void* address, std::size_t size) noexcept {
  commy::test::hooks::RemoveMapping(address);
  return static_cast<int>(syscall(SYS_munmap, address, size));
}

void* memcpy(void* to, const void* from, std::size_t size) noexcept {
  using namespace commy::test::hooks;
  if (state.kinds != 0 && (IsMapped(to) || IsMapped(from))) [[unlikely]] {
    CountedCopy(static_cast<char*>(to), static_cast<const char*>(from), size);
  } else {
    PlainCopy(to, from, size);
  }
  return to;
}
void* memmove(void* to, const void* from, std::size_t size) noexcept {
  using namespace commy::test::hooks;
  const auto to_at = reinterpret_cast<std::uintptr_t>(to);
  const auto from_at = reinterpret_cast<std::uintptr_t>(from);
  if (to_at - from_at >= size) {
    return memcpy(to, from, size);
  }
  PlainCopyBack(to, from, size);  // Overlapping; the engine moves no bytes in a mapping like that.
  return to;
}
void* memset(void* to, int value, std::size_t size) noexcept {
  using namespace commy::test::hooks;
  if (state.kinds != 0 && IsMapped(to)) [[unlikely]] {
    for (std::size_t done = 0; done < size; done += 8) {
      Touch(kStores, static_cast<char*>(to) + done);
      PlainFill(static_cast<char*>(to) + done, value, size - done < 8 ? size - done : 8);
    }
  } else {
    PlainFill(to, value, size);
  }
  return to;
}
void* __tsan_memcpy(void* to, const void* from, std::size_t size) {
  return memcpy(to, from, size);
}
void* __tsan_memmove(void* to, const void* from, std::size_t size) {
  return memmove(to, from, size);
}
void* __tsan_memset(void* to, int value, std::size_t size) {
  return memset(to, value, size);
}

void __tsan_init() {}
void __tsan_func_entry(void* /*caller*/) {
  if ((commy::test::hooks::state.kinds & kCalls) != 0) {
    Point();
  }
}
void __tsan_func_exit() {}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}
void __tsan_vptr_update(void** at, void* /*value*/) {
  Touch(kStores, at);
}
void __tsan_vptr_read(void** at) {
  Touch(kLoads, at);
}
void __tsan_read_range(void* at, std::size_t /*size*/) {
  Touch(kLoads, at);
}
void __tsan_write_range(void* at, std::size_t /*size*/) {
  Touch(kStores, at);
}

#define COMMY_PLAIN_HOOKS(size)                          \
  void __tsan_read##size(void* at) {                     \
    Touch(kLoads, at);                                   \
  }                                                      \
  void __tsan_write##size(void* at) {                    \
    Touch(kStores, at);                                  \
  }                                                      \
  void __tsan_read_write##size(void* at) {               \
    Touch(kStores, at);                                  \
  }                                                      \
  void __tsan_unaligned_read##size(void* at) {           \
    Touch(kLoads, at);                                   \
  }                                                      \
  void __tsan_unaligned_write##size(void* at) {          \
    Touch(kStores, at);                                  \
  }                                                      \
  void __tsan_unaligned_read_write##size(void* at) {     \
    Touch(kStores, at);                                  \
  }                                                      \
  void __tsan_volatile_read##size(void* at) {            \
    Touch(kLoads, at);                                   \
  }                                                      \
  void __tsan_volatile_write##size(void* at) {           \
    Touch(kStores, at);                                  \
  }                                                      \
  void __tsan_unaligned_volatile_read##size(void* at) {  \
    Touch(kLoads, at);                                   \
  }                                                      \
  void __tsan_unaligned_volatile_write##size(void* at) { \
    Touch(kStores, at);                                  \
  }

COMMY_PLAIN_HOOKS(1)
COMMY_PLAIN_HOOKS(2)
COMMY_PLAIN_HOOKS(4)
COMMY_PLAIN_HOOKS(8)
COMMY_PLAIN_HOOKS(16)

// All sequentially consistent: the crash tests are not about memory orders.
#define COMMY_FETCH_HOOK(bits, type, name, operation)                               \
  type __tsan_atomic##bits##_##name(volatile type* at, type value, int /*order*/) { \
    Touch(kStores | kSwaps, at);                                                    \
    return operation(at, value, __ATOMIC_SEQ_CST);                                  \
  }
#define COMMY_ATOMIC_HOOKS(bits, type)                                                             \
  type __tsan_atomic##bits##_load(const volatile type* at, int /*order*/) {                        \
    Touch(kLoads, at);                                                                             \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile type* at, type value, int /*order*/) {                 \
    Touch(kStores, at);                                                                            \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                \
  COMMY_FETCH_HOOK(bits, type, exchange, __atomic_exchange_n)                                      \
  COMMY_FETCH_HOOK(bits, type, fetch_add, __atomic_fetch_add)                                      \
  COMMY_FETCH_HOOK(bits, type, fetch_sub, __atomic_fetch_sub)                                      \
  COMMY_FETCH_HOOK(bits, type, fetch_and, __atomic_fetch_and)                                      \
  COMMY_FETCH_HOOK(bits, type, fetch_or, __atomic_fetch_or)                                        \
  COMMY_FETCH_HOOK(bits, type, fetch_xor, __atomic_fetch_xor)                                      \
  COMMY_FETCH_HOOK(bits, type, fetch_nand, __atomic_fetch_nand)                                    \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* expected,             \
                                                    type desired, int, int) {                      \
    Touch(kStores | kSwaps, at);                                                                   \
    return __atomic_compare_exchange_n(at, expected, desired, false, __ATOMIC_SEQ_CST,             \
                                       __ATOMIC_SEQ_CST)                                           \
               ? 1                                                                                 \
               : 0;                                                                                \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* at, type* expected, type desired, \
                                                  int, int) {                                      \
    Touch(kStores | kSwaps, at);                                                                   \
    return __atomic_compare_exchange_n(at, expected, desired, false, __ATOMIC_SEQ_CST,             \
                                       __ATOMIC_SEQ_CST)                                           \
               ? 1                                                                                 \
               : 0;                                                                                \
  }                                                                                                \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type* at, type expected, type desired,  \
                                                  int, int) {                                      \
    Touch(kStores | kSwaps, at);                                                                   \
    __atomic_compare_exchange_n(at, &expected, desired, false, __ATOMIC_SEQ_CST,                   \
                                __ATOMIC_SEQ_CST);                                                 \
    return expected;                                                                               \
  }

COMMY_ATOMIC_HOOKS(8, std::uint8_t)
COMMY_ATOMIC_HOOKS(16, std::uint16_t)
COMMY_ATOMIC_HOOKS(32, std::uint32_t)
COMMY_ATOMIC_HOOKS(64, std::uint64_t)

// No store has 128-bit words (they are not lock-free everywhere), so none of these should be
// linked. If one is, the test should fail.
void __tsan_atomic_thread_fence(int /*order*/) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int /*order*/) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
