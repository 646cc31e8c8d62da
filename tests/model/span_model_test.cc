// Emptying a span of another lane: a thief takes the free blocks in it, and so the span itself,
// while the owner allocates from it, and any process at work on it is killed.
//
// WORDS    the span's word: Free | Small(lane, claim) | Retired; a byte for each of its two blocks:
//          Free | Used | Evacuated | Retired
// STEPS    owner    pin; the span's word must say Small of this lane; note a block; CAS its byte,
//                   Free or long retired -> Used; publish; unnote, unpin
//          thief    emptying-0 pin; note the span
//                   emptying-1 CAS the word Small(L, 0) -> Small(L, me)
//                   emptying-2 CAS each byte that is free or long retired -> Evacuated
//                   emptying-3 all are: CAS the word -> Retired, and free when the pins of now are
//                      gone
//                   emptying-4 or some: CAS the word -> Small(me, me); each Evacuated or Retired ->
//                      Retired now; CAS the word -> Small(me, 0)
//                   emptying-5 or back: each Evacuated -> Free; CAS the word -> Small(L, 0)
//                   emptying-6 unnote, unpin
//          recover  of a noted span: its word says Small(dead, dead): the rest of emptying-4;
//                   Small(L, dead): emptying-5
// HOLDS    I1 no process takes a block of a span that has begun another life (the owner may still
//             take one that the thief has not, but not one that the thief may take, too: I2)
//          I2 recovery never retires a block that another process has taken
//          I3 when all is quiet, no claim is left, no byte is Evacuated, no Used block is lost
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/recovery.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kBlocks = 2;
constexpr int kWorkers = 3;
constexpr int kRecoverers = 2;
constexpr int kProcesses = kWorkers + kRecoverers;
constexpr U8 kLivesMax = 3;

enum WordKind : U8 { kFreeSpan, kSmall, kRetiredSpan };
struct Word {
  U8 kind, lane, claim, life, mask;
};

enum ByteKind : U8 { kFree, kUsed, kEvacuated, kRetired };
struct Byte {
  U8 kind, mask;
  U8 holder, published;  // Process + 1; not in the file.
};

enum Pc : U8 {
  kIdle,
  kLook,
  kNote,
  kTake,
  kPublish,
  kUnnote,
  kUnpin,
  kGiveUp,
  kReap,
  kSetUp,
  kClaim,
  kEvacuate,
  kDecide,
  kMoveByte,
  kMoved,
  kBackByte,
  kBack,
  kRecBlock,
  kRecSpan,
  kRecMoveByte,
  kRecMoved,
  kRecBackByte,
  kRecBack,
  kRecUnnote,
  kRecUnpin,
  kRecFreeLane
};

struct Process {
  U8 pc, ops, at, life, taken, seen_kind, dead_lane;
};
struct Lane {
  U8 pinned, note_block, note_span, life, locked_by;  // note_block: number + 1
};

struct Options {
  bool no_look = false;             // The owner trusts its memory.
  bool free_at_once = false;        // emptying-4: to Free instead of Retired.
  bool no_claim = false;            // emptying-1 changes nothing.
  bool unclaim_first = false;       // emptying-4: the first CAS of the word is to Small(me, 0).
  bool forget_span = false;         // Recovery does not look at the noted span.
  bool reuse_at_once = false;       // emptying-3: the span is free at once.
  bool spare_retired = false;       // emptying-4: a block that is retired already keeps its age.
  bool back_without_bytes = false;  // emptying-5: the word before the bytes.
  U8 kills = 2;
  U8 owners_operations = 3;
  U8 thiefs_operations = 2;
};

class SpanModel {
 public:
  struct State {
    Word word;
    Byte byte[kBlocks];
    U8 kills;
    Lane lane[kProcesses];
    Process process[kProcesses];
    U8 knows[kWorkers];  // Whether a worker remembers the span as its own, and of which life.
  };

