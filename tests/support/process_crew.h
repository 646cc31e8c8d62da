// Processes that work on one store together, and the shared memory, which outlives them, in which
// they record the writes that were acknowledged to them.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "support/child_process.h"

namespace commy::test {

// Zeros shared with every child forked later.
template <typename T>
class SharedMemory {
 public:
  SharedMemory()
      : place_(
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (place_ == MAP_FAILED) {
      std::abort();
    }
    new (place_) T();
  }
  ~SharedMemory() { ::munmap(place_, sizeof(T)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  T* operator->() const { return static_cast<T*>(place_); }
  T& operator*() const { return *static_cast<T*>(place_); }

 private:
  void* place_;
};

class ProcessCrew {
 public:
  using Body = std::function<int(int, ChildSide&)>;

  // `count` children that run body(index, line). Each must send "ready"; a message from the test
  // tells it to begin or to end.
  ProcessCrew(int count, Body body) : body_(std::move(body)) {
    for (int i = 0; i < count; ++i) {
      children_.push_back(Make(i));
    }
  }

  [[nodiscard]] ChildProcess& child(int index) {
    return *children_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] bool AllReady() {
    for (const auto& child : children_) {
      if (child->Receive() != "ready") {
        return false;
      }
    }
    return true;
  }
  void TellAll() {
    for (const auto& child : children_) {
      child->Send("go");
    }
  }
  [[nodiscard]] bool AllSucceeded() {
    bool all = true;
    for (const auto& child : children_) {
      all = child->Succeeded() && all;
    }
    return all;
  }
  // Kills one child and replaces it by another; returns once that one is ready.
  [[nodiscard]] bool Replace(int index) {
    auto& child = children_[static_cast<std::size_t>(index)];
    if (!child->KillAndWait()) {
      return false;
    }
    child = Make(index);
    return child->Receive() == "ready";
  }

 private:
  std::unique_ptr<ChildProcess> Make(int index) {
    return std::make_unique<ChildProcess>(
        [this, index](ChildSide& line) { return body_(index, line); });
  }

  const Body body_;
  std::vector<std::unique_ptr<ChildProcess>> children_;
};

}  // namespace commy::test
