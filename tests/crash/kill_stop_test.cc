// Every operation, killed at every store and stopped at every access, as runner.h tells.
//
// Environment:
//   COMMY_CRASH_FULL=1             every point of everything (minutes to an hour; ./dev torture)
//   COMMY_CRASH_OPERATIONS=<text>  only the operations with the text in their names
//   COMMY_CRASH_OPERATIONS==<name> only the operation of that name
//   COMMY_CRASH_ONLY=<case>        one case again, as a failure printed it, with its COMMY_SEED
//   COMMY_CRASH_PART=2/3           the second of three parts of the table
//
// The columns: "stores" counts the points of kills, "points" those of stops (loads count too), and
// "late" the cases that stop at a store, then make it, late, and are killed at the next one. Every
// k-th point is taken; k is 1 unless the operation is long.
//
// tests/crash/run_mutants.py shows that this test fails when a protection is taken out: a note, the
// freeze of a split (also of its empty slots alone), the frozen bit of a prune, the epoch rule, the
// order of a recovery, the counter's seq.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include <gtest/gtest.h>

#include "base/check.h"
#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/runner.h"
#include "support/seed.h"
#include "support/temp_dir.h"

namespace commy::test {
namespace {

using hooks::Action;

bool Full() {
  return std::getenv("COMMY_CRASH_FULL") != nullptr;
}

// "2/3".
std::pair<int, int> ReadPart(const std::string& text) {
  std::pair<int, int> part;
  const std::vector<std::string> numbers = absl::StrSplit(text, '/');
  COMMY_CHECK(numbers.size() == 2 && absl::SimpleAtoi(numbers[0], &part.first) &&
              absl::SimpleAtoi(numbers[1], &part.second) && part.first >= 1 &&
              part.first <= part.second);
  return part;
}

// The survivor's calls, by the number of the script:
//   0  a few, on the key and on others
//   1  many, so that memory is reused if anything allows it
//   2  overwrites of the key and puts elsewhere, with epochs between
//   3  none
std::vector<Step> Survive(const std::string& key, std::uint64_t script) {
  if (script == 3) {
    return {};
  }
  if (script == 2) {
    std::vector<Step> steps;
    for (int i = 0; i < 12; ++i) {
      steps.push_back(Put(kA, key, Padded(absl::StrCat("s", i))));
      steps.push_back(Put(kB, absl::StrCat("o", i), Padded(absl::StrCat("o", i))));
      steps.push_back(Beat());
    }
    return steps;
  }
  std::vector<Step> steps = {Content(false),     Get(kA, key),
                             Put(kA, key, "p1"), Get(kA, key),
                             Put(kA, "q", "p2"), Delete(kA, key),
                             Get(kA, key),       Put(kB, "x", "p3"),
                             Add(kA, "n", 100),  PutIfAbsent(kA, key, "p4"),
                             ListNs(),           Delete(kB, "y")};
  if (script == 0) {
    return steps;
  }
  // Other keys of the same segments come first: a put of the key would finish a change in flight.
  std::vector<Step> others = {Add(kA, "n", 1000)};
  for (int i = 0; i < 8; ++i) {
    others.push_back(Put(kA, absl::StrCat("fill", i), "over"));
    others.push_back(Put(kA, absl::StrCat("q", i), "q"));
  }
  steps.insert(steps.begin(), others.begin(), others.end());
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 6; ++i) {
      steps.push_back(Put(kA, absl::StrCat("more", round * 6 + i), "m"));
    }
    steps.push_back(Beat());
    steps.push_back(Delete(kA, absl::StrCat("more", round)));
    steps.push_back(Put(kA, key, Padded(absl::StrCat("r", round))));
  }
  steps.push_back(Content(false));
  steps.push_back(Clear(kA));
  for (int i = 0; i < 20; ++i) {
    steps.push_back(Put(kA, absl::StrCat("later", i), "l"));
  }
  for (const Step& step : {Beat(), Beat(), RenameNs("a", "renamed"), DropNs("b"), CreateNs("d"),
                           Put(kA, key, "p5"), Beat(), Get(kB, "x"), Beat(), Content(false)}) {
    steps.push_back(step);
  }
  return steps;
}

