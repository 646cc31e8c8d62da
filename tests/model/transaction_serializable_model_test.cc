// Serializable transactions: prepared as of a time, validated as of it, then committed at it. See
// docs/decisions/0009-transactions.md. The other models of transactions show that a transaction is
// seen whole, and the fate of its intents.
//
// WORDS    clock; a status for each transaction: active, committing, prepared(t), t, aborted; for
//          each key a chain of records, newest last, whose commit is a reference, 0 (a put that has
//          no time yet) or a time; for each snapshot S and, if its holder validates, that it keeps
//          all that is replaced since
// STEPS    owner   S = clock; reads; CAS head -> intent; keeps; CAS active -> committing;
//                  t = ++clock; CAS committing -> prepared(t); reads again as of t, which must give
//                  the same; CAS prepared(t) -> t
//          put     CAS head -> record; t = ++clock; CAS commit 0 -> t; drops the versions
//                  below it that are not needed, and itself if it is a delete above no version
//          reader  S = clock; each key: the newest not above S
//          meeting an intent: active: passed, by a writer aborted; committing: t = ++clock, CAS
//                  committing -> prepared(t), or t for snapshot isolation; prepared(t): passed if t
//                  is above the time as of which the actor reads; else a reader aborts it, and a
//                  validating owner has a conflict; a writer aborts it
//          the first owner may be killed at any step and recovered: a status not final is aborted
// HOLDS    the committed transactions, the puts and the reader, one after the other in some order,
//          read and leave behind the same
#include <array>

#include "model/lib/explorer.h"
#include "model/lib/intents.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kKeys = 2;
constexpr int kPutter = 2;  // 0 and 1 are the transactions; 0 writes the last key, 1 the first.
constexpr int kReader = 3;
constexpr int kActors = 4;
constexpr int kRecords = 4;
constexpr int kPuts = 2;
constexpr U8 kNow = 0x3f;      // Above every time.
constexpr U8 kNothing = 0xff;  // No record, after the oldest one.
constexpr U8 kAbsent = 0;      // As a value.
constexpr U8 kDelete = kAbsent;
constexpr U8 kBase = 7;  // The value that a key has at first.

struct Put {
  int key = -1;
  U8 value = kDelete;
};

struct Options {
  bool second = false;  // Whether there is a second transaction, and a reader.
  bool reader = false;
  bool second_is_snapshot = false;      // It is isolated by a snapshot, and reads nothing.
  std::array<U8, 2> reads{0b01, 0b10};  // A bit for each key that a transaction reads.
  std::array<Put, kPuts> puts{};
  bool absent = false;  // The keys are, at first.
  bool killed = false;
  bool validated_before_t = false;
  bool committing_passed = false;
  bool prepared_passed = false;
  bool undecided_passed = false;
  bool reader_passes_prepared = false;
  bool helper_commits_prepared = false;
  bool absent_not_validated = false;
  bool keeps_nothing = false;
};

class SerializableModel {
 public:
  enum Pc : U8 {
    kBegin,
    kHead,
    kLook,
    kHelpTime,
    kHelp,
    kResolveTime,
    kResolve,
    kAbortOther,
    kInstall,
    kKeep,
    kToCommitting,
    kOwnTime,
    kToPrepared,
    kToCommitted,
    kAbortSelf,
    kPrune,
    kRecover,
    kDone,
  };
  enum Phase : U8 { kReads, kWrites, kValidates };
  struct Record {
    U8 commit, value, gone;
  };
  // `step`: the key for a reader, the number of the put for the putter.
  struct Actor {
    U8 pc, phase, step, at, head, time, as_of;
    U8 got[kKeys];
  };
  struct State {
    U8 clock, gone;
    U8 status[2], snapshot[kActors], keeps[2];
    U8 count[kKeys];
    Record record[kKeys][kRecords];
    Actor actor[kActors];
  };

  explicit SerializableModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.clock = kFirstTime;
    s.status[0] = s.status[1] = kActive;
    if (!options_.second) {
      s.actor[1].pc = kDone;
    }
    if (options_.puts[0].key < 0) {
      s.actor[kPutter].pc = kDone;
    }
    if (!options_.reader) {
      s.actor[kReader].pc = kDone;
    }
    for (int k = 0; k < kKeys; ++k) {
      s.count[k] = 1;
      s.record[k][0] = {kFirstTime, options_.absent ? kAbsent : kBase, 0};
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
    if (!options_.killed || s.gone != 0 || s.actor[0].pc == kDone) {
      return;
    }
    State t = s;
    t.gone = 1;
    t.actor[0] = Actor{};
    t.actor[0].pc = kRecover;
    emit(t, Move{0, "is killed, and recovered from here on", nullptr});
  }

