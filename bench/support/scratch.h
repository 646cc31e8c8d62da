// A directory for a benchmark's files, and sizes from the environment.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace commy::bench {

// Ends the program, since the times of a benchmark that failed mean nothing.
[[noreturn]] inline void Die(std::string_view what, std::string_view why) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(why.size()), why.data());
  std::_Exit(1);
}

// Made under TMPDIR or /tmp. The destructor removes it with its content, except in a forked child.
class ScratchDir {
 public:
  ScratchDir() : owner_(getpid()) {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "commy-bench-XXXXXX").string();
    if (error || mkdtemp(path_.data()) == nullptr) {
      Die(path_, "cannot make a scratch directory");
    }
  }
  ~ScratchDir() {
    std::error_code ignored;
    if (getpid() == owner_) {
      std::filesystem::remove_all(path_, ignored);
    }
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  pid_t owner_;
};

// The number of keys: COMMY_BENCH_KEYS, else `usual`. The smoke tests set it low.
inline std::uint64_t KeyCount(std::uint64_t usual) {
  const char* const given = std::getenv("COMMY_BENCH_KEYS");
  if (given == nullptr) {
    return usual;
  }
  const std::string_view text(given);
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 200) {
    Die("COMMY_BENCH_KEYS", "must be a number of at least 200");
  }
  return count;
}

}  // namespace commy::bench
