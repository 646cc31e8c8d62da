// Encodes numbers, strings and tuples as keys whose bytes have the order of the values. In an
// ordered namespace Scan() then goes by number or by tuple.
//
//   using EventKey = std::tuple<std::string, std::int64_t>;  // Device, time.
//   ns->Put(commy::EncodeKey(EventKey("pump", -5)), "event");
//   ns->Scan({.prefix = commy::EncodeKey("pump")});                        // All of "pump".
//   ns->Scan({.from = commy::EncodeKey(EventKey("pump", 0)),               // In a time.
//             .to = commy::EncodeKey(EventKey("pump", 1000))});
//   absl::StatusOr<EventKey> key = commy::DecodeKey<EventKey>(entry.key());
//
// ORDER     For two values of one type, a < b exactly if the bytes of EncodeKey(a) are less than
//           those of EncodeKey(b), and a == b exactly if the keys are equal. Tuples, arrays,
//           structs and vectors compare part by part, strings by their bytes as unsigned numbers,
//           enums by their number; an empty optional is below all others. Floats: -0 is 0; every
//           NaN is the same key, above infinity (but containers refuse a NaN as a key: see
//           IsUsableKey()).
// PREFIX    The key of the first parts of a tuple is a prefix of the key of the whole tuple, and of
//           the key of no tuple that begins with other parts.
// TYPES     bool, all integers and enums, float, double, std::string (to encode also
//           std::string_view and literals), absl::Time and absl::Duration, and std::tuple, pair,
//           array, optional and vector of these and of each other; structs that COMMY_STRUCT
//           describes. For a type of your own, specialize KeyCodec.
//           The type is not in the key, so write and read with the same one: an int takes four
//           bytes, and a look-up as std::int64_t does not find it.
// SIZE      An integer or float takes the bytes of its type, a bool one. A string takes its own
//           bytes, one more for each zero byte in it, and two. A namespace refuses a key of more
//           than 65,536 bytes.
// COST      Linear in the bytes; no allocation but that of the strings.
// ERRORS    Encoding cannot fail. Decoding returns InvalidArgument, with what was expected, for all
//           bytes that encoding does not produce. So what decodes encodes to the same bytes again.
// THREADS   All functions are pure.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/codec.h"
#include "commy/export.h"
#include "commy/struct.h"

namespace commy {

// The building blocks of codecs: numbers of 1, 2, 4 or 8 bytes, and strings that mark their end.
// Append...() appends to `key`. Take...() removes one from the front of `rest`; on an error `rest`
// is unchanged.
struct COMMY_EXPORT KeyBytes {
  static void AppendNumber(std::uint64_t number, std::size_t size_bytes, std::string* key);
  static void AppendString(std::string_view text, std::string* key);
  static absl::StatusOr<std::uint64_t> TakeNumber(std::size_t size_bytes, std::string_view* rest);
  static absl::StatusOr<std::string> TakeString(std::string_view* rest);
  // A byte that says whether a part follows: 0 or 1.
  static absl::StatusOr<bool> TakeMark(std::string_view* rest);
  // Returns InvalidArgument unless `rest` is empty.
  static absl::Status AtEnd(std::string_view rest);
};

namespace internal {

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <typename T>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;

}  // namespace internal

// How values of T become keys. Specialize it for a type of your own, from the codecs of its parts:
// Encode() appends to `key`, and Decode() removes what Encode() made from the front of `rest`. No
// encoding may be a prefix of another one of the same type.
//
//   template <>
//   struct commy::KeyCodec<Point> {
//     static void Encode(const Point& p, std::string* key) {
//       KeyCodec<int>::Encode(p.x, key);
//       KeyCodec<int>::Encode(p.y, key);
//     }
//     static absl::StatusOr<Point> Decode(std::string_view* rest);
//   };
template <typename T>
struct KeyCodec;

template <>
struct KeyCodec<bool> {
  static void Encode(bool value, std::string* key) {
    KeyBytes::AppendNumber(value ? 1 : 0, 1, key);
  }
  static absl::StatusOr<bool> Decode(std::string_view* rest) {
    const absl::StatusOr<std::uint64_t> number = KeyBytes::TakeNumber(1, rest);
    if (!number.ok()) {
      return number.status();
    }
    if (*number > 1) {
      return absl::InvalidArgumentError("a key has another byte than 0 or 1 for a bool");
    }
    return *number == 1;
  }
};

// Integers: big-endian, with the sign bit of signed ones inverted.
template <std::integral T>
struct KeyCodec<T> {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  using Bits = std::make_unsigned_t<T>;
  static constexpr Bits kFlip =
      std::is_signed_v<T> ? static_cast<Bits>(Bits{1} << (sizeof(T) * 8 - 1)) : Bits{0};

