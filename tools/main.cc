// The commy command line. See `commy --help`; commands are in commands/ and demo/.

#include <exception>
#include <string>

#include <unistd.h>

#include "CLI/CLI.hpp"

#include "base/status.h"
#include "command.h"
#include "commy/store.h"
#include "output.h"
#include "signals.h"
#include "standard_streams.h"

namespace commy::tools {
namespace {

constexpr const char* kAbout =
    "Commy: a key-value store of several processes in one mapped file.\n"
    "Each command but compact works while other processes use the store.";

constexpr const char* kExitStatus =
    "Exit status: 0 done; 1 the answer is no (not found, not sound); 2 wrong usage; 3 it failed,\n"
    "with a line on standard error. `commy COMMAND --help` shows a command's options and examples.";

void AddCommands(CLI::App& app, Action& action) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "commy " + std::string(Version()));
  app.footer(kExitStatus);
  AddStoreCommands(app, action);
  AddKeyCommands(app, action);
  AddElementCommands(app, action);
  AddQueueCommand(app, action);
  AddNamespaceCommands(app, action);
  AddScanCommand(app, action);
  AddLoadCommand(app, action);
  AddDumpCommand(app, action);
  AddPackingCommands(app, action);
  AddRecoverCommand(app, action);
  AddShrinkCommand(app, action);
  AddTopCommand(app, action);
  AddBenchCommand(app, action);
  AddDemoCommands(app, action);
  AddDescribeCommand(app, action);
}

// "commy", or "commy ns list": the command whose help to read.
std::string ChosenCommand(const CLI::App& app) {
  std::string name = "commy";
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    name += " " + at->get_name();
  }
  return name;
}

// Describes the usage error. For an unknown command, CLI11 would say that one is missing.
std::string UsageError(const CLI::App& app, const CLI::ParseError& error,
                       const std::string& first) {
  if (app.get_subcommands().empty() && !first.empty() && first[0] != '-') {
    return "there is no command \"" + first + "\"";
  }
  return error.what();
}

Exit Finish(Exit result, Output& out) {
  if (const absl::Status flushed = out.Flush(); !flushed.ok()) {
    if (out.broken_pipe()) {
      EndByBrokenPipe();
    }
    if (absl::IsCancelled(flushed)) {
      EndByInterrupt();
    }
    PrintFailure(std::string(flushed.message()));
    return Exit::kFailed;
  }
  return result;
}

Exit Perform(const Action& action, Output& out) {
  const absl::StatusOr<Exit> result = action(out);
  if (result.ok()) {
    return Finish(*result, out);
  }
  // The output found before the error is shown; the exit status says that it is incomplete.
  const Exit flushed = Finish(ExitFor(result.status()), out);
  if (out.status().ok()) {
    PrintFailure(base::ToStd(result.status().message()));
  }
  if (absl::IsCancelled(result.status())) {
    EndByInterrupt();
  }
  return flushed;
}

Exit Run(int argc, char** argv) {
  CLI::App app(kAbout, "commy");
  Action action;
  Output out(STDOUT_FILENO);
  AddCommands(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out.Write(app.help());
    return Finish(Exit::kDone, out);
  } catch (const CLI::CallForVersion& version) {
    out.Line(version.what());
    return Finish(Exit::kDone, out);
  } catch (const CLI::ParseError& error) {
    PrintFailure(UsageError(app, error, argc > 1 ? argv[1] : "") + "; see `" + ChosenCommand(app) +
                 " --help`");
    return Exit::kUsage;
  }
  return Perform(action, out);
}

}  // namespace
}  // namespace commy::tools

int main(int argc, char** argv) {
  commy::tools::FillStandardStreams();
  commy::tools::IgnoreBrokenPipes();
  try {
    return static_cast<int>(commy::tools::Run(argc, argv));
  } catch (
      const std::exception& error) {  // Out of memory: neither the program nor the engine throws.
    commy::tools::PrintFailure(std::string("gave up: ") + error.what());
    return static_cast<int>(commy::tools::Exit::kFailed);
  }
}
