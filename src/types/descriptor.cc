#include "types/descriptor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/bytes.h"
#include "base/status.h"

namespace commy::types {
namespace {

using base::ToAbsl;

// The kinds that are one word, in the order of Kind.
constexpr std::array<std::string_view, 15> kWords = {"bool", "u8",     "u16",   "u32",  "u64",
                                                     "i8",   "i16",    "i32",   "i64",  "f32",
                                                     "f64",  "string", "bytes", "time", "duration"};
static_assert(kWords.size() == static_cast<std::size_t>(Kind::kEnum));

constexpr std::array<std::string_view, 12> kContainers = {
    "map",    "set",    "box",       "counter", "vec",          "deque",
    "string", "leader", "semaphore", "latch",   "rate_limiter", "computed"};
static_assert(kContainers.size() == static_cast<std::size_t>(ContainerKind::kComputed) + 1);

std::string_view WordOf(Kind kind) {
  return kWords[static_cast<std::size_t>(kind)];
}

template <std::size_t kCount>
std::optional<std::size_t> IndexOf(const std::array<std::string_view, kCount>& words,
                                   std::string_view word) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (words[i] == word) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<Kind> KindOfWord(std::string_view word) {
  const std::optional<std::size_t> index = IndexOf(kWords, word);
  return index.has_value() ? std::optional(static_cast<Kind>(*index)) : std::nullopt;
}

constexpr bool IsDigit(char character) {
  return character >= '0' && character <= '9';
}
constexpr bool BeginsName(char character) {
  const char lower = static_cast<char>(character | 0x20);
  return (lower >= 'a' && lower <= 'z') || character == '_';
}

// The size of a kind that is one plain number; 0: it is none.
std::uint64_t NumberBytes(Kind kind) {
  switch (kind) {
    case Kind::kBool:
    case Kind::kU8:
    case Kind::kI8:
      return 1;
    case Kind::kU16:
    case Kind::kI16:
      return 2;
    case Kind::kU32:
    case Kind::kI32:
    case Kind::kF32:
      return 4;
    case Kind::kU64:
    case Kind::kI64:
    case Kind::kF64:
      return 8;
    default:
      return 0;
  }
}

// Both are at most kFixedBytesMax, or nullopt is the answer.
std::optional<std::uint64_t> Times(std::uint64_t size, std::uint64_t count) {
  if (size != 0 && count > kFixedBytesMax / size) {
    return std::nullopt;
  }
  return size * count;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<Type> TakeType(int depth);
  absl::StatusOr<ContainerType> TakeContainer();
  absl::Status AtEnd() const {
    return at_ == text_.size() ? absl::OkStatus() : Expected("the end");
  }

 private:
  absl::Status WrongAt(std::size_t position, std::string_view what) const {
    return base::InvalidArgument("the type, byte ", position, ": ", ToAbsl(what));
  }
  absl::Status Expected(std::string_view what) const;
  bool Take(std::string_view token);
  absl::Status Need(std::string_view token);
  absl::StatusOr<std::string_view> TakeFieldName();
  absl::StatusOr<std::string_view> TakeName();
  absl::StatusOr<std::uint64_t> TakeNumber();

  absl::Status TakeEnum(Type& type);
  absl::Status TakeStruct(int depth, Type& type);
  absl::Status TakeAlign(Type& type);
  absl::Status CheckAlign(std::size_t position, const Type& type) const;
  absl::Status TakeParts(int depth, Type& type);
  absl::Status TakeArray(int depth, Type& type);
  absl::Status TakeElement(int depth, Type& type);
  // Whether it is not larger than kFixedBytesMax.
  absl::Status CheckSize(std::size_t position, const Type& type) const;

  std::string_view text_;
  std::size_t at_ = 0;
};

absl::Status Parser::Expected(std::string_view what) const {
  std::string found = "the end";
  if (at_ < text_.size()) {
    const char character = text_[at_];
    found = character >= ' ' && character <= '~'
                ? std::string("'") + character + "'"
                : "the byte " + base::Hex(static_cast<unsigned char>(character));
  }
  return WrongAt(at_, "expected " + std::string(what) + ", found " + found);
}

bool Parser::Take(std::string_view token) {
  if (!text_.substr(at_).starts_with(token)) {
    return false;
  }
  at_ += token.size();
  return true;
}

absl::Status Parser::Need(std::string_view token) {
  return Take(token) ? absl::OkStatus() : Expected("'" + std::string(token) + "'");
}

absl::StatusOr<std::string_view> Parser::TakeFieldName() {
  const std::size_t start = at_;
  if (at_ == text_.size() || !BeginsName(text_[at_])) {
    return Expected("a name");
  }
  while (at_ < text_.size() && (BeginsName(text_[at_]) || IsDigit(text_[at_]))) {
    ++at_;
  }
  return text_.substr(start, at_ - start);
}

absl::StatusOr<std::string_view> Parser::TakeName() {
  const std::size_t start = at_;
  do {
    COMMY_RETURN_IF_ERROR(TakeFieldName().status());
  } while (Take("."));
  return text_.substr(start, at_ - start);
}

absl::StatusOr<std::uint64_t> Parser::TakeNumber() {
  std::uint64_t number = 0;
  const std::string_view rest = text_.substr(at_);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error == std::errc::result_out_of_range) {
    return WrongAt(at_, "the number does not fit into 64 bits");
  }
  if (error != std::errc() || rest[0] == '0') {
    return Expected("a number from 1, without a zero before it");
  }
  at_ += static_cast<std::size_t>(end - rest.data());
  return number;
}

absl::Status Parser::TakeEnum(Type& type) {
  COMMY_RETURN_IF_ERROR(Need(" "));
  COMMY_ASSIGN_OR_RETURN(type.name, TakeName());
  COMMY_RETURN_IF_ERROR(Need(":"));
  const std::size_t start = at_;
  const absl::StatusOr<std::string_view> word = TakeFieldName();
  const std::optional<Kind> integer = word.ok() ? KindOfWord(*word) : std::nullopt;
  if (!integer.has_value() || !IsInteger(*integer)) {
    at_ = start;
    return Expected("an integer type (u8 to u64, i8 to i64)");
  }
  type.integer = *integer;
  return absl::OkStatus();
}

absl::Status Parser::TakeAlign(Type& type) {
  const std::size_t start = at_;
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t align, TakeNumber());
  if (align < 2 || align > kAlignMax || !base::IsPowerOfTwo(align)) {
    return WrongAt(start, "expected an alignment: 2, 4, 8, 16, 32 or 64");
  }
  type.align = static_cast<std::uint32_t>(align);
  return absl::OkStatus();
}

