// Transactions under snapshot isolation: one word publishes all of them. See
// docs/decisions/0009-transactions.md; serializable is not modelled here.
//
// WORDS    clock; a status for each transaction: active, committing, aborted, or the time t; for
//          each key a chain of records, newest last, whose commit is a reference or a time
// STEPS    owner   S = clock; each key: looks, CAS head -> intent; CAS active -> committing;
//                  t = ++clock; CAS committing -> t; stamps each intent; retires the descriptor
//          put     the same on one key, with a record that is committing from the start
//          reader  S = clock; each key: the newest not above S
//          meeting an intent: active: a reader goes below, a writer aborts it by CAS;
//                  committing: t = ++clock, CAS committing -> t
//          the first owner may be killed at any step (and is then recovered), or stop for good
// HOLDS    a reader sees all of a transaction or nothing; no update is lost; no record refers to a
//          retired descriptor
#include "model/lib/explorer.h"
#include "model/lib/intents.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kKeys = 2;
constexpr int kPutter = 2;  // 0 and 1 are the transactions.
constexpr int kReader = 3;
constexpr int kActors = 4;
constexpr int kRecords = 4;

struct Options {
  int without = -1;  // An actor that is left out, to keep the states few.
  bool reader_passes_committing = false;
  bool time_before_committing = false;
  bool newer_version_ignored = false;
  bool writer_passes_active = false;
  bool own_time_stamped = false;
  bool retired_before_the_walk = false;
  bool retired_by_the_aborter = false;
  bool listed_after_install = false;
};

class TransactionModel {
 public:
  enum Pc : U8 {
    kStart,
    kHead,
    kLook,
    kStatus,
    kAbortOther,
    kTime,
    kComplete,
    kInstall,
    kList,
    kCommit,
    kOwnTime,
    kOwnComplete,
    kAbortSelf,
    kRecover,
    kWalk,
    kRetire,
    kDone,
  };
  struct Record {
    U8 commit, mask, own;  // mask: the actors whose changes the value contains.
  };
  struct Actor {
    U8 pc, step, at, head, snapshot, time, met, base;
    U8 got[kKeys];
  };
  struct State {
    U8 clock, gone;
    U8 status[3], retired[3], listed[3];
    U8 count[kKeys];
    Record record[kKeys][kRecords];
    Actor actor[kActors];
  };

