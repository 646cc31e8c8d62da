#include "support/fault_platform.h"

#include <utility>

#include "base/status.h"

namespace commy::test {
namespace {

using platform::Access;
using platform::Descriptor;
using platform::FileFacts;

absl::Status NoLocks() {
  return base::FailedPrecondition("no open file description locks (as a test has asked)");
}

}  // namespace

void FaultPlatform::Set(const std::function<void(Faults&)>& change) {
  const std::lock_guard lock(mutex_);
  change(faults_);
}

void FaultPlatform::Clear() {
  Set([](Faults& faults) { faults = Faults(); });
}

void FaultPlatform::FreezeClocks() {
  Set([this](Faults& faults) {
    faults.monotonic_ns = real_->MonotonicNs();
    faults.boot_ns = real_->BootNs();
    faults.wall_ns = real_->WallNs();
  });
}

void FaultPlatform::Advance(std::int64_t ns) {
  Set([ns](Faults& faults) {
    for (auto* clock : {&faults.monotonic_ns, &faults.boot_ns, &faults.wall_ns}) {
      if (clock->has_value()) {
        **clock += ns;
      }
    }
  });
}

FaultPlatform::Counts FaultPlatform::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

FaultPlatform::Faults FaultPlatform::Begin(std::uint64_t Counts::*counter) {
  const std::lock_guard lock(mutex_);
  if (counter != nullptr) {
    ++(counts_.*counter);
  }
  return faults_;
}

absl::Status FaultPlatform::Spend(std::optional<std::uint64_t> Faults::*budget,
                                  std::uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  std::optional<std::uint64_t>& left = faults_.*budget;
  if (left.has_value()) {
    if (*left < size_bytes) {
      return base::ResourceExhausted("disk full (as a test has asked): ", size_bytes,
                                     " bytes wanted, ", *left, " left");
    }
    *left -= size_bytes;
  }
  return absl::OkStatus();
}

absl::StatusOr<FileFacts> FaultPlatform::Disguise(absl::StatusOr<FileFacts> facts) {
  const std::optional<platform::FileIdentity> identity = Begin().identity;
  if (facts.ok() && identity.has_value()) {
    facts->identity = *identity;
  }
  return facts;
}

absl::StatusOr<Descriptor> FaultPlatform::Open(const std::string& path, Access access) {
  return real_->Open(path, access);
}

absl::StatusOr<Descriptor> FaultPlatform::Reopen(int fd, Access access) {
  return real_->Reopen(fd, access);
}

absl::StatusOr<Descriptor> FaultPlatform::CreateUnlinked(const std::string& path) {
  return real_->CreateUnlinked(path);
}

absl::Status FaultPlatform::Rename(const std::string& from, const std::string& to) {
  return real_->Rename(from, to);
}

absl::StatusOr<platform::Descriptor> FaultPlatform::CreateReplacement(const std::string& path) {
  return real_->CreateReplacement(path);
}

absl::Status FaultPlatform::Replace(int fd, const std::string& path) {
  return real_->Replace(fd, path);
}

absl::Status FaultPlatform::Remove(const std::string& path) {
  return real_->Remove(path);
}

absl::Status FaultPlatform::Link(int fd, const std::string& path) {
  COMMY_RETURN_IF_ERROR(Begin().link);
  return real_->Link(fd, path);
}

absl::StatusOr<FileFacts> FaultPlatform::Describe(int fd) {
  return Disguise(real_->Describe(fd));
}

absl::StatusOr<FileFacts> FaultPlatform::DescribePath(const std::string& path) {
  return Disguise(real_->DescribePath(path));
}

absl::StatusOr<std::size_t> FaultPlatform::ReadAt(int fd, void* buffer, std::size_t size_bytes,
                                                  std::uint64_t offset_bytes) {
  return real_->ReadAt(fd, buffer, size_bytes, offset_bytes);
}

absl::Status FaultPlatform::Allocate(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  COMMY_RETURN_IF_ERROR(Begin(&Counts::allocate).allocate);
  COMMY_RETURN_IF_ERROR(Spend(&Faults::allocate_bytes_left, size_bytes));
  return real_->Allocate(fd, offset_bytes, size_bytes);
}

bool FaultPlatform::ReservesMemory(int fd) {
  const Faults faults = Begin();
  return faults.reserves_memory ? *faults.reserves_memory : real_->ReservesMemory(fd);
}

absl::Status FaultPlatform::Truncate(int fd, std::uint64_t size_bytes) {
  COMMY_RETURN_IF_ERROR(Begin().truncate);
  return real_->Truncate(fd, size_bytes);
}

absl::Status FaultPlatform::Punch(int fd, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  COMMY_RETURN_IF_ERROR(Begin(&Counts::punch).punch);
  return real_->Punch(fd, offset_bytes, size_bytes);
}

absl::StatusOr<std::byte*> FaultPlatform::Map(int fd, std::uint64_t size_bytes, Access access) {
  COMMY_RETURN_IF_ERROR(Begin().map);
  return real_->Map(fd, size_bytes, access);
}

absl::StatusOr<std::byte*> FaultPlatform::MapMemory(std::uint64_t size_bytes) {
  return real_->MapMemory(size_bytes);
}

void FaultPlatform::Unmap(std::byte* address, std::uint64_t size_bytes) {
  real_->Unmap(address, size_bytes);
}

absl::Status FaultPlatform::Populate(std::byte* address, std::uint64_t size_bytes) {
  Begin(&Counts::populate);
  COMMY_RETURN_IF_ERROR(Spend(&Faults::populate_bytes_left, size_bytes));
  return real_->Populate(address, size_bytes);
}

void FaultPlatform::AdviseLargePages(std::byte* address, std::uint64_t size_bytes) {
  if (!Begin().no_large_pages) {
    real_->AdviseLargePages(address, size_bytes);
  }
}

void FaultPlatform::PopulateResident(std::byte* address, std::uint64_t size_bytes) {
  {
    const std::lock_guard lock(mutex_);
    counts_.populate_resident_bytes += size_bytes;
  }
  real_->PopulateResident(address, size_bytes);
}

absl::StatusOr<platform::MappedMemory> FaultPlatform::DescribeMapped(const std::byte* address,
                                                                     std::uint64_t size_bytes) {
  return real_->DescribeMapped(address, size_bytes);
}

absl::Status FaultPlatform::Sync(std::byte* address, std::uint64_t size_bytes) {
  COMMY_RETURN_IF_ERROR(Begin(&Counts::sync).sync);
  return real_->Sync(address, size_bytes);
}

absl::StatusOr<bool> FaultPlatform::TryLock(int fd, std::uint64_t byte_offset, bool exclusive) {
  if (Begin().no_locks) {
    return NoLocks();
  }
  return real_->TryLock(fd, byte_offset, exclusive);
}

absl::StatusOr<bool> FaultPlatform::IsLocked(int fd, std::uint64_t byte_offset) {
  if (Begin().no_locks) {
    return NoLocks();
  }
  return real_->IsLocked(fd, byte_offset);
}

absl::Status FaultPlatform::Unlock(int fd, std::uint64_t byte_offset) {
  if (Begin().no_locks) {
    return NoLocks();
  }
  return real_->Unlock(fd, byte_offset);
}

platform::BootId FaultPlatform::boot_id() {
  const Faults faults = Begin();
  return faults.boot_id ? *faults.boot_id : real_->boot_id();
}

std::uint64_t FaultPlatform::memory_bytes() {
  const Faults faults = Begin();
  return faults.memory_bytes ? *faults.memory_bytes : real_->memory_bytes();
}

std::uint64_t FaultPlatform::process_id() {
  const Faults faults = Begin();
  return faults.process_id ? *faults.process_id : real_->process_id();
}

std::string FaultPlatform::process_name() {
  const Faults faults = Begin();
  return faults.process_name ? *faults.process_name : real_->process_name();
}

std::int64_t FaultPlatform::MonotonicNs() {
  const Faults faults = Begin();
  return faults.monotonic_ns ? *faults.monotonic_ns : real_->MonotonicNs();
}

std::int64_t FaultPlatform::BootNs() {
  const Faults faults = Begin();
  return faults.boot_ns ? *faults.boot_ns : real_->BootNs();
}

std::int64_t FaultPlatform::WallNs() {
  const Faults faults = Begin();
  return faults.wall_ns ? *faults.wall_ns : real_->WallNs();
}

void FaultPlatform::RandomBytes(void* buffer, std::size_t size_bytes) {
  real_->RandomBytes(buffer, size_bytes);
}

bool FaultPlatform::single_threaded() {
  const Faults faults = Begin();
  return faults.single_threaded ? *faults.single_threaded : real_->single_threaded();
}

absl::Status FaultPlatform::RegisterBarrier() {
  COMMY_RETURN_IF_ERROR(Begin().register_barrier);
  return real_->RegisterBarrier();
}

absl::Status FaultPlatform::GlobalBarrier() {
  const Faults faults = Begin(&Counts::global_barrier);
  COMMY_RETURN_IF_ERROR(faults.global_barrier);
  if (faults.in_global_barrier) {
    faults.in_global_barrier();
  }
  return real_->GlobalBarrier();
}

bool FaultPlatform::FutexWait(const std::uint32_t* word, std::uint32_t expected,
                              std::int64_t timeout_ns) {
  Begin(&Counts::futex_wait);
  return real_->FutexWait(word, expected, timeout_ns);
}

void FaultPlatform::FutexWakeAll(const std::uint32_t* word) {
  Begin(&Counts::futex_wake);
  real_->FutexWakeAll(word);
}

void FaultPlatform::FutexWake(const std::uint32_t* word, std::uint32_t count) {
  Begin(&Counts::futex_wake);
  real_->FutexWake(word, count);
}

}  // namespace commy::test
