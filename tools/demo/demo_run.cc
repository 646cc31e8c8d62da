#include "demo/demo_run.h"

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

#include "access.h"
#include "base/status.h"
#include "commy/commy.h"
#include "demo/freshness.h"
#include "demo/stamped_value.h"
#include "demo/status_line.h"
#include "demo/worker.h"
#include "signals.h"
#include "worker_group.h"

namespace commy::tools::demo {
namespace {

constexpr absl::Duration kLook = absl::Microseconds(200);
constexpr absl::Duration kDeadline = absl::Seconds(30);  // Far longer than any step takes.
constexpr absl::Duration kWatchAfterKill = absl::Milliseconds(100);

// The counts at one moment, to compute later the operations since then.
struct Mark {
  absl::Time when;
  std::array<std::uint64_t, kParts.size()> operations{};
};

std::vector<std::string> WorkerNames() {
  std::vector<std::string> names;
  names.reserve(kParts.size());
  for (const Part& part : kParts) {
    names.push_back(absl::StrCat("the demo's ", base::ToAbsl(part.name)));
  }
  return names;
}

class DemoRun {
 public:
  DemoRun(const DemoOptions& options, const Dataset& dataset, Store store, SharedCounters& counters)
      : options_(options),
        dataset_(dataset),
        store_(std::move(store)),
        counters_(counters),
        workers_(WorkerNames()),
        line_(*counters) {}

  absl::StatusOr<DemoOutcome> Run();

 private:
  absl::Status StartAll();
  absl::Status StartWorker(std::size_t part);
  absl::Status KillWriter();
  absl::Status StopReader();
  absl::Status EndAll();
  absl::Status LookAtEverything();
  absl::Status CheckEveryKey();
  void Collect();

  // Waits for a condition, and keeps the status line up to date. Cancelled; Internal: a process
  // ended, or `what` did not happen before the deadline.
  absl::Status WaitUntil(std::string_view what, const std::function<bool()>& condition);
  absl::Status WaitUntil(absl::Time when);
  Mark MarkNow();
  Survivors Since(const Mark& mark, std::size_t without);
  void CountWrong(const absl::Status& status);

  const DemoOptions& options_;
  const Dataset& dataset_;
  const Store store_;
  SharedCounters& counters_;
  WorkerGroup workers_;
  StatusLine line_;
  DemoOutcome outcome_;
  absl::Time start_;
  absl::Time kill_time_;
};

absl::Status DemoRun::WaitUntil(std::string_view what, const std::function<bool()>& condition) {
  for (const absl::Time end = absl::Now() + kDeadline + options_.length; !condition();) {
    if (Interrupted()) {
      return absl::CancelledError(options_.store + ": interrupted; all its processes have ended");
    }
    COMMY_RETURN_IF_ERROR(workers_.CheckAlive());
    if (absl::Now() > end) {
      return base::Internal("the demo waited too long ", base::ToAbsl(what));
    }
    line_.Update();
    absl::SleepFor(kLook);
  }
  return absl::OkStatus();
}

absl::Status DemoRun::WaitUntil(absl::Time when) {
  return WaitUntil("for the time to pass", [&] { return absl::Now() >= when; });
}

Mark DemoRun::MarkNow() {
  Mark mark;
  mark.when = absl::Now();
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    WorkerCounters& worker = counters_->workers[part];
    mark.operations[part] = worker.operations.load(std::memory_order_relaxed);
    worker.recent_slowest_ns.store(0, std::memory_order_relaxed);
  }
  return mark;
}

Survivors DemoRun::Since(const Mark& mark, std::size_t without) {
  Survivors survivors;
  survivors.watched = absl::Now() - mark.when;
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    if (part == without) {
      continue;
    }
    const WorkerCounters& worker = counters_->workers[part];
    const std::uint64_t operations =
        worker.operations.load(std::memory_order_relaxed) - mark.operations[part];
    survivors.operations += operations;
    survivors.writes += kParts[part].role == Role::kWriter ? operations : 0;
    survivors.slowest =
        std::max(survivors.slowest, absl::Nanoseconds(static_cast<std::int64_t>(
                                        worker.recent_slowest_ns.load(std::memory_order_relaxed))));
  }
  return survivors;
}

void DemoRun::CountWrong(const absl::Status& status) {
  if (status.ok()) {
    return;
  }
  if (outcome_.wrong++ == 0) {
    outcome_.first_wrong = std::string(status.message());
  }
}

