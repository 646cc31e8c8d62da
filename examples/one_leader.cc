// Programs that compete for a leader lease. Each leader writes with its fencing number, and a write
// with a lower one than was seen is refused. A leader that is killed is superseded.
#include <csignal>
#include <cstdint>
#include <iostream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <commy/commy.h>

namespace {

constexpr int kProcesses = 3;

// What the leaders write: the newest number, and how many of them there were.
struct Journal {
  std::uint64_t fencing = 0;
  std::uint64_t leaders = 0;
};
COMMY_STRUCT(Journal, "acme.Journal", fencing, leaders);

// Leads once; `dies`: until it is killed.
int Compete(const char* path, bool dies) {
  const auto store = commy::Store::Open(path, {.process_name = dies ? "victim" : "candidate"});
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto lease = store->OpenShared<commy::LeaderLease>("acme/leader");
  if (!lease.ok()) return std::cerr << lease.status() << "\n", 1;
  const auto journal = store->OpenShared<commy::SharedBox<Journal>>("acme/journal");
  if (!journal.ok()) return std::cerr << journal.status() << "\n", 1;

  auto held = lease->Acquire(absl::Seconds(30));
  if (!held.ok()) return std::cerr << held.status() << "\n", 1;
  bool taken = false;
  const auto written = journal->Update([&](std::optional<Journal> now) {
    taken = !now.has_value() || now->fencing < held->fencing();
    const auto leaders = now.has_value() ? now->leaders : 0;
    return taken ? Journal{.fencing = held->fencing(), .leaders = leaders + 1} : *now;
  });
  if (!written.ok()) return std::cerr << written << "\n", 1;
  std::cout << "leader with the fencing number " + std::to_string(held->fencing()) + "\n"
            << std::flush;
  if (dies) std::raise(SIGKILL);  // Nothing lets go: the others notice.
  const auto done = held->LetGo();
  if (!done.ok()) return std::cerr << done << "\n", 1;
  return taken ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "one_leader.commy";
  ::unlink(path);  // Of an earlier run.
  for (int i = 0; i < kProcesses; ++i) {
    if (::fork() == 0) ::_exit(Compete(path, /*dies=*/i == 0));
  }
  int killed = 0;
  int good = 0;
  for (int i = 0, status = 0; i<kProcesses&& ::wait(&status)> 0; ++i) {
    killed += WIFSIGNALED(status) ? 1 : 0;
    good += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto journal = store->OpenShared<commy::SharedBox<Journal>>("acme/journal");
  if (!journal.ok()) return std::cerr << journal.status() << "\n", 1;
  const auto last = journal->Load();
  if (!last.ok()) return std::cerr << last.status() << "\n", 1;
  std::cout << last->leaders << " leaders, the last number was " << last->fencing << "\n";
  return killed == 1 && good == kProcesses - 1 && last->leaders == kProcesses &&
                 last->fencing == kProcesses
             ? 0
             : 1;
}
