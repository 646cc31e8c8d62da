#include "jsonl_header.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "jsonl.h"
#include "typed/parts.h"
#include "typed/scalar.h"
#include "types/descriptor.h"

namespace commy::tools {
namespace {

using base::InvalidArgument;

constexpr std::string_view kPath = "namespace";
constexpr std::string_view kPathBase64 = "namespace_base64";
constexpr std::string_view kOrder = "order";
constexpr std::string_view kType = "type";
constexpr std::string_view kRawBytes = "raw_bytes";
constexpr std::string_view kDefaultTtl = "default_ttl";
constexpr std::string_view kValueAlign = "value_align";
constexpr std::string_view kClockAhead = "clock_ahead";
constexpr std::string_view kCapacity = "capacity";
constexpr std::string_view kMaxDeliveries = "max_deliveries";
constexpr std::string_view kDeadLetters = "dead_letters";
constexpr std::string_view kDeadLettersBase64 = "dead_letters_base64";
constexpr std::string_view kQuota = "quota_bytes";
constexpr std::string_view kPathQuota = "path_quota";
constexpr std::string_view kPathQuotaBase64 = "path_quota_base64";
constexpr std::string_view kEnd = "end_of_dump";
// Of a former version.
constexpr std::string_view kFormerType = "namespace_type";
constexpr std::string_view kFormerOrdered = "ordered";

constexpr std::array<std::string_view, 13> kMembers = {
    kPath,        kPathBase64,        kOrder,      kType,     kRawBytes,
    kDefaultTtl,  kValueAlign,        kClockAhead, kCapacity, kMaxDeliveries,
    kDeadLetters, kDeadLettersBase64, kQuota};
constexpr std::array<std::string_view, 3> kPathQuotaMembers = {kPathQuota, kPathQuotaBase64,
                                                               kQuota};
constexpr std::array<std::string_view, 5> kFormerMembers = {kFormerType, kFormerOrdered, kCapacity,
                                                            kMaxDeliveries, kDeadLetters};

absl::Status Unexpected(std::string_view name, std::string_view wanted, const Json& found) {
  return InvalidArgument("\"", base::ToAbsl(name), "\": expected ", base::ToAbsl(wanted),
                         ", found ", Found(found));
}

template <std::size_t kCount>
absl::Status CheckMembers(const Json& object, const std::array<std::string_view, kCount>& known) {
  for (const auto& [name, member] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return InvalidArgument("an unknown member ", Json(name).dump(), " (", Found(member), ")");
    }
  }
  return absl::OkStatus();
}

types::Type DurationType() {
  types::Type type;
  type.kind = types::Kind::kDuration;
  return type;
}

Json DurationToJson(std::int64_t ns) {
  Scalar duration;
  duration.bits = static_cast<std::uint64_t>(ns);
  return ScalarToJson(DurationType(), duration);
}

absl::StatusOr<std::int64_t> TakeDuration(std::string_view name, const Json& json) {
  const absl::StatusOr<Scalar> scalar = ScalarFromJson(DurationType(), json);
  if (!scalar.ok()) {
    return InvalidArgument("\"", base::ToAbsl(name), "\": ", scalar.status().message());
  }
  return static_cast<std::int64_t>(scalar->bits);
}

absl::StatusOr<std::uint64_t> TakeQuota(const Json& json) {
  if (!json.is_number_unsigned() || json == 0U || json.get<std::uint64_t>() > INT64_MAX) {
    return Unexpected(kQuota, "a number of bytes from 1 to 2^63 - 1", json);
  }
  return json.get<std::uint64_t>();
}

// The limits of a deque. Requires: the type was taken.
absl::Status TakeLimits(const Json& object, JsonlHeader& header) {
  const auto capacity = object.find(kCapacity);
  const auto deliveries = object.find(kMaxDeliveries);
  if (capacity != object.end()) {
    if (!capacity->is_number_unsigned() || capacity->get<std::uint64_t>() == 0) {
      return Unexpected(kCapacity, "a number of at least 1", *capacity);
    }
    header.capacity = capacity->get<std::uint64_t>();
  }
  if (deliveries != object.end()) {
    if (!deliveries->is_number_unsigned() || deliveries->get<std::uint64_t>() > UINT32_MAX) {
      return Unexpected(kMaxDeliveries, "a number of 32 bits", *deliveries);
    }
    header.max_deliveries = deliveries->get<std::uint32_t>();
  }
  if (object.contains(kDeadLetters) || object.contains(kDeadLettersBase64)) {
    COMMY_ASSIGN_OR_RETURN(header.dead_letters, TakeBytes(object, std::string(kDeadLetters)));
  }
  const bool any = header.capacity.has_value() || header.max_deliveries.has_value() ||
                   header.dead_letters.has_value();
  if (any && !header.type.starts_with("deque<")) {
    return InvalidArgument("only a deque has a capacity, deliveries and dead letters");
  }
  return absl::OkStatus();
}

absl::Status TakeType(std::string_view name, const Json& json, JsonlHeader& header) {
  if (!json.is_string()) {
    return Unexpected(name, "a string", json);
  }
  header.type = json.get<std::string>();
  return types::ParseContainer(header.type).status();
}

absl::Status TakeOrder(const Json& object, JsonlHeader& header) {
  const auto order = object.find(kOrder);
  if (order == object.end()) {
    return InvalidArgument("needs \"", base::ToAbsl(kOrder), R"(", "hash" or "ordered")");
  }
  header.ordered = *order == "ordered";
  return header.ordered || *order == "hash" ? absl::OkStatus()
                                            : Unexpected(kOrder, "hash or ordered", *order);
}

absl::Status TakeSettings(const Json& object, JsonlHeader& header) {
  if (const auto raw = object.find(kRawBytes); raw != object.end()) {
    if (!raw->is_boolean()) {
      return Unexpected(kRawBytes, "true or false", *raw);
    }
    header.raw_bytes = raw->get<bool>();
  }
  if (const auto ttl = object.find(kDefaultTtl); ttl != object.end()) {
    COMMY_ASSIGN_OR_RETURN(header.default_ttl_ns, TakeDuration(kDefaultTtl, *ttl));
    if (*header.default_ttl_ns <= 0) {
      return Unexpected(kDefaultTtl, "a duration above 0", *ttl);
    }
  }
  if (const auto align = object.find(kValueAlign); align != object.end()) {
    if (*align != 16 && *align != 32 && *align != 64) {
      return Unexpected(kValueAlign, "16, 32 or 64", *align);
    }
    header.value_align = align->get<std::uint64_t>();
  }
  if (const auto ahead = object.find(kClockAhead); ahead != object.end()) {
    COMMY_ASSIGN_OR_RETURN(header.clock_ahead_ns, TakeDuration(kClockAhead, *ahead));
  }
  if (const auto quota = object.find(kQuota); quota != object.end()) {
    COMMY_ASSIGN_OR_RETURN(header.quota_bytes, TakeQuota(*quota));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<JsonlHeader>> TakeFormer(const Json& object) {
  COMMY_RETURN_IF_ERROR(CheckMembers(object, kFormerMembers));
  JsonlHeader header;
  const auto ordered = object.find(kFormerOrdered);
  if (ordered != object.end() && !ordered->is_boolean()) {
    return Unexpected(kFormerOrdered, "true or false", *ordered);
  }
  header.ordered = ordered != object.end() && ordered->get<bool>();
  COMMY_RETURN_IF_ERROR(TakeType(kFormerType, *object.find(kFormerType), header));
  COMMY_RETURN_IF_ERROR(TakeLimits(object, header));
  return header;
}

// Of most records this is known before they are parsed.
bool MayHaveMember(std::string_view line, std::string_view name) {
  return line.find(name) != std::string_view::npos;
}

Json ParseObject(std::string_view line) {
  return Json::parse(line, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

}  // namespace

void AppendJsonlHeader(const JsonlHeader& header, std::string& out) {
  Json object = Json::object();
  SetBytes(kPath, *header.path, object);
  object[kOrder] = header.ordered ? "ordered" : "hash";
  if (!header.type.empty()) {
    object[kType] = header.type;
  }
  if (header.raw_bytes) {
    object[kRawBytes] = true;
  }
  if (header.default_ttl_ns.has_value()) {
    object[kDefaultTtl] = DurationToJson(*header.default_ttl_ns);
  }
  if (header.value_align != 16) {
    object[kValueAlign] = header.value_align;
  }
  if (header.clock_ahead_ns != 0) {
    object[kClockAhead] = DurationToJson(header.clock_ahead_ns);
  }
  if (header.capacity.has_value()) {
    object[kCapacity] = *header.capacity;
  }
  if (header.max_deliveries.has_value()) {
    object[kMaxDeliveries] = *header.max_deliveries;
  }
  if (header.dead_letters.has_value()) {
    SetBytes(kDeadLetters, *header.dead_letters, object);
  }
  if (header.quota_bytes != 0) {
    object[kQuota] = header.quota_bytes;
  }
  out += object.dump();
  out += '\n';
}

void AppendJsonlPathQuota(const PathQuota& quota, std::string& out) {
  Json object = Json::object();
  SetBytes(kPathQuota, quota.path, object);
  object[kQuota] = quota.quota_bytes;
  out += object.dump();
  out += '\n';
}

void AppendJsonlEnd(std::string& out) {
  out += Json{{kEnd, true}}.dump();
  out += '\n';
}

absl::StatusOr<std::optional<JsonlHeader>> ParseJsonlHeader(std::string_view line) {
  if (!MayHaveMember(line, kPath)) {  // The others begin like it.
    return std::nullopt;
  }
  const Json object = ParseObject(line);
  if (!object.is_object()) {
    return std::nullopt;
  }
  if (object.contains(kFormerType)) {
    return TakeFormer(object);
  }
  if (!object.contains(kPath) && !object.contains(kPathBase64)) {
    return std::nullopt;
  }
  COMMY_RETURN_IF_ERROR(ParseJson(line).status());  // No member twice.
  COMMY_RETURN_IF_ERROR(CheckMembers(object, kMembers));
  JsonlHeader header;
  COMMY_ASSIGN_OR_RETURN(header.path, TakeBytes(object, std::string(kPath)));
  COMMY_RETURN_IF_ERROR(TakeOrder(object, header));
  if (const auto type = object.find(kType); type != object.end()) {
    COMMY_RETURN_IF_ERROR(TakeType(kType, *type, header));
  }
  COMMY_RETURN_IF_ERROR(TakeSettings(object, header));
  COMMY_RETURN_IF_ERROR(TakeLimits(object, header));
  return header;
}

absl::StatusOr<std::optional<PathQuota>> ParseJsonlPathQuota(std::string_view line) {
  if (!MayHaveMember(line, kPathQuota)) {
    return std::nullopt;
  }
  const Json object = ParseObject(line);
  if (!object.is_object() || !(object.contains(kPathQuota) || object.contains(kPathQuotaBase64))) {
    return std::nullopt;
  }
  COMMY_RETURN_IF_ERROR(ParseJson(line).status());  // No member twice.
  COMMY_RETURN_IF_ERROR(CheckMembers(object, kPathQuotaMembers));
  PathQuota quota;
  COMMY_ASSIGN_OR_RETURN(quota.path, TakeBytes(object, std::string(kPathQuota)));
  const auto bytes = object.find(kQuota);
  if (bytes == object.end()) {
    return InvalidArgument("needs \"", base::ToAbsl(kQuota), "\"");
  }
  COMMY_ASSIGN_OR_RETURN(quota.quota_bytes, TakeQuota(*bytes));
  return quota;
}

bool IsJsonlEnd(std::string_view line) {
  return MayHaveMember(line, kEnd) && ParseObject(line) == Json{{kEnd, true}};
}

}  // namespace commy::tools
