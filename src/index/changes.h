// Waiting until something changes in a namespace, or until a key comes.
//
// WORDS     change_word  {keys:1, sleepers:7, generation:55, awaited:1}, in the namespace's object
//             awaited    somebody goes by the generation
//             sleepers   how many of them sleep, or are about to; 127: that many or more
//             keys       somebody has waited for a key of the namespace; stays set
//           key word     {generation:31, awaited:1}, one of kKeyWaitWordCount behind the file's header,
//                        by the namespace's id and the key's hash
// CHANGE    C1  set `awaited`, take the generation g; fence
//           C2  look: is the generation, by now, another one than the waiter goes by?
//           C3  CAS {g, n sleepers} -> {g, n + 1}; another generation: from C1. If kPromptSleepers sleep
//               already: nap first, once, and from C1
//           C4  futex wait while the word is {g, awaited}, for a second at most; from C1
// KEY       K1  set `keys`, if it is not set
//           K2  set the key word's `awaited`, take its generation g; fence
//           K3  look: is the key there?
//           K4  futex wait while the key word is {g, 1}, for a second at most; then K3. Who was woken in
//               vain pauses, 0.1 ms and more each time up to 1 ms, before it is at K1 again
// WRITER    N1  publish, stamp
//           N2  load the change word: neither `awaited` nor `keys`: done
//           N3  of a put, if `keys`: load the key's word; if `awaited`: CAS {g, 1} -> {g + 1, 0}, and
//               who succeeds wakes all
//           N4  if `awaited`: CAS {g, n, 1} -> {g + 1, 0, 0}, and who succeeds wakes all, if n > 0
//           A drop does N3 for every key word. Clears, deletes and sweeps do not do N3: they make no
//           key come.
// SO        Either the writer's loads come after the waiter's C1, or K1 and K2, and then it tells; or
//           the waiter looks after the publish: N1 and N2 are sequentially consistent, and so is C1 with
//           its fence, without which a later load of another order may pass it on some processors.
//           The generation moves on before the wake, so a waiter that is late for it does not sleep.
// DEATH     of a writer after N1: who recovers it does N2 to N4, for every key word, since it does not
//           know the key. After a CAS, before the wake: a waiter looks again after a second. Of a
//           waiter: the next writer who comes to the word makes one call for nothing.
// COST      A writer whom nobody waits for: one load, of a cache line that it has used, and where a key
//           was ever waited for one more, of a word that is written only by waiters. Waiters for other
//           keys cost nothing, but for those whose key has the same word: then a call in each pause,
//           at most, of each. Waiters for changes cost a call a change; as many as kPromptSleepers are
//           woken by each, the others by what comes after their nap, if nothing has come meanwhile.
// NOT       a word for each key where it lies, in its slot's segment or leaf: the key is not there yet,
//           and segments and leaves are replaced.
#pragma once

#include <cstdint>

#include "index/index_layout.h"
#include "platform/platform.h"
#include "region/region.h"

