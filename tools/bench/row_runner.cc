#include "bench/row_runner.h"

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "bench/pipe.h"
#include "signals.h"

namespace commy::tools::bench {
namespace {

constexpr int kLookMs = 50;

std::vector<std::string> NamesOf(const Plan& plan) {
  std::vector<std::string> names;
  for (std::uint64_t part = 0; part < plan.processes; ++part) {
    names.push_back(absl::StrCat("the benchmark's process ", part + 1));
  }
  return names;
}

absl::Status WaitForInput(int fd) {
  while (true) {
    pollfd input = {fd, POLLIN, 0};
    const int ready = ::poll(&input, 1, kLookMs);
    if (Interrupted()) {
      return absl::CancelledError("interrupted");
    }
    if (ready > 0) {
      return absl::OkStatus();
    }
  }
}

}  // namespace

RowRunner::RowRunner(const Plan& plan) : plan_(plan), workers_(NamesOf(plan)) {}

RowRunner::~RowRunner() {
  for (std::size_t part = 0; part < pipes_.size(); ++part) {
    workers_.Kill(part);
    ::close(pipes_[part].rows);
    ::close(pipes_[part].results);
  }
}

absl::Status RowRunner::Start() {
  for (std::uint64_t part = 0; part < plan_.processes; ++part) {
    COMMY_RETURN_IF_ERROR(StartOne(part));
  }
  return absl::OkStatus();
}

absl::Status RowRunner::StartOne(std::size_t part) {
  std::array<int, 2> rows{};
  std::array<int, 2> results{};
  if (::pipe2(rows.data(), O_CLOEXEC) != 0) {
    return base::ErrnoStatus(errno, "cannot start a process: pipe");
  }
  if (::pipe2(results.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(rows[0]);
    ::close(rows[1]);
    return base::ErrnoStatus(error, "cannot start a process: pipe");
  }
  absl::Status started =
      workers_.Start(part,
                     {"bench-worker", "--", plan_.store, plan_.path, std::to_string(plan_.keys),
                      std::to_string(plan_.value_bytes), std::to_string(plan_.processes),
                      absl::StrFormat("%.9f", plan_.seconds), std::to_string(part)},
                     {.input = rows[0], .output = results[1]});
  ::close(rows[0]);
  ::close(results[1]);
  if (!started.ok()) {
    ::close(rows[1]);
    ::close(results[0]);
    return started;
  }
  pipes_.push_back({.rows = rows[1], .results = results[0]});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RowResult>> RowRunner::Do(Row row) {
  const auto number = static_cast<std::uint8_t>(row);
  bool told = true;
  for (const Pipes& pipes : pipes_) {
    told = WriteAll(pipes.rows, &number, sizeof(number)) && told;
  }
  std::vector<RowResult> results(pipes_.size());
  for (std::size_t i = 0; i < pipes_.size(); ++i) {
    COMMY_RETURN_IF_ERROR(WaitForInput(pipes_[i].results));
    if (!told || !ReadAll(pipes_[i].results, &results[i], sizeof(RowResult))) {
      return base::Internal("a process of the benchmark has ended too early");
    }
    if (results[i].error[0] != '\0') {
      results[i].error.back() = '\0';
      return base::Internal(base::ToAbsl(kRowNames[number]), ": ", results[i].error.data());
    }
  }
  return results;
}

}  // namespace commy::tools::bench
