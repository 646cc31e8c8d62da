// Free room serves every thread, whichever thread freed it. A full store can always make room, from
// any thread and with any keys. And work on whole namespaces does not block other operations.
#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/access.h"
#include "namespaces/object_layout.h"
#include "platform/linux_platform.h"
#include "support/fault_platform.h"
#include "support/living_thread.h"
#include "support/seed.h"
#include "support/store_fixture.h"
#include "support/wait_for.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;

// Spans and chunks as large as they are by default; a beat is short, so that the epoch moves.
Options RealOptions(std::uint64_t max_size) {
  Options options;
  options.max_size = max_size;
  options.heartbeat_interval = absl::Milliseconds(50);
  options.process_name = "test";
  return options;
}

class RoomForAllTest : public StoreFixture {
 protected:
  // Puts until `misses` puts have found no room. Returns the keys that were put.
  template <typename Key>
  static std::vector<std::string> Fill(const Namespace& ns, Key key, std::size_t bytes,
                                       int misses = 3) {
    std::vector<std::string> keys;
    const std::string value(bytes, 'x');
    for (int i = 0; misses > 0; ++i) {
      std::string next = key(i);
      if (ns.Put(next, value).ok()) {
        keys.push_back(std::move(next));
      } else {
        --misses;
      }
    }
    return keys;
  }
  static std::string Numbered(int i) { return "k" + std::to_string(i); }
};

TEST_F(RoomForAllTest, BlocksFreedInSpansOfALivingThreadServeAllThreads) {
  for (const bool drops : {false, true}) {
    SCOPED_TRACE(drops ? "drop" : "delete");
    path_ = temp_.File(drops ? "drop" : "delete");
    Store store = MustOpen(RealOptions(std::uint64_t{16} << 20));
    const Namespace ns = MustOpenNamespace(store, "filled");
    const Namespace other = MustOpenNamespace(store, "other");
    std::vector<std::string> keys;
    const LivingThread owner([&] { keys = Fill(ns, Numbered, 900); });
    ASSERT_GT(keys.size(), 1000U);
    if (drops) {
      ASSERT_TRUE(store.DropNamespace("filled").ok());
    } else {
      for (const std::string& key : keys) {
        ASSERT_TRUE(*ns.Delete(key)) << key;
      }
    }
    std::vector<std::string> more = Fill(other, Numbered, 900, 20);
    EXPECT_GE(more.size(), keys.size() * 9 / 10) << keys.size();
    EXPECT_TRUE(IsSound(store));
  }
}

TEST_F(RoomForAllTest, AFullStoreAcceptsDeletesOfKeysOfAnyLength) {
  constexpr int kLengths = 40;
  const auto key = [](int i) {
    std::string text = Numbered(i) + "-";
    text.resize(16 + static_cast<std::size_t>(i % kLengths) * 48, 'p');
    return text;
  };
  std::vector<std::string> keys;
  {
    Store store = MustOpen(RealOptions(std::uint64_t{16} << 20));
    const Namespace ns = MustOpenNamespace(store, "n");
    keys = Fill(ns, key, 3000);
    (void)Fill(
        ns, [](int i) { return "z" + std::to_string(i); }, 10);
    ASSERT_TRUE(store.Close().ok());
  }
  Store store = MustOpen(RealOptions(std::uint64_t{16} << 20));
  const Namespace ns = MustOpenNamespace(store, "n");
  for (int i = 0; i < kLengths; ++i) {
    EXPECT_TRUE(ns.Delete(keys[i]).ok()) << i;
  }
  EXPECT_TRUE(ns.Clear().ok());
  EXPECT_TRUE(IsSound(store));
}

