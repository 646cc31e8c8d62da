// Processes that agree on a leader, permits, a latch, a rate and computed values, while some of
// them are killed or stopped.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "coordination/semaphore_state.h"
#include "support/child_process.h"
#include "support/process_crew.h"
#include "support/seen_dead.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Texts = Computed<std::string, std::string>;

class CoordinationProcessTest : public StoreFixture {
 protected:
  // A child with a store of its own: `body` gets it and the line.
  template <typename Body>
  auto InStore(Body body) {
    return [this, body](ChildSide& parent) {
      const absl::StatusOr<Store> store = Store::Open(path_, SmallOptions());
      return store.ok() ? body(*store, parent) : 1;
    };
  }
  // Whether `count` calls stand in the queue, within the deadline.
  static bool Queued(const Semaphore& semaphore, std::size_t count) {
    return WaitFor([&] {
      return coordination::SemaphoreFromBytes("s", *semaphore.ns().Get(""))->waiters.size() ==
             count;
    });
  }

  Store store_ = MustOpen(SmallOptions());
};

// --- A leader ------------------------------------------------------------------------------------

// Acquires the lease, sends its fencing number, and holds it until it is told to end.
int Lead(const Store& store, ChildSide& parent) {
  const absl::StatusOr<LeaderLease> lease = store.OpenShared<LeaderLease>("leader");
  const auto held = lease.ok() ? lease->Acquire(absl::InfiniteDuration()) : lease.status();
  if (!held.ok()) return 1;
  parent.Send(std::to_string(held->fencing()));
  parent.Receive();
  const absl::StatusOr<bool> still = held->StillHeld();
  return still.ok() && *still ? 0 : 2;
}

TEST_F(CoordinationProcessTest, ALeaderThatIsKilledIsSuperseded) {
  const auto lease = store_.OpenShared<LeaderLease>("leader");
  ASSERT_TRUE(lease.ok());
  for (std::uint64_t round = 0; round < 5; ++round) {
    ChildProcess leader(InStore(Lead));
    ASSERT_EQ(leader.Receive(), std::to_string(2 * round + 1));
    EXPECT_EQ(lease->Holder().value().value().pid, static_cast<std::uint64_t>(leader.pid()));
    ChildProcess next(InStore(Lead));  // It waits already.
    EXPECT_TRUE(absl::IsDeadlineExceeded(lease->Acquire(absl::ZeroDuration()).status()));
    leader.Kill();
    ASSERT_EQ(next.Receive(), std::to_string(2 * round + 2));
    EXPECT_EQ(lease->Holder().value().value().pid, static_cast<std::uint64_t>(next.pid()));
    next.Send("end");
    EXPECT_TRUE(next.Succeeded());
    EXPECT_FALSE(lease->Holder()->has_value());
  }
}

TEST_F(CoordinationProcessTest, ALeaderThatIsStoppedIsNotSuperseded) {
  const auto lease = store_.OpenShared<LeaderLease>("leader");
  ASSERT_TRUE(lease.ok());
  ChildProcess leader(InStore(Lead));
  ASSERT_EQ(leader.Receive(), "1");
  ASSERT_TRUE(leader.Stop());
  ASSERT_TRUE(WaitFor([&] {  // It is shown as stalled, and still leads.
    const auto all = store_.Participants().value();
    return std::any_of(all.begin(), all.end(), [&](const ParticipantInfo& info) {
      return info.pid == static_cast<std::uint64_t>(leader.pid()) &&
             info.liveness == Liveness::kStalled;
    });
  }));
  EXPECT_FALSE(lease->TryAcquire()->has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(lease->Acquire(absl::Milliseconds(50)).status()));
  EXPECT_EQ(lease->Holder().value().value().fencing, 1U);
  ASSERT_TRUE(leader.Continue());
  leader.Send("end");
  EXPECT_TRUE(leader.Succeeded());
  EXPECT_EQ(lease->Acquire(kDeadline.count() * absl::Seconds(1))->fencing(), 2U);
}

