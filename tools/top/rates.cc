#include "top/rates.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace commy::tools::top {
namespace {

constexpr absl::Duration kPinnedNormal = absl::Seconds(1);

bool IsSame(const ParticipantInfo& a, const ParticipantInfo& b) {
  return a.slot == b.slot && a.pid == b.pid && a.started == b.started && a.lanes == b.lanes;
}

std::optional<double> PerSecond(std::uint64_t before, std::uint64_t now, double seconds) {
  if (now < before) {
    return std::nullopt;
  }
  return static_cast<double>(now - before) / seconds;
}

std::optional<double> OperationsPerSecond(const Sample& before, const ParticipantInfo& now,
                                          double seconds) {
  for (const ParticipantInfo& earlier : before.participants) {
    if (IsSame(earlier, now)) {
      return PerSecond(earlier.operations, now.operations, seconds);
    }
  }
  return std::nullopt;
}

std::optional<double> KeysPerSecond(const Sample& before, const NamespaceInfo& now,
                                    double seconds) {
  for (const NamespaceInfo& earlier : before.namespaces) {
    if (earlier.id == now.id) {
      return (static_cast<double>(now.keys) - static_cast<double>(earlier.keys)) / seconds;
    }
  }
  return std::nullopt;
}

void SortByRate(Picture& picture) {
  std::stable_sort(picture.participants.begin(), picture.participants.end(),
                   [](const ParticipantRate& a, const ParticipantRate& b) {
                     return a.operations_per_second.value_or(0) >
                            b.operations_per_second.value_or(0);
                   });
  std::stable_sort(picture.namespaces.begin(), picture.namespaces.end(),
                   [](const NamespaceRate& a, const NamespaceRate& b) {
                     return std::abs(a.keys_per_second.value_or(0)) >
                            std::abs(b.keys_per_second.value_or(0));
                   });
}

}  // namespace

absl::StatusOr<Sample> TakeSample(const Store& store, absl::Time at) {
  Sample sample;
  sample.at = at;
  COMMY_ASSIGN_OR_RETURN(sample.stats, store.Stats());
  COMMY_ASSIGN_OR_RETURN(sample.participants, store.Participants());
  COMMY_ASSIGN_OR_RETURN(sample.namespaces, store.ListNamespaces());
  return sample;
}

Picture Compare(const Sample* before, const Sample& now) {
  Picture picture;
  picture.stats = now.stats;
  const bool comparable = before != nullptr && now.at > before->at;
  picture.interval = comparable ? now.at - before->at : absl::ZeroDuration();
  const double seconds = absl::ToDoubleSeconds(picture.interval);
  if (comparable) {
    picture.commits_per_second =
        PerSecond(before->stats.commit_clock, now.stats.commit_clock, seconds);
  }
  for (const ParticipantInfo& info : now.participants) {
    picture.participants.push_back(
        {info, comparable ? OperationsPerSecond(*before, info, seconds) : std::nullopt});
  }
  for (const NamespaceInfo& info : now.namespaces) {
    picture.namespaces.push_back(
        {info, comparable ? KeysPerSecond(*before, info, seconds) : std::nullopt});
  }
  SortByRate(picture);
  return picture;
}

std::vector<ParticipantInfo> Pinning(const Picture& picture) {
  std::vector<ParticipantInfo> pinning;
  for (const ParticipantRate& each : picture.participants) {
    if (each.info.pinned_for > kPinnedNormal) {
      pinning.push_back(each.info);
    }
  }
  std::stable_sort(pinning.begin(), pinning.end(),
                   [](const ParticipantInfo& a, const ParticipantInfo& b) {
                     return a.pinned_for > b.pinned_for;
                   });
  return pinning;
}

}  // namespace commy::tools::top
