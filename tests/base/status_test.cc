// Status helpers: the codes of errnos, and that the macros return early or continue.
#include "base/status.h"

#include <cerrno>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace commy::base {
namespace {

using absl::StatusCode;

struct ErrnoCase {
  int error;
  StatusCode code;
};

class ErrnoStatusTest : public testing::TestWithParam<ErrnoCase> {};

TEST_P(ErrnoStatusTest, AnErrnoStatusHasTheFittingCodeAndNamesTheOperation) {
  const absl::Status status = ErrnoStatus(GetParam().error, "open /data/x");
  EXPECT_EQ(status.code(), GetParam().code);
  const std::string message(ToStd(status.message()));
  EXPECT_EQ(message.rfind("open /data/x: ", 0), 0U) << message;
  EXPECT_GT(message.size(), std::string("open /data/x: ").size()) << "no reason given";
}

INSTANTIATE_TEST_SUITE_P(All, ErrnoStatusTest,
                         testing::Values(ErrnoCase{ENOENT, StatusCode::kNotFound},
                                         ErrnoCase{EACCES, StatusCode::kPermissionDenied},
                                         ErrnoCase{EPERM, StatusCode::kPermissionDenied},
                                         ErrnoCase{EROFS, StatusCode::kPermissionDenied},
                                         ErrnoCase{EEXIST, StatusCode::kAlreadyExists},
                                         ErrnoCase{ENOSPC, StatusCode::kResourceExhausted},
                                         ErrnoCase{EDQUOT, StatusCode::kResourceExhausted},
                                         ErrnoCase{EMFILE, StatusCode::kResourceExhausted},
                                         ErrnoCase{ENOMEM, StatusCode::kResourceExhausted},
                                         ErrnoCase{EISDIR, StatusCode::kInvalidArgument},
                                         ErrnoCase{ENOTDIR, StatusCode::kInvalidArgument},
                                         ErrnoCase{EINVAL, StatusCode::kInvalidArgument},
                                         ErrnoCase{EOPNOTSUPP, StatusCode::kFailedPrecondition},
                                         ErrnoCase{ENOLCK, StatusCode::kFailedPrecondition},
                                         ErrnoCase{EIO, StatusCode::kDataLoss},
                                         ErrnoCase{ETXTBSY, StatusCode::kUnavailable}));

TEST(StatusTest, BuildersJoinTheirParts) {
  const absl::Status status = DataLoss("block ", Hex(0x1f40), ": size class ", 9);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(ToStd(status.message()), "block 0x1f40: size class 9");
  EXPECT_EQ(ToStd(NotFound(ToAbsl(std::string_view("abc", 2))).message()), "ab");
}

absl::Status Twice(const absl::Status& first, int& reached) {
  COMMY_RETURN_IF_ERROR(first);
  ++reached;
  return absl::OkStatus();
}

TEST(StatusTest, ReturnIfErrorReturnsAnErrorAndContinuesIfOk) {
  int reached = 0;
  EXPECT_EQ(Twice(NotFound("x"), reached), NotFound("x"));
  EXPECT_EQ(reached, 0);
  EXPECT_TRUE(Twice(absl::OkStatus(), reached).ok());
  EXPECT_EQ(reached, 1);
}

absl::StatusOr<int> Sum(absl::StatusOr<std::unique_ptr<int>> a, absl::StatusOr<int> b) {
  COMMY_ASSIGN_OR_RETURN(const std::unique_ptr<int> left, std::move(a));
  int right = 0;
  COMMY_ASSIGN_OR_RETURN(right, b);
  return *left + right;
}

TEST(StatusTest, AssignOrReturnMovesTheValueOrReturnsTheError) {
  EXPECT_EQ(*Sum(std::make_unique<int>(3), 4), 7);
  EXPECT_EQ(Sum(DataLoss("a"), 4).status(), DataLoss("a"));
  EXPECT_EQ(Sum(std::make_unique<int>(3), OutOfRange("b")).status(), OutOfRange("b"));
}

}  // namespace
}  // namespace commy::base
