// What the tests of this floor share: a directory, the real platform, and files in it.
#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "platform/platform.h"
#include "support/temp_dir.h"

namespace commy::platform {

class PlatformFixture : public testing::Test {
 protected:
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint64_t kFileBytes = 16 * kPage;

  // A new file `name` of kFileBytes zeros; its path.
  std::string MakeFile(const std::string& name) {
    std::string path = temp_.File(name);
    auto made = os_.CreateUnlinked(path);
    EXPECT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE(os_.Allocate(made->fd(), 0, kFileBytes).ok());
    EXPECT_TRUE(os_.Link(made->fd(), path).ok());
    return path;
  }

  Descriptor MustOpen(const std::string& path, Access access = Access::kReadWrite) {
    auto opened = os_.Open(path, access);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : Descriptor();
  }

  test::TempDir temp_;
  Platform& os_ = Platform::Real();
};

inline std::string MessageOf(const absl::Status& status) {
  return status.ToString();
}

}  // namespace commy::platform
