// Churn: keys of very different sizes are put and deleted again and again, and the file follows
// what lives in it.
//
// COMMY_CHURN=n makes it n times as large; 20 is 200 k keys and 2 M operations.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/threads.h"

namespace commy::test {
namespace {

constexpr double kDiskPerLive = 1.5;
// Tables, room ahead of use, and for each size of blocks a span that is not full; of each thread.
constexpr double kFixedBytes = 16 << 20;
constexpr double kFixedBytesOfEight = 24 << 20;
constexpr double kDriftMost = 1.05;
constexpr std::uint32_t kSizeMost = 64U << 10U;

std::uint32_t Scale() {
  const char* const given = std::getenv("COMMY_CHURN");
  return given == nullptr ? 1U : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
}

// Sizes from 1 byte to 64 KiB, as many in each doubling.
std::uint32_t SizeOf(std::mt19937_64& random) {
  const double part = std::uniform_real_distribution<double>(0, 1)(random);
  return static_cast<std::uint32_t>(std::exp(part * std::log(double{kSizeMost})));
}

// What one thread does to the keys of a namespace.
class Churn {
 public:
  Churn(Namespace ns, std::size_t keys, std::uint64_t seed)
      : ns_(std::move(ns)), keys_(keys), random_(seed) {}

  void PutOrDelete() { random_() % 2 == 0 ? Put() : Delete(); }
  void Put() {
    const std::uint32_t size = SizeOf(random_);
    const absl::Status put = ns_.Put(AnyKey(), std::string_view(values_.data() + size % 64, size));
    ASSERT_TRUE(put.ok()) << put;
  }
  void Delete() {
    const absl::StatusOr<bool> deleted = ns_.Delete(AnyKey());
    ASSERT_TRUE(deleted.ok()) << deleted.status();
  }
  void Read() {
    const absl::StatusOr<std::string> value = ns_.Get(AnyKey());
    ASSERT_TRUE(value.ok() || absl::IsNotFound(value.status())) << value.status();
  }

 private:
  std::string AnyKey() { return absl::StrCat("key", random_() % keys_); }

  Namespace ns_;
  const std::size_t keys_;
  std::mt19937_64 random_;
  const std::string values_ = std::string(kSizeMost + 64, 'v');
};

class ChurnTest : public StoreFixture {
 protected:
  static double LiveBytes(const Namespace& ns) {
    double live = 0;
    for (auto scan = ns.Scan(); const Entry& each : scan) {
      live += static_cast<double>(each.key().size() + each.value().size());
    }
    return live;
  }
  static double DiskBytes(const Store& store) {
    return static_cast<double>(store.Stats()->disk_bytes);
  }
  static void ExpectDense(const Store& store, const Namespace& ns, double half, double fixed) {
    const double disk = DiskBytes(store);
    const double live = LiveBytes(ns);
    std::printf("live %.1f MB, disk %.1f MB (%.3f), at half time %.1f MB\n", live / 1e6, disk / 1e6,
                disk / live, half / 1e6);
    EXPECT_LE(disk, kDiskPerLive * live + fixed);
    EXPECT_LE(disk, kDriftMost * half + fixed);
  }

  const std::size_t keys_ = std::size_t{10'000} * Scale();
  const std::size_t operations_ = keys_ * 10;
};

TEST_F(ChurnTest, DiskUseStaysCloseToWhatLivesAndDoesNotDrift) {
  Store store = MustOpen(Options());
  const Namespace ns = MustOpenNamespace(store, "a");
  Churn churn(ns, keys_, Seed());
  double half = 0;
  for (std::size_t i = 0; i < operations_; ++i) {
    churn.PutOrDelete();
    half = i == operations_ / 2 ? DiskBytes(store) : half;
  }
  ExpectDense(store, ns, half, kFixedBytes);
}

// What a putter has allocated a deleter gives back, and the blocks of a thread that only reads by
// now lie idle. What lives goes up and down with the roles; a shrink lets the file follow.
TEST_F(ChurnTest, DiskUseFollowsWhatLivesWhereEightThreadsChangeRolesAndOneShrinks) {
  constexpr std::size_t kThreads = 8;
  constexpr std::size_t kParts = 16;
  Store store = MustOpen(Options());
  const Namespace ns = MustOpenNamespace(store, "a");
  const std::uint64_t seed = Seed();
  std::atomic<double> half = 0;
  RunThreads(kThreads, [&](std::size_t thread) {
    Churn churn(ns, keys_, seed + thread);
    for (std::size_t part = 0; part < kParts; ++part) {
      for (std::size_t i = 0; i < operations_ / kThreads / kParts; ++i) {
        switch ((thread + part) % 4) {
          case 0:
            churn.Put();
            break;
          case 1:
            churn.Delete();
            break;
          case 2:
            churn.PutOrDelete();
            break;
          default:
            churn.Read();
        }
      }
      if (thread == 0 && part % (kParts / 4) == 0) {
        const absl::StatusOr<ShrinkReport> shrunk = store.ShrinkToUsage();  // The others go on.
        ASSERT_TRUE(shrunk.ok()) << shrunk.status();
        half = part == kParts / 2 ? DiskBytes(store) : half.load();
      }
    }
  });
  ASSERT_TRUE(store.ShrinkToUsage().ok());
  ExpectDense(store, ns, half, kFixedBytesOfEight);
}

}  // namespace
}  // namespace commy::test
