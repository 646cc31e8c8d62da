// Opening, attaching and detaching. The rest: growth.cc.
#include "region/region.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "region/about.h"
#include "region/clean_word.h"
#include "region/cut.h"
#include "region/replaced.h"

namespace commy::region {
namespace {

using platform::Access;
using platform::Descriptor;

constexpr std::uint32_t kFirstLanes = 16;
constexpr int kReopenLimit = 100;
constexpr int kDanglingAttempts = 5;
constexpr int kAttachAttempts = 20;
constexpr std::chrono::milliseconds kAttachPause(1);

absl::Status NotAStore(const platform::FileFacts& facts) {
  if (facts.is_directory) {
    return base::InvalidArgument("is a directory, not a store");
  }
  if (!facts.is_regular) {
    return base::InvalidArgument("is not a regular file");
  }
  if (facts.size_bytes < kHeaderBytes) {
    return base::InvalidArgument("not a Commy store: it has ", facts.size_bytes,
                                 " bytes, less than a header");
  }
  return absl::OkStatus();
}

// Reads and checks the header of the file behind `fd`.
absl::StatusOr<Geometry> Inspect(platform::Platform& platform, int fd, RegionHeader& header) {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform.Describe(fd));
  COMMY_RETURN_IF_ERROR(NotAStore(facts));
  COMMY_ASSIGN_OR_RETURN(const std::size_t got, platform.ReadAt(fd, &header, sizeof(header), 0));
  if (got != sizeof(header)) {
    return base::DataLoss("the header could not be read: ", got, " of ", sizeof(header), " bytes");
  }
  // The length is asked for again, since the file may have grown before the header was read.
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts after, platform.Describe(fd));
  return ReadHeader(header, after.size_bytes);
}

}  // namespace

absl::Status Region::Create(platform::Platform& platform, const std::string& path,
                            const CreateOptions& options) {
  RegionHeader probe{};
  COMMY_RETURN_IF_ERROR(MakeHeader(options, probe));  // Before anything is made.
  COMMY_ASSIGN_OR_RETURN(const Descriptor fd, platform.CreateUnlinked(path));
  COMMY_RETURN_IF_ERROR(Fill(platform, fd.fd(), options));
  return platform.Link(fd.fd(), path);
}

absl::Status Region::Fill(platform::Platform& platform, int fd, const CreateOptions& options) {
  RegionHeader header{};
  platform.RandomBytes(header.uuid, sizeof(header.uuid));
  platform.RandomBytes(&header.hash_seed, sizeof(header.hash_seed));
  header.hash_seed = options.hash_seed.value_or(header.hash_seed);
  header.created_wall_ns = static_cast<std::uint64_t>(platform.WallNs());
  COMMY_RETURN_IF_ERROR(MakeHeader(options, header));
  const std::uint32_t lanes = std::min(kFirstLanes, header.lane_count);
  header.size_bytes.raw = header.data_offset;
  header.lanes_ready.raw = lanes;
  header.epoch.raw = 2;
  header.commit_clock.raw = 1;

  COMMY_DCHECK((header.clean_word.raw & (kDirty | kArming)) == 0);

  COMMY_RETURN_IF_ERROR(platform.Truncate(fd, header.data_offset));
  const std::uint64_t head_bytes = header.lanes_offset + lanes * sizeof(LaneLayout);
  COMMY_DCHECK(head_bytes <= header.snapshots_offset);
  COMMY_RETURN_IF_ERROR(platform.Allocate(fd, 0, head_bytes));
  COMMY_RETURN_IF_ERROR(platform.Allocate(fd, header.snapshots_offset,
                                          header.span_words_offset - header.snapshots_offset));
  // All of it, as each opener will: a store that this process cannot map gets no name.
  COMMY_ASSIGN_OR_RETURN(std::byte * base,
                         platform.Map(fd, header.max_size_bytes, Access::kReadWrite));
  absl::Status status = platform.Populate(base, head_bytes);
  if (status.ok()) {
    base::CopyIn(base, &header, sizeof(header));
    status = platform.Sync(base, kHeaderBytes);
  }
  platform.Unmap(base, header.max_size_bytes);
  return status;
}

