// Compact(): what the new file keeps and what it may change, who is refused, and what openers of
// the old file get.
#include "commy/compact.h"

#include <filesystem>
#include <vector>

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "packing/compact.h"
#include "packing/picture.h"
#include "region/replaced.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using platform::Access;
using platform::Platform;
using region::RegionHeader;

class CompactTest : public StoreFixture {
 protected:
  // A store with garbage in it.
  void Make(const Options& options = QuietOptions()) {
    const Store store = MustOpen(options);
    const Namespace hash = MustOpenNamespace(store, "hash");
    const Namespace ordered = *store.OpenNamespace("ordered", {.order = Order::kOrdered});
    for (int i = 0; i < 3000; ++i) {
      ASSERT_TRUE(hash.Put(absl::StrCat(i), std::string(100, 'h')).ok());
      ASSERT_TRUE(
          ordered.Put(absl::StrCat(i), std::string(100, 'o'), {.ttl = absl::Hours(9)}).ok());
    }
    for (int i = 0; i < 3000; ++i) {
      if (i % 4 != 0) {
        ASSERT_TRUE(*hash.Delete(absl::StrCat(i)));
        ASSERT_TRUE(*ordered.Delete(absl::StrCat(i)));
      }
    }
  }
  Picture PictureAt(const std::string& path) {
    Store store = MustOpen(path, QuietOptions());
    EXPECT_TRUE(IsSound(store));
    return PictureOf(store);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(temp_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static std::uint64_t InodeOf(const std::string& path) {
    return Platform::Real().DescribePath(path)->identity.inode;
  }
  // Changes the header of a store that no process has open.
  static void ChangeHeader(const std::string& path,
                           const std::function<void(RegionHeader&)>& change) {
    const platform::Descriptor fd = *Platform::Real().Open(path, Access::kReadWrite);
    std::byte* const base =
        *Platform::Real().Map(fd.fd(), sizeof(RegionHeader), Access::kReadWrite);
    change(*reinterpret_cast<RegionHeader*>(base));
    Platform::Real().Unmap(base, sizeof(RegionHeader));
  }
  static std::uint64_t MarkOf(const std::string& path) {
    std::uint64_t mark = 0;
    ChangeHeader(path, [&](RegionHeader& header) {
      mark = header.replaced.load(std::memory_order_relaxed);
    });
    return mark;
  }
};

TEST_F(CompactTest, TheStoreIsTheSameAndSmaller) {
  Make();
  const Picture before = PictureAt(path_);
  const std::string uuid = MustOpen(QuietOptions()).Stats()->uuid;
  const std::uint64_t clock = MustOpen(QuietOptions()).Stats()->commit_clock;
  const std::uint64_t inode = InodeOf(path_);
  std::filesystem::permissions(path_, std::filesystem::perms(0640));
  const absl::StatusOr<CompactReport> report = Compact(path_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->keys, 1500U);
  EXPECT_EQ(report->namespaces, 2U);
  EXPECT_LT(report->bytes_after, report->bytes_before * 6 / 10);
  EXPECT_EQ(report->bytes_after, Platform::Real().DescribePath(path_)->disk_bytes);
  EXPECT_EQ(PictureAt(path_), before);
  EXPECT_NE(InodeOf(path_), inode);
  EXPECT_NE(MustOpen(QuietOptions()).Stats()->uuid, uuid);
  EXPECT_GE(MustOpen(QuietOptions()).Stats()->commit_clock, clock);
  EXPECT_EQ(static_cast<unsigned>(std::filesystem::status(path_).permissions()), 0640U);
  EXPECT_EQ(MarkOf(path_), 0U);
  EXPECT_EQ(Names(), std::vector<std::string>{"store"});
}

TEST_F(CompactTest, KeysAndValuesTakeHalfAsMuchAgainInACompactedStore) {
  Options options;
  options.testing.background = false;
  quiet_reopen_ = options;
  constexpr std::uint64_t kKeys = 200'000;
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    const std::string path = temp_.File(order == Order::kHash ? "hash" : "ordered");
    {
      const Store store = MustOpen(path, options);
      const Namespace ns = *store.OpenNamespace("a", {.order = order});
      for (std::uint64_t i = 0; i < kKeys; ++i) {
        ASSERT_TRUE(
            ns.Put(absl::StrCat(absl::Dec(i, absl::kZeroPad10)), std::string(100, 'v')).ok());
      }
    }
    const absl::StatusOr<CompactReport> report = Compact(path);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_LE(report->bytes_after, kKeys * 110 * 151 / 100) << path;
    const Store store = MustOpen(path, options);
    EXPECT_TRUE(IsSound(store));
  }
  expect_store_ = false;
}

// Segments are smaller than in other stores then, and leaves larger.
TEST_F(CompactTest, NamespacesOfACompactedStoreGrowAndShrinkOn) {
  Options options;
  options.testing.background = false;
  quiet_reopen_ = options;
  constexpr int kKeys = 8000;
  const auto each = [](const Store& store, auto use) {
    for (const Order order : {Order::kHash, Order::kOrdered}) {
      const std::string name = order == Order::kHash ? "hash" : "ordered";
      use(*store.OpenNamespace(name, {.order = order}));
    }
  };
  each(MustOpen(options), [](const Namespace& ns) {
    for (int i = 0; i < kKeys; ++i) {
      ASSERT_TRUE(ns.Put(absl::StrCat(i), std::string(100, 'v')).ok());
    }
  });
  ASSERT_TRUE(Compact(path_).ok());
  const Store store = MustOpen(options);
  each(store, [](const Namespace& ns) {
    for (int i = kKeys; i < 4 * kKeys; ++i) {
      ASSERT_TRUE(ns.Put(absl::StrCat(i), std::string(100, 'w')).ok());
    }
  });
  EXPECT_TRUE(IsSound(store));
  each(store, [](const Namespace& ns) {
    for (int i = 0; i < 4 * kKeys; ++i) {
      ASSERT_EQ(*ns.Get(absl::StrCat(i)), std::string(100, i < kKeys ? 'v' : 'w')) << i;
      if (i % 10 != 0) {
        ASSERT_TRUE(*ns.Delete(absl::StrCat(i)));
      }
    }
  });
  ASSERT_TRUE(store.ShrinkToUsage().ok());
  EXPECT_TRUE(IsSound(store));
  each(store, [](const Namespace& ns) {
    for (int i = 0; i < 4 * kKeys; ++i) {
      ASSERT_EQ(ns.Get(absl::StrCat(i)).ok(), i % 10 == 0) << i;
    }
  });
}

TEST_F(CompactTest, ACompactedStoreCanBeWrittenAndCompactedAgain) {
  Make();
  ASSERT_TRUE(Compact(path_).ok());
  const std::uint64_t bytes = std::filesystem::file_size(path_);
  ASSERT_TRUE(Compact(path_).ok());
  EXPECT_EQ(std::filesystem::file_size(path_), bytes);
  {
    const Store store = MustOpen(SmallOptions());
    for (const char* const path : {"hash", "ordered"}) {
      const Namespace ns = MustOpenNamespace(store, path);
      for (int i = 0; i < 3000; ++i) {
        ASSERT_TRUE(ns.Put(absl::StrCat(i), "again").ok());
      }
    }
    EXPECT_TRUE(IsSound(store));
  }
  const Picture before = PictureAt(path_);
  ASSERT_TRUE(Compact(path_).ok());
  EXPECT_EQ(PictureAt(path_), before);
}

TEST_F(CompactTest, LimitsAreChangedIfGivenAndElseKept) {
  Make();
  const Picture before = PictureAt(path_);
  const StoreStats old = *MustOpen(QuietOptions()).Stats();
  ASSERT_TRUE(Compact(path_, {.max_size = std::uint64_t{1} << 30,
                              .participants = 5,
                              .snapshots = 7,
                              .stale_after = absl::Seconds(3)})
                  .ok());
  const StoreStats now = *MustOpen(QuietOptions()).Stats();
  EXPECT_EQ(now.max_size_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(now.participants_max, 5U);
  EXPECT_EQ(now.threads_max, old.threads_max);
  EXPECT_EQ(now.snapshots_max, 7U);
  EXPECT_EQ(now.stale_after, absl::Seconds(3));
  EXPECT_EQ(now.operation_timeout, old.operation_timeout);
  EXPECT_EQ(PictureAt(path_), before);
  ASSERT_TRUE(Compact(path_, {.threads = 1000,
                              .operation_timeout = absl::Seconds(9),
                              .heartbeat_interval = absl::Milliseconds(70)})
                  .ok());
  const StoreStats last = *MustOpen(QuietOptions()).Stats();
  EXPECT_EQ(last.threads_max, 1000U);
  EXPECT_EQ(last.participants_max, 5U);
  EXPECT_EQ(last.operation_timeout, absl::Seconds(9));
  EXPECT_EQ(last.heartbeat_interval, absl::Milliseconds(70));
  EXPECT_EQ(PictureAt(path_), before);
}

TEST_F(CompactTest, GenerationsOfParticipantsGoOnThroughFewerAndMoreEntries) {
  const auto generation = [&](std::uint32_t slot) {
    Store store = MustOpen(QuietOptions());
    return EngineOf(store).region.participant(slot).state.load(std::memory_order_relaxed) >> 8U;
  };
  for (int i = 0; i < 5; ++i) {
    const Store one = MustOpen(QuietOptions());
    const Store two = MustOpen(QuietOptions());
    const Store three = MustOpen(QuietOptions());
  }
  const std::uint64_t before = generation(2);
  EXPECT_GE(before, 5U);
  ASSERT_TRUE(Compact(path_, {.participants = 1}).ok());
  ASSERT_TRUE(Compact(path_, {.participants = 8}).ok());
  EXPECT_GE(generation(2), before);
}

TEST_F(CompactTest, ALimitThatIsOutOfItsRangeOrTooSmallChangesNothing) {
  Make();
  const std::uint64_t inode = InodeOf(path_);
  const Picture before = PictureAt(path_);
  EXPECT_TRUE(
      Says(Compact(path_, {.participants = 0}).status(), Code::kInvalidArgument, "participants"));
  const std::uint64_t size = std::filesystem::file_size(path_);
  EXPECT_TRUE(
      Says(Compact(path_, {.max_size = size / 4}).status(), Code::kResourceExhausted, "max_size"));
  EXPECT_EQ(InodeOf(path_), inode);
  EXPECT_EQ(PictureAt(path_), before);
  EXPECT_EQ(Names(), std::vector<std::string>{"store"});
}

TEST_F(CompactTest, WithADestinationTheStoreStaysAsItIs) {
  Make();
  const std::string made = temp_.File("made");
  const std::uint64_t inode = InodeOf(path_);
  const Picture before = PictureAt(path_);
  ASSERT_TRUE(Compact(path_, {.destination = made}).ok());
  EXPECT_EQ(InodeOf(path_), inode);
  EXPECT_EQ(MarkOf(path_), 0U);
  EXPECT_EQ(PictureAt(path_), before);
  EXPECT_EQ(PictureAt(made), before);
  EXPECT_TRUE(Says(Compact(path_, {.destination = made}).status(), Code::kAlreadyExists, made));
  EXPECT_TRUE(Says(Compact(path_, {.destination = path_}).status(), Code::kInvalidArgument,
                   "is the store itself"));
}

TEST_F(CompactTest, AStoreInUseIsRefusedWithTheNamesOfItsUsers) {
  Make();
  Options options = SmallOptions();
  options.process_name = "the user";
  ChildProcess user([&](ChildSide& parent) {
    const Store store = MustOpen(options);
    parent.Send("open");
    parent.Receive();
    return 0;
  });
  ASSERT_EQ(user.Receive(), "open");
  const absl::Status refused = Compact(path_).status();
  EXPECT_TRUE(Says(refused, Code::kFailedPrecondition,
                   absl::StrCat("in use by process ", user.pid(), " (the user)")));
  EXPECT_TRUE(Says(refused, Code::kFailedPrecondition, "commy backup"));
  ASSERT_TRUE(user.KillAndWait());
  EXPECT_TRUE(Compact(path_).ok());  // What the dead one left is recovered.
}

TEST_F(CompactTest, OpenersAreRefusedWhileItWorks) {
  Make();
  int calls = 0;
  CompactOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_LE(done, total);
    if (++calls > 5) {
      return true;  // An opener waits for some time before it is refused.
    }
    EXPECT_TRUE(Says(Store::Open(path_, QuietOptions()).status(), Code::kFailedPrecondition,
                     "exclusive use"));
    EXPECT_TRUE(Says(Compact(path_).status(), Code::kFailedPrecondition, "exclusive use"));
    return true;
  };
  ASSERT_TRUE(Compact(path_, options).ok());
  EXPECT_GE(calls, 2);
}

TEST_F(CompactTest, OfOneThatIsStoppedNothingIsLeft) {
  Make();
  const std::uint64_t inode = InodeOf(path_);
  EXPECT_TRUE(Says(
      Compact(path_, {.progress = [](std::uint64_t, std::uint64_t) { return false; }}).status(),
      Code::kCancelled, "nothing was kept"));
  EXPECT_EQ(InodeOf(path_), inode);
  EXPECT_EQ(Names(), std::vector<std::string>{"store"});
}

TEST_F(CompactTest, ASymbolicLinkLeadsToTheNewFile) {
  Make();
  const std::string link = temp_.File("link");
  std::filesystem::create_symlink("store", link);
  const std::uint64_t inode = InodeOf(path_);
  ASSERT_TRUE(Compact(link).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_NE(InodeOf(path_), inode);
}

TEST_F(CompactTest, AFileOfTwoNamesIsRefused) {
  Make();
  std::filesystem::create_hard_link(path_, temp_.File("second"));
  EXPECT_TRUE(Says(Compact(path_).status(), Code::kFailedPrecondition, "2 names"));
  EXPECT_TRUE(Compact(path_, {.destination = temp_.File("made")}).ok());
}

TEST_F(CompactTest, NoStoreIsMadeWhereThereIsNone) {
  expect_store_ = false;
  EXPECT_TRUE(Says(Compact(path_).status(), Code::kNotFound, path_));
  WriteFileBytes(path_, "no store");
  EXPECT_TRUE(Says(Compact(path_).status(), Code::kInvalidArgument, path_));
}

TEST_F(CompactTest, TheMarkOfADeadOneIsTakenBackByTheNextOpener) {
  Make();
  ChangeHeader(path_, [](RegionHeader& header) { region::MarkBeingReplaced(header, {1, 2}); });
  EXPECT_EQ(MarkOf(path_), region::kBeingReplaced);
  EXPECT_TRUE(Store::Open(path_, QuietOptions()).ok());
  EXPECT_EQ(MarkOf(path_), 0U);
}

TEST_F(CompactTest, AFileThatWasReplacedIsNotOpenedByAnotherNameOfIt) {
  Make();
  ChangeHeader(path_, [](RegionHeader& header) {
    region::MarkBeingReplaced(header, {1, 2});
    region::MarkWasReplaced(header);
  });
  EXPECT_TRUE(Says(Store::Open(path_, QuietOptions()).status(), Code::kFailedPrecondition,
                   "01000000000000000200000000000000"));
  EXPECT_TRUE(Says(Compact(path_).status(), Code::kFailedPrecondition, "has replaced"));
  ChangeHeader(path_, [](RegionHeader& header) { region::ClearReplaced(header); });
}

// A platform that calls the test after the file was renamed, or before.
class RenamingPlatform : public FaultPlatform {
 public:
  std::function<absl::Status()> before;
  std::function<void()> after;

  absl::Status Replace(int fd, const std::string& path) override {
    absl::Status done = before ? before() : absl::OkStatus();
    if (done.ok()) {
      done = FaultPlatform::Replace(fd, path);
    }
    if (done.ok() && after) {
      after();
    }
    return done;
  }
};

TEST_F(CompactTest, FromTheRenameOnOpenersGetTheNewFileThoughTheOldOneIsStillHeld) {
  Make();
  const Picture before = PictureAt(path_);
  const std::string old = temp_.File("old");  // Keeps the old file in sight.
  RenamingPlatform platform;
  platform.before = [&] {
    std::filesystem::create_hard_link(path_, old);
    EXPECT_EQ(MarkOf(path_), region::kBeingReplaced);
    EXPECT_TRUE(Says(Store::Open(path_, QuietOptions()).status(), Code::kFailedPrecondition,
                     "exclusive use"));
    return absl::OkStatus();
  };
  platform.after = [&] {
    EXPECT_EQ(PictureAt(path_), before);
    EXPECT_TRUE(MustOpenNamespace(MustOpen(QuietOptions()), "new").Put("k", "v").ok());
    EXPECT_EQ(MarkOf(old), region::kBeingReplaced);
  };
  ASSERT_TRUE(packing::Compact(platform, path_, {}).ok());
  EXPECT_EQ(MarkOf(old), region::kWasReplaced);
  EXPECT_TRUE(
      Says(Store::Open(old, QuietOptions()).status(), Code::kFailedPrecondition, "has replaced"));
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "new").Get("k"), "v");
}

