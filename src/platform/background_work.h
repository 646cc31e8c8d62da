// Keeping fork() out of what the threads of the library do by themselves.
//
// A lock that another thread holds at a fork() stays held in the child for good. A program knows of
// its own threads; it does not know when the heartbeat of a store is in the middle of an
// allocation. So fork() waits until none is: what the child inherits is as if the program had those
// threads asleep.
#pragma once

namespace commy::platform {

// While one lives, a fork() of this process waits, but at most a second: a beat may wait for a slow
// disk. Making one waits while a fork() is on.
class BackgroundWork {
 public:
  BackgroundWork();
  ~BackgroundWork();
  BackgroundWork(BackgroundWork&& other) noexcept;
  BackgroundWork(const BackgroundWork&) = delete;
  BackgroundWork& operator=(const BackgroundWork&) = delete;

 private:
  bool counted_ = true;
};

}  // namespace commy::platform
