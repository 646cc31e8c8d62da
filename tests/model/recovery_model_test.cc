// Notes, counters and recovery: a lane killed after any step, and its recoverer as well.
//
// WORDS    head: names a block; block: free | used | retired(tag), commit (0 undecided; what a free
//          block has there is stale); lane: pin, notes[2], op {armed, delta, seq}, cell {value, seq}
// STEPS    change  pin; op = {seq}   P1 h = head; settle h   P2 note[0] = n   P3 CAS n free -> used,
//                  of the lane's own blocks   P4 fill n: n.commit = 0   P5 note[1] = h
//                  P6 arm {seq, delta}   P7 CAS head h -> n; lost: drop note[1], on with P1
//                  P8 settle n   P9 cell = {value + delta, seq}   P10 retire h
//                  P11 notes = 0, last to first; op = none   P12 unpin
//          recover R1 n = first note; if reachable: settle n; if armed and n.commit != 0 and
//                  cell.seq != op.seq: cell = {value + delta, seq}
//                  R2 each note that head does not name: CAS used -> retired   R3 disarm; notes = 0,
//                  first to last; op = none   R4 pin = 0   R5 free the lane: its next owner goes on
// HOLDS    I1 what head names is used   I2 no block is given out that a live, pinned one holds, and
//          who publishes a block owns it   I3 when all is quiet only what head names is used
//          I4 when all is quiet the cells add up to the keys that are there
// One lane is killed once, its first recoverer may be killed as well; the other lane goes on. A
// change is a put (delta 1 over a tombstone, else 0) or a delete that leaves a tombstone (delta -1).
// The tag is modelled by its meaning: who was pinned when it was set (see epoch_model_test.cc).
#include "model/lib/explorer.h"

namespace commy::model {
namespace {

using U8 = std::uint8_t;
constexpr int kBlocks = 6;      // Names 1..5: 1..3 are lane 0's, 4 and 5 lane 1's.
constexpr int kMortal = 1;      // The lane that may be killed; lane 0 goes on.
constexpr int kRecoverers = 2;  // The second one runs if the first one was killed.
constexpr int kActors = 2 + kRecoverers;
constexpr U8 kLastBlockOfLane0 = 3;

enum BlockState : U8 { kFree, kUsed, kRetired };

enum Pc : U8 {
  kIdle,
  kBegin,
  kLoad,
  kSettleOld,
  kRedrop,
  kNoteNew,
  kAllocate,
  kFill,
  kNoteOld,
  kArm,
  kSwap,
  kArmLate,
  kSettleNew,
  kCell,
  kRetireOld,
  kRetireDraft,
  kDropOld,
  kDropNew,
  kEnd,
  kUnpin,
  kRecEarlyUnpin,
  kRecReach,
  kRecSettle,
  kRecCount,
  kRecCell,
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
  bool armed_late = false;
  bool no_disarm = false;
  bool notes_after_unpin = false;
  bool stale_commit = false;
  bool no_settle_old = false;
};

class RecoveryModel {
 public:
  struct Block {
    U8 state, mask, commit, tombstone;
  };
  struct Lane {
    U8 pinned, note[2], armed, delta, seq, value, cell_seq;
  };
  struct Actor {
    U8 pc, ops, deletes, held, draft, at;
  };
  struct State {
    U8 head, kills, dead;  // dead: lane 1's owner was killed, and the lane is not freed yet
    Block b[kBlocks];
    Lane lane[2];
    U8 pinned[kRecoverers];
    Actor p[kActors];
  };

  explicit RecoveryModel(const Options& options) : weak_(options) {}

