// Is the image on disk whole?
//
// Dirty pages of a mapping reach the disk at any time and in any order, so after a power cut the
// file may be torn. As long as the machine stays up it never is: the page cache outlives every
// process. The clean word says which case an opener has before it.
//
// WORDS    clean_word   {generation:32, cycle:30, arming:1, dirty:1}
//          boot_id, device, inode, birth_ns   of a session that made it dirty
// STEPS    attach   A1  take a share of the attach byte
//                   A2  refuse, or go on: dirty and not "same boot, same file" is refused
//                   A3  generation + 1 by CAS
//          change   C1  (once a session and cycle, before its first change, when the operation is
//                       to be seen in its lane) store boot id and identity, CAS clean -> dirty
//                       with the next cycle; sync that page, also if it was dirty already
//                   C2  (each operation) an arming bit is taken away by CAS
//          sync     S1  sync the whole file, which is the long part
//                   S2  CAS dirty -> dirty + arming, generation + 1
//                   S3  barrier; wait for the operations that are seen in lanes
//                   S4  sync the whole file
//                   S5  CAS that very word -> clean; sync the page
//          detach   D1  give up the attach byte
//                   D2  read (dirty, g)
//                   D3  is the attach byte free? else leave
//                   D4  sync the whole file; any error: leave
//                   D5  CAS (dirty, g) -> (clean, g); sync the page
// WHY      D5 succeeds only if nobody attached since D2 (A3 changes g), and who attached before D2
//          is seen by D3, so nobody changes anything between D4 and D5. A session whose C1 found
//          the word dirty cannot lean on another session's sync, which may not have happened yet.
//          A read-only session does no C1 for the commit words that it may settle: an undecided
//          record is there only after its writer's C1 was synced, and no D5 can succeed while the
//          reader is attached. What a dead writer left in a store that was closed clean is settled
//          by recovery, which does C1 first.
//          S5 succeeds only if no operation began since S2 (C2 changes the word for good, as each
//          S2 has a generation of its own), and those that began before are over since S3. What
//          still changes in a store that is clean are lanes, participants, the epoch and the clock:
//          a later value of these is as good as an earlier one.
// DEATH    anywhere: the word says dirty, which is never a lie. An arming bit that is left behind
//          goes with the next operation or sync.
// TESTED   tests/region/clean_word_test.cc, tests/engine/sync_test.cc, tests/model/sync_model_test.cc
//
// "Same file" is device, inode and birth time: a copy made by reading a store in use is another
// inode, and is recognised. Sessions that race in C1 store the same values. What is left: an old
// copy written back over the very same inode within one boot, and write-back errors that the kernel
// reports to nobody. (A counter kept beside the file as well would catch the first, but two
// sessions that race to set it, one of them killed in between, leave a good store refused.)
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "platform/platform.h"
#include "region/layout.h"

namespace commy::region {

// A2. DataLoss, naming `commy recover`, if the image may be torn.
absl::Status CheckWhole(platform::Platform& platform, int fd, const RegionHeader& header);

// A3.
void CountAttach(RegionHeader& header);

inline constexpr std::uint64_t kDirty = 1;
inline constexpr std::uint64_t kArming = 2;
inline constexpr std::uint64_t kCycleStep = 4;

// What a session compares: cycle, arming and dirty.
constexpr std::uint32_t SessionPart(std::uint64_t clean_word) {
  return static_cast<std::uint32_t>(clean_word);
}
// The part that no word ever has: before a session's first C1.
inline constexpr std::uint32_t kNeverSynced = kArming;

// C1 and C2. `synced` is what the session's last call returned; returns the part of the word that
// says that this session need not call again.
absl::StatusOr<std::uint32_t> MarkDirty(platform::Platform& platform, int fd, RegionHeader& header,
                                        std::uint32_t synced);

// S2: the armed word; 0 if the store is clean.
std::uint64_t ArmClean(RegionHeader& header);
// The CAS of S5: whether nothing was begun since the word was armed.
bool CompleteClean(RegionHeader& header, std::uint64_t armed);

// D2 to D5, after D1. `fd` holds no lock.
void MarkCleanIfAlone(platform::Platform& platform, int fd);

}  // namespace commy::region
