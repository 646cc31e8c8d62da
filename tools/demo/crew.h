// The demo's processes, as the director sees them: started, killed, stopped, and waited for.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "demo/panel.h"
#include "demo/worker.h"

namespace commy::tools::demo {

class Crew {
 public:
  // `arguments` are the workers' but for `part`.
  explicit Crew(WorkerArguments arguments) : arguments_(std::move(arguments)) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  // Kills who is left.
  ~Crew();

  // Starts this program once more, as that part.
  absl::Status Start(std::size_t part);
  // Sends SIGKILL and waits until the process is gone.
  void Kill(std::size_t part);
  // SIGSTOP and SIGCONT. Stop() returns once the process stands still.
  void Stop(std::size_t part);
  void Continue(std::size_t part);

  // An error if one ended that nobody had killed.
  absl::Status CheckAlive();
  // Waits until all have ended, as they do when the panel says stop. An error names who failed, or
  // who had to be killed after `limit`.
  absl::Status WaitForAll(absl::Duration limit);

  [[nodiscard]] pid_t pid(std::size_t part) const { return started_[part]; }

 private:
  // Takes up the end of a process, if there is one; an error if it failed.
  absl::Status Reap(std::size_t part);
  [[nodiscard]] bool AnyRunning() const;

  const WorkerArguments arguments_;
  std::array<pid_t, kParts.size()> running_{};  // 0: not (any more).
  std::array<pid_t, kParts.size()> started_{};
};

}  // namespace commy::tools::demo
