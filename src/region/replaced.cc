#include "region/replaced.h"

#include <cstring>

#include "absl/strings/escaping.h"

#include "base/check.h"
#include "base/status.h"

namespace commy::region {
namespace {

std::string NameOf(const RegionHeader& header) {
  std::uint64_t words[2] = {header.replaced_by[0].load(std::memory_order_relaxed),
                            header.replaced_by[1].load(std::memory_order_relaxed)};
  char bytes[sizeof(words)];
  std::memcpy(bytes, words, sizeof(words));
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

}  // namespace

absl::Status CheckNotReplaced(RegionHeader& header) {
  // Pairs with the stores of replace-2 and replace-4.
  const std::uint64_t seen = header.replaced.load(std::memory_order_acquire);
  if (seen == kWasReplaced) {
    return base::FailedPrecondition(
        "this is the file that a compaction has replaced by the store with the uuid ",
        NameOf(header), "; open that one, and remove this name");
  }
  if (seen == kBeingReplaced) {
    // Several openers may do so at once. None can meet a living replacer: they share its byte.
    header.replaced.CompareAndSet(kBeingReplaced, 0, std::memory_order_seq_cst);
  }
  return absl::OkStatus();
}

void MarkBeingReplaced(RegionHeader& header, const std::uint64_t (&uuid)[2]) {
  header.replaced_by[0].store(uuid[0], std::memory_order_relaxed);
  header.replaced_by[1].store(uuid[1], std::memory_order_relaxed);
  header.replaced.store(kBeingReplaced, std::memory_order_release);  // replace-2
}

void MarkWasReplaced(RegionHeader& header) {
  COMMY_DCHECK(header.replaced.load(std::memory_order_relaxed) == kBeingReplaced);
  header.replaced.store(kWasReplaced, std::memory_order_release);  // replace-4
}

void ClearReplaced(RegionHeader& header) {
  header.replaced.store(0, std::memory_order_release);
}

}  // namespace commy::region
