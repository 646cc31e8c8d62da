// A store: one file that many processes read and write at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/backup.h"
#include "commy/export.h"
#include "commy/info.h"
#include "commy/namespace.h"
#include "commy/options.h"
#include "commy/shared_options.h"
#include "commy/snapshot.h"
#include "commy/transaction.h"

namespace commy {

namespace engine {
class OpenStore;
}

// A handle to an open store. Cheap to copy; every method is safe from any thread.
//
//   absl::StatusOr<commy::Store> store = commy::Store::Open("fleet.commy");
//   absl::StatusOr<commy::Namespace> ns = store->OpenNamespace("acme/config");
//   absl::Status done = ns->Put("greeting", "hello");
//
// The store stays open until Close(), or until the last Store, Namespace, View, Snapshot,
// Transaction, WriteBatch and scan of it is gone. A process may open a store several times; each
// Open is a participant of its own. A child after fork() must open the store itself. Calls work to
// the very end of a process: from static destructors and atexit() handlers, and from destructors of
// thread_locals and pthread keys.
//
// Any participant may be killed or stopped at any instruction. The others go on, and what the dead
// one left is recovered by the heartbeat of another one, or by the next Open().
//
// Errors that any method may return: FailedPrecondition after fork() or Close(), or for a write
// through a read-only store; DataLoss if the file is damaged; ResourceExhausted if a write found no
// room (nothing has changed then), or if more threads use the store than it has lanes for.
class COMMY_EXPORT Store {
 public:
  // Opens the store at `path`, and creates it unless told otherwise. Creation is atomic: if two
  // processes race, the loser opens the winner's store.
  //
  // Errors name the path:
  //   NotFound            there is no such file, and create_if_missing is off
  //   AlreadyExists       there is one, and error_if_exists is on
  //   PermissionDenied    reading a store needs permission to write the file, too
  //   InvalidArgument     not a store, a directory, or an option out of its range
  //   FailedPrecondition  another format version, a file system without open file description
  //                       locks, or another program holds the store exclusively
  //   DataLoss            damaged, cut short, or in use when the machine went down; see Recover()
  //   ResourceExhausted   disk full, all participant slots are taken (Options::participants), or a
  //                       limit of this process: address space for max_size, file size, open
  //                       files, threads
  //
  // Cost: some system calls, and a microsecond for each dead participant that is recovered.
  static absl::StatusOr<Store> Open(const std::string& path, const Options& options = Options());

  // Ends this participant and unmaps the file, after waiting for calls of other threads of this
  // process that are in flight. Every handle of this Open returns FailedPrecondition from then on.
  // The last participant to close a changed store writes it to disk and marks it whole, which takes
  // milliseconds to seconds.
  // FailedPrecondition: a View is still held, or the call comes from inside ReadWith(); nothing has
  // changed then.
  absl::Status Close();

  // Opens a namespace, and creates it unless told otherwise. `path` has 1 to 1,024 bytes: non-empty
  // parts separated by '/'. InvalidArgument: the path is bad, or the namespace exists with another
  // order. NotFound: there is none, and create_if_missing is off.
  absl::StatusOr<Namespace> OpenNamespace(
      std::string_view path, const NamespaceOptions& options = NamespaceOptions()) const;
  // Removes the namespace that is at `path` when the call begins, with all its keys, at one moment,
  // even if it is renamed meanwhile. Handles to it fail from then on (IsNamespaceDropped), also if
  // a new one is created at the path. Works on a full store. Cost: linear in the number of keys.
  // NotFound: there is no namespace at the path, or another call is dropping it.
  absl::Status DropNamespace(std::string_view path) const;
  // Gives a namespace another path at one moment. Handles to it stay valid.
  // NotFound: there is no namespace `from`. AlreadyExists: there is a namespace `to`.
  absl::Status RenameNamespace(std::string_view from, std::string_view to) const;
  // Returns the namespaces whose paths begin with `prefix`, in bytewise order of their paths.
  absl::StatusOr<std::vector<NamespaceInfo>> ListNamespaces(std::string_view prefix = "") const;

