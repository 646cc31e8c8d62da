// A backup: a dense copy of a store in use, as of one snapshot.
//
// The file appears under its name whole, or not at all; so does one that takes the place of another
// file. Nothing of an interrupted backup is left, except for a killed process's file on a file
// system that has no nameless files: see platform/linux_create.cc.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "engine/engine.h"
#include "packing/copy.h"

namespace commy::packing {

struct BackupOptions {
  CopyOptions copy;
  bool overwrite = false;  // A file that has the name; but no store that is in use.
};

struct PackReport {
  CopyReport copy;
  std::uint64_t source_bytes = 0;  // On disk.
  std::uint64_t destination_bytes = 0;
};

// Errors as of CopyStore(); AlreadyExists: there is a file of that name. FailedPrecondition: and it
// is a store that some process has open.
absl::StatusOr<PackReport> Backup(const engine::Engine& source, const std::string& destination,
                                  const BackupOptions& options);

// AlreadyExists, if there is a file at the path.
absl::Status MustNotExist(platform::Platform& platform, const std::string& path);
// InvalidArgument, if the store is the file at the path.
absl::Status MustBeAnother(platform::Platform& platform, const std::string& path,
                           const std::string& store);

}  // namespace commy::packing
