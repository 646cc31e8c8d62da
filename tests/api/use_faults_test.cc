// Bad arguments, and handles used when they must not be: each gives its own status and changes
// nothing. Files that cannot be opened are in open_faults_test.cc, full stores in
// full_store_test.cc.
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include <gtest/gtest.h>

#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

class UseFaultsTest : public StoreFixture {
 protected:
  // The status of every method of a store and a namespace.
  static std::vector<absl::Status> AllCalls(const Store& store, const Namespace& ns) {
    std::vector<absl::Status> all;
    all.push_back(ns.Put("k", "v"));
    all.push_back(ns.Delete("k").status());
    all.push_back(ns.Get("k").status());
    all.push_back(ns.Contains("k").status());
    all.push_back(ns.GetView("k").status());
    all.push_back(ns.ReadWith("k", [](std::string_view) {}));
    all.push_back(ns.PutIfAbsent("k", "v").status());
    all.push_back(ns.CompareAndSwap("k", {}).status());
    all.push_back(ns.Add("k", 1).status());
    all.push_back(ns.Update("k", [](auto) { return Change::Delete(); }).status());
    all.push_back(ns.MultiGet({"k"})[0].status());
    all.push_back(ns.Size().status());
    all.push_back(ns.Clear());
    ScanRange scan = ns.Scan();
    for (const Entry& entry : scan) {
      (void)entry;
    }
    all.push_back(scan.status());
    all.push_back(store.OpenNamespace("n").status());
    all.push_back(store.OpenNamespace("new").status());
    all.push_back(store.DropNamespace("n"));
    all.push_back(store.RenameNamespace("n", "m"));
    all.push_back(store.ListNamespaces().status());
    all.push_back(store.Participants().status());
    all.push_back(store.Stats().status());
    all.push_back(store.Check().status());
    all.push_back(store.Sync());
    return all;
  }

  Store store_ = MustOpen(SmallOptions());
  Namespace ns_ = MustOpenNamespace(store_, "n");
};

TEST_F(UseFaultsTest, KeysHaveZeroTo65536Bytes) {
  EXPECT_TRUE(ns_.Put("", "the empty key").ok());
  EXPECT_EQ(*ns_.Get(""), "the empty key");
  const std::string longest(65536, 'k');
  EXPECT_TRUE(ns_.Put(longest, "v").ok());
  EXPECT_EQ(*ns_.Get(longest), "v");
  const std::string too_long(65537, 'k');
  const std::string part = "65537";
  EXPECT_TRUE(Says(ns_.Put(too_long, "v"), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.Get(too_long).status(), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.Delete(too_long).status(), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.Contains(too_long).status(), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.GetView(too_long).status(), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.Add(too_long, 1).status(), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.PutIfAbsent(too_long, "").status(), Code::kInvalidArgument, part));
  EXPECT_TRUE(Says(ns_.CompareAndSwap(too_long, {}).status(), Code::kInvalidArgument, part));
  EXPECT_EQ(*ns_.Size(), 2U);
  EXPECT_TRUE(*ns_.Delete(""));
  EXPECT_TRUE(Says(ns_.Get("").status(), Code::kNotFound, "key"));
}

