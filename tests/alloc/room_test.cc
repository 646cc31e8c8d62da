// The file grows before a writer has to wait for it: when, how far, and what happens when it cannot
// grow. And which pages a process makes present.
#include "alloc/room.h"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "alloc/allocator.h"
#include "support/child_process.h"
#include "support/fault_platform.h"
#include "support/temp_dir.h"
#include "support/threads.h"
#include "support/wait_for.h"

namespace commy::alloc {
namespace {

using process::Operation;
using process::OpKind;
using process::Session;
using region::BlockKind;
using test::FaultPlatform;

constexpr std::uint64_t kSpan = 4096;
constexpr std::uint64_t kChunkSpans = 16;
constexpr std::uint64_t kReserve = 5;  // Spans that an ordinary allocation leaves.

// A session without the upper floors.
struct Party {
  Party(platform::Platform& platform, const std::string& path, bool background = false) {
    region::RegionOptions options;
    options.create.max_size_bytes = std::uint64_t{8} << 20;
    options.create.span_bytes = kSpan;
    options.create.chunk_bytes = kChunkSpans * kSpan;
    options.create.participant_count = 8;
    options.create.thread_count = 56;
    options.create.heartbeat_interval_ns = 3'600'000'000'000;
    auto region = region::Region::Open(platform, path, options);
    EXPECT_TRUE(region.ok()) << region.status();
    process::SessionOptions session_options;
    session_options.background = background;
    session = std::make_shared<Session>(*std::move(region), session_options);
    allocator = std::make_unique<Allocator>(*session);
    Session::Hooks hooks;
    hooks.recover_lane.emplace_back([this](Operation& own, region::LaneLayout& dead) {
      return allocator->RecoverLane(own, dead);
    });
    hooks.urgent.emplace_back([this] { allocator->KeepRoom(); });
    EXPECT_TRUE(session->Start(std::move(hooks)).ok());
  }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;
  ~Party() { session->End(); }

  [[nodiscard]] absl::StatusOr<std::uint64_t> Allocate(std::uint64_t size_bytes) const {
    Operation op(**session->ThisLane(), OpKind::kAllocate, 0);
    return allocator->Allocate(op, BlockKind::kRaw, size_bytes);
  }
  // Fills whole spans, one after the other.
  void Fill(std::uint64_t spans) const {
    for (std::uint64_t i = 0; i < spans; ++i) {
      const absl::StatusOr<std::uint64_t> run = Allocate(kSpan);
      ASSERT_TRUE(run.ok()) << run.status();
    }
  }
  [[nodiscard]] std::uint64_t spans() const { return session->region().span_count(); }

  std::shared_ptr<Session> session;
  std::unique_ptr<Allocator> allocator;
};

class RoomTest : public testing::Test {
 protected:
  void TearDown() override {
    if (party_ != nullptr) {
      EXPECT_TRUE(party_->allocator->CheckSpans().ok()) << party_->allocator->CheckSpans();
    }
  }

  test::TempDir temp_;
  const std::string path_ = temp_.File("store");
  FaultPlatform platform_;
  std::unique_ptr<Party> party_ = std::make_unique<Party>(platform_, path_);
};

TEST_F(RoomTest, KeepRoomLeavesAnEmptyFileEmpty) {
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), 0U);
}

TEST_F(RoomTest, ASmallFileGrowsByOneChunkOnceHalfOfItsLastChunkIsTaken) {
  party_->Fill(kChunkSpans / 2);
  ASSERT_EQ(party_->spans(), kChunkSpans);
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), kChunkSpans) << "half is free";
  party_->Fill(1);
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), 2 * kChunkSpans);
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), 2 * kChunkSpans) << "once is enough";
}

TEST_F(RoomTest, ALargeFileGrowsUntilASixteenthOfItIsFree) {
  constexpr std::uint64_t kChunks = 64;
  ASSERT_TRUE(party_->session->region().Grow(0, kChunks * kChunkSpans).ok());
  party_->Fill((kChunks - 2) * kChunkSpans);
  party_->allocator->KeepRoom();
  ASSERT_EQ(party_->spans(), kChunks * kChunkSpans) << "a thirty-second is free";
  party_->Fill(1);
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), (kChunks + 3) * kChunkSpans)
      << "of the four chunks to be free, one was left";
}

TEST_F(RoomTest, FreeSpansBeforeTheEndDoNotCountAsRoom) {
  party_->Fill(kChunkSpans - kReserve);
  Operation op(**party_->session->ThisLane(), OpKind::kAllocate, 0);
  party_->allocator->Retire(op, party_->session->region().SpanOffset(0));
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), 2 * kChunkSpans);
}

TEST_F(RoomTest, TheFileGrowsToExactlyMaxSizeAndItsLastSpansAreUsed) {
  const std::uint64_t most = party_->session->region().geometry().span_count_max;
  while (party_->Allocate(kSpan).ok()) {
    party_->allocator->KeepRoom();
    ASSERT_LE(party_->spans(), most);
  }
  EXPECT_EQ(party_->spans(), most);
  EXPECT_GE(party_->allocator->Stats().spans_large, most - kReserve);
}

