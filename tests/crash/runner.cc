#include "crash/runner.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "crash/explain.h"
#include "crash/soundness.h"
#include "engine/maintenance.h"
#include "inspect/check.h"

namespace commy::test {
namespace {

constexpr std::uint64_t kAccessLimit = 5'000'000;  // Of one call of the survivor.

// The watchdog prints it when a case does not end.
char watched_label[256];
void OnAlarm(int /*signal*/) {
  static constexpr char kText[] = "\nA case did not end: ";
  (void)!write(2, kText, sizeof(kText) - 1);
  (void)!write(2, watched_label, std::strlen(watched_label));
  (void)!write(2, "\n", 1);
  _exit(9);
}

// Its errors are texts; an empty one: none.
class CaseRunner {
 public:
  CaseRunner(const std::string& path, const Case& plan)
      : path_(path),
        plan_(plan),
        exists_(!plan.prepared->image.empty()),
        late_(plan.victim.fate.action == hooks::Action::kStopThenKill),
        survivor_(path) {}

  Verdict Run() {
    Verdict verdict;
    verdict.wrong = Try(&verdict);
    verdict.killed = victim_.killed();
    return verdict;
  }

 private:
  std::string Try(Verdict* verdict) {
    if (std::string wrong = PlaceImage(); !wrong.empty()) {
      return wrong;
    }
    const bool late = !exists_ || plan_.alone;
    if (std::string wrong = late ? "" : AttachSurvivor(); !wrong.empty()) {
      return wrong;
    }
    if (std::string wrong = RunVictims(); !wrong.empty()) {
      return wrong;
    }
    verdict->struck = victim_.killed() || victim_.stopped();
    verdict->points = victim_.points();
    if (std::string wrong = late ? AttachSurvivor() : ""; !wrong.empty()) {
      return wrong;
    }
    if (std::string wrong = CheckStruck(); !wrong.empty()) {
      return wrong;
    }
    if (std::string wrong = Survive(); !wrong.empty()) {
      return wrong;
    }
    if (std::string wrong = ReleaseVictims(); !wrong.empty()) {
      return wrong;
    }
    if (std::string wrong = Settle(); !wrong.empty()) {
      return wrong;
    }
    if (const History history = ItsHistory(); !IsExplained(history, plan_.prepared->model)) {
      return "no order explains the outcomes" + Told(history);
    }
    const absl::Status closed = survivor_.Close();
    return closed.ok() ? "" : "closing: " + closed.ToString();
  }

  std::string PlaceImage() {
    (void)unlink(path_.c_str());
    const std::string& image = plan_.prepared->image;
    if (!exists_) {
      return "";
    }
    const int fd = open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    const bool done =
        fd >= 0 && write(fd, image.data(), image.size()) == static_cast<ssize_t>(image.size());
    (void)close(fd);
    return done ? "" : "the store cannot be copied";
  }

  std::string AttachSurvivor() {
    const absl::Status attached = survivor_.Attach(plan_.prepared->model, true);
    return attached.ok() ? "" : "the survivor cannot attach: " + attached.ToString();
  }

  std::string RunVictims() {
    const Model& model = plan_.prepared->model;
    if (plan_.victim.waits) {
      victim_.Fork(path_, model, plan_.victim);
      if (std::string wrong = victim_.Wait(true); !wrong.empty()) {
        return "victim: " + wrong;
      }
    }
    if (plan_.prior.step.has_value()) {
      prior_.Fork(
          path_, model,
          {.steps = {*plan_.prior.step}, .inside = plan_.prior.inside, .fate = plan_.prior.fate});
      if (std::string wrong = prior_.Wait(true); !wrong.empty()) {
        return "prior: " + wrong;
      }
    }
    if (plan_.victim.waits) {
      victim_.Continue();
    } else {
      victim_.Fork(path_, model, plan_.victim);
    }
    const std::string wrong = victim_.Wait(true);
    return wrong.empty() ? wrong : "victim: " + wrong;
  }

  [[nodiscard]] bool Alone() const { return !victim_.stopped() && !prior_.stopped(); }