  explicit SpanModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.word = {kSmall, 0, 0, 1, 0};
    s.byte[0] = {kUsed, 0, 1, 1};
    s.kills = options_.kills;
    s.knows[0] = 1;
    s.process[0].ops = options_.owners_operations;
    s.process[1].ops = options_.thiefs_operations;
    s.process[2].ops = 1;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < kProcesses; ++p) {
      if (s.lane[p].life != kAlive) {
        continue;
      }
      if (p < kWorkers) {
        StepWorker(s, p, emit);
      } else {
        StepRecoverer(s, p, emit);
      }
      if (s.kills != 0 && s.process[p].pc != kIdle && p + 1 != kProcesses) {
        EmitStep(s, p, emit, [&](State& t, Move& move) {
          KillProcess(t, p);
          if (p < kWorkers) {
            t.knows[p] = 0;
          }
          move.what = "is killed";
        });
      }
    }
  }

  const char* CheckFinal(const State& s) const {
    if (s.word.kind != kSmall) {
      return nullptr;
    }
    if (s.word.claim != 0) {
      return "I3: a claim that no process holds is left";
    }
    for (const Byte& byte : s.byte) {
      if (byte.kind == kEvacuated) {
        return "I3: a block is evacuated for good";
      }
      if (byte.kind == kUsed && byte.published == 0) {
        return "I3: a block is lost";
      }
    }
    return nullptr;
  }

 private:
  static void Unpin(State& t, int lane) {
    t.lane[lane].pinned = 0;
    const auto without = static_cast<U8>(~(1U << lane));
    t.word.mask &= without;
    for (Byte& byte : t.byte) {
      byte.mask &= without;
    }
  }
  static bool Reusable(const Byte& byte) {
    return byte.kind == kFree || (byte.kind == kRetired && byte.mask == 0);
  }

  static State Begin(const State& s, int p, Pc pc) {
    State t = s;
    t.lane[p].pinned = 1;
    --t.process[p].ops;
    t.process[p].pc = pc;
    return t;
  }

  template <typename Emit>
  void Start(const State& s, int p, Emit&& emit) const {
    if (s.process[p].ops == 0) {
      return;
    }
    if (s.knows[p] != 0) {
      emit(Begin(s, p, kLook), Move{p, "pins, to allocate"});
    }
    for (int i = 0; i < kBlocks; ++i) {
      if (s.byte[i].kind != kUsed || s.byte[i].holder != p + 1) {
        continue;
      }
      State t = Begin(s, p, kGiveUp);
      t.process[p].at = static_cast<U8>(i);
      emit(t, Move{p, "pins, to retire a block of its own"});
    }
    if (s.word.kind == kSmall && s.word.lane != p && s.word.claim == 0) {
      State t = Begin(s, p, kClaim);
      t.lane[p].note_span = 1;
      t.process[p].life = s.word.life;
      t.process[p].seen_kind = s.word.lane;
      emit(t, Move{p, "pins and notes that it empties the span (emptying-0)"});
    }
    if (s.word.kind == kRetiredSpan && s.word.mask == 0) {
      emit(Begin(s, p, kReap), Move{p, "pins, sees a span retired long ago"});
    }
    if (s.word.kind == kFreeSpan && s.word.life < kLivesMax) {
      emit(Begin(s, p, kSetUp), Move{p, "pins, sees a free span"});
    }
  }

  bool OwnsIt(const State& s, int p) const { return s.word.kind == kSmall && s.word.lane == p; }

  template <typename Emit>
  void StepWorker(const State& s, int p, Emit&& emit) const {
    if (s.process[p].pc == kIdle) {
      Start(s, p, emit);
      return;
    }
    if (s.process[p].pc == kNote) {
      for (int i = 0; i < kBlocks; ++i) {
        if (!Reusable(s.byte[i])) {
          continue;
        }
        State t = s;
        t.lane[p].note_block = static_cast<U8>(i + 1);
        t.process[p].at = static_cast<U8>(i);
        t.process[p].seen_kind = s.byte[i].kind;
        t.process[p].pc = kTake;
        emit(t, Move{p, "notes a block"});
      }
      State t = s;
      t.process[p].pc = kUnpin;
      emit(t, Move{p, "finds no block"});
      return;
    }
    if (s.process[p].pc == kDecide) {
      const U8 all = (1U << kBlocks) - 1U;
      if (s.process[p].taken != all) {
        Decide(s, p, false, emit);
      }
      if (s.process[p].taken != 0) {
        Decide(s, p, true, emit);
      }
      return;
    }
    State t = s;
    const char* wrong = nullptr;
    const char* what = Work(s, t, p, &wrong);
    emit(t, Move{p, what, wrong});
  }

  // emptying-3 or emptying-4 (`take`), or emptying-5.
  template <typename Emit>
  void Decide(const State& s, int p, bool take, Emit&& emit) const {
    State t = s;
    Process& me = t.process[p];
    me.at = 0;
    const bool holds = HoldsClaim(s, p);
    if (!take) {
      me.pc = options_.back_without_bytes ? kBack : kBackByte;
      emit(t, Move{p, "means to put the span back (emptying-5)"});
    } else if (me.taken == (1U << kBlocks) - 1U) {
      if (holds) {
        t.word.kind = options_.reuse_at_once ? kFreeSpan : kRetiredSpan;
        t.word.claim = 0;
        t.word.mask = PinnedMask(s.lane);
      }
      me.pc = kUnnote;
      emit(t, Move{p, "retires the empty span (emptying-3)"});
    } else {
      if (holds) {
        t.word.lane = static_cast<U8>(p);
        if (options_.unclaim_first) {
          t.word.claim = 0;
        }
        t.knows[p] = s.word.life;
      }
      me.pc = holds ? kMoveByte : kUnnote;
      emit(t, Move{p, "makes the span its own (emptying-4)"});
    }
  }

  bool HoldsClaim(const State& s, int p) const {
    const bool claimed = options_.no_claim ? s.word.claim == 0 : s.word.claim == p + 1;
    return s.word.kind == kSmall && s.word.life == s.process[p].life && claimed;
  }

  void MoveByte(const State& s, State& t, U8 at) const {
    const bool young = s.byte[at].kind == kRetired && !options_.spare_retired;
    if (s.byte[at].kind != kEvacuated && !young) {
      return;
    }
    t.byte[at] = {options_.free_at_once ? kFree : kRetired, PinnedMask(s.lane), 0, 0};
  }
  static void PutByteBack(const State& s, State& t, U8 at) {
    if (s.byte[at].kind == kEvacuated) {
      t.byte[at] = {kFree, 0, 0, 0};
    }
  }

  const char* Work(const State& s, State& t, int p, const char** wrong) const {
    Process& me = t.process[p];
    Lane& lane = t.lane[p];
    switch (me.pc) {
      case kLook:
        me.life = s.knows[p];
        me.pc = kNote;
        if (!options_.no_look && !(OwnsIt(s, p) && s.word.life == me.life)) {
          t.knows[p] = 0;
          me.pc = kUnpin;
        }
        return "looks at the span's word";
      case kTake: {
        Byte& byte = t.byte[me.at];
        if (byte.kind != me.seen_kind || !Reusable(s.byte[me.at])) {
          lane.note_block = 0;
          me.pc = kUnpin;
          return "loses the block's CAS";
        }
        if (s.word.kind != kSmall || s.word.life != me.life) {
          *wrong = "I1: a block was taken of a span of another life";
        }
        byte = {kUsed, 0, static_cast<U8>(p + 1), 0};
        me.pc = kPublish;
        return "takes the block";
      }
      case kPublish:
        t.byte[me.at].published = 1;
        me.pc = kUnnote;
        return "publishes the block";
      case kGiveUp:
        t.byte[me.at] = {kRetired, PinnedMask(s.lane), 0, 0};
        me.pc = kUnpin;
        return "retires a block";
      case kReap:
        if (s.word.kind == kRetiredSpan && s.word.mask == 0) {
          t.word.kind = kFreeSpan;
        }
        me.pc = kUnpin;
        return "frees the retired span";
      case kSetUp:
        if (s.word.kind == kFreeSpan) {
          t.word = {kSmall, static_cast<U8>(p), 0, static_cast<U8>(s.word.life + 1), 0};
          for (Byte& byte : t.byte) {
            byte = {kFree, 0, 0, 0};
          }
          t.knows[p] = t.word.life;
        }
        me.pc = kUnpin;
        return "sets the span up for itself";
      case kClaim:
        me.pc = kUnnote;
        if (s.word.kind == kSmall && s.word.lane == me.seen_kind && s.word.claim == 0 &&
            s.word.life == me.life) {
          if (!options_.no_claim) {
            t.word.claim = static_cast<U8>(p + 1);
          }
          me.pc = kEvacuate;
        }
        me.seen_kind = 0;
        return "claims the span (emptying-1)";
      case kEvacuate:
        if (Reusable(s.byte[me.at])) {
          t.byte[me.at] = {kEvacuated, 0, 0, 0};
          me.taken |= Bit(me.at);
        }
        if (++me.at == kBlocks) {
          me.pc = kDecide;
        }
        return "evacuates a block if it is free (emptying-2)";
      case kMoveByte:
        MoveByte(s, t, me.at);
        if (++me.at == kBlocks) {
          me.pc = kMoved;
        }
        return "makes an evacuated block a retired one (emptying-4)";
      case kMoved:
        t.word.claim = 0;
        me.pc = kUnnote;
        return "lets the span go, its own (emptying-4)";
      case kBackByte:
        PutByteBack(s, t, me.at);
        if (++me.at == kBlocks) {
          me.pc = options_.back_without_bytes ? kUnnote : kBack;
        }
        return "puts an evacuated block back (emptying-5)";
      case kBack:
        if (HoldsClaim(s, p)) {
          t.word.claim = 0;
        }
        me.at = 0;
        me.pc = options_.back_without_bytes ? kBackByte : kUnnote;
        return "lets the span go, its owner's (emptying-5)";
      case kUnnote:
        lane.note_block = 0;
        lane.note_span = 0;
        me.pc = kUnpin;
        return "clears its notes";
      default:
        Unpin(t, p);
        Rest(t.process[p]);
        return "unpins";
    }
  }

  template <typename Emit>
  void StepRecoverer(const State& s, int p, Emit&& emit) const {
    if (s.process[p].pc == kIdle) {
      EmitRecoveries(s, p, emit, [](Process& me, U8 dead) {
        me.dead_lane = dead;
        me.pc = kRecBlock;
      });
      return;
    }
    State t = s;
    const char* wrong = nullptr;
    const char* what = Recover(s, t, p, &wrong);
    emit(t, Move{p, what, wrong});
  }

  const char* Recover(const State& s, State& t, int p, const char** wrong) const {
    Process& me = t.process[p];
    const U8 dead = me.dead_lane;
    Lane& lane = t.lane[dead];
    switch (me.pc) {
      case kRecBlock:
        me.pc = kRecSpan;
        if (lane.note_block != 0 && s.word.kind == kSmall) {
          const Byte& byte = s.byte[lane.note_block - 1];
          if (byte.kind == kUsed && byte.published == 0) {
            if (byte.holder != dead + 1) {
              *wrong = "I2: recovery retires a block of another process";
            }
            t.byte[lane.note_block - 1] = {kRetired, PinnedMask(s.lane), 0, 0};
          }
        }
        return "recovery retires the noted block if nothing names it";
      case kRecSpan:
        me.at = 0;
        me.pc = kRecUnnote;
        if (lane.note_span != 0 && !options_.forget_span && s.word.kind == kSmall &&
            s.word.claim == dead + 1) {
          me.pc = s.word.lane == dead ? kRecMoveByte : kRecBackByte;
        }
        return "recovery looks at the noted span's word";
      case kRecMoveByte:
        MoveByte(s, t, me.at);
        if (++me.at == kBlocks) {
          me.pc = kRecMoved;
        }
        return "recovery makes an evacuated block a retired one";
      case kRecBackByte:
        PutByteBack(s, t, me.at);
        if (++me.at == kBlocks) {
          me.pc = kRecBack;
        }
        return "recovery puts an evacuated block back";
      case kRecMoved:
      case kRecBack:
        t.word.claim = 0;
        me.pc = kRecUnnote;
        return "recovery lets the span go";
      case kRecUnnote:
        lane.note_block = 0;
        lane.note_span = 0;
        me.pc = kRecUnpin;
        return "recovery clears the dead lane's notes";
      case kRecUnpin:
        Unpin(t, dead);
        me.pc = kRecFreeLane;
        return "recovery clears the dead lane's pin";
      default:
        FreeLane(lane);
        Unpin(t, p);
        Rest(t.process[p]);
        return "recovery frees the lane and unpins itself";
    }
  }

  Options options_;
};

