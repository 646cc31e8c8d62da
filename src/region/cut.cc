#include "region/cut.h"

#include <algorithm>

#include "base/bytes.h"
#include "region/clean_word.h"
#include "region/layout.h"

namespace commy::region {
namespace {

using platform::Descriptor;

class Cut {
 public:
  Cut(platform::Platform& platform, int fd, const Geometry& geometry, std::byte* base)
      : platform_(platform),
        fd_(fd),
        geometry_(geometry),
        header_(*reinterpret_cast<RegionHeader*>(base)),
        words_(reinterpret_cast<Shared64*>(base + geometry.span_words_offset)) {}

  // cut-2 and cut-3. Whether there is something to cut; exact only after cut-1.
  bool Look(std::uint64_t length_bytes) {
    const std::uint64_t size = header_.size_bytes.load(std::memory_order_acquire);
    if ((header_.clean_word.load(std::memory_order_acquire) & kDirty) == 0 ||  // cut-2
        size <= geometry_.data_offset || size > length_bytes) {
      return false;
    }
    count_ =
        std::min((size - geometry_.data_offset) >> geometry_.span_shift, geometry_.span_count_max);
    std::uint64_t used = count_;
    while (used > 0 && IsUnused(used - 1)) {  // cut-3
      --used;
    }
    const std::uint64_t chunk_spans = geometry_.chunk_bytes >> geometry_.span_shift;
    kept_ = std::max(base::RoundUp(used, chunk_spans), chunk_spans);
    return kept_ < count_;
  }

  void Run() {
    const std::uint64_t count = count_;
    const std::uint64_t kept = kept_;
    header_.hole_spans.store(count, std::memory_order_seq_cst);  // cut-4
    const std::uint64_t end = geometry_.data_offset + (kept << geometry_.span_shift);
    header_.size_bytes.store(end, std::memory_order_seq_cst);
    header_.span_hint.store(0, std::memory_order_relaxed);
    for (std::uint64_t span = kept; span < count; ++span) {  // cut-5
      words_[span].store(0, std::memory_order_seq_cst);
    }
    if (platform_.Truncate(fd_, end).ok()) {  // cut-6
      const auto holes =
          static_cast<std::uint64_t>(std::count_if(words_, words_ + kept, [](const Shared64& word) {
            return IsHoleWord(word.load(std::memory_order_relaxed));
          }));
      header_.hole_spans.store(holes, std::memory_order_relaxed);
    }
  }

 private:
  [[nodiscard]] bool IsUnused(std::uint64_t span) const {
    return IsUnusedWord(words_[span].load(std::memory_order_acquire));
  }

  platform::Platform& platform_;
  const int fd_;
  const Geometry& geometry_;
  RegionHeader& header_;
  Shared64* const words_;
  std::uint64_t count_ = 0;  // Spans that there are,
  std::uint64_t kept_ = 0;   // and that stay.
};

}  // namespace

void CutEndIfAlone(platform::Platform& platform, int fd, const Geometry& geometry) {
  absl::StatusOr<platform::FileFacts> facts = platform.Describe(fd);
  if (!facts.ok() || facts->size_bytes < geometry.data_offset) {
    return;
  }
  // No further than the tables: what lies behind may be cut.
  const absl::StatusOr<std::byte*> base =
      platform.Map(fd, geometry.data_offset, platform::Access::kReadWrite);
  if (!base.ok()) {
    return;
  }
  Cut cut(platform, fd, geometry, *base);
  // Mostly there is nothing, and no opener has to wait.
  if (cut.Look(facts->size_bytes)) {
    const absl::StatusOr<Descriptor> lock = platform.Reopen(fd, platform::Access::kReadWrite);
    const bool alone =
        lock.ok() && platform.TryLock(lock->fd(), kAttachLockByte, true).value_or(false);  // cut-1
    facts = platform.Describe(fd);
    if (alone && facts.ok() && cut.Look(facts->size_bytes)) {
      cut.Run();
    }
  }
  platform.Unmap(*base, geometry.data_offset);
}

}  // namespace commy::region
