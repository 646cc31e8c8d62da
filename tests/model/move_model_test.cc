// Moving a record to another block, beside puts, deletes, a transaction, a sweep, a snapshot's
// reads, and another mover; any of them is killed at any step, and recovered: the records of one
// key.
//
// WORDS    slot: 0 | record | dead (then the next slot counts); record: commit (a reference, 0, a
//          time, aborted), prev with a frozen bit; the transaction's status; clock; the sweep mark
// STEPS    move    move-1 h = slot; h undecided: resolves it; no time: leaves it; h.prev is not 0:
//                  prunes below it, and leaves it if something stays
//                  move-2 note h; c = a copy with h's time, prev 0, noted
//                  move-3 CAS slot h -> c   move-4 retire h; or c, if the CAS was lost
//          put     h = slot, made final; CAS slot h -> n (commit 0, prev h), with both noted;
//                  resolves n, counts, prunes below it. A delete CASes slot n -> dead, if nothing
//                  is below, and retires n; finds the key with another record: of the same time: it
//                  was moved, marks
//          prune   o = n.prev; needed by a snapshot: marks; note o; frozen bit into o.prev; CAS
//                  n.prev o -> o.prev, retire o
//          owner   commit-2 as a put, with a reference to its status   commit-3 CAS active ->
//                  committing   commit-4 t = ++clock, CAS committing -> t   commit-5 stamps the
//                  intent; prunes below it, or, if it was aborted, unlinks it; retires the block
//          unlink  CAS slot x -> x.prev, or dead if that is 0; retires x, marks
//          sweep   mark = 0; as move-1; a tombstone: CAS slot -> dead, retires it, or marks
//          read    S = clock, held; from the head down to the first version not above S
//          recover of each noted record: not reachable: retires it. Of a put: if what it made has,
//                  or gets, a time: counts, marks. Of a transaction: commit-4 or abort, commit-5
// HOLDS    M1 no record is given back that can be reached or that a pinned actor holds
//          M2 below the head all is committed, in order   M3 no reachable record refers to a
//          retired transaction block   M4 in the end the newest version is made from all committed
//          changes, each is counted, and no other record is in use   M5 a reader at S finds the
//          version of that time   M6 a version has one time   M7 in the end the key is marked if
//          there is something to sweep
#include <array>

#include "model/lib/chain.h"
#include "model/lib/explorer.h"
#include "model/lib/intents.h"
#include "model/lib/pins.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

enum Who : U8 { kOwner, kPutter, kMover, kSecondMover, kSweeper, kReader, kActors };
constexpr int kRecords = 8;
constexpr int kSlots = 4;
constexpr U8 kIntent = 2;  // The record of the transaction, while it has not been moved.
// Changes: what is there at the start, that of the transaction, those of the putter.
constexpr int kChanges = 4;
constexpr U8 kOwnersChange = 1;
constexpr U8 kFirstPut = 2;

enum PutKind : U8 { kNoPut, kPut, kDelete };

struct Options {
  std::array<bool, kActors> with{};
  std::array<PutKind, 2> puts{};
  U8 below = 0;          // Of the version that is there at the start: one more, or none.
  bool deletes = false;  // The transaction does.
  bool absent = false;   // At the start.
  U8 reads = 1;
  U8 kills = 0;
  std::array<bool, kActors> killed{};  // May be.
  bool copies_prev = false;            // move-1 does not prune; the copy has the record's prev.
  bool moves_undecided = false;        // move-1 does not resolve.
  bool moves_intents = false;
  bool new_time = false;
  bool retires_first = false;        // move-4 before move-3.
  bool no_note = false;              // Of the record, in move-3.
  bool moved_is_another = false;     // A delete takes a moved tombstone for another's record.
  bool unreachable_is_over = false;  // Recovery marks only what can be reached.
};

