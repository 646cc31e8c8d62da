// The roots of a namespace: the present one, those that a clear has superseded, and their end.
//
// CLEAR     clear-1  build an empty root whose prev is the old root; CAS old.successor 0 -> new
//           clear-2  look through the transactions that lanes have noted: one that is active and
//                    writes in the namespace is aborted, one that is committing gets its time
//           clear-3  CAS the namespace's root word old -> new; give the new root its time
//           then, when no snapshot needs the old root, in pieces, each under a pin of its own:
//                    reclaim-1 and reclaim-2 of index/shape.h, and unlink-1 to unlink-3 of
//                    versions/chain.h for the root
//           clear-2 and clear-3 are done by each writer that meets a successor, and take
//           microseconds however many keys there are.
//           A writer that found the old root before clear-3 may still change it afterwards. It
//           began before the clear was over, so its change counts as one before the clear, whatever
//           its commit time says: no later operation looks there. A transaction must not do so,
//           since it may have other keys elsewhere. After clear-1 it helps; and clear-2 finds the
//           records that it had installed before, for a transaction completes its list, and fences,
//           before it installs.
// DROP      drop-1  the mark 1 as successor: from here on every use answers at once that it was
//                   dropped
//           drop-2  clear-2; then move the object from the catalog's names to its list of the
//                   dropped, by one CAS: another namespace can have the name. No room for that:
//                   first drop-3
//           drop-3  reclaim-1 and reclaim-2, in pieces; then the root
//           drop-4  take the object out of that list; its id := 0, which handles compare on each
//                   use; retire it
//           Only the dropper, and heartbeats, do drop-2 to drop-4.
// SNAPSHOTS A reader at S takes the newest root that is not newer than S, and there the newest
//           version of each key that is not newer. Clears and puts leave the versions that a
//           snapshot needs (versions/snapshots.h). A drop leaves nothing: a reader in a dropped
//           namespace gets that answer, at whatever time it reads.
// DEATH     after each step the next process that meets it goes on; blocks that nothing names are
//           in the notes.
// TESTED    tests/model/clear_model_test.cc, tests/model/transaction_clear_model_test.cc,
//           tests/crash/
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "base/result.h"
#include "base/status.h"
#include "namespaces/core.h"
#include "versions/as_of.h"

namespace commy::namespaces {

// Every method needs the caller's pin, or its operation's. kDropped: the caller passes that on.
class Roots {
 public:
  explicit Roots(Core& core) : core_(core) {}

  absl::StatusOr<index::IndexRoot*> At(const NamespaceRef& ns, std::uint64_t offset) const {
    auto* const root = core_.region.At<index::IndexRoot>(offset);
    if (root == nullptr || root->namespace_id != ns.id) [[unlikely]] {
      return core_.Damaged("an index root", offset);
    }
    return root;
  }
  // The present root, with its time. kDropped.
  base::Result Current(const NamespaceRef& ns, std::uint64_t* offset,
                       index::IndexRoot** root) const {
    *offset = ns.object->root.load(std::memory_order_acquire);  // clear-3
    if (*offset == 0) [[unlikely]] {
      return base::Outcome::kDropped;
    }
    COMMY_ASSIGN_OR_RETURN(*root, At(ns, *offset));
    versions::ResolveCommit(core_.region, (*root)->commit);
    if ((*root)->successor.load(std::memory_order_acquire) == index::kDropped) [[unlikely]] {
      return base::Outcome::kDropped;
    }
    return base::Outcome::kDone;
  }
  // The root that counted then. Null: there was none yet.
  base::Result Then(const NamespaceRef& ns, const versions::AsOf& as_of,
                    index::IndexRoot** root) const {
    std::uint64_t offset = 0;
    COMMY_TRY(Current(ns, &offset, root));
    COMMY_DCHECK(*root != nullptr);
    if ((*root)->commit.load(std::memory_order_relaxed) > as_of.time) [[unlikely]] {
      return Older(ns, as_of, root);
    }
    return base::Outcome::kDone;
  }
  // For a reader that found nothing in `root`: kAbsent or kDropped. In a namespace that is being
  // dropped slots are closed before the walk ends: then not the key is missing, but the namespace.
  base::Result Missing(const NamespaceRef& ns, const index::IndexRoot& root,
                       const versions::AsOf& as_of) const {
    if (!as_of.is_now()) [[unlikely]] {
      return MissingThen(ns);
    }
    return root.successor.load(std::memory_order_acquire) == index::kDropped
               ? base::Outcome::kDropped
               : base::Outcome::kAbsent;
  }

  // clear-2 and clear-3.
  base::Result CompleteClear(const NamespaceRef& ns, std::uint64_t root_offset,
                             std::uint64_t successor) const;
  // Helps the reshape or reclaim that has frozen slots below the root, or is posted there.
  base::Result HelpFrozen(const NamespaceRef& ns, std::uint64_t root_offset,
                          index::IndexRoot& root) const;

  base::Result Clear(process::Operation& op, const NamespaceRef& ns) const;
  // drop-1. Idempotent. True: it was this call that marked the namespace.
  absl::StatusOr<bool> MarkForDrop(const NamespaceRef& ns) const;

  // Work on all of a namespace is done in pieces. False: the (monotonic) deadline passed before the
  // work was done; the next call goes on.

  // Reclaims every root that was cleared away and that no snapshot needs. Cheap if there is none.
  absl::StatusOr<bool> ReclaimCleared(process::Operation& op, const NamespaceRef& ns,
                                      std::int64_t deadline_ns) const;
  // drop-3: all that a dropped namespace had, but for its root and the object.
  absl::StatusOr<bool> ReclaimDropped(process::Operation& op, const NamespaceRef& ns,
                                      std::int64_t deadline_ns) const;
  // The root of a dropped namespace of which nothing else is left.
  void ReclaimDroppedRoot(process::Operation& op, const NamespaceRef& ns) const;

  // Recovery: finishes what is posted in any root of the namespace, and a clear.
  base::Result FinishPosted(const NamespaceRef& ns) const;
  // Calls `use` for the present root and the older ones, until it returns false.
  absl::Status ForEach(
      const NamespaceRef& ns,
      absl::FunctionRef<absl::StatusOr<bool>(std::uint64_t, index::IndexRoot&)> use) const;

 private:
  base::Result Older(const NamespaceRef& ns, const versions::AsOf& as_of,
                     index::IndexRoot** root) const;
  base::Result MissingThen(const NamespaceRef& ns) const;
  // `times` null: also the roots that snapshots need.
  absl::StatusOr<bool> ReclaimOlder(process::Operation& op, const NamespaceRef& ns,
                                    versions::SnapshotTimes* times, std::int64_t deadline_ns) const;

  Core& core_;
};

// Retires the blocks that the operation has noted from `first_note` on, which it made and did not
// publish.
void RetireNoted(process::Operation& op, alloc::Allocator& allocator, std::uint32_t first_note);
// "leads in a circle".
absl::Status LeadsInACircle(const region::Region& region, const NamespaceRef& ns);

}  // namespace commy::namespaces
