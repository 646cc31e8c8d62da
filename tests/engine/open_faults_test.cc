// Files that are no store, or that cannot be opened. Each gives its own status, which names the
// file and the fault, and a refused open leaves every byte as it was. Faults of a store in use
// are in use_faults_test.cc, full stores in full_store_test.cc.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "region/layout.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/seen_dead.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using region::RegionHeader;

class OpenFaultsTest : public StoreFixture {
 protected:
  void SetUp() override {
    Store store = MustOpen(QuietOptions());
    ASSERT_TRUE(MustOpenNamespace(store, "n").Put("key", "value").ok());
    ASSERT_TRUE(store.Close().ok());
  }

  // Expects that opening is refused with `code`, and changes nothing.
  void ExpectRefused(Code code, const std::string& part) {
    const std::string before = FileBytes(path_);
    const absl::Status status = Store::Open(path_, QuietOptions()).status();
    EXPECT_TRUE(Says(status, code, part));
    EXPECT_TRUE(Says(status, code, path_)) << "names the file";
    EXPECT_TRUE(FileBytes(path_) == before) << "the refused open changed the file";
  }
  void Patch(std::size_t offset, const std::string& bytes) {
    std::string content = FileBytes(path_);
    content.replace(offset, bytes.size(), bytes);
    WriteFileBytes(path_, content);
  }
  void PatchHeader(const std::function<void(RegionHeader&)>& change, bool right_checksum) {
    RegionHeader header;
    std::memcpy(&header, FileBytes(path_).data(), sizeof(header));
    change(header);
    if (right_checksum) {
      header.checksum = base::Checksum(&header, region::kConstantHeaderBytes);
    }
    Patch(0, std::string(reinterpret_cast<const char*>(&header), sizeof(header)));
  }
};

TEST_F(OpenFaultsTest, AFileOfAnotherKindIsRefused) {
  expect_store_ = false;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{4095}}) {
    WriteFileBytes(path_, std::string(bytes, 'x'));
    ExpectRefused(Code::kInvalidArgument, "not a Commy store");
  }
  WriteFileBytes(path_, std::string(100'000, 'x'));
  ExpectRefused(Code::kInvalidArgument, "not a Commy store");
}

TEST_F(OpenFaultsTest, AnotherFormatVersionIsRefusedAndNamed) {
  for (const bool right_checksum : {true, false}) {
    const std::string good = FileBytes(path_);
    PatchHeader([](RegionHeader& header) { header.format_version = 77; }, right_checksum);
    ExpectRefused(Code::kFailedPrecondition, "format version 77");
    WriteFileBytes(path_, good);
  }
}

TEST_F(OpenFaultsTest, ADamagedHeaderIsRefused) {
  const std::string good = FileBytes(path_);
  for (std::size_t at = 0x010; at < region::kConstantHeaderBytes; at += 4) {
    Patch(at, std::string(1, static_cast<char>(good[at] ^ 0x40)));
    ExpectRefused(Code::kDataLoss, "commy recover");
    WriteFileBytes(path_, good);
  }
}

TEST_F(OpenFaultsTest, AHeaderThatContradictsItselfIsRefusedEvenWithARightChecksum) {
  const std::string good = FileBytes(path_);
  const std::vector<std::function<void(RegionHeader&)>> lies = {
      [](RegionHeader& header) { header.lanes_offset += 4096; },
      [](RegionHeader& header) { header.participants_offset = 0; },
      [](RegionHeader& header) { header.snapshots_offset -= 4096; },
      [](RegionHeader& header) { header.span_words_offset += 8; },
      [](RegionHeader& header) { header.data_offset = std::uint64_t{1} << 60; },
      [](RegionHeader& header) { header.header_bytes = 8192; },
      [](RegionHeader& header) { header.lane_count += 64; },
      [](RegionHeader& header) { header.size_bytes.raw += 1; },
      [](RegionHeader& header) { header.size_bytes.raw = 0; },
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE(i);
    PatchHeader(lies[i], true);
    ExpectRefused(Code::kDataLoss, "");
    WriteFileBytes(path_, good);
  }
  const std::vector<std::function<void(RegionHeader&)>> nonsense = {
      [](RegionHeader& header) { header.span_bytes = 12345; },
      [](RegionHeader& header) { header.span_bytes = 0; },
      [](RegionHeader& header) { header.chunk_bytes = 0; },
      [](RegionHeader& header) { header.max_size_bytes = 0; },
      [](RegionHeader& header) { header.max_size_bytes = UINT64_MAX; },
      [](RegionHeader& header) { header.participant_count = 0; },
      [](RegionHeader& header) { header.lane_count = UINT32_MAX; },
      [](RegionHeader& header) { header.segment_buckets = 0; },
      [](RegionHeader& header) { header.stale_after_ns = 0; },
  };
  for (std::size_t i = 0; i < nonsense.size(); ++i) {
    SCOPED_TRACE(i);
    PatchHeader(nonsense[i], true);
    const std::string before = FileBytes(path_);
    EXPECT_FALSE(Store::Open(path_, QuietOptions()).ok());
    EXPECT_TRUE(FileBytes(path_) == before);
    WriteFileBytes(path_, good);
  }
}

TEST_F(OpenFaultsTest, ATruncatedFileIsRefusedWithBothLengths) {
  const std::string good = FileBytes(path_);
  for (const std::uint64_t bytes :
       {std::uint64_t{4096}, std::uint64_t{good.size() / 2}, std::uint64_t{good.size() - 1}}) {
    std::filesystem::resize_file(path_, bytes);
    ExpectRefused(Code::kDataLoss, std::to_string(bytes) + " bytes");
    ExpectRefused(Code::kDataLoss, std::to_string(good.size()));
    WriteFileBytes(path_, good);
  }
}

TEST_F(OpenFaultsTest, AFileThatIsLongerThanItsHeaderSaysOpens) {
  // A participant that dies while it grows the file leaves one.
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) + 12345);
  Store store = MustOpen(QuietOptions());
  EXPECT_EQ(*MustOpenNamespace(store, "n").Get("key"), "value");
}

