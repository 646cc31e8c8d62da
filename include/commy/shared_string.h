// A text, found by name and shared between processes.
//
//   absl::StatusOr<commy::SharedString> log = store->OpenShared<commy::SharedString>("job/log");
//   absl::Status done = log->Append("begun at 12:00\n");
//   absl::StatusOr<std::optional<std::uint64_t>> at = log->Find("begun");
//   absl::StatusOr<std::vector<std::string>> lines = log->Lines();
//
// UTF-8     The text is always valid UTF-8: what a program puts in, or looks for, is checked before
//           anything else happens, and it is never cut inside a character.
// POSITIONS are in bytes, the first one is 0, but for CharAt() and Substring(), which count
//           characters. A character is a code point of Unicode. One that a reader takes for one
//           character may be several: so are many emoji, and letters with accents.
// MOMENTS   Each call that changes the text does it at one moment, for all threads and processes,
//           whatever it changes. A read sees one moment.
// SEVERAL   changes at one moment are an Edit(), or a Store::Transact() with In().
// DEATH     A process that is killed in the middle of a call has made its change or not.
// ERRORS    as of Namespace, and
//             InvalidArgument   the given text is not UTF-8: the message has the byte. A position
//                               is inside a character: the message has those before and behind it
//             OutOfRange        a position is past the end
//             NotFound          PopChar() of an empty text
//             DeadlineExceeded  others changed the text all the time, for the store's
//                               operation_timeout
//             DataLoss          bytes in the file are not UTF-8 (the message has the byte), or the
//                               string is damaged. A call sees it of the bytes that it reads
//           After an error nothing has changed. A damaged text can be Set() anew.
// COST      A short Append and PushChar write the string's root, of at most a few KiB. Others are
//           O(log n): they write a leaf of about 4 KiB, or of 64 KiB where much text came at
//           once, and the few nodes above it. What is read or given is in memory once, and as a
//           rule nothing else is; the calls that need more say so. There is nothing to reserve, and
//           nothing to shrink.
//
// docs/containers.md has all calls with their cost and their names in the standard library.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/internal/string_calls.h"

namespace commy {

// Many changes of a string at one moment, at the speed of memory: they are made in this process's
// memory until Publish(). Has all calls of the string; they see the changes.
//
//   absl::StatusOr<commy::StringEdit> edit = log->Edit();
//   status.Update(edit->Append("end\n"));
//   status.Update(edit->Insert(0, "log of the job\n"));
//   status.Update(edit->Publish());
//
// Move-only, and for one thread at a time; use one that was moved from for nothing but to assign
// or destroy it. While it lives it holds a snapshot (see Snapshot for the cost). Destroying one
// that was not published changes nothing.
class COMMY_EXPORT StringEdit : public internal::StringChanges {
 public:
  StringEdit(StringEdit&&) noexcept = default;
  StringEdit& operator=(StringEdit&&) noexcept = default;
  StringEdit(const StringEdit&) = delete;
  StringEdit& operator=(const StringEdit&) = delete;
  ~StringEdit() = default;

  // Makes the changes. Afterwards the edit is over, whatever the result. After an error nothing has
  // changed:
  //   Aborted             the string was changed since the edit began; begin again
  //   DeadlineExceeded    the timeout is over
  //   ResourceExhausted   no room
  //   FailedPrecondition  it was published already, or the string was dropped
  absl::Status Publish();

 private:
  friend class SharedString;
  explicit StringEdit(std::unique_ptr<internal::SequenceEdit> begun);

  std::unique_ptr<internal::SequenceEdit> edit_;  // In one place, since the calls refer to it.
};

// A string as a snapshot sees it: see SharedString::At(). The snapshot must outlive it.
class SnapshotString : public internal::StringReads {
 private:
  friend class SharedString;
  explicit SnapshotString(internal::Sequence at)
      : StringReads(internal::TextSource(std::move(at), /*of_now=*/false)) {}
};

// A string inside a transaction: see SharedString::In(). Reads see the transaction's own changes.
// All takes effect when the transaction commits, which fails if the string was changed by others
// since the transaction began. The transaction must outlive it.
class TransactionString : public internal::StringChanges {
 private:
  friend class SharedString;
  explicit TransactionString(internal::Sequence in)
      : StringChanges(internal::TextSource(std::move(in), /*of_now=*/false)) {}
};

// Cheap to copy; every method is safe from any thread; keeps the store open. A new one is empty.
class COMMY_EXPORT SharedString : public internal::StringChanges {
 public:
  // What the store says of its type.
  static constexpr std::string_view kDescriptor = "string";

  // What Store::OpenShared() calls. InvalidArgument: a default_ttl; a text has none.
  static absl::StatusOr<SharedString> Open(const Store& store, std::string_view path,
                                           const SharedOptions& options);

  // The string as a snapshot sees it, for reads.
  [[nodiscard]] SnapshotString At(const Snapshot& snapshot) const;
  // The string inside a transaction, for reads and changes.
  [[nodiscard]] TransactionString In(Transaction& transaction) const;
  // Begins an edit, to be published within `timeout`; infinite: within the store's
  // operation_timeout. InvalidArgument: it is not positive.
  [[nodiscard]] absl::StatusOr<StringEdit> Edit(
      absl::Duration timeout = absl::InfiniteDuration()) const;

  using StringReads::Equals;
  // Whether both, of one store, had the same text at one moment. O(n), with a copy of one of them.
  absl::StatusOr<bool> Equals(const SharedString& other) const;

  // The namespace that holds the string.
  [[nodiscard]] const Namespace& ns() const { return source_.sequence().ns(); }

 private:
  explicit SharedString(internal::Sequence sequence)
      : StringChanges(internal::TextSource(std::move(sequence), /*of_now=*/true)) {}
};

}  // namespace commy
