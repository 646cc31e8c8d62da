// Naming the fields of a struct, so that its values can be stored, shared and shown.
//
//   namespace acme {
//   struct Position {
//     double x = 0;
//     double y = 0;
//   };
//   COMMY_STRUCT(Position, "acme.Position", x, y);
//   }  // namespace acme
//
// COMMY_STRUCT(Type, name, fields...) stands at namespace scope, in the namespace of the struct,
// behind its definition. `name` is what other programs, in whatever language, know the type by:
// identifiers with dots between them. The fields are all public members, in the order in which they
// are declared. From it the struct has a commy::Codec and, if its fields can be keys, a
// commy::KeyCodec.
//
// PLAIN     If all fields are plain (numbers, bool, enums, std::array and structs of these), values
//           are stored as they lie in memory, with zeros as padding, and are read in place. Such a
//           struct must be trivially copyable, and aligned to 64 at most.
// OTHERS    A struct with strings, vectors or the like is stored field after field, and decoded.
// CHANGES   Fields may be added at the end; the others stay as they are. A value that was stored
//           before has the new fields' initial values. See docs/types.md.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "commy/internal/type_text.h"

namespace commy {

template <typename T>
struct TypeTag {};

namespace internal {

// A field, as COMMY_STRUCT names it.
template <auto kMember, std::size_t kOffsetBytes>
struct Field {
  std::string_view name;
  static constexpr auto kPointer = kMember;
  static constexpr std::size_t kOffset = kOffsetBytes;
};

template <typename Pointer>
struct MemberOf;
template <typename Class, typename Member>
struct MemberOf<Member Class::*> {
  using Type = Member;
};
template <auto kMember>
using MemberType = typename MemberOf<std::remove_cv_t<decltype(kMember)>>::Type;

template <typename... Fields>
struct StructDescription {
  std::string_view name;
  std::tuple<Fields...> fields;
};

template <typename... Fields>
constexpr StructDescription<Fields...> Describe(std::string_view name, Fields... fields) {
  return {name, std::tuple<Fields...>(fields...)};
}

template <typename T>
concept Described = requires {
  CommyDescribe(TypeTag<T>());
};

}  // namespace internal
}  // namespace commy

// The macro's loop over the fields.
#define COMMY_INTERNAL_PARENS ()
#define COMMY_INTERNAL_EXPAND(...) \
  COMMY_INTERNAL_EXPAND3(          \
      COMMY_INTERNAL_EXPAND3(COMMY_INTERNAL_EXPAND3(COMMY_INTERNAL_EXPAND3(__VA_ARGS__))))
#define COMMY_INTERNAL_EXPAND3(...) \
  COMMY_INTERNAL_EXPAND2(           \
      COMMY_INTERNAL_EXPAND2(COMMY_INTERNAL_EXPAND2(COMMY_INTERNAL_EXPAND2(__VA_ARGS__))))
#define COMMY_INTERNAL_EXPAND2(...) \
  COMMY_INTERNAL_EXPAND1(           \
      COMMY_INTERNAL_EXPAND1(COMMY_INTERNAL_EXPAND1(COMMY_INTERNAL_EXPAND1(__VA_ARGS__))))
#define COMMY_INTERNAL_EXPAND1(...) __VA_ARGS__
#define COMMY_INTERNAL_FIELDS(Type, ...) \
  __VA_OPT__(COMMY_INTERNAL_EXPAND(COMMY_INTERNAL_EACH(Type, __VA_ARGS__)))
#define COMMY_INTERNAL_EACH(Type, field, ...)                                                      \
  , ::commy::internal::Field<&Type::field, COMMY_INTERNAL_OFFSET(Type, field)>{#field} __VA_OPT__( \
        COMMY_INTERNAL_EACH_AGAIN COMMY_INTERNAL_PARENS(Type, __VA_ARGS__))
#define COMMY_INTERNAL_EACH_AGAIN() COMMY_INTERNAL_EACH
// Also of structs whose layout the standard does not fix; both compilers know it.
#define COMMY_INTERNAL_OFFSET(Type, field) __builtin_offsetof(Type, field)

#define COMMY_STRUCT(Type, name, ...)                                                     \
  static_assert(::commy::internal::IsTypeName(name),                                      \
                "COMMY_STRUCT: a name is identifiers with dots between them: "            \
                "\"acme.Position\"");                                                     \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Winvalid-offsetof\"") \
      [[maybe_unused]] inline constexpr auto                                              \
      CommyDescribe(::commy::TypeTag<Type>) {                                             \
    return ::commy::internal::Describe(name COMMY_INTERNAL_FIELDS(Type, __VA_ARGS__));    \
  }                                                                                       \
  _Pragma("GCC diagnostic pop") static_assert(true, "so that a semicolon may follow")
