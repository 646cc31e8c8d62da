// The checker of histories of transactions: one wrong history for each anomaly, right ones, and
// long ones of a store in memory that is right or has one defect.
#include "support/transaction_history.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace commy::test {
namespace {

using Needs = Finding::Needs;

constexpr std::uint32_t kX = 1;
constexpr std::uint32_t kY = 2;
constexpr std::uint32_t kZ = 3;

ListOp Read(std::uint32_t key, std::vector<std::uint64_t> list) {
  return {ListOp::Kind::kRead, key, std::move(list)};
}
ListOp Append(std::uint32_t key, std::uint64_t value) {
  return {ListOp::Kind::kAppend, key, {value}};
}

// By default each transaction is in a session of its own, and all are at one time.
class HistoryOf {
 public:
  HistoryOf& Add(std::vector<ListOp> ops, Outcome outcome = Outcome::kCommitted) {
    const auto session = static_cast<std::uint32_t>(history_.size()) + 1;
    history_.push_back({session, 1, outcome == Outcome::kUnknown ? 0U : 100U,
                        Isolation::kSerializable, outcome, std::move(ops)});
    return *this;
  }
  // Of the last transaction.
  HistoryOf& At(std::uint64_t begin_ns, std::uint64_t end_ns) {
    history_.back().begin_ns = begin_ns;
    history_.back().end_ns = end_ns;
    return *this;
  }
  HistoryOf& In(std::uint32_t session) {
    history_.back().session = session;
    return *this;
  }

  [[nodiscard]] HistoryReport Under(Isolation isolation) const {
    std::vector<ListTransaction> history = history_;
    for (ListTransaction& one : history) {
      one.isolation = isolation;
    }
    return Examine(history);
  }

