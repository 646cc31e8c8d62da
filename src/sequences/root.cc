#include "sequences/root.h"

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

namespace commy::sequences {
namespace {

// Takes the next part, which begins at a multiple of kRunAlign.
bool Take(std::string_view bytes, std::uint64_t size, std::uint64_t* at, std::string_view* part) {
  const std::uint64_t begin = base::AlignUp(*at, kRunAlign);
  if (begin > bytes.size() || bytes.size() - begin < size) {
    return false;
  }
  *part = bytes.substr(begin, size);
  *at = begin + size;
  return true;
}

void Put(std::string_view part, std::string* bytes) {
  bytes->append(part);
}
void Align(std::string* bytes) {
  bytes->resize(base::AlignUp(bytes->size(), kRunAlign));
}

std::uint32_t WidthOf(const RunPieces& run) {
  COMMY_DCHECK(run.first.count == 0 || run.second.count == 0 ||
               run.first.width == run.second.width);
  return run.first.count != 0 ? run.first.width : run.second.width;
}

}  // namespace

absl::Status ParseRoot(std::string_view bytes, RootView* root) {
  const auto damaged = [] {
    return base::DataLoss("the root of the sequence is damaged, or another program wrote there");
  };
  RootHead head;
  if (bytes.size() < sizeof(head)) {
    return damaged();
  }
  std::memcpy(&head, bytes.data(), sizeof(head));
  std::uint64_t at = sizeof(head);
  if (head.magic != kRootMagic || head.height > kHeightMax ||
      (head.entries == 0) != (head.tree_count == 0) || (head.entries == 0 && head.height != 0) ||
      head.tree_count > UINT64_MAX / 4 ||
      !Take(bytes, std::uint64_t{head.entries} * sizeof(Entry), &at, &root->entries) ||
      !Take(bytes, head.front_bytes, &at, &root->front.bytes) ||
      !Take(bytes, head.back_bytes, &at, &root->back.bytes) ||
      !Take(bytes, head.queue_bytes, &at, &root->queue) || at != bytes.size()) {
    return damaged();
  }
  root->height = head.height;
  root->tree_count = head.tree_count;
  root->next_node = head.next_node;
  root->front.width = head.front_width;
  root->front.count = head.front_count;
  root->back.width = head.back_width;
  root->back.count = head.back_count;
  if (!IsWhole(root->front) || !IsWhole(root->back)) {
    return damaged();
  }
  return absl::OkStatus();
}

void EncodeRoot(const RootView& root, const RunPieces& front, const RunPieces& back,
                std::string* bytes) {
  RootHead head;
  head.magic = kRootMagic;
  head.height = root.height;
  head.tree_count = root.tree_count;
  head.next_node = root.next_node;
  head.entries = static_cast<std::uint32_t>(root.entries.size() / sizeof(Entry));
  head.queue_bytes = static_cast<std::uint32_t>(root.queue.size());
  head.front_width = WidthOf(front);
  head.front_count = static_cast<std::uint32_t>(front.first.count + front.second.count);
  head.front_bytes =
      static_cast<std::uint32_t>(front.first.bytes.size() + front.second.bytes.size());
  head.back_width = WidthOf(back);
  head.back_count = static_cast<std::uint32_t>(back.first.count + back.second.count);
  head.back_bytes = static_cast<std::uint32_t>(back.first.bytes.size() + back.second.bytes.size());
  bytes->clear();
  Put({reinterpret_cast<const char*>(&head), sizeof(head)}, bytes);
  Put(root.entries, bytes);
  Align(bytes);
  Put(front.first.bytes, bytes);
  Put(front.second.bytes, bytes);
  Align(bytes);
  Put(back.first.bytes, bytes);
  Put(back.second.bytes, bytes);
  Align(bytes);
  Put(root.queue, bytes);
}

void EncodeRoot(const RootView& root, std::string* bytes) {
  EncodeRoot(root, {root.front, {}}, {root.back, {}}, bytes);
}

std::optional<std::vector<Entry>> ParseEntries(std::string_view bytes) {
  if (bytes.size() % sizeof(Entry) != 0) {
    return std::nullopt;
  }
  std::vector<Entry> entries(bytes.size() / sizeof(Entry));
  std::memcpy(static_cast<void*>(entries.data()), bytes.data(), bytes.size());
  return entries;
}

bool HaveTogether(const std::vector<Entry>& entries, std::uint64_t count) {
  for (const Entry& entry : entries) {
    if (entry.count == 0 || entry.count > count) {
      return false;
    }
    count -= entry.count;
  }
  return count == 0;
}

}  // namespace commy::sequences
