// Ordered namespaces through the public interface and below it: ranges and bounds, scans beside
// changes, the life of ordered namespaces, and damage of each part. The shape alone:
// tree_shape_test.cc.
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "index/tree/tree_shape.h"
#include "support/ordered_fixture.h"

namespace commy::test {
namespace {

std::string Number(int i) {
  std::string digits = std::to_string(i);
  return std::string(8 - digits.size(), '0') + digits;
}

std::vector<std::string> KeysOf(ScanRange scan) {
  std::vector<std::string> keys;
  for (const Entry& entry : scan) {
    keys.emplace_back(entry.key());
  }
  EXPECT_TRUE(scan.status().ok()) << scan.status();
  return keys;
}

class OrderedNamespaceTest : public OrderedFixture {
 protected:
  Store store_ = MustOpen(TinyNodes(QuietOptions()));
  Namespace ns_ = MustOpenOrdered(store_, "n");
};

TEST_F(OrderedNamespaceTest, RangeBoundsNeedNotBeKeys) {
  for (int i = 0; i < 200; i += 2) {
    ASSERT_TRUE(ns_.Put(Number(i), "v").ok());
  }
  for (int i = 0; i < 200; ++i) {
    const auto at = KeysOf(ns_.Scan({.from = Number(i), .limit = 1}));
    const int above = i + i % 2;
    ASSERT_EQ(at,
              above < 200 ? std::vector<std::string>{Number(above)} : std::vector<std::string>{});
    const auto below = KeysOf(ns_.Scan({.to = Number(i), .limit = 1, .reverse = true}));
    ASSERT_EQ(below, i == 0 ? std::vector<std::string>{}
                            : std::vector<std::string>{Number((i - 1) / 2 * 2)});
    ASSERT_EQ(*ns_.Count({.from = Number(i)}), static_cast<unsigned>((200 - i) / 2));
  }
  EXPECT_EQ(KeysOf(ns_.Scan({.limit = 1})).at(0), Number(0));
  EXPECT_EQ(KeysOf(ns_.Scan({.limit = 1, .reverse = true})).at(0), Number(198));
  EXPECT_EQ(*ns_.Count({.from = "z", .to = "a"}), 0U);
  EXPECT_EQ(*ns_.Count({.limit = 0}), 0U);
}

TEST_F(OrderedNamespaceTest, PrefixesOfAllOnesHaveNoEnd) {
  const std::vector<std::string> keys = {"",         "\xfe",     "\xff",
                                         "\xff\x01", "\xff\xff", "\xff\xff\xff"};
  for (const std::string& key : keys) {
    ASSERT_TRUE(ns_.Put(key, "v").ok());
  }
  EXPECT_EQ(KeysOf(ns_.Scan()), keys);
  EXPECT_EQ(*ns_.Count({.prefix = "\xff"}), 4U);
  EXPECT_EQ(*ns_.Count({.prefix = "\xff\xff"}), 2U);
  EXPECT_EQ(*ns_.Count({.prefix = "\xfe"}), 1U);
  EXPECT_EQ(KeysOf(ns_.Scan({.prefix = "\xff\xff", .reverse = true})).at(0), "\xff\xff\xff");
}

TEST_F(OrderedNamespaceTest, EntriesHoldNothingOfEarlierScans) {
  ASSERT_TRUE(ns_.Put("a", std::string(100, 'v'), {.ttl = absl::Hours(1)}).ok());
  ASSERT_TRUE(ns_.Put("b", "").ok());
  for (const int round : {1, 2}) {
    for (ScanRange scan = ns_.Scan({.to = "b"}); const Entry& entry : scan) {
      EXPECT_EQ(entry.value().size(), 100U);
      EXPECT_LT(entry.ttl(), absl::Hours(2));
    }
    for (ScanRange scan = ns_.Scan({.from = "b"}); const Entry& entry : scan) {
      EXPECT_EQ(entry.key(), "b") << round;
      EXPECT_EQ(entry.value(), "");
      EXPECT_EQ(entry.ttl(), absl::InfiniteDuration());
    }
  }
}

TEST_F(OrderedNamespaceTest, NestedScansDoNotDisturbEachOther) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(ns_.Put(Number(i), Number(i)).ok());
  }
  int next = 0;
  for (ScanRange outer = ns_.Scan(); const Entry& entry : outer) {
    EXPECT_EQ(KeysOf(ns_.Scan({.reverse = true})).size(), 20U);
    EXPECT_EQ(entry.key(), Number(next));
    EXPECT_EQ(entry.value(), Number(next++));
  }
  EXPECT_EQ(next, 20);
}

