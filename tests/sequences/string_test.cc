// What SharedString promises: each call, errors that change nothing, characters that are not cut,
// damage that is seen, and moments.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "commy/commy.h"
#include "commy/internal/sequence.h"
#include "sequences/small_sequences.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

constexpr std::string_view kMixed = "aé€😀z";  // 1, 2, 3, 4 and 1 bytes: 11.

class StringTest : public StoreFixture {
 protected:
  void SetTo(std::string_view text) { ASSERT_TRUE(string_.Set(text).ok()); }
  // What is in the file, through the bytes.
  std::string Text() {
    const absl::StatusOr<std::string> text = string_.Get();
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("<error>");
  }
  // Puts bytes there that no call would.
  void Damage(const internal::ElementRun& run) {
    ASSERT_TRUE(internal::Sequence::Open(store_, "text", "string", {})->Push(true, run).ok());
  }
  void Damage(std::string_view bytes) { Damage({1, bytes.size(), bytes}); }

  Store store_ = MustOpen(QuietOptions());
  SharedString string_ = *store_.OpenShared<SharedString>("text");
};

// --- Reads -------------------------------------------------------------------------------------

TEST_F(StringTest, ANewOneIsEmpty) {
  EXPECT_EQ(*string_.Get(), "");
  EXPECT_EQ(*string_.ByteCount(), 0U);
  EXPECT_EQ(*string_.CharCount(), 0U);
  EXPECT_TRUE(*string_.Empty());
  EXPECT_EQ(*string_.Chars(), U"");
  EXPECT_THAT(*string_.Lines(), ElementsAre());
  EXPECT_THAT(*string_.Split(","), ElementsAre(""));
  EXPECT_THAT(*string_.SplitWhitespace(), ElementsAre());
  EXPECT_EQ(*string_.Find(""), std::optional<std::uint64_t>(0));
  EXPECT_EQ(*string_.RFind(""), std::optional<std::uint64_t>(0));
  EXPECT_EQ(*string_.Find("a"), std::nullopt);
  EXPECT_EQ(*string_.Slice(0, 5), "");
  EXPECT_EQ(*string_.Substring(0, 5), "");
  EXPECT_TRUE(*string_.Equals(""));
}

TEST_F(StringTest, ItsTypeIsString) {
  EXPECT_TRUE(Says(store_.OpenShared<SharedVec<std::uint8_t>>("text").status(),
                   StatusCode::kInvalidArgument, "string"));
  EXPECT_TRUE(Says(store_.OpenShared<SharedString>("x", {.default_ttl = absl::Seconds(1)}).status(),
                   StatusCode::kInvalidArgument, "no time to live"));
}

TEST_F(StringTest, SizesAreInBytesAndInCharacters) {
  SetTo(kMixed);
  EXPECT_EQ(*string_.ByteCount(), 11U);
  EXPECT_EQ(*string_.CharCount(), 5U);
  EXPECT_FALSE(*string_.Empty());
}

TEST_F(StringTest, SliceIsOfBytesAndSubstringOfCharacters) {
  SetTo(kMixed);
  EXPECT_EQ(*string_.Slice(1, 5), "é€");
  EXPECT_EQ(*string_.Slice(6, 100), "😀z");
  EXPECT_EQ(*string_.Slice(11, 1), "");
  EXPECT_EQ(*string_.Substring(1, 2), "é€");
  EXPECT_EQ(*string_.Substring(3, UINT64_MAX), "😀z");
  EXPECT_EQ(*string_.Substring(5, 1), "");
  EXPECT_EQ(*string_.Substring(2, 0), "");
}

TEST_F(StringTest, CharAtCountsCharacters) {
  SetTo(kMixed);
  EXPECT_EQ(*string_.CharAt(0), U'a');
  EXPECT_EQ(*string_.CharAt(1), U'é');
  EXPECT_EQ(*string_.CharAt(2), U'€');
  EXPECT_EQ(*string_.CharAt(3), U'😀');
  EXPECT_EQ(*string_.CharAt(4), U'z');
  EXPECT_TRUE(Says(string_.CharAt(5).status(), StatusCode::kOutOfRange, "there are 5"));
  EXPECT_TRUE(Says(string_.CharAt(7).status(), StatusCode::kOutOfRange, "there are 5"));
  EXPECT_TRUE(Says(string_.Substring(6, 0).status(), StatusCode::kOutOfRange, "there are 5"));
  EXPECT_EQ(*string_.Chars(), U"aé€😀z");
}

