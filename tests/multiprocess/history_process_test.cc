// Processes on a few keys of a namespace of either order; some are killed in the middle of a call.
// Every history is linearizable, where a call that was cut short may have happened or not.
#include <random>

#include <gtest/gtest.h>

#include "support/history_worker.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/transaction_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kProcesses = 4;
constexpr int kRounds = 40;
constexpr std::size_t kCallsEach = 1000;

struct Book {
  HistoryLog<kCallsEach> logs[kProcesses];
  std::atomic<int> failed{0};
};

class HistoryProcessTest : public OrderedFixture, public testing::WithParamInterface<Order> {
 protected:
  void Run(HistoryWorker::Mix mix, bool kill) {
    const std::uint64_t seed = Seed();
    std::mt19937_64 random(seed);
    Store store = MustOpen(TinyNodes(SmallOptions()));
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      const std::string name = std::to_string(round);
      ASSERT_TRUE(store.OpenNamespace(name, {.order = GetParam()}).ok());
      const SharedMemory<Book> book;
      ProcessCrew crew(kProcesses, [&](int index, ChildSide& parent) {
        absl::StatusOr<Store> own = Store::Open(path_, TinyNodes(SmallOptions()));
        if (!own.ok()) return 1;
        HistoryWorker worker(*own->OpenNamespace(name),
                             seed + random() + static_cast<unsigned>(index), mix);
        parent.Send("ready");
        parent.Receive();
        auto& log = book->logs[index];
        while (log.count < kCallsEach) {
          if (!worker.Step(log).ok()) {
            book->failed = 1;
            return 1;
          }
        }
        return 0;
      });
      ASSERT_TRUE(crew.AllReady());
      crew.TellAll();
      if (kill) {
        const int victim = static_cast<int>(random() % kProcesses);
        const std::uint64_t at = random() % (kCallsEach - 20);
        ASSERT_TRUE(WaitFor([&] { return book->logs[victim].count >= at; }));
        ASSERT_TRUE(crew.child(victim).KillAndWait());
      }
      std::vector<Call> calls;
      for (int i = 0; i < kProcesses; ++i) {
        ASSERT_TRUE(crew.child(i).Wait().has_value());
        const auto& log = book->logs[i];
        calls.insert(calls.end(), log.calls, log.calls + log.count);
      }
      EXPECT_EQ(book->failed, 0);
      EXPECT_EQ(FindNonLinearizable(calls), "");
      EXPECT_TRUE(store.DropNamespace(name).ok());
    }
  }
};

TEST_P(HistoryProcessTest, SomeKeysAreLinearizable) {
  Run({.keys = 4, .fillers = 8}, false);
}
TEST_P(HistoryProcessTest, SomeKeysAreLinearizableThoughAProcessIsKilled) {
  Run({.keys = 2, .fillers = 12}, true);
}
TEST_P(HistoryProcessTest, SomeKeysAreLinearizableWithClearsAndKills) {
  Run({.keys = 3, .clears = true, .fillers = 8}, true);
}

INSTANTIATE_TEST_SUITE_P(Orders, HistoryProcessTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& order) { return NameOf(order.param); });

}  // namespace
}  // namespace commy::test
