#include "namespaces/types.h"

#include "absl/strings/str_cat.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/status.h"

namespace commy::namespaces {
namespace {

using process::BlockNote;
using process::Operation;
using region::BlockKind;

std::uint64_t ChecksumOf(const TypeBlock* block, std::uint64_t size) {
  return base::Checksum(block + 1, size) ^ size;
}

}  // namespace

std::string_view ReadTypeBlock(
    std::uint64_t offset, absl::FunctionRef<const std::byte*(std::uint64_t, std::uint64_t)> at) {
  const auto* const block = reinterpret_cast<const TypeBlock*>(at(offset, sizeof(TypeBlock)));
  if (block == nullptr || block->size == 0 || block->size > kTypeBytesMax ||
      at(offset, sizeof(TypeBlock) + block->size) == nullptr ||
      block->checksum != ChecksumOf(block, block->size)) {
    return {};
  }
  return {reinterpret_cast<const char*>(block + 1), block->size};
}

absl::StatusOr<std::string> Types::Read(const NamespaceRef& ns, std::uint64_t* word) const {
  *word = ns.object->type.load(std::memory_order_acquire);
  if (*word <= kPartGone) {
    return std::string();
  }
  const std::string_view text =
      ReadTypeBlock(*word, [this](std::uint64_t offset, std::uint64_t size) {
        return core_.region.At(offset, size, alignof(TypeBlock));
      });
  if (text.empty()) {
    return core_.Damaged("a type", *word);
  }
  return std::string(text);
}

absl::StatusOr<std::uint64_t> Types::Write(Operation& op, std::string_view text) const {
  COMMY_DCHECK(!text.empty() && text.size() <= kTypeBytesMax);
  const std::uint64_t bytes = sizeof(TypeBlock) + text.size();
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t offset,
                         core_.allocator.Allocate(op, BlockKind::kType, bytes));
  auto* const block =
      reinterpret_cast<TypeBlock*>(core_.region.At(offset, bytes, alignof(TypeBlock)));
  if (block == nullptr) {
    return core_.Damaged("a block", offset);
  }
  base::CopyIn(block + 1, text.data(), text.size());
  block->size = text.size();
  block->checksum = ChecksumOf(block, text.size());
  COMMY_DCHECK(versions::IsNoted(op, offset));  // O1
  return offset;
}

bool Types::Replace(Operation& op, const NamespaceRef& ns, std::uint64_t seen,
                    std::uint64_t made) const {
  COMMY_DCHECK(versions::IsNoted(op, made));  // O1
  if (seen != 0) {
    op.AddNote(BlockNote(BlockKind::kType, seen));
  }
  const bool published = seen != kPartGone && core_.publisher.Type(ns, seen, made);
  const std::uint64_t unnamed = published ? seen : made;
  if (unnamed != 0) {
    core_.allocator.Retire(op, unnamed);  // type-3
  }
  return published;
}

void Types::AlignValues(const NamespaceRef& ns, std::uint64_t align) const {
  COMMY_DCHECK(versions::IsValueAlign(align));
  std::uint64_t present = ns.object->value_align.load(std::memory_order_acquire);
  while (present < align &&
         !ns.object->value_align.compare_exchange(present, align, std::memory_order_seq_cst)) {
  }
}

void Types::Reclaim(Operation& op, const NamespaceRef& ns) const {
  std::uint64_t offset = ns.object->type.load(std::memory_order_acquire);
  while (offset != kPartGone) {
    const std::uint32_t place = op.AddNote(offset == 0 ? 0 : BlockNote(BlockKind::kType, offset));
    if (ns.object->type.compare_exchange(offset, kPartGone, std::memory_order_seq_cst)) {  // type-4
      if (offset != 0) {
        core_.allocator.Retire(op, offset);
      }
      offset = kPartGone;
    }
    op.DropNotes(place);
  }
}

bool Types::Names(const NamespaceRef& ns, std::uint64_t offset) const {
  return ns.object->type.load(std::memory_order_acquire) == offset;
}

void Types::ForEachEdge(const NamespaceRef& ns, absl::FunctionRef<bool(const index::Edge&)> use,
                        absl::FunctionRef<void(const std::string& fault)> fault) const {
  const std::uint64_t offset = ns.object->type.load(std::memory_order_acquire);
  if (offset <= kPartGone || !use({BlockKind::kType, &ns.object->type, offset})) {
    return;
  }
  std::uint64_t word = 0;
  if (!Read(ns, &word).ok()) {
    fault(absl::StrCat("namespace ", ns.id & index::kNamespaceIdMask, ", type at ",
                       base::Hex(offset), ": wrong size or checksum"));
  }
}

}  // namespace commy::namespaces
