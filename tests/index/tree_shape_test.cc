// The tree shape without a store: looks for keys, splits, merges and lost roots, reshapes that one
// participant posts and another finishes, scans in both directions and in short steps, the walk
// over edges, and reclaiming. Through a store: ordered_namespace_test.cc.
#include "index/tree/tree_shape.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/seed.h"
#include "support/shape_fixture.h"
#include "support/store_fixture.h"

namespace commy::index {
namespace {

std::string Number(int i) {
  std::string digits = std::to_string(i);
  return std::string(8 - digits.size(), '0') + digits;
}

// --- Heads -------------------------------------------------------------------------------------

TEST(TreeHeadTest, HeadsCompareLikeTheKeysBehindTheSharedPrefix) {
  std::mt19937_64 random(test::Seed());
  const auto word = [&] {
    std::string text(random() % 12, '\0');
    for (char& c : text) {
      c = static_cast<char>(
          "\0\x01"
          "a\x7f\x80\xff"[random() % 6]);
    }
    return text;
  };
  for (int i = 0; i < 5000; ++i) {
    const std::string prefix = word();
    const std::string a = prefix + word();
    const std::string b = prefix + word();
    const std::uint64_t head_a = HeadOf(a, prefix.size());
    const std::uint64_t head_b = HeadOf(b, prefix.size());
    ASSERT_TRUE(a < b ? head_a <= head_b : head_a >= head_b);
    ASSERT_GE(CommonPrefix(a, b), prefix.size());
    ASSERT_EQ(a.substr(0, CommonPrefix(a, b)), b.substr(0, CommonPrefix(a, b)));
  }
  EXPECT_EQ(HeadOf("abc", 3), 0U);
  EXPECT_EQ(HeadOf("abc", 9), 0U);
  EXPECT_EQ(HeadOf("ab", 1), std::uint64_t{'b'} << 56U);
  EXPECT_EQ(CommonPrefix("abc", "abd"), 2U);
  EXPECT_EQ(CommonPrefix("abc", "abc"), 3U);
  EXPECT_EQ(CommonPrefix("", "abc"), 0U);
}

// --- The shape ---------------------------------------------------------------------------------

constexpr TreeLimits kTiny = {.leaf_keys = 4, .leaf_append = 2, .node_children = 4};

class TreeFixture : public test::ShapeFixture {
 protected:
  TreeFixture(const TreeLimits& limits, const region::CreateOptions& create)
      : ShapeFixture(create), limits_(limits) {}

  std::unique_ptr<Shape> MakeShape(test::VersionsParty& party) override {
    return std::make_unique<TreeShape>(party.session(), party.allocator(), party.chains(),
                                       party.intents(), limits_);
  }
  TreeShape& tree() { return static_cast<TreeShape&>(*shape_); }

  absl::StatusOr<Found> FindNewest(const std::string& key, versions::RecordView* found) {
    return tree().FindNewest(root(), key, shape_->Hash(key), found);
  }
  void ExpectReadersFindEveryKey() {
    for (const auto& [key, value] : live_) {
      versions::RecordView view;
      const absl::StatusOr<Found> found = FindNewest(key, &view);
      ASSERT_TRUE(found.ok() && *found == Found::kKey) << key;
      ASSERT_EQ(view.value, value);
    }
  }

  using Keys = std::vector<std::string>;
  // From the cursor on, in steps of at most `limit` records each.
  Keys Scan(bool reverse, ScanCursor cursor, std::uint64_t limit = UINT64_MAX,
            const versions::AsOf& as_of = versions::AsOf()) {
    Keys keys;
    cursor.limit = limit;
    bool more = true;
    for (int step = 0; more && step < 100'000 && !HasFailure(); ++step) {
      std::uint64_t seen = 0;
      const base::Result scanned = tree().Scan(
          root(), as_of, reverse, &cursor,
          [&](const versions::RecordView& view) {
            keys.emplace_back(view.key);
            ++seen;
            return true;
          },
          &more);
      EXPECT_TRUE(scanned.done()) << scanned.status();
      if (limit != UINT64_MAX) {  // A step may take some of the append area in addition.
        EXPECT_LE(seen, limit + limits_.leaf_append);
      }
    }
    EXPECT_FALSE(more);
    return keys;
  }
  Keys ScanAll(bool reverse, std::uint64_t limit = UINT64_MAX) {
    return Scan(reverse, ScanCursor(), limit);
  }
  Keys Live(bool reverse = false) {
    Keys keys;
    for (const auto& [key, value] : live_) {
      keys.push_back(key);
    }
    if (reverse) {
      std::reverse(keys.begin(), keys.end());
    }
    return keys;
  }
  void Fill(int from, int to) {
    for (int i = from; i < to && !HasFatalFailure(); ++i) {
      Put(Number(i));
    }
  }
  std::uint64_t Directory() { return root().directory.load(std::memory_order_relaxed); }
  std::uint32_t Height() { return region().At<NodeHead>(Directory())->level; }
  std::uint64_t Pending() { return root().pending_reshape.load(std::memory_order_relaxed); }

