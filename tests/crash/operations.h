// The operations that the harness kills and stops: one line each in Operations().
#pragma once

#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"
#include "crash/inner_steps.h"
#include "crash/runner.h"
#include "crash/steps.h"
#include "index/hash/layout.h"
#include "index/tree/layout.h"
#include "platform/linux_platform.h"

namespace commy::test {

inline constexpr std::uint64_t kA = 1;  // Ids of the namespaces that every prepared store has.
inline constexpr std::uint64_t kB = 2;

// Of a size of which few fit into a span, so that blocks are soon used again if they may be.
inline std::string Padded(std::string value) {
  value.resize(300, '.');
  return value;
}

// Makes the stores that operations start from. What is random in a store comes from `seed`.
class Preparer {
 public:
  Preparer(std::string path, std::uint64_t seed, Order order)
      : path_(std::move(path)), actor_(path_) {
    (void)unlink(path_.c_str());
    SeededPlatform platform(seed);
    COMMY_CHECK(engine::StoreImpl::Open(platform, path_, CrashOptions()).ok());
    Attach();
    Do(CreateNs("a", order));
    Do(CreateNs("b"));
    Attach();
    Do(Put(kA, "k", Padded("before")));
    Do(Put(kA, "n", "41"));
    Do(Put(kB, "x", "1"));
    Do(Put(kB, "y", "2"));
  }

  void Do(const Step& step) {
    const std::string result = step.real(actor_);
    COMMY_CHECK(result == step.ideal(model_));
  }
  // Puts keys into "a" until a new one would meet what `wanted` says; returns that one.
  struct Shape {
    std::uint64_t directory_depth = 0;
    std::uint64_t segment_depth = 0;
    std::uint64_t taken = 0;
    std::uint64_t dead = 0;
    std::uint64_t bucket = 0;  // Of its segment.
    bool upper = false;        // In the upper half of all hashes.
  };
  // Puts keys until one that is not there has the shape; `deletes` half of them again.
  template <typename Wanted>
  std::string FillUntil(Wanted wanted, bool deletes = false) {
    for (int i = 0; i < 400; ++i) {
      for (int j = 0; j < 64; ++j) {
        const std::string key = absl::StrCat("new", i, "_", j);
        if (wanted(ShapeFor(key))) {
          return key;
        }
      }
      Do(Put(kA, absl::StrCat("fill", i), "f"));
      if (deletes && i % 2 == 0) {
        Do(Delete(kA, absl::StrCat("fill", i)));
      }
    }
    COMMY_CHECK(false);
    return "";
  }
  Shape ShapeFor(const std::string& key) {
    region::Region& region = actor_.inside().region();
    auto& catalog = actor_.inside().catalog();
    auto* const object = region.At<index::NamespaceObject>(catalog.Find("a").value());
    auto* const root = region.At<index::IndexRoot>(object->root.load(std::memory_order_acquire));
    const std::uint64_t place = root->directory.load(std::memory_order_acquire);
    auto* const directory = region.At<index::Directory>(place);
    Shape shape;
    shape.directory_depth = directory->depth;
    const std::uint64_t hash = actor_.inside().hash_index().Hash(key);
    shape.upper = hash >> 63U != 0;
    auto* const entries = region.At<base::Shared64>(place + sizeof(index::Directory));
    auto* const segment = region.At<index::Segment>(
        entries[index::DirectoryIndex(hash, directory->depth)].load(std::memory_order_acquire));
    shape.segment_depth = segment->depth;
    shape.bucket = index::BucketIndex(hash, segment->bucket_count);
    const auto* const slots = reinterpret_cast<const base::Shared64*>(segment + 1) +
                              shape.bucket * index::kSlotsPerBucket;
    for (std::uint64_t i = 0; i < index::kSlotsPerBucket; ++i) {
      const std::uint64_t word = slots[i].load(std::memory_order_acquire);
      shape.taken += index::SlotIsEmpty(word) ? 0 : 1;
      shape.dead += index::SlotIsDead(word) ? 1 : 0;
    }
    return shape;
  }
  // The same of "a" as an ordered namespace: what a key above all others would meet.
  struct TreeShape {
    std::vector<std::uint64_t> children;  // Of the nodes on the way, from the root.
    std::uint64_t live = 0;               // In the leaf.
    std::uint64_t free = 0;               // Words of its append area.
  };
  template <typename Wanted>
  std::string AscendUntil(Wanted wanted) {
    for (int i = 1000; i < 1400; ++i) {
      if (wanted(LastLeaf())) {
        return absl::StrCat("z", i);
      }
      Do(Put(kA, absl::StrCat("z", i), "f"));
    }
    COMMY_CHECK(false);
    return "";
  }
  TreeShape LastLeaf() {
    region::Region& region = actor_.inside().region();
    auto* const object =
        region.At<index::NamespaceObject>(actor_.inside().catalog().Find("a").value());
    auto* const root = region.At<index::IndexRoot>(object->root.load(std::memory_order_acquire));
    TreeShape shape;
    std::uint64_t offset = root->directory.load(std::memory_order_acquire);
    auto* head = region.At<index::NodeHead>(offset);
    for (; head->level > 0; head = region.At<index::NodeHead>(offset)) {
      shape.children.push_back(head->capacity);
      const auto* const words = reinterpret_cast<const base::Shared64*>(
          reinterpret_cast<const index::InnerNode*>(head) + 1);
      offset = words[3 * head->capacity - 1].load(std::memory_order_acquire);
    }
    const auto* const leaf = reinterpret_cast<const index::Leaf*>(head);
    const auto* const slots = reinterpret_cast<const base::Shared64*>(leaf + 1) + head->capacity;
    for (std::uint64_t i = 0; i < head->capacity + leaf->append; ++i) {
      const std::uint64_t word = slots[i].load(std::memory_order_acquire);
      shape.free += i >= head->capacity && index::SlotIsEmpty(word) ? 1 : 0;
      shape.live += index::SlotIsEmpty(word) || index::SlotIsDead(word) ? 0 : 1;
    }
    return shape;
  }
  // Another thread, and with it another lane.
  void DoInThread(const std::vector<Step>& steps) {
    std::thread([&] {
      for (const Step& step : steps) {
        Do(step);
      }
    }).join();
  }

