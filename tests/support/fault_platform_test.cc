// The replaced answers of the test support itself.
#include "support/fault_platform.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "support/temp_dir.h"

namespace commy::test {
namespace {

using absl::StatusCode;
using platform::Access;

class FaultPlatformTest : public testing::Test {
 protected:
  TempDir temp_;
  FaultPlatform os_;
  const platform::Descriptor file_ = os_.CreateUnlinked(temp_.File("region")).value();
};

TEST_F(FaultPlatformTest, ABudgetIsSpentAndACallBeyondItChangesNothing) {
  os_.Set([](auto& faults) { faults.allocate_bytes_left = 8192; });
  EXPECT_TRUE(os_.Allocate(file_.fd(), 0, 4096).ok());
  EXPECT_EQ(os_.Allocate(file_.fd(), 4096, 8192).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(os_.Describe(file_.fd())->size_bytes, 4096U);
  EXPECT_TRUE(os_.Allocate(file_.fd(), 4096, 4096).ok());
  EXPECT_EQ(os_.Allocate(file_.fd(), 8192, 1).code(), StatusCode::kResourceExhausted);
  os_.Clear();
  EXPECT_TRUE(os_.Allocate(file_.fd(), 8192, 1).ok());
  EXPECT_EQ(os_.counts().allocate, 5U);
}

TEST_F(FaultPlatformTest, ManualClocksMoveOnlyByAdvanceAndSet) {
  os_.FreezeClocks();
  const std::int64_t monotonic = os_.MonotonicNs();
  const std::int64_t wall = os_.WallNs();
  EXPECT_EQ(os_.MonotonicNs(), monotonic);
  os_.Advance(5);
  EXPECT_EQ(os_.MonotonicNs(), monotonic + 5);
  EXPECT_EQ(os_.WallNs(), wall + 5);
}

TEST_F(FaultPlatformTest, IdentityAndErrorsAreAsSet) {
  platform::BootId other{};
  other.fill(7);
  os_.Set([&](auto& faults) {
    faults.no_locks = true;
    faults.boot_id = other;
    faults.identity = platform::FileIdentity{1, 2, 3};
    faults.process_name = "somebody";
    faults.process_id = 42;
    faults.sync = base::DataLoss("sync: broken disk");
    faults.register_barrier = base::FailedPrecondition("none");
  });
  EXPECT_EQ(os_.TryLock(file_.fd(), 0, true).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(os_.boot_id(), other);
  EXPECT_EQ(os_.Describe(file_.fd())->identity, (platform::FileIdentity{1, 2, 3}));
  EXPECT_EQ(os_.DescribePath(temp_.path())->identity, (platform::FileIdentity{1, 2, 3}));
  EXPECT_EQ(os_.process_name(), "somebody");
  EXPECT_EQ(os_.process_id(), 42U);
  EXPECT_EQ(os_.Sync(nullptr, 0).code(), StatusCode::kDataLoss);
  EXPECT_EQ(os_.RegisterBarrier().code(), StatusCode::kFailedPrecondition);
  os_.Clear();
  EXPECT_TRUE(*os_.TryLock(file_.fd(), 0, true));
  EXPECT_NE(os_.boot_id(), other);
}

}  // namespace
}  // namespace commy::test
