// Metrics of several worker processes: counters that each adds to without waiting for the others,
// and one process that collects them. None is lost, also if a worker is killed.
#include <cstdint>
#include <iostream>

#include <sys/wait.h>
#include <unistd.h>

#include <commy/commy.h>

namespace {

constexpr int kWorkers = 3;
constexpr int kRequests = 100'000;

int Work(const char* path) {
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto requests = store->OpenShared<commy::SharedCounter>("metrics/requests");
  const auto bytes = store->OpenShared<commy::SharedCounter>("metrics/bytes");
  if (!requests.ok() || !bytes.ok()) return std::cerr << requests.status() << "\n", 1;
  for (int i = 0; i < kRequests; ++i) {
    if (!requests->Add(1).ok() || !bytes->Add(i % 1000).ok()) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "metrics.commy";
  for (int i = 0; i < kWorkers; ++i) {
    if (fork() == 0) _exit(Work(path));
  }
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto requests = store->OpenShared<commy::SharedCounter>("metrics/requests");
  if (!requests.ok()) return std::cerr << requests.status() << "\n", 1;
  // Takes what has come, while they work; the sum of all that is taken is exact.
  std::int64_t collected = 0;
  while (collected < std::int64_t{kWorkers} * kRequests) {
    const auto taken = requests->Reset();
    if (!taken.ok()) return std::cerr << taken.status() << "\n", 1;
    collected += *taken;
  }
  int failed = 0;
  for (int status = 0; wait(&status) > 0;) failed |= status;
  std::cout << collected << " requests\n";
  return failed == 0 && collected == std::int64_t{kWorkers} * kRequests ? 0 : 1;
}
