// What a transaction sees, what others see of it, and what its calls return. Retries are in
// transact_test.cc, possible interleavings in isolation_test.cc, faults in
// transaction_faults_test.cc.
#include "commy/transaction.h"

#include <map>
#include <memory>
#include <optional>

#include "support/fault_platform.h"
#include "support/transaction_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class TransactionTest : public TransactionFixture {
 protected:
  void TearDown() override {
    if (!HasFatalFailure()) {
      ExpectNothingLeft(store_);
    }
    TransactionFixture::TearDown();
  }
  Store store_ = MustOpen(TinyNodes(QuietOptions()));
};

// The two kinds of namespace behave alike.
class TransactionOfEachOrderTest : public TransactionTest,
                                   public testing::WithParamInterface<Order> {
 protected:
  void SetUp() override {
    for (const char* key : {"a1", "a2", "a3", "b1"}) {
      ASSERT_TRUE(ns_.Put(key, "old").ok());
    }
  }
  Namespace ns_ = *store_.OpenNamespace("n", {.order = GetParam()});
};

TEST_P(TransactionOfEachOrderTest, ATransactionReadsItsOwnWrites) {
  Transaction txn = MustBegin(store_);
  EXPECT_EQ(Read(txn, ns_, "a1"), "old");
  EXPECT_EQ(Read(txn, ns_, "new"), "absent");
  EXPECT_TRUE(txn.Put(ns_, "a1", "1").ok());
  EXPECT_TRUE(txn.Put(ns_, "new", "1").ok());
  EXPECT_TRUE(txn.Put(ns_, "new", "2").ok());
  EXPECT_TRUE(*txn.Delete(ns_, "a2"));
  EXPECT_TRUE(txn.Put(ns_, "", "the empty key").ok());
  EXPECT_EQ(Read(txn, ns_, "a1"), "1");
  EXPECT_EQ(Read(txn, ns_, "new"), "2");
  EXPECT_EQ(Read(txn, ns_, "a2"), "absent");
  EXPECT_EQ(Read(txn, ns_, "a3"), "old");
  EXPECT_EQ(Read(txn, ns_, ""), "the empty key");
  EXPECT_TRUE(*txn.Contains(ns_, "new"));
  EXPECT_TRUE(*txn.Contains(ns_, "a3"));
  EXPECT_FALSE(*txn.Contains(ns_, "a2"));
  EXPECT_FALSE(*txn.Contains(ns_, "nowhere"));
}

TEST_P(TransactionOfEachOrderTest, ATransactionsScanMergesItsOwnWrites) {
  Transaction txn = MustBegin(store_);
  EXPECT_TRUE(txn.Put(ns_, "a0", "own").ok());
  EXPECT_TRUE(txn.Put(ns_, "a25", "own").ok());
  EXPECT_TRUE(txn.Put(ns_, "a3", "own").ok());
  EXPECT_TRUE(txn.Put(ns_, "c", "own").ok());
  EXPECT_TRUE(*txn.Delete(ns_, "a2"));
  EXPECT_TRUE(txn.Put(ns_, "gone", "own").ok());
  EXPECT_TRUE(*txn.Delete(ns_, "gone"));
  EXPECT_EQ(PairsOf(txn, ns_), Pairs({{"a0", "own"},
                                      {"a1", "old"},
                                      {"a25", "own"},
                                      {"a3", "own"},
                                      {"b1", "old"},
                                      {"c", "own"}}));
  EXPECT_EQ(PairsOf(txn, ns_, {.prefix = "a"}),
            Pairs({{"a0", "own"}, {"a1", "old"}, {"a25", "own"}, {"a3", "own"}}));
  EXPECT_EQ(PairsOf(txn, ns_, {.from = "a1", .to = "a3"}), Pairs({{"a1", "old"}, {"a25", "own"}}));
  EXPECT_EQ(PairsOf(txn, ns_, {.from = "c"}), Pairs({{"c", "own"}}));
  EXPECT_EQ(PairsOf(txn, ns_, {.from = "x"}), Pairs());
  EXPECT_EQ(PairsOf(txn, ns_, {.limit = 3}).size(), 3U);
  EXPECT_EQ(PairsOf(txn, ns_, {.limit = 0}), Pairs());
  EXPECT_EQ(PairsOf(ns_).size(), 4U) << "another reader sees uncommitted writes";
}

