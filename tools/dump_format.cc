#include "dump_format.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

#include "base/status.h"
#include "types/descriptor.h"

namespace commy::tools {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kVersion = "VERSION=3";
constexpr std::string_view kHeaderEnd = "HEADER=END";
constexpr std::string_view kDataEnd = "DATA=END";
constexpr std::string_view kEscapedName = "commy-escaped:";

void AppendHex(char byte, std::string& out) {
  out += kDigits[static_cast<unsigned char>(byte) >> 4U];
  out += kDigits[static_cast<unsigned char>(byte) & 15U];
}

void AppendPrint(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
      out += byte;
    } else {
      out += '\\';
      AppendHex(byte, out);
    }
  }
}

void AppendData(std::string_view bytes, bool print, std::string& out) {
  out += ' ';
  if (print) {
    AppendPrint(bytes, out);
  } else {
    for (const char byte : bytes) {
      AppendHex(byte, out);
    }
  }
  out += '\n';
}

int HexValue(char digit) {
  const std::size_t value = kDigits.find(absl::ascii_tolower(static_cast<unsigned char>(digit)));
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

std::optional<char> HexByte(std::string_view digits) {
  if (digits.size() < 2 || HexValue(digits[0]) < 0 || HexValue(digits[1]) < 0) {
    return std::nullopt;
  }
  return static_cast<char>(HexValue(digits[0]) * 16 + HexValue(digits[1]));
}

absl::Status ParseHex(std::string_view text, std::string& bytes) {
  if (text.size() % 2 != 0) {
    return base::InvalidArgument("an odd number of hexadecimal digits");
  }
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::optional<char> byte = HexByte(text.substr(i));
    if (!byte.has_value()) {
      return base::InvalidArgument("\"", base::ToAbsl(text.substr(i, 2)),
                                   "\" is not a byte in hexadecimal digits");
    }
    bytes += *byte;
  }
  return absl::OkStatus();
}

absl::Status ParsePrint(std::string_view text, std::string& bytes) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (text.substr(i + 1).starts_with('\\')) {
      bytes += '\\';
      ++i;
      continue;
    }
    const std::optional<char> byte = HexByte(text.substr(i + 1));
    if (!byte.has_value()) {
      return base::InvalidArgument("a backslash without two hexadecimal digits after it");
    }
    bytes += *byte;
    i += 2;
  }
  return absl::OkStatus();
}

absl::Status ParseData(std::string_view line, bool print, std::string& bytes) {
  bytes.clear();
  if (!line.starts_with(' ')) {
    return base::InvalidArgument("a line of data must begin with a space");
  }
  return print ? ParsePrint(line.substr(1), bytes) : ParseHex(line.substr(1), bytes);
}

// Rejects headers of databases that a namespace cannot represent; to ignore them would lose data.
absl::Status CheckType(std::string_view type) {
  if (type == "btree" || type == "hash") {
    return absl::OkStatus();
  }
  return base::InvalidArgument("type=", base::ToAbsl(type),
                               ": only btree and hash have keys that a namespace can take");
}

// What a header says of the type of a namespace.
absl::Status ReadTypeLine(std::string_view name, std::string_view value, DumpHeader& header) {
  if (name == "namespace_type") {
    if (const absl::Status parsed = types::ParseContainer(value).status(); !parsed.ok()) {
      return base::InvalidArgument("namespace_type: ", parsed.message());
    }
    header.type = value;
  } else if (name == "namespace_ordered") {
    header.ordered = value == "1";
  } else if (name == "namespace_value") {
    std::int64_t number = 0;
    if (!absl::SimpleAtoi(base::ToAbsl(value), &number)) {
      return base::InvalidArgument("namespace_value=", base::ToAbsl(value),
                                   " is not a whole number of 64 bits");
    }
    header.counter = number;
  }
  return absl::OkStatus();
}

// The inverse of DumpName(); `text` itself if it is not escaped.
std::string ParseName(std::string_view text) {
  std::string name;
  const bool escaped = text.starts_with(kEscapedName) &&
                       ParsePrint(text.substr(kEscapedName.size()), name).ok() &&
                       DumpName(name) == text;
  return escaped ? name : std::string(text);
}

}  // namespace

std::string DumpName(std::string_view name) {
  constexpr std::string_view kBreaks("\n\r\0", 3);
  if (name.find_first_of(kBreaks) == std::string_view::npos && !name.starts_with(kEscapedName)) {
    return std::string(name);
  }
  std::string text(kEscapedName);
  AppendPrint(name, text);
  return text;
}