  static void Encode(T value, std::string* key) {
    KeyBytes::AppendNumber(static_cast<Bits>(static_cast<Bits>(value) ^ kFlip), sizeof(T), key);
  }
  static absl::StatusOr<T> Decode(std::string_view* rest) {
    const absl::StatusOr<std::uint64_t> number = KeyBytes::TakeNumber(sizeof(T), rest);
    if (!number.ok()) {
      return number.status();
    }
    return static_cast<T>(static_cast<Bits>(static_cast<Bits>(*number) ^ kFlip));
  }
};

// Floats: the bits of IEEE 754, big-endian; the sign bit of positive ones is set, negative ones are
// inverted.
template <std::floating_point T>
struct KeyCodec<T> {
  static_assert(std::numeric_limits<T>::is_iec559 && sizeof(T) <= sizeof(std::uint64_t));
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static constexpr Bits kSign = Bits{1} << (sizeof(T) * 8 - 1);

  static void Encode(T value, std::string* key) {
    KeyBytes::AppendNumber(ToOrder(value), sizeof(T), key);
  }
  static absl::StatusOr<T> Decode(std::string_view* rest) {
    std::string_view left = *rest;
    const absl::StatusOr<std::uint64_t> number = KeyBytes::TakeNumber(sizeof(T), &left);
    if (!number.ok()) {
      return number.status();
    }
    const auto order = static_cast<Bits>(*number);
    const T value =
        std::bit_cast<T>((order & kSign) != 0 ? order ^ kSign : static_cast<Bits>(~order));
    if (ToOrder(value) != order) {
      return absl::InvalidArgumentError("a key has a zero or a NaN of a kind that no key has");
    }
    *rest = left;
    return value;
  }

 private:
  static Bits ToOrder(T value) {
    if (std::isnan(value)) {
      return std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN()) | kSign;
    }
    const Bits bits = value == 0 ? Bits{0} : std::bit_cast<Bits>(value);
    return (bits & kSign) != 0 ? static_cast<Bits>(~bits) : bits | kSign;
  }
};

// Strings: each zero byte is followed by 0xff, and the end is marked by the bytes 0, 1.
template <>
struct KeyCodec<std::string> {
  static void Encode(std::string_view value, std::string* key) {
    KeyBytes::AppendString(value, key);
  }
  static absl::StatusOr<std::string> Decode(std::string_view* rest) {
    return KeyBytes::TakeString(rest);
  }
};

// The type that a part of a key decodes to: std::string for all that is text.
template <typename T>
using KeyPart =
    std::conditional_t<std::is_convertible_v<const T&, std::string_view>, std::string, T>;

// Tuples and pairs: the parts in order. To decode, they need a default constructor.
template <typename... Parts>
struct KeyCodec<std::tuple<Parts...>> {
  static void Encode(const std::tuple<Parts...>& value, std::string* key) {
    std::apply([&](const Parts&... parts) { (KeyCodec<KeyPart<Parts>>::Encode(parts, key), ...); },
               value);
  }
  static absl::StatusOr<std::tuple<Parts...>> Decode(std::string_view* rest) {
    std::tuple<Parts...> value;
    std::string_view left = *rest;
    absl::Status status;
    const auto take = [&]<typename Part>(Part& part) {
      absl::StatusOr<Part> taken = KeyCodec<Part>::Decode(&left);
      if (!taken.ok()) {
        status = taken.status();
        return false;
      }
      part = *std::move(taken);
      return true;
    };
    if (!std::apply([&](Parts&... parts) { return (take(parts) && ...); }, value)) {
      return status;
    }
    *rest = left;
    return value;
  }
};

