// Lines of tsv and jsonl: writing, reading back, and lines that are refused.
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "jsonl.h"
#include "support/seed.h"
#include "tsv.h"
#include "utf8.h"

namespace commy::tools {
namespace {

std::string Tsv(std::string_view key, std::string_view value) {
  std::string out;
  AppendTsvLine(key, value, out);
  return out;
}

std::string Jsonl(std::string_view key, std::string_view value,
                  absl::Duration ttl = absl::InfiniteDuration()) {
  std::string out;
  AppendJsonLine(key, value, ttl, out);
  return out;
}

std::string_view WithoutNewline(std::string_view line) {
  EXPECT_TRUE(line.ends_with('\n'));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  return line.substr(0, line.size() - 1);
}

void ExpectRoundTrip(std::string_view key, std::string_view value) {
  const std::string tsv = Tsv(key, value);
  const absl::StatusOr<Record> from_tsv = ParseTsvLine(WithoutNewline(tsv));
  ASSERT_TRUE(from_tsv.ok()) << from_tsv.status() << tsv;
  EXPECT_EQ(from_tsv->key, key);
  EXPECT_EQ(from_tsv->value, value);
  EXPECT_TRUE(IsUtf8(tsv));
  const std::string jsonl = Jsonl(key, value);
  const absl::StatusOr<Record> from_jsonl = ParseJsonLine(WithoutNewline(jsonl));
  ASSERT_TRUE(from_jsonl.ok()) << from_jsonl.status() << jsonl;
  EXPECT_EQ(from_jsonl->key, key);
  EXPECT_EQ(from_jsonl->value, value);
  EXPECT_EQ(from_jsonl->ttl, absl::InfiniteDuration());
}

TEST(TsvTest, TsvEscapesByNameWhereThereIsOneAndElseAsHex) {
  EXPECT_EQ(Tsv("a\tb", "\n\r\\"), "a\\tb\t\\n\\r\\\\\n");
  EXPECT_EQ(Tsv(std::string(1, '\0'), "\x1f\x7f"), "\\x00\t\\x1f\\x7f\n");
  EXPECT_EQ(Tsv("\xc3\xa9", "\xc3"), "\xc3\xa9\t\\xc3\n");
  EXPECT_EQ(Tsv("\xef\xbb\xbf", "a\xef\xbb\xbf"), "\\xef\\xbb\\xbf\ta\\xef\\xbb\\xbf\n");
  EXPECT_EQ(Tsv("", ""), "\t\n");
}

TEST(TsvTest, TsvReadsHexInEitherCaseAndBareBytesLiterally) {
  const absl::StatusOr<Record> record = ParseTsvLine("\\x4A\\x4a\tb\r\xff ");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->key, "JJ");
  EXPECT_EQ(record->value, "b\r\xff ");
}

TEST(TsvTest, TsvRefusesMalformedLines) {
  for (const std::string_view line : {"", "no tab", "a\tb\tc", "a\\\tb", "a\tb\\", "a\\q\tb",
                                      "a\\x\tb", "a\\x4\tb", "a\\x4g\tb", "a\t\\X41", "a\t\\0"}) {
    EXPECT_EQ(ParseTsvLine(line).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

TEST(JsonlTest, JsonlWritesTextAsTextAndOtherBytesAsBase64) {
  EXPECT_EQ(Jsonl("k\"\\\n", "v\xc3\xa9"), "{\"key\":\"k\\\"\\\\\\n\",\"value\":\"v\xc3\xa9\"}\n");
  EXPECT_EQ(Jsonl("\xff", "\xff\xfe"), "{\"key_base64\":\"/w==\",\"value_base64\":\"//4=\"}\n");
  EXPECT_EQ(Jsonl("k", "v", absl::Milliseconds(1500)),
            "{\"key\":\"k\",\"value\":\"v\",\"ttl_ms\":1500}\n");
  std::string keys_only;
  AppendJsonLine("k", std::nullopt, absl::InfiniteDuration(), keys_only);
  EXPECT_EQ(keys_only, "{\"key\":\"k\"}\n");
}

TEST(JsonlTest, JsonlNeverRoundsATimeToLiveToNone) {
  for (const absl::Duration ttl : {absl::Nanoseconds(1), absl::ZeroDuration(), absl::Seconds(-1)}) {
    EXPECT_EQ(Jsonl("k", "v", ttl), "{\"key\":\"k\",\"value\":\"v\",\"ttl_ms\":1}\n");
  }
}

TEST(JsonlTest, JsonlReadsMembersInAnyOrder) {
  const absl::StatusOr<Record> record =
      ParseJsonLine(R"( {"ttl_ms": 7, "value_base64": "AA==", "key": "\u00e9"} )");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->key, "\xc3\xa9");
  EXPECT_EQ(record->value, std::string(1, '\0'));
  EXPECT_EQ(record->ttl, absl::Milliseconds(7));
}

TEST(JsonlTest, JsonlReadsWhenARecordExpiresToTheNanosecond) {
  const absl::StatusOr<Record> record =
      ParseJsonLine(R"({"key":"k","value":"v","expires":"2026-11-29T19:00:00.123456789Z"})");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->expiry_ns, 1'795'978'800'123'456'789);
  EXPECT_EQ(record->ttl, absl::InfiniteDuration());
  Json object = Json::object();
  SetExpiry(*record->expiry_ns, object);
  EXPECT_EQ(object.dump(), R"({"expires":"2026-11-29T19:00:00.123456789Z"})");
}

TEST(JsonlTest, JsonlRefusesMalformedLines) {
  for (const std::string_view line :
       {"",
        "{",
        "[]",
        "7",
        R"({"key":"k"})",
        R"({"value":"v"})",
        R"({"key":1,"value":"v"})",
        R"({"key":"k","key_base64":"aw==","value":"v"})",
        R"({"key":"k","value_base64":"*"})",
        R"({"key":"k","value":"v","ttl_ms":0})",
        R"({"key":"k","value":"v","ttl_ms":-1})",
        R"({"key":"k","value":"v","ttl_ms":1.5})",
        R"({"key":"k","value":"v","ttl_ms":"1"})",
        R"({"key":"k","value":"v","ttl_ms":18446744073709551615})",
        R"({"key":"k","value":"v","ttl":1})",
        R"({"key":"k","value":"v","expires":1})",
        R"({"key":"k","value":"v","ttl_ms":1,"expires":"2026-11-29T19:00:00Z"})",
        R"({"key":"k","value":"v"} x)",
        "{\"key\":\"\xff\",\"value\":\"v\"}",
        R"({"key":"\ud800","value":"v"})"}) {
    EXPECT_EQ(ParseJsonLine(line).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

TEST(RecordLinesTest, EveryByteRoundTrips) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
    ExpectRoundTrip(std::string(1, static_cast<char>(byte)), "v");
    ExpectRoundTrip("k", std::string("a") + static_cast<char>(byte) + "b");
  }
  ExpectRoundTrip(all, all);
  ExpectRoundTrip("", "");
}

TEST(RecordLinesTest, RandomBytesRoundTrip) {
  std::mt19937_64 random(test::Seed());
  const std::vector<std::string> pieces = {"\\",       "\t",   "\n",           "\r",          "x41",
                                           "\xc3\xa9", "\xc3", "\xf0\x9f",     "\xed\xa0",    "\"",
                                           "{}",       "n",    "\xe2\x82\xac", "\xef\xbb\xbf"};
  for (int i = 0; i < 2000; ++i) {
    std::string key;
    std::string value;
    for (std::uint64_t count = random() % 12; count > 0; --count) {
      key += pieces[random() % pieces.size()];
      value += static_cast<char>(random());
    }
    ExpectRoundTrip(key, value);
    ExpectRoundTrip(value, key);
  }
}

TEST(Utf8Test, IsUtf8AcceptsOnlyWellFormedText) {
  for (const std::string_view good :
       {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << testing::PrintToString(good);
  }
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(IsUtf8(bad)) << testing::PrintToString(bad);
  }
}

}  // namespace
}  // namespace commy::tools
