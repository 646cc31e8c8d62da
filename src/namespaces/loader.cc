#include "namespaces/loader.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {

using process::Operation;
using region::BlockKind;
using versions::RecordView;

Loader::Loader(Core& core, const Counters& counters, std::uint64_t order, std::uint64_t id,
               std::uint64_t keys)
    : core_(core), counters_(counters), id_(id) {
  if (order == kOrderOrdered) {
    tree_.emplace(core.tree);
  } else {
    hash_.emplace(core.hash, keys);
  }
}

absl::Status Loader::Add(Operation& op, const RecordView& from) {
  const std::uint64_t align = versions::ValueAlignOf(from.flags);
  const bool expires = (from.flags & versions::kRecordExpires) != 0;
  const std::uint64_t bytes =
      versions::RecordBytes(from.key.size(), from.value.size(), align, expires);
  const std::uint64_t commit = from.record->commit.load(std::memory_order_relaxed);
  const std::int64_t expiry_ns = from.expiry_ns();
  COMMY_DCHECK(!from.tombstone() && versions::IsCommitTime(commit));
  const std::uint32_t notes = op.notes_used();
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         core_.allocator.Allocate(op, BlockKind::kRecord, bytes));
  std::byte* const block = core_.region.At(offset, bytes, alignof(versions::Record));
  if (block == nullptr) {
    return core_.Damaged("a block", offset);
  }
  op.DropNotes(notes);
  versions::WriteRecord(block, {.namespace_number = id_ & index::kNamespaceIdMask,
                                .key = from.key,
                                .value = from.value,
                                .expiry_ns = expiry_ns,
                                .align = align,
                                .expiry_word = expires});
  const RecordView made = versions::ViewRecord(core_.region, offset);
  COMMY_DCHECK(made.valid());
  made.record->commit.store(commit, std::memory_order_relaxed);
  ++keys_;
  units_ += versions::UnitsOf(made);
  bytes_ += made.bytes();
  const std::uint64_t hash = core_.Hash(made.key);
  if (tree_.has_value()) {
    return tree_->Add(op, made.key, offset, hash, expiry_ns);
  }
  hash_->Add(hash, offset, expiry_ns);
  return absl::OkStatus();
}

absl::Status Loader::PassTo(Operation& op, const index::ScanCursor& cursor) {
  return hash_.has_value() ? hash_->PassTo(op, cursor.hash) : absl::OkStatus();
}

absl::StatusOr<std::uint64_t> Loader::Finish(Operation& op, std::uint64_t commit) {
  COMMY_DCHECK(versions::IsCommitTime(commit));
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t structure,
                         tree_.has_value() ? tree_->Finish(op) : hash_->Finish(op));
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      core_.allocator.Allocate(op, BlockKind::kIndexRoot, sizeof(index::IndexRoot)));
  auto* const root = core_.region.At<index::IndexRoot>(offset);
  if (root == nullptr) {
    return core_.Damaged("a block", offset);
  }
  base::ZeroIn(root, sizeof(*root));
  root->namespace_id = id_;
  root->commit.store(commit, std::memory_order_relaxed);
  root->directory.store(structure, std::memory_order_relaxed);
  root->due.store(tree_.has_value() ? tree_->due() : hash_->due(), std::memory_order_relaxed);
  if (keys_ != 0) {
    COMMY_ASSIGN_OR_RETURN(index::CounterCell* const cell,
                           counters_.Cell(op, *root, alloc::Purpose::kOrdinary));
    cell->keys.store(index::PackCell(static_cast<std::int64_t>(keys_), op.seq()),
                     std::memory_order_relaxed);
    cell->units.store(index::PackCell(units_, op.seq()), std::memory_order_relaxed);
  }
  return offset;
}

}  // namespace commy::namespaces
