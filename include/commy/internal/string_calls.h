// The calls of strings: reads and changes, of whatever source. See shared_string.h, which says what
// holds for all of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/internal/text_source.h"

namespace commy::internal {

// Reads. n is the size of the text in bytes.
class COMMY_EXPORT StringReads {
 public:
  // Returns a copy of the text. O(n).
  [[nodiscard]] absl::StatusOr<std::string> Get() const;

  // How many bytes it has, and whether it has none. O(1); it does not look at them.
  [[nodiscard]] absl::StatusOr<std::uint64_t> ByteCount() const;
  [[nodiscard]] absl::StatusOr<bool> Empty() const;
  // How many characters it has. O(n), without a copy.
  [[nodiscard]] absl::StatusOr<std::uint64_t> CharCount() const;

  // Returns the bytes from `byte_from` on, at most `byte_count`. OutOfRange: `byte_from` is past
  // the end. InvalidArgument: `byte_from` or the end is inside a character. O(log n) and what it
  // returns.
  absl::StatusOr<std::string> Slice(std::uint64_t byte_from, std::uint64_t byte_count) const;
  // Returns the characters from `from_char` on (the first one is 0), at most `char_count`.
  // OutOfRange: `from_char` is past the end. O(n) up to the last of them.
  absl::StatusOr<std::string> Substring(std::uint64_t from_char, std::uint64_t char_count) const;
  // Returns a character; the first one is 0. OutOfRange: there are not that many. O(n) up to it.
  absl::StatusOr<char32_t> CharAt(std::uint64_t char_index) const;
  // Whether a position is at the start of a character, or the end of the text. False: it is inside
  // a character, or past the end. O(log n).
  absl::StatusOr<bool> IsCharBoundary(std::uint64_t byte_at) const;

  // The offset in bytes where `text` begins first, at `from` or behind it; nullopt: nowhere. An
  // empty text is at `from`. InvalidArgument: `from` is inside a character. OutOfRange: it is past
  // the end. O(n) up to it; memory for 64 KiB and some copies of `text`.
  absl::StatusOr<std::optional<std::uint64_t>> Find(std::string_view text,
                                                    std::uint64_t from = 0) const;
  // The offset in bytes where `text` begins last, at `from` or before it (any number); nullopt:
  // nowhere. An empty text is at `from` or at the end, or else where the character there begins.
  // O(n) down to it; memory as for Find().
  absl::StatusOr<std::optional<std::uint64_t>> RFind(std::string_view text,
                                                     std::uint64_t from = UINT64_MAX) const;
  // Whether `text` is in it: anywhere, at the start, at the end. An empty one is.
  absl::StatusOr<bool> Contains(std::string_view text) const;
  absl::StatusOr<bool> StartsWith(std::string_view text) const;
  absl::StatusOr<bool> EndsWith(std::string_view text) const;
  // Whether it is `text`, byte for byte. O(n), without a copy.
  absl::StatusOr<bool> Equals(std::string_view text) const;

  // Whether all characters are capital letters of ASCII; small ones; White_Space of Unicode. True
  // of an empty text, as std::all_of() is. O(n) up to the first other one.
  absl::StatusOr<bool> IsUpper() const;
  absl::StatusOr<bool> IsLower() const;
  absl::StatusOr<bool> IsWhitespace() const;

  // The lines, without the "\n" or "\r\n" at their ends. Behind the last end of a line there is no
  // further line, so an empty text has none. O(n).
  absl::StatusOr<std::vector<std::string>> Lines() const;
  // The parts between the places where `separator` is: one more than there are such places, and
  // some may be empty. InvalidArgument: `separator` is empty. O(n).
  absl::StatusOr<std::vector<std::string>> Split(std::string_view separator) const;
  // The parts between runs of White_Space; none is empty. O(n).
  absl::StatusOr<std::vector<std::string>> SplitWhitespace() const;
  // The characters. O(n).
  absl::StatusOr<std::u32string> Chars() const;

