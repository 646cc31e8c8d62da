// Descriptions of the types of keys and values: as a tree, and as the text that lies in the file.
//
// This floor is what a store knows of the types in its containers: their descriptions, how values
// lie in bytes, and whether the type of a program fits the type in a file. It may touch base/ only;
// of files, keys and values it knows nothing. Begin reading here, then in evolution.h.
// docs/types.md has the grammar of the text and all encodings.
//
//   COMMY_ASSIGN_OR_RETURN(const Type type, ParseType("struct acme.Position{x:f64,y:f64}"));
//   type.field_names[1];      // "y"
//   FixedSize(type);          // 16
//   ToText(type);             // The same text again.
//
// TEXT      Each type has exactly one text: for what ParseType() takes, ToText(ParseType(t)) is t.
// BOUNDS    All functions take any bytes. Texts are at most kTextBytesMax long, types are nested at
//           most kDepthMax deep, and a type of fixed size has at most kFixedBytesMax bytes.
// THREADS   All functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace commy::types {

inline constexpr std::size_t kTextBytesMax = std::size_t{64} << 10U;
inline constexpr int kDepthMax = 32;  // u8 has a depth of 1, array<u8,3> of 2.
inline constexpr std::uint64_t kFixedBytesMax = std::uint64_t{1} << 30U;
inline constexpr std::uint32_t kAlignMax = 64;

enum class Kind : std::uint8_t {
  kBool,
  kU8,
  kU16,
  kU32,
  kU64,
  kI8,
  kI16,
  kI32,
  kI64,
  kF32,
  kF64,
  kString,
  kBytes,
  kTime,
  kDuration,
  kEnum,
  kStruct,
  kTuple,
  kArray,
  kOptional,
  kVector,
  kMessage,  // Bytes that a message class makes and parses.
  kCustom,   // Bytes of a type with a codec of its own.
};

constexpr bool IsSigned(Kind kind) {
  return kind >= Kind::kI8 && kind <= Kind::kI64;
}
constexpr bool IsInteger(Kind kind) {
  return kind >= Kind::kU8 && kind <= Kind::kI64;
}
constexpr bool IsFloat(Kind kind) {
  return kind == Kind::kF32 || kind == Kind::kF64;
}
// Only the program that wrote the bytes knows what is in them.
constexpr bool IsOpaque(Kind kind) {
  return kind == Kind::kMessage || kind == Kind::kCustom;
}
// Made of parts: a struct, tuple, array, optional or vector.
constexpr bool IsComposite(Kind kind) {
  return kind >= Kind::kStruct && kind <= Kind::kVector;
}

// A type. Members that its kind does not have keep their initial values.
struct Type {
  Kind kind = Kind::kBytes;
  std::string name;                      // Of an enum, struct, message or custom type.
  Kind integer = Kind::kU8;              // What an enum is stored as.
  std::uint32_t align = 0;               // Of a struct aligned more than its fields ask for.
  std::uint64_t count = 0;               // Elements of an array.
  std::vector<Type> parts;               // Of a struct or tuple. Of an array, optional or vector
                                         // one: the type of its elements.
  std::vector<std::string> field_names;  // Of a struct: as many as it has parts.

  friend bool operator==(const Type&, const Type&) = default;
};

enum class ContainerKind : std::uint8_t {
  kMap,
  kSet,
  kBox,
  kCounter,
  kVec,
  kDeque,
  kString,
  kLeader,
  kSemaphore,
  kLatch,
  kRateLimiter,
  kComputed,
};

// Whether the text names a key, as of map<K,V>, and a value.
constexpr bool HasKey(ContainerKind kind) {
  return kind == ContainerKind::kMap || kind == ContainerKind::kSet ||
         kind == ContainerKind::kComputed;
}
constexpr bool HasValue(ContainerKind kind) {
  return kind == ContainerKind::kMap || kind == ContainerKind::kBox ||
         kind == ContainerKind::kVec || kind == ContainerKind::kDeque ||
         kind == ContainerKind::kComputed;
}

// What a namespace holds: map<K,V>, set<K>, box<T>, counter, vec<T>, deque<T>, string, leader,
// semaphore, latch, rate_limiter or computed<K,V>.
struct ContainerType {
  ContainerKind kind = ContainerKind::kMap;
  std::optional<Type> key;    // HasKey().
  std::optional<Type> value;  // HasValue().

  friend bool operator==(const ContainerType&, const ContainerType&) = default;
};

// Reads a description. InvalidArgument names the byte of the text (the first one is 0) and what was
// expected there. Beyond the grammar it refuses: a field name that is there twice; an ALIGN that
// the fields ask for anyway, or of a struct that is not plain; an optional of an optional, of which
// a null could mean either; and what exceeds the bounds above.
absl::StatusOr<Type> ParseType(std::string_view text);
absl::StatusOr<ContainerType> ParseContainer(std::string_view text);

std::string ToText(const Type& type);
std::string ToText(const ContainerType& type);

// "map", "set", "rate_limiter".
std::string_view NameOf(ContainerKind kind);

// Whether values are an image of memory: bool, integers, floats, enums, and arrays and structs of
// nothing else.
bool IsPlain(const Type& type);

// The size of all values of the type; nullopt: they have different sizes (or, of a type that no
// text has, one above kFixedBytesMax).
std::optional<std::uint64_t> FixedSize(const Type& type);

// Where the bytes of a plain type lie: as a C compiler places them on 64-bit machines.
struct Layout {
  std::uint64_t size = 0;
  std::uint64_t align = 1;
  std::vector<std::uint64_t> offsets;  // Of the fields of a struct; else empty.
};

// The layout of a plain type; nullopt: it is not plain, or larger than kFixedBytesMax.
//
//   LayoutOf(struct {a:u8,b:u32,c:u8})  // Size 12, align 4, offsets 0, 4, 8.
std::optional<Layout> LayoutOf(const Type& type);

// How many bytes a value of the first `fields` fields of a plain struct has, if it may be an older,
// shorter form: nullopt if the next field lies in what is padding of the shorter struct.
// Requires: `layout` is LayoutOf(type), and `fields` is from 1 to the number of fields.
std::optional<std::uint64_t> ShorterSize(const Type& type, const Layout& layout,
                                         std::size_t fields);

}  // namespace commy::types
