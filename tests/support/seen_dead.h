// The wait between the end of a killed process and a test that relies on others seeing it dead.
//
// The kernel frees a process's locks with its memory. That is before its parent hears of its end,
// except when another process reads its /proc entry just then (`ps` does): the memory, and the
// locks with it, then stay until the read is over. A test that needs the locks free right after a
// kill waits for this first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>

#include <sys/types.h>

#include "commy/store.h"
#include "platform/platform.h"
#include "process/session.h"
#include "region/layout.h"
#include "support/wait_for.h"

namespace commy::test {

// Whether, within the deadline, `participants()` has no live participant with `pid`.
template <typename Participants>
[[nodiscard]] bool SeenDeadIn(Participants participants, pid_t pid) {
  return WaitFor([&] {
    const auto all = participants();
    return std::none_of(all.begin(), all.end(), [&](const auto& info) {
      return info.pid == static_cast<std::uint64_t>(pid) &&
             info.liveness != std::decay_t<decltype(info.liveness)>::kDead;
    });
  });
}
[[nodiscard]] inline bool SeenDead(process::Session& session, pid_t pid) {
  return SeenDeadIn([&] { return session.Participants(); }, pid);
}
[[nodiscard]] inline bool SeenDead(const Store& store, pid_t pid) {
  return SeenDeadIn([&] { return store.Participants().value(); }, pid);
}

// Whether, within the deadline, the store at `path` has no participant any more; a test that has
// none itself asks this.
[[nodiscard]] inline bool NobodyIsAttached(const std::string& path) {
  platform::Platform& real = platform::Platform::Real();
  const absl::StatusOr<platform::Descriptor> file = real.Open(path, platform::Access::kReadWrite);
  return file.ok() && WaitFor([&] {
           const absl::StatusOr<bool> held = real.IsLocked(file->fd(), region::kAttachLockByte);
           return held.ok() && !*held;
         });
}

}  // namespace commy::test
