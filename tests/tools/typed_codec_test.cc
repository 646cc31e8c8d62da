// What programs write by commy::Codec and KeyCodec is what the command line reads by the type's
// text alone, and the other way round.
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/codec_types.h"
#include "support/seed.h"
#include "typed/key_text.h"
#include "typed/value_text.h"

namespace commy::tools {
namespace {

using acme::Color;
using acme::Level;
using acme::Line;
using acme::Nested;
using acme::Padded;
using acme::Person;
using acme::Position;

template <typename T>
types::Type TypeOf() {
  const std::string_view text = Codec<T>::kDescriptor;
  absl::StatusOr<types::Type> type = types::ParseType(text);
  EXPECT_TRUE(type.ok()) << text << ": " << type.status();
  if (!type.ok()) {
    return {};
  }
  EXPECT_EQ(types::ToText(*type), text);
  EXPECT_EQ(types::IsPlain(*type), internal::kPlain<T>) << text;
  EXPECT_EQ(types::FixedSize(*type).value_or(0), internal::kFixedBytes<T>) << text;
  if constexpr (internal::kPlain<T>) {
    EXPECT_EQ(types::LayoutOf(*type)->size, sizeof(T)) << text;
    EXPECT_EQ(types::LayoutOf(*type)->align, alignof(T)) << text;
  }
  return *type;
}

template <typename T>
void ExpectValue(const T& value, const std::string& text) {
  const types::Type type = TypeOf<T>();
  std::string bytes;
  Codec<T>::Encode(value, &bytes);
  const absl::StatusOr<std::string> shown = FormatValue(type, bytes);
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(*shown, text);
  const absl::StatusOr<std::string> parsed = ParseValue(type, text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, bytes) << text;
}

template <typename T>
void ExpectKey(const T& value, const std::string& text) {
  const types::Type type = TypeOf<T>();
  const std::string bytes = EncodeKey(value);
  const absl::StatusOr<std::string> shown = FormatKey(type, bytes);
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(*shown, text);
  const absl::StatusOr<std::string> parsed = ParseKey(type, text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, bytes) << text;
}

TEST(TypedCodecTest, ValuesOfProgramsAreShownAndTyped) {
  ExpectValue(true, "true");
  ExpectValue(std::int8_t{-5}, "-5");
  ExpectValue(std::uint64_t{18446744073709551615U}, "18446744073709551615");
  ExpectValue(0.5F, "0.5");
  ExpectValue(-0.25, "-0.25");
  ExpectValue(Color::kNone, "255");
  ExpectValue(Level::kLow, "-300");
  ExpectValue(std::string("a b"), "a b");
  ExpectValue(std::vector{std::byte{0}, std::byte{0xab}}, "00ab");
  ExpectValue(absl::FromUnixSeconds(1), "1970-01-01T00:00:01Z");
  ExpectValue(absl::InfiniteFuture(), "infinite-future");
  ExpectValue(absl::Hours(1) + absl::Milliseconds(500), "1h0.5s");
  ExpectValue(-absl::InfiniteDuration(), "-inf");
  ExpectValue(Position{1.5, -2.5}, R"({"x":1.5,"y":-2.5})");
  ExpectValue(Padded{1, 2, true, Color::kGreen, 3, 4},
              R"({"tag":1,"id":2,"on":true,"color":2,"count":3,"last":4})");
  ExpectValue(Line{7}, R"({"value":7})");
  ExpectValue(Person{"Al", 3, std::nullopt, {1, 2}},
              R"({"name":"Al","age":3,"mail":null,"rooms":[1,2]})");
  ExpectValue(std::pair<std::string, std::vector<bool>>("a", {true}), R"(["a",[true]])");
  ExpectValue(std::array<std::optional<absl::Duration>, 2>{absl::Seconds(1), std::nullopt},
              R"(["1s",null])");
  ExpectValue(acme::Note("hi"), "note:hi");
  ExpectValue(acme::Blob{"hi"}, "<hi>");
}

TEST(TypedCodecTest, KeysOfProgramsAreShownAndTyped) {
  ExpectKey(true, "true");
  ExpectKey(std::int32_t{-5}, "-5");
  ExpectKey(-0.25, "-0.25");
  ExpectKey(Level::kHigh, "300");
  ExpectKey(absl::FromUnixSeconds(1), "1970-01-01T00:00:01Z");
  ExpectKey(-absl::Seconds(1), "-1s");
  ExpectKey(Position{1.5, -2}, "1.5,-2");
  ExpectKey(Person{"Al", 3, std::nullopt, {1, 2}}, "Al,3,null,[1,2]");
  ExpectKey(std::tuple<std::string, std::int64_t, Color>("pump", -1, Color::kRed), "pump,-1,1");
  ExpectKey(std::optional<std::int16_t>(), "null");
  ExpectKey(std::vector<std::string>{"a", ""}, R"(["a",""])");
  ExpectKey(std::array<std::uint8_t, 2>{1, 2}, "1,2");
}

// The two readers agree on which bytes are a value. Padding that is not zero is none in a file, but
// a program reads it: it does not look there. Nor behind the fields that it knows.
template <typename T>
void ExpectSameVerdict(std::mt19937_64& random, T value) {
  const types::Type type = TypeOf<T>();
  std::string whole;
  Codec<T>::Encode(value, &whole);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole;
    for (std::uint64_t n = random() % 3; n > 0 && !bytes.empty(); --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 4);
    }
    bytes.resize(random() % 2 == 0 ? random() % (bytes.size() + 3) : bytes.size());
    const bool reads = Codec<T>::Decode(bytes).ok();
    const absl::StatusOr<std::string> shown = FormatValue(type, bytes);
    if (internal::kPlain<T> || type.kind == types::Kind::kStruct) {
      ASSERT_TRUE(reads || !shown.ok()) << *shown;
    } else {
      ASSERT_EQ(reads, shown.ok()) << shown.status() << " " << testing::PrintToString(bytes);
    }
    refused += reads ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
}

TEST(TypedCodecTest, BothReadersAgreeOnWhatIsAValue) {
  std::mt19937_64 random(test::Seed());
  ExpectSameVerdict(random, true);
  ExpectSameVerdict(random, Nested{});
  ExpectSameVerdict(random, Line{1});
  ExpectSameVerdict(random, Person{"ab", 3, "m", {1, 2}});
  ExpectSameVerdict(random, std::optional<std::string>("ab"));
  ExpectSameVerdict(random, std::vector<std::optional<bool>>{true, std::nullopt});
  ExpectSameVerdict(random, std::tuple<std::string, std::vector<Padded>>("ab", {}));
  ExpectSameVerdict(random, std::pair<absl::Time, std::vector<bool>>(absl::UnixEpoch(), {true}));
}

}  // namespace
}  // namespace commy::tools
