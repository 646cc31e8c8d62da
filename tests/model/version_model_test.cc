// One key's versions: puts, deletes and gets that resolve, prune and remove; and snapshots.
//
// WORDS    slot: 0 | record | dead (then the next slot counts); record: commit (0 undecided), prev
//          with a frozen bit; snapshot slot: 0 | pending(seq) | S; clock
// STEPS    put      write-1 h = slot; resolve h: t = ++clock, CAS h.commit 0 -> t   write-4 CAS
//                   slot h -> n (n.prev = h)   write-5 resolve n   write-6 prune below n
//          prune    o = n.prev; frozen or 0: stop   unlink-2 frozen bit into o.prev
//                   unlink-3 CAS n.prev o -> o.prev without the bit, retire o; from the start
//          delete   puts a tombstone t, and when t.prev == 0: CAS slot t -> closed, retire t
//          get      loads the head, resolves it, returns it
//          snapshot snapshot-3 slot = pending(seq)   snapshot-4 S = clock   snapshot-5 CAS
//                   pending(seq) -> S; the slot then holds S; a pruner stamps first, then loads the
//                   snapshot slots, and completes a pending one by CAS pending(seq) -> clock
// HOLDS    I1 commits rise from each version to the next newer one; no decided version stands on
//          an undecided one   I2 each acknowledged change and get is later than those before it
//          I3 no record is given back that can be reached or that a pinned process holds
//          I4 each record is retired once; when all is quiet only reachable ones are in use
//          I5 a reader that may not resolve, and passes undecided versions by, finds a present key
//          I6 a snapshot reader finds the version that it needs
#include "model/lib/chain.h"
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

enum OpKind : U8 { kNone, kPut, kDelete, kSweep, kGet };

struct Options {
  OpKind ops[3][2] = {};
  U8 initial = 1;  // Versions that the key has at the start.
  bool no_frozen_bit = false;
  bool prune_undecided = false;
  bool no_resolve = false;
  bool early_removal = false;
};

class VersionModel {
 public:
  static constexpr int kRecords = 7;  // Names 1..6.
  static constexpr int kSlots = 4;
  static constexpr int kProcesses = 3;
  enum Pc : U8 {
    kIdle,
    kLocate,
    kResolveHead,
    kStampHead,
    kSwap,
    kResolveNew,
    kStampNew,
    kPrune,
    kFreeze,
    kDrop,
    kRetire,
    kRemove,
    kRetireTombstone,
    kUnpin
  };
  struct Record {
    Block block;
    U8 commit, prev, tombstone;
  };
  struct Process {
    U8 pc, op, pinned, at, head, mine, old, below, time, since;
  };
  struct State {
    U8 clock, acknowledged, removed;
    U8 slot[kSlots];
    Record record[kRecords];
    Process process[kProcesses];
  };

