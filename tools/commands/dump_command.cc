// dump: the keys of a namespace, or of all, as a file that can be loaded again.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "access.h"
#include "api/exact.h"
#include "base/status.h"
#include "command.h"
#include "dump_format.h"
#include "elements/limits.h"
#include "elements/lines.h"
#include "elements/returned.h"
#include "jsonl_header.h"
#include "output_file.h"
#include "progress.h"
#include "signals.h"
#include "typed/form.h"
#include "units.h"

namespace commy::tools {
namespace {

constexpr std::size_t kLmdbKeyBytesMax = 511;
constexpr std::uint64_t kPageBytes = 4096;

enum class Format { kDump, kTsv, kJsonl };
enum class Reader { kLmdb, kBerkeleyDb };

struct DumpArguments {
  std::string store;
  std::string path;
  std::string file;
  std::string prefix;
  FormOptions form;
  Format format = Format::kDump;
  Reader reader = Reader::kLmdb;
  bool all = false;
  bool print = false;
};

// Counts of data that the format or its reader cannot hold.
struct Losses {
  std::uint64_t keys_for_lmdb = 0;
  std::uint64_t names_for_lmdb = 0;  // The name of a database is a key, too.
  std::uint64_t names_escaped = 0;
  std::uint64_t ttls = 0;
  std::uint64_t types = 0;
  std::uint64_t counters = 0;
  std::uint64_t leased = 0;    // Elements of deques, which a lease keeps out of reach.
  std::uint64_t returned = 0;  // The same, but they are in the dump.
};

absl::Status Interruption(const DumpArguments& arguments) {
  return absl::CancelledError(arguments.store + ": interrupted; the dump is not whole");
}

// An upper bound of the file of mdb_load: pages at least half full, and long values on pages of
// their own.
absl::StatusOr<std::uint64_t> MapBytes(const Store& store, const DumpArguments& arguments,
                                       const std::vector<std::string>& paths,
                                       const Snapshot& then) {
  std::uint64_t bytes = 64 * kPageBytes;
  for (const std::string& path : paths) {
    COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, path, Use::kRead));
    ScanRange scan = ns.Scan({.snapshot = &then});
    bytes += 4 * kPageBytes;
    for (const Entry& entry : scan) {
      const std::uint64_t value = entry.value().size();
      bytes += 4 * (entry.key().size() + 16 + (value < kPageBytes / 4 ? value : 16));
      bytes += value < kPageBytes / 4 ? 0 : value + 2 * kPageBytes;
      if (Interrupted()) {
        return Interruption(arguments);
      }
    }
    COMMY_RETURN_IF_ERROR(Explain(store, scan.status()));
  }
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// All records of a namespace, in the order of its keys. This order makes mdb_load and db_load fast,
// and two dumps of the same content equal.
absl::StatusOr<std::vector<Record>> SortedRecords(const Store& store, const Namespace& ns,
                                                  const Form& form, const DumpArguments& arguments,
                                                  const Snapshot& then, Progress& progress) {
  std::vector<Record> records;
  if (form.HasElements() && !arguments.prefix.empty()) {
    return Elements(store, ns, form).Refusal("it has no keys; leave --prefix out");
  }
  ScanOptions range{.prefix = arguments.prefix, .snapshot = &then};
  COMMY_RETURN_IF_ERROR(Explain(store, form.ParseRange(range)));
  ScanRange scan = ns.Scan(range);
  for (const Entry& entry : scan) {
    records.push_back({entry.key(), entry.value(), entry.ttl()});
    if (progress.Due()) {
      progress.Show(0, 0, absl::StrCat(ns.path(), ": ", ShowCount(records.size()), " records"));
    }
    if (Interrupted()) {
      return Interruption(arguments);
    }
  }
  COMMY_RETURN_IF_ERROR(Explain(store, scan.status()));
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return a.key < b.key; });
  return records;
}

