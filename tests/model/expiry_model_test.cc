// Sweeps of expired records, over two segments, with time that goes on, leaves that are merged, and
// sweeps that have to come to an end.
//
// WORDS    root.due; each segment: due, a slot for each key; frozen (its first slot, then the
//          rest); swapped: the way leads to the target, and no longer to the source (a split or
//          rebuild) or to both (a merge); claims; the time
// STEPS    put      lower-1 publishes in the slot (frozen: helps first)
//                   lower-2 finds the segment, lowers its due: a claim becomes at-once
//                   lower-3 lowers the root's
//                   lower-4 is its first slot frozen? Then helps, and lower-2 again
//                   may die anywhere: if the record is there, its recoverer does lower-2 to lower-4
//          sweep    due-1 root.due is due: = a new claim
//                   due-2 finds the next segment; its due is due: = the claim; looks at each slot
//                   due-3 CAS its due, claim -> the earliest expiry it saw
//                   due-4 deletes each record that had expired, if it still has, and due-2 for the
//                      same segment anew; if it deleted none, the root will be due at once
//                   due-5 behind the last one: CAS root.due, claim -> the earliest
//                   may stop anywhere, for good
//          help     reshape-2 freezes the first slot, the rest   reshape-3 copies; reads the
//                   source's due, lowers the target's   reshape-4 swapped
//                   may stop anywhere, for good
// HOLDS    whenever no put is in flight, wherever sweeps and helpers have stopped: the words of
//          each record that expires are not later than it; two sweeps alone delete all expired
//          records, and leave the root's word not due; an unexpired record is never deleted
//
// A word is lowered, or claimed, in one step, which is the CAS that succeeded. A sweep that finds a
// slot frozen leaves it to the next one. A target's due may stay low when the root's is not: a late
// helper lowers it for nothing.
#include <algorithm>

#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kKeys = 2;
constexpr int kSources = 2;
constexpr int kTarget = 2;
constexpr int kSegments = 3;
constexpr int kSweeper = 2;
constexpr int kHelper = 4;
constexpr int kActors = 6;
constexpr int kPuts = 2;
constexpr U8 kAtOnce = 1;
constexpr U8 kEarly = 2;  // Has passed from the start.
constexpr U8 kLate = 4;   // Has passed when the time has come.
constexpr U8 kClaim = 0x80;
constexpr U8 kDead = 1;       // In a slot: deleted.
constexpr U8 kRecord = 0x10;  // In a slot: with its expiry, or 0.
constexpr int kSweepsMax = 2;

struct Options {
  bool root_stored = false;
  bool segment_stored = false;
  bool one_claim_for_all = false;
  bool claim_left_alone = false;
  bool claim_replaced_by_the_time = false;
  bool claim_not_due = false;
  bool root_left_if_segment_is_low = false;
  bool root_first = false;
  bool lowered_before_published = false;
  bool frozen_not_looked_at = false;
  bool passed_on_before_frozen = false;
  bool claim_not_passed_on = false;
  bool claim_passed_on_as_it_is = false;
  bool not_noted_in_recovery = false;
  bool deleted_unseen = false;
  bool root_put_back_by_a_piece = false;
  bool not_looked_at_again = false;
};

struct Put {
  U8 key, expiry;
};

struct Scene {
  bool merge = false;  // Of both sources; else the first is rebuilt.
  U8 home[kKeys] = {0, 0};
  U8 there[kKeys] = {0, 0};  // Expiry of the record that is there at the start.
  U8 puts[2] = {1, 0};
  Put put[2][kPuts] = {};
  U8 sweeps[2] = {1, 0};
  int helpers = 0;
  U8 deaths = 0;
  bool ticks = false;
};

class ExpirySweepModel {
 public:
  enum Pc : U8 {
    kIdle,
    kPublish,
    kFind,
    kLower,
    kLowerRoot,
    kLookFrozen,
    kVisit,
    kClaimSegment,
    kLook,
    kPutBack,
    kPutBackRoot,
    kDelete,
    kFreezeFirst,
    kFreezeRest,
    kCopy,
    kReadDue,
    kPassOn,
    kSwap,
  };
  struct Actor {
    U8 pc, rounds, at, segment, value, next, found, claim, now, back;
  };
  struct State {
    U8 root, swapped, now, claims, deaths;
    U8 due[kSegments];
    U8 slot[kSegments][kKeys];
    U8 frozen[kSources];
    Actor actor[kActors];
  };

