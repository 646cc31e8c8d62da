// The commands on one key and on namespaces: their output and their exit status.
// Faults: cli_faults_test. load and scan: cli_records_test.
#include <array>
#include <string>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nlohmann/json.hpp"

#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

using nlohmann::json;
using CliKeysTest = CliFixture;

constexpr std::array<const char*, 19> kCommands = {
    "init",    "put",       "get",     "del",       "add",     "scan",  "load",
    "stat",    "ps",        "check",   "layout",    "top",     "bench", "demo",
    "ns list", "ns create", "ns drop", "ns rename", "ns quota"};

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char character : text) {
    if (character == ' ') {
      words.emplace_back();
    } else {
      words.back() += character;
    }
  }
  return words;
}

TEST_F(CliKeysTest, VersionIsTheLibrarys) {
  EXPECT_EQ(Done({"--version"}), "commy " + std::string(Version()) + "\n");
}

TEST_F(CliKeysTest, HelpNamesEveryCommandExceptInternalOnes) {
  const std::string help = Done({"--help"});
  for (const char* const command : kCommands) {
    EXPECT_NE(help.find("  " + Words(command)[0] + " "), std::string::npos) << command;
  }
  EXPECT_EQ(help.find("demo-worker"), std::string::npos);
  EXPECT_EQ(help.find("describe"), std::string::npos);
}

TEST_F(CliKeysTest, HelpOfEveryCommandHasExamples) {
  for (const char* const command : kCommands) {
    std::vector<std::string> words = Words(command);
    words.emplace_back("--help");
    const std::string help = Done(words);
    EXPECT_NE(help.find("Examples:\n  commy " + std::string(command)), std::string::npos) << help;
  }
}

TEST_F(CliKeysTest, PutGetAndDelWorkOnAKey) {
  EXPECT_EQ(Done({"put", store_, "acme/config", "greeting", "hello"}), "");
  EXPECT_EQ(Done({"get", store_, "acme/config", "greeting"}), "hello");
  EXPECT_EQ(json::parse(Done({"get", store_, "acme/config", "greeting", "--json"})),
            json::parse(R"({"key":"greeting","value":"hello"})"));
  EXPECT_EQ(Done({"del", store_, "acme/config", "greeting"}), "");
  Fails(1, {"get", store_, "acme/config", "greeting"}, {store_, "acme/config", "greeting"});
  Fails(1, {"del", store_, "acme/config", "greeting"}, {store_, "acme/config", "greeting"});
}

TEST_F(CliKeysTest, DelAsJsonSaysWhetherTheKeyExisted) {
  Done({"put", store_, "a", "k", "v"});
  EXPECT_EQ(json::parse(Done({"del", store_, "a", "k", "--json"})), json({{"deleted", true}}));
  const ProgramEnd again = RunCommy({"del", store_, "a", "k", "--json"});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(json::parse(again.out), json({{"deleted", false}}));
}

TEST_F(CliKeysTest, KeysAndValuesThatLookLikeOptionsOrEscapesAreTakenLiterally) {
  const std::array<std::string, 12> odd = {"",    "load", "[a,b]", "{}",  "\"q\"", "'q'",
                                           "a=b", "%",    "\\t",   " x ", "put",   "#"};
  for (const std::string& key : odd) {
    for (const std::string& value : odd) {
      Done({"put", store_, "odd", key, value});
      EXPECT_EQ(Done({"get", store_, "odd", key}), value) << "key \"" << key << "\"";
    }
  }
}

TEST_F(CliKeysTest, AfterTwoDashesNoWordIsAnOption) {
  Done({"put", store_, "odd", "--", "-k", "--ttl"});
  EXPECT_EQ(Done({"get", store_, "odd", "--", "-k"}), "--ttl");
}

