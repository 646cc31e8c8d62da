// A store: one file that many processes read and write at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/export.h"
#include "commy/info.h"
#include "commy/namespace.h"
#include "commy/options.h"
#include "commy/snapshot.h"
#include "commy/transaction.h"

namespace commy {

namespace engine {
class StoreImpl;
}

// A handle to an open store. Cheap to copy; every method is safe from any thread. The store stays
// open until Close() or until the last Store, Namespace, View, Snapshot, Transaction and scan of it is gone. One process
// may open a store several times; each is a participant of its own. Calls work to the very end: from static
// destructors and atexit() handlers, and from destructors of thread_locals and pthread keys.
//
//   absl::StatusOr<commy::Store> store = commy::Store::Open("fleet.commy");
//   absl::StatusOr<commy::Namespace> ns = store->OpenNamespace("acme/config");
//   absl::Status done = ns->Put("greeting", "hello");
class COMMY_EXPORT Store {
 public:
  // Opens the store at `path`; creates it unless told otherwise. Creation is atomic: who loses the
  // race opens the winner's.
  //
  // Errors name the path. NotFound: no such file, and create_if_missing is off. AlreadyExists.
  // PermissionDenied. InvalidArgument: not a store, a directory, or an option out of range.
  // FailedPrecondition: another format version, a file system without open-file-description
  // locks, or somebody has the store to himself. DataLoss: damaged, cut short, or in use when the
  // machine went down. ResourceExhausted: disk full, all participant slots are taken, or a
  // limit of this process: address space for max_size, file size, open files, threads.
  // Cost: some system calls; a microsecond more for each dead participant that is recovered.
  static absl::StatusOr<Store> Open(const std::string& path, const Options& options = Options());

  // Ends this participant and unmaps the file, after waiting for calls of other threads of this
  // process that are under way. Every handle of this Open says FailedPrecondition from then on.
  // FailedPrecondition: a View is still held; nothing has changed then.
  absl::Status Close();

  // Opens a namespace; creates it unless told otherwise. `path` has 1 to 1,024 bytes: non-empty
  // parts separated by '/'. InvalidArgument: a bad path, or it exists with another order; NotFound.
  absl::StatusOr<Namespace> OpenNamespace(std::string_view path,
                                          NamespaceOptions options = NamespaceOptions()) const;
  // Removes the namespace that is at `path` when the call begins, with all its keys, at one moment,
  // also if it is renamed meanwhile. Handles to it say NotFound from then on. Works on a full store.
  // NotFound: there is none of that path, or another call is dropping it.
  absl::Status DropNamespace(std::string_view path) const;
  // Gives a namespace another path at one moment. Handles stay good. NotFound; AlreadyExists.
  absl::Status RenameNamespace(std::string_view from, std::string_view to) const;
  // Namespaces whose path begins with `prefix`, in order of their paths.
  absl::StatusOr<std::vector<NamespaceInfo>> ListNamespaces(std::string_view prefix = "") const;

  // The whole store as it is now, to read from; see Snapshot. A read-only store can take one too.
  // ResourceExhausted: as many are held as the store has room for, and all by living processes: release
  // some, or end scans that were left half way.
  absl::StatusOr<Snapshot> TakeSnapshot() const;

  // Begins a transaction; see Transaction. Errors as of TakeSnapshot(), and InvalidArgument: a timeout
  // that is not positive.
  absl::StatusOr<Transaction> Begin(TransactOptions options = TransactOptions()) const;
  // Runs `body` in a transaction and commits it; after a conflict again, with a new transaction, until
  // it succeeds or the timeout is over (DeadlineExceeded). So `body` may run several times, and changes
  // nothing outside but at its end. It should return the errors of its reads and writes as they are.
  // If it returns an error other than Aborted, nothing is changed and the error is the answer. If it
  // commits or rolls back itself, the answer is how that went. FailedPrecondition: it moved the
  // transaction away.
  absl::Status Transact(absl::FunctionRef<absl::Status(Transaction&)> body,
                        TransactOptions options = TransactOptions()) const;
  // Makes all writes of a batch at one moment. Errors as of Namespace's writes, and DeadlineExceeded:
  // others wrote its keys all the time, for the store's operation_timeout. Then nothing was changed.
  absl::Status Write(WriteBatch batch) const;

  absl::StatusOr<std::vector<ParticipantInfo>> Participants() const;
  // The participants of the store at `path`, without becoming one: also while every slot is taken.
  // Nothing about snapshots and held back bytes. NotFound and other errors as of Open().
  static absl::StatusOr<std::vector<ParticipantInfo>> ParticipantsOf(const std::string& path);
  absl::StatusOr<StoreStats> Stats() const;
  // How much of the file is in memory, and in which pages. Maps all of that into this process, but
  // reads nothing from disk and writes nothing. Unavailable: the system does not tell.
  // Cost: some 100 ms for a gibibyte of small pages, next to nothing for large ones.
  absl::StatusOr<MemoryInfo> Memory() const;
  // Walks the whole file: every structure, every checksum, every block reachable once or free.
  // Exact when nobody writes; with writers it looks again before it reports a leak.
  absl::StatusOr<CheckReport> Check() const;
  // Writes everything that is there now to disk, so that it survives the machine going down, if
  // nothing is written afterwards. (What is written afterwards makes the store one that was in use
  // when the machine went down, which Open() refuses with DataLoss.) While others write it gives up
  // after a few attempts to find a moment without writes, and returns OK all the same.
  // Unavailable: a participant, which is named, has been inside an operation for stale_after: it is
  // stopped, or at something long. The bytes are on disk, but a reboot will not trust them.
  // Cost: writing what has changed since it was last written; milliseconds to seconds.
  absl::Status Sync() const;

  [[nodiscard]] const std::string& path() const;

 private:
  explicit Store(std::shared_ptr<engine::StoreImpl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<engine::StoreImpl> impl_;
};

// The structs of the file with the offset and size of each field, one a line:
// "<struct>\t<field>\t<offset>\t<size>". What `commy layout` prints.
COMMY_EXPORT std::string DescribeLayout();

// "0.1.0"
COMMY_EXPORT std::string_view Version();

}  // namespace commy
