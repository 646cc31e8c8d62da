// Keys of a type, as text of the command line and as JSON. docs/types.md has the encodings.
//
//   const types::Type type = *KeyTypeFromOption("int,str");   // tuple<i64,string>
//   ParseKey(type, "30,bob");                                // The bytes of EncodeKey(30, "bob").
//   FormatKey(type, bytes);                                  // 30,bob
//   ParseKey(type, R"(30,"a, b")");                          // A string with a comma: as JSON.
//
// TEXT      A scalar is its text (see scalar.h). A tuple, array or struct is its parts with commas
//           between them: a scalar as its text, an optional one that is absent as null, and what is
//           made of parts itself as JSON. A string is a JSON string if it is empty, or has a comma,
//           quote, backslash or control byte, or a space at an end, and so is the string null of
//           an optional; one that is not UTF-8 is {"base64":"..."}. Vectors and optionals are JSON
//           as a whole.
// OPAQUE    Keys of a message or custom type, or of a type that has one as a part, are their bytes
//           as they are: only the program that made them knows where a part ends. In JSON they are
//           a string, or {"base64":"..."} if they are not UTF-8.
// ERRORS    InvalidArgument with the place of the part (".name", "[1]"), what was expected there
//           and what was found. Formatting takes any bytes; what it takes parses to the same bytes.
// THREADS   All functions are pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "jsonl.h"
#include "types/descriptor.h"

namespace commy::tools {

absl::StatusOr<std::string> FormatKey(const types::Type& type, std::string_view bytes);
absl::StatusOr<std::string> ParseKey(const types::Type& type, std::string_view text);
// Whether a container would take such a key: InvalidArgument if a float in it is a NaN, or if only
// the program that has the type's codec can make keys of it. `bytes` are of the type.
absl::Status CheckNewKey(const types::Type& type, std::string_view bytes);

// What the keys that `text` describes begin with: of a key of several parts its first parts, each
// whole (30 or 30,"x"; a comma may follow); of a string or bytes the first of them; of an opaque
// key the bytes as they are. InvalidArgument: other keys have no prefix.
absl::StatusOr<std::string> ParseKeyPrefix(const types::Type& type, std::string_view text);
// Whether a key is written as its parts with commas between them.
bool HasKeyParts(const types::Type& type);

absl::StatusOr<Json> KeyToJson(const types::Type& type, std::string_view bytes);
absl::StatusOr<std::string> KeyFromJson(const types::Type& type, const Json& json);

// The type that an option names: a descriptor, or several with commas between them for their tuple.
// str, int, uint and float stand for string, i64, u64 and f64.
absl::StatusOr<types::Type> KeyTypeFromOption(std::string_view text);

}  // namespace commy::tools