  ExpirySweepModel(Options options, Scene scene) : options_(options), scene_(scene) {}

  State Initial() const {
    State s{};
    s.now = kEarly;
    s.deaths = scene_.deaths;
    for (int key = 0; key < kKeys; ++key) {
      const U8 expiry = scene_.there[key];
      if (expiry == 0) {
        continue;
      }
      s.slot[scene_.home[key]][key] = kRecord | expiry;
      Lower(s.due[scene_.home[key]], expiry);
      Lower(s.root, expiry);
    }
    for (int i = 0; i < 2; ++i) {
      s.actor[i].rounds = scene_.puts[i];
      s.actor[kSweeper + i].rounds = scene_.sweeps[i];
      s.actor[kHelper + i].rounds = i < scene_.helpers ? 1 : 0;
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      EmitStep(s, i, emit, [&](State& t, Move& move) { Step(s, t, i, move); });
      if (i < kSweeper && s.actor[i].pc != kIdle && s.deaths != 0) {
        EmitStep(s, i, emit, [&](State& t, Move& move) {
          Recover(s, t, i);
          move.what = "dies, and is recovered";
        });
      }
    }
    if (scene_.ticks && s.now == kEarly) {
      State t = s;
      t.now = kLate;
      emit(t, Move{kActors, "the time has come"});
    }
  }

  const char* Check(const State& s) const {
    for (int i = 0; i < kSweeper; ++i) {
      if (s.actor[i].pc != kIdle) {
        return nullptr;
      }
    }
    if (const char* wrong = CheckCovered(s)) {
      return wrong;
    }
    State t = s;
    if (s.swapped == 0 && s.frozen[0] != 0) {
      FinishHelp(t);
      if (const char* wrong = CheckCovered(t)) {
        return wrong;
      }
    }
    if (const char* wrong = CheckSweeps(t)) {
      return wrong;
    }
    if (t.now == kLate) {
      return nullptr;
    }
    t.now = kLate;
    return CheckSweeps(t);
  }

