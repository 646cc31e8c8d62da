// Mappings of the region file.
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/shared_atomic.h"
#include "base/status.h"
#include "platform/linux_platform.h"
#include "platform/system_call.h"

// Since Linux 5.14; older headers lack the name.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace commy::platform {
namespace {

struct PageRange {
  std::byte* address;
  std::uint64_t size_bytes;
};

// The whole pages that a range touches.
PageRange PagesOf(std::byte* address, std::uint64_t size_bytes) {
  const std::uint64_t before = reinterpret_cast<std::uintptr_t>(address) & (PageBytes() - 1);
  COMMY_DCHECK(before < PageBytes());
  return {address - before, base::AlignUp(size_bytes + before, PageBytes())};
}

// Makes pages writable one by one without changing them, whatever others store meanwhile. Unlike
// the system call this raises SIGBUS on a full disk; the caller has reserved the blocks.
void TouchEach(const PageRange& pages) {
  COMMY_DCHECK(base::IsAligned(pages.size_bytes, PageBytes()));
  for (std::uint64_t offset = 0; offset < pages.size_bytes; offset += PageBytes()) {
    reinterpret_cast<base::Shared8*>(pages.address + offset)
        ->fetch_or(0, std::memory_order_relaxed);
  }
}

// Address space, with nothing in it, at a multiple of kLargePageBytes. MAP_FAILED, with errno.
void* ReserveAddresses(std::uint64_t size_bytes) {
  const std::uint64_t needed = base::AlignUp(size_bytes, PageBytes());
  const std::uint64_t reserved = needed + kLargePageBytes;
  void* const start =
      ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    return start;
  }
  auto* const from = static_cast<std::byte*>(start);
  const auto address = reinterpret_cast<std::uintptr_t>(from);
  const std::uint64_t before = base::AlignUp(address, kLargePageBytes) - address;
  COMMY_DCHECK(before + needed <= reserved);
  for (const auto& [piece, bytes] :
       {std::pair{from, before}, std::pair{from + before + needed, reserved - before - needed}}) {
    if (bytes != 0) {
      (void)::munmap(piece, bytes);  // A piece that stays costs addresses and nothing else.
    }
  }
  return from + before;
}

absl::Status PopulateError(int error, std::uint64_t size_bytes) {
  const std::string what = absl::StrCat("populate ", base::HumanBytes(size_bytes));
  switch (error) {
    case EFAULT:
      return base::ResourceExhausted(
          what, ": a page cannot be written: disk full, bad block, or past the end of the file");
    case EHWPOISON:
      return base::DataLoss(what, ": a page of memory is broken");
    default:
      return base::ErrnoStatus(error, what);
  }
}

}  // namespace

absl::StatusOr<std::byte*> LinuxPlatform::Map(int fd, std::uint64_t size_bytes, Access access) {
  const int protection = access == Access::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
  const auto failed = [&](int error) {
    const absl::Status status = base::ErrnoStatus(
        error, absl::StrCat("map ", base::HumanBytes(size_bytes), " of ", NameOf(fd)));
    // Valgrind answers EINVAL to more than it can give.
    return error == ENOMEM || (error == EINVAL && size_bytes != 0)
               ? base::ResourceExhausted(
                     status.message(),
                     "; allow this process more address space (`ulimit -v`), or "
                     "create the store with a smaller max_size")
               : status;
  };
  // A fork between the two calls would leave the child a mapping, and with it the file's locks.
  ForkGuard guard;
  void* const place = size_bytes == 0 ? nullptr : ReserveAddresses(size_bytes);
  if (place == MAP_FAILED) {
    return failed(errno);
  }
  void* const address =
      ::mmap(place, size_bytes, protection, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    if (size_bytes != 0) {
      ::munmap(place, size_bytes);
    }
    return failed(error);
  }
  COMMY_DCHECK(address == place);
  COMMY_DCHECK(base::IsAligned(reinterpret_cast<std::uintptr_t>(address), kLargePageBytes));
  if (::madvise(address, size_bytes, MADV_DONTFORK) != 0) {
    const int error = errno;
    ::munmap(address, size_bytes);
    return failed(error);
  }
  // A core dump of the whole region would be useless and large. Only advice: errors do not count.
  ::madvise(address, size_bytes, MADV_DONTDUMP);
  return static_cast<std::byte*>(address);
}

absl::StatusOr<std::byte*> LinuxPlatform::MapMemory(std::uint64_t size_bytes) {
  void* const address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return base::ErrnoStatus(errno, "map " + base::HumanBytes(size_bytes) + " of memory");
  }
  ::madvise(address, size_bytes, MADV_DONTFORK);  // As of a mapped file, whose place it takes.
  return static_cast<std::byte*>(address);
}

void LinuxPlatform::Unmap(std::byte* address, std::uint64_t size_bytes) {
  COMMY_CHECK(::munmap(address, size_bytes) == 0);
}

int LinuxPlatform::AdvisePopulate(std::byte* address, std::uint64_t size_bytes) {
  return ::madvise(address, size_bytes, MADV_POPULATE_WRITE);
}

absl::Status LinuxPlatform::Populate(std::byte* address, std::uint64_t size_bytes) {
  const PageRange pages = PagesOf(address, size_bytes);
  int result = 0;
  do {
    result = AdvisePopulate(pages.address, pages.size_bytes);
  } while (result != 0 && (errno == EINTR || errno == EAGAIN));
  if (result == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  // EINVAL is said of an unknown advice, even for no bytes, but also of a range that may not be
  // written, which to touch would be a signal.
  if (error != EINVAL || AdvisePopulate(pages.address, 0) == 0) {
    return PopulateError(error, size_bytes);
  }
  TouchEach(pages);
  return absl::OkStatus();
}

absl::Status LinuxPlatform::Sync(std::byte* address, std::uint64_t size_bytes) {
  const PageRange pages = PagesOf(address, size_bytes);
  if (RetryInterrupted([&] { return ::msync(pages.address, pages.size_bytes, MS_SYNC); }) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("sync ", base::HumanBytes(size_bytes)));
  }
  return absl::OkStatus();
}

}  // namespace commy::platform
