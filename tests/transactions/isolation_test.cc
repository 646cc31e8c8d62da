// What transactions see of each other: one test for each phenomenon that the literature names, step
// by step in one thread, under both levels where they differ. Threads are in
// tests/race/transaction_race_test.cc, processes in tests/multiprocess/bank_test.cc.
#include <functional>
#include <map>
#include <tuple>

#include "commy/transaction.h"
#include "support/transaction_fixture.h"

namespace commy::test {
namespace {

// Both levels, on keys of a hash and of an ordered namespace.
class IsolationTest : public TransactionFixture,
                      public testing::WithParamInterface<std::tuple<Isolation, Order>> {
 protected:
  void TearDown() override {
    if (!HasFatalFailure()) {
      ExpectNothingLeft(store_);
    }
    TransactionFixture::TearDown();
  }
  [[nodiscard]] Transaction Begin() const {
    return MustBegin(store_, std::get<Isolation>(GetParam()));
  }
  static bool Serializable() { return std::get<Isolation>(GetParam()) == Isolation::kSerializable; }
  // The answer of a commit that only the stricter level refuses.
  static void ExpectRefusedIfSerializable(const absl::Status& done) {
    EXPECT_TRUE(Serializable() ? absl::IsAborted(done) : done.ok()) << done;
  }

  Store store_ = MustOpen(TinyNodes(QuietOptions()));
  Namespace ns_ = *store_.OpenNamespace("n", {.order = std::get<Order>(GetParam())});
  Namespace other_ = MustOpenNamespace(store_, "other");
};

INSTANTIATE_TEST_SUITE_P(Levels, IsolationTest,
                         testing::Combine(testing::Values(Isolation::kSnapshot,
                                                          Isolation::kSerializable),
                                          testing::Values(Order::kHash, Order::kOrdered)),
                         [](const auto& level) {
                           return std::string(NameOf(std::get<Isolation>(level.param))) +
                                  NameOf(std::get<Order>(level.param));
                         });

TEST_P(IsolationTest, DirtyReadNoReaderSeesUncommittedWrites) {
  ASSERT_TRUE(ns_.Put("k", "old").ok());
  Transaction writer = Begin();
  ASSERT_TRUE(writer.Put(ns_, "k", "dirty").ok());
  ASSERT_TRUE(writer.Put(ns_, "new", "dirty").ok());
  Transaction reader = Begin();
  const Pairs old = {{"k", "old"}};
  EXPECT_EQ(Read(reader, ns_, "k"), "old");
  EXPECT_EQ(Read(reader, ns_, "new"), "absent");
  EXPECT_EQ(PairsOf(reader, ns_), old);
  EXPECT_EQ(PairsOf(ns_), old);
  EXPECT_EQ(PairsOf(ns_, {.consistent = false}), old);
  EXPECT_EQ(*ns_.Count(), 1U);
  EXPECT_EQ(*ns_.Size(), 1U);
  writer.Rollback();
  Transaction later = Begin();
  EXPECT_EQ(Read(later, ns_, "k"), "old");
  EXPECT_EQ(PairsOf(ns_), old);
}

TEST_P(IsolationTest, LostUpdateTheSecondOfTwoTransactionsThatReadAndWroteOneKeyIsAborted) {
  ASSERT_TRUE(ns_.Put("n", "10").ok());
  Transaction first = Begin();
  Transaction second = Begin();
  const int seen_first = std::stoi(Read(first, ns_, "n"));
  const int seen_second = std::stoi(Read(second, ns_, "n"));
  ASSERT_TRUE(first.Put(ns_, "n", std::to_string(seen_first + 1)).ok());
  ASSERT_TRUE(second.Put(ns_, "n", std::to_string(seen_second + 2)).ok());
  EXPECT_TRUE(first.Commit().ok());
  EXPECT_TRUE(absl::IsAborted(second.Commit()));
  EXPECT_EQ(Read(ns_, "n"), "11");
}

TEST_P(IsolationTest, LostUpdateASingleWriteInBetweenAbortsTheTransaction) {
  const std::map<std::string, std::function<void()>> writes = {
      {"put", [&] { ASSERT_TRUE(ns_.Put("n", "20").ok()); }},
      {"add", [&] { ASSERT_EQ(*ns_.Add("n", 10), 20); }},
      {"swap", [&] { ASSERT_TRUE(*ns_.CompareAndSwap("n", {.expected = "10", .desired = "20"})); }},
      {"deleted and put",
       [&] {
         ASSERT_TRUE(*ns_.Delete("n"));
         ASSERT_TRUE(*ns_.PutIfAbsent("n", "20"));
       }},
      {"cleared and put",
       [&] {
         ASSERT_TRUE(ns_.Clear().ok());
         ASSERT_TRUE(ns_.Put("n", "20").ok());
       }},
  };
  for (const auto& [what, write] : writes) {
    SCOPED_TRACE(what);
    ASSERT_TRUE(ns_.Put("n", "10").ok());
    Transaction txn = Begin();
    EXPECT_EQ(*txn.Add(ns_, "n", 1), 11);
    write();
    EXPECT_TRUE(absl::IsAborted(txn.Commit()));
    EXPECT_EQ(Read(ns_, "n"), "20");
  }
}

TEST_P(IsolationTest, LostUpdateTheSecondOfTwoTransactionsThatCreateOneKeyIsAborted) {
  Transaction first = Begin();
  Transaction second = Begin();
  EXPECT_EQ(*first.Add(ns_, "n", 1), 1);
  EXPECT_EQ(*second.Add(ns_, "n", 1), 1);
  EXPECT_TRUE(first.Commit().ok());
  EXPECT_TRUE(absl::IsAborted(second.Commit()));
  EXPECT_EQ(Read(ns_, "n"), "1");
}

TEST_P(IsolationTest, ReadSkewAllReadsOfATransactionAreOfOneMoment) {
  ASSERT_TRUE(ns_.Put("a", "1").ok());
  ASSERT_TRUE(other_.Put("b", "1").ok());
  Transaction reader = Begin();
  EXPECT_EQ(Read(reader, ns_, "a"), "1");
  const absl::Status both = store_.Transact([&](Transaction& txn) -> absl::Status {
    absl::Status put = txn.Put(ns_, "a", "2");
    return put.ok() ? txn.Put(other_, "b", "2") : put;
  });
  ASSERT_TRUE(both.ok()) << both;
  EXPECT_EQ(Read(reader, other_, "b"), "1");
  EXPECT_EQ(Read(reader, ns_, "a"), "1") << "a second read of the key gave another value";
  // The reader now writes a key that depends on its reads, but none of the keys it read.
  ASSERT_TRUE(reader.Put(other_, "sum", "2").ok());
  ExpectRefusedIfSerializable(reader.Commit());
}

TEST_P(IsolationTest, PhantomARepeatedScanSeesTheSameKeys) {
  for (const char* key : {"a1", "a3", "b1"}) {
    ASSERT_TRUE(ns_.Put(key, "old").ok());
  }
  Transaction txn = Begin();
  const Pairs seen = PairsOf(txn, ns_, {.prefix = "a"});
  ASSERT_TRUE(ns_.Put("a2", "phantom").ok());
  ASSERT_TRUE(*ns_.Delete("a3"));
  EXPECT_EQ(PairsOf(txn, ns_, {.prefix = "a"}), seen);
  EXPECT_EQ(PairsOf(txn, ns_, {.from = "a", .to = "b"}), seen);
  ASSERT_TRUE(txn.Put(other_, "count", std::to_string(seen.size())).ok());
  ExpectRefusedIfSerializable(txn.Commit());
}

// Two transactions; each reads only keys that the other writes.
TEST_P(IsolationTest, WriteSkewOfTwoKeysIsRefusedIfSerializable) {
  ASSERT_TRUE(ns_.Put("alice", "on call").ok());
  ASSERT_TRUE(ns_.Put("bob", "on call").ok());
  Transaction first = Begin();
  Transaction second = Begin();
  EXPECT_EQ(Read(first, ns_, "bob"), "on call");
  EXPECT_EQ(Read(second, ns_, "alice"), "on call");
  ASSERT_TRUE(first.Put(ns_, "alice", "off").ok());
  ASSERT_TRUE(second.Put(ns_, "bob", "off").ok());
  EXPECT_TRUE(first.Commit().ok());
  ExpectRefusedIfSerializable(second.Commit());
  EXPECT_EQ(Read(ns_, "bob"), Serializable() ? "on call" : "off");
}

TEST_P(IsolationTest, WriteSkewOfAbsentKeysIsRefusedIfSerializable) {
  Transaction first = Begin();
  Transaction second = Begin();
  EXPECT_EQ(Read(first, ns_, "b"), "absent");
  EXPECT_FALSE(*second.Contains(ns_, "a"));
  ASSERT_TRUE(first.Put(ns_, "a", "I am the only one").ok());
  ASSERT_TRUE(second.Put(ns_, "b", "I am the only one").ok());
  EXPECT_TRUE(first.Commit().ok());
  ExpectRefusedIfSerializable(second.Commit());
  EXPECT_EQ(*ns_.Size(), Serializable() ? 1U : 2U);
}

TEST_P(IsolationTest, WriteSkewOfScannedRangesIsRefusedIfSerializable) {
  ASSERT_TRUE(ns_.Put("a1", "30").ok());
  ASSERT_TRUE(ns_.Put("b1", "30").ok());
  Transaction first = Begin();
  Transaction second = Begin();
  EXPECT_EQ(PairsOf(first, ns_, {.prefix = "a"}).size(), 1U);
  EXPECT_EQ(PairsOf(second, ns_, {.prefix = "b"}).size(), 1U);
  ASSERT_TRUE(first.Put(ns_, "b2", "30").ok());
  ASSERT_TRUE(second.Put(ns_, "a2", "30").ok());
  EXPECT_TRUE(first.Commit().ok());
  ExpectRefusedIfSerializable(second.Commit());
  EXPECT_EQ(*ns_.Size(), Serializable() ? 3U : 4U);
}

TEST_P(IsolationTest, WriteSkewByAnyReadAndAnyWriteIsRefusedIfSerializable) {
  using Do = std::function<void(Transaction&)>;
  const std::map<std::string, Do> reads = {
      {"get", [&](Transaction& txn) { EXPECT_EQ(Read(txn, ns_, "k"), "1"); }},
      {"contains", [&](Transaction& txn) { EXPECT_TRUE(*txn.Contains(ns_, "k")); }},
      {"scan", [&](Transaction& txn) { EXPECT_EQ(PairsOf(txn, ns_).size(), 3U); }},
      {"scan of a range",
       [&](Transaction& txn) {
         EXPECT_EQ(PairsOf(txn, ns_, {.from = "k", .to = "k0"}).size(), 1U);
       }},
      {"scan of nothing but this",
       [&](Transaction& txn) { EXPECT_EQ(PairsOf(txn, ns_, {.prefix = "k"}).size(), 1U); }},
  };
  const std::map<std::string, Do> writes = {
      {"put", [&](Transaction& txn) { ASSERT_TRUE(txn.Put(ns_, "k", "2").ok()); }},
      {"delete", [&](Transaction& txn) { ASSERT_TRUE(*txn.Delete(ns_, "k")); }},
      {"add", [&](Transaction& txn) { ASSERT_EQ(*txn.Add(ns_, "k", 5), 6); }},
  };
  for (const auto& [read_name, read] : reads) {
    for (const auto& [write_name, write] : writes) {
      SCOPED_TRACE(testing::Message() << read_name << " against " << write_name);
      for (const char* key : {"a", "k", "z"}) {
        ASSERT_TRUE(ns_.Put(key, "1").ok());
      }
      Transaction reader = Begin();
      read(reader);
      Transaction writer = Begin();
      write(writer);
      ASSERT_TRUE(writer.Commit().ok());
      ASSERT_TRUE(reader.Put(other_, "k", "1").ok());
      ExpectRefusedIfSerializable(reader.Commit());
    }
  }
}

TEST_P(IsolationTest, WriteSkewAgainstAClearIsRefusedIfSerializable) {
  for (const bool scans : {false, true}) {
    ASSERT_TRUE(ns_.Put("k", "1").ok());
    Transaction txn = Begin();
    EXPECT_EQ(scans ? PairsOf(txn, ns_).size() : *txn.Contains(ns_, "k"), 1U);
    ASSERT_TRUE(ns_.Clear().ok());
    ASSERT_TRUE(txn.Put(other_, "k", "1").ok());
    ExpectRefusedIfSerializable(txn.Commit());
  }
}

TEST_P(IsolationTest, WriteSkewOfAScanThatEndedEarlyIsRefusedIfSerializable) {
  for (int i = 10; i < 20; ++i) {
    ASSERT_TRUE(ns_.Put(std::to_string(i), "1").ok());
  }
  Transaction limited = Begin();
  const std::string first = PairsOf(limited, ns_, {.limit = 1}).at(0).first;
  Transaction left = Begin();
  {
    ScanRange scan = left.Scan(ns_);
    EXPECT_EQ(scan.begin()->key(), first);
  }
  ASSERT_TRUE(ns_.Put(first, "2").ok());
  ASSERT_TRUE(limited.Put(other_, "limited", "1").ok());
  ExpectRefusedIfSerializable(limited.Commit());
  ASSERT_TRUE(left.Put(other_, "left", "1").ok());
  ExpectRefusedIfSerializable(left.Commit());
}

TEST_P(IsolationTest, ReadsOfKeysThatNobodyElseWroteAreNoConflict) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(ns_.Put("a" + std::to_string(i), "1").ok());
  }
  Transaction txn = Begin();
  EXPECT_EQ(PairsOf(txn, ns_, {.prefix = "a"}).size(), 50U);
  EXPECT_EQ(PairsOf(txn, ns_, {.from = "a1", .to = "a2"}).size(), 11U);
  EXPECT_EQ(Read(txn, ns_, "a7"), "1");
  EXPECT_EQ(Read(txn, ns_, "absent"), "absent");
  // The transaction's own writes to keys and ranges that it read are no conflict either.
  ASSERT_TRUE(txn.Put(ns_, "a7", "own").ok());
  ASSERT_TRUE(txn.Put(ns_, "a77", "own").ok());
  ASSERT_TRUE(*txn.Delete(ns_, "a8"));
  ASSERT_TRUE(txn.Put(ns_, "absent", "own").ok());
  EXPECT_EQ(PairsOf(txn, ns_).size(), 51U);
  EXPECT_EQ(Read(txn, ns_, "a7"), "own");
  for (int i = 0; i < 200; ++i) {  // Enough to change the shape of the index under it.
    ASSERT_TRUE(other_.Put("a" + std::to_string(i), "1").ok());
  }
  const absl::Status done = txn.Commit();
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(*ns_.Size(), 51U);
}

