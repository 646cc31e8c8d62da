// put, get, del, add: one key.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "elements/by_index.h"
#include "elements/lines.h"
#include "jsonl.h"
#include "line_reader.h"
#include "signals.h"
#include "tsv.h"
#include "typed/addition.h"
#include "typed/form.h"

namespace commy::tools {
namespace {

constexpr std::uint64_t kValueBytesMax = std::uint64_t{1} << 30U;

struct KeyArguments {
  std::string store;
  std::string path;
  std::optional<std::string> key;
  FormOptions form;
  bool json = false;
};

struct PutArguments {
  KeyArguments key;
  std::optional<std::string> value;
  std::optional<absl::Duration> ttl;
  bool ordered = false;
};

struct AddArguments {
  KeyArguments key;
  std::optional<std::string> delta;
};

// A positional that may be left out, which is not the same as an empty one.
void AddWord(CLI::App& command, const std::string& name, std::optional<std::string>& word,
             const std::string& about) {
  command
      .add_option_function<std::string>(
          name, [&word](const std::string& text) { word = text; }, about)
      ->type_name("");
}

void AddKey(CLI::App& command, KeyArguments& arguments) {
  AddStore(command, arguments.store);
  AddNamespace(command, arguments.path);
  AddWord(command, "KEY", arguments.key,
          "Key, may be empty; of a namespace with a type as that says (30,bob); the index of an "
          "element of a vector or deque; none of a box, counter or string");
  AddFormOptions(command, arguments.form);
}

// The end of a command with a word too few.
Exit Misses(std::string_view command, std::string_view word) {
  PrintFailure(absl::StrCat(base::ToAbsl(word), " is required; see `commy ", base::ToAbsl(command),
                            " --help`"));
  return Exit::kUsage;
}

// The end of a command with a DELTA that is none.
Exit NotANumber(std::string_view word) {
  PrintFailure(absl::StrCat("DELTA: \"", base::ToAbsl(word),
                            "\" is not a whole number of 64 bits; see `commy add --help`"));
  return Exit::kUsage;
}

// A namespace and how its keys and values are written.
struct Opened {
  Store store;
  Namespace ns;
  Form form;