TEST_P(TransactionOfEachOrderTest, ATransactionsScanOfOnlyItsOwnWritesWorks) {
  ASSERT_TRUE(ns_.Clear().ok());
  Transaction txn = MustBegin(store_);
  EXPECT_EQ(PairsOf(txn, ns_), Pairs());
  EXPECT_TRUE(txn.Put(ns_, "b", "2").ok());
  EXPECT_TRUE(txn.Put(ns_, "a", "1").ok());
  EXPECT_EQ(PairsOf(txn, ns_), Pairs({{"a", "1"}, {"b", "2"}}));
}

TEST_P(TransactionOfEachOrderTest, ATransactionsScanShowsItsWritesUpToTheScansBegin) {
  Transaction txn = MustBegin(store_);
  int seen = 0;
  ScanRange scan = txn.Scan(ns_);
  for (const Entry& entry : scan) {
    EXPECT_EQ(entry.value(), "old") << entry.key();
    ASSERT_TRUE(txn.Put(ns_, entry.key(), "own").ok());
    ASSERT_TRUE(txn.Put(ns_, "z" + entry.key(), "own").ok());
    ++seen;
  }
  EXPECT_TRUE(scan.status().ok()) << scan.status();
  EXPECT_EQ(seen, 4);
  EXPECT_EQ(PairsOf(txn, ns_).size(), 8U);
}

TEST_P(TransactionOfEachOrderTest, OthersSeeNothingBeforeTheCommitAndEverythingAfterIt) {
  const Namespace other = MustOpenNamespace(store_, "other");
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(txn.Put(ns_, "a1", "1").ok());
  ASSERT_TRUE(*txn.Delete(ns_, "a2"));
  ASSERT_TRUE(txn.Put(other, "k", "1").ok());
  EXPECT_EQ(Read(ns_, "a1"), "old");
  EXPECT_TRUE(*ns_.Contains("a2"));
  EXPECT_EQ(*other.Count(), 0U);
  std::optional<Snapshot> before = *store_.TakeSnapshot();
  ASSERT_TRUE(txn.Commit().ok());
  const std::uint64_t time = txn.commit_time();
  EXPECT_EQ(Read(ns_, "a1"), "1");
  EXPECT_FALSE(*ns_.Contains("a2"));
  EXPECT_EQ(Read(other, "k"), "1");
  EXPECT_EQ(Read(ns_, "a1", {.snapshot = &*before}), "old");
  EXPECT_TRUE(*ns_.Contains("a2", {.snapshot = &*before}));
  EXPECT_EQ(Read(other, "k", {.snapshot = &*before}), "absent");
  EXPECT_GT(time, before->commit_time());
  before.reset();
  EXPECT_GE(store_.TakeSnapshot()->commit_time(), time);
}

TEST_P(TransactionOfEachOrderTest, SizeIsExactAfterACommit) {
  const auto size_is = [&](std::uint64_t keys) {
    EXPECT_EQ(*ns_.Size(), keys);
    EXPECT_EQ(*ns_.Count(), keys);
    EXPECT_EQ(store_.Stats()->keys, keys);
    EXPECT_EQ(store_.Check()->keys, keys);
  };
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(txn.Put(ns_, "a1", "over").ok());
  ASSERT_TRUE(txn.Put(ns_, "new", "1").ok());
  ASSERT_TRUE(txn.Put(ns_, "passing", "1").ok());
  ASSERT_TRUE(*txn.Delete(ns_, "passing"));
  ASSERT_TRUE(*txn.Delete(ns_, "a2"));
  ASSERT_TRUE(txn.Put(ns_, "a2", "again").ok());
  ASSERT_TRUE(*txn.Delete(ns_, "a3"));
  ASSERT_FALSE(*txn.Delete(ns_, "nowhere"));
  size_is(4);
  ASSERT_TRUE(txn.Commit().ok());
  size_is(4);
  EXPECT_EQ(PairsOf(ns_), Pairs({{"a1", "over"}, {"a2", "again"}, {"b1", "old"}, {"new", "1"}}));

  Transaction rolled_back = MustBegin(store_);
  ASSERT_TRUE(rolled_back.Put(ns_, "x", "1").ok());
  ASSERT_TRUE(*rolled_back.Delete(ns_, "a1"));
  rolled_back.Rollback();
  size_is(4);

  Transaction conflicting = MustBegin(store_);
  ASSERT_TRUE(*conflicting.Delete(ns_, "a1"));
  ASSERT_TRUE(conflicting.Put(ns_, "x", "1").ok());
  ASSERT_TRUE(conflicting.Put(ns_, "y", "1").ok());
  ASSERT_TRUE(ns_.Put("x", "between").ok());
  EXPECT_TRUE(absl::IsAborted(conflicting.Commit()));
  size_is(5);

  Transaction all = MustBegin(store_);
  for (const auto& [key, value] : PairsOf(ns_)) {
    ASSERT_TRUE(*all.Delete(ns_, key));
  }
  ASSERT_TRUE(all.Commit().ok());
  size_is(0);
}