TEST(SpanModelTest, EmptyingASpanBesideItsOwnerTakesNoBlockTwiceAndLosesNone) {
  ExpectHolds(SpanModel({.kills = 1, .owners_operations = 2}), "spans, one is killed");
  ExpectHolds(SpanModel({.owners_operations = 2, .thiefs_operations = 1}), "spans, two are killed");
}

TEST(SpanModelTest, AnOwnerThatDoesNotCheckTheSpanIsCaught) {
  ExpectCaught(SpanModel({.no_look = true}), "spans, weakened: the owner does not look");
}

TEST(SpanModelTest, TakenBlocksThatAreFreeAtOnceAreCaught) {
  ExpectCaught(SpanModel({.free_at_once = true, .kills = 1, .owners_operations = 2}),
               "spans, weakened: moved blocks are free at once");
}

TEST(SpanModelTest, RetiredBlocksThatKeepTheirAgeAreCaught) {
  ExpectCaught(SpanModel({.spare_retired = true, .kills = 1, .owners_operations = 2}),
               "spans, weakened: retired blocks keep their age");
}

TEST(SpanModelTest, TwoThievesWithoutAClaimAreCaught) {
  ExpectCaught(SpanModel({.no_claim = true}), "spans, weakened: no claim");
}

TEST(SpanModelTest, AClaimClearedBeforeTheBytesAreMovedIsCaught) {
  ExpectCaught(SpanModel({.unclaim_first = true, .kills = 1, .owners_operations = 2}),
               "spans, weakened: unclaimed before moved");
}

TEST(SpanModelTest, RecoveryThatForgetsTheSpanIsCaught) {
  ExpectCaught(SpanModel({.forget_span = true}), "spans, weakened: recovery forgets the span");
}

TEST(SpanModelTest, AnEmptySpanThatIsFreeAtOnceIsCaught) {
  ExpectCaught(SpanModel({.reuse_at_once = true}),
               "spans, weakened: an empty span is free at once");
}

TEST(SpanModelTest, AClaimClearedBeforeTheBytesAreBackIsCaught) {
  ExpectCaught(SpanModel({.back_without_bytes = true, .kills = 1, .owners_operations = 2}),
               "spans, weakened: unclaimed before back");
}

}  // namespace
}  // namespace commy::model
