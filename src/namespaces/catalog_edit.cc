// Making a changed copy of the catalog.
#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/status.h"
#include "namespaces/catalog.h"

namespace commy::namespaces {
namespace {

using process::Operation;
using region::BlockKind;

constexpr std::size_t kNodeBytesWanted = 8192;

}  // namespace

absl::Status CatalogEdit::Load() {
  COMMY_DCHECK(!loaded_);
  COMMY_ASSIGN_OR_RETURN(root_view_, catalog_.ReadRoot());
  count_ = root_view_.count;
  dropped_ = root_view_.dropped;
  if (root_view_.node != 0) {
    COMMY_ASSIGN_OR_RETURN(root_, ReadNode(root_view_.node, kCatalogLevelMax));
  }
  loaded_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CatalogEdit::Node>> CatalogEdit::ReadNode(
    std::uint64_t offset, std::uint64_t level_limit) {
  COMMY_ASSIGN_OR_RETURN(const Catalog::NodeView view, catalog_.ReadNode(offset));
  if (view.level > level_limit || view.entries.empty()) {
    return base::DataLoss(catalog_.region_.path(), ": the catalog's node at ", base::Hex(offset),
                          " is on the wrong level or empty");
  }
  auto node = std::make_unique<Node>();
  node->level = view.level;
  node->offset = offset;
  for (const auto& [path, value] : view.entries) {
    node->entries.push_back({std::string(path), value, nullptr});
  }
  return node;
}

absl::StatusOr<CatalogEdit::Node*> CatalogEdit::Descend(std::string_view path, bool change) {
  COMMY_DCHECK(loaded_ && root_ != nullptr);
  Node* node = root_.get();
  while (true) {
    if (change && !node->changed) {
      node->changed = true;
      if (node->offset != 0) {
        replaced_.push_back(node->offset);
      }
    }
    if (node->level == 0) {
      return node;
    }
    auto after = std::upper_bound(
        node->entries.begin(), node->entries.end(), path,
        [](std::string_view wanted, const Node::Entry& entry) { return wanted < entry.path; });
    Node::Entry& at = after == node->entries.begin() ? *after : *std::prev(after);
    if (at.child == nullptr) {
      COMMY_ASSIGN_OR_RETURN(at.child, ReadNode(at.value, node->level - 1));
    }
    node = at.child.get();
  }
}

absl::StatusOr<std::uint64_t> CatalogEdit::Find(std::string_view path) {
  if (root_ == nullptr) {
    return 0;
  }
  COMMY_ASSIGN_OR_RETURN(const Node* leaf, Descend(path, /*change=*/false));
  for (const Node::Entry& entry : leaf->entries) {
    if (entry.path == path) {
      return entry.value;
    }
  }
  return 0;
}

absl::Status CatalogEdit::Insert(std::string_view path, std::uint64_t object) {
  COMMY_DCHECK(loaded_ && object != 0);
  COMMY_DCHECK(!path.empty() && path.size() <= kCatalogPathBytesMax);
  if (root_ == nullptr) {
    root_ = std::make_unique<Node>();
    root_->changed = true;
  }
  COMMY_ASSIGN_OR_RETURN(Node * leaf, Descend(path, /*change=*/true));
  const auto place = std::lower_bound(
      leaf->entries.begin(), leaf->entries.end(), path,
      [](const Node::Entry& entry, std::string_view wanted) { return entry.path < wanted; });
  COMMY_DCHECK(place == leaf->entries.end() || place->path != path);
  leaf->entries.insert(place, {std::string(path), object, nullptr});
  ++count_;
  return absl::OkStatus();
}

absl::Status CatalogEdit::Erase(std::string_view path) {
  COMMY_ASSIGN_OR_RETURN(Node * leaf, Descend(path, /*change=*/true));
  std::erase_if(leaf->entries, [path](const Node::Entry& entry) { return entry.path == path; });
  --count_;
  DropEmpty(*root_);
  if (root_->entries.empty()) {
    root_ = nullptr;
  }
  return absl::OkStatus();
}

void CatalogEdit::DropEmpty(Node& node) {
  if (node.level == 0) {
    return;
  }
  for (Node::Entry& entry : node.entries) {
    if (entry.child != nullptr && entry.child->changed) {
      DropEmpty(*entry.child);
    }
  }
  std::erase_if(node.entries, [](const Node::Entry& entry) {
    return entry.child != nullptr && entry.child->entries.empty();
  });
}

absl::StatusOr<std::string> CatalogEdit::PathOf(std::uint64_t object) const {
  std::string found;
  COMMY_RETURN_IF_ERROR(catalog_.ForEach("", [&](std::string_view path, std::uint64_t value) {
    if (value == object) {
      found = path;
    }
    return found.empty();
  }));
  return found;
}

absl::StatusOr<std::uint64_t> CatalogEdit::WriteBlock(Operation& op, std::uint64_t level,
                                                      std::size_t begin, std::size_t end,
                                                      const std::vector<Node::Entry>& entries) {
  COMMY_DCHECK(begin < end && end - begin <= kCatalogEntriesMax);
  std::string bytes(sizeof(CatalogNode) + (end - begin) * sizeof(CatalogEntry), '\0');
  for (std::size_t i = begin; i < end; ++i) {
    const CatalogEntry entry{static_cast<std::uint32_t>(bytes.size()),
                             static_cast<std::uint32_t>(entries[i].path.size()), entries[i].value};
    bytes.replace(sizeof(CatalogNode) + (i - begin) * sizeof(entry), sizeof(entry),
                  reinterpret_cast<const char*>(&entry), sizeof(entry));
    bytes += entries[i].path;
  }
  CatalogNode head{level, end - begin, bytes.size(), 0};
  head.checksum = base::Checksum(bytes.data() + sizeof(head), bytes.size() - sizeof(head)) ^
                  base::Checksum(&head, offsetof(CatalogNode, checksum));
  bytes.replace(0, sizeof(head), reinterpret_cast<const char*>(&head), sizeof(head));
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      catalog_.allocator_.Allocate(op, BlockKind::kCatalogNode, bytes.size(), purpose_));
  written_.push_back(offset);
  std::byte* const block = catalog_.region_.At(offset, bytes.size(), 8);
  if (block == nullptr) {
    return base::DataLoss(catalog_.region_.path(), ": no block at ", base::Hex(offset));
  }
  base::CopyIn(block, bytes.data(), bytes.size());
  return offset;
}

absl::Status CatalogEdit::WriteNode(Operation& op, Node& node,
                                    std::vector<std::pair<std::string, std::uint64_t>>* made) {
  std::vector<Node::Entry> entries;
  for (Node::Entry& entry : node.entries) {
    if (entry.child == nullptr || !entry.child->changed) {
      entries.push_back({std::move(entry.path), entry.value, nullptr});
      continue;
    }
    std::vector<std::pair<std::string, std::uint64_t>> pieces;
    COMMY_RETURN_IF_ERROR(WriteNode(op, *entry.child, &pieces));
    for (auto& [path, offset] : pieces) {
      entries.push_back({std::move(path), offset, nullptr});
    }
  }
  // Into as few pieces as fit, of about the same number of entries.
  std::size_t bytes = 0;
  for (const Node::Entry& entry : entries) {
    bytes += sizeof(CatalogEntry) + entry.path.size();
  }
  const std::size_t pieces =
      std::max<std::size_t>({(entries.size() + kCatalogEntriesMax - 1) / kCatalogEntriesMax,
                             (bytes + kNodeBytesWanted - 1) / kNodeBytesWanted, 1});
  const std::size_t each = (entries.size() + pieces - 1) / pieces;
  for (std::size_t begin = 0; begin < entries.size(); begin += each) {
    const std::size_t end = std::min(begin + each, entries.size());
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                           WriteBlock(op, node.level, begin, end, entries));
    made->emplace_back(entries[begin].path, offset);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> CatalogEdit::WriteTree(Operation& op) {
  std::uint64_t top = root_view_.node;
  if (root_ == nullptr) {
    top = 0;
  } else if (root_->changed) {
    std::uint64_t level = root_->level;
    std::vector<std::pair<std::string, std::uint64_t>> made;
    COMMY_RETURN_IF_ERROR(WriteNode(op, *root_, &made));
    while (made.size() > 1) {
      Node above;
      above.level = ++level;
      for (auto& [path, offset] : made) {
        above.entries.push_back({std::move(path), offset, nullptr});
      }
      made.clear();
      COMMY_RETURN_IF_ERROR(WriteNode(op, above, &made));
    }
    COMMY_DCHECK(made.size() == 1);
    top = made.front().second;
  }
  std::string bytes(sizeof(CatalogRoot), '\0');
  for (const std::uint64_t object : dropped_) {
    bytes.append(reinterpret_cast<const char*>(&object), sizeof(object));
  }
  CatalogRoot head{top, count_, dropped_.size(), 0};
  head.checksum = base::Checksum(bytes.data() + sizeof(head), bytes.size() - sizeof(head)) ^
                  base::Checksum(&head, offsetof(CatalogRoot, checksum));
  bytes.replace(0, sizeof(head), reinterpret_cast<const char*>(&head), sizeof(head));
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      catalog_.allocator_.Allocate(op, BlockKind::kCatalogRoot, bytes.size(), purpose_));
  written_.push_back(offset);
  std::byte* const block = catalog_.region_.At(offset, bytes.size(), 8);
  if (block == nullptr) {
    return base::DataLoss(catalog_.region_.path(), ": no block at ", base::Hex(offset));
  }
  base::CopyIn(block, bytes.data(), bytes.size());
  return offset;
}

}  // namespace commy::namespaces
