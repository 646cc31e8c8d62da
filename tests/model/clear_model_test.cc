// Clearing a namespace while others put, read and split in it: the steps of src/namespaces/roots.h.
//
// WORDS    root word; successor and pending of the old root; its directory entry; one slot, for one
//          key, in each of three segments: the old root's (kA), its replacement in a split (kB),
//          the new root's (kN); a commit word for each record and for the new root; the clock
// STEPS    put     reads root; helps with clear-3 if the root has a successor; reads entry, slot;
//                  CAS slot -> its record; t = ++clock; CAS commit 0 -> t
//          clear   clear-1 successor   clear-3 root word, then the new root's commit, by ++clock
//                  and CAS; the clear has taken effect. Then the old root is taken back:
//                  reclaim-1 pending closed   reclaim-2 freeze the slot; resolve its record; take
//                  it away
//          split   posts; freezes kA; fills kB by CAS from 0; entry kA -> kB; pending = 0
//          An actor that meets a frozen slot does clear-3, if there is a successor, or else the
//          steps of the posted split, and begins again. An actor resolves each root and record that
//          it meets.
// HOLDS    there is an order of all puts, the clear and all reads which keeps the order of
//          operations that did not overlap, and in which each read finds the last value put and not
//          cleared; each record in the new root is later than the root; and a root that was taken
//          back is empty
#include <algorithm>
#include <array>

#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kPutters = 2;
constexpr int kReader = 2;
constexpr int kClearer = 3;
constexpr int kSplitter = 4;
constexpr int kActors = 5;
constexpr U8 kNoRecord = 0;
constexpr U8 kRootCommit = kPutters + 1;  // Commit words: of records 1 and 2, then of the new root.
constexpr U8 kFrozen = 0x80;
constexpr U8 kTaken = 0x40;  // The record was taken away.

enum Segment : U8 { kA, kB, kN };
enum Pending : U8 { kFree, kPosted, kClosed };

struct Options {
  bool second_putter = false;  // Otherwise a reader; both at once are too many states.
  bool taken_unfrozen = false;
  bool pending_left_open = false;
  bool root_not_resolved = false;
  bool taken_before_swing = false;
};

class ClearModel {
 public:
  enum Pc : U8 {
    kStart,
    kRoot,
    kEntry,
    kSlot,
    kSwap,
    kTime,
    kStamp,
    kAck,
    kOver,
    kC1,
    kC3,
    kC3Resolve,
    kC4,
    kC5Freeze,
    kC5Resolve,
    kC5Take,
    kPost,
    kInPlace,
    kFreeze,
    kFill,
    kSwing,
    kDown,
  };
  // `then`: the step after a commit word is resolved; `of`: that commit word. `back`: the step
  // after helping. `before`: the operations that were over when this one began; bit i: actor i's.
  struct Actor {
    U8 pc, segment, seen, of, time, then, back, before, answer;
  };
  struct State {
    U8 root, successor, pending, entry, clock;
    U8 slot[3];
    U8 commit[kPutters + 2];
    U8 over;  // Operations that were acknowledged.
    Actor actor[kActors];
  };

