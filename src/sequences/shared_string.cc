// SharedString and its edits: the handles.
#include "commy/shared_string.h"

#include "base/status.h"

namespace commy {

absl::StatusOr<SharedString> SharedString::Open(const Store& store, std::string_view path,
                                                const SharedOptions& options) {
  COMMY_ASSIGN_OR_RETURN(internal::Sequence opened,
                         internal::Sequence::Open(store, path, kDescriptor, options));
  return SharedString(std::move(opened));
}

SnapshotString SharedString::At(const Snapshot& snapshot) const {
  return SnapshotString(source_.sequence().At(snapshot));
}

TransactionString SharedString::In(Transaction& transaction) const {
  return TransactionString(source_.sequence().In(transaction));
}

absl::StatusOr<StringEdit> SharedString::Edit(absl::Duration timeout) const {
  COMMY_ASSIGN_OR_RETURN(internal::SequenceEdit begun, source_.sequence().BeginEdit(timeout));
  return StringEdit(std::make_unique<internal::SequenceEdit>(std::move(begun)));
}

absl::StatusOr<bool> SharedString::Equals(const SharedString& other) const {
  COMMY_ASSIGN_OR_RETURN(const Snapshot snapshot, internal::SnapshotOf(source_.sequence()));
  COMMY_ASSIGN_OR_RETURN(const std::string text, other.At(snapshot).Get());
  return At(snapshot).Equals(text);
}

StringEdit::StringEdit(std::unique_ptr<internal::SequenceEdit> begun)
    : StringChanges(internal::TextSource(begun.get())), edit_(std::move(begun)) {}

absl::Status StringEdit::Publish() {
  return edit_ == nullptr ? base::FailedPrecondition("the edit was moved from") : edit_->Publish();
}

}  // namespace commy
