// Keeping fork() out of the moments that it must not see.
//
// A child that kept a descriptor or a mapping of a region would keep the file locks that go with
// it, and the process would look alive after its death. Two things prevent that: the child closes
// every descriptor in the registry, and mappings are marked as not inherited. Both take two steps
// (open and register, map and mark), and a fork() by another thread must not come between them.
#pragma once

#include <string>

namespace commy::platform {

// While one lives, a fork() of this process waits. Not reentrant; keep it short, and neither make
// nor destroy a Descriptor while holding one.
class ForkGuard {
 public:
  ForkGuard();
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  // Has `fd` closed in each child forked from now on. Repeating it changes nothing.
  void Register(int fd);
  // Closes `fd` and takes it out of the registry.
  void Close(int fd);

  // A file that has a provisional name: it is unlinked with the descriptor unless Keep() comes
  // first. A forked child that closes the descriptor leaves the name alone.
  void RemoveOnClose(int fd, std::string path);
  // The provisional name of `fd`, "" if it has none.
  [[nodiscard]] std::string ProvisionalName(int fd) const;
  void Keep(int fd);
};

}  // namespace commy::platform
