// Producers and consumers of one queue, in processes that are killed and stopped again and again:
// no element is lost, none is done twice, and nobody waits for the dead.
//
// Environment: COMMY_QUEUE_SECONDS=60 makes the work queue run that long, with a kill each second.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "process/owner.h"
#include "region/layout.h"
#include "support/child_process.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/seen_dead.h"
#include "support/slow_build.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

// One of a producer, and of its process by that number.
struct Job {
  std::uint32_t producer = 0;
  std::uint32_t incarnation = 0;
  std::uint64_t number = 0;
};
COMMY_STRUCT(Job, "test.Job", producer, incarnation, number);

struct Done {
  std::uint64_t deliveries = 0;
  std::uint64_t consumer = 0;
};
COMMY_STRUCT(Done, "test.Done", deliveries, consumer);

using Jobs = SharedDeque<Job>;
using Id = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;
using Results = SharedHashMap<Id, Done>;
using Sent = SharedHashMap<std::uint64_t, std::uint64_t>;

constexpr int kProducers = 4;
constexpr int kConsumers = 4;
constexpr std::uint32_t kIncarnations = 4000;
constexpr std::size_t kDeliveriesMax = 4'000'000;

// What outlives the processes.
struct Board {
  std::atomic<int> phase{0};  // 1: producers end. 2: consumers end once the queue is empty.
  std::atomic<std::uint32_t> incarnation[kProducers];
  // The numbers of each producer's processes, from 1 on: pushed for sure, and perhaps.
  std::atomic<std::uint64_t> pushed[kProducers][kIncarnations];
  std::atomic<std::uint64_t> begun[kProducers][kIncarnations];
  std::atomic<bool> may_hold[kConsumers];  // Between the call of a lease and its end.
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint64_t> twice{0};  // Results that were there already.
  std::atomic<int> failed{0};
  std::atomic<std::uint64_t> full{0};  // How often the queue was full.
  struct Delivery {
    std::uint64_t ticket;
    Job job;
    std::uint32_t deliveries;
  };
  std::atomic<std::size_t> deliveries{0};
  Delivery log[kDeliveriesMax];
};

std::uint64_t SentKey(int producer, std::uint32_t incarnation) {
  return static_cast<std::uint64_t>(producer) << 32U | incarnation;
}

int Fails(Board& board, const char* what, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
  ++board.failed;
  return 1;
}

// Pushes until phase 1. Half of the producers count in the transaction of the push, and the others
// wait for room.
int Produce(const Store& store, int me, Board& board) {
  const auto jobs = store.OpenShared<Jobs>("jobs");
  const auto sent = store.OpenShared<Sent>("sent");
  if (!jobs.ok() || !sent.ok()) {
    return Fails(board, "open", jobs.status());
  }
  const std::uint32_t incarnation = board.incarnation[me];
  const bool in_transaction = me % 2 == 0;
  for (std::uint64_t number = 1; board.phase == 0;) {
    board.begun[me][incarnation] = number;
    const Job job{static_cast<std::uint32_t>(me), incarnation, number};
    absl::Status status;
    if (in_transaction) {
      const absl::StatusOr<ChangeToken> seen = jobs->ns().Changes();
      status = store.Transact([&](Transaction& txn) -> absl::Status {
        const absl::Status counted = sent->In(txn).Put(SentKey(me, incarnation), number);
        return counted.ok() ? jobs->In(txn).PushBack(job) : counted;
      });
      if (absl::IsResourceExhausted(status) && seen.ok()) {
        ++board.full;
        (void)jobs->ns().WaitForChange(*seen, absl::Milliseconds(50));
        continue;
      }
    } else {
      status = jobs->PushBack(job, absl::Milliseconds(100));
      if (absl::IsDeadlineExceeded(status)) {
        ++board.full;
        continue;
      }
    }
    if (!status.ok()) {
      return Fails(board, "push", status);
    }
    board.pushed[me][incarnation] = number++;
  }
  return 0;
}

