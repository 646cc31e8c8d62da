#include "typed/scalar.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"

#include "base/status.h"
#include "typed/parts.h"
#include "utf8.h"

namespace commy::tools {
namespace {

using base::InvalidArgument;
using base::ToAbsl;
using types::Kind;
using types::Type;

constexpr std::int64_t kInfinite = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinusInfinite = std::numeric_limits<std::int64_t>::min();
constexpr std::string_view kBase64 = "base64";

// Enough for the shortest text of any double.
using NumberText = std::array<char, 32>;

template <typename T>
std::string Decimal(T number) {
  NumberText text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return std::string(text.data(), end);
}

int BitsOf(Kind integer) {
  switch (integer) {
    case Kind::kU8:
    case Kind::kI8:
      return 8;
    case Kind::kU16:
    case Kind::kI16:
      return 16;
    case Kind::kU32:
    case Kind::kI32:
      return 32;
    default:
      return 64;
  }
}

std::uint64_t UnsignedMax(Kind integer) {
  return std::numeric_limits<std::uint64_t>::max() >> (64 - BitsOf(integer));
}
std::int64_t SignedMax(Kind integer) {
  return kInfinite >> (64 - BitsOf(integer));
}

std::int64_t SignedValue(Kind integer, std::uint64_t bits) {
  const int unused = 64 - BitsOf(integer);
  return static_cast<std::int64_t>(bits << unused) >> unused;
}

std::string RangeText(const Type& type) {
  const Kind integer = IntegerOf(type);
  const std::string range = types::IsSigned(integer) ? Decimal(-SignedMax(integer) - 1) + " to " +
                                                           Decimal(SignedMax(integer))
                                                     : "0 to " + Decimal(UnsignedMax(integer));
  return "a whole number from " + range;
}

std::string ExpectedText(const Type& type) {
  switch (type.kind) {
    case Kind::kBool:
      return "true or false";
    case Kind::kF32:
    case Kind::kF64:
      return "a number, inf, -inf or nan (" + types::ToText(type) + ")";
    case Kind::kString:
      return R"(a string, or {"base64":"..."})";
    case Kind::kBytes:
    case Kind::kMessage:
    case Kind::kCustom:
      return R"({"base64":"..."})";
    case Kind::kTime:
      return "a time as 2026-11-29T19:00:00.5Z, infinite-future or infinite-past";
    case Kind::kDuration:
      return "a duration as 1h2m3.5s, inf or -inf";
    default:
      return RangeText(type);
  }
}

absl::Status Expected(const Type& type, std::string_view found) {
  return InvalidArgument("expected ", ExpectedText(type), ", found ", ToAbsl(found));
}
// A text can be long.
absl::Status ExpectedNotText(const Type& type, std::string_view text) {
  constexpr std::size_t kShown = 40;
  const std::string shown(text.substr(0, kShown));
  return Expected(type, "\"" + absl::CHexEscape(shown) + (text.size() > kShown ? "...\"" : "\""));
}

// --- Integers -----------------------------------------------------------------------------------

absl::StatusOr<Scalar> FromUnsigned(const Type& type, std::uint64_t number) {
  const Kind integer = IntegerOf(type);
  const std::uint64_t most = types::IsSigned(integer)
                                 ? static_cast<std::uint64_t>(SignedMax(integer))
                                 : UnsignedMax(integer);
  if (number > most) {
    return Expected(type, Decimal(number));
  }
  return Scalar{.bits = number, .bytes = {}};
}

absl::StatusOr<Scalar> FromSigned(const Type& type, std::int64_t number) {
  if (number >= 0) {
    return FromUnsigned(type, static_cast<std::uint64_t>(number));
  }
  const Kind integer = IntegerOf(type);
  if (!types::IsSigned(integer) || number < -SignedMax(integer) - 1) {
    return Expected(type, Decimal(number));
  }
  return Scalar{.bits = static_cast<std::uint64_t>(number) & UnsignedMax(integer), .bytes = {}};
}

// Whether all of `text` was a number that fits.
template <typename T>
bool ReadNumber(std::string_view text, T& number) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end;
}

absl::StatusOr<Scalar> IntegerFromText(const Type& type, std::string_view text) {
  std::int64_t number = 0;
  if (ReadNumber(text, number)) {
    return FromSigned(type, number);
  }
  std::uint64_t large = 0;
  if (ReadNumber(text, large)) {
    return FromUnsigned(type, large);
  }
  return ExpectedNotText(type, text);
}

// --- Floats -------------------------------------------------------------------------------------

Scalar FloatScalar(Kind kind, double number) {
  if (kind == Kind::kF32) {
    const auto narrow = static_cast<float>(number);
    return {.bits = std::bit_cast<std::uint32_t>(narrow), .bytes = {}};
  }
  return {.bits = std::bit_cast<std::uint64_t>(number), .bytes = {}};
}

float NarrowOf(const Scalar& scalar) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(scalar.bits));
}

