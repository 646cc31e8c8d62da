// describe: the command line itself as JSON. The build makes the manual page and the shell
// completion from it (packaging/), so it is hidden.

#include <string>
#include <vector>

#include "command.h"
#include "jsonl.h"

namespace commy::tools {
namespace {

Json ToJson(const CLI::Option& option) {
  Json names = Json::array();
  for (const std::string& name : option.get_snames()) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  const bool positional = option.get_positional();
  return Json{{"name", positional ? option.get_name(true) : std::string()},
              {"names", std::move(names)},
              {"value", option.get_items_expected_max() > 0 ? option.get_type_name() : ""},
              {"takes_value", option.get_items_expected_max() > 0},
              {"required", option.get_required()},
              {"about", option.get_description()}};
}

Json ToJson(const CLI::App& command) {
  Json options = Json::array();
  Json positionals = Json::array();
  for (const CLI::Option* const option : command.get_options()) {
    if (!option->get_group().empty()) {
      (option->get_positional() ? positionals : options).push_back(ToJson(*option));
    }
  }
  Json commands = Json::array();
  for (const CLI::App* const inner :
       command.get_subcommands([](const CLI::App* app) { return !app->get_group().empty(); })) {
    commands.push_back(ToJson(*inner));
  }
  return Json{{"name", command.get_name()},     {"about", command.get_description()},
              {"footer", command.get_footer()}, {"positionals", std::move(positionals)},
              {"options", std::move(options)},  {"commands", std::move(commands)}};
}

struct DescribeArguments {
  const CLI::App* app;
};

absl::StatusOr<Exit> RunDescribe(const DescribeArguments& arguments, Output& out) {
  out.Report(ToJson(*arguments.app));
  return Exit::kDone;
}

}  // namespace

void AddDescribeCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("describe", "The command line as JSON");
  command.group("");  // Not in the help.
  SetAction(command, std::make_shared<DescribeArguments>(DescribeArguments{.app = &app}), action,
            RunDescribe);
}

}  // namespace commy::tools
