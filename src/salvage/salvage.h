// The salvage of a damaged store file: the newest version of each key that verifies.
//
// This floor is `commy recover`: it reads a file whose bytes may be wrong anywhere, as an image,
// and writes nothing. It may touch namespaces/ and what is below, mostly their layouts; it opens no
// store. Begin reading here, then in image.h, names.h, slots.h and transactions.h.
//
// Every record carries the number of its namespace, its key, its value and a checksum over them,
// and its commit time; so keys can be saved without the index. No bytes of its header are the same
// in all records: what looks like one has a number that may have been given out, and sizes that
// fit, and the checksum decides. Everything else in the file is only asked for advice, of which any
// part may be wrong:
//
//   the last number given out  of namespaces: far above it, there is no record
//   the allocator's words    a record whose block is not in use was replaced or deleted
//   slots of the indexes     a record that a slot names with its key's hash bits was there to the
//                            last, whatever the allocator says; a slot that names no record which
//                            verifies says that the newest version of a key with these hash bits is
//                            lost, and an older one may be taken even from a block not in use
//   transaction blocks       whether an intent is a version: see transactions.h. Where that is not
//                            known the version below is taken, and the transaction said to be torn
//   roots                    records older than a namespace's last clear are gone
//   the catalog              names
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"

#include "salvage/image.h"
#include "salvage/names.h"
#include "salvage/transactions.h"
#include "versions/record.h"

namespace commy::salvage {

struct SalvageCounts {
  std::uint64_t versions = 0;          // Records that verify and were in use.
  std::uint64_t keys = 0;              // To be saved.
  std::uint64_t older_taken = 0;       // Of these: an older version, because the newest is lost.
  std::uint64_t deleted = 0;           // Keys whose newest version is a tombstone.
  std::uint64_t damaged = 0;           // Records in use that do not verify.
  std::uint64_t slots_to_nothing = 0;  // Slots that name no record which verifies.
  std::uint64_t transactions_torn = 0;
};

class Salvage {
 public:
  // Keeps `image`, which outlives this.
  explicit Salvage(const Image& image);

  // `progress` is told how many bytes of the file were looked at. Linear in the file's size.
  void Run(absl::FunctionRef<void(std::uint64_t done_bytes)> progress);

  [[nodiscard]] const SalvageCounts& counts() const { return counts_; }
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }
  [[nodiscard]] std::uint64_t fault_count() const { return fault_count_; }
  // Those of the catalog, and made-up ones for namespaces without a name.
  [[nodiscard]] const std::vector<SalvagedNamespace>& namespaces() const { return namespaces_; }
  // The records to be saved, of one namespace after the other, by key, until `visit` fails.
  absl::Status ForEachRecord(
      absl::FunctionRef<absl::Status(const SalvagedNamespace&, const versions::RecordView&)> visit)
      const;

 private:
  // Offset of a record that verifies, with flags in the low bits, which alignment leaves free.
  using Candidate = std::uint64_t;
  static constexpr std::uint64_t kInUse = 1;
  static constexpr std::uint64_t kNamedBySlot = 2;
  static constexpr std::uint64_t kOfOlderRoot =
      4;  // Named by a slot in a root that was cleared away.
  static constexpr std::uint64_t kFlags = 15;

  void Fault(std::string text);
  void CompareSizes();
  [[nodiscard]] versions::RecordView View(std::uint64_t offset) const;
  // Sets `numbers_given_`.
  void CountNamespaces();
  // The bytes at `offset` may be a record: not valid() if they cannot.
  [[nodiscard]] versions::RecordView Suspect(std::uint64_t offset, const Area& area) const;
  // What does not verify in an area in use was a record once, rather than something else.
  [[nodiscard]] bool WasRecord(const versions::RecordView& suspect, const Area& area) const;
  // `commit` and `prev` may be words of a record.
  [[nodiscard]] bool WordsMakeSense(const versions::Record& record) const;
  void CollectRecords(absl::FunctionRef<void(std::uint64_t)> progress);
  // Returns how many bytes were looked at: 16, or the record.
  std::uint64_t CollectAt(std::uint64_t offset, const Area& area);
  // Asks the blocks of transactions that are in use or that intents refer to.
  void ExamineTransactions();
  // The commit time of a record, or kUndecided. kCommitAborted: an intent that does not count, or
  // one that may not count.
  [[nodiscard]] std::uint64_t CommitOf(const versions::RecordView& view) const;
  // Of a record that may be the newest version of its key: if it is an intent of unknown fate, its
  // transaction is torn.
  void NoteIfUnknown(const versions::RecordView& view);
  // A slot names this record: if it is an intent that does not count, the version below is the
  // newest.
  void MarkOlderRoots(const SalvagedNamespace& ns);
  void MarkBelow(const SalvagedNamespace& ns, std::uint64_t word, const versions::RecordView& view);
  void CountTorn();
  // The candidate at an offset; null: none.
  Candidate* Find(std::uint64_t offset);
  void ReadSlots(absl::FunctionRef<void(std::uint64_t)> progress);
  // The candidate that a slot word names; null: none that verifies and has these hash bits.
  Candidate* NamedBy(std::uint64_t word);
  // A version with the hash bits of a slot word, which was at an offset.
  void NoteLost(const SalvagedNamespace& ns, std::uint64_t word, std::uint64_t offset);
  void ReadSlotsOf(const SalvagedNamespace& ns);
  [[nodiscard]] bool IsRecord(const Area& area);
  void SearchSlotsIn(std::uint64_t begin, std::uint64_t end);
  void NameNamespaces();
  void Choose();
  void ChooseOlderOnes();
  void Offer(Candidate candidate);
  void Keep();

  const Image& image_;
  SalvageTransactions transactions_;
  std::vector<std::uint64_t> blocks_in_use_;  // That look like transaction blocks.
  absl::flat_hash_set<std::uint64_t> torn_;   // Offsets of transaction blocks, or where they were.
  SalvageCounts counts_;
  std::vector<std::string> faults_;
  std::uint64_t fault_count_ = 0;
  std::vector<SalvagedNamespace> namespaces_;
  bool names_whole_ = false;         // The whole catalog was read.
  std::uint64_t numbers_given_ = 0;  // No namespace that is known has a higher one.
  absl::flat_hash_map<std::uint64_t, std::size_t> by_id_;
  absl::flat_hash_set<std::uint64_t> dropped_ids_;
  absl::flat_hash_set<std::uint64_t> whole_ids_;  // All slots of their indexes were seen.
  std::vector<Candidate> candidates_;             // Ascending.
  absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>> lost_;  // Namespace, hash bits.
  absl::flat_hash_map<std::pair<std::uint64_t, std::string_view>, Candidate> best_;
  std::vector<std::pair<std::size_t, std::uint64_t>> kept_;  // Index of the namespace, offset.
};

}  // namespace commy::salvage
