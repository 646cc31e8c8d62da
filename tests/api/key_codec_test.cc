// Keys of numbers, strings and tuples: their order is that of the values, they decode to the value
// that was encoded, and bytes that are no key give a status.
#include "commy/key_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/seed.h"

namespace commy::test {
namespace {

using Code = absl::StatusCode;
using Random = std::mt19937_64;

// --- Values: the edges, near them, and any ---------------------------------------------------

template <typename T>
T Value(Random& random) {
  static_assert(std::is_integral_v<T>);
  constexpr T kEdges[] = {std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T{0}, T{1},
                          static_cast<T>(-1)};
  const T anything = static_cast<T>(random());
  switch (random() % 4) {
    case 0:
      return kEdges[random() % std::size(kEdges)];
    case 1:  // Few bits, so that the lower bytes decide as well.
      return static_cast<T>(anything % 300);
    case 2:
      return static_cast<T>(std::make_unsigned_t<T>(1) << (random() % (sizeof(T) * 8)));
    default:
      return anything;
  }
}
template <>
bool Value<bool>(Random& random) {
  return random() % 2 == 0;
}
template <std::floating_point T>
T AnyFloat(Random& random) {
  using Limits = std::numeric_limits<T>;
  constexpr T kEdges[] = {T{0},
                          -T{0},
                          Limits::infinity(),
                          -Limits::infinity(),
                          Limits::max(),
                          Limits::lowest(),
                          Limits::min(),
                          -Limits::min(),
                          T{1},
                          Limits::quiet_NaN(),
                          Limits::denorm_min(),
                          -Limits::denorm_min()};
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  switch (random() % 3) {
    case 0:
      return kEdges[random() % std::size(kEdges)];
    case 1:
      return static_cast<T>(static_cast<std::int64_t>(random() % 2001) - 1000) / 8;
    default:  // NaNs of all kinds among them.
      return std::bit_cast<T>(static_cast<Bits>(random()));
  }
}
template <>
float Value<float>(Random& random) {
  return AnyFloat<float>(random);
}
template <>
double Value<double>(Random& random) {
  return AnyFloat<double>(random);
}
template <>
std::string Value<std::string>(Random& random) {
  constexpr std::string_view kBytes(
      "\x00\x01\x02\x7f\x80\xfe\xff"
      "a",
      8);
  std::string text;
  for (std::uint64_t i = random() % 6; i > 0; --i) {
    text += kBytes[random() % kBytes.size()];
  }
  return text;
}
using Pair = std::pair<std::string, std::int16_t>;
using Tuple = std::tuple<std::string, std::int32_t, std::string, bool, double>;
using Nested = std::tuple<Pair, std::tuple<>, std::string, Pair>;
template <>
Pair Value<Pair>(Random& random) {
  return {Value<std::string>(random), Value<std::int16_t>(random)};
}
template <>
Tuple Value<Tuple>(Random& random) {
  return {Value<std::string>(random), Value<std::int32_t>(random), Value<std::string>(random),
          Value<bool>(random), Value<double>(random)};
}
template <>
Nested Value<Nested>(Random& random) {
  return {Value<Pair>(random), {}, Value<std::string>(random), Value<Pair>(random)};
}

// --- The promised order: that of the type, NaN above all floats -----------------------------

template <typename T>
int Compare(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}
template <std::floating_point T>
int Compare(const T& a, const T& b) {
  if (std::isnan(a) || std::isnan(b)) {
    return (std::isnan(a) ? 1 : 0) - (std::isnan(b) ? 1 : 0);
  }
  return a < b ? -1 : b < a ? 1 : 0;
}
int Compare(const Tuple& a, const Tuple& b) {
  const auto front = [](const Tuple& t) {
    return std::tie(std::get<0>(t), std::get<1>(t), std::get<2>(t), std::get<3>(t));
  };
  return front(a) < front(b)   ? -1
         : front(b) < front(a) ? 1
                               : Compare(std::get<4>(a), std::get<4>(b));
}

int Sign(int order) {
  return (order > 0 ? 1 : 0) - (order < 0 ? 1 : 0);
}

template <typename T>
class KeyCodecTest : public testing::Test {
 protected:
  Random random_{Seed()};
};
using Types = testing::Types<bool, char, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                             std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, long long,
                             float, double, std::string, Pair, Tuple, Nested>;
TYPED_TEST_SUITE(KeyCodecTest, Types);

TYPED_TEST(KeyCodecTest, TheKeysHaveTheOrderOfTheValues) {
  for (int i = 0; i < 20'000; ++i) {
    const auto a = Value<TypeParam>(this->random_);
    const auto b = Value<TypeParam>(this->random_);
    const std::string key_a = EncodeKey(a);
    const std::string key_b = EncodeKey(b);
    ASSERT_EQ(Sign(key_a.compare(key_b)), Compare(a, b))
        << testing::PrintToString(a) << " and " << testing::PrintToString(b);
  }
}

TYPED_TEST(KeyCodecTest, WhatWasEncodedComesBack) {
  for (int i = 0; i < 20'000; ++i) {
    const auto value = Value<TypeParam>(this->random_);
    const absl::StatusOr<TypeParam> back = DecodeKey<TypeParam>(EncodeKey(value));
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_EQ(Compare(value, *back), 0) << testing::PrintToString(value);
  }
}

TYPED_TEST(KeyCodecTest, NoKeyIsTheBeginningOfAnother) {
  for (int i = 0; i < 2'000; ++i) {
    const std::string key = EncodeKey(Value<TypeParam>(this->random_));
    for (std::size_t size = 0; size < key.size(); ++size) {
      ASSERT_TRUE(Says(DecodeKey<TypeParam>(key.substr(0, size)).status(), Code::kInvalidArgument,
                       "a key "));
    }
    ASSERT_TRUE(Says(DecodeKey<TypeParam>(key + '\0').status(), Code::kInvalidArgument,
                     "1 more bytes than its type takes"));
  }
}

// Foreign bytes decode to a status, or to the one value that they encode.
TYPED_TEST(KeyCodecTest, WhatDecodesIsTheKeyOfWhatCameOut) {
  constexpr std::string_view kBytes("\x00\x01\xff\x80\x7f\xf0", 6);
  int decoded = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string key;
    if (this->random_() % 2 == 0) {
      for (std::uint64_t left = this->random_() % 12; left > 0; --left) {
        key += this->random_() % 3 == 0 ? static_cast<char>(this->random_())
                                        : kBytes[this->random_() % kBytes.size()];
      }
    } else {
      key = EncodeKey(Value<TypeParam>(this->random_));
      if (!key.empty()) {
        key[this->random_() % key.size()] = static_cast<char>(this->random_());
      }
    }
    const absl::StatusOr<TypeParam> value = DecodeKey<TypeParam>(key);
    if (value.ok()) {
      ++decoded;
      ASSERT_EQ(EncodeKey(*value), key);
    } else {
      ASSERT_TRUE(Says(value.status(), Code::kInvalidArgument, "a key "));
    }
  }
  EXPECT_GT(decoded, 0);
}

TEST(KeyBytesTest, KeysAreEncodedAsTheFormatSays) {
  EXPECT_EQ(EncodeKey(std::uint16_t{0x0102}), std::string("\x01\x02"));
  EXPECT_EQ(EncodeKey(std::int32_t{-1}), std::string("\x7f\xff\xff\xff"));
  EXPECT_EQ(EncodeKey(true), std::string("\x01"));
  EXPECT_EQ(EncodeKey(1.0), std::string("\xbf\xf0\0\0\0\0\0\0", 8));
  EXPECT_EQ(EncodeKey(-1.0F), std::string("\x40\x7f\xff\xff"));
  EXPECT_EQ(EncodeKey(-0.0), EncodeKey(0.0));
  EXPECT_EQ(EncodeKey(std::numeric_limits<double>::quiet_NaN()),
            std::string("\xff\xf8\0\0\0\0\0\0", 8));
  EXPECT_EQ(EncodeKey("a\xff"), std::string("a\xff\0\x01", 4));
  EXPECT_EQ(EncodeKey(std::string("\0b", 2)), std::string("\0\xff"
                                                          "b\0\x01",
                                                          5));
  EXPECT_EQ(EncodeKey(std::string_view("x"), true), EncodeKey(std::tuple("x", true)));
  EXPECT_EQ(EncodeKey(), "");
}

TEST(KeyBytesTest, TheKeyOfTheFirstPartsIsAPrefixOfTheTuplesKey) {
  const std::string whole = EncodeKey("acme", std::int64_t{7}, "x");
  EXPECT_TRUE(whole.starts_with(EncodeKey("acme")));
  EXPECT_TRUE(whole.starts_with(EncodeKey("acme", std::int64_t{7})));
  EXPECT_FALSE(EncodeKey("acme2", std::int64_t{7}).starts_with(EncodeKey("acme")));
}

TEST(KeyBytesTest, AFailedDecodeConsumesNothing) {
  const std::string key = EncodeKey("first", std::int32_t{5});
  std::string_view rest = key;
  using Long = std::tuple<std::string, std::int64_t>;
  EXPECT_FALSE(KeyCodec<Long>::Decode(&rest).ok());
  EXPECT_EQ(rest, key);
  const std::string zero = "\x7f\xff\xff\xff\xff\xff\xff\xff";  // What -0 would be.
  rest = zero;
  EXPECT_TRUE(Says(KeyCodec<double>::Decode(&rest).status(), Code::kInvalidArgument, "zero"));
  EXPECT_EQ(rest, zero);
}

class KeyScanTest : public OrderedFixture {};

TEST_F(KeyScanTest, ScansFollowTheOrderOfNumbersAndOfTuples) {
  using EventKey = std::tuple<std::string, std::int64_t>;
  const Store store = MustOpen(TinyNodes(QuietOptions()));
  const Namespace ns = MustOpenOrdered(store, "n");
  for (const std::string device : {"pump", "pump2", "pu"}) {
    for (std::int64_t at = -50; at <= 50; ++at) {
      ASSERT_TRUE(ns.Put(EncodeKey(EventKey(device, at)), device).ok());
    }
  }
  std::int64_t next = -50;
  ScanRange scan = ns.Scan({.prefix = EncodeKey("pump")});
  for (const Entry& entry : scan) {
    ASSERT_EQ(DecodeKey<EventKey>(entry.key()).value(), EventKey("pump", next));
    ++next;
  }
  ASSERT_TRUE(scan.status().ok());
  EXPECT_EQ(next, 51);
  EXPECT_EQ(
      ns.Count({.from = EncodeKey(EventKey("pump", -3)), .to = EncodeKey(EventKey("pump", 4))})
          .value(),
      7U);
}

}  // namespace
}  // namespace commy::test
