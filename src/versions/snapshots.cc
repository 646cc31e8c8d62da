#include "versions/snapshots.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"

namespace commy::versions {
namespace {

using region::Region;
using region::Shared64;
using region::SnapshotEntry;

constexpr std::uint64_t kReadyStep = 16;

// The number comes from the file, so it may be above the number of entries that there are.
std::uint32_t Ready(const Region& region) {
  const std::uint64_t ready = region.header().snapshots_ready.load(std::memory_order_seq_cst);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(ready, region.geometry().snapshot_count));
}

void RaiseReady(Region& region, std::uint32_t slot) {  // snapshot-0
  Shared64& word = region.header().snapshots_ready;
  const std::uint64_t wanted = (slot / kReadyStep + 1) * kReadyStep;
  std::uint64_t seen = word.load(std::memory_order_seq_cst);
  while (seen < wanted && !word.compare_exchange(seen, wanted, std::memory_order_seq_cst)) {
  }
}

}  // namespace

bool TakeSnapshot(Region& region, std::uint64_t owner, std::int64_t store_ns, HeldSnapshot* taken) {
  for (std::uint32_t i = 0; i < region.geometry().snapshot_count; ++i) {
    SnapshotEntry& slot = region.snapshot(i);
    if (slot.owner.load(std::memory_order_relaxed) != 0) {
      continue;
    }
    RaiseReady(region, i);
    if (!slot.owner.CompareAndSet(0, owner, std::memory_order_seq_cst)) {  // snapshot-1
      continue;
    }
    slot.store_ns.store(static_cast<std::uint64_t>(store_ns), std::memory_order_relaxed);
    Shared64& held = region.header().snapshots_held;
    std::uint64_t seen = held.load(std::memory_order_seq_cst);
    std::uint64_t mine = 0;
    do {
      mine = ((seen >> 1U) + 1) << 1U | kSnapshotsSome;
    } while (!held.compare_exchange(seen, mine, std::memory_order_seq_cst));  // snapshot-2
    const std::uint64_t pending = kSnapshotPending | mine >> 1U;
    slot.word.store(pending, std::memory_order_seq_cst);  // snapshot-3
    std::uint64_t word = pending;
    const std::uint64_t now =
        region.header().commit_clock.load(std::memory_order_seq_cst);  // snapshot-4
    const bool by_us =
        slot.word.compare_exchange(word, now, std::memory_order_seq_cst);  // snapshot-5
    COMMY_DCHECK(slot.owner.load(std::memory_order_relaxed) ==
                 owner);  // The caller's, from snapshot-1 on.
    *taken = {i, by_us ? now : word, store_ns};
    return true;
  }
  return false;
}

absl::StatusOr<HeldSnapshot> TakeSnapshot(process::Session& session) {
  const process::Session::Call call(session);
  COMMY_RETURN_IF_ERROR(call.status());
  Region& region = session.region();
  HeldSnapshot taken;
  const auto take = [&] {
    return TakeSnapshot(region, session.owner_word(), session.clock().NowNs(), &taken);
  };
  if (take()) {
    return taken;
  }
  (void)session.RecoverDead();  // Some may be held by the dead.
  if (take()) {
    return taken;
  }
  return base::ResourceExhausted(
      region.path(), ": all ", region.geometry().snapshot_count,
      " snapshots are held; release some that are not needed any more (see `commy ps`), or "
      "create the store with more snapshots: Options::snapshots, commy init --snapshots");
}

void ReleaseSnapshot(process::Session& session, const HeldSnapshot& held) {
  const process::Session::Call call(session);
  if (call.status().ok()) {
    ReleaseSnapshot(session.region(), held.slot, session.owner_word());
  }
}

void AddSnapshotHooks(Region& region, process::Session::Hooks* hooks) {
  hooks->release_held_by.emplace_back(
      [&region](process::OwnerPredicate owners) { ReleaseSnapshots(region, owners); });
  hooks->each_beat.emplace_back([&region] { RefreshSnapshotsHeld(region); });
}

void KeepSince(Region& region, const HeldSnapshot& held) {
  [[maybe_unused]] const std::uint64_t before =  // SINCE
      region.snapshot(held.slot).word.fetch_or(kSnapshotSince, std::memory_order_seq_cst);
  COMMY_DCHECK(SnapshotTime(before) == held.time);  // Of a held one it does not change.
}

void ReleaseSnapshot(Region& region, std::uint32_t slot, std::uint64_t owner) {
  SnapshotEntry& words = region.snapshot(slot);
  if (words.owner.load(std::memory_order_acquire) != owner) {
    return;
  }
  words.word.exchange(0, std::memory_order_seq_cst);  // RELEASE, to the end
  if (words.keeps.exchange(0, std::memory_order_seq_cst) != 0) {
    AnnounceSnapshotsEnded(region);
  }
  words.owner.CompareAndSet(owner, 0, std::memory_order_seq_cst);
  RefreshSnapshotsHeld(region);
}