// Opens the old file first, as a process does that looked up the name just before the rename.
class LatePlatform : public FaultPlatform {
 public:
  explicit LatePlatform(int old_fd) : old_fd_(old_fd) {}

  absl::StatusOr<platform::Descriptor> Open(const std::string& path, Access access) override {
    const int fd = std::exchange(old_fd_, -1);
    return fd < 0 ? FaultPlatform::Open(path, access) : FaultPlatform::Reopen(fd, access);
  }

 private:
  int old_fd_;
};

TEST_F(CompactTest, AnOpenerOfTheOldFileGoesOnToTheNewOneAlsoWhileTheOldOneIsHeld) {
  Make();
  const platform::Descriptor old = *Platform::Real().Open(path_, Access::kReadWrite);
  LatePlatform late(old.fd());
  RenamingPlatform platform;
  platform.after = [&] {
    const absl::StatusOr<Store> store = OpenOn(late, path_, QuietOptions());
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE(MustOpenNamespace(*store, "late").Put("k", "v").ok());
  };
  ASSERT_TRUE(packing::Compact(platform, path_, {}).ok());
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "late").Get("k"), "v");
}

TEST_F(CompactTest, IfTheRenameFailsTheStoreIsAsItWas) {
  Make();
  const Picture before = PictureAt(path_);
  RenamingPlatform platform;
  platform.before = [] { return absl::PermissionDeniedError("no rename"); };
  EXPECT_TRUE(
      Says(packing::Compact(platform, path_, {}).status(), Code::kPermissionDenied, "no rename"));
  EXPECT_EQ(MarkOf(path_), 0U);
  EXPECT_EQ(PictureAt(path_), before);
  EXPECT_EQ(Names(), std::vector<std::string>{"store"});
}

