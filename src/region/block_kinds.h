// The one list of the kinds of blocks that a store consists of. What each is for recovery and for
// `commy check` is the table in engine/block_owners.cc.
#pragma once

#include <cstdint>

namespace commy::region {

// As it stands in a lane's notes (process/notes.h). Kinds from kRunClaim on are no blocks: they say
// what a lane does with a run of spans.
enum class BlockKind : std::uint8_t {
  kNone = 0,
  // A block that its maker alone judges: what a transaction allocates, until its words are written;
  // a transaction block that is given back; and blocks of tests and benchmarks.
  kRaw = 1,
  kRecord = 2,     // One version of a key.
  kSegment = 3,    // Of a hash index.
  kDirectory = 4,  // Of a hash index.
  kIndexRoot = 5,
  kDescriptor = 6,  // Of a reshape.
  kNamespace = 7,
  kCounters = 8,
  kCatalogRoot = 9,
  kCatalogNode = 10,
  kLeaf = 11,  // Of an ordered index, as the next two.
  kInner = 12,
  kSeparator = 13,
  kTransaction = 14,  // A transaction block, with all that its list names.
  kType = 15,         // What a namespace holds.
  kSumRoot = 16,      // Of a counter.
  kSums = 17,
  kRunClaim = 32,  // A run of spans being claimed.
  kRunFree = 33,   // A run of spans being given back.
  kEmptying = 34,  // A span of another lane that is being emptied, as a run of one.
};

// Whether blocks of a kind stay where they are for as long as they are used, also when space is
// given back: others keep their places.
constexpr bool Stays(BlockKind kind) {
  switch (kind) {
    case BlockKind::kIndexRoot:
    case BlockKind::kNamespace:
    case BlockKind::kCounters:
    case BlockKind::kCatalogRoot:
    case BlockKind::kCatalogNode:
    case BlockKind::kSeparator:
    case BlockKind::kType:
    case BlockKind::kSumRoot:
    case BlockKind::kSums:
      return true;
    default:
      return false;
  }
}

// Whether blocks of a kind are what an index is made of, besides its records. Their sizes vary.
constexpr bool IsOfIndex(BlockKind kind) {
  switch (kind) {
    case BlockKind::kSegment:
    case BlockKind::kDirectory:
    case BlockKind::kDescriptor:
    case BlockKind::kLeaf:
    case BlockKind::kInner:
    case BlockKind::kSeparator:
      return true;
    default:
      return false;
  }
}

}  // namespace commy::region
