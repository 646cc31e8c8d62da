// Cron jobs, daemons and scripts run programs with standard descriptors closed. No command may then
// print into the store, or read from it.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

class ClosedStreamsTest : public CliFixture, public testing::WithParamInterface<std::vector<int>> {
 protected:
  [[nodiscard]] static bool Closes(int fd) {
    const std::vector<int>& closed = GetParam();
    return std::find(closed.begin(), closed.end(), fd) != closed.end();
  }
};

TEST_P(ClosedStreamsTest, NoCommandHarmsTheStoreThoughStreamsAreClosed) {
  const std::string original = temp_.File("original");
  std::string lines;
  for (int i = 0; i < 3'000; ++i) {
    lines += std::to_string(i) + "\tvalue-" + std::to_string(i) + "\n";
  }
  Done({"load", original, "n", "-"}, {.input = lines});
  Done({"put", original, "n", "", "empty"});  // A dump of it prints a warning.
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"get", store_, "n", "5"},
           {"get", store_, "n", "absent"},
           {"scan", store_, "n"},
           {"dump", store_, "n"},
           {"dump", store_, "n", temp_.File("dump")},
           {"dump", store_, "n", "/dev/stdout"},
           {"dump", "--all", store_},
           {"stat", store_},
           {"stat", store_, "--json"},
           {"ps", store_},
           {"check", store_},
           {"layout"},
           {"ns", "list", store_},
           {"ns", "drop", store_, "absent"},
           {"ns", "create", store_, "new"},
           {"add", store_, "n", "count", "1"},
           {"add", store_, "n", "5", "1"},
           {"put", store_, "n", "key", "value"},
           {"put", store_, "n", "key", "-"},
           {"del", store_, "n", "7"},
           {"load", store_, "n", "/absent"},
           {"load", store_, "n", original},
           {"load", store_, "n", "-"},
           {"top", store_, "--count", "1", "--interval", "20ms"},
           {"recover", store_, temp_.File("recovered")},
           {"backup", store_, temp_.File("recovered")},
           {"compact", store_},
           {"bench", store_, "--keys", "100", "--seconds", "0.01"},
           {"--help"},
           {"frobnicate"}}) {
    std::filesystem::remove(store_);
    std::filesystem::remove(temp_.File("recovered"));
    std::filesystem::copy_file(original, store_);
    const ProgramEnd end = RunCommy(command, {.input = "a\tb\n", .closed = GetParam()});
    EXPECT_EQ(end.signal, 0) << command[0];
    EXPECT_EQ(nlohmann::json::parse(Done({"check", store_, "--json"}))["sound"], true)
        << "commy " << command[0];
    EXPECT_EQ(Done({"get", store_, "n", "6"}), "value-6") << "commy " << command[0];
  }
}

TEST_P(ClosedStreamsTest, ACommandFailsIfAStreamThatItNeedsIsClosed) {
  Done({"put", store_, "n", "key", "value"});
  EXPECT_EQ(RunCommy({"get", store_, "n", "key"}, {.closed = GetParam()}).code, Closes(1) ? 3 : 0);
  EXPECT_EQ(RunCommy({"load", store_, "n", "-"}, {.input = "a\tb\n", .closed = GetParam()}).code,
            Closes(0) || Closes(1) ? 3 : 0);
}

INSTANTIATE_TEST_SUITE_P(Closed, ClosedStreamsTest,
                         testing::Values(std::vector<int>{0}, std::vector<int>{1},
                                         std::vector<int>{2}, std::vector<int>{0, 1},
                                         std::vector<int>{1, 2}, std::vector<int>{0, 1, 2}),
                         [](const auto& test) {
                           std::string name;
                           for (const int fd : test.param) {
                             name += std::to_string(fd);
                           }
                           return name;
                         });

}  // namespace
}  // namespace commy::test
