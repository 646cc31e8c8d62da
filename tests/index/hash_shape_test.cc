// The hash shape without a store: looks for keys, how room is made, reshapes that one participant
// posts and another finishes, scans, the walk over edges, and reclaiming. Through a store, with the
// life of a namespace and damage: hash_namespace_test.cc.
#include "index/hash/hash_shape.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/shape_fixture.h"
#include "support/store_fixture.h"

namespace commy::index {
namespace {

class HashShapeTest : public test::ShapeFixture {
 protected:
  std::unique_ptr<Shape> MakeShape(test::VersionsParty& party) override {
    return std::make_unique<HashShape>(party.session(), party.allocator(), party.chains(),
                                       party.intents());
  }
  HashShape& hash_shape() { return static_cast<HashShape&>(*shape_); }

  struct Structure {
    Directory* directory = nullptr;
    Shared64* entries = nullptr;
    std::map<std::uint64_t, Segment*> segments;  // By offset.
  };
  Structure Look() {
    Structure found;
    const std::uint64_t directory = root().directory.load(std::memory_order_relaxed);
    found.directory = region().At<Directory>(directory);
    found.entries = region().At<Shared64>(directory + sizeof(Directory));
    for (std::uint64_t i = 0; i < std::uint64_t{1} << found.directory->depth; ++i) {
      const std::uint64_t offset = found.entries[i].load(std::memory_order_relaxed);
      found.segments.emplace(offset, region().At<Segment>(offset));
    }
    return found;
  }
  std::uint64_t Depth() { return Look().directory->depth; }

  absl::StatusOr<Found> FindNewest(const std::string& key, versions::RecordView* found) {
    return hash_shape().FindNewest(root(), key, shape_->Hash(key), found);
  }
  void ExpectReadersFindEveryKey() {
    for (const auto& [key, value] : live_) {
      versions::RecordView view;
      const absl::StatusOr<Found> found = FindNewest(key, &view);
      ASSERT_TRUE(found.ok() && *found == Found::kKey) << key;
      ASSERT_EQ(view.value, value);
    }
  }
  // All live versions, as a scan meets them.
  std::multimap<std::string, std::string> Scan(const versions::AsOf& as_of = versions::AsOf()) {
    std::multimap<std::string, std::string> seen;
    ScanCursor cursor;
    bool more = true;
    for (int step = 0; more && step < 10'000; ++step) {
      const base::Result scanned = hash_shape().Scan(
          root(), as_of, &cursor,
          [&](const versions::RecordView& view) {
            seen.emplace(view.key, view.value);
            return true;
          },
          &more);
      EXPECT_TRUE(scanned.done()) << scanned.status();
    }
    EXPECT_FALSE(more);
    return seen;
  }
  std::multimap<std::string, std::string> Live() { return {live_.begin(), live_.end()}; }

  // The first `count` keys whose hash begins with the same `bits` bits as that of `like`.
  std::vector<std::string> KeysLike(const std::string& like, unsigned bits, std::size_t count) {
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; keys.size() < count; ++i) {
      const std::string key = "k" + std::to_string(i);
      if (DirectoryIndex(shape_->Hash(key), bits) == DirectoryIndex(shape_->Hash(like), bits)) {
        keys.push_back(key);
      }
    }
    return keys;
  }
  void Fill(int from, int to) {
    for (int i = from; i < to && !HasFatalFailure(); ++i) {
      Put(std::to_string(i), "v" + std::to_string(i));
    }
  }
  // Fills until a segment is named by several directory entries; the first of these.
  std::uint64_t FillUntilWide() {
    for (int i = 0;; ++i) {
      const Structure found = Look();
      for (std::uint64_t k = 0; k + 1 < std::uint64_t{1} << found.directory->depth; ++k) {
        if (found.entries[k].load(std::memory_order_relaxed) ==
            found.entries[k + 1].load(std::memory_order_relaxed)) {
          return k;
        }
      }
      Put("w" + std::to_string(i));
    }
  }

