// Deques as queues: limits, waiting at both ends, leases, dead letters, and hostile bytes. Random
// calls are in deque_ops_test.cc, several processes in multiprocess/queue_process_test.cc.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/handle_access.h"
#include "commy/commy.h"
#include "namespaces/queue_words.h"
#include "platform/linux_platform.h"
#include "sequences/handover.h"
#include "sequences/queue_state.h"
#include "sequences/root.h"
#include "support/seed.h"
#include "support/slow_build.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using Jobs = SharedDeque<std::string>;
using Texts = std::vector<std::string>;

constexpr absl::Duration kNever = absl::InfiniteDuration();

// Counts waits and wakes. A patient one sleeps on where a waiter looks again after a second, so
// that only wakes end its waits; those that end without one are counted.
class WaitPlatform : public platform::LinuxPlatform {
 public:
  bool FutexWait(const std::uint32_t* word, std::uint32_t expected,
                 std::int64_t timeout_ns) override {
    constexpr std::int64_t kSecondNs = 1'000'000'000;
    const bool longer = patient && timeout_ns == kSecondNs;
    ++waits;
    const std::int64_t begin = MonotonicNs();
    const bool woken =
        LinuxPlatform::FutexWait(word, expected, longer ? 20 * kSecondNs : timeout_ns);
    not_woken += longer && !woken && MonotonicNs() - begin >= 20 * kSecondNs ? 1 : 0;
    return woken;
  }
  void FutexWake(const std::uint32_t* word, std::uint32_t count) override {
    ++wakes;
    LinuxPlatform::FutexWake(word, count);
  }
  std::atomic<bool> patient{true};
  std::atomic<int> waits{0};
  std::atomic<int> not_woken{0};
  std::atomic<int> wakes{0};
};

