// Batches: all of one or nothing, in any namespaces, whatever other writers do meanwhile.
#include <optional>

#include "commy/transaction.h"
#include "support/transaction_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class WriteBatchTest : public TransactionFixture {
 protected:
  void TearDown() override {
    if (!HasFatalFailure()) {
      ExpectNothingLeft(store_);
    }
    TransactionFixture::TearDown();
  }
  Store store_ = MustOpen(TinyNodes(QuietOptions()));
  Namespace hash_ = MustOpenNamespace(store_, "hash");
  Namespace ordered_ = MustOpenOrdered(store_, "ordered");
};

TEST_F(WriteBatchTest, ABatchIsWrittenAtOneMoment) {
  ASSERT_TRUE(hash_.Put("deleted", "old").ok());
  ASSERT_TRUE(hash_.Put("over", "old").ok());
  std::optional<Snapshot> before = *store_.TakeSnapshot();
  WriteBatch batch;
  EXPECT_EQ(batch.size(), 0U);
  batch.Put(hash_, "over", "new");
  batch.Put(ordered_, "k", "new");
  batch.Delete(hash_, "deleted");
  batch.Delete(ordered_, "nowhere");
  EXPECT_EQ(batch.size(), 4U);
  EXPECT_EQ(Read(hash_, "over"), "old") << "the batch was visible before Write";
  ASSERT_TRUE(store_.Write(std::move(batch)).ok());
  EXPECT_EQ(PairsOf(hash_), Pairs({{"over", "new"}}));
  EXPECT_EQ(PairsOf(ordered_), Pairs({{"k", "new"}}));
  EXPECT_EQ(*hash_.Size(), 1U);
  EXPECT_EQ(*ordered_.Size(), 1U);
  EXPECT_EQ(PairsOf(hash_, {.snapshot = &*before}), Pairs({{"deleted", "old"}, {"over", "old"}}));
  EXPECT_EQ(PairsOf(ordered_, {.snapshot = &*before}), Pairs());
}

TEST_F(WriteBatchTest, TheLastOfSeveralWritesOfABatchToAKeyCounts) {
  ASSERT_TRUE(hash_.Put("put deleted", "old").ok());
  WriteBatch batch;
  batch.Put(hash_, "twice", "1");
  batch.Put(hash_, "twice", "2");
  batch.Delete(hash_, "deleted put");
  batch.Put(hash_, "deleted put", "1");
  batch.Put(hash_, "put deleted", "1");
  batch.Delete(hash_, "put deleted");
  batch.Put(ordered_, "twice", "elsewhere");
  EXPECT_EQ(batch.size(), 4U);
  ASSERT_TRUE(store_.Write(std::move(batch)).ok());
  EXPECT_EQ(PairsOf(hash_), Pairs({{"deleted put", "1"}, {"twice", "2"}}));
  EXPECT_EQ(PairsOf(ordered_), Pairs({{"twice", "elsewhere"}}));
  EXPECT_EQ(*hash_.Size(), 2U);
}

TEST_F(WriteBatchTest, ABatchOverwritesChangesMadeSinceItWasFilled) {
  WriteBatch batch;
  batch.Put(hash_, "k", "batch");
  batch.Put(ordered_, "k", "batch");
  ASSERT_TRUE(hash_.Put("k", "between").ok());
  ASSERT_TRUE(ordered_.Put("k", "between").ok());
  ASSERT_TRUE(ordered_.Clear().ok());
  ASSERT_TRUE(hash_.Write(std::move(batch)).ok());
  EXPECT_EQ(Read(hash_, "k"), "batch");
  EXPECT_EQ(Read(ordered_, "k"), "batch");
}

TEST_F(WriteBatchTest, ABatchConflictsWithATransactionOnTheSameKey) {
  Transaction txn = MustBegin(store_);
  ASSERT_TRUE(txn.Put(hash_, "k", "txn").ok());
  WriteBatch batch;
  batch.Put(hash_, "k", "batch");
  ASSERT_TRUE(store_.Write(std::move(batch)).ok());
  EXPECT_TRUE(absl::IsAborted(txn.Commit()));
  EXPECT_EQ(Read(hash_, "k"), "batch");
}

