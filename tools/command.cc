#include "command.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "units.h"

namespace commy::tools {
namespace {

template <typename Number>
CLI::Option& AddNumber(CLI::App& command, const std::string& name, Number& number,
                       const std::string& about, const char* what) {
  const auto parse = [name, &number, what](const std::string& text) {
    if (!absl::SimpleAtoi(text, &number)) {
      throw CLI::ValidationError(name, "\"" + text + "\" is not " + what);
    }
  };
  return *command.add_option_function<std::string>(name, parse, about)->type_name("N");
}

}  // namespace

Exit ExitFor(const absl::Status& status) {
  const bool is_no = absl::IsNotFound(status) || absl::IsDeadlineExceeded(status);
  return is_no ? Exit::kNo : Exit::kFailed;
}

void AddStore(CLI::App& command, std::string& store) {
  command.add_option("STORE", store, "Path of the store")->required()->type_name("");
}

void AddNamespace(CLI::App& command, std::string& path) {
  command.add_option("NS", path, "Namespace: parts separated by '/'")->required()->type_name("");
}

void AddJson(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Report as JSON");
}

CLI::Option& AddInteger(CLI::App& command, const std::string& name, std::int64_t& number,
                        const std::string& about) {
  return AddNumber(command, name, number, about, "a whole number of 64 bits");
}

CLI::Option& AddCount(CLI::App& command, const std::string& name, std::uint64_t& number,
                      const std::string& about) {
  return AddNumber(command, name, number, about, "a count");
}

void AddLimited(CLI::App& command, const std::string& name, std::uint64_t& number,
                std::uint64_t least, std::uint64_t most, const std::string& about) {
  AddCount(command, name, number, about).check([least, most](const std::string& text) {
    std::uint64_t given = 0;
    const bool fits = absl::SimpleAtoi(text, &given) && given >= least && given <= most;
    return fits ? std::string() : absl::StrCat("\"", text, "\" is not from ", least, " to ", most);
  });
}

void AddSeconds(CLI::App& command, const std::string& name, double& seconds, double least,
                double most, const std::string& about) {
  const auto parse = [name, &seconds, least, most](const std::string& text) {
    double given = 0;
    if (!absl::SimpleAtod(text, &given) || !(given >= least && given <= most)) {
      throw CLI::ValidationError(
          name, absl::StrCat("\"", text, "\" is not from ", least, " to ", most, " seconds"));
    }
    seconds = given;
  };
  command.add_option_function<std::string>(name, parse, about)->type_name("SECONDS");
}

void AddTtl(CLI::App& command, std::optional<absl::Duration>& ttl, const std::string& about) {
  const auto parse = [&ttl](const std::string& text) {
    const absl::StatusOr<absl::Duration> parsed = ParseDuration(text);
    if (!parsed.ok()) {
      throw CLI::ValidationError("--ttl", std::string(base::ToStd(parsed.status().message())));
    }
    ttl = *parsed;
  };
  command.add_option_function<std::string>("--ttl", parse, about)->type_name("DURATION");
}

void AddSize(CLI::App& command, const std::string& name, std::uint64_t& bytes,
             const std::string& about) {
  const auto parse = [name, &bytes](const std::string& text) {
    const absl::StatusOr<std::uint64_t> parsed = ParseSize(text);
    if (!parsed.ok()) {
      throw CLI::ValidationError(name, std::string(base::ToStd(parsed.status().message())));
    }
    bytes = *parsed;
  };
  command.add_option_function<std::string>(name, parse, about)->type_name("SIZE");
}

void AddDuration(CLI::App& command, const std::string& name, absl::Duration& duration,
                 const std::string& about, absl::Duration most) {
  const auto parse = [name, &duration, most](const std::string& text) {
    const absl::StatusOr<absl::Duration> parsed = ParseDuration(text);
    if (!parsed.ok()) {
      throw CLI::ValidationError(name, std::string(base::ToStd(parsed.status().message())));
    }
    if (*parsed > most) {
      throw CLI::ValidationError(name, absl::StrCat("\"", text, "\" is not above zero and at most ",
                                                    absl::FormatDuration(most)));
    }
    duration = *parsed;
  };
  command.add_option_function<std::string>(name, parse, about)->type_name("DURATION");
}

void SetExamples(CLI::App& command, std::initializer_list<std::string_view> lines) {
  std::string text = "Examples:";
  for (const std::string_view line : lines) {
    text += "\n  ";
    text += line;
  }
  command.footer(text);
}

}  // namespace commy::tools
