// The names of namespaces: a map from paths to namespace objects that changes by one CAS.
//
// The catalog is a tree of immutable nodes under one root block, which the header's catalog_root
// word names. A change copies the nodes on its way and a new root block, and publishes them by one
// CAS of that word; create, drop and rename are one such change each. The root block also lists the
// objects of dropped namespaces whose memory has not been reclaimed yet, so that none of those that
// still have to be removed is lost.
//
// A change notes what it makes and what it replaces. If its CAS fails, it starts again on the tree
// that is there then. DEATH: before the CAS the new nodes are in notes and not reachable, after it
// the old ones.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/allocator.h"
#include "base/result.h"
#include "namespaces/catalog_node.h"
#include "namespaces/publish.h"
#include "process/operation.h"

namespace commy::namespaces {

class CatalogEdit;

class Catalog {
 public:
  Catalog(region::Region& region, alloc::Allocator& allocator, const Publisher& publisher)
      : region_(region), allocator_(allocator), publisher_(publisher) {}

  // Offset of the namespace object at `path`; 0: none. Requires: pinned.
  absl::StatusOr<std::uint64_t> Find(std::string_view path) const;
  // Calls `visit` for the namespaces whose path begins with `prefix`, in order, until it returns
  // false. Requires: pinned.
  absl::Status ForEach(std::string_view prefix,
                       absl::FunctionRef<bool(std::string_view, std::uint64_t)> visit) const;
  // Objects of dropped namespaces that are not removed yet. Requires: pinned.
  absl::StatusOr<std::vector<std::uint64_t>> Dropped() const;

  // Changes the catalog: `change` edits the present content and says whether to go on. If another
  // process changed the catalog meanwhile, it is called again on the new content. Any other result
  // than kDone is returned, and nothing has changed. `op` notes the blocks that are made and
  // unlinked.
  base::Result Change(process::Operation& op, alloc::Purpose purpose,
                      absl::FunctionRef<base::Result(CatalogEdit&)> change);

  // Whether a block is part of the catalog, or an object that it names.
  absl::StatusOr<bool> IsReachable(region::BlockKind kind, std::uint64_t offset) const;
  // Visits the root block and every node.
  absl::Status WalkBlocks(absl::FunctionRef<void(region::BlockKind, std::uint64_t)> visit) const;

 private:
  friend class CatalogEdit;

  using NodeView = CatalogNodeView;
  using RootView = CatalogRootView;

  absl::StatusOr<RootView> ReadRoot() const;
  absl::StatusOr<NodeView> ReadNode(std::uint64_t offset) const;
  absl::StatusOr<bool> Visit(std::uint64_t offset, std::uint64_t level_limit,
                             std::string_view prefix,
                             absl::FunctionRef<bool(std::string_view, std::uint64_t)> visit) const;
  absl::Status VisitAll(const RootView& root, std::string_view prefix,
                        absl::FunctionRef<bool(std::string_view, std::uint64_t)> visit) const;
  absl::Status WalkNodes(std::uint64_t offset, std::uint64_t level_limit, std::string* last_path,
                         absl::FunctionRef<void(std::uint64_t)> visit) const;

  region::Region& region_;
  alloc::Allocator& allocator_;
  const Publisher& publisher_;
};

// A change being made, in process memory. Nodes are read when they are first needed; those that
// changed are written anew.
class CatalogEdit {
 public:
  // 0: none.
  absl::StatusOr<std::uint64_t> Find(std::string_view path);
  // Requires: no namespace has that path.
  absl::Status Insert(std::string_view path, std::uint64_t object);
  // Requires: it is there.
  absl::Status Erase(std::string_view path);
  // The path of an object; empty: it has none. Linear in the number of namespaces.
  absl::StatusOr<std::string> PathOf(std::uint64_t object) const;

  std::vector<std::uint64_t>& dropped() { return dropped_; }

 private:
  friend class Catalog;

  struct Node {
    struct Entry {
      std::string path;
      std::uint64_t value = 0;      // Of a leaf: the object; else the child's offset, if not read.
      std::unique_ptr<Node> child;  // Read, or new.
    };
    std::uint64_t level = 0;
    std::uint64_t offset = 0;  // Where it was read from; 0: it is new.
    bool changed = false;
    std::vector<Entry> entries;
  };

  CatalogEdit(const Catalog& catalog, alloc::Purpose purpose)
      : catalog_(catalog), purpose_(purpose) {}

  absl::Status Load();
  absl::StatusOr<std::unique_ptr<Node>> ReadNode(std::uint64_t offset, std::uint64_t level_limit);
  // The leaf where `path` belongs; every node on the way is marked if `change`.
  absl::StatusOr<Node*> Descend(std::string_view path, bool change);
  static void DropEmpty(Node& node);
  absl::Status WriteNode(process::Operation& op, Node& node,
                         std::vector<std::pair<std::string, std::uint64_t>>* made);
  absl::StatusOr<std::uint64_t> WriteBlock(process::Operation& op, std::uint64_t level,
                                           std::size_t begin, std::size_t end,
                                           const std::vector<Node::Entry>& entries);
  absl::StatusOr<std::uint64_t> WriteTree(process::Operation& op);

  const Catalog& catalog_;
  const alloc::Purpose purpose_;
  Catalog::RootView root_view_;
  std::unique_ptr<Node> root_;  // Null: empty, or not read yet (then root_view_.node is set).
  bool loaded_ = false;
  std::uint64_t count_ = 0;
  std::vector<std::uint64_t> dropped_;
  std::vector<std::uint64_t> replaced_;  // Nodes that the change leaves behind.
  std::vector<std::uint64_t> written_;
};

}  // namespace commy::namespaces