 private:
  std::vector<ListTransaction> history_;
};

testing::AssertionResult IsRight(const HistoryReport& report) {
  return report.findings.empty() ? testing::AssertionSuccess()
                                 : testing::AssertionFailure() << report.Told();
}
testing::AssertionResult Has(const HistoryReport& report, Anomaly anomaly,
                             Needs needs = Needs::kNothing) {
  const bool has = std::any_of(
      report.findings.begin(), report.findings.end(),
      [&](const Finding& found) { return found.anomaly == anomaly && found.needs == needs; });
  return has ? testing::AssertionSuccess()
             : testing::AssertionFailure() << "only " << report.Told();
}

constexpr Isolation kBothLevels[] = {Isolation::kSnapshot, Isolation::kSerializable};

testing::AssertionResult IsRight(const HistoryOf& history) {
  for (const Isolation level : kBothLevels) {
    if (testing::AssertionResult right = IsRight(history.Under(level)); !right) {
      return right;
    }
  }
  return testing::AssertionSuccess();
}
testing::AssertionResult Has(const HistoryOf& history, Anomaly anomaly,
                             Needs needs = Needs::kNothing) {
  for (const Isolation level : kBothLevels) {
    if (testing::AssertionResult has = Has(history.Under(level), anomaly, needs); !has) {
      return has;
    }
  }
  return testing::AssertionSuccess();
}

TEST(TransactionHistoryTest, SequentialTransactionsAreRight) {
  EXPECT_TRUE(IsRight(HistoryOf()));
  EXPECT_TRUE(IsRight(HistoryOf()
                          .Add({Read(kX, {}), Append(kX, 1), Append(kY, 2)})
                          .At(1, 2)
                          .Add({Read(kX, {1}), Append(kX, 3), Read(kX, {1, 3}), Append(kX, 4)})
                          .At(3, 4)
                          .Add({Read(kX, {1, 3, 4}), Read(kY, {2}), Read(kX, {1, 3, 4})})
                          .At(5, 6)));
}

TEST(TransactionHistoryTest, OverlappingTransactionsMayCommitInEitherOrder) {
  HistoryOf history;
  history.Add({Read(kX, {}), Append(kX, 1)}).Add({Read(kX, {1}), Append(kX, 2)});
  EXPECT_TRUE(IsRight(history.Add({Read(kX, {})}).Add({Read(kX, {1, 2})})));
}

TEST(TransactionHistoryTest, AReadOfAnAbortedAppendIsCaught) {
  EXPECT_TRUE(Has(HistoryOf().Add({Append(kX, 1)}, Outcome::kAborted).Add({Read(kX, {1})}).Add({}),
                  Anomaly::kAbortedRead));
}

TEST(TransactionHistoryTest, AReadInTheMiddleOfATransactionIsCaught) {
  EXPECT_TRUE(Has(
      HistoryOf().Add({Append(kX, 1), Append(kX, 2)}).Add({Read(kX, {1})}).Add({Read(kX, {1, 2})}),
      Anomaly::kIntermediateRead));
}

TEST(TransactionHistoryTest, AValueThatNobodyAppendedIsCaught) {
  EXPECT_TRUE(Has(HistoryOf().Add({Read(kX, {7})}), Anomaly::kGarbage));
  EXPECT_TRUE(Has(HistoryOf().Add({Append(kX, 7)}).Add({Read(kY, {7})}), Anomaly::kGarbage))
      << "of another key";
  EXPECT_TRUE(Has(HistoryOf().Add({Read(kX, {7}), Append(kX, 7)}), Anomaly::kGarbage))
      << "from the future";
}

TEST(TransactionHistoryTest, AValueThatOccursTwiceInAListIsCaught) {
  EXPECT_TRUE(Has(HistoryOf().Add({Append(kX, 1)}).Add({Read(kX, {1, 1})}), Anomaly::kDuplicate));
}

TEST(TransactionHistoryTest, AReadThatDoesNotSeeItsOwnAppendIsCaught) {
  EXPECT_TRUE(Has(HistoryOf().Add({Append(kX, 1), Read(kX, {})}), Anomaly::kInternal));
}

TEST(TransactionHistoryTest, AReadThatIsNotRepeatableIsCaught) {
  EXPECT_TRUE(
      Has(HistoryOf().Add({Append(kX, 1)}).Add({Read(kX, {}), Read(kX, {1})}), Anomaly::kInternal));
}

TEST(TransactionHistoryTest, ReadersThatDisagreeOnTheOrderAreCaught) {
  EXPECT_TRUE(Has(HistoryOf()
                      .Add({Append(kX, 1)})
                      .Add({Append(kX, 2)})
                      .Add({Read(kX, {1, 2})})
                      .Add({Read(kX, {2, 1})}),
                  Anomaly::kIncompatibleOrder));
}

TEST(TransactionHistoryTest, TwoAppendsToTheSameListAreALostUpdate) {
  EXPECT_TRUE(Has(HistoryOf()
                      .Add({Read(kX, {}), Append(kX, 1)})
                      .Add({Read(kX, {}), Append(kX, 2)})
                      .Add({Read(kX, {2})}),
                  Anomaly::kLostUpdate));
}

TEST(TransactionHistoryTest, ALostAppendOfACommittedTransactionIsCaught) {
  EXPECT_TRUE(Has(HistoryOf().Add({Append(kX, 1)}).At(1, 2).Add({Read(kX, {})}).At(3, 4),
                  Anomaly::kGSingle, Needs::kRealTime));
}

TEST(TransactionHistoryTest, TwoTransactionsThatAppendInOppositeOrdersAreG0) {
  EXPECT_TRUE(Has(HistoryOf()
                      .Add({Append(kX, 1), Append(kY, 2)})
                      .Add({Append(kX, 3), Append(kY, 4)})
                      .Add({Read(kX, {1, 3}), Read(kY, {4, 2})}),
                  Anomaly::kG0));
}

TEST(TransactionHistoryTest, TwoTransactionsThatReadEachOthersAppendsAreG1c) {
  EXPECT_TRUE(
      Has(HistoryOf().Add({Append(kX, 1), Read(kY, {2})}).Add({Append(kY, 2), Read(kX, {1})}),
          Anomaly::kG1c));
}

TEST(TransactionHistoryTest, AReadOfHalfATransactionIsReadSkew) {
  HistoryOf history;
  history.Add({Append(kX, 1), Append(kY, 2)}).Add({Read(kX, {1}), Read(kY, {})});
  EXPECT_TRUE(Has(history.Add({Read(kX, {1}), Read(kY, {2})}), Anomaly::kGSingle));
}

TEST(TransactionHistoryTest, AReadOfHalfATransactionThatNeverReturnedIsReadSkew) {
  EXPECT_TRUE(Has(HistoryOf()
                      .Add({Append(kX, 1), Append(kY, 2)}, Outcome::kUnknown)
                      .Add({Read(kX, {1}), Read(kY, {})}),
                  Anomaly::kGSingle));
}

TEST(TransactionHistoryTest, WriteSkewIsCaughtUnderSerializableOnly) {
  HistoryOf history;
  history.Add({Read(kX, {}), Append(kY, 1)}).Add({Read(kY, {}), Append(kX, 2)});
  history.Add({Read(kX, {2}), Read(kY, {1})});
  EXPECT_TRUE(Has(history.Under(Isolation::kSerializable), Anomaly::kG2));
  EXPECT_TRUE(IsRight(history.Under(Isolation::kSnapshot)));
  EXPECT_EQ(history.Under(Isolation::kSnapshot).write_skews, 1U);
}

TEST(TransactionHistoryTest, WriteSkewThatOnlyAReaderSeesIsCaughtUnderSerializableOnly) {
  // The reader sees the second of two transactions, which did not see the first, but not the first.
  HistoryOf history;
  history.Add({Read(kX, {}), Read(kY, {}), Append(kX, 1)}).At(1, 9);
  history.Add({Read(kY, {}), Append(kY, 2)}).At(2, 3);
  history.Add({Read(kX, {}), Read(kY, {2})}).At(4, 5);
  history.Add({Read(kX, {1}), Read(kY, {2})}).At(10, 11);
  EXPECT_TRUE(Has(history.Under(Isolation::kSerializable), Anomaly::kG2));
  EXPECT_TRUE(IsRight(history.Under(Isolation::kSnapshot)));
}

TEST(TransactionHistoryTest, TwoReadersThatSeeTwoAppendsInOppositeOrdersAreCaught) {
  // Parallel snapshot isolation would allow this.
  EXPECT_TRUE(Has(HistoryOf()
                      .Add({Append(kX, 1)})
                      .Add({Append(kY, 2)})
                      .Add({Read(kX, {1}), Read(kY, {})})
                      .Add({Read(kX, {}), Read(kY, {2})}),
                  Anomaly::kGNonadjacent));
}

TEST(TransactionHistoryTest, InAMixedHistoryASerializableTransactionIsHeldToItsOwnLevel) {
  const auto of = [](Isolation first, Isolation second) {
    return std::vector<ListTransaction>{
        {1, 1, 9, first, Outcome::kCommitted, {Read(kX, {}), Append(kY, 1)}},
        {2, 1, 9, second, Outcome::kCommitted, {Read(kY, {}), Append(kX, 2)}}};
  };
  EXPECT_TRUE(IsRight(Examine(of(Isolation::kSnapshot, Isolation::kSnapshot))));
  // The serializable transaction may lie between the other's begin and its commit.
  EXPECT_TRUE(IsRight(Examine(of(Isolation::kSerializable, Isolation::kSnapshot))));
  EXPECT_TRUE(Has(Examine(of(Isolation::kSerializable, Isolation::kSerializable)), Anomaly::kG2));
}

TEST(TransactionHistoryTest, AnOldReadIsCaughtByRealTimeAndInOneSession) {
  HistoryOf history;
  history.Add({Append(kX, 1)}).At(1, 2).In(1).Add({Read(kX, {})}).In(2);
  EXPECT_TRUE(IsRight(history.At(2, 4))) << "they overlap";
  EXPECT_TRUE(Has(history.At(3, 4), Anomaly::kGSingle, Needs::kRealTime));
  EXPECT_TRUE(Has(history.In(1), Anomaly::kGSingle, Needs::kSessions));
}

TEST(TransactionHistoryTest, AReadThatIsOlderThanAnotherOneBeforeItIsCaught) {
  HistoryOf history;
  history.Add({Append(kX, 1)}).Add({Read(kX, {1})}).At(1, 2).Add({Read(kX, {})}).At(3, 4);
  EXPECT_TRUE(Has(history, Anomaly::kGSingle, Needs::kRealTime));
}

TEST(TransactionHistoryTest, AReadOfALaterTransactionsAppendIsCaught) {
  EXPECT_TRUE(Has(HistoryOf().Add({Read(kX, {1})}).At(1, 2).Add({Append(kX, 1)}).At(3, 4),
                  Anomaly::kG1c, Needs::kRealTime));
}

TEST(TransactionHistoryTest, ATransactionThatNeverReturnedMayCommitLateOrNever) {
  HistoryOf not_at_all;
  not_at_all.Add({Read(kX, {}), Append(kX, 1)}, Outcome::kUnknown).Add({Read(kX, {})}).At(200, 201);
  EXPECT_TRUE(IsRight(not_at_all));
  EXPECT_EQ(not_at_all.Under(Isolation::kSnapshot).proven, 0U);
  HistoryOf late = not_at_all;
  late.Add({Read(kX, {1})}).At(202, 203);
  EXPECT_TRUE(IsRight(late));
  EXPECT_EQ(late.Under(Isolation::kSnapshot).proven, 1U);
  EXPECT_TRUE(Has(late.Add({Read(kX, {})}).At(204, 205), Anomaly::kGSingle, Needs::kRealTime))
      << "a commit that was seen cannot vanish";
}

TEST(TransactionHistoryTest, ReadsOfAbortedTransactionsAreChecked) {
  EXPECT_TRUE(Has(HistoryOf()
                      .Add({Append(kX, 1), Append(kY, 2)})
                      .Add({Read(kX, {1}), Read(kY, {}), Append(kZ, 3)}, Outcome::kAborted)
                      .Add({Read(kX, {1}), Read(kY, {2})}),
                  Anomaly::kGSingle));
}

TEST(TransactionHistoryTest, TheReportNamesTheTransactionsOfAnAnomaly) {
  HistoryOf history;
  history.Add({Append(kX, 1), Append(kY, 2)}).Add({Read(kX, {1}), Read(kY, {})});
  const std::string told = history.Under(Isolation::kSnapshot).Told();
  for (const char* part : {"G-single", "rw key 2", "append 1=1", "read 2=[]"}) {
    EXPECT_NE(told.find(part), std::string::npos) << told;
  }
}

// A store in memory whose transactions take their steps in any order, with one defect or none.
class Model {
 public:
  enum class Wrong : std::uint8_t {
    kNothing,
    kNoConflicts,   // Two transactions may append to one list.
    kNoValidation,  // Serializable transactions do not validate their reads.
    kReadsOfNow,    // Reads are of now, not of the moment at which the transaction began.
    kOldSnapshots,  // Reads are of a moment before the transaction began.
    kAbortedStay,   // The appends of aborted transactions stay.
  };

