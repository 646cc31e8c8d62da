#include "sequences/tree.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace commy::sequences {
namespace {

// The entry that has the element, and the elements before it. Requires: it is in one of them.
std::size_t EntryOf(const std::vector<Entry>& entries, std::uint64_t* index) {
  std::size_t i = 0;
  while (i + 1 < entries.size() && *index >= entries[i].count) {
    *index -= entries[i].count;
    ++i;
  }
  return i;
}

// Without copying the entries, for a root that is read in place.
bool EntryIn(std::string_view entries, std::uint64_t* index, Entry* found) {
  for (std::size_t at = 0; at + sizeof(Entry) <= entries.size(); at += sizeof(Entry)) {
    std::memcpy(static_cast<void*>(found), entries.data() + at, sizeof(Entry));
    if (*index < found->count) {
      return true;
    }
    *index -= found->count;
  }
  return false;
}

std::uint64_t CountOf(const std::vector<Entry>& entries) {
  std::uint64_t count = 0;
  for (const Entry& entry : entries) {
    count += entry.count;
  }
  return count;
}

}  // namespace

absl::Status FindInTree(NodeReader& reader, std::string_view root_entries, std::uint32_t height,
                        std::uint64_t index, absl::FunctionRef<void(const ElementRun&)> use) {
  Entry entry;
  if (!EntryIn(root_entries, &index, &entry)) {
    return base::DataLoss("the root of the sequence is damaged");
  }
  for (std::uint32_t level = height; level > 0; --level) {
    bool found = false;
    const std::uint64_t parent = entry.id;
    COMMY_ASSIGN_OR_RETURN(const bool there,
                           reader.Read(NodeKey(parent).view(), [&](std::string_view bytes) {
                             found = EntryIn(bytes, &index, &entry);
                           }));
    if (!there) {
      return Moved();
    }
    if (!found) {
      return DamagedNode(parent);
    }
  }
  bool damaged = false;
  COMMY_RETURN_IF_ERROR(ReadLeaf(reader, entry, [&](const ElementRun& leaf) {
    const std::optional<ElementRun> rest = Slice(leaf, index, leaf.count);
    damaged = !rest.has_value() || rest->count == 0;
    if (!damaged) {
      use(*rest);
    }
  }));
  return damaged ? DamagedNode(entry.id) : absl::OkStatus();
}

void Tree::Set(std::vector<Entry> entries, std::uint32_t height, std::uint64_t next_node) {
  entries_ = std::move(entries);
  height_ = height;
  next_node_ = next_node;
  count_ = CountOf(entries_);
}

absl::Status Tree::Find(std::uint64_t index, absl::FunctionRef<void(const ElementRun&)> use) const {
  COMMY_DCHECK(index < count_);
  Entry entry = entries_[EntryOf(entries_, &index)];
  for (std::uint32_t level = height_; level > 0; --level) {
    COMMY_ASSIGN_OR_RETURN(const Entries children, nodes_.Inner(entry));
    entry = children[EntryOf(children, &index)];
  }
  return nodes_.WithLeaf(entry, [&](const ElementRun& leaf) {
    use(*Slice(leaf, index, leaf.count));  // ReadLeaf() has looked at the whole leaf.
  });
}

absl::Status Tree::LeafAt(bool back, absl::FunctionRef<void(const ElementRun&)> use) const {
  COMMY_DCHECK(count_ > 0);
  Entry entry = back ? entries_.back() : entries_.front();
  for (std::uint32_t level = height_; level > 0; --level) {
    COMMY_ASSIGN_OR_RETURN(const Entries children, nodes_.Inner(entry));
    entry = back ? children.back() : children.front();
  }
  return nodes_.WithLeaf(entry, use);
}

absl::Status Tree::Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert,
                          bool lasting) {
  COMMY_DCHECK(at + erase <= count_);
  if (erase == 0 && insert.count == 0) {
    return absl::OkStatus();
  }
  const Change change{at, erase, insert, lasting};
  COMMY_RETURN_IF_ERROR(SpliceIn(height_, entries_, change));
  count_ = count_ - erase + insert.count;
  COMMY_DCHECK(count_ == CountOf(entries_));
  while (entries_.size() > sizes_.root_entries) {
    if (height_ == kHeightMax) {
      return base::ResourceExhausted("the sequence has no room for more elements");
    }
    entries_ = MakeInner(entries_);
    ++height_;
  }
  return LowerTop();
}

