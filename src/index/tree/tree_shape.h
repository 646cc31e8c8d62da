// The ordered index: a tree whose leaves work like the buckets of the hash index.
//
// A leaf has a base, sorted when the leaf was built, and an append area. The keys of the base are
// fixed, their slots change like any slot; a new key goes to the first empty word of the append
// area. An inner node has separators and child words. What a slot is, and how the shape changes, is
// in slots.h and shape.h; why it is right, in docs/decisions/0007-ordered-index.md.
//
// SLOTS     The append area is claimed strictly in order, like a bucket: so two inserters of one
//           key cannot both succeed. A base's slot that was closed is never used again, nor is an
//           unused one at its end.
// CHANGES   rebuild or split a leaf, merge two leaves, rebuild or split an inner node, merge two,
//           new root, lose the root. At most two siblings and their parent are replaced, and
//           reshape-4 is the CAS of the one word that names the topmost of them: a child word, or
//           the root's directory word. A full parent is split first, from the top down, each a
//           reshape of its own.
//           When the append area is full the set of keys in a leaf only shrinks: so the poster of a
//           split can choose the separator, and how large the targets must be. A merge counts the
//           free words as if they were taken.
// RANGES    A walk over a range goes from leaf to leaf by the bound of the leaf that it was in,
//           not by a link. A leaf's bounds never change, and a node never changes its separators.
// HELP      A helper looks at the whole way first: does it name holder, parent and the old ones,
//           each in its place? A poster may hold a parent that another change replaced, while the
//           leaf is in place under the new one: reshape-4 would change a word that no process
//           reads, and the leaf would be retired and in use. reshape-3 stores heads, prefix and
//           count plainly: they follow from the frozen leaves, so every helper stores the same, a
//           late one into a node that its pin keeps. Slots and child words change after reshape-4,
//           so there it is a CAS from 0. reshape-6 retires those nodes and separators that cannot
//           be reached: of a change in vain the old ones may be in use.
// TAKING BACK  Children first, then the separators, then the node: while a child can be reached, so
//           can all separators that lead to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "index/scan_cursor.h"
#include "index/shape.h"
#include "index/tree/layout.h"

namespace commy::index {

// How large this process makes the nodes that it builds. Nodes say themselves how large they are.
struct TreeLimits {
  std::uint32_t leaf_keys = 48;      // More live keys, and a full leaf is split. 2 to 256.
  std::uint32_t leaf_append = 16;    // 1 to 64.
  std::uint32_t node_children = 64;  // With this many it is split before it gets one more. 3 to 64.
};

class TreeShape final : public Shape {
 public:
  TreeShape(process::Session& session, alloc::Allocator& allocator, const versions::Chains& chains,
            const versions::Intents& intents, const TreeLimits& limits);

  // A reader's search for a key: kKey (then `found` is its newest record, resolved), kNoKey, or
  // kGone.
  absl::StatusOr<Found> FindNewest(const IndexRoot& root, std::string_view key, std::uint64_t hash,
                                   versions::RecordView* found) const;

  // Calls `use` for the records that count, or counted then, in the leaf at the cursor, from there
  // on, in order (in reverse: in reverse order), until it returns false. Moves the cursor on to the
  // next leaf, or behind the last record that it called `use` for. `*more`: there is a further one,
  // and `use` wants it. kAgain: the structure is being reclaimed. kConflict: see Intents::Read.
  base::Result Scan(const IndexRoot& root, const versions::AsOf& as_of, bool reverse,
                    ScanCursor* cursor, absl::FunctionRef<bool(const versions::RecordView&)> use,
                    bool* more) const;

 private:
  friend class TreeBuilder;