absl::Status DemoRun::StartAll() {
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    if (part != kWriter2) {
      COMMY_RETURN_IF_ERROR(StartWorker(part));
    }
  }
  COMMY_RETURN_IF_ERROR(WaitUntil("for its processes to begin", [&] {
    for (std::size_t part = 0; part < kParts.size(); ++part) {
      if (part != kWriter2 && counters_->workers[part].ready.load(std::memory_order_acquire) == 0) {
        return false;
      }
    }
    return true;
  }));
  start_ = absl::Now();
  line_.Restart();
  line_.Event("five processes are at work: 1 writes, 3 read and check, 1 counts");
  return absl::OkStatus();
}

absl::Status DemoRun::StartWorker(std::size_t part) {
  return workers_.Start(
      part,
      {"demo-worker", options_.store, std::to_string(part), std::to_string(counters_.fd()),
       options_.files.unicode, options_.files.words},
      {});
}

absl::Status DemoRun::KillWriter() {
  const std::uint64_t items = dataset_.items().size();
  COMMY_RETURN_IF_ERROR(WaitUntil("for the middle of a round", [&] {
    const WriterProgress at = counters_->progress();
    return at.round >= 2 && at.position > items / 3 && at.position < items * 2 / 3;
  }));
  workers_.Kill(kWriter1);
  kill_time_ = absl::Now();
  const Mark mark = MarkNow();
  const WriterProgress killed_at = counters_->progress();
  outcome_.killed_at = killed_at;
  outcome_.killed_after = kill_time_ - start_;
  COMMY_RETURN_IF_ERROR(StartWorker(kWriter2));
  const auto taken_over = [&] {
    const WriterProgress at = counters_->progress();
    return at.round != killed_at.round || at.position != killed_at.position;
  };
  COMMY_RETURN_IF_ERROR(WaitUntil("for writer 2 to take over", [&] {
    const absl::Duration passed = absl::Now() - kill_time_;
    if (outcome_.takeover == absl::ZeroDuration() && taken_over()) {
      outcome_.takeover = passed;
    }
    if (outcome_.after_kill.watched == absl::ZeroDuration() && passed >= kWatchAfterKill) {
      outcome_.after_kill = Since(mark, kWriter1);
    }
    return outcome_.takeover != absl::ZeroDuration() &&
           outcome_.after_kill.watched != absl::ZeroDuration();
  }));
  line_.Event(absl::StrFormat("writer 1 was killed after key %d of round %d; writer 2 continued",
                              killed_at.position, killed_at.round));
  return absl::OkStatus();
}

absl::Status DemoRun::StopReader() {
  const auto file_bytes = [&] {
    const absl::StatusOr<StoreStats> stats = store_.Stats();
    return stats.ok() ? stats->file_bytes : 0;
  };
  outcome_.file_bytes_before_stop = file_bytes();
  workers_.Stop(kReader2);
  const Mark mark = MarkNow();
  outcome_.stopped_after = mark.when - start_;
  line_.Event("reader 2 was stopped; the others do not wait for it");
  const absl::Duration length = std::min(absl::Seconds(2), options_.length / 4);
  absl::Status waited = WaitUntil(mark.when + length);
  outcome_.while_stopped = Since(mark, kReader2);
  outcome_.file_bytes_after_stop = file_bytes();
  workers_.Continue(kReader2);
  line_.Event("reader 2 continues");
  return waited;
}

absl::Status DemoRun::EndAll() {
  COMMY_RETURN_IF_ERROR(WaitUntil(start_ + options_.length));
  counters_->stop.store(1, std::memory_order_release);
  outcome_.elapsed = absl::Now() - start_;
  // A worker that fails writes the reason into its counters; the report shows it.
  CountWrong(workers_.WaitForAll(kDeadline));
  return absl::OkStatus();
}

absl::Status DemoRun::CheckEveryKey() {
  const WriterProgress progress = counters_->progress();
  for (std::size_t index = 0; index < dataset_.items().size(); ++index) {
    const Item& item = dataset_.items()[index];
    COMMY_ASSIGN_OR_RETURN(const Namespace ns, store_.OpenNamespace(NamespaceOf(item.source)));
    const absl::StatusOr<std::string> value = ns.Get(item.key);
    if (!value.ok()) {
      CountWrong(value.status());
      continue;
    }
    outcome_.item_bytes += item.key.size() + value->size();
    const absl::StatusOr<Stamp> stamp = VerifyValue(item.key, item.text, *value);
    CountWrong(stamp.ok() ? CheckFresh(item.key, *stamp, index, progress, progress)
                          : stamp.status());
  }
  return absl::OkStatus();
}