TEST_F(StringTest, BoundariesAreWhereCharactersBegin) {
  SetTo(kMixed);
  std::vector<std::uint64_t> boundaries;
  for (std::uint64_t at = 0; at < 20; ++at) {
    if (*string_.IsCharBoundary(at)) {
      boundaries.push_back(at);
    }
  }
  EXPECT_THAT(boundaries, ElementsAre(0, 1, 3, 6, 10, 11));
}

TEST_F(StringTest, FindAndRFindGiveBytes) {
  SetTo("é-é-é");
  EXPECT_EQ(*string_.Find("é"), std::optional<std::uint64_t>(0));
  EXPECT_EQ(*string_.Find("é", 1 + 1), std::optional<std::uint64_t>(3));
  EXPECT_EQ(*string_.Find("é", 8), std::nullopt);
  EXPECT_EQ(*string_.Find("", 3), std::optional<std::uint64_t>(3));
  EXPECT_EQ(*string_.RFind("é"), std::optional<std::uint64_t>(6));
  EXPECT_EQ(*string_.RFind("é", 5), std::optional<std::uint64_t>(3));
  EXPECT_EQ(*string_.RFind("é", 2), std::optional<std::uint64_t>(0));
  EXPECT_EQ(*string_.RFind("x"), std::nullopt);
  EXPECT_EQ(*string_.RFind(""), std::optional<std::uint64_t>(8));
  EXPECT_EQ(*string_.RFind("", 4), std::optional<std::uint64_t>(3));
  EXPECT_TRUE(*string_.Contains("-é-"));
  EXPECT_FALSE(*string_.Contains("--"));
}

TEST_F(StringTest, FindSeesWhatLiesAcrossPieces) {
  const SmallSequences small;
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += "0123456789€";
  }
  text.insert(150'000 / 13 * 13, "needle that is longer than a leaf " + std::string(300, 'n'));
  SetTo(text);
  const std::string needle = "leaf " + std::string(300, 'n');
  EXPECT_EQ(*string_.Find(needle), text.find(needle));
  EXPECT_EQ(*string_.RFind(needle), text.rfind(needle));
  EXPECT_EQ(*string_.Find("€needle"), text.find("€needle"));
  EXPECT_EQ(*string_.RFind("9€0"), text.rfind("9€0"));
  EXPECT_EQ(*string_.RFind("0123", 100'000), text.rfind("0123", 100'000));
}

TEST_F(StringTest, StartsAndEnds) {
  SetTo("éa€");
  EXPECT_TRUE(*string_.StartsWith(""));
  EXPECT_TRUE(*string_.StartsWith("éa"));
  EXPECT_FALSE(*string_.StartsWith("a"));
  EXPECT_FALSE(*string_.StartsWith("éa€!"));
  EXPECT_TRUE(*string_.EndsWith(""));
  EXPECT_TRUE(*string_.EndsWith("a€"));
  EXPECT_FALSE(*string_.EndsWith("a"));
  EXPECT_FALSE(*string_.EndsWith("!éa€"));
}

TEST_F(StringTest, EqualsATextAndAnotherString) {
  SetTo("éa€");
  EXPECT_TRUE(*string_.Equals("éa€"));
  EXPECT_FALSE(*string_.Equals("éa"));
  EXPECT_FALSE(*string_.Equals("éa€€"));
  const SharedString other = *store_.OpenShared<SharedString>("other");
  EXPECT_FALSE(*string_.Equals(other));
  ASSERT_TRUE(other.Set("éa€").ok());
  EXPECT_TRUE(*string_.Equals(other));
  EXPECT_TRUE(*string_.Equals(string_));
}

