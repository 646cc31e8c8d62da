#include "index/slots.h"

#include "base/status.h"

namespace commy::index {

absl::StatusOr<Found> WalkSlots(const region::Region& region, alloc::Allocator& allocator,
                                Shared64* slots, std::uint64_t count, std::string_view key,
                                std::uint64_t hash, Position* at) {
  at->slot = nullptr;
  at->head = versions::RecordView();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t word = slots[i].load(std::memory_order_acquire);  // write-4
    if (SlotIsFrozen(word)) [[unlikely]] {
      return Found::kFrozen;
    }
    if (word == 0) {
      at->slot = &slots[i];
      at->word = 0;
      return Found::kRoom;
    }
    if (!SlotHasPrefix(word, hash) || SlotIsClosed(word)) {
      continue;
    }
    allocator.PrefetchRetire(SlotOffset(word));  // Most likely it is replaced soon.
    const versions::RecordView view = versions::ViewRecord(region, SlotOffset(word));
    if (!view.valid()) [[unlikely]] {
      return versions::Damaged(region, "a record", SlotOffset(word));
    }
    if (view.key == key) {
      versions::ResolveCommit(region, view.record->commit);
      at->slot = &slots[i];
      at->word = word;
      at->head = view;
      return Found::kKey;
    }
  }
  return Found::kNoKey;
}

}  // namespace commy::index