struct Row {
  std::string name;
  std::uint64_t points = 0;
  std::uint64_t kills = 0;
  std::uint64_t kill_step = 1;
  std::uint64_t stop_points = 0;
  std::uint64_t stops = 0;
  std::uint64_t stop_step = 1;
  std::uint64_t late_kills = 0;
  std::uint64_t late_step = 1;
  std::uint64_t failures = 0;
  double seconds = 0;
};

class Harness {
 public:
  explicit Harness(std::uint64_t seed)
      : seed_(seed), directory_(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") {
    if (const char* const only = std::getenv("COMMY_CRASH_ONLY"); only != nullptr) {
      only_ = only;
    }
  }

  Row Run(const Operation& operation) {
    const auto start = std::chrono::steady_clock::now();
    Row row;
    row.name = operation.name;
    Prepared prepared;
    if (!operation.no_store) {
      Preparer preparer(directory_.File("prepared"), seed_, operation.order, operation.max_bytes);
      const std::string key = operation.prepare(preparer);
      prepared = preparer.Finish(key);
    }
    for (const Prior& prior : Priors(operation, prepared)) {
      RunWith(operation, prepared, prior, &row);
    }
    row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return row;
  }

 private:
  [[nodiscard]] Verdict Strike(const Case& plan) const {
    return RunCase(directory_.File("store"), plan);
  }

  // The number of places of the earlier victim that are taken.
  static std::uint64_t PriorPlaces() { return Full() ? 40 : 4; }

  Case Plan(const Operation& operation, const Prepared& prepared, const Prior& prior) const {
    Case plan;
    plan.label = operation.name;
    plan.prepared = &prepared;
    plan.prior = prior;
    plan.victim = {.steps = operation.steps(prepared.key),
                   .attaches = operation.attaches,
                   .inside = operation.inside,
                   .waits = operation.waits};
    plan.alone = operation.alone;
    return plan;
  }

  std::vector<Prior> Priors(const Operation& operation, const Prepared& prepared) {
    if (operation.prior == nullptr) {
      return {Prior()};
    }
    Case plan = Plan(operation, prepared, Prior());
    plan.victim = {.steps = {operation.prior(prepared.key)}, .inside = operation.prior_inside};
    plan.victim.fate.kinds = operation.prior_swaps ? hooks::kSwaps : hooks::kStores;
    const std::uint64_t points = Strike(plan).points;
    std::vector<Prior> all;
    // Some anywhere, and most of the last ones: these follow the publishing, and tidy up.
    std::vector<std::uint64_t> places;
    for (std::uint64_t place = 1; operation.prior_swaps && place <= points; ++place) {
      places.push_back(place);
    }
    const bool some = !operation.prior_tail && !operation.prior_swaps;
    for (std::uint64_t i = 0; i < (some ? PriorPlaces() : 0); ++i) {
      places.push_back(1 + (i * points + points / 2) / PriorPlaces());
    }
    const bool every = Full() || operation.prior_tail;
    for (std::uint64_t back = 3;
         !operation.prior_swaps && back < points && back <= (Full() ? 24U : 11U);
         back += every ? 1 : 2) {
      places.push_back(points + 1 - back);
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
      Prior prior;
      prior.step = operation.prior(prepared.key);
      prior.inside = operation.prior_inside;
      prior.fate.kinds = plan.victim.fate.kinds;
      prior.fate.action = operation.prior_fate;
      prior.fate.at = places[i];
      prior.after = i % 2 == 0 ? After::kContinues : After::kIsKilled;
      all.push_back(std::move(prior));
    }
    return all;
  }

  static constexpr std::uint64_t kStoresMax = 1000;  // After a stop.

