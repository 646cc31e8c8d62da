// demo, and the hidden demo-worker: the demo's processes run this program again.

#include <cerrno>
#include <string>

#include "command.h"
#include "demo/dataset.h"
#include "demo/demo_run.h"
#include "demo/report.h"
#include "demo/worker.h"

namespace commy::tools {
namespace {

struct DemoArguments {
  demo::DemoOptions options{.store = "demo.commy", .files = demo::FindDatasetFiles()};
  bool json = false;
};

// How to call this program again: by the path, if the user gave one.
std::string ProgramName() {
  const std::string name = program_invocation_name;
  return name.find('/') != std::string::npos ? name : "commy";
}

absl::StatusOr<Exit> RunDemoCommand(const DemoArguments& arguments, Output& out) {
  const absl::StatusOr<demo::DemoOutcome> outcome = demo::RunDemo(arguments.options);
  if (!outcome.ok()) {
    return outcome.status();
  }
  if (arguments.json) {
    out.Report(demo::ToJson(*outcome));
  } else {
    out.Write(demo::ToText(*outcome, arguments.options, ProgramName()));
  }
  return outcome->as_promised() ? Exit::kDone : Exit::kNo;
}

absl::StatusOr<Exit> RunDemoWorker(const demo::WorkerArguments& arguments, Output& /*out*/) {
  const absl::Status status = demo::RunWorker(arguments);
  if (!status.ok()) {
    return absl::InternalError(std::string(demo::kParts.at(arguments.part).name) + ": " +
                               std::string(status.message()));
  }
  return Exit::kDone;
}

void AddDemoWorker(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("demo-worker", "One process of the demo");
  command.group("");  // Not in the help.
  auto arguments = std::make_shared<demo::WorkerArguments>();
  AddStore(command, arguments->store);
  command.add_option("PART", arguments->part)->required()->check(CLI::Range(0, 5));
  command.add_option("COUNTERS", arguments->counters_fd)->required();
  command.add_option("UNICODE", arguments->files.unicode)->required();
  command.add_option("WORDS", arguments->files.words)->required();
  SetAction(command, arguments, action, RunDemoWorker);
}

}  // namespace

void AddDemoCommands(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("demo",
                                          "Six processes share a store of 139,000 keys; one is "
                                          "killed, one stopped, and everything is checked.\n"
                                          "Exit status 1: something was not as promised");
  auto arguments = std::make_shared<DemoArguments>();
  command.add_option("STORE", arguments->options.store, "Path of the demo's store (demo.commy)")
      ->type_name("");
  AddDuration(command, "--length", arguments->options.length, "How long they work (15s)",
              absl::Hours(24));
  command
      .add_option("--unicode", arguments->options.files.unicode,
                  "UnicodeData.txt (package unicode-data)")
      ->type_name("FILE");
  command
      .add_option("--words", arguments->options.files.words, "A list of words (package wamerican)")
      ->type_name("FILE");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy demo", "commy demo /tmp/demo.commy --length 5s"});
  SetAction(command, arguments, action, RunDemoCommand);
  AddDemoWorker(app, action);
}

}  // namespace commy::tools
