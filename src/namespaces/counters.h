// The number of keys and their bytes: a cell for each lane, written by that lane alone, in blocks
// that hang on the root.
//
// WORDS     a cell is {keys, seq} and {units, seq}, beside each other on one cache line; the sum of
//           all cells counts, modulo 2^40: a lane may have put what others deleted
// COUNTED   a key counts from its put until its tombstone, so an expired one does until it is
//           swept. Its units are those of its newest record: see versions/units.h. What replaces
//           it counts the difference
// STEPS     of a single write: count-1 to count-3 of process/op_word.h. Of a transaction: the words
//           before and after stand in its block before it is decided, and are brought in by a CAS
//           each when it was committed (commit-5 of transactions/commit.h), any number of times
// DEATH     before the CAS that publishes nothing is counted, after it the recoverer counts
// TESTED    tests/model/recovery_model_test.cc, tests/namespaces/counters_test.cc, tests/crash/
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "base/check.h"
#include "base/result.h"
#include "namespaces/core.h"
#include "process/op_word.h"
#include "process/operation.h"
#include "versions/transaction_layout.h"
#include "versions/units.h"

namespace commy::namespaces {

class Counters {
 public:
  explicit Counters(Core& core) : core_(core) {}

  // The lane's cell. Null: the root's memory is being reclaimed.
  absl::StatusOr<index::CounterCell*> Cell(process::Operation& op, index::IndexRoot& root,
                                           alloc::Purpose purpose) const;
  // The same, if it has one already; else null. Without a call: it is on the way of most writes.
  index::CounterCell* CellIfThere(const process::Operation& op, index::IndexRoot& root) const {
    const std::uint64_t lane = op.lane().index();
    const std::uint64_t block =
        root.counters[lane % index::kCounterGroups].load(std::memory_order_acquire);
    return block <= index::kCountersClosed
               ? nullptr
               : core_.region.At<index::CounterCell>(block + lane / index::kCounterGroups *
                                                                 sizeof(index::CounterCell));
  }
  // count-1, of a change by `delta` in the lane's cell.
  void Announce(process::Operation& op, const index::CounterCell& cell,
                const index::Counts& delta) const {
    op.Arm({.keys = static_cast<int>(delta.keys),
            .units = delta.units,
            .cell_offset = core_.region.OffsetOf(&cell),
            .keys_seq = index::CellSeq(cell.keys.load(std::memory_order_relaxed)),
            .units_seq = index::CellSeq(cell.units.load(std::memory_order_relaxed))});
  }
  // count-2 and count-3, once it is published.
  static void Count(const process::Operation& op, index::CounterCell& cell,
                    const index::Counts& delta) {
    if (delta.keys != 0) {
      CountIn(cell.keys, delta.keys, op.seq());  // count-2
    }
    CountIn(cell.units, delta.units, op.seq());  // count-3
  }
  // The same for a dead lane that has published what its op word announces. Any number of times.
  static void CountForDead(const process::OpWord& op, index::CounterCell& cell);
  // The sum of a root's cells. Cost: 128 loads, and two or more for each lane that ever counted
  // there.
  absl::StatusOr<index::Counts> Sum(const index::IndexRoot& root) const;
  // A number that differs from an earlier one if any cell of the root has counted in between.
  absl::StatusOr<std::uint64_t> Stamp(const index::IndexRoot& root) const;
  // Announces that the operation changes the counts of the root by `delta`. False: the root was
  // cleared, and its memory reclaimed.
  absl::StatusOr<bool> PlanTotal(process::Operation& op, index::IndexRoot& root,
                                 const index::Counts& delta,
                                 versions::TransactionTotal* total) const;

 private:
  // Only the lane itself counts there, so this needs no CAS.
  static void CountIn(base::Shared64& word, std::int64_t delta, std::uint64_t seq) {
    const std::uint64_t before = word.load(std::memory_order_relaxed);
    COMMY_DCHECK(index::CellSeq(before) != seq);  // D1
    word.store(index::PackCell(index::CellValue(before) + delta, seq), std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t CellsOfABlock() const {
    return (core_.region.geometry().lane_count + index::kCounterGroups - 1) / index::kCounterGroups;
  }
  template <typename Use>
  absl::Status ForEachCell(const index::IndexRoot& root, Use use) const;
  // The cells of a block. Null: it lies outside the file.
  [[nodiscard]] index::CounterCell* CellsAt(std::uint64_t block) const {
    return reinterpret_cast<index::CounterCell*>(core_.region.At(
        block, CellsOfABlock() * sizeof(index::CounterCell), alignof(index::CounterCell)));
  }

  Core& core_;
};

}  // namespace commy::namespaces