class DequeTest : public StoreFixture {
 protected:
  void SetUp() override { Reopen(QuietOptions()); }
  void TearDown() override {
    EXPECT_EQ(platform_.not_woken, 0) << "a waiter was not woken";
    EXPECT_TRUE(IsSound(*store_));
    store_.reset();
    StoreFixture::TearDown();
  }
  void Reopen(const Options& options) {
    store_.reset();
    absl::StatusOr<Store> opened = OpenOn(platform_, path_, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  Jobs Must(const std::string& path, const SharedOptions& options = SharedOptions()) {
    absl::StatusOr<Jobs> opened = store_->OpenShared<Jobs>(path, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  static Jobs With(Jobs jobs, const Texts& values) {
    EXPECT_TRUE(jobs.Append(values).ok());
    return jobs;
  }

  // The waiters that sleep, or are about to: each push from now on wakes one.
  std::uint64_t Sleepers(const Jobs& jobs, sequences::HandoverWord word) {
    const auto& state = *api::HandleAccess::StateOf(jobs.ns());
    auto* const object = state.engine().region.At<namespaces::NamespaceObject>(state.key.object);
    return (object->*word).load(std::memory_order_acquire) >> namespaces::kQueueSleepersShift;
  }
  // What `wait` returns if `change` is made while it sleeps.
  template <typename Wait, typename Change>
  auto Woken(const Jobs& jobs, sequences::HandoverWord word, Wait wait, Change change) {
    std::optional<decltype(wait())> got;
    std::thread waiter([&] { got = wait(); });
    EXPECT_TRUE(WaitFor([&] { return Sleepers(jobs, word) > 0; }));
    change();
    waiter.join();
    return *std::move(got);
  }
  template <typename Change>
  std::string PopWoken(const Jobs& jobs, Change change) {
    const absl::StatusOr<std::string> got = Woken(
        jobs, sequences::kForElement, [&] { return jobs.PopFront(kNever); }, change);
    return got.ok() ? *got : got.status().ToString();
  }
  // Whether a push waits, and has room after `change`.
  template <typename Change>
  absl::Status PushWoken(const Jobs& jobs, Change change) {
    return Woken(
        jobs, sequences::kForRoom, [&] { return jobs.PushBack("late", kNever); }, change);
  }

  WaitPlatform platform_;
  std::optional<Store> store_;
};

// --- Empty and full ------------------------------------------------------------------------------

constexpr std::array kNoTime = {absl::ZeroDuration(), -absl::Seconds(1), -absl::InfiniteDuration()};

TEST_F(DequeTest, AnEmptyOneHasNothingAtOnceOrWhenTheTimeIsOver) {
  const Jobs jobs = Must("jobs");
  for (const absl::Duration time : kNoTime) {
    EXPECT_TRUE(Says(jobs.PopFront(time).status(), Code::kNotFound, "empty"));
    EXPECT_TRUE(Says(jobs.PopBack(time).status(), Code::kNotFound, "empty"));
    EXPECT_TRUE(Says(jobs.PopFrontMany(3, time).status(), Code::kNotFound, "empty"));
    EXPECT_TRUE(Says(jobs.LeaseFront(time).status(), Code::kNotFound, "empty"));
  }
  EXPECT_EQ(platform_.waits, 0);
  const absl::Duration soon = absl::Milliseconds(2);
  EXPECT_TRUE(Says(jobs.PopFront(soon).status(), Code::kDeadlineExceeded, "empty"));
  EXPECT_TRUE(Says(jobs.PopBack(soon).status(), Code::kDeadlineExceeded, "empty"));
  EXPECT_TRUE(Says(jobs.PopFrontMany(3, soon).status(), Code::kDeadlineExceeded, "empty"));
  EXPECT_TRUE(Says(jobs.LeaseFront(soon).status(), Code::kDeadlineExceeded, "empty"));
  EXPECT_GT(platform_.waits, 0);
  EXPECT_EQ(Sleepers(jobs, sequences::kForElement), 0U) << "each that left took its 1 back";
  EXPECT_TRUE(Says(jobs.Front().status(), Code::kOutOfRange, ""));
  EXPECT_TRUE(jobs.PopFrontMany(0).ok());
  EXPECT_EQ(*jobs.ns().Size(), 0U);
}

TEST_F(DequeTest, AFullOneTakesNothingAndStaysAsItIs) {
  const Jobs jobs = With(Must("jobs", {.capacity = 3}), {"a", "b"});
  EXPECT_TRUE(Says(jobs.Append(Texts{"c", "d"}), Code::kResourceExhausted, "no room for 2"));
  ASSERT_TRUE(jobs.PushFront("0").ok());
  const std::string before = *jobs.ns().Get("");
  for (const absl::Duration time : kNoTime) {
    EXPECT_TRUE(Says(jobs.PushBack("c", time), Code::kResourceExhausted, "full"));
    EXPECT_TRUE(Says(jobs.PushFront("c", time), Code::kResourceExhausted, "full"));
  }
  EXPECT_EQ(platform_.waits, 0);
  const absl::Duration soon = absl::Milliseconds(2);
  EXPECT_TRUE(Says(jobs.PushBack("c", soon), Code::kDeadlineExceeded, "full"));
  EXPECT_TRUE(Says(jobs.PushFront("c", soon), Code::kDeadlineExceeded, "full"));
  const absl::Status in_transaction =
      store_->Transact([&](Transaction& txn) { return jobs.In(txn).PushBack("c"); });
  EXPECT_TRUE(Says(in_transaction, Code::kResourceExhausted, "full"));
  EXPECT_EQ(*jobs.ns().Get(""), before);
  EXPECT_EQ(Sleepers(jobs, sequences::kForRoom), 0U);
  // Leased ones do not count, and one that is returned has its place.
  auto lease = jobs.LeaseFront();
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(jobs.PushBack("c").ok());
  ASSERT_TRUE(lease->Return().ok());
  EXPECT_EQ(*jobs.ToVector(), (Texts{"0", "a", "b", "c"}));
  ASSERT_TRUE(jobs.PopBack().ok());
  EXPECT_TRUE(absl::IsResourceExhausted(jobs.PushBack("c")));
}

TEST_F(DequeTest, ATimeoutOfAnyLengthDoesNotWaitIfThereIsNoNeed) {
  const Jobs jobs = Must("jobs");
  for (const absl::Duration time : {absl::ZeroDuration(), -absl::InfiniteDuration(),
                                    absl::Nanoseconds(1), absl::Hours(24 * 365 * 1000), kNever}) {
    ASSERT_TRUE(jobs.PushBack("a", time).ok());
    EXPECT_EQ(*jobs.PopFront(time), "a");
  }
  EXPECT_EQ(platform_.waits + platform_.wakes, 0);
}

// --- What wakes waiters --------------------------------------------------------------------------

TEST_F(DequeTest, WhateverBringsAnElementWakesAPop) {
  const Jobs jobs = Must("jobs");
  EXPECT_EQ(PopWoken(jobs, [&] { ASSERT_TRUE(jobs.PushBack("back").ok()); }), "back");
  EXPECT_EQ(PopWoken(jobs, [&] { ASSERT_TRUE(jobs.PushFront("front").ok()); }), "front");
  EXPECT_EQ(PopWoken(jobs, [&] { ASSERT_TRUE(jobs.Append(Texts{"all"}).ok()); }), "all");
  const std::string large(5000, 'l');
  EXPECT_EQ(PopWoken(jobs, [&] { ASSERT_TRUE(jobs.PushBack(large).ok()); }), large);
  EXPECT_EQ(PopWoken(jobs,
                     [&] {
                       const auto push = [&](Transaction& txn) {
                         return jobs.In(txn).PushBack("committed");
                       };
                       ASSERT_TRUE(store_->Transact(push).ok());
                     }),
            "committed");
  for (const bool destroys : {false, true}) {
    ASSERT_TRUE(jobs.PushBack("returned").ok());
    std::optional<Leased<std::string>> lease(*jobs.LeaseFront());
    EXPECT_EQ(PopWoken(jobs,
                       [&] {
                         if (destroys) {
                           lease.reset();
                         } else {
                           ASSERT_TRUE(lease->Return().ok());
                         }
                       }),
              "returned");
  }
  const absl::StatusOr<Leased<std::string>> leased = Woken(
      jobs, sequences::kForElement, [&] { return jobs.LeaseFront(kNever); },
      [&] { ASSERT_TRUE(jobs.PushBack("leased").ok()); });
  EXPECT_EQ(leased->value(), "leased");
  // Without patience: nobody wakes for it, but each looks again after a second.
  platform_.patient = false;
  std::optional<Store> other(MustOpen(QuietOptions()));
  ASSERT_TRUE(jobs.PushBack("of another").ok());
  auto held = other->OpenShared<Jobs>("jobs")->LeaseFront();
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(PopWoken(jobs, [&] { ASSERT_TRUE(other->Close().ok()); }), "of another");
}

TEST_F(DequeTest, WhateverMakesRoomWakesAPush) {
  const Jobs jobs = With(Must("jobs", {.capacity = 1}), {"first"});
  EXPECT_TRUE(PushWoken(jobs, [&] { EXPECT_EQ(*jobs.PopFront(), "first"); }).ok());
  EXPECT_TRUE(PushWoken(jobs, [&] { EXPECT_EQ(*jobs.PopBack(), "late"); }).ok());
  EXPECT_TRUE(PushWoken(jobs, [&] { EXPECT_EQ(jobs.PopFrontMany(5)->size(), 1U); }).ok());
  EXPECT_TRUE(PushWoken(jobs, [&] { ASSERT_TRUE(jobs.Clear().ok()); }).ok());
  std::optional<Leased<std::string>> lease;
  EXPECT_TRUE(PushWoken(jobs, [&] { lease = *jobs.LeaseFront(); }).ok());
  ASSERT_TRUE(lease->Acknowledge().ok());
  const auto pop = [&](Transaction& txn) { return jobs.In(txn).PopFront().status(); };
  EXPECT_TRUE(PushWoken(jobs, [&] { ASSERT_TRUE(store_->Transact(pop).ok()); }).ok());
  EXPECT_TRUE(PushWoken(jobs, [&] { ASSERT_TRUE(jobs.SetLimits({.capacity = 2}).ok()); }).ok());
  EXPECT_EQ(*jobs.ToVector(), (Texts{"late", "late"}));
  EXPECT_TRUE(PushWoken(jobs, [&] { (void)Must("jobs", {.capacity = 7}); }).ok());
  // The first element goes to the dead letters: there is room, too.
  ASSERT_TRUE(jobs.SetLimits({.capacity = 3, .max_deliveries = 1, .dead_letters = "dead"}).ok());
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  lease.reset();
  EXPECT_TRUE(PushWoken(jobs, [&] { lease = *jobs.LeaseFront(); }).ok());
  EXPECT_EQ(*Must("dead").Size(), 1U);
}

TEST_F(DequeTest, EachElementWakesOneWaiter) {
  constexpr int kWaiters = 6;
  const Jobs jobs = Must("jobs");
  std::atomic<int> got = 0;
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] { got += jobs.PopFront(kNever).ok() ? 1 : 0; });
  }
  ASSERT_TRUE(WaitFor([&] { return Sleepers(jobs, sequences::kForElement) == kWaiters; }));
  EXPECT_EQ(platform_.wakes, 0);
  ASSERT_TRUE(jobs.PushBack("1").ok());
  EXPECT_TRUE(WaitFor([&] { return got == 1; }));
  EXPECT_EQ(platform_.wakes, 1);
  EXPECT_GE(Sleepers(jobs, sequences::kForElement), 5U);
  ASSERT_TRUE(jobs.Append(Texts{"2", "3", "4"}).ok());
  EXPECT_TRUE(WaitFor([&] { return got == 4; }));
  EXPECT_EQ(platform_.wakes, 2) << "one call for all three";
  EXPECT_GE(Sleepers(jobs, sequences::kForElement), 2U);
  ASSERT_TRUE(jobs.Append(Texts{"5", "6", "7"}).ok());
  for (std::thread& waiter : waiters) {
    waiter.join();
  }
  EXPECT_EQ(got, 6);
  EXPECT_EQ(*jobs.ToVector(), Texts{"7"});
}

TEST_F(DequeTest, AFreedPlaceWakesOneWaiter) {
  const Jobs jobs = With(Must("jobs", {.capacity = 2}), {"a", "b"});
  std::atomic<int> done = 0;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] { done += jobs.PushBack("late", kNever).ok() ? 1 : 0; });
  }
  ASSERT_TRUE(WaitFor([&] { return Sleepers(jobs, sequences::kForRoom) == 4; }));
  for (int i = 1; i <= 4; ++i) {
    ASSERT_TRUE(jobs.PopFront().ok());
    EXPECT_TRUE(WaitFor([&] { return done == i; }));
    EXPECT_EQ(*jobs.Size(), 2U);
  }
  for (std::thread& waiter : waiters) {
    waiter.join();
  }
}

