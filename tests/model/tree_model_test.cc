// A leaf change under an inner node: put, overwrite, delete, and the rebuild, split and merge of
// leaves, which late posters and helpers carry out on leaves that others changed meanwhile.
//
// WORDS    root: the inner node; an inner node: cuts between the keys 1 | 2 | 3, and a child word
//          for each part; a leaf: base slots, then append slots in claimed order, each
//          0 | {key, value} with a closed bit and a frozen bit; pending 0 | descriptor
// STEPS    find     root, child word, slots: base, then append area
//          post     reads root and child words, notes a descriptor with zeroed targets;
//                   reshape-1 CAS pending 0 -> D; a loser helps
//          help     D = pending; do root and the child words name the blocks of D? Then: does
//                   pending still name D?   reshape-2 freeze every slot of the old leaves
//                   reshape-3 CAS base slots from 0, then child words of the new parent from 0;
//                   unchanged ones are read from the old parent
//                   reshape-4 CAS the child word, or the root   reshape-5 CAS pending D -> 0
//          retire   reshape-6 of old leaves, new leaves, old and new parent those that the root
//                   does not lead to, and D
// HOLDS    I1 at any moment the root leads to each acknowledged key once, with its last value
//          I2 no block is given back that a process may still touch, or that the root leads to
//          I3 when all is quiet: pending 0, each block that the root does not lead to is free
//          I4 from each state the end can be reached, whichever process was killed
#include <array>

#include "model/lib/explorer.h"
#include "model/lib/pins.h"
#include "model/lib/recovery.h"
#include "model/lib/slots.h"
#include "model/lib/steps.h"
#include "model/lib/words.h"

namespace commy::model {
namespace {

constexpr int kLeaves = 9;       // Names 1..8.
constexpr int kInners = 5;       // Names 1..4.
constexpr int kDescriptors = 4;  // Names 1..3.
constexpr int kProcesses = 4;
constexpr int kRecoverer = 3;
constexpr int kBase = 2;
constexpr int kSlots = 3;  // The last one is the append area.

// kRebuild posts at once a rebuild of the leaf of its key; kSplit a split of that leaf below its
// key; kMerge a merge of the two leaves at the cut below its key.
enum OpKind : U8 { kNone, kPut, kDelete, kRebuild, kSplit, kMerge };

using Op = Operation<OpKind>;

struct Options {
  int kills = 1;
  U8 cuts = 1;                   // Bit 0: between 1 and 2; bit 1: between 2 and 3.
  U8 initial[4] = {0, 0, 0, 0};  // Values of the keys 1 to 3.
  Op ops[kRecoverer][2] = {};
  bool no_parent_check = false;
  bool no_pending_check = false;
  bool children_copied_early = false;
  bool retires_old_blindly = false;
  bool freezes_one_of_two = false;
  bool append_not_frozen = false;
  bool plain_store = false;
};

enum Pc : U8 {
  kIdle,
  kFindRoot,
  kFindChild,
  kScan,
  kSwap,
  kPlanRoot,
  kPlanChildren,
  kPost,
  kReadPending,
  kCheckPlace,
  kCheckPending,
  kFreeze,
  kFill,
  kFillParent,
  kSwapTop,
  kClear,
  kRetire,
  kUnpin,
  kRecoverUnpin
};

// Which child of a node with these cuts has the key.
constexpr int ChildOf(U8 cuts, U8 key) {
  return (key > 1 ? cuts & 1 : 0) + (key > 2 ? (cuts >> 1U) & 1 : 0);
}
constexpr int Children(U8 cuts) {
  return 1 + (cuts & 1) + ((cuts >> 1U) & 1);
}

class TreeModel {
 public:
  struct Leaf {
    Block block;
    U8 slot[kSlots];
  };
  struct Inner {
    Block block;
    U8 cuts, child[3];
  };
  // A rebuild has no fresh parent; a split one old leaf, a merge two.
  struct Descriptor {
    Block block;
    U8 parent, index, old[2], fresh[2], fresh_parent;
  };
  struct Process {
    U8 pc, op, node, leaf, at, expected, d, posted, note_d, pinned, life;
  };
  struct State {
    U8 root, pending, kills, truth[4];
    Leaf leaf[kLeaves];
    Inner inner[kInners];
    Descriptor desc[kDescriptors];
    Process process[kProcesses];
  };

