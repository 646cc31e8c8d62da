// A thread's own area in the file, as the thread that owns it sees it, and the operations that it
// runs there.
//
// The op word says what the lane is at, and carries the change of a counter that goes with it:
//
//   {armed:1, delta + 1:2, kind:5, seq:24 in the low bits}
//
// A counter cell is {value:40 signed, seq:24}, one word that only its lane writes. The operation
// arms {seq, delta} before the CAS that publishes it and writes {value + delta, seq} afterwards;
// recovery does the latter if the operation was published and the cell does not carry its seq.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "process/notes.h"
#include "region/region.h"

namespace commy::process {

class Session;

// What an operation is, for people and for recovery.
enum class OpKind : std::uint8_t {
  kNone = 0,
  kRead = 1,
  kWrite = 2,
  kScan = 3,
  kCatalog = 4,
  kClear = 5,
  kDrop = 6,
  kSweep = 7,
  kRecover = 8,
  kAllocate = 9,
  kCheck = 10,
  kTransaction = 11,
};

struct OpWord {
  bool armed = false;
  int delta = 0;  // -1, 0 or 1
  OpKind kind = OpKind::kNone;
  std::uint64_t seq = 0;
};

inline constexpr std::uint64_t kOpSeqMask = 0xffffff;

constexpr std::uint64_t PackOp(const OpWord& op) {
  return (std::uint64_t{op.armed} << 63U) | (static_cast<std::uint64_t>(op.delta + 1) << 61U) |
         (static_cast<std::uint64_t>(op.kind) << 56U) | (op.seq & kOpSeqMask);
}

constexpr OpWord UnpackOp(std::uint64_t word) {
  return OpWord{(word >> 63U) != 0, static_cast<int>((word >> 61U) & 3U) - 1,
                static_cast<OpKind>((word >> 56U) & 31U), word & kOpSeqMask};
}

// A pin word is {epoch:62, mode:2}; 0 is no pin. Only write-mode pins exist in format 1: nobody but
// the kernel's word that the owner is dead ends one.
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

// Owned by one thread at a time; no method is for two threads at once, except Release*View.
class Lane {
 public:
  Lane(Session& session, std::uint32_t index, region::LaneLayout& words)
      : session_(session),
        index_(index),
        words_(words),
        operations_(words.operations.load(std::memory_order_relaxed)),
        next_seq_(UnpackOp(words.op.load(std::memory_order_relaxed)).seq) {}

  [[nodiscard]] Session& session() const { return session_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] region::LaneLayout& words() const { return words_; }
  [[nodiscard]] std::unique_ptr<LaneExtension>& extension() { return extension_; }

  // Whether the thread is inside an operation; read by Session::Close from another thread.
  [[nodiscard]] bool active() const { return depth_.load(std::memory_order_seq_cst) != 0; }

  // Takes one of the lane's view pins and gives it the epoch of `pinned`'s pin, which is this lane
  // or one with a lower index: an advancer reads the pins in that order, so that it sees one of
  // the two. -1: none free. Requires: `pinned` is pinned by the caller.
  int TakeViewPin(const Lane& pinned);
  // Any thread.
  void ReleaseViewPin(int pin);
  // Views of this lane's thread, wherever their pins are.
  [[nodiscard]] bool has_views() const {
    return views_.load(std::memory_order_seq_cst) / kOneView != 0;
  }
  // Before the view's pin is taken, and after it was released. By the latter the last one learns
  // whether the thread has ended meanwhile: then, and only then, the lane is its own to give back,
  // and else it may be gone already.
  void CountView() { views_.fetch_add(kOneView, std::memory_order_seq_cst); }
  [[nodiscard]] bool DropView() {
    return views_.fetch_sub(kOneView, std::memory_order_seq_cst) == kOneView + kOrphaned;
  }
  // The lane's thread has ended. True: no views are left, so that it gives the lane back itself.
  [[nodiscard]] bool Orphan() { return views_.fetch_or(kOrphaned, std::memory_order_seq_cst) == 0; }
  // Further lanes that hold only view pins of this one's thread, when its own do not suffice.
  [[nodiscard]] std::vector<Lane*>& view_lanes() { return view_lanes_; }

 private:
  friend class Pin;
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

// Keeps everything that can be reached from being reused, for the length of a scope. Nests.
class Pin {
 public:
  explicit Pin(Lane& lane);
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  // Whether the session is open and belongs to this process. If not, nothing was pinned and the
  // mapping must not be touched. (Checked after the lane is marked active, so that Close waits.)
  [[nodiscard]] bool entered() const { return entered_; }
  [[nodiscard]] Lane& lane() const { return lane_; }

 private:
  Lane& lane_;
  bool entered_ = false;
};

// A pinned operation with notes. Notes and the op word are cleared before the pin is. An operation
// inside another one (recovery, when an allocation is held up) is only a pin: the words say what
// the outer one is at, and the inner one may not take notes.
class Operation {
 public:
  // `object_bytes` is the offset of what the operation is about, usually a namespace object.
  Operation(Lane& lane, OpKind kind, std::uint64_t object_bytes);
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Whether it may go on. If not, status() says why.
  [[nodiscard]] bool entered() const { return entered_; }
  // FailedPrecondition: the session is closed, or of another process. Or the disk's own error: the
  // store could not be marked as in use, which comes before the first change.
  [[nodiscard]] absl::Status status() const;
  [[nodiscard]] Lane& lane() const { return lane_; }
  [[nodiscard]] Session& session() const { return lane_.session(); }
  [[nodiscard]] region::Region& region() const;
  // The epoch of the pin, as read when it was taken.
  [[nodiscard]] std::uint64_t pin_epoch() const {
    return PinEpoch(lane_.words().pins[0].load(std::memory_order_relaxed));
  }

  // What the operation is about, if that was not known when it began.
  void SetObject(std::uint64_t object_bytes);

  // Adds a note and returns its place. COMMY_CHECKs that there is room.
  std::uint32_t AddNote(std::uint64_t note);
  // Rewrites a note. Allowed only when the block that it named needs no note any more: it was
  // retired, or this operation neither allocated nor unlinked it.
  void SetNote(std::uint32_t place, std::uint64_t note);
  // The same by exchange, so that who reads the epoch afterwards reads none that is older than the pin of
  // anybody who has still seen the former note.
  void ReplaceNote(std::uint32_t place, std::uint64_t note);
  // Drops the notes from `place` on, under the same condition.
  void DropNotes(std::uint32_t place);
  [[nodiscard]] std::uint32_t notes_used() const { return lane_.notes_used_; }

  // Announces the counter change that goes with the CAS that follows: of the cell at
  // `cell_offset`, which carries `cell_seq` now; the operation's own seq is made to differ.
  void Arm(int delta, std::uint64_t cell_offset, std::uint64_t cell_seq);
  void Disarm();
  [[nodiscard]] std::uint64_t seq() const { return seq_; }

 private:
  Lane& lane_;
  Pin pin_;
  const OpKind kind_;
  bool outermost_ = false;
  bool entered_ = false;
  std::uint64_t seq_ = 0;
};

}  // namespace commy::process
