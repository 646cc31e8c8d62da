#include "transactions/recover.h"

#include "absl/container/flat_hash_map.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "process/owner.h"

namespace commy::transactions {
namespace {

using process::Operation;
using region::BlockKind;
using versions::TransactionEntry;

absl::Status RecoverIntent(const engine::Engine& engine, Operation& own,
                           const versions::Intents& intents, const TransactionEntry& entry,
                           bool named) {
  const versions::RecordView intent = versions::ViewRecord(engine.region, entry.record);
  if (!intent.valid()) {
    return base::DataLoss(engine.path, ": a transaction names a record at ",
                          base::Hex(entry.record), ", where there is none");
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t commit, intents.Resolve(intent.record->commit));
  COMMY_ASSIGN_OR_RETURN(const engine::NamespaceRef ns, engine::NamespaceAt(engine, entry.object));
  const bool there = named && ns.id == index::NamespaceIdOf(intent.namespace_number());
  bool reachable = false;
  if (there) {
    COMMY_ASSIGN_OR_RETURN(reachable,
                           engine.map.writer().IsReachable(ns, BlockKind::kRecord, intent.offset));
  }
  // A committed one was installed, even if it was replaced, or moved, since.
  if (reachable || (there && commit != versions::kCommitAborted)) {
    // Pruning and removing the rest is for the sweep.
    (void)engine.map.sweeper().Mark(ns, intent.key);  // Dropped: there is nothing to sweep.
    engine.map.publisher().CommittedPut(ns, intent.key);
    engine.map.publisher().Committed(ns);
    if (intent.expiry_ns() != 0) {
      (void)engine.map.expiry().Schedule(ns, intent.key, intent.expiry_ns());
    }
  }
  if (!reachable) {
    // Never installed, or taken away and perhaps not retired any more.
    engine.allocator.Retire(own, intent.offset);
  }
  return absl::OkStatus();
}

absl::Status RecoverTransaction(const engine::Engine& engine, Operation& own,
                                std::uint64_t head_offset) {
  const versions::Intents& intents = engine.map.intents();
  COMMY_ASSIGN_OR_RETURN(versions::TransactionHead * head, intents.HeadAt(head_offset));
  const bool committed = intents.ResolveNow(*head) != versions::kCommitAborted;
  if (committed) {
    intents.ApplyTotals(head_offset);
  }
  absl::flat_hash_map<std::uint64_t, bool> named;  // Namespace objects that are in the catalog.
  COMMY_RETURN_IF_ERROR(
      intents.ForEachEntry(head_offset, [&](const TransactionEntry& entry) -> absl::Status {
        const auto [at, is_new] = named.try_emplace(entry.object, false);
        if (is_new) {
          COMMY_ASSIGN_OR_RETURN(at->second,
                                 engine.catalog.IsReachable(BlockKind::kNamespace, entry.object));
        }
        return RecoverIntent(engine, own, intents, entry, at->second);
      }));
  head->list_sum.store(0, std::memory_order_release);
  // Under the dead lane's pin, retired blocks stay readable for a recoverer that may have to repeat
  // this.
  COMMY_RETURN_IF_ERROR(intents.ForEachPage(
      head_offset, [&](std::uint64_t page) { engine.allocator.Retire(own, page); }));
  return absl::OkStatus();
}

absl::Status RecoverTransactions(const engine::Engine& engine, Operation& own,
                                 region::LaneLayout& dead) {
  COMMY_DCHECK(&own.lane().words() != &dead);  // N1
  for (region::Shared64& word : dead.notes) {
    const process::Note note = process::ReadNote(word.load(std::memory_order_acquire));
    if (note.kind == BlockKind::kTransaction) {
      COMMY_RETURN_IF_ERROR(RecoverTransaction(engine, own, note.offset_bytes));
      word.exchange(process::BlockNote(BlockKind::kRaw, note.offset_bytes),
                    std::memory_order_seq_cst);
      base::FullFence();
      engine.allocator.Retire(own, note.offset_bytes);
    }
  }
  return absl::OkStatus();
}

void ResolveStalled(const engine::Engine& engine, std::uint32_t slot) {
  const auto is_its_transaction = [&](const region::LaneLayout& lane, const process::Note& note) {
    const std::uint64_t owner = lane.owner.load(std::memory_order_acquire);
    return note.kind == BlockKind::kTransaction && owner != 0 && process::OwnerSlot(owner) == slot;
  };
  const versions::Intents& intents = engine.map.intents();
  for (std::uint32_t i = 0; i < engine.region.lanes_ready(); ++i) {
    const region::LaneLayout& lane = engine.region.lane(i);
    for (const region::Shared64& word : lane.notes) {
      if (!is_its_transaction(lane, process::ReadNote(word.load(std::memory_order_acquire)))) {
        continue;
      }
      const absl::StatusOr<process::Lane*> mine =
          engine.session.ThisLane(process::Session::LaneUse::kRecovery);
      if (!mine.ok()) {
        return;  // The next beat looks again.
      }
      const Operation own(**mine, process::OpKind::kRecover, 0);
      if (!own.entered()) {
        return;
      }
      // The pin keeps only a block that the note names now that the pin is there.
      const process::Note note = process::ReadNote(word.load(std::memory_order_seq_cst));
      if (!is_its_transaction(lane, note)) {
        continue;
      }
      const absl::StatusOr<versions::TransactionHead*> head = intents.HeadAt(note.offset_bytes);
      if (head.ok()) {
        (void)intents.ResolveNow(**head);
      }
    }
  }
}

}  // namespace

engine::UpperHooks Hooks() {
  return {RecoverTransactions, ResolveStalled};
}

}  // namespace commy::transactions