  explicit TreeModel(const Options& options) : options_(options) {}

  State Initial() const {
    State s{};
    s.root = 1;
    s.kills = static_cast<U8>(options_.kills);
    s.inner[1] = {{Block::kUsed, 0}, options_.cuts, {0, 0, 0}};
    for (int i = 0; i < Children(options_.cuts); ++i) {
      s.inner[1].child[i] = static_cast<U8>(i + 1);
      s.leaf[i + 1].block.state = Block::kUsed;
    }
    for (U8 key = 1; key <= 3; ++key) {
      if (options_.initial[key] == 0) {
        continue;
      }
      Leaf& leaf = s.leaf[1 + ChildOf(options_.cuts, key)];
      int at = 0;
      while (leaf.slot[at] != 0) {
        ++at;
      }
      leaf.slot[at] = Pack(key, options_.initial[key]);
      s.truth[key] = options_.initial[key];
    }
    return s;
  }

  template <typename Emit>
  void Successors(const State& s, Emit&& emit) const {
    for (int p = 0; p < kProcesses; ++p) {
      if (s.process[p].life != kAlive) {
        continue;
      }
      if (p == kRecoverer && s.process[p].pc == kIdle) {
        StartRecovery(s, emit);
        continue;
      }
      EmitStep(s, p, emit, [&](State& t, Move& move) { Step(s, t, p, move); });
      if (p == kRecoverer || s.kills == 0 || s.process[p].pc == kIdle) {
        continue;
      }
      EmitStep(s, p, emit, [&](State& t, Move& move) {
        --t.kills;
        t.process[p] = Killed(s.process[p]);
        move.what = "is killed";
      });
    }
  }

  const char* Check(const State& s) const {
    for (U8 key = 1; key <= 3; ++key) {
      const Inner& node = s.inner[s.root];
      const Found found = Find(s.leaf[node.child[ChildOf(node.cuts, key)]].slot, key);
      if (found.count > 1) {
        return "I1: a key is there twice";
      }
      if (found.value != s.truth[key]) {
        return "I1: a change is lost, or an old value is back";
      }
    }
    return nullptr;
  }

  const char* CheckFinal(const State& s) const {
    if (s.pending != 0) {
      return "I3: the pending word was left behind";
    }
    for (U8 i = 1; i < kLeaves; ++i) {
      if ((s.leaf[i].block.state == Block::kUsed) != LeafInTree(s, i) ||
          s.leaf[i].block.state == Block::kRetired) {
        return "I3: a leaf leaked, or is in the tree and not in use";
      }
    }
    for (U8 i = 1; i < kInners; ++i) {
      if ((s.inner[i].block.state == Block::kUsed) != (s.root == i) ||
          s.inner[i].block.state == Block::kRetired) {
        return "I3: an inner node leaked, or is in the tree and not in use";
      }
    }
    for (const Descriptor& d : s.desc) {
      if (d.block.state != Block::kFree) {
        return "I3: a descriptor leaked";
      }
    }
    return nullptr;
  }

