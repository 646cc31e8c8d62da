// load: records of a file into a namespace, or into several.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "access.h"
#include "api/exact.h"
#include "base/status.h"
#include "command.h"
#include "dump_format.h"
#include "elements/loading.h"
#include "jsonl_header.h"
#include "line_reader.h"
#include "progress.h"
#include "signals.h"
#include "typed/form.h"
#include "typed/parts.h"
#include "units.h"

namespace commy::tools {
namespace {

enum class Format { kTsv, kJsonl, kDump };

struct LoadArguments {
  std::string store;
  std::string path;
  std::string file;
  FormOptions form;
  std::optional<Format> format;
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
  std::uint64_t expired = 0;  // Left out, for they had expired.
  std::uint64_t quotas_left_out = 0;
  std::uint64_t line = 0;  // The current one.
};

// A namespace that records go into.
struct Target {
  Namespace ns;
  Form form;
  std::optional<SharedCounter> counter = std::nullopt;  // If it is one: values are added.
  bool exact = false;         // Records without a time to live never expire.
  std::int64_t shift_ns = 0;  // From the times of the file to those of the store.
};

// One run of the command.
class Loader {
 public:
  Loader(const LoadArguments& arguments, const Store& store, LineReader& input, Loaded& loaded)
      : arguments_(arguments), store_(store), input_(input), loaded_(loaded) {}

