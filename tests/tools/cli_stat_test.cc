// `commy stat`: where the bytes of the file are, in each format, and the map of the file.
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "tools/cli_fixture.h"
#include "utf8.h"

namespace commy::test {
namespace {

using nlohmann::json;

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Whether it is XML: tags that match, quoted attributes, and no bare & or <.
testing::AssertionResult IsWellFormed(const std::string& xml) {
  static const std::regex kTag(
      R"re(<(/?)([a-z]+)((?:\s+[a-zA-Z:]+="(?:[^"<&]|&[a-z]+;)*")*)\s*(/?)>)re");
  static const std::regex kText(R"re((?:[^<&]|&(?:amp|lt|gt|quot);)*)re");
  std::vector<std::string> open;
  for (std::size_t at = 0; at < xml.size();) {
    const std::size_t tag = std::min(xml.find('<', at), xml.size());
    if (!std::regex_match(xml.begin() + static_cast<std::ptrdiff_t>(at),
                          xml.begin() + static_cast<std::ptrdiff_t>(tag), kText)) {
      return testing::AssertionFailure() << "no text of XML: " << xml.substr(at, tag - at);
    }
    if (tag == xml.size()) {
      break;
    }
    const std::size_t end = xml.find('>', tag);
    const std::string text = xml.substr(tag, end + 1 - tag);
    std::smatch match;
    // (Paths are long, and a regular expression in this library is recursive.)
    if (text.starts_with("<path class=\"") && text.ends_with("z\"/>") &&
        std::count(text.begin(), text.end(), '"') == 4) {
      at = end + 1;
      continue;
    }
    if (!std::regex_match(text, match, kTag)) {
      return testing::AssertionFailure() << "no tag of XML: " << text;
    }
    if (match[1] == "/") {
      if (open.empty() || open.back() != match[2]) {
        return testing::AssertionFailure() << text << " closes nothing";
      }
      open.pop_back();
    } else if (match[4] != "/") {
      open.push_back(match[2]);
    }
    at = end + 1;
  }
  return open.empty() ? testing::AssertionSuccess()
                      : testing::AssertionFailure() << open.back() << " is not closed";
}

class CliStatTest : public CliFixture {
 protected:
  const std::string map_ = temp_.File("map.svg");
};

TEST_F(CliStatTest, ThePartsOfEachFormatAddUpToTheFile) {
  Done({"load", store_, "acme/a"}, {.input = "1\tx\n2\ty\n3\tz\n"});
  Done({"put", store_, "b", "large", "-"}, {.input = std::string(200'000, 'v')});
  Done({"del", store_, "acme/a", "2"});
  const json stat = json::parse(Done({"stat", store_, "--json"}));
  std::uint64_t sum = 0;
  for (const auto& [key, value] : stat["space"].items()) {
    sum += key.ends_with("_bytes") && key != "large_bytes" ? value.get<std::uint64_t>() : 0;
  }
  EXPECT_EQ(sum, stat["file_bytes"]);
  EXPECT_EQ(stat["space"]["large_bytes"], 4 * 65536);
  EXPECT_EQ(stat["space"]["live_bytes"], stat["used_bytes"]);
  ASSERT_FALSE(stat["space"]["classes"].empty());
  EXPECT_GT(stat["space"]["classes"][0]["block_bytes"], 0);
  EXPECT_TRUE(stat["space"]["held_by"].is_array());

  std::istringstream metrics(Done({"stat", store_, "--format", "openmetrics"}));
  std::uint64_t parts = 0;
  std::uint64_t file = 0;
  for (std::string line; std::getline(metrics, line);) {
    const std::uint64_t value =
        line.starts_with("commy_space_bytes{part=\"") || line.starts_with("commy_file_bytes ")
            ? std::stoull(line.substr(line.find(' ')))
            : 0;
    (line.starts_with("commy_space") ? parts : file) += value;
  }
  EXPECT_GT(parts, 0U);
  EXPECT_EQ(parts, file);
}

TEST_F(CliStatTest, TheTextNamesEachPart) {
  Done({"put", store_, "a", "k", "v"});
  const std::string text = Done({"stat", store_});
  for (const std::string part :
       {"where the bytes are", "header", "tables", "live", "retired, waiting", "fragmented",
        "span overhead", "free spans", "reserve", "holes", "BLOCK"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in:\n" << text;
  }
  EXPECT_EQ(text.find("held back"), std::string::npos);
  EXPECT_EQ(text.find(" \n"), std::string::npos) << "spaces at the end of a line:\n" << text;
}

TEST_F(CliStatTest, TheTextSaysWhoHoldsBytesBack) {
  const Namespace held = MustOpen(store_, "a");
  ASSERT_TRUE(held.Put("k", std::string(1000, 'v')).ok());
  Options options;
  options.process_name = "holder";
  const absl::StatusOr<Store> store = Store::Open(store_, options);
  ASSERT_TRUE(store.ok());
  const absl::StatusOr<Snapshot> snapshot = store->TakeSnapshot();
  ASSERT_TRUE(held.Delete("k").ok());
  const std::string text = Done({"stat", store_});
  EXPECT_NE(text.find("held back: process "), std::string::npos) << text;
  EXPECT_NE(text.find(" (holder) holds 1 snapshot\n"), std::string::npos) << text;
}

TEST_F(CliStatTest, TheMapIsWellFormedAndNamesNamespacesEscaped) {
  ASSERT_TRUE(MustOpen(store_, "a<b&\"c>").Put("k", std::string(100, 'v')).ok());
  ASSERT_TRUE(MustOpen(store_, "\xff\n").Put("k", std::string(300'000, 'v')).ok());
  ASSERT_TRUE(MustOpen(store_, "plain").Put("k", "v").ok());
  const std::string text = Done({"stat", store_, "--map", map_});
  EXPECT_NE(text.find("where the bytes are"), std::string::npos);
  const std::string map = Read(map_);
  EXPECT_TRUE(IsWellFormed(map));
  EXPECT_TRUE(tools::IsUtf8(map));
  EXPECT_TRUE(map.starts_with("<svg "));
  for (const std::string part : {"a&lt;b&amp;&quot;c&gt;", R"(\xff\x0a)", ">plain<", "fleet.commy",
                                 "prefers-color-scheme", "large blocks"}) {
    EXPECT_NE(map.find(part), std::string::npos) << part;
  }
}

TEST_F(CliStatTest, TheNamespaceWithTheMostBytesOwnsASpan) {
  // Five spans of one large value are of the second namespace alone.
  Done({"put", store_, "small", "k", "v"});
  Done({"put", store_, "vast", "k", "-"}, {.input = std::string(300'000, 'v')});
  const std::string map = Done({"stat", store_, "--map", "-"});
  EXPECT_TRUE(IsWellFormed(map));
  // The largest has the first colour; a square of its picture has five cells or more.
  const std::size_t path = map.find("<path class=\"o0 f4\"");
  ASSERT_NE(path, std::string::npos);
  const std::string cells = map.substr(path, map.find("/>", path) - path);
  EXPECT_GE(std::count(cells.begin(), cells.end(), 'M'), 5);
  EXPECT_LT(map.find(">vast<"), map.find(">small<"));
}

TEST_F(CliStatTest, AMapOfManyNamespacesNamesTheLargestAndCountsTheOthers) {
  for (int i = 0; i < 20; ++i) {
    Done({"put", store_, "ns" + std::to_string(i), "k", std::string(100 + 200 * i, 'v')});
  }
  const std::string map = Done({"stat", store_, "--map", "-"});
  EXPECT_TRUE(IsWellFormed(map));
  EXPECT_NE(map.find(">ns19<"), std::string::npos);
  EXPECT_EQ(map.find(">ns3<"), std::string::npos);
  EXPECT_NE(map.find(">12 other namespaces<"), std::string::npos);
}

TEST_F(CliStatTest, TheMapNeverTakesThePlaceOfTheStore) {
  Done({"put", store_, "a", "k", "v"});
  Fails(3, {"stat", store_, "--map", store_}, {store_});
  EXPECT_EQ(Done({"get", store_, "a", "k"}), "v");
}

}  // namespace
}  // namespace commy::test
