// Taking aborted intents away, beside puts that prune: the memory of one key's records. See
// docs/decisions/0009-transactions.md and src/versions/intents.h.
//
// WORDS    slot: 0 | record | dead (then the next slot counts); record: commit (a reference, 0, a
//          time, aborted), prev with a frozen bit; a status for each transaction; clock
// STEPS    owner   U1 status is active, else U7   U2 h = slot   U3 h undecided: settles it; h an
//                  intent: makes it final, stamps it; aborted: unlinks it, and again from U1; newer
//                  than S: aborts itself   U4 CAS slot h -> intent (prev = h)   U5 CAS active ->
//                  committing   U6 t = ++clock, CAS committing -> t   U7 stamps the intent; aborted
//                  and in the slot: unlinks it; aborted and not there: retires it; else prunes
//                  U8 retires the descriptor
//          unlink  CAS slot x -> x.prev, or dead if that is 0; retires x
//          put     U2, U3, CAS slot h -> record with commit 0, settles it, prunes below it; a
//                  delete takes itself away when nothing is below
//          reader  S = clock; from the head down to the first version not above S
//          the first owner may be killed at any step, and so may who recovers him: U6 if it is
//          committing, else aborted; U7, U8. He stays pinned until that is done.
// HOLDS    M1 no record is given back that can be reached or that somebody pinned holds, or touched
//          after it   M2 below the head all is committed, in order   M3 nothing that can be reached
//          refers to a retired descriptor   M4 in the end the newest version is made from all that
//          was committed, and nothing else is in use   M5 a reader finds the newest version not
//          above S
// Given back: when nobody who was pinned at the retiring is pinned any more. To retire what is
// retired changes nothing.
#include <algorithm>
#include <array>

#include "explorer.h"

namespace commy::model {
namespace {

using U8 = std::uint8_t;
constexpr int kPutter = 2;  // 0 and 1 are the transactions.
constexpr int kReader = 3;
constexpr int kActors = 4;
constexpr int kRecords = 6;  // 1: there from the start; 2, 3: intents; 4, 5: puts.
constexpr U8 kFirstIntent = 2;
constexpr U8 kFirstPut = 4;
constexpr int kSlots = 4;
constexpr U8 kFrozen = 0x40;
constexpr U8 kReference = 0x80;  // In commit: refers to status[commit & 1].
constexpr U8 kActive = 0xfc;
constexpr U8 kCommitting = 0xfd;
constexpr U8 kAborted = 0xfe;
constexpr U8 kDead = 0xff;  // Of a slot.

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
    kSettleTime,
    kSettle,
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
    U8 state, pins, commit, prev, mask, tombstone;  // state: 0 free, 1 used, 2 retired
  };
  // `at`: the record looked at; `note`: what is being taken away, which recovery looks after.
  struct Actor {
    U8 pc, put, pinned, place, at, note, below, time, as_of;
  };
  struct State {
    U8 clock, kills, stopped, removed;  // removed: what the last tombstone taken away was made from
    U8 status[2], retired[2], snapshot[kActors];
    U8 slot[kSlots];
    Record r[kRecords];
    Actor actor[kActors];
  };

  explicit UnlinkModel(const Options& options) : o_(options) {}

  State Initial() const {
    State s;
    std::memset(&s, 0, sizeof s);
    s.clock = 1;
    if (o_.present) s.r[1] = {1, 0, 1, 0, 0, 0}, s.slot[0] = 1;
    for (int i = 0; i < kActors; ++i)
      if (!o_.with[i]) s.actor[i].pc = kDone;
    for (U8 i = 0; i < 2; ++i) {
      s.status[i] = kActive;
      if (o_.with[i]) s.r[kFirstIntent + i] = {1, 0, static_cast<U8>(kReference | i), 0, 0, 0};
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      if (s.actor[i].pc == kDone) continue;
      State t = s;
      Move move{i, "", nullptr};
      Step(s, t, i, move);
      emit(t, move);
    }
    if (s.stopped != 0 || s.actor[0].pc == kBegin || s.actor[0].pc == kDone) return;
    if (s.kills < o_.kills) {
      State t = s;
      Move move{0, "is killed, and recovered from here on", nullptr};
      ++t.kills;
      t.actor[0] = {kRecover, 0, s.actor[0].pinned, 0, 0, s.actor[0].note, 0, 0, 0};
      if (o_.dead_not_pinned) Unpin(t, 0, move);
      emit(t, move);
    }
    if (o_.stops) {
      State t = s;
      t.stopped = 1;
      t.actor[0].pc = kDone;  // And stays pinned.
      emit(t, Move{0, "stops for good", nullptr});
    }
  }