  // Every pair of a place to stop at and a store after it.
  void RunAgain(const Operation& operation, const Prepared& prepared, Row* row) {
    Case plan = Plan(operation, prepared, Prior());
    plan.victim.fate.kinds = hooks::kSwaps;
    plan.victim.fate.action = Action::kCount;
    const std::uint64_t swaps = Strike(plan).points;
    plan.victim.fate.action = Action::kStopThenKill;
    row->points += swaps;
    for (plan.victim.fate.at = 1; plan.victim.fate.at <= swaps; ++plan.victim.fate.at) {
      bool killed = true;
      for (plan.victim.fate.then = 2; killed && plan.victim.fate.then < kStoresMax;
           ++plan.victim.fate.then) {
        plan.survivor = operation.beside(prepared.key);
        plan.label = absl::StrCat(operation.name, ":again:", plan.victim.fate.at, ":",
                                  plan.victim.fate.then, ":0");
        if (only_.empty() || only_ == plan.label) {
          const Verdict verdict = Strike(plan);
          killed = verdict.killed;
          row->kills += verdict.killed ? 1 : 0;
          Tell(plan.label, verdict, row);
        }
      }
    }
  }

  void RunWith(const Operation& operation, const Prepared& prepared, const Prior& prior, Row* row) {
    if (operation.again) {
      RunAgain(operation, prepared, row);
      return;
    }
    for (const Action action : {Action::kKill, Action::kStop, Action::kStopThenKill}) {
      Case plan = Plan(operation, prepared, prior);
      const bool swaps = action == Action::kStop && operation.stop_swaps;
      plan.victim.fate.kinds =
          swaps ? hooks::kSwaps
                : hooks::kStores | (action == Action::kStop ? hooks::kLoads : 0U) |
                      (operation.calls && action == Action::kKill ? hooks::kCalls : 0U);
      if (action != Action::kKill && (operation.no_store || operation.alone)) {
        continue;
      }
      plan.label = absl::StrCat(operation.name, ":count:0:0:", prior.fate.at);
      const Verdict counted = Strike(plan);
      Tell(plan.label, counted, row);
      const std::uint64_t points = counted.points + 1;  // The end of the operation is one too.
      const std::uint64_t limit = Full()                    ? UINT64_MAX
                                  : swaps                   ? kSwapsMax
                                  : action != Action::kKill ? StopLimit(operation)
                                                            : KillLimit(operation);
      const std::uint64_t tail = Full() ? 0 : operation.victim_tail;
      const std::uint64_t step =
          tail != 0 ? 1 : std::max<std::uint64_t>(1, (points + limit / 2) / limit);
      const std::uint64_t first = tail == 0 || points <= tail ? 1 : points - tail;
      plan.victim.fate.action = action;
      switch (action) {
        case Action::kKill:
          row->points += counted.points;
          row->kill_step = std::max(row->kill_step, step);
          break;
        case Action::kStop:
          row->stop_points += counted.points;
          row->stop_step = std::max(row->stop_step, step);
          break;
        default:
          row->late_step = std::max(row->late_step, step);
      }
      const std::uint64_t variants = operation.beside == nullptr ? 3 : 1;
      for (plan.victim.fate.at = first + (step > 1 ? seed_ % step : 0);
           plan.victim.fate.at <= points; plan.victim.fate.at += step) {
        for (std::uint64_t variant = 0; variant < variants; ++variant) {
          if (Full() || variants == 1 || plan.victim.fate.at / step % 3 == variant ||
              !only_.empty()) {
            RunOne(operation, &plan, variant, row);
          }
        }
      }
    }
  }

  static constexpr std::uint64_t kSwapsMax = 700;  // Of an operation that is stopped at these.

  static std::uint64_t StopLimit(const Operation& operation) {
    return operation.prior_swaps ? 4 : operation.prior != nullptr ? 12 : 70;
  }
  static std::uint64_t KillLimit(const Operation& operation) {
    return operation.prior_swaps                ? 100000
           : operation.prior != nullptr         ? 35
           : operation.calls || operation.large ? 400
                                                : 100000;
  }

