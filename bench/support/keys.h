// Keys and values of benchmarks: 16-byte keys, 100-byte values that begin with their key.
//
// A KeyList holds its keys side by side in the order of their use. Keys scattered over the heap
// would cost each operation a cache miss that is not the store's. The order is random, and another
// list of the same keys has another order. A store filled by one list and read by another is
// therefore not walked in the order of its memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

namespace commy::bench {

inline constexpr std::size_t kKeyBytes = 16;
inline constexpr std::size_t kValueBytes = 100;

class KeyList {
 public:
  // Keys number [first, first + count) in the order that `seed` gives.
  KeyList(std::uint64_t first, std::uint64_t count, std::uint32_t seed) : keys_(count) {
    std::vector<std::uint64_t> order(count);
    std::iota(order.begin(), order.end(), first);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
    for (std::uint64_t i = 0; i < count; ++i) {
      WriteKey(order[i], keys_[i]);
    }
  }

  // Keys of these numbers, in this order.
  explicit KeyList(const std::vector<std::uint64_t>& numbers) : keys_(numbers.size()) {
    for (std::uint64_t i = 0; i < numbers.size(); ++i) {
      WriteKey(numbers[i], keys_[i]);
    }
  }

  [[nodiscard]] std::uint64_t size() const { return keys_.size(); }
  std::string_view operator[](std::uint64_t i) const {
    return std::string_view(keys_[i].data(), kKeyBytes);
  }
  // The next key; after the last, the first.
  std::string_view Next() {
    const std::string_view key = (*this)[next_];
    next_ = next_ + 1 == keys_.size() ? 0 : next_ + 1;
    return key;
  }

 private:
  using Key = std::array<char, kKeyBytes>;

  static void WriteKey(std::uint64_t number, Key& key) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    // An odd factor: a bijection, and the digits of neighbours have nothing in common.
    const std::uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15U;
    for (std::size_t i = 0; i < kKeyBytes; ++i) {
      key[i] = kDigits[(mixed >> (60U - 4U * i)) & 15U];
    }
  }

  std::vector<Key> keys_;
  std::uint64_t next_ = 0;
};

// The value of a key in a round: the key, then the round in every further byte.
class ValueMaker {
 public:
  explicit ValueMaker(char round) { bytes_.fill(round); }
  std::string_view For(std::string_view key) {
    std::memcpy(bytes_.data(), key.data(), kKeyBytes);
    return std::string_view(bytes_.data(), bytes_.size());
  }

 private:
  std::array<char, kValueBytes> bytes_{};
};

// Whether this is a value of `key`, of any round. Reads only the first and the last cache line.
inline bool IsValueOf(std::string_view key, std::string_view value) {
  return value.size() == kValueBytes && std::memcmp(value.data(), key.data(), kKeyBytes) == 0 &&
         value[kKeyBytes] == value[kValueBytes - 1];
}

}  // namespace commy::bench
