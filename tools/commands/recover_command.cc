// recover: copies all data that verifies from a store file that cannot be opened into a new one.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "commy/recover.h"
#include "jsonl.h"
#include "progress.h"
#include "signals.h"
#include "tsv.h"
#include "units.h"

namespace commy::tools {
namespace {

struct RecoverArguments {
  std::string source;
  std::string destination;
  bool json = false;
};

Json ToJson(const RecoverReport& report) {
  Json faults = Json::array();
  for (const std::string& fault : report.faults) {
    faults.push_back(fault);
  }
  return Json{{"whole", report.whole()},
              {"source_bytes", report.source_bytes},
              {"destination_bytes", report.destination_bytes},
              {"namespaces", report.namespaces},
              {"keys", report.keys},
              {"deleted", report.deleted},
              {"expired", report.expired},
              {"keys_older", report.keys_older},
              {"keys_lost", report.keys_lost},
              {"records_damaged", report.records_damaged},
              {"transactions_torn", report.transactions_torn},
              {"may_be_torn", report.may_be_torn},
              {"fault_count", report.fault_count},
              {"faults", std::move(faults)}};
}

std::string ToText(const RecoverArguments& arguments, const RecoverReport& report) {
  std::string text = absl::StrFormat(
      "saved %s keys in %s namespaces to %s (%s, from %s)\n"
      "not saved: %s deleted, %s expired\n"
      "known to be lost: %s keys; %s have an older value; %s records do not verify; "
      "%s transactions are torn\n",
      ShowCount(report.keys), ShowCount(report.namespaces), arguments.destination,
      ShowSize(report.destination_bytes), ShowSize(report.source_bytes), ShowCount(report.deleted),
      ShowCount(report.expired), ShowCount(report.keys_lost), ShowCount(report.keys_older),
      ShowCount(report.records_damaged), ShowCount(report.transactions_torn));
  for (const std::string& fault : report.faults) {
    text += "fault: ";
    AppendTsvField(fault, text);
    text += '\n';
  }
  if (report.fault_count > report.faults.size()) {
    absl::StrAppendFormat(&text, "and %d more faults\n", report.fault_count - report.faults.size());
  }
  if (report.fault_count == 0 && report.may_be_torn) {
    text +=
        "nothing is known to be lost; but the store was in use when it was copied or the machine "
        "went "
        "down,\nor it is now: some of the changes since its last sync may be missing "
        "without a trace\n";
  }
  text += report.whole() ? "whole\n" : "NOT whole\n";
  return text;
}

absl::StatusOr<Exit> RunRecover(const RecoverArguments& arguments, Output& out) {
  CatchInterrupts();
  COMMY_RETURN_IF_ERROR(KeepPrintsOut(arguments.source));
  RecoverOptions options;
  absl::StatusOr<RecoverReport> report = absl::UnknownError("not run");
  {
    Progress progress;
    options.progress = [&progress](std::uint64_t done, std::uint64_t total) {
      if (progress.Due()) {
        progress.Show(done, total, "");
      }
      return !Interrupted();
    };
    report = Recover(arguments.source, arguments.destination, options);
  }
  if (absl::IsNotFound(report.status())) {
    return base::FailedPrecondition(report.status().message(), "; name a store file that is there");
  }
  COMMY_RETURN_IF_ERROR(report.status());
  if (arguments.json) {
    out.Report(ToJson(*report));
  } else {
    out.Write(ToText(arguments, *report));
  }
  return report->whole() ? Exit::kDone : Exit::kNo;
}

}  // namespace

void AddRecoverCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "recover",
      "Save what verifies in a torn or damaged store file into a new store. Exit status 1: "
      "something was lost, or may be");
  auto arguments = std::make_shared<RecoverArguments>();
  AddStore(command, arguments->source);
  command.add_option("DEST", arguments->destination, "The new store; it must not exist")
      ->required()
      ->type_name("");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy recover torn.commy saved.commy",
                        "commy recover torn.commy saved.commy --json"});
  SetAction(command, arguments, action, RunRecover);
}

}  // namespace commy::tools
