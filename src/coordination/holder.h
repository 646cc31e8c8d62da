// What holds a lease, a permit or a claim: its name in a record, and whether it is there still.
//
// This floor is what processes agree by: leases, semaphores, latches, limits of rates, and results
// that one of them computes. Each is a namespace with one record, or one for each key, and every
// step is one Namespace::Update(). So a process that is killed has made a step or not, and nobody
// waits for one that is stopped in a step. This floor may touch all others below it, and the public
// handles. Begin reading here, then in record.h and wait.h, then in leader_lease.cc.
//
// GONE      A holder is gone when its participant is (process/holders.h): for good, so any process
//           may take what it held. A stopped one is not gone.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "commy/internal/holder_id.h"
#include "commy/namespace.h"

namespace commy::coordination {

using internal::HolderId;

// A new name, of a hold of this process. FailedPrecondition: the store was closed, or the process
// was forked.
absl::StatusOr<HolderId> NewHolder(const Namespace& ns);

// Whether the holder will never let go itself. Errors as of NewHolder(). Any thread. Cost: hardly
// anything for a holder of this process, else some system calls.
absl::StatusOr<bool> IsGone(const Namespace& ns, const HolderId& holder);

// Makes a holder of this process one that is gone, for this process's own calls: it let go, but the
// store had no room for that.
void Abandon(const HolderId& holder);

// This process, for people.
struct Person {
  std::string name;
  std::uint64_t pid = 0;
};
absl::StatusOr<Person> ThisProcess(const Namespace& ns);

}  // namespace commy::coordination
