// A hash bucket: insert, overwrite, delete, freeze, and a split whose segments all helpers build.
//
// WORDS    dir[2] segment; pending 0 | descriptor {old, new0, new1}; segment: slots in claimed
//          order,
//          each 0 | {key, value} with a closed bit and a frozen bit
// STEPS    scan     seg = dir[hash]; slot after slot: frozen -> help; the key -> CAS it;
//                   first empty -> CAS 0 -> {key, value}, a loser reads the slot again; closed: go
//                   on
//          post     note descriptor; reshape-1 CAS pending 0 -> D, new segments are zero; a loser
//                   helps
//          help     D = pending; is D.old still in dir? if not, go to reshape-5
//                   reshape-2 frozen bit into every slot of old
//                   reshape-3 CAS new.slot[k] 0 -> word, in order
//                   reshape-4 CAS dir[e] old -> new   reshape-5 CAS pending D -> 0
//          retire   reshape-6, by the poster or its recoverer: old and new segments that dir does
//                   not name, D
// HOLDS    I1 at any moment dir leads to each acknowledged key exactly once, with its last value
//          I2 a reader returns a value that the key had while it was reading
//          I3 no block is given back that a process may still touch
//          I4 when all is quiet: pending 0, no descriptor, and only segments that dir names
//          I5 from each state the end can be reached, whichever process was killed
#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/recovery.h"
#include "model/lib/slots.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kSegments = 10;    // Names 1..9.
constexpr int kDescriptors = 5;  // Names 1..4.
constexpr int kProcesses = 4;
constexpr int kRecoverer = 3;  // Processes before this one work, this one recovers.

// kSplit posts at once: another bucket of the segment is full.
enum OpKind : U8 { kNone, kGet, kPut, kDelete, kSplit };

using Op = Operation<OpKind>;

struct Options {
  int slots = 2;
  int kills = 1;
  U8 initial[2] = {0, 0};  // Keys in the first segment; their value is 1.
  Op ops[kRecoverer][3] = {};
  bool empty_not_frozen = false;
  bool build_before_freeze = false;
  bool plain_store = false;
  bool pending_first = false;
  bool dead_reused = false;
  bool retire_first = false;
  bool no_directory_check = false;
};

enum Pc : U8 {
  kIdle,
  kFindSegment,
  kScan,
  kSwap,
  kPost,
  kPending,
  kCheckDir,
  kFreeze,
  kBuild,
  kEntry,
  kClear,
  kRetireOld,
  kRetireNew0,
  kRetireNew1,
  kRetireD,
  kUnpin,
  kRecoverUnpin
};

constexpr int Side(U8 key) {
  return key == 2 ? 1 : 0;
}

class SplitModel {
 public:
  struct Segment {
    Block block;
    U8 slot[2];
  };
  struct Descriptor {
    Block block;
    U8 old, fresh[2];
  };
  struct Process {
    U8 pc, op, seg, at, expected, dead_at, seen, d, posted, note_d, pinned, life;
  };
  struct State {
    U8 dir[2], pending, kills, truth[4];
    Segment seg[kSegments];
    Descriptor desc[kDescriptors];
    Process process[kProcesses];
  };

