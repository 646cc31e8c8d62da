// Waiting for changes and for keys: the steps of src/namespaces/notify.h.
//
// WORDS    change word {generation, awaited, sleepers, keys}; key word {generation, awaited};
//          value: how often the key was put. All changes are puts of the one key.
// STEPS    waiter for changes   wait-1 set awaited, take the generation   wait-2 look at the value
//                               wait-3 count itself, if the generation is that one
//                               wait-4 sleep, if it still is
//          waiter for the key   key-1 set keys   key-2 set awaited in the key word, take its
//                               generation   key-3 look at the value
//                               key-4 sleep while the key word is that
//          writer               notify-1 publish   notify-2 load the change word
//                               notify-3 if keys: load the key word, CAS {g, 1} -> {g + 1, 0},
//                               wake all   notify-4 if awaited: CAS {g, n, 1} -> {g + 1, 0, 0},
//                               wake all, if n > 0
// KILLS    writers, anywhere; a recoverer does notify-2 to notify-4. Waiters, anywhere.
// HOLDS    no waiter sleeps for ever over a change that it has not seen. The model leaves out that
//          a waiter looks again after a second, except if a writer is killed between a CAS and its
//          wake. Naps and pauses are times in which a waiter takes no step.
#include <string>

#include "model/lib/explorer.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kWriters = 2;
constexpr int kWaiters = 2;
constexpr U8 kSleepersMax = 2;

struct Options {
  int key_waiters = 1;  // The others wait for changes.
  U8 puts = 2;          // Of each writer.
  bool looks_before_publishing = false;
  bool looks_before_arming = false;
  bool sleeps_without_comparing = false;
  bool plain_store = false;
  bool same_generation = false;
  bool dead_not_told = false;
  bool sleeps_uncounted = false;
  bool sets_no_keys = false;
  bool forgets_keys = false;
  bool same_key_generation = false;
  bool plain_key_store = false;
  bool key_not_told = false;
  bool dead_key_not_told = false;
};

class WaitingModel {
 public:
  static constexpr U8 kPublish = 0, kLook = 1, kLookKey = 2, kMoveKey = 3, kWakeKey = 4, kMove = 5,
                      kWake = 6, kDone = 7, kDead = 8;
  static constexpr U8 kArm = 0, kArmKey = 1, kRead = 2, kCount = 3, kSleep = 4, kAsleep = 5,
                      kGone = 6;
  struct Words {
    U8 generation, awaited, sleepers, keys;
  };
  struct KeyWord {
    U8 generation, awaited;
  };
  struct Writer {
    U8 pc, left, told;
    Words seen;
    KeyWord seen_key;
  };
  struct Waiter {
    U8 pc, generation, last;
  };
  struct State {
    Words word;
    KeyWord key;
    U8 value, lost_wake, lost_key_wake;
    Writer writer[kWriters];
    Waiter waiter[kWaiters];
  };

