// ns list, ns create, ns set, ns quota, ns drop, ns rename.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "commy/internal/sequence.h"
#include "elements/limits.h"
#include "jsonl.h"
#include "tsv.h"
#include "typed/form.h"
#include "types/descriptor.h"
#include "units.h"

namespace commy::tools {
namespace {

struct ListArguments {
  std::string store;
  std::string prefix;
  bool paths_only = false;
  bool json = false;
};

struct NamespaceArguments {
  std::string store;
  std::string path;
  std::string new_path;
  bool ordered = false;
  std::string type;
  bool adopt = false;
  std::optional<absl::Duration> ttl;
  std::optional<std::uint64_t> quota;
  LimitOptions limits;
};

struct QuotaArguments {
  std::string store;
  std::string path;
  std::optional<std::uint64_t> quota;
  bool json = false;
};

std::uint64_t ReadQuota(const std::string& name, const std::string& text) {
  const absl::StatusOr<std::uint64_t> parsed = ParseSize(text);
  if (!parsed.ok()) {
    throw CLI::ValidationError(name, std::string(base::ToStd(parsed.status().message())));
  }
  return *parsed;
}

void AddQuota(CLI::App& command, std::optional<std::uint64_t>& quota) {
  command
      .add_option_function<std::string>(
          "--quota", [&quota](const std::string& text) { quota = ReadQuota("--quota", text); },
          "The most that its keys may take, as `ns list` counts them; 0: no limit")
      ->type_name("SIZE");
}

std::string_view OrderName(Order order) {
  return order == Order::kOrdered ? "ordered" : "hash";
}

std::string ShowTtl(absl::Duration ttl) {
  return ttl == absl::InfiniteDuration() ? "never" : absl::FormatDuration(ttl);
}

// Of the column of types; 0: no namespace has one. Longer ones stick out.
std::size_t TypeWidth(const std::vector<NamespaceInfo>& namespaces) {
  constexpr std::size_t kWidthMax = 40;
  std::size_t width = 0;
  for (const NamespaceInfo& info : namespaces) {
    width = std::max(width, std::min(info.type.size(), kWidthMax));
  }
  return width;
}

bool HasElements(const types::ContainerType& type) {
  return type.kind == types::ContainerKind::kVec || type.kind == types::ContainerKind::kDeque ||
         type.kind == types::ContainerKind::kString;
}

// How many elements a vector or deque has, how many bytes a string; nullopt: it is none, or cannot
// tell. Cost: one record, whatever the size.
std::optional<std::uint64_t> ElementsOf(const Store& store, const NamespaceInfo& info) {
  const absl::StatusOr<types::ContainerType> type = types::ParseContainer(info.type);
  if (!type.ok() || !HasElements(*type)) {
    return std::nullopt;
  }
  const absl::StatusOr<Namespace> ns = store.OpenNamespace(info.path, {.create_if_missing = false});
  const absl::StatusOr<std::uint64_t> size =
      ns.ok() ? internal::Sequence(*ns).Size() : absl::StatusOr<std::uint64_t>(ns.status());
  // It was dropped since, or is damaged, which other commands say: the others are listed.
  return size.ok() ? std::optional(*size) : std::nullopt;
}

Json ToJson(const std::vector<NamespaceInfo>& namespaces,
            const std::vector<std::optional<std::uint64_t>>& elements) {
  Json list = Json::array();
  for (std::size_t i = 0; i < namespaces.size(); ++i) {
    const NamespaceInfo& info = namespaces[i];
    Json object;
    SetBytes("path", info.path, object);
    object["id"] = info.id;
    object["order"] = OrderName(info.order);
    if (!info.type.empty()) {
      object["type"] = info.type;
    }
    object["keys"] = info.keys;
    object["bytes"] = info.bytes;
    if (elements[i].has_value()) {
      object[info.type == "string" ? "text_bytes" : "elements"] = *elements[i];
    }
    if (info.quota_bytes != 0) {
      object["quota_bytes"] = info.quota_bytes;
    }
    if (info.default_ttl != absl::InfiniteDuration()) {
      object["default_ttl_ms"] = absl::ToInt64Milliseconds(info.default_ttl);
    }
    list.push_back(std::move(object));
  }
  return list;
}

absl::StatusOr<Exit> RunList(const ListArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "ns list"));
  const absl::StatusOr<std::vector<NamespaceInfo>> namespaces =
      store.ListNamespaces(arguments.prefix);
  if (!namespaces.ok()) {
    return Explain(store, namespaces.status());
  }
  std::vector<std::optional<std::uint64_t>> elements(namespaces->size());
  for (std::size_t i = 0; i < namespaces->size() && !arguments.paths_only; ++i) {
    elements[i] = ElementsOf(store, (*namespaces)[i]);
  }
  if (arguments.json) {
    out.Report(ToJson(*namespaces, elements));
    return Exit::kDone;
  }
  const bool any_ttl = std::any_of(
      namespaces->begin(), namespaces->end(),
      [](const NamespaceInfo& info) { return info.default_ttl != absl::InfiniteDuration(); });
  const bool any_quota =
      std::any_of(namespaces->begin(), namespaces->end(),
                  [](const NamespaceInfo& info) { return info.quota_bytes != 0; });
  const std::size_t type_width = TypeWidth(*namespaces);
  for (std::size_t i = 0; i < namespaces->size(); ++i) {
    const NamespaceInfo& info = (*namespaces)[i];
    std::string line;
    if (!arguments.paths_only) {
      line = absl::StrFormat("%14s  %10s  %-7s  ", ShowCount(elements[i].value_or(info.keys)),
                             ShowSize(info.bytes), base::ToAbsl(OrderName(info.order)));
      if (any_quota) {
        line += absl::StrFormat("%13s  ", info.quota_bytes == 0
                                              ? "no quota"
                                              : absl::StrCat("of ", ShowSize(info.quota_bytes)));
      }
      if (any_ttl) {
        line += absl::StrFormat("%-12s  ", ShowTtl(info.default_ttl));
      }
      if (type_width != 0) {
        line += absl::StrFormat("%-*s  ", static_cast<int>(type_width),
                                info.type.empty() ? "-" : info.type);
      }
    }
    AppendTsvField(info.path, line);
    out.Line(line);
  }
  return Exit::kDone;
}