TEST_F(RoomForAllTest, AFullStoreAcceptsDeletesFromManyThreads) {
  constexpr int kThreads = 8;
  Store store = MustOpen(RealOptions(std::uint64_t{24} << 20));
  const Namespace ns = MustOpenNamespace(store, "n");
  std::mt19937 random(Seed());
  std::vector<std::string> keys;
  const auto key = [&](int i) {
    std::string text = Numbered(i) + ":";
    text.resize(16 + random() % 105, 'p');
    return text;
  };
  std::thread([&] { keys = Fill(ns, key, 900, 20); }).join();
  std::atomic<std::size_t> next{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  const std::size_t count = keys.size() / 2;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < count; at = next++) {
        refused += ns.Delete(keys[at]).ok() ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(refused, 0) << "of " << count;
  EXPECT_TRUE(IsSound(store));
}

TEST_F(RoomForAllTest, AFullStoreAcceptsATransactionOfDeletesAndThenAClear) {
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    path_ = temp_.File(order == Order::kHash ? "hash" : "ordered");
    Store store = MustOpen(RealOptions(std::uint64_t{12} << 20));
    NamespaceOptions options;
    options.order = order;
    const Namespace ns = *store.OpenNamespace("n", options);
    const std::vector<std::string> keys = Fill(ns, Numbered, 900);
    (void)Fill(
        ns, [](int i) { return "z" + std::to_string(i); }, 0);
    const absl::Status deleted = store.Transact([&](Transaction& txn) -> absl::Status {
      for (std::size_t i = 0; i < 10; ++i) {
        if (const absl::StatusOr<bool> each = txn.Delete(ns, keys[i]); !each.ok()) {
          return each.status();
        }
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(deleted.ok()) << deleted;
    EXPECT_TRUE(ns.Clear().ok());
    EXPECT_TRUE(IsSound(store));
  }
}

TEST_F(RoomForAllTest, InAFullStoreARefusedDeleteNamesTheSnapshotsHolderAndClearAndDropWork) {
  Store store = MustOpen(RealOptions(std::uint64_t{12} << 20));
  const Namespace ns = MustOpenNamespace(store, "n");
  const std::vector<std::string> keys = Fill(ns, Numbered, 900);
  const Snapshot snapshot = *store.TakeSnapshot();
  absl::Status refused;
  for (std::size_t i = 0; i < keys.size() && refused.ok(); ++i) {
    refused = ns.Delete(keys[i]).status();
  }
  EXPECT_TRUE(Says(refused, Code::kResourceExhausted, "(test) has held one for"));
  EXPECT_TRUE(Says(refused, Code::kResourceExhausted, "process " + std::to_string(getpid()) + " "));
  EXPECT_TRUE(ns.Clear().ok());
  EXPECT_TRUE(store.DropNamespace("n").ok());
  EXPECT_TRUE(store.ListNamespaces("")->empty());
  EXPECT_TRUE(store.OpenNamespace("n").ok());
  EXPECT_TRUE(IsSound(store));
}

TEST_F(RoomForAllTest, AFullStoreAcceptsADropAndItsSpaceIsFree) {
  Store store = MustOpen(RealOptions(std::uint64_t{16} << 20));
  const std::string prefix(60, 'p');
  const LivingThread owner([&] {
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(store.OpenNamespace(prefix + "/" + std::to_string(i)).ok());
    }
    (void)Fill(MustOpenNamespace(store, prefix + "/7"), Numbered, 900);
  });
  Store second = MustOpen(RealOptions(std::uint64_t{16} << 20));
  EXPECT_TRUE(second.DropNamespace(prefix + "/7").ok());
  EXPECT_TRUE(second.ListNamespaces(prefix + "/7")->empty());
  EXPECT_TRUE(Says(second.DropNamespace(prefix + "/7"), Code::kNotFound, "no namespace"));
  EXPECT_LT(second.Stats()->used_bytes, std::uint64_t{2} << 20);
  EXPECT_TRUE(second.OpenNamespace(prefix + "/7")->Put("k", "v").ok());
  EXPECT_TRUE(IsSound(second));
}

// A machine so busy that the heartbeat thread of a participant has not begun its work.
class LateHeartbeat : public platform::LinuxPlatform {
 public:
  absl::Status RegisterBarrier() override {
    if (std::this_thread::get_id() != opener_) {
      begin_.get_future().wait();
    }
    return LinuxPlatform::RegisterBarrier();
  }
  void Begin() { begin_.set_value(); }

 private:
  const std::thread::id opener_ = std::this_thread::get_id();
  std::promise<void> begin_;
};

TEST_F(RoomForAllTest, AParticipantWhoseHeartbeatHasNotBegunGetsTheSpaceOfADroppedNamespace) {
  Store store = MustOpen(RealOptions(std::uint64_t{16} << 20));
  const LivingThread owner([&] { (void)Fill(MustOpenNamespace(store, "filled"), Numbered, 900); });
  LateHeartbeat late;
  {
    absl::StatusOr<Store> second = OpenOn(late, path_, RealOptions(std::uint64_t{16} << 20));
    ASSERT_TRUE(second.ok()) << second.status();
    // Nobody else moves the epoch.
    EXPECT_TRUE(store.Close().ok());
    EXPECT_TRUE(second->DropNamespace("filled").ok());
    const absl::StatusOr<Namespace> ns = second->OpenNamespace("new");
    EXPECT_TRUE(ns.ok()) << ns.status();
    EXPECT_GT(ns.ok() ? Fill(*ns, Numbered, 900).size() : 0, 1000U);
    late.Begin();
  }
}

TEST_F(RoomForAllTest, OverwritesOfALargeValueMoveTheEpochInsteadOfGrowingTheFile) {
  Options options = RealOptions(std::uint64_t{1} << 30);
  options.heartbeat_interval = absl::Minutes(10);  // The heartbeat moves no epoch.
  Store store = MustOpen(options);
  const Namespace ns = MustOpenNamespace(store, "n");
  for (const std::size_t bytes : {std::size_t{40'000}, std::size_t{1'000'000}}) {
    const std::string value(bytes, 'v');
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(ns.Put("the one key", value).ok());
    }
    const region::Geometry& geometry = EngineOf(store).region.geometry();
    EXPECT_LE(EngineOf(store).region.span_count() << geometry.span_shift, std::uint64_t{16} << 20)
        << bytes;
  }
}

TEST_F(RoomForAllTest, ALargeValueFitsIntoTheLastFreeSpansBeforeMaxSize) {
  Store store = MustOpen(RealOptions(std::uint64_t{32} << 20));
  const region::Geometry& geometry = EngineOf(store).region.geometry();
  const std::uint64_t all = geometry.span_count_max << geometry.span_shift;
  const Namespace ns = MustOpenNamespace(store, "n");
  // The small blocks that a put takes have their spans before the large value.
  ASSERT_TRUE(ns.Put("k", "small").ok());
  ASSERT_TRUE(*ns.Delete("k"));
  ASSERT_TRUE(ns.Put("k", std::string(all * 55 / 100, 'a')).ok());
  ASSERT_TRUE(*ns.Delete("k"));
  const std::string most(all * 62 / 100, 'b');
  const absl::Status put = ns.Put("k", most);
  ASSERT_TRUE(put.ok()) << put;
  EXPECT_EQ(*ns.Get("k"), most);
}

TEST_F(RoomForAllTest, AFullStoreAcceptsOverwritesWhenFivePercentIsFreeInSpansOfALivingThread) {
  Store store = MustOpen(RealOptions(std::uint64_t{16} << 20));
  const Namespace ns = MustOpenNamespace(store, "n");
  std::vector<std::string> keys;
  const LivingThread owner([&] { keys = Fill(ns, Numbered, 200); });
  for (std::size_t i = 0; i < keys.size(); i += 20) {
    ASSERT_TRUE(*ns.Delete(keys[i])) << keys[i];
  }
  // Shuffled, so that no span becomes free before the others.
  std::vector<std::string> left;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % 20 != 0) {
      left.push_back(keys[i]);
    }
  }
  std::mt19937 random(Seed());
  std::shuffle(left.begin(), left.end(), random);
  const std::string value(200, 'y');
  int refused = 0;
  for (const std::string& key : left) {
    refused += ns.Put(key, value).ok() ? 0 : 1;
  }
  EXPECT_EQ(refused, 0) << "of " << keys.size();
}

// --- Work on whole namespaces ------------------------------------------------------------------

// A platform whose clock moves by a second at each reading, so that each piece of work takes only
// one step.
class HurriedPlatform : public FaultPlatform {
 public:
  std::int64_t MonotonicNs() override { return now_ns_ += hurried ? 1'000'000'000 : 1; }

  std::atomic<bool> hurried{false};

 private:
  std::atomic<std::int64_t> now_ns_{1};
};

class PiecesTest : public StoreFixture {
 protected:
  // The operations that this process has begun.
  static std::uint64_t OperationsOf(Store& store) {
    std::uint64_t operations = 0;
    region::Region& region = EngineOf(store).region;
    for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
      operations += region.lane(i).operations.load(std::memory_order_relaxed);
    }
    return operations;
  }
  // The first step of a drop.
  static void Mark(Store& store, const std::string& path) {
    const engine::Engine& impl = EngineOf(store);
    process::Operation op(**impl.session.ThisLane(), process::OpKind::kDrop, 0);
    ASSERT_TRUE(
        *impl.map.roots().MarkForDrop(*engine::NamespaceAt(impl, *impl.catalog.Find(path))));
  }
};

TEST_F(PiecesTest, DropClearAndSweepGiveUpTheirPinAfterEachPiece) {
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    HurriedPlatform platform;
    const std::string path = temp_.File(order == Order::kHash ? "hash" : "ordered");
    Store store = *OpenOn(platform, path, QuietOptions());
    NamespaceOptions options;
    options.order = order;
    const auto work = [&](const char* what, auto&& begin) {
      SCOPED_TRACE(what);
      const Namespace ns = *store.OpenNamespace("n", options);
      {
        const Snapshot snapshot = *store.TakeSnapshot();
        for (int i = 0; i < 2000; ++i) {
          ASSERT_TRUE(ns.Put("k" + std::to_string(i), "v").ok());
        }
        const Snapshot again = *store.TakeSnapshot();
        for (int i = 0; i < 2000; ++i) {
          ASSERT_TRUE(ns.Put("k" + std::to_string(i), "w").ok());
        }
      }
      const std::uint64_t before = OperationsOf(store);
      platform.hurried = true;
      begin(ns);
      platform.hurried = false;
      EXPECT_GT(OperationsOf(store) - before, 20U);
      EXPECT_TRUE(IsSound(store));
    };
    work("sweep", [&](const Namespace&) {
      for (int beat = 0; beat < 1000; ++beat) {
        EngineOf(store).maintenance.Background();
      }
    });
    work("clear", [&](const Namespace& ns) { EXPECT_TRUE(ns.Clear().ok()); });
    work("drop", [&](const Namespace&) {
      EXPECT_TRUE(store.DropNamespace("n").ok());
      for (int beat = 0; beat < 1000; ++beat) {
        EngineOf(store).maintenance.Background();
      }
    });
    ASSERT_TRUE(store.Close().ok());
  }
  expect_store_ = false;
}

