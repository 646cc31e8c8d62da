// Threads that commit transactions beside others that put, add and read: money is moved and never
// made, and a batch is seen whole. Under the stricter level no result is seen that no order of the
// transactions could give.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "support/seed.h"
#include "support/threads.h"
#include "support/transaction_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

class TransactionRaceTest : public TransactionFixture {
 protected:
  void ExpectNothingKept() {
    EXPECT_TRUE(WaitFor([&] {
      const absl::StatusOr<CheckReport> report = store_.Check();
      return report.ok() && report->records == report->keys && report->blocks_in_flight == 0;
    })) << store_.Check()->records
        << " records, " << store_.Check()->keys << " keys";
    for (const Namespace& ns : {hash_, ordered_}) {
      EXPECT_EQ(*ns.Size(), *ns.Count());
    }
  }
  // Returns once `count` threads have arrived, so that all resume at about the same moment.
  static void WaitForAll(const std::atomic<int>& arrived, int count) {
    while (arrived.load() < count && !HasFailure()) {
      std::this_thread::yield();
    }
  }
  static std::int64_t Number(const absl::StatusOr<std::string>& got) {
    EXPECT_TRUE(got.ok() || absl::IsNotFound(got.status())) << got.status();
    return got.ok() ? std::stoll(*got) : 0;
  }

  Store store_ = MustOpen(TinyNodes(SmallOptions()));
  Namespace hash_ = MustOpenNamespace(store_, "hash");
  Namespace ordered_ = MustOpenOrdered(store_, "ordered");
  const std::uint64_t seed_ = Seed();
};

class TransactionOfEachLevelRaceTest : public TransactionRaceTest,
                                       public testing::WithParamInterface<Isolation> {
 protected:
  static constexpr std::uint64_t kAccounts = 6;  // In each namespace.

  // Moves a coin from any account to any.
  [[nodiscard]] absl::Status Transfer(std::mt19937_64& random) const {
    const Namespace& from = random() % 2 == 0 ? hash_ : ordered_;
    const Namespace& to = random() % 2 == 0 ? hash_ : ordered_;
    const std::string payer = std::to_string(random() % kAccounts);
    const std::string payee = std::to_string(random() % kAccounts);
    return store_.Transact(
        [&](Transaction& txn) -> absl::Status {
          absl::Status taken = txn.Add(from, payer, -1).status();
          return taken.ok() ? txn.Add(to, payee, 1).status() : taken;
        },
        {.isolation = GetParam()});
  }
  [[nodiscard]] std::int64_t Total() const {
    Transaction txn = MustBegin(store_, GetParam());
    std::int64_t total = 0;
    for (const Namespace& branch : {hash_, ordered_}) {
      for (const auto& [account, held] : PairsOf(txn, branch)) {
        total += std::stoll(held);
      }
    }
    return total;
  }
};

TEST_P(TransactionOfEachLevelRaceTest, AuditsBesideTransfersAndAddsSeeTheRightTotal) {
  constexpr int kTellers = 3;
  constexpr int kTransfers = 1500;
  for (std::uint64_t i = 0; i < kAccounts; ++i) {
    ASSERT_TRUE(hash_.Put(std::to_string(i), "1000").ok());
    ASSERT_TRUE(ordered_.Put(std::to_string(i), "1000").ok());
  }
  const Namespace branches[] = {hash_, ordered_};
  std::atomic<int> tellers{kTellers};
  std::atomic<std::int64_t> begun{0};  // Coins that were paid in, or whose payment is in flight.
  std::atomic<std::int64_t> paid{0};
  std::atomic<int> audits{0};
  RunThreads(kTellers + 2, [&](int thread) {
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(thread));
    if (thread < kTellers) {
      for (int i = 0; i < kTransfers; ++i) {
        const absl::Status done = Transfer(random);
        ASSERT_TRUE(done.ok()) << done;
      }
      --tellers;
      return;
    }
    while ((tellers.load() > 0 || audits.load() == 0) && !HasFailure()) {
      if (thread == kTellers) {
        ++begun;
        ASSERT_TRUE(branches[random() % 2].Add(std::to_string(random() % kAccounts), 1).ok());
        ++paid;
        ASSERT_TRUE(branches[random() % 2].Put("noise", "0").ok());
        continue;
      }
      const std::int64_t at_least = paid.load();
      const std::int64_t total = Total();
      ASSERT_GE(total, std::int64_t{2 * kAccounts * 1000} + at_least);
      ASSERT_LE(total, std::int64_t{2 * kAccounts * 1000} + begun.load());
      ++audits;
    }
  });
  EXPECT_GT(audits.load(), 0);
  EXPECT_EQ(Total(), std::int64_t{2 * kAccounts * 1000} + paid.load()) << "an update was lost";
  ExpectNothingKept();
}

INSTANTIATE_TEST_SUITE_P(Levels, TransactionOfEachLevelRaceTest,
                         testing::Values(Isolation::kSnapshot, Isolation::kSerializable),
                         [](const auto& isolation) { return NameOf(isolation.param); });

class BatchRaceTest : public TransactionRaceTest {
 protected:
  static constexpr int kWriters = 2;
  static constexpr int kKeys = 6;

