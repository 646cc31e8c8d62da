#include "elements/lines.h"

#include <string_view>
#include <utility>

#include "base/status.h"
#include "elements/by_index.h"
#include "signals.h"
#include "tsv.h"
#include "utf8.h"

namespace commy::tools {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10U;

// The first piece of a text: it ends behind a character.
std::string_view FirstPiece(std::string_view text) {
  if (text.size() <= kPieceBytes) {
    return text;
  }
  std::size_t end = kPieceBytes;
  while (end > kPieceBytes - 4 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) {
    --end;
  }
  return text.substr(0, end);
}

absl::Status AfterLine(Output& out) {
  out.Drain();
  if (!out.status().ok()) {
    return out.status();
  }
  return Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

absl::Status WriteText(const Elements& elements, const Snapshot& then, const ElementLines& lines,
                       Output& out) {
  const ScanOptions& range = lines.range;
  if (!range.from.empty() || !range.to.empty() || range.reverse || lines.indexes_only) {
    return elements.Refusal("it has no indexes; leave --from, --to, --reverse and --keys out");
  }
  if (range.limit == 0) {
    return absl::OkStatus();
  }
  std::string text;
  const auto append = [&text](const internal::ElementRun& run) {
    text += run.bytes;
    return true;
  };
  COMMY_RETURN_IF_ERROR(
      elements.Explained(elements.sequence().At(then).ForEachRun(0, UINT64_MAX, append)));
  std::string_view rest = text;
  do {
    const std::string_view piece =
        lines.format == ElementFormat::kJsonOfDump ? FirstPiece(rest) : rest;
    rest.remove_prefix(piece.size());
    COMMY_RETURN_IF_ERROR(AppendElementLine(elements, 0, piece, lines, out.buffer()));
    COMMY_RETURN_IF_ERROR(AfterLine(out));
  } while (!rest.empty());
  return absl::OkStatus();
}

}  // namespace

absl::Status AppendElementLine(const Elements& elements, std::uint64_t index,
                               std::string_view bytes, const ElementLines& lines,
                               std::string& out) {
  const Form& form = elements.form();
  const bool has_index = !form.IsString() && lines.format != ElementFormat::kJsonOfDump &&
                         lines.format != ElementFormat::kTsvOfPop;
  if (lines.format == ElementFormat::kJson || lines.format == ElementFormat::kJsonOfDump) {
    Json object = Json::object();
    if (has_index) {
      object["index"] = index;
    }
    if (lines.exact) {
      form.SetExactValue(bytes, object);
    } else if (!lines.indexes_only) {
      absl::StatusOr<Json> value = form.JsonOfValue(bytes);
      COMMY_RETURN_IF_ERROR(elements.Explained(value.status()));
      object["value"] = *std::move(value);
    }
    if (lines.deliveries.has_value()) {
      object["deliveries"] = *lines.deliveries;
    }
    out += object.dump();
  } else {
    std::string text;
    if (!lines.indexes_only) {
      absl::StatusOr<std::string> formatted = form.FormatValue(bytes);
      COMMY_RETURN_IF_ERROR(elements.Explained(formatted.status()));
      text = *std::move(formatted);
    }
    out += has_index ? std::to_string(index) : "";
    out += has_index && !lines.indexes_only ? "\t" : "";
    if (lines.format == ElementFormat::kRaw) {
      out += text;
    } else {
      AppendTsvField(text, out);
    }
  }
  out += '\n';
  return absl::OkStatus();
}

absl::Status WriteElements(const Elements& elements, const Snapshot& then,
                           const ElementLines& lines, Output& out) {
  const ScanOptions& range = lines.range;
  if (!range.prefix.empty()) {
    return elements.Refusal("it has no keys; leave --prefix out");
  }
  if (elements.form().IsString()) {
    return WriteText(elements, then, lines, out);
  }
  std::uint64_t from = 0;
  std::uint64_t to = UINT64_MAX;
  if (!range.from.empty()) {
    COMMY_ASSIGN_OR_RETURN(from, ParseIndex(elements, range.from));
  }
  if (!range.to.empty()) {
    COMMY_ASSIGN_OR_RETURN(to, ParseIndex(elements, range.to));
  }
  bool explained = false;
  const auto write = [&](const ElementChunk& chunk) -> absl::Status {
    explained = true;
    std::uint64_t index = chunk.first;
    for (const std::string_view element : chunk.elements) {
      COMMY_RETURN_IF_ERROR(AppendElementLine(elements, index, element, lines, out.buffer()));
      COMMY_RETURN_IF_ERROR(AfterLine(out));
      range.reverse ? --index : ++index;
    }
    explained = false;
    return absl::OkStatus();
  };
  const absl::Status written =
      ForEachChunk(elements.sequence().At(then), from, to, range.limit, range.reverse, write);
  return explained ? written : elements.Explained(written);
}

}  // namespace commy::tools
