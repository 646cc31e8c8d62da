// Four processes at once on typed containers; some are killed in the middle of a call. The
// histories of maps and boxes are linearizable, each element is popped once, and a counter is the
// sum of its adds.
#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "support/history.h"
#include "support/history_worker.h"
#include "support/ordered_fixture.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/transaction_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kProcesses = 4;
constexpr int kRounds = 40;
constexpr std::size_t kCallsEach = 1000;
constexpr std::uint32_t kKeys = 3;

struct Stamp {
  std::int64_t value = 0;
  std::uint64_t copy = 0;  // Of the value: a torn one would differ.
};
COMMY_STRUCT(Stamp, "test.Stamp", value, copy);

Stamp StampOf(std::int64_t value) {
  return {value, static_cast<std::uint64_t>(value)};
}

struct Book {
  HistoryLog<kCallsEach> logs[kProcesses];
  std::atomic<int> failed{0};
};

// The calls of a history on one container, by keys, as a map and a box have them.
struct Calls {
  std::function<absl::StatusOr<Stamp>(std::uint32_t)> get;
  std::function<absl::Status(std::uint32_t, const Stamp&)> put;
  std::function<absl::StatusOr<bool>(std::uint32_t)> erase;
  std::function<absl::StatusOr<bool>(std::uint32_t, std::optional<Stamp>, std::optional<Stamp>)>
      swap;
  std::function<absl::Status(std::uint32_t,
                             std::function<std::optional<Stamp>(std::optional<Stamp>)>)>
      update;
};

template <Order kOrder>
Calls CallsOf(const SharedMap<std::uint32_t, Stamp, kOrder>& map) {
  return {[=](std::uint32_t key) { return map.Get(key); },
          [=](std::uint32_t key, const Stamp& value) {
            // Half of them are written in place.
            return value.value % 2 == 0 ? map.Put(key, value)
                                        : map.Emplace(key, [&](Stamp& at) { at = value; });
          },
          [=](std::uint32_t key) { return map.Erase(key); },
          [=](std::uint32_t key, std::optional<Stamp> expected, std::optional<Stamp> desired) {
            return map.CompareAndSwap(key, expected, desired);
          },
          [=](std::uint32_t key, auto change) { return map.Update(key, change); }};
}

Calls CallsOf(const SharedBox<Stamp>& box) {
  return {[=](std::uint32_t) { return box.Load(); },
          [=](std::uint32_t, const Stamp& value) { return box.Store(value); },
          [=](std::uint32_t) { return box.Reset(); },
          [=](std::uint32_t, std::optional<Stamp> expected, std::optional<Stamp> desired) {
            return box.CompareExchange(expected, desired);
          },
          [=](std::uint32_t, auto change) { return box.Update(change); }};
}

// One call, with its answer. False: an error that may not be.
bool Do(const Calls& calls, Call& call) {
  const auto stamp = [](std::int64_t value) {
    return value == kNothing ? std::optional<Stamp>() : StampOf(value);
  };
  switch (call.kind) {
    case CallKind::kGet: {
      const absl::StatusOr<Stamp> got = calls.get(call.key);
      call.answer = got.ok() ? got->value : kNothing;
      return got.ok() ? got->copy == static_cast<std::uint64_t>(got->value)
                      : absl::IsNotFound(got.status());
    }
    case CallKind::kPut:
      return calls.put(call.key, StampOf(call.value)).ok();
    case CallKind::kDelete: {
      const absl::StatusOr<bool> gone = calls.erase(call.key);
      call.answer = gone.ok() && *gone ? 1 : 0;
      return gone.ok();
    }
    case CallKind::kSwap: {
      const absl::StatusOr<bool> done =
          calls.swap(call.key, stamp(call.expected), stamp(call.value));
      call.answer = done.ok() && *done ? 1 : 0;
      return done.ok();
    }
    case CallKind::kAdd:
      return calls
          .update(call.key,
                  [&](std::optional<Stamp> before) -> std::optional<Stamp> {
                    call.answer = (before.has_value() ? before->value : 0) + call.value;
                    return StampOf(call.answer);
                  })
          .ok();
    default:
      return false;
  }
}