  const char* CheckFinal(const State& s) const {
    unsigned todo = 0;
    for (unsigned i = 0; i < 2; ++i) {
      if (IsTime(s.status[i])) {
        todo |= 1U << i;
      }
    }
    for (unsigned p = 0; p < kPuts; ++p) {
      if (options_.puts[p].key >= 0) {
        todo |= 1U << (kPutter + p);
      }
    }
    if (options_.reader) {
      todo |= 1U << (kPutter + kPuts);
    }
    const U8 first = options_.absent ? kAbsent : kBase;
    if (!IsSerial(s, todo, {first, first})) {
      return "no serial order gives this result";
    }
    for (int i = 0; i < kPutter; ++i) {
      for (int k = 0; k < kKeys && IsTime(s.status[i]); ++k) {
        if (Reads(i, k) && s.actor[i].got[k] != ValueAt(s, k, s.status[i], i)) {
          return "a validated value was not the value at t";
        }
      }
    }
    return nullptr;
  }

 private:
  using Values = std::array<U8, kKeys>;
  static bool IsTransaction(int i) { return i < kPutter; }
  static int KeyWritten(int i) { return i == 0 ? kKeys - 1 : 0; }
  static U8 ValueWritten(int i) { return static_cast<U8>(i + 1); }
  bool IsSnapshotOnly(int i) const { return i == 1 && options_.second_is_snapshot; }
  U8 ReadsOf(int i) const {
    return i == kReader ? U8{0b11} : IsSnapshotOnly(i) ? U8{0} : options_.reads[i];
  }
  bool Reads(int i, int k) const { return (ReadsOf(i) >> k & 1) != 0; }

  // Whether the actors in `todo` can follow one another so that each reads what it read, and the
  // last values are those that are there.
  bool IsSerial(const State& s, unsigned todo, Values values) const {
    if (todo == 0) {
      return values[0] == Newest(s, 0) && values[1] == Newest(s, 1);
    }
    for (int n = 0; n <= kPutter + kPuts; ++n) {
      if ((todo >> n & 1U) == 0) {
        continue;
      }
      const int i = n < kPutter ? n : n < kPutter + kPuts ? kPutter : kReader;
      bool same = true;
      for (int k = 0; k < kKeys && i != kPutter; ++k) {
        same = same && (!Reads(i, k) || s.actor[i].got[k] == values[k]);
      }
      Values after = values;
      if (IsTransaction(i)) {
        after[KeyWritten(i)] = ValueWritten(i);
      }
      if (i == kPutter) {
        after[options_.puts[n - kPutter].key] = options_.puts[n - kPutter].value;
      }
      if (same && IsSerial(s, todo & ~(1U << n), after)) {
        return true;
      }
    }
    return false;
  }

  // The newest one that is there.
  static U8 Newest(const State& s, int k) {
    for (int r = s.count[k] - 1; r >= 0; --r) {
      if (s.record[k][r].gone == 0 && IsTime(TimeOf(s, s.record[k][r]))) {
        return s.record[k][r].value;
      }
    }
    return kAbsent;
  }

  // The value that `i` would have found at `time` had nothing been dropped.
  static U8 ValueAt(const State& s, int k, U8 time, int i) {
    for (int r = s.count[k] - 1;; --r) {
      const Record& record = s.record[k][r];
      const U8 commit = TimeOf(s, record);
      if (IsTime(commit) && commit <= time && record.commit != ReferenceTo(i)) {
        return record.value;
      }
    }
  }

