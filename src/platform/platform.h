// The operating system as the engine sees it.
//
// This is the only floor with system calls. It may touch base/; it knows nothing of stores. Begin
// reading here; the real one is in linux_platform.h.
//
// Every floor above asks a Platform for files, mappings, locks, clocks and identity, so that a test
// can take the real one and replace one answer: a full disk, a file system without locks, another
// boot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "platform/fork.h"

namespace commy::platform {

// An open descriptor, closed with the object. All are close-on-exec, and those that are open when
// the process forks are closed in the child at once (see fork.h), since a child that kept one
// would keep its file locks too. In that child the inherited object is no longer valid: its number
// may meanwhile be another file's, which the object neither uses nor closes.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd);
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int fd() const { return generation_ == ForkGeneration() ? fd_ : -1; }
  [[nodiscard]] bool valid() const { return fd() >= 0; }
  void Close();

 private:
  int fd_ = -1;
  std::uint64_t generation_ = 0;  // ForkGeneration() of the process that opened it.
};

// Tells one file from another, also after its inode number has been used again.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  // Birth time, 0 where the file system has none. It advances with the kernel's tick only: a file
  // made within some milliseconds after the one it replaces may get the same number and time.
  std::uint64_t birth_ns = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct FileFacts {
  FileIdentity identity;
  std::uint64_t size_bytes = 0;
  std::uint64_t disk_bytes = 0;  // Blocks allocated on disk.
  bool is_regular = false;
  bool is_directory = false;
};

using BootId = std::array<std::uint8_t, 16>;

enum class Access { kReadOnly, kReadWrite };

// The range that one entry of the processor's page tables can map where pages are large. A range of
// a file lies in large pages only if its offset and its address are multiples of this.
inline constexpr std::uint64_t kLargePageBytes = std::uint64_t{2} << 20;

// Of a mapped range, as this process has it.
struct MappedMemory {
  std::uint64_t present_bytes = 0;
  std::uint64_t large_page_bytes = 0;  // Of these.
};

class Platform {
 public:
  virtual ~Platform() = default;

  // The one real platform of this process. Never destroyed.
  static Platform& Real();

  // --- Files ---------------------------------------------------------------------------------

  // Opens an existing file. NotFound, PermissionDenied, InvalidArgument (a directory) and so on,
  // each naming `path`.
  virtual absl::StatusOr<Descriptor> Open(const std::string& path, Access access) = 0;
  // A second, independent open file description of the file behind `fd` (locks are per
  // description, and one taken twice through the same description succeeds).
  virtual absl::StatusOr<Descriptor> Reopen(int fd, Access access) = 0;
  // A new file in the directory of `path` that no other process can see yet.
  virtual absl::StatusOr<Descriptor> CreateUnlinked(const std::string& path) = 0;
  // Gives a file from CreateUnlinked its name. AlreadyExists if there is a file of that name; it
  // is left alone. Syncs the directory.
  virtual absl::Status Link(int fd, const std::string& path) = 0;
  // Gives a finished file its final name in the same directory. AlreadyExists if there is a file of
  // that name; it is left alone. Syncs the directory.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A new file to take the place of `path`, in its directory, that no other process sees yet. If
  // there is a file of that name, a regular one, the new one gets its mode and owner.
  // FailedPrecondition: the owner cannot be kept.
  virtual absl::StatusOr<Descriptor> CreateReplacement(const std::string& path) = 0;
  // Gives a file from CreateReplacement its name, which names at every moment, also after a
  // power cut, either the old file or the whole new one. `path` must be no symbolic link.
  virtual absl::Status Replace(int fd, const std::string& path) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  virtual absl::StatusOr<FileFacts> Describe(int fd) = 0;
  virtual absl::StatusOr<FileFacts> DescribePath(const std::string& path) = 0;

  // Reads up to `size_bytes` at `offset_bytes`; returns how many there were.
  virtual absl::StatusOr<std::size_t> ReadAt(int fd, void* buffer, std::size_t size_bytes,
                                             std::uint64_t offset_bytes) = 0;

  // --- Space ---------------------------------------------------------------------------------

