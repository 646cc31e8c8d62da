// Where the text of a string is read and changed: in the file, as a snapshot or a transaction sees
// it, or in an edit. Not for users: see shared_string.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/export.h"
#include "commy/internal/sequence.h"

namespace commy::internal {

// The bytes of a text. Whether they are UTF-8 is for those to see that use them.
class COMMY_EXPORT TextSource {
 public:
  // `of_now`: the present state, which others may change between two reads.
  TextSource(Sequence sequence, bool of_now) : from_(std::move(sequence)), of_now_(of_now) {}
  explicit TextSource(SequenceEdit* edit) : from_(edit) {}

  [[nodiscard]] absl::StatusOr<std::uint64_t> Size() const;
  // Calls `use` with the bytes from `from` on, at most `count`, piece by piece, as long as it
  // returns true. One moment. DataLoss: there are elements that are not bytes.
  absl::Status ForEachBytes(std::uint64_t from, std::uint64_t count,
                            absl::FunctionRef<bool(std::string_view)> use) const;
  // Calls `read` with a source for several reads of one moment.
  absl::Status AtOneMoment(absl::FunctionRef<absl::Status(const TextSource&)> read) const;

  absl::Status Append(std::string_view text) const;
  absl::Status Clear() const;
  // Makes the changes of `change`, at one moment; it may run several times. It returns whether it
  // has changed anything; if not, or after an error, nothing is written.
  absl::Status Change(absl::FunctionRef<absl::StatusOr<bool>(SequenceEdit&)> change) const;

  // Of a source that is no edit.
  [[nodiscard]] const Sequence& sequence() const { return *std::get_if<Sequence>(&from_); }

 private:
  std::variant<Sequence, SequenceEdit*> from_;
  bool of_now_ = false;
};

}  // namespace commy::internal
