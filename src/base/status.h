// Helpers around absl::Status that the whole engine uses.
//
// This floor has what every other one needs: statuses and results, checks, bytes, hashes, and the
// atomics that lie in the file. It touches no other floor, and makes no system call. Begin reading
// here, then in result.h and shared_atomic.h.
//
// Abseil may be built with string types of its own, which do not convert to the standard ones. All
// of the engine speaks std::string_view; the two converters here and the error builders below are
// the only places where the two families meet.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace commy::base {

inline absl::string_view ToAbsl(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}
inline std::string_view ToStd(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

// Arguments are what absl::StrCat takes; a std::string_view goes through ToAbsl.
template <typename... Parts>
absl::Status NotFound(const Parts&... parts) {
  return absl::NotFoundError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status AlreadyExists(const Parts&... parts) {
  return absl::AlreadyExistsError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status FailedPrecondition(const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status ResourceExhausted(const Parts&... parts) {
  return absl::ResourceExhaustedError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status DataLoss(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status OutOfRange(const Parts&... parts) {
  return absl::OutOfRangeError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status Unavailable(const Parts&... parts) {
  return absl::UnavailableError(absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status Internal(const Parts&... parts) {
  return absl::InternalError(absl::StrCat(parts...));
}

// "0x1f40", for messages that name an offset.
inline std::string Hex(std::uint64_t value) {
  return absl::StrCat("0x", absl::Hex(value));
}

// The status for a failed system call: the code that fits `error_number`, and a message
// "<what>: <strerror>", with "; <what to do>" behind it where the error's own words mislead.
absl::Status ErrnoStatus(int error_number, std::string_view what);

}  // namespace commy::base

#define COMMY_CONCAT_INNER(a, b) a##b
#define COMMY_CONCAT(a, b) COMMY_CONCAT_INNER(a, b)

// Leaves the function with the status of `expression` unless it is OK.
#define COMMY_RETURN_IF_ERROR(expression)                                              \
  do {                                                                                 \
    if (absl::Status commy_status_ = (expression); !commy_status_.ok()) [[unlikely]] { \
      return commy_status_;                                                            \
    }                                                                                  \
  } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): `target` may be a declaration.
// `target` = the value of the StatusOr `expression`, or leaves with its status. `target` may be a
// declaration.
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration has no parentheses around it.
#define COMMY_ASSIGN_OR_RETURN(target, expression) \
  COMMY_ASSIGN_OR_RETURN_INNER(COMMY_CONCAT(commy_or_, __LINE__), target, expression)
#define COMMY_ASSIGN_OR_RETURN_INNER(name, target, expression) \
  auto name = (expression);                                    \
  if (!name.ok()) [[unlikely]] {                               \
    return std::move(name).status();                           \
  }                                                            \
  target = *std::move(name)
// NOLINTEND(bugprone-macro-parentheses)
// NOLINTEND(bugprone-macro-parentheses)
