// Handing over: waiting for an element of a queue, or for room in it, with one waiter woken for
// each element or place that comes.
//
// WORDS     element_word and room_word of the namespace's object, each {sleepers:32, generation:32}
//             sleepers    waiters that sleep, or are about to, and for which no wake is meant yet;
//                         never too few, and too many after a death or an early leave
//             generation  how many waiters were ever told; the futex word
// WAITER    hand-1  add 1 to `sleepers`, take the generation g; fence
//           hand-2  look: is there an element? With one: leave
//           hand-3  futex wait while the generation is g, for a second at most. If it was woken, or
//                   the generation is another one: from hand-1 (a look before it does no harm),
//                   else hand-2
//           leave   CAS {n, g} -> {n - 1, g}, of one that was not woken. If the generation is
//                   another one, the word stays: the wake of that generation may have been meant
//                   for this waiter. One that was woken looks once more before it gives up
// WRITER    hand-4  publish the elements
//           hand-5  fence; load the word: no sleepers: done
//           hand-6  CAS {n, g} -> {n - k, g + k}, k the lower of n and the number of elements; on
//                   success wake k
// WHY       Either the writer's load comes after the waiter's hand-1, and then it sees a sleeper,
//           or the waiter looks after the publish: hand-1 and hand-5 are sequentially consistent,
//           with fences between them and the look and the publish. The generation moves on before
//           the wake, so a waiter that is late for its wake does not sleep.
//           A waiter never takes its 1 back once a generation has come after it, and counts itself
//           anew after each wake, since the system may wake it by a wake that was meant for one
//           that came before it: so `sleepers` is at least the number of those that sleep without
//           a wake on its way. Too high a number costs a writer one needless call for each.
//           In general the system wakes waiters in the order in which they went to sleep.
// DEATH     of a writer before hand-6, or between its CAS and its wake, or of a waiter that was
//           woken and has not taken the element: another waiter looks again after a second; the
//           same if such a waiter is stopped. Of a waiter in any other place: one needless call.
// COST      a writer for which no waiter waits: a fence and a load.
// TESTED    tests/model/queue_model_test.cc, tests/sequences/deque_test.cc,
//           tests/multiprocess/queue_process_test.cc
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/shared_atomic.h"
#include "platform/platform.h"

namespace commy::namespaces {

inline constexpr std::uint32_t kQueueSleepersShift = 32;

// hand-1. Returns the generation.
inline std::uint32_t ArmHandover(base::Shared64& word) {
  const std::uint64_t seen =
      word.fetch_add(std::uint64_t{1} << kQueueSleepersShift, std::memory_order_seq_cst);
  base::FullFence();
  return static_cast<std::uint32_t>(seen);
}

// A waiter that goes without having been told.
inline void LeaveHandover(base::Shared64& word, std::uint32_t generation) {
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while (static_cast<std::uint32_t>(seen) == generation && seen >> kQueueSleepersShift != 0) {
    if (word.compare_exchange(seen, seen - (std::uint64_t{1} << kQueueSleepersShift),
                              std::memory_order_seq_cst)) {
      return;
    }
  }
}

// The half of the word that the system looks at: the low one.
inline const std::uint32_t* HandoverFutex(const base::Shared64& word) {
  return reinterpret_cast<const std::uint32_t*>(&word);
}

// hand-5 and hand-6, for `count` elements or places.
inline void HandOver(platform::Platform& platform, base::Shared64& word, std::uint64_t count) {
  base::FullFence();
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while (seen >> kQueueSleepersShift != 0) {
    const std::uint64_t sleepers = seen >> kQueueSleepersShift;
    const std::uint64_t told = std::min(sleepers, count);
    const std::uint64_t next =
        (sleepers - told) << kQueueSleepersShift | static_cast<std::uint32_t>(seen + told);
    if (word.compare_exchange(seen, next, std::memory_order_seq_cst)) {
      platform.FutexWake(HandoverFutex(word), static_cast<std::uint32_t>(told));
      return;
    }
  }
}

}  // namespace commy::namespaces
