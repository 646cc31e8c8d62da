// One number, string or time of a typed key or value, as text and as JSON.
//
//   Scalar scalar = *ScalarFromText(u8, "42");
//   ScalarToText(u8, scalar);                  // "42"
//   ScalarToJson(u8, scalar);                  // 42
//
// TEXT      bool true, false; integers and enums decimal; floats the shortest decimal that reads
//           back as the same float, inf, -inf, nan; time "2026-11-29T19:00:00.5Z", infinite-future,
//           infinite-past; duration "1m2.5s", inf, -inf; strings and opaque bytes as they are;
//           bytes hexadecimal.
// JSON      The same as JSON booleans, numbers and strings; floats that are not finite are the
//           strings of TEXT. A string that is not UTF-8, bytes and opaque bytes: {"base64":"..."}.
// ERRORS    InvalidArgument with what was expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "jsonl.h"
#include "types/descriptor.h"

namespace commy::tools {

// A value of any kind that is not composite.
struct Scalar {
  std::uint64_t bits = 0;  // Of kinds of a fixed size: the value's bytes as an unsigned number.
  std::string bytes;       // Of the others.
};

// Whether `scalar` is one of the type: a bool may only be 0 or 1. The bits fit the type's size.
absl::Status CheckScalar(const types::Type& type, const Scalar& scalar);

std::string ScalarToText(const types::Type& type, const Scalar& scalar);
absl::StatusOr<Scalar> ScalarFromText(const types::Type& type, std::string_view text);

Json ScalarToJson(const types::Type& type, const Scalar& scalar);
absl::StatusOr<Scalar> ScalarFromJson(const types::Type& type, const Json& json);

// Opaque bytes that are a whole key or value: a string, or {"base64":"..."} if they are not UTF-8.
Json OpaqueToJson(std::string_view bytes);
absl::StatusOr<std::string> OpaqueFromJson(const Json& json);

// The integer that a type's bits are: that of an enum, and i64 for a time or duration.
types::Kind IntegerOf(const types::Type& type);

}  // namespace commy::tools
