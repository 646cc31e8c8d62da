// Whether this is a debug build: for a look at the file's own words that only such a build affords.
// What it finds is a Status and no failed check, since the bytes may be damaged.
#pragma once

namespace commy::base {

#ifdef NDEBUG
inline constexpr bool kDebug = false;
#else
inline constexpr bool kDebug = true;
#endif

}  // namespace commy::base
