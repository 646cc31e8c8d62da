// Waiting for changes of a namespace, and for a key.
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "namespaces/notify.h"
#include "platform/linux_platform.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/ordered_fixture.h"
#include "support/seen_dead.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

constexpr absl::Duration kNever = absl::InfiniteDuration();

// Counts the waits and wakes that reach the system.
class CountingPlatform : public platform::LinuxPlatform {
 public:
  bool FutexWait(const std::uint32_t* word, std::uint32_t expected,
                 std::int64_t timeout_ns) override {
    ++waits;
    return LinuxPlatform::FutexWait(word, expected, timeout_ns);
  }
  void FutexWakeAll(const std::uint32_t* word) override {
    ++wakes;
    LinuxPlatform::FutexWakeAll(word);
  }
  std::atomic<int> waits{0};
  std::atomic<int> wakes{0};
};

class WaitingTest : public OrderedFixture, public testing::WithParamInterface<Order> {
 protected:
  void SetUp() override {
    store_ = *OpenOn(platform_, path_, TinyNodes(QuietOptions()));
    ns_ = *store_->OpenNamespace("n", {.order = GetParam()});
  }
  void TearDown() override {
    EXPECT_TRUE(!store_.has_value() || IsSound(*store_));
    ns_.reset();
    store_.reset();
    OrderedFixture::TearDown();
  }
  // Whether a change that `change` makes while a thread waits ends the wait.
  bool EndsAWait(const std::function<void()>& change) {
    const absl::StatusOr<ChangeToken> seen = ns_->Changes();
    EXPECT_TRUE(seen.ok()) << seen.status();
    const int waits = platform_.waits;
    absl::StatusOr<ChangeToken> got;
    std::thread waiter([&] { got = ns_->WaitForChange(*seen, absl::Seconds(60)); });
    EXPECT_TRUE(WaitFor([&] { return platform_.waits > waits; }));
    change();
    waiter.join();
    return got.ok() && *got != *seen;
  }

  CountingPlatform platform_;
  std::optional<Store> store_;
  std::optional<Namespace> ns_;
};

TEST_P(WaitingTest, WaitForChangeReturnsAtOnceAfterAChangeSinceTheToken) {
  const ChangeToken before = *ns_->Changes();
  EXPECT_EQ(*ns_->Changes(), before);
  ASSERT_TRUE(ns_->Put("k", "1").ok());
  const absl::StatusOr<ChangeToken> after = ns_->WaitForChange(before, kNever);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE(*after, before);
  EXPECT_EQ(platform_.waits, 0);
  // Without a change since, it times out.
  for (const absl::Duration time :
       {absl::ZeroDuration(), -absl::Seconds(1), absl::Milliseconds(1)}) {
    EXPECT_TRUE(Says(ns_->WaitForChange(*after, time).status(), Code::kDeadlineExceeded,
                     "nothing changed"));
  }
}

TEST_P(WaitingTest, EveryKindOfChangeEndsAWait) {
  EXPECT_TRUE(EndsAWait([&] { ASSERT_TRUE(ns_->Put("k", "1").ok()); }));
  EXPECT_TRUE(EndsAWait([&] { ASSERT_TRUE(ns_->Put("k", "2").ok()); }));
  EXPECT_TRUE(EndsAWait([&] { ASSERT_TRUE(*ns_->Delete("k")); }));
  EXPECT_TRUE(EndsAWait([&] { ASSERT_TRUE(ns_->Add("n", 1).ok()); }));
  EXPECT_TRUE(EndsAWait([&] {
    WriteBatch batch;
    batch.Put(*ns_, "b", "1");
    ASSERT_TRUE(store_->Write(std::move(batch)).ok());
  }));
  EXPECT_TRUE(EndsAWait([&] {
    ASSERT_TRUE(store_->Transact([&](Transaction& txn) { return txn.Put(*ns_, "t", "1"); }).ok());
  }));
  EXPECT_TRUE(EndsAWait([&] { ASSERT_TRUE(ns_->Clear().ok()); }));
  EXPECT_TRUE(
      EndsAWait([&] { ASSERT_TRUE(ns_->Put("short", "1", {.ttl = absl::Nanoseconds(1)}).ok()); }));
  process::Session& session = EngineOf(*store_).session;
  session.Beat();
  session.Beat();
  EXPECT_EQ(store_->Check()->records, 0U);
  ASSERT_TRUE(ns_->Put("short", "1", {.ttl = absl::Nanoseconds(1)}).ok());
  EXPECT_TRUE(EndsAWait([&] { session.Beat(); }));
}

