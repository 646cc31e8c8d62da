// Large batches and transactions that all write the same keys: how many are committed?
//
// Fixed     an ordered namespace, keys of 11 bytes, values of one byte; a store file under TMPDIR.
// Varies    batches or transactions; how many keys; how many processes.
// Compares  with one process alone, in the same run: `ratio`.
// Verifies  that each process makes progress, and that in the end all keys are of one commit.
//
// Usage: contended_bench [--smoke]
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"

#include "support/scratch.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Job {
  std::string path;
  bool batch = true;
  int keys = 0;
  double seconds = 0;
};

std::string KeyAt(int i) {
  return absl::StrFormat("key %07d", i);
}

absl::Status WriteAll(const Job& job, const Store& store, const Namespace& ns, char value) {
  const std::string_view text(&value, 1);
  if (job.batch) {
    WriteBatch batch;
    for (int i = 0; i < job.keys; ++i) {
      batch.Put(ns, KeyAt(i), text);
    }
    return store.Write(std::move(batch));
  }
  return store.Transact([&](Transaction& txn) -> absl::Status {
    for (int i = 0; i < job.keys; ++i) {
      if (absl::Status put = txn.Put(ns, KeyAt(i), text); !put.ok()) {
        return put;
      }
    }
    return absl::OkStatus();
  });
}

template <typename T>
T Must(std::string_view what, absl::StatusOr<T> result) {
  if (!result.ok()) {
    Die(what, result.status().ToString());
  }
  return *std::move(result);
}

// Commits until the time has elapsed, and writes the number of commits to `to`.
void Work(const Job& job, int number, int to) {
  const Store store = Must("open", Store::Open(job.path));
  const Namespace ns = Must("namespace", store.OpenNamespace("n"));
  int done = 0;
  for (const auto start = Clock::now();
       std::chrono::duration<double>(Clock::now() - start).count() < job.seconds; ++done) {
    if (const absl::Status written = WriteAll(job, store, ns, static_cast<char>('a' + number));
        !written.ok()) {
      Die("write", written.ToString());
    }
  }
  if (write(to, &done, sizeof done) != sizeof done) {
    Die("write", "the pipe");
  }
}

// Commits a second of all processes together; and the fewest of any one process.
double Measure(Job job, int processes, int* fewest) {
  const ScratchDir dir;
  job.path = dir.File("store");
  const Store store = Must("open", Store::Open(job.path));
  const Namespace ns = Must("namespace", store.OpenNamespace("n", {.order = Order::kOrdered}));
  int ends[2];
  if (pipe(ends) != 0) {
    Die("pipe", std::strerror(errno));
  }
  std::vector<pid_t> workers;
  const auto start = Clock::now();
  for (int i = 0; i < processes; ++i) {
    const pid_t worker = fork();
    if (worker == 0) {
      Work(job, i, ends[1]);
      _exit(0);
    }
    workers.push_back(worker);
  }
  for (const pid_t worker : workers) {
    int status = 0;
    if (waitpid(worker, &status, 0) != worker || status != 0) {
      Die("worker", "failed");
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  int sum = 0;
  *fewest = 1 << 30;
  for (int i = 0; i < processes; ++i) {
    int done = 0;
    if (read(ends[0], &done, sizeof done) != sizeof done) {
      Die("read", "the pipe");
    }
    sum += done;
    *fewest = std::min(*fewest, done);
  }
  close(ends[0]);
  close(ends[1]);
  const std::string value = Must("get", ns.Get(KeyAt(0)));
  ScanRange scan = ns.Scan();
  for (const Entry& entry : scan) {
    if (entry.value() != value) {
      Die("two commits are mixed at", entry.key());
    }
  }
  return sum / seconds;
}

void Row(bool batch, int keys, int processes, double seconds) {
  const Job job{"", batch, keys, seconds};
  int fewest = 0;
  const double alone = Measure(job, 1, &fewest);
  const double together = Measure(job, processes, &fewest);
  std::printf("%-12s %9d keys: alone %7.2f/s, %d together %7.2f/s, ratio %.2f, fewest of one %d\n",
              batch ? "batch" : "transaction", keys, alone, processes, together, together / alone,
              fewest);
  std::fflush(stdout);
}

}  // namespace
}  // namespace commy::bench

int main(int argc, char** argv) {
  using commy::bench::Row;
  const bool smoke = argc > 1 && std::strcmp(argv[1], "--smoke") == 0;
  if (smoke) {
    Row(true, 1'000, 2, 0.05);
    Row(false, 1'000, 2, 0.05);
    return 0;
  }
  for (const bool batch : {true, false}) {
    Row(batch, 30'000, 4, 4);
    Row(batch, 100'000, 4, 6);
    Row(batch, 200'000, 3, 8);
    Row(batch, 1'000'000, 2, 10);
  }
  return 0;
}
