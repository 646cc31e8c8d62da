// The real Platform, on Linux.
//
// One instance serves the whole process (Platform::Real()); it has no state of its own, so any
// method may be called by any thread at any time. A test may derive from it and replace a method.
//
// Its methods are in linux_file.cc (opening, describing, reading), linux_create.cc (a file that
// appears complete or not at all), linux_space.cc (disk blocks), linux_memory.cc (mappings),
// linux_large_pages.cc (in which pages they lie),
// linux_lock.cc (byte locks) and linux_process.cc (identity, clocks, barriers, futexes).
#pragma once

#include <string>

#include "platform/platform.h"

namespace commy::platform {

class LinuxPlatform : public Platform {
 public:
  absl::StatusOr<Descriptor> Open(const std::string& path, Access access) override;
  absl::StatusOr<Descriptor> Reopen(int fd, Access access) override;
  absl::StatusOr<Descriptor> CreateUnlinked(const std::string& path) override;
  absl::Status Link(int fd, const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::StatusOr<Descriptor> CreateReplacement(const std::string& path) override;
  absl::Status Replace(int fd, const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::StatusOr<FileFacts> Describe(int fd) override;
  absl::StatusOr<FileFacts> DescribePath(const std::string& path) override;
  absl::StatusOr<std::size_t> ReadAt(int fd, void* buffer, std::size_t size_bytes,
                                     std::uint64_t offset_bytes) override;

  absl::Status Allocate(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) override;
  bool ReservesMemory(int fd) override;
  absl::Status Truncate(int fd, std::uint64_t size_bytes) override;
  absl::Status Punch(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) override;

  absl::StatusOr<std::byte*> Map(int fd, std::uint64_t size_bytes, Access access) override;
  absl::StatusOr<std::byte*> MapMemory(std::uint64_t size_bytes) override;
  void Unmap(std::byte* address, std::uint64_t size_bytes) override;
  absl::Status Populate(std::byte* address, std::uint64_t size_bytes) override;
  void AdviseLargePages(std::byte* address, std::uint64_t size_bytes) override;
  void PopulateResident(std::byte* address, std::uint64_t size_bytes) override;
  absl::StatusOr<MappedMemory> DescribeMapped(const std::byte* address,
                                              std::uint64_t size_bytes) override;
  absl::Status Sync(std::byte* address, std::uint64_t size_bytes) override;

  absl::StatusOr<bool> TryLock(int fd, std::uint64_t byte_offset, bool exclusive) override;
  absl::StatusOr<bool> IsLocked(int fd, std::uint64_t byte_offset) override;
  absl::Status Unlock(int fd, std::uint64_t byte_offset) override;

  BootId boot_id() override;
  std::uint64_t memory_bytes() override;
  std::uint64_t process_id() override;
  std::string process_name() override;
  std::int64_t MonotonicNs() override;
  std::int64_t BootNs() override;
  std::int64_t WallNs() override;
  void RandomBytes(void* buffer, std::size_t size_bytes) override;

  bool single_threaded() override;
  absl::Status RegisterBarrier() override;
  absl::Status GlobalBarrier() override;
  bool FutexWait(const std::uint32_t* word, std::uint32_t expected,
                 std::int64_t timeout_ns) override;
  void FutexWakeAll(const std::uint32_t* word) override;
  void FutexWake(const std::uint32_t* word, std::uint32_t count) override;

 protected:
  // Opens a file without a name in `directory`; -1 with errno. EOPNOTSUPP and EISDIR mean that
  // the file system cannot, and lead to a file with a provisional, hidden name.
  virtual int OpenUnnamed(const std::string& directory);
  // The raw answer of MADV_POPULATE_WRITE: 0, or -1 with errno. EINVAL also for a range of no bytes
  // means that the kernel does not know it, and leads to a touch of each page.
  virtual int AdvisePopulate(std::byte* address, std::uint64_t size_bytes);
};

}  // namespace commy::platform
