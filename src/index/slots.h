// Slots: the words of a segment or a leaf, each of which names the newest record of a key.
//
// SLOTS   Every change of a key is one CAS of its slot word. Slots of a place where new keys go (a
//         bucket, an append area) are claimed strictly in order: an inserter walks from the first
//         one and CASes the first empty one; an inserter that loses the CAS reads the same slot
//         again. So two inserters of one key cannot both succeed. A closed slot is never used again
//         in its array's life.
// FROZEN  A reshape sets the frozen bit in every slot before it copies: after that no CAS of the
//         slot succeeds, and the copied words do not change. Readers read frozen slots like others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "base/check.h"
#include "index/root_layout.h"
#include "region/region.h"
#include "versions/record.h"

namespace commy::index {

// A slot word: {frozen:1, closed:1, prefix of the hash:26, record offset in 16-byte units:36}. 0:
// empty. The prefix is the top of the hash, so that a segment can be split without a look at its
// records, and a record of another key is rarely looked at.
inline constexpr std::uint64_t kSlotFrozen = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kSlotClosed = std::uint64_t{1} << 62U;
inline constexpr std::uint32_t kHashPrefixBits = 26;
constexpr std::uint64_t HashPrefix(std::uint64_t hash) {
  return hash >> (64U - kHashPrefixBits);
}
constexpr std::uint64_t PackSlot(std::uint64_t hash, std::uint64_t offset_bytes) {
  COMMY_DCHECK(offset_bytes != 0);  // H2: a slot never becomes empty again.
  COMMY_DCHECK(offset_bytes % region::kBlockAlignBytes == 0);
  COMMY_DCHECK(offset_bytes / region::kBlockAlignBytes <= 0xfffffffffU);
  return (HashPrefix(hash) << 36U) | (offset_bytes / region::kBlockAlignBytes);
}
constexpr std::uint64_t SlotOffset(std::uint64_t word) {
  return (word & 0xfffffffffU) * region::kBlockAlignBytes;
}
constexpr bool SlotIsEmpty(std::uint64_t word) {
  return (word & ~kSlotFrozen) == 0;
}
constexpr bool SlotIsClosed(std::uint64_t word) {
  return (word & kSlotClosed) != 0;
}
constexpr bool SlotIsFrozen(std::uint64_t word) {
  return (word & kSlotFrozen) != 0;
}
constexpr std::uint64_t SlotPrefixOf(std::uint64_t word) {
  return (word >> 36U) & ((1U << kHashPrefixBits) - 1U);
}
constexpr bool SlotHasPrefix(std::uint64_t word, std::uint64_t hash) {
  return SlotPrefixOf(word) == HashPrefix(hash);
}

// The slots of one segment or leaf.
struct SlotArray {
  std::uint64_t offset = 0;  // Of the segment or leaf; 0: it is being reclaimed, look again.
  Shared64* words = nullptr;
  std::uint64_t count = 0;
  Shared64* mark = nullptr;
  Shared64* due = nullptr;
};

// Where a walk over segments or leaves goes on: at the one that holds this hash, or this key. A
// bound, since segments and leaves are replaced meanwhile. At first: the first one.
struct SlotPlace {
  std::uint64_t hash = 0;
  std::string key;
};

// Where a key is, or would be.
struct Position {
  std::uint64_t root_offset = 0;
  IndexRoot* root = nullptr;
  std::uint64_t place_offset = 0;  // Of the segment or leaf.
  Shared64* slot = nullptr;        // Of the key, or the first empty one; null: there is no room.
  std::uint64_t word = 0;          // The word that was seen there.
  versions::RecordView head;       // Not valid(): the key has no slot.
};

enum class Found : std::uint8_t {
  kKey,     // In a slot.
  kNoKey,   // None of the slots has it.
  kRoom,    // It has no slot before the first empty one.
  kFrozen,  // A frozen slot was in the way.
  kGone,    // The structure is being reclaimed; look at the namespace again.
};

// A reader's search for a key among `count` slots: kKey (then `found` is its newest record,
// resolved), kNoKey or kRoom. DataLoss: a slot names no record.
inline absl::StatusOr<Found> ReadSlots(const region::Region& region, const Shared64* slots,
                                       std::uint64_t count, std::string_view key,
                                       std::uint64_t hash, versions::RecordView* found) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);  // write-4
    if (SlotIsEmpty(word)) {
      return Found::kRoom;
    }
    if (!SlotHasPrefix(word, hash) || SlotIsClosed(word)) {
      continue;
    }
    const versions::RecordView view = versions::ViewRecord(region, SlotOffset(word));
    if (!view.valid()) [[unlikely]] {
      return versions::Damaged(region, "a record", SlotOffset(word));
    }
    if (view.key == key) {
      versions::ResolveCommit(region, view.record->commit);
      *found = view;
      return Found::kKey;
    }
  }
  return Found::kNoKey;
}

// A writer's search: sets slot, word and head of `at`. Stops at a frozen slot.
absl::StatusOr<Found> WalkSlots(const region::Region& region, alloc::Allocator& allocator,
                                Shared64* slots, std::uint64_t count, std::string_view key,
                                std::uint64_t hash, Position* at);

}  // namespace commy::index
