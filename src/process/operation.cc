#include "process/operation.h"

#include "base/check.h"
#include "base/status.h"
#include "process/session.h"

namespace commy::process {
namespace {

std::uint64_t Load(const region::Shared64& word) {
  return word.load(std::memory_order_relaxed);
}

// What a thread may rely on between its own pin and unpin: the lane is its session's (N1), and the
// pin is up and not above the epoch, which only grows (E1).
[[maybe_unused]] bool IsPinned(const Lane& lane) {
  const region::LaneLayout& words = lane.words();
  const std::uint64_t pin = Load(words.pins[0]);
  return Load(words.owner) == lane.session().owner_word() && pin != 0 &&
         PinEpoch(pin) <= Load(lane.session().region().header().epoch);
}

}  // namespace

Pin::Pin(Lane& lane) : lane_(lane) {
  const std::uint32_t depth = lane.depth_.load(std::memory_order_relaxed);
  Session& session = lane.session_;
  if (depth != 0) {
    if (!session.SameProcess()) [[unlikely]] {
      return;  // Forked inside a callback.
    }
    COMMY_DCHECK(IsPinned(lane));  // N1, E1
    lane.depth_.store(depth + 1, std::memory_order_relaxed);
    entered_ = true;
    return;
  }
  region::Shared64& pin = lane.words_.pins[0];
  if (session.pins_by_store()) [[likely]] {
    lane.depth_.store(1, std::memory_order_relaxed);
    base::CompilerFence();
    if (!session.usable()) [[unlikely]] {
      lane.depth_.store(0, std::memory_order_release);
      return;
    }
    pin.store(PinWord(session.region().header().epoch.load(std::memory_order_acquire)),
              std::memory_order_relaxed);
    base::CompilerFence();  // The advancer's membarrier is the other half.
  } else {
    lane.depth_.exchange(1, std::memory_order_seq_cst);
    base::FullFence();  // An exchange alone does not keep later loads behind its store on ARM.
    if (!session.usable()) [[unlikely]] {
      lane.depth_.store(0, std::memory_order_release);
      return;
    }
    pin.exchange(PinWord(session.region().header().epoch.load(std::memory_order_acquire)),
                 std::memory_order_seq_cst);
    base::FullFence();
  }
  COMMY_DCHECK(IsPinned(lane));              // N1, E1
  COMMY_DCHECK(lane.notes_used_ == 0);       // N2
  COMMY_DCHECK(lane.operation_depth_ == 0);  // N2
  entered_ = true;
}

Pin::~Pin() {
  if (!entered_ || !lane_.session_.SameProcess()) {
    return;  // Forked since: the child does not have the mapping.
  }
  const std::uint32_t depth = lane_.depth_.load(std::memory_order_relaxed);
  COMMY_DCHECK(depth != 0);
  COMMY_DCHECK(IsPinned(lane_));  // N1, E1
  if (depth == 1) {
    COMMY_DCHECK(lane_.notes_used_ == 0);       // O2
    COMMY_DCHECK(lane_.operation_depth_ == 0);  // O2
    lane_.words_.pins[0].store(0, std::memory_order_release);
  }
  lane_.depth_.store(depth - 1, std::memory_order_release);
}

Operation::Operation(Lane& lane, OpKind kind, std::uint64_t object_bytes)
    : lane_(lane), pin_(lane), kind_(kind) {
  if (!pin_.entered()) {
    return;
  }
  entered_ = true;
  outermost_ = lane.operation_depth_++ == 0;
  if (!outermost_) {
    return;
  }
  COMMY_DCHECK(kind != OpKind::kNone);
  COMMY_DCHECK(lane.notes_used_ == 0);  // N2
  region::LaneLayout& words = lane.words_;
  seq_ = ++lane.next_seq_ & kOpSeqMask;
  words.op_object.store(object_bytes, std::memory_order_relaxed);
  // The count first: Session::Sync tells by it whether the operation that it saw is over.
  words.operations.store(++lane.operations_, std::memory_order_relaxed);
  words.op.store(PackOp({false, 0, kind, seq_}), std::memory_order_release);
  // A process that syncs the store reads the op word after its barrier. The other half: this
  // operation looks whether such a sync has begun.
  if (lane.session_.pins_by_store()) [[likely]] {
    base::CompilerFence();
  } else {
    base::FullFence();
  }
  if (region().NeedsDirty()) [[unlikely]] {
    entered_ = region().EnsureDirty().ok();
  }
}

absl::Status Operation::status() const {
  COMMY_RETURN_IF_ERROR(session().CheckUsable());
  if (entered_) {
    return absl::OkStatus();
  }
  COMMY_RETURN_IF_ERROR(region().EnsureDirty());
  // Whatever was in the way is over by now; the operation has not begun all the same.
  return base::Unavailable(
      "the store was being closed, or could not be marked as in use, when the ",
      "operation was to begin; try again");
}

Operation::~Operation() {
  if (!pin_.entered() || !lane_.session().SameProcess()) {
    return;
  }
  COMMY_DCHECK(lane_.operation_depth_ != 0);
  --lane_.operation_depth_;
  if (!outermost_) {
    return;
  }
  COMMY_DCHECK(lane_.operation_depth_ == 0);
  COMMY_DCHECK(UnpackOp(Load(lane_.words_.op)).kind == kind_);  // N1
  DropNotes(0);
  lane_.words_.op.store(PackOp({false, 0, OpKind::kNone, seq_}), std::memory_order_release);
  lane_.words_.op_object.store(0, std::memory_order_release);
}

region::Region& Operation::region() const {
  return lane_.session().region();
}

void Operation::SetObject(std::uint64_t object_bytes) {
  COMMY_CHECK(outermost_);
  lane_.words_.op_object.store(object_bytes, std::memory_order_release);
}

std::uint32_t Operation::AddNote(std::uint64_t note) {
  const std::uint32_t place = lane_.notes_used_;
  COMMY_CHECK(outermost_);
  COMMY_CHECK(place < region::kNotesPerLane);
  COMMY_DCHECK(IsPinned(lane_));  // O2
  lane_.notes_used_ = place + 1;
  lane_.words_.notes[place].store(note, std::memory_order_release);
  return place;
}

void Operation::SetNote(std::uint32_t place, std::uint64_t note) {
  COMMY_DCHECK(outermost_);
  COMMY_DCHECK(place < lane_.notes_used_);
  lane_.words_.notes[place].store(note, std::memory_order_release);
}

void Operation::ReplaceNote(std::uint32_t place, std::uint64_t note) {
  COMMY_DCHECK(outermost_);
  COMMY_DCHECK(place < lane_.notes_used_);
  lane_.words_.notes[place].exchange(note, std::memory_order_seq_cst);
  base::FullFence();  // An exchange alone does not keep later loads behind its store on ARM.
}

void Operation::DropNotes(std::uint32_t place) {
  while (lane_.notes_used_ > place) {
    lane_.words_.notes[--lane_.notes_used_].store(0, std::memory_order_release);
  }
}

void Operation::KeepNotes() {
  COMMY_DCHECK(outermost_);
  COMMY_DCHECK(lane_.view_pins_.load(std::memory_order_relaxed) != 0);
  lane_.notes_used_ = 0;
}

void Operation::Arm(const Counting& change) {
  while (seq_ == change.keys_seq || seq_ == change.units_seq) [[unlikely]] {
      seq_ = ++lane_.next_seq_ & kOpSeqMask;
    }
  COMMY_DCHECK(outermost_);
  COMMY_DCHECK(change.keys != 0 || change.units != 0);
  COMMY_DCHECK(lane_.notes_used_ != 0);  // O1: recovery judges an armed change by its note.
  COMMY_DCHECK(seq_ != change.keys_seq && seq_ != change.units_seq);  // D1: or it was counted.
  lane_.words_.op_counter.store(change.cell_offset, std::memory_order_relaxed);
  lane_.words_.op.store(PackOp({true, change.keys, kind_, seq_, change.units}),  // count-1
                        std::memory_order_release);
}

void Operation::Disarm() {
  COMMY_DCHECK(outermost_);
  lane_.words_.op.store(PackOp({false, 0, kind_, seq_}), std::memory_order_release);
}

}  // namespace commy::process
