// Runs of consecutive spans: claimed head last, freed head first, by competing and dying processes.
//
// WORDS    span[i]  Free | Body(lane, head) | Head(lane, n) | Retired(n, tag); root: a run or 0
// STEPS    claim    run-0 pin; note {run, i, n}    run-0 span[i] must be Free (read under the pin)
//                   run-1 CAS span[i+1..i+n-1] Free -> Body(me, i), ascending
//                   run-2 CAS span[i] Free -> Head(me, n): the commit; a lost CAS rolls back run-1
//                   then note the old run; CAS root -> the run; run-4 old Head -> Retired;
//                   clear notes; unpin
//          free     run-5 pin; note {runfree, i, n}; CAS span[i] Retired -> Body(me, i)
//                   run-6 span[i+1..] Body(*, i) -> Free
//                   run-7 CAS span[i] Body(me, i) -> Free
//          recover  of a noted claim: if span[i] is neither Head(dead, n) nor Retired(n): each
//                   Body(dead, i) -> Free; if it is Head and root does not name it: Retired
//                   of a noted free: if span[i] is Body(dead, i): run-6, run-7
// HOLDS    I1 behind every Head or Retired word stand its own bodies (no two runs overlap)
//          I2 a run that a pinned reader has found stays Head or Retired
//          I3 when all is quiet, every span is Free or part of a run that root names or is Retired
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/recovery.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kSpans = 3;
constexpr int kWriters = 2;
constexpr int kReader = 2;
constexpr int kRecoverers = 2;
constexpr int kProcesses = 3 + kRecoverers;

enum Kind : U8 { kFree, kBody, kHead, kRetired };

struct Word {
  U8 kind, lane, value, mask;  // value: head index of a Body, length of a Head or Retired
  bool operator==(const Word&) const = default;
};

enum Pc : U8 {
  kIdle,
  kCheckHead,
  kClaimBody,
  kClaimHead,
  kRollBack,
  kReadRoot,
  kSwapRoot,
  kRetireOld,
  kUnnote,
  kUnpin,
  kTakeHead,
  kFreeBody,
  kFreeHead,
  kHolding,
  kPinned,
  kRecRun,
  kRecBody,
  kRecReach,
  kRecOld,
  kRecOldReach,
  kRecFreeing,
  kRecUnnote,
  kRecUnpin,
  kRecFreeLane
};

struct Process {
  U8 pc, ops, i, n, at, old_i, old_n;
  Word seen;
};

struct Lane {
  U8 pinned, note_run, note_n, note_freeing, note_old, note_old_n, life, locked_by;
};

struct Options {
  bool head_first = false;
  bool no_note = false;
  bool no_head_check = false;
  bool free_bodies_of_retired = false;
};

class RunModel {
 public:
  struct State {
    Word span[kSpans];
    U8 root_i, root_n;  // root_n == 0: none
    U8 kills;
    Lane lane[kProcesses];
    Process process[kProcesses];
  };

