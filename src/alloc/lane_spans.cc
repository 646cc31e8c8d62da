#include "alloc/lane_spans.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace commy::alloc {
namespace {

using base::Shared64;
using base::Shared8;
using process::Operation;

constexpr std::size_t kSpansPerWalk = 8;
constexpr std::size_t kReleaseSpans = 16;
constexpr std::uint32_t kWalksInVain = 8;  // After these the epoch is moved on anyway.
constexpr std::uint32_t kPrefetchBytes = 256;
// Of a living lane, a span with one block in this many free is preferred.
constexpr std::uint32_t kShareWorthwhile = 8;
// Sizes of blocks that spans of the reserve are cut into, unless larger ones are needed: those of
// tombstones, and those of the blocks of an index and the catalog.
constexpr std::uint64_t kReserveBlockForDeletes = 512;
constexpr std::uint64_t kReserveBlockForClears = 5120;
// The first span of blocks that stay has room for all kinds of them: for index roots.
constexpr std::uint64_t kFirstStayingBytes = 1088;
constexpr std::uint32_t kMuchLarger = 32;

}  // namespace

LaneSpans::LaneSpans(Allocator& allocator, process::Lane& lane)
    : allocator_(allocator), lane_(lane), by_class_(allocator.classes().count()) {
  Reload();
}

void LaneSpans::Reload() {
  for (Spans& spans : by_class_) {
    spans = Spans();
  }
  const std::uint64_t count = allocator_.region_.span_count();
  for (std::uint64_t span = 0; span < count; ++span) {
    const SpanWord word =
        Unpack(allocator_.region_.span_word(span).load(std::memory_order_acquire));
    if (word.kind == SpanKind::kSmall && word.lane == lane_.index() &&
        word.size_class < by_class_.size()) {
      by_class_[word.size_class].all.push_back(span);
    }
  }
}

absl::StatusOr<std::uint64_t> LaneSpans::Allocate(Operation& op, std::uint32_t size_class,
                                                  region::BlockKind kind, Purpose purpose) {
  COMMY_DCHECK(&op.lane() == &lane_);  // N1
  COMMY_DCHECK(size_class < by_class_.size());
  Spans& spans = by_class_[size_class];
  const std::uint32_t place = op.AddNote(0);
  while (true) {
    if (const std::uint64_t offset = TakeBlock(op, size_class, spans, place, kind); offset != 0) {
      return offset;
    }
    absl::Status status = Refill(op, size_class, spans);
    if (absl::IsResourceExhausted(status) && purpose != Purpose::kOrdinary) {
      absl::StatusOr<std::uint64_t> offset =
          AllocateFromReserve(op, size_class, place, kind, purpose);
      if (offset.ok()) {
        return offset;
      }
      status = offset.status();
    }
    if (!status.ok()) {
      op.DropNotes(place);
      return status;
    }
  }
}

std::uint32_t LaneSpans::RoomyClassFrom(Operation& op, std::uint32_t size_class) {
  const SizeClasses& classes = allocator_.classes();
  if (!by_class_[size_class].all.empty()) {
    return size_class;
  }
  const auto is_roomy = [&](std::uint32_t larger) {
    Spans& spans = by_class_[larger];
    const SizeClass& sizes = classes.at(larger);
    // Half of it is not for the smallest, which may be many.
    const bool much_larger = classes.at(size_class).block_bytes * kMuchLarger < sizes.block_bytes;
    const std::size_t room = sizes.block_count / (much_larger ? 2 : kMuchLarger) + std::size_t{1};
    return spans.free.size() >= room ||
           (spans.free.empty() && !spans.all.empty() && FindSpan(larger, spans, 1, room));
  };
  bool none = true;
  for (std::uint32_t each = classes.ForThoseThatStay(0); each < classes.count(); ++each) {
    if (each > size_class && is_roomy(each)) {
      return each;
    }
    none &= by_class_[each].all.empty();
  }
  std::uint64_t span = 0;
  if (!none || !allocator_.FindFreeSpan(op, Allocator::kReserveSpans, /*lowest=*/true, &span)) {
    return size_class;
  }
  const std::uint64_t first = std::min(kFirstStayingBytes, classes.small_bytes_max());
  return std::max(size_class, classes.ForThoseThatStay(classes.ClassFor(first)));
}

