// Identity, clocks, random bytes, barriers and futexes.
#include <algorithm>
#include <array>
#include <thread>

#include <sys/prctl.h>
#include <unistd.h>

#include "base/shared_atomic.h"
#include "platform/platform_fixture.h"
#include "support/child_process.h"
#include "support/wait_for.h"

namespace commy::platform {
namespace {

using base::Shared32;
using test::ChildProcess;
using test::ChildSide;

class ProcessTest : public PlatformFixture {};

TEST_F(ProcessTest, TheBootIdIsTheKernelsAndTheSameInEachProcess) {
  const BootId id = os_.boot_id();
  EXPECT_NE(id, BootId{});
  ChildProcess child([&](ChildSide&) { return os_.boot_id() == id ? 0 : 1; });
  EXPECT_TRUE(child.Succeeded());
  // A version 4 UUID has its version in the high half of byte 6, so this shows the order of digits.
  EXPECT_EQ(id.at(6) >> 4U, 4U);
}

TEST_F(ProcessTest, NameAndPidAreThoseOfTheProcess) {
  EXPECT_EQ(os_.process_id(), static_cast<std::uint64_t>(::getpid()));
  ChildProcess child([&](ChildSide&) {
    ::prctl(PR_SET_NAME, "a name");
    return os_.process_name() == "a name" ? 0 : 1;
  });
  EXPECT_TRUE(child.Succeeded());
}

TEST_F(ProcessTest, ClocksRunForward) {
  const std::int64_t monotonic = os_.MonotonicNs();
  const std::int64_t wall = os_.WallNs();
  EXPECT_TRUE(test::WaitFor([&] { return os_.MonotonicNs() > monotonic; }));
  EXPECT_TRUE(test::WaitFor([&] { return os_.WallNs() > wall; }));
  EXPECT_GT(wall, 1'600'000'000'000'000'000);  // After 2020, so nanoseconds since 1970.
}

TEST_F(ProcessTest, RandomBytesFillTheWholeBufferAndDiffer) {
  std::array<std::uint8_t, 4096> a{};
  std::array<std::uint8_t, 4096> b{};
  os_.RandomBytes(a.data(), a.size());
  os_.RandomBytes(b.data(), b.size());
  EXPECT_NE(a, b);
  // 512 zero bytes in a row do not happen by chance.
  for (std::size_t at = 0; at < a.size(); at += 512) {
    EXPECT_TRUE(std::any_of(a.begin() + at, a.begin() + at + 512, [](auto x) { return x != 0; }));
  }
}

TEST_F(ProcessTest, AProcessIsSingleThreadedUntilItsFirstThread) {
#if defined(COMMY_UNDER_TSAN)
  GTEST_SKIP() << "NOT TESTED: ThreadSanitizer has a thread of its own";
#endif
  if (!os_.single_threaded()) {
    GTEST_SKIP() << "NOT TESTED: another test linked into this program has made threads";
  }
  ChildProcess child([&](ChildSide&) {
    if (!os_.single_threaded()) {
      return 1;
    }
    bool seen = true;
    std::thread([&] { seen = os_.single_threaded(); }).join();
    return seen ? 2 : 0;
  });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
}

TEST_F(ProcessTest, ARegisteredProcessCanIssueBarriers) {
  ChildProcess child([&](ChildSide&) {
    if (!os_.RegisterBarrier().ok() || !os_.RegisterBarrier().ok()) {
      return 1;
    }
    return os_.GlobalBarrier().ok() ? 0 : 2;
  });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
}

class FutexTest : public PlatformFixture {
 protected:
  static constexpr std::int64_t kLongNs = 3'600'000'000'000;

  ~FutexTest() override { os_.Unmap(mapping_, kPage); }

  const std::string path_ = MakeFile("region");
  std::byte* const mapping_ = os_.Map(MustOpen(path_).fd(), kPage, Access::kReadWrite).value();
  Shared32& word_ = *reinterpret_cast<Shared32*>(mapping_);
};

TEST_F(FutexTest, AWaiterIsWokenByAnotherProcessThatMapsTheFileElsewhere) {
  ChildProcess waiter([&](ChildSide& parent) {
    const auto file = os_.Open(path_, Access::kReadWrite);
    std::byte* const mapped = *os_.Map(file->fd(), kPage, Access::kReadWrite);
    auto& word = *reinterpret_cast<Shared32*>(mapped);
    parent.Send("waiting");
    while (word.load(std::memory_order_acquire) == 0) {
      os_.FutexWait(&word.raw, 0, kLongNs);
    }
    return 0;
  });
  ASSERT_EQ(waiter.Receive(), "waiting");
  word_.store(1, std::memory_order_release);
  // If it waits already this wakes it; if not, it sees the word. An hour is over our deadline.
  os_.FutexWakeAll(&word_.raw);
  EXPECT_TRUE(waiter.Succeeded());
}

TEST_F(FutexTest, AWaitForAnotherValueOrWithoutTimeReturnsAtOnce) {
  word_.store(5, std::memory_order_release);
  os_.FutexWait(&word_.raw, 4, kLongNs);
  os_.FutexWait(&word_.raw, 5, 0);
  os_.FutexWait(&word_.raw, 5, -1);
  os_.FutexWait(&word_.raw, 5, 1'000'000);
  EXPECT_EQ(word_.load(std::memory_order_acquire), 5U);
}

}  // namespace
}  // namespace commy::platform