  // Adds what to do to an error of a key or value.
  [[nodiscard]] absl::Status Explained(const absl::Status& status) const {
    return Explain(store, status);
  }
};

absl::StatusOr<Opened> Open(const KeyArguments& arguments, Use use, std::string_view command,
                            bool ordered = false) {
  COMMY_ASSIGN_OR_RETURN(Store store, OpenStore(arguments.store, use, command));
  COMMY_ASSIGN_OR_RETURN(Namespace ns, OpenNamespace(store, arguments.path, use, ordered));
  COMMY_ASSIGN_OR_RETURN(Form form, Form::Of(store, ns, arguments.form));
  COMMY_RETURN_IF_ERROR(Explain(store, form.CheckIsShown()));
  return Opened{std::move(store), std::move(ns), std::move(form)};
}

absl::StatusOr<std::string> KeyBytesOf(const Opened& opened, const KeyArguments& arguments) {
  absl::StatusOr<std::string> key = opened.form.ParseKey(arguments.key.value_or(""));
  return key.ok() ? std::move(key) : opened.Explained(key.status());
}

absl::Status Missing(const Opened& opened, const KeyArguments& arguments) {
  if (!opened.form.IsBox()) {
    return NoKey(opened.store, arguments.path, arguments.key.value_or(""));
  }
  std::string text = opened.store.path() + ": the box ";
  AppendTsvField(arguments.path, text);
  return absl::NotFoundError(text + " is empty");
}

absl::StatusOr<SharedCounter> CounterOf(const Opened& opened) {
  absl::StatusOr<SharedCounter> counter = opened.store.OpenShared<SharedCounter>(
      opened.ns.path(), SharedOptions{.create_if_missing = false});
  return counter.ok() ? std::move(counter) : opened.Explained(counter.status());
}

// Text from a file or a command ends with a newline, which is no part of a number or of JSON.
bool DropsNewline(const Form& form) {
  return form.IsSet() || (form.value() != nullptr && form.value()->kind != types::Kind::kString &&
                          !types::IsOpaque(form.value()->kind));
}

absl::StatusOr<std::string> ReadValue(const Form& form, const std::string& value) {
  if (value != "-") {
    return value;
  }
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(LineReader input, LineReader::Open("-"));
  COMMY_ASSIGN_OR_RETURN(std::string text, input.ReadRest(kValueBytesMax));
  if (DropsNewline(form) && text.ends_with('\n')) {
    text.pop_back();
  }
  return text;
}

// The stored bytes of a key; of a counter its value as text.
absl::StatusOr<std::string> Stored(const Opened& opened, const std::string& key) {
  if (!opened.form.IsCounter()) {
    return opened.ns.Get(key);
  }
  COMMY_ASSIGN_OR_RETURN(const SharedCounter counter, CounterOf(opened));
  COMMY_ASSIGN_OR_RETURN(const std::int64_t value, counter.Value());
  return std::to_string(value);
}

// An element of a vector, or the text of a string.
absl::StatusOr<Exit> PutInElements(const Opened& opened, const PutArguments& arguments) {
  const Elements elements(opened.store, opened.ns, opened.form);
  if (arguments.ttl.has_value()) {
    return elements.Refusal("what is in it has no time to live; leave --ttl out");
  }
  COMMY_ASSIGN_OR_RETURN(const std::string text,
                         ReadValue(opened.form, arguments.value.value_or("")));
  COMMY_RETURN_IF_ERROR(arguments.key.key.has_value()
                            ? PutElement(elements, *arguments.key.key, text)
                            : PutText(elements, text));
  return Exit::kDone;
}

absl::StatusOr<Exit> PutTo(const Opened& opened, const PutArguments& arguments) {
  const Form& form = opened.form;
  if (form.HasElements()) {
    return PutInElements(opened, arguments);
  }
  if (form.IsCounter()) {
    return opened.Explained(base::InvalidArgument("namespace \"", opened.ns.path(),
                                                  "\" is a counter, which is only added to; ",
                                                  "`commy add` adds to it"));
  }
  COMMY_ASSIGN_OR_RETURN(const std::string key, KeyBytesOf(opened, arguments.key));
  COMMY_RETURN_IF_ERROR(opened.Explained(form.CheckNewKey(key)));
  COMMY_ASSIGN_OR_RETURN(const std::string text, ReadValue(form, arguments.value.value_or("")));
  const absl::StatusOr<std::string> value = form.ParseValue(text);
  COMMY_RETURN_IF_ERROR(opened.Explained(value.status()));
  COMMY_RETURN_IF_ERROR(
      opened.Explained(opened.ns.Put(key, *value, PutOptions{.ttl = arguments.ttl})));
  return Exit::kDone;
}

// With a word too few: of a box or string it is the key that is left out, of a set the value.
absl::StatusOr<Exit> PutOneWord(const PutArguments& given) {
  if (!given.key.key.has_value()) {
    return Misses("put", "KEY");
  }
  const absl::StatusOr<Opened> opened = Open(given.key, Use::kChange, "put");
  if (absl::IsNotFound(opened.status()) || absl::IsFailedPrecondition(opened.status())) {
    return Misses("put", "VALUE");  // Only a box, set or string that exists needs none.
  }
  COMMY_RETURN_IF_ERROR(opened.status());
  PutArguments arguments = given;
  if (opened->form.IsBox()) {
    arguments.value = std::exchange(arguments.key.key, "");
  } else if (opened->form.HasElements() && opened->form.IsString()) {
    arguments.value = std::exchange(arguments.key.key, std::nullopt);
  } else if (!opened->form.IsSet() && !opened->form.IsCounter()) {
    return Misses("put", "VALUE");
  }
  return PutTo(*opened, arguments);
}

absl::StatusOr<Exit> RunPut(const PutArguments& arguments, Output& /*out*/) {
  if (!arguments.value.has_value()) {
    return PutOneWord(arguments);
  }
  COMMY_ASSIGN_OR_RETURN(const Opened opened,
                         Open(arguments.key, Use::kCreate, "put", arguments.ordered));
  return PutTo(opened, arguments);
}

void WriteValue(std::string_view text, Output& out) {
  out.Write(text);
  if (out.is_terminal()) {
    out.Write("\n");
  }
}

absl::StatusOr<Exit> GetFromElements(const Opened& opened, const KeyArguments& arguments,
                                     Output& out) {
  if (!arguments.key.has_value() && !opened.form.IsString()) {
    return Misses("get", "KEY");
  }
  const Elements elements(opened.store, opened.ns, opened.form);
  COMMY_ASSIGN_OR_RETURN(const std::string bytes, GetElement(elements, arguments.key));
  if (arguments.json) {
    std::uint64_t index = 0;
    if (arguments.key.has_value()) {
      COMMY_ASSIGN_OR_RETURN(index, ParseIndex(elements, *arguments.key));
    }
    COMMY_RETURN_IF_ERROR(
        AppendElementLine(elements, index, bytes, {.format = ElementFormat::kJson}, out.buffer()));
    return Exit::kDone;
  }
  const absl::StatusOr<std::string> text = opened.form.FormatValue(bytes);
  COMMY_RETURN_IF_ERROR(opened.Explained(text.status()));
  WriteValue(*text, out);
  return Exit::kDone;
}

absl::StatusOr<Exit> RunGet(const KeyArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Opened opened, Open(arguments, Use::kRead, "get"));
  const Form& form = opened.form;
  if (form.HasElements()) {
    return GetFromElements(opened, arguments, out);
  }
  if (form.HasKeys() && !arguments.key.has_value()) {
    return Misses("get", "KEY");
  }
  COMMY_ASSIGN_OR_RETURN(const std::string key, KeyBytesOf(opened, arguments));
  const absl::StatusOr<std::string> value = Stored(opened, key);
  if (absl::IsNotFound(value.status())) {
    return Missing(opened, arguments);
  }
  COMMY_RETURN_IF_ERROR(opened.Explained(value.status()));
  if (arguments.json) {
    COMMY_RETURN_IF_ERROR(
        opened.Explained(form.AppendJson({key, *value}, /*keys_only=*/false, out.buffer())));
    return Exit::kDone;
  }
  const absl::StatusOr<std::string> text = form.FormatValue(*value);
  COMMY_RETURN_IF_ERROR(opened.Explained(text.status()));
  WriteValue(*text, out);
  return Exit::kDone;
}

absl::StatusOr<Exit> DeleteFromElements(const Opened& opened, const KeyArguments& arguments,
                                        Output& out) {
  if (!arguments.key.has_value() && opened.form.IsVec()) {
    return Misses("del", "KEY");
  }
  const Elements elements(opened.store, opened.ns, opened.form);
  const absl::Status deleted = DeleteElement(elements, arguments.key);
  if (arguments.json && (deleted.ok() || absl::IsNotFound(deleted))) {
    out.Report(Json{{"deleted", deleted.ok()}});
  }
  COMMY_RETURN_IF_ERROR(deleted);
  return Exit::kDone;
}

absl::StatusOr<Exit> RunDel(const KeyArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Opened opened, Open(arguments, Use::kChange, "del"));
  if (opened.form.HasElements()) {
    return DeleteFromElements(opened, arguments, out);
  }
  if (opened.form.IsCounter()) {
    return opened.Explained(base::InvalidArgument(
        "namespace \"", arguments.path, "\" is a counter, which has no keys; `commy add` with the ",
        "negative value sets it to 0, `commy ns drop` removes it"));
  }
  if (opened.form.HasKeys() && !arguments.key.has_value()) {
    return Misses("del", "KEY");
  }
  COMMY_ASSIGN_OR_RETURN(const std::string key, KeyBytesOf(opened, arguments));
  const absl::StatusOr<bool> deleted = opened.ns.Delete(key);
  COMMY_RETURN_IF_ERROR(opened.Explained(deleted.status()));
  if (arguments.json) {
    out.Report(Json{{"deleted", *deleted}});
  }
  if (!*deleted) {
    return Missing(opened, arguments);
  }
  return Exit::kDone;
}

