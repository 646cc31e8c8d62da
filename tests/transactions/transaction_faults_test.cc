// Faults of transactions: unusable handles, limits, a timeout, a store without room. Each time the
// status names the fault and nothing has changed.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include "commy/transaction.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "support/fault_platform.h"
#include "support/transaction_fixture.h"
#include "transactions/commit.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class TransactionFaultsTest : public TransactionFixture {
 protected:
  void SetUp() override { ASSERT_TRUE(ns_.Put("k", "old").ok()); }
  void TearDown() override {
    if (!HasFatalFailure()) {
      ExpectNothingLeft(store_);
    }
    TransactionFixture::TearDown();
  }

  // Expects that every call returns `code`, with `part` in its text.
  static void ExpectAllRefused(Transaction& txn, const Namespace& ns, Code code,
                               const std::string& part) {
    EXPECT_TRUE(Says(txn.Get(ns, "k").status(), code, part));
    EXPECT_TRUE(Says(txn.Contains(ns, "k").status(), code, part));
    EXPECT_TRUE(Says(txn.Put(ns, "k", "own"), code, part));
    EXPECT_TRUE(Says(txn.Delete(ns, "k").status(), code, part));
    EXPECT_TRUE(Says(txn.Add(ns, "k", 1).status(), code, part));
    ScanRange scan = txn.Scan(ns);
    EXPECT_EQ(scan.begin(), scan.end());
    EXPECT_TRUE(Says(scan.status(), code, part));
  }

  Store store_ = MustOpen(QuietOptions());
  Namespace ns_ = MustOpenNamespace(store_, "n");
};

TEST_F(TransactionFaultsTest, CallsOnAnEndedTransactionFail) {
  Transaction committed = MustBegin(store_);
  ASSERT_TRUE(committed.Put(ns_, "k", "new").ok());
  ASSERT_TRUE(committed.Commit().ok());
  const std::uint64_t time = committed.commit_time();
  ExpectAllRefused(committed, ns_, Code::kFailedPrecondition, "committed");
  EXPECT_TRUE(Says(committed.Commit(), Code::kFailedPrecondition, "committed"));
  committed.Rollback();
  EXPECT_EQ(Read(ns_, "k"), "new") << "a rollback after the commit undid it";
  EXPECT_EQ(committed.commit_time(), time);

  Transaction rolled_back = MustBegin(store_);
  rolled_back.Rollback();
  ExpectAllRefused(rolled_back, ns_, Code::kFailedPrecondition, "rolled back");
  EXPECT_TRUE(Says(rolled_back.Commit(), Code::kFailedPrecondition, "rolled back"));

  Transaction loser = MustBegin(store_);
  ASSERT_TRUE(loser.Put(ns_, "k", "own").ok());
  ASSERT_TRUE(ns_.Put("k", "theirs").ok());
  EXPECT_TRUE(absl::IsAborted(loser.Commit()));
  ExpectAllRefused(loser, ns_, Code::kFailedPrecondition, "");
  EXPECT_EQ(loser.Commit().code(), Code::kFailedPrecondition);

  Transaction from = MustBegin(store_);
  ASSERT_TRUE(from.Put(ns_, "moved", "1").ok());
  Transaction to = std::move(from);
  // NOLINTBEGIN(bugprone-use-after-move)
  ExpectAllRefused(from, ns_, Code::kFailedPrecondition, "moved");
  EXPECT_TRUE(Says(from.Commit(), Code::kFailedPrecondition, "moved"));
  from.Rollback();
  EXPECT_EQ(from.commit_time(), 0U);
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(to.Commit().ok());
  EXPECT_EQ(Read(ns_, "moved"), "1");
  EXPECT_EQ(Read(ns_, "k"), "theirs");
}

