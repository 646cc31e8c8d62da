// Wrong usage, bad input and a hostile world: each gives its exit status and its one line.
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "nlohmann/json.hpp"

#include "support/small_disk.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

constexpr uid_t kNobody = 65534;

class CliFaultsTest : public CliFixture {
 protected:
  // Whether tests can run the program as another user: as root, if others may run the program.
  static bool CanBecomeNobody() {
    return ::geteuid() == 0 && RunCommy({"--version"}, {.user = kNobody}).code == 0;
  }
};

TEST_F(CliFaultsTest, WrongUsageHasExitStatus2) {
  Fails(2, {}, {"commy --help"});
  Fails(2, {"frobnicate"}, {"frobnicate"});
  Fails(2, {"get", store_}, {"NS", "commy get --help"});
  Fails(2, {"get", store_, "ns", "key", "more"}, {"commy get --help"});
  Fails(2, {"put", store_, "ns", "key", "value", "--tll", "1h"}, {"--tll"});
  Fails(2, {"put", store_, "ns", "key", "value", "--ttl", "soon"}, {"--ttl", "soon"});
  Fails(2, {"put", store_, "ns", "key", "value", "--ttl", "-1s"}, {"--ttl"});
  Fails(2, {"put", store_, "ns", "key", "value", "--ttl", "0"}, {"--ttl"});
  Fails(2, {"init", store_, "--max-size", "7x"}, {"--max-size", "7x"});
  Fails(2, {"init", store_, "--max-size", "99999999TiB"}, {"--max-size"});
  Fails(2, {"init", store_, "--participants", "many"}, {"--participants", "many"});
  Fails(2, {"init", store_, "--threads", "-4"}, {"--threads", "-4"});
  Fails(2, {"add", store_, "ns", "key", "one"}, {"DELTA"});
  Fails(2, {"add", store_, "ns", "key", "9223372036854775808"}, {"DELTA"});
  Fails(2, {"scan", store_, "ns", "--limit", "-1"}, {"--limit"});
  Fails(2, {"scan", store_, "ns", "--format", "xml"},
        {"--format: \"xml\" is none of tsv|jsonl|raw"});
  Fails(2, {"shrink", store_, "--fill", "101"}, {"--fill: \"101\" is not from 0 to 100"});
  Fails(2, {"scan", store_, "ns", "--format", "tsv", "--json"}, {"--json"});
  Fails(2, {"load", store_, "ns", "--format", "raw"}, {"--format", "raw"});
  Fails(2, {"ns"}, {"commy ns --help"});
  Fails(2, {"ns", "rename", store_, "a"}, {"TO", "commy ns rename --help"});
  EXPECT_FALSE(std::filesystem::exists(store_));
}

TEST_F(CliFaultsTest, CommandsThatOnlyReadOrRemoveCreateNoStore) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"get", store_, "ns", "key"},
                                             {"del", store_, "ns", "key"},
                                             {"scan", store_, "ns"},
                                             {"stat", store_},
                                             {"ps", store_},
                                             {"check", store_},
                                             {"ns", "list", store_},
                                             {"ns", "drop", store_, "ns"},
                                             {"ns", "rename", store_, "ns", "other"}}) {
    Fails(3, command, {store_, "commy init"});
    EXPECT_FALSE(std::filesystem::exists(store_)) << command[0];
  }
}

TEST_F(CliFaultsTest, CommandsThatWriteCreateTheStore) {
  Done({"put", temp_.File("1"), "ns", "key", "value"});
  Done({"add", temp_.File("2"), "ns", "key", "1"});
  Done({"ns", "create", temp_.File("3"), "ns"});
  Done({"load", temp_.File("4"), "ns"}, {.input = "k\tv\n"});
  for (const char* const name : {"1", "2", "3", "4"}) {
    EXPECT_TRUE(std::filesystem::exists(temp_.File(name))) << name;
  }
}

TEST_F(CliFaultsTest, CommandsThatOnlyReadCreateNoNamespace) {
  Done({"init", store_});
  Fails(1, {"get", store_, "none", "key"}, {store_, "none"});
  Fails(1, {"del", store_, "none", "key"}, {store_, "none"});
  Fails(1, {"scan", store_, "none"}, {store_, "none"});
  EXPECT_EQ(Done({"ns", "list", store_}), "");
}

TEST_F(CliFaultsTest, ADirectoryIsNoStore) {
  Fails(3, {"get", temp_.path(), "ns", "key"}, {temp_.path(), "directory"});
  Fails(3, {"put", temp_.path(), "ns", "key", "value"}, {temp_.path(), "directory"});
  Fails(3, {"put", temp_.File("no/such/place"), "ns", "key", "value"}, {"no/such/place"});
}

