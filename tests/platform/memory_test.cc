// Mappings: past the end of the file, grown by another process, populated, not inherited.
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/shared_atomic.h"
#include "platform/linux_platform.h"
#include "platform/platform_fixture.h"
#include "support/child_process.h"

namespace commy::platform {
namespace {

using absl::StatusCode;
using base::Shared64;

constexpr std::uint64_t kMapBytes = 1ULL << 30U;

// Whether the byte can be read, found out without touching it.
bool Readable(const std::byte* address) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    return false;
  }
  const bool readable = ::write(ends[1], address, 1) == 1;
  ::close(ends[0]);
  ::close(ends[1]);
  return readable;
}

class MemoryTest : public PlatformFixture {
 protected:
  ~MemoryTest() override { os_.Unmap(mapping_, kMapBytes); }

  Shared64& Word(std::uint64_t offset_bytes) {
    return *reinterpret_cast<Shared64*>(mapping_ + offset_bytes);
  }

  const std::string path_ = MakeFile("region");
  const Descriptor file_ = MustOpen(path_);
  std::byte* const mapping_ = os_.Map(file_.fd(), kMapBytes, Access::kReadWrite).value();
};

TEST_F(MemoryTest, AMappingPastTheEndShowsWhatAnotherProcessAppends) {
  EXPECT_TRUE(Readable(mapping_ + kFileBytes - 1));
  EXPECT_FALSE(Readable(mapping_ + kFileBytes));
  test::ChildProcess grower([&](test::ChildSide&) {
    const auto file = os_.Open(path_, Access::kReadWrite);
    if (!file.ok() || !os_.Allocate(file->fd(), kFileBytes, kFileBytes).ok()) {
      return 1;
    }
    const auto mapped = os_.Map(file->fd(), kMapBytes, Access::kReadWrite);
    if (!mapped.ok() || !os_.Populate(*mapped + kFileBytes, kFileBytes).ok()) {
      return 2;
    }
    reinterpret_cast<Shared64*>(*mapped + kFileBytes)->store(77, std::memory_order_release);
    return 0;
  });
  ASSERT_TRUE(grower.Succeeded());
  EXPECT_EQ(Word(kFileBytes).load(std::memory_order_acquire), 77U);
  EXPECT_TRUE(Readable(mapping_ + 2 * kFileBytes - 1));
  EXPECT_FALSE(Readable(mapping_ + 2 * kFileBytes));
}

TEST_F(MemoryTest, AMappingBeginsAtALargePage) {
  for (const std::uint64_t bytes : {kPage, kMapBytes, kMapBytes + kPage, kMapBytes + 1}) {
    std::byte* const other = os_.Map(file_.fd(), bytes, Access::kReadWrite).value();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(other) % kLargePageBytes, 0U);
    EXPECT_TRUE(Readable(other));
    os_.Unmap(other, bytes);
    EXPECT_FALSE(Readable(other));
  }
  EXPECT_FALSE(os_.Map(file_.fd(), 0, Access::kReadWrite).ok());
}