TEST_F(StringTest, PredicatesAreOfAllCharacters) {
  EXPECT_TRUE(*string_.IsUpper() && *string_.IsLower() && *string_.IsWhitespace());
  SetTo("ABC");
  EXPECT_TRUE(*string_.IsUpper());
  EXPECT_FALSE(*string_.IsLower());
  SetTo("abc");
  EXPECT_TRUE(*string_.IsLower());
  SetTo("aB");
  EXPECT_FALSE(*string_.IsUpper() || *string_.IsLower() || *string_.IsWhitespace());
  SetTo("É");
  EXPECT_FALSE(*string_.IsUpper());
  SetTo(" \t\u0085\u00a0\u1680\u2003\u2029\u3000");
  EXPECT_TRUE(*string_.IsWhitespace());
  SetTo(" \u200b");
  EXPECT_FALSE(*string_.IsWhitespace());
}

TEST_F(StringTest, LinesEndWithOrWithoutAReturn) {
  SetTo("a\nb\r\n\n\r\nc\r");
  EXPECT_THAT(*string_.Lines(), ElementsAre("a", "b", "", "", "c\r"));
  SetTo("a\n");
  EXPECT_THAT(*string_.Lines(), ElementsAre("a"));
  SetTo("\n");
  EXPECT_THAT(*string_.Lines(), ElementsAre(""));
}

TEST_F(StringTest, SplitKeepsEmptyPartsAndSplitWhitespaceDoesNot) {
  SetTo("€é€€");
  EXPECT_THAT(*string_.Split("€"), ElementsAre("", "é", "", ""));
  EXPECT_THAT(*string_.Split("x"), ElementsAre("€é€€"));
  EXPECT_TRUE(Says(string_.Split("").status(), StatusCode::kInvalidArgument, "empty"));
  SetTo("  one\u3000two\t\n三 ");
  EXPECT_THAT(*string_.SplitWhitespace(), ElementsAre("one", "two", "三"));
}

TEST_F(StringTest, PiecesNeverEndInsideACharacter) {
  const SmallSequences small;
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    text += i % 3 == 0 ? "€" : i % 3 == 1 ? "😀" : "é";
    ASSERT_TRUE(string_.Append(i % 3 == 0 ? "€" : i % 3 == 1 ? "😀" : "é").ok());
  }
  // Leaves that are cut wherever it comes.
  ASSERT_TRUE(string_.Set(text).ok());
  const auto middle = std::string_view(text).substr(text.size() / 9 / 2 * 9);
  ASSERT_TRUE(string_.Insert(text.size() - middle.size(), "a").ok());
  text.insert(text.size() - middle.size(), "a");
  std::string all;
  int pieces = 0;
  ASSERT_TRUE(string_
                  .ForEachPiece([&](std::string_view piece) {
                    ASSERT_FALSE(piece.empty());
                    EXPECT_NE(static_cast<unsigned char>(piece.front()) & 0xC0U, 0x80U);
                    all += piece;
                    ++pieces;
                  })
                  .ok());
  EXPECT_EQ(all, text);
  EXPECT_GT(pieces, 10);
}

// --- Changes -----------------------------------------------------------------------------------

TEST_F(StringTest, SetAppendAndClear) {
  SetTo("one");
  ASSERT_TRUE(string_.Append(" two€").ok());
  ASSERT_TRUE(string_.Append("").ok());
  EXPECT_EQ(Text(), "one two€");
  SetTo("");
  EXPECT_EQ(Text(), "");
  SetTo(std::string(10'000, 'x'));
  ASSERT_TRUE(string_.Clear().ok());
  EXPECT_EQ(Text(), "");
}

TEST_F(StringTest, CharactersArePushedAndPopped) {
  for (const char32_t each : U"aé€😀\U0010FFFF") {
    ASSERT_TRUE(string_.PushChar(each).ok());
  }
  EXPECT_EQ(Text(), std::string("aé€😀\xF4\x8F\xBF\xBF\0", 15));
  EXPECT_EQ(*string_.PopChar(), U'\0');
  EXPECT_EQ(*string_.PopChar(), U'\U0010FFFF');
  EXPECT_EQ(*string_.PopChar(), U'😀');
  EXPECT_EQ(*string_.PopChar(), U'€');
  EXPECT_EQ(*string_.PopChar(), U'é');
  EXPECT_EQ(*string_.PopChar(), U'a');
  EXPECT_TRUE(Says(string_.PopChar().status(), StatusCode::kNotFound, "empty"));
  EXPECT_EQ(Text(), "");
}

TEST_F(StringTest, NoNumberOfACharacterIsRefused) {
  SetTo("a");
  for (const char32_t each : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}}) {
    EXPECT_TRUE(Says(string_.PushChar(each), StatusCode::kInvalidArgument, "0x"));
  }
  EXPECT_EQ(Text(), "a");
}

