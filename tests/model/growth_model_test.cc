// Growth of the file by threads and processes that see one size, on a disk that may be full.
//
// WORDS    size      pieces that may be used; raised by CAS only
//          reserved  chunks that have blocks on disk; the kernel's, given once
// STEPS    grow      growth-0 read size   growth-1 reserve the chunk in which the next piece lies;
//                   disk full: stop   growth-2 make the piece present, which is a store into it, so
//                   its chunk must have blocks   growth-3 CAS size to one piece more than growth-0
//                   read, unless it is there
//          prepare   growth-0 read size   growth-1 reserve the chunk after the one in which the
//                   next piece lies   growth-2 make its first piece present
//          use       read size; store into the last piece below it
// HOLDS    I1 each piece that is stored into has blocks: no signal, wherever a process was stopped
//          I2 size never goes back
//          I3 no reserved chunk behind size is lost: the next growth takes it, so a disk that has
//             room for all chunks ends with all of them in use
#include "model/lib/explorer.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kPieces = 6;
constexpr int kChunkPieces = 2;
constexpr int kChunks = kPieces / kChunkPieces;
constexpr int kGrowers = 2;
constexpr int kPreparer = 2;
constexpr int kUser = 3;
constexpr int kLast = 4;  // A grower that is not killed, and goes on until all is in use.
constexpr int kProcesses = 5;

enum Pc : U8 { kIdle, kReserve, kPopulate, kPublish, kPrepare, kTouch, kStore };

struct Process {
  U8 pc, ops, seen, dead;
};

struct Options {
  U8 disk_chunks = kChunks;
  bool publish_first = false;  // growth-3 before growth-1 and growth-2.
  bool publish_by_store = false;
  bool publish_by_add = false;
  bool reserve_nothing = false;  // The other grower saw the same size and will reserve.
};

class GrowthModel {
 public:
  struct State {
    U8 size, reserved, disk_left, kills, went_back;
    Process process[kProcesses];
  };

