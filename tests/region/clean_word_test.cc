// When a store counts as whole: the cases of clean_word.h, with openers that attach and detach in
// any order, other boots, copies, and a disk that fails to sync.
#include "region/clean_word.h"

#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "region/region.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/seen_dead.h"
#include "support/store_fixture.h"

namespace commy::region {
namespace {

using test::ChildProcess;
using test::ChildSide;
using test::FaultPlatform;
using test::FileBytes;

class CleanWordTest : public testing::Test {
 protected:
  std::unique_ptr<Region> MustOpen() { return MustOpen(platform_); }
  std::unique_ptr<Region> MustOpen(platform::Platform& platform) {
    auto region = TryOpen(platform);
    EXPECT_TRUE(region.ok()) << region.status();
    return region.ok() ? *std::move(region) : nullptr;
  }
  absl::StatusOr<std::unique_ptr<Region>> TryOpen(platform::Platform& platform) {
    RegionOptions options;
    options.create.max_size_bytes = std::uint64_t{16} << 20;
    options.create.span_bytes = 4096;
    options.create.chunk_bytes = 16384;
    options.create.participant_count = 8;
    options.create.thread_count = 14;
    return Region::Open(platform, path_, options);
  }
  bool IsDirty() {
    RegionHeader header;
    std::memcpy(&header, FileBytes(path_).data(), sizeof(header));
    return (header.clean_word.raw & 1U) != 0;
  }
  // Whether the file as it is now could be opened after a reboot. Changes nothing.
  bool SurvivesReboot() {
    const std::string before = FileBytes(path_);
    FaultPlatform other_boot;
    other_boot.Set([](auto& faults) { faults.boot_id = platform::BootId{9}; });
    const bool opened = TryOpen(other_boot).ok();
    test::WriteFileBytes(path_, before);
    return opened;
  }

  test::TempDir temp_;
  const std::string path_ = temp_.File("store");
  FaultPlatform platform_;
};

TEST_F(CleanWordTest, AStoreIsDirtyFromItsFirstChangeUntilTheLastParticipantLeaves) {
  std::unique_ptr<Region> first = MustOpen();
  EXPECT_FALSE(IsDirty());
  ASSERT_TRUE(first->EnsureDirty().ok());
  EXPECT_TRUE(IsDirty());
  first.reset();
  EXPECT_FALSE(IsDirty());
  EXPECT_TRUE(SurvivesReboot());
}

TEST_F(CleanWordTest, AStoreStaysDirtyWhileAnyParticipantIsAttached) {
  for (const bool writer_goes_first : {true, false}) {
    std::unique_ptr<Region> writer = MustOpen();
    std::unique_ptr<Region> reader = MustOpen();
    ASSERT_TRUE(writer->EnsureDirty().ok());
    (writer_goes_first ? writer : reader).reset();
    EXPECT_TRUE(IsDirty());
    (writer_goes_first ? reader : writer).reset();
    EXPECT_FALSE(IsDirty()) << "the last participant to leave marks the store clean";
  }
}

TEST_F(CleanWordTest, EachSessionSyncsTheDirtyWordBeforeItsFirstChange) {
  std::unique_ptr<Region> first = MustOpen();
  std::unique_ptr<Region> second = MustOpen();
  const std::uint64_t before = platform_.counts().sync;
  ASSERT_TRUE(first->EnsureDirty().ok());
  EXPECT_EQ(platform_.counts().sync, before + 1);
  ASSERT_TRUE(second->EnsureDirty().ok());
  EXPECT_EQ(platform_.counts().sync, before + 2);
  ASSERT_TRUE(second->EnsureDirty().ok());
  EXPECT_EQ(platform_.counts().sync, before + 2) << "a session syncs the word only once";
}

TEST_F(CleanWordTest, AFailedSyncAtTheFirstChangeIsAnError) {
  std::unique_ptr<Region> region = MustOpen();
  platform_.Set([](auto& faults) { faults.sync = absl::InternalError("bad disk"); });
  const absl::Status status = region->EnsureDirty();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(status.ToString().find(path_), std::string::npos);
}

TEST_F(CleanWordTest, AFailedSyncOnLeavingKeepsTheStoreDirty) {
  std::unique_ptr<Region> region = MustOpen();
  ASSERT_TRUE(region->EnsureDirty().ok());
  platform_.Set([](auto& faults) { faults.sync = absl::InternalError("bad disk"); });
  region.reset();
  EXPECT_TRUE(IsDirty());
  EXPECT_FALSE(SurvivesReboot());
  platform_.Clear();
  MustOpen().reset();  // In this boot the store is whole, so the next leaver marks it clean.
  EXPECT_TRUE(SurvivesReboot());
}

TEST_F(CleanWordTest, AKilledParticipantLeavesTheStoreDirtyUntilTheNextOneLeaves) {
  MustOpen().reset();
  ChildProcess child([this](ChildSide& parent) {
    const std::unique_ptr<Region> region = MustOpen();
    parent.Send(region->EnsureDirty().ok() ? "dirty" : "failed");
    (void)parent.Receive();
    return 0;
  });
  ASSERT_EQ(child.Receive(), "dirty");
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(test::NobodyIsAttached(path_));
  EXPECT_TRUE(IsDirty());
  EXPECT_FALSE(SurvivesReboot());
  MustOpen().reset();
  EXPECT_FALSE(IsDirty());
}

TEST_F(CleanWordTest, ARefusedOpenerDoesNotMarkTheStoreClean) {
  std::unique_ptr<Region> region = MustOpen();
  ASSERT_TRUE(region->EnsureDirty().ok());
  const std::string copy = FileBytes(path_);
  region.reset();
  test::WriteFileBytes(temp_.File("torn"), copy);
  for (int i = 0; i < 3; ++i) {
    RegionOptions options;
    options.create_if_missing = false;
    EXPECT_EQ(Region::Open(platform_, temp_.File("torn"), options).status().code(),
              absl::StatusCode::kDataLoss);
    EXPECT_TRUE(FileBytes(temp_.File("torn")) == copy);
  }
}

// Runs a function in the middle of MarkCleanIfAlone: at its probe of the attach byte, or at its
// sync of the whole file.
class InTheMiddle : public FaultPlatform {
 public:
  std::function<void()> at_look;
  std::function<void()> at_sync;
  absl::StatusOr<bool> IsLocked(int fd, std::uint64_t byte) override {
    Once(at_look);
    return FaultPlatform::IsLocked(fd, byte);
  }
  absl::Status Sync(std::byte* address, std::uint64_t size_bytes) override {
    if (size_bytes > kHeaderBytes) {
      Once(at_sync);
    }
    return FaultPlatform::Sync(address, size_bytes);
  }

