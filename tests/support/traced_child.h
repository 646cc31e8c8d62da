// A forked child that the kernel stops at each of its system calls: before, and after. So a test
// can kill it, or look at the world, between any two of them.
//
//   TracedChild child([&] { return DoIt() ? 0 : 1; });
//   if (!child.traced()) GTEST_SKIP() << child.error();
//   while (child.Next()) { ... }    // Stopped at a system call.
//   EXPECT_EQ(child.code(), 0);
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

namespace commy::test {

class TracedChild {
 public:
  // Forks. The child is stopped before `body`; it ends with its result as exit code, without
  // destructors. One thread only. No EXPECT_ in it: the parent would not see its failure.
  explicit TracedChild(const std::function<int()>& body);
  ~TracedChild();  // Kills it, unless it has ended.
  TracedChild(const TracedChild&) = delete;
  TracedChild& operator=(const TracedChild&) = delete;

  // Whether the system lets this process trace a child.
  [[nodiscard]] bool traced() const { return traced_; }
  [[nodiscard]] const std::string& error() const { return error_; }

  // Lets it go on to its next stop. False: it has ended.
  bool Next();  // NOLINT(modernize-use-nodiscard)
  // Kills it where it is, and returns once it has ended.
  void Kill();

  [[nodiscard]] bool ended() const { return pid_ == 0; }
  // Its exit code; -1: none, a signal has ended it.
  [[nodiscard]] int code() const { return code_; }

 private:
  // Waits until it stops or ends; returns whether it stopped.
  bool WaitForStop();

  pid_t pid_ = 0;
  bool traced_ = false;
  int code_ = -1;
  int signal_ = 0;  // That it stopped for, and is to get.
  std::string error_;
};

}  // namespace commy::test
