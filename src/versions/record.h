// One version of one key.
//
// This floor is the versions of keys: records and their chains, the commit clock, snapshots, and
// the intents of transactions. It may touch alloc/ and what is below. Of indexes it knows nothing,
// and of namespaces the id and the place of the object. Begin reading here, then in chain.h,
// snapshots.h and intents.h.
//
// A record is immutable once it is published, but for two words: `commit`, which goes once from
// undecided, or from a reference to a transaction, to the time of the change, and `prev`, the
// version before it, which pruning moves on.
// Any process that meets an undecided record resolves it, so no process waits for a writer that was
// stopped between publishing and stamping.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/shared_atomic.h"
#include "region/region.h"

namespace commy::versions {

using base::Shared64;

inline constexpr std::uint64_t kKeyBytesMax = 65536;
inline constexpr std::uint64_t kValueBytesMax = std::uint64_t{1} << 30;

// `commit` is 0 while undecided, then a time, 1 or more. An intent, a record of a transaction,
// begins with a reference to its transaction block, {1:1, 0:27, offset in 16-byte units:36}, which
// goes to the transaction's time, or to `aborted`. Both are above every time, so that one
// comparison tells which words need a closer look.
inline constexpr std::uint64_t kUndecided = 0;
inline constexpr std::uint64_t kCommitIntent = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kCommitAborted = kCommitIntent - 1;
inline constexpr std::uint64_t kCommitTimeMax = kCommitAborted - 1;
constexpr bool IsCommitTime(std::uint64_t commit) {
  return commit != kUndecided && commit <= kCommitTimeMax;
}
constexpr bool IsIntent(std::uint64_t commit) {
  return (commit & kCommitIntent) != 0;
}
constexpr std::uint64_t IntentOf(std::uint64_t transaction_offset) {
  COMMY_DCHECK(transaction_offset % region::kBlockAlignBytes == 0);
  return kCommitIntent | (transaction_offset / region::kBlockAlignBytes);
}
constexpr std::uint64_t TransactionOffset(std::uint64_t intent) {
  return (intent & 0xfffffffffU) * region::kBlockAlignBytes;
}
// In `prev`: this record is being dropped from its chain, or moved.
inline constexpr std::uint64_t kPrevFrozen = 1;

// Flags: {tombstone:1, pad:2, alignment:2}. A value is aligned to 16 << alignment bytes of the
// file, and therefore of memory; it begins `pad` times 16 bytes later than one that is aligned to
// 16.
inline constexpr std::uint8_t kRecordTombstone = 1;  // The key was deleted.
inline constexpr std::uint32_t kRecordPadShift = 1;
inline constexpr std::uint32_t kRecordAlignShift = 3;
inline constexpr std::uint8_t kRecordFlagsMask = 0x1f;
inline constexpr std::uint64_t kValueAlign = 16;     // Of every value.
inline constexpr std::uint64_t kValueAlignMax = 64;  // That a namespace or a loan may ask for.
constexpr bool IsValueAlign(std::uint64_t align) {
  return align == 16 || align == 32 || align == 64;
}
constexpr std::uint64_t ValueAlignOf(std::uint8_t flags) {
  return kValueAlign << ((flags >> kRecordAlignShift) & 3U);
}

//   offset  size  field
//   0x00       8  commit
//   0x08       8  prev        offset of the older version, with kPrevFrozen
//   0x10       8  checksum    XXH3-64 of everything from 0x18 to the end of the value
//   0x18       8  namespace_id
//   0x20       8  expiry_ns   store time, 0: never
//   0x28       4  key_size    and flags in the top 8 bits
//   0x2c       4  value_size
//   0x30          key; then the value at the next multiple of 16, and the flags' pad behind that
struct Record {
  Shared64 commit;
  Shared64 prev;
  std::uint64_t checksum;
  std::uint64_t namespace_id;
  std::int64_t expiry_ns;
  std::uint32_t key_size_and_flags;
  std::uint32_t value_size;
};
static_assert(sizeof(Record) == 0x30);
static_assert(offsetof(Record, checksum) == 0x10);
static_assert(offsetof(Record, key_size_and_flags) == 0x28);
static_assert(kPrevFrozen < region::kBlockAlignBytes);  // A bit that no offset has.

// Where a record's value begins, from the record's start.
constexpr std::uint64_t ValueStart(std::uint64_t key_size, std::uint8_t flags = 0) {
  return base::AlignUp(sizeof(Record) + key_size, kValueAlign) +
         ((flags >> kRecordPadShift) & 3U) * kValueAlign;
}
// What a record needs at most, wherever its block begins.
constexpr std::uint64_t RecordBytes(std::uint64_t key_size, std::uint64_t value_size,
                                    std::uint64_t align = kValueAlign) {
  return ValueStart(key_size) + value_size + (align - kValueAlign);
}
// The flags of a record whose block begins at `offset_bytes`, of the file or in memory, and whose
// value is to be aligned. Requires: IsValueAlign(align).
std::uint8_t AlignFlags(std::uint64_t offset_bytes, std::uint64_t key_size, std::uint64_t align);

// A record whose sizes were read once and found to lie within the file.
struct RecordView {
  std::uint64_t offset = 0;
  Record* record = nullptr;
  std::string_view key;
  std::string_view value;
  std::uint8_t flags = 0;

  [[nodiscard]] bool valid() const { return record != nullptr; }
  // From the record's start to the end of its value. Requires: valid().
  [[nodiscard]] std::uint64_t bytes() const { return ValueStart(key.size(), flags) + value.size(); }
  [[nodiscard]] bool tombstone() const { return (flags & kRecordTombstone) != 0; }
};

// Not valid() if the offset or the sizes found there do not lie in the file.
RecordView ViewRecord(const region::Region& region, std::uint64_t offset_bytes);

// The same in `length_bytes` bytes at `base` that are not a region.
RecordView ViewRecordIn(std::byte* base, std::uint64_t length_bytes, std::uint64_t offset_bytes);

// In place of an expiry time: the namespace's default decides when the record is written.
inline constexpr std::int64_t kExpiryByDefault = -1;
// The time at which a record that is written at `now_ns` and lives for `ttl_ns` expires.
constexpr std::int64_t ExpiryIn(std::int64_t ttl_ns, std::int64_t now_ns) {
  std::int64_t expiry_ns = 0;
  return __builtin_add_overflow(ttl_ns, now_ns, &expiry_ns) ? INT64_MAX : expiry_ns;
}

struct RecordContent {
  std::uint64_t namespace_id = 0;
  std::string_view key;
  std::string_view value;
  std::int64_t expiry_ns = 0;
  std::uint8_t flags = 0;             // kRecordTombstone, or 0.
  std::uint64_t commit = kUndecided;  // Or a reference to its transaction.
  std::uint64_t align = kValueAlign;  // Of the value.
};

// Writes an unpublished record, undecided and without a past, into a block that has room for it:
// RecordBytes() with the alignment. A key or value that lies where it belongs is left there.
void WriteRecord(std::byte* block, const RecordContent& content);

// Whether the checksum is right.
bool VerifyRecord(const RecordView& view);

// DataLoss: "<what> at <offset> does not make sense".
absl::Status Damaged(const region::Region& region, std::string_view what, std::uint64_t offset);

// Makes sure that a commit word (of a record or of an index root) is final and returns it.
std::uint64_t ResolveCommit(const region::Region& region, Shared64& commit);

}  // namespace commy::versions
