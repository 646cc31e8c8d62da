// Which snapshots are held, and which versions are kept for them: the words of
// src/versions/snapshots.h, and the marks by which kept versions are found again. The drop of
// single versions is in version_model_test.cc.
//
// WORDS    clock; held {some, seq}; ended; snapshot slots: owner, word (0, pending(seq), or the
//          time S), keeps; mark: 0, marked, being swept, waiting
// STEPS    take     snapshot-1 owner   snapshot-2 held = {some, a new seq}
//                   snapshot-3 word = pending(seq)   snapshot-4 s = clock
//                   snapshot-5 CAS word pending(seq) -> s; S is what the word then says
//          release  word = 0; keeps = 0, and if it was 1: ++ended; owner = 0; then q = held; any
//                   owner? no: CAS held q -> {none, q}
//          look     c = clock; each slot: CAS pending(seq) -> clock. Good for versions not newer
//                   than c
//          judge    o below n: a time seen in [o, n)? Then keeps = 1, and is the word still S?
//                   Else drop o
//          put      publishes v; t = ++clock, v.commit = t; held says none: drops all below v.
//                   Else e = ended, looks, judges from the top until one is kept, then: mark =
//                   waiting; ended is not e any more: mark = marked
//          sweep    if marked, or waiting and ended has changed since: mark = being swept; the
//                   same, but judges all; CAS mark being swept -> 0
// HOLDS    the holder of a snapshot finds the newest version that is not newer than S; in the end
//          each version that is kept has a holder
#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kTakers = 2;
constexpr int kPutter = 2;
constexpr int kSweeper = 3;
constexpr int kActors = 4;
constexpr int kVersions = 4;  // 0 is there at the start.
constexpr U8 kPending = 0x80;
constexpr U8 kMarked = 1;
constexpr U8 kSweeping = 2;
constexpr U8 kWaiting = 3;

struct Options {
  bool held_left_alone_if_some = false;
  bool time_before_held = false;
  bool clock_read_after_the_scan = false;
  bool pending_overlooked = false;
  bool pending_at_once = false;
  bool pending_without_seq = false;
  bool no_keeps = false;
  bool word_not_looked_at_again = false;
  bool ended_before_the_word = false;
  bool ended_not_compared = false;
};

class SnapshotModel {
 public:
  enum Pc : U8 {
    kIdle,
    kBump,
    kShow,
    kClock,
    kTaken,
    kRead,
    kRelease,
    kKeeps,
    kEnded,
    kOwner,
    kHeld,
    kOwners,
    kNone,
    kPublish,
    kStamp,
    kAskHeld,
    kDropAll,
    kLookEnded,
    kLookClock,
    kLookSlot,
    kNow,
    kComplete,
    kJudge,
    kFlag,
    kLookWord,
    kMark,
    kCompare,
    kUnmark,
  };
  struct Actor {
    U8 pc, rounds, at, time, seq, ended, kept;
    U8 newer, older;  // The pair that is judged.
    U8 seen[kTakers];
  };
  struct State {
    U8 clock, held_seq, held_some, ended, head, mark, swept;
    U8 word[kTakers];
    U8 owner[kTakers];
    U8 keeps[kTakers];
    U8 commit[kVersions];
    U8 dropped[kVersions];
    Actor actor[kActors];
  };

  SnapshotModel(Options options, U8 takes, U8 puts)
      : options_(options), takes_(takes), puts_(puts) {}