  const TreeLimits limits_;
};

// Leaves of a few keys under nodes of a few children: every few puts change the shape.
class TreeShapeTest : public TreeFixture {
 protected:
  TreeShapeTest() : TreeFixture(kTiny, test::TinyRegion()) {}

  // --- A poster that is stopped behind reshape-1, by hand --------------------------------------

  struct Posted {
    TreeReshape change{};
    std::uint64_t descriptor = 0;
  };
  // The way to a leaf: the inner node above it, 0: none, and its index there.
  struct Above {
    std::uint64_t node = 0;
    std::uint64_t index = 0;
  };
  Above AboveLeaf(std::uint64_t leaf) {
    Above found;
    for (const Edge& edge : Edges()) {
      if (edge.kind != BlockKind::kInner) {
        continue;
      }
      auto* const node = region().At<InnerNode>(edge.offset);
      const auto* const children =
          reinterpret_cast<const Shared64*>(node + 1) + 2 * node->head.capacity;
      for (std::uint64_t i = 0; i < node->head.capacity; ++i) {
        if (children[i].load(std::memory_order_relaxed) == leaf) {
          found = {edge.offset, i};
        }
      }
    }
    return found;
  }
  std::uint64_t LeafOf(const std::string& key) {
    return shape_->SlotsOf(root(), key, shape_->Hash(key))->offset;
  }
  std::uint64_t KeysIn(std::uint64_t leaf) {
    const SlotArray slots = *shape_->SlotsOf(root(), KeyIn(leaf), 0);
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < slots.count; ++i) {
      const std::uint64_t word = slots.words[i].load(std::memory_order_relaxed);
      count += SlotIsEmpty(word) || SlotIsClosed(word) ? 0 : 1;
    }
    return count;
  }
  std::string KeyIn(std::uint64_t leaf) {
    for (const auto& [key, value] : live_) {
      if (LeafOf(key) == leaf) {
        return key;
      }
    }
    return "";
  }
  Posted PostRebuild(std::uint64_t leaf) {
    return PostRebuild(leaf, AboveLeaf(leaf), KeysIn(leaf));
  }
  Posted PostRebuild(std::uint64_t leaf, const Above& above, std::uint64_t capacity) {
    Posted posted;
    const auto* const old = region().At<Leaf>(leaf);
    TreeReshape& change = posted.change;
    change.kind = static_cast<std::uint64_t>(TreeReshapeKind::kRebuild);
    change.fence = old->head.low;
    change.holder = above.node;
    change.holder_index = above.index;
    change.old_0 = leaf;
    change.target_0 = party_.Allocate(BlockKind::kLeaf, LeafBytes(capacity, kTiny.leaf_append));
    auto* const target = region().At<Leaf>(change.target_0);
    target->head = {0, static_cast<std::uint32_t>(capacity), change.fence};
    target->append = kTiny.leaf_append;
    posted.descriptor = party_.Allocate(BlockKind::kDescriptor, sizeof(TreeReshape));
    *region().At<TreeReshape>(posted.descriptor) = change;
    EXPECT_TRUE(
        root().pending_reshape.CompareAndSet(0, posted.descriptor, std::memory_order_seq_cst));
    return posted;
  }
  bool IsFrozen(std::uint64_t leaf) {
    auto* const words = region().At<Leaf>(leaf);
    const auto* const slots = reinterpret_cast<const Shared64*>(words + 1) + words->head.capacity;
    return std::all_of(
        slots, slots + words->head.capacity + words->append,
        [](const Shared64& slot) { return SlotIsFrozen(slot.load(std::memory_order_relaxed)); });
  }
};

// --- Looks -------------------------------------------------------------------------------------

TEST_F(TreeShapeTest, AnEmptyRootHasRoomForEveryKeyAndHoldsNone) {
  Position at;
  EXPECT_EQ(*FindPlace("a", &at), Found::kRoom);
  EXPECT_EQ(at.place_offset, Directory());
  versions::RecordView view;
  EXPECT_NE(*FindNewest("a", &view), Found::kKey);
  EXPECT_TRUE(ScanAll(false).empty());
  EXPECT_TRUE(ScanAll(true).empty());
  EXPECT_EQ(Height(), 0U);
}

TEST_F(TreeShapeTest, ReadersAndWritersFindWhatWasPutInAnyOrder) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 800; ++i) {
    Put(Number(static_cast<int>(random() % 500)), std::to_string(i));
  }
  ExpectReadersFindEveryKey();
  ExpectWritersFindEveryKey();
  versions::RecordView view;
  for (const std::string& missing :
       {std::string(), std::string("0"), Number(500), Number(1) + "x"}) {
    EXPECT_NE(*FindNewest(missing, &view), Found::kKey) << missing;
  }
}

