// Four processes at once on one vector with tiny nodes; some are killed in the middle of a call.
// The histories of its elements are linearizable, each element that is pushed is popped once and
// in its order, and no node is left behind.
#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "sequences/small_sequences.h"
#include "support/history.h"
#include "support/history_worker.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kProcesses = 4;

// --- Elements that stay where they are -----------------------------------------------------------

struct Pair {
  std::int64_t value = 0;
  std::uint64_t copy = 0;  // Of the value: a torn one would differ.
};
COMMY_STRUCT(Pair, "test.Pair", value, copy);

Pair PairOf(std::int64_t value) {
  return {value, static_cast<std::uint64_t>(value)};
}

constexpr int kHistoryRounds = 60;
constexpr std::size_t kCallsEach = 600;
constexpr std::uint64_t kStay = 40;
constexpr std::uint64_t kSlots[] = {0, 13, kStay - 1};  // At the front, in a leaf, at the back.

struct Book {
  HistoryLog<kCallsEach> logs[kProcesses];
};

// One call on an element, with its answer. False: an error that may not be.
bool Do(const SharedVec<Pair>& vec, Call& call) {
  const std::uint64_t index = kSlots[call.key];
  switch (call.kind) {
    case CallKind::kGet: {
      const absl::StatusOr<Pair> got = vec.At(index);
      call.answer = got.ok() ? got->value : kNothing;
      return got.ok() && got->copy == static_cast<std::uint64_t>(got->value);
    }
    case CallKind::kPut:
      return vec.Set(index, PairOf(call.value)).ok();
    default:
      return vec
          .Update(index,
                  [&call](Pair& each) {
                    each = PairOf(each.value + call.value);
                    call.answer = each.value;
                  })
          .ok();
  }
}

// Adds an element behind those that stay and takes one of these away, which may be another's: there
// are never fewer.
bool Churn(const SharedVec<Pair>& vec, std::uint64_t dice) {
  switch (dice % 4) {
    case 0:
      return vec.PushBack(PairOf(-1)).ok() && vec.PopBack().ok();
    case 1:
      return vec.Insert(kStay, PairOf(-2)).ok() && vec.PopBack().ok();
    case 2:
      return vec.PushBack(PairOf(-3)).ok() && vec.Erase(kStay).ok();
    default:
      return vec.Append(std::vector<Pair>(6, PairOf(-4))).ok() && vec.EraseRange(kStay, 6).ok();
  }
}

class VecProcessTest : public StoreFixture {
 protected:
  static bool Work(const SharedVec<Pair>& vec, std::uint64_t seed, HistoryLog<kCallsEach>& log) {
    std::mt19937_64 random(seed);
    while (log.count < kCallsEach) {
      if (random() % 4 == 0 && !Churn(vec, random())) {
        return false;
      }
      Call& call = log.calls[log.count.load(std::memory_order_relaxed)];
      call = Call();
      call.key = static_cast<std::uint32_t>(random() % std::size(kSlots));
      const std::uint64_t dice = random() % 100;
      call.kind = dice < 50 ? CallKind::kGet : dice < 80 ? CallKind::kPut : CallKind::kAdd;
      call.value = static_cast<std::int64_t>(random() % 1'000'000'000);
      call.begin_ns = HistoryNow();
      log.count.fetch_add(1, std::memory_order_release);  // From here on it may take effect.
      if (!Do(vec, call)) {
        return false;
      }
      call.end_ns = HistoryNow();
    }
    return true;
  }

  static bool EndedWell(ProcessCrew& crew, int index) {
    const std::optional<ChildEnd> end = crew.child(index).Wait();
    return end.has_value() && end->exited && end->code == 0;
  }

  // Nodes are no more than the root names.
  template <typename T>
  static void ExpectNothingLeft(const SharedVec<T>& vec) {
    const absl::Status cleared = vec.Clear();
    EXPECT_TRUE(cleared.ok()) << cleared;
    EXPECT_LE(*vec.ns().Size(), 1U);
  }

  const SmallSequences small_;
};

TEST_F(VecProcessTest, ElementsAreLinearizableThoughAProcessIsKilled) {
  const std::uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  const Store store = MustOpen(SmallOptions());
  for (int round = 0; round < kHistoryRounds && !HasFailure(); ++round) {
    const std::string name = "round " + std::to_string(round);
    const auto vec = store.OpenShared<SharedVec<Pair>>(name);
    ASSERT_TRUE(vec.ok()) << vec.status();
    for (std::uint64_t i = 0; i < kStay; ++i) {
      ASSERT_TRUE(i % 2 == 0 ? vec->PushFront({}).ok() : vec->PushBack({}).ok());
    }
    const SharedMemory<Book> book;
    ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
      const absl::StatusOr<Store> own = Store::Open(path_, SmallOptions());
      const auto mine = own.ok() ? own->OpenShared<SharedVec<Pair>>(name) : own.status();
      parent.Send("ready");
      parent.Receive();
      return mine.ok() &&
                     Work(*mine, seed + static_cast<unsigned>(round * 7 + index), book->logs[index])
                 ? 0
                 : 1;
    });
    ASSERT_TRUE(crew.AllReady());
    crew.TellAll();
    const int victim = static_cast<int>(random() % kProcesses);
    const std::uint64_t at = random() % (kCallsEach - 20);
    ASSERT_TRUE(WaitFor([&] { return book->logs[victim].count >= at; }));
    ASSERT_TRUE(crew.child(victim).KillAndWait());
    std::vector<Call> calls;
    for (std::uint32_t key = 0; key < std::size(kSlots); ++key) {
      calls.push_back({.begin_ns = 1, .end_ns = 2, .key = key, .kind = CallKind::kPut});
    }
    for (int i = 0; i < kProcesses; ++i) {
      EXPECT_TRUE(i == victim || EndedWell(crew, i)) << "process " << i;
      const auto& log = book->logs[i];
      calls.insert(calls.end(), log.calls, log.calls + log.count);
    }
    EXPECT_EQ(FindNonLinearizable(calls), "");
    EXPECT_GE(*vec->Size(), kStay);
    ExpectNothingLeft(*vec);
  }
  EXPECT_TRUE(IsSound(store));
}