  explicit VersionModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    for (U8 i = 1; i <= options_.initial; ++i) {
      s.record[i] = {{Block::kUsed, 0}, i, static_cast<U8>(i - 1), 0};
    }
    s.slot[0] = s.clock = s.acknowledged = options_.initial;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < kProcesses; ++p) {
      EmitStep(s, p, emit, [&](State& t, Move& move) { Step(s, t, p, move); });
    }
  }

  const char* Check(const State& s) const {
    const U8 head = Head(s);
    bool decided = false;
    for (U8 i = head; i != 0; i = Prev(s, i)) {
      if (s.record[i].block.state != Block::kUsed) {
        return "I3: a reachable record is retired or free";
      }
      decided = decided || s.record[i].commit != 0;
      const U8 below = Prev(s, i);
      if (below == 0 || s.record[i].commit == 0) {
        continue;
      }
      if (s.record[below].commit == 0) {
        return "I1: a decided version stands on an undecided one";
      }
      if (s.record[below].commit >= s.record[i].commit) {
        return "I1: commits do not rise";
      }
    }
    if (head != 0 && !decided && options_.initial != 0 && s.removed == 0) {
      return "I5: a reader that passes undecided versions by finds no key";
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (U8 i = 1; i < kRecords; ++i) {
      if ((s.record[i].block.state != Block::kFree) != IsReachable(s, i)) {
        return "I4: a record leaked";
      }
    }
    return nullptr;
  }

 private:
  OpKind OpOf(const State& s, int p) const {
    return s.process[p].op < 2 ? options_.ops[p][s.process[p].op] : kNone;
  }

  static void RetireRecord(State& t, U8 i, Move& move) {
    if (!Retire(t.record[i].block, PinnedMask(t.process))) {
      move.wrong = "I4: a record is retired twice";
    }
  }

  static void Unpin(State& t, int p, Move& move) {
    Process& me = t.process[p];
    me = Process{kIdle, static_cast<U8>(me.op + 1), 0, 0, 0, 0, 0, 0, 0, 0};
    Collect(t.record, PinnedMask(t.process), [&](U8 i) {
      t.record[i] = Record{};
      for (const Process& other : t.process) {
        if (other.head == i || other.mine == i || other.old == i || other.below == i) {
          move.wrong = "I3: a record is given back that a pinned process holds";
        }
      }
    });
  }

  static void Ack(State& t, int p, U8 time, Move& move) {
    if (time < t.process[p].since) {
      move.wrong = "I2: later than it, and yet before it in commit order";
    }
    if (time > t.acknowledged) {
      t.acknowledged = time;
    }
    t.process[p].pc = kUnpin;
  }

  // Resolving: t = ++clock if the record is undecided, and then the CAS from 0.
  static bool Stamp(const State& s, State& t, int p, U8 record) {
    if (s.record[record].commit != 0) {
      return false;
    }
    t.process[p].time = ++t.clock;
    return true;
  }

  void Step(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const OpKind op = OpOf(s, p);
    switch (me.pc) {
      case kIdle:
        if (op == kNone) {
          return;
        }
        me.pinned = 1;
        me.since = s.acknowledged;
        me.pc = kLocate;
        move.what = "pins";
        return;
      case kLocate:
        move.what = "loads the slot (write-1)";
        me.head = s.slot[me.at];
        if (me.head == kDeadSlot) {
          me.head = 0;
          ++me.at;
        } else if (me.head == 0) {
          me.pc = op == kPut ? kSwap : kUnpin;
          if (op == kGet) {
            Ack(t, p, s.removed, move);
          }
        } else {
          me.pc = options_.no_resolve && op == kPut ? kSwap : kResolveHead;
        }
        return;
      case kResolveHead:
        move.what = "looks whether the head is decided, takes a time";
        if (Stamp(s, t, p, me.head)) {
          me.pc = kStampHead;
        } else {
          AfterHead(s, t, p, move);
        }
        return;
      case kStampHead:
        move.what = "CAS head.commit 0 -> t";
        Cas(t.record[me.head].commit, 0, me.time);
        me.time = 0;
        AfterHead(t, t, p, move);
        return;
      case kSwap:
        Swap(s, t, p, move);
        return;
      case kResolveNew:
        move.what = "looks whether its record is decided, takes a time (write-5)";
        if (Stamp(s, t, p, me.mine)) {
          me.pc = kStampNew;
        } else {
          AfterNew(t, p, op, move);
        }
        return;
      case kStampNew:
        move.what = "CAS n.commit 0 -> t (write-5)";
        Cas(t.record[me.mine].commit, 0, me.time);
        me.time = 0;
        AfterNew(t, p, op, move);
        return;
      case kUnpin:
        move.what = "unpins";
        Unpin(t, p, move);
        return;
      default:
        Prune(s, t, p, op, move);
        return;
    }
  }

  void AfterHead(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const OpKind op = OpOf(s, p);
    if (op == kGet) {
      return Ack(t, p, s.record[me.head].commit, move);
    }
    if (op == kSweep) {
      me.mine = me.head;
      me.head = 0;
      me.pc = kPrune;
      return;
    }
    if (op == kDelete && s.record[me.head].tombstone != 0) {
      me.pc = kUnpin;
    } else {
      me.pc = kSwap;
    }
  }

  void AfterNew(State& t, int p, OpKind op, Move& move) const {
    Process& me = t.process[p];
    me.pc = kPrune;
    if (op == kSweep) {
      return;
    }
    const U8 since = me.since;
    if (t.record[me.mine].commit <= since) {
      move.wrong = "I2: a change is not later than an acknowledged one";
    }
    if (options_.prune_undecided) {
      AfterPrune(t, p, op, t.record[me.mine].prev == 0);
    }
  }

  void Swap(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    if (s.slot[me.at] != me.head) {
      move.what = "loses the slot CAS";
      me.head = 0;
      me.pc = kLocate;
      return;
    }
    const U8 n = FirstFree(s.record);
    move.what = "CAS slot h -> n (write-4)";
    if (n == 0) {
      me.pc = kUnpin;
      return;
    }
    t.record[n] = {{Block::kUsed, 0}, 0, me.head, static_cast<U8>(OpOf(s, p) == kDelete)};
    t.slot[me.at] = n;
    me.mine = n;
    me.head = 0;
    me.pc = options_.prune_undecided ? kPrune : kResolveNew;
  }

  void AfterPrune(State& t, int p, OpKind op, bool bare) const {
    Process& me = t.process[p];
    const bool tombstone = t.record[me.mine].tombstone != 0;
    me.old = me.below = 0;
    me.pc = tombstone && (bare || options_.early_removal) ? kRemove : kUnpin;
    if (me.pc == kUnpin && op != kSweep && t.record[me.mine].commit > t.acknowledged) {
      t.acknowledged = t.record[me.mine].commit;
    }
  }

  void Prune(const State& s, State& t, int p, OpKind op, Move& move) const {
    Process& me = t.process[p];
    switch (me.pc) {
      case kPrune: {
        move.what = "reads n.prev";
        const U8 prev = s.record[me.mine].prev;
        me.old = me.below = 0;
        if (prev != 0 && (prev & kFrozenPrev) == 0 && !(options_.early_removal && op == kDelete)) {
          me.old = prev;
          me.pc = kFreeze;
        } else if (options_.prune_undecided && s.record[me.mine].commit == 0) {
          me.pc = kResolveNew;
        } else {
          AfterPrune(t, p, op, prev == 0);
        }
        return;
      }
      case kFreeze:
        move.what = "freezes o.prev (unlink-2)";
        me.below = Prev(s, me.old);
        if (!options_.no_frozen_bit) {
          t.record[me.old].prev |= kFrozenPrev;
        }
        me.pc = kDrop;
        return;
      case kDrop:
        move.what = "CAS n.prev o -> o.prev (unlink-3)";
        me.pc = kPrune;
        if (s.record[me.mine].prev == me.old) {
          t.record[me.mine].prev = me.below;
          me.pc = kRetire;
        }
        me.below = 0;
        if (me.pc == kPrune) {
          me.old = 0;
        }
        return;
      case kRetire:
        move.what = "retires o (unlink-3)";
        RetireRecord(t, me.old, move);
        me.old = 0;
        me.pc = kPrune;
        return;
      case kRemove:
        move.what = "CAS slot tombstone -> closed";
        me.pc = kUnpin;
        if (s.record[me.mine].commit > t.acknowledged && op == kDelete) {
          t.acknowledged = s.record[me.mine].commit;
        }
        if (s.slot[me.at] != me.mine) {
          return;
        }
        t.slot[me.at] = kDeadSlot;
        t.removed = s.record[me.mine].commit;
        me.pc = kRetireTombstone;
        return;
      default:
        move.what = "retires the tombstone";
        RetireRecord(t, me.mine, move);
        me.pc = kUnpin;
        return;
    }
  }

  Options options_;
};

