// Records as lines of tab-separated text.
//
//   line    = key TAB value NEWLINE
//   escapes = \t \n \r \\ and \xHH (two hexadecimal digits), in key and value
//
// The writer escapes tab, newline, carriage return and backslash by name, and as \xHH every other
// control character, the byte order mark and every byte that is not UTF-8, so that its output is
// always readable text. The reader takes any byte that is not an escape as it is. What was written
// reads back exactly. Since no carriage return is written as it is, `load` takes one before the
// newline for a part of that.
// A time to live has no place in a line: jsonl.h keeps it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "record.h"

namespace commy::tools {

// Appends `bytes` with what needs it escaped.
void AppendTsvField(std::string_view bytes, std::string& out);

// Appends "<key>\t<value>\n".
void AppendTsvLine(std::string_view key, std::string_view value, std::string& out);

// Reads a line (without its newline). InvalidArgument says what is wrong with it.
absl::StatusOr<Record> ParseTsvLine(std::string_view line);

}  // namespace commy::tools
