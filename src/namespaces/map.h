// The face of a namespace: a map from keys to chains of versions, over the shape that its order
// says.
//
// This floor is namespaces: an object in the file, the map of its keys, and the catalog of names.
// It may touch index/ and what is below. Of transactions it knows their intents, and their status,
// which is published here; of handles nothing. Begin reading here; the life of a root is in
// roots.h, a write in writer.h, waiting in notify.h, names in catalog.h.
//
// A Map has both shapes, and serves all namespaces of a store; the choice of a shape stands here
// and in Core::ShapeFor, and nowhere else. Its parts are classes of their own: roots.h, writer.h,
// loader.h, counters.h, sweeper.h, expiry.h, mover.h, types.h, sums.h, publish.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "base/check.h"
#include "base/result.h"
#include "index/edges.h"
#include "index/scan_cursor.h"
#include "namespaces/core.h"
#include "namespaces/counters.h"
#include "namespaces/expiry.h"
#include "namespaces/loader.h"
#include "namespaces/mover.h"
#include "namespaces/roots.h"
#include "namespaces/sums.h"
#include "namespaces/sweeper.h"
#include "namespaces/types.h"
#include "namespaces/write_op.h"
#include "namespaces/writer.h"

namespace commy::namespaces {

// Every method works on the namespace of `ns` and needs a pin (or the operation's) around it.
// kDropped means that the namespace is being dropped, and the caller finishes that. kFailed names
// the offset of the damage.
class Map {
 public:
  Map(process::Session& session, alloc::Allocator& allocator, const index::TreeLimits& limits)
      : core_(session, allocator, limits),
        roots_(core_),
        counters_(core_),
        sweeper_(core_, roots_),
        expiry_(core_, roots_),
        mover_(core_, roots_),
        writer_(core_, roots_, counters_, sweeper_, expiry_),
        types_(core_),
        sums_(core_) {}
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  // The record of a key that counts, or counted then. kAbsent. kConflict: see
  // versions::Intents::Read.
  base::Result Find(const NamespaceRef& ns, std::string_view key, const versions::AsOf& as_of,
                    versions::RecordView* found) {
    COMMY_DCHECK(key.size() <= versions::kKeyBytesMax);
    const std::uint64_t hash = core_.Hash(key);
    for (int attempt = 0; attempt < kStaleLimit; ++attempt) {
      index::IndexRoot* root = nullptr;
      COMMY_TRY(roots_.Then(ns, as_of, &root));
      if (root == nullptr) [[unlikely]] {
        return base::Outcome::kAbsent;
      }
      COMMY_ASSIGN_OR_RETURN(const index::Found seen,
                             ns.order == kOrderOrdered
                                 ? core_.tree.FindNewest(*root, key, hash, found)
                                 : core_.hash.FindNewest(*root, key, hash, found));
      if (seen == index::Found::kGone) [[unlikely]] {
        continue;
      }
      if (seen != index::Found::kKey) {
        return roots_.Missing(ns, *root, as_of);
      }
      COMMY_TRY(core_.chains.ToVersionAsOf(as_of, found));
      return core_.chains.IsLive(*found, as_of) ? base::Result(base::Outcome::kDone)
                                                : roots_.Missing(ns, *root, as_of);
    }
    return LeadsInACircle(core_.region, ns);
  }

  // Asks the processor for the memory that Find() of this key will touch: first for the slots,
  // then, once these have come, for the record. Advice only.
  void PrefetchSlots(const NamespaceRef& ns, std::uint64_t hash) const;
  void PrefetchRecord(const NamespaceRef& ns, std::uint64_t hash) const;

  // Calls `use` for the records that count, or counted then, of the segment or leaf at the cursor,
  // until it returns false, and moves the cursor on. `*more`: there are further ones, and `use`
  // wants them. After any result but kDone the records that `use` was called for do not count.
  // `reverse`: of an ordered namespace only.
  base::Result Scan(const NamespaceRef& ns, const versions::AsOf& as_of, bool reverse,
                    index::ScanCursor* cursor,
                    absl::FunctionRef<bool(const versions::RecordView&)> use, bool* more);