 private:
  Op OpOf(const State& s, int p) const {
    return p == kRecoverer || s.process[p].op >= 2 ? Op{} : options_.ops[p][s.process[p].op];
  }
  static bool LeafInTree(const State& s, U8 leaf) {
    const Inner& node = s.inner[s.root];
    for (int i = 0; i < Children(node.cuts); ++i) {
      if (node.child[i] == leaf) {
        return true;
      }
    }
    return false;
  }
  // Takes a pin down and gives back the blocks that waited for it alone.
  static void Unpin(State& t, int p, Move& move) {
    t.process[p].pinned = 0;
    const U8 pinned = PinnedMask(t.process);
    Collect(t.leaf, pinned, [&](U8 i) {
      if (LeafInTree(t, i)) {
        move.wrong = "I2: a leaf in the tree is given back";
      }
      if (MayTouch(t, i, 0)) {
        move.wrong = "I2: a leaf is given back that a process works on";
      }
      t.leaf[i] = Leaf{};
    });
    Collect(t.inner, pinned, [&](U8 i) {
      if (t.root == i) {
        move.wrong = "I2: the inner node in the tree is given back";
      }
      if (MayTouch(t, 0, i)) {
        move.wrong = "I2: an inner node is given back that a process works on";
      }
      t.inner[i] = Inner{};
    });
    Collect(t.desc, pinned, [&](U8 i) {
      if (t.pending == i) {
        move.wrong = "I2: the descriptor in the pending word is given back";
      }
      t.desc[i] = Descriptor{};
    });
  }

  static bool MayTouch(const State& s, U8 leaf, U8 inner) {
    for (const Process& p : s.process) {
      if (p.life != kAlive) {
        continue;
      }
      if (p.pc >= kFindChild && p.pc <= kPlanChildren && inner != 0 && p.node == inner) {
        return true;
      }
      if ((p.pc == kScan || p.pc == kSwap) && leaf != 0 && p.leaf == leaf) {
        return true;
      }
      if (p.pc < kFreeze || p.pc > kSwapTop || p.d == 0) {
        continue;
      }
      const Descriptor& d = s.desc[p.d];
      if (leaf != 0 &&
          (d.old[0] == leaf || d.old[1] == leaf || d.fresh[0] == leaf || d.fresh[1] == leaf)) {
        return true;
      }
      if (inner != 0 && (d.parent == inner || d.fresh_parent == inner)) {
        return true;
      }
    }
    return false;
  }

  static void Forget(Process& me) {
    me.node = me.leaf = me.at = me.expected = me.d = me.posted = 0;
  }

  template <typename Emit>
  void StartRecovery(const State& s, Emit&& emit) const {
    for (U8 dead = 0; dead < kRecoverer; ++dead) {
      if (s.process[dead].life != kKilled) {
        continue;
      }
      State t = s;
      Process& me = t.process[kRecoverer];
      me.pinned = 1;
      me.op = dead;
      me.d = s.process[dead].note_d;
      me.posted = 1;
      me.pc = me.d == 0 ? kRecoverUnpin : (s.pending == me.d ? kCheckPlace : kRetire);
      emit(t, Move{kRecoverer, "pins and begins to recover the dead"});
    }
  }

  void Step(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Op op = OpOf(s, p);
    const bool changes_shape = op.kind >= kRebuild;
    switch (me.pc) {
      case kIdle:
        if (op.kind == kNone) {
          return;
        }
        me.pinned = 1;
        me.pc = changes_shape ? kPlanRoot : kFindRoot;
        move.what = "pins and begins an operation";
        return;
      case kFindRoot:
        Forget(me);
        me.node = s.root;
        me.pc = kFindChild;
        move.what = "reads the root";
        return;
      case kFindChild:
        me.leaf = s.inner[me.node].child[ChildOf(s.inner[me.node].cuts, op.key)];
        me.pc = kScan;
        move.what = "reads a child word";
        return;
      case kScan:
        Scan(s, t, p, op, move);
        return;
      case kSwap:
        move.what = "loses the slot CAS and reads the slot again";
        me.pc = kScan;
        if (s.leaf[me.leaf].slot[me.at] != me.expected) {
          return;
        }
        move.what = op.kind == kPut ? "CAS: puts" : "CAS: deletes";
        t.leaf[me.leaf].slot[me.at] = op.kind == kPut ? Pack(op.key, op.value) : kDead;
        t.truth[op.key] = op.kind == kPut ? op.value : 0;
        Forget(me);
        me.pc = kUnpin;
        return;
      case kPlanRoot:
        Forget(me);
        me.node = s.root;
        me.pc = kPlanChildren;
        move.what = "reads the root, to post";
        return;
      case kPlanChildren:
        Plan(s, t, p, op);
        move.what = "reads child words and notes a descriptor and its targets";
        return;
      case kPost:
        Post(s, t, p, move);
        return;
      case kRetire:
        move.what = "retires the blocks that the root does not lead to";
        RetireAll(t, me.d);
        t.process[p].note_d = 0;
        Forget(me);
        me.pc = p == kRecoverer ? kRecoverUnpin : (changes_shape ? kUnpin : kFindRoot);
        return;
      case kUnpin:
        ++me.op;
        me.pc = kIdle;
        Unpin(t, p, move);
        move.what = "acknowledges and unpins";
        return;
      case kRecoverUnpin: {
        const U8 dead = me.op;
        t.process[dead].note_d = 0;
        Unpin(t, dead, move);
        t.process[dead].life = kRecovered;
        Forget(me);
        me.op = 0;
        me.pc = kIdle;
        Unpin(t, p, move);
        move.what = "clears the dead lane's notes and pin, frees the lane";
        return;
      }
      default:
        Help(s, t, p, move);
        return;
    }
  }

