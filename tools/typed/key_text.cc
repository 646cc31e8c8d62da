#include "typed/key_text.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "typed/parts.h"
#include "typed/scalar.h"
#include "utf8.h"
#include <commy/key_codec.h>

namespace commy::tools {
namespace {

using base::InvalidArgument;
using types::Kind;
using types::Type;

constexpr std::uint64_t kAbsent = 0;   // An optional without a value; the end of a vector.
constexpr std::uint64_t kPresent = 1;  // Before the value of an optional; before each element.

bool HasOpaque(const Type& type) {
  return types::IsOpaque(type.kind) || std::any_of(type.parts.begin(), type.parts.end(), HasOpaque);
}

bool HasNan(const Type& type, const Json& json) {
  if (types::IsFloat(type.kind)) {
    return json == "nan";
  }
  std::size_t at = 0;
  return json.is_structured() && std::any_of(json.begin(), json.end(), [&](const Json& part) {
           const std::size_t index = type.parts.size() == 1 ? 0 : at++;
           return index < type.parts.size() && HasNan(type.parts[index], part);
         });
}

bool IsString(const Type& type) {
  return type.kind == Kind::kString || type.kind == Kind::kBytes;
}

// --- Scalars ------------------------------------------------------------------------------------

// What inverts the sign bit of signed integers.
std::uint64_t SignBit(const Type& type) {
  return types::IsSigned(IntegerOf(type))
             ? std::uint64_t{1} << (8 * types::FixedSize(type).value_or(1) - 1)
             : 0;
}

template <typename Float, typename Bits>
absl::StatusOr<Scalar> TakeFloat(std::string_view& rest) {
  COMMY_ASSIGN_OR_RETURN(const Float number, KeyCodec<Float>::Decode(&rest));
  return Scalar{.bits = std::bit_cast<Bits>(number), .bytes = {}};
}

// Removes a scalar that is inside another type from the front of `rest`.
absl::StatusOr<Scalar> TakeScalar(const Type& type, std::string_view& rest) {
  if (IsString(type)) {
    COMMY_ASSIGN_OR_RETURN(std::string bytes, KeyBytes::TakeString(&rest));
    return Scalar{.bits = 0, .bytes = std::move(bytes)};
  }
  if (type.kind == Kind::kF32) {
    return TakeFloat<float, std::uint32_t>(rest);
  }
  if (type.kind == Kind::kF64) {
    return TakeFloat<double, std::uint64_t>(rest);
  }
  const std::size_t size = types::FixedSize(type).value_or(0);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t bits, KeyBytes::TakeNumber(size, &rest));
  Scalar scalar{.bits = bits ^ SignBit(type), .bytes = {}};
  COMMY_RETURN_IF_ERROR(CheckScalar(type, scalar));
  return scalar;
}

void AppendScalar(const Type& type, const Scalar& scalar, std::string& out) {
  if (IsString(type)) {
    KeyBytes::AppendString(scalar.bytes, &out);
  } else if (type.kind == Kind::kF32) {
    KeyCodec<float>::Encode(std::bit_cast<float>(static_cast<std::uint32_t>(scalar.bits)), &out);
  } else if (type.kind == Kind::kF64) {
    KeyCodec<double>::Encode(std::bit_cast<double>(scalar.bits), &out);
  } else {
    KeyBytes::AppendNumber(scalar.bits ^ SignBit(type), types::FixedSize(type).value_or(0), &out);
  }
}

// --- JSON ---------------------------------------------------------------------------------------

// Removes the byte 0 or 1 that says whether a value follows.
absl::StatusOr<bool> TakePresence(std::string_view& rest, const Path& path) {
  const absl::StatusOr<std::uint64_t> mark = KeyBytes::TakeNumber(1, &rest);
  COMMY_RETURN_IF_ERROR(At(path, mark.status()));
  if (*mark != kAbsent && *mark != kPresent) {
    return Wrong(path, "expected the byte 0 or 1 before a value that may be absent, found ", *mark);
  }
  return *mark == kPresent;
}

absl::StatusOr<Json> Read(const Type& type, std::string_view& rest, const Path& path);

absl::StatusOr<Json> ReadParts(const Type& type, std::string_view& rest, const Path& path) {
  const std::uint64_t count = type.kind == Kind::kArray ? type.count : type.parts.size();
  Json parts = EmptyParts(type);
  for (std::size_t i = 0; type.kind == Kind::kVector || i < count; ++i) {
    const Path step = StepTo(path, type, i);
    if (type.kind == Kind::kVector) {
      COMMY_ASSIGN_OR_RETURN(const bool has_more, TakePresence(rest, step));
      if (!has_more) {
        break;
      }
    }
    COMMY_ASSIGN_OR_RETURN(Json part, Read(PartType(type, i), rest, step));
    AddPart(type, i, std::move(part), parts);
  }
  return parts;
}

absl::StatusOr<Json> Read(const Type& type, std::string_view& rest, const Path& path) {
  if (!types::IsComposite(type.kind)) {
    const absl::StatusOr<Scalar> scalar = TakeScalar(type, rest);
    COMMY_RETURN_IF_ERROR(At(path, scalar.status()));
    return ScalarToJson(type, *scalar);
  }
  if (type.kind == Kind::kOptional) {
    COMMY_ASSIGN_OR_RETURN(const bool is_present, TakePresence(rest, path));
    return is_present ? Read(type.parts[0], rest, path) : Json(nullptr);
  }
  return ReadParts(type, rest, path);
}

absl::Status Write(const Type& type, const Json& json, const Path& path, std::string& out) {
  if (!types::IsComposite(type.kind)) {
    const absl::StatusOr<Scalar> scalar = ScalarFromJson(type, json);
    COMMY_RETURN_IF_ERROR(At(path, scalar.status()));
    AppendScalar(type, *scalar, out);
    return absl::OkStatus();
  }
  if (type.kind == Kind::kOptional) {
    KeyBytes::AppendNumber(json.is_null() ? kAbsent : kPresent, 1, &out);
    return json.is_null() ? absl::OkStatus() : Write(type.parts[0], json, path, out);
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<const Json*> parts, PartsOf(type, json, path));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (type.kind == Kind::kVector) {
      KeyBytes::AppendNumber(kPresent, 1, &out);
    }
    COMMY_RETURN_IF_ERROR(Write(PartType(type, i), *parts[i], StepTo(path, type, i), out));
  }
  if (type.kind == Kind::kVector) {
    KeyBytes::AppendNumber(kAbsent, 1, &out);
  }
  return absl::OkStatus();
}

