// How values of a type become bytes in the store, and what the store says that they are.
//
//   std::string bytes;
//   commy::Codec<std::vector<int>>::Encode({1, 2, 3}, &bytes);
//   absl::StatusOr<std::vector<int>> back = commy::Codec<std::vector<int>>::Decode(bytes);
//   commy::Codec<std::vector<int>>::kDescriptor;  // "vector<i32>"
//
// TYPES     bool, all integers and enums, float, double; std::string; std::vector<std::byte>
//           (bytes); absl::Time and absl::Duration, to the nanosecond; std::pair, tuple, array,
//           optional and vector of these and of each other; structs that COMMY_STRUCT describes;
//           classes with SerializeToString() and ParseFromString(), as protocol buffers have. For
//           a type of your own, specialize Codec.
//           Pointers, references and views are none: what they point to is not in the store.
// PLAIN     Numbers, bool, enums, and arrays and structs of nothing else are stored as they lie in
//           memory, little-endian, and are read in place, without a copy.
// FLOATS    keep all their bits: -0.0 stays -0.0, a NaN stays that NaN. As bytes, 0.0 and -0.0
//           differ, and a NaN equals itself: that is what a compare-and-swap compares.
// TIME      A time outside the years 1677 to 2262 becomes infinitely early or late; a duration of
//           more than 292 years infinite.
// ERRORS    Encoding cannot fail. Decoding returns DataLoss, with what was expected, for bytes that
//           are not of the type: another program may have written anything.
// COST      Linear in the bytes.
// THREADS   All functions are pure.
//
// docs/types.md has the bytes of each type, for readers in other languages.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/internal/type_text.h"
#include "commy/struct.h"

