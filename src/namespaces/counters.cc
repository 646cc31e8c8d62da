#include "namespaces/counters.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {

using base::Shared64;
using process::Operation;
using region::BlockKind;

absl::StatusOr<Shared64*> Counters::Cell(Operation& op, index::IndexRoot& root,
                                         alloc::Purpose purpose) const {
  const std::uint64_t lane = op.lane().index();
  Shared64& group = root.counters[lane % index::kCounterGroups];
  const std::uint64_t cells = CellsOfABlock();
  std::uint64_t offset = group.load(std::memory_order_acquire);
  if (offset == 0) [[unlikely]] {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t made,
                           core_.allocator.Allocate(op, BlockKind::kCounters, cells * 8, purpose));
    std::byte* const block = core_.region.At(made, cells * 8, alignof(Shared64));
    if (block == nullptr) {
      return base::DataLoss(core_.region.path(), ": no block at ", base::Hex(made));
    }
    COMMY_DCHECK(versions::IsNoted(op, made));  // O1
    base::ZeroIn(block, cells * 8);
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
  auto* const block =
      reinterpret_cast<Shared64*>(core_.region.At(offset, cells * 8, alignof(Shared64)));
  if (block == nullptr) [[unlikely]] {
    return base::DataLoss(core_.region.path(), ": a counter block at ", base::Hex(offset),
                          " lies outside the file");
  }
  return &block[lane / index::kCounterGroups];
}

absl::StatusOr<std::uint64_t> Counters::Sum(const index::IndexRoot& root) const {
  const std::uint64_t cells = CellsOfABlock();
  std::int64_t sum = 0;
  for (const Shared64& group : root.counters) {
    const std::uint64_t offset = group.load(std::memory_order_acquire);
    if (offset <= index::kCountersClosed) {
      continue;
    }
    const auto* const block =
        reinterpret_cast<const Shared64*>(core_.region.At(offset, cells * 8, alignof(Shared64)));
    if (block == nullptr) {
      return core_.Damaged("a counter block", offset);
    }
    for (std::uint64_t i = 0; i < cells; ++i) {
      sum += index::CellValue(block[i].load(std::memory_order_acquire));
    }
  }
  return static_cast<std::uint64_t>(sum < 0 ? 0 : sum);
}

absl::StatusOr<bool> Counters::PlanTotal(Operation& op, index::IndexRoot& root, std::int64_t delta,
                                         versions::TransactionTotal* total) const {
  COMMY_DCHECK(delta != 0);
  const std::uint32_t first_note = op.notes_used();
  COMMY_ASSIGN_OR_RETURN(const Shared64* cell, Cell(op, root, alloc::Purpose::kMakesRoom));
  op.DropNotes(first_note);
  if (cell == nullptr) {
    return false;
  }
  total->cell = core_.region.OffsetOf(cell);
  total->before = cell->load(std::memory_order_acquire);
  total->after =
      index::PackCell(index::CellValue(total->before) + delta, index::CellSeq(total->before) + 1);
  return true;
}

}  // namespace commy::namespaces