absl::Status AppendRecord(const Form& form, const RecordView& record,
                          const DumpArguments& arguments, Losses& losses, std::string& out) {
  const bool has_ttl = record.ttl != absl::InfiniteDuration();
  switch (arguments.format) {
    case Format::kTsv:
      losses.ttls += has_ttl ? 1 : 0;
      return form.AppendTsv(record, /*keys_only=*/false, out);
    case Format::kJsonl:
      form.AppendJsonOfDump(record, out);
      return absl::OkStatus();
    case Format::kDump:
      losses.ttls += has_ttl ? 1 : 0;
      losses.keys_for_lmdb += record.key.empty() || record.key.size() > kLmdbKeyBytesMax ? 1 : 0;
      AppendDumpRecord(record.key, record.value, arguments.print, out);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> CounterValue(const Store& store, const std::string& path) {
  COMMY_ASSIGN_OR_RETURN(
      const SharedCounter counter,
      store.OpenShared<SharedCounter>(path, SharedOptions{.create_if_missing = false}));
  return counter.Value();
}

// Whether a header goes before the records of a dump in jsonl. With --raw-bytes there is one only
// where it is needed for the path.
bool HasJsonlHeader(const DumpArguments& arguments) {
  return arguments.format == Format::kJsonl && (arguments.all || !arguments.form.raw_bytes);
}

absl::StatusOr<JsonlHeader> HeaderOf(const Namespace& ns, const std::string& type, bool raw_bytes) {
  COMMY_ASSIGN_OR_RETURN(const absl::Duration default_ttl, ns.DefaultTtl());
  COMMY_ASSIGN_OR_RETURN(const api::StoreTime time, api::ReadStoreTime(ns));
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t quota, ns.Quota());
  JsonlHeader header{.path = ns.path(),
                     .type = type,
                     .ordered = ns.order() == Order::kOrdered,
                     .raw_bytes = raw_bytes && !type.empty()};
  if (default_ttl != absl::InfiniteDuration()) {
    header.default_ttl_ns = absl::ToInt64Nanoseconds(default_ttl);
  }
  header.value_align = api::ValueAlignOf(ns);
  header.clock_ahead_ns = time.ahead_ns;
  header.quota_bytes = quota;
  return header;
}

// What comes before the records in the formats but jsonl. The type is kept where the format and its
// reader let it.
void AppendHeader(const Namespace& ns, const Form& form, std::uint64_t map_bytes,
                  std::optional<std::int64_t> counter, const DumpArguments& arguments,
                  Losses& losses, std::string& out) {
  const std::string& path = ns.path();
  const bool has_type = !form.type().empty();
  const bool is_ordered = ns.order() == Order::kOrdered;
  if (arguments.format == Format::kTsv) {
    losses.types += has_type ? 1 : 0;
  } else if (arguments.format == Format::kDump) {
    const std::string name = DumpName(path);
    losses.names_for_lmdb += arguments.all && name.size() > kLmdbKeyBytesMax ? 1 : 0;
    losses.names_escaped += arguments.all && name != path ? 1 : 0;
    DumpHeader header;
    header.database = arguments.all ? path : "";
    header.print = arguments.print;
    header.map_bytes = map_bytes;
    if (arguments.reader == Reader::kLmdb && form.type().size() <= kDumpTypeBytesMax) {
      header.type = form.type();
      header.ordered = is_ordered;
      header.counter = counter;
    } else {
      losses.types += has_type ? 1 : 0;
      losses.counters += counter.has_value() ? 1 : 0;
    }
    AppendDumpHeader(header, out);
  }
}

// The lines of a vector, deque or string, in tsv or jsonl.
absl::Status DumpElements(const Elements& elements, const DumpArguments& arguments,
                          const Snapshot& then, Losses& losses, Output& out) {
  const bool is_json = arguments.format == Format::kJsonl;
  if (!arguments.prefix.empty()) {
    return elements.Refusal("it has no keys; leave --prefix out");
  }
  QueueOfDump queue;
  if (elements.form().IsDeque()) {
    COMMY_ASSIGN_OR_RETURN(queue, ReadQueue(elements, then));
    (is_json ? losses.returned : losses.leased) += queue.leased;
  }
  ElementLines lines{.format = is_json ? ElementFormat::kJsonOfDump : ElementFormat::kTsv,
                     .exact = is_json};
  if (is_json) {
    absl::StatusOr<JsonlHeader> header =
        HeaderOf(elements.sequence().ns(), elements.form().type(), /*raw_bytes=*/false);
    COMMY_RETURN_IF_ERROR(elements.Explained(header.status()));
    SetLimitsIn(queue.limits, *header);
    AppendJsonlHeader(*header, out.buffer());
    for (const ReturnedElement& element : queue.returned) {
      lines.deliveries = element.deliveries;
      COMMY_RETURN_IF_ERROR(AppendElementLine(elements, 0, element.bytes, lines, out.buffer()));
    }
    lines.deliveries.reset();
    if (queue.skip != 0) {
      lines.range.from = std::to_string(queue.skip);
    }
  }
  losses.types += is_json ? 0 : 1;
  const absl::Status written = WriteElements(elements, then, lines, out);
  if (absl::IsCancelled(written) && out.status().ok()) {
    return Interruption(arguments);
  }
  // Some of its lines are written, so that the dump cannot go on without it.
  return IsNamespaceDropped(written)
             ? absl::AbortedError(absl::StrCat(elements.store().path(), ": namespace \"",
                                               elements.path(), "\" was dropped while it was ",
                                               "being dumped; dump again"))
             : written;
}

// As commands show it; but a dump in jsonl has all that a store has, also what is for programs
// alone.
absl::StatusOr<Form> FormOf(const Store& store, const Namespace& ns,
                            const DumpArguments& arguments) {
  COMMY_ASSIGN_OR_RETURN(Form form, Form::Of(store, ns, arguments.form));
  const absl::Status shown = form.CheckIsShown();
  if (shown.ok() || arguments.format == Format::kDump) {
    return form;
  }
  return arguments.format == Format::kJsonl ? Form::Of(store, ns, {.raw_bytes = true})
                                            : Explain(store, shown);
}

absl::Status DumpNamespace(const Store& store, const std::string& path, std::uint64_t map_bytes,
                           const DumpArguments& arguments, const Snapshot& then, Losses& losses,
                           Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, path, Use::kRead));
  COMMY_ASSIGN_OR_RETURN(const Form form, FormOf(store, ns, arguments));
  if (arguments.format != Format::kDump && form.HasElements()) {
    return DumpElements(Elements(store, ns, form), arguments, then, losses, out);
  }
  Progress progress;
  COMMY_ASSIGN_OR_RETURN(std::vector<Record> records,
                         SortedRecords(store, ns, form, arguments, then, progress));
  std::optional<std::int64_t> counter;
  if (form.IsCounter()) {
    const absl::StatusOr<std::int64_t> value = CounterValue(store, path);
    COMMY_RETURN_IF_ERROR(Explain(store, value.status()));
    counter = *value;
  }
  if (HasJsonlHeader(arguments)) {
    const absl::StatusOr<JsonlHeader> header = HeaderOf(ns, form.type(), form.raw_bytes());
    COMMY_RETURN_IF_ERROR(Explain(store, header.status()));
    AppendJsonlHeader(*header, out.buffer());
  } else {
    AppendHeader(ns, form, map_bytes, counter, arguments, losses, out.buffer());
  }
  if (counter.has_value() && arguments.format != Format::kDump) {
    const std::string value = std::to_string(*counter);
    const RecordView record{"", value};
    COMMY_RETURN_IF_ERROR(arguments.format == Format::kJsonl
                              ? form.AppendJson(record, /*keys_only=*/false, out.buffer())
                              : form.AppendTsv(record, /*keys_only=*/false, out.buffer()));
  }
  const absl::StatusOr<std::int64_t> moment = api::MomentOf(then, ns);
  COMMY_RETURN_IF_ERROR(Explain(store, moment.status()));
  for (const Record& record : records) {
    RecordView view{record.key, record.value, record.ttl};
    if (record.ttl != absl::InfiniteDuration()) {
      view.expiry_ns = *moment + absl::ToInt64Nanoseconds(record.ttl);
    }
    COMMY_RETURN_IF_ERROR(
        Explain(store, AppendRecord(form, view, arguments, losses, out.buffer())));
    out.Drain();
    if (!out.status().ok()) {
      return out.status();
    }
    if (Interrupted()) {
      return Interruption(arguments);
    }
  }
  if (arguments.format == Format::kDump) {
    AppendDumpEnd(out.buffer());
  }
  return absl::OkStatus();
}

