// A million keys expire within a minute of a clock that the test moves, while processes read and
// write. No read returns an expired key or misses a live one, and in the end none is left.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>

#include "absl/strings/str_format.h"

#include "platform/linux_platform.h"
#include "support/child_process.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

#if defined(__SANITIZE_ADDRESS__)
#define COMMY_TEST_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COMMY_TEST_SLOW 1
#endif
#endif
#if defined(COMMY_TEST_SLOW)
constexpr int kKeys = 100'000;
#else
constexpr int kKeys = 1'000'000;
#endif
constexpr int kSeconds = 60;
constexpr int kStepSeconds = 5;  // At a time.
constexpr int kPermanent = 1000;
constexpr std::int64_t kSecondNs = 1'000'000'000;

struct Shared {
  std::atomic<std::int64_t> now_ns{0};
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::int64_t> slowness{1};
};

// The clocks of expiry are those of the test; the others are real.
class TestClock : public platform::LinuxPlatform {
 public:
  explicit TestClock(Shared& shared) : shared_(shared) {}
  std::int64_t BootNs() override { return shared_.now_ns.load(); }
  std::int64_t WallNs() override { return shared_.now_ns.load(); }
  // A machine that is `slowness` times slower has done less when a piece of work is over.
  std::int64_t MonotonicNs() override {
    return (LinuxPlatform::MonotonicNs() - begin_ns_) * shared_.slowness.load();
  }

 private:
  Shared& shared_;
  const std::int64_t begin_ns_ = LinuxPlatform::MonotonicNs();
};

class ExpiryProcessTest : public StoreFixture, public testing::WithParamInterface<Order> {
 protected:
  ExpiryProcessTest() : clock_(*shared_) {
    shared_->now_ns = LinuxPlatform().WallNs();
    begin_ns_ = shared_->now_ns;
    quiet_reopen_ = Large(false);
  }
  using LinuxPlatform = platform::LinuxPlatform;

  static Options Large(bool background) {
    Options options;
    options.max_size = std::uint64_t{1} << 30;
    options.heartbeat_interval = absl::Milliseconds(20);
    options.testing.background = background;
    return options;
  }
  // Such that tombstones take blocks of a size that an ordered namespace has spans of anyway.
  static std::string KeyAt(int i) { return absl::StrFormat("key %012d", i); }
  static std::int64_t TtlNs(int i) { return (1 + i % kSeconds) * kSecondNs; }

  // Reads keys that expire; fails if one is there too long or not long enough.
  int Read(ChildSide& parent, std::uint64_t seed) {
    const absl::StatusOr<Store> store = OpenOn(clock_, path_, Large(true));
    if (!store.ok()) return 11;
    const Namespace ns = *store->OpenNamespace("n");
    parent.Send("ready");
    std::mt19937_64 random(seed);
    while (!shared_->over) {
      const int i = static_cast<int>(random() % kKeys);
      const std::int64_t expiry_ns = begin_ns_ + TtlNs(i);
      const std::int64_t before_ns = shared_->now_ns;
      const absl::StatusOr<std::string> got = ns.Get(KeyAt(i));
      const std::int64_t after_ns = shared_->now_ns;
      if (!got.ok() && !absl::IsNotFound(got.status())) return 12;
      if (got.ok() && (expiry_ns <= before_ns || *got != KeyAt(i))) return 13;
      if (!got.ok() && expiry_ns > after_ns) return 14;
      shared_->reads.fetch_add(1, std::memory_order_relaxed);
    }
    return 0;
  }
  // Writes keys that stay, and keys that expire.
  int Write(ChildSide& parent) {
    const absl::StatusOr<Store> store = OpenOn(clock_, path_, Large(true));
    if (!store.ok()) return 11;
    const Namespace ns = *store->OpenNamespace("n");
    parent.Send("ready");
    for (int i = 0; !shared_->over; ++i) {
      const std::string number = std::to_string(i % kPermanent);
      if (!ns.Put("stays " + number, number).ok()) return 12;
      if (!ns.Put("own " + number, number, {.ttl = absl::Milliseconds(1 + i % 900)}).ok())
        return 13;
      shared_->writes.fetch_add(2, std::memory_order_relaxed);
    }
    return 0;
  }

  SharedMemory<Shared> shared_;
  TestClock clock_;
  std::int64_t begin_ns_ = 0;
};

