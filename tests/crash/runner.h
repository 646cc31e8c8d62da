// Runs one operation of a victim process, killed or stopped at one point, and judges what follows.
//
// A case: a fresh copy of a prepared store; the survivor attaches; perhaps an earlier victim is
// forked and is killed or stopped half way (the prior); then the victim is forked (or goes on, if it
// was to be there before), and is killed or
// stopped at its n-th point; the survivor works at once, on the same keys and on others; a stopped
// victim goes on; the dead are recovered. Right is: each call of the survivor answered as in some
// order of all calls (steps.h), in a bounded number of accesses; and in the end the store is sound,
// nothing leaked and nothing in flight.
#pragma once

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/container/flat_hash_set.h"

#include "crash/steps.h"
#include "process/owner.h"
#include "support/hook_runtime.h"
#include "support/lane_state.h"

namespace commy::test {

struct Prepared {
  std::string image;  // The bytes of the file; empty: there is none yet.
  Model model;
  std::string key;  // The key that the operation is about.
};

enum class After { kContinues, kIsKilled };  // What becomes of a stopped prior.

struct Prior {
  std::optional<Step> step;
  unsigned kinds = hooks::kStores;
  hooks::Action action = hooks::Action::kKill;
  std::uint64_t at = 0;
  After after = After::kIsKilled;
};

struct Case {
  std::string label;
  const Prepared* prepared = nullptr;
  Prior prior;
  std::vector<Step> victim;
  bool victim_attaches = false;  // As part of the operation.
  bool victim_inside = false;
  bool victim_waits = false;  // Attached before the prior ends, so that it has a slot of its own.
  unsigned kinds = hooks::kStores;
  hooks::Action action = hooks::Action::kCount;
  std::uint64_t at = 0;
  std::uint64_t then = 2;      // Of kStopThenKill: so many stores later, see hooks::Arm().
  std::vector<Step> survivor;  // While the victim is stopped or dead and not yet recovered.
  bool recover_first = false;  // The survivor's steps come after the recovery and a check.
  bool reopen = false;         // The survivor recovers by closing and opening.
};

struct Verdict {
  std::string wrong;  // Empty: right.
  bool struck = false;
  bool killed = false;  // The victim, also if that was after it had been stopped.
  std::uint64_t points = 0;
};

// What the watchdog prints when a case does not end.
inline char watched_label[256];
inline void OnAlarm(int /*signal*/) {
  static constexpr char kText[] = "\nA case did not end: ";
  (void)!write(2, kText, sizeof(kText) - 1);
  (void)!write(2, watched_label, std::strlen(watched_label));
  (void)!write(2, "\n", 1);
  _exit(9);
}

class CaseRunner {
 public:
  CaseRunner(std::string path, const Case& plan) : path_(std::move(path)), plan_(plan) {}

