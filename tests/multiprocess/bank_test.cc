// A bank: four processes move money between accounts of a hash and an ordered namespace, and one
// reads all accounts at one moment. The total never varies, whichever processes are killed or
// stopped, and no account is ever overdrawn.
//
// An account without money does not exist, so that keys are added and deleted. Two processes often
// want the same account, and no acknowledged commit is lost.
#include <chrono>
#include <cstdio>
#include <random>

#include <unistd.h>

#include <gtest/gtest.h>

#include "support/process_crew.h"
#include "support/seed.h"
#include "support/transaction_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kTellers = 4;
constexpr int kAuditor = kTellers;       // Its place in the crew.
constexpr std::uint64_t kAccounts = 24;  // In each of the two namespaces.
constexpr std::int64_t kEach = 10;
constexpr std::int64_t kTotal = 2 * kAccounts * kEach;
constexpr std::chrono::seconds kTime{3};
constexpr std::uint64_t kLeastTransfers = 100;
constexpr std::uint64_t kLeastAudits = 10;
constexpr int kLeastRounds = 5;

struct Ledger {
  std::atomic<std::uint64_t> transfers{0};
  std::atomic<std::uint64_t> attempts{0};
  std::atomic<std::uint64_t> audits{0};
  std::atomic<std::uint64_t> acknowledged{0};  // Transfers that moved something.
  std::atomic<int> failed{0};                  // The line of the first failure.
  char said[400] = {};
  std::atomic<bool> stop{false};
};

class Bank {
 public:
  Bank(const Store& store, Isolation isolation)
      : store_(store),
        isolation_(isolation),
        branches_{*store.OpenNamespace("hash"), *store.OpenNamespace("ordered")},
        receipts_(*store.OpenNamespace("receipts")) {}

  static std::string Account(std::uint64_t number) { return "account " + std::to_string(number); }

  // Moves a little from one account to another, if the account exists, and leaves a receipt.
  absl::Status Transfer(std::mt19937_64& random, int teller, Ledger& ledger) const {
    const Namespace& from_branch = branches_[random() % 2];
    const Namespace& to_branch = branches_[random() % 2];
    const std::string from = Account(random() % kAccounts);
    const std::string to = Account(random() % kAccounts);
    const auto amount = static_cast<std::int64_t>(random() % kEach) + 1;
    bool moved = false;
    absl::Status done = store_.Transact(
        [&](Transaction& txn) -> absl::Status {
          moved = false;
          ++ledger.attempts;
          const absl::StatusOr<std::string> held = txn.Get(from_branch, from);
          if (!held.ok() && !absl::IsNotFound(held.status())) {
            return held.status();
          }
          const std::int64_t left = (held.ok() ? std::stoll(*held) : 0) - amount;
          if (left < 0) {
            return absl::OkStatus();
          }
          absl::Status taken = left == 0 ? txn.Delete(from_branch, from).status()
                                         : txn.Put(from_branch, from, std::to_string(left));
          if (!taken.ok()) {
            return taken;
          }
          moved = true;
          absl::Status given = txn.Add(to_branch, to, amount).status();
          return given.ok() ? txn.Add(receipts_, std::to_string(teller), 1).status() : given;
        },
        {.isolation = isolation_});
    ledger.transfers += 1;
    ledger.acknowledged += done.ok() && moved ? 1 : 0;
    return done;
  }

  // The total of all accounts, by the reads that `scan` makes; -1 if one is overdrawn.
  template <typename Scan>
  absl::StatusOr<std::int64_t> Total(Scan scan) const {
    std::int64_t total = 0;
    for (const Namespace& branch : branches_) {
      ScanRange accounts = scan(branch);
      for (const Entry& account : accounts) {
        const std::int64_t held = std::stoll(account.value());
        if (held <= 0) {
          return -1;
        }
        total += held;
      }
      if (!accounts.status().ok()) {
        return accounts.status();
      }
    }
    return total;
  }
  [[nodiscard]] absl::StatusOr<std::int64_t> TotalNow() const {
    const absl::StatusOr<Snapshot> now = store_.TakeSnapshot();
    if (!now.ok()) {
      return now.status();
    }
    return Total([&](const Namespace& branch) { return branch.Scan({.snapshot = &*now}); });
  }
  [[nodiscard]] absl::StatusOr<std::int64_t> TotalByTransaction() const {
    absl::StatusOr<Transaction> txn = store_.Begin({.isolation = isolation_});
    if (!txn.ok()) {
      return txn.status();
    }
    return Total([&](const Namespace& branch) { return txn->Scan(branch); });
  }
  // The number of transfers that have left a receipt.
  [[nodiscard]] std::uint64_t Receipts() const {
    std::uint64_t count = 0;
    for (ScanRange tellers = receipts_.Scan(); const Entry& teller : tellers) {
      count += std::stoull(teller.value());
    }
    return count;
  }

