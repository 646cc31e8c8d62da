// Marks what the shared library shows to its users; everything else in it is hidden.
#pragma once

#if __cplusplus < 202002L
#error "Commy needs C++20: compile with -std=c++20 or later"
#endif

#define COMMY_EXPORT __attribute__((visibility("default")))
