// A copy of a store without its blocks of zeros (cp, rsync --sparse, tar --sparse, fallocate
// --dig-holes) has lost the reserved blocks. No command may be ended by a signal.
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nlohmann/json.hpp"

#include "support/small_disk.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

class SparseCopyTest : public CliFixture {
 protected:
  static std::uint64_t DiskBytes(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return static_cast<std::uint64_t>(facts.st_blocks) * 512;
  }
  // Copies the file; pages of zeros become holes.
  static void CopySparse(const std::string& from, const std::string& to) {
    constexpr std::size_t kPage = 4096;
    std::ifstream in(from, std::ios::binary);
    const int out = ::open(to.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ASSERT_GE(out, 0);
    std::string page(kPage, '\0');
    off_t at = 0;
    while (in.read(page.data(), kPage) || in.gcount() > 0) {
      const auto got = static_cast<std::size_t>(in.gcount());
      if (page.find_first_not_of('\0') < got) {
        ASSERT_EQ(::pwrite(out, page.data(), got, at), static_cast<ssize_t>(got));
      }
      at += static_cast<off_t>(got);
    }
    ASSERT_EQ(::ftruncate(out, at), 0);
    ::close(out);
  }
  static void FillDisk(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const std::string page(4096, 'x');
    while (::write(fd, page.data(), page.size()) > 0) {
    }
    ::close(fd);
  }
  static nlohmann::json Check(const std::string& store) {
    return nlohmann::json::parse(Done({"check", store, "--json"}));
  }
};

TEST_F(SparseCopyTest, OpeningASparseCopyReservesItsBlocksAgain) {
  Done({"init", store_, "--max-size", "64MiB"});
  Done({"put", store_, "n", "key", "value"});
  const std::string copy = temp_.File("copy.commy");
  CopySparse(store_, copy);
  const std::uint64_t before = DiskBytes(copy);
  ASSERT_LT(before, DiskBytes(store_) / 2);
  EXPECT_EQ(Done({"get", copy, "n", "key"}), "value");
  // The published spans are reserved, but not the rest of their chunk.
  constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;
  EXPECT_GE(DiskBytes(copy), before + kPieceBytes / 2);
  EXPECT_GE(DiskBytes(copy) + (std::uint64_t{2} << 20) - kPieceBytes, DiskBytes(store_));
  EXPECT_EQ(Check(copy)["sound"], true);
}

TEST_F(SparseCopyTest, OnAFullDiskASparseCopyCanBeReadAndWritesFailWithTheReason) {
  const SmallDisk disk(std::uint64_t{12} << 20U);
  if (!disk.mounted()) {
    GTEST_SKIP() << "NOT TESTED: " << disk.error();
  }
  Done({"init", store_, "--max-size", "64MiB"});
  std::string lines;
  for (int i = 0; i < 2'000; ++i) {
    lines += std::to_string(i) + "\tvalue-" + std::to_string(i) + "\n";
  }
  Done({"load", store_, "n", "-"}, {.input = lines});
  Done({"put", store_, "ordered", "key", "value", "--ordered"});
  const std::string copy = disk.File("copy.commy");
  CopySparse(store_, copy);
  FillDisk(disk.File("full"));
  EXPECT_EQ(Done({"get", copy, "n", "17"}), "value-17");
  EXPECT_EQ(Done({"scan", copy, "n", "--keys"}), Done({"scan", store_, "n", "--keys"}));
  EXPECT_EQ(Done({"scan", copy, "ordered"}), "key\tvalue\n");
  EXPECT_EQ(Done({"ns", "list", copy, "--paths"}), Done({"ns", "list", store_, "--paths"}));
  EXPECT_EQ(Check(copy)["sound"], true);
  Done({"stat", copy});
  Done({"ps", copy});
  Fails(1, {"get", copy, "n", "absent"}, {"absent"});
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"put", copy, "n", "key", "value"},
                                             {"del", copy, "n", "17"},
                                             {"add", copy, "n", "count", "1"},
                                             {"ns", "create", copy, "new"},
                                             {"ns", "drop", copy, "n"}}) {
    Fails(3, command, {copy, "No space left"});
  }
  ASSERT_EQ(::unlink(disk.File("full").c_str()), 0);
  Done({"put", copy, "n", "key", "value"});
  EXPECT_EQ(Done({"get", copy, "n", "17"}), "value-17");
  EXPECT_EQ(Check(copy)["sound"], true);
}

}  // namespace
}  // namespace commy::test