TEST_F(MemoryTest, PopulateResidentMakesCachedPagesPresentAndChangesNoByte) {
  const std::string bytes(kFileBytes, 'x');
  ASSERT_EQ(::pwrite(file_.fd(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(os_.DescribeMapped(mapping_, kMapBytes)->present_bytes, 0U);
  os_.PopulateResident(mapping_, kFileBytes);
  EXPECT_GE(os_.DescribeMapped(mapping_, kMapBytes)->present_bytes, kFileBytes);
  EXPECT_EQ(Word(0).load(std::memory_order_relaxed), 0x7878787878787878U);
}

TEST_F(MemoryTest, PopulateResidentReadsNothingFromDisk) {
  ASSERT_EQ(::fsync(file_.fd()), 0);
  ASSERT_EQ(::posix_fadvise(file_.fd(), 0, 0, POSIX_FADV_DONTNEED), 0);
  unsigned char resident = 0;
  ASSERT_EQ(::mincore(mapping_, kPage, &resident), 0);
  if ((resident & 1U) != 0) {
    GTEST_SKIP() << "NOT TESTED: this file system keeps all of its files in memory";
  }
  os_.PopulateResident(mapping_, kFileBytes);
  EXPECT_EQ(os_.DescribeMapped(mapping_, kMapBytes)->present_bytes, 0U);
}

TEST_F(MemoryTest, LargePagesAreCountedWhereThereAreAny) {
  ASSERT_TRUE(os_.Allocate(file_.fd(), 0, 2 * kLargePageBytes).ok());
  os_.AdviseLargePages(mapping_, kMapBytes);
  ASSERT_TRUE(os_.Populate(mapping_ + kLargePageBytes, kLargePageBytes).ok());
  const MappedMemory memory = *os_.DescribeMapped(mapping_, kMapBytes);
  EXPECT_GE(memory.present_bytes, kLargePageBytes);
  EXPECT_LE(memory.large_page_bytes, memory.present_bytes);
  if (memory.large_page_bytes == 0) {
    GTEST_SKIP() << "NOT TESTED: this file system has no large pages";
  }
  EXPECT_EQ(memory.large_page_bytes % kLargePageBytes, 0U);
}

TEST_F(MemoryTest, StoresReachTheFile) {
  Word(64).store(0x1122334455667788, std::memory_order_release);
  EXPECT_TRUE(os_.Sync(mapping_ + 64, 8).ok());
  std::uint64_t stored = 0;
  ASSERT_EQ(*os_.ReadAt(file_.fd(), &stored, sizeof stored, 64), sizeof stored);
  EXPECT_EQ(stored, 0x1122334455667788U);
}

TEST_F(MemoryTest, SyncOfARangeThatIsNotMappedIsAnError) {
  EXPECT_FALSE(os_.Sync(nullptr, kPage).ok());
}

TEST_F(MemoryTest, AForkedChildHasNoMapping) {
  ASSERT_TRUE(Readable(mapping_));
  test::ChildProcess child([&](test::ChildSide&) { return Readable(mapping_) ? 1 : 0; });
  EXPECT_TRUE(child.Succeeded());
}

TEST_F(MemoryTest, AReadOnlyMappingCannotBeStoredTo) {
  const Descriptor read_only = MustOpen(path_, Access::kReadOnly);
  EXPECT_EQ(os_.Map(read_only.fd(), kMapBytes, Access::kReadWrite).status().code(),
            StatusCode::kPermissionDenied);
  std::byte* const mapped = *os_.Map(read_only.fd(), kMapBytes, Access::kReadOnly);
  Word(0).store(5, std::memory_order_release);
  EXPECT_EQ(reinterpret_cast<Shared64*>(mapped)->load(std::memory_order_acquire), 5U);
  EXPECT_EQ(os_.Populate(mapped, kPage).code(), StatusCode::kInvalidArgument);
  os_.Unmap(mapped, kMapBytes);
}

TEST_F(MemoryTest, AMappingLargerThanTheAddressSpaceIsAnErrorThatNamesTheFile) {
  const absl::Status status = os_.Map(file_.fd(), 1ULL << 56U, Access::kReadWrite).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(MessageOf(status).find(path_), std::string::npos) << status;
  EXPECT_EQ(os_.Map(file_.fd(), 0, Access::kReadWrite).status().code(),
            StatusCode::kInvalidArgument);
}

// The kernel's own populating and the page by page one that older kernels get.
class OldKernel : public LinuxPlatform {
 protected:
  int AdvisePopulate(std::byte* /*address*/, std::uint64_t /*size_bytes*/) override {
    errno = EINVAL;
    return -1;
  }
};

class BrokenMemory : public LinuxPlatform {
 protected:
  int AdvisePopulate(std::byte* /*address*/, std::uint64_t /*size_bytes*/) override {
    errno = EHWPOISON;
    return -1;
  }
};

TEST_F(MemoryTest, PopulateMakesPagesPresentAndChangesNoByte) {
  LinuxPlatform now;
  OldKernel old;
  Word(kPage + 8).store(99, std::memory_order_relaxed);
  for (LinuxPlatform* platform : {&now, static_cast<LinuxPlatform*>(&old)}) {
    std::byte* const fresh = *os_.Map(file_.fd(), kFileBytes, Access::kReadWrite);
    // From the middle of page 1 to the middle of page 3: whole pages are meant.
    ASSERT_TRUE(platform->Populate(fresh + kPage + 100, 2 * kPage).ok());
    EXPECT_EQ(reinterpret_cast<Shared64*>(fresh + kPage + 8)->load(std::memory_order_relaxed), 99U);
    os_.Unmap(fresh, kFileBytes);
  }
}

TEST_F(MemoryTest, PopulatePastTheEndIsAnErrorAndNotASignal) {
  EXPECT_EQ(os_.Populate(mapping_ + kFileBytes - kPage, 2 * kPage).code(),
            StatusCode::kResourceExhausted);
}

TEST_F(MemoryTest, PopulateOfABrokenPageIsDataLoss) {
  EXPECT_EQ(BrokenMemory().Populate(mapping_, kPage).code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace commy::platform
