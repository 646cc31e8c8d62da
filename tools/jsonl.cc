#include "jsonl.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/escaping.h"

#include "base/status.h"
#include "typed/scalar.h"
#include "types/descriptor.h"
#include "utf8.h"

namespace commy::tools {
namespace {

using base::InvalidArgument;

constexpr std::string_view kBase64Suffix = "_base64";

absl::Status CheckMembers(const Json& object) {
  for (const auto& [name, member] : object.items()) {
    if (name != "key" && name != "key_base64" && name != "value" && name != "value_base64" &&
        name != "ttl_ms" && name != "expires") {
      return InvalidArgument("an unknown member ", member.type_name(), " \"", name, "\"");
    }
  }
  return absl::OkStatus();
}

}  // namespace

void SetBytes(std::string_view name, std::string_view bytes, Json& object) {
  std::string member(name);
  if (IsUtf8(bytes)) {
    object[member] = bytes;
    return;
  }
  member += kBase64Suffix;
  object[member] = absl::Base64Escape(base::ToAbsl(bytes));
}

absl::StatusOr<std::string> TakeBytes(const Json& object, const std::string& name) {
  const auto plain = object.find(name);
  const auto encoded = object.find(name + std::string(kBase64Suffix));
  if ((plain != object.end()) == (encoded != object.end())) {
    return InvalidArgument("needs one of \"", name, "\" and \"", name, "_base64\"");
  }
  const Json& text = plain != object.end() ? *plain : *encoded;
  if (!text.is_string()) {
    return InvalidArgument("\"", name, "\" is not a string");
  }
  const auto& characters = text.get_ref<const std::string&>();
  if (plain != object.end()) {
    return characters;
  }
  std::string bytes;
  if (!absl::Base64Unescape(characters, &bytes)) {
    return InvalidArgument("\"", name, "_base64\" is not base64");
  }
  return bytes;
}

namespace {

absl::StatusOr<absl::Duration> TakeTtl(const Json& object) {
  const auto ttl = object.find("ttl_ms");
  if (ttl == object.end()) {
    return absl::InfiniteDuration();
  }
  const bool fits = ttl->is_number_unsigned() && *ttl <= std::uint64_t{INT64_MAX};
  if (!fits || ttl->get<std::uint64_t>() == 0) {
    return InvalidArgument("\"ttl_ms\" is not a whole number of milliseconds above 0");
  }
  return absl::Milliseconds(ttl->get<std::int64_t>());
}

types::Type TimeType() {
  types::Type type;
  type.kind = types::Kind::kTime;
  return type;
}

}  // namespace

void SetExpiry(std::int64_t expiry_ns, Json& object) {
  Scalar time;
  time.bits = static_cast<std::uint64_t>(expiry_ns);
  object["expires"] = ScalarToJson(TimeType(), time);
}

absl::Status TakeLife(const Json& object, Record& record) {
  COMMY_ASSIGN_OR_RETURN(record.ttl, TakeTtl(object));
  const auto expires = object.find("expires");
  if (expires == object.end()) {
    return absl::OkStatus();
  }
  if (record.ttl != absl::InfiniteDuration()) {
    return InvalidArgument(R"(has both "ttl_ms" and "expires")");
  }
  const absl::StatusOr<Scalar> time = ScalarFromJson(TimeType(), *expires);
  if (!time.ok()) {
    return InvalidArgument("\"expires\": ", time.status().message());
  }
  record.expiry_ns = static_cast<std::int64_t>(time->bits);
  return absl::OkStatus();
}

void SetTtl(absl::Duration ttl, Json& object) {
  if (ttl != absl::InfiniteDuration()) {
    const absl::Duration rounded = absl::Ceil(ttl, absl::Milliseconds(1));
    object["ttl_ms"] = std::max(std::int64_t{1}, absl::ToInt64Milliseconds(rounded));
  }
}

void AppendJsonLine(std::string_view key, std::optional<std::string_view> value, absl::Duration ttl,
                    std::string& out) {
  Json object = Json::object();
  SetBytes("key", key, object);
  if (value.has_value()) {
    SetBytes("value", *value, object);
  }
  SetTtl(ttl, object);
  out += object.dump();
  out += '\n';
}

absl::StatusOr<Record> ParseJsonLine(std::string_view line) {
  const Json object = Json::parse(line, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) {
    return InvalidArgument("not JSON");
  }
  if (!object.is_object()) {
    return InvalidArgument("not a JSON object");
  }
  COMMY_RETURN_IF_ERROR(CheckMembers(object));
  Record record;
  COMMY_ASSIGN_OR_RETURN(record.key, TakeBytes(object, "key"));
  COMMY_ASSIGN_OR_RETURN(record.value, TakeBytes(object, "value"));
  COMMY_RETURN_IF_ERROR(TakeLife(object, record));
  return record;
}

}  // namespace commy::tools
