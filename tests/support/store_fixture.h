// What tests of whole stores share: options that make rare paths happen often, and the check that
// every test ends with.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "api/open.h"
#include "commy/commy.h"
#include "engine/engine.h"
#include "engine/maintenance.h"
#include "support/temp_dir.h"

namespace commy::test {

// Spans of a page and segments of one bucket: full spans, growth, splits and doublings all the
// time.
inline Options SmallOptions() {
  Options options;
  options.max_size = std::uint64_t{64} << 20;
  options.heartbeat_interval = absl::Milliseconds(5);
  options.stale_after = absl::Milliseconds(200);
  options.process_name = "test";
  options.testing.chunk_bytes = std::uint64_t{64} << 10;
  options.testing.span_bytes = std::uint64_t{4} << 10;
  options.testing.segment_buckets = 1;
  options.participants = 32;
  options.threads = 120;
  return options;
}

// The same without a heartbeat: only the test changes the store.
inline Options QuietOptions() {
  Options options = SmallOptions();
  options.testing.background = false;
  return options;
}

// Whether Check() finds no fault and no leak; otherwise the failure lists them.
inline testing::AssertionResult IsSound(const absl::StatusOr<CheckReport>& report) {
  if (!report.ok()) {
    return testing::AssertionFailure() << report.status();
  }
  if (report->sound()) {
    return testing::AssertionSuccess();
  }
  testing::AssertionResult bad = testing::AssertionFailure();
  bad << report->fault_count << " faults, " << report->blocks_leaked << " blocks leaked:";
  for (const std::string& fault : report->faults) {
    bad << "\n  " << fault;
  }
  return bad;
}
inline testing::AssertionResult IsSound(const Store& store) {
  return IsSound(store.Check());
}

// Whether a status has this code, and a message with `part` in it.
inline testing::AssertionResult Says(const absl::Status& status, absl::StatusCode code,
                                     const std::string& part) {
  if (status.code() == code && status.ToString().find(part) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "got " << status << ", wanted "
                                     << absl::StatusCodeToString(code) << " with \"" << part << '"';
}

inline std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
inline void WriteFileBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Store's only member, which the public interface rightly hides: tests put a store that was opened
// on another platform behind it. An explicit instantiation may name private members.
std::shared_ptr<engine::OpenStore>& StateOf(Store& store);
template <std::shared_ptr<engine::OpenStore> Store::*Member>
struct StateAccess {
  friend std::shared_ptr<engine::OpenStore>& StateOf(Store& store) { return store.*Member; }
};
template struct StateAccess<&Store::state_>;

inline const engine::Engine& EngineOf(Store& store) {
  return StateOf(store)->engine();
}

class StoreFixture : public testing::Test {
 protected:
  void TearDown() override {
    absl::StatusOr<Store> store = Store::Open(path_, quiet_reopen_);
    if (expect_store_) {
      ASSERT_TRUE(store.ok()) << store.status();
      EXPECT_TRUE(IsSound(*store));
    }
  }

  Store MustOpen(const Options& options) { return MustOpen(path_, options); }
  static Store MustOpen(const std::string& path, const Options& options) {
    absl::StatusOr<Store> store = Store::Open(path, options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  // Opened through another platform, which outlives it.
  absl::StatusOr<Store> OpenOn(platform::Platform& platform, const std::string& path,
                               const Options& options) {
    auto state = api::Open(platform, path, options);
    if (!state.ok()) {
      return state.status();
    }
    Store store = MustOpen(temp_.File("shell"), QuietOptions());
    StateOf(store) = *std::move(state);
    return store;
  }
  static Namespace MustOpenNamespace(const Store& store, const std::string& path) {
    absl::StatusOr<Namespace> ns = store.OpenNamespace(path);
    EXPECT_TRUE(ns.ok()) << ns.status();
    return *std::move(ns);
  }

  TempDir temp_;
  std::string path_ = temp_.File("store");
  bool expect_store_ = true;  // Off where the test leaves no store at path_.
  Options quiet_reopen_ = QuietOptions();
};

}  // namespace commy::test