// Adds to a value whose bytes are an integer; returns the text of the sum.
absl::StatusOr<std::string> AddToTyped(const Opened& opened, const std::string& key,
                                       std::int64_t delta) {
  absl::StatusOr<std::string> sum = std::string();
  const auto decide = [&](std::optional<std::string_view> value) {
    sum = AddToInteger(*opened.form.value(), value, delta);
    return sum.ok() ? Change::Put(*sum) : Change::Keep();
  };
  COMMY_RETURN_IF_ERROR(opened.ns.Update(key, decide).status());
  COMMY_RETURN_IF_ERROR(sum.status());
  return opened.form.FormatValue(*sum);
}

absl::StatusOr<std::string> Added(const Opened& opened, const std::string& key,
                                  std::int64_t delta) {
  const Form& form = opened.form;
  if (form.IsCounter()) {
    COMMY_ASSIGN_OR_RETURN(const SharedCounter counter, CounterOf(opened));
    COMMY_RETURN_IF_ERROR(counter.Add(delta));
    COMMY_ASSIGN_OR_RETURN(const std::int64_t sum, counter.Value());
    return std::to_string(sum);
  }
  const bool is_text = form.value() == nullptr || form.value()->kind == types::Kind::kString;
  if (form.HasElements() || form.IsSet() || (!is_text && !types::IsInteger(form.value()->kind))) {
    return base::InvalidArgument("namespace \"", opened.ns.path(), "\" has the type ", form.type(),
                                 ": `add` needs values that are integers, or a counter");
  }
  if (!is_text) {
    return AddToTyped(opened, key, delta);
  }
  COMMY_ASSIGN_OR_RETURN(const std::int64_t sum, opened.ns.Add(key, delta));
  return std::to_string(sum);
}