 private:
  const Store store_;
  const Isolation isolation_;
  const Namespace branches_[2];
  const Namespace receipts_;
};

class BankTest : public TransactionFixture, public testing::WithParamInterface<Isolation> {
 protected:
  void SetUp() override {
    WriteBatch batch;
    for (const Namespace& ns :
         {MustOpenNamespace(store_, "hash"), MustOpenOrdered(store_, "ordered")}) {
      for (std::uint64_t i = 0; i < kAccounts; ++i) {
        batch.Put(ns, Bank::Account(i), std::to_string(kEach));
      }
    }
    ASSERT_TRUE(store_.Write(std::move(batch)).ok());
    bank_ = std::make_unique<Bank>(store_, GetParam());
    ASSERT_EQ(*bank_->TotalNow(), kTotal);
    crew_ = std::make_unique<ProcessCrew>(
        kTellers + 1, [this](int i, ChildSide& parent) { return Work(i, parent); });
    ASSERT_TRUE(crew_->AllReady());
  }

  // A child's work, until `stop` is set.
  int Work(int index, ChildSide& parent) {
    const auto bad = [this](int line, const std::string& said) {
      if (ledger_->failed.exchange(line) == 0) {
        std::snprintf(ledger_->said, sizeof(ledger_->said), "%s", said.c_str());
      }
      return 1;
    };
    absl::StatusOr<Store> store = Store::Open(path_, TinyNodes(SmallOptions()));
    if (!store.ok()) {
      return bad(__LINE__, store.status().ToString());
    }
    const Bank bank(*store, GetParam());
    parent.Send("ready");
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(::getpid()));
    for (std::uint64_t round = 0; !ledger_->stop; ++round) {
      if (index == kAuditor) {
        const auto total = round % 2 == 0 ? bank.TotalNow() : bank.TotalByTransaction();
        if (!total.ok() || *total != kTotal) {
          return bad(__LINE__, total.ok() ? std::to_string(*total) : total.status().ToString());
        }
        ++ledger_->audits;
      } else {
        const absl::Status done = bank.Transfer(random, index, *ledger_);
        if (!done.ok()) {
          return bad(__LINE__, done.ToString());
        }
      }
    }
    return 0;
  }

  // Waits for `more` transfers and an audit, or for a failure.
  bool WaitForTransfers(std::uint64_t more) {
    const std::uint64_t transfers = ledger_->transfers + more;
    const std::uint64_t audits = ledger_->audits + 1;
    return WaitFor([&] {
      return (ledger_->transfers >= transfers && ledger_->audits >= audits) || ledger_->failed != 0;
    });
  }
  // True until the time is over and all has happened that shows something, however slow the
  // machine: transfers, audits, and at least `least` rounds of kills or stops.
  bool GoesOn(int rounds = 0, int least = 0) {
    const bool shown =
        rounds >= least && ledger_->transfers >= kLeastTransfers && ledger_->audits >= kLeastAudits;
    return ledger_->failed == 0 && (std::chrono::steady_clock::now() < end_ || !shown);
  }

  void ExpectAllThere(std::uint64_t killed) {
    ledger_->stop = true;
    EXPECT_TRUE(crew_->AllSucceeded());
    EXPECT_EQ(ledger_->failed, 0) << "line of this file: " << ledger_->said;
    EXPECT_GE(ledger_->transfers, kLeastTransfers);
    EXPECT_GE(ledger_->audits, kLeastAudits);
    EXPECT_EQ(*bank_->TotalNow(), kTotal);
    EXPECT_EQ(*bank_->TotalByTransaction(), kTotal);
    EXPECT_GE(bank_->Receipts(), ledger_->acknowledged) << "a commit was lost";
    EXPECT_LE(bank_->Receipts(), ledger_->acknowledged + killed)
        << "more than one unacknowledged transfer for each kill";
    // The process that was killed last is recovered after a while.
    EXPECT_TRUE(WaitFor([&] {
      const absl::StatusOr<CheckReport> report = store_.Check();
      return report.ok() && report->records == report->keys && report->blocks_in_flight == 0;
    })) << store_.Check()->records
        << " records, " << store_.Check()->keys << " keys, " << store_.Check()->blocks_in_flight
        << " blocks in flight";
    std::uint64_t size = 0;
    for (const char* branch : {"hash", "ordered"}) {
      const Namespace ns = MustOpenNamespace(store_, branch);
      EXPECT_EQ(*ns.Size(), *ns.Count()) << branch;
      size += *ns.Size();
    }
    EXPECT_LE(size, 2 * kAccounts);
    EXPECT_TRUE(IsSound(store_));
    std::printf("%llu transfers, %llu of them moved something, %llu attempts, %llu audits\n",
                static_cast<unsigned long long>(ledger_->transfers.load()),
                static_cast<unsigned long long>(ledger_->acknowledged.load()),
                static_cast<unsigned long long>(ledger_->attempts.load()),
                static_cast<unsigned long long>(ledger_->audits.load()));
  }

  const std::uint64_t seed_ = Seed();
  std::mt19937_64 random_{seed_};
  SharedMemory<Ledger> ledger_;
  // The test is a participant too, whose heartbeat recovers the dead.
  Store store_ = MustOpen(TinyNodes(SmallOptions()));
  std::unique_ptr<Bank> bank_;
  std::unique_ptr<ProcessCrew> crew_;
  const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kTime;
};

