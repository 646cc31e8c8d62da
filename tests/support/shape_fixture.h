// What tests of the two shapes share: an index root below every namespace, a small writer, a second
// participant, and the comparison of the edges with the blocks in use, with which every test ends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "index/shape.h"
#include "support/versions_fixture.h"

namespace commy::test {

class ShapeFixture : public VersionsFixture {
 protected:
  using Operation = process::Operation;
  using OpKind = process::OpKind;
  using BlockKind = region::BlockKind;

  static constexpr std::uint64_t kNumber = 5;
  static constexpr std::uint64_t kNamespaceId = index::NamespaceIdOf(kNumber);

  explicit ShapeFixture(const region::CreateOptions& create = TinyRegion())
      : VersionsFixture(create), other_(platform_, path_, create) {}

  virtual std::unique_ptr<index::Shape> MakeShape(VersionsParty& party) = 0;

  void SetUp() override {
    shape_ = MakeShape(party_);
    other_shape_ = MakeShape(other_);
    Operation op(party_.lane(), OpKind::kCatalog, 0);
    const absl::StatusOr<std::uint64_t> built =
        shape_->BuildRoot(op, kNamespaceId, 0, alloc::Purpose::kOrdinary);
    ASSERT_TRUE(built.ok()) << built.status();
    root_offset_ = *built;
    versions::ResolveCommit(region(), root().commit);
  }
  void TearDown() override {
    if (!reclaimed_) {
      ExpectEveryBlockHasOneName();
    }
    VersionsFixture::TearDown();
  }

  index::IndexRoot& root() { return *region().At<index::IndexRoot>(root_offset_); }
  // The same in the second participant's mapping.
  index::IndexRoot& other_root() { return *other_.region().At<index::IndexRoot>(root_offset_); }

  // --- Keys ------------------------------------------------------------------------------------

  absl::StatusOr<index::Found> FindPlace(const std::string& key, index::Position* at) {
    at->root_offset = root_offset_;
    at->root = &root();
    return shape_->FindPlace(key, shape_->Hash(key), at);
  }
  // The place of a key in which it is, or may be put.
  index::Position MustFindPlace(Operation& op, const std::string& key) {
    index::Position at;
    for (int tries = 0; tries < 100; ++tries) {
      const absl::StatusOr<index::Found> found = FindPlace(key, &at);
      EXPECT_TRUE(found.ok()) << found.status();
      if (!found.ok() || *found == index::Found::kKey || *found == index::Found::kRoom) {
        return at;
      }
      const absl::Status made = *found == index::Found::kFrozen
                                    ? shape_->HelpPending(root())
                                    : shape_->MakeRoom(op, at, key, shape_->Hash(key));
      EXPECT_TRUE(made.ok()) << made;
      if (!made.ok()) {
        return index::Position();
      }
    }
    ADD_FAILURE() << "no room for " << key;
    return at;
  }
  // Publishes a version on top of what is there, and prunes below it.
  void Put(const std::string& key, std::string_view value = "v") {
    Operation op(party_.lane(), OpKind::kWrite, 0);
    const std::uint64_t offset =
        party_.MakeRecord(op, {.namespace_number = kNumber, .key = key, .value = value});
    const index::Position at = MustFindPlace(op, key);
    ASSERT_NE(at.slot, nullptr);
    versions::Record& record = party_.RecordAt(offset);
    record.prev.store(at.head.offset, std::memory_order_relaxed);
    ASSERT_TRUE(at.slot->CompareAndSet(at.word, index::PackSlot(shape_->Hash(key), offset),
                                       std::memory_order_seq_cst));
    versions::ResolveCommit(region(), record.commit);
    versions::SnapshotTimes times(region());
    party_.chains().Prune(op, op.AddNote(0), times, record, false);
    live_[key] = value;
  }
  // Closes the key's slot and retires its versions, as if no reader needed them.
  void Close(const std::string& key) {
    Operation op(party_.lane(), OpKind::kWrite, 0);
    index::Position at;
    const absl::StatusOr<index::Found> found = FindPlace(key, &at);
    ASSERT_TRUE(found.ok() && *found == index::Found::kKey) << key;
    op.AddNote(process::BlockNote(BlockKind::kRecord, at.head.offset));
    ASSERT_TRUE(party_.chains().PruneAll(op, op.AddNote(0), *at.head.record));
    ASSERT_TRUE(at.slot->CompareAndSet(at.word, index::kSlotClosed, std::memory_order_seq_cst));
    party_.allocator().Retire(op, at.head.offset);
    live_.erase(key);
    shape_->AfterClose(op, root(), key);
  }
  // Makes room where the key's place is full, once.
  absl::Status MakeRoomFor(const std::string& key) {
    Operation op(party_.lane(), OpKind::kWrite, 0);
    index::Position at;
    const absl::StatusOr<index::Found> found = FindPlace(key, &at);
    EXPECT_TRUE(found.ok() && *found == index::Found::kNoKey) << key;
    return shape_->MakeRoom(op, at, key, shape_->Hash(key));
  }

