// Values that name their author and key, so that any reader can verify them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace commy::stress {

struct Author {
  std::uint64_t writer = 0;
  std::uint64_t seq = 0;
};

// A value of at least 24 bytes: author, `filler_bytes` bytes derived from the author, and a
// checksum over key and value. Replaces `value`.
void MakeValue(std::string_view key, Author author, std::uint64_t filler_bytes, std::string& value);

// The author of the value; none if MakeValue did not make it for this key.
std::optional<Author> VerifyValue(std::string_view key, std::string_view value);

}  // namespace commy::stress
