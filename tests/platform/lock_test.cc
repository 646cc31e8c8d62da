// Byte locks: what keeps one, and when it is free again. That no store of a dead process appears
// after its lock is free is in late_store_test.cc.
#include <signal.h>

#include "platform/platform_fixture.h"
#include "support/child_process.h"
#include "support/wait_for.h"

namespace commy::platform {
namespace {

using test::ChildProcess;
using test::ChildSide;

constexpr std::uint64_t kFar = 1ULL << 62U;

class LockTest : public PlatformFixture {
 protected:
  // Probes through a description of its own, as a probe must.
  bool IsLocked(std::uint64_t byte) {
    const Descriptor probe = MustOpen(path_);
    const auto locked = os_.IsLocked(probe.fd(), byte);
    EXPECT_TRUE(locked.ok()) << locked.status();
    return locked.ok() && *locked;
  }

  // Locks `byte` such that only the returned mapping holds it; null on failure.
  std::byte* LockByMapping(std::uint64_t byte) {
    auto opened = os_.Open(path_, Access::kReadWrite);
    if (!opened.ok() || !os_.TryLock(opened->fd(), byte, true).value_or(false)) {
      return nullptr;
    }
    return os_.Map(opened->fd(), kFileBytes, Access::kReadWrite).value_or(nullptr);
  }

  // A child that holds `byte` by mapping alone.
  std::unique_ptr<ChildProcess> HolderOf(std::uint64_t byte) {
    return std::make_unique<ChildProcess>([this, byte](ChildSide& parent) {
      parent.Send(LockByMapping(byte) != nullptr ? "locked" : "failed");
      parent.Receive();
      return 0;
    });
  }