absl::StatusOr<std::uint64_t> LaneSpans::AllocateStaying(Operation& op, std::uint32_t size_class,
                                                         region::BlockKind kind) {
  return Allocate(op, RoomyClassFrom(op, size_class), kind, Purpose::kOrdinary);
}

std::uint64_t LaneSpans::AllocateLarger(Operation& op, std::uint32_t size_class,
                                        region::BlockKind kind) {
  COMMY_DCHECK(!allocator_.classes().Stays(size_class));
  const std::uint32_t end_class = allocator_.classes().ForThoseThatStay(0);
  const std::uint32_t place = op.AddNote(0);
  const Allocator::Wanted idle{
      .class_min = size_class, .class_max = end_class - 1, .share = UINT32_MAX};
  do {
    for (std::uint32_t larger = size_class; larger < end_class; ++larger) {
      Spans& spans = by_class_[larger];
      do {
        if (const std::uint64_t offset = TakeBlock(op, larger, spans, place, kind); offset != 0) {
          return offset;
        }
      } while (FindSpan(larger, spans, spans.all.size(), 1));
    }
  } while (allocator_.TakeFromOthers(op, idle, op.region().span_count()) ==
           Allocator::TakeOver::kAtOnce);
  op.DropNotes(place);
  return 0;
}

absl::StatusOr<std::uint64_t> LaneSpans::AllocateFromReserve(Operation& op,
                                                             std::uint32_t size_class,
                                                             std::uint32_t note_place,
                                                             region::BlockKind kind,
                                                             Purpose purpose) {
  // A replacement stays, so it takes no block of another size, which only a delete or a clear does.
  const bool stays = purpose == Purpose::kReplaces;
  COMMY_DCHECK(!allocator_.classes().Stays(size_class));
  const std::size_t end_class = stays ? size_class + std::size_t{1} : by_class_.size() / 2;
  for (std::uint32_t larger = size_class; larger < end_class; ++larger) {
    Spans& spans = by_class_[larger];
    do {
      if (const std::uint64_t offset = TakeBlock(op, larger, spans, note_place, kind);
          offset != 0) {
        return offset;
      }
    } while (FindSpan(larger, spans, spans.all.size(), 1));
  }
  // Cut so that all that the operation needs, and keys of many lengths, go into one span.
  const SizeClasses& classes = allocator_.classes();
  const std::uint64_t wanted =
      purpose == Purpose::kClears ? kReserveBlockForClears : kReserveBlockForDeletes;
  const std::uint32_t cut =
      stays ? size_class
            : std::max(size_class, classes.ClassFor(std::min(wanted, classes.small_bytes_max())));
  bool look_again = false;
  absl::Status added = AddSpan(op, cut, Allocator::Spare(purpose), &look_again);
  if (added.ok()) {
    const std::uint64_t offset = TakeBlock(op, cut, by_class_[cut], note_place, kind);
    if (offset != 0) {
      return offset;
    }
    added = base::ResourceExhausted(op.region().path(), ": the store is full");
  }
  if (look_again && FindSpan(cut, by_class_[cut], by_class_[cut].all.size(), 1)) {
    const std::uint64_t offset = TakeBlock(op, cut, by_class_[cut], note_place, kind);
    if (offset != 0) {
      return offset;
    }
  } else {
    // One of another lane. Its blocks can be used once the epoch has moved: at the caller's next
    // try.
    allocator_.TakeFromOthers(op,
                              {.class_min = size_class,
                               .class_max = static_cast<std::uint32_t>(end_class) - 1,
                               .share = UINT32_MAX,
                               .of_the_living = true},
                              op.region().span_count());
  }
  return added;
}

