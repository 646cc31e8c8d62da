// load: records of a file into a namespace, or into several.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "dump_format.h"
#include "elements/loading.h"
#include "line_reader.h"
#include "progress.h"
#include "signals.h"
#include "typed/form.h"
#include "units.h"

namespace commy::tools {
namespace {

enum class Format { kTsv, kJsonl, kDump };

struct LoadArguments {
  std::string store;
  std::string path;
  std::string file;
  FormOptions form;
  Format format = Format::kTsv;
  bool all = false;
  bool ordered = false;
  bool append = false;
  bool json = false;
};

// The work done so far, whether the command succeeds or not.
struct Loaded {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // Of keys and values.
  std::uint64_t repeated = 0;
  std::uint64_t line = 0;  // The current one.
};

// A namespace that records go into.
struct Target {
  Namespace ns;
  Form form;
  std::optional<SharedCounter> counter;  // If it is one: values are added.
};

// One run of the command.
class Loader {
 public:
  Loader(const LoadArguments& arguments, const Store& store, LineReader& input, Loaded& loaded)
      : arguments_(arguments), store_(store), input_(input), loaded_(loaded) {}

  absl::Status Run() {
    absl::Status status = arguments_.format == Format::kDump ? LoadDump() : LoadLines();
    if (absl::IsCancelled(status)) {
      return absl::CancelledError(absl::StrCat(arguments_.store, ": interrupted after ",
                                               loaded_.records,
                                               " records; load again to have them all"));
    }
    // Before the first line, an error names its own subject.
    if (status.ok() || loaded_.line == 0) {
      return status;
    }
    const std::string message = absl::StrCat(
        arguments_.file == "-" ? "standard input" : arguments_.file, ": line ", loaded_.line, ": ",
        status.message(), "; ", loaded_.records, " records were loaded before it");
    if (absl::IsInvalidArgument(status)) {
      return absl::InvalidArgumentError(message + "; correct the line and load again");
    }
    return Explain(store_, absl::Status(status.code(), message));
  }

 private:
  // The first line of a file of another format.
  static absl::Status CheckIsTsv(std::string_view line) {
    if (line.starts_with("VERSION=")) {
      return base::InvalidArgument("this is a file of dump; give --format dump");
    }
    if (line.starts_with('{') && line.find('\t') == std::string_view::npos) {
      return base::InvalidArgument("this is a file of jsonl; give --format jsonl");
    }
    return absl::OkStatus();
  }

  absl::Status LoadLines() {
    std::string_view line;
    COMMY_ASSIGN_OR_RETURN(bool more, NextLine(line));
    std::string type;
    LimitOptions limits;
    bool ordered = arguments_.ordered;
    if (more && arguments_.format == Format::kTsv) {
      loaded_.line = lines_;
      COMMY_RETURN_IF_ERROR(CheckIsTsv(line));  // Before a namespace is made for it.
    }
    if (more && arguments_.format == Format::kJsonl) {
      const absl::StatusOr<std::optional<JsonlHeader>> header = ParseJsonlHeader(line);
      if (!header.ok() || header->has_value()) {
        loaded_.line = lines_;  // An error of the header, or of its type, is one of this line.
        COMMY_RETURN_IF_ERROR(header.status());
        type = (*header)->type;
        ordered = ordered || (*header)->ordered;
        limits = LimitsOf(**header);
        line = std::string_view();
      }
    }
    COMMY_ASSIGN_OR_RETURN(const Target target, Open(arguments_.path, ordered, type));
    COMMY_RETURN_IF_ERROR(target.form.CheckIsShown());
    if (target.form.HasElements()) {
      return LoadElements(target, line, more, limits);
    }
    if (limits.Any()) {
      return base::InvalidArgument("only a deque has a capacity, deliveries and dead letters");
    }
    while (more) {
      loaded_.line = lines_;
      if (!line.empty()) {
        COMMY_ASSIGN_OR_RETURN(const Record record, arguments_.format == Format::kTsv
                                                        ? target.form.ParseTsv(line)
                                                        : target.form.ParseJsonRecord(line));
        COMMY_RETURN_IF_ERROR(Put(target, record));
      }
      COMMY_ASSIGN_OR_RETURN(more, NextLine(line));
    }
    return absl::OkStatus();
  }

  // The elements of all lines take effect at one moment.
  absl::Status LoadElements(const Target& target, std::string_view line, bool more,
                            const LimitOptions& limits) {
    const Elements elements(store_, target.ns, target.form);
    LoadedElements read(elements);
    while (more) {
      loaded_.line = lines_;
      if (!line.empty()) {
        COMMY_RETURN_IF_ERROR(arguments_.format == Format::kTsv ? read.AddTsv(line)
                                                                : read.AddJson(line));
      }
      COMMY_RETURN_IF_ERROR(ShowProgress(read.count(), " elements"));
      COMMY_ASSIGN_OR_RETURN(more, NextLine(line));
    }
    COMMY_RETURN_IF_ERROR(arguments_.append ? read.Append(limits) : read.Replace(limits));
    loaded_.records = read.count();
    loaded_.bytes = read.size_bytes();
    return absl::OkStatus();
  }