  Model(Isolation isolation, Wrong wrong, std::uint64_t seed)
      : isolation_(isolation), wrong_(wrong), random_(seed) {}

  std::vector<ListTransaction> Run() {
    std::vector<Running> running(kSessions);
    while (history_.size() < kTransactions) {
      const std::size_t session = random_() % kSessions;
      Running& one = running[session];
      if (!one.is_open) {
        Begin(one, session);
      } else if (one.steps_left-- > 0) {
        Step(one);
      } else {
        End(one);
      }
    }
    ListTransaction all{kSessions, ++now_, 0, isolation_, Outcome::kCommitted, {}};
    for (std::uint32_t key = 0; key < kKeys; ++key) {
      all.ops.push_back(Read(key, ListAt(key, time_)));
    }
    all.end_ns = ++now_;
    history_.push_back(all);
    return history_;
  }

 private:
  static constexpr std::size_t kSessions = 5;
  static constexpr std::size_t kTransactions = 600;
  static constexpr std::uint32_t kKeys = 6;

  struct Version {
    std::uint64_t time = 0;
    std::vector<std::uint64_t> list;
  };
  struct Running {
    bool is_open = false;
    std::uint64_t snapshot = 0;
    std::uint64_t steps_left = 0;
    ListTransaction told;
    std::map<std::uint32_t, std::vector<std::uint64_t>> writes;
  };

