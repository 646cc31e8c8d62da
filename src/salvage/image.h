// The bytes of an untrusted store file: not opened, not locked, only looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "alloc/size_classes.h"
#include "base/bytes.h"
#include "platform/platform.h"
#include "region/geometry.h"

namespace commy::salvage {

// Whether the allocator's words say that something is in use.
enum class Use : std::uint8_t {
  kUsed,
  kNotUsed,
  kUnknown,  // They are damaged, or contradict each other.
};

struct Area {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  Use use = Use::kUnknown;
  bool block = false;  // One block: its content begins at its start.
};

class Image {
 public:
  // NotFound, PermissionDenied, InvalidArgument (not a regular file, or too short to hold
  // anything), FailedPrecondition (a sound header of another format version); each naming `path`.
  static absl::StatusOr<std::unique_ptr<Image>> Open(platform::Platform& platform,
                                                     const std::string& path);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image();

  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Null: not wholly in the file, or not aligned.
  template <typename T>
  [[nodiscard]] T* At(std::uint64_t offset_bytes) const {
    return reinterpret_cast<T*>(At(offset_bytes, sizeof(T), alignof(T)));
  }
  [[nodiscard]] std::byte* At(std::uint64_t offset_bytes, std::uint64_t size_bytes,
                              std::uint64_t alignment) const {
    const bool inside = size_bytes <= size_bytes_ && offset_bytes <= size_bytes_ - size_bytes;
    return inside && base::IsAligned(offset_bytes, alignment) ? base_ + offset_bytes : nullptr;
  }

  // The fault of the header's constant part; then there is no geometry.
  [[nodiscard]] const absl::Status& header_status() const { return header_status_; }
  [[nodiscard]] const std::optional<region::Geometry>& geometry() const { return geometry_; }
  // The header's words that change. They may be anything.
  [[nodiscard]] const region::RegionHeader& header() const {
    return *reinterpret_cast<const region::RegionHeader*>(base_);
  }

  // Visits all of the file where data may be, in ascending order: blocks where there are any, else
  // whole spans; without a geometry everything behind the header at once.
  void ForEachArea(absl::FunctionRef<void(const Area&)> visit) const;

 private:
  Image(platform::Platform& platform, std::string path)
      : platform_(platform), path_(std::move(path)) {}

  void VisitBlocks(std::uint64_t span_offset, std::uint32_t size_class,
                   absl::FunctionRef<void(const Area&)> visit) const;
  // Visits the block or run that begins with this span and returns how many spans that is.
  std::uint64_t VisitSpan(std::uint64_t span, std::uint64_t span_count,
                          absl::FunctionRef<void(const Area&)> visit) const;

  platform::Platform& platform_;
  const std::string path_;
  std::byte* base_ = nullptr;
  std::uint64_t size_bytes_ = 0;
  absl::Status header_status_;
  std::optional<region::Geometry> geometry_;
  std::optional<alloc::SizeClasses> classes_;
};

}  // namespace commy::salvage