// Gives a namespace without a type one, if all that it holds is of that type.
absl::Status Adopt(const Store& store, const NamespaceArguments& arguments) {
  NamespaceOptions as_it_is{.create_if_missing = false};
  if (arguments.ordered) {
    as_it_is.order = Order::kOrdered;
  }
  absl::StatusOr<Namespace> ns = store.OpenNamespace(arguments.path, as_it_is);
  if (!ns.ok()) {  // It is made with the type.
    return absl::IsNotFound(ns.status()) ? absl::OkStatus() : Explain(store, ns.status());
  }
  COMMY_ASSIGN_OR_RETURN(const std::string stored, ns->Type());
  if (!stored.empty()) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const Form form, Form::OfType(*ns, arguments.type));
  ScanRange scan = ns->Scan();
  for (const Entry& entry : scan) {
    const absl::Status fits = form.Check({.key = entry.key(), .value = entry.value()});
    if (!fits.ok()) {
      std::string key;
      AppendTsvField(entry.key(), key);
      return Explain(store, base::FailedPrecondition("it cannot become a ", arguments.type,
                                                     ": the key ", key, ": ", fits.message()));
    }
  }
  COMMY_RETURN_IF_ERROR(Explain(store, scan.status()));
  return Explain(store, store
                            .OpenNamespace(arguments.path, {.create_if_missing = false,
                                                            .type = arguments.type,
                                                            .adopt_untyped = true})
                            .status());
}

bool IsOfPrograms(const types::ContainerType& type) {
  return type.kind >= types::ContainerKind::kLeader;
}

// What a namespace of a type cannot have; empty: the namespace has no type.
absl::Status CheckOptions(const NamespaceArguments& arguments, const std::string& type) {
  if (type.empty()) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(const types::ContainerType container, types::ParseContainer(type));
  if (!HasElements(container)) {
    return absl::OkStatus();
  }
  const char* const wrong = arguments.ttl.has_value() ? "--ttl"
                            : arguments.ordered       ? "--ordered"
                            : arguments.adopt         ? "--adopt"
                                                      : nullptr;
  return wrong == nullptr ? absl::OkStatus()
                          : base::InvalidArgument("namespace \"", arguments.path, "\": a ",
                                                  base::ToAbsl(types::NameOf(container.kind)),
                                                  " has no keys; leave ", wrong, " out");
}

