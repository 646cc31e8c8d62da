// A forked child inherits nothing of this floor.
#include "platform/fork.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "platform/background_work.h"
#include "platform/platform_fixture.h"
#include "support/child_process.h"
#include "support/wait_for.h"

namespace commy::platform {
namespace {

using test::ChildProcess;
using test::ChildSide;

// Whether any descriptor or mapping of this process is of a file below `directory`.
bool HoldsFilesOf(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry, gone).string().rfind(directory, 0) == 0) {
      return true;
    }
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(directory) != std::string::npos) {
      return true;
    }
  }
  return false;
}

class ForkTest : public PlatformFixture {
 protected:
  const std::string path_ = MakeFile("region");
};

TEST_F(ForkTest, TheGenerationGoesUpByOneInTheChildAndStaysInTheParent) {
  const std::uint64_t before = ForkGeneration();
  EXPECT_GE(before, 1U);
  ChildProcess child([&](ChildSide&) {
    if (ForkGeneration() != before + 1) {
      return 1;
    }
    ChildProcess grandchild([&](ChildSide&) { return ForkGeneration() == before + 2 ? 0 : 1; });
    return grandchild.Succeeded() && ForkGeneration() == before + 1 ? 0 : 2;
  });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
  EXPECT_EQ(ForkGeneration(), before);
}

TEST_F(ForkTest, ForkWaitsUntilNoBackgroundWorkIsRunning) {
  std::atomic<bool> stop = false;
  std::atomic<int> inside = 0;
  std::atomic<std::uint64_t> rounds = 0;
  const auto work_on = [&] {
    while (!stop) {
      const BackgroundWork work;
      inside += 1;
      for (int spin = 0; spin < 1'000 && !stop; ++spin) {
        rounds.fetch_add(1, std::memory_order_relaxed);
      }
      inside -= 1;
    }
  };
  std::thread one(work_on);
  std::thread other(work_on);
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t before = rounds;
    ChildProcess child([&](ChildSide&) {
      const BackgroundWork of_the_child;  // Need not wait: the threads are the parent's.
      return inside.load();
    });
    EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}))
        << "the fork came in the middle of background work";
    EXPECT_TRUE(test::WaitFor([&] { return rounds > before; }))
        << "background work did not resume after the fork";
  }
  stop = true;
  one.join();
  other.join();
}

TEST_F(ForkTest, ForkDoesNotWaitForeverForBackgroundWork) {
  const BackgroundWork endless;
  ChildProcess child([&](ChildSide&) { return 0; });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
}

TEST_F(ForkTest, DescriptorsAreClosedInTheChildAndUntouchedInTheParent) {
  Descriptor file = MustOpen(path_);
  const int number = file.fd();
  ASSERT_TRUE(HoldsFilesOf(temp_.path()));
  ChildProcess child([&](ChildSide&) {
    if (HoldsFilesOf(temp_.path())) {
      return 1;
    }
    return file.valid() ? 2 : 0;
  });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
  EXPECT_EQ(file.fd(), number);
  EXPECT_EQ(os_.Describe(number)->size_bytes, kFileBytes);
}

TEST_F(ForkTest, AnInheritedDescriptorDoesNotCloseANewFileOfItsNumber) {
  Descriptor inherited = MustOpen(path_);
  ChildProcess child([&](ChildSide&) {
    // The kernel gives the lowest free number, so this is the inherited one's.
    const int number = ::dup(STDERR_FILENO);
    const Descriptor own = MustOpen(path_);
    inherited.Close();
    inherited = Descriptor();
    return ::fcntl(number, F_GETFD) >= 0 && os_.Describe(own.fd()).ok() ? 0 : 1;
  });
  EXPECT_TRUE(child.Succeeded());
}

TEST_F(ForkTest, AForkedChildCanOpenFilesAndForkAgain) {
  const Descriptor file = MustOpen(path_);
  ChildProcess child([&](ChildSide&) {
    const auto own = os_.Open(path_, Access::kReadWrite);
    if (!own.ok()) {
      return 1;
    }
    ChildProcess grandchild([&](ChildSide&) { return HoldsFilesOf(temp_.path()) ? 1 : 0; });
    return grandchild.Succeeded() && own->valid() ? 0 : 2;
  });
  EXPECT_EQ(child.Wait(), (test::ChildEnd{true, 0, 0}));
}

TEST_F(ForkTest, AForkDuringOpeningOrMappingLeaksNothing) {
  constexpr int kForks = 150;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop.load()) {
        const auto file = os_.Open(path_, Access::kReadWrite);
        const auto mapped = os_.Map(file->fd(), kFileBytes, Access::kReadWrite);
        const auto again = os_.Reopen(file->fd(), Access::kReadWrite);
        os_.Unmap(*mapped, kFileBytes);
      }
    });
  }
  int leaks = 0;
  for (int i = 0; i < kForks; ++i) {
    // Only async-signal-safe calls would be proper in a child of a process with threads; the C
    // library of this platform also keeps its allocator whole across a fork.
    ChildProcess child([&](ChildSide&) { return HoldsFilesOf(temp_.path()) ? 1 : 0; });
    leaks += child.Succeeded() ? 0 : 1;
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(leaks, 0);
}

}  // namespace
}  // namespace commy::platform