  Prepared Finish(const std::string& key) {
    COMMY_CHECK(actor_.Close().ok());
    Prepared prepared{std::string(), model_, key};
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    std::array<char, 65536> piece{};
    for (ssize_t got = 0; (got = read(fd, piece.data(), piece.size())) > 0;) {
      prepared.image.append(piece.data(), static_cast<std::size_t>(got));
    }
    (void)close(fd);
    return prepared;
  }

 private:
  class SeededPlatform final : public platform::LinuxPlatform {
   public:
    explicit SeededPlatform(std::uint64_t seed) : random_(seed) {}
    void RandomBytes(void* buffer, std::size_t size_bytes) override {
      for (std::size_t i = 0; i < size_bytes; ++i) {
        static_cast<unsigned char*>(buffer)[i] = static_cast<unsigned char>(random_());
      }
    }

   private:
    std::mt19937_64 random_;
  };

  void Attach() {
    COMMY_CHECK(actor_.Close().ok());
    COMMY_CHECK(actor_.Attach(model_, true).ok());
  }

  const std::string path_;
  Actor actor_;
  Model model_;
};

struct Operation {
  std::string name;
  std::function<std::string(Preparer&)> prepare;                   // Returns the key.
  std::function<std::vector<Step>(const std::string& key)> steps;  // Of the victim.
  std::function<Step(const std::string& key)> prior = nullptr;     // Of an earlier victim.
  hooks::Action prior_fate = hooks::Action::kKill;
  bool attaches = false;
  bool inside = false;
  bool calls = false;     // Function entries are points too.
  bool no_store = false;  // The victim makes the store.
  // What the survivor does, in place of the general scripts.
  std::function<std::vector<Step>(const std::string& key)> beside = nullptr;
  bool waits = false;       // The victim is attached before the earlier one ends.
  bool prior_tail = false;  // The earlier one ends at one of its last points, and at each of these.
  bool prior_swaps = false;  // The earlier one ends before each of its atomic operations.
  // The victim is stopped before each of its atomic operations, has to look again at what the survivor
  // did beside it, and is then killed at each store of what follows.
  bool again = false;
  std::uint64_t victim_tail = 0;  // If not 0: so many last points of the victim, and each of these.
  Order order = Order::kHash;     // Of the namespace "a".
  bool large = false;             // The same over and over; only a full run takes every point.
};

// --- Preparations ----------------------------------------------------------------------------------

inline std::string Plain(Preparer&) {
  return "k";
}
inline std::string Absent(Preparer&) {
  return "new";
}
inline std::string BeforeDoubling(Preparer& at) {
  return at.FillUntil([](const Preparer::Shape& shape) {
    return shape.taken == 16 && shape.dead < 4 && shape.directory_depth == shape.segment_depth;
  });
}
inline std::string BeforeSplit(Preparer& at) {
  return at.FillUntil([](const Preparer::Shape& shape) {
    return shape.taken == 16 && shape.dead < 4 && shape.segment_depth < shape.directory_depth;
  });
}
// As these two, where the segment has four directory entries or more: the lower half of its hashes
// is put first, and the upper half kept small.
inline std::string BeforeWideChange(Preparer& at, bool deletes) {
  for (int i = 0, puts = 0;; ++i) {
    COMMY_CHECK(i < 10000);
    const std::string key = absl::StrCat("wide", i);
    const Preparer::Shape shape = at.ShapeFor(key);
    if (shape.upper && shape.directory_depth >= shape.segment_depth + 2) {
      if (shape.taken == 16 && (deletes ? shape.dead >= 4 : shape.dead < 4)) {
        return key;
      }
      at.Do(Put(kA, key, "f"));
      if (deletes && puts++ % 2 == 0) {
        at.Do(Delete(kA, key));
      }
    } else if (!shape.upper) {
      at.Do(Put(kA, key, "f"));
    }
  }
}
inline std::string BeforeWideSplit(Preparer& at) {
  return BeforeWideChange(at, false);
}
inline std::string BeforeWideRebuild(Preparer& at) {
  return BeforeWideChange(at, true);
}
// Fills the bucket of kSplitter, and returns a key of the other bucket, which has room.
inline constexpr char kSplitter[] = "splitter";
inline std::string BesideFullBucket(Preparer& at) {
  std::string key;
  for (int i = 0; key.empty() || at.ShapeFor(kSplitter).taken < 16; ++i) {
    const std::string next = absl::StrCat("next", i);
    if (at.ShapeFor(next).bucket != at.ShapeFor(kSplitter).bucket) {
      key = next;
    } else if (at.ShapeFor(kSplitter).taken < 16) {
      at.Do(Put(kA, next, "f"));
    }
  }
  COMMY_CHECK(at.ShapeFor(key).directory_depth == 0 && at.ShapeFor(key).taken < 16);
  return key;
}
inline std::string BeforeRebuild(Preparer& at) {
  return at.FillUntil(
      [](const Preparer::Shape& shape) { return shape.taken == 16 && shape.dead >= 4; }, true);
}
inline std::string Filled(Preparer& at) {
  for (int i = 0; i < 40; ++i) {
    at.Do(Put(kA, absl::StrCat("fill", i), "f"));
  }
  at.DoInThread({Put(kA, "other thread", "t"), Delete(kA, "fill3"), Put(kA, "fill4", "ff")});
  return "k";
}
inline std::string LargeThere(Preparer& at) {
  at.Do(Put(kA, "k", std::string(9000, 'L')));
  return "k";
}
inline std::string Dropped(Preparer& at) {
  at.Do(CreateNs("gone"));
  return "k";
}
// Other lanes, idle now, own all spans but a few.
inline std::string IdleLanes(Preparer& at) {
  for (int thread = 0; thread < 3; ++thread) {
    std::vector<Step> steps;
    for (int i = 0; i < 10; ++i) {
      steps.push_back(
          Put(kA, absl::StrCat("idle", thread, "_", i), std::string(100 + 90 * i, 'i')));
    }
    at.DoInThread(steps);
  }
  return "k";
}

// Spans of three idle lanes, most of it deleted: some are empty, and some are not.
inline std::string EmptyIdleLanes(Preparer& at) {
  IdleLanes(at);
  for (int thread = 0; thread < 3; ++thread) {
    for (int i = 0; i < 10; ++i) {
      if (i != 3 * thread) {
        at.Do(Delete(kA, absl::StrCat("idle", thread, "_", i)));
      }
    }
  }
  for (int i = 0; i < 6; ++i) {
    at.Do(PushEpochs());
  }
  return "k";
}

// --- Ordered namespaces ------------------------------------------------------------------------

inline constexpr std::uint64_t kLeafKeys = 4;  // As CrashOptions() has it.
inline constexpr std::uint64_t kChildren = 3;

inline std::string BeforeLeafRebuild(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live <= kLeafKeys && shape.children.size() == 1;
  });
}
inline std::string BeforeLeafSplit(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.size() == 1 &&
           shape.children.back() < kChildren;
  });
}
inline std::string BeforeFirstRoot(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.empty();
  });
}
inline std::string BeforeHigherRoot(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.size() == 1 &&
           shape.children.back() == kChildren;
  });
}
inline std::string BeforeInnerSplit(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.size() == 2 &&
           shape.children.front() < kChildren && shape.children.back() == kChildren;
  });
}
// A tree of three levels, of which the last leaves are sparse.
inline std::string BeforeMerges(Preparer& at) {
  const std::string end =
      at.AscendUntil([](const Preparer::TreeShape& shape) { return shape.children.size() == 3; });
  const int last = std::stoi(end.substr(1));
  for (int i = last - 1; i > 1004; --i) {
    at.Do(Delete(kA, absl::StrCat("z", i)));
    if (at.LastLeaf().children.size() == 2 && at.LastLeaf().live <= 2) {
      return absl::StrCat("z", i - 1);
    }
  }
  COMMY_CHECK(false);
  return "";
}
inline std::string FilledTree(Preparer& at) {
  (void)BeforeInnerSplit(at);
  at.DoInThread({Put(kA, "other thread", "t"), Delete(kA, "z1001"), Put(kA, "z1002", "zz")});
  return "k";
}

