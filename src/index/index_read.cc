// What every index needs to be read: the errors, the size.
#include "base/status.h"
#include "index/index.h"

namespace commy::index {

Index::Index(process::Session& session, alloc::Allocator& allocator)
    : session_(session),
      region_(session.region()),
      allocator_(allocator),
      intents_(region_, session.platform()) {}

absl::Status Index::Damaged(std::string_view what, std::uint64_t offset) const {
  return base::DataLoss(region_.path(), ": ", base::ToAbsl(what), " at ", base::Hex(offset),
                        " does not make sense; `commy check` tells more");
}

absl::Status Index::LeadsInACircle(const Anchor& anchor) const {
  return base::DataLoss(region_.path(), ": the index of namespace ", anchor.id & kIdMask,
                        " leads in a circle; `commy check` tells more");
}

absl::StatusOr<IndexRoot*> Index::OlderRoot(const Anchor& anchor, const IndexRoot& root,
                                            const versions::AsOf& as_of) const {
  const IndexRoot* at = &root;
  for (int step = 0; step < kChainLimit; ++step) {
    const std::uint64_t offset = at->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
    if (offset == 0) {
      return nullptr;
    }
    COMMY_ASSIGN_OR_RETURN(IndexRoot * older, RootAt(anchor, offset));
    if (older->commit.load(std::memory_order_acquire) <= as_of.time) {
      return older;
    }
    at = older;
  }
  return LeadsInACircle(anchor);
}

absl::Status Index::ToOlderVersion(const versions::AsOf& as_of, versions::RecordView* view) const {
  const versions::RecordView newest = *view;
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t commit, intents_.Read(newest.record->commit, as_of));
  if (commit <= as_of.time) {
    return absl::OkStatus();
  }
  for (int step = 0; step < kChainLimit; ++step) {
    const std::uint64_t offset =
        view->record->prev.load(std::memory_order_acquire) & ~versions::kPrevFrozen;
    if (offset == 0) {
      *view = versions::RecordView();
      return absl::OkStatus();
    }
    *view = versions::ViewRecord(region_, offset);
    if (!view->valid() || view->key != newest.key) [[unlikely]] {
      return Damaged("a record", offset);
    }
    if (view->record->commit.load(std::memory_order_acquire) <= as_of.time) {
      return absl::OkStatus();
    }
  }
  return Damaged("a record", newest.offset);
}

absl::Status Index::MissingInOlder(const Anchor& anchor) const {
  // A drop marks the newest root before it takes anything away, from the older ones too.
  std::uint64_t offset = 0;
  return CurrentRoot(anchor, &offset).status();
}

absl::StatusOr<std::uint64_t> Index::Size(const Anchor& anchor) {
  std::uint64_t root_offset = 0;
  COMMY_ASSIGN_OR_RETURN(const IndexRoot* root, CurrentRoot(anchor, &root_offset));
  const std::uint64_t cells = (region_.geometry().lane_count + kCounterGroups - 1) / kCounterGroups;
  std::int64_t sum = 0;
  for (const Shared64& group : root->counters) {
    const std::uint64_t offset = group.load(std::memory_order_acquire);
    if (offset <= kCountersClosed) {
      continue;
    }
    const auto* const block =
        reinterpret_cast<const Shared64*>(region_.At(offset, cells * 8, alignof(Shared64)));
    if (block == nullptr) {
      return Damaged("a counter block", offset);
    }
    for (std::uint64_t i = 0; i < cells; ++i) {
      sum += CellValue(block[i].load(std::memory_order_acquire));
    }
  }
  return static_cast<std::uint64_t>(sum < 0 ? 0 : sum);
}

}  // namespace commy::index
