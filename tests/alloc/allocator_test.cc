// The allocator on its own: blocks of every size, retiring, reuse after two epochs and not before,
// runs, lanes that take over from others, and the leftovers of a dead lane.
#include "alloc/allocator.h"

#include <cstring>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "support/child_process.h"
#include "support/living_thread.h"
#include "support/seed.h"
#include "support/seen_dead.h"
#include "support/temp_dir.h"

namespace commy::alloc {
namespace {

using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;
using process::Session;
using region::BlockKind;

region::RegionOptions SmallRegion() {
  region::RegionOptions options;
  options.create.max_size_bytes = std::uint64_t{4} << 20;
  options.create.span_bytes = 4096;
  options.create.chunk_bytes = 16384;
  options.create.participant_count = 8;
  options.create.thread_count = 56;
  return options;
}

// A session without the upper floors.
struct Party {
  explicit Party(const std::string& path) : Party(path, SmallRegion()) {}
  Party(const std::string& path, const region::RegionOptions& options) {
    auto region = region::Region::Open(platform::Platform::Real(), path, options);
    EXPECT_TRUE(region.ok()) << region.status();
    process::SessionOptions quiet;
    quiet.background = false;
    session = std::make_shared<Session>(*std::move(region), quiet);
    allocator = std::make_unique<Allocator>(*session);
    Session::Hooks hooks;
    hooks.recover_lane.emplace_back([this](Operation& own, region::LaneLayout& dead) {
      return allocator->RecoverLane(own, dead);
    });
    EXPECT_TRUE(session->Start(std::move(hooks)).ok());
  }
  Lane& lane() const { return **session->ThisLane(); }

  std::shared_ptr<Session> session;
  std::unique_ptr<Allocator> allocator;
};

class AllocatorTest : public testing::Test {
 protected:
  std::uint64_t MustAllocate(std::uint64_t size_bytes) { return MustAllocate(party_, size_bytes); }
  static std::uint64_t MustAllocate(Party& party, std::uint64_t size_bytes) {
    Operation op(party.lane(), OpKind::kAllocate, 0);
    const auto made = party.allocator->Allocate(op, BlockKind::kRaw, size_bytes);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.value_or(0);
  }
  bool Retire(std::uint64_t offset) {
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    return party_.allocator->Retire(op, offset);
  }
  // Spans wait for one epoch more than blocks.
  void PassEpochs(int count = 3) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(party_.session->TryAdvanceEpoch());
    }
  }
  void TearDown() override {
    EXPECT_TRUE(party_.allocator->CheckSpans().ok()) << party_.allocator->CheckSpans();
  }

  test::TempDir temp_;
  const std::string path_ = temp_.File("store");
  Party party_{path_};
};

TEST_F(AllocatorTest, BlocksOfEverySizeAreDisjointAlignedAndLargeEnough) {
  std::map<std::uint64_t, std::uint64_t> blocks;  // Start to end.
  for (const std::uint64_t size :
       {1,    15,   16,   17,   64,   100,  255,  256,  257,    1000,   1023,
        1024, 1025, 1900, 1984, 1985, 4000, 4096, 4097, 20'000, 100'000}) {
    for (int i = 0; i < 3; ++i) {
      const std::uint64_t offset = MustAllocate(size);
      EXPECT_GE(party_.allocator->BlockBytes(offset), size);
      EXPECT_EQ(offset % (size >= 1024 ? 64 : 16), 0U) << size;
      EXPECT_TRUE(party_.allocator->IsUsed(offset));
      ASSERT_NE(party_.session->region().At(offset, size, 16), nullptr);
      blocks.emplace(offset, offset + party_.allocator->BlockBytes(offset));
    }
  }
  std::uint64_t end = 0;
  for (const auto& [start, stop] : blocks) {
    EXPECT_GE(start, end);
    end = stop;
  }
  EXPECT_EQ(party_.allocator->Stats().blocks_used, blocks.size());
}

