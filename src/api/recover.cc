// A new store from the findings of a Salvage.
#include "commy/recover.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "commy/shared_counter.h"
#include "commy/store.h"
#include "engine/quotas.h"
#include "platform/platform.h"
#include "region/clean_word.h"
#include "region/layout.h"
#include "salvage/image.h"
#include "salvage/salvage.h"

namespace commy {
namespace {

using platform::Platform;
using salvage::Image;
using salvage::Salvage;
using salvage::SalvagedNamespace;

constexpr std::uint64_t kProgressEvery = 1024;

class Recovery {
 public:
  Recovery(const std::string& source, const std::string& destination, const RecoverOptions& options)
      : source_(source), destination_(destination), options_(options) {}

  absl::StatusOr<RecoverReport> Run() {
    COMMY_RETURN_IF_ERROR(MustNotExist(destination_));
    COMMY_RETURN_IF_ERROR(MustNotExist(part_));
    COMMY_ASSIGN_OR_RETURN(image_, Image::Open(Platform::Real(), source_));
    report_.source_bytes = image_->size_bytes();
    COMMY_ASSIGN_OR_RETURN(report_.may_be_torn, MayBeTorn());
    total_ = image_->size_bytes() * 2;
    Salvage salvage(*image_);
    salvage.Run([this](std::uint64_t done_bytes) { Tell(done_bytes); });
    COMMY_RETURN_IF_ERROR(Check(salvage));
    if (const absl::Status written = Write(salvage); !written.ok()) {
      // The part is of no use, and if it cannot be removed its name says so.
      Platform::Real().Remove(part_).IgnoreError();
      return written;
    }
    COMMY_RETURN_IF_ERROR(Platform::Real().Rename(part_, destination_));
    return std::move(report_);
  }

 private:
  // Looked at after the image was opened: a process that has it open now may change it meanwhile.
  [[nodiscard]] absl::StatusOr<bool> MayBeTorn() const {
    Platform& platform = Platform::Real();
    COMMY_ASSIGN_OR_RETURN(const platform::Descriptor file,
                           platform.Open(source_, platform::Access::kReadOnly));
    if (!region::CheckWhole(platform, file.fd(), image_->header()).ok()) {
      return true;
    }
    // Where there are no locks no process can have it open.
    const absl::StatusOr<bool> in_use = platform.IsLocked(file.fd(), region::kAttachLockByte);
    return in_use.ok() && *in_use;
  }

  static absl::Status MustNotExist(const std::string& path) {
    const absl::StatusOr<platform::FileFacts> facts = Platform::Real().DescribePath(path);
    if (facts.ok()) {
      return base::AlreadyExists(path, " exists; remove it, or choose another destination");
    }
    return absl::IsNotFound(facts.status()) ? absl::OkStatus() : facts.status();
  }

  void Tell(std::uint64_t done) {
    if (options_.progress && !cancelled_ && !options_.progress(std::min(done, total_), total_)) {
      cancelled_ = true;
    }
  }
  [[nodiscard]] absl::Status CheckCancelled() const {
    return cancelled_ ? absl::CancelledError(absl::StrCat("the recovery of ", source_,
                                                          " was interrupted; nothing was kept"))
                      : absl::OkStatus();
  }

  absl::Status Check(const Salvage& salvage) {
    COMMY_RETURN_IF_ERROR(CheckCancelled());
    const salvage::SalvageCounts& counts = salvage.counts();
    report_.namespaces = static_cast<std::uint64_t>(
        std::count_if(salvage.namespaces().begin(), salvage.namespaces().end(),
                      [](const SalvagedNamespace& ns) { return !engine::IsHiddenPath(ns.path); }));
    report_.deleted = counts.deleted;
    report_.keys_older = counts.older_taken;
    report_.keys_lost =
        counts.slots_to_nothing - std::min(counts.slots_to_nothing, counts.older_taken);
    report_.records_damaged = counts.damaged;
    report_.transactions_torn = counts.transactions_torn;
    report_.faults = salvage.faults();
    report_.fault_count = salvage.fault_count();
    if (counts.versions == 0 && salvage.namespaces().empty() && !report_.whole()) {
      return base::DataLoss(source_, ": nothing in it verifies as a part of a store (",
                            report_.faults.front(), "); nothing was written");
    }
    return absl::OkStatus();
  }

