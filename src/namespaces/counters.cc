#include "namespaces/counters.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Shared64;
using index::CounterCell;
using index::Counts;
using process::Operation;
using region::BlockKind;

void CountForDeadIn(Shared64& word, std::int64_t delta, std::uint64_t seq) {
  std::uint64_t seen = word.load(std::memory_order_acquire);
  if (index::CellSeq(seen) != seq) {
    // Once, also if an earlier recoverer did it: then the word carries the seq.
    word.compare_exchange(seen, index::PackCell(index::CellValue(seen) + delta, seq),
                          std::memory_order_seq_cst);
  }
}

// Of a sum of words, which each hold 40 bits of what they have counted.
std::int64_t Total(std::uint64_t sum) {
  return std::max<std::int64_t>(
      0, index::CellValue(index::PackCell(static_cast<std::int64_t>(sum), 0)));
}

}  // namespace

absl::StatusOr<CounterCell*> Counters::Cell(Operation& op, index::IndexRoot& root,
                                            alloc::Purpose purpose) const {
  const std::uint64_t lane = op.lane().index();
  Shared64& group = root.counters[lane % index::kCounterGroups];
  const std::uint64_t cells = CellsOfABlock();
  std::uint64_t offset = group.load(std::memory_order_acquire);
  if (offset == 0) [[unlikely]] {
    const std::uint64_t bytes = cells * sizeof(CounterCell);
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t made,
                           core_.allocator.Allocate(op, BlockKind::kCounters, bytes, purpose));
    CounterCell* const block = CellsAt(made);
    if (block == nullptr) {
      return base::DataLoss(core_.region.path(), ": no block at ", base::Hex(made));
    }
    COMMY_DCHECK(versions::IsNoted(op, made));  // O1
    base::ZeroIn(block, bytes);
    if (group.compare_exchange(offset, made, std::memory_order_seq_cst)) {
      offset = made;
    } else {
      core_.allocator.Retire(op, made);
    }
  }
  COMMY_DCHECK(offset != 0 && lane / index::kCounterGroups < cells);
  if (offset == index::kCountersClosed) [[unlikely]] {
    return nullptr;
  }
  CounterCell* const block = CellsAt(offset);
  if (block == nullptr) [[unlikely]] {
    return base::DataLoss(core_.region.path(), ": a counter block at ", base::Hex(offset),
                          " lies outside the file");
  }
  return &block[lane / index::kCounterGroups];
}

void Counters::CountForDead(const process::OpWord& op, CounterCell& cell) {
  COMMY_DCHECK(op.armed);
  CountForDeadIn(cell.keys, op.delta, op.seq);   // count-2
  CountForDeadIn(cell.units, op.units, op.seq);  // count-3
}

template <typename Use>
absl::Status Counters::ForEachCell(const index::IndexRoot& root, Use use) const {
  // Of lanes that there are not yet nothing was counted.
  const std::uint64_t cells = std::min<std::uint64_t>(
      CellsOfABlock(),
      (core_.region.lanes_ready() + index::kCounterGroups - 1) / index::kCounterGroups);
  for (const Shared64& group : root.counters) {
    const std::uint64_t offset = group.load(std::memory_order_acquire);
    if (offset <= index::kCountersClosed) {
      continue;
    }
    const CounterCell* const block = CellsAt(offset);
    if (block == nullptr) {
      return core_.Damaged("a counter block", offset);
    }
    for (std::uint64_t i = 0; i < cells; ++i) {
      use(block[i].keys.load(std::memory_order_acquire),
          block[i].units.load(std::memory_order_acquire));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Counts> Counters::Sum(const index::IndexRoot& root) const {
  std::uint64_t keys = 0;
  std::uint64_t units = 0;
  COMMY_RETURN_IF_ERROR(ForEachCell(root, [&](std::uint64_t keys_word, std::uint64_t units_word) {
    keys += static_cast<std::uint64_t>(index::CellValue(keys_word));
    units += static_cast<std::uint64_t>(index::CellValue(units_word));
  }));
  return Counts{Total(keys), Total(units)};
}

absl::StatusOr<std::uint64_t> Counters::Stamp(const index::IndexRoot& root) const {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15U;
  std::uint64_t stamp = 0;
  COMMY_RETURN_IF_ERROR(ForEachCell(root, [&](std::uint64_t keys_word, std::uint64_t units_word) {
    stamp = ((stamp ^ keys_word) * kFactor ^ units_word) * kFactor;
  }));
  return stamp;
}

absl::StatusOr<bool> Counters::PlanTotal(Operation& op, index::IndexRoot& root, const Counts& delta,
                                         versions::TransactionTotal* total) const {
  COMMY_DCHECK(delta.keys != 0 || delta.units != 0);
  const std::uint32_t first_note = op.notes_used();
  COMMY_ASSIGN_OR_RETURN(const CounterCell* cell, Cell(op, root, alloc::Purpose::kMakesRoom));
  op.DropNotes(first_note);
  if (cell == nullptr) {
    return false;
  }
  const auto plan = [](const Shared64& word, std::int64_t change) -> versions::TotalChange {
    const std::uint64_t before = word.load(std::memory_order_acquire);
    return {before, index::PackCell(index::CellValue(before) + change, index::CellSeq(before) + 1)};
  };
  total->cell = core_.region.OffsetOf(cell);
  total->keys = plan(cell->keys, delta.keys);
  total->units = plan(cell->units, delta.units);
  return true;
}

}  // namespace commy::namespaces
