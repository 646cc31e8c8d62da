#include "versions/record.h"

#include "base/hash.h"
#include "base/status.h"
#include "versions/commit_clock.h"

namespace commy::versions {
namespace {

constexpr std::uint32_t kKeySizeMask = 0xffffff;
constexpr std::uint32_t kFlagsShift = 24;
static_assert(kKeyBytesMax <= kKeySizeMask && kKeySizeMask >> kFlagsShift == 0);

std::uint64_t ChecksumOf(const Record* record, std::uint64_t bytes) {
  const auto* const start =
      reinterpret_cast<const std::byte*>(record) + offsetof(Record, namespace_id);
  return base::Checksum(start, bytes - offsetof(Record, namespace_id));
}

}  // namespace

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
  const std::uint64_t value_size = record->value_size;
  if (key_size > kKeyBytesMax || value_size > kValueBytesMax ||
      region.At(offset_bytes, RecordBytes(key_size, value_size), alignof(Record)) == nullptr) {
    return view;
  }
  const char* const bytes = reinterpret_cast<const char*>(record);
  view.offset = offset_bytes;
  view.record = record;
  view.key = std::string_view(bytes + sizeof(Record), key_size);
  view.value = std::string_view(bytes + ValueStart(key_size), value_size);
  view.flags = static_cast<std::uint8_t>(packed >> kFlagsShift);
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
  const std::uint64_t value_size = record->value_size;
  if (key_size > kKeyBytesMax || value_size > kValueBytesMax ||
      RecordBytes(key_size, value_size) > length_bytes - offset_bytes) {
    return view;
  }
  const char* const bytes = reinterpret_cast<const char*>(record);
  view.offset = offset_bytes;
  view.record = record;
  view.key = std::string_view(bytes + sizeof(Record), key_size);
  view.value = std::string_view(bytes + ValueStart(key_size), value_size);
  view.flags = static_cast<std::uint8_t>(record->key_size_and_flags >> kFlagsShift);
  return view;
}

void WriteRecord(std::byte* block, const RecordContent& content) {
  auto* const record = reinterpret_cast<Record*>(block);
  const std::uint64_t key_size = content.key.size();
  COMMY_DCHECK(key_size <= kKeyBytesMax && content.value.size() <= kValueBytesMax);
  COMMY_DCHECK(content.commit == kUndecided || IsIntent(content.commit));  // V2: no time yet.
  record->commit.store(content.commit, std::memory_order_relaxed);
  record->prev.store(0, std::memory_order_relaxed);
  record->namespace_id = content.namespace_id;
  record->expiry_ns = content.expiry_ns;
  record->key_size_and_flags =
      static_cast<std::uint32_t>(key_size) | (std::uint32_t{content.flags} << kFlagsShift);
  record->value_size = static_cast<std::uint32_t>(content.value.size());
  const std::uint64_t key_end = sizeof(Record) + key_size;
  base::ZeroIn(block + key_end, ValueStart(key_size) - key_end);
  base::CopyIn(block + sizeof(Record), content.key.data(), key_size);
  base::CopyIn(block + ValueStart(key_size), content.value.data(), content.value.size());
  record->checksum = ChecksumOf(record, RecordBytes(key_size, content.value.size()));
}

bool VerifyRecord(const RecordView& view) {
  return view.record->checksum ==
         ChecksumOf(view.record, RecordBytes(view.key.size(), view.value.size()));
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
