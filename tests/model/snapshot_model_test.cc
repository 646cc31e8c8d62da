// Which snapshots are held: the two words that spare a put from looking at every snapshot slot. See
// docs/decisions/0008-snapshots.md; how versions are dropped is in version_model_test.cc.
//
// WORDS    clock; held {some, seq}; floor; snapshot slots: 0, owned, pending, or the time S
// STEPS    take     T1 slot = owned   T2 held = {some, a new seq}   T3 slot = pending
//                   T4 s = clock   T5 CAS slot pending -> s; what it then says is S
//          release  slot = 0; then, for each who wants: q = held; any slot taken? no: CAS held q ->
//                   {none, q}
//          raise    c = clock; each slot: CAS pending -> clock; the least of c and the times seen:
//                   floor, if that is more
//          put      publishes v; t = ++clock, v.commit = t; held says none, or t <= floor: drops
//                   what is below v
// HOLDS    who holds a snapshot finds the newest version that is not newer than S
#include "explorer.h"

namespace commy::model {
namespace {

using U8 = std::uint8_t;
constexpr int kTakers = 2;
constexpr int kPutter = 2;
constexpr int kRaiser = 3;
constexpr int kActors = 4;
constexpr int kVersions = 4;  // 0 is there at the start.
constexpr U8 kPending = 0xff;
constexpr U8 kOwned = 0xfe;

struct Options {
  bool held_left_alone_if_some = false;
  bool time_before_held = false;
  bool clock_read_after_the_scan = false;
  bool pending_overlooked = false;
  bool pending_at_once = false;
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
    kHeld,
    kLook,
    kNone,
    kPublish,
    kTime,
    kAskHeld,
    kAskFloor,
    kDrop,
    kReadClock,
    kScan,
    kRaise,
  };
  struct Actor {
    U8 pc, rounds, at, time, seq, some;
  };
  struct State {
    U8 clock, held_seq, held_some, floor, head;
    U8 slot[kTakers];
    U8 commit[kVersions];
    U8 dropped[kVersions];
    Actor actor[kActors];
  };

  explicit SnapshotModel(Options options) : weak_(options) {}

  State Initial() const {
    State s;
    std::memset(&s, 0, sizeof s);
    s.clock = 1;
    s.commit[0] = 1;
    s.actor[0].rounds = 2;
    s.actor[1].rounds = 1;
    s.actor[kPutter].rounds = 3;
    s.actor[kPutter].pc = kPublish;
    s.actor[kRaiser].rounds = 2;
    s.actor[kRaiser].pc = kReadClock;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      if (s.actor[i].rounds == 0) continue;
      State t = s;
      Move move{i, nullptr};
      if (i < kTakers) {
        Take(s, t, i, move);
      } else if (i == kPutter) {
        Put(s, t, move);
      } else {
        Raise(s, t, move);
      }
      emit(t, move);
    }
  }

  const char* Check(const State& s) const {
    for (int i = 0; i < kTakers; ++i) {
      if (s.actor[i].pc != kRead && s.actor[i].pc != kRelease) continue;
      int needed = 0;
      for (int v = 1; v < kVersions; ++v)
        if (s.commit[v] != 0 && s.commit[v] <= s.slot[i]) needed = v;
      if (s.dropped[needed] != 0) return "a version that a snapshot needs was dropped";
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    return s.held_some == 0 ? nullptr : "nobody holds a snapshot, and the word says somebody does";
  }

 private:
  void Take(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kIdle:
        t.slot[i] = weak_.pending_at_once ? kPending : kOwned;
        me.pc = weak_.time_before_held ? kClock : kBump;
        move.what = "T1: slot = owned";
        return;
      case kBump:
        if (s.held_some == 0 || !weak_.held_left_alone_if_some) {
          ++t.held_seq;
          t.held_some = 1;
        }
        me.pc = kShow;
        move.what = "T2: held = some";
        return;
      case kShow:
        if (!weak_.pending_at_once) t.slot[i] = kPending;
        me.pc = weak_.time_before_held ? kTaken : kClock;
        move.what = "T3: slot = pending";
        return;
      case kClock:
        me.time = s.clock;
        me.pc = weak_.time_before_held ? kBump : kTaken;
        move.what = "T4: reads the clock";
        return;
      case kTaken:
        if (s.slot[i] == kPending) t.slot[i] = me.time;
        me.time = 0;
        me.pc = kRead;
        move.what = "T5: CAS pending -> S";
        return;
      case kRead:
        me.pc = kRelease;
        move.what = "reads";
        return;
      case kRelease:
        t.slot[i] = 0;
        me.pc = kHeld;
        move.what = "lets its slot go";
        return;
      case kHeld:
        me.seq = s.held_seq;
        me.at = 0;
        me.pc = kLook;
        move.what = "reads held";
        return;
      case kLook:
        if (s.slot[me.at] != 0) {
          Over(me);
        } else if (++me.at == kTakers) {
          me.pc = kNone;
        }
        move.what = "looks at a slot";
        return;
      default:
        if (s.held_seq == me.seq) t.held_some = 0;
        Over(me);
        move.what = "CAS held -> none";
        return;
    }
  }

