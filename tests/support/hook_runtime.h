// A runtime of our own for the calls that -fsanitize=thread puts at every access to memory.
//
// The engine is compiled a second time with these calls (commy_hooked), and instead of the
// sanitizer's runtime this one is linked: it counts the accesses of one thread to mapped files, and
// can end or stop the process at the n-th of them. No line of the engine knows of it, and no store
// can be forgotten. It replaces mmap() and munmap() to learn which files are mapped. It also
// replaces memcpy, memmove and memset, which take 8 bytes a hook inside a mapping.
//
// A point lies *before* the access that it is named after; after the last one comes the end of the
// operation, which is a point as well. Loads change nothing that a later process could see, so
// they are points only of stops, where other processes run between them.
//
// Used by tests/crash alone. Must not be compiled with the hooks that it supplies.
#pragma once

#include <cstdint>

namespace commy::test::hooks {

enum Kinds : unsigned {
  kStores = 1,  // Plain stores and atomic operations that may store.
  kLoads = 2,   // Plain and atomic loads.
  kCalls = 4,   // Entries of the engine's functions: system calls lie between them.
  kSwaps =
      8,  // Atomic operations that may store (CAS and the like): where protocols take their steps.
};

enum class Action {
  kCount,
  kKill,
  kStop,
  kCall,          // See ArmCall().
  kStopThenKill,  // Stops at `at`; resumes, and is killed some stores later: by default, one.
};

// From here on the calling thread's accesses of these kinds count, from 1. At number `at` the
// process kills itself, or stops itself and then resumes, counting; `at` one past the last: in
// Disarm(). `then`: of kStopThenKill, the number of the store before which it is killed. The access
// that it stopped at is number 1 if it is one of `kinds`.
void Arm(unsigned kinds, Action action, std::uint64_t at, std::uint64_t then = 2);
// As Arm(), but at number `at` the thread calls a function in which no access counts: it does the
// work of others while the thread is parked there.
using Call = void (*)(void* with);
void ArmCall(unsigned kinds, std::uint64_t at, Call call, void* with);
// In such a call: the next access makes a call as well.
void CallAgain();
// Ends the counting; returns the number of accesses.
std::uint64_t Disarm();

// Forgets every mapping that was seen. In a forked child, which inherits none.
void ForgetMappings();

}  // namespace commy::test::hooks
