#include "namespaces/sums.h"

#include "absl/strings/str_cat.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using process::BlockNote;
using process::Operation;
using region::BlockKind;

// A sum that others reset meanwhile is read again; more often in a row is not to be expected.
constexpr int kResetsMax = 1'000'000;

}  // namespace

std::uint64_t Sums::BlockBytes() const {
  const std::uint64_t cells = (core_.region.geometry().lane_count + kSumGroups - 1) / kSumGroups;
  return cells * kSumLineBytes + (kSumLineBytes - region::kBlockAlignBytes);
}

Result Sums::Root(const NamespaceRef& ns, SumRoot** root) const {
  const std::uint64_t offset = ns.object->sums.load(std::memory_order_acquire);
  if (offset == 0) {
    return Outcome::kConflict;
  }
  if (offset == kPartGone) {
    return Outcome::kDropped;
  }
  *root = core_.region.At<SumRoot>(offset);
  return *root == nullptr ? Result(core_.Damaged("a sum", offset)) : Outcome::kDone;
}

absl::StatusOr<std::uint64_t> Sums::BuildRoot(Operation& op) const {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         core_.allocator.Allocate(op, BlockKind::kSumRoot, sizeof(SumRoot)));
  auto* const root = core_.region.At<SumRoot>(offset);
  if (root == nullptr) {
    return core_.Damaged("a block", offset);
  }
  COMMY_DCHECK(versions::IsNoted(op, offset));  // O1
  base::ZeroIn(root, sizeof(SumRoot));
  return offset;
}

Result Sums::MakeCell(Operation& op, const NamespaceRef& ns, Shared64** cell) const {
  const std::uint32_t lane = op.lane().index();
  *cell = FindCell(ns, lane);
  if (*cell != nullptr) {
    return Outcome::kDone;
  }
  SumRoot* root = nullptr;
  COMMY_TRY(Root(ns, &root));
  Shared64& word = root->cells[lane % kSumGroups];
  std::uint64_t block = word.load(std::memory_order_acquire);
  if (block == 0) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t made,
                           core_.allocator.Allocate(op, BlockKind::kSums, BlockBytes()));
    std::byte* const bytes = core_.region.At(made, BlockBytes(), alignof(Shared64));
    if (bytes == nullptr) {
      return core_.Damaged("a block", made);
    }
    COMMY_DCHECK(versions::IsNoted(op, made));  // O1
    base::ZeroIn(bytes, BlockBytes());
    if (word.compare_exchange(block, made, std::memory_order_seq_cst)) {
      block = made;
    } else {
      core_.allocator.Retire(op, made);
    }
  }
  if (block == kPartGone) {
    return Outcome::kDropped;
  }
  *cell = CellIn(block, lane);
  return *cell == nullptr ? Result(core_.Damaged("a block of cells", block)) : Outcome::kDone;
}

std::uint64_t Sums::SumOf(const SumRoot& root) const {
  const std::uint32_t lanes = core_.region.geometry().lane_count;
  std::uint64_t sum = 0;
  for (std::uint32_t group = 0; group < kSumGroups; ++group) {
    const std::uint64_t block = root.cells[group].load(std::memory_order_acquire);
    for (std::uint32_t lane = group; block > kPartGone && lane < lanes; lane += kSumGroups) {
      const Shared64* const cell = CellIn(block, lane);
      sum += cell == nullptr ? 0 : cell->load(std::memory_order_acquire);
    }
  }
  return sum;
}

Result Sums::Value(const NamespaceRef& ns, std::uint64_t* value) const {
  SumRoot* root = nullptr;
  COMMY_TRY(Root(ns, &root));
  std::uint64_t base = root->base.load(std::memory_order_acquire);
  for (int attempt = 0; attempt < kResetsMax; ++attempt) {
    *value = SumOf(*root) - base;
    const std::uint64_t again = root->base.load(std::memory_order_acquire);
    if (again == base) {
      return Outcome::kDone;
    }
    base = again;
  }
  return Outcome::kDone;
}

Result Sums::Reset(const NamespaceRef& ns, std::uint64_t* taken) const {
  SumRoot* root = nullptr;
  COMMY_TRY(Root(ns, &root));
  std::uint64_t base = root->base.load(std::memory_order_acquire);
  while (true) {
    const std::uint64_t sum = SumOf(*root);
    *taken = sum - base;
    // A failure means that another reset succeeded.
    if (root->base.compare_exchange(base, sum, std::memory_order_seq_cst)) {
      return Outcome::kDone;
    }
  }
}

void Sums::Reclaim(Operation& op, const NamespaceRef& ns) const {
  const std::uint64_t offset = ns.object->sums.load(std::memory_order_acquire);
  auto* const root = offset <= kPartGone ? nullptr : core_.region.At<SumRoot>(offset);
  if (root == nullptr) {
    return;
  }
  for (Shared64& word : root->cells) {
    std::uint64_t block = word.load(std::memory_order_acquire);
    while (block != kPartGone) {
      const std::uint32_t place = op.AddNote(block == 0 ? 0 : BlockNote(BlockKind::kSums, block));
      if (word.compare_exchange(block, kPartGone, std::memory_order_seq_cst)) {  // sum-3
        if (block != 0) {
          core_.allocator.Retire(op, block);
        }
        block = kPartGone;
      }
      op.DropNotes(place);
    }
  }
  const std::uint32_t place = op.AddNote(BlockNote(BlockKind::kSumRoot, offset));
  if (ns.object->sums.CompareAndSet(offset, kPartGone, std::memory_order_seq_cst)) {
    core_.allocator.Retire(op, offset);
  }
  op.DropNotes(place);
}

bool Sums::Names(const NamespaceRef& ns, std::uint64_t offset) const {
  const std::uint64_t named = ns.object->sums.load(std::memory_order_acquire);
  if (named == offset) {
    return true;
  }
  const auto* const root = named <= kPartGone ? nullptr : core_.region.At<SumRoot>(named);
  if (root != nullptr) {
    for (const Shared64& word : root->cells) {
      if (word.load(std::memory_order_acquire) == offset) {
        return true;
      }
    }
  }
  return false;
}

void Sums::ForEachEdge(const NamespaceRef& ns, absl::FunctionRef<bool(const index::Edge&)> use,
                       absl::FunctionRef<void(const std::string& fault)> fault) const {
  const std::uint64_t offset = ns.object->sums.load(std::memory_order_acquire);
  if (offset <= kPartGone || !use({BlockKind::kSumRoot, &ns.object->sums, offset})) {
    return;
  }
  auto* const root = core_.region.At<SumRoot>(offset);
  if (root == nullptr || core_.allocator.BlockBytes(offset) < sizeof(SumRoot)) {
    fault(absl::StrCat("namespace ", ns.id & index::kNamespaceIdMask, ", sum at ",
                       base::Hex(offset), ": it does not fit into its block"));
    return;
  }
  for (Shared64& word : root->cells) {
    const std::uint64_t block = word.load(std::memory_order_acquire);
    if (block > kPartGone && use({BlockKind::kSums, &word, block}) &&
        core_.allocator.BlockBytes(block) < BlockBytes()) {
      fault(absl::StrCat("namespace ", ns.id & index::kNamespaceIdMask, ", cells at ",
                         base::Hex(block), ": they do not fit into their block"));
    }
  }
}

}  // namespace commy::namespaces
