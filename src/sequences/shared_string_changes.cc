// Changes of strings.
#include <algorithm>

#include "base/status.h"
#include "commy/internal/string_calls.h"
#include "sequences/text.h"
#include "sequences/utf8.h"

namespace commy::internal {
namespace {

using sequences::CheckGiven;

constexpr std::uint64_t kPieceBytes = std::uint64_t{64} << 10U;
constexpr std::uint64_t kCharacterBytes = 4;  // At most.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62U;

ElementRun RunOf(std::string_view text) {
  return {1, text.size(), text};
}

// For a callback of TextSource::Change(): the text has changed, unless there was an error.
absl::StatusOr<bool> Changed(const absl::Status& status) {
  return status.ok() ? absl::StatusOr<bool>(true) : status;
}

absl::StatusOr<bool> SpliceText(SequenceEdit& edit, std::uint64_t from, std::uint64_t count,
                                std::string_view text) {
  COMMY_RETURN_IF_ERROR(sequences::CheckRange(TextSource(&edit), edit.size(), from, count));
  if (count == 0 && text.empty()) {
    return false;
  }
  return Changed(edit.Splice(from, count, RunOf(text)));
}

// How many bytes at the start are the same.
std::size_t SameAtStart(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + most, b.begin()).first -
                                  a.begin());
}
std::size_t SameAtEnd(std::string_view a, std::string_view b) {
  const auto most = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<std::size_t>(std::mismatch(a.rbegin(), a.rbegin() + most, b.rbegin()).first -
                                  a.rbegin());
}

template <char kFrom, char kTo>
void MoveLetters(std::string& text) {
  for (char& each : text) {
    each = each >= kFrom && each <= kFrom + 25 ? static_cast<char>(each - kFrom + kTo) : each;
  }
}

// How many bytes of white space the text begins with.
absl::StatusOr<std::uint64_t> LeadingSpace(const TextSource& source) {
  std::uint64_t bytes = 0;
  COMMY_RETURN_IF_ERROR(sequences::WalkText(source, [&bytes](std::string_view piece) {
    const std::size_t here = sequences::SpaceAtStart(piece);
    bytes += here;
    return here == piece.size();
  }));
  return bytes;
}
absl::StatusOr<std::uint64_t> TrailingSpace(const TextSource& source) {
  constexpr std::uint64_t kBytesAtOnce = 256;
  std::uint64_t bytes = 0;
  COMMY_RETURN_IF_ERROR(sequences::WalkBack(
      source, kBytesAtOnce, [&bytes](std::uint64_t /*offset*/, std::string_view piece) {
        const std::size_t here = sequences::SpaceAtEnd(piece);
        bytes += here;
        return here == piece.size();
      }));
  return bytes;
}

}  // namespace

absl::Status StringChanges::Set(std::string_view text) const {
  COMMY_RETURN_IF_ERROR(CheckGiven(text));
  return source_.Change(
      [text](SequenceEdit& edit) { return Changed(edit.Splice(0, edit.size(), RunOf(text))); });
}

absl::Status StringChanges::Append(std::string_view text) const {
  COMMY_RETURN_IF_ERROR(CheckGiven(text));
  return source_.Append(text);
}

absl::Status StringChanges::PushChar(char32_t character) const {
  std::string text;
  if (!sequences::AppendCharacter(character, &text)) {
    return base::InvalidArgument("there is no character of the number ",
                                 base::Hex(std::uint64_t{character}));
  }
  return source_.Append(text);
}

absl::StatusOr<char32_t> StringChanges::PopChar() const {
  char32_t character = 0;
  COMMY_RETURN_IF_ERROR(source_.Change([&](SequenceEdit& edit) -> absl::StatusOr<bool> {
    const TextSource text(&edit);
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, text.Size());
    if (size == 0) {
      return base::NotFound("the string is empty");
    }
    const std::uint64_t take = std::min(size, kCharacterBytes);
    COMMY_ASSIGN_OR_RETURN(const std::string end, sequences::ReadBytes(text, size - take, take));
    const std::size_t last = sequences::LastOffset(end);
    const std::string_view bytes = std::string_view(end).substr(last);
    const std::uint64_t from = size - bytes.size();
    if (sequences::CharacterAt(bytes) != static_cast<int>(bytes.size())) {
      return sequences::NotUtf8(from);
    }
    character = sequences::FirstCharacter(bytes);
    return Changed(edit.Splice(from, size - from, {}));
  }));
  return character;
}

absl::Status StringChanges::Clear() const {
  return source_.Clear();
}

absl::Status StringChanges::Truncate(std::uint64_t byte_size) const {
  return source_.Change([byte_size](SequenceEdit& edit) -> absl::StatusOr<bool> {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, TextSource(&edit).Size());
    return byte_size < size ? SpliceText(edit, byte_size, size - byte_size, {})
                            : absl::StatusOr<bool>(false);
  });
}

absl::Status StringChanges::Insert(std::uint64_t byte_at, std::string_view text) const {
  return ReplaceRange(byte_at, 0, text);
}

absl::Status StringChanges::EraseRange(std::uint64_t byte_from, std::uint64_t byte_count) const {
  return ReplaceRange(byte_from, byte_count, {});
}

absl::Status StringChanges::ReplaceRange(std::uint64_t byte_from, std::uint64_t byte_count,
                                         std::string_view text) const {
  COMMY_RETURN_IF_ERROR(CheckGiven(text));
  return source_.Change([&](SequenceEdit& edit) -> absl::StatusOr<bool> {
    COMMY_RETURN_IF_ERROR(TextSource(&edit).Size().status());
    return SpliceText(edit, byte_from, byte_count, text);
  });
}

