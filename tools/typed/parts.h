// What the JSON of keys and of values has in common: where a fault is, and the parts of a composite
// type.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "base/status.h"
#include "jsonl.h"
#include "types/descriptor.h"

namespace commy::tools {

// The way from a whole key or value to a part of it, innermost step first. It lives on the stack of
// the functions that walk a type.
struct Path {
  const Path* up = nullptr;  // Null: the whole, which has no step.
  std::string_view field;    // Empty: a part without a name.
  std::size_t index = 0;
};

// The step to part `i` of `type`.
Path StepTo(const Path& up, const types::Type& type, std::size_t i);

// ".pos.x", "[2].name"; of the whole the empty text.
std::string ToText(const Path& path);

// InvalidArgument: ".pos.x: " and the message.
template <typename... Parts>
absl::Status Wrong(const Path& path, const Parts&... parts) {
  const std::string where = ToText(path);
  return where.empty() ? base::InvalidArgument(parts...)
                       : base::InvalidArgument(where, ": ", parts...);
}
// Puts the place before the message of a status.
absl::Status At(const Path& path, const absl::Status& status);

// Reads JSON. InvalidArgument: it is not JSON, an object has a member twice (the message names it),
// or it is nested deeper than that of any type.
absl::StatusOr<Json> ParseJson(std::string_view text);

// "an array", "the number -1", "a string": what was found in place of something else.
std::string Found(const Json& json);

// The JSON of each part of a struct, tuple, array or vector, in the order of the type.
// InvalidArgument names a missing or unknown field, or says that the number of parts is another.
absl::StatusOr<std::vector<const Json*>> PartsOf(const types::Type& type, const Json& json,
                                                 const Path& path);

// An object (struct) or array to which AddPart() adds the parts.
Json EmptyParts(const types::Type& type);
void AddPart(const types::Type& type, std::size_t i, Json part, Json& parts);

// The type of part `i` of a struct, tuple, array or vector.
const types::Type& PartType(const types::Type& type, std::size_t i);

}  // namespace commy::tools