inline Step ScanBack() {
  return OnKeys(
      "scan back", kA,
      [](const Namespace& ns) {
        // Each leaf is read at a time of its own, so only the order is the same whatever happens.
        std::string last = "z1010";
        ScanRange scan = ns.Scan({.from = "k", .to = last, .reverse = true});
        for (const Entry& entry : scan) {
          if (entry.key() >= last || entry.key() < "k") {
            return absl::StrCat("out of order: ", base::ToAbsl(entry.key()));
          }
          last.assign(entry.key());
        }
        return scan.status().ok() ? std::string("in order") : Word(scan.status());
      },
      [](const Keys&) { return std::string("in order"); });
}

inline std::vector<Operation> OrderedOperations() {
  using KeyName = const std::string&;
  using hooks::Action;
  using Prepare = std::string (*)(Preparer&);
  const auto put = [](KeyName key) { return Put(kA, key, Padded("after")); };
  // Deletes from there downwards, and with them merges on all levels and the loss of the root.
  const auto deletes = [](KeyName key) {
    std::vector<Step> steps;
    const int last = std::stoi(key.substr(1));
    for (int i = last; i > last - 6 && i >= 1000; --i) {
      steps.push_back(Delete(kA, absl::StrCat("z", i)));
    }
    return steps;
  };
  const auto del = [](KeyName key) { return Delete(kA, key); };
  const auto clear = [](KeyName) { return Clear(kA); };
  const auto drop = [](KeyName) { return DropNs("a", kA); };
  const auto one = [](auto make) {
    return [make](KeyName key) { return std::vector<Step>{make(key)}; };
  };
  std::vector<Operation> all = {
      {"ordered put new", Absent, one(put)},
      {"ordered put overwrite", Plain, one(put)},
      {"ordered delete", Plain, one(del)},
      {"ordered put, rebuild", BeforeLeafRebuild, one(put)},
      {"ordered put, split", BeforeLeafSplit, one(put)},
      {"ordered put, first root", BeforeFirstRoot, one(put)},
      {"ordered put, higher root", BeforeHigherRoot, one(put)},
      {"ordered put, inner split", BeforeInnerSplit, one(put)},
      {"ordered deletes, merges", BeforeMerges, deletes},
      {"ordered scan", FilledTree, one([](KeyName) { return ScanBack(); })},
      {"ordered clear", FilledTree, one(clear)},
      {"ordered drop", FilledTree, one(drop)},
      {"ordered mark and sweep", FilledTree, one([](KeyName) { return MarkAll(); }), nullptr,
       Action::kKill, false, true},
      {"ordered create", Plain, one([](KeyName) { return CreateNs("c/new", Order::kOrdered); })},
  };
  const std::vector<std::tuple<std::string, Prepare, std::function<Step(KeyName)>>> priors = {
      {"split", BeforeLeafSplit, put},
      {"inner split", BeforeInnerSplit, put},
      {"merge", BeforeMerges, del},
      {"clear", FilledTree, clear},
      {"drop", FilledTree, drop}};
  for (const auto& [name, prepare, step] : priors) {
    all.push_back({"recover ordered " + name, prepare, one([](KeyName) { return Attach(); }), step,
                   Action::kKill, true});
    all.push_back({"beside stopped ordered " + name, prepare,
                   [=](KeyName key) {
                     return std::vector<Step>{Get(kA, key), Put(kA, key, "beside"),
                                              Delete(kA, "z1003"), ScanBack(), Add(kA, "n", 1)};
                   },
                   step, Action::kStop});
  }
  for (Operation& operation : all) {
    operation.order = Order::kOrdered;
  }
  return all;
}

