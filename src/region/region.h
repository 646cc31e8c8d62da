// The mapped file.
//
// This floor is the file as bytes: its layout, its geometry and growth, and the checked way from an
// offset to a pointer. It may touch platform/ and base/; of the uses of blocks it knows
// the list of their kinds (block_kinds.h). Begin reading in layout.h, then here.
//
// A Region is one participant's mapping of a store. It holds, through the mapping itself, the lock
// byte of the participant's slot and a share of the attach byte: the kernel drops both when the
// mapping goes, however the process ends, and a forked child does not keep them (the mapping is
// not inherited, the descriptor is closed before anything else happens).
//
// Offsets become pointers in one place only, At(): it checks them against the length that the
// kernel gives for the file, never against anything that the file says of itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/bytes.h"
#include "base/check.h"
#include "platform/platform.h"
#include "region/clean_word.h"
#include "region/geometry.h"
#include "region/layout.h"

namespace commy::region {

struct RegionOptions {
  bool create_if_missing = true;
  bool error_if_exists = false;
  // kWatcher takes no slot, so that it can look when all are taken; it may only read fixed parts.
  // kAlone is a writer that no other process joins: it holds the attach byte exclusively.
  enum class Role : std::uint8_t { kWriter, kReader, kWatcher, kAlone };
  Role role = Role::kWriter;
  CreateOptions create;  // Used only if the file is created.
};

class Region {
 public:
  // Opens or creates the store at `path`, takes a participant slot's lock, and maps the file.
  //
  // Errors name `path`. NotFound; AlreadyExists; PermissionDenied; InvalidArgument: not a store,
  // or an option out of range; FailedPrecondition: another format version, a file system without
  // the locks, or another process has exclusive use; DataLoss: damaged, cut short, or perhaps torn
  // by a reboot; ResourceExhausted: disk full, or every participant slot is taken.
  // An opener that is refused has changed nothing.
  static absl::StatusOr<std::unique_ptr<Region>> Open(platform::Platform& platform,
                                                      const std::string& path,
                                                      const RegionOptions& options);

  // Makes a new store of the file behind `fd`, which is empty and has no name yet, and opens it as
  // its first participant. `path` is for messages.
  static absl::StatusOr<std::unique_ptr<Region>> OpenNameless(platform::Platform& platform, int fd,
                                                              const std::string& path,
                                                              const CreateOptions& create);

  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  // Detaches.
  ~Region();

  // --- Offsets -------------------------------------------------------------------------------

  // The object at `offset_bytes`, or null if it does not lie wholly in the file or is not aligned
  // for T. A few instructions; asks the kernel for the file's length only if the offset is past
  // what was seen last.
  template <typename T>
  [[nodiscard]] T* At(std::uint64_t offset_bytes) const {
    return reinterpret_cast<T*>(At(offset_bytes, sizeof(T), alignof(T)));
  }
  // `size_bytes` bytes at an offset. 0 is never a valid offset.
  [[nodiscard]] std::byte* At(std::uint64_t offset_bytes, std::uint64_t size_bytes,
                              std::uint64_t alignment) const {
    const std::uint64_t length = length_bytes_.load(std::memory_order_relaxed);
    if (size_bytes > length || offset_bytes > length - size_bytes) [[unlikely]] {
      if (!RefreshLength(offset_bytes, size_bytes)) {
        return nullptr;
      }
    }
    if (offset_bytes == 0 || !base::IsAligned(offset_bytes, alignment)) [[unlikely]] {
      return nullptr;
    }
    COMMY_DCHECK(offset_bytes + size_bytes <= mapped_bytes_);
    return base_ + offset_bytes;
  }
  // The offset of an address inside the mapping.
  [[nodiscard]] std::uint64_t OffsetOf(const void* address) const {
    COMMY_DCHECK(address >= base_ && address < base_ + mapped_bytes_);
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - base_);
  }