class MoveModel {
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
    kCount,
    kToCommitting,
    kOwnTime,
    kToTime,
    kWalk,
    kFind,
    kRetireOwn,
    kOver,
    kPrune,
    kFreeze,
    kDrop,
    kRetireOld,
    kPruned,
    kRemove,
    kRemoveLook,
    kRetireRemoved,
    kMarkLeft,
    kCopy,
    kMove,
    kMoved,
    kRecoverNote,
    kRecoverMade,
    kRecoverOp,
    kDone,
  };
  struct Record {
    Block block;
    U8 commit, prev, mask, change;  // mask: the changes that the value contains
  };
  // `at`: the record looked at; `mine`: the one that it has made, or moves; `note` and `made`: its
  // notes, of what it takes away and of what it makes.
  struct Actor {
    U8 pc, op, pinned, place, at, mine, below, time, note, made, seen;
  };
  struct State {
    U8 clock, kills, mark, counted, removed, over, snapshot, reads;
    U8 status[1];
    U8 time[kChanges];  // Of each change, once it is committed; not in the file.
    U8 slot[kSlots];
    Record record[kRecords];
    Actor actor[kActors];
  };

  explicit MoveModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.clock = kFirstTime;
    if (!options_.absent) {
      s.record[1] = {{Block::kUsed, 0}, kFirstTime, 0, 0, 0};
      s.slot[0] = 1;
      s.time[0] = kFirstTime;
    }
    if (options_.below != 0) {
      s.record[3] = {{Block::kUsed, 0}, kFirstTime, 0, 0, 0};
      s.record[1].prev = 3;
      s.record[1].commit = s.clock = s.time[0] = kFirstTime + 1;
      s.mark = 1;
    }
    for (int i = 0; i < kActors; ++i) {
      s.actor[i].pc = options_.with[i] ? kBegin : kDone;
    }
    s.status[0] = kActive;
    if (options_.with[kOwner]) {
      s.record[kIntent] = {{Block::kUsed, 0}, ReferenceTo(0), 0, 0, kOwnersChange};
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      const Actor& now = s.actor[i];
      if (now.pc == kDone) {
        continue;
      }
      EmitStep(s, i, emit, [&](State& t, Move& move) { Step(s, t, i, move); });
      if (s.kills == options_.kills || !options_.killed[i] || now.pc == kBegin) {
        continue;
      }
      State t = s;
      ++t.kills;
      t.actor[i] = {};
      t.actor[i].pc = kRecoverNote;
      t.actor[i].op = now.op;
      t.actor[i].pinned = now.pinned;
      t.actor[i].note = now.note;
      t.actor[i].made = now.made;
      emit(t, Move{i, "is killed, and recovered from here on"});
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
      if (IsReference(r.commit) && s.over != 0) {
        return "M3: a record refers to a retired transaction block";
      }
      if (n != head && !IsTime(time)) {
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
    for (U8 change = 1; change < kChanges; ++change) {
      wanted |= s.time[change] != 0 ? Bit(change) : 0;
    }
    const U8 head = Head(s);
    if (head != 0 && !IsTime(s.record[head].commit)) {
      return "M4: a record that is not final is left behind";
    }
    if ((head != 0 ? s.record[head].mask : s.removed) != wanted) {
      return "M4: an update was lost";
    }
    if (s.counted != (wanted & static_cast<U8>(~Bit(kOwnersChange)))) {
      return "M4: a change was not counted, or one that was not made";
    }
    for (U8 n = 1; n < kRecords; ++n) {
      const U8 state = IsReachable(s, n) ? Block::kUsed : Block::kFree;
      if (s.record[n].block.state != state) {
        return "M4: a record leaked";
      }
    }
    const bool left = head != 0 && (Prev(s, head) != 0 || IsTombstone(s.record[head]));
    return left && s.mark == 0 ? "M7: something is left that no sweep will see" : nullptr;
  }

 private:
  bool IsTombstone(const Record& r) const { return Deletes(r.change); }
  bool Deletes(U8 change) const {
    return change >= kFirstPut ? options_.puts[change - kFirstPut] == kDelete
                               : change == kOwnersChange && options_.deletes;
  }
  static bool Moves(int i) { return i == kMover || i == kSecondMover; }

  static void RetireRecord(State& t, U8 n, Move& move) {
    Block& block = t.record[n].block;
    if (block.state == Block::kFree) {
      move.wrong = "M1: a record is retired that was given back";
    }
    Retire(block, PinnedMask(t.actor));
  }

  static void Unpin(State& t, int i, Move& move) {
    t.actor[i].pinned = 0;
    Collect(t.record, PinnedMask(t.actor), [&](U8 n) {
      t.record[n] = {};
      for (const Actor& other : t.actor) {
        if (other.pinned != 0 && (other.at == n || other.below == n || other.mine == n)) {
          move.wrong = "M1: a record is given back that a pinned actor holds";
        }
      }
    });
  }

  // Gives a change its time, which is in a record or a status from now on.
  static void SetTime(State& t, U8 change, U8 time, Move& move) {
    if (t.time[change] != 0 && t.time[change] != time) {
      move.wrong = "M6: a version gets a second time";
    }
    t.time[change] = time;
  }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kBegin:
        return Begin(s, t, i, move);
      case kCheck:
        move.what = "looks at its status (commit-2)";
        me.pc = s.status[0] == kActive ? kHead : kWalk;
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
        return Unlink(s, t, i);
      case kRetireUnlinked:
        move.what = "retires the record that it unlinked, and marks";
        RetireRecord(t, me.note, move);
        t.mark = 1;
        me.at = me.note = 0;
        me.pc = i == kOwner ? (s.actor[i].mine == 0 ? kCheck : kOver) : kHead;
        return;
      case kInstall:
        return Install(s, t, i, move);
      case kCount:
        move.what = "counts";
        t.counted |= Bit(s.record[me.mine].change);
        me.pc = kPrune;
        return;
      case kCopy:
      case kMove:
      case kMoved:
        return MoveStep(s, t, i, move);
      case kPrune:
      case kFreeze:
      case kDrop:
      case kRetireOld:
      case kPruned:
      case kRemove:
      case kRemoveLook:
      case kRetireRemoved:
      case kMarkLeft:
        return PruneStep(s, t, i, move);
      case kRecoverNote:
      case kRecoverMade:
      case kRecoverOp:
        return Recover(s, t, i, move);
      default:
        return Meet(s, t, i, move);
    }
  }

  void Begin(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    move.what = "pins";
    me.pinned = 1;
    me.pc = i == kOwner ? kCheck : kHead;
    if (i == kReader && s.snapshot == 0) {
      move.what = "pins, takes and holds S";
      t.snapshot = s.clock;
    }
    if (i == kSweeper) {
      move.what = "pins, clears the mark, to sweep";
      t.mark = 0;
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
      if (i >= kMover || (i == kPutter && options_.puts[me.op] == kDelete)) {
        Finish(t, i, move);
      }
    }
  }

  void Look(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const Record& r = s.record[me.at];
    const U8 time = TimeOf(s, r);
    const bool looks_on = Moves(i) && options_.moves_undecided;
    if (r.commit == 0 && !looks_on) {
      me.pc = kResolveTime;
    } else if (i == kReader) {
      if (time == kCommitting) {
        me.pc = kHelpTime;
      } else if (time <= s.snapshot) {
        Found(s, t, me.at, move);
      } else {
        me.pc = kBelow;
      }
    } else if (i >= kMover) {
      const bool final = IsTime(r.commit) || looks_on ||
                         (Moves(i) && options_.moves_intents && IsReference(r.commit));
      me.mine = me.at;
      me.at = 0;
      me.pc = Moves(i) && (options_.copies_prev || !IsTime(r.commit)) ? kCopy : kPrune;
      if (!final) {
        // A sweep looks again, at what a transaction is at.
        t.mark |= i == kSweeper ? 1 : 0;
        Finish(t, i, move);
      }
    } else if (time == kCommitting) {
      me.pc = kHelpTime;
    } else if (time == kActive) {
      me.pc = kAbortOther;
    } else if (IsReference(r.commit)) {
      me.pc = kStamp;
    } else if (time == kAborted) {
      me.pc = kUnlink;
    } else {
      me.pc = kInstall;
      if (i == kPutter && options_.puts[me.op] == kDelete && IsTombstone(r)) {
        Finish(t, i, move);
      }
    }
  }

  // An actor meets an undecided record or an intent, or decides its own.
  void Meet(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    Record& r = t.record[me.at];
    switch (me.pc) {
      case kHelpTime:
      case kResolveTime:
      case kOwnTime:
        move.what = "takes a time";
        me.time = ++t.clock;
        ++me.pc;
        if (me.pc == kToTime) {
          move.what = "takes its time (commit-4)";
        }
        return;
      case kHelp:
      case kToTime:
        move.what = "CAS committing -> t (commit-4)";
        if (Cas(t.status[0], kCommitting, me.time)) {
          SetTime(t, kOwnersChange, me.time, move);
        }
        me.pc = me.pc == kHelp ? kLook : kWalk;
        me.time = 0;
        return;
      case kResolve:
        move.what = "CAS commit 0 -> t";
        if (Cas(r.commit, 0, me.time)) {
          SetTime(t, r.change, me.time, move);
        }
        me.time = 0;
        me.pc = kLook;
        if (i == kPutter && me.at == me.mine) {
          me.at = 0;
          me.pc = kCount;
        }
        return;
      case kAbortOther:
        move.what = "CAS another's active -> aborted";
        Cas(t.status[0], kActive, kAborted);
        me.pc = kLook;
        return;
      case kStamp:
        move.what = "CAS an intent's commit: reference -> t or aborted";
        r.commit = TimeOf(s, r);
        me.pc = kLook;
        return;
      case kToCommitting:
        move.what = "CAS active -> committing (commit-3)";
        me.pc = Cas(t.status[0], kActive, kCommitting) ? kOwnTime : kWalk;
        return;
      default:
        return Walk(s, t, i, move);
    }
  }

  // commit-5.
  void Walk(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kWalk:
        move.what = "stamps its intent (commit-5)";
        me.mine = kIntent;
        me.at = 0;
        if (s.record[kIntent].block.state == Block::kFree) {
          move.wrong = "M1: an intent is touched that was given back";
        }
        if (IsReference(s.record[kIntent].commit)) {
          t.record[kIntent].commit = s.status[0];
        }
        me.pc = s.status[0] == kAborted ? kFind : kPrune;
        return;
      case kFind:
        move.what = "looks for its intent (commit-5)";
        if (s.slot[me.place] == kDeadSlot && me.place + 1 < kSlots) {
          ++me.place;
        } else if (s.slot[me.place] == kIntent) {
          me.at = kIntent;
          me.pc = kUnlink;
        } else {
          me.pc = kRetireOwn;
        }
        return;
      case kRetireOwn:
        move.what = "retires its record";
        RetireRecord(t, kIntent, move);
        me.pc = kOver;
        return;
      default:
        move.what = "retires the transaction block (commit-5)";
        t.over = 1;
        return Finish(t, i, move);
    }
  }

  void Unlink(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    me.note = me.at;
    if (s.slot[me.place] == me.at) {
      const U8 below = Prev(s, me.at);
      t.slot[me.place] = below != 0 ? below : kDeadSlot;
      me.pc = kRetireUnlinked;
      return;
    }
    me.pc = i == kOwner ? (me.at == me.mine ? kFind : kCheck) : kHead;
    me.at = me.note = 0;
  }

  void Install(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    move.what = "CAS slot h -> its record";
    const U8 n = i == kOwner ? kIntent : FirstFree(s.record);
    if (s.slot[me.place] != me.at) {
      me.at = 0;
      me.pc = i == kOwner ? kCheck : kHead;
      return;
    }
    if (n == 0) {
      move.wrong = "the model has too few records";
      return;
    }
    Record& r = t.record[n];
    const U8 change = static_cast<U8>(i == kOwner ? kOwnersChange : kFirstPut + me.op);
    if (i == kPutter) {
      r = {{Block::kUsed, 0}, 0, 0, 0, change};
      me.mine = me.made = n;
    }
    r.prev = me.at;
    r.mask = (me.at != 0 ? s.record[me.at].mask : s.removed) | Bit(change);
    t.slot[me.place] = n;
    me.note = i == kPutter ? me.at : 0;
    me.at = i == kPutter ? n : 0;
    me.pc = i == kPutter ? kResolveTime : kToCommitting;
  }

  // The reader has found the record, or none.
  void Found(const State& s, State& t, U8 record, Move& move) const {
    U8 newest = kChanges;
    for (U8 change = 0; change < kChanges; ++change) {
      const U8 time = s.time[change];
      if (time != 0 && time <= s.snapshot && (newest == kChanges || time > s.time[newest])) {
        newest = change;
      }
    }
    const bool absent = newest == kChanges || Deletes(newest);
    if (record == 0 ? !absent : s.record[record].change != newest) {
      move.wrong = "M5: a reader found another version";
    }
    ++t.reads;
    Finish(t, kReader, move);
  }

  static bool Needed(const State& s, U8 from, U8 until) {
    return s.snapshot != 0 && from <= s.snapshot && s.snapshot < until;
  }

  void PruneStep(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const U8 prev = s.record[me.mine].prev;
    switch (me.pc) {
      case kPrune:
        move.what = "prunes: reads prev";
        me.at = prev;
        me.pc = kFreeze;
        if (prev == 0 || (prev & kFrozenPrev) != 0) {
          me.at = 0;
          me.pc = kPruned;
        } else if (Needed(s, s.record[prev].commit, s.record[me.mine].commit)) {
          me.at = 0;
          me.pc = kMarkLeft;
          if (Moves(i)) {
            Finish(t, i, move);
          }
        }
        return;
      case kFreeze:
        move.what = "notes the version that it drops, sets the frozen bit in it";
        me.note = me.at;
        me.below = Prev(s, me.at);
        t.record[me.at].prev |= kFrozenPrev;
        me.pc = kDrop;
        return;
      case kDrop:
        move.what = "CAS prev o -> o.prev";
        me.pc = Cas(t.record[me.mine].prev, me.at, me.below) ? kRetireOld : kPrune;
        me.at = me.below = 0;
        return;
      case kRetireOld:
        move.what = "retires the version that it dropped";
        RetireRecord(t, me.note, move);
        me.note = 0;
        me.pc = kPrune;
        return;
      case kPruned:
        move.what = "reads prev again";
        return Pruned(s, t, i, move);
      default:
        return RemoveStep(s, t, i, move);
    }
  }

  // A tombstone with nothing below is taken away, or the key is marked.
  void RemoveStep(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kRemove:
        move.what = "CAS slot tombstone -> dead";
        me.note = me.mine;
        if (s.slot[me.place] == me.mine) {
          t.slot[me.place] = kDeadSlot;
          t.removed = s.record[me.mine].mask;
          me.pc = kRetireRemoved;
        } else {
          me.note = 0;
          me.pc = i == kSweeper ? kMarkLeft : kRemoveLook;
        }
        return;
      case kRemoveLook: {
        move.what = "looks for its tombstone";
        const U8 word = s.slot[me.place];
        if (word == kDeadSlot) {
          ++me.place;
          return;
        }
        if (word == me.mine) {
          me.pc = kRemove;
        } else if (word != 0 && s.record[word].commit == s.record[me.mine].commit &&
                   !options_.moved_is_another) {
          me.pc = kMarkLeft;
        } else {
          End(t, i, move);
        }
        return;
      }
      case kRetireRemoved:
        move.what = "retires the tombstone";
        RetireRecord(t, me.mine, move);
        me.note = 0;
        return End(t, i, move);
      default:
        move.what = "marks what is left";
        t.mark = 1;
        return End(t, i, move);
    }
  }

  void Pruned(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const Record& r = s.record[me.mine];
    if (Moves(i)) {
      me.pc = kCopy;
      if (r.prev != 0) {
        Finish(t, i, move);
      }
    } else if (!IsTombstone(r)) {
      End(t, i, move);
    } else {
      me.pc = r.prev != 0 ? kMarkLeft : kRemove;
    }
  }

  // Of a put, a sweep, or commit-5 of one record.
  void End(State& t, int i, Move& move) const {
    if (i == kOwner) {
      t.actor[i].pc = kOver;
    } else {
      Finish(t, i, move);
    }
  }

  void MoveStep(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kCopy: {
        move.what = "notes the record, makes and notes a copy (move-2)";
        const U8 copy = FirstFree(s.record);
        if (copy == 0) {
          move.wrong = "the model has too few records";
          return;
        }
        t.record[copy] = s.record[me.mine];
        t.record[copy].block = {Block::kUsed, 0};
        t.record[copy].prev = options_.copies_prev ? s.record[me.mine].prev : 0;
        if (options_.new_time) {
          t.record[copy].commit = ++t.clock;
        }
        me.note = options_.no_note ? 0 : me.mine;
        me.made = copy;
        me.pc = options_.retires_first ? kMoved : kMove;
        return;
      }
      case kMove:
        move.what = "CAS slot record -> copy (move-3)";
        me.seen = Cas(t.slot[me.place], me.mine, me.made) ? 1 : 0;
        me.pc = kMoved;
        if (options_.retires_first) {
          Finish(t, i, move);
        }
        return;
      default:
        move.what = "retires the record, or the copy if the CAS was lost (move-4)";
        if (options_.retires_first) {
          RetireRecord(t, me.mine, move);
          me.pc = kMove;
          return;
        }
        RetireRecord(t, me.seen != 0 ? me.mine : me.made, move);
        return Finish(t, i, move);
    }
  }

  void Recover(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kRecoverNote:
      case kRecoverMade: {
        const bool made = me.pc == kRecoverMade;
        move.what = "recovery retires a noted record that cannot be reached";
        const U8 note = made ? me.made : me.note;
        if (note != 0 && !IsReachable(s, note)) {
          RetireRecord(t, note, move);
        }
        if (made) {
          me.pc = i == kOwner ? kRecoverOp : kDone;
          if (i != kOwner) {
            Finish(t, i, move);
          }
          return;
        }
        me.pc = i == kPutter ? kRecoverOp : kRecoverMade;
        if (i == kSweeper) {
          t.mark = 1;
        }
        return;
      }
      default:
        return RecoverOp(s, t, i, move);
    }
  }

  void RecoverOp(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    if (i == kOwner) {
      move.what = "recovery decides";
      Cas(t.status[0], kActive, kAborted);
      me.note = me.made = 0;
      me.pc = s.status[0] == kCommitting ? kOwnTime : kWalk;
      return;
    }
    me.pc = kRecoverMade;
    if (me.made == 0) {
      move.what = "recovery sees that nothing was made";
      return;
    }
    move.what = "recovery resolves what was made, counts, and marks";
    Record& r = t.record[me.made];
    const bool reachable = IsReachable(s, me.made);
    if (reachable && r.commit == 0) {
      r.commit = ++t.clock;
      SetTime(t, r.change, r.commit, move);
    }
    t.counted |= r.commit != 0 ? Bit(r.change) : 0;
    if (reachable || (r.commit != 0 && !options_.unreachable_is_over)) {
      t.mark = 1;
    }
  }

  void Finish(State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    U8 op = me.op + 1;
    bool again = i == kPutter && op < 2 && options_.puts[op] != kNoPut;
    if (i == kReader) {
      again = t.reads < options_.reads;
      t.snapshot = again ? t.snapshot : 0;
    }
    const U8 pinned = me.pinned;
    me = {};
    me.pinned = pinned;
    me.pc = again ? kBegin : kDone;
    me.op = again ? op : 0;
    Unpin(t, i, move);
  }

  Options options_;
};