TEST_F(DequeTest, NobodyIsWokenWhereNobodyWaits) {
  const Jobs jobs = Must("jobs", {.capacity = 2});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(jobs.PushBack("a").ok());
    ASSERT_TRUE(jobs.LeaseFront()->Acknowledge().ok());
  }
  EXPECT_EQ(platform_.wakes, 0);
}

TEST_F(DequeTest, EveryWaitingConsumerGetsElements) {
  constexpr int kConsumers = 8;
  const Jobs jobs = Must("jobs");
  std::array<std::atomic<int>, kConsumers> got{};
  std::atomic<int> all = 0;
  std::vector<std::thread> consumers;
  for (int i = 0; i < kConsumers; ++i) {
    consumers.emplace_back([&, i] {
      while (true) {
        const auto popped = jobs.PopFront(kNever);
        if (!popped.ok() || *popped == "end") {
          break;
        }
        ++got[i];
        ++all;
      }
    });
  }
  for (int pushed = 1; pushed <= 800 && !HasFailure(); ++pushed) {
    ASSERT_TRUE(WaitFor([&] { return Sleepers(jobs, sequences::kForElement) >= kConsumers; }));
    ASSERT_TRUE(jobs.PushBack("a").ok());
    ASSERT_TRUE(WaitFor([&] { return all == pushed; }));
  }
  ASSERT_TRUE(jobs.Append(Texts(kConsumers, "end")).ok());
  for (int i = 0; i < kConsumers; ++i) {
    consumers[static_cast<std::size_t>(i)].join();
    EXPECT_GT(got[i], 0) << "consumer " << i << " starved";
  }
}

