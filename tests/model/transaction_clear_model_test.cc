// Clearing a namespace while transactions write in it and in another one. See
// docs/decisions/0009-transactions.md; the steps of a clear are those of src/namespaces/roots.h,
// and its changes of shape, which transactions do not touch, are in clear_model_test.cc.
//
// WORDS    a root word; whether the old root is marked; a slot in the old root, one in the new
//          root, and one in another namespace; a commit for each record and for the new root; for
//          each transaction a status, and whether its list is complete; clock
// STEPS    owner   S = clock, or above all for a batch; completes its list; for each key: looks at
//                  its status; reads the root word, and whether that root is marked: then does
//                  clear-2 and clear-3 first; resolves a new root; its time above S is a conflict;
//                  CAS slot h -> intent; then CAS active -> committing, t = ++clock, CAS committing
//                  -> t
//          put     the same with a record that is undecided, for the namespace that is cleared
//          reader  S = clock; each key: the newest version not above S, in the newest root not
//                  above S
//          clear   clear-1 marks   clear-2 each transaction with a complete list: active: aborts
//                  it; committing: gives it a time   clear-3 CAS root word old -> new, then c =
//                  ++clock, CAS commit of the new root 0 -> c
//          The first owner may be killed at any step, and recovered; the clear may stop for good.
// HOLDS    each commit in the old root is before the clear, each in the new one after it; a reader
//          finds the values that the times give, so all of a transaction or nothing; each writer in
//          the new root began after the clear, or is a batch
#include <array>

#include "model/lib/explorer.h"
#include "model/lib/intents.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kTransactions = 2;
constexpr int kPutter = 2;
constexpr int kReader = 3;
constexpr int kClearer = 4;
constexpr int kActors = 5;
constexpr int kKeys = 2;  // 0: in the namespace that is cleared. 1: in another one.
constexpr int kRecords = 4;
constexpr U8 kAboveAll = 0x7f;  // As S.
constexpr U8 kNothing = 0xff;   // No record.
constexpr U8 kBase = 7;         // The value that each key has at first.
enum Slot : U8 { kOld, kNew, kOther, kSlots };

struct Options {
  std::array<bool, kActors> with{true, false, false, true, true};
  std::array<bool, kTransactions> batch{};
  int first_key = 0;  // Of the first transaction; the second one goes in reverse order.
  bool killed = false;
  bool clearer_stops = false;
  bool looks_before_marking = false;
  bool lists_after_looking = false;
  bool active_passed = false;
  bool committing_passed = false;
  bool root_not_resolved = false;
  bool cleared_before_swing = false;
  bool conflict_ignored = false;
};

class TransactionClearModel {
 public:
  enum Pc : U8 {
    kBegin,
    kList,
    kCheck,
    kRoot,
    kHead,
    kLook,
    kHelpTime,
    kHelp,
    kResolveTime,
    kResolve,
    kAbortOther,
    kInstall,
    kToCommitting,
    kOwnTime,
    kToTime,
    kDecide,
    kC1,
    kC2,
    kC2Time,
    kC2Help,
    kC3,
    kRootTime,
    kRootResolve,
    kDone,
  };
  struct Record {
    U8 commit, value;
  };
  struct Actor {
    U8 pc, step, slot, at, head, time, as_of, clears;
    U8 got[kKeys];
  };
  struct State {
    U8 clock, gone, root, marked, cleared;  // cleared: the new root's commit
    U8 status[kTransactions];
    U8 listed[kTransactions];
    U8 count[kSlots];
    Record record[kSlots][kRecords];
    Actor actor[kActors];
  };

