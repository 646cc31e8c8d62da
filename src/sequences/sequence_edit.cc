// SequenceEdit, and the transactions in which sequences are changed.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "api/handle_access.h"
#include "base/status.h"
#include "commy/internal/vec_calls.h"
#include "sequences/root_change.h"
#include "sequences/sequence_state.h"

namespace commy::internal {

SequenceEdit::State::State(transactions::TransactionState& within,
                           const std::shared_ptr<const engine::NamespaceState>& of)
    : transaction(&within), ns(of), reader(within, of), edit(reader, sequences::FreshNode(*of)) {}

SequenceEdit::SequenceEdit(std::unique_ptr<State> state) : state_(std::move(state)) {}
SequenceEdit::SequenceEdit(SequenceEdit&& other) noexcept = default;
SequenceEdit& SequenceEdit::operator=(SequenceEdit&& other) noexcept = default;
SequenceEdit::~SequenceEdit() = default;

namespace {

absl::Status IsOver() {
  return base::FailedPrecondition("the edit is over: it was published or moved from");
}

}  // namespace

std::uint64_t SequenceEdit::size() const {
  return state_ == nullptr ? 0 : state_->edit.size();
}

absl::StatusOr<std::uint64_t> SequenceEdit::Size() const {
  return state_ == nullptr ? absl::StatusOr<std::uint64_t>(IsOver()) : state_->edit.size();
}

absl::Status SequenceEdit::Splice(std::uint64_t at, std::uint64_t erase, const ElementRun& insert) {
  if (state_ == nullptr) {
    return IsOver();
  }
  if (!state_->failed.ok()) {
    return state_->failed;
  }
  absl::Status status = sequences::OneMoment(state_->edit.Splice(at, erase, insert));
  if (!absl::IsOutOfRange(status)) {  // Which comes before anything is changed.
    state_->failed.Update(status);
  }
  return status;
}

absl::Status SequenceEdit::CheckGrowth(std::uint64_t count, std::uint64_t bytes_each) const {
  if (state_ == nullptr) {
    return IsOver();
  }
  const std::uint64_t most_bytes = state_->ns->engine().region.geometry().max_size_bytes;
  if (count > UINT64_MAX / 4 - size()) {
    return base::OutOfRange("there cannot be ", count, " more elements");
  }
  return count <= most_bytes / std::max<std::uint64_t>(1, bytes_each)
             ? absl::OkStatus()
             : base::ResourceExhausted(count, " elements of ", bytes_each,
                                       " bytes are more than the store's max_size of ", most_bytes,
                                       " bytes");
}

absl::Status SequenceEdit::Find(std::uint64_t index, UseRun use) const {
  if (state_ == nullptr) {
    return IsOver();
  }
  return index < size() ? sequences::OneMoment(state_->edit.Find(index, use))
                        : PastTheEnd(index, size());
}

absl::Status SequenceEdit::ForEachRun(std::uint64_t from, std::uint64_t count,
                                      absl::FunctionRef<bool(const ElementRun&)> use) const {
  if (state_ == nullptr) {
    return IsOver();
  }
  bool more = true;
  while (more && count > 0 && from < size()) {
    COMMY_RETURN_IF_ERROR(Find(from, [&](const ElementRun& run) {
      const ElementRun piece = *sequences::Slice(run, 0, count);
      from += piece.count;
      count -= piece.count;
      more = use(piece);
    }));
  }
  return absl::OkStatus();
}

absl::Status EditSource::Pop(bool back, absl::FunctionRef<void(std::string_view)> use) const {
  if (edit_->size() == 0) {
    return base::NotFound("the sequence is empty");
  }
  const std::uint64_t index = back ? edit_->size() - 1 : 0;
  std::string element;
  COMMY_RETURN_IF_ERROR(edit_->Find(
      index, [&element](const ElementRun& run) { element.assign(*sequences::ElementOf(run, 0)); }));
  COMMY_RETURN_IF_ERROR(edit_->Splice(index, 1, {}));
  use(element);
  return absl::OkStatus();
}

absl::Status SequenceEdit::Publish() {
  const std::unique_ptr<State> state = std::move(state_);
  if (state == nullptr || !state->own.has_value()) {
    return IsOver();
  }
  COMMY_RETURN_IF_ERROR(state->failed);
  COMMY_RETURN_IF_ERROR(
      sequences::OneMoment(state->edit.Publish(*state->transaction, state->ns, true)));
  absl::Status committed = state->own->Commit();
  return absl::IsAborted(committed)
             ? absl::AbortedError(absl::StrCat("\"", state->ns->path,
                                               "\" was changed since the edit began; begin again"))
             : std::move(committed);
}

}  // namespace commy::internal

namespace commy::sequences {

using internal::SequenceEdit;

absl::Status OneMoment(absl::Status status) {
  return IsMoved(status) ? base::DataLoss("a node of the sequence is missing") : std::move(status);
}

absl::Status ChangeSequence(const Namespace& ns, Transaction* transaction, int attempts,
                            absl::FunctionRef<absl::Status(SequenceEdit::State&)> change) {
  const std::shared_ptr<const engine::NamespaceState>& state = api::HandleAccess::StateOf(ns);
  if (transaction != nullptr) {
    transactions::TransactionState* const within = api::HandleAccess::StateOf(*transaction);
    if (within == nullptr) {
      return base::FailedPrecondition("the transaction was moved from");
    }
    COMMY_RETURN_IF_ERROR(within->CheckWrite(*state, {}));
    SequenceEdit::State edit(*within, state);
    COMMY_RETURN_IF_ERROR(OneMoment(edit.edit.Load()));
    const absl::Status changed = OneMoment(change(edit));
    if (absl::IsDataLoss(changed)) {
      COMMY_RETURN_IF_ERROR(edit.edit.CheckUnchanged());  // Which may be why a node is missing.
    }
    COMMY_RETURN_IF_ERROR(changed);
    return OneMoment(edit.edit.Publish(*within, state, /*lasting=*/false));
  }
  std::unique_ptr<SequenceEdit::State> edit;  // Until the commit has ended.
  int attempt = 0;
  absl::Status last;
  const auto body = [&](Transaction& txn) -> absl::Status {
    if (attempts != 0 && attempt++ == attempts) {
      last = absl::AbortedError("others have changed the sequence");
      return base::Internal("no more attempts");
    }
    transactions::TransactionState& within = *api::HandleAccess::StateOf(txn);
    edit = std::make_unique<SequenceEdit::State>(within, state);
    COMMY_RETURN_IF_ERROR(OneMoment(edit->edit.Load()));
    COMMY_RETURN_IF_ERROR(OneMoment(change(*edit)));
    return OneMoment(edit->edit.Publish(within, state, /*lasting=*/true));
  };
  const absl::Status done = api::HandleAccess::StoreOf(ns).Transact(body);
  return last.ok() ? done : last;
}

}  // namespace commy::sequences