  explicit RunModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.span[0] = {kRetired, 0, 2, 0};
    s.span[1] = {kBody, 9, 0, 0};
    s.span[2] = {kHead, 9, 1, 0};
    s.root_i = 2;
    s.root_n = 1;
    s.kills = 2;
    s.process[0].ops = 2;
    s.process[1].ops = 2;
    s.process[kReader].ops = 1;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < kProcesses; ++p) {
      if (s.lane[p].life != kAlive) {
        continue;
      }
      if (p < kWriters) {
        StepWriter(s, p, emit);
      }
      if (p == kReader) {
        StepReader(s, p, emit);
      }
      if (p > kReader) {
        StepRecoverer(s, p, emit);
      }
      // The last recoverer is not killed, so that every run of the model comes to rest.
      if (s.kills != 0 && s.process[p].pc != kIdle && p != kReader && p + 1 != kProcesses) {
        EmitStep(s, p, emit, [&](State& t, Move& move) {
          KillProcess(t, p);
          move.what = "is killed";
        });
      }
    }
  }

  const char* Check(const State& s) const {
    for (int i = 0; i < kSpans; ++i) {
      const Word& w = s.span[i];
      if (w.kind != kHead && w.kind != kRetired) {
        continue;
      }
      for (int j = i + 1; j < i + w.value; ++j) {
        if (j >= kSpans || s.span[j].kind != kBody || s.span[j].value != i) {
          return "I1: a span of a live or retired run is not its own";
        }
      }
    }
    const Process& r = s.process[kReader];
    if (r.pc == kHolding && r.n != 0) {
      const Word& w = s.span[r.i];
      if ((w.kind != kHead && w.kind != kRetired) || w.value != r.n) {
        return "I2: a run was taken back under a pinned reader";
      }
    }
    if (s.root_n != 0 && (s.span[s.root_i].kind != kHead || s.span[s.root_i].value != s.root_n)) {
      return "the run that root names is not live";
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (int i = 0; i < kSpans; ++i) {
      const Word& w = s.span[i];
      if (w.kind == kHead && (s.root_n == 0 || s.root_i != i)) {
        return "I3: a live run is lost";
      }
      if (w.kind != kBody) {
        continue;
      }
      const Word& head = s.span[w.value];
      if ((head.kind != kHead && head.kind != kRetired) || w.value + head.value <= i) {
        return "I3: a body span is lost";
      }
    }
    return nullptr;
  }

 private:
  static void Unpin(State& t, int lane) {
    t.lane[lane].pinned = 0;
    for (Word& w : t.span) {
      w.mask &= static_cast<U8>(~(1U << lane));
    }
  }

  static void Retire(State& t, int i) {
    t.span[i] = {kRetired, 0, t.span[i].value, PinnedMask(t.lane)};
  }

  template <typename Emit>
  void StepWriter(const State& s, int p, Emit&& emit) const {
    State t = s;
    Process& me = t.process[p];
    Lane& lane = t.lane[p];
    switch (me.pc) {
      case kIdle:
        StartWriter(s, p, emit);
        return;
      case kCheckHead:
        me.pc = me.n == 1 || options_.head_first ? kClaimHead : kClaimBody;
        me.at = me.i + 1;
        if (!options_.no_head_check && s.span[me.i].kind != kFree) {
          me.pc = kUnnote;
        }
        emit(t, Move{p, "reads the head word under its pin (run-0)"});
        return;
      case kClaimBody:
        if (s.span[me.at].kind == kFree) {
          t.span[me.at] = {kBody, static_cast<U8>(p), me.i, 0};
          if (++me.at == me.i + me.n) {
            me.pc = options_.head_first ? kReadRoot : kClaimHead;
          }
          emit(t, Move{p, "claims a body (run-1)"});
        } else {
          me.pc = kRollBack;
          --me.at;
          emit(t, Move{p, "loses a body CAS"});
        }
        return;
      case kClaimHead:
        if (s.span[me.i].kind == kFree) {
          t.span[me.i] = {kHead, static_cast<U8>(p), me.n, 0};
          me.pc = options_.head_first && me.n > 1 ? kClaimBody : kReadRoot;
          emit(t, Move{p, "claims the head: the run is committed (run-2)"});
        } else {
          me.pc = kRollBack;
          me.at = me.i + me.n - 1;
          emit(t, Move{p, "loses the head CAS"});
        }
        return;
      case kRollBack:
        if (me.at <= me.i) {
          me.pc = kUnnote;
        } else {
          Cas(t.span[me.at], Word{kBody, static_cast<U8>(p), me.i, 0}, Word{});
          --me.at;
        }
        emit(t, Move{p, "rolls back a body"});
        return;
      case kReadRoot:
        me.old_i = s.root_i;
        me.old_n = s.root_n;
        lane.note_old = s.root_i;
        lane.note_old_n = s.root_n;
        me.pc = kSwapRoot;
        emit(t, Move{p, "reads root and notes the old run"});
        return;
      case kSwapRoot:
        if (s.root_i == me.old_i && s.root_n == me.old_n) {
          t.root_i = me.i;
          t.root_n = me.n;
          me.pc = kRetireOld;
          emit(t, Move{p, "publishes its run in root"});
        } else {
          me.pc = kReadRoot;
          emit(t, Move{p, "loses the root CAS"});
        }
        return;
      case kRetireOld:
        if (s.span[me.old_i].kind == kHead) {
          Retire(t, me.old_i);
        }
        me.pc = kUnnote;
        emit(t, Move{p, "retires the old run (run-4)"});
        return;
      case kUnnote:
        lane = Lane{lane.pinned, 0, 0, 0, 0, 0, kAlive, lane.locked_by};
        me.pc = kUnpin;
        emit(t, Move{p, "clears its notes"});
        return;
      case kUnpin:
        Unpin(t, p);
        Rest(t.process[p]);
        emit(t, Move{p, "unpins"});
        return;
      case kPinned:
        lane.note_run = me.i;
        lane.note_n = me.n;
        if (options_.no_note) {
          lane.note_n = 0;
        }
        me.pc = kCheckHead;
        emit(t, Move{p, "notes a claim (run-0)"});
        return;
      case kTakeHead:
        if (s.span[me.i] == me.seen) {
          t.span[me.i] = {kBody, static_cast<U8>(p), me.i, 0};
          me.n = me.seen.value;
          me.at = me.i + 1;
          me.pc = me.n > 1 ? kFreeBody : kFreeHead;
          me.seen = Word{};
        } else {
          me.pc = kUnnote;
        }
        emit(t, Move{p, "CAS head Retired -> Body(me) (run-5)"});
        return;
      case kFreeBody:
        if (s.span[me.at].kind == kBody && s.span[me.at].value == me.i) {
          t.span[me.at] = Word{};
        }
        if (++me.at == me.i + me.n) {
          me.pc = kFreeHead;
        }
        emit(t, Move{p, "frees a body (run-6)"});
        return;
      case kFreeHead:
        Cas(t.span[me.i], Word{kBody, static_cast<U8>(p), me.i, 0}, Word{});
        me.pc = kUnnote;
        emit(t, Move{p, "frees the head (run-7)"});
        return;
      default:
        return;
    }
  }

  template <typename Emit>
  void StartWriter(const State& s, int p, Emit&& emit) const {
    if (s.process[p].ops == 0) {
      return;
    }
    for (U8 n = 1; n <= 2; ++n) {
      for (U8 i = 0; i + n <= kSpans; ++i) {
        State t = s;
        t.lane[p].pinned = 1;
        t.process[p] = Process{kPinned, static_cast<U8>(s.process[p].ops - 1), i, n, 0, 0, 0, {}};
        emit(t, Move{p, "pins, to claim a run"});
      }
    }
    for (U8 i = 0; i < kSpans; ++i) {
      if (s.span[i].kind != kRetired || s.span[i].mask != 0) {
        continue;
      }
      State t = s;
      t.lane[p].pinned = 1;  // Pins, then finds the tag old enough, then notes.
      t.lane[p].note_run = i;
      t.lane[p].note_n = options_.no_note ? 0 : s.span[i].value;
      t.lane[p].note_freeing = 1;
      t.process[p] =
          Process{kTakeHead, static_cast<U8>(s.process[p].ops - 1), i, 0, 0, 0, 0, s.span[i]};
      emit(t, Move{p, "pins, sees a run retired long ago, notes that it frees it"});
    }
  }

  template <typename Emit>
  void StepReader(const State& s, int p, Emit&& emit) const {
    State t = s;
    Process& me = t.process[p];
    if (me.pc == kIdle && me.ops != 0) {
      t.lane[p].pinned = 1;
      --me.ops;
      me.pc = kPinned;
      emit(t, Move{p, "pins to read"});
    } else if (me.pc == kPinned) {
      me.i = s.root_i;
      me.n = s.root_n;
      me.pc = kHolding;
      emit(t, Move{p, "reads root and holds the run"});
    } else if (me.pc == kHolding) {
      Unpin(t, p);
      Rest(t.process[p]);
      emit(t, Move{p, "lets go and unpins"});
    }
  }

  template <typename Emit>
  void StepRecoverer(const State& s, int p, Emit&& emit) const {
    if (s.process[p].pc == kIdle) {
      EmitRecoveries(s, p, emit, [](Process& me, U8 dead) {
        me.i = dead;
        me.pc = kRecRun;
      });
      return;
    }
    State t = s;
    const char* what = Recover(s, t, p);
    emit(t, Move{p, what});
  }

  // One step of the recovery of lane me.i; me.at counts the bodies.
  const char* Recover(const State& s, State& t, int p) const {
    Process& me = t.process[p];
    const U8 dead = me.i;
    Lane& lane = t.lane[dead];
    const U8 i = lane.note_run;
    const U8 n = lane.note_n;
    switch (me.pc) {
      case kRecRun: {
        const Word& head = s.span[i];
        me.at = 1;
        if (n == 0) {
          me.pc = kRecOld;
        } else if (lane.note_freeing != 0) {
          me.pc = head == Word{kBody, dead, i, 0} ? kRecFreeing : kRecOld;
        } else if (head.kind == kHead && head.lane == dead && head.value == n) {
          me.pc = kRecReach;
        } else if (head.kind == kRetired && head.value == n && !options_.free_bodies_of_retired) {
          me.pc = kRecOld;
        } else {
          me.pc = kRecBody;
        }
        return "recovery reads the head word of the noted run";
      }
      case kRecBody:
        if (me.at >= n) {
          me.pc = kRecOld;
          return "recovery is through with the bodies";
        }
        Cas(t.span[i + me.at], Word{kBody, dead, i, 0}, Word{});
        ++me.at;
        return "recovery frees a body of the dead lane";
      case kRecReach:
        me.pc = kRecOld;
        if ((s.root_n == 0 || s.root_i != i) && s.span[i].kind == kHead) {
          Retire(t, i);
        }
        return "recovery retires the noted run if root does not name it";
      case kRecFreeing:
        if (me.at < n) {
          Word& w = t.span[i + me.at];
          if (w.kind == kBody && w.value == i) {
            w = Word{};
          }
          ++me.at;
          return "recovery goes on freeing: a body";
        }
        Cas(t.span[i], Word{kBody, dead, i, 0}, Word{});
        me.pc = kRecOld;
        return "recovery goes on freeing: the head";
      case kRecOld: {
        const U8 old = lane.note_old;
        me.pc = kRecUnnote;
        if (lane.note_old_n != 0 && (s.root_n == 0 || s.root_i != old) &&
            s.span[old].kind == kHead) {
          Retire(t, old);
        }
        return "recovery retires the noted old run if root does not name it";
      }
      case kRecUnnote:
        lane = Lane{lane.pinned, 0, 0, 0, 0, 0, kKilled, lane.locked_by};
        me.at = 0;
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

TEST(RunModelTest, RunsNeverOverlapAndNoSpanIsLostWhicheverProcessIsKilled) {
  ExpectHolds(RunModel({}), "runs");
}

TEST(RunModelTest, ClaimingTheHeadBeforeTheBodiesIsCaught) {
  ExpectCaught(RunModel({.head_first = true}), "runs, weakened: head word first");
}

TEST(RunModelTest, ClaimingARunWithoutANoteIsCaught) {
  ExpectCaught(RunModel({.no_note = true}), "runs, weakened: no note");
}

TEST(RunModelTest, ClaimingBodiesWithoutReadingTheHeadIsCaught) {
  ExpectCaught(RunModel({.no_head_check = true}), "runs, weakened: head word not read first");
}

TEST(RunModelTest, RecoveryThatTakesARetiredRunForAnUnfinishedClaimIsCaught) {
  ExpectCaught(RunModel({.free_bodies_of_retired = true}), "runs, weakened: retired not spared");
}

}  // namespace
}  // namespace commy::model
