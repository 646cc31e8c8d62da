#include "region/clean_word.h"

#include <cstring>

#include "base/check.h"
#include "base/status.h"
#include "region/geometry.h"

namespace commy::region {
namespace {

constexpr std::uint64_t kGenerationStep = std::uint64_t{1} << 32U;
constexpr std::uint64_t kCycleMask = 0xfffffffc;

// The same with the next cycle, dirty.
constexpr std::uint64_t NextCycle(std::uint64_t word) {
  return (word & ~std::uint64_t{0xffffffff}) | ((word + kCycleStep) & kCycleMask) | kDirty;
}

struct BootWords {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const BootWords&, const BootWords&) = default;
};

BootWords ToWords(const platform::BootId& id) {
  BootWords words;
  std::memcpy(&words.low, id.data(), 8);
  std::memcpy(&words.high, id.data() + 8, 8);
  return words;
}

bool SameBoot(platform::Platform& platform, const RegionHeader& header) {
  const BootWords now = ToWords(platform.boot_id());
  const BootWords then{header.boot_id[0].load(std::memory_order_relaxed),
                       header.boot_id[1].load(std::memory_order_relaxed)};
  return now == then && now != BootWords{};
}

bool SameFile(const platform::FileIdentity& now, const RegionHeader& header) {
  return now == platform::FileIdentity{header.device.load(std::memory_order_relaxed),
                                       header.inode.load(std::memory_order_relaxed),
                                       header.birth_ns.load(std::memory_order_relaxed)};
}

}  // namespace

absl::Status CheckWhole(platform::Platform& platform, int fd, const RegionHeader& header) {
  // Pairs with the CAS of dirty-1: a dirty word is seen with the identity stored before it.
  if ((header.clean_word.load(std::memory_order_acquire) & kDirty) == 0) {
    return absl::OkStatus();
  }
  if (!SameBoot(platform, header)) {
    return base::DataLoss(
        "the store was in use when the machine went down, so its pages may be torn; ",
        "`commy recover` saves what verifies into a new store");
  }
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform.Describe(fd));
  if (!SameFile(facts.identity, header)) {
    return base::DataLoss(
        "this is a copy of a store that was in use while it was copied, so it may be torn; copy "
        "it ",
        "when every process has closed it, or save what verifies with `commy recover`");
  }
  return absl::OkStatus();
}

void CountAttach(RegionHeader& header) {
  // In one order with the CAS of detach-5, which fails from here on.
  header.clean_word.fetch_add(kGenerationStep, std::memory_order_seq_cst);
}

absl::StatusOr<std::uint32_t> MarkDirty(platform::Platform& platform, int fd, RegionHeader& header,
                                        std::uint32_t synced) {
  // What the last call returned, or nothing: never a word with the arming bit beside another one.
  COMMY_DCHECK(synced == kNeverSynced || (synced & (kDirty | kArming)) == kDirty);
  // dirty-2. In one order with the CAS of sync-5: it fails if this one came first.
  std::uint64_t seen = header.clean_word.load(std::memory_order_acquire);
  while ((seen & kArming) != 0 &&
         !header.clean_word.compare_exchange(seen, seen & ~kArming, std::memory_order_seq_cst)) {
  }
  seen &= ~kArming;
  if (SessionPart(seen) == synced) {
    return synced;
  }
  if ((seen & kDirty) == 0) {
    COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform.Describe(fd));
    const BootWords boot = ToWords(platform.boot_id());
    header.boot_id[0].store(boot.low, std::memory_order_relaxed);
    header.boot_id[1].store(boot.high, std::memory_order_relaxed);
    header.device.store(facts.identity.device, std::memory_order_relaxed);
    header.inode.store(facts.identity.inode, std::memory_order_relaxed);
    header.birth_ns.store(facts.identity.birth_ns, std::memory_order_relaxed);
    while ((seen & kDirty) == 0) {  // dirty-1; publishes the identity to attach-2.
      if (header.clean_word.compare_exchange(seen, NextCycle(seen), std::memory_order_seq_cst)) {
        seen = NextCycle(seen);
      }
    }
  }
  COMMY_DCHECK((seen & kDirty) != 0);  // K1: before the change, not after it.
  COMMY_RETURN_IF_ERROR(platform.Sync(reinterpret_cast<std::byte*>(&header), kHeaderBytes));
  return SessionPart(seen & ~kArming);
}

std::uint64_t ArmClean(RegionHeader& header) {
  std::uint64_t seen = header.clean_word.load(std::memory_order_seq_cst);
  while ((seen & kDirty) != 0) {  // sync-2; before the barrier and the look at the lanes, sync-3.
    const std::uint64_t armed = (seen | kArming) + kGenerationStep;
    COMMY_DCHECK(armed >> 32U != seen >> 32U);  // Else an earlier sync could complete this one.
    if (header.clean_word.compare_exchange(seen, armed, std::memory_order_seq_cst)) {
      return armed;
    }
  }
  return 0;
}

bool CompleteClean(RegionHeader& header, std::uint64_t armed) {
  COMMY_DCHECK((armed & kDirty) != 0 && (armed & kArming) != 0);  // K1
  // sync-5; against dirty-2 and attach-3.
  return header.clean_word.CompareAndSet(armed, armed & ~(kDirty | kArming),
                                         std::memory_order_seq_cst);
}

void MarkCleanIfAlone(platform::Platform& platform, int fd) {
  const absl::StatusOr<platform::FileFacts> facts = platform.Describe(fd);
  if (!facts.ok() || facts->size_bytes < kHeaderBytes) {
    return;
  }
  const absl::StatusOr<std::byte*> base =
      platform.Map(fd, facts->size_bytes, platform::Access::kReadWrite);
  if (!base.ok()) {
    return;
  }
  RegionHeader& header = *reinterpret_cast<RegionHeader*>(*base);
  std::uint64_t seen = header.clean_word.load(std::memory_order_seq_cst);  // detach-2
  if ((seen & kDirty) != 0) {
    const absl::StatusOr<bool> held = platform.IsLocked(fd, kAttachLockByte);
    // The CAS is detach-5; against attach-3.
    if (held.ok() && !*held && platform.Sync(*base, facts->size_bytes).ok() &&
        header.clean_word.compare_exchange(seen, seen & ~(kDirty | kArming),
                                           std::memory_order_seq_cst)) {
      // A failure here leaves the page dirty in the cache and the word on disk dirty: no lie.
      (void)platform.Sync(*base, kHeaderBytes);
    }
  }
  platform.Unmap(*base, facts->size_bytes);
}

}  // namespace commy::region
