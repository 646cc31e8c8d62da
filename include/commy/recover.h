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
  // Told now and then how far it is, 0 to `total`; returns false to stop: Cancelled. Empty: nobody is.
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
  // The index has a place for them, but no version is left. Where the index itself is torn or cut
  // off there are more, which nobody can count; `faults` say so.
  std::uint64_t keys_lost = 0;
  // In use, but they do not verify. Old versions are among them.
  std::uint64_t records_damaged = 0;
  // Transactions and batches that were being committed, of which a part is lost or of which it is not
  // known whether they were committed. Some of their keys may have their former values.
  std::uint64_t transactions_torn = 0;
  // The pages of the file may be of different moments: it was in use when the machine went down, or
  // while it was copied, or it is in use now. Then a transaction or batch that was over may be there
  // in part without a trace, and so may anything that was written since the store was last synced.
  bool may_be_torn = false;
  // What was found wrong; at most 100. Keys and paths in them are as they are: any bytes.
  std::vector<std::string> faults;
  std::uint64_t fault_count = 0;

  // Whether everything is there for certain: nothing was found wrong, in a file of one moment.
  [[nodiscard]] bool whole() const { return fault_count == 0 && !may_be_torn; }
};

// Reads the store file `source`, which may be torn by a power cut, cut short or damaged, and writes
// a new store `destination` with the newest version of every key that verifies. Namespaces keep
// their paths and orders, keys the end of their time to live; a namespace whose path is lost becomes
// "recovered/<number>". The source is only read. It may be a sound store, and in use: then the keys
// are those of different moments.
//
// If all of the file is of one moment, each transaction is saved whole or not at all. If its pages are
// of different moments (after a power cut, or in a copy of a store that was in use meanwhile), that holds
// for those that were being committed, or `transactions_torn` counts them. One that was over by then may
// be there in part without a trace in the file, so `may_be_torn` is set, and the result is never whole().
//
// The destination gets its name when it is whole; until then it is `destination` + ".recovering",
// which an interrupted call leaves behind. AlreadyExists: either is there. NotFound,
// PermissionDenied: of the source. InvalidArgument: it is no file, or too short. FailedPrecondition:
// it is of another format version. DataLoss: nothing in it verifies; nothing was written.
// ResourceExhausted: no space for the destination. Cancelled.
//
// Cost: reads the source two times; memory for 40 bytes a record; writes each key once.
//
//   absl::StatusOr<commy::RecoverReport> report = commy::Recover("torn.commy", "saved.commy");
COMMY_EXPORT absl::StatusOr<RecoverReport> Recover(
    const std::string& source, const std::string& destination,
    const RecoverOptions& options = RecoverOptions());

}  // namespace commy