constexpr Limits kProgress = {.check_progress = true};

// Which of owner, putter, mover, second mover, sweeper and reader there are.
using Chosen = std::array<bool, kActors>;

constexpr Options With(Chosen with, std::array<PutKind, 2> puts) {
  return {.with = with, .puts = puts};
}

constexpr Options Killed(Options o, Chosen killed, U8 kills) {
  o.killed = killed;
  o.kills = kills;
  return o;
}

TEST(MoveModelTest, ReadersAtASnapshotFindTheVersionOfThatTime) {
  Options o = With({0, 1, 1, 0, 0, 1}, {kPut, kDelete});
  o.reads = 2;
  ExpectHolds(MoveModel(o), "moves, reader", kProgress);
  o = With({0, 1, 1, 1, 0, 1}, {kPut});
  ExpectHolds(MoveModel(o), "moves, two movers, reader", kProgress);
  o = Killed(With({1, 0, 1, 0, 0, 1}, {}), {1, 0, 1, 0, 0, 0}, 1);
  ExpectHolds(MoveModel(o), "moves, transaction, reader", kProgress);
}

TEST(MoveModelTest, NoWriteIsLostAndNoRecordLeaksWhenOneIsKilled) {
  Options o = Killed(With({0, 1, 1, 1, 0, 0}, {kDelete}), {0, 1, 1, 0, 0, 0}, 2);
  ExpectHolds(MoveModel(o), "moves, two movers", kProgress);
  o = Killed(With({0, 1, 1, 0, 0, 0}, {kPut, kDelete}), {0, 1, 1, 0, 0, 0}, 2);
  o.below = 1;
  ExpectHolds(MoveModel(o), "moves, two puts", kProgress);
  o = Killed(With({0, 1, 1, 0, 1, 0}, {kDelete}), {0, 1, 1, 0, 1, 0}, 1);
  ExpectHolds(MoveModel(o), "moves, sweep", kProgress);
}

