// commy bench: its figures, its namespace, and its end by an error or a signal.
#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "support/seen_dead.h"
#include "support/wait_for.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

using nlohmann::json;

constexpr const char* kPath = "commy-bench";

class CliBenchTest : public CliFixture {
 protected:
  void SetUp() override { Done({"put", store_, "acme/config", "k", "v"}); }

  [[nodiscard]] Store MustOpenStore() const {
    const absl::StatusOr<Store> store = Store::Open(store_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *store;
  }

  // Returns once the benchmark has begun to put its keys.
  static bool AtWork(const Store& store, std::uint64_t keys) {
    return WaitFor([&] {
      const absl::StatusOr<std::vector<NamespaceInfo>> found = store.ListNamespaces(kPath);
      return found.ok() && !found->empty() && found->front().keys >= keys;
    });
  }

  void ExpectNothingLeft() const {
    EXPECT_EQ(Done({"ns", "list", store_, "--paths"}), "acme/config\n");
    Done({"check", store_});
  }

  const std::vector<std::string> small_ = {"bench", store_, "--keys", "2000", "--seconds", "0.01"};
  const std::vector<std::string> endless_ = {"bench", store_, "--keys", "2000", "--seconds", "600"};
};

TEST_F(CliBenchTest, BenchAsJsonHasEveryRowAndLeavesNoNamespace) {
  std::vector<std::string> words = small_;
  words.insert(words.end(), {"--processes", "2", "--value-bytes", "33", "--json"});
  const json report = json::parse(Done(words));
  EXPECT_EQ(report["path"], store_);
  EXPECT_EQ(report["namespace"], kPath);
  EXPECT_EQ(report["order"], "hash");
  EXPECT_EQ(report["keys"], 2000);
  EXPECT_EQ(report["value_bytes"], 33);
  EXPECT_EQ(report["processes"], 2);
  EXPECT_EQ(report["rounds"], 3);
  const std::array<const char*, 6> names = {"put new",  "overwrite", "get hit",
                                            "get miss", "add",       "delete"};
  ASSERT_EQ(report["rows"].size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const json& row = report["rows"][i];
    EXPECT_EQ(row["row"], names[i]);
    EXPECT_GT(row["per_second_least"].get<double>(), 0);
    EXPECT_LE(row["per_second_least"], row["per_second"]);
    EXPECT_LE(row["per_second"], row["per_second_most"]);
    EXPECT_GT(row["samples"].get<std::uint64_t>(), 0U);
    EXPECT_GT(row["p50_ns"].get<std::uint64_t>(), 0U);
    EXPECT_TRUE(row.contains("p99_ns") && row.contains("p999_ns"));
  }
  // All keys are put and deleted in each round, by both processes together.
  EXPECT_EQ(report["rows"][0]["operations"], 6000);
  EXPECT_EQ(report["rows"][5]["operations"], 6000);
  EXPECT_EQ(report["verified"], report["rows"][2]["operations"]);
  ExpectNothingLeft();
}

TEST_F(CliBenchTest, BenchMeasuresAnOrderedNamespaceIfAsked) {
  std::vector<std::string> words = small_;
  words.insert(words.end(), {"--ordered", "--json"});
  const json report = json::parse(Done(words));
  EXPECT_EQ(report["order"], "ordered");
  EXPECT_EQ(report["rows"].size(), 6U);
  for (const json& row : report["rows"]) {
    EXPECT_GT(row["per_second_least"].get<double>(), 0) << row["row"];
  }
  ExpectNothingLeft();

  const Store store = MustOpenStore();
  words = endless_;
  words.emplace_back("--ordered");
  Program bench(words);
  ASSERT_TRUE(AtWork(store, 2000));
  EXPECT_EQ(store.OpenNamespace(kPath, {.create_if_missing = false})->order(), Order::kOrdered);
  bench.Signal(SIGINT);
  EXPECT_EQ(bench.Wait().signal, SIGINT);
  ExpectNothingLeft();
}

TEST_F(CliBenchTest, BenchAsATableNamesItsNamespaceFirst) {
  const std::string text = Done(small_);
  EXPECT_TRUE(text.starts_with(store_ + ": namespace commy-bench, 2,000 keys")) << text;
  EXPECT_NE(text.find("\nget hit"), std::string::npos) << text;
  EXPECT_NE(text.find("all were right"), std::string::npos) << text;
}

TEST_F(CliBenchTest, AWrongValueEndsBenchWithAnError) {
  const Store store = MustOpenStore();
  std::vector<std::string> words = small_;
  words.back() = "0.3";
  Program wronged(words);
  ASSERT_TRUE(AtWork(store, 2000));
  const absl::StatusOr<Namespace> ns = store.OpenNamespace(kPath, {.create_if_missing = false});
  ASSERT_TRUE(ns.ok());
  while (!wronged.Ended()) {
    for (auto scan = ns->Scan({.limit = 100}); const Entry& entry : scan) {
      if (entry.key().size() == 16) {
        (void)ns->Put(entry.key(), std::string(100, 'x'));
      }
    }
  }
  ExpectLine(wronged.Wait(), 3, {store_, "a value that was read is not what was put"});
  ExpectNothingLeft();
}

TEST_F(CliBenchTest, CtrlCAndSigtermEndBenchAndDropItsNamespace) {
  const Store store = MustOpenStore();
  for (const int signal : {SIGINT, SIGTERM}) {
    Program bench(endless_);
    ASSERT_TRUE(AtWork(store, 2000));
    bench.Signal(signal);
    const ProgramEnd end = bench.Wait();
    EXPECT_EQ(end.signal, signal);
    EXPECT_NE(end.err.find("was dropped"), std::string::npos) << end.err;
    ExpectNothingLeft();
  }
}

TEST_F(CliBenchTest, BenchDropsTheNamespaceOfAKilledBench) {
  const Store store = MustOpenStore();
  Program bench(endless_);
  ASSERT_TRUE(AtWork(store, 2000));
  Fails(3, small_, {store_, kPath, "is in use by a benchmark"});
  bench.Signal(SIGKILL);
  EXPECT_EQ(bench.Wait().signal, SIGKILL);
  ASSERT_TRUE(SeenDead(store, bench.pid()));
  EXPECT_TRUE(AtWork(store, 2000));  // Its namespace still exists.
  EXPECT_EQ(RunCommy(small_).code, 0);
  ExpectNothingLeft();
}

TEST_F(CliBenchTest, BenchRefusesANamespaceThatItDidNotMake) {
  Done({"put", store_, kPath, "mine", "v"});
  Fails(3, small_, {store_, kPath, "keys that no benchmark put"});
  EXPECT_EQ(Done({"get", store_, kPath, "mine"}), "v");
  Done({"put", store_, kPath, kPath, "not its mark"});
  Fails(3, small_, {store_, kPath, "keys that no benchmark put"});
}

TEST_F(CliBenchTest, BenchRefusesToBeginWithoutRoom) {
  const std::string tight = temp_.File("tight.commy");
  Done({"init", tight, "--max-size", "16MiB"});
  Fails(3, {"bench", tight, "--keys", "1000000"}, {tight, "may need", "--keys"});
  EXPECT_EQ(Done({"ns", "list", tight}), "");
}

TEST_F(CliBenchTest, BenchNamesEachOptionThatIsOutOfRange) {
  Fails(2, {"bench", store_, "--keys", "0"}, {"--keys"});
  Fails(2, {"bench", store_, "--value-bytes", "15"}, {"--value-bytes"});
  Fails(2, {"bench", store_, "--processes", "65"}, {"--processes"});
  for (const std::string text :
       {"0", "0.0009", "3601", "-1", "nan", "-nan", "inf", "1e400", "", " ", "1s", "1e"}) {
    Fails(2, {"bench", store_, "--keys", "10", "--seconds", text},
          {"--seconds", "\"" + text + "\"", "from 0.001 to 3600"});
  }
  for (const std::string text : {"0", "-1", "nan", "inf", "1e400", "", " ", "1.5", "4294967297"}) {
    const std::string quoted = "\"" + text + "\"";
    Fails(2, {"bench", store_, "--keys", text}, {"--keys", quoted, "from 1 to 4294967296"});
    Fails(2, {"bench", store_, "--processes", text}, {"--processes", quoted, "from 1 to 64"});
    Fails(2, {"bench", store_, "--value-bytes", text},
          {"--value-bytes", quoted, "from 16 to 1073741824"});
  }
  Fails(2, {"demo", temp_.File("demo"), "--length", "inf"}, {"--length", "\"inf\"", "at most 24h"});
  Fails(3, {"bench", temp_.File("none.commy")}, {"none.commy"});
}

}  // namespace
}  // namespace commy::test