absl::Status Parser::CheckAlign(std::size_t position, const Type& type) const {
  Type unaligned = type;
  unaligned.align = 0;
  const std::optional<Layout> layout = LayoutOf(unaligned);
  if (!layout.has_value()) {
    return WrongAt(position, "an alignment, but the struct is not plain");
  }
  if (layout->align >= type.align) {
    return WrongAt(position, "an alignment that the fields ask for anyway");
  }
  return absl::OkStatus();
}

absl::Status Parser::TakeStruct(int depth, Type& type) {
  COMMY_RETURN_IF_ERROR(Need(" "));
  COMMY_ASSIGN_OR_RETURN(type.name, TakeName());
  const std::size_t align_at = at_;
  if (Take("@")) {
    COMMY_RETURN_IF_ERROR(TakeAlign(type));
  }
  COMMY_RETURN_IF_ERROR(Need("{"));
  do {
    COMMY_ASSIGN_OR_RETURN(const std::string_view name, TakeFieldName());
    type.field_names.emplace_back(name);
    COMMY_RETURN_IF_ERROR(Need(":"));
    COMMY_ASSIGN_OR_RETURN(Type part, TakeType(depth + 1));
    type.parts.push_back(std::move(part));
  } while (Take(","));
  if (!Take("}")) {
    return Expected("',' or '}'");
  }
  std::vector<std::string> sorted = type.field_names;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    return WrongAt(align_at, "the field " + *twice + " is there twice");
  }
  return type.align == 0 ? absl::OkStatus() : CheckAlign(align_at, type);
}

