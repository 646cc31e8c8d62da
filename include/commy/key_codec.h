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
//           those of EncodeKey(b), and a == b exactly if the keys are equal. Tuples compare part by
//           part, strings by their bytes as unsigned numbers. Floats: -0 is 0; every NaN is the
//           same key, above infinity.
// PREFIX    The key of the first parts of a tuple is a prefix of the key of the whole tuple, and of
//           the key of no tuple that begins with other parts.
// TYPES     bool, all integers, float, double, std::string (to encode also std::string_view and
//           literals), and std::tuple and std::pair of these and of each other. For a type of your
//           own, specialize KeyCodec.
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

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/export.h"

namespace commy {

// The building blocks of codecs: numbers of 1, 2, 4 or 8 bytes, and strings that mark their end.
// Append...() appends to `key`. Take...() removes one from the front of `rest`; on an error `rest`
// is unchanged.
struct COMMY_EXPORT KeyBytes {
  static void AppendNumber(std::uint64_t number, std::size_t size_bytes, std::string* key);
  static void AppendString(std::string_view text, std::string* key);
  static absl::StatusOr<std::uint64_t> TakeNumber(std::size_t size_bytes, std::string_view* rest);
  static absl::StatusOr<std::string> TakeString(std::string_view* rest);
  // Returns InvalidArgument unless `rest` is empty.
  static absl::Status AtEnd(std::string_view rest);
};

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
