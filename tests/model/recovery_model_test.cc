// Notes, counters and recovery: a lane killed after any step, and its recoverer as well.
//
// WORDS    head: names a block; block: free | used | retired(tag), commit (0 undecided; stale in a
//          free block); lane: pin, notes[2], op {armed, two deltas, seq}, cell {keys, seq}
//          {units, seq}
// STEPS    change  pin; op = {seq}   write-1 h = head; resolve h   write-2 note[0] = n; CAS n free
//                  -> used, of the lane's own blocks; fill n: n.commit = 0   write-3 note[1] = h;
//                  arm {seq, deltas}, if any is not 0   write-4 CAS head h -> n; lost: drop
//                  note[1], on with write-1   write-5 resolve n   write-6 keys = {keys + delta,
//                  seq}; units = {units + delta, seq}; retire h
//                  then notes = 0, last to first; op = none; unpin
//          recover recover-2 n = first note; if reachable: resolve n; if armed and n.commit != 0:
//                  keys, then units, each if its seq is not that of op; then each note that head
//                  does not name: CAS used -> retired   recover-3 disarm; notes = 0, first to last;
//                  op = none   recover-4 pin = 0   recover-5 free the lane: its next owner goes on
// HOLDS    I1 the block that head names is used   I2 no block is given out that a live, pinned
//          process holds, and the publisher of a block owns it   I3 when all is quiet only the
//          block named by head is used   I4 when all is quiet the cells add up to the present keys
//          and to their units
// One lane is killed once, its first recoverer may be killed as well; the other lane goes on. A
// change is a put (delta 1 over a tombstone, else 0) or a delete, which leaves a tombstone (delta
// -1). A record of lane 0 has one unit, one of lane 1 two, and a tombstone none.
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kBlocks = 6;      // Names 1..5: 1..3 are lane 0's, 4 and 5 lane 1's.
constexpr int kMortal = 1;      // The lane that may be killed; lane 0 goes on.
constexpr int kRecoverers = 2;  // The second one runs if the first one was killed.
constexpr int kActors = 2 + kRecoverers;
constexpr U8 kLastBlockOfLane0 = 3;

enum Pc : U8 {
  kIdle,
  kBegin,
  kLoad,
  kResolveOld,
  kRedrop,
  kNoteNew,
  kAllocate,
  kFill,
  kNoteOld,
  kArm,
  kSwap,
  kArmLate,
  kResolveNew,
  kCell,
  kUnits,
  kRetireOld,
  kRetireDraft,
  kDropOld,
  kDropNew,
  kEnd,
  kUnpin,
  kRecEarlyUnpin,
  kRecReach,
  kRecResolve,
  kRecCount,
  kRecCell,
  kRecUnits,
  kRecTest,
  kRecRetire,
  kRecDisarm,
  kRecNote0,
  kRecNote1,
  kRecEnd,
  kRecUnpin,
  kRecFree,
  kGone
};

struct Options {
  bool note_after_allocation = false;
  bool old_not_noted = false;
  bool pin_first = false;
  bool no_reach_test = false;
  bool no_seq_check = false;
  bool one_seq = false;            // The units are counted if the keys are.
  bool overwrite_unarmed = false;  // Only a change of the number of keys is armed.
  bool armed_late = false;
  bool no_disarm = false;
  bool notes_after_unpin = false;
  bool stale_commit = false;
  bool no_resolve_old = false;
};

class RecoveryModel {
 public:
  struct Record {
    Block block;
    U8 commit, tombstone;
  };
  struct Lane {
    U8 pinned, note[2], armed, delta, units_delta, seq, cell_seq, units_seq;
  };
  struct Actor {
    U8 pc, ops, deletes, held, draft, at;
  };
  struct State {
    U8 head, kills, dead;  // dead: lane 1's owner was killed, and the lane is not freed yet
    U8 keys, units;        // The sums of the cells: what one holds only its writer reads.
    Record record[kBlocks];
    Lane lane[2];
    U8 pinned[kRecoverers];
    Actor process[kActors];
  };

