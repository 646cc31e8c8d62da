// `commy stat --format openmetrics`, read as strictly as its standard says.
#include <algorithm>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "support/seed.h"
#include "tools/cli_fixture.h"
#include "utf8.h"

namespace commy::test {
namespace {

struct Sample {
  std::map<std::string, std::string> labels;
  double value = 0;
};

// Parses OpenMetrics text into families by name; fails the test on any other text.
std::map<std::string, std::vector<Sample>> Parse(const std::string& text) {
  std::map<std::string, std::vector<Sample>> families;
  std::string family;
  std::string type;
  bool ended = false;
  static const std::regex kMeta("# (TYPE|UNIT|HELP) ([a-z_]+) (.+)");
  static const std::regex kSample(
      R"re(([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?[0-9.e+-]+))re");
  static const std::regex kLabel(R"re(([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)")re");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(ended) << "after # EOF: " << line;
    std::smatch match;
    if (line == "# EOF") {
      ended = true;
    } else if (std::regex_match(line, match, kMeta)) {
      if (match[1] == "TYPE") {
        family = match[2];
        type = match[3];
        EXPECT_TRUE(families.emplace(family, std::vector<Sample>()).second) << "twice: " << line;
        EXPECT_TRUE((std::set<std::string>{"gauge", "counter", "info"}.count(type))) << line;
      }
      EXPECT_EQ(match[2], family) << line;
      if (match[1] == "UNIT") {
        EXPECT_TRUE(family.ends_with("_" + match[3].str())) << line;
      }
    } else if (std::regex_match(line, match, kSample)) {
      const std::string suffix = type == "counter" ? "_total" : type == "info" ? "_info" : "";
      EXPECT_EQ(match[1], family + suffix) << line;
      Sample sample;
      sample.value = std::stod(match[3]);
      const std::string labels = match[2];
      for (std::sregex_iterator at(labels.begin(), labels.end(), kLabel), end; at != end; ++at) {
        sample.labels[(*at)[1]] = (*at)[2];
      }
      families[family].push_back(sample);
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  EXPECT_TRUE(ended);
  EXPECT_TRUE(text.ends_with("# EOF\n"));
  return families;
}

// The bytes that a label stands for: the format's escapes, and then \\ and \xHH.
std::string Unescape(const std::string& label) {
  std::string text;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const bool escape = label[i] == '\\';
    i += escape ? 1 : 0;
    text += escape && label[i] == 'n' ? '\n' : label[i];
  }
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (text.at(i + 1) == 'x') {
      bytes += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      EXPECT_EQ(text.at(i + 1), '\\') << label;
      bytes += text[++i];
    }
  }
  return bytes;
}

class OpenMetricsTest : public CliFixture {
 protected:
  // Puts a key into each namespace, and expects a label for each from which its name can be read.
  void ExpectLabels(const std::set<std::string>& names) {
    for (const std::string& name : names) {
      ASSERT_TRUE(MustOpen(store_, name).Put("k", "v").ok());
    }
    auto families = Parse(Done({"stat", store_, "--format", "openmetrics"}));
    std::set<std::string> labels;
    std::set<std::string> read;
    for (Sample& sample : families["commy_namespace_keys"]) {
      const std::string& label = sample.labels["namespace"];
      EXPECT_TRUE(tools::IsUtf8(label)) << label;
      EXPECT_TRUE(labels.insert(label).second) << "twice: " << label;
      read.insert(Unescape(label));
    }
    EXPECT_EQ(read, names);
  }
};

TEST_F(OpenMetricsTest, MetricsAgreeWithTheOtherCommands) {
  Done({"load", store_, "acme/a"}, {.input = "1\tx\n2\ty\n3\tz\n"});
  Done({"put", store_, "b", "k", "v"});
  const Namespace held = MustOpen(store_, "b");
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(held.Put("k", "w").ok());
  }
  auto families = Parse(Done({"stat", store_, "--format", "openmetrics"}));
  EXPECT_EQ(families["commy_keys"].at(0).value, 4);
  EXPECT_EQ(families["commy_namespaces"].at(0).value, 2);
  EXPECT_GE(families["commy_commits"].at(0).value, 11);
  EXPECT_GT(families["commy_file_bytes"].at(0).value, 0);
  EXPECT_EQ(families["commy_store"].at(0).labels["path"], store_);
  std::map<std::string, double> keys;
  for (Sample& sample : families["commy_namespace_keys"]) {
    keys[sample.labels["namespace"]] = sample.value;
  }
  EXPECT_EQ(keys, (std::map<std::string, double>{{"acme/a", 3}, {"b", 1}}));
  double bytes = 0;
  for (const Sample& sample : families["commy_namespace_bytes"]) {
    EXPECT_GT(sample.value, 0);
    bytes += sample.value;
  }
  EXPECT_EQ(families["commy_key_bytes"].at(0).value, bytes);
  double operations = 0;
  for (Sample& sample : families["commy_participant_operations"]) {
    if (sample.labels["name"] == "test") {
      operations += sample.value;
    }
  }
  EXPECT_GE(operations, 7);
  EXPECT_EQ(families["commy_participant_up"].size(), 2U);
}

TEST_F(OpenMetricsTest, LabelsEscapeNamesOfAnyBytes) {
  Done({"put", store_, "a\"b\\c\nd", "k", "v"});
  ASSERT_TRUE(MustOpen(store_, "\xff").Put("k", "v").ok());
  auto families = Parse(Done({"stat", store_, "--format", "openmetrics"}));
  std::set<std::string> names;
  for (Sample& sample : families["commy_namespace_keys"]) {
    names.insert(sample.labels["namespace"]);
  }
  EXPECT_EQ(names, (std::set<std::string>{R"(a\"b\\\\c\nd)", R"(\\xff)"}));
}

TEST_F(OpenMetricsTest, BytesAndTextOfTheirEscapesHaveDifferentLabels) {
  ExpectLabels({"\xff\xfe", R"(\xff\xfe)", R"(\\xff\xfe)", "\\\xff", R"(\\)", R"(\)", R"(\n)", "\n",
                R"(\")", "\"", "\r", std::string(1, '\0')});
}

TEST_F(OpenMetricsTest, LabelsOfRandomNamesCanBeReadBack) {
  std::mt19937_64 random(Seed());
  const std::vector<std::string> pieces = {"\\", "x",  "\\xff",    "\xff", "\n",
                                           "n",  "\"", "\xc3\xa9", "f"};
  std::set<std::string> names;
  for (int i = 0; i < 200; ++i) {
    std::string name;
    do {
      name += random() % 4 != 0 ? pieces[random() % pieces.size()]
                                : std::string(1, static_cast<char>(random()));
    } while (random() % 5 != 0);
    std::replace(name.begin(), name.end(), '/', '.');  // It parts a path.
    names.insert(name);
  }
  ExpectLabels(names);
}

TEST_F(OpenMetricsTest, TheOtherFormatsOfStatAreUnchanged) {
  Done({"put", store_, "a", "k", "v"});
  EXPECT_EQ(Done({"stat", store_, "--format", "json"}).substr(0, 1), "{");
  EXPECT_NE(Done({"stat", store_, "--format", "text"}).find("keys"), std::string::npos);
  EXPECT_EQ(RunCommy({"stat", store_, "--json", "--format", "openmetrics"}).code, 2);
}

}  // namespace
}  // namespace commy::test
