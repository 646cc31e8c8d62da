// Dense copies among processes: a backup of a store in use is of one moment; a compaction that is
// killed anywhere leaves the old file or the new one, whole, and no write of an opener is lost.
#include <csignal>
#include <filesystem>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/compact.h"
#include "packing/picture.h"
#include "support/fault_platform.h"
#include "support/process_crew.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/traced_child.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

constexpr int kWriters = 4;
constexpr int kKeys = 40;  // That one transaction writes.
constexpr std::uint64_t kRoundsMax = 1 << 20;
constexpr int kBackups = 12;

constexpr int kOpeners = 2;
constexpr int kFixed = 400;  // Keys that are always there.
constexpr int kKills = 60;
constexpr int kExchangePoints = 120;  // System calls of a compaction's end, each counted twice.

struct Journal {
  // What each writer has committed, and when.
  std::atomic<std::uint64_t> rounds[kWriters];
  std::atomic<std::uint64_t> times[kWriters][kRoundsMax];
};

std::string KeyOf(int writer, int k) {
  return std::to_string(writer) + "/" + std::to_string(k);
}

class PackingProcessTest : public StoreFixture {
 protected:
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(temp_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // Keys, and holes where others were.
  void MakeFixed() {
    const Store store = MustOpen(QuietOptions());
    for (const char* const name : {"hash", "ordered"}) {
      const Namespace ns =
          *store.OpenNamespace(name, {.order = name[0] == 'o' ? Order::kOrdered : Order::kHash});
      for (int i = 0; i < 2 * kFixed; ++i) {
        ASSERT_TRUE(ns.Put(std::to_string(i), std::string(50, 'v')).ok());
      }
      for (int i = kFixed; i < 2 * kFixed; ++i) {
        ASSERT_TRUE(*ns.Delete(std::to_string(i)));
      }
    }
  }
  // Removes what a kill in the moment of the exchange may leave; returns how many files.
  int RemoveLitter() {
    int count = 0;
    for (const std::string& name : Names()) {
      EXPECT_TRUE(name == "store" || name.starts_with(".commy-")) << name;
      if (name != "store") {
        std::filesystem::remove(temp_.File(name));
        ++count;
      }
    }
    return count;
  }
  Picture PictureNow() {
    Store store = MustOpen(QuietOptions());
    EXPECT_TRUE(IsSound(store));
    return PictureOf(store);
  }
  [[nodiscard]] std::uint64_t Inode() const {
    return platform::Platform::Real().DescribePath(path_)->identity.inode;
  }
};

// Each transaction writes the next number into all keys of its writer, in two namespaces.
int Write(const Store& store, int index, ChildSide& parent, Journal& journal) {
  const Namespace hash = *store.OpenNamespace("hash");
  const Namespace ordered = *store.OpenNamespace("ordered");
  parent.Send("ready");
  parent.Receive();
  while (true) {
    const std::uint64_t round = journal.rounds[index].load() + 1;
    if (round >= kRoundsMax) {
      return 0;
    }
    absl::StatusOr<Transaction> transaction = store.Begin();
    if (!transaction.ok()) {
      return 1;
    }
    for (int k = 0; k < kKeys; ++k) {
      const Namespace& ns = k % 2 == 0 ? hash : ordered;
      if (!transaction->Put(ns, KeyOf(index, k), std::to_string(round)).ok()) {
        return 2;
      }
    }
    if (!transaction->Commit().ok()) {
      continue;
    }
    journal.times[index][round].store(transaction->commit_time());
    journal.rounds[index].store(round);
  }
}

TEST_F(PackingProcessTest, ABackupUnderWritersIsTheStoreAtItsCommitTime) {
  const SharedMemory<Journal> journal;
  const Store store = MustOpen(SmallOptions());
  ASSERT_TRUE(store.OpenNamespace("hash").ok());
  ASSERT_TRUE(store.OpenNamespace("ordered", {.order = Order::kOrdered}).ok());
  ProcessCrew writers(kWriters, [&](int index, ChildSide& parent) {
    const absl::StatusOr<Store> own = Store::Open(path_, SmallOptions());
    return own.ok() ? Write(*own, index, parent, *journal) : 9;
  });
  ASSERT_TRUE(writers.AllReady());
  writers.TellAll();
  for (int i = 0; i < kBackups; ++i) {
    const std::string copy_path = temp_.File("copy" + std::to_string(i));
    std::uint64_t before[kWriters];
    for (int w = 0; w < kWriters; ++w) {
      before[w] = journal->rounds[w].load();
    }
    const absl::StatusOr<BackupReport> report = store.Backup(copy_path);
    ASSERT_TRUE(report.ok()) << report.status();
    const Store copy = MustOpen(copy_path, QuietOptions());
    EXPECT_TRUE(IsSound(copy));
    const Namespace hash = MustOpenNamespace(copy, "hash");
    const Namespace ordered = MustOpenNamespace(copy, "ordered");
    for (int w = 0; w < kWriters; ++w) {
      const absl::StatusOr<std::string> first = hash.Get(KeyOf(w, 0));
      const std::uint64_t round = first.ok() ? std::stoull(*first) : 0;
      EXPECT_GE(round, before[w]);
      for (int k = 0; k < kKeys; ++k) {
        const Namespace& ns = k % 2 == 0 ? hash : ordered;
        ASSERT_EQ(ns.Get(KeyOf(w, k)).value_or("0"), std::to_string(round)) << KeyOf(w, k);
      }
      // All that was committed by then, and nothing that came later.
      ASSERT_TRUE(WaitFor([&] { return journal->rounds[w].load() > round; }));
      EXPECT_LE(journal->times[w][round].load(), report->commit_time);
      EXPECT_GT(journal->times[w][round + 1].load(), report->commit_time);
    }
  }
}

TEST_F(PackingProcessTest, OfABackupThatIsKilledNothingIsLeft) {
  std::mt19937_64 random(Seed());
  {
    const Store store = MustOpen(SmallOptions());
    const Namespace ns = MustOpenNamespace(store, "ns");
    for (int i = 0; i < 2000; ++i) {
      ASSERT_TRUE(ns.Put(std::to_string(i), std::string(100, 'v')).ok());
    }
  }
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t last = random() % 2000;
    ChildProcess child([&](ChildSide&) {
      const Store store = MustOpen(SmallOptions());
      (void)store.Backup(temp_.File("copy"), {.bytes_per_second = 100'000'000,
                                              .progress = [&](std::uint64_t done, std::uint64_t) {
                                                return done >= last ? ::raise(SIGKILL) == 0 : true;
                                              }});
      return 1;
    });
    ASSERT_EQ(child.Wait(), (ChildEnd{false, 0, SIGKILL}));
    EXPECT_EQ(Names(), std::vector<std::string>{"store"});
  }
  const Store store = MustOpen(SmallOptions());
  EXPECT_EQ(store.Stats()->snapshots, 0U);
  EXPECT_TRUE(store.Backup(temp_.File("copy")).ok());
}

