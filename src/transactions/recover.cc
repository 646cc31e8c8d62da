// Recovery of a transaction whose owner is dead; see versions/intents.h.
#include "absl/container/flat_hash_map.h"

#include "base/status.h"
#include "engine/store_impl.h"
#include "process/owner.h"

namespace commy::engine {
namespace {

using process::NoteKind;
using process::Operation;
using versions::TransactionEntry;

}  // namespace

absl::Status StoreImpl::RecoverTransactions(Operation& own, region::LaneLayout& dead) {
  for (region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind == NoteKind::kTransaction) {
      COMMY_RETURN_IF_ERROR(RecoverTransaction(own, note.offset_bytes));
      word.exchange(process::BlockNote(NoteKind::kRaw, note.offset_bytes),
                    std::memory_order_seq_cst);
      base::FullFence();
      allocator_.Retire(own, note.offset_bytes);
    }
  }
  return absl::OkStatus();
}

void StoreImpl::SettleStalled(std::uint32_t slot) {
  const auto is_its_transaction = [&](const region::LaneLayout& lane, const process::Note& note) {
    const std::uint64_t owner = lane.owner.load(std::memory_order_acquire);
    return note.kind == NoteKind::kTransaction && owner != 0 && process::OwnerSlot(owner) == slot;
  };
  const versions::Intents intents(region(), session_->platform());
  for (std::uint32_t i = 0; i < region().lanes_ready(); ++i) {
    const region::LaneLayout& lane = region().lane(i);
    for (const region::Shared64& word : lane.notes) {
      if (!is_its_transaction(lane, process::ReadNote(word.load(std::memory_order_acquire)))) {
        continue;
      }
      const absl::StatusOr<process::Lane*> mine =
          session_->ThisLane(process::Session::LaneUse::kRecovery);
      if (!mine.ok()) {
        return;  // The next beat looks again.
      }
      const Operation own(**mine, process::OpKind::kRecover, 0);
      if (!own.entered()) {
        return;
      }
      // Only what the note says now that the pin is there is kept by it.
      const process::Note note = process::ReadNote(word.load(std::memory_order_seq_cst));
      if (!is_its_transaction(lane, note)) {
        continue;
      }
      const absl::StatusOr<versions::TransactionHead*> head = intents.HeadAt(note.offset_bytes);
      if (head.ok()) {
        (void)intents.Settle(**head);
      }
    }
  }
}

absl::Status StoreImpl::RecoverTransaction(Operation& own, std::uint64_t head_offset) {
  const versions::Intents intents(region(), session_->platform());
  COMMY_ASSIGN_OR_RETURN(versions::TransactionHead * head, intents.HeadAt(head_offset));
  const bool committed = intents.Settle(*head) != versions::kCommitAborted;
  if (committed) {
    intents.ApplyTotals(head_offset);
  }
  absl::flat_hash_map<std::uint64_t, bool> named;  // Namespace objects that are in the catalog.
  COMMY_RETURN_IF_ERROR(
      intents.ForEachEntry(head_offset, [&](const TransactionEntry& entry) -> absl::Status {
        const auto [at, is_new] = named.try_emplace(entry.object, false);
        if (is_new) {
          COMMY_ASSIGN_OR_RETURN(at->second,
                                 catalog_.IsReachable(NoteKind::kNamespace, entry.object));
        }
        return RecoverIntent(own, intents, entry, at->second);
      }));
  head->list_sum.store(0, std::memory_order_release);
  // Under the dead one's pin, what was retired stays readable for who may have to do this again.
  COMMY_RETURN_IF_ERROR(
      intents.ForEachPage(head_offset, [&](std::uint64_t page) { allocator_.Retire(own, page); }));
  return absl::OkStatus();
}

absl::Status StoreImpl::RecoverIntent(Operation& own, const versions::Intents& intents,
                                      const TransactionEntry& entry, bool named) {
  const versions::RecordView intent = versions::ViewRecord(region(), entry.record);
  if (!intent.valid()) {
    return base::DataLoss(path_, ": a transaction names a record at ", base::Hex(entry.record),
                          ", where there is none");
  }
  COMMY_RETURN_IF_ERROR(intents.Decide(intent.record->commit).status());
  COMMY_ASSIGN_OR_RETURN(const index::Anchor anchor, AnchorAt(entry.object));
  const bool there = named && anchor.id == intent.record->namespace_id;
  bool reachable = false;
  if (there) {
    COMMY_ASSIGN_OR_RETURN(reachable,
                           IndexOf(anchor).IsReachable(anchor, NoteKind::kRecord, intent.offset));
  }
  if (reachable) {
    // What is left to prune, or to take away, is for the sweep.
    (void)IndexOf(anchor).MarkForSweep(own, anchor, intent.key);  // Aborted: being dropped.
    IndexOf(anchor).TellKey(anchor, intent.key);
    IndexOf(anchor).TellChange(anchor);
    if (intent.record->expiry_ns != 0) {
      (void)IndexOf(anchor).NoteExpiry(anchor, intent.key, intent.record->expiry_ns);
    }
  } else {
    // Never installed, or taken away and perhaps not retired any more.
    allocator_.Retire(own, intent.offset);
  }
  return absl::OkStatus();
}

}  // namespace commy::engine