  std::string path_ = MakeFile("region");
};

TEST_F(LockTest, AnExclusiveLockExcludesOtherDescriptionsFromItsByteOnly) {
  const Descriptor a = MustOpen(path_);
  const Descriptor b = MustOpen(path_);
  EXPECT_TRUE(*os_.TryLock(a.fd(), kFar, true));
  EXPECT_FALSE(*os_.TryLock(b.fd(), kFar, true));
  EXPECT_FALSE(*os_.TryLock(b.fd(), kFar, false));
  EXPECT_TRUE(*os_.TryLock(b.fd(), kFar + 1, true));
  EXPECT_TRUE(*os_.TryLock(b.fd(), kFar - 1, true));
  ASSERT_TRUE(os_.Unlock(a.fd(), kFar).ok());
  EXPECT_TRUE(*os_.TryLock(b.fd(), kFar, true));
}

TEST_F(LockTest, SharedLocksCoexistAndExcludeAnExclusiveOne) {
  const Descriptor a = MustOpen(path_);
  const Descriptor b = MustOpen(path_);
  EXPECT_TRUE(*os_.TryLock(a.fd(), 7, false));
  EXPECT_TRUE(*os_.TryLock(b.fd(), 7, false));
  EXPECT_FALSE(*os_.TryLock(b.fd(), 7, true));
  ASSERT_TRUE(os_.Unlock(a.fd(), 7).ok());
  EXPECT_TRUE(*os_.TryLock(b.fd(), 7, true));
}

TEST_F(LockTest, LockingTwiceThroughOneDescriptionSucceedsAndItsOwnProbeSeesNoLock) {
  const Descriptor a = MustOpen(path_);
  EXPECT_TRUE(*os_.TryLock(a.fd(), 7, true));
  EXPECT_TRUE(*os_.TryLock(a.fd(), 7, true));
  EXPECT_FALSE(*os_.IsLocked(a.fd(), 7));
  EXPECT_TRUE(IsLocked(7));
}

TEST_F(LockTest, AReopenedDescriptorIsAnotherDescription) {
  const Descriptor a = MustOpen(path_);
  const auto b = os_.Reopen(a.fd(), Access::kReadWrite);
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_TRUE(*os_.TryLock(a.fd(), 7, true));
  EXPECT_FALSE(*os_.TryLock(b->fd(), 7, true));
  EXPECT_TRUE(*os_.IsLocked(b->fd(), 7));
}

TEST_F(LockTest, ClosingAnotherDescriptorOfTheFileKeepsTheLock) {
  const Descriptor a = MustOpen(path_);
  EXPECT_TRUE(*os_.TryLock(a.fd(), 7, true));
  MustOpen(path_).Close();
  EXPECT_TRUE(IsLocked(7));
}

TEST_F(LockTest, TheMappingAloneHoldsTheLockUntilItIsUnmapped) {
  std::byte* const mapping = LockByMapping(kFar);
  ASSERT_NE(mapping, nullptr);
  EXPECT_TRUE(IsLocked(kFar));
  os_.Unmap(mapping, kFileBytes);
  EXPECT_FALSE(IsLocked(kFar));
}

TEST_F(LockTest, UnmappingAPartKeepsTheLock) {
  std::byte* const mapping = LockByMapping(kFar);
  ASSERT_NE(mapping, nullptr);
  os_.Unmap(mapping, kPage);
  EXPECT_TRUE(IsLocked(kFar));
  os_.Unmap(mapping + kPage, kFileBytes - kPage);
  EXPECT_FALSE(IsLocked(kFar));
}

TEST_F(LockTest, ALockIsFreeAfterItsProcessWasKilled) {
  const auto holder = HolderOf(kFar);
  ASSERT_EQ(holder->Receive(), "locked");
  EXPECT_TRUE(IsLocked(kFar));
  holder->Kill();
  EXPECT_TRUE(test::WaitFor([&] { return !IsLocked(kFar); }));
}

TEST_F(LockTest, ALockIsFreeAfterItsProcessReturned) {
  const auto holder = HolderOf(kFar);
  ASSERT_EQ(holder->Receive(), "locked");
  holder->Send("end");
  ASSERT_TRUE(holder->Succeeded());
  EXPECT_TRUE(test::WaitFor([&] { return !IsLocked(kFar); }));
}

TEST_F(LockTest, AStoppedProcessKeepsItsLockUntilItIsKilled) {
  const auto holder = HolderOf(kFar);
  ASSERT_EQ(holder->Receive(), "locked");
  ASSERT_TRUE(holder->Stop());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(IsLocked(kFar));
  }
  ASSERT_TRUE(holder->Continue());
  EXPECT_TRUE(IsLocked(kFar));
  ASSERT_TRUE(holder->Stop());
  holder->Kill();
  EXPECT_TRUE(test::WaitFor([&] { return !IsLocked(kFar); }));
}

// The grandchild outlives the child; if it had kept the mapping or the descriptor, the lock of the
// dead child would stay.
class LockForkTest : public LockTest, public testing::WithParamInterface<bool> {};

TEST_P(LockForkTest, AForkedChildThatLivesOnDoesNotKeepTheLock) {
  const bool keep_descriptor = GetParam();
  ChildProcess child([&](ChildSide& parent) {
    Descriptor open;
    if (keep_descriptor) {
      open = MustOpen(path_);
      if (!os_.TryLock(open.fd(), kFar, true).value_or(false)) {
        return 1;
      }
    } else if (LockByMapping(kFar) == nullptr) {
      return 1;
    }
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      parent.Send(std::to_string(::getpid()));
      parent.Receive();
      return 0;
    }
    ::pause();
    return 0;
  });
  const auto grandchild = child.Receive();
  ASSERT_TRUE(grandchild.has_value());
  EXPECT_TRUE(IsLocked(kFar));
  ASSERT_TRUE(child.KillAndWait());
  EXPECT_TRUE(test::WaitFor([&] { return !IsLocked(kFar); }));
  // The grandchild lived all the time: it still accepts signal 0, and a message to end.
  EXPECT_EQ(::kill(std::stoi(*grandchild), 0), 0);
  EXPECT_TRUE(child.Send("end"));
}

INSTANTIATE_TEST_SUITE_P(HeldBy, LockForkTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Descriptor" : "Mapping"; });

TEST_F(LockTest, LockErrorsNameTheFileAndTheByte) {
  const Descriptor read_only = MustOpen(path_, Access::kReadOnly);
  const absl::Status status = os_.TryLock(read_only.fd(), 0x77, true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(MessageOf(status).find(path_), std::string::npos) << status;
  EXPECT_NE(MessageOf(status).find("0x77"), std::string::npos) << status;
  EXPECT_EQ(os_.TryLock(read_only.fd(), 1ULL << 63U, false).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace commy::platform
