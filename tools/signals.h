// Ctrl-C, a terminal that is closed, and readers of our output that go away.
//
// A command that works in a loop calls CatchInterrupts() first and looks at Interrupted() between
// two records; it then ends as it would after an error. A second Ctrl-C ends the process at once,
// which costs nothing: a store does not mind. All other commands keep the kernel's way.
#pragma once

namespace commy::tools {

// From now on SIGHUP, SIGINT and SIGTERM only set a flag, and interrupt a read() or write() that
// waits. One that the process was started to ignore stays ignored.
void CatchInterrupts();
bool Interrupted();

// Writing to a closed pipe is an error of write(), not a signal.
void IgnoreBrokenPipes();

// Ends the process by the signal that interrupted it, so that its parent sees why.
[[noreturn]] void EndByInterrupt();
// The same as if SIGPIPE had not been ignored.
[[noreturn]] void EndByBrokenPipe();

}  // namespace commy::tools
