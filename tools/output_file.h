// A file that a command writes, whatever its name stands for.
//
//   a regular file, or nothing    the output is written beside it and takes its place when it is
//                                 whole and on disk; until then what was there stays, and what is
//                                 left of a command that did not end well is nothing. Symbolic links
//                                 are followed, and stay; mode and owner are kept
//   a device, FIFO or socket,     the output is written straight into it
//   a descriptor (/dev/fd/1)
//   the store that is read        refused, by whatever name
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
  // `path` is not empty; `store` is the path of the store that must not be written over. Waits for
  // a reader where `path` is a FIFO. FailedPrecondition, naming `path` and what to do; Cancelled.
  static absl::StatusOr<OutputFile> Open(const std::string& path, const std::string& store);

  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  // Without a Finish() that went well, what was to be replaced is as it was.
  ~OutputFile() = default;

  // Where to write. Its errors name the file.
  [[nodiscard]] Output& out() { return *out_; }
  // Writes out what is left, and puts the file into its place. FailedPrecondition; Cancelled.
  absl::Status Finish();

 private:
  OutputFile(std::string path, std::string target, platform::Descriptor fd);

  std::string path_;    // As it was given.
  std::string target_;  // The file to be replaced; empty: the output went straight into it.
  platform::Descriptor fd_;
  std::unique_ptr<Output> out_;
};

// Whether descriptor `fd` is of the file behind `path`. False if either is not there.
bool IsSameFile(int fd, const std::string& path);

}  // namespace commy::tools