  // Limits what the keys of all namespaces under a path may take together, in bytes as
  // NamespaceInfo::bytes has them; 0: no limit any more. The path is of whole parts, and no
  // namespace need be there: "acme" covers "acme", "acme/config" and "acme/a/b", also those that
  // are made later, and not "acme2". Several quotas may cover a namespace; each counts. A write
  // that would take the path above its quota fails as one does at Namespace::SetQuota(). A rename
  // always works: the namespace leaves the quotas of its old path and comes under those of its new
  // one. The quota stays when namespaces are dropped.
  //
  // The sum is not taken for each write: the quota may be exceeded by 1/64 of the room that is
  // left, for each process that writes there, and by what is written at the same moment. A change
  // of a quota, or a rename, counts in other processes after at most 0.1 s.
  // InvalidArgument: the path is bad, or the quota is 2^63 or more.
  absl::Status SetPathQuota(std::string_view path, std::uint64_t bytes) const;
  // All quotas of paths, by path.
  absl::StatusOr<std::vector<PathQuota>> PathQuotas() const;

  // Opens the typed container at `path`, and creates it unless told otherwise:
  //
  //   auto positions =
  //       store->OpenShared<commy::SharedHashMap<std::uint64_t, Position>>("fleet/positions");
  //
  // A container is a namespace that says what its keys and values are. Include the container's
  // header, or <commy/commy.h>. InvalidArgument: there is a container of another kind or of other
  // types, and the text has both; but a program may have more fields at the end of a struct, which
  // the container then has, too. FailedPrecondition: there is a namespace without a type; see
  // SharedOptions::adopt_untyped.
  template <typename Container>
  absl::StatusOr<Container> OpenShared(std::string_view path,
                                       const SharedOptions& options = SharedOptions()) const {
    return Container::Open(*this, path, options);
  }

  // Takes a snapshot of the whole store as it is now, to read from; see Snapshot. Works in a
  // read-only store, too. ResourceExhausted: living processes hold as many snapshots as
  // Options::snapshots allows. Release some, or end scans that were left half way.
  absl::StatusOr<Snapshot> TakeSnapshot() const;

  // Begins a transaction; see Transaction. Errors as of TakeSnapshot(), and InvalidArgument: the
  // timeout is not positive.
  absl::StatusOr<Transaction> Begin(TransactOptions options = TransactOptions()) const;
  // Runs `body` in a transaction and commits it. After a conflict it starts over with a new
  // transaction, until one commits or the timeout is over (DeadlineExceeded). So `body` may run
  // several times; it should change nothing but the transaction. It runs on this thread, and should
  // return the errors of its reads and writes as they are; see Transaction for an example.
  //
  // If `body` returns an error other than Aborted, nothing is changed and that error is returned.
  // If it commits or rolls back itself, the result of that is returned. FailedPrecondition: it
  // moved the transaction away.
  absl::Status Transact(absl::FunctionRef<absl::Status(Transaction&)> body,
                        TransactOptions options = TransactOptions()) const;
  // Makes all writes of a batch at one moment; see WriteBatch. Errors as of Namespace's writes, and
  // DeadlineExceeded: others wrote its keys all the time, for the store's operation_timeout. After
  // an error nothing was changed.
  // InvalidArgument: a namespace of the batch is of another store or another Open().
  absl::Status Write(WriteBatch batch) const;

