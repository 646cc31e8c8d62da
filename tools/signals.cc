#include "signals.h"

#include <csignal>
#include <cstdlib>
#include <initializer_list>

namespace commy::tools {
namespace {

volatile std::sig_atomic_t interrupted_by = 0;

void OnInterrupt(int signal_number) {
  interrupted_by = signal_number;
}

void Handle(int signal_number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags =
      static_cast<int>(SA_RESETHAND);  // No SA_RESTART: blocked system calls must return.
  sigaction(signal_number, &action, nullptr);
}

[[noreturn]] void EndBy(int signal_number) {
  Handle(signal_number, SIG_DFL);
  raise(signal_number);
  std::_Exit(128 + signal_number);  // The signal is blocked.
}

}  // namespace

void CatchInterrupts() {
  for (const int signal_number : {SIGHUP, SIGINT, SIGTERM}) {
    // `nohup` and a shell's background jobs ignore some of them on purpose.
    struct sigaction now = {};
    if (sigaction(signal_number, nullptr, &now) != 0 || now.sa_handler != SIG_IGN) {
      Handle(signal_number, OnInterrupt);
    }
  }
}

bool Interrupted() {
  return interrupted_by != 0;
}

void IgnoreBrokenPipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

void EndByInterrupt() {
  EndBy(interrupted_by != 0 ? interrupted_by : SIGINT);
}

void EndByBrokenPipe() {
  EndBy(SIGPIPE);
}

}  // namespace commy::tools
