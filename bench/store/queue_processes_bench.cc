// How many elements a second go through one queue between processes?
//
// Fixed     four processes that produce and four that consume, each with one thread; numbers of 8
//           bytes; a queue with room for 1000. Files under TMPDIR.
// Varies    the queue: a SharedDeque with a capacity, whose producers and consumers wait; a Redis
//           list (RPUSH and BLPOP over a unix socket, one command, one answer; its log is flushed
//           each second), whose producers pause while it is full. And how elements are taken:
//           popped, or leased and acknowledged (Redis: BLMOVE to a list of the consumer's, LREM).
// Prints    thousands of elements a second: median, min and max over the rounds, and the median
//           over Commy's. The queues take turns in each round.
// Verifies  that each element came once, by their sum and number.
// Not here  consumers that die.
//
// Usage: queue_processes_bench [--smoke] [--rounds N]
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/queues.h"

namespace commy::bench {
namespace {

constexpr std::uint64_t kProducers = 4;
constexpr std::uint64_t kConsumers = 4;
constexpr std::uint64_t kCapacity = 1000;
constexpr std::uint64_t kStop = UINT64_MAX;

using OpenQueue = std::function<std::unique_ptr<AnyQueue>()>;

// Memory that all processes share.
struct Report {
  std::atomic<std::uint64_t> ready{0};
  std::atomic<bool> begun{false};
  std::atomic<std::uint64_t> produced{0};  // Producers that are done.
  std::atomic<std::uint64_t> sum{0};
  std::atomic<std::uint64_t> count{0};

  void AwaitBegin() {
    ready.fetch_add(1);
    while (!begun.load()) {
      ::usleep(100);
    }
  }
};

void Produce(AnyQueue& queue, std::uint64_t count, Report& report) {
  report.AwaitBegin();
  for (std::uint64_t i = 0; i < count; ++i) {
    queue.Push(i);
  }
  // The last one tells the consumers.
  if (report.produced.fetch_add(1) + 1 == kProducers) {
    for (std::uint64_t i = 0; i < kConsumers; ++i) {
      queue.Push(kStop);
    }
  }
}

void Consume(AnyQueue& queue, bool leased, Report& report) {
  report.AwaitBegin();
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  while (true) {
    const std::uint64_t value = leased ? queue.PopLeased() : queue.Pop();
    if (value == kStop) {
      break;
    }
    sum += value;
    ++count;
  }
  report.sum += sum;
  report.count += count;
}

// The parent never opens a queue, so it has no threads that a fork would lose.
double Play(const OpenQueue& open, bool leased, std::uint64_t each, Report& report) {
  new (&report) Report();
  std::vector<pid_t> children;
  for (std::uint64_t i = 0; i < kProducers + kConsumers; ++i) {
    const pid_t child = ::fork();
    if (child < 0) {
      Die("fork", "failed");
    }
    if (child == 0) {
      {
        const std::unique_ptr<AnyQueue> queue = open();
        i < kProducers ? Produce(*queue, each, report) : Consume(*queue, leased, report);
      }
      std::_Exit(0);
    }
    children.push_back(child);
  }
  while (report.ready.load() < children.size()) {
    ::usleep(100);
  }
  const std::uint64_t begin_ns = NowNs();
  report.begun = true;
  for (const pid_t child : children) {
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      Die("child", "ended badly");
    }
  }
  const double seconds = static_cast<double>(NowNs() - begin_ns) / 1e9;
  if (report.count != kProducers * each || report.sum != kProducers * (each * (each - 1) / 2)) {
    Die("queue", "an element was lost, or came twice");
  }
  return static_cast<double>(kProducers * each) / seconds / 1e3;
}

void Run(const Arguments& arguments) {
  const ScratchDir dir;
  void* const memory =
      ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    Die("mmap", "failed");
  }
  Report& report = *new (memory) Report();
#ifdef COMMY_BENCH_REDIS
  const std::unique_ptr<RedisServer> server = StartRedis(dir.File("."));
#else
  StartRedis(dir.File("."));
#endif
  Rounds rounds("thousands a second");
  for (std::uint64_t round = 0; round < arguments.rounds; ++round) {
    for (const bool leased : {false, true}) {
      const char* const how = leased ? "leased and acknowledged" : "popped";
      const OpenQueue commy = [&] {
        return std::make_unique<CommyQueue>(dir.File("store"), "queue", kCapacity);
      };
      rounds.Add(how, "SharedDeque", Play(commy, leased, arguments.smoke ? 500 : 100'000, report));
#ifdef COMMY_BENCH_REDIS
      if (server != nullptr) {
        const OpenQueue redis = [&] {
          return std::make_unique<RedisQueue>(server->socket(), true, kCapacity);
        };
        rounds.Add(how, "Redis", Play(redis, leased, arguments.smoke ? 100 : 10'000, report));
      }
#endif
    }
  }
  rounds.Print();
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  commy::bench::Run(commy::bench::Arguments::Parse(argc, argv));
  return 0;
}
