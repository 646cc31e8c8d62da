// Values of a type, as text of the command line and as JSON. docs/types.md has the encodings.
//
//   const types::Type type = *types::ParseType("struct P{x:f64,tag:optional<string>}");
//   FormatValue(type, bytes);                        // {"x":0.5,"tag":null}
//   ParseValue(type, R"({"tag":"a","x":1})");        // The bytes.
//
// TEXT      A scalar is its text (see scalar.h); everything else is JSON.
// SHORTER   A struct that is the whole value may be an older form, with fewer fields: they are left
//           out. Parsing needs all fields.
// OPAQUE    A message or custom type, as a whole value, is its bytes as they are; in JSON a string,
//           or {"base64":"..."} if it is not UTF-8.
// ERRORS    InvalidArgument with the place of the part (".pos.x", "[2]"), what was expected there
//           and what was found. Formatting takes any bytes. What it takes parses to the same bytes
//           again; only a NaN becomes the usual one, and an older form the whole struct's if the
//           fields that are missing are added.
// THREADS   All functions are pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "jsonl.h"
#include "types/descriptor.h"

namespace commy::tools {

absl::StatusOr<std::string> FormatValue(const types::Type& type, std::string_view bytes);
absl::StatusOr<std::string> ParseValue(const types::Type& type, std::string_view text);

absl::StatusOr<Json> ValueToJson(const types::Type& type, std::string_view bytes);
absl::StatusOr<std::string> ValueFromJson(const types::Type& type, const Json& json);

}  // namespace commy::tools
