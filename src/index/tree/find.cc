// Finding things in an ordered index.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "index/tree/tree_shape.h"

namespace commy::index {
namespace {

constexpr std::uint32_t kLeafKeysMax = 256;
constexpr std::uint32_t kNodeChildrenMax = 64;
// A merge of two leaves counts their free words as if they were taken.
static_assert(kLeafKeysMax + kLeafAppendLimit <= kLeafKeysLimit / 2);
static_assert(kNodeChildrenMax <= kChildrenLimit / 2);

}  // namespace

TreeShape::TreeShape(process::Session& session, alloc::Allocator& allocator,
                     const versions::Chains& chains, const versions::Intents& intents,
                     const TreeLimits& limits)
    : Shape(session, allocator, chains, intents),
      limits_{std::clamp<std::uint32_t>(limits.leaf_keys, 2, kLeafKeysMax),
              std::clamp<std::uint32_t>(limits.leaf_append, 1, kLeafAppendLimit),
              std::clamp<std::uint32_t>(limits.node_children, 3, kNodeChildrenMax)} {}

std::uint64_t HeadOf(std::string_view key, std::uint64_t start) {
  if (start >= key.size()) {
    return 0;
  }
  std::uint64_t head = 0;
  const std::uint64_t count = std::min<std::uint64_t>(8, key.size() - start);
  std::memcpy(&head, key.data() + start, count);  // Little-endian, like the file.
  return __builtin_bswap64(head);
}

std::uint64_t CommonPrefix(std::string_view a, std::string_view b) {
  const std::size_t limit = std::min(a.size(), b.size());
  return static_cast<std::uint64_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(limit), b.begin()).first -
      a.begin());
}

// --- Nodes -------------------------------------------------------------------------------------

absl::StatusOr<Leaf*> TreeShape::LeafAt(std::uint64_t offset) const {
  auto* const leaf = region_.At<Leaf>(offset);
  if (leaf == nullptr) [[unlikely]] {
    return Damaged("a leaf", offset);
  }
  const std::uint64_t capacity = leaf->head.capacity;
  const std::uint64_t append = leaf->append;
  const std::uint64_t count = leaf->count.load(std::memory_order_acquire);  // reshape-3
  if (leaf->head.level != 0 || capacity > kLeafKeysLimit || append == 0 ||
      append > kLeafAppendLimit || count > capacity + 1 ||
      region_.At(offset, LeafBytes(capacity, append), alignof(Leaf)) == nullptr) [[unlikely]] {
    return Damaged("a leaf", offset);
  }
  return leaf;
}

absl::StatusOr<InnerNode*> TreeShape::InnerAt(std::uint64_t offset) const {
  auto* const node = region_.At<InnerNode>(offset);
  if (node == nullptr) [[unlikely]] {
    return Damaged("an inner node", offset);
  }
  const std::uint32_t level = node->head.level;
  const std::uint64_t count = node->head.capacity;
  if (level == 0 || level > kLevelLimit || count == 0 || count > kChildrenLimit ||
      node->prefix_size > versions::kKeyBytesMax ||
      region_.At(offset, InnerBytes(count), alignof(InnerNode)) == nullptr) [[unlikely]] {
    return Damaged("an inner node", offset);
  }
  return node;
}

absl::StatusOr<bool> TreeShape::SeparatorAt(std::uint64_t offset, std::string_view* key) const {
  if (offset <= kEntryGone) {
    return false;
  }
  const auto* const separator = region_.At<Separator>(offset);
  const std::uint64_t size = separator == nullptr ? versions::kKeyBytesMax + 1 : separator->size;
  if (size > versions::kKeyBytesMax ||
      region_.At(offset, sizeof(Separator) + size, alignof(Separator)) == nullptr) [[unlikely]] {
    return Damaged("a separator", offset);
  }
  *key = std::string_view(reinterpret_cast<const char*>(separator + 1), size);
  return true;
}

std::uint64_t* TreeShape::Heads(InnerNode& node) {
  return reinterpret_cast<std::uint64_t*>(&node + 1);
}
Shared64* TreeShape::Separators(InnerNode& node) {
  return reinterpret_cast<Shared64*>(&node + 1) + node.head.capacity;
}
Shared64* TreeShape::Children(InnerNode& node) {
  return Separators(node) + node.head.capacity;
}
Shared64* TreeShape::Heads(Leaf& leaf) {
  return reinterpret_cast<Shared64*>(&leaf + 1);
}
Shared64* TreeShape::BaseSlots(Leaf& leaf) {
  return Heads(leaf) + leaf.head.capacity;
}
Shared64* TreeShape::AppendSlots(Leaf& leaf) {
  return BaseSlots(leaf) + leaf.head.capacity;
}
SlotArray TreeShape::Slots(const LeafRef& at) {
  return {at.offset, BaseSlots(*at.leaf), std::uint64_t{at.leaf->head.capacity} + at.leaf->append,
          &at.leaf->mark, &at.leaf->due};
}

// --- Descent -----------------------------------------------------------------------------------

