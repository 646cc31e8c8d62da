// The participants of a store: this process's own entry, and a list of all for people.
//
// LIVENESS  A participant is live while its heartbeat moves, as seen on the watcher's own clock;
//           stalled when it has been silent for stale_after and the lock byte of its entry is held;
//           dead when the byte is free. A takeover needs the kernel's word on the byte.
//           Silence is only a reason to ask the kernel: what a stalled process holds is never
//           taken.
// WORDS     of an entry: state {generation, state}, heartbeat; and the lock byte of the entry
// ATTACH    Open a descriptor, lock through it the attach byte (shared) and the first free entry's
//           byte (exclusive), map the file from that descriptor, close it. From then on the mapping
//           holds the locks: no descriptor that is closed can drop them, and the kernel drops them
//           with the last mapping, however the process ends. A forked child inherits neither
//           mapping nor descriptor (platform/fork_guard.h). Probes and recovery open a new
//           description each time, since a lock that is taken twice through one description
//           succeeds. Each attach raises the entry's generation, so an owner word of an earlier
//           life differs.
// NOT       asking about a pid: pids are reused, and mean nothing across pid namespaces. A lease
//           that expires: a stopped process is not dead. A lock that a descriptor holds.
// TESTED    tests/process/session_test.cc, tests/platform/late_store_test.cc (L2),
//           tests/multiprocess/participant_process_test.cc
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

#include "process/op_word.h"
#include "process/store_clock.h"
#include "region/region.h"

namespace commy::process {

enum class Liveness { kFree, kLive, kStalled, kDead };

struct ParticipantInfo {
  std::uint32_t slot = 0;
  std::uint64_t pid = 0;
  std::string name;
  std::int64_t start_wall_ns = 0;
  std::int64_t heartbeat_wall_ns = 0;
  Liveness liveness = Liveness::kFree;
  bool read_only = false;
  std::uint32_t lanes = 0;
  std::uint64_t operations = 0;        // Of the lanes that it holds now.
  OpKind doing = OpKind::kNone;        // Of the lane with the oldest pin.
  std::uint64_t oldest_pin_epoch = 0;  // 0: nothing pinned.
  // That pin has kept the epoch from moving for at least this long; 0: it does not.
  std::int64_t pinned_for_ns = 0;
  std::uint64_t owner = 0;  // The owner word of its lanes and snapshots.
};

// Calls `use` for each owner that a lane or a snapshot entry names. After a power cut the file may
// know one of an attach that the participant's entry itself does not know.
void ForEachOwner(const region::Region& region, absl::FunctionRef<void(std::uint64_t owner)> use);

// Every participant. Needs no entry and no lane of its own.
std::vector<ParticipantInfo> ListParticipants(const region::Region& region,
                                              const StoreClock& clock);

// This process's own entry, whose lock byte the region holds.
class Participant {
 public:
  // `name` empty: the platform's.
  Participant(region::Region& region, std::string name, bool read_only);
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;

  [[nodiscard]] std::uint32_t slot() const { return region_.slot_index(); }
  // {generation:48, slot + 1:16}; 0 before Attach().
  [[nodiscard]] std::uint64_t owner_word() const { return owner_word_; }
  [[nodiscard]] bool read_only() const { return read_only_; }

  // Announces the participant under the entry's next generation. Called once.
  void Attach(bool pins_by_store);
  void AnnounceFlags(bool pins_by_store);
  // One thread at a time.
  void Beat();
  // Frees the entry.
  void Detach();

 private:
  void Announce(bool pins_by_store);

  region::Region& region_;
  const std::string name_;
  const bool read_only_;
  std::uint64_t owner_word_ = 0;
};

}  // namespace commy::process
