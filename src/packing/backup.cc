#include "packing/backup.h"

#include "absl/cleanup/cleanup.h"

#include "base/status.h"
#include "region/about.h"
#include "region/layout.h"
#include "versions/snapshots.h"

namespace commy::packing {
namespace {

using platform::Descriptor;
using platform::Platform;

// Holds a file that is to be replaced, so that no process opens it as a store meanwhile. Invalid:
// there is no such file.
absl::StatusOr<Descriptor> HoldForReplacing(Platform& platform, const std::string& path) {
  absl::StatusOr<Descriptor> old = platform.Open(path, platform::Access::kReadWrite);
  if (absl::IsNotFound(old.status())) {
    return Descriptor();
  }
  COMMY_RETURN_IF_ERROR(old.status());
  COMMY_ASSIGN_OR_RETURN(const bool alone,
                         platform.TryLock(old->fd(), region::kAttachLockByte, /*exclusive=*/true));
  if (!alone) {
    return base::FailedPrecondition(
        path,
        ": is a store that a process has open; only a file that is not in use is overwritten");
  }
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform.Describe(old->fd()));
  std::uint64_t magic = 0;
  COMMY_RETURN_IF_ERROR(platform.ReadAt(old->fd(), &magic, sizeof(magic), 0).status());
  if (magic != region::kMagic && facts.size_bytes != 0) {
    return base::FailedPrecondition(path,
                                    " is no store; remove it first, or choose another destination");
  }
  return old;
}

}  // namespace

absl::Status MustNotExist(Platform& platform, const std::string& path) {
  const absl::StatusOr<platform::FileFacts> facts = platform.DescribePath(path);
  if (facts.ok()) {
    return base::AlreadyExists(path, " exists; remove it, or choose another destination");
  }
  return absl::IsNotFound(facts.status()) ? absl::OkStatus() : facts.status();
}

absl::Status MustBeAnother(Platform& platform, const std::string& path, const std::string& store) {
  const absl::StatusOr<platform::FileFacts> facts = platform.DescribePath(path);
  const absl::StatusOr<platform::FileFacts> own = platform.DescribePath(store);
  return facts.ok() && own.ok() && facts->identity == own->identity
             ? base::InvalidArgument(path, " is the store itself; choose another destination")
             : absl::OkStatus();
}

absl::StatusOr<PackReport> Backup(const engine::Engine& source, const std::string& destination,
                                  const BackupOptions& options) {
  Platform& platform = source.session.platform();
  Descriptor old;
  COMMY_RETURN_IF_ERROR(MustBeAnother(platform, destination, source.path));
  if (options.overwrite) {
    COMMY_ASSIGN_OR_RETURN(old, HoldForReplacing(platform, destination));
  } else {
    COMMY_RETURN_IF_ERROR(MustNotExist(platform, destination));
  }
  COMMY_ASSIGN_OR_RETURN(const Descriptor fd, options.overwrite
                                                  ? platform.CreateReplacement(destination)
                                                  : platform.CreateUnlinked(destination));
  PackReport report;
  COMMY_ASSIGN_OR_RETURN(report.source_bytes, source.region.DiskBytes());
  {
    COMMY_ASSIGN_OR_RETURN(const versions::HeldSnapshot held,
                           versions::TakeSnapshot(source.session));
    const absl::Cleanup release = [&] { versions::ReleaseSnapshot(source.session, held); };
    COMMY_ASSIGN_OR_RETURN(report.copy, CopyStore(source, {held.time, held.store_ns}, fd.fd(),
                                                  destination, options.copy));
  }
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform.Describe(fd.fd()));
  report.destination_bytes = facts.disk_bytes;
  COMMY_RETURN_IF_ERROR(region::About(destination, options.overwrite
                                                       ? platform.Replace(fd.fd(), destination)
                                                       : platform.Link(fd.fd(), destination)));
  return report;
}

}  // namespace commy::packing
