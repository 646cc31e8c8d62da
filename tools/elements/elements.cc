#include "elements/elements.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "access.h"
#include "base/status.h"
#include "types/descriptor.h"

namespace commy::tools {
namespace {

using internal::ElementRun;
using sequences::RunBuilder;

constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20U;
constexpr std::uint64_t kChunkElements = 1024;
// The elements of a chunk that is read backwards are in memory before their size is known.
constexpr std::uint64_t kChunkElementsBack = 64;

std::uint64_t WidthOf(const Form& form) {
  return form.IsString() ? 1 : types::FixedSize(*form.value()).value_or(0);
}

absl::Status Damaged() {
  return base::DataLoss("the lengths of elements make no sense");
}

// The elements from `begin` to `end`, or the first of them, as the bytes of `run`.
absl::Status ReadChunk(const internal::Sequence& at, std::uint64_t begin, std::uint64_t end,
                       std::uint64_t most_bytes, RunBuilder& run) {
  run.Clear();
  bool whole = true;
  COMMY_RETURN_IF_ERROR(at.ForEachRun(begin, end - begin, [&](const ElementRun& piece) {
    whole = sequences::IsWhole(piece);
    if (whole) {
      run.Append(piece);
    }
    return whole && run.size_bytes() < most_bytes;
  }));
  return whole ? absl::OkStatus() : Damaged();
}

std::vector<std::string_view> Split(const ElementRun& run) {
  std::vector<std::string_view> elements;
  elements.reserve(run.count);
  std::string_view rest = run.bytes;
  for (std::uint64_t i = 0; i < run.count; ++i) {
    const ElementRun first{run.width, run.count - i, rest};
    const std::string_view element = *sequences::ElementOf(first, 0);
    elements.push_back(element);
    rest.remove_prefix(element.size() + (run.width == 0 ? sequences::kLengthBytes : 0));
  }
  return elements;
}

}  // namespace

absl::Status ForEachChunk(const internal::Sequence& in_snapshot, std::uint64_t from,
                          std::uint64_t to, std::uint64_t limit, bool reverse,
                          absl::FunctionRef<absl::Status(const ElementChunk&)> use) {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, in_snapshot.Size());
  to = std::min(to, size);
  from = std::min(from, to);
  const std::uint64_t wanted = std::min(limit, to - from);
  (reverse ? from : to) = reverse ? to - wanted : from + wanted;
  RunBuilder run;
  while (from < to) {
    const std::uint64_t most = reverse ? kChunkElementsBack : kChunkElements;
    const std::uint64_t count = std::min(to - from, most);
    const std::uint64_t begin = reverse ? to - count : from;
    COMMY_RETURN_IF_ERROR(
        ReadChunk(in_snapshot, begin, begin + count, reverse ? UINT64_MAX : kChunkBytes, run));
    ElementChunk chunk{begin, Split(run.run())};
    if (chunk.elements.empty() || (reverse && chunk.elements.size() != count)) {
      return base::DataLoss("elements are missing from index ", begin, " on");
    }
    if (reverse) {
      chunk.first = to - 1;
      std::reverse(chunk.elements.begin(), chunk.elements.end());
    }
    (reverse ? to : from) = reverse ? begin : begin + chunk.elements.size();
    COMMY_RETURN_IF_ERROR(use(chunk));
  }
  return absl::OkStatus();
}

Elements::Elements(const Store& store, const Namespace& ns, const Form& form)
    : store_(store), form_(form), width_(WidthOf(form)), queue_(internal::Sequence(ns)) {}

absl::Status Elements::Explained(const absl::Status& status) const {
  return Explain(store_, status);
}

absl::Status Elements::Refusal(std::string_view why) const {
  return Explained(base::InvalidArgument("namespace \"", path(), "\" is a ",
                                         base::ToAbsl(form_.KindName()), ": ", base::ToAbsl(why)));
}

void Elements::AddTo(std::string_view bytes, RunBuilder& run) const {
  if (form_.IsString()) {
    run.Append({1, bytes.size(), bytes});
  } else if (width_ != 0 && bytes.size() == width_) {
    run.Append({static_cast<std::uint32_t>(width_), 1, bytes});
  } else {
    const auto length = static_cast<std::uint32_t>(bytes.size());
    std::string with_length(reinterpret_cast<const char*>(&length), sizeof(length));
    with_length += bytes;
    run.Append({0, 1, with_length});
  }
}

absl::StatusOr<std::uint64_t> Elements::Size() const {
  absl::StatusOr<std::uint64_t> size = sequence().Size();
  return size.ok() ? std::move(size) : Explained(size.status());
}