namespace commy {

// Specialize it for a type of your own:
//
//   template <>
//   struct commy::Codec<acme::Blob> {
//     static constexpr std::string_view kDescriptor = "acme.Blob";  // Identifiers and dots.
//     static void Encode(const acme::Blob& value, std::string* bytes);  // Appends.
//     static absl::StatusOr<acme::Blob> Decode(std::string_view bytes);  // All of them.
//   };
template <typename T>
struct Codec;

// Whether values of T can be stored.
template <typename T>
concept Storable = requires(const T& value, std::string* bytes, std::string_view read) {
  { Codec<T>::kDescriptor } -> std::convertible_to<std::string_view>;
  Codec<T>::Encode(value, bytes);
  { Codec<T>::Decode(read) } -> std::same_as<absl::StatusOr<T>>;
};

namespace internal {

static_assert(std::endian::native == std::endian::little, "Commy needs a little-endian processor");

// What a codec may leave out.
template <typename T>
inline constexpr bool kPlain = [] {
  if constexpr (requires { Codec<T>::kPlain; }) {
    return Codec<T>::kPlain;
  } else {
    return false;
  }
}();
// The size of every value, of all types that are not plain, too; 0: they differ.
template <typename T>
inline constexpr std::size_t kFixedBytes = [] {
  if constexpr (requires { Codec<T>::kFixedBytes; }) {
    return Codec<T>::kFixedBytes;
  } else {
    return std::size_t{0};
  }
}();

template <typename T>
concept Plain = kPlain<T>;

// "a value of <what> has <size> bytes; <expected>".
COMMY_EXPORT absl::Status WrongBytes(std::string_view type, std::size_t size_bytes,
                                     std::string_view expected);
COMMY_EXPORT void AppendLength(std::size_t size_bytes, std::string* bytes);
// The next part of a sequence, of a fixed size or (0) with its length before it.
COMMY_EXPORT absl::StatusOr<std::string_view> TakePart(std::string_view type,
                                                       std::size_t fixed_bytes,
                                                       std::string_view* rest);
COMMY_EXPORT std::int64_t TimeToNs(absl::Time time);
COMMY_EXPORT absl::Time TimeFromNs(std::int64_t ns);
COMMY_EXPORT std::int64_t DurationToNs(absl::Duration duration);
COMMY_EXPORT absl::Duration DurationFromNs(std::int64_t ns);

template <typename T>
void AppendPart(const T& part, std::string* bytes) {
  if constexpr (kFixedBytes<T> != 0) {
    Codec<T>::Encode(part, bytes);
  } else {
    std::string whole;
    Codec<T>::Encode(part, &whole);
    AppendLength(whole.size(), bytes);
    bytes->append(whole);
  }
}

// Reads a part, unless the bytes end before it: then `part` keeps its value, if `may_end`.
template <typename T>
absl::Status ReadPart(std::string_view type, bool may_end, std::string_view* rest, T* part) {
  if (may_end && rest->empty()) {
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string_view> bytes = TakePart(type, kFixedBytes<T>, rest);
  if (!bytes.ok()) {
    return bytes.status();
  }
  absl::StatusOr<T> read = Codec<T>::Decode(*bytes);
  if (!read.ok()) {
    return read.status();
  }
  *part = *std::move(read);
  return absl::OkStatus();
}

// What plain types share. Value must have kPadded, IsValid() and ZeroPadding().
template <typename T>
struct PlainCodec {
  static constexpr bool kPlain = true;
  static constexpr std::size_t kFixedBytes = sizeof(T);

  static void Encode(const T& value, std::string* bytes) {
    const std::size_t at = bytes->size();
    bytes->append(reinterpret_cast<const char*>(&value), sizeof(T));
    Codec<T>::ZeroPadding(bytes->data() + at);
  }
  static absl::StatusOr<T> Decode(std::string_view bytes) {
    if (bytes.size() < sizeof(T) ? !Codec<T>::IsOlder(bytes.size())
                                 : bytes.size() > sizeof(T) && !Codec<T>::kMayBeNewer) {
      return WrongBytes(Codec<T>::kDescriptor, bytes.size(), Codec<T>::kSizeText);
    }
    T value{};
    std::memcpy(static_cast<void*>(&value), bytes.data(), std::min(bytes.size(), sizeof(T)));
    if (!Codec<T>::IsValid(reinterpret_cast<const char*>(&value))) {
      return WrongBytes(Codec<T>::kDescriptor, bytes.size(), "each bool must be 0 or 1");
    }
    return value;
  }

  static constexpr std::string_view kSizeText = Joined<Decimal<sizeof(T)>::kValue>::kValue;
  // Whether a longer value may be of a later version of the struct; the rest is not looked at.
  static constexpr bool kMayBeNewer = false;
  // Whether a shorter value may be of a former version of the struct.
  static constexpr bool IsOlder(std::size_t /*size_bytes*/) { return false; }
  static constexpr bool kAlwaysValid = true;
  static constexpr bool IsValid(const char* /*bytes*/) { return true; }
  static constexpr bool kPadded = false;
  static constexpr void ZeroPadding(char* /*bytes*/) {}
};

template <typename T>
inline constexpr std::string_view kNumberText = [] {
  constexpr std::array<std::string_view, 4> kSigned = {"i8", "i16", "i32", "i64"};
  constexpr std::array<std::string_view, 4> kUnsigned = {"u8", "u16", "u32", "u64"};
  if constexpr (std::is_floating_point_v<T>) {
    return std::string_view(sizeof(T) == 4 ? "f32" : "f64");
  } else {
    const std::size_t at = static_cast<std::size_t>(std::countr_zero(sizeof(T)));
    return std::is_signed_v<T> ? kSigned[at] : kUnsigned[at];
  }
}();

template <typename T>
concept Message = requires(const T& value, T& read, std::string* bytes, const std::string& text) {
  { value.SerializeToString(bytes) } -> std::convertible_to<bool>;
  { read.ParseFromString(text) } -> std::convertible_to<bool>;
};

}  // namespace internal

// --- Numbers ---------------------------------------------------------------------------------

template <>
struct Codec<bool> : internal::PlainCodec<bool> {
  static constexpr std::string_view kDescriptor = "bool";
  static absl::StatusOr<bool> Decode(std::string_view bytes) {
    if (bytes.size() != 1) {
      return internal::WrongBytes(kDescriptor, bytes.size(), "1");
    }
    if (!IsValid(bytes.data())) {
      return internal::WrongBytes(kDescriptor, bytes.size(), "each bool must be 0 or 1");
    }
    return bytes[0] != 0;
  }
  static constexpr bool kAlwaysValid = false;
  static bool IsValid(const char* bytes) { return *bytes == 0 || *bytes == 1; }
};

template <std::integral T>
struct Codec<T> : internal::PlainCodec<T> {
  static_assert(sizeof(T) <= 8, "an integer has 64 bits at most");
  static constexpr std::string_view kDescriptor = internal::kNumberText<T>;
};

template <std::floating_point T>
struct Codec<T> : internal::PlainCodec<T> {
  static_assert(sizeof(T) <= 8, "long double differs between compilers: use double");
  static constexpr std::string_view kDescriptor = internal::kNumberText<T>;
};

template <typename T>
requires std::is_enum_v<T>
struct Codec<T> : internal::PlainCodec<T> {
  static_assert(internal::IsTypeName(internal::TypeName<T>::kValue),
                "an enum that is stored stands at namespace scope, in a namespace with a name");
  static constexpr std::string_view kInteger = internal::kNumberText<std::underlying_type_t<T>>;
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kEnum, internal::TypeName<T>::kValue, internal::kColon,
                       kInteger>::kValue;
};

// --- Text, bytes, time -------------------------------------------------------------------------

template <>
struct Codec<std::string> {
  static constexpr std::string_view kDescriptor = "string";
  static void Encode(std::string_view value, std::string* bytes) { bytes->append(value); }
  static absl::StatusOr<std::string> Decode(std::string_view bytes) { return std::string(bytes); }
};

template <>
struct Codec<std::vector<std::byte>> {
  static constexpr std::string_view kDescriptor = "bytes";
  static void Encode(const std::vector<std::byte>& value, std::string* bytes) {
    bytes->append(reinterpret_cast<const char*>(value.data()), value.size());
  }
  static absl::StatusOr<std::vector<std::byte>> Decode(std::string_view bytes) {
    const auto* const data = reinterpret_cast<const std::byte*>(bytes.data());
    return std::vector<std::byte>(data, data + bytes.size());
  }
};

template <>
struct Codec<absl::Time> {
  static constexpr std::string_view kDescriptor = "time";
  static constexpr std::size_t kFixedBytes = 8;
  static void Encode(absl::Time value, std::string* bytes) {
    Codec<std::int64_t>::Encode(internal::TimeToNs(value), bytes);
  }
  static absl::StatusOr<absl::Time> Decode(std::string_view bytes) {
    const absl::StatusOr<std::int64_t> ns = Codec<std::int64_t>::Decode(bytes);
    return ns.ok() ? absl::StatusOr<absl::Time>(internal::TimeFromNs(*ns)) : ns.status();
  }
};

template <>
struct Codec<absl::Duration> {
  static constexpr std::string_view kDescriptor = "duration";
  static constexpr std::size_t kFixedBytes = 8;
  static void Encode(absl::Duration value, std::string* bytes) {
    Codec<std::int64_t>::Encode(internal::DurationToNs(value), bytes);
  }
  static absl::StatusOr<absl::Duration> Decode(std::string_view bytes) {
    const absl::StatusOr<std::int64_t> ns = Codec<std::int64_t>::Decode(bytes);
    return ns.ok() ? absl::StatusOr<absl::Duration>(internal::DurationFromNs(*ns)) : ns.status();
  }
};

// --- Tuples, optionals, vectors ------------------------------------------------------------------

template <Storable... Parts>
requires(sizeof...(Parts) > 0) struct Codec<std::tuple<Parts...>> {
  static constexpr std::string_view kDescriptor =
      internal::TupleText<Codec<Parts>::kDescriptor...>::kValue;
  static constexpr std::size_t kFixedBytes =
      ((internal::kFixedBytes<Parts> != 0) && ...) ? (internal::kFixedBytes<Parts> + ...) : 0;
  static void Encode(const std::tuple<Parts...>& value, std::string* bytes) {
    std::apply([&](const Parts&... parts) { (internal::AppendPart(parts, bytes), ...); }, value);
  }
  static absl::StatusOr<std::tuple<Parts...>> Decode(std::string_view bytes) {
    std::tuple<Parts...> value;
    absl::Status status;
    const auto read = [&](auto& part) {
      status = internal::ReadPart(kDescriptor, false, &bytes, &part);
      return status.ok();
    };
    if (!std::apply([&](Parts&... parts) { return (read(parts) && ...); }, value)) {
      return status;
    }
    if (!bytes.empty()) {
      return internal::WrongBytes(kDescriptor, bytes.size(), "none behind its last part");
    }
    return value;
  }
};

template <Storable First, Storable Second>
struct Codec<std::pair<First, Second>> {
  using Tuple = Codec<std::tuple<First, Second>>;
  static constexpr std::string_view kDescriptor = Tuple::kDescriptor;
  static constexpr std::size_t kFixedBytes = Tuple::kFixedBytes;
  static void Encode(const std::pair<First, Second>& value, std::string* bytes) {
    internal::AppendPart(value.first, bytes);
    internal::AppendPart(value.second, bytes);
  }
  static absl::StatusOr<std::pair<First, Second>> Decode(std::string_view bytes) {
    absl::StatusOr<std::tuple<First, Second>> parts = Tuple::Decode(bytes);
    if (!parts.ok()) {
      return parts.status();
    }
    auto& [first, second] = *parts;
    return std::pair<First, Second>(std::move(first), std::move(second));
  }
};

namespace internal {

// An array that is plain, and one that is not.
template <typename T, std::size_t kCount>
struct PlainArrayCodec : PlainCodec<std::array<T, kCount>> {
  static constexpr bool kAlwaysValid = Codec<T>::kAlwaysValid;
  static bool IsValid(const char* bytes) {
    for (std::size_t i = 0; !kAlwaysValid && i < kCount; ++i) {
      if (!Codec<T>::IsValid(bytes + i * sizeof(T))) {
        return false;
      }
    }
    return true;
  }
  static constexpr bool kPadded = Codec<T>::kPadded;
  static void ZeroPadding(char* bytes) {
    for (std::size_t i = 0; kPadded && i < kCount; ++i) {
      Codec<T>::ZeroPadding(bytes + i * sizeof(T));
    }
  }
};

template <typename T, std::size_t kCount>
struct PartsArrayCodec {
  static constexpr std::size_t kFixedBytes = internal::kFixedBytes<T> * kCount;
  static void Encode(const std::array<T, kCount>& value, std::string* bytes) {
    for (const T& part : value) {
      AppendPart(part, bytes);
    }
  }
  static absl::StatusOr<std::array<T, kCount>> Decode(std::string_view bytes) {
    std::array<T, kCount> value{};
    for (T& part : value) {
      absl::Status status =
          ReadPart(Codec<std::array<T, kCount>>::kDescriptor, false, &bytes, &part);
      if (!status.ok()) {
        return status;
      }
    }
    if (!bytes.empty()) {
      return WrongBytes(Codec<std::array<T, kCount>>::kDescriptor, bytes.size(),
                        "none behind its last part");
    }
    return value;
  }
};

}  // namespace internal

template <Storable T, std::size_t kCount>
requires(kCount > 0) struct Codec<std::array<T, kCount>>
    : std::conditional_t<internal::kPlain<T>, internal::PlainArrayCodec<T, kCount>,
                         internal::PartsArrayCodec<T, kCount>> {
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kArrayOpen, Codec<T>::kDescriptor, internal::kComma,
                       internal::Decimal<kCount>::kValue, internal::kClose>::kValue;
};

template <Storable T>
struct Codec<std::optional<T>> {
  static_assert(!Codec<T>::kDescriptor.starts_with(internal::kOptionalOpen),
                "an optional of an optional cannot be stored: which of the two is empty?");
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kOptionalOpen, Codec<T>::kDescriptor, internal::kClose>::kValue;
  static void Encode(const std::optional<T>& value, std::string* bytes) {
    if (value.has_value()) {
      bytes->push_back('\x01');
      Codec<T>::Encode(*value, bytes);
    }
  }
  static absl::StatusOr<std::optional<T>> Decode(std::string_view bytes) {
    if (bytes.empty()) {
      return std::optional<T>();
    }
    if (bytes[0] != '\x01') {
      return internal::WrongBytes(kDescriptor, bytes.size(), "none, or first the byte 1");
    }
    absl::StatusOr<T> value = Codec<T>::Decode(bytes.substr(1));
    return value.ok() ? absl::StatusOr<std::optional<T>>(std::optional<T>(*std::move(value)))
                      : value.status();
  }
};

template <Storable T>
struct Codec<std::vector<T>> {
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kVectorOpen, Codec<T>::kDescriptor, internal::kClose>::kValue;
  static void Encode(const std::vector<T>& value, std::string* bytes) {
    for (const T& part : value) {
      internal::AppendPart(part, bytes);
    }
  }
  static absl::StatusOr<std::vector<T>> Decode(std::string_view bytes) {
    std::vector<T> value;
    if constexpr (internal::kFixedBytes<T> != 0) {
      value.reserve(bytes.size() / internal::kFixedBytes<T>);
    }
    while (!bytes.empty()) {
      T part{};
      absl::Status status = internal::ReadPart(kDescriptor, false, &bytes, &part);
      if (!status.ok()) {
        return status;
      }
      value.push_back(std::move(part));
    }
    return value;
  }
};

// --- Structs -----------------------------------------------------------------------------------

namespace internal {

template <typename T>
struct StructInfo {
  static constexpr auto kDescription = CommyDescribe(TypeTag<T>());
  static constexpr std::size_t kCount =
      std::tuple_size_v<std::remove_cvref_t<decltype(kDescription.fields)>>;
  template <std::size_t kIndex>
  using FieldAt = std::tuple_element_t<kIndex, std::remove_cvref_t<decltype(kDescription.fields)>>;
  template <std::size_t kIndex>
  using TypeAt = MemberType<FieldAt<kIndex>::kPointer>;

