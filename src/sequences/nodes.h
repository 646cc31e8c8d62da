// Where a tree reads its nodes, and those that a change has made or dropped.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "sequences/root.h"

namespace commy::sequences {

// Calls `use` with the value of a key, in place. Returns whether the key is there.
class NodeReader {
 public:
  NodeReader() = default;
  NodeReader(const NodeReader&) = delete;
  NodeReader& operator=(const NodeReader&) = delete;
  virtual ~NodeReader() = default;
  virtual absl::StatusOr<bool> Read(std::string_view key,
                                    absl::FunctionRef<void(std::string_view)> use) = 0;
};

// Reads a leaf or an inner node that `entry` names, and checks it against that. Moved (below): it
// is not there.
absl::Status ReadLeaf(NodeReader& reader, const Entry& entry,
                      absl::FunctionRef<void(const ElementRun&)> use);
absl::StatusOr<std::vector<Entry>> ReadInner(NodeReader& reader, const Entry& entry);
// The status for a node that was dropped since its root was read: read the root again. Where a
// reader sees one moment there is no such node, and the file is damaged.
absl::Status Moved();
bool IsMoved(const absl::Status& status);
absl::Status DamagedNode(std::uint64_t id);

// The nodes of a change: new ones are in memory until they are published.
class NodeSet {
 public:
  explicit NodeSet(NodeReader& reader) : reader_(reader) {}

  // The bytes of a leaf, of an inner node, copied.
  absl::StatusOr<RunBuilder> Leaf(const Entry& entry) const;
  absl::StatusOr<std::vector<Entry>> Inner(const Entry& entry) const;
  // Calls `use` with the leaf in place.
  absl::Status WithLeaf(const Entry& entry, absl::FunctionRef<void(const ElementRun&)> use) const;

  // A node that is neither.
  absl::Status Bytes(std::uint64_t id, std::string* bytes) const;

  // A new node under the given id, which was never used. `lasting`: the bytes stay where they are
  // until the change is published.
  void Add(std::uint64_t id, std::string_view bytes, bool lasting);
  // DataLoss: it was dropped already.
  absl::Status Drop(std::uint64_t id);

  struct New {
    std::string own;
    std::string_view lasting;
    [[nodiscard]] std::string_view bytes() const { return lasting.empty() ? own : lasting; }
  };
  [[nodiscard]] const std::map<std::uint64_t, New>& added() const { return added_; }
  [[nodiscard]] const absl::flat_hash_set<std::uint64_t>& dropped() const { return dropped_; }
  void Forget();

 private:
  class Reader;

  NodeReader& reader_;
  std::map<std::uint64_t, New> added_;
  absl::flat_hash_set<std::uint64_t> dropped_;
};

}  // namespace commy::sequences
