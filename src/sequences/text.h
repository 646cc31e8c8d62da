// A text in a source: read as whole characters, and checked where it is cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/internal/text_source.h"

namespace commy::sequences {

using internal::TextSource;
using UsePiece = absl::FunctionRef<bool(std::string_view piece)>;

// InvalidArgument: a text that a program gives is not UTF-8; the message has the offset.
absl::Status CheckGiven(std::string_view text);
// DataLoss: what is in the file is not UTF-8 at this offset.
absl::Status NotUtf8(std::uint64_t offset);

// Calls `use` with all of the text, piece by piece, as long as it returns true: each piece is
// whole characters. One moment. DataLoss: it is not UTF-8.
absl::Status WalkText(const TextSource& source, UsePiece use);
// The same from `from` on, at most `count` bytes. OutOfRange: `from` is past the end.
// InvalidArgument: `from` or the end is inside a character.
absl::Status WalkRange(const TextSource& source, std::uint64_t from, std::uint64_t count,
                       UsePiece use);

// Copies of them.
absl::StatusOr<std::string> ReadText(const TextSource& source);
absl::StatusOr<std::string> ReadRange(const TextSource& source, std::uint64_t from,
                                      std::uint64_t count);

// The bytes from `from` on, at most `count`, whatever they are.
absl::StatusOr<std::string> ReadBytes(const TextSource& source, std::uint64_t from,
                                      std::uint64_t count);

// Whether the text may be cut here. OutOfRange: past the end; InvalidArgument: inside a character.
// Requires: the source is of one moment, and the text has `size` bytes.
absl::Status CheckBoundary(const TextSource& source, std::uint64_t size, std::uint64_t at);
// The same of both ends of a range, which is in the text.
absl::Status CheckRange(const TextSource& source, std::uint64_t size, std::uint64_t from,
                        std::uint64_t count);

// Calls `use` with pieces of whole characters, from the end to the start, as long as it returns
// true. Each but the first one of the text has at least `least` bytes. Requires: the source is of
// one moment.
absl::Status WalkBack(const TextSource& source, std::uint64_t least,
                      absl::FunctionRef<bool(std::uint64_t offset, std::string_view piece)> use);

}  // namespace commy::sequences
