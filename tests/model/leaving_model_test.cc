// Leaving a span: closed to allocation by any process, it is given back when all of its blocks can
// be reused, or taken back by another lane; beside its owner, readers, and others that delete what
// lies in it; and any process at work on it is killed.
//
// WORDS    the span's word: Free | Small(lane) | Leaving(lane, tag) | Retired(tag); a byte for each
//          of its two blocks: Free | Used | Retired(tag). A tag is modelled as its age, the number
//          of moves of the epoch since it was read; a pin as the number of moves since it was set,
//          which is at most one (E1 of docs/concurrency.md, epoch_model_test.cc).
// STEPS    take     pin; the span's word must say Small of this lane; note a block; CAS its byte,
//                   Free or two epochs retired -> Used; publish; unnote, unpin
//          delete   pin; note a block; unlink it; read the epoch; CAS Used -> Retired; unpin
//          empty    (the owner) pin; all bytes are reusable: read the epoch; CAS Small -> Retired
//          leave    pin; read the word; read the epoch; leaving-1 CAS Small(L) -> Leaving(L, tag)
//          release  pin; the word is Leaving, three epochs old; leaving-3 each byte that can be
//                   reused -> Free; all are: read the epoch; CAS Leaving -> Retired(tag)
//          back     pin; the word is Leaving, three epochs old; leaving-4 CAS Leaving -> Small(me)
//          reuse    pin; Retired, three epochs old: CAS -> Free; or Free: CAS -> Small(me), and
//                   each byte Free
//          read     pin; find a block; unpin
//          recover  of a noted block: not linked: CAS Used -> Retired
// HOLDS    I1 no process takes a block of a span, or works on its bytes, in another life of it
//          I2 recovery never retires a block that another process has taken (B3)
//          I3 no block in use lies in a span that was given back, and none is used again, nor its
//             span, while a reader has it   I4 when all is quiet, no block is used and not linked
#include "model/lib/explorer.h"
#include "model/lib/recovery.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kBlocks = 2;
constexpr int kWorkers = 3;
constexpr int kRecoverers = 2;
constexpr int kProcesses = kWorkers + kRecoverers;
constexpr int kEpoch = kProcesses;  // As an actor.
constexpr U8 kLivesMax = 2;

// A tag in a word or a register: 0: none; else its age, plus one.
constexpr U8 kNow = 1;
constexpr U8 kOldest = 5;
constexpr U8 kSpanWait = 3;
constexpr U8 kBlockWait = 2;

enum WordKind : U8 { kFreeSpan, kSmall, kLeaving, kRetiredSpan };
struct Word {
  U8 kind, lane, tag;
  bool operator==(const Word&) const = default;
};

enum ByteKind : U8 { kFree, kUsed, kRetired };
enum Linked : U8 { kNotYet, kLinked, kUnlinked };
struct Byte {
  U8 kind, tag;
  U8 holder, linked;  // Process + 1, and a Linked; not in the file.
};

enum Pc : U8 {
  kIdle,
  kNote,
  kTake,
  kPublish,
  kUnlink,
  kRetireTag,
  kRetireByte,
  kOwnByte,
  kLeaveTag,
  kLeave,
  kFreeByte,
  kGiveTag,
  kGive,
  kBack,
  kReap,
  kSetUp,
  kReading,
  kUnnote,
  kUnpin,
  kRecLook,
  kRecTag,
  kRecRetire,
  kRecUnnote,
  kRecUnpin,
  kRecFreeLane
};

struct Process {
  U8 pc, ops, at, life, seen_kind, tag, dead_lane;
  Word seen;
};
struct Lane {
  U8 pinned, note_block, life, locked_by;  // pinned: 1 + moves of the epoch; note_block: number + 1
};

// The kinds of operations that a worker may do.
enum Kind : U8 {
  kTakes = 1,
  kDeletes = 2,
  kEmpties = 4,
  kLeaves = 8,
  kReleases = 16,
  kTakesBack = 32,
  kReuses = 64,
  kReads = 128
};

