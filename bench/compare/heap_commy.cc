// Commy's allocator, below the public API: blocks of the file, reclaimed as the epoch advances.
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"

#include "alloc/allocator.h"
#include "engine.h"
#include "platform/platform.h"
#include "process/session.h"
#include "region/region.h"
#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::compare {
namespace {

class CommyBlocks : public Heap {
 public:
  explicit CommyBlocks(const Place& place) {
    auto region = region::Region::Open(platform::Platform::Real(), place.folder + "/heap.commy",
                                       region::RegionOptions());
    if (!region.ok()) {
      bench::Die("open", region.status().ToString());
    }
    session_ = std::make_shared<process::Session>(*std::move(region), process::SessionOptions());
    if (const absl::Status started = session_->Start({}); !started.ok()) {
      bench::Die("start", started.ToString());
    }
    allocator_ = std::make_unique<alloc::Allocator>(*session_);
    auto lane = session_->ThisLane();
    if (!lane.ok()) {
      bench::Die("lane", lane.status().ToString());
    }
    lane_ = *lane;
  }

  // Each call is an operation of its own, with its pin and its notes.
  char* Allocate(std::uint64_t size_bytes) override {
    process::Operation op(*lane_, process::OpKind::kAllocate, 0);
    const auto made = allocator_->Allocate(op, region::BlockKind::kRaw, size_bytes);
    if (!made.ok()) [[unlikely]] {
      bench::Die("allocate", made.status().ToString());
    }
    return session_->region().At<char>(*made);
  }
  void Free(char* block) override {
    process::Operation op(*lane_, process::OpKind::kAllocate, 0);
    const std::uint64_t offset = session_->region().OffsetOf(block);
    if (!allocator_->Retire(op, offset)) [[unlikely]] {
      bench::Die("retire", "not a block");
    }
  }

 private:
  std::shared_ptr<process::Session> session_;
  std::unique_ptr<alloc::Allocator> allocator_;
  process::Lane* lane_ = nullptr;
};

}  // namespace

HeapInfo CommyHeap() {
  HeapInfo info;
  info.name = "Commy";
  info.version = std::string(Version());
  info.setting =
      "the engine's allocator, an operation for each `Allocate` and each `Retire`; a block comes "
      "back two epochs later";
  info.open = [](const Place& place) -> std::unique_ptr<Heap> {
    return std::make_unique<CommyBlocks>(place);
  };
  return info;
}

}  // namespace commy::compare
