// Records as lines of JSON.
//
//   {"key":"greeting","value":"hello"}
//   {"key_base64":"/w==","value":"hello","ttl_ms":60000}
//   {"key":"session","value":"1","expires":"2026-11-29T19:00:00.000000001Z"}
//
// Bytes that are not UTF-8 go into key_base64 or value_base64 instead. Reading restores keys and
// values exactly, a time to live to the millisecond, and when a record expires to the nanosecond.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

#include "record.h"

namespace commy::tools {

// Keeps the order in which members were added.
using Json = nlohmann::ordered_json;

// Sets `<name>` to the text of `bytes`, or `<name>_base64` if they are not UTF-8.
void SetBytes(std::string_view name, std::string_view bytes, Json& object);

// Appends an object and a newline. Without `value` (a scan of keys) the object has no value.
void AppendJsonLine(std::string_view key, std::optional<std::string_view> value, absl::Duration ttl,
                    std::string& out);

// What a line's object is made of, for records whose keys or values have another form.
void SetTtl(absl::Duration ttl, Json& object);
// The store time at which the record expires.
void SetExpiry(std::int64_t expiry_ns, Json& object);
// Sets the time to live of a record, or when it expires.
absl::Status TakeLife(const Json& object, Record& record);
// The bytes of the member `name` or `name`_base64; exactly one of them must exist.
absl::StatusOr<std::string> TakeBytes(const Json& object, const std::string& name);

// Reads a line (without its newline). InvalidArgument describes the fault.
absl::StatusOr<Record> ParseJsonLine(std::string_view line);

}  // namespace commy::tools