  int KeyOf(const State& s, int i) const {
    const Actor& me = s.actor[i];
    if (i == kPutter) {
      return options_.puts[me.step].key;
    }
    return me.phase == kWrites ? KeyWritten(i) : me.step;
  }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kBegin:
        move.what = "takes S";
        if (i != kPutter) {
          me.as_of = t.snapshot[i] = s.clock;
        }
        if (i == kPutter) {
          me.phase = kWrites;
        }
        me.pc = kHead;
        if (i != kPutter) {
          NextKey(t, i, 0);
        }
        return;
      case kHead:
        move.what = "reads the head";
        me.head = me.at = s.count[KeyOf(s, i)] - 1;
        me.pc = kLook;
        SkipGone(s, i, me);
        return;
      case kLook:
        move.what = "reads a commit, and the status that it refers to";
        return Look(s, t, i);
      case kHelpTime:
      case kResolveTime:
        move.what = "takes a time for another";
        me.time = ++t.clock;
        me.pc = me.pc == kHelpTime ? kHelp : kResolve;
        return;
      case kHelp: {
        move.what = "CAS another's committing -> prepared(t) or t";
        const int other = OwnerOf(s.record[KeyOf(s, i)][me.at].commit);
        Cas(t.status[other], kCommitting, TimeFor(other, me.time));
        LookAgain(me);
        return;
      }
      case kResolve: {
        move.what = "CAS commit 0 -> t";
        Record& record = t.record[KeyOf(s, i)][me.at];
        if (record.commit == 0) {
          record.commit = me.time;
        }
        const bool own = i == kPutter && me.at != me.head;
        LookAgain(me);
        if (own) {
          me.pc = kPrune;
        }
        return;
      }
      case kAbortOther: {
        move.what = "CAS another's status -> aborted, or prepared(t) -> t";
        U8& status = t.status[OwnerOf(s.record[KeyOf(s, i)][me.at].commit)];
        const bool prepared = IsPrepared(status);
        if (prepared && options_.helper_commits_prepared) {
          status &= kNow;
        } else if (prepared || status == kActive) {
          status = kAborted;
        }
        me.pc = kLook;
        return;
      }
      case kInstall:
        move.what = "CAS head -> its record";
        return Install(s, t, i);
      case kPrune:
        move.what = "prunes";
        return Prune(t, i);
      default:
        return Decide(s, t, i, move);
    }
  }

  U8 TimeFor(int i, U8 time) const {
    return IsSnapshotOnly(i) ? time : static_cast<U8>(time | kPrepared);
  }
  static void LookAgain(Actor& me) { me.time = 0, me.pc = kLook; }

  void Look(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    if (me.at == kNothing) {
      return Found(t, i, kFirstTime, kAbsent);
    }
    const Record& record = s.record[KeyOf(s, i)][me.at];
    const U8 time = TimeOf(s, record);
    if (Passes(me, i, record, time)) {
      Pass(s, i, me);
    } else if (record.commit == 0) {
      me.pc = kResolveTime;
    } else if (time == kCommitting) {
      me.pc = kHelpTime;
    } else if (IsTime(time)) {
      Found(t, i, time, record.value);
    } else {
      me.pc = me.phase == kValidates ? kAbortSelf : kAbortOther;
    }
  }

  // Whether a record does not count for `i`, and the one below does.
  bool Passes(const Actor& me, int i, const Record& record, U8 time) const {
    const bool validates = me.phase == kValidates;
    const bool writes = me.phase == kWrites;
    if (record.commit == 0) {
      return validates && options_.undecided_passed;
    }
    if (time == kAborted || record.commit == ReferenceTo(i)) {
      return true;
    }
    if (time == kActive) {
      return !writes;
    }
    if (time == kCommitting) {
      return validates && options_.committing_passed;
    }
    if (!IsPrepared(time)) {
      return !writes && time > me.as_of;
    }
    const bool weak =
        validates ? options_.prepared_passed : i == kReader && options_.reader_passes_prepared;
    return !writes && ((time & kNow) > me.as_of || weak);
  }

  void Pass(const State& s, int i, Actor& me) const {
    --me.at;
    SkipGone(s, i, me);
  }

  // No actor comes to a record that was dropped; one that came to it before may still read it.
  void SkipGone(const State& s, int i, Actor& me) const {
    while (me.at != kNothing && s.record[KeyOf(s, i)][me.at].gone != 0) {
      --me.at;
    }
  }

  void Found(State& t, int i, U8 time, U8 value) const {
    Actor& me = t.actor[i];
    if (me.phase == kWrites) {
      me.pc = IsTransaction(i) && time > me.as_of ? kAbortSelf : kInstall;
    } else if (me.phase == kReads) {
      me.got[me.step] = value;
      NextKey(t, i, me.step + 1);
    } else if (value != me.got[me.step]) {
      me.pc = kAbortSelf;
    } else {
      NextKey(t, i, me.step + 1);
    }
  }

  // Goes on with the next key to be read or validated, or with the next phase.
  void NextKey(State& t, int i, int k) const {
    Actor& me = t.actor[i];
    me.at = me.head = me.step = 0;
    const auto skipped = [&] {
      return !Reads(i, k) ||
             (me.phase == kValidates && options_.absent_not_validated && me.got[k] == kAbsent);
    };
    while (k < kKeys && skipped()) {
      ++k;
    }
    if (k < kKeys) {
      me.step = static_cast<U8>(k);
      me.pc = kHead;
    } else if (i == kReader) {
      Finish(t, i);
    } else if (me.phase == kReads) {
      me.phase = kWrites;
      me.pc = kHead;
    } else {
      me.pc = options_.validated_before_t ? kOwnTime : kToCommitted;
    }
  }

  void Install(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const int k = KeyOf(s, i);
    if (s.count[k] - 1 != me.head) {
      me.at = me.head = 0;
      me.pc = kHead;
      return;
    }
    Record& record = t.record[k][t.count[k]++];
    if (i == kPutter) {
      record = {0, options_.puts[me.step].value, 0};
      me.at = t.count[k] - 1;
      me.pc = kResolveTime;
    } else {
      record = {ReferenceTo(i), ValueWritten(i), 0};
      me.at = me.head = 0;
      me.pc = IsSnapshotOnly(i) || options_.keeps_nothing ? kToCommitting : kKeep;
    }
  }

  // The version below the one just put, and so on; then the latter itself.
  void Prune(State& t, int i) const {
    Actor& me = t.actor[i];
    Record* const chain = t.record[KeyOf(t, i)];
    const int own = me.at;
    const U8 until = chain[own].commit;
    bool bottom = true;  // No version is below.
    for (int below = own; bottom && --below >= 0;) {
      const U8 time = TimeOf(t, chain[below]);
      if (chain[below].gone != 0 || time == kAborted) {
        continue;
      }
      bottom = chain[below].value == kAbsent || !Needed(t, time, until);
      if (bottom) {
        chain[below].gone = 1;
      }
    }
    if (chain[own].value == kDelete && bottom && t.count[KeyOf(t, i)] == own + 1) {
      chain[own].gone = 1;
    }
    me.at = me.head = 0;
    if (++me.step == kPuts || options_.puts[me.step].key < 0) {
      Finish(t, i);
    } else {
      me.pc = kHead;
    }
  }

  static bool Needed(const State& s, U8 from, U8 until) {
    for (int i = 0; i < kActors; ++i) {
      const U8 held = s.snapshot[i];
      if (held == 0) {
        continue;
      }
      if (from <= held && held < until) {
        return true;
      }
      if (IsTransaction(i) && s.keeps[i] != 0 && until > held) {
        return true;
      }
    }
    return false;
  }

  void Decide(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kKeep:
        move.what = "keeps the versions that are replaced from now on";
        t.keeps[i] = 1;
        me.pc = kToCommitting;
        return;
      case kToCommitting:
        move.what = "CAS active -> committing";
        if (!Cas(t.status[i], kActive, kCommitting)) {
          return Finish(t, i);
        }
        me.pc = kOwnTime;
        if (options_.validated_before_t && !IsSnapshotOnly(i)) {
          Validate(t, i, kNow);
        }
        return;
      case kOwnTime:
        move.what = "takes its time";
        me.time = ++t.clock;
        me.pc = kToPrepared;
        return;
      case kToPrepared:
        move.what = "CAS committing -> prepared(t) or t";
        Cas(t.status[i], kCommitting, TimeFor(i, me.time));
        me.time = 0;
        if (!IsPrepared(t.status[i])) {
          return Finish(t, i);
        }
        if (!options_.validated_before_t) {
          return Validate(t, i, t.status[i] & kNow);
        }
        me.pc = kToCommitted;
        return;
      case kToCommitted:
        move.what = "CAS prepared(t) -> t";
        if (IsPrepared(s.status[i])) {
          t.status[i] &= kNow;
        }
        return Finish(t, i);
      default:
        move.what = "aborts, unless its status is final";
        if (!IsTime(s.status[i])) {
          t.status[i] = kAborted;
        }
        return Finish(t, i);
    }
  }

  void Validate(State& t, int i, U8 as_of) const {
    t.actor[i].phase = kValidates;
    t.actor[i].as_of = as_of;
    NextKey(t, i, 0);
  }

  static void Finish(State& t, int i) {
    Actor& me = t.actor[i];
    const Actor was = me;
    me = Actor{};
    me.pc = kDone;
    for (int k = 0; k < kKeys; ++k) {
      me.got[k] = was.got[k];
    }
    t.snapshot[i] = 0;
    if (IsTransaction(i)) {
      t.keeps[i] = 0;
    }
  }

  Options options_;
};

