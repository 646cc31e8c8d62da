// The file format's hash and checksum. Their values are part of the format.
#include "base/hash.h"

#include <string>

#include <gtest/gtest.h>

namespace commy::base {
namespace {

// From the published test vectors of XXH3-64 (empty input, seed 0).
constexpr std::uint64_t kEmptyHash = 0x2d06800538d394c2;

TEST(HashTest, HashKeyIsXxh3OfTheKeyUnderTheSeed) {
  EXPECT_EQ(HashKey("", 0), kEmptyHash);
  EXPECT_EQ(Checksum("", 0), kEmptyHash);
  EXPECT_EQ(HashKey("abc", 0), Checksum("abc", 3));
  EXPECT_NE(HashKey("abc", 0), HashKey("abc", 1));
  EXPECT_NE(HashKey("abc", 7), HashKey("abd", 7));
}

TEST(HashTest, BytesAfterAZeroByteChangeTheHash) {
  EXPECT_NE(HashKey(std::string("a\0b", 3), 5), HashKey(std::string("a\0c", 3), 5));
}

TEST(HashTest, EachFlippedBitChangesTheChecksum) {
  std::string data(64, '\x5a');
  const std::uint64_t before = Checksum(data.data(), data.size());
  for (std::size_t bit = 0; bit < data.size() * 8; ++bit) {
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(Checksum(data.data(), data.size()), before) << bit;
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << bit % 8));
  }
}

// Large inputs are summed with wide registers, where the processor has them; keys never are.
TEST(HashTest, TheChecksumIsTheSameHoweverManyBytesTheProcessorTakesAtOnce) {
  std::string data(300'000, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<char>(i * 131 >> 3U);
  }
  for (std::size_t size = 0; size <= data.size(); size += 1 + size / 9) {
    EXPECT_EQ(Checksum(data.data(), size), HashKey(std::string_view(data).substr(0, size), 0))
        << size;
  }
}

TEST(HashTest, NoChecksumIsZero) {
  // Zero is one value in 2^64, so no input is known that gives it. These short inputs show only
  // that ordinary ones do not.
  std::string data;
  for (int length = 0; length < 300; ++length) {
    EXPECT_NE(Checksum(data.data(), data.size()), 0U);
    data.push_back('\0');
  }
}

}  // namespace
}  // namespace commy::base
