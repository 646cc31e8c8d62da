#include "typed/value_text.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "typed/parts.h"
#include "typed/scalar.h"

namespace commy::tools {
namespace {

using types::Kind;
using types::Layout;
using types::Type;

constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);
constexpr char kPresent = 1;  // Before the value of an optional.

std::uint64_t TakeLittleEndian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return number;
}

void PutLittleEndian(std::uint64_t number, std::size_t size_bytes, std::size_t at,
                     std::string& out) {
  for (std::size_t i = 0; i < size_bytes; ++i) {
    out[at + i] = static_cast<char>(number >> (8 * i));
  }
}

bool IsPlainStruct(const Type& type) {
  return type.kind == Kind::kStruct && types::IsPlain(type);
}

// --- From bytes ---------------------------------------------------------------------------------

// Only the value as a whole may be an older, shorter form.
enum class Form : std::uint8_t { kComplete, kMaybeShorter };

absl::StatusOr<Json> Read(const Type& type, std::string_view bytes, Form form, const Path& path);

absl::Status WrongSize(const Type& type, std::size_t size_bytes, const Path& path) {
  return Wrong(path, "expected ", types::FixedSize(type).value_or(0), " bytes (",
               types::ToText(type), "), found ", size_bytes);
}

absl::StatusOr<Json> ReadScalar(const Type& type, std::string_view bytes, const Path& path) {
  const std::optional<std::uint64_t> size = types::FixedSize(type);
  if (!size.has_value()) {
    return ScalarToJson(type, {.bits = 0, .bytes = std::string(bytes)});
  }
  if (bytes.size() != *size) {
    return WrongSize(type, bytes.size(), path);
  }
  const Scalar scalar{.bits = TakeLittleEndian(bytes), .bytes = {}};
  COMMY_RETURN_IF_ERROR(At(path, CheckScalar(type, scalar)));
  return ScalarToJson(type, scalar);
}

// How many fields a plain struct of `size_bytes` bytes has.
absl::StatusOr<std::size_t> FieldsOfSize(const Type& type, const Layout& layout,
                                         std::size_t size_bytes, Form form, const Path& path) {
  if (size_bytes == layout.size) {
    return type.parts.size();
  }
  std::size_t fields = form == Form::kMaybeShorter ? type.parts.size() - 1 : 0;
  while (fields > 0 && types::ShorterSize(type, layout, fields) != size_bytes) {
    --fields;
  }
  if (fields == 0) {
    return WrongSize(type, size_bytes, path);
  }
  return fields;
}

absl::Status CheckPadding(std::string_view bytes, std::size_t from, std::size_t to,
                          const Path& path) {
  const std::string_view padding = bytes.substr(from, to - from);
  return std::all_of(padding.begin(), padding.end(), [](char byte) { return byte == 0; })
             ? absl::OkStatus()
             : Wrong(path, "the padding at byte ", from, " is not zero");
}

absl::StatusOr<Json> ReadImage(const Type& type, std::string_view bytes, Form form,
                               const Path& path) {
  const std::optional<Layout> layout = types::LayoutOf(type);
  if (!layout.has_value()) {
    return Wrong(path, "a type that is too large");
  }
  COMMY_ASSIGN_OR_RETURN(const std::size_t fields,
                         FieldsOfSize(type, *layout, bytes.size(), form, path));
  Json parts = EmptyParts(type);
  std::size_t end = 0;
  for (std::size_t i = 0; i < fields; ++i) {
    const std::size_t offset = layout->offsets[i];
    const std::size_t size = types::FixedSize(type.parts[i]).value_or(0);
    COMMY_RETURN_IF_ERROR(CheckPadding(bytes, end, offset, path));
    COMMY_ASSIGN_OR_RETURN(Json part, Read(type.parts[i], bytes.substr(offset, size),
                                           Form::kComplete, StepTo(path, type, i)));
    AddPart(type, i, std::move(part), parts);
    end = offset + size;
  }
  COMMY_RETURN_IF_ERROR(CheckPadding(bytes, end, bytes.size(), path));
  return parts;
}

// Removes the bytes of one part from the front of `rest`.
absl::StatusOr<std::string_view> TakePart(const Type& type, std::string_view& rest,
                                          const Path& path) {
  std::uint64_t size = 0;
  if (const std::optional<std::uint64_t> fixed = types::FixedSize(type); fixed.has_value()) {
    size = *fixed;
  } else if (rest.size() >= kLengthBytes) {
    size = TakeLittleEndian(rest.substr(0, kLengthBytes));
    rest.remove_prefix(kLengthBytes);
  } else {
    return Wrong(path, "expected a length of ", kLengthBytes, " bytes, but only ", rest.size(),
                 " are left");
  }
  if (size > rest.size()) {
    return Wrong(path, "expected ", size, " bytes, but only ", rest.size(), " are left");
  }
  const std::string_view part = rest.substr(0, size);
  rest.remove_prefix(size);
  return part;
}

absl::StatusOr<Json> ReadSequence(const Type& type, std::string_view bytes, Form form,
                                  const Path& path) {
  const bool to_the_end = type.kind == Kind::kVector;
  const std::uint64_t count = type.kind == Kind::kArray ? type.count : type.parts.size();
  Json parts = EmptyParts(type);
  for (std::size_t i = 0; to_the_end ? !bytes.empty() : i < count; ++i) {
    if (i != 0 && bytes.empty() && form == Form::kMaybeShorter && type.kind == Kind::kStruct) {
      break;
    }
    const Type& part_type = PartType(type, i);
    const Path step = StepTo(path, type, i);
    COMMY_ASSIGN_OR_RETURN(const std::string_view part, TakePart(part_type, bytes, step));
    COMMY_ASSIGN_OR_RETURN(Json json, Read(part_type, part, Form::kComplete, step));
    AddPart(type, i, std::move(json), parts);
  }
  if (!bytes.empty()) {
    return Wrong(path, bytes.size(), " bytes more than the type takes (", types::ToText(type), ")");
  }
  return parts;
}

