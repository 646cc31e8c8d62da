// What is due: the steps D1 to D4 and E1 to E5 of docs/decisions/0011-expiry.md.
//
// WORDS    `due` of the root and of two segments, the second of which takes the first one's place; the
//          slots of each; the first one's frozen bit; which of them is in place. Times: 2 is over,
//          5 is not.
// STEPS    writer   publishes its key, which expires at 2, lowers the segment's word, then the root's,
//                   looks whether the segment froze; the first one then puts its key again, with 5
//          helper   freezes, copies the slots one by one, passes the word on, puts the new one in
//                   place; two of them, the second may be late
//          sweeper  claims the root, claims the segment, looks at its slots, writes the segment's
//                   word, the root's, deletes what it listed; two of them
// KILLS    writers, anywhere; who recovers one lowers the words if its key was published. Sweepers and
//          helpers may stop anywhere, which is the same for those who are not recovered.
// HOLDS    when the writers and the change of shape are through: what expires is in a segment whose
//          word is a claim, or not later; likewise the root. And nothing is deleted that lives.
#include <algorithm>
#include <cstdio>

#include "explorer.h"

namespace commy::model {
namespace {

using U8 = std::uint8_t;
constexpr int kKeys = 2;
constexpr int kSweepers = 2;
constexpr int kHelpers = 2;
constexpr U8 kAtOnce = 1;
constexpr U8 kOver = 2;
constexpr U8 kNow = 3;
constexpr U8 kLater = 5;
constexpr U8 kClaim = 0x80;
constexpr U8 kPasses = 2;

struct Options {
  int writers = kKeys;
  int helpers = kHelpers;
  int sweepers = kSweepers;
  bool root_by_plain_store = false;
  bool segment_by_plain_store = false;
  bool one_claim_for_all = false;
  bool claims_left_alone = false;
  bool segment_only_if_lowered = false;
  bool no_look_at_frozen = false;
  bool passes_on_before_freezing = false;
  bool claim_not_passed_on = false;
  bool dead_not_noted = false;
  bool deletes_without_looking = false;
};

class ExpiryModel {
 public:
  static constexpr U8 kPublish = 0, kLocate = 1, kLowerRoot = 2, kFrozen = 3, kDone = 4, kLost = 5;
  static constexpr U8 kFreeze = 0, kCopy = 1, kPass = kCopy + kKeys, kPlace = kPass + 1,
                      kHelped = kPlace + 1, kFreezeLate = kHelped + 1;
  static constexpr U8 kIdle = 0, kFind = 1, kLook = 2, kTellSegment = kLook + kKeys,
                      kTellRoot = kTellSegment + 1, kDelete = kTellRoot + 1;

  struct Writer {
    U8 pc, puts, segment, expiry, dead, lowered;
  };
  struct Helper {
    U8 pc;
  };
  struct Sweeper {
    U8 pc, passes, claim, segment, again, next, listed;
  };
  struct State {
    U8 root_due, due[2];
    U8 slot[2][kKeys];  // When it expires; 0: not there.
    U8 frozen, in_place, claims;
    Writer writer[kKeys];
    Helper helper[kHelpers];
    Sweeper sweeper[kSweepers];
  };

  explicit ExpiryModel(Options options) : weak_(options) {}

  State Initial() const {
    State s;
    std::memset(&s, 0, sizeof s);
    s.writer[0].puts = 2;
    s.writer[1].puts = 1;
    for (Writer& writer : s.writer) writer.expiry = kOver;
    // Who is not wanted is through.
    for (int w = weak_.writers; w < kKeys; ++w) s.writer[w] = {kDone, 0, 0, 0, 1, 0};
    for (int h = weak_.helpers; h < kHelpers; ++h) s.helper[h].pc = kHelped;
    for (int y = weak_.sweepers; y < kSweepers; ++y) s.sweeper[y].passes = kPasses;
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int w = 0; w < kKeys; ++w) {
      State t = s;
      if (const char* const what = Write(s, t, w); what != nullptr) emit(t, Move{w, what});
      if (s.writer[w].dead == 0 && s.writer[w].pc < kDone) {
        State dead = s;
        Kill(dead.writer[w]);
        emit(dead, Move{w, "is killed"});
      }
    }
    for (int h = 0; h < kHelpers; ++h) {
      State t = s;
      if (const char* const what = Help(s, t, t.helper[h]); what != nullptr) {
        emit(t, Move{kKeys + h, what});
      }
    }
    for (int y = 0; y < kSweepers; ++y) {
      State t = s;
      Move move{kKeys + kHelpers + y, nullptr};
      Sweep(s, t, t.sweeper[y], move);
      if (move.what != nullptr) emit(t, move);
    }
  }

