// stat: sizes and counts, and where the bytes of the file are.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include "access.h"
#include "api/handle_access.h"
#include "base/status.h"
#include "command.h"
#include "inspect/space_map.h"
#include "jsonl.h"
#include "openmetrics.h"
#include "output_file.h"
#include "space_drawing.h"
#include "space_parts.h"
#include "table.h"
#include "tsv.h"
#include "units.h"

namespace commy::tools {
namespace {

constexpr std::size_t kClassesShown = 10;

enum class StatFormat { kText, kJson, kOpenMetrics };

struct StatArguments {
  std::string store;
  bool json = false;
  StatFormat format = StatFormat::kText;
  std::string map;  // Empty: none.
};

Json SpaceToJson(const SpaceUse& space) {
  Json json;
  for (const SpacePart& part : SpaceParts(space)) {
    json[absl::StrCat(base::ToAbsl(part.key), "_bytes")] = part.bytes;
  }
  json["large_bytes"] = space.large_bytes;
  json["classes"] = Json::array();
  for (const ClassSpace& sizes : space.classes) {
    json["classes"].push_back(Json{{"block_bytes", sizes.block_bytes},
                                   {"spans", sizes.spans},
                                   {"blocks", sizes.blocks},
                                   {"used", sizes.used},
                                   {"retired", sizes.retired},
                                   {"free_bytes", sizes.free_bytes}});
  }
  json["held_by"] = space.held_by;
  return json;
}

Json ToJson(const StoreStats& stats, const absl::StatusOr<MemoryInfo>& memory) {
  Json json = {{"path", stats.path},
               {"uuid", stats.uuid},
               {"format_version", stats.format_version},
               {"max_size_bytes", stats.max_size_bytes},
               {"file_bytes", stats.file_bytes},
               {"disk_bytes", stats.disk_bytes},
               {"used_bytes", stats.used_bytes},
               {"retired_bytes", stats.retired_bytes},
               {"free_bytes", stats.free_bytes},
               {"namespaces", stats.namespaces},
               {"keys", stats.keys},
               {"bytes", stats.bytes},
               {"commit_clock", stats.commit_clock},
               {"epoch", stats.epoch},
               {"participants", stats.participants},
               {"participants_max", stats.participants_max},
               {"threads_max", stats.threads_max},
               {"snapshots", stats.snapshots},
               {"snapshots_max", stats.snapshots_max},
               {"oldest_snapshot_age_ms", absl::ToInt64Milliseconds(stats.oldest_snapshot_age)},
               {"snapshot_kept_bytes", stats.snapshot_kept_bytes},
               {"stale_after_ms", absl::ToInt64Milliseconds(stats.stale_after)},
               {"operation_timeout_ms", absl::ToInt64Milliseconds(stats.operation_timeout)},
               {"heartbeat_interval_ms", absl::ToInt64Milliseconds(stats.heartbeat_interval)}};
  json["path_quotas"] = Json::array();
  for (const PathQuota& quota : stats.path_quotas) {
    Json object;
    SetBytes("path", quota.path, object);
    object["quota_bytes"] = quota.quota_bytes;
    object["bytes"] = quota.bytes;
    json["path_quotas"].push_back(std::move(object));
  }
  json["space"] = SpaceToJson(stats.space);
  if (memory.ok()) {
    json["resident_bytes"] = memory->resident_bytes;
    json["large_page_bytes"] = memory->large_page_bytes;
  }
  return json;
}

std::string ShowMemory(const absl::StatusOr<MemoryInfo>& memory) {
  return memory.ok() ? absl::StrCat(ShowSize(memory->resident_bytes), ", of it in large pages ",
                                    ShowSize(memory->large_page_bytes))
                     : "not known";
}

// The block sizes with the most free bytes.
std::string ClassesToText(std::vector<ClassSpace> classes) {
  std::stable_sort(classes.begin(), classes.end(), [](const ClassSpace& a, const ClassSpace& b) {
    return a.free_bytes > b.free_bytes;
  });
  std::vector<std::vector<std::string>> rows = {
      {"BLOCK", "SPANS", "BLOCKS", "USED", "RETIRED", "FREE", "FILL"}};
  for (const ClassSpace& sizes : classes) {
    if (rows.size() > kClassesShown) {
      break;
    }
    rows.push_back({ShowCount(sizes.block_bytes), ShowCount(sizes.spans), ShowCount(sizes.blocks),
                    ShowCount(sizes.used), ShowCount(sizes.retired), ShowSize(sizes.free_bytes),
                    ShowPart(sizes.used, sizes.blocks)});
  }
  std::string text = Table(rows, std::vector<bool>(rows[0].size(), true));
  if (classes.size() > kClassesShown) {
    absl::StrAppendFormat(&text, "and %d more sizes, with less that is free (--json: all)\n",
                          classes.size() - kClassesShown);
  }
  return text;
}

void AppendPart(const SpacePart& part, std::uint64_t whole, std::string& text) {
  absl::StrAppendFormat(&text, "  %-18s %12s %7s%s%s\n", base::ToAbsl(part.name),
                        ShowSize(part.bytes), ShowPart(part.bytes, whole),
                        part.about.empty() ? "" : "  ", base::ToAbsl(part.about));
}

std::string SpaceToText(const SpaceUse& space) {
  std::string text = "\nwhere the bytes are\n";
  for (const SpacePart& part : SpaceParts(space)) {
    AppendPart(part, space.sum(), text);
    if (part.key == "live") {
      AppendPart({"", "  of it large", "blocks of whole spans", space.large_bytes}, space.sum(),
                 text);
    }
  }
  AppendPart({"", "file", "", space.sum()}, space.sum(), text);
  for (const std::string& holder : space.held_by) {
    text += "held back: ";
    AppendTsvField(holder, text);
    text += '\n';
  }
  if (!space.classes.empty()) {
    text += "\nblock sizes, by the bytes that are free in their spans\n";
    text += ClassesToText(space.classes);
  }
  return text;
}

std::string ToText(const StoreStats& stats, const absl::StatusOr<MemoryInfo>& memory) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"store", stats.path},
      {"uuid", stats.uuid},
      {"format version", std::to_string(stats.format_version)},
      {"keys", ShowCount(stats.keys)},
      {"bytes of keys", ShowSize(stats.bytes)},
      {"namespaces", ShowCount(stats.namespaces)},
      {"participants", ShowCount(stats.participants) + " (this one included)"},
      {"snapshots", stats.snapshots == 0
                        ? "0"
                        : absl::StrCat(ShowCount(stats.snapshots), ", the oldest of ",
                                       ShowDuration(stats.oldest_snapshot_age), " ago, keep ",
                                       ShowSize(stats.snapshot_kept_bytes))},
      {"file", ShowSize(stats.file_bytes)},
      {"on disk", ShowSize(stats.disk_bytes)},
      {"  in use", ShowSize(stats.used_bytes)},
      {"  retired", ShowSize(stats.retired_bytes)},
      {"  free", ShowSize(stats.free_bytes)},
      {"in memory", ShowMemory(memory)},
      {"may grow to", ShowSize(stats.max_size_bytes)},
      {"commits", ShowCount(stats.commit_clock)},
      {"epoch", ShowCount(stats.epoch)},
      {"participants max", ShowCount(stats.participants_max)},
      {"threads max", ShowCount(stats.threads_max)},
      {"snapshots max", ShowCount(stats.snapshots_max)},
      {"heartbeat", absl::FormatDuration(stats.heartbeat_interval)},
      {"stale after", absl::FormatDuration(stats.stale_after)},
      {"operation timeout", absl::FormatDuration(stats.operation_timeout)},
  };
  std::string text;
  for (const auto& [name, value] : rows) {
    absl::StrAppendFormat(&text, "%-18s %s\n", name, value);
  }
  for (const PathQuota& quota : stats.path_quotas) {
    absl::StrAppendFormat(&text, "%-18s %s of %s, under ", "quota", ShowSize(quota.bytes),
                          ShowSize(quota.quota_bytes));
    AppendTsvField(quota.path, text);
    text += '\n';
  }
  return text + SpaceToText(stats.space);
}

