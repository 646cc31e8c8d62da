// Saving what verifies out of a store file that can no longer be opened.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "commy/export.h"

namespace commy {

struct RecoverOptions {
  // Called now and then, by the calling thread, with the progress from 0 to `total`. If it returns
  // false, Recover() stops with Cancelled. May be empty.
  std::function<bool(std::uint64_t done, std::uint64_t total)> progress = nullptr;
};

struct RecoverReport {
  std::uint64_t source_bytes = 0;
  std::uint64_t destination_bytes = 0;
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;     // Saved.
  std::uint64_t deleted = 0;  // Keys whose newest version says that they were deleted.
  std::uint64_t expired = 0;  // Keys not saved because their time to live is over.
  // What is lost, or may be:
  std::uint64_t keys_older = 0;  // Saved with an older value, because the newest does not verify.
  // Keys that have a place in the index, but no version that verifies. Where the index itself is
  // torn or cut off, more keys are lost than can be counted; `faults` say so.
  std::uint64_t keys_lost = 0;
  // Records that are in use but do not verify. Old versions are among them.
  std::uint64_t records_damaged = 0;
  // Transactions and batches that were being committed, and of which a part is lost or the outcome
  // is unknown. Some of their keys may have their former values.
  std::uint64_t transactions_torn = 0;
  // The pages of the file may be of different moments: it was in use when the machine went down or
  // while it was copied, or it is in use now. Then a finished transaction or batch may be saved in
  // part without a trace. So may anything else that was written since the store was last synced.
  bool may_be_torn = false;
  // What is wrong with the file; at most 100. Keys and paths in them may hold any bytes.
  std::vector<std::string> faults;
  std::uint64_t fault_count = 0;

  // Whether everything was saved for certain: no fault was found, in a file of one moment.
  [[nodiscard]] bool whole() const { return fault_count == 0 && !may_be_torn; }
};

// Reads the store file `source`, which may be torn by a power cut, cut short or damaged. Writes a
// new store `destination` with the newest version of every key that verifies.
//
//   absl::StatusOr<commy::RecoverReport> report = commy::Recover("torn.commy", "saved.commy");
//
// Namespaces keep their paths and orders, and keys keep the end of their time to live. A namespace
// whose path is lost becomes "recovered/<number>". The source is never written. It may also be a
// sound store, and in use; then the keys saved are of different moments.
//
// If all of the file is of one moment, each transaction is saved whole or not at all. After a
// power cut, or in a copy of a store in use, the pages may be of different moments. Then a
// transaction that was being committed is still saved whole or not at all, or is counted in
// `transactions_torn`. One that had already finished may be saved in part without a trace in the
// file, so `may_be_torn` is set, and the result is never whole().
//
// The destination gets its name once it is whole. Until then it is `destination` + ".recovering",
// which an interrupted call leaves behind.
//
// Errors:
//   AlreadyExists       `destination` or `destination`.recovering exists
//   NotFound            there is no source
//   PermissionDenied    of the source
//   InvalidArgument     the source is not a regular file, or is too short
//   FailedPrecondition  the source has another format version
//   DataLoss            nothing in the source verifies; no destination was written
//   ResourceExhausted   there is no space for the destination
//   Cancelled           `progress` returned false
//
// Cost: reads the source twice, writes each key once, and needs 40 bytes of memory a record.
COMMY_EXPORT absl::StatusOr<RecoverReport> Recover(
    const std::string& source, const std::string& destination,
    const RecoverOptions& options = RecoverOptions());

}  // namespace commy