  explicit SplitModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.dir[0] = s.dir[1] = 1;
    s.seg[1].block.state = Block::kUsed;
    s.kills = static_cast<U8>(options_.kills);
    for (int i = 0; i < 2; ++i) {
      if (options_.initial[i] == 0) {
        continue;
      }
      s.seg[1].slot[i] = Pack(options_.initial[i], 1);
      s.truth[options_.initial[i]] = 1;
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
      EmitStep(s, p, emit, [&](State& t, Move& move) { Step(s, t, p, move); });
      if (p == kRecoverer || s.kills == 0 || s.process[p].pc == kIdle) {
        continue;
      }
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        --t.kills;
        t.process[p] = Killed(s.process[p]);
        move.what = "is killed";
      });
    }
  }

  const char* Check(const State& s) const {
    for (U8 key = 1; key <= 3; ++key) {
      const Found found = Find(s.seg[s.dir[Side(key)]].slot, key);
      if (found.count > 1) {
        return "I1: a key is there twice";
      }
      if (found.value != s.truth[key]) {
        return "I1: a change is lost, or an old value is back";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    if (s.pending != 0) {
      return "I4: the pending word was left behind";
    }
    for (int i = 1; i < kSegments; ++i) {
      const bool named = s.dir[0] == i || s.dir[1] == i;
      if (!named && s.seg[i].block.state != Block::kFree) {
        return "I4: a segment leaked";
      }
      if (named && s.seg[i].block.state != Block::kUsed) {
        return "I4: dir names a segment that is not in use";
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

  static bool InDir(const State& s, U8 seg) { return s.dir[0] == seg || s.dir[1] == seg; }

  // Takes a pin down and gives back the blocks that waited for it alone.
  static void Unpin(State& t, int p, Move& move) {
    t.process[p].pinned = 0;
    const U8 pinned = PinnedMask(t.process);
    Collect(t.seg, pinned, [&](U8 i) {
      if (MayTouchSegment(t, i)) {
        move.wrong = "I3: a segment is given back that a process works on";
      }
      if (InDir(t, i)) {
        move.wrong = "I3: a segment in the directory is given back";
      }
      t.seg[i] = Segment{};
    });
    Collect(t.desc, pinned, [&](U8 i) {
      if (MayTouchDescriptor(t, i)) {
        move.wrong = "I3: a descriptor is given back that a process uses";
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
      if (p.pc < kFreeze || p.pc > kEntry || p.d == 0) {
        continue;
      }
      const Descriptor& d = s.desc[p.d];
      if (d.old == seg || d.fresh[0] == seg || d.fresh[1] == seg) {
        return true;
      }
    }
    return false;
  }

  static bool MayTouchDescriptor(const State& s, U8 d) {
    for (const Process& p : s.process) {
      if (p.life == kAlive && p.pc >= kCheckDir && p.pc <= kClear && p.d == d) {
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
    me.seg = me.at = me.expected = me.dead_at = me.d = me.posted = 0;
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
      me.pc = me.d == 0 ? kRecoverUnpin : (s.pending == me.d ? kCheckDir : kRetireOld);
      emit(t, Move{kRecoverer, "pins and begins to recover the dead"});
    }
  }

  void Step(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Op op = OpOf(s, p);
    switch (me.pc) {
      case kIdle:
        if (op.kind == kNone) {
          return;
        }
        me.pinned = 1;
        me.pc = kFindSegment;
        me.seen = op.kind == kPut ? 0 : static_cast<U8>(1U << s.truth[op.key]);
        move.what = "pins and begins an operation";
        return;
      case kFindSegment:
        Forget(me);
        me.seg = s.dir[Side(op.key)];
        me.pc = kScan;
        move.what = "reads the directory";
        return;
      case kScan:
        Scan(s, t, p, op, move);
        return;
      case kSwap:
        Swap(s, t, p, op, move);
        return;
      case kPost:
        Post(s, t, p, move);
        return;
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
    if (op.kind == kSplit) {
      Prepare(s, t, p);
      move.what = "notes and builds a descriptor and zeroed segments, to split";
      return;
    }
    const U8 plain = Thawed(word);
    if (!end && plain != 0) {
      if (plain != kDead && KeyOf(plain) == op.key) {
        if (read_only) {
          return Done(me, move, (me.seen & (1U << ValueOf(plain))) != 0);
        }
        me.expected = word;
        me.pc = kSwap;
        return;
      }
      if (plain == kDead && options_.dead_reused && me.dead_at == 0) {
        me.dead_at = me.at + 1;
      }
      ++me.at;
      return;
    }
    // An empty slot, or the end of the bucket: the key is not there.
    if (op.kind != kPut) {
      return Done(me, move, (me.seen & 1U) != 0);
    }
    if (me.dead_at != 0) {
      me.at = me.dead_at - 1;
      me.expected = kDead;
      me.pc = kSwap;
    } else if (!end) {
      me.expected = 0;
      me.pc = kSwap;
    } else {
      Prepare(s, t, p);
      move.what = "finds the bucket full, notes and builds a descriptor and zeroed segments";
    }
  }

  void Swap(const State& s, State& t, int p, const Op& op, Move& move) const {
    Process& me = t.process[p];
    move.what = "loses the slot CAS and reads the slot again";
    me.pc = kScan;
    if (s.seg[me.seg].slot[me.at] != me.expected) {
      return;
    }
    move.what =
        op.kind == kPut ? (me.expected == 0 ? "CAS: inserts" : "CAS: overwrites") : "CAS: deletes";
    t.seg[me.seg].slot[me.at] = op.kind == kPut ? Pack(op.key, op.value) : kDead;
    SetTruth(t, op.key, op.kind == kPut ? op.value : 0);
    Done(me, move, true);
  }

  void Prepare(const State& s, State& t, int p) const {
    Process& me = t.process[p];
    const U8 d = FirstFree(s.desc);
    const bool split = s.dir[0] == me.seg && s.dir[1] == me.seg;
    const U8 first = FirstFree(s.seg);
    const U8 fresh[2] = {first, split ? FirstFree(s.seg, first) : first};
    if (d == 0 || fresh[1] == 0) {  // Full: the operation ends with an error.
      Forget(me);
      me.pc = kUnpin;
      return;
    }
    t.desc[d] = {{Block::kUsed, 0}, me.seg, {fresh[0], fresh[1]}};
    for (const U8 i : fresh) {
      t.seg[i] = Segment{{Block::kUsed, 0}, {0, 0}};
    }
    me.d = me.note_d = d;
    me.at = 0;
    me.pc = kPost;
  }

  static void Post(const State& s, State& t, int p, Move& move) {
    Process& me = t.process[p];
    if (s.pending == 0) {
      t.pending = me.d;
      me.posted = 1;
      me.pc = kCheckDir;
      move.what = "posts: CAS pending 0 -> D (reshape-1)";
      return;
    }
    t.seg[s.desc[me.d].fresh[0]] = Segment{};
    t.seg[s.desc[me.d].fresh[1]] = Segment{};
    t.desc[me.d] = Descriptor{};
    me.note_d = 0;
    Forget(me);
    me.pc = kPending;
    move.what = "finds the pending word taken, gives its own back, and helps";
  }

  void AfterClear(Process& me) const {
    me.at = 0;
    me.pc = me.posted != 0 ? kRetireOld : kFindSegment;
    if (options_.retire_first && me.posted != 0) {
      me.pc = kRetireD;
    }
    if (me.posted == 0) {
      Forget(me);
    }
  }

  void Help(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    switch (me.pc) {
      case kPending:
        Forget(me);
        me.d = s.pending;
        me.pc = me.d == 0 ? kFindSegment : kCheckDir;
        move.what = "reads the pending word";
        return;
      case kCheckDir:
        move.what = "looks whether dir still names old";
        me.at = 0;
        me.pc = InDir(s, d.old) || options_.no_directory_check
                    ? static_cast<U8>(options_.build_before_freeze ? kBuild : kFreeze)
                    : AfterEntries(me);
        return;
      case kFreeze:
        move.what = "freezes a slot (reshape-2)";
        if (!options_.empty_not_frozen || s.seg[d.old].slot[me.at] != 0) {
          t.seg[d.old].slot[me.at] |= kFrozen;
        }
        if (++me.at < options_.slots) {
          return;
        }
        me.at = 0;
        me.pc = options_.build_before_freeze ? kEntry : kBuild;
        if (me.pc == kEntry && options_.pending_first) {
          me.pc = kClear;
        }
        return;
      case kBuild:
        move.what = "puts a word into a new segment (reshape-3)";
        Build(s, t, d, me.at);
        if (++me.at < options_.slots) {
          return;
        }
        me.at = 0;
        me.pc = options_.build_before_freeze ? kFreeze : (options_.pending_first ? kClear : kEntry);
        return;
      case kEntry:
        move.what = "CAS dir old -> new (reshape-4)";
        Cas(t.dir[me.at], d.old, d.fresh[me.at]);
        if (++me.at < 2) {
          return;
        }
        if (options_.pending_first) {
          return AfterClear(me);
        }
        me.at = 0;
        me.pc = AfterEntries(me);
        return;
      case kClear:
        move.what = "clears the pending word (reshape-5)";
        Cas(t.pending, me.d, 0);
        if (options_.pending_first) {
          me.pc = kEntry;
          return;
        }
        if (options_.retire_first && me.posted != 0) {
          EndPost(t, p);
          return;
        }
        return AfterClear(me);
      default:
        RetireStep(s, t, p, move);
        return;
    }
  }

  U8 AfterEntries(const Process& me) const {
    return options_.retire_first && me.posted != 0 ? kRetireOld : kClear;
  }

  void Build(const State& s, State& t, const Descriptor& d, int at) const {
    const U8 word = Thawed(s.seg[d.old].slot[at]);
    if (word == 0 || word == kDead) {
      return;
    }
    const int side = Side(KeyOf(word));
    int k = 0;
    for (int i = 0; i < at; ++i) {
      const U8 before = Thawed(s.seg[d.old].slot[i]);
      if (before == 0 || before == kDead) {
        continue;
      }
      if (d.fresh[Side(KeyOf(before))] == d.fresh[side]) {
        ++k;
      }
    }
    U8& slot = t.seg[d.fresh[side]].slot[k];
    if (slot == 0 || options_.plain_store) {
      slot = word;
    }
  }

  void RetireStep(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    switch (me.pc) {
      case kRetireOld:
        move.what = "retires old if dir does not name it";
        if (!InDir(s, d.old)) {
          Retire(t.seg[d.old].block, PinnedMask(t.process));
        }
        me.pc = kRetireNew0;
        return;
      case kRetireNew0:
      case kRetireNew1: {
        const U8 fresh = d.fresh[me.pc - kRetireNew0];
        move.what = "retires a new segment if dir does not name it";
        if (!InDir(s, fresh)) {
          Retire(t.seg[fresh].block, PinnedMask(t.process));
        }
        ++me.pc;
        return;
      }
      default:
        move.what = "retires the descriptor and clears its note";
        Retire(t.desc[me.d].block, PinnedMask(t.process));
        if (options_.retire_first && s.pending == me.d) {
          me.pc = kClear;
          return;
        }
        EndPost(t, p);
        return;
    }
  }

  void EndPost(State& t, int p) const {
    Process& me = t.process[p];
    me.note_d = 0;
    Forget(me);
    me.pc = p == kRecoverer ? kRecoverUnpin : (OpOf(t, p).kind == kSplit ? kUnpin : kFindSegment);
  }

  Options options_;
};

// Two inserters of one key race while a third process splits the segment; one of them is killed.
Options Inserters() {
  Options o;
  o.initial[0] = 1;
  o.ops[0][0] = {kSplit, 1, 0};
  o.ops[1][0] = {kPut, 3, 3};
  o.ops[1][1] = {kPut, 3, 5};
  o.ops[2][0] = {kPut, 3, 4};
  return o;
}

// A split under overwrites and deletes of the keys that it moves, with late helpers.
Options Movers() {
  Options o;
  o.initial[0] = 1;
  o.initial[1] = 2;
  o.ops[0][0] = {kPut, 3, 2};
  o.ops[1][0] = {kDelete, 1, 0};
  o.ops[1][1] = {kPut, 1, 3};
  o.ops[2][0] = {kPut, 1, 4};
  return o;
}

// Posts follow one another, and some name a segment that was replaced meanwhile.
Options Posters() {
  Options o;
  o.slots = 1;
  o.initial[0] = 2;
  o.ops[0][0] = {kSplit, 2, 0};
  o.ops[1][0] = {kSplit, 2, 0};
  o.ops[2][0] = {kSplit, 2, 0};
  return o;
}

Options Readers() {
  Options o = Movers();
  o.ops[2][0] = {kGet, 1, 0};
  return o;
}

TEST(SplitModelTest, RacingInsertersNeitherLoseNorDoubleAKey) {
  ExpectHolds(SplitModel(Inserters()), "split, inserters", {.check_progress = true});
}

TEST(SplitModelTest, LateHelpersHarmNoSegmentThatWasReplaced) {
  ExpectHolds(SplitModel(Movers()), "split, movers", {.check_progress = true});
}

TEST(SplitModelTest, LatePostsOfAReplacedSegmentAreHarmless) {
  ExpectHolds(SplitModel(Posters()), "split, posters", {.check_progress = true});
}

TEST(SplitModelTest, ReadersSeeValuesThatTheKeyHadMeanwhile) {
  ExpectHolds(SplitModel(Readers()), "split, readers", {.check_progress = true});
}

TEST(SplitModelTest, EmptySlotsLeftOpenAreCaught) {
  Options o = Inserters();
  o.empty_not_frozen = true;
  ExpectCaught(SplitModel(o), "split, weakened: empty slots not frozen");
}

TEST(SplitModelTest, BuildingBeforeAllSlotsAreFrozenIsCaught) {
  Options o = Movers();
  o.build_before_freeze = true;
  ExpectCaught(SplitModel(o), "split, weakened: built before frozen");
}

TEST(SplitModelTest, PlainStoresOfHelpersAreCaught) {
  Options o = Movers();
  o.plain_store = true;
  ExpectCaught(SplitModel(o), "split, weakened: plain store in the build");
}

TEST(SplitModelTest, APendingWordClearedBeforeTheDirectoryChangesIsCaught) {
  Options o = Movers();
  o.pending_first = true;
  ExpectCaught(SplitModel(o), "split, weakened: pending word cleared first");
}

TEST(SplitModelTest, ReusedDeadSlotsAreCaught) {
  Options o = Inserters();
  o.ops[0][0] = {kDelete, 1, 0};
  o.dead_reused = true;
  ExpectCaught(SplitModel(o), "split, weakened: closed slots reused");
}

TEST(SplitModelTest, RetiringBeforeThePendingWordIsClearIsCaught) {
  Options o = Posters();
  o.retire_first = true;
  ExpectCaught(SplitModel(o), "split, weakened: retired before the pending word is clear");
}

TEST(SplitModelTest, HelpersThatDoNotLookAtTheDirectoryAreCaught) {
  Options o = Posters();
  o.no_directory_check = true;
  ExpectCaught(SplitModel(o), "split, weakened: directory not read after the pending word");
}

}  // namespace
}  // namespace commy::model
