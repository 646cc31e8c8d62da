// The elements of a vector, a deque or a string, as bytes. Not for users: see shared_vec.h,
// shared_deque.h and shared_string.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/internal/element_run.h"
#include "commy/namespace.h"
#include "commy/shared_options.h"
#include "commy/snapshot.h"
#include "commy/store.h"
#include "commy/transaction.h"

namespace commy::internal {

using UseRun = absl::FunctionRef<void(const ElementRun&)>;

// A sequence that is being changed, in this process's memory. Reads see the changes. One thread at
// a time. After an error of a change it is of no use, and Publish() returns that error.
class COMMY_EXPORT SequenceEdit {
 public:
  struct State;

  SequenceEdit(SequenceEdit&& other) noexcept;
  SequenceEdit& operator=(SequenceEdit&& other) noexcept;
  SequenceEdit(const SequenceEdit&) = delete;
  SequenceEdit& operator=(const SequenceEdit&) = delete;
  ~SequenceEdit();

  // 0 if the edit is over; that is an error of Size().
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const;
  // Puts `insert` in the place of `erase` elements from `at` on. OutOfRange: they are not there.
  absl::Status Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert);
  // Whether there can be so many more elements, of so many bytes each. OutOfRange;
  // ResourceExhausted: the store can never have that many bytes.
  [[nodiscard]] absl::Status CheckGrowth(std::uint64_t count, std::uint64_t bytes_each) const;
  // Calls `use` with elements from `index` on that lie together. OutOfRange.
  absl::Status Find(std::uint64_t index, UseRun use) const;
  // Calls `use` with the elements from `from` on, at most `count`, piece by piece, as long as it
  // returns true.
  absl::Status ForEachRun(std::uint64_t from, std::uint64_t count,
                          absl::FunctionRef<bool(const ElementRun&)> use) const;

  // Of an edit that BeginEdit() made: makes the changes, at one moment. Aborted: another thread or
  // process has changed the sequence since; begin again. Afterwards it is over.
  absl::Status Publish();

 private:
  friend class Sequence;
  explicit SequenceEdit(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// A sequence as it is now, as a snapshot sees it, or as a transaction does.
class COMMY_EXPORT Sequence {
 public:
  explicit Sequence(Namespace ns) : ns_(std::move(ns)) {}
  // Opens the namespace of a container of this type.
  static absl::StatusOr<Sequence> Open(const Store& store, std::string_view path,
                                       std::string_view type, const SharedOptions& options);

  [[nodiscard]] Sequence At(const Snapshot& snapshot) const;
  [[nodiscard]] Sequence In(Transaction& transaction) const;
  [[nodiscard]] const Namespace& ns() const { return ns_; }
  // Whether it is the sequence as it is now.
  [[nodiscard]] bool of_now() const { return snapshot_ == nullptr && transaction_ == nullptr; }

  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const;
  // Calls `use` once with elements from `index` on that lie together, under a pin. OutOfRange:
  // there are not that many.
  absl::Status Find(std::uint64_t index, UseRun use) const;
  // Calls `use` with the elements from `from` on, at most `count`, as they were at one moment,
  // piece by piece, under a pin. It ends when `use` returns false.
  absl::Status ForEachRun(std::uint64_t from, std::uint64_t count,
                          absl::FunctionRef<bool(const ElementRun&)> use) const;

  // Adds elements at an end, at one moment.
  absl::Status Push(bool back, const ElementRun& run) const;
  // Takes an element from an end, and calls `use` with it. NotFound: there is none.
  absl::Status Pop(bool back, absl::FunctionRef<void(std::string_view)> use) const;
  // Replaces one element. OutOfRange.
  absl::Status Set(std::uint64_t index, const ElementRun& one) const;
  absl::Status Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert) const;
  absl::Status Clear() const;
  // Makes the changes of `change`, at one moment. It runs again, with a new edit, if another thread
  // or process has changed the sequence meanwhile; an error of it changes nothing.
  absl::Status Change(absl::FunctionRef<absl::Status(SequenceEdit&)> change) const;
  // Begins an edit that the caller publishes, within `timeout`; infinite: within the store's
  // operation_timeout.
  [[nodiscard]] absl::StatusOr<SequenceEdit> BeginEdit(absl::Duration timeout) const;

 private:
  absl::Status FindNow(std::uint64_t index, UseRun use) const;
  absl::Status PushInRoot(bool back, const ElementRun& run, std::uint64_t most_bytes,
                          bool* fits) const;
  absl::StatusOr<bool> PopInRoot(bool back, absl::FunctionRef<void(std::string_view)> use) const;

  Namespace ns_;
  const Snapshot* snapshot_ = nullptr;
  Transaction* transaction_ = nullptr;
};

// A snapshot of the store that the sequence is in.
COMMY_EXPORT absl::StatusOr<Snapshot> SnapshotOf(const Sequence& sequence);

// The status of an index past the end.
COMMY_EXPORT absl::Status PastTheEnd(std::uint64_t index, std::uint64_t size);

}  // namespace commy::internal