TEST_P(TransactionOfEachOrderTest, ARolledBackOrDestroyedTransactionChangesNothing) {
  const Pairs before = PairsOf(ns_);
  const std::uint64_t records = store_.Check()->records;
  {
    Transaction txn = MustBegin(store_);
    ASSERT_TRUE(txn.Put(ns_, "a1", "1").ok());
    ASSERT_TRUE(*txn.Delete(ns_, "a2"));
    txn.Rollback();
    txn.Rollback();
    EXPECT_EQ(txn.commit_time(), 0U);
    Transaction destroyed = MustBegin(store_);
    ASSERT_TRUE(destroyed.Put(ns_, "new", "1").ok());
    Transaction assigned_over = MustBegin(store_);
    ASSERT_TRUE(assigned_over.Put(ns_, "new", "1").ok());
    assigned_over = MustBegin(store_);
  }
  EXPECT_EQ(PairsOf(ns_), before);
  EXPECT_EQ(store_.Check()->records, records);
}

TEST_P(TransactionOfEachOrderTest, DeleteReturnsWhetherTheTransactionSawTheKey) {
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(*ns_.Delete("b1"));
  ASSERT_TRUE(ns_.Put("later", "1").ok());
  EXPECT_TRUE(*txn.Delete(ns_, "b1"))
      << "another call has deleted it since, which the transaction does not see";
  EXPECT_FALSE(*txn.Delete(ns_, "later"));
  EXPECT_TRUE(*txn.Delete(ns_, "a1"));
  EXPECT_FALSE(*txn.Delete(ns_, "a1"));
  ASSERT_TRUE(txn.Put(ns_, "a1", "again").ok());
  EXPECT_TRUE(*txn.Delete(ns_, "a1"));
  EXPECT_FALSE(*txn.Delete(ns_, "nowhere"));
  txn.Rollback();
  EXPECT_TRUE(*ns_.Contains("a1"));
}

TEST_P(TransactionOfEachOrderTest, AddAddsToTheValueThatTheTransactionSees) {
  ASSERT_TRUE(ns_.Put("n", "40").ok());
  ASSERT_TRUE(ns_.Put("edge", std::to_string(INT64_MAX)).ok());
  Transaction txn = MustBegin(store_);
  EXPECT_EQ(*txn.Add(ns_, "n", 2), 42);
  EXPECT_EQ(*txn.Add(ns_, "n", -50), -8);
  EXPECT_EQ(Read(txn, ns_, "n"), "-8");
  EXPECT_EQ(*txn.Add(ns_, "fresh", 7), 7);
  EXPECT_TRUE(*txn.Delete(ns_, "fresh"));
  EXPECT_EQ(*txn.Add(ns_, "fresh", 1), 1);
  EXPECT_EQ(txn.Add(ns_, "edge", 1).status().code(), Code::kOutOfRange);
  EXPECT_EQ(txn.Add(ns_, "a1", 1).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Read(ns_, "n"), "40");
  ASSERT_TRUE(txn.Commit().ok()) << "an error of a call ended the transaction";
  EXPECT_EQ(Read(ns_, "n"), "-8");
  EXPECT_EQ(Read(ns_, "fresh"), "1");
  EXPECT_EQ(Read(ns_, "edge"), std::to_string(INT64_MAX));
  EXPECT_EQ(Read(ns_, "a1"), "old");
}

