#include "bench/worker.h"

#include <chrono>
#include <utility>

#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "access.h"
#include "base/status.h"
#include "bench/load.h"
#include "bench/pipe.h"
#include "commy/commy.h"

namespace commy::tools::bench {
namespace {

constexpr std::uint64_t kOperationsPerSample = 32;

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

absl::Status Wrong(std::string_view what, std::string_view key) {
  return base::Internal(base::ToAbsl(what), ": key ", base::ToAbsl(key));
}

class Worker {
 public:
  Worker(const Plan& plan, std::uint64_t part, Namespace ns)
      : plan_(plan),
        ns_(std::move(ns)),
        first_(plan.keys * part / plan.processes),
        end_(plan.keys * (part + 1) / plan.processes),
        random_(Mix(part + 1)),
        value_(plan.value_bytes) {}

  RowResult Do(Row row) {
    result_ = RowResult();
    const absl::Status status = DoRow(row);
    const std::string_view text = base::ToStd(status.message());
    text.copy(result_.error.data(), result_.error.size() - 1);
    if (!status.ok() && text.empty()) {
      result_.error[0] = '?';
    }
    return result_;
  }

 private:
  absl::Status DoRow(Row row) {
    switch (row) {
      case Row::kPutNew:
        return ForEachKey([this](std::uint64_t number) { return Put(number); });
      case Row::kOverwrite:
        return ForSomeTime([this] { return Put(Random(0)); });
      case Row::kGetHit:
        return ForSomeTime([this] { return GetHit(Random(0)); });
      case Row::kGetMiss:
        return ForSomeTime([this] { return GetMiss(Random(plan_.keys)); });
      case Row::kAdd:
        return ForSomeTime([this] { return ns_.Add(kCounterKey, 1).status(); });
      case Row::kDelete:
        return ForEachKey([this](std::uint64_t number) { return Delete(number); });
    }
    return base::Internal("no such row");
  }

  // Times one operation in kOperationsPerSample; the start of a timed one also decides when to
  // stop.
  template <typename Step>
  absl::Status Repeat(std::uint64_t count, std::int64_t limit_ns, Step step) {
    result_.start_ns = NowNs();
    absl::Status status;
    for (std::uint64_t done = 0; done < count && status.ok(); ++done) {
      if (done % kOperationsPerSample != 0) {
        status = step();
      } else {
        const std::int64_t begin = NowNs();
        if (begin - result_.start_ns >= limit_ns) {
          break;
        }
        status = step();
        result_.latency.Add(static_cast<std::uint64_t>(NowNs() - begin));
      }
      result_.operations += status.ok() ? 1 : 0;
    }
    result_.end_ns = NowNs();
    return status;
  }

  template <typename Step>
  absl::Status ForEachKey(Step step) {
    std::uint64_t number = first_;
    return Repeat(end_ - first_, INT64_MAX, [&] { return step(number++); });
  }

  template <typename Step>
  absl::Status ForSomeTime(Step step) {
    return Repeat(UINT64_MAX, static_cast<std::int64_t>(plan_.seconds * 1e9), step);
  }

  // A random key number from the `plan_.keys` numbers that begin at `first`.
  std::uint64_t Random(std::uint64_t first) {
    random_ = Mix(random_);
    return first + random_ % plan_.keys;
  }

  absl::Status Put(std::uint64_t number) {
    return ns_.Put(Key(number).bytes(), value_.For(number, ++random_));
  }

  absl::Status GetHit(std::uint64_t number) {
    const Key key(number);
    bool right = false;
    COMMY_RETURN_IF_ERROR(ns_.ReadWith(
        key.bytes(), [&](std::string_view value) { right = value_.IsOf(number, value); }));
    result_.verified += right ? 1 : 0;
    return right ? absl::OkStatus()
                 : Wrong("a value that was read is not what was put", key.bytes());
  }

  absl::Status GetMiss(std::uint64_t number) {
    const Key key(number);
    const absl::Status status = ns_.ReadWith(key.bytes(), [](std::string_view) {});
    if (status.ok()) {
      return Wrong("a key that was never put was found", key.bytes());
    }
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }

  absl::Status Delete(std::uint64_t number) {
    const Key key(number);
    COMMY_ASSIGN_OR_RETURN(const bool was_there, ns_.Delete(key.bytes()));
    return was_there ? absl::OkStatus() : Wrong("a key that was put is not there", key.bytes());
  }

  const Plan& plan_;
  const Namespace ns_;
  const std::uint64_t first_;  // Its share of the keys.
  const std::uint64_t end_;
  std::uint64_t random_;
  ValueMaker value_;
  RowResult result_;
};

}  // namespace

absl::Status RunWorker(const Plan& plan, std::uint64_t part) {
  COMMY_ASSIGN_OR_RETURN(const Store store, OpenStore(plan.store, Use::kChange, "bench worker"));
  COMMY_ASSIGN_OR_RETURN(const Namespace ns, OpenNamespace(store, plan.path, Use::kChange));
  Worker worker(plan, part, ns);
  std::uint8_t row = 0;
  while (ReadAll(STDIN_FILENO, &row, sizeof(row))) {
    const RowResult result = worker.Do(static_cast<Row>(row));
    if (!WriteAll(STDOUT_FILENO, &result, sizeof(result))) {
      return base::Internal("cannot write the results");
    }
  }
  return absl::OkStatus();
}

}  // namespace commy::tools::bench
