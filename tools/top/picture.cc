#include "top/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "table.h"
#include "tsv.h"
#include "units.h"
#include "utf8.h"

namespace commy::tools::top {
namespace {

using Lines = std::vector<std::string>;

std::string ShowRate(std::optional<double> per_second) {
  if (!per_second.has_value()) {
    return "-";
  }
  const auto whole = static_cast<std::uint64_t>(std::llround(std::abs(*per_second)));
  return (*per_second < 0 && whole > 0 ? "-" : "") + ShowCount(whole);
}

std::string Printable(std::string_view bytes) {
  std::string text;
  AppendTsvField(bytes, text);
  return text;
}

std::string ShowPins(const Picture& picture) {
  const std::vector<ParticipantInfo> pinning = Pinning(picture);
  if (pinning.empty()) {
    return "nothing held back";
  }
  const ParticipantInfo& oldest = pinning.front();
  std::string text =
      absl::StrCat("held back by ", Printable(oldest.name), " (pid ", oldest.pid, ") for ",
                   ShowDuration(oldest.pinned_for), ": ", ShowSize(oldest.held_back_bytes));
  if (pinning.size() > 1) {
    absl::StrAppend(&text, ", and by ", pinning.size() - 1, " more");
  }
  return text;
}

Lines Head(const Picture& picture) {
  const StoreStats& stats = picture.stats;
  const std::string interval = picture.interval > absl::ZeroDuration()
                                   ? "rates over " + ShowDuration(picture.interval)
                                   : "rates from the next look on";
  return {
      absl::StrCat(Printable(stats.path), "  ", interval),
      absl::StrCat(ShowCount(stats.keys), " keys  ", ShowCount(stats.namespaces), " namespaces  ",
                   ShowCount(stats.participants), " participants  ",
                   ShowRate(picture.commits_per_second), " commits/s  epoch ",
                   ShowCount(stats.epoch)),
      absl::StrCat("file ", ShowSize(stats.file_bytes), "  on disk ", ShowSize(stats.disk_bytes),
                   "  in use ", ShowSize(stats.used_bytes), "  retired ",
                   ShowSize(stats.retired_bytes), "  free ", ShowSize(stats.free_bytes),
                   "  may grow to ", ShowSize(stats.max_size_bytes)),
      ShowPins(picture),
      "",
  };
}

Lines ToLinesOf(const std::string& table) {
  return absl::StrSplit(table, '\n', absl::SkipEmpty());
}

Lines ParticipantLines(const Picture& picture) {
  std::vector<std::vector<std::string>> rows = {
      {"SLOT", "PID", "STATE", "HEARTBEAT", "OPS/S", "OPERATIONS", "DOING", "PINNED", "NAME"}};
  for (const ParticipantRate& each : picture.participants) {
    const ParticipantInfo& info = each.info;
    rows.push_back({std::to_string(info.slot), std::to_string(info.pid),
                    std::string(LivenessName(info.liveness)),
                    ShowDuration(std::max(info.heartbeat_age, absl::ZeroDuration())),
                    ShowRate(each.operations_per_second), ShowCount(info.operations), info.doing,
                    ShowPinnedFor(info), Printable(info.name)});
  }
  return ToLinesOf(Table(rows, {true, true, false, true, true, true, false, true, false}));
}

Lines NamespaceLines(const Picture& picture) {
  std::vector<std::vector<std::string>> rows = {{"KEYS", "CHANGE/S", "NAMESPACE"}};
  for (const NamespaceRate& each : picture.namespaces) {
    rows.push_back(
        {ShowCount(each.info.keys), ShowRate(each.keys_per_second), Printable(each.info.path)});
  }
  return ToLinesOf(Table(rows, {true, true, false}));
}

// The first `count` lines; if some are left out, the last line says how many.
void Append(const Lines& lines, std::size_t count, Lines& out) {
  if (lines.size() <= count) {
    out.insert(out.end(), lines.begin(), lines.end());
  } else if (count > 0) {
    out.insert(out.end(), lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(count - 1));
    out.push_back(absl::StrCat("and ", lines.size() - (count - 1), " more"));
  }
}

}  // namespace

std::vector<std::string> ToLines(const Picture& picture) {
  Lines lines = Head(picture);
  Append(ParticipantLines(picture), SIZE_MAX, lines);
  lines.emplace_back();
  Append(NamespaceLines(picture), SIZE_MAX, lines);
  return lines;
}

std::vector<std::string> ToScreen(const Picture& picture, ScreenSize size) {
  Lines lines = Head(picture);
  const Lines participants = ParticipantLines(picture);
  const Lines namespaces = NamespaceLines(picture);
  const std::size_t taken = lines.size() + 1;  // And the blank line between the tables.
  const std::size_t room = size.rows > taken ? size.rows - taken : 0;
  // Each table gets half; one takes the room that the other leaves.
  const std::size_t first = std::min(
      participants.size(), std::max(room - room / 2, room - std::min(room, namespaces.size())));
  Append(participants, first, lines);
  lines.emplace_back();
  Append(namespaces, room - first, lines);
  lines.resize(std::min(lines.size(), size.rows));
  for (std::string& line : lines) {
    line = Cut(line, size.columns);
  }
  return lines;
}

std::string Cut(std::string_view line, std::size_t columns) {
  std::string text;
  for (std::size_t column = 0; column < columns && !line.empty(); ++column) {
    const std::size_t bytes = Utf8SequenceBytes(line);
    const auto first = static_cast<unsigned char>(line[0]);
    const bool is_control = bytes == 0 || first < 0x20 || first == 0x7f ||
                            (first == 0xc2 && static_cast<unsigned char>(line[1]) < 0xa0);
    const std::size_t taken = std::max<std::size_t>(1, bytes);
    text += is_control ? std::string_view("?") : line.substr(0, taken);
    line.remove_prefix(taken);
  }
  return text;
}

namespace {

Json Number(std::optional<double> rate) {
  return rate.has_value() ? Json(*rate) : Json(nullptr);
}

Json ToJson(const ParticipantRate& each) {
  const ParticipantInfo& info = each.info;
  return Json{{"slot", info.slot},
              {"pid", info.pid},
              {"name", info.name},
              {"state", LivenessName(info.liveness)},
              {"read_only", info.read_only},
              {"heartbeat_age_ms", absl::ToInt64Milliseconds(info.heartbeat_age)},
              {"operations", info.operations},
              {"operations_per_second", Number(each.operations_per_second)},
              {"doing", info.doing},
              {"pinned_ms", absl::ToInt64Milliseconds(info.pinned_for)},
              {"held_back_bytes", info.held_back_bytes}};
}

Json ToJson(const NamespaceRate& each) {
  Json object;
  SetBytes("path", each.info.path, object);
  object["id"] = each.info.id;
  object["keys"] = each.info.keys;
  object["keys_per_second"] = Number(each.keys_per_second);
  return object;
}

}  // namespace

Json ToJson(const Picture& picture) {
  const StoreStats& stats = picture.stats;
  Json json = {{"path", stats.path},
               {"interval_s", absl::ToDoubleSeconds(picture.interval)},
               {"keys", stats.keys},
               {"commits_per_second", Number(picture.commits_per_second)},
               {"epoch", stats.epoch},
               {"file_bytes", stats.file_bytes},
               {"disk_bytes", stats.disk_bytes},
               {"used_bytes", stats.used_bytes},
               {"retired_bytes", stats.retired_bytes},
               {"free_bytes", stats.free_bytes},
               {"max_size_bytes", stats.max_size_bytes},
               {"pinning_slots", Json::array()},
               {"participants", Json::array()},
               {"namespaces", Json::array()}};
  for (const ParticipantInfo& info : Pinning(picture)) {
    json["pinning_slots"].push_back(info.slot);
  }
  for (const ParticipantRate& each : picture.participants) {
    json["participants"].push_back(ToJson(each));
  }
  for (const NamespaceRate& each : picture.namespaces) {
    json["namespaces"].push_back(ToJson(each));
  }
  return json;
}

}  // namespace commy::tools::top