TEST_P(ExpiryProcessTest, AMillionKeysExpireInAMinute) {
  const std::uint64_t seed = Seed();
  Store store = *OpenOn(clock_, path_, Large(false));
  const Namespace ns = *store.OpenNamespace("n", {.order = GetParam()});
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(ns.Put(KeyAt(i), KeyAt(i), {.ttl = absl::Nanoseconds(TtlNs(i))}).ok());
  }
  const std::uint64_t full_bytes = store.Stats()->used_bytes;
  ChildProcess reader([&](ChildSide& parent) { return Read(parent, seed); });
  ChildProcess writer([&](ChildSide& parent) { return Write(parent); });
  ASSERT_EQ(reader.Receive(), "ready");
  ASSERT_EQ(writer.Receive(), "ready");
  const auto start = std::chrono::steady_clock::now();
  for (int second = kStepSeconds; second <= kSeconds; second += kStepSeconds) {
    shared_->now_ns += kStepSeconds * kSecondNs;
    // Expired keys are gone before the clock moves on; the writer's own keys come on top.
    const std::uint64_t left = static_cast<std::uint64_t>(kKeys / kSeconds + 1) *
                                   static_cast<std::uint64_t>(kSeconds - second) +
                               2 * kPermanent;
    ASSERT_TRUE(WaitFor([&] { return *ns.Size() <= left; }))
        << *ns.Size() << " keys after " << second << " s, not " << left;
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(WaitFor([&] { return shared_->reads.load() > 0 && shared_->writes.load() > 0; }));
  shared_->over = true;
  EXPECT_TRUE(reader.Succeeded());
  EXPECT_TRUE(writer.Succeeded());
  std::printf("%d keys expired in %.2f s, %llu reads and %llu writes beside it\n", kKeys,
              taken.count(), static_cast<unsigned long long>(shared_->reads.load()),
              static_cast<unsigned long long>(shared_->writes.load()));

  shared_->now_ns += kSecondNs;
  process::Session& session = EngineOf(store).session;
  for (int beat = 0; beat < 4; ++beat) {
    session.Beat();
  }
  EXPECT_EQ(*ns.Size(), static_cast<std::uint64_t>(kPermanent));
  // The rest is mostly segments, whose number does not shrink in a hash namespace.
  EXPECT_LT(store.Stats()->used_bytes, full_bytes / 3);
  EXPECT_TRUE(IsSound(store));
}

// A store that only processes use that end before their second heartbeat.
class ShortLivedProcessesTest : public ExpiryProcessTest {
 protected:
  static constexpr int kFew = 3000;

  static Options Small() {
    Options options;
    options.max_size = std::uint64_t{16} << 20;
    options.heartbeat_interval = absl::Hours(1);
    return options;
  }
  // Puts `count` keys that begin with `prefix`, or until one fails; returns how many it put.
  int PutInAShortProcess(const std::string& prefix, int count, std::optional<absl::Duration> ttl) {
    ChildProcess child([&](ChildSide& parent) {
      absl::StatusOr<Store> store = OpenOn(clock_, path_, Small());
      if (!store.ok()) return 11;
      int put = 0;
      {
        const Namespace ns = *store->OpenNamespace("n", {.order = GetParam()});
        absl::Status status;
        while (put < count && status.ok()) {
          status = ns.Put(prefix + KeyAt(put), std::string(100, 'v'), {.ttl = ttl});
          put += status.ok() ? 1 : 0;
        }
        if (!status.ok()) {
          std::printf("after %d keys of \"%s\": %s\n", put, prefix.c_str(),
                      status.ToString().c_str());
          std::fflush(stdout);
        }
      }
      parent.Send(std::to_string(put));
      return store->Close().ok() ? 0 : 12;
    });
    const std::optional<std::string> put = child.Receive();
    EXPECT_EQ(child.Wait(), (ChildEnd{.exited = true}));
    return put.has_value() ? std::stoi(*put) : -1;
  }
  void FillAndPut() {
    const int full = PutInAShortProcess("old", 10'000'000, absl::Seconds(5));
    ASSERT_GT(full, 2 * kFew);
    std::printf("full after %d keys\n", full);
    shared_->now_ns += 5 * kSecondNs;
    // Of the same size: a block of an old key has room for a new one.
    for (int process = 0; process < 8; ++process) {
      EXPECT_EQ(PutInAShortProcess(absl::StrCat("ne", process), kFew, absl::Hours(1)), kFew);
    }
  }
  std::uint64_t Size() {
    Options options = Small();
    options.read_only = true;
    return *OpenOn(clock_, path_, options)->OpenNamespace("n")->Size();
  }
};

TEST_P(ShortLivedProcessesTest, ExpiredKeysAreSweptThoughNoProcessLivesForTwoHeartbeats) {
  ASSERT_EQ(PutInAShortProcess("old", kFew, absl::Seconds(1)), kFew);
  shared_->now_ns += kSecondNs;
  EXPECT_EQ(Size(), kFew);
  std::uint64_t processes = 0;
  while (Size() > processes) {  // Each sweeps a short piece, and puts a key of its own.
    ASSERT_LT(++processes, 1000U);
    ASSERT_EQ(PutInAShortProcess(std::to_string(processes), 1, std::nullopt), 1);
  }
}

TEST_P(ShortLivedProcessesTest, AFullStoreOfExpiredKeysTakesPuts) {
  FillAndPut();
}

// Where a few keys are swept at a time, new keys come between old ones, and no span is ever empty.
TEST_P(ShortLivedProcessesTest, AFullStoreOfExpiredKeysTakesPutsOnASlowMachine) {
  shared_->slowness = 10'000;
  FillAndPut();
}

INSTANTIATE_TEST_SUITE_P(EachOrder, ExpiryProcessTest,
                         testing::Values(Order::kHash, Order::kOrdered), [](const auto& info) {
                           return info.param == Order::kHash ? "Hash" : "Ordered";
                         });

INSTANTIATE_TEST_SUITE_P(EachOrder, ShortLivedProcessesTest,
                         testing::Values(Order::kHash, Order::kOrdered), [](const auto& info) {
                           return info.param == Order::kHash ? "Hash" : "Ordered";
                         });

}  // namespace
}  // namespace commy::test