absl::Status DemoRun::LookAtEverything() {
  line_.Event("all have ended; now every key, the counter and the whole file are checked");
  COMMY_RETURN_IF_ERROR(CheckEveryKey());
  COMMY_ASSIGN_OR_RETURN(const Namespace counters, store_.OpenNamespace(kCounterNamespace));
  COMMY_ASSIGN_OR_RETURN(outcome_.counter, counters.Add(kCounterKey, 0));
  outcome_.acknowledged_adds = counters_->acknowledged_adds.load(std::memory_order_acquire);
  COMMY_ASSIGN_OR_RETURN(outcome_.check, store_.Check());
  COMMY_ASSIGN_OR_RETURN(outcome_.stats, store_.Stats());
  return absl::OkStatus();
}

void DemoRun::Collect() {
  outcome_.items = dataset_.items().size();
  for (std::size_t source = 0; source < kSourceCount; ++source) {
    outcome_.items_of[source] = dataset_.CountOf(static_cast<Source>(source));
  }
  outcome_.rounds = counters_->progress().round;
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    const WorkerCounters& counters = counters_->workers[part];
    WorkerOutcome& worker = outcome_.workers[part];
    worker.pid = static_cast<std::uint64_t>(workers_.pid(part));
    worker.operations = counters.operations.load(std::memory_order_acquire);
    worker.wrong = counters.wrong.load(std::memory_order_acquire);
    worker.first_wrong = worker.wrong > 0 ? counters.first_wrong.data() : "";
    worker.slowest = absl::Nanoseconds(
        static_cast<std::int64_t>(counters.slowest_ns.load(std::memory_order_acquire)));
    worker.quantile_999 = counters.Quantile(0.999);
    worker.active = outcome_.elapsed;
    const Role role = kParts[part].role;
    if (role != Role::kWriter && role != Role::kCounter) {
      outcome_.values_read += worker.operations;
    }
    if (worker.wrong > 0 && outcome_.wrong == 0) {
      outcome_.first_wrong = worker.first_wrong;
    }
    outcome_.wrong += worker.wrong;
  }
  outcome_.workers[kWriter1].active = outcome_.killed_after;
  outcome_.workers[kWriter2].active = outcome_.elapsed - outcome_.killed_after - outcome_.takeover;
  outcome_.workers[kReader2].active -= outcome_.while_stopped.watched;
}

absl::StatusOr<DemoOutcome> DemoRun::Run() {
  COMMY_RETURN_IF_ERROR(StartAll());
  COMMY_RETURN_IF_ERROR(WaitUntil(start_ + options_.length / 3));
  COMMY_RETURN_IF_ERROR(KillWriter());
  COMMY_RETURN_IF_ERROR(WaitUntil(start_ + options_.length * 0.6));
  COMMY_RETURN_IF_ERROR(StopReader());
  COMMY_RETURN_IF_ERROR(EndAll());
  Collect();
  COMMY_RETURN_IF_ERROR(LookAtEverything());
  line_.End();
  return outcome_;
}

// Creates the demo's namespaces, empty. Refuses a store with any other namespace.
absl::Status Prepare(const Store& store) {
  COMMY_ASSIGN_OR_RETURN(const std::vector<NamespaceInfo> there, store.ListNamespaces());
  for (const NamespaceInfo& info : there) {
    if (!info.path.starts_with("demo/")) {
      return base::FailedPrecondition(
          store.path(), ": it holds the namespace ", info.path,
          ", so it is not the demo's; give the demo a path of its own, or remove the file");
    }
  }
  for (const NamespaceInfo& info : there) {
    COMMY_RETURN_IF_ERROR(store.DropNamespace(info.path));
  }
  for (const std::string_view path :
       {NamespaceOf(Source::kUnicode), NamespaceOf(Source::kWords), kCounterNamespace}) {
    COMMY_RETURN_IF_ERROR(store.OpenNamespace(path).status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DemoOutcome> RunDemo(const DemoOptions& options) {
  CatchInterrupts();
  COMMY_ASSIGN_OR_RETURN(const Dataset dataset, Dataset::Load(options.files));
  COMMY_ASSIGN_OR_RETURN(Store store, OpenStore(options.store, Use::kCreate, "demo"));
  if (const absl::Status prepared = Prepare(store); !prepared.ok()) {
    return Explain(store, prepared);
  }
  COMMY_ASSIGN_OR_RETURN(SharedCounters counters, SharedCounters::Create());
  const auto run = std::make_unique<DemoRun>(options, dataset, store, counters);
  absl::StatusOr<DemoOutcome> outcome = run->Run();
  if (!outcome.ok()) {
    return Explain(store, outcome.status());
  }
  return outcome;
}

}  // namespace commy::tools::demo
