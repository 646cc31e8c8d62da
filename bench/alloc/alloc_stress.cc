// Do blocks of many processes ever overlap, and how many can they allocate and retire a second?
//
//   alloc_stress [--seconds=5] [--smoke]
//
// Jobs      8 processes, each 200 blocks of 128 bytes with 54 retired on the way, in a 50 MiB file;
//           4 processes, each 50 blocks of 128 bytes, in a 10 MiB file. At its end a repetition
//           retires the rest, so that each begins with no blocks; repeated for `seconds`.
// Fixed     an operation, with its pin and its notes, around each allocation and each retirement;
//           the time runs from the moment when all processes are attached to the last one's end.
// Verifies  that each block, when its process retires it, still holds the bytes written into it;
//           that no two blocks overlap, and that none is in use at the end.
// Retries   a file of this size can be full of retired blocks while a process that holds a pin
//           waits for a processor; then the allocation is repeated, and the retry counted.
// Not here  the index, growth of a large file, processes that die (tests/multiprocess,
//           tests/crash).
// Exit status 1: a block was corrupt, or an allocation failed.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"

#include "alloc/allocator.h"
#include "base/status.h"
#include "platform/platform.h"
#include "process/session.h"
#include "region/region.h"
#include "support/scratch.h"

namespace commy::bench {
namespace {

using alloc::Allocator;
using process::Operation;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBlockBytes = 128;
constexpr std::uint64_t kRetriesMax = 1'000'000;
constexpr std::size_t kWords = kBlockBytes / sizeof(std::uint64_t);
using Pattern = std::array<std::uint64_t, kWords>;

struct Job {
  const char* name;
  std::uint64_t processes;
  std::uint64_t allocations;  // Of a process in a repetition.
  std::uint64_t early_frees;  // Of these, on the way.
  std::uint64_t max_size_bytes;
};
constexpr std::array<Job, 2> kJobs = {{
    {"8 x 200 blocks, 54 retired on the way, 50 MiB", 8, 200, 54, std::uint64_t{50} << 20U},
    {"4 x 50 blocks, 10 MiB", 4, 50, 0, std::uint64_t{10} << 20U},
}};

// Memory that the processes of a job and their parent share.
struct Board {
  std::atomic<std::uint64_t> attached;
  std::atomic<std::uint64_t> go;
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::uint64_t> frees;
  std::atomic<std::uint64_t> repetitions;
  std::atomic<std::uint64_t> corrupted;
  std::atomic<std::uint64_t> retries;
};

struct Block {
  std::uint64_t offset_bytes = 0;
  std::uint64_t mark = 0;
};

// A process's own attachment. The first process creates the file.
class Attachment {
 public:
  Attachment(const std::string& path, std::uint64_t max_size_bytes) {
    region::RegionOptions options;
    options.create.max_size_bytes = max_size_bytes;
    auto region = region::Region::Open(platform::Platform::Real(), path, options);
    if (!region.ok()) {
      Die("open", region.status().ToString());
    }
    session_ = std::make_shared<process::Session>(*std::move(region), process::SessionOptions());
    allocator_ = std::make_unique<Allocator>(*session_);
    process::Session::Hooks hooks;
    hooks.recover_lane.emplace_back([this](Operation& own, region::LaneLayout& dead) {
      return allocator_->RecoverLane(own, dead);
    });
    hooks.background.emplace_back([this] {
      allocator_->KeepRoom();
      return false;
    });
    if (absl::Status started = session_->Start(std::move(hooks)); !started.ok()) {
      Die("start", started.ToString());
    }
    auto lane = session_->ThisLane();
    if (!lane.ok()) {
      Die("lane", lane.status().ToString());
    }
    lane_ = *lane;
  }
  ~Attachment() { (void)session_->Close(); }  // The heartbeat uses the allocator.
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  Block Allocate(std::uint64_t mark) {
    for (std::uint64_t attempt = 0;; ++attempt, ++retries_) {
      absl::Status status;
      {
        Operation op(*lane_, process::OpKind::kAllocate, 0);
        const auto made = allocator_->Allocate(op, region::BlockKind::kRaw, kBlockBytes);
        if (made.ok()) {
          const Pattern pattern = PatternOf({*made, mark});
          std::memcpy(session_->region().At(*made, kBlockBytes, 16), pattern.data(), kBlockBytes);
          return {*made, mark};
        }
        status = made.status();
      }
      if (!absl::IsResourceExhausted(status) || attempt == kRetriesMax) {
        Die("allocate", status.ToString());
      }
      sched_yield();
    }
  }

  // Whether the block held exactly the bytes written into it.
  bool VerifyAndRetire(const Block& block) {
    Operation op(*lane_, process::OpKind::kAllocate, 0);
    const Pattern pattern = PatternOf(block);
    const std::byte* const bytes = session_->region().At(block.offset_bytes, kBlockBytes, 16);
    const bool intact = std::memcmp(bytes, pattern.data(), kBlockBytes) == 0;
    const bool in_use = allocator_->IsUsed(block.offset_bytes);
    return allocator_->Retire(op, block.offset_bytes) && intact && in_use;
  }