TEST_F(OrderedNamespaceTest, AScanMayEndInTheDestructorOfAThreadLocal) {
  ASSERT_TRUE(ns_.Put("a", std::string(100, 'v')).ok());
  std::thread([this] {
    // Destroyed after the thread's buffers for scans, which are made later.
    static thread_local std::optional<ScanRange> last;
    last.reset();
    last.emplace(ns_.Scan());
    EXPECT_EQ(last->begin()->key(), "a");
    EXPECT_EQ(KeysOf(ns_.Scan()).size(), 1U);
  }).join();
  EXPECT_EQ(KeysOf(ns_.Scan()), std::vector<std::string>{"a"});
}

TEST_F(OrderedNamespaceTest, AScanSeesEachStableKeyOnceHoweverTheLeavesChange) {
  for (const bool reverse : {false, true}) {
    for (int i = 0; i < 1000; i += 10) {
      ASSERT_TRUE(ns_.Put(Number(i), "stays").ok());
    }
    std::vector<std::string> seen;
    int step = 0;
    ScanRange scan = ns_.Scan({.reverse = reverse});
    for (const Entry& entry : scan) {
      if (entry.value() == "stays") {
        seen.emplace_back(entry.key());
      }
      // Leaves split before, at and after the scan's leaf; then they are emptied again.
      for (int i = 1; i < 10; ++i) {
        const int at = (step * 37 % 100) * 10 + i;
        ASSERT_TRUE(step % 2 == 0 ? ns_.Put(Number(at), "goes").ok() : ns_.Delete(Number(at)).ok());
      }
      ++step;
    }
    ASSERT_TRUE(scan.status().ok());
    std::set<std::string> once(seen.begin(), seen.end());
    EXPECT_EQ(seen.size(), 100U);
    EXPECT_EQ(once.size(), 100U);
    EXPECT_TRUE(reverse ? std::is_sorted(seen.rbegin(), seen.rend())
                        : std::is_sorted(seen.begin(), seen.end()));
  }
}

TEST_F(OrderedNamespaceTest, ExpiredKeysAreNotInRanges) {
  ASSERT_TRUE(ns_.Put("a", "v", {absl::Nanoseconds(1)}).ok());
  ASSERT_TRUE(ns_.Put("b", "v").ok());
  EXPECT_EQ(KeysOf(ns_.Scan()), std::vector<std::string>{"b"});
  EXPECT_EQ(*ns_.Count(), 1U);
}

TEST_F(OrderedNamespaceTest, TheOrderOfANamespaceNeverChanges) {
  ASSERT_TRUE(store_.OpenNamespace("h").ok());
  EXPECT_TRUE(Says(store_.OpenNamespace("n", {.order = Order::kHash}).status(),
                   absl::StatusCode::kInvalidArgument, "created with the order ordered, not hash"));
  EXPECT_TRUE(Says(store_.OpenNamespace("h", {.order = Order::kOrdered}).status(),
                   absl::StatusCode::kInvalidArgument, "created with the order hash, not ordered"));
  ASSERT_TRUE(ns_.Put("k", "v").ok());
  ASSERT_TRUE(store_.RenameNamespace("n", "m").ok());
  EXPECT_EQ(store_.OpenNamespace("m")->order(), Order::kOrdered);
  const auto listed = *store_.ListNamespaces();
  EXPECT_EQ(listed.at(0).order, Order::kHash);
  EXPECT_EQ(listed.at(1).order, Order::kOrdered);
  EXPECT_EQ(listed.at(1).keys, 1U);
  EXPECT_EQ(*ns_.Get("k"), "v");
}

