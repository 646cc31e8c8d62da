// What the codecs of all types share.
#include "commy/codec.h"

#include <limits>

#include "base/status.h"

namespace commy::internal {
namespace {

constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);

}  // namespace

absl::Status WrongBytes(std::string_view type, std::size_t size_bytes, std::string_view expected) {
  return base::DataLoss("a value of type ", base::ToAbsl(type), " cannot be read: of ", size_bytes,
                        " bytes; expected: ", base::ToAbsl(expected));
}

void AppendLength(std::size_t size_bytes, std::string* bytes) {
  const auto length = static_cast<std::uint32_t>(size_bytes);
  bytes->append(reinterpret_cast<const char*>(&length), kLengthBytes);
}

absl::StatusOr<std::string_view> TakePart(std::string_view type, std::size_t fixed_bytes,
                                          std::string_view* rest) {
  std::size_t size = fixed_bytes;
  std::string_view left = *rest;
  if (fixed_bytes == 0) {
    std::uint32_t length = 0;
    if (left.size() < kLengthBytes) {
      return WrongBytes(type, left.size(), "the length of its next part");
    }
    std::memcpy(&length, left.data(), kLengthBytes);
    left.remove_prefix(kLengthBytes);
    size = length;
  }
  if (left.size() < size) {
    return WrongBytes(type, left.size(), std::to_string(size) + " of its next part");
  }
  const std::string_view part = left.substr(0, size);
  left.remove_prefix(size);
  *rest = left;
  return part;
}

std::int64_t DurationToNs(absl::Duration duration) {
  // Saturates at both ends.
  return absl::ToInt64Nanoseconds(duration);
}

absl::Duration DurationFromNs(std::int64_t ns) {
  return ns == kLatest     ? absl::InfiniteDuration()
         : ns == kEarliest ? -absl::InfiniteDuration()
                           : absl::Nanoseconds(ns);
}

std::int64_t TimeToNs(absl::Time time) {
  return DurationToNs(time - absl::UnixEpoch());
}

absl::Time TimeFromNs(std::int64_t ns) {
  return ns == kLatest     ? absl::InfiniteFuture()
         : ns == kEarliest ? absl::InfinitePast()
                           : absl::UnixEpoch() + absl::Nanoseconds(ns);
}

}  // namespace commy::internal
