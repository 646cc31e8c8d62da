// The sum of a SharedCounter (namespaces/sums.h): adds without a CAS beside resets and readers.
//
// WORDS    base; a cell for each lane. The counter is the sum of the cells less base.
// STEPS    add     sum-2 load the lane's cell; store it with n added, n being the lane's number + 1
//          value   b = base; load the cells, one at a time; load base: b, then the value is their
//                  sum - b; else b is what base is now, and on with the cells
//          reset   b = base; load the cells; CAS base b -> sum: sum - b is taken; lost: b is what
//                  base is now, and on with the cells
//          The owner of a lane may be killed between any two steps, or go; then the lane has a next
//          owner. Resets and readers that are killed stop, as in states in which they do not go on.
// HOLDS    I1 at any moment, what resets have taken plus the counter is all that was stored
//          I2 a value is not less than the least that the counter was between the value's begin and
//             its end, nor more than the greatest. So it is at least the adds stored before its
//             begin less what was taken before its end, and at most the adds stored before its end
//             less what was taken before its begin
//          I3 the same for what a reset takes, until its CAS
// Where lanes subtract, too, I2 and I3 do not hold: of two adds a reader may see only the later.
#include <algorithm>

#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kLanes = 2;
constexpr int kOwners = 2;  // Of a lane, one after the other.
constexpr int kResetters = 2;
constexpr int kScans = kResetters + 1;
constexpr int kReader = kResetters;
constexpr int kFirstScan = kLanes * kOwners;

struct Options {
  bool reads = false;  // Fewer adds and resets, and a reader, which changes nothing for them.
  bool lane_1_subtracts = false;
  bool base_by_store = false;
  bool zeroes_the_cells = false;
  bool looks_once = false;  // At base.
  bool two_owners = false;
  bool starts_at_zero = false;  // A lane's next owner.
};

class SumModel {
 public:
  enum OwnerPc : U8 { kNotYet, kReady, kAdding, kKilled };
  enum ScanPc : U8 { kIdle, kCells, kEnd };
  struct Owner {
    U8 pc, adds, seen;
  };
  struct Lane {
    U8 cell;
    Owner owner[kOwners];
  };
  struct Scan {
    U8 pc, left, at, base, sum;
    U8 least, greatest;  // What the counter was since the begin.
  };
  struct State {
    U8 base, taken, stored;
    Lane lane[kLanes];
    Scan scan[kScans];
  };