  void RunOne(const Operation& operation, Case* plan, std::uint64_t variant, Row* row) {
    const bool kill = plan->victim.fate.action == Action::kKill;
    const std::string& key = plan->prepared->key;
    plan->label = absl::StrCat(operation.name, ":",
                               kill                                        ? "kill"
                               : plan->victim.fate.action == Action::kStop ? "stop"
                                                                           : "late",
                               ":", plan->victim.fate.at, ":", variant, ":", plan->prior.fate.at);
    if (!only_.empty() && only_ != plan->label) {
      return;
    }
    if (operation.no_store) {
      plan->survivor = {CreateNs("a"), ListNs()};
    } else if (operation.beside != nullptr) {
      plan->survivor = operation.beside(key);
    } else {
      // Without a survivor, only the earlier victim meets the late store.
      const bool alone = plan->victim.fate.action == Action::kStopThenKill && variant == 0;
      plan->survivor = Survive(key, alone ? 3 : variant);
    }
    plan->recover_first = kill && variant == 0 && operation.beside == nullptr;
    plan->reopen = kill && variant == 1 && plan->prior.fate.action != Action::kStop;
    const Verdict verdict = Strike(*plan);
    (kill                                        ? row->kills
     : plan->victim.fate.action == Action::kStop ? row->stops
                                                 : row->late_kills) += verdict.struck ? 1 : 0;
    Tell(plan->label, verdict, row);
  }

  void Tell(const std::string& label, const Verdict& verdict, Row* row) const {
    if (verdict.wrong.empty()) {
      return;
    }
    if (row->failures++ < 5) {
      ADD_FAILURE() << label << ": " << verdict.wrong << "\n  again: COMMY_SEED=" << seed_
                    << " COMMY_CRASH_ONLY='" << label << "'";
    }
  }

  const std::uint64_t seed_;
  const TempDir directory_;
  std::string only_;
};

TEST(KillStopTest, EveryOperationSurvivesKillsAndStopsOfItsProcess) {
  const std::uint64_t seed = Seed();
  Harness harness(seed);
  const char* const only = std::getenv("COMMY_CRASH_ONLY");
  const std::string wanted =
      only == nullptr ? "" : std::string(only).substr(0, std::string(only).find(':'));
  const char* const some = std::getenv("COMMY_CRASH_OPERATIONS");
  const char* const part = std::getenv("COMMY_CRASH_PART");
  const auto [place, parts] = part == nullptr ? std::pair(1, 1) : ReadPart(part);
  int index = 0;
  std::uint64_t struck = 0;
  std::printf("%-28s %7s %7s %4s %7s %7s %4s %7s %4s %8s %7s\n", "operation", "stores", "kills",
              "k", "points", "stops", "k", "late", "k", "failures", "seconds");
  for (const Operation& operation : AllOperations()) {
    if ((!wanted.empty() && wanted != operation.name) ||
        (some != nullptr && (some[0] == '=' ? operation.name != some + 1
                                            : operation.name.find(some) == std::string::npos))) {
      continue;
    }
    if (index++ % parts != place - 1) {
      continue;
    }
    const Row row = harness.Run(operation);
    std::printf(
        "%-28s %7llu %7llu %4llu %7llu %7llu %4llu %7llu %4llu %8llu %7.1f\n", row.name.c_str(),
        static_cast<unsigned long long>(row.points), static_cast<unsigned long long>(row.kills),
        static_cast<unsigned long long>(row.kill_step),
        static_cast<unsigned long long>(row.stop_points),
        static_cast<unsigned long long>(row.stops), static_cast<unsigned long long>(row.stop_step),
        static_cast<unsigned long long>(row.late_kills),
        static_cast<unsigned long long>(row.late_step),
        static_cast<unsigned long long>(row.failures), row.seconds);
    std::fflush(stdout);
    struck += row.kills + row.stops + row.late_kills;
    if (only == nullptr) {
      EXPECT_GT(row.kills, 0U) << row.name << ": no process was killed";
      EXPECT_EQ(row.failures, 0U) << row.name;
    }
  }
  EXPECT_GT(struck, 0U);
}

}  // namespace
}  // namespace commy::test