  explicit WaitingModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    for (Writer& writer : s.writer) {
      writer.left = options_.puts;
      writer.pc = First();
    }
    for (Waiter& waiter : s.waiter) {
      waiter.pc = options_.looks_before_arming ? kRead : kArm;
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int w = 0; w < kWriters; ++w) {
      if (s.writer[w].pc == kDone) {
        continue;
      }
      if (s.writer[w].pc == kDead) {
        if (s.writer[w].told != 0 || options_.dead_not_told) {
          continue;
        }
        State t = s;
        t.writer[w].told = 1;
        TellForDead(t);
        emit(t, Move{w, "is recovered"});
        continue;
      }
      State t = s;
      const char* const what = Write(s, t, t.writer[w]);
      emit(t, Move{w, what});
      State dead = s;
      dead.lost_wake |= s.writer[w].pc == kWake ? 1 : 0;
      dead.lost_key_wake |= s.writer[w].pc == kWakeKey ? 1 : 0;
      std::memset(&dead.writer[w], 0, sizeof dead.writer[w]);
      dead.writer[w].pc = kDead;
      emit(dead, Move{w, "is killed"});
    }
    for (int a = 0; a < kWaiters; ++a) {
      if (s.waiter[a].pc == kGone) {
        continue;
      }
      State t = s;
      const char* const what =
          WaitsForKey(a) ? WaitForKey(s, t.waiter[a], t) : WaitForChange(s, t.waiter[a], t);
      if (what != nullptr) {
        emit(t, Move{kWriters + a, what});
      }
      State dead = s;
      dead.waiter[a] = {kGone, 0, 0};
      emit(dead, Move{kWriters + a, "is killed"});
    }
  }

  // Looks only at states that may last: each writer is done, or dead and recovered.
  const char* Check(const State& s) const {
    for (const Writer& writer : s.writer) {
      const bool over = writer.pc == kDone ||
                        (writer.pc == kDead && (writer.told != 0 || options_.dead_not_told));
      if (!over) {
        return nullptr;
      }
    }
    for (int a = 0; a < kWaiters; ++a) {
      const U8 lost = WaitsForKey(a) ? s.lost_key_wake : s.lost_wake;
      if (s.waiter[a].pc == kAsleep && s.waiter[a].last != s.value && lost == 0) {
        return "a waiter sleeps for ever over a change";
      }
    }
    return nullptr;
  }

 private:
  [[nodiscard]] bool WaitsForKey(int waiter) const { return waiter < options_.key_waiters; }
  [[nodiscard]] U8 First() const { return options_.looks_before_publishing ? kLook : kPublish; }

  void WakeAll(State& t, bool key) const {
    for (int a = 0; a < kWaiters; ++a) {
      if (WaitsForKey(a) == key && t.waiter[a].pc == kAsleep) {
        t.waiter[a].pc = kArm;
      }
    }
  }
  void MoveOn(Words& word) const {
    word.generation += options_.same_generation ? 0 : 1;
    word.awaited = word.sleepers = 0;
    word.keys = options_.forgets_keys ? 0 : word.keys;
  }
  void MoveOn(KeyWord& key) const {
    key.generation += options_.same_key_generation ? 0 : 1;
    key.awaited = 0;
  }
  // notify-2 to notify-4 in one step: recovery may be cut short, and is then repeated.
  void TellForDead(State& t) const {
    if (t.word.keys != 0 && t.key.awaited != 0 && !options_.dead_key_not_told) {
      MoveOn(t.key);
      WakeAll(t, true);
    }
    if (t.word.awaited != 0) {
      const bool sleepers = t.word.sleepers != 0;
      MoveOn(t.word);
      if (sleepers) {
        WakeAll(t, false);
      }
    }
  }

  const char* Write(const State& s, State& t, Writer& me) const {
    switch (me.pc) {
      case kPublish:
        ++t.value;
        me.pc = options_.looks_before_publishing ? AfterLook(me) : kLook;
        return "publishes";
      case kLook:
        me.seen = s.word;
        me.pc = options_.looks_before_publishing ? kPublish : AfterLook(me);
        return "looks whether a waiter waits";
      case kLookKey:
        me.seen_key = s.key;
        me.pc = me.seen_key.awaited != 0 ? kMoveKey : AfterKey(me);
        return "looks whether a waiter waits for the key";
      case kMoveKey:
        if (!Same(s.key, me.seen_key) && !options_.plain_key_store) {
          me.seen_key = s.key;  // A failed CAS returns the present word.
          if (s.key.awaited == 0) {
            me.pc = AfterKey(me);
          }
          return "CAS of the key word fails";
        }
        t.key = me.seen_key;
        MoveOn(t.key);
        me.pc = kWakeKey;
        return "moves the key word on";
      case kWakeKey:
        WakeAll(t, true);
        me.pc = AfterKey(me);
        return "wakes the waiters for the key";
      case kMove:
        if (!Same(s.word, me.seen) && !options_.plain_store) {
          me.seen = s.word;
          if (s.word.awaited == 0) {
            me.pc = Next(me);
          }
          return "CAS fails";
        }
        t.word = me.seen;
        MoveOn(t.word);
        me.pc = me.seen.sleepers != 0 ? kWake : Next(me);
        return "moves the generation on";
      default:
        WakeAll(t, false);
        me.pc = Next(me);
        return "wakes";
    }
  }
  static bool Same(const Words& a, const Words& b) { return std::memcmp(&a, &b, sizeof a) == 0; }
  static bool Same(const KeyWord& a, const KeyWord& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
  U8 AfterLook(Writer& me) const {
    return me.seen.keys != 0 && !options_.key_not_told ? kLookKey : AfterKey(me);
  }
  U8 AfterKey(Writer& me) const {
    me.seen_key = {0, 0};
    return me.seen.awaited != 0 ? kMove : Next(me);
  }
  U8 Next(Writer& me) const {
    me.seen = {0, 0, 0, 0};
    return --me.left == 0 ? kDone : First();
  }

  // wait-2 and key-3. A waiter that sees a change waits for the next one.
  const char* Read(const State& s, Waiter& me, U8 to_sleep) const {
    const bool same = s.value == me.last;
    me.last = s.value;
    if (options_.looks_before_arming) {
      me.pc = same ? kArm : kRead;
    } else {
      me.pc = same ? to_sleep : kArm;
    }
    return "looks";
  }
  const char* SleepIf(bool same, Waiter& me) const {
    if (same || options_.sleeps_without_comparing) {
      me.pc = kAsleep;
      return "sleeps";
    }
    me.pc = options_.looks_before_arming ? kRead : kArm;
    return "does not sleep";
  }

  const char* WaitForChange(const State& s, Waiter& me, State& t) const {
    const U8 to_sleep = options_.sleeps_uncounted ? kSleep : kCount;
    switch (me.pc) {
      case kArm:
        me.generation = s.word.generation;
        t.word.awaited = 1;
        me.pc = options_.looks_before_arming ? to_sleep : kRead;
        return "says that it waits";
      case kRead:
        return Read(s, me, to_sleep);
      case kCount:
        if (s.word.generation != me.generation || s.word.awaited == 0) {
          if (!options_.sleeps_without_comparing) {
            me.pc = options_.looks_before_arming ? kRead : kArm;
            return "does not count itself";
          }
        }
        t.word.sleepers = s.word.sleepers == kSleepersMax ? kSleepersMax : s.word.sleepers + 1;
        me.pc = kSleep;
        return "counts itself";
      case kSleep:
        return SleepIf(s.word.generation == me.generation && s.word.awaited == 1, me);
      default:
        return nullptr;  // Asleep.
    }
  }

  const char* WaitForKey(const State& s, Waiter& me, State& t) const {
    switch (me.pc) {
      case kArm:
        t.word.keys = options_.sets_no_keys ? s.word.keys : 1;
        me.pc = kArmKey;
        return "says that a key is waited for";
      case kArmKey:
        me.generation = s.key.generation;
        t.key.awaited = 1;
        me.pc = options_.looks_before_arming ? kSleep : kRead;
        return "says that it waits for the key";
      case kRead:
        return Read(s, me, kSleep);
      case kSleep:
        return SleepIf(s.key.generation == me.generation && s.key.awaited == 1, me);
      default:
        return nullptr;  // Asleep.
    }
  }

  const Options options_;
};

