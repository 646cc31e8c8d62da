// The lines of scan and dump for a vector, deque or string.
//
//   INDEX TAB ELEMENT               tsv and raw, of scan and dump
//   {"index":0,"value":ELEMENT}     jsonl, of scan
//   ELEMENT                         tsv, of pop
//   {"value":ELEMENT}               jsonl, of dump and pop; in a dump perhaps value_base64
//
// The text of a string is one line without an index; in jsonl of dump it is one line for each piece
// of some 64 KiB, one behind the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/commy.h"
#include "elements/elements.h"
#include "output.h"

namespace commy::tools {

enum class ElementFormat { kTsv, kTsvOfPop, kRaw, kJson, kJsonOfDump };

struct ElementLines {
  ElementFormat format = ElementFormat::kTsv;
  bool indexes_only = false;
  bool exact = false;  // Of kJsonOfDump: see Form::SetExactValue().
  // Of an element that was leased and returned: see returned.h.
  std::optional<std::uint32_t> deliveries = std::nullopt;
  // As options of scan give them; from and to are indexes.
  ScanOptions range = ScanOptions();
};

// Appends a line.
absl::Status AppendElementLine(const Elements& elements, std::uint64_t index,
                               std::string_view bytes, const ElementLines& lines, std::string& out);

// Writes the elements as the snapshot sees them. Cancelled: Ctrl-C. An error of `out` ends it with
// that error.
absl::Status WriteElements(const Elements& elements, const Snapshot& then,
                           const ElementLines& lines, Output& out);

}  // namespace commy::tools