TEST_P(IsolationTest, WritesOutsideTheReadRangeAreNoConflict) {
  for (int i = 10; i < 60; ++i) {
    ASSERT_TRUE(ns_.Put(std::to_string(i), "1").ok());
  }
  Transaction txn = Begin();
  EXPECT_EQ(PairsOf(txn, ns_, {.from = "20", .to = "30"}).size(), 10U);
  EXPECT_EQ(Read(txn, ns_, "55"), "1");
  ASSERT_TRUE(ns_.Put("30", "2").ok());
  ASSERT_TRUE(ns_.Put("19", "2").ok());
  ASSERT_TRUE(ns_.Put("555", "2").ok());
  ASSERT_TRUE(*ns_.Delete("40"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_.Put("9" + std::to_string(i), "2").ok());
  }
  ASSERT_TRUE(txn.Put(other_, "k", "1").ok());
  const absl::Status done = txn.Commit();
  EXPECT_TRUE(done.ok()) << done;
}

TEST_P(IsolationTest, ARewrittenKeyThatIsAbsentAgainIsNoWriteConflict) {
  ASSERT_TRUE(ns_.Put("there", "1").ok());
  ASSERT_TRUE(other_.Put("guarded", "1").ok());
  Transaction writer = Begin();
  Transaction reader = Begin();
  Transaction of_another = Begin();
  EXPECT_EQ(Read(writer, ns_, "lock"), "absent");
  EXPECT_EQ(Read(reader, other_, "guarded"), "1");
  ASSERT_TRUE(writer.Put(ns_, "lock", "own").ok());
  ASSERT_TRUE(reader.Put(ns_, "lock", "own").ok());
  ASSERT_TRUE(of_another.Put(ns_, "there", "own").ok());
  ASSERT_TRUE(ns_.Put("lock", "theirs").ok());
  ASSERT_TRUE(other_.Put("guarded", "2").ok());
  ASSERT_TRUE(*ns_.Delete("lock"));
  ASSERT_TRUE(*ns_.Delete("there"));
  EXPECT_TRUE(writer.Commit().ok());
  EXPECT_TRUE(absl::IsAborted(of_another.Commit()))
      << "the delete of a key that existed must count as a change";
  ASSERT_TRUE(*ns_.Delete("lock"));
  ExpectRefusedIfSerializable(reader.Commit());
}

