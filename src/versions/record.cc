#include "versions/record.h"

#include "base/hash.h"
#include "base/status.h"
#include "versions/commit_clock.h"

namespace commy::versions {
namespace {

constexpr std::uint64_t kKeySizeMask = (std::uint64_t{1} << 17U) - 1;
constexpr std::uint64_t kFlagsMask = (std::uint64_t{1} << kRecordFlagsBits) - 1;
static_assert(kKeyBytesMax <= kKeySizeMask &&
              kKeySizeMask >> (kRecordNumberShift - kRecordFlagsBits) == 0);
static_assert(kRecordExpires <= kFlagsMask &&
              kNamespaceNumberMax >> (64 - kRecordNumberShift) == 0);

std::uint32_t ChecksumOf(const Record* record, std::uint64_t bytes) {
  constexpr std::uint64_t kStart = offsetof(Record, value_size);
  const auto* const start = reinterpret_cast<const std::byte*>(record) + kStart;
  const auto sum = static_cast<std::uint32_t>(base::Checksum(start, bytes - kStart));
  return sum == 0 ? 1 : sum;
}

// `lies_inside`: whether the record, of that many bytes, lies where it must.
template <typename LiesInside>
RecordView View(Record* record, std::uint64_t offset_bytes, LiesInside lies_inside) {
  RecordView view;
  const std::uint64_t packed = record->packed;
  const std::uint64_t key_size = (packed >> kRecordFlagsBits) & kKeySizeMask;
  const auto flags = static_cast<std::uint8_t>(packed & kFlagsMask);
  const std::uint64_t value_size = record->value_size;
  const RecordParts parts = PartsOf(flags, key_size, value_size);
  if (key_size > kKeyBytesMax || value_size > kValueBytesMax || !lies_inside(parts.bytes))
      [[unlikely]] {
    return view;
  }
  const char* const bytes = reinterpret_cast<const char*>(record);
  view.offset = offset_bytes;
  view.record = record;
  view.key = std::string_view(bytes + parts.key_start, key_size);
  view.value = std::string_view(bytes + parts.value_start, value_size);
  view.flags = flags;
  return view;
}

}  // namespace

std::uint8_t LayoutFlags(std::uint64_t offset_bytes, std::uint64_t key_size,
                         std::uint64_t value_size, std::uint64_t align, bool expires) {
  COMMY_DCHECK(IsValueAlign(align));
  const std::uint8_t flags = expires ? kRecordExpires : 0;
  if (IsValueFirst(key_size, value_size, align, expires)) {
    return flags | kRecordValueFirst;
  }
  const std::uint64_t start = offset_bytes + PartsOf(flags, key_size, value_size).value_start;
  const std::uint64_t pad = (base::AlignUp(start, align) - start) / kValueAlign;
  const std::uint64_t code = align / 32;  // 16, 32, 64: 0, 1, 2
  return static_cast<std::uint8_t>(flags | (pad << kRecordPadShift) | (code << kRecordAlignShift));
}

RecordView ViewRecord(const region::Region& region, std::uint64_t offset_bytes) {
  auto* const record = region.At<Record>(offset_bytes);
  if (record == nullptr) {
    return {};
  }
  // A record of the usual size lies on three cache lines.
  __builtin_prefetch(reinterpret_cast<const std::byte*>(record) + 64);
  __builtin_prefetch(reinterpret_cast<const std::byte*>(record) + 128);
  return View(record, offset_bytes, [&](std::uint64_t bytes) {
    return region.At(offset_bytes, bytes, alignof(Record)) != nullptr;
  });
}

RecordView ViewRecordIn(std::byte* base, std::uint64_t length_bytes, std::uint64_t offset_bytes) {
  if (!base::IsAligned(offset_bytes, alignof(Record)) || length_bytes < sizeof(Record) ||
      offset_bytes > length_bytes - sizeof(Record)) {
    return {};
  }
  return View(reinterpret_cast<Record*>(base + offset_bytes), offset_bytes,
              [&](std::uint64_t bytes) { return bytes <= length_bytes - offset_bytes; });
}

void WriteRecord(std::byte* block, const RecordContent& content) {
  auto* const record = reinterpret_cast<Record*>(block);
  const std::uint64_t key_size = content.key.size();
  const std::uint64_t value_size = content.value.size();
  COMMY_DCHECK(key_size <= kKeyBytesMax && value_size <= kValueBytesMax);
  COMMY_DCHECK(content.namespace_number <= kNamespaceNumberMax);
  COMMY_DCHECK(content.commit == kUndecided || IsIntent(content.commit));  // V2: no time yet.
  COMMY_DCHECK((content.flags & ~kRecordTombstone) == 0);
  const bool expires = content.expiry_ns != 0 || content.expiry_word;
  // The file is mapped at the start of a page: what is aligned in memory is so in the file.
  const auto flags = static_cast<std::uint8_t>(
      content.flags | LayoutFlags(reinterpret_cast<std::uintptr_t>(block), key_size, value_size,
                                  content.align, expires));
  const RecordParts parts = PartsOf(flags, key_size, value_size);
  record->commit.store(content.commit, std::memory_order_relaxed);
  record->prev.store(0, std::memory_order_relaxed);
  record->value_size = static_cast<std::uint32_t>(value_size);
  record->packed =
      (content.namespace_number << kRecordNumberShift) | (key_size << kRecordFlagsBits) | flags;
  std::uint64_t end = sizeof(Record);  // Of what comes before the value.
  if (expires) {
    base::CopyIn(block + end, &content.expiry_ns, sizeof content.expiry_ns);
    end += sizeof content.expiry_ns;
  }
  if (reinterpret_cast<const std::byte*>(content.key.data()) != block + parts.key_start) {
    base::CopyIn(block + parts.key_start, content.key.data(), key_size);
  }
  end += (flags & kRecordValueFirst) != 0 ? 0 : key_size;
  base::ZeroIn(block + end, parts.value_start - end);
  if (reinterpret_cast<const std::byte*>(content.value.data()) != block + parts.value_start) {
    base::CopyIn(block + parts.value_start, content.value.data(), value_size);
  }
  record->checksum = ChecksumOf(record, parts.bytes);
}

bool VerifyRecord(const RecordView& view) {
  return FlagsMakeSense(view.flags) &&
         view.record->checksum == ChecksumOf(view.record, view.bytes());
}

absl::Status Damaged(const region::Region& region, std::string_view what, std::uint64_t offset) {
  return base::DataLoss(region.path(), ": ", base::ToAbsl(what), " at ", base::Hex(offset),
                        " does not make sense; `commy check` tells more");
}

std::uint64_t ResolveCommit(const region::Region& region, Shared64& commit) {
  std::uint64_t seen = commit.load(std::memory_order_acquire);
  if (seen != kUndecided) [[likely]] {
    return seen;
  }
  const std::uint64_t now = DrawCommitTime(region);
  // The first one wins.
  const std::uint64_t resolved =
      commit.compare_exchange(seen, now, std::memory_order_seq_cst) ? now : seen;
  COMMY_DCHECK(commit.load(std::memory_order_relaxed) != kUndecided);  // V2
  return resolved;
}

}  // namespace commy::versions