TEST_P(TransactionOfEachOrderTest, AConflictingCommitIsAbortedAndChangesNothing) {
  const Namespace other = MustOpenOrdered(store_, "other");
  ASSERT_TRUE(other.Put("k", "old").ok());
  // Any kind of change to the key, and any place of the key among those of the transaction.
  const std::map<std::string, std::function<void()>> conflicts = {
      {"put", [&] { ASSERT_TRUE(ns_.Put("a2", "theirs").ok()); }},
      {"delete", [&] { ASSERT_TRUE(*ns_.Delete("a2")); }},
      {"of the first", [&] { ASSERT_TRUE(ns_.Put("a0", "theirs").ok()); }},
      {"of the last", [&] { ASSERT_TRUE(ns_.Put("z", "theirs").ok()); }},
      {"clear", [&] { ASSERT_TRUE(ns_.Clear().ok()); }},
      {"batch",
       [&] {
         WriteBatch batch;
         batch.Put(ns_, "a2", "theirs");
         ASSERT_TRUE(store_.Write(std::move(batch)).ok());
       }},
      {"elsewhere", [&] { ASSERT_TRUE(other.Put("k", "theirs").ok()); }},
  };
  for (const auto& [what, conflict] : conflicts) {
    SCOPED_TRACE(what);
    ASSERT_TRUE(ns_.Clear().ok());
    ASSERT_TRUE(ns_.Put("a2", "old").ok());
    Transaction txn = MustBegin(store_);
    ASSERT_TRUE(txn.Put(ns_, "a0", "own").ok());
    ASSERT_TRUE(txn.Put(ns_, "a2", "own").ok());
    ASSERT_TRUE(txn.Put(ns_, "z", "own").ok());
    ASSERT_TRUE(txn.Put(other, "k", "own").ok());
    ASSERT_TRUE(txn.Put(other, "new", "own").ok());
    conflict();
    const Pairs before = PairsOf(ns_);
    const Pairs before_elsewhere = PairsOf(other);
    const absl::Status done = txn.Commit();
    EXPECT_TRUE(absl::IsAborted(done)) << done;
    EXPECT_EQ(txn.commit_time(), 0U);
    EXPECT_EQ(PairsOf(ns_), before);
    EXPECT_EQ(PairsOf(other), before_elsewhere);
  }
}

TEST_P(TransactionOfEachOrderTest, WritesOfOthersToOtherKeysAreNoConflict) {
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(txn.Put(ns_, "a1", "own").ok());
  ASSERT_TRUE(ns_.Put("a2", "theirs").ok());
  ASSERT_TRUE(ns_.Put("a11", "theirs").ok());
  ASSERT_TRUE(*ns_.Delete("b1"));
  ASSERT_TRUE(txn.Commit().ok());
  EXPECT_EQ(PairsOf(ns_),
            Pairs({{"a1", "own"}, {"a11", "theirs"}, {"a2", "theirs"}, {"a3", "old"}}));
}

TEST_P(TransactionOfEachOrderTest, ATransactionWritesToANamespaceThatWasCreatedAfterItsBegin) {
  Transaction txn = MustBegin(store_);
  const Namespace later = *store_.OpenNamespace("later", {.order = GetParam()});
  EXPECT_EQ(Read(txn, later, "k"), "absent");
  EXPECT_EQ(PairsOf(txn, later), Pairs());
  ASSERT_TRUE(txn.Put(later, "k", "1").ok());
  const absl::Status done = txn.Commit();
  ASSERT_TRUE(done.ok()) << done;
  EXPECT_EQ(Read(later, "k"), "1");
}

TEST_P(TransactionOfEachOrderTest, ARenameIsNoConflict) {
  Transaction txn = MustBegin(store_, Isolation::kSerializable);
  EXPECT_EQ(Read(txn, ns_, "a1"), "old");
  ASSERT_TRUE(txn.Put(ns_, "a1", "own").ok());
  ASSERT_TRUE(store_.RenameNamespace("n", "renamed").ok());
  ASSERT_TRUE(txn.Commit().ok());
  EXPECT_EQ(Read(MustOpenNamespace(store_, "renamed"), "a1"), "own");
}

