// The changes in a store between two samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/commy.h"

namespace commy::tools::top {

// A sample of a store. Its parts are of slightly different moments, since other processes continue.
struct Sample {
  absl::Time at;
  StoreStats stats;
  std::vector<ParticipantInfo> participants;
  std::vector<NamespaceInfo> namespaces;
};

absl::StatusOr<Sample> TakeSample(const Store& store, absl::Time at);

// A rate is nullopt if there is nothing to compare with.
struct ParticipantRate {
  ParticipantInfo info;
  std::optional<double> operations_per_second;
};

struct NamespaceRate {
  NamespaceInfo info;
  std::optional<double> keys_per_second;  // Negative: it shrinks.
};

struct Picture {
  absl::Duration interval;  // Between the samples; zero: there was only one.
  StoreStats stats;
  std::optional<double> commits_per_second;
  std::vector<ParticipantRate> participants;  // The busiest first.
  std::vector<NamespaceRate> namespaces;      // The fastest changing first.
};

// `before` may be null. A participant is the same if its slot, pid and start are; a namespace if
// its id is, also under another path. A participant's counter is the sum over its lanes, which keep
// counting under their next owner. If the number of lanes has changed, or the sum went back, its
// own share is unknown: it has no rate this time.
Picture Compare(const Sample* before, const Sample& now);

// The participants that have held back memory for more than a second, the longest first.
std::vector<ParticipantInfo> Pinning(const Picture& picture);

}  // namespace commy::tools::top
