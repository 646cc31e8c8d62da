#include "namespaces/map.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using base::Outcome;
using base::Result;
using index::IndexRoot;
using region::BlockKind;

}  // namespace

void Map::PrefetchSlots(const NamespaceRef& ns, std::uint64_t hash) const {
  const auto* const root =
      core_.region.At<IndexRoot>(ns.object->root.load(std::memory_order_acquire));  // clear-3
  if (root != nullptr && ns.order == kOrderHash) {
    core_.hash.PrefetchSlots(*root, hash);
  }
}

void Map::PrefetchRecord(const NamespaceRef& ns, std::uint64_t hash) const {
  const auto* const root =
      core_.region.At<IndexRoot>(ns.object->root.load(std::memory_order_acquire));  // clear-3
  if (root != nullptr && ns.order == kOrderHash) {
    core_.hash.PrefetchRecord(*root, hash);
  }
}

Result Map::Scan(const NamespaceRef& ns, const versions::AsOf& as_of, bool reverse,
                 index::ScanCursor* cursor,
                 absl::FunctionRef<bool(const versions::RecordView&)> use, bool* more) {
  COMMY_DCHECK(!reverse || ns.order == kOrderOrdered);
  for (int attempt = 0; attempt < kStaleLimit; ++attempt) {
    IndexRoot* root = nullptr;
    COMMY_TRY(roots_.Then(ns, as_of, &root));
    if (root == nullptr) {
      *more = false;
      return Outcome::kDone;
    }
    Result scanned = ns.order == kOrderOrdered
                         ? core_.tree.Scan(*root, as_of, reverse, cursor, use, more)
                         : core_.hash.Scan(*root, as_of, cursor, use, more);
    if (scanned.is(Outcome::kAgain)) {
      continue;
    }
    COMMY_TRY(scanned);
    Result missing = roots_.Missing(ns, *root, as_of);
    return missing.is(Outcome::kAbsent) ? Result(Outcome::kDone) : missing;
  }
  return LeadsInACircle(core_.region, ns);
}

Result Map::Count(const NamespaceRef& ns, index::Counts* counts) const {
  std::uint64_t offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &offset, &root));
  COMMY_ASSIGN_OR_RETURN(*counts, counters_.Sum(*root));
  return Outcome::kDone;
}

Result Map::CountStamp(const NamespaceRef& ns, std::uint64_t* stamp) const {
  std::uint64_t offset = 0;
  IndexRoot* root = nullptr;
  COMMY_TRY(roots_.Current(ns, &offset, &root));
  COMMY_ASSIGN_OR_RETURN(*stamp, counters_.Stamp(*root));
  *stamp ^= root->commit.load(std::memory_order_acquire);
  return Outcome::kDone;
}

absl::StatusOr<bool> Map::PlanTotal(process::Operation& op, const NamespaceRef& ns,
                                    std::uint64_t root_offset, const index::Counts& delta,
                                    versions::TransactionTotal* total) const {
  COMMY_ASSIGN_OR_RETURN(IndexRoot * root, roots_.At(ns, root_offset));
  return counters_.PlanTotal(op, *root, delta, total);
}

absl::Status Map::ForEachEdge(const NamespaceRef& ns,
                              absl::FunctionRef<bool(const index::Edge&)> use,
                              absl::FunctionRef<void(const std::string& fault)> fault,
                              index::Counts* counts) {
  types_.ForEachEdge(ns, use, fault);
  sums_.ForEachEdge(ns, use, fault);
  bool present = true;
  base::Shared64* word = &ns.object->root;
  return roots_.ForEach(ns, [&](std::uint64_t offset, IndexRoot& root) -> absl::StatusOr<bool> {
    use({BlockKind::kIndexRoot, word, offset});
    // A dropped one has no keys, and its structure goes as its memory is reclaimed.
    const bool whole = present && root.successor.load(std::memory_order_acquire) != index::kDropped;
    COMMY_RETURN_IF_ERROR(core_.ShapeOf(ns).ForEachEdge(root, {whole, use, fault, counts}));
    present = false;
    word = &root.prev;
    return true;
  });
}

}  // namespace commy::namespaces