  // Where a descent goes: to the leaf of a key, of the keys just below it, or to an end.
  enum class Seek : std::uint8_t { kAt, kBefore, kFirst, kLast };
  struct LeafRef {
    std::uint64_t offset = 0;
    Leaf* leaf = nullptr;
  };
  struct Step {
    std::uint64_t offset = 0;
    InnerNode* node = nullptr;
    std::uint64_t index = 0;  // Of the child that was taken.
  };
  using Path = absl::InlinedVector<Step, 8>;
  struct LeafKey {
    std::string_view key;
    std::uint64_t word = 0;
  };
  using LeafKeys = absl::InlinedVector<LeafKey, 64>;
  using Views = absl::InlinedVector<versions::RecordView, 64>;
  using Offsets = absl::InlinedVector<std::uint64_t, 72>;
  // A change that is being prepared, with the material for its targets.
  struct Plan {
    TreeReshape change{};
    bool leaves = true;  // Leaves are replaced, not inner nodes.
    // A merge of leaves: with the one before, if both fit into one. Else with any, if both are
    // sparse.
    bool packs = false;
    std::uint64_t capacity_0 = 0;
    std::uint64_t capacity_1 = 0;
    std::string separator;       // Of a split of a leaf.
    std::uint64_t split_at = 0;  // Of a split of an inner node: children of its left half.
  };

  absl::StatusOr<Found> FindPlace(std::string_view key, std::uint64_t hash,
                                  Position* at) const override;
  absl::StatusOr<SlotArray> SlotsOf(const IndexRoot& root, std::string_view key,
                                    std::uint64_t hash) const override;
  absl::StatusOr<bool> ForEachSlotsFrom(
      const IndexRoot& root, SlotPlace* place,
      absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use) const override;
  absl::Status MakeRoom(process::Operation& op, const Position& at, std::string_view key,
                        std::uint64_t hash) override;
  void AfterClose(process::Operation& op, IndexRoot& root, std::string_view key) override;
  absl::Status MoveStructure(process::Operation& op, IndexRoot& root, std::uint64_t array,
                             absl::FunctionRef<bool(std::uint64_t)> moves) override;
  absl::StatusOr<std::uint64_t> BuildEmpty(process::Operation& op, alloc::Purpose purpose) override;
  absl::StatusOr<bool> IsInPlace(const IndexRoot& root, std::uint64_t descriptor) const override;
  absl::Status Apply(IndexRoot& root, std::uint64_t descriptor) override;
  absl::StatusOr<bool> ReclaimStructure(process::Operation& op, IndexRoot& root,
                                        std::int64_t deadline_ns) override;
  absl::StatusOr<bool> IsStructureReachable(const IndexRoot& root, region::BlockKind kind,
                                            std::uint64_t offset) const override;
  absl::Status WalkStructure(IndexRoot& root, const EdgeWalk& walk) const override;
  [[nodiscard]] bool IsConsistentAround(const IndexRoot& root,
                                        std::uint64_t descriptor) const override;
  // Whether each child of an inner node is on the level below, and bounded by the separator before.
  [[nodiscard]] bool FitsItsChildren(InnerNode& node) const;

  // --- Nodes (find.cc) -----------------------------------------------------------------------

  absl::StatusOr<Leaf*> LeafAt(std::uint64_t offset) const;
  absl::StatusOr<InnerNode*> InnerAt(std::uint64_t offset) const;
  // False: the offset is none, or of a separator that was reclaimed.
  absl::StatusOr<bool> SeparatorAt(std::uint64_t offset, std::string_view* key) const;
  static std::uint64_t* Heads(InnerNode& node);
  static Shared64* Separators(InnerNode& node);
  static Shared64* Children(InnerNode& node);
  static Shared64* Heads(Leaf& leaf);
  static Shared64* BaseSlots(Leaf& leaf);
  static Shared64* AppendSlots(Leaf& leaf);
  static SlotArray Slots(const LeafRef& at);

