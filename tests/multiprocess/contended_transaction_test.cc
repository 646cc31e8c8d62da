// Transactions and batches of many keys, the same keys in several processes: each process makes
// progress. A transaction whose owner is stopped is aborted after the store's operation_timeout.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"

#include "process/notes.h"
#include "support/child_process.h"
#include "support/process_crew.h"
#include "support/transaction_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr int kKeys = 20'000;
#else
constexpr int kKeys = 150'000;
#endif
constexpr int kWriters = 3;
constexpr int kRoundsEach = 2;
constexpr std::chrono::seconds kGenerous{120};

struct Counts {
  std::array<std::atomic<int>, kWriters> rounds;
  std::atomic<bool> stop{false};
};

enum class Kind : std::uint8_t { kBatch, kSnapshot, kSerializable };

class ContendedTransactionTest : public TransactionFixture,
                                 public testing::WithParamInterface<Kind> {
 protected:
  static Options LargeOptions() {
    Options options;
    options.max_size = std::uint64_t{4} << 30;
    options.operation_timeout = absl::Minutes(5);
    return options;
  }
  static std::string KeyAt(int i) { return absl::StrFormat("key %07d", i); }

  static absl::Status WriteAll(const Store& store, const Namespace& ns, const std::string& value) {
    if (GetParam() == Kind::kBatch) {
      WriteBatch batch;
      for (int i = 0; i < kKeys; ++i) {
        batch.Put(ns, KeyAt(i), value);
      }
      return store.Write(std::move(batch));
    }
    TransactOptions options;
    options.isolation =
        GetParam() == Kind::kSnapshot ? Isolation::kSnapshot : Isolation::kSerializable;
    return store.Transact(
        [&](Transaction& txn) -> absl::Status {
          for (int i = 0; i < kKeys; ++i) {
            if (absl::Status put = txn.Put(ns, KeyAt(i), value); !put.ok()) {
              return put;
            }
          }
          return absl::OkStatus();
        },
        options);
  }

  // Writes all keys repeatedly, until `stop` is set.
  int KeepWriting(int writer) {
    absl::StatusOr<Store> store = Store::Open(path_, LargeOptions());
    if (!store.ok()) return 11;
    const absl::StatusOr<Namespace> ns = store->OpenNamespace("ordered");
    if (!ns.ok()) return 12;
    while (!counts_->stop) {
      if (!WriteAll(*store, *ns, std::to_string(writer)).ok()) return 13;
      ++counts_->rounds[writer];
    }
    return 0;
  }

  SharedMemory<Counts> counts_;
};

TEST_P(ContendedTransactionTest, EachOfSeveralProcessesThatWriteTheSameKeysMakesProgress) {
  Store store = MustOpen(LargeOptions());
  const Namespace ns = MustOpenOrdered(store, "ordered");
  std::vector<std::unique_ptr<ChildProcess>> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.push_back(
        std::make_unique<ChildProcess>([this, i](ChildSide&) { return KeepWriting(i); }));
  }
  // All processes write until each has done its rounds.
  EXPECT_TRUE(WaitFor(
      [&] {
        for (const std::atomic<int>& rounds : counts_->rounds) {
          if (rounds < kRoundsEach) return false;
        }
        return true;
      },
      kGenerous));
  counts_->stop = true;
  for (int i = 0; i < kWriters; ++i) {
    std::printf("writer %d: %d rounds\n", i, counts_->rounds[i].load());
    EXPECT_TRUE(writers[i]->Succeeded());
  }
  EXPECT_EQ(*ns.Size(), static_cast<std::uint64_t>(kKeys));
  const std::string value = *ns.Get(KeyAt(0));
  ScanRange scan = ns.Scan();
  for (const Entry& entry : scan) {
    ASSERT_EQ(entry.value(), value) << entry.key();
  }
  EXPECT_TRUE(scan.status().ok()) << scan.status();
}

INSTANTIATE_TEST_SUITE_P(Kinds, ContendedTransactionTest,
                         testing::Values(Kind::kBatch, Kind::kSnapshot, Kind::kSerializable),
                         [](const auto& info) {
                           return info.param == Kind::kBatch      ? "Batch"
                                  : info.param == Kind::kSnapshot ? "Snapshot"
                                                                  : "Serializable";
                         });

// The status of the transaction that is being published, once its list is complete; 0 if none is.
std::uint64_t StatusOfTransaction(Store& store) {
  region::Region& region = EngineOf(store).region;
  for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
    const process::Note note =
        process::ReadNote(region.lane(i).notes[0].load(std::memory_order_acquire));
    if (note.kind != region::BlockKind::kTransaction) continue;
    const auto* const head = region.At<versions::TransactionHead>(note.offset_bytes);
    if (head->list_sum.load(std::memory_order_acquire) != 0) {
      return head->status.load(std::memory_order_seq_cst);
    }
  }
  return 0;
}

class OlderTransactionTest : public TransactionFixture {};

