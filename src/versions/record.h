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

#include <cstddef>
#include <cstdint>
#include <cstring>
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

// Flags, from the lowest bit up: {tombstone:1, pad:2, alignment:2, value first:1, expires:1}. A
// value is aligned to 16 << alignment bytes of the file, and therefore of memory. There are two
// layouts, of which the denser one is taken; where a value is large or is to be aligned to more,
// its key is first.
//
//   key first     the key; then the value at the next multiple of 16, and `pad` times 16 behind it
//   value first   the value at the next multiple of 16, and the key right behind it
inline constexpr std::uint8_t kRecordTombstone = 1;  // The key was deleted.
inline constexpr std::uint32_t kRecordPadShift = 1;
inline constexpr std::uint32_t kRecordAlignShift = 3;
inline constexpr std::uint8_t kRecordValueFirst = 0x20;
inline constexpr std::uint8_t kRecordExpires = 0x40;  // It has a word for its expiry.
inline constexpr std::uint64_t kValueAlign = 16;      // Of every value.
inline constexpr std::uint64_t kValueAlignMax = 64;   // That a namespace or a loan may ask for.
// A larger value is never first: the key behind it would cost a reader a cache line more.
inline constexpr std::uint64_t kValueFirstBytesMax = 512;
constexpr bool IsValueAlign(std::uint64_t align) {
  return align == 16 || align == 32 || align == 64;
}
constexpr std::uint64_t ValueAlignOf(std::uint8_t flags) {
  return kValueAlign << ((flags >> kRecordAlignShift) & 3U);
}
// Whether a writer may have set these flags together.
constexpr bool FlagsMakeSense(std::uint8_t flags) {
  constexpr std::uint8_t kKeyFirstOnly = (3U << kRecordPadShift) | (3U << kRecordAlignShift);
  return ValueAlignOf(flags) <= kValueAlignMax &&
         ((flags & kRecordValueFirst) == 0 || (flags & kKeyFirstOnly) == 0);
}

// A record has the number of its namespace; the rest of a namespace's id is the same in all.
inline constexpr std::uint64_t kNamespaceNumberMax = (std::uint64_t{1} << 40U) - 1;

//   offset  size  field
//   0x00       8  commit
//   0x08       8  prev        offset of the older version, with kPrevFrozen
//   0x10       4  checksum    the low half of the XXH3-64 of everything from 0x14 on
//   0x14       4  value_size
//   0x18       8  packed      {namespace number:40, key size:17, flags:7}
//   0x20          if it expires: 8 bytes, the store time when it does, 0: never. Then key and value
inline constexpr std::uint32_t kRecordFlagsBits = 7;
inline constexpr std::uint32_t kRecordNumberShift = 24;
struct Record {
  Shared64 commit;
  Shared64 prev;
  std::uint32_t checksum;
  std::uint32_t value_size;
  std::uint64_t packed;
};
static_assert(sizeof(Record) == 0x20);
static_assert(offsetof(Record, checksum) == 0x10);
static_assert(offsetof(Record, packed) == 0x18);
static_assert(kPrevFrozen < region::kBlockAlignBytes);  // A bit that no offset has.

// Where the parts of a record lie, from its start.
struct RecordParts {
  std::uint64_t key_start = 0;
  std::uint64_t value_start = 0;
  std::uint64_t bytes = 0;  // Of the whole record.
};
// Every get goes through here.
constexpr RecordParts PartsOf(std::uint8_t flags, std::uint64_t key_size,
                              std::uint64_t value_size) {
  const std::uint64_t front =
      sizeof(Record) + ((flags & kRecordExpires) != 0 ? sizeof(std::int64_t) : 0);
  const bool value_first = (flags & kRecordValueFirst) != 0;
  const std::uint64_t pad = ((flags >> kRecordPadShift) & 3U) * kValueAlign;
  RecordParts parts;
  parts.value_start = base::AlignUp(value_first ? front : front + key_size + pad, kValueAlign);
  parts.key_start = value_first ? parts.value_start + value_size : front;
  parts.bytes = parts.value_start + value_size + (value_first ? key_size : 0);
  return parts;
}