TEST_F(TreeShapeTest, TheSlotsOfAKeyHoldItsSlot) {
  Fill(0, 200);
  for (const auto& [key, value] : live_) {
    Position at;
    ASSERT_EQ(*FindPlace(key, &at), Found::kKey);
    const SlotArray slots = *shape_->SlotsOf(root(), key, shape_->Hash(key));
    ASSERT_EQ(slots.offset, at.place_offset);
    ASSERT_TRUE(at.slot >= slots.words && at.slot < slots.words + slots.count);
  }
}

TEST_F(TreeShapeTest, AWalkOverSlotsMeetsEveryLeafOnceAndGoesOnWhereItStopped) {
  Fill(0, 200);
  const std::uint64_t leaves = BlocksOfEachKind()[BlockKind::kLeaf];
  std::vector<std::uint64_t> seen;
  EXPECT_TRUE(shape_
                  ->ForEachSlots(root(),
                                 [&](const SlotArray& slots) {
                                   seen.push_back(slots.offset);
                                   return absl::OkStatus();
                                 })
                  .ok());
  EXPECT_EQ(seen.size(), leaves);
  EXPECT_EQ(std::set<std::uint64_t>(seen.begin(), seen.end()).size(), leaves);
  std::vector<std::uint64_t> in_steps;
  SlotPlace place;
  bool all = false;
  for (std::uint64_t step = 0; !all && step < 2 * leaves; ++step) {
    int met = 0;
    all = *shape_->ForEachSlotsFrom(root(), &place,
                                    [&](const SlotArray& slots) -> absl::StatusOr<bool> {
                                      if (++met < 2) {
                                        in_steps.push_back(slots.offset);
                                      }
                                      return met < 2;
                                    });
  }
  EXPECT_TRUE(all);
  EXPECT_EQ(in_steps, seen);
}

// --- Splits and merges -------------------------------------------------------------------------

TEST_F(TreeShapeTest, AFullLeafIsRebuiltUntilItHasMoreKeysThanALeafMayHoldAndThenSplit) {
  Fill(0, 4);
  const std::uint64_t leaf = Directory();
  EXPECT_EQ(BlocksOfEachKind()[BlockKind::kLeaf], 1U);
  EXPECT_EQ(Height(), 0U);
  Fill(4, 7);
  EXPECT_NE(Directory(), leaf);
  EXPECT_EQ(Height(), 1U);
  const std::map<BlockKind, std::uint64_t> blocks = BlocksOfEachKind();
  EXPECT_EQ(blocks.at(BlockKind::kLeaf), 2U);
  EXPECT_EQ(blocks.at(BlockKind::kInner), 1U);
  EXPECT_EQ(blocks.at(BlockKind::kSeparator), 1U);
}

TEST_F(TreeShapeTest, ThereIsOneSeparatorBetweenEachTwoLeaves) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 2000; ++i) {
    const std::string key = Number(static_cast<int>(random() % 300));
    if (live_.contains(key) && random() % 3 != 0) {
      Close(key);
    } else {
      Put(key);
    }
    if (i % 50 == 0) {
      std::map<BlockKind, std::uint64_t> blocks = BlocksOfEachKind();
      ASSERT_EQ(blocks[BlockKind::kSeparator] + 1, blocks[BlockKind::kLeaf]);
      ASSERT_EQ(Pending(), 0U);
    }
  }
  EXPECT_EQ(ScanAll(false), Live());
  EXPECT_EQ(ScanAll(true), Live(true));
}