template <typename First, typename Second>
struct KeyCodec<std::pair<First, Second>> {
  static void Encode(const std::pair<First, Second>& value, std::string* key) {
    KeyCodec<KeyPart<First>>::Encode(value.first, key);
    KeyCodec<KeyPart<Second>>::Encode(value.second, key);
  }
  static absl::StatusOr<std::pair<First, Second>> Decode(std::string_view* rest) {
    auto parts = KeyCodec<std::tuple<First, Second>>::Decode(rest);
    if (!parts.ok()) {
      return parts.status();
    }
    auto& [first, second] = *parts;
    return std::pair<First, Second>(std::move(first), std::move(second));
  }
};

template <typename T>
requires std::is_enum_v<T>
struct KeyCodec<T> {
  using Number = std::underlying_type_t<T>;
  static void Encode(T value, std::string* key) {
    KeyCodec<Number>::Encode(static_cast<Number>(value), key);
  }
  static absl::StatusOr<T> Decode(std::string_view* rest) {
    const absl::StatusOr<Number> number = KeyCodec<Number>::Decode(rest);
    return number.ok() ? absl::StatusOr<T>(static_cast<T>(*number)) : number.status();
  }
};

// Nanoseconds, as Codec has them.
template <>
struct KeyCodec<absl::Time> {
  static void Encode(absl::Time value, std::string* key) {
    KeyCodec<std::int64_t>::Encode(internal::TimeToNs(value), key);
  }
  static absl::StatusOr<absl::Time> Decode(std::string_view* rest) {
    const absl::StatusOr<std::int64_t> ns = KeyCodec<std::int64_t>::Decode(rest);
    return ns.ok() ? absl::StatusOr<absl::Time>(internal::TimeFromNs(*ns)) : ns.status();
  }
};

template <>
struct KeyCodec<absl::Duration> {
  static void Encode(absl::Duration value, std::string* key) {
    KeyCodec<std::int64_t>::Encode(internal::DurationToNs(value), key);
  }
  static absl::StatusOr<absl::Duration> Decode(std::string_view* rest) {
    const absl::StatusOr<std::int64_t> ns = KeyCodec<std::int64_t>::Decode(rest);
    return ns.ok() ? absl::StatusOr<absl::Duration>(internal::DurationFromNs(*ns)) : ns.status();
  }
};

// Bytes, as a string has them.
template <>
struct KeyCodec<std::vector<std::byte>> {
  static void Encode(const std::vector<std::byte>& value, std::string* key) {
    KeyBytes::AppendString({reinterpret_cast<const char*>(value.data()), value.size()}, key);
  }
  static absl::StatusOr<std::vector<std::byte>> Decode(std::string_view* rest) {
    const absl::StatusOr<std::string> text = KeyBytes::TakeString(rest);
    if (!text.ok()) {
      return text.status();
    }
    const auto* const bytes = reinterpret_cast<const std::byte*>(text->data());
    return std::vector<std::byte>(bytes, bytes + text->size());
  }
};

// Arrays: the elements in order.
template <typename T, std::size_t kCount>
struct KeyCodec<std::array<T, kCount>> {
  static void Encode(const std::array<T, kCount>& value, std::string* key) {
    for (const T& part : value) {
      KeyCodec<T>::Encode(part, key);
    }
  }
  static absl::StatusOr<std::array<T, kCount>> Decode(std::string_view* rest) {
    std::array<T, kCount> value{};
    std::string_view left = *rest;
    for (T& part : value) {
      absl::StatusOr<T> taken = KeyCodec<T>::Decode(&left);
      if (!taken.ok()) {
        return taken.status();
      }
      part = *std::move(taken);
    }
    *rest = left;
    return value;
  }
};

// Optionals: 0, or 1 and the value. Vectors: 1 before each element, and 0 at the end.
template <typename T>
struct KeyCodec<std::optional<T>> {
  static void Encode(const std::optional<T>& value, std::string* key) {
    key->push_back(value.has_value() ? '\x01' : '\x00');
    if (value.has_value()) {
      KeyCodec<T>::Encode(*value, key);
    }
  }
  static absl::StatusOr<std::optional<T>> Decode(std::string_view* rest) {
    std::string_view left = *rest;
    const absl::StatusOr<bool> there = KeyBytes::TakeMark(&left);
    if (!there.ok()) {
      return there.status();
    }
    std::optional<T> value;
    if (*there) {
      absl::StatusOr<T> taken = KeyCodec<T>::Decode(&left);
      if (!taken.ok()) {
        return taken.status();
      }
      value = *std::move(taken);
    }
    *rest = left;
    return value;
  }
};