  // The child to go to; kNoChild: a separator that is needed was reclaimed.
  static constexpr std::uint64_t kNoChild = UINT64_MAX;
  absl::StatusOr<std::uint64_t> ChildFor(InnerNode& node, Seek seek, std::string_view key) const;
  // A null leaf: the root's structure is being reclaimed. `path` may be null.
  absl::StatusOr<LeafRef> Descend(const IndexRoot& root, Seek seek, std::string_view key,
                                  Path* path) const;
  // To the leaf of the lower bound that is a separator, or none. Null leaf also if `fence` names no
  // separator: the memory there may belong to another block.
  absl::StatusOr<LeafRef> DescendToFence(const IndexRoot& root, std::uint64_t fence,
                                         Path* path) const;
  // The first entry of the base that may have the key, and how many may.
  static std::pair<std::uint64_t, std::uint64_t> BaseRange(Leaf& leaf, std::string_view key);
  // The number of records that are asked for before they are looked at.
  static constexpr std::uint64_t kAhead = 16;
  // Asks the processor for the record of a slot. Advice only.
  void PrefetchRecord(std::uint64_t word) const;
  // The entries that are not closed, in order; if a key is met twice, the later one.
  absl::Status Collect(Leaf& leaf, LeafKeys* keys) const;
  // Of two entries with one key, which only a leaf in use can show. From `start` on; they are
  // sorted.
  static void KeepLaterOnes(std::size_t start, LeafKeys* keys);
  static std::uint64_t LiveSlots(const SlotArray& slots);
  static std::uint64_t FreeAppendSlots(Leaf& leaf);

  // --- Scans (scan.cc) -----------------------------------------------------------------------

  // The entries that a scan is to look at in one leaf, both in its order.
  struct LeafScan {
    absl::InlinedVector<std::uint64_t, 64> base;  // Words; the first may not be in its range.
    LeafKeys appended;
  };

  // Which entries of the base may be in the range: from .first on, before .second.
  std::pair<std::uint64_t, std::uint64_t> BaseInScan(Leaf& leaf, bool reverse,
                                                     const ScanCursor& cursor) const;
  // Asks the processor for a leaf; for the one behind that the path leads to. Advice only.
  void PrefetchLeaf(std::uint64_t offset) const;
  void PrefetchNext(const Path& path, bool reverse) const;
  absl::Status ReadAppended(Leaf& leaf, bool reverse, const ScanCursor& cursor,
                            LeafKeys* keys) const;
  absl::Status ReadLeaf(Leaf& leaf, bool reverse, const ScanCursor& cursor, LeafScan* scan) const;
  // Adds the version of a newest record that counts, or counted then, if there is one.
  base::Result AddLive(versions::RecordView view, const versions::AsOf& as_of, Views* views) const;
  // The records that count, or counted then, in a leaf from the bound on, in the order of the scan.
  base::Result CollectLive(Leaf& leaf, const versions::AsOf& as_of, bool reverse,
                           const ScanCursor& cursor, Views* views) const;
  // Ends a step in the middle of a leaf. True: there may be more.
  absl::StatusOr<bool> MoveBehind(const LeafRef& at, std::string_view key, bool reverse,
                                  ScanCursor* cursor) const;
  // The separator behind the leaf that the path leads to; 0: none.
  static std::uint64_t UpperBound(const Path& path);

  // --- Changes: the poster (change.cc) --------------------------------------------------------

