// All that a copy of a store has to keep.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "engine/access.h"
#include "engine/lifecycle.h"
#include "support/store_fixture.h"
#include "versions/record.h"

namespace commy::test {

struct RecordPicture {
  std::string key;
  std::string value;
  std::uint64_t commit = 0;
  std::int64_t expiry_ns = 0;
  std::uint64_t align = 0;
  friend bool operator==(const RecordPicture&, const RecordPicture&) = default;
  friend void PrintTo(const RecordPicture& record, std::ostream* out) {
    *out << record.key << "=" << record.value << " (commit " << record.commit << ", expiry "
         << record.expiry_ns << ", align " << record.align << ")";
  }
};

struct NamespacePicture {
  std::uint64_t id = 0;
  Order order = Order::kHash;
  std::string type;
  absl::Duration default_ttl;
  std::uint64_t value_align = 0;
  std::uint64_t keys = 0;              // As they are counted.
  std::vector<RecordPicture> records;  // In the order of a scan; of a hash namespace, by key.
  friend bool operator==(const NamespacePicture&, const NamespacePicture&) = default;
  friend void PrintTo(const NamespacePicture& ns, std::ostream* out) {
    *out << "namespace " << ns.id << ", order " << static_cast<int>(ns.order) << ", type "
         << ns.type << ", ttl " << ns.default_ttl << ", align " << ns.value_align << ", " << ns.keys
         << " keys, " << ns.records.size() << " records";
  }
};

using Picture = std::map<std::string, NamespacePicture>;

// Of a store that nothing changes meanwhile. Expired keys are not in it, though they are counted.
inline Picture PictureOf(Store& store) {
  const engine::Engine& engine = EngineOf(store);
  Picture picture;
  const absl::StatusOr<std::vector<NamespaceInfo>> all = store.ListNamespaces();
  EXPECT_TRUE(all.ok()) << all.status();
  for (const NamespaceInfo& info : *all) {
    NamespacePicture& ns = picture[info.path];
    ns.id = info.id;
    ns.order = info.order;
    ns.type = info.type;
    ns.default_ttl = info.default_ttl;
    ns.keys = info.keys;
    const auto key = engine::OpenNamespace(engine, info.path, {.create_if_missing = false});
    EXPECT_TRUE(key.ok()) << key.status();
    ns.value_align = engine::ValueAlignFor(engine, key->first);
    index::ScanCursor cursor;
    for (bool more = true; more;) {
      engine::Access at(engine, key->first);
      EXPECT_TRUE(at.ok()) << at.status();
      const absl::Status scanned = at.Finish(engine.map.Scan(
          at.ns(), versions::AsOf(), /*reverse=*/false, &cursor,
          [&](const versions::RecordView& record) {
            ns.records.push_back({std::string(record.key), std::string(record.value),
                                  record.record->commit.load(std::memory_order_relaxed),
                                  record.expiry_ns(), versions::ValueAlignOf(record.flags)});
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(record.value.data()) %
                          versions::ValueAlignOf(record.flags),
                      0U);
            return true;
          },
          &more));
      EXPECT_TRUE(scanned.ok()) << scanned;
    }
    if (ns.order == Order::kHash) {
      std::sort(ns.records.begin(), ns.records.end(),
                [](const RecordPicture& a, const RecordPicture& b) { return a.key < b.key; });
    }
  }
  return picture;
}

}  // namespace commy::test
