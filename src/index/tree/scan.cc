// Walking over a range of an ordered index, leaf by leaf.
#include <algorithm>
#include <utility>

#include "base/status.h"
#include "index/tree/tree_shape.h"

namespace commy::index {
namespace {

bool InScan(std::string_view key, bool reverse, const ScanCursor& cursor) {
  return cursor.open || (key < cursor.bound) == reverse;
}

}  // namespace

// The heads tell, if the bound has the prefix of the base, too. Any of its records shows that, so
// the one that is needed first is read.
std::pair<std::uint64_t, std::uint64_t> TreeShape::BaseInScan(Leaf& leaf, bool reverse,
                                                              const ScanCursor& cursor) const {
  const std::uint64_t count =
      std::max<std::uint64_t>(leaf.count.load(std::memory_order_acquire), 1) - 1;
  if (cursor.open || !cursor.inside || count == 0) {
    return {0, count};
  }
  const auto [first, same_head] = BaseRange(leaf, cursor.bound);
  const std::pair<std::uint64_t, std::uint64_t> found =
      reverse ? std::pair<std::uint64_t, std::uint64_t>(0, first + same_head)
              : std::pair<std::uint64_t, std::uint64_t>(first, count);
  const std::uint64_t prefix = leaf.prefix_size.load(std::memory_order_relaxed);
  if (prefix == 0) {
    return found;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t word = BaseSlots(leaf)[(first + i) % count].load(std::memory_order_acquire);
    const versions::RecordView any = SlotIsClosed(word)
                                         ? versions::RecordView()
                                         : versions::ViewRecord(region_, SlotOffset(word));
    if (!any.valid() || any.key.size() < prefix) {
      continue;
    }
    const int order =
        std::string_view(cursor.bound).substr(0, prefix).compare(any.key.substr(0, prefix));
    if (order == 0) {
      return found;
    }
    return {0, (order < 0) == reverse ? 0 : count};  // All of the base is on one side of the bound.
  }
  return {0, count};
}

void TreeShape::PrefetchLeaf(std::uint64_t offset) const {
  constexpr std::uint64_t kLine = 64;
  constexpr std::uint64_t kLines = 16;  // The lines of a leaf of the usual size.
  const std::byte* const leaf = region_.At(offset, kLines * kLine, alignof(Leaf));
  for (std::uint64_t i = 0; i < kLines && leaf != nullptr; ++i) {
    __builtin_prefetch(leaf + i * kLine);
  }
}

void TreeShape::PrefetchNext(const Path& path, bool reverse) const {
  if (path.empty()) {
    return;
  }
  const Step& above = path.back();
  const std::uint64_t index = reverse ? above.index - 1 : above.index + 1;
  if (index < above.node->head.capacity) {
    PrefetchLeaf(Children(*above.node)[index].load(std::memory_order_relaxed));
  }
}

absl::Status TreeShape::ReadAppended(Leaf& leaf, bool reverse, const ScanCursor& cursor,
                                     LeafKeys* keys) const {
  for (std::uint64_t i = 0; i < leaf.append; ++i) {
    const std::uint64_t word = AppendSlots(leaf)[i].load(std::memory_order_acquire) & ~kSlotFrozen;
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
    if (InScan(view.key, reverse, cursor)) {
      keys->push_back({view.key, word});
    }
  }
  std::stable_sort(keys->begin(), keys->end(),
                   [](const LeafKey& a, const LeafKey& b) { return a.key < b.key; });
  KeepLaterOnes(0, keys);
  if (reverse) {
    std::reverse(keys->begin(), keys->end());
  }
  return absl::OkStatus();
}

// The words of the base are read before those of the append area: a key that goes from the append
// area to the base meanwhile is seen twice, not missed, and the later one counts.
absl::Status TreeShape::ReadLeaf(Leaf& leaf, bool reverse, const ScanCursor& cursor,
                                 LeafScan* scan) const {
  const auto [first, end] = BaseInScan(leaf, reverse, cursor);
  for (std::uint64_t i = first; i < end; ++i) {
    const std::uint64_t word = BaseSlots(leaf)[i].load(std::memory_order_acquire) & ~kSlotFrozen;
    if (word != 0 && !SlotIsClosed(word)) {
      scan->base.push_back(word);
    }
  }
  if (reverse) {
    std::reverse(scan->base.begin(), scan->base.end());
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(kAhead, scan->base.size()); ++i) {
    PrefetchRecord(scan->base[i]);
  }
  for (std::uint64_t i = 0; i < leaf.append; ++i) {
    PrefetchRecord(AppendSlots(leaf)[i].load(std::memory_order_relaxed));
  }
  return ReadAppended(leaf, reverse, cursor, &scan->appended);
}

base::Result TreeShape::AddLive(versions::RecordView view, const versions::AsOf& as_of,
                                Views* views) const {
  versions::ResolveCommit(region_, view.record->commit);
  COMMY_TRY(chains_.ToVersionAsOf(as_of, &view));
  if (chains_.IsLive(view, as_of)) {
    views->push_back(view);
  }
  return base::Outcome::kDone;
}

base::Result TreeShape::CollectLive(Leaf& leaf, const versions::AsOf& as_of, bool reverse,
                                    const ScanCursor& cursor, Views* views) const {
  LeafScan scan;
  COMMY_RETURN_IF_ERROR(ReadLeaf(leaf, reverse, cursor, &scan));
  const LeafKey* added = scan.appended.data();
  const LeafKey* const added_end = added + scan.appended.size();
  bool begun = false;
  for (std::size_t i = 0; i < scan.base.size() && views->size() < cursor.limit; ++i) {
    if (i + kAhead < scan.base.size()) {
      PrefetchRecord(scan.base[i + kAhead]);
    }
    const versions::RecordView view = versions::ViewRecord(region_, SlotOffset(scan.base[i]));
    if (!view.valid()) {
      return Damaged("a record", SlotOffset(scan.base[i]));
    }
    __builtin_prefetch(view.value.data() + view.value.size());  // Perhaps a fourth line.
    begun = begun || InScan(view.key, reverse, cursor);
    if (!begun) {
      continue;  // The first ones may have the bound's head and be on the other side.
    }
    int order = 1;
    while (added != added_end && (order = added->key.compare(view.key)) != 0 &&
           (order > 0) == reverse) {
      COMMY_TRY(AddLive(versions::ViewRecord(region_, SlotOffset((added++)->word)), as_of, views));
      order = 1;
    }
    if (added == added_end || order != 0) {
      COMMY_TRY(AddLive(view, as_of, views));
    }  // Else the later one comes next.
  }
  for (; added != added_end && views->size() < cursor.limit; ++added) {
    COMMY_TRY(AddLive(versions::ViewRecord(region_, SlotOffset(added->word)), as_of, views));
  }
  return base::Outcome::kDone;
}

std::uint64_t TreeShape::UpperBound(const Path& path) {
  for (std::size_t depth = path.size(); depth > 0; --depth) {
    const Step& step = path[depth - 1];
    if (step.index + 1 < step.node->head.capacity) {
      return Separators(*step.node)[step.index].load(std::memory_order_acquire);
    }
  }
  return 0;
}

absl::StatusOr<bool> TreeShape::MoveBehind(const LeafRef& at, std::string_view key, bool reverse,
                                           ScanCursor* cursor) const {
  if (!InScan(key, reverse, *cursor)) {
    return Damaged("a leaf", at.offset);  // A walk over a damaged leaf could go on for ever.
  }
  cursor->open = false;
  cursor->bound.assign(key);
  if (!reverse) {
    cursor->bound.push_back('\0');
  }
  cursor->inside = true;
  return true;
}

base::Result TreeShape::Scan(const IndexRoot& root, const versions::AsOf& as_of, bool reverse,
                             ScanCursor* cursor,
                             absl::FunctionRef<bool(const versions::RecordView&)> use,
                             bool* more) const {
  const Seek to_bound = reverse ? Seek::kBefore : Seek::kAt;
  const Seek to_end = reverse ? Seek::kLast : Seek::kFirst;
  const Seek seek = cursor->open ? to_end : to_bound;
  Path path;
  COMMY_ASSIGN_OR_RETURN(const LeafRef at, Descend(root, seek, cursor->bound, &path));
  if (at.leaf == nullptr) {
    return base::Outcome::kAgain;
  }
  if (cursor->inside) {
    PrefetchLeaf(at.offset);
  }
  const std::uint64_t next = reverse ? at.leaf->head.low : UpperBound(path);
  std::string_view bound;
  COMMY_ASSIGN_OR_RETURN(const bool behind, SeparatorAt(next, &bound));
  if (!behind && next != 0) {
    return base::Outcome::kAgain;  // Being reclaimed.
  }
  if (behind && !cursor->open && (reverse ? bound >= cursor->bound : bound <= cursor->bound)) {
    return Damaged("a separator", next);  // A walk over a damaged tree could go on for ever.
  }
  PrefetchNext(path, reverse);
  Views views;
  COMMY_TRY(CollectLive(*at.leaf, as_of, reverse, *cursor, &views));
  if (!std::all_of(views.begin(), views.end(), use)) {
    *more = false;
    return base::Outcome::kDone;
  }
  if (!views.empty() && views.size() >= cursor->limit) {
    COMMY_ASSIGN_OR_RETURN(*more, MoveBehind(at, views.back().key, reverse, cursor));
    return base::Outcome::kDone;
  }
  cursor->open = false;
  cursor->bound.assign(bound);
  cursor->inside = false;
  *more = behind;
  return base::Outcome::kDone;
}

}  // namespace commy::index