absl::StatusOr<std::uint64_t> TreeShape::ChildFor(InnerNode& node, Seek seek,
                                                  std::string_view key) const {
  const std::uint64_t last = node.head.capacity - std::uint64_t{1};
  if (seek == Seek::kFirst || last == 0) {
    return 0;
  }
  if (seek == Seek::kLast) {
    return last;
  }
  // First the prefix that all separators share.
  const std::uint64_t shared = std::min<std::uint64_t>(node.prefix_size, key.size());
  const std::uint64_t inlined = std::min(shared, kPrefixInline);
  int order = inlined == 0 ? 0 : std::memcmp(key.data(), node.prefix, inlined);
  if (order == 0 && shared > inlined) {
    std::string_view first;
    COMMY_ASSIGN_OR_RETURN(
        const bool there, SeparatorAt(Separators(node)[0].load(std::memory_order_acquire), &first));
    if (!there) {
      return kNoChild;
    }
    order = key.substr(inlined, shared - inlined).compare(first.substr(inlined, shared - inlined));
  }
  if (order < 0 || (order == 0 && key.size() < node.prefix_size)) {
    return 0;
  }
  if (order > 0) {
    return last;
  }
  // Then the heads, and where those do not decide, the separators themselves.
  const std::uint64_t* const heads = Heads(node);
  const std::uint64_t head = HeadOf(key, node.prefix_size);
  const auto [low, high] = std::equal_range(heads, heads + last, head);
  auto begin = static_cast<std::uint64_t>(low - heads);
  auto end = static_cast<std::uint64_t>(high - heads);
  while (begin < end) {
    const std::uint64_t middle = begin + (end - begin) / 2;
    std::string_view separator;
    COMMY_ASSIGN_OR_RETURN(
        const bool there,
        SeparatorAt(Separators(node)[middle].load(std::memory_order_acquire), &separator));
    if (!there) {
      return kNoChild;
    }
    if (seek == Seek::kAt ? separator <= key : separator < key) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  COMMY_DCHECK(begin <= last);
  return begin;
}

absl::StatusOr<TreeShape::LeafRef> TreeShape::Descend(const IndexRoot& root, Seek seek,
                                                      std::string_view key, Path* path) const {
  std::uint64_t offset = root.directory.load(std::memory_order_acquire);  // reshape-4
  std::uint32_t level_limit = kLevelLimit;
  while (offset > kEntryGone) {
    const auto* const head = region_.At<NodeHead>(offset);
    if (head == nullptr || head->level > level_limit) [[unlikely]] {
      return Damaged("a node", offset);
    }
    if (head->level == 0) {
      COMMY_ASSIGN_OR_RETURN(Leaf * leaf, LeafAt(offset));
      return LeafRef{offset, leaf};
    }
    COMMY_ASSIGN_OR_RETURN(InnerNode * node, InnerAt(offset));
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t index, ChildFor(*node, seek, key));
    if (index == kNoChild) {
      break;
    }
    if (path != nullptr) {
      path->push_back({offset, node, index});
    }
    level_limit = head->level - 1;
    offset = Children(*node)[index].load(std::memory_order_acquire);  // reshape-4
  }
  return LeafRef();
}

absl::StatusOr<TreeShape::LeafRef> TreeShape::DescendToFence(const IndexRoot& root,
                                                             std::uint64_t fence,
                                                             Path* path) const {
  if (fence == 0) {
    return Descend(root, Seek::kFirst, std::string_view(), path);
  }
  std::string_view key;
  const absl::StatusOr<bool> there = SeparatorAt(fence, &key);
  if (!there.ok() || !*there) {
    return LeafRef();
  }
  return Descend(root, Seek::kAt, key, path);
}

// --- Leaves ------------------------------------------------------------------------------------

std::pair<std::uint64_t, std::uint64_t> TreeShape::BaseRange(Leaf& leaf, std::string_view key) {
  const std::uint64_t count_word = leaf.count.load(std::memory_order_relaxed);
  const std::uint64_t prefix = leaf.prefix_size.load(std::memory_order_relaxed);
  if (count_word <= 1 || key.size() < prefix) {
    return {0, 0};
  }
  const Shared64* const heads = Heads(leaf);
  const std::uint64_t head = HeadOf(key, prefix);
  std::uint64_t begin = 0;
  std::uint64_t size = count_word - 1;
  while (size > 0) {
    const std::uint64_t half = size / 2;
    if (heads[begin + half].load(std::memory_order_relaxed) < head) {
      begin += half + 1;
      size -= half + 1;
    } else {
      size = half;
    }
  }
  std::uint64_t end = begin;
  while (end < count_word - 1 && heads[end].load(std::memory_order_relaxed) == head) {
    ++end;
  }
  return {begin, end - begin};
}

absl::StatusOr<Found> TreeShape::FindNewest(const IndexRoot& root, std::string_view key,
                                            std::uint64_t hash, versions::RecordView* found) const {
  COMMY_ASSIGN_OR_RETURN(const LeafRef at, Descend(root, Seek::kAt, key, nullptr));
  if (at.leaf == nullptr) [[unlikely]] {
    return Found::kGone;
  }
  __builtin_prefetch(AppendSlots(*at.leaf));
  const auto [first, count] = BaseRange(*at.leaf, key);
  COMMY_ASSIGN_OR_RETURN(const Found seen,
                         ReadSlots(region_, BaseSlots(*at.leaf) + first, count, key, hash, found));
  if (seen == Found::kKey) {
    return seen;
  }
  return ReadSlots(region_, AppendSlots(*at.leaf), at.leaf->append, key, hash, found);
}