std::uint64_t LaneSpans::TakeBlock(Operation& op, std::uint32_t size_class, Spans& spans,
                                   std::uint32_t note_place, region::BlockKind kind) {
  if (spans.free.empty()) {
    return 0;
  }
  const SizeClass& sizes = allocator_.classes().at(size_class);
  const std::uint64_t epoch = allocator_.EpochNow();
  COMMY_DCHECK(note_place < op.notes_used());  // O1
  Shared8* const states = allocator_.StatesOf(spans.current);
  if (states == nullptr || !IsMine(size_class, spans.current)) {
    spans.free.clear();
    return 0;
  }
  while (!spans.free.empty()) {
    const std::uint32_t index = spans.free.back();
    spans.free.pop_back();
    COMMY_DCHECK(index < sizes.block_count);
    // Pairs with the CAS that retired or freed it.
    BlockState seen = states[index].load(std::memory_order_acquire);
    if (!IsReusable(seen, epoch)) {
      continue;  // Evacuated since, or its tag has come round: the next walk finds it.
    }
    const std::uint64_t offset = allocator_.region_.SpanOffset(spans.current) + sizes.data_start +
                                 std::uint64_t{index} * sizes.block_bytes;
    COMMY_DCHECK(base::IsAligned(offset, region::kBlockAlignBytes));  // A note keeps no more of it.
    op.SetNote(note_place, process::BlockNote(kind, offset));
    if (states[index].compare_exchange(seen, kUsed, std::memory_order_seq_cst)) {
      PrefetchNext(sizes, spans);
      COMMY_DCHECK_EXPENSIVE(allocator_.BlockBytes(offset) == sizes.block_bytes);
      COMMY_DCHECK_EXPENSIVE(allocator_.IsUsed(offset));  // B2
      return offset;
    }
    op.SetNote(note_place, 0);
  }
  return 0;
}

bool LaneSpans::IsMine(std::uint32_t size_class, std::uint64_t span) const {
  // Pairs with emptying-3 and -4: a span that has changed hands is no longer this lane's.
  const SpanWord word = Unpack(allocator_.region_.span_word(span).load(std::memory_order_acquire));
  return word.kind == SpanKind::kSmall && word.lane == lane_.index() &&
         word.size_class == size_class;
}

void LaneSpans::Forget(Spans& spans, std::size_t index) {
  COMMY_DCHECK(index < spans.all.size());
  if (spans.all[index] == spans.current) {
    spans.current = 0;
    spans.free.clear();
  }
  spans.all[index] = spans.all.back();
  spans.all.pop_back();
}

void LaneSpans::PrefetchNext(const SizeClass& sizes, const Spans& spans) const {
  if (spans.free.empty()) {
    return;
  }
  const std::byte* const next =
      allocator_.region_.At(allocator_.region_.SpanOffset(spans.current) + sizes.data_start +
                                std::uint64_t{spans.free.back()} * sizes.block_bytes,
                            sizes.block_bytes, 16);
  if (next == nullptr) {
    return;
  }
  const std::uint32_t bytes = std::min(sizes.block_bytes, kPrefetchBytes);
  for (std::uint32_t line = 0; line < bytes; line += 64) {
    __builtin_prefetch(next + line, 1);
  }
}

void LaneSpans::PrepareTable(std::uint64_t epoch) {
  if (table_epoch_ == epoch) {
    return;
  }
  COMMY_DCHECK(IsReusable(kFree, epoch) && !IsReusable(kUsed, epoch));  // B3
  for (std::size_t state = 0; state < reusable_.size(); ++state) {
    reusable_[state] = IsReusable(static_cast<BlockState>(state), epoch);
    waits_[state] = IsRetired(static_cast<BlockState>(state)) && !reusable_[state];
  }
  table_epoch_ = epoch;
}

void LaneSpans::CollectFree(const SizeClass& size_class, std::uint64_t span,
                            std::vector<std::uint16_t>& free) {
  free.clear();
  const Shared8* const states = allocator_.StatesOf(span);
  if (states == nullptr) {
    return;
  }
  // From the last to the first, eight at a time: blocks are taken from the end of the list, so in
  // the order of their places.
  const auto* const words = reinterpret_cast<const Shared64*>(states);
  for (std::uint32_t word = (size_class.block_count + 7) / 8; word-- > 0;) {
    const std::uint64_t eight = words[word].load(std::memory_order_relaxed);
    if (eight == kAllUsed) {
      continue;
    }
    for (std::uint32_t i = 8; i-- > 0;) {
      const std::uint32_t index = word * 8 + i;
      const std::uint64_t state = (eight >> (8 * i)) & 0xffU;
      saw_waiting_ |= waits_[state];
      if (reusable_[state] && index < size_class.block_count) {
        free.push_back(static_cast<std::uint16_t>(index));
      }
    }
  }
  COMMY_DCHECK(free.size() <= size_class.block_count);
}