  // The keys of the namespace, and their units.
  base::Result Count(const NamespaceRef& ns, index::Counts* counts) const;
  // A number that differs from an earlier one if the namespace has counted anything in between, or
  // was cleared.
  base::Result CountStamp(const NamespaceRef& ns, std::uint64_t* stamp) const;

  base::Result Write(process::Operation& op, const NamespaceRef& ns, const WriteOp& write,
                     WriteOutcome* outcome) const {
    COMMY_DCHECK(write.key.size() <= versions::kKeyBytesMax &&
                 write.value.size() <= versions::kValueBytesMax);
    return writer_.Write(op, ns, write, outcome);
  }

  // Before anything is written.
  void UseQuotas(QuotaGate* quotas) { core_.quotas = quotas; }
  // As QuotaGate::Admit.
  base::Result Admit(absl::Span<const Growth> growths) const {
    return core_.quotas == nullptr ? base::Result() : core_.quotas->Admit(growths);
  }

  // Builds an empty, unpublished root of a namespace that is being made.
  absl::StatusOr<std::uint64_t> BuildRoot(process::Operation& op, std::uint64_t order,
                                          std::uint64_t namespace_id) {
    return core_.ShapeFor(order).BuildRoot(op, namespace_id, 0, alloc::Purpose::kOrdinary);
  }
  // Fills a namespace that has no name yet, in a store without other participants.
  [[nodiscard]] Loader NewLoader(std::uint64_t order, std::uint64_t namespace_id,
                                 std::uint64_t keys) {
    return {core_, counters_, order, namespace_id, keys};
  }
  // Announces by how much a transaction changes the counts of a root. False: the root was cleared,
  // and its memory reclaimed.
  absl::StatusOr<bool> PlanTotal(process::Operation& op, const NamespaceRef& ns,
                                 std::uint64_t root_offset, const index::Counts& delta,
                                 versions::TransactionTotal* total) const;
  // The one walk over all blocks of the namespace: every root, and Shape::ForEachEdge for each, and
  // what else the object names. A
  // root that is the namespace's present one is whole, unless it is being dropped.
  absl::Status ForEachEdge(const NamespaceRef& ns, absl::FunctionRef<bool(const index::Edge&)> use,
                           absl::FunctionRef<void(const std::string& fault)> fault,
                           index::Counts* counts);

  [[nodiscard]] std::uint64_t Hash(std::string_view key) const { return core_.Hash(key); }
  [[nodiscard]] const Roots& roots() const { return roots_; }
  [[nodiscard]] const Sweeper& sweeper() const { return sweeper_; }
  [[nodiscard]] const Expiry& expiry() const { return expiry_; }
  [[nodiscard]] const Mover& mover() const { return mover_; }
  [[nodiscard]] const Writer& writer() const { return writer_; }
  [[nodiscard]] const Types& types() const { return types_; }
  [[nodiscard]] const Sums& sums() const { return sums_; }
  [[nodiscard]] const Publisher& publisher() const { return core_.publisher; }
  [[nodiscard]] const versions::Intents& intents() const { return core_.intents; }
  // For tests of a shape alone.
  [[nodiscard]] index::HashShape& hash_shape() { return core_.hash; }
  [[nodiscard]] index::TreeShape& tree_shape() { return core_.tree; }

 private:
  // A reader that meets structure that is being reclaimed looks again at the namespace, which has
  // moved on. More often than this in a row means that the file contradicts itself.
  static constexpr int kStaleLimit = 1000;

  Core core_;
  const Roots roots_;
  const Counters counters_;
  const Sweeper sweeper_;
  const Expiry expiry_;
  const Mover mover_;
  const Writer writer_;
  const Types types_;
  const Sums sums_;
};

}  // namespace commy::namespaces