 private:
  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    if (me.pc >= kFreezeFirst) {
      Help(s, t, i, move);
    } else if (me.rounds == 0) {
      return;
    } else if (i < kSweeper) {
      Write(s, t, i, move);
    } else if (i < kHelper) {
      Sweep(s, t, i, move);
    } else if (s.swapped == 0) {
      me.rounds = 0;
      StartHelp(me, kIdle);
      move.what = "begins to help";
    }
  }

  static U8 Earlier(U8 a, U8 b) { return a == 0 || (b != 0 && b < a) ? b : a; }
  static bool IsClaim(U8 due) { return (due & kClaim) != 0; }
  static U8 ExpiryOf(U8 slot) { return slot >= kRecord ? slot & 0xf : 0; }
  bool IsDue(U8 due, U8 now) const {
    return due != 0 && (IsClaim(due) ? !options_.claim_not_due : due <= now);
  }

  // Returns whether the word was low enough already.
  bool Lower(U8& word, U8 due) const {
    if (IsClaim(word) && options_.claim_left_alone) {
      return false;
    }
    if (word != 0 && word <= due) {
      return true;
    }
    word = IsClaim(word) && !options_.claim_replaced_by_the_time ? kAtOnce : due;
    return false;
  }

  U8 SegmentOf(const State& s, int home) const {
    return s.swapped != 0 && (scene_.merge || home == 0) ? kTarget : static_cast<U8>(home);
  }

  // The first slot of a segment holds no key; the keys' slots come behind it.
  static bool IsFrozen(const State& s, U8 segment, U8 far) {
    return segment < kSources && s.frozen[segment] >= far;
  }

  // --- Puts ---

  Put PutOf(const State& s, int i) const {
    return scene_.put[i][scene_.puts[i] - s.actor[i].rounds];
  }

  void Write(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const Put put = PutOf(s, i);
    switch (me.pc) {
      case kIdle:
        me.pc = options_.lowered_before_published ? kFind : kPublish;
        move.what = "begins to put";
        return;
      case kPublish: {
        const U8 segment = SegmentOf(s, scene_.home[put.key]);
        move.what = "lower-1: publishes a record";
        if (IsFrozen(s, segment, 2)) {
          StartHelp(me, kPublish);
          return;
        }
        t.slot[segment][put.key] = kRecord | put.expiry;
        me.pc = kFind;
        if (put.expiry == 0 || options_.lowered_before_published) {
          Over(me);
        }
        return;
      }
      case kFind:
        me.segment = SegmentOf(s, scene_.home[put.key]);
        me.pc = options_.root_first ? kLowerRoot : kLower;
        move.what = "lower-2: finds the segment";
        return;
      case kLower: {
        const bool low = Lower(t.due[me.segment], put.expiry);
        me.pc = options_.root_first || (low && options_.root_left_if_segment_is_low) ? kLookFrozen
                                                                                     : kLowerRoot;
        move.what = "lower-2: lowers the segment's due";
        return;
      }
      case kLowerRoot:
        Lower(t.root, put.expiry);
        me.pc = options_.root_first ? kLower : kLookFrozen;
        move.what = "lower-3: lowers the root's due";
        return;
      default:
        move.what = "lower-4: looks whether it is frozen";
        if (IsFrozen(s, me.segment, 1) && !options_.frozen_not_looked_at) {
          me.pc = kFind;
          if (s.swapped == 0) {
            StartHelp(me, kFind);
          }
        } else if (options_.lowered_before_published) {
          me.pc = kPublish;
        } else {
          Over(me);
        }
        me.segment = 0;
        return;
    }
  }

  void Recover(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const Put put = PutOf(s, i);
    --t.deaths;
    const bool there =
        s.slot[SegmentOf(s, scene_.home[put.key])][put.key] == (kRecord | put.expiry);
    const U8 rounds = me.rounds;
    const bool published = me.pc != kPublish && me.back != kPublish;
    me = Actor{};
    me.rounds = rounds;
    me.pc = kFind;
    if (!there || !published || put.expiry == 0 || options_.not_noted_in_recovery) {
      Over(me);
    }
  }

  static void Over(Actor& me) {
    const U8 rounds = static_cast<U8>(me.rounds - 1);
    me = Actor{};
    me.rounds = rounds;
  }

  // --- Sweeps ---

  U8 NewClaim(State& t) const { return kClaim | (options_.one_claim_for_all ? U8{1} : ++t.claims); }

  void Sweep(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kIdle:
        if (!IsDue(s.root, s.now)) {
          return;
        }
        me.now = s.now;
        me.claim = NewClaim(t);
        t.root = me.claim;
        me.pc = kVisit;
        move.what = "due-1: claims the root's due";
        return;
      case kVisit:
        // A sweep that met the old leaves' parent goes on with its next child, until it deletes.
        me.segment = scene_.merge && me.at != 0 && me.back == 0 ? me.at : SegmentOf(s, me.at);
        me.pc = kClaimSegment;
        move.what = "due-2: finds the next segment";
        return;
      case kClaimSegment: {
        U8& due = t.due[me.segment];
        move.what = "due-2: claims the segment's due";
        if (IsDue(due, me.now)) {
          due = me.claim;
          me.value = 0;
          me.back = 0;  // The next slot.
          me.pc = kLook;
        } else {
          me.next = Earlier(me.next, due);
          NextSegment(me);
        }
        return;
      }
      case kLook: {
        const U8 expiry = ExpiryOf(s.slot[me.segment][me.back]);
        if (expiry != 0 && expiry <= me.now) {
          me.found |= Bit(me.back);
          me.value = kAtOnce;
        } else {
          me.value = Earlier(me.value, expiry);
        }
        if (++me.back == kKeys) {
          me.pc = kPutBack;
        }
        move.what = "due-2: looks at a slot";
        return;
      }
      case kPutBack: {
        const bool told = s.due[me.segment] == me.claim;
        if (told || options_.segment_stored) {
          t.due[me.segment] = me.value;
        }
        me.back = 0;  // Nothing was deleted yet.
        if (me.found != 0) {
          me.pc = kDelete;
        } else {
          me.next = Earlier(me.next, told ? me.value : kAtOnce);
          NextSegment(me);
        }
        move.what = "due-3: CAS the segment's due";
        return;
      }
      case kPutBackRoot:
        if (s.root == me.claim || options_.root_stored) {
          t.root = me.next;
        }
        Over(me);
        move.what = "due-5: CAS the root's due";
        return;
      default: {
        const int key = (me.found & 1) != 0 ? 0 : 1;
        const U8 segment = SegmentOf(s, scene_.home[key]);
        move.what = "due-4: deletes a key";
        if (!IsFrozen(s, segment, 2)) {
          const U8 before = s.slot[segment][key];
          move.wrong = Delete(t, segment, key);
          if (t.slot[segment][key] != before) {
            me.back = 1;
          }
        }
        me.found &= static_cast<U8>(~(1U << key));
        if (me.found == 0) {
          DoneDeleting(me);
        }
        return;
      }
    }
  }

  void DoneDeleting(Actor& me) const {
    if (options_.root_put_back_by_a_piece) {
      me.pc = kPutBackRoot;
    } else if (options_.not_looked_at_again) {
      NextSegment(me);
    } else if (me.back == 0) {
      me.next = kAtOnce;
      NextSegment(me);
    } else {
      me.value = 0;
      me.pc = kVisit;  // With `back`: anew.
    }
  }

  void NextSegment(Actor& me) const {
    const bool last = scene_.merge && me.segment == kTarget;
    me.value = me.segment = me.back = 0;
    me.pc = ++me.at < kSources && !last ? kVisit : kPutBackRoot;
  }

  const char* Delete(State& t, U8 segment, int key) const {
    U8& slot = t.slot[segment][key];
    const U8 expiry = ExpiryOf(slot);
    const bool expired = expiry != 0 && expiry <= t.now;
    if (slot < kRecord || (!expired && !options_.deleted_unseen)) {
      return nullptr;
    }
    slot = kDead;
    return expired ? nullptr : "a record that has not expired is deleted";
  }

  // --- Changes of shape ---

  void StartHelp(Actor& me, Pc back) const {
    me.at = 0;
    me.segment = 0;
    me.back = back;
    me.pc = options_.passed_on_before_frozen ? kReadDue : kFreezeFirst;
  }

  // Repeats the steps from `again` for the next source, or goes on with `then`.
  void NextSource(Actor& me, Pc again, Pc then) const {
    me.value = 0;
    const int last = scene_.merge ? 1 : 0;
    me.pc = me.at < last ? again : then;
    me.at = me.at < last ? me.at + 1 : 0;
  }

  static void Copy(State& t, int source) {
    for (int key = 0; key < kKeys; ++key) {
      const U8 word = t.slot[source][key];
      if (word >= kRecord && t.slot[kTarget][key] == 0) {
        t.slot[kTarget][key] = word;
      }
    }
  }

  void PassOn(U8& to, U8 due) const {
    if (due == 0) {
      return;
    }
    if (IsClaim(due) && options_.claim_not_passed_on) {
      return;
    }
    Lower(to, IsClaim(due) && !options_.claim_passed_on_as_it_is ? kAtOnce : due);
  }

  void Help(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kFreezeFirst:
        t.frozen[me.at] = std::max<U8>(s.frozen[me.at], 1);
        me.pc = kFreezeRest;
        move.what = "reshape-2: freezes the first slot";
        return;
      case kFreezeRest:
        t.frozen[me.at] = 2;
        NextSource(me, kFreezeFirst, kCopy);
        move.what = "reshape-2: freezes the rest";
        return;
      case kCopy:
        Copy(t, me.at);
        NextSource(me, kCopy, options_.passed_on_before_frozen ? kSwap : kReadDue);
        move.what = "reshape-3: copies the slots";
        return;
      case kReadDue:
        me.value = s.due[me.at];
        me.pc = kPassOn;
        move.what = "reshape-3: reads the source's due";
        return;
      case kPassOn:
        PassOn(t.due[kTarget], me.value);
        NextSource(me, kReadDue, options_.passed_on_before_frozen ? kFreezeFirst : kSwap);
        move.what = "reshape-3: lowers the target's due";
        return;
      default:
        t.swapped = 1;
        me.pc = me.back;
        me.back = 0;
        move.what = "reshape-4: swaps";
        return;
    }
  }

  // --- Invariants while no put is in flight ---

  void FinishHelp(State& t) const {
    for (int source = 0; source <= (scene_.merge ? 1 : 0); ++source) {
      t.frozen[source] = 2;
      Copy(t, source);
      if (!options_.passed_on_before_frozen) {
        PassOn(t.due[kTarget], t.due[source]);
      }
    }
    t.swapped = 1;
  }

  const char* CheckCovered(const State& s) const {
    for (int key = 0; key < kKeys; ++key) {
      const U8 segment = SegmentOf(s, scene_.home[key]);
      const U8 expiry = ExpiryOf(s.slot[segment][key]);
      if (expiry == 0) {
        continue;
      }
      if (!Covers(s.due[segment], expiry)) {
        return "the segment's due is later than a record";
      }
      if (!Covers(s.root, expiry)) {
        return "the root's due is later than a record";
      }
    }
    return nullptr;
  }

  static bool Covers(U8 due, U8 expiry) { return due != 0 && (IsClaim(due) || due <= expiry); }

  const char* CheckSweeps(State& t) const {
    for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
      SweepAlone(t);
    }
    U8 first = 0;
    for (int key = 0; key < kKeys; ++key) {
      first = Earlier(first, ExpiryOf(t.slot[SegmentOf(t, scene_.home[key])][key]));
    }
    if (first != 0 && first <= t.now) {
      return "sweeps leave an expired record";
    }
    if (IsDue(t.root, t.now)) {
      return "sweeps find nothing, and do not end";
    }
    if (t.now == kLate && t.root != first) {
      return "the root's due is not the next time";
    }
    return nullptr;
  }

  void SweepAlone(State& t) const {
    Actor& me = t.actor[kSweeper];
    me = Actor{};
    me.rounds = 1;
    Move move;
    for (bool more = true; more && me.rounds != 0;) {
      move.what = nullptr;
      const State s = t;
      Sweep(s, t, kSweeper, move);
      more = move.what != nullptr;
    }
  }

  Options options_;
  Scene scene_;
};

