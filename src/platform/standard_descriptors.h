// Keeps descriptors 0, 1 and 2 out of the engine's hands.
//
// The kernel gives a new descriptor the lowest free number. In a process that runs with standard
// output or standard error closed, that is 1 or 2, and what the process prints next would go over
// the beginning of the store. So while the engine opens something, the free ones of the three
// numbers are taken by placeholders that refuse every read and write, just as a closed number does.
#pragma once

#include <array>

namespace commy::platform {

inline constexpr int kStandardDescriptors = 3;

// While one lives, no number below 3 is free. One at a time in a process: hold a ForkGuard.
class StandardDescriptorGuard {
 public:
  StandardDescriptorGuard();
  ~StandardDescriptorGuard();
  StandardDescriptorGuard(const StandardDescriptorGuard&) = delete;
  StandardDescriptorGuard& operator=(const StandardDescriptorGuard&) = delete;

 private:
  std::array<bool, kStandardDescriptors> held_{};
};

// The same open file under a number of at least 3, and close-on-exec: `fd` itself if it is one,
// else a duplicate, and `fd` is closed. -1 with errno: it could not be duplicated; `fd` is closed.
// For a number that became free while the guard was being made.
int AboveStandardDescriptors(int fd);

}  // namespace commy::platform