absl::StatusOr<std::string> Elements::Text() const {
  std::string text;
  COMMY_RETURN_IF_ERROR(Explained(sequence().ForEachRun(0, UINT64_MAX, [&](const ElementRun& run) {
    text += run.bytes;
    return true;
  })));
  return text;
}

// The error of a push of `count` elements, with what to do about it.
absl::Status Elements::FullOf(std::uint64_t count, const absl::Status& status) const {
  if (absl::IsInvalidArgument(status)) {
    return Explained(
        absl::InvalidArgumentError(absl::StrCat("the deque \"", path(), "\": ", status.message())));
  }
  if (!absl::IsResourceExhausted(status) && !absl::IsDeadlineExceeded(status)) {
    return Explained(status);
  }
  COMMY_ASSIGN_OR_RETURN(const QueueInfo info, queue_.Info());
  const std::uint64_t capacity = info.limits.capacity;
  if (capacity > info.size && capacity - info.size >= count && absl::IsResourceExhausted(status)) {
    return Explained(status);  // The store is full, not the queue.
  }
  const std::string what =
      absl::StrCat("is full: it has a capacity of ", capacity,
                   absl::IsDeadlineExceeded(status) ? ", and was so all the time" : "",
                   "; pop from it, wait longer with --timeout, or raise it with "
                   "`commy ns set --capacity`");
  return Explained(absl::Status(status.code(), absl::StrCat("the deque \"", path(), "\" ", what)));
}

absl::Status Elements::Push(const std::vector<std::string>& texts, bool back,
                            absl::Duration timeout) const {
  RunBuilder run;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const absl::StatusOr<std::string> bytes = form_.ParseValue(texts[i]);
    if (!bytes.ok()) {
      const std::string which =
          texts.size() == 1 ? "" : absl::StrCat("value ", i + 1, " of ", texts.size(), ": ");
      return Explained(
          absl::Status(bytes.status().code(), absl::StrCat(which, bytes.status().message())));
    }
    if (bytes->size() > internal::kElementBytesMax) {
      return Explained(internal::ElementTooLarge(bytes->size()));
    }
    AddTo(*bytes, run);
  }
  if (form_.IsDeque()) {
    const absl::Status pushed = queue_.Push(back, run.run(), timeout);
    return pushed.ok() ? pushed : FullOf(texts.size(), pushed);
  }
  return Explained(sequence().Push(back, run.run()));
}

absl::Status Elements::PopFromVec(bool back, std::uint64_t most,
                                  std::vector<std::string>& taken) const {
  if (most == 1) {
    return sequence().Pop(back,
                          [&taken](std::string_view element) { taken.emplace_back(element); });
  }
  return sequence().Change([&](internal::SequenceEdit& edit) -> absl::Status {
    taken.clear();
    const std::uint64_t size = edit.size();
    const std::uint64_t count = std::min(most, size);
    if (count == 0) {
      return base::NotFound("it is empty");
    }
    const std::uint64_t from = back ? size - count : 0;
    bool whole = true;
    COMMY_RETURN_IF_ERROR(edit.ForEachRun(from, count, [&](const ElementRun& run) {
      whole = sequences::IsWhole(run);
      for (const std::string_view element : whole ? Split(run) : std::vector<std::string_view>()) {
        taken.emplace_back(element);
      }
      return whole;
    }));
    if (!whole) {
      return Damaged();
    }
    if (back) {
      std::reverse(taken.begin(), taken.end());
    }
    return edit.Splice(from, count, {});
  });
}

absl::StatusOr<std::vector<std::string>> Elements::Pop(bool back, std::uint64_t most,
                                                       absl::Duration timeout) const {
  std::vector<std::string> taken;
  const absl::Status popped =
      form_.IsDeque()
          ? queue_.Pop(back, most, timeout,
                       [&taken](std::string_view element) { taken.emplace_back(element); })
          : PopFromVec(back, most, taken);
  if (absl::IsNotFound(popped)) {
    return Explained(base::NotFound("the ", base::ToAbsl(form_.KindName()), " \"", path(),
                                    "\" is empty; `commy push` adds to it"));
  }
  if (absl::IsDeadlineExceeded(popped) && form_.IsDeque()) {
    return Explained(absl::DeadlineExceededError(absl::StrCat(
        "the deque \"", path(), "\" was empty all the time; `commy queue` shows its state")));
  }
  if (!popped.ok()) {
    return Explained(popped);
  }
  return taken;
}

absl::Status Elements::Return(std::vector<std::string> taken, bool back) const {
  if (back) {
    std::reverse(taken.begin(), taken.end());
  }
  RunBuilder run;
  for (const std::string& element : taken) {
    AddTo(element, run);
  }
  return Explained(form_.IsDeque() ? queue_.Push(back, run.run(), absl::InfiniteDuration())
                                   : sequence().Push(back, run.run()));
}

}  // namespace commy::tools
