// Threads that begin together.
#pragma once

#include <barrier>
#include <thread>
#include <vector>

namespace commy::test {

// Runs body(0) to body(count - 1), each in a thread, all begun at once; returns when all are done.
template <typename Body>
void RunThreads(int count, Body body) {
  std::barrier start(count);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&start, &body, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace commy::test
