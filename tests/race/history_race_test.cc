// Threads on a few keys of a namespace of either order, all methods mixed: every history is
// linearizable.
#include <array>

#include <gtest/gtest.h>

#include "support/history_worker.h"
#include "support/seed.h"
#include "support/threads.h"
#include "support/transaction_fixture.h"

namespace commy::test {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 75;
constexpr std::size_t kCallsEach = 1500;

class HistoryRaceTest : public OrderedFixture, public testing::WithParamInterface<Order> {
 protected:
  void Run(HistoryWorker::Mix mix) {
    const std::uint64_t seed = Seed();
    const Store store = MustOpen(TinyNodes(SmallOptions()));
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      const std::string name = std::to_string(round);
      const Namespace ns = GetParam() == Order::kHash ? MustOpenNamespace(store, name)
                                                      : MustOpenOrdered(store, name);
      std::array<HistoryLog<kCallsEach>, kThreads> logs;
      RunThreads(kThreads, [&](int thread) {
        const auto own = static_cast<std::size_t>(thread);
        HistoryWorker worker(ns, seed + static_cast<std::uint64_t>(round) * 100 + own, mix);
        for (std::size_t i = 0; i < kCallsEach; ++i) {
          const absl::Status done = worker.Step(logs.at(own));
          ASSERT_TRUE(done.ok()) << done;
        }
      });
      std::vector<Call> calls;
      for (const auto& log : logs) {
        calls.insert(calls.end(), log.calls, log.calls + kCallsEach);
      }
      EXPECT_EQ(FindNonLinearizable(calls), "");
      EXPECT_TRUE(store.DropNamespace(name).ok());
    }
  }
};

TEST_P(HistoryRaceTest, OneKeyIsLinearizable) {
  Run({.keys = 1});
}
TEST_P(HistoryRaceTest, OneKeyIsLinearizableAmongNeighboursThatAreAddedAndDeleted) {
  Run({.keys = 1, .fillers = 30});
}
TEST_P(HistoryRaceTest, SomeKeysAreLinearizableWhileTheirSegmentsAndLeavesSplit) {
  Run({.keys = 12, .fillers = 4});
}
TEST_P(HistoryRaceTest, SomeKeysAreLinearizableWithClearsInBetween) {
  Run({.keys = 4, .clears = true, .fillers = 8});
}

INSTANTIATE_TEST_SUITE_P(Orders, HistoryRaceTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& order) { return NameOf(order.param); });

}  // namespace
}  // namespace commy::test
