// Commands that write to a FILE: the file keeps its mode, owner and links, is old or new and never
// half, and no other file is left. A file that is not regular is written into; the store is
// refused.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "nlohmann/json.hpp"

#include "support/small_disk.h"
#include "support/wait_for.h"
#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public CliFixture {
 protected:
  void SetUp() override {
    Done({"put", store_, "n", "key", "value"});
    Done({"put", store_, "other", "key", "value"});
    dump_ = Done({"dump", store_, "n"});
  }

  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::string Old(const std::string& name) {
    std::ofstream(temp_.File(name)) << "old";
    return temp_.File(name);
  }
  static struct stat Facts(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
    return facts;
  }
  static std::size_t FilesIn(const std::string& directory) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
  }
  void StoreIsWhole() {
    EXPECT_EQ(nlohmann::json::parse(Done({"check", store_, "--json"}))["sound"], true);
    EXPECT_EQ(Done({"get", store_, "other", "key"}), "value");
  }
  static bool Catches(pid_t pid, int signal_number) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("SigCgt:")) {
        return ((std::stoull(line.substr(7), nullptr, 16) >> (signal_number - 1)) & 1U) != 0;
      }
    }
    return false;
  }
  // Enough keys for a dump to take a while.
  void Fill() {
    std::string lines;
    for (int i = 0; i < 100'000; ++i) {
      lines += std::to_string(i) + "\t" + std::string(40, 'v') + "\n";
    }
    Done({"load", store_, "n", "-"}, {.input = lines});
  }

  std::string dump_;
};

TEST_F(OutputFileTest, ANewFileHasTheModeThatTheUmaskLeaves) {
  const mode_t mask = ::umask(027);
  Done({"dump", store_, "n", temp_.File("new")});
  ::umask(mask);
  EXPECT_EQ(Read(temp_.File("new")), dump_);
  EXPECT_EQ(Facts(temp_.File("new")).st_mode & 07777U, 0640U);
}

TEST_F(OutputFileTest, AnOldFileKeepsItsMode) {
  const std::string file = Old("secret");
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  Done({"dump", store_, "n", file});
  EXPECT_EQ(Read(file), dump_);
  EXPECT_EQ(Facts(file).st_mode & 07777U, 0600U);
}

TEST_F(OutputFileTest, AnOldFileKeepsItsOwner) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "NOT TESTED: needs root, to give a file away";
  }
  const std::string file = Old("theirs");
  ASSERT_EQ(::chown(file.c_str(), 65534, 65533), 0);
  Done({"dump", store_, "n", file});
  EXPECT_EQ(Read(file), dump_);
  EXPECT_EQ(Facts(file).st_uid, 65534U);
  EXPECT_EQ(Facts(file).st_gid, 65533U);
}

TEST_F(OutputFileTest, ADumpThatCannotKeepTheOwnerFailsAndTheOldFileStays) {
  if (::geteuid() != 0 || RunCommy({"--version"}, {.user = 65534}).code != 0) {
    GTEST_SKIP() << "NOT TESTED: needs root, and a build folder that everybody may read";
  }
  const std::string file = Old("roots");
  ASSERT_EQ(::chmod(temp_.path().c_str(), 0777), 0);
  ASSERT_EQ(::chmod(store_.c_str(), 0666), 0);
  Fails(3, {"dump", store_, "n", file}, {file, "belongs to user 0"}, {.user = 65534});
  EXPECT_EQ(Read(file), "old");
}

TEST_F(OutputFileTest, ASymbolicLinkStaysAndItsTargetIsReplaced) {
  fs::create_directory(temp_.File("below"));
  const std::string target = Old("below/target");
  fs::create_symlink("below/target", temp_.File("link"));
  fs::create_symlink("link", temp_.File("link to link"));
  Done({"dump", store_, "n", temp_.File("link to link")});
  EXPECT_TRUE(fs::is_symlink(temp_.File("link to link")));
  EXPECT_TRUE(fs::is_symlink(temp_.File("link")));
  EXPECT_EQ(Read(target), dump_);
  EXPECT_EQ(FilesIn(temp_.File("below")), 1U);
}

