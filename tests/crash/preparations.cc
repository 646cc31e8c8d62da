#include "crash/preparations.h"

#include <cstdint>
#include <vector>

#include "base/check.h"
#include "crash/inner_steps.h"
#include "crash/space_steps.h"

namespace commy::test {
namespace {

constexpr std::uint64_t kLeafKeys = 4;  // As CrashOptions() has it.
constexpr std::uint64_t kChildren = 3;
constexpr int kMany = 72;
constexpr int kKept = 12;  // One in so many.
constexpr std::size_t kRoomBytes = 80'000;

// Puts the lower half of the segment's hashes first, and keeps the upper half small.
std::string BeforeWideChange(Preparer& at, bool deletes) {
  for (int i = 0, puts = 0;; ++i) {
    COMMY_CHECK(i < 10000);
    const std::string key = absl::StrCat("wide", i);
    const Preparer::Shape shape = at.ShapeFor(key);
    if (shape.upper && shape.directory_depth >= shape.segment_depth + 2) {
      if (deletes ? shape.rebuilds() : shape.splits()) {
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

// Most of many keys are deleted again.
void ManyAndFew(Preparer& at, int many = kMany) {
  // Its spans are then free, in front of the others: what is moved makes the file no larger.
  at.Do(Put(kB, "room", std::string(kRoomBytes, 'r')));
  for (int i = 0; i < many; ++i) {
    at.Do(Put(kA, absl::StrCat("fill", i), Medium("f")));
  }
  for (int i = 0; i < many; ++i) {
    if (i % kKept != 0) {
      at.Do(Delete(kA, absl::StrCat("fill", i)));
    }
  }
  at.Do(Delete(kB, "room"));
  for (int i = 0; i < 6; ++i) {
    at.Do(Beat());
  }
}

}  // namespace

std::string Plain(Preparer&) {
  return "k";
}

std::string Absent(Preparer&) {
  return "new";
}

std::string BeforeDoubling(Preparer& at) {
  return at.FillUntil([](const Preparer::Shape& shape) {
    return shape.splits() && shape.directory_depth == shape.segment_depth;
  });
}

std::string BeforeSplit(Preparer& at) {
  return at.FillUntil([](const Preparer::Shape& shape) {
    return shape.splits() && shape.segment_depth < shape.directory_depth;
  });
}

std::string BeforeRebuild(Preparer& at) {
  return at.FillUntil([](const Preparer::Shape& shape) { return shape.rebuilds(); }, true);
}

std::string BeforeWideSplit(Preparer& at) {
  return BeforeWideChange(at, false);
}

std::string BeforeWideRebuild(Preparer& at) {
  return BeforeWideChange(at, true);
}

std::string BesideFullBucket(Preparer& at) {
  std::string key;
  for (int i = 0; key.empty() || at.ShapeFor(kSplitter).taken < Preparer::kSlots; ++i) {
    const std::string next = absl::StrCat("next", i);
    if (at.ShapeFor(next).bucket != at.ShapeFor(kSplitter).bucket) {
      key = next;
    } else if (at.ShapeFor(kSplitter).taken < Preparer::kSlots) {
      at.Do(Put(kA, next, "f"));
    }
  }
  COMMY_CHECK(at.ShapeFor(key).directory_depth == 0 && at.ShapeFor(key).taken < Preparer::kSlots);
  return key;
}

std::string Filled(Preparer& at) {
  for (int i = 0; i < 40; ++i) {
    at.Do(Put(kA, absl::StrCat("fill", i), "f"));
  }
  at.DoInThread({Put(kA, "other thread", "t"), Delete(kA, "fill3"), Put(kA, "fill4", "ff")});
  return "k";
}

std::string LargeThere(Preparer& at) {
  at.Do(Put(kA, "k", std::string(9000, 'L')));
  return "k";
}

std::string IdleLanes(Preparer& at) {
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

std::string EmptyIdleLanes(Preparer& at) {
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

std::string BeforeLeafRebuild(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live <= kLeafKeys && shape.children.size() == 1;
  });
}

std::string BeforeLeafSplit(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.size() == 1 &&
           shape.children.back() < kChildren;
  });
}

std::string BeforeFirstRoot(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.empty();
  });
}

std::string BeforeHigherRoot(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.size() == 1 &&
           shape.children.back() == kChildren;
  });
}

std::string BeforeInnerSplit(Preparer& at) {
  return at.AscendUntil([](const Preparer::TreeShape& shape) {
    return shape.free == 0 && shape.live > kLeafKeys && shape.children.size() == 2 &&
           shape.children.front() < kChildren && shape.children.back() == kChildren;
  });
}

std::string BeforeMerges(Preparer& at) {
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

std::string FilledTree(Preparer& at) {
  (void)BeforeInnerSplit(at);
  at.DoInThread({Put(kA, "other thread", "t"), Delete(kA, "z1001"), Put(kA, "z1002", "zz")});
  return "k";
}

std::string Medium(const std::string& value) {
  std::string padded = value;
  padded.resize(120, '.');
  return padded;
}

std::string Sparse(Preparer& at) {
  ManyAndFew(at);
  COMMY_CHECK(at.ShapeFor("k").directory_depth >= 2);
  return "k";
}

std::string SparseWide(Preparer& at) {
  ManyAndFew(at, 2 * kMany);
  COMMY_CHECK(at.ShapeFor("k").directory_depth >= 3);
  at.Do(Compact());  // The directory is moved while its segments are still many.
  return "k";
}

std::string SparseTree(Preparer& at) {
  ManyAndFew(at);
  COMMY_CHECK(at.LastLeaf().children.size() >= 2);
  return "k";
}

std::string SparseLarge(Preparer& at) {
  for (int i = 0; i < 3; ++i) {
    at.Do(Put(kA, absl::StrCat("large", i), std::string(4500, 'L')));
  }
  for (int i = 0; i < 2; ++i) {
    at.Do(Delete(kA, absl::StrCat("large", i)));
  }
  at.Do(PushEpochs());
  return "large2";
}

std::string Holes(Preparer& at) {
  Sparse(at);
  at.Do(Compact());
  at.Do(PushEpochs());
  at.Do(PunchSpans());
  return "k";
}

std::string FullWithLeftSpans(Preparer& at) {
  ManyAndFew(at);
  at.FillStore();
  at.Do(LeaveSpans());
  at.Do(PushEpochs());
  return "k";
}

std::string SomeExpired(Preparer& at) {
  for (int i = 0; i < 6; ++i) {
    at.Do(PutExpired(kA, absl::StrCat("expired", i)));
    at.Do(Put(kA, absl::StrCat("stays", i), "s"));
  }
  return "k";
}

std::string Awaited(Preparer& at) {
  at.Do(WaitForChange(kA));
  at.Do(GetOrWait(kA, "new"));
  return "new";
}

}  // namespace commy::test