  explicit RecoveryModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    for (int i = 1; i < kBlocks; ++i) {
      s.record[i] = {{Block::kFree, 0}, 1, 0};
    }
    s.record[1].block.state = Block::kUsed;
    s.head = s.keys = 1;
    s.units = UnitsOf(s, 1);
    s.kills = 2;
    s.process[0].ops = s.process[kMortal].ops = 2;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < 2; ++p) {
      if (p == kMortal && s.dead != 0) {
        continue;
      }
      StepWriter(s, p, emit);
    }
    if (s.dead == 0 && s.kills == 2 && s.process[kMortal].pc != kIdle) {
      EmitStep(s, kMortal, emit, [&](State& t, Move& move) {
        --t.kills;
        t.dead = 1;
        t.process[kMortal] = Actor{kIdle, s.process[kMortal].ops, 0, 0, 0, 0};
        move.what = "is killed";
      });
    }
    if (s.dead == 0 && s.process[2].pc == kIdle) {
      return;
    }
    StepRecoverers(s, emit);
  }

  const char* Check(const State& s) const {
    return s.record[s.head].block.state != Block::kUsed ? "I1: a reachable block is free or retired"
                                                        : nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (U8 i = 1; i < kBlocks; ++i) {
      if ((s.record[i].block.state != Block::kFree) != (i == s.head)) {
        return "I3: a block leaked";
      }
    }
    if (s.keys != 1 - s.record[s.head].tombstone) {
      return "I4: the cells do not add up to the keys";
    }
    return s.units != UnitsOf(s, s.head) ? "I4: the cells do not add up to the units" : nullptr;
  }

 private:
  static U8 UnitsOf(const State& s, U8 i) {
    return s.record[i].tombstone != 0 ? U8{0} : static_cast<U8>(Owns(0, i) ? 1 : 2);
  }

  // Bits 0 and 1: the lanes; 2 and 3: the recoverers' own.
  static U8 PinnedMask(const State& s) {
    U8 mask = model::PinnedMask(s.lane);
    for (int i = 0; i < kRecoverers; ++i) {
      if (s.pinned[i] != 0) {
        mask |= Bit(2 + i);
      }
    }
    return mask;
  }

  static void RetireRecord(State& t, U8 i) {
    if (Retire(t.record[i].block, PinnedMask(t))) {
      CollectAll(t);
    }
  }

  static const char* CollectAll(State& t) {
    const char* wrong = nullptr;
    Collect(t.record, PinnedMask(t), [&](U8 i) {
      t.record[i] = {{Block::kFree, 0}, 1, 0};  // Stale, and not undecided: the worse case.
      for (int p = 0; p < 2; ++p) {
        if (t.lane[p].pinned != 0 && (t.process[p].held == i || t.process[p].draft == i)) {
          wrong = "I2: a block is given back that a pinned process holds";
        }
      }
    });
    return wrong;
  }

  static void Disarm(Lane& lane) { lane.armed = lane.delta = lane.units_delta = 0; }
  static bool Owns(int lane, U8 block) { return (block <= kLastBlockOfLane0) == (lane == 0); }

  template <typename Emit>
  void StepWriter(const State& s, int p, Emit&& emit) const {
    const Actor& was = s.process[p];
    if (was.pc == kIdle) {
      if (was.ops == 0) {
        return;
      }
      for (U8 deletes = 0; deletes < 2; ++deletes) {
        State t = s;
        t.lane[p].pinned = 1;
        t.process[p] = Actor{kBegin, static_cast<U8>(was.ops - 1), deletes, 0, 0, 0};
        Move move{p, deletes != 0 ? "pins, to delete" : "pins, to put"};
        GoOn(t, p, &move);
        emit(t, move);
      }
      return;
    }
    if (was.pc == kNoteNew) {
      bool any = false;
      for (U8 n = 1; n < kBlocks; ++n) {
        if (!Owns(p, n) || s.record[n].block.state != Block::kFree || HasDouble(s, p, n)) {
          continue;
        }
        any = true;
        State t = s;
        t.process[p].draft = n;
        t.process[p].pc = kAllocate;
        if (options_.note_after_allocation) {
          t.record[n].block.state = Block::kUsed;
        } else {
          t.lane[p].note[0] = n;
        }
        Move move{p, "notes the block that it is going to take (write-2)"};
        GoOn(t, p, &move);
        emit(t, move);
      }
      if (any) {
        return;
      }
    }
    State t = s;
    Move move{p, nullptr};
    Step(s, t, p, &move);
    GoOn(t, p, &move);
    emit(t, move);
  }

  // An access to a word that no other process ever reads is no step of its own: the notes, the op
  // word and the cell of a lane that is not recovered any more, and its fresh block.
  void GoOn(State& t, int p, Move* move) const {
    if (p == kMortal && (t.kills != 0 || t.dead != 0)) {
      return;
    }
    Actor& me = t.process[p];
    const char* what = move->what;
    while (IsLocal(me.pc) && move->wrong == nullptr) {
      const State now = t;
      Step(now, t, p, move);
      t.lane[p].seq = t.lane[p].cell_seq = t.lane[p].units_seq = 0;
    }
    move->what = what;
  }

  static bool IsLocal(U8 pc) {
    switch (pc) {
      case kBegin:
      case kRedrop:
      case kAllocate:
      case kFill:
      case kNoteOld:
      case kArm:
      case kArmLate:
      case kCell:
      case kUnits:
      case kDropOld:
      case kDropNew:
      case kEnd:
        return true;
      default:
        return false;
    }
  }

  // Free blocks of one owner are alike unless the mortal lane has noted one of them.
  static bool HasDouble(const State& s, int p, U8 n) {
    const Lane& lane = s.lane[kMortal];
    const auto noted = [&](U8 i) { return lane.note[0] == i || lane.note[1] == i; };
    for (U8 i = 1; i < n && !noted(n); ++i) {
      if (Owns(p, i) && s.record[i].block.state == Block::kFree && !noted(i)) {
        return true;
      }
    }
    return false;
  }

  void Step(const State& s, State& t, int p, Move* move) const {
    Actor& me = t.process[p];
    Lane& lane = t.lane[p];
    switch (me.pc) {
      case kBegin:
        move->what = "sets its op word";
        Disarm(lane);
        ++lane.seq;
        me.pc = kLoad;
        return;
      case kLoad:
        move->what = "loads head (write-1)";
        me.held = s.head;
        me.pc = options_.no_resolve_old ? AfterLocate(s, p, me) : kResolveOld;
        return;
      case kResolveOld:
        move->what = "resolves the old head (write-1)";
        t.record[me.held].commit = 1;
        me.pc = AfterLocate(s, p, me);
        return;
      case kRedrop:
        move->what = "drops the note of the head that it lost";
        lane.note[1] = 0;
        me.pc = kNoteOld;
        return;
      case kNoteNew:
        move->what = "finds no free block";
        me.held = 0;
        me.pc = kDropOld;
        return;
      case kAllocate:
        move->what = "CAS n free -> used (write-2)";
        if (options_.note_after_allocation) {
          lane.note[0] = me.draft;
        } else if (s.record[me.draft].block.state != Block::kFree) {
          move->wrong = "I2: two take the same block";
        }
        t.record[me.draft].block.state = Block::kUsed;
        me.pc = kFill;
        return;
      case kFill:
        move->what = "fills n (write-2)";
        if (s.record[me.draft].block.state != Block::kUsed) {
          move->wrong = "I2: fills a block that is not its own";
        }
        if (!options_.stale_commit) {
          t.record[me.draft].commit = 0;
        }
        t.record[me.draft].tombstone = me.deletes;
        me.pc = kNoteOld;
        return;
      case kNoteOld:
        move->what = "notes the old head (write-3)";
        if (!options_.old_not_noted) {
          lane.note[1] = me.held;
        }
        me.pc = options_.armed_late ? kSwap : kArm;
        return;
      case kArm:
      case kArmLate: {
        move->what = "arms its op word (write-3)";
        const U8 delta = static_cast<U8>((1 - me.deletes) - (1 - s.record[me.held].tombstone));
        lane.delta = delta;
        lane.units_delta = static_cast<U8>(UnitsOf(s, me.draft) - UnitsOf(s, me.held));
        lane.armed = delta != 0 || (lane.units_delta != 0 && !options_.overwrite_unarmed) ? 1 : 0;
        me.pc = me.pc == kArm ? kSwap : kResolveNew;
        return;
      }
      case kSwap:
        move->what = "CAS head h -> n (write-4)";
        if (s.head == me.held) {
          if (s.record[me.draft].block.state != Block::kUsed) {
            move->wrong = "I2: publishes a block that is not its own";
          }
          t.head = me.draft;
          me.pc = options_.armed_late ? kArmLate : kResolveNew;
        } else {
          move->what = "loses the CAS of head";
          me.held = 0;
          me.pc = kLoad;
        }
        return;
      default:
        Finish(t, p, move);
        return;
    }
  }

  static Pc AfterLocate(const State& s, int p, Actor& me) {
    if (me.deletes != 0 && s.record[me.held].tombstone != 0) {
      me.held = 0;
      return me.draft != 0 ? kRetireDraft : kDropOld;
    }
    if (me.draft == 0) {
      return kNoteNew;
    }
    return s.lane[p].note[1] != 0 ? kRedrop : kNoteOld;
  }

  void Finish(State& t, int p, Move* move) const {
    Actor& me = t.process[p];
    Lane& lane = t.lane[p];
    switch (me.pc) {
      case kResolveNew:
        move->what = "resolves n (write-5)";
        t.record[me.draft].commit = 1;
        me.draft = 0;
        me.pc = lane.armed != 0 ? kCell : kRetireOld;
        return;
      case kCell:
        move->what = "writes its cell (write-6)";
        t.keys = static_cast<U8>(t.keys + lane.delta);
        lane.cell_seq = lane.seq;
        me.pc = kUnits;
        return;
      case kUnits:
        move->what = "writes the units of its cell (write-6)";
        t.units = static_cast<U8>(t.units + lane.units_delta);
        lane.units_seq = lane.seq;
        me.pc = kRetireOld;
        return;
      case kRetireOld:
        move->what = "retires the old head (write-6)";
        RetireRecord(t, me.held);
        me.held = 0;
        me.pc = options_.notes_after_unpin ? kUnpin : kDropOld;
        return;
      case kRetireDraft:
        move->what = "retires its draft, never published";
        RetireRecord(t, me.draft);
        me.draft = 0;
        me.pc = kDropOld;
        return;
      case kDropOld:
        move->what = "clears note 1";
        lane.note[1] = 0;
        me.pc = kDropNew;
        return;
      case kDropNew:
        move->what = "clears note 0";
        lane.note[0] = 0;
        me.pc = kEnd;
        return;
      case kEnd:
        move->what = "clears its op word";
        Disarm(lane);
        me.pc = kUnpin;
        if (lane.pinned == 0) {
          me = Actor{kIdle, me.ops, 0, 0, 0, 0};
        }
        return;
      default:
        move->what = "unpins";
        lane.pinned = 0;
        move->wrong = CollectAll(t);
        me = Actor{kIdle, me.ops, 0, 0, 0, 0};
        if (options_.notes_after_unpin && (lane.note[0] | lane.note[1]) != 0) {
          me.pc = kDropOld;
        }
        return;
    }
  }

  template <typename Emit>
  void StepRecoverers(const State& s, Emit&& emit) const {
    const int r = s.process[2].pc == kGone ? 1 : 0;  // Gone: done, or killed.
    const int p = 2 + r;
    if (s.process[p].pc == kGone) {
      return;
    }
    if (s.process[p].pc == kIdle) {
      if (s.dead == 0) {
        return;
      }
      State t = s;
      t.pinned[r] = 1;
      t.process[p].pc = options_.pin_first ? kRecEarlyUnpin : kRecReach;
      emit(t, Move{p, "takes the dead lane's lock and pins"});
      return;
    }
    State t = s;
    Move move{p, nullptr};
    Recover(s, t, r, &move);
    emit(t, move);
    if (r == 0 && s.kills == 1) {
      State killed = s;
      --killed.kills;
      killed.process[p] = Actor{kGone, 0, 0, 0, 0, 0};
      emit(killed, Move{p, "is killed"});
    }
    if (r == 1 && s.pinned[0] != 0) {
      State idle = s;
      idle.pinned[0] = 0;
      Move unpin{p, "clears the pin of the first recoverer, whose lane has no notes"};
      unpin.wrong = CollectAll(idle);
      emit(idle, unpin);
    }
  }

  void Recover(const State& s, State& t, int r, Move* move) const {
    Actor& me = t.process[2 + r];
    Lane& lane = t.lane[kMortal];
    const U8 made = lane.note[0] != 0 ? lane.note[0] : lane.note[1];
    switch (me.pc) {
      case kRecEarlyUnpin:
        move->what = "clears the dead lane's pin";
        lane.pinned = 0;
        move->wrong = CollectAll(t);
        me.pc = kRecReach;
        return;
      case kRecReach:
        move->what = "looks whether the first noted record is reachable (recover-2)";
        me.pc = made == 0 ? kRecTest : (s.head == made ? kRecResolve : kRecCount);
        return;
      case kRecResolve:
        move->what = "resolves it (recover-2)";
        t.record[made].commit = 1;
        me.pc = kRecCount;
        return;
      case kRecCount:
        move->what = "looks whether it is to be counted (recover-2)";
        me.pc = lane.armed != 0 && s.record[made].commit != 0 ? kRecCell : kRecTest;
        return;
      case kRecCell:
        move->what = "counts it, if the cell does not carry its seq (recover-2)";
        me.pc = kRecUnits;
        if (options_.no_seq_check || lane.cell_seq != lane.seq) {
          t.keys = static_cast<U8>(t.keys + lane.delta);
          lane.cell_seq = lane.seq;
        } else if (options_.one_seq) {
          me.pc = kRecTest;
        }
        return;
      case kRecUnits:
        move->what = "counts its units, if those do not carry its seq (recover-2)";
        if (options_.no_seq_check || options_.one_seq || lane.units_seq != lane.seq) {
          t.units = static_cast<U8>(t.units + lane.units_delta);
          lane.units_seq = lane.seq;
        }
        me.pc = kRecTest;
        return;
      case kRecTest: {
        move->what = "looks whether a noted block is reachable (recover-2)";
        const U8 noted = lane.note[me.at];
        if (noted != 0 && (options_.no_reach_test || s.head != noted)) {
          me.pc = kRecRetire;
        } else {
          NextNote(me);
        }
        return;
      }
      case kRecRetire:
        move->what = "retires it, if it is used (recover-2)";
        RetireRecord(t, lane.note[me.at]);
        NextNote(me);
        return;
      default:
        Leave(t, r, move);
        return;
    }
  }

  void NextNote(Actor& me) const {
    me.pc = kRecTest;
    if (++me.at < 2) {
      return;
    }
    me.at = 0;
    me.pc = options_.no_disarm ? kRecNote0 : kRecDisarm;
  }

  static void Leave(State& t, int r, Move* move) {
    Actor& me = t.process[2 + r];
    Lane& lane = t.lane[kMortal];
    switch (me.pc) {
      case kRecDisarm:
        move->what = "disarms the dead lane (recover-3)";
        Disarm(lane);
        me.pc = kRecNote0;
        return;
      case kRecNote0:
        move->what = "clears note 0 of the dead lane (recover-3)";
        lane.note[0] = 0;
        me.pc = kRecNote1;
        return;
      case kRecNote1:
        move->what = "clears note 1 of the dead lane (recover-3)";
        lane.note[1] = 0;
        me.pc = kRecEnd;
        return;
      case kRecEnd:
        move->what = "clears the dead lane's op word (recover-3)";
        Disarm(lane);
        me.pc = kRecUnpin;
        return;
      case kRecUnpin:
        move->what = "clears the dead lane's pin (recover-4)";
        lane.pinned = 0;
        move->wrong = CollectAll(t);
        me.pc = kRecFree;
        return;
      default:
        move->what = "frees the lane (recover-5) and unpins itself";
        t.dead = 0;
        t.pinned[r] = 0;
        t.pinned[0] = 0;
        move->wrong = CollectAll(t);
        t.kills = 0;
        me.pc = kGone;
        t.process[2].pc = t.process[3].pc = kGone;
        return;
    }
  }

  Options options_;
};