TEST(MoveModelTest, ATransactionBesideAMoveIsCommittedOrNot) {
  Options o = Killed(With({1, 1, 1, 0, 0, 0}, {kPut}), {1, 0, 1, 0, 0, 0}, 1);
  ExpectHolds(MoveModel(o), "moves, transaction", kProgress);
  o.deletes = true;
  ExpectHolds(MoveModel(o), "moves, transaction that deletes", kProgress);
}

TEST(MoveModelTest, ACopyThatHasTheVersionsBelowIsCaught) {
  Options o = With({0, 1, 1, 0, 1, 0}, {kPut});
  o.below = 1;
  o.copies_prev = true;
  ExpectCaught(MoveModel(o), "moves, weakened: prev is copied");
}

TEST(MoveModelTest, MovingAnUndecidedRecordIsCaught) {
  Options o = With({0, 1, 1, 0, 0, 1}, {kPut});
  o.moves_undecided = true;
  ExpectCaught(MoveModel(o), "moves, weakened: undecided");
}

TEST(MoveModelTest, MovingAnIntentIsCaught) {
  Options o = With({1, 0, 1, 0, 0, 0}, {});
  o.moves_intents = true;
  ExpectCaught(MoveModel(o), "moves, weakened: intents");
}

TEST(MoveModelTest, ACopyWithANewTimeIsCaught) {
  Options o = With({0, 0, 1, 0, 0, 1}, {});
  o.new_time = true;
  ExpectCaught(MoveModel(o), "moves, weakened: a new time");
}

