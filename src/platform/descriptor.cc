// Descriptor, the registry of open ones, and what happens to them in a forked child.
//
// The lock is a plain mutex of this process's memory. fork() takes it before the child exists and
// both sides release it, so that the child finds the registry whole. It must be of the kind that
// does not remember its owner's thread id: that id is another one in the child.
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "platform/fork.h"
#include "platform/fork_guard.h"
#include "platform/fork_handlers.h"
#include "platform/platform.h"

namespace commy::platform {

constinit std::atomic<std::uint64_t> fork_generation{1};

namespace {

struct Registry {
  std::mutex mutex;
  // Guarded by `mutex`: open descriptors, each with its provisional name or "".
  std::map<int, std::string> open;
};

Registry& TheRegistry();

void BeforeFork() {
  HoldBackgroundWork();  // First, as such work may need the registry to end.
  TheRegistry().mutex.lock();
}

void AfterForkInParent() {
  TheRegistry().mutex.unlock();
  LetBackgroundWorkGoOn();
}

void AfterForkInChild() {
  Registry& registry = TheRegistry();
  for (const auto& [fd, name] : registry.open) {
    ::close(fd);
  }
  registry.open.clear();
  fork_generation.fetch_add(1, std::memory_order_relaxed);
  registry.mutex.unlock();
  ForgetBackgroundWork();
}

Registry& TheRegistry() {
  // Never destroyed: descriptors may be closed, and children forked, during the process's exit.
  static Registry* const registry = [] {
    auto* made = new Registry;
    COMMY_CHECK(::pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild) == 0);
    return made;
  }();
  return *registry;
}

// ForkGeneration() is a bare load, so the handlers are in place before main().
[[maybe_unused]] const Registry& installed_before_main = TheRegistry();

}  // namespace

ForkGuard::ForkGuard() {
  TheRegistry().mutex.lock();
}

ForkGuard::~ForkGuard() {
  TheRegistry().mutex.unlock();
}

void ForkGuard::Register(int fd) {
  COMMY_DCHECK(fd >= 0);
  TheRegistry().open.try_emplace(fd);
}

void ForkGuard::Close(int fd) {
  const auto entry = TheRegistry().open.find(fd);
  COMMY_CHECK(entry != TheRegistry().open.end());
  if (!entry->second.empty()) {
    ::unlink(entry->second.c_str());
  }
  TheRegistry().open.erase(entry);
  // Not repeated on EINTR: Linux has released the number even then.
  ::close(fd);
}

void ForkGuard::RemoveOnClose(int fd, std::string path) {
  COMMY_DCHECK(TheRegistry().open.contains(fd));
  COMMY_DCHECK(!path.empty());
  TheRegistry().open[fd] = std::move(path);
}

std::string ForkGuard::ProvisionalName(int fd) const {
  const auto entry = TheRegistry().open.find(fd);
  return entry == TheRegistry().open.end() ? std::string() : entry->second;
}

void ForkGuard::Keep(int fd) {
  const auto entry = TheRegistry().open.find(fd);
  if (entry != TheRegistry().open.end()) {
    entry->second.clear();
  }
}

Descriptor::Descriptor(int fd) : fd_(fd), generation_(ForkGeneration()) {
  if (fd_ >= 0) {
    ForkGuard().Register(fd_);
  }
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), generation_(other.generation_) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    generation_ = other.generation_;
  }
  return *this;
}

Descriptor::~Descriptor() {
  Close();
}

void Descriptor::Close() {
  // In a forked child fd() is -1: the number was closed there and may be another file's by now.
  const int open_fd = fd();
  fd_ = -1;
  if (open_fd >= 0) {
    ForkGuard().Close(open_fd);
  }
}

}  // namespace commy::platform
