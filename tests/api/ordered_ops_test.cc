// Random operations on an ordered namespace against std::map: more than a million over several
// seeds, with tiny and with default nodes, and keys that share much, little or everything but their
// length. Ranges both ways, counts, clear, drop, and the store closed and opened again.
#include <algorithm>
#include <iostream>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/ordered_fixture.h"
#include "support/seed.h"
#include "support/slow_build.h"

namespace commy::test {
namespace {

using Model = std::map<std::string, std::string>;

enum class Keys { kFew, kNumbers, kDeep, kBytes };

class OrderedOps {
 public:
  OrderedOps(Store store, std::uint64_t seed, Keys keys)
      : store_(std::move(store)), random_(seed), keys_(keys) {
    Open();
  }

  void Run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      Step();
    }
    Compare(ScanOptions());
    EXPECT_EQ(*ns_->Size(), model_.size());
    EXPECT_TRUE(IsSound(store_));
  }

  // Deletes everything, in random order.
  void DeleteAll() {
    std::vector<std::string> keys;
    for (const auto& [key, value] : model_) {
      keys.push_back(key);
    }
    std::shuffle(keys.begin(), keys.end(), random_);
    for (const std::string& key : keys) {
      ASSERT_TRUE(ns_->Delete(key).value_or(false));
      model_.erase(key);
    }
    Compare(ScanOptions());
  }
  Store& store() { return store_; }

 private:
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  void Open() {
    absl::StatusOr<Namespace> ns = store_.OpenNamespace("n", {.order = Order::kOrdered});
    ASSERT_TRUE(ns.ok()) << ns.status();
    ns_ = *std::move(ns);
  }