template <typename T>
struct KeyCodec<std::vector<T>> {
  static void Encode(const std::vector<T>& value, std::string* key) {
    for (const T& part : value) {
      key->push_back('\x01');
      KeyCodec<T>::Encode(part, key);
    }
    key->push_back('\x00');
  }
  static absl::StatusOr<std::vector<T>> Decode(std::string_view* rest) {
    std::vector<T> value;
    std::string_view left = *rest;
    while (true) {
      const absl::StatusOr<bool> more = KeyBytes::TakeMark(&left);
      if (!more.ok()) {
        return more.status();
      }
      if (!*more) {
        *rest = left;
        return value;
      }
      absl::StatusOr<T> taken = KeyCodec<T>::Decode(&left);
      if (!taken.ok()) {
        return taken.status();
      }
      value.push_back(*std::move(taken));
    }
  }
};

// Structs: the fields in order.
template <internal::Described T>
struct KeyCodec<T> {
  using Info = internal::StructInfo<T>;
  static void Encode(const T& value, std::string* key) {
    Info::ForEach([&]<std::size_t kIndex>() {
      KeyCodec<typename Info::template TypeAt<kIndex>>::Encode(
          value.*Info::template FieldAt<kIndex>::kPointer, key);
      return true;
    });
  }
  static absl::StatusOr<T> Decode(std::string_view* rest) {
    T value{};
    std::string_view left = *rest;
    absl::Status status;
    const bool whole = Info::ForEach([&]<std::size_t kIndex>() {
      auto taken = KeyCodec<typename Info::template TypeAt<kIndex>>::Decode(&left);
      if (!taken.ok()) {
        status = taken.status();
        return false;
      }
      value.*Info::template FieldAt<kIndex>::kPointer = *std::move(taken);
      return true;
    });
    if (!whole) {
      return status;
    }
    *rest = left;
    return value;
  }
};

// Whether T can be the key of a container: it has a KeyCodec, and a Codec that names it.
template <typename T>
concept Keyable = requires(const T& value, std::string* key, std::string_view* rest) {
  { Codec<T>::kDescriptor } -> std::convertible_to<std::string_view>;
  KeyCodec<T>::Encode(value, key);
  { KeyCodec<T>::Decode(rest) } -> std::same_as<absl::StatusOr<T>>;
};

// False for a value in which a float is a NaN: it equals no value, not even itself, so it would be
// found by no program that compares values.
template <typename T>
bool IsUsableKey(const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    return !std::isnan(value);
  } else if constexpr (internal::Described<T>) {
    using Info = internal::StructInfo<T>;
    return Info::ForEach([&]<std::size_t kIndex>() {
      return IsUsableKey(value.*Info::template FieldAt<kIndex>::kPointer);
    });
  } else if constexpr (requires { std::tuple_size<T>::value; }) {
    return std::apply([](const auto&... parts) { return (IsUsableKey(parts) && ...); }, value);
  } else if constexpr (internal::kIsOptional<T>) {
    return !value.has_value() || IsUsableKey(*value);
  } else if constexpr (internal::kIsVector<T>) {
    for (const auto& part : value) {
      if (!IsUsableKey(part)) {
        return false;
      }
    }
    return true;
  } else {
    return true;
  }
}

// Returns the key of a value. The key of several values is that of their tuple.
template <typename... Parts>
[[nodiscard]] std::string EncodeKey(const Parts&... parts) {
  std::string key;
  (KeyCodec<KeyPart<Parts>>::Encode(parts, &key), ...);
  return key;
}

// Returns the value of a whole key. InvalidArgument: the key is not one of a T, or goes on after
// it.
template <typename T>
[[nodiscard]] absl::StatusOr<T> DecodeKey(std::string_view key) {
  absl::StatusOr<T> value = KeyCodec<T>::Decode(&key);
  if (value.ok()) {
    if (absl::Status rest = KeyBytes::AtEnd(key); !rest.ok()) {
      return rest;
    }
  }
  return value;
}

}  // namespace commy