  void Scan(const State& s, State& t, int p, const Op& op, Move& move) const {
    Process& me = t.process[p];
    move.what = "reads a slot";
    const bool end = me.at == kSlots;
    const U8 word = end ? 0 : s.leaf[me.leaf].slot[me.at];
    if (!end && me.at < kBase &&
        Thawed(word) == 0) {  // An unused entry of the base, frozen or not.
      ++me.at;
      return;
    }
    if (!end && (word & kFrozen) != 0) {
      me.pc = kReadPending;
      return;
    }
    if (!end && word != 0) {
      if (word != kDead && KeyOf(word) == op.key) {
        me.expected = word;
        me.pc = kSwap;
        return;
      }
      ++me.at;
      return;
    }
    if (op.kind != kPut) {
      Forget(me);
      me.pc = kUnpin;  // The key is not there.
    } else if (!end) {
      me.expected = 0;
      me.pc = kSwap;
    } else {
      me.pc = kPlanRoot;
      move.what = "finds the append area full";
    }
  }

  void Plan(const State& s, State& t, int p, const Op& op) const {
    Process& me = t.process[p];
    const Inner& node = s.inner[me.node];
    const U8 cut = static_cast<U8>(op.key < 2 ? 0 : 1U << (op.key - 2U));
    const U8 d = FirstFree(s.desc);
    const U8 parent = FirstFree(s.inner);
    Descriptor made{};
    made.block.state = Block::kUsed;
    made.parent = me.node;
    made.fresh[0] = FirstFree(s.leaf);
    made.index = static_cast<U8>(ChildOf(node.cuts, op.key));
    U8 cuts = node.cuts;
    bool fits = d != 0 && parent != 0 && made.fresh[0] != 0;
    if (op.kind == kMerge) {
      fits = fits && (node.cuts & cut) != 0;
      if (fits) {
        --made.index;
      }
      made.old[1] = node.child[made.index + 1];
      cuts = static_cast<U8>(cuts & ~cut);
      made.fresh_parent = parent;
    } else if (op.kind == kSplit) {
      made.fresh[1] = FirstFree(s.leaf, made.fresh[0]);
      fits = fits && (node.cuts & cut) == 0 && made.fresh[1] != 0;
      cuts |= cut;
      made.fresh_parent = parent;
    }
    if (!fits) {  // The change has become impossible, or there is no room: the operation ends.
      Forget(me);
      me.pc = kUnpin;
      return;
    }
    made.old[0] = node.child[made.index];
    t.desc[d] = made;
    for (const U8 fresh : made.fresh) {
      if (fresh != 0) {
        t.leaf[fresh] = Leaf{{Block::kUsed, 0}, {0, 0, 0}};
      }
    }
    if (made.fresh_parent != 0) {
      t.inner[made.fresh_parent] = Inner{{Block::kUsed, 0}, cuts, {0, 0, 0}};
      if (options_.children_copied_early) {
        for (int i = 0; i < Children(cuts); ++i) {
          t.inner[made.fresh_parent].child[i] = NewChild(s, made, i);
        }
      }
    }
    me.d = me.note_d = d;
    me.at = 0;
    me.pc = kPost;
  }