TEST_F(StringTest, RangesAreInsertedErasedAndReplaced) {
  SetTo("az");
  ASSERT_TRUE(string_.Insert(1, "é€").ok());
  EXPECT_EQ(Text(), "aé€z");
  ASSERT_TRUE(string_.Insert(7, "!").ok());
  ASSERT_TRUE(string_.Insert(0, "^").ok());
  EXPECT_EQ(Text(), "^aé€z!");
  ASSERT_TRUE(string_.EraseRange(2, 2).ok());
  EXPECT_EQ(Text(), "^a€z!");
  ASSERT_TRUE(string_.ReplaceRange(2, 3, "😀").ok());
  EXPECT_EQ(Text(), "^a😀z!");
  ASSERT_TRUE(string_.EraseRange(8, 0).ok());
  ASSERT_TRUE(string_.Truncate(2).ok());
  EXPECT_EQ(Text(), "^a");
  ASSERT_TRUE(string_.Truncate(100).ok());
  EXPECT_EQ(Text(), "^a");
}

TEST_F(StringTest, ReplaceCounts) {
  SetTo("a€b€€c");
  EXPECT_EQ(*string_.Replace("€", "--"), 3U);
  EXPECT_EQ(Text(), "a--b----c");
  EXPECT_EQ(*string_.Replace("x", "y"), 0U);
  EXPECT_EQ(*string_.Replace("-", ""), 6U);
  EXPECT_EQ(Text(), "abc");
  SetTo("aaaa");
  EXPECT_EQ(*string_.Replace("aa", "a"), 2U);
  EXPECT_EQ(Text(), "aa");
  EXPECT_EQ(*string_.Replace("a", "a"), 2U);
  EXPECT_TRUE(Says(string_.Replace("", "x").status(), StatusCode::kInvalidArgument, "empty"));
  EXPECT_EQ(Text(), "aa");
}