  explicit TransactionClearModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.clock = kFirstTime;
    for (U8& status : s.status) {
      status = kActive;
    }
    for (const Slot slot : {kOld, kOther}) {
      s.count[slot] = 1;
      s.record[slot][0] = {kFirstTime, kBase};
    }
    for (int i = 0; i < kActors; ++i) {
      if (!options_.with[i]) {
        s.actor[i].pc = kDone;
      }
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
    if (s.gone != 0) {
      return;
    }
    if (options_.killed && s.actor[0].pc != kDone) {
      State t = s;
      t.gone = 1;
      t.actor[0] = Over(s.actor[0]);
      t.actor[0].pc = kDecide;
      emit(t, Move{0, "is killed, and recovered from here on", nullptr});
    }
    if (options_.clearer_stops && s.actor[kClearer].pc != kDone) {
      State t = s;
      t.gone = 1;
      t.actor[kClearer] = Over(s.actor[kClearer]);
      emit(t, Move{kClearer, "stops for good", nullptr});
    }
  }

  const char* Check(const State& s) const {
    for (int r = 0; r < s.count[kOld]; ++r) {
      const Record& record = s.record[kOld][r];
      const U8 time = TimeOf(s, record);
      if (s.cleared != 0 && IsReference(record.commit) && IsTime(time) && time > s.cleared) {
        return "committed after the clear, and in the old root";
      }
    }
    for (int r = 0; r < s.count[kNew]; ++r) {
      const U8 time = TimeOf(s, s.record[kNew][r]);
      if (IsTime(time) && (s.cleared == 0 || time < s.cleared)) {
        return "committed before the clear, and in the new root";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    for (int i = 0; i < kTransactions; ++i) {
      bool in_new = false;
      for (int r = 0; r < s.count[kNew]; ++r) {
        in_new = in_new || s.record[kNew][r].commit == ReferenceTo(i);
      }
      if (IsTime(s.status[i]) && in_new && s.actor[i].as_of < s.cleared) {
        return "a transaction did not see the clear, and wrote after it";
      }
    }
    const Actor& reader = s.actor[kReader];
    for (int k = 0; k < kKeys && options_.with[kReader]; ++k) {
      if (reader.got[k] != ValueAt(s, k, reader.as_of)) {
        return "a reader found a value other than the times give";
      }
    }
    return nullptr;
  }

 private:
  static bool IsTransaction(int i) { return i < kTransactions; }
  int KeyOf(const Actor& me, int i) const {
    if (i == kPutter) {
      return 0;
    }
    const bool swapped = i == 0 ? options_.first_key == 1 : i == 1 && options_.first_key == 0;
    return swapped ? kKeys - 1 - me.step : me.step;
  }

  static U8 ValueAt(const State& s, int k, U8 time) {
    const bool cleared = s.cleared != 0 && s.cleared <= time;
    const Slot slot = k == 1 ? kOther : cleared ? kNew : kOld;
    U8 newest = 0;
    U8 value = 0;
    for (int r = 0; r < s.count[slot]; ++r) {
      const U8 commit = TimeOf(s, s.record[slot][r]);
      if (!IsTime(commit) || commit > time || commit < newest) {
        continue;
      }
      newest = commit;
      value = s.record[slot][r].value;
    }
    return value;
  }

  void Step(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kBegin:
        move.what = "begins, takes S";
        me.as_of = i == kPutter || (IsTransaction(i) && options_.batch[i]) ? kAboveAll : s.clock;
        if (i == kClearer) {
          me.clears = 1, me.as_of = 0;
        }
        me.pc = i != kClearer ? kCheck : options_.looks_before_marking ? kC2 : kC1;
        if (IsTransaction(i) && !options_.lists_after_looking) {
          me.pc = kList;
        }
        if (i == kPutter || i == kReader) {
          BeginKey(me, i);
        }
        return;
      case kList:
        move.what = "completes its list";
        t.listed[i] = 1;
        me.pc = options_.lists_after_looking ? kHead : kCheck;
        return;
      case kCheck:
        move.what = "looks at its status";
        if (s.status[i] != kActive) {
          me = Over(me);
        } else {
          BeginKey(me, i);
        }
        return;
      case kRoot:
        move.what = "reads the root word, and the root's commit";
        return ReadRoot(s, me, i);
      case kHead:
        move.what = "reads the slot";
        return ReadSlot(s, t, i);
      case kLook:
        move.what = "reads a commit, and the status that it refers to";
        return Look(s, t, i);
      case kInstall:
        move.what = "CAS slot h -> its record";
        return Install(s, t, i);
      case kHelpTime:
      case kHelp:
      case kResolveTime:
      case kResolve:
      case kAbortOther:
        return Meet(t, i, move);
      case kToCommitting:
      case kOwnTime:
      case kToTime:
      case kDecide:
        return Decide(s, t, i, move);
      default:
        return Clear(s, t, i, move);
    }
  }

  void BeginKey(Actor& me, int i) const {
    me.at = me.head = me.time = me.clears = 0;
    me.slot = KeyOf(me, i) == 1 ? kOther : kOld;
    me.pc = me.slot == kOther ? kHead : kRoot;
  }

  void ReadRoot(const State& s, Actor& me, int i) const {
    me.slot = s.root == 0 ? kOld : kNew;
    me.pc = kHead;
    if (s.root == 0 && s.marked != 0 && i != kReader) {
      me.clears = 1;
      me.at = 0;
      me.pc = kC2;
      return;
    }
    if (IsTransaction(i) && options_.lists_after_looking && s.listed[i] == 0) {
      me.pc = kList;
    }
    if (s.root == 0) {
      return;
    }
    if (s.cleared == 0 && !options_.root_not_resolved) {
      me.pc = kRootTime;
    } else if (s.cleared > me.as_of) {
      if (i == kReader) {
        me.slot = kOld;
      }
      if (IsTransaction(i) && !options_.conflict_ignored) {
        me.pc = kDecide;
      }
    }
  }

  void ReadSlot(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    me.head = s.count[me.slot];
    me.at = me.head - 1;  // Or kNothing.
    me.pc = kLook;
    if (me.at == kNothing) {
      Found(t, i, 0);
    }
  }

  void Look(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    const Record& record = s.record[me.slot][me.at];
    const U8 time = TimeOf(s, record);
    if (record.commit == 0) {
      me.pc = kResolveTime;
    } else if (time == kCommitting) {
      me.pc = kHelpTime;
    } else if (time == kActive && i != kReader) {
      me.pc = kAbortOther;
    } else if (!IsTime(time) || (i == kReader && time > me.as_of)) {
      if (--me.at == kNothing) {
        Found(t, i, 0);
      }
    } else if (i == kReader) {
      Found(t, i, record.value);
    } else {
      me.pc = time > me.as_of ? kDecide : kInstall;
    }
  }

  void Found(State& t, int i, U8 value) const {
    Actor& me = t.actor[i];
    if (i != kReader) {
      me.pc = kInstall;
      return;
    }
    me.got[KeyOf(me, i)] = value;
    if (++me.step == kKeys) {
      me = Over(me);
    } else {
      BeginKey(me, i);
    }
  }

  void Meet(State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    Record& record = t.record[me.slot][me.at];
    const bool intent = IsReference(record.commit);
    switch (me.pc) {
      case kHelpTime:
      case kResolveTime:
        move.what = "takes a time";
        me.time = ++t.clock;
        me.pc = me.pc == kHelpTime ? kHelp : kResolve;
        return;
      case kHelp:
        move.what = "CAS another's committing -> t";
        Cas(t.status[OwnerOf(record.commit)], kCommitting, me.time);
        break;
      case kResolve:
        move.what = "CAS commit 0 -> t";
        if (record.commit == 0) {
          record.commit = me.time;
        }
        if (i == kPutter && record.value == ValueOf(i)) {
          me.pc = kDone;
        }
        break;
      default:
        move.what = "CAS another's active -> aborted";
        if (intent) {
          Cas(t.status[OwnerOf(record.commit)], kActive, kAborted);
        }
        break;
    }
    me.time = 0;
    if (me.pc == kDone) {
      me = Over(me);
    } else {
      me.pc = kLook;
    }
  }

  static U8 ValueOf(int i) { return static_cast<U8>(i + 1); }

  void Install(const State& s, State& t, int i) const {
    Actor& me = t.actor[i];
    if (s.count[me.slot] != me.head) {
      me.pc = kCheck;
      if (i == kPutter) {
        BeginKey(me, i);
      }
      return;
    }
    const U8 commit = IsTransaction(i) ? ReferenceTo(i) : U8{0};
    me.at = t.count[me.slot]++;
    t.record[me.slot][me.at] = {commit, ValueOf(i)};
    if (i == kPutter) {
      me.pc = kResolveTime;
      return;
    }
    me.at = me.head = me.slot = 0;
    me.pc = ++me.step == kKeys ? kToCommitting : kCheck;
  }

  void Decide(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kToCommitting:
        move.what = "CAS active -> committing";
        me.pc = kOwnTime;
        if (!Cas(t.status[i], kActive, kCommitting)) {
          me = Over(me);
        }
        return;
      case kOwnTime:
        move.what = "takes its time";
        me.time = ++t.clock;
        me.pc = kToTime;
        return;
      case kToTime:
        move.what = "CAS committing -> t";
        Cas(t.status[i], kCommitting, me.time);
        me = Over(me);
        return;
      default:
        move.what = "aborts itself, or goes on if it is committing";
        Cas(t.status[i], kActive, kAborted);
        me = Over(me);
        if (s.status[i] == kCommitting) {
          me.pc = kOwnTime;
        }
        return;
    }
  }

