// Giving space back while everybody works: moves blocks out of sparse spans and out of the end of
// the file, and gives the disk blocks of what is free back.
//
// A shrink is a row of steps, each of some milliseconds, that any number of rounds goes through:
//
//   prepare   removes what can be removed: the dead, dropped namespaces, old versions, empty spans
//   survey    looks at every span, and chooses those that are to be emptied (shrink_plan.h)
//   leave     closes them: no lane allocates from them any more (alloc/leaving.cc)
//   move      walks over all namespaces and moves what lies in them (namespaces/mover.h)
//   settle    moves the epoch on, and frees the spans that became empty; then the next round, as
//             long as the last one has freed some
//   reopen    takes back the spans that did not become empty
//   punch     gives the disk blocks of free spans back, but for a few (alloc/holes.cc); then the
//             next survey, if there is much to gain still
//
// What is in the file is whole after each step, so a shrink may end anywhere, be it by a limit or
// by a kill: spans that were left are found by the next survey, or by an allocation that needs
// them.
// Where a shrink is lies in process memory.
//
// Several processes may shrink a store at once, though it is of no use. Those that do it in the
// background take turns by `shrinker`, a word of the header.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/info.h"
#include "commy/options.h"
#include "engine/engine.h"
#include "engine/shrink_plan.h"
#include "index/slots.h"

namespace commy::engine {

class Shrinker {
 public:
  explicit Shrinker(const Engine& engine) : engine_(engine) {}
  Shrinker(const Shrinker&) = delete;
  Shrinker& operator=(const Shrinker&) = delete;

  // Store::ShrinkToUsage(). Requires: the calling thread is in no operation.
  absl::StatusOr<ShrinkReport> Run(const ShrinkOptions& options);
  // A few milliseconds of it, if there is much to gain. Each heartbeat.
  void Background();

 private:
  enum class Phase : std::uint8_t {
    kIdle,
    kPrepare,
    kSurvey,
    kLeave,
    kMove,
    kSettle,
    kReopen,
    kPunch,
  };

  // A step, until the (monotonic) deadline and a little longer. `bytes_limit`: to move in it.
  absl::Status Step(std::int64_t deadline_ns, std::uint64_t bytes_limit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Begin(const ShrinkAims& aims) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Prepare(std::int64_t deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Survey(std::int64_t deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Leave() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Free spans to move to; and no more to move than fits into them.
  absl::Status MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The namespaces, and what of them never moves.
  absl::Status ListNamespaces() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is free in closed units is not used before they are given back.
  absl::Status CloseFree() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Move(std::int64_t deadline_ns, std::uint64_t bytes_limit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Settle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Retired spans become free.
  absl::Status Reclaim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Reopen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Punch(std::int64_t deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Free spans of units that are not wholly unused.
  [[nodiscard]] std::uint64_t FreeInUsedUnits(std::uint64_t count, std::uint64_t unit) const;
  // Free spans among these; 0 if any of them is in use.
  [[nodiscard]] std::uint64_t FreeIfUnused(std::uint64_t begin, std::uint64_t end) const;
  // Whether this process is the one that shrinks in the background.
  [[nodiscard]] bool TakeTurn() const;
  void Tell(ShrinkReport* report) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `use` in operations of the calling thread's lane, for spans [begin, end), some at a time.
  absl::Status ForSpans(std::uint64_t begin, std::uint64_t end,
                        absl::FunctionRef<void(process::Operation&, std::uint64_t span)> use) const;

  const Engine& engine_;
  std::mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kIdle;
  ShrinkAims aims_ ABSL_GUARDED_BY(mutex_);
  ShrinkPlan plan_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t place_ ABSL_GUARDED_BY(mutex_) = 0;  // The span at which a step goes on.
  std::uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  int passes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t moved_before_ ABSL_GUARDED_BY(mutex_) = 0;        // Bytes, in the passes before.
  std::vector<NamespaceKey> namespaces_ ABSL_GUARDED_BY(mutex_);  // That are still to be walked.
  index::SlotPlace slots_place_ ABSL_GUARDED_BY(mutex_);          // In the last of them.
  bool moving_again_ ABSL_GUARDED_BY(mutex_) = false;  // After a settling for want of room.
  std::uint64_t freed_ ABSL_GUARDED_BY(mutex_) = 0;    // Spans, in this settling.
  int settlings_ ABSL_GUARDED_BY(mutex_) = 0;
  namespaces::MoveTally tally_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t stuck_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t stuck_blocks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t move_limit_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t kept_free_ ABSL_GUARDED_BY(mutex_) = 0;
  StuckSpans stuck_ ABSL_GUARDED_BY(mutex_);
  std::unordered_set<std::uint64_t> closed_units_ ABSL_GUARDED_BY(mutex_);  // In any round.
  std::int64_t next_look_ns_ ABSL_GUARDED_BY(mutex_) = 0;                   // Of the background.
  std::uint64_t seen_clock_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace commy::engine
