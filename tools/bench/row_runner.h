// Runs the rows of `commy bench` in several processes at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "bench/worker.h"
#include "worker_group.h"

namespace commy::tools::bench {

class RowRunner {
 public:
  // `plan` must outlive this.
  explicit RowRunner(const Plan& plan);
  RowRunner(const RowRunner&) = delete;
  RowRunner& operator=(const RowRunner&) = delete;
  // Kills the workers; the store stays sound.
  ~RowRunner();

  absl::Status Start();
  // All workers run the row at the same time. Cancelled: a signal interrupted it.
  absl::StatusOr<std::vector<RowResult>> Do(Row row);

 private:
  // Our ends of a worker's standard input and output.
  struct Pipes {
    int rows = -1;
    int results = -1;
  };

  absl::Status StartOne(std::size_t part);

  const Plan& plan_;
  WorkerGroup workers_;
  std::vector<Pipes> pipes_;  // Of the workers that were started.
};

}  // namespace commy::tools::bench
