// What does it cost to send elements through a queue that is almost empty, and does it stay small?
//
// Fixed     one process, numbers of 8 bytes, two elements in the queue: a push, a pop, again and
//           again. Files under TMPDIR.
// Varies    the queue: a SharedDeque; Boost.Interprocess's deque in a managed_mapped_file, behind
//           an interprocess_mutex; a Redis list (RPUSH, LPOP over a unix socket, one command, one
//           answer; its log is flushed each second). And how elements are taken: popped, or leased
//           and acknowledged (Redis: LMOVE to a list of the consumer's, LREM).
// Prints    nanoseconds for an element, pushed and taken: median, min and max over the rounds, and
//           the median over Commy's. The queues take turns in each round. The size of the store
//           before it, and after each round: ten million elements are popped in all, and a million
//           leased.
// Verifies  that the elements come in their order.
// Not here  several processes: queue_processes_bench.
//
// Usage: queue_bench [--smoke] [--rounds N]
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "support/queues.h"

namespace commy::bench {
namespace {

constexpr char kPopped[] = "push and pop";
constexpr char kLeased[] = "push, lease, acknowledge";
constexpr std::uint64_t kDepth = 2;

// Sends `count` elements through; two are in the queue before and after.
void Send(const char* how, const char* name, AnyQueue& queue, std::uint64_t count, Rounds& rounds) {
  const bool leased = how == kLeased;
  std::uint64_t next = 0;
  while (next < kDepth) {
    queue.Push(next++);
  }
  std::uint64_t awaited = 0;
  rounds.Add(how, name, NsEach(count, [&] {
               for (std::uint64_t i = 0; i < count; ++i) {
                 queue.Push(next++);
                 if ((leased ? queue.PopLeased() : queue.Pop()) != awaited++) {
                   Die(name, "an element came out of order");
                 }
               }
             }));
  while (awaited < next) {
    if (queue.Pop() != awaited++) {
      Die(name, "an element came out of order");
    }
  }
}

void PrintSize(const std::string& when, const Store& store) {
  const StoreStats stats = Must("stats", store.Stats());
  std::printf("%-15s file %llu, on disk %llu, used %llu, retired %llu bytes\n", when.c_str(),
              static_cast<unsigned long long>(stats.file_bytes),
              static_cast<unsigned long long>(stats.disk_bytes),
              static_cast<unsigned long long>(stats.used_bytes),
              static_cast<unsigned long long>(stats.retired_bytes));
}

void Run(const Arguments& arguments) {
  const ScratchDir dir;
  const std::uint64_t count = arguments.smoke ? 10'000 : 10'000'000 / arguments.rounds;
  [[maybe_unused]] const std::uint64_t of_redis = arguments.smoke ? 100 : 10'000;
#ifdef COMMY_BENCH_REDIS
  const std::unique_ptr<RedisServer> server = StartRedis(dir.File("."));
#else
  StartRedis(dir.File("."));
#endif
  CommyQueue commy(dir.File("store"), "queue", UINT64_MAX);
#ifdef COMMY_BENCH_BOOST
  BoostQueue boost(dir.File("boost"));
#endif
  Rounds warm("ns");  // Thrown away.
  Send(kPopped, "SharedDeque", commy, count / 100, warm);
  PrintSize("before", commy.store());
  Rounds rounds("ns");
  for (std::uint64_t round = 0; round < arguments.rounds; ++round) {
    Send(kPopped, "SharedDeque", commy, count, rounds);
#ifdef COMMY_BENCH_BOOST
    Send(kPopped, "Boost", boost, count, rounds);
#endif
    Send(kLeased, "SharedDeque", commy, count / 10, rounds);
#ifdef COMMY_BENCH_REDIS
    if (server != nullptr) {
      RedisQueue redis(server->socket(), false, UINT64_MAX);
      Send(kPopped, "Redis", redis, of_redis, rounds);
      Send(kLeased, "Redis", redis, of_redis, rounds);
    }
#endif
    PrintSize("after " + std::to_string((round + 1) * (count + count / 10)), commy.store());
  }
  rounds.Print();
}

}  // namespace
}  // namespace commy::bench

// An exception of Boost's ends it.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  commy::bench::Run(commy::bench::Arguments::Parse(argc, argv));
  return 0;
}