  // --- A poster that is stopped behind reshape-1, by hand --------------------------------------

  struct Posted {
    ReshapeDescriptor change{};
    std::uint64_t descriptor = 0;
    std::set<std::uint64_t> unreachable;  // Its targets.
  };
  std::uint64_t MakeSegment(std::uint64_t depth, std::uint64_t prefix) {
    const std::uint64_t offset = party_.Allocate(BlockKind::kSegment, SegmentBytes(1));
    auto* const segment = region().At<Segment>(offset);
    segment->depth = depth;
    segment->prefix = prefix;
    segment->bucket_count = 1;
    return offset;
  }
  Posted Post(ReshapeKind kind, std::uint64_t old) {
    Posted posted;
    ReshapeDescriptor& change = posted.change;
    change.kind = static_cast<std::uint64_t>(kind);
    change.old = old;
    const auto* const segment = region().At<Segment>(old);
    if (kind == ReshapeKind::kDouble) {
      const std::uint64_t depth = region().At<Directory>(old)->depth + 1;
      change.target_0 = party_.Allocate(BlockKind::kDirectory, DirectoryBytes(depth));
      region().At<Directory>(change.target_0)->depth = depth;
      region().At<Directory>(change.target_0)->bucket_count =
          region().At<Directory>(old)->bucket_count;
    } else if (kind == ReshapeKind::kRebuild) {
      change.target_0 = MakeSegment(segment->depth, segment->prefix);
    } else {
      const std::uint64_t high = std::uint64_t{1} << (63U - segment->depth);
      change.target_0 = MakeSegment(segment->depth + 1, segment->prefix);
      change.target_1 = MakeSegment(segment->depth + 1, segment->prefix | high);
      posted.unreachable.insert(change.target_1);
    }
    posted.unreachable.insert(change.target_0);
    posted.descriptor = party_.Allocate(BlockKind::kDescriptor, sizeof(change));
    *region().At<ReshapeDescriptor>(posted.descriptor) = change;
    EXPECT_TRUE(
        root().pending_reshape.CompareAndSet(0, posted.descriptor, std::memory_order_seq_cst));
    return posted;
  }
  std::uint64_t Pending() { return root().pending_reshape.load(std::memory_order_relaxed); }
  bool IsFrozen(std::uint64_t segment) {
    const auto* const slots = region().At<Shared64>(segment + sizeof(Segment));
    return std::all_of(slots, slots + kSlotsPerBucket, [](const Shared64& slot) {
      return SlotIsFrozen(slot.load(std::memory_order_relaxed));
    });
  }
};

// --- Looks -------------------------------------------------------------------------------------

TEST_F(HashShapeTest, AnEmptyRootHasRoomForEveryKeyAndHoldsNone) {
  Position at;
  EXPECT_EQ(*FindPlace("a", &at), Found::kRoom);
  EXPECT_NE(at.slot, nullptr);
  EXPECT_EQ(at.place_offset, Look().segments.begin()->first);
  versions::RecordView view;
  EXPECT_NE(*FindNewest("a", &view), Found::kKey);
  EXPECT_TRUE(Scan().empty());
  EXPECT_EQ(Depth(), 0U);
}

TEST_F(HashShapeTest, ReadersAndWritersFindWhatWasPut) {
  Fill(0, 500);
  Fill(100, 200);  // Again: new versions.
  ExpectReadersFindEveryKey();
  ExpectWritersFindEveryKey();
  versions::RecordView view;
  EXPECT_NE(*FindNewest("missing", &view), Found::kKey);
  for (const auto& [key, value] : live_) {
    hash_shape().PrefetchSlots(root(), shape_->Hash(key));
    hash_shape().PrefetchRecord(root(), shape_->Hash(key));
  }
}

TEST_F(HashShapeTest, TheSlotsOfAKeyHoldItsSlot) {
  Fill(0, 200);
  for (const auto& [key, value] : live_) {
    Position at;
    ASSERT_EQ(*FindPlace(key, &at), Found::kKey);
    const SlotArray slots = *shape_->SlotsOf(root(), key, shape_->Hash(key));
    ASSERT_EQ(slots.offset, at.place_offset);
    ASSERT_EQ(slots.count, kSlotsPerBucket);
    ASSERT_TRUE(at.slot >= slots.words && at.slot < slots.words + slots.count);
  }
}

TEST_F(HashShapeTest, KeysOfOnePrefixAndOneLengthAreDistinguished) {
  // With this many keys some pairs share all the bits that a slot keeps of the hash.
  std::map<std::uint64_t, std::string> by_prefix;
  int pairs = 0;
  for (int i = 100'000; i < 180'000; ++i) {
    const std::string key = std::to_string(i);
    const auto [at, fresh] = by_prefix.emplace(HashPrefix(shape_->Hash(key)), key);
    if (fresh) {
      continue;
    }
    ++pairs;
    versions::RecordView view;
    Put(at->second, "first");
    ASSERT_NE(*FindNewest(key, &view), Found::kKey);
    Put(key, "second");
    ASSERT_EQ(*FindNewest(at->second, &view), Found::kKey);
    ASSERT_EQ(view.value, "first");
    Close(at->second);
    ASSERT_EQ(*FindNewest(key, &view), Found::kKey);
    ASSERT_EQ(view.value, "second");
  }
  EXPECT_GT(pairs, 5);
}

TEST_F(HashShapeTest, AWalkOverSlotsMeetsEverySegmentOnceAndGoesOnWhereItStopped) {
  Fill(0, 500);
  const std::size_t segments = Look().segments.size();
  std::set<std::uint64_t> seen;
  EXPECT_TRUE(shape_
                  ->ForEachSlots(root(),
                                 [&](const SlotArray& slots) {
                                   EXPECT_TRUE(seen.insert(slots.offset).second);
                                   return absl::OkStatus();
                                 })
                  .ok());
  EXPECT_EQ(seen.size(), segments);
  // One array at a time: the one that the walk stopped at comes again.
  seen.clear();
  SlotPlace place;
  bool all = false;
  for (std::size_t step = 0; !all && step < 2 * segments; ++step) {
    int met = 0;
    all = *shape_->ForEachSlotsFrom(root(), &place,
                                    [&](const SlotArray& slots) -> absl::StatusOr<bool> {
                                      seen.insert(slots.offset);
                                      return ++met < 2;
                                    });
  }
  EXPECT_TRUE(all);
  EXPECT_EQ(seen.size(), segments);
}

// --- Room --------------------------------------------------------------------------------------

TEST_F(HashShapeTest, AFullSegmentAsDeepAsTheDirectoryDoublesItAndIsThenSplit) {
  Fill(0, kSlotsPerBucket);
  const std::uint64_t only = Look().segments.begin()->first;
  ASSERT_TRUE(MakeRoomFor("new").ok());
  EXPECT_EQ(Depth(), 1U);
  EXPECT_EQ(Look().segments.size(), 1U);
  EXPECT_EQ(Look().segments.begin()->first, only);
  ASSERT_TRUE(MakeRoomFor("new").ok());
  EXPECT_EQ(Depth(), 1U);
  EXPECT_EQ(Look().segments.size(), 2U);
  EXPECT_FALSE(IsUsed(only));
  EXPECT_EQ(Pending(), 0U);
  ExpectReadersFindEveryKey();
  ExpectWritersFindEveryKey();
}

TEST_F(HashShapeTest, AFullSegmentWithDeadSlotsIsRebuiltAtItsSize) {
  Fill(0, kSlotsPerBucket);
  const std::uint64_t only = Look().segments.begin()->first;
  for (int i = 0; i < 4; ++i) {
    Close(std::to_string(i));
  }
  ASSERT_TRUE(MakeRoomFor("new").ok());
  EXPECT_EQ(Depth(), 0U);
  EXPECT_NE(Look().segments.begin()->first, only);
  Position at;
  EXPECT_EQ(*FindPlace("new", &at), Found::kRoom);
  ExpectWritersFindEveryKey();
}

TEST_F(HashShapeTest, PutsAndDeletesOfFewKeysNeverGrowTheIndex) {
  for (int i = 0; i < 2000; ++i) {
    Put(std::to_string(i));
    Close(std::to_string(i));
  }
  EXPECT_EQ(Depth(), 0U);
  EXPECT_EQ(Look().segments.size(), 1U);
}

TEST_F(HashShapeTest, TheDirectoryAndItsSegmentsCoverEveryHashOnce) {
  Fill(0, 5000);
  const Structure found = Look();
  EXPECT_GE(found.segments.size(), 5000U / 16);
  EXPECT_GE(found.directory->depth, 9U);
  for (std::uint64_t i = 0; i < std::uint64_t{1} << found.directory->depth; ++i) {
    const Segment& segment = *found.segments.at(found.entries[i].load(std::memory_order_relaxed));
    ASSERT_LE(segment.depth, found.directory->depth);
    const std::uint64_t first = i << (64U - found.directory->depth);
    ASSERT_EQ(segment.depth == 0 ? 0 : first >> (64U - segment.depth) << (64U - segment.depth),
              segment.prefix);
  }
  EXPECT_EQ(Pending(), 0U);
}

TEST_F(HashShapeTest, KeysThatShareManyBitsOfTheirHashStillFit) {
  for (const std::string& key : KeysLike("x", 14, 60)) {
    Put(key, key);
  }
  EXPECT_GE(Depth(), 14U);
  ExpectReadersFindEveryKey();
}

TEST_F(HashShapeTest, AtTheDepthBoundOneDeadSlotIsWorthARebuildAndNoneIsRefused) {
  constexpr std::uint64_t kDepth = 5;
  hash_shape().set_depth_max(kDepth);
  const std::vector<std::string> keys = KeysLike("x", kDepth, kSlotsPerBucket + 1);
  for (std::size_t i = 0; i < kSlotsPerBucket; ++i) {
    Put(keys[i]);
  }
  absl::Status made;
  for (int i = 0; i < 20 && made.ok(); ++i) {
    made = MakeRoomFor(keys.back());
  }
  EXPECT_TRUE(test::Says(made, absl::StatusCode::kResourceExhausted, "the same hash"));
  EXPECT_EQ(Depth(), kDepth);
  Close(keys.front());
  Put(keys.back());
  EXPECT_TRUE(absl::IsResourceExhausted(MakeRoomFor(keys.front())));
  EXPECT_EQ(Depth(), kDepth);
}

TEST_F(HashShapeTest, MarksAndDueTimesPassToTheSegmentsOfASplit) {
  const std::uint64_t entry = FillUntilWide();
  const std::uint64_t old = Look().entries[entry].load(std::memory_order_relaxed);
  region().At<Segment>(old)->mark.store(kSweepAfterSnapshot, std::memory_order_relaxed);
  region().At<Segment>(old)->due.store(77, std::memory_order_relaxed);
  const Posted posted = Post(ReshapeKind::kSplit, old);
  ASSERT_TRUE(shape_->HelpPending(root()).ok());
  for (const std::uint64_t target : {posted.change.target_0, posted.change.target_1}) {
    EXPECT_EQ(region().At<Segment>(target)->mark.load(std::memory_order_relaxed),
              kSweepAfterSnapshot);
    EXPECT_EQ(region().At<Segment>(target)->due.load(std::memory_order_relaxed), 77U);
  }
  Retire(old);
  Retire(posted.descriptor);
}

// --- A reshape that another participant finishes -----------------------------------------------

TEST_F(HashShapeTest, AnotherParticipantFinishesEveryKindOfPostedReshape) {
  const std::uint64_t entry = FillUntilWide();
  for (const ReshapeKind kind :
       {ReshapeKind::kDouble, ReshapeKind::kRebuild, ReshapeKind::kSplit}) {
    const std::uint64_t at = kind == ReshapeKind::kDouble ? entry : 2 * entry;
    const std::uint64_t old = kind == ReshapeKind::kDouble
                                  ? root().directory.load(std::memory_order_relaxed)
                                  : Look().entries[at].load(std::memory_order_relaxed);
    const Posted posted = Post(kind, old);
    ExpectEveryBlockHasOneName(true, posted.unreachable);
    EXPECT_TRUE(IsReachable(BlockKind::kDescriptor, posted.descriptor));
    {
      const process::Pin pin(other_.lane());
      ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
    }
    EXPECT_EQ(Pending(), 0U);
    ExpectReadersFindEveryKey();
    ExpectWritersFindEveryKey();
    EXPECT_EQ(Scan(), Live());
    ExpectEveryBlockHasOneName(true, {old, posted.descriptor});
    if (kind != ReshapeKind::kDouble) {
      EXPECT_TRUE(IsFrozen(old));
    }
    Retire(old);  // reshape-6
    Retire(posted.descriptor);
  }
}

TEST_F(HashShapeTest, AWriterInNeedOfRoomFinishesThePostedReshapeFirst) {
  Fill(0, kSlotsPerBucket);
  const std::uint64_t old = root().directory.load(std::memory_order_relaxed);
  const Posted posted = Post(ReshapeKind::kDouble, old);
  ASSERT_TRUE(MakeRoomFor("new").ok());
  EXPECT_EQ(Pending(), 0U);
  EXPECT_EQ(root().directory.load(std::memory_order_relaxed), posted.change.target_0);
  EXPECT_EQ(Look().segments.size(), 1U) << "no reshape of its own";
  Retire(old);
  Retire(posted.descriptor);
}

TEST_F(HashShapeTest, ManyHelpersAtOnceDoAReshapeOnce) {
  std::mt19937_64 random(test::Seed());
  Fill(0, 200);
  for (int round = 0; round < 40; ++round) {
    const Structure found = Look();
    auto at = found.segments.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random() % found.segments.size()));
    const bool splits = at->second->depth < found.directory->depth;
    const std::uint64_t old = at->first;
    const Posted posted = Post(splits ? ReshapeKind::kSplit : ReshapeKind::kRebuild, old);
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
    ASSERT_TRUE(IsFrozen(old));
    ExpectEveryBlockHasOneName(true, {old, posted.descriptor});
    Retire(old);
    Retire(posted.descriptor);
    ExpectWritersFindEveryKey();
  }
}

