// The steps of a queue, each as one change of its root: in the root alone where that is enough
// (kMore: it is not), or of a whole sequence in memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "sequences/edit.h"
#include "sequences/queue_state.h"
#include "sequences/root_change.h"

namespace commy::sequences {

enum class Got : std::uint8_t {
  kDone,
  kNone,  // No element, no room, no such lease: nothing has changed.
  kMore,  // Of a step in the root alone: it takes more than that.
  kDead,  // The first element was leased too often: it belongs to the dead letters.
};

// What a consumer gets.
struct Taken {
  std::vector<std::string> elements;
  std::uint64_t ticket = 0;
  std::uint32_t deliveries = 0;
};

// A consumer that takes a lease.
struct Holder {
  std::uint64_t owner = 0;
  std::uint32_t store = 0;  // See QueueState.
  std::int64_t now_wall_ns = 0;
  bool even_dead = false;  // An element that was leased too often, too.
};

// What is wanted.
struct QueueStep {
  enum class Kind : std::uint8_t {
    kPush,
    kPutReturned,  // One element, behind those that were returned, as if it had been, too.
    kPop,
    kLease,
    kAcknowledge,
    kReturn,
    kReturnGone,  // All leases of the given owners.
    kPopDead,     // The first element, if it was leased too often.
    kClear,
    kSetLimits,
  };
  Kind kind = Kind::kPush;
  bool back = false;
  ElementRun run{};
  std::uint32_t deliveries = 0;  // Of kPutReturned: how often it was leased.
  std::uint64_t most = 1;
  Holder holder{};
  std::uint64_t ticket = 0;
  std::vector<std::uint64_t> gone{};
  std::uint32_t gone_store = 0;  // That their leases are of.
  // Of kSetLimits.
  std::uint64_t capacity = UINT64_MAX;
  std::uint32_t max_deliveries = 0;
  std::string_view dead_letters{};

  // Whether it takes elements away.
  [[nodiscard]] bool frees() const {
    return kind != Kind::kPush && kind != Kind::kPutReturned && kind != Kind::kSetLimits;
  }
};

struct QueueResult {
  Got got = Got::kNone;
  bool leased = false;  // There were leases before the step.
  Taken taken;
  std::uint64_t come = 0;  // Elements that others can take now.
  std::uint64_t room = 0;  // Places that others can fill now.
  std::uint64_t capacity = UINT64_MAX;
  std::uint64_t next_ticket = 0;
};

absl::Status StepInRoot(const engine::NamespaceState& ns, const QueueStep& step,
                        std::uint64_t most_bytes, QueueResult* result);
absl::Status StepInEdit(Edit& edit, const QueueStep& step, QueueResult* result);

}  // namespace commy::sequences
