// Holes: the disk blocks of free spans are given back and reserved again, by any process, beside
// others that use the spans; a system call of a process that stood still comes late; any process at
// work is killed, also inside a system call; and the disk may be full.
//
// WORDS    of each of two spans: its word Free | Claimed(lane) | Used | Retired | Changing(lane) |
//          Hole; its two disk blocks; the bytes that a user has stored. The blocks that are left
// STEPS    punch    pin; of free spans in a row: hole-1 CAS Free -> Changing(me), each;
//                   hole-2 the kernel gives back block after block of all of them;
//                   hole-3 CAS Changing(me) -> Hole, each
//          fill     pin; hole-4 CAS Hole -> Changing(me); hole-5 the kernel reserves block after
//                   block; hole-6 CAS Changing(me) -> Free; or the disk is full: -> Hole
//          use      pin; CAS Free -> Claimed(me); store into it; CAS -> Used
//          retire   pin; CAS Used -> Retired, which waits for the pins of now; then -> Free
//          read     pin; the word is Used: read what is stored; unpin
//          recover  CAS Changing(dead) -> Hole; Claimed(dead) -> Free
//          A system call may fail with a part of its work done: hole-3 as if it had not failed.
// HOLDS    I1 a span that is no hole, and that no process changes, has its disk blocks (G1)
//          I2 what was stored is there while the span is in use, and until its readers unpin
//          I3 when all is quiet, no span is claimed
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/recovery.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kSpans = 2;
constexpr int kBlocks = 2;
constexpr U8 kAllBlocks = (1U << kBlocks) - 1U;
constexpr int kWorkers = 3;
constexpr int kRecoverers = 2;
constexpr int kProcesses = kWorkers + kRecoverers;
constexpr int kDisk = kProcesses;  // As an actor.

enum WordKind : U8 { kFree, kClaimed, kUsed, kRetired, kChanging, kHole };
struct Word {
  U8 kind, lane;
  bool operator==(const Word&) const = default;
};
struct Span {
  Word word;
  U8 blocks, bytes, waits;  // bytes: of which user, plus one; 0: none. waits: see lib/pins.h.
};

enum Pc : U8 {
  kIdle,
  kPunchClaim,
  kPunch,
  kPunched,
  kFillClaim,
  kReserve,
  kFilled,
  kClaim,
  kStore,
  kOpen,
  kRetire,
  kReap,
  kRead,
  kTakeAway,
  kUnpin,
  kRecover,
  kRecUnpin,
  kRecFreeLane
};

// A row of spans: first to end; `at`: the span, or the block, that it has come to.
struct Process {
  U8 pc, ops, first, end, at, failed, seen, dead_lane;
};
struct Lane {
  U8 pinned, life, locked_by;
};

enum Kind : U8 { kPunches = 1, kFills = 2, kUses = 4, kRetires = 8, kReads = 16 };

struct Options {
  U8 kinds[kWorkers] = {};
  U8 operations[kWorkers] = {};
  U8 kills = 0;
  U8 holes = 0;         // At the start.
  U8 disk_left = 4;     // Blocks, at the start.
  U8 others_files = 0;  // Blocks that these take.
  bool failures = false;
  bool no_claim = false;            // hole-1 only looks; hole-3 is a CAS Free -> Hole.
  bool punches_retired = false;     // hole-1 also of a span that is retired.
  bool free_first = false;          // hole-6 before hole-5.
  bool filled_anyway = false;       // hole-6: free, though the disk is full.
  bool recovered_as_free = false;   // Recovery: Changing -> Free.
  bool failed_as_free = false;      // hole-3 after a failure: -> Free.
  bool taken_from_stopped = false;  // Changing(another) -> Hole by a process that is tired of it.
};

class HoleModel {
 public:
  struct State {
    Span span[kSpans];
    U8 disk_left, others_files, kills;
    Lane lane[kProcesses];
    Process process[kProcesses];
  };

