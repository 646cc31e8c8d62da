// Marking a store clean while it is in use: the steps of region/clean_word.h.
//
// WORDS    word {generation, cycle, arming, dirty}; a flag and a count for each writer (its op word
//          in its lane); two pages of data for each writer. Disk: a copy of each page, which the
//          kernel may bring up to date at any moment.
// STEPS    write   flag, count; look at the word   dirty-2 take arming away by CAS, or dirty-1 CAS
//                  clean -> dirty in the next cycle, and unless done in this cycle: write the
//                  word's page to disk; then change one page, change the other, flag down
//          sync    sync-2 CAS arming in, generation + 1   sync-3 wait for each writer that is
//                  flagged   sync-4 write each page to disk   sync-5 CAS that word -> clean
// HOLDS    if the word on disk says clean, no change is half there on disk; and while the word in
//          memory says so too, disk and memory are equal
#include "model/lib/explorer.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kWriters = 2;
constexpr int kSyncers = 2;
constexpr int kPages = kWriters * 2;
constexpr int kKernel = kWriters + kSyncers;

struct Options {
  bool no_generation = false;
  bool no_wait = false;
  bool leans_on_others = false;
  bool looks_before_the_flag = false;
  bool clean_before_the_disk = false;
};

struct Word {
  U8 dirty, arming, cycle, generation;
  bool operator==(const Word&) const = default;
};

class SyncModel {
 public:
  enum Pc : U8 { kIdle, kFlag, kLook, kMark, kFlush, kFirst, kSecond, kDown };
  enum SyncPc : U8 { kArm, kWait, kWaitOn, kWrite, kComplete, kDone };
  struct Writer {
    U8 pc, ops, flag, count, synced;  // `synced`: the cycle + 1 that it wrote to disk itself.
    Word seen;
  };
  struct Syncer {
    U8 pc, at, count, attempts;
    Word armed;
  };
  struct State {
    Word word;
    U8 disk_clean;
    U8 page[kPages];
    U8 disk[kPages];
    Writer writer[kWriters];
    Syncer syncer[kSyncers];
  };

  explicit SyncModel(Options options) : options_(options) {}

