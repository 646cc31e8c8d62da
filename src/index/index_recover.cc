// Recovery's questions to an index: finish what is posted, and can this block be reached? And the
// walk over everything.
#include "base/status.h"
#include "index/index.h"

namespace commy::index {
namespace {

using process::NoteKind;
using process::Operation;

}  // namespace

absl::Status Index::FinishPosted([[maybe_unused]] Operation& own, const Anchor& anchor) {
  // Also in roots that were cleared away, where a writer that came late may have posted, and in one that
  // is being dropped: what a change replaces is retired by its poster, or by who recovers that.
  COMMY_RETURN_IF_ERROR(
      ForEachRoot(anchor, [&](std::uint64_t, IndexRoot& each) -> absl::StatusOr<bool> {
        const std::uint64_t baton = each.baton.load(std::memory_order_acquire);
        if (baton > kBatonClosed) {
          COMMY_RETURN_IF_ERROR(Help(each, baton));
        }
        return true;
      }));
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(const IndexRoot* root, CurrentRoot(anchor, &root_offset));
  const std::uint64_t successor = root->successor.load(std::memory_order_acquire);
  if (successor == kDropMark) {
    return absl::AbortedError("being dropped");
  }
  return successor == 0 ? absl::OkStatus() : CompleteClear(anchor, root_offset, successor);
}

absl::Status Index::ForEachRoot(
    const Anchor& anchor,
    absl::FunctionRef<absl::StatusOr<bool>(std::uint64_t, IndexRoot&)> visit) const {
  std::uint64_t offset = anchor.object->root.load(std::memory_order_acquire);
  for (int step = 0; step < kChainLimit && offset != 0; ++step) {
    COMMY_ASSIGN_OR_RETURN(IndexRoot * root, RootAt(anchor, offset));
    COMMY_ASSIGN_OR_RETURN(const bool go_on, visit(offset, *root));
    if (!go_on) {
      return absl::OkStatus();
    }
    offset = root->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Index::IsRecordReachable(const IndexRoot& root, std::uint64_t offset) const {
  const versions::RecordView wanted = versions::ViewRecord(region_, offset);
  if (!wanted.valid()) {
    return false;  // Never finished, so never published.
  }
  const std::uint64_t hash = Hash(wanted.key);
  COMMY_ASSIGN_OR_RETURN(const SlotArray at, SlotsOf(root, wanted.key, hash));
  for (std::uint64_t i = 0; i < at.count; ++i) {
    const std::uint64_t word = at.words[i].load(std::memory_order_acquire);
    if (SlotIsEmpty(word) || SlotIsDead(word) || !SlotHasTag(word, hash)) {
      continue;
    }
    std::uint64_t next = SlotOffset(word);
    for (int step = 0; step < kChainLimit && next != 0; ++step) {
      if (next == offset) {
        return true;
      }
      const auto* const record = region_.At<versions::Record>(next);
      next = record == nullptr
                 ? 0
                 : record->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
    }
  }
  return false;
}

absl::StatusOr<bool> Index::IsReachable(const Anchor& anchor, NoteKind kind, std::uint64_t offset) {
  bool found = false;
  COMMY_RETURN_IF_ERROR(
      ForEachRoot(anchor, [&](std::uint64_t root_offset, IndexRoot& root) -> absl::StatusOr<bool> {
        switch (kind) {
          case NoteKind::kIndexRoot:
            found = root_offset == offset;
            break;
          case NoteKind::kDescriptor:
            found = root.baton.load(std::memory_order_acquire) == offset;
            break;
          case NoteKind::kRecord: {
            COMMY_ASSIGN_OR_RETURN(found, IsRecordReachable(root, offset));
            break;
          }
          case NoteKind::kCounters:
            for (const Shared64& group : root.counters) {
              found |= group.load(std::memory_order_acquire) == offset;
            }
            break;
          default: {
            COMMY_ASSIGN_OR_RETURN(found, IsStructureReachable(root, kind, offset));
            break;
          }
        }
        return !found;
      }));
  return found;
}

void Index::WalkChain(
    const Anchor& anchor, std::uint64_t word, bool current, BlockVisitor visit, FaultVisitor fault,
    std::uint64_t* keys,
    absl::FunctionRef<bool(std::string_view key, std::uint64_t hash)> belongs) const {
  if (SlotIsEmpty(word) || SlotIsDead(word)) {
    return;
  }
  std::uint64_t offset = SlotOffset(word);
  bool head = true;
  bool counted = !current;  // The first one that counts says whether the key is there.
  for (int step = 0; step < kChainLimit && offset != 0; ++step) {
    const std::string where =
        absl::StrCat("namespace ", anchor.id & kIdMask, ", record at ", base::Hex(offset));
    const versions::RecordView view = versions::ViewRecord(region_, offset);
    if (!view.valid() ||
        allocator_.BlockBytes(offset) < versions::RecordBytes(view.key.size(), view.value.size())) {
      fault(absl::StrCat(where, ": its sizes do not fit into its block"));
      return;
    }
    if (!visit(NoteKind::kRecord, offset)) {
      return;  // Seen before: two chains that meet, or one that leads in a circle.
    }
    if (!versions::VerifyRecord(view)) {
      fault(absl::StrCat(where, ": wrong checksum"));
    }
    const std::uint64_t hash = Hash(view.key);
    if (view.record->namespace_id != anchor.id) {
      fault(absl::StrCat(where, ": it belongs to namespace ", view.record->namespace_id & kIdMask));
    }
    if (!SlotHasTag(word, hash) || !belongs(view.key, hash)) {
      fault(absl::StrCat(where, ": its key does not belong there"));
    }
    const absl::StatusOr<std::uint64_t> commit = intents_.StatusOf(view.record->commit);
    if (!commit.ok()) {
      fault(absl::StrCat(where, ": ", commit.status().message()));
    } else if (!head && *commit > versions::kCommitTimeMax) {
      fault(absl::StrCat(where, ": it was never committed, and is not the newest of its key"));
    } else if (!counted && *commit <= versions::kCommitTimeMax) {
      counted = true;
      *keys += view.tombstone() ? 0 : 1;
    }
    head = false;
    offset = view.record->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
  }
}

absl::Status Index::Walk(const Anchor& anchor, BlockVisitor visit, FaultVisitor fault,
                         std::uint64_t* keys) {
  bool current = true;
  return ForEachRoot(anchor, [&](std::uint64_t offset, IndexRoot& root) -> absl::StatusOr<bool> {
    visit(NoteKind::kIndexRoot, offset);
    // A dropped one has no keys, and its structure goes as its memory is taken back.
    const bool whole = current && root.successor.load(std::memory_order_acquire) != kDropMark;
    for (const Shared64& group : root.counters) {
      if (const std::uint64_t block = group.load(std::memory_order_acquire);
          block > kCountersClosed) {
        visit(NoteKind::kCounters, block);
      }
    }
    if (const std::uint64_t baton = root.baton.load(std::memory_order_acquire);
        baton > kBatonClosed) {
      visit(NoteKind::kDescriptor, baton);
    }
    COMMY_RETURN_IF_ERROR(WalkStructure(anchor, root, whole, visit, fault, keys));
    current = false;
    return true;
  });
}

}  // namespace commy::index
