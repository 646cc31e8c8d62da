#include "process/open_state.h"

#include "base/status.h"

namespace commy::process {

OpenState::OpenState() : fork_generation_(platform::ForkGeneration()) {}

absl::Status OpenState::CheckUsable() const {
  if (!SameProcess()) {
    return base::FailedPrecondition(
        "this handle was opened before fork(); a child process must open the store itself");
  }
  if (closed()) {
    return base::FailedPrecondition("the store was closed; open it again");
  }
  return absl::OkStatus();
}

}  // namespace commy::process
