// Values of all types as bytes: they come back, their bytes are those of docs/types.md, and other
// bytes give a status. Keys of the same types have the order of the values.
#include "commy/codec.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <new>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/codec_types.h"
#include "support/seed.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using acme::Color;
using acme::Level;
using acme::Line;
using acme::Nested;
using acme::Padded;
using acme::Person;
using acme::Position;
using Code = absl::StatusCode;

// Bytes with zeros among them.
template <std::size_t kSize>
std::string Bytes(const char (&literal)[kSize]) {
  return std::string(literal, kSize - 1);
}

template <typename T>
std::string Encoded(const T& value) {
  std::string bytes;
  Codec<T>::Encode(value, &bytes);
  return bytes;
}

// The value has these bytes, wherever they are appended, and comes back from them.
template <typename T>
void ExpectBytes(const T& value, const std::string& bytes) {
  EXPECT_EQ(Encoded(value), bytes);
  std::string behind = "before";
  Codec<T>::Encode(value, &behind);
  EXPECT_EQ(behind, "before" + bytes);
  EXPECT_EQ(internal::ValueBytes<T>(value).view(), bytes);
  const absl::StatusOr<T> back = Codec<T>::Decode(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == value);
}

template <typename T>
void ExpectBack(const T& value) {
  ExpectBytes(value, Encoded(value));
}

template <typename T>
testing::AssertionResult IsRefused(const std::string& bytes, const std::string& why) {
  return Says(Codec<T>::Decode(bytes).status(), Code::kDataLoss, why);
}

// --- Golden bytes ------------------------------------------------------------------------------

TEST(CodecTest, NumbersLieAsInMemory) {
  ExpectBytes(true, Bytes("\x01"));
  ExpectBytes(false, Bytes("\x00"));
  ExpectBytes(std::uint8_t{200}, Bytes("\xc8"));
  ExpectBytes(std::int8_t{-1}, Bytes("\xff"));
  ExpectBytes('a', "a");
  ExpectBytes(std::uint16_t{0x0102}, Bytes("\x02\x01"));
  ExpectBytes(std::int32_t{-2}, Bytes("\xfe\xff\xff\xff"));
  ExpectBytes(std::uint64_t{1} << 40, Bytes("\x00\x00\x00\x00\x00\x01\x00\x00"));
  ExpectBytes(std::numeric_limits<std::int64_t>::min(), Bytes("\x00\x00\x00\x00\x00\x00\x00\x80"));
  ExpectBytes(1.0F, Bytes("\x00\x00\x80\x3f"));
  ExpectBytes(-2.0, Bytes("\x00\x00\x00\x00\x00\x00\x00\xc0"));
  ExpectBytes(Color::kNone, Bytes("\xff"));
  ExpectBytes(Level::kLow, Bytes("\xd4\xfe"));
}

TEST(CodecTest, FloatsKeepAllTheirBits) {
  ExpectBytes(-0.0, Bytes("\x00\x00\x00\x00\x00\x00\x00\x80"));
  EXPECT_TRUE(std::signbit(*Codec<double>::Decode(Encoded(-0.0))));
  EXPECT_NE(Encoded(0.0), Encoded(-0.0));
  for (const std::uint64_t bits : {0x7ff8000000000000U, 0xfff8000000000123U, 0x7ffc00000000beefU}) {
    const std::string bytes = Encoded(std::bit_cast<double>(bits));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(*Codec<double>::Decode(bytes)), bits);
    EXPECT_EQ(bytes, Encoded(bits));
  }
}

TEST(CodecTest, TextAndBytesAreTheirOwn) {
  ExpectBytes(std::string(), "");
  ExpectBytes(Bytes("a\0b\xff"), Bytes("a\0b\xff"));
  ExpectBytes(std::vector<std::byte>{}, "");
  ExpectBytes(std::vector{std::byte{0}, std::byte{0xff}}, Bytes("\0\xff"));
}