  explicit HoleModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    for (U8 i = 0; i < kSpans; ++i) {
      const bool hole = i < options_.holes;
      s.span[i].word.kind = hole ? kHole : kFree;
      s.span[i].blocks = hole ? 0 : kAllBlocks;
    }
    s.disk_left = options_.disk_left;
    s.others_files = options_.others_files;
    s.kills = options_.kills;
    for (int p = 0; p < kWorkers; ++p) {
      s.process[p].ops = options_.operations[p];
    }
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
          move.what = "is killed";
        });
      }
    }
    if (s.others_files != 0 && s.disk_left != 0) {
      State t = s;
      --t.others_files;
      --t.disk_left;
      emit(t, Move{kDisk, "another file takes a block of the disk"});
    }
  }

  const char* Check(const State& s) const {
    for (const Span& span : s.span) {
      const bool may_lack = span.word.kind == kHole || span.word.kind == kChanging;
      if (!may_lack && span.blocks != kAllBlocks) {
        return "I1: a span that is no hole lacks disk blocks";
      }
      if (span.word.kind == kUsed && span.bytes == 0) {
        return "I2: what a user has stored is gone";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (const Span& span : s.span) {
      if (span.word.kind == kChanging || span.word.kind == kClaimed) {
        return "I3: a span stays claimed";
      }
    }
    return nullptr;
  }

 private:
  static void Unpin(State& t, int lane) {
    t.lane[lane].pinned = 0;
    for (Span& span : t.span) {
      span.waits &= static_cast<U8>(~Bit(lane));
    }
  }
  static Word Mine(WordKind kind, int p) { return {kind, static_cast<U8>(p)}; }
  static bool CasWord(State& t, int span, Word from, WordKind kind, int lane = 0) {
    return Cas(t.span[span].word, from, Mine(kind, lane));
  }
  bool IsPunchable(const Span& span) const {
    return span.word.kind == kFree || (options_.punches_retired && span.word.kind == kRetired);
  }

  // Pins, and finds a span for what it is about to do.
  template <typename Emit>
  void Start(const State& s, int p, Emit&& emit) const {
    if (s.process[p].ops == 0) {
      return;
    }
    for (U8 i = 0; i < kSpans; ++i) {
      const Span& span = s.span[i];
      const auto begin = [&](Kind kind, bool possible, Pc pc, const char* what) {
        if ((options_.kinds[p] & kind) == 0 || !possible) {
          return;
        }
        State t = s;
        t.lane[p].pinned = 1;
        Process& me = t.process[p];
        --me.ops;
        me.pc = pc;
        me.first = me.end = i;
        me.seen = pc == kRead ? span.bytes : 0;
        emit(t, Move{p, what});
      };
      begin(kPunches, IsPunchable(span), kPunchClaim, "pins, sees a free span, to punch it");
      begin(kFills, span.word.kind == kHole, kFillClaim, "pins, sees a hole, to fill it");
      begin(kUses, span.word.kind == kFree, kClaim, "pins, sees a free span, to use it");
      begin(kRetires, span.word.kind == kUsed, kRetire, "pins, to retire a span");
      begin(kRetires, span.word.kind == kRetired && span.waits == 0, kReap,
            "pins, sees a span retired long ago");
      begin(kReads, span.word.kind == kUsed, kRead, "pins and finds a span, to read it");
      begin(kFills,
            options_.taken_from_stopped && span.word.kind == kChanging && span.word.lane != p,
            kTakeAway, "pins, sees that a span stays claimed");
    }
  }

  template <typename Emit>
  void StepWorker(const State& s, int p, Emit&& emit) const {
    const Process& now = s.process[p];
    if (now.pc == kIdle) {
      Start(s, p, emit);
      return;
    }
    EmitStep(s, p, emit, [&](State& t, Move& move) { Work(s, t, p, move); });
    if (options_.failures && (now.pc == kPunch || now.pc == kReserve)) {
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        Process& me = t.process[p];
        move.what = "sees its system call fail";
        me.failed = 1;
        me.at = me.first;
        me.pc = now.pc == kPunch ? kPunched : kFilled;
      });
    }
  }

  void Work(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    switch (me.pc) {
      case kPunchClaim:
        return ClaimRow(s, t, p, move);
      case kPunch: {
        move.what = "the kernel gives a block back (hole-2)";
        Span& other = t.span[me.first + me.at / kBlocks];
        t.disk_left += (other.blocks & Bit(me.at % kBlocks)) != 0 ? 1 : 0;
        other.blocks &= static_cast<U8>(~Bit(me.at % kBlocks));
        other.bytes = 0;
        if (++me.at == (me.end - me.first) * kBlocks) {
          me.at = me.first;
          me.pc = kPunched;
        }
        return;
      }
      case kPunched:
        move.what = "CAS Changing(me) -> Hole (hole-3)";
        CasWord(t, me.at, options_.no_claim ? Word{} : Mine(kChanging, p),
                me.failed != 0 && options_.failed_as_free ? kFree : kHole);
        if (++me.at == me.end) {
          me.pc = kUnpin;
        }
        return;
      case kFillClaim:
        move.what = "CAS Hole -> Changing(me) (hole-4)";
        me.pc = CasWord(t, me.first, {kHole, 0}, options_.free_first ? kFree : kChanging,
                        options_.free_first ? 0 : p)
                    ? kReserve
                    : kUnpin;
        return;
      case kReserve:
        return Reserve(s, t, p, move);
      case kFilled:
        move.what = "CAS Changing(me) -> Free, or Hole if the disk is full (hole-6)";
        CasWord(t, me.first, Mine(kChanging, p),
                me.failed != 0 && !options_.filled_anyway ? kHole : kFree);
        me.pc = kUnpin;
        return;
      default:
        return Use(s, t, p, move);
    }
  }

  // The steps of a user, a reader, and those at the end.
  void Use(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    Span& span = t.span[me.first];
    switch (me.pc) {
      case kClaim:
        move.what = "CAS Free -> Claimed(me)";
        me.pc = CasWord(t, me.first, {kFree, 0}, kClaimed, p) ? kStore : kUnpin;
        return;
      case kStore:
        move.what = "stores into its span";
        if (span.blocks != kAllBlocks) {
          move.wrong = "I1: a store into a span without disk blocks";
        }
        span.bytes = static_cast<U8>(p + 1);
        me.pc = kOpen;
        return;
      case kOpen:
        move.what = "CAS Claimed(me) -> Used";
        CasWord(t, me.first, Mine(kClaimed, p), kUsed);
        me.pc = kUnpin;
        return;
      case kRetire:
        move.what = "CAS Used -> Retired";
        if (CasWord(t, me.first, {kUsed, 0}, kRetired)) {
          span.waits = PinnedMask(s.lane);
        }
        me.pc = kUnpin;
        return;
      case kReap:
        move.what = "CAS Retired -> Free";
        CasWord(t, me.first, {kRetired, 0}, kFree);
        me.pc = kUnpin;
        return;
      case kRead:
        move.what = "reads what is stored";
        if (span.bytes != me.seen) {
          move.wrong = "I2: what a reader has found is gone";
        }
        me.pc = kUnpin;
        return;
      case kTakeAway:
        move.what = "takes the claim from a process that stands still";
        if (span.word.kind == kChanging) {
          span.word = {kHole, 0};
        }
        me.pc = kUnpin;
        return;
      default:
        move.what = "unpins";
        Unpin(t, p);
        Rest(me);
        return;
    }
  }

  // hole-1 of the next span in the row.
  void ClaimRow(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    move.what = "CAS Free -> Changing(me) (hole-1)";
    bool won = me.end < kSpans && IsPunchable(s.span[me.end]);
    if (won && !options_.no_claim) {
      t.span[me.end].word = Mine(kChanging, p);
    }
    me.end += won ? 1 : 0;
    if (!won || me.end == kSpans) {
      me.pc = me.end == me.first ? kUnpin : kPunch;
    }
  }

  void Reserve(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    Span& span = t.span[me.first];
    move.what = "the kernel reserves a block (hole-5)";
    const bool missing = (span.blocks & Bit(me.at)) == 0;
    if (missing && s.disk_left == 0) {
      me.failed = 1;
      me.pc = kFilled;
    } else {
      t.disk_left -= missing ? 1 : 0;
      span.blocks |= Bit(me.at);
      if (++me.at == kBlocks) {
        me.pc = kFilled;
      }
    }
    if (me.pc == kFilled) {
      me.at = 0;
    }
  }

  template <typename Emit>
  void StepRecoverer(const State& s, int p, Emit&& emit) const {
    if (s.process[p].pc == kIdle) {
      EmitRecoveries(s, p, emit, [](Process& me, U8 dead) {
        me.dead_lane = dead;
        me.pc = kRecover;
      });
      return;
    }
    EmitStep(s, p, emit, [&](State& t, Move& move) {
      Process& me = t.process[p];
      const U8 dead = me.dead_lane;
      switch (me.pc) {
        case kRecover:
          move.what = "recovery looks at a span's word: Changing(dead) -> Hole";
          CasWord(t, me.at, Mine(kClaimed, dead), kFree);
          CasWord(t, me.at, Mine(kChanging, dead), options_.recovered_as_free ? kFree : kHole);
          if (++me.at == kSpans) {
            me.pc = kRecUnpin;
          }
          return;
        case kRecUnpin:
          move.what = "recovery clears the dead lane's pin";
          Unpin(t, dead);
          me.pc = kRecFreeLane;
          return;
        default:
          move.what = "recovery frees the lane and unpins itself";
          FreeLane(t.lane[dead]);
          Unpin(t, p);
          Rest(me);
          return;
      }
    });
  }

  Options options_;
};

