// Notes: which blocks an operation may leave behind if it dies.
//
// A lane notes a block before it allocates it and before it unlinks it, and clears its notes
// before it unpins. The recoverer of a dead lane looks at each noted block: if nothing reachable
// names it, it is retired. A note is one word:
//
//   blocks   {kind:6, 0:22, offset in 16-byte units:36}
//   runs     {kind:6, 0:10, span count:24, first span:24}
//
// A lane has room for 64 notes, which is more than any operation on one key, one reshape
// or one change of the catalog needs (the largest, a rename in a catalog of height 8, needs 46).
#pragma once

#include <cstdint>

#include "base/check.h"
#include "region/block_kinds.h"
#include "region/layout.h"

namespace commy::process {

using region::BlockKind;

struct Note {
  BlockKind kind = BlockKind::kNone;
  std::uint64_t offset_bytes = 0;  // For blocks.
  std::uint64_t first_span = 0;    // For runs.
  std::uint64_t span_count = 0;    // For runs.
};

constexpr std::uint64_t BlockNote(BlockKind kind, std::uint64_t offset_bytes) {
  return (static_cast<std::uint64_t>(kind) << 58U) | (offset_bytes / region::kBlockAlignBytes);
}

constexpr std::uint64_t RunNote(BlockKind kind, std::uint64_t first_span,
                                std::uint64_t span_count) {
  COMMY_DCHECK(first_span <= 0xffffffU);
  COMMY_DCHECK(span_count <= 0xffffffU);
  return (static_cast<std::uint64_t>(kind) << 58U) | (span_count << 24U) | first_span;
}

constexpr Note ReadNote(std::uint64_t word) {
  Note note;
  note.kind = static_cast<BlockKind>(word >> 58U);
  if (note.kind == BlockKind::kRunClaim || note.kind == BlockKind::kRunFree ||
      note.kind == BlockKind::kEmptying) {
    note.first_span = word & 0xffffffU;
    note.span_count = (word >> 24U) & 0xffffffU;
  } else {
    note.offset_bytes = (word & 0xfffffffffU) * region::kBlockAlignBytes;
  }
  return note;
}

}  // namespace commy::process
