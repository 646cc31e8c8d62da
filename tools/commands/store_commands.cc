// init, ps, check, layout: the store as a whole. stat is in stat_command.cc.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "jsonl.h"
#include "table.h"
#include "tsv.h"
#include "units.h"

namespace commy::tools {
namespace {

struct StoreArguments {
  std::string store;
  bool json = false;
};

struct InitArguments {
  StoreArguments store;
  Options options;
};

struct LayoutArguments {
  bool json = false;
};

// --- init ----------------------------------------------------------------------------------------

absl::StatusOr<Exit> RunInit(const InitArguments& arguments, Output& out) {
  Options options = arguments.options;
  options.error_if_exists = true;
  options.process_name = "commy init";
  const std::string& path = arguments.store.store;
  const absl::StatusOr<Store> store = Store::Open(path, options);
  if (!store.ok()) {
    return ExplainOpen(path, store.status());
  }
  const absl::StatusOr<StoreStats> stats = store->Stats();
  if (!stats.ok()) {
    return Explain(*store, stats.status());
  }
  if (arguments.store.json) {
    out.Report(Json{{"path", path},
                    {"uuid", stats->uuid},
                    {"format_version", stats->format_version},
                    {"max_size_bytes", stats->max_size_bytes},
                    {"participants_max", stats->participants_max},
                    {"threads_max", stats->threads_max},
                    {"snapshots_max", stats->snapshots_max}});
  } else {
    out.Line(absl::StrCat(path, ": new store, may grow to ", ShowSize(stats->max_size_bytes)));
  }
  return Exit::kDone;
}

void AddInit(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("init", "Create a store");
  auto arguments = std::make_shared<InitArguments>();
  AddStore(command, arguments->store.store);
  Options& options = arguments->options;
  AddSize(command, "--max-size", options.max_size,
          "The file never grows past this, 10MiB to 1TiB; costs address space, not disk (unless "
          "given: 64GiB)");
  AddCount(command, "--participants", options.participants,
           "Processes that may have the store open at once, 1 to 65534 (unless given: 256)");
  AddCount(command, "--threads", options.threads,
           "Threads, of all processes together, that may use the store at once, 4 to 65526 (unless "
           "given: 4096)");
  AddCount(command, "--snapshots", options.snapshots,
           "Snapshots that may be held at once, those of scans included, 1 to 1048576 (unless "
           "given: 1024)");
  AddDuration(
      command, "--stale-after", options.stale_after,
      "Silent participants are shown as stalled after this time, 1ms to 24h (unless given: 5s)");
  AddDuration(
      command, "--operation-timeout", options.operation_timeout,
      "Time limit of batches and transactions, and of a commit whose process is silent, 1ms to "
      "24h (unless given: 60s)");
  AddJson(command, arguments->store.json);
  SetExamples(command, {"commy init fleet.commy", "commy init small.commy --max-size 512MiB",
                        "commy init busy.commy --participants 1000 --threads 16000"});
  SetAction(command, arguments, action, RunInit);
}

// --- ps ------------------------------------------------------------------------------------------

Json ToJson(const std::vector<ParticipantInfo>& participants) {
  Json list = Json::array();
  for (const ParticipantInfo& info : participants) {
    list.push_back(
        Json{{"slot", info.slot},
             {"pid", info.pid},
             {"name", info.name},
             {"state", LivenessName(info.liveness)},
             {"read_only", info.read_only},
             {"started", absl::FormatTime(info.started, absl::UTCTimeZone())},
             {"heartbeat_age_ms", absl::ToInt64Milliseconds(info.heartbeat_age)},
             {"lanes", info.lanes},
             {"operations", info.operations},
             {"doing", info.doing},
             {"pinned_ms", absl::ToInt64Milliseconds(info.pinned_for)},
             {"held_back_bytes", info.held_back_bytes},
             {"snapshots", info.snapshots},
             {"oldest_snapshot_age_ms", absl::ToInt64Milliseconds(info.oldest_snapshot_age)},
             {"snapshot_kept_bytes", info.snapshot_kept_bytes}});
  }
  return list;
}

std::string ToText(const std::vector<ParticipantInfo>& participants) {
  std::vector<std::vector<std::string>> rows = {{"SLOT", "PID", "NAME", "STATE", "HEARTBEAT",
                                                 "LANES", "OPERATIONS", "DOING", "PINNED", "HOLDS",
                                                 "SNAPSHOTS", "OLDEST", "KEEPS"}};
  for (const ParticipantInfo& info : participants) {
    std::string name;
    AppendTsvField(info.name, name);
    rows.push_back({std::to_string(info.slot), std::to_string(info.pid), name,
                    std::string(LivenessName(info.liveness)),
                    ShowDuration(std::max(info.heartbeat_age, absl::ZeroDuration())),
                    std::to_string(info.lanes), ShowCount(info.operations), info.doing,
                    ShowPinnedFor(info), ShowHeldBack(info), std::to_string(info.snapshots),
                    info.snapshots == 0 ? "-" : ShowDuration(info.oldest_snapshot_age),
                    info.snapshots == 0 ? "-" : ShowSize(info.snapshot_kept_bytes)});
  }
  return Table(rows,
               {true, true, false, false, true, true, true, false, true, true, true, true, true});
}

absl::StatusOr<Exit> RunPs(const StoreArguments& arguments, Output& out) {
  const absl::StatusOr<Store> store = OpenStore(arguments.store, Use::kRead, "ps");
  absl::StatusOr<std::vector<ParticipantInfo>> participants =
      store.ok() ? store->Participants() : store.status();
  if (absl::IsResourceExhausted(store.status())) {
    // Perhaps all participant entries are in use; their owners can be shown all the same.
    participants = Store::ParticipantsOf(arguments.store);
    if (participants.ok()) {
      PrintWarning(absl::StrCat(store.status().message(),
                                "; the bytes that snapshots and pins hold are not shown"));
    }
  }
  if (!participants.ok()) {
    return store.ok() ? Explain(*store, participants.status()) : store.status();
  }
  if (arguments.json) {
    out.Report(ToJson(*participants));
  } else {
    out.Write(ToText(*participants));
  }
  return Exit::kDone;
}

void AddPs(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "ps",
      "Show the processes that use the store. PINNED: how long a process has kept replaced and "
      "deleted blocks from reuse; HOLDS: the bytes of these. SNAPSHOTS: how many it holds, those "
      "of scans included; OLDEST: the age of the oldest; KEEPS: the bytes of values that were "
      "replaced, deleted or cleared and that one of its snapshots still sees; values that several "
      "processes see count for each");
  auto arguments = std::make_shared<StoreArguments>();
  AddStore(command, arguments->store);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy ps fleet.commy", "watch -n 1 commy ps fleet.commy"});
  SetAction(command, arguments, action, RunPs);
}

// --- check ---------------------------------------------------------------------------------------

Json ToJson(const CheckReport& report) {
  Json faults = Json::array();
  for (const std::string& fault : report.faults) {
    faults.push_back(fault);
  }
  return Json{{"sound", report.sound()},
              {"namespaces", report.namespaces},
              {"keys", report.keys},
              {"bytes", report.bytes},
              {"records", report.records},
              {"blocks_used", report.blocks_used},
              {"blocks_reachable", report.blocks_reachable},
              {"blocks_in_flight", report.blocks_in_flight},
              {"blocks_leaked", report.blocks_leaked},
              {"bytes_leaked", report.bytes_leaked},
              {"fault_count", report.fault_count},
              {"faults", std::move(faults)}};
}

std::string ToText(const CheckReport& report) {
  std::string text = absl::StrFormat(
      "%s keys in %s namespaces, %s records\n"
      "%s blocks in use: %s reachable, %s in flight, %s leaked (%s)\n",
      ShowCount(report.keys), ShowCount(report.namespaces), ShowCount(report.records),
      ShowCount(report.blocks_used), ShowCount(report.blocks_reachable),
      ShowCount(report.blocks_in_flight), ShowCount(report.blocks_leaked),
      ShowSize(report.bytes_leaked));
  for (const std::string& fault : report.faults) {
    text += "fault: ";
    AppendTsvField(fault, text);
    text += '\n';
  }
  if (report.fault_count > report.faults.size()) {
    absl::StrAppendFormat(&text, "and %d more faults\n", report.fault_count - report.faults.size());
  }
  text += report.sound() ? "sound\n" : "NOT sound\n";
  return text;
}

absl::StatusOr<Exit> RunCheck(const StoreArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "check"));
  const absl::StatusOr<CheckReport> report = store.Check();
  if (!report.ok()) {
    return Explain(store, report.status());
  }
  if (arguments.json) {
    out.Report(ToJson(*report));
  } else {
    out.Write(ToText(*report));
  }
  return report->sound() ? Exit::kDone : Exit::kNo;
}