int Consume(const Store& store, int me, Board& board) {
  const auto jobs = store.OpenShared<Jobs>("jobs");
  const auto results = store.OpenShared<Results>("results");
  if (!jobs.ok() || !results.ok()) {
    return Fails(board, "open", jobs.status());
  }
  while (true) {
    board.may_hold[me] = true;
    absl::StatusOr<Leased<Job>> lease = jobs->LeaseFront(absl::Milliseconds(100));
    if (absl::IsDeadlineExceeded(lease.status())) {
      board.may_hold[me] = false;
      const absl::StatusOr<QueueInfo> info = jobs->Info();
      if (!info.ok()) {
        return Fails(board, "info", info.status());
      }
      if (board.phase == 2 && info->size == 0 && info->leases.empty()) {
        return 0;
      }
      continue;
    }
    if (!lease.ok()) {
      return Fails(board, "lease", lease.status());
    }
    const Job job = lease->value();
    const std::size_t at = board.deliveries++;
    if (at < kDeliveriesMax) {
      board.log[at] = {lease->number(), job, lease->deliveries()};
    }
    const absl::Status done = store.Transact([&](Transaction& txn) -> absl::Status {
      const absl::StatusOr<bool> is_new =
          results->In(txn).Insert(Id(job.producer, job.incarnation, job.number),
                                  Done{lease->deliveries(), static_cast<std::uint64_t>(me)});
      if (!is_new.ok()) {
        return is_new.status();
      }
      if (!*is_new) {
        ++board.twice;
        return absl::InternalError("the element was done before");
      }
      return lease->AcknowledgeIn(txn);
    });
    if (!done.ok()) {
      return Fails(board, "acknowledge", done);
    }
    board.may_hold[me] = false;
    ++board.acknowledged;
  }
}

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class QueueProcessTest : public StoreFixture {
 protected:
  static Options ManyOptions() {
    Options options = SmallOptions();
    options.max_size = std::uint64_t{4} << 30U;
    options.testing.segment_buckets = 8;
    return options;
  }
};