TEST_P(WaitingTest, ADropEndsAWait) {
  EXPECT_FALSE(EndsAWait([&] { ASSERT_TRUE(store_->DropNamespace("n").ok()); }));
  EXPECT_TRUE(Says(ns_->Changes().status(), Code::kFailedPrecondition, "dropped"));
  EXPECT_TRUE(Says(ns_->WaitForChange(ChangeToken(), kNever).status(), Code::kFailedPrecondition,
                   "dropped"));
  EXPECT_TRUE(Says(ns_->GetOrWait("k", kNever).status(), Code::kFailedPrecondition, "dropped"));
}

TEST_P(WaitingTest, AnAbortedTransactionAndAnotherNamespaceAreNoChange) {
  const ChangeToken seen = *ns_->Changes();
  absl::StatusOr<Transaction> txn = store_->Begin();
  ASSERT_TRUE(txn->Put(*ns_, "k", "1").ok());
  txn->Rollback();
  ASSERT_TRUE(store_->OpenNamespace("other")->Put("k", "1").ok());
  EXPECT_FALSE(*ns_->Delete("absent"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(ns_->WaitForChange(seen, absl::ZeroDuration()).status()));
}

TEST_P(WaitingTest, AWriterMakesNoSystemCallWhenNobodyWaits) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_->Put("k" + std::to_string(i), "1").ok());
  }
  EXPECT_EQ(platform_.wakes, 0);
  (void)*ns_->Changes();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_->Put("k" + std::to_string(i), "2").ok());
  }
  EXPECT_EQ(platform_.wakes, 0);
  // The same state as a waiter leaves that dies asleep: one wake too many.
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      ns_->WaitForChange(*ns_->Changes(), absl::Milliseconds(1)).status()));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns_->Put("k" + std::to_string(i), "3").ok());
  }
  EXPECT_EQ(platform_.wakes, 1);
}

// Threads of this process, each asleep until its key is there.
class KeyWaiters {
 public:
  KeyWaiters(const Namespace& ns, CountingPlatform& platform, int count) : ns_(ns) {
    const int waits = platform.waits;
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] {
        if (!ns_.GetOrWait(NameOf(i), kNever).ok()) {
          ++failed;
        }
      });
    }
    EXPECT_TRUE(WaitFor([&] { return platform.waits >= waits + count; }));
  }
  static std::string NameOf(int i) { return "awaited" + std::to_string(i); }
  void Join() {
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  std::atomic<int> failed{0};

 private:
  const Namespace& ns_;
  std::vector<std::thread> threads_;
};

TEST_P(WaitingTest, WaitersForOtherKeysCostAWriterNoSystemCall) {
  constexpr int kWaiters = 8;
  // Awaited keys share no word with the keys that are written.
  const engine::Engine& impl = EngineOf(*store_);
  const std::uint64_t object = *impl.catalog.Find("n");
  const std::uint64_t id =
      impl.region.At<namespaces::NamespaceObject>(object)->id.load(std::memory_order_acquire);
  const auto word_of = [&](const std::string& key) {
    return &namespaces::KeyWord(impl.region, id, impl.map.Hash(key));
  };
  const auto is_awaited = [&](const std::string& key) {
    for (int i = 0; i < kWaiters; ++i) {
      if (word_of(key) == word_of(KeyWaiters::NameOf(i))) return true;
    }
    return false;
  };
  KeyWaiters waiters(*ns_, platform_, kWaiters);
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (is_awaited(key)) continue;
    ASSERT_TRUE(ns_->Put(key, "1").ok());
    WriteBatch batch;
    batch.Put(*ns_, key, "2");
    ASSERT_TRUE(store_->Write(std::move(batch)).ok());
    ASSERT_TRUE(*ns_->Delete(key));
  }
  ASSERT_TRUE(ns_->Clear().ok());
  EXPECT_EQ(platform_.wakes, 0);
  for (int i = 0; i < kWaiters; ++i) {
    ASSERT_TRUE(ns_->Put(KeyWaiters::NameOf(i), "1").ok());
  }
  waiters.Join();
  EXPECT_EQ(waiters.failed, 0);
  EXPECT_LE(platform_.wakes, kWaiters);
}

