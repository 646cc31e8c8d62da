// Op words: what a lane is doing. One also carries the change of a counter that goes with it:
//
//   {armed:1, delta + 1:2, kind:5, seq:24 in the low bits}
//
// A counter cell is {value:40 signed, seq:24}, one word that only its lane writes. The operation
// arms {seq, delta} before the CAS that publishes it and writes {value + delta, seq} afterwards;
// recovery does the latter if the operation was published and the cell does not carry its seq. It
// was published if the noted record's `commit` is not 0: a process that removes a record gives it
// its time first. A second recoverer finds the seq in the cell. The word is disarmed before a note
// may come to name another record: what an unwritten block holds from an earlier life would pass
// for a published record.
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
  int delta = 0;  // -1, 0 or 1
  OpKind kind = OpKind::kNone;
  std::uint64_t seq = 0;
};

inline constexpr std::uint64_t kOpSeqMask = 0xffffff;

constexpr std::uint64_t PackOp(const OpWord& op) {
  COMMY_DCHECK(op.delta >= -1 && op.delta <= 1);
  return (std::uint64_t{op.armed} << 63U) | (static_cast<std::uint64_t>(op.delta + 1) << 61U) |
         (static_cast<std::uint64_t>(op.kind) << 56U) | (op.seq & kOpSeqMask);
}

constexpr OpWord UnpackOp(std::uint64_t word) {
  return OpWord{(word >> 63U) != 0, static_cast<int>((word >> 61U) & 3U) - 1,
                static_cast<OpKind>((word >> 56U) & 31U), word & kOpSeqMask};
}

}  // namespace commy::process