  explicit GrowthModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.disk_left = options_.disk_chunks;
    s.kills = 1;
    s.process[0].ops = s.process[1].ops = 1;
    s.process[kPreparer].ops = 1;
    s.process[kUser].ops = 1;
    s.process[kLast].ops = kPieces;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < kProcesses; ++p) {
      if (s.process[p].dead != 0) {
        continue;
      }
      if (p < kGrowers || p == kLast) {
        Grow(s, p, emit);
      }
      if (p == kPreparer) {
        Prepare(s, emit);
      }
      if (p == kUser) {
        Use(s, emit);
      }
      if (s.kills != 0 && p != kLast && s.process[p].pc != kIdle) {
        State next = s;
        --next.kills;
        next.process[p].dead = 1;
        emit(next, Move{p, "killed"});
      }
    }
  }

  const char* Check(const State& s) const {
    if (s.went_back != 0) {
      return "I2: the size went back";
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    if (options_.disk_chunks == kChunks && s.size != kPieces) {
      return "I3: there was room, and it is not in use";
    }
    if (s.size < options_.disk_chunks * kChunkPieces - 2 * kChunkPieces) {
      return "I3: more than a prepared chunk is out of use";
    }
    return nullptr;
  }

 private:
  static U8 ChunkBit(int piece) { return Bit(piece / kChunkPieces); }
  static bool HasBlocks(const State& s, int piece) { return (s.reserved & ChunkBit(piece)) != 0; }
  // False: the disk is full.
  static bool Reserve(State& s, int piece) {
    if (HasBlocks(s, piece)) {
      return true;
    }
    if (s.disk_left == 0) {
      return false;
    }
    --s.disk_left;
    s.reserved |= ChunkBit(piece);
    return true;
  }

  void Publish(State& s, U8 seen) const {
    const auto end = static_cast<U8>(seen + 1);
    if (options_.publish_by_store) {
      s.went_back |= s.size > end ? 1 : 0;
      s.size = end;
    } else if (options_.publish_by_add) {
      s.size = static_cast<U8>(s.size + (s.size < kPieces ? 1 : 0));
    } else if (s.size < end) {
      s.size = end;
    }
  }

  template <typename Emit>
  void Grow(const State& s, int p, Emit&& emit) const {
    State next = s;
    Process& me = next.process[p];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0 || s.size == kPieces) {
          return;
        }
        --me.ops;
        me.seen = s.size;
        me.pc = options_.publish_first ? kPublish : kReserve;
        return emit(next, Move{p, "growth-0 read size"});
      case kReserve:
        if (options_.reserve_nothing && p == 1) {
          me.pc = kPublish;
          return emit(next, Move{p, "growth-1 left to others"});
        }
        if (!Reserve(next, me.seen)) {
          me.pc = kIdle;
          me.ops = 0;
          return emit(next, Move{p, "growth-1 disk full"});
        }
        me.pc = kPopulate;
        return emit(next, Move{p, "growth-1 reserve"});
      case kPopulate: {
        const bool good = HasBlocks(s, me.seen);
        me.pc = options_.publish_first ? kIdle : kPublish;
        return emit(next, Move{p, "growth-2 make present", good ? nullptr : "I1: no blocks"});
      }
      default:
        Publish(next, me.seen);
        me.pc = options_.publish_first ? kReserve : kIdle;
        return emit(next, Move{p, "growth-3 CAS size"});
    }
  }

  template <typename Emit>
  void Prepare(const State& s, Emit&& emit) const {
    State next = s;
    Process& me = next.process[kPreparer];
    const int piece = (me.seen / kChunkPieces + 1) * kChunkPieces;
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        --me.ops;
        me.seen = s.size;
        me.pc = kPrepare;
        return emit(next, Move{kPreparer, "growth-0 read size"});
      case kPrepare:
        me.pc = piece < kPieces && Reserve(next, piece) ? kTouch : kIdle;
        return emit(next, Move{kPreparer, "growth-1 reserve the next chunk"});
      default:
        me.pc = kIdle;
        return emit(next, Move{kPreparer, "growth-2 make present",
                               HasBlocks(s, piece) ? nullptr : "I1: no blocks"});
    }
  }

  template <typename Emit>
  void Use(const State& s, Emit&& emit) const {
    State next = s;
    Process& me = next.process[kUser];
    if (me.pc == kIdle) {
      if (me.ops == 0 || s.size == 0) {
        return;
      }
      --me.ops;
      me.seen = s.size;
      me.pc = kStore;
      return emit(next, Move{kUser, "user: read size"});
    }
    me.pc = kIdle;
    emit(next, Move{kUser, "user: store", HasBlocks(s, me.seen - 1) ? nullptr : "I1: no blocks"});
  }

  Options options_;
};

TEST(GrowthModelTest, APublishedPieceHasBlocksWhereverAProcessIsKilled) {
  ExpectHolds(GrowthModel({}), "growth");
}

TEST(GrowthModelTest, AFullDiskAtAnyStepRaisesNoSignalAndLosesNoChunk) {
  for (const U8 chunks : {0, 1, 2}) {
    ExpectHolds(GrowthModel({.disk_chunks = chunks}), "growth on a full disk");
  }
}

TEST(GrowthModelTest, PublishingBeforeBlocksAreReservedIsCaught) {
  ExpectCaught(GrowthModel({.publish_first = true}), "growth, weakened: published first");
}

TEST(GrowthModelTest, PublishingByAPlainStoreIsCaught) {
  ExpectCaught(GrowthModel({.publish_by_store = true}), "growth, weakened: a store, no CAS");
}

TEST(GrowthModelTest, PublishingByAnAdditionIsCaught) {
  ExpectCaught(GrowthModel({.publish_by_add = true}), "growth, weakened: an addition, no CAS");
}

TEST(GrowthModelTest, LeavingTheBlocksToAnotherGrowerIsCaught) {
  ExpectCaught(GrowthModel({.reserve_nothing = true}), "growth, weakened: others will reserve");
}

}  // namespace
}  // namespace commy::model
