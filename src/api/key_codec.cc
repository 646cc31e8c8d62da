// The bytes of keys that keep the order of values.
#include "commy/key_codec.h"

#include <array>

#include "base/status.h"

namespace commy {
namespace {

constexpr char kZero = '\x00';
constexpr char kEscapedZero = '\xff';  // Behind a zero: it is one of the string.
constexpr char kEnd = '\x01';          // Behind a zero: the string is over.
constexpr std::size_t kNumberBytesMax = sizeof(std::uint64_t);

}  // namespace

void KeyBytes::AppendNumber(std::uint64_t number, std::size_t size_bytes, std::string* key) {
  std::array<char, kNumberBytesMax> bytes{};
  for (std::size_t i = 0; i < kNumberBytesMax; ++i) {
    bytes[kNumberBytesMax - 1 - i] = static_cast<char>(number >> (8 * i));
  }
  size_bytes = size_bytes < kNumberBytesMax ? size_bytes : kNumberBytesMax;
  key->append(bytes.data() + kNumberBytesMax - size_bytes, size_bytes);
}

absl::StatusOr<std::uint64_t> KeyBytes::TakeNumber(std::size_t size_bytes, std::string_view* rest) {
  if (size_bytes > kNumberBytesMax || rest->size() < size_bytes) {
    return base::InvalidArgument("a key has ", rest->size(), " bytes left where a number of ",
                                 size_bytes, " was expected");
  }
  std::uint64_t number = 0;
  for (const char byte : rest->substr(0, size_bytes)) {
    number = (number << 8U) | static_cast<unsigned char>(byte);
  }
  rest->remove_prefix(size_bytes);
  return number;
}

void KeyBytes::AppendString(std::string_view text, std::string* key) {
  key->reserve(key->size() + text.size() + 2);
  for (std::size_t zero = text.find(kZero); zero != std::string_view::npos;
       zero = text.find(kZero)) {
    key->append(text.substr(0, zero + 1));
    key->push_back(kEscapedZero);
    text.remove_prefix(zero + 1);
  }
  key->append(text);
  key->push_back(kZero);
  key->push_back(kEnd);
}

absl::StatusOr<std::string> KeyBytes::TakeString(std::string_view* rest) {
  std::string text;
  std::string_view left = *rest;
  while (true) {
    const std::size_t zero = left.find(kZero);
    if (zero == std::string_view::npos || zero + 1 == left.size()) {
      return base::InvalidArgument("a key ends in the middle of a string");
    }
    const char mark = left[zero + 1];
    text.append(left.substr(0, zero));
    left.remove_prefix(zero + 2);
    if (mark == kEnd) {
      *rest = left;
      return text;
    }
    if (mark != kEscapedZero) {
      return base::InvalidArgument("a key has a string with an unknown mark in it");
    }
    text.push_back(kZero);
  }
}

absl::StatusOr<bool> KeyBytes::TakeMark(std::string_view* rest) {
  std::string_view left = *rest;
  const absl::StatusOr<std::uint64_t> mark = TakeNumber(1, &left);
  if (!mark.ok()) {
    return mark.status();
  }
  if (*mark > 1) {
    return base::InvalidArgument("a key has the byte ", *mark,
                                 " where 0 or 1 says whether a part follows");
  }
  *rest = left;
  return *mark == 1;
}

absl::Status KeyBytes::AtEnd(std::string_view rest) {
  return rest.empty()
             ? absl::OkStatus()
             : base::InvalidArgument("a key has ", rest.size(), " more bytes than its type takes");
}

}  // namespace commy
