// Handing over elements of a queue: the steps of src/namespaces/queue_words.h. For room in a queue
// they are the same, with places for elements.
//
// WORDS    word {sleepers, generation}; count: elements of the queue; line: the waiters that sleep,
//          in the order in which the system wakes them
// STEPS    waiter   takes an element at once, if there is one, and waits otherwise
//                   hand-1 count itself, take the generation   hand-2 take an element, if there is
//                   one   hand-3 sleep, if the generation is still that one
//                   after a sleep: hand-1, if it was woken or the generation is another one, else
//                   hand-2
//                   leave: load the word, CAS {n, g} -> {n - 1, g} if g is the waiter's
//          writer   hand-4 publish a batch of elements   hand-5 load the word
//                   hand-6 CAS {n, g} -> {n - k, g + k}; wake k
// TIME     A waiter may give up before it sleeps and in its sleep. It may look again after a
//          second. If it was woken it looks before it gives up.
// KILLS    one writer or one waiter, anywhere.
// HOLDS    No waiter sleeps for ever while there is an element. That it looks again after a second
//          does not count, except if one was killed where DEATH of the header says so.
//          `sleepers` and the wakes on their way are at least as many as the waiters that sleep.
#include <algorithm>
#include <bit>
#include <string>

#include "model/lib/explorer.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kWriters = 2;
constexpr int kWaiters = 3;

struct Options {
  int writers = 2;
  int waiters = 2;
  U8 puts = 1;  // Of each writer.
  U8 batch = 1;
  U8 looks_again = 1;  // After a second, all waiters together.
  U8 kills = 0;
  // The system wakes any of the waiters that sleep, not the first ones.
  bool any_order = false;
  bool counts_itself_when_woken = true;

  bool looks_before_arming = false;
  bool looks_before_publishing = false;
  bool sleeps_without_comparing = false;
  bool leaves_other_generation = false;
  bool leaves_by_store = false;
  bool takes_back_when_told = false;
  bool gives_up_when_woken = false;
  bool same_generation = false;
  bool takes_all_sleepers = false;
  bool wakes_one = false;
  bool tells_one = false;
  bool hands_over_by_store = false;
  // Does not look again, although one was killed there.
  bool blind_after_publish = false;
  bool blind_after_cas = false;
  bool blind_after_wake = false;
};

class QueueModel {
 public:
  enum WriterPc : U8 { kPublish, kLoad, kHandOver, kWake, kDone };
  enum WaiterPc : U8 {
    kStart,
    kArm,
    kLook,
    kSleep,
    kAsleep,
    kAwake,
    kLeave,
    kLeaveCas,
    kGone,
  };
  struct Word {
    U8 sleepers, generation;
    bool operator==(const Word&) const = default;
  };
  struct Writer {
    U8 pc, left, told;
    Word seen;
  };
  struct Waiter {
    U8 pc, generation, woken;
    Word seen;
  };
  struct State {
    Word word;
    U8 count, kills, looks_again;
    U8 overlooked;      // One was killed on its way to an element.
    U8 lost_wakes;      // Of a writer that was killed.
    U8 line[kWaiters];  // Waiters, plus 1. Unused in any order.
    Writer writer[kWriters];
    Waiter waiter[kWaiters];
  };