absl::StatusOr<Exit> AddTo(const Opened& opened, const AddArguments& arguments, Output& out) {
  std::int64_t delta = 0;
  if (!absl::SimpleAtoi(*arguments.delta, &delta)) {
    return NotANumber(*arguments.delta);
  }
  COMMY_ASSIGN_OR_RETURN(const std::string key, KeyBytesOf(opened, arguments.key));
  const absl::StatusOr<std::string> sum = Added(opened, key, delta);
  COMMY_RETURN_IF_ERROR(opened.Explained(sum.status()));
  if (arguments.key.json) {
    out.Report(Json{{"value", Json::parse(*sum)}});
  } else {
    out.Line(*sum);
  }
  return Exit::kDone;
}

// With a word too few: of a box or counter it is the key that is left out.
absl::StatusOr<Exit> AddOneWord(const AddArguments& given, Output& out) {
  if (!given.key.key.has_value()) {
    return Misses("add", "KEY");
  }
  const absl::StatusOr<Opened> opened = Open(given.key, Use::kChange, "add");
  if (absl::IsNotFound(opened.status()) || absl::IsFailedPrecondition(opened.status())) {
    return Misses("add", "DELTA");  // Only a box or counter that exists needs no key.
  }
  COMMY_RETURN_IF_ERROR(opened.status());
  if (opened->form.HasKeys()) {
    return Misses("add", "DELTA");
  }
  AddArguments arguments = given;
  arguments.delta = std::exchange(arguments.key.key, "");
  return AddTo(*opened, arguments, out);
}

absl::StatusOr<Exit> RunAdd(const AddArguments& arguments, Output& out) {
  if (!arguments.delta.has_value()) {
    return AddOneWord(arguments, out);
  }
  std::int64_t ignored = 0;
  if (!absl::SimpleAtoi(*arguments.delta, &ignored)) {
    return NotANumber(*arguments.delta);  // Before a store is created.
  }
  COMMY_ASSIGN_OR_RETURN(const Opened opened, Open(arguments.key, Use::kCreate, "add"));
  return AddTo(opened, arguments, out);
}

void AddPut(CLI::App& app, Action& action) {
  CLI::App& command =
      *app.add_subcommand("put", "Set a key, an element of a vector, or the text of a string");
  auto arguments = std::make_shared<PutArguments>();
  AddKey(command, arguments->key);
  AddWord(command, "VALUE", arguments->value,
          "Value, element or text; - reads it from standard input; none of a set");
  AddTtl(command, arguments->ttl,
         "Delete the key after this time, inf: never; the namespace's default unless given");
  command.add_flag("--ordered", arguments->ordered, "Make a new namespace an ordered one");
  SetExamples(command, {"commy put fleet.commy acme/config greeting hello",
                        "commy put fleet.commy acme/sessions s17 token --ttl 1h",
                        "commy put fleet.commy acme/images logo - < logo.png",
                        "commy put fleet.commy acme/scores 30,bob silver",
                        "commy put fleet.commy acme/samples 0 1.25",
                        R"(commy put fleet.commy acme/limits '{"cpu":4,"memory":8192}')",
                        "commy put fleet.commy acme/config -- -key-with-dash -value-with-dash"});
  SetAction(command, arguments, action, RunPut);
}

void AddGet(CLI::App& app, Action& action) {
  CLI::App& command =
      *app.add_subcommand("get", "Print a key's value, an element, or the text of a string");
  auto arguments = std::make_shared<KeyArguments>();
  AddKey(command, *arguments);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy get fleet.commy acme/config greeting",
                        "commy get fleet.commy acme/images logo > logo.png",
                        "commy get fleet.commy acme/scores 30,bob",
                        "commy get fleet.commy acme/hits", "commy get fleet.commy acme/samples 0",
                        "commy get fleet.commy acme/config greeting --json"});
  SetAction(command, arguments, action, RunGet);
}

void AddDel(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "del", "Delete a key, or erase an element of a vector; exit status 1 if it was not there");
  auto arguments = std::make_shared<KeyArguments>();
  AddKey(command, *arguments);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy del fleet.commy acme/config greeting",
                        "commy del fleet.commy acme/scores 30,bob"});
  SetAction(command, arguments, action, RunDel);
}

void AddAdd(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "add",
      "Add to a counter, or to a value that is a decimal number or of an integer type; "
      "print the sum");
  auto arguments = std::make_shared<AddArguments>();
  AddKey(command, arguments->key);
  AddWord(command, "DELTA", arguments->delta, "What to add; may be negative");
  AddJson(command, arguments->key.json);
  SetExamples(command, {"commy add fleet.commy acme/counters visits 1",
                        "commy add fleet.commy acme/counters stock -3",
                        "commy add fleet.commy acme/hits 1"});
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