absl::StatusOr<std::unique_ptr<Region>> Region::Open(platform::Platform& platform,
                                                     const std::string& path,
                                                     const RegionOptions& options) {
  bool created = false;
  for (int attempt = 0; attempt < kReopenLimit; ++attempt) {
    if (options.error_if_exists && !created) {
      COMMY_RETURN_IF_ERROR(About(path, Create(platform, path, options.create)));
      created = true;
    }
    absl::StatusOr<std::unique_ptr<Region>> region = TryOpen(platform, path, options.role);
    if (absl::IsNotFound(region.status()) && options.create_if_missing) {
      if (attempt >= kDanglingAttempts) {
        return base::NotFound(path,
                              ": there is no such file, but its name is taken: perhaps it is ",
                              "a symbolic link to nothing");
      }
      const absl::Status made = Create(platform, path, options.create);
      // If two processes race to create it, the loser opens the winner's store.
      if (!made.ok() && !absl::IsAlreadyExists(made)) {
        return About(path, made);
      }
      continue;
    }
    if (!region.ok()) {
      return About(path, region.status());
    }
    if (*region != nullptr) {
      return region;
    }
  }
  return base::Unavailable(path,
                           ": the file is replaced again and again while it is opened, or the ",
                           "path is a link that leads nowhere");
}

absl::StatusOr<std::unique_ptr<Region>> Region::TryOpen(platform::Platform& platform,
                                                        const std::string& path,
                                                        RegionOptions::Role role) {
  std::unique_ptr<Region> region(new Region(platform, path));
  COMMY_ASSIGN_OR_RETURN(region->fd_, platform.Open(path, Access::kReadWrite));
  RegionHeader header{};
  COMMY_ASSIGN_OR_RETURN(region->geometry_, Inspect(platform, region->fd_.fd(), header));
  const absl::Status locked = region->LockAndMap(role);
  COMMY_ASSIGN_OR_RETURN(const bool at_its_path, region->IsAtItsPath());
  if (!at_its_path) {
    return std::unique_ptr<Region>();
  }
  COMMY_RETURN_IF_ERROR(locked);
  COMMY_RETURN_IF_ERROR(region->Attach());
  return region;
}

absl::StatusOr<std::unique_ptr<Region>> Region::OpenNameless(platform::Platform& platform, int fd,
                                                             const std::string& path,
                                                             const CreateOptions& create) {
  COMMY_RETURN_IF_ERROR(About(path, Fill(platform, fd, create)));
  std::unique_ptr<Region> region(new Region(platform, path));
  COMMY_ASSIGN_OR_RETURN(region->fd_, platform.Reopen(fd, Access::kReadWrite));
  RegionHeader header{};
  COMMY_ASSIGN_OR_RETURN(region->geometry_, Inspect(platform, region->fd_.fd(), header));
  COMMY_RETURN_IF_ERROR(About(path, region->LockAndMap(RegionOptions::Role::kAlone)));
  COMMY_RETURN_IF_ERROR(About(path, region->Attach()));
  return region;
}

absl::StatusOr<bool> Region::IsAtItsPath() const {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts opened, platform_.Describe(fd_.fd()));
  const absl::StatusOr<platform::FileFacts> named = platform_.DescribePath(path_);
  return named.ok() && named->identity == opened.identity;
}

absl::Status Region::Attach() {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts opened, platform_.Describe(fd_.fd()));
  length_bytes_.store(std::min(opened.size_bytes, mapped_bytes_), std::memory_order_relaxed);
  reserves_memory_ = platform_.ReservesMemory(fd_.fd());
  COMMY_RETURN_IF_ERROR(CheckNotReplaced(header()));
  COMMY_RETURN_IF_ERROR(CheckWhole(platform_, fd_.fd(), header()));
  COMMY_DCHECK(base_ != nullptr && mapped_bytes_ != 0);
  CountAttach(header());
  attached_ = !alone_.valid();  // A copy leaves the file as it is.
  return absl::OkStatus();
}