TEST_F(DequeTest, ADropEndsAWaitWithinASecondOrSo) {
  platform_.patient = false;
  const Jobs jobs = Must("jobs");
  EXPECT_TRUE(IsNamespaceDropped(Woken(
      jobs, sequences::kForElement, [&] { return jobs.PopFront(kNever).status(); },
      [&] { ASSERT_TRUE(store_->DropNamespace("jobs").ok()); })));
  const Jobs full = With(Must("full", {.capacity = 1}), {"a"});
  EXPECT_TRUE(IsNamespaceDropped(
      PushWoken(full, [&] { ASSERT_TRUE(store_->DropNamespace("full").ok()); })));
  EXPECT_TRUE(IsNamespaceDropped(full.LeaseFront(kNever).status()));
}

TEST_F(DequeTest, ClosingTheStoreEndsAWait) {
  platform_.patient = false;
  const Jobs jobs = Must("jobs");
  const absl::Status got = Woken(
      jobs, sequences::kForElement, [&] { return jobs.LeaseFront(kNever).status(); },
      [&] { ASSERT_TRUE(store_->Close().ok()); });
  EXPECT_TRUE(Says(got, Code::kFailedPrecondition, "closed"));
  Reopen(QuietOptions());
}

// --- Limits --------------------------------------------------------------------------------------

TEST_F(DequeTest, OptionsThatMakeNoSenseAreRefused) {
  const auto refused = [&](const SharedOptions& options, const std::string& part) {
    return Says(store_->OpenShared<Jobs>("jobs", options).status(), Code::kInvalidArgument, part);
  };
  EXPECT_TRUE(refused({.capacity = 0}, "at least 1"));
  EXPECT_TRUE(refused({.max_deliveries = 3}, "needs dead_letters"));
  EXPECT_TRUE(refused({.dead_letters = "jobs"}, "cannot go to itself"));
  EXPECT_TRUE(refused({.default_ttl = absl::Seconds(1)}, "no time to live"));
  ASSERT_TRUE(store_->OpenShared<SharedDeque<std::uint64_t>>("numbers").ok());
  EXPECT_TRUE(refused({.max_deliveries = 3, .dead_letters = "numbers"}, "deque<u64>"));
  EXPECT_TRUE(refused({.max_deliveries = 3, .dead_letters = ""}, "needs dead_letters"));
  EXPECT_FALSE(store_->OpenShared<Jobs>("jobs", {.dead_letters = "/"}).ok());
  EXPECT_EQ(store_->ListNamespaces()->size(), 1U) << "nothing was made";
  const SharedOptions capacity{.capacity = 5};
  EXPECT_TRUE(Says(store_->OpenShared<SharedVec<int>>("vec", capacity).status(),
                   Code::kInvalidArgument, "are of deques"));
  EXPECT_TRUE(Says((store_->OpenShared<SharedHashMap<int, int>>("map", capacity).status()),
                   Code::kInvalidArgument, "are of deques"));
  const Jobs jobs = Must("jobs", {.capacity = 5});
  EXPECT_TRUE(Says(jobs.SetLimits({.capacity = 0}), Code::kInvalidArgument, "at least 1"));
  EXPECT_TRUE(Says(jobs.SetLimits({.max_deliveries = 1}), Code::kInvalidArgument, "dead_letters"));
  EXPECT_EQ(jobs.Info()->limits.capacity, 5U);
}

TEST_F(DequeTest, LeaseNumbersGoOnAfterAClearOfTheNamespace) {
  const Jobs jobs = Must("jobs");
  (void)With(jobs, {"before"});
  auto old = jobs.LeaseFront();
  ASSERT_TRUE(old.ok()) << old.status();
  ASSERT_TRUE(jobs.ns().Clear().ok());
  (void)With(jobs, {"after"});
  auto fresh = jobs.LeaseFront();
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_GT(fresh->number(), old->number());
  EXPECT_TRUE(absl::IsFailedPrecondition(old->Acknowledge()));
  EXPECT_TRUE(fresh->Acknowledge().ok());
}

TEST_F(DequeTest, AnElementPushedBeforeReturnedOnesKeepsItsPlace) {
  const Jobs jobs = Must("jobs");
  (void)With(jobs, {"1", "2"});
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  ASSERT_TRUE(jobs.PushFront("0").ok());
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  EXPECT_EQ(*jobs.ToVector(), (Texts{"0", "1", "2"}));
}

TEST_F(DequeTest, MoreAtOnceThanTheCapacityIsNeverWaitedFor) {
  const Jobs jobs = Must("jobs", {.capacity = 2});
  EXPECT_TRUE(Says(jobs.Append({"a", "b", "c"}), Code::kInvalidArgument, "capacity of 2"));
  EXPECT_TRUE(Says(jobs.Append(std::vector<std::string>{"a", "b", "c"}, kNever),
                   Code::kInvalidArgument, "smaller groups"));
  EXPECT_TRUE(jobs.Append({"a"}).ok());
  EXPECT_TRUE(Says(jobs.Append({"b", "c"}), Code::kResourceExhausted, "full"));
  EXPECT_TRUE(Says(jobs.Append(std::vector<std::string>{"b", "c"}, absl::Milliseconds(1)),
                   Code::kDeadlineExceeded, "full"));
  EXPECT_EQ(*jobs.Size(), 1U);
}

