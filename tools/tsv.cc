#include "tsv.h"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/status.h"
#include "utf8.h"

namespace commy::tools {
namespace {

using base::InvalidArgument;

constexpr std::string_view kHexDigits = "0123456789abcdef";

void AppendHex(std::uint8_t byte, std::string& out) {
  out += "\\x";
  out += kHexDigits[byte >> 4U];
  out += kHexDigits[byte & 15U];
}

// The letter that stands for a character after a backslash; 0: it has none.
char EscapeLetter(char character) {
  switch (character) {
    case '\t':
      return 't';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

std::optional<char> NamedCharacter(char letter) {
  switch (letter) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case '\\':
      return '\\';
    default:
      return std::nullopt;
  }
}

int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool IsControl(char character) {
  const auto byte = static_cast<std::uint8_t>(character);
  return byte < 0x20 || byte == 0x7f;
}

// Reads the escape at the start of `rest`, whose backslash has been removed, and removes it.
absl::StatusOr<char> TakeEscape(std::string_view& rest) {
  if (rest.empty()) {
    return InvalidArgument("a backslash at the end of a field");
  }
  if (const std::optional<char> named = NamedCharacter(rest[0]); named.has_value()) {
    rest.remove_prefix(1);
    return *named;
  }
  if (rest[0] != 'x') {
    return InvalidArgument("an unknown escape: a backslash may stand before t, n, r, x or \\");
  }
  const int high = rest.size() > 1 ? HexValue(rest[1]) : -1;
  const int low = rest.size() > 2 ? HexValue(rest[2]) : -1;
  if (high < 0 || low < 0) {
    return InvalidArgument("\\x without two hexadecimal digits");
  }
  rest.remove_prefix(3);
  return static_cast<char>(high * 16 + low);
}

}  // namespace

void AppendTsvField(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t sequence = Utf8SequenceBytes(bytes);
    const char first = bytes[0];
    if (const char letter = EscapeLetter(first); letter != 0) {
      out += '\\';
      out += letter;
    } else if (sequence == 0 || IsControl(first)) {
      AppendHex(static_cast<std::uint8_t>(first), out);
    } else if (bytes.starts_with(kByteOrderMark)) {  // At the start of a file it would be dropped.
      for (const char byte : kByteOrderMark) {
        AppendHex(static_cast<std::uint8_t>(byte), out);
      }
    } else {
      out += bytes.substr(0, sequence);
    }
    bytes.remove_prefix(sequence == 0 ? 1 : sequence);
  }
}

void AppendTsvLine(std::string_view key, std::string_view value, std::string& out) {
  AppendTsvField(key, out);
  out += '\t';
  AppendTsvField(value, out);
  out += '\n';
}

absl::StatusOr<std::string> ParseTsvField(std::string_view field) {
  std::string bytes;
  bytes.reserve(field.size());
  while (!field.empty()) {
    const std::size_t plain = field.find('\\');
    bytes += field.substr(0, plain);
    if (plain == std::string_view::npos) {
      break;
    }
    field.remove_prefix(plain + 1);
    COMMY_ASSIGN_OR_RETURN(const char character, TakeEscape(field));
    bytes += character;
  }
  return bytes;
}

absl::StatusOr<Record> ParseTsvLine(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) {
    return InvalidArgument("no tab between key and value");
  }
  if (line.find('\t', tab + 1) != std::string_view::npos) {
    return InvalidArgument("more than one tab (write a tab inside a field as \\t)");
  }
  Record record;
  COMMY_ASSIGN_OR_RETURN(record.key, ParseTsvField(line.substr(0, tab)));
  COMMY_ASSIGN_OR_RETURN(record.value, ParseTsvField(line.substr(tab + 1)));
  return record;
}

}  // namespace commy::tools
