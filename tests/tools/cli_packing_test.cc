// backup and compact: their output, their exit status and their options.
#include <filesystem>
#include <fstream>

#include "nlohmann/json.hpp"

#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

class CliPackingTest : public CliFixture {
 protected:
  void SetUp() override {
    Done({"init", store_, "--max-size", "64MiB"});
    for (const char* const key : {"one", "two", "three"}) {
      Done({"put", store_, "ns", key, std::string("value of ") + key});
    }
    Done({"del", store_, "ns", "two"});
    Done({"ns", "quota", store_, "acme", "1MiB"});  // It is kept in keys of its own.
  }
  void ExpectContent(const std::string& path) const {
    EXPECT_EQ(Done({"get", path, "ns", "one"}), "value of one");
    EXPECT_EQ(Done({"get", path, "ns", "three"}), "value of three");
    EXPECT_EQ(RunCommy({"get", path, "ns", "two"}).code, 1);
    EXPECT_TRUE(Done({"check", path}).ends_with("sound\n"));
  }

  const std::string store_ = temp_.File("store.commy");
  const std::string copy_ = temp_.File("copy.commy");
};

TEST_F(CliPackingTest, BackupMakesAStoreAndSaysHowLargeItIs) {
  const std::string text = Done({"backup", store_, copy_});
  EXPECT_TRUE(text.starts_with(copy_ + ": backup of " + store_ + ": 2 keys in 1 namespaces, "))
      << text;
  ExpectContent(copy_);
  ExpectContent(store_);
}

TEST_F(CliPackingTest, BackupReportsInJson) {
  const auto report =
      nlohmann::json::parse(Done({"backup", store_, copy_, "--json", "--limit", "100MiB"}));
  EXPECT_EQ(report["path"], copy_);
  EXPECT_EQ(report["keys"], 2);
  EXPECT_EQ(report["namespaces"], 1);
  EXPECT_GT(report["bytes_before"], 0);
  EXPECT_GT(report["bytes_after"], 0);
  EXPECT_GE(report["seconds"], 0);
  EXPECT_GT(report["commit_time"], 0);
}

TEST_F(CliPackingTest, BackupReplacesAFileOnlyWhenToldTo) {
  Done({"put", copy_, "mine", "k", "v"});
  Fails(3, {"backup", store_, copy_}, {copy_, "exists", "--overwrite"});
  Done({"backup", store_, copy_, "--overwrite"});
  ExpectContent(copy_);
  std::ofstream(copy_, std::ios::trunc) << "a letter";
  Fails(3, {"backup", store_, copy_, "--overwrite"}, {copy_, "is no store"});
}

TEST_F(CliPackingTest, BackupFailsWithALineThatNamesTheRemedy) {
  Fails(3, {"backup", temp_.File("none"), copy_}, {"none", "commy init"});
  Fails(3, {"backup", store_, temp_.File("no/directory")}, {"directory"});
  Fails(2, {"backup", store_}, {"DEST"});
  Fails(2, {"backup", store_, copy_, "--limit", "fast"}, {"--limit"});
  EXPECT_FALSE(std::filesystem::exists(copy_));
}

TEST_F(CliPackingTest, CompactReplacesTheStoreAndKeepsWhatIsNotGiven) {
  const std::string text = Done({"compact", store_, "--participants", "7"});
  EXPECT_TRUE(text.starts_with(store_ + ": compacted: 2 keys in 1 namespaces, ")) << text;
  ExpectContent(store_);
  const auto stat = nlohmann::json::parse(Done({"stat", store_, "--json"}));
  EXPECT_EQ(stat["participants_max"], 7);
  EXPECT_EQ(stat["max_size_bytes"], 64 << 20);
  EXPECT_EQ(stat["threads_max"], 4096);
}

TEST_F(CliPackingTest, CompactTakesAllLimits) {
  Done({"compact", store_, "--max-size", "1GiB", "--participants", "8", "--threads", "9",
        "--snapshots", "10", "--stale-after", "2s", "--operation-timeout", "3s",
        "--heartbeat-interval", "400ms"});
  const auto stat = nlohmann::json::parse(Done({"stat", store_, "--json"}));
  EXPECT_EQ(stat["max_size_bytes"], 1 << 30);
  EXPECT_EQ(stat["participants_max"], 8);
  EXPECT_EQ(stat["threads_max"], 9);
  EXPECT_EQ(stat["snapshots_max"], 10);
  EXPECT_EQ(stat["stale_after_ms"], 2000);
  EXPECT_EQ(stat["operation_timeout_ms"], 3000);
  EXPECT_EQ(stat["heartbeat_interval_ms"], 400);
  ExpectContent(store_);
}

TEST_F(CliPackingTest, CompactIntoANewFileLeavesTheStoreAlone) {
  const auto report =
      nlohmann::json::parse(Done({"compact", store_, copy_, "--json", "--max-size", "128MiB"}));
  EXPECT_EQ(report["path"], copy_);
  EXPECT_EQ(report["keys"], 2);
  EXPECT_EQ(nlohmann::json::parse(Done({"stat", store_, "--json"}))["max_size_bytes"], 64 << 20);
  EXPECT_EQ(nlohmann::json::parse(Done({"stat", copy_, "--json"}))["max_size_bytes"], 128 << 20);
  ExpectContent(copy_);
  ExpectContent(store_);
  Fails(3, {"compact", store_, copy_}, {copy_, "exists"});
}

TEST_F(CliPackingTest, CompactFailsWithALineThatNamesTheRemedy) {
  Fails(3, {"compact", temp_.File("none")}, {"none", "No such file", "name one that is there"});
  Fails(3, {"compact", store_, "--participants", "0"}, {"participants", "from 1"});
  Fails(2, {"compact", store_, "--threads", "many"}, {"--threads", "not a count"});
  const absl::StatusOr<Store> user = Store::Open(store_, {.process_name = "the user"});
  ASSERT_TRUE(user.ok());
  Fails(3, {"compact", store_}, {"in use by process", "(the user)", "commy backup"});
}

}  // namespace
}  // namespace commy::test