TEST_F(OpenFaultsTest, ADirectoryAPipeAndAMissingDirectoryAreRefused) {
  const std::string dir = temp_.File("dir");
  ASSERT_EQ(::mkdir(dir.c_str(), 0755), 0);
  EXPECT_TRUE(Says(Store::Open(dir).status(), Code::kInvalidArgument, "directory"));
  EXPECT_TRUE(Says(Store::Open(dir).status(), Code::kInvalidArgument, dir));
  const std::string pipe = temp_.File("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0644), 0);
  EXPECT_TRUE(Says(Store::Open(pipe).status(), Code::kInvalidArgument, "regular file"));
  const std::string nowhere = temp_.File("no/such/dir/store");
  EXPECT_TRUE(Says(Store::Open(nowhere).status(), Code::kNotFound, nowhere));
}

TEST_F(OpenFaultsTest, OpeningWithoutPermissionIsPermissionDenied) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "SKIPPED: needs root, to become uid 65534";
  }
  ASSERT_EQ(::chmod(temp_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  const std::string before = FileBytes(path_);
  ChildProcess child([&](ChildSide& parent) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
      return 1;
    }
    for (const std::string& path : {path_, temp_.File("new")}) {
      const absl::Status status = Store::Open(path, QuietOptions()).status();
      parent.Send(absl::StatusCodeToString(status.code()) + " " + std::string(status.message()));
    }
    return 0;
  });
  for (const std::string& path : {path_, temp_.File("new")}) {
    const std::string said = child.Receive().value_or("nothing");
    EXPECT_NE(said.find("PERMISSION_DENIED"), std::string::npos) << said;
    EXPECT_NE(said.find(path), std::string::npos) << said;
  }
  EXPECT_TRUE(child.Succeeded());
  EXPECT_TRUE(FileBytes(path_) == before);
  EXPECT_FALSE(std::filesystem::exists(temp_.File("new")));
}

TEST_F(OpenFaultsTest, OpenHonoursTheCreateAndExistOptions) {
  Options options = QuietOptions();
  options.error_if_exists = true;
  EXPECT_TRUE(Says(Store::Open(path_, options).status(), Code::kAlreadyExists, path_));
  options.error_if_exists = false;
  options.create_if_missing = false;
  EXPECT_TRUE(Says(Store::Open(temp_.File("none"), options).status(), Code::kNotFound, "none"));
  EXPECT_FALSE(std::filesystem::exists(temp_.File("none")));
}

