// The world, with chosen answers replaced.
//
// A FaultPlatform passes every call on to another Platform (by default the real one), except for
// the answers that a test has set. All settings may be changed at any time from any thread; each
// call takes them as they are when it begins. A budget that is unset is without limit.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "platform/platform.h"

namespace commy::test {

class FaultPlatform : public platform::Platform {
 public:
  explicit FaultPlatform(platform::Platform& real = platform::Platform::Real()) : real_(&real) {}

  // The answers that a test may replace; those that are unset are the real ones.
  struct Faults {
    // Disk space: the bytes that Allocate, or Populate, may still use. A call that needs more
    // returns ResourceExhausted, does nothing and leaves the budget as it was.
    std::optional<std::uint64_t> allocate_bytes_left{};
    std::optional<std::uint64_t> populate_bytes_left{};
    // Errors that the calls of these names return instead of doing anything.
    absl::Status allocate{};
    absl::Status truncate{};
    absl::Status punch{};
    absl::Status map{};
    absl::Status sync{};
    absl::Status link{};
    absl::Status register_barrier{};
    absl::Status global_barrier{};
    // Called in GlobalBarrier(), before the real one; stands for another thread's earlier stores.
    std::function<void()> in_global_barrier{};
    // No open file description locks: all three lock calls return FailedPrecondition.
    bool no_locks = false;
    std::optional<bool> reserves_memory{};
    // No large pages: the advice to use them is not passed on.
    bool no_large_pages = false;
    std::optional<std::uint64_t> memory_bytes{};
    // Identity.
    std::optional<platform::BootId> boot_id{};
    std::optional<platform::FileIdentity> identity{};
    std::optional<std::uint64_t> process_id{};
    std::optional<std::string> process_name{};
    std::optional<bool> single_threaded{};
    // Manual clocks; they move only by Advance() or by being set again.
    std::optional<std::int64_t> monotonic_ns{};
    std::optional<std::int64_t> boot_ns{};
    std::optional<std::int64_t> wall_ns{};
  };

  // Changes the settings in one step: platform.Set([](auto& faults) { faults.no_locks = true; });
  void Set(const std::function<void(Faults&)>& change);
  // Back to the real answers.
  void Clear();

  // Makes all clocks manual, at the real time of now. Advance() moves the manual ones.
  void FreezeClocks();
  void Advance(std::int64_t ns);

  // The number of calls that reached this platform since it was made.
  struct Counts {
    std::uint64_t allocate = 0;
    std::uint64_t populate = 0;
    std::uint64_t populate_resident_bytes = 0;
    std::uint64_t sync = 0;
    std::uint64_t punch = 0;
    std::uint64_t global_barrier = 0;
    std::uint64_t futex_wait = 0;
    std::uint64_t futex_wake = 0;
  };
  [[nodiscard]] Counts counts() const;

  absl::StatusOr<platform::Descriptor> Open(const std::string& path,
                                            platform::Access access) override;
  absl::StatusOr<platform::Descriptor> Reopen(int fd, platform::Access access) override;
  absl::StatusOr<platform::Descriptor> CreateUnlinked(const std::string& path) override;
  absl::Status Link(int fd, const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::StatusOr<platform::Descriptor> CreateReplacement(const std::string& path) override;
  absl::Status Replace(int fd, const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::StatusOr<platform::FileFacts> Describe(int fd) override;
  absl::StatusOr<platform::FileFacts> DescribePath(const std::string& path) override;
  absl::StatusOr<std::size_t> ReadAt(int fd, void* buffer, std::size_t size_bytes,
                                     std::uint64_t offset_bytes) override;
  absl::Status Allocate(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) override;
  bool ReservesMemory(int fd) override;
  absl::Status Truncate(int fd, std::uint64_t size_bytes) override;
  absl::Status Punch(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) override;
  absl::StatusOr<std::byte*> Map(int fd, std::uint64_t size_bytes,
                                 platform::Access access) override;
  absl::StatusOr<std::byte*> MapMemory(std::uint64_t size_bytes) override;
  void Unmap(std::byte* address, std::uint64_t size_bytes) override;
  absl::Status Populate(std::byte* address, std::uint64_t size_bytes) override;
  void AdviseLargePages(std::byte* address, std::uint64_t size_bytes) override;
  void PopulateResident(std::byte* address, std::uint64_t size_bytes) override;
  absl::StatusOr<platform::MappedMemory> DescribeMapped(const std::byte* address,
                                                        std::uint64_t size_bytes) override;
  absl::Status Sync(std::byte* address, std::uint64_t size_bytes) override;
  absl::StatusOr<bool> TryLock(int fd, std::uint64_t byte_offset, bool exclusive) override;
  absl::StatusOr<bool> IsLocked(int fd, std::uint64_t byte_offset) override;
  absl::Status Unlock(int fd, std::uint64_t byte_offset) override;
  platform::BootId boot_id() override;
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

 private:
  // Copies the settings out, and counts the call if `counter` is given.
  Faults Begin(std::uint64_t Counts::*counter = nullptr);
  // Takes `size_bytes` from a budget, or returns ResourceExhausted and takes nothing.
  absl::Status Spend(std::optional<std::uint64_t> Faults::*budget, std::uint64_t size_bytes);
  absl::StatusOr<platform::FileFacts> Disguise(absl::StatusOr<platform::FileFacts> facts);

  platform::Platform* real_;  // Not owned; outlives this.
  mutable std::mutex mutex_;
  Faults faults_;  // Guarded by mutex_, as is counts_.
  Counts counts_;
};

}  // namespace commy::test
