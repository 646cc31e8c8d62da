// A directory of a test's own.
#pragma once

#include <string>

namespace commy::test {

// Made under TMPDIR or /tmp with a unique name; removed with all its content at the end, except in
// a forked child, which leaves it to its parent. The process ends if it cannot be made: no test can
// run without it.
class TempDir {
 public:
  TempDir();
  // Made in `parent` instead.
  explicit TempDir(const std::string& parent);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // "<path>/<name>"; makes nothing.
  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  int owner_pid_;
};

}  // namespace commy::test
