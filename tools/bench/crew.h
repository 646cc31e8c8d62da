// The processes of `commy bench`, as the one that was called sees them.
#pragma once

#include <vector>

#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "bench/worker.h"

namespace commy::tools::bench {

class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  // Kills who is left; a store does not mind.
  ~Crew();

  // Starts this program once more for each process.
  absl::Status Start(const Plan& plan);
  // All of them do the row at once. Cancelled: a signal came meanwhile.
  absl::StatusOr<std::vector<RowResult>> Do(Row row);

 private:
  struct Member {
    pid_t pid = -1;
    int to = -1;
    int from = -1;
  };

  absl::Status StartOne(const Plan& plan, std::uint64_t part);

  std::vector<Member> members_;
};

}  // namespace commy::tools::bench
