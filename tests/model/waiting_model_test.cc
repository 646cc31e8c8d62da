// Waiting for changes: the steps of index/changes.h.
//
// WORDS    word {generation, awaited}; value: how many changes were published
// STEPS    waiter  C1 set awaited, take the generation   C2 look at the value   C3 sleep while the word
//                  is {that generation, awaited}
//          writer  N1 publish   N2 look at the word   N3 CAS {g, 1} -> {g + 1, 0}   N4 wake all
// KILLS    writers, anywhere; who recovers one does N2 to N4. Waiters, anywhere.
// HOLDS    nobody sleeps for ever over a change that he has not seen. That a waiter looks again after
//          a second is left out, but where a writer is killed between N3 and N4.
#include <cstdio>

#include "explorer.h"

namespace commy::model {
namespace {

using U8 = std::uint8_t;
constexpr int kWriters = 2;
constexpr int kWaiters = 2;
constexpr U8 kPuts = 2;  // Of each writer.

struct Options {
  bool looks_before_publishing = false;
  bool looks_before_arming = false;
  bool sleeps_without_comparing = false;
  bool plain_store = false;
  bool same_generation = false;
  bool dead_not_told = false;
};

class WaitingModel {
 public:
  static constexpr U8 kPublish = 0, kLook = 1, kMove = 2, kWake = 3, kDone = 4, kDead = 5;
  static constexpr U8 kArm = 0, kRead = 1, kSleep = 2, kAsleep = 3, kGone = 4;
  struct Writer {
    U8 pc, left, seen_generation, seen_awaited, told;
  };
  struct Waiter {
    U8 pc, generation, last;
  };
  struct State {
    U8 generation, awaited, value, lost_wake;
    Writer writer[kWriters];
    Waiter waiter[kWaiters];
  };

  explicit WaitingModel(Options options) : weak_(options) {}

  State Initial() const {
    State s;
    std::memset(&s, 0, sizeof s);
    for (Writer& writer : s.writer) {
      writer.left = kPuts;
      writer.pc = weak_.looks_before_publishing ? kLook : kPublish;
    }
    for (Waiter& waiter : s.waiter) waiter.pc = weak_.looks_before_arming ? kRead : kArm;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int w = 0; w < kWriters; ++w) {
      if (s.writer[w].pc == kDone) continue;
      if (s.writer[w].pc == kDead) {
        if (s.writer[w].told != 0 || weak_.dead_not_told) continue;
        State t = s;
        t.writer[w].told = 1;
        Tell(t);
        emit(t, Move{w, "is recovered"});
        continue;
      }
      State t = s;
      const char* const what = Write(s, t, t.writer[w]);
      emit(t, Move{w, what});
      State dead = s;
      dead.lost_wake |= s.writer[w].pc == kWake ? 1 : 0;
      dead.writer[w] = {kDead, 0, 0, 0, 0};
      emit(dead, Move{w, "is killed"});
    }
    for (int a = 0; a < kWaiters; ++a) {
      if (s.waiter[a].pc == kGone) continue;
      State t = s;
      if (const char* const what = Wait(s, t.waiter[a], t); what != nullptr) {
        emit(t, Move{kWriters + a, what});
      }
      State dead = s;
      dead.waiter[a] = {kGone, 0, 0};
      emit(dead, Move{kWriters + a, "is killed"});
    }
  }

  // What may last for ever: writers that are through, or dead and recovered, and a waiter asleep.
  const char* Check(const State& s) const {
    for (const Writer& writer : s.writer) {
      const bool over =
          writer.pc == kDone || (writer.pc == kDead && (writer.told != 0 || weak_.dead_not_told));
      if (!over) return nullptr;
    }
    for (const Waiter& waiter : s.waiter) {
      if (waiter.pc == kAsleep && waiter.last != s.value && s.lost_wake == 0) {
        return "sleeps for ever over a change";
      }
    }
    return nullptr;
  }
  const char* CheckFinal(const State&) const { return nullptr; }