  // The child that the new parent names at `i`.
  static U8 NewChild(const State& s, const Descriptor& d, int i) {
    const int fresh = d.fresh[1] != 0 ? 2 : 1;
    const int old = d.old[1] != 0 ? 2 : 1;
    if (i < d.index) {
      return s.inner[d.parent].child[i];
    }
    if (i < d.index + fresh) {
      return d.fresh[i - d.index];
    }
    return s.inner[d.parent].child[i - fresh + old];
  }

  static void Post(const State& s, State& t, int p, Move& move) {
    Process& me = t.process[p];
    if (s.pending == 0) {
      t.pending = me.d;
      me.posted = 1;
      me.pc = kCheckPlace;
      move.what = "posts: CAS pending 0 -> D (reshape-1)";
      return;
    }
    const Descriptor& d = s.desc[me.d];
    for (const U8 fresh : d.fresh) {
      if (fresh != 0) {
        t.leaf[fresh] = Leaf{};
      }
    }
    if (d.fresh_parent != 0) {
      t.inner[d.fresh_parent] = Inner{};
    }
    t.desc[me.d] = Descriptor{};
    me.note_d = 0;
    Forget(me);
    me.pc = kReadPending;
    move.what = "finds the pending word taken, gives its own back, and helps";
  }

  bool InPlace(const State& s, const Descriptor& d) const {
    const Inner& parent = s.inner[d.parent];
    if (s.root != d.parent && !options_.no_parent_check) {
      return false;
    }
    return parent.child[d.index] == d.old[0] &&
           (d.old[1] == 0 || parent.child[d.index + 1] == d.old[1]);
  }

  void Help(const State& s, State& t, int p, Move& move) const {
    Process& me = t.process[p];
    const Descriptor& d = s.desc[me.d];
    const auto next = [&me](Pc pc) {
      me.at = 0;
      me.pc = pc;
    };
    switch (me.pc) {
      case kReadPending:
        Forget(me);
        me.d = s.pending;
        move.what = "reads the pending word";
        return next(me.d != 0 ? kCheckPlace : OpOf(s, p).kind >= kRebuild ? kPlanRoot : kFindRoot);
      case kCheckPlace:
        move.what = "looks whether all is in place";
        me.expected = InPlace(s, d) ? 1 : 0;
        return next(kCheckPending);
      case kCheckPending:
        move.what = "looks whether the pending word still names D";
        if (s.pending != me.d && !options_.no_pending_check) {
          return AfterClear(s, p, me);
        }
        return next(me.expected != 0 ? kFreeze : kClear);
      case kFreeze: {
        move.what = "freezes a slot (reshape-2)";
        const U8 leaf = d.old[me.at / kSlots];
        const int at = me.at % kSlots;
        if (!options_.append_not_frozen || at < kBase || s.leaf[leaf].slot[at] != 0) {
          t.leaf[leaf].slot[at] |= kFrozen;
        }
        const bool two = d.old[1] != 0 && !options_.freezes_one_of_two;
        if (++me.at < (two ? 2 * kSlots : kSlots)) {
          return;
        }
        return next(kFill);
      }
      case kFill:
        move.what = "puts a word into the base of a new leaf (reshape-3)";
        Fill(s, t, d, me.at);
        if (++me.at < 3) {
          return;
        }
        return next(d.fresh_parent != 0 ? kFillParent : kSwapTop);
      case kFillParent: {
        move.what = "puts a child word into the new parent (reshape-3)";
        U8& child = t.inner[d.fresh_parent].child[me.at];
        if (child == 0 || options_.plain_store) {
          child = NewChild(s, d, me.at);
        }
        if (++me.at < Children(s.inner[d.fresh_parent].cuts)) {
          return;
        }
        return next(kSwapTop);
      }
      case kSwapTop:
        move.what = "CAS of the word that names the topmost old node (reshape-4)";
        if (d.fresh_parent != 0) {
          Cas(t.root, d.parent, d.fresh_parent);
        } else if (s.inner[d.parent].child[d.index] == d.old[0]) {
          t.inner[d.parent].child[d.index] = d.fresh[0];
        }
        return next(kClear);
      default:
        move.what = "clears the pending word (reshape-5)";
        Cas(t.pending, me.d, 0);
        return AfterClear(s, p, me);
    }
  }

