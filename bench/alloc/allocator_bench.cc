// What do an allocation and a retirement of a small block cost one thread?
//
// Fixed     one process, one thread, one lane, one size class at a time; an operation, with its pin
//           and its notes, around each pair; blocks come back by the epoch, so the state is steady.
// Varies    the size of the blocks; how many are in use between an allocation and its retirement.
//           0: the block just allocated is retired, and everything stays in the nearest cache.
// Verifies  that each block still holds the bytes written into it when it is retired.
// Not here  growth of the file (untimed warm-up), other threads and processes (the stress jobs),
//           runs for large blocks.
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "benchmark/benchmark.h"

#include "alloc/allocator.h"
#include "platform/platform.h"
#include "process/session.h"
#include "region/region.h"
#include "support/scratch.h"

namespace commy::bench {
namespace {

using alloc::Allocator;
using process::Operation;

class Arena {
 public:
  Arena() {
    region::RegionOptions options;
    options.create.max_size_bytes = std::uint64_t{1} << 30;
    auto region = region::Region::Open(platform::Platform::Real(), dir_.File("store"), options);
    if (!region.ok()) {
      Die("open", region.status().ToString());
    }
    process::SessionOptions session_options;
    session_options.background = false;
    session_ = std::make_shared<process::Session>(*std::move(region), session_options);
    if (absl::Status started = session_->Start({}); !started.ok()) {
      Die("start", started.ToString());
    }
    allocator_ = std::make_unique<Allocator>(*session_);
    auto lane = session_->ThisLane();
    if (!lane.ok()) {
      Die("lane", lane.status().ToString());
    }
    lane_ = *lane;
  }

  // Allocates a block, marks it, stores it in `block`, and retires the previous one.
  bool Replace(std::uint64_t size_bytes, std::uint64_t mark, std::uint64_t* block) {
    Operation op(*lane_, process::OpKind::kAllocate, 0);
    const auto made = allocator_->Allocate(op, region::BlockKind::kRaw, size_bytes);
    if (!made.ok()) {
      return false;
    }
    std::uint64_t* const words = session_->region().At<std::uint64_t>(*made);
    words[0] = *made;
    words[1] = mark;
    const std::uint64_t old = *block == 0 ? *made : *block;
    *block = *block == 0 ? 0 : *made;
    const std::uint64_t* const old_words = session_->region().At<std::uint64_t>(old);
    return old_words[0] == old && old_words[1] == mark && allocator_->Retire(op, old);
  }

  std::uint64_t Allocate(std::uint64_t size_bytes, std::uint64_t mark) {
    Operation op(*lane_, process::OpKind::kAllocate, 0);
    const auto made = allocator_->Allocate(op, region::BlockKind::kRaw, size_bytes);
    if (!made.ok()) {
      Die("allocate", made.status().ToString());
    }
    std::uint64_t* const words = session_->region().At<std::uint64_t>(*made);
    words[0] = *made;
    words[1] = mark;
    return *made;
  }

 private:
  ScratchDir dir_;
  std::shared_ptr<process::Session> session_;
  std::unique_ptr<Allocator> allocator_;
  process::Lane* lane_ = nullptr;
};

void BM_AllocateRetire(benchmark::State& state) {
  const auto size_bytes = static_cast<std::uint64_t>(state.range(0));
  const auto live = static_cast<std::size_t>(state.range(1));
  constexpr std::size_t kWarmUpPairs = 20'000;  // Several epochs.
  Arena arena;
  std::vector<std::uint64_t> blocks(live == 0 ? 1 : live, 0);
  for (std::size_t i = 0; i < live; ++i) {
    blocks[i] = arena.Allocate(size_bytes, size_bytes);
  }
  std::size_t next = 0;
  const auto replace_next = [&] {
    const bool intact = arena.Replace(size_bytes, size_bytes, &blocks[next]);
    next = next + 1 == blocks.size() ? 0 : next + 1;
    return intact;
  };
  for (std::size_t i = 0; i < kWarmUpPairs; ++i) {
    if (!replace_next()) {
      Die("warm-up", "a block does not hold what was written into it");
    }
  }
  for (auto _ : state) {
    if (!replace_next()) {
      state.SkipWithError("a block does not hold what was written into it");
      break;
    }
  }
}
BENCHMARK(BM_AllocateRetire)
    ->ArgNames({"bytes", "live"})
    ->ArgsProduct({{16, 64, 128, 176, 256, 512, 1024}, {0, 10'000}});

}  // namespace
}  // namespace commy::bench