TEST_F(PiecesTest, CallsOnANamespaceThatIsBeingDroppedFailAndDoNoneOfTheDrop) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(ns.Put("k" + std::to_string(i), "v").ok());
  }
  const engine::Engine& impl = EngineOf(store);
  Mark(store, "n");
  const std::uint64_t used = store.Stats()->used_bytes;
  EXPECT_TRUE(Says(ns.Get("k1").status(), Code::kFailedPrecondition, "was dropped"));
  EXPECT_TRUE(Says(ns.Put("k1", "w"), Code::kFailedPrecondition, "was dropped"));
  EXPECT_TRUE(Says(ns.Delete("k1").status(), Code::kFailedPrecondition, "was dropped"));
  EXPECT_EQ(store.Stats()->used_bytes, used)
      << "the drop is left to the dropping process and to heartbeats";
  impl.maintenance.Background();
  EXPECT_TRUE(IsSound(store));
  EXPECT_EQ(store.Stats()->namespaces, 0U);
}

TEST_F(PiecesTest, ANamespaceThatIsBeingDroppedIsNotListedAndItsNameIsFree) {
  Store store = MustOpen(QuietOptions());
  for (const char* const name : {"a", "b", "c"}) {
    ASSERT_TRUE(MustOpenNamespace(store, name).Put("k", name).ok());
  }
  Mark(store, "a");
  const std::vector<NamespaceInfo> listed = *store.ListNamespaces("");
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].path, "b");
  EXPECT_EQ(listed[1].path, "c");
  Mark(store, "b");
  EXPECT_TRUE(Says(store.RenameNamespace("b", "d"), Code::kNotFound, "no namespace \"b\""));
  ASSERT_TRUE(MustOpenNamespace(store, "b").Put("k", "again").ok());
  Mark(store, "b");
  EXPECT_TRUE(store.RenameNamespace("c", "b").ok());
  EXPECT_EQ(*MustOpenNamespace(store, "b").Get("k"), "c");
  EXPECT_TRUE(IsSound(store));
}