// Each that lies alone would keep a large page in use for good.
TEST_F(AllocatorTest, BlocksThatStayLieInFewLargePages) {
  region::RegionOptions options;
  options.create.max_size_bytes = std::uint64_t{64} << 20;
  options.create.span_bytes = 4096;
  options.create.chunk_bytes = std::uint64_t{2} << 20;
  options.create.participant_count = 8;
  options.create.thread_count = 56;
  Party party(temp_.File("large"), options);
  const std::uint64_t data = party.session->region().geometry().data_offset;
  std::set<std::uint64_t> pages;
  std::set<std::uint64_t> pages_that_stay;
  for (int i = 0; i < 40'000; ++i) {
    Operation op(party.lane(), OpKind::kAllocate, 0);
    const bool stays = i % 8 == 0;
    const auto made = party.allocator->Allocate(
        op, stays ? BlockKind::kSeparator : BlockKind::kRecord, stays ? 40 : 1000);
    ASSERT_TRUE(made.ok()) << made.status();
    (stays ? pages_that_stay : pages).insert((*made - data) >> 21U);
  }
  EXPECT_GE(pages.size(), 16U);
  EXPECT_LE(pages_that_stay.size(), pages.size() / 2);
  EXPECT_TRUE(party.allocator->CheckSpans().ok());
}

TEST_F(AllocatorTest, ASpanThatIsSetAsideIsUsedWhenTheStoreIsFull) {
  region::Region& region = party_.session->region();
  {
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    party_.allocator->MakeFree(op, 8);
  }
  region.span_word(2).store(kSetAsideWord, std::memory_order_relaxed);
  bool used = false;
  for (;;) {
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    const auto made = party_.allocator->Allocate(op, BlockKind::kRecord, 1900);
    if (!made.ok()) {
      break;
    }
    used |= (*made - region.geometry().data_offset) / 4096 == 2;
  }
  EXPECT_TRUE(used);
}

TEST_F(AllocatorTest, RetiringABlockTwiceIsHarmless) {
  for (const std::uint64_t size : {100, 10'000}) {
    const std::uint64_t block = MustAllocate(size);
    EXPECT_TRUE(Retire(block));
    const std::uint64_t retired = party_.allocator->Stats().bytes_retired;
    EXPECT_FALSE(party_.allocator->IsUsed(block));
    PassEpochs(1);
    EXPECT_TRUE(Retire(block));
    EXPECT_EQ(party_.allocator->Stats().bytes_retired, retired);
  }
  EXPECT_EQ(party_.allocator->Stats().blocks_used, 0U);
}

TEST_F(AllocatorTest, RetiringAnOffsetThatIsNoBlockIsRefusedAndChangesNothing) {
  const std::uint64_t small = MustAllocate(100);
  const std::uint64_t run = MustAllocate(10'000);
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{4096}, small + 16, small + 1, run + 16, run + 4096,
        std::uint64_t{UINT64_MAX}, std::uint64_t{4} << 20, small & ~std::uint64_t{4095}}) {
    EXPECT_FALSE(Retire(offset)) << offset;
    EXPECT_EQ(party_.allocator->BlockBytes(offset), 0U) << offset;
    EXPECT_FALSE(party_.allocator->IsUsed(offset));
  }
  EXPECT_TRUE(party_.allocator->IsUsed(small));
  EXPECT_TRUE(party_.allocator->IsUsed(run));
}