  // Returns the participants of the store, including dead ones that were not recovered yet.
  absl::StatusOr<std::vector<ParticipantInfo>> Participants() const;
  // The same for the store at `path`, without becoming a participant, so even while every slot is
  // taken. Tells nothing about snapshots and bytes held back. Errors as of Open(), with NotFound if
  // there is no such file.
  static absl::StatusOr<std::vector<ParticipantInfo>> ParticipantsOf(const std::string& path);
  // Returns figures of the store: sizes, counts, and the options that are fixed at creation.
  // Cost: looks at every namespace and at every span of 64 KiB.
  absl::StatusOr<StoreStats> Stats() const;
  // Gives disk space back while other threads and processes go on: moves blocks out of spans that
  // are sparsely used, and out of the end of the file; merges parts of indexes that have become
  // sparse; and gives the disk blocks of all that is free then back to the file system, but for
  // half a megabyte. Handles, views, snapshots and transactions stay as they are. The file itself
  // is cut when the last participant closes the store.
  //
  // The result says how much was gained, and what stands in the way: values that snapshots keep,
  // what readers may still see. A limit ends it early (`done` is false), and the next call goes on.
  // May be killed at any moment. FailedPrecondition: the store was opened read-only.
  // Cost: it looks at every span and every key, and copies what it moves, some 500 MB/s. Others
  // are delayed by microseconds, now and then by a few milliseconds.
  absl::StatusOr<ShrinkReport> ShrinkToUsage(const ShrinkOptions& options = ShrinkOptions()) const;
  // Returns how much of the file is in memory, and in which pages. Maps all of that into this
  // process, but reads nothing from disk and writes nothing. Unavailable: the system does not tell.
  // Cost: some 100 ms for a gibibyte of small pages, hardly anything for large ones.
  absl::StatusOr<MemoryInfo> Memory() const;
  // Recovers dead participants, unless the store was opened read-only. Then walks the whole file:
  // checks every structure and every checksum, and that every block is reachable exactly once or
  // free. Works while others write: it looks again before it reports a leak. Exact only while
  // nothing is written. Faults are in the report; a status that is not OK means that the check
  // could not be made. Cost: linear in the size of the file.
  absl::StatusOr<CheckReport> Check() const;
  // Writes all that is in the store now to disk, and marks the store whole. It then survives the
  // machine going down if nothing is written afterwards. The next write, by any process, makes it a
  // store in use again, which Open() refuses with DataLoss after the machine went down. If others
  // keep writing, the call gives up the mark after a few attempts and returns OK all the same.
  // Unavailable: a participant, which is named, has been inside an operation for stale_after. It is
  // stopped, or busy with a long operation. The bytes are on disk, but without the mark.
  // Cost: writing what has changed since it was last written; milliseconds to seconds.
  absl::Status Sync() const;

  // Writes a dense copy of the store, as it is at one moment, into a new store file, while others
  // go on using the store:
  //
  //   absl::StatusOr<commy::BackupReport> report = store->Backup("/backup/fleet.commy");
  //
  // The copy holds what a snapshot of that moment sees, with all that Compact() keeps. Works in a
  // read-only store, too. The file appears under its name when it is whole and on disk; of a backup
  // that fails, or is killed, nothing is left. Namespaces and sums have no versions: the copy has
  // the paths, types, default times to live and the sums of SharedCounters that are there when it
  // begins, and lacks a namespace that is dropped before it is done.
  //
  // Errors: AlreadyExists: there is a file at `destination`, see BackupOptions::overwrite.
  // FailedPrecondition: that file is a store in use, or no store. ResourceExhausted: no space, or
  // no free snapshot. Cancelled: `progress` returned false.
  // Cost: reads every key; keeps old versions of what others change meanwhile.
  absl::StatusOr<BackupReport> Backup(const std::string& destination,
                                      const BackupOptions& options = BackupOptions()) const;

  // The path that was given to Open().
  [[nodiscard]] const std::string& path() const;

 private:
  friend struct api::HandleAccess;
  explicit Store(std::shared_ptr<engine::OpenStore> state) : state_(std::move(state)) {}

  std::shared_ptr<engine::OpenStore> state_;
};

// Returns the structs of the file with the offset and size of each field in bytes, one a line:
// "<struct>\t<field>\t<offset>\t<size>". `commy layout` prints this.
COMMY_EXPORT std::string DescribeLayout();

// Returns the version of the library, as "0.1.0".
COMMY_EXPORT std::string_view Version();

}  // namespace commy
