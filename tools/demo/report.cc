#include "demo/report.h"

#include <algorithm>
#include <cstdint>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "units.h"

namespace commy::tools::demo {
namespace {

std::uint64_t PerSecond(std::uint64_t operations, absl::Duration elapsed) {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  return seconds <= 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(operations) / seconds);
}

std::string Heading(const DemoOutcome& outcome, const DemoOptions& options) {
  return absl::StrFormat(
      "\n%s keys (%s Unicode characters of %s,\n%s words of %s), written in %s rounds\nby 6 "
      "processes "
      "on %d processors in %.1f s\n\n",
      ShowCount(outcome.items), ShowCount(outcome.items_of[0]), options.files.unicode,
      ShowCount(outcome.items_of[1]), options.files.words, ShowCount(outcome.rounds),
      std::thread::hardware_concurrency(), absl::ToDoubleSeconds(outcome.elapsed));
}

std::string ProcessTable(const DemoOutcome& outcome) {
  std::string text =
      absl::StrFormat("%-9s %-16s %8s %13s %12s %10s %10s %6s\n", "PROCESS", "DOES", "PID",
                      "OPERATIONS", "PER SECOND", "99.9 % IN", "SLOWEST", "WRONG");
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    const WorkerOutcome& worker = outcome.workers[part];
    absl::StrAppendFormat(
        &text, "%-9s %-16s %8d %13s %12s %10s %10s %6d\n", base::ToAbsl(kParts[part].name),
        base::ToAbsl(kParts[part].does), worker.pid, ShowCount(worker.operations),
        ShowCount(PerSecond(worker.operations, worker.active)), ShowDuration(worker.quantile_999),
        ShowDuration(worker.slowest), worker.wrong);
  }
  text +=
      "(In its slowest operation a process usually had to leave its processor to another; reader "
      "2\n"
      "was stopped in it.)\n\n";
  return text;
}

std::string Events(const DemoOutcome& outcome) {
  const Survivors& kill = outcome.after_kill;
  const Survivors& stop = outcome.while_stopped;
  std::string text = absl::StrFormat(
      "The kill   %.1f s after the start SIGKILL hit writer 1 after key %s of round %d. In the "
      "next\n"
      "           %s the others did %s operations, the slowest in %s.\n"
      "           Writer 2 started, took over %s after the kill, and went on with the next key.\n",
      absl::ToDoubleSeconds(outcome.killed_after), ShowCount(outcome.killed_at.position),
      outcome.killed_at.round, ShowDuration(kill.watched), ShowCount(kill.operations),
      ShowDuration(kill.slowest), ShowDuration(outcome.takeover));
  absl::StrAppendFormat(
      &text,
      "The stop   %.1f s after the start reader 2 was stopped for %s. Meanwhile the others did %s\n"
      "           operations (%s puts a second), the slowest in %s; the file grew from\n"
      "           %s to %s, as nothing that reader 2 may still read is reused.\n",
      absl::ToDoubleSeconds(outcome.stopped_after), ShowDuration(stop.watched),
      ShowCount(stop.operations), ShowCount(PerSecond(stop.writes, stop.watched)),
      ShowDuration(stop.slowest), ShowSize(outcome.file_bytes_before_stop),
      ShowSize(outcome.file_bytes_after_stop));
  return text;
}

