// Whether a session may be used, and the calls that use it now.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"

#include "platform/fork.h"

namespace commy::process {

// Any method, any thread.
class OpenState {
 public:
  OpenState();
  OpenState(const OpenState&) = delete;
  OpenState& operator=(const OpenState&) = delete;

  // Open, and in the process that opened it.
  [[nodiscard]] bool usable() const {
    return !closed_.load(std::memory_order_seq_cst) && SameProcess();
  }
  [[nodiscard]] bool SameProcess() const { return fork_generation_ == platform::ForkGeneration(); }
  // OK, or FailedPrecondition that says why not.
  [[nodiscard]] absl::Status CheckUsable() const;

  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }
  // Returns whether this call closed it.
  bool Close() { return !closed_.exchange(true, std::memory_order_seq_cst); }
  void Reopen() { closed_.store(false, std::memory_order_seq_cst); }

  // Marks a call that uses the mapping without being in a lane; a close waits for it. For slow
  // calls: two atomic operations.
  class Call {
   public:
    explicit Call(OpenState& state) : state_(state) {
      state_.calls_.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Call() { state_.calls_.fetch_sub(1, std::memory_order_seq_cst); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    // OK, or FailedPrecondition: then the mapping must not be touched.
    [[nodiscard]] absl::Status status() const { return state_.CheckUsable(); }

   private:
    OpenState& state_;
  };
  [[nodiscard]] bool HasCalls() const { return calls_.load(std::memory_order_seq_cst) != 0; }

 private:
  const std::uint64_t fork_generation_;
  std::atomic<bool> closed_{false};
  std::atomic<std::uint32_t> calls_{0};
};

}  // namespace commy::process