// Whether the value is first, in a record that is to be aligned and to expire like this.
constexpr bool IsValueFirst(std::uint64_t key_size, std::uint64_t value_size, std::uint64_t align,
                            bool expires) {
  if (align != kValueAlign || value_size > kValueFirstBytesMax) {
    return false;
  }
  const std::uint8_t flags = expires ? kRecordExpires : 0;
  const std::uint64_t key_first = PartsOf(flags, key_size, value_size).bytes;
  const std::uint64_t value_first = PartsOf(flags | kRecordValueFirst, key_size, value_size).bytes;
  return base::AlignUp(value_first, region::kBlockAlignBytes) <
         base::AlignUp(key_first, region::kBlockAlignBytes);
}
// What a record needs at most, wherever its block begins.
constexpr std::uint64_t RecordBytes(std::uint64_t key_size, std::uint64_t value_size,
                                    std::uint64_t align = kValueAlign, bool expires = false) {
  const bool value_first = IsValueFirst(key_size, value_size, align, expires);
  const auto flags = static_cast<std::uint8_t>((expires ? kRecordExpires : 0) |
                                               (value_first ? kRecordValueFirst : 0));
  return PartsOf(flags, key_size, value_size).bytes + (align - kValueAlign);
}
// The flags, but for kRecordTombstone, of a record whose block begins at `offset_bytes`, of the
// file or in memory. Requires: IsValueAlign(align).
std::uint8_t LayoutFlags(std::uint64_t offset_bytes, std::uint64_t key_size,
                         std::uint64_t value_size, std::uint64_t align, bool expires);

constexpr std::uint64_t NamespaceNumberOf(const Record& record) {
  return record.packed >> kRecordNumberShift;
}

// A record whose sizes were read once and found to lie within the file.
struct RecordView {
  std::uint64_t offset = 0;
  Record* record = nullptr;
  std::string_view key;
  std::string_view value;
  std::uint8_t flags = 0;

  [[nodiscard]] bool valid() const { return record != nullptr; }
  [[nodiscard]] bool tombstone() const { return (flags & kRecordTombstone) != 0; }
  // From the record's start to the end of what comes last.
  [[nodiscard]] std::uint64_t bytes() const {
    return PartsOf(flags, key.size(), value.size()).bytes;
  }
  // What of that is there to align the value.
  [[nodiscard]] std::uint64_t pad_bytes() const {
    return ((flags >> kRecordPadShift) & 3U) * kValueAlign;
  }
  // Those below require: valid().
  // Store time; 0: never.
  [[nodiscard]] std::int64_t expiry_ns() const {
    std::int64_t expiry_ns = 0;
    if ((flags & kRecordExpires) != 0) {
      std::memcpy(&expiry_ns, record + 1, sizeof expiry_ns);
    }
    return expiry_ns;
  }
  [[nodiscard]] std::uint64_t namespace_number() const { return NamespaceNumberOf(*record); }
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
  std::uint64_t namespace_number = 0;
  std::string_view key;
  std::string_view value;
  std::int64_t expiry_ns = 0;
  std::uint8_t flags = 0;             // kRecordTombstone, or 0.
  std::uint64_t commit = kUndecided;  // Or a reference to its transaction.
  std::uint64_t align = kValueAlign;  // Of the value.
  bool expiry_word = false;           // A word for the expiry, also if it is 0.
};

// Writes an unpublished record, undecided and without a past, into a block that has room for it:
// RecordBytes() with the alignment and the expiry. A key or value that lies where it belongs is
// left there.
void WriteRecord(std::byte* block, const RecordContent& content);

// Whether the checksum is right.
bool VerifyRecord(const RecordView& view);

// DataLoss: "<what> at <offset> does not make sense".
absl::Status Damaged(const region::Region& region, std::string_view what, std::uint64_t offset);

// Makes sure that a commit word (of a record or of an index root) is final and returns it.
std::uint64_t ResolveCommit(const region::Region& region, Shared64& commit);

}  // namespace commy::versions
