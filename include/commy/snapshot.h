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

// A view of all namespaces as they were when it was taken. Every read that is given the snapshot
// sees that state, whatever this process or another one has written since:
//
//   absl::StatusOr<commy::Snapshot> then = store->TakeSnapshot();
//   absl::StatusOr<std::string> value = ns->Get("key", {.snapshot = &*then});
//   for (auto scan = ns->Scan({.prefix = "a", .snapshot = &*then}); const auto& e : scan) { ... }
//
// What it sees. A write that was acknowledged before TakeSnapshot() began is seen; one that began
// after it returned is not. Of two writes one after the other, the second is never seen without the
// first. This includes Clear(). A key whose time to live ends after the snapshot was taken is still
// present in it. A namespace that is created later is empty in it. Dropping and renaming of
// namespaces are not covered: reads fail as soon as the namespace is dropped (see
// IsNamespaceDropped), and a new name is valid at once.
//
// What it costs. While it is held, the versions that it sees stay in the file. So a store that is
// written to grows by what is replaced or deleted, and a Delete frees no space. Do not hold one for
// long; `commy ps` shows which process holds the oldest one, and what that keeps. Taking and
// releasing one costs a few hundred nanoseconds together. While any is held, a put looks up which
// ones are, at some tens of nanoseconds. A read skips the newer versions of its key; at most one of
// them is kept for each snapshot held.
//
// Move-only. Any number of threads may read by it at once, and any thread may destroy it. It keeps
// the store open. Store::Close() releases it; reads by it then return FailedPrecondition. The
// snapshots of a killed process are released by another one. A store has room for
// Options::snapshots at a time, including those of scans.
class COMMY_EXPORT Snapshot {
 public:
  Snapshot(Snapshot&& other) noexcept;
  Snapshot& operator=(Snapshot&& other) noexcept;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot();

  // The commit time of the last change that it sees. Commit times go up with each commit of the
  // store; compare with Transaction::commit_time(). 0: the snapshot was moved from.
  [[nodiscard]] std::uint64_t commit_time() const;
  // When it was taken, by the wall clock. InfinitePast: the snapshot was moved from.
  [[nodiscard]] absl::Time taken() const;

 private:
  friend class Store;
  friend class api::SnapshotState;
  explicit Snapshot(std::unique_ptr<api::SnapshotState> state);

  std::unique_ptr<api::SnapshotState> state_;
};

}  // namespace commy