bool LaneSpans::FindSpan(std::uint32_t size_class, Spans& spans, std::size_t span_limit,
                         std::size_t wanted) {
  COMMY_DCHECK(wanted != 0);
  const SizeClass& sizes = allocator_.classes().at(size_class);
  PrepareTable(allocator_.EpochNow());
  saw_waiting_ = false;
  for (std::size_t walk = std::min(span_limit, spans.all.size()); walk > 0; --walk) {
    spans.next = spans.next + 1 >= spans.all.size() ? 0 : spans.next + 1;
    COMMY_DCHECK(spans.next < spans.all.size());
    const std::uint64_t span = spans.all[spans.next];
    if (!IsMine(size_class, span)) {
      Forget(spans, spans.next);
      continue;
    }
    CollectFree(sizes, span, spans.free);
    if (spans.free.size() >= wanted) {
      // For a block or two it is not worth it.
      if (spans.free.size() >= sizes.block_count / 8 && !allocator_.room_.Open(span).ok()) {
        continue;
      }
      spans.current = span;
      return true;
    }
  }
  spans.free.clear();
  return false;
}

bool LaneSpans::IsWorthAnEpoch() {
  return saw_waiting_ || std::exchange(gave_spans_back_, false) ||
         ++walks_in_vain_ % kWalksInVain == 0;
}

absl::Status LaneSpans::Refill(Operation& op, std::uint32_t size_class, Spans& spans) {
  const std::size_t wanted =
      std::max<std::size_t>(1, allocator_.classes().at(size_class).block_count / 8);
  if (FindSpan(size_class, spans, kSpansPerWalk, wanted)) {
    return absl::OkStatus();
  }
  if (IsWorthAnEpoch() && op.session().TryAdvanceEpoch() &&
      FindSpan(size_class, spans, kSpansPerWalk, wanted)) {
    return absl::OkStatus();
  }
  bool look_again = false;
  absl::Status status = AddSpan(op, size_class, Allocator::kReserveSpans, &look_again);
  if (packing_) {
    return status;
  }
  // Full: any block anywhere is good enough now.
  for (int push = 0; push < 4 && absl::IsResourceExhausted(status); ++push) {
    if (FindSpan(size_class, spans, spans.all.size(), 1)) {
      return absl::OkStatus();
    }
    ReleaseSomeEmpty(SIZE_MAX);
    (void)op.session().PushEpoch();
    status = AddSpan(op, size_class, Allocator::kReserveSpans, &look_again);
  }
  if (!absl::IsResourceExhausted(status)) {
    return status;
  }
  // Even a single block in the span of another lane. (Those of a living one can be used once the
  // epoch has moved: at the caller's next try.)
  const std::uint64_t all = op.region().span_count();
  Allocator::Wanted last{.class_min = size_class, .class_max = size_class, .share = UINT32_MAX};
  if (allocator_.TakeFromOthers(op, last, all) == Allocator::TakeOver::kAtOnce &&
      FindSpan(size_class, spans, spans.all.size(), 1)) {
    return absl::OkStatus();
  }
  last.of_the_living = true;
  last.share = kShareWorthwhile;
  if (allocator_.TakeFromOthers(op, last, all) == Allocator::TakeOver::kNothing) {
    last.share = UINT32_MAX;
    (void)allocator_.TakeFromOthers(op, last, all);
  }
  return status;
}

