#include "access.h"

#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "base/status.h"
#include "output_file.h"
#include "tsv.h"

namespace commy::tools {
namespace {

bool IsLinkToNothing(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored) && !std::filesystem::exists(path, ignored);
}

// Advice for a path that names no file.
std::string MissingAdvice(const std::string& path) {
  if (IsLinkToNothing(path)) {
    return "remove the link, or create its target";
  }
  std::error_code ignored;
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (!directory.empty() && !std::filesystem::exists(directory, ignored)) {
    return absl::StrCat("there is no directory ", directory,
                        ": check the path, or create it first");
  }
  return absl::StrCat("check the path, or create a store with `commy init ", path, "`");
}

std::string OpenAdvice(const std::string& path, absl::StatusCode code) {
  std::error_code ignored;
  switch (code) {
    case absl::StatusCode::kNotFound:
      return MissingAdvice(path);
    case absl::StatusCode::kAlreadyExists:
      return IsLinkToNothing(path)
                 ? "it is a symbolic link to nothing: remove it, or create its target"
                 : "choose another path, or use the store that is there";
    case absl::StatusCode::kPermissionDenied:
      return "run as a user who may read and write it";
    case absl::StatusCode::kInvalidArgument:
      return std::filesystem::exists(path, ignored)
                 ? "give the path of a store"
                 : "give options in their range (`commy init --help`)";
    case absl::StatusCode::kResourceExhausted:
      return "make room, and try again";
    case absl::StatusCode::kDataLoss:
      return absl::StrCat("keep the file: `commy recover ", path, " DEST` writes a new one");
    case absl::StatusCode::kFailedPrecondition:
      return "nothing was changed";
    default:
      return "try again, or use another path";
  }
}

std::string UseAdvice(const std::string& path, absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return absl::StrCat("`commy ns list ", path, "` shows what is there");
    case absl::StatusCode::kAlreadyExists:
      return "choose another name";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return "give another value; nothing was changed";
    case absl::StatusCode::kResourceExhausted:
      return "delete keys, free disk space, or use a store with a larger --max-size";
    case absl::StatusCode::kDataLoss:
      return absl::StrCat("`commy check ", path, "` shows the damage, `commy recover ", path,
                          " DEST` saves what verifies");
    default:
      return "nothing was changed";
  }
}

// "<path>: <message>; <advice>", without naming the path twice. A message with a semicolon already
// carries advice, which is more specific.
std::string Compose(const std::string& path, std::string_view message, std::string_view advice) {
  std::string text;
  if (message.find(path) == std::string_view::npos) {
    text += path;
    text += ": ";
  }
  text += message;
  if (message.find("; ") == std::string_view::npos) {
    text += "; ";
    text += advice;
  }
  return text;
}

}  // namespace

absl::Status ExplainOpen(const std::string& path, const absl::Status& status) {
  const absl::StatusCode code =
      absl::IsNotFound(status) ? absl::StatusCode::kFailedPrecondition : status.code();
  return absl::Status(
      code, Compose(path, base::ToStd(status.message()), OpenAdvice(path, status.code())));
}

absl::Status Explain(const Store& store, const absl::Status& status) {
  if (status.ok() || absl::IsCancelled(status)) {
    return status;
  }
  const std::string& path = store.path();
  return absl::Status(status.code(),
                      Compose(path, base::ToStd(status.message()), UseAdvice(path, status.code())));
}

absl::Status NoKey(const Store& store, std::string_view path, std::string_view key) {
  std::string text = store.path() + ": ";
  AppendTsvField(path, text);
  text += " has no key ";
  AppendTsvField(key, text);
  return absl::NotFoundError(text);
}

absl::Status KeepPrintsOut(const std::string& path) {
  if (IsSameFile(STDERR_FILENO, path)) {
    // Standard error would go into the store as well, so no error can be printed.
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
    return base::FailedPrecondition(path, ": standard error is the store itself");
  }
  if (IsSameFile(STDOUT_FILENO, path)) {
    return base::FailedPrecondition(
        path, ": standard output is the store itself; nothing was changed. Give another file");
  }
  return absl::OkStatus();
}

absl::StatusOr<Store> OpenStore(const std::string& path, Use use, std::string_view command) {
  COMMY_RETURN_IF_ERROR(KeepPrintsOut(path));
  Options options;
  options.create_if_missing = use == Use::kCreate;
  options.read_only = use == Use::kRead;
  options.process_name = "commy ";
  options.process_name += command;
  absl::StatusOr<Store> store = Store::Open(path, options);
  if (!store.ok()) {
    return ExplainOpen(path, store.status());
  }
  return store;
}

absl::StatusOr<Namespace> OpenNamespace(const Store& store, const std::string& path, Use use,
                                        bool ordered) {
  return OpenTypedNamespace(store, path, use, ordered, "");
}

absl::StatusOr<Namespace> OpenTypedNamespace(const Store& store, const std::string& path, Use use,
                                             bool ordered, const std::string& type) {
  NamespaceOptions options;
  options.create_if_missing = use == Use::kCreate;
  options.type = type;
  if (ordered) {
    options.order = Order::kOrdered;
  }
  absl::StatusOr<Namespace> opened = store.OpenNamespace(path, options);
  if (!opened.ok()) {
    return Explain(store, opened.status());
  }
  return opened;
}

}  // namespace commy::tools