struct Options {
  U8 kinds[kWorkers] = {};
  U8 operations[kWorkers] = {};
  U8 kills = 0;
  U8 used = 1;                  // Blocks that are there at the start.
  U8 release_wait = kSpanWait;  // leaving-3: so many epochs.
  U8 back_wait = kSpanWait;     // leaving-4: likewise.
  bool no_look = false;         // The owner trusts its memory.
  bool free_at_once = false;    // leaving-3: to Free instead of Retired.
};

class LeavingModel {
 public:
  struct State {
    Word word;
    U8 life;  // Of the span; not in the file.
    Byte byte[kBlocks];
    U8 kills;
    Lane lane[kProcesses];
    Process process[kProcesses];
    U8 knows[kWorkers];  // Whether a worker remembers the span as its own, and of which life.
  };

  explicit LeavingModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.word = {kSmall, 0, 0};
    s.life = 1;
    for (int i = 0; i < options_.used; ++i) {
      s.byte[i] = {kUsed, 0, 1, kLinked};
    }
    s.kills = options_.kills;
    s.knows[0] = 1;
    for (int p = 0; p < kWorkers; ++p) {
      s.process[p].ops = options_.operations[p];
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    MoveEpoch(s, emit);
    for (int p = 0; p < kProcesses; ++p) {
      if (s.lane[p].life != kAlive) {
        continue;
      }
      if (p < kWorkers) {
        StepWorker(s, p, emit);
      } else {
        StepRecoverer(s, p, emit);
      }
      if (s.kills != 0 && s.process[p].pc != kIdle && p + 1 != kProcesses) {
        EmitStep(s, p, emit, [&](State& t, Move& move) {
          KillProcess(t, p);
          if (p < kWorkers) {
            t.knows[p] = 0;
          }
          move.what = "is killed";
        });
      }
    }
  }