  const char* Check(const State& s) const {
    for (const Writer& writer : s.writer) {
      if (writer.pc < kDone) return nullptr;
    }
    if (s.frozen != 0 && s.in_place == 0) return nullptr;
    for (int k = 0; k < kKeys; ++k) {
      const U8 expiry = s.slot[s.in_place][k];
      if (expiry == 0) continue;
      if (!Covers(s.due[s.in_place], expiry)) return "a segment's word knows nothing of a key";
      if (!Covers(s.root_due, expiry)) return "the root's word knows nothing of a key";
    }
    return nullptr;
  }
  const char* CheckFinal(const State&) const { return nullptr; }

 private:
  static bool IsClaim(U8 due) { return (due & kClaim) != 0; }
  static bool IsDue(U8 due) { return due != 0 && (IsClaim(due) || due <= kNow); }
  static bool Covers(U8 due, U8 expiry) { return due != 0 && (IsClaim(due) || due <= expiry); }
  static U8 Earlier(U8 a, U8 b) { return a == 0 || (b != 0 && b < a) ? b : a; }

  // True: the word was changed.
  bool Lower(U8& word, U8 due) const {
    if (IsClaim(word)) {
      if (weak_.claims_left_alone) return false;
      word = kAtOnce;
      return true;
    }
    if (word != 0 && word <= due) return false;
    word = due;
    return true;
  }

  void Kill(Writer& me) const {
    me.dead = 1;
    me.puts = 1;
    // Nothing was published, or (a weakening) nobody tells what was.
    if (me.pc == kPublish || weak_.dead_not_noted) me.pc = kLost;
    if (me.pc == kLowerRoot || me.pc == kFrozen) me.pc = kLocate;  // Once more from the start.
  }

  const char* Write(const State& s, State& t, int w) const {
    Writer& me = t.writer[w];
    switch (me.pc) {
      case kPublish:
        if (s.frozen != 0 && s.in_place == 0) return nullptr;  // The change is finished first.
        t.slot[s.in_place][w] = me.expiry;
        me.pc = kLocate;
        return "publishes";
      case kLocate:
        if (s.frozen != 0 && s.in_place == 0 && me.dead != 0) return nullptr;
        me.segment = s.in_place;
        me.lowered = Lower(t.due[me.segment], me.expiry) ? 1 : 0;
        me.pc = kLowerRoot;
        return "lowers the segment's word";
      case kLowerRoot:
        if (!weak_.segment_only_if_lowered || me.lowered != 0) Lower(t.root_due, me.expiry);
        me.lowered = 0;
        me.pc = kFrozen;
        return "lowers the root's word";
      case kFrozen:
        if (me.segment == 0 && s.frozen != 0 && !weak_.no_look_at_frozen) {
          if (s.in_place == 0) return nullptr;
          me.pc = kLocate;
          return "finds it frozen";
        }
        me.segment = 0;
        --me.puts;
        me.pc = me.puts == 0 ? kDone : kPublish;
        me.expiry = me.puts == 0 ? me.expiry : kLater;
        return "is through";
      default:
        return nullptr;
    }
  }

  const char* Help(const State& s, State& t, Helper& me) const {
    if (me.pc == kFreeze) {
      if (weak_.passes_on_before_freezing) {
        PassOn(s, t);
        me.pc = kFreezeLate;
        return "passes the word on";
      }
      t.frozen = 1;
      ++me.pc;
      return "freezes";
    }
    if (me.pc == kFreezeLate) {
      t.frozen = 1;
      me.pc = kCopy;
      return "freezes";
    }
    if (me.pc < kPass) {
      const int k = me.pc - kCopy;
      if (s.in_place == 0 && s.slot[1][k] == 0) t.slot[1][k] = s.slot[0][k];  // By CAS from 0.
      ++me.pc;
      return "copies a slot";
    }
    if (me.pc == kPass) {
      if (!weak_.passes_on_before_freezing) PassOn(s, t);
      ++me.pc;
      return "passes the word on";
    }
    if (me.pc == kPlace) {
      t.in_place = 1;
      ++me.pc;
      return "puts the new one in place";
    }
    return nullptr;
  }
  void PassOn(const State& s, State& t) const {
    const U8 due = s.due[0];
    if (due == 0 || (IsClaim(due) && weak_.claim_not_passed_on)) return;
    Lower(t.due[1], IsClaim(due) ? kAtOnce : due);
  }

