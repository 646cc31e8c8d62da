// Small helpers around system calls, for the files of this floor only.
#pragma once

#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>

#include <unistd.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/bytes.h"
#include "base/check.h"
#include "platform/fork_guard.h"
#include "platform/platform.h"
#include "platform/standard_descriptors.h"

namespace commy::platform {

// The result of `call` (an int or ssize_t, -1 with errno), called again while a signal interrupts.
template <typename Call>
auto RetryInterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) {
    result = call();
  }
  return result;
}

// Whether [offset, offset + size) is a range that off_t can express.
constexpr bool FitsOffT(std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return offset_bytes <= kMax && size_bytes <= kMax - offset_bytes;
}

// "/proc/self/fd/7": the name through which the kernel lets a descriptor be opened or linked.
std::string ProcPath(int fd);

// Of an ordinary page.
inline std::uint64_t PageBytes() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  COMMY_DCHECK(base::IsPowerOfTwo(bytes));
  return bytes;
}

// What messages call the file behind `fd`: its path if the kernel tells it.
std::string NameOf(int fd);

// InvalidArgument: there is a NUL byte in `path`, where the kernel would take it to end.
absl::Status CheckNoNul(const std::string& path);

// FailedPrecondition: /proc is not mounted.
absl::Status CheckProc();

// Runs `open_call`, which returns a descriptor or -1 with errno, such that a concurrent fork()
// comes before or after both the opening and the registration. -1 with errno on failure. The
// descriptor is never 0, 1 or 2, whatever the process has closed.
template <typename OpenCall>
int OpenRegistered(OpenCall open_call) {
  ForkGuard guard;
  const StandardDescriptorGuard standard;
  const int fd = AboveStandardDescriptors(RetryInterrupted(open_call));
  COMMY_DCHECK(fd < 0 || fd >= kStandardDescriptors);
  if (fd >= 0) {
    guard.Register(fd);
  }
  return fd;
}

}  // namespace commy::platform
