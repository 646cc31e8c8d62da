// load: records of a file into a namespace.

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "jsonl.h"
#include "line_reader.h"
#include "progress.h"
#include "signals.h"
#include "tsv.h"
#include "units.h"

namespace commy::tools {
namespace {

enum class Format { kTsv, kJsonl };

struct LoadArguments {
  std::string store;
  std::string path;
  std::string file = "-";
  Format format = Format::kTsv;
  bool ordered = false;
  bool json = false;
};

// What was done before it ended, well or not.
struct Loaded {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // Of keys and values.
};

std::string SourceName(const LoadArguments& arguments) {
  return arguments.file == "-" ? "standard input" : arguments.file;
}

absl::Status LoadLine(std::string_view line, Format format, const Namespace& ns, Loaded& loaded) {
  COMMY_ASSIGN_OR_RETURN(const Record record,
                         format == Format::kTsv ? ParseTsvLine(line) : ParseJsonLine(line));
  COMMY_RETURN_IF_ERROR(ns.Put(record.key, record.value, PutOptions{.ttl = record.ttl}));
  ++loaded.records;
  loaded.bytes += record.key.size() + record.value.size();
  return absl::OkStatus();
}

// The error of a line, with the line's number and how far it had come.
absl::Status AtLine(const Store& store, const LoadArguments& arguments, const absl::Status& status,
                    const Loaded& loaded) {
  const std::string message =
      absl::StrCat(SourceName(arguments), ": line ", loaded.records + 1, ": ", status.message(),
                   "; ", loaded.records, " records were loaded before it");
  if (absl::IsInvalidArgument(status)) {
    return absl::InvalidArgumentError(message + "; mend the line and load again");
  }
  return Explain(store, absl::Status(status.code(), message));
}

absl::Status Load(const Store& store, const Namespace& ns, const LoadArguments& arguments,
                  LineReader& input, Loaded& loaded) {
  Progress progress;
  for (std::string_view line;;) {
    const absl::StatusOr<bool> more =
        Interrupted() ? absl::CancelledError("interrupted") : input.Next(line);
    if (absl::IsCancelled(more.status())) {
      return absl::CancelledError(absl::StrCat(arguments.store, ": interrupted after ",
                                               loaded.records,
                                               " records; load again to have them all"));
    }
    if (!more.ok()) {
      return absl::Status(more.status().code(),
                          absl::StrCat(more.status().message(), "; ", loaded.records,
                                       " records were loaded before it"));
    }
    if (!*more) {
      return absl::OkStatus();
    }
    if (const absl::Status put = LoadLine(line, arguments.format, ns, loaded); !put.ok()) {
      return AtLine(store, arguments, put, loaded);
    }
    if (progress.Due()) {
      progress.Show(input.bytes_read(), input.bytes_total(),
                    ShowCount(loaded.records) + " records");
    }
  }
}

absl::StatusOr<Exit> RunLoad(const LoadArguments& arguments, Output& out) {
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(LineReader input, LineReader::Open(arguments.file));
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kCreate, "load"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns,
                         OpenNamespace(store, arguments.path, Use::kCreate, arguments.ordered));
  const absl::Time start = absl::Now();
  Loaded loaded;
  COMMY_RETURN_IF_ERROR(Load(store, ns, arguments, input, loaded));
  const absl::Duration elapsed = absl::Now() - start;
  if (arguments.json) {
    out.Report(Json{{"records", loaded.records},
                    {"bytes", loaded.bytes},
                    {"seconds", absl::ToDoubleSeconds(elapsed)}});
  } else {
    out.Line(absl::StrCat("loaded ", ShowCount(loaded.records), " records, ",
                          ShowSize(loaded.bytes), ", in ", ShowDuration(elapsed)));
  }
  return Exit::kDone;
}

}  // namespace

void AddLoadCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("load", "Set keys from the lines of a file");
  auto arguments = std::make_shared<LoadArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  command.add_option("FILE", arguments->file, "File to read; none or -: standard input")
      ->type_name("");
  const std::map<std::string, Format> formats = {{"tsv", Format::kTsv}, {"jsonl", Format::kJsonl}};
  command
      .add_option("--format", arguments->format,
                  "tsv (unless given): key, tab, value, with \\t \\n \\r \\\\ \\xHH; jsonl: "
                  "{\"key\":…,\"value\":…,\"ttl_ms\":…} or key_base64, value_base64")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("tsv|jsonl");
  command.add_flag("--ordered", arguments->ordered, "Make a new namespace an ordered one");
  AddJson(command, arguments->json);
  SetExamples(command,
              {"commy load fleet.commy acme/config config.tsv",
               "commy scan old.commy a --format jsonl | commy load new.commy a --format jsonl",
               "printf 'greeting\\thello\\n' | commy load fleet.commy acme/config"});
  SetAction(command, arguments, action, RunLoad);
}

}  // namespace commy::tools