absl::Status StringChanges::Rewrite(absl::FunctionRef<absl::Status(std::string&)> change) const {
  return source_.Change([&change](SequenceEdit& edit) -> absl::StatusOr<bool> {
    COMMY_ASSIGN_OR_RETURN(const std::string before, sequences::ReadText(TextSource(&edit)));
    std::string after = before;
    COMMY_RETURN_IF_ERROR(change(after));
    if (after == before) {
      return false;
    }
    const std::size_t start = SameAtStart(before, after);
    const std::string_view old = std::string_view(before).substr(start);
    const std::string_view made = std::string_view(after).substr(start);
    const std::size_t end = SameAtEnd(old, made);
    return Changed(edit.Splice(start, old.size() - end, RunOf(made.substr(0, made.size() - end))));
  });
}

absl::StatusOr<std::uint64_t> StringChanges::Replace(std::string_view from,
                                                     std::string_view to) const {
  COMMY_RETURN_IF_ERROR(CheckGiven(from));
  COMMY_RETURN_IF_ERROR(CheckGiven(to));
  if (from.empty()) {
    return base::InvalidArgument("the text to replace is empty");
  }
  std::uint64_t count = 0;
  COMMY_RETURN_IF_ERROR(Rewrite([&](std::string& text) {
    count = 0;
    std::string made;
    std::size_t begin = 0;
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, begin)) {
      made.append(text, begin, at - begin).append(to);
      begin = at + from.size();
      ++count;
    }
    if (count > 0) {
      text = made.append(text, begin);
    }
    return absl::OkStatus();
  }));
  return count;
}

absl::Status StringChanges::Repeat(std::uint64_t times) const {
  return source_.Change([times](SequenceEdit& edit) -> absl::StatusOr<bool> {
    COMMY_ASSIGN_OR_RETURN(const std::string text, sequences::ReadText(TextSource(&edit)));
    if (text.empty() || times == 1) {
      return false;
    }
    if (times == 0) {
      return Changed(edit.Splice(0, text.size(), {}));
    }
    if (times > kMostBytes / text.size()) {
      return base::OutOfRange("a text of ", text.size(), " bytes, ", times, " times, is too large");
    }
    // In pieces, so that not all of it is in memory twice.
    std::string piece;
    const std::uint64_t each = std::min(times - 1, kPieceBytes / text.size() + 1);
    for (std::uint64_t i = 0; i < each; ++i) {
      piece.append(text);
    }
    for (std::uint64_t left = times - 1; left > 0;) {
      const std::uint64_t now = std::min(left, each);
      COMMY_RETURN_IF_ERROR(
          edit.Splice(edit.size(), 0, RunOf(std::string_view(piece).substr(0, now * text.size()))));
      left -= now;
    }
    return true;
  });
}

absl::Status StringChanges::Trim(bool start, bool end) const {
  return source_.Change([=](SequenceEdit& edit) -> absl::StatusOr<bool> {
    const TextSource text(&edit);
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, text.Size());
    std::uint64_t leading = 0;
    std::uint64_t trailing = 0;
    if (start) {
      COMMY_ASSIGN_OR_RETURN(leading, LeadingSpace(text));
    }
    if (end && leading < size) {
      COMMY_ASSIGN_OR_RETURN(trailing, TrailingSpace(text));
    }
    if (trailing > 0) {
      COMMY_RETURN_IF_ERROR(edit.Splice(size - trailing, trailing, {}));
    }
    if (leading > 0) {
      COMMY_RETURN_IF_ERROR(edit.Splice(0, leading, {}));
    }
    return leading + trailing > 0;
  });
}

absl::Status StringChanges::Trim() const {
  return Trim(true, true);
}
absl::Status StringChanges::TrimStart() const {
  return Trim(true, false);
}
absl::Status StringChanges::TrimEnd() const {
  return Trim(false, true);
}

namespace {

// Takes `text` away from the start or the end. Returns whether it was there.
absl::StatusOr<bool> Strip(const TextSource& source, bool start, std::string_view text) {
  COMMY_RETURN_IF_ERROR(CheckGiven(text));
  bool there = false;
  COMMY_RETURN_IF_ERROR(source.Change([&](SequenceEdit& edit) -> absl::StatusOr<bool> {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, TextSource(&edit).Size());
    there = size >= text.size();
    if (!there) {
      return false;
    }
    const std::uint64_t from = start ? 0 : size - text.size();
    COMMY_ASSIGN_OR_RETURN(const std::string bytes,
                           sequences::ReadBytes(TextSource(&edit), from, text.size()));
    there = bytes == text;
    return there && !text.empty() ? Changed(edit.Splice(from, text.size(), {}))
                                  : absl::StatusOr<bool>(false);
  }));
  return there;
}

}  // namespace

absl::StatusOr<bool> StringChanges::StripPrefix(std::string_view text) const {
  return Strip(source_, /*start=*/true, text);
}
absl::StatusOr<bool> StringChanges::StripSuffix(std::string_view text) const {
  return Strip(source_, /*start=*/false, text);
}

absl::Status StringChanges::ToLower() const {
  return Rewrite([](std::string& text) {
    MoveLetters<'A', 'a'>(text);
    return absl::OkStatus();
  });
}
absl::Status StringChanges::ToUpper() const {
  return Rewrite([](std::string& text) {
    MoveLetters<'a', 'A'>(text);
    return absl::OkStatus();
  });
}

absl::Status StringChanges::Update(absl::FunctionRef<std::string(std::string)> change) const {
  return Rewrite([&change](std::string& text) {
    text = change(std::move(text));
    return CheckGiven(text);
  });
}

}  // namespace commy::internal