absl::Status Parser::TakeParts(int depth, Type& type) {
  COMMY_RETURN_IF_ERROR(Need("<"));
  do {
    COMMY_ASSIGN_OR_RETURN(Type part, TakeType(depth + 1));
    type.parts.push_back(std::move(part));
  } while (Take(","));
  return Take(">") ? absl::OkStatus() : Expected("',' or '>'");
}

absl::Status Parser::TakeArray(int depth, Type& type) {
  COMMY_RETURN_IF_ERROR(Need("<"));
  COMMY_ASSIGN_OR_RETURN(Type element, TakeType(depth + 1));
  type.parts.push_back(std::move(element));
  COMMY_RETURN_IF_ERROR(Need(","));
  COMMY_ASSIGN_OR_RETURN(type.count, TakeNumber());
  return Need(">");
}

absl::Status Parser::TakeElement(int depth, Type& type) {
  COMMY_RETURN_IF_ERROR(Need("<"));
  const std::size_t start = at_;
  COMMY_ASSIGN_OR_RETURN(Type element, TakeType(depth + 1));
  if (type.kind == Kind::kOptional && element.kind == Kind::kOptional) {
    return WrongAt(start, "an optional of an optional");
  }
  type.parts.push_back(std::move(element));
  return Need(">");
}

// What has no fixed size is variable, or too large: then so are its parts at their fixed size.
absl::Status Parser::CheckSize(std::size_t position, const Type& type) const {
  const bool all_fixed = std::all_of(type.parts.begin(), type.parts.end(),
                                     [](const Type& part) { return FixedSize(part).has_value(); });
  if (all_fixed && !FixedSize(type).has_value()) {
    return WrongAt(position, "the type has more than " + std::to_string(kFixedBytesMax) + " bytes");
  }
  return absl::OkStatus();
}

absl::StatusOr<Type> Parser::TakeType(int depth) {
  const std::size_t start = at_;
  if (depth > kDepthMax) {
    return WrongAt(at_, "types are nested more than " + std::to_string(kDepthMax) + " deep");
  }
  const absl::StatusOr<std::string_view> name = TakeName();
  if (!name.ok()) {
    return at_ == start ? Expected("a type") : name.status();
  }
  Type type;
  if (const std::optional<Kind> kind = KindOfWord(*name); kind.has_value()) {
    type.kind = *kind;
  } else if (*name == "enum") {
    type.kind = Kind::kEnum;
    COMMY_RETURN_IF_ERROR(TakeEnum(type));
  } else if (*name == "struct") {
    type.kind = Kind::kStruct;
    COMMY_RETURN_IF_ERROR(TakeStruct(depth, type));
    COMMY_RETURN_IF_ERROR(CheckSize(start, type));
  } else if (*name == "tuple") {
    type.kind = Kind::kTuple;
    COMMY_RETURN_IF_ERROR(TakeParts(depth, type));
    COMMY_RETURN_IF_ERROR(CheckSize(start, type));
  } else if (*name == "array") {
    type.kind = Kind::kArray;
    COMMY_RETURN_IF_ERROR(TakeArray(depth, type));
    COMMY_RETURN_IF_ERROR(CheckSize(start, type));
  } else if (*name == "optional" || *name == "vector") {
    type.kind = *name == "vector" ? Kind::kVector : Kind::kOptional;
    COMMY_RETURN_IF_ERROR(TakeElement(depth, type));
  } else if (*name == "message") {
    type.kind = Kind::kMessage;
    COMMY_RETURN_IF_ERROR(Need(" "));
    COMMY_ASSIGN_OR_RETURN(type.name, TakeName());
  } else {
    type.kind = Kind::kCustom;
    type.name = *name;
  }
  return type;
}