TEST(MoveModelTest, RetiringBeforeTheSwapIsCaught) {
  Options o = With({0, 1, 1, 0, 0, 0}, {kPut});
  o.retires_first = true;
  ExpectCaught(MoveModel(o), "moves, weakened: retired first");
}

TEST(MoveModelTest, AMoveWithoutANoteOfTheRecordIsCaught) {
  Options o = Killed(With({0, 1, 1, 0, 0, 0}, {kPut}), {0, 0, 1, 0, 0, 0}, 1);
  o.no_note = true;
  ExpectCaught(MoveModel(o), "moves, weakened: not noted");
}

TEST(MoveModelTest, ADeleteThatTakesAMovedTombstoneForAnothersIsCaught) {
  Options o = With({0, 1, 1, 0, 0, 0}, {kDelete});
  o.moved_is_another = true;
  ExpectCaught(MoveModel(o), "moves, weakened: a moved tombstone is left");
}

TEST(MoveModelTest, RecoveryThatDoesNotMarkWhatWasMovedIsCaught) {
  Options o = Killed(With({0, 1, 1, 0, 0, 0}, {kDelete}), {0, 1, 0, 0, 0, 0}, 1);
  o.unreachable_is_over = true;
  ExpectCaught(MoveModel(o), "moves, weakened: moved records not marked by recovery");
}

}  // namespace
}  // namespace commy::model
