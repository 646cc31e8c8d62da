#include "versions/record.h"

#include "base/hash.h"
#include "base/status.h"
#include "versions/commit_clock.h"

namespace commy::versions {
namespace {

constexpr std::uint32_t kKeySizeMask = 0xffffff;
constexpr std::uint32_t kFlagsShift = 24;
static_assert(kKeyBytesMax <= kKeySizeMask && kKeySizeMask >> kFlagsShift == 0);

static_assert(kRecordFlagsMask >> (kRecordAlignShift + 2) == 0);

std::uint64_t ChecksumOf(const Record* record, std::uint64_t bytes) {
  const auto* const start =
      reinterpret_cast<const std::byte*>(record) + offsetof(Record, namespace_id);
  return base::Checksum(start, bytes - offsetof(Record, namespace_id));
}

}  // namespace

std::uint8_t AlignFlags(std::uint64_t offset_bytes, std::uint64_t key_size, std::uint64_t align) {
  COMMY_DCHECK(IsValueAlign(align));
  const std::uint64_t start = offset_bytes + ValueStart(key_size);
  const std::uint64_t pad = (base::AlignUp(start, align) - start) / kValueAlign;
  const std::uint64_t code = align / 32;  // 16, 32, 64: 0, 1, 2
  return static_cast<std::uint8_t>((pad << kRecordPadShift) | (code << kRecordAlignShift));
}

RecordView ViewRecord(const region::Region& region, std::uint64_t offset_bytes) {
  RecordView view;
  auto* const record = region.At<Record>(offset_bytes);
  if (record == nullptr) {
    return view;
  }
  // A record of the usual size lies on three cache lines.
  __builtin_prefetch(reinterpret_cast<const std::byte*>(record) + 64);
  __builtin_prefetch(reinterpret_cast<const std::byte*>(record) + 128);
  const std::uint32_t packed = record->key_size_and_flags;
  const std::uint64_t key_size = packed & kKeySizeMask;
  const auto flags = static_cast<std::uint8_t>(packed >> kFlagsShift);
  const std::uint64_t value_size = record->value_size;
  const std::uint64_t value_start = ValueStart(key_size, flags);
  if (key_size > kKeyBytesMax || value_size > kValueBytesMax ||
      region.At(offset_bytes, value_start + value_size, alignof(Record)) == nullptr) {
    return view;
  }
  const char* const bytes = reinterpret_cast<const char*>(record);
  view.offset = offset_bytes;
  view.record = record;
  view.key = std::string_view(bytes + sizeof(Record), key_size);
  view.value = std::string_view(bytes + value_start, value_size);
  view.flags = flags;
  return view;
}

RecordView ViewRecordIn(std::byte* base, std::uint64_t length_bytes, std::uint64_t offset_bytes) {
  RecordView view;
  if (!base::IsAligned(offset_bytes, alignof(Record)) || length_bytes < sizeof(Record) ||
      offset_bytes > length_bytes - sizeof(Record)) {
    return view;
  }
  auto* const record = reinterpret_cast<Record*>(base + offset_bytes);
  const std::uint64_t key_size = record->key_size_and_flags & kKeySizeMask;
  const auto flags = static_cast<std::uint8_t>(record->key_size_and_flags >> kFlagsShift);
  const std::uint64_t value_size = record->value_size;
  const std::uint64_t value_start = ValueStart(key_size, flags);
  if (key_size > kKeyBytesMax || value_size > kValueBytesMax ||
      value_start + value_size > length_bytes - offset_bytes) {
    return view;
  }
  const char* const bytes = reinterpret_cast<const char*>(record);
  view.offset = offset_bytes;
  view.record = record;
  view.key = std::string_view(bytes + sizeof(Record), key_size);
  view.value = std::string_view(bytes + value_start, value_size);
  view.flags = flags;
  return view;
}

void WriteRecord(std::byte* block, const RecordContent& content) {
  auto* const record = reinterpret_cast<Record*>(block);
  const std::uint64_t key_size = content.key.size();
  COMMY_DCHECK(key_size <= kKeyBytesMax && content.value.size() <= kValueBytesMax);
  COMMY_DCHECK(content.commit == kUndecided || IsIntent(content.commit));  // V2: no time yet.
  COMMY_DCHECK((content.flags & ~kRecordTombstone) == 0);
  // The file is mapped at the start of a page: what is aligned in memory is so in the file.
  const auto flags = static_cast<std::uint8_t>(
      content.flags | AlignFlags(reinterpret_cast<std::uintptr_t>(block), key_size, content.align));
  record->commit.store(content.commit, std::memory_order_relaxed);
  record->prev.store(0, std::memory_order_relaxed);
  record->namespace_id = content.namespace_id;
  record->expiry_ns = content.expiry_ns;
  record->key_size_and_flags =
      static_cast<std::uint32_t>(key_size) | (std::uint32_t{flags} << kFlagsShift);
  record->value_size = static_cast<std::uint32_t>(content.value.size());
  const std::uint64_t key_end = sizeof(Record) + key_size;
  const std::uint64_t value_start = ValueStart(key_size, flags);
  if (reinterpret_cast<const std::byte*>(content.key.data()) != block + sizeof(Record)) {
    base::CopyIn(block + sizeof(Record), content.key.data(), key_size);
  }
  base::ZeroIn(block + key_end, value_start - key_end);
  if (reinterpret_cast<const std::byte*>(content.value.data()) != block + value_start) {
    base::CopyIn(block + value_start, content.value.data(), content.value.size());
  }
  record->checksum = ChecksumOf(record, value_start + content.value.size());
}

bool VerifyRecord(const RecordView& view) {
  return (view.flags & ~kRecordFlagsMask) == 0 &&
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