// Two writers of a key each, where one record has expired already; two sweepers.
Scene Writers() {
  Scene scene;
  scene.there[0] = kEarly;
  scene.puts[1] = 1;
  scene.put[0][0] = {0, kLate};
  scene.put[1][0] = {1, kEarly};
  scene.sweeps[0] = 2;
  scene.sweeps[1] = 1;
  scene.ticks = true;
  return scene;
}

// A segment is replaced; with a late helper, or with a death.
Scene Rebuild(int helpers, U8 deaths) {
  Scene scene;
  scene.there[0] = kEarly;
  scene.put[0][0] = {1, kEarly};
  scene.sweeps[0] = 2;
  scene.helpers = helpers;
  scene.deaths = deaths;
  scene.ticks = deaths != 0;
  return scene;
}

// Two leaves become one.
Scene Merge() {
  Scene scene;
  scene.merge = true;
  scene.home[1] = 1;
  scene.there[0] = kLate;
  scene.there[1] = kEarly;
  scene.put[0][0] = {0, kEarly};
  scene.sweeps[0] = 2;
  scene.helpers = 1;
  scene.ticks = true;
  return scene;
}

// A key is put again and again, and in the end for good.
Scene Again() {
  Scene scene;
  scene.there[0] = kEarly;
  scene.puts[0] = 2;
  scene.put[0][0] = {0, kLate};
  scene.put[0][1] = {0, 0};
  scene.sweeps[0] = 2;
  scene.sweeps[1] = 1;
  scene.ticks = true;
  return scene;
}

