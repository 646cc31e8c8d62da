// Installing the records of a transaction, and finishing them afterwards. The rules are those of
// versions/intents.h.
#include "base/check.h"
#include "base/status.h"
#include "namespaces/writer.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using index::Position;
using process::BlockNote;
using process::Operation;
using region::BlockKind;
using versions::Leftover;
using versions::RecordView;

constexpr int kInstallLimit = 1'000'000;
constexpr int kFinishLimit = 1'000;

}  // namespace

Result Writer::ResolveHead(Operation& op, const NamespaceRef& ns, const Position& at,
                           std::uint64_t commit) const {
  if (commit != versions::kCommitAborted) {
    return Outcome::kDone;
  }
  const std::uint32_t place = op.AddNote(0);
  const bool unlinked = sweeper_.UnlinkAborted(op, *at.slot, at.word, place, at.head);
  op.DropNotes(place);
  // The writer of the version below may have left it to the intent to prune there.
  return unlinked ? sweeper_.Mark(ns, at.head.key) : Result(Outcome::kDone);
}

Result Writer::Install(Operation& op, const NamespaceRef& ns,
                       const versions::Installing& transaction, const RecordView& intent,
                       InstallOutcome* outcome) const {
  COMMY_DCHECK(versions::IsIntent(intent.record->commit.load(std::memory_order_relaxed)) ||
               transaction.head->status.load(std::memory_order_relaxed) != versions::kStatusActive);
  // The list is complete before the first of its records can be seen.
  COMMY_DCHECK(transaction.head->list_sum.load(std::memory_order_relaxed) != 0);
  const std::uint64_t hash = core_.Hash(intent.key);
  const std::uint32_t first_note = op.notes_used();
  const bool tombstone = intent.tombstone();
  *outcome = InstallOutcome();
  for (int attempt = 0; attempt < kInstallLimit; ++attempt) {
    op.DropNotes(first_note);
    versions::StepAhead(*transaction.progress);
    if (transaction.head->status.load(std::memory_order_acquire) != versions::kStatusActive) {
      outcome->kind = InstallOutcome::Kind::kOver;
      return Outcome::kDone;
    }
    Position at;
    COMMY_TRY(Locate(ns, intent.key, hash, &at));
    const std::uint64_t newest = at.head.valid()
                                     ? at.head.record->commit.load(std::memory_order_acquire)
                                     : versions::kUndecided;
    if (newest > versions::kCommitTimeMax) {
      COMMY_ASSIGN_OR_RETURN(
          const std::uint64_t commit,
          core_.intents.ResolveFor(transaction, at.head.record->commit, &outcome->ahead));
      if (commit == versions::kUndecided) {
        outcome->kind = InstallOutcome::Kind::kBehind;
        return Outcome::kDone;
      }
      COMMY_TRY(ResolveHead(op, ns, at, commit));
      continue;
    }
    // A root without one before it is that of a namespace that was made since, which had no keys
    // then. As the transaction's snapshot is held, no version that it sees has been reclaimed.
    const bool cleared =
        at.root->commit.load(std::memory_order_acquire) > transaction.snapshot_time &&
        at.root->prev.load(std::memory_order_acquire) != 0;
    if (newest > transaction.snapshot_time || cleared) {
      outcome->kind = InstallOutcome::Kind::kConflict;
      return Outcome::kDone;
    }
    if (at.slot == nullptr) {
      COMMY_TRY(core_.ShapeOf(ns).MakeRoom(op, at, intent.key, hash));
      continue;
    }
    COMMY_DCHECK(!at.head.valid() ||
                 versions::IsCommitTime(newest));  // Nothing on top of an intent.
    intent.record->prev.store(at.head.offset, std::memory_order_relaxed);
    if (core_.publisher.Intent({&at, hash, intent.offset, intent.record, !tombstone})) {
      outcome->root_offset = at.root_offset;
      outcome->delta = {(tombstone ? 0 : 1) - (at.head.valid() && !at.head.tombstone() ? 1 : 0),
                        versions::UnitsOf(intent) - versions::UnitsOf(at.head)};
      return Outcome::kDone;
    }
  }
  return CannotBeChanged(ns);
}

Result Writer::FinishIntent(Operation& op, const NamespaceRef& ns, const RecordView& intent) const {
  COMMY_DCHECK(intent.valid());
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t commit, core_.intents.Resolve(intent.record->commit));
  if (commit == versions::kCommitAborted) {
    return FinishAborted(op, ns, intent);
  }
  versions::SnapshotTimes times(core_.region);
  const std::uint32_t place = op.AddNote(0);
  Leftover left = core_.chains.Prune(op, place, times, *intent.record, false);
  if (left == Leftover::kNothing && intent.tombstone()) {
    op.SetNote(place, BlockNote(BlockKind::kRecord, intent.offset));
    left = RemoveTombstone(op, ns, core_.Hash(intent.key), Position(), intent);
  }
  op.DropNotes(place);
  if (intent.expiry_ns() != 0) {
    COMMY_TRY(expiry_.Schedule(ns, intent.key, intent.expiry_ns()));
  }
  return left == Leftover::kNothing ? Result(Outcome::kDone)
                                    : sweeper_.MarkLeft(ns, intent.key, left, times.ended());
}

Result Writer::FinishAborted(Operation& op, const NamespaceRef& ns,
                             const RecordView& intent) const {
  const std::uint64_t hash = core_.Hash(intent.key);
  const std::uint32_t place = op.AddNote(0);
  for (int attempt = 0; attempt < kFinishLimit; ++attempt) {
    Position at;
    Result located = Locate(ns, intent.key, hash, &at);
    if (!located.done() && !located.is(Outcome::kDropped)) {
      op.DropNotes(place);
      return located;
    }
    if (located.done() && at.head.valid() && at.head.offset == intent.offset) {
      if (!sweeper_.UnlinkAborted(op, *at.slot, at.word, place, intent)) {
        continue;
      }
      op.DropNotes(place);
      if (intent.record->prev.load(std::memory_order_acquire) != 0) {
        return sweeper_.Mark(ns, intent.key);  // As in ResolveHead.
      }
      core_.ShapeOf(ns).AfterClose(op, *at.root, intent.key);
      return Outcome::kDone;
    }
    op.DropNotes(place);
    // Never installed, or removed by another process; or in a root that was cleared, with which it
    // goes.
    COMMY_ASSIGN_OR_RETURN(const bool reachable,
                           IsReachable(ns, BlockKind::kRecord, intent.offset));
    if (!reachable) {
      core_.allocator.Retire(op, intent.offset);
    }
    return Outcome::kDone;
  }
  op.DropNotes(place);
  return sweeper_.Mark(ns, intent.key);
}

}  // namespace commy::namespaces
