#include "elements/loading.h"

#include <optional>
#include <string>

#include "absl/strings/numbers.h"

#include "base/status.h"
#include "tsv.h"
#include "typed/parts.h"

namespace commy::tools {
namespace {

// A change of a sequence writes a run as a whole.
constexpr std::uint64_t kRunBytes = std::uint64_t{1} << 20U;

bool IsIndex(std::string_view text) {
  std::uint64_t ignored = 0;
  return absl::SimpleAtoi(base::ToAbsl(text), &ignored);
}

}  // namespace

absl::Status LoadedElements::Add(std::string_view bytes) {
  if (bytes.size() > internal::kElementBytesMax) {
    return internal::ElementTooLarge(bytes.size());
  }
  if (runs_.empty() || runs_.back().size_bytes() >= kRunBytes) {
    runs_.emplace_back();
  }
  elements_.AddTo(bytes, runs_.back());
  ++count_;
  size_bytes_ += bytes.size();
  return absl::OkStatus();
}

absl::Status LoadedElements::AddTsv(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab != std::string_view::npos) {
    if (elements_.form().IsString() || !IsIndex(line.substr(0, tab))) {
      return base::InvalidArgument(
          "a tab (write one inside a field as \\t): a line is ",
          elements_.form().IsString() ? "text" : "an element, or its index, a tab and the element");
    }
    line.remove_prefix(tab + 1);
  }
  COMMY_ASSIGN_OR_RETURN(const std::string text, ParseTsvField(line));
  COMMY_ASSIGN_OR_RETURN(const std::string bytes, elements_.form().ParseStored(text));
  return Add(bytes);
}

absl::Status LoadedElements::AddJson(std::string_view line) {
  COMMY_ASSIGN_OR_RETURN(const Json object, ParseJson(line));
  if (!object.is_object()) {
    return base::InvalidArgument("not a JSON object");
  }
  for (const auto& [name, member] : object.items()) {
    if (name != "value" && name != "value_base64" &&
        (name != "deliveries" || !elements_.form().IsDeque()) &&
        (name != "index" || elements_.form().IsString())) {
      return base::InvalidArgument("an unknown member ", Json(name).dump(), " (", Found(member),
                                   ")");
    }
  }
  COMMY_ASSIGN_OR_RETURN(const std::string bytes, elements_.form().TakeValue(object));
  const auto deliveries = object.find("deliveries");
  return deliveries == object.end() ? Add(bytes) : AddReturned(*deliveries, bytes);
}

absl::Status LoadedElements::AddReturned(const Json& deliveries, const std::string& bytes) {
  if (!deliveries.is_number_unsigned() || deliveries.get<std::uint64_t>() > UINT32_MAX) {
    return base::InvalidArgument("\"deliveries\": expected a number of 32 bits, found ",
                                 Found(deliveries));
  }
  if (!runs_.empty()) {
    return base::InvalidArgument(
        "an element with \"deliveries\" behind one without: those that were returned come first");
  }
  if (bytes.size() > internal::kElementBytesMax) {
    return internal::ElementTooLarge(bytes.size());
  }
  returned_.push_back({bytes, deliveries.get<std::uint32_t>()});
  ++count_;
  size_bytes_ += bytes.size();
  return absl::OkStatus();
}

// A deque tells those that wait, and has limits, which hold for the new content from then on.
absl::Status LoadedElements::PutInDeque(bool replace, const LimitOptions& limits) const {
  const internal::Queue& queue = elements_.queue();
  COMMY_ASSIGN_OR_RETURN(const QueueInfo info, queue.Info());
  const QueueLimits wanted = limits.Over(info.limits);
  COMMY_RETURN_IF_ERROR(
      CheckDeadLetters(elements_.store(), elements_.path(), elements_.form().type(), wanted));
  return elements_.store().Transact([&](Transaction& txn) -> absl::Status {
    const internal::Queue in = queue.In(txn);
    QueueLimits meanwhile = wanted;
    if (replace) {
      meanwhile.capacity = UINT64_MAX;  // Elements that were returned count beyond it.
      COMMY_RETURN_IF_ERROR(in.Clear());
    }
    const bool any = replace || limits.Any();
    COMMY_RETURN_IF_ERROR(any ? in.SetLimits(meanwhile) : absl::OkStatus());
    for (const ReturnedElement& element : returned_) {
      sequences::RunBuilder run;
      elements_.AddTo(element.bytes, run);
      // Behind what is there already it is an element like others.
      COMMY_RETURN_IF_ERROR(replace ? in.PutReturned(run.run(), element.deliveries)
                                    : in.Push(/*back=*/true, run.run(), absl::ZeroDuration()));
    }
    for (const sequences::RunBuilder& run : runs_) {
      COMMY_RETURN_IF_ERROR(in.Push(/*back=*/true, run.run(), absl::ZeroDuration()));
    }
    return replace ? in.SetLimits(wanted) : absl::OkStatus();
  });
}

absl::Status LoadedElements::Put(bool replace, const LimitOptions& limits) const {
  if (elements_.form().IsDeque()) {
    return PutInDeque(replace, limits);
  }
  return elements_.sequence().Change([&](internal::SequenceEdit& edit) -> absl::Status {
    if (replace) {
      COMMY_RETURN_IF_ERROR(edit.Splice(0, edit.size(), {}));
    }
    for (const sequences::RunBuilder& run : runs_) {
      COMMY_RETURN_IF_ERROR(edit.Splice(edit.size(), 0, run.run()));
    }
    return absl::OkStatus();
  });
}

absl::Status LoadedElements::Replace(const LimitOptions& limits) const {
  return Put(/*replace=*/true, limits);
}

absl::Status LoadedElements::Append(const LimitOptions& limits) const {
  return Put(/*replace=*/false, limits);
}

}  // namespace commy::tools