  // Calls `use.template operator()<index>()` for each field, until it returns false.
  template <typename Use>
  static constexpr bool ForEach(Use use) {
    return [&]<std::size_t... kIndexes>(std::index_sequence<kIndexes...>) {
      return (use.template operator()<kIndexes>() && ...);
    }
    (std::make_index_sequence<kCount>());
  }

  static_assert(kCount > 0, "COMMY_STRUCT: a struct without fields has nothing to store");

  // The alignment that the fields ask for, and where they lie by it.
  static constexpr std::size_t kNaturalAlign = [] {
    std::size_t align = 1;
    ForEach([&]<std::size_t kIndex>() {
      align = std::max(align, alignof(TypeAt<kIndex>));
      return true;
    });
    return align;
  }();
  static constexpr bool kAllPlain =
      ForEach([]<std::size_t kIndex>() { return internal::kPlain<TypeAt<kIndex>>; });
  static constexpr std::size_t AlignUp(std::size_t at, std::size_t align) {
    return (at + align - 1) / align * align;
  }
  // All fields are named, and lie where a C compiler puts them.
  static constexpr bool kIsNatural = [] {
    std::size_t at = 0;
    const bool all = ForEach([&]<std::size_t kIndex>() {
      at = AlignUp(at, alignof(TypeAt<kIndex>));
      const bool here = FieldAt<kIndex>::kOffset == at;
      at += sizeof(TypeAt<kIndex>);
      return here;
    });
    return all && AlignUp(at, alignof(T)) == sizeof(T);
  }();