  explicit QueueModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.kills = options_.kills;
    s.looks_again = options_.looks_again;
    for (int w = 0; w < kWriters; ++w) {
      s.writer[w].pc = w < options_.writers ? FirstOfWriter() : U8{kDone};
      s.writer[w].left = w < options_.writers ? options_.puts : 0;
    }
    for (int a = 0; a < kWaiters; ++a) {
      s.waiter[a].pc = a < options_.waiters ? kStart : kGone;
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int w = 0; w < kWriters; ++w) {
      if (s.writer[w].pc == kDone) {
        continue;
      }
      if (s.writer[w].pc == kWake) {
        EmitWakes(s, w, emit);
      } else {
        State t = s;
        const char* const what = Write(s, t, t.writer[w]);
        emit(t, Move{w, what});
      }
      if (s.kills != 0) {
        emit(WithoutWriter(s, w), Move{w, "is killed"});
      }
    }
    for (int a = 0; a < kWaiters; ++a) {
      if (s.waiter[a].pc != kGone) {
        EmitWaiter(s, a, emit);
      }
    }
  }

  const char* Check(const State& s) const {
    int wakes = s.lost_wakes;
    bool lasts = s.overlooked == 0;
    for (const Writer& writer : s.writer) {
      wakes += writer.told;
      lasts = lasts && writer.pc == kDone;
    }
    int asleep = 0;
    for (const Waiter& waiter : s.waiter) {
      asleep += waiter.pc == kAsleep ? 1 : 0;
      lasts = lasts && (waiter.pc == kAsleep || waiter.pc == kGone);
    }
    if (s.word.sleepers + wakes < asleep) {
      return "a waiter sleeps uncounted, and no wake is on its way";
    }
    if (lasts && asleep != 0 && s.count != 0) {
      return "a waiter sleeps for ever while there is an element";
    }
    return nullptr;
  }

 private:
  [[nodiscard]] U8 FirstOfWriter() const {
    return options_.looks_before_publishing ? kLoad : kPublish;
  }
  [[nodiscard]] U8 FirstOfWaiter() const { return options_.looks_before_arming ? kLook : kArm; }

  // The waiters that sleep, a bit each.
  static unsigned Asleep(const State& s) {
    unsigned mask = 0;
    for (int a = 0; a < kWaiters; ++a) {
      mask |= s.waiter[a].pc == kAsleep ? Bit(a) : 0U;
    }
    return mask;
  }
  void FallAsleep(State& t, int a) const {
    t.waiter[a].pc = kAsleep;
    if (!options_.any_order) {
      *std::find(t.line, t.line + kWaiters, 0) = static_cast<U8>(a + 1);
    }
  }
  static void LeaveLine(State& t, int a) {
    U8* const end = std::remove(t.line, t.line + kWaiters, static_cast<U8>(a + 1));
    std::fill(end, t.line + kWaiters, 0);
  }
  // Whether the system may wake these, and no others.
  [[nodiscard]] bool MayWake(const State& s, unsigned mask) const {
    if (options_.any_order) {
      return true;
    }
    for (int i = 0; i < std::popcount(mask); ++i) {
      if ((mask & Bit(s.line[i] - 1)) == 0) {
        return false;
      }
    }
    return true;
  }

  template <typename Emit>
  void EmitWakes(const State& s, int w, Emit&& emit) const {
    const unsigned asleep = Asleep(s);
    const int told = options_.wakes_one ? 1 : s.writer[w].told;
    const int woken = std::min(told, std::popcount(asleep));
    for (unsigned mask = 0; mask < Bit(kWaiters); ++mask) {
      if ((mask & ~asleep) != 0 || std::popcount(mask) != woken || !MayWake(s, mask)) {
        continue;
      }
      State t = s;
      for (int a = 0; a < kWaiters; ++a) {
        if ((mask & Bit(a)) != 0) {
          LeaveLine(t, a);
          t.waiter[a].pc = kAwake;
          t.waiter[a].woken = 1;
        }
      }
      t.writer[w].told = 0;
      Next(t.writer[w]);
      emit(t, Move{w, "wakes"});
    }
  }

  // hand-4 to hand-6, but for the wake.
  const char* Write(const State& s, State& t, Writer& me) const {
    switch (me.pc) {
      case kPublish:
        t.count += options_.batch;
        me.pc = kLoad;
        if (options_.looks_before_publishing) {
          AfterLoad(me);
        }
        return "publishes";
      case kLoad:
        me.seen = s.word;
        if (options_.looks_before_publishing) {
          me.pc = kPublish;
        } else {
          AfterLoad(me);
        }
        return "looks whether a waiter waits";
      default:
        if (s.word != me.seen && !options_.hands_over_by_store) {
          me.seen = s.word;  // A failed CAS returns the present word.
          AfterLoad(me);
          return "CAS fails";
        }
        me.told = options_.tells_one ? 1 : std::min(me.seen.sleepers, options_.batch);
        t.word.sleepers = options_.takes_all_sleepers ? 0 : me.seen.sleepers - me.told;
        t.word.generation = me.seen.generation + (options_.same_generation ? 0 : me.told);
        me.seen = {};
        me.pc = kWake;
        return "moves the generation on";
    }
  }
  void AfterLoad(Writer& me) const {
    if (me.seen.sleepers == 0) {
      Next(me);
    } else {
      me.pc = kHandOver;
    }
  }
  void Next(Writer& me) const {
    me.seen = {};
    me.pc = --me.left == 0 ? U8{kDone} : FirstOfWriter();
  }

  State WithoutWriter(const State& s, int w) const {
    State t = s;
    Writer& me = t.writer[w];
    const bool published =
        me.pc == kHandOver || (me.pc == kLoad && !options_.looks_before_publishing);
    if ((published && !options_.blind_after_publish) ||
        (me.pc == kWake && !options_.blind_after_cas)) {
      t.overlooked = 1;
    }
    t.lost_wakes += me.told;
    me = {};
    me.pc = kDone;
    --t.kills;
    return t;
  }

  template <typename Emit>
  void EmitWaiter(const State& s, int a, Emit&& emit) const {
    const int actor = kWriters + a;
    const Waiter& me = s.waiter[a];
    if (me.pc != kAsleep) {
      State t = s;
      const char* const what = Wait(s, t, a);
      emit(t, Move{actor, what});
    } else if (s.looks_again != 0 || s.overlooked != 0) {
      State t = s;
      LeaveLine(t, a);
      t.waiter[a].pc = kAwake;
      t.looks_again -= s.looks_again != 0 ? 1 : 0;
      emit(t, Move{actor, "has slept for a second"});
    }
    // Before it counts itself, at first or after a wake, it may look as well.
    if ((me.pc == kStart || me.pc == kArm) && s.count != 0) {
      State t = s;
      --t.count;
      t.waiter[a] = Gone();
      emit(t, Move{actor, "takes an element, and has not counted itself"});
    }
    if (me.pc == kAsleep || me.pc == kSleep ||
        (me.pc == kAwake && me.woken != 0 && options_.gives_up_when_woken)) {
      State t = s;
      LeaveLine(t, a);
      t.waiter[a].woken = 0;
      t.waiter[a].pc = kLeave;
      emit(t, Move{actor, "gives up"});
    }
    if (s.kills != 0) {
      State t = s;
      LeaveLine(t, a);
      t.overlooked |= me.woken != 0 && !options_.blind_after_wake ? 1 : 0;
      t.waiter[a] = Gone();
      --t.kills;
      emit(t, Move{actor, "is killed"});
    }
  }
  static Waiter Gone() {
    Waiter gone{};
    gone.pc = kGone;
    return gone;
  }

  const char* Wait(const State& s, State& t, int a) const {
    Waiter& me = t.waiter[a];
    switch (me.pc) {
      case kStart:
        me.pc = FirstOfWaiter();
        return "waits";
      case kArm:
        ++t.word.sleepers;
        me.generation = s.word.generation;
        me.pc = options_.looks_before_arming ? kSleep : kLook;
        return "counts itself";
      case kLook:
        me.woken = 0;
        if (s.count == 0) {
          me.pc = options_.looks_before_arming ? kArm : kSleep;
          return "finds no element";
        }
        --t.count;
        me.pc = kLeave;
        return "takes an element";
      case kSleep:
        if (s.word.generation == me.generation || options_.sleeps_without_comparing) {
          FallAsleep(t, a);
          return "sleeps";
        }
        me.pc = FirstOfWaiter();
        return "does not sleep";
      case kAwake:
        return WakeUp(s, t, me);
      default:
        return Leave(s, t, me);
    }
  }
  const char* WakeUp(const State& s, State& t, Waiter& me) const {
    const bool again = me.woken != 0 && options_.counts_itself_when_woken;
    if (s.word.generation == me.generation && !again) {
      me.pc = kLook;
      return "sees that it is not told";
    }
    if (options_.takes_back_when_told && s.word.sleepers != 0) {
      --t.word.sleepers;
    }
    me.pc = FirstOfWaiter();
    return "sees that it may be told";
  }
  const char* Leave(const State& s, State& t, Waiter& me) const {
    const Word seen = me.pc == kLeave ? s.word : me.seen;
    const bool other = seen.generation != me.generation && !options_.leaves_other_generation;
    if (me.pc == kLeave) {
      if (other || seen.sleepers == 0) {
        me = Gone();
        return "leaves the word as it is";
      }
      me.seen = seen;
      me.pc = kLeaveCas;
      return "loads the word, to leave";
    }
    if (s.word != seen && !options_.leaves_by_store) {
      me.seen = {};
      me.pc = kLeave;
      return "CAS to leave fails";
    }
    t.word = seen;
    --t.word.sleepers;
    me = Gone();
    return "counts itself out";
  }

  const Options options_;
};