  // clear-1 to clear-3, by the clear or an actor that came to a marked root; and the new root's
  // time, by any.
  void Clear(const State& s, State& t, int i, Move& move) const {
    Actor& me = t.actor[i];
    switch (me.pc) {
      case kC1:
        move.what = "clear-1: marks the old root";
        t.marked = 1;
        me.at = 0;
        me.pc = options_.looks_before_marking ? kC3 : kC2;
        return;
      case kC2:
        move.what = "clear-2: looks at a transaction, aborts it if it is active";
        if (s.listed[me.at] != 0 && !options_.active_passed) {
          Cas(t.status[me.at], kActive, kAborted);
        }
        if (s.listed[me.at] != 0 && s.status[me.at] == kCommitting && !options_.committing_passed) {
          me.pc = kC2Time;
        } else {
          NextInC2(me, i);
        }
        return;
      case kC2Time:
        move.what = "clear-2: takes a time";
        me.time = ++t.clock;
        me.pc = kC2Help;
        return;
      case kC2Help:
        move.what = "clear-2: CAS another's committing -> t";
        Cas(t.status[me.at], kCommitting, me.time);
        me.time = 0;
        NextInC2(me, i);
        return;
      case kC3:
        move.what = "clear-3: CAS root word old -> new";
        t.root = 1;
        me.pc = kRootTime;
        return;
      case kRootTime:
        move.what = "takes a time for the new root";
        if (s.cleared != 0) {
          return EndClear(t, i);
        }
        me.time = ++t.clock;
        me.pc = kRootResolve;
        return;
      default:
        move.what = "CAS the new root's commit 0 -> c";
        Cas(t.cleared, 0, me.time);
        return EndClear(t, i);
    }
  }