  // The next line that is not empty. False: there is none.
  absl::StatusOr<bool> NextLine(std::string_view& line) {
    while (true) {
      COMMY_ASSIGN_OR_RETURN(const bool more, input_.Next(line));
      if (!more) {
        return false;
      }
      ++lines_;
      line.remove_suffix(line.ends_with('\r') ? 1 : 0);
      if (!line.empty()) {
        return true;
      }
    }
  }

  absl::Status LoadDump() {
    DumpReader reader(input_);
    absl::Status status = LoadSections(reader);
    loaded_.line = reader.line();
    return status;
  }

  absl::Status LoadSections(DumpReader& reader) {
    DumpHeader header;
    for (bool first = true;; first = false) {
      COMMY_ASSIGN_OR_RETURN(const bool more, reader.NextSection(header));
      if (!more) {
        return absl::OkStatus();
      }
      if (!arguments_.all && !first) {
        return base::InvalidArgument("another database begins here, \"",
                                     base::ToAbsl(header.database),
                                     "\"; to load each into a namespace of its name give --all");
      }
      if (arguments_.all && header.database.empty()) {
        return base::InvalidArgument(
            "a database without a name; name a namespace for it instead of --all");
      }
      COMMY_ASSIGN_OR_RETURN(const Target target,
                             Open(arguments_.all ? header.database : arguments_.path,
                                  arguments_.ordered || header.ordered, header.type));
      if (header.counter.has_value()) {
        COMMY_RETURN_IF_ERROR(Put(target, {"", std::to_string(*header.counter)}));
      }
      COMMY_RETURN_IF_ERROR(LoadSection(reader, target));
    }
  }

  // Of a container that is made of other records than keys and values: they mean something only
  // together, and only behind the one of the empty key, the root of a sequence.
  absl::Status LoadWholeSection(DumpReader& reader, const Target& target) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t there, target.ns.Size());
    if (there != 0) {
      return base::InvalidArgument(
          "the ", base::ToAbsl(target.form.KindName()), " \"", target.ns.path(),
          "\" is there already, and records of another one do not fit into it; drop it first, or ",
          "use --format jsonl");
    }
    Record record;
    std::optional<Record> root;
    while (true) {
      COMMY_ASSIGN_OR_RETURN(const bool more, reader.NextRecord(record));
      if (!more) {
        return root.has_value() ? Put(target, *root) : absl::OkStatus();
      }
      if (record.key.empty()) {
        root = record;
      } else {
        COMMY_RETURN_IF_ERROR(Put(target, record));
      }
    }
  }

  absl::Status LoadSection(DumpReader& reader, const Target& target) {
    if (target.form.HasElements() || !target.form.CheckIsShown().ok()) {
      return LoadWholeSection(reader, target);
    }
    Record record;
    std::optional<std::string> previous;  // Repeated keys are adjacent.
    while (true) {
      COMMY_ASSIGN_OR_RETURN(const bool more, reader.NextRecord(record));
      if (!more) {
        return absl::OkStatus();
      }
      COMMY_RETURN_IF_ERROR(target.form.Check(record));
      COMMY_RETURN_IF_ERROR(Put(target, record));
      loaded_.repeated += previous == record.key ? 1 : 0;
      previous = record.key;
    }
  }

  absl::StatusOr<Target> Open(const std::string& path, bool ordered, const std::string& type) {
    COMMY_ASSIGN_OR_RETURN(Namespace ns,
                           OpenTypedNamespace(store_, path, Use::kCreate, ordered, type));
    COMMY_ASSIGN_OR_RETURN(Form form, Form::Of(store_, ns, arguments_.form));
    if (arguments_.append && !form.HasElements()) {
      return Explain(store_, base::InvalidArgument("namespace \"", path, "\" is no vector, deque ",
                                                   "or string; leave --append out"));
    }
    Target target{std::move(ns), std::move(form), std::nullopt};
    if (target.form.IsCounter()) {
      absl::StatusOr<SharedCounter> counter = store_.OpenShared<SharedCounter>(path);
      COMMY_RETURN_IF_ERROR(Explain(store_, counter.status()));
      target.counter = *std::move(counter);
    }
    return target;
  }

  absl::Status Put(const Target& target, const Record& record) {
    COMMY_RETURN_IF_ERROR(target.counter.has_value() ? AddTo(*target.counter, record)
                                                     : PutTo(target.ns, record));
    ++loaded_.records;
    loaded_.bytes += record.key.size() + record.value.size();
    return ShowProgress(loaded_.records, " records");
  }

