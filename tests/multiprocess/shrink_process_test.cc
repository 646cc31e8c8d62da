// Processes read and write a store while others shrink it again and again, and are killed in the
// middle of that: every value is what its writer put last, and the disk use follows.
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "support/process_crew.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kReaders = 2;
constexpr int kWriters = 1;
constexpr int kShrinkers = 2;
constexpr int kKeys = 20'000;
constexpr int kKills = 20;

Options UsualSpans() {
  Options options;
  options.max_size = std::uint64_t{1} << 30;
  options.heartbeat_interval = absl::Milliseconds(20);
  return options;
}

std::string KeyOf(int i) {
  return absl::StrCat("key ", i);
}
// Says its key, so that one at a wrong place is noticed, and its number twice.
std::string ValueOf(int i, std::uint64_t number) {
  const std::string once = absl::StrCat(i, " ", number, ";");
  return absl::StrCat(once, std::string(number % 150, '.'), once);
}
bool IsValueOf(int i, std::string_view value, std::uint64_t least) {
  const std::string prefix = absl::StrCat(i, " ");
  const std::size_t end = value.find(';');
  std::uint64_t number = 0;
  return end != std::string_view::npos && value.substr(0, prefix.size()) == prefix &&
         absl::SimpleAtoi(absl::string_view(value.data() + prefix.size(), end - prefix.size()),
                          &number) &&
         number >= least && value == ValueOf(i, number);
}

struct Shared {
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> shrinks{0};
  std::atomic<std::uint64_t> acknowledged[kKeys];  // The number of the last write; 0: deleted.
};

class ShrinkProcessTest : public StoreFixture, public testing::WithParamInterface<Order> {
 protected:
  ShrinkProcessTest() { quiet_reopen_ = UsualSpans(); }

  int Read(ChildSide& parent, std::uint64_t seed) {
    const absl::StatusOr<Store> store = Store::Open(path_, UsualSpans());
    if (!store.ok()) return 11;
    const Namespace ns = *store->OpenNamespace("n");
    parent.Send("ready");
    std::mt19937_64 random(seed);
    while (!shared_->over) {
      // Every fifth key stays for good.
      const int i = static_cast<int>(random() % (kKeys / 5)) * 5;
      const std::uint64_t least = shared_->acknowledged[i];
      const absl::StatusOr<std::string> got = ns.Get(KeyOf(i));
      if (!got.ok() || !IsValueOf(i, *got, least)) return 12;
      shared_->reads.fetch_add(1, std::memory_order_relaxed);
    }
    return 0;
  }
  int Write(ChildSide& parent, std::uint64_t seed) {
    const absl::StatusOr<Store> store = Store::Open(path_, UsualSpans());
    if (!store.ok()) return 21;
    const Namespace ns = *store->OpenNamespace("n");
    parent.Send("ready");
    std::mt19937_64 random(seed);
    for (std::uint64_t number = 2; !shared_->over; ++number) {
      const int i = static_cast<int>(random() % kKeys);
      if (i % 5 != 0 && random() % 4 != 0) {
        shared_->acknowledged[i] = 0;
        const absl::StatusOr<bool> deleted = ns.Delete(KeyOf(i));
        if (!deleted.ok()) return 22;
      } else {
        if (!ns.Put(KeyOf(i), ValueOf(i, number)).ok()) return 23;
        shared_->acknowledged[i] = number;
      }
      shared_->writes.fetch_add(1, std::memory_order_relaxed);
    }
    return 0;
  }
  int Shrink(ChildSide& parent) {
    const absl::StatusOr<Store> store = Store::Open(path_, UsualSpans());
    if (!store.ok()) return 31;
    parent.Send("ready");
    while (!shared_->over) {
      if (!store->ShrinkToUsage({.fill = 0.95}).ok()) return 32;
      shared_->shrinks.fetch_add(1, std::memory_order_relaxed);
    }
    return 0;
  }

  SharedMemory<Shared> shared_;
};

INSTANTIATE_TEST_SUITE_P(Orders, ShrinkProcessTest, testing::Values(Order::kHash, Order::kOrdered),
                         [](const auto& info) {
                           return info.param == Order::kHash ? "Hash" : "Ordered";
                         });

TEST_P(ShrinkProcessTest, ReadersAndAWriterSeeWhatWasWrittenWhileShrinkersAreKilled) {
  const std::uint64_t seed = Seed();
  {
    const Store store = MustOpen(UsualSpans());
    const Namespace ns = *store.OpenNamespace("n", {.order = GetParam()});
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(ns.Put(KeyOf(i), ValueOf(i, 1)).ok());
      shared_->acknowledged[i] = 1;
    }
  }
  ProcessCrew crew(kReaders + kWriters + kShrinkers, [&](int index, ChildSide& parent) {
    const auto mixed = seed + static_cast<std::uint64_t>(index);
    return index < kReaders              ? Read(parent, mixed)
           : index < kReaders + kWriters ? Write(parent, mixed)
                                         : Shrink(parent);
  });
  ASSERT_TRUE(crew.AllReady());
  std::mt19937_64 random(seed);
  for (int kill = 0; kill < kKills; ++kill) {
    const std::uint64_t until = shared_->writes + 200 + random() % 2000;
    ASSERT_TRUE(WaitFor([&] { return shared_->writes >= until; }));
    const int shrinker = kReaders + kWriters + static_cast<int>(random() % kShrinkers);
    ASSERT_TRUE(crew.Replace(shrinker));
  }
  ASSERT_TRUE(WaitFor([&] { return shared_->shrinks > 4; }));
  shared_->over = true;
  EXPECT_TRUE(crew.AllSucceeded());
  const Store store = MustOpen(UsualSpans());
  const Namespace ns = *store.OpenNamespace("n");
  for (int i = 0; i < kKeys; ++i) {
    const std::uint64_t number = shared_->acknowledged[i];
    const absl::StatusOr<std::string> got = ns.Get(KeyOf(i));
    ASSERT_EQ(got.ok(), number != 0) << i;
    if (got.ok()) {
      ASSERT_EQ(*got, ValueOf(i, number));
    }
  }
  EXPECT_TRUE(IsSound(store));
  EXPECT_GT(shared_->reads, 0U);
}

}  // namespace
}  // namespace commy::test