TEST_F(PiecesTest, APutIntoANamespaceThatIsBeingClearedDoesNotWaitForItsKeys) {
  Store store = MustOpen(QuietOptions());
  const Namespace ns = MustOpenNamespace(store, "n");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(ns.Put("k" + std::to_string(i), "v").ok());
  }
  const engine::Engine& impl = EngineOf(store);
  const auto old_root = [&] {
    auto* const object = impl.region.At<namespaces::NamespaceObject>(*impl.catalog.Find("n"));
    return impl.region.At<index::IndexRoot>(object->root.load(std::memory_order_acquire));
  };
  index::IndexRoot* const root = old_root();
  {
    // A clear after its first step.
    process::Operation op(**impl.session.ThisLane(), process::OpKind::kClear, 0);
    auto* const object = impl.region.At<namespaces::NamespaceObject>(*impl.catalog.Find("n"));
    const std::uint64_t made = *impl.map.hash_shape().BuildRoot(
        op, object->id.load(std::memory_order_acquire),
        object->root.load(std::memory_order_acquire), alloc::Purpose::kClears);
    root->successor.store(made, std::memory_order_seq_cst);
  }
  EXPECT_EQ(*ns.Get("k1"), "v") << "the clear has not ended";
  EXPECT_TRUE(ns.Put("k1", "w").ok());
  EXPECT_NE(old_root(), root);
  EXPECT_EQ(root->pending_reshape.load(std::memory_order_acquire), 0U)
      << "the put froze part of the old index";
  EXPECT_EQ(*ns.Size(), 1U);
  EXPECT_EQ(*ns.Get("k1"), "w");
  EXPECT_TRUE(absl::IsNotFound(ns.Get("k2").status()));
  impl.maintenance.Background();
  EXPECT_TRUE(IsSound(store));
}

}  // namespace
}  // namespace commy::test