  State Initial() const {
    State s{};
    s.disk_clean = 1;
    s.writer[0].ops = 2;
    s.writer[1].ops = 1;
    s.syncer[0].attempts = 2;
    s.syncer[1].attempts = 1;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int w = 0; w < kWriters; ++w) {
      EmitStep(s, w, emit, [&](State& t, Move& move) { Write(s, t, w, move); });
    }
    for (int y = 0; y < kSyncers; ++y) {
      EmitStep(s, kWriters + y, emit, [&](State& t, Move& move) { Sync(s, t, y, move); });
    }
    for (int p = 0; p < kPages; ++p) {
      if (s.disk[p] == s.page[p]) {
        continue;
      }
      State t = s;
      t.disk[p] = s.page[p];
      emit(t, Move{kKernel, "writes a page to disk"});
    }
    if (const U8 clean = s.word.dirty == 0; s.disk_clean != clean) {
      State t = s;
      t.disk_clean = clean;
      emit(t, Move{kKernel, "writes the word's page to disk"});
    }
  }

  const char* Check(const State& s) const {
    if (s.disk_clean == 0) {
      return nullptr;
    }
    for (int p = 0; p < kPages; p += 2) {
      if (s.disk[p] != s.disk[p + 1]) {
        return "clean on disk, and half a change there";
      }
    }
    if (s.word.dirty == 0 && std::memcmp(s.page, s.disk, sizeof s.page) != 0) {
      return "clean, and a change is not on disk";
    }
    return nullptr;
  }

 private:
  void Write(const State& s, State& t, int w, Move& move) const {
    Writer& me = t.writer[w];
    switch (me.pc) {
      case kIdle:
        if (me.ops == 0) {
          return;
        }
        me.pc = options_.looks_before_the_flag ? kLook : kFlag;
        if (me.pc == kLook) {
          Look(s, me);
          move.what = "looks at the word";
          return;
        }
        [[fallthrough]];
      case kFlag:
        me.flag = 1;
        ++me.count;
        me.pc = options_.looks_before_the_flag ? AfterLook(me) : kLook;
        move.what = "shows its operation";
        return;
      case kLook:
        Look(s, me);
        me.pc = AfterLook(me);
        move.what = "looks at the word";
        return;
      case kMark:
        Mark(s, t, me);
        move.what = "CAS: away with arming, or clean -> dirty";
        return;
      case kFlush:
        t.disk_clean = s.word.dirty == 0;
        me.synced = me.seen.cycle + 1;
        me.seen = {};
        me.pc = kFirst;
        move.what = "writes the word's page to disk";
        return;
      case kFirst:
        ++t.page[w * 2];
        me.pc = kSecond;
        move.what = "changes a page";
        return;
      case kSecond:
        ++t.page[w * 2 + 1];
        me.pc = kDown;
        move.what = "changes the other";
        return;
      default:
        me.flag = 0;
        --me.ops;
        me.pc = kIdle;
        move.what = "its operation is over";
        return;
    }
  }

  void Look(const State& s, Writer& me) const {
    me.seen = s.word;
    if (options_.looks_before_the_flag) {
      me.pc = kFlag;
    }
  }

  Pc AfterLook(Writer& me) const {
    if (me.seen.dirty == 0 || me.seen.arming != 0) {
      return kMark;
    }
    if (me.synced != 0 && (options_.leans_on_others || me.synced == me.seen.cycle + 1)) {
      me.seen = {};
      return kFirst;
    }
    return kFlush;
  }

  void Mark(const State& s, State& t, Writer& me) const {
    if (s.word == me.seen) {
      t.word.arming = 0;
      if (s.word.dirty == 0) {
        t.word.dirty = 1;
        ++t.word.cycle;
      }
    }
    me.seen = t.word;
    me.pc = AfterLook(me);
  }

  void Sync(const State& s, State& t, int y, Move& move) const {
    Syncer& me = t.syncer[y];
    switch (me.pc) {
      case kArm:
        if (me.attempts == 0 || s.word.dirty == 0) {
          return;
        }
        --me.attempts;
        t.word.arming = 1;
        if (!options_.no_generation) {
          ++t.word.generation;
        }
        me.armed = t.word;
        me.at = 0;
        me.pc = options_.no_wait ? kWrite : kWait;
        move.what = "arms";
        return;
      case kWait:
        me.count = s.writer[me.at].count;
        me.pc = kWaitOn;
        move.what = "looks at a writer";
        return;
      case kWaitOn:
        if (s.writer[me.at].flag != 0 && s.writer[me.at].count == me.count) {
          return;
        }
        me.count = 0;
        me.pc = ++me.at == kWriters ? kWrite : kWait;
        if (me.pc == kWrite) {
          me.at = 0;
          if (options_.clean_before_the_disk) {
            Complete(s, t);
          }
        }
        move.what = "that operation is over";
        return;
      case kWrite:
        t.disk[me.at] = s.page[me.at];
        if (++me.at == kPages) {
          me.pc = kComplete;
        }
        move.what = "writes a page to disk";
        return;
      case kComplete:
        if (s.word == me.armed) {
          Complete(s, t);
        }
        me.armed = {};
        me.at = 0;
        me.pc = kArm;
        move.what = "CAS armed -> clean";
        return;
      default:
        return;
    }
  }

  static void Complete(const State& s, State& t) {
    t.word = s.word;
    t.word.arming = t.word.dirty = 0;
  }

  Options options_;
};

TEST(SyncModelTest, AStoreThatIsCleanOnDiskHoldsNoHalfChange) {
  ExpectHolds(SyncModel({}), "sync");
}

TEST(SyncModelTest, ArmingTwiceWithTheSameWordIsCaught) {
  ExpectCaught(SyncModel({.no_generation = true}), "sync, weakened: no generation");
}

TEST(SyncModelTest, MarkingCleanWithoutWaitingForOperationsIsCaught) {
  ExpectCaught(SyncModel({.no_wait = true}), "sync, weakened: no wait");
}

TEST(SyncModelTest, RelyingOnAnotherSessionsSyncOfTheWordIsCaught) {
  ExpectCaught(SyncModel({.leans_on_others = true}), "sync, weakened: once a session");
}

TEST(SyncModelTest, ReadingTheWordBeforeShowingTheOperationIsCaught) {
  ExpectCaught(SyncModel({.looks_before_the_flag = true}), "sync, weakened: looks first");
}

TEST(SyncModelTest, MarkingCleanBeforeThePagesAreOnDiskIsCaught) {
  ExpectCaught(SyncModel({.clean_before_the_disk = true}), "sync, weakened: clean first");
}

}  // namespace
}  // namespace commy::model