// --- Text of a key of several parts -------------------------------------------------------------

bool HasParts(const Type& type) {
  return type.kind == Kind::kTuple || type.kind == Kind::kArray || type.kind == Kind::kStruct;
}

// The type of a part's value if it is there.
const Type& PresentType(const Type& type) {
  return type.kind == Kind::kOptional ? type.parts[0] : type;
}

bool IsControl(char character) {
  return static_cast<unsigned char>(character) < ' ' || character == '\x7f';
}

// Why a string part cannot stand as it is; empty: it can.
std::string_view WhyQuoted(std::string_view text) {
  if (text.empty()) {
    return "is empty";
  }
  if (!IsUtf8(text)) {
    return "is not UTF-8";
  }
  if (text.find_first_of(",\"\\") != std::string_view::npos) {
    return "has a comma, quote or backslash";
  }
  if (std::any_of(text.begin(), text.end(), IsControl)) {
    return "has a control byte";
  }
  return text.front() == ' ' || text.back() == ' ' ? "has a space at an end" : "";
}

// Whether the text of a string part is JSON: `"..."` or `{"base64":...}`.
bool IsQuoted(std::string_view text) {
  if (text.starts_with('{')) {
    const std::size_t next = text.find_first_not_of(" \t\r\n", 1);
    return next != std::string_view::npos && text[next] == '"';
  }
  return text.starts_with('"');
}

// The end of the JSON at the start of `text`: the first comma outside all strings and brackets.
std::size_t EndOfJson(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (in_string) {
      i += character == '\\' ? 1 : 0;
      in_string = character != '"';
    } else if (character == ',' && depth == 0) {
      return i;
    } else if (character == '"') {
      in_string = true;
    } else if (character == '{' || character == '[') {
      ++depth;
    } else if (character == '}' || character == ']') {
      --depth;
    }
  }
  return text.size();
}

std::string FormatScalarPart(const Type& type, const Scalar& scalar, bool is_optional) {
  std::string text = ScalarToText(type, scalar);
  const bool is_quoted =
      type.kind == Kind::kString && (!WhyQuoted(text).empty() || (is_optional && text == "null"));
  return is_quoted ? ScalarToJson(type, scalar).dump() : text;
}