TEST_F(OpenFaultsTest, OptionsOutOfRangeAreNamedAndMakeNoFile) {
  const std::vector<std::pair<std::function<void(Options&)>, std::string>> bad = {
      {[](Options& options) { options.max_size = 0; }, "max_size"},
      {[](Options& options) { options.max_size = std::uint64_t{1} << 41; }, "max_size"},
      {[](Options& options) { options.max_size = 8192; },
       "a max_size of 8192 bytes is too small: with 32 participants"},
      {[](Options& options) { options.stale_after = absl::Microseconds(1); }, "stale_after"},
      {[](Options& options) { options.stale_after = absl::Hours(25); }, "stale_after"},
      {[](Options& options) { options.stale_after = absl::Seconds(-1); }, "stale_after"},
      {[](Options& options) { options.operation_timeout = absl::ZeroDuration(); },
       "operation_timeout"},
      {[](Options& options) { options.heartbeat_interval = absl::InfiniteDuration(); },
       "heartbeat_interval"},
      {[](Options& options) { options.testing.span_bytes = 5000; }, "span_bytes"},
      {[](Options& options) { options.threads = 3; }, "threads is 3; it must be from 4 to 65526"},
      {[](Options& options) { options.participants = 0; },
       "participants is 0; it must be from 1 to 65534"},
      {[](Options& options) { options.stale_after = absl::Microseconds(500); },
       "stale_after is 500us; it must be from 1ms to 24h"},
      {[](Options& options) { options.heartbeat_interval = absl::Hours(25); },
       "heartbeat_interval is 25h; it must be from 1ms to 24h"},
      {[](Options& options) { options.participants = 65535; },
       "participants is 65535; it must be from 1 to 65534"},
      {[](Options& options) { options.threads = UINT64_MAX; }, "threads"},
      {[](Options& options) { options.snapshots = 0; },
       "snapshots is 0; it must be from 1 to 1048576"},
      {[](Options& options) { options.testing.segment_buckets = 0; }, "segment_buckets"},
  };
  for (const auto& [change, name] : bad) {
    Options options = QuietOptions();
    change(options);
    EXPECT_TRUE(
        Says(Store::Open(temp_.File("bad"), options).status(), Code::kInvalidArgument, name));
    EXPECT_FALSE(std::filesystem::exists(temp_.File("bad")));
  }
}

TEST_F(OpenFaultsTest, AFileSystemWithoutTheLocksIsRefused) {
  FaultPlatform platform;
  platform.Set([](auto& faults) { faults.no_locks = true; });
  const std::string before = FileBytes(path_);
  EXPECT_TRUE(
      Says(OpenOn(platform, path_, QuietOptions()).status(), Code::kFailedPrecondition, "locks"));
  EXPECT_TRUE(
      Says(OpenOn(platform, path_, QuietOptions()).status(), Code::kFailedPrecondition, path_));
  EXPECT_TRUE(FileBytes(path_) == before);
}

TEST_F(OpenFaultsTest, OpenIsResourceExhaustedWhileAllParticipantSlotsAreTaken) {
  const std::string path = temp_.File("two");
  Options options = QuietOptions();
  options.participants = 2;
  Store first = MustOpen(path, options);
  Store second = MustOpen(path, options);
  const std::string before = FileBytes(path);
  EXPECT_TRUE(Says(Store::Open(path, options).status(), Code::kResourceExhausted,
                   "all 2 participant slots are taken"));
  EXPECT_TRUE(Says(Store::Open(path, options).status(), Code::kResourceExhausted,
                   "create the store with more participants: Options::participants, "
                   "commy init --participants"));
  EXPECT_TRUE(Says(Store::Open(path, options).status(), Code::kResourceExhausted, path));
  EXPECT_TRUE(FileBytes(path) == before);
  ASSERT_TRUE(first.Close().ok());
  Store third = MustOpen(path, options);
  EXPECT_TRUE(IsSound(third));
}

TEST_F(OpenFaultsTest, AStoreOpensAsOftenAsItWasCreatedWithParticipants) {
  const std::string path = temp_.File("many");
  Options options = QuietOptions();
  options.participants = Options().participants + 44;
  std::vector<Store> all;
  for (std::uint64_t i = 0; i < options.participants; ++i) {
    all.push_back(MustOpen(path, i % 2 == 0 ? options : QuietOptions()));
  }
  EXPECT_TRUE(Says(Store::Open(path).status(), Code::kResourceExhausted, "all 300 participant"));
  EXPECT_EQ(all.front().Participants()->size(), options.participants);
  EXPECT_TRUE(IsSound(all.back()));
}

TEST_F(OpenFaultsTest, ACopyOfAStoreInUseIsRefusedAndTheOriginalStillWorks) {
  Store store = MustOpen(QuietOptions());
  ASSERT_TRUE(MustOpenNamespace(store, "n").Put("other", "x").ok());
  const std::string copy = temp_.File("copy");
  WriteFileBytes(copy, FileBytes(path_));
  const std::string before = FileBytes(copy);
  EXPECT_TRUE(Says(Store::Open(copy, QuietOptions()).status(), Code::kDataLoss, "copy"));
  EXPECT_TRUE(Says(Store::Open(copy, QuietOptions()).status(), Code::kDataLoss, copy));
  EXPECT_TRUE(FileBytes(copy) == before);
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "n").Get("other"), "x");
}

TEST_F(OpenFaultsTest, ACopyOfAClosedStoreOpens) {
  const std::string copy = temp_.File("copy");
  WriteFileBytes(copy, FileBytes(path_));
  Store store = MustOpen(copy, QuietOptions());
  EXPECT_EQ(*MustOpenNamespace(store, "n").Get("key"), "value");
  EXPECT_TRUE(IsSound(store));
}