TEST_P(BankTest, TheBanksTotalNeverVaries) {
  while (GoesOn()) {
    ASSERT_TRUE(WaitForTransfers(100));
  }
  ExpectAllThere(0);
}

TEST_P(BankTest, TheBanksTotalNeverVariesThoughTellersAreKilled) {
  int killed = 0;
  while (GoesOn(killed, kLeastRounds)) {
    ASSERT_TRUE(WaitForTransfers(random_() % 100));
    ASSERT_TRUE(crew_->Replace(static_cast<int>(random_() % (kTellers + 1))));
    ++killed;
  }
  EXPECT_GE(killed, kLeastRounds);
  std::printf("%d killed\n", killed);
  ExpectAllThere(static_cast<std::uint64_t>(killed));
}

TEST_P(BankTest, TheBanksTotalNeverVariesThoughTellersAreStopped) {
  int stopped = 0;
  while (GoesOn(stopped, kLeastRounds)) {
    const int first = static_cast<int>(random_() % kTellers);
    const int second = (first + 1) % kTellers;
    ASSERT_TRUE(crew_->child(first).Stop() || ledger_->failed != 0);
    ASSERT_TRUE(crew_->child(second).Stop() || ledger_->failed != 0);
    ASSERT_TRUE(WaitForTransfers(random_() % 100 + 10)) << "a process waits for a stopped one";
    // An update of any account succeeds, whichever transaction a stopped process has in flight.
    for (const char* branch : {"hash", "ordered"}) {
      const Namespace ns = MustOpenNamespace(store_, branch);
      for (std::uint64_t i = 0; i < kAccounts; ++i) {
        const std::string account = Bank::Account(i);
        ASSERT_TRUE(ns.Update(account, [](std::optional<std::string_view> held) {
                        return held.has_value() ? Change::Put(std::string(*held)) : Change::Keep();
                      }).ok());
      }
    }
    if (ledger_->failed != 0) {
      break;  // A process has ended.
    }
    ASSERT_TRUE(crew_->child(first).Continue());
    ASSERT_TRUE(crew_->child(second).Continue());
    ++stopped;
  }
  EXPECT_GE(stopped, kLeastRounds);
  ExpectAllThere(0);
}

INSTANTIATE_TEST_SUITE_P(Levels, BankTest,
                         testing::Values(Isolation::kSnapshot, Isolation::kSerializable),
                         [](const auto& isolation) { return NameOf(isolation.param); });

}  // namespace
}  // namespace commy::test