absl::Status Tree::LowerTop() {
  if (entries_.empty()) {
    height_ = 0;
  }
  while (height_ > 0 && entries_.size() == 1) {
    const Entry top = entries_[0];
    COMMY_ASSIGN_OR_RETURN(Entries children, nodes_.Inner(top));
    if (children.size() > sizes_.root_entries) {
      break;
    }
    COMMY_RETURN_IF_ERROR(nodes_.Drop(top.id));
    entries_ = std::move(children);
    --height_;
  }
  return absl::OkStatus();
}

Tree::Span Tree::Touched(const Entries& entries, std::uint64_t at, std::uint64_t erase) {
  Span span;
  // Of two neighbors an insertion between them goes to the first.
  while (span.first + 1 < entries.size() &&
         (erase == 0 ? at > span.before + entries[span.first].count
                     : at >= span.before + entries[span.first].count)) {
    span.before += entries[span.first].count;
    ++span.first;
  }
  span.last = span.first;
  span.before_last = span.before;
  while (span.last + 1 < entries.size() &&
         at + erase > span.before_last + entries[span.last].count) {
    span.before_last += entries[span.last].count;
    ++span.last;
  }
  return span;
}

void Tree::Replace(Entries& entries, const Span& span, const Entries& by) {
  const auto first = entries.begin() + static_cast<std::ptrdiff_t>(span.first);
  const auto end = entries.begin() + static_cast<std::ptrdiff_t>(span.last) + 1;
  entries.insert(entries.erase(first, end), by.begin(), by.end());
}

absl::Status Tree::SpliceIn(std::uint32_t level, Entries& entries, const Change& change) {
  if (entries.empty()) {
    entries =
        MakeLeaves(change.insert,
                   change.insert.bytes.size() >= 4 * sizes_.leaf_bytes ? sizes_.bulk_leaf_bytes
                                                                       : sizes_.leaf_bytes,
                   change.lasting);
    return absl::OkStatus();
  }
  return level == 0 ? SpliceLeaves(entries, change) : SpliceInner(level, entries, change);
}

absl::Status Tree::SpliceLeaves(Entries& entries, const Change& change) {
  Span span = Touched(entries, change.at, change.erase);
  const std::uint64_t bulk = change.insert.bytes.size() >= 4 * sizes_.leaf_bytes
                                 ? sizes_.bulk_leaf_bytes
                                 : sizes_.leaf_bytes;
  const Entry first = entries[span.first];
  const std::uint64_t offset = change.at - span.before;
  // Beside a leaf that is full anyway, many elements make leaves of their own.
  if (change.erase == 0 && (offset == 0 || offset == first.count) &&
      change.insert.bytes.size() >= sizes_.leaf_bytes / 4 &&
      first.bytes + change.insert.bytes.size() > sizes_.leaf_bytes) {
    const Entries made = MakeLeaves(change.insert, bulk, change.lasting);
    entries.insert(
        entries.begin() + static_cast<std::ptrdiff_t>(span.first + (offset != 0 ? 1 : 0)),
        made.begin(), made.end());
    return absl::OkStatus();
  }
  RunBuilder run;
  const std::uint64_t end = change.at + change.erase - span.before_last;
  const auto append = [&](const Entry& entry, std::uint64_t from, std::uint64_t count) {
    return nodes_.WithLeaf(entry,
                           [&](const ElementRun& leaf) { run.Append(*Slice(leaf, from, count)); });
  };
  if (offset > 0) {
    COMMY_RETURN_IF_ERROR(append(first, 0, offset));
  }
  run.Append(change.insert);
  if (const Entry& last = entries[span.last]; end < last.count) {
    COMMY_RETURN_IF_ERROR(append(last, end, last.count - end));
  }
  COMMY_RETURN_IF_ERROR(MergeLeaves(entries, &span, &run));
  for (std::size_t i = span.first; i <= span.last; ++i) {
    COMMY_RETURN_IF_ERROR(nodes_.Drop(entries[i].id));
  }
  Replace(entries, span, MakeLeaves(run.run(), bulk, false));
  return absl::OkStatus();
}

// A small leaf takes in a neighbor with which it fits into one.
absl::Status Tree::MergeLeaves(const Entries& entries, Span* span, RunBuilder* run) {
  if (run->count() == 0 || run->size_bytes() >= sizes_.leaf_bytes / 4) {
    return absl::OkStatus();
  }
  const auto fits = [&](const Entry& entry) {
    return entry.bytes + run->size_bytes() <= sizes_.leaf_bytes;
  };
  if (span->first > 0 && fits(entries[span->first - 1])) {
    --span->first;
    COMMY_ASSIGN_OR_RETURN(RunBuilder merged, nodes_.Leaf(entries[span->first]));
    merged.Append(run->run());
    *run = std::move(merged);
  } else if (span->last + 1 < entries.size() && fits(entries[span->last + 1])) {
    ++span->last;
    COMMY_ASSIGN_OR_RETURN(const RunBuilder next, nodes_.Leaf(entries[span->last]));
    run->Append(next.run());
  }
  return absl::OkStatus();
}

