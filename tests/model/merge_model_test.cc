// Merging two segments into one, by any number of helpers, while others write in both, replace one
// of them, split the result, or halve the directory; with posts that come too late.
//
// WORDS    root: the directory that counts; directory: 1, 2 or 4 entries, each a segment; pending
//          0 | descriptor {kind, old, old_1, new0, new1, new2}; segment: of a half of the keys, or
//          of all; slots in claimed order, each 0 | {key, value} with a closed and a frozen bit
// STEPS    scan     root, entry, slot after slot: frozen -> help; the key -> CAS it; first empty ->
//                   CAS 0 -> {key, value}, a loser reads the slot again; closed: go on
//          post     a segment, and the one beside it, read one after the other; note descriptor;
//                   reshape-1 CAS pending 0 -> D, new segments are zero; a loser helps
//          help     D = pending; is it in place? a merge: the first entry names old, new0 or new1,
//                   and then the last one names old_1; others: the word that names old does
//                   does pending still name D? not in place: reshape-5
//                   reshape-2 frozen bit into every slot of both old ones; do both fit into one?
//                   reshape-3 CAS slot 0 -> word: of both into new0, or into new1 and new2
//                   reshape-4 CAS entry old -> new, those of old and then those of old_1
//                   reshape-5 CAS pending D -> 0
//          halve    reshape-3 CAS entry' 0 -> entry of each two, if these are the same
//                   reshape-4 CAS root old -> new
//          retire   reshape-6, by the poster or its recoverer: of old and new segments those that
//                   neither an entry names nor a merge that is pending now; D
// HOLDS    I1 at any moment the directory leads to each acknowledged key exactly once, with its
//             last value; and so does a walk, which skips what an entry in front of it owns
//          I2 a reader returns a value that the key had while it was reading
//          I3 no block is given back that a process may still touch, or that the directory names
//          I4 when all is quiet: pending 0, no descriptor, only segments that the directory names
//          I5 from each state the end can be reached, whichever process was killed
//          I6 all that help with one merge decide alike   I7 no late helper sees damage
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/recovery.h"
#include "model/lib/slots.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kSegments = 13;    // Names 1..12.
constexpr int kDescriptors = 5;  // Names 1..4.
constexpr int kDirectories = 4;  // Names 1..3, none of which is used again.
constexpr int kEntriesMax = 4;
constexpr int kSlots = 2;
constexpr int kProcesses = 4;
constexpr int kRecoverer = 3;  // Processes before this one work, this one recovers.

// kReplace posts at once: a split of a segment that has all keys, or else a rebuild.
enum OpKind : U8 { kNone, kGet, kPut, kDelete, kMerge, kReplace, kHalve };
using Op = Operation<OpKind>;

enum Change : U8 { kMerges = 1, kSplits, kRebuilds, kHalves };

struct Options {
  U8 entries = 2;
  U8 slots = kSlots;
  int kills = 1;
  bool halves = false;  // Some operation is kHalve.
  bool merged = false;  // At the start there is one segment of all keys.
  U8 initial[2][kSlots] = {{0, 0},
                           {0, 0}};  // Keys of the low one and the high one; their value is 1.
  Op ops[kRecoverer][3] = {};
  bool upper_not_frozen = false;
  bool fill_before_freeze = false;
  bool first_entry_only = false;      // In place: the first entry names old.
  bool upper_entries_first = false;   // reshape-4: old_1's before old's.
  bool upper_retired_anyway = false;  // reshape-6: old_1, though it may be reachable.
  bool decided_by_poster = false;     // Both fit, since the poster has counted.
  bool pending_unlooked = false;  // reshape-6: also a segment that the pending descriptor names.
  bool halved_is_damage = false;  // A helper that finds the directory halved reports damage.
};

enum Pc : U8 {
  kIdle,
  kFindDirectory,
  kFindSegment,
  kFindOther,
  kScan,
  kSwap,
  kPost,
  kPending,
  kCheckDirectory,
  kCheckFirst,
  kCheckLast,
  kStill,
  kFreeze,
  kBuild,
  kEntriesOf,
  kEntry,
  kClear,
  kRetire,
  kRetireUnnamed,
  kRetireD,
  kUnpin,
  kRecoverUnpin
};

constexpr int Half(U8 key) {
  return key == 2 ? 1 : 0;
}
// Of `count` entries, the one that leads to a key.
constexpr int EntryOf(U8 key, int count) {
  const int of_four = key == 2 ? 3 : (key == 3 ? 1 : 0);
  return of_four * count / kEntriesMax;
}