  void NextInC2(Actor& me, int i) const {
    me.pc = kC2;
    if (++me.at < kTransactions) {
      return;
    }
    me.at = 0;
    me.pc = i == kClearer && options_.looks_before_marking ? kC1
            : options_.cleared_before_swing                ? kRootTime
                                                           : kC3;
  }

  void EndClear(State& t, int i) const {
    Actor& me = t.actor[i];
    me.time = 0;
    if (options_.cleared_before_swing && t.root == 0) {
      me.pc = kC3;
    } else if (i == kClearer) {
      me = Over(me);
    } else {
      BeginKey(me, i);
      if (IsTransaction(i)) {
        me.slot = 0, me.pc = kCheck;
      }
    }
  }

  static Actor Over(const Actor& me) {
    Actor over = Actor{};
    over.pc = kDone;
    over.as_of = me.as_of;
    for (int k = 0; k < kKeys; ++k) {
      over.got[k] = me.got[k];
    }
    return over;
  }

  Options options_;
};

constexpr Options With(Options o, std::array<bool, kActors> with) {
  o.with = with;
  return o;
}

constexpr std::array<bool, kActors> kAndAPut{true, false, true, false, true};
constexpr std::array<bool, kActors> kAndAPutAndAReader{true, false, true, true, true};
constexpr std::array<bool, kActors> kTwo{true, true, false, false, true};

