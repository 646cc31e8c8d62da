// The forked processes that the kill and stop harness strikes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "crash/model.h"
#include "crash/steps.h"
#include "support/hook_runtime.h"

namespace commy::test {

// Where a victim is struck, and how.
struct Fate {
  unsigned kinds = hooks::kStores;
  hooks::Action action = hooks::Action::kCount;
  std::uint64_t at = 0;
  std::uint64_t then = 2;  // Of kStopThenKill, see hooks::Arm().
};

struct VictimPlan {
  std::vector<Step> steps = {};
  bool attaches = false;  // Attaching is one of the steps.
  bool inside = false;    // The steps need the store from inside.
  bool waits = false;     // It stops once before the steps.
  Fate fate = {};
};

enum class After { kContinues, kIsKilled };  // The end of a stopped victim.

// Its errors are texts; an empty one: none.
class Victim {
 public:
  Victim() = default;
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim();  // Kills it, unless it has ended.

  // Starts it, on the store at `path`.
  void Fork(const std::string& path, const Model& model, const VictimPlan& plan);
  // Until it is killed, stopped (if `stops`) or at its end.
  std::string Wait(bool stops);
  // Ends the stop of one that waits before its steps.
  void Continue() const;
  // Has a stopped one continue or die, and waits for its end.
  std::string Release(After after);

  [[nodiscard]] bool killed() const { return killed_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] bool ended() const { return pid_ == 0 && !killed_; }
  // Told by it at its end: the number of its points, and the outcome of each step.
  [[nodiscard]] std::uint64_t points() const { return points_; }
  [[nodiscard]] const std::vector<std::string>& results() const { return results_; }

 private:
  void ReadResults();

  pid_t pid_ = 0;  // 0: not started, or reaped.
  int pipe_ = -1;
  bool killed_ = false;
  bool stopped_ = false;
  std::uint64_t points_ = 0;
  std::vector<std::string> results_;
};

}  // namespace commy::test