TEST(CodecTest, TimesAreNanosecondsAndTheEndsAreInfinite) {
  ExpectBytes(absl::UnixEpoch(), std::string(8, '\0'));
  ExpectBytes(absl::UnixEpoch() + absl::Nanoseconds(258), Bytes("\x02\x01\0\0\0\0\0\0"));
  ExpectBytes(absl::UnixEpoch() - absl::Nanoseconds(1), std::string(8, '\xff'));
  ExpectBytes(absl::InfiniteFuture(), Bytes("\xff\xff\xff\xff\xff\xff\xff\x7f"));
  ExpectBytes(absl::InfinitePast(), Bytes("\0\0\0\0\0\0\0\x80"));
  ExpectBytes(absl::Microseconds(-1), Bytes("\x18\xfc\xff\xff\xff\xff\xff\xff"));
  ExpectBytes(absl::InfiniteDuration(), Bytes("\xff\xff\xff\xff\xff\xff\xff\x7f"));
  ExpectBytes(-absl::InfiniteDuration(), Bytes("\0\0\0\0\0\0\0\x80"));
  // What lies outside becomes infinite, and what is finer is cut off.
  EXPECT_EQ(*Codec<absl::Time>::Decode(Encoded(absl::FromUnixSeconds(10'000'000'000))),
            absl::InfiniteFuture());
  EXPECT_EQ(*Codec<absl::Time>::Decode(Encoded(absl::FromUnixSeconds(-10'000'000'000))),
            absl::InfinitePast());
  EXPECT_EQ(*Codec<absl::Duration>::Decode(Encoded(absl::Hours(24 * 366 * 300))),
            absl::InfiniteDuration());
  EXPECT_EQ(*Codec<absl::Duration>::Decode(Encoded(absl::Nanoseconds(7) + absl::Nanoseconds(0.5))),
            absl::Nanoseconds(7));
}

TEST(CodecTest, SequencesHaveTheBytesThatTheDocumentShows) {
  ExpectBytes(std::tuple<std::uint8_t, std::uint16_t>(1, 2), Bytes("\x01\x02\x00"));
  ExpectBytes(std::pair<std::string, std::uint8_t>("ab", 3), Bytes("\x02\x00\x00\x00"
                                                                   "ab\x03"));
  ExpectBytes(std::vector<std::uint16_t>{1, 2}, Bytes("\x01\x00\x02\x00"));
  ExpectBytes(std::vector<bool>{true, false}, Bytes("\x01\x00"));
  ExpectBytes(std::vector<std::optional<std::uint8_t>>{std::nullopt, 5},
              Bytes("\x00\x00\x00\x00\x02\x00\x00\x00\x01\x05"));
  ExpectBytes(std::optional<std::string>(), "");
  ExpectBytes(std::optional<std::string>(""), Bytes("\x01"));
  ExpectBytes(std::optional<std::string>("x"), Bytes("\x01x"));
  ExpectBytes(std::array<std::uint16_t, 2>{1, 2}, Bytes("\x01\x00\x02\x00"));
  ExpectBytes(std::array<std::string, 2>{"", "a"}, Bytes("\0\0\0\0\x01\0\0\0a"));
  ExpectBytes(std::array<absl::Duration, 1>{absl::Nanoseconds(1)}, Bytes("\x01\0\0\0\0\0\0\0"));
}

TEST(CodecTest, StructsHaveTheBytesThatTheDocumentShows) {
  ExpectBytes(Padded{1, 2, true, Color::kGreen, 3, 4}, Bytes("\x01\0\0\0\0\0\0\0"
                                                             "\x02\0\0\0\0\0\0\0"
                                                             "\x01\x02\0\0\x03\0\0\0"
                                                             "\x04\0\0\0\0\0\0\0"));
  ExpectBytes(Line{7}, Bytes("\x07\0\0\0") + std::string(60, '\0'));
  ExpectBytes(Person{"ab", 3, "m", {1, 2}}, Bytes("\x02\0\0\0ab\x03"
                                                  "\x02\0\0\0\x01m"
                                                  "\x04\0\0\0\x01\0\x02\0"));
  ExpectBytes(acme::Note("hi"), "note:hi");
  ExpectBytes(acme::Blob{"hi"}, "<hi>");
  ExpectBytes(std::vector<acme::Blob>{{"a"}, {""}}, Bytes("\x03\0\0\0<a>\x02\0\0\0<>"));
}

// --- Any values come back ------------------------------------------------------------------------

using Random = std::mt19937_64;

// Functions that call each other, whichever comes first.
struct Maker {
  template <typename T>
  requires std::integral<T> || std::is_enum_v<T>
  static void Make(Random& random, T& value) {
    if constexpr (std::same_as<T, bool>) {
      value = random() % 2 == 0;
    } else {
      value = static_cast<T>(random() % 3 == 0 ? random() % 3 : random());
    }
  }
  static void Make(Random& random, double& value) {
    value = static_cast<double>(static_cast<std::int64_t>(random() % 4001) - 2000) / 8;
  }
  static void Make(Random& random, std::string& value) {
    constexpr std::string_view kBytes(
        "\x00\x01\x7f\x80\xff"
        "a",
        6);
    value.clear();
    for (std::uint64_t i = random() % 5; i > 0; --i) {
      value += kBytes[random() % kBytes.size()];
    }
  }
  static void Make(Random& random, std::vector<std::byte>& value) {
    std::string bytes;
    Make(random, bytes);
    value.assign(reinterpret_cast<const std::byte*>(bytes.data()),
                 reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size());
  }
  static void Make(Random& random, absl::Duration& value) {
    std::int64_t ns = 0;
    Make(random, ns);
    value = random() % 10 == 0   ? absl::InfiniteDuration()
            : random() % 10 == 0 ? -absl::InfiniteDuration()
                                 : absl::Nanoseconds(ns / 2);
  }
  static void Make(Random& random, absl::Time& value) {
    absl::Duration since;
    Make(random, since);
    value = absl::UnixEpoch() + since;
  }
  template <typename... Parts>
  static void Make(Random& random, std::tuple<Parts...>& value) {
    std::apply([&](Parts&... parts) { (Make(random, parts), ...); }, value);
  }
  template <typename First, typename Second>
  static void Make(Random& random, std::pair<First, Second>& value) {
    Make(random, value.first);
    Make(random, value.second);
  }
  template <typename T, std::size_t kCount>
  static void Make(Random& random, std::array<T, kCount>& value) {
    for (T& part : value) {
      Make(random, part);
    }
  }
  template <typename T>
  static void Make(Random& random, std::optional<T>& value) {
    value.reset();
    if (random() % 3 != 0) {
      Make(random, value.emplace());
    }
  }
  template <typename T>
  static void Make(Random& random, std::vector<T>& value) {
    value.clear();
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      T part{};
      Make(random, part);
      value.push_back(std::move(part));
    }
  }
  template <internal::Described T>
  static void Make(Random& random, T& value) {
    using Info = internal::StructInfo<T>;
    Info::ForEach([&]<std::size_t kIndex>() {
      Make(random, value.*Info::template FieldAt<kIndex>::kPointer);
      return true;
    });
  }
};

template <typename T>
class AnyValueTest : public testing::Test {
 protected:
  T Any() {
    T value{};
    Maker::Make(random_, value);
    return value;
  }
  Random random_{Seed()};
};
using AnyTypes =
    testing::Types<bool, std::int8_t, std::uint64_t, double, Color, Level, std::string,
                   std::vector<std::byte>, absl::Time, absl::Duration, Position, Padded, Nested,
                   Line, Person, std::pair<std::string, Padded>,
                   std::tuple<std::uint8_t, std::vector<std::string>, absl::Time>,
                   std::array<std::uint16_t, 3>, std::array<std::optional<std::string>, 2>,
                   std::vector<bool>, std::optional<std::vector<Person>>,
                   std::vector<std::vector<std::pair<Level, std::string>>>, std::vector<Nested>>;
TYPED_TEST_SUITE(AnyValueTest, AnyTypes);

TYPED_TEST(AnyValueTest, AValueComesBack) {
  for (int i = 0; i < 2000; ++i) {
    ASSERT_NO_FATAL_FAILURE(ExpectBack(this->Any()));
  }
}

TYPED_TEST(AnyValueTest, TheSizeIsFixedIfTheCodecSaysSo) {
  std::set<std::size_t> sizes;
  for (int i = 0; i < 300; ++i) {
    sizes.insert(Encoded(this->Any()).size());
  }
  if (internal::kFixedBytes<TypeParam> != 0) {
    EXPECT_EQ(sizes, std::set<std::size_t>{internal::kFixedBytes<TypeParam>});
  } else {
    EXPECT_GT(sizes.size(), 1U);
  }
}

// Foreign bytes give a status, or a value; with all that follows from it.
TYPED_TEST(AnyValueTest, AnyBytesAreReadOrRefused) {
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = Encoded(this->Any());
    for (std::uint64_t n = this->random_() % 3; n > 0 && !bytes.empty(); --n) {
      bytes[this->random_() % bytes.size()] = static_cast<char>(this->random_());
    }
    bytes.resize(this->random_() % 3 == 0 ? this->random_() % (bytes.size() + 3) : bytes.size());
    const absl::StatusOr<TypeParam> value = Codec<TypeParam>::Decode(bytes);
    if (value.ok()) {
      (void)Encoded(*value);
    } else {
      ASSERT_TRUE(Says(value.status(), Code::kDataLoss, "a value of type "));
    }
  }
}

// --- Descriptors -----------------------------------------------------------------------------

TEST(CodecDescriptorTest, TypesAreCalledWhatTheDocumentSays) {
  EXPECT_EQ(Codec<bool>::kDescriptor, "bool");
  EXPECT_EQ(Codec<char>::kDescriptor, std::is_signed_v<char> ? "i8" : "u8");
  EXPECT_EQ(Codec<std::uint8_t>::kDescriptor, "u8");
  EXPECT_EQ(Codec<std::int16_t>::kDescriptor, "i16");
  EXPECT_EQ(Codec<unsigned int>::kDescriptor, "u32");
  EXPECT_EQ(Codec<long>::kDescriptor, "i64");
  EXPECT_EQ(Codec<long long>::kDescriptor, "i64");
  EXPECT_EQ(Codec<float>::kDescriptor, "f32");
  EXPECT_EQ(Codec<double>::kDescriptor, "f64");
  EXPECT_EQ(Codec<Color>::kDescriptor, "enum acme.Color:u8");
  EXPECT_EQ(Codec<Level>::kDescriptor, "enum acme.Level:i16");
  EXPECT_EQ(Codec<std::string>::kDescriptor, "string");
  EXPECT_EQ(Codec<std::vector<std::byte>>::kDescriptor, "bytes");
  EXPECT_EQ(Codec<absl::Time>::kDescriptor, "time");
  EXPECT_EQ(Codec<absl::Duration>::kDescriptor, "duration");
  EXPECT_EQ(Codec<Position>::kDescriptor, "struct acme.Position{x:f64,y:f64}");
  EXPECT_EQ(Codec<Line>::kDescriptor, "struct acme.Line@64{value:u32}");
  EXPECT_EQ(Codec<Person>::kDescriptor,
            "struct acme.Person{name:string,age:u8,mail:optional<string>,rooms:vector<u16>}");
  EXPECT_EQ((Codec<std::pair<bool, std::string>>::kDescriptor), "tuple<bool,string>");
  EXPECT_EQ((Codec<std::tuple<float>>::kDescriptor), "tuple<f32>");
  EXPECT_EQ((Codec<std::array<std::vector<Color>, 12>>::kDescriptor),
            "array<vector<enum acme.Color:u8>,12>");
  EXPECT_EQ(Codec<acme::Note>::kDescriptor, "message acme.Note");
  EXPECT_EQ(Codec<acme::Blob>::kDescriptor, "acme.Blob");
}

TEST(CodecDescriptorTest, PlainIsWhatLiesInMemoryAsItIs) {
  EXPECT_TRUE(internal::kPlain<Nested>);
  EXPECT_TRUE(internal::kPlain<Line>);
  EXPECT_TRUE((internal::kPlain<std::array<Color, 3>>));
  EXPECT_FALSE(internal::kPlain<Person>);
  EXPECT_FALSE(internal::kPlain<absl::Time>);
  EXPECT_FALSE((internal::kPlain<std::pair<int, int>>));
  EXPECT_FALSE((internal::kPlain<std::array<std::string, 3>>));
  EXPECT_FALSE(internal::kPlain<acme::Blob>);
}

TEST(CodecDescriptorTest, ViewsAndUnknownTypesCannotBeStored) {
  EXPECT_FALSE(Storable<std::string_view>);
  struct Unknown {};
  EXPECT_FALSE(Storable<Unknown>);
  EXPECT_FALSE(Storable<std::vector<Unknown>>);
  EXPECT_FALSE((Storable<std::map<int, int>>));
}

// --- What is refused -----------------------------------------------------------------------------

TEST(CodecFaultTest, AWrongSizeIsDataLossThatSaysWhatWasExpected) {
  EXPECT_TRUE(IsRefused<std::uint32_t>("abc", "type u32"));
  EXPECT_TRUE(IsRefused<std::uint32_t>("abc", "of 3 bytes; expected: 4"));
  EXPECT_TRUE(IsRefused<std::uint32_t>("abcde", "of 5 bytes"));
  EXPECT_TRUE(IsRefused<std::uint32_t>("", "of 0 bytes"));
  EXPECT_TRUE(IsRefused<bool>("", "bool"));
  EXPECT_TRUE(IsRefused<bool>(Bytes("\x01\x01"), "bool"));
  EXPECT_TRUE(IsRefused<absl::Time>("1234567", "7 bytes"));
  EXPECT_TRUE(IsRefused<Position>(std::string(15, '\0'), "expected: 16"));
  EXPECT_TRUE(IsRefused<Position>("", "acme.Position"));
  EXPECT_TRUE((IsRefused<std::array<std::uint16_t, 2>>("abc", "array<u16,2>")));
  EXPECT_TRUE((IsRefused<std::array<std::string, 1>>(Bytes("\0\0\0\0x"), "none behind")));
  EXPECT_TRUE((IsRefused<std::tuple<std::uint8_t, std::uint16_t>>("ab", "2 of its next part")));
  EXPECT_TRUE((IsRefused<std::pair<bool, bool>>(Bytes("\x01\x01\x01"), "none behind")));
  EXPECT_TRUE(IsRefused<std::vector<std::uint16_t>>("abc", "vector<u16>"));
  EXPECT_TRUE(IsRefused<std::vector<std::string>>(Bytes("\x01\0\0"), "the length"));
  EXPECT_TRUE(IsRefused<std::vector<std::string>>(Bytes("\xff\xff\xff\xffx"), "4294967295"));
  EXPECT_TRUE(IsRefused<acme::Note>("not a note", "message acme.Note"));
}

TEST(CodecFaultTest, ABoolAndTheMarkOfAnOptionalAreZeroOrOne) {
  EXPECT_TRUE(IsRefused<bool>(Bytes("\x02"), "each bool must be 0 or 1"));
  EXPECT_TRUE((IsRefused<std::array<bool, 2>>(Bytes("\x01\x02"), "bool")));
  EXPECT_TRUE(IsRefused<std::vector<bool>>(Bytes("\x01\x03"), "bool"));
  EXPECT_TRUE(IsRefused<std::optional<int>>(Bytes("\x02\0\0\0\0"), "optional<i32>"));
  EXPECT_TRUE(IsRefused<std::optional<std::string>>(Bytes("\0"), "optional"));
  // Also deep inside, and at the address where it lies.
  std::string bytes = Encoded(Nested{});
  const std::size_t at = sizeof(Padded) + offsetof(Padded, on);
  bytes[at] = 1;
  EXPECT_TRUE(Codec<Nested>::Decode(bytes)->pair[1].on);
  bytes[at] = 2;
  EXPECT_TRUE(IsRefused<Nested>(bytes, "bool"));
  alignas(Nested) std::array<char, sizeof(Nested)> memory;
  std::memcpy(memory.data(), bytes.data(), bytes.size());
  EXPECT_EQ(internal::InPlace<Nested>({memory.data(), memory.size()}), nullptr);
  memory[at] = 1;
  EXPECT_NE(internal::InPlace<Nested>({memory.data(), memory.size()}), nullptr);
}

TEST(CodecFaultTest, OnlyWhatIsWholeAndAlignedIsReadInPlace) {
  alignas(64) std::array<char, 128> memory{};
  for (std::size_t at = 0; at < 64; ++at) {
    EXPECT_EQ(internal::InPlace<Line>({memory.data() + at, sizeof(Line)}) != nullptr, at == 0);
    EXPECT_EQ(internal::InPlace<Position>({memory.data() + at, 16}) != nullptr, at % 8 == 0);
  }
  EXPECT_EQ(internal::InPlace<Position>({memory.data(), 15}), nullptr);
  EXPECT_NE(internal::InPlace<Position>({memory.data(), 17}), nullptr);  // Of a later version.
  EXPECT_EQ(internal::InPlace<std::uint64_t>({memory.data(), 9}), nullptr);
}

// --- Padding -----------------------------------------------------------------------------------

TEST(CodecPaddingTest, IsZeroWhateverWasInMemory) {
  for (const int fill : {0, 0xff, 0x5a}) {
    alignas(Nested) std::array<std::byte, sizeof(Nested)> memory;
    std::memset(memory.data(), fill, memory.size());
    auto* const nested = reinterpret_cast<Nested*>(memory.data());
    for (Padded& each : nested->pair) {
      each.tag = 1;
      each.id = 2;
      each.on = true;
      each.color = Color::kGreen;
      each.count = 3;
      each.last = 4;
    }
    nested->end = 5;
    const std::string padded = Encoded(Padded{1, 2, true, Color::kGreen, 3, 4});
    const std::string want = padded + padded + Bytes("\x05\0\0\0\0\0\0\0");
    EXPECT_EQ(Encoded(*nested), want);
    EXPECT_EQ(internal::ValueBytes<Nested>(*nested).view(), want);
    EXPECT_EQ(Encoded(nested->pair), padded + padded);
  }
  alignas(Line) std::array<std::byte, sizeof(Line)> memory;
  std::memset(memory.data(), 0xff, memory.size());
  auto* const line = reinterpret_cast<Line*>(memory.data());
  line->value = 7;
  EXPECT_EQ(Encoded(*line), Bytes("\x07\0\0\0") + std::string(60, '\0'));
}

// --- Older values --------------------------------------------------------------------------------

// The fields of Old, in one struct after the other.
struct Old1 {
  std::uint64_t a = 0;
  std::uint32_t b = 0;
};
struct Old2 {
  std::uint64_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 33;  // In what was padding of Old1.
  std::uint8_t d = 44;
  std::uint64_t e = 55;
};
COMMY_STRUCT(Old1, "acme.Old", a, b);
COMMY_STRUCT(Old2, "acme.Old", a, b, c, d, e);

TEST(CodecOlderTest, AShorterPlainStructGetsTheInitialValuesOfTheNewFields) {
  std::string whole = Encoded(Old2{1, 2, 3, 4, 5});
  ASSERT_EQ(whole.size(), 32U);
  // After a: 8 bytes; after c: 16; after d, with its padding: 24.
  absl::StatusOr<Old2> read = Codec<Old2>::Decode(whole.substr(0, 8));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(std::tuple(read->a, read->b, read->c, read->d, read->e), std::tuple(1, 0, 33, 44, 55));
  read = Codec<Old2>::Decode(whole.substr(0, 24));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(std::tuple(read->a, read->b, read->c, read->d, read->e), std::tuple(1, 2, 3, 4, 55));
  read = Codec<Old2>::Decode(whole.substr(0, 16));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(std::tuple(read->a, read->b, read->c, read->d, read->e), std::tuple(1, 2, 3, 44, 55));
  for (std::size_t size = 0; size < 40; ++size) {
    whole.resize(size, '\0');
    EXPECT_EQ(Codec<Old2>::Decode(whole).ok(), size == 8 || size == 16 || size == 24 || size >= 32)
        << size;
  }
}

TEST(CodecOlderTest, OfALongerStructTheKnownFieldsAreRead) {
  const std::string longer = Encoded(Old2{1, 2, 3, 4, 5});
  const absl::StatusOr<Old1> known = Codec<Old1>::Decode(longer);
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(std::tuple(known->a, known->b), std::tuple(1, 2));
  const absl::StatusOr<Person> person =
      Codec<Person>::Decode(Encoded(Person{"a", 1, "m", {}}) + "more");
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_EQ(person->name, "a");
}

struct Person2 {
  std::string name;
  std::uint8_t age = 18;
  std::optional<std::string> mail = "none";
  std::vector<std::uint16_t> rooms = {9};
  std::string more = "more";
};
COMMY_STRUCT(Person2, "acme.Person", name, age, mail, rooms, more);

TEST(CodecOlderTest, ASequenceMayEndBehindAnyFieldButTheFirst) {
  const std::string old = Encoded(Person{"ab", 3, "m", {1, 2}});
  absl::StatusOr<Person2> read = Codec<Person2>::Decode(old);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "ab");
  EXPECT_EQ(read->mail, "m");
  EXPECT_EQ(read->rooms, (std::vector<std::uint16_t>{1, 2}));
  EXPECT_EQ(read->more, "more");
  read = Codec<Person2>::Decode(old.substr(0, 6));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->age, 18);
  EXPECT_EQ(read->mail, "none");
  EXPECT_EQ(read->rooms, std::vector<std::uint16_t>{9});
  const std::set<std::size_t> ends = {6, 7, 13, old.size()};
  for (std::size_t size = 0; size <= old.size(); ++size) {
    EXPECT_EQ(Codec<Person2>::Decode(old.substr(0, size)).ok(), ends.contains(size)) << size;
  }
}

TEST(CodecOlderTest, AStructInsideAnotherTypeIsWhole) {
  std::vector<Old2> one(1);
  const std::string bytes = Encoded(one);
  EXPECT_TRUE(Codec<std::vector<Old2>>::Decode(bytes).ok());
  EXPECT_FALSE(Codec<std::vector<Old2>>::Decode(bytes.substr(0, 24)).ok());
}

// --- Keys ----------------------------------------------------------------------------------------

template <typename T>
using TypedKeyCodecTest = AnyValueTest<T>;
using KeyTypes = testing::Types<
    Color, Level, absl::Time, absl::Duration, std::vector<std::byte>, std::optional<std::string>,
    std::optional<std::int16_t>, std::vector<std::string>, std::vector<std::uint8_t>,
    std::vector<std::vector<std::int16_t>>, std::array<std::string, 2>, std::array<std::int8_t, 3>,
    Position, Padded, Nested, Person, std::pair<std::optional<Level>, std::vector<absl::Time>>,
    std::tuple<std::vector<std::byte>, Person>>;
TYPED_TEST_SUITE(TypedKeyCodecTest, KeyTypes);

TYPED_TEST(TypedKeyCodecTest, TheKeysHaveTheOrderOfTheValues) {
  static_assert(Keyable<TypeParam>);
  int equal = 0;
  for (int i = 0; i < 5000; ++i) {
    const TypeParam a = this->Any();
    const TypeParam b = i % 5 == 0 ? a : this->Any();
    const std::string key_a = EncodeKey(a);
    const std::string key_b = EncodeKey(b);
    ASSERT_EQ(key_a < key_b, a < b);
    ASSERT_EQ(key_b < key_a, b < a);
    equal += key_a == key_b ? 1 : 0;
  }
  EXPECT_GE(equal, 1000);
}

TYPED_TEST(TypedKeyCodecTest, AKeyComesBackAndNoneIsTheBeginningOfAnother) {
  for (int i = 0; i < 500; ++i) {
    const TypeParam value = this->Any();
    const std::string key = EncodeKey(value);
    const absl::StatusOr<TypeParam> back = DecodeKey<TypeParam>(key);
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_TRUE(*back == value);
    for (std::size_t size = 0; size < key.size(); ++size) {
      std::string_view part = std::string_view(key).substr(0, size);
      ASSERT_TRUE(Says(KeyCodec<TypeParam>::Decode(&part).status(), Code::kInvalidArgument, "key"));
      ASSERT_EQ(part.size(), size) << "a failed decode consumes nothing";
    }
    std::string damaged = key;
    damaged[this->random_() % damaged.size()] = static_cast<char>(this->random_());
    if (const auto read = DecodeKey<TypeParam>(damaged); read.ok()) {
      ASSERT_EQ(EncodeKey(*read), damaged);
    }
  }
}

TEST(TypedKeyBytesTest, KeysAreEncodedAsTheDocumentSays) {
  EXPECT_EQ(EncodeKey(Color::kGreen), Bytes("\x02"));
  EXPECT_EQ(EncodeKey(Level::kLow), Bytes("\x7e\xd4"));
  EXPECT_EQ(EncodeKey(absl::UnixEpoch()), Bytes("\x80\0\0\0\0\0\0\0"));
  EXPECT_EQ(EncodeKey(absl::InfiniteFuture()), std::string(8, '\xff'));
  EXPECT_EQ(EncodeKey(-absl::InfiniteDuration()), std::string(8, '\0'));
  EXPECT_EQ(EncodeKey(std::optional<bool>()), Bytes("\0"));
  EXPECT_EQ(EncodeKey(std::optional<bool>(true)), Bytes("\x01\x01"));
  EXPECT_EQ(EncodeKey(std::vector<std::uint8_t>{7, 8}), Bytes("\x01\x07\x01\x08\0"));
  EXPECT_EQ(EncodeKey(std::array<std::uint16_t, 2>{1, 2}), Bytes("\0\x01\0\x02"));
  EXPECT_EQ(EncodeKey(Line{258}), Bytes("\0\0\x01\x02"));
  EXPECT_EQ(EncodeKey(std::vector{std::byte{0}}), Bytes("\0\xff\0\x01"));
}

TEST(TypedKeyBytesTest, AMarkIsZeroOrOne) {
  EXPECT_FALSE(DecodeKey<std::optional<bool>>(Bytes("\x02\x01")).ok());
  EXPECT_FALSE(DecodeKey<std::vector<bool>>(Bytes("\x01\x01\x02")).ok());
  EXPECT_FALSE(DecodeKey<std::optional<bool>>(Bytes("\0\0")).ok());
}

TEST(UsableKeyTest, AFloatThatIsNoNumberMakesAKeyUnusableWhereverItIs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(IsUsableKey(-0.0));
  EXPECT_FALSE(IsUsableKey(nan));
  EXPECT_FALSE(IsUsableKey(std::numeric_limits<float>::signaling_NaN()));
  EXPECT_FALSE(IsUsableKey(Position{1, nan}));
  EXPECT_TRUE(IsUsableKey(Position{1, 2}));
  EXPECT_FALSE(IsUsableKey(std::pair("a", nan)));
  EXPECT_FALSE(IsUsableKey(std::array<double, 2>{0, nan}));
  EXPECT_FALSE(IsUsableKey(std::optional<double>(nan)));
  EXPECT_TRUE(IsUsableKey(std::optional<double>()));
  EXPECT_FALSE(IsUsableKey(std::vector<std::vector<double>>{{}, {1, nan}}));
  EXPECT_FALSE(IsUsableKey(std::tuple<int, std::optional<Position>>(1, Position{nan, 0})));
}

}  // namespace
}  // namespace commy::test
