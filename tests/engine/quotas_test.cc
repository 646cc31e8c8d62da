// Quotas: what would exceed one fails and changes nothing; what takes away always works.
#include "engine/quotas.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "commy/shared_deque.h"
#include "commy/transaction.h"
#include "support/ordered_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

constexpr absl::StatusCode kOver = absl::StatusCode::kResourceExhausted;

class QuotasTest : public OrderedFixture {
 protected:
  Namespace Open(const std::string& path) { return *store_.OpenNamespace(path); }
  std::uint64_t Bytes(const std::string& path) {
    const absl::StatusOr<std::vector<NamespaceInfo>> listed = store_.ListNamespaces(path);
    EXPECT_TRUE(listed.ok() && !listed->empty()) << listed.status();
    return listed->at(0).bytes;
  }
  engine::NamespaceRef RefOfPath(const std::string& path) {
    const engine::Engine& engine = EngineOf(store_);
    engine::NamespaceRef ns;
    EXPECT_TRUE(engine.catalog
                    .ForEach(path,
                             [&](std::string_view, std::uint64_t object) {
                               ns = engine::NamespaceAt(engine, object).value_or(ns);
                               return false;
                             })
                    .ok());
    return ns;
  }
  // Puts values of `size` under keys of its own until one fails; returns how many did not.
  static int Fill(const Namespace& ns, std::size_t size, const std::string& name) {
    for (int i = 0; i < 100'000; ++i) {
      const absl::Status put = ns.Put(name + std::to_string(i), std::string(size, 'v'));
      if (!put.ok()) {
        EXPECT_EQ(put.code(), kOver) << put;
        return i;
      }
    }
    ADD_FAILURE() << "nothing stops it";
    return 0;
  }

  Store store_ = MustOpen(QuietOptions());
};