TEST(WaitingModelTest, NoWaiterSleepsOverAChange) {
  for (const Options& options : {Options{.key_waiters = 0}, Options{.key_waiters = 2},
                                 Options{.key_waiters = 1, .puts = 1}}) {
    const std::string name = "waiting, " + std::to_string(options.key_waiters) + " for the key";
    const Result result = Explore(WaitingModel(options), name.c_str());
    EXPECT_TRUE(result.complete) << result.violation;
    EXPECT_GT(result.states, 1000U);
  }
}

TEST(WaitingModelTest, EachWeakeningIsCaught) {
  const struct {
    const char* name;
    Options options;
  } all[] = {
      {"looks before publishing", {.key_waiters = 0, .looks_before_publishing = true}},
      {"looks before publishing, key", {.key_waiters = 2, .looks_before_publishing = true}},
      {"looks before arming", {.key_waiters = 0, .looks_before_arming = true}},
      {"looks before arming, key", {.key_waiters = 2, .looks_before_arming = true}},
      {"sleeps without comparing", {.key_waiters = 0, .sleeps_without_comparing = true}},
      {"sleeps without comparing, key", {.key_waiters = 2, .sleeps_without_comparing = true}},
      {"plain store", {.key_waiters = 0, .plain_store = true}},
      {"plain store over the keys' bit", {.key_waiters = 1, .plain_store = true}},
      {"same generation", {.key_waiters = 0, .same_generation = true}},
      {"dead not told", {.key_waiters = 0, .dead_not_told = true}},
      {"sleeps uncounted", {.key_waiters = 0, .sleeps_uncounted = true}},
      {"sets no keys", {.key_waiters = 1, .sets_no_keys = true}},
      {"forgets keys", {.key_waiters = 1, .forgets_keys = true}},
      {"same key generation", {.key_waiters = 2, .same_key_generation = true}},
      {"plain key store", {.key_waiters = 2, .plain_key_store = true}},
      {"key not told", {.key_waiters = 1, .key_not_told = true}},
      {"dead writer's key not told", {.key_waiters = 1, .dead_key_not_told = true}},
  };
  for (const auto& weakening : all) {
    const std::string name = std::string("waiting, weakened: ") + weakening.name;
    ExpectCaught(WaitingModel(weakening.options), name.c_str());
  }
}

}  // namespace
}  // namespace commy::model
