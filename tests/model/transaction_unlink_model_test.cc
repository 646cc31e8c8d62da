// Taking aborted intents away, beside puts that prune: the memory of one key's records. See
// docs/decisions/0009-transactions.md and src/versions/intents.h.
//
// WORDS    slot: 0 | record | dead (then the next slot counts); record: commit (a reference, 0, a
//          time, aborted), prev with a frozen bit; a status for each transaction; clock
// STEPS    owner   commit-2 status is active, else commit-5; h = slot; h undecided: resolves it; h
//                  an intent: makes it final, stamps it; aborted: unlinks it, and from the start;
//                  newer than S: aborts itself; CAS slot h -> intent (prev = h)
//                  commit-3 CAS active -> committing   commit-4 t = ++clock, CAS committing -> t
//                  commit-5 stamps the intent; aborted and in the slot: unlinks it; aborted and not
//                  there: retires it; else prunes; retires the descriptor
//          unlink  CAS slot x -> x.prev, or dead if that is 0; retires x
//          put     h = slot, made final as by the owner; CAS slot h -> record with commit 0,
//                  resolves it, prunes below it; a delete takes itself away if no version is below
//          reader  S = clock; from the head down to the first version not above S
//          the first owner may be killed at any step, and so may its recoverer: commit-4 if it
//          is committing, else aborted; commit-5. The owner stays pinned until that is done.
// HOLDS    M1 no record is given back that can be reached or that a pinned actor holds, or touched
//          afterwards   M2 below the head all is committed, in order   M3 no reachable record
//          refers to a retired descriptor   M4 in the end the newest version is made from all
//          committed changes, and no other record is in use   M5 a reader finds the newest version
//          not above S
// To retire a block that is retired changes nothing (lib/pins.h).
#include <algorithm>
#include <array>

#include "model/lib/chain.h"
#include "model/lib/explorer.h"
#include "model/lib/intents.h"
#include "model/lib/pins.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kPutter = 2;  // 0 and 1 are the transactions.
constexpr int kReader = 3;
constexpr int kActors = 4;
constexpr int kRecords = 6;  // 1: there from the start; 2, 3: intents; 4, 5: puts.
constexpr U8 kFirstIntent = 2;
constexpr U8 kFirstPut = 4;
constexpr int kSlots = 4;

enum PutKind : U8 { kNoPut, kPut, kDelete };

struct Options {
  std::array<bool, kActors> with{};
  std::array<bool, 2> batch{};  // Its S is above every time, and it holds no snapshot.
  std::array<PutKind, 2> puts{};
  bool present = true;  // At the start.
  int kills = 0;
  bool stops = false;  // The first owner may stop for good.
  bool unlinks_active = false;
  bool unlinks_blindly = false;
  bool aborted_stays = false;
  bool prunes_below_aborted = false;
  bool walks_not_if_aborted = false;
  bool retires_unlooked = false;
  bool dead_not_pinned = false;
  bool reader_trusts_head = false;
};

class UnlinkModel {
 public:
  enum Pc : U8 {
    kBegin,
    kCheck,
    kHead,
    kLook,
    kBelow,
    kHelpTime,
    kHelp,
    kResolveTime,
    kResolve,
    kAbortOther,
    kStamp,
    kUnlink,
    kRetireUnlinked,
    kInstall,
    kToCommitting,
    kOwnTime,
    kToTime,
    kAbortSelf,
    kRecover,
    kWalk,
    kFind,
    kPrune,
    kFreeze,
    kDrop,
    kRetireOld,
    kRemove,
    kRetireOwn,
    kOver,
    kDone,
  };
  struct Record {
    Block block;
    U8 commit, prev, mask, tombstone;  // mask: the records whose changes the value contains
  };
  // `at`: the record looked at; `note`: the record being taken away, which recovery looks after.
  struct Actor {
    U8 pc, put, pinned, place, at, note, below, time, as_of;
  };
  struct State {
    U8 clock, kills, stopped, removed;  // removed: the mask of the last tombstone taken away
    U8 status[2], retired[2], snapshot[kActors];
    U8 slot[kSlots];
    Record record[kRecords];
    Actor actor[kActors];
  };