TEST(ExpirySweepModelTest, EveryRecordIsSweptOnceItExpires) {
  ExpectHolds(ExpirySweepModel({}, Writers()), "expiry sweep, two writers");
}

TEST(ExpirySweepModelTest, EveryRecordIsSweptWhenItsSegmentIsReplaced) {
  ExpectHolds(ExpirySweepModel({}, Rebuild(2, 0)), "expiry sweep, a segment is replaced");
}

TEST(ExpirySweepModelTest, EveryRecordIsSweptWhenItsWriterDies) {
  ExpectHolds(ExpirySweepModel({}, Rebuild(1, 1)), "expiry sweep, a writer dies");
}

TEST(ExpirySweepModelTest, EveryRecordIsSweptWhenItsLeavesAreMerged) {
  ExpectHolds(ExpirySweepModel({}, Merge()), "expiry sweep, two leaves become one");
}

TEST(ExpirySweepModelTest, AKeyThatIsPutAgainStays) {
  ExpectHolds(ExpirySweepModel({}, Again()), "expiry sweep, a key is put again");
}

TEST(ExpirySweepModelTest, StoringTheRootsWordWithoutComparingIsCaught) {
  ExpectCaught(ExpirySweepModel({.root_stored = true}, Again()),
               "expiry sweep, weakened: the root's word is stored");
}

