#include "salvage/image.h"

#include <algorithm>
#include <cstring>

#include "alloc/block_state.h"
#include "alloc/span_word.h"
#include "base/hash.h"
#include "base/status.h"
#include "region/layout.h"

namespace commy::salvage {

using alloc::SpanKind;
using region::RegionHeader;

absl::StatusOr<std::unique_ptr<Image>> Image::Open(platform::Platform& platform,
                                                   const std::string& path) {
  std::unique_ptr<Image> image(new Image(platform, path));
  COMMY_ASSIGN_OR_RETURN(const platform::Descriptor file,
                         platform.Open(path, platform::Access::kReadOnly));
  COMMY_ASSIGN_OR_RETURN(const platform::FileFacts facts, platform.Describe(file.fd()));
  if (!facts.is_regular || facts.size_bytes < region::kHeaderBytes) {
    return base::InvalidArgument(path, ": a file of ", facts.size_bytes,
                                 " bytes is too short to hold anything of a store");
  }
  COMMY_ASSIGN_OR_RETURN(image->base_,
                         platform.Map(file.fd(), facts.size_bytes, platform::Access::kReadOnly));
  image->size_bytes_ = facts.size_bytes;
  RegionHeader header;
  std::memcpy(static_cast<void*>(&header), image->base_, sizeof header);
  const absl::StatusOr<region::Geometry> geometry = region::ReadConstantHeader(header);
  if (geometry.ok()) {
    image->geometry_ = *geometry;
    image->classes_.emplace(geometry->span_bytes);
    return image;
  }
  // Another version is a reason to stop only if the header can be believed.
  if (absl::IsFailedPrecondition(geometry.status()) &&
      header.checksum == base::Checksum(&header, region::kConstantHeaderBytes)) {
    return absl::Status(geometry.status().code(),
                        absl::StrCat(path, ": ", geometry.status().message()));
  }
  image->header_status_ = geometry.status();
  return image;
}

Image::~Image() {
  if (base_ != nullptr) {
    platform_.Unmap(base_, size_bytes_);
  }
}

void Image::VisitBlocks(std::uint64_t span_offset, std::uint32_t size_class,
                        absl::FunctionRef<void(const Area&)> visit) const {
  const alloc::SizeClass& sizes = classes_->at(size_class);
  const std::byte* const states = base_ + span_offset + sizeof(region::SpanHeader);
  for (std::uint32_t i = 0; i < sizes.block_count; ++i) {
    const auto state = static_cast<alloc::BlockState>(states[i]);
    const bool sense = state == alloc::kFree || state == alloc::kUsed ||
                       state == alloc::kEvacuated || alloc::IsRetired(state);
    const Use use = !sense ? Use::kUnknown : state == alloc::kUsed ? Use::kUsed : Use::kNotUsed;
    visit({span_offset + sizes.data_start + std::uint64_t{i} * sizes.block_bytes, sizes.block_bytes,
           use, true});
  }
}

std::uint64_t Image::VisitSpan(std::uint64_t span, std::uint64_t span_count,
                               absl::FunctionRef<void(const Area&)> visit) const {
  const std::uint64_t offset = geometry_->data_offset + (span << geometry_->span_shift);
  const auto* const word =
      At<region::Shared64>(geometry_->span_words_offset + span * sizeof(std::uint64_t));
  const Area whole{offset, geometry_->span_bytes, Use::kNotUsed, false};
  const Area unknown{offset, geometry_->span_bytes, Use::kUnknown, false};
  if (word == nullptr) {
    visit(unknown);
    return 1;
  }
  const alloc::SpanWord is = alloc::Unpack(word->load(std::memory_order_relaxed));
  switch (is.kind) {
    case SpanKind::kFree:
    case SpanKind::kClaimed:
    case SpanKind::kSpanRetired:
    case SpanKind::kRunRetired:
    case SpanKind::kRunBody:
    case SpanKind::kHole:
    case SpanKind::kHoleChanging:
    case SpanKind::kSetAside:
      visit(whole);
      return 1;
    case SpanKind::kSmall:
    case SpanKind::kLeaving: {
      const auto* const header = At<region::SpanHeader>(offset);
      if (is.size_class >= classes_->count() || header->size_class != is.size_class ||
          header->block_count != classes_->at(is.size_class).block_count) {
        visit(unknown);
        return 1;
      }
      VisitBlocks(offset, is.size_class, visit);
      return 1;
    }
    case SpanKind::kRunHead:
      if (is.number == 0 || is.number > span_count - span) {
        visit(unknown);
        return 1;
      }
      visit({offset, std::uint64_t{is.number} << geometry_->span_shift, Use::kUsed, true});
      return is.number;
  }
  visit(unknown);
  return 1;
}

void Image::ForEachArea(absl::FunctionRef<void(const Area&)> visit) const {
  if (!geometry_.has_value()) {
    visit({region::kHeaderBytes, size_bytes_ - region::kHeaderBytes, Use::kUnknown, false});
    return;
  }
  if (size_bytes_ <= geometry_->data_offset) {
    return;
  }
  const std::uint64_t span_count = std::min(
      (size_bytes_ - geometry_->data_offset) >> geometry_->span_shift, geometry_->span_count_max);
  for (std::uint64_t span = 0; span < span_count;) {
    span += VisitSpan(span, span_count, visit);
  }
}

}  // namespace commy::salvage