  [[nodiscard]] Options DestinationOptions() const {
    Options options;
    options.error_if_exists = true;
    options.process_name = "recover";
    if (const auto& geometry = image_->geometry(); geometry.has_value()) {
      options.max_size = geometry->max_size_bytes;
      options.participants = geometry->participant_count;
      options.threads = geometry->thread_count;
      options.snapshots = geometry->snapshot_count;
      options.stale_after = absl::Nanoseconds(geometry->stale_after_ns);
      options.operation_timeout = absl::Nanoseconds(geometry->operation_timeout_ns);
      options.heartbeat_interval = absl::Nanoseconds(geometry->heartbeat_interval_ns);
    }
    // A store of few large spans may need more room with the usual ones.
    options.max_size = std::max(options.max_size, image_->size_bytes() * 2 + kRoomBytes);
    options.max_size = std::min(options.max_size, region::kMaxSizeLimitBytes);
    return options;
  }

  absl::Status Write(const Salvage& salvage) {
    COMMY_ASSIGN_OR_RETURN(Store made, Store::Open(part_, DestinationOptions()));
    std::map<std::string, Namespace> open;
    for (const SalvagedNamespace& ns : salvage.namespaces()) {
      if (engine::IsHiddenPath(ns.path)) {
        continue;
      }
      NamespaceOptions options;
      options.order = ns.ordered ? Order::kOrdered : Order::kHash;
      options.type = ns.type;
      absl::StatusOr<Namespace> opened = made.OpenNamespace(ns.path, options);
      if (absl::IsInvalidArgument(opened.status())) {
        // Whatever the type says, the keys are there.
        report_.faults.push_back(
            absl::StrCat(ns.path, ": saved without its type: ", opened.status().message()));
        ++report_.fault_count;
        options.type.clear();
        opened = made.OpenNamespace(ns.path, options);
      }
      COMMY_ASSIGN_OR_RETURN(Namespace handle, std::move(opened));
      if (options.type == SharedCounter::kDescriptor) {
        COMMY_ASSIGN_OR_RETURN(const SharedCounter counter,
                               made.OpenShared<SharedCounter>(ns.path));
        COMMY_RETURN_IF_ERROR(counter.Add(static_cast<std::int64_t>(ns.sum)));
      }
      open.emplace(ns.path, std::move(handle));
    }
    const std::int64_t now_ns = Platform::Real().WallNs();
    std::uint64_t done = 0;
    COMMY_RETURN_IF_ERROR(salvage.ForEachRecord(
        [&](const SalvagedNamespace& ns, const versions::RecordView& record) -> absl::Status {
          if (done++ % kProgressEvery == 0) {
            Tell(total_ / 2 + done * (total_ / 2 / salvage.counts().keys));
            COMMY_RETURN_IF_ERROR(CheckCancelled());
          }
          if (engine::IsHiddenPath(ns.path)) {
            KeepHidden(ns, record);
            return absl::OkStatus();
          }
          return Put(open.at(ns.path), record, now_ns);
        }));
    for (const auto& [path, bytes] : path_quotas_) {
      COMMY_RETURN_IF_ERROR(made.SetPathQuota(path, bytes));
    }
    COMMY_RETURN_IF_ERROR(made.Sync());
    COMMY_ASSIGN_OR_RETURN(const StoreStats stats, made.Stats());
    report_.destination_bytes = stats.disk_bytes;
    open.clear();
    return made.Close();
  }

  // What the library keeps for itself. Quotas come into force when all keys are there.
  void KeepHidden(const SalvagedNamespace& ns, const versions::RecordView& record) {
    std::uint64_t bytes = 0;
    if (ns.path == engine::kPathQuotas && record.value.size() == sizeof(bytes)) {
      std::memcpy(&bytes, record.value.data(), sizeof(bytes));
      path_quotas_.emplace_back(record.key, bytes);
    }
  }

  absl::Status Put(const Namespace& ns, const versions::RecordView& record, std::int64_t now_ns) {
    PutOptions options;
    const std::int64_t expiry_ns = record.expiry_ns();
    if (expiry_ns != 0 && expiry_ns <= now_ns) {
      ++report_.expired;
      return absl::OkStatus();
    }
    if (expiry_ns != 0) {
      options.ttl = absl::Nanoseconds(expiry_ns - now_ns);
    }
    COMMY_RETURN_IF_ERROR(ns.Put(record.key, record.value, options));
    ++report_.keys;
    return absl::OkStatus();
  }

  static constexpr std::uint64_t kRoomBytes = std::uint64_t{64} << 20;

  const std::string source_;
  const std::string destination_;
  const std::string part_ = destination_ + ".recovering";
  const RecoverOptions& options_;
  std::unique_ptr<Image> image_;
  RecoverReport report_;
  std::vector<std::pair<std::string, std::uint64_t>> path_quotas_;
  std::uint64_t total_ = 0;
  bool cancelled_ = false;
};

}  // namespace

absl::StatusOr<RecoverReport> Recover(const std::string& source, const std::string& destination,
                                      const RecoverOptions& options) {
  return Recovery(source, destination, options).Run();
}

}  // namespace commy
