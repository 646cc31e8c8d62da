// What a transaction leaves in the file while it is being published: the transaction block, which
// has its status and lists the records that it touches, and intents, the records that refer to it.
// See intents.h for how they are used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/shared_atomic.h"
#include "versions/record.h"

namespace commy::versions {

// How a transaction is isolated; the numbers of commy::Isolation.
inline constexpr std::uint64_t kSnapshotIsolation = 1;
inline constexpr std::uint64_t kSerializable = 2;

// A status with the top bit is not final yet. One without is what the `commit` of each intent
// becomes: the commit time, or kCommitAborted.
inline constexpr std::uint64_t kStatusOpen = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kStatusActive = kStatusOpen | 1U;
inline constexpr std::uint64_t kStatusCommitting = kStatusOpen | 2U;
// Being validated as of the time in the low bits.
inline constexpr std::uint64_t kStatusPrepared = kStatusOpen | (std::uint64_t{1} << 62U);

// What a final status is, a `commit` can be, and no intent is.
static_assert(kStatusOpen == kCommitIntent && (kCommitAborted & kStatusOpen) == 0);

constexpr bool IsPrepared(std::uint64_t status) {
  return (status & kStatusPrepared) == kStatusPrepared;
}
constexpr std::uint64_t PreparedTime(std::uint64_t status) {
  COMMY_DCHECK(IsPrepared(status));
  return status & ~kStatusPrepared;
}

// A transaction block.
//
//   offset  size  field
//   0x00       8  status
//   0x08       8  list_sum        the ListSum of all entries; 0: the list is not complete and
//                                 nothing was installed, or all is over
//   0x10       4  isolation       1 snapshot, 2 serializable
//   0x14       4  magic           kTransactionMagic
//   0x18       8  total_capacity  totals
//   0x20       8  total_count     of these the counters are known; set before the status leaves
//                                 active
//   0x28       8  age             the commit clock when it was begun for the first time
//   0x30       4  lane            of its owner
//   0x34       4  attempt         how often it was tried before
//   0x38          totals, 48 bytes each, one for each namespace that is written in; then, at the
//                 next multiple of 16, the first page
//
// `list_sum` and `magic` are for `commy recover`, which may find pages of different moments. A
// block begins at a multiple of 16, so `status` and `list_sum` are of one moment.
struct TransactionHead {
  Shared64 status;
  Shared64 list_sum;
  std::uint32_t isolation;
  std::uint32_t magic;
  std::uint64_t total_capacity;
  Shared64 total_count;
  std::uint64_t age;
  std::uint32_t lane;
  std::uint32_t attempt;
};
static_assert(sizeof(TransactionHead) == 0x38);
static_assert(offsetof(TransactionHead, list_sum) == 0x08);
static_assert(offsetof(TransactionHead, isolation) == 0x10);
static_assert(offsetof(TransactionHead, magic) == 0x14);
static_assert(offsetof(TransactionHead, total_count) == 0x20);
static_assert(offsetof(TransactionHead, age) == 0x28);
static_assert(offsetof(TransactionHead, lane) == 0x30);
static_assert(offsetof(TransactionHead, attempt) == 0x34);

inline constexpr std::uint32_t kTransactionMagic = 0x6e787403;

// Which of two transactions goes first: the one with the lower age, and of two with the same age
// the one in the lower lane. A transaction keeps its age when it is tried again.
constexpr bool IsOlder(const TransactionHead& one, const TransactionHead& other) {
  return one.age != other.age ? one.age < other.age : one.lane < other.lane;
}

// A word of a counter cell before the transaction and after it.
struct TotalChange {
  std::uint64_t before;
  std::uint64_t after;
};

// A namespace that the transaction writes in, and by how much it changes the number of keys and
// their units there: the counter cell of its lane, each of its words before and after.
//
//   0x00   8  object  offset of the namespace object; there before the list is complete
//   0x08   8  cell    offset; 0: nothing changes
//   0x10  16  keys    {before, after}
//   0x20  16  units   {before, after}
struct TransactionTotal {
  std::uint64_t object;
  std::uint64_t cell;
  TotalChange keys;
  TotalChange units;
};
static_assert(sizeof(TransactionTotal) == 0x30);

// A page of the list.
//
//   0x00   8  next      offset of the next page, 0: none
//   0x08   4  capacity  entries that it has room for
//   0x0c   4            0
//   0x10   8  count     entries in use
//   0x18   8            0
//   0x20      entries, 16 bytes each
struct TransactionPage {
  Shared64 next;
  std::uint32_t capacity;
  std::uint32_t reserved_0;
  Shared64 count;
  std::uint64_t reserved_1;
};
static_assert(sizeof(TransactionPage) == 0x20);
static_assert(offsetof(TransactionPage, count) == 0x10);

// An entry of the list, made before its record is installed.
//
//   0x00   8  record   offset
//   0x08   8  object   offset of the namespace object; the id is in the record
struct TransactionEntry {
  std::uint64_t record;
  std::uint64_t object;
};
static_assert(sizeof(TransactionEntry) == 0x10);

// The sum over a list, in its order. The checksums of the records are in it, so it is right only if
// every record is what the transaction wrote.
class ListSum {
 public:
  constexpr ListSum(std::uint64_t head_offset, std::uint64_t isolation) {
    Mix(head_offset);
    Mix(isolation);
  }
  constexpr void Add(const TransactionEntry& entry, std::uint64_t record_checksum) {
    Mix(entry.record);
    Mix(entry.object);
    Mix(record_checksum);
  }
  // Never 0, which means "none".
  [[nodiscard]] constexpr std::uint64_t value() const { return sum_ == 0 ? 1 : sum_; }

 private:
  constexpr void Mix(std::uint64_t word) {
    sum_ = (sum_ ^ word) * 0x9e3779b97f4a7c15U;
    sum_ ^= sum_ >> 32U;
  }

  std::uint64_t sum_ = kTransactionMagic;
};

inline constexpr std::uint64_t kEntriesPerPage = 1000;

constexpr std::uint64_t FirstPageStart(std::uint64_t total_capacity) {
  return base::AlignUp(sizeof(TransactionHead) + total_capacity * sizeof(TransactionTotal), 16);
}
constexpr std::uint64_t PageBytes(std::uint64_t capacity) {
  return sizeof(TransactionPage) + capacity * sizeof(TransactionEntry);
}

}  // namespace commy::versions