  State Initial() const {
    State s{};
    s.clock = 1;
    s.commit[0] = 1;
    s.actor[0].rounds = takes_;
    s.actor[1].rounds = 1;
    s.actor[kPutter].rounds = puts_;
    s.actor[kPutter].pc = kPublish;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      EmitStep(s, i, emit, [&](State& t, Move& move) { Step(s, t, i, move); });
    }
  }

  const char* Check(const State& s) const {
    for (int i = 0; i < kTakers; ++i) {
      if (s.actor[i].pc != kRead && s.actor[i].pc != kRelease) {
        continue;
      }
      int needed = 0;
      for (int v = 1; v < kVersions; ++v) {
        if (s.commit[v] != 0 && s.commit[v] <= s.word[i]) {
          needed = v;
        }
      }
      if (s.dropped[needed] != 0) {
        return "a version that a snapshot needs was dropped";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    if (s.held_some != 0) {
      return "no snapshot is held, and the word says that one is";
    }
    for (int v = 0; v < s.head; ++v) {
      if (s.dropped[v] == 0) {
        return "a version is kept for no snapshot";
      }
    }
    return nullptr;
  }

 private:
  void Step(const State& s, State& t, int i, Move& move) const {
    const Actor& me = s.actor[i];
    if (i < kTakers) {
      if (me.rounds != 0) {
        Take(s, t, i, move);
      }
    } else if (me.pc >= kLookEnded) {
      Look(s, t, i, move);
    } else if (i == kPutter) {
      if (me.rounds != 0) {
        Put(s, t, move);
      }
    } else {
      Sweep(s, t, move);
    }
  }

  void Take(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kIdle:
        t.owner[i] = 1;
        if (options_.pending_at_once) {
          t.word[i] = kPending;
        }
        me.pc = options_.time_before_held ? kClock : kBump;
        move.what = "snapshot-1: takes a slot";
        return;
      case kBump:
        if (s.held_some == 0 || !options_.held_left_alone_if_some) {
          ++t.held_seq;
          t.held_some = 1;
        }
        me.seq = options_.pending_without_seq || options_.pending_at_once ? 0 : t.held_seq;
        me.pc = kShow;
        move.what = "snapshot-2: held = some";
        return;
      case kShow:
        if (!options_.pending_at_once) {
          t.word[i] = kPending | me.seq;
        }
        me.pc = options_.time_before_held ? kTaken : kClock;
        move.what = "snapshot-3: word = pending";
        return;
      case kClock:
        me.time = s.clock;
        me.pc = options_.time_before_held ? kBump : kTaken;
        move.what = "snapshot-4: reads the clock";
        return;
      case kTaken:
        if (s.word[i] == (kPending | me.seq)) {
          t.word[i] = me.time;
        }
        me.time = 0;
        me.pc = kRead;
        move.what = "snapshot-5: CAS pending -> S";
        return;
      default:
        Release(s, t, i, move);
        return;
    }
  }

  void Release(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kRead:
        me.pc = options_.ended_before_the_word ? kKeeps : kRelease;
        move.what = "reads";
        return;
      case kRelease:
        t.word[i] = 0;
        me.pc = options_.ended_before_the_word ? kOwner : kKeeps;
        move.what = "word = 0";
        return;
      case kKeeps:
        t.keeps[i] = 0;
        me.pc = s.keeps[i] != 0 ? kEnded : options_.ended_before_the_word ? kRelease : kOwner;
        move.what = "keeps = 0";
        return;
      case kEnded:
        ++t.ended;
        me.pc = options_.ended_before_the_word ? kRelease : kOwner;
        move.what = "++ended";
        return;
      case kOwner:
        t.owner[i] = 0;
        me.pc = kHeld;
        move.what = "owner = 0";
        return;
      case kHeld:
        me.seq = s.held_seq;
        me.at = 0;
        me.pc = kOwners;
        move.what = "reads held";
        return;
      case kOwners:
        if (s.owner[me.at] != 0) {
          Over(me, kIdle);
        } else if (++me.at == kTakers) {
          me.pc = kNone;
        }
        move.what = "looks for an owner";
        return;
      default:
        if (s.held_seq == me.seq) {
          t.held_some = 0;
        }
        Over(me, kIdle);
        move.what = "CAS held -> none";
        return;
    }
  }

  static void Over(Actor& me, Pc pc) {
    const U8 rounds = me.rounds == 0 ? 0 : static_cast<U8>(me.rounds - 1);
    me = Actor{};
    me.pc = pc;
    me.rounds = rounds;
  }

  void Put(const State& s, State& t, Move& move) const {
    Actor& me = t.actor[kPutter];
    switch (me.pc) {
      case kPublish:
        t.head = s.head + 1;
        me.newer = t.head;
        me.pc = kStamp;
        move.what = "publishes a version";
        return;
      case kStamp:
        Resolve(t.commit[me.newer], t.clock);
        me.pc = kAskHeld;
        move.what = "stamps it";
        return;
      case kAskHeld:
        me.pc = s.held_some == 0 ? kDropAll : kLookEnded;
        move.what = "reads held";
        return;
      default:
        for (int v = 0; v < me.newer; ++v) {
          t.dropped[v] = 1;
        }
        Over(me, kPublish);
        move.what = "drops the versions below";
        return;
    }
  }

  void Sweep(const State& s, State& t, Move& move) const {
    Actor& me = t.actor[kSweeper];
    if (me.pc == kStamp) {  // A look may be older than the version that it judges.
      Resolve(t.commit[s.head], t.clock);
      me.newer = s.head;
      me.pc = kJudge;
      move.what = "resolves the head";
      return;
    }
    if (s.mark == kMarked || s.mark == kSweeping || (s.mark == kWaiting && s.ended != s.swept)) {
      t.swept = s.ended;
      t.mark = kSweeping;
      me.pc = kLookEnded;
      move.what = "sweeps: mark = being swept";
    } else if (s.ended != s.swept) {
      t.swept = s.ended;
      move.what = "has nothing to sweep";
    }
  }

  // The steps that the putter and the sweeper share.
  void Look(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kLookEnded:
        me.ended = s.ended;
        me.pc = kLookClock;
        move.what = "reads ended";
        return;
      case kLookClock:
        me.time = options_.clock_read_after_the_scan ? 0 : s.clock;
        me.at = 0;
        me.pc = kLookSlot;
        move.what = "reads the clock";
        return;
      case kLookSlot:
        me.seq = s.word[me.at];
        me.seen[me.at] = 0;
        move.what = "looks at a slot";
        if ((me.seq & kPending) != 0 && !options_.pending_overlooked) {
          me.pc = kNow;
          return;
        }
        if ((me.seq & kPending) == 0) {
          me.seen[me.at] = me.seq;
        }
        NextSlot(t, i);
        return;
      case kNow:
        me.kept = s.clock;  // The clock, for a moment.
        me.pc = kComplete;
        move.what = "reads the clock for one that is pending";
        return;
      case kComplete:
        Cas(t.word[me.at], me.seq, me.kept);
        if ((t.word[me.at] & kPending) == 0) {
          me.seen[me.at] = t.word[me.at];
        }
        me.kept = 0;
        NextSlot(t, i);
        move.what = "CAS pending -> clock";
        return;
      default:
        Judge(s, t, i, move);
        return;
    }
  }

  void NextSlot(State& t, int i) const {
    Actor& me = t.actor[i];
    me.seq = 0;
    if (++me.at < kTakers) {
      me.pc = kLookSlot;
      return;
    }
    if (options_.clock_read_after_the_scan) {
      me.time = t.clock;
    }
    me.pc = i == kSweeper && me.newer == 0 ? kStamp : kJudge;
    me.kept = 0;
  }

  void Judge(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kJudge: {
        int older = me.newer - 1;
        while (older >= 0 && s.dropped[older] != 0) {
          --older;
        }
        move.what = "judges a version";
        if (older < 0) {
          Judged(t, i);
          return;
        }
        me.older = static_cast<U8>(older);
        if (s.commit[me.newer] > me.time) {
          me.pc = kLookClock;
          return;
        }
        for (U8 k = 0; k < kTakers; ++k) {
          if (me.seen[k] == 0 || me.seen[k] < s.commit[older] || me.seen[k] >= s.commit[me.newer]) {
            continue;
          }
          me.at = k;
          me.pc = options_.no_keeps ? kLookWord : kFlag;
          return;
        }
        t.dropped[older] = 1;
        return;
      }
      case kFlag:
        t.keeps[me.at] = 1;
        me.pc = kLookWord;
        move.what = "keeps = 1";
        return;
      case kLookWord:
        move.what = "looks whether it is still held";
        if (s.word[me.at] != me.seen[me.at] && !options_.word_not_looked_at_again) {
          me.seen[me.at] = 0;
          me.pc = kJudge;
        } else {
          Keep(t, i);
        }
        return;
      case kMark:
        if (s.mark == 0 || s.mark == kSweeping) {
          t.mark = kWaiting;
        }
        me.pc = kCompare;
        move.what = "mark = waiting";
        return;
      case kCompare:
        if (s.ended != me.ended && !options_.ended_not_compared) {
          t.mark = kMarked;
        }
        if (i == kPutter) {
          Over(me, kPublish);
        } else {
          me.pc = kUnmark;
        }
        move.what = "compares ended";
        return;
      default:
        Cas(t.mark, kSweeping, 0);
        Over(me, kIdle);
        move.what = "CAS mark being swept -> 0";
        return;
    }
  }

  static void Keep(State& t, int i) {
    Actor& me = t.actor[i];
    me.kept = 1;
    me.newer = me.older;
    me.pc = kJudge;
    if (i == kPutter) {
      Judged(t, i);
    }
  }

  static void Judged(State& t, int i) {
    Actor& me = t.actor[i];
    if (me.kept != 0) {
      me.pc = kMark;
    } else if (i == kPutter) {
      Over(me, kPublish);
    } else {
      me.pc = kUnmark;
    }
  }

  Options options_;
  U8 takes_;
  U8 puts_;
};