  explicit TransactionModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.clock = 1;
    s.status[0] = s.status[1] = kActive;
    s.status[kPutter] = kCommitting;
    if (options_.without >= 0) {
      s.actor[options_.without].pc = kDone;
    }
    for (int k = 0; k < kKeys; ++k) {
      s.count[k] = 1;
      s.record[k][0].commit = 1;
    }
    if (!options_.listed_after_install) {
      s.listed[0] = s.listed[1] = kKeys;
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kActors; ++i) {
      if (s.actor[i].pc == kDone) {
        continue;
      }
      EmitStep(s, i, emit, [&](State& t, Move& move) { Step(s, t, i, move); });
    }
    if (s.gone != 0 || s.actor[0].pc == kDone) {
      return;
    }
    State killed = s;
    killed.gone = 1;
    killed.actor[0] = Actor{};
    killed.actor[0].pc = kRecover;
    emit(killed, Move{0, "is killed, and recovered from here on", nullptr});
    State stopped = s;
    stopped.gone = 1;
    stopped.actor[0] = Actor{};
    stopped.actor[0].pc = kDone;
    emit(stopped, Move{0, "stops for good", nullptr});
  }

  const char* Check(const State& s) const {
    const Actor& reader = s.actor[kReader];
    if (reader.pc == kDone && ((reader.got[0] ^ reader.got[1]) & 3) != 0) {
      return "a reader saw a part of a transaction";
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (int k = 0; k < kKeys; ++k) {
      U8 wanted = 0;
      U8 found = 0;
      U8 newest = 0;
      for (int r = 0; r < s.count[k]; ++r) {
        const U8 time = TimeOf(s, s.record[k][r]);
        if (!IsTime(time)) {
          continue;
        }
        wanted |= s.record[k][r].own;
        if (time < newest) {
          continue;
        }
        newest = time;
        found = s.record[k][r].mask;
      }
      if (wanted != found) {
        return "an update was lost";
      }
    }
    return nullptr;
  }

 private:
  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    const int k = KeyOfStep(i, me.step, kKeys);
    switch (me.pc) {
      case kStart:
        me.snapshot = i == kPutter ? kAborted : s.clock;
        if (i < kPutter && options_.time_before_committing) {
          me.time = ++t.clock;
        }
        me.pc = kHead;
        move.what = "takes S";
        return;
      case kHead:
        me.head = me.at = s.count[k] - 1;
        me.pc = kLook;
        move.what = "reads the head";
        return;
      case kLook:
        move.what = "reads a commit";
        if (!IsReference(s.record[k][me.at].commit)) {
          return Final(s, t, i, s.record[k][me.at].commit);
        }
        me.met = static_cast<U8>(OwnerOf(s.record[k][me.at].commit));
        if (s.retired[me.met] != 0) {
          move.wrong = "a record refers to a retired descriptor";
        }
        me.pc = kStatus;
        return;
      case kStatus:
        move.what = "reads the status";
        return Met(s, t, i);
      case kAbortOther:
        if (Cas(t.status[me.met], kActive, kAborted) && options_.retired_by_the_aborter) {
          t.retired[me.met] = 1;
        }
        me.pc = kStatus;
        move.what = "CAS another's active -> aborted";
        return;
      case kTime:
        me.time = ++t.clock;
        me.pc = kComplete;
        move.what = "takes a time for another";
        return;
      case kComplete:
        Cas(t.status[me.met], kCommitting, me.time);
        me.time = 0;
        me.pc = kStatus;
        move.what = "CAS another's committing -> t";
        return;
      case kInstall:
        move.what = "CAS head -> intent";
        return Install(s, t, i);
      case kList:
        t.listed[i] = me.step + 1;
        move.what = "lists the intent";
        return NextKey(me, kCommit);
      default:
        return Decide(s, t, i, move);
    }
  }

  // An actor that looks for the version to use has read the status of the intent it met.
  void Met(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const U8 status = s.status[me.met];
    const bool passed_by_reader =
        status == kActive || (status == kCommitting && options_.reader_passes_committing);
    const bool passed_by_writer = status == kActive && options_.writer_passes_active;
    if (i == kReader ? passed_by_reader : passed_by_writer) {
      Final(s, t, i, kAborted);
    } else if (status == kActive) {
      me.pc = kAbortOther;
    } else if (status == kCommitting) {
      me.pc = kTime;
    } else {
      Final(s, t, i, status);
    }
  }

  void Final(const State& s, State& t, int i, U8 time) const {
    Actor& me = t.actor[i];
    const int k = KeyOfStep(i, me.step, kKeys);
    const bool newer = time != kAborted && time > me.snapshot;
    if (newer && i < kPutter && !options_.newer_version_ignored) {
      me.pc = kAbortSelf;
    } else if (time == kAborted || newer) {
      --me.at;
      me.pc = kLook;
    } else if (i == kReader) {
      me.got[k] = s.record[k][me.at].mask;
      NextKey(me, kDone);
    } else {
      me.base = s.record[k][me.at].mask;
      me.pc = kInstall;
    }
  }

  static void NextKey(Actor& me, Pc after) {
    me.head = me.at = me.met = me.base = 0;
    me.pc = ++me.step == kKeys ? after : kHead;
    if (me.step == kKeys) {
      me.step = 0;
    }
  }

  void Install(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const int k = KeyOfStep(i, me.step, kKeys);
    if (s.count[k] - 1 != me.head) {
      me.pc = kHead;
      return;
    }
    const U8 own = Bit(i);
    Record& record = t.record[k][t.count[k]++];
    record = Record{ReferenceTo(i), static_cast<U8>(me.base | own), own};
    if (i == kPutter) {
      me.pc = kOwnTime;
    } else if (options_.listed_after_install) {
      me.pc = kList;
    } else {
      NextKey(me, kCommit);
    }
  }

  void Decide(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kCommit:
        if (!Cas(t.status[i], kActive, kCommitting)) {
          me.pc = kWalk;
        } else {
          me.pc = options_.time_before_committing ? kOwnComplete : kOwnTime;
        }
        move.what = "CAS active -> committing";
        break;
      case kOwnTime:
        me.time = ++t.clock;
        me.pc = kOwnComplete;
        move.what = "takes its time";
        break;
      case kOwnComplete:
        Cas(t.status[i], kCommitting, me.time);
        me.step = 0;
        me.pc = options_.retired_before_the_walk ? kRetire : kWalk;
        move.what = "CAS committing -> t";
        break;
      case kAbortSelf:
        Cas(t.status[i], kActive, kAborted);
        me.step = 0;
        me.pc = kWalk;
        move.what = "aborts itself";
        break;
      case kRecover:
        Cas(t.status[i], kActive, kAborted);
        me.pc = s.status[i] == kCommitting ? kOwnTime : kWalk;
        move.what = "recovery decides";
        break;
      case kWalk:
        move.what = "stamps an intent";
        Walk(s, t, i);
        break;
      default:
        if (i != kPutter) {
          t.retired[i] = 1;
        }
        me = Done(me);
        move.what = "retires the descriptor";
        break;
    }
  }

  void Walk(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const int k = KeyOfStep(i, me.step, kKeys);
    if (me.step < s.listed[i] || i == kPutter) {
      for (int r = 0; r < s.count[k]; ++r) {
        if (s.record[k][r].commit == ReferenceTo(i)) {
          t.record[k][r].commit = options_.own_time_stamped && me.time != 0 ? me.time : s.status[i];
        }
      }
    }
    if (++me.step == kKeys) {
      me.pc = kRetire;
    }
  }

  static Actor Done(const Actor& me) {
    Actor done = Actor{};
    done.pc = kDone;
    done.got[0] = me.got[0];
    done.got[1] = me.got[1];
    return done;
  }

  Options options_;
};

