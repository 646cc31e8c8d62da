// What the handlers of fork() do about background work; see background_work.h.
#pragma once

namespace commy::platform {

// Before a fork(): returns when no background work is on, or after a second. None begins until
// LetBackgroundWorkGoOn() in the parent or ForgetBackgroundWork() in the child.
void HoldBackgroundWork();
void LetBackgroundWorkGoOn();
void ForgetBackgroundWork();

}  // namespace commy::platform