absl::Status Region::LockAndCopy(Descriptor lock_fd, const RegionHeader& header) {
  COMMY_ASSIGN_OR_RETURN(const bool alone,
                         platform_.TryLock(lock_fd.fd(), kAttachLockByte, /*exclusive=*/true));
  if (!alone) {
    return base::ResourceExhausted(
        "the disk is full, the file has holes where space was reserved ",
        "(it was copied without them), and another process has it open; free disk space");
  }
  COMMY_RETURN_IF_ERROR(TakeSlot(lock_fd.fd()));
  COMMY_ASSIGN_OR_RETURN(base_, platform_.MapMemory(geometry_.max_size_bytes));
  mapped_bytes_ = geometry_.max_size_bytes;
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform_.Describe(fd_.fd()));
  for (const Range& range : RangesInUse(geometry_, header, facts.size_bytes)) {
    COMMY_RETURN_IF_ERROR(
        platform_.ReadAt(fd_.fd(), base_ + range.begin, range.end - range.begin, range.begin)
            .status());
  }
  alone_ = std::move(lock_fd);
  return absl::OkStatus();
}

absl::Status Region::LockAndMap(RegionOptions::Role role) {
  // The locks belong to this description. The mapping keeps it alive after the descriptor is
  // closed at the end of this function.
  COMMY_ASSIGN_OR_RETURN(Descriptor lock_fd, platform_.Reopen(fd_.fd(), Access::kReadWrite));
  const bool alone = role == RegionOptions::Role::kAlone;
  COMMY_ASSIGN_OR_RETURN(bool attached, platform_.TryLock(lock_fd.fd(), kAttachLockByte, alone));
  // The last participant to close a store cuts its end, which is a matter of a moment.
  for (int attempt = 0; !attached && !alone && attempt < kAttachAttempts; ++attempt) {
    std::this_thread::sleep_for(kAttachPause);
    COMMY_ASSIGN_OR_RETURN(const bool at_its_path, IsAtItsPath());
    if (!at_its_path) {
      break;
    }
    COMMY_ASSIGN_OR_RETURN(attached, platform_.TryLock(lock_fd.fd(), kAttachLockByte, alone));
  }
  if (!attached) {
    return alone ? base::FailedPrecondition("another process has the store open")
                 : base::FailedPrecondition(
                       "another process has exclusive use of the store now (compaction, for one); ",
                       "try again when it is done");
  }
  // Read again: before there was the share of the byte, the file may have been cut.
  RegionHeader header{};
  COMMY_RETURN_IF_ERROR(platform_.ReadAt(fd_.fd(), &header, sizeof(header), 0).status());
  if (const absl::Status reserved = ReserveAgain(header); !reserved.ok()) {
    const bool only_reads =
        role == RegionOptions::Role::kReader || role == RegionOptions::Role::kWatcher;
    return only_reads && absl::IsResourceExhausted(reserved)
               ? LockAndCopy(std::move(lock_fd), header)
               : reserved;
  }
  if (role != RegionOptions::Role::kWatcher) {
    COMMY_RETURN_IF_ERROR(TakeSlot(lock_fd.fd()));
  }
  COMMY_ASSIGN_OR_RETURN(base_,
                         platform_.Map(lock_fd.fd(), geometry_.max_size_bytes, Access::kReadWrite));
  mapped_bytes_ = geometry_.max_size_bytes;
  WishForLargePages();
  return absl::OkStatus();
}

absl::Status Region::TakeSlot(int lock_fd) {
  for (std::uint32_t slot = 0; slot < geometry_.participant_count; ++slot) {
    COMMY_ASSIGN_OR_RETURN(const bool mine,
                           platform_.TryLock(lock_fd, kSlotLockBase + slot, /*exclusive=*/true));
    if (mine) {
      slot_index_ = slot;
      return absl::OkStatus();
    }
  }
  return base::ResourceExhausted(
      "all ", geometry_.participant_count,
      " participant slots are taken; end a process that has it open, `commy ps` lists them, or ",
      "create the store with more participants: Options::participants, commy init --participants");
}

