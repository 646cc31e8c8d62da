// Reads of strings: the text, its parts, its characters.
#include "base/status.h"
#include "commy/internal/string_calls.h"
#include "sequences/text.h"
#include "sequences/utf8.h"

namespace commy::internal {
namespace {

using sequences::FirstCharacter;

// Whether `is` says so of all characters.
absl::StatusOr<bool> AllAre(const TextSource& source, absl::FunctionRef<bool(char32_t)> is) {
  bool all = true;
  COMMY_RETURN_IF_ERROR(sequences::WalkText(source, [&](std::string_view piece) {
    while (all && !piece.empty()) {
      all = is(FirstCharacter(piece));
      piece.remove_prefix(static_cast<std::size_t>(sequences::CharacterAt(piece)));
    }
    return all;
  }));
  return all;
}

// Calls `use` with the characters from `from` on, at most `count`, piece by piece. OutOfRange:
// there are not `from` of them.
absl::Status WalkCharacters(const TextSource& source, std::uint64_t from, std::uint64_t count,
                            absl::FunctionRef<void(std::string_view)> use) {
  std::uint64_t skip = from;
  std::uint64_t left = count;
  COMMY_RETURN_IF_ERROR(sequences::WalkText(source, [&](std::string_view piece) {
    if (skip > 0) {
      const std::uint64_t here = sequences::CountCharacters(piece);
      if (here <= skip) {
        skip -= here;
        return skip > 0 || left > 0;
      }
      piece.remove_prefix(sequences::OffsetOfCharacter(piece, skip));
      skip = 0;
    }
    const std::string_view taken = piece.substr(0, sequences::OffsetOfCharacter(piece, left));
    left -= sequences::CountCharacters(taken);
    if (!taken.empty()) {
      use(taken);
    }
    return left > 0;
  }));
  return skip == 0 ? absl::OkStatus()
                   : base::OutOfRange("the character ", from, " is past the end: there are ",
                                      from - skip, " characters");
}

}  // namespace

absl::StatusOr<std::string> StringReads::Get() const {
  return sequences::ReadText(source_);
}

absl::StatusOr<std::uint64_t> StringReads::ByteCount() const {
  return source_.Size();
}

absl::StatusOr<bool> StringReads::Empty() const {
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, source_.Size());
  return size == 0;
}

absl::StatusOr<std::uint64_t> StringReads::CharCount() const {
  std::uint64_t count = 0;
  COMMY_RETURN_IF_ERROR(sequences::WalkText(source_, [&count](std::string_view piece) {
    count += sequences::CountCharacters(piece);
    return true;
  }));
  return count;
}

absl::StatusOr<std::string> StringReads::Slice(std::uint64_t byte_from,
                                               std::uint64_t byte_count) const {
  return sequences::ReadRange(source_, byte_from, byte_count);
}

absl::StatusOr<std::string> StringReads::Substring(std::uint64_t from_char,
                                                   std::uint64_t char_count) const {
  std::string text;
  COMMY_RETURN_IF_ERROR(WalkCharacters(source_, from_char, char_count,
                                       [&text](std::string_view piece) { text.append(piece); }));
  return text;
}

absl::StatusOr<char32_t> StringReads::CharAt(std::uint64_t char_index) const {
  std::optional<char32_t> character;
  COMMY_RETURN_IF_ERROR(WalkCharacters(source_, char_index, 1, [&character](std::string_view one) {
    character = FirstCharacter(one);
  }));
  if (!character.has_value()) {
    return base::OutOfRange("the character ", char_index, " is past the end: there are ",
                            char_index, " characters");
  }
  return *character;
}

absl::StatusOr<bool> StringReads::IsCharBoundary(std::uint64_t byte_at) const {
  if (byte_at == 0) {
    COMMY_RETURN_IF_ERROR(source_.Size().status());
    return true;
  }
  // With the byte before it, which is there of all positions that are not past the end.
  COMMY_ASSIGN_OR_RETURN(const std::string bytes, sequences::ReadBytes(source_, byte_at - 1, 2));
  return !bytes.empty() && (bytes.size() == 1 || !sequences::GoesOn(bytes[1]));
}

absl::StatusOr<bool> StringReads::IsUpper() const {
  return AllAre(source_, [](char32_t each) { return each >= U'A' && each <= U'Z'; });
}
absl::StatusOr<bool> StringReads::IsLower() const {
  return AllAre(source_, [](char32_t each) { return each >= U'a' && each <= U'z'; });
}
absl::StatusOr<bool> StringReads::IsWhitespace() const {
  return AllAre(source_, [](char32_t each) { return sequences::IsWhiteSpace(each); });
}

absl::StatusOr<std::u32string> StringReads::Chars() const {
  std::u32string characters;
  COMMY_RETURN_IF_ERROR(sequences::WalkText(source_, [&characters](std::string_view piece) {
    while (!piece.empty()) {
      characters.push_back(FirstCharacter(piece));
      piece.remove_prefix(static_cast<std::size_t>(sequences::CharacterAt(piece)));
    }
    return true;
  }));
  return characters;
}

absl::Status StringReads::ForEachPiece(absl::FunctionRef<void(std::string_view)> use) const {
  return sequences::WalkText(source_, [&use](std::string_view piece) {
    use(piece);
    return true;
  });
}

}  // namespace commy::internal