TEST(SnapshotModelTest, AVersionThatASnapshotNeedsStays) {
  ExpectHolds(SnapshotModel({}, 1, 2), "snapshots, each taken once, two puts");
}

TEST(SnapshotModelTest, AVersionThatASnapshotNeedsStaysWhenASlotIsUsedAgain) {
  ExpectHolds(SnapshotModel({}, 2, 1), "snapshots, one taken twice, one put");
}

TEST(SnapshotModelTest, ASnapshotCompletedBeforeHeldSaysSomeIsCaught) {
  ExpectCaught(SnapshotModel({.pending_at_once = true}, 1, 2),
               "snapshots, weakened: pending at once");
}

TEST(SnapshotModelTest, LeavingAHeldWordThatAlreadySaysSomeIsCaught) {
  ExpectCaught(SnapshotModel({.held_left_alone_if_some = true}, 1, 2),
               "snapshots, weakened: no new seq");
}

TEST(SnapshotModelTest, TakingTheTimeBeforeHeldSaysSomeIsCaught) {
  ExpectCaught(SnapshotModel({.time_before_held = true}, 1, 2), "snapshots, weakened: time first");
}

TEST(SnapshotModelTest, ReadingTheClockAfterTheSlotsIsCaught) {
  ExpectCaught(SnapshotModel({.clock_read_after_the_scan = true}, 1, 2),
               "snapshots, weakened: clock last");
}