// Two punch and fill, one uses the spans and gives them back.
constexpr Options Users() {
  return {.kinds = {kPunches | kFills, kPunches | kFills | kReads, kUses | kRetires},
          .operations = {2, 2, 3}};
}

// One user fills what it needs; another reads and retires. The disk may be full.
constexpr Options Readers() {
  return {.kinds = {kPunches, kFills | kUses, kRetires | kReads | kPunches},
          .operations = {2, 3, 3},
          .holes = 1,
          .disk_left = 2,
          .others_files = 1,
          .failures = true};
}

constexpr Options Killed(Options o) {
  o.kills = 1;
  return o;
}

TEST(HoleModelTest, SpansInUseHaveTheirBlocksAndBytes) {
  ExpectHolds(HoleModel(Users()), "holes, users");
  ExpectHolds(HoleModel(Readers()), "holes, readers");
}

TEST(HoleModelTest, AProcessKilledAtAnyStepLeavesAHoleAtWorst) {
  ExpectHolds(HoleModel(Killed(Users())), "holes, users, one is killed");
  Options o = Killed(Readers());
  o.operations[2] = 2;
  ExpectHolds(HoleModel(o), "holes, readers, one is killed");
  o = Users();
  o.operations[0] = o.operations[1] = 1;
  o.kills = 2;
  ExpectHolds(HoleModel(o), "holes, users, two are killed");
}