  // Writes one value to all keys of both namespaces; each writer names them in another order.
  void Write(int writer, int round) const {
    const std::string value = std::to_string(round * kWriters + writer);
    WriteBatch batch;
    for (int k = 0; k < kKeys; ++k) {
      const std::string key = std::to_string(writer == 0 ? k : kKeys - 1 - k);
      batch.Put(k % 2 == 0 ? hash_ : ordered_, key, value);
      batch.Put(k % 2 == 0 ? ordered_ : hash_, key, value);
    }
    if (IsDeleting(round)) {
      batch.Delete(hash_, "0");
    }
    const absl::Status done = store_.Write(std::move(batch));
    ASSERT_TRUE(done.ok()) << done;
  }
  // Checks that one snapshot finds the same value in all keys, and returns it in `found`.
  void Look(std::int64_t* found) const {
    absl::StatusOr<Snapshot> then = store_.TakeSnapshot();
    ASSERT_TRUE(then.ok()) << then.status();
    *found = Number(ordered_.Get("0", {.snapshot = &*then}));
    for (int k = 0; k < kKeys; ++k) {
      for (const Namespace& ns : {hash_, ordered_}) {
        const std::int64_t value = Number(ns.Get(std::to_string(k), {.snapshot = &*then}));
        const bool deleted = ns.order() == Order::kHash && k == 0 && IsDeleting(*found / kWriters);
        ASSERT_EQ(value, deleted ? 0 : *found) << "key " << k;
      }
    }
  }

 private:
  static bool IsDeleting(std::int64_t round) { return round % 10 == 0; }
};

TEST_F(BatchRaceTest, SnapshotsSeeBatchesOfTheSameKeysWholeAndInOneOrder) {
  std::atomic<int> writers{kWriters};
  std::atomic<int> looks{0};
  RunThreads(kWriters + 2, [&](int thread) {
    if (thread < kWriters) {
      for (int round = 1; round <= 1500; ++round) {
        Write(thread, round);
      }
      --writers;
      return;
    }
    std::int64_t last[kWriters] = {};
    while ((writers.load() > 0 || looks.load() == 0) && !HasFailure()) {
      std::int64_t found = 0;
      Look(&found);
      ASSERT_GE(found, last[found % kWriters]);
      last[found % kWriters] = found;
      ++looks;
    }
  });
  EXPECT_GT(looks.load(), 0);
  ExpectNothingKept();
}

// Each of two transactions puts its key if the other has not put its own: both never may.
TEST_F(TransactionRaceTest, SerializableTransactionsAllowNoWriteSkew) {
  for (const bool scans : {false, true}) {
    for (const Namespace& ns : {hash_, ordered_}) {
      constexpr int kRounds = 800;
      const std::string kind = scans ? "s" : "g";
      std::atomic<int> arrived{0};
      RunThreads(2, [&](int thread) {
        for (int round = 0; round < kRounds; ++round) {
          ++arrived;
          WaitForAll(arrived, 2 * (round + 1));
          const std::string pair = kind + std::to_string(round) + "/";
          const absl::Status done = store_.Transact(
              [&](Transaction& txn) -> absl::Status {
                if (scans ? !PairsOf(txn, ns, {.prefix = pair}).empty()
                          : *txn.Contains(ns, pair + std::to_string(1 - thread))) {
                  return absl::OkStatus();
                }
                return txn.Put(ns, pair + std::to_string(thread), "I am the only one");
              },
              {.isolation = Isolation::kSerializable});
          ASSERT_TRUE(done.ok()) << done;
        }
      });
      for (int round = 0; round < kRounds; ++round) {
        const std::string pair = kind + std::to_string(round) + "/";
        EXPECT_EQ(*ns.Contains(pair + "0") + *ns.Contains(pair + "1"), 1) << pair;
      }
    }
  }
  ExpectNothingKept();
}

// A transaction records whether it found `y` absent; a put sets `y`. A reader that sees `y` but not
// the record has seen the put first, so the transaction cannot have come before the put.
TEST_F(TransactionRaceTest, AReaderBetweenATransactionAndAPutSeesTheirFinalOrder) {
  constexpr int kRounds = 1500;
  std::atomic<int> arrived{0};
  std::vector<char> put_came_first(kRounds, 0);
  std::atomic<int> refused{0};
  RunThreads(3, [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      ++arrived;
      WaitForAll(arrived, 3 * (round + 1));
      const std::string x = "x" + std::to_string(round);
      const std::string y = "y" + std::to_string(round);
      if (thread == 0) {
        absl::StatusOr<Transaction> txn = store_.Begin({.isolation = Isolation::kSerializable});
        ASSERT_TRUE(txn.ok()) << txn.status();
        const bool there = *txn->Contains(ordered_, y);
        ASSERT_TRUE(txn->Put(hash_, x, there ? "after" : "before").ok());
        const absl::Status done = txn->Commit();
        ASSERT_TRUE(done.ok() || absl::IsAborted(done)) << done;
        refused += done.ok() ? 0 : 1;
      } else if (thread == 1) {
        ASSERT_TRUE(ordered_.Put(y, "1").ok());
      } else {
        // Reads until it sees the put; then whether it sees the transaction with it.
        bool seen = false;
        while (!seen && !HasFailure()) {
          absl::StatusOr<Snapshot> then = store_.TakeSnapshot();
          ASSERT_TRUE(then.ok()) << then.status();
          seen = *ordered_.Contains(y, {.snapshot = &*then});
          put_came_first[static_cast<std::size_t>(round)] =
              seen && !*hash_.Contains(x, {.snapshot = &*then}) ? 1 : 0;
        }
      }
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    const std::string written = Read(hash_, "x" + std::to_string(round));
    EXPECT_FALSE(put_came_first[static_cast<std::size_t>(round)] == 1 && written == "before")
        << "round " << round;
  }
  EXPECT_LT(refused.load(), kRounds);
  ExpectNothingKept();
}

}  // namespace
}  // namespace commy::test