TEST_F(HashShapeTest, AReshapePostedTooLateChangesNothing) {
  Fill(0, 100);
  const std::uint64_t gone = Look().segments.begin()->first;
  const Posted done = Post(ReshapeKind::kRebuild, gone);
  ASSERT_TRUE(shape_->HelpPending(root()).ok());
  const Posted late = Post(ReshapeKind::kRebuild, gone);
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  EXPECT_EQ(Pending(), 0U);
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, late.change.target_0));
  EXPECT_TRUE(IsReachable(BlockKind::kSegment, done.change.target_0));
  ExpectWritersFindEveryKey();
  for (const std::uint64_t block : {gone, done.descriptor, late.descriptor, late.change.target_0}) {
    Retire(block);
  }
}

TEST_F(HashShapeTest, WhileASplitIsHalfDoneEveryKeyIsFoundAndScannedOnceAndHasOneName) {
  const std::uint64_t entry = FillUntilWide();
  const std::uint64_t old = Look().entries[entry].load(std::memory_order_relaxed);
  const std::uint64_t width = std::uint64_t{1} << (Depth() - region().At<Segment>(old)->depth);
  const std::uint64_t first = entry & ~(width - 1);
  const Posted posted = Post(ReshapeKind::kSplit, old);
  ASSERT_TRUE(shape_->HelpPending(root()).ok());
  // As if the helper had been stopped in the middle of reshape-4.
  for (std::uint64_t i = width / 2; i < width; ++i) {
    Look().entries[first + i].store(old, std::memory_order_relaxed);
  }
  root().pending_reshape.store(posted.descriptor, std::memory_order_seq_cst);
  ExpectReadersFindEveryKey();
  EXPECT_EQ(Scan(), Live());
  ExpectEveryBlockHasOneName(true, {posted.change.target_1});
  EXPECT_TRUE(IsReachable(BlockKind::kSegment, old));
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, posted.change.target_1));
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, old));
  Retire(old);
  Retire(posted.descriptor);
}