void ReleaseSnapshots(Region& region, absl::FunctionRef<bool(std::uint64_t owner)> of) {
  for (std::uint32_t i = 0; i < Ready(region); ++i) {
    SnapshotEntry& slot = region.snapshot(i);
    const std::uint64_t owner = slot.owner.load(std::memory_order_acquire);
    if (owner != 0 && of(owner)) {
      slot.keeps.store(1, std::memory_order_seq_cst);  // Its owner may not have announced it.
      ReleaseSnapshot(region, i, owner);
    }
  }
}

void AnnounceSnapshotsEnded(Region& region) {
  region.header().snapshots_ended.fetch_add(1, std::memory_order_seq_cst);
}

void RefreshSnapshotsHeld(Region& region) {
  Shared64& held = region.header().snapshots_held;
  const std::uint64_t seen = held.load(std::memory_order_seq_cst);  // RELEASE: q
  if ((seen & kSnapshotsSome) == 0) {
    return;
  }
  const std::uint32_t ready = Ready(region);
  for (std::uint32_t i = 0; i < ready; ++i) {
    if (region.snapshot(i).owner.load(std::memory_order_seq_cst) != 0) {
      return;
    }
  }
  held.CompareAndSet(seen, seen & ~kSnapshotsSome, std::memory_order_seq_cst);
}

std::vector<SnapshotInfo> ListSnapshots(const Region& region) {
  std::vector<SnapshotInfo> all;
  const std::uint32_t ready = Ready(region);
  for (std::uint32_t i = 0; i < ready; ++i) {
    const SnapshotEntry& slot = region.snapshot(i);
    const std::uint64_t owner = slot.owner.load(std::memory_order_acquire);
    const std::uint64_t word = slot.word.load(std::memory_order_acquire);
    if (owner != 0) {
      all.push_back({owner, SnapshotTime(word),
                     static_cast<std::int64_t>(slot.store_ns.load(std::memory_order_relaxed))});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const SnapshotInfo& a, const SnapshotInfo& b) { return a.time < b.time; });
  return all;
}

bool SnapshotTimes::IsHeld(std::uint64_t from, std::uint64_t until) {
  if (until > clock_) {
    Look();
  }
  if (until > clock_) [[unlikely]] {
    return true;  // A commit ahead of the clock: damaged; nothing is dropped for it.
  }
  return IsAnyHeld(held_, from, until) || IsAnyHeld(since_, 0, until);
}

bool SnapshotTimes::IsAnyHeld(HeldList& list, std::uint64_t from, std::uint64_t until) {
  COMMY_DCHECK(std::is_sorted(list.begin(), list.end(),
                              [](const Held& a, const Held& b) { return a.time < b.time; }));
  while (true) {
    const auto* const found =
        std::lower_bound(list.begin(), list.end(), from,
                         [](const Held& held, std::uint64_t time) { return held.time < time; });
    if (found == list.end() || found->time >= until) {
      return false;
    }
    SnapshotEntry& slot = region_.snapshot(found->slot);
    if (slot.keeps.load(std::memory_order_seq_cst) == 0) {
      slot.keeps.fetch_or(1, std::memory_order_seq_cst);  // Before the word is read again.
    }
    // The next snapshot in this entry has a later time: the clock is at `until` already.
    if (SnapshotTime(slot.word.load(std::memory_order_seq_cst)) == found->time) {
      return true;  // Its release will see `keeps`.
    }
    list.erase(found);  // Released meanwhile.
  }
}

void SnapshotTimes::Look() {
  const region::RegionHeader& header = region_.header();
  ended_ = header.snapshots_ended.load(std::memory_order_seq_cst);  // Before the look.
  clock_ = header.commit_clock.load(std::memory_order_seq_cst);     // Before the slots.
  held_.clear();
  since_.clear();
  const std::uint32_t ready = Ready(region_);
  for (std::uint32_t i = 0; i < ready; ++i) {
    Shared64& word = region_.snapshot(i).word;
    std::uint64_t seen = word.load(std::memory_order_seq_cst);
    if ((seen & kSnapshotPending) != 0) {
      // It may be another one, which began after the clock was read.
      const std::uint64_t now = header.commit_clock.load(std::memory_order_seq_cst);
      if (word.compare_exchange(seen, now, std::memory_order_seq_cst)) {
        seen = now;
      }
    }
    const std::uint64_t time = SnapshotTime(seen);
    if (time != 0) {
      held_.push_back({time, i});
    }
    if (time != 0 && (seen & kSnapshotSince) != 0) {
      since_.push_back({time, i});
    }
  }
  const auto is_older = [](const Held& a, const Held& b) { return a.time < b.time; };
  std::sort(held_.begin(), held_.end(), is_older);
  std::sort(since_.begin(), since_.end(), is_older);
}

}  // namespace commy::versions