TEST_F(OutputFileTest, ASymbolicLinkToNothingGetsItsTarget) {
  fs::create_symlink("made", temp_.File("link"));
  Done({"dump", store_, "n", temp_.File("link")});
  EXPECT_TRUE(fs::is_symlink(temp_.File("link")));
  EXPECT_EQ(Read(temp_.File("made")), dump_);
}

TEST_F(OutputFileTest, AFifoIsWrittenIntoAndStaysOne) {
  const std::string fifo = temp_.File("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Program program({"dump", store_, "n", fifo});
  EXPECT_EQ(Read(fifo), dump_);
  EXPECT_EQ(program.Wait().code, 0);
  EXPECT_TRUE(S_ISFIFO(Facts(fifo).st_mode));
}

TEST_F(OutputFileTest, ACommandThatWaitsForAReaderOfAFifoCanBeInterrupted) {
  const std::string fifo = temp_.File("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Program program({"dump", store_, "n", fifo});
  ASSERT_TRUE(WaitFor([&] { return Catches(program.pid(), SIGTERM); }));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait().signal, SIGTERM);
}

TEST_F(OutputFileTest, ADeviceIsWrittenIntoAndStaysOne) {
  const std::string device = temp_.File("null");
  if (::mknod(device.c_str(), S_IFCHR | 0666, ::makedev(1, 3)) != 0) {
    GTEST_SKIP() << "NOT TESTED: needs root, to make a device node";
  }
  Done({"dump", store_, "n", device});
  EXPECT_TRUE(S_ISCHR(Facts(device).st_mode));
  EXPECT_EQ(Facts(device).st_rdev, ::makedev(1, 3));
}

TEST_F(OutputFileTest, ASocketIsWrittenInto) {
  const std::string path = temp_.File("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::copy(path.begin(), path.end(), address.sun_path);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  Program program({"dump", store_, "n", path});
  const int got = ::accept(listener, nullptr, nullptr);
  std::string text(dump_.size() + 100, '\0');
  text.resize(static_cast<std::size_t>(::recv(got, text.data(), text.size(), MSG_WAITALL)));
  EXPECT_EQ(text, dump_);
  EXPECT_EQ(program.Wait().code, 0);
  EXPECT_TRUE(S_ISSOCK(Facts(path).st_mode));
  ::close(got);
  ::close(listener);
}

TEST_F(OutputFileTest, ADescriptorIsWrittenIntoByEachOfItsNames) {
  fs::create_symlink("/proc/self/fd/1", temp_.File("stdout"));
  for (const std::string& name : {std::string("/dev/stdout"), std::string("/dev/fd/1"),
                                  std::string("/proc/self/fd/1"), temp_.File("stdout")}) {
    EXPECT_EQ(Done({"dump", store_, "n", name}), dump_) << name;
  }
  EXPECT_TRUE(fs::is_symlink(temp_.File("stdout")));
  // A file that a shell has opened for appending is appended to, and not replaced.
  const std::string file = Old("appended");
  const ino_t inode = Facts(file).st_ino;
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  EXPECT_EQ(RunCommy({"dump", store_, "n", "/dev/stdout"}, {.out_fd = fd}).code, 0);
  ::close(fd);
  EXPECT_EQ(Read(file), "old" + dump_);
  EXPECT_EQ(Facts(file).st_ino, inode);
}

TEST_F(OutputFileTest, TheStoreItselfIsRefusedByAnyName) {
  const std::string symbolic = temp_.File("symbolic");
  fs::create_symlink(store_, symbolic);
  const std::string hard = temp_.File("hard");
  fs::create_hard_link(store_, hard);
  for (const std::string& name : {store_, symbolic, hard}) {
    Fails(3, {"dump", store_, "n", name}, {name, "is the store"});
    Fails(3, {"dump", name, "n", store_}, {store_, "is the store"});
    Fails(3, {"dump", "--all", store_, name}, {name, "is the store"});
    StoreIsWhole();
  }
}

TEST_F(OutputFileTest, TheStoreOnAnotherMountIsRefused) {
  const std::string mounted = temp_.File("mounted");
  fs::create_directory(mounted);
  if (::mount(temp_.path().c_str(), mounted.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    GTEST_SKIP() << "NOT TESTED: needs root, to mount the folder a second time";
  }
  Fails(3, {"dump", store_, "n", mounted + "/fleet.commy"}, {mounted, "is the store"});
  ASSERT_EQ(::umount(mounted.c_str()), 0);
  StoreIsWhole();
}

TEST_F(OutputFileTest, AStandardOutputThatIsTheStoreIsRefused) {
  for (const int flags : {O_RDWR, O_RDWR | O_APPEND}) {
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"dump", store_, "n"},
                                               {"dump", store_, "n", "/dev/stdout"},
                                               {"scan", store_, "n"},
                                               {"get", store_, "n", "key"},
                                               {"stat", store_},
                                               {"check", store_},
                                               {"backup", store_, temp_.File("backup")},
                                               {"compact", store_},
                                               {"recover", store_, temp_.File("recovered")}}) {
      const std::uintmax_t size = fs::file_size(store_);
      const int fd = ::open(store_.c_str(), flags | O_CLOEXEC);
      const ProgramEnd end = RunCommy(command, {.out_fd = fd});
      ::close(fd);
      ExpectLine(end, 3, {store_, "standard output is the store"});
      EXPECT_EQ(fs::file_size(store_), size);
      StoreIsWhole();
    }
  }
}