// A poster of an earlier reshape, or its recoverer, may look for the lower one meanwhile.
TEST_F(HashShapeTest, WhileAMergeIsHalfDoneWhatItNamesCountsAsReachable) {
  Fill(0, 100);
  ReshapeDescriptor change{};
  change.kind = static_cast<std::uint64_t>(ReshapeKind::kMerge);
  for (const auto& [low, segment] : Look().segments) {
    const std::uint64_t bit = std::uint64_t{1} << (64U - segment->depth);
    for (const auto& [high, other] : Look().segments) {
      if (other->depth == segment->depth && (segment->prefix | bit) == other->prefix &&
          segment->prefix != other->prefix) {
        change.old = low;
        change.old_1 = high;
        change.depth = segment->depth;
        change.prefix = segment->prefix;
      }
    }
  }
  ASSERT_NE(change.old, 0U);
  const std::uint64_t bit = std::uint64_t{1} << (64U - change.depth);
  change.target_0 = MakeSegment(change.depth - 1, change.prefix);
  change.target_1 = MakeSegment(change.depth, change.prefix);
  change.target_2 = MakeSegment(change.depth, change.prefix | bit);
  const std::uint64_t descriptor = party_.Allocate(BlockKind::kDescriptor, sizeof(change));
  *region().At<ReshapeDescriptor>(descriptor) = change;
  root().pending_reshape.store(descriptor, std::memory_order_seq_cst);
  ASSERT_TRUE(shape_->HelpPending(root()).ok());
  // As if the helper had been stopped in the middle of reshape-4.
  const std::uint64_t width = std::uint64_t{1} << (Depth() - change.depth);
  const std::uint64_t first = DirectoryIndex(change.prefix, Depth());
  for (std::uint64_t i = width; i < 2 * width; ++i) {
    Look().entries[first + i].store(change.old_1, std::memory_order_relaxed);
  }
  root().pending_reshape.store(descriptor, std::memory_order_seq_cst);
  EXPECT_EQ(Look().segments.count(change.old), 0U);
  EXPECT_TRUE(IsReachable(BlockKind::kSegment, change.old));
  EXPECT_TRUE(IsReachable(BlockKind::kSegment, change.old_1));
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, change.target_2));
  ExpectReadersFindEveryKey();
  EXPECT_EQ(Scan(), Live());
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, change.old));
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, change.old_1));
  ExpectWritersFindEveryKey();
  for (const std::uint64_t block :
       {change.old, change.old_1, descriptor, change.target_0, change.target_1, change.target_2}) {
    if (!IsReachable(BlockKind::kSegment, block)) {
      Retire(block);
    }
  }
}

