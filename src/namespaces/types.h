// What a namespace holds: the text that describes its keys and values, in a block of its own.
//
//   offset  size  field
//   0x00       8  size       bytes of the text, 1 to 65,536
//   0x08       8  checksum   XXH3-64 of the text, with the size as its seed
//   0x10          text       see types/descriptor.h
//
// STEPS     type-1  write a block, noted; note the block that is there
//           type-2  publish: CAS the object's type word from what was seen
//           type-3  retire the old block
// WHY       A block is immutable once it is published, so a reader needs a pin and nothing else.
// DROP      type-4  the type word goes to kPartGone, whatever it was, and its block is retired.
//                   A change that comes afterwards fails at type-2.
// DEATH     Before type-2 the new block is in a note, and no word names it; afterwards the old one.
// TESTED    tests/namespaces/types_test.cc, tests/crash/
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "namespaces/core.h"

namespace commy::namespaces {

struct TypeBlock {
  std::uint64_t size;
  std::uint64_t checksum;
};
static_assert(sizeof(TypeBlock) == 0x10);

inline constexpr std::uint64_t kTypeBytesMax = 65536;

// The text in a block; empty: it does not verify, or lies outside. The text points into the bytes.
// `at` as for ReadCatalogRoot().
std::string_view ReadTypeBlock(
    std::uint64_t offset, absl::FunctionRef<const std::byte*(std::uint64_t, std::uint64_t)> at);

// Every method needs the caller's pin, or its operation's.
class Types {
 public:
  explicit Types(Core& core) : core_(core) {}

  // The text and the word that named it, for Replace(). Empty: there is none. DataLoss.
  absl::StatusOr<std::string> Read(const NamespaceRef& ns, std::uint64_t* word) const;
  // type-1: an unpublished block, noted. Requires: 1 to kTypeBytesMax bytes.
  absl::StatusOr<std::uint64_t> Write(process::Operation& op, std::string_view text) const;
  // type-2 and type-3. False: another process changed the type, or drops the namespace. Then `made`
  // is retired.
  bool Replace(process::Operation& op, const NamespaceRef& ns, std::uint64_t seen,
               std::uint64_t made) const;
  // From now on values that are put there are aligned to `align` or more. Requires: IsValueAlign.
  void AlignValues(const NamespaceRef& ns, std::uint64_t align) const;
  // type-4. Any number of times.
  void Reclaim(process::Operation& op, const NamespaceRef& ns) const;
  // Whether the object names the block.
  [[nodiscard]] bool Names(const NamespaceRef& ns, std::uint64_t offset) const;
  // The edge, if there is one; and whether its block verifies.
  void ForEachEdge(const NamespaceRef& ns, absl::FunctionRef<bool(const index::Edge&)> use,
                   absl::FunctionRef<void(const std::string& fault)> fault) const;

 private:
  Core& core_;
};

}  // namespace commy::namespaces
