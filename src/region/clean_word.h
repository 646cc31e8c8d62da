// Is the image on disk whole?
//
// Dirty pages of a mapping reach the disk at any time and in any order, so after a power cut the
// file may be torn. While the machine stays up it never is: the page cache outlives every process.
// The clean word tells an opener which of the two cases it has before it.
//
// WORDS    clean_word   {generation:32, cycle:30, arming:1, dirty:1}
//          boot_id, device, inode, birth_ns   of a session that made it dirty
// STEPS    attach-1  take a share of the attach byte
//          attach-2  refuse if dirty and not "same boot, same file"; else go on
//          attach-3  generation + 1 by CAS
//          dirty-1   (once a session and cycle, before its first change, when the operation shows
//                    in its lane) store boot id and identity; CAS clean -> dirty, next cycle;
//                    sync that page, also if it was dirty already
//          dirty-2   (each operation) take an arming bit away by CAS
//          sync-1    sync the whole file, which is the long part
//          sync-2    CAS dirty -> dirty + arming, generation + 1
//          sync-3    barrier; wait for the operations that show in lanes, `stale_after` at most: a
//                    dead participant is recovered, one that stays is named (Unavailable)
//          sync-4    sync the whole file
//          sync-5    CAS that very word -> clean; sync the page
//          detach-1  give up the attach byte
//          detach-2  read (dirty, g)
//          detach-3  is the attach byte free? else leave
//          detach-4  sync the whole file; any error: leave
//          detach-5  CAS (dirty, g) -> (clean, g); sync the page
// WHY      detach-5 succeeds only if no session attached since detach-2, as attach-3 changes g. A
//          session that attached before detach-2 is seen by detach-3. So no session changes
//          anything between detach-4 and detach-5.
//          A session whose dirty-1 found the word dirty cannot rely on another session's sync,
//          which may not have happened yet.
//          A read-only session does no dirty-1 for the commit words that it may resolve: an
//          undecided record is there only after its writer's dirty-1 was synced, and no detach-5
//          can succeed while the reader is attached. Recovery reclaims what a dead writer left in a
//          store that was closed clean, and does dirty-1 first.
//          sync-5 succeeds only if no operation began since sync-2: dirty-2 changes the word for
//          good, as each sync-2 has a generation of its own: so a second Sync cannot complete the
//          first one's word. A later operation sees the arming bit, or that the word is not dirty,
//          before it changes anything: its op word and the barrier are such a pair as pin-2 and
//          advance-2. Operations that began before sync-2
//          are over since sync-3. Lanes, participants, snapshot slots, the epoch and the clock
//          still change in a clean store: a later value of these is as good as an earlier one.
//          A cycle is the time from one dirty-1 to the next sync-5. A session has to sync the page
//          in each: the word on disk says clean until some session did.
// DEATH    anywhere: the word says dirty, which is never a lie. The next operation or sync removes
//          an arming bit that is left behind.
// TESTED   tests/region/clean_word_test.cc, tests/engine/sync_test.cc,
//          tests/model/sync_model_test.cc
//
// "Same file" is device, inode and birth time: a copy made by reading a store in use is another
// inode, and is recognised. Sessions that race in dirty-1 store the same values. Two cases are
// left: an old copy written back over the very same inode within one boot, and write-back errors
// that the kernel reports to no process. (A counter beside the file would also catch the first. But
// two sessions that race to set it, one of them killed in between, would leave a good store
// refused.)
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "platform/platform.h"
#include "region/layout.h"

namespace commy::region {

// attach-2. DataLoss, naming `commy recover`, if the image may be torn.
absl::Status CheckWhole(platform::Platform& platform, int fd, const RegionHeader& header);

// attach-3.
void CountAttach(RegionHeader& header);

inline constexpr std::uint64_t kDirty = 1;
inline constexpr std::uint64_t kArming = 2;
inline constexpr std::uint64_t kCycleStep = 4;

// What a session compares: cycle, arming and dirty.
constexpr std::uint32_t SessionPart(std::uint64_t clean_word) {
  return static_cast<std::uint32_t>(clean_word);
}
// The part that no word ever has: before a session's first dirty-1.
inline constexpr std::uint32_t kNeverSynced = kArming;

// dirty-1 and dirty-2. `synced` is the result of the session's last call. Returns the part of the
// word that says that this session need not call again.
absl::StatusOr<std::uint32_t> MarkDirty(platform::Platform& platform, int fd, RegionHeader& header,
                                        std::uint32_t synced);

// sync-2. Returns the armed word, or 0 if the store is clean.
std::uint64_t ArmClean(RegionHeader& header);
// The CAS of sync-5. False: an operation has begun since the word was armed.
bool CompleteClean(RegionHeader& header, std::uint64_t armed);

// detach-2 to detach-5, after detach-1. `fd` holds no lock.
void MarkCleanIfAlone(platform::Platform& platform, int fd);

}  // namespace commy::region