bool EndedWell(ProcessCrew& crew, int index) {
  const std::optional<ChildEnd> end = crew.child(index).Wait();
  return end.has_value() && end->exited && end->code == 0;
}

class TypedProcessTest : public OrderedFixture {
 protected:
  using Open = std::function<absl::StatusOr<Calls>(const Store&, const std::string&)>;

  void RunHistories(std::uint32_t keys, const Open& open) {
    const std::uint64_t seed = Seed();
    std::mt19937_64 random(seed);
    Store store = MustOpen(TinyNodes(SmallOptions()));
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      const std::string name = "round " + std::to_string(round);
      const SharedMemory<Book> book;
      ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
        const absl::StatusOr<Store> own = Store::Open(path_, TinyNodes(SmallOptions()));
        const absl::StatusOr<Calls> calls = own.ok() ? open(*own, name) : own.status();
        parent.Send("ready");
        parent.Receive();
        return calls.ok() && Work(*calls, keys, seed + static_cast<unsigned>(round * 7 + index),
                                  book->logs[index])
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
      for (int i = 0; i < kProcesses; ++i) {
        EXPECT_TRUE(i == victim || EndedWell(crew, i)) << "process " << i;
        const auto& log = book->logs[i];
        calls.insert(calls.end(), log.calls, log.calls + log.count);
      }
      EXPECT_EQ(FindNonLinearizable(calls), "");
    }
    const absl::StatusOr<CheckReport> report = store.Check();
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->sound());
  }

 private:
  static bool Work(const Calls& calls, std::uint32_t keys, std::uint64_t seed,
                   HistoryLog<kCallsEach>& log) {
    std::mt19937_64 random(seed);
    std::int64_t last_seen = kNothing;
    while (log.count < kCallsEach) {
      Call& call = log.calls[log.count.load(std::memory_order_relaxed)];
      call = Call();
      call.key = static_cast<std::uint32_t>(random() % keys);
      const std::uint64_t dice = random() % 100;
      call.kind = dice < 35   ? CallKind::kGet
                  : dice < 60 ? CallKind::kPut
                  : dice < 70 ? CallKind::kDelete
                  : dice < 88 ? CallKind::kSwap
                              : CallKind::kAdd;
      call.value = static_cast<std::int64_t>(random() % 1'000'000'000);
      call.expected = random() % 8 == 0 ? kNothing : last_seen;
      call.begin_ns = HistoryNow();
      log.count.fetch_add(1, std::memory_order_release);  // From here on it may take effect.
      if (!Do(calls, call)) {
        return false;
      }
      call.end_ns = HistoryNow();
      last_seen = call.kind == CallKind::kGet ? call.answer : last_seen;
    }
    return true;
  }
};

TEST_F(TypedProcessTest, AHashMapIsLinearizableThoughAProcessIsKilled) {
  RunHistories(kKeys, [](const Store& store, const std::string& name) -> absl::StatusOr<Calls> {
    const auto map = store.OpenShared<SharedHashMap<std::uint32_t, Stamp>>(name);
    return map.ok() ? absl::StatusOr<Calls>(CallsOf(*map)) : map.status();
  });
}

TEST_F(TypedProcessTest, AnOrderedMapIsLinearizableThoughAProcessIsKilled) {
  RunHistories(kKeys, [](const Store& store, const std::string& name) -> absl::StatusOr<Calls> {
    const auto map = store.OpenShared<SharedBTreeMap<std::uint32_t, Stamp>>(name);
    return map.ok() ? absl::StatusOr<Calls>(CallsOf(*map)) : map.status();
  });
}

TEST_F(TypedProcessTest, ABoxIsLinearizableThoughAProcessIsKilled) {
  RunHistories(1, [](const Store& store, const std::string& name) -> absl::StatusOr<Calls> {
    const auto box = store.OpenShared<SharedBox<Stamp>>(name);
    return box.ok() ? absl::StatusOr<Calls>(CallsOf(*box)) : box.status();
  });
}

// --- A counter, and what is popped ---------------------------------------------------------------

struct Adds {
  std::atomic<std::int64_t> begun[kProcesses];
  std::atomic<std::int64_t> done[kProcesses];
  std::atomic<std::int64_t> taken[kProcesses];
};