// The root of a sequence would expire.
absl::Status CheckTtl(const Namespace& ns, const NamespaceArguments& arguments) {
  COMMY_ASSIGN_OR_RETURN(const std::string type, ns.Type());
  return CheckOptions(arguments, type);
}

// Before a store or namespace is made.
absl::Status CheckNew(const NamespaceArguments& arguments) {
  COMMY_RETURN_IF_ERROR(CheckOptions(arguments, arguments.type));
  if (!arguments.type.empty()) {
    COMMY_ASSIGN_OR_RETURN(const types::ContainerType container,
                           types::ParseContainer(arguments.type));
    if (IsOfPrograms(container)) {
      return base::InvalidArgument("namespace \"", arguments.path, "\": only programs make a ",
                                   base::ToAbsl(types::NameOf(container.kind)),
                                   "; the shell does not create or edit it");
    }
  }
  return absl::OkStatus();
}

// Before a new deque is made: the one that is there keeps the limits that are not given.
absl::Status CheckNewLimits(const Store& store, const NamespaceArguments& arguments) {
  const absl::StatusOr<Namespace> ns =
      store.OpenNamespace(arguments.path, {.create_if_missing = false});
  if (!arguments.limits.Any() || !absl::IsNotFound(ns.status())) {
    return absl::OkStatus();
  }
  return CheckDeadLetters(store, arguments.path, arguments.type, arguments.limits.Over({}));
}

absl::StatusOr<Exit> RunCreate(const NamespaceArguments& arguments, Output& /*out*/) {
  COMMY_RETURN_IF_ERROR(CheckNew(arguments));
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kCreate, "ns create"));
  COMMY_RETURN_IF_ERROR(Explain(store, CheckNewLimits(store, arguments)));
  if (arguments.adopt) {
    COMMY_RETURN_IF_ERROR(Adopt(store, arguments));
  }
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenTypedNamespace(store, arguments.path, Use::kCreate,
                                                                arguments.ordered, arguments.type));
  if (arguments.ttl.has_value()) {
    COMMY_RETURN_IF_ERROR(Explain(store, CheckTtl(ns, arguments)));
    COMMY_RETURN_IF_ERROR(Explain(store, ns.SetDefaultTtl(*arguments.ttl)));
  }
  if (arguments.quota.has_value()) {
    COMMY_RETURN_IF_ERROR(Explain(store, ns.SetQuota(*arguments.quota)));
  }
  if (arguments.limits.Any()) {
    COMMY_RETURN_IF_ERROR(Explain(store, SetLimits(store, ns, arguments.limits)));
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunSet(const NamespaceArguments& arguments, Output& /*out*/) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kChange, "ns set"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, arguments.path, Use::kChange));
  if (!arguments.ttl.has_value() && !arguments.quota.has_value() && !arguments.limits.Any()) {
    return base::InvalidArgument(
        "nothing to set; give --ttl or --quota, or of a deque --capacity, --max-deliveries or "
        "--dead-letters");
  }
  if (arguments.ttl.has_value()) {
    COMMY_RETURN_IF_ERROR(Explain(store, CheckTtl(ns, arguments)));
    COMMY_RETURN_IF_ERROR(Explain(store, ns.SetDefaultTtl(*arguments.ttl)));
  }
  if (arguments.quota.has_value()) {
    COMMY_RETURN_IF_ERROR(Explain(store, ns.SetQuota(*arguments.quota)));
  }
  if (arguments.limits.Any()) {
    COMMY_RETURN_IF_ERROR(Explain(store, SetLimits(store, ns, arguments.limits)));
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> ListQuotas(const QuotaArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "ns quota"));
  const absl::StatusOr<std::vector<PathQuota>> quotas = store.PathQuotas();
  if (!quotas.ok()) {
    return Explain(store, quotas.status());
  }
  Json list = Json::array();
  for (const PathQuota& quota : *quotas) {
    if (!arguments.path.empty() && quota.path != arguments.path) {
      continue;
    }
    if (arguments.json) {
      Json object;
      SetBytes("path", quota.path, object);
      object["quota_bytes"] = quota.quota_bytes;
      object["bytes"] = quota.bytes;
      list.push_back(std::move(object));
      continue;
    }
    std::string line =
        absl::StrFormat("%10s of %10s  ", ShowSize(quota.bytes), ShowSize(quota.quota_bytes));
    AppendTsvField(quota.path, line);
    out.Line(line);
  }
  if (arguments.json) {
    out.Report(list);
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunQuota(const QuotaArguments& arguments, Output& out) {
  if (!arguments.quota.has_value()) {
    return ListQuotas(arguments, out);
  }
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kChange, "ns quota"));
  COMMY_RETURN_IF_ERROR(Explain(store, store.SetPathQuota(arguments.path, *arguments.quota)));
  return Exit::kDone;
}