TEST_F(QueueProcessTest, AWorkQueueLosesNothingAndDoesNothingTwiceThoughProcessesAreKilled) {
  const char* const given = std::getenv("COMMY_QUEUE_SECONDS");
  const double seconds = given != nullptr ? std::strtod(given, nullptr) : 0;
  const double least_seconds = given != nullptr ? seconds : kSlowBuild ? 1 : 2;
  std::mt19937_64 random(Seed());
  Store store = MustOpen(ManyOptions());
  const auto jobs = store.OpenShared<Jobs>("jobs", {.capacity = 50});
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_TRUE(store.OpenShared<Results>("results").ok());
  ASSERT_TRUE(store.OpenShared<Sent>("sent").ok());
  const SharedMemory<Board> board;
  ProcessCrew crew(kProducers + kConsumers, [&](int index, ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path_, ManyOptions());
    if (!own.ok()) {
      return Fails(*board, "open", own.status());
    }
    if (index < kProducers) {
      ++board->incarnation[index];
    }
    parent.Send("ready");
    return index < kProducers ? Produce(*own, index, *board)
                              : Consume(*own, index - kProducers, *board);
  });
  ASSERT_TRUE(crew.AllReady());

  const auto goes_on = [&](std::uint64_t more) {
    const std::uint64_t before = board->acknowledged;
    return WaitFor([&] { return board->acknowledged >= before + more || board->failed != 0; }) &&
           board->failed == 0;
  };
  const Clock::time_point begin = Clock::now();
  std::uint64_t kills = 0;
  std::uint64_t kills_holding = 0;
  std::uint64_t stops = 0;
  while (SecondsSince(begin) < least_seconds || kills < 8 || kills_holding < 3 || stops < 2 ||
         board->acknowledged < 400) {
    ASSERT_TRUE(goes_on(random() % 40)) << "after " << kills << " kills: nobody goes on";
    if (given != nullptr) {
      const double at = static_cast<double>(kills + 1);
      ASSERT_TRUE(WaitFor([&] { return SecondsSince(begin) >= at || at > seconds; }));
    }
    const int victim = static_cast<int>(random() % (kProducers + kConsumers));
    if (random() % 3 == 0) {  // The others go on while it is stopped.
      ASSERT_TRUE(crew.child(victim).Stop());
      ++stops;
      ASSERT_TRUE(goes_on(20)) << "beside a stopped process";
      if (random() % 2 == 0) {
        ASSERT_TRUE(crew.child(victim).Continue());
        continue;
      }
    }
    ASSERT_TRUE(crew.child(victim).KillAndWait());
    ++kills;
    if (victim >= kProducers) {
      kills_holding += board->may_hold[victim - kProducers].exchange(false) ? 1 : 0;
    }
    ASSERT_TRUE(crew.Replace(victim));
  }
  board->phase = 1;
  for (int i = 0; i < kProducers; ++i) {
    EXPECT_TRUE(crew.child(i).Succeeded()) << "producer " << i;
  }
  board->phase = 2;
  for (int i = kProducers; i < kProducers + kConsumers; ++i) {
    EXPECT_TRUE(crew.child(i).Succeeded()) << "consumer " << i - kProducers;
  }
  const double ran = SecondsSince(begin);
  EXPECT_EQ(board->failed, 0);
  EXPECT_EQ(board->twice, 0U);
  EXPECT_TRUE(*jobs->Empty());
  EXPECT_TRUE(jobs->Info()->leases.empty());

  // Each element that was pushed is done, and none that was not.
  const auto results = *store.OpenShared<Results>("results");
  const auto sent = *store.OpenShared<Sent>("sent");
  std::uint64_t done = 0;
  std::uint64_t redeliveries = 0;
  std::uint64_t delivered_again = 0;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::set<std::uint64_t>> numbers;
  for (const auto& [id, result] : results.Range()) {
    ++done;
    redeliveries += result.deliveries - 1;
    delivered_again += result.deliveries > 1 ? 1 : 0;
    numbers[{std::get<0>(id), std::get<1>(id)}].insert(std::get<2>(id));
  }
  for (int producer = 0; producer < kProducers; ++producer) {
    for (std::uint32_t life = 1; life <= board->incarnation[producer]; ++life) {
      const std::uint64_t pushed = board->pushed[producer][life];
      const std::uint64_t begun = board->begun[producer][life];
      const auto& there = numbers[{static_cast<std::uint32_t>(producer), life}];
      const std::uint64_t last = there.empty() ? 0 : *there.rbegin();
      EXPECT_EQ(there.size(), last) << "producer " << producer << ", " << life << ": one is lost";
      EXPECT_GE(last, pushed) << "producer " << producer << ", " << life;
      EXPECT_LE(last, begun) << "producer " << producer << ", " << life;
      if (producer % 2 == 0) {
        EXPECT_EQ(last, sent.Get(SentKey(producer, life)).value_or(0)) << "its own count";
      }
    }
  }
  // Those of one process were first delivered in their order.
  std::vector<Board::Delivery> log(
      board->log, board->log + std::min<std::size_t>(board->deliveries, kDeliveriesMax));
  std::sort(log.begin(), log.end(),
            [](const auto& a, const auto& b) { return a.ticket < b.ticket; });
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> last_of;
  std::uint64_t again = 0;
  std::uint64_t last_ticket = 0;
  for (const Board::Delivery& each : log) {
    if (each.ticket == 0) {
      continue;  // Its consumer was killed before it wrote it.
    }
    EXPECT_NE(each.ticket, last_ticket) << "a lease that two got";
    last_ticket = each.ticket;
    if (each.deliveries > 1) {
      ++again;
      continue;
    }
    std::uint64_t& last = last_of[{each.job.producer, each.job.incarnation}];
    EXPECT_LT(last, each.job.number) << "out of order";
    last = each.job.number;
  }
  EXPECT_LE(redeliveries, kills_holding);
  EXPECT_LE(again, redeliveries);
  EXPECT_GE(redeliveries, delivered_again);
  EXPECT_TRUE(IsSound(store));
  std::printf(
      "%.1f s: %llu elements, %llu kills (%llu of consumers that may have held a lease), "
      "%llu stops, %llu redeliveries of %llu elements, full %llu times\n",
      ran, static_cast<unsigned long long>(done), static_cast<unsigned long long>(kills),
      static_cast<unsigned long long>(kills_holding), static_cast<unsigned long long>(stops),
      static_cast<unsigned long long>(redeliveries),
      static_cast<unsigned long long>(delivered_again),
      static_cast<unsigned long long>(board->full.load()));
}