void Warn(const DumpArguments& arguments, const Losses& losses) {
  if (losses.keys_for_lmdb != 0 && arguments.reader == Reader::kLmdb) {
    PrintWarning(absl::StrCat(losses.keys_for_lmdb, " keys are empty or longer than ",
                              kLmdbKeyBytesMax, " bytes: LMDB cannot take them"));
  }
  if (losses.names_for_lmdb != 0 && arguments.reader == Reader::kLmdb) {
    PrintWarning(absl::StrCat(losses.names_for_lmdb, " namespaces have a path longer than ",
                              kLmdbKeyBytesMax, " bytes: LMDB cannot take it as a name"));
  }
  if (losses.names_escaped != 0) {
    PrintWarning(absl::StrCat(losses.names_escaped,
                              " namespaces have a path that this format cannot hold: it is escaped "
                              "(commy-escaped:…), and only load --all reverses that"));
  }
  if (losses.ttls != 0) {
    PrintWarning(absl::StrCat(losses.ttls,
                              " keys have a time to live, which this format cannot hold; --format ",
                              "jsonl keeps it"));
  }
  if (losses.types != 0) {
    PrintWarning(absl::StrCat(losses.types,
                              " namespaces have a type, which this format cannot hold; create ",
                              "them with `commy ns create --type` before load, or use --format ",
                              "jsonl, which keeps it"));
  }
  if (losses.leased != 0) {
    PrintWarning(absl::StrCat(
        losses.leased, " elements are leased, and left out; `commy queue` shows who has ", "them"));
  }
  if (losses.returned != 0) {
    PrintWarning(absl::StrCat(losses.returned,
                              " elements are leased; the dump has them as if they had been ",
                              "returned, so both stores will give them to a consumer"));
  }
  if (losses.counters != 0) {
    PrintWarning(absl::StrCat(losses.counters,
                              " namespaces are counters, which this format cannot hold: they are ",
                              "left out; --format jsonl keeps them"));
  }
}