namespace commy::index {

inline constexpr std::uint64_t kAwaited = 1;
inline constexpr std::uint32_t kGenerationBits = 55;
inline constexpr std::uint64_t kGenerationMask = (std::uint64_t{1} << kGenerationBits) - 1;
inline constexpr std::uint32_t kSleepersShift = 1 + kGenerationBits;
inline constexpr std::uint64_t kSleepersMax = 127;
inline constexpr std::uint64_t kKeysAwaited = std::uint64_t{1} << 63U;

// So many waiters for changes of a namespace sleep at once; who comes later naps first.
inline constexpr std::uint64_t kPromptSleepers = 4;
inline constexpr std::int64_t kNapNs = 1'000'000;
// A waiter for a key that was woken in vain: for so long nobody wakes it again.
inline constexpr std::int64_t kPauseMinNs = 100'000;
inline constexpr std::int64_t kPauseMaxNs = 1'000'000;

constexpr std::uint64_t GenerationOf(std::uint64_t change_word) {
  return (change_word >> 1U) & kGenerationMask;
}
constexpr std::uint64_t SleepersOf(std::uint64_t change_word) {
  return (change_word >> kSleepersShift) & kSleepersMax;
}

// --- Waiters for changes -------------------------------------------------------------------------

// C1.
inline std::uint64_t AwaitedGeneration(NamespaceObject& object) {
  const std::uint64_t seen = object.change_word.fetch_or(kAwaited, std::memory_order_seq_cst);
  base::FullFence();
  return GenerationOf(seen);
}

enum class Bed : std::uint8_t {
  kGone,   // The generation is another one.
  kTaken,  // Others sleep; nap first.
  kMine,   // C4.
};

// C3.
inline Bed GoToBed(NamespaceObject& object, std::uint64_t generation, bool napped) {
  std::uint64_t seen = object.change_word.load(std::memory_order_seq_cst);
  while (GenerationOf(seen) == generation && (seen & kAwaited) != 0) {
    const std::uint64_t sleepers = SleepersOf(seen);
    if (sleepers >= kPromptSleepers && !napped) {
      return Bed::kTaken;
    }
    if (sleepers == kSleepersMax ||
        object.change_word.compare_exchange(seen, seen + (std::uint64_t{1} << kSleepersShift),
                                            std::memory_order_seq_cst)) {
      return Bed::kMine;
    }
  }
  return Bed::kGone;
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
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // Spreads what counts up.
  return region.key_wait_word((hash ^ namespace_id * kOdd) % region::kKeyWaitWordCount);
}

inline bool KeysAwaited(const NamespaceObject& object) {
  return (object.change_word.load(std::memory_order_seq_cst) & kKeysAwaited) != 0;
}

// K1 and K2. Returns what the word says while nobody has told.
inline std::uint32_t AwaitKey(NamespaceObject& object, region::Shared32& word) {
  if (!KeysAwaited(object)) {
    object.change_word.fetch_or(kKeysAwaited, std::memory_order_seq_cst);
  }
  const std::uint32_t seen = word.fetch_or(kAwaited, std::memory_order_seq_cst);
  base::FullFence();
  return seen | kAwaited;
}

// --- Writers -------------------------------------------------------------------------------------

// N3.
inline void TellKeyWord(platform::Platform& platform, region::Shared32& word) {
  std::uint32_t seen = word.load(std::memory_order_seq_cst);
  while ((seen & kAwaited) != 0) {
    if (word.compare_exchange(seen, seen + 1, std::memory_order_seq_cst)) {
      platform.FutexWakeAll(&word.raw);
      return;
    }
  }
}

// N4.
inline void TellWaiters(platform::Platform& platform, NamespaceObject& object) {
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

// N2 and N4: something has changed, but no key has come.
inline void TellChange(platform::Platform& platform, NamespaceObject& object) {
  if ((object.change_word.load(std::memory_order_seq_cst) & kAwaited) != 0) [[unlikely]] {
    TellWaiters(platform, object);
  }
}

// N2 to N4 of a put.
inline void TellPut(platform::Platform& platform, const region::Region& region,
                    NamespaceObject& object, std::uint64_t namespace_id, std::uint64_t hash) {
  const std::uint64_t seen = object.change_word.load(std::memory_order_seq_cst);
  if ((seen & kKeysAwaited) != 0) [[unlikely]] {
    TellKeyWord(platform, KeyWord(region, namespace_id, hash));
  }
  if ((seen & kAwaited) != 0) [[unlikely]] {
    TellWaiters(platform, object);
  }
}

// N2 to N4 for whatever key. Wakes waiters of other namespaces too, in vain: rare.
inline void TellAll(platform::Platform& platform, const region::Region& region,
                    NamespaceObject& object) {
  if (KeysAwaited(object)) {
    for (std::uint64_t i = 0; i < region::kKeyWaitWordCount; ++i) {
      TellKeyWord(platform, region.key_wait_word(i));
    }
  }
  TellWaiters(platform, object);
}

}  // namespace commy::index
