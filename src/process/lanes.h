// The lanes of a session: a thread's own area in the file, claimed by threads, views and loans.
//
// WORDS     of a lane: owner, 0 or {generation, slot + 1}; its notes, pins and op word
// CLAIM     A thread claims an idle lane on its first call: CAS owner 0 -> its session's own word.
// BACK      When the thread has ended and its last view is released: the process-local state first,
//           then owner := 0, since the next owner may come at once. A lane counts its thread's
//           views in one word with a bit for "the thread has ended", so the step that takes the
//           last one away also tells whether the lane is to be given back. An idle lane keeps its
//           spans.
// DEATH     A dead participant's lanes go back through recovery alone (recovery.h).
// TESTED    tests/process/session_test.cc, tests/race/life_race_test.cc, tests/crash/
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"

#include "process/open_state.h"
#include "process/participants.h"
#include "process/thread_lanes.h"
#include "region/region.h"

namespace commy::process {

class Session;

// A pin word is {epoch:62, mode:2}; 0 is no pin. Only write-mode pins exist in format 1: except for
// its owner, only the recoverer of a dead owner ends one.
inline constexpr std::uint64_t kPinWriteMode = 2;
constexpr std::uint64_t PinWord(std::uint64_t epoch) {
  return (epoch << 2U) | kPinWriteMode;
}
constexpr std::uint64_t PinEpoch(std::uint64_t pin) {
  return pin >> 2U;
}

// Process-local state that an upper floor keeps with a lane.
class LaneExtension {
 public:
  LaneExtension() = default;
  LaneExtension(const LaneExtension&) = delete;
  LaneExtension& operator=(const LaneExtension&) = delete;
  virtual ~LaneExtension() = default;
};

// A lane, as the thread that owns it sees it. Owned by one thread at a time; no method is for two
// threads at once, except ReleaseViewPin and DropView.
class Lane {
 public:
  Lane(Session& session, std::uint32_t index, region::LaneLayout& words);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  [[nodiscard]] Session& session() const { return session_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] region::LaneLayout& words() const { return words_; }
  [[nodiscard]] std::unique_ptr<LaneExtension>& extension() { return extension_; }

  // Whether the thread is inside an operation; Close reads it from another thread.
  [[nodiscard]] bool active() const { return depth_.load(std::memory_order_seq_cst) != 0; }

  // N2, as far as this process knows: no operation, note or view is left.
  [[nodiscard]] bool IsIdle() const {
    return !active() && notes_used_ == 0 && operation_depth_ == 0 && !has_views() &&
           view_pins_.load(std::memory_order_relaxed) == 0;
  }

  // Takes one of the lane's view pins and gives it the epoch of `pinned`'s pin, which is this lane
  // or one with a lower index: an advancer reads the pins in that order, so that it sees one of
  // the two. -1: none free. Requires: `pinned` is pinned by the caller.
  int TakeViewPin(const Lane& pinned);
  // Any thread.
  void ReleaseViewPin(int pin);
  // Whether this lane's thread has views, wherever their pins are.
  [[nodiscard]] bool has_views() const {
    return views_.load(std::memory_order_seq_cst) / kOneView != 0;
  }
  // Before the view's pin is taken.
  void CountView() { views_.fetch_add(kOneView, std::memory_order_seq_cst); }
  // After the view's pin was released. True: this was the last view and the thread has ended; then
  // the caller gives the lane back. After false, the lane may be gone already.
  [[nodiscard]] bool DropView() {
    return views_.fetch_sub(kOneView, std::memory_order_seq_cst) == kOneView + kOrphaned;
  }
  // The lane's thread has ended. True: no views are left, and the caller gives the lane back.
  [[nodiscard]] bool Orphan() { return views_.fetch_or(kOrphaned, std::memory_order_seq_cst) == 0; }
  // Further lanes that hold only view pins of this one's thread, when its own do not suffice.
  [[nodiscard]] std::vector<Lane*>& view_lanes() { return view_lanes_; }

 private:
  friend class Pin;
  friend class QuickPin;
  friend class Operation;

  Session& session_;
  const std::uint32_t index_;
  region::LaneLayout& words_;
  std::unique_ptr<LaneExtension> extension_;
  std::atomic<std::uint32_t> depth_{0};
  std::uint32_t notes_used_ = 0;
  std::uint32_t operation_depth_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t next_seq_ = 0;
  std::atomic<std::uint32_t> view_pins_{0};
  static constexpr std::uint32_t kOrphaned = 1;
  static constexpr std::uint32_t kOneView = 2;
  std::atomic<std::uint32_t> views_{0};  // {views:31, orphaned:1}
  std::vector<Lane*> view_lanes_;
};

// A few lanes are only for recovery.
enum class LaneUse : std::uint8_t { kOrdinary, kRecovery };

struct ViewPin {
  Lane* owner = nullptr;  // The lane of the thread that took it.
  Lane* lane = nullptr;   // The lane with the pin.
  int pin = -1;
};

// Claims lanes of the file for the threads of one session, and gives them back. Any thread.
class Lanes {
 public:
  Lanes(Session& session, region::Region& region, OpenState& open, const Participant& participant);
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // The calling thread's lane; taken on first use, given back when the thread ends.
  // ResourceExhausted: all are taken, or the disk is full.
  absl::StatusOr<Lane*> OfThisThread(LaneUse use);
  // Of this session alone, in this process.
  [[nodiscard]] std::uint64_t session_id() const { return session_id_; }
  // The calling thread's lane; null: it has none yet.
  [[nodiscard]] Lane* FindOfThisThread() const { return ThreadLanes::Find(session_id_); }
  // Called when a thread that used this session ends.
  void ReturnLane(Lane* lane);

  // A pin for a view, with the epoch of the lane's own, in the lane or in one that is claimed for
  // it. Requires: `lane` is the caller's, and pinned. ResourceExhausted: all lanes are taken.
  absl::StatusOr<ViewPin> TakeViewPin(Lane& lane);
  void ReleaseView(const ViewPin& view);

  // A lane for a loan, which holds a note and the pin from one operation to the next. It counts as
  // one with a view, and is given back by ReturnLoanLane(). Not for threads.
  absl::StatusOr<Lane*> ClaimLoanLane();
  // Requires: the loan's notes and pin are gone.
  void ReturnLoanLane(Lane* lane);

  [[nodiscard]] bool IsThisThreadActive() const;
  [[nodiscard]] bool IsAnyActive();
  [[nodiscard]] bool HasViews();

  // Ends every lane in the file. The `Lane`s stay: a thread that still knows its own hears through
  // it that the store is closed. Requires: the session is closed.
  void GiveAllBack();

 private:
  // A lane of at least `first`.
  absl::StatusOr<Lane*> ClaimLane(std::uint32_t first, LaneUse use);
  Lane* TryClaimLane(std::uint32_t first, std::uint32_t end);
  absl::StatusOr<ViewPin> FindViewPin(Lane& lane);
  // Requires: its thread has ended, and no view of it is left.
  void GiveBackWithViewLanes(Lane* lane);
  void GiveLaneBack(Lane* lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] bool Holds(const Lane* lane) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Session& session_;
  region::Region& region_;
  OpenState& open_;
  const Participant& participant_;
  const std::uint64_t session_id_;  // Never used twice in this process.

  std::mutex mutex_;
  std::vector<std::unique_ptr<Lane>> lanes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace commy::process