TEST_F(HashShapeTest, AWriterStopsAtAFrozenSegmentAndAReaderDoesNot) {
  Fill(0, 100);
  const std::uint64_t old = shape_->SlotsOf(root(), "50", shape_->Hash("50"))->offset;
  const Posted posted = Post(ReshapeKind::kRebuild, old);
  auto* const slots = region().At<Shared64>(old + sizeof(Segment));
  for (std::uint64_t i = 0; i < kSlotsPerBucket; ++i) {  // reshape-2, and stopped.
    slots[i].fetch_or(kSlotFrozen, std::memory_order_seq_cst);
  }
  int frozen = 0;
  for (const auto& [key, value] : live_) {
    Position at;
    frozen += *FindPlace(key, &at) == Found::kFrozen ? 1 : 0;
  }
  EXPECT_GT(frozen, 0);
  ExpectReadersFindEveryKey();
  ASSERT_TRUE(other_shape_->HelpPending(other_root()).ok());
  ExpectWritersFindEveryKey();
  Retire(old);
  Retire(posted.descriptor);
}

TEST_F(HashShapeTest, ADescriptorThatMakesNoSenseIsDataLoss) {
  Fill(0, 100);
  const Posted posted = Post(ReshapeKind::kRebuild, Look().segments.begin()->first);
  auto* const words = region().At<ReshapeDescriptor>(posted.descriptor);
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
  Retire(posted.change.old);
  Retire(posted.descriptor);
}

