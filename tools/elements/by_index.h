// put, get and del of an element by its index, and of the text of a string, which has none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "elements/elements.h"

namespace commy::tools {

// InvalidArgument: the text is not an index.
absl::StatusOr<std::uint64_t> ParseIndex(const Elements& elements, std::string_view text);

// The bytes of an element; of a string its text. NotFound: there is no such element.
absl::StatusOr<std::string> GetElement(const Elements& elements,
                                       const std::optional<std::string>& index);
// Replaces an element of a vector. OutOfRange: there is no such element.
absl::Status PutElement(const Elements& elements, std::string_view index, std::string_view text);
// Replaces the text of a string.
absl::Status PutText(const Elements& elements, std::string_view text);
// Erases an element of a vector; those behind it move up. NotFound: there is no such element.
absl::Status DeleteElement(const Elements& elements, const std::optional<std::string>& index);

}  // namespace commy::tools
