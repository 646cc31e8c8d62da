// commy top: live on a terminal, and as pictures through a pipe.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "nlohmann/json.hpp"

#include "support/wait_for.h"
#include "tools/cli_fixture.h"
#include "tools/terminal.h"

namespace commy::test {
namespace {

using nlohmann::json;

constexpr std::string_view kEnter = "\x1b[?1049h";
constexpr std::string_view kLeave = "\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kDrawn = "\x1b[J";  // Ends each picture.

class CliTopTest : public CliFixture {
 protected:
  void SetUp() override { Done({"put", store_, "acme/config", "k", "v"}); }
};

// With a terminal, on which `commy top` runs.
class CliTopLiveTest : public CliTopTest {
 protected:
  void SetUp() override {
    CliTopTest::SetUp();
    if (!terminal_.ok()) {
      GTEST_SKIP() << "NOT TESTED: no pseudo-terminals here (/dev/pts is not mounted)";
    }
  }

  // `stays`: the program does not end by itself, which gives the terminal's modes back.
  void Start(const std::vector<std::string>& options, bool stays = true) {
    std::vector<std::string> words = {"top", store_};
    words.insert(words.end(), options.begin(), options.end());
    modes_ = terminal_.Modes();
    program_.emplace(words, ProgramOptions{.terminal_fd = terminal_.fd()});
    ASSERT_TRUE(Shown(kDrawn)) << terminal_.Written();
    EXPECT_TRUE(Shown(kEnter));
    if (stays) {
      EXPECT_EQ(terminal_.Modes().c_lflag & (ICANON | ECHO), 0U);
    }
  }

  bool Shown(std::string_view text) {
    return WaitFor([&] { return terminal_.Written().find(text) != std::string::npos; });
  }

  ProgramEnd End() {
    ProgramEnd end = program_->Wait();
    EXPECT_TRUE(terminal_.Written().ends_with("\x1b[?7h\x1b[?25h\x1b[?1049l"))
        << terminal_.Written();
    EXPECT_EQ(terminal_.Modes().c_lflag, modes_.c_lflag);
    EXPECT_EQ(terminal_.Modes().c_iflag, modes_.c_iflag);
    return end;
  }

  // The lines of the last whole picture.
  std::vector<std::string> LastPicture() {
    const std::string& all = terminal_.Written();
    const std::size_t end = all.rfind(kDrawn);
    const std::size_t begin = all.rfind(kHome, end) + kHome.size();
    std::vector<std::string> lines(1);
    for (const char character : all.substr(begin, end - begin)) {
      if (character == '\n') {
        lines.emplace_back();
      } else {
        lines.back() += character;
      }
    }
    for (std::string& line : lines) {
      line.erase(std::min(line.find('\x1b'), line.size()));
    }
    return lines;
  }

  Terminal terminal_;
  termios modes_{};
  std::optional<Program> program_;
};

TEST_F(CliTopLiveTest, QEndsTopAndRestoresTheTerminal) {
  Start({"--interval", "1h"});
  EXPECT_TRUE(Shown("acme/config"));
  EXPECT_TRUE(Shown("commy top"));  // The program itself, as a participant.
  terminal_.Type("xq");
  const ProgramEnd end = End();
  EXPECT_EQ(end.code, 0);
  EXPECT_EQ(end.err, "");
}

TEST_F(CliTopLiveTest, CtrlCAndSigtermRestoreTheTerminalAndEndTopByThatSignal) {
  Start({"--interval", "1h"});
  terminal_.Type("\x03");
  EXPECT_EQ(End().signal, SIGINT);
  terminal_.Clear();
  Start({"--interval", "1h"});
  program_->Signal(SIGTERM);
  EXPECT_EQ(End().signal, SIGTERM);
}

TEST_F(CliTopLiveTest, AResizeRedrawsWithoutWrappedLines) {
  Start({"--interval", "1h"});
  EXPECT_GT(LastPicture().size(), 6U);
  terminal_.Clear();
  terminal_.Resize(6, 20);
  ASSERT_TRUE(Shown(kDrawn));  // The interval has not elapsed.
  const std::vector<std::string> lines = LastPicture();
  EXPECT_LE(lines.size(), 6U);
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 21U) << line;  // Includes the carriage return.
  }
  terminal_.Type("q");
  EXPECT_EQ(End().code, 0);
}

TEST_F(CliTopLiveTest, TopShowsNewAndDroppedNamespacesAtTheNextInterval) {
  Start({"--interval", "10ms"});
  EXPECT_TRUE(Shown("rates over "));
  const Namespace ns = MustOpen(store_, "later/made");
  EXPECT_TRUE(Shown("later/made"));
  Done({"ns", "drop", store_, "later/made"});
  EXPECT_TRUE(WaitFor([&] {
    terminal_.Clear();
    return Shown(kHome) && Shown(kDrawn) && LastPicture().size() > 6 &&
           terminal_.Written().find("later/made") == std::string::npos;
  }));
  terminal_.Type("q");
  EXPECT_EQ(End().code, 0);
}

TEST_F(CliTopLiveTest, CtrlZRestoresTheTerminalUntilTopResumes) {
  Start({"--interval", "1h"});
  terminal_.Clear();
  terminal_.Type("\x1a");
  ASSERT_TRUE(Shown(kLeave));
  EXPECT_TRUE(WaitFor([&] {
    std::ifstream stat("/proc/" + std::to_string(program_->pid()) + "/stat");
    std::string line;
    std::getline(stat, line);
    return line.find(") T ") != std::string::npos;
  }));
  EXPECT_EQ(terminal_.Modes().c_lflag, modes_.c_lflag);
  program_->Signal(SIGCONT);
  EXPECT_TRUE(Shown(kEnter));
  EXPECT_TRUE(Shown(kDrawn));
  terminal_.Type("q");
  EXPECT_EQ(End().code, 0);
}

TEST_F(CliTopLiveTest, TopFailsWhenTheStoreIsRemoved) {
  Start({"--interval", "10ms"});
  ASSERT_EQ(::unlink(store_.c_str()), 0);
  ExpectLine(End(), 3, {store_, "was removed"});
}

TEST_F(CliTopLiveTest, TopFailsWhenAnotherStoreReplacesIt) {
  Start({"--interval", "10ms"});
  const std::string other = temp_.File("other.commy");
  Done({"init", other});
  ASSERT_EQ(std::rename(other.c_str(), store_.c_str()), 0);
  ExpectLine(End(), 3, {store_, "was replaced"});
}

TEST_F(CliTopLiveTest, TopEndsAfterCountPictures) {
  Start({"--interval", "1ms", "--count", "3"}, false);
  EXPECT_EQ(End().code, 0);
}

TEST_F(CliTopTest, TopThroughAPipeIsOnePictureOfPlainText) {
  const std::string text = Done({"top", store_, "--interval", "1ms"});
  EXPECT_TRUE(text.starts_with(store_ + "  rates over ")) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  for (const char* const word : {"1 keys", "retired", "HEARTBEAT", "commy top", "acme/config"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << " is missing in:\n" << text;
  }
}

TEST_F(CliTopTest, TopAsJsonIsOneObject) {
  const json picture = json::parse(Done({"top", store_, "--json", "--interval", "1ms"}));
  EXPECT_EQ(picture["path"], store_);
  EXPECT_GE(picture["interval_s"].get<double>(), 0.001);
  EXPECT_EQ(picture["keys"], 1);
  EXPECT_TRUE(picture["commits_per_second"].is_number());
  EXPECT_GT(picture["file_bytes"].get<std::int64_t>(), 0);
  ASSERT_EQ(picture["participants"].size(), 1U);
  EXPECT_EQ(picture["participants"][0]["name"], "commy top");
  EXPECT_EQ(picture["participants"][0]["state"], "live");
  ASSERT_EQ(picture["namespaces"].size(), 1U);
  EXPECT_EQ(picture["namespaces"][0]["path"], "acme/config");
  EXPECT_EQ(picture["namespaces"][0]["keys_per_second"], 0.0);
}

TEST_F(CliTopTest, TopKeepsRunningWhileParticipantsAndNamespacesComeAndGo) {
  Program top({"top", store_, "--interval", "1ms", "--count", "50"});
  bool ended = false;
  while (!ended) {
    { const Namespace ns = MustOpen(store_, "short/lived"); }
    const absl::StatusOr<Store> store = Store::Open(store_);
    ASSERT_TRUE(store.ok());
    EXPECT_TRUE(store->DropNamespace("short/lived").ok());
    ended = top.Ended();
  }
  const ProgramEnd end = top.Wait();
  EXPECT_EQ(end.code, 0) << end.err;
}

TEST_F(CliTopTest, SigtermEndsTopDuringItsInterval) {
  Program top({"top", store_, "--interval", "1h"});
  const Namespace ns = MustOpen(store_, "acme/config");
  const absl::StatusOr<Store> store = Store::Open(store_);
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE(WaitFor([&] { return store->Participants()->size() == 3; }));
  top.Signal(SIGTERM);
  EXPECT_EQ(top.Wait().signal, SIGTERM);
}

TEST_F(CliTopTest, TopCreatesNoStoreAndRefusesOptionsOutOfRange) {
  Fails(3, {"top", temp_.File("none.commy")}, {"none.commy"});
  EXPECT_NE(::access(temp_.File("none.commy").c_str(), F_OK), 0);
  Fails(2, {"top", store_, "--interval", "0s"}, {"--interval"});
  for (const std::string text : {"inf", "25h"}) {
    Fails(2, {"top", store_, "--interval", text}, {"--interval", text, "at most 24h"});
  }
  for (const std::string text : {"0", "-1", "nan", "inf", "1e400", "", "1.5"}) {
    Fails(2, {"top", store_, "--count", text},
          {"--count", "\"" + text + "\"", "from 1 to 18446744073709551615"});
  }
}

}  // namespace
}  // namespace commy::test
