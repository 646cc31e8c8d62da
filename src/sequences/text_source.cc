#include "commy/internal/text_source.h"

#include "base/status.h"

namespace commy::internal {

absl::StatusOr<std::uint64_t> TextSource::Size() const {
  if (const Sequence* const sequence = std::get_if<Sequence>(&from_)) {
    return sequence->Size();
  }
  const SequenceEdit& edit = **std::get_if<SequenceEdit*>(&from_);
  if (edit.size() == 0) {
    // An edit that is over has no text, not an empty one.
    absl::Status status = edit.Find(0, [](const ElementRun& /*none*/) {});
    if (!status.ok() && !absl::IsOutOfRange(status)) {
      return status;
    }
  }
  return edit.size();
}

absl::Status TextSource::ForEachBytes(std::uint64_t from, std::uint64_t count,
                                      absl::FunctionRef<bool(std::string_view)> use) const {
  bool bytes = true;
  const auto use_run = [&](const ElementRun& run) {
    bytes = run.width == 1;
    return bytes && use(run.bytes);
  };
  if (const Sequence* const sequence = std::get_if<Sequence>(&from_)) {
    COMMY_RETURN_IF_ERROR(sequence->ForEachRun(from, count, use_run));
  } else {
    COMMY_RETURN_IF_ERROR((*std::get_if<SequenceEdit*>(&from_))->ForEachRun(from, count, use_run));
  }
  return bytes ? absl::OkStatus() : base::DataLoss("the string is not made of bytes");
}

absl::Status TextSource::AtOneMoment(
    absl::FunctionRef<absl::Status(const TextSource&)> read) const {
  if (!of_now_) {
    return read(*this);
  }
  COMMY_ASSIGN_OR_RETURN(const Snapshot snapshot, SnapshotOf(sequence()));
  return read(TextSource(sequence().At(snapshot), /*of_now=*/false));
}

absl::Status TextSource::Append(std::string_view text) const {
  const ElementRun run{1, text.size(), text};
  if (const Sequence* const sequence = std::get_if<Sequence>(&from_)) {
    return sequence->Push(/*back=*/true, run);
  }
  SequenceEdit& edit = **std::get_if<SequenceEdit*>(&from_);
  return edit.Splice(edit.size(), 0, run);
}

absl::Status TextSource::Clear() const {
  if (const Sequence* const sequence = std::get_if<Sequence>(&from_)) {
    return sequence->Clear();
  }
  SequenceEdit& edit = **std::get_if<SequenceEdit*>(&from_);
  return edit.Splice(0, edit.size(), {});
}

absl::Status TextSource::Change(
    absl::FunctionRef<absl::StatusOr<bool>(SequenceEdit&)> change) const {
  if (SequenceEdit* const* const edit = std::get_if<SequenceEdit*>(&from_)) {
    return change(**edit).status();
  }
  bool nothing = false;
  absl::Status status = sequence().Change([&](SequenceEdit& edit) -> absl::Status {
    const absl::StatusOr<bool> changed = change(edit);
    nothing = changed.ok() && !*changed;
    return nothing ? absl::CancelledError("there is nothing to change") : changed.status();
  });
  return nothing && absl::IsCancelled(status) ? absl::OkStatus() : status;
}

}  // namespace commy::internal
