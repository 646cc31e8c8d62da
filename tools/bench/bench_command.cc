// bench, and the hidden bench-worker: the benchmark's processes run this program again.

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "access.h"
#include "base/status.h"
#include "bench/bench_namespace.h"
#include "bench/load.h"
#include "bench/report.h"
#include "bench/row_runner.h"
#include "command.h"
#include "progress.h"
#include "signals.h"
#include "units.h"

namespace commy::tools {
namespace {

constexpr int kRounds = 3;
constexpr std::uint64_t kProcessesMax = 64;
constexpr std::uint64_t kKeysMax = std::uint64_t{1} << 32U;
constexpr std::uint64_t kValueBytesMax = std::uint64_t{1} << 30U;

struct BenchArguments {
  bench::Plan plan;
  bool ordered = false;
  bool json = false;
};

struct BenchWorkerArguments {
  bench::Plan plan;
  std::uint64_t part = 0;
};

// Whether the store's content agrees with the work of all processes.
absl::Status CheckAfter(bench::Row row, const Namespace& ns, std::uint64_t adds) {
  if (row == bench::Row::kAdd) {
    COMMY_ASSIGN_OR_RETURN(const std::string text, ns.Get(bench::kCounterKey));
    if (text != std::to_string(adds)) {
      return base::Internal("add: the counter is ", text, " after ", adds, " additions of 1");
    }
  }
  if (row == bench::Row::kDelete) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t left, ns.Size());
    if (left != 2) {  // The mark and the counter.
      return base::Internal("delete: ", left, " keys are left, not 2");
    }
  }
  return absl::OkStatus();
}

absl::Status Measure(const bench::Plan& plan, const Namespace& ns, bench::Report& report) {
  bench::RowRunner runner(plan);
  COMMY_RETURN_IF_ERROR(runner.Start());
  Progress progress;
  for (int round = 1; round <= kRounds; ++round) {
    for (std::size_t i = 0; i < report.rows.size(); ++i) {
      progress.ShowText(
          absl::StrCat("round ", round, " of ", kRounds, ": ", base::ToAbsl(bench::kRowNames[i])));
      const auto row = static_cast<bench::Row>(i);
      COMMY_ASSIGN_OR_RETURN(const std::vector<bench::RowResult> results, runner.Do(row));
      report.rows[i].AddRound(results);
      for (const bench::RowResult& result : results) {
        report.verified += result.verified;
      }
      COMMY_RETURN_IF_ERROR(CheckAfter(row, ns, report.rows[i].operations));
    }
  }
  return absl::OkStatus();
}

// Names the store and the fate of the namespace.
absl::Status Failed(const bench::Plan& plan, const absl::Status& status,
                    const absl::Status& dropped) {
  std::string text = absl::StrCat(plan.store, ": the benchmark ended: ", status.message(), "; ");
  if (dropped.ok()) {
    absl::StrAppend(&text, "its namespace ", plan.path, " was dropped");
  } else {
    absl::StrAppend(&text, "its namespace ", plan.path,
                    " could not be dropped: ", dropped.message());
  }
  // ExitFor() would take some of these codes for the answer "no"; no error here is one.
  const bool kept = absl::IsCancelled(status) || absl::IsResourceExhausted(status);
  return absl::Status(kept ? status.code() : absl::StatusCode::kInternal, text);
}

absl::StatusOr<Exit> RunBench(const BenchArguments& arguments, Output& out) {
  const bench::Plan& plan = arguments.plan;
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(plan.store, Use::kChange, "bench"));
  CatchInterrupts();
  absl::StatusOr<bench::BenchNamespace> made =
      bench::BenchNamespace::Create(store, plan, arguments.ordered);
  if (!made.ok()) {
    return absl::IsAlreadyExists(made.status()) ? made.status() : Explain(store, made.status());
  }
  bench::Report report;
  absl::Status status;
  if (!arguments.json) {
    out.Line(absl::StrCat(plan.store, ": namespace ", plan.path, ", ", ShowCount(plan.keys),
                          " keys of 16 bytes, values of ", ShowSize(plan.value_bytes), ", ",
                          plan.processes, plan.processes == 1 ? " process" : " processes"));
    status = out.Flush();
  }
  if (status.ok()) {
    status = Measure(plan, made->ns(), report);
  }
  const absl::Status dropped = made->Drop();
  if (!status.ok() || !dropped.ok()) {
    return Failed(plan, status.ok() ? dropped : status, dropped);
  }
  if (arguments.json) {
    out.Report(ToJson(report, plan, arguments.ordered));
  } else {
    out.Write(ToText(report));
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunBenchWorker(const BenchWorkerArguments& arguments, Output& /*out*/) {
  COMMY_RETURN_IF_ERROR(bench::RunWorker(arguments.plan, arguments.part));
  return Exit::kDone;
}

void AddWorker(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand("bench-worker", "One process of the benchmark");
  command.group("");  // Not in the help.
  auto arguments = std::make_shared<BenchWorkerArguments>();
  bench::Plan& plan = arguments->plan;
  AddStore(command, plan.store);
  AddNamespace(command, plan.path);
  command.add_option("KEYS", plan.keys)->required();
  command.add_option("BYTES", plan.value_bytes)->required();
  command.add_option("PROCESSES", plan.processes)->required();
  command.add_option("SECONDS", plan.seconds)->required();
  command.add_option("PART", arguments->part)->required();
  SetAction(command, arguments, action, RunBenchWorker);
}

}  // namespace

void AddBenchCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "bench",
      "Measure this store on this machine, in the namespace commy-bench, which is dropped "
      "afterwards.\n"
      "Puts new keys, overwrites, reads present and absent keys, adds to a shared counter, and "
      "deletes, three times; verifies every value that it reads");
  auto arguments = std::make_shared<BenchArguments>();
  bench::Plan& plan = arguments->plan;
  AddStore(command, plan.store);
  AddLimited(command, "--keys", plan.keys, 1, kKeysMax, "How many (100000)");
  AddLimited(command, "--value-bytes", plan.value_bytes, bench::kValueBytesMin, kValueBytesMax,
             "Bytes of a value (100)");
  AddLimited(command, "--processes", plan.processes, 1, kProcessesMax, "How many at once (1)");
  AddSeconds(command, "--seconds", plan.seconds, 0.001, 3600,
             "Time of each of the rows that repeat, in each of three rounds (0.5)");
  command.add_flag("--ordered", arguments->ordered, "In an ordered namespace");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy bench fleet.commy", "commy bench fleet.commy --processes 4 --json",
                        "commy bench fleet.commy --keys 1000000 --value-bytes 1000 --seconds 2"});
  SetAction(command, arguments, action, RunBench);
  AddWorker(app, action);
}

}  // namespace commy::tools
