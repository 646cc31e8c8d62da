// shrink: gives disk space back while others use the store.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "access.h"
#include "command.h"
#include "jsonl.h"
#include "progress.h"
#include "signals.h"
#include "units.h"

namespace commy::tools {
namespace {

struct ShrinkArguments {
  std::string store;
  bool json = false;
  std::uint64_t fill = 80;
  std::uint64_t bytes_limit = UINT64_MAX;
  absl::Duration time_limit = absl::InfiniteDuration();
  bool keep_end = false;
};

Json ToJson(const ShrinkReport& report, std::uint64_t file_bytes, std::uint64_t disk_bytes) {
  return Json{{"done", report.done},
              {"disk_bytes_before", report.disk_bytes_before},
              {"disk_bytes_after", disk_bytes},
              {"file_bytes_before", report.file_bytes_before},
              {"file_bytes_after", file_bytes},
              {"moved_blocks", report.moved_blocks},
              {"moved_bytes", report.moved_bytes},
              {"stuck_bytes", report.stuck_bytes},
              {"stuck_for_snapshots", report.stuck_for_snapshots},
              {"stuck_busy", report.stuck_busy},
              {"stuck_for_good", report.stuck_for_good},
              {"waiting_bytes", report.waiting_bytes},
              {"held_by", report.held_by}};
}

std::string ToText(const ShrinkArguments& arguments, const ShrinkReport& report) {
  std::string text =
      absl::StrFormat("%s: %s on disk, was %s; moved %s in %s blocks\n", arguments.store,
                      ShowSize(report.disk_bytes_after), ShowSize(report.disk_bytes_before),
                      ShowSize(report.moved_bytes), ShowCount(report.moved_blocks));
  if (report.stuck_bytes != 0) {
    absl::StrAppendFormat(&text,
                          "%s of sparse spans stay: in them are %s blocks kept for snapshots, %s "
                          "at work, and %s that "
                          "never move\n",
                          ShowSize(report.stuck_bytes), ShowCount(report.stuck_for_snapshots),
                          ShowCount(report.stuck_busy), ShowCount(report.stuck_for_good));
  }
  if (!report.held_by.empty()) {
    absl::StrAppendFormat(&text, "%s wait until these go on:\n", ShowSize(report.waiting_bytes));
    for (const std::string& holder : report.held_by) {
      absl::StrAppend(&text, "  ", holder, "\n");
    }
  }
  if (!report.done) {
    text += "not done: a limit came first; the next shrink goes on\n";
  }
  return text;
}

absl::StatusOr<Exit> RunShrink(const ShrinkArguments& arguments, Output& out) {
  CatchInterrupts();
  absl::StatusOr<Store> store = OpenStore(arguments.store, Use::kChange, "commy shrink");
  if (!store.ok()) {
    return store.status();
  }
  ShrinkOptions options;
  options.fill = static_cast<double>(arguments.fill) / 100;
  options.move_end = !arguments.keep_end;
  options.bytes_limit = arguments.bytes_limit;
  options.time_limit = arguments.time_limit;
  absl::StatusOr<ShrinkReport> report = absl::UnknownError("not run");
  {
    Progress progress;
    options.progress = [&progress](const ShrinkProgress& now) {
      if (progress.Due()) {
        progress.Show(now.moved_bytes, 0, "moved");
      }
      return !Interrupted();
    };
    report = store->ShrinkToUsage(options);
  }
  if (!report.ok()) {
    return Explain(*store, report.status());
  }
  if (arguments.json) {
    out.Report(ToJson(*report, report->file_bytes_after, report->disk_bytes_after));
  } else {
    out.Write(ToText(arguments, *report));
  }
  return report->done ? Exit::kDone : Exit::kNo;
}

}  // namespace

void AddShrinkCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "shrink",
      "Give disk space back while others use the store: moves blocks together and gives the rest "
      "back to the file system. The file is cut when the last process closes the store. Exit "
      "status "
      "1: a limit, or an interrupt, came first");
  auto arguments = std::make_shared<ShrinkArguments>();
  AddStore(command, arguments->store);
  AddLimited(command, "--fill", arguments->fill, 0, 100,
             "Spans of which at most this many percent are in use are emptied, 0 to 100 (unless "
             "given: 80)");
  AddSize(command, "--bytes", arguments->bytes_limit, "End after this much was moved, about");
  AddDuration(command, "--time", arguments->time_limit, "End after this time, about");
  command.add_flag("--keep-end", arguments->keep_end,
                   "Do not move what lies near the end of the file");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy shrink fleet.commy", "commy shrink fleet.commy --time 10s",
                        "commy shrink fleet.commy --fill 95 --json"});
  SetAction(command, arguments, action, RunShrink);
}

}  // namespace commy::tools
