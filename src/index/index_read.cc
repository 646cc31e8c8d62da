// What every index needs to be read: the errors, the size.
#include "base/status.h"
#include "index/index.h"

namespace commy::index {

Index::Index(process::Session& session, alloc::Allocator& allocator)
    : session_(session), region_(session.region()), allocator_(allocator) {}

absl::Status Index::Damaged(std::string_view what, std::uint64_t offset) const {
  return base::DataLoss(region_.path(), ": ", base::ToAbsl(what), " at ", base::Hex(offset),
                        " does not make sense; `commy check` tells more");
}

absl::Status Index::LeadsInACircle(const Anchor& anchor) const {
  return base::DataLoss(region_.path(), ": the index of namespace ", anchor.id & kIdMask,
                        " leads in a circle; `commy check` tells more");
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
