// backup, compact: dense copies of a store.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "commy/compact.h"
#include "jsonl.h"
#include "progress.h"
#include "signals.h"
#include "units.h"

namespace commy::tools {
namespace {

struct BackupArguments {
  std::string store;
  std::string destination;
  BackupOptions options;
  bool json = false;
};

struct CompactArguments {
  std::string store;
  std::string destination;
  Options given;  // Only what is given on the command line counts.
  const CLI::App* command = nullptr;
  bool json = false;
};

// Shows a bar, and says whether to go on.
std::function<bool(std::uint64_t, std::uint64_t)> ShownIn(Progress& progress) {
  return [&progress](std::uint64_t done, std::uint64_t total) {
    if (progress.Due()) {
      progress.Show(done, total, absl::StrCat(ShowCount(done), " keys"));
    }
    return !Interrupted();
  };
}

struct Sizes {
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::uint64_t namespaces = 0;
  std::uint64_t keys = 0;
  absl::Duration took;
};

std::string Describe(const Sizes& sizes) {
  return absl::StrCat(ShowCount(sizes.keys), " keys in ", ShowCount(sizes.namespaces),
                      " namespaces, ", ShowSize(sizes.before), " before, ", ShowSize(sizes.after),
                      " after, ", ShowDuration(sizes.took));
}

Json ToJson(const std::string& path, const Sizes& sizes) {
  return Json{{"path", path},
              {"bytes_before", sizes.before},
              {"bytes_after", sizes.after},
              {"namespaces", sizes.namespaces},
              {"keys", sizes.keys},
              {"seconds", absl::ToDoubleSeconds(sizes.took)}};
}

// A missing directory, or store, is no answer: see ExitFor.
absl::Status NotAnAnswer(const absl::Status& status) {
  return absl::IsNotFound(status)
             ? base::FailedPrecondition(status.message(), "; name one that is there")
             : status;
}

absl::StatusOr<Exit> RunBackup(const BackupArguments& arguments, Output& out) {
  CatchInterrupts();
  COMMY_RETURN_IF_ERROR(KeepPrintsOut(arguments.destination));
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "commy backup"));
  const absl::Time begun = absl::Now();
  absl::StatusOr<BackupReport> report = absl::UnknownError("not run");
  {
    Progress progress;
    BackupOptions options = arguments.options;
    options.progress = ShownIn(progress);
    report = store.Backup(arguments.destination, options);
  }
  if (absl::IsAlreadyExists(report.status())) {
    return base::AlreadyExists(arguments.destination,
                               " exists; remove it, choose another destination, or give "
                               "--overwrite");
  }
  if (!report.ok()) {
    return NotAnAnswer(report.status());
  }
  const Sizes sizes{report->source_bytes, report->destination_bytes, report->namespaces,
                    report->keys, absl::Now() - begun};
  if (arguments.json) {
    Json json = ToJson(arguments.destination, sizes);
    json["commit_time"] = report->commit_time;
    out.Report(json);
  } else {
    out.Line(absl::StrCat(arguments.destination, ": backup of ", arguments.store, ": ",
                          Describe(sizes)));
  }
  return Exit::kDone;
}

CompactOptions WhatIsGiven(const CompactArguments& arguments) {
  const auto given = [&](const char* name, auto value) {
    return arguments.command->count(name) != 0 ? std::optional(value) : std::nullopt;
  };
  const Options& options = arguments.given;
  return {.destination = arguments.destination,
          .max_size = given("--max-size", options.max_size),
          .participants = given("--participants", options.participants),
          .threads = given("--threads", options.threads),
          .snapshots = given("--snapshots", options.snapshots),
          .stale_after = given("--stale-after", options.stale_after),
          .operation_timeout = given("--operation-timeout", options.operation_timeout),
          .heartbeat_interval = given("--heartbeat-interval", options.heartbeat_interval)};
}

absl::StatusOr<Exit> RunCompact(const CompactArguments& arguments, Output& out) {
  CatchInterrupts();
  COMMY_RETURN_IF_ERROR(KeepPrintsOut(arguments.store));
  const absl::Time begun = absl::Now();
  absl::StatusOr<CompactReport> report = absl::UnknownError("not run");
  {
    Progress progress;
    CompactOptions options = WhatIsGiven(arguments);
    options.progress = ShownIn(progress);
    report = Compact(arguments.store, options);
  }
  if (!report.ok()) {
    return NotAnAnswer(report.status());
  }
  const bool in_place = arguments.destination.empty();
  const std::string& made = in_place ? arguments.store : arguments.destination;
  const Sizes sizes{report->bytes_before, report->bytes_after, report->namespaces, report->keys,
                    absl::Now() - begun};
  if (arguments.json) {
    out.Report(ToJson(made, sizes));
  } else {
    out.Line(
        absl::StrCat(made, in_place ? ": compacted: " : ": compacted copy: ", Describe(sizes)));
  }
  return Exit::kDone;
}

void AddBackup(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "backup", "Copy a store, as it is at one moment, into a new store file without garbage");
  auto arguments = std::make_shared<BackupArguments>();
  AddStore(command, arguments->store);
  command.add_option("DEST", arguments->destination, "The new store file")
      ->required()
      ->type_name("");
  command.add_flag("--overwrite", arguments->options.overwrite,
                   "Put it in the place of a file that is there, if no process has that open");
  AddSize(command, "--limit", arguments->options.bytes_per_second,
          "Copy at most so much in a second (unless given: as fast as it can)");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy backup fleet.commy /backup/fleet.commy",
                        "commy backup fleet.commy /backup/fleet.commy --overwrite --limit 50MiB"});
  SetAction(command, arguments, action, RunBackup);
}

void AddCompact(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "compact",
      "Write a store that no process has open anew: densely, in the order of its keys, and with "
      "other limits if some are given");
  auto arguments = std::make_shared<CompactArguments>();
  arguments->command = &command;
  AddStore(command, arguments->store);
  command
      .add_option("DEST", arguments->destination,
                  "A new store file; STORE stays as it is (unless given: it is replaced)")
      ->check([](const std::string& path) {
        return path.empty() ? std::string("it is empty; leave it out to replace STORE")
                            : std::string();
      })
      ->type_name("");
  Options& given = arguments->given;
  AddSize(command, "--max-size", given.max_size, "The file never grows past this, up to 1TiB");
  AddCount(command, "--participants", given.participants,
           "Processes that may have the store open at once, 1 to 65534");
  AddCount(command, "--threads", given.threads,
           "Threads, of all processes together, that may use the store at once, 4 to 65526");
  AddCount(command, "--snapshots", given.snapshots,
           "Snapshots that may be held at once, those of scans included, 1 to 1048576");
  AddDuration(command, "--stale-after", given.stale_after,
              "Silent participants are shown as stalled after this time, 1ms to 24h");
  AddDuration(command, "--operation-timeout", given.operation_timeout,
              "Time limit of batches and transactions, and of a commit whose process is silent, "
              "1ms to 24h");
  AddDuration(command, "--heartbeat-interval", given.heartbeat_interval,
              "How often a participant shows that it is alive, 1ms to 24h");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy compact fleet.commy", "commy compact fleet.commy --max-size 256GiB",
                        "commy compact fleet.commy dense.commy --json"});
  SetAction(command, arguments, action, RunCompact);
}

}  // namespace

void AddPackingCommands(CLI::App& app, Action& action) {
  AddBackup(app, action);
  AddCompact(app, action);
}

}  // namespace commy::tools