TEST(SnapshotModelTest, OverlookingAPendingSnapshotIsCaught) {
  ExpectCaught(SnapshotModel({.pending_overlooked = true}, 1, 2),
               "snapshots, weakened: pending overlooked");
}

TEST(SnapshotModelTest, APendingWordWithoutASequenceNumberIsCaught) {
  ExpectCaught(SnapshotModel({.pending_without_seq = true}, 2, 2),
               "snapshots, weakened: pending without a seq");
}

TEST(SnapshotModelTest, NotSettingKeepsIsCaught) {
  ExpectCaught(SnapshotModel({.no_keeps = true}, 1, 2), "snapshots, weakened: keeps is not set");
}

TEST(SnapshotModelTest, NotCheckingAgainThatTheSnapshotIsHeldIsCaught) {
  ExpectCaught(SnapshotModel({.word_not_looked_at_again = true}, 1, 2),
               "snapshots, weakened: the word is not looked at again");
}

TEST(SnapshotModelTest, CountingASnapshotAsEndedBeforeItsWordIsClearIsCaught) {
  ExpectCaught(SnapshotModel({.ended_before_the_word = true}, 1, 2),
               "snapshots, weakened: ended before the word");
}

TEST(SnapshotModelTest, WaitingForASnapshotThatHasEndedMeanwhileIsCaught) {
  ExpectCaught(SnapshotModel({.ended_not_compared = true}, 1, 2),
               "snapshots, weakened: ended is not compared");
}

}  // namespace
}  // namespace commy::model
