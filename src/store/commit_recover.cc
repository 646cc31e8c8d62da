// Recovery of a transaction whose owner is dead; see index/intents.h.
#include "absl/container/flat_hash_map.h"

#include "base/status.h"
#include "store/store_impl.h"

namespace commy::store {
namespace {

using index::TransactionEntry;
using process::NoteKind;
using process::Operation;

constexpr int kDecideLimit = 1000;

// Active and prepared ones are aborted, committing ones get a time.
std::uint64_t DecideForDead(const index::Intents& intents, index::TransactionHead& head) {
  for (int attempt = 0; attempt < kDecideLimit; ++attempt) {
    const std::uint64_t status = head.status.load(std::memory_order_seq_cst);
    if ((status & index::kStatusOpen) == 0) {
      return status;
    }
    if (status == index::kStatusCommitting) {
      intents.GiveTime(head);
    } else {
      head.status.CompareAndSet(status, index::kCommitAborted, std::memory_order_seq_cst);
    }
  }
  return index::kCommitAborted;
}

}  // namespace

absl::Status StoreImpl::RecoverTransactions(Operation& own, region::LaneLayout& dead) {
  for (const region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind == NoteKind::kTransaction) {
      COMMY_RETURN_IF_ERROR(RecoverTransaction(own, note.offset_bytes));
    }
  }
  return absl::OkStatus();
}

absl::Status StoreImpl::RecoverTransaction(Operation& own, std::uint64_t head_offset) {
  const index::Intents intents(region(), session_->platform());
  COMMY_ASSIGN_OR_RETURN(index::TransactionHead * head, intents.HeadAt(head_offset));
  const bool committed = DecideForDead(intents, *head) != index::kCommitAborted;
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
  allocator_.Retire(own, head_offset);
  return absl::OkStatus();
}

absl::Status StoreImpl::RecoverIntent(Operation& own, const index::Intents& intents,
                                      const TransactionEntry& entry, bool named) {
  const index::RecordView intent = index::ViewRecord(region(), entry.record);
  if (!intent.valid()) {
    return base::DataLoss(path_, ": a transaction names a record at ", base::Hex(entry.record),
                          ", where there is none");
  }
  COMMY_RETURN_IF_ERROR(intents.Decide(intent.record->commit, 0).status());
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

}  // namespace commy::store
