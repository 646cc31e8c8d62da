// Random operations on several namespaces with snapshots held all the time, against a std::map of
// each namespace and a copy of all of them for each snapshot. Tiny nodes, so that the shape changes
// all the time. Sweeps, clears and drops in between; in the end no old version is kept.
#include <iostream>

#include "support/model_store.h"
#include "support/slow_build.h"

namespace commy::test {
namespace {

class SnapshotOps : public ModelStore {
 public:
  using ModelStore::ModelStore;
  void Report() const {
    std::cout << operation_ - 1 << " operations, " << taken_ << " snapshots, " << compared_
              << " comparisons with one\n";
  }

 private:
  void One() override {
    const std::uint64_t dice = Below(1000);
    const std::string path = RandomPath();
    const Namespace ns = Open(path);
    const std::string key = RandomKey();
    if (dice < 400) {
      Put(ns, key);
    } else if (dice < 650) {
      Delete(ns, key);
    } else if (dice < 850) {
      CompareOne(ns, key);
    } else if (dice < 930) {
      CompareRange(ns);
    } else if (dice < 990) {
      TakeOrRelease();
    } else if (dice < 994) {
      Clear(ns);
    } else if (dice < 995) {
      Drop(path);
    } else {
      Beat();
    }
  }
};

using SnapshotOpsTest = ModelFixture;

TEST_F(SnapshotOpsTest, SnapshotsOverTinyNodesAgreeWithTheModel) {
  Options options = TinyNodes(QuietOptions());
  options.max_size = std::uint64_t{256} << 20;
  RunModels<SnapshotOps>(options, 20, Calls(30'000), 150);
}

TEST_F(SnapshotOpsTest, SnapshotsOfFewKeysAgreeWithTheModel) {
  RunModels<SnapshotOps>(TinyNodes(QuietOptions()), 10, Calls(30'000), 6);
}

TEST_F(SnapshotOpsTest, SnapshotsOverDefaultSizesAgreeWithTheModel) {
  Options options;
  options.max_size = std::uint64_t{1} << 30;
  options.testing.background = false;
  RunModels<SnapshotOps>(options, 2, Calls(40'000), 1000);
}

TEST_F(SnapshotOpsTest, SnapshotsWithAHeartbeatAgreeWithTheModel) {
  Options options = TinyNodes(SmallOptions());
  options.heartbeat_interval = absl::Milliseconds(1);
  options.max_size = std::uint64_t{256} << 20;
  RunModels<SnapshotOps>(options, 3, Calls(30'000), 40);
}

}  // namespace
}  // namespace commy::test
