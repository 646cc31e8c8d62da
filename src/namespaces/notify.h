// Waiting until something changes in a namespace, or until a key comes.
//
// WORDS     change_word  {keys:1, sleepers:7, generation:55, awaited:1}, in the namespace's object
//             awaited    a waiter goes by the generation
//             sleepers   the number of waiters that sleep, or are about to; 127: at least that many
//             keys       a waiter has waited for a key of the namespace; stays set
//           key word     {generation:31, awaited:1}, one of kKeyWaitWordCount behind the file's
//                        header, by the namespace's id and the key's hash
// CHANGE    wait-1  set `awaited`, take the generation g; fence
//           wait-2  look: is the generation meanwhile not the one that the waiter goes by?
//           wait-3  CAS {g, n sleepers} -> {g, n + 1}; another generation: from wait-1. If
//                   kPromptSleepers sleep already: nap first, once, and from wait-1
//           wait-4  futex wait while the word is {g, awaited}, for a second at most; from wait-1
// KEY       key-1   set `keys`, if it is not set
//           key-2   set the key word's `awaited`, take its generation g; fence
//           key-3   look: is the key there?
//           key-4   futex wait while the key word is {g, 1}, for a second at most; then key-3. A
//                   waiter that was woken in vain pauses, 0.1 ms and more each time up to 1 ms,
//                   before key-1
// WRITER    notify-1  publish, give it a time
//           notify-2  load the change word: neither `awaited` nor `keys`: done
//           notify-3  of a put, if `keys`: load the key's word; if `awaited`: CAS {g, 1} -> {g + 1,
//                     0}; on success wake all
//           notify-4  if `awaited`: CAS {g, n, 1} -> {g + 1, 0, 0}; on success wake all, if n > 0
//           A drop does notify-3 for every key word. Clears, deletes and sweeps do not do notify-3,
//           since no key comes by them.
// WHY       Either the writer's loads come after the waiter's wait-1, or key-1 and key-2, and then
//           it notifies; or the waiter looks after the publish: notify-1 and notify-2 are
//           sequentially consistent, and so is wait-1 with its fence, without which a later load of
//           another order may overtake it on some processors. The generation moves on before the
//           wake, so a waiter that is late for it does not sleep.
// DEATH     of a writer after notify-1: its recoverer does notify-2 to notify-4, for every key
//           word, since it does not know the key. After a CAS, before the wake: a waiter looks
//           again after a second. Of a waiter: the next writer that comes to the word makes one
//           needless call.
// COST      A writer for which no waiter waits: one load, of a cache line that it has used, and
//           where a key was ever waited for one more, of a word that only waiters write. Waiters
//           for other keys cost nothing, but for those whose key has the same word: then at most
//           one call in each pause of each. Waiters for changes cost a call a change;
//           kPromptSleepers of them are woken by each, the others by the change after their nap, if
//           nothing has come meanwhile.
// NOT       a word for each key where it lies, in its slot's segment or leaf: the key is not there
//           yet, and segments and leaves are replaced.
// TESTED    tests/model/waiting_model_test.cc, tests/api/waiting_test.cc, tests/crash/
#pragma once

#include <cstdint>

#include "namespaces/object_layout.h"
#include "platform/platform.h"
#include "region/region.h"

