#include "engine/block_owners.h"

#include <algorithm>
#include <array>

namespace commy::engine {
namespace {

using process::Note;
using region::BlockKind;

absl::StatusOr<bool> IsInNamespace(const Engine& engine, const NamespaceRef* ns, const Note& note) {
  if (ns == nullptr) {
    return false;  // The structure that it hangs on was never published, or is gone.
  }
  return engine.map.writer().IsReachable(*ns, note.kind, note.offset_bytes);
}

absl::StatusOr<bool> IsInObject(const Engine& engine, const NamespaceRef* ns, const Note& note) {
  return ns != nullptr &&
         (note.kind == BlockKind::kType ? engine.map.types().Names(*ns, note.offset_bytes)
                                        : engine.map.sums().Names(*ns, note.offset_bytes));
}

absl::StatusOr<bool> IsInCatalog(const Engine& engine, const NamespaceRef* /*ns*/,
                                 const Note& note) {
  return engine.catalog.IsReachable(note.kind, note.offset_bytes);
}

void ForgetNamespace(const Engine& engine, std::uint64_t offset) {
  auto* const object = engine.region.At<namespaces::NamespaceObject>(offset);
  if (object != nullptr && engine.allocator.IsUsed(offset)) {
    object->id.exchange(0, std::memory_order_seq_cst);  // Before Retire reads the epoch.
  }
}

constexpr std::array kOwners = {
    BlockOwner{BlockKind::kRecord, "record", "the version before it", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kSegment, "segment", "records", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kDirectory, "directory", "segments", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kIndexRoot, "index root",
               "a directory or node, counters, a descriptor, the root before it", IsInNamespace,
               nullptr},
    BlockOwner{BlockKind::kDescriptor, "reshape descriptor", "what it replaces, and by what",
               IsInNamespace, nullptr},
    BlockOwner{BlockKind::kCounters, "counters", "nothing", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kLeaf, "leaf", "records, a separator", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kInner, "inner node", "nodes, separators", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kSeparator, "separator", "nothing", IsInNamespace, nullptr},
    BlockOwner{BlockKind::kType, "type", "nothing", IsInObject, nullptr},
    BlockOwner{BlockKind::kSumRoot, "sum", "cells", IsInObject, nullptr},
    BlockOwner{BlockKind::kSums, "cells of a sum", "nothing", IsInObject, nullptr},
    BlockOwner{BlockKind::kNamespace, "namespace", "an index root, a type, a sum", IsInCatalog,
               ForgetNamespace},
    BlockOwner{BlockKind::kCatalogRoot, "catalog root", "a catalog node, dropped namespaces",
               IsInCatalog, nullptr},
    BlockOwner{BlockKind::kCatalogNode, "catalog node", "catalog nodes, or namespaces", IsInCatalog,
               nullptr},
};

constexpr bool IsEachThereOnce() {
  for (std::size_t i = 0; i < kOwners.size(); ++i) {
    for (std::size_t other = 0; other < i; ++other) {
      if (kOwners.at(i).kind == kOwners.at(other).kind) {
        return false;
      }
    }
    if (kOwners.at(i).is_reachable == nullptr) {
      return false;
    }
  }
  return true;
}
static_assert(IsEachThereOnce());

}  // namespace

const BlockOwner* OwnerOf(BlockKind kind) {
  const auto* const found = std::find_if(
      kOwners.begin(), kOwners.end(), [kind](const BlockOwner& each) { return each.kind == kind; });
  return found == kOwners.end() ? nullptr : found;
}

}  // namespace commy::engine