// Draws the map into its file, or to standard output.
absl::Status WriteMap(const Store& store, const StoreStats& stats, const StatArguments& arguments,
                      Output& standard) {
  const absl::StatusOr<inspect::SpaceMap> map =
      inspect::MapSpace(*api::HandleAccess::StateOf(store));
  if (!map.ok()) {
    return Explain(store, map.status());
  }
  if (arguments.map == "-") {
    standard.Write(DrawSpace(stats, *map));
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Open(arguments.map, arguments.store));
  file.out().Write(DrawSpace(stats, *map));
  return file.Finish();
}

absl::StatusOr<Exit> RunStat(const StatArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "stat"));
  const absl::StatusOr<StoreStats> stats = store.Stats();
  if (!stats.ok()) {
    return Explain(store, stats.status());
  }
  if (!arguments.map.empty()) {
    COMMY_RETURN_IF_ERROR(WriteMap(store, *stats, arguments, out));
    if (arguments.map == "-") {
      return Exit::kDone;
    }
  }
  const absl::StatusOr<MemoryInfo> memory = store.Memory();
  if (arguments.format == StatFormat::kOpenMetrics) {
    COMMY_ASSIGN_OR_RETURN(const std::vector<ParticipantInfo> participants, store.Participants());
    COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> namespaces, store.ListNamespaces());
    out.Write(ToOpenMetrics(*stats, memory, participants, namespaces));
  } else if (arguments.json || arguments.format == StatFormat::kJson) {
    out.Report(ToJson(*stats, memory));
  } else {
    out.Write(ToText(*stats, memory));
  }
  return Exit::kDone;
}

}  // namespace

void AddStatCommand(CLI::App& app, Action& action) {
  CLI::App& command =
      *app.add_subcommand("stat", "Show sizes and counts, and where the bytes of the file are");
  auto arguments = std::make_shared<StatArguments>();
  AddStore(command, arguments->store);
  CLI::Option& format = AddChoice<StatFormat, StatFormat>(
      command, "--format", arguments->format,
      {{"text", StatFormat::kText},
       {"json", StatFormat::kJson},
       {"openmetrics", StatFormat::kOpenMetrics}},
      "text (unless given), json, or openmetrics: for Prometheus, with the figures of "
      "each participant and namespace");
  command.add_flag("--json", arguments->json, "The same as --format json")->excludes(&format);
  command
      .add_option(
          "--map", arguments->map,
          "Also draw the file into this SVG: what each place of it is, how full, and whose; "
          "-: to standard output, in place of the rest. Walks over all keys")
      ->type_name("FILE");
  SetExamples(command, {"commy stat fleet.commy", "commy stat fleet.commy --json",
                        "commy stat fleet.commy --map fleet.svg",
                        "commy stat fleet.commy --format openmetrics > "
                        "/var/lib/node_exporter/fleet.prom"});
  SetAction(command, arguments, action, RunStat);
}

}  // namespace commy::tools
