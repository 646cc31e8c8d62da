// Four processes on one store: the promises of tests/race/ in short form, and processes that are
// killed and stopped at any moment while they work.
#include <cctype>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include <signal.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/process_crew.h"
#include "support/seed.h"
#include "support/stamp.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kProcesses = 4;
constexpr std::uint64_t kKeys = 30;
constexpr int kLeastRounds = 5;

struct Acknowledged {
  std::atomic<std::int64_t> adds{0};
  std::atomic<std::uint64_t> operations{0};
  std::atomic<int> failed{0};  // The line of the first failure.
  char said[400] = {};         // The status there, if there was one.
  std::atomic<bool> stop{false};
};

class SharedStoreTest : public StoreFixture {
 protected:
  // Mixed operations until `stop` is set; returns 0, or the line that failed.
  int Work(int index, ChildSide& parent) {
    const auto bad = [this](int line, const absl::Status& status = absl::OkStatus()) {
      if (acks_->failed.exchange(line) == 0) {
        std::snprintf(acks_->said, sizeof(acks_->said), "%s", status.ToString().c_str());
      }
      return 1;
    };
    absl::StatusOr<Store> store = Store::Open(path_, SmallOptions());
    if (!store.ok()) {
      std::fprintf(stderr, "open: %s\n", store.status().ToString().c_str());
      return bad(__LINE__);
    }
    absl::StatusOr<Namespace> ns = store->OpenNamespace("n");
    if (!ns.ok()) {
      std::fprintf(stderr, "open namespace: %s\n", ns.status().ToString().c_str());
      return bad(__LINE__);
    }
    parent.Send("ready");
    std::mt19937_64 random(seed_ + static_cast<std::uint64_t>(::getpid()));
    // Writers are identified by process: a replacement counts from 1 again.
    const auto writer = static_cast<std::uint64_t>(::getpid());
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> newest;
    for (std::uint64_t seq = 1; !acks_->stop; ++seq) {
      const std::uint64_t number = random() % kKeys;
      const std::string key = std::to_string(number);
      const std::uint64_t dice = random() % 100;
      if (dice < 35) {
        const std::size_t filling = dice == 0 ? random() % 30'000 : random() % 300;
        if (!ns->Put(key, MakeStamped(key, writer, seq, filling)).ok()) return bad(__LINE__);
      } else if (dice < 65) {
        bool torn = false;
        bool back = false;
        const absl::Status read = ns->ReadWith(key, [&](std::string_view value) {
          const auto stamp = ReadStamped(key, value);
          torn = !stamp.has_value();
          if (!torn) {
            std::uint64_t& last = newest[{number, stamp->writer}];
            back = stamp->seq < last;
            last = stamp->seq;
          }
        });
        if (torn || back) return bad(__LINE__);
        if (!read.ok() && !absl::IsNotFound(read) && !IsNamespaceDropped(read))
          return bad(__LINE__, read);
      } else if (dice < 75) {
        const absl::StatusOr<bool> deleted = ns->Delete(key);
        if (!deleted.ok()) return bad(__LINE__, deleted.status());
      } else if (dice < 90) {
        if (!ns->Add("counter", 1).ok()) return bad(__LINE__);
        acks_->adds += 1;
      } else if (dice < 94) {
        const std::string own = "of " + std::to_string(index) + "/" + std::to_string(seq % 500);
        if (!ns->Put(own, MakeStamped(own, writer, seq, 50)).ok()) return bad(__LINE__);
      } else if (dice < 96) {
        ScanRange scan = ns->Scan();
        std::set<std::string> seen;
        for (const Entry& entry : scan) {
          // Keys that are never deleted are seen exactly once.
          if (!seen.insert(entry.key()).second && !std::isdigit(entry.key()[0])) {
            return bad(__LINE__);
          }
          if (entry.key() != "counter" && !ReadStamped(entry.key(), entry.value())) {
            return bad(__LINE__);
          }
        }
        if (!scan.status().ok() || !seen.contains("counter")) return bad(__LINE__, scan.status());
      } else if (dice < 98) {
        const std::string path = "passing/" + std::to_string(random() % 3);
        const auto passing = store->OpenNamespace(path);
        if (!passing.ok()) return bad(__LINE__, passing.status());
        const absl::Status put = passing->Put(key, "x");
        if (!put.ok() && !absl::IsNotFound(put) && !IsNamespaceDropped(put))
          return bad(__LINE__, put);
        if (random() % 2 == 0) {
          const absl::Status dropped = store->DropNamespace(path);
          if (!dropped.ok() && !absl::IsNotFound(dropped)) return bad(__LINE__, dropped);
        } else {
          const absl::Status cleared = passing->Clear();
          if (!cleared.ok() && !absl::IsNotFound(cleared) && !IsNamespaceDropped(cleared))
            return bad(__LINE__, cleared);
        }
      } else {
        const absl::StatusOr<View> view = ns->GetView(key);
        if (view.ok()) {
          (void)ns->Put(key, MakeStamped(key, writer, seq, 10));
          if (!ReadStamped(key, view->value())) return bad(__LINE__);
        }
      }
      acks_->operations += 1;
    }
    return 0;
  }