absl::StatusOr<Json> ReadOptional(const Type& type, std::string_view bytes, const Path& path) {
  if (bytes.empty()) {
    return Json(nullptr);
  }
  if (bytes[0] != kPresent) {
    return Wrong(path, "expected nothing or the byte 1 before the value of an optional, found ",
                 static_cast<int>(static_cast<unsigned char>(bytes[0])));
  }
  return Read(type.parts[0], bytes.substr(1), Form::kComplete, path);
}

absl::StatusOr<Json> Read(const Type& type, std::string_view bytes, Form form, const Path& path) {
  if (!types::IsComposite(type.kind)) {
    return ReadScalar(type, bytes, path);
  }
  if (type.kind == Kind::kOptional) {
    return ReadOptional(type, bytes, path);
  }
  return IsPlainStruct(type) ? ReadImage(type, bytes, form, path)
                             : ReadSequence(type, bytes, form, path);
}

// --- To bytes -----------------------------------------------------------------------------------

absl::Status Write(const Type& type, const Json& json, const Path& path, std::string& out);

void WriteScalar(const Type& type, const Scalar& scalar, std::string& out) {
  const std::optional<std::uint64_t> size = types::FixedSize(type);
  if (!size.has_value()) {
    out += scalar.bytes;
    return;
  }
  const std::size_t at = out.size();
  out.resize(at + *size);
  PutLittleEndian(scalar.bits, *size, at, out);
}

absl::Status WriteImage(const Type& type, const std::vector<const Json*>& parts, const Path& path,
                        std::string& out) {
  const std::optional<Layout> layout = types::LayoutOf(type);
  if (!layout.has_value()) {
    return Wrong(path, "a type that is too large");
  }
  const std::size_t start = out.size();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out.resize(start + layout->offsets[i]);
    COMMY_RETURN_IF_ERROR(Write(type.parts[i], *parts[i], StepTo(path, type, i), out));
  }
  out.resize(start + layout->size);
  return absl::OkStatus();
}

absl::Status WriteSequence(const Type& type, const std::vector<const Json*>& parts,
                           const Path& path, std::string& out) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Type& part_type = PartType(type, i);
    const Path step = StepTo(path, type, i);
    const bool has_length = !types::FixedSize(part_type).has_value();
    const std::size_t length_at = out.size();
    out.resize(length_at + (has_length ? kLengthBytes : 0));
    COMMY_RETURN_IF_ERROR(Write(part_type, *parts[i], step, out));
    if (has_length) {
      const std::size_t length = out.size() - length_at - kLengthBytes;
      if (length > std::numeric_limits<std::uint32_t>::max()) {
        return Wrong(step, "more bytes than a part can have");
      }
      PutLittleEndian(length, kLengthBytes, length_at, out);
    }
  }
  return absl::OkStatus();
}

absl::Status Write(const Type& type, const Json& json, const Path& path, std::string& out) {
  if (!types::IsComposite(type.kind)) {
    const absl::StatusOr<Scalar> scalar = ScalarFromJson(type, json);
    COMMY_RETURN_IF_ERROR(At(path, scalar.status()));
    WriteScalar(type, *scalar, out);
    return absl::OkStatus();
  }
  if (type.kind == Kind::kOptional) {
    if (json.is_null()) {
      return absl::OkStatus();
    }
    out += kPresent;
    return Write(type.parts[0], json, path, out);
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<const Json*> parts, PartsOf(type, json, path));
  return IsPlainStruct(type) ? WriteImage(type, parts, path, out)
                             : WriteSequence(type, parts, path, out);
}

}  // namespace

absl::StatusOr<Json> ValueToJson(const Type& type, std::string_view bytes) {
  return types::IsOpaque(type.kind) ? OpaqueToJson(bytes)
                                    : Read(type, bytes, Form::kMaybeShorter, Path());
}

absl::StatusOr<std::string> ValueFromJson(const Type& type, const Json& json) {
  if (types::IsOpaque(type.kind)) {
    return OpaqueFromJson(json);
  }
  std::string bytes;
  COMMY_RETURN_IF_ERROR(Write(type, json, Path(), bytes));
  return bytes;
}

absl::StatusOr<std::string> FormatValue(const Type& type, std::string_view bytes) {
  if (!types::IsComposite(type.kind) && !types::FixedSize(type).has_value()) {
    return ScalarToText(type, {.bits = 0, .bytes = std::string(bytes)});
  }
  COMMY_ASSIGN_OR_RETURN(const Json json, ValueToJson(type, bytes));
  if (types::IsComposite(type.kind)) {
    return json.dump();
  }
  return ScalarToText(type, {.bits = TakeLittleEndian(bytes), .bytes = {}});
}

absl::StatusOr<std::string> ParseValue(const Type& type, std::string_view text) {
  if (types::IsComposite(type.kind)) {
    COMMY_ASSIGN_OR_RETURN(const Json json, ParseJson(text));
    return ValueFromJson(type, json);
  }
  COMMY_ASSIGN_OR_RETURN(const Scalar scalar, ScalarFromText(type, text));
  std::string bytes;
  WriteScalar(type, scalar, bytes);
  return bytes;
}

}  // namespace commy::tools
