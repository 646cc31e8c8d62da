#include "elements/limits.h"

#include "absl/strings/numbers.h"

#include "base/status.h"
#include "types/descriptor.h"

namespace commy::tools {
namespace {

bool IsDequeType(const std::string& type) {
  const absl::StatusOr<types::ContainerType> container = types::ParseContainer(type);
  return container.ok() && container->kind == types::ContainerKind::kDeque;
}

absl::Status NoDeque(const std::string& path, const std::string& type) {
  return base::InvalidArgument(
      "namespace \"", path, "\" ", type.empty() ? "has no type" : "has the type " + type,
      ": --capacity, --max-deliveries and --dead-letters are of deques; ", "leave them out");
}

}  // namespace

QueueLimits LimitOptions::Over(const QueueLimits& limits) const {
  return {capacity.value_or(limits.capacity), max_deliveries.value_or(limits.max_deliveries),
          dead_letters.value_or(limits.dead_letters)};
}

void AddLimitOptions(CLI::App& command, LimitOptions& limits) {
  const auto parse_capacity = [&limits](const std::string& text) {
    std::uint64_t number = 0;
    if (text == "inf") {
      number = UINT64_MAX;
    } else if (!absl::SimpleAtoi(text, &number) || number == 0) {
      throw CLI::ValidationError("--capacity",
                                 "\"" + text + "\" is not a number of at least 1, or inf");
    }
    limits.capacity = number;
  };
  command
      .add_option_function<std::string>(
          "--capacity", parse_capacity,
          "Of a deque: pushes wait or fail while it has this many elements; inf: never")
      ->type_name("N");
  const auto parse_deliveries = [&limits](const std::string& text) {
    std::uint32_t number = 0;
    if (!absl::SimpleAtoi(text, &number)) {
      throw CLI::ValidationError("--max-deliveries", "\"" + text + "\" is not a count");
    }
    limits.max_deliveries = number;
  };
  command
      .add_option_function<std::string>(
          "--max-deliveries", parse_deliveries,
          "Of a deque: an element that was leased this often without an acknowledgment goes to the "
          "dead letters; 0: none does")
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--dead-letters", [&limits](const std::string& text) { limits.dead_letters = text; },
          "Of a deque: the namespace of the deque that gets them, of the same type; made if there "
          "is none")
      ->type_name("NS");
}

LimitOptions LimitsOf(const JsonlHeader& header) {
  return {header.capacity, header.max_deliveries, header.dead_letters};
}

void SetLimitsIn(const QueueLimits& limits, JsonlHeader& header) {
  if (limits.capacity != UINT64_MAX) {
    header.capacity = limits.capacity;
  }
  if (limits.max_deliveries != 0) {
    header.max_deliveries = limits.max_deliveries;
  }
  if (!limits.dead_letters.empty()) {
    header.dead_letters = limits.dead_letters;
  }
}

absl::Status CheckDeadLetters(const Store& store, const std::string& path, const std::string& type,
                              const QueueLimits& limits) {
  if (!IsDequeType(type)) {
    return NoDeque(path, type);
  }
  if (limits.dead_letters.empty()) {
    return limits.max_deliveries == 0
               ? absl::OkStatus()
               : base::InvalidArgument("namespace \"", path, "\": --max-deliveries needs the ",
                                       "namespace that gets the elements; give --dead-letters");
  }
  if (limits.dead_letters == path) {
    return base::InvalidArgument("namespace \"", path, "\" cannot be its own --dead-letters; ",
                                 "name another one");
  }
  const absl::Status opened =
      store.OpenNamespace(limits.dead_letters, {.create_if_missing = false, .type = type}).status();
  return absl::IsNotFound(opened) ? absl::OkStatus() : opened;
}

absl::Status SetLimits(const Store& store, const Namespace& ns, const LimitOptions& limits) {
  COMMY_ASSIGN_OR_RETURN(const std::string type, ns.Type());
  if (!IsDequeType(type)) {
    return NoDeque(ns.path(), type);
  }
  const internal::Queue queue{internal::Sequence(ns)};
  COMMY_ASSIGN_OR_RETURN(const QueueInfo info, queue.Info());
  const QueueLimits wanted = limits.Over(info.limits);
  COMMY_RETURN_IF_ERROR(CheckDeadLetters(store, ns.path(), type, wanted));
  return queue.SetLimits(wanted);
}

}  // namespace commy::tools