  explicit UnlinkModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.clock = 1;
    if (options_.present) {
      s.record[1] = {{Block::kUsed, 0}, kFirstTime, 0, 0, 0};
      s.slot[0] = 1;
    }
    for (int i = 0; i < kActors; ++i) {
      if (!options_.with[i]) {
        s.actor[i].pc = kDone;
      }
    }
    for (U8 i = 0; i < 2; ++i) {
      s.status[i] = kActive;
      if (options_.with[i]) {
        s.record[kFirstIntent + i] = {{Block::kUsed, 0}, ReferenceTo(i), 0, 0, 0};
      }
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      if (s.actor[i].pc == kDone) {
        continue;
      }
      EmitStep(s, i, emit, [&](State& t, Move& move) { Step(s, t, i, move); });
    }
    if (s.stopped != 0 || s.actor[0].pc == kBegin || s.actor[0].pc == kDone) {
      return;
    }
    if (s.kills < options_.kills) {
      State t = s;
      Move move{0, "is killed, and recovered from here on", nullptr};
      ++t.kills;
      t.actor[0] = {kRecover, 0, s.actor[0].pinned, 0, 0, s.actor[0].note, 0, 0, 0};
      if (options_.dead_not_pinned) {
        Unpin(t, 0, move);
      }
      emit(t, move);
    }
    if (options_.stops) {
      State t = s;
      t.stopped = 1;
      t.actor[0].pc = kDone;  // And stays pinned.
      emit(t, Move{0, "stops for good", nullptr});
    }
  }

  const char* Check(const State& s) const {
    const U8 head = Head(s);
    for (U8 n = head; n != 0; n = Prev(s, n)) {
      const Record& r = s.record[n];
      const U8 time = TimeOf(s, r);
      if (r.block.state != Block::kUsed) {
        return "M1: a record that can be reached is retired or free";
      }
      if (r.commit != time && s.retired[OwnerOf(r.commit)] != 0) {
        return "M3: a record refers to a retired descriptor";
      }
      if (n != head && (time == 0 || time >= kActive)) {
        return "M2: not committed, and not the head";
      }
      const U8 below = Prev(s, n);
      if (below != 0 && time != 0 && TimeOf(s, s.record[below]) >= time) {
        return "M2: out of order";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    U8 wanted = 0;
    for (U8 n = 1; n < kRecords; ++n) {
      if (IsCommitted(s, n)) {
        wanted |= Own(n);
      }
    }
    U8 head = Head(s);
    if (head != 0 && !IsCommitted(s, head)) {
      if (s.stopped == 0) {
        return "M4: an aborted record is left behind";
      }
      head = Prev(s, head);
    }
    if ((head != 0 ? s.record[head].mask : s.removed) != wanted) {
      return "M4: an update was lost";
    }
    for (U8 n = 1; n < kRecords && s.stopped == 0; ++n) {
      const U8 wanted_state = IsReachable(s, n) ? Block::kUsed : Block::kFree;
      if (s.record[n].block.state != wanted_state) {
        return "M4: a record leaked";
      }
    }
    return nullptr;
  }

 private:
  static U8 Own(U8 n) { return static_cast<U8>(n == 1 ? 0U : 1U << n); }
  static bool IsCommitted(const State& s, U8 n) { return IsTime(TimeOf(s, s.record[n])); }
  static U8 Mine(const Actor& me, int i) {
    return static_cast<U8>(i == kPutter ? kFirstPut + me.put : kFirstIntent + i);
  }

  static void RetireRecord(State& t, U8 n, Move& move) {
    Block& block = t.record[n].block;
    if (block.state == Block::kFree) {
      move.wrong = "M1: a record is retired that was given back";
    }
    Retire(block, PinnedMask(t.actor));
  }

  static void Unpin(State& t, int i, Move& move) {
    t.actor[i].pinned = 0;
    t.snapshot[i] = 0;
    Collect(t.record, PinnedMask(t.actor), [&](U8 n) {
      t.record[n].block.state = Block::kFree;
      for (const Actor& other : t.actor) {
        if (other.pinned != 0 && (other.at == n || other.below == n)) {
          move.wrong = "M1: a record is given back that a pinned actor holds";
        }
      }
    });
  }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    switch (me.pc) {
      case kBegin:
        move.what = "pins, takes S";
        me.pinned = 1;
        me.as_of = i == kPutter || (i < kPutter && options_.batch[i]) ? kAborted : s.clock;
        if (me.as_of != kAborted) {
          t.snapshot[i] = me.as_of;
        }
        me.pc = i < kPutter ? kCheck : kHead;
        return;
      case kCheck:
        move.what = "looks at its status (commit-2)";
        me.pc = s.status[i] == kActive ? kHead : kWalk;
        return;
      case kHead:
        move.what = "reads the slot";
        return ReadSlot(s, t, i, move);
      case kLook:
        move.what = "reads a commit, and the status that it refers to";
        return Look(s, t, i, move);
      case kBelow:
        move.what = "goes to the version below";
        me.at = Prev(s, me.at);
        me.pc = kLook;
        if (me.at == 0) {
          Found(s, t, 0, move);
        }
        return;
      case kUnlink:
        move.what = "CAS slot intent -> the version below, or dead";
        me.note = me.at;
        return Unlink(s, t, i);
      case kRetireUnlinked:
        move.what = "retires the record that it unlinked";
        RetireRecord(t, me.note, move);
        Again(me, i);
        if (i < kPutter && s.actor[i].note == mine) {
          me.pc = kOver;
        }
        return;
      case kInstall:
        move.what = "CAS slot h -> its record";
        return Install(s, t, i);
      default:
        return Meet(s, t, i, move);
    }
  }

  void ReadSlot(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    me.at = s.slot[me.place];
    me.pc = kLook;
    if (me.at == kDeadSlot) {
      me.at = 0;
      ++me.place;
      me.pc = kHead;
    } else if (me.at == 0) {
      if (i == kReader) {
        return Found(s, t, 0, move);
      }
      me.pc = kInstall;
    }
  }

  // An actor meets an undecided record or an intent.
  void Meet(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 commit = s.record[me.at].commit;
    switch (me.pc) {
      case kHelpTime:
      case kResolveTime:
        move.what = "takes a time";
        me.time = ++t.clock;
        me.pc = me.pc == kHelpTime ? kHelp : kResolve;
        return;
      case kHelp: {
        move.what = "CAS another's committing -> t";
        if (IsReference(commit) && s.status[commit & 1] == kCommitting) {
          t.status[commit & 1] = me.time;
        }
        me.time = 0;
        me.pc = kLook;
        return;
      }
      case kResolve:
        move.what = "CAS commit 0 -> t";
        if (commit == 0) {
          t.record[me.at].commit = me.time;
        }
        me.time = 0;
        me.pc = i == kPutter && me.at == Mine(me, i) ? kPrune : kLook;
        return;
      case kAbortOther: {
        move.what = "CAS another's active -> aborted";
        if (IsReference(commit) && s.status[commit & 1] == kActive) {
          t.status[commit & 1] = kAborted;
        }
        me.pc = kLook;
        return;
      }
      case kStamp:
        move.what = "CAS an intent's commit: reference -> t or aborted";
        t.record[me.at].commit = TimeOf(s, s.record[me.at]);
        me.pc = kLook;
        return;
      default:
        return Decide(s, t, i, move);
    }
  }

  // Starts again at the slot.
  static void Again(Actor& me, int i) {
    me.at = me.note = me.below = 0;
    me.pc = i < kPutter ? kCheck : kHead;
  }

  void Look(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const Record& r = s.record[me.at];
    const U8 time = TimeOf(s, r);
    const bool reads = i == kReader;
    if (time == 0) {
      me.pc = kResolveTime;
    } else if (time == kCommitting) {
      me.pc = kHelpTime;
    } else if (reads) {
      if (time <= me.as_of || (options_.reader_trusts_head && me.at == Head(s))) {
        return Found(s, t, time, move);
      }
      me.pc = kBelow;
    } else if (time == kActive) {
      me.pc = options_.unlinks_active ? kUnlink : kAbortOther;
    } else if (IsReference(r.commit)) {
      me.pc = kStamp;
    } else if (time == kAborted) {
      me.pc = options_.aborted_stays ? kInstall : kUnlink;
    } else {
      me.pc = time > me.as_of ? kAbortSelf : kInstall;
    }
  }

  // The reader has found the version of `time`, or none if that is 0.
  void Found(const State& s, State& t, U8 time, Move& move) const {
    const U8 as_of = s.actor[kReader].as_of;
    U8 newest = 0;
    bool tombstone = false;
    for (U8 n = 1; n < kRecords; ++n) {
      const U8 other = TimeOf(s, s.record[n]);
      if (!IsCommitted(s, n) || other > as_of || other < newest) {
        continue;
      }
      newest = other;
      tombstone = s.record[n].tombstone != 0;
    }
    if (time != newest && !(time == 0 && tombstone)) {
      move.wrong = "M5: a reader found another version";
    }
    Finish(t, kReader, move);
  }

  void Unlink(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const bool same = s.slot[me.place] == me.at;
    if (same || options_.unlinks_blindly) {
      const U8 below = Prev(s, me.at);
      t.slot[me.place] = below != 0 ? below : kDeadSlot;
      me.pc = kRetireUnlinked;
    } else if (me.at == Mine(me, i)) {
      me.at = me.note = 0;
      me.pc = kFind;
    } else {
      Again(me, i);
    }
  }

  void Install(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    if (s.slot[me.place] != me.at) {
      return Again(me, i);
    }
    const U8 base = me.at != 0 ? s.record[me.at].mask : s.removed;
    Record& r = t.record[mine];
    if (i == kPutter) {
      r = {{Block::kUsed, 0}, 0, 0, 0, static_cast<U8>(options_.puts[me.put] == kDelete)};
    }
    r.prev = me.at;
    r.mask = base | Own(mine);
    t.slot[me.place] = mine;
    me.at = i == kPutter ? mine : U8{0};
    me.pc = i == kPutter ? kResolveTime : kToCommitting;
  }

  void Decide(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kToCommitting:
        move.what = "CAS active -> committing (commit-3)";
        Cas(t.status[i], kActive, kCommitting);
        me.pc = s.status[i] == kActive ? kOwnTime : kWalk;
        return;
      case kOwnTime:
        move.what = "takes its time (commit-4)";
        me.time = ++t.clock;
        me.pc = kToTime;
        return;
      case kToTime:
        move.what = "CAS committing -> t (commit-4)";
        Cas(t.status[i], kCommitting, me.time);
        me.time = 0;
        me.pc = kWalk;
        return;
      case kAbortSelf:
        move.what = "aborts itself";
        Cas(t.status[i], kActive, kAborted);
        me.at = 0;
        me.pc = kWalk;
        return;
      case kRecover:
        move.what = "recovery looks at the note and decides";
        me.pinned = 1;
        if (me.note != 0 && !IsReachable(s, me.note)) {
          RetireRecord(t, me.note, move);
        }
        me.note = 0;
        Cas(t.status[i], kActive, kAborted);
        me.pc = s.status[i] == kCommitting ? kOwnTime : kWalk;
        return;
      case kWalk:
        move.what = "stamps its intent (commit-5)";
        return Walk(s, t, i, move);
      case kFind:
        move.what = "looks for its intent (commit-5)";
        return Find(s, t, i);
      case kRetireOwn:
        move.what = "retires its record";
        RetireRecord(t, Mine(me, i), move);
        if (i == kPutter) {
          return Finish(t, i, move);
        }
        me.pc = kOver;
        return;
      case kOver:
        move.what = "retires the descriptor (commit-5)";
        t.retired[i] = 1;
        return Finish(t, i, move);
      default:
        return PruneStep(s, t, i, move);
    }
  }

  void Walk(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    Record& r = t.record[Mine(me, i)];
    if (r.block.state == Block::kFree) {
      move.wrong = "M1: a record is touched that was given back";
    }
    const bool aborted = s.status[i] == kAborted;
    me.at = 0;
    if (aborted && options_.walks_not_if_aborted) {
      me.pc = kOver;
      return;
    }
    r.commit = s.status[i];
    me.pc = aborted && !options_.prunes_below_aborted ? kFind : kPrune;
  }

  void Find(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const U8 word = s.slot[me.place];
    if (word == kDeadSlot && me.place + 1 < kSlots) {
      ++me.place;
    } else if (word == Mine(me, i) && !options_.retires_unlooked) {
      me.at = word;
      me.pc = kUnlink;
    } else {
      me.pc = kRetireOwn;
    }
  }

  void PruneStep(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    const U8 prev = s.record[mine].prev;
    switch (me.pc) {
      case kPrune:
        move.what = "prunes: reads prev";
        me.at = prev;
        me.pc = kFreeze;
        if (prev == 0 || (prev & kFrozenPrev) != 0 ||
            Needed(s, TimeOf(s, s.record[prev]), s.record[mine].commit)) {
          me.at = 0;
          EndPrune(s, t, i, move);
        }
        return;
      case kFreeze:
        move.what = "sets the frozen bit in the version that it drops";
        me.note = me.at;
        me.below = Prev(s, me.at);
        t.record[me.at].prev |= kFrozenPrev;
        me.pc = kDrop;
        return;
      case kDrop:
        move.what = "CAS prev o -> o.prev";
        me.pc = prev == me.at ? kRetireOld : kPrune;
        if (prev == me.at) {
          t.record[mine].prev = me.below;
        }
        me.at = me.below = 0;
        return;
      case kRetireOld:
        move.what = "retires the version that it dropped";
        RetireRecord(t, me.note, move);
        me.note = 0;
        me.pc = kPrune;
        return;
      default:
        move.what = "CAS slot tombstone -> closed";
        if (s.slot[me.place] != mine) {
          return Finish(t, i, move);
        }
        t.slot[me.place] = kDeadSlot;
        t.removed = s.record[mine].mask;
        me.pc = kRetireOwn;
        return;
    }
  }

  void EndPrune(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    if (i < kPutter) {
      me.pc = s.status[i] == kAborted ? kFind : kOver;
    } else if (s.record[mine].tombstone != 0 && s.record[mine].prev == 0) {
      me.pc = kRemove;
    } else {
      Finish(t, i, move);
    }
  }

  static bool Needed(const State& s, U8 from, U8 until) {
    return std::ranges::any_of(s.snapshot,
                               [&](U8 held) { return held != 0 && from <= held && held < until; });
  }

  void Finish(State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 put = static_cast<U8>(i == kPutter ? me.put + 1 : 0);
    const bool again = i == kPutter && put < 2 && options_.puts[put] != kNoPut;
    me = {again ? kBegin : kDone, again ? put : U8{0}, me.pinned, 0, 0, 0, 0, 0, 0};
    Unpin(t, i, move);
  }

  Options options_;
};

