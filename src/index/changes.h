// Waiting until something changes in a namespace.
//
// WORD      {generation:63, awaited:1}, in the namespace's object
// WAITER    C1  generation g: CAS {g, 0} -> {g, 1}; g is what he goes by
//           C2  look at whatever he waits for
//           C3  futex wait while the word is {g, 1}, for a second at most; then again from C1: is the
//               generation another one?
// WRITER    N1  publish, stamp
//           N2  load the word: not awaited: done
//           N3  CAS {g, 1} -> {g + 1, 0}; who succeeds wakes all
// SO        Either the writer's load comes after the waiter's CAS, and then he wakes him; or the waiter
//           looks after the publish. A writer whom nobody waits for pays for one load, of a cache line
//           that he has used; a waiter that died costs the next writer one call.
// DEATH     of a writer after N1: who recovers him does N2 and N3. Of one after N3's CAS, before he woke
//           anybody: a waiter looks again after a second.
#pragma once

#include <cstdint>

#include "index/index_layout.h"
#include "platform/platform.h"

namespace commy::index {

inline constexpr std::uint64_t kAwaited = 1;

// C1.
inline std::uint64_t AwaitedGeneration(NamespaceObject& object) {
  return object.change_word.fetch_or(kAwaited, std::memory_order_seq_cst) >> 1U;
}

// The half of the word that the system looks at: the low one, and so the one that changes.
inline const std::uint32_t* FutexOf(const NamespaceObject& object) {
  return reinterpret_cast<const std::uint32_t*>(&object.change_word);
}
inline std::uint32_t FutexValue(std::uint64_t generation) {
  return static_cast<std::uint32_t>(generation << 1U | kAwaited);
}

// N3.
inline void WakeWaiters(platform::Platform& platform, NamespaceObject& object) {
  std::uint64_t seen = object.change_word.load(std::memory_order_seq_cst);
  while ((seen & kAwaited) != 0) {
    if (object.change_word.compare_exchange(seen, ((seen >> 1U) + 1) << 1U,
                                            std::memory_order_seq_cst)) {
      platform.FutexWakeAll(FutexOf(object));
      return;
    }
  }
}

// N2 and N3.
inline void TellChange(platform::Platform& platform, NamespaceObject& object) {
  if ((object.change_word.load(std::memory_order_seq_cst) & kAwaited) != 0) [[unlikely]] {
    WakeWaiters(platform, object);
  }
}

}  // namespace commy::index