TEST_F(WriteBatchTest, AMovedBatchKeepsItsWrites) {
  WriteBatch batch;
  batch.Put(hash_, "k", "1");
  WriteBatch moved = std::move(batch);
  EXPECT_EQ(moved.size(), 1U);
  batch = WriteBatch();
  EXPECT_EQ(batch.size(), 0U);
  EXPECT_TRUE(store_.Write(std::move(batch)).ok()) << "an empty batch has nothing to do";
  EXPECT_TRUE(store_.Write(std::move(moved)).ok());
  EXPECT_EQ(Read(hash_, "k"), "1");
}

TEST_F(WriteBatchTest, ABatchWithOneInvalidWriteIsRefusedAsAWhole) {
  WriteBatch long_key;
  long_key.Put(hash_, "k", "1");
  long_key.Put(hash_, std::string(65'537, 'k'), "1");
  long_key.Put(ordered_, "k", "1");
  EXPECT_TRUE(Says(store_.Write(std::move(long_key)), Code::kInvalidArgument, "65537"));

  Store other = MustOpen(QuietOptions());
  WriteBatch foreign;
  foreign.Put(hash_, "k", "1");
  foreign.Put(MustOpenNamespace(other, "hash"), "k2", "1");
  EXPECT_TRUE(Says(store_.Write(std::move(foreign)), Code::kInvalidArgument, "another"));

  WriteBatch bad_ttl;
  bad_ttl.Put(hash_, "k", "1");
  bad_ttl.Put(hash_, "k2", "1", {.ttl = absl::ZeroDuration()});
  EXPECT_TRUE(Says(store_.Write(std::move(bad_ttl)), Code::kInvalidArgument, "time to live"));

  const Namespace dropped = MustOpenNamespace(store_, "dropped");
  WriteBatch into_nothing;
  into_nothing.Put(hash_, "k", "1");
  into_nothing.Put(dropped, "k", "1");
  into_nothing.Put(ordered_, "k", "1");
  ASSERT_TRUE(store_.DropNamespace("dropped").ok());
  EXPECT_TRUE(Says(store_.Write(std::move(into_nothing)), Code::kFailedPrecondition, "namespace"));
  EXPECT_EQ(*ordered_.Size(), 0U);
  EXPECT_EQ(Read(hash_, "k"), "absent");
}

TEST_F(WriteBatchTest, AReadOnlyStoreRefusesABatch) {
  Options options = QuietOptions();
  options.read_only = true;
  const Store reader = MustOpen(options);
  WriteBatch batch;
  batch.Put(MustOpenNamespace(reader, "hash"), "k", "1");
  EXPECT_TRUE(Says(reader.Write(std::move(batch)), Code::kFailedPrecondition, "read"));
  EXPECT_EQ(*hash_.Size(), 0U);
}

TEST_F(WriteBatchTest, ALargeBatchOverTinyNodesIsWrittenInFull) {
  constexpr int kKeys = 5000;
  for (int round = 0; round < 3; ++round) {
    WriteBatch batch;
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = std::to_string(i * 7919 % kKeys);
      const Namespace& ns = i % 2 == 0 ? hash_ : ordered_;
      if ((i + round) % 5 == 0) {
        batch.Delete(ns, key);
      } else {
        batch.Put(ns, key, std::to_string(round));
      }
    }
    ASSERT_TRUE(store_.Write(std::move(batch)).ok());
    EXPECT_EQ(*hash_.Size() + *ordered_.Size(), kKeys * 4 / 5U);
    EXPECT_EQ(*hash_.Count() + *ordered_.Count(), kKeys * 4 / 5U);
  }
}

}  // namespace
}  // namespace commy::test
