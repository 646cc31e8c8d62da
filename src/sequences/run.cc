#include "sequences/run.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace commy::sequences {
namespace {

std::uint32_t LengthAt(std::string_view bytes, std::uint64_t at) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + at, sizeof(length));
  return length;
}

// The offset behind the element that begins at `at`.
std::optional<std::uint64_t> Behind(std::string_view bytes, std::uint64_t at) {
  if (bytes.size() - at < kLengthBytes) {
    return std::nullopt;
  }
  const std::uint64_t length = LengthAt(bytes, at);
  if (bytes.size() - at - kLengthBytes < length) {
    return std::nullopt;
  }
  return at + kLengthBytes + length;
}

void AppendElement(std::string_view element, std::string* bytes) {
  const auto length = static_cast<std::uint32_t>(element.size());
  bytes->append(reinterpret_cast<const char*>(&length), sizeof(length));
  bytes->append(element);
}

void AppendWithLengths(const ElementRun& run, std::string* bytes) {
  for (std::uint64_t i = 0; i < run.count; ++i) {
    AppendElement(run.bytes.substr(i * run.width, run.width), bytes);
  }
}

}  // namespace

std::optional<std::uint64_t> OffsetOf(const ElementRun& run, std::uint64_t index) {
  if (index > run.count) {
    return std::nullopt;
  }
  if (run.width != 0) {
    return run.bytes.size() / run.width < index ? std::nullopt : std::optional(index * run.width);
  }
  std::optional<std::uint64_t> at = 0;
  for (std::uint64_t i = 0; i < index && at.has_value(); ++i) {
    at = Behind(run.bytes, *at);
  }
  return at;
}

bool IsWhole(const ElementRun& run) {
  if (run.width != 0) {
    return run.bytes.size() % run.width == 0 && run.bytes.size() / run.width == run.count;
  }
  return OffsetOf(run, run.count) == run.bytes.size();
}

std::optional<ElementRun> Slice(const ElementRun& run, std::uint64_t from, std::uint64_t count) {
  const std::uint64_t taken = std::min(count, run.count - std::min(from, run.count));
  const std::optional<std::uint64_t> begin = OffsetOf(run, from);
  if (!begin.has_value()) {
    return std::nullopt;
  }
  const ElementRun rest{run.width, run.count - from, run.bytes.substr(*begin)};
  const std::optional<std::uint64_t> end =
      taken == rest.count ? std::optional<std::uint64_t>(rest.bytes.size()) : OffsetOf(rest, taken);
  if (!end.has_value()) {
    return std::nullopt;
  }
  return ElementRun{run.width, taken, rest.bytes.substr(0, *end)};
}

std::optional<std::string_view> ElementOf(const ElementRun& run, std::uint64_t index) {
  const std::optional<ElementRun> one =
      index < run.count ? Slice(run, index, 1) : std::optional<ElementRun>();
  if (!one.has_value() || one->count != 1) {
    return std::nullopt;
  }
  if (run.width != 0) {
    return one->bytes.size() == run.width ? std::optional(one->bytes) : std::nullopt;
  }
  return Behind(one->bytes, 0) == one->bytes.size() ? std::optional(one->bytes.substr(kLengthBytes))
                                                    : std::nullopt;
}

void RunBuilder::Append(const ElementRun& piece) {
  COMMY_DCHECK(IsWhole(piece));
  if (piece.count == 0) {
    return;
  }
  if (count_ == 0) {
    width_ = piece.width;
    bytes_.clear();
  }
  if (width_ != piece.width && width_ != 0) {
    BecomeVariable();
  }
  if (width_ == piece.width) {
    bytes_.append(piece.bytes);
  } else {
    AppendWithLengths(piece, &bytes_);
  }
  count_ += piece.count;
}

void RunBuilder::BecomeVariable() {
  std::string bytes;
  AppendWithLengths(run(), &bytes);
  bytes_ = std::move(bytes);
  width_ = 0;
}

void RunBuilder::Clear() {
  count_ = 0;
  width_ = 0;
  bytes_.clear();
}

}  // namespace commy::sequences