  // --- Fixed parts; always there, as Open has checked -------------------------------------------

  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] RegionHeader& header() const {
    COMMY_DCHECK(base_ != nullptr);
    return *reinterpret_cast<RegionHeader*>(base_);
  }
  // Requires: index < kKeyWaitWordCount.
  [[nodiscard]] Shared32& key_wait_word(std::uint64_t index) const {
    COMMY_DCHECK(index < kKeyWaitWordCount);
    return reinterpret_cast<Shared32*>(base_ + kKeyWaitWordsOffset)[index];
  }
  // Requires: index < geometry().snapshot_count.
  [[nodiscard]] SnapshotEntry& snapshot(std::uint32_t index) const {
    COMMY_DCHECK(index < geometry_.snapshot_count);
    return reinterpret_cast<SnapshotEntry*>(base_ + geometry_.snapshots_offset)[index];
  }
  // Requires: index < geometry().participant_count.
  [[nodiscard]] ParticipantEntry& participant(std::uint32_t index) const {
    COMMY_DCHECK(index < geometry_.participant_count);
    return reinterpret_cast<ParticipantEntry*>(base_ + geometry_.participants_offset)[index];
  }
  // Requires: index < lanes_ready().
  [[nodiscard]] LaneLayout& lane(std::uint32_t index) const {
    COMMY_DCHECK(index < geometry_.lane_count);
    return reinterpret_cast<LaneLayout*>(base_ + geometry_.lanes_offset)[index];
  }
  // Requires: index < span_count().
  [[nodiscard]] Shared64& span_word(std::uint64_t index) const {
    COMMY_DCHECK(index < geometry_.span_count_max);
    return reinterpret_cast<Shared64*>(base_ + geometry_.span_words_offset)[index];
  }
  // Lanes whose pages exist.
  [[nodiscard]] std::uint32_t lanes_ready() const;
  // Spans that exist, as the header says and the file's length allows.
  [[nodiscard]] std::uint64_t span_count() const;
  [[nodiscard]] std::uint64_t SpanOffset(std::uint64_t index) const {
    return geometry_.data_offset + (index << geometry_.span_shift);
  }

  // --- Growth --------------------------------------------------------------------------------

  // Makes at least `span_count` more spans than `seen_span_count` exist:
  //   growth-0  reads size_bytes
  //   growth-1  reserves disk blocks, up to a multiple of chunk_bytes (in a tmpfs of small pages
  //             only as far as growth-3 publishes, as it takes time). The file is longer;
  //             size_bytes says nothing of it yet
  //   growth-2  makes the pages present: at least 256 KiB, in which all others of a large page may
  //             come
  //   growth-3  raises size_bytes to its end by a CAS, if it is not there yet: the one store that
  //             publishes
  // A thread that stops before growth-3 leaves blocks that the next growth reserves again, which
  // costs nothing. growth-3 may come late: reserving never shortens the file, and what lies before
  // the end of a piece is reserved, before growth-0 by others, from there on by growth-1. Its
  // release pairs with the load in span_count(). Several may do it at once: the one that ends
  // farthest counts, and all have made pages present in their own mappings. OK also when another
  // one had grown the file already. No process maps anew: max_size bytes of addresses were mapped
  // at open, past the file's end; and no pointer is made from an offset beyond the length that the
  // kernel gives for the file.
  // ResourceExhausted: the disk is full or max_size is reached; nothing has changed.
  absl::Status Grow(std::uint64_t seen_span_count, std::uint64_t span_count);
  // growth-1 and growth-2 of the chunk after the one in which `seen_span_count` ends, while another
  // thread grows that one: half of the work for each. Advice.
  void PrepareToGrow(std::uint64_t seen_span_count);
  // Makes the pages of lanes [0, count) exist, by the same steps; lanes_ready is raised in a loop.
  // Requires: count <= geometry().lane_count.
  absl::Status GrowLanes(std::uint32_t count);

  // Gives the disk blocks of a range of free spans back; the file stays as long as it is.
  // Unavailable: the file system cannot do this.
  absl::Status GiveBack(std::uint64_t offset_bytes, std::uint64_t size_bytes);
  // Reserves them again, and makes the pages present. ResourceExhausted: the disk is full.
  absl::Status ReserveInside(std::uint64_t offset_bytes, std::uint64_t size_bytes);

  // --- Pages ---------------------------------------------------------------------------------

  // Makes the pages of a range, which must lie in the file, present and writable in this process:
  // one call in place of a fault for each. Dirties them.
  absl::Status Populate(std::uint64_t offset_bytes, std::uint64_t size_bytes) {
    COMMY_DCHECK(offset_bytes + size_bytes <= mapped_bytes_);
    return platform_.Populate(base_ + offset_bytes, size_bytes);
  }
  // Makes those of a range present that are in memory already. Dirties nothing. Advice.
  void PopulateResident(std::uint64_t offset_bytes, std::uint64_t size_bytes) {
    if (!alone_.valid()) {
      platform_.PopulateResident(base_ + offset_bytes, size_bytes);
    }
  }
  // What of the mapping is present in this process, and how much of that lies in large pages.
  [[nodiscard]] absl::StatusOr<platform::MappedMemory> DescribeMapped() const {
    return platform_.DescribeMapped(base_, mapped_bytes_);
  }

  // --- Others --------------------------------------------------------------------------------

  // Whether the participant slot's lock byte is held. Through a description of its own.
  absl::StatusOr<bool> IsSlotLocked(std::uint32_t slot_index) const;
  // Locks a slot's byte for as long as the returned descriptor lives. An invalid descriptor:
  // another description holds it.
  absl::StatusOr<platform::Descriptor> LockSlot(std::uint32_t slot_index) const;

  // Must be called before each change of anything but participants, lanes, snapshots, epoch and
  // clock: by each operation, once it shows in its lane. One load, unless the store was clean.
  absl::Status EnsureDirty() { return NeedsDirty() ? MakeDirty() : absl::OkStatus(); }
  [[nodiscard]] bool NeedsDirty() const {
    // Pairs with the CAS of sync-2 and sync-5, and with the store in MakeDirty().
    return SessionPart(header().clean_word.load(std::memory_order_acquire)) !=
           synced_dirty_.load(std::memory_order_acquire);
  }
  // Whether this participant has changed the store, and it was not synced since.
  [[nodiscard]] bool made_dirty() const {
    return synced_dirty_.load(std::memory_order_relaxed) != kNeverSynced &&
           (header().clean_word.load(std::memory_order_relaxed) & kDirty) != 0;
  }
  // Writes the whole file to disk, or its first page.
  absl::Status Sync();
  absl::Status SyncHeader();
  // Unmaps, which gives the locks back, and marks the store clean if this was the last
  // participant. Idempotent; nothing but the destructor may be called afterwards.
  void Detach();
  // In a forked child: forgets the mapping without touching it.
  void AbandonAfterFork() { base_ = nullptr; }

  [[nodiscard]] std::uint32_t slot_index() const { return slot_index_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] platform::Platform& platform() const { return platform_; }
  [[nodiscard]] std::uint64_t length_bytes() const {
    return length_bytes_.load(std::memory_order_relaxed);
  }
  // Whether the path names the file that is open. False also if it names none.
  [[nodiscard]] absl::StatusOr<bool> IsAtItsPath() const;
  // Blocks that the file takes on disk.
  absl::StatusOr<std::uint64_t> DiskBytes() const;
  // Its length, which may be larger than its header says; see Grow.
  absl::StatusOr<std::uint64_t> FileBytes() const;

 private:
  Region(platform::Platform& platform, std::string path)
      : platform_(platform), path_(std::move(path)) {}

  static absl::Status Create(platform::Platform& platform, const std::string& path,
                             const CreateOptions& options);
  // All of that but the name.
  static absl::Status Fill(platform::Platform& platform, int fd, const CreateOptions& options);
  // One attempt; an invalid pointer in an OK result means that the path now names another file.
  static absl::StatusOr<std::unique_ptr<Region>> TryOpen(platform::Platform& platform,
                                                         const std::string& path,
                                                         RegionOptions::Role role);
  // What of the file is in use and must have blocks on disk.
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  static std::vector<Range> RangesInUse(const Geometry& geometry, const RegionHeader& header,
                                        std::uint64_t length_bytes);
  // Reserves again the blocks that a copy without zeros has lost: a store into a hole would be a
  // signal on a full disk. Spans that are holes by their words stay so. ResourceExhausted: the disk
  // is full.
  absl::Status ReserveAgain(const RegionHeader& header);
  // The ranges of `data`, which are spans, that are no holes.
  [[nodiscard]] absl::StatusOr<std::vector<Range>> SpansWithBlocks(const Range& data) const;
  absl::Status LockAndMap(RegionOptions::Role role);
  // The rest of an open, once the file is locked and mapped, and is the right one.
  absl::Status Attach();
  // For a read-only participant where the disk is full and the file has holes, of which even a load
  // may be a signal: a copy of it in memory, while no other process has the store open.
  absl::Status LockAndCopy(platform::Descriptor lock_fd, const RegionHeader& header);
  absl::Status MakeDirty();
  absl::Status TakeSlot(int lock_fd);
  void WishForLargePages();
  [[nodiscard]] std::uint64_t ReserveBytes() const;
  bool RefreshLength(std::uint64_t offset_bytes, std::uint64_t size_bytes) const;

  platform::Platform& platform_;
  const std::string path_;
  Geometry geometry_;
  platform::Descriptor fd_;  // For growth and for fresh descriptions; holds no lock.
  std::byte* base_ = nullptr;
  std::uint64_t mapped_bytes_ = 0;
  mutable std::atomic<std::uint64_t> length_bytes_{0};
  std::atomic<std::uint32_t> synced_dirty_{kNeverSynced};  // See region/clean_word.h.
  std::uint32_t slot_index_ = 0;                           // Unused in a watcher.
  bool reserves_memory_ = false;                           // See Platform::ReservesMemory().
  bool attached_ = false;                                  // Open went through.
  platform::Descriptor alone_;  // Of a copy in memory: holds the attach byte alone.
};

}  // namespace commy::region