TEST_F(CompactTest, OnAFullDiskNothingChanges) {
  Make();
  const Picture before = PictureAt(path_);
  FaultPlatform platform;
  for (const std::uint64_t room : {std::uint64_t{0}, std::uint64_t{300} << 10}) {
    platform.Set([&](FaultPlatform::Faults& faults) { faults.allocate_bytes_left = room; });
    EXPECT_TRUE(
        Says(packing::Compact(platform, path_, {}).status(), Code::kResourceExhausted, path_));
    EXPECT_EQ(Names(), std::vector<std::string>{"store"});
  }
  EXPECT_EQ(PictureAt(path_), before);
  EXPECT_EQ(MarkOf(path_), 0U);
}

TEST_F(CompactTest, AnOpenerOfTheOldFileGoesOnToTheNewOneWhenAllIsOver) {
  Make();
  const Picture before = PictureAt(path_);
  const platform::Descriptor old = *Platform::Real().Open(path_, Access::kReadWrite);
  LatePlatform late(old.fd());
  ASSERT_TRUE(Compact(path_).ok());
  absl::StatusOr<Store> store = OpenOn(late, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(PictureOf(*store), before);
  EXPECT_TRUE(MustOpenNamespace(*store, "late").Put("k", "v").ok());
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "late").Get("k"), "v");
}

}  // namespace
}  // namespace commy::test