TEST_F(DequeTest, LimitsThatAreGivenAreSetAndTheOthersStay) {
  const Jobs jobs = Must("jobs");
  EXPECT_EQ(jobs.Info()->limits.capacity, UINT64_MAX);
  (void)Must("jobs", {.capacity = 5});
  (void)Must("jobs", {.max_deliveries = 2, .dead_letters = "dead"});
  (void)Must("jobs");
  const auto info = jobs.Info();
  EXPECT_EQ(info->limits.capacity, 5U);
  EXPECT_EQ(info->limits.max_deliveries, 2U);
  EXPECT_EQ(info->limits.dead_letters, "dead");
  (void)Must("jobs", {.max_deliveries = 4});
  EXPECT_EQ(jobs.Info()->limits.max_deliveries, 4U);
  EXPECT_EQ(jobs.Info()->limits.dead_letters, "dead");
  (void)With(jobs, {"a", "b", "c"});
  ASSERT_TRUE(jobs.SetLimits({.capacity = 1}).ok());  // What is there stays.
  EXPECT_EQ(*jobs.Size(), 3U);
  EXPECT_TRUE(absl::IsResourceExhausted(jobs.PushBack("d")));
  EXPECT_EQ(jobs.Info()->limits.dead_letters, "");
}

TEST_F(DequeTest, DeadLettersGetWholeElementsAfterTheLastDelivery) {
  const Jobs jobs = Must("jobs", {.max_deliveries = 2, .dead_letters = "dead"});
  const Jobs dead = Must("dead", {.capacity = 1});  // Which does not hold for dead letters.
  const Texts values = {"small", std::string(2000, 'l'), std::string(100'000, 'x'), ""};
  for (const std::string& value : values) {
    (void)With(jobs, {value, "next"});
    for (std::uint32_t delivery = 1; delivery <= 2; ++delivery) {
      const auto lease = jobs.LeaseFront();
      ASSERT_TRUE(lease.ok()) << lease.status();
      EXPECT_EQ(lease->value(), value);
      EXPECT_EQ(lease->deliveries(), delivery);
    }
    const std::uint64_t letters = *dead.Size();
    auto next = jobs.LeaseFront();
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->value(), "next");
    EXPECT_EQ(*dead.Size(), letters + 1);
    ASSERT_TRUE(next->Acknowledge().ok());
  }
  EXPECT_EQ(*dead.ToVector(), values);
  EXPECT_TRUE(absl::IsNotFound(jobs.LeaseFront().status()));
  EXPECT_EQ(*jobs.ns().Size(), 1U);
  // A dead letter comes like any push, and wakes.
  ASSERT_TRUE(dead.Clear().ok());
  (void)With(jobs, {"woke"});
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  EXPECT_EQ(PopWoken(dead, [&] { EXPECT_TRUE(absl::IsNotFound(jobs.LeaseFront().status())); }),
            "woke");
}

TEST_F(DequeTest, DeadLettersThatAreThereNoMoreDoNotBlockTheQueue) {
  const Jobs jobs = With(Must("jobs", {.max_deliveries = 1, .dead_letters = "dead"}), {"a", "b"});
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  ASSERT_TRUE(store_->DropNamespace("dead").ok());
  ASSERT_TRUE(store_->OpenShared<SharedCounter>("dead").ok());
  {
    const auto lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok()) << lease.status();
    EXPECT_EQ(lease->value(), "a");
    EXPECT_EQ(lease->deliveries(), 2U);
  }
  // One that was only dropped comes into being again.
  ASSERT_TRUE(store_->DropNamespace("dead").ok());
  EXPECT_EQ(jobs.LeaseFront()->value(), "b");
  EXPECT_EQ(*Must("dead").ToVector(), Texts{"a"});
}

// --- Leases --------------------------------------------------------------------------------------

TEST_F(DequeTest, ALeaseEndsOnce) {
  const Jobs jobs = With(Must("jobs"), {"a", "b", "c"});
  {
    auto lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(*jobs.ToVector(), (Texts{"b", "c"}));
    EXPECT_EQ(*jobs.Size(), 2U);
    EXPECT_EQ(jobs.Info()->leases.size(), 1U);
    EXPECT_FALSE(jobs.Info()->leases[0].gone);
  }
  EXPECT_EQ(*jobs.ToVector(), (Texts{"a", "b", "c"}));
  EXPECT_EQ(jobs.Info()->returned, 1U);
  auto lease = jobs.LeaseFront();
  EXPECT_EQ(lease->deliveries(), 2U);
  ASSERT_TRUE(lease->Acknowledge().ok());
  EXPECT_TRUE(Says(lease->Acknowledge(), Code::kFailedPrecondition, "lease"));
  EXPECT_TRUE(Says(lease->Return(), Code::kFailedPrecondition, "lease"));
  EXPECT_EQ(*jobs.ToVector(), (Texts{"b", "c"}));
  // A move takes it along.
  auto first = *jobs.LeaseFront();
  Leased<std::string> second = std::move(first);
  EXPECT_TRUE(absl::IsFailedPrecondition(first.Return()));  // NOLINT(bugprone-use-after-move)
  Leased<std::string> third = *jobs.LeaseFront();
  EXPECT_EQ(third.value(), "c");
  third = std::move(second);  // What it held returns.
  EXPECT_EQ(*jobs.ToVector(), Texts{"c"});
  EXPECT_EQ(third.value(), "b");
  ASSERT_TRUE(third.Acknowledge().ok());
  EXPECT_EQ(*jobs.PopFront(), "c");
  EXPECT_TRUE(*jobs.Empty());
}

