// What the tests of the command line share.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

#include "commy/commy.h"
#include "support/temp_dir.h"
#include "tools/program.h"

namespace commy::test {

class CliFixture : public testing::Test {
 protected:
  // Runs it and expects exit status 0 and nothing on standard error; returns its output.
  static std::string Done(const std::vector<std::string>& arguments,
                          const ProgramOptions& options = {}) {
    const ProgramEnd end = RunCommy(arguments, options);
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.err, "");
    return end.out;
  }

  // Expects this exit status and one line on standard error in which all of `words` occur.
  static void ExpectLine(const ProgramEnd& end, int code,
                         std::initializer_list<std::string_view> words) {
    EXPECT_EQ(end.code, code) << end.err;
    EXPECT_TRUE(end.err.starts_with("commy: ")) << end.err;
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
    EXPECT_TRUE(end.err.ends_with("\n")) << end.err;
    for (const std::string_view word : words) {
      EXPECT_NE(end.err.find(word), std::string::npos) << word << " is missing in: " << end.err;
    }
  }

  // Runs it; expects such a line, and nothing on standard output.
  static void Fails(int code, const std::vector<std::string>& arguments,
                    std::initializer_list<std::string_view> words,
                    const ProgramOptions& options = {}) {
    const ProgramEnd end = RunCommy(arguments, options);
    ExpectLine(end, code, words);
    EXPECT_EQ(end.out, "");
  }

  // A namespace of a store, through the library.
  static Namespace MustOpen(const std::string& store, std::string_view path) {
    Options options;
    options.process_name = "test";
    const absl::StatusOr<Store> opened = Store::Open(store, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    const absl::StatusOr<Namespace> ns = opened->OpenNamespace(path);
    EXPECT_TRUE(ns.ok()) << ns.status();
    return *ns;
  }

  const TempDir temp_;
  const std::string store_ = temp_.File("fleet.commy");
};

}  // namespace commy::test
