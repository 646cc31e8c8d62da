// What tests of transactions share: short ways to begin one and to read by it, and a check for
// garbage when all are over.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"

namespace commy::test {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// The pairs of a scan; of a hash namespace, sorted.
inline Pairs PairsOf(ScanRange scan, Order order) {
  Pairs pairs;
  for (const Entry& entry : scan) {
    pairs.emplace_back(entry.key(), entry.value());
  }
  EXPECT_TRUE(scan.status().ok()) << scan.status();
  if (order == Order::kHash) {
    std::sort(pairs.begin(), pairs.end());
  }
  return pairs;
}
inline Pairs PairsOf(const Namespace& ns, const ScanOptions& options = ScanOptions()) {
  return PairsOf(ns.Scan(options), ns.order());
}
inline Pairs PairsOf(Transaction& txn, const Namespace& ns,
                     const ScanOptions& options = ScanOptions()) {
  return PairsOf(txn.Scan(ns, options), ns.order());
}

inline const char* NameOf(Order order) {
  return order == Order::kHash ? "Hash" : "Ordered";
}
inline const char* NameOf(Isolation isolation) {
  return isolation == Isolation::kSnapshot ? "Snapshot" : "Serializable";
}

class TransactionFixture : public OrderedFixture {
 protected:
  static Transaction MustBegin(const Store& store, Isolation isolation = Isolation::kSnapshot) {
    absl::StatusOr<Transaction> txn = store.Begin({.isolation = isolation});
    EXPECT_TRUE(txn.ok()) << txn.status();
    return *std::move(txn);
  }

  // The value, or "absent".
  static std::string Read(Transaction& txn, const Namespace& ns, std::string_view key) {
    return Told(txn.Get(ns, key));
  }
  static std::string Read(const Namespace& ns, std::string_view key,
                          const ReadOptions& options = ReadOptions()) {
    return Told(ns.Get(key, options));
  }

  // Expects that no garbage is left: the store is sound, no operation is in flight, and there is
  // one record a key. Requires: no transaction and no snapshot lives.
  static void ExpectNothingLeft(Store& store) {
    for (int i = 0; i < 3; ++i) {
      EngineOf(store).session.Beat();
    }
    const absl::StatusOr<CheckReport> report = store.Check();
    ASSERT_TRUE(IsSound(report));
    EXPECT_EQ(report->records, report->keys)
        << "a superseded version is kept that no snapshot needs";
    EXPECT_EQ(report->blocks_in_flight, 0U);
    EXPECT_EQ(store.Stats()->snapshots, 0U);
  }

 private:
  static std::string Told(const absl::StatusOr<std::string>& got) {
    return got.ok() ? *got : absl::IsNotFound(got.status()) ? "absent" : got.status().ToString();
  }
};

}  // namespace commy::test
