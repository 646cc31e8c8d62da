// A worker process, from the driver's side: its lines, and the watch over its silence.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace commy::compare {

// Started in the constructor, as this program, or another build of it, with --worker; dies with the driver. Killed by the
// destructor if it is still there.
class Child {
 public:
  enum class End { kNot, kDone, kFailed, kHung };

  // `program`: empty, or the other build.
  explicit Child(const std::vector<std::string>& arguments, const std::string& program = "");
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // The next line of its standard output. nullopt: there is none, and end() says why; a child that
  // is silent for longer than `hang` is killed.
  std::optional<std::string> ReadLine(std::chrono::milliseconds hang);
  // Lets a child that said `ready` go on.
  void Go();
  void Kill();

  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] bool waiting_or_running() const { return end_ == End::kNot; }

 private:
  void Reap(bool hung);

  pid_t pid_ = 0;
  int to_ = -1;
  int from_ = -1;
  std::string buffer_;
  End end_ = End::kNot;
};

}  // namespace commy::compare