TEST(RecoveryModelTest, NoBlockLeaksAndTheCellsAddUpWhicheverProcessIsKilled) {
  ExpectHolds(RecoveryModel({}), "recovery");
}

TEST(RecoveryModelTest, ANoteAfterTheAllocationIsCaught) {
  ExpectCaught(RecoveryModel({.note_after_allocation = true}),
               "recovery, weakened: noted after the allocation");
}

TEST(RecoveryModelTest, AnOldHeadThatIsNotNotedIsCaught) {
  ExpectCaught(RecoveryModel({.old_not_noted = true}), "recovery, weakened: old head not noted");
}

TEST(RecoveryModelTest, APinClearedBeforeTheNotesAreReclaimedIsCaught) {
  ExpectCaught(RecoveryModel({.pin_first = true}), "recovery, weakened: the pin goes first");
}

TEST(RecoveryModelTest, RetiringAReachableBlockIsCaught) {
  ExpectCaught(RecoveryModel({.no_reach_test = true}), "recovery, weakened: no reachability test");
}

TEST(RecoveryModelTest, CountingAChangeTwiceIsCaught) {
  ExpectCaught(RecoveryModel({.no_seq_check = true}), "recovery, weakened: seq not compared");
}

TEST(RecoveryModelTest, CountingTheUnitsByTheSeqOfTheKeysIsCaught) {
  ExpectCaught(RecoveryModel({.one_seq = true}), "recovery, weakened: one seq for both counts");
}