// Ends the process at one of its calls, counted from the one that makes the new file.
class DeadlyPlatform : public FaultPlatform {
 public:
  // `calls` 0: not at all. `begun`: called when they begin to count.
  explicit DeadlyPlatform(
      std::uint64_t calls, std::function<void()> begun = [] {})
      : left_(calls), begun_(std::move(begun)) {}

  absl::StatusOr<platform::Descriptor> CreateReplacement(const std::string& path) override {
    armed_ = true;
    begun_();
    Step();
    return FaultPlatform::CreateReplacement(path);
  }
  absl::Status Replace(int fd, const std::string& path) override {
    Step();
    absl::Status done = FaultPlatform::Replace(fd, path);
    Step();
    return done;
  }
  absl::Status Allocate(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) override {
    Step();
    return FaultPlatform::Allocate(fd, offset_bytes, size_bytes);
  }
  absl::Status Truncate(int fd, std::uint64_t size_bytes) override {
    Step();
    return FaultPlatform::Truncate(fd, size_bytes);
  }
  absl::Status Sync(std::byte* address, std::uint64_t size_bytes) override {
    Step();
    absl::Status done = FaultPlatform::Sync(address, size_bytes);
    Step();
    return done;
  }
  absl::StatusOr<platform::FileFacts> Describe(int fd) override {
    Step();
    return FaultPlatform::Describe(fd);
  }
  void Unmap(std::byte* address, std::uint64_t size_bytes) override {
    Step();
    FaultPlatform::Unmap(address, size_bytes);
  }

  [[nodiscard]] std::uint64_t calls() const { return calls_; }

 private:
  void Step() {
    if (armed_ && ++calls_ == left_) {
      ::raise(SIGKILL);
    }
  }

  const std::uint64_t left_;
  const std::function<void()> begun_;
  bool armed_ = false;
  std::uint64_t calls_ = 0;
};

struct Openers {
  std::atomic<std::uint64_t> opens[kOpeners];
  std::atomic<bool> hold;  // The compactor waits for a moment in which no opener has the store.
  std::atomic<bool> end;
};