absl::StatusOr<Exit> RunDrop(const NamespaceArguments& arguments, Output& /*out*/) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kChange, "ns drop"));
  COMMY_RETURN_IF_ERROR(Explain(store, store.DropNamespace(arguments.path)));
  return Exit::kDone;
}

absl::StatusOr<Exit> RunRename(const NamespaceArguments& arguments, Output& /*out*/) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kChange, "ns rename"));
  COMMY_RETURN_IF_ERROR(Explain(store, store.RenameNamespace(arguments.path, arguments.new_path)));
  return Exit::kDone;
}

void AddList(CLI::App& group, Action& action) {
  CLI::App& command = *group.add_subcommand(
      "list",
      "List namespaces: how many keys (of a vector or deque elements, of a string bytes), order, "
      "path");
  auto arguments = std::make_shared<ListArguments>();
  AddStore(command, arguments->store);
  command.add_option("PREFIX", arguments->prefix, "Only paths that begin with this")->type_name("");
  command.add_flag("--paths", arguments->paths_only, "Paths only, a line each");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy ns list fleet.commy", "commy ns list fleet.commy --paths",
                        "commy ns list fleet.commy acme/ --json"});
  SetAction(command, arguments, action, RunList);
}

// A name in the text that --key takes for a type, and that a type with a codec of its own could
// hardly have; empty: none.
std::string ShortNameIn(std::string_view text) {
  constexpr std::array<std::string_view, 6> kShort = {"int",    "uint", "float",
                                                      "double", "str",  "text"};
  const auto is_letter = [](char each) {
    return absl::ascii_isalnum(static_cast<unsigned char>(each)) || each == '_' || each == '.' ||
           each == ' ';
  };
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && is_letter(text[end])) {
      ++end;
    }
    const std::string_view word = text.substr(begin, end - begin);
    const bool field = end < text.size() && text[end] == ':';
    if (!field && std::find(kShort.begin(), kShort.end(), word) != kShort.end()) {
      return std::string(word);
    }
    begin = end + 1;
  }
  return "";
}

// Checked before a store is created.
CLI::Option* AddType(CLI::App& command, std::string& type) {
  const auto parse = [&type](const std::string& text) {
    if (const absl::Status parsed = types::ParseContainer(text).status(); !parsed.ok()) {
      throw CLI::ValidationError("--type", std::string(base::ToStd(parsed.message())));
    }
    if (const std::string name = ShortNameIn(text); !name.empty()) {
      throw CLI::ValidationError("--type", name +
                                               " is a short name of --key; write the type of "
                                               "docs/types.md: i64, u64, f64, string");
    }
    type = text;
  };
  return command
      .add_option_function<std::string>(
          "--type", parse,
          "What is in it: map<KEY,VALUE>, set<KEY>, box<VALUE>, counter, vec<ELEMENT>, "
          "deque<ELEMENT> or string, with the types of docs/types.md")
      ->type_name("TYPE");
}