absl::Status Tree::SpliceInner(std::uint32_t level, Entries& entries, const Change& change) {
  Span span = Touched(entries, change.at, change.erase);
  COMMY_ASSIGN_OR_RETURN(Entries children, nodes_.Inner(entries[span.first]));
  std::uint64_t erase = change.erase;
  if (span.last != span.first) {
    for (std::size_t i = span.first + 1; i < span.last; ++i) {
      COMMY_RETURN_IF_ERROR(DropBelow(level - 1, entries[i]));
      erase -= entries[i].count;
    }
    COMMY_ASSIGN_OR_RETURN(const Entries more, nodes_.Inner(entries[span.last]));
    children.insert(children.end(), more.begin(), more.end());
  }
  COMMY_RETURN_IF_ERROR(SpliceIn(level - 1, children,
                                 {change.at - span.before, erase, change.insert, change.lasting}));
  if (!children.empty() && children.size() < sizes_.node_entries / 4) {
    if (span.first > 0) {
      --span.first;
      COMMY_ASSIGN_OR_RETURN(Entries merged, nodes_.Inner(entries[span.first]));
      merged.insert(merged.end(), children.begin(), children.end());
      children = std::move(merged);
    } else if (span.last + 1 < entries.size()) {
      ++span.last;
      COMMY_ASSIGN_OR_RETURN(const Entries next, nodes_.Inner(entries[span.last]));
      children.insert(children.end(), next.begin(), next.end());
    }
  }
  for (std::size_t i = span.first; i <= span.last; ++i) {
    COMMY_RETURN_IF_ERROR(nodes_.Drop(entries[i].id));
  }
  Replace(entries, span, MakeInner(children));
  return absl::OkStatus();
}

// The nodes below an inner node, or nothing of a leaf. The node itself is dropped by the caller.
absl::Status Tree::DropBelow(std::uint32_t level, const Entry& entry) {
  COMMY_ASSIGN_OR_RETURN(const Entries children, nodes_.Inner(entry));
  for (const Entry& child : children) {
    if (level > 0) {
      COMMY_RETURN_IF_ERROR(DropBelow(level - 1, child));
    }
    COMMY_RETURN_IF_ERROR(nodes_.Drop(child.id));
  }
  return absl::OkStatus();
}

Tree::Entries Tree::MakeLeaves(const ElementRun& run, std::uint64_t leaf_bytes, bool lasting) {
  Entries made;
  if (run.count == 0) {
    return made;
  }
  // Leaves of about the same size.
  const std::uint64_t leaves = (run.bytes.size() + leaf_bytes - 1) / leaf_bytes;
  const std::uint64_t each = (run.bytes.size() + leaves - 1) / leaves;
  ElementRun rest = run;
  while (rest.count > 0) {
    std::uint64_t take = 0;
    std::uint64_t bytes = 0;
    if (rest.width != 0) {
      const std::uint64_t up = (each + rest.width - 1) / rest.width;
      take = up * rest.width <= leaf_bytes ? up : each / rest.width;
      take = std::min(std::max<std::uint64_t>(take, 1), rest.count);
      bytes = take * rest.width;
    } else {
      while (take < rest.count) {
        const std::uint64_t one = *OffsetOf({0, 1, rest.bytes.substr(bytes)}, 1);
        if (take > 0 && bytes + one > each) {
          break;
        }
        bytes += one;
        ++take;
      }
    }
    const std::uint64_t id = next_node_++;
    nodes_.Add(id, rest.bytes.substr(0, bytes), lasting);
    made.push_back({id, take,
                    static_cast<std::uint32_t>(
                        std::min<std::uint64_t>(bytes, std::numeric_limits<std::uint32_t>::max())),
                    rest.width == 0 ? 1U : 0U});
    rest = {rest.width, rest.count - take, rest.bytes.substr(bytes)};
  }
  return made;
}

Tree::Entries Tree::MakeInner(const Entries& children) {
  Entries made;
  const std::size_t nodes = (children.size() + sizes_.node_entries - 1) / sizes_.node_entries;
  std::size_t done = 0;
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::size_t end = children.size() * (i + 1) / nodes;
    const Entries part(children.begin() + static_cast<std::ptrdiff_t>(done),
                       children.begin() + static_cast<std::ptrdiff_t>(end));
    const std::uint64_t id = next_node_++;
    nodes_.Add(id, BytesOf(part), false);
    made.push_back({id, CountOf(part), 0, 0});
    done = end;
  }
  return made;
}

}  // namespace commy::sequences
