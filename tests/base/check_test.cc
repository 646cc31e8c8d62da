// Assertions about our own mistakes.
#include "base/check.h"

#include <gtest/gtest.h>

namespace commy::base {
namespace {

TEST(CheckDeathTest, AFailedCheckNamesFileAndConditionAndAborts) {
  EXPECT_EXIT(COMMY_CHECK(1 + 1 == 3), testing::KilledBySignal(SIGABRT),
              "check_test.cc:.*1 \\+ 1 == 3");
}

TEST(CheckTest, AConditionIsEvaluatedOnce) {
  int evaluations = 0;
  COMMY_CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

}  // namespace
}  // namespace commy::base
