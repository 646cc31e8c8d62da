// Threads on a few keys, all methods mixed: every history is linearizable.
#include <array>

#include <gtest/gtest.h>

#include "support/history_worker.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 150;
constexpr std::size_t kCallsEach = 1500;

class HistoryRaceTest : public StoreFixture {
 protected:
  void Run(HistoryWorker::Mix mix) {
    const std::uint64_t seed = Seed();
    const Store store = MustOpen(SmallOptions());
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      const Namespace ns = MustOpenNamespace(store, std::to_string(round));
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
      EXPECT_TRUE(store.DropNamespace(std::to_string(round)).ok());
    }
  }
};

TEST_F(HistoryRaceTest, OneKeyIsLinearizable) {
  Run({.keys = 1});
}
TEST_F(HistoryRaceTest, SomeKeysAreLinearizableWhileTheirSegmentsSplit) {
  Run({.keys = 12});
}
TEST_F(HistoryRaceTest, WithClearsInBetween) {
  Run({.keys = 4, .clears = true});
}

}  // namespace
}  // namespace commy::test