  std::vector<std::uint64_t> ListAt(std::uint32_t key, std::uint64_t time) {
    std::vector<std::uint64_t> list;
    for (const Version& version : versions_[key]) {
      if (version.time <= time) {
        list = version.list;
      }
    }
    return list;
  }

  void Begin(Running& one, std::size_t session) {
    one = Running();
    one.is_open = true;
    one.snapshot =
        wrong_ == Wrong::kOldSnapshots ? time_ - std::min<std::uint64_t>(time_, 10) : time_;
    one.steps_left = 1 + random_() % 5;
    // The session of a killed transaction is over, and another one replaces it.
    one.told.session = static_cast<std::uint32_t>(session + kSessions * killed_);
    one.told.begin_ns = ++now_;
    one.told.isolation = isolation_;
  }

  void Step(Running& one) {
    const auto key = static_cast<std::uint32_t>(random_() % kKeys);
    const bool own = one.writes.contains(key);
    std::vector<std::uint64_t> list =
        own ? one.writes[key] : ListAt(key, wrong_ == Wrong::kReadsOfNow ? time_ : one.snapshot);
    one.told.ops.push_back(Read(key, list));
    if (random_() % 2 == 0) {
      one.told.ops.push_back(Append(key, ++value_));
      list.push_back(value_);
      one.writes[key] = list;
    }
  }