  // Calls `use` with pieces of the text, one after the other, as they were at one moment. A piece
  // is at most 64 KiB, most lie in the file itself, and none begins or ends inside a character. It
  // holds only while `use` runs, which must not change this string. The fastest way to read all.
  absl::Status ForEachPiece(absl::FunctionRef<void(std::string_view)> use) const;

 protected:
  explicit StringReads(TextSource source) : source_(std::move(source)) {}

  TextSource source_;
};

// Changes, each at one moment.
class COMMY_EXPORT StringChanges : public StringReads {
 public:
  // Replaces the text. O(n) of both.
  absl::Status Set(std::string_view text) const;
  // Puts `text` at the end. The fastest change: a short one writes the root alone.
  absl::Status Append(std::string_view text) const;
  // Puts a character at the end. InvalidArgument: a surrogate (0xD800 to 0xDFFF), or above
  // 0x10FFFF.
  absl::Status PushChar(char32_t character) const;
  // Takes the last character, and returns it. NotFound: there is none. O(log n).
  absl::StatusOr<char32_t> PopChar() const;
  // Takes all away.
  absl::Status Clear() const;
  // Takes away the bytes from `byte_size` on, if there are any. InvalidArgument: `byte_size` is
  // inside a character.
  absl::Status Truncate(std::uint64_t byte_size) const;

  // Puts `text` before the byte `byte_at`; with ByteCount(), at the end. O(log n) and its size.
  // Of this and the next two: OutOfRange: the position, or a part of the range, is past the end.
  // InvalidArgument: an end of it is inside a character.
  absl::Status Insert(std::uint64_t byte_at, std::string_view text) const;
  // Takes out `byte_count` bytes from `byte_from` on.
  absl::Status EraseRange(std::uint64_t byte_from, std::uint64_t byte_count) const;
  // Puts `text` in the place of `byte_count` bytes from `byte_from` on.
  absl::Status ReplaceRange(std::uint64_t byte_from, std::uint64_t byte_count,
                            std::string_view text) const;

  // Puts `to` in each place where `from` is, from the start on; in what it has put it does not
  // look. Returns how many. InvalidArgument: `from` is empty. Of this, Repeat, ToLower, ToUpper and
  // Update: O(n) of time and memory; they write from the first to the last byte that differs.
  absl::StatusOr<std::uint64_t> Replace(std::string_view from, std::string_view to) const;
  // Makes the text `times` copies of itself; 0 empties it. OutOfRange: it would have over 2^62
  // bytes. All of it is in memory once, so see that there is room.
  absl::Status Repeat(std::uint64_t times) const;

  // Takes white space (White_Space of Unicode) away from both ends, from the start, from the end.
  absl::Status Trim() const;
  absl::Status TrimStart() const;
  absl::Status TrimEnd() const;
  // Takes `text` away from the start or the end. Returns whether it was there.
  absl::StatusOr<bool> StripPrefix(std::string_view text) const;
  absl::StatusOr<bool> StripSuffix(std::string_view text) const;

  // Makes the letters of ASCII small ones, or capitals; others stay. A program that needs more uses
  // a Unicode library with Update().
  absl::Status ToLower() const;
  absl::Status ToUpper() const;
  // Makes the text what `change` makes of it, if nothing else changed it meanwhile; else starts
  // over, so `change` may run several times. InvalidArgument: what it returns is not UTF-8.
  //
  //   title.Update([](std::string text) { return MyTitleCase(std::move(text)); });
  absl::Status Update(absl::FunctionRef<std::string(std::string)> change) const;

 protected:
  using StringReads::StringReads;

 private:
  absl::Status Trim(bool start, bool end) const;
  // Lets `change` change a copy of the text, and writes what differs then.
  absl::Status Rewrite(absl::FunctionRef<absl::Status(std::string&)> change) const;
};

}  // namespace commy::internal