namespace commy::namespaces {

inline constexpr std::uint64_t kAwaited = 1;
inline constexpr std::uint32_t kGenerationBits = 55;
inline constexpr std::uint64_t kGenerationMask = (std::uint64_t{1} << kGenerationBits) - 1;
inline constexpr std::uint32_t kSleepersShift = 1 + kGenerationBits;
inline constexpr std::uint64_t kSleepersMax = 127;
inline constexpr std::uint64_t kKeysAwaited = std::uint64_t{1} << 63U;
static_assert((kAwaited ^ kGenerationMask << 1U ^ kSleepersMax << kSleepersShift ^ kKeysAwaited) ==
              UINT64_MAX);

// At most this many waiters for changes of a namespace sleep at once; a later one naps first.
inline constexpr std::uint64_t kPromptSleepers = 4;
inline constexpr std::int64_t kNapNs = 1'000'000;
// How long a waiter for a key that was woken in vain cannot be woken again.
inline constexpr std::int64_t kPauseMinNs = 100'000;
inline constexpr std::int64_t kPauseMaxNs = 1'000'000;

constexpr std::uint64_t GenerationOf(std::uint64_t change_word) {
  return (change_word >> 1U) & kGenerationMask;
}
constexpr std::uint64_t SleepersOf(std::uint64_t change_word) {
  return (change_word >> kSleepersShift) & kSleepersMax;
}

// --- Waiters for changes -------------------------------------------------------------------------

// wait-1.
inline std::uint64_t AwaitedGeneration(NamespaceObject& object) {
  const std::uint64_t seen = object.change_word.fetch_or(kAwaited, std::memory_order_seq_cst);
  base::FullFence();
  return GenerationOf(seen);
}

enum class Sleep : std::uint8_t {
  kMoved,     // The generation has changed.
  kNapFirst,  // Others sleep.
  kSleep,     // wait-4.
};

// wait-3.
inline Sleep ArmSleep(NamespaceObject& object, std::uint64_t generation, bool napped) {
  std::uint64_t seen = object.change_word.load(std::memory_order_seq_cst);
  while (GenerationOf(seen) == generation && (seen & kAwaited) != 0) {
    const std::uint64_t sleepers = SleepersOf(seen);
    if (sleepers >= kPromptSleepers && !napped) {
      return Sleep::kNapFirst;
    }
    if (sleepers == kSleepersMax ||
        object.change_word.compare_exchange(seen, seen + (std::uint64_t{1} << kSleepersShift),
                                            std::memory_order_seq_cst)) {
      return Sleep::kSleep;
    }
  }
  return Sleep::kMoved;
}

// The half of the word that the system looks at: the low one, which changes with the generation.
inline const std::uint32_t* FutexOf(const NamespaceObject& object) {
  return reinterpret_cast<const std::uint32_t*>(&object.change_word);
}
inline std::uint32_t FutexValue(std::uint64_t generation) {
  return static_cast<std::uint32_t>(generation << 1U | kAwaited);
}

// --- Waiters for a key ---------------------------------------------------------------------------

inline region::Shared32& KeyWord(const region::Region& region, std::uint64_t namespace_id,
                                 std::uint64_t hash) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // Spreads consecutive ids.
  return region.key_wait_word((hash ^ namespace_id * kOdd) % region::kKeyWaitWordCount);
}

inline bool KeysAwaited(const NamespaceObject& object) {
  return (object.change_word.load(std::memory_order_seq_cst) & kKeysAwaited) != 0;  // key-1
}

// key-1 and key-2. Returns what the word says until a writer notifies.
inline std::uint32_t AwaitKey(NamespaceObject& object, region::Shared32& word) {
  if (!KeysAwaited(object)) {
    object.change_word.fetch_or(kKeysAwaited, std::memory_order_seq_cst);  // key-1
  }
  const std::uint32_t seen = word.fetch_or(kAwaited, std::memory_order_seq_cst);  // key-2
  base::FullFence();
  return seen | kAwaited;
}

// --- Writers -------------------------------------------------------------------------------------

// notify-3.
inline void NotifyKeyWord(platform::Platform& platform, region::Shared32& word) {
  std::uint32_t seen = word.load(std::memory_order_seq_cst);
  while ((seen & kAwaited) != 0) {
    if (word.compare_exchange(seen, seen + 1, std::memory_order_seq_cst)) {  // notify-3
      platform.FutexWakeAll(&word.raw);
      return;
    }
  }
}

// notify-4.
inline void NotifyChangeWaiters(platform::Platform& platform, NamespaceObject& object) {
  std::uint64_t seen = object.change_word.load(std::memory_order_seq_cst);
  while ((seen & kAwaited) != 0) {
    const std::uint64_t next = ((GenerationOf(seen) + 1) & kGenerationMask) << 1U;
    if (object.change_word.compare_exchange(seen, (seen & kKeysAwaited) | next,
                                            std::memory_order_seq_cst)) {
      if (SleepersOf(seen) > 0) {
        platform.FutexWakeAll(FutexOf(object));
      }
      return;
    }
  }
}

// notify-2 and notify-4: something has changed, but no key has come.
inline void NotifyChange(platform::Platform& platform, NamespaceObject& object) {
  if ((object.change_word.load(std::memory_order_seq_cst) & kAwaited) != 0) [[unlikely]] {
    NotifyChangeWaiters(platform, object);
  }
}

// notify-2 to notify-4 of a put.
inline void NotifyPut(platform::Platform& platform, const region::Region& region,
                      NamespaceObject& object, std::uint64_t namespace_id, std::uint64_t hash) {
  const std::uint64_t seen = object.change_word.load(std::memory_order_seq_cst);  // notify-2
  if ((seen & kKeysAwaited) != 0) [[unlikely]] {
    NotifyKeyWord(platform, KeyWord(region, namespace_id, hash));
  }
  if ((seen & kAwaited) != 0) [[unlikely]] {
    NotifyChangeWaiters(platform, object);
  }
}

// notify-2 to notify-4 for every key. Wakes waiters of other namespaces too, in vain: rare.
inline void NotifyAll(platform::Platform& platform, const region::Region& region,
                      NamespaceObject& object) {
  if (KeysAwaited(object)) {
    for (std::uint64_t i = 0; i < region::kKeyWaitWordCount; ++i) {
      NotifyKeyWord(platform, region.key_wait_word(i));
    }
  }
  NotifyChangeWaiters(platform, object);
}

}  // namespace commy::namespaces
