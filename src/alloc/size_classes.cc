#include "alloc/size_classes.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "region/layout.h"

namespace commy::alloc {
namespace {

constexpr std::uint64_t kSpanBytesMax = std::uint64_t{1} << 20;
constexpr std::uint32_t kFineStepMax = 256;
constexpr std::uint32_t kLineBytes = 64;
constexpr std::uint32_t kLinesFrom = 1024;  // From this size on, blocks are whole cache lines.

SizeClass Make(std::uint64_t span_bytes, std::uint32_t block_bytes) {
  SizeClass made;
  made.block_bytes = block_bytes;
  // Each block costs its bytes and one state byte.
  auto count =
      static_cast<std::uint32_t>((span_bytes - sizeof(region::SpanHeader)) / (block_bytes + 1));
  const auto start = [&count] {
    return base::AlignUp(sizeof(region::SpanHeader) + count, kLineBytes);
  };
  while (count > 1 && start() + std::uint64_t{count} * block_bytes > span_bytes) {
    --count;
  }
  made.block_count = count;
  made.data_start = static_cast<std::uint32_t>(start());
  COMMY_DCHECK(made.data_start + std::uint64_t{count} * block_bytes <= span_bytes);
  COMMY_DCHECK(count <= UINT16_MAX);  // LaneSpans keeps block numbers in 16 bits.
  COMMY_DCHECK(base::IsAligned(block_bytes, block_bytes < kLinesFrom ? 16 : kLineBytes));
  made.reciprocal = ((std::uint64_t{1} << 32U) + block_bytes - 1) / block_bytes;
  return made;
}

// The largest size of which `count` fit into a span.
std::uint32_t SizeFor(std::uint64_t span_bytes, std::uint32_t count) {
  const std::uint64_t head = base::AlignUp(sizeof(region::SpanHeader) + count, kLineBytes);
  const std::uint64_t exact = (span_bytes - head) / count;
  const std::uint64_t unit = exact >= kLinesFrom ? kLineBytes : 16;
  return static_cast<std::uint32_t>(exact / unit * unit);
}

}  // namespace

SizeClasses::SizeClasses(std::uint64_t span_bytes) {
  COMMY_DCHECK(base::IsPowerOfTwo(span_bytes) && span_bytes >= 4096);
  std::vector<std::uint32_t> sizes;
  for (std::uint32_t size = 16; size <= kFineStepMax; size += 16) {
    sizes.push_back(size);
  }
  // From the number of blocks down to two: a size is taken when leaving it out would make the step
  // from the last one to the next larger than an eighth.
  const auto most = static_cast<std::uint32_t>(span_bytes / kFineStepMax);
  for (std::uint32_t count = most; count >= 2; --count) {
    const std::uint32_t size = SizeFor(span_bytes, count);
    const bool needed =
        count <= 8 || SizeFor(span_bytes, count - 1) > sizes.back() + sizes.back() / 8;
    if (needed && size > sizes.back()) {
      sizes.push_back(size);
    }
  }
  for (const std::uint32_t size : sizes) {
    classes_.push_back(Make(span_bytes, size));
  }
  const std::vector<SizeClass> once = classes_;
  classes_.insert(classes_.end(), once.begin(), once.end());
  COMMY_CHECK(classes_.size() < 256);
  COMMY_DCHECK_EXPENSIVE(std::is_sorted(sizes.begin(), sizes.end(), std::less_equal<>()) ||
                         sizes.size() < 2);
  COMMY_DCHECK_EXPENSIVE(
      std::all_of(classes_.begin(), classes_.end(), [this](const SizeClass& each) {
        return BlockIndex(each, each.data_start + (each.block_count - 1) * each.block_bytes) ==
               each.block_count - 1;
      }));
  by_size_.resize(sizes.back() / 16 + 1);
  std::uint8_t at = 0;
  for (std::uint32_t units = 0; units < by_size_.size(); ++units) {
    while (classes_[at].block_bytes < units * 16) {
      ++at;
    }
    by_size_[units] = at;
  }
}

std::uint32_t SizeClasses::BlockIndex(const SizeClass& size_class,
                                      std::uint64_t offset_in_span) const {
  if (offset_in_span < size_class.data_start) {
    return size_class.block_count;
  }
  COMMY_DCHECK(offset_in_span < kSpanBytesMax);  // Else the product overflows.
  const std::uint64_t delta = offset_in_span - size_class.data_start;
  const std::uint64_t index = (delta * size_class.reciprocal) >> 32U;
  if (index >= size_class.block_count || index * size_class.block_bytes != delta) {
    return size_class.block_count;
  }
  return static_cast<std::uint32_t>(index);
}

}  // namespace commy::alloc
