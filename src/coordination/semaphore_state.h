// What a semaphore's record says, and the steps on it: pure, without a store.
//
//   tag u32, holds u32, waiters u32, permits u64, then for each hold and each waiter
//   {store, owner, number, count} u64
//
// GRANT     Permits go to the first of the queue that fits into the total. If that one does not fit
//           into what is free, the others behind it wait, too. What does not fit into the total
//           (SetPermits) is passed over: its thread finds that out and leaves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "coordination/holder.h"

namespace commy::coordination {

struct Share {
  HolderId id;
  std::uint64_t count = 0;
};

struct SemaphoreState {
  std::uint64_t permits = 0;
  std::vector<Share> holds = {};
  std::vector<Share> waiters = {};  // First come, first.

  [[nodiscard]] std::uint64_t Held() const;
  [[nodiscard]] std::uint64_t Free() const;
  [[nodiscard]] bool Holds(const HolderId& id) const;
  [[nodiscard]] bool Waits(const HolderId& id) const;

  // See GRANT.
  void Grant();
  // Removes all holds and waiters of holders for which `is_gone` is true. An error of it is
  // returned, and then nothing was removed. Asks once for each holder.
  absl::Status DropGone(absl::FunctionRef<absl::StatusOr<bool>(const HolderId&)> is_gone);
  // Removes the hold, or the waiter, of this name. Returns whether there was one.
  bool Remove(const HolderId& id);
};

std::string ToBytes(const SemaphoreState& state);
// DataLoss names the namespace.
absl::StatusOr<SemaphoreState> SemaphoreFromBytes(std::string_view path, std::string_view bytes);

}  // namespace commy::coordination