TEST_P(WaitingTest, EveryKindOfPutWakesTheWaiterForItsKey) {
  const auto comes = [&](const std::function<void()>& put) {
    KeyWaiters waiter(*ns_, platform_, 1);
    const int wakes = platform_.wakes;
    put();
    waiter.Join();
    EXPECT_EQ(platform_.wakes, wakes + 1);
    EXPECT_EQ(waiter.failed, 0);
    EXPECT_TRUE(*ns_->Delete(KeyWaiters::NameOf(0)));
  };
  const std::string key = KeyWaiters::NameOf(0);
  comes([&] { ASSERT_TRUE(ns_->Put(key, "1").ok()); });
  comes([&] { ASSERT_TRUE(ns_->PutIfAbsent(key, "1").ok()); });
  comes([&] { ASSERT_TRUE(ns_->Add(key, 1).ok()); });
  comes([&] {
    ASSERT_TRUE(
        ns_->Update(key, [](std::optional<std::string_view>) { return Change::Put("1"); }).ok());
  });
  comes([&] {
    WriteBatch batch;
    batch.Put(*ns_, "another", "1");
    batch.Put(*ns_, key, "1");
    ASSERT_TRUE(store_->Write(std::move(batch)).ok());
  });
  comes([&] {
    ASSERT_TRUE(store_->Transact([&](Transaction& txn) { return txn.Put(*ns_, key, "1"); }).ok());
  });
}

TEST_P(WaitingTest, ADropEndsTheWaitForEveryKey) {
  KeyWaiters waiters(*ns_, platform_, 8);
  ASSERT_TRUE(store_->DropNamespace("n").ok());
  EXPECT_GT(platform_.wakes, 0);
  waiters.Join();
  EXPECT_EQ(waiters.failed, 8);
}

// A waiter that is woken by each change would be asleep again before the next one.
TEST_P(WaitingTest, OnlyAFewOfManyWaitersForChangesArePrompt) {
  const ChangeToken seen = *ns_->Changes();
  namespaces::NamespaceObject* const object =
      EngineOf(*store_).region.At<namespaces::NamespaceObject>(
          *EngineOf(*store_).catalog.Find("n"));
  const std::uint64_t generation = namespaces::AwaitedGeneration(*object);
  for (std::uint64_t i = 0; i < namespaces::kPromptSleepers; ++i) {
    EXPECT_EQ(namespaces::ArmSleep(*object, generation, false), namespaces::Sleep::kSleep);
  }
  EXPECT_EQ(namespaces::ArmSleep(*object, generation, false), namespaces::Sleep::kNapFirst);
  for (int i = 0; i < 1000; ++i) {  // More than the word can count.
    EXPECT_EQ(namespaces::ArmSleep(*object, generation, true), namespaces::Sleep::kSleep);
  }
  ASSERT_TRUE(ns_->Put("k", "1").ok());
  EXPECT_EQ(platform_.wakes, 1);
  EXPECT_EQ(namespaces::ArmSleep(*object, generation, true), namespaces::Sleep::kMoved);
  EXPECT_NE(*ns_->Changes(), seen);
  EXPECT_EQ(namespaces::ArmSleep(*object, generation + 1, false), namespaces::Sleep::kSleep);
}

