#include "support/small_disk.h"

#include <cerrno>
#include <cstring>

#include <sys/mount.h>

namespace commy::test {

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

}  // namespace commy::test