absl::StatusOr<ContainerType> Parser::TakeContainer() {
  const std::size_t start = at_;
  const absl::StatusOr<std::string_view> name = TakeFieldName();
  const std::optional<std::size_t> index = name.ok() ? IndexOf(kContainers, *name) : std::nullopt;
  if (!index.has_value()) {
    at_ = start;
    return Expected(
        "a container: map, set, box, counter, vec, deque, string, leader, semaphore, latch, "
        "rate_limiter or computed");
  }
  ContainerType type;
  type.kind = static_cast<ContainerKind>(*index);
  if (!HasKey(type.kind) && !HasValue(type.kind)) {
    return type;
  }
  COMMY_RETURN_IF_ERROR(Need("<"));
  if (HasKey(type.kind)) {
    COMMY_ASSIGN_OR_RETURN(type.key, TakeType(1));
  }
  if (HasKey(type.kind) && HasValue(type.kind)) {
    COMMY_RETURN_IF_ERROR(Need(","));
  }
  if (HasValue(type.kind)) {
    COMMY_ASSIGN_OR_RETURN(type.value, TakeType(1));
  }
  COMMY_RETURN_IF_ERROR(Need(">"));
  return type;
}

absl::Status CheckLength(std::string_view text) {
  return text.size() <= kTextBytesMax
             ? absl::OkStatus()
             : base::InvalidArgument("the type: its text has ", text.size(),
                                     " bytes, more than the ", kTextBytesMax, " there can be");
}

void AppendText(const Type& type, std::string& out);

void AppendParts(const Type& type, std::string& out) {
  for (std::size_t i = 0; i < type.parts.size(); ++i) {
    if (i != 0) {
      out += ',';
    }
    if (i < type.field_names.size()) {
      out += type.field_names[i];
      out += ':';
    }
    AppendText(type.parts[i], out);
  }
}

void AppendText(const Type& type, std::string& out) {
  switch (type.kind) {
    case Kind::kEnum:
      out += "enum " + type.name + ":";
      out += WordOf(type.integer);
      return;
    case Kind::kStruct:
      out += "struct " + type.name;
      if (type.align != 0) {
        out += "@" + std::to_string(type.align);
      }
      out += '{';
      AppendParts(type, out);
      out += '}';
      return;
    case Kind::kTuple:
      out += "tuple<";
      AppendParts(type, out);
      out += '>';
      return;
    case Kind::kArray:
      out += "array<";
      AppendParts(type, out);
      out += "," + std::to_string(type.count) + ">";
      return;
    case Kind::kOptional:
    case Kind::kVector:
      out += type.kind == Kind::kOptional ? "optional<" : "vector<";
      AppendParts(type, out);
      out += '>';
      return;
    case Kind::kMessage:
      out += "message " + type.name;
      return;
    case Kind::kCustom:
      out += type.name;
      return;
    default:
      out += WordOf(type.kind);
  }
}

// The size of a struct of the first `fields` fields, without its alignment's padding.
std::uint64_t EndOfFields(const Type& type, const Layout& layout, std::size_t fields) {
  return layout.offsets[fields - 1] + FixedSize(type.parts[fields - 1]).value_or(0);
}

std::optional<Layout> StructLayout(const Type& type) {
  Layout layout;
  std::uint64_t end = 0;
  for (const Type& part : type.parts) {
    const std::optional<Layout> inner = LayoutOf(part);
    if (!inner.has_value()) {
      return std::nullopt;
    }
    layout.align = std::max(layout.align, inner->align);
    const std::uint64_t offset = base::AlignUp(end, inner->align);
    layout.offsets.push_back(offset);
    end = offset + inner->size;
    if (end > kFixedBytesMax) {
      return std::nullopt;
    }
  }
  layout.align = std::max(layout.align, std::uint64_t{type.align});
  layout.size = base::AlignUp(end, layout.align);
  return layout.size <= kFixedBytesMax ? std::optional(std::move(layout)) : std::nullopt;
}

std::optional<std::uint64_t> SumOfParts(const Type& type) {
  std::uint64_t sum = 0;
  for (const Type& part : type.parts) {
    const std::optional<std::uint64_t> size = FixedSize(part);
    if (!size.has_value() || *size > kFixedBytesMax - sum) {
      return std::nullopt;
    }
    sum += *size;
  }
  return sum;
}

}  // namespace