TEST_F(TransactionFaultsTest, ANamespaceOfAnotherOpenIsRefusedAndTheTransactionStaysUsable) {
  Store same = MustOpen(QuietOptions());
  Store other = MustOpen(temp_.File("other"), QuietOptions());
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(txn.Put(ns_, "k", "own").ok());
  ExpectAllRefused(txn, MustOpenNamespace(same, "n"), Code::kInvalidArgument, "another");
  ExpectAllRefused(txn, MustOpenNamespace(other, "n"), Code::kInvalidArgument, "another");
  EXPECT_TRUE(txn.Commit().ok());
  EXPECT_EQ(Read(ns_, "k"), "own");
}

TEST_F(TransactionFaultsTest, ATransactionsScanRefusesASnapshotAndAHashNamespaceInReverse) {
  const Snapshot snapshot = *store_.TakeSnapshot();
  Transaction txn = MustBegin(store_);
  for (const ScanOptions& options :
       {ScanOptions{.snapshot = &snapshot}, ScanOptions{.reverse = true}}) {
    ScanRange scan = txn.Scan(ns_, options);
    EXPECT_EQ(scan.begin(), scan.end());
    EXPECT_EQ(scan.status().code(), Code::kInvalidArgument) << scan.status();
  }
}

TEST_F(TransactionFaultsTest, TransactionsHaveTheUsualLimitsOfKeysAndValues) {
  const std::string longest(65'536, 'k');
  Transaction txn = MustBegin(store_);
  EXPECT_TRUE(txn.Put(ns_, longest, "1").ok());
  const std::string too_long = longest + "k";
  EXPECT_TRUE(Says(txn.Put(ns_, too_long, "1"), Code::kInvalidArgument, "65537"));
  EXPECT_TRUE(Says(txn.Get(ns_, too_long).status(), Code::kInvalidArgument, "65537"));
  EXPECT_TRUE(Says(txn.Delete(ns_, too_long).status(), Code::kInvalidArgument, "65537"));
  constexpr std::size_t kTooLong = (std::size_t{1} << 30) + 1;
  // Never read, so no memory stands behind it.
  void* const bytes = ::mmap(nullptr, kTooLong, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(bytes, MAP_FAILED);
  EXPECT_TRUE(Says(txn.Put(ns_, "k", {static_cast<const char*>(bytes), kTooLong}),
                   Code::kInvalidArgument, "at most"));
  ::munmap(bytes, kTooLong);
  EXPECT_TRUE(Says(txn.Put(ns_, "k", "1", {.ttl = absl::ZeroDuration()}), Code::kInvalidArgument,
                   "time to live"));
  EXPECT_TRUE(txn.Commit().ok());
  EXPECT_EQ(Read(ns_, longest), "1");
  EXPECT_EQ(Read(ns_, "k"), "old");
}

TEST_F(TransactionFaultsTest, ATransactionOfAReadOnlyStoreReadsAndRefusesToWrite) {
  Options options = QuietOptions();
  options.read_only = true;
  const Store reader = MustOpen(options);
  const Namespace seen = MustOpenNamespace(reader, "n");
  Transaction txn = MustBegin(reader);
  ASSERT_TRUE(ns_.Put("k", "new").ok());
  EXPECT_EQ(Read(txn, seen, "k"), "old");
  EXPECT_TRUE(Says(txn.Put(seen, "k", "own"), Code::kFailedPrecondition, "read"));
  EXPECT_TRUE(Says(txn.Delete(seen, "k").status(), Code::kFailedPrecondition, "read"));
  EXPECT_TRUE(Says(txn.Add(seen, "n", 1).status(), Code::kFailedPrecondition, "read"));
  EXPECT_TRUE(txn.Commit().ok());
  EXPECT_EQ(Read(ns_, "k"), "new");
}

TEST_F(TransactionFaultsTest, ATransactionThatWroteInADroppedNamespaceFailsToCommit) {
  const Namespace first = MustOpenNamespace(store_, "first");
  const Namespace dropped = MustOpenOrdered(store_, "dropped");
  const Namespace last = MustOpenNamespace(store_, "last");
  for (const bool made_again : {false, true}) {
    SCOPED_TRACE(made_again);
    const Namespace goes = MustOpenOrdered(store_, "goes" + std::to_string(made_again));
    Transaction txn = MustBegin(store_);
    for (const Namespace& ns : {first, goes, last}) {
      ASSERT_TRUE(txn.Put(ns, "k", "own").ok());
    }
    ASSERT_TRUE(store_.DropNamespace(goes.path()).ok());
    if (made_again) {
      (void)MustOpenOrdered(store_, goes.path());
    }
    EXPECT_TRUE(Says(txn.Get(goes, "k2").status(), Code::kFailedPrecondition, "dropped"));
    EXPECT_TRUE(Says(txn.Commit(), Code::kFailedPrecondition, "namespace"));
    EXPECT_EQ(*first.Size(), 0U);
    EXPECT_EQ(*last.Size(), 0U);
    EXPECT_FALSE(made_again && *MustOpenOrdered(store_, goes.path()).Size() > 0);
  }
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(store_.DropNamespace("dropped").ok());
  EXPECT_TRUE(IsNamespaceDropped(txn.Get(dropped, "k").status()));
  ASSERT_TRUE(txn.Put(first, "k", "own").ok());
  EXPECT_TRUE(txn.Commit().ok()) << "the transaction never wrote in the dropped namespace";
}

// The next namespace may get the memory of a dropped one's object.
TEST_F(TransactionFaultsTest, AHandleOfALongDroppedNamespaceAbortsNoTransactionOfTheNextOne) {
  const engine::Engine& engine = EngineOf(store_);
  const auto [key, order] = *engine::OpenNamespace(engine, "n", {});
  const auto ns = std::make_shared<const engine::NamespaceState>(
      engine::NamespaceState{StateOf(store_), key, "n", order});
  transactions::WriteSet writes;
  ASSERT_TRUE(writes.Put(ns, "k", "v", {}).ok());
  const engine::NamespaceKey stale{key.object, key.id + 1};
  const auto poll = [&] {
    std::thread([&] { EXPECT_TRUE(IsNamespaceDropped(engine::AfterDrop(engine, stale))); }).join();
  };
  const auto same = [](std::uint64_t, std::uint64_t) { return base::Result(); };
  const auto nothing = [] {};
  const transactions::CommitTerms terms{
      versions::kSnapshotIsolation, versions::kCommitTimeMax, INT64_MAX, poll, same, nothing};
  const absl::Status committed = transactions::Commit(engine, writes, terms).Run().status();
  EXPECT_TRUE(committed.ok()) << committed;
}

TEST_F(TransactionFaultsTest, CloseEndsTheStoresTransactionsAndBatches) {
  Store other = MustOpen(QuietOptions());
  const Namespace same = MustOpenNamespace(other, "n");
  std::optional<Transaction> txn = MustBegin(other);
  ASSERT_TRUE(txn->Put(same, "k", "own").ok());
  WriteBatch batch;
  batch.Put(same, "k", "own");
  ASSERT_TRUE(other.Close().ok());
  ExpectAllRefused(*txn, same, Code::kFailedPrecondition, "closed");
  EXPECT_TRUE(Says(txn->Commit(), Code::kFailedPrecondition, "closed"));
  txn.reset();
  EXPECT_TRUE(Says(other.Write(std::move(batch)), Code::kFailedPrecondition, "closed"));
  EXPECT_TRUE(Says(other.Begin().status(), Code::kFailedPrecondition, "closed"));
  EXPECT_EQ(Read(ns_, "k"), "old");
}

TEST_F(TransactionFaultsTest, ATransactionsTimeoutMustBePositive) {
  for (const absl::Duration timeout : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    EXPECT_EQ(store_.Begin({.timeout = timeout}).status().code(), Code::kInvalidArgument);
    const auto nothing = [](Transaction& /*unused*/) { return absl::OkStatus(); };
    EXPECT_EQ(store_.Transact(nothing, {.timeout = timeout}).code(), Code::kInvalidArgument);
  }
}

// On a manual clock.
class TransactionTimeoutTest : public TransactionFaultsTest {
 protected:
  TransactionTimeoutTest() {
    platform_.FreezeClocks();
    Options options = QuietOptions();
    options.operation_timeout = absl::Seconds(20);
    frozen_ = *OpenOn(platform_, temp_.File("frozen"), options);
    there_ = *frozen_->OpenNamespace("n");
  }
  void TearDown() override {
    if (!HasFatalFailure()) {
      ExpectNothingLeft(*frozen_);
    }
    TransactionFaultsTest::TearDown();
  }
  void Advance(absl::Duration time) { platform_.Advance(absl::ToInt64Nanoseconds(time)); }

  FaultPlatform platform_;
  std::optional<Store> frozen_;
  std::optional<Namespace> there_;
};

TEST_F(TransactionTimeoutTest, ACommitAfterTheTimeoutChangesNothing) {
  // One transaction with its own timeout, and one with the store's.
  for (const auto& [timeout, past] : {std::pair{absl::Seconds(3), absl::Seconds(4)},
                                      std::pair{absl::InfiniteDuration(), absl::Seconds(21)}}) {
    absl::StatusOr<Transaction> txn = frozen_->Begin({.timeout = timeout});
    ASSERT_TRUE(txn.ok()) << txn.status();
    ASSERT_TRUE(txn->Put(*there_, "k", "own").ok());
    Advance(past);
    const absl::Status done = txn->Commit();
    EXPECT_TRUE(absl::IsDeadlineExceeded(done)) << done;
    EXPECT_EQ(txn->commit_time(), 0U);
    EXPECT_FALSE(txn->Commit().ok());
    EXPECT_EQ(*there_->Size(), 0U);

    absl::StatusOr<Transaction> reader = frozen_->Begin({.timeout = timeout});
    ASSERT_TRUE(reader.ok()) << reader.status();
    Advance(past);
    EXPECT_TRUE(absl::IsDeadlineExceeded(reader->Get(*there_, "k").status()));
    EXPECT_EQ(frozen_->Stats()->snapshots, 0U)
        << "the timed out transaction still holds its snapshot";
  }
}

TEST_F(TransactionTimeoutTest, ACommitBeforeTheTimeoutSucceeds) {
  absl::StatusOr<Transaction> own = frozen_->Begin({.timeout = absl::Seconds(3)});
  absl::StatusOr<Transaction> of_the_store = frozen_->Begin();
  ASSERT_TRUE(own->Put(*there_, "a", "own").ok());
  ASSERT_TRUE(of_the_store->Put(*there_, "b", "own").ok());
  Advance(absl::Seconds(2));
  EXPECT_TRUE(own->Commit().ok());
  Advance(absl::Seconds(17));
  EXPECT_TRUE(of_the_store->Commit().ok());
  EXPECT_EQ(*there_->Size(), 2U);
}

TEST_F(TransactionFaultsTest, AFullStoreTakesNothingOfATransactionAndLosesNoKeys) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{2} << 20;
  Store store = MustOpen(temp_.File("full"), options);
  const Namespace hash = MustOpenNamespace(store, "hash");
  const Namespace ordered = MustOpenOrdered(store, "ordered");
  std::map<std::string, std::string> put;
  const std::string value(900, 'v');
  while (hash.Put(std::to_string(put.size()), value).ok()) {
    put[std::to_string(put.size())] = value;
    ASSERT_LT(put.size(), 10'000U);
  }
  const Pairs all(put.begin(), put.end());
  const auto try_to_write = [&] {
    Transaction txn = MustBegin(store);
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(txn.Put(i % 2 == 0 ? hash : ordered, "new" + std::to_string(i), value).ok());
    }
    EXPECT_TRUE(*txn.Delete(hash, "0"));
    return txn.Commit();
  };
  EXPECT_TRUE(Says(try_to_write(), Code::kResourceExhausted, "full"));
  WriteBatch batch;
  batch.Put(ordered, "big", std::string(100'000, 'v'));
  batch.Delete(hash, "0");
  EXPECT_TRUE(Says(store.Write(std::move(batch)), Code::kResourceExhausted, "full"));
  EXPECT_EQ(PairsOf(hash), all);
  EXPECT_EQ(*hash.Size(), all.size());
  EXPECT_EQ(*ordered.Size(), 0U);
  EXPECT_TRUE(IsSound(store));
  for (int i = 1; i < 400; ++i) {
    ASSERT_TRUE(*hash.Delete(std::to_string(i)));
  }
  absl::Status done;
  for (int i = 0; i < 10; ++i) {
    EngineOf(store).session.Beat();  // So that retired blocks become free.
    done = try_to_write();
    if (done.ok()) {
      break;
    }
  }
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(*hash.Size(), all.size() - 399 - 1 + 50);
  EXPECT_EQ(*ordered.Size(), 50U);
  ExpectNothingLeft(store);
}

// The second attempt validates against the same snapshot as the first one would have.
TEST_F(TransactionFaultsTest, ACommitAttemptThatFindsNoRoomKeepsTheSnapshotForTheNext) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{2} << 20;
  Store store = MustOpen(temp_.File("full"), options);
  const engine::Engine& engine = EngineOf(store);
  (void)MustOpenNamespace(store, "n");
  const auto [key, order] = *engine::OpenNamespace(engine, "n", {});
  const auto ns = std::make_shared<const engine::NamespaceState>(
      engine::NamespaceState{StateOf(store), key, "n", order});
  int committed = 0;
  const auto nothing = [] {};
  const auto same = [](std::uint64_t, std::uint64_t) { return base::Result(); };
  const auto count = [&] { ++committed; };
  const transactions::CommitTerms terms{
      versions::kSerializable, versions::kCommitTimeMax, INT64_MAX, nothing, same, count};
  transactions::WriteSet large;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(large.Put(ns, std::to_string(i), std::string(1'000'000, 'v'), {}).ok());
  }
  EXPECT_EQ(transactions::Commit(engine, large, terms).Run().status().code(),
            Code::kResourceExhausted);
  EXPECT_EQ(committed, 0) << "the snapshot was given back before the last attempt";
  transactions::WriteSet small;
  ASSERT_TRUE(small.Put(ns, "k", "v", {}).ok());
  EXPECT_TRUE(transactions::Commit(engine, small, terms).Run().ok());
  EXPECT_EQ(committed, 1);
}

// A list in the file is not trusted to end.
TEST_F(TransactionFaultsTest, ACircularWriteListIsDataLoss) {
  const engine::Engine& impl = EngineOf(store_);
  region::Region& region = impl.region;
  const versions::Intents intents(region, impl.session.platform());
  process::Operation op(**impl.session.ThisLane(), process::OpKind::kAllocate, 0);
  ASSERT_TRUE(op.entered());
  const auto allocate = [&](std::uint64_t bytes) {
    const std::uint64_t offset =
        *impl.allocator.Allocate(op, region::BlockKind::kRaw, bytes, alloc::Purpose::kOrdinary);
    base::ZeroIn(region.At(offset, bytes, 16), bytes);
    return offset;
  };
  const std::uint64_t first = versions::FirstPageStart(0);
  const std::uint64_t block = allocate(first + versions::PageBytes(1));
  region.At<versions::TransactionHead>(block)->isolation = versions::kSnapshotIsolation;
  std::vector<std::uint64_t> pages = {block + first};
  while (pages.size() < 9) {
    pages.push_back(allocate(versions::PageBytes(1)));
  }
  for (const std::uint64_t offset : pages) {
    auto* const page = region.At<versions::TransactionPage>(offset);
    page->capacity = 1;
    page->count.store(1, std::memory_order_relaxed);
  }
  const auto nothing = [](const versions::TransactionEntry& /*unused*/) {
    return absl::OkStatus();
  };
  for (std::size_t last = 0; last < pages.size(); ++last) {
    if (last > 0) {
      region.At<versions::TransactionPage>(pages[last - 1])
          ->next.store(pages[last], std::memory_order_relaxed);
    }
    base::Shared64& next = region.At<versions::TransactionPage>(pages[last])->next;
    for (std::size_t back = 0; back <= last; ++back) {
      SCOPED_TRACE(std::to_string(last) + " leads to " + std::to_string(back));
      next.store(pages[back], std::memory_order_relaxed);
      EXPECT_TRUE(Says(intents.ForEachEntry(block, nothing), Code::kDataLoss, "circle"));
      EXPECT_TRUE(
          Says(intents.ForEachPage(block, [](std::uint64_t) {}), Code::kDataLoss, "circle"));
    }
    next.store(0, std::memory_order_relaxed);
    std::size_t entries = 0;
    std::size_t more = 0;
    const auto count = [&](const versions::TransactionEntry& /*unused*/) {
      ++entries;
      return absl::OkStatus();
    };
    EXPECT_TRUE(intents.ForEachEntry(block, count).ok());
    EXPECT_TRUE(intents.ForEachPage(block, [&](std::uint64_t) { ++more; }).ok());
    EXPECT_EQ(entries, last + 1);
    EXPECT_EQ(more, last);
  }
  impl.allocator.Retire(op, block);
  for (std::size_t i = 1; i < pages.size(); ++i) {
    impl.allocator.Retire(op, pages[i]);
  }
}

TEST_F(TransactionFaultsTest, ACommitIsAllOrNothingWhicheverAllocationFails) {
  FaultPlatform platform;
  int failed = 0;
  int done = 0;
  for (std::uint64_t budget = 0; budget < 40; ++budget) {
    SCOPED_TRACE(budget);
    Options options = QuietOptions();
    options.testing.chunk_bytes = options.testing.span_bytes;
    platform.Clear();
    absl::StatusOr<Store> store =
        OpenOn(platform, temp_.File("budget" + std::to_string(budget)), options);
    ASSERT_TRUE(store.ok()) << store.status();
    const Namespace hash = MustOpenNamespace(*store, "hash");
    const Namespace ordered = MustOpenOrdered(*store, "ordered");
    platform.Set([&](auto& faults) { faults.allocate_bytes_left = budget * 8192; });
    std::map<std::string, std::string> model;
    for (int i = 0; i < 20; ++i) {
      const std::map<std::string, std::string> before = model;
      Transaction txn = MustBegin(*store);
      for (int k = 0; k < 10; ++k) {
        const std::string key = std::to_string((i * 7 + k * 3) % 40);
        model[key] = std::to_string(i) + std::string(static_cast<std::size_t>(k) * 20, 'x');
        ASSERT_TRUE(txn.Put(hash, key, model[key]).ok());
        ASSERT_TRUE(txn.Put(ordered, key, model[key]).ok());
      }
      const absl::Status committed = txn.Commit();
      ASSERT_TRUE(committed.ok() || absl::IsResourceExhausted(committed)) << committed;
      if (!committed.ok()) {
        model = before;
      }
      ++(committed.ok() ? done : failed);
      ASSERT_EQ(PairsOf(hash, {.consistent = false}), Pairs(model.begin(), model.end()));
      ASSERT_EQ(PairsOf(ordered, {.consistent = false}), Pairs(model.begin(), model.end()));
    }
    platform.Clear();
    ExpectNothingLeft(*store);
    EXPECT_TRUE(store->Transact([&](Transaction& txn) { return txn.Put(hash, "k", "v"); }).ok());
  }
  EXPECT_GT(failed, 10);
  EXPECT_GT(done, 10);
}

}  // namespace
}  // namespace commy::test