// --- Waiting at both ends ------------------------------------------------------------------------

struct Ends {
  std::atomic<std::uint64_t> pushed{0};
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> popped{0};
  std::atomic<std::uint64_t> wrong{0};
};

TEST_F(QueueProcessTest, NobodyHangsInAQueueOfOnePlaceThoughProcessesAreKilled) {
  constexpr int kProcesses = 6;
  std::mt19937_64 random(Seed());
  Store store = MustOpen(ManyOptions());
  ASSERT_TRUE(store.OpenShared<SharedDeque<std::uint64_t>>("one", {.capacity = 1}).ok());
  const SharedMemory<Ends> ends;
  ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path_, ManyOptions());
    const auto mine = own.ok() ? own->OpenShared<SharedDeque<std::uint64_t>>("one") : own.status();
    parent.Send("ready");
    while (mine.ok()) {
      if (index % 2 == 0) {
        const absl::Status status = mine->PushBack(++ends->begun, absl::InfiniteDuration());
        (status.ok() ? ends->pushed : ends->wrong) += 1;
      } else {
        const auto popped = mine->PopFront(absl::InfiniteDuration());
        (popped.ok() ? ends->popped : ends->wrong) += 1;
      }
    }
    return 1;
  });
  ASSERT_TRUE(crew.AllReady());
  for (int kill = 0; kill < (kSlowBuild ? 8 : 25); ++kill) {
    const std::uint64_t pushed = ends->pushed;
    const std::uint64_t popped = ends->popped;
    const std::uint64_t more = 5 + random() % 50;
    ASSERT_TRUE(WaitFor([&] {
      return ends->pushed >= pushed + more && ends->popped >= popped + more;
    })) << "they hang";
    const int victim = static_cast<int>(random() % kProcesses);
    if (random() % 3 == 0) {
      ASSERT_TRUE(crew.child(victim).Stop());
      const std::uint64_t now = ends->popped;
      ASSERT_TRUE(WaitFor([&] { return ends->popped >= now + 5; })) << "beside a stopped one";
    }
    ASSERT_TRUE(crew.Replace(victim));
  }
  EXPECT_EQ(ends->wrong, 0U);
  for (int i = 0; i < kProcesses; ++i) {
    ASSERT_TRUE(crew.child(i).KillAndWait());
  }
  // A push, or a pop, that was killed on its way has happened or not.
  const std::uint64_t left = *store.OpenShared<SharedDeque<std::uint64_t>>("one")->Size();
  EXPECT_LE(left, 1U);
  EXPECT_LE(ends->popped + left, ends->begun);
  EXPECT_TRUE(IsSound(store));
}

// --- Holders of leases ---------------------------------------------------------------------------

class LeaseHolderTest : public QueueProcessTest {
 protected:
  void SetUp() override {
    store_ = MustOpen(SmallOptions());
    jobs_ = *store_->OpenShared<SharedDeque<std::string>>("jobs");
    ASSERT_TRUE(jobs_->Append(std::vector<std::string>{"a", large_}).ok());
  }
  void TearDown() override {
    EXPECT_TRUE(IsSound(*store_));
    jobs_.reset();
    store_.reset();
    StoreFixture::TearDown();
  }
  // Leases two elements, and acknowledges them once it is told to.
  int Hold(ChildSide& parent, const Options& options = QuietOptions()) {
    const absl::StatusOr<Store> own = Store::Open(path_, options);
    const auto mine = own.ok() ? own->OpenShared<SharedDeque<std::string>>("jobs") : own.status();
    auto first = mine.ok() ? mine->LeaseFront() : mine.status();
    auto second = mine.ok() ? mine->LeaseFront() : mine.status();
    if (!first.ok() || !second.ok()) {
      return 1;
    }
    parent.Send("leased");
    parent.Receive();
    return first->Acknowledge().ok() && second->Acknowledge().ok() ? 0 : 2;
  }
  // Both come, to a waiter, as they were, and once more.
  void ExpectBoth() {
    for (const std::string& value : {std::string("a"), large_}) {
      auto lease = jobs_->LeaseFront(absl::FromChrono(kDeadline));
      ASSERT_TRUE(lease.ok()) << lease.status();
      EXPECT_EQ(lease->value(), value);
      EXPECT_EQ(lease->deliveries(), 2U);
      ASSERT_TRUE(lease->Acknowledge().ok());
    }
    EXPECT_EQ(*jobs_->ns().Size(), 1U);
  }