 private:
  static void Once(std::function<void()>& what) {
    if (what) {
      std::exchange(what, nullptr)();
    }
  }
};

TEST_F(CleanWordTest, AParticipantThatAttachesWhileTheLastOneLeavesKeepsTheStoreDirty) {
  for (const bool at_look : {true, false}) {
    SCOPED_TRACE(at_look);
    InTheMiddle leaver;
    std::unique_ptr<Region> comes;
    std::unique_ptr<Region> goes = MustOpen(leaver);
    ASSERT_TRUE(goes->EnsureDirty().ok());
    (at_look ? leaver.at_look : leaver.at_sync) = [&] {
      comes = MustOpen();
      EXPECT_TRUE(comes->EnsureDirty().ok());
    };
    goes.reset();
    ASSERT_NE(comes, nullptr);
    EXPECT_TRUE(IsDirty()) << "a participant that may change the store is attached";
    EXPECT_FALSE(SurvivesReboot());
    comes.reset();
    EXPECT_FALSE(IsDirty());
  }
}

TEST_F(CleanWordTest, AParticipantThatIsKilledWhileTheLastOneLeavesKeepsTheStoreDirty) {
  InTheMiddle leaver;
  std::unique_ptr<Region> goes = MustOpen(leaver);
  ASSERT_TRUE(goes->EnsureDirty().ok());
  leaver.at_sync = [&] {
    // Killed after its change, none of which is known to be on disk.
    ChildProcess child([this](ChildSide& parent) {
      const std::unique_ptr<Region> region = MustOpen();
      parent.Send(region->EnsureDirty().ok() ? "dirty" : "failed");
      (void)parent.Receive();
      return 0;
    });
    EXPECT_EQ(child.Receive(), "dirty");
    EXPECT_TRUE(child.KillAndWait());
    EXPECT_TRUE(test::NobodyIsAttached(path_));
  };
  goes.reset();
  EXPECT_TRUE(IsDirty());
}

TEST_F(CleanWordTest, ACopyIsRecognisedByDeviceInodeAndBirthTime) {
  std::unique_ptr<Region> region = MustOpen();
  ASSERT_TRUE(region->EnsureDirty().ok());
  for (int part = 0; part < 3; ++part) {
    FaultPlatform disguised;
    platform::FileIdentity identity{region->header().device.raw, region->header().inode.raw,
                                    region->header().birth_ns.raw};
    disguised.Set([&](auto& faults) { faults.identity = identity; });
    EXPECT_TRUE(TryOpen(disguised).ok());
    (part == 0 ? identity.device : part == 1 ? identity.inode : identity.birth_ns) += 1;
    disguised.Set([&](auto& faults) { faults.identity = identity; });
    EXPECT_EQ(TryOpen(disguised).status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace commy::region