TEST_F(OrderedNamespaceTest, ClearAndDropGiveAllBlocksBack) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(ns_.Put(Number(i * 31 % 500), std::string(100, 'v')).ok());
    }
    ASSERT_TRUE(ns_.Clear().ok());
    EXPECT_EQ(*ns_.Count(), 0U);
    EXPECT_EQ(*ns_.Size(), 0U);
  }
  ASSERT_TRUE(ns_.Put("k", "v").ok());
  ASSERT_TRUE(store_.DropNamespace("n").ok());
  EXPECT_TRUE(Says(ns_.Get("k").status(), absl::StatusCode::kFailedPrecondition, "dropped"));
  EXPECT_TRUE(Says(ns_.Count().status(), absl::StatusCode::kFailedPrecondition, "dropped"));
  EXPECT_TRUE(IsSound(store_));
  EXPECT_EQ(store_.Check()->blocks_reachable, 1U);  // The catalog's root.
}

TEST_F(OrderedNamespaceTest, DamageOfAnyPartIsDataLossOrIsFoundByCheckAndNeverACrash) {
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(ns_.Put(Number(i), "v").ok());
  }
  region::Region& region = EngineOf(store_).region;
  std::uint64_t object = 0;
  EXPECT_TRUE(EngineOf(store_)
                  .catalog
                  .ForEach("n",
                           [&](std::string_view, std::uint64_t found) {
                             object = found;
                             return false;
                           })
                  .ok());
  auto* const root = region.At<index::IndexRoot>(
      region.At<namespaces::NamespaceObject>(object)->root.load(std::memory_order_relaxed));
  auto* node = region.At<index::InnerNode>(root->directory.raw);
  std::vector<std::uint64_t*> words = {&root->directory.raw};
  while (node->head.level > 0) {
    auto* const arrays = reinterpret_cast<std::uint64_t*>(node + 1);
    const std::uint64_t count = node->head.capacity;
    words.push_back(reinterpret_cast<std::uint64_t*>(&node->head));
    words.push_back(&node->head.low);
    words.push_back(&node->prefix_size);
    words.push_back(&arrays[0]);
    words.push_back(&arrays[count]);
    words.push_back(&arrays[2 * count]);
    words.push_back(region.At<std::uint64_t>(arrays[count]));      // A separator's size
    words.push_back(region.At<std::uint64_t>(arrays[count] + 8));  // and checksum.
    node = region.At<index::InnerNode>(arrays[2 * count]);
  }
  auto* const leaf = reinterpret_cast<index::Leaf*>(node);
  auto* const leaf_words = reinterpret_cast<std::uint64_t*>(leaf);
  ASSERT_GT(leaf->head.capacity, 0U);
  words.insert(words.end(),
               {&leaf_words[0], &leaf_words[1], &leaf_words[2], &leaf->count.raw,
                &leaf->prefix_size.raw, &leaf_words[8], &leaf_words[8 + leaf->head.capacity]});
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (const std::uint64_t bad : {*words[i] ^ 0x10U, std::uint64_t{0xfffffffffffffff0}}) {
      const std::uint64_t good = std::exchange(*words[i], bad);
      for (int key = 0; key < 60; ++key) {
        const absl::Status got = ns_.Get(Number(key)).status();
        ASSERT_TRUE(got.ok() || absl::IsNotFound(got) || absl::IsDataLoss(got)) << got;
      }
      for (const bool reverse : {false, true}) {
        const absl::Status counted = ns_.Count({.reverse = reverse}).status();
        ASSERT_TRUE(counted.ok() || absl::IsDataLoss(counted)) << counted;
      }
      EXPECT_FALSE(IsSound(store_)) << "word " << i << ", damaged to " << bad;
      *words[i] = good;
    }
  }
  EXPECT_TRUE(IsSound(store_));
}

}  // namespace
}  // namespace commy::test