// Opens the store: finds all that is always there, and its own last write, and writes again.
// Returns what was wrong.
int OpenOnce(const std::string& path, int index, Openers& openers, std::uint64_t* written) {
  const absl::StatusOr<Store> store = Store::Open(path, QuietOptions());
  if (!store.ok()) {
    const bool in_use = absl::IsFailedPrecondition(store.status()) &&
                        store.status().message().find("exclusive use") != absl::string_view::npos;
    if (!in_use) {
      std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    }
    return in_use ? 0 : 1;
  }
  for (const char* const name : {"hash", "ordered"}) {
    const absl::StatusOr<Namespace> ns = store->OpenNamespace(name, {.create_if_missing = false});
    if (!ns.ok() || ns->Count().value_or(0) != kFixed) {
      return 2;
    }
  }
  const Namespace own = *store->OpenNamespace("own");
  const std::string key = std::to_string(index);
  if (own.Get(key).value_or("0") != std::to_string(*written)) {
    return 3;
  }
  if (!own.Put(key, std::to_string(++*written)).ok()) {
    return 4;
  }
  ++openers.opens[index];
  return 0;
}

int OpenAgainAndAgain(const std::string& path, int index, ChildSide& parent, Openers& openers) {
  parent.Send("ready");
  parent.Receive();
  std::uint64_t written = 0;
  while (!openers.end.load()) {
    if (const int wrong = OpenOnce(path, index, openers, &written); wrong != 0) {
      return wrong;
    }
    if (!WaitFor([&] { return !openers.hold.load() || openers.end.load(); })) {
      return 5;
    }
  }
  return 0;
}

TEST_F(PackingProcessTest, KilledAnywhereACompactionLeavesAWholeStoreAndLosesNoWrite) {
  std::mt19937_64 random(Seed());
  MakeFixed();
  std::uint64_t calls = 0;
  {
    DeadlyPlatform platform(0);
    ASSERT_TRUE(packing::Compact(platform, path_, {}).ok());
    calls = platform.calls();
  }
  const SharedMemory<Openers> openers;
  ProcessCrew crew(kOpeners, [&](int index, ChildSide& parent) {
    return OpenAgainAndAgain(path_, index, parent, *openers);
  });
  ASSERT_TRUE(crew.AllReady());
  crew.TellAll();
  int killed = 0;
  int renamed = 0;
  for (int i = 0; i < kKills; ++i) {
    const std::uint64_t inode = platform::Platform::Real().DescribePath(path_)->identity.inode;
    // Late calls more often: there is the swap.
    const std::uint64_t back = random() % (i % 2 == 0 ? calls : std::uint64_t{12});
    openers->hold.store(true);
    ChildProcess child([&](ChildSide&) {
      DeadlyPlatform platform(calls - back, [&] { openers->hold.store(false); });
      while (true) {
        const absl::Status status = packing::Compact(platform, path_, {}).status();
        if (!absl::IsFailedPrecondition(status)) {
          return status.ok() ? 0 : 1;
        }
      }
    });
    const std::optional<ChildEnd> end = child.Wait();
    ASSERT_TRUE(end.has_value());
    EXPECT_NE(*end, (ChildEnd{true, 1, 0}));
    killed += end->exited ? 0 : 1;
    renamed += platform::Platform::Real().DescribePath(path_)->identity.inode != inode ? 1 : 0;
  }
  // The last one is killed as well: an opener finds what it left.
  const std::uint64_t opens = openers->opens[0].load();
  EXPECT_TRUE(WaitFor([&] { return openers->opens[0].load() > opens; }));
  openers->end.store(true);
  EXPECT_TRUE(crew.AllSucceeded());
  std::printf("%d of %d were killed, %d had renamed; %llu opens\n", killed, kKills, renamed,
              static_cast<unsigned long long>(openers->opens[0] + openers->opens[1]));
  EXPECT_GE(killed, 50);
  EXPECT_GT(renamed, 0);
  EXPECT_LT(renamed, kKills);
  EXPECT_GT(openers->opens[0].load() + openers->opens[1].load(), 50U);
  RemoveLitter();
}

// 0: it is compacted.
int CompactIt(const std::string& path) {
  return packing::Compact(platform::Platform::Real(), path, {}).ok() ? 0 : 1;
}