TEST_F(UseFaultsTest, ValuesHaveZeroBytesToOneGibibyte) {
  EXPECT_TRUE(ns_.Put("k", "").ok());
  EXPECT_EQ(*ns_.Get("k"), "");
  constexpr std::size_t kTooLong = (std::size_t{1} << 30) + 1;
  // Never read, so no memory stands behind it.
  void* const bytes = ::mmap(nullptr, kTooLong, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(bytes, MAP_FAILED);
  const std::string_view too_long(static_cast<const char*>(bytes), kTooLong);
  EXPECT_TRUE(Says(ns_.Put("k", too_long), Code::kInvalidArgument, "1073741825"));
  EXPECT_TRUE(Says(ns_.PutIfAbsent("k2", too_long).status(), Code::kInvalidArgument, "at most"));
  Swap swap;
  swap.expected = "";
  swap.desired = too_long;
  EXPECT_TRUE(Says(ns_.CompareAndSwap("k", swap).status(), Code::kInvalidArgument, "at most"));
  // The longest value that is allowed does not fit into this store, which is another error.
  EXPECT_TRUE(Says(ns_.Put("k", too_long.substr(1)), Code::kResourceExhausted, path_));
  EXPECT_EQ(*ns_.Get("k"), "");
  EXPECT_EQ(*ns_.Size(), 1U);
  ::munmap(bytes, kTooLong);
}

TEST_F(UseFaultsTest, BadNamespacePathsAreNamed) {
  for (const std::string path : {"/a", "a/", "a//b", "/", "//"}) {
    EXPECT_TRUE(Says(store_.OpenNamespace(path).status(), Code::kInvalidArgument, path));
    EXPECT_TRUE(Says(store_.DropNamespace(path), Code::kInvalidArgument, path));
    EXPECT_TRUE(Says(store_.RenameNamespace(path, "b"), Code::kInvalidArgument, path));
    EXPECT_TRUE(Says(store_.RenameNamespace("n", path), Code::kInvalidArgument, path));
  }
  EXPECT_TRUE(Says(store_.OpenNamespace("").status(), Code::kInvalidArgument, "0 bytes"));
  EXPECT_TRUE(store_.OpenNamespace(std::string(1024, 'p')).ok());
  EXPECT_TRUE(Says(store_.OpenNamespace(std::string(1025, 'p')).status(), Code::kInvalidArgument,
                   "1025 bytes"));
  EXPECT_EQ(store_.ListNamespaces()->size(), 2U);
}

TEST_F(UseFaultsTest, MissingTakenAndDroppedNamespacesAreNamed) {
  NamespaceOptions options;
  options.create_if_missing = false;
  EXPECT_TRUE(Says(store_.OpenNamespace("no", options).status(), Code::kNotFound, "\"no\""));
  EXPECT_TRUE(Says(store_.DropNamespace("no"), Code::kNotFound, "\"no\""));
  EXPECT_TRUE(Says(store_.RenameNamespace("no", "m"), Code::kNotFound, "\"no\""));
  ASSERT_TRUE(store_.OpenNamespace("m").ok());
  EXPECT_TRUE(Says(store_.RenameNamespace("n", "m"), Code::kAlreadyExists, "\"m\""));
  EXPECT_TRUE(Says(store_.RenameNamespace("n", "n"), Code::kAlreadyExists, "\"n\""));
  options.order = Order::kOrdered;
  EXPECT_TRUE(Says(store_.OpenNamespace("n", options).status(), Code::kInvalidArgument, "order"));
  ASSERT_TRUE(store_.DropNamespace("n").ok());
  for (const absl::Status& status :
       {ns_.Put("k", "v"), ns_.Get("k").status(), ns_.Size().status(), ns_.Clear(),
        ns_.Add("k", 1).status(), ns_.Delete("k").status()}) {
    EXPECT_TRUE(Says(status, Code::kFailedPrecondition, "namespace"));
  }
  // A new namespace of that path is another one.
  ASSERT_TRUE(store_.OpenNamespace("n")->Put("k", "new").ok());
  EXPECT_TRUE(Says(ns_.Get("k").status(), Code::kFailedPrecondition, "namespace"));
}

TEST_F(UseFaultsTest, AddRefusesValuesThatAreNoNumberAndSumsThatOverflow) {
  for (const std::string text : {"", "x", "1x", " 1", "+1", "99999999999999999999", "1.0"}) {
    ASSERT_TRUE(ns_.Put("k", text).ok());
    EXPECT_TRUE(Says(ns_.Add("k", 1).status(), Code::kInvalidArgument, "decimal")) << text;
    EXPECT_EQ(*ns_.Get("k"), text);
  }
  ASSERT_TRUE(ns_.Put("k", "9223372036854775807").ok());
  EXPECT_EQ(ns_.Add("k", 1).status().code(), Code::kOutOfRange);
  EXPECT_EQ(*ns_.Add("k", -1), INT64_MAX - 1);
  ASSERT_TRUE(ns_.Put("k", "-9223372036854775808").ok());
  EXPECT_EQ(ns_.Add("k", -1).status().code(), Code::kOutOfRange);
  EXPECT_EQ(*ns_.Get("k"), "-9223372036854775808");
}

TEST_F(UseFaultsTest, TimesToLiveMustBePositive) {
  for (const absl::Duration ttl :
       {absl::ZeroDuration(), absl::Seconds(-1), -absl::InfiniteDuration()}) {
    EXPECT_TRUE(Says(ns_.Put("k", "v", {ttl}), Code::kInvalidArgument, "time to live"));
    EXPECT_TRUE(
        Says(ns_.PutIfAbsent("k", "v", {ttl}).status(), Code::kInvalidArgument, "time to live"));
  }
  EXPECT_EQ(*ns_.Size(), 0U);
  EXPECT_TRUE(ns_.Put("k", "v", {absl::Hours(24 * 365 * 500)}).ok());
  EXPECT_EQ(*ns_.Get("k"), "v");
}

TEST_F(UseFaultsTest, ScansOfAHashNamespaceRefuseOrderedOptions) {
  ScanOptions options;
  options.reverse = true;
  ScanRange scan = ns_.Scan(options);
  EXPECT_TRUE(scan.begin() == scan.end());
  EXPECT_TRUE(Says(scan.status(), Code::kInvalidArgument, "reverse"));
}

TEST_F(UseFaultsTest, AfterCloseEveryCallSaysThatTheStoreIsClosed) {
  ASSERT_TRUE(ns_.Put("k", "v").ok());
  const Store again = store_;
  ASSERT_TRUE(store_.Close().ok());
  const std::vector<absl::Status> all = AllCalls(again, ns_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(Says(all[i], Code::kFailedPrecondition, "closed")) << "call " << i;
  }
  EXPECT_TRUE(Says(store_.Close(), Code::kFailedPrecondition, "closed"));
  EXPECT_EQ(*MustOpenNamespace(MustOpen(SmallOptions()), "n").Get("k"), "v");
}

TEST_F(UseFaultsTest, CloseIsRefusedWhileAViewIsHeld) {
  ASSERT_TRUE(ns_.Put("k", "v").ok());
  {
    const absl::StatusOr<View> view = ns_.GetView("k");
    ASSERT_TRUE(view.ok());
    EXPECT_TRUE(Says(store_.Close(), Code::kFailedPrecondition, "views"));
    EXPECT_EQ(view->value(), "v");
    EXPECT_EQ(*ns_.Get("k"), "v");
  }
  EXPECT_TRUE(store_.Close().ok());
}

TEST_F(UseFaultsTest, AfterForkTheChildsHandlesAreRefusedAndTheParentsStillWork) {
  ASSERT_TRUE(ns_.Put("k", "v").ok());
  std::optional<View> view(*ns_.GetView("k"));
  ChildProcess child([&](ChildSide& parent) {
    std::vector<absl::Status> all = AllCalls(store_, ns_);
    all.push_back(store_.Close());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!Says(all[i], Code::kFailedPrecondition, "fork")) {
        parent.Send("call " + std::to_string(i) + ": " + all[i].ToString());
        return 1;
      }
    }
    view.reset();  // Must not give the parent's pin back.
    parent.Send("fine");
    return 0;
  });
  EXPECT_EQ(child.Receive(), "fine");
  EXPECT_TRUE(child.Succeeded());
  EXPECT_EQ(*ns_.Get("k"), "v");
  EXPECT_EQ(view->value(), "v");
  EXPECT_TRUE(Says(store_.Close(), Code::kFailedPrecondition, "views"));
}

