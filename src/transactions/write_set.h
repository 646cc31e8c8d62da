// The pending writes of a transaction or a batch, in this process's memory until they are
// committed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "commy/options.h"
#include "engine/namespace_state.h"

namespace commy::transactions {

// A pending write of one key.
struct PendingWrite {
  bool tombstone = false;
  std::string value;
  std::int64_t expiry_ns = 0;
  // Instead of `value`, bytes that its owner keeps until the commit has ended.
  std::string_view lasting = std::string_view();

  [[nodiscard]] std::string_view bytes() const { return lasting.empty() ? value : lasting; }
};

struct NamespaceWrites {
  std::shared_ptr<const engine::NamespaceState> ns;
  absl::btree_map<std::string, transactions::PendingWrite> keys;
};

class WriteSet {
 public:
  // Sets or (`tombstone`) removes a key; the last one counts. InvalidArgument.
  absl::Status Put(const std::shared_ptr<const engine::NamespaceState>& ns, std::string_view key,
                   std::string_view value, const PutOptions& options);
  absl::Status Delete(const std::shared_ptr<const engine::NamespaceState>& ns,
                      std::string_view key);
  // The same with a time at which it expires; 0: never.
  absl::Status PutUntil(const std::shared_ptr<const engine::NamespaceState>& ns,
                        std::string_view key, std::string_view value, std::int64_t expiry_ns);

  // The same of bytes that stay where they are until the commit has ended; they are not copied.
  absl::Status PutLasting(const std::shared_ptr<const engine::NamespaceState>& ns,
                          std::string_view key, std::string_view value);

  // Null: the key is not written.
  [[nodiscard]] const transactions::PendingWrite* Find(const engine::NamespaceState& ns,
                                                       std::string_view key) const;
  // Null: no key of this namespace is written.
  [[nodiscard]] const NamespaceWrites* Of(const engine::NamespaceState& ns) const;
  // By namespace id, the order in which keys are installed.
  [[nodiscard]] const absl::btree_map<std::uint64_t, NamespaceWrites>& all() const {
    return namespaces_;
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Whether it may have the last space of a full store: it only deletes, or leaves more space than
  // it takes.
  [[nodiscard]] bool frees() const { return puts_ == 0 || frees_; }
  void SetFrees() { frees_ = true; }

 private:
  absl::Status Set(const std::shared_ptr<const engine::NamespaceState>& ns, std::string_view key,
                   transactions::PendingWrite write);

  absl::btree_map<std::uint64_t, NamespaceWrites> namespaces_;
  std::uint64_t size_ = 0;
  std::uint64_t puts_ = 0;  // Ever set; an upper bound of those left.
  bool frees_ = false;
};

// InvalidArgument: too long.
absl::Status CheckKey(std::string_view key);
absl::Status CheckValueSize(std::uint64_t size_bytes);
absl::Status CheckValue(std::string_view value);
// When a record that is written now with this time to live expires; 0: never; or
// versions::kExpiryByDefault. InvalidArgument.
absl::StatusOr<std::int64_t> ExpiryOf(const engine::NamespaceState& ns,
                                      std::optional<absl::Duration> ttl);

}  // namespace commy::transactions