// --- Elements that come and go -------------------------------------------------------------------

constexpr int kQueueRounds = 40;
constexpr std::uint64_t kPushes = 400;  // Of each of the two that push.

struct Queue {
  std::atomic<std::uint64_t> pushed[2];
  std::atomic<int> pushers{2};
  std::atomic<std::uint64_t> popped[2];
  std::uint64_t values[2][2 * kPushes];
};

int PushAll(const SharedVec<std::uint64_t>& vec, int index, Queue& queue) {
  for (std::uint64_t i = 0; i < kPushes; ++i) {
    if (!vec.PushBack(static_cast<std::uint64_t>(index) << 32U | i).ok()) {
      return 1;
    }
    ++queue.pushed[index];
  }
  --queue.pushers;
  return 0;
}

int PopAll(const SharedVec<std::uint64_t>& vec, int index, Queue& queue) {
  while (true) {
    const bool last = queue.pushers == 0;
    const absl::StatusOr<std::uint64_t> popped = vec.PopFront();
    if (popped.ok()) {
      const std::uint64_t at = queue.popped[index];
      queue.values[index][at] = *popped;
      queue.popped[index] = at + 1;
    } else if (!absl::IsNotFound(popped.status())) {
      return 1;
    } else if (last) {
      return 0;
    }
  }
}

TEST_F(VecProcessTest, EachElementIsPoppedOnceAndInOrderThoughProcessesAreKilled) {
  const std::uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  const Store store = MustOpen(SmallOptions());
  for (int round = 0; round < kQueueRounds && !HasFailure(); ++round) {
    const std::string name = "round " + std::to_string(round);
    const auto vec = store.OpenShared<SharedVec<std::uint64_t>>(name);
    ASSERT_TRUE(vec.ok()) << vec.status();
    const SharedMemory<Queue> queue;
    ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
      const absl::StatusOr<Store> own = Store::Open(path_, SmallOptions());
      const auto mine = own.ok() ? own->OpenShared<SharedVec<std::uint64_t>>(name) : own.status();
      parent.Send("ready");
      parent.Receive();
      return !mine.ok()  ? 1
             : index < 2 ? PushAll(*mine, index, *queue)
                         : PopAll(*mine, index - 2, *queue);
    });
    ASSERT_TRUE(crew.AllReady());
    crew.TellAll();
    // One of each kind: the other one goes on.
    const std::uint64_t pushes = random() % (kPushes - 20);
    const std::uint64_t pops = random() % (kPushes / 4);
    ASSERT_TRUE(WaitFor([&] { return queue->popped[0] >= pops || queue->pushers < 2; }));
    ASSERT_TRUE(crew.child(2).KillAndWait());
    ASSERT_TRUE(WaitFor([&] { return queue->pushed[0] >= pushes; }));
    ASSERT_TRUE(crew.child(0).KillAndWait());
    if (queue->pushed[0] < kPushes) {
      --queue->pushers;
    }
    EXPECT_TRUE(EndedWell(crew, 1));
    EXPECT_TRUE(EndedWell(crew, 3));

    std::set<std::uint64_t> all;
    for (int popper = 0; popper < 2; ++popper) {
      std::uint64_t next[2] = {0, 0};
      for (std::uint64_t i = 0; i < queue->popped[popper]; ++i) {
        const std::uint64_t value = queue->values[popper][i];
        ASSERT_LT(value >> 32U, 2U);
        std::uint64_t& least = next[value >> 32U];
        EXPECT_GE(value & 0xffffffffU, least) << "out of order";
        least = (value & 0xffffffffU) + 1;
        EXPECT_TRUE(all.insert(value).second) << "popped twice: " << value;
      }
    }
    // The one that was killed may have popped one more than it told, and pushed one more.
    std::uint64_t missing = 0;
    for (std::uint64_t pusher = 0; pusher < 2; ++pusher) {
      const std::uint64_t pushed = queue->pushed[pusher];
      for (std::uint64_t i = 0; i < pushed; ++i) {
        missing += all.erase(pusher << 32U | i) == 0 ? 1 : 0;
      }
    }
    EXPECT_LE(missing, 1U);
    EXPECT_LE(all.size(), 1U);
    EXPECT_TRUE(all.empty() || *all.begin() == queue->pushed[0]);
    EXPECT_TRUE(*vec->Empty());
    ExpectNothingLeft(*vec);
  }
  EXPECT_TRUE(IsSound(store));
}

}  // namespace
}  // namespace commy::test