TEST_F(UseFaultsTest, AForkedChildMayDestroyInheritedHandles) {
  Options options = SmallOptions();
  ASSERT_TRUE(options.testing.background);
  auto store = std::make_unique<Store>(MustOpen(temp_.File("beating"), options));
  auto ns = std::make_unique<Namespace>(MustOpenNamespace(*store, "n"));
  process::Session& session = EngineOf(*store).session;
  const auto beats = [&] {
    return session.region()
        .participant(session.region().slot_index())
        .heartbeat.load(std::memory_order_relaxed);
  };
  ASSERT_TRUE(WaitFor([&] { return beats() > 2; }));  // Now its thread sleeps between two beats.
  ChildProcess child([&](ChildSide&) {
    ns.reset();
    store.reset();
    return 0;
  });
  EXPECT_TRUE(child.Succeeded());
  EXPECT_TRUE(ns->Put("k", "v").ok());
}

TEST_F(UseFaultsTest, AForkedChildMayOpenTheStoreForItself) {
  ASSERT_TRUE(ns_.Put("k", "of the parent").ok());
  ChildProcess child([&](ChildSide&) {
    const absl::StatusOr<Store> mine = Store::Open(path_, SmallOptions());
    if (!mine.ok() || *mine->OpenNamespace("n")->Get("k") != "of the parent") {
      return 1;
    }
    return mine->OpenNamespace("n")->Put("k", "of the child").ok() ? 0 : 2;
  });
  EXPECT_TRUE(child.Succeeded());
  EXPECT_EQ(*ns_.Get("k"), "of the child");
}