TEST(TransactionModelTest, ReadersSeeTwoTransactionsInOppositeKeyOrderWhole) {
  ExpectHolds(TransactionModel({.without = kPutter}), "transactions, no put",
              {.check_progress = true});
}

TEST(TransactionModelTest, ReadersSeeATransactionBesideAPutWhole) {
  ExpectHolds(TransactionModel({.without = 1}), "transactions, one and a put",
              {.check_progress = true});
}

TEST(TransactionModelTest, TwoTransactionsAndAPutLoseNoUpdate) {
  ExpectHolds(TransactionModel({.without = kReader}), "transactions, no reader",
              {.check_progress = true});
}

TEST(TransactionModelTest, AReaderThatPassesACommittingTransactionIsCaught) {
  ExpectCaught(TransactionModel({.reader_passes_committing = true}),
               "transactions, weakened: committing passed");
}

TEST(TransactionModelTest, ATimeTakenBeforeCommittingIsCaught) {
  ExpectCaught(TransactionModel({.time_before_committing = true}),
               "transactions, weakened: time first");
}

TEST(TransactionModelTest, OverlookingANewerVersionIsCaught) {
  ExpectCaught(TransactionModel({.without = kReader, .newer_version_ignored = true}),
               "transactions, weakened: newer version overlooked");
}

TEST(TransactionModelTest, AWriterThatPassesAnActiveTransactionIsCaught) {
  ExpectCaught(TransactionModel({.without = kReader, .writer_passes_active = true}),
               "transactions, weakened: active passed");
}

TEST(TransactionModelTest, StampingAnIntentWithTheOwnersOwnTimeIsCaught) {
  ExpectCaught(TransactionModel({.without = 1, .own_time_stamped = true}),
               "transactions, weakened: own time");
}

TEST(TransactionModelTest, RetiringTheDescriptorBeforeTheWalkIsCaught) {
  ExpectCaught(TransactionModel({.retired_before_the_walk = true}),
               "transactions, weakened: no walk");
}

TEST(TransactionModelTest, RetiringTheDescriptorOfAnAbortedTransactionByTheAborterIsCaught) {
  ExpectCaught(TransactionModel({.retired_by_the_aborter = true}),
               "transactions, weakened: retired by another");
}

TEST(TransactionModelTest, ListingAnIntentAfterItsInstallIsCaught) {
  ExpectCaught(TransactionModel({.listed_after_install = true}),
               "transactions, weakened: listed late");
}

}  // namespace
}  // namespace commy::model
