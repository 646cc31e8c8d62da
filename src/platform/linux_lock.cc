// Byte locks of open file descriptions.
//
// The locks belong to the open file description: they last until the last descriptor and the last
// mapping made through it are gone. The kernel sees to that however a process ends.
#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

namespace commy::platform {
namespace {

struct flock ByteLock(short type, std::uint64_t byte_offset) {
  COMMY_DCHECK(FitsOffT(byte_offset, 1));
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte_offset);
  lock.l_len = 1;
  return lock;  // l_pid must be 0 for this kind of lock.
}

absl::Status LockError(int error, int fd, std::uint64_t byte_offset) {
  const std::string what = absl::StrCat("lock byte ", base::Hex(byte_offset), " of ", NameOf(fd));
  switch (error) {
    case EINVAL:
    case ENOLCK:
    case EOPNOTSUPP:
    case ENOSYS:
      return base::FailedPrecondition(
          what, ": this system or file system has no open file description locks (error ", error,
          ")");
    case EBADF:
      return base::InvalidArgument(what, ": the descriptor is not open for this kind of lock");
    default:
      return base::ErrnoStatus(error, what);
  }
}

absl::Status CheckByteOffset(int fd, std::uint64_t byte_offset) {
  if (!FitsOffT(byte_offset, 1)) {
    return base::InvalidArgument("lock byte ", base::Hex(byte_offset), " of ", NameOf(fd),
                                 ": out of range");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> LinuxPlatform::TryLock(int fd, std::uint64_t byte_offset, bool exclusive) {
  COMMY_RETURN_IF_ERROR(CheckByteOffset(fd, byte_offset));
  struct flock lock = ByteLock(exclusive ? F_WRLCK : F_RDLCK, byte_offset);
  if (RetryInterrupted([&] { return ::fcntl(fd, F_OFD_SETLK, &lock); }) == 0) {
    return true;
  }
  const int error = errno;
  if (error == EAGAIN || error == EACCES) {
    return false;
  }
  return LockError(error, fd, byte_offset);
}

absl::StatusOr<bool> LinuxPlatform::IsLocked(int fd, std::uint64_t byte_offset) {
  COMMY_RETURN_IF_ERROR(CheckByteOffset(fd, byte_offset));
  struct flock lock = ByteLock(F_WRLCK, byte_offset);
  if (RetryInterrupted([&] { return ::fcntl(fd, F_OFD_GETLK, &lock); }) != 0) {
    return LockError(errno, fd, byte_offset);
  }
  return lock.l_type != F_UNLCK;
}

absl::Status LinuxPlatform::Unlock(int fd, std::uint64_t byte_offset) {
  COMMY_RETURN_IF_ERROR(CheckByteOffset(fd, byte_offset));
  struct flock lock = ByteLock(F_UNLCK, byte_offset);
  if (RetryInterrupted([&] { return ::fcntl(fd, F_OFD_SETLK, &lock); }) != 0) {
    return LockError(errno, fd, byte_offset);
  }
  return absl::OkStatus();
}

}  // namespace commy::platform