TEST_F(UseFaultsTest, AReadOnlyStoreReadsAndRefusesEveryWrite) {
  ASSERT_TRUE(ns_.Put("k", "1").ok());
  Options options = QuietOptions();
  options.read_only = true;
  Store reader = MustOpen(options);
  const Namespace ns = MustOpenNamespace(reader, "n");
  const std::string part = "read-only";
  for (const absl::Status& status :
       {ns.Put("k", "v"), ns.Delete("k").status(), ns.PutIfAbsent("x", "v").status(),
        ns.CompareAndSwap("k", {}).status(), ns.Add("k", 1).status(), ns.Clear(),
        ns.Update("k", [](auto) { return Change::Delete(); }).status(), reader.DropNamespace("n"),
        reader.RenameNamespace("n", "m"), reader.OpenNamespace("new").status()}) {
    EXPECT_TRUE(Says(status, Code::kFailedPrecondition, part));
  }
  EXPECT_EQ(*ns.Get("k"), "1");
  EXPECT_EQ(ns.GetView("k")->value(), "1");
  EXPECT_EQ(*ns.Size(), 1U);
  EXPECT_EQ(reader.ListNamespaces()->size(), 1U);
  EXPECT_TRUE(IsSound(reader));
  ASSERT_TRUE(ns_.Put("k", "2").ok());
  EXPECT_EQ(*ns.Get("k"), "2");
}

TEST_F(UseFaultsTest, WritesAreResourceExhaustedWhileAllLanesAreTaken) {
  Options options = QuietOptions();
  options.threads = 4;
  Store store = MustOpen(temp_.File("few"), options);
  const Namespace ns = MustOpenNamespace(store, "n");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  // A thread with more views than a lane has pins takes another lane.
  std::vector<View> views;
  absl::Status status;
  while (status.ok()) {
    absl::StatusOr<View> view = ns.GetView("k");
    status = view.status();
    if (view.ok()) {
      views.push_back(*std::move(view));
    }
    ASSERT_LE(views.size(), 1000U);
  }
  EXPECT_TRUE(Says(status, Code::kResourceExhausted, "lanes are taken"));
  EXPECT_TRUE(Says(status, Code::kResourceExhausted,
                   "create the store with more threads: Options::threads, commy init --threads"));
  std::thread([&] {
    EXPECT_TRUE(Says(ns.Put("x", "y"), Code::kResourceExhausted, "all 4 lanes are taken"));
    EXPECT_TRUE(Says(ns.Get("k").status(), Code::kResourceExhausted, "all 4 lanes are taken"));
  }).join();
  EXPECT_EQ(*ns.Get("k"), "v");
  for (const View& view : views) {
    EXPECT_EQ(view.value(), "v");
  }
  views.clear();
  EXPECT_TRUE(ns.GetView("k").ok());
  EXPECT_TRUE(IsSound(store));
}