  explicit ClearModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.actor[options_.second_putter ? kReader : 1].pc = kOver;
    s.actor[kClearer].pc = options_.taken_before_swing ? kC4 : kC1;
    s.successor = options_.taken_before_swing ? 1 : 0;
    s.actor[kSplitter].pc = kPost;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      EmitStep(s, i, emit, [&](State& t, Move& move) { Step(s, t, i, move); });
    }
  }

  const char* CheckFinal(const State& s) const {
    const U8 current = s.slot[s.root == 0 ? s.entry : U8{kN}] & ~(kFrozen | kTaken);
    const U8 in_new = s.slot[kN];
    if (in_new != kNoRecord && s.commit[in_new] < s.commit[kRootCommit]) {
      return "a record is earlier than the root that it is in";
    }
    if (s.root != 0 && (s.slot[s.entry] & ~kFrozen) != kTaken) {
      return "a record is left in a root that was taken back";
    }
    return HasOrder(s, current) ? nullptr : "no order of the operations explains the answers";
  }

 private:
  // Tries all orders of the operations; the last read, of `current`, comes behind all of them.
  bool HasOrder(const State& s, U8 current) const {
    std::array<int, 3> order{0, options_.second_putter ? 1 : kReader, kClearer};
    do {
      if (Explains(s, order, current)) {
        return true;
      }
    } while (std::next_permutation(order.begin(), order.end()));
    return false;
  }

  static bool Explains(const State& s, const std::array<int, 3>& order, U8 current) {
    U8 value = kNoRecord;
    U8 done = 0;
    for (const int actor : order) {
      if ((s.actor[actor].before & ~done) != 0) {
        return false;
      }
      done |= Bit(actor);
      if (actor < kPutters) {
        value = static_cast<U8>(actor + 1);
      }
      if (actor == kClearer) {
        value = kNoRecord;
      }
      if (actor == kReader && s.actor[actor].answer != value) {
        return false;
      }
    }
    return value == current;
  }

  static void Begin(Actor& me) {
    me.pc = kRoot;
    me.segment = me.seen = me.of = me.time = 0;
  }

  static void Resolve(Actor& me, U8 of, U8 then) {
    me.of = of;
    me.then = then;
    me.pc = kTime;
  }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kStart:
        me.before = s.over;
        Begin(me);
        move.what = "begins";
        return;
      case kRoot:
        me.segment = s.root == 0 ? kA : kN;
        if (s.root != 0 && s.commit[kRootCommit] == 0 && !options_.root_not_resolved) {
          Resolve(me, kRootCommit, kRoot);
        } else if (s.root == 0 && s.successor != 0 && i != kReader) {
          me.back = kRoot;
          me.pc = kC3;
        } else {
          me.pc = s.root == 0 ? kEntry : kSlot;
        }
        move.what = "reads the root word";
        return;
      case kEntry:
        me.segment = s.entry;
        me.pc = kSlot;
        move.what = "reads the entry";
        return;
      case kSlot:
        Look(s, me, i, move);
        return;
      case kSwap:
        if (s.slot[me.segment] == me.seen) {
          t.slot[me.segment] = static_cast<U8>(i + 1);
          Resolve(me, static_cast<U8>(i + 1), kAck);
        } else {
          Begin(me);
        }
        move.what = "CAS slot -> its record";
        return;
      case kTime:
        me.time = ++t.clock;
        me.pc = kStamp;
        move.what = "takes a time";
        return;
      case kStamp:
        Cas(t.commit[me.of], 0, me.time);
        me.pc = me.then;
        me.of = me.time = me.then = 0;
        move.what = "CAS commit 0 -> its time";
        return;
      case kAck:
        t.over |= Bit(i);
        me = Actor{i == kClearer ? kC4 : kOver,
                   0,
                   0,
                   0,
                   0,
                   0,
                   0,
                   me.before,
                   static_cast<U8>(i == kReader ? me.seen & ~(kFrozen | kTaken) : 0)};
        move.what = "acknowledges";
        return;
      case kOver:
        return;
      default:
        if (me.pc < kPost) {
          Clear(s, t, i, move);
        } else {
          Split(s, t, me, move);
        }
        return;
    }
  }

  void Look(const State& s, Actor& me, int i, Move& move) const {
    me.seen = s.slot[me.segment];
    const U8 record = me.seen & ~(kFrozen | kTaken);
    move.what = "reads the slot";
    if (i != kReader && (me.seen & kFrozen) != 0) {
      me.back = kRoot;
      if (s.successor != 0) {
        me.pc = kC3;
      } else if (s.pending == kPosted) {
        me.pc = kInPlace;
      } else {
        Begin(me);
      }
      return;
    }
    const U8 then = i == kReader ? kAck : kSwap;
    if (record != kNoRecord && s.commit[record] == 0) {
      Resolve(me, record, then);
    } else {
      me.pc = then;
    }
  }

  void Clear(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kC1:
        me.before = s.over;
        t.successor = 1;
        me.back = kAck;
        me.pc = kC3;
        move.what = "clear-1: successor";
        return;
      case kC3:
        t.root = 1;
        me.pc = kC3Resolve;
        move.what = "clear-3: root word";
        return;
      case kC3Resolve:
        if (s.commit[kRootCommit] == 0) {
          Resolve(me, kRootCommit, kC3Resolve);
        } else {
          Finish(me);
        }
        move.what = "looks at the new root's commit";
        return;
      case kC4:
        if (s.pending == kPosted) {
          me.then = kC4;  // Finishes the split, then looks again.
          me.pc = kInPlace;
        } else {
          if (!options_.pending_left_open) {
            t.pending = kClosed;
          }
          me.pc = options_.taken_unfrozen ? kC5Resolve : kC5Freeze;
        }
        move.what = "reclaim-1: looks at pending, closes it";
        return;
      case kC5Freeze:
        t.slot[s.entry] |= kFrozen;
        me.segment = s.entry;
        me.pc = kC5Resolve;
        move.what = "reclaim-2: freezes";
        return;
      case kC5Resolve: {
        if (options_.taken_unfrozen) {
          me.segment = s.entry;
        }
        const U8 record = s.slot[me.segment] & ~(kFrozen | kTaken);
        if (record != kNoRecord && s.commit[record] == 0) {
          Resolve(me, record, kC5Take);
        } else {
          me.pc = kC5Take;
        }
        move.what = "reclaim-2: looks at the slot";
        return;
      }
      default:
        t.slot[me.segment] = static_cast<U8>((s.slot[me.segment] & kFrozen) | kTaken);
        me.segment = 0;
        me.pc = kOver;
        if (options_.taken_before_swing && s.root == 0) {
          me.pc = kC1;
        }
        move.what = "reclaim-2: takes it away";
        return;
    }
  }

  static void Finish(Actor& me) {
    const U8 back = me.back;
    me.back = 0;
    if (back == kRoot) {
      Begin(me);
    } else {
      me.pc = back;
    }
  }

  void Split(const State& s, State& t, Actor& me, Move& move) const {
    switch (me.pc) {
      case kPost:
        if (s.pending == kFree && s.entry == kA) {
          t.pending = kPosted;
          me.back = kOver;
          me.pc = kInPlace;
        } else {
          me.pc = kOver;
        }
        move.what = "posts a split";
        return;
      case kInPlace:
        me.pc = s.entry == kA ? kFreeze : kDown;
        move.what = "looks whether the old segment is in place";
        return;
      case kFreeze:
        t.slot[kA] |= kFrozen;
        me.pc = kFill;
        move.what = "freezes the old segment";
        return;
      case kFill:
        Cas(t.slot[kB], 0, s.slot[kA] & ~kFrozen);
        me.pc = kSwing;
        move.what = "fills the new segment";
        return;
      case kSwing:
        Cas(t.entry, kA, kB);
        me.pc = kDown;
        move.what = "CAS entry old -> new";
        return;
      default:
        Cas(t.pending, kPosted, kFree);
        if (me.then == kC4) {
          me.then = 0;
          me.pc = kC4;
        } else {
          Finish(me);
        }
        move.what = "clears the pending word";
        return;
    }
  }

  Options options_;
};

TEST(ClearModelTest, ThereIsAnOrderThatExplainsEveryPutReadAndClear) {
  ExpectHolds(ClearModel({}), "clear, a putter and a reader");
  ExpectHolds(ClearModel({.second_putter = true}), "clear, two putters");
}

TEST(ClearModelTest, TakingARecordAwayWithoutFreezingTheSlotIsCaught) {
  ExpectCaught(ClearModel({.taken_unfrozen = true}), "clear, weakened: taken without freezing");
}

TEST(ClearModelTest, LeavingTheOldRootsPendingWordOpenIsCaught) {
  ExpectCaught(ClearModel({.pending_left_open = true}), "clear, weakened: pending word open");
}

TEST(ClearModelTest, UsingANewRootBeforeItHasATimeIsCaught) {
  ExpectCaught(ClearModel({.root_not_resolved = true}), "clear, weakened: root not resolved");
}

TEST(ClearModelTest, TakingARecordAwayBeforeTheNewRootIsInPlaceIsCaught) {
  ExpectCaught(ClearModel({.second_putter = true, .taken_before_swing = true}),
               "clear, weakened: taken before the swing");
}

}  // namespace
}  // namespace commy::model