// --- Snapshots ---------------------------------------------------------------------------------

// One step of an earlier victim: what it reads by a snapshot must not change under it.
inline Step SnapshotRound(const std::string& key) {
  Step step = OnKeys("a round with a snapshot", kA, nullptr, [=](Keys& keys) {
    keys[key] = Padded("round");
    return std::string("as before");
  });
  step.real = [=](Actor& actor) {
    const Namespace* const ns = actor.ns(kA);
    if (ns == nullptr) {
      return std::string("no namespace");
    }
    const absl::StatusOr<Snapshot> taken = actor.store().TakeSnapshot();
    if (!taken.ok()) {
      return Word(taken.status());
    }
    const std::string before = Word(ns->Get(key, {.snapshot = &*taken}));
    if (const absl::Status put = ns->Put(key, Padded("round")); !put.ok()) {
      return Word(put);
    }
    const bool same = Word(ns->Get(key, {.snapshot = &*taken})) == before;
    return std::string(same ? "as before" : "changed");
  };
  return step;
}

inline std::vector<Operation> SnapshotOperations(Order order) {
  using KeyName = const std::string&;
  using hooks::Action;
  const std::string kind = order == Order::kOrdered ? "ordered " : "";
  const auto one = [](auto make) {
    return [make](KeyName key) { return std::vector<Step>{make(key)}; };
  };
  const auto round = [](KeyName key) { return SnapshotRound(key); };
  std::vector<Operation> all = {
      {kind + "snapshot take, release", Plain,
       [](KeyName) {
         return std::vector<Step>{TakeSnapshot(1), ContentAt(1, kA), ReleaseSnapshot(1)};
       }},
      {kind + "snapshot, puts, delete", Plain,
       [](KeyName key) {
         return std::vector<Step>{TakeSnapshot(1),       Put(kA, key, Padded("first")),
                                  Delete(kA, "n"),       Put(kA, key, Padded("second")),
                                  Put(kA, "new", "new"), ContentAt(1, kA)};
       }},
      {kind + "snapshots, sweep", Plain,
       [](KeyName key) {
         return std::vector<Step>{TakeSnapshot(1), Put(kA, key, Padded("1")), TakeSnapshot(2),
                                  Delete(kA, key), ReleaseSnapshot(1),        Beat(),
                                  ContentAt(2, kA)};
       },
       nullptr, Action::kKill, false, true},
      {kind + "snapshot, clear", Plain,
       [](KeyName key) {
         return std::vector<Step>{TakeSnapshot(1),  Clear(kA),          Put(kA, key, "after"),
                                  ContentAt(1, kA), ReleaseSnapshot(1), Beat()};
       },
       nullptr, Action::kKill, false, true},
      {"recover " + kind + "snapshot", Plain, one([](KeyName) { return Attach(); }), round,
       Action::kKill, true},
      {"beside stopped " + kind + "snapshot", Plain,
       [](KeyName key) {
         return std::vector<Step>{TakeSnapshot(1), Put(kA, key, "beside"), ContentAt(1, kA)};
       },
       round, Action::kStop},
  };
  if (order == Order::kOrdered) {  // What differs by it: where a chain hangs.
    all = {all[1]};
  }
  for (Operation& operation : all) {
    operation.order = order;
  }
  return all;
}

