// The fate of transactions that were in flight in a file of which any part may be wrong.
//
// An intent says only where its transaction block is. The block is believed if the sum of its list
// is right: then it is that transaction's, and all of its records are there.
//
//   status           stamps on its records   the transaction is
//   a commit time    the same, or none       committed
//   open             a commit time           committed: the block's page is older than the record's
//   open             none                    not committed, as far as any process has seen
//   aborted          aborted, or none        aborted
//   any other                                unknown
//
// In a store whose pages are of one moment the sum is right while a slot names an intent without a
// stamp. For the list is complete before the first one is installed, the blocks that it names are
// not used again while the owner is pinned, and the sum is taken away after all have their stamps.
// So an intent of unknown fate there was never installed.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "salvage/image.h"
#include "versions/transaction_layout.h"

namespace commy::salvage {

class SalvageTransactions {
 public:
  // Keeps `image`, which outlives this.
  explicit SalvageTransactions(const Image& image) : image_(image) {}

  // Whether there may be a transaction block at an offset.
  [[nodiscard]] bool LooksLikeBlock(std::uint64_t offset) const;
  // Looks at a block that is in use and looks like one. All of these come first.
  void ExamineInUse(std::uint64_t head_offset);
  // Looks at the block that an intent refers to, unless that was done.
  void Examine(std::uint64_t head_offset);

  // The final `commit` of the intent at an offset: a commit time or kCommitAborted. None: unknown.
  [[nodiscard]] std::optional<std::uint64_t> FateOf(std::uint64_t record_offset) const;
  // Blocks of transactions of which a part is there and another part is missing or contradicts it.
  [[nodiscard]] const absl::flat_hash_set<std::uint64_t>& torn() const { return torn_; }

 private:
  struct List;
  // False: a record of it does not verify, or the page makes no sense.
  bool ReadPage(std::uint64_t offset, versions::ListSum* sum, List* list) const;
  [[nodiscard]] List ReadList(std::uint64_t head_offset) const;
  // Notes the fate of each intent. False: the status and the stamps contradict each other.
  bool Decide(std::uint64_t head_offset, const List& list);

  const Image& image_;
  absl::flat_hash_set<std::uint64_t> examined_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> fates_;  // By the offset of the record.
  absl::flat_hash_set<std::uint64_t> torn_;
};

}  // namespace commy::salvage
