// Namespaces with a type: what put, get, del, add, scan, load and dump show and take, without the
// program's headers. How text becomes bytes is typed_text_test's.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <tuple>

#include "nlohmann/json.hpp"

#include "tools/cli_fixture.h"

namespace commy::test {

struct Limits {
  std::uint32_t cpu = 0;
  double share = 0;
};
COMMY_STRUCT(Limits, "acme.Limits", cpu, share);

namespace {

using nlohmann::json;

using Scores = SharedBTreeMap<std::tuple<std::int64_t, std::string>, std::string>;
using LimitsOf = SharedHashMap<std::string, Limits>;

class CliTypedTest : public CliFixture {
 protected:
  template <typename Container>
  Container Make(std::string_view path) const {
    const absl::StatusOr<Store> store = Store::Open(store_);
    EXPECT_TRUE(store.ok()) << store.status();
    absl::StatusOr<Container> made = store->OpenShared<Container>(path);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  Scores MakeScores() const {
    Scores scores = Make<Scores>("scores");
    EXPECT_TRUE(scores.Put({30, "bob"}, "silver").ok());
    EXPECT_TRUE(scores.Put({30, "a, b"}, "tin\tfoil").ok());
    EXPECT_TRUE(scores.Put({-2, "eve"}, "").ok());
    EXPECT_TRUE(scores.Put({700, "ann"}, "gold").ok());
    return scores;
  }

  std::string File(const std::string& name, const std::string& content) const {
    std::ofstream(temp_.File(name), std::ios::binary) << content;
    return temp_.File(name);
  }
  static std::string Content(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  static bool Has(const std::string& program) {
    return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
  }
};

// --- One key ------------------------------------------------------------------------------------

TEST_F(CliTypedTest, PutGetAndDelTakeTypedKeys) {
  const Scores scores = MakeScores();
  EXPECT_EQ(Done({"get", store_, "scores", "30,bob"}), "silver");
  EXPECT_EQ(Done({"get", store_, "scores", R"(30,"a, b")"}), "tin\tfoil");
  EXPECT_EQ(json::parse(Done({"get", store_, "scores", "30,bob", "--json"})),
            json::parse(R"({"key":[30,"bob"],"value":"silver"})"));
  Done({"put", store_, "scores", "-5,zoe", "iron"});
  EXPECT_EQ(*scores.Get({-5, "zoe"}), "iron");
  Done({"del", store_, "scores", "-5,zoe"});
  EXPECT_FALSE(*scores.Contains({-5, "zoe"}));
  Fails(1, {"get", store_, "scores", "-5,zoe"}, {store_, "scores", "-5,zoe"});
  Fails(1, {"del", store_, "scores", "-5,zoe"}, {store_, "scores", "-5,zoe"});
}

TEST_F(CliTypedTest, AStructIsJson) {
  const LimitsOf limits = Make<LimitsOf>("limits");
  Done({"put", store_, "limits", "web", R"({"share":0.5,"cpu":4})"});
  EXPECT_EQ(limits.Get("web")->cpu, 4U);
  EXPECT_EQ(limits.Get("web")->share, 0.5);
  EXPECT_EQ(Done({"get", store_, "limits", "web"}), R"({"cpu":4,"share":0.5})");
  Done({"put", store_, "limits", "db", "-"}, {.input = "{\"cpu\":1,\"share\":1}\n"});
  EXPECT_EQ(limits.Get("db")->cpu, 1U);
}

TEST_F(CliTypedTest, AWrongKeyOrValueIsNamedAndChangesNothing) {
  MakeScores();
  Make<LimitsOf>("limits");
  Fails(3, {"get", store_, "scores", "x,bob"},
        {store_, "\"scores\"", "the key", "tuple<i64,string>", "[0]", "x"});
  Fails(3, {"put", store_, "scores", "30", "gold"}, {"\"scores\"", "the key", "[1]", "comma"});
  Fails(3, {"del", store_, "scores", "30,bob,7"}, {"\"scores\"", "more than the 2 parts"});
  Fails(3, {"put", store_, "limits", "web", R"({"cpu":-1,"share":1})"},
        {store_, "\"limits\"", "the value", ".cpu", "-1"});
  Fails(3, {"put", store_, "limits", "web", R"({"cpu":1})"}, {"the value", ".share", "missing"});
  Fails(3, {"put", store_, "limits", "web", "4"}, {"the value", "an object", "the number 4"});
  Fails(1, {"get", store_, "limits", "web"}, {"web"});
}

TEST_F(CliTypedTest, AddChangesAnInteger) {
  const auto small = Make<SharedHashMap<std::string, std::uint8_t>>("small");
  EXPECT_EQ(Done({"add", store_, "small", "k", "200"}), "200\n");
  EXPECT_EQ(*small.Get("k"), 200);
  Fails(3, {"add", store_, "small", "k", "56"}, {store_, "200", "56", "u8"});
  Fails(3, {"add", store_, "small", "new", "-1"}, {"u8"});
  EXPECT_EQ(*small.Get("k"), 200);
  EXPECT_FALSE(*small.Contains("new"));
  EXPECT_EQ(json::parse(Done({"add", store_, "small", "k", "55", "--json"})),
            json({{"value", 255}}));

  const auto wide = Make<SharedHashMap<std::int64_t, std::int64_t>>("wide");
  ASSERT_TRUE(wide.Put(1, INT64_MIN + 1).ok());
  EXPECT_EQ(Done({"add", store_, "wide", "1", "-1"}), "-9223372036854775808\n");
  Fails(3, {"add", store_, "wide", "1", "-1"}, {"-9223372036854775808", "i64"});
  const auto large = Make<SharedHashMap<std::string, std::uint64_t>>("large");
  ASSERT_TRUE(large.Put("k", UINT64_MAX - 1).ok());
  EXPECT_EQ(Done({"add", store_, "large", "k", "1"}), "18446744073709551615\n");
  Fails(3, {"add", store_, "large", "k", "1"}, {"18446744073709551615", "u64"});
}

TEST_F(CliTypedTest, AddToAStringAddsToItsDecimalNumberAndToOtherTypesIsAnError) {
  const auto texts = Make<SharedHashMap<std::string, std::string>>("texts");
  EXPECT_EQ(Done({"add", store_, "texts", "k", "5"}), "5\n");
  EXPECT_EQ(*texts.Get("k"), "5");
  Make<LimitsOf>("limits");
  Fails(3, {"add", store_, "limits", "k", "1"}, {"acme.Limits", "integers"});
  Make<SharedHashSet<std::string>>("set");
  Fails(3, {"add", store_, "set", "k", "1"}, {"set<string>", "integers"});
}

TEST_F(CliTypedTest, ABoxNeedsNoKey) {
  const auto box = Make<SharedBox<std::int32_t>>("box");
  Fails(1, {"get", store_, "box"}, {"box", "is empty"});
  Done({"put", store_, "box", "41"});
  EXPECT_EQ(*box.Load(), 41);
  EXPECT_EQ(Done({"get", store_, "box"}), "41");
  EXPECT_EQ(Done({"get", store_, "box", ""}), "41");
  EXPECT_EQ(Done({"get", store_, "box", "--json"}), "{\"value\":41}\n");
  Done({"put", store_, "box", "", "7"});
  EXPECT_EQ(*box.Load(), 7);
  EXPECT_EQ(Done({"add", store_, "box", "3"}), "10\n");
  EXPECT_EQ(Done({"add", store_, "box", "", "-3"}), "7\n");
  Fails(3, {"put", store_, "box", "key", "7"}, {"\"box\" is a box", "no keys"});
  Fails(3, {"put", store_, "box", "many"}, {"the value", "i32", "many"});
  Done({"del", store_, "box"});
  Fails(1, {"del", store_, "box"}, {"box", "is empty"});
}

TEST_F(CliTypedTest, ASetNeedsNoValue) {
  const auto set = Make<SharedHashSet<std::string>>("set");
  Done({"put", store_, "set", "a"});
  Done({"put", store_, "set", "b", ""});
  EXPECT_TRUE(*set.Contains("a"));
  EXPECT_TRUE(*set.Contains("b"));
  Fails(3, {"put", store_, "set", "c", "value"}, {"\"set\" is a set", "no values"});
  EXPECT_EQ(Done({"get", store_, "set", "a"}), "");
  EXPECT_EQ(Done({"get", store_, "set", "a", "--json"}), "{\"key\":\"a\"}\n");
  EXPECT_EQ(Done({"scan", store_, "set", "--prefix", "b"}), "b\n");
  Done({"del", store_, "set", "a"});
  Fails(1, {"get", store_, "set", "a"}, {"no key a"});
}

TEST_F(CliTypedTest, ACounterIsAddedToAndRead) {
  const auto counter = Make<SharedCounter>("hits");
  EXPECT_EQ(Done({"add", store_, "hits", "5"}), "5\n");
  EXPECT_EQ(Done({"add", store_, "hits", "", "-7"}), "-2\n");
  EXPECT_EQ(*counter.Value(), -2);
  EXPECT_EQ(Done({"get", store_, "hits"}), "-2");
  EXPECT_EQ(Done({"get", store_, "hits", "--json"}), "{\"value\":-2}\n");
  EXPECT_EQ(Done({"scan", store_, "hits"}), "-2\n");
  Fails(3, {"put", store_, "hits", "3"}, {"\"hits\" is a counter", "`commy add`"});
  Fails(3, {"put", store_, "hits", "", "3"}, {"\"hits\" is a counter", "`commy add`"});
  Fails(3, {"del", store_, "hits"}, {"\"hits\" is a counter"});
  Fails(3, {"add", store_, "hits", "key", "3"}, {"\"hits\" is a counter", "no keys"});
  EXPECT_EQ(*counter.Value(), -2);
}

TEST_F(CliTypedTest, AWordThatIsMissingIsWrongUsageAndCreatesNothing) {
  Fails(2, {"put", store_, "a", "k"}, {"VALUE", "commy put --help"});
  Fails(2, {"add", store_, "a", "k"}, {"DELTA", "commy add --help"});
  Fails(2, {"add", store_, "a", "k", "x"}, {"DELTA", "\"x\"", "commy add --help"});
  EXPECT_FALSE(std::ifstream(store_).good());
  Done({"put", store_, "a", "k", "v"});
  Fails(2, {"put", store_, "a"}, {"KEY", "commy put --help"});
  Fails(2, {"put", store_, "a", "k"}, {"VALUE"});
  Fails(2, {"get", store_, "a"}, {"KEY", "commy get --help"});
  Fails(2, {"del", store_, "a"}, {"KEY", "commy del --help"});
  Fails(2, {"add", store_, "a", "7"}, {"DELTA"});
  MakeScores();
  Fails(2, {"get", store_, "scores"}, {"KEY"});
  Fails(2, {"put", store_, "scores", "30,bob"}, {"VALUE"});
}

// --- Options ------------------------------------------------------------------------------------

TEST_F(CliTypedTest, RawBytesShowsAndTakesBytesInSpiteOfTheType) {
  const auto map = Make<SharedHashMap<std::string, std::uint32_t>>("map");
  Done({"put", store_, "map", "k", std::string("A\1\2\3"), "--raw-bytes"});
  EXPECT_EQ(*map.Get("k"), 0x03020141U);
  EXPECT_EQ(Done({"get", store_, "map", "k", "--raw-bytes"}), "A\1\2\3");
  EXPECT_EQ(Done({"scan", store_, "map", "--raw-bytes"}), "k\tA\\x01\\x02\\x03\n");
  EXPECT_EQ(Done({"scan", store_, "map"}), "k\t50463041\n");
}

TEST_F(CliTypedTest, StoredBytesThatAreNotOfTheTypeAreNamedWithTheOptionThatShowsThem) {
  Make<SharedHashMap<std::string, std::uint32_t>>("map");
  Done({"put", store_, "map", "k", "abc", "--raw-bytes"});
  Fails(3, {"get", store_, "map", "k"}, {store_, "map<string,u32>", "--raw-bytes"});
  Fails(3, {"scan", store_, "map"}, {store_, "map<string,u32>", "--raw-bytes"});
}

TEST_F(CliTypedTest, KeyGivesANamespaceWithoutATypeTypedKeys) {
  Done({"put", store_, "old", "7,bob", "silver", "--key", "int,str", "--ordered"});
  Done({"put", store_, "old", "-3,eve", "tin", "--key", "int,str"});
  EXPECT_EQ(Done({"get", store_, "old", "7,bob", "--key", "i64,string"}), "silver");
  EXPECT_EQ(Done({"scan", store_, "old", "--key", "int,str"}), "-3,eve\ttin\n7,bob\tsilver\n");
  EXPECT_EQ(Done({"scan", store_, "old", "--key", "int,str", "--from", "0", "--json"}),
            "{\"key\":[7,\"bob\"],\"value\":\"silver\"}\n");
  EXPECT_EQ(Done({"add", store_, "old", "1,n", "4", "--key", "int,str"}), "4\n");
  Done({"del", store_, "old", "1,n", "--key", "int,str"});
  const std::string file = temp_.File("old.tsv");
  Done({"dump", store_, "old", file, "--format", "tsv", "--key", "int,str"});
  EXPECT_EQ(Content(file), "-3,eve\ttin\n7,bob\tsilver\n");
  Done({"load", store_, "new", file, "--key", "int,str"});
  EXPECT_EQ(Done({"get", store_, "new", "7,bob", "--key", "int,str"}), "silver");
  Fails(3, {"get", store_, "old", "x,bob", "--key", "int,str"}, {"the key", "[0]", "x"});
  Fails(2, {"get", store_, "old", "x", "--key", "map<"}, {"--key"});
}

TEST_F(CliTypedTest, KeyMustBeTheTypeThatTheNamespaceHas) {
  MakeScores();
  EXPECT_EQ(Done({"get", store_, "scores", "30,bob", "--key", "int,str"}), "silver");
  Fails(3, {"get", store_, "scores", "30,bob", "--key", "str,int"},
        {store_, "tuple<string,i64>", "map<tuple<i64,string>,string>", "--key"});
  Fails(2, {"get", store_, "scores", "30,bob", "--key", "int,str", "--raw-bytes"},
        {"--raw-bytes", "--key"});
}

TEST_F(CliTypedTest, NsCreateMakesATypedNamespaceAndNsListShowsIt) {
  Done({"ns", "create", store_, "plain"});
  EXPECT_EQ(Done({"ns", "list", store_}), "             0     0 bytes  hash     plain\n");
  Done({"ns", "create", store_, "scores", "--ordered", "--type", "map<tuple<i64,string>,string>"});
  MakeScores();
  const json list = json::parse(Done({"ns", "list", store_, "--json"}));
  const std::string bytes = list[1]["bytes"].dump();
  EXPECT_EQ(Done({"ns", "list", store_}),
            "             0     0 bytes  hash     -                              plain\n"
            "             4   " +
                bytes + " bytes  ordered  map<tuple<i64,string>,string>  scores\n");
  EXPECT_EQ(list[0].count("type"), 0U);
  EXPECT_EQ(list[1]["type"], "map<tuple<i64,string>,string>");
  Fails(3, {"ns", "create", store_, "scores", "--type", "map<i64,string>"},
        {"\"scores\"", "map<tuple<i64,string>,string>", "map<i64,string>"});
  Fails(3, {"ns", "create", store_, "plain", "--type", "counter"}, {"\"plain\"", "untyped"});
  Fails(2, {"ns", "create", temp_.File("new.commy"), "x", "--type", "map<i64"}, {"--type"});
  EXPECT_FALSE(std::ifstream(temp_.File("new.commy")).good());
}

TEST_F(CliTypedTest, AdoptGivesATypeToANamespaceWhoseContentIsOfIt) {
  Done({"put", store_, "plain", "one", "1"});
  Fails(3, {"ns", "create", store_, "plain", "--type", "map<string,u64>"},
        {"\"plain\"", "untyped", "--adopt"});
  Fails(3, {"ns", "create", store_, "plain", "--type", "map<string,u64>", "--adopt"},
        {"map<string,u64>", "key one"});
  Fails(2, {"ns", "create", store_, "plain", "--adopt"}, {"--type"});
  EXPECT_EQ(Done({"get", store_, "plain", "one"}), "1");
  Fails(3,
        {"ns", "create", store_, "plain", "--type", "map<string,string>", "--adopt", "--ordered"},
        {"order hash"});
  EXPECT_EQ(Done({"ns", "list", store_}).find("map<string,string>"), std::string::npos);
  Done({"ns", "create", store_, "plain", "--type", "map<string,string>", "--adopt"});
  EXPECT_NE(Done({"ns", "list", store_}).find("map<string,string>"), std::string::npos);
  Done({"ns", "create", store_, "plain", "--type", "map<string,string>", "--adopt"});
  Fails(3, {"ns", "create", store_, "plain", "--type", "set<string>", "--adopt"},
        {"set<string>", "map<string,string>"});
  Done({"ns", "create", store_, "empty"});
  Done({"ns", "create", store_, "empty", "--type", "set<string>", "--adopt"});
  Done({"ns", "create", store_, "new", "--type", "box<u64>", "--adopt"});
  EXPECT_NE(Done({"ns", "list", store_}).find("box<u64>"), std::string::npos);
}

TEST_F(CliTypedTest, LoadTellsTheFormatOfAFileAndMakesNoNamespaceForItBefore) {
  MakeScores();
  for (const std::string format : {"jsonl", "dump"}) {
    const std::string file = temp_.File("file." + format);
    Done({"dump", store_, "scores", file, "--format", format});
    Fails(3, {"load", store_, "copy " + format, file}, {"line 1", "--format " + format});
    Done({"load", store_, "copy " + format, file, "--format", format});
    EXPECT_EQ(Done({"scan", store_, "copy " + format}), Done({"scan", store_, "scores"}));
  }
}

// --- Ranges -------------------------------------------------------------------------------------

TEST_F(CliTypedTest, ScanPrintsTypedTextInTheOrderOfTheValues) {
  MakeScores();
  EXPECT_EQ(Done({"scan", store_, "scores"}),
            "-2,eve\t\n30,\"a, b\"\ttin\\tfoil\n30,bob\tsilver\n700,ann\tgold\n");
  EXPECT_EQ(Done({"scan", store_, "scores", "--limit", "2", "--format", "raw"}),
            "-2,eve\t\n30,\"a, b\"\ttin\tfoil\n");
  EXPECT_EQ(Done({"scan", store_, "scores", "--limit", "1", "--json"}),
            "{\"key\":[-2,\"eve\"],\"value\":\"\"}\n");
  EXPECT_EQ(Done({"scan", store_, "scores", "--keys", "--reverse", "--limit", "1"}), "700,ann\n");
}

TEST_F(CliTypedTest, BoundsAreTypedKeysOrTheirFirstParts) {
  MakeScores();
  const auto keys = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"scan", store_, "scores", "--keys"});
    return Done(options);
  };
  EXPECT_EQ(keys({"--from", "30,b", "--to", "700,ann"}), "30,bob\n");
  EXPECT_EQ(keys({"--from", "30", "--to", "700"}), "30,\"a, b\"\n30,bob\n");
  EXPECT_EQ(keys({"--to", "30"}), "-2,eve\n");
  EXPECT_EQ(keys({"--prefix", "30"}), "30,\"a, b\"\n30,bob\n");
  EXPECT_EQ(keys({"--prefix", "30,"}), "30,\"a, b\"\n30,bob\n");
  EXPECT_EQ(keys({"--prefix", "30,bob"}), "30,bob\n");
  EXPECT_EQ(keys({"--prefix", "30,bo"}), "");
  Fails(3, {"scan", store_, "scores", "--prefix", "b"}, {"\"scores\"", "the key", "[0]", "b"});
  Fails(3, {"scan", store_, "scores", "--from", "x"}, {"\"scores\"", "the key", "[0]", "x"});
  Fails(3, {"scan", store_, "scores", "--prefix", "30,bob,1"}, {"more than the 2 parts"});
}

TEST_F(CliTypedTest, NumbersHaveNoPrefixAndStringsHaveOneOfCharacters) {
  const auto numbers = Make<SharedBTreeMap<std::int32_t, bool>>("numbers");
  ASSERT_TRUE(numbers.Put(-4, true).ok());
  ASSERT_TRUE(numbers.Put(12, false).ok());
  EXPECT_EQ(Done({"scan", store_, "numbers"}), "-4\ttrue\n12\tfalse\n");
  EXPECT_EQ(Done({"scan", store_, "numbers", "--from", "-3"}), "12\tfalse\n");
  Fails(3, {"scan", store_, "numbers", "--prefix", "1"}, {"i32", "--from"});
  const auto names = Make<SharedHashMap<std::string, bool>>("names");
  ASSERT_TRUE(names.Put("bob", true).ok());
  EXPECT_EQ(Done({"scan", store_, "names", "--prefix", "bo"}), "bob\ttrue\n");
  Make<SharedCounter>("hits");
  Fails(3, {"scan", store_, "hits", "--prefix", "1"}, {"counter", "--prefix"});
}

// --- Files --------------------------------------------------------------------------------------

TEST_F(CliTypedTest, JsonlKeepsTypeOrderKeysAndValues) {
  const std::string copy = temp_.File("copy.commy");
  const Scores scores = MakeScores();
  ASSERT_TRUE(scores.Put({1, "\xff\"\n"}, "\xfe").ok());
  ASSERT_TRUE(Make<LimitsOf>("limits").Put("web", {.cpu = 2, .share = 0.25}).ok());
  ASSERT_TRUE(Make<SharedBox<double>>("box").Store(2.5).ok());
  ASSERT_TRUE(Make<SharedHashSet<std::uint16_t>>("set").Insert(9).ok());
  ASSERT_TRUE(Make<SharedCounter>("hits").Add(42).ok());
  for (const std::string path : {"scores", "limits", "box", "set", "hits"}) {
    const std::string file = temp_.File(path + ".jsonl");
    Done({"dump", store_, path, file, "--format", "jsonl"});
    Done({"load", copy, path, file, "--format", "jsonl"});
    EXPECT_EQ(Done({"dump", copy, path, "--format", "jsonl"}), Content(file));
  }
  EXPECT_EQ(Content(temp_.File("box.jsonl")),
            "{\"namespace\":\"box\",\"order\":\"hash\",\"type\":\"box<f64>\"}\n{\"value\":2.5}\n"
            "{\"end_of_dump\":true}\n");
  EXPECT_EQ(Content(temp_.File("set.jsonl")),
            "{\"namespace\":\"set\",\"order\":\"hash\",\"type\":\"set<u16>\"}\n{\"key\":9}\n"
            "{\"end_of_dump\":true}\n");
  const absl::StatusOr<Store> store = Store::Open(copy);
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::StatusOr<Scores> copied = store->OpenShared<Scores>("scores");
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(*copied->Get({1, "\xff\"\n"}), "\xfe");
  EXPECT_EQ(*store->OpenShared<SharedCounter>("hits")->Value(), 42);
  Done({"load", copy, "hits", temp_.File("hits.jsonl"), "--format", "jsonl"});
  EXPECT_EQ(*store->OpenShared<SharedCounter>("hits")->Value(), 84);
}

TEST_F(CliTypedTest, TsvOfATypedNamespaceIsLoadedIntoOneThatHasTheType) {
  const Scores scores = MakeScores();
  const std::string file = temp_.File("scores.tsv");
  const ProgramEnd dumped = RunCommy({"dump", store_, "scores", file, "--format", "tsv"});
  EXPECT_EQ(dumped.code, 0);
  EXPECT_NE(dumped.err.find("have a type"), std::string::npos) << dumped.err;
  Done({"ns", "create", store_, "copy", "--ordered", "--type", "map<tuple<i64,string>,string>"});
  Done({"load", store_, "copy", file});
  EXPECT_EQ(Done({"scan", store_, "copy"}), Done({"scan", store_, "scores"}));
  Done({"ns", "create", store_, "set", "--type", "set<i64>"});
  Done({"load", store_, "set", File("set.tsv", "4\n-5\t\n")});
  EXPECT_TRUE(*Make<SharedHashSet<std::int64_t>>("set").Contains(-5));
  Done({"ns", "create", store_, "box", "--type", "box<i64>"});
  Done({"load", store_, "box", File("box.tsv", "4\n")});
  EXPECT_EQ(*Make<SharedBox<std::int64_t>>("box").Load(), 4);
}

TEST_F(CliTypedTest, AnOlderValueOfAStructRoundTrips) {
  const std::string type = "map<string,struct P{a:u64,b:optional<string>}>";
  const std::string file =
      File("p.jsonl", json({{"namespace_type", type}}).dump() +
                          "\n{\"key\":\"old\",\"value\":{\"a\":1}}\n"
                          "{\"key\":\"young\",\"value\":{\"a\":2,\"b\":null}}\n");
  Done({"load", store_, "p", file, "--format", "jsonl"});
  EXPECT_EQ(Done({"get", store_, "p", "old"}), "{\"a\":1}");
  EXPECT_EQ(Done({"get", store_, "p", "young"}), "{\"a\":2,\"b\":null}");
  Fails(3,
        {"load", store_, "p", File("q.jsonl", "{\"key\":\"k\",\"value\":{\"b\":null}}\n"),
         "--format", "jsonl"},
        {"line 1", "the value", ".a", "missing"});
}

TEST_F(CliTypedTest, LoadNamesAWrongLineOfATypedNamespace) {
  MakeScores();
  const auto fails = [&](const std::string& format, const std::string& text,
                         std::initializer_list<std::string_view> words) {
    Fails(3, {"load", store_, "scores", File("in", text), "--format", format}, words);
  };
  fails("jsonl", "{\"key\":[1,\"a\"],\"value\":\"v\"}\n{\"key\":[1],\"value\":\"v\"}\n",
        {"line 2", "the key", "array of 2", "1 records were loaded"});
  fails("jsonl", "{\"key\":[1,\"a\"],\"value\":7}\n", {"line 1", "the value", "string", "7"});
  fails("jsonl", "{\"key\":[1,\"a\"]}\n", {"line 1", "needs \"value\""});
  fails("jsonl", "{\"key\":[1,\"a\"],\"value\":\"v\",\"x\":1}\n", {"unknown member \"x\""});
  fails("jsonl", "[1]\n", {"line 1", "not a JSON object"});
  fails("jsonl", "{\"namespace_type\":\"map<i64,string>\"}\n",
        {"line 1", "map<tuple<i64,string>,string>", "map<i64,string>"});
  fails("jsonl", "{\"namespace_type\":\"map<i64\"}\n", {"line 1", "expected"});
  fails("jsonl", "{\"namespace_type\":3}\n", {"line 1", "namespace_type", "a string"});
  fails("tsv", "1,a\tv\nb\tv\n", {"line 2", "the key", "[0]"});
  fails("tsv", "1,a\n", {"line 1", "no tab"});
  fails("dump", "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n k\n v\nDATA=END\n",
        {"line 6", "the key", "tuple<i64,string>"});
  fails("dump", "VERSION=3\nnamespace_type=set<i64>\nHEADER=END\nDATA=END\n",
        {"map<tuple<i64,string>,string>", "set<i64>"});
  Done({"put", store_, "plain", "k", "v"});
  Fails(3,
        {"load", store_, "plain", File("t", "{\"namespace_type\":\"counter\"}\n"), "--format",
         "jsonl"},
        {"line 1", "\"plain\"", "untyped"});
}

TEST_F(CliTypedTest, TheDumpFormatKeepsTheType) {
  const std::string copy = temp_.File("copy.commy");
  MakeScores();
  ASSERT_TRUE(Make<SharedCounter>("hits").Add(42).ok());
  Done({"put", store_, "plain", "k", "v"});
  const std::string file = temp_.File("all.dump");
  Done({"dump", "--all", store_, file});
  Done({"load", "--all", copy, file, "--format", "dump"});
  EXPECT_EQ(Done({"scan", copy, "scores"}), Done({"scan", store_, "scores"}));
  EXPECT_EQ(Done({"get", copy, "hits"}), "42");
  const json list = json::parse(Done({"ns", "list", copy, "--json"}));
  EXPECT_EQ(list[0]["type"], "counter");
  EXPECT_EQ(list[1].count("type"), 0U);
  EXPECT_EQ(list[2]["type"], "map<tuple<i64,string>,string>");
  EXPECT_EQ(list[2]["order"], "ordered");
}

TEST_F(CliTypedTest, OtherToolsTakeADumpOfATypedNamespace) {
  if (!Has("mdb_load") || !Has("db5.3_load")) {
    GTEST_SKIP() << "NOT TESTED: there is no mdb_load (lmdb-utils) or db5.3_load (db5.3-util)";
  }
  MakeScores();
  const std::string lmdb = temp_.File("lmdb");
  const std::string loaded = temp_.File("loaded");
  Done({"dump", store_, "scores", temp_.File("lmdb.dump")});
  EXPECT_EQ(std::system(("mdb_load -n -f " + temp_.File("lmdb.dump") + " " + lmdb +
                         " 2>/dev/null && mdb_dump -n -f " + loaded + " " + lmdb)
                            .c_str()),
            0);
  Done({"ns", "create", store_, "copy", "--ordered", "--type", "map<tuple<i64,string>,string>"});
  Done({"load", store_, "copy", loaded, "--format", "dump"});
  EXPECT_EQ(Done({"scan", store_, "copy"}), Done({"scan", store_, "scores"}));

  const ProgramEnd dumped =
      RunCommy({"dump", store_, "scores", temp_.File("bdb.dump"), "--for", "bdb"});
  EXPECT_EQ(dumped.code, 0);
  EXPECT_NE(dumped.err.find("have a type"), std::string::npos) << dumped.err;
  EXPECT_EQ(
      std::system(("db5.3_load -f " + temp_.File("bdb.dump") + " " + temp_.File("bdb.db")).c_str()),
      0);
}

}  // namespace
}  // namespace commy::test