  bool MayCommit(const Running& one) {
    const auto is_new = [&](std::uint32_t key) {
      return !versions_[key].empty() && versions_[key].back().time > one.snapshot;
    };
    return std::all_of(one.told.ops.begin(), one.told.ops.end(), [&](const ListOp& op) {
      const bool writes = op.kind == ListOp::Kind::kAppend;
      const bool matters = writes
                               ? wrong_ != Wrong::kNoConflicts
                               : isolation_ == Isolation::kSerializable &&
                                     wrong_ != Wrong::kNoValidation && !one.writes.contains(op.key);
      return !matters || !is_new(op.key);
    });
  }

  void End(Running& one) {
    one.is_open = false;
    const bool is_killed = random_() % 20 == 0;
    const bool commits = MayCommit(one);
    if ((commits && (!is_killed || random_() % 2 == 0)) || wrong_ == Wrong::kAbortedStay) {
      ++time_;
      for (const auto& [key, list] : one.writes) {
        versions_[key].push_back({time_, list});
      }
    }
    one.told.end_ns = is_killed ? 0 : ++now_;
    one.told.outcome = is_killed ? Outcome::kUnknown
                       : commits ? Outcome::kCommitted
                                 : Outcome::kAborted;
    killed_ += is_killed ? 1 : 0;
    history_.push_back(one.told);
  }

  const Isolation isolation_;
  const Wrong wrong_;
  std::mt19937_64 random_;
  std::uint64_t now_ = 0;
  std::uint64_t time_ = 0;
  std::uint64_t value_ = 0;
  std::uint64_t killed_ = 0;
  std::map<std::uint32_t, std::vector<Version>> versions_;
  std::vector<ListTransaction> history_;
};

constexpr int kRounds = 20;

// Whether more than half of some histories of such a store are found to have the anomaly.
testing::AssertionResult AreCaught(Isolation isolation, Model::Wrong wrong, Anomaly anomaly) {
  const std::uint64_t seed = Seed();
  int caught = 0;
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    caught += Has(Examine(Model(isolation, wrong, seed + i).Run()), anomaly) ? 1 : 0;
  }
  return caught > kRounds / 2 ? testing::AssertionSuccess()
                              : testing::AssertionFailure() << "caught in " << caught << " rounds";
}

TEST(TransactionHistoryTest, LongHistoriesOfARightStoreAreRight) {
  const std::uint64_t seed = Seed();
  std::uint64_t write_skews = 0;
  for (const Isolation isolation : kBothLevels) {
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      const HistoryReport report =
          Examine(Model(isolation, Model::Wrong::kNothing, seed + i).Run());
      ASSERT_TRUE(IsRight(report));
      ASSERT_GT(report.committed, 100U);
      ASSERT_TRUE(isolation == Isolation::kSnapshot || report.write_skews == 0);
      write_skews += report.write_skews;
    }
  }
  EXPECT_GT(write_skews, 0U);
}

TEST(TransactionHistoryTest, AStoreWithoutConflictsIsCaught) {
  EXPECT_TRUE(AreCaught(Isolation::kSnapshot, Model::Wrong::kNoConflicts, Anomaly::kLostUpdate));
}
TEST(TransactionHistoryTest, ASerializableStoreThatDoesNotValidateReadsIsCaught) {
  EXPECT_TRUE(AreCaught(Isolation::kSerializable, Model::Wrong::kNoValidation, Anomaly::kG2));
}
TEST(TransactionHistoryTest, AStoreWhoseTransactionsReadTheLatestValuesIsCaught) {
  EXPECT_TRUE(AreCaught(Isolation::kSnapshot, Model::Wrong::kReadsOfNow, Anomaly::kGSingle));
}
TEST(TransactionHistoryTest, AStoreThatKeepsAbortedAppendsIsCaught) {
  EXPECT_TRUE(AreCaught(Isolation::kSnapshot, Model::Wrong::kAbortedStay, Anomaly::kAbortedRead));
}
TEST(TransactionHistoryTest, AStoreWhoseTransactionsBeginInThePastIsCaughtByTimeAlone) {
  const std::uint64_t seed = Seed();
  const HistoryReport report =
      Examine(Model(Isolation::kSnapshot, Model::Wrong::kOldSnapshots, seed).Run());
  ASSERT_EQ(report.findings.size(), 1U) << report.Told();
  EXPECT_NE(report.findings[0].needs, Needs::kNothing) << report.Told();
}

}  // namespace
}  // namespace commy::test