  const std::string large_ = std::string(5000, 'l');
  std::optional<Store> store_;
  std::optional<SharedDeque<std::string>> jobs_;
};

TEST_F(LeaseHolderTest, WhatADeadConsumerHeldGoesToAWaiter) {
  ChildProcess child([this](ChildSide& parent) { return Hold(parent); });
  ASSERT_EQ(child.Receive(), "leased");
  EXPECT_TRUE(absl::IsNotFound(jobs_->LeaseFront().status()));
  std::atomic<bool> waits = false;
  const Clock::time_point begin = Clock::now();
  std::thread killer([&] {
    EXPECT_TRUE(WaitFor([&] { return waits.load(); }));
    EXPECT_TRUE(child.KillAndWait());
  });
  waits = true;
  ExpectBoth();
  killer.join();
  std::printf("after %.2f s\n", SecondsSince(begin));
}

TEST_F(LeaseHolderTest, AStoppedConsumerKeepsWhatItHolds) {
  ChildProcess child([this](ChildSide& parent) { return Hold(parent, SmallOptions()); });
  ASSERT_EQ(child.Receive(), "leased");
  ASSERT_TRUE(child.Stop());
  // Longer than a waiter sleeps, and than the heartbeat takes to be stale.
  EXPECT_TRUE(absl::IsDeadlineExceeded(jobs_->LeaseFront(absl::Milliseconds(1500)).status()));
  const auto info = jobs_->Info();
  ASSERT_EQ(info->leases.size(), 2U);
  EXPECT_FALSE(info->leases[0].gone);
  ASSERT_TRUE(child.Continue());
  child.Send("acknowledge");
  EXPECT_TRUE(child.Succeeded());
  EXPECT_TRUE(*jobs_->Empty());
  EXPECT_EQ(*jobs_->ns().Size(), 1U);
}

// The recoverer has the lock of the dead one's slot, which tells the living from the dead.
TEST_F(LeaseHolderTest, AStoppedRecovererOfADeadConsumerHoldsNothingBack) {
  jobs_.reset();
  store_ = MustOpen(QuietOptions());  // It recovers nobody by itself.
  jobs_ = *store_->OpenShared<SharedDeque<std::string>>("jobs");
  ChildProcess child([this](ChildSide& parent) { return Hold(parent); });
  ASSERT_EQ(child.Receive(), "leased");
  const std::uint32_t slot = jobs_->Info()->leases.at(0).slot;
  ChildProcess recoverer([&](ChildSide& parent) {
    absl::StatusOr<Store> own = Store::Open(path_, QuietOptions());
    if (!own.ok()) return 1;
    parent.Send("open");
    parent.Receive();
    // As Recovery::RecoverIfDead() begins.
    region::Region& region = EngineOf(*own).region;
    const absl::StatusOr<platform::Descriptor> held = region.LockSlot(slot);
    if (!held.ok() || !held->valid()) return 2;
    region::Shared64& state = region.participant(slot).state;
    const std::uint64_t word = state.load(std::memory_order_acquire);
    if ((word & 0xffU) != process::kAttached) return 3;
    state.store((word & ~std::uint64_t{0xff}) | process::kGone, std::memory_order_release);
    parent.Send("recovers");
    parent.Receive();
    return 0;
  });
  ASSERT_EQ(recoverer.Receive(), "open");
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(SeenDead(*store_, child.pid()));
  recoverer.Send("recover");
  ASSERT_EQ(recoverer.Receive(), "recovers");
  ASSERT_TRUE(recoverer.Stop());
  EXPECT_TRUE(jobs_->Info()->leases.at(0).gone);
  ExpectBoth();
}

}  // namespace
}  // namespace commy::test
