// Store::Sync: a store that is in use and was synced survives a crash of the machine. A copy stands
// for the file after the reboot: the copy of a store that may be torn is refused.
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/seen_dead.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

class SyncTest : public StoreFixture {
 protected:
  // Whether a copy of the file as it is now opens and is sound.
  testing::AssertionResult Survives() {
    const std::string copy = temp_.File("copy");
    WriteFileBytes(copy, FileBytes(path_));
    absl::StatusOr<Store> store = Store::Open(copy, QuietOptions());
    return store.ok() ? IsSound(*store) : testing::AssertionFailure() << store.status();
  }
  // In a child: begins an operation and stays in it until the parent sends a message.
  int StandInsideAnOperation(ChildSide& parent) {
    absl::StatusOr<Store> own = Store::Open(path_, SmallOptions());
    if (!own.ok() || !own->OpenNamespace("n").ok()) {
      return 1;
    }
    {
      const process::Operation op(**EngineOf(*own).session.ThisLane(), process::OpKind::kWrite, 0);
      parent.Send("inside");
      parent.Receive();
    }
    parent.Send("done");
    parent.Receive();
    return 0;
  }
  std::optional<std::string> InCopy(const std::string& key) {
    const std::string copy = temp_.File("copy");
    WriteFileBytes(copy, FileBytes(path_));
    absl::StatusOr<Store> store = Store::Open(copy, QuietOptions());
    EXPECT_TRUE(store.ok()) << store.status();
    const auto value = store->OpenNamespace("n")->Get(key);
    return value.ok() ? std::optional<std::string>(*value) : std::nullopt;
  }
};

TEST_F(SyncTest, ASyncedStoreSurvivesACrashWhileItIsInUse) {
  const Store store = MustOpen(SmallOptions());
  const Namespace ns = *store.OpenNamespace("n");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  EXPECT_FALSE(Survives());
  ASSERT_TRUE(store.Sync().ok());
  EXPECT_TRUE(Survives());
  EXPECT_EQ(InCopy("k"), "v");
  EXPECT_TRUE(store.Sync().ok()) << "a second sync has nothing to do";
  EXPECT_TRUE(Survives());
}

TEST_F(SyncTest, AnyChangeByAnyParticipantAfterASyncMakesTheStoreDirty) {
  const Store first = MustOpen(QuietOptions());
  const Store second = MustOpen(QuietOptions());
  const Namespace mine = *first.OpenNamespace("n");
  const Namespace other = *second.OpenNamespace("n");
  ASSERT_TRUE(mine.Put("a", "1").ok());
  ASSERT_TRUE(other.Put("b", "1").ok());
  const std::vector<std::function<bool()>> changes = {
      [&] { return mine.Put("a", "2").ok(); },
      [&] { return other.Put("b", "2").ok(); },
      [&] { return other.Add("c", 1).ok(); },
      [&] { return mine.Delete("b").ok(); },
      [&] { return first.OpenNamespace("m").ok(); },
      [&] { return second.RenameNamespace("m", "o").ok(); },
      [&] { return mine.Clear().ok(); },
      [&] { return second.DropNamespace("o").ok(); },
  };
  for (const auto& change : changes) {
    ASSERT_TRUE(first.Sync().ok());
    ASSERT_TRUE(Survives());
    ASSERT_TRUE(change());
    EXPECT_FALSE(Survives());
  }
}

TEST_F(SyncTest, ReadersHeartbeatsAndVisitorsKeepASyncedStoreClean) {
  const Store store = MustOpen(SmallOptions());
  const Namespace ns = *store.OpenNamespace("n");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ns.Put(std::to_string(i), "v").ok());
  }
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(ns.Delete(std::to_string(i)).ok());
  }
  ASSERT_TRUE(store.Sync().ok());
  {
    const Store visitor = MustOpen(SmallOptions());
    EXPECT_EQ(*visitor.OpenNamespace("n")->Get("70"), "v");
    Store beating = store;
    const auto& slot = EngineOf(beating).region.participant(0);
    const std::uint64_t before = slot.heartbeat.load(std::memory_order_relaxed);
    EXPECT_TRUE(
        WaitFor([&] { return slot.heartbeat.load(std::memory_order_relaxed) > before + 3; }));
  }
  EXPECT_EQ(*ns.Size(), 50U);
  EXPECT_TRUE(Survives());
}

