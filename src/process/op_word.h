// Op words: what a lane is doing. One also carries the change of the counters that goes with it:
//
//   {armed:1, delta of keys + 1:2, kind:5, delta of units:32 signed, seq:24}
//
// A counter cell is two words, {keys:40 signed, seq:24} and {units:40 signed, seq:24}, which only
// its lane writes. One word announces both changes, and each of the two carries the seq of its own
// last change:
//
// STEPS     count-1  take a seq that neither word carries; store the cell's offset, then {armed,
//                    both deltas, seq}: before the CAS that publishes
//           count-2  after it: keys = {keys + delta, seq}, unless its delta is 0
//           count-3  units = {units + delta, seq}
// DEATH     the recoverer does count-2 and count-3 if the operation was published, each if that
//           word does not carry the seq, and by a CAS. So it does not matter behind which of the
//           two steps the lane died, or an earlier recoverer: a word that was counted carries the
//           seq, and one that was not does not.
//
// It was published if the noted record's `commit` is not 0: a process that removes a record gives
// it its time first. The word is disarmed before a note may come to name another record: what an
// unwritten block holds from an earlier life would pass for a published record. A change of neither
// count is not armed. Between count-2 and count-3 a reader may see one without the other.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace commy::process {

// The kind of an operation, for people and for recovery.
enum class OpKind : std::uint8_t {
  kNone = 0,
  kRead = 1,
  kWrite = 2,
  kScan = 3,
  kCatalog = 4,
  kClear = 5,
  kDrop = 6,
  kSweep = 7,
  kRecover = 8,
  kAllocate = 9,
  kCheck = 10,
  kTransaction = 11,
  kMove = 12,
};

struct OpWord {
  bool armed = false;
  int delta = 0;  // Of the keys: -1, 0 or 1.
  OpKind kind = OpKind::kNone;
  std::uint64_t seq = 0;
  std::int64_t units = 0;  // Delta of the units; 32 bits.
};

inline constexpr std::uint64_t kOpSeqMask = 0xffffff;

constexpr std::uint64_t PackOp(const OpWord& op) {
  COMMY_DCHECK(op.delta >= -1 && op.delta <= 1);
  COMMY_DCHECK(op.units >= INT32_MIN && op.units <= INT32_MAX);
  return (std::uint64_t{op.armed} << 63U) | (static_cast<std::uint64_t>(op.delta + 1) << 61U) |
         (static_cast<std::uint64_t>(op.kind) << 56U) |
         ((static_cast<std::uint64_t>(op.units) & 0xffffffffU) << 24U) | (op.seq & kOpSeqMask);
}

constexpr OpWord UnpackOp(std::uint64_t word) {
  return OpWord{(word >> 63U) != 0, static_cast<int>((word >> 61U) & 3U) - 1,
                static_cast<OpKind>((word >> 56U) & 31U), word & kOpSeqMask,
                static_cast<std::int32_t>(static_cast<std::uint32_t>(word >> 24U))};
}

}  // namespace commy::process
