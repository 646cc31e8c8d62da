// Creating a file that appears under its name complete, or not at all; also in place of another.
//
// The file is made without a name in the directory it will live in, filled by the caller, and then
// linked. If the process dies before, nothing is left. Where the file system has no nameless files
// it gets a hidden provisional name, which is removed with the descriptor; if the process is killed
// before Link(), that hidden file stays.
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

namespace commy::platform {
namespace {

constexpr mode_t kMode = 0666;  // Less the umask, as for any file a program makes.
constexpr int kNameTries = 16;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status CheckFileName(const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckNoNul(path));
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name.empty() || name == "." || name == "..") {
    return base::InvalidArgument("create \"", path, "\": the path does not end in a file name");
  }
  return absl::OkStatus();
}

// A link, and so a claim on the name, that fails with EEXIST instead of replacing.
int LinkNameless(int fd, const std::string& path) {
  const int linked =
      ::linkat(AT_FDCWD, ProcPath(fd).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW);
  if (linked == 0 || errno != ENOENT) {
    return linked;
  }
  // No /proc here, or the directory is gone; this form needs a privilege but no /proc.
  return ::linkat(fd, "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH);
}

int RenameWithoutReplacing(const std::string& from, const std::string& to) {
  const int renamed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (renamed == 0 || (errno != EINVAL && errno != ENOSYS)) {
    return renamed;
  }
  // This file system cannot rename without replacing; a second link never replaces.
  if (::link(from.c_str(), to.c_str()) != 0) {
    return -1;
  }
  ::unlink(from.c_str());
  return 0;
}

absl::Status SyncDirectory(const std::string& directory) {
  const Descriptor opened(OpenRegistered(
      [&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!opened.valid()) {
    return base::ErrnoStatus(errno, "open directory " + directory);
  }
  // EINVAL: a file system that has nothing to sync for a directory.
  if (RetryInterrupted([&] { return ::fsync(opened.fd()); }) != 0 && errno != EINVAL) {
    return base::ErrnoStatus(errno, "sync directory " + directory);
  }
  return absl::OkStatus();
}

// A hidden name beside `path` that is nowhere in use.
std::string ProvisionalName(Platform& platform, const std::string& path) {
  std::uint64_t random = 0;
  platform.RandomBytes(&random, sizeof random);
  return absl::StrCat(DirectoryOf(path), "/.commy-", absl::Hex(random, absl::kZeroPad16));
}

absl::StatusOr<Descriptor> CreateProvisional(Platform& platform, const std::string& path,
                                             mode_t mode) {
  for (int attempt = 0; attempt < kNameTries; ++attempt) {
    const std::string name = ProvisionalName(platform, path);
    Descriptor made(OpenRegistered(
        [&] { return ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode); }));
    if (made.valid()) {
      ForkGuard().RemoveOnClose(made.fd(), name);
      return made;
    }
    if (errno != EEXIST) {
      return base::ErrnoStatus(errno, absl::StrCat("create ", name, " for ", path));
    }
  }
  return base::Unavailable("create ", path, ": found no free provisional name");
}

}  // namespace

int LinuxPlatform::OpenUnnamed(const std::string& directory) {
  return ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
}

absl::StatusOr<Descriptor> LinuxPlatform::CreateUnlinked(const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckFileName(path));
  COMMY_RETURN_IF_ERROR(CheckProc());
  const std::string directory = DirectoryOf(path);
  Descriptor made(OpenRegistered([&] { return OpenUnnamed(directory); }));
  if (made.valid()) {
    return made;
  }
  const int error = errno;
  if (error == EOPNOTSUPP || error == EISDIR) {
    return CreateProvisional(*this, path, kMode);
  }
  return base::ErrnoStatus(error, "create " + path);
}