TEST_F(UseFaultsTest, AStoreServesAsManyThreadsAsItWasCreatedWith) {
  Options options = QuietOptions();
  options.threads = 20;
  Store store = MustOpen(temp_.File("threads"), options);
  const Namespace ns = MustOpenNamespace(store, "n");  // This thread has the first lane.
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t arrived = 1;
  bool done = false;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 1; i < options.threads; ++i) {
    threads.emplace_back([&, key = std::to_string(i)] {
      EXPECT_TRUE(ns.Put(key, "v").ok());
      std::unique_lock<std::mutex> lock(mutex);
      ++arrived;
      changed.notify_all();
      changed.wait(lock, [&] { return done; });
    });
  }
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return arrived == options.threads; });
  }
  std::thread([&] {
    EXPECT_TRUE(Says(ns.Put("x", "y"), Code::kResourceExhausted, "all 20 lanes are taken"));
  }).join();
  {
    const std::lock_guard<std::mutex> lock(mutex);
    done = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::thread([&] { EXPECT_TRUE(ns.Put("x", "y").ok()); }).join();
  EXPECT_EQ(*ns.Size(), options.threads);
  EXPECT_TRUE(IsSound(store));
}

TEST_F(UseFaultsTest, AFailedFirstSyncForbidsWritesUntilTheStoreIsReopened) {
  ASSERT_TRUE(ns_.Put("k", "v").ok());
  ASSERT_TRUE(store_.Close().ok());
  const std::string before = FileBytes(path_).substr(region::kHeaderBytes);
  {
    FaultPlatform platform;
    const absl::StatusOr<Store> store = OpenOn(platform, path_, QuietOptions());
    ASSERT_TRUE(store.ok()) << store.status();
    platform.Set([](auto& faults) { faults.sync = absl::InternalError("a bad disk"); });
    for (const absl::Status& status :
         {store->OpenNamespace("n")->Put("k", "w"), store->OpenNamespace("new").status()}) {
      EXPECT_TRUE(Says(status, Code::kInternal, "a bad disk"));
      EXPECT_TRUE(Says(status, Code::kInternal, path_));
    }
    EXPECT_EQ(*store->OpenNamespace("n")->Get("k"), "v") << "existing keys can be read";
  }
  Store store = MustOpen(QuietOptions());
  EXPECT_EQ(*MustOpenNamespace(store, "n").Get("k"), "v");
}

TEST_F(UseFaultsTest, OneProcessMayOpenAStoreTwice) {
  Store second = MustOpen(SmallOptions());
  const Namespace ns = MustOpenNamespace(second, "n");
  for (int i = 0; i < 1000; ++i) {
    const std::string key = std::to_string(i % 50);
    ASSERT_TRUE((i % 2 == 0 ? ns_ : ns).Put(key, std::to_string(i)).ok());
    ASSERT_EQ(*(i % 2 == 0 ? ns : ns_).Get(key), std::to_string(i));
  }
  EXPECT_EQ(store_.Participants()->size(), 2U);
  ASSERT_TRUE(store_.Close().ok());
  EXPECT_EQ(*ns.Size(), 50U);
  EXPECT_EQ(second.Participants()->size(), 1U);
}

TEST_F(UseFaultsTest, StatsNameTheOptionsThatTheFileOverrides) {
  Options options = SmallOptions();
  options.max_size *= 2;
  options.participants += 1;
  options.threads += 1;
  options.snapshots += 1;
  options.stale_after = absl::Seconds(99);
  const StoreStats stats = *MustOpen(options).Stats();
  EXPECT_EQ(stats.max_size_bytes, SmallOptions().max_size);
  EXPECT_EQ(stats.participants_max, SmallOptions().participants);
  EXPECT_EQ(stats.threads_max, SmallOptions().threads);
  EXPECT_EQ(stats.snapshots_max, SmallOptions().snapshots);
  ASSERT_EQ(stats.differences.size(), 5U);
  EXPECT_EQ(stats.differences[0].substr(0, 8), "max_size");
  EXPECT_EQ(stats.differences[1], "participants: 33 was asked for, the store was created with 32");
  EXPECT_EQ(stats.differences[2], "threads: 121 was asked for, the store was created with 120");
  EXPECT_EQ(stats.differences[3], "snapshots: 1025 was asked for, the store was created with 1024");
  EXPECT_EQ(stats.differences[4],
            "stale_after: 1m39s was asked for, the store was created with 200ms");
}

}  // namespace
}  // namespace commy::test