TEST_F(DequeTest, AnAcknowledgeInATransactionTakesEffectWithItsCommit) {
  const Jobs jobs = With(Must("jobs"), {"a", std::string(3000, 'b')});
  for (const bool large : {false, true}) {
    auto lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(lease->value().size() > 1, large);
    const absl::Status not_done = store_->Transact([&](Transaction& txn) -> absl::Status {
      EXPECT_TRUE(lease->AcknowledgeIn(txn).ok());
      EXPECT_TRUE(absl::IsFailedPrecondition(lease->AcknowledgeIn(txn)));
      return absl::CancelledError("no");
    });
    EXPECT_TRUE(absl::IsCancelled(not_done));
    EXPECT_EQ(jobs.Info()->leases.size(), 1U);
    // One that is returned before the commit is not acknowledged.
    absl::StatusOr<Transaction> txn = store_->Begin();
    ASSERT_TRUE(lease->AcknowledgeIn(*txn).ok());
    ASSERT_TRUE(lease->Return().ok());
    EXPECT_TRUE(absl::IsAborted(txn->Commit()));
    lease = jobs.LeaseFront();
    EXPECT_EQ(lease->deliveries(), 2U);
    ASSERT_TRUE(
        store_->Transact([&](Transaction& done) { return lease->AcknowledgeIn(done); }).ok());
    EXPECT_TRUE(jobs.Info()->leases.empty());
    EXPECT_TRUE(absl::IsFailedPrecondition(lease->Return()));
  }
  EXPECT_EQ(*jobs.ns().Size(), 1U);
  const absl::Status leased =
      store_->Transact([&](Transaction& txn) { return jobs.In(txn).PopFront().status(); });
  EXPECT_TRUE(Says(leased, Code::kNotFound, "empty"));
}

TEST_F(DequeTest, ALeaseOfAStoreHandleThatWasClosedComesBack) {
  const Jobs jobs = With(Must("jobs"), {"a", "b"});
  std::optional<Store> other(MustOpen(QuietOptions()));
  auto lease = other->OpenShared<Jobs>("jobs")->LeaseFront();
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(*jobs.PopFront(), "b") << "this one has no lease";
  EXPECT_TRUE(absl::IsNotFound(jobs.PopFront().status())) << "it lives";
  ASSERT_TRUE(other->Close().ok());
  ASSERT_EQ(jobs.Info()->leases.size(), 1U);
  EXPECT_TRUE(jobs.Info()->leases[0].gone);
  other = MustOpen(QuietOptions());  // Perhaps in the same slot: another generation.
  EXPECT_TRUE(jobs.Info()->leases[0].gone);
  auto again = other->OpenShared<Jobs>("jobs")->LeaseFront();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->value(), "a");
  EXPECT_EQ(again->deliveries(), 2U);
  EXPECT_TRUE(absl::IsFailedPrecondition(lease->Acknowledge()));
  ASSERT_TRUE(again->Acknowledge().ok());
}

TEST_F(DequeTest, WhatIsReturnedComesInTheOrderOfItsFirstLeases) {
  const Jobs jobs = With(Must("jobs"), {"a", "b", "c", "d"});
  std::vector<Leased<std::string>> leases;
  for (int i = 0; i < 3; ++i) {
    leases.push_back(*jobs.LeaseFront());
  }
  for (const std::size_t i : {2U, 0U, 1U}) {
    ASSERT_TRUE(leases[i].Return().ok());
  }
  EXPECT_EQ(*jobs.ToVector(), (Texts{"a", "b", "c", "d"}));
  auto a = *jobs.LeaseFront();
  auto b = *jobs.LeaseFront();
  ASSERT_TRUE(b.Return().ok());
  ASSERT_TRUE(a.Return().ok());
  ASSERT_TRUE(jobs.PushFront("0").ok());
  EXPECT_EQ(*jobs.ToVector(), (Texts{"0", "a", "b", "c", "d"}));
  EXPECT_EQ(*jobs.At(3), "c");
  EXPECT_EQ(*jobs.PopBack(), "d");
  EXPECT_EQ(*jobs.PopBack(), "c");
  EXPECT_EQ(*jobs.PopFrontMany(9), (Texts{"0", "a", "b"}));
}

TEST_F(DequeTest, ALargeElementLeavesNoNodeBehind) {
  const std::string large(std::size_t{1} << 20U, 'L');
  const Jobs jobs = With(Must("jobs"), {large});
  for (int round = 0; round < 2; ++round) {
    auto lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok());
    EXPECT_TRUE(lease->value() == large);
    EXPECT_EQ(*jobs.ns().Size(), 2U) << "the root, and its node";
    ASSERT_TRUE(lease->Return().ok());
  }
  EXPECT_TRUE(*jobs.Front() == large);
  ASSERT_TRUE(jobs.LeaseFront()->Acknowledge().ok());
  EXPECT_EQ(*jobs.ns().Size(), 1U);
  ASSERT_TRUE(With(jobs, {large}).LeaseFront()->Return().ok());
  EXPECT_TRUE(*jobs.PopFront() == large);
  EXPECT_EQ(*jobs.ns().Size(), 1U);
  ASSERT_TRUE(With(jobs, {large}).LeaseFront()->Return().ok());
  ASSERT_TRUE(jobs.Clear().ok());
  EXPECT_EQ(*jobs.ns().Size(), 1U);
}

