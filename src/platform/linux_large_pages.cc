// In which pages a mapping lies, and advice about that.
#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

// Since Linux 5.14; older headers lack the name.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace commy::platform {
namespace {

constexpr std::uint64_t kSmallestPageBytes = 4096;

// Requires: at most kLargePageBytes, at the start of a page.
bool IsResident(std::byte* address, std::uint64_t size_bytes) {
  std::array<unsigned char, kLargePageBytes / kSmallestPageBytes> pages{};
  const std::uint64_t count = base::AlignUp(size_bytes, PageBytes()) / PageBytes();
  COMMY_DCHECK(count <= pages.size());
  return ::mincore(address, size_bytes, pages.data()) == 0 &&
         std::all_of(pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(count),
                     [](unsigned char page) { return (page & 1U) != 0; });
}

// A line of smaps that starts a mapping: "55d0c8a00000-55d0c8a02000 r--p ...".
bool ReadRange(const std::string& line, std::uint64_t* begin, std::uint64_t* end) {
  return std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " ", begin, end) == 2;
}

// And one that says something of it: "FilePmdMapped:     2048 kB". 0 if it is not called that.
std::uint64_t ReadBytes(std::string_view line, std::string_view name) {
  std::uint64_t kibibytes = 0;
  return line.starts_with(name) &&
                 std::sscanf(line.data() + name.size(), "%" SCNu64, &kibibytes) == 1
             ? kibibytes << 10U
             : 0;
}

// The memory limit of this process's control groups. A file that says "max", or that does not
// exist, sets no limit.
std::uint64_t GroupLimitBytes() {
  std::ifstream groups("/proc/self/cgroup");  // "0::/group" in version 2.
  std::string own;
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::")) {
      own = line.substr(3);
    }
  }
  std::uint64_t limit = UINT64_MAX;
  for (const std::string& path :
       {"/sys/fs/cgroup" + own + "/memory.max", std::string("/sys/fs/cgroup/memory.max"),
        std::string("/sys/fs/cgroup/memory/memory.limit_in_bytes")}) {
    std::ifstream file(path);
    if (std::uint64_t bytes = 0; file >> bytes) {
      limit = std::min(limit, bytes);
    }
  }
  return limit;
}

}  // namespace

void LinuxPlatform::AdviseLargePages(std::byte* address, std::uint64_t size_bytes) {
  if (size_bytes != 0) {
    (void)::madvise(address, size_bytes, MADV_HUGEPAGE);
  }
}

void LinuxPlatform::PopulateResident(std::byte* address, std::uint64_t size_bytes) {
  for (std::uint64_t done = 0; done < size_bytes; done += kLargePageBytes) {
    const std::uint64_t piece = std::min(kLargePageBytes, size_bytes - done);
    if (IsResident(address + done, piece)) {
      (void)::madvise(address + done, piece, MADV_POPULATE_READ);
    }
  }
}

absl::StatusOr<MappedMemory> LinuxPlatform::DescribeMapped(const std::byte* address,
                                                           std::uint64_t size_bytes) {
  std::ifstream maps("/proc/self/smaps");
  const std::uint64_t begin = reinterpret_cast<std::uintptr_t>(address);
  MappedMemory memory;
  bool inside = false;
  bool any = false;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    if (ReadRange(line, &from, &to)) {
      if (from >= begin + size_bytes) {
        break;
      }
      inside = from >= begin;
      any |= inside;
    } else if (inside) {
      memory.present_bytes += ReadBytes(line, "Rss:");
      memory.large_page_bytes +=
          ReadBytes(line, "FilePmdMapped:") + ReadBytes(line, "ShmemPmdMapped:");
    }
  }
  if (!any) {
    return base::Unavailable("/proc/self/smaps does not tell in which pages the mapping lies");
  }
  return memory;
}

std::uint64_t LinuxPlatform::memory_bytes() {
  static const std::uint64_t bytes = std::min(
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * PageBytes(), GroupLimitBytes());
  return bytes;
}

}  // namespace commy::platform
