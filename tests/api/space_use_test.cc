// StoreStats::space: its parts are all of the file, also while others write.
#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "alloc/allocator.h"
#include "engine/open_store.h"
#include "process/session.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

class SpaceUseTest : public StoreFixture {
 protected:
  [[nodiscard]] std::uint64_t Length() const { return std::filesystem::file_size(path_); }

  // The figures of a store that nobody changes meanwhile, which must add up.
  StoreStats MustAddUp(Store& store) {
    const StoreStats stats = *store.Stats();
    const SpaceUse& space = stats.space;
    EXPECT_EQ(space.sum(), Length());
    EXPECT_EQ(stats.file_bytes, Length());
    EXPECT_EQ(stats.used_bytes, space.live_bytes);
    EXPECT_EQ(stats.retired_bytes, space.reusable_bytes + space.waiting_bytes);
    EXPECT_EQ(stats.free_bytes, space.fragmented_bytes + space.free_bytes + space.reserve_bytes);
    const region::Geometry& geometry = EngineOf(store).region.geometry();
    EXPECT_EQ(space.header_bytes + space.table_bytes, geometry.data_offset);
    std::uint64_t live = space.large_bytes;
    std::uint64_t free = 0;
    std::uint64_t in_spans = 0;
    std::uint64_t last = 0;
    for (const ClassSpace& sizes : space.classes) {
      EXPECT_GT(sizes.block_bytes, last);
      last = sizes.block_bytes;
      EXPECT_LE(sizes.used + sizes.retired, sizes.blocks);
      EXPECT_EQ(sizes.free_bytes, (sizes.blocks - sizes.used - sizes.retired) * sizes.block_bytes);
      live += sizes.used * sizes.block_bytes;
      free += sizes.free_bytes;
      in_spans += sizes.spans * geometry.span_bytes - sizes.blocks * sizes.block_bytes;
    }
    EXPECT_EQ(live, space.live_bytes);
    EXPECT_EQ(free, space.fragmented_bytes);
    EXPECT_EQ(in_spans, space.overhead_bytes);
    // By another walk, with counts of its own.
    const alloc::AllocatorStats blocks = EngineOf(store).allocator.Stats();
    EXPECT_EQ(blocks.bytes_used, space.live_bytes);
    EXPECT_EQ(blocks.spans_hole * geometry.span_bytes, space.hole_bytes);
    return stats;
  }
};

TEST_F(SpaceUseTest, TheBytesOfANewStoreAddUp) {
  Store store = MustOpen(QuietOptions());
  const SpaceUse space = MustAddUp(store).space;
  EXPECT_EQ(space.header_bytes, 4096U);
  EXPECT_EQ(space.live_bytes, 0U);
  EXPECT_EQ(space.waiting_bytes, 0U);
  EXPECT_TRUE(space.classes.empty());
  EXPECT_TRUE(space.held_by.empty());
}

TEST_F(SpaceUseTest, LargeValuesCountAsWholeSpans) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "a");
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(ns.Put(absl::StrCat("key", i), std::string(i % 7 * 100, 'v')).ok());
  }
  const SpaceUse before = MustAddUp(store).space;
  EXPECT_EQ(before.large_bytes, 0U);
  ASSERT_TRUE(ns.Put("large", std::string(100'000, 'l')).ok());
  const SpaceUse space = MustAddUp(store).space;
  EXPECT_EQ(space.large_bytes, 25 * 4096U);
  EXPECT_GE(space.live_bytes, before.live_bytes + space.large_bytes);
  EXPECT_FALSE(space.classes.empty());
}

TEST_F(SpaceUseTest, WhatIsDeletedIsRetiredAndThenReusable) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "a");
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(ns.Put(absl::StrCat("key", i), std::string(300, 'v')).ok());
  }
  ASSERT_TRUE(ns.Put("large", std::string(100'000, 'l')).ok());
  const std::uint64_t live = MustAddUp(store).space.live_bytes;
  for (int i = 0; i < 500; i += 2) {
    ASSERT_TRUE(ns.Delete(absl::StrCat("key", i)).ok());
  }
  ASSERT_TRUE(ns.Delete("large").ok());
  const SpaceUse deleted = MustAddUp(store).space;
  EXPECT_LT(deleted.live_bytes, live - 150'000);
  EXPECT_GT(deleted.reusable_bytes + deleted.waiting_bytes, 150'000U);
  EXPECT_GT(deleted.waiting_bytes, 0U);
  for (int i = 0; i < 4; ++i) {
    EngineOf(store).session.MoveEpochs();
  }
  const SpaceUse later = MustAddUp(store).space;
  EXPECT_EQ(later.waiting_bytes, 0U);
  EXPECT_TRUE(later.held_by.empty());
  EXPECT_GT(later.reusable_bytes, 150'000U);
}

TEST_F(SpaceUseTest, AfterAShrinkTheHolesAreAPart) {
  Options options = QuietOptions();
  options.testing.chunk_bytes = 64 << 10;
  Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "a");
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(ns.Put(absl::StrCat("key", i), std::string(300, 'v')).ok());
  }
  for (int i = 0; i < 5'000; ++i) {
    if (i % 20 != 0) {
      ASSERT_TRUE(ns.Delete(absl::StrCat("key", i)).ok());
    }
  }
  ASSERT_TRUE(store.ShrinkToUsage().ok());
  const StoreStats stats = MustAddUp(store);
  EXPECT_GT(stats.space.hole_bytes, 1'000'000U);
  EXPECT_LT(stats.disk_bytes, stats.file_bytes);
}

TEST_F(SpaceUseTest, FreeSpansAtTheEndAreTheReserve) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "a");
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(ns.Put(absl::StrCat("key", i), std::string(300, 'v')).ok());
  }
  const engine::Engine& engine = EngineOf(store);
  ASSERT_TRUE(engine.region.Grow(engine.region.span_count(), 16).ok());
  const SpaceUse space = MustAddUp(store).space;
  // Half a chunk of 16 spans is kept ahead.
  EXPECT_EQ(space.reserve_bytes, 8 * 4096U);
  EXPECT_GE(space.free_bytes, 8 * 4096U);
}