TEST_F(AllocatorTest, ABlockIsReusedAfterTwoEpochsAndNotBefore) {
  for (const std::uint64_t size : {1900, 30'000}) {
    // Three blocks, since a run is taken only where a few more spans are free after it.
    const std::set<std::uint64_t> blocks = {MustAllocate(size), MustAllocate(size),
                                            MustAllocate(size)};
    for (const std::uint64_t block : blocks) {
      ASSERT_TRUE(Retire(block));
    }
    {
      const Pin pin(party_.lane());  // Beside it allocations may move the epoch once, not twice.
      for (int i = 0; i < 40; ++i) {
        ASSERT_FALSE(blocks.contains(MustAllocate(size)));
      }
    }
    PassEpochs();
    bool again = false;
    for (int i = 0; i < 200 && !again; ++i) {
      Operation op(party_.lane(), OpKind::kAllocate, 0);
      const auto made = party_.allocator->Allocate(op, BlockKind::kRaw, size);
      if (!made.ok()) {
        break;
      }
      again = blocks.contains(*made);
    }
    EXPECT_TRUE(again) << size;
    // Room for the next round.
    std::vector<std::uint64_t> used;
    party_.allocator->ForEachBlock([&](const BlockInfo& info) {
      if (info.used) used.push_back(info.offset_bytes);
    });
    for (const std::uint64_t offset : used) {
      Retire(offset);
    }
    PassEpochs();
  }
}

TEST_F(AllocatorTest, ASpanIsReusedAfterThreeEpochsAndNotBefore) {
  // A tag may be one epoch behind; a late retirer must still find the block that it retires.
  Party thief(path_);
  Party other(path_);
  region::Region& region = party_.session->region();
  const auto span_of = [&](std::uint64_t block) {
    return (block - region.geometry().data_offset) / 4096;
  };
  const auto kind_of = [&](std::uint64_t span) {
    return Unpack(region.span_word(span).load(std::memory_order_acquire)).kind;
  };
  const std::uint64_t small = MustAllocate(900);
  ASSERT_TRUE(Retire(small));
  PassEpochs();
  const std::uint64_t run = MustAllocate(20'000);
  std::optional<Pin> holds;  // Pins the previous epoch, so that the epoch stays.
  const auto look_at_every_span = [&] {
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    EXPECT_TRUE(absl::IsResourceExhausted(
        party_.allocator->Allocate(op, BlockKind::kRaw, 4'190'000).status()));
  };
  holds.emplace(other.lane());
  PassEpochs(1);
  ASSERT_TRUE(Retire(run));
  EXPECT_TRUE(thief.allocator->EmptyOthers());
  for (int age = 0; age <= 3; ++age) {
    look_at_every_span();
    EXPECT_EQ(kind_of(span_of(run)), age < 3 ? SpanKind::kRunRetired : SpanKind::kFree) << age;
    EXPECT_EQ(kind_of(span_of(small)), age < 3 ? SpanKind::kSpanRetired : SpanKind::kFree) << age;
    holds.emplace(other.lane());
    PassEpochs(1);
  }
}

TEST_F(AllocatorTest, TheEpochMovesAtMostOncePastAPin) {
  std::optional<Pin> pin(std::in_place, party_.lane());
  EXPECT_TRUE(party_.session->TryAdvanceEpoch());
  int blocker = -1;
  EXPECT_FALSE(party_.session->TryAdvanceEpoch(&blocker));
  EXPECT_EQ(blocker, static_cast<int>(party_.lane().index()));
  pin.reset();
  EXPECT_TRUE(party_.session->TryAdvanceEpoch());
}

TEST_F(AllocatorTest, AViewPinHoldsTheEpochAfterTheOperationHasEnded) {
  Session::ViewPin view;
  {
    const Pin pin(party_.lane());
    view = *party_.session->TakeViewPin(party_.lane());
  }
  EXPECT_TRUE(party_.session->TryAdvanceEpoch());
  EXPECT_FALSE(party_.session->TryAdvanceEpoch());
  view.lane->ReleaseViewPin(view.pin);
  EXPECT_TRUE(party_.session->TryAdvanceEpoch());
}

TEST_F(AllocatorTest, RandomBlocksKeepTheirBytes) {
  std::mt19937_64 random(test::Seed());
  std::map<std::uint64_t, std::pair<std::uint64_t, int>> live;  // Offset to size and filling.
  for (int i = 0; i < 20'000; ++i) {
    if (live.size() < 100 && random() % 2 == 0) {
      const std::uint64_t size = random() % 20 == 0 ? random() % 30'000 + 1 : random() % 600 + 1;
      const std::uint64_t offset = MustAllocate(size);
      ASSERT_NE(offset, 0U);
      const int filling = static_cast<int>(random() % 256);
      std::memset(party_.session->region().At(offset, size, 16), filling, size);
      ASSERT_TRUE(live.emplace(offset, std::make_pair(size, filling)).second)
          << "a block was handed out twice";
    } else if (!live.empty()) {
      auto at = live.lower_bound(random() % (std::uint64_t{4} << 20));
      at = at == live.end() ? live.begin() : at;
      const auto* const bytes = reinterpret_cast<const unsigned char*>(
          party_.session->region().At(at->first, at->second.first, 16));
      for (std::uint64_t k = 0; k < at->second.first; ++k) {
        ASSERT_EQ(bytes[k], at->second.second);
      }
      ASSERT_TRUE(Retire(at->first));
      live.erase(at);
    }
    if (i % 16 == 0) {
      (void)party_.session->TryAdvanceEpoch();
    }
  }
  EXPECT_EQ(party_.allocator->Stats().blocks_used, live.size());
}

TEST_F(AllocatorTest, FreedRunsAreMergedAgain) {
  std::vector<std::uint64_t> runs;
  for (int i = 0; i < 30; ++i) {
    runs.push_back(MustAllocate(20'000));
  }
  for (const std::uint64_t run : runs) {
    ASSERT_TRUE(Retire(run));
  }
  PassEpochs();
  const std::uint64_t before = party_.allocator->Stats().spans_total;
  EXPECT_NE(MustAllocate(30 * 20'000), 0U);
  EXPECT_EQ(party_.allocator->Stats().spans_total, before)
      << "the region grew although runs were free";
}

TEST_F(AllocatorTest, AFullStoreKeepsAReserveForOperationsThatMakeRoom) {
  absl::Status full;
  for (int i = 0; i < 100'000 && full.ok(); ++i) {
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    full = party_.allocator->Allocate(op, BlockKind::kRaw, 1000).status();
  }
  ASSERT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_NE(full.ToString().find(path_), std::string::npos) << full;
  Operation op(party_.lane(), OpKind::kAllocate, 0);
  EXPECT_TRUE(party_.allocator->Allocate(op, BlockKind::kRaw, 500, Purpose::kMakesRoom).ok());
  EXPECT_FALSE(party_.allocator->Allocate(op, BlockKind::kRaw, 5000).ok());
  EXPECT_EQ(op.notes_used(), 1U) << "a failed allocation left a note";
}

TEST_F(AllocatorTest, BlocksTooLargeForAnyStoreAreRefused) {
  Operation op(party_.lane(), OpKind::kAllocate, 0);
  for (const std::uint64_t size :
       {Allocator::kBlockBytesMax + 1, std::uint64_t{UINT64_MAX}, std::uint64_t{1} << 30}) {
    EXPECT_TRUE(
        absl::IsResourceExhausted(party_.allocator->Allocate(op, BlockKind::kRaw, size).status()));
  }
}

TEST_F(AllocatorTest, SpansOfAnEndedThreadAreAdoptedWhenRoomIsShort) {
  std::vector<std::uint64_t> blocks;
  std::thread([&] {
    for (int i = 0; i < 300; ++i) {
      blocks.push_back(MustAllocate(1000));
    }
  }).join();
  for (const std::uint64_t block : blocks) {
    ASSERT_TRUE(Retire(block));
  }
  PassEpochs();
  const std::uint64_t before = party_.allocator->Stats().spans_total;
  for (int i = 0; i < 250; ++i) {
    MustAllocate(1000);
  }
  EXPECT_LE(party_.allocator->Stats().spans_total, before + 8);
}

TEST_F(AllocatorTest, EmptySpansOfALivingThreadServeAllThreads) {
  std::vector<std::uint64_t> blocks;
  const auto fill = [&](std::uint64_t size_bytes) {
    std::uint64_t count = 0;
    for (int tries = 0; tries < 2; ++tries) {
      while (true) {
        Operation op(party_.lane(), OpKind::kAllocate, 0);
        const auto made = party_.allocator->Allocate(op, BlockKind::kRaw, size_bytes);
        if (!made.ok()) {
          break;
        }
        blocks.push_back(*made);
        ++count;
      }
      (void)party_.allocator->EmptyOthers();
      PassEpochs();
    }
    return count;
  };
  std::uint64_t first = 0;
  const test::LivingThread owner([&] { first = fill(900); });
  for (const std::uint64_t block : blocks) {
    ASSERT_TRUE(Retire(block));
  }
  PassEpochs();
  EXPECT_GE(fill(900), first * 9 / 10) << first;
  EXPECT_EQ(party_.allocator->Stats().blocks_retired, 0U);
}

TEST_F(AllocatorTest, InAFullStoreFreeBlocksInSpansOfALivingThreadServeOthers) {
  std::vector<std::uint64_t> blocks;
  std::optional<std::uint64_t> after;
  std::promise<void> go_on;
  std::promise<void> gone_on;
  std::thread owner([&] {
    while (true) {
      Operation op(party_.lane(), OpKind::kAllocate, 0);
      const auto made = party_.allocator->Allocate(op, BlockKind::kRaw, 900);
      if (!made.ok()) {
        break;
      }
      blocks.push_back(*made);
    }
    gone_on.set_value();
    go_on.get_future().wait();
    Operation op(party_.lane(), OpKind::kAllocate, 0);
    const auto made = party_.allocator->Allocate(op, BlockKind::kRaw, 900);
    after = made.ok() ? *made : 0;
  });
  gone_on.get_future().wait();
  std::set<std::uint64_t> freed;
  for (std::size_t i = 0; i < blocks.size(); i += 2) {
    ASSERT_TRUE(Retire(blocks[i]));
    freed.insert(blocks[i]);
  }
  PassEpochs();
  std::size_t made = 0;
  const std::size_t goal = freed.size() * 9 / 10;
  for (std::size_t tries = 0; tries < 4 * blocks.size() && made < goal; ++tries) {
    {
      Operation op(party_.lane(), OpKind::kAllocate, 0);
      const auto block = party_.allocator->Allocate(op, BlockKind::kRaw, 900);
      if (block.ok()) {
        EXPECT_EQ(freed.erase(*block), 1U) << "the block was in use";
        ++made;
        continue;
      }
    }
    PassEpochs();
  }
  EXPECT_EQ(made, goal);
  go_on.set_value();
  owner.join();
  // The owner may use the rest as well, and takes no block of the others.
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(*after == 0 || freed.contains(*after));
}

// A span of a living thread, in which one block is in use, two were retired in successive epochs,
// and the rest is free. A thief has taken it.
class TakenSpanTest : public AllocatorTest {
 protected:
  TakenSpanTest() {
    std::vector<std::uint64_t> blocks;
    for (int i = 0; i < 3; ++i) {
      blocks.push_back(MustAllocate(kBytes));
    }
    span_ = (blocks[0] - region().geometry().data_offset) / 4096;
    PassEpochs();
    used_ = blocks[0];
    EXPECT_TRUE(Retire(blocks[1]));
    PassEpochs(1);
    EXPECT_TRUE(Retire(blocks[2]));
    std::thread([this] {
      Operation op(party_.lane(), OpKind::kAllocate, 0);
      thief_lane_ = op.lane().index();
      const Allocator::Wanted any = {.class_min = 0,
                                     .class_max = party_.allocator->classes().count() - 1,
                                     .share = UINT32_MAX,
                                     .of_the_living = true};
      taken_ = party_.allocator->TakeFromOthers(op, any, region().span_count());
    }).join();
  }
  region::Region& region() { return party_.session->region(); }
  [[nodiscard]] SpanWord word() {
    return Unpack(region().span_word(span_).load(std::memory_order_acquire));
  }
  base::Shared8& state(int index) {
    return region().At<base::Shared8>(region().SpanOffset(span_) +
                                      sizeof(region::SpanHeader))[index];
  }

  static constexpr std::uint64_t kBytes = 300;
  std::uint64_t span_ = 0;
  std::uint64_t used_ = 0;
  std::uint32_t thief_lane_ = 0;
  Allocator::TakeOver taken_ = Allocator::TakeOver::kNothing;
};

TEST_F(TakenSpanTest, NoBlockOfATakenSpanIsUsedWhileALateOwnerMayStillUseIt) {
  EXPECT_EQ(taken_, Allocator::TakeOver::kLater);
  EXPECT_EQ(word().lane, thief_lane_);
  EXPECT_EQ(word().number, 0U);
  EXPECT_TRUE(party_.allocator->IsUsed(used_));
  const std::uint64_t epoch = region().header().epoch.load(std::memory_order_acquire);
  const SizeClass& sizes = party_.allocator->classes().at(word().size_class);
  // This holds for earlier retired blocks: the old tag would free them while a late owner may use
  // them.
  for (std::uint32_t i = 1; i < sizes.block_count; ++i) {
    EXPECT_EQ(state(static_cast<int>(i)).load(std::memory_order_acquire), RetiredAt(epoch)) << i;
  }
}

TEST_F(TakenSpanTest, TheFormerOwnerOfATakenSpanAllocatesNoBlockOfIt) {
  ASSERT_EQ(word().lane, thief_lane_);
  // While a thread has the thief's lane: else the span would be taken back at once.
  std::uint32_t lane = 0;
  const test::LivingThread thief([&] { lane = party_.lane().index(); });
  ASSERT_EQ(lane, thief_lane_);
  PassEpochs();
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE((MustAllocate(kBytes) - region().geometry().data_offset) / 4096, span_);
  }
}

TEST_F(TakenSpanTest, TheThiefUsesATakenSpanOnceTheEpochHasMoved) {
  ASSERT_EQ(word().lane, thief_lane_);
  PassEpochs();
  std::uint64_t block = 0;
  std::thread([&] { block = MustAllocate(kBytes); }).join();
  EXPECT_EQ((block - region().geometry().data_offset) / 4096, span_);
}

TEST_F(AllocatorTest, ASpanThatADeadLaneWasEmptyingGoesBackToItsOwner) {
  const std::uint64_t block = MustAllocate(900);
  region::Region& region = party_.session->region();
  const std::uint64_t span = (block - region.geometry().data_offset) / 4096;
  auto* const states =
      region.At<base::Shared8>(region.SpanOffset(span) + sizeof(region::SpanHeader));
  const std::uint64_t before = region.span_word(span).load(std::memory_order_relaxed);
  region::LaneLayout& dead = region.lane(7);
  dead.notes[0].store(process::RunNote(BlockKind::kEmptying, span, 1), std::memory_order_relaxed);
  const auto recover = [&] {
    Operation own(party_.lane(), OpKind::kRecover, 0);
    ASSERT_TRUE(party_.allocator->RecoverLane(own, dead).ok());
  };
  recover();
  EXPECT_EQ(region.span_word(span).load(std::memory_order_relaxed), before)
      << "the emptying had not begun";
  SpanWord word = Unpack(before);
  word.number = 8;
  region.span_word(span).store(Pack(word), std::memory_order_relaxed);
  states[1].store(kEvacuated, std::memory_order_relaxed);
  recover();
  EXPECT_EQ(region.span_word(span).load(std::memory_order_relaxed), before);
  EXPECT_EQ(states[1].load(std::memory_order_relaxed), kFree);
  EXPECT_TRUE(party_.allocator->IsUsed(block));
  recover();
  EXPECT_EQ(region.span_word(span).load(std::memory_order_relaxed), before);
  dead.notes[0].store(0, std::memory_order_relaxed);
}

TEST_F(AllocatorTest, ASpanThatADeadLaneHadTakenStaysItsOwnAndItsBlocksWaitForTheEpoch) {
  const std::uint64_t block = MustAllocate(900);
  region::Region& region = party_.session->region();
  const std::uint64_t span = (block - region.geometry().data_offset) / 4096;
  auto* const states =
      region.At<base::Shared8>(region.SpanOffset(span) + sizeof(region::SpanHeader));
  region::LaneLayout& dead = region.lane(7);
  dead.notes[0].store(process::RunNote(BlockKind::kEmptying, span, 1), std::memory_order_relaxed);
  SpanWord word = Unpack(region.span_word(span).load(std::memory_order_relaxed));
  word.lane = 7;
  word.number = 8;
  region.span_word(span).store(Pack(word), std::memory_order_relaxed);
  states[1].store(kEvacuated, std::memory_order_relaxed);
  states[2].store(RetiredAt(1), std::memory_order_relaxed);
  {
    Operation own(party_.lane(), OpKind::kRecover, 0);
    ASSERT_TRUE(party_.allocator->RecoverLane(own, dead).ok());
  }
  word.number = 0;
  EXPECT_EQ(region.span_word(span).load(std::memory_order_relaxed), Pack(word));
  const std::uint64_t epoch = region.header().epoch.load(std::memory_order_relaxed);
  EXPECT_EQ(states[1].load(std::memory_order_relaxed), RetiredAt(epoch));
  EXPECT_EQ(states[2].load(std::memory_order_relaxed), RetiredAt(epoch))
      << "a late owner may still use the block";
  dead.notes[0].store(0, std::memory_order_relaxed);
  EXPECT_NE(MustAllocate(900), block) << "the former owner has forgotten the span";
}

TEST_F(AllocatorTest, EmptySpansServeOtherSizes) {
  std::vector<std::uint64_t> blocks;
  for (int i = 0; i < 2000; ++i) {
    blocks.push_back(MustAllocate(100));
  }
  for (const std::uint64_t block : blocks) {
    ASSERT_TRUE(Retire(block));
  }
  PassEpochs();
  const std::uint64_t before = party_.allocator->Stats().spans_total;
  for (int i = 0; i < 200; ++i) {
    MustAllocate(900);
    if (i % 10 == 0) {
      PassEpochs();
    }
  }
  EXPECT_LE(party_.allocator->Stats().spans_total, before + 8);
}

TEST_F(AllocatorTest, BlocksAndRunsOfAKilledProcessAreReclaimed) {
  test::ChildProcess child([&](test::ChildSide& parent) {
    Party mine(path_);
    Operation op(mine.lane(), OpKind::kAllocate, 0);
    for (const std::uint64_t size : {100, 1000, 10'000, 100'000}) {
      if (!mine.allocator->Allocate(op, BlockKind::kRaw, size).ok()) {
        return 1;
      }
    }
    parent.Send("allocated");
    (void)parent.Receive();
    return 0;
  });
  ASSERT_EQ(child.Receive(), "allocated");
  EXPECT_EQ(party_.allocator->Stats().blocks_used, 4U);
  ASSERT_TRUE(party_.session->RecoverDead().ok());
  EXPECT_EQ(party_.allocator->Stats().blocks_used, 4U)
      << "the recovery took blocks of a live process";
  ASSERT_TRUE(child.KillAndWait());
  ASSERT_TRUE(test::SeenDead(*party_.session, child.pid()));
  ASSERT_TRUE(party_.session->RecoverDead().ok());
  EXPECT_EQ(party_.allocator->Stats().blocks_used, 0U);
  ASSERT_TRUE(party_.session->RecoverDead().ok());
  PassEpochs();  // Its pin is released as well.
}

TEST_F(AllocatorTest, TheRecovererFinishesAFreeOfARunOfADeadLane) {
  // The words as they are in the middle of each step.
  const std::uint64_t run = MustAllocate(20'000);
  region::Region& region = party_.session->region();
  const std::uint64_t first = (run - region.geometry().data_offset) / 4096;
  region::LaneLayout& dead = region.lane(7);
  const std::uint64_t body = Pack({SpanKind::kRunBody, 0, 7, static_cast<std::uint32_t>(first)});
  dead.notes[0].store(process::RunNote(BlockKind::kRunFree, first, 5), std::memory_order_relaxed);
  const auto recover = [&] {
    Operation own(party_.lane(), OpKind::kRecover, 0);
    ASSERT_TRUE(party_.allocator->RecoverLane(own, dead).ok());
  };
  recover();
  EXPECT_TRUE(party_.allocator->IsUsed(run)) << "the free was noted but not begun";
  region.span_word(first).store(body, std::memory_order_relaxed);
  region.span_word(first + 1).store(0, std::memory_order_relaxed);
  recover();
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(region.span_word(first + i).load(std::memory_order_relaxed), 0U) << i;
  }
  recover();
  dead.notes[0].store(0, std::memory_order_relaxed);
}

TEST_F(AllocatorTest, TheRecovererUndoesAnIncompleteClaimOfARunOfADeadLane) {
  region::Region& region = party_.session->region();
  ASSERT_TRUE(region.Grow(region.span_count(), 8).ok());
  const std::uint64_t first = region.span_count() - 4;
  ASSERT_EQ(region.span_word(first).load(std::memory_order_relaxed), 0U);
  region::LaneLayout& dead = region.lane(7);
  dead.notes[0].store(process::RunNote(BlockKind::kRunClaim, first, 4), std::memory_order_relaxed);
  const std::uint64_t body = Pack({SpanKind::kRunBody, 0, 7, static_cast<std::uint32_t>(first)});
  region.span_word(first + 1).store(body, std::memory_order_relaxed);
  region.span_word(first + 2).store(body, std::memory_order_relaxed);
  Operation own(party_.lane(), OpKind::kRecover, 0);
  ASSERT_TRUE(party_.allocator->RecoverLane(own, dead).ok());
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(region.span_word(first + i).load(std::memory_order_relaxed), 0U) << i;
  }
  dead.notes[0].store(0, std::memory_order_relaxed);
}

TEST_F(AllocatorTest, ARunThatADeadLaneHadClaimedIsRetiredOnceByTwoRecoverers) {
  // The claim is complete and its note remains: the first recoverer retires the run, the second
  // finds it retired.
  const std::uint64_t run = MustAllocate(20'000);
  region::Region& region = party_.session->region();
  const std::uint64_t first = (run - region.geometry().data_offset) / 4096;
  const std::uint32_t lane = party_.lane().index();
  region::LaneLayout& dead = region.lane(lane);
  dead.notes[5].store(process::RunNote(BlockKind::kRunClaim, first, 5), std::memory_order_relaxed);
  for (int recoverer = 0; recoverer < 2; ++recoverer) {
    std::thread([&] {
      Operation own(party_.lane(), OpKind::kRecover, 0);
      ASSERT_TRUE(party_.allocator->RecoverLane(own, dead).ok());
    }).join();
    EXPECT_EQ(Unpack(region.span_word(first).load(std::memory_order_relaxed)).kind,
              SpanKind::kRunRetired);
    EXPECT_TRUE(party_.allocator->CheckSpans().ok()) << party_.allocator->CheckSpans();
  }
  dead.notes[5].store(0, std::memory_order_relaxed);
}

TEST_F(AllocatorTest, DamagedSpanWordsAreReportedAndNotFollowed) {
  const std::uint64_t block = MustAllocate(100);
  region::Region& region = party_.session->region();
  const std::uint64_t span = (block - region.geometry().data_offset) / 4096;
  const std::uint64_t good = region.span_word(span).load(std::memory_order_relaxed);
  for (const std::uint64_t bad :
       {std::uint64_t{15} << 60, Pack({SpanKind::kSmall, 250, 0, 0}),
        Pack({SpanKind::kRunHead, 0, 0, 0xffffff}), Pack({SpanKind::kRunHead, 0, 0, 0})}) {
    region.span_word(span).store(bad, std::memory_order_relaxed);
    EXPECT_TRUE(absl::IsDataLoss(party_.allocator->CheckSpans()));
    party_.allocator->ForEachBlock([](const BlockInfo&) {});
    (void)party_.allocator->BlockBytes(block);
  }
  region.span_word(span).store(good, std::memory_order_relaxed);
}

}  // namespace
}  // namespace commy::alloc