  const char* Check(const State& s) const {
    const U8 head = Head(s);
    for (U8 n = head; n != 0; n = Prev(s, n)) {
      const Record& r = s.r[n];
      const U8 time = TimeOf(s, r);
      if (r.state != 1) return "M1: a record that can be reached is retired or free";
      if (r.commit != time && s.retired[r.commit & 1] != 0)
        return "M3: a record refers to a retired descriptor";
      if (n != head && (time == 0 || time >= kActive)) return "M2: not committed, and not the head";
      const U8 below = Prev(s, n);
      if (below != 0 && time != 0 && TimeOf(s, s.r[below]) >= time) return "M2: out of order";
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    U8 wanted = 0;
    for (U8 n = 1; n < kRecords; ++n)
      if (IsCommitted(s, n)) wanted |= Own(n);
    U8 head = Head(s);
    if (head != 0 && !IsCommitted(s, head)) {
      if (s.stopped == 0) return "M4: an aborted record is left behind";
      head = Prev(s, head);
    }
    if ((head != 0 ? s.r[head].mask : s.removed) != wanted) return "M4: an update was lost";
    unsigned reachable = 0;
    for (U8 n = Head(s); n != 0; n = Prev(s, n)) reachable |= 1U << n;
    for (U8 n = 1; n < kRecords && s.stopped == 0; ++n)
      if (s.r[n].state != (reachable >> n & 1U)) return "M4: a record leaked";
    return nullptr;
  }

 private:
  static U8 Prev(const State& s, U8 n) { return s.r[n].prev & static_cast<U8>(~kFrozen); }
  static U8 Own(U8 n) { return static_cast<U8>(n == 1 ? 0U : 1U << n); }
  static U8 Head(const State& s) {
    for (const U8 word : s.slot)
      if (word != kDead) return word;
    return 0;
  }
  static bool IsReference(U8 commit) { return commit >= kReference && commit < kActive; }
  static U8 TimeOf(const State& s, const Record& r) {
    return IsReference(r.commit) ? s.status[r.commit & 1] : r.commit;
  }
  static bool IsCommitted(const State& s, U8 n) {
    const U8 time = TimeOf(s, s.r[n]);
    return time != 0 && time < kActive;
  }
  static U8 Mine(const Actor& me, int i) {
    return static_cast<U8>(i == kPutter ? kFirstPut + me.put : kFirstIntent + i);
  }

  static void Retire(State& t, U8 n, Move& move) {
    if (t.r[n].state == 0) move.wrong = "M1: a record is retired that was given back";
    if (t.r[n].state != 1) return;
    t.r[n].state = 2;
    for (unsigned i = 0; i < kActors; ++i)
      if (t.actor[i].pinned != 0) t.r[n].pins |= static_cast<U8>(1U << i);
  }

  static void Unpin(State& t, int i, Move& move) {
    t.actor[i].pinned = 0;
    t.snapshot[i] = 0;
    for (U8 n = 1; n < kRecords; ++n) {
      Record& r = t.r[n];
      r.pins &= static_cast<U8>(~(1U << i));
      if (r.state != 2 || r.pins != 0) continue;
      r.state = 0;
      for (const Actor& other : t.actor)
        if (other.pinned != 0 && (other.at == n || other.below == n))
          move.wrong = "M1: a record is given back that a pinned one holds";
    }
  }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    switch (me.pc) {
      case kBegin:
        move.what = "pins, takes S";
        me.pinned = 1;
        me.as_of = i == kPutter || (i < kPutter && o_.batch[i]) ? kAborted : s.clock;
        if (me.as_of != kAborted) t.snapshot[i] = me.as_of;
        me.pc = i < kPutter ? kCheck : kHead;
        return;
      case kCheck:
        move.what = "looks at its status (U1)";
        me.pc = s.status[i] == kActive ? kHead : kWalk;
        return;
      case kHead:
        move.what = "reads the slot (U2)";
        return ReadSlot(s, t, i, move);
      case kLook:
        move.what = "reads a commit, and the status that it refers to";
        return Look(s, t, i, move);
      case kBelow:
        move.what = "goes to the version below";
        me.at = Prev(s, me.at);
        me.pc = kLook;
        if (me.at == 0) Found(s, t, 0, move);
        return;
      case kUnlink:
        move.what = "CAS slot intent -> what is below, or dead";
        me.note = me.at;
        return Unlink(s, t, i);
      case kRetireUnlinked:
        move.what = "retires what it unlinked";
        Retire(t, me.note, move);
        Again(me, i);
        if (i < kPutter && s.actor[i].note == mine) me.pc = kOver;
        return;
      case kInstall:
        move.what = "CAS slot h -> its record (U4)";
        return Install(s, t, i);
      default:
        return Meet(s, t, i, move);
    }
  }

