// The terminal while `commy top` has it, and waiting for what may happen to it.
#pragma once

#include <string>
#include <vector>

#include <termios.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "top/picture.h"

namespace commy::tools::top {

// SIGINT, SIGTERM, SIGWINCH and SIGTSTP are held back while it lives, in this thread and those that
// it starts, and come out of Wait() instead. Those that end the process take effect afterwards, when
// whoever had the terminal has given it back.
class Signals {
 public:
  Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  enum class Event { kTime, kQuit, kEnd, kResize, kSuspend };

  // Lets them through for a while, for a write that may take long; Interrupted() tells afterwards.
  static void Release();
  static void Hold();

  // Waits until `until`, for a signal, or, if `keys`, for a `q` on standard input.
  Event Wait(absl::Time until, bool keys);

 private:
  int ending_fd_ = -1;  // SIGINT, SIGTERM: looked at only, so that they stay pending.
  int screen_fd_ = -1;  // SIGWINCH, SIGTSTP.
  bool input_open_ = true;
};

// The alternate screen of the terminal on standard output, with the cursor hidden and lines cut at
// the edge, and keys taken one by one. The destructor puts all of it back.
class Screen {
 public:
  Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  // As it is now.
  [[nodiscard]] static ScreenSize Size();
  // An error if the terminal is gone.
  absl::Status Show(const std::vector<std::string>& lines);
  // Gives the terminal back, stops the process, and takes the terminal again once it continues.
  void Suspend();

 private:
  void Enter();
  void Leave();

  bool keys_saved_ = false;
  termios keys_{};
};

}  // namespace commy::tools::top
