#include "support/small_disk.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace commy::test {
namespace {

constexpr const char* kFiller = "filler";

}  // namespace

SmallDisk::SmallDisk(std::uint64_t size_bytes) {
  const std::string options = "size=" + std::to_string(size_bytes) + ",mode=0777";
  mounted_ = ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
  if (!mounted_) {
    error_ = std::string("cannot mount a small tmpfs: ") + std::strerror(errno);
  }
}

SmallDisk::~SmallDisk() {
  if (mounted_) {
    ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
}

std::uint64_t SmallDisk::FreeBytes() const {
  struct statfs system {};
  return ::statfs(dir_.path().c_str(), &system) == 0
             ? std::uint64_t{system.f_bavail} * static_cast<std::uint64_t>(system.f_bsize)
             : 0;
}

void SmallDisk::Fill(std::uint64_t left_bytes) const {
  const int fd = ::open(File(kFiller).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct stat file {};
  if (fd < 0 || ::fstat(fd, &file) != 0) {
    std::abort();
  }
  // Others may take space meanwhile; then less is asked for.
  for (std::uint64_t free = FreeBytes(); free > left_bytes; free = FreeBytes()) {
    const auto bytes = static_cast<off_t>(free - left_bytes);
    file.st_size += ::fallocate(fd, 0, file.st_size, bytes) == 0 ? bytes : 0;
  }
  ::close(fd);
}

void SmallDisk::Unfill() const {
  ::unlink(File(kFiller).c_str());
}

}  // namespace commy::test