TEST(RecoveryModelTest, AnOverwriteWhoseChangeOfUnitsIsNotArmedIsCaught) {
  ExpectCaught(RecoveryModel({.overwrite_unarmed = true}),
               "recovery, weakened: only a change of the keys is armed");
}

TEST(RecoveryModelTest, ArmingTheOpWordAfterTheCasIsCaught) {
  ExpectCaught(RecoveryModel({.armed_late = true}), "recovery, weakened: armed after the CAS");
}

TEST(RecoveryModelTest, NotesClearedWhileTheOpWordIsArmedAreCaught) {
  ExpectCaught(RecoveryModel({.no_disarm = true}), "recovery, weakened: not disarmed first");
}

TEST(RecoveryModelTest, NotesClearedAfterUnpinningAreCaught) {
  ExpectCaught(RecoveryModel({.notes_after_unpin = true}),
               "recovery, weakened: notes cleared after the pin");
}

TEST(RecoveryModelTest, StaleCommitWordsAreCaught) {
  ExpectCaught(RecoveryModel({.stale_commit = true}),
               "recovery, weakened: commit word not cleared");
}

TEST(RecoveryModelTest, ReplacingAnUndecidedRecordIsCaught) {
  ExpectCaught(RecoveryModel({.no_resolve_old = true}),
               "recovery, weakened: old head not resolved");
}

}  // namespace
}  // namespace commy::model
