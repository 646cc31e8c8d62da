#include "demo/worker.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "commy/commy.h"
#include "demo/counters.h"
#include "demo/freshness.h"
#include "demo/stamped_value.h"

namespace commy::tools::demo {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(1);

struct Bench {
  const Dataset& dataset;
  Counters& counters;
  WorkerCounters& mine;
  std::size_t part;
  std::array<Namespace, kSourceCount> namespaces;

  [[nodiscard]] const Namespace& NamespaceFor(const Item& item) const {
    return namespaces[static_cast<std::size_t>(item.source)];
  }
};

// Runs one operation and records how long it took.
template <typename Operation>
auto Timed(WorkerCounters& counters, Operation operation) {
  const auto start = std::chrono::steady_clock::now();
  auto result = operation();
  counters.Record(std::chrono::steady_clock::now() - start);
  return result;
}

// --- writer --------------------------------------------------------------------------------------

absl::Status Write(const Bench& bench) {
  const std::vector<Item>& items = bench.dataset.items();
  // The first writer begins with round 1; its successor continues after the last acknowledged key.
  WriterProgress next = bench.counters.progress();
  if (next.round == 0) {
    next = {1, 0};
  }
  std::string value;
  for (; !bench.counters.stopping(); bench.counters.set_progress(next)) {
    if (next.position == items.size()) {
      next = {next.round + 1, 0};
      continue;
    }
    const Item& item = items[next.position];
    MakeValue(item.key, item.text, {next.round, bench.part + 1}, value);
    COMMY_RETURN_IF_ERROR(
        Timed(bench.mine, [&] { return bench.NamespaceFor(item).Put(item.key, value); }));
    ++next.position;
  }
  return absl::OkStatus();
}

// --- readers -------------------------------------------------------------------------------------

void WaitForFirstRound(const Bench& bench) {
  while (bench.counters.progress().round < 2 && !bench.counters.stopping()) {
    absl::SleepFor(kLook);
  }
}

// Reads random keys. `read(ns, key, check)` calls check(value) and returns the status of the read.
template <typename Read>
absl::Status ReadAtRandom(const Bench& bench, Read read) {
  WaitForFirstRound(bench);
  const std::vector<Item>& items = bench.dataset.items();
  std::mt19937_64 random(bench.part);
  while (!bench.counters.stopping()) {
    const std::size_t index = random() % items.size();
    const Item& item = items[index];
    const WriterProgress before = bench.counters.progress();
    absl::StatusOr<Stamp> stamp = absl::UnknownError("not read");
    const auto check = [&](std::string_view value) {
      stamp = VerifyValue(item.key, item.text, value);
    };
    absl::Status status =
        Timed(bench.mine, [&] { return read(bench.NamespaceFor(item), item.key, check); });
    if (status.ok()) {
      status = stamp.ok() ? CheckFresh(item.key, *stamp, index, before, bench.counters.progress())
                          : stamp.status();
    }
    if (!status.ok()) {
      bench.mine.RecordWrong(base::ToStd(status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadCopies(const Bench& bench) {
  return ReadAtRandom(bench, [](const Namespace& ns, const std::string& key, auto check) {
    const absl::StatusOr<std::string> value = ns.Get(key);
    if (value.ok()) {
      check(*value);
    }
    return value.status();
  });
}

absl::Status ReadInPlace(const Bench& bench) {
  return ReadAtRandom(bench, [](const Namespace& ns, const std::string& key, auto check) {
    return ns.ReadWith(key, check);
  });
}

// One entry of a scan must have a known key that is new in this scan, and a value that verifies.
absl::Status CheckEntry(const Bench& bench, Source source, const Entry& entry,
                        WriterProgress before, std::vector<bool>& seen) {
  const std::optional<std::size_t> index = bench.dataset.Find(source, entry.key());
  if (!index.has_value()) {
    return base::DataLoss("key ", entry.key(), ": it is not in the source file");
  }
  if (seen[*index]) {
    return base::DataLoss("key ", entry.key(), ": one scan gave it twice");
  }
  seen[*index] = true;
  const Item& item = bench.dataset.items()[*index];
  COMMY_ASSIGN_OR_RETURN(const Stamp stamp, VerifyValue(item.key, item.text, entry.value()));
  return CheckFresh(item.key, stamp, *index, before, bench.counters.progress());
}

void ScanOnce(const Bench& bench, Source source) {
  const WriterProgress before = bench.counters.progress();
  std::vector<bool> seen(bench.dataset.items().size(), false);
  std::uint64_t entries = 0;
  ScanRange scan = bench.namespaces[static_cast<std::size_t>(source)].Scan();
  auto at = Timed(bench.mine, [&] { return scan.begin(); });
  while (at != scan.end() && !bench.counters.stopping()) {
    const absl::Status status = CheckEntry(bench, source, *at, before, seen);
    if (!status.ok()) {
      bench.mine.RecordWrong(base::ToStd(status.message()));
    }
    ++entries;
    Timed(bench.mine, [&] { return ++at; });
  }
  if (!scan.status().ok()) {
    bench.mine.RecordWrong(base::ToStd(scan.status().message()));
  } else if (!bench.counters.stopping() && entries < bench.dataset.CountOf(source)) {
    bench.mine.RecordWrong(
        absl::StrCat("a scan gave ", entries, " keys of ", bench.dataset.CountOf(source)));
  }
}

absl::Status ScanAll(const Bench& bench) {
  WaitForFirstRound(bench);
  while (!bench.counters.stopping()) {
    ScanOnce(bench, Source::kUnicode);
    ScanOnce(bench, Source::kWords);
  }
  return absl::OkStatus();
}

// --- counter -------------------------------------------------------------------------------------

absl::Status Count(const Bench& bench, const Store& store) {
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, store.OpenNamespace(kCounterNamespace));
  std::uint64_t acknowledged = 0;
  while (!bench.counters.stopping()) {
    const absl::StatusOr<std::int64_t> sum =
        Timed(bench.mine, [&] { return ns.Add(kCounterKey, 1); });
    COMMY_RETURN_IF_ERROR(sum.status());
    bench.counters.acknowledged_adds.store(++acknowledged, std::memory_order_release);
    if (static_cast<std::uint64_t>(*sum) != acknowledged) {
      bench.mine.RecordWrong(
          absl::StrCat("the counter is ", *sum, " after ", acknowledged, " additions of 1"));
    }
  }
  return absl::OkStatus();
}

absl::Status Work(const Bench& bench, const Store& store) {
  switch (kParts[bench.part].role) {
    case Role::kWriter:
      return Write(bench);
    case Role::kGetter:
      return ReadCopies(bench);
    case Role::kViewer:
      return ReadInPlace(bench);
    case Role::kScanner:
      return ScanAll(bench);
    case Role::kCounter:
      return Count(bench, store);
  }
  return absl::InternalError("no such role");
}

}  // namespace

absl::Status RunWorker(const WorkerArguments& arguments) {
  if (arguments.part >= kParts.size()) {
    return absl::InvalidArgumentError("the demo has no such part");
  }
  COMMY_ASSIGN_OR_RETURN(const SharedCounters counters,
                         SharedCounters::Attach(arguments.counters_fd));
  COMMY_ASSIGN_OR_RETURN(const Dataset dataset, Dataset::Load(arguments.files));
  Options options;
  options.create_if_missing = false;
  options.process_name = absl::StrCat("demo ", base::ToAbsl(kParts[arguments.part].name));
  COMMY_ASSIGN_OR_RETURN(const Store store, Store::Open(arguments.store, options));
  COMMY_ASSIGN_OR_RETURN(const Namespace unicode,
                         store.OpenNamespace(NamespaceOf(Source::kUnicode)));
  COMMY_ASSIGN_OR_RETURN(const Namespace words, store.OpenNamespace(NamespaceOf(Source::kWords)));
  WorkerCounters& mine = counters->workers[arguments.part];
  const Bench bench{dataset, *counters, mine, arguments.part, {unicode, words}};
  mine.ready.store(1, std::memory_order_release);
  absl::Status status = Work(bench, store);
  if (!status.ok()) {
    mine.RecordWrong(base::ToStd(status.message()));
  }
  return status;
}

}  // namespace commy::tools::demo
