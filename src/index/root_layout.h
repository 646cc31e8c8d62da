// The parts that every index has in the file, whatever its order: the root, and the words that a
// root, a segment and a leaf have for the sweeps. The rest is in hash/layout.h and tree/layout.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/shared_atomic.h"

namespace commy::index {

using base::Shared64;

inline constexpr std::size_t kCounterGroups = 128;

// A namespace id has these top bits, which the first word of no other kind of block has: a handle
// that outlived its namespace finds something else there, never an id by accident. Messages show
// the rest.
inline constexpr std::uint64_t kNamespaceIdTag = std::uint64_t{0x6e73} << 48U;
inline constexpr std::uint64_t kNamespaceIdMask = (std::uint64_t{1} << 48U) - 1;
// The rest, which is all that the namespace's records have of it: at most
// versions::kNamespaceNumberMax.
constexpr std::uint64_t NamespaceNumber(std::uint64_t id) {
  return id & kNamespaceIdMask;
}
constexpr std::uint64_t NamespaceIdOf(std::uint64_t number) {
  return kNamespaceIdTag | number;
}

// One life of a namespace's content, from creation or a clear to the next one.
//
//   offset  size  field
//   0x000      8  commit         as in a record
//   0x008      8  prev           the root before the clear that made this one, until its memory
//                                has been reclaimed; may be frozen, as in a record
//   0x010      8  namespace_id
//   0x018      8  successor      0; the root of the clear that ends this one; 1: being dropped
//   0x020      8  directory      of an ordered namespace: the topmost node
//   0x028      8  pending_reshape  0; the reshape that is in flight; 1: closed
//   0x030      8  marks          0, or some segment or leaf has a sweep mark: see kSweepNeeded
//   0x038      8  due            of the earliest segment or leaf: see kDueClaim
//   0x040   1024  counters       offsets of counter blocks, 0: none yet, 1: closed; lane i counts
//                                in block i % 128 at cell i / 128, so that neighbours do not share
//                                a cache line
struct IndexRoot {
  Shared64 commit;
  Shared64 prev;
  std::uint64_t namespace_id;
  Shared64 successor;
  Shared64 directory;
  Shared64 pending_reshape;
  Shared64 marks;
  Shared64 due;
  Shared64 counters[kCounterGroups];
};
static_assert(sizeof(IndexRoot) == 0x440);
static_assert(offsetof(IndexRoot, directory) == 0x20);
static_assert(offsetof(IndexRoot, counters) == 0x40);

inline constexpr std::uint64_t kCountersClosed = 1;

// Sweep marks: there is something to do; it is being done; there will be something to do when a
// snapshot ends.
inline constexpr std::uint64_t kSweepNeeded = 1;
inline constexpr std::uint64_t kSweepRunning = 2;
inline constexpr std::uint64_t kSweepAfterSnapshot = 3;

// When something in a segment, a leaf or a root expires, in store time. 0: nothing does; a time:
// nothing does before it; with this bit: a sweep is looking, and knows that by its number in the
// rest.
inline constexpr std::uint64_t kDueClaim = std::uint64_t{1} << 63U;
inline constexpr std::uint64_t kDueAtOnce = 1;
constexpr bool IsDueClaim(std::uint64_t due) {
  return (due & kDueClaim) != 0;
}
// A claim is due as well: its owner may be dead or stopped.
constexpr bool IsDue(std::uint64_t due, std::int64_t now_ns) {
  return due != 0 && (IsDueClaim(due) || static_cast<std::int64_t>(due) <= now_ns);
}

// A lane's share of what a root counts; see namespaces/counters.h. Each word is {value:40 signed,
// seq:24}.
//
//   0x00   8  keys
//   0x08   8  units   of versions::kUnitBytes
struct CounterCell {
  Shared64 keys;
  Shared64 units;
};
static_assert(sizeof(CounterCell) == 0x10);

constexpr std::uint64_t PackCell(std::int64_t value, std::uint64_t seq) {
  return (static_cast<std::uint64_t>(value) << 24U) | (seq & 0xffffffU);
}
constexpr std::int64_t CellValue(std::uint64_t cell) {
  return static_cast<std::int64_t>(cell) >> 24U;
}
constexpr std::uint64_t CellSeq(std::uint64_t cell) {
  return cell & 0xffffffU;
}

// What a root counts: its keys, and the units of their newest records.
struct Counts {
  std::int64_t keys = 0;
  std::int64_t units = 0;
};

inline constexpr std::uint64_t kDropped = 1;
inline constexpr std::uint64_t kReshapeClosed = 1;

// In place of a structure that was reclaimed with a cleared root. Not the 0 that it was filled
// from.
inline constexpr std::uint64_t kEntryGone = 1;

}  // namespace commy::index