TEST(TransactionClearModelTest, ATransactionAndAReaderAgreeOnTheClearsTime) {
  ExpectHolds(TransactionClearModel({}), "clear, transaction", {.check_progress = true});
  ExpectHolds(TransactionClearModel({.first_key = 1}), "clear, transaction, other key first",
              {.check_progress = true});
}

TEST(TransactionClearModelTest, ABatchAPutAndAReaderAgreeOnTheClearsTime) {
  ExpectHolds(TransactionClearModel(With({.batch = {true, false}}, kAndAPutAndAReader)),
              "clear, batch, put, reader");
}

TEST(TransactionClearModelTest, AKilledTransactionIsBeforeTheClearOrAfterIt) {
  ExpectHolds(TransactionClearModel({.killed = true}), "clear, killed");
  ExpectHolds(TransactionClearModel(With({.batch = {true, false}, .killed = true}, kAndAPut)),
              "clear, killed, put", {.check_progress = true});
}

TEST(TransactionClearModelTest, TransactionsFinishAClearThatStops) {
  ExpectHolds(
      TransactionClearModel(With({.batch = {true, false}, .clearer_stops = true}, kAndAPut)),
      "clear, stopped", {.check_progress = true});
}

TEST(TransactionClearModelTest, TwoTransactionsInOppositeKeyOrderBothAgreeWithTheClear) {
  ExpectHolds(TransactionClearModel(With({.batch = {false, true}}, kTwo)), "clear, two",
              {.check_progress = true});
}

TEST(TransactionClearModelTest, LookingAtTransactionsBeforeMarkingTheRootIsCaught) {
  ExpectCaught(TransactionClearModel({.looks_before_marking = true}),
               "clear, weakened: clear-2 before clear-1");
}

TEST(TransactionClearModelTest, AListCompletedAfterReadingTheRootIsCaught) {
  ExpectCaught(TransactionClearModel({.lists_after_looking = true}),
               "clear, weakened: listed after the look");
}

TEST(TransactionClearModelTest, AClearThatPassesAnActiveTransactionIsCaught) {
  ExpectCaught(TransactionClearModel({.active_passed = true}), "clear, weakened: active passed");
}

TEST(TransactionClearModelTest, AClearThatPassesACommittingTransactionIsCaught) {
  ExpectCaught(TransactionClearModel({.committing_passed = true}),
               "clear, weakened: committing passed");
}

TEST(TransactionClearModelTest, WritingInARootWithoutATimeIsCaught) {
  ExpectCaught(TransactionClearModel({.root_not_resolved = true}),
               "clear, weakened: root undecided");
}

TEST(TransactionClearModelTest, ATimeTakenBeforeTheNewRootIsInPlaceIsCaught) {
  ExpectCaught(TransactionClearModel({.cleared_before_swing = true}),
               "clear, weakened: time before clear-3");
}

TEST(TransactionClearModelTest, ATransactionThatOverlooksAClearIsCaught) {
  ExpectCaught(TransactionClearModel({.conflict_ignored = true}),
               "clear, weakened: conflict overlooked");
}

}  // namespace
}  // namespace commy::model
