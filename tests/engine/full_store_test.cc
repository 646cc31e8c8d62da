// A store without room: writes return ResourceExhausted and change nothing, keys can be read and
// deleted, and deleting makes room again. Both for a full disk and for max_size.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "engine/access.h"
#include "support/fault_platform.h"
#include "support/small_disk.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"
#include "versions/record.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class FullStoreTest : public StoreFixture {
 protected:
  // Puts values of `bytes` until there is no room for another. Returns the pairs that were put.
  static std::map<std::string, std::string> Fill(const Namespace& ns, const std::string& prefix,
                                                 std::size_t bytes, absl::Status* refused) {
    std::map<std::string, std::string> put;
    for (int i = 0; i < 1'000'000; ++i) {
      const std::string key = prefix + std::to_string(i);
      std::string value = key + std::string(bytes, static_cast<char>('a' + i % 26));
      *refused = ns.Put(key, value);
      if (!refused->ok()) {
        break;
      }
      put.emplace(key, std::move(value));
    }
    return put;
  }
  static void ExpectAll(const Namespace& ns, const std::map<std::string, std::string>& put) {
    ASSERT_EQ(*ns.Size(), put.size());
    for (const auto& [key, value] : put) {
      ASSERT_EQ(*ns.Get(key), value) << key;
    }
  }

  // The whole cycle, used for each kind of limit.
  static void FillReadDeleteAndFillAgain(const Store& store, std::size_t bytes) {
    SCOPED_TRACE(bytes);
    const Namespace ns = MustOpenNamespace(store, "full/" + std::to_string(bytes));
    absl::Status refused;
    const auto put = Fill(ns, "k", bytes, &refused);
    ASSERT_TRUE(Says(refused, Code::kResourceExhausted, store.path()));
    ASSERT_GT(put.size(), 2U);
    ExpectAll(ns, put);
    EXPECT_TRUE(IsSound(store));
    for (const auto& [key, value] : put) {
      const absl::StatusOr<bool> deleted = ns.Delete(key);
      ASSERT_TRUE(deleted.ok()) << deleted.status();
      ASSERT_TRUE(*deleted);
    }
    EXPECT_EQ(*ns.Size(), 0U);
    EXPECT_TRUE(IsSound(store));
    ASSERT_TRUE(WaitFor([&] { return ns.Put("again", std::string(bytes, 'y')).ok(); }));
    // Retired blocks become free as the epoch moves; then there is about as much room as before.
    std::map<std::string, std::string> more;
    EXPECT_TRUE(WaitFor(
        [&] {
          more.merge(Fill(ns, "m" + std::to_string(more.size()) + "-", bytes, &refused));
          return more.size() >= put.size() / 2;
        },
        std::chrono::seconds(5)))
        << more.size() << " of " << put.size();
    more.emplace("again", std::string(bytes, 'y'));
    ExpectAll(ns, more);
    EXPECT_TRUE(IsSound(store));
    // This may also fail until retired blocks become free.
    EXPECT_TRUE(WaitFor([&] { return ns.Clear().ok(); }));
    // NotFound: the heartbeat has finished a drop that had no room to end.
    EXPECT_TRUE(WaitFor([&] {
      const absl::Status dropped = store.DropNamespace(ns.path());
      return dropped.ok() || absl::IsNotFound(dropped);
    }));
  }
};

Options SizeLimited() {
  Options options = SmallOptions();
  options.max_size = std::uint64_t{2} << 20;
  return options;
}

