// A pin for a handful of loads and stores, where a call would cost more than these.
#pragma once

#include <atomic>

#include "base/check.h"
#include "process/session.h"

namespace commy::process {

// A Pin (operation.h) of this thread's lane, if that is to be had at once: the thread has a lane,
// is in no operation or callback, and pins are stores. Else it is not entered, and the caller takes
// the usual way. Does not nest; nothing of the user's is called inside.
class QuickPin {
 public:
  // `lane`: this thread's of the session, or null.
  QuickPin(Session& session, Lane* lane) : lane_(lane) {
    if (lane_ == nullptr || lane_->depth_.load(std::memory_order_relaxed) != 0 ||
        !session.pins_by_store()) [[unlikely]] {
      return;
    }
    // As in Pin::Pin.
    lane_->depth_.store(1, std::memory_order_relaxed);
    base::CompilerFence();
    if (!session.usable()) [[unlikely]] {
      lane_->depth_.store(0, std::memory_order_release);
      return;
    }
    COMMY_DCHECK(lane_->notes_used_ == 0 && lane_->operation_depth_ == 0);  // N2
    lane_->words_.pins[0].store(
        PinWord(session.region().header().epoch.load(std::memory_order_acquire)),
        std::memory_order_relaxed);
    base::CompilerFence();  // The advancer's membarrier is the other half.
    entered_ = true;
  }
  ~QuickPin() {
    if (entered_) [[likely]] {
      lane_->words_.pins[0].store(0, std::memory_order_release);
      lane_->depth_.store(0, std::memory_order_release);
    }
  }
  QuickPin(const QuickPin&) = delete;
  QuickPin& operator=(const QuickPin&) = delete;

  [[nodiscard]] bool entered() const { return entered_; }
  [[nodiscard]] bool Is(const Lane* lane) const { return lane_ == lane; }

 private:
  Lane* const lane_;
  bool entered_ = false;
};

}  // namespace commy::process
