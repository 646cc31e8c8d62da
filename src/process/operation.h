// Pins and operations: what a thread does in its lane.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "process/lanes.h"
#include "process/notes.h"
#include "process/op_word.h"
#include "region/region.h"

namespace commy::process {

// Keeps every reachable block from reuse for the length of a scope. Nests.
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
// the outer one does, and the inner one may not take notes.
class Operation {
 public:
  // `object_bytes` is the offset of the operation's object, usually a namespace object.
  Operation(Lane& lane, OpKind kind, std::uint64_t object_bytes);
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Whether it may continue. If not, status() says why.
  [[nodiscard]] bool entered() const { return entered_; }
  // FailedPrecondition: the session is closed, or of another process. Or the disk's own error: the
  // store could not be marked as in use, which happens before the first change.
  [[nodiscard]] absl::Status status() const;
  [[nodiscard]] Lane& lane() const { return lane_; }
  [[nodiscard]] Session& session() const { return lane_.session(); }
  [[nodiscard]] region::Region& region() const;

  // Sets the operation's object, if that was not known at its begin.
  void SetObject(std::uint64_t object_bytes);

  // Adds a note and returns its place. COMMY_CHECKs that there is room.
  std::uint32_t AddNote(std::uint64_t note);
  // Rewrites a note. Allowed only when the block that it named needs no note any more: it was
  // retired, or this operation neither allocated nor unlinked it.
  void SetNote(std::uint32_t place, std::uint64_t note);
  // The same by exchange: an epoch that the caller reads afterwards is not older than the pin of
  // any process that has still seen the former note.
  void ReplaceNote(std::uint32_t place, std::uint64_t note);
  // Drops the notes from `place` on, under the same condition.
  void DropNotes(std::uint32_t place);
  [[nodiscard]] std::uint32_t notes_used() const { return lane_.notes_used_; }
  // Lets the notes stand when the operation ends, for the lane's next one, which must add the same
  // notes first. Requires: a view pin of the lane stays up meanwhile: a block that the dead have
  // noted must not be used again before the note is gone.
  void KeepNotes();

  // The change of the counters that goes with the next CAS: of the cell at `cell_offset`, whose two
  // words carry these seqs now.
  struct Counting {
    int keys = 0;  // -1, 0 or 1
    std::int64_t units = 0;
    std::uint64_t cell_offset = 0;
    std::uint64_t keys_seq = 0;
    std::uint64_t units_seq = 0;
  };
  // Announces it (count-1 of op_word.h). Makes the operation's own seq differ from the cell's.
  void Arm(const Counting& change);
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
