#include "crash/victim.h"

#include <array>
#include <csignal>
#include <cstdio>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_split.h"

#include "crash/actor.h"

namespace commy::test {
namespace {

// In the child. Writes "points\nresult\n...". Returns the exit code, which tells an error.
int BeVictim(const std::string& path, const Model& model, const VictimPlan& plan, int out) {
  alarm(0);
  hooks::ForgetMappings();
  auto* const actor = new Actor(path);  // Never destroyed, as in a killed process.
  if (!plan.attaches) {
    if (const absl::Status attached = actor->Attach(model, plan.inside); !attached.ok()) {
      std::fprintf(stderr, "the victim cannot attach: %s\n", attached.ToString().c_str());
      return 2;
    }
  }
  std::vector<std::string> results;
  results.reserve(plan.steps.size());
  if (plan.waits) {
    (void)raise(SIGSTOP);
  }
  const Fate& fate = plan.fate;
  hooks::Arm(fate.kinds, fate.action, fate.at, fate.then);
  for (const Step& step : plan.steps) {
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

}  // namespace

Victim::~Victim() {
  if (pid_ > 0) {
    (void)kill(pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
  }
  if (pipe_ >= 0) {
    (void)close(pipe_);
  }
}

void Victim::Fork(const std::string& path, const Model& model, const VictimPlan& plan) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return;  // Wait() tells.
  }
  pid_ = fork();
  if (pid_ == 0) {
    _exit(BeVictim(path, model, plan, ends[1]));
  }
  (void)close(ends[1]);
  pipe_ = ends[0];
}

std::string Victim::Wait(bool stops) {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, stops ? WUNTRACED : 0) != pid_) {
    return "cannot be waited for";
  }
  stopped_ = WIFSTOPPED(status);
  if (stopped_) {
    return "";
  }
  pid_ = 0;
  killed_ = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (killed_) {
    return "";
  }
  if (WIFSIGNALED(status)) {
    return "died of signal " + std::to_string(WTERMSIG(status));
  }
  if (WEXITSTATUS(status) != 0) {
    return "ended with " + std::to_string(WEXITSTATUS(status));
  }
  ReadResults();
  return "";
}

void Victim::ReadResults() {
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t got = 0; (got = read(pipe_, piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  results_ = absl::StrSplit(text, '\n');
  results_.pop_back();  // After the last end of a line.
  points_ = std::stoull(results_.front());
  results_.erase(results_.begin());
}

void Victim::Continue() const {
  (void)kill(pid_, SIGCONT);
}

std::string Victim::Release(After after) {
  if (!stopped_) {
    return "";
  }
  stopped_ = false;
  (void)kill(pid_, after == After::kIsKilled ? SIGKILL : SIGCONT);
  return Wait(false);
}

}  // namespace commy::test
