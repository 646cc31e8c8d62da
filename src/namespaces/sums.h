// The sum of a SharedCounter: a cell for each lane, on a cache line of its own, that the lane alone
// writes.
//
//   offset  size  field
//   0x000      8  base      what Reset() has taken so far
//   0x040   1024  cells     offsets of blocks of cells, 0: none yet, 1: closed; lane i has cell
//                           i / 128 of block i % 128
//
// The cells of a block begin at its first multiple of 64.
//
// STEPS     sum-1  find the lane's cell; without a block for it make one, noted, and CAS its word
//                  0 -> block
//           sum-2  add: load the cell, store it with what was added
// WHY       One owner at a time writes a cell, so that an add needs no CAS and cannot be lost: the
//           store has happened or not. A lane's next owner goes on from what the cell holds. The
//           counter's value is the sum of all cells less `base`. A reset moves `base` to the sum
//           that it has read, by CAS. So an add is taken by one reset, or counts still, and never
//           both; and no add is asked to know of a generation.
// SYNC      An add takes no part in the count of operations that a sync waits for. A sync may find
//           the cell with the add or without it; so an add that finds the store whole when it is
//           over marks it as in use.
// DROP      sum-3  each word of cells goes to kPartGone, and its block is retired; then the
//                  object's word, and the root. An add is pinned, and looks for the mark of the
//                  drop (drop-1), which came before: so what it found stays.
// DEATH     A block that was not published, or is not named any more, is in a note.
// TESTED    tests/model/sum_model_test.cc, tests/namespaces/sums_test.cc, tests/crash/
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "namespaces/core.h"

namespace commy::namespaces {

inline constexpr std::size_t kSumGroups = 128;
inline constexpr std::uint64_t kSumLineBytes = 64;

struct SumRoot {
  Shared64 base;
  std::uint8_t reserved_0[0x38];
  Shared64 cells[kSumGroups];
};
static_assert(sizeof(SumRoot) == 0x440);
static_assert(offsetof(SumRoot, cells) == 0x40);

// Where a lane's cell is in its block. Requires: the block is an offset.
constexpr std::uint64_t SumCellOffset(std::uint64_t block, std::uint32_t lane) {
  return ((block + kSumLineBytes - 1) & ~(kSumLineBytes - 1)) + lane / kSumGroups * kSumLineBytes;
}

// Every method needs the caller's pin, or its operation's.
class Sums {
 public:
  explicit Sums(Core& core) : core_(core) {}

  // An unpublished root without cells, noted.
  absl::StatusOr<std::uint64_t> BuildRoot(process::Operation& op) const;

  // sum-1. Null: the lane has no cell yet, or the namespace is no counter or is being dropped.
  Shared64* FindCell(const NamespaceRef& ns, std::uint32_t lane) const {
    const auto* const root =
        core_.region.At<SumRoot>(ns.object->sums.load(std::memory_order_acquire));
    return root == nullptr
               ? nullptr
               : CellIn(root->cells[lane % kSumGroups].load(std::memory_order_acquire), lane);
  }
  // The same, and makes it. kDropped; kConflict: the namespace is no counter.
  base::Result MakeCell(process::Operation& op, const NamespaceRef& ns, Shared64** cell) const;
  // sum-2. Requires: the cell is the caller's lane's.
  static void Add(Shared64& cell, std::uint64_t delta) {
    cell.store(cell.load(std::memory_order_relaxed) + delta, std::memory_order_release);
  }

  // The value, modulo 2^64. kDropped, kConflict as above.
  base::Result Value(const NamespaceRef& ns, std::uint64_t* value) const;
  // Takes the value away: `taken` is what it was.
  base::Result Reset(const NamespaceRef& ns, std::uint64_t* taken) const;

  // sum-3. Any number of times.
  void Reclaim(process::Operation& op, const NamespaceRef& ns) const;
  [[nodiscard]] bool Names(const NamespaceRef& ns, std::uint64_t offset) const;
  void ForEachEdge(const NamespaceRef& ns, absl::FunctionRef<bool(const index::Edge&)> use,
                   absl::FunctionRef<void(const std::string& fault)> fault) const;

 private:
  [[nodiscard]] std::uint64_t BlockBytes() const;
  base::Result Root(const NamespaceRef& ns, SumRoot** root) const;
  Shared64* CellIn(std::uint64_t block, std::uint32_t lane) const {
    if (block <= kPartGone) [[unlikely]] {
      return nullptr;
    }
    return core_.region.At<Shared64>(SumCellOffset(block, lane));
  }
  [[nodiscard]] std::uint64_t SumOf(const SumRoot& root) const;

  Core& core_;
};

}  // namespace commy::namespaces