 private:
  static void WakeAll(State& t) {
    for (Waiter& waiter : t.waiter) {
      if (waiter.pc == kAsleep) waiter.pc = kArm;
    }
  }
  // N2 to N4 in one: recovery may be cut short, and is done again.
  void Tell(State& t) const {
    if (t.awaited == 0) return;
    t.generation += weak_.same_generation ? 0 : 1;
    t.awaited = 0;
    WakeAll(t);
  }

  const char* Write(const State& s, State& t, Writer& me) const {
    switch (me.pc) {
      case kPublish:
        ++t.value;
        me.pc = weak_.looks_before_publishing ? (me.seen_awaited != 0 ? kMove : Next(me)) : kLook;
        return "publishes";
      case kLook:
        me.seen_generation = s.generation;
        me.seen_awaited = s.awaited;
        me.pc = weak_.looks_before_publishing ? kPublish : me.seen_awaited != 0 ? kMove : Next(me);
        return "looks whether anybody waits";
      case kMove: {
        const bool same = s.generation == me.seen_generation && s.awaited == 1;
        if (!same && !weak_.plain_store) {
          me.seen_generation = s.generation;  // The CAS tells what is there.
          if (s.awaited == 0) me.pc = Next(me);
          return "CAS fails";
        }
        t.generation = static_cast<U8>(me.seen_generation + (weak_.same_generation ? 0 : 1));
        t.awaited = 0;
        me.pc = kWake;
        return "moves the generation on";
      }
      default:
        WakeAll(t);
        me.pc = Next(me);
        return "wakes";
    }
  }
  U8 Next(Writer& me) const {
    me.seen_generation = me.seen_awaited = 0;
    if (--me.left == 0) return kDone;
    return weak_.looks_before_publishing ? kLook : kPublish;
  }

  const char* Wait(const State& s, Waiter& me, State& t) const {
    switch (me.pc) {
      case kArm:
        me.generation = s.generation;
        t.awaited = 1;
        me.pc = weak_.looks_before_arming ? kSleep : kRead;
        return "says that it waits";
      case kRead:
        if (s.value != me.last) {
          me.last = s.value;
          me.pc = weak_.looks_before_arming ? kRead : kArm;  // Hears of it, and waits for more.
        } else {
          me.pc = weak_.looks_before_arming ? kArm : kSleep;
        }
        return "looks";
      case kSleep:
        if (weak_.sleeps_without_comparing || (s.generation == me.generation && s.awaited == 1)) {
          me.pc = kAsleep;
          return "sleeps";
        }
        me.pc = weak_.looks_before_arming ? kRead : kArm;
        return "does not sleep";
      default:
        return nullptr;  // Asleep.
    }
  }

  const Options weak_;
};

Result Explore(Options options) {
  return Explorer<WaitingModel>(WaitingModel(options), Limits{}).Run();
}

TEST(WaitingModelTest, NobodySleepsOverAChange) {
  const Result result = Explore({});
  EXPECT_TRUE(result.complete) << result.violation;
  std::printf("%llu states\n", static_cast<unsigned long long>(result.states));
  EXPECT_GT(result.states, 1000U);
}

TEST(WaitingModelTest, EachWeakeningIsCaught) {
  const struct {
    const char* name;
    Options options;
  } all[] = {
      {"looks before publishing", {.looks_before_publishing = true}},
      {"looks before arming", {.looks_before_arming = true}},
      {"sleeps without comparing", {.sleeps_without_comparing = true}},
      {"plain store", {.plain_store = true}},
      {"same generation", {.same_generation = true}},
      {"dead not told", {.dead_not_told = true}},
  };
  for (const auto& weakening : all) {
    const Result result = Explore(weakening.options);
    EXPECT_FALSE(result.violation.empty()) << weakening.name << " was not noticed";
  }
}

}  // namespace
}  // namespace commy::model
