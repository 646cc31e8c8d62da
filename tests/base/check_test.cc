// Assertions about our own mistakes. This file asks for the expensive ones, so that it sees them in
// every debug build.
#ifndef COMMY_EXPENSIVE_CHECKS
#define COMMY_EXPENSIVE_CHECKS
#endif
#include "base/check.h"

#include <gtest/gtest.h>

namespace commy::base {
namespace {

TEST(CheckDeathTest, AFailedCheckNamesFileAndConditionAndAborts) {
  EXPECT_EXIT(COMMY_CHECK(1 + 1 == 3), testing::KilledBySignal(SIGABRT),
              "check_test.cc:.*1 \\+ 1 == 3");
}

#ifdef NDEBUG

TEST(CheckTest, AReleaseBuildDoesNotEvaluateDebugConditions) {
  int evaluations = 0;
  COMMY_DCHECK(++evaluations == 0);
  COMMY_DCHECK_EXPENSIVE(++evaluations == 0);
  EXPECT_EQ(evaluations, 0);
}

#else

TEST(CheckDeathTest, AFailedDebugCheckNamesFileAndConditionAndAborts) {
  EXPECT_EXIT(COMMY_DCHECK(2 + 2 == 5), testing::KilledBySignal(SIGABRT),
              "check_test.cc:.*check failed: 2 \\+ 2 == 5");
}

TEST(CheckDeathTest, AFailedExpensiveCheckNamesFileAndConditionAndAborts) {
  EXPECT_EXIT(COMMY_DCHECK_EXPENSIVE(2 + 3 == 6), testing::KilledBySignal(SIGABRT),
              "check_test.cc:.*check failed: 2 \\+ 3 == 6");
}

TEST(CheckTest, ADebugConditionIsEvaluatedOnce) {
  int evaluations = 0;
  COMMY_DCHECK(++evaluations == 1);
  COMMY_DCHECK_EXPENSIVE(++evaluations == 2);
  EXPECT_EQ(evaluations, 2);
}

#endif

TEST(CheckTest, AConditionIsEvaluatedOnce) {
  int evaluations = 0;
  COMMY_CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

}  // namespace
}  // namespace commy::base