TEST(TransactionUnlinkModelTest, TwoTransactionsAndAPutLeakNoRecord) {
  ExpectHolds(UnlinkModel({.with = {true, true, true}, .batch = {true, false}, .puts = {kPut}}),
              "unlink, two and a put", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, ATransactionKilledTwiceBesidePutsLeaksNoRecord) {
  ExpectHolds(
      UnlinkModel(
          {.with = {true, false, true}, .batch = {true, true}, .puts = {kPut, kPut}, .kills = 2}),
      "unlink, killed", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, ATransactionThatStopsKeepsNoOtherFromItsKey) {
  ExpectHolds(UnlinkModel({.with = {true, true, true},
                           .batch = {true, true},
                           .puts = {kPut},
                           .present = false,
                           .stops = true}),
              "unlink, stopped", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, ATransactionKilledBesideADeleteAndAPutLeaksNoRecord) {
  ExpectHolds(UnlinkModel({.with = {true, false, true},
                           .batch = {true, true},
                           .puts = {kDelete, kPut},
                           .kills = 1}),
              "unlink, delete", {.check_progress = true});
  ExpectHolds(UnlinkModel({.with = {true, false, true},
                           .batch = {true, true},
                           .puts = {kPut, kDelete},
                           .present = false,
                           .kills = 1}),
              "unlink, put and delete", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, ReadersSeeNoChangeOfAKilledTransaction) {
  ExpectHolds(UnlinkModel({.with = {true, false, true, true},
                           .batch = {true, true},
                           .puts = {kPut, kPut},
                           .kills = 1}),
              "unlink, reader");
}

constexpr Options WithAPut(Options o) {
  o.with = {true, false, true};
  o.batch = {true, true};
  o.puts = {kPut};
  return o;
}

TEST(TransactionUnlinkModelTest, UnlinkingAnActiveIntentIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.unlinks_active = true})), "unlink, weakened: active");
}

