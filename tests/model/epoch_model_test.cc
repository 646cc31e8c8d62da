// Epochs: pins, the advancer's scan, retiring under a tag, and taking back, with tags that wrap.
//
// WORDS    epoch E; own pin of each process and a view pin (0, or epoch + 1); root: the block that
//          is linked; block: free | used | retired(tag), tag = epoch mod kTags (126 in the engine)
// STEPS    pin      e = E; P = e; only then reads
//          write    reuse-1 e = E, read after the pin; look at a block's state; CAS retired(tag) ->
//                   free if (e - tag) mod kTags is in 2..kTags-2; CAS free -> used
//                   retire-1 CAS root old -> new   retire-2 t = E; CAS old used -> retired(t)
//                   unpin
//          read     pins, reads root, sets the view pin to its own pin's epoch, takes its own down;
//                   may retire the block it read, once it sees it unlinked; takes the view pin down
//          advance  e = E; reads each pin; all 0 or e: CAS E e -> e + 1
// HOLDS    I1 a block that a pinned reader read while it was linked is not reused meanwhile
//          I2 a linked or just allocated block is in use: no other process retires or frees it
#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr U8 kTags = 4;
constexpr U8 kEpochMax = 5;
constexpr int kBlocks = 2;
constexpr int kWriters = 2;
constexpr int kReader = 2;
constexpr int kAdvancer = 3;
constexpr int kPins = 4;
constexpr int kViewPin = 3;  // The last one that an advancer reads.
constexpr U8 kNoBlock = 0xff;

enum BlockState : U8 { kFree, kUsed, kRetiredFirst };

struct Options {
  bool age_one = false;
  bool pins_ignored = false;
  bool reclaimer_unpinned = false;
  bool late_retirer = false;
  bool own_pin_down_first = false;
  bool view_pin_read_first = false;
};

class EpochModel {
 public:
  enum Pc : U8 {
    kIdle,
    kSetPin,
    kReadRoot,
    kReadEpoch,
    kLook,
    kReclaim,
    kClaim,
    kSwap,
    kStamp,
    kRetire,
    kUnnote,
    kUnpin,
    kSetView,
    kOwnDown,
    kLookAgain,
    kViewDown,
    kScan,
    kAdvance
  };
  struct Process {
    U8 pc, ops, epoch, old, mine, seen, at, held;
  };
  struct State {
    U8 epoch, root, note;
    U8 pin[kPins];
    U8 block[kBlocks];
    Process process[4];
  };