  void AfterClear(const State& s, int p, Process& me) const {
    me.at = me.expected = 0;
    if (me.posted != 0) {
      me.pc = kRetire;
      return;
    }
    Forget(me);
    me.pc = OpOf(s, p).kind >= kRebuild ? kPlanRoot : kFindRoot;
  }

  // The word of key `at` + 1, where it belongs: the base is sorted.
  void Fill(const State& s, State& t, const Descriptor& d, int at) const {
    const U8 key = static_cast<U8>(at + 1);
    const auto word_of = [&](U8 wanted) {
      for (const U8 old : d.old) {
        if (old == 0) {
          continue;
        }
        for (const U8 word : s.leaf[old].slot) {
          if (Thawed(word) != kDead && KeyOf(word) == wanted) {
            return Thawed(word);
          }
        }
      }
      return U8{0};
    };
    const U8 word = word_of(key);
    if (word == 0) {
      return;
    }
    const auto side = [&](U8 wanted) {
      return d.fresh[1] == 0 ? 0 : ChildOf(s.inner[d.fresh_parent].cuts, wanted) - d.index;
    };
    int place = 0;
    for (U8 before = 1; before < key; ++before) {
      if (word_of(before) != 0 && side(before) == side(key)) {
        ++place;
      }
    }
    U8& slot = t.leaf[d.fresh[side(key)]].slot[place];
    if (slot == 0 || options_.plain_store) {
      slot = word;
    }
  }

  void RetireAll(State& t, U8 name) const {
    const Descriptor d = t.desc[name];
    for (const U8 old : d.old) {
      if (old != 0 && (options_.retires_old_blindly || !LeafInTree(t, old))) {
        Retire(t.leaf[old].block, PinnedMask(t.process));
      }
    }
    for (const U8 fresh : d.fresh) {
      if (fresh != 0 && !LeafInTree(t, fresh)) {
        Retire(t.leaf[fresh].block, PinnedMask(t.process));
      }
    }
    if (d.fresh_parent != 0) {
      for (const U8 node : {d.parent, d.fresh_parent}) {
        if (t.root != node) {
          Retire(t.inner[node].block, PinnedMask(t.process));
        }
      }
    }
    Retire(t.desc[name].block, PinnedMask(t.process));
  }

