#include "coordination/semaphore_state.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "commy/semaphore.h"
#include "coordination/record.h"

namespace commy::coordination {
namespace {

constexpr std::uint32_t kTag = Tag('s', 'e', 'm', 1);
constexpr std::size_t kShareBytes = 32;

bool IsIn(const std::vector<Share>& shares, const HolderId& id) {
  return std::any_of(shares.begin(), shares.end(),
                     [&](const Share& each) { return each.id == id; });
}

}  // namespace

std::uint64_t SemaphoreState::Held() const {
  std::uint64_t sum = 0;
  for (const Share& each : holds) {
    sum += each.count;
  }
  return sum;
}

std::uint64_t SemaphoreState::Free() const {
  const std::uint64_t held = Held();
  return held < permits ? permits - held : 0;
}

bool SemaphoreState::Holds(const HolderId& id) const {
  return IsIn(holds, id);
}
bool SemaphoreState::Waits(const HolderId& id) const {
  return IsIn(waiters, id);
}

void SemaphoreState::Grant() {
  std::uint64_t free = Free();
  std::vector<Share> rest;
  bool open = true;
  for (const Share& each : waiters) {
    const bool can_ever = each.count <= permits;
    if (open && can_ever && each.count <= free) {
      free -= each.count;
      holds.push_back(each);
      continue;
    }
    open = open && !can_ever;
    rest.push_back(each);
  }
  waiters = std::move(rest);
}

absl::Status SemaphoreState::DropGone(
    absl::FunctionRef<absl::StatusOr<bool>(const HolderId&)> is_gone) {
  std::vector<Share> kept[2];
  for (std::size_t i = 0; i < 2; ++i) {
    for (const Share& each : i == 0 ? holds : waiters) {
      COMMY_ASSIGN_OR_RETURN(const bool is, is_gone(each.id));
      if (!is) {
        kept[i].push_back(each);
      }
    }
  }
  holds = std::move(kept[0]);
  waiters = std::move(kept[1]);
  return absl::OkStatus();
}

bool SemaphoreState::Remove(const HolderId& id) {
  const auto is = [&](const Share& each) { return each.id == id; };
  return std::erase_if(holds, is) + std::erase_if(waiters, is) != 0;
}

std::string ToBytes(const SemaphoreState& state) {
  RecordWriter writer;
  writer.Add(kTag)
      .Add(static_cast<std::uint32_t>(state.holds.size()))
      .Add(static_cast<std::uint32_t>(state.waiters.size()))
      .Add(state.permits);
  for (const std::vector<Share>* shares : {&state.holds, &state.waiters}) {
    for (const Share& each : *shares) {
      writer.Add(each.id).Add(each.count);
    }
  }
  return writer.Take();
}

absl::StatusOr<SemaphoreState> SemaphoreFromBytes(std::string_view path, std::string_view bytes) {
  const auto bad = [&](std::string_view why) {
    return BadRecord(path, Semaphore::kDescriptor, bytes, why);
  };
  RecordReader reader(bytes);
  const auto tag = reader.Take<std::uint32_t>();
  const std::uint64_t holds = reader.Take<std::uint32_t>();
  const std::uint64_t waiters = reader.Take<std::uint32_t>();
  SemaphoreState state;
  state.permits = reader.Take<std::uint64_t>();
  if (tag != kTag || reader.left() != (holds + waiters) * kShareBytes) {
    return bad("its head, or its size, is not that of a semaphore");
  }
  std::uint64_t held = 0;
  for (std::uint64_t i = 0; i < holds + waiters; ++i) {
    Share share;
    share.id = reader.TakeHolder();
    share.count = reader.Take<std::uint64_t>();
    if (share.count == 0 || share.count > Semaphore::kPermitsMax ||
        (i < holds && __builtin_add_overflow(held, share.count, &held))) {
      return bad("a number of permits in it is out of its range");
    }
    (i < holds ? state.holds : state.waiters).push_back(share);
  }
  if (!reader.WasWhole() || state.permits == 0 || state.permits > Semaphore::kPermitsMax) {
    return bad("its number of permits is out of its range");
  }
  return state;
}

}  // namespace commy::coordination
