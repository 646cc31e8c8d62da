// Opening, describing and reading files, above all files of the wrong kind.
#include <array>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform_fixture.h"
#include "support/child_process.h"
#include "support/wait_for.h"

namespace commy::platform {
namespace {

using absl::StatusCode;

class FileTest : public PlatformFixture {
 protected:
  // The status of opening `path`, which must name it.
  absl::Status OpenStatus(const std::string& path, Access access) {
    absl::Status status = os_.Open(path, access).status();
    EXPECT_NE(MessageOf(status).find(path), std::string::npos) << status;
    return status;
  }
};

class RefusedOpenTest : public FileTest, public testing::WithParamInterface<Access> {};

TEST_P(RefusedOpenTest, OpeningAFileThatIsNotRegularIsInvalidAndNeverHangs) {
  const std::string fifo = temp_.File("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(OpenStatus(fifo, GetParam()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStatus(temp_.path(), GetParam()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStatus("/dev/null", GetParam()).code(), StatusCode::kInvalidArgument);
}

TEST_P(RefusedOpenTest, OpeningAMissingFileIsNotFound) {
  EXPECT_EQ(OpenStatus(temp_.File("missing"), GetParam()).code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenStatus(temp_.File("no/dir"), GetParam()).code(), StatusCode::kNotFound);
  EXPECT_EQ(os_.Open("", GetParam()).status().code(), StatusCode::kNotFound);
  const std::string dangling = temp_.File("dangling");
  ASSERT_EQ(::symlink("missing", dangling.c_str()), 0);
  EXPECT_EQ(OpenStatus(dangling, GetParam()).code(), StatusCode::kNotFound);
}

TEST_P(RefusedOpenTest, OpeningAnImpossiblePathIsInvalid) {
  const std::string file = MakeFile("file");
  EXPECT_EQ(OpenStatus(file + "/below", GetParam()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenStatus(temp_.File(std::string(300, 'x')), GetParam()).code(),
            StatusCode::kInvalidArgument);
  const std::string loop = temp_.File("loop");
  ASSERT_EQ(::symlink("loop", loop.c_str()), 0);
  EXPECT_EQ(OpenStatus(loop, GetParam()).code(), StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Access, RefusedOpenTest,
                         testing::Values(Access::kReadOnly, Access::kReadWrite),
                         [](const auto& test) {
                           return test.param == Access::kReadOnly ? "ReadOnly" : "ReadWrite";
                         });

TEST_F(FileTest, WithoutPermissionOpenAndCreateAreDenied) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "NOT TESTED: needs root, to become a user without permission";
  }
  const std::string path = MakeFile("private");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const std::string readable = MakeFile("readable");
  ASSERT_EQ(::chmod(readable.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(temp_.path().c_str(), 0755), 0);
  test::ChildProcess child([&](test::ChildSide&) {
    constexpr uid_t kNobody = 65534;
    if (::setresuid(kNobody, kNobody, kNobody) != 0) {
      return 1;
    }
    const auto denied = [](const absl::Status& status) {
      return status.code() == StatusCode::kPermissionDenied;
    };
    if (!denied(os_.Open(path, Access::kReadOnly).status())) {
      return 2;
    }
    if (!denied(os_.Open(readable, Access::kReadWrite).status())) {
      return 3;
    }
    if (!denied(os_.CreateUnlinked(temp_.File("new")).status())) {
      return 4;
    }
    return os_.Open(readable, Access::kReadOnly).ok() ? 0 : 5;
  });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
}

TEST_F(FileTest, AnOpenedFileIsCloseOnExecAndBlocking) {
  const Descriptor file = MustOpen(MakeFile("file"));
  EXPECT_NE(::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(::fcntl(file.fd(), F_GETFL) & O_NONBLOCK, 0);
  const auto again = os_.Reopen(file.fd(), Access::kReadOnly);
  ASSERT_TRUE(again.ok());
  EXPECT_NE(::fcntl(again->fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(::fcntl(again->fd(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(FileTest, DescribeAndDescribePathAgree) {
  const std::string path = MakeFile("file");
  const Descriptor file = MustOpen(path);
  const auto by_fd = os_.Describe(file.fd());
  const auto by_path = os_.DescribePath(path);
  ASSERT_TRUE(by_fd.ok() && by_path.ok());
  EXPECT_EQ(by_fd->identity, by_path->identity);
  EXPECT_EQ(by_fd->size_bytes, kFileBytes);
  EXPECT_GE(by_fd->disk_bytes, kFileBytes);
  EXPECT_TRUE(by_fd->is_regular);
  EXPECT_FALSE(by_fd->is_directory);
  EXPECT_TRUE(os_.DescribePath(temp_.path())->is_directory);
  EXPECT_EQ(os_.DescribePath(temp_.File("missing")).status().code(), StatusCode::kNotFound);
}

TEST_F(FileTest, AFileMadeInPlaceOfARemovedOneHasAnotherIdentity) {
  const std::string path = MakeFile("file");
  const FileIdentity before = os_.DescribePath(path)->identity;
  if (before.birth_ns == 0) {
    GTEST_SKIP() << "NOT TESTED: this file system knows no birth times";
  }
  // File systems stamp with a coarse clock, so wait until the clock shows another time.
  ASSERT_TRUE(test::WaitFor([&] {
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
               static_cast<std::uint64_t>(now.tv_nsec) >
           before.birth_ns;
  }));
  // Removed first, so that the inode number is free for reuse.
  ASSERT_EQ(::unlink(path.c_str()), 0);
  MakeFile("file");
  EXPECT_FALSE(before == os_.DescribePath(path)->identity);
}

TEST_F(FileTest, ReadAtReadsUpToTheEnd) {
  const Descriptor file = MustOpen(MakeFile("file"));
  ASSERT_EQ(::pwrite(file.fd(), "tail", 4, kFileBytes - 4), 4);
  std::array<char, 16> buffer{};
  EXPECT_EQ(*os_.ReadAt(file.fd(), buffer.data(), buffer.size(), kFileBytes - 4), 4U);
  EXPECT_EQ(std::memcmp(buffer.data(), "tail", 4), 0);
  EXPECT_EQ(*os_.ReadAt(file.fd(), buffer.data(), buffer.size(), kFileBytes), 0U);
  EXPECT_EQ(*os_.ReadAt(file.fd(), buffer.data(), 2, kFileBytes - 4), 2U);
  EXPECT_EQ(os_.ReadAt(file.fd(), buffer.data(), 16, ~0ULL - 3).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(FileTest, ADescriptorClosesItsNumberAndMovesIt) {
  Descriptor first = MustOpen(MakeFile("file"));
  const int number = first.fd();
  Descriptor second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): what a move leaves is the claim.
  EXPECT_EQ(second.fd(), number);
  second.Close();
  EXPECT_FALSE(second.valid());
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace commy::platform