TEST_F(CliFaultsTest, AFileThatIsNoStoreIsLeftAlone) {
  for (const std::string& content :
       {std::string(), std::string("hello"), std::string(10'000, 'x')}) {
    std::ofstream(store_, std::ios::binary | std::ios::trunc) << content;
    Fails(3, {"get", store_, "ns", "key"}, {store_});
    Fails(3, {"put", store_, "ns", "key", "value"}, {store_});
    Fails(3, {"check", store_}, {store_});
    EXPECT_EQ(std::filesystem::file_size(store_), content.size());
  }
}

TEST_F(CliFaultsTest, ATruncatedStoreIsRefused) {
  Done({"put", store_, "ns", "key", "value"});
  for (const std::uintmax_t size : {std::uintmax_t{2'000'000}, std::uintmax_t{5000},
                                    std::uintmax_t{4096}, std::uintmax_t{100}}) {
    std::filesystem::resize_file(store_, size);
    Fails(3, {"get", store_, "ns", "key"}, {store_});
    Fails(3, {"check", store_}, {store_});
  }
}

TEST_F(CliFaultsTest, CommandsWithoutPermissionFailAndNameTheStore) {
  if (!CanBecomeNobody()) {
    GTEST_SKIP() << "NOT TESTED: needs root, and a build folder that everybody may read";
  }
  Done({"put", store_, "ns", "key", "value"});
  ASSERT_EQ(::chmod(temp_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(store_.c_str(), 0600), 0);
  Fails(3, {"get", store_, "ns", "key"}, {store_, "ermission"}, {.user = kNobody});
  Fails(3, {"put", store_, "ns", "key", "value"}, {store_, "ermission"}, {.user = kNobody});
  const std::string fresh = temp_.File("fresh.commy");
  Fails(3, {"put", fresh, "ns", "key", "value"}, {"fresh.commy", "ermission"}, {.user = kNobody});
  EXPECT_FALSE(std::filesystem::exists(fresh));
}

TEST_F(CliFaultsTest, KeysHaveZeroTo65536Bytes) {
  const std::string longest(65'536, 'k');
  Done({"put", store_, "ns", "", "empty"});
  EXPECT_EQ(Done({"get", store_, "ns", ""}), "empty");
  Done({"put", store_, "ns", longest, "longest"});
  EXPECT_EQ(Done({"get", store_, "ns", longest}), "longest");
  Fails(3, {"put", store_, "ns", longest + "k", "value"}, {store_, "65"});
  EXPECT_EQ(nlohmann::json::parse(Done({"stat", store_, "--json"}))["keys"], 2);
}

TEST_F(CliFaultsTest, BadNamespacePathsAreRefused) {
  for (const std::string& path : {std::string(), std::string("/a"), std::string("a/"),
                                  std::string("a//b"), std::string("/"), std::string(1025, 'n')}) {
    Fails(3, {"put", store_, path, "key", "value"}, {store_});
    Fails(3, {"ns", "create", store_, path}, {store_});
  }
  Done({"put", store_, std::string(1024, 'n'), "key", "value"});
}

TEST_F(CliFaultsTest, LoadBlamesNoLineForABadPath) {
  const ProgramEnd end = RunCommy({"load", store_, "a//b", "-"}, {.input = "k\tv\n"});
  EXPECT_EQ(end.code, 3);
  EXPECT_NE(end.err.find("\"a//b\""), std::string::npos) << end.err;
  EXPECT_EQ(end.err.find("line 1"), std::string::npos) << end.err;
}

TEST_F(CliFaultsTest, ACommandFailsIfItsOutputIsFull) {
  Done({"put", store_, "ns", "key", "value"});
  const ProgramOptions full = {.out_path = "/dev/full"};
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"get", store_, "ns", "key"},
                                             {"add", store_, "ns", "n", "1"},
                                             {"scan", store_, "ns"},
                                             {"stat", store_},
                                             {"ps", store_, "--json"},
                                             {"check", store_},
                                             {"layout"},
                                             {"ns", "list", store_},
                                             {"--help"},
                                             {"--version"}}) {
    Fails(3, command, {"standard output", "No space left"}, full);
  }
}

TEST_F(CliFaultsTest, OptionsOutOfRangeAreRefusedAndMakeNoFile) {
  Fails(3, {"init", store_, "--max-size", "1MiB"}, {store_});
  Fails(3, {"init", store_, "--participants", "65535"},
        {store_, "participants is 65535; it must be from 1 to 65534"});
  Fails(3, {"init", store_, "--threads", "3"},
        {store_, "threads is 3; it must be from 4 to 65526"});
  Fails(3, {"init", store_, "--snapshots", "0"},
        {store_, "snapshots is 0; it must be from 1 to 1048576"});
  Fails(3, {"init", store_, "--stale-after", "25h"}, {store_});
  Fails(3, {"init", store_, "--operation-timeout", "1us"}, {store_});
  EXPECT_FALSE(std::filesystem::exists(store_));
}

TEST_F(CliFaultsTest, AStoreAtItsMaxSizeRefusesPutsAndStillWorks) {
  Done({"init", store_, "--max-size", "16MiB"});
  Done({"put", store_, "ns", "small", "value"});
  const std::string large(32 << 20, 'x');
  Fails(3, {"put", store_, "ns", "large", "-"}, {store_, "max"}, {.input = large});
  EXPECT_EQ(Done({"get", store_, "ns", "small"}), "value");
  Done({"del", store_, "ns", "small"});
  EXPECT_EQ(nlohmann::json::parse(Done({"check", store_, "--json"}))["sound"], true);
}

TEST_F(CliFaultsTest, AFullDiskFailsPutsAndTheStoreStillWorks) {
  const SmallDisk disk(std::uint64_t{24} << 20U);
  if (!disk.mounted()) {
    GTEST_SKIP() << "NOT TESTED: " << disk.error();
  }
  const std::string store = disk.File("fleet.commy");
  Done({"put", store, "ns", "small", "value"});
  const std::string large(32 << 20, 'x');
  Fails(3, {"put", store, "ns", "large", "-"}, {store}, {.input = large});
  std::string lines;
  for (int i = 0; i < 40'000; ++i) {
    lines += "key" + std::to_string(i) + "\t" + std::string(1000, 'v') + "\n";
  }
  Fails(3, {"load", store, "ns"}, {store, "line", "records were loaded"}, {.input = lines});
  EXPECT_EQ(Done({"get", store, "ns", "small"}), "value");
  EXPECT_EQ(Done({"get", store, "ns", "key0"}), std::string(1000, 'v'));
  Done({"del", store, "ns", "key0"});
  Done({"put", store, "ns", "small", "other"});
  EXPECT_EQ(nlohmann::json::parse(Done({"check", store, "--json"}))["sound"], true);
}

TEST_F(CliFaultsTest, ANewStoreWithoutRoomFailsAndLeavesNoFile) {
  const SmallDisk disk(std::uint64_t{64} << 10U);
  if (!disk.mounted()) {
    GTEST_SKIP() << "NOT TESTED: " << disk.error();
  }
  const std::string store = disk.File("fleet.commy");
  Fails(3, {"put", store, "ns", "key", "value"}, {store});
  EXPECT_FALSE(std::filesystem::exists(store));
}

TEST_F(CliFaultsTest, TheErrorForAMissingStoreNamesTheRemedy) {
  Fails(3, {"get", store_, "ns", "key"}, {store_, "commy init"});
  Fails(3, {"put", temp_.File("no/such"), "ns", "key", "value"},
        {"there is no directory " + temp_.File("no")});
  std::filesystem::create_symlink("nothing", temp_.File("link"));
  Fails(3, {"get", temp_.File("link"), "ns", "key"}, {"remove the link"});
  Fails(3, {"put", temp_.File("link"), "ns", "key", "value"}, {"symbolic link to nothing"});
}

TEST_F(CliFaultsTest, PsListsTheParticipantsWhenAllSlotsAreTaken) {
  Done({"init", store_, "--participants", "4"});
  std::vector<Store> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(*Store::Open(store_));
  }
  Fails(3, {"get", store_, "ns", "key"},
        {"all 4 participant slots are taken", "commy ps", "commy init --participants"});
  const ProgramEnd end = RunCommy({"ps", store_, "--json"});
  ExpectLine(end, 0, {"warning", "all 4 participant slots are taken"});
  EXPECT_EQ(nlohmann::json::parse(end.out).size(), 4U);
}

TEST_F(CliFaultsTest, AReverseScanOfAHashNamespaceSaysThatItHasNoOrder) {
  Done({"put", store_, "ns", "key", "value"});
  Fails(3, {"scan", store_, "ns", "--reverse"}, {store_, "order"});
}

}  // namespace
}  // namespace commy::test