TEST_F(QuotasTest, AWriteThatWouldExceedTheQuotaNamesItAndChangesNothing) {
  const Namespace ns = Open("acme/config");
  ASSERT_TRUE(ns.Put("a", std::string(100, 'v')).ok());
  const std::uint64_t one = Bytes("acme/config");
  ASSERT_TRUE(ns.SetQuota(2 * one).ok());
  EXPECT_EQ(*ns.Quota(), 2 * one);
  EXPECT_EQ(store_.ListNamespaces()->at(0).quota_bytes, 2 * one);
  ASSERT_TRUE(ns.Put("b", std::string(100, 'v')).ok()) << "up to the quota";
  EXPECT_EQ(Bytes("acme/config"), 2 * one);
  const absl::Status over = ns.Put("c", "");
  EXPECT_TRUE(Says(over, kOver,
                   "the namespace \"acme/config\" has a quota of " + std::to_string(2 * one) +
                       " bytes and takes " + std::to_string(2 * one) + "; "));
  EXPECT_FALSE(*ns.Contains("c"));
  EXPECT_EQ(ns.Put("a", std::string(200, 'w')).code(), kOver);
  EXPECT_EQ(*ns.Get("a"), std::string(100, 'v'));
  EXPECT_EQ(ns.PutIfAbsent("c", "v").status().code(), kOver);
  EXPECT_EQ(ns.Add("n", 1).status().code(), kOver);
  EXPECT_EQ(Bytes("acme/config"), 2 * one);
  // What takes no more, or less, works.
  EXPECT_TRUE(ns.Put("a", std::string(100, 'w')).ok());
  EXPECT_TRUE(ns.Put("a", "w").ok());
  EXPECT_TRUE(*ns.Delete("b"));
  EXPECT_TRUE(ns.Put("c", "").ok());
  ASSERT_TRUE(ns.SetQuota(1).ok());
  EXPECT_EQ(ns.Put("d", "").code(), kOver);
  EXPECT_TRUE(ns.Put("a", "").ok());
  EXPECT_TRUE(*ns.Delete("c"));
  ASSERT_TRUE(ns.SetQuota(0).ok());
  EXPECT_TRUE(ns.Put("d", std::string(10'000, 'v')).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ns.SetQuota(std::uint64_t{1} << 63U)));
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(QuotasTest, ATransactionIsJudgedAsAWhole) {
  const Namespace ns = Open("n");
  const Namespace free = Open("free");
  ASSERT_TRUE(ns.Put("a", std::string(1000, 'v')).ok());
  ASSERT_TRUE(ns.SetQuota(Bytes("n") + 200).ok());
  const auto commit = [&](const std::function<void(Transaction&)>& fill) {
    absl::StatusOr<Transaction> txn = store_.Begin();
    fill(*txn);
    return txn->Commit();
  };
  EXPECT_TRUE(Says(commit([&](Transaction& txn) {
                     EXPECT_TRUE(txn.Put(free, "x", "y").ok());
                     EXPECT_TRUE(txn.Put(ns, "b", "small").ok());
                     EXPECT_TRUE(txn.Put(ns, "c", std::string(300, 'v')).ok());
                   }),
                   kOver, "\"n\""));
  EXPECT_FALSE(*free.Contains("x"));
  EXPECT_FALSE(*ns.Contains("b"));
  // It takes away as much as it needs.
  EXPECT_TRUE(commit([&](Transaction& txn) {
                EXPECT_TRUE(txn.Delete(ns, "a").ok());
                EXPECT_TRUE(txn.Put(ns, "b", std::string(900, 'v')).ok());
              }).ok());
  WriteBatch batch;
  batch.Put(ns, "c", std::string(2000, 'v'));
  EXPECT_EQ(store_.Write(std::move(batch)).code(), kOver);
  int runs = 0;
  EXPECT_EQ(store_
                .Transact([&](Transaction& txn) {
                  ++runs;
                  return txn.Put(ns, "c", std::string(2000, 'v'));
                })
                .code(),
            kOver);
  EXPECT_EQ(runs, 1) << "it is no conflict";
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(QuotasTest, AFullQueueCanBeEmptiedAndPushedToAgain) {
  const SharedDeque<std::string> queue = *store_.OpenShared<SharedDeque<std::string>>("q");
  const Namespace ns = Open("q");
  ASSERT_TRUE(queue.PushBack(std::string(100, 'v')).ok());
  ASSERT_TRUE(ns.SetQuota(20'000).ok());
  absl::Status pushed;
  int count = 1;
  while (pushed.ok() && count < 10'000) {
    pushed = queue.PushBack(std::string(100, 'v'));
    count += pushed.ok() ? 1 : 0;
  }
  EXPECT_TRUE(Says(pushed, kOver, "\"q\" has a quota of 20000 bytes"));
  EXPECT_GT(count, 50);
  EXPECT_EQ(*queue.Size(), static_cast<std::uint64_t>(count));
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(queue.PopFront().ok()) << i;
  }
  EXPECT_TRUE(queue.PushBack("v").ok());
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(QuotasTest, TheQuotaOfAPathIsOfAllNamespacesUnderIt) {
  const Namespace early = Open("acme/early");
  const Namespace itself = Open("acme");
  const Namespace other = Open("acme2");
  ASSERT_TRUE(store_.SetPathQuota("acme", 64'000).ok());
  const Namespace late = Open("acme/deep/late");
  for (const Namespace* ns : {&early, &itself, &late}) {
    ASSERT_TRUE(ns->Put("k", std::string(10'000, 'v')).ok()) << ns->path();
  }
  EXPECT_TRUE(other.Put("k", std::string(100'000, 'v')).ok());
  const int put = Fill(late, 1000, "fill ");
  EXPECT_GT(put, 25);
  EXPECT_LT(put, 34);
  const std::vector<PathQuota> quotas = *store_.PathQuotas();
  ASSERT_EQ(quotas.size(), 1U);
  EXPECT_EQ(quotas[0].path, "acme");
  EXPECT_EQ(quotas[0].quota_bytes, 64'000U);
  EXPECT_EQ(quotas[0].bytes, Bytes("acme") + Bytes("acme/deep") + Bytes("acme/early"));
  EXPECT_LE(quotas[0].bytes, 64'000U) << "one process alone sums again before it exceeds it";
  const absl::Status over = itself.Put("more", std::string(2000, 'v'));
  EXPECT_TRUE(Says(
      over, kOver,
      "the path \"acme\" has a quota of 64000 bytes and takes " + std::to_string(quotas[0].bytes)));
  EXPECT_TRUE(other.Put("more", std::string(2000, 'v')).ok());
  EXPECT_TRUE(itself.Put("k", "shorter").ok());
  EXPECT_TRUE(itself.Put("more", std::string(2000, 'v')).ok());
  // Moving what is there within the path takes no more.
  ASSERT_GE(Fill(late, 100, "last "), 0);
  absl::StatusOr<Transaction> txn = store_.Begin();
  ASSERT_TRUE(txn->Delete(early, "k").ok());
  ASSERT_TRUE(txn->Put(itself, "moved", std::string(9'000, 'v')).ok());
  EXPECT_TRUE(txn->Commit().ok());
  // A second one, of a part.
  ASSERT_TRUE(store_.SetPathQuota("acme", 1'000'000).ok());
  ASSERT_TRUE(store_.SetPathQuota("acme/deep", 1).ok());
  EXPECT_TRUE(Says(late.Put("x", "y"), kOver, "\"acme/deep\" has a quota of 1 bytes"));
  EXPECT_TRUE(itself.Put("x", "y").ok());
  ASSERT_TRUE(store_.SetPathQuota("acme/deep", 0).ok());
  EXPECT_TRUE(late.Put("x", "y").ok());
  ASSERT_TRUE(store_.SetPathQuota("acme", 0).ok());
  EXPECT_TRUE(store_.PathQuotas()->empty());
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(QuotasTest, ARenamedNamespaceLeavesOneQuotaAndComesUnderAnother) {
  ASSERT_TRUE(store_.SetPathQuota("small", 5000).ok());
  const Namespace ns = Open("free");
  ASSERT_TRUE(ns.Put("k", std::string(8000, 'v')).ok());
  ASSERT_TRUE(store_.RenameNamespace("free", "small/n").ok()) << "a rename always works";
  EXPECT_EQ(ns.Put("l", "v").code(), kOver);
  EXPECT_TRUE(ns.Put("k", std::string(7000, 'v')).ok());
  EXPECT_GT(store_.PathQuotas()->at(0).bytes, 7000U);
  ASSERT_TRUE(store_.RenameNamespace("small/n", "free").ok());
  EXPECT_TRUE(ns.Put("l", "v").ok());
  EXPECT_EQ(store_.PathQuotas()->at(0).bytes, 0U);
  // Dropped ones take nothing, and new ones come under it.
  const Namespace again = Open("small/n");
  ASSERT_TRUE(again.Put("k", std::string(4000, 'v')).ok());
  ASSERT_TRUE(store_.DropNamespace("small/n").ok());
  EXPECT_TRUE(Open("small/m").Put("k", std::string(4000, 'v')).ok());
}

TEST_F(QuotasTest, QuotasSurviveAReopenAndTheirNamespaceIsHidden) {
  ASSERT_TRUE(store_.OpenNamespace("n", {.quota_bytes = 1000}).ok());
  ASSERT_TRUE(store_.SetPathQuota("a/b", 2000).ok());
  ASSERT_TRUE(store_.SetPathQuota("a", 3000).ok());
  ASSERT_TRUE(store_.Close().ok());
  store_ = MustOpen(QuietOptions());
  EXPECT_EQ(*Open("n").Quota(), 1000U);
  EXPECT_EQ(store_.OpenNamespace("n", {.quota_bytes = 1500})->Quota().value(), 1500U);
  ASSERT_EQ(store_.PathQuotas()->size(), 2U);
  EXPECT_EQ(store_.PathQuotas()->at(0).path, "a");
  EXPECT_EQ(store_.PathQuotas()->at(1).quota_bytes, 2000U);
  EXPECT_EQ(Open("a/b/c").Put("k", std::string(2000, 'v')).code(), kOver);
  const std::vector<NamespaceInfo> listed = *store_.ListNamespaces();
  for (const NamespaceInfo& info : listed) {
    EXPECT_NE(info.path.front(), '/');
  }
  EXPECT_EQ(store_.Check()->namespaces, listed.size());
  EXPECT_TRUE(absl::IsInvalidArgument(store_.OpenNamespace("/quotas").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store_.DropNamespace("/quotas")));
  EXPECT_TRUE(absl::IsInvalidArgument(store_.SetPathQuota("a/", 1)));
  EXPECT_TRUE(absl::IsInvalidArgument(store_.SetPathQuota("a", std::uint64_t{1} << 63U)));
}

TEST_F(QuotasTest, AHeartbeatFinishesTheQuotaOfASetterThatWasKilled) {
  const Namespace ns = Open("a/n");
  ASSERT_TRUE(store_.SetPathQuota("a", 1000).ok());
  // As if it had been killed before it told the namespace.
  RefOfPath("a/n").object->quota_bytes.store(0, std::memory_order_relaxed);
  EXPECT_TRUE(ns.Put("k", std::string(2000, 'v')).ok());
  EngineOf(store_).session.Beat();
  EXPECT_EQ(ns.Put("l", "v").code(), kOver);
}

TEST_F(QuotasTest, TwoParticipantsExceedTheQuotaOfAPathByASixtyFourthOfTheRoomAtMost) {
  constexpr std::uint64_t kQuota = 200'000;
  ASSERT_TRUE(store_.SetPathQuota("a", kQuota).ok());
  const Store other = MustOpen(QuietOptions());
  const std::vector<Namespace> all = {Open("a/1"), *other.OpenNamespace("a/2")};
  // The one sums and finds all the room there is; then the other one fills it.
  ASSERT_TRUE(all[0].Put("first", "v").ok());
  Fill(all[1], 500, "k");
  const std::uint64_t before = store_.PathQuotas()->at(0).bytes;
  EXPECT_GT(before, kQuota - 1000);
  EXPECT_LE(before, kQuota);
  Fill(all[0], 500, "k");
  EXPECT_LE(store_.PathQuotas()->at(0).bytes, kQuota + kQuota / 64);
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(QuotasTest, TwoThreadsFillAPathToItsQuota) {
  constexpr std::uint64_t kQuota = 200'000;
  ASSERT_TRUE(store_.SetPathQuota("a", kQuota).ok());
  const std::vector<Namespace> all = {Open("a/1"), Open("a/2")};
  RunThreads(2, [&](int thread) { Fill(all[static_cast<std::size_t>(thread)], 500, "k"); });
  const std::uint64_t bytes = store_.PathQuotas()->at(0).bytes;
  EXPECT_GT(bytes, kQuota - 2000);
  EXPECT_LE(bytes, kQuota + 1000) << "more than what two threads had in flight";
}

}  // namespace
}  // namespace commy::test
