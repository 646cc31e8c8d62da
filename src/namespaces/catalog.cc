#include "namespaces/catalog.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/status.h"
#include "versions/chain.h"

namespace commy::namespaces {
namespace {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

absl::StatusOr<Catalog::RootView> Catalog::ReadRoot() const {
  // See Publisher::Catalog.
  const std::uint64_t offset = region_.header().catalog_root.load(std::memory_order_acquire);
  if (offset == 0) {
    return RootView();
  }
  std::optional<RootView> view = ReadCatalogRoot(
      offset, [this](std::uint64_t at, std::uint64_t size) { return region_.At(at, size, 8); });
  if (!view.has_value()) {
    return base::DataLoss(region_.path(), ": the catalog's root at ", base::Hex(offset),
                          " is damaged; `commy recover` saves what verifies");
  }
  return *std::move(view);
}

absl::StatusOr<Catalog::NodeView> Catalog::ReadNode(std::uint64_t offset) const {
  std::optional<NodeView> view = ReadCatalogNode(
      offset, [this](std::uint64_t at, std::uint64_t size) { return region_.At(at, size, 8); });
  if (!view.has_value()) {
    return base::DataLoss(region_.path(), ": the catalog's node at ", base::Hex(offset),
                          " is damaged; `commy recover` saves what verifies");
  }
  return *std::move(view);
}

absl::StatusOr<std::uint64_t> Catalog::Find(std::string_view path) const {
  COMMY_ASSIGN_OR_RETURN(const RootView root, ReadRoot());
  std::uint64_t offset = root.node;
  for (std::uint64_t step = 0; step <= kCatalogLevelMax && offset != 0; ++step) {
    COMMY_ASSIGN_OR_RETURN(const NodeView node, ReadNode(offset));
    const auto after = std::upper_bound(
        node.entries.begin(), node.entries.end(), path,
        [](std::string_view wanted, const auto& entry) { return wanted < entry.first; });
    if (after == node.entries.begin()) {
      return 0;
    }
    const auto& at = *std::prev(after);
    if (node.level == 0) {
      return at.first == path ? at.second : 0;
    }
    offset = at.second;
  }
  return 0;
}

absl::StatusOr<bool> Catalog::Visit(
    std::uint64_t offset, std::uint64_t level_limit, std::string_view prefix,
    absl::FunctionRef<bool(std::string_view, std::uint64_t)> visit) const {
  COMMY_ASSIGN_OR_RETURN(const NodeView node, ReadNode(offset));
  if (node.level > level_limit) {
    return base::DataLoss(region_.path(), ": the catalog's node at ", base::Hex(offset),
                          " is on the wrong level");
  }
  for (std::size_t i = 0; i < node.entries.size(); ++i) {
    const auto& [path, value] = node.entries[i];
    if (node.level == 0) {
      if (StartsWith(path, prefix) && !visit(path, value)) {
        return false;
      }
      continue;
    }
    // A child holds the paths from its own first one up to the next child's.
    const bool before = i + 1 < node.entries.size() && node.entries[i + 1].first <= prefix;
    const bool behind = path > prefix && !StartsWith(path, prefix);
    if (before) {
      continue;
    }
    if (behind) {
      break;
    }
    COMMY_ASSIGN_OR_RETURN(const bool go_on, Visit(value, node.level - 1, prefix, visit));
    if (!go_on) {
      return false;
    }
  }
  return true;
}

absl::Status Catalog::ForEach(
    std::string_view prefix, absl::FunctionRef<bool(std::string_view, std::uint64_t)> visit) const {
  COMMY_ASSIGN_OR_RETURN(const RootView root, ReadRoot());
  return VisitAll(root, prefix, visit);
}

absl::Status Catalog::VisitAll(
    const RootView& root, std::string_view prefix,
    absl::FunctionRef<bool(std::string_view, std::uint64_t)> visit) const {
  if (root.node == 0) {
    return absl::OkStatus();
  }
  // Paths ascend over the whole walk; a damaged file could lead it through one node many times.
  std::string last;
  bool first = true;
  absl::Status order;
  const auto in_order = [&](std::string_view path, std::uint64_t object) {
    if (!first && path <= last) {
      order = base::DataLoss(
          region_.path(), ": the catalog is out of order; `commy recover` saves ", "what verifies");
      return false;
    }
    first = false;
    last = path;
    return visit(path, object);
  };
  COMMY_RETURN_IF_ERROR(Visit(root.node, kCatalogLevelMax, prefix, in_order).status());
  return order;
}

absl::StatusOr<std::vector<std::uint64_t>> Catalog::Dropped() const {
  COMMY_ASSIGN_OR_RETURN(RootView root, ReadRoot());
  return std::move(root.dropped);
}

absl::Status Catalog::WalkNodes(std::uint64_t offset, std::uint64_t level_limit,
                                std::string* last_path,
                                absl::FunctionRef<void(std::uint64_t)> visit) const {
  COMMY_ASSIGN_OR_RETURN(const NodeView node, ReadNode(offset));
  if (node.level > level_limit) {
    return base::DataLoss(region_.path(), ": the catalog's node at ", base::Hex(offset),
                          " is on the wrong level");
  }
  visit(offset);
  if (node.level == 0) {
    if (!last_path->empty() && node.entries.front().first <= *last_path) {
      return base::DataLoss(region_.path(), ": the catalog is out of order at ", base::Hex(offset));
    }
    *last_path = node.entries.back().first;
    return absl::OkStatus();
  }
  for (const auto& [path, value] : node.entries) {
    COMMY_RETURN_IF_ERROR(WalkNodes(value, node.level - 1, last_path, visit));
  }
  return absl::OkStatus();
}

absl::Status Catalog::WalkBlocks(absl::FunctionRef<void(BlockKind, std::uint64_t)> visit) const {
  COMMY_ASSIGN_OR_RETURN(const RootView root, ReadRoot());
  if (root.offset != 0) {
    visit(BlockKind::kCatalogRoot, root.offset);
  }
  if (root.node == 0) {
    return absl::OkStatus();
  }
  std::string last_path;
  return WalkNodes(root.node, kCatalogLevelMax, &last_path,
                   [&](std::uint64_t offset) { visit(BlockKind::kCatalogNode, offset); });
}

absl::StatusOr<bool> Catalog::IsReachable(BlockKind kind, std::uint64_t offset) const {
  COMMY_ASSIGN_OR_RETURN(const RootView root, ReadRoot());
  if (kind == BlockKind::kCatalogRoot) {
    return root.offset == offset;
  }
  bool found = false;
  if (kind == BlockKind::kCatalogNode) {
    COMMY_RETURN_IF_ERROR(
        WalkBlocks([&](BlockKind, std::uint64_t block) { found |= block == offset; }));
    return found;
  }
  if (std::find(root.dropped.begin(), root.dropped.end(), offset) != root.dropped.end()) {
    return true;
  }
  // Of the same root: a drop moves an object from the names to the dropped ones by one change of
  // it.
  COMMY_RETURN_IF_ERROR(VisitAll(root, "", [&](std::string_view, std::uint64_t object) {
    found |= object == offset;
    return !found;
  }));
  return found;
}

base::Result Catalog::Change(Operation& op, alloc::Purpose purpose,
                             absl::FunctionRef<base::Result(CatalogEdit&)> change) {
  const std::uint32_t first_note = op.notes_used();
  while (true) {
    CatalogEdit edit(*this, purpose);
    COMMY_TRY(edit.Load());
    COMMY_TRY(change(edit));
    const std::uint64_t old_root = edit.root_view_.offset;
    absl::StatusOr<std::uint64_t> made = edit.WriteTree(op);
    bool published = false;
    if (made.ok()) {
      for (const std::uint64_t node : edit.replaced_) {
        op.AddNote(BlockNote(BlockKind::kCatalogNode, node));
      }
      op.AddNote(BlockNote(BlockKind::kCatalogRoot, old_root));
      COMMY_DCHECK(versions::IsNoted(op, *made));  // O1
      published = publisher_.Catalog(old_root, *made);
    }
    // The blocks that lost their place, or never got one.
    for (const std::uint64_t block : published ? edit.replaced_ : edit.written_) {
      allocator_.Retire(op, block);
    }
    if (published && old_root != 0) {
      allocator_.Retire(op, old_root);
    }
    op.DropNotes(first_note);
    if (published || !made.ok()) {
      return made.status();
    }
  }
}

}  // namespace commy::namespaces