  // Reserves disk blocks for [offset, offset + size) and extends the file if it ends before.
  // Never shortens it. ResourceExhausted: disk full or quota; nothing is lost.
  virtual absl::Status Allocate(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) = 0;
  // Whether reserving clears memory, one small page after another, as in a tmpfs without large
  // pages: then it should be done in small pieces.
  virtual bool ReservesMemory(int fd) = 0;
  virtual absl::Status Truncate(int fd, std::uint64_t size_bytes) = 0;
  // Gives the blocks of a range back; it reads as zeros afterwards.
  virtual absl::Status Punch(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) = 0;

  // --- Mappings ------------------------------------------------------------------------------

  // Maps `size_bytes` from the start of the file, shared, without reserving swap, and not
  // inherited by a forked child, at a multiple of kLargePageBytes. May reach past the end of the
  // file.
  virtual absl::StatusOr<std::byte*> Map(int fd, std::uint64_t size_bytes, Access access) = 0;
  // Memory of this process alone, zeros, without reserving swap.
  virtual absl::StatusOr<std::byte*> MapMemory(std::uint64_t size_bytes) = 0;
  virtual void Unmap(std::byte* address, std::uint64_t size_bytes) = 0;
  // Makes the pages of a range present and writable, so that a full disk or a bad block is an
  // error here and not a signal later.
  virtual absl::Status Populate(std::byte* address, std::uint64_t size_bytes) = 0;
  // Asks for large pages in a mapped range, where it is first read or written from now on. Advice;
  // where there are none, nothing changes.
  virtual void AdviseLargePages(std::byte* address, std::uint64_t size_bytes) = 0;
  // Makes those pieces of a range present that the system has in memory as a whole. Reads nothing
  // from disk and changes nothing. Advice, too. Some 0.1 ms for kLargePageBytes of small pages.
  virtual void PopulateResident(std::byte* address, std::uint64_t size_bytes) = 0;
  // Some milliseconds for a gibibyte of small pages. Unavailable: the system does not tell.
  virtual absl::StatusOr<MappedMemory> DescribeMapped(const std::byte* address,
                                                      std::uint64_t size_bytes) = 0;
  // Writes a mapped range to disk and waits.
  virtual absl::Status Sync(std::byte* address, std::uint64_t size_bytes) = 0;

  // --- Locks ---------------------------------------------------------------------------------

  // Tries to lock one byte for this open file description; never waits. False: another one
  // has it. FailedPrecondition: this file system has no such locks.
  virtual absl::StatusOr<bool> TryLock(int fd, std::uint64_t byte_offset, bool exclusive) = 0;
  // Whether a description holds the byte in a way that an exclusive lock through `fd` would
  // conflict.
  virtual absl::StatusOr<bool> IsLocked(int fd, std::uint64_t byte_offset) = 0;
  virtual absl::Status Unlock(int fd, std::uint64_t byte_offset) = 0;

  // --- Identity, clocks, barriers ----------------------------------------------------------------

  virtual BootId boot_id() = 0;              // All zeros where the system tells none.
  virtual std::uint64_t memory_bytes() = 0;  // Of the machine, or what a container may have.
  virtual std::uint64_t process_id() = 0;
  virtual std::string process_name() = 0;
  // Counts on through a change of the wall clock. For intervals.
  virtual std::int64_t MonotonicNs() = 0;
  // Counts on through a change of the wall clock and while the machine sleeps, and is the same in
  // every process, whatever its time namespace. For expiry.
  virtual std::int64_t BootNs() = 0;
  // Wall clock, nanoseconds since 1970. For people.
  virtual std::int64_t WallNs() = 0;
  // Fills `size_bytes` with random bytes from the system.
  virtual void RandomBytes(void* buffer, std::size_t size_bytes) = 0;

  // Whether this process has never had a second thread.
  virtual bool single_threaded() = 0;
  // Registers this process for GlobalBarrier(). Microseconds before the first extra thread,
  // tens of milliseconds later.
  virtual absl::Status RegisterBarrier() = 0;
  // A full memory fence on every running thread of every registered process.
  virtual absl::Status GlobalBarrier() = 0;

  // Waits while *word == expected, at most `timeout_ns`; other processes that map the same file
  // can wake it. Returns for any reason; the caller looks again. True: it was woken.
  virtual bool FutexWait(const std::uint32_t* word, std::uint32_t expected,
                         std::int64_t timeout_ns) = 0;
  virtual void FutexWakeAll(const std::uint32_t* word) = 0;
  // Wakes at most `count` of them, those that have waited longest first.
  virtual void FutexWake(const std::uint32_t* word, std::uint32_t count) = 0;
};

}  // namespace commy::platform
