// Of two transactions that need the same keys the older one goes first, and one that stands still
// delays no other: ORDER in src/versions/intents.h.
//
// WORDS    for each key, which transaction's attempt has its intent there; for each transaction
//          the status of its present attempt. A lower number is an older transaction.
// STEPS    owner   each key: CAS head -> intent; CAS active -> committed; or walks, and tries again
//          waits   for an active older one that moves; may give up its attempt, and wait without it
//          aborts  an active younger one, or one that stands still, by CAS
//          one of them may stop, anywhere, for good or until it wakes
// LEFT OUT clocks: a transaction stands still if and only if it has stopped
// HOLDS    no younger transaction aborts one that moves; each that has not stopped can always still
//          commit. (The number of attempts of a younger one is not bounded: it may be back at a key
//          before the older one that aborted it there.)
#include "model/lib/explorer.h"
#include "model/lib/intents.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kOwners = 3;
constexpr int kKeys = 2;
constexpr U8 kAttemptsTold = 4;        // The number of attempts that a state can tell apart.
constexpr U8 kCommitted = kFirstTime;  // The model has no clock.

struct Options {
  bool wakes = false;
  bool newcomer_wins = false;
  bool all_wait = false;
  bool stopped_is_waited_for = false;
  bool waiting_is_standing_still = false;
};

class OrderModel {
 public:
  enum Pc : U8 { kInstall, kWait, kCommit, kWalk, kAhead, kDone };
  struct Owner {
    U8 pc, step, status, attempt;
    U8 met, met_attempt;  // met: owner + 1.
    U8 gave_up;
  };
  struct State {
    U8 intent[kKeys];  // Owner + 1.
    U8 stopped;        // Owner + 1.
    U8 has_stopped;
    Owner owner[kOwners];
  };

  explicit OrderModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    for (Owner& owner : s.owner) {
      owner.status = kActive;
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kOwners; ++i) {
      if (s.owner[i].pc == kDone) {
        continue;
      }
      if (s.stopped == i + 1) {
        if (!options_.wakes) {
          continue;
        }
        State woken = s;
        woken.stopped = 0;
        emit(woken, Move{i, "wakes", nullptr});
        continue;
      }
      Step(s, i, emit);
      if (s.has_stopped != 0) {
        continue;
      }
      State stopped = s;
      stopped.stopped = static_cast<U8>(i + 1);
      stopped.has_stopped = 1;
      emit(stopped, Move{i, "stops", nullptr});
    }
  }

  const char* CheckFinal(const State& s) const {
    for (int i = 0; i < kOwners; ++i) {
      if (s.owner[i].pc != kDone && s.stopped != i + 1) {
        return "a transaction waits for good";
      }
    }
    return nullptr;
  }

 private:
  template <typename Emit>
  void Step(const State& s, int i, Emit&& emit) const {
    State t = s;
    Owner& me = t.owner[i];
    switch (s.owner[i].pc) {
      case kInstall:
        Install(s, t, i);
        emit(t, Move{i, "looks at a key", nullptr});
        return;
      case kWait:
        Wait(s, i, emit);
        return;
      case kCommit:
        Cas(me.status, kActive, kCommitted);
        me.pc = kWalk;
        emit(t, Move{i, "CAS active -> committed", nullptr});
        return;
      case kWalk:
        Walk(t, i);
        emit(t, Move{i, "walks", nullptr});
        return;
      default:
        if (IsActive(s, me) && Moves(s, me.met - 1)) {
          return;
        }
        me.met = me.met_attempt = 0;
        me.pc = kInstall;
        emit(t, Move{i, "has waited without an attempt", nullptr});
        return;
    }
  }

  void Install(const State& s, State& t, int i) const {
    Owner& me = t.owner[i];
    U8& intent = t.intent[KeyOfStep(i, me.step, kKeys)];
    if (me.status != kActive) {
      me.pc = kWalk;
    } else if (intent == 0 || s.owner[intent - 1].status != kActive) {
      intent = static_cast<U8>(i + 1);
      if (++me.step == kKeys) {
        me.pc = kCommit;
      }
    } else {
      me.met = intent;
      me.met_attempt = s.owner[intent - 1].attempt;
      me.pc = kWait;
    }
  }

  // The attempt that was met.
  static bool IsActive(const State& s, const Owner& me) {
    const Owner& other = s.owner[me.met - 1];
    return other.status == kActive && other.attempt == me.met_attempt && other.pc != kDone;
  }
  bool Moves(const State& s, int i) const {
    if (options_.waiting_is_standing_still && s.owner[i].pc == kWait) {
      return false;
    }
    return s.stopped != i + 1 || options_.stopped_is_waited_for;
  }

  template <typename Emit>
  void Wait(const State& s, int i, Emit&& emit) const {
    State t = s;
    Owner& me = t.owner[i];
    const int other = me.met - 1;
    if (me.status != kActive || !IsActive(s, me)) {
      me.met = me.met_attempt = 0;
      me.pc = me.status != kActive ? U8{kWalk} : U8{kInstall};
      emit(t, Move{i, "has waited", nullptr});
      return;
    }
    const bool older = other < i;
    if (Moves(s, other) && !options_.newcomer_wins && (older || options_.all_wait)) {
      if (options_.all_wait) {
        return;
      }
      me.status = kAborted;
      me.gave_up = 1;
      me.pc = kWalk;
      emit(t, Move{i, "gives up its attempt", nullptr});
      return;
    }
    t.owner[other].status = kAborted;
    me.met = me.met_attempt = 0;
    me.pc = kInstall;
    emit(t,
         Move{i, "aborts another",
              older && s.stopped != other + 1 ? "an older one that moves was aborted" : nullptr});
  }

  static void Walk(State& t, int i) {
    Owner& me = t.owner[i];
    for (U8& intent : t.intent) {
      if (intent == i + 1) {
        intent = 0;
      }
    }
    me.step = 0;
    if (me.status == kCommitted) {
      me = Owner{kDone, 0, kCommitted, 0, 0, 0, 0};
      return;
    }
    me.status = kActive;
    me.attempt = static_cast<U8>((me.attempt + 1) % kAttemptsTold);
    me.pc = me.gave_up != 0 ? kAhead : kInstall;
    me.gave_up = 0;
  }

  Options options_;
};

TEST(TransactionOrderModelTest, TransactionsCommitBesideOneThatStopsForGood) {
  ExpectHolds(OrderModel({}), "order of three transactions, one stops", {.check_progress = true});
}

TEST(TransactionOrderModelTest, TransactionsCommitBesideOneThatStopsAndWakes) {
  ExpectHolds(OrderModel({.wakes = true}), "order of three transactions, one stops and wakes",
              {.check_progress = true});
}

TEST(TransactionOrderModelTest, AYoungerTransactionThatAbortsAnOlderOneIsCaught) {
  ExpectCaught(OrderModel({.newcomer_wins = true}), "order, weakened: newcomer wins");
}

TEST(TransactionOrderModelTest, TransactionsThatWaitForEachOtherAreCaught) {
  ExpectCaught(OrderModel({.all_wait = true}), "order, weakened: ages overlooked");
}

TEST(TransactionOrderModelTest, WaitingForAStoppedTransactionIsCaught) {
  ExpectCaught(OrderModel({.stopped_is_waited_for = true}), "order, weakened: no progress seen");
}

TEST(TransactionOrderModelTest, TakingAWaitingTransactionForAStoppedOneIsCaught) {
  ExpectCaught(OrderModel({.waiting_is_standing_still = true}),
               "order, weakened: waiting is no step");
}

}  // namespace
}  // namespace commy::model