struct SnapshotOptions {
  int writers = 2;
  bool clock_first = false;
  bool load_first = false;
  bool pending_ignored = false;
  bool no_seq = false;
};

class SnapshotModel {
 public:
  static constexpr int kRecords = 5;
  static constexpr int kTaker = 2;
  static constexpr U8 kPending = 0x80;
  enum Pc : U8 { kIdle, kStamp, kLoadSlots, kLoadClock, kComplete, kDrop, kClock, kFix, kRead };
  struct Process {
    U8 pc, ops, mine, slot, time;
  };
  struct State {
    U8 clock, head, snapshot, made;
    U8 commit[kRecords], prev[kRecords];
    Process process[3];
  };

  explicit SnapshotModel(const SnapshotOptions& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.clock = s.head = s.made = s.commit[1] = 1;
    s.process[0].ops = s.process[1].ops = s.process[kTaker].ops = 2;
    if (options_.writers == 2) {
      s.process[0].ops = 1;
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < 3; ++p) {
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        if (p == kTaker) {
          Take(s, t, move);
        } else {
          Write(s, t, p, move);
        }
      });
    }
  }
  const char* CheckFinal(const State& s) const {
    return s.snapshot != 0 ? "a snapshot slot was left behind" : nullptr;
  }

 private:
  // A put of a version, the resolving of the head before it, and the drops that follow. A step that
  // is not about snapshots is one here; the model above has it in detail.
  void Write(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        --me.ops;
        Resolve(t.commit[s.head], t.clock);
        me.mine = ++t.made;
        t.prev[me.mine] = s.head;
        t.head = me.mine;
        me.pc = options_.load_first ? kLoadSlots : kStamp;
        move.what = "resolves the head and publishes a version";
        return;
      case kStamp:
        Resolve(t.commit[me.mine], t.clock);
        me.pc = options_.load_first ? kDrop : kLoadSlots;
        move.what = "stamps its version";
        return;
      case kLoadSlots:
        me.slot = s.snapshot;
        me.pc = (me.slot & kPending) != 0 ? kLoadClock : (options_.load_first ? kStamp : kDrop);
        if (me.pc == kLoadClock && options_.pending_ignored) {
          me.slot = 0;
          me.pc = kDrop;
        }
        move.what = "loads the snapshot slot";
        return;
      case kLoadClock:
        me.time = s.clock;
        me.pc = kComplete;
        move.what = "loads the clock for a pending snapshot";
        return;
      case kComplete:
        Cas(t.snapshot, me.slot, me.time);
        me.time = me.slot = 0;
        me.pc = kLoadSlots;
        move.what = "CAS pending(seq) -> clock";
        return;
      default: {
        move.what = "drops the version below, unless the snapshot needs it";
        const U8 old = s.prev[me.mine];
        const bool needed =
            old != 0 && me.slot != 0 && me.slot >= s.commit[old] && me.slot < s.commit[me.mine];
        if (old == 0 || needed) {
          me = Process{kIdle, me.ops, 0, 0, 0};
          return;
        }
        t.prev[me.mine] = s.prev[old];
        // The lower versions may be dropped by their own writers as well, without harm.
        return;
      }
    }
  }

  void Take(const State& s, State& t, Move& move) const {
    Process& me = t.process[kTaker];
    const U8 pending = static_cast<U8>(kPending | (options_.no_seq ? 0 : me.ops));
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        if (options_.clock_first && me.time == 0) {
          me.time = s.clock;
          move.what = "loads the clock too early";
          return;
        }
        t.snapshot = pending;
        me.pc = options_.clock_first ? kFix : kClock;
        move.what = "stores pending(seq) (snapshot-3)";
        return;
      case kClock:
        me.time = s.clock;
        me.pc = kFix;
        move.what = "loads the clock (snapshot-4)";
        return;
      case kFix:
        Cas(t.snapshot, pending, me.time);
        me.time = 0;
        me.pc = kRead;
        move.what = "CAS pending(seq) -> S (snapshot-5)";
        return;
      default: {
        U8 at = s.head;
        while (at != 0 && (s.commit[at] == 0 || s.commit[at] > s.snapshot)) {
          at = s.prev[at];
        }
        if (at == 0) {
          move.wrong = "I6: the version that a snapshot needs is gone";
        }
        t.snapshot = 0;
        --me.ops;
        me.pc = kIdle;
        move.what = "reads at S and ends the snapshot";
        return;
      }
    }
  }

  SnapshotOptions options_;
};