TEST_F(TypedProcessTest, ACounterIsTheSumOfTheAddsThoughProcessesAreKilled) {
  const std::uint64_t seed = Seed();
  std::mt19937_64 random(seed);
  Store store = MustOpen(SmallOptions());
  const auto counter = store.OpenShared<SharedCounter>("counter");
  ASSERT_TRUE(counter.ok());
  std::int64_t before = 0;
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    const SharedMemory<Adds> adds;
    ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
      const absl::StatusOr<Store> own = Store::Open(path_, SmallOptions());
      const auto mine = own.ok() ? own->OpenShared<SharedCounter>("counter") : own.status();
      parent.Send("ready");
      parent.Receive();
      for (std::int64_t i = 0; mine.ok() && (index < 2 || i < 20'000); ++i) {
        ++adds->begun[index];
        if (!mine->Add(1).ok()) return 1;
        ++adds->done[index];
        if (index == 3 && i % 1000 == 0) {  // One of those that are not killed.
          const absl::StatusOr<std::int64_t> taken = mine->Reset();
          if (!taken.ok()) return 1;
          adds->taken[index] += *taken;
        }
      }
      return mine.ok() ? 0 : 1;
    });
    ASSERT_TRUE(crew.AllReady());
    crew.TellAll();
    for (int victim = 0; victim < 2; ++victim) {
      const std::int64_t at = 1 + static_cast<std::int64_t>(random() % 20'000);
      ASSERT_TRUE(WaitFor([&] { return adds->done[victim] >= at; }));
      ASSERT_TRUE(crew.child(victim).KillAndWait());
    }
    EXPECT_TRUE(EndedWell(crew, 2));
    EXPECT_TRUE(EndedWell(crew, 3));
    std::int64_t least = before;
    std::int64_t most = before;
    for (int i = 0; i < kProcesses; ++i) {
      least += adds->done[i];
      most += adds->begun[i];
    }
    const std::int64_t sum = *counter->Value() + adds->taken[3];
    EXPECT_GE(sum, least);
    EXPECT_LE(sum, most);
    before = *counter->Value();
  }
}

struct Pops {
  std::atomic<std::uint64_t> count[kProcesses];
  std::uint32_t popped[kProcesses][4000];
};

TEST_F(TypedProcessTest, EachElementIsPoppedByOneProcess) {
  constexpr std::uint32_t kElements = 800;
  Store store = MustOpen(TinyNodes(SmallOptions()));
  const auto queue = store.OpenShared<SharedBTreeSet<std::uint32_t>>("queue");
  ASSERT_TRUE(queue.ok());
  std::vector<std::uint32_t> elements(kElements);
  std::iota(elements.begin(), elements.end(), 0);
  ASSERT_TRUE(queue->Extend(elements).ok());
  const SharedMemory<Pops> pops;
  ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path_, TinyNodes(SmallOptions()));
    const auto mine =
        own.ok() ? own->OpenShared<SharedBTreeSet<std::uint32_t>>("queue") : own.status();
    parent.Send("ready");
    parent.Receive();
    while (mine.ok()) {
      const absl::StatusOr<std::uint32_t> popped =
          index % 2 == 0 ? mine->PopFirst() : mine->PopLast();
      if (!popped.ok()) return absl::IsNotFound(popped.status()) ? 0 : 1;
      pops->popped[index][pops->count[index]++] = *popped;
    }
    return 1;
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  std::multiset<std::uint32_t> all;
  for (int i = 0; i < kProcesses; ++i) {
    EXPECT_TRUE(EndedWell(crew, i));
    const std::uint64_t count = pops->count[i];
    for (std::uint64_t k = 0; k < count; ++k) {
      all.insert(pops->popped[i][k]);
      // Those that it got from one end come in order.
      EXPECT_TRUE(k == 0 || (i % 2 == 0 ? pops->popped[i][k - 1] < pops->popped[i][k]
                                        : pops->popped[i][k - 1] > pops->popped[i][k]));
    }
  }
  EXPECT_EQ(all.size(), kElements);
  EXPECT_EQ(std::set<std::uint32_t>(all.begin(), all.end()).size(), kElements);
  EXPECT_TRUE(*queue->IsEmpty());
}

}  // namespace
}  // namespace commy::test
