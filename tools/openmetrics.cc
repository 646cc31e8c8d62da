#include "openmetrics.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "space_parts.h"
#include "table.h"
#include "utf8.h"

namespace commy::tools {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// A label's value is UTF-8 with three escapes of its own. Before these, a byte that is not UTF-8
// becomes \xHH, and a backslash becomes two, so that different names have different labels.
void AppendLabelValue(std::string_view value, std::string& out) {
  while (!value.empty()) {
    const std::size_t bytes = Utf8SequenceBytes(value);
    if (bytes == 0) {
      absl::StrAppend(&out, "\\\\x",
                      absl::Hex(static_cast<unsigned char>(value[0]), absl::kZeroPad2));
    } else if (value[0] == '\\') {
      out += R"(\\\\)";
    } else if (value[0] == '"') {
      out += R"(\")";
    } else if (value[0] == '\n') {
      out += "\\n";
    } else {
      out += value.substr(0, bytes);
    }
    value.remove_prefix(bytes == 0 ? 1 : bytes);
  }
}

class Writer {
 public:
  // Begins a family, whose samples must follow at once. `unit` is the end of its name, or empty.
  void Family(std::string_view name, std::string_view type, std::string_view unit,
              std::string_view help) {
    name_ = std::string(name);
    suffix_ = type == "counter" ? "_total" : type == "info" ? "_info" : "";
    text_ += "# TYPE " + name_ + " " + std::string(type) + "\n";
    if (!unit.empty()) {
      text_ += "# UNIT " + name_ + " " + std::string(unit) + "\n";
    }
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n";
  }
  void Sample(const Labels& labels, const std::string& value) {
    text_ += name_ + std::string(suffix_);
    char before = '{';
    for (const auto& [label, content] : labels) {
      text_ += std::exchange(before, ',');
      text_ += std::string(label) + "=\"";
      AppendLabelValue(content, text_);
      text_ += '"';
    }
    text_ += labels.empty() ? " " : "} ";
    text_ += value + "\n";
  }
  void Gauge(std::string_view name, std::string_view unit, std::string_view help,
             std::uint64_t value) {
    Family(name, "gauge", unit, help);
    Sample({}, std::to_string(value));
  }
  std::string Finish() { return std::move(text_) + "# EOF\n"; }