  explicit EpochModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.block[0] = kUsed;
    s.note = kNoBlock;
    for (Process& p : s.process) {
      p.old = p.mine = p.held = kNoBlock;
    }
    s.process[0].ops = 2;
    s.process[1].ops = 1;
    s.process[kReader].ops = 1;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < 4; ++p) {
      if (p < kWriters && s.process[p].pc == kLook) {
        Look(s, p, emit);
        continue;
      }
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        if (p < kWriters) {
          Write(s, t, p, move);
        } else if (p == kReader) {
          Read(s, t, move);
        } else {
          Advance(s, t, move);
        }
      });
    }
  }

  const char* Check(const State& s) const {
    if (s.block[s.root] != kUsed) {
      return "I2: the linked block is not in use";
    }
    for (int p = 0; p < kWriters; ++p) {
      if (s.process[p].mine != kNoBlock && s.block[s.process[p].mine] != kUsed) {
        return "I2: a block is taken from the process that has just allocated it";
      }
    }
    return nullptr;
  }

 private:
  static U8 RetiredAt(U8 epoch) { return static_cast<U8>(kRetiredFirst + epoch % kTags); }

  bool IsOld(U8 state, U8 epoch) const {
    const int age = (epoch % kTags + kTags - (state - kRetiredFirst)) % kTags;
    return (age >= 2 || (options_.age_one && age == 1)) && age <= kTags - 2;
  }

  static void Rest(Process& me) {
    me = Process{kIdle, static_cast<U8>(me.ops - 1), 0, kNoBlock, kNoBlock, 0, 0, kNoBlock};
  }

  void Write(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        me.epoch = s.epoch;
        me.pc = options_.reclaimer_unpinned && p == 1 ? kLook : kSetPin;
        move.what = "reads the epoch, to pin";
        return;
      case kSetPin:
        t.pin[p] = me.epoch + 1;
        me.epoch = 0;
        me.pc = kReadRoot;
        move.what = "sets its pin";
        return;
      case kReadRoot:
        me.old = s.root;
        me.pc = kReadEpoch;
        move.what = "reads root";
        return;
      case kReadEpoch:
        me.epoch = s.epoch;
        me.pc = kLook;
        move.what = "reads the epoch under its pin (reuse-1)";
        return;
      case kReclaim:
        move.what = "CAS retired(tag) -> free (reuse-1)";
        me.pc = kUnpin;
        if (s.block[me.at] == me.seen) {
          t.block[me.at] = kFree;
          me.pc = kClaim;
        }
        me.seen = 0;
        return;
      case kClaim:
        move.what = "CAS free -> used (reuse-1)";
        me.pc = kUnpin;
        if (s.block[me.at] != kFree) {
          return;
        }
        t.block[me.at] = kUsed;
        if (s.process[kReader].held == me.at) {
          move.wrong = "I1: a block is reused under a pinned reader";
        }
        if (me.old == kNoBlock) {
          me.old = s.root;
        }
        me.mine = me.at;
        t.note = me.old;
        me.pc = kSwap;
        return;
      case kSwap:
        move.what = "CAS root old -> new (retire-1)";
        if (s.root == me.old) {
          t.root = me.mine;
          me.pc = kStamp;
        } else {
          t.block[me.mine] = kFree;
          me.pc = kUnnote;
        }
        me.mine = kNoBlock;
        return;
      case kStamp:
        me.epoch = s.epoch;
        me.pc = kRetire;
        move.what = "reads the epoch after the unlink (retire-2)";
        return;
      case kRetire:
        Cas(t.block[me.old], kUsed, RetiredAt(me.epoch));
        me.pc = kUnnote;
        move.what = "CAS used -> retired(t) (retire-2)";
        return;
      case kUnnote:
        t.note = kNoBlock;
        me.pc = kUnpin;
        move.what = "clears its note";
        return;
      default:
        t.pin[p] = 0;
        Rest(me);
        move.what = "unpins";
        return;
    }
  }

  template <typename Emit>
  void Look(const State& s, int p, Emit&& emit) const {
    for (U8 b = 0; b < kBlocks; ++b) {
      const U8 state = s.block[b];
      const bool old = state >= kRetiredFirst && IsOld(state, s.process[p].epoch);
      if (state != kFree && !old) {
        continue;
      }
      State t = s;
      Process& me = t.process[p];
      me.at = b;
      me.seen = old ? state : 0;
      me.epoch = 0;
      me.pc = old ? kReclaim : kClaim;
      emit(t, Move{p, old ? "finds a block retired long ago" : "finds a free block"});
    }
    State t = s;
    t.process[p].pc = kUnpin;
    t.process[p].epoch = 0;
    emit(t, Move{p, "gives up looking for a block"});
  }

  void Read(const State& s, State& t, Move& move) const {
    Process& me = t.process[kReader];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        me.epoch = s.epoch;
        me.pc = kSetPin;
        move.what = "reads the epoch, to pin";
        return;
      case kSetPin:
        t.pin[kReader] = me.epoch + 1;
        me.epoch = 0;
        me.pc = kReadRoot;
        move.what = "sets its pin";
        return;
      case kReadRoot:
        if (options_.late_retirer) {
          me.old = s.note;
        } else {
          me.old = me.held = s.root;
        }
        me.pc = me.old == kNoBlock ? kOwnDown : (options_.own_pin_down_first ? kOwnDown : kSetView);
        me.seen = s.pin[kReader];
        move.what = options_.late_retirer ? "reads a note" : "reads root and holds the block";
        return;
      case kSetView:
        t.pin[kViewPin] = me.seen;
        me.seen = 0;
        me.pc = options_.own_pin_down_first ? kLookAgain : kOwnDown;
        move.what = "sets its view pin to the same epoch";
        return;
      case kOwnDown:
        t.pin[kReader] = 0;
        me.pc = options_.own_pin_down_first && me.old != kNoBlock ? kSetView : kLookAgain;
        move.what = "takes its own pin down";
        return;
      case kLookAgain:
        me.pc = me.old != kNoBlock && s.root != me.old ? kStamp : kViewDown;
        move.what = "looks whether the block is unlinked";
        return;
      case kStamp:
        me.epoch = s.epoch;
        me.pc = kRetire;
        move.what = "reads the epoch after the unlink";
        return;
      case kRetire:
        Cas(t.block[me.old], kUsed, RetiredAt(me.epoch));
        me.epoch = 0;
        me.pc = kViewDown;
        move.what = "retires it too";
        return;
      default:
        t.pin[kViewPin] = 0;
        Rest(me);
        move.what = "takes its view pin down";
        return;
    }
  }

  void Advance(const State& s, State& t, Move& move) const {
    Process& me = t.process[kAdvancer];
    switch (me.pc) {
      case kIdle:
        if (s.epoch == kEpochMax) {
          return;
        }
        me.epoch = s.epoch;
        me.at = 0;
        me.pc = options_.pins_ignored ? kAdvance : kScan;
        move.what = "reads the epoch, to advance";
        return;
      case kScan: {
        const int place = options_.view_pin_read_first ? (me.at + kViewPin) % kPins : me.at;
        const U8 pin = s.pin[place];
        if (pin != 0 && pin != me.epoch + 1) {
          me.epoch = me.at = 0;
          me.pc = kIdle;
          move.what = "sees an old pin";
          if (std::memcmp(&s, &t, sizeof s) == 0) {
            move.what = nullptr;
          }
          return;
        }
        if (++me.at == kPins) {
          me.at = 0;
          me.pc = kAdvance;
        }
        move.what = "reads a pin";
        return;
      }
      default:
        if (s.epoch == me.epoch) {
          ++t.epoch;
        }
        me.epoch = 0;
        me.pc = kIdle;
        move.what = "CAS E e -> e + 1";
        return;
    }
  }

  Options options_;
};

