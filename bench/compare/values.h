// Values that can be checked: 100 bytes that identify their key and the write that made them.
//
//   | key, 16 bytes | stamp, 8 bytes | a word made of both, nine times and a half |
//
// A value of another key, of two writes, or of no write is therefore recognized by itself.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "support/keys.h"

namespace commy::compare {

class ValueMaker {
 public:
  std::string_view For(std::string_view key, std::uint64_t stamp) {
    std::memcpy(bytes_.data(), key.data(), bench::kKeyBytes);
    std::memcpy(bytes_.data() + kStampAt, &stamp, sizeof(stamp));
    const std::uint64_t word = WordOf(key, stamp);
    for (std::size_t at = kWordsAt; at < bench::kValueBytes; at += sizeof(word)) {
      std::memcpy(bytes_.data() + at, &word, BytesAt(at));
    }
    return {bytes_.data(), bytes_.size()};
  }

  // The stamp of an intact value of `key`. nullopt: the value is not intact.
  static std::optional<std::uint64_t> StampOf(std::string_view key, std::string_view value) {
    if (value.size() != bench::kValueBytes ||
        std::memcmp(value.data(), key.data(), bench::kKeyBytes) != 0) {
      return std::nullopt;
    }
    std::uint64_t stamp = 0;
    std::memcpy(&stamp, value.data() + kStampAt, sizeof(stamp));
    const std::uint64_t word = WordOf(key, stamp);
    std::uint64_t difference = 0;
    for (std::size_t at = kWordsAt; at + sizeof(word) <= bench::kValueBytes; at += sizeof(word)) {
      std::uint64_t found = 0;
      std::memcpy(&found, value.data() + at, sizeof(found));
      difference |= found ^ word;
    }
    const bool tail = std::memcmp(value.data() + kTailAt, &word, BytesAt(kTailAt)) == 0;
    return difference == 0 && tail ? std::optional<std::uint64_t>(stamp) : std::nullopt;
  }

 private:
  static constexpr std::size_t kStampAt = bench::kKeyBytes;
  static constexpr std::size_t kWordsAt = kStampAt + sizeof(std::uint64_t);
  static constexpr std::size_t kTailAt =
      bench::kValueBytes - (bench::kValueBytes - kWordsAt) % sizeof(std::uint64_t);

  static constexpr std::size_t BytesAt(std::size_t at) {
    return at == kTailAt ? bench::kValueBytes - kTailAt : sizeof(std::uint64_t);
  }
  static std::uint64_t WordOf(std::string_view key, std::uint64_t stamp) {
    std::uint64_t head = 0;
    std::memcpy(&head, key.data(), sizeof(head));
    return (head ^ stamp) * 0x9e3779b97f4a7c15U + stamp;
  }

  std::array<char, bench::kValueBytes> bytes_{};
};

}  // namespace commy::compare
