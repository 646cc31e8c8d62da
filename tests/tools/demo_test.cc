// The demo as a whole, with short input: it keeps its promises, and it can fail.
#include <csignal>
#include <fstream>
#include <optional>
#include <string>

#include "nlohmann/json.hpp"

#include "support/wait_for.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

using nlohmann::json;

class DemoTest : public CliFixture {
 protected:
  static constexpr int kItems = 20'000;

  DemoTest() {
    std::ofstream unicode(unicode_);
    std::ofstream words(words_);
    for (int i = 0; i < kItems; ++i) {
      unicode << std::hex << 0x10000 + i << ";CHARACTER NUMBER " << std::dec << i << ";So;0;\n";
      words << "word" << i << "\n";
    }
  }

  std::vector<std::string> Demo(const std::string& length) const {
    return {"demo", store_, "--length", length, "--unicode", unicode_, "--words", words_, "--json"};
  }

  // Waits until the demo's processes are at work, and opens one of its namespaces.
  std::optional<Namespace> OpenWhenAtWork(Program& demo, std::string_view path) const {
    std::optional<Namespace> found;
    const bool at_work = WaitFor([&] {
      Options options;
      options.create_if_missing = false;
      const absl::StatusOr<Store> store = Store::Open(store_, options);
      if (!store.ok()) {
        return demo.Ended();
      }
      const auto counters = store->OpenNamespace("demo/counters", {.create_if_missing = false});
      if (!counters.ok() || !counters->Contains("adds").value_or(false)) {
        return demo.Ended();
      }
      found = *store->OpenNamespace(path);
      return true;
    });
    EXPECT_TRUE(at_work);
    return found;
  }

  const std::string unicode_ = temp_.File("UnicodeData.txt");
  const std::string words_ = temp_.File("words");
};

TEST_F(DemoTest, TheDemoKeepsItsPromisesThroughAKillAndAStop) {
  const ProgramEnd end = RunCommy(Demo("2s"));
  ASSERT_EQ(end.code, 0) << end.out << end.err;
  const json report = json::parse(end.out);
  EXPECT_EQ(report["as_promised"], true);
  EXPECT_EQ(report["keys"], 2 * kItems);
  EXPECT_EQ(report["wrong"], 0);
  EXPECT_GT(report["counter"], 0);
  EXPECT_EQ(report["counter"], report["acknowledged_adds"]);
  EXPECT_EQ(report["blocks_leaked"], 0);
  EXPECT_GT(report["kill"]["position"], 0);
  EXPECT_GT(report["kill"]["survivors"]["operations"], 0);
  EXPECT_GT(report["stop"]["survivors"]["operations"], 0);
  for (const json& process : report["processes"]) {
    EXPECT_GT(process["operations"], 0) << process;
  }
  EXPECT_TRUE(Done({"get", store_, "demo/words", "word7"}).starts_with("line 8; round "));
  EXPECT_TRUE(Done({"check", store_}).ends_with("\nsound\n"));

  // Again, in the same store, as text.
  std::vector<std::string> again = Demo("2s");
  again.pop_back();
  const ProgramEnd text = RunCommy(again);
  EXPECT_EQ(text.code, 0) << text.out << text.err;
  EXPECT_NE(text.out.find("\nAll as promised.\n"), std::string::npos) << text.out;
}

TEST_F(DemoTest, TheDemoCountsAnUnknownKeyAsWrong) {
  Program demo(Demo("3s"));
  const std::optional<Namespace> words = OpenWhenAtWork(demo, "demo/words");
  ASSERT_TRUE(words.has_value());
  ASSERT_TRUE(words->Put("not a word of the list", "value").ok());
  const ProgramEnd end = demo.Wait();
  EXPECT_EQ(end.code, 1) << end.err;
  const json report = json::parse(end.out);
  EXPECT_EQ(report["as_promised"], false);
  EXPECT_GT(report["wrong"], 0);
  EXPECT_NE(report["first_wrong"].get<std::string>().find("not a word"), std::string::npos);
}

TEST_F(DemoTest, TheDemoCountsAWrongValueAsWrong) {
  Program demo(Demo("3s"));
  const std::optional<Namespace> unicode = OpenWhenAtWork(demo, "demo/unicode");
  ASSERT_TRUE(unicode.has_value());
  while (!demo.Ended()) {
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(unicode->Put("10" + std::to_string(100 + i % 800), "nonsense").ok());
    }
  }
  const ProgramEnd end = demo.Wait();
  EXPECT_EQ(end.code, 1) << end.err;
  EXPECT_GT(json::parse(end.out)["wrong"], 0);
}

TEST_F(DemoTest, TheErrorForAMissingInputFileNamesThePackage) {
  const std::string none = temp_.File("none");
  Fails(3, {"demo", store_, "--words", none, "--unicode", unicode_}, {none, "wamerican"});
  Fails(3, {"demo", store_, "--unicode", none, "--words", words_}, {none, "unicode-data"});
  Fails(3, {"demo", store_, "--unicode", words_, "--words", words_}, {words_, "unicode-data"});
}

TEST_F(DemoTest, TheDemoRefusesAStoreWithOtherContent) {
  Done({"put", store_, "acme/config", "greeting", "hello"});
  Fails(3, {"demo", store_, "--words", words_, "--unicode", unicode_}, {store_, "acme/config"});
  EXPECT_EQ(Done({"get", store_, "acme/config", "greeting"}), "hello");
}

TEST_F(DemoTest, CtrlCEndsAllProcessesOfTheDemo) {
  Program demo(Demo("60s"));
  ASSERT_TRUE(OpenWhenAtWork(demo, "demo/words").has_value());
  demo.Signal(SIGINT);
  const ProgramEnd end = demo.Wait();
  EXPECT_EQ(end.signal, SIGINT) << end.err;
  EXPECT_NE(end.err.find("interrupted"), std::string::npos) << end.err;
  const json ps = json::parse(Done({"ps", store_, "--json"}));
  EXPECT_EQ(ps.size(), 1U) << ps;
}

}  // namespace
}  // namespace commy::test
