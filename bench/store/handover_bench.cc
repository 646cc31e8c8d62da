// How soon does a process have an element that another one gives it?
//
// Fixed     two processes, ping-pong: one gives and waits for the answer, the other one waits and
//           answers. Numbers of 8 bytes. A store file under TMPDIR.
// Varies    the line: two SharedDeques, PushBack() and PopFront() with a timeout; or two words of
//           shared memory, each with a futex, which is the cost of a wake-up by the system. And
//           where they run: each on a processor of its own, or both on one.
// Prints    half of the time of a round trip, in microseconds: the median of each round, and of
//           these the median, min and max, and the median over the futex's. The lines take turns in
//           each round.
// Verifies  that each number is the one that was given.
// Not here  several consumers; a machine whose processors are busy.
//
// Usage: handover_bench [--smoke] [--rounds N]
#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/rounds.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

// One direction each, as a process has them open.
class Line {
 public:
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  virtual ~Line() = default;
  virtual void Give(std::size_t way, std::uint32_t number) = 0;
  virtual std::uint32_t Take(std::size_t way) = 0;
};

class Deques : public Line {
 public:
  explicit Deques(const std::string& path)
      : store_(Must("open", Store::Open(path))), ways_{Open("there"), Open("back")} {}
  void Give(std::size_t way, std::uint32_t number) override {
    Must("push", ways_[way].PushBack(number));
  }
  std::uint32_t Take(std::size_t way) override {
    return static_cast<std::uint32_t>(Must("pop", ways_[way].PopFront(absl::Seconds(30))));
  }

 private:
  using Deque = SharedDeque<std::uint64_t>;
  [[nodiscard]] Deque Open(const char* name) const {
    return Must("queue", store_.OpenShared<Deque>(name));
  }
  Store store_;
  std::array<Deque, 2> ways_;
};

struct alignas(64) Word {
  std::atomic<std::uint32_t> value{0};
};
using Words = std::array<Word, 2>;

class Futexes : public Line {
 public:
  explicit Futexes(Words& words) : words_(words) {
    for (std::size_t way = 0; way < words_.size(); ++way) {
      seen_[way] = words_[way].value;
    }
  }
  void Give(std::size_t way, std::uint32_t number) override {
    words_[way].value = number;
    ::syscall(SYS_futex, &words_[way].value, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  std::uint32_t Take(std::size_t way) override {
    std::uint32_t now = words_[way].value;
    while (now == seen_[way]) {
      ::syscall(SYS_futex, &words_[way].value, FUTEX_WAIT, now, nullptr, nullptr, 0);
      now = words_[way].value;
    }
    seen_[way] = now;
    return now;
  }

 private:
  Words& words_;
  std::array<std::uint32_t, 2> seen_{};
};

struct Shared {
  Words words;
  std::atomic<bool> ready{false};
};

// Of this thread; the store's own thread, made afterwards, has the same.
void RunOn(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    Die("processor", "cannot be chosen");
  }
}

// Those that this process may use.
std::vector<int> Processors() {
  cpu_set_t set;
  std::vector<int> all;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) {
        all.push_back(i);
      }
    }
  }
  return all;
}

template <typename Open>
void StartAnswers(int processor, const Open& open, Shared& shared, std::uint32_t count) {
  if (::fork() == 0) {
    RunOn(processor);
    {
      const std::unique_ptr<Line> line = open();
      shared.ready = true;
      for (std::uint32_t i = 1; i <= count; ++i) {
        if (line->Take(0) != i) {
          Die("answer", "another number than was given");
        }
        line->Give(1, i);
      }
    }
    std::_Exit(0);
  }
}

// The median of half of a round trip, in microseconds. In a process of its own, which ends with its
// store: the parent has no threads that a fork would lose.
template <typename Open>
double Play(std::array<int, 2> processors, const Open& open, Shared& shared, double* median,
            std::uint32_t count) {
  shared.ready = false;
  for (Word& word : shared.words) {
    word.value = 0;
  }
  StartAnswers(processors[1], open, shared, count);
  const pid_t asks = ::fork();
  if (asks == 0) {
    RunOn(processors[0]);
    {
      const std::unique_ptr<Line> line = open();
      while (!shared.ready) {
        ::usleep(100);
      }
      std::vector<double> halves;
      halves.reserve(count);
      for (std::uint32_t i = 1; i <= count; ++i) {
        const std::uint64_t begin_ns = NowNs();
        line->Give(0, i);
        if (line->Take(1) != i) {
          Die("question", "another number than was given");
        }
        halves.push_back(static_cast<double>(NowNs() - begin_ns) / 2e3);
      }
      std::nth_element(halves.begin(), halves.begin() + count / 2, halves.end());
      *median = halves[count / 2];
    }
    std::_Exit(0);
  }
  for (int ended = 0; ended < 2; ++ended) {
    int status = 0;
    if (::wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      Die("child", "ended badly");
    }
  }
  return *median;
}

void Run(const Arguments& arguments) {
  const ScratchDir dir;
  struct Place {
    Shared shared;
    double median = 0;
  };
  void* const memory =
      ::mmap(nullptr, sizeof(Place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    Die("mmap", "failed");
  }
  Place& place = *new (memory) Place();
  const std::vector<int> processors = Processors();
  if (processors.size() < 2) {
    std::printf("ONE PROCESSOR: both processes are always on it\n");
  }
  const std::uint32_t count = arguments.smoke ? 200 : 20'000;
  Rounds rounds("us");
  for (std::uint64_t round = 0; round < arguments.rounds; ++round) {
    for (const bool apart : {true, false}) {
      const char* const where = apart ? "on two processors" : "on one processor";
      const std::array<int, 2> on = {processors.front(),
                                     apart ? processors.back() : processors.front()};
      const auto futexes = [&] { return std::make_unique<Futexes>(place.shared.words); };
      const auto deques = [&] { return std::make_unique<Deques>(dir.File("store")); };
      rounds.Add(where, "futexes", Play(on, futexes, place.shared, &place.median, count));
      rounds.Add(where, "SharedDeques, PopFront(timeout)",
                 Play(on, deques, place.shared, &place.median, count));
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