  // While victims are stopped, or dead and not recovered.
  std::string CheckStruck() {
    if (std::string wrong = CheckLanes(survivor_, false); !wrong.empty()) {
      return "before recovery: " + wrong;
    }
    if (exists_ && !Alone()) {
      if (std::string wrong = CheckSound(survivor_, false); !wrong.empty()) {
        return "while one is stopped: " + wrong;
      }
    }
    return "";
  }

  std::string Survive() {
    if (plan_.recover_first) {
      if (std::string wrong = Settle(); !wrong.empty()) {
        return "first: " + wrong;
      }
    }
    for (const Step& step : plan_.survivor) {
      if (std::string wrong = Do(step); !wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }

  std::string Do(const Step& step) {
    hooks::Arm(hooks::kStores | hooks::kLoads, hooks::Action::kCount, 0);
    std::string result = step.real(survivor_);
    const std::uint64_t accesses = hooks::Disarm();
    seen_.push_back({&step, std::move(result), victim_.ended()});
    return accesses <= kAccessLimit
               ? ""
               : absl::StrCat("\"", step.name, "\" of the survivor took ", accesses, " accesses");
  }

  // The victim first; but a late one is killed after the prior has met its late store.
  std::string ReleaseVictims() {
    for (Victim* victim : late_ ? std::array{&prior_, &victim_} : std::array{&victim_, &prior_}) {
      const bool is_prior = victim == &prior_;
      const After after = is_prior && !late_ ? plan_.prior.after : After::kContinues;
      if (std::string wrong = victim->Release(after); !wrong.empty()) {
        return (is_prior ? "prior: " : "victim: ") + wrong;
      }
    }
    return "";
  }

  // Recovers the dead and checks everything.
  std::string Settle() {
    if (std::string wrong = plan_.reopen && Alone() ? Reopen() : RecoverTheDead(); !wrong.empty()) {
      return wrong;
    }
    if (std::string wrong = CheckSound(survivor_, Alone()); !wrong.empty()) {
      return "after recovery: " + wrong;
    }
    for (int beat = 0; beat < 3; ++beat) {
      (void)survivor_.inside().session.PushEpoch();
      survivor_.inside().maintenance.Background();
    }
    if (std::string wrong = CheckSound(survivor_, Alone()); !wrong.empty()) {
      return "after the background's work: " + wrong;
    }
    if (const absl::StatusOr<CheckReport> report = inspect::Check(survivor_.inside());
        Alone() && report->records != report->keys) {
      return absl::StrCat("after the background's work: ", report->records, " records for ",
                          report->keys, " keys: a superseded record is kept for no reader");
    }
    static const Step content = Content(false);
    static const Step content_and_sizes = Content(true);
    return Do(Alone() ? content_and_sizes : content);
  }

  std::string Reopen() {
    // The namespaces of now may not be those of the model; so the handles come by path.
    if (const absl::Status closed = survivor_.Close(); !closed.ok()) {
      return "closing: " + closed.ToString();
    }
    const absl::Status opened = survivor_.Attach(Model(), true);
    return opened.ok() ? "" : "opening again: " + opened.ToString();
  }

  std::string RecoverTheDead() {
    const absl::Status recovered = survivor_.inside().session.RecoverDead();
    return recovered.ok() ? "" : "recovery: " + recovered.ToString();
  }

  [[nodiscard]] History ItsHistory() const {
    return {.prior = plan_.prior.step.has_value() ? &*plan_.prior.step : nullptr,
            .prior_told = prior_.results(),
            .victim = plan_.victim.steps,
            .victim_told = victim_.results(),
            .survivor = seen_};
  }

  const std::string path_;
  const Case& plan_;
  const bool exists_;  // There is a store before the victim.
  const bool late_;
  std::vector<Seen> seen_;
  Victim prior_;
  Victim victim_;
  Actor survivor_;
};

}  // namespace

Verdict RunCase(const std::string& path, const Case& plan) {
  std::snprintf(watched_label, sizeof(watched_label), "%s", plan.label.c_str());
  (void)std::signal(SIGALRM, OnAlarm);
  alarm(20);
  const Verdict verdict = CaseRunner(path, plan).Run();
  alarm(0);
  return verdict;
}

}  // namespace commy::test