TEST_F(OpenFaultsTest, AfterARebootADirtyStoreIsRefusedAndACleanOneOpens) {
  FaultPlatform platform;
  platform.Set([](auto& faults) { faults.boot_id = platform::BootId{1, 2, 3}; });
  {
    const absl::StatusOr<Store> clean = OpenOn(platform, path_, QuietOptions());
    ASSERT_TRUE(clean.ok()) << clean.status();
    EXPECT_EQ(*MustOpenNamespace(*clean, "n").Get("key"), "value");
  }
  ChildProcess child([&](ChildSide& parent) {
    Store store = *Store::Open(path_, QuietOptions());
    (void)store.OpenNamespace("n")->Put("key", "newer");
    parent.Send("written");
    (void)parent.Receive();
    return 0;
  });
  ASSERT_EQ(child.Receive(), "written");
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(NobodyIsAttached(path_));
  const std::string before = FileBytes(path_);
  const absl::Status status = OpenOn(platform, path_, QuietOptions()).status();
  EXPECT_TRUE(Says(status, Code::kDataLoss, "commy recover"));
  EXPECT_TRUE(Says(status, Code::kDataLoss, path_));
  EXPECT_TRUE(FileBytes(path_) == before);
  // In this boot it is not torn.
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "n").Get("key"), "newer");
}

TEST_F(OpenFaultsTest, ADirtyStoreIsRefusedWhereTheBootHasNoId) {
  FaultPlatform platform;
  platform.Set([](auto& faults) { faults.boot_id = platform::BootId{}; });
  absl::StatusOr<Store> first = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(MustOpenNamespace(*first, "n").Put("a", "b").ok());
  EXPECT_TRUE(
      Says(OpenOn(platform, path_, QuietOptions()).status(), Code::kDataLoss, "commy recover"));
}

TEST_F(OpenFaultsTest, ProcessesThatRaceToCreateAllOpenTheWinnersStore) {
  const std::string path = temp_.File("raced");
  constexpr int kOpeners = 8;
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < kOpeners; ++i) {
    children.push_back(std::make_unique<ChildProcess>([&](ChildSide& parent) {
      (void)parent.Receive();
      const absl::StatusOr<Store> store = Store::Open(path, QuietOptions());
      if (!store.ok() || !store->OpenNamespace("n")->Add("openers", 1).ok()) {
        parent.Send(store.status().ToString());
        return 1;
      }
      parent.Send(store->Stats()->uuid);
      return 0;
    }));
  }
  for (const auto& child : children) {
    child->Send("go");
  }
  const std::string uuid = children[0]->Receive().value_or("nothing");
  for (int i = 1; i < kOpeners; ++i) {
    EXPECT_EQ(children[static_cast<std::size_t>(i)]->Receive(), uuid);
  }
  for (const auto& child : children) {
    EXPECT_TRUE(child->Succeeded());
  }
  Store store = MustOpen(path, QuietOptions());
  EXPECT_EQ(*MustOpenNamespace(store, "n").Get("openers"), std::to_string(kOpeners));
  EXPECT_TRUE(IsSound(store));
}

// Replaces the file that was just opened by another one, once.
class ReplacingPlatform : public FaultPlatform {
 public:
  explicit ReplacingPlatform(std::string source) : source_(std::move(source)) {}
  absl::StatusOr<platform::FileFacts> DescribePath(const std::string& path) override {
    if (!done_) {
      done_ = true;
      std::filesystem::rename(source_, path);
    }
    return FaultPlatform::DescribePath(path);
  }

 private:
  const std::string source_;
  bool done_ = false;
};

TEST_F(OpenFaultsTest, OpenStartsOverWhenTheFileIsReplacedMeanwhile) {
  const std::string other = temp_.File("other");
  {
    Store store = MustOpen(other, QuietOptions());
    ASSERT_TRUE(MustOpenNamespace(store, "n").Put("key", "of the new file").ok());
  }
  ReplacingPlatform platform(other);
  const absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(*MustOpenNamespace(*store, "n").Get("key"), "of the new file");
}

TEST_F(OpenFaultsTest, AStoreWhoseFileIsReplacedStaysUsableToItsHolder) {
  Store old = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(old, "n");
  {
    Store other = MustOpen(temp_.File("other"), QuietOptions());
    ASSERT_TRUE(MustOpenNamespace(other, "n").Put("key", "new").ok());
  }
  std::filesystem::rename(temp_.File("other"), path_);
  ASSERT_TRUE(ns.Put("more", std::string(100'000, 'x')).ok());
  EXPECT_EQ(*ns.Get("key"), "value");
  EXPECT_TRUE(IsSound(old));
  EXPECT_EQ(*MustOpenNamespace(MustOpen(QuietOptions()), "n").Get("key"), "new");
}

}  // namespace
}  // namespace commy::test