// Fekete, O'Neil and O'Neil: "A read-only transaction anomaly under snapshot isolation". A
// withdrawal takes 10 out of `x`, and 1 more if `x` and `y` together fall below 0. A deposit puts
// 20 into `y`. A reader in between sees the 20 and not yet the withdrawal, so the withdrawal must
// not charge the 1.
TEST_P(IsolationTest, ReadOnlyAnomalyIsRefusedIfSerializable) {
  for (const bool put_by_transaction : {false, true}) {
    SCOPED_TRACE(put_by_transaction);
    ASSERT_TRUE(ns_.Put("x", "0").ok());
    ASSERT_TRUE(other_.Put("y", "0").ok());
    Transaction withdrawal = Begin();
    const int sum =
        std::stoi(Read(withdrawal, ns_, "x")) + std::stoi(Read(withdrawal, other_, "y"));
    if (put_by_transaction) {
      ASSERT_TRUE(
          store_.Transact([&](Transaction& txn) { return txn.Put(other_, "y", "20"); }).ok());
    } else {
      ASSERT_TRUE(other_.Put("y", "20").ok());
    }
    Transaction reader = Begin();
    EXPECT_EQ(Read(reader, ns_, "x"), "0");
    EXPECT_EQ(Read(reader, other_, "y"), "20");
    EXPECT_TRUE(reader.Commit().ok());
    ASSERT_TRUE(withdrawal.Put(ns_, "x", std::to_string(sum < 10 ? -11 : -10)).ok());
    ExpectRefusedIfSerializable(withdrawal.Commit());
    EXPECT_EQ(Read(ns_, "x"), Serializable() ? "0" : "-11");
  }
}

TEST_P(IsolationTest, SuccessiveTransactionsOfOneThreadNeverConflict) {
  for (int i = 0; i < 300; ++i) {
    Transaction txn = Begin();
    (void)PairsOf(txn, ns_, {.prefix = "k"});
    ASSERT_TRUE(txn.Add(ns_, "k" + std::to_string(i % 20), 1).ok());
    ASSERT_TRUE(txn.Add(other_, "sum", 1).ok());
    if (i % 20 == 7) {
      ASSERT_TRUE(*txn.Delete(ns_, "k7"));
    }
    const absl::Status done = txn.Commit();
    ASSERT_TRUE(done.ok()) << i << ": " << done;
  }
  EXPECT_EQ(Read(other_, "sum"), "300");
  EXPECT_EQ(Read(ns_, "k3"), "15");
  EXPECT_EQ(*ns_.Size(), 19U);
}

}  // namespace
}  // namespace commy::test
