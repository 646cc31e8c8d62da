// Records as lines of tab-separated text.
//
//   line    = key TAB value NEWLINE
//   escapes = \t \n \r \\ and \xHH (two hexadecimal digits), in key and value
//
// The writer escapes tab, newline, carriage return and backslash by name. Every other control
// character, the byte order mark and every byte that is not UTF-8 become \xHH, so that the output
// is always readable text. The reader takes any byte outside an escape as it is, so records read
// back exactly. No carriage return is written unescaped, so `load` takes one before the newline for
// part of that.
// A time to live has no place in a line; jsonl.h keeps it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "record.h"

namespace commy::tools {

// Appends `bytes`, escaped where necessary.
void AppendTsvField(std::string_view bytes, std::string& out);

// The inverse. InvalidArgument describes the fault.
absl::StatusOr<std::string> ParseTsvField(std::string_view field);

// Appends "<key>\t<value>\n".
void AppendTsvLine(std::string_view key, std::string_view value, std::string& out);

// Reads a line (without its newline). InvalidArgument describes the fault.
absl::StatusOr<Record> ParseTsvLine(std::string_view line);

}  // namespace commy::tools