void AddCreate(CLI::App& group, Action& action) {
  CLI::App& command = *group.add_subcommand(
      "create", "Create a namespace unless it exists; a deque that exists gets the limits given");
  auto arguments = std::make_shared<NamespaceArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  command.add_flag("--ordered", arguments->ordered, "Keep its keys in bytewise order");
  CLI::Option* const type = AddType(command, arguments->type);
  command
      .add_flag("--adopt", arguments->adopt,
                "Give the type also to a namespace that has none, if all its keys and values are "
                "of it; while no other process writes there")
      ->needs(type);
  AddTtl(command, arguments->ttl, "Keys that are put without a time to live expire after this");
  AddQuota(command, arguments->quota);
  AddLimitOptions(command, arguments->limits);
  SetExamples(command,
              {"commy ns create fleet.commy acme/config",
               "commy ns create fleet.commy acme/events --ordered",
               "commy ns create fleet.commy acme/hits --type counter",
               "commy ns create fleet.commy acme/scores --type 'map<i64,string>'",
               "commy ns create fleet.commy acme/jobs --type 'deque<string>' --capacity 100",
               "commy ns create fleet.commy acme/old --type 'map<string,string>' --adopt"});
  SetAction(command, arguments, action, RunCreate);
}

void AddSet(CLI::App& group, Action& action) {
  CLI::App& command = *group.add_subcommand("set", "Change the settings of a namespace");
  auto arguments = std::make_shared<NamespaceArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  AddTtl(command, arguments->ttl,
         "Keys that are put from now on without a time to live expire after this; inf: never");
  AddQuota(command, arguments->quota);
  AddLimitOptions(command, arguments->limits);
  SetExamples(command, {"commy ns set fleet.commy acme/sessions --ttl 30m",
                        "commy ns set fleet.commy acme/sessions --ttl inf",
                        "commy ns set fleet.commy acme/sessions --quota 10MiB",
                        "commy ns set fleet.commy acme/jobs --capacity 500",
                        "commy ns set fleet.commy jobs --max-deliveries 3 --dead-letters failed"});
  SetAction(command, arguments, action, RunSet);
}

void AddPathQuota(CLI::App& group, Action& action) {
  CLI::App& command = *group.add_subcommand(
      "quota", "Limit what all namespaces under a path may take together, or show such limits");
  auto arguments = std::make_shared<QuotaArguments>();
  AddStore(command, arguments->store);
  command
      .add_option("PREFIX", arguments->path,
                  "The path, of whole parts: acme is of acme, acme/config and acme/a/b, and not of "
                  "acme2; none: show all")
      ->type_name("");
  command
      .add_option_function<std::string>(
          "SIZE",
          [arguments](const std::string& text) { arguments->quota = ReadQuota("SIZE", text); },
          "The most that their keys may take; 0: no limit any more; none: show it")
      ->type_name("");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy ns quota fleet.commy acme 1GiB", "commy ns quota fleet.commy acme 0",
                        "commy ns quota fleet.commy"});
  SetAction(command, arguments, action, RunQuota);
}

void AddDrop(CLI::App& group, Action& action) {
  CLI::App& command = *group.add_subcommand("drop", "Remove a namespace with all its keys");
  auto arguments = std::make_shared<NamespaceArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  SetExamples(command, {"commy ns drop fleet.commy acme/config"});
  SetAction(command, arguments, action, RunDrop);
}

void AddRename(CLI::App& group, Action& action) {
  CLI::App& command = *group.add_subcommand("rename", "Give a namespace another path");
  auto arguments = std::make_shared<NamespaceArguments>();
  AddStore(command, arguments->store);
  command.add_option("FROM", arguments->path, "Its path")->required()->type_name("");
  command.add_option("TO", arguments->new_path, "Its new path")->required()->type_name("");
  SetExamples(command, {"commy ns rename fleet.commy acme/config acme/settings"});
  SetAction(command, arguments, action, RunRename);
}

}  // namespace

void AddNamespaceCommands(CLI::App& app, Action& action) {
  CLI::App& group = *app.add_subcommand("ns", "List, create, set up, drop and rename namespaces");
  group.require_subcommand(1);
  SetExamples(group, {"commy ns list fleet.commy", "commy ns create fleet.commy acme/config"});
  AddList(group, action);
  AddCreate(group, action);
  AddSet(group, action);
  AddPathQuota(group, action);
  AddDrop(group, action);
  AddRename(group, action);
}

}  // namespace commy::tools