absl::StatusOr<std::string> FormatPart(const Type& type, std::string_view& rest, const Path& path) {
  const Type& present = PresentType(type);
  if (types::IsComposite(present.kind)) {
    COMMY_ASSIGN_OR_RETURN(const Json json, Read(type, rest, path));
    return json.dump();
  }
  const bool is_optional = type.kind == Kind::kOptional;
  if (is_optional) {
    COMMY_ASSIGN_OR_RETURN(const bool is_present, TakePresence(rest, path));
    if (!is_present) {
      return "null";
    }
  }
  const absl::StatusOr<Scalar> scalar = TakeScalar(present, rest);
  COMMY_RETURN_IF_ERROR(At(path, scalar.status()));
  return FormatScalarPart(present, *scalar, is_optional);
}

absl::Status ParseJsonPart(const Type& type, std::string_view text, const Path& path,
                           std::string& out) {
  const absl::StatusOr<Json> json = ParseJson(text);
  COMMY_RETURN_IF_ERROR(At(path, json.status()));
  return Write(type, *json, path, out);
}

// Removes the text of a part from the front of `rest` and appends the part's key.
absl::Status ParsePart(const Type& type, std::string_view& rest, const Path& path,
                       std::string& out) {
  const Type& present = PresentType(type);
  const bool is_json =
      types::IsComposite(present.kind) || (present.kind == Kind::kString && IsQuoted(rest));
  const std::size_t end = is_json ? EndOfJson(rest) : std::min(rest.find(','), rest.size());
  const std::string_view text = rest.substr(0, end);
  rest.remove_prefix(end);
  if (is_json) {
    return ParseJsonPart(type, text, path, out);
  }
  if (type.kind == Kind::kOptional) {
    const bool is_present = text != "null";
    KeyBytes::AppendNumber(is_present ? kPresent : kAbsent, 1, &out);
    if (!is_present) {
      return absl::OkStatus();
    }
  }
  if (present.kind == Kind::kString && !WhyQuoted(text).empty()) {
    return Wrong(path, "a string that ", base::ToAbsl(WhyQuoted(text)),
                 " is written in quotes, as in JSON");
  }
  const absl::StatusOr<Scalar> scalar = ScalarFromText(present, text);
  COMMY_RETURN_IF_ERROR(At(path, scalar.status()));
  AppendScalar(present, *scalar, out);
  return absl::OkStatus();
}

std::uint64_t CountOf(const Type& type) {
  return type.kind == Kind::kArray ? type.count : type.parts.size();
}

absl::StatusOr<std::string> FormatParts(const Type& type, std::string_view rest) {
  const Path whole;
  std::string text;
  for (std::size_t i = 0; i < CountOf(type); ++i) {
    COMMY_ASSIGN_OR_RETURN(const std::string part,
                           FormatPart(PartType(type, i), rest, StepTo(whole, type, i)));
    absl::StrAppend(&text, i == 0 ? "" : ",", part);
  }
  COMMY_RETURN_IF_ERROR(KeyBytes::AtEnd(rest));
  return text;
}

enum class Extent { kWhole, kFirstParts };

absl::StatusOr<std::string> ParseParts(const Type& type, std::string_view rest, Extent extent) {
  const Path whole;
  std::string bytes;
  for (std::size_t i = 0; i < CountOf(type); ++i) {
    if (extent == Extent::kFirstParts && (rest.empty() || (i != 0 && rest == ","))) {
      return bytes;
    }
    const Path step = StepTo(whole, type, i);
    if (i != 0) {
      if (!rest.starts_with(',')) {
        return Wrong(step, "expected a comma and ", types::ToText(PartType(type, i)),
                     ", found the end: the key has ", CountOf(type), " parts");
      }
      rest.remove_prefix(1);
    }
    COMMY_RETURN_IF_ERROR(ParsePart(PartType(type, i), rest, step, bytes));
  }
  if (!rest.empty()) {
    return InvalidArgument("more than the ", CountOf(type), " parts of a key (",
                           types::ToText(type), ")");
  }
  return bytes;
}

// --- Options ------------------------------------------------------------------------------------

void ReplaceShortNames(Type& type) {
  constexpr std::pair<std::string_view, Kind> kShort[] = {
      {"str", Kind::kString}, {"int", Kind::kI64}, {"uint", Kind::kU64}, {"float", Kind::kF64}};
  for (const auto& [name, kind] : kShort) {
    if (type.kind == Kind::kCustom && type.name == name) {
      type.kind = kind;
      type.name.clear();
    }
  }
  for (Type& part : type.parts) {
    ReplaceShortNames(part);
  }
}

// The length of the first type in a list.
std::size_t EndOfType(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && depth == 0) {
      return i;
    }
    const bool opens = text[i] == '<' || text[i] == '{';
    const bool closes = text[i] == '>' || text[i] == '}';
    depth += static_cast<int>(opens) - static_cast<int>(closes);
  }
  return text.size();
}

}  // namespace