void ExpectQueueHolds(const Options& options, const char* name) {
  const std::string title = std::string("queue, ") + name;
  ExpectHolds(QueueModel(options), title.c_str());
}
void ExpectQueueCaught(const Options& options, const char* name) {
  const std::string title = std::string("queue, weakened: ") + name;
  ExpectCaught(QueueModel(options), title.c_str());
}

TEST(QueueModelTest, NoWaiterSleepsWhileThereIsAnElement) {
  ExpectQueueHolds({}, "two writers, two waiters");
  ExpectQueueHolds({.waiters = 3, .looks_again = 0}, "two writers, three waiters");
  ExpectQueueHolds({.writers = 1, .waiters = 3, .puts = 2}, "two puts, three waiters");
  ExpectQueueHolds({.writers = 1, .waiters = 3, .batch = 2}, "a batch, three waiters");
}

TEST(QueueModelTest, NoWaiterSleepsWhileThereIsAnElementWhicheverIsKilled) {
  ExpectQueueHolds({.kills = 1}, "kill, two writers, two waiters");
  ExpectQueueHolds({.writers = 1, .waiters = 3, .puts = 2, .kills = 1},
                   "kill, two puts, three waiters");
  ExpectQueueHolds({.writers = 1, .waiters = 3, .batch = 2, .kills = 1},
                   "kill, a batch, three waiters");
}