TEST(ExpirySweepModelTest, StoringASegmentsWordWithoutComparingIsCaught) {
  ExpectCaught(ExpirySweepModel({.segment_stored = true}, Again()),
               "expiry sweep, weakened: the segment's word is stored");
}

TEST(ExpirySweepModelTest, OneClaimForAllSweepsIsCaught) {
  ExpectCaught(ExpirySweepModel({.one_claim_for_all = true}, Again()),
               "expiry sweep, weakened: one claim for all");
}

TEST(ExpirySweepModelTest, LeavingAClaimAloneIsCaught) {
  ExpectCaught(ExpirySweepModel({.claim_left_alone = true}, Again()),
               "expiry sweep, weakened: a claim is left alone");
}

TEST(ExpirySweepModelTest, PuttingATimeInPlaceOfAClaimIsCaught) {
  ExpectCaught(ExpirySweepModel({.claim_replaced_by_the_time = true}, Writers()),
               "expiry sweep, weakened: a time in place of a claim");
}

TEST(ExpirySweepModelTest, TakingEachClaimForOneOfALivingSweepIsCaught) {
  ExpectCaught(ExpirySweepModel({.claim_not_due = true}, Writers()),
               "expiry sweep, weakened: a claim is not due");
}

TEST(ExpirySweepModelTest, LeavingTheRootAloneIfTheSegmentIsLowIsCaught) {
  ExpectCaught(ExpirySweepModel({.root_left_if_segment_is_low = true}, Rebuild(1, 1)),
               "expiry sweep, weakened: the root is left alone");
}

TEST(ExpirySweepModelTest, LoweringTheRootFirstIsCaught) {
  ExpectCaught(ExpirySweepModel({.root_first = true}, Again()),
               "expiry sweep, weakened: the root first");
}

TEST(ExpirySweepModelTest, LoweringBeforePublishingIsCaught) {
  ExpectCaught(ExpirySweepModel({.lowered_before_published = true}, Again()),
               "expiry sweep, weakened: lowered before published");
}

TEST(ExpirySweepModelTest, NotCheckingWhetherTheSegmentFrozeIsCaught) {
  ExpectCaught(ExpirySweepModel({.frozen_not_looked_at = true}, Rebuild(1, 0)),
               "expiry sweep, weakened: no look at the frozen bit");
}

TEST(ExpirySweepModelTest, PassingTheDueOnBeforeFreezingIsCaught) {
  ExpectCaught(ExpirySweepModel({.passed_on_before_frozen = true}, Rebuild(1, 0)),
               "expiry sweep, weakened: passed on before frozen");
}

TEST(ExpirySweepModelTest, NotPassingAClaimOnIsCaught) {
  ExpectCaught(ExpirySweepModel({.claim_not_passed_on = true}, Rebuild(1, 0)),
               "expiry sweep, weakened: a claim is not passed on");
}

TEST(ExpirySweepModelTest, PassingAClaimOnAsItIsIsCaught) {
  ExpectCaught(ExpirySweepModel({.claim_passed_on_as_it_is = true}, Merge()),
               "expiry sweep, weakened: a claim is passed on as it is");
}

TEST(ExpirySweepModelTest, ForgettingTheExpiryOfADeadWritersRecordIsCaught) {
  ExpectCaught(ExpirySweepModel({.not_noted_in_recovery = true}, Rebuild(1, 1)),
               "expiry sweep, weakened: not noted in recovery");
}

TEST(ExpirySweepModelTest, PuttingTheRootsWordBackBeforeTheLastSegmentIsCaught) {
  ExpectCaught(ExpirySweepModel({.root_put_back_by_a_piece = true}, Merge()),
               "expiry sweep, weakened: a piece puts the root's word back");
}

TEST(ExpirySweepModelTest, NotLookingAgainAfterADeletionIsCaught) {
  ExpectCaught(ExpirySweepModel({.not_looked_at_again = true}, Writers()),
               "expiry sweep, weakened: no second look where something was deleted");
}

TEST(ExpirySweepModelTest, DeletingWithoutCheckingTheExpiryIsCaught) {
  ExpectCaught(ExpirySweepModel({.deleted_unseen = true}, Again()),
               "expiry sweep, weakened: deleted without a look");
}

}  // namespace
}  // namespace commy::model