TEST_F(DequeTest, ASnapshotSeesTheQueueAsItWas) {
  const std::string large(3000, 'c');
  const Jobs jobs = With(Must("jobs"), {"a", "b", large, "d"});
  auto a = *jobs.LeaseFront();
  {
    auto b = *jobs.LeaseFront();
    auto c = *jobs.LeaseFront();
  }
  const Snapshot snapshot = *store_->TakeSnapshot();
  ASSERT_TRUE(a.Acknowledge().ok());
  ASSERT_TRUE(jobs.LeaseFront()->Acknowledge().ok());
  ASSERT_TRUE(jobs.LeaseFront()->Acknowledge().ok());
  ASSERT_TRUE(jobs.PushFront("new").ok());
  EXPECT_EQ(*jobs.ToVector(), (Texts{"new", "d"}));
  EXPECT_EQ(*jobs.At(snapshot).ToVector(), (Texts{"b", large, "d"}));
  EXPECT_EQ(*jobs.At(snapshot).Front(), "b");
  EXPECT_EQ(*jobs.At(snapshot).Back(), "d");
  EXPECT_EQ(*jobs.At(snapshot).Size(), 3U);
  ASSERT_TRUE(jobs.Clear().ok());
  EXPECT_EQ(*jobs.At(snapshot).At(1), large);
}

// --- A full store --------------------------------------------------------------------------------

TEST_F(DequeTest, AFullStoreIsEmptiedByItsConsumers) {
  path_ = temp_.File("full");
  Options options = QuietOptions();
  options.max_size = std::uint64_t{12} << 20;
  options.testing = {.background = false};  // The store keeps whole spans back, of the usual size.
  quiet_reopen_ = options;
  Reopen(options);
  const Jobs jobs = Must("jobs", {.max_deliveries = 1, .dead_letters = "dead"});
  (void)With(jobs, {"dead"});
  ASSERT_TRUE(jobs.LeaseFront()->Return().ok());
  int pushed = 0;
  absl::Status status;
  while (status.ok()) {
    status = jobs.PushBack(std::string(pushed % 3 == 0 ? 3000 : 100, 'j'));
    pushed += status.ok() ? 1 : 0;
  }
  ASSERT_TRUE(Says(status, Code::kResourceExhausted, "")) << pushed;
  const Namespace filler = MustOpenNamespace(*store_, "filler");
  for (const std::size_t bytes : {10'000U, 1000U, 100U, 10U, 1U}) {
    for (int i = 0;
         filler.Put(std::to_string(bytes) + std::to_string(i), std::string(bytes, 'f')).ok(); ++i) {
    }
  }
  ASSERT_TRUE(Says(jobs.PushBack(std::string(3000, 'j')), Code::kResourceExhausted, ""));
  // The first one goes to the dead letters, though they take as much space as it gives.
  {
    auto lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_TRUE(lease->Acknowledge().ok());
  }
  std::uint64_t size = *jobs.Size();
  // Of both sizes: an acknowledge, a pop, a return, and a dead letter.
  for (int round = 0; round < 4; ++round) {
    auto lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok()) << round << ": " << lease.status();
    ASSERT_TRUE(lease->Acknowledge().ok());
    auto front = jobs.PopFront();
    ASSERT_TRUE(front.ok()) << round << ": " << front.status();
    auto back = jobs.PopBack();
    ASSERT_TRUE(back.ok()) << round << ": " << back.status();
    size -= 3;
    auto returned = jobs.LeaseFront();
    ASSERT_TRUE(returned.ok()) << round << ": " << returned.status();
    ASSERT_TRUE(returned->Return().ok());
    auto dead = jobs.LeaseFront();
    ASSERT_TRUE(dead.ok()) << round << ": " << dead.status();
    ASSERT_TRUE(dead->Acknowledge().ok());
    size -= 2;
    ASSERT_EQ(*jobs.Size(), size);
  }
  ASSERT_TRUE(jobs.SetLimits({.capacity = 1}).ok());
  ASSERT_TRUE(jobs.Clear().ok());
  EXPECT_EQ(*jobs.ns().Size(), 1U);
  EXPECT_TRUE(jobs.PushBack("room").ok());
}

// --- Hostile bytes -------------------------------------------------------------------------------

// All calls, which must not crash.
std::vector<absl::Status> CallAll(const Store& store, const Jobs& jobs) {
  std::vector<absl::Status> all = {
      jobs.LeaseFront().status(),
      jobs.PopFront().status(),
      jobs.PopBack().status(),
      jobs.PopFrontMany(4).status(),
      jobs.PushBack("p"),
      jobs.PushFront("p"),
      jobs.Info().status(),
      jobs.SetLimits({.capacity = 9}),
      jobs.Append(Texts{"q", "r"}),
      store.Transact([&](Transaction& txn) { return jobs.In(txn).PushBack("t"); }),
      store.Transact([&](Transaction& txn) { return jobs.In(txn).PopFront().status(); }),
      jobs.Clear()};
  (void)jobs.ToVector();
  (void)jobs.Size();
  (void)jobs.At(0);
  return all;
}