std::string FloatToText(Kind kind, const Scalar& scalar) {
  const double number = kind == Kind::kF32 ? NarrowOf(scalar) : std::bit_cast<double>(scalar.bits);
  if (std::isnan(number)) {
    return "nan";
  }
  if (std::isinf(number)) {
    return number > 0 ? "inf" : "-inf";
  }
  return kind == Kind::kF32 ? Decimal(NarrowOf(scalar)) : Decimal(number);
}

std::optional<double> NotFinite(std::string_view text) {
  if (text == "inf") {
    return std::numeric_limits<double>::infinity();
  }
  if (text == "-inf") {
    return -std::numeric_limits<double>::infinity();
  }
  if (text == "nan") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return std::nullopt;
}

absl::StatusOr<Scalar> FloatFromText(const Type& type, std::string_view text) {
  if (const std::optional<double> special = NotFinite(text); special.has_value()) {
    return FloatScalar(type.kind, *special);
  }
  // Other spellings of inf and nan are no numbers.
  const bool has_digits = text.find_first_not_of("+-.eE0123456789") == std::string_view::npos;
  float narrow = 0;
  double number = 0;
  if (has_digits && type.kind == Kind::kF32 && ReadNumber(text, narrow)) {
    return Scalar{.bits = std::bit_cast<std::uint32_t>(narrow), .bytes = {}};
  }
  if (has_digits && type.kind == Kind::kF64 && ReadNumber(text, number)) {
    return FloatScalar(type.kind, number);
  }
  return ExpectedNotText(type, text);
}

// JSON numbers are doubles: the one that prints as the float does, if it reads back as the float.
Json FloatToJson(Kind kind, const Scalar& scalar) {
  const std::string text = FloatToText(kind, scalar);
  if (NotFinite(text).has_value()) {
    return text;
  }
  if (kind == Kind::kF64) {
    return std::bit_cast<double>(scalar.bits);
  }
  double number = 0;
  const bool is_same = ReadNumber(text, number) && static_cast<float>(number) == NarrowOf(scalar);
  return is_same ? number : static_cast<double>(NarrowOf(scalar));
}

absl::StatusOr<Scalar> FloatFromJson(const Type& type, const Json& json) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    const std::optional<double> special = NotFinite(text);
    return special.has_value() ? absl::StatusOr<Scalar>(FloatScalar(type.kind, *special))
                               : ExpectedNotText(type, text);
  }
  if (!json.is_number()) {
    return Expected(type, Found(json));
  }
  const auto number = json.get<double>();
  if (type.kind == Kind::kF32 && std::isinf(static_cast<float>(number))) {
    return Expected(type, Found(json));
  }
  return FloatScalar(type.kind, number);
}

// --- Times --------------------------------------------------------------------------------------

