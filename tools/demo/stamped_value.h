// The values that the demo's writers put and its readers check.
//
//   "GRINNING FACE (So); round 7; writer 2; check 0123456789abcdef"
//
// The text comes from the source file; the checksum covers key, text, round and writer. A value of
// another key, of two writes mixed, or with one bit changed does not verify.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace commy::tools::demo {

struct Stamp {
  std::uint64_t round = 0;
  std::uint64_t writer = 0;
};

// Replaces `value`.
void MakeValue(std::string_view key, std::string_view text, Stamp stamp, std::string& value);

// The stamp of a value of `key`, whose source says `text`. DataLoss: it does not verify.
absl::StatusOr<Stamp> VerifyValue(std::string_view key, std::string_view text,
                                  std::string_view value);

}  // namespace commy::tools::demo
