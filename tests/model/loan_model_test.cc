// A loan (engine/loan.h): a block that a lane has noted from one operation to the next, its
// recovery, and a process that uses the block next.
//
// WORDS    key: names the block, or nothing; block: free | used | retired(tag); the loan's lane:
//          note, object, its own pin, a view pin; a pin for each of the others
// STEPS    owner   loan-1 claim the lane; pin; object = 1; allocate, noted (the allocator's own
//                  steps: span_model_test.cc); view pin = own pin; object = 0; unpin; the note
//                  stands   loan-2 write the value   loan-3 pin; object = 1; CAS key 0 -> block, or
//                  fail: object = 0, unpin, on with loan-2   or retire the block
//                  then note = 0; object = 0; unpin   loan-4 view pin = 0; give the lane back
//          recover pin; recover-2 look whether object is there and key names the noted block; if
//                  not: CAS used -> retired   recover-3 note = 0; object = 0   recover-4 both pins
//                  = 0   recover-5 free the lane; unpin
//          other   put: pin; CAS block free -> used; write it; CAS key 0 -> block; unpin
//                  delete: pin; CAS key block -> 0; retire the block; unpin
// HOLDS    I1 the block that key names is used: no recoverer, and no one else, retires it
//          I2 a process that has taken the block finds it used and still its own when it writes,
//             publishes or gives it back
//          I3 when all is quiet the block is used only if key names it: no loan is lost
// The owner may be killed, and its first recoverer as well.
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr U8 kBlock = 1;  // The name of the only one.
constexpr int kOwner = 0;
constexpr int kFirstRecoverer = 1;
constexpr int kSecondRecoverer = 2;  // Runs if the first one was killed.
constexpr int kOther = 3;
constexpr int kViewPin = 4;  // Of the loan's lane; the other pins have their process's number.
constexpr int kPins = 5;

enum Pc : U8 {
  kIdle,
  // The owner.
  kPin,
  kBegin,
  kReserve,
  kTakeView,
  kTakeViewLate,
  kNoteLate,
  kWrite,
  kPinAgain,
  kBeginAgain,
  kChoose,
  kDropFirst,
  kPublish,
  kDropNote,
  // Recoverers.
  kTest,
  kRetire,
  kClearNote,
  // The other one.
  kAllocate,
  kFill,
  kPut,
  kUnlink,
  kRetireOld,
  // Of more than one of them.
  kEnd,
  kUnpin,
  kUnview,
  kLeave,
  kGone
};

struct Options {
  bool no_view_pin = false;
  bool view_pin_late = false;    // After the end of the first operation.
  bool note_late = false;        // Likewise.
  bool note_goes_first = false;  // Before the publish.
  bool object_goes_first = false;
  bool owner_unpins_first = false;
  bool recoverer_unpins_first = false;
  bool no_reach_test = false;
  bool lane_back_with_note = false;  // Where the owner cannot begin an operation to retire in.
};

class LoanModel {
 public:
  struct Record {
    Block block;
    U8 owner;  // The process that allocated it, plus 1.
  };
  struct Pinned {
    U8 pinned;
  };
  struct Actor {
    U8 pc, ops;
  };
  struct State {
    U8 key, note, object, kills, dead;  // dead: the lane's owner was killed, and it is not freed.
    U8 has_loan;                        // What the owner knows: it is not published or given back.
    Record record[2];
    Pinned pin[kPins];
    Actor process[4];
  };