  State Initial() const {
    State s;
    std::memset(&s, 0, sizeof s);
    for (int i = 1; i < kBlocks; ++i) s.b[i] = {kFree, 0, 1, 0};
    s.b[1].state = kUsed;
    s.head = s.lane[0].value = 1;
    s.kills = 2;
    s.p[0].ops = s.p[kMortal].ops = 2;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < 2; ++p) {
      if (p == kMortal && s.dead != 0) continue;
      StepWriter(s, p, emit);
    }
    if (s.dead == 0 && s.kills == 2 && s.p[kMortal].pc != kIdle) {
      State t = s;
      --t.kills;
      t.dead = 1;
      t.p[kMortal] = Actor{kIdle, s.p[kMortal].ops, 0, 0, 0, 0};
      emit(t, Move{kMortal, "is killed"});
    }
    if (s.dead == 0 && s.p[2].pc == kIdle) return;
    StepRecoverers(s, emit);
  }

  const char* Check(const State& s) const {
    return s.b[s.head].state != kUsed ? "I1: a reachable block is free or retired" : nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (U8 i = 1; i < kBlocks; ++i)
      if ((s.b[i].state != kFree) != (i == s.head)) return "I3: a block leaked";
    const U8 sum = static_cast<U8>(s.lane[0].value + s.lane[1].value);
    return sum != 1 - s.b[s.head].tombstone ? "I4: the cells do not add up" : nullptr;
  }

 private:
  // Bits 0 and 1: the lanes; 2 and 3: the recoverers' own.
  static U8 PinnedMask(const State& s) {
    U8 mask = 0;
    for (int i = 0; i < 2; ++i) {
      if (s.lane[i].pinned != 0) mask |= static_cast<U8>(1U << i);
      if (s.pinned[i] != 0) mask |= static_cast<U8>(4U << i);
    }
    return mask;
  }

  static void Retire(State& t, U8 i) {  // CAS used -> retired.
    if (t.b[i].state != kUsed) return;
    t.b[i].state = kRetired;
    t.b[i].mask = PinnedMask(t);
    Collect(t);
  }

  static const char* Collect(State& t) {
    const U8 pinned = PinnedMask(t);
    const char* wrong = nullptr;
    for (U8 i = 1; i < kBlocks; ++i) {
      Block& b = t.b[i];
      b.mask &= pinned;
      if (b.state != kRetired || b.mask != 0) continue;
      b = {kFree, 0, 1, 0};  // Stale, and not undecided: the worse case.
      for (int p = 0; p < 2; ++p)
        if (t.lane[p].pinned != 0 && (t.p[p].held == i || t.p[p].draft == i))
          wrong = "I2: a block is given back that a pinned process holds";
    }
    return wrong;
  }

  static bool Owns(int lane, U8 block) { return (block <= kLastBlockOfLane0) == (lane == 0); }

  template <typename Emit>
  void StepWriter(const State& s, int p, Emit&& emit) const {
    const Actor& was = s.p[p];
    if (was.pc == kIdle) {
      if (was.ops == 0) return;
      for (U8 deletes = 0; deletes < 2; ++deletes) {
        State t = s;
        t.lane[p].pinned = 1;
        t.p[p] = Actor{kBegin, static_cast<U8>(was.ops - 1), deletes, 0, 0, 0};
        Move move{p, deletes != 0 ? "pins, to delete" : "pins, to put"};
        GoOn(t, p, &move);
        emit(t, move);
      }
      return;
    }
    if (was.pc == kNoteNew) {
      bool any = false;
      for (U8 n = 1; n < kBlocks; ++n) {
        if (!Owns(p, n) || s.b[n].state != kFree || HasDouble(s, p, n)) continue;
        any = true;
        State t = s;
        t.p[p].draft = n;
        t.p[p].pc = kAllocate;
        if (weak_.note_after_allocation)
          t.b[n].state = kUsed;
        else
          t.lane[p].note[0] = n;
        Move move{p, "notes the block that it is going to take (P2)"};
        GoOn(t, p, &move);
        emit(t, move);
      }
      if (any) return;
    }
    State t = s;
    Move move{p, nullptr};
    Step(s, t, p, &move);
    GoOn(t, p, &move);
    emit(t, move);
  }

