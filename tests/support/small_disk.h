// A file system of a test's own with little space, for tests of a full disk.
#pragma once

#include <cstdint>
#include <string>

#include "support/temp_dir.h"

namespace commy::test {

// Mounts a tmpfs of `size_bytes` (whole pages), unmounted at the end. Needs privilege: where
// mounting is refused mounted() is false, and the test should call GTEST_SKIP with error().
class SmallDisk {
 public:
  explicit SmallDisk(std::uint64_t size_bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] std::string File(const std::string& name) const { return dir_.File(name); }

  // Bytes that are free on it.
  [[nodiscard]] std::uint64_t FreeBytes() const;
  // Has a file beside the others take all space, but for `left_bytes` (whole pages).
  void Fill(std::uint64_t left_bytes = 0) const;
  // Removes that file.
  void Unfill() const;

 private:
  TempDir dir_;
  bool mounted_ = false;
  std::string error_;
};

}  // namespace commy::test