TEST_F(TreeShapeTest, PutsOfDeletedKeysDoNotGrowTheIndex) {
  for (int i = 0; i < 3000; ++i) {
    Put(Number(i));
    Close(Number(i));
  }
  std::map<BlockKind, std::uint64_t> blocks = BlocksOfEachKind();
  EXPECT_EQ(blocks[BlockKind::kLeaf], 1U);
  EXPECT_EQ(blocks[BlockKind::kInner], 0U);
}

TEST_F(TreeShapeTest, AnEmptiedRangeLeavesNoEmptyLeaves) {
  Fill(0, 2000);
  for (int i = 100; i < 1900; ++i) {
    Close(Number(i));
  }
  EXPECT_LE(BlocksOfEachKind()[BlockKind::kLeaf], 100U);
  EXPECT_EQ(ScanAll(false), Live());
}

TEST_F(TreeShapeTest, ATreeThatIsEmptiedLosesItsRootsDownToOneLeaf) {
  std::mt19937_64 random(test::Seed());
  Fill(0, 500);
  EXPECT_GE(Height(), 3U);
  Keys keys = Live();
  std::shuffle(keys.begin(), keys.end(), random);
  for (const std::string& key : keys) {
    Close(key);
  }
  // A leaf that was emptied without a neighbour to merge with has another occasion.
  Operation op(party_.lane(), OpKind::kSweep, 0);
  for (int i = 0; i < 500; ++i) {
    shape_->AfterClose(op, root(), Number(i));
  }
  EXPECT_EQ(Height(), 0U);
  std::map<BlockKind, std::uint64_t> blocks = BlocksOfEachKind();
  EXPECT_EQ(blocks[BlockKind::kInner], 0U);
  EXPECT_EQ(blocks[BlockKind::kSeparator], 0U);
  EXPECT_EQ(blocks[BlockKind::kLeaf], 1U);
}

TEST_F(TreeShapeTest, MarksAndDueTimesPassToTheLeafOfARebuild) {
  Fill(0, 100);
  const std::uint64_t leaf = LeafOf(Number(50));
  region().At<Leaf>(leaf)->mark.store(kSweepAfterSnapshot, std::memory_order_relaxed);
  region().At<Leaf>(leaf)->due.store(77, std::memory_order_relaxed);
  const Posted posted = PostRebuild(leaf);
  ASSERT_TRUE(shape_->HelpPending(root()).ok());
  const auto* const target = region().At<Leaf>(posted.change.target_0);
  EXPECT_EQ(target->mark.load(std::memory_order_relaxed), kSweepAfterSnapshot);
  EXPECT_EQ(target->due.load(std::memory_order_relaxed), 77U);
  Retire(leaf);
  Retire(posted.descriptor);
}

// With the limits that a store has.
class DefaultNodesTest : public TreeFixture {
 protected:
  static region::CreateOptions Large() {
    region::CreateOptions options = test::TinyRegion();
    options.span_bytes = std::uint64_t{64} << 10;
    options.chunk_bytes = std::uint64_t{1} << 20;
    options.max_size_bytes = std::uint64_t{256} << 20;
    return options;
  }
  DefaultNodesTest() : TreeFixture(TreeLimits(), Large()) {}
};

TEST_F(DefaultNodesTest, AscendingPutsLeaveFullLeavesAndNodes) {
  constexpr int kCount = 20'000;
  Fill(0, kCount);
  std::map<BlockKind, std::uint64_t> blocks = BlocksOfEachKind();
  EXPECT_LE(blocks[BlockKind::kLeaf], static_cast<unsigned>(kCount / 48 + 2));
  EXPECT_LE(blocks[BlockKind::kInner], static_cast<unsigned>(kCount / 48 / 63 + 4));
  EXPECT_EQ(blocks[BlockKind::kSeparator], blocks[BlockKind::kLeaf] - 1);
}

TEST_F(DefaultNodesTest, DescendingPutsLeaveFullLeaves) {
  constexpr int kCount = 20'000;
  for (int i = kCount; i > 0; --i) {
    Put(Number(i));
  }
  EXPECT_LE(BlocksOfEachKind()[BlockKind::kLeaf], static_cast<unsigned>(kCount / 48 + 2));
}

