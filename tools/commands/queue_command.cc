// queue: a deque as a queue: how much is in it, and what each process holds.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "elements/elements.h"
#include "jsonl.h"
#include "table.h"
#include "tsv.h"
#include "typed/form.h"
#include "units.h"

namespace commy::tools {
namespace {

struct QueueArguments {
  std::string store;
  std::string path;
  bool json = false;
};

// A queue and what else is known of it.
struct Picture {
  QueueInfo info;
  std::map<std::uint32_t, ParticipantInfo> participants;  // By slot.
  std::optional<std::uint64_t> dead;                      // Elements of the dead letters.
};

// The participant that holds a lease; null: nothing is known of it any more, as another process may
// have its slot.
const ParticipantInfo* HolderOf(const LeaseInfo& lease, const Picture& picture) {
  const auto found = picture.participants.find(lease.slot);
  if (found == picture.participants.end() ||
      (lease.gone && found->second.liveness != Liveness::kDead) ||
      found->second.started > lease.since) {
    return nullptr;
  }
  return &found->second;
}

std::string_view StateOf(const LeaseInfo& lease, const ParticipantInfo* holder) {
  return lease.gone ? "gone" : holder == nullptr ? "unknown" : LivenessName(holder->liveness);
}

Json ToJson(const Picture& picture) {
  const QueueInfo& info = picture.info;
  Json leases = Json::array();
  for (const LeaseInfo& lease : info.leases) {
    const ParticipantInfo* const holder = HolderOf(lease, picture);
    Json object = {{"slot", lease.slot}};
    if (holder != nullptr) {
      object["pid"] = holder->pid;
      SetBytes("name", holder->name, object);
    }
    object["state"] = StateOf(lease, holder);
    object["gone"] = lease.gone;
    object["since"] = absl::FormatTime(absl::RFC3339_full, lease.since, absl::UTCTimeZone());
    object["deliveries"] = lease.deliveries;
    leases.push_back(std::move(object));
  }
  Json json = {{"size", info.size}, {"returned", info.returned}};
  if (info.limits.capacity != UINT64_MAX) {
    json["capacity"] = info.limits.capacity;
  }
  json["max_deliveries"] = info.limits.max_deliveries;
  if (!info.limits.dead_letters.empty()) {
    SetBytes("dead_letters", info.limits.dead_letters, json);
  }
  if (picture.dead.has_value()) {
    json["dead_letters_size"] = *picture.dead;
  }
  json["leases"] = std::move(leases);
  return json;
}

std::string ShowDeadLetters(const Picture& picture) {
  if (picture.info.limits.dead_letters.empty()) {
    return "none";
  }
  std::string text;
  AppendTsvField(picture.info.limits.dead_letters, text);
  return picture.dead.has_value() ? absl::StrCat(text, ", ", ShowCount(*picture.dead), " elements")
                                  : text;
}

std::string LeaseTable(const Picture& picture) {
  std::vector<std::vector<std::string>> rows = {
      {"SLOT", "PID", "NAME", "STATE", "SINCE", "FOR", "DELIVERIES"}};
  for (const LeaseInfo& lease : picture.info.leases) {
    const ParticipantInfo* const holder = HolderOf(lease, picture);
    std::string name;
    AppendTsvField(holder == nullptr ? "-" : holder->name, name);
    rows.push_back({std::to_string(lease.slot),
                    holder == nullptr ? "-" : std::to_string(holder->pid), name,
                    std::string(StateOf(lease, holder)),
                    absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", lease.since, absl::UTCTimeZone()),
                    ShowDuration(std::max(absl::Now() - lease.since, absl::ZeroDuration())),
                    std::to_string(lease.deliveries)});
  }
  return Table(rows, {true, true, false, false, false, true, true});
}

std::string ToText(const Picture& picture) {
  const QueueInfo& info = picture.info;
  std::string text = absl::StrCat(
      "elements        ", ShowCount(info.size), ", ", ShowCount(info.returned),
      " of them returned\n", "leased          ", ShowCount(info.leases.size()), "\n",
      "capacity        ",
      info.limits.capacity == UINT64_MAX ? "inf" : ShowCount(info.limits.capacity), "\n",
      "max deliveries  ",
      info.limits.max_deliveries == 0 ? "0 (any number)" : ShowCount(info.limits.max_deliveries),
      "\n", "dead letters    ", ShowDeadLetters(picture), "\n");
  return info.leases.empty() ? text : text + "\n" + LeaseTable(picture);
}

absl::StatusOr<Exit> RunQueue(const QueueArguments& arguments, Output& out) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(arguments.store, Use::kRead, "queue"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, arguments.path, Use::kRead));
  COMMY_ASSIGN_OR_RETURN(const Form form, Form::Of(store, ns, FormOptions()));
  COMMY_RETURN_IF_ERROR(Explain(store, form.CheckIsShown()));
  if (!form.IsDeque()) {
    return Explain(store, base::InvalidArgument(
                              "namespace \"", arguments.path, "\" ",
                              form.type().empty() ? "has no type" : "has the type " + form.type(),
                              ", and is no deque; `commy ns list` shows the types"));
  }
  Picture picture;
  const absl::StatusOr<QueueInfo> info = Elements(store, ns, form).queue().Info();
  COMMY_RETURN_IF_ERROR(Explain(store, info.status()));
  picture.info = *info;
  const absl::StatusOr<std::vector<ParticipantInfo>> participants = store.Participants();
  COMMY_RETURN_IF_ERROR(Explain(store, participants.status()));
  for (const ParticipantInfo& participant : *participants) {
    picture.participants.emplace(participant.slot, participant);
  }
  const absl::StatusOr<Namespace> dead =
      store.OpenNamespace(info->limits.dead_letters, {.create_if_missing = false});
  if (!info->limits.dead_letters.empty() && dead.ok()) {
    const absl::StatusOr<std::uint64_t> size = internal::Sequence(*dead).Size();
    picture.dead = size.ok() ? std::optional(*size) : std::nullopt;
  }
  if (arguments.json) {
    out.Report(ToJson(picture));
  } else {
    out.Write(ToText(picture));
  }
  return Exit::kDone;
}

}  // namespace

void AddQueueCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "queue",
      "Show a deque as a queue: its size and limits, and the elements that processes have leased. "
      "STATE is that of the process, and gone if the element returns since its process has closed "
      "the store or died; DELIVERIES: how often the element was leased");
  auto arguments = std::make_shared<QueueArguments>();
  AddStore(command, arguments->store);
  AddNamespace(command, arguments->path);
  AddJson(command, arguments->json);
  SetExamples(command,
              {"commy queue fleet.commy acme/jobs", "commy queue fleet.commy acme/jobs --json"});
  SetAction(command, arguments, action, RunQueue);
}

}  // namespace commy::tools