std::string Verdict(const DemoOutcome& outcome) {
  const CheckReport& check = outcome.check;
  std::string text = absl::StrFormat(
      "The values %s were read and compared with the source files: %s wrong.\n"
      "The adds   the counter is %d; %d adds were acknowledged.\n"
      "The check  %s; %s blocks in use, %s of them reachable, %s leaked.\n",
      ShowCount(outcome.values_read + outcome.items), ShowCount(outcome.wrong), outcome.counter,
      outcome.acknowledged_adds, check.sound() ? "sound" : "NOT sound",
      ShowCount(check.blocks_used), ShowCount(check.blocks_reachable),
      ShowCount(check.blocks_leaked));
  const auto per_key = [&](std::uint64_t bytes) {
    return static_cast<double>(bytes) /
           static_cast<double>(std::max<std::uint64_t>(1, outcome.stats.keys));
  };
  absl::StrAppendFormat(&text, "The space  %.0f bytes a key, of which key and value are %.0f.\n",
                        per_key(outcome.stats.used_bytes), per_key(outcome.item_bytes));
  if (!outcome.first_wrong.empty()) {
    absl::StrAppendFormat(&text, "First wrong: %s\n", outcome.first_wrong);
  }
  for (const std::string& fault : check.faults) {
    absl::StrAppendFormat(&text, "Fault: %s\n", fault);
  }
  text += outcome.as_promised() ? "\nAll as promised.\n" : "\nNOT as promised.\n";
  return text;
}

std::string ToTry(const DemoOptions& options, const std::string& program) {
  return absl::StrFormat(
      "\nThe store is yours to look at:\n"
      "  %1$s get %2$s demo/unicode 1F600\n"
      "  %1$s scan %2$s demo/words --prefix seren\n"
      "  %1$s stat %2$s\n",
      program, options.store);
}

Json ToJson(const Survivors& survivors) {
  return Json{{"watched_seconds", absl::ToDoubleSeconds(survivors.watched)},
              {"operations", survivors.operations},
              {"puts", survivors.writes},
              {"slowest_ns", absl::ToInt64Nanoseconds(survivors.slowest)}};
}

Json WorkersToJson(const DemoOutcome& outcome) {
  Json list = Json::array();
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    const WorkerOutcome& worker = outcome.workers[part];
    list.push_back(Json{{"name", kParts[part].name},
                        {"pid", worker.pid},
                        {"operations", worker.operations},
                        {"per_second", PerSecond(worker.operations, worker.active)},
                        {"slowest_ns", absl::ToInt64Nanoseconds(worker.slowest)},
                        {"below_ns_999", absl::ToInt64Nanoseconds(worker.quantile_999)},
                        {"wrong", worker.wrong}});
  }
  return list;
}

}  // namespace

std::string ToText(const DemoOutcome& outcome, const DemoOptions& options,
                   const std::string& program) {
  return absl::StrCat(Heading(outcome, options), ProcessTable(outcome), Events(outcome),
                      Verdict(outcome), ToTry(options, program));
}

Json ToJson(const DemoOutcome& outcome) {
  return Json{{"as_promised", outcome.as_promised()},
              {"keys", outcome.items},
              {"rounds", outcome.rounds},
              {"seconds", absl::ToDoubleSeconds(outcome.elapsed)},
              {"processes", WorkersToJson(outcome)},
              {"kill", Json{{"after_seconds", absl::ToDoubleSeconds(outcome.killed_after)},
                            {"round", outcome.killed_at.round},
                            {"position", outcome.killed_at.position},
                            {"takeover_seconds", absl::ToDoubleSeconds(outcome.takeover)},
                            {"survivors", ToJson(outcome.after_kill)}}},
              {"stop", Json{{"after_seconds", absl::ToDoubleSeconds(outcome.stopped_after)},
                            {"survivors", ToJson(outcome.while_stopped)},
                            {"file_bytes_before", outcome.file_bytes_before_stop},
                            {"file_bytes_after", outcome.file_bytes_after_stop}}},
              {"values_read", outcome.values_read + outcome.items},
              {"wrong", outcome.wrong},
              {"first_wrong", outcome.first_wrong},
              {"counter", outcome.counter},
              {"acknowledged_adds", outcome.acknowledged_adds},
              {"sound", outcome.check.sound()},
              {"blocks_leaked", outcome.check.blocks_leaked},
              {"used_bytes", outcome.stats.used_bytes},
              {"item_bytes", outcome.item_bytes}};
}

}  // namespace commy::tools::demo
