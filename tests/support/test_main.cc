// main() of the test programs that hold several files of tests. GoogleTest's arguments, and
//   --file=NAME   only the tests of NAME.cc; a failure if there are none
// which makes each file a test of its own for Meson.
#include <cstdio>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace commy::test {
namespace {

// Takes --file=NAME out of the arguments, which end with a null pointer. Returns NAME, or "".
std::string TakeFile(int& argc, char** argv) {
  constexpr std::string_view kOption = "--file=";
  std::string file;
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(kOption)) {
      file = argument.substr(kOption.size());
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  argv[argc] = nullptr;
  return file;
}

// Whether `path` ends with the file `name`.cc.
bool IsFile(std::string_view path, const std::string& name) {
  path.remove_prefix(path.rfind('/') + 1);
  return path == name + ".cc";
}

// The tests of `file`, or all others, as a pattern of --gtest_filter. A suite that lies in one
// file, as they do, is one name.
std::string PatternOf(const std::string& file, bool others) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  std::string pattern;
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    std::string tests;
    int count = 0;
    for (int j = 0; j < suite.total_test_count(); ++j) {
      if (IsFile(suite.GetTestInfo(j)->file(), file) != others) {
        tests.append(suite.name()).append(".").append(suite.GetTestInfo(j)->name()).append(":");
        ++count;
      }
    }
    const bool whole = count == suite.total_test_count();
    pattern.append(whole ? std::string(suite.name()) + ".*:" : tests);
  }
  return pattern;
}

// Leaves out the tests of all other files. Returns whether `file` has a test.
bool Choose(const std::string& file) {
  const std::string tests = PatternOf(file, false);
  const std::string given = GTEST_FLAG_GET(filter);
  if (given == "*") {
    GTEST_FLAG_SET(filter, tests);
  } else {
    const char separator = given.find('-') == std::string::npos ? '-' : ':';
    GTEST_FLAG_SET(filter, given + separator + PatternOf(file, true));
  }
  return !tests.empty();
}

}  // namespace
}  // namespace commy::test

int main(int argc, char** argv) {
  const std::string file = commy::test::TakeFile(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  if (!file.empty() && !commy::test::Choose(file)) {
    std::fprintf(stderr, "%s has no test of %s.cc\n", argv[0], file.c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
