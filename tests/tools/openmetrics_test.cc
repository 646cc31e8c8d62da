// `commy stat --format openmetrics`, read as strictly as its standard says.
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

struct Sample {
  std::map<std::string, std::string> labels;
  double value = 0;
};

// Fails the test on whatever is not OpenMetrics text. Families by name.
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

class OpenMetricsTest : public CliFixture {};

TEST_F(OpenMetricsTest, SaysOfStoreParticipantsAndNamespacesWhatTheOtherCommandsSay) {
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
  double operations = 0;
  for (Sample& sample : families["commy_participant_operations"]) {
    if (sample.labels["name"] == "test") {
      operations += sample.value;
    }
  }
  EXPECT_GE(operations, 7);
  EXPECT_EQ(families["commy_participant_up"].size(), 2U);
}

TEST_F(OpenMetricsTest, NamesOfAnyBytesAreEscaped) {
  Done({"put", store_, "a\"b\\c\nd", "k", "v"});
  ASSERT_TRUE(MustOpen(store_, "\xff").Put("k", "v").ok());
  auto families = Parse(Done({"stat", store_, "--format", "openmetrics"}));
  std::set<std::string> names;
  for (Sample& sample : families["commy_namespace_keys"]) {
    names.insert(sample.labels["namespace"]);
  }
  EXPECT_EQ(names, (std::set<std::string>{"a\\\"b\\\\c\\nd", "\\\\xff"}));
}

TEST_F(OpenMetricsTest, TheOtherFormatsAreTheOldOnes) {
  Done({"put", store_, "a", "k", "v"});
  EXPECT_EQ(Done({"stat", store_, "--format", "json"}).substr(0, 1), "{");
  EXPECT_NE(Done({"stat", store_, "--format", "text"}).find("keys"), std::string::npos);
  EXPECT_EQ(RunCommy({"stat", store_, "--json", "--format", "openmetrics"}).code, 2);
}

}  // namespace
}  // namespace commy::test