void AppendDumpHeader(const DumpHeader& header, std::string& out) {
  out += kVersion;
  out += header.print ? "\nformat=print\n" : "\nformat=bytevalue\n";
  if (!header.database.empty()) {
    out += "database=" + DumpName(header.database) + "\n";
  }
  out += "type=btree\n";
  if (header.map_bytes != 0) {
    out += "mapsize=" + std::to_string(header.map_bytes) + "\n";
  }
  if (!header.type.empty()) {
    out += "namespace_type=" + header.type + "\n";
    out += header.ordered ? "namespace_ordered=1\n" : "";
  }
  if (header.counter.has_value()) {
    out += "namespace_value=" + std::to_string(*header.counter) + "\n";
  }
  out += kHeaderEnd;
  out += '\n';
}

void AppendDumpRecord(std::string_view key, std::string_view value, bool print, std::string& out) {
  AppendData(key, print, out);
  AppendData(value, print, out);
}

void AppendDumpEnd(std::string& out) {
  out += kDataEnd;
  out += '\n';
}

absl::StatusOr<bool> DumpReader::NextLine(std::string_view& line) {
  COMMY_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
  line_ += more ? 1 : 0;
  if (carriage_returns_ && line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return more;
}

absl::StatusOr<bool> DumpReader::FirstLine(std::string_view& line) {
  bool more = true;
  for (line = ""; more && line.empty();) {
    carriage_returns_ = false;
    COMMY_ASSIGN_OR_RETURN(more, NextLine(line));
    carriage_returns_ = line.ends_with('\r');
    line.remove_suffix(carriage_returns_ ? 1 : 0);
  }
  return more;
}

absl::Status DumpReader::ReadHeaderLine(std::string_view line, DumpHeader& header) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    return base::InvalidArgument("a line of the header must be NAME=VALUE; is ", kHeaderEnd.data(),
                                 " missing before it?");
  }
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (name == "format") {
    if (value != "print" && value != "bytevalue") {
      return base::InvalidArgument("format=", base::ToAbsl(value),
                                   ": it can be print or bytevalue");
    }
    header.print = value == "print";
  } else if (name == "type") {
    return CheckType(value);
  } else if (name == "database") {
    header.database = ParseName(value);
  } else if (name == "mapsize" && !absl::SimpleAtoi(base::ToAbsl(value), &header.map_bytes)) {
    return base::InvalidArgument("mapsize=", base::ToAbsl(value), " is not a number");
  } else if (name.starts_with("namespace_")) {
    return ReadTypeLine(name, value, header);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DumpReader::NextSection(DumpHeader& header) {
  header = DumpHeader();
  std::string_view line;
  COMMY_ASSIGN_OR_RETURN(bool more, FirstLine(line));
  if (!more && !begun_) {
    return base::InvalidArgument(line_ == 0 ? base::ToAbsl(lines_.name()) : "the file",
                                 " is empty; a dump begins with ", kVersion.data());
  }
  if (!more) {
    return false;
  }
  if (line != kVersion) {
    return base::InvalidArgument("a dump begins with ", kVersion.data(),
                                 "; for other text give --format tsv or jsonl");
  }
  begun_ = true;
  while (true) {
    COMMY_ASSIGN_OR_RETURN(more, NextLine(line));
    if (!more) {
      return base::InvalidArgument("the file ends before ", kHeaderEnd.data(),
                                   ": it was cut short");
    }
    if (line == kHeaderEnd) {
      print_ = header.print;
      return true;
    }
    COMMY_RETURN_IF_ERROR(ReadHeaderLine(line, header));
  }
}

absl::StatusOr<bool> DumpReader::NextRecord(Record& record) {
  std::string_view line;
  COMMY_ASSIGN_OR_RETURN(bool more, NextLine(line));
  if (more && line == kDataEnd) {
    return false;
  }
  if (more) {
    COMMY_RETURN_IF_ERROR(ParseData(line, print_, record.key));
    COMMY_ASSIGN_OR_RETURN(more, NextLine(line));
  }
  if (!more) {
    return base::InvalidArgument("the file ends before ", kDataEnd.data(), ": it was cut short");
  }
  if (line == kDataEnd) {
    return base::InvalidArgument("the last key has no value");
  }
  COMMY_RETURN_IF_ERROR(ParseData(line, print_, record.value));
  return true;
}

}  // namespace commy::tools