  void ReadSlot(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    me.at = s.slot[me.place];
    me.pc = kLook;
    if (me.at == kDead) {
      me.at = 0;
      ++me.place;
      me.pc = kHead;
    } else if (me.at == 0) {
      if (i == kReader) return Found(s, t, 0, move);
      me.pc = kInstall;
    }
  }

  // Who meets an undecided record or an intent.
  void Meet(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 commit = s.r[me.at].commit;
    switch (me.pc) {
      case kHelpTime:
      case kSettleTime:
        move.what = "takes a time";
        me.time = ++t.clock;
        me.pc = me.pc == kHelpTime ? kHelp : kSettle;
        return;
      case kHelp: {
        move.what = "CAS another's committing -> t";
        if (IsReference(commit) && s.status[commit & 1] == kCommitting)
          t.status[commit & 1] = me.time;
        me.time = 0;
        me.pc = kLook;
        return;
      }
      case kSettle:
        move.what = "CAS commit 0 -> t";
        if (commit == 0) t.r[me.at].commit = me.time;
        me.time = 0;
        me.pc = i == kPutter && me.at == Mine(me, i) ? kPrune : kLook;
        return;
      case kAbortOther: {
        move.what = "CAS another's active -> aborted";
        if (IsReference(commit) && s.status[commit & 1] == kActive) t.status[commit & 1] = kAborted;
        me.pc = kLook;
        return;
      }
      case kStamp:
        move.what = "CAS an intent's commit: reference -> t or aborted";
        t.r[me.at].commit = TimeOf(s, s.r[me.at]);
        me.pc = kLook;
        return;
      default:
        return Decide(s, t, i, move);
    }
  }

  // From the slot on again.
  static void Again(Actor& me, int i) {
    me.at = me.note = me.below = 0;
    me.pc = i < kPutter ? kCheck : kHead;
  }

  void Look(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const Record& r = s.r[me.at];
    const U8 time = TimeOf(s, r);
    const bool reads = i == kReader;
    if (time == 0) {
      me.pc = kSettleTime;
    } else if (time == kCommitting) {
      me.pc = kHelpTime;
    } else if (reads) {
      if (time <= me.as_of || (o_.reader_trusts_head && me.at == Head(s)))
        return Found(s, t, time, move);
      me.pc = kBelow;
    } else if (time == kActive) {
      me.pc = o_.unlinks_active ? kUnlink : kAbortOther;
    } else if (IsReference(r.commit)) {
      me.pc = kStamp;
    } else if (time == kAborted) {
      me.pc = o_.aborted_stays ? kInstall : kUnlink;
    } else {
      me.pc = time > me.as_of ? kAbortSelf : kInstall;
    }
  }