  Options options_;
};

// A put and an overwrite while the leaf is rebuilt; a helper comes late.
Options Rebuild() {
  Options o;
  o.cuts = 0;
  o.initial[1] = 1;
  o.ops[0][0] = {kRebuild, 1, 0};
  o.ops[1][0] = {kPut, 2, 2};
  o.ops[1][1] = {kPut, 2, 3};
  o.ops[2][0] = {kPut, 1, 4};
  return o;
}

// A rebuild is planned under a parent that a split of its other child replaces.
Options StaleParent() {
  Options o;
  o.cuts = 1;
  o.initial[1] = 1;
  o.initial[3] = 1;
  o.ops[0][0] = {kRebuild, 1, 0};
  o.ops[1][0] = {kSplit, 3, 0};
  o.ops[2][0] = {kPut, 1, 2};
  return o;
}

// Two leaves are merged while keys come to both.
Options Merge() {
  Options o;
  o.cuts = 1;
  o.initial[1] = 1;
  o.ops[0][0] = {kMerge, 2, 0};
  o.ops[1][0] = {kPut, 2, 2};
  o.ops[2][0] = {kDelete, 1, 0};
  return o;
}

// A split whose new parent has to name the leaf that a rebuild beside it makes.
Options Neighbours() {
  Options o;
  o.cuts = 2;
  o.initial[1] = 1;
  o.initial[3] = 1;
  o.ops[0][0] = {kSplit, 2, 0};
  o.ops[1][0] = {kRebuild, 3, 0};
  o.ops[2][0] = {kPut, 3, 2};
  return o;
}

// Two posts of one merge, and a split that undoes it.
Options Undone() {
  Options o;
  o.cuts = 1;
  o.initial[1] = 1;
  o.ops[0][0] = {kMerge, 2, 0};
  o.ops[1][0] = {kMerge, 2, 0};
  o.ops[2][0] = {kSplit, 2, 0};
  return o;
}

// Rebuilds of one leaf follow one another: late posts name one that is gone, and whose memory has
// become a leaf of the tree again.
Options Posters() {
  Options o;
  o.kills = 0;
  o.cuts = 0;
  o.initial[1] = 1;
  o.ops[0][0] = {kRebuild, 1, 0};
  o.ops[1][0] = {kRebuild, 1, 0};
  o.ops[1][1] = {kRebuild, 1, 0};
  o.ops[2][0] = {kRebuild, 1, 0};
  return o;
}

TEST(TreeModelTest, ARebuildLosesNoPut) {
  ExpectHolds(TreeModel(Rebuild()), "tree, rebuild", {.check_progress = true});
}

TEST(TreeModelTest, APostUnderAReplacedParentChangesNothing) {
  ExpectHolds(TreeModel(StaleParent()), "tree, stale parent", {.check_progress = true});
}

TEST(TreeModelTest, AMergeLosesNoPutAndNoDelete) {
  ExpectHolds(TreeModel(Merge()), "tree, merge", {.check_progress = true});
}

TEST(TreeModelTest, ASplitBesideARebuildNamesTheLeafOfTheRebuild) {
  ExpectHolds(TreeModel(Neighbours()), "tree, neighbours", {.check_progress = true});
}

TEST(TreeModelTest, LatePostsOfAMergeThatWasUndoneAreHarmless) {
  ExpectHolds(TreeModel(Undone()), "tree, undone", {.check_progress = true});
}

TEST(TreeModelTest, LatePostsOfALeafWhoseMemoryIsUsedAgainAreHarmless) {
  ExpectHolds(TreeModel(Posters()), "tree, posters", {.check_progress = true});
}

TEST(TreeModelTest, AnAppendAreaThatIsNotFrozenIsCaught) {
  Options o = Rebuild();
  o.append_not_frozen = true;
  ExpectCaught(TreeModel(o), "tree, weakened: empty append slots not frozen");
}

TEST(TreeModelTest, PlainStoresOfHelpersAreCaught) {
  Options o = Rebuild();
  o.plain_store = true;
  ExpectCaught(TreeModel(o), "tree, weakened: plain stores in the fill");
}

TEST(TreeModelTest, AHelperThatDoesNotCheckTheParentIsCaught) {
  Options o = StaleParent();
  o.no_parent_check = true;
  ExpectCaught(TreeModel(o), "tree, weakened: only the leaf is looked for");
}

TEST(TreeModelTest, OldLeavesRetiredWithoutACheckAreCaught) {
  Options o = StaleParent();
  o.retires_old_blindly = true;
  ExpectCaught(TreeModel(o), "tree, weakened: old leaves retired unseen");
}

TEST(TreeModelTest, FreezingOneOfTwoLeavesIsCaught) {
  Options o = Merge();
  o.freezes_one_of_two = true;
  ExpectCaught(TreeModel(o), "tree, weakened: one of two leaves frozen");
}

TEST(TreeModelTest, ChildWordsCopiedBeforeThePostAreCaught) {
  Options o = Neighbours();
  o.children_copied_early = true;
  ExpectCaught(TreeModel(o), "tree, weakened: child words copied before the post");
}

TEST(TreeModelTest, HelpersThatDoNotCheckThePendingWordAgainAreCaught) {
  Options o = Posters();
  o.no_pending_check = true;
  ExpectCaught(TreeModel(o), "tree, weakened: pending word not read again",
               {.check_progress = true});
}

}  // namespace
}  // namespace commy::model