std::string TimeToText(std::int64_t ns) {
  if (ns == kInfinite || ns == kMinusInfinite) {
    return ns == kInfinite ? "infinite-future" : "infinite-past";
  }
  return std::string(
      absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", absl::FromUnixNanos(ns), absl::UTCTimeZone()));
}

std::string DurationToText(std::int64_t ns) {
  if (ns == kInfinite || ns == kMinusInfinite) {
    return ns == kInfinite ? "inf" : "-inf";
  }
  return std::string(absl::FormatDuration(absl::Nanoseconds(ns)));
}

// The whole nanoseconds that `duration` is, if they are not those of an infinity.
std::optional<std::int64_t> WholeNanoseconds(absl::Duration duration) {
  if (duration <= absl::Nanoseconds(kMinusInfinite) || duration >= absl::Nanoseconds(kInfinite)) {
    return std::nullopt;
  }
  const std::int64_t ns = absl::ToInt64Nanoseconds(duration);
  return absl::Nanoseconds(ns) == duration ? std::optional(ns) : std::nullopt;
}

std::optional<std::int64_t> TimeFromText(std::string_view text) {
  if (text == "infinite-future" || text == "infinite-past") {
    return text == "infinite-future" ? kInfinite : kMinusInfinite;
  }
  // The parser would drop digits behind those of nanoseconds.
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::size_t after = std::min(text.find_first_not_of("0123456789", point + 1), text.size());
  absl::Time time;
  std::string error;
  if (after > point + 10 || !absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, &error)) {
    return std::nullopt;
  }
  return WholeNanoseconds(time - absl::UnixEpoch());
}

std::optional<std::int64_t> DurationFromText(std::string_view text) {
  if (text == "inf" || text == "-inf") {
    return text == "inf" ? kInfinite : kMinusInfinite;
  }
  absl::Duration duration;
  if (!absl::ParseDuration(ToAbsl(text), &duration)) {
    return std::nullopt;
  }
  return WholeNanoseconds(duration);
}

absl::StatusOr<Scalar> TimesFromText(const Type& type, std::string_view text) {
  const std::optional<std::int64_t> ns =
      type.kind == Kind::kTime ? TimeFromText(text) : DurationFromText(text);
  if (!ns.has_value()) {
    return ExpectedNotText(type, text);
  }
  return Scalar{.bits = static_cast<std::uint64_t>(*ns), .bytes = {}};
}

// --- Bytes --------------------------------------------------------------------------------------

absl::StatusOr<Scalar> BytesFromHex(std::string_view text) {
  const bool is_hex = text.size() % 2 == 0 &&
                      text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (!is_hex) {
    return InvalidArgument("expected bytes as pairs of hexadecimal digits");
  }
  return Scalar{.bits = 0, .bytes = std::string(absl::HexStringToBytes(ToAbsl(text)))};
}

Type StringType() {
  Type type;
  type.kind = Kind::kString;
  return type;
}

Json BytesToJson(const Type& type, const Scalar& scalar) {
  if (type.kind == Kind::kString && IsUtf8(scalar.bytes)) {
    return scalar.bytes;
  }
  Json object = Json::object();
  object[std::string(kBase64)] = std::string(absl::Base64Escape(scalar.bytes));
  return object;
}

absl::StatusOr<Scalar> BytesFromJson(const Type& type, const Json& json) {
  if (type.kind == Kind::kString && json.is_string()) {
    return Scalar{.bits = 0, .bytes = json.get_ref<const std::string&>()};
  }
  const bool is_object = json.is_object() && json.size() == 1;
  const auto member = is_object ? json.find(std::string(kBase64)) : json.end();
  if (!is_object || member == json.end() || !member->is_string()) {
    return Expected(type, Found(json));
  }
  Scalar scalar;
  if (!absl::Base64Unescape(member->get_ref<const std::string&>(), &scalar.bytes)) {
    return InvalidArgument("expected base64");
  }
  return scalar;
}

}  // namespace

Kind IntegerOf(const Type& type) {
  if (type.kind == Kind::kEnum) {
    return type.integer;
  }
  return type.kind == Kind::kTime || type.kind == Kind::kDuration ? Kind::kI64 : type.kind;
}