TEST_F(DefaultNodesTest, PutsInRandomOrderFillLeavesByMoreThanHalf) {
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    Put(std::to_string(i * 7919LL % 20'011));
  }
  EXPECT_LE(BlocksOfEachKind()[BlockKind::kLeaf], static_cast<unsigned>(kCount / 26));
}

TEST_F(DefaultNodesTest, LongKeysWithALongCommonPrefixAreFoundInOrder) {
  const std::string shared(60'000, 's');
  for (int i = 0; i < 400; ++i) {
    Put(shared + Number(i * 7 % 400));
  }
  EXPECT_EQ(ScanAll(false), Live());
  EXPECT_EQ(ScanAll(true), Live(true));
  ExpectReadersFindEveryKey();
  versions::RecordView view;
  EXPECT_NE(*FindNewest(shared, &view), Found::kKey);
  EXPECT_NE(*FindNewest(shared + "z", &view), Found::kKey);
}

// --- A reshape that another participant finishes -----------------------------------------------

TEST_F(TreeShapeTest, AnotherParticipantFinishesAPostedRebuild) {
  for (const int count : {3, 100}) {  // Of the only leaf; of one below an inner node.
    Fill(0, count);
    const std::uint64_t leaf = LeafOf(Number(count / 2));
    const Posted posted = PostRebuild(leaf);
    ExpectEveryBlockHasOneName(true, {posted.change.target_0});
    EXPECT_TRUE(IsReachable(BlockKind::kDescriptor, posted.descriptor));
    {
      const process::Pin pin(other_.lane());
      ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
    }
    EXPECT_EQ(Pending(), 0U);
    EXPECT_EQ(LeafOf(Number(count / 2)), posted.change.target_0);
    EXPECT_TRUE(IsFrozen(leaf));
    ExpectReadersFindEveryKey();
    ExpectWritersFindEveryKey();
    EXPECT_EQ(ScanAll(false), Live());
    ExpectEveryBlockHasOneName(true, {leaf, posted.descriptor});
    Retire(leaf);  // reshape-6
    Retire(posted.descriptor);
  }
}

TEST_F(TreeShapeTest, AnotherParticipantFinishesAPostedSplitOfTheRoot) {
  Fill(0, 3);
  const std::uint64_t leaf = Directory();
  Posted posted;
  TreeReshape& change = posted.change;
  change.kind = static_cast<std::uint64_t>(TreeReshapeKind::kNewRoot);
  change.old_0 = leaf;
  change.separator = party_.Allocate(BlockKind::kSeparator, sizeof(Separator) + 8);
  auto* const separator = region().At<Separator>(change.separator);
  separator->size = 8;
  base::CopyIn(separator + 1, Number(1).data(), 8);
  separator->checksum = base::Checksum(separator + 1, 8);
  for (std::uint64_t* const target : {&change.target_0, &change.target_1}) {
    *target = party_.Allocate(BlockKind::kLeaf, LeafBytes(3, kTiny.leaf_append));
    region().At<Leaf>(*target)->head = {0, 3, target == &change.target_0 ? 0 : change.separator};
    region().At<Leaf>(*target)->append = kTiny.leaf_append;
  }
  change.target_parent = party_.Allocate(BlockKind::kInner, InnerBytes(2));
  auto* const parent = region().At<InnerNode>(change.target_parent);
  parent->head = {1, 2, 0};
  parent->prefix_size = 8;
  base::CopyIn(parent->prefix, Number(1).data(), 8);
  auto* const words = reinterpret_cast<std::uint64_t*>(parent + 1);
  words[2] = change.separator;  // Its head, behind the shared prefix, is 0.
  posted.descriptor = party_.Allocate(BlockKind::kDescriptor, sizeof(TreeReshape));
  *region().At<TreeReshape>(posted.descriptor) = change;
  root().pending_reshape.store(posted.descriptor, std::memory_order_seq_cst);
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  EXPECT_EQ(Pending(), 0U);
  EXPECT_EQ(Height(), 1U);
  EXPECT_EQ(LeafOf(Number(0)), change.target_0);
  EXPECT_EQ(LeafOf(Number(1)), change.target_1);
  EXPECT_EQ(LeafOf(Number(2)), change.target_1);
  ExpectReadersFindEveryKey();
  EXPECT_EQ(ScanAll(true), Live(true));
  Retire(leaf);
  Retire(posted.descriptor);
}

TEST_F(TreeShapeTest, AWriterInNeedOfRoomFinishesThePostedReshapeFirst) {
  Fill(0, 6);
  const std::uint64_t leaf = LeafOf(Number(5));
  Position at;
  ASSERT_EQ(*FindPlace(Number(6), &at), Found::kNoKey);
  const Posted posted = PostRebuild(leaf);
  ASSERT_TRUE(MakeRoomFor(Number(6)).ok());
  EXPECT_EQ(Pending(), 0U);
  EXPECT_EQ(LeafOf(Number(5)), posted.change.target_0);
  Retire(leaf);
  Retire(posted.descriptor);
}

TEST_F(TreeShapeTest, ManyHelpersAtOnceDoAReshapeOnce) {
  std::mt19937_64 random(test::Seed());
  Fill(0, 100);
  for (int round = 0; round < 40; ++round) {
    const std::uint64_t leaf = LeafOf(Number(static_cast<int>(random() % 100)));
    const Posted posted = PostRebuild(leaf);
    std::thread first([&] {
      const process::Pin pin(other_.lane());
      EXPECT_TRUE(other_shape_->HelpPending(other_root()).ok());
    });
    std::thread second([&] {
      const process::Pin pin(party_.lane());
      EXPECT_TRUE(shape_->HelpPending(root()).ok());
    });
    first.join();
    second.join();
    ASSERT_EQ(Pending(), 0U);
    ASSERT_TRUE(IsFrozen(leaf));
    ExpectEveryBlockHasOneName(true, {leaf, posted.descriptor});
    Retire(leaf);
    Retire(posted.descriptor);
    ExpectWritersFindEveryKey();
  }
}

TEST_F(TreeShapeTest, AReshapePostedTooLateChangesNothing) {
  Fill(0, 100);
  const std::uint64_t leaf = LeafOf(Number(50));
  const Above above = AboveLeaf(leaf);
  const std::uint64_t keys = KeysIn(leaf);
  const Posted done = PostRebuild(leaf);
  ASSERT_TRUE(shape_->HelpPending(root()).ok());
  const Posted late = PostRebuild(leaf, above, keys);
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  EXPECT_EQ(Pending(), 0U);
  EXPECT_EQ(LeafOf(Number(50)), done.change.target_0);
  EXPECT_FALSE(IsReachable(BlockKind::kLeaf, late.change.target_0));
  ExpectWritersFindEveryKey();
  for (const std::uint64_t block : {leaf, done.descriptor, late.descriptor, late.change.target_0}) {
    Retire(block);
  }
}

TEST_F(TreeShapeTest, AWriterStopsAtAFrozenLeafAndReadersDoNot) {
  Fill(0, 100);
  const std::string key = Number(50);
  const std::uint64_t leaf = LeafOf(key);
  const Posted posted = PostRebuild(leaf);
  const SlotArray slots = *shape_->SlotsOf(root(), key, 0);
  for (std::uint64_t i = 0; i < slots.count; ++i) {  // reshape-2, and stopped.
    slots.words[i].fetch_or(kSlotFrozen, std::memory_order_seq_cst);
  }
  Position at;
  EXPECT_EQ(*FindPlace(key, &at), Found::kFrozen);
  ExpectReadersFindEveryKey();
  EXPECT_EQ(ScanAll(false), Live());
  EXPECT_EQ(ScanAll(true), Live(true));
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  ExpectWritersFindEveryKey();
  Retire(leaf);
  Retire(posted.descriptor);
}

TEST_F(TreeShapeTest, ADescriptorThatMakesNoSenseIsDataLoss) {
  Fill(0, 100);
  const Posted posted = PostRebuild(LeafOf(Number(50)));
  auto* const words = region().At<TreeReshape>(posted.descriptor);
  words->kind = 99;
  EXPECT_TRUE(
      test::Says(shape_->HelpPending(root()), absl::StatusCode::kDataLoss, "unknown kind 99"));
  words->kind = posted.change.kind;
  words->target_0 = std::uint64_t{1} << 39U;
  EXPECT_TRUE(absl::IsDataLoss(shape_->HelpPending(root())));
  *words = posted.change;
  root().pending_reshape.store(std::uint64_t{1} << 39U, std::memory_order_relaxed);
  EXPECT_TRUE(absl::IsDataLoss(shape_->HelpPending(root())));
  root().pending_reshape.store(posted.descriptor, std::memory_order_relaxed);
  EXPECT_TRUE(shape_->HelpPending(root()).ok());
  Retire(posted.change.old_0);
  Retire(posted.descriptor);
}

// --- Scans -------------------------------------------------------------------------------------

TEST_F(TreeShapeTest, AScanInShortStepsMeetsEachKeyOnceInOrder) {
  for (int i = 0; i < 400; ++i) {
    // Some keys end in zeros, so that they have the same head as the key without the zeros.
    Put(Number(i * 7 % 400 / 4) + std::string(i % 4U, '\0'));
  }
  for (int i = 0; i < 100; i += 3) {
    Close(Number(i));
  }
  for (const std::uint64_t limit : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3},
                                    std::uint64_t{5}, std::uint64_t{UINT64_MAX}}) {
    EXPECT_EQ(ScanAll(false, limit), Live()) << limit;
    EXPECT_EQ(ScanAll(true, limit), Live(true)) << limit;
  }
}