constexpr Options Skew(Options o = {}) {
  o.second = true;
  return o;
}

TEST(TransactionSerializableModelTest, TwoTransactionsThatReadWhatTheOtherWritesAreSerial) {
  ExpectHolds(SerializableModel(Skew()), "serializable", {.check_progress = true});
  ExpectHolds(SerializableModel(Skew({.absent = true})), "serializable, absent keys");
}

TEST(TransactionSerializableModelTest, TwoTransactionsAndAReaderAreSerial) {
  ExpectHolds(SerializableModel(Skew({.reader = true})), "serializable, reader");
}

TEST(TransactionSerializableModelTest, TwoTransactionsOfWhichOneIsKilledAreSerial) {
  ExpectHolds(SerializableModel(Skew({.reads = {0b11, 0b11}, .killed = true})),
              "serializable, killed", {.check_progress = true});
}

TEST(TransactionSerializableModelTest, TwoTransactionsAndPutsAreSerial) {
  ExpectHolds(SerializableModel(Skew({.puts = {{{0, 3}, {1, 4}}}})), "serializable, puts",
              {.check_progress = true});
}

TEST(TransactionSerializableModelTest, ATransactionBesideOneUnderSnapshotIsolationIsSerial) {
  ExpectHolds(SerializableModel(Skew({.reader = true, .second_is_snapshot = true})),
              "serializable, one snapshot");
}