  explicit LoanModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.kills = 2;
    s.process[kOwner].ops = 2;
    s.process[kOther].ops = 3;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    EmitStep(s, kOwner, emit, [&](State& t, Move& move) { Own(t, move); });
    if (s.process[kOwner].pc == kChoose) {
      EmitStep(s, kOwner, emit, [&](State& t, Move& move) { GiveBack(t, move); });
      EmitStep(s, kOwner, emit, [&](State& t, Move& move) {
        move.what = "cannot publish, and lets the note stand";
        t.process[kOwner].pc = kEnd;
      });
    }
    for (const int p : {kFirstRecoverer, kSecondRecoverer}) {
      EmitStep(s, p, emit, [&](State& t, Move& move) { Recover(t, p, move); });
    }
    EmitStep(s, kSecondRecoverer, emit, [&](State& t, Move& move) {
      if (t.process[kFirstRecoverer].pc == kGone && t.pin[kFirstRecoverer].pinned != 0) {
        Unpin(t, kFirstRecoverer);
        move.what = "clears the first recoverer's pin";
      }
    });
    EmitStep(s, kOther, emit, [&](State& t, Move& move) { Use(t, move); });
    EmitKills(s, emit);
  }

  const char* Check(const State& s) const {
    return s.key != 0 && s.record[s.key].block.state != Block::kUsed
               ? "I1: a reachable block is free or retired"
               : nullptr;
  }

  const char* CheckFinal(const State& s) const {
    return s.key == 0 && s.record[kBlock].block.state == Block::kUsed ? "I3: the block is lost"
                                                                      : nullptr;
  }

 private:
  template <typename Emit>
  static void EmitKills(const State& s, Emit&& emit) {
    const U8 owner = s.process[kOwner].pc;
    if (s.kills == 2 && owner != kIdle) {
      EmitStep(s, kOwner, emit, [&](State& t, Move& move) {
        move.what = "is killed";
        --t.kills;
        t.dead = 1;
        t.has_loan = 0;
        t.process[kOwner] = {kGone, 0};
      });
    }
    const U8 recoverer = s.process[kFirstRecoverer].pc;
    if (s.kills == 1 && recoverer != kIdle && recoverer != kGone) {
      EmitStep(s, kFirstRecoverer, emit, [&](State& t, Move& move) {
        move.what = "is killed";
        --t.kills;
        t.process[kFirstRecoverer] = {kGone, 0};
      });
    }
  }

  static void Give(State& t) {
    Collect(t.record, PinnedMask(t.pin), [&](U8 name) { t.record[name] = {}; });
  }
  static void RetireBlock(State& t) {
    Retire(t.record[kBlock].block, PinnedMask(t.pin));
    Give(t);
  }
  static void Unpin(State& t, int pin) {
    t.pin[pin].pinned = 0;
    Give(t);
  }
  static bool TakeBlock(State& t, int process) {
    if (FirstFree(t.record) == 0) {
      return false;
    }
    t.record[kBlock] = {{Block::kUsed, 0}, static_cast<U8>(process + 1)};
    return true;
  }
  static void ExpectOwn(const State& t, int process, Move& move) {
    const Record& record = t.record[kBlock];
    if (record.block.state != Block::kUsed || record.owner != process + 1) {
      move.wrong = "I2: uses a block that is not its own";
    }
  }

  // The view pin has the epoch of the own one: what was retired under that waits for it as well.
  static void TakeView(State& t) {
    t.pin[kViewPin].pinned = 1;
    U8& waits = t.record[kBlock].block.waits;
    if ((waits & Bit(kOwner)) != 0) {
      waits |= Bit(kViewPin);
    }
  }

  void Own(State& t, Move& move) const {
    Actor& me = t.process[kOwner];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0 || t.dead != 0) {
          return;
        }
        --me.ops;
        move.what = "claims a lane for a loan (loan-1)";
        me.pc = kPin;
        return;
      case kPin:
      case kPinAgain:
        move.what = "pins";
        t.pin[kOwner].pinned = 1;
        me.pc = me.pc == kPin ? kBegin : kBeginAgain;
        return;
      case kBegin:
      case kBeginAgain:
        move.what = "sets its op word and its object";
        t.object = 1;
        me.pc = me.pc == kBegin ? kReserve : kChoose;
        return;
      case kReserve:
        move.what = "takes the block, if it is free, and notes it (loan-1)";
        if (TakeBlock(t, kOwner)) {
          t.has_loan = 1;
          t.note = options_.note_late ? U8{0} : kBlock;
        }
        me.pc =
            t.has_loan == 0 || options_.no_view_pin || options_.view_pin_late ? kEnd : kTakeView;
        return;
      case kTakeView:
      case kTakeViewLate:
        move.what = "puts up the view pin (loan-1)";
        TakeView(t);
        me.pc = me.pc == kTakeView ? kEnd : kWrite;
        return;
      case kNoteLate:
        move.what = "notes the block, too late";
        t.note = kBlock;
        me.pc = kWrite;
        return;
      case kWrite:
        move.what = "writes the value (loan-2)";
        ExpectOwn(t, kOwner, move);
        me.pc = kPinAgain;
        return;
      case kChoose:
      case kDropFirst:
        if (options_.note_goes_first && me.pc == kChoose) {
          move.what = "clears the note, too early";
          t.note = 0;
          me.pc = kDropFirst;
          return;
        }
        move.what = "CAS key 0 -> block (loan-3)";
        ExpectOwn(t, kOwner, move);
        Cas(t.key, 0, kBlock);
        t.has_loan = 0;
        EndLast(me);
        return;
      default:
        EndOwn(t, move);
        return;
    }
  }

  void GiveBack(State& t, Move& move) const {
    if (options_.lane_back_with_note) {
      move.what = "cannot retire the block, and gives the lane back all the same";
      t.has_loan = 0;
      t.process[kOwner].pc = kEnd;
      return;
    }
    move.what = "retires the block (loan-3)";
    ExpectOwn(t, kOwner, move);
    RetireBlock(t);
    t.has_loan = 0;
    EndLast(t.process[kOwner]);
  }

  // The end of the operation in which the loan ends.
  void EndLast(Actor& me) const {
    me.pc = kDropNote;
    if (options_.object_goes_first) {
      me.pc = kEnd;
    }
    if (options_.owner_unpins_first) {
      me.pc = kUnpin;
    }
  }

  void EndOwn(State& t, Move& move) const {
    Actor& me = t.process[kOwner];
    const bool loan = t.has_loan != 0;  // It goes on after this operation.
    switch (me.pc) {
      case kDropNote:
        move.what = "clears the note";
        t.note = 0;
        me.pc = options_.object_goes_first ? kUnpin : kEnd;
        return;
      case kEnd:
        move.what = "clears its object";
        t.object = 0;
        me.pc = kUnpin;
        if (!loan && options_.object_goes_first && t.note != 0) {
          me.pc = kDropNote;
        }
        if (!loan && options_.owner_unpins_first && t.pin[kOwner].pinned == 0) {
          me.pc = kLeave;
        }
        return;
      case kUnpin:
        move.what = "unpins";
        Unpin(t, kOwner);
        me.pc = loan ? AfterFirst(t) : kUnview;
        return;
      case kUnview:
        move.what = "takes the view pin down (loan-4)";
        Unpin(t, kViewPin);
        me.pc = options_.owner_unpins_first && t.note != 0 ? kDropNote : kLeave;
        return;
      case kLeave:
        move.what = "gives the lane back (loan-4)";
        me.pc = kIdle;
        return;
      default:
        return;
    }
  }

  Pc AfterFirst(const State& t) const {
    if (options_.note_late && t.note == 0) {
      return kNoteLate;
    }
    return options_.view_pin_late && t.pin[kViewPin].pinned == 0 ? kTakeViewLate : kWrite;
  }

  void Recover(State& t, int p, Move& move) const {
    Actor& me = t.process[p];
    switch (me.pc) {
      case kIdle:
        if (t.dead == 0 || (p == kSecondRecoverer && t.process[kFirstRecoverer].pc != kGone)) {
          return;
        }
        move.what = "takes the dead lane's lock and pins";
        t.pin[p].pinned = 1;
        me.pc = kTest;
        return;
      case kTest: {
        move.what = "looks whether the noted block is reachable (recover-2)";
        const bool reachable = t.object != 0 && t.key == t.note && !options_.no_reach_test;
        me.pc = t.note != 0 && !reachable ? kRetire : AfterJudging();
        return;
      }
      case kRetire:
        move.what = "retires it, if it is used (recover-2)";
        RetireBlock(t);
        me.pc = AfterJudging();
        return;
      case kClearNote:
        move.what = "clears the dead lane's note (recover-3)";
        t.note = 0;
        me.pc = kEnd;
        return;
      case kEnd:
        move.what = "clears the dead lane's object (recover-3)";
        t.object = 0;
        me.pc = options_.recoverer_unpins_first ? kLeave : kUnpin;
        return;
      case kUnpin:
        move.what = "clears the dead lane's own pin (recover-4)";
        Unpin(t, kOwner);
        me.pc = kUnview;
        return;
      case kUnview:
        move.what = "clears the dead lane's view pin (recover-4)";
        Unpin(t, kViewPin);
        me.pc = options_.recoverer_unpins_first ? kClearNote : kLeave;
        return;
      case kLeave:
        move.what = "frees the lane (recover-5) and unpins itself";
        t.dead = 0;
        Unpin(t, p);
        me.pc = kGone;
        return;
      default:
        return;
    }
  }

  Pc AfterJudging() const { return options_.recoverer_unpins_first ? kUnpin : kClearNote; }

  static void Use(State& t, Move& move) {
    Actor& me = t.process[kOther];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        --me.ops;
        move.what = "pins";
        t.pin[kOther].pinned = 1;
        me.pc = t.key == 0 ? kAllocate : kUnlink;
        return;
      case kAllocate:
        move.what = "takes the block, if it is free";
        me.pc = TakeBlock(t, kOther) ? kFill : kUnpin;
        return;
      case kFill:
        move.what = "writes it";
        ExpectOwn(t, kOther, move);
        me.pc = kPut;
        return;
      case kPut:
        move.what = "CAS key 0 -> block";
        ExpectOwn(t, kOther, move);
        Cas(t.key, 0, kBlock);
        me.pc = kUnpin;
        return;
      case kUnlink:
        move.what = "CAS key block -> 0";
        me.pc = Cas(t.key, kBlock, 0) ? kRetireOld : kUnpin;
        return;
      case kRetireOld:
        move.what = "retires what it unlinked";
        RetireBlock(t);
        me.pc = kUnpin;
        return;
      case kUnpin:
        move.what = "unpins";
        Unpin(t, kOther);
        me.pc = kIdle;
        return;
      default:
        return;
    }
  }

  Options options_;
};

