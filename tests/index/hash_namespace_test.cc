// A hash namespace below the public interface: its depth bound, damage of each of its parts, and
// the counter of a dead lane. The shape alone: hash_shape_test.cc.
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "index/hash/hash_shape.h"
#include "process/owner.h"
#include "support/store_fixture.h"
#include "versions/units.h"

namespace commy::test {
namespace {

using index::Directory;
using index::IndexRoot;
using index::Segment;
using namespaces::NamespaceObject;
using versions::Record;

class HashNamespaceTest : public StoreFixture {
 protected:
  struct Shape {
    IndexRoot* root = nullptr;
    Directory* directory = nullptr;
    base::Shared64* entries = nullptr;
    std::map<std::uint64_t, Segment*> segments;  // By offset.
  };
  Shape Look() {
    region::Region& region = EngineOf(store_).region;
    Shape shape;
    EXPECT_TRUE(EngineOf(store_)
                    .catalog
                    .ForEach("n",
                             [&](std::string_view, std::uint64_t object) {
                               shape.root = region.At<IndexRoot>(
                                   region.At<NamespaceObject>(object)->root.load(
                                       std::memory_order_relaxed));
                               return false;
                             })
                    .ok());
    const std::uint64_t directory = shape.root->directory.load(std::memory_order_relaxed);
    shape.directory = region.At<Directory>(directory);
    shape.entries = region.At<base::Shared64>(directory + sizeof(Directory));
    for (std::uint64_t i = 0; i < std::uint64_t{1} << shape.directory->depth; ++i) {
      const std::uint64_t offset = shape.entries[i].load(std::memory_order_relaxed);
      shape.segments.emplace(offset, region.At<Segment>(offset));
    }
    return shape;
  }
  // The first `count` keys whose hash has the same top `bits` as that of `like`.
  std::vector<std::string> KeysLike(const std::string& like, unsigned bits, std::size_t count) {
    const index::HashShape& index = EngineOf(store_).map.hash_shape();
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; keys.size() < count; ++i) {
      const std::string key = "k" + std::to_string(i);
      if ((index.Hash(key) >> (64U - bits)) == (index.Hash(like) >> (64U - bits))) {
        keys.push_back(key);
      }
    }
    return keys;
  }

  Store store_ = MustOpen(QuietOptions());
  Namespace ns_ = MustOpenNamespace(store_, "n");
};

TEST_F(HashNamespaceTest, AtTheDepthBoundKeysOfOneHashFillOnlyTheirBucket) {
  constexpr std::uint64_t kDepth = 5;
  EngineOf(store_).map.hash_shape().set_depth_max(kDepth);
  const std::vector<std::string> keys = KeysLike("x", kDepth, index::kSlotsPerBucket + 1);
  const std::string& last = keys.back();
  for (const std::string& key : keys) {
    if (key != last) {
      ASSERT_TRUE(ns_.Put(key, key).ok());
    }
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Says(ns_.Put(last, "v"), absl::StatusCode::kResourceExhausted, "the same hash"));
    EXPECT_EQ(Look().directory->depth, kDepth);
    EXPECT_TRUE(absl::IsNotFound(ns_.Get(last).status()));
  }
  // The keys that fit can be read and changed, and other keys have room.
  for (const std::string& key : keys) {
    if (key != last) {
      ASSERT_EQ(*ns_.Get(key), key);
      ASSERT_TRUE(ns_.Put(key, "changed").ok());
    }
  }
  int others = 0;
  for (int i = 0; i < 64; ++i) {
    const std::string other = "other" + std::to_string(i);
    if (EngineOf(store_).map.Hash(other) >> (64U - kDepth) !=
        EngineOf(store_).map.Hash(last) >> (64U - kDepth)) {
      ASSERT_TRUE(ns_.Put(other, "o").ok());
      ++others;
    }
  }
  EXPECT_EQ(*ns_.Size(), index::kSlotsPerBucket + others);
  // Each delete makes room for one key.
  ASSERT_TRUE(*ns_.Delete(keys.front()));
  EXPECT_TRUE(ns_.Put(last, "v").ok());
  EXPECT_EQ(*ns_.Get(last), "v");
  EXPECT_TRUE(absl::IsResourceExhausted(ns_.Put(keys.front(), "again")));
  EXPECT_EQ(*ns_.Size(), index::kSlotsPerBucket + others);
}