TEST(TransactionSerializableModelTest, ATransactionAReaderAndTwoPutsOfAKeyThatItReadAreSerial) {
  ExpectHolds(SerializableModel({.reader = true, .puts = {{{0, 3}, {0, 4}}}}),
              "serializable, put twice");
  ExpectHolds(SerializableModel({.reader = true, .puts = {{{0, 3}, {0, kDelete}}}, .absent = true}),
              "serializable, put and deleted");
}

TEST(TransactionSerializableModelTest, ValidatingBeforeTheTimeIsTakenIsCaught) {
  ExpectCaught(SerializableModel({.reader = true, .puts = {{{0, 3}}}, .validated_before_t = true}),
               "serializable, weakened: validated before t");
}

TEST(TransactionSerializableModelTest, AValidationThatPassesACommittingTransactionIsCaught) {
  ExpectCaught(SerializableModel(Skew({.committing_passed = true})),
               "serializable, weakened: committing passed");
}

TEST(TransactionSerializableModelTest, AValidationThatPassesAPreparedTransactionIsCaught) {
  ExpectCaught(SerializableModel(Skew({.prepared_passed = true})),
               "serializable, weakened: prepared passed");
}

TEST(TransactionSerializableModelTest, AValidationThatPassesAnUndecidedPutIsCaught) {
  ExpectCaught(SerializableModel({.reader = true, .puts = {{{0, 3}}}, .undecided_passed = true}),
               "serializable, weakened: undecided passed");
}

TEST(TransactionSerializableModelTest, AReaderThatPassesAPreparedTransactionIsCaught) {
  ExpectCaught(
      SerializableModel({.reader = true, .puts = {{{0, 3}}}, .reader_passes_prepared = true}),
      "serializable, weakened: reader passes prepared");
}

TEST(TransactionSerializableModelTest, CommittingForATransactionThatValidatesIsCaught) {
  ExpectCaught(SerializableModel(Skew({.reader = true, .helper_commits_prepared = true})),
               "serializable, weakened: committed by another");
}

TEST(TransactionSerializableModelTest, NotValidatingAbsentKeysIsCaught) {
  ExpectCaught(SerializableModel(Skew({.absent = true, .absent_not_validated = true})),
               "serializable, weakened: absent keys");
}

TEST(TransactionSerializableModelTest, PruningVersionsThatAreYetToBeValidatedIsCaught) {
  ExpectCaught(
      SerializableModel({.reader = true, .puts = {{{0, 3}, {0, 4}}}, .keeps_nothing = true}),
      "serializable, weakened: pruned");
  ExpectCaught(
      SerializableModel({.puts = {{{0, 3}, {0, kDelete}}}, .absent = true, .keeps_nothing = true}),
      "serializable, weakened: deleted");
}

}  // namespace
}  // namespace commy::model