TEST_F(RoomTest, KeepRoomIgnoresAFullDiskAndTheWriterReportsIt) {
  party_->Fill(kChunkSpans - kReserve);
  for (const bool populate : {false, true}) {
    platform_.Set([&](auto& faults) {
      (populate ? faults.populate_bytes_left : faults.allocate_bytes_left) = 0;
    });
    party_->allocator->KeepRoom();
    EXPECT_EQ(party_->spans(), kChunkSpans);
    EXPECT_TRUE(absl::IsResourceExhausted(party_->Allocate(kSpan).status()));
    platform_.Clear();
  }
  party_->allocator->KeepRoom();
  EXPECT_EQ(party_->spans(), 2 * kChunkSpans);
  EXPECT_TRUE(party_->Allocate(kSpan).ok());
}

TEST_F(RoomTest, TakingOneOfTheLastSpansWakesTheHeartbeatWhichGrowsTheFile) {
  party_.reset();
  const Party beating(platform_, path_, /*background=*/true);
  for (const std::uint64_t chunks : {2, 3, 4}) {
    beating.Fill(beating.spans() == 0 ? kChunkSpans / 2 + 1 : kChunkSpans);
    EXPECT_TRUE(test::WaitFor([&] { return beating.spans() == chunks * kChunkSpans; }))
        << "an hour before the next beat there are " << beating.spans() << " spans";
  }
}

TEST_F(RoomTest, SpansOfIdleLanesAreUsedBeforeTheRoomAtTheEnd) {
  ASSERT_TRUE(party_->Allocate(1000).ok());  // A lane of its own, not the thread's.
  std::vector<std::uint64_t> blocks;
  std::thread([&] {
    for (int i = 0; i < 300; ++i) {
      blocks.push_back(*party_->Allocate(1000));
    }
  }).join();
  party_->allocator->KeepRoom();
  for (const std::uint64_t block : blocks) {
    Operation op(**party_->session->ThisLane(), OpKind::kAllocate, 0);
    ASSERT_TRUE(party_->allocator->Retire(op, block));
  }
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(party_->session->TryAdvanceEpoch());
  }
  const std::uint64_t before = party_->spans();
  for (int i = 0; i < 250; ++i) {
    ASSERT_TRUE(party_->Allocate(1000).ok());
    party_->allocator->KeepRoom();
  }
  EXPECT_LE(party_->spans(), before + kChunkSpans);
}

TEST_F(RoomTest, RetiredSpansAreReusedThoughThereIsAlwaysRoomAtTheEnd) {
  constexpr int kPhases = 20;
  std::uint64_t after_two = 0;
  for (int phase = 0; phase < kPhases; ++phase) {
    const std::uint64_t bytes = phase % 2 == 0 ? 1000 : 500;
    std::vector<std::uint64_t> blocks;
    for (std::uint64_t i = 0; i < 160'000 / bytes; ++i) {
      const absl::StatusOr<std::uint64_t> block = party_->Allocate(bytes);
      ASSERT_TRUE(block.ok()) << "phase " << phase << ": " << block.status();
      blocks.push_back(*block);
      party_->allocator->KeepRoom();
    }
    for (const std::uint64_t block : blocks) {
      Operation op(**party_->session->ThisLane(), OpKind::kAllocate, 0);
      ASSERT_TRUE(party_->allocator->Retire(op, block));
    }
    for (int i = 0; i < 3; ++i) {
      (void)party_->session->TryAdvanceEpoch();
    }
    after_two = phase == 1 ? party_->spans() : after_two;
  }
  EXPECT_LE(party_->spans(), 2 * after_two);
}

TEST_F(RoomTest, AProcessThatKeepsWritingMapsTheExistingSpansOnce) {
  party_->Fill(5 * kChunkSpans);
  const std::uint64_t there = party_->spans() * kSpan;
  party_.reset();
  party_ = std::make_unique<Party>(platform_, path_);
  const auto mapped = [&] { return platform_.counts().populate_resident_bytes; };
  ASSERT_TRUE(party_->Allocate(100).ok());
  party_->allocator->KeepRoom();
  EXPECT_EQ(mapped(), 0U) << "one block does not make the process a writer";
  for (const std::uint64_t other_class : {200, 400, 800}) {
    ASSERT_TRUE(party_->Allocate(other_class).ok());
  }
  party_->allocator->KeepRoom();
  EXPECT_EQ(mapped(), there);
  party_->allocator->KeepRoom();
  EXPECT_EQ(mapped(), there) << "the pages were mapped twice";
}

TEST_F(RoomTest, ThreadsAndProcessesThatGrowTheFileAtOnceKeepItSound) {
  constexpr std::size_t kChildren = 2;
  std::vector<std::unique_ptr<test::ChildProcess>> children(kChildren);
  for (std::unique_ptr<test::ChildProcess>& child : children) {
    child = std::make_unique<test::ChildProcess>([&](test::ChildSide&) {
      const Party mine(platform::Platform::Real(), path_, /*background=*/true);
      for (int round = 0; round < 100; ++round) {
        if (!mine.Allocate(kSpan).ok()) {
          return 1;
        }
      }
      return 0;
    });
  }
  test::RunThreads(3, [&](int thread) {
    region::Region& region = party_->session->region();
    for (int round = 0; round < 100; ++round) {
      if (thread == 0) {
        party_->allocator->KeepRoom();
      } else if (thread == 1) {
        region.PrepareToGrow(region.span_count());
      } else {
        ASSERT_TRUE(party_->Allocate(kSpan).ok());
      }
    }
  });
  for (const auto& child : children) {
    EXPECT_TRUE(child->Succeeded());
  }
  EXPECT_GE(party_->allocator->Stats().spans_large, 300U);
  EXPECT_EQ(party_->spans() % kChunkSpans, 0U);
}

}  // namespace
}  // namespace commy::alloc
