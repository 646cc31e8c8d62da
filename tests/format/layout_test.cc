// The file format has not changed. A difference here is a new format version (or a mistake): then
// add layout_v<N>.golden from `commy layout`, a stored store of that version, and a line in the
// history of docs/file-format.md; the old golden files stay. Within a version only reserved bytes
// may get a name, in the golden file too.
#include <string>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

TEST(LayoutTest, EveryFieldIsWhereTheGoldenFileSays) {
  const std::string golden = FileBytes(std::string(COMMY_TESTS_DIR) + "/format/layout_v1.golden");
  ASSERT_FALSE(golden.empty()) << "tests/format/layout_v1.golden is missing";
  EXPECT_EQ(DescribeLayout(), golden)
      << "the layout of the file has changed; see the comment at the top of this test";
}

}  // namespace
}  // namespace commy::test