Json OpaqueToJson(std::string_view bytes) {
  return BytesToJson(StringType(), {.bits = 0, .bytes = std::string(bytes)});
}

absl::StatusOr<std::string> OpaqueFromJson(const Json& json) {
  COMMY_ASSIGN_OR_RETURN(Scalar scalar, BytesFromJson(StringType(), json));
  return std::move(scalar).bytes;
}

absl::Status CheckScalar(const Type& type, const Scalar& scalar) {
  return type.kind == Kind::kBool && scalar.bits > 1
             ? InvalidArgument("expected the byte 0 or 1 of a bool, found ", scalar.bits)
             : absl::OkStatus();
}

std::string ScalarToText(const Type& type, const Scalar& scalar) {
  switch (type.kind) {
    case Kind::kBool:
      return scalar.bits == 0 ? "false" : "true";
    case Kind::kF32:
    case Kind::kF64:
      return FloatToText(type.kind, scalar);
    case Kind::kString:
    case Kind::kMessage:
    case Kind::kCustom:
      return scalar.bytes;
    case Kind::kBytes:
      return std::string(absl::BytesToHexString(scalar.bytes));
    case Kind::kTime:
      return TimeToText(static_cast<std::int64_t>(scalar.bits));
    case Kind::kDuration:
      return DurationToText(static_cast<std::int64_t>(scalar.bits));
    default: {
      const Kind integer = IntegerOf(type);
      return types::IsSigned(integer) ? Decimal(SignedValue(integer, scalar.bits))
                                      : Decimal(scalar.bits);
    }
  }
}

absl::StatusOr<Scalar> ScalarFromText(const Type& type, std::string_view text) {
  switch (type.kind) {
    case Kind::kBool:
      if (text != "true" && text != "false") {
        return ExpectedNotText(type, text);
      }
      return Scalar{.bits = text == "true" ? 1U : 0U, .bytes = {}};
    case Kind::kF32:
    case Kind::kF64:
      return FloatFromText(type, text);
    case Kind::kString:
    case Kind::kMessage:
    case Kind::kCustom:
      return Scalar{.bits = 0, .bytes = std::string(text)};
    case Kind::kBytes:
      return BytesFromHex(text);
    case Kind::kTime:
    case Kind::kDuration:
      return TimesFromText(type, text);
    default:
      return IntegerFromText(type, text);
  }
}

Json ScalarToJson(const Type& type, const Scalar& scalar) {
  switch (type.kind) {
    case Kind::kBool:
      return scalar.bits != 0;
    case Kind::kF32:
    case Kind::kF64:
      return FloatToJson(type.kind, scalar);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kMessage:
    case Kind::kCustom:
      return BytesToJson(type, scalar);
    case Kind::kTime:
    case Kind::kDuration:
      return ScalarToText(type, scalar);
    default: {
      const Kind integer = IntegerOf(type);
      return types::IsSigned(integer) ? Json(SignedValue(integer, scalar.bits)) : Json(scalar.bits);
    }
  }
}

absl::StatusOr<Scalar> ScalarFromJson(const Type& type, const Json& json) {
  switch (type.kind) {
    case Kind::kBool:
      if (!json.is_boolean()) {
        return Expected(type, Found(json));
      }
      return Scalar{.bits = json.get<bool>() ? 1U : 0U, .bytes = {}};
    case Kind::kF32:
    case Kind::kF64:
      return FloatFromJson(type, json);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kMessage:
    case Kind::kCustom:
      return BytesFromJson(type, json);
    case Kind::kTime:
    case Kind::kDuration:
      return json.is_string() ? TimesFromText(type, json.get_ref<const std::string&>())
                              : Expected(type, Found(json));
    default:
      if (json.is_number_unsigned()) {
        return FromUnsigned(type, json.get<std::uint64_t>());
      }
      return json.is_number_integer() ? FromSigned(type, json.get<std::int64_t>())
                                      : Expected(type, Found(json));
  }
}

}  // namespace commy::tools