absl::Status LaneSpans::AddSpan(Operation& op, std::uint32_t size_class, std::uint64_t spare,
                                bool* look_again) {
  ReleaseSomeEmpty(kReleaseSpans);
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t span,
                         allocator_.ClaimSpan(op, size_class, spare, look_again));
  Spans& spans = by_class_[size_class];
  region::Region& region = allocator_.region_;
  const SizeClass& sizes = allocator_.classes().at(size_class);
  auto* const header = region.At<region::SpanHeader>(region.SpanOffset(span));
  if (header == nullptr) {
    return base::DataLoss(region.path(), ": span ", span, " lies past the end of the file");
  }
  const auto lane = static_cast<std::uint16_t>(lane_.index());
  const std::uint64_t claimed = ClaimedBy(lane);
  if (absl::Status opened = allocator_.room_.Open(span); !opened.ok()) {
    region.span_word(span).CompareAndSet(claimed, 0, std::memory_order_seq_cst);
    allocator_.LowerHint(span);
    return opened;
  }
  header->size_class = size_class;
  header->block_count = sizes.block_count;
  header->data_start = sizes.data_start;
  const std::uint64_t padded = base::AlignUp(sizes.block_count, 8);
  COMMY_DCHECK(sizeof(*header) + padded <= sizes.data_start);
  auto* const words = reinterpret_cast<Shared64*>(allocator_.StatesOf(span));
  for (std::uint64_t word = 0; word < padded / 8; ++word) {
    const std::uint64_t left = sizes.block_count - word * 8;
    const std::uint64_t all_free = 0x0101010101010101;
    const std::uint64_t mask = left >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * left)) - 1;
    words[word].store(all_free & mask, std::memory_order_relaxed);
  }
  // Publishes the header and the states to Locate() and to thieves.
  [[maybe_unused]] const bool opened = region.span_word(span).CompareAndSet(
      claimed, Pack({SpanKind::kSmall, static_cast<std::uint8_t>(size_class), lane, 0}),
      std::memory_order_seq_cst);
  COMMY_DCHECK(opened);  // N1: a claimed span is the lane's alone.
  spans.all.push_back(span);
  spans.current = span;
  PrepareTable(allocator_.EpochNow());
  CollectFree(sizes, span, spans.free);
  return absl::OkStatus();
}

void LaneSpans::ReleaseSomeEmpty(std::size_t span_limit) {
  PrepareTable(allocator_.EpochNow());
  std::size_t left = span_limit;
  for (std::size_t turn = 0; turn < by_class_.size() && left > 0; ++turn) {
    release_class_ = (release_class_ + 1) % by_class_.size();
    Spans& spans = by_class_[release_class_];
    for (std::size_t i = spans.all.size(); i-- > 0 && left > 0; --left) {
      ReleaseIfEmpty(static_cast<std::uint32_t>(release_class_), spans, i);
    }
  }
}

bool LaneSpans::ReleaseAllEmpty() {
  ReleaseSomeEmpty(SIZE_MAX);
  return gave_spans_back_;
}

void LaneSpans::ReleaseIfEmpty(std::uint32_t size_class, Spans& spans, std::size_t index) {
  const std::uint64_t span = spans.all[index];
  if (!IsMine(size_class, span)) {
    Forget(spans, index);
    return;
  }
  const SizeClass& sizes = allocator_.classes().at(size_class);
  if (span == spans.current && !spans.free.empty()) {
    return;
  }
  std::vector<std::uint16_t> free;
  CollectFree(sizes, span, free);
  if (free.size() != sizes.block_count) {
    return;
  }
  // Only this lane takes blocks of the span, so all of them stay free. (A former owner that is late
  // finds none either: see other_lanes.cc.) A lane that has begun to empty the span goes on.
  const auto lane = static_cast<std::uint16_t>(lane_.index());
  if (allocator_.region_.span_word(span).CompareAndSet(
          Pack({SpanKind::kSmall, static_cast<std::uint8_t>(size_class), lane, 0}),
          Pack({SpanKind::kSpanRetired, EpochTag(allocator_.EpochNow()), 0, 0}),
          std::memory_order_seq_cst)) {
    allocator_.LowerHint(span);
    gave_spans_back_ = true;
    Forget(spans, index);
  }
}

}  // namespace commy::alloc