TEST(HoleModelTest, PunchingWithoutAClaimIsCaught) {
  Options o = Users();
  o.no_claim = true;
  ExpectCaught(HoleModel(o), "holes, weakened: no claim");
}

TEST(HoleModelTest, PunchingASpanThatIsRetiredIsCaught) {
  Options o = Users();
  o.punches_retired = true;
  ExpectCaught(HoleModel(o), "holes, weakened: a retired span is punched");
}

TEST(HoleModelTest, FreeingAHoleBeforeItIsFilledIsCaught) {
  Options o = Users();
  o.free_first = true;
  ExpectCaught(HoleModel(o), "holes, weakened: free before filled");
}

TEST(HoleModelTest, FreeingAHoleThatTheDiskHasNoRoomForIsCaught) {
  Options o = Readers();
  o.filled_anyway = true;
  ExpectCaught(HoleModel(o), "holes, weakened: free on a full disk");
}

TEST(HoleModelTest, RecoveryThatMakesTheSpanFreeIsCaught) {
  Options o = Killed(Users());
  o.recovered_as_free = true;
  ExpectCaught(HoleModel(o), "holes, weakened: recovered as free");
}

TEST(HoleModelTest, FreeingASpanWhosePunchFailedHalfDoneIsCaught) {
  Options o = Readers();
  o.failed_as_free = true;
  ExpectCaught(HoleModel(o), "holes, weakened: free after a punch that failed");
}

TEST(HoleModelTest, TakingTheClaimOfAStoppedProcessIsCaught) {
  Options o = Users();
  o.taken_from_stopped = true;
  ExpectCaught(HoleModel(o), "holes, weakened: claim taken from a stopped process");
}

}  // namespace
}  // namespace commy::model
