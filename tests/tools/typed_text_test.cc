// Keys and values of a type: their bytes, their text, their JSON, and what is refused.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_type.h"
#include "support/seed.h"
#include "typed/key_text.h"
#include "typed/parts.h"
#include "typed/value_text.h"
#include <commy/key_codec.h>

namespace commy::tools {
namespace {

using Code = absl::StatusCode;
using test::Random;
using types::Kind;
using types::Type;

// Bytes with zeros among them.
template <std::size_t kSize>
std::string Bytes(const char (&literal)[kSize]) {
  return std::string(literal, kSize - 1);
}

Type Parsed(std::string_view text) {
  absl::StatusOr<Type> type = types::ParseType(text);
  EXPECT_TRUE(type.ok()) << text << ": " << type.status();
  return type.ok() ? *std::move(type) : Type();
}

// The text and the bytes of a value stand for each other.
void ExpectValue(std::string_view type_text, std::string_view text, std::string_view bytes) {
  const Type type = Parsed(type_text);
  const absl::StatusOr<std::string> parsed = ParseValue(type, text);
  ASSERT_TRUE(parsed.ok()) << type_text << " " << text << ": " << parsed.status();
  EXPECT_EQ(*parsed, bytes) << type_text << " " << text;
  const absl::StatusOr<std::string> formatted = FormatValue(type, bytes);
  ASSERT_TRUE(formatted.ok()) << type_text << ": " << formatted.status();
  EXPECT_EQ(*formatted, text) << type_text;
}

void ExpectKey(std::string_view type_text, std::string_view text, std::string_view bytes) {
  const Type type = Parsed(type_text);
  const absl::StatusOr<std::string> parsed = ParseKey(type, text);
  ASSERT_TRUE(parsed.ok()) << type_text << " " << text << ": " << parsed.status();
  EXPECT_EQ(*parsed, bytes) << type_text << " " << text;
  const absl::StatusOr<std::string> formatted = FormatKey(type, bytes);
  ASSERT_TRUE(formatted.ok()) << type_text << ": " << formatted.status();
  EXPECT_EQ(*formatted, text) << type_text;
}

std::string FaultOf(const absl::StatusOr<std::string>& result) {
  EXPECT_EQ(result.status().code(), Code::kInvalidArgument) << (result.ok() ? *result : "");
  return std::string(result.status().message());
}
std::string ValueTextFault(std::string_view type, std::string_view text) {
  return FaultOf(ParseValue(Parsed(type), text));
}
std::string ValueBytesFault(std::string_view type, std::string_view bytes) {
  return FaultOf(FormatValue(Parsed(type), bytes));
}
std::string KeyTextFault(std::string_view type, std::string_view text) {
  return FaultOf(ParseKey(Parsed(type), text));
}
std::string KeyBytesFault(std::string_view type, std::string_view bytes) {
  return FaultOf(FormatKey(Parsed(type), bytes));
}

// --- Values -------------------------------------------------------------------------------------

TEST(TypedValue, ScalarsAreLittleEndianAndTheirText) {
  ExpectValue("bool", "true", "\x01");
  ExpectValue("bool", "false", Bytes("\0"));
  ExpectValue("u8", "255", "\xff");
  ExpectValue("u16", "258", "\x02\x01");
  ExpectValue("u32", "4294967294", "\xfe\xff\xff\xff");
  ExpectValue("u64", "18446744073709551615", "\xff\xff\xff\xff\xff\xff\xff\xff");
  ExpectValue("i8", "-128", "\x80");
  ExpectValue("i16", "-2", "\xfe\xff");
  ExpectValue("i32", "-2147483648", Bytes("\0\0\0\x80"));
  ExpectValue("i64", "-9223372036854775808", Bytes("\0\0\0\0\0\0\0\x80"));
  ExpectValue("enum E:i8", "-1", "\xff");
  ExpectValue("f32", "0.1", "\xcd\xcc\xcc\x3d");
  ExpectValue("f32", "-0", Bytes("\0\0\0\x80"));
  ExpectValue("f64", "0.1", "\x9a\x99\x99\x99\x99\x99\xb9\x3f");
  ExpectValue("f64", "-inf", Bytes("\0\0\0\0\0\0\xf0\xff"));
  ExpectValue("f64", "nan", Bytes("\0\0\0\0\0\0\xf8\x7f"));
  ExpectValue("string", "a, \"b\"", "a, \"b\"");
  ExpectValue("bytes", "00ff", Bytes("\0\xff"));
  ExpectValue("acme.Money", "any", "any");
  ExpectValue("message M", "", "");
}

TEST(TypedValue, TimesAndDurationsAreNanoseconds) {
  ExpectValue("time", "1970-01-01T00:00:00Z", Bytes("\0\0\0\0\0\0\0\0"));
  ExpectValue("time", "1970-01-01T00:00:00.5Z", Bytes("\0\x65\xcd\x1d\0\0\0\0"));
  ExpectValue("time", "1969-12-31T23:59:59.999999999Z", "\xff\xff\xff\xff\xff\xff\xff\xff");
  ExpectValue("time", "infinite-future", "\xff\xff\xff\xff\xff\xff\xff\x7f");
  ExpectValue("time", "infinite-past", Bytes("\0\0\0\0\0\0\0\x80"));
  ExpectValue("duration", "0", Bytes("\0\0\0\0\0\0\0\0"));
  ExpectValue("duration", "1.5s", Bytes("\0\x2f\x68\x59\0\0\0\0"));
  ExpectValue("duration", "-1ns", "\xff\xff\xff\xff\xff\xff\xff\xff");
  ExpectValue("duration", "inf", "\xff\xff\xff\xff\xff\xff\xff\x7f");
  ExpectValue("duration", "-inf", Bytes("\0\0\0\0\0\0\0\x80"));
  EXPECT_EQ(*ParseValue(Parsed("time"), "1970-01-01T01:00:00+01:00"), std::string(8, '\0'));
}

TEST(TypedValue, APlainStructIsItsImageWithZeroPadding) {
  ExpectValue("struct P{a:u8,b:u32,c:bool}", R"({"a":1,"b":2,"c":true})",
              Bytes("\x01\0\0\0\x02\0\0\0\x01\0\0\0"));
  ExpectValue("struct P@16{a:u8}", R"({"a":1})", Bytes("\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
  ExpectValue("struct P{a:u8,q:struct Q{b:u16,c:u8},d:array<u8,2>}",
              R"({"a":1,"q":{"b":2,"c":3},"d":[4,5]})", Bytes("\x01\0\x02\0\x03\0\x04\x05"));
  ExpectValue("array<u16,2>", "[1,2]", Bytes("\x01\0\x02\0"));
}

TEST(TypedValue, OtherTypesOfPartsAreSequencesWithLengths) {
  ExpectValue("tuple<u8,u32>", "[1,2]", Bytes("\x01\x02\0\0\0"));
  ExpectValue("tuple<string,u8>", R"(["ab",3])", Bytes("\x02\0\0\0ab\x03"));
  ExpectValue("struct P{s:string,t:duration}", R"({"s":"","t":"1ns"})",
              Bytes("\0\0\0\0\x01\0\0\0\0\0\0\0"));
  ExpectValue("array<string,2>", R"(["a","b"])", Bytes("\x01\0\0\0a\x01\0\0\0b"));
  ExpectValue("vector<u16>", "[1,2]", Bytes("\x01\0\x02\0"));
  ExpectValue("vector<u16>", "[]", "");
  ExpectValue("vector<vector<u8>>", "[[],[7]]", Bytes("\0\0\0\0\x01\0\0\0\x07"));
  ExpectValue("optional<u8>", "null", "");
  ExpectValue("optional<u8>", "5", "\x01\x05");
  ExpectValue("optional<string>", "\"\"", "\x01");
  ExpectValue("vector<optional<u8>>", "[null,5]", Bytes("\0\0\0\0\x02\0\0\0\x01\x05"));
  // A plain struct inside a sequence is its image, of a fixed size.
  ExpectValue("tuple<u8,struct P{a:u8,b:u16}>", R"([1,{"a":2,"b":3}])", Bytes("\x01\x02\0\x03\0"));
}

TEST(TypedValue, InsideJsonBytesAreBase64AndOddFloatsAreStrings) {
  ExpectValue("tuple<bytes,acme.Money,string>", R"([{"base64":"AA=="},{"base64":""},"é"])",
              Bytes("\x01\0\0\0\0\0\0\0\0\x02\0\0\0\xc3\xa9"));
  ExpectValue("vector<string>", R"([{"base64":"/w=="}])", Bytes("\x01\0\0\0\xff"));
  ExpectValue("array<f32,3>", R"(["nan","inf",0.1])",
              Bytes("\0\0\xc0\x7f\0\0\x80\x7f\xcd\xcc\xcc\x3d"));
  ExpectValue("array<f64,2>", R"(["-inf",-0.0])", Bytes("\0\0\0\0\0\0\xf0\xff\0\0\0\0\0\0\0\x80"));
  ExpectValue("array<f32,2>", "[3.4028235e+38,-3.4028235e+38]", "\xff\xff\x7f\x7f\xff\xff\x7f\xff");
  ExpectValue("tuple<time>", R"(["infinite-past"])", Bytes("\0\0\0\0\0\0\0\x80"));
}

TEST(TypedValue, AnOlderShorterStructLeavesItsMissingFieldsOut) {
  const Type plain = Parsed("struct P{a:u32,b:u64,c:u8,d:u8}");
  EXPECT_EQ(*FormatValue(plain, Bytes("\x01\0\0\0")), R"({"a":1})");
  EXPECT_EQ(*FormatValue(plain, Bytes("\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0")), R"({"a":1,"b":2})");
  EXPECT_EQ(*FormatValue(plain, Bytes("\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\x04\0\0\0\0\0\0")),
            R"({"a":1,"b":2,"c":3,"d":4})");
  for (const std::size_t size : {0, 3, 8, 12, 17, 25}) {
    FaultOf(FormatValue(plain, std::string(size, '\0')));
  }
  const Type sequence = Parsed("struct S{a:u8,s:string,o:optional<u8>}");
  EXPECT_EQ(*FormatValue(sequence, "\x01"), R"({"a":1})");
  EXPECT_EQ(*FormatValue(sequence, Bytes("\x01\x01\0\0\0x")), R"({"a":1,"s":"x"})");
  FaultOf(FormatValue(sequence, ""));
  // Only the value as a whole is short.
  ValueBytesFault("tuple<struct S{a:u8,s:string}>", Bytes("\x01\0\0\0\x01"));
}

TEST(TypedValue, ParsingNeedsEachFieldOnceInAnyOrder) {
  const std::string type = "struct P{pos:struct Q{x:u8,y:f64},n:string}";
  EXPECT_EQ(*ParseValue(Parsed(type), R"( { "n":"", "pos" : {"y":0,"x":1} } )"),
            Bytes("\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
  EXPECT_EQ(ValueTextFault(type, R"({"pos":{"x":1},"n":""})"),
            ".pos.y: the field is missing (f64)");
  EXPECT_EQ(ValueTextFault(type, R"({"pos":{"x":1,"y":2,"z":3},"n":""})"),
            ".pos: the struct Q has no field \"z\"");
  EXPECT_EQ(ValueTextFault(type, R"({"pos":{"x":1,"x":1,"y":2},"n":""})"),
            "the field .pos.x is there twice");
  EXPECT_EQ(ValueTextFault(type, R"({"pos":{"x":256,"y":2},"n":""})"),
            ".pos.x: expected a whole number from 0 to 255, found 256");
  EXPECT_EQ(ValueTextFault(type, R"({"pos":[1,2],"n":""})"),
            ".pos: expected an object with the fields of the struct Q, found an array of 2");
  EXPECT_EQ(ValueTextFault(type, "x"), "not JSON");
  EXPECT_EQ(ValueTextFault("vector<tuple<u8,u8>>", "[[1,2],[1]]"),
            "[1]: expected an array of 2 (tuple<u8,u8>), found an array of 1");
}

TEST(TypedValue, WrongScalarsNameWhatIsExpected) {
  EXPECT_EQ(ValueTextFault("u8", "-1"), "expected a whole number from 0 to 255, found -1");
  EXPECT_EQ(ValueTextFault("i8", "128"), "expected a whole number from -128 to 127, found 128");
  EXPECT_EQ(ValueTextFault("i64", "9223372036854775808"),
            "expected a whole number from -9223372036854775808 to 9223372036854775807, found "
            "9223372036854775808");
  EXPECT_EQ(ValueTextFault("bool", "1"), "expected true or false, found \"1\"");
  for (const auto& [type, text] :
       std::vector<std::pair<std::string, std::string>>{{"u64", "18446744073709551616"},
                                                        {"i64", ""},
                                                        {"i64", " 1"},
                                                        {"i64", "+1"},
                                                        {"u8", "1.0"},
                                                        {"f64", "1e999"},
                                                        {"f32", "1e39"},
                                                        {"f64", "infinity"},
                                                        {"f64", "nan(1)"},
                                                        {"f64", "0x1"},
                                                        {"f64", ""},
                                                        {"time", "yesterday"},
                                                        {"time", "2300-01-01T00:00:00Z"},
                                                        {"duration", "1"},
                                                        {"duration", "1e30h"},
                                                        {"time", "2026-11-29T19:00:00.0000000001Z"},
                                                        {"bytes", "0"},
                                                        {"bytes", "0g"},
                                                        {"tuple<f32>", "[1e39]"},
                                                        {"tuple<f64>", "[\"1\"]"},
                                                        {"tuple<u8>", "[1.0]"},
                                                        {"tuple<bool>", "[0]"},
                                                        {"tuple<string>", "[0]"},
                                                        {"tuple<bytes>", "[\"00\"]"},
                                                        {"tuple<bytes>", R"([{"base64":"*"}])"},
                                                        {"tuple<u8>", "[null]"},
                                                        {"tuple<time>", "[0]"},
                                                        {"tuple<u64>", "[18446744073709551616]"},
                                                        {"vector<u8>", "[1] x"}}) {
    EXPECT_NE(ValueTextFault(type, text), "") << type << text;
  }
}

TEST(TypedValue, BytesThatAreNotOfTheTypeAreRefused) {
  EXPECT_EQ(ValueBytesFault("bool", "\x02"), "expected the byte 0 or 1 of a bool, found 2");
  EXPECT_EQ(ValueBytesFault("u32", "abc"), "expected 4 bytes (u32), found 3");
  EXPECT_EQ(ValueBytesFault("vector<u16>", "abc"), "[1]: expected 2 bytes, but only 1 are left");
  EXPECT_EQ(ValueBytesFault("tuple<u8,string>", Bytes("\x01\x05\0\0\0ab")),
            "[1]: expected 5 bytes, but only 2 are left");
  EXPECT_EQ(ValueBytesFault("tuple<string>", "abc"),
            "[0]: expected a length of 4 bytes, but only 3 are left");
  EXPECT_EQ(ValueBytesFault("tuple<u8,u8>", "abc"),
            "1 bytes more than the type takes (tuple<u8,u8>)");
  EXPECT_EQ(ValueBytesFault("optional<u8>", "\x02\x01"),
            "expected nothing or the byte 1 before the value of an optional, found 2");
  EXPECT_EQ(ValueBytesFault("struct P{a:u8,b:u16}", Bytes("\x01\x09\0\0")),
            "the padding at byte 1 is not zero");
  EXPECT_EQ(ValueBytesFault("struct P{a:u16,b:struct Q{c:u16,d:u8}}", Bytes("\0\0\0\0\0\x01")),
            ".b: the padding at byte 3 is not zero");
  ValueBytesFault("array<string,18446744073709551615>", Bytes("\0\0\0\0"));
}

// --- Keys ---------------------------------------------------------------------------------------

TEST(TypedKey, ScalarsHaveTheBytesOfTheKeyCodec) {
  ExpectKey("bool", "true", EncodeKey(true));
  ExpectKey("u16", "258", "\x01\x02");
  ExpectKey("i32", "-1", "\x7f\xff\xff\xff");
  ExpectKey("i64", "-5", EncodeKey(std::int64_t{-5}));
  ExpectKey("enum E:u8", "3", "\x03");
  ExpectKey("enum E:i8", "-1", "\x7f");
  ExpectKey("f32", "-0.1", EncodeKey(-0.1F));
  ExpectKey("f64", "inf", EncodeKey(std::numeric_limits<double>::infinity()));
  ExpectKey("f64", "nan", EncodeKey(std::numeric_limits<double>::quiet_NaN()));
  ExpectKey("time", "1970-01-01T00:00:00.000000001Z", EncodeKey(std::int64_t{1}));
  ExpectKey("duration", "-1ns", EncodeKey(std::int64_t{-1}));
  ExpectKey("string", "a,\"b", "a,\"b");
  ExpectKey("bytes", "00ff", Bytes("\0\xff"));
  EXPECT_EQ(*ParseKey(Parsed("f64"), "-0"), EncodeKey(0.0));
}

TEST(TypedKey, PartsOfAKeyAreSeparatedByCommas) {
  ExpectKey("tuple<i64,string>", "30,bob", EncodeKey(std::int64_t{30}, "bob"));
  ExpectKey("struct K{a:u8,b:u32}", "1,2", Bytes("\x01\0\0\0\x02"));  // No padding.
  ExpectKey("array<u8,3>", "1,2,3", "\x01\x02\x03");
  ExpectKey("tuple<string>", "a", Bytes("a\0\x01"));
  ExpectKey("tuple<bytes,bool>", "00,false", Bytes("\0\xff\0\x01\0"));
  ExpectKey("tuple<u8,tuple<u8,string>,vector<u8>>", R"(1,[2,"a,]"],[3])",
            Bytes("\x01\x02"
                  "a,]\0\x01\x01\x03\0"));
  ExpectKey("tuple<struct P{a:u8,b:string},u8>", R"({"a":1,"b":"\\\""},2)",
            Bytes("\x01\\\"\0\x01\x02"));
}

TEST(TypedKey, AStringPartIsQuotedWhereItCouldBeMistaken) {
  const std::string type = "tuple<string,u8>";
  for (const auto& [text, string] :
       std::vector<std::pair<std::string, std::string>>{{R"("",7)", ""},
                                                        {R"("a,b",7)", "a,b"},
                                                        {R"("a\"b",7)", "a\"b"},
                                                        {R"("a\\b",7)", "a\\b"},
                                                        {R"("a\nb",7)", "a\nb"},
                                                        {R"(" a",7)", " a"},
                                                        {R"("a ",7)", "a "},
                                                        {"\"a\x7f\",7", "a\x7f"},
                                                        {R"({"base64":"/w=="},7)", "\xff"},
                                                        {"a b,7", "a b"},
                                                        {"[a,7", "[a"},
                                                        {"{a},7", "{a}"},
                                                        {"null,7", "null"},
                                                        {"é,7", "é"}}) {
    ExpectKey(type, text, EncodeKey(string, std::uint8_t{7}));
  }
  EXPECT_EQ(KeyTextFault(type, ",7"),
            "[0]: a string that is empty is written in quotes, as in JSON");
  EXPECT_EQ(KeyTextFault(type, "a ,7"),
            "[0]: a string that has a space at an end is written in quotes, as in JSON");
}

TEST(TypedKey, AnAbsentPartIsNull) {
  ExpectKey("tuple<optional<string>,u8>", "null,7", Bytes("\0\x07"));
  ExpectKey("tuple<optional<string>,u8>", "\"null\",7", Bytes("\x01null\0\x01\x07"));
  ExpectKey("tuple<optional<string>,u8>", "a,7",
            Bytes("\x01"
                  "a\0\x01\x07"));
  ExpectKey("tuple<optional<tuple<u8,u8>>,u8>", "[1,2],7", "\x01\x01\x02\x07");
  ExpectKey("tuple<optional<tuple<u8,u8>>,u8>", "null,7", Bytes("\0\x07"));
  ExpectKey("tuple<optional<i8>>", "null", Bytes("\0"));
}

TEST(TypedKey, VectorsAndOptionalsAreJsonAsAWhole) {
  ExpectKey("vector<string>", R"(["a",""])",
            Bytes("\x01"
                  "a\0\x01\x01\0\x01\0"));
  ExpectKey("vector<u8>", "[]", Bytes("\0"));
  ExpectKey("optional<string>", R"("a")",
            Bytes("\x01"
                  "a\0\x01"));
  ExpectKey("optional<string>", "null", Bytes("\0"));
}

TEST(TypedKey, OpaqueKeysAreTheirBytes) {
  ExpectKey("acme.Id", "a,b", "a,b");
  ExpectKey("tuple<u8,acme.Id>", "any", "any");
  EXPECT_EQ(KeyToJson(Parsed("message M"), "ab")->dump(), "\"ab\"");
  EXPECT_EQ(KeyToJson(Parsed("message M"), "\xff")->dump(), R"({"base64":"/w=="})");
}

TEST(TypedKey, KeysThatNoEncodingMakesAreRefused) {
  EXPECT_EQ(KeyBytesFault("bool", "\x02"), "expected the byte 0 or 1 of a bool, found 2");
  EXPECT_EQ(KeyBytesFault("u16", "a"), "a key has 1 bytes left where a number of 2 was expected");
  EXPECT_EQ(KeyBytesFault("u16", "abc"), "a key has 1 more bytes than its type takes");
  EXPECT_EQ(KeyBytesFault("tuple<u8,string>", "ab"), "[1]: a key ends in the middle of a string");
  EXPECT_EQ(KeyBytesFault("tuple<u8,u8>", "abc"), "a key has 1 more bytes than its type takes");
  EXPECT_EQ(KeyBytesFault("vector<u8>", "\x02"),
            "[0]: expected the byte 0 or 1 before a value that may be absent, found 2");
  KeyBytesFault("f64", Bytes("\x7f\xff\xff\xff\xff\xff\xff\xff"));  // -0.
  KeyBytesFault("optional<u8>", "");
  KeyBytesFault("vector<u8>", "\x01\x01");
}

TEST(TypedKey, TextsThatAreNotAKeyAreRefused) {
  EXPECT_EQ(KeyTextFault("tuple<i64,string>", "30"),
            "[1]: expected a comma and string, found the end: the key has 2 parts");
  EXPECT_EQ(KeyTextFault("tuple<u8,u8>", "1,2,3"), "more than the 2 parts of a key (tuple<u8,u8>)");
  EXPECT_EQ(KeyTextFault("struct K{a:u8,b:u8}", "1,x"),
            ".b: expected a whole number from 0 to 255, found \"x\"");
  for (const auto& [type, text] :
       std::vector<std::pair<std::string, std::string>>{{"tuple<u8,u8>", ""},
                                                        {"tuple<u8,u8>", "1,"},
                                                        {"tuple<string,u8>", "\"a,1"},
                                                        {"tuple<string,u8>", "a\"b,1"},
                                                        {"tuple<tuple<u8,u8>,u8>", "[1,2,3],1"},
                                                        {"tuple<tuple<u8,u8>,u8>", "]1,2],1"},
                                                        {"tuple<string,u8>", "\"a\\"}}) {
    EXPECT_NE(KeyTextFault(type, text), "") << type << text;
  }
}

TEST(TypedKey, OptionsNameTypesInShort) {
  EXPECT_EQ(types::ToText(*KeyTypeFromOption("str")), "string");
  EXPECT_EQ(types::ToText(*KeyTypeFromOption("i64,str")), "tuple<i64,string>");
  EXPECT_EQ(types::ToText(*KeyTypeFromOption("int,uint,float")), "tuple<i64,u64,f64>");
  EXPECT_EQ(types::ToText(*KeyTypeFromOption("vector<str>,struct P{x:u8,y:int}")),
            "tuple<vector<string>,struct P{x:u8,y:i64}>");
  EXPECT_EQ(types::ToText(*KeyTypeFromOption("tuple<u8,u8>")), "tuple<u8,u8>");
  EXPECT_EQ(KeyTypeFromOption("i64,array<u8>").status().message(),
            "key type 2: the type, byte 8: expected ',', found '>'");
  for (const std::string_view text : {"", "i64,", ",i64", "i64,,i64", "i64, str"}) {
    EXPECT_EQ(KeyTypeFromOption(text).status().code(), Code::kInvalidArgument) << text;
  }
}

// --- Random -------------------------------------------------------------------------------------

// JSON of a value of the type, with edges among the scalars.
Json RandomJson(Random& random, const Type& type) {
  const auto string = [&random] {
    static const std::vector<std::string> kPieces = {"a",    ",", "\"", "\\", " ",
                                                     "null", "é", "{",  "["};
    std::string text;
    for (std::uint64_t count = random() % 4; count > 0; --count) {
      text += kPieces[random() % kPieces.size()];
    }
    return text;
  };
  switch (type.kind) {
    case Kind::kBool:
      return random() % 2 == 0;
    case Kind::kF32:
      return random() % 4 == 0 ? Json("nan") : Json(static_cast<int>(random() % 200) / 8.0);
    case Kind::kF64:
      return random() % 4 == 0 ? Json("-inf") : Json(static_cast<double>(random()) / 7);
    case Kind::kString:
      return string();
    case Kind::kBytes:
    case Kind::kMessage:
    case Kind::kCustom:
      return Json{{"base64", random() % 2 == 0 ? "" : "AAEA"}};
    case Kind::kTime:
      return random() % 4 == 0 ? "infinite-past" : "2026-11-29T19:00:00.123456789Z";
    case Kind::kDuration:
      return random() % 4 == 0 ? "inf" : "-1h2m3.000000004s";
    case Kind::kOptional:
      return random() % 3 == 0 ? Json(nullptr) : RandomJson(random, type.parts[0]);
    case Kind::kStruct:
    case Kind::kTuple:
    case Kind::kArray:
    case Kind::kVector: {
      const std::uint64_t count = type.kind == Kind::kArray    ? type.count
                                  : type.kind == Kind::kVector ? random() % 3
                                                               : type.parts.size();
      Json parts = EmptyParts(type);
      for (std::uint64_t i = 0; i < count; ++i) {
        AddPart(type, i, RandomJson(random, PartType(type, i)), parts);
      }
      return parts;
    }
    default:
      return random() % 128;
  }
}

TEST(TypedText, RandomValuesAndKeysRoundTrip) {
  Random random(test::Seed());
  for (int i = 0; i < 5000; ++i) {
    const Type type = test::RandomType(random, 5);
    const Json json = RandomJson(random, type);
    const std::string about = types::ToText(type) + " " + json.dump();
    const absl::StatusOr<std::string> value = ValueFromJson(type, json);
    ASSERT_TRUE(value.ok()) << about << ": " << value.status();
    const absl::StatusOr<std::string> text = FormatValue(type, *value);
    ASSERT_TRUE(text.ok()) << about << ": " << text.status();
    EXPECT_EQ(ParseValue(type, *text), value) << about << " " << *text;
    EXPECT_EQ(ValueFromJson(type, *ValueToJson(type, *value)), value) << about;
    if (const auto size = types::FixedSize(type); size.has_value()) {
      EXPECT_EQ(value->size(), *size) << about;
    }

    const absl::StatusOr<std::string> key = KeyFromJson(type, json);
    if (!key.ok()) {  // It has an opaque part.
      continue;
    }
    const absl::StatusOr<std::string> key_text = FormatKey(type, *key);
    ASSERT_TRUE(key_text.ok()) << about << ": " << key_text.status();
    EXPECT_EQ(ParseKey(type, *key_text), key) << about << " " << *key_text;
    EXPECT_EQ(KeyFromJson(type, *KeyToJson(type, *key)), key) << about;
  }
}

bool HasFloat(const Type& type) {
  return types::IsFloat(type.kind) || std::any_of(type.parts.begin(), type.parts.end(), HasFloat);
}

std::string RandomBytes(Random& random) {
  std::string bytes;
  for (std::uint64_t count = random() % 24; count > 0; --count) {
    // Small numbers, so that lengths and marks are often right.
    bytes += static_cast<char>(random() % 3 == 0 ? random() : random() % 3);
  }
  return bytes;
}

TEST(TypedText, RandomBytesAreRefusedOrRoundTrip) {
  Random random(test::Seed());
  int decoded = 0;
  for (int i = 0; i < 40000; ++i) {
    const Type type = test::RandomType(random, 1 + static_cast<int>(random() % 4));
    const std::string bytes = RandomBytes(random);
    const std::string about = types::ToText(type) + " " + testing::PrintToString(bytes);
    const absl::StatusOr<std::string> text = FormatValue(type, bytes);
    if (!text.ok()) {
      EXPECT_EQ(text.status().code(), Code::kInvalidArgument) << about;
    } else if (const auto again = ParseValue(type, *text); again.ok()) {
      ++decoded;
      EXPECT_TRUE(*again == bytes || HasFloat(type)) << about << " " << *text;  // A NaN may change.
    } else {
      EXPECT_EQ(type.kind, Kind::kStruct) << about << " " << *text;  // An older, shorter one.
    }
    const absl::StatusOr<std::string> key = FormatKey(type, bytes);
    if (key.ok()) {
      EXPECT_EQ(*ParseKey(type, *key), bytes) << about << " " << *key;
      EXPECT_EQ(*KeyFromJson(type, *KeyToJson(type, bytes)), bytes) << about;
    } else {
      EXPECT_EQ(key.status().code(), Code::kInvalidArgument) << about;
    }
  }
  EXPECT_GT(decoded, 1000);
}

TEST(TypedText, RandomTextsAreRefusedOrMakeAValue) {
  Random random(test::Seed());
  const std::vector<std::string> pieces = {"{", "}", "[",    "]",  "\"", ",",
                                           ":", "1", "null", "\\", " "};
  for (int i = 0; i < 20000; ++i) {
    const Type type = test::RandomType(random, 3);
    std::string text = RandomJson(random, type).dump();
    for (std::uint64_t count = random() % 4; count > 0; --count) {
      text.insert(random() % (text.size() + 1), pieces[random() % pieces.size()]);
    }
    if (const auto value = ParseValue(type, text); value.ok()) {
      EXPECT_TRUE(FormatValue(type, *value).ok()) << types::ToText(type) << " " << text;
    }
    if (const auto key = ParseKey(type, text); key.ok()) {
      EXPECT_TRUE(FormatKey(type, *key).ok()) << types::ToText(type) << " " << text;
    }
  }
}

TEST(TypedText, FloatsKeepEachBitButThoseOfANan) {
  Random random(test::Seed());
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    const std::string wide(reinterpret_cast<const char*>(&bits), 8);
    const std::string narrow = wide.substr(0, 4);
    for (const auto& [type, bytes] :
         {std::pair(Parsed("f64"), wide), std::pair(Parsed("f32"), narrow)}) {
      const std::string text = *FormatValue(type, bytes);
      EXPECT_TRUE(text == "nan" || *ParseValue(type, text) == bytes) << text;
      const Json json = *ValueToJson(type, bytes);
      EXPECT_TRUE(text == "nan" || *ValueFromJson(type, *ParseJson(json.dump())) == bytes) << text;
    }
    const std::string time = *FormatValue(Parsed("time"), wide);
    EXPECT_EQ(*ParseValue(Parsed("time"), time), wide) << time;
    const std::string duration = *FormatValue(Parsed("duration"), wide);
    EXPECT_EQ(*ParseValue(Parsed("duration"), duration), wide) << duration;
  }
}

TEST(TypedText, KeysSortAsTheirValues) {
  for (const auto& [type_text, texts] :
       std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"i16", {"-32768", "-1", "0", "1", "32767"}},
           {"enum E:i8", {"-128", "-1", "0", "127"}},
           {"f32", {"-inf", "-1.5", "-1e-30", "0", "1e-30", "2", "inf", "nan"}},
           {"time",
            {"infinite-past", "1969-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "infinite-future"}},
           {"duration", {"-inf", "-1h", "0", "1ns", "inf"}},
           {"tuple<string,i8>", {"\"\",1", "a,-1", "a,1", "ab,-1", "b,0"}},
           {"optional<i8>", {"null", "-1", "1"}},
           {"vector<i8>", {"[]", "[-1]", "[-1,-1]", "[0]", "[1,-128]"}},
           {"vector<string>",
            {"[]", R"([""])", R"(["","a"])", R"(["a"])", R"(["a","a"])", R"(["ab"])"}},
           {"struct K{b:bool,o:optional<u8>}", {"false,null", "false,0", "true,null", "true,3"}}}) {
    const Type type = Parsed(type_text);
    for (std::size_t i = 1; i < texts.size(); ++i) {
      EXPECT_LT(*ParseKey(type, texts[i - 1]), *ParseKey(type, texts[i])) << type_text << texts[i];
    }
  }
}

TEST(TypedText, JsonThatIsNestedDeeplyOrRepeatsAMemberIsRefused) {
  EXPECT_TRUE(ParseJson(std::string(30, '[') + std::string(30, ']')).ok());
  EXPECT_EQ(ParseJson(std::string(100, '[') + std::string(100, ']')).status().message(),
            "JSON that is nested too deeply");
  EXPECT_FALSE(ParseJson(std::string(1000000, '[')).ok());
  EXPECT_EQ(ParseJson(R"({"a":[{"b":1,"b":2}]})").status().message(),
            "the field .a[].b is there twice");
  EXPECT_TRUE(ParseJson(R"([{"a":1},{"a":2}])").ok());
}

}  // namespace
}  // namespace commy::tools