TEST_F(OutputFileTest, ADirectoryAndAMissingOneAreRefused) {
  Fails(3, {"dump", store_, "n", temp_.path()}, {temp_.path(), "is a directory"});
  Fails(3, {"dump", store_, "n", temp_.path() + "/"}, {temp_.path(), "is a directory"});
  Fails(3, {"dump", store_, "n", temp_.File("no/file")}, {temp_.File("no/file"), "No such file"});
  fs::create_symlink("loop", temp_.File("loop"));
  Fails(3, {"dump", store_, "n", temp_.File("loop")}, {temp_.File("loop"), "symbolic links"});
}

class InterruptedDumpTest : public OutputFileTest, public testing::WithParamInterface<int> {};

TEST_P(InterruptedDumpTest, AnInterruptedDumpLeavesTheOldFileAndNoOther) {
  Fill();
  fs::create_directory(temp_.File("out"));
  const std::string file = Old("out/file");
  int interrupted = 0;
  // Interrupted at once, and a little later each time, until the dump ends first.
  for (int steps = 0; interrupted < 20; ++steps) {
    Program program({"dump", store_, "n", file});
    for (int i = 0; i < steps && !program.Ended(); ++i) {
      std::this_thread::yield();
    }
    program.Signal(GetParam());
    const ProgramEnd end = program.Wait();
    EXPECT_EQ(FilesIn(temp_.File("out")), 1U);
    if (end.signal == 0) {
      break;
    }
    ++interrupted;
    EXPECT_EQ(end.signal, GetParam());
    EXPECT_EQ(Read(file), "old");
  }
  EXPECT_GT(interrupted, 0);
}

INSTANTIATE_TEST_SUITE_P(Signals, InterruptedDumpTest, testing::Values(SIGHUP, SIGINT, SIGTERM),
                         [](const auto& test) { return "Signal" + std::to_string(test.param); });

TEST_F(OutputFileTest, AFullDiskIsAnErrorThatNamesTheFileAndLeavesTheOldOne) {
  const SmallDisk disk(std::uint64_t{2} << 20U);
  if (!disk.mounted()) {
    GTEST_SKIP() << "NOT TESTED: " << disk.error();
  }
  Fill();
  const std::string file = disk.File("file");
  std::ofstream(file) << "old";
  const std::size_t before = FilesIn(fs::path(file).parent_path());
  Fails(3, {"dump", store_, "n", file}, {file, "No space left"});
  EXPECT_EQ(Read(file), "old");
  EXPECT_EQ(FilesIn(fs::path(file).parent_path()), before);
}

}  // namespace
}  // namespace commy::test