  absl::Status ShowProgress(std::uint64_t count, const std::string& what) {
    if (progress_.Due()) {
      progress_.Show(input_.bytes_read(), input_.bytes_total(), ShowCount(count) + what);
    }
    return Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
  }

  static absl::Status AddTo(const SharedCounter& counter, const Record& record) {
    std::int64_t value = 0;
    if (!absl::SimpleAtoi(record.value, &value)) {
      return base::InvalidArgument("the value of a counter is a whole number of 64 bits");
    }
    return counter.Add(value);
  }

  static absl::Status PutTo(const Namespace& ns, const Record& record) {
    PutOptions options;  // A record without a time to live gets the namespace's.
    if (record.ttl != absl::InfiniteDuration()) {
      options.ttl = record.ttl;
    }
    return ns.Put(record.key, record.value, options);
  }

  const LoadArguments& arguments_;
  const Store& store_;
  LineReader& input_;
  Loaded& loaded_;
  Progress progress_;
  std::uint64_t lines_ = 0;  // Read so far.
};

absl::Status CheckUsage(LoadArguments& arguments) {
  if (arguments.all) {
    // Without a namespace the word after the store is the file.
    if (!arguments.file.empty()) {
      return base::InvalidArgument("load --all takes a store and a file, and no namespace");
    }
    std::swap(arguments.path, arguments.file);
    if (arguments.format != Format::kDump) {
      return base::InvalidArgument("load --all needs --format dump: the other formats have no ",
                                   "place for the names of namespaces");
    }
  } else if (arguments.path.empty()) {
    return base::InvalidArgument("load: name a namespace, or give --all");
  }
  if (arguments.file.empty()) {
    arguments.file = "-";
  }
  return absl::OkStatus();
}

absl::StatusOr<Exit> RunLoad(const LoadArguments& given, Output& out) {
  LoadArguments arguments = given;
  if (const absl::Status usage = CheckUsage(arguments); !usage.ok()) {
    PrintFailure(base::ToStd(usage.message()));
    return Exit::kUsage;
  }
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(LineReader input, LineReader::Open(arguments.file));
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kCreate, "load"));
  const absl::Time start = absl::Now();
  Loaded loaded;
  COMMY_RETURN_IF_ERROR(Loader(arguments, store, input, loaded).Run());
  const absl::Duration elapsed = absl::Now() - start;
  if (arguments.json) {
    out.Report(Json{{"records", loaded.records},
                    {"bytes", loaded.bytes},
                    {"seconds", absl::ToDoubleSeconds(elapsed)}});
  } else {
    out.Line(absl::StrCat("loaded ", ShowCount(loaded.records), " records, ",
                          ShowSize(loaded.bytes), ", in ", ShowDuration(elapsed)));
  }
  if (loaded.repeated != 0) {
    PrintWarning(absl::StrCat(loaded.repeated, " keys came more than once: the last value of each ",
                              "was kept, as a namespace has one value a key"));
  }
  return Exit::kDone;
}

}  // namespace

void AddLoadCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("load", "Set keys from a file");
  auto arguments = std::make_shared<LoadArguments>();
  AddStore(command, arguments->store);
  command.add_option("NS", arguments->path, "Namespace: parts separated by '/'")->type_name("");
  command.add_option("FILE", arguments->file, "File to read; none or -: standard input")
      ->type_name("");
  const std::map<std::string, Format> formats = {
      {"tsv", Format::kTsv}, {"jsonl", Format::kJsonl}, {"dump", Format::kDump}};
  command
      .add_option("--format", arguments->format,
                  "tsv (unless given): key, tab, value, with \\t \\n \\r \\\\ \\xHH, lines that "
                  "end in LF or CR LF; jsonl: "
                  "{\"key\":…,\"value\":…,\"ttl_ms\":…} or key_base64, value_base64, perhaps "
                  "behind a line that dump wrote with the type of the namespace; dump: the output "
                  "of dump, mdb_dump and db_dump. Keys and values are of the namespace's type, and "
                  "values are added to a counter. A line of a vector, deque or string is an "
                  "element, perhaps with its index before it")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("tsv|jsonl|dump");
  command.add_flag("--all", arguments->all,
                   "Each database of a dump into a namespace of its name; without NS");
  command.add_flag("--append", arguments->append,
                   "Of a vector, deque or string: add behind what is there. Else the file becomes "
                   "its content");
  command.add_flag("--ordered", arguments->ordered, "Make a new namespace an ordered one");
  AddFormOptions(command, arguments->form);
  AddJson(command, arguments->json);
  SetExamples(command,
              {"commy load fleet.commy acme/config config.tsv",
               "commy scan old.commy a --format jsonl | commy load new.commy a --format jsonl",
               "mdb_dump -n words.mdb | commy load fleet.commy words --format dump",
               "printf 'greeting\\thello\\n' | commy load fleet.commy acme/config"});
  SetAction(command, arguments, action, RunLoad);
}

}  // namespace commy::tools
