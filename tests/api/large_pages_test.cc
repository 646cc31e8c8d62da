// Large pages: which part of a store lies in them, the space that costs, and stores without them.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "support/fault_platform.h"
#include "support/small_disk.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

// Whether files beside `path` can lie in large pages; tries it with a file of its own.
bool HasLargePages(platform::Platform& os, const std::string& path) {
  constexpr std::uint64_t kBytes = 4 * platform::kLargePageBytes;
  const platform::Descriptor file = *os.CreateUnlinked(path);
  EXPECT_TRUE(os.Allocate(file.fd(), 0, kBytes).ok());
  std::byte* const mapped = *os.Map(file.fd(), kBytes, platform::Access::kReadWrite);
  os.AdviseLargePages(mapped, kBytes);
  EXPECT_TRUE(os.Populate(mapped, kBytes).ok());
  const bool has = os.DescribeMapped(mapped, kBytes)->large_page_bytes == kBytes;
  os.Unmap(mapped, kBytes);
  return has;
}

class LargePagesTest : public StoreFixture {
 protected:
  static void Fill(const Store& store, std::uint64_t keys) {
    const Namespace ns = MustOpenNamespace(store, "n");
    for (std::uint64_t i = 0; i < keys; ++i) {
      ASSERT_TRUE(ns.Put(std::to_string(i), Value(i)).ok());
    }
  }
  static void ExpectAll(const Store& store, std::uint64_t keys) {
    const Namespace ns = MustOpenNamespace(store, "n");
    for (std::uint64_t i = 0; i < keys; ++i) {
      ASSERT_EQ(*ns.Get(std::to_string(i)), Value(i));
    }
    EXPECT_TRUE(IsSound(store));
  }
  static std::string Value(std::uint64_t i) { return std::to_string(i) + std::string(200, 'v'); }

  platform::Platform& os_ = platform::Platform::Real();
};

TEST_F(LargePagesTest, AllDataLiesInLargePagesWhereTheFileSystemHasThem) {
  if (!HasLargePages(os_, temp_.File("probe"))) {
    expect_store_ = false;
    GTEST_SKIP() << "NOT TESTED: this file system has no large pages";
  }
  constexpr std::uint64_t kKeys = 100'000;
  const Store store = MustOpen(Options());
  Fill(store, kKeys);
  const MemoryInfo memory = *store.Memory();
  EXPECT_GE(memory.large_page_bytes, 24 * kMebi);
  EXPECT_LE(memory.resident_bytes - memory.large_page_bytes, kMebi) << "the front of the file";
  const Store other = MustOpen(Options());
  EXPECT_GE(other.Memory()->large_page_bytes, 24 * kMebi) << "in another mapping of the same file";
  ExpectAll(other, kKeys);
}

TEST_F(LargePagesTest, AStoreWorksOnAFileSystemWithoutLargePages) {
  const SmallDisk disk(64 * kMebi);
  if (!disk.mounted()) {
    expect_store_ = false;
    GTEST_SKIP() << "NOT TESTED: " << disk.error();
  }
  path_ = disk.File("store");
  if (HasLargePages(os_, disk.File("probe"))) {
    expect_store_ = false;
    GTEST_SKIP() << "NOT TESTED: this tmpfs has large pages";
  }
  constexpr std::uint64_t kKeys = 50'000;
  {
    const Store store = MustOpen(Options());
    Fill(store, kKeys);
    EXPECT_EQ(store.Memory()->large_page_bytes, 0U);
    EXPECT_GE(store.Memory()->resident_bytes, 10 * kMebi);
    ExpectAll(store, kKeys);
  }
  ExpectAll(MustOpen(Options()), kKeys);
  expect_store_ = false;  // The disk goes before the check.
}

TEST_F(LargePagesTest, AStoreWorksOnAKernelWithoutLargePages) {
  constexpr std::uint64_t kKeys = 20'000;
  FaultPlatform platform;
  platform.Set([](auto& faults) { faults.no_large_pages = true; });
  const absl::StatusOr<Store> store = OpenOn(platform, path_, Options());
  ASSERT_TRUE(store.ok()) << store.status();
  Fill(*store, kKeys);
  ExpectAll(*store, kKeys);
}

TEST_F(LargePagesTest, AnEmptyStoreTakesAtMostFourMebibytesOnDisk) {
  Options options;
  options.heartbeat_interval = absl::Milliseconds(5);
  const Store store = MustOpen(options);
  Fill(store, 1);
  EXPECT_TRUE(WaitFor([&] { return store.Stats()->disk_bytes >= 2 * kMebi; }));
  const std::uint64_t epoch = store.Stats()->epoch;
  EXPECT_TRUE(WaitFor([&] { return store.Stats()->epoch >= epoch + 4; })) << "it moves each beat";
  EXPECT_LE(store.Stats()->disk_bytes, 4 * kMebi);
}

TEST_F(LargePagesTest, AStoreTakesAtMostItsContentAndAQuarterAndEightMebibytes) {
  Options options;
  options.heartbeat_interval = absl::Milliseconds(5);
  const Store store = MustOpen(options);
  for (const std::uint64_t keys : {1'000, 30'000, 300'000}) {
    Fill(store, keys);
    const std::uint64_t epoch = store.Stats()->epoch;
    EXPECT_TRUE(WaitFor([&] { return store.Stats()->epoch >= epoch + 4; })) << "it moves each beat";
    const StoreStats stats = *store.Stats();
    const std::uint64_t content = stats.used_bytes + stats.retired_bytes;
    EXPECT_LE(stats.disk_bytes, content + content / 4 + 8 * kMebi) << keys << " keys";
  }
}

}  // namespace
}  // namespace commy::test
