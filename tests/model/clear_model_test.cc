// Clearing a namespace while others put, read and split in it: the steps C1 to C5 of hash_index.h.
//
// WORDS    root word; successor and baton of the old root; its directory entry; one slot, for one
//          key, in each of three segments: the old root's (kA), what a split replaces it by (kB), the
//          new root's (kN); a commit word for each record and for the new root; the clock
// STEPS    put     reads root, entry, slot; CAS slot -> its record; t = ++clock; CAS commit 0 -> t
//          clear   C1 successor   C2 baton closed   C3 freeze the slot   C4 settle what is in it
//                  C5 root word, then the new root's commit, by ++clock and CAS
//          split   posts; freezes kA; fills kB by CAS from 0; entry kA -> kB; takes the baton down
//          Who meets a frozen slot does the clear's steps, if there is a successor, or else the
//          posted split's, and begins again. Who comes to a root, or meets a record, settles it.
// HOLDS    what is there at the end is what the commit times say: the newest record, if it is newer
//          than the clear. A reader returns nothing older than what was acknowledged before it began.
#include "explorer.h"

namespace commy::model {
namespace {

using U8 = std::uint8_t;
constexpr int kPutters = 2;
constexpr int kReader = 2;
constexpr int kClearer = 3;
constexpr int kSplitter = 4;
constexpr int kActors = 5;
constexpr U8 kNoRecord = 0;
constexpr U8 kRootCommit = kPutters + 1;  // Commit words: of records 1 and 2, then of the new root.
constexpr U8 kFrozen = 0x80;

enum Segment : U8 { kA, kB, kN };
enum Baton : U8 { kFree, kPosted, kClosed };

struct Options {
  bool second_putter = false;  // Otherwise a reader: both at once are too many states.
  bool settles_before_freezing = false;
  bool baton_left_open = false;
  bool root_not_settled = false;
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
    kC2,
    kC3,
    kC4,
    kC5,
    kC6,
    kPost,
    kInPlace,
    kFreeze,
    kFill,
    kSwing,
    kDown,
  };
  // `then`: where to go on when a commit word is settled; `of`: which one. `back`: where to go on
  // when helping is over.
  struct Actor {
    U8 pc, segment, seen, of, time, then, back, floor, floor_is_clear;
  };
  struct State {
    U8 root, successor, baton, entry, clock;
    U8 slot[3];
    U8 commit[kPutters + 2];
    U8 acked[kPutters + 2];
    Actor actor[kActors];
  };

  explicit ClearModel(Options options) : weak_(options) {}

  State Initial() const {
    State s;
    std::memset(&s, 0, sizeof s);
    s.actor[weak_.second_putter ? kReader : 1].pc = kOver;
    s.actor[kClearer].pc = kC1;
    s.actor[kSplitter].pc = kPost;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      State t = s;
      Move move{i, nullptr};
      Step(s, t, i, move);
      if (move.what != nullptr) emit(t, move);
    }
  }

  const char* Check(const State&) const { return nullptr; }

  const char* CheckFinal(const State& s) const {
    U8 newest = kNoRecord;
    for (U8 r = 1; r <= kPutters; ++r)
      if (newest == kNoRecord || s.commit[r] > s.commit[newest]) newest = r;
    if (s.commit[newest] < s.commit[kRootCommit]) newest = kNoRecord;
    const U8 segment = s.root == 0 ? s.entry : U8{kN};
    return (s.slot[segment] & ~kFrozen) == newest ? nullptr
                                                  : "an acknowledged change is lost, or undone";
  }

 private:
  static void Begin(Actor& me) { me.pc = kRoot, me.segment = me.seen = me.of = me.time = 0; }

  static void Settle(Actor& me, U8 of, U8 then) {
    me.of = of;
    me.then = then;
    me.pc = kTime;
  }

