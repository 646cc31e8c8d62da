// put, get, del, add: one key.

#include <cstdint>
#include <optional>
#include <string>

#include <unistd.h>

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "jsonl.h"
#include "line_reader.h"
#include "signals.h"

namespace commy::tools {
namespace {

constexpr std::uint64_t kValueBytesMax = std::uint64_t{1} << 30U;

struct KeyArguments {
  std::string store;
  std::string path;
  std::string key;
  bool json = false;
};

struct PutArguments {
  KeyArguments key;
  std::string value;
  std::optional<absl::Duration> ttl;
  bool ordered = false;
};

struct AddArguments {
  KeyArguments key;
  std::int64_t delta = 0;
};

void AddKey(CLI::App& command, KeyArguments& arguments) {
  AddStore(command, arguments.store);
  AddNamespace(command, arguments.path);
  command.add_option("KEY", arguments.key, "Key; may be empty")->required()->type_name("");
}

absl::StatusOr<std::string> ReadValue(const std::string& value) {
  if (value != "-") {
    return value;
  }
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(LineReader input, LineReader::Open("-"));
  return input.ReadRest(kValueBytesMax);
}

absl::StatusOr<Exit> RunPut(const PutArguments& arguments, Output& /*out*/) {
  COMMY_ASSIGN_OR_RETURN(const std::string value, ReadValue(arguments.value));
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.key.store, Use::kCreate, "put"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns,
                         OpenNamespace(store, arguments.key.path, Use::kCreate, arguments.ordered));
  COMMY_RETURN_IF_ERROR(
      Explain(store, ns.Put(arguments.key.key, value, PutOptions{.ttl = arguments.ttl})));
  return Exit::kDone;
}

absl::StatusOr<Exit> RunGet(const KeyArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "get"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, arguments.path, Use::kRead));
  const absl::StatusOr<std::string> value = ns.Get(arguments.key);
  if (absl::IsNotFound(value.status())) {
    return NoKey(store, arguments.path, arguments.key);
  }
  if (!value.ok()) {
    return Explain(store, value.status());
  }
  if (arguments.json) {
    AppendJsonLine(arguments.key, *value, absl::InfiniteDuration(), out.buffer());
    return Exit::kDone;
  }
  out.Write(*value);
  if (out.is_terminal()) {
    out.Write("\n");
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunDel(const KeyArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kChange, "del"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, arguments.path, Use::kChange));
  const absl::StatusOr<bool> deleted = ns.Delete(arguments.key);
  if (!deleted.ok()) {
    return Explain(store, deleted.status());
  }
  if (arguments.json) {
    out.Report(Json{{"deleted", *deleted}});
  }
  if (!*deleted) {
    return NoKey(store, arguments.path, arguments.key);
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunAdd(const AddArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.key.store, Use::kCreate, "add"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns,
                         OpenNamespace(store, arguments.key.path, Use::kCreate));
  const absl::StatusOr<std::int64_t> sum = ns.Add(arguments.key.key, arguments.delta);
  if (!sum.ok()) {
    return Explain(store, sum.status());
  }
  if (arguments.key.json) {
    out.Report(Json{{"value", *sum}});
  } else {
    out.Line(std::to_string(*sum));
  }
  return Exit::kDone;
}

void AddPut(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("put", "Set a key");
  auto arguments = std::make_shared<PutArguments>();
  AddKey(command, arguments->key);
  command.add_option("VALUE", arguments->value, "Value; - reads it from standard input")
      ->required()
      ->type_name("");
  AddTtl(command, arguments->ttl,
         "Delete the key after this time, inf: never; the namespace's default unless given");
  command.add_flag("--ordered", arguments->ordered, "Make a new namespace an ordered one");
  SetExamples(command, {"commy put fleet.commy acme/config greeting hello",
                        "commy put fleet.commy acme/sessions s17 token --ttl 1h",
                        "commy put fleet.commy acme/images logo - < logo.png",
                        "commy put fleet.commy acme/config -- -key-with-dash -value-with-dash"});
  SetAction(command, arguments, action, RunPut);
}

void AddGet(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("get", "Print a key's value");
  auto arguments = std::make_shared<KeyArguments>();
  AddKey(command, *arguments);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy get fleet.commy acme/config greeting",
                        "commy get fleet.commy acme/images logo > logo.png",
                        "commy get fleet.commy acme/config greeting --json"});
  SetAction(command, arguments, action, RunGet);
}

void AddDel(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("del", "Delete a key; exit status 1 if it was not there");
  auto arguments = std::make_shared<KeyArguments>();
  AddKey(command, *arguments);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy del fleet.commy acme/config greeting"});
  SetAction(command, arguments, action, RunDel);
}

void AddAdd(CLI::App& app, Action& action) {
  CLI::App& command =
      *app.add_subcommand("add", "Add to a value that is a decimal number; print the sum");
  auto arguments = std::make_shared<AddArguments>();
  AddKey(command, arguments->key);
  AddInteger(command, "DELTA", arguments->delta, "What to add; may be negative")
      .required()
      ->type_name("");
  AddJson(command, arguments->key.json);
  SetExamples(command, {"commy add fleet.commy acme/counters visits 1",
                        "commy add fleet.commy acme/counters stock -3"});
  SetAction(command, arguments, action, RunAdd);
}

}  // namespace

void AddKeyCommands(CLI::App& app, Action& action) {
  AddPut(app, action);
  AddGet(app, action);
  AddDel(app, action);
  AddAdd(app, action);
}

}  // namespace commy::tools