Options Writers() {
  Options o;
  o.ops[0][0] = kPut;
  o.ops[0][1] = kPut;
  o.ops[1][0] = kPut;
  o.ops[2][0] = kGet;
  o.ops[2][1] = kGet;
  return o;
}

Options Three() {
  Options o;
  for (auto& ops : o.ops) {
    ops[0] = kPut;
  }
  return o;
}

Options Deleters() {
  Options o;
  o.initial = 2;
  o.ops[0][0] = kDelete;
  o.ops[0][1] = kPut;
  o.ops[1][0] = kDelete;
  o.ops[2][0] = kGet;
  return o;
}

Options Sweepers() {
  Options o;
  o.initial = 2;
  o.ops[0][0] = kDelete;
  o.ops[1][0] = kSweep;
  o.ops[1][1] = kSweep;
  o.ops[2][0] = kPut;
  return o;
}

constexpr Limits kProgress = {.check_progress = true};

TEST(VersionModelTest, TwoWritersAndAReaderKeepOrderAndMemory) {
  ExpectHolds(VersionModel(Writers()), "versions, writers", kProgress);
}

TEST(VersionModelTest, ThreeWritersPruneOneChain) {
  ExpectHolds(VersionModel(Three()), "versions, three writers", kProgress);
}

TEST(VersionModelTest, TombstonesGoWithTheirPast) {
  ExpectHolds(VersionModel(Deleters()), "versions, deleters", kProgress);
}