  // What nobody else ever reads is no step of its own: the notes, the op word and the cell of a
  // lane that nobody recovers any more, and its fresh block.
  void GoOn(State& t, int p, Move* move) const {
    if (p == kMortal && (t.kills != 0 || t.dead != 0)) return;
    Actor& me = t.p[p];
    const char* what = move->what;
    while (IsLocal(me.pc) && move->wrong == nullptr) {
      const State now = t;
      Step(now, t, p, move);
      t.lane[p].seq = t.lane[p].cell_seq = 0;
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
    for (U8 i = 1; i < n && !noted(n); ++i)
      if (Owns(p, i) && s.b[i].state == kFree && !noted(i)) return true;
    return false;
  }

  void Step(const State& s, State& t, int p, Move* move) const {
    Actor& me = t.p[p];
    Lane& lane = t.lane[p];
    switch (me.pc) {
      case kBegin:
        move->what = "sets its op word";
        lane.armed = lane.delta = 0;
        ++lane.seq;
        me.pc = kLoad;
        return;
      case kLoad:
        move->what = "loads head (P1)";
        me.held = s.head;
        me.pc = weak_.no_settle_old ? AfterLocate(s, p, me) : kSettleOld;
        return;
      case kSettleOld:
        move->what = "settles the old head (P1)";
        t.b[me.held].commit = 1;
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
        move->what = "CAS n free -> used (P3)";
        if (weak_.note_after_allocation) {
          lane.note[0] = me.draft;
        } else if (s.b[me.draft].state != kFree) {
          move->wrong = "I2: two take the same block";
        }
        t.b[me.draft].state = kUsed;
        me.pc = kFill;
        return;
      case kFill:
        move->what = "fills n (P4)";
        if (s.b[me.draft].state != kUsed) move->wrong = "I2: fills a block that is not its own";
        if (!weak_.stale_commit) t.b[me.draft].commit = 0;
        t.b[me.draft].tombstone = me.deletes;
        me.pc = kNoteOld;
        return;
      case kNoteOld:
        move->what = "notes the old head (P5)";
        if (!weak_.old_not_noted) lane.note[1] = me.held;
        me.pc = weak_.armed_late ? kSwap : kArm;
        return;
      case kArm:
      case kArmLate: {
        move->what = "arms its op word (P6)";
        const U8 delta = static_cast<U8>((1 - me.deletes) - (1 - s.b[me.held].tombstone));
        lane.delta = delta;
        lane.armed = delta != 0 ? 1 : 0;
        me.pc = me.pc == kArm ? kSwap : kSettleNew;
        return;
      }
      case kSwap:
        move->what = "CAS head h -> n (P7)";
        if (s.head == me.held) {
          if (s.b[me.draft].state != kUsed) move->wrong = "I2: publishes what is not its own";
          t.head = me.draft;
          me.pc = weak_.armed_late ? kArmLate : kSettleNew;
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
    if (me.deletes != 0 && s.b[me.held].tombstone != 0) {
      me.held = 0;
      return me.draft != 0 ? kRetireDraft : kDropOld;
    }
    if (me.draft == 0) return kNoteNew;
    return s.lane[p].note[1] != 0 ? kRedrop : kNoteOld;
  }

  void Finish(State& t, int p, Move* move) const {
    Actor& me = t.p[p];
    Lane& lane = t.lane[p];
    switch (me.pc) {
      case kSettleNew:
        move->what = "settles n (P8)";
        t.b[me.draft].commit = 1;
        me.draft = 0;
        me.pc = lane.armed != 0 ? kCell : kRetireOld;
        return;
      case kCell:
        move->what = "writes its cell (P9)";
        lane.value = static_cast<U8>(lane.value + lane.delta);
        lane.cell_seq = lane.seq;
        me.pc = kRetireOld;
        return;
      case kRetireOld:
        move->what = "retires the old head (P10)";
        Retire(t, me.held);
        me.held = 0;
        me.pc = weak_.notes_after_unpin ? kUnpin : kDropOld;
        return;
      case kRetireDraft:
        move->what = "retires its draft, never published";
        Retire(t, me.draft);
        me.draft = 0;
        me.pc = kDropOld;
        return;
      case kDropOld:
        move->what = "clears note 1 (P11)";
        lane.note[1] = 0;
        me.pc = kDropNew;
        return;
      case kDropNew:
        move->what = "clears note 0 (P11)";
        lane.note[0] = 0;
        me.pc = kEnd;
        return;
      case kEnd:
        move->what = "clears its op word (P11)";
        lane.armed = lane.delta = 0;
        me.pc = kUnpin;
        if (lane.pinned == 0) me = Actor{kIdle, me.ops, 0, 0, 0, 0};
        return;
      default:
        move->what = "unpins (P12)";
        lane.pinned = 0;
        move->wrong = Collect(t);
        me = Actor{kIdle, me.ops, 0, 0, 0, 0};
        if (weak_.notes_after_unpin && (lane.note[0] | lane.note[1]) != 0) me.pc = kDropOld;
        return;
    }
  }

  template <typename Emit>
  void StepRecoverers(const State& s, Emit&& emit) const {
    const int r = s.p[2].pc == kGone ? 1 : 0;  // Gone: done, or killed.
    const int p = 2 + r;
    if (s.p[p].pc == kGone) return;
    if (s.p[p].pc == kIdle) {
      if (s.dead == 0) return;
      State t = s;
      t.pinned[r] = 1;
      t.p[p].pc = weak_.pin_first ? kRecEarlyUnpin : kRecReach;
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
      killed.p[p] = Actor{kGone, 0, 0, 0, 0, 0};
      emit(killed, Move{p, "is killed"});
    }
    if (r == 1 && s.pinned[0] != 0) {
      State idle = s;
      idle.pinned[0] = 0;
      Move unpin{p, "clears the pin of the first recoverer, whose lane has no notes"};
      unpin.wrong = Collect(idle);
      emit(idle, unpin);
    }
  }

  void Recover(const State& s, State& t, int r, Move* move) const {
    Actor& me = t.p[2 + r];
    Lane& lane = t.lane[kMortal];
    const U8 made = lane.note[0] != 0 ? lane.note[0] : lane.note[1];
    switch (me.pc) {
      case kRecEarlyUnpin:
        move->what = "clears the dead lane's pin";
        lane.pinned = 0;
        move->wrong = Collect(t);
        me.pc = kRecReach;
        return;
      case kRecReach:
        move->what = "looks whether the first noted record is reachable (R1)";
        me.pc = made == 0 ? kRecTest : (s.head == made ? kRecSettle : kRecCount);
        return;
      case kRecSettle:
        move->what = "settles it (R1)";
        t.b[made].commit = 1;
        me.pc = kRecCount;
        return;
      case kRecCount:
        move->what = "looks whether it is to be counted (R1)";
        me.pc = lane.armed != 0 && s.b[made].commit != 0 ? kRecCell : kRecTest;
        return;
      case kRecCell:
        move->what = "counts it, if the cell does not carry its seq (R1)";
        if (weak_.no_seq_check || lane.cell_seq != lane.seq) {
          lane.value = static_cast<U8>(lane.value + lane.delta);
          lane.cell_seq = lane.seq;
        }
        me.pc = kRecTest;
        return;
      case kRecTest: {
        move->what = "looks whether a noted block is reachable (R2)";
        const U8 noted = lane.note[me.at];
        if (noted != 0 && (weak_.no_reach_test || s.head != noted)) {
          me.pc = kRecRetire;
        } else {
          NextNote(me);
        }
        return;
      }
      case kRecRetire:
        move->what = "retires it, if it is used (R2)";
        Retire(t, lane.note[me.at]);
        NextNote(me);
        return;
      default:
        Leave(t, r, move);
        return;
    }
  }

  void NextNote(Actor& me) const {
    me.pc = kRecTest;
    if (++me.at < 2) return;
    me.at = 0;
    me.pc = weak_.no_disarm ? kRecNote0 : kRecDisarm;
  }

  static void Leave(State& t, int r, Move* move) {
    Actor& me = t.p[2 + r];
    Lane& lane = t.lane[kMortal];
    switch (me.pc) {
      case kRecDisarm:
        move->what = "disarms the dead lane (R3)";
        lane.armed = lane.delta = 0;
        me.pc = kRecNote0;
        return;
      case kRecNote0:
        move->what = "clears note 0 of the dead lane (R3)";
        lane.note[0] = 0;
        me.pc = kRecNote1;
        return;
      case kRecNote1:
        move->what = "clears note 1 of the dead lane (R3)";
        lane.note[1] = 0;
        me.pc = kRecEnd;
        return;
      case kRecEnd:
        move->what = "clears the dead lane's op word (R3)";
        lane.armed = lane.delta = 0;
        me.pc = kRecUnpin;
        return;
      case kRecUnpin:
        move->what = "clears the dead lane's pin (R4)";
        lane.pinned = 0;
        move->wrong = Collect(t);
        me.pc = kRecFree;
        return;
      default:
        move->what = "frees the lane (R5) and unpins itself";
        t.dead = 0;
        t.pinned[r] = 0;
        t.pinned[0] = 0;
        move->wrong = Collect(t);
        t.kills = 0;
        me.pc = kGone;
        t.p[2].pc = t.p[3].pc = kGone;
        return;
    }
  }

  Options weak_;
};

TEST(RecoveryModelTest, NothingLeaksAndTheCellsAddUpWhoeverIsKilled) {
  ExpectHolds(RecoveryModel({}), "recovery");
}

TEST(RecoveryModelTest, NoNoteBeforeAllocationIsCaught) {
  ExpectCaught(RecoveryModel({.note_after_allocation = true}),
               "recovery, weakened: noted after the allocation");
}

TEST(RecoveryModelTest, OldHeadNotNotedIsCaught) {
  ExpectCaught(RecoveryModel({.old_not_noted = true}), "recovery, weakened: old head not noted");
}

TEST(RecoveryModelTest, PinClearedBeforeTheNotesAreSettledIsCaught) {
  ExpectCaught(RecoveryModel({.pin_first = true}), "recovery, weakened: the pin goes first");
}

TEST(RecoveryModelTest, RetiringWhatIsReachableIsCaught) {
  ExpectCaught(RecoveryModel({.no_reach_test = true}), "recovery, weakened: no reachability test");
}

TEST(RecoveryModelTest, CountingTwiceIsCaught) {
  ExpectCaught(RecoveryModel({.no_seq_check = true}), "recovery, weakened: seq not compared");
}

TEST(RecoveryModelTest, ArmingAfterTheCasIsCaught) {
  ExpectCaught(RecoveryModel({.armed_late = true}), "recovery, weakened: armed after the CAS");
}

TEST(RecoveryModelTest, NotesClearedWhileArmedIsCaught) {
  ExpectCaught(RecoveryModel({.no_disarm = true}), "recovery, weakened: not disarmed first");
}

TEST(RecoveryModelTest, NotesClearedAfterUnpinningIsCaught) {
  ExpectCaught(RecoveryModel({.notes_after_unpin = true}),
               "recovery, weakened: notes cleared after the pin");
}

TEST(RecoveryModelTest, StaleCommitWordsAreCaught) {
  ExpectCaught(RecoveryModel({.stale_commit = true}),
               "recovery, weakened: commit word not cleared");
}

TEST(RecoveryModelTest, ReplacingAnUndecidedRecordIsCaught) {
  ExpectCaught(RecoveryModel({.no_settle_old = true}), "recovery, weakened: old head not settled");
}

}  // namespace
}  // namespace commy::model
