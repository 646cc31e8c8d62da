// The claim on which recovery rests: once the lock of a killed process is free, none of its stores
// appears later. The victim holds its lock by mapping alone and has five threads that store as
// fast as they can.
//
// COMMY_KILLS sets the number of kills.
#include <array>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/shared_atomic.h"
#include "platform/platform_fixture.h"
#include "support/child_process.h"
#include "support/wait_for.h"

namespace commy::platform {
namespace {

using base::Shared64;

constexpr std::size_t kThreads = 5;
constexpr std::uint64_t kLockByte = 1ULL << 62U;
using Counters = std::array<std::uint64_t, kThreads>;

int Kills() {
  const char* const given = std::getenv("COMMY_KILLS");
  return given != nullptr ? std::atoi(given) : 60;
}

class LateStoreTest : public PlatformFixture {
 protected:
  ~LateStoreTest() override { os_.Unmap(mapping_, kFileBytes); }

  static Shared64& Counter(std::byte* mapping, std::size_t thread) {
    return *reinterpret_cast<Shared64*>(mapping + thread * 64);
  }

  Counters Read() {
    Counters counters{};
    for (std::size_t i = 0; i < kThreads; ++i) {
      counters.at(i) = Counter(mapping_, i).load(std::memory_order_relaxed);
    }
    return counters;
  }

  // The victim's work; ends only when the victim is killed.
  int StoreForEver() {
    std::byte* mapping = nullptr;
    {
      const auto file = os_.Open(path_, Access::kReadWrite);
      if (!file.ok() || !os_.TryLock(file->fd(), kLockByte, true).value_or(false)) {
        return 1;
      }
      mapping = os_.Map(file->fd(), kFileBytes, Access::kReadWrite).value_or(nullptr);
    }
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([mapping, i] {
        for (;;) {
          Counter(mapping, i).fetch_add(1, std::memory_order_relaxed);
        }
      });
    }
    threads.front().join();
    return 0;
  }

  const std::string path_ = MakeFile("region");
  std::byte* const mapping_ = os_.Map(MustOpen(path_).fd(), kFileBytes, Access::kReadWrite).value();
};

TEST_F(LateStoreTest, NoStoreOfAKilledProcessAppearsAfterItsLockIsFree) {
  const int kills = Kills();
  int late = 0;
  std::int64_t slowest_ns = 0;
  std::int64_t total_ns = 0;
  for (int kill = 0; kill < kills; ++kill) {
    const Counters before = Read();
    test::ChildProcess victim([this](test::ChildSide&) { return StoreForEver(); });
    // Each of the five is storing.
    ASSERT_TRUE(test::WaitFor([&] {
      const Counters now = Read();
      for (std::size_t i = 0; i < kThreads; ++i) {
        if (now.at(i) == before.at(i)) {
          return false;
        }
      }
      return true;
    }));
    const Descriptor probe = MustOpen(path_);
    ASSERT_TRUE(*os_.IsLocked(probe.fd(), kLockByte));
    const std::int64_t start_ns = os_.MonotonicNs();
    victim.Kill();
    // Without a pause, in which a late store could pass unseen.
    while (*os_.IsLocked(probe.fd(), kLockByte)) {
      ASSERT_LT(os_.MonotonicNs() - start_ns, std::chrono::nanoseconds(test::kDeadline).count());
    }
    const Counters at_release = Read();
    const std::int64_t took_ns = os_.MonotonicNs() - start_ns;
    total_ns += took_ns;
    slowest_ns = std::max(slowest_ns, took_ns);
    for (int look = 0; look < 10'000; ++look) {
      if (Read() != at_release) {
        ++late;
        break;
      }
    }
    ASSERT_TRUE(victim.Wait().has_value());
    EXPECT_EQ(Read(), at_release) << "a store came between the lock's release and the reaping";
  }
  EXPECT_EQ(late, 0);
  std::printf("%d kills, %d late; lock free after %.2f ms on average, %.2f ms at most\n", kills,
              late, static_cast<double>(total_ns) / kills / 1e6,
              static_cast<double>(slowest_ns) / 1e6);
}

}  // namespace
}  // namespace commy::platform
