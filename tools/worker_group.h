// Processes that run this program again, with arguments of their own: `commy bench` and `commy
// demo` start such workers, kill and stop them, and wait for them.
//
// Ctrl-C reaches every process of a terminal. Workers ignore it, as their parent tells them when to
// end; no worker outlives its parent.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sys/types.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace commy::tools {

class WorkerGroup {
 public:
  // A worker's standard input and output; unless given, those of this process.
  struct Streams {
    int input = STDIN_FILENO;
    int output = STDOUT_FILENO;
  };

  // One worker for each name; none runs yet. Errors call a worker by its name.
  explicit WorkerGroup(std::vector<std::string> names);
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;
  // Kills the workers that still run.
  ~WorkerGroup();

  // Starts the worker as "commy <arguments>".
  absl::Status Start(std::size_t worker, std::vector<std::string> arguments, Streams streams);
  // Sends SIGKILL and waits until the process is gone.
  void Kill(std::size_t worker);
  // SIGSTOP and SIGCONT. Stop() returns once the process stands still.
  void Stop(std::size_t worker);
  void Continue(std::size_t worker);

  // An error if a worker ended that was not killed by Kill().
  absl::Status CheckAlive();
  // Waits until all have ended by themselves. An error names a worker that failed, or one that had
  // to be killed after `limit`.
  absl::Status WaitForAll(absl::Duration limit);

  // That of the worker's last process, which may have ended; 0: never started.
  [[nodiscard]] pid_t pid(std::size_t worker) const { return workers_[worker].started; }

 private:
  struct Worker {
    std::string name;
    pid_t running = 0;  // 0: not running.
    pid_t started = 0;
  };

  // Collects the exit status of a worker that has ended; an error if it failed.
  static absl::Status Reap(Worker& worker);
  static void Kill(Worker& worker);
  [[nodiscard]] bool AnyRunning() const;

  std::vector<Worker> workers_;
};

}  // namespace commy::tools
