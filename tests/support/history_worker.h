// One participant of a history: random calls on a few keys, each logged before it begins and after
// it ends. Beside them it adds and deletes other keys, which are not logged: they make segments and
// leaves split, and leaves merge.
#pragma once

#include <atomic>
#include <charconv>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "commy/commy.h"
#include "support/history.h"

namespace commy::test {

// The log of a participant's calls; may lie in memory that outlives its process.
template <std::size_t kCalls>
struct HistoryLog {
  std::atomic<std::uint64_t> count{0};
  Call calls[kCalls];
};

class HistoryWorker {
 public:
  struct Mix {
    std::uint32_t keys = 3;
    bool clears = false;
    // The number of other keys between two of these.
    std::uint32_t fillers = 0;
  };

  HistoryWorker(Namespace ns, std::uint64_t seed, Mix mix)
      : ns_(std::move(ns)), random_(seed), mix_(mix) {}

  // Makes one call and logs it in the next place. Not OK: the store returned an unexpected error.
  template <std::size_t kCalls>
  absl::Status Step(HistoryLog<kCalls>& log) {
    Call& call = log.calls[log.count.load(std::memory_order_relaxed)];
    if (absl::Status moved = MoveAFiller(); !moved.ok()) {
      return moved;
    }
    call = Plan();
    call.begin_ns = HistoryNow();
    log.count.fetch_add(1, std::memory_order_release);  // From here on it may take effect.
    absl::Status done = Do(call);
    call.end_ns = HistoryNow();
    return done;
  }

 private:
  Call Plan() {
    Call call;
    call.key = static_cast<std::uint32_t>(random_() % mix_.keys);
    const std::uint64_t dice = random_() % 100;
    call.kind = dice < 35   ? CallKind::kGet
                : dice < 60 ? CallKind::kPut
                : dice < 70 ? CallKind::kDelete
                : dice < 78 ? CallKind::kPutIfAbsent
                : dice < 90 ? CallKind::kSwap
                            : CallKind::kAdd;
    if (mix_.clears && random_() % 50 == 0) {
      call.kind = CallKind::kClear;
    }
    call.value = static_cast<std::int64_t>(random_() % 1'000'000'000);
    if (call.kind == CallKind::kSwap) {
      const std::uint64_t which = random_() % 8;
      call.expected = which == 0 ? kNothing : last_seen_;
      call.value = which == 1 ? kNothing : call.value;
    }
    return call;
  }

  absl::Status MoveAFiller() {
    if (mix_.fillers == 0 || random_() % 4 != 0) {
      return absl::OkStatus();
    }
    const std::string key = "key " + std::to_string(random_() % mix_.keys) + "+" +
                            std::to_string(random_() % mix_.fillers);
    return random_() % 2 == 0 ? ns_.Put(key, "") : ns_.Delete(key).status();
  }

  static std::optional<std::string_view> Text(std::int64_t value, std::string& buffer) {
    if (value == kNothing) {
      return std::nullopt;
    }
    buffer = std::to_string(value);
    return buffer;
  }

  absl::Status Do(Call& call) {
    const std::string key = "key " + std::to_string(call.key);
    switch (call.kind) {
      case CallKind::kGet: {
        const absl::StatusOr<std::string> got = ns_.Get(key);
        if (!got.ok() && !absl::IsNotFound(got.status())) return got.status();
        call.answer = got.ok() ? std::stoll(*got) : kNothing;
        last_seen_ = call.answer;
        return absl::OkStatus();
      }
      case CallKind::kPut:
        return ns_.Put(key, std::to_string(call.value));
      case CallKind::kDelete:
        return Answer(ns_.Delete(key), call);
      case CallKind::kPutIfAbsent:
        return Answer(ns_.PutIfAbsent(key, std::to_string(call.value)), call);
      case CallKind::kSwap: {
        std::string expected;
        std::string desired;
        Swap swap;
        swap.expected = Text(call.expected, expected);
        swap.desired = Text(call.value, desired);
        return Answer(ns_.CompareAndSwap(key, swap), call);
      }
      case CallKind::kAdd: {
        const absl::StatusOr<std::int64_t> sum = ns_.Add(key, call.value);
        if (!sum.ok()) return sum.status();
        call.answer = *sum;
        last_seen_ = *sum;
        return absl::OkStatus();
      }
      case CallKind::kClear:
        return ns_.Clear();
    }
    return absl::OkStatus();
  }

  static absl::Status Answer(const absl::StatusOr<bool>& answer, Call& call) {
    if (answer.ok()) call.answer = *answer ? 1 : 0;
    return answer.status();
  }

  const Namespace ns_;
  std::mt19937_64 random_;
  const Mix mix_;
  std::int64_t last_seen_ = kNothing;
};

}  // namespace commy::test