TEST_F(SyncTest, SyncSucceedsBesideWritersAndMarksTheStoreCleanOnceTheyRest) {
  const Store store = MustOpen(SmallOptions());
  const Namespace ns = *store.OpenNamespace("n");
  std::atomic<bool> stop{false};
  std::atomic<int> writes{0};
  std::thread writer([&] {
    while (!stop) {
      if (ns.Put(std::to_string(writes % 10), "v").ok()) {
        ++writes;
      }
    }
  });
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(store.Sync().ok());
  }
  EXPECT_TRUE(WaitFor([&] { return writes > 100; }));
  stop = true;
  writer.join();
  EXPECT_TRUE(store.Sync().ok());
  EXPECT_TRUE(Survives());
}

TEST_F(SyncTest, SyncNamesAProcessThatIsStoppedInsideAnOperation) {
  const Store store = MustOpen(SmallOptions());
  const Namespace ns = *store.OpenNamespace("n");
  ChildProcess child([&](ChildSide& parent) { return StandInsideAnOperation(parent); });
  ASSERT_EQ(child.Receive(), "inside");
  EXPECT_TRUE(Says(store.Sync(), absl::StatusCode::kUnavailable, std::to_string(child.pid())));
  EXPECT_FALSE(Survives());
  EXPECT_TRUE(ns.Put("other", "v").ok()) << "other writers are unaffected";
  child.Send("go on");
  ASSERT_EQ(child.Receive(), "done");
  EXPECT_TRUE(store.Sync().ok());
  EXPECT_EQ(InCopy("other"), "v");
}

TEST_F(SyncTest, SyncRecoversAParticipantThatDiedInsideAnOperation) {
  const Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(store.OpenNamespace("n")->Put("k", "v").ok());
  ChildProcess child([&](ChildSide& parent) { return StandInsideAnOperation(parent); });
  ASSERT_EQ(child.Receive(), "inside");
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(SeenDead(store, child.pid()));
  const absl::Status status = store.Sync();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Survives());
}

// A kernel that is slow to free the locks of dead processes. Its clock moves at each reading.
class SlowRelease : public FaultPlatform {
 public:
  std::atomic<int> probes_that_find_it{0};
  absl::StatusOr<bool> TryLock(int fd, std::uint64_t byte_offset, bool exclusive) override {
    if (exclusive && byte_offset >= region::kSlotLockBase && probes_that_find_it > 0) {
      --probes_that_find_it;
      return false;
    }
    return FaultPlatform::TryLock(fd, byte_offset, exclusive);
  }
  std::int64_t MonotonicNs() override { return now_ns_ += 100'000; }

 private:
  std::atomic<std::int64_t> now_ns_{0};
};

TEST_F(SyncTest, SyncWaitsForTheLockOfADeadParticipantAndThenRecoversIt) {
  SlowRelease platform;
  absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(store->OpenNamespace("n")->Put("k", "v").ok());
  ChildProcess child([&](ChildSide& parent) { return StandInsideAnOperation(parent); });
  ASSERT_EQ(child.Receive(), "inside");
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(SeenDead(*store, child.pid()));
  platform.probes_that_find_it = 5;
  const std::int64_t start_ns = platform.MonotonicNs();
  const absl::Status status = store->Sync();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(platform.probes_that_find_it, 0);
  EXPECT_LT(platform.MonotonicNs() - start_ns,
            absl::ToInt64Nanoseconds(QuietOptions().stale_after) / 2);
  EXPECT_TRUE(Survives());
}

TEST_F(SyncTest, SyncReportsADiskErrorAndTheStoreStaysDirty) {
  FaultPlatform platform;
  absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(store->OpenNamespace("n")->Put("k", "v").ok());
  platform.Set([](auto& faults) { faults.sync = absl::InternalError("bad disk"); });
  EXPECT_TRUE(Says(store->Sync(), absl::StatusCode::kInternal, path_));
  EXPECT_FALSE(Survives());
  platform.Clear();
  EXPECT_TRUE(store->Sync().ok());
  EXPECT_TRUE(Survives());
  platform.Set([](auto& faults) { faults.sync = absl::InternalError("bad disk"); });
  EXPECT_TRUE(Says(store->OpenNamespace("n")->Put("k", "w"), absl::StatusCode::kInternal, path_))
      << "the first change must not come before the mark on disk";
  EXPECT_EQ(*store->OpenNamespace("n")->Get("k"), "v");
  platform.Clear();
}

}  // namespace
}  // namespace commy::test