struct Reign {
  std::atomic<int> leaders{0};
  std::atomic<std::uint64_t> last_fencing{0};
  std::atomic<int> terms{0};
};

TEST_F(CoordinationProcessTest, OneProcessLeadsAtATimeAndNumbersGoUp) {
  const SharedMemory<Reign> reign;
  ProcessCrew crew(4, [&](int, ChildSide& parent) {
    return InStore([&](const Store& store, ChildSide& line) {
      const auto lease = store.OpenShared<LeaderLease>("leader");
      line.Send("ready");
      line.Receive();
      for (int i = 0; i < 50 && lease.ok(); ++i) {
        const auto held = lease->Acquire(absl::InfiniteDuration());
        if (!held.ok() || ++reign->leaders != 1 ||
            reign->last_fencing.exchange(held->fencing()) >= held->fencing()) {
          return 1;
        }
        ++reign->terms;
        --reign->leaders;
      }
      return lease.ok() ? 0 : 1;
    })(parent);
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  EXPECT_TRUE(crew.AllSucceeded());
  EXPECT_EQ(reign->terms, 200);
  EXPECT_EQ(reign->last_fencing, 200U);
}

TEST_F(CoordinationProcessTest, AForkedChildDoesNotLetGoOfItsParentsLease) {
  const auto lease = store_.OpenShared<LeaderLease>("leader");
  std::optional<LeaderLease::Held> held(*lease->Acquire(absl::ZeroDuration()));
  ChildProcess child([&](ChildSide&) {
    const bool refused = absl::IsFailedPrecondition(held->StillHeld().status());
    held.reset();
    return refused ? 0 : 1;
  });
  EXPECT_TRUE(child.Succeeded());
  EXPECT_TRUE(*held->StillHeld());
}

// --- Permits -------------------------------------------------------------------------------------

TEST_F(CoordinationProcessTest, PermitsAndPlacesOfAKilledProcessComeBack) {
  const auto semaphore = Semaphore::Open(store_, "semaphore", 3);
  ASSERT_TRUE(semaphore.ok());
  const auto acquire = [](std::uint64_t n) {
    return [n](const Store& store, ChildSide& parent) {
      const auto mine = Semaphore::Open(store, "semaphore", 3);
      const auto permits = mine.ok() ? mine->Acquire(n) : mine.status();
      if (!permits.ok()) return 1;
      parent.Send("held");
      parent.Receive();
      return 0;
    };
  };
  ChildProcess holder(InStore(acquire(2)));
  ASSERT_EQ(holder.Receive(), "held");
  ChildProcess waiter(InStore(acquire(3)));
  ASSERT_TRUE(Queued(*semaphore, 1));
  ChildProcess behind(InStore(acquire(1)));
  ASSERT_TRUE(Queued(*semaphore, 2));
  EXPECT_EQ(*semaphore->Available(), 1U);  // Behind the place of the one for three.
  waiter.Kill();
  ASSERT_EQ(behind.Receive(), "held");
  EXPECT_EQ(*semaphore->Available(), 0U);
  holder.Kill();
  EXPECT_TRUE(semaphore->Acquire(2, absl::Seconds(30)).ok());
  behind.Send("end");
  EXPECT_TRUE(behind.Succeeded());
  EXPECT_EQ(*semaphore->Available(), 3U);
}

TEST_F(CoordinationProcessTest, AWaiterThatIsStoppedHoldsUpNobodyBehindIt) {
  const auto semaphore = Semaphore::Open(store_, "semaphore", 2);
  ASSERT_TRUE(semaphore.ok());
  std::optional<Permits> both(*semaphore->Acquire(2, absl::ZeroDuration()));
  ChildProcess stopped(InStore([](const Store& store, ChildSide&) {
    const auto mine = store.OpenShared<Semaphore>("semaphore");
    return mine.ok() && mine->Acquire().ok() ? 0 : 1;
  }));
  ASSERT_TRUE(Queued(*semaphore, 1));
  ASSERT_TRUE(stopped.Stop());
  both.reset();
  // One is given to the stopped process; the other is free.
  EXPECT_TRUE(semaphore->Acquire(1, absl::Seconds(30)).ok());
  EXPECT_FALSE(semaphore->TryAcquire(2)->has_value());
  ASSERT_TRUE(stopped.Continue());
  EXPECT_TRUE(stopped.Succeeded());
  EXPECT_TRUE(semaphore->Acquire(2, absl::Seconds(30)).ok());
}

struct Inside {
  std::atomic<std::uint64_t> held{0};
  std::atomic<std::uint64_t> most{0};
};

TEST_F(CoordinationProcessTest, ProcessesTogetherHoldNoMorePermitsThanThereAre) {
  const auto semaphore = Semaphore::Open(store_, "semaphore", 3);
  const SharedMemory<Inside> inside;
  ProcessCrew crew(4, [&](int index, ChildSide& parent) {
    return InStore([&](const Store& store, ChildSide& line) {
      const auto mine = store.OpenShared<Semaphore>("semaphore");
      line.Send("ready");
      line.Receive();
      const auto n = static_cast<std::uint64_t>(1 + index % 3);
      for (int i = 0; i < 40 && mine.ok(); ++i) {
        const auto permits = mine->Acquire(n);
        if (!permits.ok() || inside->held.fetch_add(n) + n > 3) return 1;
        inside->held -= n;
      }
      return mine.ok() ? 0 : 1;
    })(parent);
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  EXPECT_TRUE(crew.AllSucceeded());
  EXPECT_EQ(*semaphore->Available(), 3U);
}

// --- A latch -------------------------------------------------------------------------------------

TEST_F(CoordinationProcessTest, ALatchReleasesProcesses) {
  const auto latch = Latch::Open(store_, "latch", 3);
  ASSERT_TRUE(latch.ok());
  ProcessCrew crew(3, [&](int, ChildSide& parent) {
    return InStore([](const Store& store, ChildSide& line) {
      const auto mine = store.OpenShared<Latch>("latch");
      line.Send("ready");
      line.Receive();
      return mine.ok() && mine->CountDown().ok() && mine->Wait(absl::InfiniteDuration()).ok() &&
                     *mine->Count() == 0
                 ? 0
                 : 1;
    })(parent);
  });
  ASSERT_TRUE(crew.AllReady());
  EXPECT_TRUE(absl::IsDeadlineExceeded(latch->Wait(absl::ZeroDuration())));
  crew.child(0).Send("go");
  ASSERT_TRUE(WaitFor([&] { return *latch->Count() == 2; }));
  crew.child(1).Send("go");
  crew.child(2).Send("go");
  EXPECT_TRUE(latch->Wait(absl::Seconds(30)).ok());
  EXPECT_TRUE(crew.AllSucceeded());
}

// --- A rate --------------------------------------------------------------------------------------

TEST_F(CoordinationProcessTest, ProcessesTogetherKeepTheRate) {
  constexpr RateLimit kLimit{.per_second = 2000, .burst = 20};
  constexpr std::uint64_t kEnough = 300;
  const auto limiter = RateLimiter::Open(store_, "limiter", kLimit);
  ASSERT_TRUE(limiter.ok());
  const SharedMemory<std::atomic<std::uint64_t>> given;
  ProcessCrew crew(3, [&](int index, ChildSide& parent) {
    return InStore([&](const Store& store, ChildSide& line) {
      const auto mine = store.OpenShared<RateLimiter>("limiter");
      line.Send("ready");
      line.Receive();
      while (mine.ok() && *given < kEnough) {
        if (index == 0) {
          if (!mine->Acquire(1, absl::InfiniteDuration()).ok()) return 1;
          ++*given;
        } else {
          const absl::StatusOr<bool> taken = mine->TryAcquire();
          if (!taken.ok()) return 1;
          *given += *taken ? 1 : 0;
        }
      }
      return mine.ok() ? 0 : 1;
    })(parent);
  });
  ASSERT_TRUE(crew.AllReady());
  platform::Platform& real = platform::Platform::Real();
  const std::int64_t begin_ns = real.BootNs();
  crew.TellAll();
  std::uint64_t looks = 0;
  EXPECT_TRUE(WaitFor([&] {
    const std::uint64_t seen = *given;
    const double seconds = static_cast<double>(real.BootNs() - begin_ns) / 1e9;
    EXPECT_LE(static_cast<double>(seen),
              kLimit.per_second * seconds + static_cast<double>(kLimit.burst) + 1e-3);
    ++looks;
    return seen >= kEnough;
  }));
  EXPECT_TRUE(crew.AllSucceeded());
  EXPECT_GT(looks, 1U);
}

// --- Computed values -----------------------------------------------------------------------------

TEST_F(CoordinationProcessTest, OfManyProcessesExactlyOneComputes) {
  constexpr int kKeys = 20;
  const SharedMemory<std::atomic<int>> computed;
  ProcessCrew crew(5, [&](int, ChildSide& parent) {
    return InStore([&](const Store& store, ChildSide& line) {
      const auto texts = store.OpenShared<Texts>("computed");
      line.Send("ready");
      line.Receive();
      for (int i = 0; i < kKeys && texts.ok(); ++i) {
        const std::string key = std::to_string(i);
        const auto value = texts->GetOrCompute(key, [&] {
          ++*computed;
          return "value " + key;
        });
        if (!value.ok() || *value != "value " + key) return 1;
      }
      return texts.ok() ? 0 : 1;
    })(parent);
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  EXPECT_TRUE(crew.AllSucceeded());
  EXPECT_EQ(*computed, kKeys);
}

// Computes until it is told to go on.
int ComputeSlowly(const Store& store, ChildSide& parent) {
  const auto texts = store.OpenShared<Texts>("computed");
  const auto value = !texts.ok() ? texts.status() : texts->GetOrCompute("k", [&] {
    parent.Send("computing");
    parent.Receive();
    return "slow";
  });
  return value.ok() && *value == "slow" ? 0 : 1;
}

TEST_F(CoordinationProcessTest, AComputerThatIsKilledIsReplaced) {
  const auto texts = store_.OpenShared<Texts>("computed");
  ASSERT_TRUE(texts.ok());
  ChildProcess computer(InStore(ComputeSlowly));
  ASSERT_EQ(computer.Receive(), "computing");
  ChildProcess waiter(InStore([](const Store& store, ChildSide& parent) {
    const auto mine = store.OpenShared<Texts>("computed");
    parent.Send("ready");
    const auto value = mine->GetOrCompute("k", [] { return "replaced"; });
    return value.ok() && *value == "replaced" ? 0 : 1;
  }));
  ASSERT_EQ(waiter.Receive(), "ready");
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      texts->GetOrCompute("k", [] { return "not yet"; }, {.timeout = absl::ZeroDuration()})
          .status()));
  computer.Kill();
  EXPECT_TRUE(waiter.Succeeded());
  EXPECT_EQ(*texts->Get("k"), "replaced");
}

TEST_F(CoordinationProcessTest, AComputerThatIsStoppedIsWaitedForAndAPutEndsThat) {
  const auto texts = store_.OpenShared<Texts>("computed");
  ASSERT_TRUE(texts.ok());
  ChildProcess computer(InStore(ComputeSlowly));
  ASSERT_EQ(computer.Receive(), "computing");
  ASSERT_TRUE(computer.Stop());
  const auto never = [] { return "never"; };
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      texts->GetOrCompute("k", never, {.timeout = absl::Milliseconds(50)}).status()));
  ASSERT_TRUE(texts->Put("k", "put").ok());
  EXPECT_EQ(*texts->GetOrCompute("k", never), "put");
  ASSERT_TRUE(computer.Continue());
  computer.Send("go on");
  EXPECT_TRUE(computer.Succeeded());
  EXPECT_EQ(*texts->Get("k"), "put");
}

}  // namespace
}  // namespace commy::test