absl::StatusOr<Descriptor> LinuxPlatform::CreateReplacement(const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckFileName(path));
  struct stat old {};
  if (::lstat(path.c_str(), &old) != 0) {
    return errno == ENOENT
               ? CreateUnlinked(path)
               : absl::StatusOr<Descriptor>(base::ErrnoStatus(errno, "look up " + path));
  }
  if (!S_ISREG(old.st_mode)) {
    return base::InvalidArgument("replace ", path, ": is not a regular file");
  }
  const std::string directory = DirectoryOf(path);
  Descriptor made(OpenRegistered([&] { return OpenUnnamed(directory); }));
  if (!made.valid()) {
    if (errno != EOPNOTSUPP && errno != EISDIR) {
      return base::ErrnoStatus(errno, "create a file beside " + path);
    }
    // It has a name, by which no process may open it before it has its mode.
    COMMY_ASSIGN_OR_RETURN(made, CreateProvisional(*this, path, S_IRUSR | S_IWUSR));
  }
  struct stat now {};
  if (::fstat(made.fd(), &now) != 0) {
    return base::ErrnoStatus(errno, "describe the new file for " + path);
  }
  const bool same_owner = now.st_uid == old.st_uid && now.st_gid == old.st_gid;
  if (!same_owner && ::fchown(made.fd(), old.st_uid, old.st_gid) != 0) {
    return base::FailedPrecondition("replace ", path, ": it belongs to user ", old.st_uid,
                                    " and group ", old.st_gid,
                                    "; this process may not give them a new file");
  }
  // After the owner, whose change takes some bits away.
  constexpr mode_t kModeBits = 07777;
  if (::fchmod(made.fd(), old.st_mode & kModeBits) != 0) {
    return base::ErrnoStatus(errno, "set the mode of the new file for " + path);
  }
  return made;
}

absl::Status LinuxPlatform::Replace(int fd, const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckFileName(path));
  if (RetryInterrupted([&] { return ::fsync(fd); }) != 0) {
    return base::ErrnoStatus(errno, "sync the new file for " + path);
  }
  std::string provisional = ForkGuard().ProvisionalName(fd);
  if (provisional.empty()) {
    // No system call gives a nameless file a name that is taken.
    provisional = ProvisionalName(*this, path);
    if (LinkNameless(fd, provisional) != 0) {
      return base::ErrnoStatus(errno, "link the new file for " + path);
    }
    ForkGuard().RemoveOnClose(fd, provisional);
  }
  COMMY_DCHECK(!provisional.empty());
  if (::rename(provisional.c_str(), path.c_str()) != 0) {
    return base::ErrnoStatus(errno, "replace " + path);
  }
  ForkGuard().Keep(fd);
  return SyncDirectory(DirectoryOf(path));
}

absl::Status LinuxPlatform::Link(int fd, const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckFileName(path));
  // The content first, so that the name never stands for less than the whole file.
  if (RetryInterrupted([&] { return ::fsync(fd); }) != 0) {
    return base::ErrnoStatus(errno, "sync the new file for " + path);
  }
  const std::string provisional = ForkGuard().ProvisionalName(fd);
  const int linked =
      provisional.empty() ? LinkNameless(fd, path) : RenameWithoutReplacing(provisional, path);
  if (linked != 0) {
    return base::ErrnoStatus(errno, "link " + path);
  }
  ForkGuard().Keep(fd);
  return SyncDirectory(DirectoryOf(path));
}

absl::Status LinuxPlatform::Rename(const std::string& from, const std::string& to) {
  COMMY_RETURN_IF_ERROR(CheckFileName(to));
  if (RenameWithoutReplacing(from, to) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("rename ", from, " to ", to));
  }
  return SyncDirectory(DirectoryOf(to));
}

absl::Status LinuxPlatform::Remove(const std::string& path) {
  COMMY_RETURN_IF_ERROR(CheckNoNul(path));
  if (::unlink(path.c_str()) != 0) {
    return base::ErrnoStatus(errno, "remove " + path);
  }
  return absl::OkStatus();
}

}  // namespace commy::platform