  // The text: "struct acme.Position{x:f64,y:f64}".
  static constexpr std::string_view kStruct = "struct ";
  static constexpr bool kOverAligned = kAllPlain && alignof(T) > kNaturalAlign;
  static constexpr std::string_view kAlign = Decimal<alignof(T)>::kValue;
  static constexpr auto kText = [] {
    constexpr std::size_t kSize = [] {
      std::size_t size = kStruct.size() + kDescription.name.size() + 2;
      size += kOverAligned ? 1 + kAlign.size() : 0;
      ForEach([&]<std::size_t kIndex>() {
        size += (kIndex == 0 ? 0 : 1) + std::get<kIndex>(kDescription.fields).name.size() + 1 +
                Codec<TypeAt<kIndex>>::kDescriptor.size();
        return true;
      });
      return size;
    }();
    std::array<char, kSize> text{};
    std::size_t at = 0;
    const auto append = [&](std::string_view part) {
      for (const char each : part) {
        text[at++] = each;
      }
    };
    append(kStruct);
    append(kDescription.name);
    if (kOverAligned) {
      append("@");
      append(kAlign);
    }
    append("{");
    ForEach([&]<std::size_t kIndex>() {
      append(kIndex == 0 ? "" : ",");
      append(std::get<kIndex>(kDescription.fields).name);
      append(":");
      append(Codec<TypeAt<kIndex>>::kDescriptor);
      return true;
    });
    append("}");
    return text;
  }();
  static constexpr std::string_view kDescriptor{kText.data(), kText.size()};
};

// Something that initializes any field.
struct AnyField {
  template <typename T>
  operator T() const;  // NOLINT(google-explicit-constructor): that is what it is for.
};
template <typename T, typename... Fields>
concept BraceInitialized = requires {
  T{Fields()...};
};
// Whether an aggregate has more than `kCount` fields.
template <typename T, std::size_t kCount>
inline constexpr bool kHasMoreFields = [
]<std::size_t... kIndexes>(std::index_sequence<kIndexes...>) {
  return BraceInitialized<T, std::conditional_t<(kIndexes >= 0), AnyField, void>...>;
}
(std::make_index_sequence<kCount + 1>());

template <typename T>
struct PlainStructCodec : PlainCodec<T> {
  using Info = StructInfo<T>;
  static_assert(std::is_trivially_copyable_v<T>,
                "COMMY_STRUCT: a struct of numbers must be trivially copyable: no virtual "
                "functions, no destructor or copy of its own");
  static_assert(alignof(T) <= 64, "COMMY_STRUCT: a store aligns values to 64 bytes at most");
  static_assert(
      Info::kIsNatural,
      "COMMY_STRUCT: name all fields, in the order of their declaration; a packed struct, "
      "one with a base or with bit fields cannot be stored");

