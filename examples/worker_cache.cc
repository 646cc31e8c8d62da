// A cache beside forked workers: all of them find the results of each. One of them is killed during
// its work, another takes its place, and no cleanup is needed.
#include <csignal>
#include <iostream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <commy/commy.h>

namespace {

constexpr int kWorkers = 4;
constexpr int kPages = 500;

std::string Render(int page) {  // The expensive part.
  return "page " + std::to_string(page) + " " + std::string(2000, '.');
}

// From the cache, or computed and left there for the others.
absl::StatusOr<std::string> GetPage(const commy::Namespace& cache, int page) {
  const auto key = std::to_string(page);
  auto found = cache.Get(key);
  if (!absl::IsNotFound(found.status())) return found;
  auto text = Render(page);
  const auto mine = cache.PutIfAbsent(key, text, {.ttl = absl::Hours(1)});
  // A full cache is no reason to fail: continue without it.
  if (!mine.ok() && !absl::IsResourceExhausted(mine.status())) return mine.status();
  if (mine.ok() && *mine) {
    const auto counted = cache.Add("rendered", 1);
    if (!counted.ok()) return counted.status();
  }
  return text;
}

int Work(const char* path, bool dies) {
  // A worker opens the store itself: handles do not survive fork().
  const auto store = commy::Store::Open(path, {.process_name = dies ? "victim" : "worker"});
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto cache = store->OpenNamespace("cache");
  if (!cache.ok()) return std::cerr << cache.status() << "\n", 1;
  for (int page = 0; page < kPages; ++page) {
    if (dies && page == kPages / 2) raise(SIGKILL);
    const auto text = GetPage(*cache, page);
    if (!text.ok()) return std::cerr << text.status() << "\n", 1;
    if (*text != Render(page)) return std::cerr << "a wrong page\n", 1;
  }
  return 0;
}

pid_t StartWorker(const char* path, bool dies) {
  const auto pid = fork();
  if (pid == 0) _exit(Work(path, dies));
  return pid;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "cache.commy";
  {
    // Closed again before the forks: an open store has a thread, and a forked child would keep the
    // work of other threads half done.
    const auto store = commy::Store::Open(path, {.max_size = std::uint64_t{1} << 30});
    if (!store.ok()) return std::cerr << store.status() << "\n", 1;
    const auto cache = store->OpenNamespace("cache");
    if (!cache.ok() || !cache->Clear().ok()) return 1;
  }
  for (int i = 0; i < kWorkers; ++i) StartWorker(path, i == 0);
  for (int status = 0; wait(&status) > 0;) {
    if (WIFSIGNALED(status)) StartWorker(path, false);  // It was killed: start another one.
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return 1;
  }
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto cache = store->OpenNamespace("cache");
  if (!cache.ok()) return 1;
  const auto pages = cache->Size();
  const auto rendered = cache->Get("rendered");
  if (!pages.ok() || *pages != kPages + 1 || !rendered.ok()) return 1;
  std::cout << kPages << " pages, of which " << *rendered << " were counted when they were put\n";
}