TEST_F(CliKeysTest, PutOfADashReadsStandardInputWithEveryByte) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) {
    bytes += static_cast<char>(i * 7);
  }
  Done({"put", store_, "a", "k", "-"}, {.input = bytes});
  EXPECT_EQ(Done({"get", store_, "a", "k"}), bytes);
  Done({"put", store_, "a", "k", "-"}, {.input = ""});
  EXPECT_EQ(Done({"get", store_, "a", "k"}), "");
}

TEST_F(CliKeysTest, GetEndsTheLineOnATerminalOnly) {
  Done({"put", store_, "a", "k", "value"});
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) {
    GTEST_SKIP() << "NOT TESTED: no pseudo-terminals here (/dev/pts is not mounted)";
  }
  ASSERT_EQ(::grantpt(terminal), 0);
  ASSERT_EQ(::unlockpt(terminal), 0);
  const int side = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(side, 0);
  EXPECT_EQ(RunCommy({"get", store_, "a", "k"}, {.out_fd = side}).code, 0);
  std::array<char, 64> shown{};
  const ssize_t count = ::read(terminal, shown.data(), shown.size());
  EXPECT_EQ(std::string(shown.data(), static_cast<std::size_t>(std::max(count, ssize_t{0}))),
            "value\r\n");
  ::close(side);
  ::close(terminal);
}

TEST_F(CliKeysTest, AddPrintsTheSum) {
  EXPECT_EQ(Done({"add", store_, "c", "n", "5"}), "5\n");
  EXPECT_EQ(Done({"add", store_, "c", "n", "-7"}), "-2\n");
  EXPECT_EQ(json::parse(Done({"add", store_, "c", "n", "1", "--json"})), json({{"value", -1}}));
  EXPECT_EQ(Done({"get", store_, "c", "n"}), "-1");
}

TEST_F(CliKeysTest, AddToANonNumberOrBeyondTheRangeFailsAndChangesNothing) {
  Done({"put", store_, "c", "text", "hello"});
  Fails(3, {"add", store_, "c", "text", "1"}, {store_});
  EXPECT_EQ(Done({"get", store_, "c", "text"}), "hello");
  Done({"put", store_, "c", "most", "9223372036854775807"});
  Fails(3, {"add", store_, "c", "most", "1"}, {store_});
  EXPECT_EQ(Done({"get", store_, "c", "most"}), "9223372036854775807");
}

TEST_F(CliKeysTest, NamespacesAreListedCreatedRenamedAndDropped) {
  Done({"ns", "create", store_, "acme/config"});
  Done({"ns", "create", store_, "acme/config"});  // It exists, which is no error.
  Done({"ns", "create", store_, "other"});
  Done({"put", store_, "acme/config", "k", "v"});
  const json all = json::parse(Done({"ns", "list", store_, "--json"}));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["path"], "acme/config");
  EXPECT_EQ(all[0]["keys"], 1);
  EXPECT_GT(all[0]["bytes"], 16);
  EXPECT_EQ(all[1]["bytes"], 0);
  EXPECT_EQ(all[0]["order"], "hash");
  EXPECT_EQ(all[1]["path"], "other");
  EXPECT_EQ(Done({"ns", "list", store_, "oth"}), "             0     0 bytes  hash     other\n");
  EXPECT_EQ(Done({"ns", "list", store_, "none"}), "");
  EXPECT_EQ(Done({"ns", "list", store_, "--paths"}), "acme/config\nother\n");
  Done({"ns", "rename", store_, "acme/config", "acme/settings"});
  EXPECT_EQ(Done({"get", store_, "acme/settings", "k"}), "v");
  Fails(3, {"ns", "rename", store_, "acme/settings", "other"}, {store_, "other"});
  Done({"ns", "drop", store_, "acme/settings"});
  Fails(1, {"get", store_, "acme/settings", "k"}, {store_, "acme/settings"});
  Fails(1, {"ns", "drop", store_, "acme/settings"}, {store_, "acme/settings"});
  Fails(1, {"ns", "rename", store_, "acme/settings", "x"}, {store_, "acme/settings"});
}

