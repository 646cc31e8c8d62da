// Store::Transact(): which outcomes it retries, which not, and for how long.
#include <optional>
#include <utility>

#include "commy/transaction.h"
#include "support/fault_platform.h"
#include "support/transaction_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class TransactTest : public TransactionFixture {
 protected:
  void TearDown() override {
    if (!HasFatalFailure()) {
      ExpectNothingLeft(store_);
    }
    TransactionFixture::TearDown();
  }
  Store store_ = MustOpen(QuietOptions());
  Namespace ns_ = MustOpenNamespace(store_, "n");
};

TEST_F(TransactTest, TransactCommitsTheWritesOfItsBody) {
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    EXPECT_EQ(*txn.Add(ns_, "n", 1), 1);
    return txn.Put(ns_, "k", "1");
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(PairsOf(ns_), Pairs({{"k", "1"}, {"n", "1"}}));
}

TEST_F(TransactTest, TransactRetriesAfterAConflict) {
  int runs = 0;
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    const absl::StatusOr<std::int64_t> sum = txn.Add(ns_, "n", 1);
    if (++runs < 4) {
      EXPECT_TRUE(ns_.Add("n", 100).ok());
    }
    return sum.status();
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(Read(ns_, "n"), "301") << "an update was lost, or made twice";
}

TEST_F(TransactTest, TransactRetriesWhenTheBodyReturnsAborted) {
  int runs = 0;
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    EXPECT_TRUE(txn.Add(ns_, "n", 1).ok());
    return ++runs < 3 ? absl::AbortedError("again") : absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(Read(ns_, "n"), "1");
}

TEST_F(TransactTest, TransactReturnsAnErrorOfTheBodyAndChangesNothing) {
  int runs = 0;
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    ++runs;
    EXPECT_TRUE(txn.Put(ns_, "k", "1").ok());
    return absl::UnavailableError("not today");
  });
  EXPECT_TRUE(Says(done, Code::kUnavailable, "not today"));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(*ns_.Size(), 0U);
}

TEST_F(TransactTest, TransactRetriesUntilTheTimeout) {
  FaultPlatform platform;
  platform.FreezeClocks();
  const Store store = *OpenOn(platform, temp_.File("frozen"), QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  int runs = 0;
  const absl::Status done = store.Transact(
      [&](Transaction& txn) -> absl::Status {
        ++runs;
        EXPECT_TRUE(txn.Put(ns, "k", "own").ok());
        EXPECT_TRUE(ns.Put("k", std::to_string(runs)).ok());
        platform.Advance(absl::ToInt64Nanoseconds(absl::Seconds(2)));
        return absl::OkStatus();
      },
      {.timeout = absl::Seconds(7)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(done)) << done;
  EXPECT_GE(runs, 2);
  EXPECT_LE(runs, 4);
  EXPECT_EQ(Read(ns, "k"), std::to_string(runs));
}

// The body ignores the statuses of its calls.
TEST_F(TransactTest, ABodyThatIgnoresItsTimeoutDoesNotCommit) {
  FaultPlatform platform;
  platform.FreezeClocks();
  const Store store = *OpenOn(platform, temp_.File("frozen"), QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  const absl::Status done = store.Transact(
      [&](Transaction& txn) -> absl::Status {
        (void)txn.Put(ns, "a", "1");
        platform.Advance(absl::ToInt64Nanoseconds(absl::Seconds(2)));
        (void)txn.Put(ns, "b", "1");
        return absl::OkStatus();
      },
      {.timeout = absl::Seconds(1)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(done)) << done;
  EXPECT_EQ(*ns.Size(), 0U);
}

TEST_F(TransactTest, TransactRetriesWhenTheBodyIgnoresAConflictOfItsOwnCommit) {
  int runs = 0;
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    EXPECT_TRUE(txn.Add(ns_, "n", 1).ok());
    if (++runs == 1) {
      EXPECT_TRUE(ns_.Add("n", 100).ok());
    }
    (void)txn.Commit();
    return absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(Read(ns_, "n"), "101");
}

TEST_F(TransactTest, TransactFailsWhenTheBodyMovesTheTransactionAway) {
  std::optional<Transaction> away;
  const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
    EXPECT_TRUE(txn.Put(ns_, "k", "1").ok());
    away = std::move(txn);
    return absl::OkStatus();
  });
  EXPECT_TRUE(Says(done, Code::kFailedPrecondition, "moved"));
  EXPECT_EQ(*ns_.Size(), 0U);
  EXPECT_TRUE(away->Commit().ok());
  EXPECT_EQ(Read(ns_, "k"), "1");
}

}  // namespace
}  // namespace commy::test