absl::StatusOr<std::vector<std::string>> PathsOf(const Store& store,
                                                 const DumpArguments& arguments) {
  if (!arguments.all) {
    return std::vector<std::string>{arguments.path};
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> all, store.ListNamespaces());
  std::vector<std::string> paths;
  paths.reserve(all.size());
  for (const NamespaceInfo& info : all) {
    paths.push_back(info.path);
  }
  return paths;
}

absl::Status DumpPathQuotas(const Store& store, Output& out) {
  const absl::StatusOr<std::vector<PathQuota>> quotas = store.PathQuotas();
  COMMY_RETURN_IF_ERROR(Explain(store, quotas.status()));
  for (const PathQuota& quota : *quotas) {
    AppendJsonlPathQuota(quota, out.buffer());
  }
  return absl::OkStatus();
}

absl::Status CheckUsage(DumpArguments& arguments) {
  if (arguments.all) {
    // Without a namespace the word after the store is the file.
    if (!arguments.file.empty()) {
      return base::InvalidArgument("dump --all takes a store and a file, and no namespace");
    }
    std::swap(arguments.path, arguments.file);
    if (arguments.format == Format::kTsv) {
      return base::InvalidArgument("dump --all needs --format jsonl or dump: tsv has no place for ",
                                   "the names of namespaces");
    }
  } else if (arguments.path.empty()) {
    return base::InvalidArgument("dump: name a namespace, or give --all");
  }
  return absl::OkStatus();
}

