// A view of a whole store as it was at one moment.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"

#include "commy/export.h"

namespace commy {

namespace api {
class SnapshotState;
}

// Every read that is given a snapshot sees all namespaces as they were when it was taken, whatever
// this process or another one has written since:
//
//   absl::StatusOr<commy::Snapshot> then = store->TakeSnapshot();
//   absl::StatusOr<std::string> value = ns->Get("key", {.snapshot = &*then});
//   for (auto scan = ns->Scan({.prefix = "a", .snapshot = &*then}); const auto& e : scan) { ... }
//
// A write that was acknowledged before TakeSnapshot() began is seen, one that began after it returned
// is not; of two writes one after the other, the second is never seen without the first. That goes for
// Clear() too. A key whose time to live ended after the snapshot was taken is still there in it. A
// namespace that was made later is empty in it. Dropping and renaming a namespace are not part of it:
// reads say NotFound as soon as the namespace is dropped, and a new name is the name at once.
//
// While it lives, the versions that it sees stay in the file: a store that is written to grows by what
// is replaced or deleted, and a Delete gives no space back. So do not hold one for long; `commy ps` says
// who holds the oldest one and what that costs. A snapshot that its process does not give back, because
// it was killed, is released by whoever comes by.
//
// Move-only; any number of threads may read by it at once, and any may destroy it. It keeps the store
// open, and Store::Close() releases it: reads by it say FailedPrecondition then. A store has 1,024
// snapshots at a time, those of scans included. Cost of taking and releasing one: a few hundred
// nanoseconds; of holding one: a put looks at which are held, some tens of nanoseconds, and a read
// passes the newer versions of its key by, of which at most one is kept for each snapshot that is held.
class COMMY_EXPORT Snapshot {
 public:
  Snapshot(Snapshot&& other) noexcept;
  Snapshot& operator=(Snapshot&& other) noexcept;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot();

  // The commit time of the last change that it sees. 0: moved from.
  [[nodiscard]] std::uint64_t commit_time() const;
  // When it was taken.
  [[nodiscard]] absl::Time taken() const;

 private:
  friend class Store;
  friend class api::SnapshotState;
  explicit Snapshot(std::unique_ptr<api::SnapshotState> state);

  std::unique_ptr<api::SnapshotState> state_;
};

}  // namespace commy
