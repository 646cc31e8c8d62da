// Runs one operation of a victim process, killed or stopped at one point, and judges the outcome.
//
// A case:
//  1. The survivor attaches to a fresh copy of a prepared store.
//  2. Perhaps an earlier victim is forked, and is killed or stopped on its way (the prior).
//  3. The victim is forked (or resumes, if it had to be there before the prior), and is killed or
//     stopped at its n-th point.
//  4. The survivor works at once, on the same keys and on others.
//  5. A stopped victim resumes.
//  6. The dead are recovered.
// The case is right if each call of the survivor was answered as in some order of all calls
// (steps.h) and in a bounded number of accesses, and if in the end the store is sound, with nothing
// leaked and nothing in flight.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crash/preparer.h"
#include "crash/steps.h"
#include "crash/victim.h"

namespace commy::test {

struct Prior {
  std::optional<Step> step;
  Fate fate;
  bool inside = false;             // The step needs the store from inside.
  After after = After::kIsKilled;  // If it is stopped.
};

struct Case {
  std::string label;
  const Prepared* prepared = nullptr;
  Prior prior;
  VictimPlan victim;  // If it waits, it attaches before the prior ends: with a slot of its own.
  std::vector<Step> survivor;  // While the victim is stopped, or dead and not yet recovered.
  bool recover_first = false;  // The survivor's steps come after the recovery and a check.
  bool reopen = false;         // The survivor recovers by closing and opening.
  bool alone = false;          // The survivor attaches after the victim was killed.
};

struct Verdict {
  std::string wrong;  // Empty: the case is right.
  bool struck = false;
  bool killed = false;       // The victim, even if it was stopped before.
  std::uint64_t points = 0;  // Of the victim, if it came to its end in step 3.
};

// The store is placed at `path`. A case that does not end within 20 seconds ends the process.
Verdict RunCase(const std::string& path, const Case& plan);

}  // namespace commy::test