  // Where the clear's steps begin, for who clears and for who helps.
  U8 FirstStep() const { return weak_.baton_left_open ? kC3 : kC2; }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kStart:
        for (U8 c = 1; c <= kRootCommit; ++c) {
          if (s.acked[c] != 0 && s.commit[c] > me.floor) {
            me.floor = s.commit[c];
            me.floor_is_clear = c == kRootCommit;
          }
        }
        if (i != kReader) me.floor = me.floor_is_clear = 0;
        Begin(me);
        move.what = "begins";
        return;
      case kRoot:
        me.segment = s.root == 0 ? kA : kN;
        if (s.root != 0 && s.commit[kRootCommit] == 0 && !weak_.root_not_settled) {
          Settle(me, kRootCommit, kRoot);
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
          Settle(me, static_cast<U8>(i + 1), kAck);
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
        if (s.commit[me.of] == 0) t.commit[me.of] = me.time;
        me.pc = me.then;
        me.of = me.time = me.then = 0;
        move.what = "CAS commit 0 -> its time";
        return;
      case kAck:
        if (i < kPutters) t.acked[i + 1] = 1;
        if (i == kClearer) t.acked[kRootCommit] = 1;
        if (i == kReader) move.wrong = Answer(s, me);
        me = Actor{kOver, 0, 0, 0, 0, 0, 0, 0, 0};
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
    const U8 record = me.seen & ~kFrozen;
    move.what = "reads the slot";
    if (i != kReader && (me.seen & kFrozen) != 0) {
      me.back = kRoot;
      if (s.successor != 0) {
        me.pc = FirstStep();
      } else if (s.baton == kPosted) {
        me.pc = kInPlace;
      } else {
        Begin(me);
      }
      return;
    }
    const U8 then = i == kReader ? kAck : kSwap;
    if (record != kNoRecord && s.commit[record] == 0) {
      Settle(me, record, then);
    } else {
      me.pc = then;
    }
  }

  static const char* Answer(const State& s, const Actor& me) {
    const U8 record = me.seen & ~kFrozen;
    if (record != kNoRecord)
      return s.commit[record] >= me.floor ? nullptr : "a reader returned what was overwritten";
    const bool right = me.floor == 0 || me.floor_is_clear != 0 || s.commit[kRootCommit] > me.floor;
    return right ? nullptr : "a reader missed what was acknowledged";
  }

  void Clear(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kC1:
        t.successor = 1;
        me.back = kAck;
        me.pc = FirstStep();
        move.what = "C1: successor";
        return;
      case kC2:
        if (s.baton == kPosted) {
          me.then = kC2;  // Finishes the split, then looks again.
          me.pc = kInPlace;
        } else {
          t.baton = kClosed;
          me.pc = weak_.settles_before_freezing ? kC4 : kC3;
        }
        move.what = "C2: looks at the baton, closes it";
        return;
      case kC3:
        t.slot[s.entry] |= kFrozen;
        me.pc = weak_.settles_before_freezing ? kC5 : kC4;
        move.what = "C3: freezes";
        return;
      case kC4: {
        const U8 record = s.slot[s.entry] & ~kFrozen;
        const U8 next = weak_.settles_before_freezing ? kC3 : kC5;
        if (record != kNoRecord && s.commit[record] == 0) {
          Settle(me, record, next);
        } else {
          me.pc = next;
        }
        move.what = "C4: looks at the slot";
        return;
      }
      case kC5:
        t.root = 1;
        me.pc = kC6;
        move.what = "C5: root word";
        return;
      default:
        if (s.commit[kRootCommit] == 0) {
          Settle(me, kRootCommit, kC6);
        } else {
          Finish(me);
        }
        move.what = "looks at the new root's commit";
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
        if (s.baton == kFree && s.entry == kA) {
          t.baton = kPosted;
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
        if (s.slot[kB] == 0) t.slot[kB] = s.slot[kA] & ~kFrozen;
        me.pc = kSwing;
        move.what = "fills the new segment";
        return;
      case kSwing:
        if (s.entry == kA) t.entry = kB;
        me.pc = kDown;
        move.what = "CAS entry old -> new";
        return;
      default:
        if (s.baton == kPosted) t.baton = kFree;
        if (me.then == kC2) {
          me.then = 0;
          me.pc = kC2;
        } else {
          Finish(me);
        }
        move.what = "takes the baton down";
        return;
    }
  }

  Options weak_;
};

TEST(ClearModelTest, NoAcknowledgedPutIsLostAndNoneComesBack) {
  ExpectHolds(ClearModel({}), "clear, a putter and a reader");
  ExpectHolds(ClearModel({.second_putter = true}), "clear, two putters");
}

TEST(ClearModelTest, SettlingBeforeFreezingIsCaught) {
  ExpectCaught(ClearModel({.settles_before_freezing = true}), "clear, weakened: settles first");
}

TEST(ClearModelTest, LeavingTheBatonOpenIsCaught) {
  ExpectCaught(ClearModel({.baton_left_open = true}), "clear, weakened: baton open");
}

TEST(ClearModelTest, UsingANewRootBeforeItHasATimeIsCaught) {
  ExpectCaught(ClearModel({.root_not_settled = true}), "clear, weakened: root not settled");
}

}  // namespace
}  // namespace commy::model