TEST(QueueModelTest, AWaiterThatLooksBeforeItArmsIsCaught) {
  ExpectQueueCaught({.looks_before_arming = true}, "looks before arming");
}

TEST(QueueModelTest, AWaiterThatSleepsWithoutComparingIsCaught) {
  ExpectQueueCaught({.sleeps_without_comparing = true}, "sleeps without comparing");
}

TEST(QueueModelTest, AWaiterThatCountsItselfOutOfAnotherGenerationIsCaught) {
  ExpectQueueCaught({.leaves_other_generation = true}, "leaves another generation");
}

TEST(QueueModelTest, AWaiterThatLeavesByAPlainStoreIsCaught) {
  ExpectQueueCaught({.leaves_by_store = true}, "leaves by a plain store");
}

TEST(QueueModelTest, AWaiterThatWasToldAndTakesItsOneBackIsCaught) {
  ExpectQueueCaught({.takes_back_when_told = true}, "takes its one back when told");
}

TEST(QueueModelTest, AWokenWaiterThatGivesUpWithoutALookIsCaught) {
  ExpectQueueCaught({.writers = 1, .waiters = 3, .batch = 2, .gives_up_when_woken = true},
                    "gives up when woken");
}

TEST(QueueModelTest, AWriterThatLooksBeforeItPublishesIsCaught) {
  ExpectQueueCaught({.looks_before_publishing = true}, "looks before publishing");
}

TEST(QueueModelTest, AGenerationThatStaysIsCaught) {
  ExpectQueueCaught({.same_generation = true}, "same generation");
}

TEST(QueueModelTest, AWriterThatTakesAllSleepersAndWakesOneIsCaught) {
  ExpectQueueCaught({.takes_all_sleepers = true}, "takes all sleepers");
}

TEST(QueueModelTest, AWriterThatHandsOverByAPlainStoreIsCaught) {
  ExpectQueueCaught({.waiters = 3, .looks_again = 0, .hands_over_by_store = true},
                    "hands over by a plain store");
}

TEST(QueueModelTest, ABatchForWhichOneIsWokenIsCaught) {
  ExpectQueueCaught({.writers = 1, .waiters = 3, .batch = 2, .wakes_one = true},
                    "takes two, wakes one");
  ExpectQueueCaught({.writers = 1, .waiters = 3, .batch = 2, .tells_one = true},
                    "tells one of a batch");
}

TEST(QueueModelTest, EachDeathAfterWhichNoWaiterLooksAgainIsCaught) {
  ExpectQueueCaught({.kills = 1, .blind_after_publish = true}, "killed before hand-6");
  ExpectQueueCaught({.kills = 1, .blind_after_cas = true}, "killed before the wake");
  ExpectQueueCaught({.writers = 1, .waiters = 3, .batch = 2, .kills = 1, .blind_after_wake = true},
                    "killed when woken");
}

// Without it, a later waiter that is woken instead of one that slept before the generation moved
// sleeps again on its old 1, and the other one is not counted any more.
TEST(QueueModelTest, AWokenWaiterThatDoesNotCountItselfAgainIsCaughtWhereTheOrderIsAny) {
  ExpectQueueCaught(
      {.waiters = 3, .looks_again = 0, .any_order = true, .counts_itself_when_woken = false},
      "wakes in any order");
}

TEST(QueueModelTest, TheSystemMayWakeWaitersInAnyOrder) {
  ExpectQueueHolds({.waiters = 3, .looks_again = 0, .any_order = true}, "any order");
}

}  // namespace
}  // namespace commy::model