  explicit SumModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    for (Lane& lane : s.lane) {
      lane.owner[0] = {kReady, 2, 0};
      lane.owner[1] = {kNotYet, 1, 0};
    }
    if (options_.reads) {
      s.lane[1].owner[0].adds = 1;
    }
    s.scan[0].left = options_.reads ? 1 : 2;
    s.scan[1].left = 1;
    s.scan[kReader].left = options_.reads ? 1 : 0;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int i = 0; i < kLanes * kOwners; ++i) {
      EmitStep(s, i, emit, [&](State& t, Move& move) {
        Add(t, i / kOwners, i % kOwners, move);
        Observe(t);
      });
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      EmitStep(s, lane * kOwners, emit, [&](State& t, Move& move) {
        Owner& first = t.lane[lane].owner[0];
        if (first.pc != kKilled) {
          first = {kKilled, 0, 0};
          move.what = "is killed";
        }
      });
    }
    for (int i = 0; i < kScans; ++i) {
      EmitStep(s, kFirstScan + i, emit, [&](State& t, Move& move) {
        Look(t, i, move);
        Observe(t);
      });
    }
  }

  const char* Check(const State& s) const {
    return static_cast<U8>(s.taken + Counter(s)) != s.stored
               ? "I1: what was taken and what is there are not what was added"
               : nullptr;
  }

 private:
  static U8 Counter(const State& s) {
    U8 sum = 0;
    for (const Lane& lane : s.lane) {
      sum = static_cast<U8>(sum + lane.cell);
    }
    return static_cast<U8>(sum - s.base);
  }

  void Observe(State& t) const {
    const U8 now = Counter(t);
    for (int i = 0; i < kScans; ++i) {
      Scan& scan = t.scan[i];
      if (scan.pc != kIdle && IsWatched(i)) {
        scan.least = std::min(scan.least, now);
        scan.greatest = std::max(scan.greatest, now);
      }
    }
  }

  // Whether it is kept what the counter was since the scan's begin.
  bool IsWatched(int i) const {
    return !options_.lane_1_subtracts && (i == kReader) == options_.reads;
  }

  void Add(State& t, int lane, int owner, Move& move) const {
    Owner& me = t.lane[lane].owner[owner];
    U8& cell = t.lane[lane].cell;
    const bool subtracts = options_.lane_1_subtracts && lane == 1;
    const U8 n = static_cast<U8>(subtracts ? -1 : lane + 1);
    switch (me.pc) {
      case kNotYet:
        if (t.lane[lane].owner[0].pc == kKilled || options_.two_owners) {
          me.pc = kReady;
          move.what = "claims the lane";
        }
        return;
      case kReady:
        if (me.adds == 0) {
          return;
        }
        me.seen = owner == 1 && options_.starts_at_zero ? U8{0} : cell;
        me.pc = kAdding;
        move.what = "loads its cell";
        return;
      case kAdding:
        cell = static_cast<U8>(me.seen + n);
        t.stored = static_cast<U8>(t.stored + n);
        me = {kReady, static_cast<U8>(me.adds - 1), 0};
        move.what = "stores its cell with the add";
        return;
      default:
        return;
    }
  }

  void Look(State& t, int i, Move& move) const {
    Scan& me = t.scan[i];
    switch (me.pc) {
      case kIdle:
        if (me.left == 0) {
          return;
        }
        --me.left;
        me.base = t.base;
        if (IsWatched(i)) {
          me.least = me.greatest = Counter(t);
        }
        me.pc = kCells;
        move.what = "loads base";
        return;
      case kCells:
        me.sum = static_cast<U8>(me.sum + t.lane[me.at].cell);
        move.what = "loads a cell";
        if (i != kReader && options_.zeroes_the_cells) {
          move.what = "exchanges a cell for 0";
          t.taken = static_cast<U8>(t.taken + t.lane[me.at].cell);
          t.lane[me.at].cell = 0;
        }
        if (++me.at == kLanes) {
          me.pc = kEnd;
        }
        return;
      default:
        if (i == kReader) {
          EndValue(t, me, move);
        } else {
          EndReset(t, me, move);
        }
        return;
    }
  }

  void EndValue(const State& t, Scan& me, Move& move) const {
    move.what = "loads base again";
    if (t.base != me.base && !options_.looks_once) {
      Again(t, me);
      return;
    }
    if (!IsWithin(t, me)) {
      move.wrong = "I2: a value that the counter did not have";
    }
    me = {kIdle, me.left, 0, 0, 0, 0, 0};
  }

  void EndReset(State& t, Scan& me, Move& move) const {
    move.what = "CAS base";
    if (options_.zeroes_the_cells) {
      me = {kIdle, me.left, 0, 0, 0, 0, 0};
      return;
    }
    if (t.base != me.base && !options_.base_by_store) {
      Again(t, me);
      return;
    }
    t.taken = static_cast<U8>(t.taken + me.sum - me.base);
    t.base = me.sum;
    if (!IsWithin(t, me)) {
      move.wrong = "I3: a reset took what the counter was not";
    }
    me = {kIdle, me.left, 0, 0, 0, 0, 0};
  }

  static void Again(const State& t, Scan& me) {
    me.base = t.base;
    me.at = me.sum = 0;
    me.pc = kCells;
  }

  bool IsWithin(const State& t, const Scan& me) const {
    const U8 value = static_cast<U8>(me.sum - me.base);
    return !IsWatched(static_cast<int>(&me - t.scan)) ||
           (value >= me.least && value <= me.greatest);
  }

  Options options_;
};

TEST(SumModelTest, EachAddIsTakenOnceOrCounts) {
  ExpectHolds(SumModel({}), "sum");
}

TEST(SumModelTest, AValueLiesBetweenTheLeastAndTheGreatestThatTheCounterWasMeanwhile) {
  ExpectHolds(SumModel({.reads = true}), "sum with a reader");
}

TEST(SumModelTest, EachAddIsTakenOnceOrCountsWhereLanesSubtractToo) {
  ExpectHolds(SumModel({.lane_1_subtracts = true}), "sum with subtractions");
}

TEST(SumModelTest, AResetThatStoresBaseIsCaught) {
  ExpectCaught(SumModel({.base_by_store = true}), "sum, weakened: a store of base, no CAS");
}

TEST(SumModelTest, AResetThatZeroesTheCellsIsCaught) {
  ExpectCaught(SumModel({.zeroes_the_cells = true}), "sum, weakened: the cells go to 0");
}

TEST(SumModelTest, AValueThatDoesNotLookAtBaseAgainIsCaught) {
  ExpectCaught(SumModel({.reads = true, .looks_once = true}),
               "sum, weakened: base is looked at once");
}

TEST(SumModelTest, TwoOwnersOfOneCellAreCaught) {
  ExpectCaught(SumModel({.two_owners = true}), "sum, weakened: two owners of a cell at once");
}

TEST(SumModelTest, ANextOwnerThatDoesNotGoOnFromTheCellIsCaught) {
  ExpectCaught(SumModel({.starts_at_zero = true}), "sum, weakened: the next owner starts at 0");
}

}  // namespace
}  // namespace commy::model
