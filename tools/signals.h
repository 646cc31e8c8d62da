// Ctrl-C, a terminal that is closed, and readers of our output that go away.
//
// A command that works in a loop calls CatchInterrupts() first and checks Interrupted() between two
// records. It then ends as it would after an error. A second Ctrl-C ends the process at once, which
// does no harm to a store. All other commands keep the kernel's default.
#pragma once

namespace commy::tools {

// From now on SIGHUP, SIGINT and SIGTERM only set a flag, and interrupt a blocked read() or
// write(). A signal that the process was started to ignore stays ignored.
void CatchInterrupts();
bool Interrupted();

// A write to a closed pipe becomes an error of write(), not a signal.
void IgnoreBrokenPipes();

// Ends the process by the signal that interrupted it, so that its parent sees the cause.
[[noreturn]] void EndByInterrupt();
// Ends it as SIGPIPE would, had it not been ignored.
[[noreturn]] void EndByBrokenPipe();

}  // namespace commy::tools