  absl::Status Run() {
    absl::Status status = LoadFile();
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

  absl::Status LoadFile() {
    COMMY_ASSIGN_OR_RETURN(format_, FormatOfFile());
    switch (format_) {
      case Format::kTsv:
        return LoadTsv();
      case Format::kJsonl:
        return LoadJsonl();
      case Format::kDump:
        return LoadDump();
    }
    return absl::OkStatus();
  }

  // With --all, whose files begin with a line that tells what they are, --format may be missing.
  absl::StatusOr<Format> FormatOfFile() {
    if (arguments_.format.has_value() || !arguments_.all) {
      return arguments_.format.value_or(Format::kTsv);
    }
    COMMY_ASSIGN_OR_RETURN(const char first, input_.PeekByte());
    if (first == '{') {
      return Format::kJsonl;
    }
    if (first != 'V') {
      return base::InvalidArgument(
          base::ToAbsl(input_.name()), first == '\0' ? " is empty" : " is no file of dump --all",
          ": it would begin with VERSION=3, or in jsonl with {\"namespace\":");
    }
    return Format::kDump;
  }

  absl::Status LoadTsv() {
    COMMY_RETURN_IF_ERROR(ToNextLine());
    if (more_) {
      COMMY_RETURN_IF_ERROR(CheckIsTsv(line_));  // Before a namespace is made for it.
    }
    loaded_.line = 0;  // An error of the namespace is not one of the line.
    COMMY_ASSIGN_OR_RETURN(const Target target, Open(arguments_.path, arguments_.ordered, ""));
    COMMY_RETURN_IF_ERROR(target.form.CheckIsShown());
    return LoadLines(target, LimitOptions());
  }

  // --- jsonl

  absl::Status LoadJsonl() {
    COMMY_RETURN_IF_ERROR(ToNextLine());
    COMMY_ASSIGN_OR_RETURN(std::optional<JsonlHeader> header, HeaderHere());
    if (!header.has_value() && !arguments_.all) {  // Records of scan, or a former dump.
      loaded_.line = 0;  // An error of the namespace is not one of the line.
      COMMY_ASSIGN_OR_RETURN(const Target target, Open(arguments_.path, arguments_.ordered, ""));
      COMMY_RETURN_IF_ERROR(target.form.CheckIsShown());
      COMMY_RETURN_IF_ERROR(LoadLines(target, LimitOptions()));
      return more_ ? base::InvalidArgument("a line without a namespace's records before it")
                   : absl::OkStatus();
    }
    for (bool first = true; more_ || first; first = false) {
      COMMY_ASSIGN_OR_RETURN(header, HeaderHere());
      if (!header.has_value() && IsJsonlEnd(line_)) {  // Without namespaces, or behind quotas.
        COMMY_RETURN_IF_ERROR(ToNextLine());
        continue;
      }
      COMMY_ASSIGN_OR_RETURN(const std::optional<PathQuota> quota, PathQuotaHere());
      if (quota.has_value()) {
        COMMY_RETURN_IF_ERROR(SetPathQuota(*quota));
        COMMY_RETURN_IF_ERROR(ToNextLine());
        COMMY_RETURN_IF_ERROR(CheckIsNotCut());
        continue;
      }
      COMMY_RETURN_IF_ERROR(CheckBelongsHere(header, first));
      COMMY_RETURN_IF_ERROR(LoadJsonlSection(*header));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<JsonlHeader>> HeaderHere() {
    return more_ ? ParseJsonlHeader(line_) : std::optional<JsonlHeader>();
  }

  absl::StatusOr<std::optional<PathQuota>> PathQuotaHere() {
    return more_ ? ParseJsonlPathQuota(line_) : std::optional<PathQuota>();
  }

  // A quota of a path is of the store, so that a single namespace does not bring it along.
  absl::Status SetPathQuota(const PathQuota& quota) {
    if (!arguments_.all) {
      ++loaded_.quotas_left_out;
      return absl::OkStatus();
    }
    return Explain(store_, store_.SetPathQuota(quota.path, quota.quota_bytes));
  }

  absl::Status CheckIsNotCut() const {
    return more_ ? absl::OkStatus()
                 : base::InvalidArgument(
                       "the file ends before {\"end_of_dump\":true}: it was cut short");
  }

  absl::Status CheckBelongsHere(const std::optional<JsonlHeader>& header, bool first) const {
    constexpr std::string_view kWanted =
        "expected a line with the \"namespace\" of the records behind it";
    if (!more_) {
      return base::InvalidArgument(base::ToAbsl(input_.name()), " is empty; ",
                                   base::ToAbsl(kWanted));
    }
    if (!header.has_value()) {
      COMMY_RETURN_IF_ERROR(ParseJson(line_).status());
      return base::InvalidArgument(base::ToAbsl(kWanted),
                                   arguments_.all ? "; name a namespace instead of --all" : "");
    }
    if (arguments_.all && !header->path.has_value()) {
      return base::InvalidArgument(
          "a dump without the name of its namespace; name one instead of --all");
    }
    if (!arguments_.all && !first) {
      return base::InvalidArgument("another namespace begins here, \"",
                                   header->path.value_or(header->type),
                                   "\"; to load each into one of its name give --all");
    }
    return absl::OkStatus();
  }

  // The records behind a header, up to the next one or the end of a dump.
  absl::Status LoadJsonlSection(const JsonlHeader& header) {
    COMMY_ASSIGN_OR_RETURN(const Target target, OpenAs(header));
    const bool whole = header.raw_bytes && HasElementsOrIsOfPrograms(target);
    COMMY_RETURN_IF_ERROR(whole ? CheckIsEmpty(target) : absl::OkStatus());
    COMMY_RETURN_IF_ERROR(ToNextLine());
    const auto next = [this, &target](Record& record) { return NextJsonlRecord(target, record); };
    COMMY_RETURN_IF_ERROR(whole ? LoadWhole(target, next) : LoadLines(target, LimitsOf(header)));
    if (header.quota_bytes != 0) {  // The records may be above it.
      COMMY_RETURN_IF_ERROR(Explain(store_, target.ns.SetQuota(header.quota_bytes)));
    }
    if (!header.path.has_value() || (more_ && !IsJsonlEnd(line_))) {
      return absl::OkStatus();  // Another header, or a quota, follows or is expected.
    }
    COMMY_RETURN_IF_ERROR(CheckIsNotCut());
    return ToNextLine();
  }

  absl::StatusOr<bool> NextJsonlRecord(const Target& target, Record& record) {
    if (AtEndOfSection()) {
      return false;
    }
    COMMY_ASSIGN_OR_RETURN(record, target.form.ParseJsonRecord(line_));
    COMMY_RETURN_IF_ERROR(ToNextLine());
    return true;
  }

  // A header that is not one, too: the caller takes it and finds the fault.
  [[nodiscard]] bool AtEndOfSection() const {
    if (!more_ || format_ != Format::kJsonl) {
      return !more_;
    }
    const absl::StatusOr<std::optional<JsonlHeader>> header = ParseJsonlHeader(line_);
    const absl::StatusOr<std::optional<PathQuota>> quota = ParseJsonlPathQuota(line_);
    return !header.ok() || header->has_value() || !quota.ok() || quota->has_value() ||
           IsJsonlEnd(line_);
  }

  // The namespace of a header. One that is there must be of its order and its type.
  absl::StatusOr<Target> OpenAs(const JsonlHeader& header) {
    const std::string& path = arguments_.all ? *header.path : arguments_.path;
    if (!header.path.has_value()) {
      COMMY_ASSIGN_OR_RETURN(Target target,
                             Open(path, arguments_.ordered || header.ordered, header.type));
      COMMY_RETURN_IF_ERROR(target.form.CheckIsShown());
      return target;
    }
    COMMY_RETURN_IF_ERROR(CheckFits(path, header));
    NamespaceOptions options{.order = header.ordered ? Order::kOrdered : Order::kHash,
                             .type = header.type};
    if (header.default_ttl_ns.has_value()) {
      options.default_ttl = absl::Nanoseconds(*header.default_ttl_ns);
    }
    absl::StatusOr<Namespace> ns = store_.OpenNamespace(path, options);
    COMMY_RETURN_IF_ERROR(Explain(store_, ns.status()));
    FormOptions form = arguments_.form;
    if (header.raw_bytes) {
      form = {.raw_bytes = true};
    }
    COMMY_ASSIGN_OR_RETURN(Target target, TargetOf(*std::move(ns), form));
    COMMY_RETURN_IF_ERROR(target.form.CheckIsShown());
    COMMY_RETURN_IF_ERROR(Explain(store_, api::AlignValues(target.ns, header.value_align)));
    const absl::StatusOr<api::StoreTime> time = api::ReadStoreTime(target.ns);
    COMMY_RETURN_IF_ERROR(Explain(store_, time.status()));
    target.exact = true;
    target.shift_ns = time->ahead_ns - header.clock_ahead_ns;
    return target;
  }

  // What opening it would not refuse, or not with both sides of the difference.
  absl::Status CheckFits(const std::string& path, const JsonlHeader& header) {
    const absl::StatusOr<Namespace> ns = store_.OpenNamespace(path, {.create_if_missing = false});
    if (!ns.ok()) {
      return absl::IsNotFound(ns.status()) ? absl::OkStatus() : Explain(store_, ns.status());
    }
    COMMY_ASSIGN_OR_RETURN(const std::string type, ns->Type());
    const bool ordered = ns->order() == Order::kOrdered;
    std::string is;
    std::string wanted;
    if (ordered != header.ordered) {
      is = ordered ? "an ordered namespace" : "a hash namespace";
      wanted = header.ordered ? "an ordered one" : "a hash namespace";
    } else if (type.empty() != header.type.empty()) {
      is = type.empty() ? "a namespace without a type" : "of the type " + type;
      wanted = header.type.empty() ? "one without a type" : "of the type " + header.type;
    } else {
      return absl::OkStatus();  // Whether two types fit, the store knows.
    }
    return base::FailedPrecondition("namespace \"", path, "\" is there already as ", is,
                                    ", and in the file it is ", wanted,
                                    "; drop or rename it first, or load into another store");
  }

  static bool HasElementsOrIsOfPrograms(const Target& target) {
    const Form& form = target.form;
    return form.IsVec() || form.IsDeque() || form.IsString() || form.IsOfPrograms();
  }

  // --- Lines of tsv or jsonl

  absl::Status LoadLines(const Target& target, const LimitOptions& limits) {
    if (target.form.HasElements()) {
      return LoadElements(target, limits);
    }
    while (!AtEndOfSection()) {
      loaded_.line = lines_;
      COMMY_ASSIGN_OR_RETURN(const Record record, format_ == Format::kTsv
                                                      ? target.form.ParseTsv(line_)
                                                      : target.form.ParseJsonRecord(line_));
      COMMY_RETURN_IF_ERROR(Put(target, record));
      COMMY_RETURN_IF_ERROR(ToNextLine());
    }
    return absl::OkStatus();
  }

  // The elements of all lines take effect at one moment.
  absl::Status LoadElements(const Target& target, const LimitOptions& limits) {
    const Elements elements(store_, target.ns, target.form);
    LoadedElements read(elements);
    while (!AtEndOfSection()) {
      loaded_.line = lines_;
      COMMY_RETURN_IF_ERROR(format_ == Format::kTsv ? read.AddTsv(line_) : read.AddJson(line_));
      COMMY_RETURN_IF_ERROR(ShowProgress(loaded_.records + read.count(), " elements"));
      COMMY_RETURN_IF_ERROR(ToNextLine());
    }
    if (!more_ && target.exact) {
      return absl::OkStatus();  // Cut short: the caller says so.
    }
    COMMY_RETURN_IF_ERROR(arguments_.append ? read.Append(limits) : read.Replace(limits));
    loaded_.records += read.count();
    loaded_.bytes += read.size_bytes();
    return absl::OkStatus();
  }

  // line_ becomes the next line that is not empty, unless more_ is false then.
  absl::Status ToNextLine() {
    COMMY_ASSIGN_OR_RETURN(more_, NextLine(line_));
    loaded_.line = lines_;
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

  absl::Status CheckIsEmpty(const Target& target) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t there, target.ns.Size());
    if (there != 0) {
      return base::InvalidArgument(
          "the ", base::ToAbsl(target.form.KindName()), " \"", target.ns.path(),
          "\" is there already, and records of another one do not fit into it; drop it first, or ",
          "use --format jsonl");
    }
    return absl::OkStatus();
  }

  // Of a container that is made of other records than keys and values: they mean something only
  // together, and only behind the one of the empty key, the root of a sequence. `next` as
  // DumpReader::NextRecord().
  absl::Status LoadWhole(const Target& target,
                         absl::FunctionRef<absl::StatusOr<bool>(Record&)> next) {
    std::optional<Record> root;
    while (true) {
      Record record;
      COMMY_ASSIGN_OR_RETURN(const bool more, next(record));
      if (!more) {
        return root.has_value() ? Put(target, *root) : absl::OkStatus();
      }
      if (record.key.empty()) {
        root = std::move(record);
      } else {
        COMMY_RETURN_IF_ERROR(Put(target, record));
      }
    }
  }

  absl::Status LoadSection(DumpReader& reader, const Target& target) {
    if (target.form.HasElements() || !target.form.CheckIsShown().ok()) {
      COMMY_RETURN_IF_ERROR(CheckIsEmpty(target));
      return LoadWhole(target, [&reader](Record& record) { return reader.NextRecord(record); });
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
    return TargetOf(std::move(ns), arguments_.form);
  }

  absl::StatusOr<Target> TargetOf(Namespace ns, const FormOptions& options) {
    const std::string& path = ns.path();
    COMMY_ASSIGN_OR_RETURN(Form form, Form::Of(store_, ns, options));
    if (arguments_.append && !form.HasElements()) {
      return Explain(store_, base::InvalidArgument("namespace \"", path, "\" is no vector, deque ",
                                                   "or string; leave --append out"));
    }
    Target target{.ns = std::move(ns), .form = std::move(form)};
    if (target.form.IsCounter()) {
      absl::StatusOr<SharedCounter> counter = store_.OpenShared<SharedCounter>(target.ns.path());
      COMMY_RETURN_IF_ERROR(Explain(store_, counter.status()));
      target.counter = *std::move(counter);
    }
    return target;
  }

  absl::Status Put(const Target& target, const Record& record) {
    if (target.counter.has_value() && !record.beside_counter) {
      COMMY_RETURN_IF_ERROR(AddTo(*target.counter, record));
    } else {
      COMMY_ASSIGN_OR_RETURN(const bool put, PutTo(target, record));
      if (!put) {
        ++loaded_.expired;
        return ShowProgress(loaded_.records, " records");
      }
    }
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

  // False: it has expired.
  static absl::StatusOr<bool> PutTo(const Target& target, const Record& record) {
    const Namespace& ns = target.ns;
    if (record.expiry_ns.has_value()) {
      std::int64_t expiry_ns = 0;
      if (*record.expiry_ns == INT64_MAX ||
          __builtin_add_overflow(*record.expiry_ns, target.shift_ns, &expiry_ns)) {
        expiry_ns = *record.expiry_ns;
      }
      COMMY_ASSIGN_OR_RETURN(const api::StoreTime time, api::ReadStoreTime(ns));
      if (expiry_ns <= time.now_ns) {
        return false;
      }
      COMMY_RETURN_IF_ERROR(api::PutUntil(ns, record.key, record.value, expiry_ns));
      return true;
    }
    PutOptions options;  // A record without a time to live gets the namespace's.
    if (record.ttl != absl::InfiniteDuration() || target.exact) {
      options.ttl = record.ttl;
    }
    COMMY_RETURN_IF_ERROR(ns.Put(record.key, record.value, options));
    return true;
  }

  const LoadArguments& arguments_;
  const Store& store_;
  LineReader& input_;
  Loaded& loaded_;
  Progress progress_;
  std::uint64_t lines_ = 0;  // Read so far.
  Format format_ = Format::kTsv;
  std::string_view line_;  // Of tsv or jsonl: the current one, unless more_ is false.
  bool more_ = false;
};

absl::Status CheckUsage(LoadArguments& arguments) {
  if (arguments.all) {
    // Without a namespace the word after the store is the file.
    if (!arguments.file.empty()) {
      return base::InvalidArgument("load --all takes a store and a file, and no namespace");
    }
    std::swap(arguments.path, arguments.file);
    if (arguments.format == Format::kTsv) {
      return base::InvalidArgument(
          "load --all takes files of jsonl and dump: tsv has no place for ",
          "the names of namespaces");
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
                    {"expired", loaded.expired},
                    {"seconds", absl::ToDoubleSeconds(elapsed)}});
  } else {
    out.Line(absl::StrCat("loaded ", ShowCount(loaded.records), " records, ",
                          ShowSize(loaded.bytes), ", in ", ShowDuration(elapsed),
                          loaded.expired == 0 ? ""
                                              : absl::StrCat("; ", ShowCount(loaded.expired),
                                                             " had expired and were left out")));
  }
  if (loaded.quotas_left_out != 0) {
    PrintWarning(absl::StrCat(loaded.quotas_left_out,
                              " quotas of paths were left out; load --all sets them"));
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
  AddChoice<std::optional<Format>, Format>(
      command, "--format", arguments->format,
      {{"tsv", Format::kTsv}, {"jsonl", Format::kJsonl}, {"dump", Format::kDump}},
      "tsv (unless given): key, tab, value, with \\t \\n \\r \\\\ \\xHH, lines that "
      "end in LF or CR LF; jsonl: "
      "{\"key\":…,\"value\":…,\"ttl_ms\":…} or key_base64, value_base64, expires, "
      "perhaps behind a line that dump wrote with order, type, default time to live "
      "and quota of the namespace; dump: the output "
      "of dump, mdb_dump and db_dump. Keys and values are of the namespace's type, and "
      "values are added to a counter. A line of a vector, deque or string is an "
      "element, perhaps with its index before it");
  command.add_flag("--all", arguments->all,
                   "Each namespace of a dump, in jsonl or format dump (which it finds out), into "
                   "one of its name; without NS");
  command.add_flag("--append", arguments->append,
                   "Of a vector, deque or string: add behind what is there. Else the file becomes "
                   "its content");
  command.add_flag("--ordered", arguments->ordered, "Make a new namespace an ordered one");
  AddFormOptions(command, arguments->form);
  AddJson(command, arguments->json);
  SetExamples(command,
              {"commy load fleet.commy acme/config config.tsv",
               "commy scan old.commy a --format jsonl | commy load new.commy a --format jsonl",
               "commy load --all new.commy fleet.jsonl",
               "mdb_dump -n words.mdb | commy load fleet.commy words --format dump",
               "printf 'greeting\\thello\\n' | commy load fleet.commy acme/config"});
  SetAction(command, arguments, action, RunLoad);
}

}  // namespace commy::tools
