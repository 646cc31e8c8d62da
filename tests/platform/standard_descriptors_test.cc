// No descriptor of the engine is 0, 1 or 2, whichever of them the process has closed. Output of the
// process to a closed one is lost, and never goes into a file that is being opened.
#include "platform/standard_descriptors.h"

#include <atomic>
#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "platform/linux_platform.h"
#include "platform/platform_fixture.h"
#include "support/child_process.h"

namespace commy::platform {
namespace {

using test::ChildEnd;
using test::ChildProcess;
using test::ChildSide;

bool IsClosed(int fd) {
  return ::fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

class NoNamelessFiles : public LinuxPlatform {
 protected:
  int OpenUnnamed(const std::string& /*directory*/) override {
    errno = EOPNOTSUPP;
    return -1;
  }
};

// Which of 0, 1 and 2 are closed, as bits.
class StandardDescriptorsTest : public PlatformFixture, public testing::WithParamInterface<int> {
 protected:
  [[nodiscard]] static bool Chosen(int fd) {
    return ((static_cast<unsigned>(GetParam()) >> static_cast<unsigned>(fd)) & 1U) != 0;
  }
  static void CloseChosen() {
    for (int fd = 0; fd < kStandardDescriptors; ++fd) {
      if (Chosen(fd)) {
        ::close(fd);
      }
    }
  }
  // Whether the chosen ones, and only they, are closed.
  static bool OnlyChosenAreClosed() {
    for (int fd = 0; fd < kStandardDescriptors; ++fd) {
      if (IsClosed(fd) != Chosen(fd)) {
        return false;
      }
    }
    return true;
  }
};

TEST_P(StandardDescriptorsTest, NoFileIsOpenedUnderANumberThatTheProcessHasClosed) {
  const std::string path = MakeFile("region");
  ChildProcess child([&](ChildSide&) {
    CloseChosen();
    const auto high = [](const absl::StatusOr<Descriptor>& opened) {
      return opened.ok() && opened->fd() >= kStandardDescriptors;
    };
    const auto opened = os_.Open(path, Access::kReadWrite);
    if (!high(opened) || !high(os_.Reopen(opened->fd(), Access::kReadWrite))) {
      return 1;
    }
    NoNamelessFiles provisional;
    for (Platform* const platform : {&os_, static_cast<Platform*>(&provisional)}) {
      const std::string made = temp_.File(platform == &os_ ? "one" : "other");
      const auto created = platform->CreateUnlinked(made);
      if (!high(created) || !platform->Link(created->fd(), made).ok()) {
        return 2;
      }
    }
    (void)os_.boot_id();
    return OnlyChosenAreClosed() ? 0 : 3;
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
}

TEST_P(StandardDescriptorsTest, OutputToAClosedDescriptorIsLostWhileAFileIsOpened) {
  const std::string path = MakeFile("region");
  ChildProcess child([&](ChildSide&) {
    CloseChosen();
    std::atomic<bool> stop = false;
    std::atomic<bool> printed = false;
    std::thread printer([&] {
      while (!stop) {
        for (int fd = 0; fd < kStandardDescriptors; ++fd) {
          if (Chosen(fd) && ::write(fd, "x", 1) >= 0) {
            printed = true;
          }
        }
      }
    });
    for (int i = 0; i < 3'000; ++i) {
      const auto opened = os_.Open(path, Access::kReadWrite);
    }
    stop = true;
    printer.join();
    return printed ? 1 : 0;
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
}

INSTANTIATE_TEST_SUITE_P(Closed, StandardDescriptorsTest, testing::Range(0, 8),
                         [](const auto& test) {
                           std::string name = "None";
                           for (int fd = 0; fd < kStandardDescriptors; ++fd) {
                             if (((static_cast<unsigned>(test.param) >> static_cast<unsigned>(fd)) &
                                  1U) != 0) {
                               name = (name == "None" ? "" : name) + std::to_string(fd);
                             }
                           }
                           return name;
                         });

TEST(AboveStandardDescriptorsTest, AboveStandardDescriptorsClosesTheLowNumberAgain) {
  ChildProcess child([&](ChildSide&) {
    ::close(1);
    const int low = ::open("/", O_RDONLY);
    const int moved = AboveStandardDescriptors(low);
    return low == 1 && moved >= kStandardDescriptors && IsClosed(1) &&
                   (::fcntl(moved, F_GETFD) & FD_CLOEXEC) != 0
               ? 0
               : 1;
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
}

}  // namespace
}  // namespace commy::platform
