// A file that a command writes, of any type.
//
//   a regular file, or no file    the output is written beside it and takes its place once it is
//                                 whole and on disk. Until then the old file stays, and a command
//                                 that fails leaves nothing behind. Symbolic links are followed,
//                                 and stay; mode and owner are kept
//   a device, FIFO or socket,     the output is written directly into it
//   a descriptor (/dev/fd/1)
//   the store that is read        refused, under any name
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "output.h"
#include "platform/platform.h"

namespace commy::tools {

class OutputFile {
 public:
  // `path` is not empty; `store` is the path of the store that must not be overwritten. Waits for a
  // reader if `path` is a FIFO. FailedPrecondition names `path` and a remedy; Cancelled.
  static absl::StatusOr<OutputFile> Open(const std::string& path, const std::string& store);

  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  // Unless Finish() succeeded, the file to be replaced is unchanged.
  ~OutputFile() = default;

  // The stream to write to. Its errors name the file.
  [[nodiscard]] Output& out() { return *out_; }
  // Writes the rest of the output, and puts the file into its place. FailedPrecondition; Cancelled.
  absl::Status Finish();

 private:
  OutputFile(std::string path, std::string target, platform::Descriptor fd);

  std::string path_;    // As the user gave it.
  std::string target_;  // The file to be replaced; empty: the output goes directly into it.
  platform::Descriptor fd_;
  std::unique_ptr<Output> out_;
};

// Whether descriptor `fd` refers to the file at `path`. False if either does not exist.
bool IsSameFile(int fd, const std::string& path);

}  // namespace commy::tools
