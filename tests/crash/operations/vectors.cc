// Changes of vectors: in the root alone, and of the tree.
#include <tuple>

#include "crash/inner_steps.h"
#include "crash/operations.h"
#include "crash/preparations.h"

namespace commy::test {
namespace {

using Key = const std::string&;

constexpr char kVec[] = "c/vec";

// Leaves have 8 elements, and every fourth push goes to one; see Actor::Attach().
void Pushes(Preparer& at, std::int64_t count) {
  at.Do(CreateVec(kVec));
  for (std::int64_t i = 0; i < count; ++i) {
    at.Do(VecPush(kVec, true, i));
  }
}

std::string VecInRoot(Preparer& at) {
  Pushes(at, 2);
  return "k";
}
std::string VecBeforeFlush(Preparer& at) {
  Pushes(at, 7);
  return "k";
}
std::string VecAfterFlush(Preparer& at) {
  Pushes(at, 8);
  return "k";
}
// Four leaves below two inner nodes.
std::string VecTree(Preparer& at) {
  Pushes(at, 33);
  return "k";
}
// The first leaf has room for one that is left in the second one.
std::string VecBeforeMerge(Preparer& at) {
  Pushes(at, 33);
  at.Do(VecErase(kVec, 0, 1));
  return "k";
}

Step Push(Key /*key*/) {
  return VecPush(kVec, true, 100);
}
Step SetInLeaf(Key /*key*/) {
  return VecSet(kVec, 9, 100);
}
Step Splitting(Key /*key*/) {
  return VecInsert(kVec, 9, 100);
}
Step Merging(Key /*key*/) {
  return VecErase(kVec, 7, 7);
}
Step ClearVec(Key /*key*/) {
  return VecClear(kVec);
}
Step Edited(Key /*key*/) {
  return VecEditAndPublish(kVec);
}
Step WithKey(Key key) {
  return VecTransact(kVec, 100, key);
}

// Of a survivor that uses the same vector.
std::vector<Step> BesideVec(Key key) {
  return {VecPush(kVec, true, 900),  VecPop(kVec, false),     VecSet(kVec, 1, 901),
          VecInsert(kVec, 3, 902),   Content(false),          VecPop(kVec, true),
          VecPush(kVec, false, 903), VecEditAndPublish(kVec), VecErase(kVec, 2, 4),
          Put(kA, key, "beside")};
}

}  // namespace

std::vector<Operation> VectorOperations() {
  std::vector<Operation> all;
  for (const auto& [name, prepare, step] :
       std::vector<std::tuple<std::string, std::string (*)(Preparer&), MakeStep>>{
           {"vec push in root", VecInRoot, Push},
           {"vec push that flushes", VecBeforeFlush, Push},
           {"vec pop that refills", VecAfterFlush, [](Key) { return VecPop(kVec, true); }},
           {"vec set in a leaf", VecTree, SetInLeaf},
           {"vec insert that splits", VecTree, Splitting},
           {"vec erase that merges", VecBeforeMerge, Merging},
           {"vec clear of a tree", VecTree, ClearVec},
           {"vec edit", VecTree, Edited},
           {"vec in a transaction", VecBeforeFlush, WithKey}}) {
    all.push_back({.name = name, .prepare = prepare, .steps = Once(step), .beside = BesideVec});
  }
  all.push_back({.name = "recover vec push",
                 .prepare = VecBeforeFlush,
                 .steps = Once([](Key) { return Attach(); }),
                 .prior = Push,
                 .attaches = true});
  all.push_back({.name = "beside stopped vec push",
                 .prepare = VecBeforeFlush,
                 .steps =
                     [](Key) {
                       return std::vector<Step>{VecPush(kVec, true, 800), VecPop(kVec, false)};
                     },
                 .prior = Push,
                 .prior_fate = hooks::Action::kStop,
                 .beside = BesideVec});
  return all;
}

}  // namespace commy::test