  Verdict Run() {
    std::snprintf(watched_label, sizeof(watched_label), "%s", plan_.label.c_str());
    (void)std::signal(SIGALRM, OnAlarm);
    alarm(20);
    Verdict verdict;
    verdict.wrong = Try(&verdict);
    verdict.killed = victim_.killed;
    for (Child* child : {&prior_, &victim_}) {
      if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, nullptr, 0);
      }
    }
    alarm(0);
    return verdict;
  }

 private:
  static constexpr std::uint64_t kAccessLimit = 5'000'000;

  struct Child {
    pid_t pid = 0;  // 0: none, or reaped.
    int pipe = -1;
    bool killed = false;
    bool stopped = false;
    std::uint64_t points = 0;
    std::vector<std::string> results;
  };
  struct Seen {
    const Step* step;
    std::string result;
    bool after_victim;  // The victim had ended.
  };

  std::string Try(Verdict* verdict) {
    if (std::string wrong = PlaceImage(); !wrong.empty()) {
      return wrong;
    }
    Actor survivor(path_);
    const bool exists = !plan_.prepared->image.empty();
    if (exists) {
      if (const absl::Status attached = survivor.Attach(plan_.prepared->model, true);
          !attached.ok()) {
        return "the survivor cannot attach: " + attached.ToString();
      }
    }
    if (std::string wrong = RunVictims(); !wrong.empty()) {
      return wrong;
    }
    verdict->struck = victim_.killed || victim_.stopped;
    verdict->points = victim_.points;
    if (!exists) {
      if (const absl::Status attached = survivor.Attach(plan_.prepared->model, true);
          !attached.ok()) {
        return "the survivor cannot attach: " + attached.ToString();
      }
    }
    if (std::string wrong = CheckLanes(survivor, false); !wrong.empty()) {
      return "before recovery: " + wrong;
    }
    if (exists && (victim_.stopped || prior_.stopped)) {
      if (std::string wrong = CheckSound(survivor, false); !wrong.empty()) {
        return "while one is stopped: " + wrong;
      }
    }
    if (plan_.recover_first) {
      if (std::string wrong = Settle(survivor, plan_.reopen); !wrong.empty()) {
        return "first: " + wrong;
      }
    }
    for (const Step& step : plan_.survivor) {
      if (std::string wrong = Do(survivor, step); !wrong.empty()) {
        return wrong;
      }
    }
    const bool late = plan_.action == hooks::Action::kStopThenKill;
    for (Child* child : late ? std::array{&prior_, &victim_} : std::array{&victim_, &prior_}) {
      const After after = child == &prior_ && !late ? plan_.prior.after : After::kContinues;
      if (std::string wrong = Release(child, after); !wrong.empty()) {
        return (child == &prior_ ? "prior: " : "victim: ") + wrong;
      }
    }
    if (std::string wrong = Settle(survivor, plan_.reopen); !wrong.empty()) {
      return wrong;
    }
    if (!Explain(plan_.prepared->model, false, 0, 0)) {
      return "no order explains what was seen" + Told();
    }
    const absl::Status closed = survivor.Close();
    return closed.ok() ? "" : "closing: " + closed.ToString();
  }

  std::string RunVictims() {
    const auto fork_victim = [&] {
      victim_ = Fork(plan_.victim, plan_.victim_attaches, plan_.victim_inside, plan_.victim_waits,
                     {plan_.kinds, plan_.action, plan_.at, plan_.then});
      const std::string wrong = Wait(&victim_, true);
      return wrong.empty() ? wrong : "victim: " + wrong;
    };
    if (plan_.victim_waits) {
      if (std::string wrong = fork_victim(); !wrong.empty()) {
        return wrong;
      }
    }
    if (plan_.prior.step.has_value()) {
      prior_ = Fork({*plan_.prior.step}, false, false, false,
                    {plan_.prior.kinds, plan_.prior.action, plan_.prior.at});
      if (std::string wrong = Wait(&prior_, true); !wrong.empty()) {
        return "prior: " + wrong;
      }
    }
    if (!plan_.victim_waits) {
      return fork_victim();
    }
    (void)kill(victim_.pid, SIGCONT);
    const std::string wrong = Wait(&victim_, true);
    return wrong.empty() ? wrong : "victim: " + wrong;
  }

  std::string PlaceImage() {
    (void)unlink(path_.c_str());
    const std::string& image = plan_.prepared->image;
    if (image.empty()) {
      return "";
    }
    const int fd = open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    const bool done =
        fd >= 0 && write(fd, image.data(), image.size()) == static_cast<ssize_t>(image.size());
    (void)close(fd);
    return done ? "" : "the store cannot be copied";
  }

  struct Fate {
    unsigned kinds = hooks::kStores;
    hooks::Action action = hooks::Action::kCount;
    std::uint64_t at = 0;
    std::uint64_t then = 2;
  };
  Child Fork(const std::vector<Step>& steps, bool attaches, bool inside, bool waits,
             const Fate& fate) {
    std::array<int, 2> ends{};
    Child child;
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      return child;
    }
    child.pid = fork();
    if (child.pid == 0) {
      _exit(BeVictim(steps, attaches, inside, waits, fate, ends[1]));
    }
    (void)close(ends[1]);
    child.pipe = ends[0];
    return child;
  }

  // In the child. Tells "points\nresult\n...", and an error as its exit code.
  int BeVictim(const std::vector<Step>& steps, bool attaches, bool inside, bool waits,
               const Fate& fate, int out) {
    alarm(0);
    hooks::ForgetMappings();
    auto* const actor = new Actor(path_);  // Never destroyed: a killed one is not, either.
    if (!attaches) {
      if (const absl::Status attached = actor->Attach(plan_.prepared->model, inside);
          !attached.ok()) {
        std::fprintf(stderr, "the victim cannot attach: %s\n", attached.ToString().c_str());
        return 2;
      }
    }
    std::vector<std::string> results;
    results.reserve(steps.size());
    if (waits) {
      (void)raise(SIGSTOP);
    }
    hooks::Arm(fate.kinds, fate.action, fate.at, fate.then);
    for (const Step& step : steps) {
      results.push_back(step.real(*actor));
    }
    std::string text = std::to_string(hooks::Disarm()) + "\n";
    for (const std::string& result : results) {
      text += result + "\n";
    }
    if (write(out, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return 3;
    }
    if (fate.action != hooks::Action::kKill && fate.action != hooks::Action::kStopThenKill &&
        !actor->Close().ok()) {
      return 4;
    }
    return 0;
  }

  // Until the child is killed, stopped (if `stops`) or at its end.
  static std::string Wait(Child* child, bool stops) {
    int status = 0;
    if (child->pid <= 0 || waitpid(child->pid, &status, stops ? WUNTRACED : 0) != child->pid) {
      return "cannot be waited for";
    }
    child->stopped = WIFSTOPPED(status);
    if (child->stopped) {
      return "";
    }
    child->pid = 0;
    child->killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = read(child->pipe, piece.data(), piece.size())) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    (void)close(child->pipe);
    if (child->killed) {
      return "";
    }
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
      return WIFSIGNALED(status) ? "died of signal " + std::to_string(WTERMSIG(status))
                                 : "ended with " + std::to_string(WEXITSTATUS(status));
    }
    std::size_t start = 0;
    for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos;
         start = end + 1) {
      child->results.push_back(text.substr(start, end - start));
    }
    child->points = std::stoull(child->results.front());
    child->results.erase(child->results.begin());
    return "";
  }

  static std::string Release(Child* child, After after) {
    if (!child->stopped) {
      return "";
    }
    child->stopped = false;
    (void)kill(child->pid, after == After::kIsKilled ? SIGKILL : SIGCONT);
    return Wait(child, false);
  }

  std::string Do(Actor& survivor, const Step& step) {
    hooks::Arm(hooks::kStores | hooks::kLoads, hooks::Action::kCount, 0);
    std::string result = step.real(survivor);
    const std::uint64_t accesses = hooks::Disarm();
    seen_.push_back({&step, std::move(result), victim_.pid == 0 && !victim_.killed});
    return accesses <= kAccessLimit
               ? ""
               : absl::StrCat("\"", step.name, "\" of the survivor took ", accesses, " accesses");
  }

  // Recovers the dead and looks at everything. Blocks may be in flight only while one is stopped.
  std::string Settle(Actor& survivor, bool reopen) {
    if (reopen && !victim_.stopped && !prior_.stopped) {
      // The namespaces that there are now may not be those of the model; handles come by path.
      Model none;
      if (const absl::Status closed = survivor.Close(); !closed.ok()) {
        return "closing: " + closed.ToString();
      }
      if (const absl::Status opened = survivor.Attach(none, true); !opened.ok()) {
        return "opening again: " + opened.ToString();
      }
    } else {
      const absl::Status recovered = survivor.inside().session().RecoverDead();
      if (!recovered.ok()) {
        return "recovery: " + recovered.ToString();
      }
    }
    const bool alone = !victim_.stopped && !prior_.stopped;
    if (std::string wrong = CheckSound(survivor, alone); !wrong.empty()) {
      return "after recovery: " + wrong;
    }
    for (int beat = 0; beat < 3; ++beat) {
      (void)survivor.inside().session().PushEpoch();
      survivor.inside().Background();
    }
    if (std::string wrong = CheckSound(survivor, alone); !wrong.empty()) {
      return "after the background's work: " + wrong;
    }
    if (const absl::StatusOr<CheckReport> report = survivor.inside().Check();
        alone && report->records != report->keys) {
      return absl::StrCat("after the background's work: ", report->records, " records for ",
                          report->keys, " keys: something is kept for nobody");
    }
    static const Step content = Content(false);
    static const Step content_and_sizes = Content(true);
    return Do(survivor, alone ? content_and_sizes : content);
  }

  static std::string CheckSound(Actor& survivor, bool alone) {
    const absl::StatusOr<CheckReport> report = survivor.inside().Check();
    if (!report.ok()) {
      return "check: " + report.status().ToString();
    }
    if (!report->sound()) {
      return absl::StrCat("check: ", report->faults.empty() ? "?" : report->faults.front(), " (",
                          report->fault_count, " faults, ", report->blocks_leaked, " leaked)");
    }
    if (alone && report->blocks_in_flight != 0) {
      return absl::StrCat("check: ", report->blocks_in_flight, " blocks in flight");
    }
    return CheckLanes(survivor, alone);
  }

  // A lane has an owner until nothing of it is left, also while its recoverer is stopped or dead: the
  // next owner may come at once. `alone`: and no lane is left of those who are gone.
  static std::string CheckLanes(Actor& survivor, bool alone) {
    region::Region& region = survivor.inside().region();
    for (std::uint32_t i = 0; i < region.lanes_ready(); ++i) {
      const std::uint64_t owner = region.lane(i).owner.load(std::memory_order_acquire);
      if (owner == 0) {
        if (const testing::AssertionResult idle = IsIdle(region.lane(i)); !idle) {
          return absl::StrCat("lane ", i, " is nobody's: ", idle.message());
        }
        continue;
      }
      const std::uint32_t slot = process::OwnerSlot(owner);
      const std::uint64_t state = region.participant(slot).state.load(std::memory_order_acquire);
      if (alone && ((state & 0xffU) == 0 || process::PackOwner(slot, state >> 8U) != owner)) {
        return absl::StrCat("lane ", i, " is still one of the dead");
      }
    }
    return "";
  }

  // Whether some order of what is left of the prior's, the victim's and the survivor's steps
  // answers each as it was answered.
  bool Explain(const Model& model, bool prior_done, std::size_t victim_next,
               std::size_t seen_next) {
    // Most orders lead to the same few models, so this stays far from the number of orders.
    std::string state = absl::StrCat(prior_done ? 1 : 0, ",", victim_next, ",", seen_next, ";");
    const auto add = [&state](const auto& names) {
      for (const auto& [path, content] : names) {
        absl::StrAppend(&state, path, "#", content.id, ":", content.keys.Digest(), ",");
      }
    };
    add(model.names);
    for (const auto& [number, names] : model.snapshots) {
      absl::StrAppend(&state, "@", number, ";");
      add(names);
    }
    if (!tried_.insert(std::move(state)).second) {
      return false;
    }
    const bool victim_ended = !victim_.results.empty();
    if (seen_next == seen_.size() && (!victim_ended || victim_next == plan_.victim.size())) {
      return true;
    }
    if (seen_next < seen_.size()) {
      const Seen& seen = seen_[seen_next];
      if (!seen.after_victim || victim_next == plan_.victim.size()) {
        Model next = model;
        if (seen.step->ideal(next) == seen.result &&
            Explain(next, prior_done, victim_next, seen_next + 1)) {
          return true;
        }
      }
    }
    if (victim_next < plan_.victim.size()) {
      const Step& step = plan_.victim[victim_next];
      for (const auto* ideal : {&step.ideal, &step.also}) {
        Model next = model;
        if (*ideal == nullptr ||
            !Agrees((*ideal)(next), victim_ended ? &victim_.results[victim_next] : nullptr)) {
          continue;
        }
        if (!victim_ended) {
          next.snapshots.clear();  // What a killed one read by them, nobody heard.
        }
        if (Explain(next, prior_done, victim_next + 1, seen_next)) {
          return true;
        }
      }
    }
    if (!prior_done && plan_.prior.step.has_value()) {
      for (const auto* ideal : {&plan_.prior.step->ideal, &plan_.prior.step->also}) {
        Model next = model;
        if (*ideal != nullptr &&
            Agrees((*ideal)(next), prior_.results.empty() ? nullptr : &prior_.results.front()) &&
            Explain(next, true, victim_next, seen_next)) {
          return true;
        }
      }
    }
    return false;
  }

  static bool Agrees(const std::string& ideal, const std::string* told) {
    return told == nullptr || ideal == *told;
  }

  std::string Told() const {
    std::string text = "\n  victim:";
    for (const Step& step : plan_.victim) {
      text += " [" + step.name + "]";
    }
    for (const std::string& result : victim_.results) {
      text += " -> " + result;
    }
    for (const Seen& seen : seen_) {
      text += "\n  survivor: [" + seen.step->name + "] -> " + seen.result.substr(0, 1500);
    }
    return text;
  }

  const std::string path_;
  const Case& plan_;
  Child prior_;
  Child victim_;
  std::vector<Seen> seen_;
  absl::flat_hash_set<std::string> tried_;  // By Explain.
};

}  // namespace commy::test