TEST_P(TransactionOfEachOrderTest, ATransactionJudgesTimesToLiveByTheClockOfItsBegin) {
  FaultPlatform platform;
  platform.FreezeClocks();
  Options options = QuietOptions();
  options.operation_timeout = absl::Hours(10);
  Store store = *OpenOn(platform, temp_.File("ttl"), options);
  const Namespace ns = *store.OpenNamespace("n", {.order = GetParam()});
  Transaction txn = MustBegin(store);
  ASSERT_TRUE(txn.Put(ns, "short", "1", {.ttl = absl::Minutes(10)}).ok());
  ASSERT_TRUE(txn.Put(ns, "for ever", "1").ok());
  ASSERT_TRUE(txn.Commit().ok());
  WriteBatch batch;
  batch.Put(ns, "batched", "1", {.ttl = absl::Minutes(10)});
  batch.Put(ns, "for ever and ever", "1");
  ASSERT_TRUE(store.Write(std::move(batch)).ok());
  EXPECT_EQ(*ns.Count(), 4U);
  Transaction before = MustBegin(store);
  platform.Advance(absl::ToInt64Nanoseconds(absl::Hours(1)));
  EXPECT_EQ(PairsOf(ns), Pairs({{"for ever", "1"}, {"for ever and ever", "1"}}));
  EXPECT_EQ(Read(before, ns, "short"), "1") << "judged by the clock of the beginning";
  before.Rollback();
  Transaction after = MustBegin(store);
  EXPECT_EQ(Read(after, ns, "short"), "absent");
  EXPECT_FALSE(*after.Delete(ns, "batched"));
  ASSERT_TRUE(after.Put(ns, "short", "again").ok());
  ASSERT_TRUE(after.Commit().ok());
  EXPECT_EQ(Read(ns, "short"), "again");
  EXPECT_TRUE(IsSound(store));
}

TEST_P(TransactionOfEachOrderTest, ATransactionCommitsTenThousandKeysAtOneMoment) {
  const auto key = [](int i) { return "key " + std::to_string(i); };
  constexpr int kKeys = 10'000;
  const Namespace other = *store_.OpenNamespace("other", {.order = GetParam()});
  const auto put_all = [&](Transaction& txn, const std::string& value) {
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(txn.Put(i % 2 == 0 ? ns_ : other, key(i), value).ok());
    }
  };
  Transaction first = MustBegin(store_);
  put_all(first, "1");
  ASSERT_TRUE(first.Commit().ok());
  EXPECT_EQ(*ns_.Size(), kKeys / 2 + 4U);
  EXPECT_EQ(*other.Size(), kKeys / 2U);
  EXPECT_EQ(Read(ns_, key(0)), "1");
  EXPECT_EQ(Read(other, key(kKeys - 1)), "1");

  Transaction loser = MustBegin(store_);
  put_all(loser, "2");
  ASSERT_TRUE(other.Put(key(9'999), "theirs").ok());
  EXPECT_TRUE(absl::IsAborted(loser.Commit()));
  for (int i = 0; i < kKeys - 1; ++i) {
    ASSERT_EQ(Read(i % 2 == 0 ? ns_ : other, key(i)), "1") << i;
  }

  Transaction last = MustBegin(store_);
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(*last.Delete(i % 2 == 0 ? ns_ : other, key(i)));
  }
  ASSERT_TRUE(last.Commit().ok());
  EXPECT_EQ(*ns_.Size(), 4U);
  EXPECT_EQ(*other.Size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Orders, TransactionOfEachOrderTest,
                         testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& order) { return NameOf(order.param); });

TEST_F(TransactionTest, ATransactionScansAnOrderedNamespaceBothWays) {
  const Namespace ns = MustOpenOrdered(store_, "n");
  for (int i = 10; i < 40; i += 2) {
    ASSERT_TRUE(ns.Put(std::to_string(i), "old").ok());
  }
  Transaction txn = MustBegin(store_);
  std::map<std::string, std::string> model;
  for (int i = 10; i < 40; ++i) {
    const std::string key = std::to_string(i);
    if (i % 3 == 0) {
      ASSERT_TRUE(txn.Put(ns, key, "own").ok());
      model[key] = "own";
    } else if (i % 10 == 4) {
      ASSERT_TRUE(*txn.Delete(ns, key));
    } else if (i % 2 == 0) {
      model[key] = "old";
    }
  }
  const Pairs all(model.begin(), model.end());
  EXPECT_EQ(PairsOf(txn, ns), all);
  EXPECT_EQ(PairsOf(txn, ns, {.reverse = true}), Pairs(all.rbegin(), all.rend()));
  for (std::uint64_t limit = 0; limit <= all.size() + 1; ++limit) {
    const auto count = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(limit, all.size()));
    EXPECT_EQ(PairsOf(txn, ns, {.limit = limit}), Pairs(all.begin(), all.begin() + count));
    EXPECT_EQ(PairsOf(txn, ns, {.limit = limit, .reverse = true}),
              Pairs(all.rbegin(), all.rbegin() + count));
  }
  const Pairs middle(model.lower_bound("15"), model.lower_bound("33"));
  EXPECT_EQ(PairsOf(txn, ns, {.from = "15", .to = "33"}), middle);
  EXPECT_EQ(PairsOf(txn, ns, {.from = "15", .to = "33", .reverse = true}),
            Pairs(middle.rbegin(), middle.rend()));
}