  // The reader has what it looked for: the version of that time, or nothing.
  void Found(const State& s, State& t, U8 time, Move& move) const {
    const U8 as_of = s.actor[kReader].as_of;
    U8 newest = 0;
    bool tombstone = false;
    for (U8 n = 1; n < kRecords; ++n) {
      const U8 other = TimeOf(s, s.r[n]);
      if (!IsCommitted(s, n) || other > as_of || other < newest) continue;
      newest = other;
      tombstone = s.r[n].tombstone != 0;
    }
    if (time != newest && !(time == 0 && tombstone))
      move.wrong = "M5: a reader found another version";
    Finish(t, kReader, move);
  }

  void Unlink(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const bool same = s.slot[me.place] == me.at;
    if (same || o_.unlinks_blindly) {
      const U8 below = Prev(s, me.at);
      t.slot[me.place] = below != 0 ? below : kDead;
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
    if (s.slot[me.place] != me.at) return Again(me, i);
    const U8 base = me.at != 0 ? s.r[me.at].mask : s.removed;
    Record& r = t.r[mine];
    if (i == kPutter) r = {1, 0, 0, 0, 0, static_cast<U8>(o_.puts[me.put] == kDelete)};
    r.prev = me.at;
    r.mask = base | Own(mine);
    t.slot[me.place] = mine;
    me.at = i == kPutter ? mine : U8{0};
    me.pc = i == kPutter ? kSettleTime : kToCommitting;
  }

  void Decide(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kToCommitting:
        move.what = "CAS active -> committing (U5)";
        if (s.status[i] == kActive) t.status[i] = kCommitting;
        me.pc = s.status[i] == kActive ? kOwnTime : kWalk;
        return;
      case kOwnTime:
        move.what = "takes its time (U6)";
        me.time = ++t.clock;
        me.pc = kToTime;
        return;
      case kToTime:
        move.what = "CAS committing -> t (U6)";
        if (s.status[i] == kCommitting) t.status[i] = me.time;
        me.time = 0;
        me.pc = kWalk;
        return;
      case kAbortSelf:
        move.what = "aborts itself";
        if (s.status[i] == kActive) t.status[i] = kAborted;
        me.at = 0;
        me.pc = kWalk;
        return;
      case kRecover:
        move.what = "recovery looks at the note and decides";
        me.pinned = 1;
        if (me.note != 0 && !IsReachable(s, me.note)) Retire(t, me.note, move);
        me.note = 0;
        if (s.status[i] == kActive) t.status[i] = kAborted;
        me.pc = s.status[i] == kCommitting ? kOwnTime : kWalk;
        return;
      case kWalk:
        move.what = "stamps its intent (U7)";
        return Walk(s, t, i, move);
      case kFind:
        move.what = "looks for its intent (U7)";
        return Find(s, t, i);
      case kRetireOwn:
        move.what = "retires its record";
        Retire(t, Mine(me, i), move);
        if (i == kPutter) return Finish(t, i, move);
        me.pc = kOver;
        return;
      case kOver:
        move.what = "retires the descriptor (U8)";
        t.retired[i] = 1;
        return Finish(t, i, move);
      default:
        return PruneStep(s, t, i, move);
    }
  }

  static bool IsReachable(const State& s, U8 name) {
    for (U8 n = Head(s); n != 0; n = Prev(s, n))
      if (n == name) return true;
    return false;
  }

  void Walk(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    Record& r = t.r[Mine(me, i)];
    if (r.state == 0) move.wrong = "M1: a record is touched that was given back";
    const bool aborted = s.status[i] == kAborted;
    me.at = 0;
    if (aborted && o_.walks_not_if_aborted) {
      me.pc = kOver;
      return;
    }
    r.commit = s.status[i];
    me.pc = aborted && !o_.prunes_below_aborted ? kFind : kPrune;
  }

  void Find(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const U8 word = s.slot[me.place];
    if (word == kDead && me.place + 1 < kSlots) {
      ++me.place;
    } else if (word == Mine(me, i) && !o_.retires_unlooked) {
      me.at = word;
      me.pc = kUnlink;
    } else {
      me.pc = kRetireOwn;
    }
  }

