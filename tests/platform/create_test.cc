// A new file appears complete under its name or not at all, also when several make it at once, and
// also where the file system has no nameless files.
#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "platform/linux_platform.h"
#include "platform/platform_fixture.h"
#include "support/child_process.h"

namespace commy::platform {
namespace {

using absl::StatusCode;

class NoNamelessFiles : public LinuxPlatform {
 protected:
  int OpenUnnamed(const std::string& /*directory*/) override {
    errno = EOPNOTSUPP;
    return -1;
  }
};

enum class Way { kNameless, kProvisional };

class CreateTest : public PlatformFixture, public testing::WithParamInterface<Way> {
 protected:
  Platform& os() {
    return GetParam() == Way::kNameless ? static_cast<Platform&>(nameless_) : provisional_;
  }

  std::size_t FilesInDirectory() {
    const std::filesystem::directory_iterator begin(temp_.path());
    return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
  }

  std::string ContentOf(const std::string& path) {
    const Descriptor file = MustOpen(path);
    std::string content(64, '\0');
    content.resize(os_.ReadAt(file.fd(), content.data(), content.size(), 0).value_or(0));
    return content;
  }

  const std::string path_ = temp_.File("region");

 private:
  LinuxPlatform nameless_;
  NoNamelessFiles provisional_;
};

TEST_P(CreateTest, AFilesNameAppearsWithLinkAndWithTheWholeContent) {
  auto made = os().CreateUnlinked(path_);
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(::pwrite(made->fd(), "whole", 5, 0), 5);
  EXPECT_EQ(os().DescribePath(path_).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(os().Link(made->fd(), path_).ok());
  EXPECT_EQ(ContentOf(path_), "whole");
  made->Close();
  EXPECT_EQ(ContentOf(path_), "whole");
  EXPECT_EQ(FilesInDirectory(), 1U);
}

TEST_P(CreateTest, AFileThatIsNeverLinkedLeavesNothing) {
  {
    const auto made = os().CreateUnlinked(path_);
    ASSERT_TRUE(made.ok());
    EXPECT_EQ(FilesInDirectory(), GetParam() == Way::kNameless ? 0U : 1U);
  }
  EXPECT_EQ(FilesInDirectory(), 0U);
}

TEST_P(CreateTest, LinkOverAnExistingFileLeavesItAlone) {
  const auto first = os().CreateUnlinked(path_);
  ASSERT_EQ(::pwrite(first->fd(), "first", 5, 0), 5);
  ASSERT_TRUE(os().Link(first->fd(), path_).ok());
  {
    const auto second = os().CreateUnlinked(path_);
    ASSERT_EQ(::pwrite(second->fd(), "second", 6, 0), 6);
    const absl::Status status = os().Link(second->fd(), path_);
    EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
    EXPECT_NE(MessageOf(status).find(path_), std::string::npos) << status;
  }
  EXPECT_EQ(ContentOf(path_), "first");
  EXPECT_EQ(FilesInDirectory(), 1U);
}

TEST_P(CreateTest, ExactlyOneOfRacingLinksWinsAndItsFileHasTheName) {
  constexpr int kRacers = 6;
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    const std::string path = temp_.File("raced" + std::to_string(round));
    std::vector<std::unique_ptr<test::ChildProcess>> racers;
    for (int i = 0; i < kRacers; ++i) {
      racers.push_back(std::make_unique<test::ChildProcess>([&, i](test::ChildSide& parent) {
        const auto made = os().CreateUnlinked(path);
        const std::string content = "racer " + std::to_string(i);
        if (!made.ok() || ::pwrite(made->fd(), content.data(), content.size(), 0) < 0) {
          return 1;
        }
        parent.Send("ready");
        parent.Receive();
        const absl::Status linked = os().Link(made->fd(), path);
        parent.Send(linked.ok()                                   ? content
                    : linked.code() == StatusCode::kAlreadyExists ? "lost"
                                                                  : "error");
        return 0;
      }));
    }
    for (const auto& racer : racers) {
      ASSERT_EQ(racer->Receive(), "ready");
    }
    for (const auto& racer : racers) {
      racer->Send("go");
    }
    std::string winner;
    int losers = 0;
    for (const auto& racer : racers) {
      const std::string result = racer->Receive().value_or("gone");
      losers += result == "lost" ? 1 : 0;
      winner = result == "lost" ? winner : result;
    }
    EXPECT_EQ(losers, kRacers - 1);
    EXPECT_EQ(ContentOf(path), winner);
  }
}

TEST_P(CreateTest, APathWithoutAFileNameIsInvalid) {
  for (const std::string& path :
       {std::string(), temp_.path() + "/", temp_.File("."), temp_.File("..")}) {
    EXPECT_EQ(os().CreateUnlinked(path).status().code(), StatusCode::kInvalidArgument) << path;
  }
}

TEST_P(CreateTest, AMissingDirectoryIsNotFound) {
  const absl::Status status = os().CreateUnlinked(temp_.File("no/region")).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(MessageOf(status).find("no/region"), std::string::npos) << status;
}

TEST_P(CreateTest, AnUnlinkedFileCanBeReopened) {
  const auto made = os().CreateUnlinked(path_);
  ASSERT_TRUE(made.ok());
  const auto again = os().Reopen(made->fd(), Access::kReadWrite);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(os().Describe(made->fd())->identity, os().Describe(again->fd())->identity);
}

INSTANTIATE_TEST_SUITE_P(Files, CreateTest, testing::Values(Way::kNameless, Way::kProvisional),
                         [](const auto& test) {
                           return test.param == Way::kNameless ? "Nameless" : "Provisional";
                         });

}  // namespace
}  // namespace commy::platform