 private:
  std::string text_;
  std::string name_;
  std::string_view suffix_;
};

void WriteMemory(const MemoryInfo& memory, Writer& out) {
  out.Gauge("commy_resident_bytes", "bytes", "Bytes of the file that are in memory.",
            memory.resident_bytes);
  out.Gauge("commy_large_page_bytes", "bytes", "Bytes of these that lie in large pages.",
            memory.large_page_bytes);
}

void WriteStore(const StoreStats& stats, Writer& out) {
  out.Family("commy_store", "info", "", "The store.");
  out.Sample({{"path", stats.path},
              {"uuid", stats.uuid},
              {"format_version", std::to_string(stats.format_version)}},
             "1");
  out.Gauge("commy_file_bytes", "bytes", "Size of the file, holes included.", stats.file_bytes);
  out.Gauge("commy_disk_bytes", "bytes", "Blocks that the file takes on disk.", stats.disk_bytes);
  out.Gauge("commy_used_bytes", "bytes", "Blocks in use, with their rounding.", stats.used_bytes);
  out.Gauge("commy_retired_bytes", "bytes", "Blocks that were replaced and may still be read.",
            stats.retired_bytes);
  out.Gauge("commy_free_bytes", "bytes", "Free inside the file.", stats.free_bytes);
  out.Family("commy_space_bytes", "gauge", "bytes",
             "Where the bytes of the file are; the parts add up to commy_file_bytes.");
  for (const SpacePart& part : SpaceParts(stats.space)) {
    out.Sample({{"part", std::string(part.key)}}, std::to_string(part.bytes));
  }
  out.Gauge("commy_max_bytes", "bytes", "The file never grows past this.", stats.max_size_bytes);
  out.Gauge("commy_keys", "", "Keys in all namespaces.", stats.keys);
  out.Gauge("commy_key_bytes", "bytes", "What the keys in all namespaces take, without the index.",
            stats.bytes);
  out.Gauge("commy_namespaces", "", "Namespaces.", stats.namespaces);
  out.Gauge("commy_participants", "", "Attached processes, the reporting one included.",
            stats.participants);
  out.Gauge("commy_max_participants", "", "Processes that may be attached at once.",
            stats.participants_max);
  out.Gauge("commy_max_threads", "", "Threads of all processes that may use the store at once.",
            stats.threads_max);
  out.Gauge("commy_snapshots", "", "Snapshots that are held, those of scans included.",
            stats.snapshots);
  out.Gauge("commy_max_snapshots", "", "Snapshots that may be held at once.", stats.snapshots_max);
  out.Family("commy_oldest_snapshot_age_seconds", "gauge", "seconds",
             "Age of the oldest snapshot; 0: there is none.");
  out.Sample({}, absl::StrCat(absl::ToDoubleSeconds(stats.oldest_snapshot_age)));
  out.Gauge("commy_snapshot_kept_bytes", "bytes",
            "Blocks of superseded values that a snapshot still sees.", stats.snapshot_kept_bytes);
  out.Gauge("commy_epoch", "", "Reclamation epoch.", stats.epoch);
  out.Family("commy_commits", "counter", "", "Commit times assigned to changes.");
  out.Sample({}, std::to_string(stats.commit_clock));
}

Labels LabelsOf(const ParticipantInfo& info) {
  return {
      {"slot", std::to_string(info.slot)}, {"pid", std::to_string(info.pid)}, {"name", info.name}};
}

void WriteParticipants(const std::vector<ParticipantInfo>& participants, Writer& out) {
  const auto family = [&](auto value) {
    for (const ParticipantInfo& info : participants) {
      out.Sample(LabelsOf(info), value(info));
    }
  };
  out.Family("commy_participant_up", "gauge", "", "1 live, 0 stalled or dead.");
  family([](const ParticipantInfo& info) {
    return std::string(info.liveness == Liveness::kLive ? "1" : "0");
  });
  out.Family("commy_participant_heartbeat_age_seconds", "gauge", "seconds",
             "Time since its last sign of life.");
  family([](const ParticipantInfo& info) {
    return absl::StrCat(absl::ToDoubleSeconds(info.heartbeat_age));
  });
  out.Family("commy_participant_lanes", "gauge", "", "Threads that use the store.");
  family([](const ParticipantInfo& info) { return std::to_string(info.lanes); });
  out.Family("commy_participant_pinned_seconds", "gauge", "seconds",
             "Time for which it has held back the reuse of memory; 0: it does not.");
  family([](const ParticipantInfo& info) {
    return absl::StrCat(absl::ToDoubleSeconds(info.pinned_for));
  });
  out.Family("commy_participant_held_back_bytes", "gauge", "bytes",
             "Bytes replaced or deleted that it keeps from reuse.");
  family([](const ParticipantInfo& info) { return std::to_string(info.held_back_bytes); });
  out.Family("commy_participant_snapshots", "gauge", "", "Snapshots that it holds.");
  family([](const ParticipantInfo& info) { return std::to_string(info.snapshots); });
  out.Family("commy_participant_snapshot_kept_bytes", "gauge", "bytes",
             "Blocks of superseded values that its snapshots still see.");
  family([](const ParticipantInfo& info) { return std::to_string(info.snapshot_kept_bytes); });
  out.Family("commy_participant_operations", "counter", "",
             "Changes begun in its lanes; reads are not counted.");
  family([](const ParticipantInfo& info) { return std::to_string(info.operations); });
}

void WritePathQuotas(const std::vector<PathQuota>& quotas, Writer& out) {
  out.Family("commy_path_quota_bytes", "gauge", "bytes",
             "The most that the keys of all namespaces under the path may take.");
  for (const PathQuota& quota : quotas) {
    out.Sample({{"path", quota.path}}, std::to_string(quota.quota_bytes));
  }
  out.Family("commy_path_bytes", "gauge", "bytes",
             "What the keys of all namespaces under a path with a quota take.");
  for (const PathQuota& quota : quotas) {
    out.Sample({{"path", quota.path}}, std::to_string(quota.bytes));
  }
}

void WriteNamespaces(const std::vector<NamespaceInfo>& namespaces, Writer& out) {
  out.Family("commy_namespace_keys", "gauge", "", "Keys of the namespace.");
  for (const NamespaceInfo& info : namespaces) {
    out.Sample({{"namespace", info.path}}, std::to_string(info.keys));
  }
  out.Family("commy_namespace_quota_bytes", "gauge", "bytes",
             "The most that the keys of the namespace may take.");
  for (const NamespaceInfo& info : namespaces) {
    if (info.quota_bytes != 0) {
      out.Sample({{"namespace", info.path}}, std::to_string(info.quota_bytes));
    }
  }
  out.Family("commy_namespace_bytes", "gauge", "bytes",
             "What the keys of the namespace take, without the index.");
  for (const NamespaceInfo& info : namespaces) {
    out.Sample({{"namespace", info.path}}, std::to_string(info.bytes));
  }
}

}  // namespace

std::string ToOpenMetrics(const StoreStats& stats, const absl::StatusOr<MemoryInfo>& memory,
                          const std::vector<ParticipantInfo>& participants,
                          const std::vector<NamespaceInfo>& namespaces) {
  Writer out;
  WriteStore(stats, out);
  if (memory.ok()) {
    WriteMemory(*memory, out);
  }
  WriteParticipants(participants, out);
  WriteNamespaces(namespaces, out);
  WritePathQuotas(stats.path_quotas, out);
  return out.Finish();
}

}  // namespace commy::tools
