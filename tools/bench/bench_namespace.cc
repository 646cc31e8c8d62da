#include "bench/bench_namespace.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <sys/statvfs.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "bench/load.h"
#include "units.h"

namespace commy::tools::bench {
namespace {

constexpr const char* kMarkPrefix = "commy bench, pid ";

std::string Mark() {
  return absl::StrCat(kMarkPrefix, ::getpid());
}

absl::Status Taken(const Store& store, const Plan& plan, absl::string_view why) {
  return base::AlreadyExists(store.path(), ": the namespace ", plan.path, " ", why,
                             "; rename or drop it, or wait; nothing was changed");
}

// Whether the benchmark that left this mark is still running. Pids are those of its own namespace.
absl::StatusOr<bool> IsRunning(const Store& store, absl::string_view pid_text) {
  std::uint64_t pid = 0;
  if (!absl::SimpleAtoi(pid_text, &pid)) {
    return false;
  }
  COMMY_ASSIGN_OR_RETURN(const std::vector<ParticipantInfo> all, store.Participants());
  return std::any_of(all.begin(), all.end(), [&](const ParticipantInfo& info) {
    return info.pid == pid && info.name == "commy bench" && info.liveness != Liveness::kDead &&
           pid != static_cast<std::uint64_t>(::getpid());
  });
}

// OK: the namespace does not exist or may be dropped.
absl::Status CheckLeftover(const Store& store, const Plan& plan) {
  const absl::StatusOr<Namespace> found =
      store.OpenNamespace(plan.path, {.create_if_missing = false});
  if (absl::IsNotFound(found.status())) {
    return absl::OkStatus();
  }
  COMMY_RETURN_IF_ERROR(found.status());
  const absl::StatusOr<std::string> mark = found->Get(kMarkerKey);
  if (absl::IsNotFound(mark.status())) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t keys, found->Size());
    return keys == 0 ? absl::OkStatus() : Taken(store, plan, "holds keys that no benchmark put");
  }
  COMMY_RETURN_IF_ERROR(mark.status());
  absl::string_view rest = *mark;
  if (!absl::ConsumePrefix(&rest, kMarkPrefix)) {
    return Taken(store, plan, "holds keys that no benchmark put");
  }
  COMMY_ASSIGN_OR_RETURN(const bool running, IsRunning(store, rest));
  return running ? Taken(store, plan, absl::StrCat("is in use by a benchmark (pid ", rest, ")"))
                 : absl::OkStatus();
}

absl::Status CheckRoom(const Store& store, const Plan& plan) {
  COMMY_ASSIGN_OR_RETURN(const StoreStats stats, store.Stats());
  struct statvfs disk = {};
  if (::statvfs(store.path().c_str(), &disk) != 0) {
    return base::ErrnoStatus(errno, store.path() + ": statvfs");
  }
  const std::uint64_t room = RoomBytes(stats, disk.f_bavail * disk.f_frsize);
  const std::uint64_t needed = NeededBytes(plan);
  if (room < needed) {
    return base::ResourceExhausted(store.path(), ": the benchmark may need ", ShowSize(needed),
                                   ", and there is room for ", ShowSize(room),
                                   "; give smaller --keys or --value-bytes");
  }
  return absl::OkStatus();
}

absl::Status DropIfThere(const Store& store, const Plan& plan) {
  const absl::Status dropped = store.DropNamespace(plan.path);
  return absl::IsNotFound(dropped) ? absl::OkStatus() : dropped;
}

}  // namespace

std::uint64_t RoomBytes(const StoreStats& stats, std::uint64_t disk_free_bytes) {
  const std::uint64_t growth =
      stats.max_size_bytes - std::min(stats.max_size_bytes, stats.file_bytes);
  return stats.free_bytes + std::min(growth, disk_free_bytes);
}

std::uint64_t NeededBytes(const Plan& plan) {
  constexpr std::uint64_t kRecordBytes = 32 + kKeyBytes + 16;  // With its share of the index.
  constexpr std::uint64_t kSlackBytes = std::uint64_t{8} << 20U;
  constexpr std::uint64_t kSpanBytes = std::uint64_t{64} << 10U;
  const std::uint64_t bytes = plan.value_bytes + kRecordBytes;
  // A small block is rounded up to a size class, by at most a quarter; a large one to whole spans.
  const std::uint64_t block =
      bytes <= kSpanBytes / 2 ? bytes + bytes / 4 : (bytes + kSpanBytes) / kSpanBytes * kSpanBytes;
  return 2 * plan.keys * block + kSlackBytes;
}

absl::StatusOr<BenchNamespace> BenchNamespace::Create(const Store& store, const Plan& plan,
                                                      bool ordered) {
  COMMY_RETURN_IF_ERROR(CheckLeftover(store, plan));
  COMMY_RETURN_IF_ERROR(DropIfThere(store, plan));
  COMMY_RETURN_IF_ERROR(CheckRoom(store, plan));
  COMMY_ASSIGN_OR_RETURN(
      Namespace ns,
      store.OpenNamespace(plan.path, {.order = ordered ? Order::kOrdered : Order::kHash}));
  const absl::StatusOr<bool> first = ns.PutIfAbsent(kMarkerKey, Mark());
  if (!first.ok()) {
    DropIfThere(store, plan).IgnoreError();
    return first.status();
  }
  if (!*first) {
    return Taken(store, plan, "was taken by another benchmark just now");
  }
  return BenchNamespace(store, std::move(ns));
}

absl::Status BenchNamespace::Drop() {
  return store_.DropNamespace(ns_.path());
}

}  // namespace commy::tools::bench