TEST_F(OlderTransactionTest, AYoungerTransactionThatNeedsAKeyOfAnOlderOneDoesNotAbortIt) {
  Store store = MustOpen(Options());
  const Namespace first = MustOpenOrdered(store, "first");
  const Namespace other = MustOpenOrdered(store, "other");
  absl::StatusOr<Transaction> older = store.Begin({.timeout = absl::Minutes(5)});
  ASSERT_TRUE(older.ok());
  ASSERT_TRUE(other.Put("0", "").ok());  // Age goes by the clock of commits.
  for (int i = 0; i < 300'000; ++i) {
    ASSERT_TRUE(older->Put(first, absl::StrFormat("key %07d", i), "older").ok());
  }
  absl::Status committed;
  std::thread owner([&] { committed = older->Commit(); });
  EXPECT_TRUE(WaitFor([&] { return StatusOfTransaction(store) == versions::kStatusActive; }));
  // The younger one begins long before the older one is done, and meets it at the first key.
  WriteBatch younger;
  younger.Put(first, "key 0000000", "younger");
  for (int i = 0; i < 5'000; ++i) {
    younger.Put(other, std::to_string(i), "younger");
  }
  EXPECT_TRUE(store.Write(std::move(younger)).ok());
  owner.join();
  ASSERT_TRUE(committed.ok()) << committed;
  EXPECT_EQ(*first.Get("key 0000000"), "younger");
  EXPECT_EQ(*first.Get("key 0000001"), "older");
}

class StalledTransactionTest : public TransactionFixture {
 protected:
  static Options ShortOptions(absl::Duration operation_timeout) {
    Options options;
    options.operation_timeout = operation_timeout;
    options.stale_after = absl::Milliseconds(100);
    options.heartbeat_interval = absl::Milliseconds(20);
    return options;
  }
};

TEST_F(StalledTransactionTest, ATransactionOfAStoppedProcessIsAbortedAfterTheOperationTimeout) {
  // Longer than a heartbeat is late on a busy machine.
  const Options options = ShortOptions(absl::Seconds(2));
  Store store = MustOpen(options);
  const Namespace keys = MustOpenOrdered(store, "ordered");
  ASSERT_TRUE(keys.Put("key 0000000", "before").ok());
  ChildProcess owner([&](ChildSide& parent) {
    absl::StatusOr<Store> mine = Store::Open(path_, options);
    if (!mine.ok()) return 11;
    const absl::StatusOr<Namespace> ns = mine->OpenNamespace("ordered");
    absl::StatusOr<Transaction> txn = mine->Begin({.timeout = absl::Hours(1)});
    if (!ns.ok() || !txn.ok()) return 12;
    for (int i = 0; i < 1'000'000; ++i) {
      if (!txn->Put(*ns, absl::StrFormat("key %07d", i), "late").ok()) return 13;
    }
    parent.Send("ready");
    const absl::Status committed = txn->Commit();
    return committed.ok() ? 1 : absl::IsAborted(committed) ? 0 : 14;
  });
  ASSERT_EQ(owner.Receive(), "ready");
  ASSERT_TRUE(WaitFor([&] { return StatusOfTransaction(store) == versions::kStatusActive; }));
  ASSERT_TRUE(owner.Stop());
  ASSERT_EQ(StatusOfTransaction(store), versions::kStatusActive)
      << "the transaction ended before its owner was stopped";
  // Only heartbeats can abort it: no other writer needs its keys.
  EXPECT_TRUE(WaitFor([&] { return StatusOfTransaction(store) == versions::kCommitAborted; }));
  EXPECT_EQ(*keys.Get("key 0000000"), "before");
  ASSERT_TRUE(owner.Continue());
  EXPECT_TRUE(owner.Succeeded()) << "the aborted transaction was committed";
  EXPECT_EQ(*keys.Size(), 1U);
}

TEST_F(StalledTransactionTest, ALongCommitIsNotAbortedWhileItsOwnersHeartbeatMoves) {
  constexpr int kMany = 1'000'000;  // The commit takes longer than the operation timeout.
  const Options options = ShortOptions(absl::Milliseconds(500));
  Store store = MustOpen(options);
  const Namespace keys = MustOpenOrdered(store, "ordered");
  ChildProcess owner([&](ChildSide&) {
    absl::StatusOr<Store> mine = Store::Open(path_, options);
    if (!mine.ok()) return 11;
    const absl::StatusOr<Namespace> ns = mine->OpenNamespace("ordered");
    absl::StatusOr<Transaction> txn = mine->Begin({.timeout = absl::Hours(1)});
    if (!ns.ok() || !txn.ok()) return 12;
    for (int i = 0; i < kMany; ++i) {
      if (!txn->Put(*ns, absl::StrFormat("key %07d", i), "slow").ok()) return 13;
    }
    return txn->Commit().ok() ? 0 : 14;
  });
  EXPECT_TRUE(owner.Succeeded());
  EXPECT_EQ(*keys.Size(), static_cast<std::uint64_t>(kMany));
}

}  // namespace
}  // namespace commy::test