TEST_F(StringTest, RepeatMakesCopies) {
  SetTo("é-");
  ASSERT_TRUE(string_.Repeat(1).ok());
  ASSERT_TRUE(string_.Repeat(3).ok());
  EXPECT_EQ(Text(), "é-é-é-");
  ASSERT_TRUE(string_.Repeat(20'000).ok());
  EXPECT_EQ(*string_.ByteCount(), 180'000U);
  EXPECT_EQ(*string_.CharCount(), 120'000U);
  EXPECT_TRUE(Says(string_.Repeat(UINT64_MAX), StatusCode::kOutOfRange, "too large"));
  ASSERT_TRUE(string_.Repeat(0).ok());
  EXPECT_EQ(Text(), "");
  ASSERT_TRUE(string_.Repeat(UINT64_MAX).ok());
  EXPECT_EQ(Text(), "");
}

TEST_F(StringTest, TrimTakesWhiteSpaceOfUnicode) {
  const std::string text = "\u3000 \ta b\u00a0\n";
  SetTo(text);
  ASSERT_TRUE(string_.TrimStart().ok());
  EXPECT_EQ(Text(), "a b\u00a0\n");
  SetTo(text);
  ASSERT_TRUE(string_.TrimEnd().ok());
  EXPECT_EQ(Text(), "\u3000 \ta b");
  SetTo(text);
  ASSERT_TRUE(string_.Trim().ok());
  EXPECT_EQ(Text(), "a b");
  std::string spaces;
  for (int i = 0; i < 3000; ++i) {
    spaces += "\u2003 ";
  }
  SetTo(spaces + "é" + spaces);
  ASSERT_TRUE(string_.Trim().ok());
  EXPECT_EQ(Text(), "é");
  for (const auto trim : {&SharedString::TrimStart, &SharedString::TrimEnd}) {
    SetTo(spaces);
    ASSERT_TRUE((string_.*trim)().ok());
    EXPECT_EQ(Text(), "");
  }
}

TEST_F(StringTest, StripSaysWhetherItWasThere) {
  SetTo("€a€");
  EXPECT_FALSE(*string_.StripPrefix("a"));
  EXPECT_TRUE(*string_.StripPrefix(""));
  EXPECT_TRUE(*string_.StripPrefix("€"));
  EXPECT_EQ(Text(), "a€");
  EXPECT_FALSE(*string_.StripSuffix("a"));
  EXPECT_TRUE(*string_.StripSuffix("€"));
  EXPECT_FALSE(*string_.StripSuffix("aa"));
  EXPECT_EQ(Text(), "a");
}

TEST_F(StringTest, LettersOfAsciiBecomeSmallAndCapital) {
  SetTo("AbZz@[`{É1");
  ASSERT_TRUE(string_.ToLower().ok());
  EXPECT_EQ(Text(), "abzz@[`{É1");
  ASSERT_TRUE(string_.ToUpper().ok());
  EXPECT_EQ(Text(), "ABZZ@[`{É1");
}

TEST_F(StringTest, UpdateMakesWhatTheFunctionReturns) {
  SetTo("abc");
  ASSERT_TRUE(string_.Update([](std::string text) { return text + "€" + text; }).ok());
  EXPECT_EQ(Text(), "abc€abc");
  EXPECT_TRUE(Says(string_.Update([](const std::string& text) { return text + "\xff"; }),
                   StatusCode::kInvalidArgument, "byte 9"));
  EXPECT_EQ(Text(), "abc€abc");
}

TEST_F(StringTest, WhatChangesNothingWritesNothing) {
  SetTo("abc");
  const ChangeToken before = *string_.ns().Changes();
  EXPECT_TRUE(string_.Trim().ok() && string_.ToLower().ok() && string_.Truncate(3).ok() &&
              string_.Insert(1, "").ok() && string_.Repeat(1).ok());
  EXPECT_EQ(*string_.Replace("x", "y"), 0U);
  EXPECT_FALSE(*string_.StripPrefix("x"));
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(string_.ns().WaitForChange(before, absl::ZeroDuration()).status()));
}

TEST_F(StringTest, ATextOfManyMegabytesIsSetAndRead) {
  Options options = QuietOptions();
  options.max_size = std::uint64_t{1} << 30U;
  options.testing = {};
  options.testing.background = false;
  const Store store = MustOpen(temp_.File("large"), options);
  const SharedString string = *store.OpenShared<SharedString>("text");
  std::string text;
  while (text.size() < std::uint64_t{100} << 20U) {
    text += "one hundred megabytes of text, in which there is a € and a 😀\n";
  }
  ASSERT_TRUE(string.Set(text).ok());
  EXPECT_EQ(*string.ByteCount(), text.size());
  EXPECT_TRUE(*string.Equals(text));
  EXPECT_EQ(*string.CharCount(), text.size() - text.size() / 66 * 5);
  ASSERT_TRUE(string.Insert(text.size() / 66 / 2 * 66, "needle").ok());
  EXPECT_EQ(*string.Find("needle"), text.size() / 66 / 2 * 66);
  EXPECT_EQ(*string.RFind("needle"), text.size() / 66 / 2 * 66);
  ASSERT_TRUE(string.Clear().ok());
}

// --- Errors ------------------------------------------------------------------------------------

TEST_F(StringTest, BytesThatAreNotUtf8AreRefusedAndNamed) {
  SetTo("abc");
  for (const std::string_view bad : {"xy\x80", "xy\xC3", "xy\xC0\x80", "xy\xED\xA0\x80", "xy\xFF",
                                     "xy\xF4\x90\x80\x80", "xy\xE2\x82", "xy\xE0\x80\x80",
                                     "xy\xF0\x80\x80\x80", "xy\xF5\x80\x80\x80", "xy\xE2\x82z"}) {
    const auto refused = [](const absl::Status& status) {
      return Says(status, StatusCode::kInvalidArgument, "at byte 2 of ");
    };
    EXPECT_TRUE(refused(string_.Set(bad)));
    EXPECT_TRUE(refused(string_.Append(bad)));
    EXPECT_TRUE(refused(string_.Insert(1, bad)));
    EXPECT_TRUE(refused(string_.ReplaceRange(0, 1, bad)));
    EXPECT_TRUE(refused(string_.Replace(bad, "").status()));
    EXPECT_TRUE(refused(string_.Replace("a", bad).status()));
    EXPECT_TRUE(refused(string_.StripPrefix(bad).status()));
    EXPECT_TRUE(refused(string_.StripSuffix(bad).status()));
    EXPECT_TRUE(refused(string_.Find(bad).status()));
    EXPECT_TRUE(refused(string_.RFind(bad).status()));
    EXPECT_TRUE(refused(string_.Contains(bad).status()));
    EXPECT_TRUE(refused(string_.StartsWith(bad).status()));
    EXPECT_TRUE(refused(string_.EndsWith(bad).status()));
    EXPECT_TRUE(refused(string_.Equals(bad).status()));
    EXPECT_TRUE(refused(string_.Split(bad).status()));
    EXPECT_TRUE(refused(string_.Update([bad](const std::string&) { return std::string(bad); })));
    EXPECT_EQ(Text(), "abc");
  }
}

TEST_F(StringTest, ACharacterIsNeverCut) {
  const std::string text = "abc😀xyz";
  const auto check = [&] {
    for (std::uint64_t at = 4; at <= 6; ++at) {
      const auto refused = [at](const absl::Status& status) {
        return Says(status, StatusCode::kInvalidArgument,
                    "the position " + std::to_string(at) + " is inside a character; the next " +
                        "ones that are not are 3 and 7");
      };
      EXPECT_TRUE(refused(string_.Slice(at, 1).status()));
      EXPECT_TRUE(refused(string_.Slice(0, at).status()));
      EXPECT_TRUE(refused(string_.Find("x", at).status()));
      EXPECT_TRUE(refused(string_.Insert(at, "x")));
      EXPECT_TRUE(refused(string_.Insert(at, "")));
      EXPECT_TRUE(refused(string_.EraseRange(at, 1)));
      EXPECT_TRUE(refused(string_.EraseRange(1, at - 1)));
      EXPECT_TRUE(refused(string_.ReplaceRange(at, 0, "x")));
      EXPECT_TRUE(refused(string_.Truncate(at)));
    }
    EXPECT_EQ(Text(), text);
  };
  SetTo(text);
  check();
  const SmallSequences small;
  SetTo(std::string(1000, 'a'));
  ASSERT_TRUE(string_.ReplaceRange(0, 1000, text).ok());
  check();
}

TEST_F(StringTest, PositionsPastTheEndAreRefused) {
  SetTo("a€");
  const auto past = [](const absl::Status& status, const std::string& part) {
    return Says(status, StatusCode::kOutOfRange, part);
  };
  EXPECT_TRUE(past(string_.Slice(5, 0).status(), "the position 5 is past the end"));
  EXPECT_TRUE(past(string_.Slice(UINT64_MAX, UINT64_MAX).status(), "past the end"));
  EXPECT_TRUE(past(string_.Find("a", 5).status(), "has 4 bytes"));
  EXPECT_TRUE(past(string_.Insert(5, "x"), "the position 5"));
  EXPECT_TRUE(past(string_.EraseRange(1, 4), "4 from 1 on go past its end"));
  EXPECT_TRUE(past(string_.EraseRange(1, UINT64_MAX), "past its end"));
  EXPECT_TRUE(past(string_.ReplaceRange(6, 1, "x"), "the position 6"));
  EXPECT_EQ(Text(), "a€");
}

TEST_F(StringTest, DamagedBytesAreSeenAndNamed) {
  SetTo("abc");
  Damage("d\xFFx");
  const auto damaged = [](const absl::Status& status) {
    return Says(status, StatusCode::kDataLoss, "at byte 4 there is no character");
  };
  EXPECT_TRUE(damaged(string_.Get().status()));
  EXPECT_TRUE(damaged(string_.CharCount().status()));
  EXPECT_TRUE(damaged(string_.Slice(1, 5).status()));
  EXPECT_TRUE(damaged(string_.Substring(1, 5).status()));
  EXPECT_TRUE(damaged(string_.CharAt(5).status()));
  EXPECT_TRUE(damaged(string_.Find("z").status()));
  EXPECT_TRUE(damaged(string_.RFind("z").status()));
  EXPECT_TRUE(damaged(string_.Lines().status()));
  EXPECT_TRUE(damaged(string_.Chars().status()));
  EXPECT_TRUE(damaged(string_.Split(",").status()));
  EXPECT_TRUE(damaged(string_.ForEachPiece([](std::string_view) {})));
  EXPECT_TRUE(damaged(string_.Equals("abcdef").status()));
  EXPECT_TRUE(damaged(string_.Replace("a", "b").status()));
  EXPECT_TRUE(damaged(string_.ToUpper()));
  EXPECT_TRUE(damaged(string_.TrimEnd()));
  EXPECT_TRUE(damaged(string_.Update([](std::string text) { return text; })));
  EXPECT_EQ(*string_.Slice(0, 4), "abcd") << "what was not damaged can be read";
  EXPECT_EQ(*string_.PopChar(), U'x');
  EXPECT_TRUE(damaged(string_.PopChar().status()));
  EXPECT_EQ(*string_.ByteCount(), 5U);
  SetTo("new");
  EXPECT_EQ(Text(), "new");
}

TEST_F(StringTest, ATextThatEndsInsideACharacterIsDamaged) {
  SetTo("abc");
  Damage("\xE2\x82");
  EXPECT_TRUE(Says(string_.Get().status(), StatusCode::kDataLoss, "at byte 3"));
  EXPECT_TRUE(Says(string_.PopChar().status(), StatusCode::kDataLoss, "at byte 3"));
  EXPECT_TRUE(Says(string_.Truncate(4), StatusCode::kDataLoss, "at byte 3"));
  EXPECT_TRUE(Says(string_.RFind("a").status(), StatusCode::kDataLoss, "at byte 3"));
  SetTo("");
  Damage("\x80\x80\x80\x80\x80\x80\x80\x80");
  EXPECT_TRUE(Says(string_.Get().status(), StatusCode::kDataLoss, "at byte 0"));
  EXPECT_TRUE(Says(string_.PopChar().status(), StatusCode::kDataLoss, "at byte"));
  EXPECT_TRUE(Says(string_.Insert(5, "x"), StatusCode::kDataLoss, "at byte"));
}

TEST_F(StringTest, ElementsThatAreNoBytesAreDamage) {
  Damage({8, 2, "0123456789abcdef"});
  EXPECT_TRUE(Says(string_.Get().status(), StatusCode::kDataLoss, "not made of bytes"));
  EXPECT_TRUE(Says(string_.PopChar().status(), StatusCode::kDataLoss, "not made of bytes"));
  EXPECT_TRUE(Says(string_.EndsWith("f").status(), StatusCode::kDataLoss, "not made of bytes"));
  SetTo("new");
  EXPECT_EQ(Text(), "new");
}

// --- Moments -----------------------------------------------------------------------------------

TEST_F(StringTest, ASnapshotSeesWhatWas) {
  for (const std::string& text : {std::string("before€"), std::string(9000, 'b') + "€"}) {
    SetTo(text);
    const Snapshot snapshot = *store_.TakeSnapshot();
    const SnapshotString at = string_.At(snapshot);
    SetTo("after");
    EXPECT_EQ(*at.Get(), text);
    EXPECT_EQ(*at.ByteCount(), text.size());
    EXPECT_EQ(*at.Find("€"), text.size() - 3);
    EXPECT_EQ(*at.RFind("b"), text.rfind('b'));
    EXPECT_EQ(*at.Slice(1, 2), text.substr(1, 2));
    EXPECT_EQ(Text(), "after");
  }
}

TEST_F(StringTest, ATransactionSeesItsChangesAndIsAllOrNothing) {
  SetTo("a€");
  const SharedString other = *store_.OpenShared<SharedString>("other");
  const auto change = [&](Transaction& txn) -> absl::Status {
    const TransactionString in = string_.In(txn);
    EXPECT_TRUE(in.Append("z").ok());
    EXPECT_TRUE(in.Insert(1, "é").ok());
    EXPECT_TRUE(Says(in.Insert(2, "x"), StatusCode::kInvalidArgument, "are 1 and 3"));
    EXPECT_EQ(*in.PopChar(), U'z');
    EXPECT_TRUE(*in.Equals("aé€"));
    EXPECT_EQ(*in.RFind("é"), std::optional<std::uint64_t>(1));
    EXPECT_EQ(Text(), "a€");
    return other.In(txn).Set(*in.Get());
  };
  EXPECT_TRUE(absl::IsCancelled(store_.Transact([&](Transaction& txn) {
    EXPECT_TRUE(change(txn).ok());
    return absl::CancelledError("");
  })));
  EXPECT_EQ(Text(), "a€");
  EXPECT_TRUE(*other.Empty());
  ASSERT_TRUE(store_.Transact(change).ok());
  EXPECT_EQ(Text(), "aé€");
  EXPECT_EQ(*other.Get(), "aé€");
}

TEST_F(StringTest, AnEditIsPublishedAtOneMoment) {
  SetTo("a");
  absl::StatusOr<StringEdit> edit = string_.Edit();
  ASSERT_TRUE(edit.ok());
  EXPECT_TRUE(edit->Append("€").ok());
  EXPECT_TRUE(edit->PushChar(U'!').ok());
  EXPECT_TRUE(Says(edit->Insert(2, "x"), StatusCode::kInvalidArgument, "are 1 and 4"));
  EXPECT_TRUE(Says(edit->Insert(9, "x"), StatusCode::kOutOfRange, "past the end"));
  EXPECT_TRUE(Says(edit->Append("\xff"), StatusCode::kInvalidArgument, "at byte 0"));
  EXPECT_EQ(*edit->Replace("€", "--"), 1U);
  EXPECT_EQ(*edit->Get(), "a--!");
  EXPECT_EQ(*edit->PopChar(), U'!');
  EXPECT_TRUE(*edit->StripPrefix("a"));
  EXPECT_EQ(Text(), "a");
  StringEdit moved = *std::move(edit);
  EXPECT_TRUE(moved.Publish().ok());
  EXPECT_EQ(Text(), "--");
}

TEST_F(StringTest, AnEditThatIsOverDoesNothingMore) {
  SetTo("a");
  StringEdit edit = *string_.Edit();
  ASSERT_TRUE(edit.Publish().ok());
  const auto over = [](const absl::Status& status) {
    return Says(status, StatusCode::kFailedPrecondition, "the edit is over");
  };
  EXPECT_TRUE(over(edit.Publish()));
  EXPECT_TRUE(over(edit.Get().status()));
  EXPECT_TRUE(over(edit.ByteCount().status()));
  EXPECT_TRUE(over(edit.Empty().status()));
  EXPECT_TRUE(over(edit.IsCharBoundary(0).status()));
  EXPECT_TRUE(over(edit.Append("x")));
  EXPECT_TRUE(over(edit.Set("x")));
  EXPECT_TRUE(over(edit.Clear()));
  EXPECT_TRUE(over(edit.PopChar().status()));
  EXPECT_TRUE(over(edit.Trim()));
  EXPECT_TRUE(over(edit.Truncate(0)));
  EXPECT_TRUE(over(edit.Insert(0, "x")));
  EXPECT_TRUE(over(edit.Insert(1, "x")));
  EXPECT_TRUE(over(edit.Repeat(2)));
  EXPECT_TRUE(over(edit.StripPrefix("x").status()));
  EXPECT_EQ(Text(), "a");
}

TEST_F(StringTest, AnEditFailsIfTheStringWasChanged) {
  SetTo("a");
  StringEdit edit = *string_.Edit();
  ASSERT_TRUE(edit.Append("b").ok());
  ASSERT_TRUE(string_.Append("c").ok());
  EXPECT_TRUE(absl::IsAborted(edit.Publish()));
  EXPECT_EQ(Text(), "ac");
}

TEST_F(StringTest, AnEditAcrossADropFails) {
  SetTo("a");
  StringEdit edit = *string_.Edit();
  ASSERT_TRUE(edit.Append("b").ok());
  ASSERT_TRUE(store_.DropNamespace("text").ok());
  const absl::Status published = edit.Publish();
  EXPECT_TRUE(absl::IsFailedPrecondition(published)) << published;
  EXPECT_TRUE(IsNamespaceDropped(string_.Append("x")));
  EXPECT_TRUE(IsNamespaceDropped(string_.Get().status()));
  string_ = *store_.OpenShared<SharedString>("text");
  EXPECT_EQ(Text(), "");
}

}  // namespace
}  // namespace commy::test