TEST_F(FullStoreTest, AStoreAtItsMaxSizeStillReadsAndDeletesAndThenPutsAgain) {
  for (const std::size_t bytes : {std::size_t{10}, std::size_t{900}, std::size_t{50'000}}) {
    path_ = temp_.File("of" + std::to_string(bytes));
    FillReadDeleteAndFillAgain(MustOpen(SizeLimited()), bytes);
  }
}

TEST_F(FullStoreTest, AStoreOnAFullDiskStillReadsAndDeletesAndThenPutsAgain) {
  const SmallDisk disk(std::uint64_t{3} << 20);
  if (!disk.mounted()) {
    GTEST_SKIP() << "SKIPPED: " << disk.error();
  }
  expect_store_ = false;
  for (const std::size_t bytes : {std::size_t{10}, std::size_t{900}, std::size_t{50'000}}) {
    Store store = MustOpen(disk.File("store"), SmallOptions());
    FillReadDeleteAndFillAgain(store, bytes);
    ASSERT_TRUE(store.Close().ok());
    std::filesystem::remove(disk.File("store"));
  }
}

TEST_F(FullStoreTest, CreatingAStoreOnATooSmallDiskLeavesNoFile) {
  const SmallDisk disk(std::uint64_t{16} << 10);
  if (!disk.mounted()) {
    GTEST_SKIP() << "SKIPPED: " << disk.error();
  }
  expect_store_ = false;
  EXPECT_TRUE(Says(Store::Open(disk.File("store"), SmallOptions()).status(),
                   Code::kResourceExhausted, disk.File("store")));
  Options options = SmallOptions();
  options.create_if_missing = false;
  EXPECT_EQ(Store::Open(disk.File("store"), options).status().code(), Code::kNotFound);
}

TEST_F(FullStoreTest, AFullStoreRefusesNewNamespacesAndKeepsTheOthers) {
  Store store = MustOpen(SizeLimited());
  const Namespace ns = MustOpenNamespace(store, "n");
  absl::Status refused;
  (void)Fill(ns, "big", 20'000, &refused);
  (void)Fill(ns, "small", 0, &refused);
  int made = 0;
  absl::Status status;
  while (status.ok() && made < 10'000) {
    status = store.OpenNamespace("more/" + std::to_string(made)).status();
    made += status.ok() ? 1 : 0;
  }
  EXPECT_TRUE(Says(status, Code::kResourceExhausted, path_));
  EXPECT_EQ(store.ListNamespaces("more/")->size(), static_cast<std::size_t>(made));
  EXPECT_TRUE(IsSound(store));
  EXPECT_TRUE(store.DropNamespace("n").ok());
  EXPECT_TRUE(WaitFor([&] { return store.OpenNamespace("after").ok(); }));
}

// A record has 40 bits for it.
TEST_F(FullStoreTest, TheLastNumberOfANamespaceIsUsableAndThenThereAreNoMore) {
  Store store = MustOpen(QuietOptions());
  const Namespace first = *store.OpenNamespace("first");
  ASSERT_TRUE(first.Put("key", "first").ok());
  region::Shared64& last = EngineOf(store).region.header().next_namespace_id;
  last.store(versions::kNamespaceNumberMax - 1, std::memory_order_seq_cst);
  const absl::StatusOr<Namespace> ns = store.OpenNamespace("last");
  ASSERT_TRUE(ns.ok()) << ns.status();
  ASSERT_TRUE(ns->Put("key", "last", {.ttl = absl::Hours(1)}).ok());
  EXPECT_EQ(*ns->Get("key"), "last");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(
        Says(store.OpenNamespace("more").status(), Code::kResourceExhausted, "no more numbers"));
  }
  EXPECT_TRUE(absl::IsNotFound(store.OpenNamespace("more", {.create_if_missing = false}).status()));
  EXPECT_EQ(last.load(std::memory_order_relaxed), versions::kNamespaceNumberMax);
  EXPECT_EQ(*first.Get("key"), "first");
  EXPECT_TRUE(IsSound(store));
}

// Spans are kept free for deletes, and they lie in a row: a large value would fit there.
TEST_F(FullStoreTest, LargeValuesGoIntoTheHolesOfAStoreAtItsMaxSize) {
  for (const std::size_t bytes : {std::size_t{3000}, std::size_t{12'000}, std::size_t{50'000}}) {
    SCOPED_TRACE(bytes);
    path_ = temp_.File("of" + std::to_string(bytes));
    Options options = QuietOptions();
    options.max_size = std::uint64_t{2} << 20;
    const Store store = MustOpen(options);
    const Namespace ns = MustOpenNamespace(store, "n");
    absl::Status refused;
    const auto before = Fill(ns, "before", bytes, &refused);
    for (const auto& [key, value] : before) {
      ASSERT_TRUE(ns.Delete(key).ok());
    }
    ASSERT_TRUE(store.ShrinkToUsage().ok());
    const auto after = Fill(ns, "after", bytes, &refused);
    EXPECT_TRUE(Says(refused, Code::kResourceExhausted, "max_size"));
    EXPECT_GE(after.size() + 4, before.size());
    ExpectAll(ns, after);
    EXPECT_TRUE(IsSound(store));
  }
}

TEST_F(FullStoreTest, EndlessOverwritesInAHalfFullStoreNeverFillIt) {
  Store store = MustOpen(SizeLimited());
  const Namespace ns = MustOpenNamespace(store, "n");
  // Half full; then every key is overwritten a hundred times.
  const std::string value(900, 'v');
  for (int i = 0; i < 100'000; ++i) {
    const absl::Status put = ns.Put(std::to_string(i % 1000), value);
    if (!put.ok()) {
      ASSERT_TRUE(WaitFor([&] { return ns.Put(std::to_string(i % 1000), value).ok(); })) << put;
    }
  }
  EXPECT_EQ(*ns.Size(), 1000U);
}

TEST_F(FullStoreTest, EveryAllocationThatFailsLeavesTheStoreSound) {
  // Whichever allocation of an operation fails, the operation gives back what it had taken.
  FaultPlatform platform;
  for (std::uint64_t budget = 0; budget < 40; ++budget) {
    SCOPED_TRACE(budget);
    const std::string path = temp_.File("budget" + std::to_string(budget));
    Options options = QuietOptions();
    options.testing.chunk_bytes = options.testing.span_bytes;
    platform.Clear();
    absl::StatusOr<Store> store = OpenOn(platform, path, options);
    ASSERT_TRUE(store.ok()) << store.status();
    platform.Set([&](auto& faults) { faults.allocate_bytes_left = budget * 12'288; });
    int ok = 0;
    for (int i = 0; i < 300; ++i) {
      absl::StatusOr<Namespace> ns = store->OpenNamespace("n" + std::to_string(i % 3));
      if (ns.ok()) {
        const std::string value(static_cast<std::size_t>(i) * 7, 'x');
        ok += ns->Put("k" + std::to_string(i), value).ok() ? 1 : 0;
        if (i % 100 == 99) {
          (void)ns->Clear();
        }
      }
    }
    EXPECT_TRUE(IsSound(*store));
    platform.Clear();
    EXPECT_TRUE(store->OpenNamespace("n0")->Put("k", "v").ok());
    EXPECT_TRUE(IsSound(*store));
    EXPECT_TRUE(budget < 39 || ok > 0);
  }
  expect_store_ = false;
}

// Calls `hook` at the next attempt to lock.
class HookedPlatform : public FaultPlatform {
 public:
  void AtNextLock(std::function<void()> hook) {
    hook_ = std::move(hook);
    armed_ = true;
  }
  absl::StatusOr<bool> TryLock(int fd, std::uint64_t byte_offset, bool exclusive) override {
    if (armed_.exchange(false)) {
      hook_();
    }
    return FaultPlatform::TryLock(fd, byte_offset, exclusive);
  }

 private:
  std::function<void()> hook_;
  std::atomic<bool> armed_{false};
};

// A writer that finds the store full probes for dead participants, outside of any operation.
TEST_F(FullStoreTest, CloseWaitsForAWriterThatIsLookingForRoom) {
  HookedPlatform platform;
  Options options = QuietOptions();
  options.max_size = std::uint64_t{2} << 20;
  Store other = MustOpen(options);
  Store store = *OpenOn(platform, path_, options);
  const Namespace ns = MustOpenNamespace(store, "n");
  const std::string value(20'000, 'v');
  for (int i = 0; ns.Put(std::to_string(i), value).ok();) {
    ASSERT_LT(++i, 1000);
  }
  std::atomic<bool> closed{false};
  std::thread closer;
  platform.AtNextLock([&] {
    closer = std::thread([&] {
      EXPECT_TRUE(store.Close().ok());
      closed = true;
    });
    EXPECT_FALSE(WaitFor([&] { return closed.load(); }, std::chrono::milliseconds(100)));
  });
  const absl::Status full = ns.Put("new", value);
  ASSERT_TRUE(closer.joinable()) << "the put did not probe for dead participants";
  closer.join();
  EXPECT_TRUE(absl::IsResourceExhausted(full) || absl::IsFailedPrecondition(full)) << full;
  EXPECT_TRUE(IsSound(other));
}

}  // namespace
}  // namespace commy::test
