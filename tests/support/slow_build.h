// Whether the tests run under a sanitizer, where everything takes many times as long.
#pragma once

namespace commy::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSlowBuild = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSlowBuild = true;
#else
inline constexpr bool kSlowBuild = false;
#endif
#else
inline constexpr bool kSlowBuild = false;
#endif

// How many random calls a model test makes: there a tenth of them.
constexpr int Calls(int wanted) {
  return kSlowBuild ? wanted / 10 : wanted;
}

}  // namespace commy::test
