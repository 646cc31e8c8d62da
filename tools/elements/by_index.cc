#include "elements/by_index.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"

#include "base/status.h"

namespace commy::tools {
namespace {

using internal::ElementRun;

absl::Status NoElement(const Elements& elements, std::uint64_t index) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, elements.Size());
  return elements.Explained(base::NotFound("the ", base::ToAbsl(elements.form().KindName()), " \"",
                                           elements.path(), "\" has no element ", index,
                                           "; it has ", size, ", and the first one is 0"));
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseIndex(const Elements& elements, std::string_view text) {
  std::uint64_t index = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(text), &index)) {
    return elements.Refusal("expected an index, a number from 0 on, found \"" +
                            absl::CHexEscape(base::ToAbsl(text)) + "\"");
  }
  return index;
}

absl::StatusOr<std::string> GetElement(const Elements& elements,
                                       const std::optional<std::string>& index) {
  if (elements.form().IsString()) {
    return index.has_value() ? elements.Refusal("it has no indexes; leave the index out")
                             : elements.Text();
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t at, ParseIndex(elements, index.value_or("")));
  std::optional<std::string> bytes;
  const absl::Status found = elements.sequence().Find(at, [&bytes](const ElementRun& run) {
    if (const auto first = sequences::ElementOf(run, 0); first.has_value()) {
      bytes.emplace(*first);
    }
  });
  if (absl::IsOutOfRange(found)) {
    return NoElement(elements, at);
  }
  COMMY_RETURN_IF_ERROR(elements.Explained(found));
  return bytes.has_value()
             ? absl::StatusOr<std::string>(*std::move(bytes))
             : elements.Explained(base::DataLoss("the bytes of element ", at, " make no sense"));
}

absl::Status PutElement(const Elements& elements, std::string_view index, std::string_view text) {
  if (elements.form().IsString()) {
    return elements.Refusal("it has no indexes; `commy put STORE NS TEXT` sets its text");
  }
  if (elements.form().IsDeque()) {
    return elements.Refusal("only its ends change; use `commy push` and `commy pop`");
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t at, ParseIndex(elements, index));
  const absl::StatusOr<std::string> bytes = elements.form().ParseValue(text);
  COMMY_RETURN_IF_ERROR(elements.Explained(bytes.status()));
  sequences::RunBuilder run;
  elements.AddTo(*bytes, run);
  const absl::Status set = elements.sequence().Set(at, run.run());
  if (absl::IsOutOfRange(set)) {
    return elements.Explained(base::OutOfRange("namespace \"", elements.path(),
                                               "\": ", set.message(), "; `commy push` adds one"));
  }
  return elements.Explained(set);
}

absl::Status PutText(const Elements& elements, std::string_view text) {
  const absl::StatusOr<std::string> bytes = elements.form().ParseValue(text);
  COMMY_RETURN_IF_ERROR(elements.Explained(bytes.status()));
  sequences::RunBuilder run;
  elements.AddTo(*bytes, run);
  return elements.Explained(elements.sequence().Change(
      [&run](internal::SequenceEdit& edit) { return edit.Splice(0, edit.size(), run.run()); }));
}

absl::Status DeleteElement(const Elements& elements, const std::optional<std::string>& index) {
  if (elements.form().IsString()) {
    return elements.Refusal("it has no elements; `commy put STORE NS ''` empties it");
  }
  if (elements.form().IsDeque()) {
    return elements.Refusal("only its ends change; use `commy pop`");
  }
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t at, ParseIndex(elements, index.value_or("")));
  const absl::Status erased = elements.sequence().Splice(at, 1, {});
  return absl::IsOutOfRange(erased) ? NoElement(elements, at) : elements.Explained(erased);
}

}  // namespace commy::tools
