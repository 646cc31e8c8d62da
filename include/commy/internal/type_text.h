// Texts that are put together while the program is compiled. Not for users.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace commy::internal {

// The parts, one after the other. Each is an object of static storage.
template <const std::string_view&... kParts>
struct Joined {
  static constexpr auto kText = [] {
    std::array<char, (kParts.size() + ... + 0)> text{};
    std::size_t at = 0;
    const auto append = [&](std::string_view part) {
      for (const char each : part) {
        text[at++] = each;
      }
    };
    (append(kParts), ...);
    return text;
  }();
  static constexpr std::string_view kValue{kText.data(), kText.size()};
};

// A number in decimal.
template <std::size_t kNumber>
struct Decimal {
  static constexpr std::size_t kDigits = [] {
    std::size_t digits = 1;
    for (std::size_t rest = kNumber; rest >= 10; rest /= 10) {
      ++digits;
    }
    return digits;
  }();
  static constexpr auto kText = [] {
    std::array<char, kDigits> text{};
    std::size_t rest = kNumber;
    for (std::size_t i = kDigits; i > 0; --i) {
      text[i - 1] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    return text;
  }();
  static constexpr std::string_view kValue{kText.data(), kText.size()};
};

inline constexpr std::string_view kComma = ",";
inline constexpr std::string_view kClose = ">";
inline constexpr std::string_view kTupleOpen = "tuple<";
inline constexpr std::string_view kArrayOpen = "array<";
inline constexpr std::string_view kOptionalOpen = "optional<";
inline constexpr std::string_view kVectorOpen = "vector<";
inline constexpr std::string_view kMapOpen = "map<";
inline constexpr std::string_view kSetOpen = "set<";
inline constexpr std::string_view kBoxOpen = "box<";
inline constexpr std::string_view kVecOpen = "vec<";
inline constexpr std::string_view kDequeOpen = "deque<";
inline constexpr std::string_view kEnum = "enum ";
inline constexpr std::string_view kMessage = "message ";
inline constexpr std::string_view kColon = ":";

// "tuple<A,B>", of the texts of the parts.
template <const std::string_view& kFirst, const std::string_view&... kRest>
struct TupleText {
  template <const std::string_view& kPart>
  using WithComma = Joined<kComma, kPart>;
  static constexpr std::string_view kValue =
      Joined<kTupleOpen, kFirst, WithComma<kRest>::kValue..., kClose>::kValue;
};

// The full name of a class or enum, with dots for the colons: "acme.Color". Of a template or a
// class inside a function it is not usable, and IsTypeName() says so.
template <typename T>
constexpr std::string_view PrettyName() {
#if defined(__clang__)
  constexpr std::string_view kFunction = __PRETTY_FUNCTION__;
  constexpr std::string_view kBefore = "T = ";
  constexpr std::size_t kStart = kFunction.find(kBefore) + kBefore.size();
  return kFunction.substr(kStart, kFunction.size() - 1 - kStart);
#else
  constexpr std::string_view kFunction = __PRETTY_FUNCTION__;
  constexpr std::string_view kBefore = "T = ";
  constexpr std::size_t kStart = kFunction.find(kBefore) + kBefore.size();
  return kFunction.substr(kStart, kFunction.find(';', kStart) - kStart);
#endif
}

template <typename T>
struct TypeName {
  static constexpr std::string_view kPretty = PrettyName<T>();
  static constexpr std::size_t kSize = [] {
    std::size_t size = kPretty.size();
    for (std::size_t i = 0; i + 1 < kPretty.size(); ++i) {
      size -= kPretty[i] == ':' && kPretty[i + 1] == ':' ? 1 : 0;
    }
    return size;
  }();
  static constexpr auto kText = [] {
    std::array<char, kSize> text{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < kPretty.size(); ++i) {
      const bool colons = kPretty[i] == ':' && i + 1 < kPretty.size() && kPretty[i + 1] == ':';
      text[at++] = colons ? '.' : kPretty[i];
      i += colons ? 1 : 0;
    }
    return text;
  }();
  static constexpr std::string_view kValue{kText.data(), kText.size()};
};

// Whether a text is identifiers with dots between them.
constexpr bool IsTypeName(std::string_view text) {
  bool begins = true;
  for (const char each : text) {
    const bool letter = (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || each == '_';
    if (!letter && (begins || (each != '.' && (each < '0' || each > '9')))) {
      return false;
    }
    begins = each == '.';
  }
  return !begins;
}

}  // namespace commy::internal