// --- Scans -------------------------------------------------------------------------------------

TEST_F(HashShapeTest, AScanMeetsEveryLiveKeyOnce) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 3000; ++i) {
    const std::string key = std::to_string(random() % 600);
    if (live_.contains(key) && random() % 2 == 0) {
      Close(key);
    } else {
      Put(key, std::to_string(i));
    }
  }
  EXPECT_EQ(Scan(), Live());
}

TEST_F(HashShapeTest, AScanAsOfATimeMeetsTheVersionsOfThatTime) {
  Fill(0, 200);
  const std::multimap<std::string, std::string> before = Live();
  versions::HeldSnapshot held = TakeAt(versions::CommitTimeNow(region()));
  for (int i = 100; i < 400; ++i) {
    Put(std::to_string(i), "later");
  }
  EXPECT_EQ(Scan({.time = held.time}), before);
  EXPECT_EQ(Scan(), Live());
  Release(held);
}

TEST_F(HashShapeTest, AScanEndsWhenItsUserHasEnough) {
  Fill(0, 200);
  ScanCursor cursor;
  bool more = true;
  int seen = 0;
  const base::Result scanned = hash_shape().Scan(
      root(), versions::AsOf(), &cursor, [&](const versions::RecordView&) { return ++seen < 2; },
      &more);
  EXPECT_TRUE(scanned.done());
  EXPECT_FALSE(more);
  EXPECT_EQ(seen, 2);
}