  static void Over(Actor& me) { me = Actor{kIdle, static_cast<U8>(me.rounds - 1), 0, 0, 0, 0}; }

  void Put(const State& s, State& t, Move& move) const {
    Actor& me = t.actor[kPutter];
    switch (me.pc) {
      case kPublish:
        t.head = s.head + 1;
        me.pc = kTime;
        move.what = "publishes a version";
        return;
      case kTime:
        t.commit[s.head] = ++t.clock;
        me.pc = kAskHeld;
        move.what = "stamps it";
        return;
      case kAskHeld:
        me.pc = s.held_some == 0 ? kDrop : kAskFloor;
        move.what = "reads held";
        return;
      case kAskFloor:
        me.pc = s.commit[s.head] <= s.floor ? kDrop : kPublish;
        if (me.pc == kPublish) --me.rounds;
        move.what = "reads the floor";
        return;
      default:
        for (int v = 0; v < s.head; ++v) t.dropped[v] = 1;
        me.pc = kPublish;
        --me.rounds;
        move.what = "drops what is below";
        return;
    }
  }

  void Raise(const State& s, State& t, Move& move) const {
    Actor& me = t.actor[kRaiser];
    switch (me.pc) {
      case kReadClock:
        me.time = weak_.clock_read_after_the_scan ? kPending : s.clock;
        me.at = 0;
        me.pc = kScan;
        move.what = "reads the clock";
        return;
      case kScan: {
        U8 seen = s.slot[me.at];
        if (seen == kPending && !weak_.pending_overlooked) {
          t.slot[me.at] = s.clock;
          seen = s.clock;
        }
        if (seen != 0 && seen < kOwned && seen < me.time) me.time = seen;
        if (++me.at == kTakers) me.pc = kRaise;
        move.what = "looks at a slot, completes it";
        return;
      }
      default:
        if (me.time == kPending) me.time = s.clock;
        if (me.time > s.floor) t.floor = me.time;
        me = Actor{kReadClock, static_cast<U8>(me.rounds - 1), 0, 0, 0, 0};
        // The sweep of what the floor allows now.
        if (s.commit[s.head] != 0 && s.commit[s.head] <= t.floor)
          for (int v = 0; v < s.head; ++v) t.dropped[v] = 1;
        move.what = "raises the floor, and sweeps";
        return;
    }
  }

  Options weak_;
};

TEST(SnapshotModelTest, WhatASnapshotNeedsStays) {
  ExpectHolds(SnapshotModel({}), "snapshots");
}

TEST(SnapshotModelTest, OneThatCanBeCompletedBeforeItIsSaidIsCaught) {
  ExpectCaught(SnapshotModel({.pending_at_once = true}), "snapshots, weakened: pending at once");
}

TEST(SnapshotModelTest, NotChangingAWordThatSaysSomeAlreadyIsCaught) {
  ExpectCaught(SnapshotModel({.held_left_alone_if_some = true}), "snapshots, weakened: no new seq");
}

TEST(SnapshotModelTest, TakingTheTimeBeforeItIsSaidIsCaught) {
  ExpectCaught(SnapshotModel({.time_before_held = true}), "snapshots, weakened: time first");
}

TEST(SnapshotModelTest, AFloorFromAClockReadAfterTheScanIsCaught) {
  ExpectCaught(SnapshotModel({.clock_read_after_the_scan = true}),
               "snapshots, weakened: clock last");
}

TEST(SnapshotModelTest, OverlookingOneThatIsBeingTakenIsCaught) {
  ExpectCaught(SnapshotModel({.pending_overlooked = true}),
               "snapshots, weakened: pending overlooked");
}

}  // namespace
}  // namespace commy::model