// --- The table -------------------------------------------------------------------------------------

inline std::vector<Operation> Operations() {
  using Key = const std::string&;
  using hooks::Action;
  const auto one = [](auto make) {
    return [make](Key key) { return std::vector<Step>{make(key)}; };
  };
  const auto put = [](Key key) { return Put(kA, key, Padded("after")); };
  const auto put_large = [](Key key) { return Put(kA, key, std::string(9500, 'N')); };
  const auto del = [](Key key) { return Delete(kA, key); };
  const auto clear = [](Key) { return Clear(kA); };
  const auto create = [](Key) { return CreateNs("c/new"); };
  const auto drop = [](Key) { return DropNs("a", kA); };
  const auto rename = [](Key) { return RenameNs("a", "z/moved"); };
  const auto attach = one([](Key) { return Attach(); });
  std::vector<Operation> all = {
      {"put new", Absent, one(put)},
      {"put overwrite", Plain, one(put)},
      {"put, doubling", BeforeDoubling, one(put)},
      {"put, split", BeforeSplit, one(put)},
      {"put, rebuild", BeforeRebuild, one(put)},
      {"put, wide split", BeforeWideSplit, one(put)},
      {"put, wide rebuild", BeforeWideRebuild, one(put)},
      {"put large", Absent, one(put_large)},
      {"overwrite large", LargeThere, one(put_large)},
      {"overwrite large by small", LargeThere, one(put)},
      {"delete", Plain, one(del)},
      {"delete absent", Absent, one(del)},
      {"put_if_absent", Absent, one([](Key key) { return PutIfAbsent(kA, key, "after"); })},
      {"put_if_absent, there", Plain, one([](Key key) { return PutIfAbsent(kA, key, "after"); })},
      {"compare_and_swap", Plain,
       one([](Key key) { return CompareAndSwap(kA, key, Padded("before"), Padded("after")); })},
      {"add", Plain, one([](Key) { return Add(kA, "n", 7); })},
      {"add to absent", Absent, one([](Key key) { return Add(kA, key, 7); })},
      {"update", Plain, one([](Key key) { return Update(kA, key, "+"); })},
      {"get", Plain, one([](Key key) { return Get(kA, key); })},
      {"put, delete, put", Absent,
       [=](Key key) {
         return std::vector<Step>{put(key), del(key), Put(kA, key, "again")};
       }},
      {"clear", Filled, one(clear)},
      {"clear, put", Filled,
       [=](Key key) {
         return std::vector<Step>{clear(key), put(key)};
       }},
      {"namespace create", Plain, one(create)},
      {"namespace drop", Filled, one(drop)},
      {"namespace rename", Plain, one(rename)},
      {"namespace list", Plain, one([](Key) { return ListNs(); })},
      {"create, drop", Plain,
       [=](Key key) {
         return std::vector<Step>{create(key), DropNs("c/new")};
       }},
      {"file growth", Plain, one([](Key) { return GrowFile(); }), nullptr, Action::kKill, false,
       true, true},
      {"growth ahead", Plain, one([](Key) { return GrowAhead(); }), nullptr, Action::kKill, false,
       true, true},
      {"lane growth", Plain, one([](Key) { return GrowLanes(); }), nullptr, Action::kKill, false,
       true, true},
      {"epoch advance", Plain, one([](Key) { return PushEpochs(); }), nullptr, Action::kKill, false,
       true, false},
      {"raw blocks", Plain, one([](Key) { return RawBlocks(); }), nullptr, Action::kKill, false,
       true, false},
      {"runs back", Plain, one([](Key) { return RunsBack(); }), nullptr, Action::kKill, false, true,
       false},
      {"mark and sweep", Filled, one([](Key) { return MarkAll(); }), nullptr, Action::kKill, false,
       true, false},
      {"take over idle lanes", IdleLanes,
       [](Key) {
         std::vector<Step> steps;
         for (int i = 0; i < 14; ++i) {
           steps.push_back(Put(kA, absl::StrCat("wide", i), std::string(60 + 100 * i, 'w')));
         }
         return steps;
       }},
      {"empty others' spans", EmptyIdleLanes, one([](Key) { return EmptyOthers(); }), nullptr,
       Action::kKill, false, true, false},
      {"take from the living", EmptyIdleLanes, one([](Key) { return TakeFromTheLiving(); }),
       nullptr, Action::kKill, false, true, false},
      {"attach", Plain, attach, nullptr, Action::kKill, true, false, true},
      {"detach", Plain, one([](Key) { return Detach(); }), nullptr, Action::kKill, false, false,
       true},
      {"create store", Plain, attach, nullptr, Action::kKill, true, false, true, true},
  };
  const std::vector<
      std::tuple<std::string, std::function<std::string(Preparer&)>, std::function<Step(Key)>>>
      priors = {{"put new", Absent, put},
                {"put overwrite", Plain, put},
                {"put, doubling", BeforeDoubling, put},
                {"put, split", BeforeSplit, put},
                {"put, rebuild", BeforeRebuild, put},
                {"put large", LargeThere, put_large},
                {"delete", Plain, del},
                {"clear", Filled, clear},
                {"create", Plain, create},
                {"drop", Filled, drop},
                {"rename", Plain, rename},
                {"add", Plain, [](Key) { return Add(kA, "n", 5); }}};
  for (const auto& [name, prepare, step] : priors) {
    all.push_back({"recover " + name, prepare, attach, step, Action::kKill, true, false, false});
  }
  for (const auto& [name, prepare, step] : priors) {
    all.push_back({"beside stopped " + name, prepare,
                   [=](Key key) {
                     return std::vector<Step>{Get(kA, key), Put(kA, key, "beside"), Add(kA, "n", 1),
                                              Put(kB, "x", "beside"), CreateNs("beside")};
                   },
                   step, Action::kStop});
  }
  // The victim may have found the empty slot that the survivor's split then freezes.
  Operation beside_split{"put beside a split", BesideFullBucket, one(put)};
  beside_split.beside = [](Key) { return std::vector<Step>{Put(kA, kSplitter, "s")}; };
  all.push_back(beside_split);
  // Two prune neighbours of one chain. With nobody else about, who would put it right.
  Operation two_prune{"two overwrites prune", Plain, one(put),
                      [](Key key) { return Put(kA, key, Padded("first")); }, Action::kStop};
  two_prune.beside = [](Key) { return std::vector<Step>(); };
  two_prune.prior_tail = true;
  two_prune.victim_tail = 12;
  all.push_back(two_prune);
  // A recoverer dies in the midst of it, and before the next one comes, the survivor uses again in
  // another namespace whatever no pin keeps.
  Operation recoverer{"recoverer killed", Plain, one([](Key) { return RecoverDead(); }), put};
  recoverer.inside = true;
  recoverer.waits = true;
  recoverer.prior_tail = true;
  recoverer.beside = [](Key) {
    std::vector<Step> steps = {Beat(), Beat(), Beat(), Beat()};
    for (int i = 0; i < 12; ++i) {
      steps.push_back(Put(kB, absl::StrCat("o", i), Padded("o")));
    }
    return steps;
  };
  all.push_back(recoverer);
  // The same of what counts, killed between any two of its steps: there is more than one note.
  for (const auto& [name, prepare, step] :
       {std::tuple{"recoverer of a delete killed", &Plain, std::function<Step(Key)>(del)},
        std::tuple{"recoverer of a put killed", &Absent, std::function<Step(Key)>(put)}}) {
    Operation counts = recoverer;
    counts.name = name;
    counts.prepare = prepare;
    counts.prior = step;
    counts.prior_tail = false;
    counts.prior_swaps = true;
    counts.beside = [](Key) { return std::vector<Step>(); };
    all.push_back(counts);
  }
  // A put or a delete that finds at its CAS that another one was first.
  Operation put_again{"put beside a put", Absent, one(put)};
  put_again.again = true;
  put_again.beside = [](Key key) { return std::vector<Step>{Put(kA, key, "beside")}; };
  all.push_back(put_again);
  Operation overwrite_again{"overwrite beside a delete", Plain, one(put)};
  overwrite_again.again = true;
  overwrite_again.beside = [](Key key) { return std::vector<Step>{Delete(kA, key), Beat()}; };
  all.push_back(overwrite_again);
  all.push_back({"bury beside stopped drop", Filled,
                 [](Key) {
                   return std::vector<Step>{DropNs("a", kA), Beat(), Beat()};
                 },
                 drop, Action::kStop, false, true});
  all.push_back({"clear beside stopped clear", Filled,
                 [=](Key key) {
                   return std::vector<Step>{put(key), Clear(kA)};
                 },
                 clear, Action::kStop});
  all.push_back({"clear beside stopped split", BeforeSplit,
                 [=](Key) { return std::vector<Step>{Clear(kA)}; }, put, Action::kStop});
  for (Operation& operation : OrderedOperations()) {
    all.push_back(std::move(operation));
  }
  for (const Order order : {Order::kHash, Order::kOrdered}) {
    for (Operation& operation : SnapshotOperations(order)) {
      all.push_back(std::move(operation));
    }
  }
  return all;
}

}  // namespace commy::test