class HostileDequeTest : public DequeTest {
 protected:
  // The root of a queue with limits, two leases and two returned elements, one of each large.
  void SetUp() override {
    DequeTest::SetUp();
    jobs_ = With(Must("jobs", {.max_deliveries = 9, .dead_letters = "dead"}),
                 {"a", std::string(600, 'b'), "c", std::string(600, 'd'), "e"});
    {
      auto a = *jobs_->LeaseFront();
      auto b = *jobs_->LeaseFront();
      held_.push_back(*jobs_->LeaseFront());
      held_.push_back(*jobs_->LeaseFront());
    }
    root_ = *jobs_->ns().Get("");
    sequences::RootView view;
    ASSERT_TRUE(sequences::ParseRoot(root_, &view).ok());
    queue_at_ = root_.size() - view.queue.size();
    sequences::QueueState queue;
    ASSERT_TRUE(sequences::ParseQueue(view.queue, &queue));
    ASSERT_EQ(queue.returned.size(), 2U);
    ASSERT_EQ(queue.leases.size(), 2U);
    first_item_ = queue_at_ + 0x28 + 8;  // "dead" ends at a multiple of 8.
  }
  void TearDown() override {
    ASSERT_TRUE(jobs_->ns().Put("", root_).ok());
    held_.clear();
    DequeTest::TearDown();
  }
  template <typename Number>
  std::string Changed(std::size_t at, Number number) const {
    std::string bytes = root_;
    std::memcpy(bytes.data() + at, &number, sizeof(number));
    return bytes;
  }

  std::optional<Jobs> jobs_;
  std::vector<Leased<std::string>> held_;
  std::string root_;
  std::size_t queue_at_ = 0;
  std::size_t first_item_ = 0;
};

TEST_F(HostileDequeTest, BytesThatMakeNoSenseAreDataLoss) {
  const std::vector<std::pair<std::string, std::string>> hostile = {
      {"magic", Changed(queue_at_, std::uint32_t{0x12345678})},
      {"too many returned", Changed(queue_at_ + 0x18, UINT32_MAX)},
      {"one more returned", Changed(queue_at_ + 0x18, std::uint32_t{5})},
      {"too many leases", Changed(queue_at_ + 0x1c, UINT32_MAX)},
      {"one lease less", Changed(queue_at_ + 0x1c, std::uint32_t{1})},
      {"a path past the end", Changed(queue_at_ + 0x20, UINT32_MAX)},
      {"an element past the end", Changed(first_item_ + 0x2c, UINT32_MAX)},
      {"an element without an end", Changed(first_item_ + 0x2c, std::uint32_t{0xfffffff9})},
      {"a short part", root_.substr(0, queue_at_ + 0x20)},
      {"a part that is cut off", root_.substr(0, root_.size() - 8)}};
  for (const auto& [what, bytes] : hostile) {
    SCOPED_TRACE(what);
    ASSERT_TRUE(jobs_->ns().Put("", bytes).ok());
    for (const absl::Status& status : CallAll(*store_, *jobs_)) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    }
    EXPECT_TRUE(absl::IsDataLoss(jobs_->ToVector().status()));
    EXPECT_TRUE(absl::IsDataLoss(held_[0].Acknowledge()));
    EXPECT_EQ(*jobs_->ns().Get(""), bytes) << "nothing has changed";
  }
}

TEST_F(HostileDequeTest, ANodeThatIsNotThereIsDataLoss) {
  const std::size_t second_item = first_item_ + 0x30 + 8;
  ASSERT_TRUE(jobs_->ns().Put("", Changed(first_item_ + 0x20, std::uint64_t{777})).ok());
  EXPECT_TRUE(absl::IsDataLoss(jobs_->PopFront().status()));
  EXPECT_TRUE(absl::IsDataLoss(jobs_->LeaseFront().status()));
  EXPECT_TRUE(absl::IsDataLoss(jobs_->Front().status()));
  EXPECT_TRUE(absl::IsDataLoss(jobs_->ToVector().status()));
  ASSERT_TRUE(jobs_->ns().Put("", Changed(second_item + 0x20, std::uint64_t{0})).ok());
  EXPECT_EQ(*jobs_->PopFront(), "a");
}

TEST_F(HostileDequeTest, RandomBytesCrashNobody) {
  std::mt19937_64 random(Seed());
  const int rounds = Calls(3000);
  std::vector<std::pair<std::string, std::string>> all;
  ScanRange scan = jobs_->ns().Scan();
  for (const Entry& entry : scan) {
    all.emplace_back(entry.key(), entry.value());
  }
  for (int round = 0; round < rounds; ++round) {
    std::string bytes = root_;
    const std::uint64_t changes = 1 + random() % 4;
    for (std::uint64_t i = 0; i < changes; ++i) {
      // Most of them where the heads are.
      const std::size_t at = random() % 3 == 0 ? random() % bytes.size()
                                               : queue_at_ + random() % (bytes.size() - queue_at_);
      bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    ASSERT_TRUE(jobs_->ns().Put("", bytes).ok());
    (void)CallAll(*store_, *jobs_);
    ASSERT_TRUE(jobs_->ns().Clear().ok());
    for (const auto& [key, value] : all) {
      ASSERT_TRUE(jobs_->ns().Put(key, value).ok());
    }
  }
}

}  // namespace
}  // namespace commy::test