TEST(EpochModelTest, NoBlockIsReusedUnderAPin) {
  ExpectHolds(EpochModel({}), "epochs");
}

TEST(EpochModelTest, ReusingABlockAfterOneEpochIsCaught) {
  ExpectCaught(EpochModel({.age_one = true}), "epochs, weakened: one epoch is enough");
}

TEST(EpochModelTest, AdvancingWithoutReadingThePinsIsCaught) {
  ExpectCaught(EpochModel({.pins_ignored = true}), "epochs, weakened: pins ignored");
}

TEST(EpochModelTest, ReclaimingWithoutAPinIsCaught) {
  ExpectCaught(EpochModel({.reclaimer_unpinned = true}), "epochs, weakened: reclaimer not pinned");
}

TEST(EpochModelTest, RetiringByAProcessThatPinnedAfterTheUnlinkIsCaught) {
  ExpectCaught(EpochModel({.late_retirer = true}), "epochs, weakened: retirer pinned too late");
}

TEST(EpochModelTest, TakingTheOwnPinDownBeforeTheViewPinIsUpIsCaught) {
  ExpectCaught(EpochModel({.own_pin_down_first = true}), "epochs, weakened: own pin down first");
}

TEST(EpochModelTest, ReadingAViewPinBeforeTheOwnPinIsCaught) {
  ExpectCaught(EpochModel({.view_pin_read_first = true}), "epochs, weakened: view pin read first");
}

}  // namespace
}  // namespace commy::model
