// Where the bytes of each span are.
//
// Each span is one look at its word, and then one at each state of its blocks. Whatever others do
// meanwhile, each span is told once, and as a whole: so the parts of all spans add up to the file.
#include "alloc/allocator.h"

namespace commy::alloc {
namespace {

// The run whose head was met last, of which the next spans may be further ones.
struct OpenRun {
  std::uint64_t head = 0;
  std::uint64_t end = 0;
  bool retired = false;
  bool waits = false;
};

SpanSpace PartOf(const OpenRun& run, std::uint64_t span_bytes) {
  SpanSpace space;
  space.kind = run.retired ? SpanSpace::Kind::kRetired : SpanSpace::Kind::kRun;
  space.run_head = run.head;
  (!run.retired ? space.live_bytes
   : run.waits  ? space.waiting_bytes
                : space.reusable_bytes) = span_bytes;
  return space;
}

}  // namespace

SpanSpace Allocator::LookAtBlocks(std::uint64_t span, const SpanWord& word,
                                  std::uint64_t epoch) const {
  SpanSpace space;
  space.kind =
      word.kind == SpanKind::kLeaving ? SpanSpace::Kind::kLeaving : SpanSpace::Kind::kSmall;
  space.overhead_bytes = region_.geometry().span_bytes;
  const base::Shared8* const states =
      word.size_class < classes_.count()
          ? region_.At<base::Shared8>(region_.SpanOffset(span) + sizeof(region::SpanHeader))
          : nullptr;
  if (states == nullptr) {
    return space;  // Damaged: `commy check` says how.
  }
  const SizeClass& sizes = classes_.at(word.size_class);
  space.block_bytes = sizes.block_bytes;
  space.blocks = sizes.block_count;
  std::uint32_t waiting = 0;
  for (std::uint32_t i = 0; i < sizes.block_count; ++i) {
    const BlockState state = states[i].load(std::memory_order_acquire);
    space.used_blocks += state == kUsed ? 1 : 0;
    space.retired_blocks += IsRetired(state) ? 1 : 0;
    waiting += IsRetired(state) && !IsReusable(state, epoch) ? 1 : 0;
  }
  const std::uint64_t block = sizes.block_bytes;
  space.live_bytes = space.used_blocks * block;
  space.waiting_bytes = waiting * block;
  space.reusable_bytes = (space.retired_blocks - waiting) * block;
  space.fragmented_bytes = (space.blocks - space.used_blocks - space.retired_blocks) * block;
  space.overhead_bytes -= space.blocks * block;
  return space;
}

std::uint64_t Allocator::ForEachSpan(
    absl::FunctionRef<void(std::uint64_t span, const SpanSpace& space)> visit) const {
  const std::uint64_t count = region_.span_count();
  const std::uint64_t epoch = region_.header().epoch.load(std::memory_order_acquire);
  const std::uint64_t span_bytes = region_.geometry().span_bytes;
  const std::uint64_t reserve = room_.ReserveStart(count);
  OpenRun run;
  for (std::uint64_t span = 0; span < count; ++span) {
    const SpanWord word = Unpack(region_.span_word(span).load(std::memory_order_acquire));
    if (HasBlocks(word)) {
      visit(span, LookAtBlocks(span, word, epoch));
      continue;
    }
    if (word.kind == SpanKind::kRunHead || word.kind == SpanKind::kRunRetired) {
      const bool retired = word.kind == SpanKind::kRunRetired;
      run = {span, span + word.number, retired,
             retired && !IsSpanOldEnough(word.size_class, epoch)};
      visit(span, PartOf(run, span_bytes));
      continue;
    }
    if (word.kind == SpanKind::kRunBody && word.number == run.head && span < run.end) {
      visit(span, PartOf(run, span_bytes));
      continue;
    }
    SpanSpace space;
    if (word.kind == SpanKind::kSpanRetired && !IsSpanOldEnough(word.size_class, epoch)) {
      space.kind = SpanSpace::Kind::kRetired;
      space.waiting_bytes = span_bytes;
    } else {
      space.kind = word.kind == SpanKind::kHole || word.kind == SpanKind::kHoleChanging
                       ? SpanSpace::Kind::kHole
                   : word.kind != SpanKind::kClaimed && span >= reserve ? SpanSpace::Kind::kReserve
                                                                        : SpanSpace::Kind::kFree;
      space.unused_bytes = span_bytes;
    }
    visit(span, space);
  }
  return count;
}

}  // namespace commy::alloc