TEST_F(SpaceUseTest, WhatIsReservedBehindTheLastSpanIsTheEnd) {
  Store store = MustOpen(QuietOptions());
  (void)MustOpenNamespace(store, "a");
  const StoreStats before = MustAddUp(store);
  std::filesystem::resize_file(path_, before.file_bytes + 12'345);
  EXPECT_EQ(MustAddUp(store).space.end_bytes, before.space.end_bytes + 12'345);
}

TEST_F(SpaceUseTest, AReaderThatHoldsBytesBackIsNamed) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "a");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns.Put(absl::StrCat("key", i), std::string(1000, 'v')).ok());
  }
  std::optional<View> view(*ns.GetView("key0"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns.Delete(absl::StrCat("key", i)).ok());
  }
  for (int i = 0; i < 4; ++i) {
    EngineOf(store).session.MoveEpochs();
  }
  EXPECT_GE(MustAddUp(store).space.waiting_bytes, 100'000U);
  std::vector<std::string> held_by;
  ASSERT_TRUE(WaitFor([&] {
    held_by = store.Stats()->space.held_by;
    return !held_by.empty();
  }));
  ASSERT_EQ(held_by.size(), 1U);
  EXPECT_NE(held_by[0].find(absl::StrCat("process ", ::getpid(), " (test) has been in a read")),
            std::string::npos)
      << held_by[0];
  view.reset();
  for (int i = 0; i < 4; ++i) {
    EngineOf(store).session.MoveEpochs();
  }
  const SpaceUse space = MustAddUp(store).space;
  EXPECT_EQ(space.waiting_bytes, 0U);
  EXPECT_TRUE(space.held_by.empty());
}

TEST_F(SpaceUseTest, ASnapshotThatKeepsValuesIsNamed) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "a");
  ASSERT_TRUE(ns.Put("key", std::string(1000, 'v')).ok());
  const absl::StatusOr<Snapshot> snapshot = store.TakeSnapshot();
  ASSERT_TRUE(ns.Delete("key").ok());
  const std::vector<std::string> held_by = MustAddUp(store).space.held_by;
  ASSERT_EQ(held_by.size(), 1U);
  EXPECT_EQ(held_by[0], absl::StrCat("process ", ::getpid(), " (test) holds 1 snapshot"));
}

TEST_F(SpaceUseTest, TheBytesAddUpWhileOthersWrite) {
  Store store = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(store, "a");
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; !stop.load(); ++i) {
        const std::string key = absl::StrCat(t, ":", i % 500);
        EXPECT_TRUE(ns.Put(key, std::string(i % 40 == 0 ? 20'000 : i % 900, 'v')).ok());
        if (i % 3 == 0) {
          EXPECT_TRUE(ns.Delete(key).ok());
        }
        rounds += i % 500 == 499 ? 1 : 0;
      }
    });
  }
  for (int look = 0; look < 300 || rounds.load() < 6; ++look) {
    const std::uint64_t before = Length();
    const StoreStats stats = *store.Stats();
    const std::uint64_t after = Length();
    ASSERT_GE(stats.space.sum(), before);
    ASSERT_LE(stats.space.sum(), after);
    ASSERT_EQ(stats.space.sum(), stats.file_bytes);
    if (look % 100 == 99) {
      ASSERT_TRUE(store.ShrinkToUsage().ok());
    }
  }
  stop = true;
  for (std::thread& writer : writers) {
    writer.join();
  }
}

}  // namespace
}  // namespace commy::test
