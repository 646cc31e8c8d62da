#include "platform/standard_descriptors.h"

#include <cerrno>
#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"

namespace commy::platform {
namespace {

bool IsOpen(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

// Of a placeholder, and hardly ever of anything that another thread has put in its place meanwhile.
bool IsPlaceholder(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) != 0;
}

}  // namespace

StandardDescriptorGuard::StandardDescriptorGuard() {
  for (int fd = 0; fd < kStandardDescriptors; ++fd) {
    if (IsOpen(fd)) {
      continue;
    }
    // O_PATH: it names the directory, and every read() and write() of it is EBADF.
    const int placeholder = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (placeholder >= 0 && placeholder < kStandardDescriptors) {
      held_.at(static_cast<std::size_t>(placeholder)) = true;
    } else if (placeholder >= 0) {
      ::close(placeholder);  // Another thread was faster.
    }
  }
}

StandardDescriptorGuard::~StandardDescriptorGuard() {
  const int error = errno;
  for (int fd = 0; fd < kStandardDescriptors; ++fd) {
    if (held_.at(static_cast<std::size_t>(fd)) && IsPlaceholder(fd)) {
      ::close(fd);
    }
  }
  errno = error;
}

int AboveStandardDescriptors(int fd) {
  if (fd < 0 || fd >= kStandardDescriptors) {
    return fd;
  }
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, kStandardDescriptors);
  const int error = errno;
  ::close(fd);
  errno = error;
  COMMY_DCHECK(moved < 0 || moved >= kStandardDescriptors);
  return moved;
}

}  // namespace commy::platform