TEST_F(HashNamespaceTest, DamageOfAnyPartIsDataLossOrIsFoundByCheckAndNeverACrash) {
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(ns_.Put(std::to_string(i), std::string(100, 'v')).ok());
  }
  const Shape shape = Look();
  Segment& segment = *shape.segments.begin()->second;
  auto* const slots = reinterpret_cast<std::uint64_t*>(&segment + 1);
  std::uint64_t* slot = slots;
  while (index::SlotIsClosed(*slot)) {
    ++slot;
  }
  auto* const record = EngineOf(store_).region.At<Record>(index::SlotOffset(*slot));
  auto* const checksum_and_size = reinterpret_cast<std::uint64_t*>(&record->checksum);
  std::vector<std::uint64_t*> words = {&shape.root->namespace_id, &shape.root->directory.raw,
                                       &shape.directory->depth,   &shape.entries[0].raw,
                                       &segment.bucket_count,     slot,
                                       checksum_and_size,         &record->packed};
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (const std::uint64_t bad : {*words[i] ^ 0x10U, std::uint64_t{0xfffffffffffffff0}}) {
      const std::uint64_t good = std::exchange(*words[i], bad);
      for (int key = 0; key < 40; ++key) {
        const absl::Status got = ns_.Get(std::to_string(key)).status();
        ASSERT_TRUE(got.ok() || absl::IsNotFound(got) || absl::IsDataLoss(got)) << got;
      }
      EXPECT_FALSE(IsSound(store_)) << "word " << i << ", damaged to " << bad;
      *words[i] = good;
    }
  }
  EXPECT_TRUE(IsSound(store_));
}

TEST_F(HashNamespaceTest, TheArmedCountersOfADeadLaneAreCountedOnceWhereverItDied) {
  // By hand: a lane that published a record and died before it wrote its counters, or between them,
  // or behind them.
  ASSERT_TRUE(ns_.Put("a", "v").ok());
  region::Region& region = EngineOf(store_).region;
  const Shape shape = Look();
  const auto offset =
      index::SlotOffset(reinterpret_cast<std::uint64_t*>(shape.segments.begin()->second + 1)[0]);
  std::uint64_t object = 0;
  EXPECT_TRUE(EngineOf(store_)
                  .catalog
                  .ForEach("n",
                           [&](std::string_view, std::uint64_t found) {
                             object = found;
                             return false;
                           })
                  .ok());
  const std::uint64_t cells = shape.root->counters[0].load(std::memory_order_relaxed);
  ASSERT_NE(cells, 0U);
  auto* const cell = region.At<index::CounterCell>(cells);
  const std::uint64_t keys = cell->keys.load(std::memory_order_relaxed);
  const std::uint64_t units = cell->units.load(std::memory_order_relaxed);
  ASSERT_EQ(index::CellValue(keys), 1);
  ASSERT_EQ(index::CellValue(units), versions::UnitsOf(versions::ViewRecord(region, offset)));
  const std::uint64_t seq = (index::CellSeq(keys) + 1) & process::kOpSeqMask;
  for (int done = 0; done < 3; ++done) {
    cell->keys.store(done > 0 ? index::PackCell(1, seq) : index::PackCell(0, seq - 1),
                     std::memory_order_relaxed);
    cell->units.store(
        done > 1 ? index::PackCell(index::CellValue(units), seq) : index::PackCell(0, seq - 1),
        std::memory_order_relaxed);
    EXPECT_EQ(done == 2, IsSound(store_)) << done;
    region::LaneLayout& dead = region.lane(9);
    // Slot 31 was never attached and its lock is free, so its participant counts as dead.
    dead.op.store(process::PackOp({true, 1, process::OpKind::kWrite, seq, index::CellValue(units)}),
                  std::memory_order_relaxed);
    dead.op_object.store(object, std::memory_order_relaxed);
    dead.op_counter.store(cells, std::memory_order_relaxed);
    dead.notes[0].store(process::BlockNote(region::BlockKind::kRecord, offset),
                        std::memory_order_relaxed);
    dead.owner.store(process::PackOwner(31, 5), std::memory_order_relaxed);
    for (int again = 0; again < 3; ++again) {
      ASSERT_TRUE(EngineOf(store_).session.RecoverDead().ok());
      EXPECT_EQ(*ns_.Size(), 1U) << done;
      EXPECT_EQ(cell->units.load(std::memory_order_relaxed),
                index::PackCell(index::CellValue(units), seq));
      EXPECT_EQ(dead.owner.load(std::memory_order_relaxed), 0U);
      EXPECT_EQ(*ns_.Get("a"), "v");
      EXPECT_TRUE(IsSound(store_)) << done;
    }
  }
}

}  // namespace
}  // namespace commy::test