TEST_F(PackingProcessTest, KilledBetweenAnyTwoOfItsSystemCallsACompactionLeavesOneWholeFile) {
  MakeFixed();
  const Picture before = PictureNow();
  // The first one has more to do than all others, which find a dense store.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(packing::Compact(platform::Platform::Real(), path_, {}).ok());
  }
  int points = 0;
  {
    TracedChild child([&] { return CompactIt(path_); });
    if (!child.traced()) {
      GTEST_SKIP() << "SKIPPED: " << child.error();
    }
    while (child.Next()) {
      ++points;
    }
    ASSERT_EQ(child.code(), 0);
  }
  int killed = 0;
  int renamed = 0;
  int litter = 0;
  // Every point of the exchange and of what comes after it, and every second of the copy.
  for (int point = 1; point <= points; point += point < points - kExchangePoints ? 2 : 1) {
    SCOPED_TRACE(point);
    const std::uint64_t inode = Inode();
    TracedChild child([&] { return CompactIt(path_); });
    for (int at = 0; at < point && child.Next(); ++at) {
    }
    killed += child.ended() ? 0 : 1;
    child.Kill();
    const bool is_new = Inode() != inode;
    renamed += is_new ? 1 : 0;
    EXPECT_EQ(PictureNow(), before);
    // An opener takes the mark back, and nothing else is there, but in the exchange.
    const int left = RemoveLitter();
    litter += left;
    EXPECT_LE(left, is_new ? 0 : 1);
    if (killed % 8 == 0) {
      EXPECT_EQ(CompactIt(path_), 0);
      EXPECT_EQ(RemoveLitter(), 0);
      EXPECT_EQ(PictureNow(), before);
    }
  }
  std::printf("killed at %d of %d points; %d had renamed, %d left a file\n", killed, points,
              renamed, litter);
  EXPECT_GE(killed, 200);
  EXPECT_GT(renamed, 0);
  EXPECT_LT(renamed, killed);
  EXPECT_GT(litter, 0);
  EXPECT_LE(litter, 8);
}

TEST_F(PackingProcessTest, BesideACompactionThatIsStoppedOpenersAreRefusedOrGetAWholeStore) {
  MakeFixed();
  const Picture before = PictureNow();
  int points = 0;
  {
    TracedChild child([&] { return CompactIt(path_); });
    if (!child.traced()) {
      GTEST_SKIP() << "SKIPPED: " << child.error();
    }
    while (child.Next()) {
      ++points;
    }
    ASSERT_EQ(child.code(), 0);
  }
  int refused = 0;
  int opened = 0;
  for (int round = 0; round < 4; ++round) {
    TracedChild child([&] { return CompactIt(path_); });
    for (int at = 1; child.Next(); ++at) {
      if (at % (at < points - kExchangePoints ? 16 : 4) != round) {
        continue;
      }
      absl::StatusOr<Store> store = Store::Open(path_, QuietOptions());
      if (store.ok()) {
        EXPECT_EQ(PictureOf(*store), before);
        ++opened;
      } else {
        EXPECT_TRUE(Says(store.status(), absl::StatusCode::kFailedPrecondition, "exclusive use"))
            << at;
        ++refused;
      }
    }
    // It may have found the store in use by this process, and then has done nothing.
    RemoveLitter();
    EXPECT_EQ(PictureNow(), before);
  }
  std::printf("%d points; %d were refused, %d opened it\n", points, refused, opened);
  EXPECT_GT(refused, 20);
  EXPECT_GT(opened, 5);
}

TEST_F(PackingProcessTest, ACompactionThatIsStoppedKeepsOpenersOutUntilItGoesOnOrIsKilled) {
  MakeFixed();
  const Picture before = PictureNow();
  for (const bool kill : {true, false}) {
    const std::uint64_t inode = Inode();
    ChildProcess child([&](ChildSide& parent) {
      bool told = false;
      packing::CompactOptions options;
      options.copy.progress = [&](std::uint64_t, std::uint64_t) {
        if (!std::exchange(told, true)) {
          parent.Send("copying");
          parent.Receive();
        }
        return true;
      };
      return packing::Compact(platform::Platform::Real(), path_, options).ok() ? 0 : 1;
    });
    ASSERT_EQ(child.Receive(), "copying");
    ASSERT_TRUE(child.Stop());
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(Says(Store::Open(path_, QuietOptions()).status(),
                       absl::StatusCode::kFailedPrecondition, "exclusive use"));
    }
    EXPECT_TRUE(Says(packing::Compact(platform::Platform::Real(), path_, {}).status(),
                     absl::StatusCode::kFailedPrecondition, "exclusive use"));
    if (kill) {
      EXPECT_TRUE(child.KillAndWait());
    } else {
      ASSERT_TRUE(child.Continue());
      child.Send("go on");
      EXPECT_TRUE(child.Succeeded());
    }
    EXPECT_EQ(Inode() == inode, kill);
    EXPECT_EQ(PictureNow(), before);
    EXPECT_EQ(Names(), std::vector<std::string>{"store"});
  }
}

}  // namespace
}  // namespace commy::test
