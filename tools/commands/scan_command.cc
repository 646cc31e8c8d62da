// scan: the keys of a namespace.

#include <cstdint>
#include <string>

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "elements/lines.h"
#include "signals.h"
#include "typed/form.h"

namespace commy::tools {
namespace {

enum class Format { kTsv, kJsonl, kRaw };

struct ScanArguments {
  std::string store;
  std::string path;
  ScanOptions options;
  FormOptions form;
  bool keys_only = false;
  bool json = false;
  Format format = Format::kTsv;
};

absl::Status AppendRecord(const Form& form, const RecordView& record,
                          const ScanArguments& arguments, std::string& out) {
  switch (arguments.format) {
    case Format::kTsv:
      return form.AppendTsv(record, arguments.keys_only, out);
    case Format::kRaw:
      return form.AppendRaw(record, arguments.keys_only, out);
    case Format::kJsonl:
      break;
  }
  return form.AppendJson(record, arguments.keys_only, out);
}

// The one line of a counter.
absl::Status ScanCounter(const Store& store, const Form& form, const ScanArguments& arguments,
                         std::string& out) {
  COMMY_ASSIGN_OR_RETURN(
      const SharedCounter counter,
      store.OpenShared<SharedCounter>(arguments.path, SharedOptions{.create_if_missing = false}));
  COMMY_ASSIGN_OR_RETURN(const std::int64_t value, counter.Value());
  return AppendRecord(form, {"", std::to_string(value)}, arguments, out);
}

ElementFormat ElementFormatOf(Format format) {
  switch (format) {
    case Format::kTsv:
      return ElementFormat::kTsv;
    case Format::kRaw:
      return ElementFormat::kRaw;
    case Format::kJsonl:
      break;
  }
  return ElementFormat::kJson;
}

absl::StatusOr<Exit> ScanElements(const Elements& elements, const ScanArguments& arguments,
                                  Output& out) {
  const absl::StatusOr<Snapshot> now = elements.store().TakeSnapshot();
  COMMY_RETURN_IF_ERROR(elements.Explained(now.status()));
  const ElementLines lines{.format = ElementFormatOf(arguments.format),
                           .indexes_only = arguments.keys_only,
                           .range = arguments.options};
  const absl::Status written = WriteElements(elements, *now, lines, out);
  if (!out.status().ok()) {
    return Exit::kFailed;  // The caller examines `out`.
  }
  if (absl::IsCancelled(written)) {
    return absl::CancelledError(arguments.store + ": interrupted; not all elements were printed");
  }
  return written.ok() ? absl::StatusOr<Exit>(Exit::kDone) : written;
}

absl::StatusOr<Exit> RunScan(const ScanArguments& given, Output& out) {
  ScanArguments arguments = given;
  arguments.format = given.json ? Format::kJsonl : given.format;
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "scan"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, arguments.path, Use::kRead));
  COMMY_ASSIGN_OR_RETURN(const Form form, Form::Of(store, ns, arguments.form));
  COMMY_RETURN_IF_ERROR(Explain(store, form.CheckIsShown()));
  if (form.HasElements()) {
    return ScanElements(Elements(store, ns, form), arguments, out);
  }
  COMMY_RETURN_IF_ERROR(Explain(store, form.ParseRange(arguments.options)));
  if (form.IsCounter()) {
    COMMY_RETURN_IF_ERROR(Explain(store, ScanCounter(store, form, arguments, out.buffer())));
    return Exit::kDone;
  }
  ScanRange scan = ns.Scan(arguments.options);
  for (const Entry& entry : scan) {
    COMMY_RETURN_IF_ERROR(Explain(
        store,
        AppendRecord(form, {entry.key(), entry.value(), entry.ttl()}, arguments, out.buffer())));
    out.Drain();
    if (!out.status().ok()) {
      return Exit::kFailed;  // The caller examines `out`.
    }
    if (Interrupted()) {
      return absl::CancelledError(arguments.store + ": interrupted; not all keys were printed");
    }
  }
  COMMY_RETURN_IF_ERROR(Explain(store, scan.status()));
  return Exit::kDone;
}

void AddRange(CLI::App& command, ScanOptions& options) {
  command.add_option("--from", options.from, "Only keys, or indexes of elements, from this one on")
      ->type_name("KEY");
  command.add_option("--to", options.to, "Only those before this one")->type_name("KEY");
  command
      .add_option("--prefix", options.prefix,
                  "Only keys that begin with this; of keys of several parts, the first parts")
      ->type_name("PREFIX");
  AddCount(command, "--limit", options.limit, "At most this many keys or elements");
  command.add_flag("--reverse", options.reverse,
                   "Last key first (ordered namespaces), or last element first");
}

}  // namespace

void AddScanCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "scan",
      "Print the keys and values of a namespace, or the indexes and elements of a vector or deque, "
      "as they are at one moment");
  auto arguments = std::make_shared<ScanArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  AddRange(command, arguments->options);
  AddFormOptions(command, arguments->form);
  command.add_flag("--keys", arguments->keys_only, "Keys, or indexes, only");
  CLI::Option& format = AddChoice<Format, Format>(
      command, "--format", arguments->format,
      {{"tsv", Format::kTsv}, {"jsonl", Format::kJsonl}, {"raw", Format::kRaw}},
      "tsv: \\t \\n \\r \\\\ and \\xHH stand for what they name; jsonl: a JSON object "
      "a line; raw: as tsv without escapes, not for reading back");
  command.add_flag("--json", arguments->json, "The same as --format jsonl")->excludes(&format);
  SetExamples(command, {"commy scan fleet.commy acme/config",
                        "commy scan fleet.commy acme/config --prefix db. --keys",
                        "commy scan fleet.commy acme/events --from 05 --to 06 --reverse --limit 10",
                        "commy scan fleet.commy acme/scores --prefix 30",
                        "commy scan fleet.commy acme/samples --from 100 --limit 10",
                        "commy scan fleet.commy acme/scores --from 10 --to 30,bob",
                        "commy scan fleet.commy acme/legacy --key int,str",
                        "commy scan fleet.commy acme/config --format jsonl > config.jsonl"});
  SetAction(command, arguments, action, RunScan);
}

}  // namespace commy::tools
