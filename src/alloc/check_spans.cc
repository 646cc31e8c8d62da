// Whether every span is accounted for: by itself, by a run, or by a lane that is at it.
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "alloc/allocator.h"
#include "base/status.h"

namespace commy::alloc {
namespace {

using process::Note;
using region::BlockKind;

// What lanes note about spans.
struct SpanNotes {
  std::set<std::pair<std::uint64_t, std::uint64_t>> runs;  // Claimed or given back: first, count.
  std::set<std::pair<std::uint64_t, std::uint64_t>> emptying;  // Span, lane.

  [[nodiscard]] bool HaveRun(std::uint64_t first, std::uint64_t span) const {
    for (auto run = runs.lower_bound({first, 0}); run != runs.end() && run->first == first; ++run) {
      if (span < run->first + run->second) {
        return true;
      }
    }
    return false;
  }
};

SpanNotes CollectNotes(const region::Region& region) {
  SpanNotes notes;
  for (std::uint32_t lane = 0; lane < region.lanes_ready(); ++lane) {
    for (const region::Shared64& word : region.lane(lane).notes) {
      const Note note = process::ReadNote(word.load(std::memory_order_seq_cst));
      if (note.kind == BlockKind::kRunClaim || note.kind == BlockKind::kRunFree) {
        notes.runs.emplace(note.first_span, note.span_count);
      } else if (note.kind == BlockKind::kEmptying) {
        notes.emptying.emplace(note.first_span, lane);
      }
    }
  }
  return notes;
}

class SpanChecker {
 public:
  SpanChecker(const region::Region& region, const SizeClasses& classes)
      : region_(region), classes_(classes), count_(region.span_count()) {}

  std::vector<std::string> Run() {
    notes_ = CollectNotes(region_);
    for (std::uint64_t span = 0; span < count_; ++span) {
      Check(span, WordOf(span));
    }
    return std::move(faults_);
  }

 private:
  [[nodiscard]] SpanWord WordOf(std::uint64_t span) const {
    return Unpack(region_.span_word(span).load(std::memory_order_acquire));
  }
  template <typename... Parts>
  void Fault(std::uint64_t span, const Parts&... parts) {
    faults_.push_back(
        absl::StrCat("span ", span, " at ", base::Hex(region_.SpanOffset(span)), ": ", parts...));
  }
  [[nodiscard]] bool IsOwned(std::uint32_t lane) const {
    return lane < region_.lanes_ready() &&
           region_.lane(lane).owner.load(std::memory_order_acquire) != 0;
  }

  void Check(std::uint64_t span, const SpanWord& word) {
    switch (word.kind) {
      case SpanKind::kFree:
      case SpanKind::kSpanRetired:
      case SpanKind::kHole:
      case SpanKind::kSetAside:
        return;
      case SpanKind::kClaimed:
      case SpanKind::kHoleChanging:
        if (!IsOwned(word.lane)) {
          Fault(span, "lane ", word.lane, " has claimed it, and no process owns the lane");
        }
        return;
      case SpanKind::kSmall:
      case SpanKind::kLeaving:
        CheckSmall(span, word);
        return;
      case SpanKind::kRunHead:
      case SpanKind::kRunRetired:
        CheckRun(span, word);
        return;
      case SpanKind::kRunBody:
        CheckBody(span, word);
        return;
    }
    Fault(span, "its word has the unknown kind ", static_cast<int>(word.kind));
  }

  void CheckRun(std::uint64_t span, const SpanWord& word) {
    if (word.number == 0 || span + word.number > count_) {
      Fault(span, "a run of ", word.number, " spans does not fit into ", count_);
      return;
    }
    for (std::uint64_t i = span + 1; i < span + word.number; ++i) {
      const SpanWord body = WordOf(i);
      if (body.kind != SpanKind::kRunBody || body.number != span) {
        Fault(span, "span ", i, " belongs to its run of ", word.number, ", and says otherwise");
        return;
      }
    }
  }

  void CheckBody(std::uint64_t span, const SpanWord& word) {
    const SpanWord head = word.number < count_ ? WordOf(word.number) : SpanWord();
    const bool whole = (head.kind == SpanKind::kRunHead || head.kind == SpanKind::kRunRetired) &&
                       word.number < span && span < std::uint64_t{word.number} + head.number;
    if (!whole && !notes_.HaveRun(word.number, span)) {
      Fault(span, "it says that it belongs to a run at span ", word.number, ", which is none");
    }
  }

  void CheckSmall(std::uint64_t span, const SpanWord& word) {
    const auto* const header = region_.At<region::SpanHeader>(region_.SpanOffset(span));
    if (word.size_class >= classes_.count() || header == nullptr ||
        header->size_class != word.size_class) {
      Fault(span, "its word says size class ", int{word.size_class}, ", its header says ",
            header == nullptr ? 0 : header->size_class);
      return;
    }
    const bool leaving = word.kind == SpanKind::kLeaving;
    if (!leaving && word.number != 0 && !notes_.emptying.contains({span, word.number - 1})) {
      Fault(span, "lane ", word.number - 1, " has claimed it to empty it, and does not say so");
    }
    const SizeClass& sizes = classes_.at(word.size_class);
    const auto* const states =
        region_.At<base::Shared8>(region_.SpanOffset(span) + sizeof(*header));
    for (std::uint32_t i = 0; states != nullptr && i < sizes.block_count; ++i) {
      const BlockState state = states[i].load(std::memory_order_acquire);
      if (state == kNotABlock || state > kRetiredLast) {
        Fault(span, "block ", i, " is in the unknown state ", int{state});
        return;
      }
      if (state == kEvacuated && (leaving || word.number == 0)) {
        Fault(span, "block ", i, " is evacuated, and no lane empties it");
        return;
      }
    }
  }

  const region::Region& region_;
  const SizeClasses& classes_;
  const std::uint64_t count_;
  SpanNotes notes_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> Allocator::SpanFaults() const {
  return SpanChecker(region_, classes_).Run();
}

absl::Status Allocator::CheckSpans() const {
  const std::vector<std::string> faults = SpanFaults();
  return faults.empty() ? absl::OkStatus() : base::DataLoss(faults.front());
}

}  // namespace commy::alloc
