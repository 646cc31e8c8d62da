// Disk blocks: reserving them, giving them back.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

namespace commy::platform {
namespace {

std::string What(const char* action, int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  return absl::StrCat(action, " ", base::HumanBytes(size_bytes), " at ", base::Hex(offset_bytes),
                      " of ", NameOf(fd));
}

// A file that grows past `ulimit -f` is a signal, which ends the process: so it is asked before.
absl::Status CheckFileSizeLimit(int fd, std::uint64_t end_bytes) {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      end_bytes <= limit.rlim_cur) {
    return absl::OkStatus();
  }
  struct stat now {};
  if (::fstat(fd, &now) == 0 && end_bytes <= static_cast<std::uint64_t>(now.st_size)) {
    return absl::OkStatus();  // It does not grow.
  }
  return base::ErrnoStatus(
      EFBIG, absl::StrCat("extend ", NameOf(fd), " to ", base::HumanBytes(end_bytes),
                          " (this process may make files of ", base::HumanBytes(limit.rlim_cur),
                          ", see `ulimit -f`)"));
}

absl::Status Fallocate(int fd, int mode, const char* action, std::uint64_t offset_bytes,
                       std::uint64_t size_bytes) {
  if (!FitsOffT(offset_bytes, size_bytes)) {
    return base::InvalidArgument(What(action, fd, offset_bytes, size_bytes), ": out of range");
  }
  if (size_bytes == 0) {
    return absl::OkStatus();  // The system call refuses an empty range.
  }
  const int result = RetryInterrupted([&] {
    return ::fallocate(fd, mode, static_cast<off_t>(offset_bytes), static_cast<off_t>(size_bytes));
  });
  if (result != 0) {
    const int error = errno;
    return base::ErrnoStatus(error, What(action, fd, offset_bytes, size_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LinuxPlatform::Allocate(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  // No posix_fallocate() where the file system cannot do this: the library then reads and writes
  // back a byte of each block, which would undo stores that other processes make meanwhile.
  COMMY_RETURN_IF_ERROR(CheckFileSizeLimit(fd, offset_bytes + size_bytes));
  return Fallocate(fd, 0, "reserve", offset_bytes, size_bytes);
}

absl::Status LinuxPlatform::Punch(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  return Fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "give back", offset_bytes,
                   size_bytes);
}

bool LinuxPlatform::ReservesMemory(int fd) {
  // A tmpfs with large pages gives their size for that of its blocks.
  struct statfs system {};
  struct stat file {};
  return ::fstatfs(fd, &system) == 0 && system.f_type == TMPFS_MAGIC && ::fstat(fd, &file) == 0 &&
         static_cast<std::uint64_t>(file.st_blksize) < kLargePageBytes;
}

absl::Status LinuxPlatform::Truncate(int fd, std::uint64_t size_bytes) {
  if (!FitsOffT(size_bytes, 0)) {
    return base::InvalidArgument("truncate ", NameOf(fd), " to ", size_bytes, ": out of range");
  }
  COMMY_RETURN_IF_ERROR(CheckFileSizeLimit(fd, size_bytes));
  if (RetryInterrupted([&] { return ::ftruncate(fd, static_cast<off_t>(size_bytes)); }) != 0) {
    const int error = errno;
    return base::ErrnoStatus(
        error, absl::StrCat("truncate ", NameOf(fd), " to ", base::HumanBytes(size_bytes)));
  }
  return absl::OkStatus();
}

}  // namespace commy::platform
