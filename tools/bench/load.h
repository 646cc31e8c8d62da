// Keys and values of `commy bench`, made from numbers, so that a reader can tell whether a value
// belongs to its key.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace commy::tools::bench {

inline constexpr std::size_t kKeyBytes = 16;
inline constexpr std::uint64_t kValueBytesMin = 16;  // A stamp, and the bytes derived from it.

// A bijection whose results look random.
constexpr std::uint64_t Mix(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15U;
  number = (number ^ (number >> 30U)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27U)) * 0x94d049bb133111ebU;
  return number ^ (number >> 31U);
}

// Key number `number` as 16 hexadecimal digits; consecutive numbers give unrelated keys.
class Key {
 public:
  explicit Key(std::uint64_t number) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::uint64_t mixed = Mix(number);
    for (std::size_t i = 0; i < kKeyBytes; ++i) {
      digits_[i] = kDigits[(mixed >> (60U - 4U * i)) & 15U];
    }
  }
  [[nodiscard]] std::string_view bytes() const {
    return std::string_view(digits_.data(), digits_.size());
  }

 private:
  std::array<char, kKeyBytes> digits_{};
};

// A value is a stamp of 8 bytes, then bytes derived from the stamp and the key. A byte of another
// write or of another key is therefore detected.
class ValueMaker {
 public:
  explicit ValueMaker(std::uint64_t bytes) : bytes_(bytes, '\0') {}

  std::string_view For(std::uint64_t key_number, std::uint64_t stamp) {
    const std::uint64_t word = Mix(key_number ^ Mix(stamp));
    std::memcpy(bytes_.data(), &stamp, sizeof(stamp));
    for (std::size_t at = sizeof(stamp); at < bytes_.size(); at += sizeof(word)) {
      std::memcpy(bytes_.data() + at, &word, Part(at));
    }
    return bytes_;
  }

  // Whether `value` is a value of that key, of this size, with any stamp.
  [[nodiscard]] bool IsOf(std::uint64_t key_number, std::string_view value) const {
    std::uint64_t stamp = 0;
    if (value.size() != bytes_.size() || value.size() < sizeof(stamp)) {
      return false;
    }
    std::memcpy(&stamp, value.data(), sizeof(stamp));
    const std::uint64_t word = Mix(key_number ^ Mix(stamp));
    for (std::size_t at = sizeof(stamp); at < value.size(); at += sizeof(word)) {
      if (std::memcmp(value.data() + at, &word, Part(at)) != 0) {
        return false;
      }
    }
    return true;
  }

 private:
  [[nodiscard]] std::size_t Part(std::size_t at) const {
    return bytes_.size() - at < sizeof(std::uint64_t) ? bytes_.size() - at : sizeof(std::uint64_t);
  }

  std::string bytes_;
};

}  // namespace commy::tools::bench