TEST_F(TreeShapeTest, ARangeBeginsAtItsBoundWhetherThatIsAKeyOrNot) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 300; ++i) {
    Put(std::to_string(random() % 1000));
  }
  for (int i = 0; i < 300; ++i) {
    ScanCursor cursor;
    cursor.open = false;
    cursor.bound =
        std::to_string(random() % 1200) + (random() % 3 == 0 ? std::string(1, '\0') : "");
    Keys above;
    Keys below;
    for (const auto& [key, value] : live_) {
      (key >= cursor.bound ? above : below).push_back(key);
    }
    std::reverse(below.begin(), below.end());
    const std::uint64_t limit = random() % 2 == 0 ? UINT64_MAX : random() % 4 + 1;
    ASSERT_EQ(Scan(false, cursor, limit), above) << cursor.bound;
    ASSERT_EQ(Scan(true, cursor, limit), below) << cursor.bound;
  }
}

TEST_F(TreeShapeTest, AScanAsOfATimeMeetsTheKeysOfThatTime) {
  Fill(0, 100);
  const Keys before = Live();
  const versions::HeldSnapshot held = TakeAt(versions::CommitTimeNow(region()));
  Fill(50, 200);
  EXPECT_EQ(Scan(false, ScanCursor(), 3, {.time = held.time}), before);
  EXPECT_EQ(ScanAll(false), Live());
  Release(held);
}

