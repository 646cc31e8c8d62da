#include "bench/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include "table.h"
#include "units.h"

namespace commy::tools::bench {
namespace {

std::string ShowRate(double per_second) {
  return ShowCount(static_cast<std::uint64_t>(std::llround(per_second)));
}

std::string ShowQuantile(const Histogram& latency, double quantile) {
  const std::optional<std::uint64_t> found = latency.Quantile(quantile);
  return found.has_value() ? ShowDuration(absl::Nanoseconds(*found)) : "-";
}

Json QuantileToJson(const Histogram& latency, double quantile) {
  const std::optional<std::uint64_t> found = latency.Quantile(quantile);
  return found.has_value() ? Json(*found) : Json(nullptr);
}

}  // namespace

void RowReport::AddRound(const std::vector<RowResult>& results) {
  std::uint64_t done = 0;
  std::int64_t start = INT64_MAX;
  std::int64_t end = INT64_MIN;
  for (const RowResult& result : results) {
    done += result.operations;
    start = std::min(start, result.start_ns);
    end = std::max(end, result.end_ns);
    latency.Merge(result.latency);
  }
  operations += done;
  per_second.push_back(static_cast<double>(done) * 1e9 /
                       static_cast<double>(std::max<std::int64_t>(1, end - start)));
}

double RowReport::Median() const {
  std::vector<double> sorted = per_second;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double RowReport::Least() const {
  return *std::min_element(per_second.begin(), per_second.end());
}

double RowReport::Most() const {
  return *std::max_element(per_second.begin(), per_second.end());
}

std::string ToText(const Report& report) {
  std::vector<std::vector<std::string>> rows = {
      {"ROW", "PER SECOND", "LEAST", "MOST", "SPREAD", "P50", "P99", "P99.9"}};
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const RowReport& row = report.rows[i];
    rows.push_back({std::string(kRowNames[i]), ShowRate(row.Median()), ShowRate(row.Least()),
                    ShowRate(row.Most()),
                    absl::StrFormat("%.0f %%", 100 * (row.Most() - row.Least()) / row.Median()),
                    ShowQuantile(row.latency, 0.5), ShowQuantile(row.latency, 0.99),
                    ShowQuantile(row.latency, 0.999)});
  }
  return Table(rows, {false, true, true, true, true, true, true, true}) +
         absl::StrCat("PER SECOND is the median of ", report.rows[0].per_second.size(),
                      " rounds, of all processes together; times are of one operation in 32, with "
                      "the clock's.\n",
                      ShowCount(report.verified), " values were read, and all were right\n");
}

Json ToJson(const Report& report, const Plan& plan, bool ordered) {
  Json json = {{"path", plan.store},
               {"namespace", plan.path},
               {"order", ordered ? "ordered" : "hash"},
               {"keys", plan.keys},
               {"value_bytes", plan.value_bytes},
               {"processes", plan.processes},
               {"seconds", plan.seconds},
               {"rounds", report.rows[0].per_second.size()},
               {"verified", report.verified},
               {"rows", Json::array()}};
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const RowReport& row = report.rows[i];
    json["rows"].push_back(Json{{"row", kRowNames[i]},
                                {"operations", row.operations},
                                {"per_second", row.Median()},
                                {"per_second_least", row.Least()},
                                {"per_second_most", row.Most()},
                                {"samples", row.latency.samples()},
                                {"p50_ns", QuantileToJson(row.latency, 0.5)},
                                {"p99_ns", QuantileToJson(row.latency, 0.99)},
                                {"p999_ns", QuantileToJson(row.latency, 0.999)}});
  }
  return json;
}

}  // namespace commy::tools::bench
