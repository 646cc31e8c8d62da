#include "salvage/names.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "index/slots.h"
#include "namespaces/catalog_node.h"
#include "namespaces/object_layout.h"
#include "namespaces/sums.h"
#include "namespaces/types.h"
#include "types/descriptor.h"

namespace commy::salvage {
namespace {

using index::IndexRoot;
using namespaces::NamespaceObject;

constexpr int kClearsMax = 1000;

class NameFinder {
 public:
  explicit NameFinder(const Image& image) : image_(image) {}

  SalvagedNames Run() {
    FollowCatalog();
    if (!names_.faults.empty()) {
      SearchEverywhere();
    }
    for (const auto& [path, object] : objects_) {
      AddNamespace(path, object);
    }
    for (const std::uint64_t object : dropped_) {
      if (const std::optional<std::uint64_t> id = IdOf(object); id.has_value()) {
        names_.dropped_ids.insert(*id);
      }
    }
    return std::move(names_);
  }

 private:
  auto Bytes() const {
    return [this](std::uint64_t offset, std::uint64_t size) { return image_.At(offset, size, 8); };
  }

  void FollowCatalog() {
    if (!image_.geometry().has_value()) {
      names_.faults.push_back(std::string(image_.header_status().message()));
      return;
    }
    const std::uint64_t offset = image_.header().catalog_root.load(std::memory_order_relaxed);
    if (offset == 0) {
      return;
    }
    const std::optional<namespaces::CatalogRootView> root =
        namespaces::ReadCatalogRoot(offset, Bytes());
    if (!root.has_value()) {
      names_.faults.push_back(
          absl::StrCat("the catalog's root at ", base::Hex(offset), " does not verify"));
      return;
    }
    dropped_ = root->dropped;
    if (root->node != 0) {
      Follow(root->node, namespaces::kCatalogLevelMax);
    }
  }

  // Paths ascend, so a circle ends where one does not.
  void Follow(std::uint64_t offset, std::uint64_t level_max) {
    const std::optional<namespaces::CatalogNodeView> node =
        namespaces::ReadCatalogNode(offset, Bytes());
    if (!node.has_value() || node->level > level_max || !seen_nodes_.insert(offset).second) {
      names_.faults.push_back(
          absl::StrCat("the catalog's node at ", base::Hex(offset), " does not verify"));
      return;
    }
    for (const auto& [path, value] : node->entries) {
      if (node->level == 0) {
        objects_.emplace(path, value);
      } else {
        Follow(value, node->level - 1);
      }
    }
  }

  void SearchEverywhere() {
    absl::flat_hash_set<std::uint64_t> known;
    for (const auto& [path, object] : objects_) {
      known.insert(object);
    }
    image_.ForEachArea([&](const Area& area) {
      if (area.use == Use::kNotUsed) {
        return;
      }
      const std::uint64_t last =
          area.block ? area.offset_bytes : area.offset_bytes + area.size_bytes;
      for (std::uint64_t at = area.offset_bytes; at == area.offset_bytes || at < last;
           at += region::kBlockAlignBytes) {
        AddLeafNode(at, known);
      }
    });
  }

  void AddLeafNode(std::uint64_t offset, absl::flat_hash_set<std::uint64_t>& known) {
    const std::optional<namespaces::CatalogNodeView> node =
        namespaces::ReadCatalogNode(offset, Bytes());
    if (!node.has_value() || node->level != 0) {
      return;
    }
    for (const auto& [path, object] : node->entries) {
      // One of the catalog's former nodes may name a namespace that has been dropped, renamed or
      // replaced.
      if (IdOf(object).has_value() && !objects_.contains(std::string(path)) &&
          known.insert(object).second) {
        objects_.emplace(path, object);
      }
    }
  }

  std::optional<std::uint64_t> IdOf(std::uint64_t object) const {
    const auto* const at = image_.At<NamespaceObject>(object);
    const std::uint64_t id = at == nullptr ? 0 : at->id.load(std::memory_order_relaxed);
    return (id & ~index::kNamespaceIdMask) == index::kNamespaceIdTag ? std::optional(id)
                                                                     : std::nullopt;
  }