  void Sweep(const State& s, State& t, Sweeper& me, Move& move) const {
    if (me.pc == kIdle) {
      if (me.passes == kPasses || !IsDue(s.root_due)) return;
      ++me.passes;
      t.claims += weak_.one_claim_for_all ? 0 : 1;
      me.claim = kClaim | t.claims;
      t.root_due = me.claim;
      me.pc = kFind;
      move.what = "claims the root";
    } else if (me.pc == kFind) {
      me.segment = s.in_place;
      const U8 due = s.due[me.segment];
      if (IsDue(due)) {
        t.due[me.segment] = me.claim;
        me.pc = kLook;
      } else {
        me.next = Earlier(me.next, due);
        me.pc = kTellRoot;
      }
      move.what = "looks at the segment's word";
    } else if (me.pc < kTellSegment) {
      const int k = me.pc - kLook;
      const U8 expiry = s.slot[me.segment][k];
      if (expiry != 0 && expiry <= kNow) {
        me.listed |= static_cast<U8>(1U << k);
        me.again = kAtOnce;
      } else {
        me.again = Earlier(me.again, expiry);
      }
      ++me.pc;
      move.what = "looks at a slot";
    } else if (me.pc == kTellSegment) {
      const bool told = s.due[me.segment] == me.claim || weak_.segment_by_plain_store;
      if (told) t.due[me.segment] = me.again;
      me.next = Earlier(me.next, told ? me.again : kAtOnce);
      me.again = 0;
      ++me.pc;
      move.what = "writes the segment's word";
    } else if (me.pc == kTellRoot) {
      if (s.root_due == me.claim || weak_.root_by_plain_store) t.root_due = me.next;
      me.next = me.claim = me.segment = 0;
      me.pc = me.listed == 0 ? kIdle : kDelete;
      move.what = "writes the root's word";
    } else {
      if (s.frozen != 0 && s.in_place == 0) return;
      const int k = (me.listed & 1) != 0 ? 0 : 1;
      const U8 expiry = s.slot[s.in_place][k];
      if (expiry > kNow && weak_.deletes_without_looking) move.wrong = "deletes a key that lives";
      if (expiry != 0 && expiry <= kNow) t.slot[s.in_place][k] = 0;
      me.listed &= static_cast<U8>(~(1U << k));
      if (me.listed == 0) me.pc = kIdle;
      move.what = "deletes a key";
    }
  }

  const Options weak_;
};

// All of them at once are too many states; each two meet each other in one of these.
constexpr struct {
  int writers, helpers, sweepers;
} kCasts[] = {{2, 0, 2}, {1, 2, 1}, {2, 1, 1}, {1, 1, 2}};

TEST(ExpiryModelTest, WhatExpiresIsFound) {
  for (const auto& cast : kCasts) {
    const Options options{cast.writers, cast.helpers, cast.sweepers};
    const Result result = Explorer<ExpiryModel>(ExpiryModel(options), Limits{}).Run();
    EXPECT_TRUE(result.complete) << result.violation;
    std::printf("%d writers, %d helpers, %d sweepers: %llu states\n", cast.writers, cast.helpers,
                cast.sweepers, static_cast<unsigned long long>(result.states));
    EXPECT_GT(result.states, 1000U);
  }
}

TEST(ExpiryModelTest, EachWeakeningIsCaught) {
  const struct {
    const char* name;
    Options weakened;
  } all[] = {
      {"root by a plain store", {.root_by_plain_store = true}},
      {"segment by a plain store", {.segment_by_plain_store = true}},
      {"one claim for all", {.one_claim_for_all = true}},
      {"claims left alone", {.claims_left_alone = true}},
      {"root only if the segment was lowered", {.segment_only_if_lowered = true}},
      {"no look at frozen", {.no_look_at_frozen = true}},
      {"passes on before freezing", {.passes_on_before_freezing = true}},
      {"claim not passed on", {.claim_not_passed_on = true}},
      {"dead not noted", {.dead_not_noted = true}},
      {"deletes without looking", {.deletes_without_looking = true}},
  };
  for (const auto& weakening : all) {
    std::string violation;
    for (const auto& cast : kCasts) {
      Options options = weakening.weakened;
      options.writers = cast.writers;
      options.helpers = cast.helpers;
      options.sweepers = cast.sweepers;
      if (violation.empty()) {
        violation = Explorer<ExpiryModel>(ExpiryModel(options), Limits{}).Run().violation;
      }
    }
    EXPECT_FALSE(violation.empty()) << weakening.name << " was not noticed";
  }
}

}  // namespace
}  // namespace commy::model
