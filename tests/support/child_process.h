// A forked child that runs a piece of the test, and that the parent can talk to, stop and kill.
//
//   ChildProcess child([&](ChildSide& parent) {
//     ...                       // No EXPECT_ in here: the parent would not see its failure.
//     parent.Send("ready");
//     parent.Receive();         // Until the parent sends a message, or has ended.
//     return 0;
//   });
//   ASSERT_EQ(child.Receive(), "ready");
//   child.Kill();
//
// Every wait of the parent has the deadline kDeadline. No child outlives its test: the destructor
// kills it, and so does the kernel if the thread that made it ends first.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace commy::test {

// One end of the line between parent and child. Messages are byte strings, whole and in order.
class MessageEnd {
 public:
  MessageEnd() = default;
  MessageEnd(int read_fd, int write_fd) : read_fd_(read_fd), write_fd_(write_fd) {}

  // Returns whether it could be sent: false once the other side has ended.
  bool Send(std::string_view message) const;  // NOLINT(modernize-use-nodiscard)
  // The next message; none if the other side has ended or the deadline has passed.
  std::optional<std::string> Receive() const;  // NOLINT(modernize-use-nodiscard)
  void Close();

 private:
  int read_fd_ = -1;
  int write_fd_ = -1;
};

using ChildSide = MessageEnd;

// How a child ended: with `code` if `exited`, else by `signal`.
struct ChildEnd {
  bool exited = false;
  int code = 0;
  int signal = 0;
  friend bool operator==(const ChildEnd&, const ChildEnd&) = default;
};

class ChildProcess {
 public:
  // Forks. The child runs `body`, then ends with its result as exit code, without destructors.
  explicit ChildProcess(const std::function<int(ChildSide&)>& body);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  // See MessageEnd.
  bool Send(std::string_view message) { return line_.Send(message); }
  std::optional<std::string> Receive() { return line_.Receive(); }

  // Sends SIGKILL and returns at once; Wait() returns when the child has ended.
  void Kill();
  // SIGSTOP or SIGCONT; returns once the kernel reports that it took effect, false at the deadline.
  [[nodiscard]] bool Stop();
  [[nodiscard]] bool Continue();

  // Waits until the child has ended; none at the deadline. May be repeated.
  std::optional<ChildEnd> Wait();
  // Wait(), and whether the child returned 0.
  [[nodiscard]] bool Succeeded();
  // Kill() and Wait(): if it returns true, the child has ended; but see seen_dead.h.
  bool KillAndWait();

 private:
  // Takes one report of waitpid(`flags`); returns whether there was one.
  bool Reap(int flags, int* status);
  void NoteEnd(int status);

  pid_t pid_ = -1;
  MessageEnd line_;
  std::optional<ChildEnd> end_;
};

}  // namespace commy::test
