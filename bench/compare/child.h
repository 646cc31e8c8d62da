// A worker process, as the driver sees it: its lines, and the watch over its silence.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace commy::compare {

// Started by the constructor as this program, or another build of it, with --worker. It dies with
// the driver; the destructor kills it if it still runs.
class Child {
 public:
  enum class End { kNot, kDone, kFailed, kHung };

  // `program`: empty, or the other build.
  explicit Child(const std::vector<std::string>& arguments, const std::string& program = "");
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // The next line of its standard output. nullopt: there is none, and end() gives the reason. A
  // child that is silent for longer than `hang` is killed.
  std::optional<std::string> ReadLine(std::chrono::milliseconds hang);
  // Lets a child that said `ready` continue.
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
