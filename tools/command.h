// Code that all commands share: how one is added to the command line, and how it ends.
//
// Each file in commands/ adds a group of commands. A command is a struct of arguments, which CLI11
// fills, and a function that runs with them:
//
//   absl::StatusOr<Exit> RunGet(const KeyArguments& arguments, Output& out);
//
// It opens the store, works, and appends its output to `out`. A returned error becomes the line on
// standard error and the exit status (see ExitFor).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "output.h"

namespace commy::tools {

enum class Exit : int {
  kDone = 0,
  kNo = 1,     // The answer is no: not found, not sound, timed out.
  kUsage = 2,  // Wrong usage; CLI11 finds most of it.
  kFailed = 3,
};

// kNo for NotFound and DeadlineExceeded, else kFailed. A missing store or input file is not an
// answer, so it must come as another code.
Exit ExitFor(const absl::Status& status);

// The work of the chosen command.
using Action = std::function<absl::StatusOr<Exit>(Output&)>;

// Makes `run(arguments, out)` the action if `command` is the one that was given.
template <typename Arguments>
void SetAction(CLI::App& command, std::shared_ptr<Arguments> arguments, Action& action,
               absl::StatusOr<Exit> (*run)(const Arguments&, Output&)) {
  command.callback([arguments = std::move(arguments), &action, run] {
    action = [arguments, run](Output& out) { return run(*arguments, out); };
  });
}

// Options and positionals that several commands share.
void AddStore(CLI::App& command, std::string& store);
void AddNamespace(CLI::App& command, std::string& path);
void AddJson(CLI::App& command, bool& json);
// Checked decimal integers; CLI11 alone would take the nearest number that fits.
CLI::Option& AddInteger(CLI::App& command, const std::string& name, std::int64_t& number,
                        const std::string& about);
CLI::Option& AddCount(CLI::App& command, const std::string& name, std::uint64_t& number,
                      const std::string& about);
// The same within limits, which the error names.
void AddLimited(CLI::App& command, const std::string& name, std::uint64_t& number,
                std::uint64_t least, std::uint64_t most, const std::string& about);
// Seconds with a fraction, within limits; "nan" is an error.
void AddSeconds(CLI::App& command, const std::string& name, double& seconds, double least,
                double most, const std::string& about);
void AddSize(CLI::App& command, const std::string& name, std::uint64_t& bytes,
             const std::string& about);
// --ttl: a time to live, "inf" for never; unchanged if not given.
void AddTtl(CLI::App& command, std::optional<absl::Duration>& ttl, const std::string& about);
// Above zero and at most `most`, which the error then names; infinite: no limit.
void AddDuration(CLI::App& command, const std::string& name, absl::Duration& duration,
                 const std::string& about, absl::Duration most = absl::InfiniteDuration());
// One of these words; `value` is an enumeration, or an optional one.
template <typename Value, typename Choice>
CLI::Option& AddChoice(CLI::App& command, const std::string& name, Value& value,
                       std::vector<std::pair<std::string, Choice>> choices,
                       const std::string& about) {
  std::string words;
  for (const auto& [word, choice] : choices) {
    words += (words.empty() ? "" : "|") + word;
  }
  const auto parse = [name, &value, choices = std::move(choices), words](const std::string& text) {
    for (const auto& [word, choice] : choices) {
      if (word == text) {
        value = choice;
        return;
      }
    }
    throw CLI::ValidationError(name, "\"" + text + "\" is none of " + words);
  };
  return *command.add_option_function<std::string>(name, parse, about)->type_name(words);
}

// "Examples:" and these lines, below the command's help.
void SetExamples(CLI::App& command, std::initializer_list<std::string_view> lines);

// commands/*.cc, top/, bench/ and demo/
void AddStoreCommands(CLI::App& app, Action& action);      // init, stat, ps, check, layout
void AddStatCommand(CLI::App& app, Action& action);        // The same of stat alone.
void AddKeyCommands(CLI::App& app, Action& action);        // put, get, del, add
void AddNamespaceCommands(CLI::App& app, Action& action);  // ns list|create|drop|rename
void AddElementCommands(CLI::App& app, Action& action);    // push, pop, len
void AddQueueCommand(CLI::App& app, Action& action);
void AddScanCommand(CLI::App& app, Action& action);
void AddLoadCommand(CLI::App& app, Action& action);
void AddDumpCommand(CLI::App& app, Action& action);
void AddPackingCommands(CLI::App& app, Action& action);  // backup, compact
void AddRecoverCommand(CLI::App& app, Action& action);
void AddShrinkCommand(CLI::App& app, Action& action);
void AddTopCommand(CLI::App& app, Action& action);
void AddBenchCommand(CLI::App& app, Action& action);
void AddDemoCommands(CLI::App& app, Action& action);
void AddDescribeCommand(CLI::App& app, Action& action);  // Hidden.

}  // namespace commy::tools
