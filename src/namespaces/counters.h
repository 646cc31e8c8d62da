// The number of keys: a cell for each lane, written by that lane alone, in blocks that hang on the
// root.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "base/result.h"
#include "namespaces/core.h"
#include "versions/transaction_layout.h"

namespace commy::namespaces {

class Counters {
 public:
  explicit Counters(Core& core) : core_(core) {}

  // The lane's cell. Null: the root's memory is being reclaimed.
  absl::StatusOr<base::Shared64*> Cell(process::Operation& op, index::IndexRoot& root,
                                       alloc::Purpose purpose) const;
  // The sum of a root's cells. Cost: linear in the number of lanes that ever counted there.
  absl::StatusOr<std::uint64_t> Sum(const index::IndexRoot& root) const;
  // Announces that the operation changes the number of keys in the root by `delta`. False: the root
  // was cleared, and its memory reclaimed.
  absl::StatusOr<bool> PlanTotal(process::Operation& op, index::IndexRoot& root, std::int64_t delta,
                                 versions::TransactionTotal* total) const;

 private:
  [[nodiscard]] std::uint64_t CellsOfABlock() const {
    return (core_.region.geometry().lane_count + index::kCounterGroups - 1) / index::kCounterGroups;
  }

  Core& core_;
};

}  // namespace commy::namespaces