TEST(VersionModelTest, SweepsRaceWithWriters) {
  ExpectHolds(VersionModel(Sweepers()), "versions, sweepers", kProgress);
}

TEST(VersionModelTest, PruningWithoutTheFrozenBitIsCaught) {
  Options o = Three();
  o.no_frozen_bit = true;
  ExpectCaught(VersionModel(o), "versions, weakened: no frozen bit");
}

TEST(VersionModelTest, PruningBelowAnUndecidedVersionIsCaught) {
  Options o = Writers();
  o.prune_undecided = true;
  ExpectCaught(VersionModel(o), "versions, weakened: pruned below an undecided version");
}

TEST(VersionModelTest, AnUnresolvedHeadUnderANewVersionIsCaught) {
  Options o = Writers();
  o.no_resolve = true;
  ExpectCaught(VersionModel(o), "versions, weakened: old head not resolved");
}

TEST(VersionModelTest, ATombstoneRemovedBeforeItsPastIsCaught) {
  Options o = Deleters();
  o.early_removal = true;
  ExpectCaught(VersionModel(o), "versions, weakened: tombstone removed with a past");
}

TEST(VersionModelSnapshotTest, ASnapshotFindsWhatItNeeds) {
  ExpectHolds(SnapshotModel({}), "snapshots", kProgress);
}

TEST(VersionModelSnapshotTest, TheClockLoadedBeforeTheSlotIsStoredIsCaught) {
  ExpectCaught(SnapshotModel({.clock_first = true}), "snapshots, weakened: clock loaded first");
}

TEST(VersionModelSnapshotTest, SlotsLoadedBeforeTheStampAreCaught) {
  ExpectCaught(SnapshotModel({.load_first = true}), "snapshots, weakened: slots loaded first");
}

TEST(VersionModelSnapshotTest, PendingIgnoredIsCaught) {
  ExpectCaught(SnapshotModel({.pending_ignored = true}), "snapshots, weakened: pending ignored");
}

TEST(VersionModelSnapshotTest, PendingWithoutASequenceNumberIsCaught) {
  ExpectCaught(SnapshotModel({.no_seq = true}), "snapshots, weakened: pending without seq");
}

}  // namespace
}  // namespace commy::model
