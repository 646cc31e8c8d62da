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

// Adds the tests of all other files to those that --gtest_filter leaves out. Returns how many tests
// `file` has.
int LeaveOutOtherFiles(const std::string& file) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  std::string filter = GTEST_FLAG_GET(filter);
  char separator = filter.find('-') == std::string::npos ? '-' : ':';
  int count = 0;
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const testing::TestInfo& test = *suite.GetTestInfo(j);
      if (IsFile(test.file(), file)) {
        ++count;
      } else {
        filter.append(1, separator).append(suite.name()).append(".").append(test.name());
        separator = ':';
      }
    }
  }
  GTEST_FLAG_SET(filter, filter);
  return count;
}

}  // namespace
}  // namespace commy::test

int main(int argc, char** argv) {
  const std::string file = commy::test::TakeFile(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  if (!file.empty() && commy::test::LeaveOutOtherFiles(file) == 0) {
    std::fprintf(stderr, "%s has no test of %s.cc\n", argv[0], file.c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