TEST_F(CliKeysTest, InitCreatesAStoreOnce) {
  const json made = json::parse(Done({"init", store_, "--max-size", "256MiB", "--json"}));
  EXPECT_EQ(made["path"], store_);
  EXPECT_EQ(made["max_size_bytes"], 256 << 20);
  Fails(3, {"init", store_}, {store_});
  const json stat = json::parse(Done({"stat", store_, "--json"}));
  EXPECT_EQ(stat["max_size_bytes"], 256 << 20);
  EXPECT_EQ(stat["uuid"], made["uuid"]);
}

TEST_F(CliKeysTest, InitSetsTheCapacity) {
  const json made = json::parse(Done({"init", store_, "--participants", "300", "--threads", "5000",
                                      "--snapshots", "2000", "--json"}));
  const json stat = json::parse(Done({"stat", store_, "--json"}));
  for (const json& shown : {made, stat}) {
    EXPECT_EQ(shown["participants_max"], 300);
    EXPECT_EQ(shown["threads_max"], 5000);
    EXPECT_EQ(shown["snapshots_max"], 2000);
  }
  EXPECT_NE(Done({"stat", store_}).find("threads max        5,000\n"), std::string::npos);
  const std::string metrics = Done({"stat", store_, "--format", "openmetrics"});
  for (const char* const line :
       {"commy_max_participants 300", "commy_max_threads 5000", "commy_max_snapshots 2000"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << metrics;
  }
}

TEST_F(CliKeysTest, InitSetsTheTimeouts) {
  Done({"init", store_, "--stale-after", "250ms", "--operation-timeout", "2m"});
  const json stat = json::parse(Done({"stat", store_, "--json"}));
  EXPECT_EQ(stat["stale_after_ms"], 250);
  EXPECT_EQ(stat["operation_timeout_ms"], 120'000);
}

TEST_F(CliKeysTest, QuotasAreSetShownAndNamedWhenTheyStopAWrite) {
  Done({"ns", "create", store_, "acme/config", "--quota", "1KiB"});
  Done({"put", store_, "acme/config", "k", std::string(300, 'v')});
  Fails(3, {"put", store_, "acme/config", "l", std::string(1000, 'v')},
        {store_, "\"acme/config\" has a quota of 1024 bytes"});
  EXPECT_EQ(json::parse(Done({"ns", "list", store_, "--json"}))[0]["quota_bytes"], 1024);
  EXPECT_NE(Done({"ns", "list", store_}).find("  of 1.00 KiB  acme/config"), std::string::npos)
      << Done({"ns", "list", store_});
  Done({"ns", "set", store_, "acme/config", "--quota", "0"});
  Done({"put", store_, "acme/config", "l", std::string(1000, 'v')});
  EXPECT_EQ(json::parse(Done({"ns", "list", store_, "--json"}))[0].count("quota_bytes"), 0U);

  EXPECT_EQ(Done({"ns", "quota", store_}), "");
  Done({"ns", "quota", store_, "acme", "2KiB"});
  Fails(3, {"put", store_, "acme/other", "l", std::string(1000, 'v')},
        {store_, "the path \"acme\" has a quota of 2048 bytes"});
  const json quotas = json::parse(Done({"ns", "quota", store_, "--json"}));
  ASSERT_EQ(quotas.size(), 1U);
  EXPECT_EQ(quotas[0]["path"], "acme");
  EXPECT_EQ(quotas[0]["quota_bytes"], 2048);
  EXPECT_EQ(json::parse(Done({"stat", store_, "--json"}))["path_quotas"], quotas);
  EXPECT_NE(Done({"ns", "quota", store_, "acme"}).find("of   2.00 KiB  acme\n"), std::string::npos)
      << Done({"ns", "quota", store_, "acme"});
  EXPECT_NE(Done({"stat", store_}).find(" of 2.00 KiB, under acme\n"), std::string::npos);
  const std::string metrics = Done({"stat", store_, "--format", "openmetrics"});
  EXPECT_NE(metrics.find("commy_path_quota_bytes{path=\"acme\"} 2048\n"), std::string::npos);
  EXPECT_EQ(Done({"ns", "list", store_, "--paths"}), "acme/config\nacme/other\n");
  Done({"ns", "quota", store_, "acme", "0"});
  EXPECT_EQ(Done({"ns", "quota", store_}), "");
  Done({"put", store_, "acme/other", "l", std::string(1000, 'v')});
  Fails(2, {"ns", "quota", store_, "acme", "much"}, {"much"});
}

TEST_F(CliKeysTest, StatCountsKeysAndPsNamesParticipants) {
  const Namespace ns = MustOpen(store_, "a");
  ASSERT_TRUE(ns.Put("k", "v").ok());
  const json stat = json::parse(Done({"stat", store_, "--json"}));
  EXPECT_EQ(stat["keys"], 1);
  EXPECT_GT(stat["bytes"], 16);
  EXPECT_EQ(stat["namespaces"], 1);
  EXPECT_EQ(stat["participants"], 2);
  EXPECT_NE(Done({"stat", store_}).find("keys               1\n"), std::string::npos);

  const json ps = json::parse(Done({"ps", store_, "--json"}));
  ASSERT_EQ(ps.size(), 2U);
  EXPECT_EQ(ps[0]["name"], "test");
  EXPECT_EQ(ps[0]["pid"], ::getpid());
  EXPECT_EQ(ps[0]["state"], "live");
  EXPECT_GE(ps[0]["lanes"], 1);  // The heartbeat thread may have another one.
  EXPECT_EQ(ps[1]["name"], "commy ps");
  const std::string table = Done({"ps", store_});
  EXPECT_TRUE(table.starts_with("SLOT")) << table;
  EXPECT_NE(table.find("test"), std::string::npos);
  EXPECT_NE(table.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(CliKeysTest, PsAndStatNameTheHoldersOfSnapshotsAndTheBytesTheyKeep) {
  Options options;
  options.process_name = "test";
  const absl::StatusOr<Store> opened = Store::Open(store_, options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const absl::StatusOr<Namespace> ns = opened->OpenNamespace("a");
  ASSERT_TRUE(ns->Put("k", std::string(2000, 'v')).ok());
  EXPECT_NE(Done({"stat", store_}).find("snapshots          0\n"), std::string::npos);
  const absl::StatusOr<Snapshot> held = opened->TakeSnapshot();
  ASSERT_TRUE(held.ok()) << held.status();
  ASSERT_TRUE(ns->Put("k", "small").ok());
  const json ps = json::parse(Done({"ps", store_, "--json"}));
  EXPECT_EQ(ps[0]["name"], "test");
  EXPECT_EQ(ps[0]["snapshots"], 1);
  EXPECT_GE(ps[0]["snapshot_kept_bytes"], 2000);
  EXPECT_GE(ps[0]["oldest_snapshot_age_ms"], 0);
  EXPECT_EQ(ps[1]["snapshots"], 0);
  const json stat = json::parse(Done({"stat", store_, "--json"}));
  EXPECT_EQ(stat["snapshots"], 1);
  EXPECT_GE(stat["snapshot_kept_bytes"], 2000);
  EXPECT_NE(Done({"stat", store_}).find("snapshots          1, the oldest of "), std::string::npos);
  EXPECT_NE(Done({"ps", store_}).find("KEEPS"), std::string::npos);
  const std::string metrics = Done({"stat", store_, "--format", "openmetrics"});
  EXPECT_NE(metrics.find("\ncommy_snapshots 1\n"), std::string::npos) << metrics;
}

TEST_F(CliKeysTest, CheckReportsASoundStoreAsSound) {
  Done({"put", store_, "a", "k", "v"});
  const json check = json::parse(Done({"check", store_, "--json"}));
  EXPECT_EQ(check["sound"], true);
  EXPECT_EQ(check["keys"], 1);
  EXPECT_EQ(check["blocks_leaked"], 0);
  EXPECT_EQ(check["blocks_used"], check["blocks_reachable"]);
  EXPECT_TRUE(Done({"check", store_}).ends_with("\nsound\n"));
}

TEST_F(CliKeysTest, LayoutIsTheLibrarysInBothForms) {
  EXPECT_EQ(Done({"layout"}), DescribeLayout());
  const json layout = json::parse(Done({"layout", "--json"}));
  ASSERT_FALSE(layout.empty());
  std::string lines;
  for (const json& entry : layout) {
    for (const json& field : entry["fields"]) {
      lines += entry["struct"].get<std::string>() + "\t" + field["field"].get<std::string>() +
               "\t" + field["offset"].dump() + "\t" + field["size"].dump() + "\n";
    }
  }
  EXPECT_EQ(lines, DescribeLayout());
}

TEST_F(CliKeysTest, RepeatedPutsOfALargeValueReuseTheSpaceOfTheOldOne) {
  ProgramOptions value;
  value.input = std::string(1'000'000, 'v');
  for (int i = 0; i < 60; ++i) {
    Done({"put", store_, "n", "k", "-"}, value);
  }
  struct stat file {};
  ASSERT_EQ(stat(store_.c_str(), &file), 0);
  EXPECT_LE(file.st_blocks * 512, 16 << 20);
}

TEST_F(CliKeysTest, ANamespaceHasADefaultTimeToLive) {
  Done({"ns", "create", store_, "plain"});
  EXPECT_EQ(Done({"ns", "list", store_}).find("never"), std::string::npos);
  Done({"ns", "create", store_, "sessions", "--ttl", "90m"});
  Done({"put", store_, "sessions", "s1", "v"});
  Done({"put", store_, "sessions", "s2", "v", "--ttl", "5m"});
  Done({"put", store_, "sessions", "s3", "v", "--ttl", "inf"});
  const auto ttl_ms = [&](const std::string& key) {
    const std::string line =
        Done({"scan", store_, "sessions", "--prefix", key, "--format", "jsonl"});
    return nlohmann::json::parse(line).value("ttl_ms", std::int64_t{-1});
  };
  EXPECT_GT(ttl_ms("s1"), 5'000'000);
  EXPECT_LE(ttl_ms("s1"), 5'400'000);
  EXPECT_GT(ttl_ms("s2"), 0);
  EXPECT_LE(ttl_ms("s2"), 300'000);
  EXPECT_EQ(ttl_ms("s3"), -1);
  const std::string listed = Done({"ns", "list", store_});
  EXPECT_NE(listed.find("1h30m"), std::string::npos) << listed;
  EXPECT_NE(listed.find("never"), std::string::npos) << listed;
  const auto json = nlohmann::json::parse(Done({"ns", "list", store_, "--json"}));
  EXPECT_EQ(json[0].count("default_ttl_ms"), 0U);
  EXPECT_EQ(json[1]["default_ttl_ms"], 5'400'000);
  Done({"ns", "set", store_, "sessions", "--ttl", "inf"});
  Done({"put", store_, "sessions", "s4", "v"});
  EXPECT_EQ(ttl_ms("s4"), -1);
  EXPECT_GT(ttl_ms("s1"), 0);
  Fails(2, {"ns", "set", store_, "sessions", "--ttl", "0"}, {"--ttl"});
  Fails(2, {"ns", "create", store_, "new", "--ttl", "soon"}, {"--ttl", "soon"});
  Fails(1, {"ns", "set", store_, "nowhere", "--ttl", "1h"}, {"nowhere"});
}

}  // namespace
}  // namespace commy::test
