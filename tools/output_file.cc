#include "output_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "base/status.h"
#include "signals.h"

namespace commy::tools {
namespace {

using platform::Descriptor;
using platform::Platform;

constexpr int kLinksMax = 40;  // The kernel's limit.
constexpr int kFirstOfOurs = 3;
constexpr absl::Duration kReaderPoll = absl::Milliseconds(10);

// The target of a path, with all symbolic links followed.
struct Place {
  std::string path;
  std::optional<int> descriptor;  // An entry of this process's /proc/self/fd.
};

absl::Status Refused(const std::string& path, const std::string& why) {
  return base::FailedPrecondition(path, ": ", why);
}

absl::Status CannotOpen(const std::string& path, int error) {
  return Refused(path, absl::StrCat("cannot create it: ", std::strerror(error),
                                    "; give the path of a file in a directory that you may write"));
}

// The number N if `directory` and `name` are /proc/PID/fd and N, also of a thread.
std::optional<int> DescriptorNamed(const std::string& directory, const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(directory, '/', absl::SkipEmpty());
  int pid = 0;
  int number = 0;
  const bool of_descriptors = parts.size() >= 3 && parts[0] == "proc" && parts.back() == "fd" &&
                              absl::SimpleAtoi(parts[1], &pid) && pid == ::getpid();
  return of_descriptors && absl::SimpleAtoi(name, &number) ? std::optional<int>(number)
                                                           : std::nullopt;
}

// Follows the links one by one, since realpath() fails if the last target is missing or a
// descriptor.
absl::StatusOr<Place> Resolve(const std::string& path) {
  std::string at = path;
  for (int links = 0; links < kLinksMax; ++links) {
    const std::size_t slash = at.rfind('/');
    const std::string name = at.substr(slash + 1);  // All of it without a slash.
    const std::string above =
        slash == std::string::npos ? "." : (slash == 0 ? "/" : at.substr(0, slash));
    if (name.empty() || name == "." || name == "..") {
      return Refused(path, "is a directory; give the path of a file");
    }
    const std::unique_ptr<char, decltype(&std::free)> directory(::realpath(above.c_str(), nullptr),
                                                                &std::free);
    if (directory == nullptr) {
      return CannotOpen(path, errno);
    }
    if (const auto number = DescriptorNamed(directory.get(), name); number.has_value()) {
      return Place{at, number};
    }
    at = directory.get();
    at += (at == "/" ? "" : "/") + name;
    std::array<char, PATH_MAX> link{};
    const ssize_t length = ::readlink(at.c_str(), link.data(), link.size());
    if (length < 0 && errno != EINVAL && errno != ENOENT) {
      return CannotOpen(path, errno);
    }
    if (length < 0) {
      return Place{at, std::nullopt};
    }
    const std::string next(link.data(), static_cast<std::size_t>(length));
    at = absl::StartsWith(next, "/") ? next : std::string(directory.get()) + "/" + next;
  }
  return CannotOpen(path, ELOOP);
}

int Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

// -1 with errno; EINTR: a signal to end. Polls until a FIFO has a reader, since an open() that
// waits for one would miss a signal that came just before.
int OpenStraight(const Place& place, mode_t type) {
  if (place.descriptor.has_value()) {
    return ::fcntl(*place.descriptor, F_DUPFD_CLOEXEC, kFirstOfOurs);
  }
  if (S_ISSOCK(type)) {
    return Connect(place.path);
  }
  const int wait = S_ISFIFO(type) ? O_NONBLOCK : 0;
  int fd = -1;
  while ((fd = ::open(place.path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC | wait)) < 0 &&
         (errno == EINTR || (errno == ENXIO && wait != 0))) {
    if (Interrupted()) {
      errno = EINTR;
      return -1;
    }
    absl::SleepFor(kReaderPoll);
  }
  if (fd >= 0 && wait != 0) {
    (void)::fcntl(fd, F_SETFL, 0);
  }
  return fd;
}

absl::Status IsTheStore(const std::string& path, const std::string& store) {
  return Refused(path, absl::StrCat("is the store ", store,
                                    " itself; nothing was changed. Give another file"));
}

bool IsSame(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

bool IsSameFile(int fd, const std::string& path) {
  struct stat one {};
  struct stat other {};
  return ::fstat(fd, &one) == 0 && ::stat(path.c_str(), &other) == 0 && IsSame(one, other);
}

OutputFile::OutputFile(std::string path, std::string target, Descriptor fd)
    : path_(std::move(path)),
      target_(std::move(target)),
      fd_(std::move(fd)),
      out_(std::make_unique<Output>(fd_.fd(), path_)) {}

absl::StatusOr<OutputFile> OutputFile::Open(const std::string& path, const std::string& store) {
  COMMY_ASSIGN_OR_RETURN(const Place place, Resolve(path));
  struct stat found {};
  const bool there = place.descriptor.has_value() ? ::fstat(*place.descriptor, &found) == 0
                                                  : ::lstat(place.path.c_str(), &found) == 0;
  if (!there && (place.descriptor.has_value() || errno != ENOENT)) {
    return CannotOpen(path, errno);
  }
  struct stat kept {};
  if (there && ::stat(store.c_str(), &kept) == 0 && IsSame(found, kept)) {
    return IsTheStore(path, store);
  }
  if (there && S_ISDIR(found.st_mode)) {
    return Refused(path, "is a directory; give the path of a file");
  }
  if (there && (place.descriptor.has_value() || !S_ISREG(found.st_mode))) {
    Descriptor fd(OpenStraight(place, found.st_mode));
    if (!fd.valid()) {
      return errno == EINTR ? absl::CancelledError("interrupted") : CannotOpen(path, errno);
    }
    return OutputFile(path, "", std::move(fd));
  }
  absl::StatusOr<Descriptor> fd = Platform::Real().CreateReplacement(place.path);
  if (!fd.ok()) {
    return Refused(path,
                   absl::StrCat("cannot create it: ", fd.status().message(),
                                "; give the path of a file in a directory that you may write"));
  }
  return OutputFile(path, place.path, *std::move(fd));
}

absl::Status OutputFile::Finish() {
  if (absl::Status flushed = out_->Flush(); !flushed.ok()) {
    if (absl::IsCancelled(flushed)) {
      return flushed;
    }
    return base::FailedPrecondition(flushed.message(), target_.empty()
                                                           ? "; what was written is not whole"
                                                           : "; nothing was changed there");
  }
  if (target_.empty()) {
    return absl::OkStatus();
  }
  if (Interrupted()) {
    return absl::CancelledError("interrupted");
  }
  if (const absl::Status placed = Platform::Real().Replace(fd_.fd(), target_); !placed.ok()) {
    return base::FailedPrecondition(path_, ": ", placed.message());
  }
  return absl::OkStatus();
}

}  // namespace commy::tools
