// Vectors, deques and strings on the command line: what push, pop, len, get, put, del, scan, dump
// and load show and take. What programs and the shell write is the same.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

#include "nlohmann/json.hpp"

#include "commy/internal/sequence.h"
#include "tools/cli_fixture.h"

namespace commy::test {

struct Limits {
  std::uint32_t cpu = 0;
  double share = 0;
};
COMMY_STRUCT(Limits, "acme.Limits", cpu, share);

// Of one size, but not an image of memory.
struct Visit {
  absl::Time at;
  std::uint16_t page = 0;
};
COMMY_STRUCT(Visit, "acme.Visit", at, page);

namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

class CliSequencesTest : public CliFixture {
 protected:
  template <typename Container>
  Container Make(std::string_view path, const SharedOptions& options = {}) const {
    const absl::StatusOr<Store> store = Store::Open(store_);
    EXPECT_TRUE(store.ok()) << store.status();
    absl::StatusOr<Container> made = store->OpenShared<Container>(path, options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  void Create(const std::string& path, const std::string& type, Texts more = {}) const {
    Texts arguments = {"ns", "create", store_, path, "--type", type};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Done(arguments);
  }
  std::string File(const std::string& name, const std::string& content) const {
    std::ofstream(temp_.File(name), std::ios::binary) << content;
    return temp_.File(name);
  }
  void WriteLeader() const {
    const absl::StatusOr<Store> store = Store::Open(store_);
    ASSERT_TRUE(store.ok()) << store.status();
    const absl::StatusOr<Namespace> ns = store->OpenNamespace("boss", {.type = "leader"});
    ASSERT_TRUE(ns.ok()) << ns.status();
    ASSERT_TRUE(ns->Put("k", "v").ok());
  }
};

// --- The same elements as of programs -----------------------------------------------------------

TEST_F(CliSequencesTest, AProgramReadsTheNumbersThatTheShellPushed) {
  const auto samples = Make<SharedVec<double>>("samples");
  ASSERT_TRUE(samples.PushBack(0.5).ok());
  Done({"push", store_, "samples", "1.5", "1e3"});
  Done({"push", store_, "samples", "--front", "-2", "-1"});
  EXPECT_EQ(*samples.ToVector(), (std::vector<double>{-2, -1, 0.5, 1.5, 1000}));
  ASSERT_TRUE(samples.PushBack(7).ok());
  EXPECT_EQ(Done({"scan", store_, "samples"}), "0\t-2\n1\t-1\n2\t0.5\n3\t1.5\n4\t1000\n5\t7\n");
  EXPECT_EQ(Done({"len", store_, "samples"}), "6\n");
}

TEST_F(CliSequencesTest, AProgramReadsTheStringsThatTheShellPushed) {
  const auto names = Make<SharedVec<std::string>>("names");
  ASSERT_TRUE(names.PushBack("ann").ok());
  Done({"push", store_, "names", "", "bob\tjr", "it's"});
  EXPECT_EQ(*names.ToVector(), (Texts{"ann", "", "bob\tjr", "it's"}));
  ASSERT_TRUE(names.PushBack("zoe").ok());
  EXPECT_EQ(Done({"get", store_, "names", "2"}), "bob\tjr");
  EXPECT_EQ(Done({"get", store_, "names", "4"}), "zoe");
}

TEST_F(CliSequencesTest, AProgramReadsTheStructsThatTheShellPushed) {
  const auto limits = Make<SharedVec<Limits>>("limits");
  Done({"push", store_, "limits", R"({"cpu":4,"share":0.5})", R"({"share":1,"cpu":8})"});
  ASSERT_EQ(*limits.Size(), 2U);
  EXPECT_EQ(limits.At(1)->cpu, 8U);
  EXPECT_EQ(limits.At(0)->share, 0.5);
  ASSERT_TRUE(limits.PushBack({.cpu = 1, .share = 2}).ok());
  EXPECT_EQ(Done({"get", store_, "limits", "2"}), R"({"cpu":1,"share":2.0})");
}

TEST_F(CliSequencesTest, ElementsOfEachShapeLieAsInPrograms) {
  const auto visits = Make<SharedVec<Visit>>("visits");
  Done({"push", store_, "visits", R"({"at":"2026-01-02T03:04:05Z","page":7})"});
  ASSERT_TRUE(visits.PushBack({absl::UnixEpoch(), 9}).ok());
  EXPECT_EQ(visits.At(0)->page, 7);
  EXPECT_EQ(absl::ToUnixSeconds(visits.At(0)->at), 1767323045);
  EXPECT_EQ(Done({"get", store_, "visits", "1"}), R"({"at":"1970-01-01T00:00:00Z","page":9})");
  const auto pairs = Make<SharedDeque<std::tuple<std::int64_t, std::string>>>("pairs");
  Done({"push", store_, "pairs", R"([-3,"x"])", "[4,\"\"]"});
  EXPECT_EQ(*pairs.PopFront(), std::make_tuple(std::int64_t{-3}, std::string("x")));
  EXPECT_EQ(*pairs.PopFront(), std::make_tuple(std::int64_t{4}, std::string()));
  const auto flags = Make<SharedVec<bool>>("flags");
  Done({"push", store_, "flags", "true", "false"});
  EXPECT_TRUE(*flags.At(0));
  EXPECT_FALSE(*flags.At(1));
}

TEST_F(CliSequencesTest, ManyElementsKeepTheirOrder) {
  const auto numbers = Make<SharedVec<std::int64_t>>("numbers");
  const auto names = Make<SharedVec<std::string>>("names");
  std::vector<std::int64_t> wanted;
  Texts wanted_names;
  for (std::int64_t i = 0; i < 5000; ++i) {
    wanted.push_back(i);
    wanted_names.push_back("name " + std::to_string(i));
  }
  ASSERT_TRUE(numbers.Append(wanted).ok());
  ASSERT_TRUE(names.Append(wanted_names).ok());
  std::string up;
  std::string down;
  for (int i = 0; i < 5000; ++i) {
    up += std::to_string(i) + "\t" + std::to_string(i) + "\n";
    const std::string back = std::to_string(4999 - i);
    down.append(back).append("\tname ").append(back).append("\n");
  }
  EXPECT_EQ(Done({"scan", store_, "numbers"}), up);
  EXPECT_EQ(Done({"scan", store_, "names", "--reverse"}), down);
  Done({"push", store_, "numbers", "5000"});
  wanted.push_back(5000);
  EXPECT_EQ(*numbers.ToVector(), wanted);
}

// --- Vectors ------------------------------------------------------------------------------------

TEST_F(CliSequencesTest, AnIndexNamesAnElementOfAVector) {
  Create("v", "vec<i32>");
  Done({"push", store_, "v", "1", "2", "3"});
  EXPECT_EQ(Done({"get", store_, "v", "1"}), "2");
  EXPECT_EQ(json::parse(Done({"get", store_, "v", "2", "--json"})),
            json::parse(R"({"index":2,"value":3})"));
  Done({"put", store_, "v", "1", "-20"});
  Done({"put", store_, "v", "2", "-"}, {.input = "30\n"});
  EXPECT_EQ(Done({"scan", store_, "v"}), "0\t1\n1\t-20\n2\t30\n");
  Done({"del", store_, "v", "0"});
  EXPECT_EQ(Done({"del", store_, "v", "1", "--json"}), "{\n  \"deleted\": true\n}\n");
  EXPECT_EQ(Done({"scan", store_, "v"}), "0\t-20\n");
}

TEST_F(CliSequencesTest, AWrongIndexIsNamedAndChangesNothing) {
  Create("v", "vec<i32>");
  Done({"push", store_, "v", "1", "2", "3"});
  Fails(1, {"get", store_, "v", "3"}, {store_, "\"v\"", "no element 3", "has 3"});
  Fails(1, {"del", store_, "v", "7"}, {store_, "\"v\"", "no element 7"});
  Fails(3, {"put", store_, "v", "3", "9"}, {store_, "\"v\"", "index 3", "commy push"});
  Fails(3, {"get", store_, "v", "x"}, {"\"v\"", "index", "\"x\""});
  Fails(3, {"put", store_, "v", "--", "-1", "9"}, {"\"v\"", "index", "-1"});
  Fails(2, {"get", store_, "v"}, {"KEY is required"});
  Fails(2, {"put", store_, "v", "1"}, {"VALUE is required"});
  Fails(2, {"del", store_, "v"}, {"KEY is required"});
  EXPECT_EQ(Done({"scan", store_, "v"}), "0\t1\n1\t2\n2\t3\n");
}

TEST_F(CliSequencesTest, AWrongElementIsNamedAndChangesNothing) {
  Create("v", "vec<u8>");
  Done({"push", store_, "v", "1"});
  Fails(3, {"push", store_, "v", "2", "256"},
        {store_, "\"v\"", "value 2 of 2", "the element (u8)", "256"});
  Fails(3, {"push", store_, "v", "x"}, {"\"v\"", "the element (u8)", "\"x\""});
  Fails(2, {"push", store_, "v", "1", "--fron"}, {"--fron", "commy push --help"});
  Fails(2, {"push", store_, "v"}, {"VALUE", "required"});
  Fails(3, {"put", store_, "v", "0", "-1"}, {"\"v\"", "the element (u8)", "-1"});
  EXPECT_EQ(Done({"scan", store_, "v"}), "0\t1\n");
}

TEST_F(CliSequencesTest, PopTakesFromEitherEndOfAVector) {
  Create("v", "vec<string>");
  Done({"push", store_, "v", "a", "b\n", "c", "d", "e"});
  EXPECT_EQ(Done({"pop", store_, "v"}), "a");
  EXPECT_EQ(Done({"pop", store_, "v", "--back"}), "e");
  EXPECT_EQ(Done({"pop", store_, "v", "--back", "-n", "2"}), "d\nc\n");
  EXPECT_EQ(Done({"pop", store_, "v", "-n", "5"}), "b\\n\n");
  Fails(1, {"pop", store_, "v"}, {store_, "vec \"v\" is empty"});
  Fails(1, {"pop", store_, "v", "-n", "5"}, {"is empty"});
  Fails(2, {"pop", store_, "v", "-n", "0"}, {"-n"});
}

TEST_F(CliSequencesTest, ScanTakesARangeOfIndexes) {
  Create("v", "vec<i32>");
  Done({"push", store_, "v", "10", "11", "12", "13", "14"});
  EXPECT_EQ(Done({"scan", store_, "v", "--from", "1", "--to", "3"}), "1\t11\n2\t12\n");
  EXPECT_EQ(Done({"scan", store_, "v", "--from", "3", "--limit", "1"}), "3\t13\n");
  EXPECT_EQ(Done({"scan", store_, "v", "--reverse", "--limit", "2"}), "4\t14\n3\t13\n");
  EXPECT_EQ(Done({"scan", store_, "v", "--reverse", "--to", "2"}), "1\t11\n0\t10\n");
  EXPECT_EQ(Done({"scan", store_, "v", "--from", "9"}), "");
  EXPECT_EQ(Done({"scan", store_, "v", "--keys", "--limit", "2"}), "0\n1\n");
  EXPECT_EQ(Done({"scan", store_, "v", "--json", "--limit", "1"}), "{\"index\":0,\"value\":10}\n");
  Fails(3, {"scan", store_, "v", "--prefix", "1"}, {"\"v\"", "--prefix"});
  Fails(3, {"scan", store_, "v", "--from", "b"}, {"\"v\"", "index", "\"b\""});
}

// --- Deques -------------------------------------------------------------------------------------

TEST_F(CliSequencesTest, ADequeIsAQueueOfTheShell) {
  const auto jobs = Make<SharedDeque<std::string>>("jobs");
  Done({"push", store_, "jobs", "one", "two"});
  Done({"push", store_, "jobs", "--front", "zero"});
  EXPECT_EQ(*jobs.PopFront(), "zero");
  ASSERT_TRUE(jobs.PushBack("three").ok());
  EXPECT_EQ(Done({"get", store_, "jobs", "0"}), "one");
  EXPECT_EQ(Done({"pop", store_, "jobs"}), "one");
  EXPECT_EQ(Done({"pop", store_, "jobs", "-n", "9", "--json"}),
            "{\"value\":\"two\"}\n{\"value\":\"three\"}\n");
  Fails(1, {"pop", store_, "jobs"}, {store_, "deque \"jobs\" is empty"});
  Fails(1, {"pop", store_, "jobs", "--timeout", "30ms"}, {"\"jobs\"", "empty all the time"});
  Fails(3, {"put", store_, "jobs", "0", "x"}, {"\"jobs\"", "a deque", "commy push"});
  Fails(3, {"del", store_, "jobs", "0"}, {"\"jobs\"", "a deque", "commy pop"});
}

TEST_F(CliSequencesTest, AFullDequeIsSaidToBeFull) {
  Create("jobs", "deque<i64>", {"--capacity", "2"});
  Fails(3, {"push", store_, "jobs", "1", "2", "3"}, {"\"jobs\"", "capacity of 2", "3 elements"});
  Done({"push", store_, "jobs", "1", "2"});
  Fails(3, {"push", store_, "jobs", "3"}, {store_, "\"jobs\"", "is full", "capacity of 2"});
  Fails(1, {"push", store_, "jobs", "3", "--timeout", "30ms"}, {"\"jobs\"", "all the time"});
  EXPECT_EQ(Done({"len", store_, "jobs"}), "2\n");
  Done({"ns", "set", store_, "jobs", "--capacity", "inf"});
  Done({"push", store_, "jobs", "3"});
}

TEST_F(CliSequencesTest, PopWaitsForAnElementAndPushForRoom) {
  const auto jobs = Make<SharedDeque<std::string>>("jobs", {.capacity = 1});
  Program waiting({"pop", store_, "jobs", "--timeout", "20s"});
  ASSERT_TRUE(jobs.PushBack("late").ok());
  EXPECT_EQ(waiting.Wait().out, "late");
  ASSERT_TRUE(jobs.PushBack("first").ok());
  Program pushing({"push", store_, "jobs", "second", "--timeout", "20s"});
  EXPECT_EQ(*jobs.PopFront(), "first");
  EXPECT_EQ(pushing.Wait().code, 0);
  EXPECT_EQ(*jobs.PopFront(), "second");
}

TEST_F(CliSequencesTest, WhatCannotBePrintedIsNotTaken) {
  const auto jobs = Make<SharedDeque<std::string>>("jobs");
  ASSERT_TRUE(jobs.Append(Texts{"a", "b", "c"}).ok());
  const ProgramEnd end = RunCommy({"pop", store_, "jobs", "-n", "2"}, {.out_path = "/dev/full"});
  EXPECT_EQ(end.code, 3);
  EXPECT_EQ(*jobs.ToVector(), (Texts{"a", "b", "c"}));
  EXPECT_EQ(RunCommy({"pop", store_, "jobs", "--back", "-n", "2"}, {.out_path = "/dev/full"}).code,
            3);
  EXPECT_EQ(*jobs.ToVector(), (Texts{"a", "b", "c"}));
}

TEST_F(CliSequencesTest, TheLimitsOfADequeAreSetAndShown) {
  Create("jobs", "deque<string>",
         {"--capacity", "100", "--max-deliveries", "3", "--dead-letters", "failed"});
  const auto jobs = Make<SharedDeque<std::string>>("jobs");
  EXPECT_EQ(jobs.Info()->limits.capacity, 100U);
  EXPECT_EQ(jobs.Info()->limits.max_deliveries, 3U);
  EXPECT_EQ(jobs.Info()->limits.dead_letters, "failed");
  Done({"ns", "set", store_, "jobs", "--max-deliveries", "5"});
  EXPECT_EQ(jobs.Info()->limits.capacity, 100U);
  EXPECT_EQ(jobs.Info()->limits.max_deliveries, 5U);
  const json shown = json::parse(Done({"queue", store_, "jobs", "--json"}));
  EXPECT_EQ(shown["capacity"], 100);
  EXPECT_EQ(shown["max_deliveries"], 5);
  EXPECT_EQ(shown["dead_letters"], "failed");
  EXPECT_EQ(shown["dead_letters_size"], 0);
}

TEST_F(CliSequencesTest, WrongLimitsMakeNoNamespace) {
  Create("names", "vec<string>");
  Fails(3, {"ns", "create", store_, "q", "--type", "deque<i64>", "--max-deliveries", "3"},
        {"\"q\"", "--dead-letters"});
  Fails(3, {"ns", "create", store_, "q", "--type", "deque<i64>", "--dead-letters", "q"},
        {"\"q\"", "its own"});
  Fails(3, {"ns", "create", store_, "q", "--type", "deque<i64>", "--dead-letters", "names"},
        {"names", "vec<string>"});
  Fails(3, {"ns", "create", store_, "q", "--type", "vec<i64>", "--capacity", "3"},
        {"\"q\"", "vec<i64>", "deques"});
  Fails(3, {"ns", "create", store_, "q", "--type", "deque<i64>", "--ttl", "1h"},
        {"\"q\"", "--ttl"});
  Fails(3, {"ns", "create", store_, "q", "--type", "string", "--ordered"}, {"--ordered"});
  Fails(2, {"ns", "create", store_, "q", "--type", "deque<i64>", "--capacity", "0"}, {"capacity"});
  Fails(3, {"ns", "set", store_, "names", "--capacity", "3"}, {"\"names\"", "deques"});
  Fails(3, {"ns", "set", store_, "names", "--ttl", "3s"}, {"\"names\"", "--ttl"});
  EXPECT_EQ(Done({"ns", "list", store_, "--paths"}), "names\n");
}

TEST_F(CliSequencesTest, QueueShowsWhoHoldsWhat) {
  const auto jobs = Make<SharedDeque<std::string>>("jobs");
  ASSERT_TRUE(jobs.Append(Texts{"a", "b", "c"}).ok());
  absl::StatusOr<Leased<std::string>> again = jobs.LeaseFront();
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE(again->Return().ok());
  again = jobs.LeaseFront();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->value(), "a");
  absl::StatusOr<Leased<std::string>> second = jobs.LeaseFront();
  ASSERT_TRUE(second.ok() && second->Return().ok());
  const json shown = json::parse(Done({"queue", store_, "jobs", "--json"}));
  EXPECT_EQ(shown["size"], 2);
  EXPECT_EQ(shown["returned"], 1);
  EXPECT_FALSE(shown.contains("capacity"));
  ASSERT_EQ(shown["leases"].size(), 1U);
  EXPECT_EQ(shown["leases"][0]["pid"], getpid());
  EXPECT_EQ(shown["leases"][0]["deliveries"], 2);
  EXPECT_EQ(shown["leases"][0]["state"], "live");
  EXPECT_EQ(shown["leases"][0]["gone"], false);
  const std::string text = Done({"queue", store_, "jobs"});
  for (const std::string& word :
       Texts{"2, 1 of them returned", "capacity        inf", "dead letters    none", "DELIVERIES",
             "live", std::to_string(getpid())}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << " is missing in\n" << text;
  }
  EXPECT_EQ(Done({"scan", store_, "jobs"}), "0\tb\n1\tc\n");
  Create("v", "vec<i64>");
  Fails(3, {"queue", store_, "v"}, {"\"v\"", "vec<i64>", "no deque"});
}

TEST_F(CliSequencesTest, QueueShowsAHolderThatIsGone) {
  {
    const auto jobs = Make<SharedDeque<std::string>>("jobs");
    ASSERT_TRUE(jobs.PushBack("a").ok());
  }
  EXPECT_EXIT(
      {
        const auto jobs = Make<SharedDeque<std::string>>("jobs");
        absl::StatusOr<Leased<std::string>> lease = jobs.LeaseFront();
        _exit(lease.ok() ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
  const json shown = json::parse(Done({"queue", store_, "jobs", "--json"}));
  ASSERT_EQ(shown["leases"].size(), 1U);
  EXPECT_EQ(shown["leases"][0]["gone"], true);
  EXPECT_EQ(shown["leases"][0]["state"], "gone");
  EXPECT_EQ(Done({"pop", store_, "jobs"}), "a");
  EXPECT_TRUE(json::parse(Done({"queue", store_, "jobs", "--json"}))["leases"].empty());
}

// --- Strings ------------------------------------------------------------------------------------

TEST_F(CliSequencesTest, AStringIsItsText) {
  Create("log", "string");
  EXPECT_EQ(Done({"get", store_, "log"}), "");
  Done({"put", store_, "log", "grün\n"});
  Done({"push", store_, "log", "two ", "three"});
  Done({"push", store_, "log", "--front", "one "});
  EXPECT_EQ(Done({"get", store_, "log"}), "one grün\ntwo three");
  EXPECT_EQ(Done({"len", store_, "log"}), "19 bytes, 18 characters\n");
  EXPECT_EQ(json::parse(Done({"len", store_, "log", "--json"})),
            json({{"bytes", 19}, {"characters", 18}}));
  EXPECT_EQ(Done({"get", store_, "log", "--json"}), "{\"value\":\"one grün\\ntwo three\"}\n");
  EXPECT_EQ(Done({"scan", store_, "log"}), "one grün\\ntwo three\n");
  Done({"put", store_, "log", "-"}, {.input = "new\n"});
  EXPECT_EQ(Done({"get", store_, "log"}), "new\n");
  Done({"put", store_, "log", ""});
  EXPECT_EQ(Done({"len", store_, "log"}), "0 bytes, 0 characters\n");
}

TEST_F(CliSequencesTest, AStringRefusesWhatIsNotText) {
  Create("log", "string");
  Done({"put", store_, "log", "x"});
  Fails(3, {"put", store_, "log", "ab\xff"}, {store_, "\"log\"", "the text", "UTF-8", "byte 2"});
  Fails(3, {"push", store_, "log", "ok", "\xe2\x82"}, {"\"log\"", "value 2 of 2", "UTF-8"});
  Fails(3, {"get", store_, "log", "0"}, {"\"log\"", "no indexes"});
  Fails(3, {"put", store_, "log", "0", "y"}, {"\"log\"", "no indexes"});
  Fails(3, {"del", store_, "log"}, {"\"log\"", "commy put"});
  Fails(3, {"pop", store_, "log"}, {"\"log\"", "string"});
  Fails(3, {"scan", store_, "log", "--from", "1"}, {"\"log\"", "--from"});
  Fails(3, {"push", store_, "log", "y", "--timeout", "1s"}, {"\"log\"", "--timeout"});
  EXPECT_EQ(Done({"get", store_, "log"}), "x");
}

// --- Dump and load ------------------------------------------------------------------------------

TEST_F(CliSequencesTest, JsonlMakesAnEqualContainer) {
  const auto limits = Make<SharedVec<Limits>>("limits");
  ASSERT_TRUE(limits.Append(std::vector<Limits>{{1, 0.5}, {2, 1.5}}).ok());
  Create("log", "string");
  Done({"put", store_, "log", "a\tb\xe2\x82\xac"});
  const std::string dump = Done({"dump", store_, "limits", "-", "--format", "jsonl"});
  EXPECT_EQ(dump, R"({"namespace":"limits","order":"hash",)"
                  R"("type":"vec<struct acme.Limits{cpu:u32,share:f64}>"}
{"value":{"cpu":1,"share":0.5}}
{"value":{"cpu":2,"share":1.5}}
{"end_of_dump":true}
)");
  const std::string copy = temp_.File("copy.commy");
  Done({"load", copy, "limits", "-", "--format", "jsonl"}, {.input = dump});
  EXPECT_EQ(Done({"dump", copy, "limits", "-", "--format", "jsonl"}), dump);
  Done({"load", copy, "limits", "-", "--format", "jsonl"}, {.input = dump});
  EXPECT_EQ(Done({"dump", copy, "limits", "-", "--format", "jsonl"}), dump);
  const std::string log = Done({"dump", store_, "log", "-", "--format", "jsonl"});
  Done({"load", copy, "log", "-", "--format", "jsonl"}, {.input = log});
  EXPECT_EQ(Done({"get", copy, "log"}), "a\tb\xe2\x82\xac");
}

TEST_F(CliSequencesTest, ALongTextIsDumpedInPiecesOfWholeCharacters) {
  Create("log", "string");
  std::string text = "x";
  while (text.size() < 200'000) {
    text += "\xe2\x82\xac";
  }
  Done({"put", store_, "log", "-"}, {.input = text});
  const std::string dump = Done({"dump", store_, "log", "-", "--format", "jsonl"});
  EXPECT_EQ(std::count(dump.begin(), dump.end(), '\n'), 6);
  EXPECT_EQ(dump.find("base64"), std::string::npos);
  Done({"load", temp_.File("b.commy"), "log", "-", "--format", "jsonl"}, {.input = dump});
  EXPECT_EQ(Done({"get", temp_.File("b.commy"), "log"}), text);
}

TEST_F(CliSequencesTest, ADumpOfADequeKeepsItsLimits) {
  Create("jobs", "deque<string>",
         {"--capacity", "2", "--max-deliveries", "3", "--dead-letters", "failed"});
  const auto jobs = Make<SharedDeque<std::string>>("jobs");
  ASSERT_TRUE(jobs.PushBack("a").ok());
  {
    const absl::StatusOr<Leased<std::string>> lease = jobs.LeaseFront();
    ASSERT_TRUE(lease.ok());
    ASSERT_TRUE(jobs.Append(Texts{"b", "c"}).ok());
    const ProgramEnd end = RunCommy({"dump", store_, "jobs", "-", "--format", "jsonl"});
    EXPECT_EQ(end.code, 0);
    EXPECT_NE(end.err.find("1 elements are leased"), std::string::npos) << end.err;
  }
  const std::string dump = Done({"dump", store_, "jobs", "-", "--format", "jsonl"});
  EXPECT_EQ(dump.substr(0, dump.find('\n')),
            R"({"namespace":"jobs","order":"hash","type":"deque<string>","capacity":2,)"
            R"("max_deliveries":3,"dead_letters":"failed"})");
  const std::string copy = temp_.File("copy.commy");
  Done({"load", copy, "jobs", "-", "--format", "jsonl"}, {.input = dump});
  EXPECT_EQ(Done({"scan", copy, "jobs"}), "0\ta\n1\tb\n2\tc\n");  // One more than the capacity.
  EXPECT_EQ(Done({"dump", copy, "jobs", "-", "--format", "jsonl"}), dump);
  Fails(3, {"load", copy, "jobs", "-", "--append"}, {"full"}, {.input = "d\n"});
}

TEST_F(CliSequencesTest, LoadReplacesTheContentOrAddsToIt) {
  Create("v", "vec<i32>");
  Done({"push", store_, "v", "1"});
  Done({"load", store_, "v", File("a", "0\t5\n1\t6\n")});
  EXPECT_EQ(Done({"scan", store_, "v"}), "0\t5\n1\t6\n");
  Done({"load", store_, "v", "--append"}, {.input = "7\n8\n"});
  EXPECT_EQ(Done({"scan", store_, "v", "--reverse", "--limit", "1"}), "3\t8\n");
  const std::string scan = Done({"scan", store_, "v", "--json"});
  Create("w", "vec<i32>");
  EXPECT_EQ(json::parse(Done({"load", store_, "w", "--format", "jsonl", "--json"},
                             {.input = scan}))["records"],
            4);
  EXPECT_EQ(Done({"scan", store_, "w", "--json"}), scan);
  Done({"ns", "create", store_, "plain"});
  Fails(3, {"load", store_, "plain", "--append"}, {"plain", "--append"}, {.input = "k\tv\n"});
}

TEST_F(CliSequencesTest, AWrongLineLoadsNothing) {
  Create("v", "vec<i32>");
  Done({"push", store_, "v", "1"});
  Fails(3, {"load", store_, "v", "-"}, {"line 2", "the element (i32)", "0 records were loaded"},
        {.input = "5\nsix\n"});
  Fails(3, {"load", store_, "v", "-"}, {"line 1", "tab"}, {.input = "a\t6\n"});
  Fails(3, {"load", store_, "v", "-", "--format", "jsonl"}, {"line 1", "\"key\""},
        {.input = "{\"key\":1,\"value\":2}\n"});
  Fails(3, {"load", store_, "v", "-", "--format", "jsonl"}, {"line 1", "needs \"value\""},
        {.input = "{\"index\":1}\n"});
  Fails(3, {"load", store_, "v", "-", "--format", "jsonl"}, {"capacity"},
        {.input = R"({"namespace_type":"vec<i32>","capacity":0})"});
  Create("log", "string");
  Fails(3, {"load", store_, "log", "-", "--format", "jsonl"}, {"line 1", "UTF-8"},
        {.input = "{\"value\":{\"base64\":\"/w==\"}}\n"});
  EXPECT_EQ(Done({"scan", store_, "v"}), "0\t1\n");
}

TEST_F(CliSequencesTest, ADumpOfAllKeepsVectorsDequesAndStrings) {
  const auto numbers = Make<SharedVec<std::int64_t>>("numbers");
  std::vector<std::int64_t> many(20'000, 3);
  ASSERT_TRUE(numbers.Append(many).ok());
  Create("jobs", "deque<string>", {"--capacity", "9"});
  Done({"push", store_, "jobs", "a"});
  Create("log", "string");
  Done({"put", store_, "log", "text"});
  const ProgramEnd dumped = RunCommy({"dump", "--all", store_});  // Warns of keys for LMDB.
  EXPECT_EQ(dumped.code, 0) << dumped.err;
  const std::string& dump = dumped.out;
  const std::string copy = temp_.File("copy.commy");
  Done({"load", "--all", copy, "--format", "dump"}, {.input = dump});
  EXPECT_EQ(Done({"scan", copy, "numbers"}), Done({"scan", store_, "numbers"}));
  EXPECT_EQ(json::parse(Done({"queue", copy, "jobs", "--json"}))["capacity"], 9);
  EXPECT_EQ(Done({"pop", copy, "jobs"}), "a");
  EXPECT_EQ(Done({"get", copy, "log"}), "text");
  Fails(3, {"load", "--all", copy, "--format", "dump"}, {"there already", "drop"}, {.input = dump});
  EXPECT_EQ(Done({"len", copy, "numbers"}), "20000\n");
  Fails(3, {"dump", store_, "log", "--prefix", "x"}, {"\"log\"", "--prefix"});
}

TEST_F(CliSequencesTest, TheListOfNamespacesCountsElementsAndBytes) {
  const auto numbers = Make<SharedVec<std::int64_t>>("numbers");
  ASSERT_TRUE(numbers.Append(std::vector<std::int64_t>(20'000, 3)).ok());
  Create("jobs", "deque<string>");
  Done({"push", store_, "jobs", "a", "b"});
  Create("log", "string");
  Done({"put", store_, "log", "\xe2\x82\xac"});
  MustOpen(store_, "plain").Put("k", "v").IgnoreError();
  const json list = json::parse(Done({"ns", "list", store_, "--json"}));
  EXPECT_EQ(list[0]["elements"], 2);
  EXPECT_EQ(list[1]["text_bytes"], 3);
  EXPECT_EQ(list[1]["keys"], 1);
  EXPECT_EQ(list[2]["elements"], 20'000);
  EXPECT_GT(list[2]["keys"], 1) << "the records that it is made of";
  EXPECT_EQ(list[3].count("elements") + list[3].count("text_bytes"), 0U);
  EXPECT_NE(Done({"ns", "list", store_}).find(" 20,000  "), std::string::npos);
  ASSERT_TRUE(MustOpen(store_, "log").Put("", "no root").ok());
  EXPECT_EQ(json::parse(Done({"ns", "list", store_, "--json"}))[1].count("text_bytes"), 0U);
}

// --- Other namespaces ---------------------------------------------------------------------------

TEST_F(CliSequencesTest, LenCountsTheKeysOfOtherNamespaces) {
  Make<SharedHashSet<std::string>>("set").Insert("k").IgnoreError();
  MustOpen(store_, "plain").Put("k", "v").IgnoreError();
  Make<SharedCounter>("hits");
  EXPECT_EQ(Done({"len", store_, "set"}), "1\n");
  EXPECT_EQ(Done({"len", store_, "plain"}), "1\n");
  EXPECT_EQ(json::parse(Done({"len", store_, "plain", "--json"})), json({{"keys", 1}}));
  Fails(3, {"len", store_, "hits"}, {"\"hits\"", "counter"});
  Fails(1, {"len", store_, "none"}, {"none"});
}

TEST_F(CliSequencesTest, OtherKindsHaveNoElements) {
  Make<SharedHashMap<std::string, std::string>>("map");
  Done({"ns", "create", store_, "plain"});
  Fails(3, {"push", store_, "map", "x"}, {"\"map\"", "map<string,string>", "no elements"});
  Fails(3, {"push", store_, "plain", "x"}, {"\"plain\"", "no type", "no elements"});
  Fails(3, {"pop", store_, "map"}, {"\"map\"", "no elements"});
  Create("v", "vec<i64>");
  Fails(3, {"add", store_, "v", "0", "1"}, {"vec<i64>", "integers"});
  Fails(3, {"put", store_, "v", "0", "1", "--ttl", "1h"}, {"\"v\"", "--ttl"});
  Fails(1, {"push", store_, "none", "x"}, {"none"});
}

TEST_F(CliSequencesTest, RecordsOfAVectorAreShownOnlyAsRawBytes) {
  Create("v", "vec<i64>");
  Done({"push", store_, "v", "1"});
  EXPECT_EQ(Done({"get", store_, "v", "", "--raw-bytes"}).substr(0, 4), "CSQ1");
  EXPECT_NE(Done({"scan", store_, "v", "--raw-bytes"}).find("CSQ1"), std::string::npos);
  Fails(3, {"get", store_, "v", ""}, {"\"v\"", "index"});
  EXPECT_EQ(Done({"get", store_, "v", "0"}), "1");
}

TEST_F(CliSequencesTest, NamespacesOfProgramsAreNotEdited) {
  WriteLeader();
  const auto refuses = [&](const Texts& arguments) {
    Fails(3, arguments, {"\"boss\"", "leader", "only programs", "--raw-bytes"});
  };
  refuses({"get", store_, "boss", "k"});
  refuses({"put", store_, "boss", "k", "w"});
  refuses({"del", store_, "boss", "k"});
  refuses({"add", store_, "boss", "k", "1"});
  refuses({"scan", store_, "boss"});
  refuses({"len", store_, "boss"});
  refuses({"push", store_, "boss", "x"});
  refuses({"pop", store_, "boss"});
  refuses({"queue", store_, "boss"});
  refuses({"dump", store_, "boss", "-", "--format", "tsv"});
  EXPECT_EQ(Done({"get", store_, "boss", "k", "--raw-bytes"}), "v");
  EXPECT_EQ(Done({"scan", store_, "boss", "--raw-bytes"}), "k\tv\n");
  for (const std::string& type :
       Texts{"leader", "semaphore", "latch", "rate_limiter", "computed<string,i64>"}) {
    Fails(3, {"ns", "create", store_, "new", "--type", type}, {"\"new\"", "only programs"});
  }
}

TEST_F(CliSequencesTest, HelpAndDescribeKnowTheCommands) {
  const json described = json::parse(Done({"describe"}));
  Texts names;
  for (const json& command : described["commands"]) {
    names.push_back(command["name"]);
  }
  for (const std::string& name : Texts{"push", "pop", "len", "queue"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
    EXPECT_NE(Done({name, "--help"}).find("Examples:"), std::string::npos);
  }
}

}  // namespace
}  // namespace commy::test
