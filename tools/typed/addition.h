// Adding to a value that is an integer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "types/descriptor.h"

namespace commy::tools {

// The bytes of `bytes` + `delta` as values of `type`, which is an integer; absent bytes are 0.
// OutOfRange: the type has no such number. InvalidArgument: the bytes are not of the type.
absl::StatusOr<std::string> AddToInteger(const types::Type& type,
                                         std::optional<std::string_view> bytes, std::int64_t delta);

}  // namespace commy::tools