absl::StatusOr<Exit> RunDump(const DumpArguments& given, Output& standard) {
  DumpArguments arguments = given;
  if (const absl::Status usage = CheckUsage(arguments); !usage.ok()) {
    PrintFailure(base::ToStd(usage.message()));
    return Exit::kUsage;
  }
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "dump"));
  COMMY_ASSIGN_OR_RETURN(const std::vector<std::string> paths, PathsOf(store, arguments));
  std::optional<OutputFile> file;
  if (!arguments.file.empty() && arguments.file != "-") {
    // Before the snapshot: the open of a FIFO may wait long for its reader.
    COMMY_ASSIGN_OR_RETURN(OutputFile opened, OutputFile::Open(arguments.file, arguments.store));
    file.emplace(std::move(opened));
  }
  Output& out = file.has_value() ? file->out() : standard;
  // One snapshot, so that all namespaces are dumped as of one moment.
  const absl::StatusOr<Snapshot> then = store.TakeSnapshot();
  COMMY_RETURN_IF_ERROR(Explain(store, then.status()));
  std::uint64_t map_bytes = 0;
  if (arguments.format == Format::kDump && arguments.reader == Reader::kLmdb) {
    COMMY_ASSIGN_OR_RETURN(map_bytes, MapBytes(store, arguments, paths, *then));
  }
  Losses losses;
  for (const std::string& path : paths) {
    const absl::Status dumped =
        DumpNamespace(store, path, map_bytes, arguments, *then, losses, out);
    if (!standard.status().ok()) {
      return Exit::kFailed;  // The caller examines it.
    }
    if (arguments.all && (absl::IsNotFound(dumped) || IsNamespaceDropped(dumped))) {
      continue;  // Dropped since they were listed.
    }
    if (file.has_value() && !out.status().ok()) {
      break;  // Finish() reports the state of the file.
    }
    COMMY_RETURN_IF_ERROR(dumped);
  }
  if (HasJsonlHeader(arguments)) {
    COMMY_RETURN_IF_ERROR(arguments.all ? DumpPathQuotas(store, out) : absl::OkStatus());
    AppendJsonlEnd(out.buffer());
  }
  if (file.has_value()) {
    COMMY_RETURN_IF_ERROR(file->Finish());
  }
  Warn(arguments, losses);
  return Exit::kDone;
}

void AddFormat(CLI::App& command, DumpArguments& arguments) {
  AddChoice<Format, Format>(
      command, "--format", arguments.format,
      {{"dump", Format::kDump}, {"tsv", Format::kTsv}, {"jsonl", Format::kJsonl}},
      "dump (unless given): for mdb_load and db_load, bytes as they are, without times to live "
      "and, of namespaces without a type, their order; tsv: keys and values as scan prints "
      "them, and nothing else; jsonl: all that makes the namespace again, before its records "
      "a line with order, type, default time to live and quota, and with each record exactly "
      "when it expires");
  AddChoice<Reader, Reader>(
      command, "--for", arguments.reader, {{"lmdb", Reader::kLmdb}, {"bdb", Reader::kBerkeleyDb}},
      "lmdb (unless given): states how large a map mdb_load needs, and warns of keys that "
      "LMDB cannot take; bdb: for db_load, which refuses a dump with that statement");
  command.add_flag("-p,--print", arguments.print,
                   "Printable bytes as they are, instead of hexadecimal digits (format dump)");
}

}  // namespace

void AddDumpCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "dump",
      "Write the keys of a namespace, as they are at one moment, to a file, in their order, for "
      "loading again");
  auto arguments = std::make_shared<DumpArguments>();
  AddStore(command, arguments->store);
  command.add_option("NS", arguments->path, "Namespace: parts separated by '/'")->type_name("");
  command
      .add_option(
          "FILE", arguments->file,
          "File to write; none or -: standard output. An existing file stays until the dump is "
          "whole; a device, FIFO or socket is written directly")
      ->type_name("");
  command.add_flag("--all", arguments->all,
                   "Every namespace, as a database of its name, or in jsonl with all that a store "
                   "has; without NS");
  command
      .add_option("--prefix", arguments->prefix,
                  "Only keys that begin with this; of keys of several parts, the first parts")
      ->type_name("PREFIX");
  AddFormOptions(command, arguments->form);
  AddFormat(command, *arguments);
  SetExamples(command, {"commy dump fleet.commy acme/config config.dump",
                        "commy dump fleet.commy words | mdb_load -n words.mdb",
                        "commy dump --all fleet.commy fleet.jsonl --format jsonl",
                        "commy dump --all fleet.commy | mdb_load -n fleet.mdb",
                        "commy dump fleet.commy words --for bdb | db_load words.db"});
  SetAction(command, arguments, action, RunDump);
}

}  // namespace commy::tools
