// Descriptions of types: their text, the faults in it, sizes and layouts.
#include "types/descriptor.h"

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_type.h"
#include "support/seed.h"

namespace commy::types {
namespace {

using Code = absl::StatusCode;

Type Parsed(std::string_view text) {
  absl::StatusOr<Type> type = ParseType(text);
  EXPECT_TRUE(type.ok()) << text << ": " << type.status();
  return type.ok() ? *std::move(type) : Type();
}

std::string FaultOf(std::string_view text) {
  const absl::StatusOr<Type> type = ParseType(text);
  EXPECT_EQ(type.status().code(), Code::kInvalidArgument) << text;
  return std::string(type.status().message());
}

std::string Nested(int depth) {
  std::string text = "u8";
  for (int i = 1; i < depth; ++i) {
    text.insert(0, "vector<");
    text += '>';
  }
  return text;
}

TEST(Descriptor, EachKindReadsAndGivesItsTextBack) {
  for (const std::string_view text : {"bool",
                                      "u8",
                                      "u16",
                                      "u32",
                                      "u64",
                                      "i8",
                                      "i16",
                                      "i32",
                                      "i64",
                                      "f32",
                                      "f64",
                                      "string",
                                      "bytes",
                                      "time",
                                      "duration",
                                      "enum acme.Color:u8",
                                      "struct acme.Position{x:f64,y:f64}",
                                      "struct A@64{x:u8}",
                                      "struct bool{u8:u8}",
                                      "tuple<u8>",
                                      "tuple<string,optional<u8>>",
                                      "array<u8,16>",
                                      "optional<string>",
                                      "vector<vector<bytes>>",
                                      "message acme.v1.Order",
                                      "acme.Money",
                                      "_x9",
                                      "structs",
                                      "message.x",
                                      "enum E:i64"}) {
    EXPECT_EQ(ToText(Parsed(text)), text);
  }
  for (const std::string_view text :
       {"map<string,u64>", "set<tuple<i64,string>>", "box<struct P{x:f32}>", "counter"}) {
    const absl::StatusOr<ContainerType> type = ParseContainer(text);
    ASSERT_TRUE(type.ok()) << text << type.status();
    EXPECT_EQ(ToText(*type), text);
  }
}

TEST(Descriptor, AStructHasItsNamesAndParts) {
  const Type type = Parsed("struct acme.P@32{at:array<u16,3>,color:enum C:i8}");
  EXPECT_EQ(type.kind, Kind::kStruct);
  EXPECT_EQ(type.name, "acme.P");
  EXPECT_EQ(type.align, 32U);
  EXPECT_EQ(type.field_names, (std::vector<std::string>{"at", "color"}));
  ASSERT_EQ(type.parts.size(), 2U);
  EXPECT_EQ(type.parts[0].count, 3U);
  EXPECT_EQ(type.parts[0].parts.at(0).kind, Kind::kU16);
  EXPECT_EQ(type.parts[1].integer, Kind::kI8);
}

TEST(Descriptor, FaultsNameTheByteAndWhatWasExpectedThere) {
  EXPECT_EQ(FaultOf(""), "the type, byte 0: expected a type, found the end");
  EXPECT_EQ(FaultOf("9"), "the type, byte 0: expected a type, found '9'");
  EXPECT_EQ(FaultOf("u8 "), "the type, byte 2: expected the end, found ' '");
  EXPECT_EQ(FaultOf("\xff"), "the type, byte 0: expected a type, found the byte 0xff");
  EXPECT_EQ(FaultOf("array<u8>"), "the type, byte 8: expected ',', found '>'");
  EXPECT_EQ(FaultOf("array<u8,0>"),
            "the type, byte 9: expected a number from 1, without a zero before it, found '0'");
  EXPECT_EQ(FaultOf("array<u8,99999999999999999999>"),
            "the type, byte 9: the number does not fit into 64 bits");
  EXPECT_EQ(FaultOf("tuple<>"), "the type, byte 6: expected a type, found '>'");
  EXPECT_EQ(FaultOf("enum E:f32"),
            "the type, byte 7: expected an integer type (u8 to u64, i8 to i64), found 'f'");
  EXPECT_EQ(FaultOf("struct P{}"), "the type, byte 9: expected a name, found '}'");
  EXPECT_EQ(FaultOf("struct P{x:u8"), "the type, byte 13: expected ',' or '}', found the end");
  EXPECT_EQ(FaultOf("struct P{x:u8,x:u8}"), "the type, byte 8: the field x is there twice");
  EXPECT_EQ(FaultOf("struct P@3{x:u8}"),
            "the type, byte 9: expected an alignment: 2, 4, 8, 16, 32 or 64");
  EXPECT_EQ(FaultOf("a..b"), "the type, byte 2: expected a name, found '.'");
}

TEST(Descriptor, TextThatIsCutOffNamesThePlace) {
  const std::string text = "struct acme.P@32{at:array<u16,3>,c:enum C:i8}";
  Parsed(text);
  const std::size_t first = std::string_view("struct").size();  // Less of it is a name.
  for (std::size_t length = first; length < text.size(); ++length) {
    EXPECT_NE(FaultOf(text.substr(0, length)).find(", byte "), std::string::npos) << length;
  }
}

TEST(Descriptor, WhatHasASecondTextIsRefused) {
  EXPECT_EQ(FaultOf("struct P@8{x:u64}"),
            "the type, byte 8: an alignment that the fields ask for anyway");
  EXPECT_EQ(FaultOf("struct P@16{x:string}"),
            "the type, byte 8: an alignment, but the struct is not plain");
  for (const std::string_view text :
       {"array<u8, 2>", "array<u8,02>", "array<u8,+2>", " u8", "enum  E:u8", "struct P{x: u8}",
        "struct P{x:u8,}", "optional<optional<u8>>", "struct P@1{x:u8}", "struct P@128{x:u8}"}) {
    FaultOf(text);
  }
}

TEST(Descriptor, ContainersThatAreNotCompleteAreRefused) {
  for (const std::string_view text : {"", "map", "map<u8>", "set<u8,u8>", "box<>", "counter<u8>",
                                      "u8", "map<u8,u8>x", "list<u8>", "counter.x"}) {
    EXPECT_EQ(ParseContainer(text).status().code(), Code::kInvalidArgument) << text;
  }
  EXPECT_EQ(ParseContainer("box").status().message(),
            "the type, byte 3: expected '<', found the end");
}

TEST(Descriptor, DepthAndLengthAreBounded) {
  Parsed(Nested(kDepthMax));
  EXPECT_NE(FaultOf(Nested(kDepthMax + 1)).find("nested more than 32 deep"), std::string::npos);
  FaultOf(Nested(5000));
  Parsed(std::string(kTextBytesMax, 'a'));
  EXPECT_NE(FaultOf(std::string(kTextBytesMax + 1, 'a')).find("65537 bytes"), std::string::npos);
}

TEST(Descriptor, HugeArraysAreAnErrorAndDoNotWrap) {
  EXPECT_EQ(FaultOf("array<array<u64,4000000000>,4000000000>"),
            "the type, byte 6: the type has more than 1073741824 bytes");
  FaultOf("array<u8,1073741825>");
  FaultOf("array<u64,2305843009213693952>");  // 2^64 bytes.
  FaultOf("array<array<u8,32768>,36028797018963968>");
  FaultOf("struct P{a:array<u8,1073741824>,b:u8}");
  FaultOf("struct P@64{a:array<u8,1073741800>,b:array<u8,1073741800>}");
  FaultOf("tuple<array<time,134217728>,u8>");
  EXPECT_EQ(FixedSize(Parsed("array<u8,1073741824>")), kFixedBytesMax);
  // Whatever its count says, such an array has as many bytes as its parts need.
  EXPECT_EQ(FixedSize(Parsed("array<string,18446744073709551615>")), std::nullopt);
}

TEST(Descriptor, SizesAreThoseOfTheEncoding) {
  EXPECT_EQ(FixedSize(Parsed("bool")), 1U);
  EXPECT_EQ(FixedSize(Parsed("enum E:i16")), 2U);
  EXPECT_EQ(FixedSize(Parsed("time")), 8U);
  EXPECT_EQ(FixedSize(Parsed("tuple<u8,u64>")), 9U);          // No padding.
  EXPECT_EQ(FixedSize(Parsed("struct P{a:u8,b:u64}")), 16U);  // An image.
  EXPECT_EQ(FixedSize(Parsed("struct P{a:u8,b:time}")), 9U);  // A sequence.
  EXPECT_EQ(FixedSize(Parsed("array<tuple<u8,u16>,3>")), 9U);
  for (const std::string_view text : {"string", "bytes", "optional<u8>", "vector<u8>", "message M",
                                      "Money", "tuple<u8,string>", "struct P{a:optional<u8>}"}) {
    EXPECT_EQ(FixedSize(Parsed(text)), std::nullopt) << text;
  }
}

// What the compiler makes of the same structs.
struct Inner {
  std::uint8_t a;
  std::uint16_t b;
};
struct Outer {
  bool flag;
  double x;
  Inner inner[3];
  float f;
  std::int8_t end;
};
struct alignas(64) Wide {
  std::uint8_t a;
  Inner b;
};

TEST(Descriptor, PlainStructsLieAsTheCompilerPlacesThem) {
  const std::string inner = "struct Inner{a:u8,b:u16}";
  const std::optional<Layout> outer =
      LayoutOf(Parsed("struct Outer{flag:bool,x:f64,inner:array<" + inner + ",3>,f:f32,end:i8}"));
  ASSERT_TRUE(outer.has_value());
  EXPECT_EQ(outer->size, sizeof(Outer));
  EXPECT_EQ(outer->align, alignof(Outer));
  EXPECT_EQ(outer->offsets, (std::vector<std::uint64_t>{offsetof(Outer, flag), offsetof(Outer, x),
                                                        offsetof(Outer, inner), offsetof(Outer, f),
                                                        offsetof(Outer, end)}));
  const std::optional<Layout> wide = LayoutOf(Parsed("struct Wide@64{a:u8,b:" + inner + "}"));
  ASSERT_TRUE(wide.has_value());
  EXPECT_EQ(wide->size, sizeof(Wide));
  EXPECT_EQ(wide->align, alignof(Wide));
  EXPECT_EQ(wide->offsets[1], offsetof(Wide, b));
}

TEST(Descriptor, OnlyPlainTypesHaveALayout) {
  for (const std::string_view text :
       {"u8", "enum E:u8", "array<f32,2>", "struct P{a:array<u8,2>}"}) {
    EXPECT_TRUE(IsPlain(Parsed(text))) << text;
    EXPECT_TRUE(LayoutOf(Parsed(text)).has_value()) << text;
  }
  for (const std::string_view text :
       {"time", "duration", "string", "tuple<u8>", "optional<u8>", "vector<u8>", "message M",
        "Money", "array<time,2>", "struct P{a:u8,b:tuple<u8>}"}) {
    EXPECT_FALSE(IsPlain(Parsed(text))) << text;
    EXPECT_FALSE(LayoutOf(Parsed(text)).has_value()) << text;
  }
}

TEST(Descriptor, AShorterStructEndsWhereItsOwnPaddingEnds) {
  const Type type = Parsed("struct P{a:u64,b:u8,c:u8,d:u64}");
  const Layout layout = *LayoutOf(type);
  EXPECT_EQ(ShorterSize(type, layout, 1), 8U);
  EXPECT_EQ(ShorterSize(type, layout, 2), std::nullopt);  // c lies in the padding behind b.
  EXPECT_EQ(ShorterSize(type, layout, 3), 16U);
  EXPECT_EQ(ShorterSize(type, layout, 4), 24U);
}

TEST(Descriptor, RandomTypesRoundTrip) {
  test::Random random(test::Seed());
  for (int i = 0; i < 3000; ++i) {
    const Type type = test::RandomType(random, 5);
    const std::string text = ToText(type);
    const absl::StatusOr<Type> again = ParseType(text);
    ASSERT_TRUE(again.ok()) << text << ": " << again.status();
    EXPECT_EQ(*again, type) << text;
    EXPECT_EQ(ToText(*again), text);
  }
}

TEST(Descriptor, RandomTextsAreRefusedOrRoundTrip) {
  test::Random random(test::Seed());
  const std::vector<std::string> pieces = {
      "struct ", "P",      "{", "}",   "x",  ":",   ",",     "array<", "3",         ">",
      "tuple<",  "vector", "<", "@16", "u8", "u64", "enum ", "string", "optional<", "\xff"};
  for (int i = 0; i < 20000; ++i) {
    std::string text = i % 2 == 0 ? "" : ToText(test::RandomType(random, 4));
    for (std::uint64_t count = random() % 8; count > 0; --count) {
      text.insert(random() % (text.size() + 1), pieces[random() % pieces.size()]);
      text.erase(random() % text.size(), random() % 2);
    }
    const absl::StatusOr<Type> type = ParseType(text);
    if (type.ok()) {
      EXPECT_EQ(ToText(*type), text);
    } else {
      EXPECT_EQ(type.status().code(), Code::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace commy::types