  void AddNamespace(const std::string& path, std::uint64_t object) {
    const std::optional<std::uint64_t> id = IdOf(object);
    if (!id.has_value()) {
      names_.faults.push_back(absl::StrCat("the namespace object of ", path, " at ",
                                           base::Hex(object),
                                           " is lost, so its keys have no path"));
      return;
    }
    if (!ids_.insert(*id).second) {
      return;
    }
    const auto* const at = image_.At<NamespaceObject>(object);
    SalvagedNamespace found;
    found.id = *id;
    found.path = path;
    found.ordered = at->order.load(std::memory_order_relaxed) == namespaces::kOrderOrdered;
    FindType(*at, &found);
    FindSum(*at, &found);
    if (FindRoot(at->root.load(std::memory_order_relaxed), &found)) {
      names_.namespaces.push_back(std::move(found));
    } else {
      names_.dropped_ids.insert(*id);
    }
  }

  void FindType(const NamespaceObject& object, SalvagedNamespace* ns) {
    const std::uint64_t offset = object.type.load(std::memory_order_relaxed);
    if (offset <= namespaces::kPartGone) {
      return;
    }
    const std::string_view text = namespaces::ReadTypeBlock(offset, Bytes());
    if (types::ParseContainer(text).ok()) {
      ns->type = text;
    } else {
      names_.faults.push_back(absl::StrCat("the type of ", ns->path, " at ", base::Hex(offset),
                                           " is lost; its keys and values are saved as bytes"));
      if (object.sums.load(std::memory_order_relaxed) > namespaces::kPartGone) {
        ns->type = types::NameOf(types::ContainerKind::kCounter);  // Only that has a sum.
      }
    }
  }

  void FindSum(const NamespaceObject& object, SalvagedNamespace* ns) {
    const std::uint64_t offset = object.sums.load(std::memory_order_relaxed);
    if (offset <= namespaces::kPartGone) {
      return;
    }
    if (!image_.geometry().has_value()) {
      names_.faults.push_back(absl::StrCat("the value of the counter ", ns->path, " is lost"));
      return;
    }
    const auto* const root = image_.At<namespaces::SumRoot>(offset);
    const std::uint32_t lanes = image_.geometry()->lane_count;
    bool whole = root != nullptr;
    for (std::uint32_t lane = 0; whole && lane < lanes; ++lane) {
      const std::uint64_t block =
          root->cells[lane % namespaces::kSumGroups].load(std::memory_order_relaxed);
      if (block > namespaces::kPartGone) {
        const auto* const cell = image_.At<base::Shared64>(namespaces::SumCellOffset(block, lane));
        whole = cell != nullptr;
        ns->sum += whole ? cell->load(std::memory_order_relaxed) : 0;
      }
    }
    if (whole) {
      ns->sum -= root->base.load(std::memory_order_relaxed);
    } else {
      names_.faults.push_back(
          absl::StrCat("a part of the counter ", ns->path, " at ", base::Hex(offset), " is lost"));
    }
  }

  // A clear that was in flight is over. False: it was dropped, and only its name was left.
  bool FindRoot(std::uint64_t offset, SalvagedNamespace* ns) const {
    for (int step = 0; step < kClearsMax && offset != 0; ++step) {
      const auto* const root = image_.At<IndexRoot>(offset);
      if (root == nullptr || root->namespace_id != ns->id) {
        break;
      }
      ns->root_offset = offset;
      ns->since_commit = std::max(ns->since_commit, root->commit.load(std::memory_order_relaxed));
      offset = root->successor.load(std::memory_order_relaxed);
      if (offset == index::kDropped) {
        return false;
      }
    }
    return true;
  }

  const Image& image_;
  SalvagedNames names_;
  std::map<std::string, std::uint64_t> objects_;  // By path.
  std::vector<std::uint64_t> dropped_;
  absl::flat_hash_set<std::uint64_t> seen_nodes_;
  absl::flat_hash_set<std::uint64_t> ids_;
};

}  // namespace

SalvagedNames FindNames(const Image& image) {
  return NameFinder(image).Run();
}

std::string MadeUpPath(std::uint64_t id, const absl::flat_hash_set<std::string>& taken) {
  std::string path = absl::StrCat("recovered/", id & index::kNamespaceIdMask);
  while (taken.contains(path)) {
    path += '_';
  }
  return path;
}

}  // namespace commy::salvage
