// A process that may have no more threads, files, address space or descriptors gets a status that
// names the limit and the remedy. Nothing is thrown, no signal comes, and no unusable file is left.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/child_process.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

constexpr uid_t kNobody = 65534;

class LimitsTest : public StoreFixture {
 protected:
  LimitsTest() { ::chmod(temp_.path().c_str(), 0777); }

  static bool Limit(int what, rlim_t value) {
    const rlimit limit{value, value};
    return ::setrlimit(static_cast<__rlimit_resource_t>(what), &limit) == 0;
  }
  static bool IsFull(const absl::Status& status, const std::string& part) {
    return Says(status, absl::StatusCode::kResourceExhausted, part);
  }
  static std::uint64_t AddressSpaceBytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0;
    file >> pages;
    return pages * 4096;
  }
};

TEST_F(LimitsTest, OpenFailsWithoutKeepingASlotWhereNoThreadCanBeStarted) {
  const Store store = MustOpen(SmallOptions());
  ::chmod(path_.c_str(), 0666);
  for (const bool read_only : {false, true}) {
    ChildProcess child([&](ChildSide&) {
      // The limit does not apply to root.
      if ((::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ||
          !Limit(RLIMIT_NPROC, 0)) {
        return 1;
      }
      Options options = SmallOptions();
      options.read_only = read_only;
      return IsFull(Store::Open(path_, options).status(), "thread") ? 0 : 2;
    });
    EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
  }
  EXPECT_EQ(store.Participants()->size(), 1U);
}

TEST_F(LimitsTest, AFileSizeLimitIsAStatusAndNoSignal) {
  {
    const Store store = MustOpen(SmallOptions());
    ASSERT_TRUE(MustOpenNamespace(store, "n").Put("key", "value").ok());
  }
  const std::string other = temp_.File("other");
  ChildProcess child([&](ChildSide&) {
    if (!Limit(RLIMIT_FSIZE, 100 << 10)) {
      return 1;
    }
    if (!IsFull(Store::Open(other, SmallOptions()).status(), "ulimit -f")) {
      return 2;
    }
    const auto store = Store::Open(path_, QuietOptions());
    if (!store.ok()) {
      return 3;
    }
    const auto ns = store->OpenNamespace("n");
    absl::Status put;
    for (int i = 0; put.ok() && i < 10'000; ++i) {
      put = ns->Put(std::to_string(i), std::string(10'000, 'x'));
    }
    return IsFull(put, "ulimit -f") && *ns->Get("key") == "value" ? 0 : 4;
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(LimitsTest, AStoreThatTheProcessCannotMapIsNotCreated) {
  expect_store_ = false;
  ChildProcess child([&](ChildSide&) {
    if (!Limit(RLIMIT_AS, AddressSpaceBytes() + (std::uint64_t{1} << 30))) {
      return 1;
    }
    const absl::Status status = Store::Open(path_).status();  // 64 GiB.
    return IsFull(status, "ulimit -v") && IsFull(status, "max_size") ? 0 : 2;
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LimitsTest, TheStatusNamesTheLimitOfOpenFiles) {
  { const Store store = MustOpen(SmallOptions()); }
  ChildProcess child([&](ChildSide&) {
    return Limit(RLIMIT_NOFILE, 3) &&
                   IsFull(Store::Open(path_, SmallOptions()).status(), "ulimit -n")
               ? 0
               : 1;
  });
  EXPECT_EQ(child.Wait(), (ChildEnd{true, 0, 0}));
}

TEST_F(LimitsTest, APathWithANulByteIsRefusedAndNotCut) {
  expect_store_ = false;
  const std::string path = path_ + std::string("\0more", 5);
  for (const bool create : {false, true}) {
    Options options = SmallOptions();
    options.create_if_missing = create;
    EXPECT_TRUE(
        Says(Store::Open(path, options).status(), absl::StatusCode::kInvalidArgument, "NUL byte"));
  }
  { const Store store = MustOpen(SmallOptions()); }
  EXPECT_TRUE(Says(Store::Open(path).status(), absl::StatusCode::kInvalidArgument, "NUL byte"));
  EXPECT_TRUE(
      Says(Store::ParticipantsOf(path).status(), absl::StatusCode::kInvalidArgument, "NUL byte"));
}

TEST_F(LimitsTest, ParticipantsAreListedWhenAllSlotsAreTaken) {
  Options options = SmallOptions();
  std::vector<Store> all;
  for (std::uint64_t i = 0; i < options.participants; ++i) {
    all.push_back(MustOpen(options));
  }
  EXPECT_TRUE(
      Says(Store::Open(path_, options).status(), absl::StatusCode::kResourceExhausted, "commy ps"));
  const auto seen = Store::ParticipantsOf(path_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->size(), all.size());
  EXPECT_EQ(seen->front().pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(all.front().Participants()->size(), all.size());
}

}  // namespace
}  // namespace commy::test