  void PruneStep(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    const U8 prev = s.r[mine].prev;
    switch (me.pc) {
      case kPrune:
        move.what = "prunes: reads prev";
        me.at = prev;
        me.pc = kFreeze;
        if (prev == 0 || (prev & kFrozen) != 0 ||
            Needed(s, TimeOf(s, s.r[prev]), s.r[mine].commit)) {
          me.at = 0;
          EndPrune(s, t, i, move);
        }
        return;
      case kFreeze:
        move.what = "sets the frozen bit in what it drops";
        me.note = me.at;
        me.below = Prev(s, me.at);
        t.r[me.at].prev |= kFrozen;
        me.pc = kDrop;
        return;
      case kDrop:
        move.what = "CAS prev o -> o.prev";
        me.pc = prev == me.at ? kRetireOld : kPrune;
        if (prev == me.at) t.r[mine].prev = me.below;
        me.at = me.below = 0;
        return;
      case kRetireOld:
        move.what = "retires what it dropped";
        Retire(t, me.note, move);
        me.note = 0;
        me.pc = kPrune;
        return;
      default:
        move.what = "CAS slot tombstone -> dead";
        if (s.slot[me.place] != mine) return Finish(t, i, move);
        t.slot[me.place] = kDead;
        t.removed = s.r[mine].mask;
        me.pc = kRetireOwn;
        return;
    }
  }

  void EndPrune(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 mine = Mine(me, i);
    if (i < kPutter) {
      me.pc = s.status[i] == kAborted ? kFind : kOver;
    } else if (s.r[mine].tombstone != 0 && s.r[mine].prev == 0) {
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
    const bool again = i == kPutter && put < 2 && o_.puts[put] != kNoPut;
    me = {again ? kBegin : kDone, again ? put : U8{0}, me.pinned, 0, 0, 0, 0, 0, 0};
    Unpin(t, i, move);
  }

  Options o_;
};

TEST(TransactionUnlinkModelTest, TwoAndAPut) {
  ExpectHolds(UnlinkModel({.with = {true, true, true}, .batch = {true, false}, .puts = {kPut}}),
              "unlink, two and a put", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, OneKilledTwiceAndTwoPuts) {
  ExpectHolds(
      UnlinkModel(
          {.with = {true, false, true}, .batch = {true, true}, .puts = {kPut, kPut}, .kills = 2}),
      "unlink, killed", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, OneThatStopsAndAnotherAndAPut) {
  ExpectHolds(UnlinkModel({.with = {true, true, true},
                           .batch = {true, true},
                           .puts = {kPut},
                           .present = false,
                           .stops = true}),
              "unlink, stopped", {.check_progress = true});
}

TEST(TransactionUnlinkModelTest, OneKilledAndADeleteAndAPut) {
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

TEST(TransactionUnlinkModelTest, OneKilledAndAPutAndAReader) {
  ExpectHolds(UnlinkModel({.with = {true, false, true, true},
                           .batch = {true, true},
                           .puts = {kPut, kPut},
                           .kills = 1}),
              "unlink, reader");
}

constexpr Options OneAndAPut(Options o) {
  o.with = {true, false, true};
  o.batch = {true, true};
  o.puts = {kPut};
  return o;
}

TEST(TransactionUnlinkModelTest, UnlinkingAnActiveOneIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.unlinks_active = true})), "unlink, weakened: active");
}

TEST(TransactionUnlinkModelTest, UnlinkingWithoutLookingIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.unlinks_blindly = true})), "unlink, weakened: blindly");
}

TEST(TransactionUnlinkModelTest, PuttingOnTopOfAnAbortedOneIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.aborted_stays = true})), "unlink, weakened: on top");
}

TEST(TransactionUnlinkModelTest, PruningBelowAnAbortedOneIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.prunes_below_aborted = true})),
               "unlink, weakened: pruned below an aborted one");
}

TEST(TransactionUnlinkModelTest, LeavingTheWalkToWhoAbortsIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.walks_not_if_aborted = true})),
               "unlink, weakened: no walk");
}

TEST(TransactionUnlinkModelTest, RetiringWithoutLookingIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.retires_unlooked = true})),
               "unlink, weakened: retired unlooked");
}

TEST(TransactionUnlinkModelTest, RecoveringWhoIsPinnedNoMoreIsCaught) {
  ExpectCaught(UnlinkModel(OneAndAPut({.kills = 1, .dead_not_pinned = true})),
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