TEST_F(TransactionTest, ATransactionSpansHashAndOrderedNamespaces) {
  const Namespace hash = MustOpenNamespace(store_, "a");
  const Namespace ordered = MustOpenOrdered(store_, "b");
  const Namespace third = MustOpenNamespace(store_, "c");
  ASSERT_TRUE(hash.Put("k", "1").ok());
  ASSERT_TRUE(ordered.Put("k", "1").ok());
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(txn.Put(third, "k", Read(txn, hash, "k") + Read(txn, ordered, "k")).ok());
  ASSERT_TRUE(txn.Put(ordered, "k", "2").ok());
  ASSERT_TRUE(*txn.Delete(hash, "k"));
  EXPECT_EQ(Read(txn, ordered, "k"), "2") << "one namespace's write taken for another's";
  EXPECT_EQ(Read(txn, hash, "k"), "absent");
  EXPECT_EQ(PairsOf(txn, third), Pairs({{"k", "11"}}));
  ASSERT_TRUE(txn.Commit().ok());
  EXPECT_EQ(*hash.Size(), 0U);
  EXPECT_EQ(Read(ordered, "k"), "2");
  EXPECT_EQ(Read(third, "k"), "11");
}

TEST_F(TransactionTest, ATransactionWithoutWritesCommitsAndHasNoCommitTime) {
  const Namespace ns = MustOpenNamespace(store_, "n");
  ASSERT_TRUE(ns.Put("k", "1").ok());
  for (const Isolation isolation : {Isolation::kSnapshot, Isolation::kSerializable}) {
    Transaction nothing = MustBegin(store_, isolation);
    EXPECT_TRUE(nothing.Commit().ok());
    EXPECT_EQ(nothing.commit_time(), 0U);
    Transaction reader = MustBegin(store_, isolation);
    EXPECT_EQ(Read(reader, ns, "k"), "1");
    EXPECT_TRUE(reader.Commit().ok());
    EXPECT_EQ(reader.commit_time(), 0U);
  }
}

TEST_F(TransactionTest, ATransactionHoldsASnapshotUntilItEnds) {
  const Namespace ns = MustOpenNamespace(store_, "n");
  ASSERT_TRUE(ns.Put("k", "1").ok());
  Transaction committed = MustBegin(store_);
  Transaction rolled_back = MustBegin(store_);
  std::optional<Transaction> destroyed = MustBegin(store_);
  ASSERT_TRUE(ns.Put("k", "2").ok());
  EXPECT_EQ(store_.Stats()->snapshots, 3U);
  EXPECT_EQ(store_.Check()->records, 2U);
  ASSERT_TRUE(committed.Commit().ok());
  rolled_back.Rollback();
  EXPECT_EQ(store_.Stats()->snapshots, 1U);
  destroyed.reset();
  EXPECT_EQ(store_.Stats()->snapshots, 0U);
}

TEST_F(TransactionTest, ATransactionKeepsItsStoreOpen) {
  std::optional<Store> store = MustOpen(temp_.File("kept"), QuietOptions());
  std::optional<Namespace> ns = MustOpenNamespace(*store, "n");
  Transaction txn = MustBegin(*store);
  ASSERT_TRUE(txn.Put(*ns, "k", "1").ok());
  ns.reset();
  store.reset();
  ASSERT_TRUE(txn.Commit().ok());
  Store again = MustOpen(temp_.File("kept"), QuietOptions());
  EXPECT_EQ(Read(MustOpenNamespace(again, "n"), "k"), "1");
}

TEST_F(TransactionTest, TransactionsOfTwoOpensOfAStoreSeeEachOther) {
  Store other = MustOpen(QuietOptions());
  const Namespace here = MustOpenNamespace(store_, "n");
  const Namespace there = MustOpenNamespace(other, "n");
  Transaction mine = MustBegin(store_);
  Transaction theirs = MustBegin(other);
  ASSERT_TRUE(mine.Put(here, "k", "mine").ok());
  ASSERT_TRUE(theirs.Put(there, "k", "theirs").ok());
  ASSERT_TRUE(mine.Commit().ok());
  EXPECT_EQ(Read(there, "k"), "mine");
  EXPECT_TRUE(absl::IsAborted(theirs.Commit()));
  EXPECT_EQ(Read(here, "k"), "mine");
}

}  // namespace
}  // namespace commy::test