absl::StatusOr<Found> TreeShape::FindPlace(std::string_view key, std::uint64_t hash,
                                           Position* at) const {
  COMMY_ASSIGN_OR_RETURN(const LeafRef found, Descend(*at->root, Seek::kAt, key, nullptr));
  if (found.leaf == nullptr) [[unlikely]] {
    return Found::kGone;
  }
  at->place_offset = found.offset;
  __builtin_prefetch(AppendSlots(*found.leaf), 1);
  const auto [first, count] = BaseRange(*found.leaf, key);
  COMMY_ASSIGN_OR_RETURN(const Found seen,
                         WalkSlots(BaseSlots(*found.leaf) + first, count, key, hash, at));
  if (seen == Found::kRoom) [[unlikely]] {
    return Damaged("a leaf", found.offset);  // An empty slot in the base.
  }
  if (seen != Found::kNoKey) {
    return seen;
  }
  return WalkSlots(AppendSlots(*found.leaf), found.leaf->append, key, hash, at);
}

absl::StatusOr<SlotArray> TreeShape::SlotsOf(const IndexRoot& root, std::string_view key,
                                             std::uint64_t /*hash*/) const {
  COMMY_ASSIGN_OR_RETURN(const LeafRef at, Descend(root, Seek::kAt, key, nullptr));
  return at.leaf == nullptr ? SlotArray() : Slots(at);
}

void TreeShape::PrefetchRecord(std::uint64_t word) const {
  constexpr std::uint64_t kLine = 64;
  if (const std::byte* const record =
          region_.At(SlotOffset(word), std::uint64_t{3} * kLine, alignof(versions::Record));
      record != nullptr && !SlotIsClosed(word) && !SlotIsEmpty(word)) {
    __builtin_prefetch(record);
    __builtin_prefetch(record + kLine);
    __builtin_prefetch(record + 2 * kLine);
  }
}

void TreeShape::KeepLaterOnes(std::size_t start, LeafKeys* keys) {
  COMMY_DCHECK(start <= keys->size());
  std::size_t kept = start;
  for (std::size_t i = start; i < keys->size(); ++i) {
    if (i + 1 == keys->size() || (*keys)[i].key != (*keys)[i + 1].key) {
      (*keys)[kept++] = (*keys)[i];
    }
  }
  keys->resize(kept);
}

absl::Status TreeShape::Collect(Leaf& leaf, LeafKeys* keys) const {
  const std::uint64_t base = std::max<std::uint64_t>(leaf.count.load(std::memory_order_acquire), 1);
  const auto take = [&](const Shared64* slots, std::uint64_t count) -> absl::Status {
    for (std::uint64_t i = 0; i < std::min(kAhead, count); ++i) {
      PrefetchRecord(slots[i].load(std::memory_order_relaxed));
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i + kAhead < count) {
        PrefetchRecord(slots[i + kAhead].load(std::memory_order_relaxed));
      }
      const std::uint64_t word = slots[i].load(std::memory_order_acquire) & ~kSlotFrozen;
      if (word == 0) {
        break;
      }
      if (SlotIsClosed(word)) {
        continue;
      }
      const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(word));
      if (!view.valid()) {
        return Damaged("a record", SlotOffset(word));
      }
      keys->push_back({view.key, word});
    }
    return absl::OkStatus();
  };
  const std::size_t start = keys->size();
  COMMY_RETURN_IF_ERROR(take(BaseSlots(leaf), base - 1));
  const std::size_t appended = keys->size();
  COMMY_RETURN_IF_ERROR(take(AppendSlots(leaf), leaf.append));
  const auto below = [](const LeafKey& a, const LeafKey& b) { return a.key < b.key; };
  const auto at = [keys](std::size_t i) { return keys->begin() + static_cast<std::ptrdiff_t>(i); };
  std::stable_sort(at(appended), keys->end(), below);
  std::inplace_merge(at(start), at(appended), keys->end(), below);
  KeepLaterOnes(start, keys);
  return absl::OkStatus();
}

std::uint64_t TreeShape::LiveSlots(const SlotArray& slots) {
  std::uint64_t live = 0;
  for (std::uint64_t i = 0; i < slots.count; ++i) {
    const std::uint64_t word = slots.words[i].load(std::memory_order_acquire);
    live += SlotIsEmpty(word) || SlotIsClosed(word) ? 0 : 1;
  }
  return live;
}

std::uint64_t TreeShape::FreeAppendSlots(Leaf& leaf) {
  std::uint64_t free = 0;
  for (std::uint64_t i = 0; i < leaf.append; ++i) {
    free += SlotIsEmpty(AppendSlots(leaf)[i].load(std::memory_order_acquire)) ? 1 : 0;
  }
  return free;
}

}  // namespace commy::index
