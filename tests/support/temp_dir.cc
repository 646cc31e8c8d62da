#include "support/temp_dir.h"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include <stdlib.h>
#include <unistd.h>

namespace commy::test {
namespace {

std::string DefaultParent() {
  const char* const given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' ? given : "/tmp";
}

}  // namespace

TempDir::TempDir() : TempDir(DefaultParent()) {}

TempDir::TempDir(const std::string& parent)
    : path_(parent + "/commy_test_XXXXXX"), owner_pid_(::getpid()) {
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::abort();
  }
}

TempDir::~TempDir() {
  if (::getpid() == owner_pid_) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
}

}  // namespace commy::test
