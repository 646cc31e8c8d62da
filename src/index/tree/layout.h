// The parts of an ordered index besides those that every index has. See tree_shape.h for their use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "index/slots.h"
#include "versions/record.h"

namespace commy::index {

// A string between the keys of two neighbours: above those to its left, not above those to its
// right. Immutable. Named by one inner node, and as `low` by the nodes of which it is the lower
// bound.
//
//   0x00   8  size
//   0x08   8  checksum   XXH3-64 of the bytes
//   0x10      bytes
struct Separator {
  std::uint64_t size;
  std::uint64_t checksum;
};
static_assert(sizeof(Separator) == 0x10);

// How every node begins.
//
//   0x00   4  level      0: a leaf; else its children are of the level below
//   0x04   4  capacity   of a leaf: entries of its base; else the number of its children
//   0x08   8  low        offset of the separator that is its lower bound; 0: none
struct NodeHead {
  std::uint32_t level;
  std::uint32_t capacity;
  std::uint64_t low;
};
static_assert(sizeof(NodeHead) == 0x10);

// A leaf. Its base is sorted and was filled when the leaf was built; a new key goes to the append
// area. A head is 8 bytes of the key behind the prefix that all keys of the base share, as a
// big-endian number, filled up with zeros.
//
//   0x00  16  head          level 0
//   0x10   4  append        words of the append area
//   0x18   8  count         entries in use of the base, plus one
//   0x20   8  prefix_size   of the prefix that the keys of the base share
//   0x28   8  mark          0, or there are versions or tombstones to sweep: see kSweepNeeded
//   0x30   8  due           when something in it expires: see kDueClaim
//   0x40      heads         8 bytes for each entry of the base
//             slots         of the base
//             slots         of the append area
struct Leaf {
  NodeHead head;
  std::uint32_t append;
  std::uint32_t reserved_0;
  Shared64 count;
  Shared64 prefix_size;
  Shared64 mark;
  Shared64 due;
  std::uint8_t reserved_1[0x08];
};
static_assert(sizeof(Leaf) == 0x40);
static_assert(offsetof(Leaf, mark) == 0x28);

// An inner node. Immutable, but for the child words, which only the pending reshape changes, and
// for the separator words, which go to 1 when it is reclaimed. A child's keys are not below the
// separator before it, and below the one behind it.
//
//   0x00  16  head          level 1 or more
//   0x10   8  prefix_size   of the prefix that its separators share
//   0x18  40  prefix        its first bytes
//   0x40      heads         8 bytes a child: of the separator behind it; of the last one: 0
//             separators    8 bytes a child: the separator behind it; of the last one: 0
//             children      8 bytes a child
struct InnerNode {
  NodeHead head;
  std::uint64_t prefix_size;
  std::uint8_t prefix[0x28];
};
static_assert(sizeof(InnerNode) == 0x40);
static_assert(offsetof(InnerNode, prefix) == 0x18);

inline constexpr std::uint64_t kPrefixInline = sizeof(InnerNode::prefix);
inline constexpr std::uint64_t kLeafKeysLimit = 1024;
inline constexpr std::uint32_t kLeafAppendLimit = 64;
inline constexpr std::uint64_t kChildrenLimit = 256;
inline constexpr std::uint32_t kLevelLimit = 48;

enum class TreeReshapeKind : std::uint64_t {
  kRebuild = 16,
  kSplit = 17,
  kMerge = 18,
  kNewRoot = 19,
  kLoseRoot = 20,
};

// A reshape that was posted in a root's `pending_reshape`. Immutable.
//
//   0x00   8  kind
//   0x08   8  fence          lower bound of old_0 (a separator); 0: none
//   0x10   8  holder         the node with the word that reshape-4 changes; 0: it is the root's
//   0x18   8  holder_index   of the child
//   0x20   8  parent         the node that is replaced along with its children; 0: none
//   0x28   8  index          of old_0 in it
//   0x30   8  old_0
//   0x38   8  old_1          of a merge
//   0x40   8  target_0       zeroed where it is filled from the old ones
//   0x48   8  target_1       of a split
//   0x50   8  target_parent
//   0x58   8  separator      made by a split of a leaf, or made needless by a merge of leaves
struct TreeReshape {
  std::uint64_t kind;
  std::uint64_t fence;
  std::uint64_t holder;
  std::uint64_t holder_index;
  std::uint64_t parent;
  std::uint64_t index;
  std::uint64_t old_0;
  std::uint64_t old_1;
  std::uint64_t target_0;
  std::uint64_t target_1;
  std::uint64_t target_parent;
  std::uint64_t separator;
};
static_assert(sizeof(TreeReshape) == 0x60);
static_assert(offsetof(TreeReshape, target_0) == 0x40);

static_assert(kLeafAppendLimit <= kLeafKeysLimit);

constexpr std::uint64_t LeafBytes(std::uint64_t capacity, std::uint64_t append) {
  return sizeof(Leaf) + capacity * 16 + append * 8;
}
constexpr std::uint64_t InnerBytes(std::uint64_t children) {
  return sizeof(InnerNode) + children * 24;
}

}  // namespace commy::index