Region::~Region() {
  Detach();
}

void Region::Detach() {
  if (base_ == nullptr) {
    return;
  }
  platform_.Unmap(base_, mapped_bytes_);
  base_ = nullptr;
  if (attached_) {
    CutEndIfAlone(platform_, fd_.fd(), geometry_);
    // Also if a participant that left earlier made it dirty. Never by an opener that was refused:
    // the image that it found may be torn.
    MarkCleanIfAlone(platform_, fd_.fd());
  }
}

bool Region::RefreshLength(std::uint64_t offset_bytes, std::uint64_t size_bytes) const {
  if (size_bytes > mapped_bytes_ || offset_bytes > mapped_bytes_ - size_bytes) {
    return false;
  }
  const absl::StatusOr<platform::FileFacts> facts = platform_.Describe(fd_.fd());
  if (!facts.ok()) {
    return false;
  }
  COMMY_DCHECK(base_ != nullptr);
  const std::uint64_t length = std::min(facts->size_bytes, mapped_bytes_);
  length_bytes_.store(length, std::memory_order_relaxed);
  return size_bytes <= length && offset_bytes <= length - size_bytes;
}

std::uint32_t Region::lanes_ready() const {
  // Pairs with the CAS in GrowLanes(): the pages of these lanes exist.
  const std::uint64_t ready = header().lanes_ready.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(ready, geometry_.lane_count));
}

std::uint64_t Region::span_count() const {
  const std::uint64_t first = geometry_.data_offset;
  // Pairs with growth-3: these spans and their words have disk blocks.
  const std::uint64_t size_bytes = header().size_bytes.load(std::memory_order_acquire);
  if (size_bytes <= first) {
    return 0;
  }
  if (size_bytes > length_bytes()) {
    RefreshLength(first, size_bytes - first);
  }
  const std::uint64_t usable = std::min(size_bytes, length_bytes());
  return std::min((usable - first) >> geometry_.span_shift, geometry_.span_count_max);
}

absl::StatusOr<bool> Region::IsSlotLocked(std::uint32_t slot_index) const {
  COMMY_ASSIGN_OR_RETURN(Descriptor probe, platform_.Reopen(fd_.fd(), Access::kReadWrite));
  return platform_.IsLocked(probe.fd(), kSlotLockBase + slot_index);
}

absl::StatusOr<Descriptor> Region::LockSlot(std::uint32_t slot_index) const {
  COMMY_ASSIGN_OR_RETURN(Descriptor lock, platform_.Reopen(fd_.fd(), Access::kReadWrite));
  COMMY_ASSIGN_OR_RETURN(const bool mine, platform_.TryLock(lock.fd(), kSlotLockBase + slot_index,
                                                            /*exclusive=*/true));
  return mine ? std::move(lock) : Descriptor();
}

absl::Status Region::MakeDirty() {
  // Pairs with the store below: that thread's sync of the page is over.
  const std::uint32_t synced = synced_dirty_.load(std::memory_order_acquire);
  const absl::StatusOr<std::uint32_t> now = MarkDirty(platform_, fd_.fd(), header(), synced);
  if (!now.ok()) {
    return About(path_, now.status());
  }
  COMMY_DCHECK((*now & (kDirty | kArming)) == kDirty);  // K1
  synced_dirty_.store(*now, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Region::Sync() {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform_.Describe(fd_.fd()));
  return About(path_, platform_.Sync(base_, std::min(facts.size_bytes, mapped_bytes_)));
}

absl::Status Region::SyncHeader() {
  return About(path_, platform_.Sync(base_, kHeaderBytes));
}

absl::StatusOr<std::uint64_t> Region::DiskBytes() const {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform_.Describe(fd_.fd()));
  return facts.disk_bytes;
}

absl::StatusOr<std::uint64_t> Region::FileBytes() const {
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform_.Describe(fd_.fd()));
  return facts.size_bytes;
}

}  // namespace commy::region
