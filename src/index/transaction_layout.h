// What a transaction leaves in the file while it is being published: the transaction block, which
// says what has become of it and lists what it touches, and intents, the records that refer to it.
// See intents.h for how they are used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/shared_atomic.h"
#include "index/record.h"

namespace commy::index {

// How a transaction is isolated; the numbers of commy::Isolation.
inline constexpr std::uint64_t kSnapshotIsolation = 1;
inline constexpr std::uint64_t kSerializable = 2;

// A status with the top bit is not final yet. One without is what the `commit` of each intent becomes:
// the commit time, or kCommitAborted.
inline constexpr std::uint64_t kStatusOpen = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kStatusActive = kStatusOpen | 1U;
inline constexpr std::uint64_t kStatusCommitting = kStatusOpen | 2U;
// Being validated as of the time in the low bits.
inline constexpr std::uint64_t kStatusPrepared = kStatusOpen | (std::uint64_t{1} << 62U);

constexpr std::uint64_t PreparedTime(std::uint64_t status) {
  return status & ~kStatusPrepared;
}
constexpr bool IsPrepared(std::uint64_t status) {
  return (status & kStatusPrepared) == kStatusPrepared;
}

// A transaction block.
//
//   offset  size  field
//   0x00       8  status
//   0x08       8  isolation       1 snapshot, 2 serializable
//   0x10       8  total_capacity  room for totals
//   0x18       8  total_count     totals in use; set before the status leaves active
//   0x20          totals, 24 bytes each; then, at the next multiple of 16, the first page
struct TransactionHead {
  Shared64 status;
  std::uint64_t isolation;
  std::uint64_t total_capacity;
  Shared64 total_count;
};
static_assert(sizeof(TransactionHead) == 0x20);
static_assert(offsetof(TransactionHead, total_count) == 0x18);

// By how much the transaction changes the number of keys of one namespace: the counter cell of its
// lane, before and after.
//
//   0x00   8  cell    offset
//   0x08   8  before
//   0x10   8  after
struct TransactionTotal {
  std::uint64_t cell;
  std::uint64_t before;
  std::uint64_t after;
};
static_assert(sizeof(TransactionTotal) == 0x18);

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

// One that was entered before its record is installed.
//
//   0x00   8  record   offset
//   0x08   8  object   offset of the namespace object; the id is in the record
struct TransactionEntry {
  std::uint64_t record;
  std::uint64_t object;
};
static_assert(sizeof(TransactionEntry) == 0x10);

inline constexpr std::uint64_t kEntriesPerPage = 1000;

constexpr std::uint64_t FirstPageStart(std::uint64_t total_capacity) {
  return base::AlignUp(sizeof(TransactionHead) + total_capacity * sizeof(TransactionTotal), 16);
}
constexpr std::uint64_t PageBytes(std::uint64_t capacity) {
  return sizeof(TransactionPage) + capacity * sizeof(TransactionEntry);
}

}  // namespace commy::index