absl::StatusOr<Type> ParseType(std::string_view text) {
  COMMY_RETURN_IF_ERROR(CheckLength(text));
  Parser parser(text);
  COMMY_ASSIGN_OR_RETURN(Type type, parser.TakeType(1));
  COMMY_RETURN_IF_ERROR(parser.AtEnd());
  return type;
}

absl::StatusOr<ContainerType> ParseContainer(std::string_view text) {
  COMMY_RETURN_IF_ERROR(CheckLength(text));
  Parser parser(text);
  COMMY_ASSIGN_OR_RETURN(ContainerType type, parser.TakeContainer());
  COMMY_RETURN_IF_ERROR(parser.AtEnd());
  return type;
}

std::string ToText(const Type& type) {
  std::string text;
  AppendText(type, text);
  return text;
}

std::string ToText(const ContainerType& type) {
  std::string text(NameOf(type.kind));
  if (!HasKey(type.kind) && !HasValue(type.kind)) {
    return text;
  }
  text += '<';
  if (type.key.has_value()) {
    AppendText(*type.key, text);
  }
  if (type.key.has_value() && type.value.has_value()) {
    text += ',';
  }
  if (type.value.has_value()) {
    AppendText(*type.value, text);
  }
  text += '>';
  return text;
}

std::string_view NameOf(ContainerKind kind) {
  return kContainers[static_cast<std::size_t>(kind)];
}

bool IsPlain(const Type& type) {
  switch (type.kind) {
    case Kind::kEnum:
      return true;
    case Kind::kStruct:
    case Kind::kArray:
      return std::all_of(type.parts.begin(), type.parts.end(), IsPlain);
    default:
      return NumberBytes(type.kind) != 0;
  }
}

std::optional<std::uint64_t> FixedSize(const Type& type) {
  switch (type.kind) {
    case Kind::kTime:
    case Kind::kDuration:
      return sizeof(std::int64_t);
    case Kind::kEnum:
      return NumberBytes(type.integer);
    case Kind::kStruct:
      if (IsPlain(type)) {
        const std::optional<Layout> layout = LayoutOf(type);
        return layout.has_value() ? std::optional(layout->size) : std::nullopt;
      }
      return SumOfParts(type);
    case Kind::kTuple:
      return SumOfParts(type);
    case Kind::kArray: {
      const std::optional<std::uint64_t> size = SumOfParts(type);
      return size.has_value() ? Times(*size, type.count) : std::nullopt;
    }
    default: {
      const std::uint64_t size = NumberBytes(type.kind);
      return size != 0 ? std::optional(size) : std::nullopt;
    }
  }
}

std::optional<Layout> LayoutOf(const Type& type) {
  if (type.kind == Kind::kStruct) {
    return StructLayout(type);
  }
  if (type.kind == Kind::kArray && type.parts.size() == 1) {
    std::optional<Layout> layout = LayoutOf(type.parts[0]);
    const std::optional<std::uint64_t> size =
        layout.has_value() ? Times(layout->size, type.count) : std::nullopt;
    if (!size.has_value()) {
      return std::nullopt;
    }
    return Layout{.size = *size, .align = layout->align, .offsets = {}};
  }
  const std::uint64_t size = NumberBytes(type.kind == Kind::kEnum ? type.integer : type.kind);
  if (size == 0) {
    return std::nullopt;
  }
  return Layout{.size = size, .align = size, .offsets = {}};
}

std::optional<std::uint64_t> ShorterSize(const Type& type, const Layout& layout,
                                         std::size_t fields) {
  std::uint64_t align = std::max(std::uint64_t{type.align}, std::uint64_t{1});
  for (std::size_t i = 0; i < fields; ++i) {
    const std::optional<Layout> part = LayoutOf(type.parts[i]);
    align = std::max(align, part.has_value() ? part->align : 1);
  }
  const std::uint64_t size = base::AlignUp(EndOfFields(type, layout, fields), align);
  if (fields < layout.offsets.size() && layout.offsets[fields] < size) {
    return std::nullopt;
  }
  return size;
}

}  // namespace commy::types
