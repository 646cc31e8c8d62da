#include "salvage/slots.h"

#include "absl/container/flat_hash_set.h"

#include "index/hash/layout.h"
#include "index/tree/layout.h"

namespace commy::salvage {
namespace {

using base::Shared64;
using index::Directory;
using index::IndexRoot;
using index::InnerNode;
using index::Leaf;
using index::NodeHead;
using index::Segment;
using UseSlots = absl::FunctionRef<void(const Shared64* slots, std::uint64_t count)>;

constexpr std::uint64_t kDepthLimit = 36;

bool ForEachSegment(const Image& image, std::uint64_t directory_offset, UseSlots use) {
  const auto* const directory = image.At<Directory>(directory_offset);
  if (directory == nullptr || directory->depth > kDepthLimit) {
    return false;
  }
  const std::uint64_t count = std::uint64_t{1} << directory->depth;
  const std::byte* const entries =
      image.At(directory_offset + sizeof(Directory), count * sizeof(Shared64), alignof(Shared64));
  if (entries == nullptr) {
    return false;
  }
  absl::flat_hash_set<std::uint64_t> seen;
  bool whole = true;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset =
        reinterpret_cast<const Shared64*>(entries)[i].load(std::memory_order_relaxed);
    if (!seen.insert(offset).second) {
      continue;
    }
    const auto* const segment = image.At<Segment>(offset);
    const std::uint64_t buckets = segment == nullptr ? 0 : segment->bucket_count;
    if (offset == 0 || buckets == 0 || buckets > image.geometry()->segment_buckets ||
        image.At(offset, index::SegmentBytes(buckets), alignof(Segment)) == nullptr) {
      whole = false;
      continue;
    }
    use(reinterpret_cast<const Shared64*>(segment + 1), buckets * index::kSlotsPerBucket);
  }
  return whole;
}

// The leaves below a node. Levels descend, so this ends whatever the nodes say.
class LeafFinder {
 public:
  LeafFinder(const Image& image, UseSlots use) : image_(image), use_(use) {}

  bool Visit(std::uint64_t offset, std::uint64_t level_max) {
    const auto* const head = image_.At<NodeHead>(offset);
    if (offset == 0 || head == nullptr || head->level > level_max || !seen_.insert(offset).second) {
      return false;
    }
    return head->level == 0 ? VisitLeaf(offset) : VisitInner(offset);
  }

 private:
  bool VisitLeaf(std::uint64_t offset) {
    const auto* const leaf = image_.At<Leaf>(offset);
    if (leaf == nullptr || leaf->head.capacity > index::kLeafKeysLimit ||
        leaf->append > index::kLeafAppendLimit) {
      return false;
    }
    const std::uint64_t heads_bytes = leaf->head.capacity * sizeof(std::uint64_t);
    const std::uint64_t count = leaf->head.capacity + leaf->append;
    const std::byte* const slots =
        image_.At(offset + sizeof(Leaf) + heads_bytes, count * sizeof(Shared64), alignof(Shared64));
    if (slots == nullptr) {
      return false;
    }
    use_(reinterpret_cast<const Shared64*>(slots), count);
    return true;
  }

  bool VisitInner(std::uint64_t offset) {
    const auto* const node = image_.At<InnerNode>(offset);
    const std::uint64_t count = node == nullptr ? 0 : node->head.capacity;
    if (count == 0 || count > index::kChildrenLimit) {
      return false;
    }
    const std::byte* const children =
        image_.At(offset + sizeof(InnerNode) + count * 2 * sizeof(std::uint64_t),
                  count * sizeof(Shared64), alignof(Shared64));
    bool whole = children != nullptr;
    for (std::uint64_t i = 0; children != nullptr && i < count; ++i) {
      whole &= Visit(reinterpret_cast<const Shared64*>(children)[i].load(std::memory_order_relaxed),
                     node->head.level - 1);
    }
    return whole;
  }

  const Image& image_;
  const UseSlots use_;
  absl::flat_hash_set<std::uint64_t> seen_;
};

}  // namespace

bool ForEachSlots(const Image& image, const SalvagedNamespace& ns, UseSlots use) {
  if (ns.root_offset == 0 || !image.geometry().has_value()) {
    return false;
  }
  const auto* const root = image.At<IndexRoot>(ns.root_offset);
  const std::uint64_t top = root->directory.load(std::memory_order_relaxed);
  return ns.ordered ? LeafFinder(image, use).Visit(top, index::kLevelLimit)
                    : ForEachSegment(image, top, use);
}

}  // namespace commy::salvage
