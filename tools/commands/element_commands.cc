// push, pop, len: the elements of vectors and deques, and the text of strings.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "elements/elements.h"
#include "elements/lines.h"
#include "jsonl.h"
#include "typed/form.h"

namespace commy::tools {
namespace {

struct PushArguments {
  std::string store;
  std::string path;
  std::string first;
  std::vector<std::string> values;  // All of them.
  bool front = false;
  absl::Duration timeout = absl::ZeroDuration();
};

struct PopArguments {
  std::string store;
  std::string path;
  bool back = false;
  std::optional<std::uint64_t> most;
  absl::Duration timeout = absl::ZeroDuration();
  bool json = false;
};

struct LenArguments {
  std::string store;
  std::string path;
  bool json = false;
};

// The namespace of a vector, deque or string and how its elements are written.
struct Opened {
  Store store;
  Namespace ns;
  Form form;
};

absl::StatusOr<Opened> Open(const std::string& path, const std::string& ns_path, Use use,
                            std::string_view command) {
  COMMY_ASSIGN_OR_RETURN(Store store, OpenStore(path, use, command));
  COMMY_ASSIGN_OR_RETURN(Namespace ns, OpenNamespace(store, ns_path, use));
  COMMY_ASSIGN_OR_RETURN(Form form, Form::Of(store, ns, FormOptions()));
  COMMY_RETURN_IF_ERROR(Explain(store, form.CheckIsShown()));
  return Opened{std::move(store), std::move(ns), std::move(form)};
}

// `also_string`: the command takes a string, too.
absl::Status CheckHasElements(const Opened& opened, bool also_string, absl::Duration timeout) {
  const Form& form = opened.form;
  const std::string type = form.type().empty() ? "has no type" : "has the type " + form.type();
  if (!form.HasElements() || (form.IsString() && !also_string)) {
    return Explain(
        opened.store,
        base::InvalidArgument("namespace \"", opened.ns.path(), "\" ", type, ", and no elements",
                              form.IsString() ? "; `commy get` prints its text"
                                              : "; `commy put`, `get` and `del` are for its keys"));
  }
  if (timeout != absl::ZeroDuration() && !form.IsDeque()) {
    return Explain(opened.store,
                   base::InvalidArgument("namespace \"", opened.ns.path(), "\" ", type,
                                         ": only a deque is waited for; ", "leave --timeout out"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Exit> RunPush(const PushArguments& arguments, Output& /*out*/) {
  COMMY_ASSIGN_OR_RETURN(const Opened opened,
                         Open(arguments.store, arguments.path, Use::kChange, "push"));
  COMMY_RETURN_IF_ERROR(CheckHasElements(opened, /*also_string=*/true, arguments.timeout));
  const Elements elements(opened.store, opened.ns, opened.form);
  COMMY_RETURN_IF_ERROR(elements.Push(arguments.values, !arguments.front, arguments.timeout));
  return Exit::kDone;
}

// One element without -n is printed as get prints it, else each is a line.
absl::Status Print(const Elements& elements, const std::vector<std::string>& taken,
                   const PopArguments& arguments, Output& out) {
  if (!arguments.json && !arguments.most.has_value()) {
    const absl::StatusOr<std::string> text = elements.form().FormatValue(taken[0]);
    COMMY_RETURN_IF_ERROR(elements.Explained(text.status()));
    out.Write(*text);
    out.Write(out.is_terminal() ? "\n" : "");
    return absl::OkStatus();
  }
  std::string lines;
  for (const std::string& element : taken) {
    const ElementLines as{.format = arguments.json ? ElementFormat::kJsonOfDump
                                                   : ElementFormat::kTsvOfPop};
    COMMY_RETURN_IF_ERROR(AppendElementLine(elements, 0, element, as, lines));
  }
  out.Write(lines);
  return absl::OkStatus();
}

absl::StatusOr<Exit> RunPop(const PopArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Opened opened,
                         Open(arguments.store, arguments.path, Use::kChange, "pop"));
  COMMY_RETURN_IF_ERROR(CheckHasElements(opened, /*also_string=*/false, arguments.timeout));
  const Elements elements(opened.store, opened.ns, opened.form);
  COMMY_ASSIGN_OR_RETURN(
      std::vector<std::string> taken,
      elements.Pop(arguments.back, arguments.most.value_or(1), arguments.timeout));
  absl::Status printed = Print(elements, taken, arguments, out);
  printed.Update(out.Flush());
  if (!printed.ok()) {  // What nobody has seen is not lost.
    COMMY_RETURN_IF_ERROR(elements.Return(std::move(taken), arguments.back));
    return out.status().ok() ? absl::StatusOr<Exit>(printed) : Exit::kFailed;
  }
  return Exit::kDone;
}

// A character begins with a byte that continues no other.
std::uint64_t CharactersOf(std::string_view text) {
  std::uint64_t characters = 0;
  for (const char byte : text) {
    characters += (static_cast<unsigned char>(byte) & 0xc0U) == 0x80 ? 0 : 1;
  }
  return characters;
}

absl::StatusOr<Exit> LenOfString(const Elements& elements, bool json, Output& out) {
  std::uint64_t bytes = 0;
  std::uint64_t characters = 0;
  const auto count = [&](const internal::ElementRun& run) {
    bytes += run.bytes.size();
    characters += CharactersOf(run.bytes);
    return true;
  };
  COMMY_RETURN_IF_ERROR(elements.Explained(elements.sequence().ForEachRun(0, UINT64_MAX, count)));
  if (json) {
    out.Report(Json{{"bytes", bytes}, {"characters", characters}});
  } else {
    out.Line(absl::StrCat(bytes, " bytes, ", characters, " characters"));
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunLen(const LenArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Opened opened,
                         Open(arguments.store, arguments.path, Use::kRead, "len"));
  const Form& form = opened.form;
  if (form.IsCounter()) {
    return Explain(opened.store,
                   base::InvalidArgument("namespace \"", arguments.path, "\" is a counter, which ",
                                         "has no keys; `commy get` prints its value"));
  }
  std::uint64_t count = 0;
  if (form.HasElements()) {
    const Elements elements(opened.store, opened.ns, form);
    if (form.IsString()) {
      return LenOfString(elements, arguments.json, out);
    }
    COMMY_ASSIGN_OR_RETURN(count, elements.Size());
  } else {
    const absl::StatusOr<std::uint64_t> keys = opened.ns.Size();
    COMMY_RETURN_IF_ERROR(Explain(opened.store, keys.status()));
    count = *keys;
  }
  if (arguments.json) {
    out.Report(Json{{form.HasElements() ? "elements" : "keys", count}});
  } else {
    out.Line(std::to_string(count));
  }
  return Exit::kDone;
}

// A command that takes any number of words behind its positionals as they are: an option of CLI11
// that takes many would split one in brackets, as JSON is, at its commas.
class WordsCommand : public CLI::App {
 public:
  WordsCommand(std::string about, std::string name) : CLI::App(std::move(about), std::move(name)) {
    allow_extras();
  }
  // Throws what CLI11 throws for an unknown option.
  [[nodiscard]] std::vector<std::string> Words() const {
    std::vector<std::string> words;
    for (const auto& [what, word] : missing_) {
      if (what == CLI::detail::Classifier::NONE) {
        words.push_back(word);
      } else if (what != CLI::detail::Classifier::POSITIONAL_MARK) {
        throw CLI::ExtrasError(get_name(), {word});
      }
    }
    return words;
  }
};

void AddPush(CLI::App& app, Action& action) {
  const auto owned = std::make_shared<WordsCommand>(
      "Add elements to a vector or deque, or text to a string, at one moment", "push");
  app.add_subcommand(owned);
  WordsCommand& command = *owned;
  auto arguments = std::make_shared<PushArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  command
      .add_option("VALUE", arguments->first,
                  "An element, as the type of the namespace says; or text. There may be more "
                  "behind it, which are added in their order")
      ->required()
      ->type_name("");
  command.add_flag("--front", arguments->front, "Before the first element; else behind the last");
  AddDuration(command, "--timeout", arguments->timeout,
              "Wait that long for room in a full deque; else that is an error");
  SetExamples(command, {"commy push fleet.commy acme/samples 1.5 -2 2.5",
                        "commy push fleet.commy acme/jobs resize --timeout 5s",
                        R"(commy push fleet.commy acme/limits '{"cpu":4,"share":0.5}')",
                        "commy push fleet.commy acme/words -- -word-with-dash",
                        "commy push fleet.commy acme/log \"$(date) done\""});
  command.callback([arguments, &action, &command] {
    const std::vector<std::string> more = command.Words();
    arguments->values = {arguments->first};
    arguments->values.insert(arguments->values.end(), more.begin(), more.end());
    action = [arguments](Output& out) { return RunPush(*arguments, out); };
  });
}

void AddPop(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "pop",
      "Take the first element of a vector or deque, and print it; exit status 1 if there is none");
  auto arguments = std::make_shared<PopArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  command.add_flag("--back", arguments->back, "Take the last one");
  const auto set_most = [most = &arguments->most](std::uint64_t number) { *most = number; };
  command
      .add_option_function<std::uint64_t>(
          "-n", set_most, "Take up to N elements at one moment, and print each on a line, as scan")
      ->check(CLI::Range(std::uint64_t{1}, UINT64_MAX).description(""))
      ->type_name("N");
  AddDuration(command, "--timeout", arguments->timeout,
              "Wait that long for an element of an empty deque");
  command.add_flag("--json", arguments->json, "Print a JSON object a line");
  SetExamples(command,
              {"commy pop fleet.commy acme/jobs", "commy pop fleet.commy acme/jobs --timeout 1m",
               "commy pop fleet.commy acme/samples --back",
               "commy pop fleet.commy acme/jobs -n 10 --json"});
  SetAction(command, arguments, action, RunPop);
}

void AddLen(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "len",
      "Print how many elements a vector or deque has, how many bytes and characters a string, how "
      "many keys any other namespace");
  auto arguments = std::make_shared<LenArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  AddJson(command, arguments->json);
  SetExamples(command, {"commy len fleet.commy acme/jobs", "commy len fleet.commy acme/config",
                        "commy len fleet.commy acme/log --json"});
  SetAction(command, arguments, action, RunLen);
}

}  // namespace

void AddElementCommands(CLI::App& app, Action& action) {
  AddPush(app, action);
  AddPop(app, action);
  AddLen(app, action);
}

}  // namespace commy::tools
