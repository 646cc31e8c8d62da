// Opening, describing and reading files.
#include <array>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"

#include "base/check.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

namespace commy::platform {
namespace {

constexpr unsigned kFacts = STATX_TYPE | STATX_INO | STATX_SIZE | STATX_BLOCKS | STATX_BTIME;
constexpr std::uint64_t kStatBlockBytes = 512;  // The unit of stx_blocks, whatever the file system.

int AccessFlags(Access access) {
  return access == Access::kReadWrite ? O_RDWR : O_RDONLY;
}

FileFacts FactsFrom(const struct statx& found) {
  FileFacts facts;
  facts.identity.device = ::makedev(found.stx_dev_major, found.stx_dev_minor);
  facts.identity.inode = found.stx_ino;
  if ((found.stx_mask & STATX_BTIME) != 0) {
    facts.identity.birth_ns = static_cast<std::uint64_t>(found.stx_btime.tv_sec) * 1'000'000'000U +
                              found.stx_btime.tv_nsec;
  }
  facts.size_bytes = found.stx_size;
  facts.disk_bytes = found.stx_blocks * kStatBlockBytes;
  facts.is_regular = S_ISREG(found.stx_mode);
  facts.is_directory = S_ISDIR(found.stx_mode);
  return facts;
}

absl::Status RequireRegular(const FileFacts& facts, const std::string& path) {
  if (facts.is_directory) {
    return base::InvalidArgument("open ", path, ": is a directory");
  }
  if (!facts.is_regular) {
    return base::InvalidArgument("open ", path, ": is not a regular file");
  }
  return absl::OkStatus();
}

}  // namespace

std::string ProcPath(int fd) {
  return absl::StrCat("/proc/self/fd/", fd);
}

std::string NameOf(int fd) {
  std::array<char, 512> target{};
  const ssize_t length = ::readlink(ProcPath(fd).c_str(), target.data(), target.size());
  if (length <= 0) {
    return absl::StrCat("descriptor ", fd);
  }
  std::string name(target.data(), static_cast<std::size_t>(length));
  // Of a file without a name the kernel shows "/folder/#<inode> (deleted)".
  return absl::StrContains(name, "/#") && absl::EndsWith(name, " (deleted)") ? "the new file"
                                                                             : name;
}

absl::Status CheckNoNul(const std::string& path) {
  if (path.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return base::InvalidArgument("\"", absl::CHexEscape(base::ToAbsl(path)),
                               "\": a path cannot have a NUL byte in it");
}

absl::StatusOr<Descriptor> LinuxPlatform::Open(const std::string& path, Access access) {
  // Looked at before it is opened, since opening a device may have effects, and again after, since
  // the name may have changed hands. O_NONBLOCK, because opening a FIFO would wait for a writer.
  COMMY_ASSIGN_OR_RETURN(const FileFacts before, DescribePath(path));
  COMMY_RETURN_IF_ERROR(RequireRegular(before, path));
  const int flags = AccessFlags(access) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  Descriptor opened(OpenRegistered([&] { return ::open(path.c_str(), flags); }));
  if (!opened.valid()) {
    return base::ErrnoStatus(errno, "open " + path);
  }
  COMMY_ASSIGN_OR_RETURN(const FileFacts after, Describe(opened.fd()));
  COMMY_RETURN_IF_ERROR(RequireRegular(after, path));
  if (::fcntl(opened.fd(), F_SETFL, 0) != 0) {
    return base::ErrnoStatus(errno, "make blocking " + path);
  }
  return opened;
}

absl::Status CheckProc() {
  return ::access("/proc/self/fd", X_OK) == 0
             ? absl::OkStatus()
             : base::FailedPrecondition(
                   "there is no /proc/self/fd, which Commy needs to open a store; "
                   "mount /proc (also inside a chroot)");
}

absl::StatusOr<Descriptor> LinuxPlatform::Reopen(int fd, Access access) {
  COMMY_RETURN_IF_ERROR(CheckProc());
  const std::string link = ProcPath(fd);
  const int flags = AccessFlags(access) | O_CLOEXEC | O_NOCTTY;
  Descriptor opened(OpenRegistered([&] { return ::open(link.c_str(), flags); }));
  if (!opened.valid()) {
    const int error = errno;
    return base::ErrnoStatus(error, absl::StrCat("reopen ", NameOf(fd), " through ", link));
  }
  return opened;
}

absl::StatusOr<FileFacts> LinuxPlatform::Describe(int fd) {
  struct statx found {};
  if (::statx(fd, "", AT_EMPTY_PATH, kFacts, &found) != 0) {
    const int error = errno;
    return base::ErrnoStatus(error, "describe " + NameOf(fd));
  }
  return FactsFrom(found);
}

absl::StatusOr<FileFacts> LinuxPlatform::DescribePath(const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckNoNul(path));
  struct statx found {};
  if (::statx(AT_FDCWD, path.c_str(), 0, kFacts, &found) != 0) {
    return base::ErrnoStatus(errno, "look up " + path);
  }
  return FactsFrom(found);
}

absl::StatusOr<std::size_t> LinuxPlatform::ReadAt(int fd, void* buffer, std::size_t size_bytes,
                                                  std::uint64_t offset_bytes) {
  if (!FitsOffT(offset_bytes, size_bytes)) {
    return base::InvalidArgument("read ", NameOf(fd), " at ", offset_bytes, ": out of range");
  }
  COMMY_DCHECK(buffer != nullptr || size_bytes == 0);
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t got = RetryInterrupted([&] {
      return ::pread(fd, static_cast<std::byte*>(buffer) + done, size_bytes - done,
                     static_cast<off_t>(offset_bytes + done));
    });
    if (got < 0) {
      const int error = errno;
      return base::ErrnoStatus(error, absl::StrCat("read ", NameOf(fd), " at ", offset_bytes));
    }
    if (got == 0) {
      break;  // The end of the file.
    }
    done += static_cast<std::size_t>(got);
    COMMY_DCHECK(done <= size_bytes);
  }
  return done;
}

}  // namespace commy::platform
