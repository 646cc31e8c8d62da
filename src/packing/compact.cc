#include "packing/compact.h"

#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "engine/open_store.h"
#include "inspect/stats.h"
#include "region/about.h"
#include "region/replaced.h"
#include "transactions/recover.h"

namespace commy::packing {
namespace {

using engine::OpenStore;
using platform::Descriptor;
using platform::Platform;
using region::RegionHeader;

constexpr int kNamedMost = 8;

// The file itself, whose name is to be given to another one.
std::string BehindLinks(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) {
    return path;
  }
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

absl::Status MustHaveOneName(const std::string& path) {
  std::error_code error;
  const std::uintmax_t names = std::filesystem::hard_link_count(path, error);
  if (!error && names > 1) {
    return base::FailedPrecondition(
        path, ": the file has ", names, " names (hard links), of which one would lead to the ",
        "compacted store and the others to the old one; remove the others, or name a destination");
  }
  return absl::OkStatus();
}

// Says who has the store open that could not be opened alone.
absl::Status WhyInUse(Platform& platform, const std::string& path) {
  COMMY_ASSIGN_OR_RETURN(const std::vector<ParticipantInfo> all,
                         inspect::ParticipantsOf(platform, path));
  std::string named;
  int count = 0;
  for (const ParticipantInfo& each : all) {
    if (each.liveness == Liveness::kDead) {
      continue;
    }
    if (++count <= kNamedMost) {
      absl::StrAppend(&named, count == 1 ? "" : ", ", "process ", each.pid, " (", each.name, ")");
    }
  }
  if (count == 0) {
    return base::FailedPrecondition(
        path, ": a program was looking at the store (commy ps, for one), or had just opened it; ",
        "try again");
  }
  if (count > kNamedMost) {
    absl::StrAppend(&named, " and ", count - kNamedMost, " more");
  }
  return base::FailedPrecondition(
      path, ": in use by ", named, "; a compaction needs the store alone: end ",
      count == 1 ? "that process" : "these processes",
      ", and try again. A dense copy of a store in use is made by `commy backup`");
}

class Compaction {
 public:
  Compaction(Platform& platform, const std::string& path, const CompactOptions& options)
      : platform_(platform), path_(BehindLinks(path)), options_(options) {}

  absl::StatusOr<PackReport> Run() {
    const bool in_place = options_.destination.empty();
    if (!in_place) {
      COMMY_RETURN_IF_ERROR(MustBeAnother(platform_, options_.destination, path_));
    }
    COMMY_RETURN_IF_ERROR(in_place ? MustHaveOneName(path_)
                                   : MustNotExist(platform_, options_.destination));
    COMMY_RETURN_IF_ERROR(OpenSource());
    const std::string& made = in_place ? path_ : options_.destination;
    PackReport report;
    COMMY_ASSIGN_OR_RETURN(report.source_bytes, source_->engine().region.DiskBytes());
    COMMY_ASSIGN_OR_RETURN(const Descriptor fd, in_place ? platform_.CreateReplacement(made)
                                                         : platform_.CreateUnlinked(made));
    // compact-2
    versions::AsOf now;
    now.store_ns = source_->engine().session.clock().NowNs();
    COMMY_ASSIGN_OR_RETURN(report.copy,
                           CopyStore(source_->engine(), now, fd.fd(), made, options_.copy));
    COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform_.Describe(fd.fd()));
    report.destination_bytes = facts.disk_bytes;
    COMMY_RETURN_IF_ERROR(
        region::About(made, in_place ? Swap(fd.fd(), report.copy) : platform_.Link(fd.fd(), made)));
    COMMY_RETURN_IF_ERROR(source_->Close());  // compact-6
    return report;
  }

 private:
  // compact-1
  absl::Status OpenSource() {
    Options options;
    options.process_name = "commy compact";
    options.testing.background = false;
    absl::StatusOr<std::shared_ptr<OpenStore>> opened =
        OpenStore::OpenAlone(platform_, path_, options, transactions::Hooks());
    if (absl::IsFailedPrecondition(opened.status())) {
      return WhyInUse(platform_, path_);
    }
    COMMY_RETURN_IF_ERROR(opened.status());
    source_ = *std::move(opened);
    return absl::OkStatus();
  }

  // compact-3 to compact-5
  absl::Status Swap(int fd, const CopyReport& copy) {
    region::Region& region = source_->engine().region;
    RegionHeader& header = region.header();
    region::MarkBeingReplaced(header, copy.uuid_words);
    absl::Status done = region.SyncHeader();
    if (done.ok()) {
      done = platform_.Replace(fd, path_);
    }
    if (done.ok()) {
      region::MarkWasReplaced(header);
      // On disk it need not be: the name is gone from there.
      (void)region.SyncHeader();
      return absl::OkStatus();
    }
    const absl::StatusOr<bool> still_there = region.IsAtItsPath();
    if (still_there.ok() && *still_there) {
      region::ClearReplaced(header);
      (void)region.SyncHeader();  // Else the next opener takes it back.
    }
    return done;
  }

  Platform& platform_;
  const std::string path_;
  const CompactOptions& options_;
  std::shared_ptr<OpenStore> source_;
};

}  // namespace

absl::StatusOr<PackReport> Compact(Platform& platform, const std::string& path,
                                   const CompactOptions& options) {
  return Compaction(platform, path, options).Run();
}

}  // namespace commy::packing