class MergeModel {
 public:
  struct Segment {
    Block block;
    U8 whole, half;  // Whether it has all keys; else of which half.
    U8 slot[kSlots];
  };
  struct Descriptor {
    Block block;
    U8 kind, old[2], fresh[3];
    U8 decided;  // What the first helper decided, plus one; not in the file.
  };
  struct Directory {
    U8 count, entry[kEntriesMax];
  };
  struct Process {
    U8 pc, op, dir, seg, other, at, expected, seen, d, posted, in_place, fits, note_d, pinned, life;
  };
  struct State {
    U8 root, pending, kills, truth[4];
    Directory dir[kDirectories];
    Segment seg[kSegments];
    Descriptor desc[kDescriptors];
    Process process[kProcesses];
  };

  explicit MergeModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.root = 1;
    s.kills = static_cast<U8>(options_.kills);
    s.dir[1].count = options_.entries;
    for (U8 half = 0; half < 2; ++half) {
      const U8 name = options_.merged ? 1 : half + 1;
      s.seg[name].block.state = Block::kUsed;
      s.seg[name].whole = options_.merged ? 1 : 0;
      s.seg[name].half = options_.merged ? 0 : half;
      for (int i = 0; i < kSlots; ++i) {
        const U8 key = options_.initial[half][i];
        if (key != 0) {
          s.seg[name].slot[i] = Pack(key, 1);
          s.truth[key] = 1;
        }
      }
      for (int i = 0; i < options_.entries / 2; ++i) {
        s.dir[1].entry[half * (options_.entries / 2) + i] = name;
      }
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < kProcesses; ++p) {
      if (s.process[p].life != kAlive) {
        continue;
      }
      if (p == kRecoverer && s.process[p].pc == kIdle) {
        StartRecovery(s, emit);
        continue;
      }
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        Step(s, t, p, move);
        Settle(t, p);
      });
      if (p == kRecoverer || s.kills == 0 || s.process[p].pc == kIdle) {
        continue;
      }
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        --t.kills;
        t.process[p] = Killed(s.process[p]);
        t.process[p].posted = s.process[p].posted;
        move.what = "is killed";
      });
    }
  }

  const char* Check(const State& s) const {
    const Directory& dir = s.dir[s.root];
    for (U8 key = 1; key <= 3; ++key) {
      const Found found = Find(s.seg[dir.entry[EntryOf(key, dir.count)]].slot, key);
      if (found.count > 1) {
        return "I1: a key is there twice";
      }
      if (found.value != s.truth[key]) {
        return "I1: a change is lost, or an old value is back";
      }
      // A walk takes the upper keys of a segment at the first entry, if it has all keys.
      const Segment& first = s.seg[dir.entry[0]];
      if (Half(key) == 1 && first.whole != 0) {
        const Found walked = Find(first.slot, key);
        if (walked.count > 1 || walked.value != s.truth[key]) {
          return "I1: a walk finds another value, or a key twice";
        }
      }
    }
    for (int i = 0; i < dir.count; ++i) {
      if (s.seg[dir.entry[i]].block.state != Block::kUsed) {
        return "I3: a segment in the directory is retired";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    if (s.pending != 0) {
      return "I4: the pending word was left behind";
    }
    for (U8 i = 1; i < kSegments; ++i) {
      if (IsNamed(s, i) != (s.seg[i].block.state == Block::kUsed)) {
        return "I4: a segment leaked";
      }
    }
    for (const Descriptor& d : s.desc) {
      if (d.block.state != Block::kFree) {
        return "I4: a descriptor leaked";
      }
    }
    return nullptr;
  }

 private:
  Op OpOf(const State& s, int p) const {
    return p == kRecoverer || s.process[p].op >= 3 ? Op{} : options_.ops[p][s.process[p].op];
  }

  // Whether an entry of the directory that counts names it.
  static bool IsNamed(const State& s, U8 seg) {
    const Directory& dir = s.dir[s.root];
    for (int i = 0; i < dir.count; ++i) {
      if (dir.entry[i] == seg) {
        return true;
      }
    }
    return false;
  }

  // Takes a pin down and gives back the blocks that waited for it alone.
  static void Unpin(State& t, int p, Move& move) {
    t.process[p].pinned = 0;
    const U8 pinned = PinnedMask(t.process);
    Collect(t.seg, pinned, [&](U8 i) {
      if (MayTouchSegment(t, i)) {
        move.wrong = "I3: a segment is given back that a process works on";
      }
      if (IsNamed(t, i)) {
        move.wrong = "I3: a segment in the directory is given back";
      }
      t.seg[i] = Segment{};
    });
    Collect(t.desc, pinned, [&](U8 i) {
      for (const Process& other : t.process) {
        if (other.life == kAlive && other.pc >= kCheckDirectory && other.pc <= kClear &&
            other.d == i) {
          move.wrong = "I3: a descriptor is given back that a process uses";
        }
      }
      if (t.pending == i) {
        move.wrong = "I3: the descriptor in the pending word is given back";
      }
      t.desc[i] = Descriptor{};
    });
  }

  static bool MayTouchSegment(const State& s, U8 seg) {
    for (const Process& p : s.process) {
      if (p.life != kAlive) {
        continue;
      }
      if ((p.pc == kScan || p.pc == kSwap) && p.seg == seg) {
        return true;
      }
      if (p.pc < kFreeze || p.pc > kEntry || p.d == 0 || s.desc[p.d].kind == kHalves) {
        continue;
      }
      const Descriptor& d = s.desc[p.d];
      if (d.old[0] == seg || d.old[1] == seg || d.fresh[0] == seg || d.fresh[1] == seg ||
          d.fresh[2] == seg) {
        return true;
      }
    }
    return false;
  }

  // A reader may return each value that its key has had since the reader began.
  void SetTruth(State& t, U8 key, U8 value) const {
    t.truth[key] = value;
    for (int p = 0; p < kRecoverer; ++p) {
      if (t.process[p].seen != 0 && OpOf(t, p).key == key) {
        t.process[p].seen |= Bit(value);
      }
    }
  }

  static void Forget(Process& me) {
    me.dir = me.seg = me.other = me.at = me.expected = 0;
    me.d = me.posted = me.in_place = me.fits = 0;
  }

  static void Done(Process& me, Move& move, bool right) {
    Forget(me);
    me.pc = kUnpin;
    if (!right) {
      move.wrong = "I2: a reader returns a value that the key never had meanwhile";
    }
  }

  template <typename Emit>
  void StartRecovery(const State& s, Emit&& emit) const {
    for (U8 dead = 0; dead < kRecoverer; ++dead) {
      if (s.process[dead].life != kKilled) {
        continue;
      }
      State t = s;
      Process& me = t.process[kRecoverer];
      me.pinned = 1;
      me.op = dead;
      me.d = s.process[dead].note_d;
      me.posted = 1;
      t.process[dead].posted = 0;
      me.pc = me.d == 0 ? kRecoverUnpin : (s.pending == me.d ? kCheckDirectory : kRetire);
      emit(t, Move{kRecoverer, "pins and begins to recover the dead"});
    }
  }

  // Where the directory never changes, to read which one it is is no step of its own.
  void Settle(State& t, int p) const {
    const Process& me = t.process[p];
    while (!options_.halves &&
           (me.pc == kFindDirectory || me.pc == kCheckDirectory || me.pc == kEntriesOf)) {
      const State s = t;
      Move also;
      Step(s, t, p, also);
    }
  }

  void Step(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Op op = OpOf(s, p);
    const Directory& dir = s.dir[me.dir];
    switch (me.pc) {
      case kIdle:
        if (op.kind == kNone) {
          return;
        }
        me.pinned = 1;
        me.pc = kFindDirectory;
        me.seen = op.kind == kPut ? 0 : Bit(s.truth[op.key]);
        move.what = "pins and begins an operation";
        return;
      case kFindDirectory:
        move.what = "reads the root's directory";
        Forget(me);
        me.dir = s.root;
        me.pc = kFindSegment;
        if (op.kind == kHalve) {
          if (s.dir[s.root].count < 2 || !Prepare(s, t, p, kHalves)) {
            Done(me, move, true);
          }
        }
        return;
      case kFindSegment:
        move.what = "reads an entry";
        me.seg = dir.entry[EntryOf(op.key, dir.count)];
        me.pc = op.kind == kMerge ? kFindOther : kScan;
        if (op.kind == kReplace) {
          Replace(s, t, p, move);
        }
        return;
      case kFindOther:
        move.what = "reads the entry beside it, notes and builds a descriptor and targets";
        me.other = dir.count < 2 ? me.seg : dir.entry[Half(op.key) == 0 ? dir.count / 2 : 0];
        if (s.pending != 0 || me.other == me.seg || s.seg[me.seg].whole != 0 ||
            s.seg[me.other].whole != 0 || !Prepare(s, t, p, kMerges)) {
          Done(me, move, true);
        }
        return;
      case kScan:
        return Scan(s, t, p, op, move);
      case kSwap:
        return Swap(s, t, p, op, move);
      case kPost:
        return Post(s, t, p, move);
      case kUnpin:
        ++me.op;
        me.pc = kIdle;
        me.seen = 0;
        Unpin(t, p, move);
        move.what = "acknowledges and unpins";
        return;
      case kRecoverUnpin: {
        const U8 dead = me.op;
        t.process[dead].note_d = 0;
        Unpin(t, dead, move);
        t.process[dead].life = kRecovered;
        Forget(me);
        me.op = 0;
        me.pc = kIdle;
        Unpin(t, p, move);
        move.what = "clears the dead lane's notes and pin, frees the lane";
        return;
      }
      default:
        Help(s, t, p, move);
        return;
    }
  }

  // The segment is full, or shall be replaced.
  void Replace(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const bool whole = s.seg[me.seg].whole != 0;
    if ((whole && s.dir[me.dir].count < 2) || !Prepare(s, t, p, whole ? kSplits : kRebuilds)) {
      Done(me, move, true);  // Full: the operation ends with an error.
    }
  }

  void Scan(const State& s, State& t, int p, const Op& op, Move& move) const {
    Process& me = t.process[p];
    move.what = "reads a slot";
    const bool end = me.at == options_.slots;
    const U8 word = end ? 0 : s.seg[me.seg].slot[me.at];
    const bool read_only = op.kind == kGet;
    if (!end && (word & kFrozen) != 0 && !read_only) {
      me.pc = kPending;
      return;
    }
    const U8 plain = Thawed(word);
    if (!end && plain != 0) {
      if (plain != kDead && KeyOf(plain) == op.key) {
        if (read_only) {
          return Done(me, move, (me.seen & Bit(ValueOf(plain))) != 0);
        }
        me.expected = word;
        me.pc = kSwap;
        return;
      }
      me.expected |= plain == kDead ? 1 : 0;  // Seen on the way; for a segment that is full.
      ++me.at;
      return;
    }
    // An empty slot, or the end of the bucket: the key is not there.
    if (op.kind != kPut) {
      return Done(me, move, (me.seen & 1U) != 0);
    }
    const bool closed = me.expected != 0;
    me.expected = 0;
    if (!end) {
      me.pc = kSwap;
    } else if (s.seg[me.seg].whole != 0 || closed) {
      move.what = "finds the bucket full, notes and builds a descriptor and zeroed segments";
      Replace(s, t, p, move);
    } else {
      Done(me, move, true);
    }
  }

  void Swap(const State& s, State& t, int p, const Op& op, Move& move) const {
    Process& me = t.process[p];
    move.what = "loses the slot CAS and reads the slot again";
    me.pc = kScan;
    const U8 expected = me.expected;
    me.expected = 0;
    if (s.seg[me.seg].slot[me.at] != expected) {
      me.at = 0;
      return;
    }
    move.what =
        op.kind == kPut ? (expected == 0 ? "CAS: inserts" : "CAS: overwrites") : "CAS: deletes";
    t.seg[me.seg].slot[me.at] = op.kind == kPut ? Pack(op.key, op.value) : kDead;
    SetTruth(t, op.key, op.kind == kPut ? op.value : 0);
    Done(me, move, true);
  }

  // Notes and builds a descriptor and its targets. False: there is no room.
  bool Prepare(const State& s, State& t, int p, Change kind) const {
    Process& me = t.process[p];
    const U8 d = FirstFree(s.desc);
    if (d == 0) {
      return false;
    }
    Descriptor made{{Block::kUsed, 0}, kind, {me.seg, 0}, {0, 0, 0}, 0};
    const U8 half = s.seg[me.seg].half;
    if (kind == kHalves) {
      U8 next = s.root;
      while (next < kDirectories && s.dir[next].count != 0) {
        ++next;
      }
      if (next == kDirectories) {
        return false;
      }
      made.old[0] = me.dir;
      made.fresh[0] = next;
      t.dir[next] = {static_cast<U8>(s.dir[me.dir].count / 2), {}};
    } else {
      if (kind == kMerges) {
        made.old[half] = me.seg;
        made.old[1 - half] = me.other;
      }
      const int count = kind == kMerges ? 3 : (kind == kSplits ? 2 : 1);
      for (int i = 0; i < count; ++i) {
        const U8 fresh = FirstFree(t.seg);
        if (fresh == 0) {
          t = s;
          return false;
        }
        made.fresh[i] = fresh;
        t.seg[fresh] = Segment{{Block::kUsed, 0}, 0, 0, {0, 0}};
        t.seg[fresh].whole =
            kind == kMerges && i == 0 ? 1 : (kind == kRebuilds ? s.seg[me.seg].whole : 0);
        t.seg[fresh].half = kind == kRebuilds ? half : (kind == kSplits ? i : (i == 2 ? 1 : 0));
      }
    }
    t.desc[d] = made;
    Forget(me);
    me.d = me.note_d = d;
    me.pc = kPost;
    return true;
  }

  static void Post(const State& s, State& t, int p, Move& move) {
    Process& me = t.process[p];
    if (s.pending == 0) {
      t.pending = me.d;
      me.posted = 1;
      me.pc = kCheckDirectory;
      move.what = "posts: CAS pending 0 -> D (reshape-1)";
      return;
    }
    if (s.desc[me.d].kind != kHalves) {
      for (const U8 fresh : s.desc[me.d].fresh) {
        t.seg[fresh] = Segment{};
      }
    } else {
      t.dir[s.desc[me.d].fresh[0]] = {};
    }
    t.desc[me.d] = Descriptor{};
    me.note_d = 0;
    Forget(me);
    me.pc = kPending;
    move.what = "finds the pending word taken, gives its own back, and helps";
  }

  void Help(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    const Directory& dir = s.dir[me.dir];
    switch (me.pc) {
      case kPending:
        move.what = "reads the pending word";
        Forget(me);
        me.d = s.pending;
        me.pc = me.d == 0 ? kFindDirectory : kCheckDirectory;
        return;
      case kCheckDirectory:
        move.what = "reads the root's directory, to see whether D is in place";
        me.at = me.in_place = 0;
        me.dir = s.root;
        me.pc = kCheckFirst;
        if (d.kind == kHalves || (d.kind == kMerges && s.dir[s.root].count < 2)) {
          me.in_place = d.kind == kHalves && s.root == d.old[0] ? 1 : 0;
          me.dir = 0;
          me.pc = kStill;
        }
        return;
      case kCheckFirst:
        CheckFirst(s, t, p, move);
        return;
      case kCheckLast:
        move.what = "looks at the last entry of old_1";
        me.in_place &= dir.entry[dir.count - 1] == d.old[1] ? 1 : 0;
        me.dir = 0;
        me.pc = kStill;
        return;
      case kStill:
        return Still(s, t, p, move);
      case kFreeze:
        return Freeze(s, t, p, move);
      case kBuild:
        return Build(s, t, p, move);
      case kEntriesOf:
        move.what = "reads the root's directory, to change its entries";
        me.dir = s.root;
        me.at = 0;
        me.pc = kEntry;
        if (s.dir[s.root].count < 2 && s.seg[d.old[0]].whole == 0) {
          me.dir = 0;
          me.pc = kClear;
          if (options_.halved_is_damage) {
            move.wrong = "I7: a late helper takes a directory that was halved for a damaged one";
          }
        }
        return;
      case kEntry:
        return ChangeEntry(s, t, p, move);
      case kClear:
        move.what = "clears the pending word (reshape-5)";
        Cas(t.pending, me.d, 0);
        me.at = me.fits = me.in_place = 0;
        me.pc = me.posted != 0 ? kRetire : kFindDirectory;
        if (me.posted == 0) {
          Forget(me);
        }
        return;
      default:
        RetireStep(s, t, p, move);
        return;
    }
  }

  void CheckFirst(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    const Directory& dir = s.dir[me.dir];
    if (d.kind == kMerges) {
      move.what = "looks at the first entry of old";
      const U8 first = dir.entry[0];
      const bool target = first == d.fresh[0] || first == d.fresh[1];
      me.in_place = first == d.old[0] || (target && !options_.first_entry_only) ? 1 : 0;
      me.pc = options_.first_entry_only ? kStill : kCheckLast;
    } else {
      move.what = "looks whether an entry names old";
      const Segment& old = s.seg[d.old[0]];
      const int count = old.whole != 0 ? dir.count : dir.count / 2;
      const int first = old.whole == 0 && old.half != 0 ? count : 0;
      me.in_place = count != 0 && dir.entry[first + me.at] == d.old[0] ? 1 : 0;
      if (me.in_place != 0 || ++me.at >= count) {
        me.at = 0;
        me.pc = kStill;
      }
    }
    if (me.pc == kStill) {
      me.dir = 0;
    }
  }

  void Still(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    move.what = "looks whether the pending word still names D";
    const bool over = s.pending != me.d;
    me.pc = over ? kClear : (me.in_place != 0 ? kFreeze : kClear);
    if (me.pc == kFreeze && d.kind == kHalves) {
      me.pc = kBuild;
    } else if (me.pc == kFreeze && options_.fill_before_freeze) {
      me.pc = kBuild;
      Decide(s, t, p, move);
    }
    me.in_place = 0;
  }

  // Whether both fit into one. The slots that are counted are frozen, so all of it is one step.
  void Decide(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    if (d.kind != kMerges) {
      return;
    }
    const int live = Live(s, d.old[0]) + Live(s, d.old[1]);
    me.fits = live <= options_.slots || options_.decided_by_poster ? 1 : 0;
    U8& decided = t.desc[me.d].decided;
    if (decided != 0 && decided != me.fits + 1) {
      move.wrong = "I6: two helpers decide differently";
    }
    decided = me.fits + 1;
  }

  int Live(const State& s, U8 seg) const {
    int live = 0;
    for (const U8 word : s.seg[seg].slot) {
      live += Thawed(word) != 0 && Thawed(word) != kDead ? 1 : 0;
    }
    return live;
  }
  int OldSlots(const Descriptor& d) const { return options_.slots * (d.kind == kMerges ? 2 : 1); }

  void Freeze(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    move.what = "freezes a slot (reshape-2)";
    bool changed = false;
    for (; me.at < OldSlots(d); ++me.at) {
      const int side = me.at / options_.slots;
      U8& slot = t.seg[d.old[side]].slot[me.at % options_.slots];
      if ((slot & kFrozen) != 0 || (side == 1 && options_.upper_not_frozen)) {
        continue;  // Nothing changes: no step of its own.
      }
      if (changed) {
        return;
      }
      slot |= kFrozen;
      changed = true;
    }
    me.at = 0;
    me.pc = options_.fill_before_freeze ? kEntriesOf : kBuild;
    if (me.pc == kBuild) {
      Decide(t, t, p, move);
    }
  }

  void Build(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    if (d.kind == kHalves) {
      return BuildHalf(s, t, p, move);
    }
    move.what = "puts a word into a new segment (reshape-3)";
    while (me.at < OldSlots(d) && TargetOf(s, me, me.at) == 0) {
      ++me.at;
    }
    if (me.at < OldSlots(d)) {
      const U8 fresh = TargetOf(s, me, me.at);
      int k = 0;
      for (int before = 0; before < me.at; ++before) {
        k += TargetOf(s, me, before) == fresh ? 1 : 0;
      }
      if (k < options_.slots) {
        Cas(t.seg[fresh].slot[k], 0,
            Thawed(s.seg[d.old[me.at / options_.slots]].slot[me.at % options_.slots]));
      }
    }
    do {
      ++me.at;
    } while (me.at < OldSlots(d) && TargetOf(s, me, me.at) == 0);
    if (me.at < OldSlots(d)) {
      return;
    }
    me.at = 0;
    me.pc = options_.fill_before_freeze ? kFreeze : kEntriesOf;
  }

  // The new segment that an old slot goes to; 0: none.
  U8 TargetOf(const State& s, const Process& me, int at) const {
    const Descriptor& d = s.desc[me.d];
    const int side = at / options_.slots;
    const U8 word = Thawed(s.seg[d.old[side]].slot[at % options_.slots]);
    if (word == 0 || word == kDead) {
      return 0;
    }
    switch (d.kind) {
      case kMerges:
        return me.fits != 0 ? d.fresh[0] : d.fresh[1 + side];
      case kSplits:
        return d.fresh[Half(KeyOf(word))];
      default:
        return d.fresh[0];
    }
  }

  void BuildHalf(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    const Directory& old = s.dir[d.old[0]];
    move.what = "puts an entry into the new directory (reshape-3)";
    for (int i = 0; i < old.count; i += 2) {
      if (old.entry[i] != old.entry[i + 1]) {  // These change only by a reshape.
        move.what = "sees that the directory cannot be halved";
        me.pc = kClear;
        return;
      }
    }
    Cas(t.dir[d.fresh[0]].entry[me.at], 0, old.entry[2 * me.at]);
    if (++me.at == old.count / 2) {
      me.at = 0;
      me.pc = kEntry;
    }
  }

  void ChangeEntry(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    if (d.kind == kHalves) {
      move.what = "CAS root old -> new (reshape-4)";
      Cas(t.root, d.old[0], d.fresh[0]);
      me.pc = kClear;
      return;
    }
    move.what = "CAS entry old -> new (reshape-4)";
    Directory& dir = t.dir[me.dir];
    const int i = options_.upper_entries_first ? dir.count - 1 - me.at : me.at;
    const int side = i < dir.count / 2 ? 0 : 1;
    if (d.kind == kMerges) {
      Cas(dir.entry[i], d.old[side], me.fits != 0 ? d.fresh[0] : d.fresh[1 + side]);
    } else {
      Cas(dir.entry[i], d.old[0], d.fresh[d.kind == kSplits ? side : 0]);
    }
    if (++me.at == dir.count) {
      me.at = me.dir = 0;
      me.pc = kClear;
    }
  }

  void RetireStep(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    if (me.pc != kRetireD && d.kind != kHalves) {
      const U8 blocks[] = {d.old[0], d.old[1], d.fresh[0], d.fresh[1], d.fresh[2]};
      const U8 block = blocks[me.at];
      if (me.pc == kRetire) {
        move.what = "looks whether an entry names a segment (reshape-6)";
        if (!IsNamed(s, block) || (options_.upper_retired_anyway && me.at == 1)) {
          me.pc = kRetireUnnamed;
          return;
        }
      } else {
        move.what = "retires it, unless the pending descriptor names it (reshape-6)";
        const Descriptor& posted = s.desc[s.pending];
        const bool merging = posted.kind == kMerges && !options_.pending_unlooked;
        if (!merging || (posted.old[0] != block && posted.old[1] != block)) {
          Retire(t.seg[block].block, PinnedMask(t.process));
        }
        me.pc = kRetire;
      }
      do {
        ++me.at;
      } while (me.at < 5 && blocks[me.at] == 0);
      if (me.at == 5) {
        me.at = 0;
        me.pc = kRetireD;
      }
      return;
    }
    move.what = "retires the descriptor and clears its note";
    Retire(t.desc[me.d].block, PinnedMask(t.process));
    me.note_d = 0;
    Forget(me);
    const OpKind kind = OpOf(t, p).kind;
    const bool only_that = kind == kMerge || kind == kReplace || kind == kHalve;
    me.pc = p == kRecoverer ? kRecoverUnpin : (only_that ? kUnpin : kFindDirectory);
  }

  Options options_;
};

// Two write in both while a third merges: all fits, unless one of them inserts first.
Options Writers() {
  Options o;
  o.initial[0][0] = 1;
  o.initial[1][0] = 2;
  o.ops[0][0] = {kMerge, 1, 0};
  o.ops[1][0] = {kPut, 2, 2};
  o.ops[1][1] = {kDelete, 1, 0};
  o.ops[2][0] = {kPut, 3, 3};
  return o;
}

// Inserters of one key, beside one that overwrites another.
Options Inserters() {
  Options o;
  o.initial[0][0] = 1;
  o.ops[0][0] = {kMerge, 2, 0};
  o.ops[1][0] = {kPut, 2, 2};
  o.ops[2][0] = {kPut, 2, 3};
  o.ops[2][1] = {kPut, 1, 3};
  return o;
}

// Posts follow one another, and some name a segment that was replaced meanwhile.
Options Posters(Op first, Op second) {
  Options o;
  o.slots = 1;
  o.initial[1][0] = 2;
  o.ops[0][0] = {kMerge, 1, 0};
  o.ops[1][0] = first;
  o.ops[1][1] = second;
  return o;
}

// The entries of each half are more than one.
Options Wide() {
  Options o;
  o.entries = 4;
  o.slots = 1;
  o.initial[1][0] = 2;
  o.ops[0][0] = {kMerge, 1, 0};
  o.ops[1][0] = {kPut, 2, 2};
  o.ops[2][0] = {kDelete, 2, 0};
  return o;
}

// The directory is halved after the merge.
Options Halvers() {
  Options o;
  o.halves = true;
  o.initial[1][0] = 2;
  o.slots = 1;
  o.ops[0][0] = {kMerge, 1, 0};
  o.ops[0][1] = {kHalve, 1, 0};
  o.ops[1][0] = {kPut, 2, 2};
  o.ops[2][0] = {kDelete, 2, 0};
  return o;
}

Options Readers() {
  Options o = Writers();
  o.ops[2][0] = {kGet, 2, 0};
  return o;
}

constexpr Limits kProgress = {.check_progress = true};

// A poster comes to its retiring while the next reshape, of what it has put there, is half done.
Options Retirers() {
  return Posters({kReplace, 1, 0}, {kPut, 2, 2});
}

TEST(MergeModelTest, WritersInBothNeitherLoseNorDoubleAKey) {
  Options o = Writers();
  o.kills = 0;
  ExpectHolds(MergeModel(o), "merge, writers", kProgress);
  ExpectHolds(MergeModel(Inserters()), "merge, inserters", kProgress);
  ExpectHolds(MergeModel(Wide()), "merge, wide", kProgress);
}

TEST(MergeModelTest, ReadersSeeValuesThatTheKeyHadMeanwhile) {
  ExpectHolds(MergeModel(Readers()), "merge, readers", kProgress);
}

TEST(MergeModelTest, LatePostsOfReplacedSegmentsAreHarmless) {
  ExpectHolds(MergeModel(Posters({kMerge, 2, 0}, {kReplace, 1, 0})), "merge, posters", kProgress);
  ExpectHolds(MergeModel(Posters({kReplace, 2, 0}, {kMerge, 2, 0})), "merge, posters", kProgress);
  ExpectHolds(MergeModel(Retirers()), "merge, retirers", kProgress);
  Options o = Posters({kReplace, 1, 0}, {});
  o.ops[2][0] = {kMerge, 2, 0};
  o.kills = 0;
  ExpectHolds(MergeModel(o), "merge, three posters", kProgress);
}

TEST(MergeModelTest, LateHelpersFindTheDirectoryHalved) {
  Options o = Halvers();
  o.kills = 0;
  ExpectHolds(MergeModel(o), "merge, halvers", kProgress);
}

TEST(MergeModelTest, UpperSlotsLeftOpenAreCaught) {
  Options o = Writers();
  o.upper_not_frozen = true;
  ExpectCaught(MergeModel(o), "merge, weakened: upper one not frozen");
}

TEST(MergeModelTest, FillingBeforeAllSlotsAreFrozenIsCaught) {
  Options o = Writers();
  o.fill_before_freeze = true;
  ExpectCaught(MergeModel(o), "merge, weakened: filled before frozen");
}

TEST(MergeModelTest, AHelperThatTakesAHalfDoneMergeForDoneIsCaught) {
  Options o = Wide();
  o.first_entry_only = true;
  ExpectCaught(MergeModel(o), "merge, weakened: only the first entry looked at", kProgress);
}

TEST(MergeModelTest, EntriesOfTheUpperOneChangedFirstAreCaught) {
  Options o = Wide();
  o.upper_entries_first = true;
  ExpectCaught(MergeModel(o), "merge, weakened: upper entries first", kProgress);
}

TEST(MergeModelTest, RetiringTheUpperOneThoughTheReshapeWasIdleIsCaught) {
  Options o = Retirers();
  o.upper_retired_anyway = true;
  ExpectCaught(MergeModel(o), "merge, weakened: upper one retired anyway");
}

TEST(MergeModelTest, RetiringWhatAHalfDoneMergeNamesIsCaught) {
  Options o = Retirers();
  o.pending_unlooked = true;
  ExpectCaught(MergeModel(o), "merge, weakened: pending word not read before retiring");
}

TEST(MergeModelTest, AMergeThatThePosterAloneDecidesIsCaught) {
  Options o = Inserters();
  o.initial[0][1] = 3;
  o.decided_by_poster = true;
  ExpectCaught(MergeModel(o), "merge, weakened: the fallback forgotten");
}

TEST(MergeModelTest, TakingAHalvedDirectoryForDamageIsCaught) {
  Options o = Halvers();
  o.kills = 0;
  o.halved_is_damage = true;
  ExpectCaught(MergeModel(o), "merge, weakened: halved directory taken for damage");
}

}  // namespace
}  // namespace commy::model