  // Whether a writer's look finds every key that was put with its value.
  void ExpectWritersFindEveryKey() {
    for (const auto& [key, value] : live_) {
      index::Position at;
      const absl::StatusOr<index::Found> found = FindPlace(key, &at);
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_EQ(*found, index::Found::kKey) << key;
      ASSERT_EQ(at.head.value, value);
    }
  }

  // --- Edges -----------------------------------------------------------------------------------

  std::vector<index::Edge> Edges(bool whole = true, index::Counts* counts = nullptr) {
    std::vector<index::Edge> edges;
    std::set<std::uint64_t> seen;
    index::Counts counted;
    const auto use = [&](const index::Edge& edge) {
      edges.push_back(edge);
      return seen.insert(edge.offset).second;
    };
    const auto fault = [](const std::string& text) { ADD_FAILURE() << text; };
    const index::EdgeWalk walk{whole, use, fault, counts == nullptr ? &counted : counts};
    const process::Pin pin(party_.lane());
    const absl::Status walked = shape_->ForEachEdge(root(), walk);
    EXPECT_TRUE(walked.ok()) << walked;
    return edges;
  }
  std::map<BlockKind, std::uint64_t> BlocksOfEachKind() {
    std::map<BlockKind, std::uint64_t> blocks;
    for (const index::Edge& edge : Edges()) {
      ++blocks[edge.kind];
    }
    return blocks;
  }
  // The blocks in use are the root, those that the edges name, each once and by the word of the
  // edge, and `unreachable`.
  void ExpectEveryBlockHasOneName(bool whole = true,
                                  const std::set<std::uint64_t>& unreachable = {}) {
    std::set<std::uint64_t> expected = unreachable;
    expected.insert(root_offset_);
    index::Counts counts;
    for (const index::Edge& edge : Edges(whole, &counts)) {
      EXPECT_TRUE(expected.insert(edge.offset).second) << "named twice: " << edge.offset;
      const std::uint64_t word = edge.word->load(std::memory_order_relaxed);
      const bool names = edge.kind == BlockKind::kRecord
                             ? index::SlotOffset(word) == edge.offset ||
                                   (word & ~versions::kPrevFrozen) == edge.offset
                             : word == edge.offset;
      EXPECT_TRUE(names) << "kind " << static_cast<int>(edge.kind) << " at " << edge.offset;
    }
    std::set<std::uint64_t> used;
    party_.allocator().ForEachBlock([&](const alloc::BlockInfo& info) {
      if (info.used) {
        used.insert(info.offset_bytes);
      }
    });
    EXPECT_EQ(used, expected);
    if (whole) {
      EXPECT_EQ(static_cast<std::size_t>(counts.keys), live_.size());
    }
  }
  bool IsReachable(BlockKind kind, std::uint64_t offset) {
    const process::Pin pin(party_.lane());
    const absl::StatusOr<bool> reachable = shape_->IsReachable(root(), root_offset_, kind, offset);
    EXPECT_TRUE(reachable.ok()) << reachable.status();
    return reachable.value_or(false);
  }

  // --- Whole roots -----------------------------------------------------------------------------

  // Reclaims all but the root with a deadline that has passed already; returns how many calls that
  // took.
  int ReclaimInPieces() {
    reclaimed_ = true;
    int calls = 0;
    for (bool done = false; !done && calls < 10'000; ++calls) {
      Operation op(party_.lane(), OpKind::kClear, 0);
      const absl::StatusOr<bool> piece = shape_->Reclaim(op, root(), 0);
      EXPECT_TRUE(piece.ok()) << piece.status();
      EXPECT_EQ(op.notes_used(), 0U);
      done = piece.value_or(true);
      ExpectEveryBlockHasOneName(false);
    }
    live_.clear();
    return calls;
  }
  void Retire(std::uint64_t block) {
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    EXPECT_TRUE(party_.allocator().Retire(op, block));
  }

  VersionsParty other_;
  std::unique_ptr<index::Shape> shape_;
  std::unique_ptr<index::Shape> other_shape_;
  std::uint64_t root_offset_ = 0;
  std::map<std::string, std::string> live_;
  bool reclaimed_ = false;
};

}  // namespace commy::test