  void SetUp() override { ASSERT_TRUE(ns_.Put("counter", "0").ok()); }

  void ExpectCounter(std::int64_t killed) {
    const std::int64_t counted = *ns_.Add("counter", 0);
    EXPECT_GE(counted, acks_->adds);
    EXPECT_LE(counted, acks_->adds + killed) << "more than one unacknowledged add for each kill";
    EXPECT_EQ(acks_->failed, 0) << "line of this file: " << acks_->said;
    EXPECT_GT(acks_->operations, 0U);
    std::uint64_t scanned = 0;
    for (ScanRange scan = ns_.Scan(); const Entry& entry : scan) {
      scanned += entry.key().empty() ? 0 : 1;
    }
    EXPECT_EQ(*ns_.Size(), scanned);
    EXPECT_TRUE(IsSound(store_));
    std::printf("%llu operations, %lld killed\n",
                static_cast<unsigned long long>(acks_->operations.load()),
                static_cast<long long>(killed));
  }
  // Waits for `more` operations, or for a failure.
  bool WaitForOperations(std::uint64_t more) {
    const std::uint64_t until = acks_->operations + more;
    return WaitFor([&] { return acks_->operations >= until || acks_->failed != 0; });
  }

  // True until `end`, and until `rounds` show something, however slow the machine.
  bool GoesOn(std::chrono::steady_clock::time_point end, int rounds) {
    return acks_->failed == 0 && (std::chrono::steady_clock::now() < end || rounds < kLeastRounds);
  }

  const std::uint64_t seed_ = Seed();
  SharedMemory<Acknowledged> acks_;
  // The test is a participant too, whose heartbeat recovers the dead.
  Store store_ = MustOpen(SmallOptions());
  Namespace ns_ = MustOpenNamespace(store_, "n");
};

TEST_F(SharedStoreTest, ManyProcessesOnOverlappingKeysKeepEveryPromise) {
  ProcessCrew crew(2 * kProcesses, [this](int i, ChildSide& parent) { return Work(i, parent); });
  ASSERT_TRUE(crew.AllReady());
  EXPECT_TRUE(WaitForOperations(60'000));
  acks_->stop = true;
  EXPECT_TRUE(crew.AllSucceeded());
  ExpectCounter(0);
}

TEST_F(SharedStoreTest, ProcessesKilledAtAnyMomentLeaveNothingBroken) {
  std::mt19937_64 random(seed_);
  ProcessCrew crew(kProcesses, [this](int i, ChildSide& parent) { return Work(i, parent); });
  ASSERT_TRUE(crew.AllReady());
  int killed = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (GoesOn(end, killed)) {
    ASSERT_TRUE(WaitForOperations(random() % 300));
    ASSERT_TRUE(crew.Replace(static_cast<int>(random() % kProcesses)));
    ++killed;
  }
  acks_->stop = true;
  EXPECT_TRUE(crew.AllSucceeded());
  ExpectCounter(killed);
}

TEST_F(SharedStoreTest, ProcessesStoppedAtAnyMomentBlockNoOthers) {
  std::mt19937_64 random(seed_);
  ProcessCrew crew(kProcesses, [this](int i, ChildSide& parent) { return Work(i, parent); });
  ASSERT_TRUE(crew.AllReady());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  int stops = 0;
  while (GoesOn(end, stops)) {
    const int first = static_cast<int>(random() % kProcesses);
    const int second = (first + 1) % kProcesses;
    ASSERT_TRUE(acks_->failed != 0 || crew.child(first).Stop());
    ASSERT_TRUE(acks_->failed != 0 || crew.child(second).Stop());
    if (acks_->failed != 0) {
      break;  // A process has ended.
    }
    ASSERT_TRUE(WaitForOperations(random() % 500 + 20)) << "a process waits for a stopped one";
    ASSERT_TRUE(ns_.Put("99", MakeStamped("99", 0, 1, 0)).ok());
    ASSERT_TRUE(ns_.Delete("99").ok());
    ASSERT_TRUE(crew.child(first).Continue());
    ASSERT_TRUE(crew.child(second).Continue());
    ++stops;
  }
  acks_->stop = true;
  EXPECT_TRUE(crew.AllSucceeded());
  EXPECT_GE(stops, kLeastRounds);
  ExpectCounter(0);
}

}  // namespace
}  // namespace commy::test