TEST_P(WaitingTest, GetOrWaitReturnsAsSoonAsTheKeyIsThere) {
  ASSERT_TRUE(ns_->Put("there", "1").ok());
  EXPECT_EQ(*ns_->GetOrWait("there", absl::ZeroDuration()), "1");
  EXPECT_TRUE(Says(ns_->GetOrWait("absent", absl::ZeroDuration()).status(), Code::kDeadlineExceeded,
                   "did not appear"));
  EXPECT_TRUE(Says(ns_->GetOrWait("absent", absl::Milliseconds(2)).status(),
                   Code::kDeadlineExceeded, "did not appear"));
  EXPECT_TRUE(Says(ns_->GetOrWait(std::string(70'000, 'k'), kNever).status(),
                   Code::kInvalidArgument, "key"));
  std::string got;
  const int waits = platform_.waits;
  std::thread waiter([&] { got = *ns_->GetOrWait("comes", kNever); });
  ASSERT_TRUE(WaitFor([&] { return platform_.waits > waits; }));
  ASSERT_TRUE(ns_->Put("another", "1").ok());
  ASSERT_TRUE(ns_->Put("comes", "2").ok());
  waiter.join();
  EXPECT_EQ(got, "2");
}

TEST_P(WaitingTest, APutOfAnotherProcessEndsAWait) {
  ASSERT_TRUE(ns_->Put("ping", "0").ok());
  ChildProcess child([&](ChildSide& parent) {
    const absl::StatusOr<Store> store = Store::Open(path_, QuietOptions());
    if (!store.ok()) return 11;
    const Namespace ns = *store->OpenNamespace("n");
    parent.Send("ready");
    for (int i = 1; i <= 1000; ++i) {
      const std::string number = std::to_string(i);
      if (!ns.GetOrWait("ping" + number, absl::Minutes(2)).ok()) return 12;
      if (!ns.Put("pong" + number, number).ok()) return 13;
    }
    return 0;
  });
  ASSERT_EQ(child.Receive(), "ready");
  for (int i = 1; i <= 1000; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(ns_->Put("ping" + number, number).ok());
    ASSERT_EQ(*ns_->GetOrWait("pong" + number, absl::Minutes(2)), number);
  }
  EXPECT_TRUE(child.Succeeded());
}

// In a child that is to be killed: an operation in flight, as of a writer that is killed before it
// checks for waiters.
int StayInside(const std::string& path, ChildSide& parent) {
  const absl::StatusOr<Store> store = Store::Open(path, QuietOptions());
  if (!store.ok()) return 11;
  const engine::Engine& impl = EngineOf(const_cast<Store&>(*store));
  process::Lane* const lane = *impl.session.ThisLane();
  const auto object = impl.catalog.Find("n");
  process::Operation op(*lane, process::OpKind::kWrite, *object);
  parent.Send("inside");
  (void)parent.Receive();
  return 12;
}

TEST_P(WaitingTest, RecoveryOfAKilledWriterEndsTheWaitForChanges) {
  ChildProcess child([&](ChildSide& parent) { return StayInside(path_, parent); });
  ASSERT_EQ(child.Receive(), "inside");
  EXPECT_TRUE(EndsAWait([&] {
    ASSERT_TRUE(child.KillAndWait());
    ASSERT_TRUE(SeenDead(*store_, child.pid()));
    ASSERT_TRUE(EngineOf(*store_).session.RecoverDead().ok());
  }));
}

TEST_P(WaitingTest, RecoveryOfAKilledWriterWakesTheWaitersForAllKeys) {
  ChildProcess child([&](ChildSide& parent) { return StayInside(path_, parent); });
  ASSERT_EQ(child.Receive(), "inside");
  KeyWaiters waiter(*ns_, platform_, 1);
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(SeenDead(*store_, child.pid()));
  ASSERT_TRUE(EngineOf(*store_).session.RecoverDead().ok());
  EXPECT_EQ(platform_.wakes, 1);
  ASSERT_TRUE(ns_->Put(KeyWaiters::NameOf(0), "1").ok());
  waiter.Join();
  EXPECT_EQ(waiter.failed, 0);
}

TEST_P(WaitingTest, ClosingEndsAWait) {
  const ChangeToken seen = *ns_->Changes();
  absl::Status got;
  std::thread waiter([&] { got = ns_->WaitForChange(seen, kNever).status(); });
  ASSERT_TRUE(WaitFor([&] { return platform_.waits > 0; }));
  ASSERT_TRUE(store_->Close().ok());
  waiter.join();
  EXPECT_TRUE(Says(got, Code::kFailedPrecondition, "closed"));
  store_.reset();
}

TEST_P(WaitingTest, AReadOnlyStoreCanWait) {
  Options options = QuietOptions();
  options.read_only = true;
  const Store reader = MustOpen(options);
  const Namespace ns = *reader.OpenNamespace("n");
  const ChangeToken seen = *ns.Changes();
  ASSERT_TRUE(ns_->Put("k", "1").ok());
  EXPECT_TRUE(ns.WaitForChange(seen, kNever).ok());
  EXPECT_EQ(*ns.GetOrWait("k", kNever), "1");
}

INSTANTIATE_TEST_SUITE_P(EachOrder, WaitingTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& info) {
                           return info.param == Order::kHash ? "Hash" : "Ordered";
                         });

}  // namespace
}  // namespace commy::test
