// The lines of load for a vector, deque or string. All of them take effect at one moment, or none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "elements/elements.h"
#include "elements/limits.h"
#include "elements/returned.h"
#include "jsonl.h"

namespace commy::tools {

// What lines say, in memory. Lines are those of lines.h and returned.h; an index is ignored, and
// may be missing.
class LoadedElements {
 public:
  explicit LoadedElements(const Elements& elements) : elements_(elements) {}

  // InvalidArgument describes the fault.
  absl::Status AddTsv(std::string_view line);
  absl::Status AddJson(std::string_view line);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

  // Makes them the content of the container, and sets the limits that are given.
  [[nodiscard]] absl::Status Replace(const LimitOptions& limits) const;
  // Adds them behind its content.
  [[nodiscard]] absl::Status Append(const LimitOptions& limits) const;

 private:
  absl::Status Add(std::string_view bytes);
  absl::Status AddReturned(const Json& deliveries, const std::string& bytes);
  [[nodiscard]] absl::Status Put(bool replace, const LimitOptions& limits) const;
  [[nodiscard]] absl::Status PutInDeque(bool replace, const LimitOptions& limits) const;

  const Elements& elements_;
  std::vector<ReturnedElement> returned_;  // Before all others.
  std::vector<sequences::RunBuilder> runs_;
  std::uint64_t count_ = 0;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace commy::tools
