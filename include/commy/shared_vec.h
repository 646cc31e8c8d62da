// Vectors of elements of the program's own types, found by name and shared between processes.
//
//   absl::StatusOr<commy::SharedVec<double>> samples =
//       store->OpenShared<commy::SharedVec<double>>("lab/samples");
//   absl::Status done = samples->PushBack(1.5);
//   absl::StatusOr<double> first = samples->At(0);
//   double sum = 0;
//   done = samples->ForEachPiece([&sum](std::span<const double> piece) {
//     for (const double each : piece) sum += each;
//   });
//
// ELEMENTS  any type with a commy::Codec. Those of plain types (numbers, structs of them) lie in
//           the file as in memory, in pieces of up to 64 KiB, and can be read there.
// MOMENTS   Each call that changes the vector does it at one moment, for all threads and processes,
//           whatever it changes: an Append of a million elements, too. A read of one element, a
//           slice, a walk and a range each see one moment.
// SEVERAL   changes at one moment are an Edit(), or a Store::Transact() with In().
// DEATH     A process that is killed in the middle of a call has made its change or not.
// ERRORS    as of Namespace, and
//             OutOfRange        an index is past the end; nothing has changed
//             NotFound          a pop of an empty vector
//             DeadlineExceeded  others changed the vector all the time, for the store's
//                               operation_timeout; nothing has changed
//             DataLoss          an element in the file is not of the type, or the vector is damaged
// COST      A push, a pop and a change of one of the first or last elements write the vector's
//           root, of at most a few KiB. Others are O(log n): they write a leaf of about 4 KiB and
//           the few nodes above it. There is nothing to reserve, and nothing to shrink.
//
// docs/containers.md has all calls with their cost and their names in the standard library.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "commy/internal/vec_calls.h"

namespace commy {

// Many changes of a vector at one moment, at the speed of memory: they are made in this process's
// memory until Publish(). Has all calls of the vector but Range(); they see the changes.
//
//   absl::StatusOr<commy::VecEdit<double>> edit = samples->Edit();
//   for (int i = 0; i < 1'000'000; ++i) status.Update(edit->PushBack(i));
//   status.Update(edit->Publish());
//
// Move-only, and for one thread at a time; use one that was moved from for nothing but to assign or
// destroy it. While it lives it holds a snapshot (see Snapshot for the cost). Destroying one that
// was not published changes nothing.
template <typename T>
class VecEdit : public internal::VecChanges<T, internal::EditSource> {
  using Base = internal::VecChanges<T, internal::EditSource>;

 public:
  explicit VecEdit(std::unique_ptr<internal::SequenceEdit> begun)
      : Base(internal::EditSource(begun.get())), edit_(std::move(begun)) {}

  // Makes the changes. Afterwards the edit is over, whatever the result. After an error nothing has
  // changed:
  //   Aborted             the vector was changed since the edit began; begin again
  //   DeadlineExceeded    the timeout is over
  //   ResourceExhausted   no room
  //   FailedPrecondition  it was published already, or the vector was dropped
  absl::Status Publish() { return edit_->Publish(); }

 private:
  std::unique_ptr<internal::SequenceEdit> edit_;  // In one place, since the calls refer to it.
};

// A vector as a snapshot sees it: see SharedVec::At(). The snapshot must outlive it.
template <typename T>
class SnapshotVec : public internal::VecReads<T, internal::Sequence> {
  using Base = internal::VecReads<T, internal::Sequence>;

 public:
  explicit SnapshotVec(internal::Sequence at) : Base(std::move(at)) {}
  // See SharedVec::Range().
  internal::ElementRange<T> Range(std::uint64_t from = 0, std::uint64_t count = UINT64_MAX) const {
    return internal::ElementRange<T>(this->source_, false, from, count);
  }
};

// A vector inside a transaction: see SharedVec::In(). Reads see the transaction's own changes. All
// takes effect when the transaction commits, which fails if the vector was changed by others since
// the transaction began. The transaction must outlive it.
template <typename T>
class TransactionVec : public internal::VecChanges<T, internal::Sequence> {
  using Base = internal::VecChanges<T, internal::Sequence>;

 public:
  explicit TransactionVec(internal::Sequence in) : Base(std::move(in)) {}
  // See SharedVec::Range(). The vector must not be changed until the range is at its end.
  internal::ElementRange<T> Range(std::uint64_t from = 0, std::uint64_t count = UINT64_MAX) const {
    return internal::ElementRange<T>(this->source_, false, from, count);
  }
};

// Cheap to copy; every method is safe from any thread; keeps the store open.
template <typename T>
class SharedVec : public internal::VecChanges<T, internal::Sequence> {
  using Base = internal::VecChanges<T, internal::Sequence>;

 public:
  // What the store says of its type: "vec<f64>".
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kVecOpen, Codec<T>::kDescriptor, internal::kClose>::kValue;

  // What Store::OpenShared() calls. InvalidArgument: a default_ttl; elements have none.
  static absl::StatusOr<SharedVec> Open(const Store& store, std::string_view path,
                                        const SharedOptions& options) {
    absl::StatusOr<internal::Sequence> opened =
        internal::Sequence::Open(store, path, kDescriptor, options);
    return opened.ok() ? absl::StatusOr<SharedVec>(SharedVec(*std::move(opened))) : opened.status();
  }

  using Base::At;
  // The vector as a snapshot sees it, for reads.
  [[nodiscard]] SnapshotVec<T> At(const Snapshot& snapshot) const {
    return SnapshotVec<T>(this->source_.At(snapshot));
  }
  // The vector inside a transaction, for reads and changes.
  [[nodiscard]] TransactionVec<T> In(Transaction& transaction) const {
    return TransactionVec<T>(this->source_.In(transaction));
  }
  // Begins an edit, to be published within `timeout`; infinite: within the store's
  // operation_timeout. InvalidArgument: it is not positive.
  [[nodiscard]] absl::StatusOr<VecEdit<T>> Edit(
      absl::Duration timeout = absl::InfiniteDuration()) const {
    absl::StatusOr<internal::SequenceEdit> begun = this->source_.BeginEdit(timeout);
    if (!begun.ok()) {
      return begun.status();
    }
    return VecEdit<T>(std::make_unique<internal::SequenceEdit>(*std::move(begun)));
  }

  // The elements from `from` on, at most `count`, as they are when begin() is called, for a
  // range-based for loop. An error ends the range early, so check its status() afterwards. Holds a
  // snapshot until it is at its end or destroyed.
  internal::ElementRange<T> Range(std::uint64_t from = 0, std::uint64_t count = UINT64_MAX) const {
    return internal::ElementRange<T>(this->source_, true, from, count);
  }

  // Whether both have the same elements, as they were at one moment.
  absl::StatusOr<bool> Equals(const SharedVec& other) const requires std::equality_comparable<T> {
    absl::StatusOr<Snapshot> snapshot = internal::SnapshotOf(this->source_);
    if (!snapshot.ok()) {
      return snapshot.status();
    }
    const absl::StatusOr<std::vector<T>> values = other.At(*snapshot).ToVector();
    return values.ok() ? At(*snapshot).Equals(*values) : values.status();
  }
  using Base::Equals;

  // The namespace that holds the vector.
  [[nodiscard]] const Namespace& ns() const { return this->source_.ns(); }

 private:
  explicit SharedVec(internal::Sequence sequence) : Base(std::move(sequence)) {}
};

}  // namespace commy
