#include "sequences/text.h"

#include <algorithm>

#include "base/status.h"
#include "sequences/utf8.h"

namespace commy::sequences {
namespace {

constexpr std::uint64_t kMostBefore = 3;  // Bytes of a character before its last one.

// Cuts bytes that come piece by piece into pieces of whole characters.
class CharacterPieces {
 public:
  CharacterPieces(std::uint64_t offset, UsePiece use) : offset_(offset), use_(use) {}

  // False: no more of them.
  bool Add(std::string_view bytes) {
    while (!cut_.empty() && !bytes.empty()) {
      cut_.push_back(bytes.front());
      bytes.remove_prefix(1);
      const int length = CharacterAt(cut_);
      if (length == kNoCharacter) {
        return Fail();
      }
      if (length > 0) {
        const std::string whole = std::move(cut_);
        cut_.clear();
        if (!Give(whole)) {
          return false;
        }
      }
    }
    const std::size_t whole = WholeCharacters(bytes);
    if (whole != 0 && !Give(bytes.substr(0, whole))) {
      return false;
    }
    bytes.remove_prefix(whole);
    if (!bytes.empty() && CharacterAt(bytes) == kNoCharacter) {
      return Fail();
    }
    cut_.append(bytes);
    return true;
  }
  // After the last ones.
  [[nodiscard]] absl::Status status() const {
    return failed_ || !cut_.empty() ? NotUtf8(offset_) : absl::OkStatus();
  }

 private:
  bool Give(std::string_view piece) {
    offset_ += piece.size();
    return use_(piece);
  }
  bool Fail() {
    failed_ = true;
    return false;
  }

  std::uint64_t offset_;  // Of what was not given yet.
  UsePiece use_;
  std::string cut_;  // The first bytes of a character.
  bool failed_ = false;
};

absl::Status Walk(const TextSource& source, std::uint64_t from, std::uint64_t count, UsePiece use) {
  CharacterPieces pieces(from, use);
  COMMY_RETURN_IF_ERROR(source.ForEachBytes(
      from, count, [&pieces](std::string_view bytes) { return pieces.Add(bytes); }));
  return pieces.status();
}

}  // namespace

absl::Status CheckGiven(std::string_view text) {
  const std::size_t whole = WholeCharacters(text);
  return whole == text.size()
             ? absl::OkStatus()
             : base::InvalidArgument("the text is not UTF-8: at byte ", whole, " of ", text.size(),
                                     " there is no character");
}

absl::Status NotUtf8(std::uint64_t offset) {
  return base::DataLoss("the string is not UTF-8: at byte ", offset, " there is no character");
}

absl::Status WalkText(const TextSource& source, UsePiece use) {
  return Walk(source, 0, UINT64_MAX, use);
}

absl::Status WalkRange(const TextSource& source, std::uint64_t from, std::uint64_t count,
                       UsePiece use) {
  if (from == 0 && count == UINT64_MAX) {
    return WalkText(source, use);
  }
  return source.AtOneMoment([&](const TextSource& moment) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, moment.Size());
    const std::uint64_t there = std::min(count, size - std::min(from, size));
    COMMY_RETURN_IF_ERROR(CheckRange(moment, size, from, there));
    return Walk(moment, from, there, use);
  });
}

absl::StatusOr<std::string> ReadText(const TextSource& source) {
  return ReadRange(source, 0, UINT64_MAX);
}

absl::StatusOr<std::string> ReadRange(const TextSource& source, std::uint64_t from,
                                      std::uint64_t count) {
  std::string text;
  COMMY_RETURN_IF_ERROR(WalkRange(source, from, count, [&text](std::string_view piece) {
    text.append(piece);
    return true;
  }));
  return text;
}

absl::StatusOr<std::string> ReadBytes(const TextSource& source, std::uint64_t from,
                                      std::uint64_t count) {
  std::string bytes;
  COMMY_RETURN_IF_ERROR(source.ForEachBytes(from, count, [&bytes](std::string_view piece) {
    bytes.append(piece);
    return true;
  }));
  return bytes;
}

absl::Status CheckBoundary(const TextSource& source, std::uint64_t size, std::uint64_t at) {
  if (at > size) {
    return base::OutOfRange("the position ", at, " is past the end: the text has ", size, " bytes");
  }
  if (at == 0 || at == size) {
    return absl::OkStatus();
  }
  const std::uint64_t before = std::min(at, kMostBefore);
  COMMY_ASSIGN_OR_RETURN(const std::string around,
                         ReadBytes(source, at - before, before + kMostBefore));
  if (around.size() <= before || !GoesOn(around[before])) {
    return absl::OkStatus();
  }
  const std::size_t begin = LastOffset(std::string_view(around).substr(0, before));
  const int length = CharacterAt(std::string_view(around).substr(begin));
  const std::uint64_t begins = at - before + begin;
  const std::uint64_t ends = begins + static_cast<std::uint64_t>(std::max(length, 0));
  return ends > at ? base::InvalidArgument("the position ", at, " is inside a character; the next ",
                                           "ones that are not are ", begins, " and ", ends)
                   : NotUtf8(begins);
}

absl::Status CheckRange(const TextSource& source, std::uint64_t size, std::uint64_t from,
                        std::uint64_t count) {
  COMMY_RETURN_IF_ERROR(CheckBoundary(source, size, from));
  if (count > size - from) {
    return base::OutOfRange("the text has ", size, " bytes; ", count, " from ", from,
                            " on go past its end");
  }
  return count == 0 ? absl::OkStatus() : CheckBoundary(source, size, from + count);
}

absl::Status WalkBack(const TextSource& source, std::uint64_t least,
                      absl::FunctionRef<bool(std::uint64_t offset, std::string_view piece)> use) {
  COMMY_ASSIGN_OR_RETURN(std::uint64_t end, source.Size());
  while (end > 0) {
    // With the bytes of a character that they may begin in.
    const std::uint64_t take = std::min(end, least + kMostBefore);
    COMMY_ASSIGN_OR_RETURN(const std::string bytes, ReadBytes(source, end - take, take));
    std::uint64_t cut = 0;
    while (end - take > 0 && cut < kMostBefore && cut < bytes.size() && GoesOn(bytes[cut])) {
      ++cut;
    }
    const std::string_view piece = std::string_view(bytes).substr(cut);
    const std::uint64_t offset = end - take + cut;
    if (const std::size_t whole = WholeCharacters(piece); whole != piece.size()) {
      return NotUtf8(offset + whole);
    }
    if (piece.empty() || !use(offset, piece)) {
      return piece.empty() ? NotUtf8(offset) : absl::OkStatus();
    }
    end = offset;
  }
  return absl::OkStatus();
}

}  // namespace commy::sequences