void AddCheck(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "check",
      "Walk the whole file: every structure, checksum and block. Exit status 1: not sound");
  auto arguments = std::make_shared<StoreArguments>();
  AddStore(command, arguments->store);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy check fleet.commy", "commy check fleet.commy --json"});
  SetAction(command, arguments, action, RunCheck);
}

// --- layout --------------------------------------------------------------------------------------

// The lines of DescribeLayout() as [{"struct":…,"fields":[{"field":…,"offset":…,"size":…}]}].
Json LayoutToJson(const std::string& layout) {
  Json structs = Json::array();
  for (const absl::string_view line : absl::StrSplit(layout, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    if (columns.size() != 4 || !absl::SimpleAtoi(columns[2], &offset) ||
        !absl::SimpleAtoi(columns[3], &size)) {
      continue;
    }
    if (structs.empty() || structs.back()["struct"] != columns[0]) {
      structs.push_back(Json{{"struct", columns[0]}, {"fields", Json::array()}});
    }
    structs.back()["fields"].push_back(
        Json{{"field", columns[1]}, {"offset", offset}, {"size", size}});
  }
  return structs;
}

absl::StatusOr<Exit> RunLayout(const LayoutArguments& arguments, Output& out) {
  if (arguments.json) {
    out.Report(LayoutToJson(DescribeLayout()));
  } else {
    out.Write(DescribeLayout());
  }
  return Exit::kDone;
}

void AddLayout(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "layout", "Print the structs of the file format: struct, field, offset, size");
  auto arguments = std::make_shared<LayoutArguments>();
  AddJson(command, arguments->json);
  SetExamples(command, {"commy layout", "commy layout | grep header"});
  SetAction(command, arguments, action, RunLayout);
}

}  // namespace

void AddStoreCommands(CLI::App& app, Action& action) {
  AddInit(app, action);
  AddStatCommand(app, action);
  AddPs(app, action);
  AddCheck(app, action);
  AddLayout(app, action);
}

}  // namespace commy::tools
