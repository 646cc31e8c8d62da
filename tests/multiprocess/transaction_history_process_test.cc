// Processes append to lists in a hash and an ordered namespace by transactions and single calls,
// and read them by scans and snapshots. Some are killed or stopped at any moment. The isolation
// level allows the history, also in real time.
#include <chrono>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

#include "support/process_crew.h"
#include "support/seed.h"
#include "support/transaction_fixture.h"
#include "support/transaction_worker.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kProcesses = 4;
constexpr std::size_t kWords = std::size_t{1} << 21;
constexpr std::chrono::seconds kTime{2};
constexpr std::uint64_t kLeastEntries = 2'000;
constexpr int kLeastStrikes = 4;

struct Book {
  ListBoard board;
  TransactionLog<kWords> logs[kProcesses + 1];  // The last one is the test's own.
  std::atomic<std::uint32_t> sessions{0};
  std::atomic<bool> full{false};  // One of the logs is full.
  std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};
  char said[400] = {};
};

class TransactionHistoryProcessTest : public TransactionFixture,
                                      public testing::WithParamInterface<Isolation> {
 protected:
  // A child's work, until `stop` is set.
  int Work(int index, ChildSide& parent) {
    absl::Status done;
    absl::StatusOr<Store> store = Store::Open(path_, TinyNodes(SmallOptions()));
    if (store.ok()) {
      const std::uint32_t session = ++book_->sessions;
      TransactionWorker<kWords> worker(*store, GetParam(), session, seed_ + session, book_->board,
                                       book_->logs[index]);
      parent.Send("ready");
      while (!book_->stop && done.ok()) {
        done = worker.Step();
      }
      if (absl::IsOutOfRange(done)) {
        book_->full = true;
        done = absl::OkStatus();
        // Only a living process can be stopped.
        (void)WaitFor([&] { return book_->stop.load(); });
      }
    } else {
      done = store.status();
    }
    if (done.ok()) {
      return 0;
    }
    if (!book_->failed.exchange(true)) {
      std::snprintf(book_->said, sizeof(book_->said), "%s", done.ToString().c_str());
    }
    return 1;
  }

  void Start() {
    crew_ = std::make_unique<ProcessCrew>(
        kProcesses, [this](int index, ChildSide& parent) { return Work(index, parent); });
    ASSERT_TRUE(crew_->AllReady());
    end_ = std::chrono::steady_clock::now() + kTime;
  }

  [[nodiscard]] std::uint64_t Entries() const {
    std::uint64_t entries = 0;
    for (const auto& log : book_->logs) {
      entries += log.entries();
    }
    return entries;
  }
  // Waits for `more` log entries, or for the end.
  void WaitForEntries(std::uint64_t more) {
    const std::uint64_t entries = Entries() + more;
    EXPECT_TRUE(WaitFor([&] { return Entries() >= entries || HasEnded(); }));
  }
  [[nodiscard]] bool HasEnded() const { return book_->full || book_->failed; }
  // True until the time is over and the history long enough to show something, however slow the
  // machine.
  [[nodiscard]] bool GoesOn() const {
    return !HasEnded() && (std::chrono::steady_clock::now() < end_ || Entries() < kLeastEntries);
  }
  int AnyOne() { return static_cast<int>(random_() % kProcesses); }

  void ExpectAllowed() {
    book_->stop = true;
    EXPECT_TRUE(crew_->AllSucceeded());
    EXPECT_FALSE(book_->failed) << book_->said;
    TransactionWorker<kWords> last(store_, GetParam(), 0, seed_, book_->board,
                                   book_->logs[kProcesses]);
    const absl::Status read = last.ReadAll();
    ASSERT_TRUE(read.ok()) << read;
    std::vector<ListTransaction> history;
    for (const auto& log : book_->logs) {
      log.AppendTo(history);
    }
    const HistoryReport report = Examine(history);
    EXPECT_TRUE(report.findings.empty()) << report.Told();
    EXPECT_GT(report.committed, 100U);
    std::printf(
        "%zu transactions: %llu committed, %llu of them never returned, %llu aborted; "
        "%llu appends to %u keys; %llu write skews\n",
        history.size(), static_cast<unsigned long long>(report.committed),
        static_cast<unsigned long long>(report.proven),
        static_cast<unsigned long long>(report.aborted),
        static_cast<unsigned long long>(report.appends_seen),
        book_->board.first_key + TransactionWorker<kWords>::kKeys,
        static_cast<unsigned long long>(report.write_skews));
  }

  const std::uint64_t seed_ = Seed();
  std::mt19937_64 random_{seed_};
  const SharedMemory<Book> book_;
  // The test is a participant too, whose heartbeat recovers the dead.
  Store store_ = MustOpen(TinyNodes(SmallOptions()));
  std::unique_ptr<ProcessCrew> crew_;
  std::chrono::steady_clock::time_point end_;
};

TEST_P(TransactionHistoryProcessTest, TheIsolationLevelAllowsTheHistory) {
  Start();
  EXPECT_TRUE(WaitFor([&] { return !GoesOn(); }));
  ExpectAllowed();
}

TEST_P(TransactionHistoryProcessTest,
       TheIsolationLevelAllowsTheHistoryThoughProcessesAreKilledAndStopped) {
  int killed = 0;
  int stopped = 0;
  Start();
  while (GoesOn() || (!HasEnded() && (killed < kLeastStrikes || stopped < kLeastStrikes))) {
    WaitForEntries(random_() % 100);
    const int one = AnyOne();
    if (random_() % 2 == 0) {
      if (!crew_->child(one).Stop()) {
        break;  // The process has ended.
      }
      ++stopped;
      WaitForEntries(random_() % 200);
      if (random_() % 3 != 0) {
        ASSERT_TRUE(crew_->child(one).Continue());
        continue;
      }
    }
    ASSERT_TRUE(crew_->Replace(one));
    ++killed;
  }
  std::printf("%d killed, %d stopped\n", killed, stopped);
  EXPECT_GE(killed, kLeastStrikes);
  EXPECT_GE(stopped, kLeastStrikes);
  ExpectAllowed();
}

INSTANTIATE_TEST_SUITE_P(Levels, TransactionHistoryProcessTest,
                         testing::Values(Isolation::kSnapshot, Isolation::kSerializable),
                         [](const auto& isolation) { return NameOf(isolation.param); });

}  // namespace
}  // namespace commy::test
