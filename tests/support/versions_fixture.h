// A region with a session, an allocator, intents and chains on it, and nothing above: what tests of
// versions/ and index/ run on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "alloc/allocator.h"
#include "base/check.h"
#include "process/session.h"
#include "support/fault_platform.h"
#include "support/temp_dir.h"
#include "versions/chain.h"
#include "versions/commit_clock.h"
#include "versions/intents.h"
#include "versions/record.h"
#include "versions/snapshots.h"

namespace commy::test {

// Spans of a page and segments of one bucket.
inline region::CreateOptions TinyRegion() {
  region::CreateOptions options;
  options.max_size_bytes = std::uint64_t{32} << 20;
  options.span_bytes = 4096;
  options.chunk_bytes = 65536;
  options.participant_count = 8;
  options.thread_count = 56;
  options.snapshot_count = 48;
  options.segment_buckets = 1;
  return options;
}

// One participant, up to versions/.
class VersionsParty {
 public:
  VersionsParty(platform::Platform& platform, const std::string& path,
                const region::CreateOptions& create = TinyRegion()) {
    region::RegionOptions options;
    options.create = create;
    auto opened = region::Region::Open(platform, path, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    process::SessionOptions quiet;
    quiet.background = false;
    session_ = std::make_shared<process::Session>(*std::move(opened), quiet);
    allocator_ = std::make_unique<alloc::Allocator>(*session_);
    intents_ = std::make_unique<versions::Intents>(region(), platform);
    chains_ = std::make_unique<versions::Chains>(*session_, *allocator_, *intents_);
    process::Session::Hooks hooks;
    hooks.recover_lane.emplace_back([this](process::Operation& own, region::LaneLayout& dead) {
      return allocator_->RecoverLane(own, dead);
    });
    versions::AddSnapshotHooks(region(), &hooks);
    EXPECT_TRUE(session_->Start(std::move(hooks)).ok());
  }

  [[nodiscard]] process::Session& session() const { return *session_; }
  [[nodiscard]] region::Region& region() const { return session_->region(); }
  [[nodiscard]] process::Lane& lane() const { return **session_->ThisLane(); }
  [[nodiscard]] alloc::Allocator& allocator() const { return *allocator_; }
  [[nodiscard]] const versions::Intents& intents() const { return *intents_; }
  [[nodiscard]] const versions::Chains& chains() const { return *chains_; }

  // A block of `size_bytes` zeros; 0, and a failure: there was no room.
  std::uint64_t Allocate(process::Operation& op, region::BlockKind kind, std::uint64_t size_bytes) {
    const absl::StatusOr<std::uint64_t> made = allocator_->Allocate(op, kind, size_bytes);
    EXPECT_TRUE(made.ok()) << made.status();
    if (!made.ok()) {
      return 0;
    }
    base::ZeroIn(region().At(*made, size_bytes, 16), size_bytes);
    return *made;
  }
  std::uint64_t Allocate(region::BlockKind kind, std::uint64_t size_bytes) {
    process::Operation op(lane(), process::OpKind::kAllocate, 0);
    return Allocate(op, kind, size_bytes);
  }
  // A record that no slot names. It has its commit time already, if `content` has one.
  std::uint64_t MakeRecord(process::Operation& op, const versions::RecordContent& content,
                           std::uint64_t prev = 0) {
    const std::uint64_t bytes =
        versions::RecordBytes(content.key.size(), content.value.size(), content.align,
                              content.expiry_ns != 0 || content.expiry_word);
    const std::uint64_t offset = Allocate(op, region::BlockKind::kRecord, bytes);
    versions::RecordContent written = content;
    written.commit = versions::kUndecided;
    versions::WriteRecord(region().At(offset, bytes, 16), written);
    RecordAt(offset).commit.store(content.commit, std::memory_order_relaxed);
    RecordAt(offset).prev.store(prev, std::memory_order_relaxed);
    return offset;
  }
  std::uint64_t MakeRecord(const versions::RecordContent& content, std::uint64_t prev = 0) {
    process::Operation op(lane(), process::OpKind::kWrite, 0);
    return MakeRecord(op, content, prev);
  }
  versions::Record& RecordAt(std::uint64_t offset) {
    auto* const record = region().At<versions::Record>(offset);
    COMMY_CHECK(record != nullptr);
    return *record;
  }

 private:
  std::shared_ptr<process::Session> session_;
  std::unique_ptr<alloc::Allocator> allocator_;
  std::unique_ptr<versions::Intents> intents_;
  std::unique_ptr<versions::Chains> chains_;
};

class VersionsFixture : public testing::Test {
 protected:
  explicit VersionsFixture(const region::CreateOptions& create = TinyRegion())
      : party_(platform_, path_, create) {}

  void TearDown() override {
    EXPECT_TRUE(party_.allocator().CheckSpans().ok()) << party_.allocator().CheckSpans();
  }

  region::Region& region() { return party_.region(); }
  region::RegionHeader& header() { return region().header(); }
  std::uint64_t BlocksUsed() { return party_.allocator().Stats().blocks_used; }
  bool IsUsed(std::uint64_t block) { return party_.allocator().IsUsed(block); }
  void SetClock(std::uint64_t now) { header().commit_clock.store(now, std::memory_order_seq_cst); }

  // A snapshot as of `time`, which the commit clock is set to.
  versions::HeldSnapshot TakeAt(std::uint64_t time) {
    SetClock(time);
    versions::HeldSnapshot held;
    EXPECT_TRUE(versions::TakeSnapshot(region(), party_.session().owner_word(), 0, &held));
    EXPECT_EQ(held.time, time);
    return held;
  }
  void Release(const versions::HeldSnapshot& held) {
    versions::ReleaseSnapshot(party_.session(), held);
  }

  TempDir temp_;
  const std::string path_ = temp_.File("store");
  FaultPlatform platform_;
  VersionsParty party_;
};

}  // namespace commy::test