TEST_F(TreeShapeTest, AScanEndsWhenItsUserHasEnough) {
  Fill(0, 100);
  ScanCursor cursor;
  bool more = true;
  int seen = 0;
  const base::Result scanned = tree().Scan(
      root(), versions::AsOf(), false, &cursor,
      [&](const versions::RecordView&) { return ++seen < 2; }, &more);
  EXPECT_TRUE(scanned.done());
  EXPECT_FALSE(more);
  EXPECT_EQ(seen, 2);
}

TEST_F(TreeShapeTest, AScanMeetsEachStableKeyOnceWhileLeavesSplitAndMerge) {
  for (const bool reverse : {false, true}) {
    for (int i = 0; i < 600; i += 10) {
      Put(Number(i), "stays");
    }
    Keys stable;
    ScanCursor cursor;
    cursor.limit = 3;
    bool more = true;
    for (int step = 0; more && step < 10'000; ++step) {
      const base::Result scanned = tree().Scan(
          root(), versions::AsOf(), reverse, &cursor,
          [&](const versions::RecordView& view) {
            if (view.value == "stays") {
              stable.emplace_back(view.key);
            }
            return true;
          },
          &more);
      ASSERT_TRUE(scanned.done()) << scanned.status();
      for (int i = 1; i < 10; ++i) {
        const std::string key = Number((step * 37 % 60) * 10 + i);
        if (live_.contains(key)) {
          Close(key);
        } else {
          Put(key, "goes");
        }
      }
    }
    Keys expected;
    for (int i = 0; i < 600; i += 10) {
      expected.push_back(Number(i));
    }
    if (reverse) {
      std::reverse(expected.begin(), expected.end());
    }
    EXPECT_EQ(stable, expected);
  }
}

// --- Edges and reachability --------------------------------------------------------------------

