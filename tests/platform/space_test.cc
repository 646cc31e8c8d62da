// Disk blocks: reserved, given back, and unavailable.
#include <algorithm>
#include <cerrno>
#include <vector>

#include <unistd.h>

#include "platform/linux_platform.h"
#include "platform/platform_fixture.h"
#include "support/small_disk.h"

namespace commy::platform {
namespace {

using absl::StatusCode;

class SpaceTest : public PlatformFixture {
 protected:
  std::uint64_t SizeOf(const Descriptor& file) { return os_.Describe(file.fd())->size_bytes; }

  const std::string path_ = MakeFile("region");
  const Descriptor file_ = MustOpen(path_);
};

TEST_F(SpaceTest, AllocateExtendsKeepsContentAndNeverShortens) {
  ASSERT_EQ(::pwrite(file_.fd(), "kept", 4, 100), 4);
  ASSERT_TRUE(os_.Allocate(file_.fd(), kFileBytes, kFileBytes).ok());
  EXPECT_EQ(SizeOf(file_), 2 * kFileBytes);
  ASSERT_TRUE(os_.Allocate(file_.fd(), 0, kPage).ok());
  ASSERT_TRUE(os_.Allocate(file_.fd(), 0, 0).ok());
  EXPECT_EQ(SizeOf(file_), 2 * kFileBytes);
  std::string content(4, '\0');
  ASSERT_EQ(*os_.ReadAt(file_.fd(), content.data(), 4, 100), 4U);
  EXPECT_EQ(content, "kept");
  EXPECT_GE(os_.Describe(file_.fd())->disk_bytes, 2 * kFileBytes);
}

TEST_F(SpaceTest, PunchGivesBlocksBackAndTheRangeReadsAsZeros) {
  const std::vector<char> ones(kFileBytes, 1);
  ASSERT_EQ(::pwrite(file_.fd(), ones.data(), ones.size(), 0), static_cast<ssize_t>(ones.size()));
  ASSERT_EQ(::fsync(file_.fd()), 0);
  const std::uint64_t before = os_.Describe(file_.fd())->disk_bytes;
  ASSERT_TRUE(os_.Punch(file_.fd(), 4 * kPage, 8 * kPage).ok());
  EXPECT_EQ(SizeOf(file_), kFileBytes);
  EXPECT_LE(os_.Describe(file_.fd())->disk_bytes, before - 8 * kPage);
  std::vector<char> content(kFileBytes);
  ASSERT_EQ(*os_.ReadAt(file_.fd(), content.data(), content.size(), 0), kFileBytes);
  EXPECT_EQ(std::count(content.begin(), content.end(), 1), 8 * static_cast<int>(kPage));
  EXPECT_EQ(std::count(content.begin() + 4 * kPage, content.begin() + 12 * kPage, 0),
            8 * static_cast<int>(kPage));
}

TEST_F(SpaceTest, TruncateSetsTheSizeBothWays) {
  ASSERT_TRUE(os_.Truncate(file_.fd(), kPage).ok());
  EXPECT_EQ(SizeOf(file_), kPage);
  ASSERT_TRUE(os_.Truncate(file_.fd(), 3 * kPage).ok());
  EXPECT_EQ(SizeOf(file_), 3 * kPage);
}

TEST_F(SpaceTest, ARangeBeyondTheLargestFileSizeIsInvalid) {
  EXPECT_EQ(os_.Allocate(file_.fd(), ~0ULL, 1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(os_.Allocate(file_.fd(), 1, ~0ULL).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(os_.Punch(file_.fd(), ~0ULL, 1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(os_.Truncate(file_.fd(), ~0ULL).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SizeOf(file_), kFileBytes);
}

class FullDiskTest : public PlatformFixture {
 protected:
  static constexpr std::uint64_t kDiskBytes = 1 << 20;

  void SetUp() override {
    if (!disk_.mounted()) {
      GTEST_SKIP() << "NOT TESTED: " << disk_.error();
    }
    file_ = *os_.CreateUnlinked(disk_.File("region"));
  }

  test::SmallDisk disk_{kDiskBytes};
  Descriptor file_;
};

TEST_F(FullDiskTest, AllocateOnAFullDiskIsResourceExhaustedAndLosesNothing) {
  ASSERT_TRUE(os_.Allocate(file_.fd(), 0, kDiskBytes / 2).ok());
  ASSERT_EQ(::pwrite(file_.fd(), "kept", 4, 0), 4);
  const absl::Status status = os_.Allocate(file_.fd(), kDiskBytes / 2, kDiskBytes);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(MessageOf(status).find("reserve 1.0 MiB at 0x80000 of "), std::string::npos) << status;
  std::string content(4, '\0');
  ASSERT_EQ(*os_.ReadAt(file_.fd(), content.data(), 4, 0), 4U);
  EXPECT_EQ(content, "kept");
  EXPECT_TRUE(os_.Allocate(file_.fd(), kDiskBytes / 2, kPage).ok());
}

TEST_F(FullDiskTest, PopulateOfAHoleIsAnErrorAndNotASignal) {
  // A hole that the disk has no room for: touching it would end the process.
  ASSERT_TRUE(os_.Truncate(file_.fd(), 2 * kDiskBytes).ok());
  std::byte* const mapping = *os_.Map(file_.fd(), 2 * kDiskBytes, Access::kReadWrite);
  EXPECT_EQ(os_.Populate(mapping, 2 * kDiskBytes).code(), StatusCode::kResourceExhausted);
  os_.Unmap(mapping, 2 * kDiskBytes);
}

}  // namespace
}  // namespace commy::platform
