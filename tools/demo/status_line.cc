#include "demo/status_line.h"

#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "units.h"

namespace commy::tools::demo {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(250);

}  // namespace

StatusLine::StatusLine(const Counters& counters)
    : counters_(counters),
      progress_(std::make_unique<Progress>()),
      start_(absl::Now()),
      last_(start_) {}

StatusLine::Sums StatusLine::Sum() const {
  Sums sums;
  for (std::size_t part = 0; part < kParts.size(); ++part) {
    const WorkerCounters& worker = counters_.workers[part];
    const std::uint64_t operations = worker.operations.load(std::memory_order_relaxed);
    sums.wrong += worker.wrong.load(std::memory_order_relaxed);
    switch (kParts[part].role) {
      case Role::kWriter:
        sums.puts += operations;
        break;
      case Role::kCounter:
        sums.adds += operations;
        break;
      default:
        sums.reads += operations;
    }
  }
  return sums;
}

void StatusLine::Update() {
  const absl::Time now = absl::Now();
  if (!progress_->visible() || now - last_ < kInterval) {
    return;
  }
  const Sums sums = Sum();
  const double seconds = absl::ToDoubleSeconds(now - last_);
  const auto rate = [&](std::uint64_t before, std::uint64_t after) {
    return ShowCount(static_cast<std::uint64_t>(static_cast<double>(after - before) / seconds));
  };
  progress_->ShowText(
      absl::StrFormat("%5.1f s  round %d  %s puts/s  %s checked reads/s  %s adds/s  %s wrong",
                      absl::ToDoubleSeconds(now - start_), counters_.progress().round,
                      rate(last_sums_.puts, sums.puts), rate(last_sums_.reads, sums.reads),
                      rate(last_sums_.adds, sums.adds), ShowCount(sums.wrong)));
  last_ = now;
  last_sums_ = sums;
}

void StatusLine::Event(std::string_view text) {
  progress_ = nullptr;  // Erases the line.
  absl::FPrintF(stderr, "%5.1f s  %s\n", absl::ToDoubleSeconds(absl::Now() - start_),
                base::ToAbsl(text));
  std::fflush(stderr);
  progress_ = std::make_unique<Progress>();
}

void StatusLine::End() {
  progress_ = std::make_unique<Progress>();
}

}  // namespace commy::tools::demo
