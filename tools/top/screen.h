// The terminal while `commy top` uses it, and the wait for signals and keys.
#pragma once

#include <string>
#include <vector>

#include <termios.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "top/picture.h"

namespace commy::tools::top {

// SIGINT, SIGTERM, SIGWINCH and SIGTSTP are blocked while this object exists, in this thread and in
// those that it starts; Wait() returns them instead. A signal that ends the process takes effect
// later, when the terminal has been restored.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  enum class Event { kTime, kQuit, kEnd, kResize, kSuspend };

  // Unblocks them during a write that may take long; Interrupted() tells afterwards.
  static void Release();
  static void Hold();

  // Waits until `until`, for a signal, or, if `keys`, for a `q` on standard input.
  Event Wait(absl::Time until, bool keys);

 private:
  int ending_fd_ = -1;  // SIGINT, SIGTERM: polled but not read, so that they stay pending.
  int screen_fd_ = -1;  // SIGWINCH, SIGTSTP.
  bool input_open_ = true;
};

// The alternate screen of the terminal on standard output, without cursor and without line
// wrapping, with keys delivered one by one. The destructor restores the terminal.
class Screen {
 public:
  Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  // The current size.
  [[nodiscard]] static ScreenSize Size();
  // An error if the terminal is gone.
  absl::Status Show(const std::vector<std::string>& lines);
  // Restores the terminal, stops the process, and takes the terminal again once it continues.
  void Suspend();

 private:
  void Enter();
  void Leave();

  bool keys_saved_ = false;
  termios keys_{};
};

}  // namespace commy::tools::top