// --- Edges and reachability --------------------------------------------------------------------

TEST_F(HashShapeTest, WhatEdgesNameIsReachableAndNothingElseIs) {
  Fill(0, 200);
  const versions::HeldSnapshot held = TakeAt(versions::CommitTimeNow(region()));
  Fill(0, 100);
  std::map<BlockKind, int> kinds;
  for (const Edge& edge : Edges()) {
    EXPECT_TRUE(IsReachable(edge.kind, edge.offset)) << static_cast<int>(edge.kind);
    ++kinds[edge.kind];
  }
  EXPECT_EQ(kinds[BlockKind::kRecord], 300);
  EXPECT_EQ(kinds[BlockKind::kDirectory], 1);
  EXPECT_TRUE(IsReachable(BlockKind::kIndexRoot, root_offset_));
  const std::uint64_t record = party_.MakeRecord({.key = "0", .value = "unpublished"});
  EXPECT_FALSE(IsReachable(BlockKind::kRecord, record));
  const std::uint64_t segment = MakeSegment(0, 0);
  EXPECT_FALSE(IsReachable(BlockKind::kSegment, segment));
  EXPECT_FALSE(IsReachable(BlockKind::kDirectory, segment));
  EXPECT_FALSE(IsReachable(BlockKind::kIndexRoot, segment));
  EXPECT_FALSE(IsReachable(BlockKind::kCounters, segment));
  EXPECT_FALSE(IsReachable(BlockKind::kDescriptor, segment));
  EXPECT_FALSE(IsReachable(BlockKind::kLeaf, segment));
  Retire(record);
  Retire(segment);
  Release(held);
}