TEST(LoanModelTest, NoReachableBlockIsRetiredAndNoLoanIsLostWhicheverProcessIsKilled) {
  ExpectHolds(LoanModel({}), "loan", {.check_progress = true});
}

TEST(LoanModelTest, ALoanWithoutAViewPinIsCaught) {
  ExpectCaught(LoanModel({.no_view_pin = true}), "loan, weakened: no view pin");
}

TEST(LoanModelTest, AViewPinThatGoesUpAfterTheFirstOperationIsCaught) {
  ExpectCaught(LoanModel({.view_pin_late = true}), "loan, weakened: the view pin goes up late");
}

TEST(LoanModelTest, ANoteAfterTheFirstOperationIsCaught) {
  ExpectCaught(LoanModel({.note_late = true}), "loan, weakened: noted after the operation");
}

TEST(LoanModelTest, ANoteThatIsClearedBeforeThePublishIsCaught) {
  ExpectCaught(LoanModel({.note_goes_first = true}), "loan, weakened: not noted at the publish");
}

TEST(LoanModelTest, AnObjectThatIsClearedBeforeTheNoteIsCaught) {
  ExpectCaught(LoanModel({.object_goes_first = true}), "loan, weakened: the object goes first");
}

TEST(LoanModelTest, AnOwnerThatUnpinsBeforeTheNoteIsGoneIsCaught) {
  ExpectCaught(LoanModel({.owner_unpins_first = true}), "loan, weakened: the owner unpins first");
}

TEST(LoanModelTest, ARecovererThatUnpinsBeforeTheNoteIsGoneIsCaught) {
  ExpectCaught(LoanModel({.recoverer_unpins_first = true}),
               "loan, weakened: the recoverer unpins first");
}

TEST(LoanModelTest, RetiringANotedBlockUnseenIsCaught) {
  ExpectCaught(LoanModel({.no_reach_test = true}), "loan, weakened: no reachability test");
}

TEST(LoanModelTest, ALaneThatGoesBackWithItsNoteIsCaught) {
  ExpectCaught(LoanModel({.lane_back_with_note = true}),
               "loan, weakened: the lane goes back noted");
}

}  // namespace
}  // namespace commy::model