  const char* Check(const State& s) const {
    const bool has_blocks = s.word.kind == kSmall || s.word.kind == kLeaving;
    for (const Byte& byte : s.byte) {
      if (byte.kind == kUsed && !has_blocks) {
        return "I3: a block in use lies in a span that was given back";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (const Byte& byte : s.byte) {
      if (byte.kind == kUsed && byte.linked != kLinked) {
        return "I4: a block is lost";
      }
    }
    return nullptr;
  }

 private:
  static void GrowOlder(U8& tag) { tag += tag != 0 && tag < kOldest ? 1 : 0; }
  static bool IsOld(U8 tag, U8 epochs) { return tag > epochs; }
  static bool Reusable(const Byte& byte) {
    return byte.kind == kFree || (byte.kind == kRetired && IsOld(byte.tag, kBlockWait));
  }
  static bool OwnsIt(const State& s, int p) { return s.word.kind == kSmall && s.word.lane == p; }
  // Whether the memory of the span is what the process takes it for.
  static const char* Touch(const State& s, const Process& me) {
    return s.life != me.life || s.word.kind == kFreeSpan
               ? "I1: a process works on the bytes of a span of another life"
               : nullptr;
  }
  static bool IsRead(const State& s, int block) {
    for (const Process& process : s.process) {
      if (process.pc == kReading && (block == kBlocks || process.at == block)) {
        return true;
      }
    }
    return false;
  }

  // Advances, which E1 lets come at most once within a pin.
  template <typename Emit>
  void MoveEpoch(const State& s, Emit&& emit) const {
    State t = s;
    for (Lane& lane : t.lane) {
      if (lane.pinned == 2) {
        return;
      }
      lane.pinned *= 2;
    }
    GrowOlder(t.word.tag);
    for (Byte& byte : t.byte) {
      GrowOlder(byte.tag);
    }
    for (Process& process : t.process) {
      GrowOlder(process.tag);
      GrowOlder(process.seen.tag);
    }
    if (std::memcmp(&s, &t, sizeof s) != 0) {
      emit(t, Move{kEpoch, "the epoch moves"});
    }
  }

  static State Begin(const State& s, int p, Pc pc) {
    State t = s;
    t.lane[p].pinned = 1;
    Process& me = t.process[p];
    --me.ops;
    me.pc = pc;
    me.seen = s.word;
    me.life = s.life;
    return t;
  }

  // Pins, and looks at the word that the operation begins with.
  template <typename Emit>
  void Start(const State& s, int p, Emit&& emit) const {
    if (s.process[p].ops == 0) {
      return;
    }
    const auto does = [&](Kind kind) { return (options_.kinds[p] & kind) != 0; };
    const bool mine = OwnsIt(s, p) && s.knows[p] == s.life;
    if (does(kTakes) && (mine || (options_.no_look && s.knows[p] != 0))) {
      State t = Begin(s, p, kNote);
      t.process[p].life = s.knows[p];
      emit(t, Move{p, "pins and looks at the span's word, to take a block"});
    }
    if (does(kEmpties) && mine) {
      emit(Begin(s, p, kOwnByte),
           Move{p, "pins and looks at the word, to give an empty span back"});
    }
    for (U8 i = 0; i < kBlocks; ++i) {
      if (s.byte[i].kind != kUsed || s.byte[i].linked != kLinked) {
        continue;
      }
      if (does(kDeletes)) {
        State t = Begin(s, p, kUnlink);
        t.process[p].at = i;
        t.lane[p].note_block = i + 1;
        emit(t, Move{p, "pins, finds a block and notes it, to delete it"});
      }
      if (does(kReads)) {
        State t = Begin(s, p, kReading);
        t.process[p].at = i;
        emit(t, Move{p, "pins and finds a block, to read it"});
      }
    }
    if (does(kLeaves) && s.word.kind == kSmall) {
      emit(Begin(s, p, kLeaveTag), Move{p, "pins and looks at the word, to leave the span"});
    }
    if (does(kReleases) && s.word.kind == kLeaving && IsOld(s.word.tag, options_.release_wait)) {
      emit(Begin(s, p, kFreeByte), Move{p, "pins, sees a span that was left long ago"});
    }
    if (does(kTakesBack) && s.word.kind == kLeaving && IsOld(s.word.tag, options_.back_wait)) {
      emit(Begin(s, p, kBack), Move{p, "pins, sees a span that was left, and wants its blocks"});
    }
    if (does(kReuses) && s.word.kind == kRetiredSpan && IsOld(s.word.tag, kSpanWait)) {
      emit(Begin(s, p, kReap), Move{p, "pins, sees a span retired long ago"});
    }
    if (does(kReuses) && s.word.kind == kFreeSpan && s.life < kLivesMax) {
      emit(Begin(s, p, kSetUp), Move{p, "pins, sees a free span"});
    }
  }

  template <typename Emit>
  void StepWorker(const State& s, int p, Emit&& emit) const {
    if (s.process[p].pc == kIdle) {
      Start(s, p, emit);
      return;
    }
    if (s.process[p].pc == kNote) {
      for (U8 i = 0; i < kBlocks; ++i) {
        if (!Reusable(s.byte[i])) {
          continue;
        }
        State t = s;
        t.lane[p].note_block = i + 1;
        t.process[p].at = i;
        t.process[p].seen_kind = s.byte[i].kind;
        t.process[p].pc = kTake;
        emit(t, Move{p, "finds a block that can be reused and notes it"});
      }
      State t = s;
      t.process[p].pc = kUnpin;
      emit(t, Move{p, "finds no block"});
      return;
    }
    State t = s;
    Move move{p, nullptr, nullptr};
    Work(s, t, p, move);
    emit(t, move);
  }

  void Work(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    switch (me.pc) {
      case kTake:
        return Take(s, t, p, move);
      case kPublish:
        move.what = "publishes the block";
        t.byte[me.at].linked = kLinked;
        me.pc = kUnnote;
        return;
      case kUnlink:
        move.what = "unlinks the block";
        me.pc = Cas(t.byte[me.at].linked, kLinked, kUnlinked) ? kRetireTag : kUnnote;
        return;
      case kRetireTag:
      case kLeaveTag:
      case kGiveTag:
        move.what = "reads the epoch";
        me.tag = kNow;
        ++me.pc;
        return;
      case kRetireByte:
        move.what = "CAS Used -> Retired";
        RetireByte(t, me.at, me.tag);
        me.tag = 0;
        me.pc = kUnnote;
        return;
      case kLeave:
        move.what = "leaves the span (leaving-1)";
        Cas(t.word, me.seen, {kLeaving, me.seen.lane, me.tag});
        me.tag = 0;
        me.pc = kUnpin;
        return;
      case kOwnByte:
      case kFreeByte:
        return LookAtByte(s, t, p, move);
      case kGive:
        move.what = "gives the empty span back (leaving-3)";
        if (Cas(t.word, me.seen, {kRetiredSpan, 0, me.tag}) && options_.free_at_once) {
          t.word = {kFreeSpan, 0, 0};
        }
        me.tag = 0;
        me.pc = kUnpin;
        return;
      case kBack:
        move.what = "takes the span back (leaving-4)";
        if (Cas(t.word, me.seen, {kSmall, static_cast<U8>(p), 0})) {
          t.knows[p] = s.life;
        }
        me.pc = kUnpin;
        return;
      case kReap:
        move.what = "frees the retired span";
        Cas(t.word, me.seen, {kFreeSpan, 0, 0});
        me.pc = kUnpin;
        return;
      case kSetUp:
        return SetUp(t, p, move);
      case kUnnote:
        move.what = "clears its note";
        t.lane[p].note_block = 0;
        me.pc = kUnpin;
        return;
      default:
        move.what = "unpins";
        t.lane[p].pinned = 0;
        Rest(me);
        return;
    }
  }

  void Take(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    Byte& byte = t.byte[me.at];
    if (byte.kind != me.seen_kind || !Reusable(byte)) {
      move.what = "loses the block's CAS";
      t.lane[p].note_block = 0;
      me.pc = kUnpin;
      return;
    }
    move.what = "takes the block";
    move.wrong = Touch(s, me);
    if (IsRead(s, me.at)) {
      move.wrong = "I3: a block is used again while a reader has it";
    }
    byte = {kUsed, 0, static_cast<U8>(p + 1), kNotYet};
    me.seen_kind = 0;
    me.pc = kPublish;
  }

  static void RetireByte(State& t, U8 at, U8 tag) {
    if (t.byte[at].kind == kUsed) {
      t.byte[at] = {kRetired, tag, 0, 0};
    }
  }

  // Of a span that may be empty: whether this block can be reused.
  void LookAtByte(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const bool own = me.pc == kOwnByte;
    move.what = own ? "looks at a byte" : "CAS a byte -> Free if it can be reused (leaving-3)";
    move.wrong = Touch(s, me);
    if (!Reusable(s.byte[me.at])) {
      me.pc = kUnpin;
      return;
    }
    if (!own) {
      t.byte[me.at] = {kFree, 0, 0, 0};
    }
    if (++me.at == kBlocks) {
      me.at = 0;
      me.pc = kGiveTag;
    }
  }

  void SetUp(State& t, int p, Move& move) const {
    move.what = "sets the span up for itself";
    t.process[p].pc = kUnpin;
    if (!Cas(t.word, t.process[p].seen, {kSmall, static_cast<U8>(p), 0})) {
      return;
    }
    if (IsRead(t, kBlocks)) {
      move.wrong = "I3: a span is used again while a reader has a block of it";
    }
    ++t.life;
    for (Byte& byte : t.byte) {
      byte = {};
    }
    t.knows[p] = t.life;
  }

  template <typename Emit>
  void StepRecoverer(const State& s, int p, Emit&& emit) const {
    if (s.process[p].pc == kIdle) {
      EmitRecoveries(s, p, emit, [](Process& me, U8 dead) {
        me.dead_lane = dead;
        me.pc = kRecLook;
      });
      return;
    }
    EmitStep(s, p, emit, [&](State& t, Move& move) { Recover(s, t, p, move); });
  }

  void Recover(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    Lane& lane = t.lane[me.dead_lane];
    switch (me.pc) {
      case kRecLook: {
        move.what = "recovery looks whether the noted block is linked";
        const bool has_blocks = s.word.kind == kSmall || s.word.kind == kLeaving;
        const bool lost =
            lane.note_block != 0 && has_blocks && s.byte[lane.note_block - 1].linked != kLinked;
        me.pc = lost ? kRecTag : kRecUnnote;
        return;
      }
      case kRecTag:
        move.what = "recovery reads the epoch";
        me.tag = kNow;
        me.pc = kRecRetire;
        return;
      case kRecRetire: {
        move.what = "recovery retires the noted block";
        const Byte& byte = s.byte[lane.note_block - 1];
        const bool anothers = byte.linked == kNotYet && byte.holder != me.dead_lane + 1;
        if (byte.kind == kUsed && (byte.linked == kLinked || anothers)) {
          move.wrong = "I2: recovery retires a block of another process";
        }
        RetireByte(t, lane.note_block - 1, me.tag);
        me.tag = 0;
        me.pc = kRecUnnote;
        return;
      }
      case kRecUnnote:
        move.what = "recovery clears the dead lane's note";
        lane.note_block = 0;
        me.pc = kRecUnpin;
        return;
      case kRecUnpin:
        move.what = "recovery clears the dead lane's pin";
        lane.pinned = 0;
        me.pc = kRecFreeLane;
        return;
      default:
        move.what = "recovery frees the lane and unpins itself";
        FreeLane(lane);
        t.lane[p].pinned = 0;
        Rest(me);
        return;
    }
  }

  Options options_;
};

// The span is given back, and used again, by any of three: its owner goes on taking blocks.
constexpr Options Given() {
  return {.kinds = {kTakes | kEmpties | kReuses, kDeletes | kLeaves | kReads | kReleases,
                    kReleases | kReuses | kTakes},
          .operations = {2, 4, 3}};
}

// Another lane takes the span back, and takes blocks.
constexpr Options Back() {
  return {.kinds = {kTakes | kEmpties, kLeaves | kTakesBack | kTakes,
                    kDeletes | kTakesBack | kReleases},
          .operations = {2, 3, 2}};
}

TEST(LeavingModelTest, ASpanThatIsLeftIsGivenBackWithNoBlockInUse) {
  ExpectHolds(LeavingModel(Given()), "leaving, given back");
  Options killed = Given();
  killed.operations[1] = 3;
  killed.kills = 1;
  ExpectHolds(LeavingModel(killed), "leaving, given back, one is killed");
}

TEST(LeavingModelTest, ASpanThatIsTakenBackHasOneOwner) {
  ExpectHolds(LeavingModel(Back()), "leaving, taken back");
  Options killed = Back();
  killed.kills = 1;
  ExpectHolds(LeavingModel(killed), "leaving, taken back, one is killed");
  killed.operations[0] = killed.operations[2] = 1;
  killed.kills = 2;
  ExpectHolds(LeavingModel(killed), "leaving, taken back, two are killed");
}

TEST(LeavingModelTest, GivingBackWithoutAWaitIsCaught) {
  for (U8 epochs = 0; epochs < kSpanWait; ++epochs) {
    Options o = Given();
    o.release_wait = epochs;
    ExpectCaught(LeavingModel(o), "leaving, weakened: given back too early");
  }
}

TEST(LeavingModelTest, TakingBackWithoutAWaitIsCaught) {
  for (U8 epochs = 0; epochs < kSpanWait; ++epochs) {
    Options o = Back();
    o.kills = 1;
    o.back_wait = epochs;
    ExpectCaught(LeavingModel(o), "leaving, weakened: taken back too early");
  }
}

TEST(LeavingModelTest, AnOwnerThatDoesNotLookAtTheWordIsCaught) {
  Options o = Given();
  o.no_look = true;
  ExpectCaught(LeavingModel(o), "leaving, weakened: the owner does not look");
}

TEST(LeavingModelTest, ASpanThatIsFreeAtOnceIsCaught) {
  Options o = Given();
  o.free_at_once = true;
  ExpectCaught(LeavingModel(o), "leaving, weakened: a span is free at once");
}

}  // namespace
}  // namespace commy::model