TEST_F(HashShapeTest, ASegmentWhoseFirstEntryADropHasRemovedIsStillNamedOnce) {
  const std::uint64_t entry = FillUntilWide();
  Shared64& first = Look().entries[entry];
  const std::uint64_t segment = first.load(std::memory_order_relaxed);
  first.store(kEntryGone, std::memory_order_seq_cst);
  ExpectEveryBlockHasOneName(false);
  first.store(segment, std::memory_order_seq_cst);
}

// --- Reclaiming --------------------------------------------------------------------------------

TEST_F(HashShapeTest, ReclaimInPiecesGivesEveryBlockBack) {
  Fill(0, 300);
  const versions::HeldSnapshot held = TakeAt(versions::CommitTimeNow(region()));
  Fill(0, 300);  // With a past, which goes as well.
  const std::uint64_t counters = party_.Allocate(BlockKind::kCounters, 256);
  root().counters[3].store(counters, std::memory_order_relaxed);
  const auto segments = static_cast<int>(Look().segments.size());
  EXPECT_GE(ReclaimInPieces(), segments);
  EXPECT_EQ(BlocksUsed(), 1U);
  EXPECT_EQ(Pending(), kReshapeClosed);
  Position at;
  EXPECT_EQ(*FindPlace("1", &at), Found::kGone);
  versions::RecordView view;
  EXPECT_EQ(*FindNewest("1", &view), Found::kGone);
  EXPECT_EQ(shape_->SlotsOf(root(), "1", shape_->Hash("1"))->offset, 0U);
  ScanCursor cursor;
  bool more = true;
  EXPECT_TRUE(hash_shape()
                  .Scan(
                      root(), versions::AsOf(), &cursor,
                      [](const versions::RecordView&) { return true; }, &more)
                  .is(base::Outcome::kAgain));
  Retire(root_offset_);
  EXPECT_EQ(BlocksUsed(), 0U);
  Release(held);
}

TEST_F(HashShapeTest, ReclaimFinishesThePostedReshapeFirst) {
  Fill(0, 100);
  const std::uint64_t old = Look().segments.begin()->first;
  const Posted posted = Post(ReshapeKind::kRebuild, old);
  reclaimed_ = true;
  {
    Operation op(party_.lane(), OpKind::kClear, 0);
    EXPECT_TRUE(*shape_->Reclaim(op, root(), INT64_MAX));
  }
  EXPECT_EQ(Pending(), kReshapeClosed);
  EXPECT_FALSE(IsUsed(posted.change.target_0));
  EXPECT_EQ(BlocksUsed(), 3U);  // The root, and what the stopped poster is to retire.
  for (const std::uint64_t block : {old, posted.descriptor, root_offset_}) {
    Retire(block);
  }
}

TEST_F(HashShapeTest, ReclaimAbortsActiveTransactionsWhoseIntentsItTakes) {
  Fill(0, 20);
  const std::uint64_t head = party_.Allocate(BlockKind::kTransaction, 256);
  auto* const words = region().At<versions::TransactionHead>(head);
  words->status.store(versions::kStatusActive, std::memory_order_relaxed);
  words->isolation = versions::kSnapshotIsolation;
  Position at;
  ASSERT_EQ(*FindPlace("7", &at), Found::kKey);
  const std::uint64_t intent = party_.MakeRecord({.namespace_number = kNumber,
                                                  .key = "7",
                                                  .value = "intent",
                                                  .commit = versions::IntentOf(head)},
                                                 at.head.offset);
  ASSERT_TRUE(at.slot->CompareAndSet(at.word, PackSlot(shape_->Hash("7"), intent),
                                     std::memory_order_seq_cst));
  reclaimed_ = true;
  {
    Operation op(party_.lane(), OpKind::kClear, 0);
    EXPECT_TRUE(*shape_->Reclaim(op, root(), INT64_MAX));
  }
  EXPECT_EQ(words->status.load(std::memory_order_relaxed), versions::kCommitAborted);
  Retire(head);
  Retire(root_offset_);
  EXPECT_EQ(BlocksUsed(), 0U);
}

}  // namespace
}  // namespace commy::index