  [[nodiscard]] std::uint64_t retries() const { return retries_; }
  [[nodiscard]] const Allocator& allocator() const { return *allocator_; }

 private:
  static Pattern PatternOf(const Block& block) {
    Pattern pattern;
    for (std::size_t i = 0; i < kWords; ++i) {
      pattern[i] = (block.offset_bytes + i) * 0x9e3779b97f4a7c15U ^ block.mark;
    }
    return pattern;
  }

  std::shared_ptr<process::Session> session_;
  std::unique_ptr<Allocator> allocator_;
  process::Lane* lane_ = nullptr;
  std::uint64_t retries_ = 0;
};

// One repetition. `mark` is unique to this process and repetition.
std::uint64_t Repeat(const Job& job, Attachment& attachment, std::uint64_t mark) {
  std::uint64_t corrupted = 0;
  std::vector<Block> blocks;
  std::uint64_t freed = 0;
  for (std::uint64_t i = 0; i < job.allocations; ++i) {
    blocks.push_back(attachment.Allocate(mark + i));
    // Spread evenly; each time the middle one of the blocks that it has.
    if (freed * job.allocations < i * job.early_frees && freed < job.early_frees) {
      const std::size_t middle = blocks.size() / 2;
      corrupted += attachment.VerifyAndRetire(blocks[middle]) ? 0 : 1;
      blocks[middle] = blocks.back();
      blocks.pop_back();
      ++freed;
    }
  }
  if (freed != job.early_frees) {
    Die(job.name, "it retired the wrong number of blocks on the way");
  }
  for (const Block& block : blocks) {
    corrupted += attachment.VerifyAndRetire(block) ? 0 : 1;
  }
  return corrupted;
}

void RunProcess(const Job& job, const std::string& path, std::uint64_t number, double seconds,
                Board& board) {
  Attachment attachment(path, job.max_size_bytes);
  board.attached.fetch_add(1);
  while (board.go.load(std::memory_order_acquire) == 0) {
  }
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                   std::chrono::duration<double>(seconds));
  std::uint64_t repetitions = 0;
  std::uint64_t corrupted = 0;
  do {
    const std::uint64_t mark = number << 56U | ++repetitions << 16U;
    corrupted += Repeat(job, attachment, mark);
  } while (Clock::now() < end);
  board.repetitions.fetch_add(repetitions);
  board.allocations.fetch_add(repetitions * job.allocations);
  board.frees.fetch_add(repetitions * job.allocations);
  board.corrupted.fetch_add(corrupted);
  board.retries.fetch_add(attachment.retries());
}

void WaitForChildren(const std::vector<pid_t>& children) {
  for (const pid_t child : children) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      Die("alloc_stress", "a process failed");
    }
  }
}

Board* NewBoard() {
  void* const memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    Die("alloc_stress", "no memory to share");
  }
  return static_cast<Board*>(memory);
}

void RunJob(const Job& job, double seconds) {
  const ScratchDir dir;
  const std::string path = dir.File("store");
  Board& board = *NewBoard();
  std::vector<pid_t> children;
  for (std::uint64_t number = 0; number < job.processes; ++number) {
    const pid_t child = fork();
    if (child < 0) {
      Die("alloc_stress", "fork failed");
    }
    if (child == 0) {
      RunProcess(job, path, number, seconds, board);
      std::_Exit(0);
    }
    children.push_back(child);
  }
  while (board.attached.load() < job.processes && waitpid(-1, nullptr, WNOHANG) == 0) {
    usleep(1000);
  }
  const Clock::time_point start = Clock::now();
  board.go.store(1, std::memory_order_release);
  WaitForChildren(children);
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();

  const Attachment look(path, job.max_size_bytes);
  const absl::Status sound = look.allocator().CheckSpans();
  const std::uint64_t in_use = look.allocator().Stats().blocks_used;
  const std::uint64_t operations = board.allocations.load() + board.frees.load();
  std::printf(
      "%s: %llu repetitions in %.2f s, %llu blocks allocated and retired, %.0f operations a "
      "second, "
      "%llu corrupted blocks, %llu in use at the end, %llu retries for want of room\n",
      job.name, static_cast<unsigned long long>(board.repetitions.load()), elapsed,
      static_cast<unsigned long long>(board.allocations.load()),
      static_cast<double>(operations) / elapsed,
      static_cast<unsigned long long>(board.corrupted.load()),
      static_cast<unsigned long long>(in_use),
      static_cast<unsigned long long>(board.retries.load()));
  if (!sound.ok() || board.corrupted.load() != 0 || in_use != 0 || operations == 0) {
    Die(job.name, sound.ok() ? "blocks were corrupt, or left in use" : sound.ToString());
  }
}

int Main(int argc, char** argv) {
  double seconds = 5;
  constexpr std::string_view kSeconds = "--seconds=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--smoke") {
      seconds = 0.2;
    } else if (argument.starts_with(kSeconds)) {
      seconds = std::atof(argv[i] + kSeconds.size());
    } else {
      std::fprintf(stderr, "usage: alloc_stress [--seconds=N] [--smoke]\n");
      return 2;
    }
  }
  for (const Job& job : kJobs) {
    RunJob(job, seconds);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  return commy::bench::Main(argc, argv);
}
