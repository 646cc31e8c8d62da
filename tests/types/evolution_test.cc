// Whether the type of a program fits the one in the file.
#include "types/evolution.h"

#include <string>

#include <gtest/gtest.h>

namespace commy::types {
namespace {

Comparison Compare(std::string_view stored, std::string_view wanted) {
  const absl::StatusOr<ContainerType> a = ParseContainer(stored);
  const absl::StatusOr<ContainerType> b = ParseContainer(wanted);
  EXPECT_TRUE(a.ok()) << stored << a.status();
  EXPECT_TRUE(b.ok()) << wanted << b.status();
  return CompareTypes(*a, *b);
}

// `fields` more in the program than in the store, and the other way around.
void ExpectLonger(const std::string& shorter, const std::string& longer) {
  EXPECT_EQ(Compare(shorter, longer).relation, Relation::kWantedIsLonger) << longer;
  EXPECT_EQ(Compare(longer, shorter).relation, Relation::kStoredIsLonger) << longer;
  EXPECT_EQ(Compare(shorter, longer).reason, "");
}

void ExpectDifferent(std::string_view stored, std::string_view wanted, std::string_view reason) {
  const Comparison comparison = Compare(stored, wanted);
  EXPECT_EQ(comparison.relation, Relation::kDifferent) << stored << " " << wanted;
  EXPECT_EQ(comparison.reason, reason);
}

TEST(Evolution, EqualTypesAreTheSame) {
  for (const std::string_view text : {"counter", "set<i64>", "map<string,struct P{x:f64}>"}) {
    EXPECT_EQ(Compare(text, text).relation, Relation::kSame);
  }
}

TEST(Evolution, NewFieldsBehindTheOthersMakeAStructLonger) {
  ExpectLonger("box<struct P{x:f64}>", "box<struct P{x:f64,y:f64}>");
  ExpectLonger("map<i64,struct P{x:u32}>", "map<i64,struct P{x:u32,y:u8,z:u64}>");
  ExpectLonger("map<i64,struct P{s:string}>", "map<i64,struct P{s:string,n:u8}>");
  ExpectLonger("box<struct P@16{x:array<u64,2>}>", "box<struct P@16{x:array<u64,2>,y:u8}>");
  // The alignment of what is new moves nothing of what is old.
  ExpectLonger("box<struct P{a:u32}>", "box<struct P{a:u32,b:u64}>");
}

TEST(Evolution, ANewFieldInFormerPaddingIsDifferent) {
  ExpectDifferent(
      "box<struct P{a:u64,b:u32}>", "box<struct P{a:u64,b:u32,c:u32}>",
      "the new field c:u32 would lie in what was padding: put a field before it that is "
      "aligned to 8 bytes");
  ExpectLonger("box<struct P{a:u64,b:u32}>", "box<struct P{a:u64,b:u32,c:u64,d:u32}>");
  ExpectDifferent("box<struct P{a:u64,b:u32,c:u32}>", "box<struct P{a:u64,b:u32}>",
                  "the field c:u32, which only the store has, lies in what is padding here");
  ExpectDifferent(
      "box<struct P@16{a:u64}>", "box<struct P@16{a:u64,b:u64}>",
      "the new field b:u64 would lie in what was padding: put a field before it that is "
      "aligned to 16 bytes");
}

TEST(Evolution, APlainStructStaysPlain) {
  ExpectDifferent("box<struct P{a:u64}>", "box<struct P{a:u64,s:string}>",
                  "with more fields the struct P is no longer plain: its values lie differently in "
                  "memory");
}

TEST(Evolution, AChangedFieldIsNamed) {
  ExpectDifferent("box<struct P{a:u8,b:u8,c:u32}>", "box<struct P{a:u8,b:u8,c:u64}>",
                  "field 3 is c:u32 in the store and c:u64 here");
  ExpectDifferent("box<struct P{a:u8,b:u8}>", "box<struct P{b:u8,a:u8,c:u8}>",
                  "field 1 is a:u8 in the store and b:u8 here");
  ExpectDifferent("box<struct P{a:u8}>", "box<struct P@2{a:u8}>",
                  "the struct P is aligned as its fields ask in the store and to 2 here");
  ExpectDifferent("box<struct P{a:u8}>", "box<struct Q{a:u8,b:u8}>",
                  "the value is struct P{a:u8} in the store and struct Q{a:u8,b:u8} here");
}

TEST(Evolution, OnlyTheValueItselfMayGrow) {
  ExpectDifferent("set<struct P{a:u8}>", "set<struct P{a:u8,b:u8}>",
                  "of the key: the number of fields of the struct P is 1 in the store and 2 here");
  ExpectDifferent("map<struct P{a:u8},u8>", "map<struct P{a:u8,b:u8},u8>",
                  "of the key: the number of fields of the struct P is 1 in the store and 2 here");
  ExpectDifferent("box<vector<struct P{a:u8}>>", "box<vector<struct P{a:u8,b:u8}>>",
                  "the value is vector<struct P{a:u8}> in the store and "
                  "vector<struct P{a:u8,b:u8}> here");
  ExpectDifferent("map<i64,struct P{a:u8}>", "map<u64,struct P{a:u8,b:u8}>",
                  "of the key: the type is i64 in the store and u64 here");
  ExpectDifferent("box<u8>", "counter", "the container is a box in the store and a counter here");
}

}  // namespace
}  // namespace commy::types
