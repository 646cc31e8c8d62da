// The progress of the stress job's processes, in memory that they share outside the store.
//
// A step is recorded as begun before the operation is called, and as acknowledged after it has
// returned. A process may be killed between any two of these, so each claim has bounds:
//
//   shared keys   any process writes them: a value's seq is at most the one its writer has begun
//   own keys      one process writes each, one step after the other: seq 1, 2, 3, …, of which every
//                 kDeleteEvery-th deletes. A reader finds a state between the one acknowledged
//                 before it read and the one begun after.
//   the counters  acknowledged adds <= their value <= acknowledged adds + killed processes; the box
//                 likewise
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace commy::stress {

inline constexpr std::size_t kSlotsMax = 64;
inline constexpr std::size_t kOwnKeys = 64;
inline constexpr std::uint64_t kDeleteEvery = 8;

constexpr bool IsDelete(std::uint64_t seq) {
  return seq % kDeleteEvery == kDeleteEvery - 1;
}

// The life of one own key. Written by its owner only.
struct OwnKeyLog {
  std::atomic<std::uint64_t> acknowledged;  // Seq of the last step that returned.
  std::atomic<std::uint64_t> begun;         // Seq of the last step that was called.
};

// Whether an own key may be in this state (none: absent), if `acknowledged` was read before the key
// and `begun` after it.
bool IsPossible(std::optional<std::uint64_t> found_seq, std::uint64_t acknowledged,
                std::uint64_t begun);

// The progress of one process, and of those that replace it when it is killed.
struct SlotLog {
  std::atomic<std::uint64_t> ready;
  std::atomic<std::uint64_t> begun_seq;  // Of shared keys.
  std::atomic<std::uint64_t> operations;
  std::atomic<std::uint64_t> values_verified;
  std::atomic<std::uint64_t> adds_acknowledged;
  std::atomic<std::uint64_t> sum_acknowledged;  // Of the typed counter.
  std::atomic<std::uint64_t> box_acknowledged;
  std::atomic<std::uint64_t> jobs_pushed;
  std::atomic<std::uint64_t> jobs_taken;
  std::atomic<std::uint64_t> slowest_ns;
  std::atomic<std::uint64_t> wrong;
  std::array<char, 400> first_wrong;
  std::array<OwnKeyLog, kOwnKeys> own;

  void RecordWrong(std::string_view text);
};

struct StressLog {
  std::atomic<std::uint64_t> stop;
  std::atomic<std::uint64_t> seed;
  std::atomic<std::uint64_t> slot_count;
  std::atomic<std::uint64_t> key_count;
  std::array<SlotLog, kSlotsMax> slots;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// DataLoss: the sum of the ones that processes added cannot be `value`.
absl::Status CheckSum(std::string_view name, std::int64_t value, std::uint64_t acknowledged,
                      std::uint64_t kills);
// The sum of a word of all processes' logs.
std::uint64_t Sum(const StressLog& log, std::atomic<std::uint64_t> SlotLog::*member);

// A new log, in memory that survives exec as `*fd`, or the one behind `fd`. Null, with errno:
// failed. Never unmapped.
StressLog* CreateLog(int* fd);
StressLog* AttachLog(int fd);

}  // namespace commy::stress