TEST(TransactionUnlinkModelTest, UnlinkingWithoutComparingTheSlotIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.unlinks_blindly = true})), "unlink, weakened: blindly");
}

TEST(TransactionUnlinkModelTest, PuttingOnTopOfAnAbortedIntentIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.aborted_stays = true})), "unlink, weakened: on top");
}

TEST(TransactionUnlinkModelTest, PruningBelowAnAbortedIntentIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.prunes_below_aborted = true})),
               "unlink, weakened: pruned below an aborted one");
}

TEST(TransactionUnlinkModelTest, LeavingTheWalkToTheAborterIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.walks_not_if_aborted = true})), "unlink, weakened: no walk");
}

TEST(TransactionUnlinkModelTest, RetiringAnIntentThatMayBeReachableIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.retires_unlooked = true})),
               "unlink, weakened: retired unlooked");
}

TEST(TransactionUnlinkModelTest, RecoveringATransactionThatIsNotPinnedIsCaught) {
  ExpectCaught(UnlinkModel(WithAPut({.kills = 1, .dead_not_pinned = true})),
               "unlink, weakened: the dead one unpinned");
}

TEST(TransactionUnlinkModelTest, AReaderThatTrustsTheHeadIsCaught) {
  ExpectCaught(UnlinkModel({.with = {true, false, true, true},
                            .batch = {true, true},
                            .puts = {kPut},
                            .reader_trusts_head = true}),
               "unlink, weakened: aborted ones read");
}

}  // namespace
}  // namespace commy::model