TEST_F(TreeShapeTest, WhatEdgesNameIsReachableAndNothingElseIs) {
  Fill(0, 100);
  const versions::HeldSnapshot held = TakeAt(versions::CommitTimeNow(region()));
  Fill(0, 50);
  std::map<BlockKind, int> kinds;
  for (const Edge& edge : Edges()) {
    EXPECT_TRUE(IsReachable(edge.kind, edge.offset)) << static_cast<int>(edge.kind);
    ++kinds[edge.kind];
  }
  EXPECT_EQ(kinds[BlockKind::kRecord], 150);
  EXPECT_GT(kinds[BlockKind::kInner], 5);
  EXPECT_TRUE(IsReachable(BlockKind::kIndexRoot, root_offset_));
  const std::uint64_t record = party_.MakeRecord({.key = Number(5), .value = "unpublished"});
  const std::uint64_t block = party_.Allocate(BlockKind::kRaw, 256);
  EXPECT_FALSE(IsReachable(BlockKind::kRecord, record));
  for (const BlockKind kind :
       {BlockKind::kLeaf, BlockKind::kInner, BlockKind::kSeparator, BlockKind::kIndexRoot,
        BlockKind::kCounters, BlockKind::kDescriptor, BlockKind::kSegment}) {
    EXPECT_FALSE(IsReachable(kind, block)) << static_cast<int>(kind);
  }
  Retire(record);
  Retire(block);
  Release(held);
}

// --- Reclaiming --------------------------------------------------------------------------------

TEST_F(TreeShapeTest, ReclaimInPiecesGivesEveryBlockBack) {
  Fill(0, 200);
  const versions::HeldSnapshot held = TakeAt(versions::CommitTimeNow(region()));
  Fill(0, 200);  // With a past, which goes as well.
  const std::uint64_t counters = party_.Allocate(BlockKind::kCounters, 256);
  root().counters[3].store(counters, std::memory_order_relaxed);
  const auto leaves = static_cast<int>(BlocksOfEachKind()[BlockKind::kLeaf]);
  EXPECT_GE(ReclaimInPieces(), leaves);
  EXPECT_EQ(BlocksUsed(), 1U);
  EXPECT_EQ(Pending(), kReshapeClosed);
  Position at;
  EXPECT_EQ(*FindPlace(Number(1), &at), Found::kGone);
  versions::RecordView view;
  EXPECT_EQ(*FindNewest(Number(1), &view), Found::kGone);
  EXPECT_EQ(LeafOf(Number(1)), 0U);
  ScanCursor cursor;
  bool more = true;
  EXPECT_TRUE(tree()
                  .Scan(
                      root(), versions::AsOf(), false, &cursor,
                      [](const versions::RecordView&) { return true; }, &more)
                  .is(base::Outcome::kAgain));
  Retire(root_offset_);
  EXPECT_EQ(BlocksUsed(), 0U);
  Release(held);
}

TEST_F(TreeShapeTest, ReclaimFinishesThePostedReshapeFirst) {
  Fill(0, 100);
  const std::uint64_t leaf = LeafOf(Number(50));
  const Posted posted = PostRebuild(leaf);
  reclaimed_ = true;
  {
    Operation op(party_.lane(), OpKind::kClear, 0);
    EXPECT_TRUE(*shape_->Reclaim(op, root(), INT64_MAX));
  }
  EXPECT_EQ(Pending(), kReshapeClosed);
  EXPECT_FALSE(IsUsed(posted.change.target_0));
  EXPECT_EQ(BlocksUsed(), 3U);  // The root, and what the stopped poster is to retire.
  for (const std::uint64_t block : {leaf, posted.descriptor, root_offset_}) {
    Retire(block);
  }
}

TEST_F(TreeShapeTest, NoReshapeBeginsInARootThatIsBeingReclaimed) {
  Fill(0, 6);
  Position at;
  ASSERT_EQ(*FindPlace(Number(6), &at), Found::kNoKey);
  root().pending_reshape.store(kReshapeClosed, std::memory_order_seq_cst);
  const std::uint64_t blocks = BlocksUsed();
  EXPECT_TRUE(MakeRoomFor(Number(6)).ok());
  EXPECT_EQ(BlocksUsed(), blocks);
  EXPECT_EQ(*FindPlace(Number(6), &at), Found::kNoKey);
}

}  // namespace
}  // namespace commy::index
