// Changing keys, whatever their order: find the slot, publish, count, prune. And installing the
// records of a transaction, and finishing them afterwards.
//
// STEPS     write-1  find the key's slot, or make room for one; resolve what is there
//           write-2  decide; write a record, noted, with what is there as its `prev`. If it grows
//                    a namespace with a quota: is there room?
//           write-3  note what is there; arm the counters of the lane: the change of the numbers
//                    of keys and units goes with the CAS (count-1 of process/op_word.h)
//           write-4  publish: the CAS of the slot word. Lost: from write-1
//           write-5  give it its time: CAS `commit` 0 -> clock + 1. Any process that meets an
//                    undecided record does so, and the first one wins
//           write-6  count (count-2, count-3); prune below; take a tombstone away that nothing is
//                    below; mark what is left
// WHY       A write takes effect at write-4, and a read when it loads the slot word; or, where that
//           slot was frozen, just before its array was replaced, since nothing has changed in
//           between. A writer that was stopped before write-5 delays no other process, and what was
//           read once stays so: a reader resolves what it returns. A closed slot is not used again
//           in its array's life, so what a walk has passed cannot become the key's place
//           afterwards.
// DEATH     before write-4: the record is in a note, and not reachable. After it: any process that
//           meets it gives it its time. The recoverer counts, where the cell does not carry
//           the operation's seq, and marks the slots for the sweep.
// INTENTS   records of transactions, which count when their transaction does: versions/intents.h
// TESTED    tests/model/version_model_test.cc, tests/model/recovery_model_test.cc, tests/crash/
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "namespaces/core.h"
#include "namespaces/counters.h"
#include "namespaces/expiry.h"
#include "namespaces/roots.h"
#include "namespaces/sweeper.h"
#include "namespaces/write_op.h"

namespace commy::namespaces {

struct InstallOutcome {
  enum class Kind : std::uint8_t {
    kInstalled,
    kConflict,  // Another version was committed since the snapshot.
    kOver,      // The transaction is not active any more.
    kBehind,    // An older one goes first, or the deadline has passed.
  };
  Kind kind = Kind::kInstalled;
  std::uint64_t root_offset = 0;  // In which it is.
  index::Counts delta;            // Of the namespace, if it is committed.
  versions::Ahead ahead;          // Of kBehind.
};

// A record that is to be put when its value is there.
struct Reservation {
  std::uint64_t offset = 0;
  std::uint64_t block_bytes = 0;
  std::string_view key;        // In the block, as the value.
  std::byte* value = nullptr;  // Aligned to kValueAlignMax.
  std::uint64_t value_size = 0;
};

class Writer {
 public:
  Writer(Core& core, const Roots& roots, const Counters& counters, const Sweeper& sweeper,
         const Expiry& expiry)
      : core_(core), roots_(roots), counters_(counters), sweeper_(sweeper), expiry_(expiry) {}

  base::Result Write(process::Operation& op, const NamespaceRef& ns, const WriteOp& write,
                     WriteOutcome* outcome) const;

  // Makes an unpublished record without a value, noted first in the operation: block, key, and room
  // for the value, and for an expiry, which is known later. Its header says that it is none until
  // it is published. Requires: the sizes are in range; the operation has no notes yet.
  absl::StatusOr<Reservation> Reserve(process::Operation& op, const NamespaceRef& ns,
                                      std::string_view key, std::uint64_t value_size) const;
  // Puts the record, whose value is in its place by now. Any other result than kDone: it is as it
  // was before. Requires: the operation's first and only note is the record's.
  base::Result Publish(process::Operation& op, const NamespaceRef& ns,
                       const Reservation& reservation, std::int64_t expiry_ns) const;

  // Installs an intent, a record that was built with a reference to its transaction: makes it the
  // newest version of its key.
  base::Result Install(process::Operation& op, const NamespaceRef& ns,
                       const versions::Installing& transaction, const versions::RecordView& intent,
                       InstallOutcome* outcome) const;
  // Finishes an installed intent whose transaction is final: stamps it, prunes below it, and
  // removes it if it was aborted or is a tombstone that no reader needs. Any number of times, by
  // the owner or its recoverer; `op` needs a note.
  base::Result FinishIntent(process::Operation& op, const NamespaceRef& ns,
                            const versions::RecordView& intent) const;
  // Whether any root of the namespace names the block, or something below it does.
  absl::StatusOr<bool> IsReachable(const NamespaceRef& ns, region::BlockKind kind,
                                   std::uint64_t offset) const;

 private:
  // An unpublished record, and the material that it was made from.
  struct Draft {
    std::uint64_t offset = 0;  // Of its block; 0: none yet.
    std::uint64_t block_bytes = 0;
    bool reserved = false;               // Its key and value are in their places: see Reserve().
    versions::Record* record = nullptr;  // Null: it is not written yet.
    std::int64_t units = 0;              // Of the record.
    Decision from;
    std::uint32_t notes_end = 0;
  };

  base::Result Locate(const NamespaceRef& ns, std::string_view key, std::uint64_t hash,
                      index::Position* at) const;
  // One attempt of Write. kAgain: try again.
  base::Result TryWrite(process::Operation& op, const NamespaceRef& ns, const WriteOp& write,
                        std::uint64_t hash, std::uint32_t first_note, Draft* draft,
                        WriteOutcome* outcome) const;
  absl::Status PrepareDraft(process::Operation& op, const NamespaceRef& ns, std::string_view key,
                            const Decision& decision, std::uint32_t first_note, Draft* draft) const;
  void Finish(process::Operation& op, const NamespaceRef& ns, std::uint64_t hash,
              const index::Position& at, const Draft& draft, std::uint32_t old_note) const;
  // Removes a tombstone that nothing is below. Returns what is still to do after it.
  versions::Leftover RemoveTombstone(process::Operation& op, const NamespaceRef& ns,
                                     std::uint64_t hash, index::Position at,
                                     const versions::RecordView& tombstone) const;
  // For a writer that has resolved the head, which is an intent: removes it if it was aborted. The
  // caller then looks again.
  base::Result ResolveHead(process::Operation& op, const NamespaceRef& ns,
                           const index::Position& at, std::uint64_t commit) const;
  base::Result FinishAborted(process::Operation& op, const NamespaceRef& ns,
                             const versions::RecordView& intent) const;
  [[nodiscard]] absl::Status CannotBeChanged(const NamespaceRef& ns) const;

  Core& core_;
  const Roots& roots_;
  const Counters& counters_;
  const Sweeper& sweeper_;
  const Expiry& expiry_;
};

}  // namespace commy::namespaces
