// What strings say of other texts: where they are, and what is between them.
#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "commy/internal/string_calls.h"
#include "sequences/text.h"
#include "sequences/utf8.h"

namespace commy::internal {
namespace {

using Place = std::optional<std::uint64_t>;

constexpr std::uint64_t kWindowBytes = std::uint64_t{64} << 10U;

// How much of the text is searched at once: more than is searched twice, since each window has the
// end of the one before it.
std::uint64_t WindowFor(std::string_view text) {
  return std::max<std::uint64_t>(kWindowBytes, 4 * text.size());
}

// Where `text` begins in `bytes`. Unlike std::string_view::find() it is never O(n * m).
Place FindIn(std::string_view bytes, std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  const void* const found = memmem(bytes.data(), bytes.size(), text.data(), text.size());
  return found == nullptr
             ? Place()
             : Place(static_cast<std::uint64_t>(static_cast<const char*>(found) - bytes.data()));
}

}  // namespace

absl::StatusOr<std::optional<std::uint64_t>> StringReads::Find(std::string_view text,
                                                               std::uint64_t from) const {
  COMMY_RETURN_IF_ERROR(sequences::CheckGiven(text));
  std::string window;
  std::uint64_t offset = from;
  Place found;
  const auto search = [&] {
    found = FindIn(window, text);
    if (found.has_value()) {
      *found += offset;
      return;
    }
    // A text may begin in what is kept.
    const std::uint64_t keep = std::min<std::uint64_t>(window.size(), text.size() - 1);
    offset += window.size() - keep;
    window.erase(0, window.size() - keep);
  };
  COMMY_RETURN_IF_ERROR(
      sequences::WalkRange(source_, from, UINT64_MAX, [&](std::string_view piece) {
        window.append(piece);
        if (window.size() >= WindowFor(text)) {
          search();
        }
        return !found.has_value();
      }));
  if (!found.has_value()) {
    search();
  }
  return found;
}

absl::StatusOr<std::optional<std::uint64_t>> StringReads::RFind(std::string_view text,
                                                                std::uint64_t from) const {
  COMMY_RETURN_IF_ERROR(sequences::CheckGiven(text));
  std::string window;
  Place found;
  const auto search = [&](std::uint64_t offset, std::string_view piece) {
    window.resize(
        std::min<std::uint64_t>(window.size(), std::max<std::size_t>(text.size(), 1) - 1));
    window.insert(0, piece);
    if (from < offset) {
      return true;
    }
    std::size_t at = std::string_view(window).rfind(text, from - offset);
    if (at == std::string_view::npos) {
      return true;
    }
    while (at < window.size() && sequences::GoesOn(window[at])) {
      --at;  // Of an empty text.
    }
    found = offset + at;
    return false;
  };
  COMMY_RETURN_IF_ERROR(source_.AtOneMoment([&](const TextSource& moment) {
    return sequences::WalkBack(moment, WindowFor(text), search);
  }));
  return found.has_value() || !text.empty() ? found : Place(0);
}

absl::StatusOr<bool> StringReads::Contains(std::string_view text) const {
  COMMY_ASSIGN_OR_RETURN(const Place found, Find(text));
  return found.has_value();
}

absl::StatusOr<bool> StringReads::StartsWith(std::string_view text) const {
  COMMY_RETURN_IF_ERROR(sequences::CheckGiven(text));
  std::string_view rest = text;
  COMMY_RETURN_IF_ERROR(source_.ForEachBytes(0, text.size(), [&rest](std::string_view bytes) {
    const bool same = rest.substr(0, bytes.size()) == bytes;
    rest.remove_prefix(same ? bytes.size() : 0);
    return same;
  }));
  return rest.empty();
}

absl::StatusOr<bool> StringReads::EndsWith(std::string_view text) const {
  COMMY_RETURN_IF_ERROR(sequences::CheckGiven(text));
  bool ends = false;
  COMMY_RETURN_IF_ERROR(source_.AtOneMoment([&](const TextSource& moment) -> absl::Status {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t size, moment.Size());
    if (size >= text.size()) {
      COMMY_ASSIGN_OR_RETURN(const std::string end,
                             sequences::ReadBytes(moment, size - text.size(), text.size()));
      ends = end == text;
    }
    return absl::OkStatus();
  }));
  return ends;
}

absl::StatusOr<bool> StringReads::Equals(std::string_view text) const {
  COMMY_RETURN_IF_ERROR(sequences::CheckGiven(text));
  std::string_view rest = text;
  bool same = true;
  COMMY_RETURN_IF_ERROR(sequences::WalkText(source_, [&](std::string_view piece) {
    same = rest.substr(0, piece.size()) == piece;
    rest.remove_prefix(same ? piece.size() : 0);
    return same;
  }));
  return same && rest.empty();
}

absl::StatusOr<std::vector<std::string>> StringReads::Lines() const {
  COMMY_ASSIGN_OR_RETURN(const std::string text, Get());
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const bool returns = end < text.size() && end > from && text[end - 1] == '\r';
    lines.push_back(text.substr(from, end - from - (returns ? 1 : 0)));
    from = end + 1;
  }
  return lines;
}

absl::StatusOr<std::vector<std::string>> StringReads::Split(std::string_view separator) const {
  COMMY_RETURN_IF_ERROR(sequences::CheckGiven(separator));
  if (separator.empty()) {
    return base::InvalidArgument("the separator is empty");
  }
  COMMY_ASSIGN_OR_RETURN(const std::string text, Get());
  std::vector<std::string> parts;
  std::string_view rest = text;
  for (Place at = FindIn(rest, separator); at.has_value(); at = FindIn(rest, separator)) {
    parts.emplace_back(rest.substr(0, *at));
    rest.remove_prefix(*at + separator.size());
  }
  parts.emplace_back(rest);
  return parts;
}

absl::StatusOr<std::vector<std::string>> StringReads::SplitWhitespace() const {
  COMMY_ASSIGN_OR_RETURN(const std::string text, Get());
  std::vector<std::string> parts;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    const auto length = static_cast<std::size_t>(sequences::CharacterAt(rest));
    const bool space = sequences::IsWhiteSpace(sequences::FirstCharacter(rest));
    if (!space) {
      if (!inside) {
        parts.emplace_back();
      }
      parts.back().append(rest.substr(0, length));
    }
    inside = !space;
    at += length;
  }
  return parts;
}

}  // namespace commy::internal