  std::string Key() {
    switch (keys_) {
      case Keys::kFew:
        return std::to_string(Below(40));
      case Keys::kNumbers:
        return std::to_string(100'000 + Below(3000));
      case Keys::kDeep: {
        // Groups that share up to 200 bytes, and keys that are the beginning of others.
        std::string key(Below(4) * 66, 'p');
        for (std::uint64_t i = Below(5); i > 0; --i) {
          key += static_cast<char>('a' + Below(3));
        }
        return key;
      }
      case Keys::kBytes: {
        std::string key;
        for (std::uint64_t i = Below(4); i > 0; --i) {
          constexpr std::string_view kBytes("\x00\x01\x7f\x80\xfe\xff", 6);
          key += kBytes[Below(kBytes.size())];
        }
        return Below(500) == 0 ? key + std::string(65'000 + Below(300), 'x') : key;
      }
    }
    return std::string();
  }

  ScanOptions Range() {
    ScanOptions options;
    options.from = Below(3) == 0 ? std::string() : Key();
    options.to = Below(3) == 0 ? std::string() : Key();
    options.prefix = Below(3) == 0 ? Key() : std::string();
    options.prefix.resize(std::min<std::size_t>(options.prefix.size(), Below(5)));
    options.limit = Below(2) == 0 ? UINT64_MAX : Below(20);
    options.reverse = Below(2) == 0;
    return options;
  }

  void Compare(const ScanOptions& options) {
    std::vector<std::pair<std::string, std::string>> wanted;
    for (const auto& entry : model_) {
      if (entry.first >= options.from && (options.to.empty() || entry.first < options.to) &&
          entry.first.compare(0, options.prefix.size(), options.prefix) == 0) {
        wanted.push_back(entry);
      }
    }
    if (options.reverse) {
      std::reverse(wanted.begin(), wanted.end());
    }
    wanted.resize(std::min<std::uint64_t>(wanted.size(), options.limit));
    std::vector<std::pair<std::string, std::string>> found;
    ScanRange scan = ns_->Scan(options);
    for (const Entry& entry : scan) {
      found.emplace_back(entry.key(), entry.value());
    }
    ASSERT_TRUE(scan.status().ok()) << scan.status();
    ASSERT_EQ(found, wanted);
    ASSERT_EQ(ns_->Count(options).value_or(UINT64_MAX), wanted.size());
  }

  void Step() {
    const std::uint64_t what = Below(1000);
    // The store fills and empties alternately.
    growing_ = Below(2000) == 0 ? !growing_ : growing_;
    const std::string key = Key();
    const std::string value = std::to_string(random_() % 1'000'000);
    if (what < 300 || (growing_ && what < 500)) {
      ASSERT_TRUE(ns_->Put(key, value).ok());
      model_[key] = value;
    } else if (what < 700) {
      const absl::StatusOr<bool> was = ns_->Delete(key);
      ASSERT_TRUE(was.ok()) << was.status();
      ASSERT_EQ(*was, model_.erase(key) == 1);
    } else if (what < 850) {
      const absl::StatusOr<std::string> got = ns_->Get(key);
      const auto at = model_.find(key);
      ASSERT_EQ(got.ok(), at != model_.end()) << got.status();
      ASSERT_TRUE(!got.ok() || *got == at->second);
    } else if (what < 900) {
      ASSERT_EQ(ns_->PutIfAbsent(key, value).value(), model_.emplace(key, value).second);
    } else if (what < 930) {
      const auto at = model_.find(key);
      const std::string expected = at == model_.end() ? value : at->second;
      const bool swapped = ns_->CompareAndSwap(key, {expected, value}).value();
      ASSERT_EQ(swapped, at != model_.end());
      if (swapped) {
        at->second = value;
      }
    } else if (what < 960) {
      std::vector<std::string> keys = {key, Key(), Key()};
      const auto got = ns_->MultiGet({keys[0], keys[1], keys[2]});
      for (std::size_t i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(got[i].ok(), model_.count(keys[i]) == 1);
      }
    } else if (what < 985) {
      Compare(Range());
    } else if (what < 996 || Below(40) != 0) {
      Compare(ScanOptions{.limit = Below(3), .reverse = Below(2) == 0});
    } else if (Below(2) == 0) {
      ASSERT_TRUE(ns_->Clear().ok());
      model_.clear();
    } else {
      ASSERT_TRUE(store_.DropNamespace("n").ok());
      ASSERT_TRUE(IsNamespaceDropped(ns_->Get(key).status()));
      model_.clear();
      Open();
    }
  }

  Store store_;
  std::optional<Namespace> ns_;
  std::mt19937_64 random_;
  const Keys keys_;
  Model model_;
  bool growing_ = true;
};

class OrderedOpsTest : public OrderedFixture {
 protected:
  void Run(const Options& options, Keys keys, int operations) {
    const std::uint64_t seed = Seed();
    SCOPED_TRACE("seed " + std::to_string(seed));
    OrderedOps ops(MustOpen(options), seed + static_cast<std::uint64_t>(keys), keys);
    ops.Run(operations);
    if (HasFailure()) {
      return;
    }
    ops.DeleteAll();
    // Nothing is left but an empty leaf.
    const auto blocks = BlocksOf(ops.store());
    EXPECT_EQ(blocks.at(region::BlockKind::kLeaf), 1U);
    EXPECT_EQ(blocks.count(region::BlockKind::kInner), 0U);
    EXPECT_EQ(blocks.count(region::BlockKind::kSeparator), 0U);
    ops.Run(operations / 10);
  }
  static Options Quiet(const Options& options) {
    Options quiet = options;
    quiet.max_size = std::uint64_t{256} << 20;
    return quiet;
  }
};

TEST_F(OrderedOpsTest, FewKeysInTinyNodesAgreeWithAMap) {
  Run(Quiet(TinyNodes(QuietOptions())), Keys::kFew, Calls(200'000));
}
TEST_F(OrderedOpsTest, NumbersInTinyNodesAgreeWithAMap) {
  Run(Quiet(TinyNodes(QuietOptions())), Keys::kNumbers, Calls(300'000));
}
TEST_F(OrderedOpsTest, DeepKeysInTinyNodesAgreeWithAMap) {
  Run(Quiet(TinyNodes(QuietOptions())), Keys::kDeep, Calls(250'000));
}
TEST_F(OrderedOpsTest, BytesInTinyNodesAgreeWithAMap) {
  Run(Quiet(TinyNodes(QuietOptions())), Keys::kBytes, Calls(100'000));
}
TEST_F(OrderedOpsTest, NumbersInDefaultNodesAgreeWithAMap) {
  Run(Quiet(QuietOptions()), Keys::kNumbers, Calls(200'000));
}
TEST_F(OrderedOpsTest, NumbersWithAHeartbeatAgreeWithAMap) {
  Run(Quiet(TinyNodes(SmallOptions())), Keys::kNumbers, Calls(60'000));
}

}  // namespace
}  // namespace commy::test