  absl::StatusOr<std::uint64_t> BuildLeaf(process::Operation& op, std::uint64_t capacity,
                                          std::uint32_t append, std::uint64_t low,
                                          alloc::Purpose purpose) const;
  // Posts the change, or helps with what is posted already.
  absl::Status PostOrHelp(process::Operation& op, IndexRoot& root, Plan& plan);
  absl::StatusOr<std::uint64_t> BuildInner(process::Operation& op, std::uint32_t level,
                                           std::uint64_t low, const Offsets& separators) const;
  absl::StatusOr<std::uint64_t> BuildSeparator(process::Operation& op, std::string_view text) const;
  static Offsets SeparatorsOf(InnerNode& node, std::uint64_t begin, std::uint64_t end);
  absl::Status BuildTargets(process::Operation& op, Plan* plan) const;
  absl::Status BuildLeafTargets(process::Operation& op, Plan* plan) const;
  absl::StatusOr<std::uint64_t> BuildInnerTargets(process::Operation& op, Plan* plan) const;
  // Names the topmost old one's place, which is the child of path[depth - 1], or the root's.
  static void SetHolder(const Path& path, std::size_t depth, TreeReshape* change);
  absl::Status PlanSplit(const Path& path, const LeafRef& at, const LeafKeys& keys,
                         Plan* plan) const;
  // False: there is nothing to merge.
  absl::StatusOr<bool> PlanLeafMerge(const Path& path, const LeafRef& at, Plan* plan) const;
  absl::StatusOr<bool> PlanInnerMerge(const Path& path, std::size_t depth, Plan* plan) const;
  // Shrinks oversized nodes around a key by one change. False: there are none.
  absl::StatusOr<bool> ShrinkAround(process::Operation& op, IndexRoot& root, std::string_view key);
  absl::Status Post(process::Operation& op, IndexRoot& root, Plan& plan);
  absl::Status RetireAfterReshape(process::Operation& op, const IndexRoot& root,
                                  const TreeReshape& change, bool leaves);

  // --- Changes: helpers (help.cc) -------------------------------------------------------------

  absl::StatusOr<TreeReshape> ReshapeAt(std::uint64_t descriptor) const;
  absl::Status FillLeaves(const TreeReshape& change) const;
  absl::Status FillLeaf(std::uint64_t target, const LeafKey* keys, std::uint64_t count) const;
  absl::Status FillInners(const TreeReshape& change) const;
  absl::Status FillParent(const TreeReshape& change) const;
  static void FillChildren(InnerNode& target, const Offsets& children, std::uint64_t first);
  absl::Status SwapTop(IndexRoot& root, const TreeReshape& change) const;

  // --- Walks (walk.cc) ------------------------------------------------------------------------

  struct Bounds {
    std::uint64_t low_offset = 0;
    std::string_view low;
    bool has_high = false;
    std::string_view high;
  };
  struct Walk;

  // A walk over leaves from a key on, to where it stopped.
  struct LeafWalk {
    std::string_view from;
    absl::FunctionRef<absl::StatusOr<bool>(const SlotArray&)> use;
    std::uint64_t behind = 0;  // The separator behind the last leaf that was passed.
  };
  // Below a node with this separator behind it; 0: none. False: `use` returned false.
  absl::StatusOr<bool> ForEachLeaf(std::uint64_t offset, std::uint32_t level_limit,
                                   std::uint64_t behind, LeafWalk* walk) const;
  absl::StatusOr<bool> ReclaimNode(process::Operation& op, Shared64& word, std::uint64_t gone,
                                   std::uint32_t level_limit, std::int64_t deadline_ns);
  void ReclaimSeparators(process::Operation& op, InnerNode& node);
  void WalkNode(const Walk& walk, Shared64& word, std::uint64_t offset, std::uint32_t level_limit,
                const Bounds& bounds) const;
  void WalkInner(const Walk& walk, std::uint64_t offset, InnerNode& node,
                 const Bounds& bounds) const;
  void WalkSeparator(const Walk& walk, InnerNode& node, std::uint64_t index, std::string_view text,
                     const Bounds& bounds) const;
  void WalkLeaf(const Walk& walk, const LeafRef& at, const Bounds& bounds) const;

  const TreeLimits limits_;
  std::atomic<std::uint32_t> shrink_skips_{0};  // Occasions to let pass, since there was no room.
};

// 8 bytes of a key from `start` on, as a number that compares like them; zeros behind its end.
std::uint64_t HeadOf(std::string_view key, std::uint64_t start);
// How many bytes two strings share at the beginning.
std::uint64_t CommonPrefix(std::string_view a, std::string_view b);

}  // namespace commy::index