absl::StatusOr<Json> KeyToJson(const Type& type, std::string_view bytes) {
  if (HasOpaque(type)) {
    return OpaqueToJson(bytes);
  }
  if (IsString(type)) {
    return ScalarToJson(type, {.bits = 0, .bytes = std::string(bytes)});
  }
  COMMY_ASSIGN_OR_RETURN(Json json, Read(type, bytes, Path()));
  COMMY_RETURN_IF_ERROR(KeyBytes::AtEnd(bytes));
  return json;
}

absl::StatusOr<std::string> KeyFromJson(const Type& type, const Json& json) {
  if (HasOpaque(type)) {
    return OpaqueFromJson(json);
  }
  if (IsString(type)) {
    COMMY_ASSIGN_OR_RETURN(Scalar scalar, ScalarFromJson(type, json));
    return std::move(scalar).bytes;
  }
  std::string bytes;
  COMMY_RETURN_IF_ERROR(Write(type, json, Path(), bytes));
  return bytes;
}

absl::StatusOr<std::string> FormatKey(const Type& type, std::string_view bytes) {
  if (HasOpaque(type)) {
    return std::string(bytes);
  }
  if (IsString(type)) {
    return ScalarToText(type, {.bits = 0, .bytes = std::string(bytes)});
  }
  if (HasParts(type)) {
    return FormatParts(type, bytes);
  }
  if (types::IsComposite(type.kind)) {
    COMMY_ASSIGN_OR_RETURN(const Json json, KeyToJson(type, bytes));
    return json.dump();
  }
  COMMY_ASSIGN_OR_RETURN(const Scalar scalar, TakeScalar(type, bytes));
  COMMY_RETURN_IF_ERROR(KeyBytes::AtEnd(bytes));
  return ScalarToText(type, scalar);
}

absl::StatusOr<std::string> ParseKey(const Type& type, std::string_view text) {
  if (HasOpaque(type)) {
    return std::string(text);
  }
  if (HasParts(type)) {
    return ParseParts(type, text, Extent::kWhole);
  }
  if (types::IsComposite(type.kind)) {
    COMMY_ASSIGN_OR_RETURN(const Json json, ParseJson(text));
    return KeyFromJson(type, json);
  }
  COMMY_ASSIGN_OR_RETURN(Scalar scalar, ScalarFromText(type, text));
  if (IsString(type)) {
    return std::move(scalar).bytes;
  }
  std::string bytes;
  AppendScalar(type, scalar, bytes);
  return bytes;
}

bool HasKeyParts(const Type& type) {
  return HasParts(type) && !HasOpaque(type);
}

absl::Status CheckNewKey(const Type& type, std::string_view bytes) {
  if (HasOpaque(type)) {
    return InvalidArgument("keys of type ", types::ToText(type),
                           " are made by a program's own codec; with --raw-bytes their bytes are "
                           "put as they are");
  }
  COMMY_ASSIGN_OR_RETURN(const Json json, KeyToJson(type, bytes));
  return HasNan(type, json)
             ? InvalidArgument("a key that is, or has in it, a NaN would not be found again")
             : absl::OkStatus();
}

absl::StatusOr<std::string> ParseKeyPrefix(const Type& type, std::string_view text) {
  if (HasKeyParts(type)) {
    return ParseParts(type, text, Extent::kFirstParts);
  }
  if (HasOpaque(type) || IsString(type)) {
    return ParseKey(type, text);
  }
  return InvalidArgument("keys of the type ", types::ToText(type),
                         " have no prefix; give --from and --to");
}

absl::StatusOr<Type> KeyTypeFromOption(std::string_view text) {
  std::vector<Type> parts;
  std::string_view rest = text;
  while (true) {
    const std::size_t end = EndOfType(rest);
    absl::StatusOr<Type> part = types::ParseType(rest.substr(0, end));
    if (!part.ok()) {
      return InvalidArgument("key type ", parts.size() + 1, ": ", part.status().message());
    }
    ReplaceShortNames(*part);
    parts.push_back(*std::move(part));
    if (end == rest.size()) {
      break;
    }
    rest.remove_prefix(end + 1);
  }
  if (parts.size() == 1) {
    return std::move(parts[0]);
  }
  Type tuple;
  tuple.kind = Kind::kTuple;
  tuple.parts = std::move(parts);
  return types::ParseType(types::ToText(tuple));  // Its bounds.
}

}  // namespace commy::tools