  static constexpr std::string_view kSizeText = Joined<Decimal<sizeof(T)>::kValue>::kValue;
  static constexpr bool kMayBeNewer = true;
  // A former version ended behind one of the fields, padding and all.
  static constexpr bool IsOlder(std::size_t size_bytes) {
    std::size_t align = Info::kOverAligned ? alignof(T) : 1;
    std::size_t end = 0;
    bool older = false;
    Info::template ForEach([&]<std::size_t kIndex>() {
      older |= kIndex > 0 && size_bytes == Info::AlignUp(end, align) &&
               Info::template FieldAt<kIndex>::kOffset >= size_bytes;
      align = std::max(align, alignof(typename Info::template TypeAt<kIndex>));
      end =
          Info::template FieldAt<kIndex>::kOffset + sizeof(typename Info::template TypeAt<kIndex>);
      return true;
    });
    return older;
  }
  static constexpr bool kAlwaysValid = Info::ForEach([]<std::size_t kIndex>() {
    return Codec<typename Info::template TypeAt<kIndex>>::kAlwaysValid;
  });
  static bool IsValid(const char* bytes) {
    return kAlwaysValid || Info::ForEach([&]<std::size_t kIndex>() {
             return Codec<typename Info::template TypeAt<kIndex>>::IsValid(
                 bytes + Info::template FieldAt<kIndex>::kOffset);
           });
  }
  static constexpr bool kPadded = [] {
    std::size_t bytes = 0;
    bool inside = false;
    Info::ForEach([&]<std::size_t kIndex>() {
      bytes += sizeof(typename Info::template TypeAt<kIndex>);
      inside |= Codec<typename Info::template TypeAt<kIndex>>::kPadded;
      return true;
    });
    return inside || bytes != sizeof(T);
  }();
  static void ZeroPadding(char* bytes) {
    if constexpr (kPadded) {
      std::size_t at = 0;
      Info::ForEach([&]<std::size_t kIndex>() {
        using Member = typename Info::template TypeAt<kIndex>;
        constexpr std::size_t kOffset = Info::template FieldAt<kIndex>::kOffset;
        std::memset(bytes + at, 0, kOffset - at);
        Codec<Member>::ZeroPadding(bytes + kOffset);
        at = kOffset + sizeof(Member);
        return true;
      });
      std::memset(bytes + at, 0, sizeof(T) - at);
    }
  }
};

template <typename T>
struct PartsStructCodec {
  using Info = StructInfo<T>;
  static_assert(!std::is_aggregate_v<T> || !kHasMoreFields<T, Info::kCount>,
                "COMMY_STRUCT: name all fields; the value of one that is left out would be lost");
  static constexpr std::size_t kFixedBytes = [] {
    std::size_t bytes = 0;
    const bool fixed = Info::ForEach([&]<std::size_t kIndex>() {
      bytes += internal::kFixedBytes<typename Info::template TypeAt<kIndex>>;
      return internal::kFixedBytes<typename Info::template TypeAt<kIndex>> != 0;
    });
    return fixed ? bytes : std::size_t{0};
  }();
  static void Encode(const T& value, std::string* bytes) {
    Info::ForEach([&]<std::size_t kIndex>() {
      AppendPart(value.*Info::template FieldAt<kIndex>::kPointer, bytes);
      return true;
    });
  }
  static absl::StatusOr<T> Decode(std::string_view bytes) {
    T value{};
    absl::Status status;
    Info::ForEach([&]<std::size_t kIndex>() {
      status = ReadPart(Info::kDescriptor, kIndex > 0, &bytes,
                        &(value.*Info::template FieldAt<kIndex>::kPointer));
      return status.ok();
    });
    if (!status.ok()) {
      return status;
    }
    return value;  // What is behind is of a later version of the struct.
  }
};

template <typename T>
struct StructCodec {
  using Type =
      std::conditional_t<StructInfo<T>::kAllPlain, PlainStructCodec<T>, PartsStructCodec<T>>;
};

}  // namespace internal

template <internal::Described T>
struct Codec<T> : internal::StructCodec<T>::Type {
  static constexpr std::string_view kDescriptor = internal::StructInfo<T>::kDescriptor;
};

// --- Messages ----------------------------------------------------------------------------------

template <internal::Message T>
requires(!internal::Described<T>) struct Codec<T> {
  static_assert(internal::IsTypeName(internal::TypeName<T>::kValue),
                "a message class that is stored stands in a namespace with a name");
  static constexpr std::string_view kDescriptor =
      internal::Joined<internal::kMessage, internal::TypeName<T>::kValue>::kValue;
  static void Encode(const T& value, std::string* bytes) {
    std::string whole;
    (void)value.SerializeToString(&whole);
    bytes->append(whole);
  }
  static absl::StatusOr<T> Decode(std::string_view bytes) {
    T value;
    if (!value.ParseFromString(std::string(bytes))) {
      return internal::WrongBytes(kDescriptor, bytes.size(), "those of a message that parses");
    }
    return value;
  }
};

// --- What cannot be stored
// ------------------------------------------------------------------------

template <typename T>
struct Codec<T*> {
  static_assert(sizeof(T*) == 0,
                "a pointer cannot be stored: what it points to is not in the store. Store the "
                "value, or the key under which it is found");
};

template <typename T, std::size_t kCount>
struct Codec<T[kCount]> {
  static_assert(sizeof(T) == 0, "a C array cannot be stored: use std::array, or std::string");
};

template <>
struct Codec<std::string_view> {};  // Not Storable: use std::string.

namespace internal {

// The bytes of a value, without a copy where they lie in memory already. Refers to the value.
template <typename T>
class ValueBytes {
 public:
  explicit ValueBytes(const T& value) { Codec<T>::Encode(value, &bytes_); }
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  std::string bytes_;
};

template <>
class ValueBytes<std::string> {
 public:
  explicit ValueBytes(std::string_view value) : bytes_(value) {}
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  std::string_view bytes_;
};

template <Plain T>
class ValueBytes<T> {
 public:
  explicit ValueBytes(const T& value) {
    if constexpr (Codec<T>::kPadded) {
      std::memcpy(copy_.data(), &value, sizeof(T));
      Codec<T>::ZeroPadding(copy_.data());
      bytes_ = {copy_.data(), sizeof(T)};
    } else {
      bytes_ = {reinterpret_cast<const char*>(&value), sizeof(T)};
    }
  }
  ValueBytes(const ValueBytes&) = delete;
  ValueBytes& operator=(const ValueBytes&) = delete;
  [[nodiscard]] std::string_view view() const { return bytes_; }

 private:
  std::array<char, Codec<T>::kPadded ? sizeof(T) : 1> copy_;
  std::string_view bytes_;
};

// The value in place, if it is all there, aligned and valid; else null.
template <Plain T>
const T* InPlace(std::string_view bytes) {
  if ((bytes.size() != sizeof(T) && (bytes.size() < sizeof(T) || !Codec<T>::kMayBeNewer)) ||
      reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0 ||
      !Codec<T>::IsValid(bytes.data())) [[unlikely]] {
    return nullptr;
  }
  return reinterpret_cast<const T*>(bytes.data());
}

}  // namespace internal
}  // namespace commy
