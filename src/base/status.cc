#include "base/status.h"

#include <cerrno>
#include <system_error>

#include "base/check.h"

namespace commy::base {

namespace {

// What to do about an error whose words alone send people the wrong way.
absl::string_view Remedy(int error_number) {
  switch (error_number) {
    case EMFILE:
      return "; allow this process more open files (`ulimit -n`)";
    case ENFILE:
      return "; the whole system has too many open files";
    case ENOSPC:
    case EDQUOT:
      return "; free disk space, or ask for a larger quota";
    case EFBIG:
      return "; allow this process larger files (`ulimit -f`)";
    case EROFS:
      return "; a store must be writable, also to be read: mount it so, or copy it elsewhere";
    case EPERM:
      return "; is the file immutable (`lsattr`)?";
    case ELOOP:
      return "; a symbolic link leads in a circle";
    default:
      return "";
  }
}

}  // namespace

absl::Status ErrnoStatus(int error_number, std::string_view what) {
  COMMY_DCHECK(error_number > 0);
  const std::string message = absl::StrCat(
      ToAbsl(what), ": ", std::generic_category().message(error_number), Remedy(error_number));
  switch (error_number) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    case EISDIR:
    case ENOTDIR:
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
      return absl::InvalidArgumentError(message);
    case EOPNOTSUPP:
    case ENOSYS:
    case ENOLCK:
      return absl::FailedPreconditionError(message);
    case EIO:
      return absl::DataLossError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace commy::base
