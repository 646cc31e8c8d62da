// A thread that does some work and then stays alive, idle, until the end of the scope.
#pragma once

#include <future>
#include <thread>

namespace commy::test {

class LivingThread {
 public:
  // Returns when the work is done.
  template <typename Work>
  explicit LivingThread(Work work)
      : thread_([this, work] {
          work();
          worked_.set_value();
          end_.get_future().wait();
        }) {
    worked_.get_future().wait();
  }
  LivingThread(const LivingThread&) = delete;
  LivingThread& operator=(const LivingThread&) = delete;
  ~LivingThread() {
    end_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> worked_;
  std::promise<void> end_;
  std::thread thread_;
};

}  // namespace commy::test
